package push_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
// in kill_test.go.

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

// claimed takes one delivery by hand.
func claimed(t *testing.T, s *store.Store, owner string, now time.Time, lease time.Duration) disclosure.Delivery {
	t.Helper()
	list, err := s.Claim(t.Context(), owner, 1, now, lease)
	if err != nil || len(list) != 1 {
		t.Fatalf("claimed %d deliveries: %v", len(list), err)
	}
	plan := disclosure.Planned{Delivery: list[0], Path: "/x"}
	plan.Channel, plan.App, plan.Template = disclosure.ChannelTemplate, official, byFollowing.ID
	ready, err := s.Prepare(t.Context(), owner, []disclosure.Planned{plan}, func(string, string) int { return 1000 }, now)
	if err != nil || len(ready) != 1 {
		t.Fatalf("prepared %d: %v", len(ready), err)
	}
	return ready[0]
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
		d := claimed(t, b.store, "w1", b.now(), time.Minute)
		done := disclosure.Settled{Delivery: d, State: disclosure.DeliveryAccepted, MsgID: "1", At: b.now(), Called: true}
		for want := 1; want >= 0; want-- {
			if n, err := b.store.Settle(t.Context(), "w1", []disclosure.Settled{done}); err != nil || n != want {
				t.Errorf("settled %d, %v; want %d", n, err, want)
			}
		}
		if r, err := b.store.Recover(t.Context(), 10, b.now().Add(time.Hour)); err != nil || r != (disclosure.Recovery{}) {
			t.Errorf("recovery touched a settled row: %+v, %v", r, err)
		}
		if list, err := b.store.Claim(t.Context(), "w2", 10, b.now().Add(time.Hour), time.Minute); err != nil || len(list) != 0 {
			t.Errorf("a settled row was claimed: %v, %v", list, err)
		}
	})
}

// TestP05StoppedWorker: see P04.
func TestP05StoppedWorker(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(1)
		old := claimed(t, b.store, "w1", b.now(), 30*time.Second)
		later := b.now().Add(time.Minute)
		if r, err := b.store.Recover(t.Context(), 10, later); err != nil || r.Requeued != 1 {
			t.Fatalf("recovered %+v, %v; a keyed card within nine minutes goes again with its key", r, err)
		}
		fresh := claimed(t, b.store, "w2", later, 30*time.Second)
		if n, err := b.store.Settle(t.Context(), "w1", []disclosure.Settled{{Delivery: old, State: disclosure.DeliveryFailed, At: later}}); err != nil || n != 0 {
			t.Errorf("the stopped worker settled %d, %v", n, err)
		}
		if n, err := b.store.Settle(t.Context(), "w2", []disclosure.Settled{{Delivery: fresh, State: disclosure.DeliveryAccepted, At: later}}); err != nil || n != 1 {
			t.Errorf("its successor settled %d, %v", n, err)
		}
	})
}

