package handlers_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// plainSigner signs nothing.
type plainSigner struct{}

// Open implements handlers.Signer.
func (plainSigner) Open(signed string) (int64, error) { return strconv.ParseInt(signed, 10, 64) }

// FeedKey implements handlers.Signer.
func (plainSigner) FeedKey(string) string { return "" }

// TestDigestPage: the link of a digest leads to the notices it is about.
func TestDigestPage(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.Signer = plainSigner{} })
	storetest.People(t, w.url, 1, storetest.Crowd{App: "wxofficial", Kind: disclosure.AppOfficial, Sector: "construction", Mode: disclosure.ModeDaily})
	ctx := context.Background()
	for _, title := range []string{"道路招标", "桥梁招标"} {
		storetest.Publish(t, w.store, storetest.Content(t, w.store.Catalog(), "construction.tender_notice", title), w.Now())
		f, ok, err := w.store.ClaimEvent(ctx, "hand", 0, w.Now(), time.Minute)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		f.State, f.Cursor = disclosure.EventMatched, 1
		if _, _, err := w.store.Expand(ctx, "hand", f, nil, []int64{1}, w.Now(), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := w.store.Digest(ctx, "2026-11-24", 10, w.Now().AddDate(0, 0, 1)); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	page := string(w.get(t, "/why/3").body)
	for _, want := range []string{"汇总的公告", "道路招标", "桥梁招标", "每日汇总", `value="pause_all"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of the digest has no %q", want)
		}
	}
}

// TestErrorsOfLinkedPagesArePages: whoever follows the link of a card, or comes
// back to a login that is over, is answered with a page and not with JSON.
func TestErrorsOfLinkedPagesArePages(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.Signer, c.WeChat = plainSigner{}, struct{ handlers.WeChat }{} }) // nobody comes as far as WeChat
	for _, tt := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/why/17", "", 404, "这张卡片的记录已经清除"},
		{"POST", "/why/17", "action=pause_all", 404, "这张卡片的记录已经清除"},
		{"GET", "/wechat/official/oauth?code=bad&state=zzz", "", 401, "请回到页面重新登录"},
	} {
		got := w.call(t, tt.method, tt.path, opts{body: tt.body, want: tt.status, header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
		if !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(string(got.body), tt.says) {
			t.Errorf("%s %s: %s\n%.400s", tt.method, tt.path, got.header.Get("Content-Type"), got.body)
		}
	}
}

// willing is a WeChat that lets everybody in.
type willing struct{ handlers.WeChat }

// AuthorizeURL implements handlers.WeChat.
func (willing) AuthorizeURL(string, string, string) (string, error) {
	return "https://open.weixin.test/", nil
}

// SignIn implements handlers.WeChat.
func (willing) SignIn(context.Context, string, string) (disclosure.SignedIn, error) {
	return disclosure.SignedIn{Secret: "the-session"}, nil
}

// TestLoginComesBackToThisSite: the session that a login brings is handed to a page
// of ours, whatever address the link to the login names.
func TestLoginComesBackToThisSite(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.WeChat, c.NewLinkCode = willing{}, func() string { return "STATE" } })
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	const home = "/subscribe"
	for to, want := range map[string]string{
		"/n/48201735?a=1&b=2": "/n/48201735?a=1&b=2",
		"//evil.test/":        home,
		"/\t/evil.test/":      home,
		"/\n/evil.test/":      home,
		"/\\evil.test/":       home,
		"https://evil.test/":  home,
		"/n/1;domain=test":    home,
	} {
		ask := func(query, cookie string) reply {
			return w.call(t, "GET", "/wechat/official/oauth?"+query, opts{header: map[string]string{"Cookie": cookie}, want: 302})
		}
		kept, err := http.ParseSetCookie(ask("to="+url.QueryEscape(to), "").header.Get("Set-Cookie"))
		if err != nil || kept.Domain != "" || kept.Value != "STATE|"+want {
			t.Errorf("%q is kept as %+v, %v", to, kept, err)
		}
		for _, cookie := range []string{"STATE|" + want, "STATE|" + to} { // a cookie may come from another time
			if strings.ContainsAny(cookie, ";\n") {
				continue // no cookie
			}
			if got := ask("code=c&state=STATE", "gk_oauth="+cookie).header.Get("Location"); got != want+"#token=the-session" {
				t.Errorf("back to %q for %q", got, to)
			}
		}
	}
}
