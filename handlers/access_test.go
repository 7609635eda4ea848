package handlers_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// access says who may use each route that needs a token, by the roles' initials:
// e(ditor), r(eviewer), a(dmin), auditor is o (oversight), ivr is i. A route
// that is not here, and that the document does not call public, fails the test.
var access = map[string]string{
	"GET /api/v1/ivr/turn":   "i",
	"POST /api/v1/ivr/turn":  "i",
	"POST /api/v1/ivr/event": "i",
	"GET /api/v1/ivr/say":    "erai",

	"POST /api/v1/staff/attachments":                      "era",
	"GET /api/v1/staff/notices":                           "erao",
	"POST /api/v1/staff/notices":                          "era",
	"GET /api/v1/staff/notices/{id}":                      "erao",
	"PUT /api/v1/staff/notices/{id}":                      "era",
	"DELETE /api/v1/staff/notices/{id}":                   "era",
	"GET /api/v1/staff/notices/{id}/preview":              "erao",
	"GET /api/v1/staff/notices/{id}/attachments/{sha256}": "erao",
	"POST /api/v1/staff/notices/{id}/submit":              "era",
	"POST /api/v1/staff/notices/{id}/reject":              "ra",
	"POST /api/v1/staff/notices/{id}/publish":             "ra",
	"POST /api/v1/staff/notices/{id}/correct":             "era",
	"POST /api/v1/staff/notices/{id}/terminate":           "era",
	"POST /api/v1/staff/notices/{id}/withdraw":            "ra",
	"POST /api/v1/staff/notices/{id}/privacy-override":    "ra",
	"GET /api/v1/staff/audit":                             "ao",

	"GET /api/v1/staff/kiosks":                         "erao",
	"POST /api/v1/staff/kiosks/{pairing_code}/approve": "a",
	"POST /api/v1/staff/kiosks/{id}/revoke":            "a",

	"GET /api/v1/staff/callbacks":              "erao",
	"POST /api/v1/staff/callbacks/{id}/reveal": "era",
	"POST /api/v1/staff/callbacks/{id}/done":   "era",

	"GET /api/v1/staff/{kind}":              "erao",
	"POST /api/v1/staff/{kind}":             "a",
	"GET /api/v1/staff/{kind}/{id}":         "erao",
	"PATCH /api/v1/staff/{kind}/{id}":       "a",
	"GET /api/v1/staff/{kind}/{id}/history": "erao",

	"GET /api/v1/staff/templates/{file}":         "erao",
	"POST /api/v1/staff/imports":                 "era",
	"GET /api/v1/staff/imports/{id}":             "erao",
	"GET /api/v1/staff/imports/{id}/issues.xlsx": "erao",
	"POST /api/v1/staff/imports/{id}/commit":     "era",
	"POST /api/v1/staff/imports/{id}/undo":       "era",

	"GET /api/v1/staff/pushes":                  "erao",
	"GET /api/v1/staff/pushes/{event}":          "erao",
	"POST /api/v1/staff/pushes/{event}/release": "ra",
	"POST /api/v1/staff/pushes/{event}/pause":   "ra",
	"POST /api/v1/staff/pushes/{event}/resume":  "ra",
	"POST /api/v1/staff/pushes/{event}/resend":  "ra",
	"GET /api/v1/staff/push/status":             "erao",
	"POST /api/v1/staff/push/switches":          "a",
	"GET /api/v1/staff/quota":                   "erao",

	// A person's own: a token of staff opens none of them, and no role is asked for.
	"DELETE /api/v1/session":               "eraoi",
	"GET /api/v1/me":                       "eraoi",
	"PATCH /api/v1/me":                     "eraoi",
	"DELETE /api/v1/me":                    "eraoi",
	"POST /api/v1/me/link":                 "eraoi",
	"GET /api/v1/me/subscriptions":         "eraoi",
	"POST /api/v1/me/subscriptions":        "eraoi",
	"GET /api/v1/me/subscriptions/{id}":    "eraoi",
	"PATCH /api/v1/me/subscriptions/{id}":  "eraoi",
	"DELETE /api/v1/me/subscriptions/{id}": "eraoi",
	"GET /api/v1/me/inbox":                 "eraoi",
	"POST /api/v1/me/inbox/{id}/read":      "eraoi",
	"GET /api/v1/me/consents":              "eraoi",
	"POST /api/v1/me/consents":             "eraoi",
}

var initials = map[byte]string{'e': "editor", 'r': "reviewer", 'a': "admin", 'o': "auditor", 'i': "ivr"}

