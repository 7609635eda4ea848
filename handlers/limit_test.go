package handlers_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/cache"
	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

// limited serves one request a second and two at once to each client.
func limited(trusted ...string) func(*handlers.Config) {
	return func(c *handlers.Config) {
		c.Rate, c.Burst = 1, 1
		for _, p := range trusted {
			c.Trusted = append(c.Trusted, netip.MustParsePrefix(p))
		}
	}
}

// Who a client is: behind trusted proxies the nearest address that is not one of
// them, whatever it wrote before.
func TestClientBehindProxies(t *testing.T) {
	const proxy = "127.0.0.0/8"
	worlds := map[string]*world{} // by what they trust
	for _, tt := range []struct {
		name          string
		trusted       []string
		first, second string // X-Forwarded-For, lines separated by |
		same          bool   // one client
	}{
		{"without a proxy the header is nothing", nil, "1.2.3.4", "5.6.7.8", true},
		{"a peer that is not trusted writes what it likes", []string{"10.0.0.0/8"}, "1.2.3.4", "5.6.7.8", true},
		{"two clients of a proxy", []string{proxy}, "1.2.3.4", "5.6.7.8", false},
		{"one client of a proxy", []string{proxy}, "1.2.3.4", "1.2.3.4", true},
		{"what the client wrote does not count", []string{proxy}, "9.9.9.9, 1.2.3.4", "8.8.8.8, 1.2.3.4", true},
		{"nor in a line of its own", []string{proxy}, "9.9.9.9|1.2.3.4", "8.8.8.8|1.2.3.4", true},
		{"nor as a trusted proxy", []string{proxy, "10.0.0.0/8"}, "9.9.9.9, 10.1.1.1, 1.2.3.4", "10.2.2.2, 1.2.3.4", true},
		{"two proxies in a row", []string{proxy, "10.0.0.0/8"}, "1.2.3.4, 10.1.1.1", "5.6.7.8, 10.1.1.1", false},
		{"two proxies, one not trusted", []string{proxy}, "1.2.3.4, 10.1.1.1", "5.6.7.8, 10.1.1.1", true},
		{"garbage ends the walk", []string{proxy}, "1.2.3.4, unknown", "5.6.7.8, unknown", true},
		{"blanks do not matter", []string{proxy}, "1.2.3.4", "  1.2.3.4  ", true},
		{"IPv4 written as IPv6", []string{proxy}, "1.2.3.4", "::ffff:1.2.3.4", true},
		{"IPv6 of one network", []string{proxy}, "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"IPv6 of two networks", []string{proxy}, "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"a port is no address", []string{proxy}, "1.2.3.4:80", "5.6.7.8:80", true},
		{"no header from the proxy", []string{proxy}, "", "", true},
	} {
		if key := strings.Join(tt.trusted, " "); worlds[key] == nil {
			worlds[key] = start(t, limited(tt.trusted...))
		}
		t.Run(tt.name, func(t *testing.T) {
			w := worlds[strings.Join(tt.trusted, " ")]
			w.advance(time.Minute) // everybody may ask again
			ask := func(lines string) int {
				request := "GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
				for line := range strings.SplitSeq(lines, "|") {
					request += "X-Forwarded-For: " + line + "\r\n"
				}
				return w.raw(t, request+"\r\n").status
			}
			if a, b := ask(tt.first), ask(tt.first); a != 404 || b != 404 {
				t.Fatalf("the first two = %d, %d", a, b)
			}
			want := 404
			if tt.same {
				want = 429
			}
			if got := ask(tt.second); got != want {
				t.Errorf("the third = %d, want %d", got, want)
			}
		})
	}
}