// TestP06WithdrawnNeverSent: no call begins after a withdrawal was acknowledged,
// in the middle of a fan-out, with two workers.
func TestP06WithdrawnNeverSent(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const people = 3_000
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

// TestP07NewestRevision: whoever had the old revision gets the new one, whoever
// had not gets the new one only, and nobody gets the old one after it.
func TestP07NewestRevision(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const people = 600
		followers(t, b, people)
		b.fake.takes = time.Millisecond
		n := b.publish("旧标题")
		b.start("w1")
		b.until("some have the old one", func() bool { calls, _ := b.fake.count(); return calls > 50 })
		b.correct(n, "title", "新标题")
		b.until("all settled", func() bool { return b.settled() })
		b.stop()
		last := map[string]string{}
		had := 0
		for _, c := range b.fake.calls {
			title := c.Fields[0].Text
			if title == "旧标题" {
				had++
				if last[c.OpenID] == "新标题" {
					t.Errorf("%s had the new one before the old one", c.OpenID)
				}
			}
			last[c.OpenID] = title
		}
		for openid, title := range last {
			if title != "新标题" {
				t.Errorf("%s has %q last", openid, title)
			}
		}
		if len(last) != people || had == 0 || had == people {
			t.Errorf("%d people were told, %d had the old one", len(last), had)
		}
		if got := b.states(); got[disclosure.DeliverySuperseded] != people-had || got[disclosure.DeliveryAccepted] != people+had {
			t.Errorf("deliveries = %v, %d had the old one", got, had)
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

// TestP09UrgentFirst: urgent cards go before a backlog of ordinary ones, of
// which some go on all the same.
func TestP09UrgentFirst(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(400)
		db := storetest.Raw(t, b.url)
		storetest.Exec(t, db, `UPDATE push_event SET canary = 0`, `UPDATE delivery SET priority = 0 WHERE person_n > 100`)
		list, err := b.store.Claim(t.Context(), "w1", 100, b.now(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		urgent := 0
		for _, d := range list {
			if d.Priority == disclosure.PriorityUrgent {
				urgent++
			}
		}
		if len(list) != 100 || urgent != 90 {
			t.Errorf("of %d claimed %d are urgent, want 90 of 100", len(list), urgent)
		}
	})
}

// TestP10Quota: three workers never exceed the day's share, a tenth of which is
// for urgent cards; the next day the rest goes out.
func TestP10Quota(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		skip := b.skip()
		b.conf.QuotaOf = map[disclosure.Channel]int{disclosure.ChannelTemplate: 100}
		followers(t, b, 150)
		b.publish("普通公告")
		var stops []func()
		for i := range 3 {
			b.start(fmt.Sprintf("w%d", i))
			stops = append(stops, b.stop)
		}
		b.until("the day's ordinary share is used", func() bool { calls, _ := b.fake.count(); return calls >= 90 })
		time.Sleep(300 * time.Millisecond)
		if calls, _ := b.fake.count(); calls != 90 {
			t.Errorf("%d calls of 90 allowed", calls)
		}
		skip(24 * time.Hour)
		b.until("the rest went out the next day", func() bool { return b.settled() })
		for _, stop := range stops {
			stop()
		}
		if calls, cards := b.fake.count(); calls != 150 || cards != 150 {
			t.Errorf("%d calls, %d cards", calls, cards)
		}
	})
}

// TestP10ParkedByWeChat: WeChat's own word parks the API until midnight.
func TestP10ParkedByWeChat(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		skip := b.skip()
		followers(t, b, 40)
		var refused atomic.Int64
		var over atomic.Bool // the day
		b.fake.answer = func(n int, _ push.Message) error {
			if n >= 20 && n < 1_000 && !over.Load() {
				refused.Add(1)
				return &push.SendError{Path: "/cgi-bin/message/template/send", Code: 45009, Class: disclosure.ClassQuota}
			}
			return nil
		}
		b.publish("道路招标")
		b.start("w1")
		b.until("WeChat said stop", func() bool { return refused.Load() > 0 })
		time.Sleep(300 * time.Millisecond)
		before, _ := b.fake.count()
		if before > 28 {
			t.Errorf("%d calls; after the refusal only what was under way may follow", before)
		}
		over.Store(true)
		skip(24 * time.Hour)
		b.until("the rest went out the next day", func() bool { return b.settled() })
		if got := b.states(); got[disclosure.DeliveryAccepted] != 40 {
			t.Errorf("deliveries = %v", got)
		}
	})
}