// secured tells whether the document asks for a token on a route, and the name
// by which it documents it.
func secured(t *testing.T, route handlers.Route) (name string, token bool) {
	t.Helper()
	for _, kind := range []string{"sectors", "bodies", "catalog", "notice-types", "rules", "calendar"} {
		route.Path = strings.Replace(route.Path, "/staff/"+kind, "/staff/{kind}", 1)
	}
	item := mustContract(t).Paths.Find(route.Path)
	if item == nil || item.GetOperation(route.Method) == nil {
		t.Fatalf("%v is not in the document", route)
	}
	security := item.GetOperation(route.Method).Security
	return route.Method + " " + route.Path, security != nil && len(*security) > 0
}

func TestAccess(t *testing.T) {
	w := start(t)
	w.issue(t, "expired", disclosure.Token{Actor: staff["admin"], ExpiresAt: w.Now()})
	revoked := w.issue(t, "revoked", disclosure.Token{Actor: staff["admin"]})
	if err := w.store.RevokeToken(t.Context(), disclosure.System, revoked.ID, w.Now()); err != nil {
		t.Fatal(err)
	}
	w.secrets["unknown"] = "gk_nobody_was_given_this"
	seen := map[string]bool{}
	fill := strings.NewReplacer("{id}", "01900000-0000-7000-8000-000000000000", "{rev}", "1", "{sha256}", strings.Repeat("0", 64), "{code}", "E1", "{file}", "x", "{pairing_code}", "000000")
	rows := w.rows(t)
	for _, route := range w.edge.Routes() {
		name, token := secured(t, route)
		path := fill.Replace(route.Path)
		allowed, known := access[name]
		seen[name] = true
		if token != known {
			t.Errorf("%s: the document asks for a token: %v; the table of access has it: %v", name, token, known)
		}
		if !known {
			device := strings.HasPrefix(route.Path, "/api/v1/kiosk/") // it has a token of its own, in a cookie
			if r := w.call(t, route.Method, path, opts{want: anyStatus}); (r.status == 401 || r.status == 403) && !device {
				t.Errorf("%s is public, and answers %d", name, r.status)
			}
			continue
		}
		for who, code := range map[string]string{"": "auth.missing", "unknown": "auth.invalid", "expired": "auth.invalid", "revoked": "auth.invalid"} {
			r := w.call(t, route.Method, path, opts{as: who, want: 401})
			if r.text("code") != code || r.header.Get("WWW-Authenticate") != "Bearer" || r.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s by %q = %s %v", name, who, r.body, r.header)
			}
		}
		for initial, who := range initials {
			r := w.call(t, route.Method, path, opts{as: who, want: anyStatus})
			if got := r.status != 403; got != strings.Contains(allowed, string(initial)) {
				t.Errorf("%s by the %s = %d", name, who, r.status)
			}
			if r.status == 403 && r.text("code") != "auth.role" {
				t.Errorf("%s by the %s = %s", name, who, r.body)
			}
		}
	}
	rows["kiosk"]++ // anybody may begin a pairing
	w.unchanged(t, rows, "asking every route for what is not there")
	for name := range maps.Keys(access) {
		if !seen[name] {
			t.Errorf("%s is in the table of access, and no route", name)
		}
	}
}

