package push_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

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
		calls := func() int64 { return storetest.Int(t, storetest.Raw(t, b.url), `SELECT count(*) FROM attempt`) }
		storetest.Exec(t, storetest.Raw(t, b.url), `INSERT INTO attempt SELECT n, 1, 'template', 1, '', 0, '' FROM delivery`)
		before := calls()
		if err := b.store.ErasePerson(ctx, p.N); err != nil {
			t.Fatal(err)
		}
		if after := calls(); before != 1 || after != 0 {
			t.Errorf("%d calls are written down, %d after the erasure", before, after)
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

// TestErasedAmidFanOut: whoever is erased while a fan-out is under way has no
// delivery afterwards, whichever of the two is first. SQLite has one writer.
func TestErasedAmidFanOut(t *testing.T) {
	s, u := storetest.Postgres(t)
	b, db := newBench(t, s, u), storetest.Raw(t, u)
	followers(t, b, 10)
	b.publish("道路招标")
	f, ok, err := s.ClaimEvent(t.Context(), "hand", 0, b.now(), time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	list, _, err := s.Candidates(t.Context(), f.Sector, 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	var picks []int64
	for _, c := range list {
		picks = append(picks, c.Sub)
	}
	f.State, f.Cursor = disclosure.EventMatched, list[9].Person

	// meanwhile begins something that must wait for what tx holds, and ends tx.
	meanwhile := func(tx *sql.Tx, begin func()) {
		done := make(chan struct{})
		go func() { defer close(done); begin() }()
		b.until("it waits", func() bool {
			select {
			case <-done:
				t.Error("it did not wait")
				return true
			default:
				return storetest.Int(t, db, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
					AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`) > 0
			}
		})
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		<-done
		if n := storetest.Int(t, db, `SELECT count(*) FROM delivery WHERE person_n NOT IN (SELECT n FROM person)`); n != 0 {
			t.Errorf("%d deliveries are nobody's", n)
		}
	}
	under := func(statements ...string) *sql.Tx {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			if _, err := tx.ExecContext(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		return tx
	}
	erase := under(fmt.Sprintf(`DELETE FROM person WHERE n = %d`, list[0].Person))
	meanwhile(erase, func() {
		if added, _, err := s.Expand(t.Context(), "hand", f, picks, nil, b.now(), time.Minute); err != nil || added != 9 {
			t.Errorf("%d told, %v; want 9", added, err)
		}
	})
	fanOut := under(`SELECT pg_advisory_xact_lock_shared(7075)`, fmt.Sprintf(`
		INSERT INTO delivery (event_n, person_n, sub_n, priority, state, class, detail, channel, app, template, attempt, not_before, expires_at,
		       owner, lease_until, first_call_at, sent_at, msgid, maybe_dup, spent, parent_n, created_at, read_at)
		SELECT event_n + 1, person_n, sub_n, priority, state, class, detail, channel, app, template, attempt, not_before, expires_at,
		       owner, lease_until, first_call_at, sent_at, msgid, maybe_dup, spent, parent_n, created_at, read_at
		  FROM delivery
		 WHERE person_n = %d`, list[1].Person))
	meanwhile(fanOut, func() {
		if err := s.ErasePerson(t.Context(), list[1].Person); err != nil {
			t.Error(err)
		}
	})
	if n := storetest.Int(t, db, `SELECT count(*) FROM delivery`); n != 8 {
		t.Errorf("%d deliveries, want 8", n)
	}
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
