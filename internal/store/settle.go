package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"gongkai/internal/disclosure"
)

// errSomeLost means that some of the leases were lost, and not which.
var errSomeLost = errors.New("store: some leases were lost")

// Settle writes how calls ended, each fenced by its lease: who lost it writes
// nothing. It returns how many were settled. Nearly always it is all of them: which
// they were is asked only when the first try, undone, was told of fewer.
func (s *Store) Settle(ctx context.Context, owner string, list []disclosure.Settled) (int, error) {
	n, err := s.settleAll(ctx, owner, list, false)
	if errors.Is(err, errSomeLost) {
		n, err = s.settleAll(ctx, owner, list, true)
	}
	return n, err
}

func (s *Store) settleAll(ctx context.Context, owner string, list []disclosure.Settled, which bool) (int, error) {
	settled := 0
	err := s.write(ctx, "settle", func(tx *sql.Tx) error {
		settled = 0
		ends := map[end][]*disclosure.Settled{}
		for i := range list {
			k := endOf(&list[i])
			ends[k] = append(ends[k], &list[i])
		}
		for k, part := range ends {
			held, err := s.settle(ctx, tx, owner, k, part, which)
			if err != nil {
				return err
			}
			if settled += len(held); len(held) == 0 {
				continue
			}
			if err := s.afterSettle(ctx, tx, k, held); err != nil {
				return err
			}
		}
		return nil
	})
	return settled, err
}

// end is what is equal in calls that ended alike: they are one statement.
type end struct {
	channel  disclosure.Channel
	attempt  int
	state    disclosure.DeliveryState
	class    disclosure.Class
	code     int
	detail   string
	maybeDup bool
	called   bool
}

func endOf(d *disclosure.Settled) end {
	return end{d.Channel, d.Attempt, d.State, d.Class, d.Code, d.Detail, d.MaybeDup, d.Called}
}

// settle writes calls that ended alike and returns those whose lease was held. It
// is errSomeLost when there are others and it was not asked which.
func (s *Store) settle(ctx context.Context, tx *sql.Tx, owner string, k end, list []*disclosure.Settled, which bool) ([]*disclosure.Settled, error) {
	accepted := flag(k.state == disclosure.DeliveryAccepted || k.state == disclosure.DeliveryDelivered)
	queued := k.state == disclosure.DeliveryQueued
	spare := flag(queued && !k.called)                             // it was not called
	unmade := flag(queued && k.class != disclosure.ClassAmbiguous) // this call left no card
	rows := make([][]any, len(list))
	for i, d := range list {
		rows[i] = []any{d.N, d.At.UnixMilli(), disclosure.Milliseconds(d.NotBefore), disclosure.Milliseconds(d.FirstCall), d.MsgID}
	}
	update := `
		UPDATE delivery
		   SET state = $1, class = $2, detail = $3, maybe_dup = $4, attempt = attempt - $5, msgid = v.c5,
		       not_before = CASE WHEN v.c3 = 0 THEN not_before ELSE v.c3 END,
		       sent_at = CASE WHEN $6 = 1 THEN v.c2 ELSE sent_at END,
		       spent = CASE WHEN $7 = 1 THEN 0 ELSE spent END,
		       first_call_at = CASE WHEN $8 = 1 THEN v.c4 ELSE first_call_at END
		  FROM ` + s.d.rows("$9", "iiiit") + ` AS v
		 WHERE delivery.n = v.c1 AND delivery.attempt = $10 AND delivery.owner = $11 AND ` + stateUnindexed + ` IN ('leased', 'sending')`
	args := []any{k.state, k.class, k.detail, flag(k.maybeDup), spare, accepted, flag(queued), unmade, jsonText(rows), k.attempt, owner}
	if !which {
		res, err := tx.ExecContext(ctx, update, args...)
		if err != nil {
			return nil, err
		}
		if n, err := res.RowsAffected(); err != nil || n == int64(len(list)) {
			return list, err
		}
		return nil, errSomeLost
	}
	ids, err := all(ctx, tx, scanInt, update+` RETURNING n`, args...)
	if err != nil {
		return nil, err
	}
	mine := make(map[int64]bool, len(ids))
	for _, n := range ids {
		mine[n] = true
	}
	return slices.DeleteFunc(list, func(d *disclosure.Settled) bool { return !mine[d.N] }), nil
}

