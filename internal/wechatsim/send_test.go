package wechatsim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTemplateMessageArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		out := w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, object{"url": "https://example.cn/n/1", "client_msg_id": "k1"}))
		id := string(out["msgid"].(interface{ String() string }).String())
		if code(out) != 0 || out["errmsg"] != "ok" || len(id) != 19 {
			t.Fatalf("send: %v", out)
		}
		cards := w.sent("p1")
		if len(cards) != 1 {
			t.Fatalf("%d cards", len(cards))
		}
		card := cards[0].(object)
		want := object{"channel": "template", "app": "official", "person": "p1", "openid": w.openID("official", "p1"),
			"template_id": w.template("official", ByFollowing), "url": "https://example.cn/n/1", "page": nil, "client_msg_id": "k1", "msgid": id, "shown": true}
		for key, want := range want {
			if card[key] != want {
				t.Errorf("card.%s = %v, want %v", key, card[key], want)
			}
		}
		if got := card["data"].(object)["phrase2"].(object)["value"]; got != "工程招标" {
			t.Errorf("card.data.phrase2.value = %v", got)
		}
		if w.sent("p2") == nil || len(w.sent("p2")) != 0 {
			t.Error("somebody else got a card")
		}
		w.expectReceipt("TEMPLATESENDJOBFINISH", id, "<Status><![CDATA[success]]></Status>")
	})
}

// expectReceipt waits for a callback and looks for words in what it holds.
func (w *world) expectReceipt(words ...string) {
	w.t.Helper()
	time.Sleep(receiptDelay + time.Millisecond)
	synctest.Wait()
	posts := w.received()
	if len(posts) == 0 {
		w.t.Fatal("no callback came")
	}
	text := w.open(posts[len(posts)-1])
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.t.Errorf("the callback lacks %q: %s", word, text)
		}
	}
}

// A key sends once in ten minutes, and again afterwards.
func TestClientMsgIDHoldsTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		w.act("p2", "follow", nil)
		send := func(person, key string) string {
			out := w.call("official", pathTemplate, w.message("official", person, ByFollowing, object{"client_msg_id": key}))
			if code(out) != 0 {
				t.Fatal(out)
			}
			return out["msgid"].(interface{ String() string }).String()
		}
		first := send("p1", "k")
		if again := send("p1", "k"); again != first {
			t.Errorf("the repeated key has msgid %s, not %s", again, first)
		}
		send("p1", "other")
		send("p2", "k")
		if n := len(w.sent("p1")); n != 2 {
			t.Errorf("p1 got %d cards, want 2", n)
		}
		if n := len(w.sent("p2")); n != 1 {
			t.Errorf("p2 got %d cards, want 1", n)
		}
		time.Sleep(duplicateWindow)
		if again := send("p1", "k"); again == first || len(w.sent("p1")) != 3 {
			t.Error("after ten minutes the key is still known")
		}
	})
}

// A one-off accept is one message; accepts add up; a long-term one lasts until
// it is revoked.
func TestConsentIsCounted(t *testing.T) {
	for _, tt := range []struct{ app, path string }{{"official", pathBizSend}, {"mini", pathSubscribe}} {
		t.Run(tt.app, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				once, long := w.template(tt.app, OneOff), w.template(tt.app, LongTerm)
				send := func(kind TemplateType) int {
					return code(w.call(tt.app, tt.path, w.message(tt.app, "p1", kind, object{"page": "pages/n?id=1"})))
				}
				steps := []struct {
					name     string
					act      string
					template string
					kind     TemplateType
					codes    []int
				}{
					{"nothing accepted", "", "", OneOff, []int{43101}},
					{"rejected", "reject", once, OneOff, []int{43101}},
					{"accepted once", "accept", once, OneOff, []int{0, 43101}},
					{"accepted twice", "accept", once, OneOff, nil},
					{"accepted twice", "accept", once, OneOff, []int{0, 0, 43101}},
					{"a long-term one is another", "", "", LongTerm, []int{43101}},
					{"accepted for good", "accept", long, LongTerm, []int{0, 0, 0}},
					{"revoked", "reject", long, LongTerm, []int{43101}},
				}
				for _, step := range steps {
					if step.act != "" {
						w.act("p1", step.act, object{"template": step.template})
					}
					for i, want := range step.codes {
						if got := send(step.kind); got != want {
							t.Fatalf("%s: message %d: %d, want %d", step.name, i+1, got, want)
						}
					}
				}
				if n := len(w.sent("p1")); n != 6 {
					t.Errorf("%d cards, want 6: one per accept and three for good", n)
				}
			})
		})
	}
}

// spelling is WeChat's own.
const spelling = "emtpy" //nolint:misspell // as WeChat spells it

