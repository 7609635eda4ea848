package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// databaseFaults takes PostgreSQL away: ordinary notices are still served and
// say how old they are, personal ones are not; then kills its connections under
// load.
func databaseFaults(ctx context.Context, l *lab) (outcome, error) {
	c, err := l.cluster(ctx, 1)
	if err != nil {
		return outcome{}, err
	}
	n := c.nodes[0]
	ordinary, err := c.office.publishTender(ctx, n)
	if err != nil {
		return outcome{}, err
	}
	personal, err := c.office.publish(ctx, n, c.office.draft(allocation, "公共租赁住房分配结果"))
	if err != nil {
		return outcome{}, err
	}
	read := func(code string) answer {
		return load{}.get(&http.Client{Timeout: 10 * time.Second}, n, "/api/v1/notices/"+code)
	}
	read(ordinary.code)
	read(personal.code)
	c.postgres[0].cut()
	wait(ctx, 1500*time.Millisecond)
	o, p := read(ordinary.code), read(personal.code)
	if o.status != 200 || o.header.Get("Age") == "" || p.status != 503 {
		return outcome{figure: fmt.Sprintf("without database: ordinary %d (Age %q), personal %d", o.status, o.header.Get("Age"), p.status),
			mark: "200 with Age, 503"}, nil
	}
	if err := c.postgres[0].heal(ctx); err != nil {
		return outcome{}, err
	}
	healed := time.Now()
	for read(personal.code).status != 200 && time.Since(healed) < time.Minute {
		wait(ctx, 20*time.Millisecond)
	}
	back := time.Since(healed)
	kills := l.form.pick(3, 10, 20)
	t, err := l.connectionsKilled(ctx, c, kills)
	if err != nil {
		return outcome{}, err
	}
	locked, lockedBack, err := l.tableLocked(ctx, c, ordinary.code)
	if err != nil {
		return outcome{}, err
	}
	busy, busyBack, err := l.fileLocked(ctx)
	if err != nil {
		return outcome{}, err
	}
	l.stopAll()
	again, err := l.postgresRestarted(ctx)
	if err != nil {
		return outcome{}, err
	}
	slowest := max(back, lockedBack, busyBack, again.back)
	return outcome{figure: fmt.Sprintf("cut: ordinary 200 with Age, personal 503; %d times all connections killed: %s, %d of them in flight; table locked: %s; SQLite locked: %s; %s; back after %d ms at most",
		kills, &t.tally, t.inFlight, locked, busy, again, slowest.Milliseconds()),
		mark: "back ≤ 2000 ms; 0 failed but what was in flight on a connection that was killed; 0 acknowledged lost",
		passed: slowest <= 2*time.Second && t.failed == t.inFlight && t.ok > 100 && locked.failed+busy.failed == 0 && locked.ok > 0 && busy.ok > 0 &&
			again.reads.failed == 0 && again.lost == 0 && again.kept >= again.times}, nil
}

// span is a stretch of time.
type span struct{ from, to time.Time }

// struck is what people got while connections were killed under them.
type struck struct {
	tally
	failures []span // when each that failed was under way
	inFlight int    // failures that were under way at a kill
}

func (s *struck) see(a answer) {
	before := s.failed
	if s.tally.see(a); s.failed > before {
		s.failures = append(s.failures, span{a.begun, a.planned.Add(a.took)})
	}
}

// excuse counts the failures that a kill may have hit: those under way when it
// happened. Who asked afterwards has no business with a dead connection.
func (s *struck) excuse(kills []span) {
	for _, f := range s.failures {
		if slices.ContainsFunc(kills, func(k span) bool { return !f.from.After(k.to) && !f.to.Before(k.from) }) {
			s.inFlight++
		}
	}
}

