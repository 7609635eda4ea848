package store

import (
	"errors"
	"testing"

	"gongkai/internal/disclosure"
)

// TestTotalsAreCountedOncePerPosition: a total is counted anew when anything was
// published since, by another snapshot's reader never, and each time where the
// clock alone changes it.
func TestTotalsAreCountedOncePerPosition(t *testing.T) {
	var memory totals
	at := func(position int64) disclosure.Reading { return disclosure.Reading{Epoch: "a", Position: position} }
	roads, open := disclosure.NoticeQuery{Q: "道路"}, disclosure.NoticeQuery{Q: "道路", Open: true}
	restored := disclosure.Reading{Epoch: "b", Position: 7}
	counted := 0
	for i, step := range []struct {
		r    disclosure.Reading
		q    disclosure.NoticeQuery
		want int // counts so far, which is also what is returned when counted
		got  int
	}{
		{at(7), roads, 1, 1},
		{at(7), disclosure.NoticeQuery{Q: "道路", Limit: 50, After: &disclosure.Cursor{A: 3}}, 1, 1}, // another page of it
		{at(7), disclosure.NoticeQuery{Q: "桥梁"}, 2, 2},
		{at(8), roads, 3, 3},
		{at(7), roads, 4, 4}, // an older snapshot, still being read
		{at(8), roads, 4, 3}, // has not overwritten the newer
		{at(8), open, 5, 5},
		{at(8), open, 6, 6},
		{restored, roads, 7, 7},
	} {
		got, err := memory.of(step.r, step.q, func() (int, error) { counted++; return counted, nil })
		if err != nil || got != step.got || counted != step.want {
			t.Errorf("step %d: total %d after %d counts (%v), want %d after %d", i, got, counted, err, step.got, step.want)
		}
	}
}

// TestTotalsForgetFailures: an error is no total.
func TestTotalsForgetFailures(t *testing.T) {
	var memory totals
	r, cause := disclosure.Reading{Epoch: "a", Position: 1}, errors.New("cut off")
	if _, err := memory.of(r, disclosure.NoticeQuery{}, func() (int, error) { return 0, cause }); !errors.Is(err, cause) {
		t.Fatalf("error %v, want %v", err, cause)
	}
	if n, err := memory.of(r, disclosure.NoticeQuery{}, func() (int, error) { return 5, nil }); n != 5 || err != nil {
		t.Errorf("total %d (%v), want 5", n, err)
	}
}
