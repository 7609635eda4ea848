package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gongkai/internal/disclosure"
)

// Pushes lists events, newest first, with where their deliveries stand; before
// is the number above the first, 0 for the newest.
func (s *Store) Pushes(ctx context.Context, before int64, limit int) (disclosure.PushPage, error) {
	var page disclosure.PushPage
	if before == 0 {
		before = newest
	}
	err := s.read(ctx, "pushes", func(v *snapshot) error {
		err := v.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM push_event LIMIT $1) AS counted`, disclosure.MaxTotal+1).Scan(&page.Total)
		if err != nil {
			return err
		}
		page.Capped, page.Total = page.Total > disclosure.MaxTotal, min(page.Total, disclosure.MaxTotal)
		page.Items, err = v.funnels(ctx, `e.n < $1 ORDER BY e.n DESC LIMIT $2`, before, limit+1)
		if len(page.Items) > limit {
			page.Items, page.More = page.Items[:limit], true
		}
		if err != nil {
			return err
		}
		return v.countStates(ctx, page.Items)
	})
	return page, err
}

// Push returns one event with its funnel. An unknown one is CodeNoEvent.
func (s *Store) Push(ctx context.Context, n int64) (disclosure.PushFunnel, error) {
	var f disclosure.PushFunnel
	err := s.read(ctx, "push", func(v *snapshot) error {
		list, err := v.funnels(ctx, `e.n = $1`, n)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return noEvent(n)
		}
		if err := v.countStates(ctx, list); err != nil {
			return err
		}
		f = list[0]
		return nil
	})
	return f, err
}

func (v *snapshot) funnels(ctx context.Context, condition string, args ...any) ([]disclosure.PushFunnel, error) {
	return all(ctx, v, func(rows *sql.Rows) (disclosure.PushFunnel, error) {
		var f disclosure.PushFunnel
		var err error
		f.PushEvent, err = scanEvent(rows.Scan, &f.NoticeCode, &f.Title)
		return f, err
	}, `
		SELECT `+eventColumns+`, COALESCE(n.code, ''), CASE WHEN n.public = 1 THEN n.title ELSE '' END
		  FROM push_event e
		  LEFT JOIN notice n ON n.id = e.notice_id
		 WHERE `+condition, args...)
}

func (v *snapshot) countStates(ctx context.Context, list []disclosure.PushFunnel) error {
	ids := make([]int64, len(list))
	at := map[int64]int{}
	for i, f := range list {
		ids[i], at[f.N] = f.N, i
	}
	_, err := all(ctx, v, func(rows *sql.Rows) (int64, error) {
		var n int64
		var c disclosure.StateCount
		err := rows.Scan(&n, &c.State, &c.Class, &c.Channel, &c.Count)
		list[at[n]].Counts = append(list[at[n]].Counts, c)
		return n, err
	}, v.counted("$1"), jsonText(ids))
	return err
}

// pushAudit is the audit line of a staff step of an event.
func pushAudit(by disclosure.Actor, action, id string, now time.Time) disclosure.AuditRow {
	return disclosure.AuditRow{At: now, Actor: by.Name, Role: by.Role, Token: by.Token, Action: action, Subject: "push", ID: id}
}

// ReleasePush ends an event's recall window at once. Errors: CodeNoEvent,
// CodePushState when it does not wait.
func (s *Store) ReleasePush(ctx context.Context, by disclosure.Actor, n int64, now time.Time) error {
	return s.stepPush(ctx, by, "release", n, now, "这次推送不在等待",
		`UPDATE push_event SET released = 1 WHERE n = $1 AND state = 'pending' AND released = 0`)
}

// PausePush stops an event: after it returns no new call is decided on; calls
// under way end. Errors: CodeNoEvent, CodePushState.
func (s *Store) PausePush(ctx context.Context, by disclosure.Actor, n int64, why string, now time.Time) error {
	return s.audited(ctx, "pause push", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE push_event SET paused = 1, why = $1 WHERE n = $2 AND paused = 0 AND open = 1`, why, n)
		if err := s.stepped(ctx, tx, res, err, n, "这次推送已暂停或已结束"); err != nil {
			return err
		}
		return forbid(ctx, tx)
	}, pushAudit(by, "pause", itoa(n), now))
}

