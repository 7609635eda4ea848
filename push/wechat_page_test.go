package push

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPageSignatureVector is the example of WeChat's own documentation.
func TestPageSignatureVector(t *testing.T) {
	got := pageSignature("sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg", "Wm3WZYTPz0wzccnW", 1414587457,
		"http://mp.weixin.qq.com?params=value")
	if want := "0f9de62fce790f9a083d5c99e95740ceb90c27ed"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

// TestPagesShareOneTicket: many pages at once ask WeChat once, and again only
// when the ticket is about to end.
func TestPagesShareOneTicket(t *testing.T) {
	var asked atomic.Int64
	a := newAPI(t)
	a.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != pageTicketPath || r.URL.Query().Get("type") != "jsapi" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","ticket":"TICKET-%d","expires_in":7200}`, asked.Add(1))
	})
	w := newAdapter(t, a.URL, &memoryTokens{})
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	w.now = func() time.Time { return now }
	s := NewPageSigner(w, "official", []string{"T1"})
	sign := func() string {
		p, err := s.SignPage(t.Context(), "https://gongkai.test/subscribe?sector=housing")
		if err != nil || p.AppID != "wxofficial" || p.Timestamp != now.Unix() || p.TemplateList() != "T1" ||
			p.Signature != pageSignature(fmt.Sprintf("TICKET-%d", asked.Load()), p.Nonce, p.Timestamp, "https://gongkai.test/subscribe?sector=housing") {
			t.Errorf("signed %+v, %v", p, err)
		}
		return p.Nonce
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { sign() })
	}
	all.Wait()
	if first, second := sign(), sign(); first == second {
		t.Error("two pages have the same nonce")
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times for one ticket", asked.Load())
	}
	now = now.Add(2*time.Hour - tokenMargin)
	if sign(); asked.Load() != 2 {
		t.Errorf("an old ticket was asked for %d times", asked.Load())
	}
}

// TestPageWithoutTicket: a refusal is told without the ticket or the token, and
// is not kept.
func TestPageWithoutTicket(t *testing.T) {
	a := newAPI(t)
	answers := func(text string) {
		a.answers(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
	}
	s := NewPageSigner(newAdapter(t, a.URL, &memoryTokens{}), "official", nil)
	for _, answer := range []string{`{"errcode":48001,"errmsg":"api unauthorized"}`, `{"errcode":0}`, `no JSON`} {
		answers(answer)
		_, err := s.SignPage(t.Context(), "https://gongkai.test/subscribe")
		if err == nil || strings.Contains(err.Error(), "TOKEN-1") || strings.Contains(err.Error(), "TOPSECRET") {
			t.Errorf("%s: %v", answer, err)
		}
	}
	answers(`{"ticket":"T","expires_in":7200}`)
	if _, err := s.SignPage(t.Context(), "https://gongkai.test/subscribe"); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
	if _, err := NewPageSigner(s.wechat, "nobody", nil).SignPage(t.Context(), "x"); err == nil {
		t.Error("an account that is not configured signs")
	}
}