// A token of one body reads and writes the notices of that body.
func TestScope(t *testing.T) {
	w := start(t)
	const own = "housing-construction-bureau"
	foreign, mine := w.draft(t, tender, "别家的公告"), w.draft(t, tender, "自家的公告", object{"body": own})
	draft := w.create(t, foreign).text("id")
	waiting := w.create(t, foreign).text("id")
	w.step(t, "editor", waiting, "submit", nil)
	public := w.publish(t, foreign).text("id")
	const reason = "理由"
	rows := w.rows(t)
	for _, tt := range []struct {
		method, path, who string
		body              any
	}{
		{"GET", "/" + draft, "housing-editor", nil},
		{"GET", "/" + draft + "/preview", "housing-editor", nil},
		{"GET", "/" + draft + "/attachments/" + strings.Repeat("0", 64), "housing-editor", nil},
		{"GET", "/" + public, "housing-reviewer", nil},
		{"PUT", "/" + draft, "housing-editor", mine},
		{"DELETE", "/" + draft, "housing-editor", nil},
		{"POST", "", "housing-editor", foreign},
		{"POST", "/" + draft + "/submit", "housing-editor", nil},
		{"POST", "/" + waiting + "/reject", "housing-reviewer", object{"comment": reason}},
		{"POST", "/" + waiting + "/publish", "housing-reviewer", nil},
		{"POST", "/" + public + "/correct", "housing-editor", object{"changes": object{"title": "新"}, "reason": reason}},
		{"POST", "/" + public + "/terminate", "housing-editor", object{"reason": reason}},
		{"POST", "/" + public + "/withdraw", "housing-reviewer", object{"reason": reason}},
		{"POST", "/" + public + "/withdraw", "housing-reviewer", object{"reason": reason, "erase": true}},
	} {
		r := w.call(t, tt.method, staffNotices+tt.path, opts{as: tt.who, body: tt.body, want: 403})
		if r.text("code") != "auth.scope" || r.holds("别家的公告") {
			t.Errorf("%s %s by %s = %s", tt.method, tt.path, tt.who, r.body)
		}
	}
	w.unchanged(t, rows, "a token of another body")
	if list := w.call(t, "GET", staffNotices, opts{as: "housing-editor"}); list.number("total") != 0 {
		t.Errorf("the list shows other bodies: %s", list.body)
	}

	id := w.call(t, "POST", staffNotices, opts{as: "housing-editor", body: mine, want: 201}).text("id")
	w.call(t, "PUT", staffNotices+"/"+id, opts{as: "housing-editor", body: foreign, want: 403})
	// A correction of another body's notice is refused, though it is one's own.
	amends := change(mine, "relations", []any{object{"type": "corrects", "id": public}})
	amends["type"], amends["fields"], amends["changes"] = "construction.correction", object{}, object{"title": "新"}
	if r := w.call(t, "POST", staffNotices, opts{as: "housing-editor", body: amends, want: anyStatus}); r.text("code") != "auth.scope" {
		t.Errorf("a correction of another body's notice: %s", r.body)
	}
	w.step(t, "housing-editor", id, "submit", nil)
	w.step(t, "housing-reviewer", id, "publish", nil)
	if list := w.call(t, "GET", staffNotices, opts{as: "housing-editor"}); !slices.Equal(list.texts("items", "id"), []string{id}) {
		t.Errorf("the list of one's own: %s", list.body)
	}
	// The public reads both.
	if got := w.get(t, "/api/v1/notices").number("total"); got != 2 {
		t.Errorf("the public reads %d", got)
	}
}

// A token ends at its instant and when it is revoked, at once.
func TestTokensEnd(t *testing.T) {
	w := start(t)
	limited := w.issue(t, "limited", disclosure.Token{Actor: staff["auditor"], ExpiresAt: w.Now().Add(time.Hour)})
	ask := func() int { return w.call(t, "GET", staffNotices, opts{as: "limited", want: anyStatus}).status }
	if got := ask(); got != 200 {
		t.Fatalf("a new token = %d", got)
	}
	w.advance(time.Hour - time.Millisecond)
	if got := ask(); got != 200 {
		t.Errorf("a token a millisecond before its end = %d", got)
	}
	w.advance(time.Millisecond)
	if got := ask(); got != 401 {
		t.Errorf("a token at its end = %d", got)
	}
	again := w.issue(t, "limited", disclosure.Token{Actor: limited.Actor})
	if got := ask(); got != 200 {
		t.Fatalf("a renewed token = %d", got)
	}
	if err := w.store.RevokeToken(t.Context(), storetest.Admin, again.ID, w.Now()); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != 401 {
		t.Errorf("a revoked token = %d", got)
	}
	for name, header := range map[string]string{
		"another scheme": "Basic " + w.secrets["admin"], "no scheme": w.secrets["admin"], "no token": "Bearer ", "two tokens": "Bearer " + w.secrets["admin"] + " " + w.secrets["editor"],
		"a longer one": "Bearer " + w.secrets["admin"] + "x", "a shorter one": "Bearer " + w.secrets["admin"][:20], "far too long": "Bearer " + strings.Repeat("x", 5000),
	} {
		if r := w.call(t, "GET", staffNotices, opts{header: map[string]string{"Authorization": header}, want: 401}); r.text("code") != "auth.invalid" {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	// The scheme's name is written in any case (RFC 9110 11.1).
	w.call(t, "GET", staffNotices, opts{header: map[string]string{"Authorization": "bearer " + w.secrets["admin"]}, want: 200})
}

// Staff routes can be served on a listener of their own, and then nowhere else.
func TestSeparateStaffListener(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.SeparateStaff = true })
	for _, route := range w.edge.Routes() {
		if strings.HasPrefix(route.Path, "/api/v1/staff") {
			t.Errorf("%v is on the public listener", route)
		}
	}
	if r := w.call(t, "GET", staffNotices, opts{as: "admin", want: 404}); r.text("code") != "route.not_found" {
		t.Errorf("a staff route on the public listener: %s", r.body)
	}
}
