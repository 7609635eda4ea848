package handlers_test

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/cache"
	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

func basicAuth(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// metricsText is what operations scrape.
func (w *world) metricsText(t *testing.T) string {
	t.Helper()
	ops := handlers.NewOps(handlers.OpsConfig{Cache: w.cache, Metrics: w.edge.Metrics(), Queries: w.store.Queries, Calls: w.store, Now: w.Now})
	rec := httptest.NewRecorder()
	ops.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	return rec.Body.String()
}

// metric sums the series of a name.
func (w *world) metric(t *testing.T, name string) (sum float64) {
	t.Helper()
	for line := range strings.SplitSeq(w.metricsText(t), "\n") {
		if !strings.HasPrefix(line, name) {
			continue
		}
		v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}

// The ways in which what stands behind the hotline fails.
const (
	works int32 = iota
	fails
	hangs
	panics
)

// shaky stands between the edge and what it reads.
type shaky struct {
	mode atomic.Int32
	over chan struct{} // closed at the test's end
}

var errDown = errors.New("connection refused")

func (s *shaky) fault() error {
	switch s.mode.Load() {
	case fails:
		return errDown
	case hangs:
		<-s.over // heeds no context
		return errDown
	case panics:
		panic("a bug")
	}
	return nil
}

type shakyCache struct {
	handlers.Cache
	*shaky
}

func (s shakyCache) Get(ctx context.Context, key string, fill func(context.Context) (*disclosure.Answer, error)) (*disclosure.Answer, time.Duration, error) {
	if err := s.fault(); err != nil {
		return nil, 0, err
	}
	return s.Cache.Get(ctx, key, fill)
}

type shakyTokens struct {
	handlers.Tokens
	*shaky
}

func (s shakyTokens) Token(ctx context.Context, hash []byte) (disclosure.Token, error) {
	if err := s.fault(); err != nil {
		return disclosure.Token{}, err
	}
	return s.Tokens.Token(ctx, hash)
}

// TestIVR19Outage answers every turn with a person while the read model or the
// tokens' table is down, hangs or panics, and goes on when it is back.
func TestIVR19Outage(t *testing.T) {
	model, tokens := &shaky{over: make(chan struct{})}, &shaky{over: make(chan struct{})}
	w := hotlineWorld(t, func(c *handlers.Config) {
		c.Cache, c.Tokens = shakyCache{c.Cache, model}, shakyTokens{c.Tokens, tokens}
	})
	w.mayFail = true
	t.Cleanup(func() { close(model.over); close(tokens.over) })
	for _, format := range []string{"", "flat", "httapi", "vxml"} {
		for what, s := range map[string]*shaky{"the read model": model, "the tokens": tokens} {
			for _, mode := range []int32{fails, hangs, panics} {
				p := w.dial(t)
				p.press("1", "1")
				s.mode.Store(mode)
				r := w.call(t, "POST", turnPath, opts{as: "ivr", want: 200, body: object{"call_id": p.call, "state": p.last.State, "digits": "2", "format": format}})
				s.mode.Store(works)
				down := s == model || mode != fails // a token that was good a moment ago is taken at its word
				body := string(r.body)
				transferred := strings.Contains(body, `"action":"transfer"`) || strings.Contains(body, "<dial>") || format == "vxml" && !strings.Contains(body, "<field")
				if transferred != down {
					t.Errorf("%s, mode %d, %s: %s", what, mode, format, r.body)
				}
				if format == "" {
					checkTurn(t, r.body)
				}
				if got := p.press("2"); got.node() != "list" {
					t.Errorf("after %s mode %d: %s", what, mode, got.raw)
				}
			}
		}
	}
	if n := w.metric(t, "gongkai_ivr_failures_total"); n != 4*5 {
		t.Errorf("%v failures are counted, want %d", n, 4*5)
	}
	tokens.mode.Store(fails)
	w.call(t, "POST", turnPath, opts{want: 200, header: map[string]string{"Authorization": "Bearer never-seen"}})
	tokens.mode.Store(works)
	w.call(t, "POST", turnPath, opts{want: 401, header: map[string]string{"Authorization": "Bearer never-seen"}})
}

// TestIVR19RedisDown answers as ever while Redis is out of reach.
func TestIVR19RedisDown(t *testing.T) {
	shared, err := cache.NewShared("redis://127.0.0.1:1/0", "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shared.Close() })
	w := hotlineWorld(t, func(c *handlers.Config) {
		behind := cache.New(cache.Options{Source: c.Reader, Now: c.Now, Shared: shared})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = behind.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-done })
		if err := behind.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		c.Cache = behind
	})
	w.mayFail = true
	if got := w.dial(t).press("1", "1", "2", "1"); got.node() != "detail" {
		t.Errorf("without Redis: %s", got.raw)
	}
}