// What is too much is refused with the time to wait, from the cache too, and no
// later than that it is served again.
func TestRateLimit(t *testing.T) {
	w := start(t, limited())
	w.get(t, "/api/v1/sectors")
	w.get(t, "/api/v1/sectors")
	for range 3 {
		r := w.call(t, "GET", "/api/v1/sectors", opts{want: 429})
		if r.text("code") != "rate.limited" || r.header.Get("Retry-After") != "1" || r.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(r.text("detail"), "1 秒") {
			t.Errorf("refused: %v %s", r.header, r.body)
		}
	}
	if r := w.call(t, "HEAD", "/api/v1/sectors", opts{want: 429}); len(r.body) > 0 {
		t.Errorf("HEAD with a body: %s", r.body)
	}
	w.advance(time.Second)
	w.get(t, "/api/v1/sectors")
	w.call(t, "GET", "/api/v1/sectors", opts{want: 429})
	// Staff and the telephone engine are not limited; who guesses tokens is.
	for range 10 {
		w.call(t, "GET", staffNotices, opts{as: "editor", want: 200})
		w.call(t, "GET", "/api/v1/sectors", opts{as: "ivr", want: 200})
	}
	// A header that only looks like a token is no way around the limit.
	for _, header := range []string{"Bearer guess", "x", "Basic eDp4"} {
		w.call(t, "GET", "/api/v1/sectors", opts{header: map[string]string{"Authorization": header}, want: 429})
	}
	w.advance(10 * time.Second)
	var got []int
	for range 4 {
		r := w.call(t, "GET", staffNotices, opts{header: map[string]string{"Authorization": "Bearer guess"}, want: anyStatus})
		got = append(got, r.status)
	}
	if fmt.Sprint(got) != "[401 401 429 429]" {
		t.Errorf("guessing tokens = %v", got)
	}
	w.call(t, "GET", "/api/v1/sectors", opts{want: 429})
}

// A person's requests count once, like anybody's.
func TestRateLimitOfPersons(t *testing.T) {
	w := start(t, limited())
	w.signIn(t)
	for _, want := range []int{200, 200, 429} {
		w.call(t, "GET", "/api/v1/me", opts{as: "person", want: want})
	}
}

// slowTokens is a database that takes its time to find a token.
type slowTokens struct {
	handlers.Tokens
	meanwhile func()
}

func (s *slowTokens) Token(ctx context.Context, hash []byte) (disclosure.Token, error) {
	if s.meanwhile != nil {
		s.meanwhile()
	}
	return s.Tokens.Token(ctx, hash)
}

// While a token is looked up, a lease may end and a notice be withdrawn elsewhere:
// what the cache held before is not served after.
func TestTokenLookedUpBeforeTheCache(t *testing.T) {
	slow := &slowTokens{}
	w := start(t, limited(), func(c *handlers.Config) { slow.Tokens, c.Tokens = c.Tokens, slow })
	w.stock(t, tender, "道路工程招标公告")
	path := "/api/v1/notices/" + w.get(t, "/api/v1/notices").text("items.0.id")
	w.get(t, path) // both of the two that a client has
	w.call(t, "GET", path, opts{want: 429})
	slow.meanwhile = func() {
		r := disclosure.Request{Actor: staff["reviewer"]}
		ref := disclosure.NoticeRef{ID: strings.TrimPrefix(path, "/api/v1/notices/")}
		if _, err := w.service.Withdraw(context.Background(), r, ref, "有误", false); err != nil {
			t.Error(err)
		}
		w.advance(cache.Lease)
	}
	w.call(t, "GET", path, opts{as: "ivr", want: 410})
}

// A limit counts exactly when many requests come at once.
func TestRateLimitAtOnce(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.Rate, c.Burst = 1, 19 })
	var served, refused atomic.Int64
	var all sync.WaitGroup
	for range 60 {
		all.Go(func() {
			if r := w.call(t, "GET", "/api/v1/sectors", opts{want: anyStatus}); r.status == 200 {
				served.Add(1)
			} else {
				refused.Add(1)
			}
		})
	}
	all.Wait()
	if served.Load() != 20 || refused.Load() != 40 {
		t.Errorf("%d served and %d refused, want 20 and 40", served.Load(), refused.Load())
	}
}
