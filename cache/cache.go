// Package cache is the read model: encoded answers in the process, over Redis
// where there is one, over the store.
//
// It is right by construction, not by message. Every instance polls the newest
// position of the change feed – its generation – and serves an entry only while
// the last good poll STARTED less than Lease ago and the entry was read at that
// very generation. So a withdrawn notice is gone everywhere within Lease, even
// if every message is lost and every other machine is cut off. The clock is
// monotonic and the instance's own: no two clocks are compared.
//
// Redis holds only values that never change, under keys that name the epoch and
// the generation they were read at; losing it, or reading an old replica of it,
// costs hits. A stream in it carries no data: it makes the next poll come at
// once.
package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"gongkai/internal/disclosure"
)

const (
	// Lease is how long after the start of a good poll entries may be served.
	Lease = 800 * time.Millisecond
	// PollInterval is the time between polls; a lease spans several.
	PollInterval = 200 * time.Millisecond
	// pollTimeout bounds one poll.
	pollTimeout = 500 * time.Millisecond
	// fillTimeout bounds one read of the store.
	fillTimeout = 2 * time.Second
	// maxStale is how old an answer may be that is served while the database is
	// out of reach.
	maxStale = 24 * time.Hour
	// slotWait is how long a fill waits for its turn at most. Whoever is refused
	// asks again, and to refuse is not free: a caller who waits asks less often.
	slotWait = 400 * time.Millisecond
)

// Source is the truth the cache follows.
type Source interface {
	// Head returns the newest position of the change feed and the catalogue.
	Head(ctx context.Context) (disclosure.Reading, error)
}

// Fill reads and encodes one answer. An expected refusal, such as a notice that
// does not exist, is a *disclosure.Error and is remembered like an answer.
type Fill = func(ctx context.Context) (*disclosure.Answer, error)

// Cache keeps answers. It is safe for concurrent use.
type Cache struct {
	source  Source
	now     func() time.Time
	shared  *Shared
	log     *slog.Logger
	entries *otter.Cache[string, *entry]
	flight  singleflight.Group
	slots   chan struct{}
	state   atomic.Pointer[state]
	failed  atomic.Pointer[time.Time] // end of the last poll, if it failed
	again   atomic.Pointer[time.Time] // when the shared layer is to be purged once more
	woken   chan struct{}

	hits, sharedHits, fills, stale, refused, polls, failedPolls atomic.Int64
}

// state is what the last good poll saw.
type state struct {
	disclosure.Reading
	start time.Time // of the poll
}

// entry is an answer, or a refusal, and the generation it holds for.
type entry struct {
	answer     *disclosure.Answer
	refusal    error
	generation int64
	epoch      string
	alias      string // the key whose answer is meant; nothing else is set then
}

// Options makes a Cache.
type Options struct {
	Source Source
	Now    func() time.Time // with a monotonic reading
	Bytes  uint64           // bound of the process's layer; 0 means 64 MiB
	Fills  int              // how many may be under way: no more than read at once; 0 means 16
	Shared *Shared          // nil without Redis
	Log    *slog.Logger     // told when the database goes away and comes back; nil drops it
}

// New makes a cache; Run must follow the feed for it to serve anything.
func New(o Options) *Cache {
	if o.Bytes == 0 {
		o.Bytes = 64 << 20
	}
	if o.Fills == 0 {
		o.Fills = 16
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Cache{
		source: o.Source, now: o.Now, shared: o.Shared, log: o.Log,
		entries: otter.Must(&otter.Options[string, *entry]{MaximumWeight: o.Bytes, Weigher: weigh}),
		slots:   make(chan struct{}, o.Fills),
		woken:   make(chan struct{}, 1),
	}
}

// weigh estimates what an entry holds, its compressed bodies included.
func weigh(key string, e *entry) uint32 {
	w := 300 + len(key) + len(e.alias)
	if e.answer != nil {
		w += len(e.answer.Body) * 3 / 2
	}
	return uint32(min(w, 1<<30))
}

// Run follows the change feed until ctx ends. It returns nil then.
func (c *Cache) Run(ctx context.Context) error {
	tick := time.NewTicker(PollInterval)
	defer tick.Stop()
	if c.shared != nil {
		go c.shared.listen(ctx, c.wake, c.forget)
	}
	for {
		_ = c.poll(ctx) // counted, and shown by State; the next one follows
		c.purgeLate(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-c.woken:
		}
	}
}

func (c *Cache) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// poll asks for the generation and renews the lease.
func (c *Cache) poll(ctx context.Context) error {
	_, err, _ := c.flight.Do("\x00poll", func() (any, error) { return nil, c.pollOnce(ctx) })
	return err
}

func (c *Cache) pollOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pollTimeout)
	defer cancel()
	start := c.now()
	r, err := c.source.Head(ctx)
	if err != nil {
		c.failedPolls.Add(1)
		now := c.now()
		if c.failed.Swap(&now) == nil {
			c.log.Error("the database is out of reach", "error", err)
		}
		return err
	}
	c.polls.Add(1)
	if c.failed.Swap(nil) != nil {
		c.log.Info("the database is back")
	}
	for {
		old := c.state.Load()
		if old != nil && (old.Epoch == r.Epoch && old.Position > r.Position || old.start.After(start) && (old.Epoch != r.Epoch || old.Position == r.Position)) {
			return nil // a later poll has overtaken this one
		}
		if c.state.CompareAndSwap(old, &state{Reading: r, start: start}) {
			return nil
		}
	}
}

