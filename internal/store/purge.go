package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gongkai/internal/crashpoint"
	"gongkai/internal/disclosure"
)

// The places that are emptied after the commit, where that is ours to do.
const (
	placeSearch = "search"
	placeLog    = "log"
)

// gone counts what the transaction takes away at a place.
func (a *applier) gone(place string, n int64) {
	if a.purged == nil {
		a.purged = map[string]int64{}
	}
	a.purged[place] += n
}

// erase purges what the notice said: every revision, the comments of its
// history, and files that no other notice carries. Hashes stay.
func (a *applier) erase(ctx context.Context, t *disclosure.Transition) error {
	id := t.Notice.ID
	const orphans = `sha256 IN (SELECT sha256 FROM notice_file WHERE notice_id = $1)
		AND sha256 NOT IN (SELECT sha256 FROM notice_file WHERE notice_id <> $2)`
	for _, step := range []struct {
		place, stmt string
		args        []any
	}{
		{"revision", `UPDATE revision SET doc = NULL WHERE notice_id = $1 AND rev < $2 AND doc IS NOT NULL`, []any{id, t.Notice.Rev}},
		{"step", `UPDATE step SET comment = '' WHERE notice_id = $1 AND comment <> ''`, []any{id}},
		{"upload", `DELETE FROM upload WHERE ` + orphans, []any{id, id}},
		{"file_scan", `DELETE FROM file_scan WHERE ` + orphans, []any{id, id}},
		{"attachment", `DELETE FROM blob WHERE ` + orphans, []any{id, id}},
		{"file_name", `UPDATE notice_file SET name = '' WHERE notice_id = $1 AND name <> ''`, []any{id}},
	} {
		res, err := a.tx.ExecContext(ctx, step.stmt, step.args...)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		a.gone(step.place, n)
	}
	var queued int64 // cards are written from the notice when they are sent: none is kept, and none will be
	err := a.tx.QueryRowContext(ctx, `
		SELECT count(*)
		  FROM delivery d
		  JOIN push_event e ON e.n = d.event_n
		 WHERE e.notice_id = $1 AND d.state IN ('queued', 'leased', 'digest')`, id).Scan(&queued)
	a.gone("push", queued)
	return err
}

// keepLookups lets people find the rows of a list that becomes public, and
// nobody those of one that no longer is. A row entered anew replaces its own.
func (a *applier) keepLookups(ctx context.Context, t *disclosure.Transition) error {
	if t.Notice.Status == disclosure.StatusWithdrawn {
		res, err := a.tx.ExecContext(ctx, `DELETE FROM lookup WHERE notice_id = $1`, t.Notice.ID)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		a.gone("lookup", n)
		return err
	}
	numbers := map[string]bool{}
	for _, l := range t.Lookups {
		numbers[l.AcceptanceNo] = true
	}
	for _, number := range slices.Sorted(maps.Keys(numbers)) {
		if _, err := a.tx.ExecContext(ctx, `DELETE FROM lookup WHERE notice_id = $1 AND acceptance_no = $2`, t.Notice.ID, number); err != nil {
			return err
		}
	}
	for _, l := range t.Lookups {
		if _, err := a.tx.ExecContext(ctx, `
			INSERT INTO lookup (mac, notice_id, acceptance_no)
			VALUES ($1, $2, $3)
			    ON CONFLICT DO NOTHING`, l.MAC, t.Notice.ID, l.AcceptanceNo); err != nil {
			return err
		}
	}
	return nil
}

// writeReceipt keeps what an erasure took away, under the notice it was asked
// for: what repeats that notice is erased with it.
func (a *applier) writeReceipt(ctx context.Context, ts []disclosure.Transition) error {
	if !slices.ContainsFunc(ts, func(t disclosure.Transition) bool { return t.Action == disclosure.ActionErase }) {
		return nil
	}
	a.gone(placeLog, 0)
	a.gone(placeSearch, 0)
	for _, place := range slices.Sorted(maps.Keys(a.purged)) {
		p := disclosure.PurgedPlace{Place: place, Count: a.purged[place], Done: place != placeLog && place != placeSearch, At: ts[0].At}
		if err := keepPurged(ctx, a.tx, ts[0].Notice.ID, p); err != nil {
			return err
		}
	}
	return nil
}

