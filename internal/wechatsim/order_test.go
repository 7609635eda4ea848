package wechatsim

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// Each row breaks one thing more than the row before it, from the last check to
// the first; the answer is always the check that comes first.
func TestOrderOfChecksOfATemplateMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		m := w.message("official", "p1", ByFollowing, object{"miniprogram": object{"appid": w.mini().AppID, "pagepath": "pages/n?id=1"}})
		token := w.token("official")
		method := "POST"
		body := func() string { b, _ := json.Marshal(m); return string(b) }
		busy := w.byOpenID[w.openID("official", "p1")]
		w.act("p1", "follow", nil)
		for _, step := range []struct {
			name  string
			wreck func()
			code  int
		}{
			{"all is well", func() {}, 0},
			{"the page is none", func() { m["miniprogram"] = object{"pagepath": "http://x"} }, 41030},
			{"another message is on its way", func() { busy.underway = &call{} }, 43108},
			{"a sensitive word", func() { m["data"] = notice(object{"thing5": object{"value": "敏感词测试"}}) }, 45168},
			{"a field is too long", func() {
				m["data"] = notice(object{"thing5": object{"value": "敏感词测试"}, "thing1": object{"value": strings.Repeat("长", 21)}})
			}, 47003},
			{"not followed", func() { w.act("p1", "unfollow", nil) }, 43004},
			{"on the blacklist", func() { busy.blocked = true }, 43019},
			{"the template is banned", func() { w.official().banned[w.template("official", ByFollowing)] = true }, 43116},
			{"no such template", func() { m["template_id"] = "nope" }, 40037},
			{"openid of the other account", func() { m["touser"] = w.openID("mini", "p1") }, 40003},
			{"the day's quota is used up", func() { w.official().limits[pathTemplate] = limit{daily: 1} }, 45009},
			{"the token is old", func() { w.official().revoke() }, 40001},
			{"the token is none", func() { token = "short" }, 40014},
			{"there is no token", func() { token = "" }, 41001},
		} {
			step.wreck()
			out := w.json(method, pathTemplate+"?access_token="+token, body())
			if code(out) != step.code {
				t.Fatalf("%s: %v, want %d", step.name, out, step.code)
			}
			if message, _ := out["errmsg"].(string); step.code != 0 && !strings.Contains(message, " rid: ") {
				t.Errorf("%s: errmsg %q has no rid", step.name, message)
			}
		}
		for _, form := range []struct {
			method, body string
			code         int
		}{{"POST", "{", 47001}, {"POST", "[]", 47001}, {"POST", " ", 44002}, {"GET", "", 43002}} {
			if out := w.json(form.method, pathTemplate, form.body); code(out) != form.code {
				t.Errorf("%s %q: %v, want %d", form.method, form.body, out, form.code)
			}
		}
		if status, _ := w.do("POST", pathTemplate, "{"); status != 200 {
			t.Errorf("an error has status %d, want 200", status)
		}
	})
}

func TestCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		good := object{"grant_type": "client_credential", "appid": w.official().AppID, "secret": w.official().Secret}
		for _, tt := range []struct {
			name    string
			changes object
			code    int
		}{
			{"good", nil, 0},
			{"grant", object{"grant_type": "x"}, 40002},
			{"no appid", object{"appid": ""}, 41002},
			{"no secret", object{"secret": ""}, 41004},
			{"appid", object{"appid": "wx0000000000000000"}, 40013},
			{"secret", object{"secret": "x"}, 40125},
		} {
			in := maps.Clone(good)
			maps.Copy(in, tt.changes)
			if out := w.json("POST", "/cgi-bin/stable_token", in); code(out) != tt.code {
				t.Errorf("stable_token, %s: %v, want %d", tt.name, out, tt.code)
			}
			query := "/cgi-bin/token?"
			for k, v := range in {
				query += k + "=" + v.(string) + "&"
			}
			if out := w.json("GET", query, nil); code(out) != tt.code {
				t.Errorf("token, %s: %v, want %d", tt.name, out, tt.code)
			}
		}
		w.official().AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		out := w.json("POST", "/cgi-bin/stable_token", good)
		if message, _ := out["errmsg"].(string); code(out) != 40164 || !strings.HasPrefix(message, "invalid ip 192.0.2.1 ipv6 ::ffff:192.0.2.1, not in whitelist rid: ") {
			t.Errorf("from elsewhere: %v", out)
		}
		w.official().frozen = true
		if out := w.json("POST", "/cgi-bin/stable_token", good); code(out) != 40243 {
			t.Errorf("frozen: %v", out)
		}
	})
}

func TestCallsOfTheOtherKindOfAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		if out := w.call("mini", pathTemplate, w.message("mini", "p1", OneOff, nil)); code(out) != 45109 {
			t.Errorf("a template message by a mini-program: %v", out)
		}
		if out := w.call("official", pathSubscribe, w.message("official", "p1", OneOff, nil)); code(out) != 48001 {
			t.Errorf("a mini-program's message by an official account: %v", out)
		}
		if out := w.call("official", "/cgi-bin/nothing", nil); code(out) != 40066 {
			t.Errorf("no such call: %v", out)
		}
		if out := w.call("official", "/cgi-bin/message/wxopen/template/uniform_send", object{}); code(out) != 45109 {
			t.Errorf("a withdrawn call: %v", out)
		}
	})
}

// A call is documented by what WeChat calls it, so each must be reachable below
// the mount point too.
func TestMountedBelowAPath(t *testing.T) {
	w := start(t)
	var paths []string
	for path := range w.endpoints {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if out := w.json("POST", mountPoint+path, "{}"); code(out) == 40066 {
			t.Errorf("%s is not there below %s", path, mountPoint)
		}
	}
}
