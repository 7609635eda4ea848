package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"gongkai/internal/disclosure"
)

// filterDoc is a filter as the store keeps it; short names, for there are many.
type filterDoc struct {
	Sectors  []string          `json:"s,omitempty"`
	Types    []string          `json:"t,omitempty"`
	Keywords []string          `json:"k,omitempty"`
	Exclude  []string          `json:"x,omitempty"`
	Bodies   []string          `json:"b,omitempty"`
	Regions  []string          `json:"r,omitempty"`
	Min      *disclosure.Money `json:"min,omitempty"`
	Max      *disclosure.Money `json:"max,omitempty"`
	Projects []string          `json:"p,omitempty"`
}

// encodeFilter splits a filter into the sector that rows are selected by and
// the rest.
func encodeFilter(f disclosure.Filter) (sector, doc string, err error) {
	if len(f.Sectors) == 1 {
		sector = f.Sectors[0]
	}
	if f.Plain() && len(f.Sectors) < 2 {
		return sector, "", nil
	}
	b, err := json.Marshal(filterDoc{f.Sectors, f.Types, f.Keywords, f.Exclude, f.Bodies, f.Regions, f.AmountMin, f.AmountMax, f.Projects})
	return sector, string(b), err
}

func decodeFilter(sector, doc string) (disclosure.Filter, error) {
	var d filterDoc
	if doc == "" {
		if sector != "" {
			d.Sectors = []string{sector}
		}
	} else if err := json.Unmarshal([]byte(doc), &d); err != nil {
		return disclosure.Filter{}, fmt.Errorf("filter: %w", err)
	}
	return disclosure.Filter{Sectors: d.Sectors, Types: d.Types, Keywords: d.Keywords, Exclude: d.Exclude, Bodies: d.Bodies,
		Regions: d.Regions, AmountMin: d.Min, AmountMax: d.Max, Projects: d.Projects}, nil
}

const subscriptionColumns = `n, id, sector, doc, name, mode, quiet_from, quiet_to, paused, source, created_at, updated_at`

func scanSubscription(rows *sql.Rows) (disclosure.Subscription, error) {
	var s disclosure.Subscription
	var sector, doc string
	var from, to, paused, created, updated int64
	err := rows.Scan(&s.N, &s.ID, &sector, &doc, &s.Name, &s.Mode, &from, &to, &paused, &s.Source, &created, &updated)
	if err != nil {
		return s, err
	}
	s.Quiet, s.Paused = quietSpan(from, to), paused == 1
	s.CreatedAt, s.UpdatedAt = disclosure.FromMilliseconds(created), disclosure.FromMilliseconds(updated)
	s.Filter, err = decodeFilter(sector, doc)
	return s, err
}

func quietSpan(from, to int64) *disclosure.Quiet {
	if from < 0 {
		return nil
	}
	return &disclosure.Quiet{From: int(from), To: int(to)}
}

func quietColumns(q *disclosure.Quiet) (from, to int) {
	if q == nil {
		return -1, -1
	}
	return q.From, q.To
}

func noSubscription() error {
	return disclosure.Errorf(disclosure.CodeNoSubscription, "没有这个订阅")
}

// Subscriptions lists a person's subscriptions, oldest first; there are at most
// disclosure.MaxSubscriptions.
func (s *Store) Subscriptions(ctx context.Context, person int64) ([]disclosure.Subscription, error) {
	subs, err := all(ctx, s.r, scanSubscription, `SELECT `+subscriptionColumns+` FROM subscription WHERE person_n = $1 ORDER BY n LIMIT 100`, person)
	if err != nil {
		return nil, fmt.Errorf("store: subscriptions: %w", fault(err))
	}
	return subs, nil
}

