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
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	for chunk := range p.pick(reading, *f, n.Subject(typ, n.Catalog)) {
		if chunk.err == nil {
			chunk.err = p.waitForRoom(ctx)
		}
		if chunk.err != nil {
			return false, chunk.err
		}
		f.From, f.Cursor, f.To = f.Cursor, chunk.last, chunk.last
		if !chunk.more {
			f.State = disclosure.EventMatched
			if f.Kind != disclosure.EventPublished { // next: those who have an older revision
				f.State, f.Phase, f.Cursor = disclosure.EventMatching, 1, 0
			}
		}
		added, lost, err := p.store.Expand(ctx, p.owner, *f, chunk.immediate, chunk.daily, p.now(), matchLease)
		p.metrics.matched(added)
		if err != nil || lost {
			return lost, err
		}
	}
	return f.State == disclosure.EventMatched, nil
}

// picked is one chunk of an event's people: the subscriptions that bring it to
// them, now and with the digest.
type picked struct {
	immediate, daily []int64
	last             int64 // the last person looked at
	more             bool
	err              error
}

// pick picks an event's people after its cursor, one chunk ahead of whoever
// writes them. The channel is closed at the end, after an error and when ctx ends.
func (p *Push) pick(ctx context.Context, f disclosure.FanOut, subject *disclosure.Subject) <-chan picked {
	chunks := make(chan picked)
	go func() {
		defer close(chunks)
		for c := (picked{last: f.Cursor, more: true}); c.more && c.err == nil; {
			var list []disclosure.Candidate
			if list, c.more, c.err = p.store.Candidates(ctx, f.Sector, c.last, matchChunk); len(list) > 0 {
				c.last = list[len(list)-1].Person
			}
			c.immediate, c.daily = choose(list, subject)
			if f.Priority == disclosure.PriorityUrgent { // by half past eight the deadline may be over
				c.immediate, c.daily = append(c.immediate, c.daily...), nil
			}
			select {
			case chunks <- c:
			case <-ctx.Done():
				return
			}
		}
	}()
	return chunks
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
