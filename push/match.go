package push

import (
	"context"
	"errors"
	"time"

	"gongkai/internal/disclosure"
)

const (
	matchChunk = 5_000
	matchLease = 30 * time.Second
	maxQueue   = 1_000_000 // queued deliveries above which no event is expanded further
)

// match expands events until ctx ends.
func (p *Push) match(ctx context.Context) {
	for {
		f, ok, err := p.store.ClaimEvent(ctx, p.owner, p.Recall, p.now(), matchLease)
		if err == nil && ok {
			if err = p.expand(ctx, f); err == nil {
				continue // at once for the next
			}
		}
		wait := matchInterval
		if err != nil {
			p.complain(ctx, "an event was not expanded; it is tried again", err)
			wait = time.Second
		}
		if !every(ctx, wait) {
			return
		}
	}
}

// expand writes a delivery for everybody an event concerns, a chunk of people at
// a time: whoever goes on after a crash begins at the cursor.
func (p *Push) expand(ctx context.Context, f disclosure.FanOut) error {
	if f.Phase == 0 {
		done, err := p.expandMatching(ctx, &f)
		if done || err != nil {
			return err
		}
	}
	for f.State == disclosure.EventMatching && ctx.Err() == nil {
		if err := p.waitForRoom(ctx); err != nil {
			return err
		}
		next, added, lost, err := p.store.ExpandEarlier(ctx, p.owner, f, matchChunk, p.now(), matchLease)
		p.metrics.matched(added)
		if err != nil || lost {
			return err
		}
		f = next
	}
	return ctx.Err()
}

// expandMatching works through the subscriptions; done is true when the event is
// finished or no longer this worker's.
func (p *Push) expandMatching(ctx context.Context, f *disclosure.FanOut) (done bool, err error) {
	n, err := p.store.Notice(ctx, disclosure.NoticeRef{ID: f.NoticeID})
	if errors.Is(err, &disclosure.Error{Code: disclosure.CodeWithdrawn}) {
		return true, nil // its transaction has cancelled the event
	}
	if err != nil {
		return false, err
	}
	typ, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return false, err
	}
	subject := n.Subject(typ, n.Catalog)
	for more := true; more; {
		if err := p.waitForRoom(ctx); err != nil {
			return false, err
		}
		var list []disclosure.Candidate
		if list, more, err = p.store.Candidates(ctx, f.Sector, f.Cursor, matchChunk); err != nil {
			return false, err
		}
		f.From = f.Cursor
		if len(list) > 0 {
			f.Cursor = list[len(list)-1].Person
		}
		f.To = f.Cursor
		if !more {
			f.State = disclosure.EventMatched
			if f.Kind != disclosure.EventPublished { // next: those who have an older revision
				f.State, f.Phase, f.Cursor = disclosure.EventMatching, 1, 0
			}
		}
		now, daily := choose(list, subject)
		if f.Priority == disclosure.PriorityUrgent { // by half past eight the deadline may be over
			now, daily = append(now, daily...), nil
		}
		added, lost, err := p.store.Expand(ctx, p.owner, *f, now, daily, p.now(), matchLease)
		p.metrics.matched(added)
		if err != nil || lost {
			return lost, err
		}
	}
	return f.State == disclosure.EventMatched, nil
}

// choose picks for each person the subscription that brings them the notice: an
// immediate one before a daily one.
func choose(list []disclosure.Candidate, s *disclosure.Subject) (immediate, daily []int64) {
	for i := 0; i < len(list); {
		person := list[i].Person
		var now, later int64
		for ; i < len(list) && list[i].Person == person; i++ {
			c := list[i]
			switch {
			case c.Filter != nil && !c.Filter.Matches(s):
			case c.Mode == disclosure.ModeDaily:
				if later == 0 {
					later = c.Sub
				}
			case now == 0:
				now = c.Sub
			}
		}
		switch {
		case now != 0:
			immediate = append(immediate, now)
		case later != 0:
			daily = append(daily, later)
		}
	}
	return immediate, daily
}

// waitForRoom holds expansion back while the queue is full.
func (p *Push) waitForRoom(ctx context.Context) error {
	for {
		depth, err := p.store.QueueDepth(ctx, maxQueue)
		if err != nil || depth < maxQueue {
			return err
		}
		if !every(ctx, time.Second) {
			return ctx.Err()
		}
	}
}
