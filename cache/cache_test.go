package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gongkai/cache"
	"gongkai/internal/disclosure"
)

// feed is a change feed that a test moves by hand.
type feed struct {
	mu    sync.Mutex
	at    disclosure.Reading
	err   error
	delay time.Duration
	polls int
}

// Head implements cache.Source.
func (f *feed) Head(ctx context.Context) (disclosure.Reading, error) {
	f.mu.Lock()
	r, err, delay := f.at, f.err, f.delay
	f.polls++
	f.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return r, errors.Join(errCut, ctx.Err())
		}
	}
	return r, err
}

// set changes the feed.
func (f *feed) set(change func(f *feed)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *feed) position() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at.Position
}

// follow makes a cache that follows a feed at position 1 until the test ends.
func follow(t *testing.T, o cache.Options) (*cache.Cache, *feed) {
	t.Helper()
	f := &feed{at: disclosure.Reading{Position: 1, Epoch: "e", Catalog: &disclosure.Catalog{}}}
	if o.Source == nil {
		o.Source = f
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := cache.New(o)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	if err := c.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	return c, f
}

// counted is a fill that says how often it was called.
type counted struct {
	calls atomic.Int64
	feed  *feed
	fill  func(ctx context.Context) (*disclosure.Answer, error)
}

func (n *counted) do(ctx context.Context) (*disclosure.Answer, error) {
	n.calls.Add(1)
	if n.fill != nil {
		return n.fill(ctx)
	}
	return &disclosure.Answer{Type: "text/plain", ETag: `W/"x"`, Body: []byte("body"), Position: n.feed.position()}, nil
}

// get reads a key that must be there.
func get(t *testing.T, c *cache.Cache, key string, fill cache.Fill) *disclosure.Answer {
	t.Helper()
	a, age, err := c.Get(t.Context(), key, fill)
	if err != nil || age != 0 {
		t.Fatalf("Get(%s) = age %s, %v", key, age, err)
	}
	return a
}

func TestManyReadersShareOneFill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := follow(t, cache.Options{})
		fill := &counted{feed: f, fill: func(context.Context) (*disclosure.Answer, error) {
			time.Sleep(100 * time.Millisecond)
			return &disclosure.Answer{Body: []byte("body"), Position: 1}, nil
		}}
		var readers sync.WaitGroup
		for range 200 {
			readers.Go(func() {
				if a, _, err := c.Get(t.Context(), "k", fill.do); err != nil || string(a.Body) != "body" {
					t.Errorf("Get = %v, %v", a, err)
				}
			})
		}
		readers.Wait()
		get(t, c, "k", fill.do)
		if n := fill.calls.Load(); n != 1 {
			t.Errorf("200 readers at once caused %d fills", n)
		}
		f.set(func(f *feed) { f.at.Position = 2 })
		if err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		fill.fill = nil
		get(t, c, "k", fill.do)
		if n := fill.calls.Load(); n != 2 {
			t.Errorf("a change caused %d fills, want 1", n-1)
		}
	})
}

// Readers that give up do not take the fill with them.
func TestFillOutlivesTheReaderWhoAskedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := follow(t, cache.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { time.Sleep(10 * time.Millisecond); cancel() }()
		a, _, err := c.Get(ctx, "k", func(ctx context.Context) (*disclosure.Answer, error) {
			time.Sleep(50 * time.Millisecond)
			return &disclosure.Answer{Body: []byte("body"), Position: 1}, ctx.Err()
		})
		if err != nil || string(a.Body) != "body" {
			t.Errorf("Get = %v, %v", a, err)
		}
	})
}

func TestRefusalsAreRemembered(t *testing.T) {
	broken := errors.New("a bug")
	for _, tt := range []struct {
		name  string
		err   error
		calls int64 // for three reads at one generation
	}{
		{"a notice that does not exist", disclosure.Errorf(disclosure.CodeNotFound, "没有"), 1},
		{"a withdrawn notice", fmt.Errorf("store: %w", disclosure.Errorf(disclosure.CodeWithdrawn, "已撤回")), 1},
		{"an unknown project", disclosure.Errorf(disclosure.CodeNoProject, "没有"), 1},
		{"an unknown catalogue item", disclosure.Errorf(disclosure.CodeNoItem, "没有"), 1},
		{"a bug", broken, 3},
		{"an outage", disclosure.Errorf(disclosure.CodeUnavailable, "不可用"), 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, f := follow(t, cache.Options{})
				fill := &counted{feed: f, fill: func(context.Context) (*disclosure.Answer, error) { return nil, tt.err }}
				for range 3 {
					if _, _, err := c.Get(t.Context(), "k", fill.do); !errors.Is(err, tt.err) {
						t.Fatalf("Get = %v, want %v", err, tt.err)
					}
				}
				if n := fill.calls.Load(); n != tt.calls {
					t.Errorf("three reads made %d fills, want %d", n, tt.calls)
				}
				// Whatever is published may be what was asked for.
				f.set(func(f *feed) { f.at.Position = 2 })
				if err := c.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
				fill.fill = nil
				if a := get(t, c, "k", fill.do); string(a.Body) != "body" {
					t.Errorf("Get = %q", a.Body)
				}
			})
		})
	}
}

