package wechatsim

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// open checks a callback as a server ought to, and returns what it says.
func (w *world) open(p post) string {
	w.t.Helper()
	text, err := w.tryOpen(p)
	if err != nil {
		w.t.Errorf("%v: %v %s", err, p.query, p.body)
	}
	return text
}

func (w *world) tryOpen(p post) (string, error) {
	a := w.official()
	if strings.HasPrefix(p.mime, "application/json") {
		a = w.mini()
	}
	stamp, nonce := p.query.Get("timestamp"), p.query.Get("nonce")
	if p.query.Get("signature") != signature(a.Token, stamp, nonce) {
		return "", errors.New("signature")
	}
	if a.Mode == Plain {
		return p.body, nil
	}
	var sealed struct {
		ToUserName, Encrypt string
	}
	var err error
	if a.Format == JSON {
		err = json.Unmarshal([]byte(p.body), &sealed)
	} else {
		err = xml.Unmarshal([]byte(p.body), &sealed)
	}
	if err != nil || sealed.ToUserName != a.OriginalID {
		return "", errors.New("envelope")
	}
	if p.query.Get("encrypt_type") != "aes" || p.query.Get("msg_signature") != signature(a.Token, stamp, nonce, sealed.Encrypt) {
		return "", errors.New("msg_signature")
	}
	for _, key := range [][]byte{a.key, a.previousKey} {
		if message, err := decrypt(key, sealed.Encrypt, a.AppID); err == nil {
			return string(message), nil
		}
	}
	return "", errCipher
}

func TestCallbackInEveryModeAndFormat(t *testing.T) {
	for _, mode := range []Mode{Plain, Compat, Safe} {
		for _, format := range []Format{XML, JSON} {
			t.Run(string(mode)+" "+string(format), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := start(t, func(official, _ *Account) {
						official.Mode = mode
						official.Format = format
					})
					if format == JSON { // open tells the accounts apart by their format
						w.mini().AppID, w.mini().Token, w.mini().OriginalID, w.mini().Mode = w.official().AppID, w.official().Token, w.official().OriginalID, mode
						w.mini().key, w.mini().previousKey = w.official().key, w.official().previousKey
					}
					w.act("p1", "follow", object{"scene": "s:land:k03"})
					posts := w.received()
					if len(posts) != 1 {
						t.Fatalf("%d callbacks", len(posts))
					}
					text := w.open(posts[0])
					openID := w.openID("official", "p1")
					want := "<FromUserName><![CDATA[" + openID + "]]></FromUserName>"
					key := "<EventKey><![CDATA[qrscene_s:land:k03]]></EventKey>"
					if format == JSON {
						want, key = `"FromUserName":"`+openID+`"`, `"EventKey":"qrscene_s:land:k03"`
					}
					if !strings.Contains(text, want) || !strings.Contains(text, key) {
						t.Errorf("callback %s lacks %s or %s", text, want, key)
					}
					if open := strings.Contains(posts[0].body, "qrscene_"); open != (mode != Safe) {
						t.Errorf("in the clear: %v", open)
					}
					if posts[0].query.Get("openid") != openID {
						t.Errorf("query %v", posts[0].query)
					}
				})
			})
		}
	}
}

