package wechatsim

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPeopleAreTheSameAfterARestart(t *testing.T) {
	a, b := start(t), start(t)
	one := a.json("POST", "/demo/sim/people", object{"name": " 孙师傅 "})
	two := b.json("POST", "/demo/sim/people", object{"name": "孙师傅"})
	for _, key := range []string{"id", "name", "official_openid", "mini_openid", "unionid"} {
		if one[key] != two[key] || one[key] == "" || one[key] == nil {
			t.Errorf("%s: %v and %v", key, one[key], two[key])
		}
	}
	if one["name"] != "孙师傅" || one["official_openid"] == one["mini_openid"] {
		t.Errorf("person %v", one)
	}
	if status, _ := a.do("POST", "/demo/sim/people", `{"name":"孙师傅"}`); status != 201 {
		t.Errorf("status %d, want 201", status)
	}
	for _, name := range []string{"", "  ", strings.Repeat("长", 21)} {
		b, _ := json.Marshal(object{"name": name})
		if status, text := a.do("POST", "/demo/sim/people", string(b)); status != 422 || !strings.Contains(text, "姓名") {
			t.Errorf("name %q: %d %s", name, status, text)
		}
	}
}

func TestActionsThatMakeNoSense(t *testing.T) {
	w := start(t)
	for _, tt := range []struct {
		path, body string
		status     int
	}{
		{"p9/follow", "", 404},
		{"p1/fly", "", 404},
		{"p1/follow", `{"app":"nobody"}`, 404},
		{"p1/follow", `{"app":"mini"}`, 422},
		{"p1/follow", `{`, 400},
		{"p1/say", `{"text":"在吗"}`, 422},
		{"p1/say", `{"text":""}`, 422},
		{"p1/mute", ``, 422},
		{"p1/scan", ``, 422},
		{"p1/accept", `{"template":"nope"}`, 404},
		{"p1/accept", `{"template":"` + w.template("official", ByFollowing) + `"}`, 422},
		{"p1/click", `{"key":"x"}`, 422},
		{"p1/enter", ``, 422},
		{"p1/login", `{"scope":"all"}`, 422},
	} {
		if status, text := w.do("POST", "/demo/sim/people/"+tt.path, tt.body); status != tt.status {
			t.Errorf("%s %s: %d %s, want %d", tt.path, tt.body, status, text, tt.status)
		}
	}
	for _, path := range []string{"/demo/nothing", "/demo/sim/sent?person=p9", "/demo/sim/people/p9"} {
		if status, _ := w.do("GET", path, ""); status != 404 {
			t.Errorf("%s: %d, want 404", path, status)
		}
	}
}

// A scanned code leads a stranger to follow, and tells of a follower.
func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(official, _ *Account) { official.Mode = Plain })
		made := w.call("official", "/cgi-bin/qrcode/create", object{"expire_seconds": 600, "action_name": "QR_STR_SCENE", "action_info": object{"scene": object{"scene_str": "s:land:k03"}}})
		if !strings.HasPrefix(made["url"].(string), "http://weixin.qq.com/q/") {
			t.Fatalf("qrcode: %v", made)
		}
		w.act("p1", "scan", object{"scene": made["url"]})
		w.act("p1", "scan", object{"scene": "s:land:k03"})
		posts := w.received()
		for i, want := range []string{"<Event><![CDATA[subscribe]]></Event><EventKey><![CDATA[qrscene_s:land:k03]]></EventKey><Ticket><![CDATA[" + made["ticket"].(string),
			"<Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[s:land:k03]]></EventKey>"} {
			if !strings.Contains(posts[i].body, want) {
				t.Errorf("callback %d lacks %s: %s", i, want, posts[i].body)
			}
		}
		user := w.call("official", "/cgi-bin/user/info?openid="+w.openID("official", "p1"), nil)
		if user["subscribe_scene"] != "ADD_SCENE_QR_CODE" || user["qr_scene_str"] != "s:land:k03" || user["unionid"] != w.byID["p1"].unionID {
			t.Errorf("user/info: %v", user)
		}
		time.Sleep(600 * time.Second)
		if status, text := w.do("POST", "/demo/sim/people/p2/scan", `{"scene":"s:land:k03"}`); status != 410 {
			t.Errorf("an expired code: %d %s", status, text)
		}
		if status, _ := w.do("GET", "/cgi-bin/showqrcode?ticket="+made["ticket"].(string), ""); status != 200 {
			t.Errorf("showqrcode: %d", status)
		}
		for _, bad := range []string{`{"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":""}}}`, `{"action_name":"QR_X"}`,
			`{"action_name":"QR_LIMIT_SCENE","action_info":{"scene":{"scene_id":100001}}}`, `{"expire_seconds":2592001,"action_name":"QR_SCENE","action_info":{"scene":{"scene_id":1}}}`} {
			if out := w.json("POST", "/cgi-bin/qrcode/create?access_token="+w.token("official"), bad); code(out) != 40053 && code(out) != 40129 {
				t.Errorf("%s: %v", bad, out)
			}
		}
	})
}

func TestConsentEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		long := w.template("mini", LongTerm)
		other := w.mini().Templates[1].ID
		w.act("p1", "accept", object{"templates": []string{long}, "refused": []string{other}})
		w.act("p1", "reject", object{"template": long})
		posts := w.received()
		if len(posts) != 2 {
			t.Fatalf("%d callbacks, want 2", len(posts))
		}
		if text := w.open(posts[0]); !strings.Contains(text, `"Event":"subscribe_msg_popup_event","List":[{"TemplateId":"`+long+`","SubscribeStatusString":"accept","PopupScene":"0"},{"TemplateId":"`+other+`","SubscribeStatusString":"reject"`) {
			t.Errorf("popup: %s", text)
		}
		if text := w.open(posts[1]); !strings.Contains(text, `"Event":"subscribe_msg_change_event","List":{"TemplateId":"`+long+`","SubscribeStatusString":"reject"}`) {
			t.Errorf("change: %s", text)
		}
		w.act("p2", "accept", nil)
		if n := len(w.received()); n != 2+4 {
			t.Errorf("accepting everything makes %d dialogs, want one per account and type", n-2)
		}
	})
}

func TestMenu(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, func(official, _ *Account) { official.Mode = Plain })
		menu := object{"button": []object{{"type": "click", "name": "最新", "key": "latest"}, {"name": "更多", "sub_button": []object{{"type": "view", "name": "网页", "url": "https://example.cn/"}}}}}
		if out := w.call("official", "/cgi-bin/menu/create", menu); code(out) != 0 {
			t.Fatal(out)
		}
		w.act("p1", "follow", nil)
		w.act("p1", "click", object{"key": "latest"})
		w.act("p1", "click", object{"key": "https://example.cn/"})
		posts := w.received()
		if !strings.Contains(posts[1].body, "<Event><![CDATA[CLICK]]></Event><EventKey><![CDATA[latest]]>") || !strings.Contains(posts[2].body, "<Event><![CDATA[VIEW]]></Event><EventKey><![CDATA[https://example.cn/]]>") {
			t.Errorf("callbacks %s %s", posts[1].body, posts[2].body)
		}
		long := strings.Repeat("名", 6)
		for _, tt := range []struct {
			buttons string
			code    int
		}{
			{`[]`, 40016}, {`[{"name":"` + long + `","type":"click","key":"k"}]`, 40018}, {`[{"name":"a","type":"click"}]`, 40019}, {`[{"name":"a","type":"view","url":"javascript:1"}]`, 40020},
			{`[{"name":"a","type":"x"}]`, 40017}, {`[{"name":"a","sub_button":[{},{},{},{},{},{}]}]`, 40023}, {`[{"name":"a","sub_button":[{"name":""}]}]`, 40025},
		} {
			if out := w.json("POST", "/cgi-bin/menu/create?access_token="+w.token("official"), `{"button":`+tt.buttons+`}`); code(out) != tt.code {
				t.Errorf("%s: %v, want %d", tt.buttons, out, tt.code)
			}
		}
		w.call("official", "/cgi-bin/menu/delete", nil)
		if out := w.call("official", "/cgi-bin/menu/get", nil); code(out) != 46003 {
			t.Errorf("no menu: %v", out)
		}
	})
}