// ResumePush lets a paused event go on. Errors: CodeNoEvent, CodePushState.
func (s *Store) ResumePush(ctx context.Context, by disclosure.Actor, n int64, now time.Time) error {
	return s.stepPush(ctx, by, "resume", n, now, "这次推送没有暂停",
		`UPDATE push_event SET paused = 0, why = CASE WHEN why = '`+disclosure.ContentRefused+`' THEN why ELSE '' END WHERE n = $1 AND paused = 1`)
}

func (s *Store) stepPush(ctx context.Context, by disclosure.Actor, action string, n int64, now time.Time, refusal, stmt string) error {
	return s.audited(ctx, action+" push", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, stmt, n)
		if err := s.stepped(ctx, tx, res, err, n, refusal); err != nil {
			return err
		}
		return forbid(ctx, tx)
	}, pushAudit(by, action, itoa(n), now))
}

// stepped tells an event that is not there from one that cannot take the step.
func (s *Store) stepped(ctx context.Context, tx *sql.Tx, res sql.Result, err error, n int64, refusal string) error {
	if err != nil {
		return err
	}
	if changed, err := res.RowsAffected(); err != nil || changed > 0 {
		return err
	}
	var there int64
	if err := one(tx.QueryRowContext(ctx, `SELECT n FROM push_event WHERE n = $1`, n), noEvent(n), &there); err != nil {
		return err
	}
	return disclosure.Errorf(disclosure.CodePushState, "%s", refusal)
}

// Resend queues again what failed, is dead or unknown, of one event or, with 0,
// of all that are still news. dry only counts. A keyed card keeps its key unless
// force, so that WeChat refuses what it has delivered already. Errors:
// CodeNoEvent, CodePushState.
func (s *Store) Resend(ctx context.Context, by disclosure.Actor, r disclosure.Resend, now time.Time) (int64, error) {
	var count int64
	states := jsonText(r.States)
	condition := `state IN ` + s.d.inTexts("$1") + ` AND event_n IN (SELECT n FROM push_event WHERE open = 1 AND (n = $2 OR $3 = 0 AND expires_at > $4))`
	if r.Dry {
		err := s.r.QueryRowContext(ctx, `SELECT count(*) FROM delivery WHERE `+condition, states, r.Event, r.Event, now.UnixMilli()).Scan(&count)
		return count, fault(err)
	}
	row := pushAudit(by, "resend", itoa(r.Event), now)
	row.Detail = fmt.Sprintf("states:%v forced:%v", r.States, r.Force)
	err := s.audited(ctx, "resend", func(tx *sql.Tx) error {
		if r.Event != 0 {
			var open int64
			if err := one(tx.QueryRowContext(ctx, `SELECT open FROM push_event WHERE n = $1`, r.Event), noEvent(r.Event), &open); err != nil {
				return err
			}
			if open == 0 {
				return disclosure.Errorf(disclosure.CodePushState, "公告已撤回或已有新版，不能再发")
			}
		}
		res, err := tx.ExecContext(ctx, `
			UPDATE delivery
			   SET maybe_dup = CASE WHEN state = 'unknown' THEN 1 ELSE maybe_dup END,
			       state = 'queued', class = '', detail = '', not_before = $5, expires_at = $6,
			       attempt = CASE WHEN $7 = 0 THEN 100 * (attempt / 100 + 1) ELSE 10000 * (attempt / 10000 + 1) END, first_call_at = 0, spent = 0
			 WHERE `+condition, states, r.Event, r.Event, now.UnixMilli(), now.UnixMilli(), now.Add(24*time.Hour).UnixMilli(), flag(r.Force))
		if err != nil {
			return err
		}
		count, err = res.RowsAffected()
		return err
	}, row)
	return count, err
}

// SetSwitch turns a kill switch on (why is not empty) or off. Turning on what is
// on keeps the first reason. program says that nobody but the program itself did.
func (s *Store) SetSwitch(ctx context.Context, by disclosure.Actor, scope, why string, program bool, now time.Time) error {
	action := "switch on"
	if why == "" {
		action = "switch off"
	}
	row := pushAudit(by, action, scope, now)
	return s.audited(ctx, action, func(tx *sql.Tx) error {
		var err error
		if why == "" {
			_, err = tx.ExecContext(ctx, `DELETE FROM push_switch WHERE scope = $1`, scope)
		} else {
			_, err = tx.ExecContext(ctx, `
				INSERT INTO push_switch (scope, why, by_name, at, seeded)
				VALUES ($1, $2, $3, $4, $5)
				    ON CONFLICT (scope) DO NOTHING`, scope, why, by.Name, now.UnixMilli(), flag(program))
		}
		if err != nil {
			return err
		}
		return forbid(ctx, tx)
	}, row)
}

