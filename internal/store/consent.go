package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

const balanceColumns = `app, template, MAX(long_term), COALESCE(SUM(delta), 0), MAX(at)`

func scanBalance(rows *sql.Rows) (person int64, b disclosure.ConsentBalance, err error) {
	var long, at int64
	err = rows.Scan(&person, &b.App, &b.Template, &long, &b.Left, &at)
	b.LongTerm, b.LastAt = long == 1, disclosure.FromMilliseconds(at)
	return person, b, err
}

// addConsent appends to the ledger. Accepting a long-term template that is
// accepted already adds nothing.
func addConsent(ctx context.Context, q querier, person int64, c disclosure.Consent) error {
	if c.LongTerm && c.Kind == disclosure.ConsentAccept {
		var left int
		if err := q.QueryRowContext(ctx, `SELECT COALESCE(SUM(delta), 0) FROM consent WHERE person_n = $1 AND app = $2 AND template = $3`,
			person, c.Identity.App, c.Template).Scan(&left); err != nil {
			return err
		}
		c.Delta = 1 - left
	}
	_, err := q.ExecContext(ctx, `
		INSERT INTO consent (person_n, at, app, template, kind, delta, long_term, scene, evidence)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		person, c.At.UnixMilli(), c.Identity.App, c.Template, c.Kind, c.Delta, flag(c.LongTerm), c.Scene, c.Evidence)
	return err
}

// revokeConsent takes away what is left of a template.
func revokeConsent(ctx context.Context, q querier, person int64, app, template, evidence string, at time.Time) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO consent (person_n, at, app, template, kind, delta, long_term, scene, evidence)
		SELECT $1, $2, $3, $4, 'revoke', -COALESCE(SUM(delta), 0), COALESCE(MAX(long_term), 0), '', $5
		  FROM consent
		 WHERE person_n = $6 AND app = $7 AND template = $8`,
		person, at.UnixMilli(), app, template, evidence, person, app, template)
	return err
}

// RecordConsent appends to a person's ledger. A client's hint takes the place of the
// one before of the same template: however many are sent, the ledger is bounded.
func (s *Store) RecordConsent(ctx context.Context, person int64, c disclosure.Consent) error {
	return s.write(ctx, "record consent", func(tx *sql.Tx) error {
		if c.Kind == disclosure.ConsentRevoke {
			return revokeConsent(ctx, tx, person, c.Identity.App, c.Template, c.Evidence, c.At)
		}
		if c.Kind == disclosure.ConsentHint {
			if _, err := tx.ExecContext(ctx, `DELETE FROM consent WHERE person_n = $1 AND app = $2 AND template = $3 AND kind = 'hint'`,
				person, c.Identity.App, c.Template); err != nil {
				return err
			}
		}
		return addConsent(ctx, tx, person, c)
	})
}

// Consents returns what is left of each of the person's consents and the newest
// entries of their ledger.
func (s *Store) Consents(ctx context.Context, person int64) (left []disclosure.ConsentBalance, ledger []disclosure.Consent, err error) {
	err = s.read(ctx, "consents", func(v *snapshot) error {
		left, err = all(ctx, v, func(rows *sql.Rows) (disclosure.ConsentBalance, error) {
			_, b, err := scanBalance(rows)
			return b, err
		}, `SELECT person_n, `+balanceColumns+` FROM consent WHERE template <> '' AND kind <> 'hint' AND person_n = $1 GROUP BY person_n, app, template ORDER BY app, template`, person)
		if err != nil {
			return err
		}
		ledger, err = all(ctx, v, func(rows *sql.Rows) (disclosure.Consent, error) {
			var c disclosure.Consent
			var at, long int64
			err := rows.Scan(&at, &c.Identity.App, &c.Template, &c.Kind, &c.Delta, &long, &c.Scene, &c.Evidence)
			c.At, c.LongTerm = disclosure.FromMilliseconds(at), long == 1
			return c, err
		}, `SELECT at, app, template, kind, delta, long_term, scene, evidence FROM consent WHERE person_n = $1 ORDER BY n DESC LIMIT 100`, person)
		return err
	})
	return left, ledger, err
}

