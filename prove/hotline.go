package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// caller is a call under way: where it stands and what is pressed next.
type caller struct {
	id, state string
	pressed   int
}

// dialled is what every caller does: to a notice, through it, to its code and
// back, to a project by its number, and to a person. The first is the start.
var dialled = []string{"", "1", "1", "2", "1", "#", "8", "*", "*", "#", "*", "*", "2", "12345678#", "*", "3", "*", "4", "1", "0"}

// callers hand out calls to those who place the load.
type callers struct {
	begun int
	idle  []*caller
	under map[string]*caller // by the path asked for
	lost  string             // the first answer that is no turn
	moved int                // turns answered with something but a transfer
}

func (c *callers) next() string {
	var call *caller
	if n := len(c.idle); n > 0 {
		call, c.idle = c.idle[0], c.idle[1:]
	} else {
		c.begun++
		call = &caller{id: fmt.Sprintf("prove-%d", c.begun)}
	}
	q := url.Values{"call_id": {call.id}, "state": {call.state}, "digits": {dialled[call.pressed]}, "caller": {"0515" + call.id}}
	path := "/api/v1/ivr/turn?" + q.Encode()
	c.under[path] = call
	return path
}

func (c *callers) see(a answer) {
	if errors.Is(a.err, errNotAsked) { // there was no call yet
		return
	}
	call := c.under[a.path]
	delete(c.under, a.path)
	var turn struct{ State, Action, Prompt string }
	if err := json.Unmarshal(a.body, &turn); (err != nil || a.status != http.StatusOK || strings.Contains(turn.Prompt, "系统繁忙")) && c.lost == "" {
		c.lost = fmt.Sprintf("%d, %v, %v: %.200s", a.status, a.err, err, a.body)
	}
	if call.pressed++; call.pressed == len(dialled) {
		return
	}
	if turn.Action == "collect" {
		c.moved++
	}
	call.state = turn.State
	c.idle = append(c.idle, call)
}

// telephoned measures turns of the hotline while people read.
func telephoned(ctx context.Context, l *lab) (outcome, error) {
	dir, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	for range 60 {
		if _, err := o.publishTender(ctx, n); err != nil {
			return outcome{}, err
		}
	}
	out, err := l.cli(ctx, "token", "create", "--name", "热线", "--role", "ivr", "--json", "--data", dir)
	if err != nil {
		return outcome{}, err
	}
	var token struct{ Token string }
	if err := json.Unmarshal(out, &token); err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(l.form.pick(5, 20, 120))*time.Second)
	defer cancel()
	var reads, turns tally
	var both sync.WaitGroup
	turn := 0
	both.Go(func() {
		load{rate: 1000, see: reads.see, next: func() (*node, string) {
			turn++
			return n, fmt.Sprintf("/api/v1/notices?limit=%d", 1+turn%20)
		}}.run(ctx)
	})
	calls := &callers{under: map[string]*caller{}}
	both.Go(func() {
		load{rate: 100, next: func() (*node, string) { return n, calls.next() },
			see:    func(a answer) { turns.see(a); calls.see(a) },
			header: func() http.Header { return http.Header{"Authorization": {"Bearer " + token.Token}} }}.run(ctx)
	})
	both.Wait()
	p99 := turns.times.at(0.99)
	return outcome{figure: fmt.Sprintf("turns: %s, p50 %.1f ms, p99 %.1f ms beside reads: %s, p99 %.1f ms%s", &turns,
		ms(turns.times.at(0.5)), ms(p99), &reads, ms(reads.times.at(0.99)), calls.lost),
		mark: "p99 ≤ 150 ms; 0 failed, reads included; none busy", passed: p99 <= 150*time.Millisecond && turns.failed+reads.failed+reads.refused == 0 && calls.lost == "" && calls.moved > turns.ok/2}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
