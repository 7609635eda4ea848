package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"gongkai/cache"
	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// server is a Redis of the test's own, which it may do anything to.
type server struct {
	t    *testing.T
	port string
	cmd  *exec.Cmd
	*redis.Client
}

// startRedis runs a Redis server until the test ends. It skips the test where
// there is none, unless all must run.
func startRedis(t *testing.T) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("GONGKAI_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip("redis-server is not installed; make test installs it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	s := &server{t: t, port: port, Client: redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})}
	t.Cleanup(func() { _ = s.Close(); s.stop() })
	s.start()
	return s
}

func (s *server) url() string { return "redis://127.0.0.1:" + s.port + "/0" }

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", "--port", s.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.t.TempDir())
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	storetest.Eventually(s.t, 10*time.Second, "redis-server answers", func() bool { return s.Ping(context.Background()).Err() == nil })
}

func (s *server) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// everything is all that the server holds, keys and values, but for the stream
// that wakes instances.
func (s *server) everything(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	keys, err := s.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if key == "gongkai:wake" {
			continue
		}
		value, err := s.Get(t.Context(), key).Result()
		if err != nil && !strings.Contains(err.Error(), "WRONGTYPE") {
			t.Fatal(err)
		}
		out[key] = value
	}
	return out
}

func newShared(t *testing.T, url, format string) *cache.Shared {
	t.Helper()
	s, err := cache.NewShared(url, format, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// instance is one process's cache over the shared layer and a feed of its own.
func instance(t *testing.T, url, format, epoch string) (*cache.Cache, *counted) {
	t.Helper()
	f := &feed{at: disclosure.Reading{Position: 7, Epoch: epoch, Catalog: &disclosure.Catalog{}}}
	c, _ := follow(t, cache.Options{Source: f, Shared: newShared(t, url, format)})
	return c, &counted{feed: f}
}

// A second instance is served from Redis what the first has read.
func TestColdInstanceIsServedFromRedis(t *testing.T) {
	r := startRedis(t)
	until := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	want := &disclosure.Answer{Type: "text/csv", Disposition: `attachment; filename="目录.csv"`, ETag: `W/"abc"`,
		Body: []byte("盐东镇\x00\xff"), Position: 7, Until: until}
	warm, fill := instance(t, r.url(), "v1", "epoch")
	fill.fill = func(context.Context) (*disclosure.Answer, error) { return want, nil }
	get(t, warm, "k", fill.do)
	for _, tt := range []struct {
		name, key, format, epoch string
		fills                    int64
	}{
		{"the same request", "k", "v1", "epoch", 0},
		{"another request", "k2", "v1", "epoch", 1},
		{"another format", "k", "v2", "epoch", 1},
		{"another history", "k", "v1", "restored", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cold, fill := instance(t, r.url(), tt.format, tt.epoch)
			for range 2 {
				a := get(t, cold, tt.key, fill.do)
				if tt.fills == 0 && (a.Type != want.Type || a.Disposition != want.Disposition || a.ETag != want.ETag ||
					string(a.Body) != string(want.Body) || a.Position != 7 || !a.Until.Equal(until) || a.Private) {
					t.Errorf("from Redis: %+v", a)
				}
			}
			if n := fill.calls.Load(); n != tt.fills {
				t.Errorf("%d fills, want %d", n, tt.fills)
			}
			if s := cold.Stats(); s.SharedHits != 1-tt.fills {
				t.Errorf("Stats = %+v", s)
			}
		})
	}
}

// What changed is read under another key, and what Redis holds ends by itself.
func TestRedisHoldsOnlyWhatNeverChanges(t *testing.T) {
	r := startRedis(t)
	c, fill := instance(t, r.url(), "v1", "epoch")
	get(t, c, "k", fill.do)
	before := r.everything(t)
	fill.feed.set(func(f *feed) { f.at.Position = 8 })
	if err := c.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	get(t, c, "k", fill.do)
	after := r.everything(t)
	for key, value := range before {
		if after[key] != value {
			t.Errorf("%s changed", key)
		}
	}
	if fill.calls.Load() != 2 || len(after) != len(before)+1 {
		t.Errorf("%d fills, %d keys after %d", fill.calls.Load(), len(after), len(before))
	}
	for key := range after {
		if ttl := r.TTL(t.Context(), key).Val(); ttl <= 0 {
			t.Errorf("%s never ends", key)
		}
	}
	// An answer that is over by the clock is not taken from Redis either.
	past := time.Now().Add(50 * time.Millisecond)
	fill.fill = func(context.Context) (*disclosure.Answer, error) {
		return &disclosure.Answer{Type: "text/plain", ETag: `W/"x"`, Body: []byte("short"), Position: 8, Until: past}, nil
	}
	get(t, c, "short", fill.do)
	storetest.Eventually(t, time.Second, "the answer is over", func() bool { return time.Now().After(past) })
	cold, again := instance(t, r.url(), "v1", "epoch")
	again.feed.set(func(f *feed) { f.at.Position = 8 })
	if err := cold.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := get(t, cold, "short", again.do); string(a.Body) == "short" {
		t.Error("an answer that is over came from Redis")
	}
}

// Lists of persons never leave the process, nor do refusals, which say who was
// looked for.
func TestPersonalListsAreNeverInRedis(t *testing.T) {
	r := startRedis(t)
	c, fill := instance(t, r.url(), "v1", "epoch")
	fill.fill = func(context.Context) (*disclosure.Answer, error) {
		return &disclosure.Answer{Type: "application/json", Body: []byte("李建国 320902"), Position: 7, Private: true}, nil
	}
	get(t, c, "housing", fill.do)
	get(t, c, "housing", fill.do)
	if _, _, err := c.Get(t.Context(), "lookup/李建国", func(context.Context) (*disclosure.Answer, error) {
		return nil, disclosure.Errorf(disclosure.CodeNotFound, "李建国")
	}); err == nil {
		t.Fatal("no refusal")
	}
	if held := r.everything(t); len(held) != 0 {
		t.Errorf("Redis holds %v", held)
	}
	if n := fill.calls.Load(); n != 1 {
		t.Errorf("%d fills: the process itself may keep it", n)
	}
}

// Whatever is wrong with Redis costs hits, and neither answers nor much time.
func TestRedisFaults(t *testing.T) {
	bad := map[string]string{
		"empty":        "",
		"cut short":    "\x00\x00",
		"text":         "garbage that no version wrote",
		"a huge head":  "\xff\xff\xff\xffxxxx",
		"no JSON":      "\x00\x00\x00\x03{{{body",
		"another JSON": "\x00\x00\x00\x02{}body",
		"no ETag":      "\x00\x00\x00\x2d" + `{"type":"text/plain","position":7,"bytes":4}` + " evil",
		"half a body":  "\x00\x00\x00\x3a" + `{"type":"text/plain","etag":"W/\"x\"","position":7,"bytes":9}`[:58] + "evil",
	}
	for _, tt := range []struct {
		name  string
		harm  func(t *testing.T, r *server, p *storetest.Proxy)
		worst time.Duration // of one answer
	}{
		{"nothing", func(*testing.T, *server, *storetest.Proxy) {}, time.Second},
		{"flushed", func(t *testing.T, r *server, _ *storetest.Proxy) { must(t, r.FlushAll(t.Context()).Err()) }, time.Second},
		{"down", func(_ *testing.T, r *server, _ *storetest.Proxy) { r.stop() }, time.Second},
		{"cut off", func(_ *testing.T, _ *server, p *storetest.Proxy) { p.Cut() }, time.Second},
		{"a black hole", func(_ *testing.T, _ *server, p *storetest.Proxy) { p.Hole() }, time.Second},
		{"slow", func(_ *testing.T, _ *server, p *storetest.Proxy) { p.Delay(300 * time.Millisecond) }, time.Second},
		{"read-only", func(t *testing.T, r *server, _ *storetest.Proxy) {
			must(t, r.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err())
		}, time.Second},
		{"full", func(t *testing.T, r *server, _ *storetest.Proxy) {
			must(t, r.ConfigSet(t.Context(), "maxmemory", "1").Err())
		}, time.Second},
		{"another password", func(t *testing.T, r *server, _ *storetest.Proxy) {
			must(t, r.ConfigSet(t.Context(), "requirepass", "secret").Err())
			must(t, r.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal").Err())
		}, time.Second},
		{"keys of another kind", func(t *testing.T, r *server, _ *storetest.Proxy) {
			for key := range r.everything(t) {
				must(t, r.Del(t.Context(), key).Err())
				must(t, r.LPush(t.Context(), key, "x").Err())
			}
		}, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRedis(t)
			p, url := storetest.NewProxy(t, r.url())
			warm, fill := instance(t, url, "v1", "epoch")
			get(t, warm, "k0", fill.do)
			cold, again := instance(t, url, "v1", "epoch")
			tt.harm(t, r, p)
			answerAll(t, cold, again, tt.worst)
			answerAll(t, warm, fill, tt.worst)
		})
	}
	for name, value := range bad {
		t.Run("a value that is "+name, func(t *testing.T) {
			r := startRedis(t)
			warm, fill := instance(t, r.url(), "v1", "epoch")
			get(t, warm, "k0", fill.do)
			for key := range r.everything(t) {
				must(t, r.Set(t.Context(), key, value, 0).Err())
			}
			cold, again := instance(t, r.url(), "v1", "epoch")
			if a := get(t, cold, "k0", again.do); string(a.Body) != "body" || cold.Stats().SharedHits != 0 {
				t.Errorf("Get = %q, %+v", a.Body, cold.Stats())
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answerAll reads twenty keys that must all be there within a time each.
func answerAll(t *testing.T, c *cache.Cache, fill *counted, worst time.Duration) {
	t.Helper()
	for i := range 20 {
		began := time.Now()
		if a := get(t, c, fmt.Sprintf("k%d", i), fill.do); string(a.Body) != "body" {
			t.Errorf("Get = %q", a.Body)
		}
		if took := time.Since(began); took > worst {
			t.Errorf("the %d. answer took %s", i, took)
		}
	}
}

// Redis that comes back is used again, without a restart.
func TestRedisComesBack(t *testing.T) {
	r := startRedis(t)
	var log bytes.Buffer
	s, err := cache.NewShared(r.url(), "v1", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{at: disclosure.Reading{Position: 7, Epoch: "epoch", Catalog: &disclosure.Catalog{}}}
	c, _ := follow(t, cache.Options{Source: f, Shared: s})
	fill := &counted{feed: f}
	r.stop()
	for i := range 10 {
		get(t, c, fmt.Sprintf("down%d", i), fill.do)
	}
	if !s.Open() {
		t.Error("the breaker still asks a server that is down")
	}
	if s.Ping(t.Context()) == nil {
		t.Error("Ping answers for a server that is down")
	}
	r.start()
	n := 0
	storetest.Eventually(t, 5*time.Second, "answers are in Redis again", func() bool {
		n++
		get(t, c, fmt.Sprintf("up%d", n), fill.do)
		return len(r.everything(t)) > 0
	})
	if s.Open() {
		t.Error("the breaker is still open")
	}
	must(t, s.Close())
	if lines := log.String(); strings.Count(lines, "out of reach") == 0 || !strings.Contains(lines, "Redis answers again") {
		t.Errorf("the log does not tell of the outage: %s", lines)
	}
}

// A change announced by one instance makes the others poll at once; without
// Redis they see it at their next poll.
func TestChangesAreAnnounced(t *testing.T) {
	r := startRedis(t)
	p, url := storetest.NewProxy(t, r.url())
	f := &feed{at: disclosure.Reading{Position: 7, Epoch: "epoch", Catalog: &disclosure.Catalog{}}}
	writer, _ := follow(t, cache.Options{Source: f, Shared: newShared(t, r.url(), "v1")})
	other, _ := follow(t, cache.Options{Source: f, Shared: newShared(t, url, "v1")})
	fill := &counted{feed: f}
	change := func() time.Duration {
		get(t, other, "k", fill.do)
		f.set(func(f *feed) { f.at.Position++ })
		began, want := time.Now(), f.position()
		if err := writer.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		storetest.Eventually(t, time.Second, "the other instance sees the change", func() bool {
			return get(t, other, "k", fill.do).Position == want
		})
		return time.Since(began)
	}
	var announced, polled time.Duration
	for range 10 {
		announced = max(announced, change())
	}
	p.Cut()
	for range 10 {
		polled = max(polled, change())
	}
	t.Logf("the slowest of ten: announced %s, Redis cut %s", announced, polled)
}

// The URL holds a password, and no error repeats it.
func TestRedisURLIsNotRepeated(t *testing.T) {
	for _, url := range []string{"redis://:hunter2@host:port/0", "redis://:hunter2@host:1/3?addr=other:1", "redis://:hunter2@host:1?addr=other:1&no=option", "http://:hunter2@localhost", "hunter2", ""} {
		s, err := cache.NewShared(url, "v1", slog.New(slog.DiscardHandler))
		if err == nil {
			_ = s.Close()
			t.Errorf("NewShared(%q) succeeds", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("NewShared(%q) = %v", url, err)
		}
	}
	s := newShared(t, "redis://:hunter2@127.0.0.1:1/0", "v1")
	if err := s.Ping(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("Ping = %v", err)
	}
}