// What is true until an instant is read again at that instant.
func TestAnswersEndByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := follow(t, cache.Options{})
		until := time.Now().Add(time.Minute)
		fill := &counted{fill: func(context.Context) (*disclosure.Answer, error) {
			return &disclosure.Answer{Body: []byte("body"), Position: 1, Until: until}, nil
		}}
		get(t, c, "k", fill.do)
		c.Alias("/k", "k")
		for _, tt := range []struct {
			wait  time.Duration
			calls int64
			peek  bool
		}{{time.Minute - time.Millisecond, 1, true}, {time.Millisecond, 2, false}} {
			time.Sleep(tt.wait)
			synctest.Wait() // the poll of this instant is done
			if a := c.Peek("/k", time.Now()); (a != nil) != tt.peek {
				t.Errorf("%s before its end Peek finds %v", time.Until(until), a)
			}
			get(t, c, "k", fill.do)
			if n := fill.calls.Load(); n != tt.calls {
				t.Errorf("%s before its end there were %d fills, want %d", time.Until(until), n, tt.calls)
			}
		}
	})
}

// While the database is away, what is known to be current is served with its
// age, except what lists persons; nobody waits for the database but the poll.
func TestDatabaseAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := follow(t, cache.Options{})
		public, private := &counted{feed: f}, &counted{}
		private.fill = func(context.Context) (*disclosure.Answer, error) {
			return &disclosure.Answer{Body: []byte("李某"), Position: f.position(), Private: true}, nil
		}
		get(t, c, "public", public.do)
		get(t, c, "private", private.do)
		c.Alias("/public", "public")
		f.set(func(f *feed) { f.err, f.delay = errCut, 400*time.Millisecond })
		time.Sleep(2 * time.Second)
		if c.Fresh() || c.Peek("/public", time.Now()) != nil {
			t.Fatal("the lease outlives the last poll")
		}
		began := time.Now()
		a, age, err := c.Get(t.Context(), "public", public.do)
		if err != nil || string(a.Body) != "body" || age < time.Second || age > 3*time.Second {
			t.Errorf("an ordinary answer: %v, age %s, %v", a, age, err)
		}
		if _, _, err := c.Get(t.Context(), "private", private.do); !errors.Is(err, errCut) {
			t.Errorf("a private answer: %v", err)
		}
		if _, _, err := c.Get(t.Context(), "never read", public.do); !errors.Is(err, errCut) {
			t.Errorf("an answer nobody has: %v", err)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("readers waited %s for a database known to be away", took)
		}
		time.Sleep(24 * time.Hour)
		if _, _, err := c.Get(t.Context(), "public", public.do); !errors.Is(err, errCut) {
			t.Errorf("an answer of yesterday: %v", err)
		}
		f.set(func(f *feed) { f.err, f.delay = nil, 0 })
		time.Sleep(cache.PollInterval + 400*time.Millisecond)
		get(t, c, "public", public.do)
		get(t, c, "private", private.do)
		if public.calls.Load() != 1 || private.calls.Load() != 1 {
			t.Error("what did not change was read again after the outage")
		}
		if s := c.Stats(); s.Stale != 1 || s.Refused != 3 || s.FailedPoll == 0 {
			t.Errorf("Stats = %+v", s)
		}
	})
}

// A fill that fails as the lease is valid falls back too, but never on what is
// known to have changed.
func TestOutageAfterAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := follow(t, cache.Options{})
		fill := &counted{feed: f}
		get(t, c, "k", fill.do)
		f.set(func(f *feed) { f.at.Position = 2 })
		if err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.set(func(f *feed) { f.err = errCut })
		fill.fill = func(context.Context) (*disclosure.Answer, error) { return nil, errCut }
		for range 3 {
			if a, _, err := c.Get(t.Context(), "k", fill.do); !errors.Is(err, errCut) {
				t.Errorf("Get = %v, %v, though it may have been withdrawn", a, err)
			}
			time.Sleep(time.Second)
		}
	})
}

// A backup that is restored begins another history: its positions mean other
// things.
func TestAnotherEpochIsAnotherHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := follow(t, cache.Options{})
		fill := &counted{feed: f}
		get(t, c, "k", fill.do)
		f.set(func(f *feed) { f.at.Epoch = "restored" })
		time.Sleep(cache.PollInterval + time.Millisecond)
		get(t, c, "k", fill.do)
		if n := fill.calls.Load(); n != 2 {
			t.Errorf("%d fills, want 2", n)
		}
	})
}

