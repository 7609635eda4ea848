package handlers_test

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"gongkai/docs"
	"gongkai/handlers"
)

// contract is docs/openapi.json, taken strictly: a member it does not name is
// none it describes.
var contract = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(docs.OpenAPI)
	if err != nil {
		return nil, err
	}
	for _, schema := range doc.Components.Schemas {
		if s := schema.Value; len(s.Properties) > 0 && s.AdditionalProperties.Schema == nil {
			no := false
			s.AdditionalProperties.Has = &no
		}
	}
	return doc, doc.Validate(context.Background())
})

func mustContract(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := contract()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

var placeholder = regexp.MustCompile(`\\\{[a-z0-9_]+\\\}`)

// operation finds what the document says of a method and an escaped path. Where
// two templates fit, the one with more of its own words is meant.
func operation(doc *openapi3.T, method, path string) (template string, op *openapi3.Operation) {
	for candidate, item := range doc.Paths.Map() {
		form := regexp.MustCompile("^" + placeholder.ReplaceAllString(regexp.QuoteMeta(candidate), "[^/]+") + "$")
		found := item.GetOperation(method)
		if found != nil && form.MatchString(path) && (op == nil || strings.Count(candidate, "{") < strings.Count(template, "{")) {
			template, op = candidate, found
		}
	}
	return template, op
}

// describe fails the test on an answer that the document does not describe.
// What HTTP itself says of an answer is not the document's: HEAD is GET without
// a body, 304 has none, and a preflight belongs to no operation.
func describe(t *testing.T, req *http.Request, r reply) {
	t.Helper()
	if r.status == http.StatusNotModified || req != nil && req.Method == http.MethodOptions && r.status < 400 {
		if len(r.body) > 0 {
			t.Errorf("%s = %d with a body", requestLine(req), r.status)
		}
		return
	}
	doc := mustContract(t)
	var op *openapi3.Operation
	template, method := "", ""
	if req != nil {
		if method = req.Method; method == http.MethodHead {
			method = http.MethodGet
		}
		template, op = operation(doc, method, req.URL.EscapedPath())
	}
	linked := req != nil && strings.HasPrefix(req.URL.Path, "/api/v1/attachments/") // by pages: a browser is told in one
	if r.status >= 400 && r.isPage() && (op == nil || linked) {
		return // checkErrorPage has read it
	}
	if op == nil { // then it must be an error, of the general form
		describeProblem(t, doc, req, r)
		return
	}
	said := op.Responses.Status(r.status)
	if said == nil {
		said = op.Responses.Default()
	}
	media, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	switch {
	case r.status == http.StatusNoContent || req.Method == http.MethodHead:
		if len(r.body) > 0 {
			t.Errorf("%s = %d with a body", requestLine(req), r.status)
		}
		return
	case said.Value.Content.Get(media) == nil:
		t.Errorf("%s = %d %s: the document says %v", requestLine(req), r.status, media, said.Value.Content)
		return
	case !strings.HasSuffix(media, "json"):
		return
	}
	route := &routers.Route{Spec: doc, Path: template, Method: method, Operation: op}
	input := (&openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route},
		Status:                 r.status, Header: r.header,
	}).SetBodyBytes(decoded(t, r))
	if err := openapi3filter.ValidateResponse(context.Background(), input); err != nil {
		t.Errorf("%s = %d is not what the document describes: %v", requestLine(req), r.status, err)
	}
}

func describeProblem(t *testing.T, doc *openapi3.T, req *http.Request, r reply) {
	t.Helper()
	if r.status < 400 {
		t.Errorf("%s = %d, and no operation of the document", requestLine(req), r.status)
	}
	if req != nil && req.Method == http.MethodHead {
		return
	}
	problem, ok := r.at("").(map[string]any)
	if !ok {
		t.Errorf("%s = %d without a problem: %s", requestLine(req), r.status, r.body)
	}
	if err := doc.Components.Schemas["handlers.Problem"].Value.VisitJSON(problem); err != nil {
		t.Errorf("%s = %d: %v", requestLine(req), r.status, err)
	}
}

