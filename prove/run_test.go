package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program writes a shell script that stands for the program.
func program(t *testing.T, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// with makes the runner know other experiments.
func with(t *testing.T, list ...experiment) {
	t.Helper()
	before := experiments
	experiments = list
	t.Cleanup(func() { experiments = before })
}

// A run that is broken off ends what it started, removes its files, and prints
// what it knows already.
func TestBrokenOffLeavesNothingBehind(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var started *node
	with(t,
		experiment{"01 done", "", short, func(context.Context, *lab) (outcome, error) {
			return outcome{figure: "known", mark: "any", passed: true}, nil
		}, quiet},
		experiment{"02 under way", "", short, func(ctx context.Context, l *lab) (outcome, error) {
			if _, err := l.folder(); err != nil {
				return outcome{}, err
			}
			started = &node{lab: l, binary: program(t, `[ -n "$1" ] || "$0" child & sleep 60; true`), log: &logBuffer{}}
			if err := started.begin(context.WithoutCancel(ctx)); err != nil {
				return outcome{}, err
			}
			l.nodes = append(l.nodes, started)
			stop()
			return outcome{}, ctx.Err()
		}, quiet},
		experiment{"03 never", "", short, func(context.Context, *lab) (outcome, error) {
			return outcome{}, errors.New("begun after the end")
		}, quiet},
	)
	var progress, table bytes.Buffer
	passed, err := settings{binary: program(t, "echo v0")}.run(ctx, "", &progress, &table)
	if passed || err == nil || !strings.Contains(err.Error(), "stopped during 02 under way; what was started is gone") {
		t.Errorf("it says %v and passed: %v", err, passed)
	}
	if !strings.Contains(table.String(), "| 01 done | ") || strings.Contains(progress.String(), "03") {
		t.Errorf("it printed %q and %q", progress.String(), table.String())
	}
	if left := names(t, tmp); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if left := mentioning(t, started.binary); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}

// What fails, and what cannot be run here, is told as that.
func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		outcome outcome
		err     error
		verdict string
		passed  bool
	}{
		{outcome{passed: true}, nil, "pass", true},
		{outcome{passed: false}, nil, failed, false},
		{outcome{passed: true}, errors.New("broke"), failed, false},
		{outcome{}, fmt.Errorf("here: %w", impossible{"needs root"}), "not run", true},
	} {
		with(t, experiment{"99 one", "", short, func(context.Context, *lab) (outcome, error) { return c.outcome, c.err }, quiet})
		var table bytes.Buffer
		passed, err := settings{binary: program(t, "echo v0")}.run(t.Context(), "", &bytes.Buffer{}, &table)
		if err != nil || passed != c.passed || !strings.Contains(table.String(), "| "+c.verdict+", ") {
			t.Errorf("%+v, %v: passed %v, %v: %s", c.outcome, c.err, passed, err, table.String())
		}
	}
	if _, err := (settings{}).run(t.Context(), "no such", &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
		t.Error("an unknown experiment passes")
	}
}

// Ports are asked for before anything is begun. Here there are none, as there
// are no descriptors for them.
func TestNoFreePorts(t *testing.T) {
	if os.Getenv("PROVE_PORTS") != "" {
		if err := freePorts(12); err == nil || !strings.Contains(err.Error(), "12 free ports are needed: no free port on 127.0.0.1") {
			t.Errorf("it says %v", err)
		}
		return
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -n 14 && exec "$0" -test.run '^TestNoFreePorts$'`, os.Args[0])
	cmd.Env = append(os.Environ(), "PROVE_PORTS=none")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := freePorts(12); err != nil {
		t.Error(err)
	}
}

func TestNothingBeginsWithoutWhatItNeeds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	runs := program(t, "echo v0")
	for says, s := range map[string]settings{
		"-binary must name the program": {},
		"does not run":                  {binary: program(t, "exit 3")},
		"no PostgreSQL or no Redis":     {binary: runs},
		"does not answer":               {binary: runs, postgres: "postgres://127.0.0.1:1/x", redis: "redis://127.0.0.1:1"},
	} {
		if err := s.preflight(ctx); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("it says %v, want %q", err, says)
		}
	}
}
