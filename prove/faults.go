package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
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
	loading, stop, err := loadingRedis()
	if err != nil {
		return outcome{}, err
	}
	defer stop()
	for range l.form.pick(10, 30, 30) {
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
		}}.forAWhile(ctx, time.Duration(l.form.pick(700, 3000, 20000))*time.Millisecond)
		return t
	}
	base := reads()
	worst, where, failed := time.Duration(0), "", 0
	for _, f := range l.redisFailings(redis, loading) {
		if err := f.breaks(ctx); err != nil {
			return outcome{}, fmt.Errorf("%s: %w", f.name, err)
		}
		t := reads()
		if err := f.fix(context.WithoutCancel(ctx)); err != nil {
			return outcome{}, fmt.Errorf("mending %s: %w", f.name, err)
		}
		failed += t.failed + t.refused
		if p99 := t.times.at(0.99); p99 > worst {
			worst, where = p99, f.name
		}
	}
	l.stopAll()
	k, err := l.clusterFailover(ctx)
	if err != nil {
		return outcome{}, err
	}
	failed += k.reads.failed + k.reads.refused
	if p99 := k.reads.times.at(0.99); p99 > worst {
		worst, where = p99, "a primary of a cluster killed"
	}
	extra := worst - base.times.at(0.99)
	return outcome{figure: fmt.Sprintf("%d failed; p99 %d ms over the base of %d ms at worst (Redis %s); %s",
		failed, extra.Milliseconds(), base.times.at(0.99).Milliseconds(), where, k),
		mark:   "0 failed; ≤ 60 ms over; cluster back ≤ 2000 ms",
		passed: failed == 0 && extra <= 60*time.Millisecond && k.back <= 2*time.Second}, nil
}

// redisFailings are the ways in which Redis fails; loading is the address of one
// that still reads its file.
func (l *lab) redisFailings(redis *wire, loading string) []fault {
	server := redis.proxy.Upstream
	always := func(context.Context) error { return nil }
	set := func(args ...string) func(context.Context) error {
		return func(ctx context.Context) error { return l.redisDo(ctx, args...) }
	}
	return []fault{
		{"cut", func(context.Context) error { redis.cut(); return nil }, redis.heal},
		{"silent", func(context.Context) error { return redis.silence() }, redis.heal},
		{"200 ms slow", func(context.Context) error { return redis.slow(200 * time.Millisecond) }, redis.heal},
		{"flushed", set("FLUSHALL"), always},
		{"full", set("CONFIG", "SET", "maxmemory", "1"), set("CONFIG", "SET", "maxmemory", "0")},
		{"read-only", set("REPLICAOF", "127.0.0.1", "1"), set("REPLICAOF", "NO", "ONE")},
		{"loading", func(ctx context.Context) error { return redis.divert(ctx, loading) },
			func(ctx context.Context) error { return redis.divert(ctx, server) }},
	}
}

// loadingRedis is a Redis that has been restarted and still reads its file: it
// answers every command with LOADING.
func loadingRedis() (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				r := bufio.NewReader(conn)
				for {
					var parts int
					line, err := r.ReadString('\n')
					if _, e := fmt.Sscanf(line, "*%d", &parts); err != nil || e != nil {
						return
					}
					for range 2 * parts { // a length and a word each; no word here has a line break
						if _, err := r.ReadString('\n'); err != nil {
							return
						}
					}
					if _, err := io.WriteString(conn, "-LOADING Redis is loading the dataset in memory\r\n"); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), func() { _ = l.Close() }, nil
}