// TestP11QuietHours: nothing in quiet hours, which wrap midnight, but urgent
// cards for whoever wants them; after it all goes out.
func TestP11QuietHours(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		night := time.Date(2026, 11, 23, 23, 0, 0, 0, storetest.Start.Location())
		began := time.Now()
		var offset atomic.Int64
		b.now = func() time.Time { return night.Add(time.Since(began)).Add(time.Duration(offset.Load())) }
		followers(t, b, 50)
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE subscription SET quiet_from = 1320, quiet_to = 420`)
		b.publish("夜里的公告")
		b.start("w1")
		b.until("all wait", func() bool { return b.states()[disclosure.DeliveryQueued] == 50 })
		time.Sleep(300 * time.Millisecond)
		if calls, _ := b.fake.count(); calls != 0 {
			t.Errorf("%d cards in quiet hours", calls)
		}
		b.stop()
		b.start("w2") // a restart does not forget
		offset.Store(int64(8*time.Hour + 16*time.Minute))
		b.until("all went out in the morning", func() bool { return b.settled() })
		if calls, _ := b.fake.count(); calls != 50 {
			t.Errorf("%d cards", calls)
		}
	})
}

// TestP12DailyCap: more than the day's cards for one person become one digest
// the next morning; nothing is dropped.
func TestP12DailyCap(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		day := time.Date(2026, 11, 23, 10, 0, 0, 0, storetest.Start.Location())
		began := time.Now()
		var offset atomic.Int64
		b.now = func() time.Time { return day.Add(time.Since(began)).Add(time.Duration(offset.Load())) }
		b.conf.DailyCap = 2
		followers(t, b, 3)
		b.start("w1")
		for i := range 5 {
			b.publish(fmt.Sprintf("第 %d 条", i))
			b.until("this one is through", func() bool {
				got := b.states()
				return got[disclosure.DeliveryAccepted]+got[disclosure.DeliveryDigest] == 3*(i+1)
			})
		}
		if got := b.states(); got[disclosure.DeliveryAccepted] != 6 || got[disclosure.DeliveryDigest] != 9 {
			t.Errorf("deliveries = %v, want 6 cards and 9 for the digest", got)
		}
		offset.Store(int64(22*time.Hour + 31*time.Minute))
		b.until("the digest is sent", func() bool { return b.settled() })
		if got := b.states(); got[disclosure.DeliveryAccepted] != 9 || got[disclosure.DeliveryDigested] != 9 {
			t.Errorf("deliveries = %v, want 3 digests of 3", got)
		}
		if m := b.fake.cards[len(b.fake.cards)-1]; !strings.HasPrefix(m.Fields[0].Text, "3条新公告") || !strings.Contains(m.URL, "/why/") {
			t.Errorf("the digest says %q, %s", m.Fields[0].Text, m.URL)
		}
	})
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
		if failed == 0 || calls > 200 {
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
		page, err := b.store.Audit(t.Context(), fmt.Sprint(b.event(0).N), 1<<60, 10)
		if err != nil || len(page.Items) != 2 || page.Items[0].Action != "resend" {
			t.Errorf("audit = %+v, %v", page.Items, err)
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

// TestP19BacksOff: passing faults are waited out, with fewer calls than a plain
// retry would make, and nobody is lost.
func TestP19BacksOff(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		skip := b.skip()
		followers(t, b, 100)
		var down atomic.Bool
		down.Store(true)
		b.fake.answer = func(int, push.Message) error {
			if down.Load() {
				return &push.SendError{Path: "/x", Code: -1, Class: disclosure.ClassRetry}
			}
			return nil
		}
		b.publish("道路招标")
		b.start("w1")
		b.until("it was tried", func() bool { calls, _ := b.fake.count(); return calls >= 5 })
		time.Sleep(300 * time.Millisecond)
		if calls, _ := b.fake.count(); calls > 10 {
			t.Errorf("%d calls to a WeChat that is down: the first cards of an event are on trial", calls)
		}
		down.Store(false)
		skip(time.Minute)
		b.until("all have it", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 100 })
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

// TestConsentIsCounted: one-off consents are spent, one each; when WeChat says
// there is none left ours are gone too, and nothing more is tried.
func TestConsentIsCounted(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.conf.DailyCap = 100
		person := storetest.People(t, b.url, 1, storetest.Crowd{App: mini, Kind: disclosure.AppMini, Template: byOnce.ID, Times: 3})
		b.start("w1")
		for i := range 5 {
			b.publish(fmt.Sprintf("第 %d 条", i))
			b.until("through", func() bool { return b.settled() && sumStates(b.states()) == i+1 })
		}
		if got := b.states(); got[disclosure.DeliveryAccepted] != 3 || got[disclosure.DeliverySuppressed] != 2 {
			t.Errorf("deliveries = %v, want 3 sent and 2 in the inbox only", got)
		}
		left, ledger, err := b.store.Consents(t.Context(), person)
		if err != nil || len(left) != 1 || left[0].Left != 0 || len(ledger) != 4 {
			t.Errorf("left %+v, ledger of %d, %v", left, len(ledger), err)
		}
		page, err := b.store.Inbox(t.Context(), person, 0, 10)
		if err != nil || len(page.Items) != 5 {
			t.Errorf("inbox of %d, %v", len(page.Items), err)
		}
	})
}

func sumStates(m map[disclosure.DeliveryState]int) (n int) {
	for _, c := range m {
		n += c
	}
	return n
}

// TestRevokedBetween: a consent that was taken back between match and send sends
// nothing to the next event; the person is reached over the next channel.
func TestRevokedBetween(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		person := storetest.People(t, b.url, 1, storetest.Crowd{App: mini, Kind: disclosure.AppMini, Template: byConsent.ID})
		storetest.Exec(t, storetest.Raw(t, b.url), fmt.Sprintf(`INSERT INTO account (app, openid, kind, person_n, unionid, following, muted, quarantined, window_until, window_left, linked_at)
			VALUES ('%s', 'both', 'official', %d, '', 1, 0, 0, 0, 0, 2)`, official, person))
		b.fake.answer = func(_ int, m push.Message) error {
			if m.Channel == disclosure.ChannelMini {
				return &push.SendError{Path: "/x", Code: 43101, Class: disclosure.ClassConsent}
			}
			return nil
		}
		b.publish("道路招标")
		b.start("w1")
		b.until("settled", func() bool { return b.settled() && sumStates(b.states()) == 1 })
		if len(b.fake.cards) != 1 || b.fake.cards[0].Channel != disclosure.ChannelTemplate {
			t.Errorf("cards = %+v", b.fake.cards)
		}
		left, _, err := b.store.Consents(t.Context(), person)
		if err != nil || len(left) != 1 || left[0].Left != 0 {
			t.Errorf("left %+v, %v", left, err)
		}
	})
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

// TestErasedPersonLeavesNothing: whoever deletes themselves is gone from every
// table, and a card under way fails quietly.
func TestErasedPersonLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		p, err := b.store.SignIn(ctx, disclosure.Identity{App: official, Kind: disclosure.AppOfficial, OpenID: "o-erase-me", UnionID: "u-erase-me"}, []byte("hash"), b.now())
		if err != nil {
			t.Fatal(err)
		}
		if err := b.store.RecordConsent(ctx, p.N, disclosure.Consent{At: b.now(), Identity: disclosure.Identity{App: official}, Kind: disclosure.ConsentFollow}); err != nil {
			t.Fatal(err)
		}
		sub := disclosure.NewSubscription("sub-erase-me", "test", b.now())
		if _, err := b.store.SaveSubscription(ctx, p.N, sub); err != nil {
			t.Fatal(err)
		}
		b.publish("道路招标")
		b.start("w1")
		b.until("told", func() bool { return b.settled() && sumStates(b.states()) == 1 })
		b.stop()
		if err := b.store.ErasePerson(ctx, p.N); err != nil {
			t.Fatal(err)
		}
		if traces := storetest.Traces(t, b.url, "erase-me"); len(traces) > 0 {
			t.Errorf("left: %v", traces)
		}
		if _, err := b.store.Session(ctx, []byte("hash"), b.now()); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeBadToken}) {
			t.Errorf("session: %v", err)
		}
		if got := b.states(); sumStates(got) != 0 {
			t.Errorf("deliveries = %v", got)
		}
	})
}

// TestUnionJoins: two accounts of one unionid are one person with one inbox.
func TestUnionJoins(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		ctx := context.Background()
		in := func(app, openid, union string) disclosure.Person {
			p, err := b.store.SignIn(ctx, disclosure.Identity{App: app, Kind: disclosure.AppOfficial, OpenID: openid, UnionID: union}, nil, b.now())
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		first, second := in(official, "o1", ""), in(mini, "m1", "U")
		if first.ID == second.ID {
			t.Fatal("strangers are one person")
		}
		if joined := in(official, "o1", "U"); joined.ID != second.ID || len(joined.Accounts) != 2 {
			t.Errorf("joined = %+v", joined)
		}
		if again := in(official, "o1", ""); again.ID != second.ID {
			t.Errorf("again = %+v", again)
		}
		third := in(official, "o3", "")
		hash := disclosure.LinkHash("ABCD1234")
		if err := b.store.NewLink(ctx, second.N, hash, b.now()); err != nil {
			t.Fatal(err)
		}
		linked, err := b.store.UseLink(ctx, third.N, disclosure.LinkHash(" abcd 1234"), b.now())
		if err != nil || linked.ID != second.ID || len(linked.Accounts) != 3 {
			t.Errorf("linked = %+v, %v", linked, err)
		}
		if _, err := b.store.UseLink(ctx, second.N, hash, b.now()); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeLink}) {
			t.Errorf("a code works twice: %v", err)
		}
		if !slices.ContainsFunc(linked.Accounts, func(a disclosure.Account) bool { return a.OpenID == "o3" }) {
			t.Error("the account is lost")
		}
	})
}
