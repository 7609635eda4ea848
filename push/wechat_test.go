package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gongkai/internal/disclosure"
)

// memoryTokens shares tokens between the processes of a test.
type memoryTokens struct {
	mu    sync.Mutex
	token string
	until time.Time
	lock  time.Time
	fail  bool
}

func (m *memoryTokens) WeChatToken(context.Context, string) (string, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail {
		return "", time.Time{}, errors.New("away")
	}
	return m.token, m.until, nil
}

func (m *memoryTokens) LockWeChatToken(_ context.Context, _ string, now, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.lock) {
		return false, nil
	}
	m.lock = until
	return true, nil
}

func (m *memoryTokens) SwapWeChatToken(ctx context.Context, _, old, token string, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.token == old {
		m.token, m.until = token, until
	}
	m.lock = time.Time{}
	return nil
}

// api is a WeChat that answers by a function, and counts.
type api struct {
	*httptest.Server
	fetches atomic.Int64
	valid   atomic.Value // the token that is good
	answer  atomic.Pointer[http.HandlerFunc]
}

// answers sets how the next calls are answered.
func (a *api) answers(f http.HandlerFunc) { a.answer.Store(&f) }

func newAPI(t *testing.T) *api {
	a := &api{}
	a.answers(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","msgid":3557254367693750277}`)
	})
	a.valid.Store("TOKEN-1")
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == tokenPath {
			n := a.fetches.Add(1)
			var in struct {
				Secret string `json:"secret"`
				Force  bool   `json:"force_refresh"`
			}
			_ = json.NewDecoder(r.Body).Decode(&in)
			if in.Secret != "TOPSECRET" {
				fmt.Fprint(w, `{"errcode":40125,"errmsg":"invalid appsecret"}`)
				return
			}
			if in.Force {
				a.valid.Store(fmt.Sprintf("TOKEN-%d", n))
			}
			fmt.Fprintf(w, `{"access_token":%q,"expires_in":7200}`, a.valid.Load())
			return
		}
		if q := r.URL.Query(); q.Has("access_token") && q.Get("access_token") != a.valid.Load() {
			fmt.Fprint(w, `{"errcode":40001,"errmsg":"invalid credential, access_token is invalid or not latest rid: 6230e8f1-30cc6d11-51ff3f65"}`)
			return
		}
		(*a.answer.Load())(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func newAdapter(t *testing.T, base string, tokens TokenStore, adjust ...func(*WeChatApp)) *WeChat {
	t.Helper()
	apps := []WeChatApp{
		{Name: "official", Kind: disclosure.AppOfficial, AppID: "wxofficial", Secret: "TOPSECRET", Token: "callback-token", AESKey: strings.Repeat("B", 42) + "A", Mode: ModeSafe},
		{Name: "mini", Kind: disclosure.AppMini, AppID: "wxmini", Secret: "TOPSECRET", Token: "callback-token", Mode: ModePlain},
	}
	for _, f := range adjust {
		f(&apps[0])
	}
	w, err := NewWeChat(WeChatConfig{APIURL: base, OpenURL: base, Apps: apps}, tokens, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

func follower() Message {
	return Message{Channel: disclosure.ChannelTemplate, App: "wxofficial", OpenID: "oOPENID-OF-A-PERSON-1234567890", Template: "tpl", Key: "key",
		Fields: []disclosure.FittedField{{CardField: disclosure.CardField{Key: "thing1"}, Text: "标题"}}, URL: "https://gongkai.test/n/1"}
}

// TestOneTokenForAll: fifty senders whose token another process made void look
// for a new one once, and all succeed (defects 11 and 12 of the library).
func TestOneTokenForAll(t *testing.T) {
	a := newAPI(t)
	tokens := &memoryTokens{}
	first, second := newAdapter(t, a.URL, tokens), newAdapter(t, a.URL, tokens)
	if id, err := first.Send(t.Context(), follower()); err != nil || id != "3557254367693750277" {
		t.Fatalf("Send = %q, %v; a message id above 2^53 keeps its digits", id, err)
	}
	a.valid.Store("TOKEN-stolen")
	before := a.fetches.Load()
	var wg sync.WaitGroup
	var failed atomic.Int64
	for i := range 50 {
		w := first
		if i%2 == 1 {
			w = second
		}
		wg.Go(func() {
			if _, err := w.Send(t.Context(), follower()); err != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := a.fetches.Load() - before; failed.Load() != 0 || n > 2 {
		t.Errorf("%d of 50 sends failed, the token was fetched %d times", failed.Load(), n)
	}
	tokens.mu.Lock()
	tokens.fail = true
	tokens.mu.Unlock()
	if _, err := first.Send(t.Context(), follower()); err != nil {
		t.Errorf("with the shared store away the process's own copy serves: %v", err)
	}
}

// TestWaitingForATokenIsNoCall: a card that waited for a token until its time was
// over was not sent, so that one without a key is not of unknown outcome; and
// whoever comes next may ask for a token at once.
func TestWaitingForATokenIsNoCall(t *testing.T) {
	answer := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path != tokenPath {
			t.Errorf("%s was called without a token", r.URL.Path)
		}
		<-answer
	}))
	defer server.Close()
	defer close(answer)
	tokens := &memoryTokens{}
	adapters := []*WeChat{newAdapter(t, server.URL, tokens), newAdapter(t, server.URL, tokens)}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	errs := make([]error, 6)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = adapters[i%2].Send(ctx, follower()) })
	}
	wg.Wait()
	for _, err := range errs {
		if e := new(SendError); !errors.As(err, &e) || e.Class != disclosure.ClassRetry {
			t.Errorf("Send = %v, want class retry: nothing was sent", err)
		}
		checkNoSecrets(t, "no token", err)
	}
	if mine, err := tokens.LockWeChatToken(t.Context(), "", time.Now(), time.Now()); err != nil || !mine {
		t.Error("the next one waits for those who are gone")
	}
}

