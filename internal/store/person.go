package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
)

func noPerson() error {
	return disclosure.Errorf(disclosure.CodeBadToken, "登录已失效，请重新登录")
}

// SignIn returns the person an identity belongs to and opens a session for
// them, both made when new. Two identities of one unionid are one person. hash
// is of the session's secret; nil opens none.
func (s *Store) SignIn(ctx context.Context, who disclosure.Identity, hash []byte, now time.Time) (disclosure.Person, error) {
	var p disclosure.Person
	err := s.write(ctx, "sign in", func(tx *sql.Tx) error {
		n, err := s.identify(ctx, tx, who, now)
		if err != nil {
			return err
		}
		if hash != nil {
			if _, err := tx.ExecContext(ctx, `DELETE FROM person_session WHERE expires_at < $1`, now.UnixMilli()); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO person_session (hash, person_n, app, expires_at)
				VALUES ($1, $2, $3, $4)`, hash, n, who.App, now.Add(disclosure.SessionLife).UnixMilli()); err != nil {
				return err
			}
		}
		p, err = person(ctx, tx, n)
		return err
	})
	return p, err
}

// identify finds or makes the person of an identity. Another person of its unionid
// is the same human and becomes one with them.
func (s *Store) identify(ctx context.Context, tx *sql.Tx, who disclosure.Identity, now time.Time) (int64, error) {
	err := lockBy(ctx, tx, s.d.lockOpenID, who.App+"/"+who.OpenID)
	if err == nil && who.UnionID != "" {
		err = lockBy(ctx, tx, s.d.lockUnionID, who.UnionID)
	}
	if err != nil {
		return 0, err
	}
	var n int64
	var union string
	err = tx.QueryRowContext(ctx, `SELECT person_n, unionid FROM account WHERE app = $1 AND openid = $2`, who.App, who.OpenID).Scan(&n, &union)
	known := err == nil
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	if known && who.UnionID == "" {
		return n, nil
	}
	other := int64(0)
	if who.UnionID != "" {
		err := tx.QueryRowContext(ctx, `
			SELECT person_n
			  FROM account
			 WHERE unionid = $1 AND unionid <> '' AND person_n <> $2
			 ORDER BY linked_at, app
			 LIMIT 1`, who.UnionID, n).Scan(&other)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
	}
	if known {
		if other != 0 {
			if err := s.mergePeople(ctx, tx, other, n); err != nil {
				return 0, err
			}
			n = other
		}
		if union != who.UnionID { // it was just learned
			_, err = tx.ExecContext(ctx, `UPDATE account SET unionid = $1 WHERE app = $2 AND openid = $3`, who.UnionID, who.App, who.OpenID)
		}
		return n, err
	}
	if other == 0 {
		if err := tx.QueryRowContext(ctx, `
			INSERT INTO person (id, paused, urgent_quiet, created_at)
			VALUES ($1, 0, 0, $2)
			RETURNING n`, uuid.NewString(), now.UnixMilli()).Scan(&other); err != nil {
			return 0, err
		}
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO account (app, openid, kind, person_n, unionid, following, muted, quarantined, window_until, window_left, linked_at)
		VALUES ($1, $2, $3, $4, $5, 0, 0, 0, 0, 0, $6)`, who.App, who.OpenID, who.Kind, other, who.UnionID, now.UnixMilli())
	return other, err
}

// mergePeople makes two people one: everything of gone becomes kept's. Cards stay
// paused if they were for either.
//
// Of an event both have, one delivery stays: kept's, unless only gone's has come as
// far as a call. A card of gone's in flight remains so; when kept has one there too
// it is dealt with as after a lost lease, for nobody has two. Deliveries are locked
// before accounts, as by those who settle calls.
func (s *Store) mergePeople(ctx context.Context, tx *sql.Tx, kept, gone int64) error {
	if err := s.changePeople(ctx, tx); err != nil {
		return err
	}
	// A fan-out that is past kept and has not come to gone would never come to what
	// is kept's now: it goes back, in whoever's hands.
	if _, err := tx.ExecContext(ctx, `
		UPDATE push_event
		   SET cursor_n = CAST($1 AS BIGINT) - 1, owner = '', lease_until = 0
		 WHERE state = 'matching' AND open = 1 AND cursor_n >= $2 AND cursor_n < $3`, kept, kept, gone); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE push_head SET claims = claims + 1 WHERE id = 1`); err != nil { // nobody takes their cards meanwhile
		return err
	}
	const (
		notTold = `state IN ('queued', 'digest', 'suppressed')`
		flying  = `state IN ('leased', 'sending')`
		alone   = `NOT EXISTS (SELECT 1 FROM delivery k WHERE k.event_n = delivery.event_n AND k.person_n = $2)`
	)
	for _, stmt := range []string{
		`DELETE FROM delivery
		  WHERE person_n = $2 AND ` + notTold + `
		    AND EXISTS (SELECT 1 FROM delivery g WHERE g.event_n = delivery.event_n AND g.person_n = $1 AND NOT g.` + notTold + `)`,
		`UPDATE delivery
		    SET state = CASE WHEN state = 'leased' OR channel = 'template' THEN 'queued' ELSE 'unknown' END,
		        class = CASE WHEN state = 'leased' OR channel = 'template' THEN class ELSE 'ambiguous' END,
		        not_before = CASE WHEN state = 'leased' THEN not_before ELSE lease_until END,
		        attempt = CASE WHEN state = 'leased' THEN attempt - 1 ELSE attempt END, owner = ''
		  WHERE person_n = $1 AND ` + flying + ` AND ` + alone + `
		    AND EXISTS (SELECT 1 FROM delivery f WHERE f.person_n = $2 AND f.` + flying + `)`,
		`UPDATE delivery SET person_n = $2 WHERE person_n = $1 AND ` + alone,
		`UPDATE person
		    SET paused = CASE WHEN EXISTS (SELECT 1 FROM person g WHERE g.n = $1 AND g.paused = 1) THEN 1 ELSE paused END,
		        urgent_quiet = urgent_quiet * (SELECT g.urgent_quiet FROM person g WHERE g.n = $1)
		  WHERE n = $2`,
		`UPDATE account SET person_n = $2 WHERE person_n = $1`,
		`UPDATE person_session SET person_n = $2 WHERE person_n = $1`,
		`UPDATE subscription SET person_n = $2 WHERE person_n = $1`,
		`UPDATE consent SET person_n = $2 WHERE person_n = $1`,
	} {
		if _, err := tx.ExecContext(ctx, stmt, gone, kept); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM person WHERE n = $1`, gone)
	return err
}

const accountColumns = `app, openid, kind, unionid, following, muted, quarantined, window_until, window_left, linked_at`

func scanAccount(rows *sql.Rows, more ...any) (disclosure.Account, error) {
	var a disclosure.Account
	var following, muted, quarantined, until, left, linked int64
	err := rows.Scan(append(more, &a.App, &a.OpenID, &a.Kind, &a.UnionID, &following, &muted, &quarantined, &until, &left, &linked)...)
	a.Following, a.Muted, a.Quarantined = following == 1, muted == 1, quarantined == 1
	a.WindowUntil, a.WindowLeft, a.LinkedAt = disclosure.FromMilliseconds(until), int(left), disclosure.FromMilliseconds(linked)
	return a, err
}

func person(ctx context.Context, q querier, n int64) (disclosure.Person, error) {
	p := disclosure.Person{N: n}
	var paused, urgent, created int64
	err := one(q.QueryRowContext(ctx, `SELECT id, paused, urgent_quiet, created_at FROM person WHERE n = $1`, n), noPerson(),
		&p.ID, &paused, &urgent, &created)
	if err != nil {
		return p, err
	}
	p.Paused, p.UrgentQuiet, p.CreatedAt = paused == 1, urgent == 1, disclosure.FromMilliseconds(created)
	p.Accounts, err = all(ctx, q, func(r *sql.Rows) (disclosure.Account, error) { return scanAccount(r) },
		`SELECT `+accountColumns+` FROM account WHERE person_n = $1 ORDER BY linked_at, app LIMIT 20`, n)
	return p, err
}

// Session returns the person of a session. An unknown or expired one is
// CodeBadToken.
func (s *Store) Session(ctx context.Context, hash []byte, now time.Time) (disclosure.Person, error) {
	var p disclosure.Person
	var n int64
	err := one(s.r.QueryRowContext(ctx, `SELECT person_n FROM person_session WHERE hash = $1 AND expires_at > $2`, hash, now.UnixMilli()), noPerson(), &n)
	if err == nil {
		p, err = person(ctx, s.r, n)
	}
	if err != nil {
		return p, fmt.Errorf("store: session: %w", fault(err))
	}
	return p, nil
}

// SignOut ends a session.
func (s *Store) SignOut(ctx context.Context, hash []byte) error {
	return s.write(ctx, "sign out", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM person_session WHERE hash = $1`, hash)
		return err
	})
}

// ChangePerson sets what a person may set of themselves.
func (s *Store) ChangePerson(ctx context.Context, p disclosure.Person) (disclosure.Person, error) {
	err := s.write(ctx, "change person", func(tx *sql.Tx) (err error) {
		if _, err = tx.ExecContext(ctx, `UPDATE person SET paused = $1, urgent_quiet = $2 WHERE n = $3`, flag(p.Paused), flag(p.UrgentQuiet), p.N); err != nil {
			return err
		}
		p, err = person(ctx, tx, p.N)
		return err
	})
	return p, err
}

// ErasePerson removes a person with everything known of them: accounts,
// sessions, subscriptions, consents and the inbox.
func (s *Store) ErasePerson(ctx context.Context, n int64) error {
	err := s.write(ctx, "erase person", func(tx *sql.Tx) error {
		if err := s.changePeople(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM person WHERE n = $1`, n)
		return err
	})
	if err != nil || s.d != sqliteDialect {
		return err
	}
	return s.flushLog(ctx)
}