func TestEventsAreWrittenAsWeChatDoes(t *testing.T) {
	two := popupEvent([]decision{{"T1", true}, {"T2", false}})
	one := sentEvent("T1", "3557254367693750277", "")
	for _, tt := range []struct{ name, got, want string }{
		{"lists in XML", string(writeXML(two.elements)), "<xml><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe_msg_popup_event]]></Event><SubscribeMsgPopupEvent>" +
			"<List><TemplateId><![CDATA[T1]]></TemplateId><SubscribeStatusString><![CDATA[accept]]></SubscribeStatusString><PopupScene>0</PopupScene></List>" +
			"<List><TemplateId><![CDATA[T2]]></TemplateId><SubscribeStatusString><![CDATA[reject]]></SubscribeStatusString><PopupScene>0</PopupScene></List></SubscribeMsgPopupEvent></xml>"},
		{"several in JSON", string(writeJSON(two.elements, two.quoted)), `{"MsgType":"event","Event":"subscribe_msg_popup_event","List":[{"TemplateId":"T1","SubscribeStatusString":"accept","PopupScene":"0"},{"TemplateId":"T2","SubscribeStatusString":"reject","PopupScene":"0"}]}`},
		{"one in JSON", string(writeJSON(one.elements, one.quoted)), `{"MsgType":"event","Event":"subscribe_msg_sent_event","List":{"TemplateId":"T1","MsgID":"3557254367693750277","ErrorCode":"0","ErrorStatus":"success"}}`},
		{"a receipt", string(writeXML(finishEvent("200163840", "failed:user block").elements)), "<xml><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>200163840</MsgID><Status><![CDATA[failed:user block]]></Status></xml>"},
		{"the end of a CDATA", string(writeXML([]element{{"Content", "a]]>b"}})), "<xml><Content><![CDATA[a]]]]><![CDATA[>b]]></Content></xml>"},
		{"numbers of a message in JSON", string(writeJSON(messageEvent(7, `"<`).elements, false)), `{"MsgType":"text","Content":"\"<","MsgId":7}`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
	}
}

// Who takes their data back is told of by WeChat's own service, and named in OpenID
// alone.
func TestCancellationIsToldByThePlatform(t *testing.T) {
	w := start(t)
	senders := map[string]bool{}
	for _, person := range []string{"p1", "p2"} {
		w.act(person, "cancel", object{})
		posts := w.received()
		var m struct{ FromUserName, Event, OpenID string }
		if err := xml.Unmarshal([]byte(w.open(posts[len(posts)-1])), &m); err != nil || m.Event != "user_authorization_cancellation" || m.OpenID != w.openID("official", person) {
			t.Errorf("%s: %+v, %v", person, m, err)
		}
		senders[m.FromUserName] = true
	}
	if len(senders) != 1 || senders[w.openID("official", "p1")] {
		t.Errorf("told by %v", senders)
	}
}

// A server that is silent is asked three times in all, five seconds apart, with
// the same bytes; then the person is told.
func TestSilenceIsRetried(t *testing.T) {
	refused := errors.New("connection refused")
	for _, tt := range []struct {
		name     string
		answer   func(n int) (int, string, error)
		attempts []time.Duration
		outcome  string
		seen     string
	}{
		{"hangs", func(int) (int, string, error) { return 0, "", errHang }, []time.Duration{0, 5 * time.Second, 10 * time.Second}, "silent", "该公众号提供的服务出现故障，请稍后再试"},
		{"is not there", func(int) (int, string, error) { return 0, "", refused }, []time.Duration{0, 5 * time.Second, 10 * time.Second}, "silent", "该公众号提供的服务出现故障，请稍后再试"},
		{"comes back", func(n int) (int, string, error) {
			if n == 1 {
				return 502, "", nil
			}
			return 200, "success", nil
		}, []time.Duration{0, 5 * time.Second}, "ok", ""},
		{"refuses", func(int) (int, string, error) { return 403, "no", nil }, []time.Duration{0}, "refused", "该公众号提供的服务出现故障，请稍后再试"},
		{"answers nonsense", func(int) (int, string, error) { return 200, "<html>", nil }, []time.Duration{0}, "invalid", "该公众号提供的服务出现故障，请稍后再试"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, func(official, _ *Account) { official.Mode = Plain })
				w.act("p1", "follow", nil)
				began, n := time.Now(), 0
				w.answers(func(post) (int, string, error) { n++; return tt.answer(n) })
				w.act("p1", "say", object{"text": "在吗"})
				time.Sleep(20 * time.Second)
				synctest.Wait()
				posts := w.received()[1:]
				if len(posts) != len(tt.attempts) {
					t.Fatalf("%d attempts, want %d", len(posts), len(tt.attempts))
				}
				for i, p := range posts {
					if at := p.at.Sub(began); at != tt.attempts[i] {
						t.Errorf("attempt %d after %s, want %s", i+1, at, tt.attempts[i])
					}
					if p.body != posts[0].body || p.query.Encode() != posts[0].query.Encode() {
						t.Errorf("attempt %d has other bytes", i+1)
					}
				}
				callbacks := w.json("GET", "/demo/sim/callbacks", nil)["items"].([]any)
				if got := callbacks[1].(object)["outcome"]; got != tt.outcome {
					t.Errorf("outcome %v, want %s", got, tt.outcome)
				}
				last := w.lastBubble("p1")
				if tt.seen != "" && last.Text != tt.seen || tt.seen == "" && last.From != "person" {
					t.Errorf("the person sees %q", last.Text)
				}
			})
		})
	}
}

