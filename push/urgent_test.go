package push_test

import (
	"fmt"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// at sets the bench's clock to an hour of one day, from which it goes on; the
// result moves it to another hour of that day or, past 24, of the next.
func (b *bench) at(hour, minute int) func(hour, minute int) {
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, storetest.Start.Location())
	began := time.Now()
	var offset atomic.Int64
	set := func(hour, minute int) {
		offset.Store(int64(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute - time.Since(began)))
	}
	set(hour, minute)
	b.now = func() time.Time { return midnight.Add(time.Since(began)).Add(time.Duration(offset.Load())) }
	return set
}

// expect waits until the deliveries stand so, and says what else they do.
func (b *bench) expect(what string, want map[disclosure.DeliveryState]int) {
	b.t.Helper()
	b.until(what, func() bool { return maps.Equal(b.states(), want) })
}

const movedDeadline = "2027-02-01T09:00:00+08:00"

// TestUrgentNotWithDigest: who takes the daily digest hears of a moved deadline
// and of a termination at once, whether they have the original yet or not; any
// other correction waits for the digest.
func TestUrgentNotWithDigest(t *testing.T) {
	type states = map[disclosure.DeliveryState]int
	each(t, func(t *testing.T, b *bench) {
		set := b.at(7, 0)
		storetest.People(t, b.url, 3, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction", Mode: disclosure.ModeDaily})
		b.start("w1")
		told := b.publish("已汇总")
		b.expect("the first waits", states{disclosure.DeliveryDigest: 3})
		set(8, 31)
		b.expect("the digest is sent", states{disclosure.DeliveryDigested: 3, disclosure.DeliveryAccepted: 3})
		waiting := b.publish("未汇总")
		b.expect("the second waits", states{disclosure.DeliveryDigested: 3, disclosure.DeliveryAccepted: 3, disclosure.DeliveryDigest: 3})
		b.correct(told, "title", "已汇总，改了标题")
		b.expect("an ordinary correction waits", states{disclosure.DeliveryDigested: 3, disclosure.DeliveryAccepted: 3, disclosure.DeliveryDigest: 6})
		b.correct(told, "fields.bid_deadline", movedDeadline)
		b.expect("a moved deadline is told at once", states{disclosure.DeliveryDigested: 3, disclosure.DeliverySuperseded: 3, disclosure.DeliveryAccepted: 6, disclosure.DeliveryDigest: 3})
		b.correct(waiting, "fields.bid_deadline", movedDeadline)
		b.expect("also of a notice that they have not heard of", states{disclosure.DeliveryDigested: 3, disclosure.DeliverySuperseded: 6, disclosure.DeliveryAccepted: 9})
		b.terminate(told)
		b.expect("a termination is told at once", states{disclosure.DeliveryDigested: 3, disclosure.DeliverySuperseded: 6, disclosure.DeliveryAccepted: 12})
		set(24+8, 31)
		b.publish("次日")
		b.expect("the next digest has none of it", states{disclosure.DeliveryDigested: 3, disclosure.DeliverySuperseded: 6, disclosure.DeliveryAccepted: 12, disclosure.DeliveryDigest: 3})
	})
}

// TestUrgentKeepsQuietHours: an urgent card for somebody who takes the digest
// waits for the end of their quiet hours, and not for half past eight, unless they
// want such cards at night too.
func TestUrgentKeepsQuietHours(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		set := b.at(23, 0)
		first := storetest.People(t, b.url, 3, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction", Mode: disclosure.ModeDaily})
		db := storetest.Raw(t, b.url)
		storetest.Exec(t, db, `UPDATE subscription SET quiet_from = 1320, quiet_to = 420`)
		if first != 1 {
			t.Fatal("the people have other numbers")
		}
		storetest.Exec(t, db, `UPDATE person SET urgent_quiet = 1 WHERE n = 1`)
		n := b.publish("夜里的公告")
		b.correct(n, "fields.bid_deadline", movedDeadline)
		b.start("w1")
		b.expect("one wants it at night", map[disclosure.DeliveryState]int{disclosure.DeliveryAccepted: 1, disclosure.DeliveryQueued: 2})
		morning := time.Date(2026, 11, 24, 7, 0, 0, 0, storetest.Start.Location())
		due := disclosure.FromMilliseconds(storetest.Int(t, db, `SELECT MAX(not_before) FROM delivery WHERE state = 'queued'`))
		if due.Before(morning) || due.After(morning.Add(15*time.Minute)) {
			t.Errorf("the others get it at %v", due)
		}
		set(24+7, 16)
		b.expect("the others get it in the morning", map[disclosure.DeliveryState]int{disclosure.DeliveryAccepted: 3})
	})
}

