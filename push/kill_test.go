package push_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// envWorker makes the test binary a worker on the database it names, sending to
// the address after it: a process that the tests can kill.
const envWorker = "GONGKAI_TEST_PUSH_WORKER"

// TestMain runs the tests, or a worker.
func TestMain(m *testing.M) {
	if u := os.Getenv(envWorker); u != "" {
		if err := runWorker(u); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runWorker(u string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := store.Open(ctx, store.Options{URL: u})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	c := push.Config{Rate: -1, Workers: 8, Batch: 200, Lease: 2 * time.Second, CallTimeout: 500 * time.Millisecond,
		Templates: []disclosure.CardTemplate{byFollowing, byConsent}}
	p := push.New(c, s, remote(os.Getenv(envWorker+"_SENDER")), push.NewSigner("test"), slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		time.Now, fmt.Sprintf("worker-%d-%d", os.Getpid(), time.Now().UnixNano()))
	return p.Run(ctx)
}

// remote is a Sender in another process.
type remote string

// Send implements push.Sender.
func (r remote) Send(ctx context.Context, m push.Message) (string, error) {
	b, err := json.Marshal(map[string]string{"openid": m.OpenID, "key": m.Key, "channel": string(m.Channel)})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, string(r), bytes.NewReader(b))
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var out struct{ ID string }
	return out.ID, json.NewDecoder(res.Body).Decode(&out)
}

// counter is the WeChat of the kill test: it keeps each key once where the
// channel has keys.
type counter struct {
	mu    sync.Mutex
	cards map[string]int
	keys  map[string]bool
	calls int
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ OpenID, Key, Channel string }
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		return
	}
	c.mu.Lock()
	c.calls++
	n := c.calls
	if in.Channel != string(disclosure.ChannelTemplate) || !c.keys[in.OpenID+in.Key] {
		c.cards[in.OpenID]++
	}
	c.keys[in.OpenID+in.Key] = true
	c.mu.Unlock()
	time.Sleep(time.Millisecond)
	fmt.Fprintf(w, `{"id":"%d"}`, n)
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// tally counts the people who have a card, and the cards they have beyond one.
func (c *counter) tally() (people, twice int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.cards {
		twice += n - 1
	}
	return len(c.cards), twice
}

// TestP02KillKeyed and P03: workers are killed again and again. With a key
// nobody gets a card twice and nobody is missed; without one, those who got it
// twice are no more than were in flight, and whoever may have been missed is
// unknown, in plain view.
func TestP02KillKeyed(t *testing.T) {
	killLoop(t, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"}, true)
}

// TestP03KillKeyless: see P02.
func TestP03KillKeyless(t *testing.T) {
	killLoop(t, storetest.Crowd{App: mini, Kind: disclosure.AppMini, Sector: "construction", Template: byConsent.ID}, false)
}

func killLoop(t *testing.T, crowd storetest.Crowd, keyed bool) {
	people, kills := 3_000, 10
	if os.Getenv("GONGKAI_PROVE") != "" {
		people, kills = 20_000, 50
	}
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		b := newBench(t, s, u)
		seen := &counter{cards: map[string]int{}, keys: map[string]bool{}}
		server := httptest.NewServer(seen)
		t.Cleanup(server.Close)
		storetest.People(t, u, people, crowd)
		b.publish("道路招标")
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 1))
		workers := []*exec.Cmd{worker(t, u, server.URL), worker(t, u, server.URL)}
		killed := 0
		for range kills {
			at := seen.count() + people/kills/3 + random.IntN(people/kills/3) // in the middle of the work, wherever that is
			b.until("the workers send", func() bool { return seen.count() >= at || seen.count() >= people*9/10 })
			if seen.count() >= people*9/10 {
				break
			}
			killed++
			i := killed % 2
			_ = workers[i].Process.Kill()
			_ = workers[i].Wait()
			workers[i] = worker(t, u, server.URL)
		}
		b.until("all settled but what waits for WeChat's report", func() bool {
			got := b.states()
			return got[disclosure.DeliveryQueued]+got[disclosure.DeliveryLeased] == 0 && (got[disclosure.DeliverySending] == 0 || !keyed) && sumStates(got) == people &&
				b.event(0).State == disclosure.EventMatched
		})
		for _, w := range workers {
			_ = w.Process.Signal(syscall.SIGTERM)
			_ = w.Wait()
		}
		if _, err := s.Recover(t.Context(), people, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		told, twice := seen.tally()
		missed, got := people-told, b.states()
		t.Logf("seed %d: killed %d times, %d twice, %d missed, %d unknown, %d calls", seed, killed, twice, missed, got[disclosure.DeliveryUnknown], seen.count())
		switch {
		case killed < kills/2:
			t.Errorf("only %d workers were killed at work", killed)
		case keyed && (twice != 0 || missed != 0 || got[disclosure.DeliveryAccepted] != people):
			t.Errorf("with a key: %d twice, %d missed, deliveries %v", twice, missed, got)
		case !keyed && (twice > killed*8 || missed > got[disclosure.DeliveryUnknown] || got[disclosure.DeliveryAccepted]+got[disclosure.DeliveryUnknown] != people):
			t.Errorf("without a key: %d twice, %d missed, deliveries %v", twice, missed, got)
		}
	})
}

// worker starts a process of its own that sends.
func worker(t *testing.T, u, sender string) *exec.Cmd {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envWorker+"="+u, envWorker+"_SENDER="+sender)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}
