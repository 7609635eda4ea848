package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"time"

	"gongkai/internal/disclosure"
)

const inboxCondition = `d.state NOT IN ('superseded')`

// Inbox returns a page of a person's inbox, newest first; before is the number
// above the first row, 0 for the newest.
func (s *Store) Inbox(ctx context.Context, person, before int64, limit int) (disclosure.InboxPage, error) {
	var page disclosure.InboxPage
	if before == 0 {
		before = newest
	}
	err := s.read(ctx, "inbox", func(v *snapshot) error {
		page.Reading = v.at
		err := v.QueryRowContext(ctx, `
			SELECT count(*), COALESCE(SUM(CASE WHEN read_at = 0 THEN 1 ELSE 0 END), 0)
			  FROM (SELECT d.read_at FROM delivery d WHERE d.person_n = $1 AND `+inboxCondition+` LIMIT $2) AS counted`,
			person, disclosure.MaxTotal+1).Scan(&page.Total, &page.Unread)
		if err != nil {
			return err
		}
		page.Capped, page.Total = page.Total > disclosure.MaxTotal, min(page.Total, disclosure.MaxTotal)
		page.Items, err = v.inboxItems(ctx, `d.person_n = $1 AND d.n < $2 AND `+inboxCondition+` ORDER BY d.n DESC LIMIT $3`, person, before, limit+1)
		if len(page.Items) > limit {
			page.Items, page.More = page.Items[:limit], true
		}
		return err
	})
	return page, err
}

// InboxItem returns one row of an inbox, whosever it is; signed links lead here.
// Errors: CodeNoInbox.
func (s *Store) InboxItem(ctx context.Context, n int64) (item disclosure.InboxItem, person disclosure.Person, at disclosure.Reading, err error) {
	err = s.read(ctx, "inbox item", func(v *snapshot) error {
		at = v.at
		list, err := v.inboxItems(ctx, `d.n = $1`, n)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return noInbox()
		}
		item = list[0]
		var owner int64
		if err := v.QueryRowContext(ctx, `SELECT person_n FROM delivery WHERE n = $1`, n).Scan(&owner); err != nil {
			return err
		}
		if item.Kind == disclosure.EventDigest {
			if item.Bundle, err = v.bundle(ctx, maxBundle, owner, n); err != nil {
				return err
			}
		}
		person, err = personOf(ctx, v, owner)
		return err
	})
	return item, person, at, err
}

// maxBundle is how many notices of a digest are shown.
const maxBundle = 100

// bundled are the public notices of a person's digest, whose event is $2.
const bundled = ` FROM delivery d JOIN push_event e ON e.n = d.event_n JOIN notice n ON n.id = e.notice_id
	WHERE d.person_n = $1 AND d.parent_n = $2 AND n.public = 1`

// bundle returns what the digest is about that the delivery brings the person.
func (v *snapshot) bundle(ctx context.Context, limit int, person, delivery int64) ([]disclosure.Summary, error) {
	var event int64
	if err := v.QueryRowContext(ctx, `SELECT event_n FROM delivery WHERE n = $1`, delivery).Scan(&event); err != nil {
		return nil, err
	}
	return v.bundleOf(ctx, bundled, limit, person, event)
}

func (v *snapshot) bundleOf(ctx context.Context, which string, limit int, person, event int64) ([]disclosure.Summary, error) {
	return all(ctx, v, func(rows *sql.Rows) (disclosure.Summary, error) { return readSummary(rows.Scan) },
		`SELECT `+summaryColumns+which+` ORDER BY n.seq DESC LIMIT $3`, person, event, limit)
}

func personOf(ctx context.Context, q querier, n int64) (disclosure.Person, error) {
	return person(ctx, q, n)
}

func noInbox() error { return disclosure.Errorf(disclosure.CodeNoInbox, "收件箱中没有这一条") }

