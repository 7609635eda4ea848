package cache_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gongkai/cache"
	"gongkai/internal/disclosure"
)

// truth is a database of a few notices, as a model: every write moves the feed
// by one and is remembered with its instant.
type truth struct {
	mu   sync.Mutex
	seq  int64
	revs map[string][]written // by key, oldest first
}

type written struct {
	rev  int
	at   time.Time // committed
	gone bool      // withdrawn
}

var modelKeys = []string{"notice/a", "notice/b", "list/private", "list/all"}

func newTruth() *truth {
	d := &truth{revs: map[string][]written{}}
	for _, key := range modelKeys {
		d.write(key, false)
	}
	return d
}

// write commits a new revision of a key, or its withdrawal.
func (d *truth) write(key string, gone bool) (rev int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seq++
	rev = len(d.revs[key]) + 1
	d.revs[key] = append(d.revs[key], written{rev: rev, at: time.Now(), gone: gone})
	return rev
}

// snapshot is the newest revision of a key and the position of the feed.
func (d *truth) snapshot(key string) (written, int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.revs[key]
	if len(list) == 0 {
		return written{}, d.seq
	}
	return list[len(list)-1], d.seq
}

// before is the newest revision of a key at an instant.
func (d *truth) before(key string, at time.Time) written {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.revs[key]
	for len(list) > 1 && list[len(list)-1].at.After(at) {
		list = list[:len(list)-1]
	}
	return list[len(list)-1]
}

// replaced returns the instant at which a revision of a key stopped being true.
func (d *truth) replaced(key string, rev int) (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if list := d.revs[key]; rev < len(list) {
		return list[rev].at, true
	}
	return time.Time{}, false
}

// line is the network between one instance and the database.
type line struct {
	*truth
	mu     sync.Mutex
	random *rand.Rand
	cut    bool
	hole   bool // a cut that swallows everything instead of refusing it
	slow   time.Duration

	memory *disclosure.Reading // of a planted bug: what is told during a cut
}

var errCut = disclosure.Errorf(disclosure.CodeUnavailable, "数据库暂时不可用，请稍后重试")

// toss sets the line's state for a while, at random.
func (l *line) toss() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.slow = false, 0
	switch l.random.IntN(4) {
	case 0:
		l.cut, l.hole = true, l.random.IntN(2) == 0
	case 1:
		l.slow = time.Duration(l.random.IntN(700)) * time.Millisecond
	}
	return time.Duration(50+l.random.IntN(2500)) * time.Millisecond
}

// pass takes a message over the line, or fails.
func (l *line) pass(ctx context.Context) error {
	l.mu.Lock()
	cut, hole := l.cut, l.hole
	d := time.Duration(l.random.IntN(5)) * time.Millisecond
	switch {
	case l.slow > 0:
		d = time.Duration(l.random.Int64N(int64(l.slow) + 1))
	case l.random.IntN(20) == 0: // a spike
		d = time.Duration(l.random.IntN(1900)) * time.Millisecond
	}
	l.mu.Unlock()
	if cut && !hole {
		return errCut
	}
	if cut {
		d = time.Hour
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errors.Join(errCut, ctx.Err())
	}
}

// Head implements cache.Source.
func (l *line) Head(ctx context.Context) (disclosure.Reading, error) {
	err := l.pass(ctx)
	_, seq := l.snapshot("")
	r := disclosure.Reading{Position: seq, Epoch: "e"}
	if err == nil {
		err = l.pass(ctx)
	}
	if l.memory != nil { // planted: a cut off instance believes what it saw last
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil && l.memory.Epoch != "" {
			return *l.memory, nil
		}
		*l.memory = r
	}
	return r, err
}

// fill reads a key as handlers do.
func (l *line) fill(key string, lag bool) cache.Fill {
	return func(ctx context.Context) (*disclosure.Answer, error) {
		if err := l.pass(ctx); err != nil {
			return nil, err
		}
		w, seq := l.snapshot(key)
		if lag { // planted
			w = l.before(key, time.Now().Add(-time.Second))
		}
		if err := l.pass(ctx); err != nil {
			return nil, err
		}
		if w.gone {
			return nil, disclosure.Errorf(disclosure.CodeWithdrawn, "已撤回").On(strconv.Itoa(w.rev))
		}
		return &disclosure.Answer{Body: []byte(strconv.Itoa(w.rev)), Position: seq, Private: key == "list/private"}, nil
	}
}

// plant is a bug put into the simulation to see it caught.
type plant struct {
	slowClock bool // the lease is counted by a clock at half the speed
	lag       bool // a fill's row is a second older than the position it says
	memory    bool // a poll that fails repeats the last good one
	noRefresh bool // a write is acknowledged before its own process has seen it
}

// outcome is the worst that a simulation saw.
type outcome struct {
	stale       time.Duration // longest time an answer was handed out after it stopped being true
	unread      int           // answers older than a write acknowledged by the same process
	private     int           // private answers served stale
	understated int           // stale answers that claim to be younger than they are
	served      int
	aged        int
}