func (w *world) lastBubble(person string) *Bubble {
	w.Sim.mu.Lock()
	defer w.Sim.mu.Unlock()
	chat := w.byID[person].standing[w.official()].chat
	if len(chat) == 0 {
		return &Bubble{}
	}
	return chat[len(chat)-1]
}

// passive is a reply as a server writes it.
func (w *world) passive(a *account, person, kind, inner string) string {
	return "<xml><ToUserName><![CDATA[" + w.openID(a.App, person) + "]]></ToUserName><FromUserName><![CDATA[" + a.OriginalID +
		"]]></FromUserName><CreateTime>1</CreateTime><MsgType><![CDATA[" + kind + "]]></MsgType>" + inner + "</xml>"
}

func (w *world) seal(a *account, message string) string {
	sealed, err := encrypt(a.key, make([]byte, 16), []byte(message), a.AppID)
	if err != nil {
		w.t.Fatal(err)
	}
	return "<xml><Encrypt><![CDATA[" + sealed + "]]></Encrypt><MsgSignature><![CDATA[" + signature(a.Token, "1", "2", sealed) +
		"]]></MsgSignature><TimeStamp>1</TimeStamp><Nonce><![CDATA[2]]></Nonce></xml>"
}

func TestPassiveReplies(t *testing.T) {
	const trouble = "该公众号提供的服务出现故障，请稍后再试"
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		a := w.official()
		w.act("p1", "follow", nil)
		text := func(s string) string {
			return w.passive(a, "p1", "text", "<Content><![CDATA["+s+"]]></Content>")
		}
		news := w.passive(a, "p1", "news", "<ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[已订阅]]></Title><Description><![CDATA[土地]]></Description><PicUrl></PicUrl><Url><![CDATA[https://example.cn/]]></Url></item></Articles>")
		for _, tt := range []struct {
			name, answer, kind, seen string
		}{
			{"success", "success", "", ""},
			{"nothing", "", "", ""},
			{"an encrypted text", w.seal(a, text("已订阅")), "text", "已订阅"},
			{"encrypted news", w.seal(a, news), "news", ""},
			{"for customer service", w.seal(a, w.passive(a, "p1", "transfer_customer_service", "")), "", ""},
			{"a text in the clear", text("已订阅"), "text", trouble},
			{"an encrypted empty text", w.seal(a, text("")), "text", trouble},
			{"an encrypted nothing", w.seal(a, ""), "text", trouble},
			{"a wrong signature", strings.Replace(w.seal(a, text("x")), "<TimeStamp>1", "<TimeStamp>3", 1), "text", trouble},
			{"to somebody else", w.seal(a, strings.Replace(text("x"), w.openID("official", "p1"), w.openID("official", "p2"), 1)), "text", trouble},
			{"too long", strings.Repeat(" ", maxReplyBytes+1), "text", trouble},
		} {
			w.answers(func(post) (int, string, error) { return http.StatusOK, tt.answer, nil })
			out := w.act("p1", "say", object{"text": tt.name})
			replies := out["replies"].([]any)
			if tt.kind == "" {
				if len(replies) != 0 {
					t.Errorf("%s: the person sees %v", tt.name, replies)
				}
				continue
			}
			if len(replies) != 1 || replies[0].(object)["kind"] != tt.kind || tt.seen != "" && replies[0].(object)["text"] != tt.seen {
				t.Errorf("%s: the person sees %v, want %s %q", tt.name, replies, tt.kind, tt.seen)
			}
		}
		w.answers(func(post) (int, string, error) { return http.StatusOK, w.seal(a, news), nil })
		article := w.act("p1", "say", object{"text": "x"})["replies"].([]any)[0].(object)["items"].([]any)[0].(object)
		if article["title"] != "已订阅" || article["link"] != "https://example.cn/" {
			t.Errorf("article %v", article)
		}
	})
}

