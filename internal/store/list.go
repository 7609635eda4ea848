package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongkai/internal/disclosure"
)

const summaryColumns = `n.id, n.code, n.rev, n.title, n.type, n.type_version, n.status, n.body, n.source_name, n.source_url,
	n.project_code, n.region, n.published_at, n.updated_at, n.deadline_at, n.amount, n.summary, n.relations, n.superseded_by, n.seq`

func scanSummary(rows *sql.Rows) (disclosure.Summary, error) {
	return readSummary(rows.Scan)
}

func readSummary(scan func(...any) error) (disclosure.Summary, error) {
	var s disclosure.Summary
	var published, updated, deadline int64
	var amount sql.NullInt64
	var relations string
	err := scan(&s.ID, &s.Code, &s.Rev, &s.Title, &s.Type, &s.TypeVersion, &s.Status, &s.Body, &s.Source.Name, &s.Source.URL,
		&s.Project, &s.Region, &published, &updated, &deadline, &amount, &s.Summary, &relations, &s.SupersededBy, &s.Seq)
	if err != nil {
		return s, err
	}
	s.PublishedAt, s.UpdatedAt, s.DeadlineAt = disclosure.FromMilliseconds(published), disclosure.FromMilliseconds(updated), disclosure.FromMilliseconds(deadline)
	s.Amount, s.HasAmount = disclosure.Money(amount.Int64), amount.Valid
	if relations != "[]" {
		err = json.Unmarshal([]byte(relations), &s.Relations)
	}
	return s, err
}

// conditions collects the WHERE clause of a list. Parameters are numbered in
// order of appearance, as SQLite counts them.
type conditions struct {
	text []string
	args []any
}

func (c *conditions) add(condition string, args ...any) {
	for _, arg := range args {
		c.args = append(c.args, arg)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(c.args)), 1)
	}
	c.text = append(c.text, condition)
}

func (c *conditions) where() string { return strings.Join(c.text, "\n   AND ") }

// next returns the number of the parameter after those of the conditions.
func (c *conditions) next(n int) string { return fmt.Sprintf("$%d", len(c.args)+n) }

func (c *conditions) with(args ...any) []any {
	return append(slices.Clip(c.args), args...)
}

// Notices returns one page of public notices. now decides what is open.
func (s *Store) Notices(ctx context.Context, q disclosure.NoticeQuery, now time.Time) (disclosure.NoticePage, error) {
	page := disclosure.NoticePage{}
	err := s.read(ctx, "notices", func(v *snapshot) error {
		l := lister{snapshot: v, query: q, now: now.UnixMilli()}
		var err error
		if page, err = l.page(ctx); err != nil {
			return err
		}
		page.Reading = v.at
		if q.Open {
			page.Until, err = v.nextClosing(ctx, now)
		}
		return err
	})
	return page, err
}

// nextClosing returns the next instant at which the deadline of any public
// notice passes: until then, what is open does not change by itself.
func (v *snapshot) nextClosing(ctx context.Context, now time.Time) (time.Time, error) {
	var ms sql.NullInt64
	err := v.QueryRowContext(ctx, `
		SELECT min(deadline_at)
		  FROM notice
		 WHERE public = 1 AND deadline_at > 0 AND deadline_at >= $1`, now.UnixMilli()).Scan(&ms)
	if err != nil || !ms.Valid {
		return time.Time{}, err
	}
	return disclosure.FromMilliseconds(ms.Int64).Add(time.Millisecond), nil
}

// lister answers one list query on a snapshot.
type lister struct {
	*snapshot
	query disclosure.NoticeQuery
	now   int64
}

func (l *lister) page(ctx context.Context) (disclosure.NoticePage, error) {
	terms, anyOf := l.query.Terms()
	switch {
	case terms.Never:
		return disclosure.NoticePage{}, nil
	case l.query.Sort == disclosure.SortDeadline:
		return l.byDeadline(ctx, terms, anyOf)
	case l.query.Sort == disclosure.SortRelevance:
		return l.byRelevance(ctx, terms, anyOf)
	case l.simple():
		return l.bySeq(ctx)
	}
	return l.byIndex(ctx, terms, anyOf)
}

// simple reports whether a B-tree serves the query: no text, and at most one
// property that has an index of its own. All else goes through the text index,
// where properties are tokens.
func (l *lister) simple() bool {
	q := l.query
	properties := len(q.Sectors) + len(q.Types)
	if q.Body != "" {
		properties++
	}
	return q.Q == "" && q.Stage == "" && q.Item == "" && q.Region == "" && properties <= 1
}

// conditions writes everything but the text and, for tokens, the properties
// that the text index has already answered.
func (l *lister) conditions(ctx context.Context, indexed bool) (*conditions, error) {
	q, c := l.query, &conditions{}
	c.add("n.public = 1")
	if !indexed {
		if len(q.Sectors) == 1 {
			c.add("n.sector = ?", q.Sectors[0])
		}
		if len(q.Types) == 1 {
			c.add("n.type = ?", q.Types[0])
		}
		if q.Body != "" {
			c.add("n.body = ?", q.Body)
		}
	}
	if q.Project != "" {
		c.add("n.project_key = ?", disclosure.ProjectKey(q.Project))
	}
	if q.Sort == disclosure.SortDeadline {
		c.add("n.deadline_at > 0")
	}
	if q.Open {
		c.add("n.deadline_at > 0 AND n.deadline_at >= ? AND n.status = 'published'", l.now)
	}
	if q.AmountMin != nil {
		c.add("n.amount >= ?", int64(*q.AmountMin))
	}
	if q.AmountMax != nil {
		c.add("n.amount <= ?", int64(*q.AmountMax))
	}
	return c, l.dates(ctx, c)
}

