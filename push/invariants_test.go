package push_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// The invariants of delivery, P1 to P19, each on both databases. P2 and P3 are
// in kill_test.go; P6, P8, P13 and P14, what stops a push, in stop_test.go; P7, P9
// to P12 and P19, when whose turn it is, in turn_test.go; P16 in year_test.go and
// P18 in callback_test.go.

// skip moves the bench's clock forward.
func (b *bench) skip() func(time.Duration) {
	var offset atomic.Int64
	b.now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	return func(d time.Duration) { offset.Add(int64(d)) }
}

func followers(t *testing.T, b *bench, n int) {
	t.Helper()
	storetest.People(t, b.url, n, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"})
}

func (b *bench) withdraw(n disclosure.Notice) {
	b.t.Helper()
	now, err := b.store.Staff(b.t.Context(), disclosure.NoticeRef{ID: n.ID})
	if err != nil {
		b.t.Fatal(err)
	}
	tr, err := now.Withdraw("发布有误", false, storetest.Reviewer, b.now())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.store.Apply(b.t.Context(), nil, tr); err != nil {
		b.t.Fatal(err)
	}
}

// correct publishes a correction of one member.
func (b *bench) correct(n disclosure.Notice, member, text string) {
	b.t.Helper()
	now, err := b.store.Staff(b.t.Context(), disclosure.NoticeRef{ID: n.ID})
	if err != nil {
		b.t.Fatal(err)
	}
	ts := storetest.Amended(b.t, b.store.Catalog(), now.Notice, map[string]json.RawMessage{member: json.RawMessage(`"` + text + `"`)}, b.now())
	if _, err := b.store.Apply(b.t.Context(), nil, ts...); err != nil {
		b.t.Fatal(err)
	}
}

// terminate publishes the termination of a notice.
func (b *bench) terminate(n disclosure.Notice) {
	b.t.Helper()
	now, err := b.store.Staff(b.t.Context(), disclosure.NoticeRef{ID: n.ID})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.store.Apply(b.t.Context(), nil, storetest.Amended(b.t, b.store.Catalog(), now.Notice, nil, b.now())...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) event(i int) disclosure.PushFunnel {
	b.t.Helper()
	page, err := b.store.Pushes(b.t.Context(), 0, 100)
	if err != nil || len(page.Items) <= i {
		b.t.Fatalf("event %d of %d: %v", i, len(page.Items), err)
	}
	return page.Items[i]
}

// TestP01OneRowEach: however often the fan-out of an event is begun and broken
// off, everybody has one row.
func TestP01OneRowEach(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		followers(t, b, 12_000)
		b.publish("道路招标")
		b.fake.answer = func(int, push.Message) error { return &push.SendError{Class: disclosure.ClassSerialise} }
		for i := range 6 {
			b.start(fmt.Sprintf("w%d", i))
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
			b.stop()
		}
		b.start("last")
		b.until("matched", func() bool { return b.event(0).State == disclosure.EventMatched })
		if total := sum(b.event(0)); total != 12_000 {
			t.Errorf("%d rows for 12000 people", total)
		}
		f := disclosure.FanOut{PushEvent: b.event(0).PushEvent, Cursor: 1}
		if _, lost, err := b.store.Expand(t.Context(), "stranger", f, []int64{1, 2, 3}, nil, b.now(), time.Minute); err != nil || !lost {
			t.Errorf("a stranger expanded a finished event: lost = %v, %v", lost, err)
		}
	})
}

func sum(f disclosure.PushFunnel) (n int) {
	for _, c := range f.Counts {
		n += c.Count
	}
	return n
}

// taken takes one delivery by hand.
func taken(t *testing.T, s *store.Store, owner string, now time.Time, lease time.Duration) disclosure.Delivery {
	t.Helper()
	due, err := s.Look(t.Context(), 1, now)
	if err != nil || len(due.Deliveries) == 0 {
		t.Fatalf("%d deliveries are due: %v", len(due.Deliveries), err)
	}
	taken, err := s.Take(t.Context(), owner, []disclosure.Planned{planned(due.Deliveries[0])}, func(string, string) int { return 1000 }, now, lease)
	if err != nil || len(taken) != 1 {
		t.Fatalf("took %d: %v", len(taken), err)
	}
	return taken[0]
}

// planned is a delivery that is to be sent as a template message.
func planned(d disclosure.Delivery) disclosure.Planned {
	d.Channel, d.App, d.Template = disclosure.ChannelTemplate, official, byFollowing.ID
	return disclosure.Planned{Delivery: d, Path: "/x"}
}

