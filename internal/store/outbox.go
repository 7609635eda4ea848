package store

import (
	"context"
	"fmt"

	"gongkai/internal/disclosure"
)

// rememberContent keeps the public content that the transition is about to
// replace: moving a deadline of it makes a correction urgent.
func (a *applier) rememberContent(ctx context.Context, t *disclosure.Transition) error {
	if t.Action != disclosure.ActionCorrect {
		return nil
	}
	var doc string
	if err := a.tx.QueryRowContext(ctx, `SELECT r.doc FROM `+noticeTables+` WHERE n.id = $1`, t.Notice.ID).Scan(&doc); err != nil {
		return err
	}
	var err error
	a.before[t.Notice.ID], err = decodeContent(doc)
	return err
}

// outbox writes what subscribers are to hear of the transition, in its own
// transaction, and stops what they should no longer hear.
func (a *applier) outbox(ctx context.Context, t *disclosure.Transition) error {
	if t.Feed == disclosure.FeedWithdrawn {
		return a.cancelEvents(ctx, t.Notice.ID)
	}
	typ, err := a.at.Catalog.TypeAt(t.Notice.Type, t.Notice.TypeVersion)
	if err != nil {
		return err
	}
	e, ok := disclosure.NewPushEvent(*t, a.before[t.Notice.ID], typ)
	if !ok {
		return nil
	}
	if e.Kind != disclosure.EventPublished { // tells everybody the newest revision, so older ones are told no more
		if _, err := a.tx.ExecContext(ctx, `
			UPDATE push_event
			   SET open = 0, state = CASE WHEN state IN ('pending', 'matching') THEN 'superseded' ELSE state END
			 WHERE notice_id = $1 AND rev < $2 AND open = 1`, e.NoticeID, e.Rev); err != nil {
			return err
		}
		if err := forbid(ctx, a.tx); err != nil {
			return err
		}
	}
	e.Key = fmt.Sprintf("%s/%d", e.NoticeID, e.Rev)
	return insertEvent(ctx, a.tx, e)
}

// cancelEvents stops every push of a notice: what is queued is never sent.
func (a *applier) cancelEvents(ctx context.Context, notice string) error {
	if _, err := a.tx.ExecContext(ctx, `UPDATE push_event SET open = 0, state = 'cancelled' WHERE notice_id = $1`, notice); err != nil {
		return err
	}
	return forbid(ctx, a.tx)
}

// forbid tells every worker that something may no longer be sent.
func forbid(ctx context.Context, q querier) error {
	_, err := q.ExecContext(ctx, `UPDATE push_head SET generation = generation + 1 WHERE id = 1`)
	return err
}

func insertEvent(ctx context.Context, q querier, e disclosure.PushEvent) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO push_event (key, notice_id, rev, kind, priority, sector, state, open, paused, why, canary, released,
		       at, expires_at, phase, cursor_n, owner, lease_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, 0, '', $8, 0, $9, $10, 0, 0, '', 0)
		    ON CONFLICT (key) DO NOTHING`,
		e.Key, e.NoticeID, e.Rev, e.Kind, int(e.Priority), e.Sector, e.State, flag(e.Canary), e.At.UnixMilli(), e.Expires.UnixMilli())
	return err
}
