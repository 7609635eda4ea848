// Command prove starts the real program, breaks what it stands on and measures
// what people would see: each experiment prints what was tried, the seed, the
// figure and the mark it had to reach. It knows the program only as its users
// do – its binary, its command line, its HTTP interface – and imports none of
// its packages.
//
// make prove runs the form of about twelve minutes, make prove LONG=1 everything
// at length, an hour and a half, and make test the short form, a minute.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var s settings
	flag.StringVar(&s.binary, "binary", "", "the program; required")
	flag.StringVar(&s.crashing, "crashing", "", "the program built with the tag crashpoints")
	flag.StringVar(&s.root, "root", ".", "the program's source, for the experiments that are tests of its packages")
	flag.StringVar(&s.postgres, "postgres", os.Getenv("GONGKAI_TEST_POSTGRES"), "a PostgreSQL server on which databases can be made")
	flag.StringVar(&s.redis, "redis", os.Getenv("GONGKAI_TEST_REDIS"), "a Redis that can be broken")
	flag.Uint64Var(&s.seed, "seed", rand.Uint64N(1_000_000), "seed of all that is random")
	form := flag.String("form", "middle", "short (a minute), middle (twelve) or long (an hour and a half)")
	only := flag.String("only", "", "run the experiments whose name begins so")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var ok bool
	if s.form, ok = forms[*form]; !ok {
		fmt.Fprintln(os.Stderr, "prove: -form is short, middle or long")
		os.Exit(2)
	}
	if err := s.preflight(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
		os.Exit(2)
	}
	passed, err := s.run(ctx, *only, os.Stderr, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "prove:", err)
	}
	if err != nil || !passed {
		os.Exit(1)
	}
}
