package push_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// The accounts and templates of the tests.
const (
	official, mini = "wxofficial", "wxmini"
	tender         = "construction.tender_notice"
)

var (
	byFollowing = disclosure.CardTemplate{App: official, Kind: disclosure.AppOfficial, Channel: disclosure.ChannelTemplate, ID: "tpl-follow", Fields: fields}
	byConsent   = disclosure.CardTemplate{App: mini, Kind: disclosure.AppMini, Channel: disclosure.ChannelMini, ID: "tpl-mini", LongTerm: true, Fields: fields}
	byOnce      = disclosure.CardTemplate{App: mini, Kind: disclosure.AppMini, Channel: disclosure.ChannelMini, ID: "tpl-once", Fields: fields}
	byWindow    = disclosure.CardTemplate{App: official, Kind: disclosure.AppOfficial, Channel: disclosure.ChannelService}
	fields      = []disclosure.CardField{{Key: "thing1", Value: "title"}, {Key: "phrase2", Value: "sector"}, {Key: "thing3", Value: "source"}, {Key: "time4", Value: "published"}, {Key: "phrase5", Value: "status"}}
)

// sent is one call as the fake WeChat saw it.
type sent struct {
	push.Message
	began, ended time.Time
}

// fakeWeChat is a Sender that keeps what it was asked to send, refuses the
// repetition of a key as WeChat does, and answers as the test says.
type fakeWeChat struct {
	mu     sync.Mutex
	calls  []sent
	cards  []push.Message // as people have them
	keys   map[string]time.Time
	flying map[string]int
	most   int // calls at once to one openid
	takes  time.Duration
	now    func() time.Time
	answer func(n int, m push.Message) error // nil: accept
	// lose says that the card arrives and the answer does not.
	lose func(n int, m push.Message) bool
	// arrived is told of each card that a person has.
	arrived func(m push.Message)
}

func newFake(now func() time.Time) *fakeWeChat {
	return &fakeWeChat{keys: map[string]time.Time{}, flying: map[string]int{}, now: now}
}

// Send implements push.Sender.
func (f *fakeWeChat) Send(ctx context.Context, m push.Message) (string, error) {
	began := f.now()
	f.mu.Lock()
	n := len(f.calls)
	f.calls = append(f.calls, sent{Message: m, began: began})
	f.flying[m.App+m.OpenID]++
	f.most = max(f.most, f.flying[m.App+m.OpenID])
	answer, lose := f.answer, f.lose
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.flying[m.App+m.OpenID]--
		f.calls[n].ended = f.now()
		f.mu.Unlock()
	}()
	if f.takes > 0 {
		t := time.NewTimer(f.takes)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	if answer != nil {
		if err := answer(n, m); err != nil {
			return "", err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at, seen := f.keys[m.OpenID+m.Key]
	if m.Channel != disclosure.ChannelTemplate || !seen || f.now().Sub(at) > 10*time.Minute {
		f.cards = append(f.cards, m)
		f.keys[m.OpenID+m.Key] = f.now()
		if f.arrived != nil {
			f.arrived(m)
		}
	}
	if lose != nil && lose(n, m) {
		return "", fmt.Errorf("connection reset")
	}
	return fmt.Sprintf("35572543676937%05d", n), nil
}

func (f *fakeWeChat) count() (calls, cards int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.calls), len(f.cards)
}

// perPerson counts the cards each openid has.
func (f *fakeWeChat) perPerson() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]int{}
	for _, m := range f.cards {
		out[m.OpenID]++
	}
	return out
}

// bench is a store with a push on it.
type bench struct {
	t     testing.TB
	store *store.Store
	url   string
	fake  *fakeWeChat
	now   func() time.Time
	logs  *logBuffer
	conf  push.Config
	stop  context.CancelFunc
	ended chan error
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write implements io.Writer.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// each runs a test on both databases in real time.
func each(t *testing.T, test func(t *testing.T, b *bench)) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) { test(t, newBench(t, s, u)) })
}

func newBench(t testing.TB, s *store.Store, u string) *bench {
	b := &bench{t: t, store: s, url: u, now: time.Now, logs: &logBuffer{}}
	b.fake = newFake(func() time.Time { return b.now() })
	b.conf = push.Config{Rate: -1, PublicURL: "https://gongkai.test", Templates: []disclosure.CardTemplate{byFollowing, byConsent, byOnce, byWindow}}
	return b
}

// worker makes a push of its own name on the bench's store.
func (b *bench) worker(name string) *push.Push {
	log := slog.New(slog.NewJSONHandler(b.logs, nil))
	return push.New(b.conf, b.store, b.fake, push.NewSigner("test"), log, b.now, name)
}

// start makes a worker and runs it until stopped.
func (b *bench) start(name string) *push.Push {
	b.t.Helper()
	return b.run(b.worker(name))
}

// run runs a worker until stopped.
func (b *bench) run(p *push.Push) *push.Push {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	b.stop, b.ended = cancel, ended
	done := false
	b.t.Cleanup(func() {
		if !done {
			cancel()
			<-ended //nolint:errcheck // it ends because it was told to
		}
	})
	b.stop = func() {
		if !done {
			done = true
			cancel()
			if err := <-ended; err != nil {
				b.t.Error(err)
			}
		}
	}
	return p
}

// publish makes a tender public now.
func (b *bench) publish(title string) disclosure.Notice {
	b.t.Helper()
	return storetest.Publish(b.t, b.store, storetest.Content(b.t, b.store.Catalog(), tender, title), b.now())
}

// until waits for a condition.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	for {
		began := time.Now()
		if ok() {
			return
		}
		select {
		case <-deadline.C:
			b.t.Fatalf("never: %s; %v\n%.3000s", what, b.states(), b.logs)
		case <-time.After(5*time.Millisecond + 4*time.Since(began)): // looking must not slow down what is looked at
		}
	}
}

// states counts the deliveries by state.
func (b *bench) states() map[disclosure.DeliveryState]int {
	b.t.Helper()
	st, err := b.store.PushStatus(context.Background(), b.now())
	if err != nil {
		b.t.Fatal(err)
	}
	return st.Queue
}

// settled reports whether everything is in a terminal state and nothing waits.
func (b *bench) settled() bool {
	b.t.Helper()
	st, err := b.store.PushStatus(context.Background(), b.now())
	if err != nil {
		b.t.Fatal(err)
	}
	for s, n := range st.Queue {
		if !s.Terminal() && n > 0 {
			return false
		}
	}
	return st.Pending == 0
}

func (b *bench) quietLogs() {
	b.t.Helper()
	for _, secret := range []string{official + "-", mini + "-"} {
		if strings.Contains(b.logs.String(), secret) {
			b.t.Errorf("the log holds an openid:\n%s", b.logs)
		}
	}
}
