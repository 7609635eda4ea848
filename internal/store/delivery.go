package store

import (
	"context"
	"database/sql"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

var deliveryColumns = `d.n, d.event_n, e.kind, e.notice_id, e.rev, d.person_n, d.sub_n, d.priority, d.state, d.attempt, d.channel, d.app,
	d.template, d.owner, d.lease_until, d.first_call_at, d.not_before, d.expires_at, e.canary, d.maybe_dup,
	COALESCE(s.quiet_from, ` + personQuiet("quiet_from") + `, -1), COALESCE(s.quiet_to, ` + personQuiet("quiet_to") + `, -1), CASE WHEN e.why = '` + disclosure.ContentRefused + `' THEN 1 ELSE 0 END`

// personQuiet is an end of the quiet hours that a card keeps which came for no
// subscription of its own, such as a digest: the person's oldest ones.
func personQuiet(column string) string {
	return `(SELECT q.` + column + ` FROM subscription q WHERE q.person_n = d.person_n AND q.quiet_from >= 0 ORDER BY q.n LIMIT 1)`
}

const deliveryTables = `delivery d JOIN push_event e ON e.n = d.event_n LEFT JOIN subscription s ON s.n = d.sub_n`

// stateUnindexed is the state of a delivery that is found by its number. No index
// serves it: PostgreSQL would take the one of what is in flight, of which its
// statistics know nothing, and hold each row of a batch against all of them.
const stateUnindexed = `delivery.state || ''`

func scanDelivery(rows *sql.Rows) (disclosure.Delivery, error) {
	var d disclosure.Delivery
	var lease, first, notBefore, expires, canary, dup, from, to, neutral int64
	err := rows.Scan(&d.N, &d.Event, &d.Kind, &d.NoticeID, &d.Rev, &d.Person, &d.Sub, &d.Priority, &d.State, &d.Attempt, &d.Channel, &d.App,
		&d.Template, &d.Owner, &lease, &first, &notBefore, &expires, &canary, &dup, &from, &to, &neutral)
	d.LeaseEnd, d.FirstCall = disclosure.FromMilliseconds(lease), disclosure.FromMilliseconds(first)
	d.NotBefore, d.Expires = disclosure.FromMilliseconds(notBefore), disclosure.FromMilliseconds(expires)
	d.Canary, d.MaybeDup, d.Quiet, d.Neutral = canary == 1, dup == 1, quietSpan(from, to), neutral == 1
	return d, err
}

// canaryCards is how many cards of an event must be accepted before the rest
// goes out.
const canaryCards = 5

// trialPatience is how long the trial waits for a card that WeChat did not take
// for now. One that waits longer, say for the next day's quota, is no verdict on
// the event, and must not hold up those who are reached another way.
const trialPatience = time.Minute

// Claim leases up to limit deliveries that are due: urgent ones first, but a
// tenth of the batch is for ordinary ones. Nobody gets two, and nobody who has
// one in flight anywhere gets another. Events on trial give at most canaryCards.
func (s *Store) Claim(ctx context.Context, owner string, limit int, now time.Time, lease time.Duration) ([]disclosure.Delivery, error) {
	var claimed []disclosure.Delivery
	if some, err := s.due(ctx, now); err != nil || !some {
		return nil, err // an idle worker writes nothing
	}
	err := s.write(ctx, "claim", func(tx *sql.Tx) error {
		// The lock under which all processes claim: without it two could take two
		// deliveries of one person.
		if _, err := tx.ExecContext(ctx, `UPDATE push_head SET claims = claims + 1 WHERE id = 1`); err != nil {
			return err
		}
		c := &claim{Store: s, tx: tx, now: now, people: map[int64]bool{}}
		trial, err := all(ctx, tx, scanInt, `
			SELECT e.n
			  FROM push_event e
			 WHERE e.canary = 1 AND e.open = 1 AND e.state IN ('matching', 'matched') AND e.paused = 0
			 ORDER BY e.priority, e.n
			 LIMIT 50`)
		if err != nil {
			return err
		}
		for _, event := range trial {
			if err := c.trial(ctx, event); err != nil {
				return err
			}
		}
		few := max(limit/10, 1)
		for _, part := range []struct{ from, to, room int }{{0, 1, limit - few}, {2, 2, limit}, {0, 1, limit}} {
			if err := c.take(ctx, part.from, part.to, part.room-len(c.found)); err != nil {
				return err
			}
		}
		claimed, err = c.lease(ctx, owner, now.Add(lease))
		return err
	})
	return claimed, err
}

// due reports whether there may be something to claim, or a trial to end.
func (s *Store) due(ctx context.Context, now time.Time) (bool, error) {
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

// claim collects the deliveries of one claim.
type claim struct {
	*Store
	tx     *sql.Tx
	now    time.Time
	people map[int64]bool
	found  []disclosure.Delivery
}

const dueCondition = `d.state = 'queued' AND d.not_before <= $1 AND e.open = 1 AND e.paused = 0
	AND NOT EXISTS (SELECT 1 FROM delivery f WHERE f.person_n = d.person_n AND f.state IN ('leased', 'sending'))`

func (c *claim) add(list []disclosure.Delivery) {
	for _, d := range list {
		if !c.people[d.Person] {
			c.people[d.Person] = true
			c.found = append(c.found, d)
		}
	}
}

// take adds due deliveries of the priorities from … to.
func (c *claim) take(ctx context.Context, from, to, room int) error {
	if room <= 0 {
		return nil
	}
	list, err := all(ctx, c.tx, scanDelivery, `
		SELECT `+deliveryColumns+`
		  FROM `+deliveryTables+`
		 WHERE `+dueCondition+` AND e.canary = 0 AND d.priority >= $2 AND d.priority <= $3
		 ORDER BY d.priority, d.not_before, d.n
		 LIMIT $4`, c.now.UnixMilli(), from, to, room)
	c.add(list)
	return err
}

// trial takes cards of an event on trial, and ends the trial when enough were
// accepted or there are no more.
func (c *claim) trial(ctx context.Context, event int64) error {
	var accepted, flying, waiting, pending int
	err := c.tx.QueryRowContext(ctx, `
		SELECT COALESCE(SUM(CASE WHEN d.state IN ('accepted', 'delivered') THEN 1 ELSE 0 END), 0),
		       COALESCE(SUM(CASE WHEN d.state IN ('leased', 'sending') OR d.state = 'queued' AND d.attempt % 100 > 0 AND d.not_before <= $1 THEN 1 ELSE 0 END), 0),
		       COALESCE(SUM(CASE WHEN d.state = 'queued' THEN 1 ELSE 0 END), 0),
		       COALESCE(MAX(CASE WHEN e.state = 'matching' THEN 1 ELSE 0 END), 0)
		  FROM push_event e
		  LEFT JOIN (SELECT event_n, state, attempt, not_before FROM delivery WHERE event_n = $2 ORDER BY person_n LIMIT 2000) d ON d.event_n = e.n
		 WHERE e.n = $3`, c.now.Add(trialPatience).UnixMilli(), event, event).Scan(&accepted, &flying, &waiting, &pending)
	if err != nil {
		return err
	}
	if accepted >= canaryCards || waiting+flying == 0 && pending == 0 {
		_, err := c.tx.ExecContext(ctx, `UPDATE push_event SET canary = 0 WHERE n = $1`, event)
		return err
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
		list, err := all(ctx, c.tx, scanDelivery, `
			SELECT `+deliveryColumns+`
			  FROM `+deliveryTables+`
			 WHERE `+dueCondition+` AND d.event_n = $2 AND `+part.condition+`
			 ORDER BY d.person_n
			 LIMIT $3`, c.now.UnixMilli(), event, part.room)
		if err != nil {
			return err
		}
		c.add(list)
	}
	return nil
}

func (c *claim) lease(ctx context.Context, owner string, until time.Time) ([]disclosure.Delivery, error) {
	if len(c.found) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(c.found))
	for i := range c.found {
		d := &c.found[i]
		ids[i] = d.N
		d.State, d.Owner, d.LeaseEnd = disclosure.DeliveryLeased, owner, until
		d.Attempt++
	}
	_, err := c.tx.ExecContext(ctx, `
		UPDATE delivery
		   SET state = 'leased', owner = $1, lease_until = $2, attempt = attempt + 1
		 WHERE n IN `+c.d.inInts("$3"), owner, until.UnixMilli(), jsonText(ids))
	return c.found, err
}

// Recipients returns the people of a batch with their accounts, consents and how
// many cards they had since midnight.
func (s *Store) Recipients(ctx context.Context, people []int64, now time.Time) (map[int64]disclosure.Recipient, error) {
	out := make(map[int64]disclosure.Recipient, len(people))
	list := jsonText(people)
	err := s.read(ctx, "recipients", func(v *snapshot) error {
		if err := v.recipientRows(ctx, list, out); err != nil {
			return err
		}
		return v.recipientCounts(ctx, list, workday.DateOf(now).Start(), out)
	})
	return out, err
}

func (v *snapshot) recipientRows(ctx context.Context, list string, out map[int64]disclosure.Recipient) error {
	_, err := all(ctx, v, func(rows *sql.Rows) (int64, error) {
		var r disclosure.Recipient
		var paused, urgent int64
		err := rows.Scan(&r.N, &r.ID, &paused, &urgent)
		r.Paused, r.UrgentQuiet = paused == 1, urgent == 1
		out[r.N] = r
		return 0, err
	}, `SELECT n, id, paused, urgent_quiet FROM person WHERE n IN `+v.d.inInts("$1"), list)
	if err != nil {
		return err
	}
	_, err = all(ctx, v, func(rows *sql.Rows) (int64, error) {
		var n int64
		a, err := scanAccount(rows, &n)
		r := out[n]
		r.Accounts = append(r.Accounts, a)
		out[n] = r
		return 0, err
	}, `SELECT person_n, `+accountColumns+` FROM account WHERE person_n IN `+v.d.inInts("$1")+` ORDER BY linked_at`, list)
	return err
}

func (v *snapshot) recipientCounts(ctx context.Context, list string, midnight time.Time, out map[int64]disclosure.Recipient) error {
	_, err := all(ctx, v, func(rows *sql.Rows) (int64, error) {
		n, b, err := scanBalance(rows)
		r := out[n]
		r.Consents = append(r.Consents, b)
		out[n] = r
		return 0, err
	}, `SELECT person_n, `+balanceColumns+` FROM consent WHERE template <> '' AND person_n IN `+v.d.inInts("$1")+` GROUP BY person_n, app, template`, list)
	if err != nil {
		return err
	}
	_, err = all(ctx, v, func(rows *sql.Rows) (int64, error) {
		var n int64
		var sent int
		err := rows.Scan(&n, &sent)
		r := out[n]
		r.SentDay = sent
		out[n] = r
		return 0, err
	}, `SELECT person_n, count(*) FROM delivery WHERE person_n IN `+v.d.inInts("$1")+` AND sent_at >= $2 GROUP BY person_n`, list, midnight.UnixMilli())
	return err
}

// Prepare writes what the planner decided: what is not to be sent goes to the
// state it says, and what is takes its share of the day's quota. It returns
// those that may go on; whatever the quota has no room for waits for the next
// day. Cards over a keyed channel are marked as being sent: WeChat itself keeps
// their repetition from doing harm. Keyless ones are marked by Mark, each just
// before its call.
//
// The lease begins anew, so that planning takes nothing from the calls;
// deliveries whose lease was lost meanwhile are left out.
func (s *Store) Prepare(ctx context.Context, owner string, plan []disclosure.Planned, limits func(app, path string) int, now time.Time, lease time.Duration) ([]disclosure.Delivery, error) {
	var ready []disclosure.Delivery
	err := s.write(ctx, "prepare", func(tx *sql.Tx) error {
		takers := map[quotaKey][]int{}
		for i, p := range plan {
			if p.Path != "" {
				k := quotaKey{p.App, p.Path, p.Priority == disclosure.PriorityUrgent}
				takers[k] = append(takers[k], i)
			}
		}
		for k, list := range takers {
			got, err := takeQuota(ctx, tx, k, len(list), limits(k.app, k.path), now)
			if err != nil {
				return err
			}
			for _, i := range list[got:] {
				plan[i].Path, plan[i].State, plan[i].Class = "", disclosure.DeliveryQueued, disclosure.ClassQuota
				plan[i].NotBefore = workday.DateOf(now).AddDays(1).Start()
			}
		}
		rows := make([][]any, len(plan))
		for i := range plan {
			rows[i] = preparedRow(&plan[i], now.Add(lease), now)
		}
		held, err := all(ctx, tx, scanInt, `
			UPDATE delivery
			   SET state = v.c3, class = v.c4, channel = v.c5, app = v.c6, template = v.c7,
			       not_before = CASE WHEN v.c8 = 0 THEN not_before ELSE v.c8 END, first_call_at = v.c9, attempt = attempt - v.c10,
			       lease_until = $2
			  FROM `+s.d.rows("$1", "iitttttiii")+` AS v
			 WHERE delivery.n = v.c1 AND delivery.attempt = v.c2 AND delivery.owner = $3 AND `+stateUnindexed+` = 'leased'
			RETURNING n`, jsonText(rows), now.Add(lease).UnixMilli(), owner)
		ready = going(plan, held)
		return err
	})
	return ready, err
}

// preparedRow is what Prepare writes of a plan. A delivery that is not called
// has spent no attempt. FirstCall itself stays what it was: a call that is not
// made after all, or is refused, leaves no card to be careful of.
func preparedRow(p *disclosure.Planned, until, now time.Time) []any {
	first, spare := disclosure.Milliseconds(p.FirstCall), int64(0)
	switch {
	case p.Path == "":
		if p.State == disclosure.DeliveryQueued {
			spare = 1
		}
	case p.Channel.Keyed():
		p.State, p.LeaseEnd = disclosure.DeliverySending, until
		if first == 0 {
			first = now.UnixMilli()
		}
	default:
		p.State, p.LeaseEnd = disclosure.DeliveryLeased, until
	}
	return []any{p.N, p.Attempt, p.State, p.Class, p.Channel, p.App, p.Template, disclosure.Milliseconds(p.NotBefore), first, spare}
}

// going returns the deliveries that are to be called, of those still held.
func going(plan []disclosure.Planned, held []int64) []disclosure.Delivery {
	mine := make(map[int64]bool, len(held))
	for _, n := range held {
		mine[n] = true
	}
	var out []disclosure.Delivery
	for _, p := range plan {
		if p.Path != "" && mine[p.N] {
			out = append(out, p.Delivery)
		}
	}
	return out
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
	return marked, err
}
