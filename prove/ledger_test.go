package main

import (
	"net/http"
	"testing"
	"time"
)

// The ledger sees what it is there to see.
func TestLedgerCatchesWhatIsStillShown(t *testing.T) {
	acked, here, there := time.Now(), new(node), new(node)
	late := func(d time.Duration, status int, path, body string, header http.Header) answer {
		return answer{from: here, path: path, planned: acked, begun: acked.Add(d), status: status, body: []byte(body), header: header}
	}
	const list, one, gone = "/api/v1/notices?limit=100", "/api/v1/notices/12345678", `{"error":{"code":"notice.withdrawn"}}`
	const body = `{"items":[{"id":"x","code":"99999999"},{"code":"12345678","title":"y"}]}`
	aged := http.Header{"Age": {"3"}}
	for name, c := range map[string]struct {
		seen  []answer
		worst time.Duration
		least int
	}{
		"nothing":                     {nil, 0, 0},
		"in a list":                   {[]answer{late(1500*time.Millisecond, 200, list, body, nil)}, 1500 * time.Millisecond, 0},
		"as a page":                   {[]answer{late(time.Second, 200, one, `{"code":"12345678"}`, nil)}, time.Second, 1},
		"the later counts":            {[]answer{late(3, 200, one, body, nil), late(2, 200, one, body, nil)}, 3, 2},
		"gone":                        {[]answer{late(time.Second, 410, one, gone, nil)}, 0, 1},
		"before the acknowledgement":  {[]answer{late(-1, 200, one, body, nil)}, 0, 0},
		"marked as old":               {[]answer{late(time.Second, 200, one, body, aged)}, 0, 1},
		"another one":                 {[]answer{late(time.Second, 200, list, `{"code":"12345679"}`, nil)}, 0, 0},
		"no answer is none that asks": {[]answer{late(time.Second, 0, one, "", nil)}, 0, 0},
	} {
		g := newLedger()
		g.withdrawn("12345678", acked)
		for _, a := range c.seen {
			g.see(a)
		}
		if worst, _, _ := g.verdict(there); worst != 0 {
			t.Errorf("%s: the other instance has shown it for %v", name, worst)
		}
		if worst, p99, least := g.verdict(here, there); worst != c.worst || p99 != c.worst || least != c.least {
			t.Errorf("%s: seen for %v, %v, asked for %d times, want %v and %d", name, worst, p99, least, c.worst, c.least)
		}
	}
}

// What a process that stands still answers late is not its speed, whether the
// reader had asked before or his turn came meanwhile; what it answers to those
// who come later is, though they wait for those who came before.
func TestStandingStillIsNotSlow(t *testing.T) {
	stopped := time.Now()
	continued := stopped.Add(time.Second)
	n := &node{}
	g := newLedger()
	g.see(answer{from: n, planned: stopped.Add(-time.Second), begun: stopped.Add(-time.Second), took: time.Millisecond})
	n.stood.Store(stopped.UnixNano())
	n.stood.Store(continued.UnixNano())
	g.see(answer{from: n, planned: stopped.Add(-1), begun: stopped.Add(-1), took: time.Second})
	g.see(answer{from: n, planned: stopped.Add(1), begun: continued.Add(1), took: time.Second})
	g.see(answer{from: n, planned: continued.Add(1), begun: continued.Add(time.Second), took: time.Minute})
	g.see(answer{planned: stopped, err: errNotAsked})
	if len(g.times) != 2 || g.times.at(0) != time.Millisecond || g.times.at(1) != time.Minute || g.reads != 4 || g.missed != 1 {
		t.Errorf("counted %v of %d, %d missed", g.times, g.reads, g.missed)
	}
}