func keepPurged(ctx context.Context, q querier, id string, p disclosure.PurgedPlace) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO purge (notice_id, place, n, done, at)
		VALUES ($1, $2, $3, $4, $5)
		    ON CONFLICT (notice_id, place) DO UPDATE
		   SET n = purge.n + excluded.n, done = excluded.done, at = excluded.at`,
		id, p.Place, p.Count, flag(p.Done), p.At.UnixMilli())
	return err
}

// SavePurged adds to the receipt of a notice's erasure what was purged outside
// the database.
func (s *Store) SavePurged(ctx context.Context, id string, places ...disclosure.PurgedPlace) error {
	return s.write(ctx, "save receipt", func(tx *sql.Tx) error {
		for _, p := range places {
			if err := keepPurged(ctx, tx, id, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// purged returns the receipt of a notice's erasure.
func (v *snapshot) purged(ctx context.Context, id string) ([]disclosure.PurgedPlace, error) {
	places, err := all(ctx, v, func(rows *sql.Rows) (disclosure.PurgedPlace, error) {
		var p disclosure.PurgedPlace
		var done, at int64
		err := rows.Scan(&p.Place, &p.Count, &done, &at)
		p.Done, p.At = done == 1, disclosure.FromMilliseconds(at)
		return p, err
	}, `SELECT place, n, done, at FROM purge WHERE notice_id = $1 ORDER BY place`, id)
	slices.SortStableFunc(places, func(a, b disclosure.PurgedPlace) int { return a.Order() - b.Order() })
	return places, err
}

// scrubTime bounds how long an erasure waits for the search index; Scrub does
// the rest.
const scrubTime = 3 * time.Second

// forget removes from SQLite's files what a transaction has deleted or written
// over in its tables, and completes the receipt of an erasure.
func (s *Store) forget(ctx context.Context, ts []disclosure.Transition) error {
	if s.d != sqliteDialect {
		return nil
	}
	if !slices.ContainsFunc(ts, func(t disclosure.Transition) bool { return t.Action == disclosure.ActionErase }) {
		if slices.ContainsFunc(ts, s.overwrites) {
			return s.flushLog(ctx)
		}
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, scrubTime)
	defer cancel()
	if err := s.scrubIndex(limited); err != nil && limited.Err() == nil {
		return err
	}
	searched := disclosure.PurgedPlace{Place: placeSearch, Done: limited.Err() == nil, At: ts[0].At}
	crashpoint.Hit("between the parts of", "an erasure")
	pages, done, err := s.truncateLog(ctx)
	if err != nil {
		return err
	}
	return s.SavePurged(ctx, ts[0].Notice.ID, searched, disclosure.PurgedPlace{Place: placeLog, Count: pages, Done: done, At: ts[0].At})
}

// overwrites reports whether a transition replaced or deleted what may not be
// kept: the draft behind a masked list, and drafts thrown away.
func (s *Store) overwrites(t disclosure.Transition) bool {
	if t.Action == disclosure.ActionDelete {
		return true
	}
	typ, err := s.Catalog().TypeAt(t.Notice.Type, t.Notice.TypeVersion)
	amends, _ := t.Notice.Amends()
	return t.Action == disclosure.ActionPublish && (err != nil || typ.Masks() || amends != "")
}

// scrubIndex rewrites the search index without the words of deleted notices:
// deleting from a contentless index only marks the row. It goes in steps, so
// that other writers come between.
func (s *Store) scrubIndex(ctx context.Context) error {
	for {
		var before, after int64
		if err := s.w.QueryRowContext(ctx, `SELECT total_changes()`).Scan(&before); err != nil {
			return fmt.Errorf("store: scrub: %w", fault(err))
		}
		if _, err := s.w.ExecContext(ctx, `INSERT INTO search_index (search_index, rank) VALUES ('merge', -500)`); err != nil {
			return fmt.Errorf("store: scrub: %w", fault(err))
		}
		if err := s.w.QueryRowContext(ctx, `SELECT total_changes()`).Scan(&after); err != nil {
			return fmt.Errorf("store: scrub: %w", fault(err))
		}
		if after-before < 2 { // the statement itself is one
			return nil
		}
	}
}

// Scrub finishes what erasures, and flushes of the log, had no time for, and says
// how many erasures it completed.
func (s *Store) Scrub(ctx context.Context, now time.Time) (int, error) {
	if s.d != sqliteDialect {
		return 0, nil
	}
	open, err := all(ctx, s.r, scanText, `SELECT DISTINCT notice_id FROM purge WHERE done = 0 AND place IN ($1, $2) LIMIT 100`, placeSearch, placeLog)
	if err != nil || len(open) == 0 && !s.unflushed.Load() {
		return 0, err
	}
	if len(open) == 0 {
		_, _, err := s.truncateLog(ctx)
		return 0, err
	}
	if err := s.scrubIndex(ctx); err != nil {
		return 0, err
	}
	pages, done, err := s.truncateLog(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range open {
		if err := s.SavePurged(ctx, id, disclosure.PurgedPlace{Place: placeSearch, Done: true, At: now},
			disclosure.PurgedPlace{Place: placeLog, Count: pages, Done: done, At: now}); err != nil {
			return 0, err
		}
	}
	return len(open), nil
}

// flushLog rewrites the write-ahead log, where deleted content still stands. By
// then the deletion is committed: that somebody reads the log, say for a backup, is
// no failure of it. Scrub tries again.
func (s *Store) flushLog(ctx context.Context) error {
	if _, _, err := s.truncateLog(ctx); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeUnavailable}) {
		return err
	}
	return nil
}

// truncateLog is flushLog that says how many pages the log had. Readers hold it
// up for as long as they read; done is false when they did so beyond flushPatience.
func (s *Store) truncateLog(ctx context.Context) (pages int64, done bool, err error) {
	conn, err := s.w.Conn(ctx)
	if err == nil {
		s.unflushed.Store(false)
		pages, done, err = checkpoint(ctx, conn)
		err = errors.Join(err, conn.Close())
	}
	if err != nil || !done {
		s.unflushed.Store(true)
	}
	if err != nil {
		return 0, false, fmt.Errorf("store: flush log: %w", fault(err))
	}
	return max(pages, 0), done, nil
}

func checkpoint(ctx context.Context, conn *sql.Conn) (pages int64, done bool, err error) {
	var busy, written, left int64
	if err := conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &pages, &written); err != nil {
		return 0, false, err
	}
	if _, err := conn.ExecContext(ctx, `PRAGMA `+flushPatience); err != nil {
		return 0, false, err
	}
	err = conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &left, &written)
	_, back := conn.ExecContext(context.WithoutCancel(ctx), `PRAGMA `+busyTimeout)
	return pages, busy == 0, errors.Join(err, back)
}

// flushPatience is how long a flush waits for readers, in milliseconds. No context
// ends that wait, and the one writer waits with it.
const flushPatience = `busy_timeout(1000)`
