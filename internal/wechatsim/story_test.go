package wechatsim

import (
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// client is a small server of an official account and a mini-program, as a
// careful author would write one: it keeps who follows, who consented and what
// became of each message from callbacks alone.
type client struct {
	w         *world
	seen      map[string]bool   // callbacks, by what tells them apart
	followers map[string]bool   // openids
	wants     map[string]string // topic by openid
	consents  map[string]int    // by openid and template; -1 for good
	receipts  map[string]string // by msgid
	tokens    map[string]string
	fetches   int
}

// told is the union of the callbacks this client cares about.
type told struct {
	FromUserName, CreateTime, MsgType, Event, EventKey, Content, MsgID, Status string

	MessageID  string `xml:"MsgId"`
	TemplateID string `xml:"TemplateId"`
	Popup      []told `xml:"SubscribeMsgPopupEvent>List"`
	Change     []told `xml:"SubscribeMsgChangeEvent>List"`
	Sent       []told `xml:"SubscribeMsgSentEvent>List"`

	SubscribeStatusString, ErrorStatus string
}

func newClient(w *world) *client {
	c := &client{w: w, seen: map[string]bool{}, followers: map[string]bool{}, wants: map[string]string{}, consents: map[string]int{}, receipts: map[string]string{}, tokens: map[string]string{}}
	w.answers(c.receive)
	return c
}

// receive answers a callback.
func (c *client) receive(p post) (int, string, error) {
	text, err := c.w.tryOpen(p)
	if err != nil {
		return 403, "", nil
	}
	var m told
	if err := xml.Unmarshal([]byte(text), &m); err != nil {
		return 400, "", nil
	}
	lists, _ := json.Marshal([][]told{m.Popup, m.Change, m.Sent})
	id := strings.Join([]string{m.FromUserName, m.CreateTime, m.Event, m.EventKey, m.MessageID, m.MsgID, string(lists)}, "|")
	if c.seen[id] {
		return 200, "success", nil
	}
	c.seen[id] = true
	return 200, c.handle(m), nil
}

func (c *client) handle(m told) string {
	switch m.Event {
	case "subscribe":
		c.followers[m.FromUserName] = true
	case "unsubscribe":
		delete(c.followers, m.FromUserName)
	case "TEMPLATESENDJOBFINISH":
		c.receipts[m.MsgID] = m.Status
	}
	for _, item := range slices.Concat(m.Popup, m.Change) {
		key := m.FromUserName + item.TemplateID
		if item.SubscribeStatusString != "accept" {
			c.consents[key] = 0
		} else if item.TemplateID == c.w.template("official", LongTerm) {
			c.consents[key] = -1
		} else {
			c.consents[key]++
		}
	}
	for _, item := range m.Sent {
		c.receipts[item.MsgID] = item.ErrorStatus
	}
	if topic, ok := strings.CutPrefix(m.Content, "订阅 "); ok {
		c.wants[m.FromUserName] = topic
		a := c.w.official()
		return c.w.seal(a, "<xml><ToUserName><![CDATA["+m.FromUserName+"]]></ToUserName><FromUserName><![CDATA["+a.OriginalID+
			"]]></FromUserName><CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[已订阅“"+topic+"”]]></Content></xml>")
	}
	return "success"
}

// call makes an API call, with a new token and once more on 40001.
func (c *client) call(path string, body any) object {
	for attempt := range 2 {
		if c.tokens["official"] == "" || attempt > 0 {
			c.tokens["official"] = c.w.token("official")
			c.fetches++
		}
		out := c.w.json("POST", path+"?access_token="+c.tokens["official"], body)
		if n := code(out); n != 40001 && n != 42001 {
			return out
		}
	}
	return object{"errcode": json.Number("40001")}
}

// publish sends a notice to everybody who wants its topic, over the first
// channel that takes it, and retries what may be retried.
func (c *client) publish(topic, key string) (msgids []string) {
	for openID, wanted := range c.wants {
		if wanted != topic {
			continue
		}
		template, path := c.w.template("official", ByFollowing), pathTemplate
		if !c.followers[openID] {
			if template, path = c.w.template("official", LongTerm), pathBizSend; c.consents[openID+template] == 0 {
				continue
			}
		}
		m := object{"touser": openID, "template_id": template, "client_msg_id": key + openID[:8], "data": notice(nil)}
		for attempt := range 4 {
			out := c.call(path, m)
			if id, ok := out["msgid"].(json.Number); ok {
				msgids = append(msgids, id.String())
				break
			}
			if n := code(out); n != -1 && n != 43108 {
				break
			}
			time.Sleep(time.Second << attempt)
		}
	}
	return msgids
}

// The whole story once over: follow, ask, get a card and its receipt; then leave
// and be asked for consent; all of it while things go wrong.
func TestStory(t *testing.T) {
	faults := map[string][]object{
		"all is well": {},
		"busy":        {{"kind": "errcode", "path": "template/send", "errcode": -1, "count": 2}},
		"stolen":      {{"kind": "expire_token", "path": "send"}},
		"twice":       {{"kind": "duplicate", "count": -1}},
		"forged":      {{"kind": "wrong_signature", "count": -1}, {"kind": "plaintext", "count": -1}},
		"malformed":   {{"kind": "bad_padding", "count": -1}, {"kind": "entity_bomb", "count": -1}},
		"early":       {{"kind": "early", "count": -1}},
		"out of turn": {{"kind": "reorder", "event": "TEMPLATESENDJOBFINISH"}},
		"old key":     {{"kind": "previous_key", "count": -1}},
	}
	for name, list := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t)
				c := newClient(w)
				if len(list) > 0 {
					w.json("POST", "/demo/sim/faults", object{"faults": list})
				}
				w.act("p1", "follow", nil)
				out := w.act("p1", "say", object{"text": "订阅 土地"})
				if replies := out["replies"].([]any); len(replies) != 1 || replies[0].(object)["text"] != "已订阅“土地”" {
					t.Errorf("the person sees %v", replies)
				}
				w.act("p2", "follow", nil)
				w.act("p2", "say", object{"text": "订阅 住房"})
				first := c.publish("土地", "n1")
				settle()
				c.expect(t, first, "success")
				c.expectCards(t, 1, 0)

				w.act("p1", "unfollow", nil)
				if got := c.publish("土地", "n2"); len(got) != 0 {
					t.Errorf("without following or consent %d messages were taken", len(got))
				}
				w.act("p1", "accept", object{"template": w.template("official", LongTerm)})
				second := c.publish("土地", "n3")
				settle()
				c.expect(t, second, "success")
				c.expectCards(t, 2, 0)

				w.act("p1", "reject", object{"template": w.template("official", LongTerm)})
				if got := c.publish("土地", "n4"); len(got) != 0 {
					t.Errorf("after the revocation %d messages were taken", len(got))
				}
				c.expectCards(t, 2, 0)
				if want := 1 + len(list)*btoi(name == "stolen"); c.fetches != want {
					t.Errorf("%d tokens were fetched, want %d", c.fetches, want)
				}
			})
		})
	}
}

// settle lets receipts come, those held back included.
func settle() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (c *client) expect(t *testing.T, msgids []string, status string) {
	t.Helper()
	if len(msgids) != 1 {
		t.Fatalf("%d messages were taken, want 1", len(msgids))
	}
	if got := c.receipts[msgids[0]]; got != status {
		t.Errorf("receipt of %s: %q, want %q", msgids[0], got, status)
	}
}

func (c *client) expectCards(t *testing.T, counts ...int) {
	t.Helper()
	for i, want := range counts {
		if got := len(c.w.sent("p" + itoa(int64(i+1)))); got != want {
			t.Errorf("person %d has %d cards, want %d", i+1, got, want)
		}
	}
}
