package push_test

import (
	"errors"
	"maps"
	"testing"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// TestNumbersAreGivenOnce: whoever subscribes next is not taken for somebody who has
// unsubscribed, and is told nothing of what that one was told of.
func TestNumbersAreGivenOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(2)
		subs, err := b.store.Subscriptions(t.Context(), 2)
		if err != nil || len(subs) != 1 {
			t.Fatal(subs, err)
		}
		if err := b.store.DeleteSubscription(t.Context(), 2, subs[0].ID); err != nil {
			t.Fatal(err)
		}
		storetest.People(t, b.url, 1, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "housing"})
		b.correct(disclosure.Notice{ID: b.event(0).NoticeID}, "title", "桥梁招标")
		b.start("w1")
		b.until("the correction is through", func() bool { return b.settled() && b.states()[disclosure.DeliverySuperseded] == 2 })
		if got := b.fake.perPerson(); !maps.Equal(got, map[string]int{official + "-1": 1}) {
			t.Errorf("cards = %v, want one to the first", got)
		}
	})
}

// TestLinksDoNotMove: the link of a card whose person is gone, or that was sent
// after the backup that is restored, leads to no other card.
func TestLinksDoNotMove(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(2)
		if err := b.store.ErasePerson(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		b.start("w1")
		b.publish("桥梁招标")
		b.until("the next is sent", func() bool { return b.states()[disclosure.DeliveryAccepted] == 2 })
		b.stop()
		if _, _, _, err := b.store.InboxItem(t.Context(), 2); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeNoInbox}) {
			t.Errorf("the card of who is gone: %v", err)
		}
		db := storetest.Raw(t, b.url)
		last := storetest.Int(t, db, `SELECT MAX(n) FROM delivery`)
		if err := b.store.NewEpoch(t.Context(), b.now()); err != nil {
			t.Fatal(err)
		}
		b.publish("隧道招标")
		b.start("w2")
		b.until("another is matched", func() bool { return sumStates(b.states()) == 3 })
		if next := storetest.Int(t, db, `SELECT MAX(n) FROM delivery`); next < last+1_000_000 {
			t.Errorf("the delivery after %d is %d", last, next)
		}
	})
}
