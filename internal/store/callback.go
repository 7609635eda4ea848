package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gongkai/internal/disclosure"
)

const callbackColumns = `c.n, c.id, c.number, c.sector, c.notice,
	COALESCE(CASE WHEN n.public = 1 THEN n.title END, ''), COALESCE(n.body, ''),
	c.created_at, c.due_at, c.done_at, c.done_by, c.outcome, c.erased_at`

const callbackTables = `callback c LEFT JOIN notice n ON n.code = c.notice`

func scanCallback(scan func(...any) error) (r disclosure.CallbackRequest, err error) {
	var created, due, done, erased int64
	err = scan(&r.N, &r.ID, &r.Sealed, &r.Sector, &r.Notice, &r.NoticeTitle, &r.Body, &created, &due, &done, &r.DoneBy, &r.Outcome, &erased)
	at := disclosure.FromMilliseconds
	r.CreatedAt, r.DueAt, r.DoneAt, r.ErasedAt = at(created), at(due), at(done), at(erased)
	return r, err
}

// SaveCallback keeps a request, or returns the one that is there: of the same
// turn, or open for the same number, which then is about what was asked last.
// CodeCallbackFull when as many wait as may.
func (s *Store) SaveCallback(ctx context.Context, k disclosure.KeptCallback) (disclosure.CallbackRequest, error) {
	var r disclosure.CallbackRequest
	for range 2 { // the same number may be left by two calls at once: the second finds the first's
		err := s.write(ctx, "save callback", func(tx *sql.Tx) error {
			var err error
			r, err = s.saveCallback(ctx, tx, k)
			return err
		})
		if !isDuplicate(err) {
			return r, err
		}
	}
	return r, disclosure.Errorf(disclosure.CodeUnavailable, "数据库忙，请稍后重试")
}

func (s *Store) saveCallback(ctx context.Context, tx *sql.Tx, k disclosure.KeptCallback) (disclosure.CallbackRequest, error) {
	find := func(condition string, arg any) (disclosure.CallbackRequest, error) {
		return scanCallback(tx.QueryRowContext(ctx, `SELECT `+callbackColumns+` FROM `+callbackTables+` WHERE `+condition, arg).Scan)
	}
	if r, err := find(`c.turn = $1`, k.TurnMAC); !errors.Is(err, sql.ErrNoRows) {
		return r, err
	}
	r, err := find(`c.number_mac = $1`, k.Number)
	switch {
	case err == nil && k.Sector+k.Notice == "":
		return r, nil
	case err == nil:
		_, err = tx.ExecContext(ctx, `UPDATE callback SET sector = $1, notice = $2 WHERE id = $3`, k.Sector, k.Notice, r.ID)
		return r, err
	case !errors.Is(err, sql.ErrNoRows):
		return r, err
	}
	var open int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM callback WHERE done_at = 0`).Scan(&open); err != nil {
		return r, err
	}
	if open >= disclosure.MaxOpenCallbacks {
		return r, disclosure.Errorf(disclosure.CodeCallbackFull, "等待回电的请求已有 %d 个", open)
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO callback (id, number, number_mac, turn, sector, notice, created_at, due_at, done_at, done_by, outcome, erased_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, '', '', 0)`,
		k.ID, k.Sealed, k.Number, k.TurnMAC, k.Sector, k.Notice, k.At.UnixMilli(), k.DueAt.UnixMilli()); err != nil {
		return r, err
	}
	return find(`c.id = $1`, k.ID)
}

