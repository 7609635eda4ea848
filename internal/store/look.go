package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

var dueColumns = `d.n, d.event_n, d.person_n, d.sub_n, d.priority, d.attempt, d.channel, d.app, d.template, d.first_call_at, d.expires_at,
	d.maybe_dup, COALESCE(s.quiet_from, ` + personQuiet("quiet_from") + `, -1), COALESCE(s.quiet_to, ` + personQuiet("quiet_to") + `, -1),
	CASE WHEN d.sub_n <> 0 THEN COALESCE(s.paused, 1) WHEN ` + digestWanted + ` THEN 0 ELSE 1 END`

// digestWanted holds for a card that came for no subscription of its own while one
// of those whose notices it bundles is neither gone nor paused.
const digestWanted = `EXISTS (SELECT 1 FROM delivery c JOIN subscription q ON q.n = c.sub_n AND q.paused = 0
	WHERE c.person_n = d.person_n AND c.parent_n = d.event_n)`

// personQuiet is an end of the quiet hours that a card keeps which came for no
// subscription of its own, such as a digest: the person's oldest ones.
func personQuiet(column string) string {
	return `(SELECT q.` + column + ` FROM subscription q WHERE q.person_n = d.person_n AND q.quiet_from >= 0 ORDER BY q.n LIMIT 1)`
}

const dueTables = `delivery d JOIN push_event e ON e.n = d.event_n LEFT JOIN subscription s ON s.n = d.sub_n`

func scanDue(rows *sql.Rows) (disclosure.Delivery, error) {
	d := disclosure.Delivery{State: disclosure.DeliveryQueued}
	var first, expires, dup, from, to, unwanted int64
	err := rows.Scan(&d.N, &d.Event, &d.Person, &d.Sub, &d.Priority, &d.Attempt, &d.Channel, &d.App, &d.Template, &first, &expires,
		&dup, &from, &to, &unwanted)
	d.FirstCall, d.Expires = disclosure.FromMilliseconds(first), disclosure.FromMilliseconds(expires)
	d.MaybeDup, d.Quiet, d.Unwanted = dup == 1, quietSpan(from, to), unwanted == 1
	return d, err
}

// tell adds to deliveries what they share with all others of their events, which
// is read once.
func (v *snapshot) tell(ctx context.Context, list []disclosure.Delivery) error {
	events := map[int64]*disclosure.PushEvent{}
	var ids []int64
	for _, d := range list {
		if events[d.Event] == nil {
			events[d.Event] = new(disclosure.PushEvent)
			ids = append(ids, d.Event)
		}
	}
	_, err := all(ctx, v, func(rows *sql.Rows) (int64, error) {
		e, err := scanEvent(rows.Scan)
		*events[e.N] = e
		return e.N, err
	}, `SELECT `+eventColumns+` FROM push_event e WHERE e.n IN `+v.d.inInts("$1"), jsonText(ids))
	for i := range list {
		d := &list[i]
		e := events[d.Event]
		d.Kind, d.NoticeID, d.Rev, d.Canary, d.Neutral = e.Kind, e.NoticeID, e.Rev, e.Canary, e.Why == disclosure.ContentRefused
	}
	return err
}

// canaryCards is how many cards of an event must be accepted before the rest
// goes out.
const canaryCards = 5

// trialPatience is how long the trial waits for a card that WeChat did not take
// for now. One that waits longer, say for the next day's quota, is no verdict on
// the event, and must not hold up those who are reached another way.
const trialPatience = time.Minute

