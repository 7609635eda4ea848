package store

import (
	"context"
	"database/sql"
	"time"

	"gongkai/internal/disclosure"
)

// Forget removes up to limit of the oldest deliveries, those made before an
// instant, with their calls, and returns how many. How many there were of each end
// stays with their event. What is in flight is left to recovery.
//
// Deliveries are numbered as they are made, so the oldest are the first; no index
// of their age is needed.
func (s *Store) Forget(ctx context.Context, limit int, before time.Time) (int, error) {
	type end struct {
		event   int64
		state   disclosure.DeliveryState
		class   disclosure.Class
		channel disclosure.Channel
	}
	forgotten := 0
	err := s.write(ctx, "forget deliveries", func(tx *sql.Tx) error {
		gone, err := all(ctx, tx, func(rows *sql.Rows) (e end, err error) {
			err = rows.Scan(&e.event, &e.state, &e.class, &e.channel)
			return e, err
		}, `
			DELETE FROM delivery
			 WHERE n IN (SELECT n FROM (SELECT n, created_at, state FROM delivery ORDER BY n LIMIT $1) AS oldest
			              WHERE created_at < $2 AND state NOT IN ('leased', 'sending'))
			RETURNING event_n, state, class, channel`, limit, before.UnixMilli())
		if forgotten = len(gone); err != nil || forgotten == 0 {
			return err
		}
		counts := map[end]int{}
		for _, e := range gone {
			counts[e]++
		}
		rows := make([][]any, 0, len(counts))
		for e, n := range counts {
			rows = append(rows, []any{e.event, e.state, e.class, e.channel, n})
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO push_tally (event_n, state, class, channel, forgotten)
			SELECT v.c1, v.c2, v.c3, v.c4, v.c5
			  FROM `+s.d.rows("$1", "ittti")+` AS v
			 WHERE TRUE
			    ON CONFLICT (event_n, state, class, channel) DO UPDATE
			   SET forgotten = push_tally.forgotten + excluded.forgotten`, jsonText(rows))
		return err
	})
	return forgotten, err
}

// counted are the deliveries of the events in $1 by how they ended, those that
// were forgotten among them.
func (v *snapshot) counted(events string) string {
	in := v.d.inInts(events)
	return `
		SELECT event_n, state, class, channel, CAST(SUM(counted) AS BIGINT)
		  FROM (SELECT event_n, state, class, channel, count(*) AS counted
		          FROM delivery
		         WHERE event_n IN ` + in + `
		         GROUP BY event_n, state, class, channel
		         UNION ALL
		        SELECT event_n, state, class, channel, forgotten
		          FROM push_tally
		         WHERE event_n IN ` + in + `) AS ends
		 GROUP BY event_n, state, class, channel
		 ORDER BY event_n, state, class, channel`
}