// Refresh makes this process see what it has just written: it polls now, before
// a write is answered, and tells the other instances. Its error means that the
// write is seen within Lease instead.
func (c *Cache) Refresh(ctx context.Context) error {
	before := c.generation()
	// A poll already under way may have started before the write; the second
	// one cannot have.
	err := c.pollOnce(ctx)
	if now := c.generation(); c.shared != nil && err == nil && now != before {
		c.shared.announce(ctx, now)
	}
	return err
}

func (c *Cache) generation() int64 {
	if s := c.state.Load(); s != nil {
		return s.Position
	}
	return -1
}

// Catalog returns the catalogue as of the last good poll, or nil before the
// first.
func (c *Cache) Catalog() *disclosure.Catalog {
	if s := c.state.Load(); s != nil {
		return s.Catalog
	}
	return nil
}

// Fresh reports whether the lease is valid.
func (c *Cache) Fresh() bool { return c.valid(c.state.Load()) }

// LastPoll returns the start of the last good poll, zero before the first.
func (c *Cache) LastPoll() time.Time {
	if s := c.state.Load(); s != nil {
		return s.start
	}
	return time.Time{}
}

func (c *Cache) valid(s *state) bool { return s != nil && c.now().Sub(s.start) < Lease }

// Stats returns the counters.
func (c *Cache) Stats() disclosure.CacheStats {
	return disclosure.CacheStats{Hits: c.hits.Load(), SharedHits: c.sharedHits.Load(), Fills: c.fills.Load(),
		Stale: c.stale.Load(), Refused: c.refused.Load(), Polls: c.polls.Load(), FailedPoll: c.failedPolls.Load(),
		Bytes: int64(c.entries.WeightedSize())}
}

// Peek returns the answer under the key if it may be served as it is at the
// instant now of the cache's clock, and nil otherwise. It neither waits nor
// fills, and does not keep the key.
func (c *Cache) Peek(key string, now time.Time) *disclosure.Answer {
	s := c.state.Load()
	e, ok := c.entries.GetIfPresent(key)
	if ok && e.alias != "" {
		e, ok = c.entries.GetIfPresent(e.alias)
	}
	if !ok || e.answer == nil || s == nil || now.Sub(s.start) >= Lease || !e.current(s, now) {
		return nil
	}
	c.hits.Add(1)
	return e.answer
}

func (e *entry) current(s *state, now time.Time) bool {
	return e.generation == s.Position && e.epoch == s.Epoch &&
		(e.answer == nil || e.answer.Until.IsZero() || now.Before(e.answer.Until))
}

// Alias lets Peek find the answer under key by a second key, so that a request
// seen before need not be parsed again. It keeps the name only: however many
// names an answer has, evicting it frees it.
func (c *Cache) Alias(alias, key string) {
	if e, ok := c.entries.GetIfPresent(alias); ok && e.alias == key || alias == key {
		return
	}
	c.entries.Set(alias, &entry{alias: key})
}

// Get returns the answer under the key, filling it when there is none for the
// present generation. age is 0, or how old the answer is that had to be served
// because the database is out of reach; a private answer is never served so.
//
// An answer with age 0 was true less than Lease before Get returns, however
// long the fill took.
//
// Errors are fill's, and CodeUnavailable.
func (c *Cache) Get(ctx context.Context, key string, fill Fill) (a *disclosure.Answer, age time.Duration, err error) {
	for range 2 {
		s := c.state.Load()
		if !c.valid(s) {
			if err := c.regain(ctx); err != nil {
				return c.serveStale(key, s, err)
			}
			if s = c.state.Load(); !c.valid(s) {
				return c.serveStale(key, s, errOutOfReach)
			}
		}
		if e, ok := c.entries.GetIfPresent(key); ok && e.current(s, c.now()) {
			c.hits.Add(1)
			return e.answer, 0, e.refusal
		}
		// The generation is part of the flight's name: a reader who has seen a
		// write acknowledged must not join a read that began before it.
		v, _, _ := c.flight.Do(strconv.FormatInt(s.Position, 36)+" "+key, func() (any, error) {
			return c.load(context.WithoutCancel(ctx), key, s, fill), nil
		})
		f := v.(filled)
		if errors.Is(f.err, &disclosure.Error{Code: disclosure.CodeUnavailable}) {
			return c.serveStale(key, c.state.Load(), f.err)
		}
		if c.stillTrue(f) {
			return f.answer, 0, f.err
		}
	}
	return c.serveStale(key, c.state.Load(), errBusy)
}

