package main

import (
	"context"
	"errors"
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
	// planned is when its turn came: the reader waits from then. begun is when
	// the request was made, which is later where all readers waited.
	planned, begun time.Time
	took           time.Duration // since planned
	err            error         // errNotAsked: for that turn nothing was asked
}

// load reads at a steady rate, whatever the answers take: a turn that comes
// while all readers wait is made as soon as one of them is free, and its time
// counts from when it came (otherwise who waits longest would ask least, and a
// server that stands still for two seconds be slow to a few).
type load struct {
	rate int // requests a second, all readers together
	// next says what to read, from which instance.
	next func() (*node, string)
	// see is told every answer, and every turn that could not be made, by one
	// goroutine at a time.
	see       func(answer)
	reconnect bool // a connection for every request
	header    func() http.Header
}

// readers is enough for slow answers at the rates used here.
const readers = 32

// patience is how long a turn waits for a reader before it is given up.
var patience = 5 * time.Second

// errNotAsked is told of a turn that was given up.
var errNotAsked = fmt.Errorf("not asked: all %d readers waited too long for answers", readers)

// run reads until ctx ends, and returns when the last answer has come.
func (l load) run(ctx context.Context) {
	transport := &http.Transport{MaxIdleConnsPerHost: readers, DisableKeepAlives: l.reconnect, DisableCompression: true}
	client := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	defer client.CloseIdleConnections()
	turns := make(chan time.Time, 1+int(float64(l.rate)*patience.Seconds()))
	var running sync.WaitGroup
	var mu sync.Mutex
	see := func(a answer) {
		mu.Lock()
		defer mu.Unlock()
		l.see(a)
	}
	for range readers {
		running.Go(func() {
			for planned := range turns {
				if time.Since(planned) > patience {
					see(answer{planned: planned, err: errNotAsked})
					continue
				}
				mu.Lock()
				n, path := l.next()
				mu.Unlock()
				a := l.get(client, n, path)
				a.planned, a.took = planned, a.took+a.begun.Sub(planned)
				see(a)
			}
		})
	}
	start := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		planned := start.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
		if early := time.Until(planned); early > 0 {
			if wait(ctx, early); ctx.Err() != nil {
				break
			}
		}
		select {
		case turns <- planned:
		default: // those before it wait for longer than they will
			see(answer{planned: planned, err: errNotAsked})
		}
	}
	close(turns)
	running.Wait()
}

// get asks once, now.
func (l load) get(client *http.Client, n *node, path string) answer {
	now := time.Now()
	a := answer{from: n, path: path, planned: now, begun: now}
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
	unasked             int // of the failed: turns that could not be made
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
		if errors.Is(a.err, errNotAsked) {
			t.unasked++
		}
		if t.first == "" {
			t.first = fmt.Sprintf("%s: status %d, %v, %.200s", a.path, a.status, a.err, a.body)
		}
	}
}

func (t *tally) String() string {
	s := fmt.Sprintf("%d answered, %d refused, %d failed", t.ok, t.refused, t.failed)
	if t.unasked > 0 {
		s += fmt.Sprintf(", of which %d could not be asked", t.unasked)
	}
	if t.first != "" {
		s += " (" + t.first + ")"
	}
	return s
}
