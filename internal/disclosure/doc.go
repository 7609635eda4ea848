// Package disclosure is the domain of public-resource disclosure (公共资源配置
// 领域政府信息公开), without any I/O: sectors, bodies, catalogue items and notice
// types as data; the notice and its state machine; field validation, masking
// and differences; queries, pages and the error codes every edge speaks.
//
// It decides and never acts. A method such as Notice.Publish returns a
// Transition, a plain value; package store commits it, and everything else
// follows the change feed. Nothing here reads a clock: the instant is always a
// parameter.
//
// Types that cross a package border are declared here, so that the small
// interfaces their readers declare need no adapters.
package disclosure