// Time goes forward only, and takes everything with it.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		token := w.token("official")
		for _, body := range []string{`{}`, `{"advance":"-1h"}`, `{"advance":"tomorrow"}`, `{"at":"1999-01-01T00:00:00Z"}`, `{"at":"x"}`, `{"by":"1h"}`, `{"advance":"1000000h"}`} {
			if status, text := w.do("POST", "/demo/sim/clock", body); status != 422 && status != 400 {
				t.Errorf("%s: %d %s", body, status, text)
			}
		}
		before := w.Now()
		w.json("POST", "/demo/sim/faults", object{"kind": "delay", "seconds": 3000})
		moved := make(chan object)
		go func() { moved <- w.act("p1", "follow", nil) }()
		synctest.Wait()
		w.json("POST", "/demo/sim/clock", object{"advance": "2h"})
		if got := w.Now().Sub(before); got != 2*time.Hour {
			t.Errorf("the clock has moved by %s", got)
		}
		if outcome := (<-moved)["callbacks"].([]any)[0].(object)["outcome"]; outcome != "ok" {
			t.Errorf("the delayed callback: %v", outcome)
		}
		if out := w.json("GET", "/cgi-bin/user/get?access_token="+token, nil); code(out) != 42001 {
			t.Errorf("the token after two hours: %v", out)
		}
		if _, offset := w.Now().Zone(); offset != 8*60*60 {
			t.Errorf("the zone is %d seconds east", offset)
		}
	})
}

func TestSetUpThatWeChatWouldRefuse(t *testing.T) {
	for name, wreck := range map[string]func(*Account){
		"name": func(a *Account) { a.App = "A b" }, "appid": func(a *Account) { a.AppID = "wx1" }, "kind": func(a *Account) { a.Kind = "x" }, "mode": func(a *Account) { a.Mode = "x" },
		"format": func(a *Account) { a.Format = "x" }, "secret": func(a *Account) { a.Secret = "" }, "token": func(a *Account) { a.Token = "" }, "key": func(a *Account) { a.AESKey = "x" },
		"no key": func(a *Account) { a.AESKey = "" }, "template": func(a *Account) { a.Templates[0].ID = "x" }, "keyword": func(a *Account) { a.Templates[0].Keywords[0].Key = "first" },
		"keywords": func(a *Account) { a.Templates[0].Keywords = nil }, "twice": func(a *Account) { a.App = "mini" },
	} {
		accounts := Demo("http://x.test")
		wreck(&accounts[0])
		if _, err := New(Options{Now: time.Now, Accounts: accounts}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := New(Options{}); err == nil {
		t.Error("nothing at all: no error")
	}
}

// The page carries what the phone shows, safe against what people write.
func TestPhone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		w.act("p1", "say", object{"text": `</script><img src=x onerror=alert(1)>`})
		w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, nil))
		w.act("p2", "accept", object{"template": w.template("official", LongTerm)})
		w.call("official", pathBizSend, w.message("official", "p2", LongTerm, nil))
		status, page := w.do("GET", "/demo/phone?person=p1", "")
		if status != 200 || !strings.Contains(page, "盐东镇道路改造工程招标公告") || strings.Contains(page, "<img") || strings.Count(page, "</script>") != 2 {
			t.Errorf("%d %s", status, page)
		}
		view := w.json("GET", "/demo/sim/phone?person=p2", nil)
		card := view["conversations"].([]any)[0].(object)["bubbles"].([]any)[0].(object)
		if card["service"] != true || card["title"] != "政务信息公开通知" {
			t.Errorf("a card to who does not follow stands in 服务通知: %v", card)
		}
		version := view["version"].(json.Number).String()
		if same := w.json("GET", "/demo/sim/phone?person=p2&version="+version, nil); same["unchanged"] != true {
			t.Errorf("nothing has changed: %v", same)
		}
		w.act("p2", "follow", nil)
		if next := w.json("GET", "/demo/sim/phone?person=p2&version="+version, nil); next["unchanged"] != false {
			t.Error("a change is not told")
		}
		for path, want := range map[string]int{"/demo/phone/phone.js": 200, "/demo/phone/phone.css": 200, "/demo/phone/phone.html": 404, "/demo/phone?person=p9": 404} {
			if status, _ := w.do("GET", path, ""); status != want {
				t.Errorf("%s: %d, want %d", path, status, want)
			}
		}
	})
}

func TestRid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		out := w.call("official", pathTemplate, object{"touser": "x"})
		_, rid, _ := strings.Cut(out["errmsg"].(string), "rid: ")
		asked := w.call("official", "/cgi-bin/openapi/rid/get", object{"rid": rid})
		request, _ := asked["request"].(object)
		if request["request_body"] != `{"touser":"x"}` || request["request_url"] != pathTemplate {
			t.Errorf("rid/get: %v", asked)
		}
	})
}