func (v *snapshot) inboxItems(ctx context.Context, condition string, args ...any) ([]disclosure.InboxItem, error) {
	type row struct {
		disclosure.InboxItem
		notice string
	}
	rows, err := all(ctx, v, func(rows *sql.Rows) (row, error) {
		var r row
		var n, at, read, public, withdrawn int64
		err := rows.Scan(&n, &r.Kind, &r.State, &at, &read, &r.notice, &public, &withdrawn, &r.Subscription, &r.Count)
		r.ID, r.At, r.ReadAt, r.Withdrawn = strconv.FormatInt(n, 10), disclosure.FromMilliseconds(at), disclosure.FromMilliseconds(read), withdrawn == 1
		if public == 0 {
			r.notice = ""
		}
		return r, err
	}, `
		SELECT d.n, e.kind, d.state, d.created_at, d.read_at, e.notice_id, COALESCE(n.public, 0),
		       CASE WHEN n.status = 'withdrawn' THEN 1 ELSE 0 END, COALESCE(s.id, ''),
		       CASE WHEN e.kind = 'digest' THEN (SELECT count(*) FROM delivery c WHERE c.person_n = d.person_n AND c.parent_n = d.event_n) ELSE 0 END
		  FROM delivery d
		  JOIN push_event e ON e.n = d.event_n
		  LEFT JOIN notice n ON n.id = e.notice_id
		  LEFT JOIN subscription s ON s.n = d.sub_n
		 WHERE `+condition, args...)
	if err != nil {
		return nil, err
	}
	items := make([]disclosure.InboxItem, len(rows))
	for i, r := range rows {
		items[i] = r.InboxItem
		if r.notice == "" {
			continue
		}
		sum, err := readSummary(v.QueryRowContext(ctx, `SELECT `+summaryColumns+` FROM notice n WHERE n.id = $1`, r.notice).Scan)
		if err != nil {
			return nil, err
		}
		items[i].Notice = &sum
	}
	return items, nil
}

// ReadInbox marks a row of the person's inbox as read. Errors: CodeNoInbox.
func (s *Store) ReadInbox(ctx context.Context, person, n int64, now time.Time) error {
	return s.write(ctx, "read inbox", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `
			UPDATE delivery
			   SET read_at = CASE WHEN read_at = 0 THEN $1 ELSE read_at END
			 WHERE n = $2 AND person_n = $3`, now.UnixMilli(), n, person)
		return oneRow(res, err, noInbox())
	})
}

// Bundled returns the public notices that a digest for the person is about and
// whose events are not paused, newest first, up to limit, and how many there are.
func (s *Store) Bundled(ctx context.Context, event, person int64, limit int) (list []disclosure.Summary, count int, err error) {
	err = s.read(ctx, "bundled", func(v *snapshot) error {
		const told = bundled + ` AND e.paused = 0`
		if err := v.QueryRowContext(ctx, `SELECT count(*)`+told, person, event).Scan(&count); err != nil {
			return err
		}
		list, err = v.bundleOf(ctx, told, limit, person, event)
		return err
	})
	return list, count, err
}

// Seen remembers a callback before it is handled. seen is true when it was there
// already, with what was answered, or CallbackPending; clash is true when the key
// came with another body, as a replayed signature does. One that was never answered
// is new again when it can no longer be under way: its process has died.
func (s *Store) Seen(ctx context.Context, key, body string, now time.Time) (reply string, seen, clash bool, err error) {
	err = s.write(ctx, "callback", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO wechat_seen (key, at, body, reply)
			VALUES ($1, $2, $3, $4)
			    ON CONFLICT (key) DO UPDATE
			   SET at = excluded.at
			 WHERE wechat_seen.reply = excluded.reply AND wechat_seen.body = excluded.body AND wechat_seen.at < $5`,
			key, now.UnixMilli(), body, disclosure.CallbackPending, now.Add(-disclosure.CallbackTime-time.Second).UnixMilli())
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
		var before string
		seen = true
		err = tx.QueryRowContext(ctx, `SELECT body, reply FROM wechat_seen WHERE key = $1`, key).Scan(&before, &reply)
		clash = before != body
		return err
	})
	return reply, seen, clash, err
}

// Answered keeps what a callback was answered with, for its repetitions; failed
// forgets it, so that WeChat's next try is handled.
func (s *Store) Answered(ctx context.Context, key, reply string, failed bool) error {
	return s.write(ctx, "callback answered", func(tx *sql.Tx) error {
		if failed {
			_, err := tx.ExecContext(ctx, `DELETE FROM wechat_seen WHERE key = $1`, key)
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE wechat_seen SET reply = $1 WHERE key = $2`, reply, key)
		return err
	})
}