// simulate runs three instances for a while over lines that fail at random, with
// readers and writers on each.
func simulate(seed uint64, length time.Duration, p plant) (o outcome) {
	d := newTruth()
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	var running sync.WaitGroup
	var mu sync.Mutex
	began := time.Now()
	for i := range 3 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		l := &line{truth: d, random: random}
		if p.memory {
			l.memory = &disclosure.Reading{}
		}
		now := time.Now
		if p.slowClock {
			now = func() time.Time { return began.Add(time.Since(began) / 2) }
		}
		c := cache.New(cache.Options{Source: l, Now: now})
		running.Go(func() { _ = c.Run(ctx) })
		running.Go(func() {
			for ctx.Err() == nil {
				wait(ctx, l.toss())
			}
		})
		acked := &acknowledged{revs: map[string]int{}}
		for r := range 5 {
			running.Go(func() {
				reader := &modelReader{line: l, cache: c, acked: acked, p: p, random: rand.New(rand.NewPCG(seed, uint64(10+i*10+r)))}
				if r == 0 {
					reader.write(ctx)
				} else {
					reader.read(ctx)
				}
				mu.Lock()
				defer mu.Unlock()
				o.add(reader.outcome)
			})
		}
	}
	running.Wait()
	return o
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (o *outcome) add(more outcome) {
	o.stale = max(o.stale, more.stale)
	o.unread += more.unread
	o.private += more.private
	o.understated += more.understated
	o.served += more.served
	o.aged += more.aged
}

// acknowledged is what the writers of one instance have been told is done.
type acknowledged struct {
	mu   sync.Mutex
	revs map[string]int
}

func (a *acknowledged) of(key string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.revs[key]
}

func (a *acknowledged) note(key string, rev int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revs[key] = max(a.revs[key], rev)
}

// modelReader reads keys and judges what it is given.
type modelReader struct {
	*line
	cache  *cache.Cache
	acked  *acknowledged
	p      plant
	random *rand.Rand
	outcome
}

func (r *modelReader) read(ctx context.Context) {
	for ctx.Err() == nil {
		wait(ctx, time.Duration(r.random.IntN(40))*time.Millisecond)
		r.once(modelKeys[r.random.IntN(len(modelKeys))])
	}
}

func (r *modelReader) once(key string) {
	known := r.acked.of(key)
	a, age, err := r.cache.Get(context.Background(), key, r.fill(key, r.p.lag))
	refused := new(disclosure.Error)
	switch {
	case err == nil:
		rev, _ := strconv.Atoi(string(a.Body))
		r.judge(key, rev, known, age, a.Private)
	case errors.As(err, &refused) && refused.Code == disclosure.CodeWithdrawn:
		rev, _ := strconv.Atoi(refused.Fields[0].Field)
		r.judge(key, rev, known, 0, false)
	}
}

// write publishes and withdraws as handlers do: commit, refresh the own cache,
// acknowledge; then it reads what it wrote. Its own way to the database always
// works, or there would be no write.
func (r *modelReader) write(ctx context.Context) {
	for {
		wait(ctx, time.Duration(r.random.IntN(2500))*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		key := modelKeys[r.random.IntN(len(modelKeys))]
		rev := r.truth.write(key, r.random.IntN(3) == 0)
		if !r.p.noRefresh && r.cache.Refresh(ctx) != nil {
			continue // acknowledged with a warning: readers see it within the lease
		}
		r.acked.note(key, rev)
		r.once(key)
	}
}

// judge compares an answer with the truth at the instant it is handed out.
func (r *modelReader) judge(key string, rev, known int, age time.Duration, private bool) {
	r.served++
	if rev < known {
		r.unread++
	}
	at, replaced := r.replaced(key, rev)
	if age > 0 { // it says itself that it is old
		r.aged++
		if private {
			r.private++
		}
		if replaced && time.Since(at) > age+time.Second {
			r.understated++
		}
		return
	}
	if replaced {
		r.stale = max(r.stale, time.Since(at))
	}
}

// fault says what a simulation shows to be wrong, or "".
func (o outcome) fault() string {
	switch {
	case o.stale >= cache.Lease:
		return fmt.Sprintf("an answer was handed out %s after it stopped being true", o.stale)
	case o.unread > 0:
		return fmt.Sprintf("%d answers were older than a write acknowledged before", o.unread)
	case o.private > 0:
		return fmt.Sprintf("%d private answers were served stale", o.private)
	case o.understated > 0:
		return fmt.Sprintf("%d stale answers claimed to be younger than they were", o.understated)
	}
	return ""
}

// seeds is how many simulations make a proof; GONGKAI_PROVE asks for more.
func seeds(usual int) uint64 {
	if os.Getenv("GONGKAI_PROVE") != "" {
		return 300
	}
	return uint64(usual)
}

// TestNothingStaleIsServed is the promise of the cache: whatever polls, fills and
// partitions do, what stopped being true is gone from every instance within the
// lease, and at once from the one that changed it.
func TestNothingStaleIsServed(t *testing.T) {
	var all outcome
	for seed := range seeds(12) {
		synctest.Test(t, func(t *testing.T) {
			o := simulate(seed, time.Minute, plant{})
			if fault := o.fault(); fault != "" {
				t.Errorf("seed %d: %s", seed, fault)
			}
			all.add(o)
		})
	}
	if all.served < 10_000 || all.aged == 0 || all.stale == 0 {
		t.Errorf("the simulation proves nothing: %+v", all)
	}
	t.Logf("%d answers, %d of them declared stale; the worst other was out of date by %s", all.served, all.aged, all.stale)
}

// TestPlantedBugsAreCaught sees the simulation fail.
func TestPlantedBugsAreCaught(t *testing.T) {
	for name, p := range map[string]plant{
		"the lease runs too long":                      {slowClock: true},
		"a fill is kept that is older than it says":    {lag: true},
		"a cut off instance trusts what it heard last": {memory: true},
		"a write is acknowledged before it is seen":    {noRefresh: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				var o outcome
				synctest.Test(t, func(*testing.T) { o = simulate(seed, time.Minute, p) })
				if o.fault() != "" {
					t.Logf("seed %d: %s", seed, o.fault())
					return
				}
			}
			t.Error("20 simulations did not notice")
		})
	}
}
