package store_test

import (
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// leased returns a delivery that a worker has taken for a keyless call.
func leased(t *testing.T, s *store.Store, u string) disclosure.Delivery {
	t.Helper()
	storetest.People(t, u, 1, storetest.Crowd{App: "mini", Kind: disclosure.AppMini, Sector: "construction", Template: "tpl"})
	storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.tender_notice", "道路招标"), storetest.Start)
	f, ok, err := s.ClaimEvent(t.Context(), "hand", 0, storetest.Start, time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	list, _, err := s.Candidates(t.Context(), f.Sector, 0, 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	f.State, f.Cursor = disclosure.EventMatched, list[0].Person
	if _, _, err := s.Expand(t.Context(), "hand", f, []int64{list[0].Sub}, nil, storetest.Start, time.Minute); err != nil {
		t.Fatal(err)
	}
	due, err := s.Look(t.Context(), 1, storetest.Start)
	if err != nil || len(due.Deliveries) != 1 {
		t.Fatal(due, err)
	}
	d := due.Deliveries[0]
	d.Channel, d.App, d.Template = disclosure.ChannelMini, "mini", "tpl"
	taken, err := s.Take(t.Context(), "w1", []disclosure.Planned{{Delivery: d, Path: "/x"}}, func(string, string) int { return 10 }, storetest.Start, time.Minute)
	if err != nil || len(taken) != 1 {
		t.Fatal(taken, err)
	}
	return taken[0]
}

// TestFailedMarkGrantsNothing: a mark that was not committed, or of which that is
// not known, lets no card be called.
func TestFailedMarkGrantsNothing(t *testing.T) {
	for name, after := range map[string]bool{"refused": false, "answer lost": true} {
		t.Run(name, func(t *testing.T) {
			eachWired(t, func(t *testing.T, s *store.Store, u string, w *wire) {
				d := leased(t, s, u)
				for n := 1; ; n++ {
					w.failAt(n, after)
					marked, err := s.Mark(t.Context(), "w1", []disclosure.Delivery{d}, func(disclosure.Delivery) bool { return true }, storetest.Start)
					reached, committed := w.disarm()
					if !reached {
						if err != nil || !marked[d.N] {
							t.Errorf("without a fault: %v, %v", marked, err)
						}
						return
					}
					if err == nil || len(marked) > 0 {
						t.Errorf("fault at statement %d: %v, %v", n, marked, err)
					}
					if committed {
						return
					}
				}
			})
		})
	}
}
