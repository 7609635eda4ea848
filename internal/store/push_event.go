package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strings"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

const eventColumns = `e.n, e.key, e.notice_id, e.rev, e.kind, e.priority, e.sector, e.state, e.paused, e.why, e.canary, e.released, e.at, e.expires_at`

func scanEvent(scan func(...any) error, more ...any) (disclosure.PushEvent, error) {
	var e disclosure.PushEvent
	var paused, canary, released, at, expires int64
	err := scan(append([]any{&e.N, &e.Key, &e.NoticeID, &e.Rev, &e.Kind, &e.Priority, &e.Sector, &e.State, &paused, &e.Why, &canary, &released,
		&at, &expires}, more...)...)
	e.Paused, e.Canary, e.Released = paused == 1, canary == 1, released == 1
	e.At, e.Expires = disclosure.FromMilliseconds(at), disclosure.FromMilliseconds(expires)
	return e, err
}

// ClaimEvent takes the most urgent event whose recall window is over and that no
// other worker expands, for lease. ok is false when there is none. Urgent
// and released events wait for nothing.
func (s *Store) ClaimEvent(ctx context.Context, owner string, recall time.Duration, now time.Time, lease time.Duration) (f disclosure.FanOut, ok bool, err error) {
	err = s.write(ctx, "claim event", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			UPDATE push_event
			   SET state = 'expired', open = 0
			 WHERE state = 'pending' AND paused = 0 AND expires_at <= $1`, now.UnixMilli()); err != nil {
			return err
		}
		var phase, cursor int64
		f.PushEvent, err = scanEvent(tx.QueryRowContext(ctx, `
			UPDATE push_event
			   SET state = 'matching', owner = $1, lease_until = $2
			 WHERE n = (SELECT d.n
			                FROM push_event d
			               WHERE d.state IN ('pending', 'matching') AND d.open = 1 AND d.paused = 0 AND d.lease_until < $3
			                 AND (d.priority = 0 OR d.released = 1 OR d.at <= $4)
			               ORDER BY d.priority, d.at, d.n
			               LIMIT 1`+s.d.lockEvent+`)
			RETURNING `+strings.ReplaceAll(eventColumns, "e.", "")+`, phase, cursor_n`,
			owner, now.Add(lease).UnixMilli(), now.UnixMilli(), now.Add(-recall).UnixMilli()).Scan, &phase, &cursor)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		f.Phase, f.Cursor, ok = int(phase), cursor, err == nil
		return err
	})
	return f, ok, err
}

// errLostLease means that another worker has taken the event over, or that the
// notice was withdrawn meanwhile.
var errLostLease = errors.New("store: the event is no longer this worker's")

// advance moves the cursor of an event under its lease; whatever a chunk wrote
// is undone when the event is no longer the worker's.
func advance(ctx context.Context, tx *sql.Tx, owner string, f disclosure.FanOut, now time.Time, lease time.Duration) error {
	res, err := tx.ExecContext(ctx, `
		UPDATE push_event
		   SET phase = $1, cursor_n = $2, state = $3, lease_until = $4
		 WHERE n = $5 AND owner = $6 AND state = 'matching' AND open = 1`,
		f.Phase, f.Cursor, f.State, now.Add(lease).UnixMilli(), f.N, owner)
	return oneRow(res, err, errLostLease)
}

// holdPeople keeps people from being erased and joined until tx ends. Whoever
// writes deliveries begins with it: no key of the schema says that their people
// are there.
func (s *Store) holdPeople(ctx context.Context, tx *sql.Tx) error {
	return lockBy(ctx, tx, s.d.holdPeople)
}

// changePeople waits until nobody holds people, and keeps others from it until tx
// ends. Whoever erases or joins people begins with it, before any row of theirs is
// locked: a fan-out has the people first and then their rows.
func (s *Store) changePeople(ctx context.Context, tx *sql.Tx) error {
	return lockBy(ctx, tx, s.d.changePeople)
}

// lockBy carries out a statement of the dialect that only locks. SQLite, with its
// one writer, has none.
func lockBy(ctx context.Context, tx *sql.Tx, statement string, args ...any) error {
	if statement == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, statement, args...)
	return err
}

// deliver is the beginning of every INSERT of deliveries: their state is what
// the last column but one of the SELECT says.
const deliver = `
	INSERT INTO delivery (event_n, person_n, sub_n, priority, state, not_before, expires_at, created_at,
	       class, detail, channel, app, template, attempt, owner, lease_until, first_call_at, sent_at, msgid, maybe_dup, spent, parent_n, read_at)`

const deliverBlank = `'', '', '', '', '', 0, '', 0, 0, 0, '', 0, 0, 0, 0`

// Expand writes one delivery for each of the subscriptions, in the worker's
// chunk, and moves the cursor; it may be repeated without effect. picks are
// immediate, daily those that wait for the digest. It returns how many are new;
// lost is true when the event is no longer the worker's, and nothing was
// written.
func (s *Store) Expand(ctx context.Context, owner string, f disclosure.FanOut, picks, daily []int64, now time.Time, lease time.Duration) (added int64, lost bool, err error) {
	err = s.write(ctx, "expand", func(tx *sql.Tx) error {
		if err := s.holdPeople(ctx, tx); err != nil {
			return err
		}
		if err := advance(ctx, tx, owner, f, now, lease); err != nil {
			return err
		}
		for _, part := range []struct {
			state disclosure.DeliveryState
			list  []int64
			at    time.Time
		}{{disclosure.DeliveryQueued, picks, now}, {disclosure.DeliveryDigest, daily, disclosure.NextDigest(now)}} {
			if len(part.list) == 0 {
				continue
			}
			res, err := tx.ExecContext(ctx, deliver+`
				SELECT $1, person_n, n, $2, $3, $4, $5, $6, `+deliverBlank+`
				  FROM subscription
				 WHERE n IN `+s.d.inInts("$7")+`
				    ON CONFLICT (event_n, person_n) DO NOTHING`,
				f.N, int(f.Priority), part.state, part.at.UnixMilli(), f.Expires.UnixMilli(), now.UnixMilli(), jsonText(part.list))
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			added += n
		}
		return s.supersede(ctx, tx, f)
	})
	if errors.Is(err, errLostLease) {
		return 0, true, nil
	}
	return added, false, err
}

// supersede ends what is still queued of older revisions for people who have
// the event now.
func (s *Store) supersede(ctx context.Context, tx *sql.Tx, f disclosure.FanOut) error {
	if f.NoticeID == "" || f.Kind == disclosure.EventPublished {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE delivery
		   SET state = 'superseded'
		 WHERE state IN ('queued', 'digest')
		   AND event_n IN (SELECT n FROM push_event WHERE notice_id = $1 AND rev < $2)
		   AND person_n > $3 AND person_n <= $4
		   AND EXISTS (SELECT 1 FROM delivery k WHERE k.event_n = $5 AND k.person_n = delivery.person_n)`,
		f.NoticeID, f.Rev, f.From, f.To, f.N)
	return err
}

