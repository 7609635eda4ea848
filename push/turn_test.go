package push_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// TestP07NewestRevision: whoever had the old revision gets the new one, whoever
// had not gets the new one only, and nobody gets the old one after it.
func TestP07NewestRevision(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const people = 600
		followers(t, b, people)
		b.fake.takes = 8 * time.Millisecond // so that the correction comes in the middle
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

// correcting is a store whose notice is corrected just before the first card of
// it is made.
type correcting struct {
	*store.Store
	bench  *bench
	notice disclosure.Notice
	once   sync.Once
}

// Notice implements push.Store.
func (c *correcting) Notice(ctx context.Context, ref disclosure.NoticeRef) (disclosure.NoticeDetail, error) {
	if got := c.bench.states(); got[disclosure.DeliveryLeased]+got[disclosure.DeliverySending] > 0 {
		c.once.Do(func() { c.bench.correct(c.notice, "title", "新标题") })
	}
	return c.Store.Notice(ctx, ref)
}

// TestP07OneCardARevision: a card that is made while its notice is corrected does
// not say beforehand what the correction's own card will say.
func TestP07OneCardARevision(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const people = 5
		followers(t, b, people)
		n := b.publish("旧标题")
		p := push.New(b.conf, &correcting{Store: b.store, bench: b, notice: n}, b.fake, push.NewSigner("test"), slog.New(slog.NewJSONHandler(b.logs, nil)), b.now, "w1")
		b.run(p)
		b.until("all have the new one", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] >= people })
		b.stop()
		for openid, got := range b.fake.perPerson() {
			if got != 1 {
				t.Errorf("%s has %d cards", openid, got)
			}
		}
		if got := b.states(); got[disclosure.DeliveryAccepted] != people || got[disclosure.DeliverySuperseded] != people {
			t.Errorf("deliveries = %v", got)
		}
	})
}

// TestP09UrgentFirst: urgent cards go before a backlog of ordinary ones, of
// which some go on all the same.
func TestP09UrgentFirst(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(400)
		db := storetest.Raw(t, b.url)
		storetest.Exec(t, db, `UPDATE push_event SET canary = 0`, `UPDATE delivery SET priority = 0 WHERE person_n > 100`)
		due, err := b.store.Look(t.Context(), 100, b.now())
		if err != nil {
			t.Fatal(err)
		}
		urgent := 0
		for _, d := range due.Deliveries {
			if d.Priority == disclosure.PriorityUrgent {
				urgent++
			}
		}
		if len(due.Deliveries) != 100 || urgent != 90 {
			t.Errorf("of %d due %d are urgent, want 90 of 100", len(due.Deliveries), urgent)
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

// TestP10CountedTwice: cards that another worker has taken meanwhile use no room of
// the day, and those behind them do not wait for the next.
func TestP10CountedTwice(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(3)
		due, err := b.store.Look(t.Context(), 10, b.now())
		if err != nil || len(due.Deliveries) != 3 {
			t.Fatal(len(due.Deliveries), err)
		}
		var plan []disclosure.Planned
		for _, d := range due.Deliveries {
			plan = append(plan, planned(d))
		}
		take := func(owner string, plan []disclosure.Planned) int {
			list, err := b.store.Take(t.Context(), owner, plan, func(string, string) int { return 2 }, b.now(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		if n := take("w1", plan[:1]); n != 1 {
			t.Fatalf("the first took %d", n)
		}
		if n := take("w2", plan); n != 0 {
			t.Fatalf("the second took %d", n)
		}
		again, err := b.store.Look(t.Context(), 10, b.now())
		if err != nil || len(again.Deliveries) != 2 {
			t.Fatalf("%d are due today, %v; want 2", len(again.Deliveries), err)
		}
		if n := take("w2", plan[1:]); n != 1 {
			t.Errorf("then it took %d, want the one that is left of the day", n)
		}
		if last, err := b.store.Look(t.Context(), 10, b.now()); err != nil || len(last.Deliveries) != 0 {
			t.Errorf("%d are due beyond the day's room, %v", len(last.Deliveries), err)
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

// TestP10JustAfterMidnight: a day's share that is used up at midnight is the day's
// before, by WeChat's clock: the new day is not given up for it.
func TestP10JustAfterMidnight(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		set := b.at(0, 0)
		followers(t, b, 20)
		theirs := b.now().Add(time.Minute) // when the day begins by WeChat's clock
		b.fake.answer = func(int, push.Message) error {
			if b.now().Before(theirs) {
				return &push.SendError{Path: "/cgi-bin/message/template/send", Code: 45009, Class: disclosure.ClassQuota}
			}
			return nil
		}
		b.publish("道路招标")
		b.start("w1")
		db := storetest.Raw(t, b.url)
		b.until("all wait", func() bool {
			return storetest.Int(t, db, `SELECT count(*) FROM delivery WHERE state = 'queued' AND class = 'quota'`) == 20
		})
		set(0, 4)
		b.until("all have it", func() bool { return b.settled() && b.states()[disclosure.DeliveryAccepted] == 20 })
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
		m := b.fake.cards[len(b.fake.cards)-1]
		if !strings.HasPrefix(m.Fields[0].Text, "3条新公告") || !strings.Contains(m.URL, "/why/") {
			t.Errorf("the digest says %q, %s", m.Fields[0].Text, m.URL)
		}
		// Its link leads to what it is about.
		n, err := push.NewSigner("test").Open(m.URL[strings.LastIndex(m.URL, "/")+1:])
		if err != nil {
			t.Fatal(err)
		}
		item, _, _, err := b.store.InboxItem(t.Context(), n)
		if err != nil || len(item.Bundle) != 3 || item.Bundle[0].Title != "第 4 条" || item.Bundle[2].Title != "第 2 条" {
			t.Errorf("the digest leads to %+v, %v", item.Bundle, err)
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