func TestDataIsJudgedByField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		for _, tt := range []struct {
			name    string
			changes object
			message string
		}{
			{"missing", object{"thing3": nil}, "argument invalid! data.thing3.value is " + spelling},
			{"empty", object{"thing3": object{"value": ""}}, "argument invalid! data.thing3.value is " + spelling},
			{"not hanzi", object{"phrase2": object{"value": "A类"}}, "argument invalid! data.phrase2.value invalid"},
			{"a new line", object{"thing1": object{"value": "一\n二"}}, "argument invalid! data.thing1.value invalid"},
			{"not in the template", object{"thing9": object{"value": "x"}}, "argument invalid! data.thing9.value invalid"},
		} {
			out := w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, object{"data": notice(tt.changes)}))
			if message, _ := out["errmsg"].(string); code(out) != 47003 || !strings.HasPrefix(message, tt.message+" rid: ") {
				t.Errorf("%s: %v, want %q", tt.name, out, tt.message)
			}
		}
	})
}

// Who mutes the account takes messages and does not see them.
func TestMutedAndBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		w.act("p1", "mute", nil)
		out := w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, nil))
		if code(out) != 0 || len(w.sent("p1")) != 0 {
			t.Fatalf("a muted message: %v, %d cards", out, len(w.sent("p1")))
		}
		w.expectReceipt("<Status><![CDATA[failed:user block]]></Status>")
		if out := w.call("official", pathCustom, object{"touser": w.openID("official", "p1"), "msgtype": "text", "text": object{"content": "x"}}); code(out) != 48002 {
			t.Errorf("a customer-service message to who mutes: %v", out)
		}
		w.act("p1", "mute", object{"on": false})
		w.act("p1", "block", nil)
		if out := w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, nil)); code(out) != 43019 {
			t.Errorf("a blocked message: %v", out)
		}
	})
}

func TestCustomServiceWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		send := func() int {
			return code(w.call("official", pathCustom, object{"touser": w.openID("official", "p1"), "msgtype": "text", "text": object{"content": "您好"}}))
		}
		expect := func(when string, codes ...int) {
			t.Helper()
			for i, want := range codes {
				if got := send(); got != want {
					t.Errorf("%s: message %d: %d, want %d", when, i+1, got, want)
				}
			}
		}
		expect("nothing was said", 45015)
		w.act("p1", "follow", nil)
		expect("after following", 0, 0, 0, 45047)
		time.Sleep(actedFor)
		expect("a minute later", 45015)
		w.act("p1", "say", object{"text": "在吗"})
		expect("after a message", 0, 0, 0, 0, 0, 45047)
		w.act("p1", "say", object{"text": "在吗"})
		time.Sleep(saidFor - time.Second)
		expect("two days later", 0)
		time.Sleep(time.Second)
		expect("a moment after", 45015)
	})
}

func TestDailyAndMinuteQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		w.json("POST", "/demo/sim/accounts/official", object{"daily": object{pathTemplate: 3}, "minute": object{pathTemplate: 2}})
		send := func() int {
			return code(w.call("official", pathTemplate, w.message("official", "p1", ByFollowing, nil)))
		}
		expect := func(when string, codes ...int) {
			t.Helper()
			for i, want := range codes {
				if got := send(); got != want {
					t.Errorf("%s: message %d: %d, want %d", when, i+1, got, want)
				}
			}
		}
		expect("the first minute", 0, 0, 45011)
		time.Sleep(time.Minute)
		expect("the second minute", 0, 45009)
		quota := w.call("official", "/cgi-bin/openapi/quota/get", object{"cgi_path": pathTemplate})["quota"].(object)
		if quota["daily_limit"].(interface{ String() string }).String() != "3" || quota["remain"].(interface{ String() string }).String() != "0" {
			t.Errorf("quota/get: %v", quota)
		}
		w.json("POST", "/demo/sim/clock", object{"at": w.Now().AddDate(0, 0, 1).Format("2006-01-02") + "T00:00:00+08:00"})
		expect("from midnight in Shanghai", 0)
		if out := w.call("official", "/cgi-bin/clear_quota", object{"appid": w.official().AppID}); code(out) != 0 {
			t.Errorf("clear_quota: %v", out)
		}
		for range clearsPerMon - 1 {
			w.call("official", "/cgi-bin/clear_quota", object{"appid": w.official().AppID})
		}
		if out := w.call("official", "/cgi-bin/clear_quota", object{"appid": w.official().AppID}); code(out) != 48006 {
			t.Errorf("the eleventh clearing: %v", out)
		}
	})
}

// One message at a time to one person, any number to several.
func TestConcurrentMessagesToOnePerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t)
		w.act("p1", "follow", nil)
		w.act("p2", "follow", nil)
		w.json("POST", "/demo/sim/faults", object{"kind": "latency", "path": pathTemplate, "seconds": 1, "count": 3})
		codes := make(chan int, 3)
		for _, person := range []string{"p1", "p1", "p2"} {
			body := w.message("official", person, ByFollowing, nil)
			token := w.token("official")
			go func() { codes <- code(w.json("POST", pathTemplate+"?access_token="+token, body)) }()
		}
		got := map[int]int{}
		for range 3 {
			got[<-codes]++
		}
		if got[0] != 2 || got[43108] != 1 {
			t.Errorf("codes %v, want two 0 and one 43108", got)
		}
	})
}
