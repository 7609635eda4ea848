package push_test

import (
	"slices"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// leave cancels the only subscription of one person and pauses that of another.
func (b *bench) leave(cancels, pauses int64) {
	b.t.Helper()
	only := func(person int64) disclosure.Subscription {
		subs, err := b.store.Subscriptions(b.t.Context(), person)
		if err != nil || len(subs) != 1 {
			b.t.Fatal(subs, err)
		}
		return subs[0]
	}
	if err := b.store.DeleteSubscription(b.t.Context(), cancels, only(cancels).ID); err != nil {
		b.t.Fatal(err)
	}
	paused := only(pauses)
	paused.Paused = true
	if _, err := b.store.SaveSubscription(b.t.Context(), pauses, paused); err != nil {
		b.t.Fatal(err)
	}
}

// TestUnwantedIsNotSent: a card that waits is not sent once its subscription is
// gone or paused; the others are, and the funnel says why one was not.
func TestUnwantedIsNotSent(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(3)
		b.leave(1, 2)
		b.start("w1")
		b.until("settled", b.settled)
		if got := b.fake.perPerson(); len(got) != 1 || got[official+"-3"] != 1 {
			t.Errorf("cards = %v, want one to the third", got)
		}
		f, err := b.store.Push(t.Context(), 1)
		if want := (disclosure.StateCount{State: disclosure.DeliverySuppressed, Class: disclosure.ClassUnwanted, Count: 2}); err != nil || !slices.Contains(f.Counts, want) {
			t.Errorf("funnel = %+v, %v", f.Counts, err)
		}
	})
}

// TestUnwantedIsNotBundled: what waits for the digest is not in it once its
// subscription is gone or paused, and a digest of nothing else is none; nor is one
// sent whose subscriptions are all gone or paused since it was made.
func TestUnwantedIsNotBundled(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(5)
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE delivery SET state = 'digest'`)
		b.leave(1, 2)
		if n, err := b.store.Digest(t.Context(), "2026-11-27", 100, b.now().Add(time.Second)); err != nil || n != 5 {
			t.Fatalf("%d people, %v", n, err)
		}
		b.leave(3, 4)
		b.now = func() time.Time { return time.Now().Add(time.Minute) }
		b.start("w1")
		b.until("settled", b.settled)
		if got := b.fake.perPerson(); len(got) != 1 || got[official+"-5"] != 1 {
			t.Errorf("cards = %v, want one to the fifth", got)
		}
		if got := b.states(); got[disclosure.DeliverySuppressed] != 4 || got[disclosure.DeliveryDigested] != 3 || sumStates(got) != 8 {
			t.Errorf("deliveries = %v", got)
		}
	})
}
