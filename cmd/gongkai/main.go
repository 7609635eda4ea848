// Gongkai (公开) publishes a district's public-resource information once and
// serves it everywhere. This is its one binary; `gongkai help` lists what it
// does, `gongkai serve` runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The exit codes, as `gongkai help` documents them.
const (
	exitOK     = 0
	exitFailed = 1 // it could not be done; the message says why
	exitUsage  = 2 // bad arguments or configuration
	exitFaulty = 3 // it was done, and found something wrong: a bad audit row, file or line
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	root := newRoot(&program{out: os.Stdout, log: os.Stderr, now: time.Now, env: os.Environ()})
	err := root.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gongkai:", message(err))
	}
	os.Exit(exitCode(err))
}

// failure is an error with the exit code it ends the program with.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// usage makes an error of bad arguments or configuration.
func usage(format string, args ...any) error { return &failure{exitUsage, fmt.Errorf(format, args...)} }

// faulty makes an error of something found wrong.
func faulty(format string, args ...any) error {
	return &failure{exitFaulty, fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if f := new(failure); errors.As(err, &f) {
		return f.code
	}
	return exitFailed
}