// TestCorrectionFollowsSubscription: a correction that a filter no longer matches
// reaches whoever was told of the original, as their subscription has it; one that
// is paused or gone brings nothing more.
func TestCorrectionFollowsSubscription(t *testing.T) {
	type states = map[disclosure.DeliveryState]int
	each(t, func(t *testing.T, b *bench) {
		set := b.at(7, 0)
		crowd := storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"}
		storetest.People(t, b.url, 3, crowd) // 1 stays, 2 pauses the subscription, 3 cancels it
		crowd.Mode = disclosure.ModeDaily
		storetest.People(t, b.url, 1, crowd)
		db := storetest.Raw(t, b.url)
		storetest.Exec(t, db, `UPDATE subscription SET doc = '{"k":["道路"]}'`)
		b.start("w1")
		n := b.publish("道路招标")
		b.expect("all are told or will be", states{disclosure.DeliveryAccepted: 3, disclosure.DeliveryDigest: 1})
		set(8, 31)
		b.expect("the digest is sent", states{disclosure.DeliveryAccepted: 4, disclosure.DeliveryDigested: 1})
		storetest.Exec(t, db, `UPDATE subscription SET paused = 1 WHERE person_n = 2`, `DELETE FROM subscription WHERE person_n = 3`)
		b.correct(n, "title", "桥梁招标")
		b.expect("one at once, one with the digest", states{disclosure.DeliveryAccepted: 5, disclosure.DeliveryDigested: 1, disclosure.DeliveryDigest: 1})
		b.until("the event is matched", func() bool { return b.event(0).State == disclosure.EventMatched })
		if got := b.fake.perPerson()["wxofficial-1"]; got != 2 {
			t.Errorf("who stays has %d cards", got)
		}
	})
}

// TestP16LeaversEnd: a card that waits when its notice is corrected ends too for
// whoever hears nothing more, having cancelled or paused the subscription.
func TestP16LeaversEnd(t *testing.T) {
	type states = map[disclosure.DeliveryState]int
	each(t, func(t *testing.T, b *bench) {
		b.at(23, 0)
		storetest.People(t, b.url, 3, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"})
		db := storetest.Raw(t, b.url)
		storetest.Exec(t, db, `UPDATE subscription SET quiet_from = 1320, quiet_to = 420`)
		b.start("w1")
		n := b.publish("道路招标")
		b.until("all wait for the morning", func() bool { // planned: before it, whoever leaves is told nothing of it
			return storetest.Int(t, db, `SELECT count(*) FROM delivery WHERE state = 'queued' AND not_before > $1`, b.now().UnixMilli()) == 3
		})
		storetest.Exec(t, db, `UPDATE subscription SET paused = 1 WHERE person_n = 2`, `DELETE FROM subscription WHERE person_n = 3`)
		b.correct(n, "title", "桥梁招标")
		b.expect("one waits for the new revision", states{disclosure.DeliveryQueued: 1, disclosure.DeliverySuperseded: 3})
	})
}

// TestCorrectionInPieces: those who were told of older revisions are worked
// through piece by piece, each of them once, however they were told.
func TestCorrectionInPieces(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const people, piece = 30, 7
		b.expanded(people)
		n := disclosure.Notice{ID: b.event(0).NoticeID}
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE subscription SET doc = '{"k":["无人提及"]}'`)
		for rev := 2; rev <= 3; rev++ {
			b.correct(n, "title", fmt.Sprintf("第%d版", rev))
			f, ok, err := b.store.ClaimEvent(t.Context(), "hand", 0, b.now(), time.Minute)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			f.Phase = 1
			total, pieces := int64(0), 0
			for ; f.State == disclosure.EventMatching; pieces++ {
				next, added, lost, err := b.store.ExpandEarlier(t.Context(), "hand", f, piece, b.now(), time.Minute)
				if err != nil || lost || added > piece {
					t.Fatalf("%d added, lost = %v, %v", added, lost, err)
				}
				f, total = next, total+added
			}
			if total != people || pieces != 5 {
				t.Errorf("revision %d: %d people in %d pieces", rev, total, pieces)
			}
		}
		if got := b.states(); got[disclosure.DeliveryQueued] != people || got[disclosure.DeliverySuperseded] != 2*people {
			t.Errorf("deliveries = %v", got)
		}
	})
}