// connectionsKilled ends all connections to the database several times while
// people read past the caches.
func (l *lab) connectionsKilled(ctx context.Context, c *cluster, times int) (*struck, error) {
	var t struck
	var kills []span
	var reading sync.WaitGroup
	turn := 0
	reading.Go(func() {
		load{rate: 100, see: t.see, next: func() (*node, string) {
			turn++
			return c.nodes[0], fmt.Sprintf("/api/v1/notices?region=%d", 320000+turn)
		}}.forAWhile(ctx, 4*time.Second)
	})
	for range times {
		wait(ctx, 3500*time.Millisecond/time.Duration(times))
		begun := time.Now()
		if _, err := l.psql(ctx, fmt.Sprintf(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '%s'`, c.base)); err != nil {
			return nil, err
		}
		kills = append(kills, span{begun, time.Now()})
	}
	reading.Wait()
	t.excuse(kills)
	return &t, nil
}

// lockedFor is how long a lock is held.
func (l *lab) lockedFor() time.Duration {
	return time.Duration(l.form.pick(1500, 5000, 10000)) * time.Millisecond
}

// during reads, every third time past the caches, while f holds something, and
// tells how long after that it takes until a read past the caches is answered:
// asked at once, while whoever asked before may still wait.
func (l *lab) during(ctx context.Context, n *node, code string, f func() error) (*tally, time.Duration, error) {
	var t tally
	var reading sync.WaitGroup
	background, stop := context.WithCancel(ctx)
	defer stop()
	var fresh atomic.Int64
	past := func() string { return fmt.Sprintf("/api/v1/notices?region=%d", 500_000+fresh.Add(1)) }
	turn := 0
	reading.Go(func() {
		load{rate: 60, see: t.see, next: func() (*node, string) {
			if turn++; turn%3 == 0 {
				return n, past()
			}
			return n, "/api/v1/notices/" + code
		}}.run(background)
	})
	err := f()
	healed := time.Now()
	for (load{}).get(&http.Client{Timeout: 10 * time.Second}, n, past()).status != http.StatusOK && time.Since(healed) < time.Minute && ctx.Err() == nil {
		wait(ctx, 20*time.Millisecond)
	}
	back := time.Since(healed)
	stop()
	reading.Wait()
	return &t, back, err
}

// tableLocked locks the notices, as a careless migration would, so that every
// query of them takes a connection and waits.
func (l *lab) tableLocked(ctx context.Context, c *cluster, code string) (*tally, time.Duration, error) {
	u, err := url.Parse(l.postgres)
	if err != nil {
		return nil, 0, err
	}
	u.Path = "/" + c.base
	return l.during(ctx, c.nodes[0], code, func() error {
		_, err := l.exec(ctx, l.dir, nil, "psql", "-XAtq", "-d", u.String(), "-c",
			fmt.Sprintf("BEGIN; LOCK TABLE notice IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(%f); COMMIT", l.lockedFor().Seconds()))
		return err
	})
}

// sqliteWriter is the byte of the -shm file whose lock makes a process SQLite's
// writer (wal.c, WAL_WRITE_LOCK).
const sqliteWriter = 120

// fileLocked holds SQLite's write lock as a backup tool or a stopped process
// would. Reading goes on, and a writer is told to come back or waits.
func (l *lab) fileLocked(ctx context.Context) (t *tally, back time.Duration, err error) {
	dir, n, o, err := l.alone(ctx)
	if err != nil {
		return nil, 0, err
	}
	made, err := o.publishTender(ctx, n)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "gongkai.db-shm"), os.O_RDWR, 0)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	t, back, err = l.during(ctx, n, made.code, func() error {
		lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: sqliteWriter, Len: 1}
		if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLKW, &lock); err != nil {
			return err
		}
		wait(ctx, l.lockedFor())
		lock.Type = syscall.F_UNLCK
		return syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock)
	})
	if err != nil {
		return nil, 0, err
	}
	begun := time.Now()
	_, err = o.publishTender(ctx, n)
	return t, max(back, time.Since(begun)), err
}
