package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// cluster is several instances over one PostgreSQL and one Redis, each behind
// wires of its own.
type cluster struct {
	nodes    []*node
	redis    []*wire
	postgres []*wire
	office   *office
	base     string // name of the database
	url      string // of the database itself
}

func (l *lab) cluster(ctx context.Context, size int) (*cluster, error) {
	c := &cluster{}
	u, name, err := l.database(ctx)
	if err != nil {
		return nil, err
	}
	c.base, c.url = name, u
	if err := l.redisDo(ctx, "FLUSHALL"); err != nil {
		return nil, err
	}
	for range size {
		db, err := l.through(u)
		if err != nil {
			return nil, err
		}
		redis, err := l.through(l.redisURL())
		if err != nil {
			return nil, err
		}
		dir, err := l.folder()
		if err != nil {
			return nil, err
		}
		n, err := l.start(ctx, "--data", dir, "--database", db.url, "--redis", redis.url)
		if err != nil {
			return nil, err
		}
		c.nodes, c.redis, c.postgres = append(c.nodes, n), append(c.redis, redis), append(c.postgres, db)
	}
	c.office, err = l.hire(ctx, c.nodes[0], "--database", u)
	return c, err
}

func (l *lab) redisURL() string { return l.settings.redis }

// redisDo runs a command on the Redis itself.
func (l *lab) redisDo(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-u", l.redisURL()}, args...)...).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("ERR")) {
		return fmt.Errorf("redis-cli %s: %w: %s", args[0], err, out)
	}
	return nil
}

// fault breaks something for a moment; mend makes it whole.
type fault struct {
	name        string
	break_, fix func(context.Context) error
}

// faults of one instance; the first instance, where staff write, keeps its
// database.
func (c *cluster) faults(l *lab, i int) []fault {
	still := func(context.Context) error { return nil }
	redis, db, n := c.redis[i], c.postgres[i], c.nodes[i]
	list := []fault{
		{"Redis cut", func(context.Context) error { redis.cut(); return nil }, redis.heal},
		{"Redis silent", func(context.Context) error { return redis.silence() }, redis.heal},
		{"Redis flushed", func(ctx context.Context) error { return l.redisDo(ctx, "FLUSHALL") }, still},
		{"Redis read-only", func(ctx context.Context) error { return l.redisDo(ctx, "REPLICAOF", "127.0.0.1", "1") },
			func(ctx context.Context) error { return l.redisDo(ctx, "REPLICAOF", "NO", "ONE") }},
	}
	if i > 0 {
		list = append(list,
			fault{"database cut", func(context.Context) error { db.cut(); return nil }, db.heal},
			fault{"database silent", func(context.Context) error { return db.silence() }, db.heal},
			fault{"process stopped", func(context.Context) error { return n.cmd.Process.Signal(syscall.SIGSTOP) },
				func(context.Context) error { return n.cmd.Process.Signal(syscall.SIGCONT) }})
	}
	return list
}

// breakThings breaks one thing after another until ctx ends and leaves all
// whole. It returns how many.
func (c *cluster) breakThings(ctx context.Context, l *lab) (int, error) {
	broken := 0
	for ctx.Err() == nil {
		list := c.faults(l, l.rand.IntN(len(c.nodes)))
		f := list[l.rand.IntN(len(list))]
		if err := f.break_(ctx); err != nil && ctx.Err() == nil {
			return broken, fmt.Errorf("%s: %w", f.name, err)
		}
		broken++
		wait(ctx, time.Duration(800+l.rand.IntN(1000))*time.Millisecond)
		if err := f.fix(context.WithoutCancel(ctx)); err != nil {
			return broken, fmt.Errorf("mending %s: %w", f.name, err)
		}
		wait(ctx, 300*time.Millisecond)
	}
	return broken, nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// ledger knows when each withdrawal was acknowledged, and how long after that a
// reader who began later still saw the notice.
type ledger struct {
	mu     sync.Mutex
	acked  map[string]time.Time // by code
	lasted map[string]time.Duration
	reads  int
	marked int // answers that said how old they are
}

func (g *ledger) see(a answer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reads++
	if a.status != 200 {
		return
	}
	if a.header.Get("Age") != "" { // the database was out of reach, and the answer says so
		g.marked++
		return
	}
	for code, at := range g.acked {
		if a.begun.After(at) && bytes.Contains(a.body, []byte(`"code":"`+code+`"`)) {
			g.lasted[code] = max(g.lasted[code], a.begun.Sub(at))
		}
	}
}

// withdrawalVanishes withdraws notices while everything breaks in turn.
func withdrawalVanishes(ctx context.Context, l *lab) (outcome, error) {
	c, err := l.cluster(ctx, 3)
	if err != nil {
		return outcome{}, err
	}
	amount := l.form.pick(12, 120, 500)
	notices := make([]notice, amount)
	for i := range notices {
		if notices[i], err = c.office.publishTender(ctx, c.nodes[0]); err != nil {
			return outcome{}, err
		}
	}
	g := &ledger{acked: map[string]time.Time{}, lasted: map[string]time.Duration{}}
	turn := 0
	reading := load{rate: l.form.pick(300, 600, 2000), see: g.see, next: func() (*node, string) {
		turn++
		code := notices[(turn*7)%amount].code
		return c.nodes[turn%len(c.nodes)], []string{"/api/v1/notices?limit=100", "/api/v1/notices/" + code, "/api/v1/home",
			"/api/v1/notices?q=%E9%81%93%E8%B7%AF", "/api/v1/notices/" + code}[turn/3%5]
	}}
	background, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	var broken int
	var breaking error
	running.Go(func() { reading.run(background) })
	running.Go(func() { broken, breaking = c.breakThings(background, l) })
	for _, n := range notices {
		wait(ctx, time.Duration(100+l.rand.IntN(300))*time.Millisecond)
		if err := c.office.withdraw(ctx, c.nodes[0], n.id, false); err != nil {
			return outcome{}, err
		}
		g.mu.Lock()
		g.acked[n.code] = time.Now()
		g.mu.Unlock()
	}
	wait(ctx, 3*time.Second)
	stop()
	running.Wait()
	if breaking != nil {
		return outcome{}, breaking
	}
	lasted := make(times, 0, amount)
	for _, n := range notices {
		lasted = append(lasted, g.lasted[n.code])
	}
	worst := lasted.at(1)
	return outcome{
		figure: fmt.Sprintf("last seen %d ms after the acknowledgement at worst, p99 %d ms (%d withdrawn, %d faults, %d reads, %d marked as old)",
			worst.Milliseconds(), lasted.at(0.99).Milliseconds(), amount, broken, g.reads, g.marked),
		mark: "< 1000 ms", passed: worst < time.Second && g.reads > amount,
	}, nil
}