// PushStatus counts what is under way.
func (s *Store) PushStatus(ctx context.Context, now time.Time) (disclosure.PushStatus, error) {
	st := disclosure.PushStatus{Queue: map[disclosure.DeliveryState]int{}}
	err := s.read(ctx, "push status", func(v *snapshot) error {
		_, err := all(ctx, v, func(rows *sql.Rows) (int64, error) {
			var state disclosure.DeliveryState
			var n int
			err := rows.Scan(&state, &n)
			st.Queue[state] = n
			return 0, err
		}, `
			SELECT state, CAST(SUM(counted) AS BIGINT)
			  FROM (SELECT state, count(*) AS counted FROM delivery GROUP BY state
			         UNION ALL SELECT state, forgotten FROM push_tally) AS ends
			 GROUP BY state`)
		if err != nil {
			return err
		}
		var oldest int64
		if err := v.QueryRowContext(ctx, `SELECT COALESCE(MIN(not_before), 0) FROM delivery WHERE state = 'queued' AND not_before <= $1`, now.UnixMilli()).Scan(&oldest); err != nil {
			return err
		}
		st.OldestAt = disclosure.FromMilliseconds(oldest)
		if err := v.QueryRowContext(ctx, `SELECT count(*) FROM push_event WHERE state IN ('pending', 'matching')`).Scan(&st.Pending); err != nil {
			return err
		}
		st.Switches, err = all(ctx, v, func(rows *sql.Rows) (disclosure.Switch, error) {
			var w disclosure.Switch
			var at, seeded int64
			err := rows.Scan(&w.Scope, &w.Why, &w.By, &at, &seeded)
			w.At, w.Seeded = disclosure.FromMilliseconds(at), seeded == 1
			return w, err
		}, `SELECT scope, why, by_name, at, seeded FROM push_switch ORDER BY scope LIMIT 1000`)
		return err
	})
	return st, err
}

// Backlog returns what waits. It costs a look-up by index each, however long the
// queue is. A paused event does not wait; the cards it has already do.
func (s *Store) Backlog(ctx context.Context, now time.Time) (disclosure.Backlog, error) {
	var b disclosure.Backlog
	var event, card int64
	err := s.r.QueryRowContext(ctx, `
		SELECT (SELECT COALESCE(MIN(at), 0) FROM push_event WHERE state IN ('pending', 'matching') AND open = 1 AND paused = 0),
		       (SELECT COALESCE(MIN(since), 0)
		          FROM (SELECT MIN(not_before) AS since FROM delivery WHERE state = 'queued' AND priority = 0
		                 UNION ALL SELECT MIN(not_before) FROM delivery WHERE state = 'queued' AND priority = 1
		                 UNION ALL SELECT MIN(not_before) FROM delivery WHERE state = 'queued' AND priority = 2) AS oldest
		         WHERE since <= $1),
		       (SELECT count(*) FROM push_switch)`, now.UnixMilli()).Scan(&event, &card, &b.Switches)
	if err != nil {
		return b, fmt.Errorf("store: backlog: %w", fault(err))
	}
	b.Event, b.Card = disclosure.FromMilliseconds(event), disclosure.FromMilliseconds(card)
	return b, nil
}

// PausePushAs is the program's own pause of an event whose first cards failed.
func (s *Store) PausePushAs(ctx context.Context, n int64, why string, now time.Time) error {
	return s.PausePush(ctx, disclosure.System, n, why, now)
}

// PushSecret returns the key that signed links are made with, and makes it when
// the database is new; candidate is random.
func (s *Store) PushSecret(ctx context.Context, candidate string) (string, error) {
	var secret string
	err := s.write(ctx, "push secret", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE push_head SET secret = $1 WHERE id = 1 AND secret = ''`, candidate); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT secret FROM push_head WHERE id = 1`).Scan(&secret)
	})
	return secret, err
}
