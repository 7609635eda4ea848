package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// result is what wrk measured in one turn.
type result struct {
	rps      float64
	p50, p99 float64 // ms
	cpu      float64 // µs of the server's processors for one request
	bad      int     // answers that are neither 2xx nor 3xx, and socket errors
}

// target is one rival's way of answering one question.
type target struct {
	name    string
	by      *server
	path    string
	headers []string
	paths   []string // asked in turn instead of path
	conns   int
	longer  int     // so many times as long as the others, for what takes seconds; 0: once
	asked   float64 // least ratio of gongkai's requests to this one's; 0: none
}

var latencyForm = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+)(us|ms|s)`)

// wrk loads one target.
func (s settings) wrk(ctx context.Context, t target) (result, error) {
	conns := t.conns
	if conns == 0 {
		conns = 64
	}
	threads := min(2, conns)
	args := []string{"--latency", "--timeout", "30s", "-t", strconv.Itoa(threads), "-c", strconv.Itoa(conns), "-d", strconv.Itoa(s.seconds*max(t.longer, 1)) + "s"}
	for _, h := range t.headers {
		args = append(args, "-H", h)
	}
	if len(t.paths) > 0 {
		script, err := s.pathScript(t)
		if err != nil {
			return result{}, err
		}
		args = append(args, "-s", script)
	}
	before, err := t.by.cpu()
	if err != nil {
		return result{}, err
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, t.by.url+t.path)...)
	inGroup(cmd)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("wrk %s: %w: %s", t.path, err, out)
	}
	after, err := t.by.cpu()
	r, requests := parseWrk(string(out))
	r.cpu = float64((after - before).Microseconds()) / max(requests, 1)
	return r, err
}

// pathScript makes wrk ask for the paths in turn; each thread begins elsewhere.
func (s settings) pathScript(t target) (string, error) {
	list := filepath.Join(s.dir, "paths.txt")
	if err := os.WriteFile(list, []byte(strings.Join(t.paths, "\n")), 0o600); err != nil {
		return "", err
	}
	script := filepath.Join(s.dir, "paths.lua")
	return script, os.WriteFile(script, []byte(fmt.Sprintf(`
local threads = 0
function setup(thread) thread:set("first", threads); threads = threads + 1 end
function init(args)
  paths = {}
  for line in io.lines(%q) do paths[#paths + 1] = line end
  n = math.floor(#paths / 2) * first
end
function request() n = n + 1; return wrk.format("GET", paths[n %% #paths + 1]) end
`, list)), 0o600)
}

func parseWrk(out string) (r result, requests float64) {
	for _, m := range latencyForm.FindAllStringSubmatch(out, -1) {
		v, _ := strconv.ParseFloat(m[2], 64)
		v *= map[string]float64{"us": 0.001, "ms": 1, "s": 1000}[m[3]]
		if m[1] == "50" {
			r.p50 = v
		} else {
			r.p99 = v
		}
	}
	for line := range strings.SplitSeq(out, "\n") {
		fields := strings.Fields(line)
		switch {
		case strings.Contains(line, " requests in "):
			requests, _ = strconv.ParseFloat(fields[0], 64)
		case strings.HasPrefix(line, "Requests/sec:"):
			r.rps, _ = strconv.ParseFloat(fields[1], 64)
		case strings.Contains(line, "Non-2xx or 3xx responses:"):
			n, _ := strconv.Atoi(fields[len(fields)-1])
			r.bad += n
		case strings.Contains(line, "Socket errors:"):
			r.bad++
		}
	}
	return r, requests
}

// compare lets the targets take turns and prints a line for each: medians, how
// many times as many requests the first one answered, and whether that is as
// many as asked. Targets without a server are left out.
func (s settings) compare(ctx context.Context, title string, targets []target) ([]result, error) {
	targets = slices.DeleteFunc(targets, func(t target) bool { return t.by == nil })
	all := make([][]result, len(targets))
	for range s.rounds {
		for i, t := range targets {
			r, err := s.wrk(ctx, t)
			if err != nil {
				return nil, err
			}
			all[i] = append(all[i], r)
			if err := t.by.rest(ctx); err != nil {
				return nil, err
			}
		}
	}
	medians := make([]result, len(targets))
	fmt.Printf("\n%s (%d rounds of %d s, medians)\n", title, s.rounds, s.seconds)
	tw := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(tw, "\trequests/s\tp50 ms\tp99 ms\tCPU µs\t%s ÷ this\tasked\tbad answers\n", targets[0].name)
	for i, t := range targets {
		medians[i] = median(all[i])
		ratio := medians[0].rps / medians[i].rps
		fmt.Fprintf(tw, "%s\t%.0f\t%.2f\t%.2f\t%.0f\t%.2f\t%s\t%d\n", t.name, medians[i].rps, medians[i].p50, medians[i].p99, medians[i].cpu, ratio, t.verdict(medians[0], medians[i]), medians[i].bad)
	}
	return medians, tw.Flush()
}

// rest waits, for half a minute at most, until a server has come to rest: queries
// that nobody waits for any more would take the processors from whoever's turn is
// next.
func (v *server) rest(ctx context.Context) error {
	const look = 100 * time.Millisecond
	before, err := v.cpu()
	for deadline := time.Now().Add(30 * time.Second); err == nil && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
		var now time.Duration
		if now, err = v.cpu(); now-before <= tick {
			return err
		}
		before = now
	}
	return err
}

// verdict says whether the first target answered as many times as many requests as
// this one as was asked, "" when nothing was. To refuse is fast: with bad answers it
// is missed, whatever the ratio.
func (t target) verdict(first, this result) string {
	switch {
	case t.asked == 0:
		return ""
	case first.bad == 0 && first.rps >= t.asked*this.rps:
		return fmt.Sprintf("≥ %g", t.asked)
	}
	return fmt.Sprintf("≥ %g MISSED", t.asked)
}

func median(rs []result) result {
	pick := func(f func(result) float64) float64 {
		v := make([]float64, len(rs))
		for i, r := range rs {
			v[i] = f(r)
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	bad := 0
	for _, r := range rs {
		bad += r.bad
	}
	return result{pick(func(r result) float64 { return r.rps }), pick(func(r result) float64 { return r.p50 }),
		pick(func(r result) float64 { return r.p99 }), pick(func(r result) float64 { return r.cpu }), bad}
}