// expanded publishes to n followers and expands the event by hand.
func (b *bench) expanded(n int) {
	b.t.Helper()
	followers(b.t.(*testing.T), b, n)
	b.publish("道路招标")
	f, ok, err := b.store.ClaimEvent(b.t.Context(), "hand", 0, b.now(), time.Minute)
	if err != nil || !ok {
		b.t.Fatal(ok, err)
	}
	list, _, err := b.store.Candidates(b.t.Context(), f.Sector, 0, n+10)
	if err != nil {
		b.t.Fatal(err)
	}
	picks := make([]int64, len(list))
	for i, c := range list {
		picks[i] = c.Sub
	}
	f.State, f.Cursor = disclosure.EventMatched, list[len(list)-1].Person
	if added, _, err := b.store.Expand(b.t.Context(), "hand", f, picks, nil, b.now(), time.Minute); err != nil || added != int64(n) {
		b.t.Fatal(added, err)
	}
}

// TestP04SettledStays and P05: a result is written by the holder of the lease
// alone, and once; whoever was stopped for longer than the lease writes nothing.
func TestP04SettledStays(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(1)
		d := taken(t, b.store, "w1", b.now(), time.Minute)
		done := disclosure.Settled{Delivery: d, State: disclosure.DeliveryAccepted, MsgID: "1", At: b.now(), Called: true}
		for want := 1; want >= 0; want-- {
			if n, err := b.store.Settle(t.Context(), "w1", []disclosure.Settled{done}); err != nil || n != want {
				t.Errorf("settled %d, %v; want %d", n, err, want)
			}
		}
		if r, err := b.store.Recover(t.Context(), 10, b.now().Add(time.Hour)); err != nil || r != (disclosure.Recovery{}) {
			t.Errorf("recovery touched a settled row: %+v, %v", r, err)
		}
		if due, err := b.store.Look(t.Context(), 10, b.now().Add(time.Hour)); err != nil || len(due.Deliveries) != 0 {
			t.Errorf("a settled row is due: %v, %v", due, err)
		}
	})
}

// TestP05StoppedWorker: see P04.
func TestP05StoppedWorker(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(1)
		old := taken(t, b.store, "w1", b.now(), 30*time.Second)
		later := b.now().Add(time.Minute)
		if r, err := b.store.Recover(t.Context(), 10, later); err != nil || r.Requeued != 1 {
			t.Fatalf("recovered %+v, %v; a keyed card within nine minutes goes again with its key", r, err)
		}
		fresh := taken(t, b.store, "w2", later, 30*time.Second)
		if n, err := b.store.Settle(t.Context(), "w1", []disclosure.Settled{{Delivery: old, State: disclosure.DeliveryFailed, At: later}}); err != nil || n != 0 {
			t.Errorf("the stopped worker settled %d, %v", n, err)
		}
		if n, err := b.store.Settle(t.Context(), "w2", []disclosure.Settled{{Delivery: fresh, State: disclosure.DeliveryAccepted, At: later}}); err != nil || n != 1 {
			t.Errorf("its successor settled %d, %v", n, err)
		}
	})
}

// TestP05SomeLost: of results written together those whose lease was lost change
// nothing, and the others are whole, with their calls.
func TestP05SomeLost(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(3)
		var list []disclosure.Settled
		for _, lease := range []time.Duration{time.Hour, time.Second, time.Hour} {
			d := taken(t, b.store, "w1", b.now(), lease)
			list = append(list, disclosure.Settled{Delivery: d, State: disclosure.DeliveryAccepted, MsgID: strconv.Itoa(len(list) + 1), At: b.now(), Called: true})
		}
		later := b.now().Add(time.Minute)
		if r, err := b.store.Recover(t.Context(), 10, later); err != nil || r.Requeued != 1 {
			t.Fatalf("recovered %+v, %v", r, err)
		}
		fresh := taken(t, b.store, "w2", later, time.Minute)
		if fresh.N != list[1].N {
			t.Fatalf("taken again: %d, want %d", fresh.N, list[1].N)
		}
		if n, err := b.store.Settle(t.Context(), "w1", list); err != nil || n != 2 {
			t.Errorf("settled %d, %v; want 2", n, err)
		}
		db := storetest.Raw(t, b.url)
		if got := storetest.Strings(t, db, `SELECT msgid || ' ' || state FROM delivery ORDER BY n`); !slices.Equal(got, []string{"1 accepted", " sending", "3 accepted"}) {
			t.Errorf("deliveries: %q", got)
		}
		if got := storetest.Int(t, db, `SELECT count(*) FROM attempt`); got != 2 {
			t.Errorf("%d calls are written down, want 2", got)
		}
	})
}

