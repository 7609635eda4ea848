package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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

// missScript makes wrk ask for another document each time and count what it gets.
const missScript = `
local first, n = 0, 0
local id = 0
function setup(thread) thread:set("id", id); id = id + 1 end
function init(args) first = tonumber(args[1]) + id * 10000000 end
function request() n = n + 1; return wrk.format("GET", "/api/v1/notices?limit=10&amount_min=" .. (first + n)) end
function response(status, headers)
  if status == 503 and headers["Retry-After"] then refused = (refused or 0) + 1
  elseif status ~= 200 then failed = (failed or 0) + 1 end
end
local threads = {}
local inner = setup
function setup(thread) inner(thread); table.insert(threads, thread) end
function done(summary)
  local r, f = 0, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, t in ipairs(threads) do r = r + (t:get("refused") or 0); f = f + (t:get("failed") or 0) end
  io.write(string.format("RESULT %d %d %d %f\n", summary.requests - r, r, f, summary.duration / 1e6))
end
`

// misses lets callers ask for ever new documents, each again as soon as it has
// an answer. wrk does, as a caller in Go would be what is measured.
func (l *lab) misses(ctx context.Context, n *node, callers, seconds int) (perSecond float64, refused, failed int, err error) {
	script := filepath.Join(l.dir, "misses.lua")
	if err := os.WriteFile(script, []byte(missScript), 0o600); err != nil {
		return 0, 0, 0, err
	}
	l.count++
	out, err := exec.CommandContext(ctx, "wrk", "-t2", fmt.Sprintf("-c%d", callers), fmt.Sprintf("-d%ds", seconds), "--timeout", "10s",
		"-s", script, n.url, "--", fmt.Sprint(l.count*100_000_000)).CombinedOutput()
	if err != nil {
		return 0, 0, 0, fmt.Errorf("wrk: %w: %s", err, out)
	}
	_, result, _ := strings.Cut(string(out), "RESULT ")
	var answered int
	var took float64
	if _, err := fmt.Sscan(result, &answered, &refused, &failed, &took); err != nil {
		return 0, 0, 0, fmt.Errorf("wrk said: %s", out)
	}
	return float64(answered) / took, refused, failed, nil
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
	var capacity, goodput float64
	refused, failed := 0, 0
	rounds := l.form.pick(1, 4, 8)
	for range rounds { // in turns, as machines are noisy
		a, _, _, err := l.misses(ctx, n, 8, l.form.pick(1, 4, 15))
		if err != nil {
			return outcome{}, err
		}
		b, r, f, err := l.misses(ctx, n, 400, l.form.pick(1, 4, 15))
		if err != nil {
			return outcome{}, err
		}
		capacity, goodput, refused, failed = capacity+a/float64(rounds), goodput+b/float64(rounds), refused+r, failed+f
	}
	return outcome{figure: fmt.Sprintf("8 callers: %.0f/s; 400 callers: %.0f/s (%.0f %%), %d refused with Retry-After, %d otherwise",
		capacity, goodput, 100*goodput/capacity, refused, failed),
		mark: "≥ 90 %; 0 otherwise", passed: goodput >= 0.9*capacity && failed == 0}, nil
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