// Look returns up to limit deliveries whose time has come, with their people:
// urgent ones first, but a tenth is for ordinary ones. Nobody has two of them, and
// nobody who has one in flight anywhere has another. Events on trial give at most
// canaryCards. It writes nothing and holds nothing: whatever changes before Take,
// Take leaves out.
func (s *Store) Look(ctx context.Context, limit int, now time.Time) (disclosure.Due, error) {
	var due disclosure.Due
	if some, err := s.anyDue(ctx, now); err != nil || !some {
		return due, err
	}
	err := s.read(ctx, "look", func(v *snapshot) error {
		l := &look{snapshot: v, now: now, people: map[int64]bool{}}
		trial, err := all(ctx, v, scanInt, `
			SELECT e.n
			  FROM push_event e
			 WHERE e.canary = 1 AND e.open = 1 AND e.state IN ('matching', 'matched') AND e.paused = 0
			 ORDER BY e.priority, e.n
			 LIMIT 50`)
		if err != nil {
			return err
		}
		for _, event := range trial {
			if err := l.trial(ctx, event); err != nil {
				return err
			}
		}
		few := max(limit/10, 1)
		for _, part := range []struct{ from, to, room int }{{0, 1, limit - few}, {2, 2, limit}, {0, 1, limit}} {
			if err := l.ordinary(ctx, part.from, part.to, part.room-len(l.found)); err != nil {
				return err
			}
		}
		due.Deliveries, due.Tried = l.found, l.tried
		if err := v.tell(ctx, l.found); err != nil {
			return err
		}
		due.People, err = v.recipients(ctx, l.found, now)
		return err
	})
	return due, err
}

// anyDue reports whether there may be something due, or a trial to end: it is all
// that an idle worker asks.
func (s *Store) anyDue(ctx context.Context, now time.Time) (bool, error) {
	var some bool
	err := s.r.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM delivery WHERE state = 'queued' AND priority IN (0, 1, 2) AND not_before <= $1)
		    OR EXISTS (SELECT 1
		                 FROM push_event e
		                WHERE e.canary = 1 AND e.open = 1 AND e.state = 'matched' AND e.paused = 0
		                  AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.event_n = e.n AND d.state IN ('queued', 'leased', 'sending')))`,
		now.UnixMilli()).Scan(&some)
	return some, fault(err)
}

// look collects the deliveries of one look at the queue.
type look struct {
	*snapshot
	now    time.Time
	people map[int64]bool
	found  []disclosure.Delivery
	tried  []int64
}

var dueCondition = `d.state = 'queued' AND d.not_before <= $1 AND e.open = 1 AND e.paused = 0 AND ` + flying("d") + ` = 0`

func (l *look) add(list []disclosure.Delivery) {
	l.found = slices.Grow(l.found, len(list))
	for _, d := range list {
		if !l.people[d.Person] {
			l.people[d.Person] = true
			l.found = append(l.found, d)
		}
	}
}

// ordinary adds what is due of the priorities from … to and not on trial.
func (l *look) ordinary(ctx context.Context, from, to, room int) error {
	if room <= 0 {
		return nil
	}
	list, err := all(ctx, l, scanDue, `
		SELECT `+dueColumns+`
		  FROM `+dueTables+`
		 WHERE `+dueCondition+` AND e.canary = 0 AND d.priority >= $2 AND d.priority <= $3
		 ORDER BY d.priority, d.not_before, d.n
		 LIMIT $4`, l.now.UnixMilli(), from, to, room)
	l.add(list)
	return err
}

// trial adds cards of an event on trial, or says that the trial is over: enough
// were accepted, or there are no more.
func (l *look) trial(ctx context.Context, event int64) error {
	var accepted, flying, waiting, pending int
	err := l.QueryRowContext(ctx, `
		SELECT COALESCE(SUM(CASE WHEN d.state IN ('accepted', 'delivered') THEN 1 ELSE 0 END), 0),
		       COALESCE(SUM(CASE WHEN d.state IN ('leased', 'sending') OR d.state = 'queued' AND d.attempt % 100 > 0 AND d.not_before <= $1 THEN 1 ELSE 0 END), 0),
		       COALESCE(SUM(CASE WHEN d.state = 'queued' THEN 1 ELSE 0 END), 0),
		       COALESCE(MAX(CASE WHEN e.state = 'matching' THEN 1 ELSE 0 END), 0)
		  FROM push_event e
		  LEFT JOIN (SELECT event_n, state, attempt, not_before FROM delivery WHERE event_n = $2 ORDER BY person_n LIMIT 2000) d ON d.event_n = e.n
		 WHERE e.n = $3`, l.now.Add(trialPatience).UnixMilli(), event, event).Scan(&accepted, &flying, &waiting, &pending)
	if err != nil {
		return err
	}
	if accepted >= canaryCards || waiting+flying == 0 && pending == 0 {
		l.tried = append(l.tried, event)
		return nil
	}
	// Those that were tried and are due go again; new ones only in the place of
	// those that have neither been accepted nor failed for good.
	for _, part := range []struct {
		condition string
		room      int
	}{{"d.attempt % 100 > 0", canaryCards}, {"d.attempt % 100 = 0", canaryCards - accepted - flying}} {
		if part.room <= 0 {
			continue
		}
		list, err := all(ctx, l, scanDue, `
			SELECT `+dueColumns+`
			  FROM `+dueTables+`
			 WHERE `+dueCondition+` AND d.event_n = $2 AND `+part.condition+`
			 ORDER BY d.person_n
			 LIMIT $3`, l.now.UnixMilli(), event, part.room)
		if err != nil {
			return err
		}
		l.add(list)
	}
	return nil
}

// EndTrials lets the rest of events go out.
func (s *Store) EndTrials(ctx context.Context, events []int64) error {
	return s.write(ctx, "end trials", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE push_event SET canary = 0 WHERE n IN `+s.d.inInts("$1"), jsonText(events))
		return err
	})
}