// TestFaultsAreTyped: every answer becomes the class that the table gives it,
// through the library too, and no error holds a secret, a token or an openid.
func TestFaultsAreTyped(t *testing.T) {
	a := newAPI(t)
	w := newAdapter(t, a.URL, &memoryTokens{})
	reply := func(text string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		class  disclosure.Class
		code   int
	}{
		{"refused by the person", reply(`{"errcode":43101,"errmsg":"user refuse to accept the msg rid: 6230e8f1-30cc6d11-51ff3f65"}`), disclosure.ClassConsent, 43101},
		{"openid in the words", reply(`{"errcode":40003,"errmsg":"invalid openid oOPENID-OF-A-PERSON-1234567890 hint"}`), disclosure.ClassIdentity, 40003},
		{"field named", reply(`{"errcode":47003,"errmsg":"argument invalid! data.thing1.value is empty"}`), disclosure.ClassTemplate, 47003},
		{"not on the list of addresses", reply(`{"errcode":40164,"errmsg":"invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist rid: x"}`), disclosure.ClassConfig, 40164},
		{"busy", reply(`{"errcode":-1,"errmsg":"system error"}`), disclosure.ClassRetry, -1},
		{"an unknown code", reply(`{"errcode":99999,"errmsg":"?"}`), disclosure.ClassRetry, 99999},
		{"HTML", reply(`<html>502</html>`), disclosure.ClassAmbiguous, 0},
		{"HTTP 502", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, disclosure.ClassAmbiguous, 0},
		{"cut off after it was taken", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = c.Close()
			}
		}, disclosure.ClassAmbiguous, 0},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"errcode":0,"x":"` + strings.Repeat("x", 2<<20) + `"}`))
		}, disclosure.ClassAmbiguous, 0},
	} {
		a.answers(tt.answer)
		_, err := w.Send(t.Context(), follower())
		e := new(SendError)
		if !errors.As(err, &e) || e.Class != tt.class || e.Code != tt.code {
			t.Errorf("%s: Send = %v, want class %s, code %d", tt.name, err, tt.class, tt.code)
			continue
		}
		checkNoSecrets(t, tt.name, err)
		if tt.code == 40164 && e.IP != "203.0.113.7" || tt.code == 47003 && e.Field != "thing1" || tt.code == 43101 && e.RID == "" {
			t.Errorf("%s: %+v", tt.name, e)
		}
		// The library's calls fail the same way (defects 7 and 9).
		if _, err := w.QR("official", "s:land:k1", time.Minute); err == nil {
			t.Errorf("%s: QR succeeded", tt.name)
		} else {
			checkNoSecrets(t, tt.name+" QR", err)
		}
		if _, err := w.Identify(t.Context(), "official", "code"); err == nil {
			t.Errorf("%s: Identify succeeded", tt.name)
		} else {
			checkNoSecrets(t, tt.name+" login", err)
		}
	}
	a.Close()
	_, err := w.Send(t.Context(), follower())
	if e := new(SendError); !errors.As(err, &e) || e.Class != disclosure.ClassRetry {
		t.Errorf("not reached: %v, want class retry: nothing was sent", err)
	}
	checkNoSecrets(t, "not reached", err)
}

func checkNoSecrets(t *testing.T, name string, err error) {
	t.Helper()
	for _, secret := range []string{"TOPSECRET", "TOKEN-", "oOPENID-OF", "ticket-", "access_token="} {
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
			t.Errorf("%s: the error holds %q: %v", name, secret, err)
		}
	}
}

// TestWhatIsSent: messages have what WeChat wants of each channel and no empty
// objects (defect 13).
func TestWhatIsSent(t *testing.T) {
	a := newAPI(t)
	w := newAdapter(t, a.URL, &memoryTokens{})
	var got map[string]any
	var path string
	a.answers(func(w http.ResponseWriter, r *http.Request) {
		got, path = map[string]any{}, r.URL.Path
		_ = json.NewDecoder(r.Body).Decode(&got)
		fmt.Fprint(w, `{"errcode":0,"msgid":1}`)
	})
	for _, tt := range []struct {
		channel disclosure.Channel
		app     string
		want    []string
	}{
		{disclosure.ChannelTemplate, "wxofficial", []string{"client_msg_id", "data", "template_id", "touser", "url"}},
		{disclosure.ChannelOfficial, "wxofficial", []string{"data", "page", "template_id", "touser"}},
		{disclosure.ChannelMini, "wxmini", []string{"data", "lang", "miniprogram_state", "template_id", "touser"}},
		{disclosure.ChannelService, "wxofficial", []string{"msgtype", "text", "touser"}},
	} {
		m := follower()
		m.Channel, m.App, m.Text = tt.channel, tt.app, "你好"
		if _, err := w.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if path != paths[tt.channel] || len(got) != len(tt.want) {
			t.Errorf("%s sent %v to %s, want members %v", tt.channel, got, path, tt.want)
		}
		for _, key := range tt.want {
			if _, ok := got[key]; !ok {
				t.Errorf("%s sent %v, want %s in it", tt.channel, got, key)
			}
		}
	}
}

// TestAnswersToCards: a card is taken when WeChat says so, by whatever id; JSON of
// somebody between us and WeChat is no such word.
func TestAnswersToCards(t *testing.T) {
	a := newAPI(t)
	w := newAdapter(t, a.URL, &memoryTokens{})
	for _, tt := range []struct{ answer, id string }{
		{`{"errcode":0,"errmsg":"ok"}`, ""},
		{`{"errcode":0,"msgid":3557254367693750277}`, "3557254367693750277"},
		{`{"errcode":0,"msgid":"49d72d_1555684067"}`, "49d72d_1555684067"},
	} {
		a.answers(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tt.answer) })
		if id, err := w.Send(t.Context(), follower()); id != tt.id || err != nil {
			t.Errorf("%s: %q, %v", tt.answer, id, err)
		}
	}
	for _, answer := range []string{`{}`, `null`, `{"code":403,"msg":"blocked by the gateway"}`} {
		a.answers(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
		_, err := w.Send(t.Context(), follower())
		if e := new(SendError); !errors.As(err, &e) || e.Class != disclosure.ClassAmbiguous {
			t.Errorf("%s: %v, want class ambiguous", answer, err)
		}
	}
}

// TestLoginCodes: a code is not put into a URL before it is looked at (defect
// 15); a made-up identity is not kept.
func TestLoginCodes(t *testing.T) {
	a := newAPI(t)
	w := newAdapter(t, a.URL, &memoryTokens{})
	called := false
	a.answers(func(w http.ResponseWriter, r *http.Request) {
		called = true
		if r.URL.Query().Get("secret") != "TOPSECRET" {
			t.Errorf("asked with the secret %q", r.URL.Query().Get("secret"))
		}
		fmt.Fprint(w, `{"openid":"o1","unionid":"u1","is_snapshotuser":1}`)
	})
	for _, code := range []string{"", "X&appid=evil", "a b", "码", strings.Repeat("x", 129), "x#y", "../x"} {
		if _, err := w.Identify(t.Context(), "mini", code); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeLogin}) {
			t.Errorf("Identify(%q) = %v", code, err)
		}
	}
	if called {
		t.Error("WeChat was asked for a code that is none")
	}
	if who, err := w.Identify(t.Context(), "mini", "good_code"); err != nil || who.OpenID != "o1" || who.UnionID != "u1" || who.App != "wxmini" {
		t.Errorf("Identify = %+v, %v", who, err)
	}
	if _, err := w.Identify(t.Context(), "official", "good_code"); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeSnapshot}) {
		t.Errorf("a snapshot user: %v", err)
	}
}

// TestTokensAreCounted: a token that another program took away shows in the metrics
// of the account.
func TestTokensAreCounted(t *testing.T) {
	a := newAPI(t)
	w := newAdapter(t, a.URL, &memoryTokens{})
	for range 2 {
		if _, err := w.Send(t.Context(), follower()); err != nil {
			t.Fatal(err)
		}
	}
	a.valid.Store("TOKEN-stolen")
	if _, err := w.Send(t.Context(), follower()); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(New(Config{}, nil, w, NewSigner("k"), slog.New(slog.DiscardHandler), time.Now, "w1").Metrics())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "gongkai_push_tokens_total" {
				got[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	if want := map[string]float64{"official fetched": 2, "official taken": 1, "mini taken": 0}; !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}