// clockSkew is how far the clocks of two publishing machines may be apart for
// lists by date to stay exact.
const clockSkew = 24 * time.Hour

// dates bounds the publication date. The publishing order follows the clock but
// for clockSkew, so a bound on the date is also one on the position, and a list
// of old days does not walk over all the newer ones.
func (l *lister) dates(ctx context.Context, c *conditions) error {
	bound := func(query string, at time.Time) (int64, bool, error) {
		var seq int64
		err := l.QueryRowContext(ctx, query, at.UnixMilli()).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, false, nil
		}
		return seq, true, err
	}
	if d := l.query.Since; !d.IsZero() {
		c.add("n.published_at >= ?", d.Start().UnixMilli())
		seq, ok, err := bound(`SELECT seq FROM notice WHERE public = 1 AND published_at >= $1 ORDER BY published_at, seq LIMIT 1`,
			d.Start().Add(-clockSkew))
		if err != nil {
			return err
		}
		if ok {
			c.add("n.seq >= ?", seq)
		}
	}
	if d := l.query.Until; !d.IsZero() {
		c.add("n.published_at < ?", d.AddDays(1).Start().UnixMilli())
		seq, ok, err := bound(`SELECT seq FROM notice WHERE public = 1 AND published_at < $1 ORDER BY published_at DESC, seq DESC LIMIT 1`,
			d.AddDays(1).Start().Add(clockSkew))
		if err != nil {
			return err
		}
		if ok {
			c.add("n.seq <= ?", seq)
		}
	}
	return nil
}

func (l *lister) after() int64 {
	if l.query.After == nil {
		return newest
	}
	return l.query.After.A
}

// bySeq walks a B-tree, newest first.
func (l *lister) bySeq(ctx context.Context) (disclosure.NoticePage, error) {
	c, err := l.conditions(ctx, false)
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	items, err := all(ctx, l, scanSummary, `
		SELECT `+summaryColumns+`
		  FROM notice n
		 WHERE `+c.where()+`
		   AND n.seq < `+c.next(1)+`
		 ORDER BY n.seq DESC
		 LIMIT `+c.next(2), c.with(l.after(), l.query.Limit+1)...)
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	page := l.cut(items)
	return page, l.count(&page, func() (int, error) { return l.countRows(ctx, c) })
}

// cut makes a page of one row more than its limit.
func (l *lister) cut(items []disclosure.Summary) disclosure.NoticePage {
	page := disclosure.NoticePage{Items: items}
	if len(items) > l.query.Limit {
		page.Items = items[:l.query.Limit]
		page.Next = &disclosure.Cursor{A: page.Items[l.query.Limit-1].Seq}
	}
	return page
}

// count fills in the total. A first page that is also the last knows it, and one
// counted before at this position of the feed is remembered.
func (l *lister) count(page *disclosure.NoticePage, count func() (int, error)) error {
	if l.query.After == nil && page.Next == nil {
		page.Total = len(page.Items)
		return nil
	}
	n, err := l.totals.of(l.at, l.query, count)
	page.Total, page.TotalCapped = min(n, disclosure.MaxTotal), n > disclosure.MaxTotal
	return err
}

// countRows counts the notices that meet the conditions up to one above the cap.
func (l *lister) countRows(ctx context.Context, c *conditions) (int, error) {
	var n int
	err := l.QueryRowContext(ctx, `
		SELECT count(*)
		  FROM (SELECT 1
		          FROM notice n
		         WHERE `+c.where()+`
		         LIMIT `+c.next(1)+`) AS counted`, c.with(disclosure.MaxTotal+1)...).Scan(&n)
	return n, err
}

// byDeadline lists what has a deadline, the earliest first. With words or
// several properties it sorts the newest MaxTotal of these among the hits of the
// index, and says when there are more.
func (l *lister) byDeadline(ctx context.Context, terms disclosure.Terms, anyOf [][]string) (disclosure.NoticePage, error) {
	c, err := l.conditions(ctx, false)
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	more := false
	if !l.simple() {
		p, err := l.proposal(ctx, terms, anyOf)
		if err != nil {
			return disclosure.NoticePage{}, err
		}
		hits, err := l.hits(ctx, p, newest, disclosure.MaxTotal+1)
		if err != nil {
			return disclosure.NoticePage{}, err
		}
		more = len(hits) > disclosure.MaxTotal
		c.add("n.seq IN "+l.d.inInts("?"), jsonText(hits[:min(len(hits), disclosure.MaxTotal)]))
	}
	total := *c
	if after := l.query.After; after != nil {
		c.add("(n.deadline_at, n.seq) > (?, ?)", after.B, after.A)
	}
	items, err := all(ctx, l, scanSummary, `
		SELECT `+summaryColumns+`
		  FROM notice n
		 WHERE `+c.where()+`
		 ORDER BY n.deadline_at, n.seq
		 LIMIT `+c.next(1), c.with(l.query.Limit+1)...)
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	page := l.cut(items)
	if page.Next != nil {
		page.Next.B = page.Items[len(page.Items)-1].DeadlineAt.UnixMilli()
	}
	err = l.count(&page, func() (int, error) { return l.countRows(ctx, &total) })
	page.TotalCapped = page.TotalCapped || more
	return page, err
}
