package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// redisFaults reads, mostly past the cache of the process, while Redis fails in
// every way it knows.
func redisFaults(ctx context.Context, l *lab) (outcome, error) {
	c, err := l.cluster(ctx, 1)
	if err != nil {
		return outcome{}, err
	}
	n, redis := c.nodes[0], c.redis[0]
	for range 30 {
		if _, err := c.office.publishTender(ctx, n); err != nil {
			return outcome{}, err
		}
	}
	turn := 0
	reads := func() tally {
		var t tally
		load{rate: 100, see: t.see, next: func() (*node, string) {
			turn++
			return n, fmt.Sprintf("/api/v1/notices?limit=%d&region=%d", 1+turn%20, 320000+turn)
		}}.forAWhile(ctx, time.Duration(l.form.pick(1500, 5000, 20000))*time.Millisecond)
		return t
	}
	base := reads()
	worst, where, failed := time.Duration(0), "", 0
	always := func(context.Context) error { return nil }
	set := func(args ...string) func(context.Context) error {
		return func(ctx context.Context) error { return l.redisDo(ctx, args...) }
	}
	for _, f := range []fault{
		{"cut", func(context.Context) error { redis.cut(); return nil }, redis.heal},
		{"silent", func(context.Context) error { return redis.silence() }, redis.heal},
		{"200 ms slow", func(context.Context) error { return redis.slow(200 * time.Millisecond) }, redis.heal},
		{"flushed", set("FLUSHALL"), always},
		{"full", set("CONFIG", "SET", "maxmemory", "1"), set("CONFIG", "SET", "maxmemory", "0")},
		{"read-only", set("REPLICAOF", "127.0.0.1", "1"), set("REPLICAOF", "NO", "ONE")},
	} {
		if err := f.break_(ctx); err != nil {
			return outcome{}, fmt.Errorf("%s: %w", f.name, err)
		}
		t := reads()
		if err := f.fix(ctx); err != nil {
			return outcome{}, fmt.Errorf("mending %s: %w", f.name, err)
		}
		failed += t.failed + t.refused
		if p99 := t.times.at(0.99); p99 > worst {
			worst, where = p99, f.name
		}
	}
	extra := worst - base.times.at(0.99)
	return outcome{figure: fmt.Sprintf("%d failed; p99 %d ms over the base of %d ms at worst (Redis %s)",
		failed, extra.Milliseconds(), base.times.at(0.99).Milliseconds(), where),
		mark: "0 failed; ≤ 120 ms over", passed: failed == 0 && extra <= 120*time.Millisecond}, nil
}

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
	var t tally
	var reading sync.WaitGroup
	turn := 0
	reading.Go(func() {
		load{rate: 100, see: t.see, next: func() (*node, string) {
			turn++
			return n, fmt.Sprintf("/api/v1/notices?region=%d", 320000+turn)
		}}.forAWhile(ctx, 4*time.Second)
	})
	kills := l.form.pick(3, 10, 20)
	for range kills {
		wait(ctx, 3500*time.Millisecond/time.Duration(kills))
		if _, err := l.psql(ctx, fmt.Sprintf(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '%s'`, c.base)); err != nil {
			return outcome{}, err
		}
	}
	reading.Wait()
	lost := float64(t.failed) / float64(max(1, t.ok+t.failed+t.refused))
	return outcome{figure: fmt.Sprintf("cut: ordinary 200 with Age, personal 503, back after %d ms; %d times all connections killed: %s",
		back.Milliseconds(), kills, &t),
		mark: "back ≤ 2000 ms; failed ≤ 5 %", passed: back <= 2*time.Second && lost <= 0.05 && t.ok > 100}, nil
}
