package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// answer is what a reader got.
type answer struct {
	from   *node
	path   string
	status int // 0 when there was no answer
	body   []byte
	header http.Header
	begun  time.Time
	took   time.Duration
	err    error
}

// load reads at a steady rate, whatever the answers take.
type load struct {
	rate int // requests a second, all readers together
	// next says what to read, from which instance.
	next func() (*node, string)
	// see is told every answer, by one goroutine at a time.
	see       func(answer)
	reconnect bool // a connection for every request
	header    func() http.Header
}

// readers is enough for slow answers at the rates used here.
const readers = 32

// run reads until ctx ends, and returns when the last answer has come.
func (l load) run(ctx context.Context) {
	transport := &http.Transport{MaxIdleConnsPerHost: readers, DisableKeepAlives: l.reconnect, DisableCompression: true}
	client := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	defer client.CloseIdleConnections()
	turns := make(chan struct{}, readers)
	var running sync.WaitGroup
	var mu sync.Mutex
	for range readers {
		running.Go(func() {
			for range turns {
				mu.Lock()
				n, path := l.next()
				mu.Unlock()
				a := l.get(client, n, path)
				mu.Lock()
				l.see(a)
				mu.Unlock()
			}
		})
	}
	tick := time.NewTicker(time.Second / time.Duration(l.rate))
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			select {
			case turns <- struct{}{}:
			default: // all readers wait for answers
			}
		}
	}
	close(turns)
	running.Wait()
}

func (l load) get(client *http.Client, n *node, path string) answer {
	a := answer{from: n, path: path, begun: time.Now()}
	req, err := http.NewRequest(http.MethodGet, n.url+path, nil)
	if err != nil {
		a.err = err
		return a
	}
	if l.header != nil {
		req.Header = l.header()
	}
	res, err := client.Do(req)
	if err == nil {
		a.status, a.header = res.StatusCode, res.Header
		a.body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	a.err, a.took = err, time.Since(a.begun)
	return a
}

// forAWhile runs the load for a time.
func (l load) forAWhile(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	l.run(ctx)
}

// times collects durations.
type times []time.Duration

// at returns the quantile q, 0 to 1.
func (t times) at(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	s := slices.Clone(t)
	slices.Sort(s)
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// tally counts answers by what became of them.
type tally struct {
	ok, refused, failed int // 2xx to 4xx; 503 with Retry-After; everything else
	times               times
	first               string // of the failures
}

func (t *tally) see(a answer) {
	switch {
	case a.err == nil && a.status > 0 && a.status < 500:
		t.ok++
		t.times = append(t.times, a.took)
	case a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
		t.refused++
	default:
		t.failed++
		if t.first == "" {
			t.first = fmt.Sprintf("%s: status %d, %v, %.200s", a.path, a.status, a.err, a.body)
		}
	}
}

func (t *tally) String() string {
	s := fmt.Sprintf("%d answered, %d refused, %d failed", t.ok, t.refused, t.failed)
	if t.first != "" {
		s += " (" + t.first + ")"
	}
	return s
}