// ExpandEarlier writes a delivery for everybody who was told of an older
// revision, whatever their filter says now: whoever has the old one hears of the
// new, at once or with the digest as the subscription has it that told them. One
// that is gone or paused tells nothing more. It works on people after the cursor
// and says where it came to.
func (s *Store) ExpandEarlier(ctx context.Context, owner string, f disclosure.FanOut, limit int, now time.Time, lease time.Duration) (next disclosure.FanOut, added int64, lost bool, err error) {
	err = s.write(ctx, "expand earlier", func(tx *sql.Tx) error {
		if err := s.holdPeople(ctx, tx); err != nil {
			return err
		}
		end, err := endOfPiece(ctx, tx, f, limit)
		if err != nil {
			return err
		}
		var subs []int64
		people, err := all(ctx, tx, func(rows *sql.Rows) (person int64, err error) {
			var sub int64
			err = rows.Scan(&person, &sub)
			subs = append(subs, sub)
			return person, err
		}, `
			SELECT d.person_n, MIN(s.n)
			  FROM delivery d
			  JOIN push_event e ON e.n = d.event_n
			  JOIN subscription s ON s.n = d.sub_n AND s.paused = 0
			 WHERE e.notice_id = $1 AND e.rev < $2 AND d.person_n > $3 AND d.person_n <= $4 AND d.state <> 'cancelled'
			 GROUP BY d.person_n
			 ORDER BY d.person_n`, f.NoticeID, f.Rev, f.Cursor, end)
		if err != nil {
			return err
		}
		next = f
		next.From = f.Cursor
		switch {
		case end < lastPerson:
			next.Cursor = end
		case len(people) > 0:
			next.State, next.Cursor = disclosure.EventMatched, people[len(people)-1]
		default:
			next.State = disclosure.EventMatched
		}
		next.To = next.Cursor
		if err := advance(ctx, tx, owner, next, now, lease); err != nil {
			return err
		}
		waits := `mode = 'daily'`
		if f.Priority == disclosure.PriorityUrgent {
			waits = `1 = 0`
		}
		res, err := tx.ExecContext(ctx, deliver+`
			SELECT $1, person_n, n, $2, CASE WHEN `+waits+` THEN 'digest' ELSE 'queued' END, CASE WHEN `+waits+` THEN CAST($3 AS BIGINT) ELSE CAST($4 AS BIGINT) END, $5, $6, `+deliverBlank+`
			  FROM subscription
			 WHERE n IN `+s.d.inInts("$7")+`
			    ON CONFLICT (event_n, person_n) DO NOTHING`,
			f.N, int(f.Priority), disclosure.NextDigest(now).UnixMilli(), now.UnixMilli(), f.Expires.UnixMilli(), now.UnixMilli(), jsonText(subs))
		if err != nil {
			return err
		}
		if added, err = res.RowsAffected(); err != nil {
			return err
		}
		return s.supersede(ctx, tx, next)
	})
	if errors.Is(err, errLostLease) {
		return f, 0, true, nil
	}
	return next, added, false, err
}