// TestP15Resend: a resend counts before it acts, keeps the key unless forced,
// and is in the audit trail.
func TestP15Resend(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		followers(t, b, 3)
		b.publish("道路招标")
		b.start("w1")
		b.until("sent", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 3 })
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE delivery SET state = 'unknown'`)
		for _, tt := range []struct {
			dry, force bool
			cards      int
		}{{true, false, 3}, {false, false, 3}, {false, true, 6}} {
			n, err := b.store.Resend(t.Context(), storetest.Admin, disclosure.Resend{Event: b.event(0).N, States: disclosure.ResendStates, Dry: tt.dry, Force: tt.force}, b.now())
			if err != nil || n != 3 {
				t.Fatalf("resend %+v = %d, %v", tt, n, err)
			}
			if tt.dry {
				if got := b.states(); got[disclosure.DeliveryUnknown] != 3 {
					t.Errorf("a dry run changed %v", got)
				}
				continue
			}
			b.until("sent again", func() bool { return b.states()[disclosure.DeliveryAccepted] == 3 })
			if _, cards := b.fake.count(); cards != tt.cards {
				t.Errorf("resend %+v: people have %d cards, want %d", tt, cards, tt.cards)
			}
			storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE delivery SET state = 'unknown'`)
		}
		b.stop()
		calls, _ := b.fake.count()
		if kept := storetest.Int(t, storetest.Raw(t, b.url), `SELECT count(*) FROM attempt`); int(kept) != calls {
			t.Errorf("%d attempts are recorded of %d calls", kept, calls)
		}
		page, err := b.store.Audit(t.Context(), fmt.Sprint(b.event(0).N), 1<<60, 10)
		if err != nil || len(page.Items) != 2 || page.Items[0].Action != "resend" {
			t.Errorf("audit = %+v, %v", page.Items, err)
		}
	})
}

// TestResendIsNews: a resend of all events leaves out what is no news any more; that
// of one does as it is told.
func TestResendIsNews(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(2)
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE delivery SET state = 'failed'`)
		for _, tt := range []struct {
			event int64
			after time.Duration
			dry   bool
			want  int64
		}{{0, time.Hour, true, 2}, {0, 100 * time.Hour, true, 0}, {0, 100 * time.Hour, false, 0}, {b.event(0).N, 100 * time.Hour, true, 2}, {b.event(0).N, 100 * time.Hour, false, 2}} {
			n, err := b.store.Resend(t.Context(), storetest.Admin, disclosure.Resend{Event: tt.event, States: disclosure.ResendStates, Dry: tt.dry}, b.now().Add(tt.after))
			if err != nil || n != tt.want {
				t.Errorf("%+v: %d, %v", tt, n, err)
			}
		}
	})
}

// TestP17NothingPersonal: no card holds an ID or phone number, whatever a title
// says.
func TestP17NothingPersonal(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		storetest.People(t, b.url, 1, storetest.Crowd{App: official, Kind: disclosure.AppOfficial})
		b.publish("张三320902199001010006电13812345678")
		b.start("w1")
		b.until("sent", func() bool { _, cards := b.fake.count(); return cards == 1 })
		if text := fmt.Sprintf("%+v", b.fake.cards[0].Fields); strings.Contains(text, "199001010006") || strings.Contains(text, "13812345678") {
			t.Errorf("the card says %s", text)
		}
	})
}

// TestOneInFlightEach: nobody is sent two cards at once, by two workers with
// many events.
func TestOneInFlightEach(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.conf.DailyCap = 1_000
		followers(t, b, 20)
		b.fake.takes = 3 * time.Millisecond
		for i := range 8 {
			b.publish(fmt.Sprintf("第 %d 条", i))
		}
		b.start("w1")
		first := b.stop
		b.start("w2")
		b.until("all settled", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 160 })
		b.stop()
		first()
		if b.fake.most != 1 {
			t.Errorf("%d calls at once to one person", b.fake.most)
		}
	})
}

func sumStates(m map[disclosure.DeliveryState]int) (n int) {
	for _, c := range m {
		n += c
	}
	return n
}

// TestExpired: what is older than its news is not sent, and says so.
func TestExpired(t *testing.T) {
	s, u := storetest.SQLite(t)
	b := newBench(t, s, u)
	skip := b.skip()
	followers(t, b, 2)
	b.publish("道路招标")
	skip(100 * time.Hour)
	b.start("w1")
	b.until("expired", func() bool { return b.event(0).State == disclosure.EventExpired })
	if calls, _ := b.fake.count(); calls != 0 {
		t.Errorf("%d calls", calls)
	}
}