// What faults do to the callbacks of three messages said one after another.
func TestCallbackFaults(t *testing.T) {
	for _, tt := range []struct {
		fault object
		want  string // the messages as they arrive; ! for what a server must refuse
	}{
		{object{"kind": "duplicate"}, "a a b c"},
		{object{"kind": "reorder"}, "b a c"},
		{object{"kind": "delay", "seconds": 3600, "after": 1}, "a c b"},
		{object{"kind": "previous_key"}, "a b c"},
		{object{"kind": "wrong_signature"}, "! a b c"},
		{object{"kind": "plaintext", "count": 2}, "! a ! b c"},
		{object{"kind": "bad_padding"}, "! a b c"},
		{object{"kind": "entity_bomb", "event": "text"}, "! a b c"},
		{object{"kind": "replay"}, "! a b c"}, // in plain mode nothing but the nonce would tell
		{object{"kind": "oversized"}, "a a b c"},
		{object{"kind": "not_utf8"}, "a a b c"},
		{object{"kind": "duplicate", "event": "CLICK"}, "a b c"},
		{object{"kind": "duplicate", "app": "mini"}, "a b c"},
	} {
		name, _ := json.Marshal(tt.fault)
		t.Run(string(name), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				w.act("p1", "follow", nil)
				if out := w.json("POST", "/demo/sim/faults", tt.fault); len(out["items"].([]any)) != 1 {
					t.Fatal(out)
				}
				for _, word := range []string{"a", "b", "c"} {
					w.act("p1", "say", object{"text": word})
					time.Sleep(time.Second)
				}
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				var got []string
				for _, p := range w.received()[1:] {
					text, err := w.tryOpen(p)
					var m struct{ Content string }
					if err != nil || strings.Contains(text, "<!DOCTYPE") {
						m.Content = "!"
					} else if err := xml.Unmarshal([]byte(strings.ReplaceAll(text, "\xff\xfe\xc3", "")), &m); err != nil {
						t.Error(err)
					}
					got = append(got, m.Content)
				}
				if line := strings.Join(got, " "); line != tt.want {
					t.Errorf("callbacks %s, want %s", line, tt.want)
				}
			})
		})
	}
}

// A receipt may come before the answer of the call that it is about.
func TestEarlyReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		w.json("POST", "/demo/sim/faults", object{"kind": "early"})
		w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, nil))
		if posts := w.received(); len(posts) != 2 || !strings.Contains(w.open(posts[1]), "TEMPLATESENDJOBFINISH") {
			t.Errorf("%d callbacks before the answer, want the receipt", len(posts)-1)
		}
	})
}

func TestVerificationOfTheURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.answers(func(p post) (int, string, error) { return 200, p.query.Get("echostr"), nil })
		if out := w.json("POST", "/demo/sim/accounts/official/verify", nil); out["verified"] != true {
			t.Errorf("an echo: %v", out)
		}
		p := w.received()[0]
		if p.query.Get("signature") != signature(w.official().Token, p.query.Get("timestamp"), p.query.Get("nonce")) {
			t.Errorf("the query is not signed: %v", p.query)
		}
		w.answers(func(post) (int, string, error) { return 200, `"x"`, nil })
		if out := w.json("POST", "/demo/sim/accounts/official/verify", nil); out["verified"] != false || out["problem"] != "token 验证失败" {
			t.Errorf("another answer: %v", out)
		}
	})
}