// NewLink keeps the hash of a one-time code that joins another account to the
// person.
func (s *Store) NewLink(ctx context.Context, person int64, hash []byte, now time.Time) error {
	return s.write(ctx, "new link", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM link_code WHERE expires_at < $1 OR person_n = $2`, now.UnixMilli(), person); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO link_code (hash, person_n, expires_at) VALUES ($1, $2, $3)`,
			hash, person, now.Add(disclosure.LinkLife).UnixMilli())
		return err
	})
}

// UseLink joins the person to the one who was given the code, and returns the
// person they are now. Errors: CodeLink.
func (s *Store) UseLink(ctx context.Context, n int64, hash []byte, now time.Time) (disclosure.Person, error) {
	var p disclosure.Person
	err := s.write(ctx, "use link", func(tx *sql.Tx) error {
		var other int64
		invalid := disclosure.Errorf(disclosure.CodeLink, "绑定码无效、已用过或已过期").On("code")
		err := one(tx.QueryRowContext(ctx, `SELECT person_n FROM link_code WHERE hash = $1 AND expires_at > $2`, hash, now.UnixMilli()), invalid, &other)
		if err == nil { // a wrong code makes nobody wait
			err = s.changePeople(ctx, tx)
		}
		if err != nil {
			return err
		}
		if err := one(tx.QueryRowContext(ctx, `DELETE FROM link_code WHERE hash = $1 RETURNING person_n`, hash), invalid, &other); err != nil {
			return err
		}
		if other != n {
			if err := s.mergePeople(ctx, tx, other, n); err != nil {
				return err
			}
		}
		p, err = person(ctx, tx, other)
		return err
	})
	return p, err
}

