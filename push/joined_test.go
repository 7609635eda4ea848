package push_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// join makes the person gone one with kept by a one-time code.
func (b *bench) join(kept, gone int64) error {
	code := disclosure.LinkHash(fmt.Sprint(kept, gone))
	if err := b.store.NewLink(b.t.Context(), kept, code, b.now()); err != nil {
		return err
	}
	_, err := b.store.UseLink(b.t.Context(), gone, code, b.now())
	return err
}

// TestJoinedInFlight: a card in flight goes with its person. Where the one who
// stays has one in flight too, it is as if its lease were lost: a keyed one goes
// again with its key, a keyless one is unknown, one that was not called is queued.
func TestJoinedInFlight(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(8)
		db := storetest.Raw(t, b.url)
		storetest.Exec(t, db, `UPDATE delivery SET event_n = event_n + 1000 WHERE person_n % 2 = 0`)
		for i, c := range []struct {
			set  string
			both bool
			want string
		}{
			{`state = 'sending', channel = 'template'`, false, "sending 1 w2"},
			{`state = 'sending', channel = 'template'`, true, "queued 1 "},
			{`state = 'sending', channel = 'mini_subscribe'`, true, "unknown 1 "},
			{`state = 'leased', channel = 'mini_subscribe'`, true, "queued 0 "},
		} {
			gone, kept := taken(t, b.store, "w2", b.now(), time.Minute), int64(2*i+2)
			if gone.Person != kept-1 {
				t.Fatalf("took the card of %d", gone.Person)
			}
			storetest.Exec(t, db, `UPDATE delivery SET `+c.set+fmt.Sprintf(` WHERE n = %d`, gone.N))
			if c.both {
				storetest.Exec(t, db, fmt.Sprintf(`UPDATE delivery SET state = 'sending', owner = 'w1' WHERE person_n = %d`, kept))
			}
			if err := b.join(kept, gone.Person); err != nil {
				t.Fatal(err)
			}
			got := storetest.Strings(t, db, fmt.Sprintf(`SELECT state || ' ' || attempt || ' ' || owner FROM delivery WHERE n = %d AND person_n = %d`, gone.N, kept))
			if len(got) != 1 || got[0] != c.want {
				t.Errorf("%s, both %v: the card is %q, want %q", c.set, c.both, got, c.want)
			}
			refused := disclosure.Settled{Delivery: gone, State: disclosure.DeliveryFailed, Class: disclosure.ClassConsent, At: b.now(), Called: true,
				Refund: true, Account: disclosure.AccountNoConsent}
			n, err := b.store.Settle(t.Context(), "w2", []disclosure.Settled{refused})
			if err != nil || (n == 1) == c.both {
				t.Errorf("%s, both %v: settled %d, %v", c.set, c.both, n, err)
			}
		}
	})
}

// TestJoinedToldOnce: of an event that both have, the card stays that has come as
// far as a call.
func TestJoinedToldOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.expanded(2)
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE delivery SET state = 'accepted' WHERE person_n = 1`)
		if err := b.join(2, 1); err != nil {
			t.Fatal(err)
		}
		if got := b.states(); got[disclosure.DeliveryAccepted] != 1 || sumStates(got) != 1 {
			t.Errorf("deliveries = %v", got)
		}
	})
}

// TestJoinedKeepsQuiet: whoever paused either account is sent nothing, and urgent
// cards come in quiet hours only if both let them.
func TestJoinedKeepsQuiet(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		followers(t, b, 3)
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE person SET urgent_quiet = 1 WHERE n <> 1`, `UPDATE person SET paused = 1 WHERE n = 1`)
		for _, gone := range []int64{3, 1} {
			want := gone == 3
			if err := b.join(2, gone); err != nil {
				t.Fatal(err)
			}
			p, err := b.store.PersonOf(t.Context(), official, official+"-2")
			if err != nil || p.Paused == want || p.UrgentQuiet != want {
				t.Errorf("with %d: paused %v, urgent %v, %v", gone, p.Paused, p.UrgentQuiet, err)
			}
		}
	})
}

// TestJoinedAmidFanOut: whoever is joined while a fan-out is under way waits for
// it, without a row in hand that it may want, and keeps what it brought. SQLite
// has one writer.
func TestJoinedAmidFanOut(t *testing.T) {
	s, u := storetest.Postgres(t)
	b, db := newBench(t, s, u), storetest.Raw(t, u)
	b.expanded(2)
	storetest.Exec(t, db, `UPDATE delivery SET event_n = event_n + 1000 WHERE person_n = 2`)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(statement string) {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Error(err)
		}
	}
	exec(`SELECT pg_advisory_xact_lock_shared(7075)`)
	joined := make(chan error, 1)
	go func() { joined <- b.join(2, 1) }()
	b.waiting(db)
	exec(`UPDATE delivery SET state = 'superseded'`)
	exec(`INSERT INTO delivery (event_n, person_n, sub_n, priority, state, class, detail, channel, app, template, attempt, not_before, expires_at,
		       owner, lease_until, first_call_at, sent_at, msgid, maybe_dup, spent, parent_n, created_at, read_at)
		SELECT event_n + 1, person_n, sub_n, priority, 'queued', class, detail, channel, app, template, attempt, not_before, expires_at,
		       owner, lease_until, first_call_at, sent_at, msgid, maybe_dup, spent, parent_n, created_at, read_at
		  FROM delivery
		 WHERE person_n = 1`)
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	if err := <-joined; err != nil {
		t.Error(err)
	}
	if n := storetest.Int(t, db, `SELECT count(*) FROM delivery WHERE person_n = 2 AND state = 'queued'`); n != 1 {
		t.Errorf("%d of what the fan-out brought is there", n)
	}
}

