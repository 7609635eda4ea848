package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// derive writes what follows from a public notice: its deadlines, whether it
// came in time, the coverage of its items and the codes of its project.
func (a *applier) derive(ctx context.Context, n *disclosure.Notice) error {
	if err := a.putDeadlines(ctx, n.ID, a.at.Catalog.Deadlines(*n)); err != nil {
		return err
	}
	term, timed := a.at.Catalog.Timeliness(*n)
	if timed {
		if err := a.putTimeliness(ctx, n.ID, term); err != nil {
			return err
		}
	}
	for _, item := range n.Items {
		if err := a.cover(ctx, n, item, 1, flag(timed), flag(term.Late)); err != nil {
			return err
		}
	}
	typ, err := a.at.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return err
	}
	for _, alias := range n.ProjectAliases(typ) {
		if _, err := a.tx.ExecContext(ctx, `INSERT INTO project_alias (alias, notice_id) VALUES ($1, $2)`, alias, n.ID); err != nil {
			return err
		}
	}
	return nil
}

// underive takes back what derive wrote when the notice had the given items.
func (a *applier) underive(ctx context.Context, n *disclosure.Notice, items []string) error {
	var late sql.NullInt64
	err := a.tx.QueryRowContext(ctx, `DELETE FROM timeliness WHERE notice_id = $1 RETURNING late`, n.ID).Scan(&late)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for _, item := range items {
		if err := a.cover(ctx, n, item, -1, -flag(late.Valid), -late.Int64); err != nil {
			return err
		}
		if n.Status.Public() && slices.Contains(n.Items, item) {
			continue // derive counts it again
		}
		if err := a.respan(ctx, n, item); err != nil {
			return err
		}
	}
	for _, stmt := range []string{`DELETE FROM deadline WHERE notice_id = $1`, `DELETE FROM project_alias WHERE notice_id = $1`} {
		if _, err := a.tx.ExecContext(ctx, stmt, n.ID); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) putDeadlines(ctx context.Context, id string, list []disclosure.Deadline) error {
	for i, d := range list {
		if _, err := a.tx.ExecContext(ctx, `
			INSERT INTO deadline (notice_id, n, rule, label, due_at, provisional, from_day)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			id, i, d.Rule, d.Label, d.DueAt.UnixMilli(), flag(d.Provisional), d.From.String()); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) putTimeliness(ctx context.Context, id string, t disclosure.Timeliness) error {
	_, err := a.tx.ExecContext(ctx, `
		INSERT INTO timeliness (notice_id, rule, from_day, due_day, provisional, late)
		VALUES ($1, $2, $3, $4, $5, $6)
		    ON CONFLICT (notice_id) DO UPDATE
		   SET rule = excluded.rule, from_day = excluded.from_day, due_day = excluded.due_day,
		       provisional = excluded.provisional, late = excluded.late`,
		id, t.Rule, t.From.String(), t.Due.String(), flag(t.Provisional), flag(t.Late))
	return err
}

// cover adds to the coverage of an item by the notice's body, type and year.
func (a *applier) cover(ctx context.Context, n *disclosure.Notice, item string, published, timed, late int64) error {
	at := n.PublishedAt.UnixMilli()
	_, err := a.tx.ExecContext(ctx, `
		INSERT INTO coverage (item, body, type, year, published, timed, late, first_at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		    ON CONFLICT (item, body, type, year) DO UPDATE
		   SET published = coverage.published + excluded.published, timed = coverage.timed + excluded.timed,
		       late = coverage.late + excluded.late,
		       first_at = CASE WHEN excluded.first_at < coverage.first_at THEN excluded.first_at ELSE coverage.first_at END,
		       last_at = CASE WHEN excluded.last_at > coverage.last_at THEN excluded.last_at ELSE coverage.last_at END`,
		item, n.Body, n.Type, workday.DateOf(n.PublishedAt).Year, published, timed, late, at, at)
	return err
}

// respan works out anew since when and until when an item is covered, if the
// notice that left was the first or the last.
func (a *applier) respan(ctx context.Context, n *disclosure.Notice, item string) error {
	year := workday.DateOf(n.PublishedAt).Year
	if _, err := a.tx.ExecContext(ctx, `
		DELETE FROM coverage
		 WHERE item = $1 AND body = $2 AND type = $3 AND year = $4 AND published = 0`, item, n.Body, n.Type, year); err != nil {
		return err
	}
	begin, end := (workday.Date{Year: year, Month: 1, Day: 1}).Start(), (workday.Date{Year: year + 1, Month: 1, Day: 1}).Start()
	_, err := a.tx.ExecContext(ctx, `
		UPDATE coverage
		   SET (first_at, last_at) = (
		       SELECT min(n.published_at), max(n.published_at)
		         FROM notice_item i
		         JOIN notice n ON n.seq = i.seq
		        WHERE i.item = coverage.item AND n.body = coverage.body AND n.type = coverage.type
		          AND n.published_at >= $1 AND n.published_at < $2)
		 WHERE item = $3 AND body = $4 AND type = $5 AND year = $6 AND (first_at = $7 OR last_at = $8)`,
		begin.UnixMilli(), end.UnixMilli(), item, n.Body, n.Type, year, n.PublishedAt.UnixMilli(), n.PublishedAt.UnixMilli())
	return err
}

// deadlinesOf returns the stored deadlines of a notice, the earliest first.
func deadlinesOf(ctx context.Context, q querier, id string) ([]disclosure.Deadline, error) {
	return all(ctx, q, func(rows *sql.Rows) (disclosure.Deadline, error) {
		var d disclosure.Deadline
		err := scanDeadline(rows.Scan, &d)
		return d, err
	}, `SELECT `+deadlineColumns+` FROM deadline d WHERE d.notice_id = $1 ORDER BY d.n`, id)
}

const deadlineColumns = `d.rule, d.label, d.due_at, d.provisional, d.from_day`

func scanDeadline(scan func(...any) error, d *disclosure.Deadline, more ...any) error {
	var due, provisional int64
	var from string
	if err := scan(append([]any{&d.Rule, &d.Label, &due, &provisional, &from}, more...)...); err != nil {
		return err
	}
	d.DueAt, d.Provisional = disclosure.FromMilliseconds(due), provisional == 1
	return d.From.UnmarshalText([]byte(from))
}

// timelinessOf returns the stored timeliness of a notice, or nil.
func timelinessOf(ctx context.Context, q querier, id string) (*disclosure.Timeliness, error) {
	var t disclosure.Timeliness
	var from, due string
	var provisional, late int64
	err := q.QueryRowContext(ctx, `SELECT rule, from_day, due_day, provisional, late FROM timeliness WHERE notice_id = $1`, id).
		Scan(&t.Rule, &from, &due, &provisional, &late)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // most notices have one; none is an answer too
	}
	if err != nil {
		return nil, err
	}
	t.Provisional, t.Late = provisional == 1, late == 1
	return &t, errors.Join(t.From.UnmarshalText([]byte(from)), t.Due.UnmarshalText([]byte(due)))
}

// recount counts deadlines again after the calendar or a rule changed: those
// that are provisional, and those still ahead at the instant since (zero: only
// the provisional). It returns one audit row for each notice that changed.
func (a *applier) recount(ctx context.Context, by disclosure.AuditRow, since time.Time) ([]disclosure.AuditRow, error) {
	ahead := int64(newest)
	if !since.IsZero() {
		ahead = since.UnixMilli()
	}
	ids, err := all(ctx, a.tx, scanText, `
		SELECT notice_id FROM deadline WHERE provisional = 1 OR due_at >= $1
		 UNION
		SELECT notice_id FROM timeliness WHERE provisional = 1
		 ORDER BY 1`, ahead)
	if err != nil {
		return nil, err
	}
	var rows []disclosure.AuditRow
	for _, id := range ids {
		changes, n, err := a.recountNotice(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(changes) > 0 {
			row := by
			row.Action, row.Subject, row.ID, row.Rev, row.Detail = disclosure.AuditRecount, "notice", id, n.Rev, strings.Join(changes, " ")
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (a *applier) recountNotice(ctx context.Context, id string) ([]string, storedNotice, error) {
	n, err := scanNotice(a.tx.QueryRowContext(ctx, `SELECT `+noticeColumns+` FROM `+noticeTables+` WHERE n.id = $1`, id).Scan)
	if err != nil {
		return nil, n, err
	}
	old, err := deadlinesOf(ctx, a.tx, id)
	if err != nil {
		return nil, n, err
	}
	list := a.at.Catalog.Deadlines(n.Notice)
	changes := deadlineChanges(old, list)
	if len(changes) > 0 {
		if _, err := a.tx.ExecContext(ctx, `DELETE FROM deadline WHERE notice_id = $1`, id); err != nil {
			return nil, n, err
		}
		if err := a.putDeadlines(ctx, id, list); err != nil {
			return nil, n, err
		}
	}
	was, err := timelinessOf(ctx, a.tx, id)
	if err != nil || was == nil {
		return changes, n, err
	}
	is, timed := a.at.Catalog.Timeliness(n.Notice)
	if !timed || is == *was {
		return changes, n, nil
	}
	changes = append(changes, fmt.Sprintf("%s:%s→%s", is.Rule, dayText(was.Due, was.Provisional), dayText(is.Due, is.Provisional)))
	if err := a.putTimeliness(ctx, id, is); err != nil {
		return nil, n, err
	}
	for _, item := range n.Items {
		if err := a.cover(ctx, &n.Notice, item, 0, 0, flag(is.Late)-flag(was.Late)); err != nil {
			return nil, n, err
		}
	}
	return changes, n, nil
}

// deadlineChanges says what moved, in words of ours.
func deadlineChanges(old, list []disclosure.Deadline) []string {
	same := func(a, b disclosure.Deadline) bool {
		return a.Rule == b.Rule && a.Label == b.Label && a.DueAt.Equal(b.DueAt) && a.Provisional == b.Provisional && a.From == b.From
	}
	if slices.EqualFunc(old, list, same) {
		return nil
	}
	var out []string
	for _, d := range list {
		was := "–"
		if i := slices.IndexFunc(old, func(o disclosure.Deadline) bool { return o.Rule == d.Rule && o.Label == d.Label }); i >= 0 {
			if same(old[i], d) {
				continue
			}
			was = dayText(workday.DateOf(old[i].DueAt), old[i].Provisional)
		}
		out = append(out, fmt.Sprintf("%s:%s→%s", d.Rule, was, dayText(workday.DateOf(d.DueAt), d.Provisional)))
	}
	if len(out) == 0 {
		out = append(out, "–")
	}
	return out
}

func dayText(d workday.Date, provisional bool) string {
	if provisional {
		return d.String() + "（暂定）"
	}
	return d.String()
}

// fillDerived derives from the notices that were public before there was
// anything derived, in chunks; it goes on where it was interrupted.
func (s *Store) fillDerived(ctx context.Context) error {
	for done := false; !done; {
		err := s.write(ctx, "derive", func(tx *sql.Tx) (err error) {
			done, err = s.deriveChunk(ctx, tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) deriveChunk(ctx context.Context, tx *sql.Tx) (done bool, err error) {
	var upto, last int64
	if err := tx.QueryRowContext(ctx, `SELECT upto, last FROM derived WHERE id = 1`).Scan(&upto, &last); err != nil || upto >= last {
		return true, err
	}
	a := &applier{Store: s, tx: tx}
	if a.at, err = s.reading(ctx, tx); err != nil {
		return false, err
	}
	found, err := all(ctx, tx, func(rows *sql.Rows) (storedNotice, error) { return scanNotice(rows.Scan) }, `
		SELECT `+noticeColumns+`
		  FROM `+noticeTables+`
		 WHERE n.public = 1 AND n.seq > $1 AND n.seq <= $2
		 ORDER BY n.seq
		 LIMIT 500`, upto, last)
	if err != nil {
		return false, err
	}
	next := last
	for i := range found {
		if err := a.derive(ctx, &found[i].Notice); err != nil {
			return false, err
		}
		if len(found) == 500 {
			next = found[i].Seq
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE derived SET upto = $1 WHERE id = 1`, next)
	return false, err
}
