// Command bench measures gongkai against its rivals on one machine: a bare
// fiber handler that sends the same bytes, another that fetches them from Redis,
// nginx with the same bytes as files, and PocketBase with the same rows. Machines are noisy, so rivals take turns,
// round by round, and what counts is the ratio of the medians.
//
// It wants wrk and nginx; scripts/bench installs them and builds the rivals.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// settings of a run.
type settings struct {
	dir      string // for built programs and data, kept between runs
	notices  int
	rounds   int
	seconds  int
	postgres string
	redis    string
}

func main() {
	if len(os.Args) == 5 && os.Args[1] == fiberCommand { // started by startFiber; a signal ends it
		if err := serveFiber(context.Background(), os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var s settings
	flag.StringVar(&s.dir, "dir", ".cache", "folder for programs and data")
	flag.IntVar(&s.notices, "notices", 100_000, "notices in the database")
	flag.IntVar(&s.rounds, "rounds", 5, "rounds; rivals take turns in each")
	flag.IntVar(&s.seconds, "seconds", 3, "seconds of load each")
	flag.StringVar(&s.postgres, "postgres", os.Getenv("GONGKAI_TEST_POSTGRES"), "PostgreSQL server for the visibility test")
	flag.StringVar(&s.redis, "redis", os.Getenv("GONGKAI_TEST_REDIS"), "Redis for the visibility test")
	only := flag.String("only", "", "parts, with commas: side, miss, search, peer, visible, start, grow; empty for all")
	flag.Parse()
	if err := s.run(ctx, *only); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("stopped; what was started is gone (%w)", err)
		}
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (s settings) database() string {
	return filepath.Join(s.dir, fmt.Sprintf("n%d.db", s.notices))
}

func (s settings) run(ctx context.Context, only string) error {
	if err := load(ctx, s.database(), s.notices); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"side", s.side}, {"miss", s.miss}, {"search", s.search}, {"peer", s.peer}, {"visible", s.visible}, {"start", s.start}, {"grow", s.grow},
	} {
		if only != "" && !slices.Contains(strings.Split(only, ","), part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}
