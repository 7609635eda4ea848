package push

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"gongkai/internal/disclosure"
)

// The vectors of WeChat's own documentation (消息推送).
const (
	goldenToken = "AAAAA"
	goldenApp   = "wxba5fad812f8e6fb9"
	goldenReply = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
	goldenBody  = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+" +
		"tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)

var goldenKey = strings.Repeat("A", 43)

// golden is the account of WeChat's documentation, at the hour of a vector.
func golden(t *testing.T, mode MessageMode, at int64) (*WeChat, *account) {
	t.Helper()
	w := newAdapter(t, "http://127.0.0.1:1", &memoryTokens{}, func(a *WeChatApp) {
		a.AppID, a.Token, a.AESKey, a.Mode = goldenApp, goldenToken, goldenKey, mode
	})
	w.now = func() time.Time { return time.Unix(at, 0) }
	return w, w.apps["official"]
}

// TestGoldenVectors holds the callback's crypto to WeChat's documentation.
func TestGoldenVectors(t *testing.T) {
	w, _ := golden(t, ModeSafe, 1714036504)
	echo, err := w.Verify(disclosure.WeChatCallback{App: "official", Query: map[string]string{"signature": "f464b24fc39322e44b38aa78f5edd27bd1441696", "timestamp": "1714036504",
		"nonce": "1514711492", "echostr": "4375120948345356249"}})
	if err != nil || echo != "4375120948345356249" {
		t.Errorf("Verify = %q, %v", echo, err)
	}
	w, a := golden(t, ModePlain, 1714037059)
	if _, err := w.open(a, disclosure.WeChatCallback{Query: map[string]string{"signature": "899cf89e464efb63f54ddac96b0a0a235f53aa78", "timestamp": "1714037059", "nonce": "486452656"},
		Body: []byte(`{"MsgType":"event"}`)}); err != nil {
		t.Errorf("plain: %v", err)
	}
	w, a = golden(t, ModeSafe, 1714112445)
	o, err := w.open(a, disclosure.WeChatCallback{Query: map[string]string{"encrypt_type": "aes", "msg_signature": "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
		"timestamp": "1714112445", "nonce": "415670741"}, Body: []byte(`{"ToUserName":"gh_97417a04a28d","Encrypt":"` + goldenBody + `"}`)})
	if err != nil || !strings.Contains(string(o.message), `"Event":"debug_demo"`) {
		t.Fatalf("safe: %s, %v", o.message, err)
	}
	m, err := o.parse()
	if err != nil || m.Event != "debug_demo" || m.Created != "1714112445" {
		t.Errorf("parse = %+v, %v", m, err)
	}
	sealed, err := a.sealWith(o, []byte(`{"demo_resp":"good luck"}`), []byte("707722b803182950"), "1713424427", "415670741")
	var reply struct{ Encrypt, MsgSignature string }
	if err != nil || json.Unmarshal(sealed, &reply) != nil || reply.Encrypt != goldenReply || reply.MsgSignature != "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1" {
		t.Errorf("seal = %s, %v", sealed, err)
	}
}

// seal makes a callback as WeChat does, with the library's own encryption.
func sealCallback(t *testing.T, a *account, key, body string, at int64, nonce string) disclosure.WeChatCallback {
	t.Helper()
	sealed, err := util.EncryptMsg([]byte("0123456789abcdef"), []byte(body), a.AppID, key)
	if err != nil {
		t.Fatal(err)
	}
	stamp := fmt.Sprint(at)
	return disclosure.WeChatCallback{App: a.Name, Query: map[string]string{"encrypt_type": "aes", "timestamp": stamp, "nonce": nonce,
		"signature": util.Signature(a.Token, stamp, nonce), "msg_signature": util.Signature(a.Token, stamp, nonce, string(sealed))},
		Body: []byte("<xml><Encrypt><![CDATA[" + string(sealed) + "]]></Encrypt></xml>")}
}

// TestForgedCallbacks: what WeChat did not send in the configured mode is
// refused, whatever the request says of itself (defects 2, 3 and 6).
func TestForgedCallbacks(t *testing.T) {
	const at = 1714112445
	w, a := golden(t, ModeSafe, at)
	a.PreviousAESKey = strings.Repeat("C", 42) + "A"
	unsubscribe := `<xml><ToUserName>gh</ToUserName><FromUserName>VICTIM</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>unsubscribe</Event></xml>`
	good := func() disclosure.WeChatCallback { return sealCallback(t, a, a.AESKey, unsubscribe, at, "n1") }
	change := func(f func(*disclosure.WeChatCallback)) disclosure.WeChatCallback {
		c := good()
		f(&c)
		return c
	}
	for _, tt := range []struct {
		name string
		c    disclosure.WeChatCallback
		ok   bool
	}{
		{"as it should be", good(), true},
		{"by the previous key", sealCallback(t, a, a.PreviousAESKey, unsubscribe, at, "n1"), true},
		{"five minutes old", sealCallback(t, a, a.AESKey, unsubscribe, at-299, "n1"), true},
		{"by an unknown key", sealCallback(t, a, strings.Repeat("D", 42)+"A", unsubscribe, at, "n1"), false},
		{"downgraded to plain text under a leaked signature", change(func(c *disclosure.WeChatCallback) { delete(c.Query, "encrypt_type"); c.Body = []byte(unsubscribe) }), false},
		{"plain text that says it is encrypted", change(func(c *disclosure.WeChatCallback) { c.Body = []byte(unsubscribe) }), false},
		{"a wrong msg_signature", change(func(c *disclosure.WeChatCallback) { c.Query["msg_signature"] = "WRONG" }), false},
		{"the plain signature in place of it", change(func(c *disclosure.WeChatCallback) { c.Query["msg_signature"] = c.Query["signature"] }), false},
		{"another's ciphertext", change(func(c *disclosure.WeChatCallback) {
			c.Body = []byte("<xml><Encrypt>" + goldenBody + "</Encrypt></xml>")
		}), false},
		{"another app's message", change(func(c *disclosure.WeChatCallback) {
			b := *a
			b.AppID = "wxother"
			*c = sealCallback(t, &b, a.AESKey, unsubscribe, at, "n1")
		}), false},
		{"old", sealCallback(t, a, a.AESKey, unsubscribe, at-301, "n1"), false},
		{"from the future", sealCallback(t, a, a.AESKey, unsubscribe, at+301, "n1"), false},
		{"of 2038, now", sealCallback(t, a, a.AESKey, unsubscribe, 2147483648, "n1"), false},
		{"no timestamp", change(func(c *disclosure.WeChatCallback) { c.Query["timestamp"] = "" }), false},
		{"a negative timestamp", change(func(c *disclosure.WeChatCallback) { c.Query["timestamp"] = "-1" }), false},
		{"no nonce", change(func(c *disclosure.WeChatCallback) { c.Query["nonce"] = "" }), false},
		{"empty", change(func(c *disclosure.WeChatCallback) { c.Body = nil }), false},
		{"oversized", change(func(c *disclosure.WeChatCallback) { c.Body = append(c.Body, make([]byte, maxCallback)...) }), false},
		{"not UTF-8", change(func(c *disclosure.WeChatCallback) { c.Body = []byte{0xff, 0xfe} }), false},
		{"an entity bomb", change(func(c *disclosure.WeChatCallback) {
			c.Body = []byte(`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>`)
		}), false},
		{"deep", change(func(c *disclosure.WeChatCallback) { c.Body = []byte(strings.Repeat("<a>", 15_000)) }), false},
	} {
		o, err := w.open(a, tt.c)
		if err == nil {
			_, err = o.parse()
		}
		if (err == nil) != tt.ok {
			t.Errorf("%s: accepted = %v, want %v (%v)", tt.name, err == nil, tt.ok, err)
		}
	}
	w.now = func() time.Time { return time.Unix(2147483700, 0) }
	if _, err := w.open(a, sealCallback(t, a, a.AESKey, unsubscribe, 2147483648, "n1")); err != nil {
		t.Errorf("of 2038, in 2038: %v", err)
	}
	w, a = golden(t, ModePlain, at)
	if _, err := w.open(a, sealCallback(t, a, goldenKey, unsubscribe, at, "n1")); err == nil {
		t.Error("an encrypted message in plain mode is accepted")
	}
}

// TestConfigurationThatLetsAnybodyIn is refused (defect 6: an empty token
// accepts anyone).
func TestConfigurationThatLetsAnybodyIn(t *testing.T) {
	base := WeChatApp{Name: "official", Kind: disclosure.AppOfficial, AppID: "wx1", Secret: "s", Token: "t", AESKey: goldenKey, Mode: ModeSafe}
	for _, tt := range []struct {
		name string
		f    func(*WeChatApp)
		ok   bool
	}{
		{"complete", func(*WeChatApp) {}, true},
		{"no token", func(a *WeChatApp) { a.Token = "" }, false},
		{"no secret", func(a *WeChatApp) { a.Secret = "" }, false},
		{"no key in safe mode", func(a *WeChatApp) { a.AESKey = "" }, false},
		{"a short key", func(a *WeChatApp) { a.AESKey = "short" }, false},
		{"a key that opens nothing", func(a *WeChatApp) { a.AESKey = strings.Repeat("*", 43) }, false},
		{"a previous key with a line end", func(a *WeChatApp) { a.PreviousAESKey = goldenKey[:42] + "\n" }, false},
		{"an unknown mode", func(a *WeChatApp) { a.Mode = "" }, false},
		{"plain without a key", func(a *WeChatApp) { a.Mode, a.AESKey = ModePlain, "" }, true},
	} {
		app := base
		tt.f(&app)
		w, err := NewWeChat(WeChatConfig{APIURL: "http://127.0.0.1:1", Apps: []WeChatApp{app}}, &memoryTokens{}, slog.New(slog.DiscardHandler), time.Now)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err == nil {
			_ = w.Close()
		}
	}
}

// TestMessageForms: lists of one and of many, numbers as strings and the other
// way round, in XML and in JSON (defects 4 and 5).
func TestMessageForms(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       string
	}{
		{"XML with two templates", `<xml><FromUserName>o1</FromUserName><MsgType>event</MsgType><Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent>
			<List><TemplateId>T1</TemplateId><SubscribeStatusString>accept</SubscribeStatusString><PopupScene>2</PopupScene></List>
			<List><TemplateId>T2</TemplateId><SubscribeStatusString>reject</SubscribeStatusString></List></SubscribeMsgPopupEvent></xml>`, "o1 subscribe_msg_popup_event T1=accept T2=reject"},
		{"JSON with one template", `{"FromUserName":"o1","CreateTime":"1620963428","MsgType":"event","Event":"subscribe_msg_popup_event","List":{"TemplateId":"T1","SubscribeStatusString":"accept","PopupScene":"0"}}`,
			"o1 subscribe_msg_popup_event T1=accept"},
		{"JSON with two", `{"FromUserName":"o1","CreateTime":1620963428,"MsgType":"event","Event":"subscribe_msg_change_event","List":[{"TemplateId":"T1","SubscribeStatusString":"reject"},{"TemplateId":"T2","SubscribeStatusString":"reject"}]}`,
			"o1 subscribe_msg_change_event T1=reject T2=reject"},
		{"XML sent", `<xml><FromUserName>o1</FromUserName><MsgType>event</MsgType><Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List><TemplateId>T1</TemplateId><MsgID>9</MsgID><ErrorCode>0</ErrorCode></List></SubscribeMsgSentEvent></xml>`,
			"o1 subscribe_msg_sent_event T1="},
		{"a job that is done", `<xml><FromUserName>o1</FromUserName><MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>3557254367693750277</MsgID><Status>failed: system failed</Status></xml>`,
			"o1 templatesendjobfinish 3557254367693750277"},
		{"JSON with an id that is no number", `{"FromUserName":"o1","MsgType":"text","Content":"退订","MsgId":"49d72d_1555684067"}`, "o1  退订 49d72d_1555684067"},
	} {
		m, err := opened{message: []byte(tt.body), isJSON: tt.body[0] == '{'}.parse()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := string(m.From) + " " + string(m.Event)
		for _, i := range m.items() {
			got += " " + string(i.Template) + "=" + string(i.Status)
		}
		for _, extra := range []text{m.JobID, m.Content, m.MsgID} {
			if extra != "" {
				got += " " + string(extra)
			}
		}
		if got != tt.want {
			t.Errorf("%s = %q, want %q", tt.name, got, tt.want)
		}
	}
	for _, body := range []string{"", "{", "<xml>", "<xml></xml>", "{}", `{"MsgType":["x"]}`, `{"MsgType":{"a":1}}`, "null", "[]"} {
		if m, err := (opened{message: []byte(body), isJSON: strings.HasPrefix(body, "{")}).parse(); err == nil {
			t.Errorf("parse(%q) = %+v", body, m)
		}
	}
}

