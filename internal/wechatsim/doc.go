// Package wechatsim is a local WeChat: the part of its API that this program
// uses, the people on the other side with what their phones show, and the
// callbacks that WeChat sends, as one [http.Handler]. It serves the demo and the
// tests; nothing in it is meant for production.
//
// It is written from WeChat's documentation and shares no code with the client
// it is there to try, encryption included, so that an error in one is not
// hidden by the same error in the other. It imports nothing of this program.
//
// # What it keeps
//
// Accounts (公众号, 小程序) with their secret, callback URL, message mode and
// templates; people with one openid per account, joined by a unionid; whom they
// follow, what they accepted and refused; access tokens of both kinds; daily
// and per-minute quotas; the windows of customer-service messages; every card
// delivered. All of it is in memory. Openids, secrets and template ids follow
// from names, so a restarted simulator knows the same people.
//
// # Time
//
// Time is virtual: it runs with the clock it was given and can be moved
// forward. Quotas begin anew at midnight of Asia/Shanghai, tokens, codes,
// tickets and windows expire by it, and delayed callbacks fall due.
//
// # Order of checks
//
// An API call is judged in this order, and the first finding is the answer:
// method and JSON (43001, 43002, 44002, 47001) → token (41001, 40014, 40001,
// 42001) → address (40164, where secrets are sent) → quota (45009, 45011) →
// openid (40003) → template (40037, 43116) → consent or following (43101,
// 43004, 43019) → data (47003, 45168) → concurrency (43108) → page (41030).
// The order in which WeChat itself looks is not published. As there, errors
// are HTTP 200 with an errcode.
package wechatsim