// Callback returns one request, or CodeNoCallback.
func (s *Store) Callback(ctx context.Context, id string) (disclosure.CallbackRequest, error) {
	r, err := scanCallback(s.r.QueryRowContext(ctx, `SELECT `+callbackColumns+` FROM `+callbackTables+` WHERE c.id = $1`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = disclosure.Errorf(disclosure.CodeNoCallback, "没有这个回电请求")
	}
	if err != nil {
		return r, fmt.Errorf("store: callback: %w", fault(err))
	}
	return r, nil
}

// Callbacks returns a page of requests.
func (s *Store) Callbacks(ctx context.Context, q disclosure.CallbackQuery) (disclosure.CallbackPage, error) {
	var page disclosure.CallbackPage
	c := &conditions{}
	newer, order := "<", "DESC"
	switch q.Status {
	case disclosure.CallbackOpen:
		newer, order = ">", "ASC"
		c.add("c.done_at = 0")
	case disclosure.CallbackDone:
		c.add("c.done_at > 0")
	default:
		c.add("1 = 1")
	}
	if len(q.Bodies) > 0 {
		c.add("n.body IN "+s.d.inTexts("?"), jsonText(q.Bodies))
	}
	err := s.read(ctx, "callbacks", func(v *snapshot) error {
		err := v.QueryRowContext(ctx, `
			SELECT count(*)
			  FROM (SELECT 1 FROM `+callbackTables+` WHERE `+c.where()+` LIMIT `+c.next(1)+`) AS counted`,
			c.with(disclosure.MaxTotal+1)...).Scan(&page.Total)
		if err != nil {
			return err
		}
		page.TotalCapped, page.Total = page.Total > disclosure.MaxTotal, min(page.Total, disclosure.MaxTotal)
		if q.After != nil {
			c.add("c.n "+newer+" ?", q.After.A)
		}
		page.Items, err = all(ctx, v, func(rows *sql.Rows) (disclosure.CallbackRequest, error) { return scanCallback(rows.Scan) }, `
			SELECT `+callbackColumns+`
			  FROM `+callbackTables+`
			 WHERE `+c.where()+`
			 ORDER BY c.n `+order+`
			 LIMIT `+c.next(1), c.with(q.Limit+1)...)
		return err
	})
	if page.More = len(page.Items) > q.Limit; page.More {
		page.Items = page.Items[:q.Limit]
	}
	return page, err
}

// ApplyCallback commits a step of staff with its audit line; CodeCallbackState
// when somebody was faster. A request that is done is no longer found by its
// number, so the caller may ask again.
func (s *Store) ApplyCallback(ctx context.Context, t disclosure.CallbackStep) error {
	return s.audited(ctx, t.Audit.Action+" callback", func(tx *sql.Tx) error {
		done := disclosure.Milliseconds(t.Request.DoneAt)
		res, err := tx.ExecContext(ctx, `
			UPDATE callback
			   SET done_at = $1, done_by = $2, outcome = $3, number_mac = CASE WHEN $4 = 0 THEN number_mac END
			 WHERE id = $5 AND done_at = $6 AND erased_at = 0`,
			done, t.Request.DoneBy, t.Request.Outcome, flag(done > 0), t.Request.ID, disclosure.Milliseconds(t.Before))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return disclosure.Errorf(disclosure.CodeCallbackState, "这个回电请求刚刚有了变化，请刷新后重试")
	}, t.Audit)
}

// EraseCallbacks erases the numbers of up to 100 requests that were done by the
// one instant or are open since before the other, which ends those; it returns
// how many.
func (s *Store) EraseCallbacks(ctx context.Context, done, open, now time.Time) (int, error) {
	ids, err := all(ctx, s.r, scanText, `
		SELECT id
		  FROM callback
		 WHERE erased_at = 0 AND (done_at > 0 AND done_at <= $1 OR done_at = 0 AND created_at <= $2)
		 ORDER BY n
		 LIMIT 100`, done.UnixMilli(), open.UnixMilli())
	if err != nil {
		return 0, fmt.Errorf("store: erase callbacks: %w", fault(err))
	}
	if len(ids) == 0 {
		return 0, nil
	}
	rows := make([]disclosure.AuditRow, len(ids))
	for i, id := range ids {
		rows[i] = disclosure.AuditRow{At: now, Actor: disclosure.System.Name, Role: disclosure.System.Role, Action: "erase", Subject: "callback", ID: id}
	}
	err = s.audited(ctx, "erase callbacks", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `
			UPDATE callback
			   SET number = NULL, number_mac = NULL, turn = NULL, erased_at = $1,
			       outcome = CASE WHEN done_at = 0 THEN $2 ELSE outcome END,
			       done_at = CASE WHEN done_at = 0 THEN $3 ELSE done_at END
			 WHERE erased_at = 0 AND (done_at > 0 OR created_at <= $4) AND id IN `+s.d.inTexts("$5"),
			now.UnixMilli(), disclosure.CallbackExpired, now.UnixMilli(), open.UnixMilli(), jsonText(ids))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || int(n) == len(ids) {
			return err
		}
		return disclosure.Errorf(disclosure.CodeCallbackState, "别的进程正在清除")
	}, rows...)
	if err != nil {
		if errors.Is(err, &disclosure.Error{Code: disclosure.CodeCallbackState}) {
			return 0, nil // it does the rest
		}
		return 0, err
	}
	if s.d == sqliteDialect { // its log still has them
		err = s.flushLog(ctx)
	}
	return len(ids), err
}

// CallbackCounts returns how many requests are open, and of how many the promise
// is broken at now.
func (s *Store) CallbackCounts(ctx context.Context, now time.Time) (disclosure.CallbackCounts, error) {
	var n disclosure.CallbackCounts
	err := s.r.QueryRowContext(ctx, `
		SELECT count(*), COALESCE(sum(CASE WHEN due_at < $1 THEN 1 ELSE 0 END), 0)
		  FROM callback
		 WHERE done_at = 0`, now.UnixMilli()).Scan(&n.Open, &n.Overdue)
	if err != nil {
		return n, fmt.Errorf("store: callback counts: %w", fault(err))
	}
	return n, nil
}
