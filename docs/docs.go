// Package docs holds the HTTP contract as served: what swag reads from the
// handlers' comments, and its OpenAPI 3.0 form. `make openapi` writes both; a
// test fails when they are not what the code says.
package docs

import _ "embed" // the documents

// Swagger is the contract as Swagger 2.0, in JSON.
//
//go:embed swagger.json
var Swagger []byte

// OpenAPI is the contract as OpenAPI 3.0, in JSON.
//
//go:embed openapi.json
var OpenAPI []byte