// Receipt applies WeChat's report of a message, now or when the call that sent
// it is settled.
func (s *Store) Receipt(ctx context.Context, app, msgid, status string, now time.Time) error {
	return s.write(ctx, "receipt", func(tx *sql.Tx) error {
		done, err := applyReceipt(ctx, tx, app, msgid, status, now)
		if err != nil || done {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO wechat_receipt (app, msgid, status, at)
			VALUES ($1, $2, $3, $4)
			    ON CONFLICT (app, msgid) DO UPDATE
			   SET status = excluded.status`, app, msgid, status, now.UnixMilli())
		return err
	})
}

// Reported applies WeChat's report of a keyless card: to the one that is known by
// the message id or, when none is, to the account's card that is of unknown outcome
// or still in flight, whose answer is not here or was lost.
func (s *Store) Reported(ctx context.Context, app, openid, template, msgid, status string, now time.Time) error {
	var found bool
	err := s.write(ctx, "reported", func(tx *sql.Tx) error {
		var n int64
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM delivery WHERE msgid = $1 AND msgid <> '' AND app = $2`, msgid, app).Scan(&n); err != nil {
			return err
		}
		if found = n > 0; found {
			_, err := applyReceipt(ctx, tx, app, msgid, status, now)
			return err
		}
		err := tx.QueryRowContext(ctx, `
			SELECT d.n
			  FROM delivery d
			  JOIN account a ON a.person_n = d.person_n AND a.app = d.app
			 WHERE a.app = $1 AND a.openid = $2 AND d.template = $3 AND d.msgid = '' AND d.state IN ('sending', 'unknown')
			 ORDER BY d.n DESC
			 LIMIT 1`, app, openid, template).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		if _, err := tx.ExecContext(ctx, `
			UPDATE delivery
			   SET state = 'unknown', msgid = $1, owner = '', sent_at = CASE WHEN sent_at = 0 THEN first_call_at ELSE sent_at END
			 WHERE n = $2`, msgid, n); err != nil {
			return err
		}
		_, err = applyReceipt(ctx, tx, app, msgid, status, now)
		return err
	})
	if err != nil || found {
		return err
	}
	return s.Receipt(ctx, app, msgid, status, now)
}

// ChangeAccount writes what a callback says of an account.
func (s *Store) ChangeAccount(ctx context.Context, a disclosure.Account) error {
	return s.write(ctx, "change account", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE account
			   SET following = $1, muted = $2, quarantined = $3, window_until = $4, window_left = $5
			 WHERE app = $6 AND openid = $7`,
			flag(a.Following), flag(a.Muted), flag(a.Quarantined), disclosure.Milliseconds(a.WindowUntil), a.WindowLeft, a.App, a.OpenID)
		return err
	})
}

// WeChatToken returns the access token of an app that the processes share, and
// its end; "" when there is none.
func (s *Store) WeChatToken(ctx context.Context, app string) (token string, until time.Time, err error) {
	var ms int64
	err = s.r.QueryRowContext(ctx, `SELECT token, expires_at FROM wechat_token WHERE app = $1`, app).Scan(&token, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, nil
	}
	return token, disclosure.FromMilliseconds(ms), fault(err)
}

// LockWeChatToken lets one process at a time fetch a new token; it returns
// whether this one may.
func (s *Store) LockWeChatToken(ctx context.Context, app string, now, until time.Time) (bool, error) {
	var got bool
	err := s.write(ctx, "lock token", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO wechat_token (app, token, expires_at, lock_until)
			VALUES ($1, '', 0, 0)
			    ON CONFLICT DO NOTHING`, app); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE wechat_token SET lock_until = $1 WHERE app = $2 AND lock_until < $3`, until.UnixMilli(), app, now.UnixMilli())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		got = n == 1
		return err
	})
	return got, err
}

// SwapWeChatToken puts a new token in the place of the old one, unless another
// process was first, and ends the lock. "" as old is none.
func (s *Store) SwapWeChatToken(ctx context.Context, app, old, token string, until time.Time) error {
	return s.write(ctx, "swap token", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			UPDATE wechat_token
			   SET token = CASE WHEN token = $1 THEN $2 ELSE token END,
			       expires_at = CASE WHEN token = $3 THEN $4 ELSE expires_at END, lock_until = 0
			 WHERE app = $5`, old, token, old, until.UnixMilli(), app)
		return err
	})
}
