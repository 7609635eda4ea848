package handlers_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"gongkai/internal/disclosure"
)

// opts is what a call may carry beyond its method and path.
type opts struct {
	as     string            // who of staff, "" for the public
	body   any               // []byte and string as they are, all else as JSON
	header map[string]string // over the defaults; "" removes one
	want   int               // status; 0 accepts any below 400
}

// anyStatus accepts errors too.
const anyStatus = -1

// reply is an answer that was checked against the contract.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// call sends a request and checks the answer: the status asked for, and all
// that holds for any answer.
func (w *world) call(t *testing.T, method, path string, o opts) reply {
	t.Helper()
	var body io.Reader
	switch b := o.body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	case string:
		body = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if o.as != "" {
		req.Header.Set("Authorization", "Bearer "+w.secrets[o.as])
	}
	for name, value := range o.header {
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	res, err := w.client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return w.answered(t, req, res, o.want)
}

// get asks for a public document that is there.
func (w *world) get(t *testing.T, path string) reply {
	t.Helper()
	return w.call(t, "GET", path, opts{want: 200})
}

// raw sends bytes that no client library would, and reads one answer.
func (w *world) raw(t *testing.T, request string) reply {
	t.Helper()
	conn, err := net.DialTimeout("tcp", w.addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before it has read all
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	return w.answered(t, nil, res, 0)
}

// answered reads an answer and checks what holds for all of them. req is nil
// when the request was not one.
func (w *world) answered(t *testing.T, req *http.Request, res *http.Response, want int) reply {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{t, res.StatusCode, res.Header, body}
	switch {
	case want > 0 && r.status != want:
		t.Fatalf("%s = %d, want %d\n%s", requestLine(req), r.status, want, body)
	case want == 0 && r.status >= 400 && req != nil:
		t.Fatalf("%s = %d\n%s", requestLine(req), r.status, body)
	}
	if r.header.Get("X-Request-Id") == "" || r.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s: no request id, or no nosniff: %v", requestLine(req), r.header)
	}
	if r.status >= 400 {
		if r.isPage() {
			r.checkErrorPage(t, req)
		} else {
			r.checkProblem(t, req)
		}
		w.checkQuiet(t, r)
	}
	describe(t, req, r)
	return r
}

func requestLine(req *http.Request) string {
	if req == nil {
		return "raw request"
	}
	return req.Method + " " + req.URL.RequestURI()
}

// checkProblem checks what every error tells: its own code's title and status,
// the request's id, and Chinese a person understands.
func (r reply) checkProblem(t *testing.T, req *http.Request) {
	t.Helper()
	if got := r.header.Get("Content-Type"); got != "application/problem+json; charset=utf-8" {
		t.Errorf("%s: %d has Content-Type %q", requestLine(req), r.status, got)
	}
	if got := r.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("%s: %d has Cache-Control %q", requestLine(req), r.status, got)
	}
	if req != nil && req.Method == http.MethodHead {
		return
	}
	code := r.text("code")
	known, ok := disclosure.Problems[disclosure.Code(code)]
	if !ok || r.text("title") != known.Title || r.text("type") != "/problems/"+code {
		t.Errorf("%s: %s is no known problem", requestLine(req), r.body)
	}
	if r.text("request_id") != r.header.Get("X-Request-Id") || r.number("status") != r.status {
		t.Errorf("%s: the problem is of another request or status: %s", requestLine(req), r.body)
	}
	if !chinese(r.text("detail")) {
		t.Errorf("%s: detail %q is not for people", requestLine(req), r.text("detail"))
	}
	for i := range r.len("errors") {
		at := "errors." + strconv.Itoa(i)
		if r.text(at+".field") == "" || r.text(at+".code") == "" || !chinese(r.text(at+".message")) {
			t.Errorf("%s: fault %d does not say what is wrong where: %s", requestLine(req), i, r.body)
		}
	}
}

