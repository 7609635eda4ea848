package handlers_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"gongkai/handlers"
)

// Below /demo/ an http.Handler answers, as it would under net/http.
func TestDemoSite(t *testing.T) {
	var kept []string // what the handler keeps must not change with later requests
	site := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/demo/cut":
			panic(http.ErrAbortHandler)
		case "/demo/bug":
			panic("a bug")
		case "/demo/nothing":
			return
		}
		kept = append(kept, r.Method+" "+r.URL.Path+" "+r.URL.Query().Get("q")+" "+r.Header.Get("X-Word"))
		b, _ := io.ReadAll(r.Body)
		if r.RemoteAddr == "" || r.Host == "" {
			t.Errorf("RemoteAddr %q, Host %q", r.RemoteAddr, r.Host)
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "got "+string(b))
	})
	w := start(t, func(c *handlers.Config) { c.Demo, c.DemoSite, c.Rate, c.Burst = true, site, 1, 1 })
	ask := func(method, path, body string) (*http.Response, string, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Word", "w"+body)
		res, err := w.client.Do(req)
		if err != nil {
			return nil, "", err
		}
		defer func() { _ = res.Body.Close() }()
		b, err := io.ReadAll(res.Body)
		return res, string(b), err
	}
	for _, word := range []string{"a", "b", "c", "d"} { // more than the limit allows elsewhere
		res, body, err := ask(http.MethodPost, "/demo/"+word+"?q="+word, word)
		if err != nil || res.StatusCode != http.StatusTeapot || body != "got "+word || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Fatalf("POST /demo/%s: %v %v %q", word, res, err, body)
		}
	}
	if got := strings.Join(kept, ", "); got != "POST /demo/a a wa, POST /demo/b b wb, POST /demo/c c wc, POST /demo/d d wd" {
		t.Errorf("the handler has kept %s", got)
	}
	if res, body, err := ask(http.MethodGet, "/demo/nothing", ""); err != nil || res.StatusCode != http.StatusOK || body != "" {
		t.Errorf("an answer without a word: %v %v %q", res, err, body)
	}
	w.mayFail = true
	if res, body, err := ask(http.MethodGet, "/demo/bug", ""); err != nil || res.StatusCode != http.StatusInternalServerError || strings.Contains(body, "a bug") {
		t.Errorf("a bug: %v %v %q", res, err, body)
	}
	if _, _, err := ask(http.MethodPost, "/demo/cut", ""); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("an aborted answer: %v, want a reset", err)
	}
}

func TestNoDemoSiteOutsideTheDemo(t *testing.T) {
	w := start(t)
	if r := w.call(t, http.MethodGet, "/demo/phone", opts{want: http.StatusNotFound}); r.status != http.StatusNotFound {
		t.Errorf("status %d", r.status)
	}
}
