package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
			if at := ready.Load(); at != 0 && a.planned.UnixNano() > at {
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
function init(args) first = tonumber(args[1]) + id * 500 end
function day(at) return os.date("!%Y-%m-%d", at * 86400) end
function request()
  n = n + 1
  return wrk.format("GET", "/api/v1/notices?limit=100&q=%E9%81%93%E8%B7%AF+%E5%B7%A5%E7%A8%8B+%E6%8B%9B%E6%A0%87&since=" .. day(n % 9000) .. "&until=" .. day(30000 + first + math.floor(n / 9000)))
end
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

// strain is what came of asking for a while.
type strain struct {
	answered, refused, failed int
	took, cpu                 float64 // seconds; cpu is the program's
}

func (s strain) perSecond() float64 { return float64(s.answered) / s.took }

// offered is how many were asked for in a second.
func (s strain) offered() float64 { return float64(s.answered+s.refused+s.failed) / s.took }

// misses lets callers ask for ever new documents, other ones each turn, each again
// as soon as it has an answer. wrk does, on processors of its own: what calling costs is not the
// program's to pay.
func (l *lab) misses(ctx context.Context, n *node, processors string, turn, callers, seconds int) (s strain, err error) {
	script := filepath.Join(l.dir, "misses.lua")
	if err := os.WriteFile(script, []byte(missScript), 0o600); err != nil {
		return s, err
	}
	before, err := n.metric("process_cpu_seconds_total")
	if err != nil {
		return s, err
	}
	out, err := l.exec(ctx, l.dir, nil, "prlimit", "--nofile=8192:", "taskset", "-c", processors, "wrk", "-t2", fmt.Sprintf("-c%d", callers), fmt.Sprintf("-d%ds", seconds),
		"--timeout", "10s", "-s", script, n.url, "--", fmt.Sprint(turn*1000))
	if err != nil {
		return s, err
	}
	after, err := n.metric("process_cpu_seconds_total")
	if err != nil {
		return s, err
	}
	_, result, _ := strings.Cut(string(out), "RESULT ")
	if _, err := fmt.Sscan(result, &s.answered, &s.refused, &s.failed, &s.took); err != nil {
		return s, fmt.Errorf("wrk said: %s", out)
	}
	s.answered, s.cpu = s.answered-s.failed, after-before
	return s, nil
}

// overloaded asks for several times what can be read past the caches. What is
// answered must stay near what can be, and the rest be told to come back. Both
// are measured with the same generator and in turns, so that a noisy neighbour
// meets both, and the median of the turns counts. What the program answers in a
// second of its processor's time says whether it was the neighbour.
func overloaded(ctx context.Context, l *lab) (outcome, error) {
	ours, theirs := processors(runtime.NumCPU())
	n, err := l.pinned(ctx, ours, 600)
	if err != nil {
		return outcome{}, err
	}
	before, err := n.memory()
	if err != nil {
		return outcome{}, err
	}
	var can, got, times, ratio, perCPU []float64
	refused, failed := 0, 0
	for turn := range l.form.pick(1, 6, 6) {
		few, err := l.misses(ctx, n, theirs, 2*turn, 8, l.form.pick(1, 4, 15))
		if err != nil {
			return outcome{}, err
		}
		many, err := l.misses(ctx, n, theirs, 2*turn+1, crowd, l.form.pick(1, 4, 15))
		if err != nil {
			return outcome{}, err
		}
		refused, failed = refused+many.refused, failed+few.failed+many.failed
		can, got = append(can, few.perSecond()), append(got, many.perSecond())
		times = append(times, many.offered()/few.perSecond())
		ratio = append(ratio, many.perSecond()/few.perSecond())
		perCPU = append(perCPU, float64(many.answered)/many.cpu/(float64(few.answered)/few.cpu))
	}
	after, err := n.memory()
	if err != nil {
		return outcome{}, err
	}
	grown := (after - before) >> 20
	return outcome{figure: fmt.Sprintf("8 callers: %.0f/s; %d callers, who ask %.1f times as often: %.0f/s, %.0f %% (of a second of its processor's time %.0f %%), %d refused with Retry-After, %d otherwise; memory %+d MiB",
		median(can), crowd, median(times), median(got), 100*median(ratio), 100*median(perCPU), refused, failed, grown),
		mark: "≥ 90 %; 0 otherwise; ≤ +384 MiB", passed: median(ratio) >= 0.9 && refused > 0 && failed == 0 && grown <= 384}, nil
}

// pinned is an instance alone on some processors, with published notices.
func (l *lab) pinned(ctx context.Context, processors string, notices int) (*node, error) {
	binary, err := l.wrapped("pinned", "exec taskset -c "+processors)
	if err != nil {
		return nil, err
	}
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	n, err := l.launch(ctx, binary, nil, "--data", dir)
	if err != nil {
		return nil, err
	}
	o, err := l.hire(ctx, n, "--data", dir)
	if err == nil {
		_, err = o.publishMany(ctx, l, n, notices)
	}
	return n, err
}

// crowd is how many callers ask at once, each again as soon as it was answered.
const crowd = 1000

// processors are shared out between the program and those who call it, as
// taskset counts them.
func processors(n int) (ours, theirs string) {
	half := max(1, n/2)
	return fmt.Sprintf("0-%d", half-1), fmt.Sprintf("%d-%d", min(half, n-1), n-1)
}

// median of at least one number.
func median(of []float64) float64 {
	s := slices.Sorted(slices.Values(of))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
