package push_test

import (
	"slices"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// change does something to the first person's only subscription.
var change = map[string]func(b *bench, person int64, sub disclosure.Subscription) error{
	"cancelled": func(b *bench, person int64, sub disclosure.Subscription) error {
		return b.store.DeleteSubscription(b.t.Context(), person, sub.ID)
	},
	"paused": func(b *bench, person int64, sub disclosure.Subscription) error {
		sub.Paused = true
		_, err := b.store.SaveSubscription(b.t.Context(), person, sub)
		return err
	},
}

func (b *bench) onlySub(person int64) disclosure.Subscription {
	b.t.Helper()
	subs, err := b.store.Subscriptions(b.t.Context(), person)
	if err != nil || len(subs) != 1 {
		b.t.Fatal(subs, err)
	}
	return subs[0]
}

// TestUnwantedIsNotSent: a card that waits is not sent once its subscription is
// gone or paused; the others are, and the funnel says why one was not.
func TestUnwantedIsNotSent(t *testing.T) {
	for what, do := range change {
		t.Run(what, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.expanded(2)
				if err := do(b, 1, b.onlySub(1)); err != nil {
					t.Fatal(err)
				}
				b.start("w1")
				b.until("settled", b.settled)
				if got := b.fake.perPerson(); got[official+"-1"] != 0 || got[official+"-2"] != 1 {
					t.Errorf("cards = %v, want one to the second", got)
				}
				f, err := b.store.Push(t.Context(), 1)
				if want := (disclosure.StateCount{State: disclosure.DeliverySuppressed, Class: disclosure.ClassUnwanted, Count: 1}); err != nil || !slices.Contains(f.Counts, want) {
					t.Errorf("funnel = %+v, %v", f.Counts, err)
				}
			})
		})
	}
}

// TestUnwantedIsNotBundled: what waits for the digest is not in it once its
// subscription is gone or paused, and a digest of nothing else is none; nor is one
// sent whose subscriptions are all gone or paused since it was made.
func TestUnwantedIsNotBundled(t *testing.T) {
	for what, do := range change {
		t.Run(what, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.expanded(3)
				db := storetest.Raw(t, b.url)
				storetest.Exec(t, db, `UPDATE delivery SET state = 'digest'`)
				digest := func() {
					if n, err := b.store.Digest(t.Context(), "2026-11-27", 100, b.now().Add(time.Second)); err != nil || n != 3 {
						t.Fatalf("%d people, %v", n, err)
					}
				}
				if err := do(b, 1, b.onlySub(1)); err != nil {
					t.Fatal(err)
				}
				digest()
				if err := do(b, 2, b.onlySub(2)); err != nil {
					t.Fatal(err)
				}
				b.now = func() time.Time { return time.Now().Add(time.Minute) }
				b.start("w1")
				b.until("settled", b.settled)
				if got := b.fake.perPerson(); len(got) != 1 || got[official+"-3"] != 1 {
					t.Errorf("cards = %v, want one to the third", got)
				}
				if got := b.states(); got[disclosure.DeliverySuppressed] != 2 || got[disclosure.DeliveryDigested] != 2 || sumStates(got) != 5 {
					t.Errorf("deliveries = %v", got)
				}
			})
		})
	}
}