// A read that comes from before the last poll is no answer: a replica that lags
// may not bring back what was withdrawn.
func TestOlderReadIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := follow(t, cache.Options{})
		f.set(func(f *feed) { f.at.Position = 5 })
		if err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, _, err := c.Get(t.Context(), "k", func(context.Context) (*disclosure.Answer, error) {
			return &disclosure.Answer{Body: []byte("old"), Position: 4}, nil
		})
		if !errors.Is(err, errCut) {
			t.Errorf("Get = %v, %v", a, err)
		}
	})
}

// Under overload some are refused soon, so that not all wait.
func TestTooManyFillsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := follow(t, cache.Options{Fills: 4})
		var readers sync.WaitGroup
		var served, refused atomic.Int64
		began := time.Now()
		for i := range 40 {
			readers.Go(func() {
				_, _, err := c.Get(t.Context(), fmt.Sprint(i), func(context.Context) (*disclosure.Answer, error) {
					time.Sleep(time.Second)
					return &disclosure.Answer{Position: 1}, nil
				})
				switch {
				case err == nil:
					served.Add(1)
				case errors.Is(err, errCut):
					refused.Add(1)
					if took := time.Since(began); took > 400*time.Millisecond {
						t.Errorf("refused only after %s", took)
					}
				default:
					t.Error(err)
				}
			})
		}
		readers.Wait()
		if served.Load() != 4 || refused.Load() != 36 {
			t.Errorf("%d served and %d refused, want 4 and 36", served.Load(), refused.Load())
		}
	})
}

// A write is seen by its own process as soon as Refresh returns, also past a
// poll under way that began before it.
func TestRefreshSeesTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := follow(t, cache.Options{})
		fill := &counted{feed: f}
		get(t, c, "k", fill.do)
		f.set(func(f *feed) { f.delay = 300 * time.Millisecond })
		time.Sleep(cache.PollInterval + 50*time.Millisecond) // a slow poll has begun
		f.set(func(f *feed) { f.at.Position, f.delay = 2, 0 })
		if err := c.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if a := get(t, c, "k", fill.do); a.Position != 2 {
				t.Fatalf("an answer of position %d after the write was acknowledged", a.Position)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

func TestPeekAndAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := follow(t, cache.Options{})
		fill := &counted{feed: f}
		peek := func(key string) bool { return c.Peek(key, time.Now()) != nil }
		c.Alias("/k", "k")
		if peek("k") || peek("/k") || c.Peek("", time.Now()) != nil {
			t.Error("Peek finds what was never read")
		}
		get(t, c, "k", fill.do)
		if !peek("k") || !peek("/k") {
			t.Error("Peek does not find what was read")
		}
		f.set(func(f *feed) { f.at.Position = 2 })
		time.Sleep(cache.PollInterval + time.Millisecond)
		if peek("k") || peek("/k") {
			t.Error("Peek finds what may have changed")
		}
		get(t, c, "k", fill.do)
		if !peek("/k") {
			t.Error("the second name is lost with a change")
		}
		if _, _, err := c.Get(t.Context(), "no", func(context.Context) (*disclosure.Answer, error) {
			return nil, disclosure.Errorf(disclosure.CodeNotFound, "没有")
		}); err == nil || peek("no") {
			t.Error("Peek serves a refusal")
		}
		if s := c.Stats(); s.Fills != 3 || s.Hits != 3 {
			t.Errorf("Stats = %+v", s)
		}
	})
}

// Whatever is asked for, under however many names, memory is bounded.
func TestMemoryIsBounded(t *testing.T) {
	const limit, size = 4 << 20, 20_000
	c, _ := follow(t, cache.Options{Bytes: limit})
	var live atomic.Int64
	alias := func(i, n int) string { return fmt.Sprintf("/api/v1/notices?q=%d&x=%d", i, n) }
	for i := range 4_000 {
		key := fmt.Sprintf("notices?q=%d", i)
		get(t, c, key, func(context.Context) (*disclosure.Answer, error) {
			a := &disclosure.Answer{Body: make([]byte, size), Position: 1}
			live.Add(1)
			runtime.AddCleanup(a, func(int) { live.Add(-1) }, 0)
			return a, nil
		})
		for n := range 3 {
			c.Alias(alias(i, n), key)
		}
		for back := range 40 { // they are found by these names, and only by them
			c.Peek(alias(i-back*50, back%3), time.Now())
		}
		if i%500 == 0 {
			_, _, _ = c.Get(t.Context(), fmt.Sprintf("no/%d", i), func(context.Context) (*disclosure.Answer, error) {
				return nil, disclosure.Errorf(disclosure.CodeNotFound, "没有")
			})
		}
	}
	for range 50 {
		runtime.GC()
		runtime.Gosched()
		if live.Load() <= limit/size {
			break
		}
	}
	if n := live.Load(); n > limit/size || n < limit/size/4 {
		t.Errorf("%d answers of %d bytes are held, with %d bytes allowed", n, size, limit)
	}
	if n := c.Stats().Bytes; n > limit {
		t.Errorf("Stats().Bytes = %d, over %d", n, limit)
	}
}
