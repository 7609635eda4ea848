package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/internal/wechatsim"
	"gongkai/push"
)

// weChat is the adapter that push sends with, and the simulated WeChat it is
// pointed at. They were written apart, from WeChat's documentation.
type weChat struct {
	*push.WeChat
	t        *testing.T
	sim      *wechatsim.Sim
	accounts map[string]wechatsim.Account
	person   wechatsim.Person
}

func newWeChat(t *testing.T) *weChat {
	t.Helper()
	sim, err := wechatsim.New(wechatsim.Options{Now: time.Now, Accounts: wechatsim.Demo("http://127.0.0.1:1"), People: []string{"王大爷"}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	w := &weChat{t: t, sim: sim, accounts: map[string]wechatsim.Account{}, person: sim.People()[0]}
	c := push.WeChatConfig{APIURL: server.URL + simulatorPath, OpenURL: server.URL + simulatorPath}
	for _, a := range sim.Accounts() {
		w.accounts[a.App] = a
		c.Apps = append(c.Apps, push.WeChatApp{Name: a.App, Kind: disclosure.AppKind(a.Kind), AppID: a.AppID, Secret: a.Secret, Token: a.Token,
			AESKey: a.AESKey, PreviousAESKey: a.PreviousAESKey, Mode: push.MessageMode(a.Mode)})
	}
	tokens, _ := storetest.SQLite(t)
	if w.WeChat, err = push.NewWeChat(c, tokens, slog.New(slog.DiscardHandler), time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	// Nobody listens where callbacks go; they are not what is tried here.
	for app := range w.accounts {
		w.control("POST", "/demo/sim/accounts/"+app, `{"callback_url":""}`)
	}
	return w
}

// control uses the control plane and returns the answer.
func (w *weChat) control(method, path, body string) map[string]any {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.sim.ServeHTTP(rec, httptest.NewRequest(method, path, strings.NewReader(body)))
	var out map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code >= http.StatusBadRequest {
		w.t.Fatalf("%s %s %s: %d %s", method, path, body, rec.Code, rec.Body)
	}
	return out
}

// template finds an account's template by its type.
func (w *weChat) template(app string, kind wechatsim.TemplateType) wechatsim.Template {
	for _, t := range w.accounts[app].Templates {
		if t.Type == kind {
			return t
		}
	}
	w.t.Fatalf("%s has no such template", app)
	return wechatsim.Template{}
}

// message is a card of a template, filled with its samples.
func (w *weChat) message(app string, channel disclosure.Channel, kind wechatsim.TemplateType) push.Message {
	m := push.Message{Channel: channel, App: app, OpenID: w.person.OfficialOpenID, URL: "https://example.cn/n/97491490", Key: "0123456789abcdef0123456789abcdef"}
	if app == "mini" {
		m.OpenID, m.Page = w.person.MiniOpenID, "pages/notice/index?id=1"
	}
	t := w.template(app, kind)
	m.Template = t.ID
	for _, k := range t.Keywords {
		m.Fields = append(m.Fields, disclosure.FittedField{CardField: disclosure.CardField{Key: k.Key}, Text: k.Sample})
	}
	return m
}

func classOf(err error) disclosure.Class {
	if refusal := new(push.SendError); errors.As(err, &refusal) {
		return refusal.Class
	}
	return ""
}

func TestAdapterSendsByEveryChannel(t *testing.T) {
	w := newWeChat(t)
	w.control("POST", "/demo/sim/people/p1/follow", ``)
	w.control("POST", "/demo/sim/people/p1/accept", ``)
	service := push.Message{Channel: disclosure.ChannelService, App: "official", OpenID: w.person.OfficialOpenID, Text: "您订阅的公告有更新"}
	for _, m := range []push.Message{
		w.message("official", disclosure.ChannelTemplate, wechatsim.ByFollowing),
		w.message("official", disclosure.ChannelTemplate, wechatsim.ByFollowing), // the same key: no second card
		w.message("official", disclosure.ChannelOfficial, wechatsim.LongTerm),
		w.message("mini", disclosure.ChannelMini, wechatsim.LongTerm),
		w.message("mini", disclosure.ChannelMini, wechatsim.OneOff),
		service,
	} {
		id, err := w.Send(t.Context(), m)
		if err != nil || id == "" && m.Channel != disclosure.ChannelService {
			t.Errorf("%s to %s: %q, %v", m.Channel, m.App, id, err)
		}
	}
	cards, _ := w.control("GET", "/demo/sim/sent?person=p1", "")["items"].([]any)
	if len(cards) != 5 {
		t.Errorf("%d cards, want 5", len(cards))
	}
	if _, err := w.Send(t.Context(), w.message("mini", disclosure.ChannelMini, wechatsim.OneOff)); classOf(err) != disclosure.ClassConsent {
		t.Errorf("beyond the one consent: %v", err)
	}
}

// What goes wrong at WeChat arrives as the class that push acts on.
func TestAdapterUnderstandsRefusals(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault string // "" for none
		wreck func(*weChat, *push.Message)
		class disclosure.Class // "" for success
		field string
	}{
		{"token taken away", `{"kind":"expire_token","path":"send"}`, nil, "", ""},
		{"busy", `{"kind":"errcode","errcode":-1,"path":"send"}`, nil, disclosure.ClassRetry, ""},
		{"502", `{"kind":"status","path":"send"}`, nil, "", ""},
		{"cut after accept", `{"kind":"cut","path":"send"}`, nil, disclosure.ClassAmbiguous, ""},
		{"minute quota", `{"kind":"errcode","errcode":45011,"path":"send"}`, nil, disclosure.ClassPace, ""},
		{"day quota", `{"kind":"errcode","errcode":45009,"path":"send"}`, nil, disclosure.ClassQuota, ""},
		{"too often to one", `{"kind":"errcode","errcode":43117,"path":"send"}`, nil, disclosure.ClassPacePerson, ""},
		{"not following", "", func(w *weChat, _ *push.Message) { w.control("POST", "/demo/sim/people/p1/unfollow", ``) }, disclosure.ClassUnfollowed, ""},
		{"blacklisted", "", func(w *weChat, _ *push.Message) { w.control("POST", "/demo/sim/people/p1/block", ``) }, disclosure.ClassMuted, ""},
		{"foreign openid", "", func(w *weChat, m *push.Message) { m.OpenID = w.person.MiniOpenID }, disclosure.ClassIdentity, ""},
		{"no such template", "", func(_ *weChat, m *push.Message) { m.Template = strings.Repeat("x", 43) }, disclosure.ClassTemplate, ""},
		{"a field too long", "", func(_ *weChat, m *push.Message) { m.Fields[0].Text = strings.Repeat("长", 21) }, disclosure.ClassTemplate, "thing1"},
		{"a field empty", "", func(_ *weChat, m *push.Message) { m.Fields[1].Text = "" }, disclosure.ClassTemplate, "phrase2"},
		{"sensitive", "", func(_ *weChat, m *push.Message) { m.Fields[0].Text = "敏感词测试" }, disclosure.ClassContent, ""},
		{"banned", "", func(w *weChat, m *push.Message) {
			w.control("POST", "/demo/sim/accounts/official", `{"ban":["`+m.Template+`"]}`)
		}, disclosure.ClassTemplate, ""},
		{"another address", "", func(w *weChat, _ *push.Message) {
			w.control("POST", "/demo/sim/accounts/official", `{"allowed_ips":["10.0.0.0/8"]}`)
		}, disclosure.ClassConfig, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWeChat(t)
			w.control("POST", "/demo/sim/people/p1/follow", ``)
			m := w.message("official", disclosure.ChannelTemplate, wechatsim.ByFollowing)
			if tt.fault != "" {
				w.control("POST", "/demo/sim/faults", tt.fault)
			}
			if tt.wreck != nil {
				tt.wreck(w, &m)
			}
			_, err := w.Send(t.Context(), m)
			if tt.name == "502" { // either is right: WeChat did not say whether it had heard
				if c := classOf(err); c != disclosure.ClassRetry && c != disclosure.ClassAmbiguous {
					t.Errorf("error %v of class %q", err, c)
				}
				return
			}
			if classOf(err) != tt.class || (err == nil) != (tt.class == "") {
				t.Fatalf("error %v of class %q, want %q", err, classOf(err), tt.class)
			}
			refusal := new(push.SendError)
			if errors.As(err, &refusal) && (refusal.Field != tt.field || refusal.Class == disclosure.ClassConfig && refusal.IP == "") {
				t.Errorf("field %q, address %q", refusal.Field, refusal.IP)
			}
			if err != nil {
				for _, secret := range []string{w.accounts["official"].Secret, w.person.OfficialOpenID, "access_token"} {
					if strings.Contains(err.Error(), secret) {
						t.Errorf("the error tells %q: %v", secret, err)
					}
				}
			}
		})
	}
}

func TestAdapterKnowsPeople(t *testing.T) {
	w := newWeChat(t)
	for app, want := range map[string]string{"official": w.person.OfficialOpenID, "mini": w.person.MiniOpenID} {
		code, _ := w.control("POST", "/demo/sim/people/p1/login", `{"app":"`+app+`"}`)["code"].(string)
		who, err := w.Identify(t.Context(), app, code)
		if err != nil || who.OpenID != want || who.UnionID != w.person.UnionID {
			t.Errorf("%s: %+v, %v", app, who, err)
		}
		if _, err := w.Identify(t.Context(), app, code); err == nil {
			t.Errorf("%s: a code works twice", app)
		}
	}
	snapshot, _ := w.control("POST", "/demo/sim/people/p1/login", `{"app":"official","snapshot":true}`)["code"].(string)
	if who, err := w.Identify(t.Context(), "official", snapshot); err == nil {
		t.Errorf("a snapshot user is taken for a person: %+v", who)
	}
	w.control("POST", "/demo/sim/people/p1/follow", ``)
	if union, err := w.UnionID("official", w.person.OfficialOpenID); err != nil || union != w.person.UnionID {
		t.Errorf("unionid %q, %v", union, err)
	}
	where, err := w.QR("official", "s:land:k03", 10*time.Minute)
	if err != nil || !strings.HasPrefix(where, "http://weixin.qq.com/q/") {
		t.Errorf("QR %q, %v", where, err)
	}
	page, err := w.AuthorizeURL("official", "https://h5.test/back", "state")
	if err != nil || !strings.Contains(page, simulatorPath+"/connect/oauth2/authorize") {
		t.Errorf("authorisation at %q, %v", page, err)
	}
}

func TestAdapterAsksForTheAccount(t *testing.T) {
	w := newWeChat(t)
	for app := range w.accounts {
		if err := w.CheckToken(t.Context(), app); err != nil {
			t.Errorf("%s: %v", app, err)
		}
	}
	quota, err := w.Quota(t.Context(), "official", disclosure.ChannelTemplate)
	if err != nil || quota.Limit != 100_000 || quota.Used != 0 {
		t.Errorf("quota %+v, %v", quota, err)
	}
	for _, tt := range []struct {
		app     string
		channel disclosure.Channel
		kind    wechatsim.TemplateType
	}{{"official", disclosure.ChannelTemplate, wechatsim.ByFollowing}, {"official", disclosure.ChannelOfficial, wechatsim.LongTerm}, {"mini", disclosure.ChannelMini, wechatsim.OneOff}} {
		template := w.template(tt.app, tt.kind)
		card := disclosure.CardTemplate{App: tt.app, Kind: disclosure.AppKind(w.accounts[tt.app].Kind), Channel: tt.channel, ID: template.ID}
		for _, k := range template.Keywords {
			value := map[byte]string{'p': "sector", 't': "title"}[k.Key[0]]
			if strings.HasPrefix(k.Key, "time") {
				value = "published"
			}
			card.Fields = append(card.Fields, disclosure.CardField{Key: k.Key, Value: value})
		}
		if err := w.CheckTemplate(t.Context(), card); err != nil {
			t.Errorf("%s: %v", template.Title, err)
		}
		card.Fields[0].Key = "thing77"
		if err := w.CheckTemplate(t.Context(), card); err == nil {
			t.Errorf("%s: a field that it does not have is not noticed", template.Title)
		}
	}
}

// The signature that WeChat tries a callback URL with is accepted, and no other.
func TestAdapterVerifiesTheURL(t *testing.T) {
	w := newWeChat(t)
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		c := disclosure.WeChatCallback{App: "official", Query: map[string]string{}}
		for key, values := range r.URL.Query() {
			c.Query[key] = values[0]
		}
		if echo, err := w.Verify(c); err == nil {
			_, _ = io.WriteString(out, echo)
		}
		c.Query["signature"] = strings.Repeat("0", 40)
		if _, err := w.Verify(c); err == nil {
			t.Error("another signature is accepted")
		}
	}))
	defer server.Close()
	w.control("POST", "/demo/sim/accounts/official", `{"callback_url":"`+server.URL+`"}`)
	if out := w.control("POST", "/demo/sim/accounts/official/verify", ``); out["verified"] != true {
		t.Error(out)
	}
}

// The adapter gives up with its caller.
func TestAdapterDoesNotWaitForEver(t *testing.T) {
	w := newWeChat(t)
	w.control("POST", "/demo/sim/people/p1/follow", ``)
	if err := w.CheckToken(t.Context(), "official"); err != nil {
		t.Fatal(err)
	}
	w.control("POST", "/demo/sim/faults", `{"kind":"latency","path":"send","seconds":5}`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.Send(ctx, w.message("official", disclosure.ChannelTemplate, wechatsim.ByFollowing)); classOf(err) != disclosure.ClassAmbiguous {
		t.Errorf("a call that was cut short: %v", err)
	}
}
