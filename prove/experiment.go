package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// form is how much is done: the amounts of an experiment are multiples of it.
type form int

const (
	short  form = iota // seconds for each experiment
	middle             // ten minutes together
	long               // hours
)

var forms = map[string]form{"short": short, "middle": middle, "long": long}

// pick returns the amount for the form.
func (f form) pick(s, m, l int) int { return []int{s, m, l}[f] }

// settings of a run.
type settings struct {
	binary, postgres, redis string
	root                    string // of the module
	seed                    uint64
	form                    form
}

// outcome is what an experiment found.
type outcome struct {
	figure string // as measured
	mark   string // what it had to reach
	passed bool
}

// experiment tries one thing. name begins with the number that reliability.md
// gives it.
type experiment struct {
	name  string
	tried string
	from  form // the smallest form it is part of
	run   func(context.Context, *lab) (outcome, error)
}

// experiments in the order they run.
var experiments = []experiment{
	{"01 withdrawal", "3 instances, PostgreSQL and Redis, faults, mixed reads; notices withdrawn meanwhile", short, withdrawalVanishes},
	{"02 lease", "the cache against 300 simulated minutes of partitions, and against planted bugs", middle,
		suite("cache", "TestNothingStaleIsServed|TestPlantedBugsAreCaught", "nothing stale; every bug caught")},
	{"07 kill", "SIGKILL while notices are published and withdrawn, restart, audit", short, killed},
	{"10 redis", "Redis down, slow, silent, flushed, full, read-only while people read", short, redisFaults},
	{"11 database", "PostgreSQL cut, then its connections killed under load", short, databaseFaults},
	{"14 bombs", "gzip, brotli, nested JSON, huge bodies and headers", short, bombs},
	{"15 slowloris", "connections that drip while good people read", middle, slowloris},
	{"16 spoof", "forged X-Forwarded-For, IPv6 neighbours", short, spoofed},
	{"18 authorisation", "every route, every role, own and other bodies", middle, suite("handlers", "TestAuthor.*", "as the table says")},
	{"20 personal", "an ID number looked for wherever data goes", short, personalData},
	{"21 purge", "an erased notice looked for in database, journal, Redis and backups", short, purged},
	{"23 audit", "rows of the audit log changed, deleted and moved, on both databases", middle, suite("internal/store", "TestAudit.*", "each is found and named")},
	{"24 upgrade", "new program under load, kept alive and not", middle, upgraded},
	{"25 backup", "backup under load, restored and verified", short, backedUp},
	{"27 herd", "cold start under load, empty Redis", middle, herd},
	{"28 overload", "several times what misses can be served", middle, overloaded},
	{"30 hotline", "100 turns of calls a second beside 1,000 reads a second", middle, telephoned},
	{"29 leak", "many requests and reconnects, then quiet", middle, leaks},
}

// preflight says what is missing before anything is begun.
func (s settings) preflight(ctx context.Context) error {
	if s.binary == "" {
		return errors.New("-binary must name the program; make prove does")
	}
	if out, err := exec.CommandContext(ctx, s.binary, "version").CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not run: %w: %s", s.binary, err, out)
	}
	if s.postgres == "" || s.redis == "" {
		return errors.New("no PostgreSQL or no Redis: run scripts/prove, which starts private ones")
	}
	if _, err := exec.LookPath("psql"); err != nil {
		return errors.New("psql is missing: apt-get install postgresql-client")
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(os.TempDir(), &fs); err != nil {
		return fmt.Errorf("temporary directory: %w", err)
	}
	if free := fs.Bavail * uint64(fs.Bsize) >> 20; free < 1024 {
		return fmt.Errorf("only %d MB are free in %s; 1024 are needed (TMPDIR chooses another place)", free, os.TempDir())
	}
	return nil
}

// run makes the experiments and prints the table. It leaves nothing behind.
func (s settings) run(ctx context.Context, only string, out io.Writer) (passed bool, err error) {
	l, err := newLab(s)
	if err != nil {
		return false, err
	}
	defer l.close()
	passed = true
	fmt.Fprintf(out, "seed %d\n", s.seed)
	for _, e := range experiments {
		if !strings.HasPrefix(e.name, only) || e.from > s.form {
			continue
		}
		start := time.Now()
		o, err := e.run(ctx, l)
		l.stopAll()
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		verdict := "pass"
		if err != nil {
			o, verdict = outcome{figure: err.Error(), mark: "to be run"}, "FAIL"
		} else if !o.passed {
			verdict = "FAIL"
		}
		passed = passed && verdict == "pass"
		fmt.Fprintf(out, "%s  %-13s %s\n      %-13s %s\n      %-13s mark: %s; %.0f s\n", verdict, e.name, e.tried, "", o.figure, "", o.mark, time.Since(start).Seconds())
	}
	return passed, nil
}