// TestJoinedBehindFanOut: whoever is joined with somebody that a fan-out is past,
// before it has come to themselves, is told all the same.
func TestJoinedBehindFanOut(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		followers(t, b, 3)
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE subscription SET sector = 'land' WHERE person_n < 3`)
		b.publish("道路招标")
		f, ok, err := b.store.ClaimEvent(t.Context(), "w1", 0, b.now(), time.Minute)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		f.Cursor = 2
		expand := func() bool {
			_, lost, err := b.store.Expand(t.Context(), "w1", f, nil, nil, b.now(), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return lost
		}
		if expand() {
			t.Fatal("the event is lost at once")
		}
		if err := b.join(1, 3); err != nil {
			t.Fatal(err)
		}
		f.Cursor, f.State = 3, disclosure.EventMatched
		if !expand() {
			t.Error("the fan-out goes on as if nothing had happened")
		}
		b.start("w2")
		b.until("they are told", func() bool { return b.states()[disclosure.DeliveryAccepted] == 1 })
	})
}

// TestJoinedOfOneApp: whoever has joined two accounts of one app, and follows with
// one of them only, is reached by that one.
func TestJoinedOfOneApp(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		followers(t, b, 2)
		if err := b.join(1, 2); err != nil {
			t.Fatal(err)
		}
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE account SET following = 0 WHERE openid = '`+official+`-1'`)
		b.publish("道路招标")
		b.start("w1")
		b.until("settled", b.settled)
		if got := b.fake.perPerson(); len(got) != 1 || got[official+"-2"] != 1 {
			t.Errorf("cards = %v", got)
		}
	})
}

// waiting waits until somebody waits for a lock.
func (b *bench) waiting(db *sql.DB) {
	b.t.Helper()
	b.until("it waits", func() bool {
		return storetest.Int(b.t, db, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`) > 0
	})
}

// TestRecoveredOnce: two processes that recover the same card requeue it once. SQLite
// has one writer.
func TestRecoveredOnce(t *testing.T) {
	s, u := storetest.Postgres(t)
	b, db := newBench(t, s, u), storetest.Raw(t, u)
	b.expanded(1)
	taken(t, s, "w1", b.now(), -time.Minute)
	storetest.Exec(t, db, `UPDATE delivery SET state = 'leased'`)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE delivery SET state = 'queued', owner = '', attempt = attempt - 1`); err != nil {
		t.Fatal(err)
	}
	recovered := make(chan error, 1)
	go func() {
		_, err := s.Recover(context.Background(), 10, b.now())
		recovered <- err
	}()
	b.waiting(db)
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	if err := <-recovered; err != nil {
		t.Error(err)
	}
	if got := storetest.Strings(t, db, `SELECT state || ' ' || attempt FROM delivery`); got[0] != "queued 0" {
		t.Errorf("recovered twice: %v", got)
	}
}

// TestSignedInAtOnce: one human who comes over several requests at once is one
// person, and none of the requests fails.
func TestSignedInAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		db := storetest.Raw(t, b.url)
		for round := range 10 {
			var begin, ended sync.WaitGroup
			begin.Add(1)
			for i := range 6 {
				who := disclosure.Identity{App: official, Kind: disclosure.AppOfficial, OpenID: fmt.Sprintf("o-%d-%d", round, i/2), UnionID: fmt.Sprintf("u-%d", round)}
				ended.Go(func() {
					begin.Wait()
					if _, err := b.store.SignIn(context.Background(), who, nil, b.now()); err != nil {
						t.Error(err)
					}
				})
			}
			begin.Done()
			ended.Wait()
			if n := storetest.Int(t, db, `SELECT count(*) FROM person`); n != int64(round+1) {
				t.Fatalf("%d people in round %d", n, round+1)
			}
		}
	})
}

// TestUnionJoinsTheKnown: two people of one unionid become one when either comes,
// however they came to be.
func TestUnionJoinsTheKnown(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		followers(t, b, 2)
		storetest.Exec(t, storetest.Raw(t, b.url), `UPDATE account SET unionid = 'U'`)
		p, err := b.store.SignIn(t.Context(), disclosure.Identity{App: official, Kind: disclosure.AppOfficial, OpenID: official + "-1", UnionID: "U"}, nil, b.now())
		if err != nil || len(p.Accounts) != 2 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
