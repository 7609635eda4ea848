package store

import (
	"sync"

	"gongkai/internal/disclosure"
)

// maxTotals bounds the lists whose totals are remembered.
const maxTotals = 4096

// totals remembers how long lists are at one position of the feed, so that who
// turns the pages of a search does not have it counted again on each.
type totals struct {
	mu       sync.Mutex
	epoch    string
	position int64
	n        map[string]int
}

// of returns the total of the query's list in the snapshot taken at r, counting
// when it is not known.
func (t *totals) of(r disclosure.Reading, q disclosure.NoticeQuery, count func() (int, error)) (int, error) {
	if q.Open { // changes with the clock
		return count()
	}
	list := q.Canonical()
	if n, ok := t.known(r, list); ok {
		return n, nil
	}
	n, err := count()
	if err == nil {
		t.keep(r, list, n)
	}
	return n, err
}

func (t *totals) known(r disclosure.Reading, list string) (int, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epoch != r.Epoch || t.position != r.Position {
		return 0, false
	}
	n, ok := t.n[list]
	return n, ok
}

func (t *totals) keep(r disclosure.Reading, list string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epoch != r.Epoch || t.position < r.Position || len(t.n) >= maxTotals {
		t.epoch, t.position, t.n = r.Epoch, r.Position, map[string]int{}
	}
	if t.position == r.Position { // and not a snapshot that others have left behind
		t.n[list] = n
	}
}
