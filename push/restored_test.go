package push_test

import (
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// TestRestoredIsNotSentAgain: after a restoration nothing goes out by itself:
// not what waited in the queue, not what was not yet expanded, not what somebody
// publishes before the push is turned on again.
func TestRestoredIsNotSentAgain(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(5)
		b.publish("备份时还没有展开的公告")
		if err := b.store.NewEpoch(t.Context(), b.now()); err != nil {
			t.Fatal(err)
		}
		b.start("w1")
		b.publish("恢复以后的公告")
		time.Sleep(push.SettleTime)
		if calls, _ := b.fake.count(); calls != 0 || b.states()[disclosure.DeliveryUnknown] != 5 {
			t.Errorf("%d calls, deliveries = %v", calls, b.states())
		}
		if err := b.store.SetSwitch(t.Context(), storetest.Admin, disclosure.ScopeGlobal, "", false, b.now()); err != nil {
			t.Fatal(err)
		}
		b.until("the news after the restoration goes out", func() bool { return b.states()[disclosure.DeliveryAccepted] == 5 })
		b.stop()
		if got := b.states(); got[disclosure.DeliveryUnknown] != 5 || sumStates(got) != 10 {
			t.Errorf("deliveries = %v, want what the backup left in doubt untouched", got)
		}
	})
}
