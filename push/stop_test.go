package push_test

import (
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// TestP06WithdrawnNeverSent: no call begins after a withdrawal was acknowledged,
// in the middle of a fan-out, with two workers.
func TestP06WithdrawnNeverSent(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const people = 10_000
		followers(t, b, people)
		b.fake.takes = 2 * time.Millisecond
		n := b.publish("将被撤回的公告")
		b.start("w1")
		stopFirst := b.stop
		b.start("w2")
		b.until("some are sent", func() bool { calls, _ := b.fake.count(); return calls > 100 })
		b.withdraw(n)
		time.Sleep(push.SettleTime)
		acknowledged := time.Now()
		b.until("the rest is cancelled", func() bool { return b.settled() })
		b.stop()
		stopFirst()
		late := 0
		for _, c := range b.fake.calls {
			if c.began.After(acknowledged) {
				late++
			}
		}
		calls, _ := b.fake.count()
		if late != 0 || calls == people {
			t.Errorf("%d of %d calls began after the acknowledgement", late, calls)
		}
		if got := b.states(); got[disclosure.DeliveryAccepted] != calls || got[disclosure.DeliveryAccepted]+got[disclosure.DeliveryCancelled] != people {
			t.Errorf("deliveries = %v, %d calls", got, calls)
		}
	})
}

// TestP08KillSwitch: no call begins after a kill switch was acknowledged, and a
// restart does not turn it off.
func TestP08KillSwitch(t *testing.T) {
	for _, scope := range []string{disclosure.ScopeGlobal, disclosure.ScopeApp + official, disclosure.ScopeChannel + "template", "event"} {
		t.Run(scope, func(t *testing.T) {
			s, u := storetest.SQLite(t)
			b := newBench(t, s, u)
			skip := b.skip()
			followers(t, b, 1_500)
			b.fake.takes = 2 * time.Millisecond
			b.publish("道路招标")
			b.start("w1")
			b.until("some are sent", func() bool { calls, _ := b.fake.count(); return calls > 60 })
			var err error
			if scope == "event" {
				err = b.store.PausePush(t.Context(), storetest.Admin, b.event(0).N, "演练", b.now())
			} else {
				err = b.store.SetSwitch(t.Context(), storetest.Admin, scope, "演练", false, b.now())
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(push.SettleTime)
			before, _ := b.fake.count()
			b.stop()
			b.start("w2")
			time.Sleep(300 * time.Millisecond)
			if after, _ := b.fake.count(); after != before || after == 1_500 {
				t.Errorf("%d calls before, %d after", before, after)
			}
			if scope == "event" {
				err = b.store.ResumePush(t.Context(), storetest.Admin, b.event(0).N, b.now())
			} else {
				err = b.store.SetSwitch(t.Context(), storetest.Admin, scope, "", false, b.now())
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(push.SettleTime)
			skip(2 * time.Minute) // what a switch held back is looked at again in a minute
			b.until("the rest follows", func() bool { return b.settled() })
			if got := b.states(); got[disclosure.DeliveryAccepted] != 1_500 {
				t.Errorf("deliveries = %v", got)
			}
		})
	}
}

// TestP13PoisonTemplate: a template that WeChat refuses is parked after the
// first refusals; when it is mended and resent everybody has the card.
func TestP13PoisonTemplate(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		skip := b.skip()
		followers(t, b, 300)
		var broken atomic.Bool
		b.fake.answer = func(n int, _ push.Message) error {
			if n >= 100 && !broken.Load() {
				broken.Store(true)
			}
			if broken.Load() && n < 1_000 {
				return &push.SendError{Path: "/x", Code: 43116, Class: disclosure.ClassTemplate, Text: "the template has been banned"}
			}
			return nil
		}
		b.publish("道路招标")
		b.start("w1")
		b.until("the template is parked", func() bool {
			st, err := b.store.PushStatus(t.Context(), b.now())
			return err == nil && len(st.Switches) == 1 && st.Switches[0].Scope == disclosure.ScopeTemplate+byFollowing.ID && st.Switches[0].Seeded
		})
		time.Sleep(push.SettleTime)
		calls, _ := b.fake.count()
		failed := b.states()[disclosure.DeliveryFailed]
		if failed == 0 || calls > 120 { // a worker's call each may be under way
			t.Errorf("%d calls, %d failed", calls, failed)
		}
		b.fake.mu.Lock()
		b.fake.answer = nil
		b.fake.mu.Unlock()
		if err := b.store.SetSwitch(t.Context(), storetest.Admin, disclosure.ScopeTemplate+byFollowing.ID, "", false, b.now()); err != nil {
			t.Fatal(err)
		}
		if n, err := b.store.Resend(t.Context(), storetest.Admin, disclosure.Resend{States: disclosure.ResendStates}, b.now()); err != nil || int(n) != failed {
			t.Errorf("resent %d of %d, %v", n, failed, err)
		}
		time.Sleep(push.SettleTime)
		skip(2 * time.Minute)
		b.until("all have it", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 300 })
		for openid, n := range b.fake.perPerson() {
			if n != 1 {
				t.Errorf("%s has %d cards", openid, n)
			}
		}
	})
}

// TestP14Canary: a bad template is found by at most five calls.
func TestP14Canary(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		followers(t, b, 2_000)
		b.fake.answer = func(int, push.Message) error {
			return &push.SendError{Path: "/x", Code: 47003, Class: disclosure.ClassTemplate, Field: "thing1"}
		}
		b.publish("道路招标")
		b.start("w1")
		b.until("the event is stopped", func() bool { return b.event(0).Paused })
		time.Sleep(push.SettleTime)
		if calls, _ := b.fake.count(); calls > 5 {
			t.Errorf("%d calls with a bad template", calls)
		}
	})
}