// lastPerson is behind every person.
const lastPerson = math.MaxInt64

// endOfPiece returns the person with whom a piece of ExpandEarlier ends: of no
// older event has it more than limit people. Without an end each piece would read
// everybody behind it, under the lock that all writers wait for.
func endOfPiece(ctx context.Context, tx *sql.Tx, f disclosure.FanOut, limit int) (end int64, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT COALESCE(MIN(person_n), $1)
		  FROM (SELECT (SELECT d.person_n
		                  FROM delivery d
		                 WHERE d.event_n = e.n AND d.person_n > $2
		                 ORDER BY d.person_n
		                 LIMIT 1 OFFSET $3) AS person_n
		          FROM push_event e
		         WHERE e.notice_id = $4 AND e.rev < $5) AS ends`, int64(lastPerson), f.Cursor, limit-1, f.NoticeID, f.Rev).Scan(&end)
	return end, err
}

// Digest collects what waits for the digest of the day into one delivery per
// person and returns how many people are done with. It may be repeated. What waits
// for a subscription that is gone or paused meanwhile goes into none; what is of a
// paused event, or comes when the person's digest is on its way already, waits for
// the next day's. A digest is of its day: at midnight it is no news any more, and
// would come together with the next.
func (s *Store) Digest(ctx context.Context, day string, limit int, now time.Time) (people int64, err error) {
	err = s.write(ctx, "digest", func(tx *sql.Tx) error {
		if err := s.holdPeople(ctx, tx); err != nil {
			return err
		}
		e := disclosure.PushEvent{Key: "digest/" + day, Kind: disclosure.EventDigest, Priority: disclosure.PriorityOrdinary,
			State: disclosure.EventMatched, At: now, Expires: workday.DateOf(now).AddDays(1).Start()}
		waiting, err := all(ctx, tx, scanInt, `
			SELECT DISTINCT person_n
			  FROM (SELECT person_n FROM delivery WHERE state = 'digest' AND not_before <= $1 ORDER BY not_before, n LIMIT $2) AS due`, now.UnixMilli(), limit)
		if err != nil || len(waiting) == 0 {
			return err
		}
		people = int64(len(waiting))
		everybody := jsonText(waiting)
		if waiting, err = s.dropUnwanted(ctx, tx, waiting, now); err != nil {
			return err
		}
		if err := s.bundle(ctx, tx, e, waiting, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE delivery
			   SET not_before = $1
			 WHERE state = 'digest' AND not_before <= $2 AND person_n IN `+s.d.inInts("$3"), disclosure.NextDigest(now.Add(time.Second)).UnixMilli(), now.UnixMilli(), everybody)
		return err
	})
	return people, err
}

// running holds for a delivery whose event is not paused.
const running = `EXISTS (SELECT 1 FROM push_event r WHERE r.n = delivery.event_n AND r.paused = 0)`

