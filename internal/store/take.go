package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"gongkai/internal/disclosure"
)

// stateUnindexed is the state of a delivery that is found by its number. No index
// serves it: PostgreSQL would take the one of what is in flight, of which its
// statistics know nothing, and hold each row of a batch against all of them.
const stateUnindexed = `delivery.state || ''`

// flying counts the cards that the person of a delivery has in flight. It is a
// value and not a join: PostgreSQL looks it up for each row, and does not choose
// another way by statistics that a queue has long outrun.
func flying(d string) string {
	return `(SELECT count(*) FROM delivery f WHERE f.person_n = ` + d + `.person_n AND f.state IN ('leased', 'sending'))`
}

// Take writes what the planner decided of deliveries that were due: what is not
// to be sent now goes to the state it says, what is takes its share of the day's
// quota and a lease. It returns what may be called; whatever the quota has no
// room for waits until it has. Cards over a keyed channel are marked as being
// sent: WeChat itself keeps their repetition from doing harm. Keyless ones are
// marked by Mark, each just before its call.
//
// Left out is whatever is no longer as the planner saw it: taken by another
// process, of a notice that was withdrawn or an event that was paused meanwhile,
// or of a person who has another card in flight now.
func (s *Store) Take(ctx context.Context, owner string, plan []disclosure.Planned, limits func(app, path string) int, now time.Time, lease time.Duration) ([]disclosure.Delivery, error) {
	t := taking{Store: s, owner: owner, now: now, until: now.Add(lease), limits: limits}
	err := s.write(ctx, "take", func(tx *sql.Tx) error {
		t.tx, t.taken = tx, nil
		// The lock under which all processes take, and withdrawals close events:
		// without it two could take two deliveries of one person, or one of a notice
		// whose withdrawal has been acknowledged.
		if _, err := tx.ExecContext(ctx, `UPDATE push_head SET claims = claims + 1 WHERE id = 1`); err != nil {
			return err
		}
		calls, rests := map[call][]*disclosure.Planned{}, map[rest][]*disclosure.Planned{}
		for i := range plan {
			p := &plan[i]
			if p.Path == "" {
				k := rest{p.State, p.Class}
				rests[k] = append(rests[k], p)
				continue
			}
			k := call{quotaKey{p.App, p.Path, p.Priority == disclosure.PriorityUrgent}, p.Channel, p.Template}
			calls[k] = append(calls[k], p)
		}
		for k, list := range calls {
			over, err := t.call(ctx, k, list)
			if err != nil {
				return err
			}
			late := rest{disclosure.DeliveryQueued, disclosure.ClassQuota}
			rests[late] = append(rests[late], over...)
		}
		for k, list := range rests {
			if err := t.rest(ctx, k, list); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t.taken, nil
}

// taking is one Take. Deliveries with which the same is done are one statement.
type taking struct {
	*Store
	tx     *sql.Tx
	owner  string
	now    time.Time
	until  time.Time // end of the lease
	limits func(app, path string) int
	taken  []disclosure.Delivery
}

// call is what is equal in cards that are sent alike.
type call struct {
	quotaKey
	channel  disclosure.Channel
	template string
}

// rest is what is equal in deliveries that are not sent now.
type rest struct {
	state disclosure.DeliveryState
	class disclosure.Class
}

// call takes what the day has room for and returns the others, to wait for more.
func (t *taking) call(ctx context.Context, k call, list []*disclosure.Planned) (over []*disclosure.Planned, err error) {
	got, until, err := takeQuota(ctx, t.tx, k.quotaKey, len(list), t.limits(k.app, k.path), t.now)
	if err != nil {
		return nil, err
	}
	list, over = list[:got], list[got:]
	for _, p := range over {
		p.NotBefore = until
	}
	if got == 0 {
		return over, nil
	}
	state, called := disclosure.DeliveryLeased, int64(0)
	if k.channel.Keyed() {
		state, called = disclosure.DeliverySending, t.now.UnixMilli()
	}
	rows := make([][2]int64, len(list))
	for i, p := range list {
		rows[i] = [2]int64{p.N, int64(p.Attempt)}
	}
	held, err := all(ctx, t.tx, scanInt, `
		UPDATE delivery
		   SET state = $1, class = '', channel = $2, app = $3, template = $4, owner = $5, lease_until = $6, attempt = attempt + 1,
		       first_call_at = CASE WHEN first_call_at = 0 THEN $7 ELSE first_call_at END
		  FROM `+t.d.rows("$8", "ii")+` AS v
		 WHERE delivery.n = v.c1 AND delivery.attempt = v.c2 AND `+stateUnindexed+` = 'queued'
		   AND (SELECT e.open - e.paused FROM push_event e WHERE e.n = delivery.event_n) = 1
		   AND `+flying("delivery")+` = 0
		RETURNING n`, state, k.channel, k.app, k.template, t.owner, t.until.UnixMilli(), called, jsonText(rows))
	if err != nil {
		return nil, err
	}
	mine := make(map[int64]bool, len(held))
	for _, n := range held {
		mine[n] = true
	}
	t.taken = slices.Grow(t.taken, len(held))
	for _, p := range list {
		if d := p.Delivery; mine[d.N] {
			d.State, d.Owner, d.LeaseEnd = state, t.owner, t.until
			d.Attempt++
			t.taken = append(t.taken, d)
		}
	}
	if lost := len(list) - len(held); lost > 0 {
		// Somebody else was there first, and room was counted for these twice: whether
		// the others must wait for tomorrow is seen at the next look.
		return nil, returnQuota(ctx, t.tx, k.quotaKey, lost, t.now)
	}
	return over, nil
}

// rest writes what is not sent now. It has spent no attempt.
func (t *taking) rest(ctx context.Context, k rest, list []*disclosure.Planned) error {
	rows := make([][3]int64, len(list))
	for i, p := range list {
		rows[i] = [3]int64{p.N, int64(p.Attempt), disclosure.Milliseconds(p.NotBefore)}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := t.tx.ExecContext(ctx, `
		UPDATE delivery
		   SET state = $1, class = $2, not_before = CASE WHEN v.c3 = 0 THEN not_before ELSE v.c3 END
		  FROM `+t.d.rows("$3", "iii")+` AS v
		 WHERE delivery.n = v.c1 AND delivery.attempt = v.c2 AND `+stateUnindexed+` = 'queued'`, k.state, k.class, jsonText(rows))
	return err
}

// Mark records, in one transaction for several deliveries, that each is about to
// be called over a channel without a key, and takes one consent where they are
// counted. It returns those that may be called; the others lost their lease or
// have no consent left.
func (s *Store) Mark(ctx context.Context, owner string, list []disclosure.Delivery, counted func(disclosure.Delivery) bool, now time.Time) (map[int64]bool, error) {
	marked := map[int64]bool{}
	err := s.write(ctx, "mark", func(tx *sql.Tx) error {
		clear(marked)
		for _, d := range list {
			spends := counted(d)
			res, err := tx.ExecContext(ctx, `
				UPDATE delivery
				   SET state = 'sending', spent = $1, first_call_at = CASE WHEN first_call_at = 0 THEN $2 ELSE first_call_at END
				 WHERE n = $3 AND owner = $4 AND attempt = $5 AND `+stateUnindexed+` = 'leased'
				   AND ($6 = 0 OR (SELECT COALESCE(SUM(delta), 0) FROM consent WHERE person_n = $7 AND app = $8 AND template = $9) > 0)`,
				flag(spends), now.UnixMilli(), d.N, owner, d.Attempt, flag(spends), d.Person, d.App, d.Template)
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			if n == 1 && spends {
				err = addConsent(ctx, tx, d.Person, disclosure.Consent{At: now, Identity: disclosure.Identity{App: d.App}, Template: d.Template,
					Kind: disclosure.ConsentSpend, Delta: -1})
				if err != nil {
					return err
				}
			}
			marked[d.N] = n == 1
		}
		return nil
	})
	if err != nil {
		return nil, err // what was marked nevertheless is for Recover
	}
	return marked, nil
}
