package push_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// daily is a crowd that takes the digest.
var daily = storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction", Mode: disclosure.ModeDaily}

// TestDigestWaits: what is of a paused event is in no digest, and what comes when
// the day's digest is gone already is in the next: nothing is lost in one that
// nobody is sent any more.
func TestDigestWaits(t *testing.T) {
	type states = map[disclosure.DeliveryState]int
	each(t, func(t *testing.T, b *bench) {
		set := b.at(7, 0)
		storetest.People(t, b.url, 3, daily)
		b.start("w1")
		b.publish("标题有误")
		b.expect("the first waits", states{disclosure.DeliveryDigest: 3})
		paused := b.event(0)
		if err := b.store.PausePush(t.Context(), storetest.Admin, paused.N, "标题有误", b.now()); err != nil {
			t.Fatal(err)
		}
		b.publish("道路招标")
		b.expect("the second waits", states{disclosure.DeliveryDigest: 6})
		set(8, 31)
		b.expect("the digest is sent", states{disclosure.DeliveryDigest: 3, disclosure.DeliveryDigested: 3, disclosure.DeliveryAccepted: 3})
		if said := b.fake.cards[0].Fields[0].Text; said != "道路招标" {
			t.Errorf("the digest says %q", said)
		}
		if err := b.store.ResumePush(t.Context(), storetest.Admin, paused.N, b.now()); err != nil {
			t.Fatal(err)
		}
		db := storetest.Raw(t, b.url)
		storetest.Exec(t, db, `UPDATE delivery SET not_before = 0 WHERE state = 'digest'`)
		b.until("it waits for the next", func() bool {
			return storetest.Int(t, db, `SELECT count(*) FROM delivery WHERE state = 'digest' AND not_before > $1`, b.now().UnixMilli()) == 3
		})
		set(24+8, 31)
		b.expect("the next is sent", states{disclosure.DeliveryDigested: 6, disclosure.DeliveryAccepted: 6})
	})
}

// TestDigestAfterQuietDay: whoever is left alone all day has the digest in the
// evening.
func TestDigestAfterQuietDay(t *testing.T) {
	type states = map[disclosure.DeliveryState]int
	each(t, func(t *testing.T, b *bench) {
		set := b.at(7, 0)
		storetest.People(t, b.url, 3, daily)
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE subscription SET quiet_from = 480, quiet_to = 1320`)
		b.start("w1")
		b.publish("道路招标")
		b.expect("it waits", states{disclosure.DeliveryDigest: 3})
		set(8, 31)
		b.expect("the digest is made", states{disclosure.DeliveryDigested: 3, disclosure.DeliveryQueued: 3})
		set(22, 16)
		b.expect("it is sent", states{disclosure.DeliveryDigested: 3, disclosure.DeliveryAccepted: 3})
	})
}

// TestDigestOfRefusedWords: a digest that was stopped for its words goes on with a
// neutral title.
func TestDigestOfRefusedWords(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		set := b.at(7, 0)
		storetest.People(t, b.url, 3, daily)
		b.refusing(push.SendError{Code: 45168, Class: disclosure.ClassContent, Text: "sensitive word"}, func(m push.Message) bool { return strings.Contains(m.Fields[0].Text, "敏感") })
		b.start("w1")
		b.publish("敏感的公告")
		b.until("it waits", func() bool { return b.states()[disclosure.DeliveryDigest] == 3 })
		set(8, 31)
		b.until("the digest is stopped, and nothing under way", func() bool {
			got := b.states()
			return b.event(0).Paused && got[disclosure.DeliveryFailed]+got[disclosure.DeliveryQueued] == 3
		})
		digest := b.event(0).N
		if err := b.store.ResumePush(t.Context(), storetest.Admin, digest, b.now()); err != nil {
			t.Fatal(err)
		}
		set(8, 40)
		b.until("nothing waits", b.settled)
		if _, err := b.store.Resend(t.Context(), storetest.Admin, disclosure.Resend{Event: digest, States: disclosure.ResendStates}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.until("all have it", func() bool { return b.states()[disclosure.DeliveryAccepted] == 3 })
		for _, m := range b.fake.cards {
			if m.Fields[0].Text != disclosure.NeutralTitle {
				t.Errorf("the digest says %q", m.Fields[0].Text)
			}
		}
	})
}

// withdrawing withdraws a notice just when a digest that names it is made, and
// comes back when that is acknowledged.
type withdrawing struct {
	*store.Store
	bench  *bench
	notice disclosure.Notice
	once   sync.Once
}

// Bundled implements push.Store.
func (w *withdrawing) Bundled(ctx context.Context, event, person int64, limit int) ([]disclosure.Summary, int, error) {
	list, n, err := w.Store.Bundled(ctx, event, person, limit)
	w.once.Do(func() {
		w.bench.withdraw(w.notice)
		time.Sleep(push.SettleTime)
	})
	return list, n, err
}

// TestP06DigestNamesNothingWithdrawn: no digest that names a notice is sent after
// its withdrawal was acknowledged.
func TestP06DigestNamesNothingWithdrawn(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		set := b.at(7, 0)
		storetest.People(t, b.url, 1, daily)
		n := b.publish("道路招标")
		b.run(push.New(b.conf, &withdrawing{Store: b.store, bench: b, notice: n}, b.fake, push.NewSigner("test"), slog.New(slog.NewJSONHandler(b.logs, nil)), b.now, "w1"))
		b.until("it waits", func() bool { return b.states()[disclosure.DeliveryDigest] == 1 })
		set(8, 31)
		b.until("the digest has nothing to say", func() bool { return b.settled() })
		if calls, _ := b.fake.count(); calls != 0 {
			t.Errorf("%d calls after the withdrawal", calls)
		}
	})
}