// recipients returns the people of deliveries with their accounts, consents and
// how many cards they had since midnight. Whoever has no account that WeChat
// knows is not among them: there is no way to them.
func (v *snapshot) recipients(ctx context.Context, list []disclosure.Delivery, now time.Time) (map[int64]disclosure.Recipient, error) {
	people := make([]int64, len(list))
	for i, d := range list {
		people[i] = d.Person
	}
	out, ids := make(map[int64]disclosure.Recipient, len(people)), jsonText(people)
	if err := v.recipientAccounts(ctx, ids, workday.DateOf(now).Start(), out); err != nil {
		return nil, err
	}
	return out, v.recipientConsents(ctx, ids, out)
}

func (v *snapshot) recipientAccounts(ctx context.Context, list string, midnight time.Time, out map[int64]disclosure.Recipient) error {
	_, err := all(ctx, v, func(rows *sql.Rows) (int64, error) {
		var a disclosure.Account
		var n, paused, urgent, sent, following, muted, until int64
		err := rows.Scan(&n, &paused, &urgent, &sent, &a.App, &a.OpenID, &following, &muted, &until, &a.WindowLeft)
		a.Following, a.Muted, a.WindowUntil = following == 1, muted == 1, disclosure.FromMilliseconds(until)
		r := out[n]
		r.N, r.Paused, r.UrgentQuiet, r.SentDay = n, paused == 1, urgent == 1, int(sent)
		r.Accounts = append(r.Accounts, a)
		out[n] = r
		return 0, err
	}, `
		SELECT p.n, p.paused, p.urgent_quiet, (SELECT count(*) FROM delivery d WHERE d.person_n = p.n AND d.sent_at >= $1),
		       a.app, a.openid, a.following, a.muted, a.window_until, a.window_left
		  FROM person p
		  JOIN account a ON a.person_n = p.n AND a.quarantined = 0
		 WHERE p.n IN `+v.d.inInts("$2")+`
		 ORDER BY p.n, a.linked_at`, midnight.UnixMilli(), list)
	return err
}

func (v *snapshot) recipientConsents(ctx context.Context, list string, out map[int64]disclosure.Recipient) error {
	_, err := all(ctx, v, func(rows *sql.Rows) (int64, error) {
		n, b, err := scanBalance(rows)
		r := out[n]
		r.Consents = append(r.Consents, b)
		out[n] = r
		return 0, err
	}, `SELECT person_n, `+balanceColumns+` FROM consent WHERE template <> '' AND kind <> 'hint' AND person_n IN `+v.d.inInts("$1")+` GROUP BY person_n, app, template`, list)
	return err
}
