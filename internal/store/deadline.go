package store

import (
	"context"
	"database/sql"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Deadlines returns one page of the deadlines of public notices, the earliest
// first.
func (s *Store) Deadlines(ctx context.Context, q disclosure.DeadlineQuery) (disclosure.DeadlinePage, error) {
	var page disclosure.DeadlinePage
	err := s.read(ctx, "deadlines", func(v *snapshot) error {
		page.Reading = v.at
		c := &conditions{}
		c.add("n.public = 1")
		if !q.From.IsZero() {
			c.add("d.due_at >= ?", q.From.Start().UnixMilli())
		}
		if !q.To.IsZero() {
			c.add("d.due_at < ?", q.To.AddDays(1).Start().UnixMilli())
		}
		if q.Sector != "" {
			c.add("n.sector = ?", q.Sector)
		}
		err := v.QueryRowContext(ctx, `
			SELECT count(*)
			  FROM (SELECT 1 FROM deadline d JOIN notice n ON n.id = d.notice_id WHERE `+c.where()+` LIMIT `+c.next(1)+`) AS counted`,
			c.with(disclosure.MaxTotal+1)...).Scan(&page.Total)
		if err != nil {
			return err
		}
		page.TotalCapped, page.Total = page.Total > disclosure.MaxTotal, min(page.Total, disclosure.MaxTotal)
		if q.After != nil {
			c.add("(d.due_at, n.seq * 64 + d.n) > (?, ?)", q.After.B, q.After.A)
		}
		var keys []int64
		page.Items, keys, err = v.deadlines(ctx, c, q.Limit+1)
		if err == nil && len(page.Items) > q.Limit {
			page.Items = page.Items[:q.Limit]
			page.Next = &disclosure.Cursor{A: keys[q.Limit-1], B: page.Items[q.Limit-1].DueAt.UnixMilli()}
		}
		return err
	})
	return page, err
}

// deadlines returns deadlines with their notices, and the keys that tell those
// of one instant apart.
func (v *snapshot) deadlines(ctx context.Context, c *conditions, limit int) ([]disclosure.NoticeDeadline, []int64, error) {
	var keys []int64
	items, err := all(ctx, v, func(rows *sql.Rows) (disclosure.NoticeDeadline, error) {
		var d disclosure.NoticeDeadline
		var key int64
		var err error
		d.Notice, err = readSummary(func(summary ...any) error {
			return scanDeadline(rows.Scan, &d.Deadline, append([]any{&key}, summary...)...)
		})
		keys = append(keys, key)
		return d, err
	}, `
		SELECT `+deadlineColumns+`, n.seq * 64 + d.n, `+summaryColumns+`
		  FROM deadline d
		  JOIN notice n ON n.id = d.notice_id
		 WHERE `+c.where()+`
		 ORDER BY d.due_at, 6
		 LIMIT `+c.next(1), c.with(limit)...)
	return items, keys, err
}

// Coverage returns what was published of every catalogue item, with the counts
// of Overview, from one snapshot.
func (s *Store) Coverage(ctx context.Context, since workday.Date) (disclosure.Coverage, error) {
	cov := disclosure.Coverage{Overview: newOverview()}
	err := s.read(ctx, "coverage", func(v *snapshot) error {
		if err := v.overview(ctx, &cov.Overview, since); err != nil {
			return err
		}
		var err error
		cov.Rows, err = all(ctx, v, func(rows *sql.Rows) (disclosure.CoverageRow, error) {
			var r disclosure.CoverageRow
			var first, last int64
			err := rows.Scan(&r.Item, &r.Body, &r.Type, &r.Year, &r.Published, &r.Timed, &r.Late, &first, &last)
			r.FirstAt, r.LastAt = disclosure.FromMilliseconds(first), disclosure.FromMilliseconds(last)
			return r, err
		}, `
			SELECT item, body, type, year, published, timed, late, first_at, last_at
			  FROM coverage
			 WHERE published > 0
			 ORDER BY item, body, type, year`)
		return err
	})
	return cov, err
}

func newOverview() disclosure.Overview {
	return disclosure.Overview{Sectors: map[string]disclosure.SectorCount{}, Items: map[string]disclosure.ItemCount{}}
}

func (v *snapshot) overview(ctx context.Context, o *disclosure.Overview, since workday.Date) error {
	o.Reading = v.at
	if err := v.tallies(ctx, o, since); err != nil {
		return err
	}
	if err := v.newestOfSectors(ctx, o); err != nil {
		return err
	}
	return v.newestOfItems(ctx, o)
}