// isPage reports whether the answer is HTML, as people are told.
func (r reply) isPage() bool { return r.header.Get("Content-Type") == "text/html; charset=utf-8" }

// checkErrorPage checks what every error page does: say what happened, lead
// somewhere, be kept by nobody and load nothing from elsewhere.
func (r reply) checkErrorPage(t *testing.T, req *http.Request) {
	t.Helper()
	if r.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(r.header.Get("Content-Security-Policy"), "default-src 'none';") {
		t.Errorf("%s: %d as a page has the headers %v", requestLine(req), r.status, r.header)
	}
	if req != nil && req.Method == http.MethodHead {
		return
	}
	if !r.holds(`href="/"`) || !r.holds("<h1") || !chinese(string(r.body)) {
		t.Errorf("%s: the error page leads nowhere: %s", requestLine(req), r.body)
	}
}

func chinese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
}

// inner is what only a programmer would say.
var inner = regexp.MustCompile(`(?i)\bsql|sqlite|constraint|goroutine|\.go\b|runtime error|panic|nil pointer|context (deadline|canceled)|` +
	`unexpected e|json:|invalid character|strconv|fasthttp|fiber|mime:|multipart:|database is|no such|disclosure|gongkai/`)

// checkQuiet fails on an error that tells a secret or how the program is made.
func (w *world) checkQuiet(t *testing.T, r reply) {
	t.Helper()
	if found := inner.FindString(string(r.body)); found != "" {
		t.Errorf("an error tells of the program (%q): %s", found, r.body)
	}
	for who, secret := range w.secrets {
		if bytes.Contains(r.body, []byte(secret)) {
			t.Errorf("an error holds the token of %s: %s", who, r.body)
		}
	}
	if bytes.Contains(r.body, []byte(idNumber)) {
		t.Errorf("an error holds an ID number: %s", r.body)
	}
}

// at returns the member at a path such as "items.0.title"; a missing one fails
// the test, as members are always present.
func (r reply) at(path string) any {
	r.t.Helper()
	var v any
	dec := json.NewDecoder(bytes.NewReader(r.body))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		r.t.Fatalf("%v in %.300s", err, r.body)
	}
	for part := range strings.SplitSeq(path, ".") {
		if path == "" {
			return v
		}
		switch x := v.(type) {
		case map[string]any:
			member, ok := x[part]
			if !ok {
				r.t.Fatalf("no member %s (of %s) in %.1000s", part, path, r.body)
			}
			v = member
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(x) {
				r.t.Fatalf("no element %s (of %s) in %.1000s", part, path, r.body)
			}
			v = x[i]
		default:
			r.t.Fatalf("nothing at %s in %.1000s", path, r.body)
		}
	}
	return v
}

// text returns the string at a path, "" for null.
func (r reply) text(path string) string {
	r.t.Helper()
	switch v := r.at(path).(type) {
	case string:
		return v
	case nil:
		return ""
	default:
		r.t.Fatalf("%s is %v, no string", path, v)
		return ""
	}
}

func (r reply) number(path string) int {
	r.t.Helper()
	n, ok := r.at(path).(json.Number)
	if !ok {
		r.t.Fatalf("%s is %v, no number", path, r.at(path))
	}
	i, err := n.Int64()
	if err != nil {
		r.t.Fatal(err)
	}
	return int(i)
}

// len returns how many elements the list at a path has.
func (r reply) len(path string) int {
	r.t.Helper()
	list, ok := r.at(path).([]any)
	if !ok {
		r.t.Fatalf("%s is %v, no list", path, r.at(path))
	}
	return len(list)
}

// texts returns the strings that the elements of a list have at a path.
func (r reply) texts(list, path string) []string {
	r.t.Helper()
	out := []string{}
	for i := range r.len(list) {
		out = append(out, r.text(list+"."+strconv.Itoa(i)+"."+path))
	}
	return out
}

func (r reply) holds(text string) bool { return bytes.Contains(r.body, []byte(text)) }
