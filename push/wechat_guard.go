package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"

	"gongkai/internal/disclosure"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// guard is the one way to WeChat. It puts the real token or secret where the
// caller has a ticket, sends the request where the account says, fetches a new
// token and tries once more when WeChat says that the old one is void, and turns
// every refusal into a *SendError that holds neither URL nor token.
type guard struct {
	next http.RoundTripper
}

var errNoAccount = errors.New("push: a call to WeChat without an account of ours")

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	a := accountOfRequest(q)
	if a == nil {
		return nil, errNoAccount
	}
	body, err := readRequest(req)
	if err != nil {
		return nil, err
	}
	if q.Get("access_token") != a.ticket { // sns/*: appid and secret, or a person's own token
		if q.Has("secret") {
			q.Set("secret", a.Secret)
		}
		return g.try(req, a, q, body)
	}
	token, err := a.tokens.get(req.Context())
	if err != nil {
		return nil, err
	}
	q.Set("access_token", token)
	res, err := g.try(req, a, q, body)
	if refusal := new(SendError); errors.As(err, &refusal) && refusal.Class == disclosure.ClassToken {
		if token, err = a.tokens.renew(req.Context(), token); err != nil {
			return nil, err
		}
		q.Set("access_token", token)
		return g.try(req, a, q, body)
	}
	return res, err
}

func accountOfRequest(q url.Values) *account {
	for _, key := range []string{"access_token", "secret"} {
		if a, ok := registry.Load(q.Get(key)); ok {
			return a.(*account)
		}
	}
	return nil
}

func readRequest(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }()
	return io.ReadAll(io.LimitReader(req.Body, maxAnswer))
}

// try makes one call with the query given.
func (g *guard) try(req *http.Request, a *account, q url.Values, body []byte) (*http.Response, error) {
	out := req.Clone(req.Context())
	target := *a.base
	target.Path = strings.TrimSuffix(a.base.Path, "/") + req.URL.Path
	target.RawQuery = q.Encode()
	out.URL, out.Host = &target, ""
	if body != nil {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return exchange(g.next, out, req.URL.Path)
}

// exchange sends a request and judges the answer. What was not written for sure
// did not happen; what was, and has no answer to be understood, may have.
func exchange(next http.RoundTripper, req *http.Request, path string) (*http.Response, error) {
	var written atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }}
	res, err := next.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		class, text := disclosure.ClassRetry, "not reached"
		if written.Load() {
			class, text = disclosure.ClassAmbiguous, "no answer"
		}
		if errors.Is(err, context.DeadlineExceeded) {
			text += " in time"
		}
		return nil, &SendError{Path: path, Class: class, Text: text}
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	_ = res.Body.Close()
	switch {
	case err != nil:
		return nil, &SendError{Path: path, Class: disclosure.ClassAmbiguous, Text: "the answer broke off"}
	case len(answer) > maxAnswer:
		return nil, &SendError{Path: path, Class: disclosure.ClassAmbiguous, Text: "the answer is too large"}
	case res.StatusCode != http.StatusOK:
		return nil, &SendError{Path: path, Class: disclosure.ClassAmbiguous, Text: "HTTP " + res.Status[:3]}
	}
	if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); !strings.HasPrefix(media, "image/") {
		if err := refusal(path, answer); err != nil {
			return nil, err
		}
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
	return res, nil
}

// refusal returns the *SendError an answer stands for, or nil.
func refusal(path string, answer []byte) error {
	var status struct {
		Code    int    `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if json.Unmarshal(answer, &status) != nil {
		return &SendError{Path: path, Class: disclosure.ClassAmbiguous, Text: "the answer is not JSON"}
	}
	if status.Code == 0 {
		return nil
	}
	e := &SendError{Path: path, Code: status.Code, Class: classOf(status.Code), Text: plainMessage(status.Message)}
	if m := ridForm.FindStringSubmatch(status.Message); m != nil {
		e.RID = m[1]
	}
	if m := fieldForm.FindStringSubmatch(status.Message); m != nil {
		e.Field = m[1]
	}
	if m := ipForm.FindStringSubmatch(status.Message); m != nil && status.Code == 40164 {
		e.IP = m[1]
		e.Text = "invalid ip " + m[1] + ", not in whitelist"
	}
	return e
}

var (
	ridForm   = regexp.MustCompile(`rid: ?([0-9a-fA-F-]{8,40})`)
	fieldForm = regexp.MustCompile(`data\.([a-z_]+\d+)\.value`)
	ipForm    = regexp.MustCompile(`invalid ip ([0-9a-fA-F.:]+)`)
	longWord  = regexp.MustCompile(`[A-Za-z0-9_\-]{20,}`)
)

// plainMessage takes out of WeChat's words what may be an openid or a token.
func plainMessage(s string) string {
	s, _, _ = strings.Cut(s, " rid:")
	s = longWord.ReplaceAllString(s, "…")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return strings.TrimSpace(s)
}