// FuzzCallback: no body makes the parser fail otherwise than by an error.
func FuzzCallback(f *testing.F) {
	f.Add([]byte(`<xml><MsgType>text</MsgType></xml>`), false)
	f.Add([]byte(`{"MsgType":"event","List":[{"TemplateId":1}]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, isJSON bool) {
		o := opened{message: body, isJSON: isJSON}
		if m, err := o.parse(); err == nil {
			_ = o.identity("wx", m)
			_ = ownName(body, isJSON)
		}
		_, _ = encrypted(body, isJSON)
	})
}

// TestReplies are unencrypted and bare when there is nothing to say, and sealed
// with the key that opened the message otherwise (defect 6).
func TestReplies(t *testing.T) {
	w, a := golden(t, ModeSafe, 1714112445)
	o := opened{key: goldenKey, nonce: "42"}
	bare, err := w.reply(a, o, &inbound{From: "o1"}, "gh", "")
	if err != nil || string(bare.Body) != "success" {
		t.Errorf("nothing to say: %q, %v", bare.Body, err)
	}
	said, err := w.reply(a, o, &inbound{From: "o1"}, "gh", "已订阅 <土地>")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := encrypted(said.Body, false)
	if err != nil {
		t.Fatal(err)
	}
	_, plain, err := util.DecryptMsg(goldenApp, sealed, goldenKey)
	var m struct{ ToUserName, FromUserName, Content, MsgType string }
	if err != nil || xml.Unmarshal(plain, &m) != nil || m.ToUserName != "o1" || m.FromUserName != "gh" || m.Content != "已订阅 <土地>" || m.MsgType != "text" {
		t.Errorf("reply = %s, %v", plain, err)
	}
}
