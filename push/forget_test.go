package push_test

import (
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// TestForgottenDeliveriesAreCounted: what is older than it is kept goes, with its
// calls; how many there were of each end stays, and so does what is younger or in
// flight.
func TestForgottenDeliveriesAreCounted(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		var offset atomic.Int64
		b.now = func() time.Time { return storetest.Start.Add(time.Duration(offset.Load())) }
		b.conf.Keep = 400 * 24 * time.Hour
		followers(t, b, 3)
		b.publish("道路招标")
		b.start("w1")
		b.until("sent", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 3 })
		b.stop()
		before := b.event(0).Counts
		status := func() map[disclosure.DeliveryState]int {
			st, err := b.store.PushStatus(t.Context(), b.now())
			if err != nil {
				t.Fatal(err)
			}
			return st.Queue
		}
		queue := status()
		offset.Store(int64(399 * 24 * time.Hour))
		b.publish("桥梁招标")
		b.start("w2")
		b.until("the second is sent", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 6 })
		offset.Store(int64(401 * 24 * time.Hour))
		db := storetest.Raw(t, b.url)
		rows := func(table string) int64 { return storetest.Int(t, db, `SELECT count(*) FROM `+table) }
		b.until("the first is forgotten", func() bool { return rows("delivery") == 3 })
		b.stop()
		if calls := rows("attempt"); calls != 3 {
			t.Errorf("%d calls are kept, want the second notice's 3", calls)
		}
		if after := b.event(1).Counts; !reflect.DeepEqual(after, before) {
			t.Errorf("the funnel is %+v, was %+v", after, before)
		}
		if got := status()[disclosure.DeliveryAccepted]; got != 2*queue[disclosure.DeliveryAccepted] {
			t.Errorf("%d cards were accepted by the status, want 6", got)
		}
		storetest.Exec(t, db, `UPDATE delivery SET state = 'sending', lease_until = 1 WHERE n = (SELECT MIN(n) FROM delivery)`)
		for _, want := range []int{1, 1, 0} { // in pieces of two, one of which is in flight
			if n, err := b.store.Forget(t.Context(), 2, b.now()); err != nil || n != want {
				t.Errorf("forgot %d, %v; want %d", n, err, want)
			}
		}
	})
}