// PersonOf returns the person an identity belongs to. None is CodeBadToken.
func (s *Store) PersonOf(ctx context.Context, app, openid string) (disclosure.Person, error) {
	var p disclosure.Person
	var n int64
	err := one(s.r.QueryRowContext(ctx, `SELECT person_n FROM account WHERE app = $1 AND openid = $2`, app, openid), noPerson(), &n)
	if err == nil {
		p, err = person(ctx, s.r, n)
	}
	if err != nil {
		return p, fmt.Errorf("store: person: %w", fault(err))
	}
	return p, nil
}

// RemoveAccount removes one account of a person with its consents; the person
// goes with their last one.
func (s *Store) RemoveAccount(ctx context.Context, app, openid string) error {
	err := s.write(ctx, "remove account", func(tx *sql.Tx) error {
		if err := s.changePeople(ctx, tx); err != nil {
			return err
		}
		var n int64
		err := tx.QueryRowContext(ctx, `DELETE FROM account WHERE app = $1 AND openid = $2 RETURNING person_n`, app, openid).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM consent WHERE person_n = $1 AND app = $2`, n, app); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM person WHERE n = $1 AND NOT EXISTS (SELECT 1 FROM account WHERE person_n = $2)`, n, n)
		return err
	})
	if err != nil || s.d != sqliteDialect {
		return err
	}
	return s.flushLog(ctx)
}
