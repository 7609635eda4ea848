package wechatsim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a simulator in a test: callbacks arrive at a function, without a
// network, and time moves when it is told to or, in a bubble of synctest, when
// everybody waits.
type world struct {
	*Sim
	t *testing.T

	mu    sync.Mutex
	posts []post
	// answer says what the account's server answers; nil: success.
	answer func(post) (status int, body string, err error)
}

// errHang makes the account's server silent.
var errHang = errors.New("hang")

// post is a callback as it arrived.
type post struct {
	at    time.Time
	query url.Values
	mime  string
	body  string
}

// start makes a world with the demo's accounts, changed as the test likes, and
// delivers callbacks until the test ends.
func start(t *testing.T, adjust ...func(official, mini *Account)) *world {
	t.Helper()
	w := &world{t: t}
	accounts := Demo("http://callback.test")
	for _, f := range adjust {
		f(&accounts[0], &accounts[1])
	}
	sim, err := New(Options{Now: time.Now, Accounts: accounts, People: []string{"王大爷", "李会计"}, Transport: w})
	if err != nil {
		t.Fatal(err)
	}
	w.Sim = sim
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = sim.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return w
}

// RoundTrip receives a callback.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	p := post{at: time.Now(), query: r.URL.Query(), mime: r.Header.Get("Content-Type")}
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		p.body = string(b)
	}
	w.mu.Lock()
	w.posts = append(w.posts, p)
	answer := w.answer
	w.mu.Unlock()
	status, body := http.StatusOK, "success"
	if answer != nil {
		var err error
		if status, body, err = answer(p); errors.Is(err, errHang) {
			<-r.Context().Done()
		}
		if err != nil {
			return nil, err
		}
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: r, Header: http.Header{}}, nil
}

func (w *world) answers(f func(post) (int, string, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

func (w *world) received() []post {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]post(nil), w.posts...)
}

func (w *world) official() *account { return w.accountByApp("official") }
func (w *world) mini() *account     { return w.accountByApp("mini") }

// openID is a person's id in an account.
func (w *world) openID(app, person string) string {
	return w.byID[person].standing[w.accountByApp(app)].openID
}

// template is the id of an account's template of a type.
func (w *world) template(app string, kind TemplateType) string {
	for _, t := range w.accountByApp(app).Templates {
		if t.Type == kind {
			return t.ID
		}
	}
	w.t.Fatalf("%s has no template of type %d", app, kind)
	return ""
}

// do makes a request and returns the answer's status and text.
func (w *world) do(method, target, body string) (int, string) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	w.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

type object = map[string]any

// json makes a request and decodes the answer.
func (w *world) json(method, target string, body any) object {
	w.t.Helper()
	var b []byte
	switch body := body.(type) {
	case nil:
	case string:
		b = []byte(body)
	default:
		var err error
		if b, err = json.Marshal(body); err != nil {
			w.t.Fatal(err)
		}
	}
	_, text := w.do(method, target, string(b))
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var out object
	if err := d.Decode(&out); err != nil {
		w.t.Fatalf("%s %s: %v: %s", method, target, err, text)
	}
	return out
}

// token is an access_token of an account.
func (w *world) token(app string) string {
	w.t.Helper()
	a := w.accountByApp(app)
	out := w.json("POST", "/cgi-bin/stable_token", object{"grant_type": "client_credential", "appid": a.AppID, "secret": a.Secret})
	token, ok := out["access_token"].(string)
	if !ok {
		w.t.Fatalf("no token: %v", out)
	}
	return token
}

// call makes an API call with a good token.
func (w *world) call(app, path string, body any) object {
	w.t.Helper()
	method := "POST"
	if body == nil {
		method = "GET"
	}
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return w.json(method, path+separator+"access_token="+w.token(app), body)
}

// code is the errcode of an answer; 0 if it has none.
func code(out object) int {
	n, ok := out["errcode"].(json.Number)
	if !ok {
		return 0
	}
	i, _ := n.Int64()
	return int(i)
}

// act does something as a person.
func (w *world) act(person, action string, body object) object {
	w.t.Helper()
	if body == nil {
		body = object{}
	}
	return w.json("POST", "/demo/sim/people/"+person+"/"+action, body)
}

// notice is the data of a good message, changed as the test likes.
func notice(changes object) object {
	data := object{}
	for _, k := range noticeKeywords() {
		data[k.Key] = object{"value": k.Sample}
	}
	maps.Copy(data, changes)
	return data
}

// message is a good message of a type of template.
func (w *world) message(app, person string, kind TemplateType, changes object) object {
	m := object{"touser": w.openID(app, person), "template_id": w.template(app, kind), "data": notice(nil)}
	maps.Copy(m, changes)
	return m
}

const (
	pathTemplate  = "/cgi-bin/message/template/send"
	pathBizSend   = "/cgi-bin/message/subscribe/bizsend"
	pathSubscribe = "/cgi-bin/message/subscribe/send"
	pathCustom    = "/cgi-bin/message/custom/send"
)

// sent is what the control plane says a person got.
func (w *world) sent(person string) []any {
	items, _ := w.json("GET", "/demo/sim/sent?person="+person, nil)["items"].([]any)
	return items
}
