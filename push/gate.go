package push

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"gongkai/internal/disclosure"
)

const (
	gatePoll = 100 * time.Millisecond
	// gateLife is how long what a poll read may be relied on, from the start of
	// the poll. Whoever withdraws or stops something is answered SettleTime after
	// it was committed, so that no call begins after the answer.
	gateLife = 300 * time.Millisecond
)

// SettleTime is how long after its commit a withdrawal or a kill switch is
// answered: by then every worker has seen it or has stopped.
const SettleTime = 400 * time.Millisecond

// gate knows what is forbidden, and since when it knows.
type gate struct {
	switches Switches
	now      func() time.Time
	last     atomic.Pointer[gateReading]
	polls    atomic.Uint64 // begun so far
	needed   atomic.Uint64 // the first poll that may be relied on
	held     atomic.Int64
	// releasing keeps needed from going back.
	releasing sync.Mutex
}

type gateReading struct {
	*disclosure.Gate
	began time.Time // by the monotonic clock
	poll  uint64
}

// hold closes the gate while this process writes down what it has just learnt is
// forbidden, so that the calls after it wait instead of failing likewise. After
// release it opens by a poll that begins then.
func (g *gate) hold() (release func()) {
	g.held.Add(1)
	return func() {
		g.releasing.Lock()
		defer g.releasing.Unlock()
		g.needed.Store(g.polls.Load() + 1)
		g.held.Add(-1)
	}
}

// run polls until ctx ends.
func (g *gate) run(ctx context.Context) {
	for {
		_ = g.poll(ctx) // a failed poll lets the last one grow old
		if !every(ctx, gatePoll) {
			return
		}
	}
}

// poll reads the generation, and what is forbidden when that has changed.
func (g *gate) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	began, poll := g.now(), g.polls.Add(1)
	known := g.last.Load()
	generation, err := g.switches.Generation(ctx)
	if err != nil {
		return err
	}
	if known != nil && known.Generation == generation {
		g.last.Store(&gateReading{known.Gate, began, poll})
		return nil
	}
	read, err := g.switches.Gate(ctx)
	if err != nil {
		return err
	}
	g.last.Store(&gateReading{read, began, poll})
	return nil
}

// open returns what is forbidden, or nil when that is not known for sure now.
func (g *gate) open() *disclosure.Gate {
	last := g.last.Load()
	if last == nil || g.held.Load() > 0 || last.poll < g.needed.Load() || g.now().Sub(last.began) >= gateLife {
		return nil
	}
	return last.Gate
}

// within is wait for no longer than most: a worker whose database is slow holds
// its card back, as long as its lease allows, and does not give it up.
func (g *gate) within(ctx context.Context, most time.Duration) *disclosure.Gate {
	if open := g.open(); open != nil || most <= 0 {
		return open
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return g.wait(ctx)
}

// wait returns what is forbidden as soon as that is known, or nil when ctx ends.
func (g *gate) wait(ctx context.Context) *disclosure.Gate {
	for {
		if open := g.open(); open != nil {
			return open
		}
		if !every(ctx, 10*time.Millisecond) {
			return nil
		}
	}
}
