package store_test

import (
	"context"
	"testing"

	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// TestNumbersOfOldDatabase: a database of a release that gave numbers again gives
// none that a delivery knows, and keeps what it has.
func TestNumbersOfOldDatabase(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		storetest.People(t, u, 2, storetest.Crowd{App: "wx", Kind: "official", Sector: "land"})
		_ = s.Close()
		db := storetest.Raw(t, u)
		next := `INSERT INTO subscription (id, person_n, sector, doc, name, mode, quiet_from, quiet_to, paused, source, created_at, updated_at)
			VALUES ('new', 1, 'land', '', '', 'daily', -1, -1, 0, 'test', 1, 1)`
		if storetest.IsSQLite(u) { // as if the third had unsubscribed; PostgreSQL would not give 3 to another
			storetest.Exec(t, db, `INSERT INTO delivery (event_n, person_n, sub_n, priority, state, not_before, expires_at, created_at,
				class, detail, channel, app, template, attempt, owner, lease_until, first_call_at, sent_at, msgid, maybe_dup, spent, parent_n, read_at)
				VALUES (1, 1, 3, 2, 'accepted', 1, 1, 1, '', '', '', '', '', 1, '', 0, 1, 1, '', 0, 0, 0, 0)`)
		}
		storetest.Exec(t, db, `DELETE FROM goose_db_version WHERE version_id >= 12`)
		if err := storetest.Open(t, u).ErasePerson(context.Background(), 2); err != nil {
			t.Fatal(err)
		}
		storetest.Exec(t, db, next)
		least := int64(3)
		if storetest.IsSQLite(u) {
			least = 4
		}
		if n := storetest.Int(t, db, `SELECT n FROM subscription WHERE id = 'new'`); n < least {
			t.Errorf("the next subscription is %d", n)
		}
		if n := storetest.Int(t, db, `SELECT count(*) FROM subscription WHERE sector = 'land'`); n != 2 {
			t.Errorf("%d subscriptions are left", n)
		}
		if n := storetest.Int(t, db, `SELECT count(*) FROM delivery`); storetest.IsSQLite(u) && n != 1 {
			t.Errorf("%d deliveries are left", n)
		}
	})
}