// afterSettle writes what follows from calls that ended alike: their attempts,
// what they say of accounts and consents, and receipts that were here first.
func (s *Store) afterSettle(ctx context.Context, tx *sql.Tx, k end, list []*disclosure.Settled) error {
	if k.called {
		calls := make([][2]int64, len(list))
		for i, d := range list {
			calls[i] = [2]int64{d.N, d.At.UnixMilli()}
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO attempt (delivery_n, attempt, channel, at, class, code, detail)
			SELECT v.c1, $1, $2, v.c2, $3, $4, $5
			  FROM `+s.d.rows("$6", "ii")+` AS v
			 WHERE TRUE
			    ON CONFLICT DO NOTHING`, k.attempt, k.channel, k.class, k.code, k.detail, jsonText(calls)); err != nil {
			return err
		}
	}
	var msgids []string
	var at time.Time
	spare := map[quotaKey]int{}
	for _, d := range list {
		if d.Path != "" {
			spare[quotaKey{app: d.App, path: d.Path}]++
		}
		if d.MsgID != "" {
			msgids, at = append(msgids, d.MsgID), d.At
		}
		if d.Refund || d.Account == disclosure.AccountNoConsent {
			// Joined with another meanwhile, the person is that one now.
			if err := tx.QueryRowContext(ctx, `SELECT person_n FROM delivery WHERE n = $1`, d.N).Scan(&d.Person); err != nil {
				return err
			}
		}
		if d.Refund {
			if err := addConsent(ctx, tx, d.Person, disclosure.Consent{At: d.At, Identity: disclosure.Identity{App: d.App}, Template: d.Template,
				Kind: disclosure.ConsentRefund, Delta: 1}); err != nil {
				return err
			}
		}
		if d.Account != disclosure.AccountSame {
			if err := changeAccount(ctx, tx, d); err != nil {
				return err
			}
		}
	}
	for k, n := range spare {
		if err := returnQuota(ctx, tx, k, n, list[0].At); err != nil {
			return err
		}
	}
	return s.applyEarly(ctx, tx, msgids, at)
}

// applyEarly applies receipts that came before their calls were written down.
func (s *Store) applyEarly(ctx context.Context, tx *sql.Tx, msgids []string, at time.Time) error {
	if len(msgids) == 0 {
		return nil
	}
	early, err := all(ctx, tx, func(rows *sql.Rows) ([3]string, error) {
		var r [3]string
		err := rows.Scan(&r[0], &r[1], &r[2])
		return r, err
	}, `DELETE FROM wechat_receipt WHERE msgid IN `+s.d.inTexts("$1")+` RETURNING app, msgid, status`, jsonText(msgids))
	if err != nil {
		return err
	}
	for _, r := range early {
		if _, err := applyReceipt(ctx, tx, r[0], r[1], r[2], at); err != nil {
			return err
		}
	}
	return nil
}

// changeAccount writes what WeChat's refusal says of the account.
func changeAccount(ctx context.Context, tx *sql.Tx, d *disclosure.Settled) error {
	if d.Account == disclosure.AccountNoConsent {
		return revokeConsent(ctx, tx, d.Person, d.App, d.Template, "errcode", d.At)
	}
	set := map[disclosure.AccountChange]string{
		disclosure.AccountUnfollowed: `following = 0`, disclosure.AccountMuted: `muted = 1`,
		disclosure.AccountUnknown: `quarantined = 1`, disclosure.AccountNoWindow: `window_left = 0`,
	}[d.Account]
	_, err := tx.ExecContext(ctx, `UPDATE account SET `+set+` WHERE app = $1 AND openid = $2`, d.App, d.OpenID)
	return err
}

// applyReceipt moves the delivery with the message id by WeChat's receipt. SQLite
// takes the index of message ids only for a query that says it wants none that is
// empty.
func applyReceipt(ctx context.Context, q querier, app, msgid, status string, now time.Time) (bool, error) {
	state, class := disclosure.DeliveryDelivered, disclosure.Class("")
	status = strings.ToLower(strings.ReplaceAll(status, " ", ""))
	switch {
	case status == "success":
	case strings.HasPrefix(status, "failed:userblock"):
		state, class = disclosure.DeliveryFailed, disclosure.ClassMuted
	case strings.HasPrefix(status, "failed:freqlimit"):
		return foldReceipt(ctx, q, app, msgid, now)
	default:
		state, class = disclosure.DeliveryFailed, disclosure.ClassRetry
	}
	res, err := q.ExecContext(ctx, `
		UPDATE delivery
		   SET state = $1, class = $2
		 WHERE msgid = $3 AND msgid <> '' AND app = $4 AND state IN ('accepted', 'unknown')`, state, class, msgid, app)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 || class != disclosure.ClassMuted {
		return n > 0, err
	}
	_, err = q.ExecContext(ctx, `
		UPDATE account
		   SET muted = 1
		 WHERE app = $1 AND person_n = (SELECT person_n FROM delivery WHERE msgid = $2 AND msgid <> '' AND app = $3 LIMIT 1)`, app, msgid, app)
	return true, err
}

// foldReceipt puts a card that its person did not get, for having had too many,
// into their next digest, unless it is no news any more. An urgent one, for which
// that may be too late, and a digest itself go again by and by.
func foldReceipt(ctx context.Context, q querier, app, msgid string, now time.Time) (bool, error) {
	const (
		news   = `EXISTS (SELECT 1 FROM push_event e WHERE e.n = delivery.event_n AND e.open = 1)`
		digest = `EXISTS (SELECT 1 FROM push_event e WHERE e.n = delivery.event_n AND e.kind = 'digest')`
	)
	again := news + ` AND (priority = 0 OR ` + digest + `) AND attempt % 100 < ` + itoa(disclosure.MaxAttempts)
	res, err := q.ExecContext(ctx, `
		UPDATE delivery
		   SET state = CASE WHEN `+again+` THEN 'queued' WHEN `+news+` AND NOT `+digest+` THEN 'digest' ELSE 'failed' END,
		       not_before = CASE WHEN `+again+` THEN CAST($1 AS BIGINT) ELSE CAST($2 AS BIGINT) END,
		       class = 'pace_user', first_call_at = 0, sent_at = 0
		 WHERE msgid = $3 AND msgid <> '' AND app = $4 AND state IN ('accepted', 'unknown')`,
		now.Add(disclosure.PersonPatience).UnixMilli(), disclosure.NextDigest(now).UnixMilli(), msgid, app)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Recover settles deliveries whose lease is over. What was never called is
// queued again. A keyed card goes again with the same key while WeChat still
// knows it; a keyless one waits for WeChat's own report and then goes again once
// if it is urgent; everything else is unknown, and says so.
func (s *Store) Recover(ctx context.Context, limit int, now time.Time) (disclosure.Recovery, error) {
	var r disclosure.Recovery
	err := s.write(ctx, "recover", func(tx *sql.Tx) error {
		ms := now.UnixMilli()
		// The condition is asked again of each row: PostgreSQL waits for another
		// process that recovers the same ones, and then has their new versions.
		lost := func(set, condition string) (int64, error) {
			res, err := tx.ExecContext(ctx, `UPDATE delivery SET `+set+` WHERE n IN (SELECT n FROM delivery WHERE state IN ('leased', 'sending')
				AND lease_until < $1 AND `+condition+` LIMIT $2) AND lease_until < $3 AND `+condition, ms, limit, ms)
			if err != nil {
				return 0, err
			}
			return res.RowsAffected()
		}
		var err error
		if r.Requeued, err = lost(`state = 'queued', owner = '', attempt = attempt - 1, spent = 0`, `state = 'leased'`); err != nil {
			return err
		}
		known := itoa(now.Add(-disclosure.KeyedLife).UnixMilli())
		n, err := lost(`state = 'queued', owner = ''`, `state = 'sending' AND channel = 'template' AND first_call_at > `+known)
		if err != nil {
			return err
		}
		r.Requeued += n
		// What WeChat still knows and the limit left out is for the next piece.
		old := ` AND first_call_at < CASE WHEN channel = 'template' THEN ` + known + ` + 1 ELSE ` + itoa(now.Add(-disclosure.KeylessWait).UnixMilli()) + ` END`
		if r.Again, err = lost(`state = 'queued', owner = '', maybe_dup = 1, spent = 0`,
			`state = 'sending' AND channel <> 'template' AND priority = 0 AND maybe_dup = 0`+old); err != nil {
			return err
		}
		r.Unknown, err = lost(`state = 'unknown', class = 'ambiguous', owner = ''`, `state = 'sending'`+old)
		return err
	})
	return r, err
}

// HandBack returns what a worker has taken and not called, when it stops.
func (s *Store) HandBack(ctx context.Context, owner string) error {
	return s.write(ctx, "hand back", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE delivery
			   SET state = 'queued', owner = '', attempt = attempt - 1, lease_until = 0
			 WHERE owner = $1 AND state = 'leased'`, owner)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE push_event SET lease_until = 0 WHERE owner = $1 AND state = 'matching'`, owner)
		return err
	})
}

// Gate reads what must not be sent.
func (s *Store) Gate(ctx context.Context) (*disclosure.Gate, error) {
	g := &disclosure.Gate{Events: map[int64]bool{}, Scopes: map[string]bool{}}
	err := s.read(ctx, "gate", func(v *snapshot) error {
		if err := v.QueryRowContext(ctx, `SELECT generation FROM push_head WHERE id = 1`).Scan(&g.Generation); err != nil {
			return err
		}
		events, err := all(ctx, v, scanInt, `
			SELECT DISTINCT e.n
			  FROM delivery d
			  JOIN push_event e ON e.n = d.event_n
			 WHERE d.state IN ('leased', 'sending') AND (e.open = 0 OR e.paused = 1)`)
		for _, n := range events {
			g.Events[n] = true
		}
		if err != nil {
			return err
		}
		scopes, err := all(ctx, v, scanText, `SELECT scope FROM push_switch LIMIT 1000`)
		for _, scope := range scopes {
			g.Scopes[scope] = true
		}
		return err
	})
	return g, err
}

// Generation is the cheap part of Gate: it grows with whatever forbids a send.
// It does not wait behind readers: on a busy machine nothing would be sent.
func (s *Store) Generation(ctx context.Context) (int64, error) {
	var n int64
	err := s.head.QueryRowContext(ctx, `SELECT generation FROM push_head WHERE id = 1`).Scan(&n)
	return n, fault(err)
}