type quotaKey struct {
	app, path string
	urgent    bool
}

// takeQuota takes up to want from the day's share of an API and returns how
// much there was, and until when the others wait. A tenth of the day is for urgent
// cards.
func takeQuota(ctx context.Context, tx *sql.Tx, k quotaKey, want, limit int, now time.Time) (got int, until time.Time, err error) {
	today := workday.DateOf(now)
	day := today.String()
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO push_quota (app, path, day, used, cap, parked_until)
		VALUES ($1, $2, $3, 0, $4, 0)
		    ON CONFLICT DO NOTHING`, k.app, k.path, day, limit); err != nil {
		return 0, until, err
	}
	var used, most int
	var parked int64
	if err := tx.QueryRowContext(ctx, `
		UPDATE push_quota
		   SET cap = CASE WHEN cap < $1 THEN cap ELSE $2 END
		 WHERE app = $3 AND path = $4 AND day = $5
		RETURNING used, cap, parked_until`, limit, limit, k.app, k.path, day).Scan(&used, &most, &parked); err != nil {
		return 0, until, err
	}
	room := most - used
	if !k.urgent {
		room -= most / 10
	}
	got, until = max(min(want, room), 0), today.AddDays(1).Start()
	if parked > now.UnixMilli() {
		got, until = 0, disclosure.FromMilliseconds(parked)
	}
	_, err = tx.ExecContext(ctx, `UPDATE push_quota SET used = used + $1 WHERE app = $2 AND path = $3 AND day = $4`, got, k.app, k.path, day)
	return got, until, err
}

// returnQuota gives back what was taken from the day's share for calls that were
// not made.
func returnQuota(ctx context.Context, tx *sql.Tx, k quotaKey, n int, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE push_quota SET used = CASE WHEN used > $1 THEN used - $2 ELSE 0 END WHERE app = $3 AND path = $4 AND day = $5`,
		n, n, k.app, k.path, workday.DateOf(now).String())
	return err
}

// ParkQuota stops an API on the quota's day until it says: WeChat has refused a
// call of it for having had too many.
func (s *Store) ParkQuota(ctx context.Context, q disclosure.Quota) error {
	return s.write(ctx, "park quota", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO push_quota (app, path, day, used, cap, parked_until)
			VALUES ($1, $2, $3, 0, $4, $5)
			    ON CONFLICT (app, path, day) DO UPDATE
			   SET parked_until = excluded.parked_until`, q.App, q.Path, q.Day, q.Limit, disclosure.Milliseconds(q.ParkedUntil))
		return err
	})
}

// SetQuota notes how many calls a day WeChat itself allows an API.
func (s *Store) SetQuota(ctx context.Context, q disclosure.Quota) error {
	return s.write(ctx, "set quota", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO push_quota (app, path, day, used, cap, parked_until)
			VALUES ($1, $2, $3, $4, $5, 0)
			    ON CONFLICT (app, path, day) DO UPDATE
			   SET cap = excluded.cap, used = CASE WHEN push_quota.used < excluded.used THEN excluded.used ELSE push_quota.used END`,
			q.App, q.Path, q.Day, q.Used, q.Limit)
		return err
	})
}

// Quotas returns the day's shares.
func (s *Store) Quotas(ctx context.Context, day string) ([]disclosure.Quota, error) {
	list, err := all(ctx, s.r, func(rows *sql.Rows) (disclosure.Quota, error) {
		var q disclosure.Quota
		var parked int64
		err := rows.Scan(&q.App, &q.Path, &q.Day, &q.Used, &q.Limit, &parked)
		q.ParkedUntil = disclosure.FromMilliseconds(parked)
		return q, err
	}, `SELECT app, path, day, used, cap, parked_until FROM push_quota WHERE day = $1 ORDER BY app, path LIMIT 100`, day)
	if err != nil {
		return nil, fmt.Errorf("store: quotas: %w", fault(err))
	}
	return list, nil
}
