package push_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

const callbackToken = "callback-token"

// caller is WeChat calling back, in plain mode.
type caller struct {
	*bench
	people *push.People
	nonce  int
}

func newCaller(t *testing.T, b *bench) *caller {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"access_token":"T","expires_in":7200,"errcode":0}`)
	}))
	t.Cleanup(server.Close)
	apps := []push.WeChatApp{}
	for name, app := range map[string]string{"official": official, "mini": mini} {
		apps = append(apps, push.WeChatApp{Name: name, Kind: disclosure.AppKind(name), AppID: app, Secret: "s", Token: callbackToken, Mode: push.ModePlain})
	}
	log := slog.New(slog.NewJSONHandler(b.logs, nil))
	w, err := push.NewWeChat(push.WeChatConfig{APIURL: server.URL, OpenURL: server.URL, Apps: apps}, b.store, log, b.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return &caller{bench: b, people: &push.People{Store: b.store, WeChat: w, Templates: b.conf.Templates, PublicURL: "https://gongkai.test", Log: log,
		Now: b.now, Metrics: b.worker("callbacks").Metrics()}}
}

// sign puts a signature of now on a body.
func (c *caller) sign(app, body string) disclosure.WeChatCallback {
	c.nonce++
	stamp, nonce := strconv.FormatInt(c.now().Unix(), 10), strconv.Itoa(c.nonce)
	return disclosure.WeChatCallback{App: app, Body: []byte(body),
		Query: map[string]string{"timestamp": stamp, "nonce": nonce, "signature": util.Signature(callbackToken, stamp, nonce)}}
}

// post delivers a body under a signature of its own and returns the answer.
func (c *caller) post(app, body string) string {
	c.t.Helper()
	reply, err := c.people.Receive(c.t.Context(), c.sign(app, body))
	if err != nil {
		c.t.Fatalf("%s: %v", body, err)
	}
	return string(reply.Body)
}

// says is a text message of the person o1.
func (c *caller) says(words string) string {
	c.nonce++
	return c.post("official", fmt.Sprintf(`<xml><ToUserName>gh</ToUserName><FromUserName>o1</FromUserName><CreateTime>%d</CreateTime><MsgType>text</MsgType><Content>%s</Content><MsgId>%d</MsgId></xml>`,
		c.now().Unix(), words, c.nonce))
}

func (c *caller) event(event, rest string) string {
	c.nonce++
	return fmt.Sprintf(`<xml><ToUserName>gh</ToUserName><FromUserName>o1</FromUserName><CreateTime>%d</CreateTime><MsgType>event</MsgType><Event>%s</Event>%s</xml>`, c.nonce, event, rest)
}

func (c *caller) person() disclosure.Person {
	c.t.Helper()
	p, err := c.store.PersonOf(c.t.Context(), official, "o1")
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// wants lists what the person o1 has subscribed to.
func (c *caller) wants() string {
	c.t.Helper()
	subs, err := c.store.Subscriptions(c.t.Context(), c.person().N)
	if err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for _, s := range subs {
		out = append(out, strings.Join(s.Sectors, "+")+" by "+s.Source)
	}
	return strings.Join(out, ", ")
}

const popup = `{"ToUserName":"gh","FromUserName":"m1","CreateTime":"1620963428","MsgType":"event","Event":"subscribe_msg_popup_event","List":[{"TemplateId":"tpl-once","SubscribeStatusString":"accept","PopupScene":"0"}]}`

// TestP18CallbacksOnce: the same event three times, an hour later, and out of
// order has one effect, and is answered well within WeChat's five seconds.
func TestP18CallbacksOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		skip := b.skip()
		c := newCaller(t, b)
		var slowest time.Duration
		for i := range 3 {
			if i == 2 {
				skip(time.Hour) // WeChat repeats it under a new signature
			}
			began := time.Now()
			if said := c.post("mini", popup); said != "success" {
				t.Errorf("answered %q", said)
			}
			slowest = max(slowest, time.Since(began))
		}
		p, err := b.store.PersonOf(t.Context(), mini, "m1")
		if err != nil {
			t.Fatal(err)
		}
		left, ledger, err := b.store.Consents(t.Context(), p.N)
		if err != nil || len(left) != 1 || left[0].Left != 1 || len(ledger) != 1 {
			t.Errorf("left %+v, ledger of %d, %v", left, len(ledger), err)
		}
		first := c.says("订阅 土地")
		if again := c.post("official", c.event("unsubscribe", "")); again != "success" || !strings.Contains(first, "已订阅") {
			t.Errorf("said %q, %q", first, again)
		}
		if slowest > time.Second {
			t.Errorf("an answer took %v", slowest)
		}
	})
}

// dying is a store whose process ends in the midst of a callback.
type dying struct{ push.PeopleStore }

var errDied = errors.New("the process has ended")

// SignIn implements push.Registry.
func (dying) SignIn(context.Context, disclosure.Identity, []byte, time.Time) (disclosure.Person, error) {
	return disclosure.Person{}, errDied
}

// Answered implements push.Ledger.
func (dying) Answered(context.Context, string, string, bool) error { return errDied }

// TestCallbackOfADeadProcess: a callback whose process died while it was handled is
// not acknowledged unhandled: it is handled when WeChat comes again.
func TestCallbackOfADeadProcess(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		skip := b.skip()
		c := newCaller(t, b)
		follow := c.event("subscribe", "<EventKey>qrscene_s:land:k03</EventKey>")
		c.people.Store = dying{b.store}
		if _, err := c.people.Receive(t.Context(), c.sign("official", follow)); err == nil {
			t.Fatal("answered by the dead")
		}
		c.people.Store = b.store
		if reply, err := c.people.Receive(t.Context(), c.sign("official", follow)); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeUnavailable}) {
			t.Errorf("while it may be under way: %q, %v", reply.Body, err)
		}
		skip(5 * time.Second)
		if said := c.post("official", follow); !strings.Contains(said, "已订阅") || c.wants() != "land by scan:k03" {
			t.Errorf("when WeChat came again: %q", said)
		}
		skip(5 * time.Second)
		if said := c.post("official", follow); !strings.Contains(said, "已订阅") || c.wants() != "land by scan:k03" {
			t.Errorf("and once more: %q", said)
		}
	})
}

// TestEarlyReceipt: a receipt that beats the commit of the call's answer is kept
// until then.
func TestEarlyReceipt(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := newCaller(t, b)
		b.expanded(1)
		d := taken(t, b.store, "w1", b.now(), time.Minute)
		c.post("official", c.event("TEMPLATESENDJOBFINISH", "<MsgID>3557254367693750277</MsgID><Status>success</Status>"))
		done := disclosure.Settled{Delivery: d, State: disclosure.DeliveryAccepted, MsgID: "3557254367693750277", At: b.now(), Called: true}
		if n, err := b.store.Settle(t.Context(), "w1", []disclosure.Settled{done}); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if got := b.states(); got[disclosure.DeliveryDelivered] != 1 {
			t.Errorf("deliveries = %v", got)
		}
	})
}

// TestReceipts: each status of WeChat's report ends as the table of reactions
// says, and is not overtaken by another.
func TestReceipts(t *testing.T) {
	receipts := []struct {
		status string
		state  disclosure.DeliveryState
		muted  bool
	}{
		{"success", disclosure.DeliveryDelivered, false},
		{"failed:user block", disclosure.DeliveryFailed, true},
		{"failed: system failed", disclosure.DeliveryFailed, false},
		{"failed:freq limit", disclosure.DeliveryDigest, false},
	}
	each(t, func(t *testing.T, b *bench) {
		c := newCaller(t, b)
		followers(t, b, len(receipts))
		b.publish("道路招标")
		b.start("w1")
		b.until("sent", func() bool { return b.states()[disclosure.DeliveryAccepted] == len(receipts) })
		b.stop()
		db := storetest.Raw(t, b.url)
		for i, tt := range receipts {
			person := i + 1
			msgid := storetest.Strings(t, db, `SELECT msgid FROM delivery WHERE person_n = $1`, person)[0]
			for _, status := range []string{tt.status, "success"} {
				c.post("official", c.event("TEMPLATESENDJOBFINISH", "<MsgID>"+msgid+"</MsgID><Status>"+status+"</Status>"))
			}
			if state := storetest.Strings(t, db, `SELECT state FROM delivery WHERE person_n = $1`, person)[0]; state != string(tt.state) {
				t.Errorf("%s: the card is %s, want %s", tt.status, state, tt.state)
			}
			p, err := b.store.PersonOf(t.Context(), official, fmt.Sprintf("%s-%d", official, person))
			if err != nil || p.Accounts[0].Muted != tt.muted {
				t.Errorf("%s: muted is %v, %v", tt.status, p.Accounts[0].Muted, err)
			}
		}
	})
}

// TestReportOfKeylessCard: WeChat's report settles the card whose answer was lost,
// and the report of one card, even twice, says nothing of the next.
func TestReportOfKeylessCard(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := newCaller(t, b)
		storetest.People(t, b.url, 1, storetest.Crowd{App: mini, Kind: disclosure.AppMini, Template: byConsent.ID})
		report := func(msgid string) {
			c.nonce++
			c.post("mini", fmt.Sprintf(`{"ToUserName":"gh","FromUserName":"%s-1","CreateTime":"%d","MsgType":"event","Event":"subscribe_msg_sent_event","List":{"TemplateId":"%s","MsgID":"%s","ErrorCode":"0","ErrorStatus":"success"}}`,
				mini, c.nonce, byConsent.ID, msgid))
		}
		b.fake.lose = func(int, push.Message) bool { return true }
		b.publish("第一条")
		b.start("w1")
		b.until("the answer is lost", func() bool {
			calls, _ := b.fake.count()
			return calls == 1 && b.states()[disclosure.DeliverySending] == 1
		})
		b.stop()
		report("X1")
		if got := b.states(); got[disclosure.DeliveryDelivered] != 1 {
			t.Fatalf("after the report of a lost answer: %v", got)
		}
		b.publish("第二条")
		b.start("w2")
		b.until("the second answer is lost", func() bool {
			calls, _ := b.fake.count()
			return calls == 2 && b.states()[disclosure.DeliverySending] == 1
		})
		b.stop()
		report("X1")
		if got := b.states(); got[disclosure.DeliverySending] != 1 {
			t.Errorf("the report of the first card again: %v", got)
		}
		report("X2")
		if got := b.states(); got[disclosure.DeliveryDelivered] != 2 {
			t.Errorf("after the report of the second: %v", got)
		}
	})
}

// TestSignatureServesOneBody: in plain mode the signature does not cover the
// body; whoever has seen one cannot use it for another.
func TestSignatureServesOneBody(t *testing.T) {
	s, u := storetest.SQLite(t)
	c := newCaller(t, newBench(t, s, u))
	c.post("official", c.event("subscribe", ""))
	stolen := c.sign("official", c.event("SCAN", "<EventKey>s:land:k03</EventKey>"))
	if _, err := c.people.Receive(t.Context(), stolen); err != nil {
		t.Fatal(err)
	}
	stolen.Body = []byte(c.event("unsubscribe", ""))
	if _, err := c.people.Receive(t.Context(), stolen); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeWeChatCallback}) {
		t.Errorf("a signature served twice: %v", err)
	}
	if a := c.person().Accounts[0]; !a.Following {
		t.Error("the forgery had an effect")
	}
}

// TestChat: a person does in chat, or by a kiosk's code, what they could do on
// the pages.
func TestChat(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := newCaller(t, b)
		n := b.publish("盐东镇道路招标")
		if said := c.post("official", c.event("subscribe", "<EventKey>qrscene_s:land:k03</EventKey>")); !strings.Contains(said, "欢迎关注") || !strings.Contains(said, "已订阅") {
			t.Errorf("following by a kiosk's code: %q", said)
		}
		for _, tt := range []struct{ say, answer, wants string }{
			{"菜单", "住房保障", "land by scan:k03"},
			{"订阅 住房", "已订阅", "land by scan:k03, housing by chat"},
			{"订阅 住房保障", "", "land by scan:k03, housing by chat"},
			{"订阅 没有的领域", "没有找到领域", "land by scan:k03, housing by chat"},
			{"订阅 国有", "对应多个领域", "land by scan:k03, housing by chat"},
			{"退订 土地", "已退订", "housing by chat"},
			{n.Code, "盐东镇道路招标", "housing by chat"},
			{"00000000", "没有", "housing by chat"},
			{"99999999", "没有编号为 99999999 的公告", "housing by chat"},
			{"&lt;script&gt;", "回复", "housing by chat"},
			{"退订", "已退订", ""},
		} {
			if said := c.says(tt.say); !strings.Contains(said, tt.answer) || c.wants() != tt.wants {
				t.Errorf("%q: answered %q; wants %q, not %q", tt.say, said, c.wants(), tt.wants)
			}
		}
		for _, tt := range []struct {
			say    string
			paused bool
		}{{"暂停", true}, {"恢复", false}, {"TD", false}} {
			if c.says(tt.say); c.person().Paused != tt.paused {
				t.Errorf("%q: paused is %v", tt.say, c.person().Paused)
			}
		}
		b.quietLogs()
	})
}

// TestChatStops: what the account answers about stopping is what happens.
func TestChatStops(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := newCaller(t, b)
		c.post("official", c.event("subscribe", ""))
		has := func(list ...string) { // sectors, "+" between them, "!" for paused
			subs, err := b.store.Subscriptions(t.Context(), c.person().N)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range subs {
				if err := b.store.DeleteSubscription(t.Context(), c.person().N, s.ID); err != nil {
					t.Fatal(err)
				}
			}
			for i, text := range list {
				sub := disclosure.NewSubscription(fmt.Sprintf("%d-%d", c.nonce, i), "h5", b.now())
				text, sub.Paused = strings.CutSuffix(text, "!")
				sub.Sectors = strings.FieldsFunc(text, func(r rune) bool { return r == '+' })
				if _, err := b.store.SaveSubscription(t.Context(), c.person().N, sub); err != nil {
					t.Fatal(err)
				}
			}
		}
		left := func() string {
			subs, err := b.store.Subscriptions(t.Context(), c.person().N)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, s := range subs {
				out = append(out, strings.Join(s.Sectors, "+")+map[bool]string{true: "!"}[s.Paused])
			}
			return fmt.Sprintf("%s %v", strings.Join(out, ","), c.person().Paused)
		}
		for _, tt := range []struct {
			has, say, answer, left string
		}{
			{"land+housing", "退订 住房", "已退订“住房保障”", "land false"},
			{"land+housing,housing", "退订 住房", "已退订“住房保障”", "land false"},
			{"+", "退订 住房", "“全部公告”不只这一个领域，仍会带来“住房保障”", " false"},
			{"land", "退订 住房", "您没有订阅“住房保障”", "land false"},
			{"land,housing", "退订全部", "已退订全部 2 个订阅", " false"},
			{"land,housing", "退订 全部", "已退订全部 2 个订阅", " false"},
			{"land,housing", "退订！", "已退订全部 2 个订阅", " false"},
			{"land,housing", "暂停 土地", "已暂停“", "land!,housing false"},
			{"land+housing", "暂停 土地", "不只这一个领域", "land+housing false"},
			{"land,housing", "暂停 火星", "没有找到领域", "land,housing false"},
			{"land,housing", "暂停推送", "已暂停推送", "land,housing true"},
			{"land!,housing", "恢复 土地", "您还暂停了全部推送", "land,housing true"},
			{"land!,housing!", "恢复", "单独暂停的“", "land,housing false"},
			{"land", "恢复 土地", "没有暂停的订阅", "land false"},
		} {
			has(strings.FieldsFunc(tt.has, func(r rune) bool { return r == ',' })...)
			if said := c.says(tt.say); !strings.Contains(said, tt.answer) || left() != tt.left {
				t.Errorf("%q with %s: answered %q; left %q, not %q", tt.say, tt.has, said, left(), tt.left)
			}
		}
	})
}

// TestAnswersFitTheChat: WeChat shows no answer of more than 2,048 bytes.
func TestAnswersFitTheChat(t *testing.T) {
	s, u := storetest.SQLite(t)
	c := newCaller(t, newBench(t, s, u))
	c.post("official", c.event("subscribe", ""))
	for i := range disclosure.MaxSubscriptions {
		sub := disclosure.NewSubscription(fmt.Sprint("s", i), "h5", c.now())
		for j := range 5 {
			sub.Keywords = append(sub.Keywords, fmt.Sprintf("亭湖区道路桥梁工程第%d类%d", i, j))
		}
		if _, err := s.SaveSubscription(t.Context(), c.person().N, sub); err != nil {
			t.Fatal(err)
		}
	}
	said := c.says("退订 住房")
	if len(said) > 2048 || !strings.Contains(said, "等 20 个") || !strings.Contains(said, "/subscribe") {
		t.Errorf("%d bytes: %s", len(said), said)
	}
}

// TestEventsOfPeople: what WeChat says of people and accounts is carried out.
func TestEventsOfPeople(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		c := newCaller(t, b)
		c.post("official", c.event("subscribe", ""))
		c.post("mini", strings.ReplaceAll(popup, "tpl-once", "tpl-nobody-knows"))
		if traces := storetest.Traces(t, b.url, "tpl-nobody-knows"); len(traces) != 0 {
			t.Errorf("a consent to a template that is not ours is in %v", traces)
		}
		c.post("official", c.event("unsubscribe", ""))
		if c.person().Accounts[0].Following {
			t.Error("still following")
		}
		c.post("official", c.event("user_authorization_cancellation", "<OpenID>o1</OpenID>"))
		if _, err := b.store.PersonOf(t.Context(), official, "o1"); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeBadToken}) {
			t.Errorf("after taking the authorisation back: %v", err)
		}
		for _, who := range []string{"o2", "o3"} { // both in one second, and from WeChat
			c.post("official", strings.ReplaceAll(c.event("subscribe", ""), "o1", who))
			c.post("official", `<xml><ToUserName>gh</ToUserName><FromUserName>platform</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>user_authorization_revoke</Event><OpenID>`+who+`</OpenID></xml>`)
			if _, err := b.store.PersonOf(t.Context(), official, who); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeBadToken}) {
				t.Errorf("after %s took the authorisation back: %v", who, err)
			}
		}
		c.post("mini", `{"ToUserName":"gh","FromUserName":"","CreateTime":1,"MsgType":"event","Event":"wxa_punish_event"}`)
		st, err := b.store.PushStatus(t.Context(), b.now())
		if err != nil || len(st.Switches) != 1 || st.Switches[0].Scope != disclosure.ScopeApp+mini {
			t.Errorf("switches %+v, %v", st.Switches, err)
		}
	})
}