// filled is what came of one fill.
type filled struct {
	answer   *disclosure.Answer
	err      error
	position int64     // it was true at
	epoch    string    // of the position
	asOf     time.Time // and at this instant
}

// stillTrue reports whether what was filled may be handed out now: a slow fill
// may have been overtaken by a change.
func (c *Cache) stillTrue(f filled) bool {
	if c.now().Sub(f.asOf) < Lease {
		return true
	}
	s := c.state.Load()
	return c.valid(s) && s.Epoch == f.epoch && s.Position <= f.position
}

// regain renews a lost lease by a poll, unless one has failed just now: while
// the database is away nobody waits for it but the poll itself.
func (c *Cache) regain(ctx context.Context) error {
	if t := c.failed.Load(); t != nil && c.now().Sub(*t) < Lease {
		return errOutOfReach
	}
	return c.poll(ctx)
}

var (
	errOutOfReach = disclosure.Errorf(disclosure.CodeUnavailable, "数据库暂时不可用，请稍后重试")
	errBusy       = disclosure.Errorf(disclosure.CodeUnavailable, "系统繁忙，请稍后重试")
)

// serveStale falls back on an answer of the generation last known: whatever is
// known to have changed since is not served.
func (c *Cache) serveStale(key string, s *state, cause error) (*disclosure.Answer, time.Duration, error) {
	e, ok := c.entries.GetIfPresent(key)
	if ok && s != nil && e.answer != nil && !e.answer.Private && e.generation == s.Position && e.epoch == s.Epoch {
		if age := c.now().Sub(s.start); age < maxStale {
			c.stale.Add(1)
			return e.answer, max(age, time.Second), nil
		}
	}
	c.refused.Add(1)
	if !errors.Is(cause, &disclosure.Error{Code: disclosure.CodeUnavailable}) {
		cause = errors.Join(errOutOfReach, cause)
	}
	return nil, 0, cause
}

// load fills one key: from the shared layer, else from the store.
func (c *Cache) load(ctx context.Context, key string, s *state, fill Fill) filled {
	out := filled{position: s.Position, epoch: s.Epoch, asOf: s.start}
	sharing := false // with a Redis that does not answer nobody waits for it to keep anything
	if c.shared != nil {
		var a *disclosure.Answer
		if a, sharing = c.shared.get(ctx, s.Epoch, s.Position, key); a != nil && (a.Until.IsZero() || c.now().Before(a.Until)) {
			c.sharedHits.Add(1)
			c.keep(key, s, &entry{answer: a})
			out.answer = a
			return out
		}
	}
	if out.err = c.acquire(ctx); out.err != nil {
		return out
	}
	defer func() { <-c.slots }()
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	c.fills.Add(1)
	out.asOf = c.now()
	a, err := fill(ctx)
	if err != nil {
		out.err = err
		if refusal := new(disclosure.Error); errors.As(err, &refusal) && remembered[refusal.Code] {
			c.keep(key, s, &entry{refusal: err})
		}
		return out
	}
	if a.Position < s.Position {
		out.err = fmt.Errorf("%w: a read at position %d is older than the poll at %d", errOutOfReach, a.Position, s.Position)
		return out
	}
	out.answer, out.position = a, a.Position
	if a.Position > s.Position {
		// The read saw a newer generation than the last poll: who has been given
		// it is given nothing older from now on.
		_ = c.poll(ctx)
		return out
	}
	c.keep(key, s, &entry{answer: a})
	if sharing && !a.Private {
		c.shared.put(ctx, s.Epoch, key, a)
	}
	return out
}

// remembered lists the refusals that hold for as long as nothing is published.
var remembered = map[disclosure.Code]bool{
	disclosure.CodeNotFound: true, disclosure.CodeWithdrawn: true, disclosure.CodeNoProject: true,
	disclosure.CodeNoItem: true, disclosure.CodeNoFile: true, disclosure.CodeFileGone: true,
}

// keep stores what was read at generation s, unless that is over by now.
func (c *Cache) keep(key string, s *state, e *entry) {
	if now := c.state.Load(); now.Position != s.Position || now.Epoch != s.Epoch {
		return
	}
	e.generation, e.epoch = s.Position, s.Epoch
	c.entries.Set(key, e)
}

// acquire takes a slot for a fill. Under overload it is better to refuse some
// at once than to keep all waiting.
func (c *Cache) acquire(ctx context.Context) error {
	select {
	case c.slots <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(slotWait)
	defer timer.Stop()
	select {
	case c.slots <- struct{}{}:
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return errBusy
}
