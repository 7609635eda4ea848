package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// decode reads an answer that must have the status.
func decode(res *http.Response, want int, out any) error {
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != want {
		return fmt.Errorf("%s: %.600s", res.Status, b)
	}
	return json.Unmarshal(b, out)
}

// metric reads one number from an instance.
func (n *node) metric(name string) (float64, error) {
	res, err := http.Get(n.ops + "/metrics")
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// herd starts a cold instance under load: however many ask, the database is
// asked once for each document.
func herd(ctx context.Context, l *lab) (outcome, error) {
	c, err := l.cluster(ctx, 1)
	if err != nil {
		return outcome{}, err
	}
	n := c.nodes[0]
	for range 40 {
		if _, err := c.office.publishTender(ctx, n); err != nil {
			return outcome{}, err
		}
	}
	n.kill()
	if err := l.redisDo(ctx, "FLUSHALL"); err != nil {
		return outcome{}, err
	}
	const documents = 100
	var t tally
	turn := 0
	background, stop := context.WithCancel(ctx)
	defer stop()
	var reading sync.WaitGroup
	var ready atomic.Int64 // when the instance was, and two seconds
	reading.Go(func() {
		load{rate: l.form.pick(300, 1000, 2000), next: func() (*node, string) {
			turn++
			return n, fmt.Sprintf("/api/v1/notices?limit=%d", 1+turn%documents)
		}, see: func(a answer) {
			if at := ready.Load(); at != 0 && a.begun.UnixNano() > at {
				t.see(a)
			}
		}}.run(background)
	})
	if err := n.begin(ctx); err != nil {
		return outcome{}, err
	}
	if err := n.waitReady(ctx); err != nil {
		return outcome{}, err
	}
	ready.Store(time.Now().Add(2 * time.Second).UnixNano())
	wait(ctx, 6*time.Second)
	stop()
	reading.Wait()
	reads, err := n.metric(`gongkai_cache_answers_total{from="store"}`)
	if err != nil {
		return outcome{}, err
	}
	p99 := t.times.at(0.99)
	return outcome{figure: fmt.Sprintf("%.0f reads of the database for %d documents; then %s, p99 %d ms", reads, documents, &t, p99.Milliseconds()),
		mark: "≤ 1 each; p99 ≤ 500 ms; 0 failed", passed: reads <= documents && p99 <= 500*time.Millisecond && t.failed == 0 && t.ok > 100}, nil
}

// overloaded asks for several times what can be read past the caches. What is
// answered must stay near what can be, and the rest be told to come back.
func overloaded(ctx context.Context, l *lab) (outcome, error) {
	_, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	for range 200 {
		if _, err := o.publishTender(ctx, n); err != nil {
			return outcome{}, err
		}
	}
	var page atomic.Int64
	closed := func(callers int, d time.Duration) (perSecond float64, t tally) {
		run, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		var mu sync.Mutex
		var running sync.WaitGroup
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: 15 * time.Second}
		defer client.CloseIdleConnections()
		for range callers {
			running.Go(func() {
				for run.Err() == nil {
					a := load{}.get(client, n, fmt.Sprintf("/api/v1/notices?limit=100&amount_min=%d", page.Add(1)))
					mu.Lock()
					t.see(a)
					mu.Unlock()
				}
			})
		}
		running.Wait()
		return float64(t.ok) / d.Seconds(), t
	}
	d := time.Duration(l.form.pick(2, 8, 60)) * time.Second
	capacity, _ := closed(8, d)
	goodput, t := closed(400, d)
	return outcome{figure: fmt.Sprintf("8 callers: %.0f/s; 400 callers: %.0f/s (%.0f %%), %s", capacity, goodput, 100*goodput/capacity, &t),
		mark: "≥ 80 %; the rest 503 with Retry-After", passed: goodput >= 0.8*capacity && t.failed == 0}, nil
}

// leaks looks at what is left of many requests and connections.
func leaks(ctx context.Context, l *lab) (outcome, error) {
	_, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	made, err := o.publishTender(ctx, n)
	if err != nil {
		return outcome{}, err
	}
	round := func() {
		for _, reconnect := range []bool{false, true} {
			load{rate: l.form.pick(300, 2000, 5000), reconnect: reconnect, see: func(answer) {}, next: func() (*node, string) {
				return n, "/api/v1/notices/" + made.code
			}}.forAWhile(ctx, time.Duration(l.form.pick(1, 10, 60))*time.Second)
		}
		o.client.CloseIdleConnections()
		wait(ctx, 12*time.Second) // fasthttp keeps idle workers for ten
	}
	round()
	before, err := n.vitals()
	if err != nil {
		return outcome{}, err
	}
	round()
	after, err := n.vitals()
	if err != nil {
		return outcome{}, err
	}
	return outcome{figure: fmt.Sprintf("goroutines %.0f → %.0f, files %.0f → %.0f, memory %.0f → %.0f MiB", before[0], after[0], before[1], after[1], before[2], after[2]),
		mark: "±3, ±3, +8 MiB", passed: after[0] <= before[0]+3 && after[1] <= before[1]+3 && after[2] <= before[2]+8}, nil
}

// vitals are goroutines, open files and anonymous memory in MiB.
func (n *node) vitals() (v [3]float64, err error) {
	if v[0], err = n.metric("go_goroutines"); err != nil {
		return v, err
	}
	if v[1], err = n.metric("process_open_fds"); err != nil {
		return v, err
	}
	m, err := n.memory()
	v[2] = float64(m >> 20)
	return v, err
}
