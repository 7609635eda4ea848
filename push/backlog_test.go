package push_test

import (
	"fmt"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// TestBacklogTellsAPushThatStopped: nothing waits before and after a publication
// is sent; without a worker its event waits, and with one that does not come to
// them its due cards do. A switch is told, and later cards are not due.
func TestBacklogTellsAPushThatStopped(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		backlog := func(after time.Duration) disclosure.Backlog {
			t.Helper()
			n, err := b.store.Backlog(t.Context(), b.now().Add(after))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		followers(t, b, 3)
		if got := backlog(time.Hour); got != (disclosure.Backlog{}) {
			t.Errorf("before anything: %+v", got)
		}
		b.publish("道路招标")
		if got := backlog(time.Hour); got.Event.IsZero() || !got.Card.IsZero() {
			t.Errorf("published, no worker: %+v", got)
		}
		b.start("w1")
		b.until("sent", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 3 })
		b.stop()
		if got := backlog(time.Hour); got != (disclosure.Backlog{}) {
			t.Errorf("all sent: %+v", got)
		}
		db := storetest.Raw(t, b.url)
		due := b.now().Truncate(time.Millisecond)
		storetest.Exec(t, db, fmt.Sprintf(`UPDATE delivery SET state = 'queued', not_before = %d`, due.UnixMilli()))
		if err := b.store.SetSwitch(t.Context(), storetest.Admin, disclosure.ScopeGlobal, "演练", true, b.now()); err != nil {
			t.Fatal(err)
		}
		if got := backlog(time.Minute); !got.Card.Equal(due) || got.Switches != 1 {
			t.Errorf("due, and stopped: %+v, want cards since %s", got, due)
		}
		if got := backlog(-time.Minute); !got.Card.IsZero() {
			t.Errorf("not due yet: %+v", got)
		}
	})
}
