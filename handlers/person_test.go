package handlers_test

import (
	"encoding/json"
	"strings"
	"testing"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// cards is an audience with an account of each kind, the mini-program with a
// template of its own.
func cards(c *handlers.Config) {
	c.Audience = &push.Audience{Apps: map[string]string{"official": "wx0", "mini": "wx1"}, Templates: []disclosure.CardTemplate{
		{App: "wx0", Kind: disclosure.AppOfficial, Channel: disclosure.ChannelTemplate, ID: "T0"},
		{App: "wx1", Kind: disclosure.AppMini, Channel: disclosure.ChannelMini, ID: "T1"},
		{App: "wx1", Kind: disclosure.AppMini, Channel: disclosure.ChannelMini, ID: "T2"},
	}}
}

// signIn gives the world a person's token under the name "person".
func (w *world) signIn(t *testing.T) disclosure.Person {
	t.Helper()
	w.secrets["person"] = "gongkai_p_of-the-test"
	p, err := w.store.SignIn(t.Context(), disclosure.Identity{App: "wx1", Kind: disclosure.AppMini, OpenID: "m1"}, disclosure.PersonToken(w.secrets["person"]), w.Now())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestKillSwitchStopsSomething: a scope is that of calls, whatever name the account
// was given by, and one that stops nothing is refused; turning off always works.
func TestKillSwitchStopsSomething(t *testing.T) {
	w := start(t, cards)
	on := func(scope string, want int, reason string) []disclosure.Switch {
		t.Helper()
		w.call(t, "POST", "/api/v1/staff/push/switches", opts{as: "admin", body: map[string]any{"scope": scope, "on": reason != "", "reason": reason}, want: want})
		st, err := w.store.PushStatus(t.Context(), w.Now())
		if err != nil {
			t.Fatal(err)
		}
		return st.Switches
	}
	for given, known := range map[string]string{"app:official": "app:wx0", "app:wx1": "app:wx1", "template:T1": "template:T1", "channel:template": "channel:template", "global": "global"} {
		if got := on(given, 200, "演练"); len(got) != 1 || got[0].Scope != known {
			t.Errorf("%s: on is %+v, want %s", given, got, known)
		}
		if got := on(given, 200, ""); len(got) != 0 {
			t.Errorf("%s: still on is %+v", given, got)
		}
	}
	for _, given := range []string{"app:nope", "app:", "template:x", "channel:x", "x", ""} {
		if got := on(given, 400, "演练"); len(got) != 0 {
			t.Errorf("%s: on is %+v", given, got)
		}
	}
	on("global", 400, strings.Repeat("长", 201))
	for _, scope := range []string{"app:official", "app:gone", "template:gone"} { // as an older version left them
		if err := w.store.SetSwitch(t.Context(), storetest.Admin, scope, "演练", false, w.Now()); err != nil {
			t.Fatal(err)
		}
		if got := on(scope, 200, ""); len(got) != 0 {
			t.Errorf("%s: still on is %+v", scope, got)
		}
	}
}

// TestConsentHints: a client's hint is about a template of ours and one of WeChat's
// results, adds nothing to what is left, and is kept once for each template.
func TestConsentHints(t *testing.T) {
	w := start(t, cards)
	p := w.signIn(t)
	hint := func(app, template, result string, want int) {
		t.Helper()
		w.call(t, "POST", "/api/v1/me/consents", opts{as: "person", body: map[string]any{"app": app, "template": template, "result": result}, want: want})
	}
	for _, bad := range [][3]string{{"nope", "T1", "accept"}, {"", "T1", "accept"}, {"mini", "T0", "accept"}, {"mini", "", "accept"}, {"mini", "T1", "yes"}, {"mini", "T1", ""}} {
		hint(bad[0], bad[1], bad[2], 400)
	}
	for range 3 {
		hint("mini", "T1", "accept", 204)
		hint("wx1", "T2", "reject", 204)
	}
	left, ledger, err := w.store.Consents(t.Context(), p.N)
	if err != nil || len(left) != 0 || len(ledger) != 2 || ledger[0].Identity.App != "wx1" || ledger[1].Identity.App != "wx1" {
		t.Errorf("left %+v, ledger %+v, %v", left, ledger, err)
	}
}

// TestShortListsHavePages: what is left of consents and of the day comes in pages
// like any list.
func TestShortListsHavePages(t *testing.T) {
	w := start(t, cards)
	p := w.signIn(t)
	for _, id := range []string{"T1", "T2"} {
		if err := w.store.RecordConsent(t.Context(), p.N, disclosure.Consent{At: w.Now(), Identity: disclosure.Identity{App: "wx1"}, Template: id, Kind: disclosure.ConsentAccept, Delta: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for path, as := range map[string]string{"/api/v1/me/consents": "person", "/api/v1/staff/quota": "auditor"} {
		seen := map[string]bool{}
		for next, pages := "", 0; pages < 2; pages++ {
			r := w.call(t, "GET", path+"?limit=1"+next, opts{as: as})
			var page struct {
				Items       []map[string]any `json:"items"`
				Next        *string          `json:"next"`
				Total       *int             `json:"total"`
				TotalCapped *bool            `json:"total_capped"`
			}
			if err := json.Unmarshal(r.body, &page); err != nil {
				t.Fatal(err)
			}
			if len(page.Items) != 1 || (page.Next == nil) != (pages == 1) || page.Total == nil || *page.Total != 2 || page.TotalCapped == nil || *page.TotalCapped {
				t.Fatalf("%s, page %d: %s", path, pages, r.body)
			}
			item := page.Items[0]
			name, _ := item["app"].(string)
			template, _ := item["template"].(string)
			if seen[name+template] {
				t.Errorf("%s: %v twice", path, item)
			}
			if seen[name+template] = true; page.Next != nil {
				next = "&cursor=" + *page.Next
			}
		}
		w.call(t, "GET", path+"?limit=0", opts{as: as, want: 400})
		w.call(t, "GET", path+"?cursor=foreign", opts{as: as, want: 400})
	}
}

// TestLoginNamesWhatIsMissing: a login without its account or code is told so.
func TestLoginNamesWhatIsMissing(t *testing.T) {
	w := start(t)
	for body, field := range map[string]string{"": "app", "{}": "app", `{"app":"mini"}`: "code", `{"code":"x"}`: "app"} {
		r := w.call(t, "POST", "/api/v1/session", opts{body: body, want: 400})
		if !strings.Contains(string(r.body), `"field":"`+field+`"`) {
			t.Errorf("%q: %s", body, r.body)
		}
	}
}