// bundle makes the digest of the people for whom something waits. A digest that was
// called already, or may have been, takes in nothing more: nobody would be told.
func (s *Store) bundle(ctx context.Context, tx *sql.Tx, e disclosure.PushEvent, waiting []int64, now time.Time) error {
	if len(waiting) == 0 {
		return nil
	}
	people := jsonText(waiting)
	if err := insertEvent(ctx, tx, e); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, `SELECT n FROM push_event WHERE key = $1`, e.Key).Scan(&e.N); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, deliver+`
		SELECT $1, n, 0, $2, 'queued', $3, $4, $5, `+deliverBlank+`
		  FROM person
		 WHERE n IN `+s.d.inInts("$6")+`
		    ON CONFLICT (event_n, person_n) DO NOTHING`,
		e.N, int(e.Priority), now.UnixMilli(), e.Expires.UnixMilli(), now.UnixMilli(), people); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE delivery
		   SET state = 'digested', parent_n = $1
		 WHERE state = 'digest' AND not_before <= $2 AND person_n IN `+s.d.inInts("$3")+` AND `+running+`
		   AND EXISTS (SELECT 1 FROM delivery k WHERE k.event_n = $4 AND k.person_n = delivery.person_n AND k.state = 'queued' AND k.first_call_at = 0)`,
		e.N, now.UnixMilli(), people, e.N)
	return err
}

// dropUnwanted ends what waits for the digest although its subscription is gone or
// paused, and returns the people for whom something else does.
func (s *Store) dropUnwanted(ctx context.Context, tx *sql.Tx, people []int64, now time.Time) ([]int64, error) {
	if _, err := tx.ExecContext(ctx, `
		UPDATE delivery
		   SET state = 'suppressed', class = $1
		 WHERE state = 'digest' AND not_before <= $2 AND person_n IN `+s.d.inInts("$3")+`
		   AND NOT EXISTS (SELECT 1 FROM subscription q WHERE q.n = delivery.sub_n AND q.paused = 0)`,
		disclosure.ClassUnwanted, now.UnixMilli(), jsonText(people)); err != nil {
		return nil, err
	}
	return all(ctx, tx, scanInt, `
		SELECT DISTINCT person_n
		  FROM delivery
		 WHERE state = 'digest' AND not_before <= $1 AND person_n IN `+s.d.inInts("$2")+` AND `+running, now.UnixMilli(), jsonText(people))
}

// sweptPhase marks a closed event that has nothing left to be told.
const sweptPhase = 9

// Sweep ends, in pieces of limit, what is still queued of events that are closed:
// it is cancelled where the notice was withdrawn, and superseded where a newer
// revision is told instead. Most of it was ended when that happened; the rest was
// on its way to a call then, or is of people who do not hear of the newer one, as
// they have cancelled their subscription meanwhile. It forgets callbacks that WeChat
// no longer repeats, and returns how many deliveries it ended.
func (s *Store) Sweep(ctx context.Context, limit int, now time.Time) (int64, error) {
	var ended int64
	err := s.write(ctx, "sweep", func(tx *sql.Tx) error {
		ended = 0
		closed, err := all(ctx, tx, scanInt, `SELECT n FROM push_event WHERE open = 0 AND phase <> $1 ORDER BY n LIMIT 100`, sweptPhase)
		if err != nil {
			return err
		}
		if len(closed) > 0 {
			if ended, err = s.sweepClosed(ctx, tx, jsonText(closed), limit); err != nil {
				return err
			}
		}
		for _, stmt := range []string{`DELETE FROM wechat_seen WHERE at < $1`, `DELETE FROM wechat_receipt WHERE at < $1`} {
			if _, err := tx.ExecContext(ctx, stmt, now.Add(-24*time.Hour).UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
	return ended, err
}

func (s *Store) sweepClosed(ctx context.Context, tx *sql.Tx, events string, limit int) (ended int64, err error) {
	res, err := tx.ExecContext(ctx, `
		UPDATE delivery
		   SET state = CASE WHEN (SELECT e.state FROM push_event e WHERE e.n = delivery.event_n) = 'cancelled' THEN 'cancelled' ELSE 'superseded' END
		 WHERE n IN (SELECT n
		               FROM delivery
		              WHERE event_n IN `+s.d.inInts("$1")+` AND state IN ('queued', 'digest')
		              LIMIT $2)`, events, limit)
	if err != nil {
		return 0, err
	}
	if ended, err = res.RowsAffected(); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE push_event
		   SET phase = $1
		 WHERE n IN `+s.d.inInts("$2")+`
		   AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.event_n = push_event.n AND d.state IN ('queued', 'digest', 'leased', 'sending'))`,
		sweptPhase, events)
	return ended, err
}

func noEvent(n int64) error {
	return disclosure.Errorf(disclosure.CodeNoEvent, "没有编号为 %d 的推送", n)
}

// QueueDepth counts what is queued, up to most.
func (s *Store) QueueDepth(ctx context.Context, most int) (int, error) {
	var low, high int64
	err := s.r.QueryRowContext(ctx, `SELECT COALESCE((SELECT MIN(n) FROM delivery), 0), COALESCE((SELECT MAX(n) FROM delivery), 0)`).Scan(&low, &high)
	if err != nil || high-low < int64(most) { // a full count only where it may matter
		return int(min(high-low, int64(most-1))), fault(err)
	}
	var depth int
	err = s.r.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM delivery WHERE state = 'queued' LIMIT $1) AS counted`, most).Scan(&depth)
	return depth, fault(err)
}
