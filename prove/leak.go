package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

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
	asked := 0
	round := func() {
		for _, reconnect := range []bool{false, true} {
			load{rate: l.form.pick(300, 2000, 5000), reconnect: reconnect, see: func(answer) {}, next: func() (*node, string) {
				asked++
				return n, "/api/v1/notices/" + made.code
			}}.forAWhile(ctx, time.Duration(l.form.pick(1, 6, 60))*time.Second)
		}
		o.client.CloseIdleConnections()
		wait(ctx, 21*time.Second) // fasthttp looks every ten for workers that were idle for ten
	}
	round()
	before, err := n.vitals()
	if err != nil {
		return outcome{}, err
	}
	round()
	var after vitals
	for range 12 { // what goes away within a minute is no leak
		if after, err = n.vitals(); err != nil {
			return outcome{}, err
		}
		if !after.leaked(before) {
			break
		}
		wait(ctx, 5*time.Second)
	}
	figure := fmt.Sprintf("%d requests, a connection for each of half of them: %s → %s", asked, before, after)
	if after.leaked(before) {
		figure += grown(before.stacks, after.stacks)
	}
	return outcome{figure: figure, mark: "≤ +3, ≤ +3, ≤ +8 MiB", passed: !after.leaked(before)}, nil
}

// vitals are what a process holds.
type vitals struct {
	goroutines, files, mib int            // mib: anonymous memory
	stacks                 map[string]int // goroutines by what they stand in
}

func (v vitals) String() string {
	return fmt.Sprintf("%d goroutines, %d files, %d MiB", v.goroutines, v.files, v.mib)
}

func (v vitals) leaked(before vitals) bool {
	return v.goroutines > before.goroutines+3 || v.files > before.files+3 || v.mib > before.mib+8
}

func (n *node) vitals() (v vitals, err error) {
	res, err := http.Get(n.ops + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return v, err
	}
	defer func() { _ = res.Body.Close() }()
	if v.stacks, err = stacks(res.Body); err != nil {
		return v, err
	}
	for _, count := range v.stacks {
		v.goroutines += count
	}
	files, err := n.metric("process_open_fds")
	if err != nil {
		return v, err
	}
	v.files = int(files)
	m, err := n.memory()
	v.mib = int(m >> 20)
	return v, err
}

// stacks reads Go's profile of goroutines: a line "2 @ 0x4 0x5" for those that
// stand alike, then a line "#	0x4	function+0x1	file:line" for each call.
func stacks(profile io.Reader) (map[string]int, error) {
	counts := make(map[string]int)
	lines := bufio.NewScanner(profile)
	count, calls := 0, []string(nil)
	end := func() {
		if count > 0 {
			counts[strings.Join(calls, " < ")] += count
		}
		count, calls = 0, nil
	}
	for lines.Scan() {
		if first, _, ok := strings.Cut(lines.Text(), " @ "); ok {
			end()
			var err error
			if count, err = strconv.Atoi(first); err != nil {
				return nil, err
			}
			continue
		}
		if f := strings.Split(lines.Text(), "\t"); len(f) >= 3 && f[0] == "#" {
			name, _, _ := strings.Cut(strings.TrimSpace(f[2]), "+0x")
			calls = append(calls, name)
		}
	}
	end()
	return counts, lines.Err()
}

// grown says of which goroutines there are more than before.
func grown(before, after map[string]int) string {
	var b strings.Builder
	for _, stack := range slices.SortedFunc(maps.Keys(after), func(a, b string) int {
		return cmp.Or(cmp.Compare(after[b]-before[b], after[a]-before[a]), cmp.Compare(a, b))
	}) {
		if more := after[stack] - before[stack]; more > 0 {
			fmt.Fprintf(&b, "; +%d in %s", more, cmp.Or(stack, "no function"))
		}
	}
	return b.String()
}
