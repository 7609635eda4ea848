package push_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// TestSlowWorkerGoesOn: a worker that has taken more than it can call within
// the lease gives the rest back and goes on; nothing waits for a lease to end.
func TestSlowWorkerGoesOn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.conf.Workers, b.conf.Rate = 4, 40
		b.conf.Lease, b.conf.CallTimeout = time.Minute, time.Minute-200*time.Millisecond // 200 ms for the calls of a batch
		followers(t, b, 60)
		b.publish("道路招标")
		b.start("w1")
		b.until("all have it, long before the leases end", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 60 })
		if calls, cards := b.fake.count(); calls != 60 || cards != 60 {
			t.Errorf("%d calls, %d cards", calls, cards)
		}
		if strings.Contains(b.logs.String(), "worker that went away") {
			t.Errorf("deliveries were left to recovery:\n%s", b.logs)
		}
	})
}

// TestStoppingHandsBack: a worker that is stopped leaves nothing to the end of
// its leases, keyed cards it had planned included.
func TestStoppingHandsBack(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.conf.Rate = 20
		followers(t, b, 100)
		b.publish("道路招标")
		b.start("w1")
		b.until("some are sent", func() bool { calls, _ := b.fake.count(); return calls > 10 })
		b.stop()
		if got := b.states(); got[disclosure.DeliveryLeased]+got[disclosure.DeliverySending] != 0 || got[disclosure.DeliveryQueued] == 0 {
			t.Errorf("after the end: %v", got)
		}
		for _, attempt := range storetest.Strings(t, storetest.Raw(t, b.url), `SELECT DISTINCT attempt || ' ' || first_call_at FROM delivery WHERE state = 'queued'`) {
			if attempt != "0 0" {
				t.Errorf("what was not called counts as tried: %q", attempt)
			}
		}
	})
}

// TestTakenOnce: what has changed since a worker looked at the queue is not
// taken by it, and its share of the day is given back.
func TestTakenOnce(t *testing.T) {
	for what, change := range map[string]func(t *testing.T, b *bench, planned disclosure.Delivery){
		"another process took it": func(t *testing.T, b *bench, _ disclosure.Delivery) { taken(t, b.store, "w2", b.now(), time.Minute) },
		"it was taken, and came back": func(t *testing.T, b *bench, _ disclosure.Delivery) {
			d := taken(t, b.store, "w2", b.now(), time.Minute)
			back := disclosure.Settled{Delivery: d, State: disclosure.DeliveryQueued, Class: disclosure.ClassRetry, At: b.now(), Called: true}
			if n, err := b.store.Settle(t.Context(), "w2", []disclosure.Settled{back}); err != nil || n != 1 {
				t.Fatal(n, err)
			}
		},
		"the event was paused": func(t *testing.T, b *bench, d disclosure.Delivery) {
			if err := b.store.PausePush(t.Context(), storetest.Admin, d.Event, "先停一下", b.now()); err != nil {
				t.Fatal(err)
			}
		},
		"the notice was withdrawn": func(t *testing.T, b *bench, d disclosure.Delivery) {
			storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE push_event SET open = 0`)
		},
		"the person has another card in flight": func(t *testing.T, b *bench, d disclosure.Delivery) {
			storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE delivery SET state = 'sending', person_n = (SELECT MIN(person_n) FROM delivery) WHERE n = (SELECT MAX(n) FROM delivery)`)
		},
	} {
		t.Run(what, func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				b.expanded(2)
				if what == "the person has another card in flight" {
					storetest.Exec(t, storetest.Raw(t, b.url), `INSERT INTO push_event SELECT 99, 'other', notice_id, rev, kind, priority, sector, state, open, paused, why, canary, released, at, expires_at, phase, cursor_n, owner, lease_until FROM push_event`,
						`UPDATE delivery SET event_n = 99 WHERE n = (SELECT MAX(n) FROM delivery)`)
				}
				due, err := b.store.Look(t.Context(), 1, b.now())
				if err != nil || len(due.Deliveries) == 0 {
					t.Fatal(due, err)
				}
				plan := planned(due.Deliveries[0])
				change(t, b, plan.Delivery)
				taken, err := b.store.Take(t.Context(), "w1", []disclosure.Planned{plan}, func(string, string) int { return 10 }, b.now(), time.Minute)
				if err != nil || len(taken) != 0 {
					t.Errorf("took %v, %v", taken, err)
				}
				others := map[bool]int64{true: 1}[strings.Contains(what, "took") || strings.Contains(what, "came back")]
				if used := storetest.Int(t, storetest.Raw(t, b.url), `SELECT COALESCE(SUM(used), 0) FROM push_quota`); used != others {
					t.Errorf("%d of the day's share are used", used)
				}
			})
		})
	}
}

// TestForgottenKey: a card that may be there already goes again while WeChat
// knows its key, and is unknown when a stop has lasted longer than that; a card
// that was refused is no such card.
func TestForgottenKey(t *testing.T) {
	for _, lost := range []bool{true, false} {
		t.Run(fmt.Sprintf("lost=%v", lost), func(t *testing.T) {
			each(t, func(t *testing.T, b *bench) {
				skip := b.skip()
				followers(t, b, 1)
				var down atomic.Bool
				down.Store(true)
				b.fake.lose = func(int, push.Message) bool { return lost && down.Load() }
				b.fake.answer = func(int, push.Message) error {
					if !lost && down.Load() {
						return &push.SendError{Path: "/x", Code: -1, Class: disclosure.ClassRetry}
					}
					return nil
				}
				b.publish("道路招标")
				b.start("w1")
				b.until("one call", func() bool {
					calls, _ := b.fake.count()
					return calls > 0 && b.states()[disclosure.DeliveryQueued] == 1
				})
				b.stop()
				down.Store(false)
				skip(time.Hour)
				before, _ := b.fake.count()
				b.start("w2")
				b.until("settled", b.settled)
				after, cards := b.fake.count()
				want := map[bool]disclosure.DeliveryState{true: disclosure.DeliveryUnknown, false: disclosure.DeliveryAccepted}[lost]
				if got := b.states(); got[want] != 1 || cards != 1 || lost && after != before {
					t.Errorf("deliveries = %v, %d calls then %d, %d cards", got, before, after, cards)
				}
			})
		})
	}
}

// TestRecoveryInPieces: more cards than one piece of recovery takes wait for the
// next piece; none of those whose key WeChat knows is given up.
func TestRecoveryInPieces(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const people, piece = 30, 12
		b.expanded(people)
		storetest.Exec(t, storetest.Raw(t, b.url), fmt.Sprintf(`UPDATE delivery SET state = 'sending', owner = 'gone', channel = 'template', attempt = 1,
			first_call_at = %[1]d, lease_until = %[1]d + 1000`, b.now().UnixMilli()))
		later := b.now().Add(time.Minute)
		for left := people; left > 0; left -= piece {
			want := disclosure.Recovery{Requeued: int64(min(piece, left))}
			if got, err := b.store.Recover(t.Context(), piece, later); err != nil || got != want {
				t.Fatalf("with %d left: recovered %+v, %v; want %+v", left, got, err, want)
			}
		}
	})
}
