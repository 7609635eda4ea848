package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the tests run this program as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv("BENCH_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// running lists the command lines of processes that name a word.
func running(t *testing.T, word string) (all []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(word)) {
			all = append(all, string(bytes.ReplaceAll(b, []byte{0}, []byte(" "))))
		}
	}
	return all
}

// becomes waits until so many processes name a word.
func becomes(t *testing.T, processes int, word string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for len(running(t, word)) != processes {
		if time.Now().After(deadline) {
			t.Fatalf("want %d running: %q", processes, running(t, word))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// script is a program whose child has its name in its command line and hears no
// signal.
func script(t *testing.T, file string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte("#!/bin/sh\nsh -c \"trap '' TERM; sleep 60; : $0\" &\nwait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// A rival ends with all that it has started.
func TestStopEndsTheWholeGroup(t *testing.T) {
	answers := httptest.NewServer(http.NotFoundHandler())
	defer answers.Close()
	program := script(t, filepath.Join(t.TempDir(), "rival"))
	v, err := run(exec.CommandContext(t.Context(), program), "", answers.URL)
	if err != nil {
		t.Fatal(err)
	}
	v.stop()
	becomes(t, 0, program)
}

// A rival that ends before it answers is told at once.
func TestRivalThatEnds(t *testing.T) {
	_, err := run(exec.CommandContext(t.Context(), "false"), "", "http://127.0.0.1:1/")
	if err == nil || !strings.Contains(err.Error(), "false ended: exit status 1") {
		t.Errorf("it says %v", err)
	}
}

// Whatever ends a measurement, nothing it has started is left, nor half of a
// database.
func TestBrokenOffLeavesNothingBehind(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			dir, tmp := t.TempDir(), t.TempDir()
			program := script(t, filepath.Join(dir, "gongkai"))
			var says bytes.Buffer
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-dir", dir, "-only", "start", "-notices", "20")
			cmd.Env = append(os.Environ(), "BENCH_MAIN=1", "TMPDIR="+tmp)
			cmd.Stdout, cmd.Stderr = &says, &says
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			becomes(t, 2, program) // with its child
			_ = cmd.Process.Signal(sig)
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(says.String(), "stopped; what was started is gone") {
				t.Errorf("it ended with %d and said %q", code, says.String())
			}
			becomes(t, 0, program)
			if left, _ := filepath.Glob(filepath.Join(dir, "*.part*")); len(left) > 0 {
				t.Errorf("left in the cache: %q", left)
			}
			if left, _ := filepath.Glob(filepath.Join(tmp, "*")); len(left) > 0 {
				t.Errorf("left in the temporary folder: %q", left)
			}
		})
	}
}

// A broken off filling is begun anew, and nothing of it stays.
func TestHalfADatabaseIsNotKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "n.db")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := load(ctx, file, 20); err == nil {
		t.Error("it was filled though broken off")
	}
	if err := os.WriteFile(file+".part", []byte("half"), 0o600); err != nil { // killed
		t.Fatal(err)
	}
	if err := load(t.Context(), file, 20); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(file + ".*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Whoever still computes is waited for before the next has its turn.
func TestRestWaitsForWhatIsUnderWay(t *testing.T) {
	answers := httptest.NewServer(http.NotFoundHandler())
	defer answers.Close()
	busy := filepath.Join(t.TempDir(), "busy")
	if err := os.WriteFile(busy, []byte("#!/bin/sh\ni=0\nwhile [ $i -lt 600000 ]; do i=$((i+1)); done\nexec sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	v, err := run(exec.CommandContext(t.Context(), busy), "", answers.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer v.stop()
	if err := v.rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", v.cmd.Process.Pid)); err != nil || string(now) != "sleep\n" {
		t.Errorf("at rest it is at %q, %v", now, err)
	}
}