// TestEveryRouteIsDocumented compares the router with the document, both ways.
func TestEveryRouteIsDocumented(t *testing.T) {
	w := start(t)
	kinds := regexp.MustCompile(`^/api/v1/staff/(sectors|bodies|catalog|notice-types|rules|calendar)\b`)
	routed, documented := map[handlers.Route]bool{}, map[handlers.Route]bool{}
	for _, route := range w.edge.Routes() {
		route.Path = kinds.ReplaceAllString(route.Path, "/api/v1/staff/{kind}")
		routed[route] = true
	}
	for path, item := range mustContract(t).Paths.Map() {
		for method := range item.Operations() {
			documented[handlers.Route{Method: method, Path: path}] = true
		}
	}
	for route := range routed {
		if !documented[route] {
			t.Errorf("%v is routed, and not in docs/openapi.json", route)
		}
	}
	for route := range documented {
		if !routed[route] {
			t.Errorf("%v is in docs/openapi.json, and not routed", route)
		}
	}
}

// valid holds a valid value of every query parameter there is.
var valid = map[string]string{
	"sector": "construction", "type": tender, "stage": "execution", "item": "A1-04", "body": "resource-trading-centre",
	"project": "E1", "region": "320902", "q": "道路", "since": "2026-11-01", "until": "2026-11-30", "amount_min": "1.00",
	"amount_max": "99999999.00", "open": "true", "sort": "deadline", "limit": "5", "annex": "1", "after": "0", "from": "1", "to": "1",
	"status": "draft", "mine": "true", "id": "x", "rule": "D5", "workdays": "5", "days": "5", "year": "2026",
}

// validOf is the value for a path: revisions and dates go by the same names.
func validOf(path, name string) string {
	if strings.HasPrefix(path, "/api/v1/deadlines") && (name == "from" || name == "to") {
		return "2026-12-01"
	}
	if path == "/api/v1/staff/callbacks" && name == "status" {
		return "open"
	}
	return valid[name]
}

// TestQueryParametersAreThoseDocumented asks every GET of the document for each
// parameter any of them has: it takes those it documents, each with a valid
// value, and refuses the others by name.
func TestQueryParametersAreThoseDocumented(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, tender, "道路工程招标公告", object{"project": object{"code": "E1", "name": "道路"}})).text("id")
	fill := strings.NewReplacer("{id}/history", "construction/history", "{kind}/{id}", "sectors/construction", "{kind}", "sectors",
		"catalog/{id}", "catalog/A1-04", "{id}", id, "{event}", "1", "{rev}", "1", "{code}", "E1", "{year}", "2026", "{sha256}", strings.Repeat("0", 64))
	for template, item := range mustContract(t).Paths.Map() {
		if item.Get == nil || !strings.HasPrefix(template, "/api/v1/") || strings.HasPrefix(template, "/api/v1/ivr/") { // engines send fields of their own
			continue
		}
		path := fill.Replace(template)
		var documented []string
		for _, p := range item.Get.Parameters {
			if p.Value.In == "query" {
				documented = append(documented, p.Value.Name)
				if r := w.call(t, "GET", path, opts{as: "admin", want: anyStatus}); p.Value.Required && r.status < 400 {
					t.Errorf("%s: %s is documented as required, and is not", template, p.Value.Name)
				}
			}
		}
		for _, name := range append([]string{"cursor", "reason", "nosuch", "limit[]", "Limit"}, sortedKeys(valid)...) {
			r := w.call(t, "GET", path+"?"+url.Values{name: {validOf(path, name)}}.Encode(), opts{as: "admin", want: anyStatus})
			refused := r.status == 400 && r.text("code") == "request.unknown" && slices.Contains(r.texts("errors", "field"), name)
			switch {
			case slices.Contains(documented, name) && (refused || r.status == 400 && name != "cursor"):
				t.Errorf("%s documents %q, and refuses it: %s", template, name, r.body)
			case !slices.Contains(documented, name) && !refused:
				t.Errorf("%s does not document %q, and answers it with %d", template, name, r.status)
			}
		}
	}
	if got := w.call(t, "GET", "/api/v1/notices?limit=5&nosuch=1&also=2", opts{want: 400}).texts("errors", "field"); len(got) != 2 {
		t.Errorf("two unknown parameters are reported as %v", got)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Every step of a notice says in the document that it knows If-Match and
// Idempotency-Key: nothing else tells a client of them.
func TestStepsDocumentTheirHeaders(t *testing.T) {
	steps := regexp.MustCompile(`^/api/v1/staff/notices(/\{id\}(/[a-z-]+)?)?$`)
	found := 0
	for path, item := range mustContract(t).Paths.Map() {
		for method, op := range item.Operations() {
			if method == http.MethodGet || !steps.MatchString(path) {
				continue
			}
			found++
			for _, name := range []string{"If-Match", "Idempotency-Key"} {
				if op.Parameters.GetByInAndName("header", name) == nil {
					t.Errorf("%s %s does not document %s", method, path, name)
				}
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d steps", found)
	}
}