// SavedSubscription returns the subscription of the id, whoever's it is. Errors:
// CodeNoSubscription.
func (s *Store) SavedSubscription(ctx context.Context, id string) (disclosure.Subscription, error) {
	subs, err := all(ctx, s.r, scanSubscription, `SELECT `+subscriptionColumns+` FROM subscription WHERE id = $1`, id)
	if err != nil {
		return disclosure.Subscription{}, fmt.Errorf("store: saved subscription: %w", fault(err))
	}
	if len(subs) == 0 {
		return disclosure.Subscription{}, noSubscription()
	}
	return subs[0], nil
}

// SaveSubscription creates a subscription (N is 0) or replaces one of the
// person's. Errors: CodeTooMany, CodeNoSubscription.
func (s *Store) SaveSubscription(ctx context.Context, person int64, sub disclosure.Subscription) (disclosure.Subscription, error) {
	sector, doc, err := encodeFilter(sub.Filter)
	if err != nil {
		return sub, fmt.Errorf("store: save subscription: %w", err)
	}
	from, to := quietColumns(sub.Quiet)
	err = s.write(ctx, "save subscription", func(tx *sql.Tx) error {
		if sub.N != 0 {
			res, err := tx.ExecContext(ctx, `
				UPDATE subscription
				   SET sector = $1, doc = $2, name = $3, mode = $4, quiet_from = $5, quiet_to = $6, paused = $7, updated_at = $8
				 WHERE n = $9 AND person_n = $10`,
				sector, doc, sub.Name, sub.Mode, from, to, flag(sub.Paused), sub.UpdatedAt.UnixMilli(), sub.N, person)
			return oneRow(res, err, noSubscription())
		}
		var count int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM subscription WHERE person_n = $1`, person).Scan(&count); err != nil {
			return err
		}
		if count >= disclosure.MaxSubscriptions {
			return disclosure.Errorf(disclosure.CodeTooMany, "每人最多 %d 个订阅", disclosure.MaxSubscriptions)
		}
		return tx.QueryRowContext(ctx, `
			INSERT INTO subscription (id, person_n, sector, doc, name, mode, quiet_from, quiet_to, paused, source, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			RETURNING n`, sub.ID, person, sector, doc, sub.Name, sub.Mode, from, to, flag(sub.Paused), sub.Source,
			sub.CreatedAt.UnixMilli(), sub.UpdatedAt.UnixMilli()).Scan(&sub.N)
	})
	return sub, err
}

// DeleteSubscription removes one of the person's subscriptions. Errors:
// CodeNoSubscription.
func (s *Store) DeleteSubscription(ctx context.Context, person int64, id string) error {
	return s.write(ctx, "delete subscription", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM subscription WHERE id = $1 AND person_n = $2`, id, person)
		return oneRow(res, err, noSubscription())
	})
}

// oneRow is missing when a statement changed nothing.
func oneRow(res sql.Result, err, missing error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return missing
	}
	return err
}

// Candidates returns subscriptions that may want a notice of the sector, in the
// order of people, beginning after person. It reads about limit rows and returns
// all of a person's or none; more is false when there are no others.
func (s *Store) Candidates(ctx context.Context, sector string, after int64, limit int) (list []disclosure.Candidate, more bool, err error) {
	list, err = all(ctx, s.r, func(rows *sql.Rows) (disclosure.Candidate, error) {
		var c disclosure.Candidate
		var sector, doc string
		err := rows.Scan(&c.Sub, &c.Person, &sector, &doc, &c.Mode)
		if err == nil && doc != "" {
			var f disclosure.Filter
			f, err = decodeFilter(sector, doc)
			c.Filter = &f
		}
		return c, err
	}, `
		SELECT n, person_n, sector, doc, mode
		  FROM subscription
		 WHERE person_n > $1 AND sector IN ($2, '') AND paused = 0
		 ORDER BY person_n, n
		 LIMIT $3`, after, sector, limit)
	if err != nil {
		return nil, false, fmt.Errorf("store: candidates: %w", fault(err))
	}
	if more = len(list) == limit; more { // the last person's rows may go on
		last := list[limit-1].Person
		for len(list) > 0 && list[len(list)-1].Person == last {
			list = list[:len(list)-1]
		}
	}
	return list, more, nil
}
