package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

var word = regexp.MustCompile(`[\w.+-]+`)

// tools is a PATH with all that this machine has of what the scripts name, but for
// what is missing, and with scripts in the place of others.
func tools(t *testing.T, missing string, instead map[string]string) string {
	t.Helper()
	dir, named := t.TempDir(), map[string]bool{}
	files, _ := filepath.Glob("../scripts/*")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range word.FindAllString(string(b), -1) {
			named[name] = name != missing && name != "sudo"
		}
	}
	for name, script := range instead {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range filepath.SplitList(os.Getenv("PATH")) {
		entries, _ := os.ReadDir(from)
		for _, e := range entries {
			if named[e.Name()] {
				_ = os.Symlink(filepath.Join(from, e.Name()), filepath.Join(dir, e.Name())) // the first wins
			}
		}
	}
	return dir
}

// project is a copy of the project's scripts beside nothing else, to which no
// program is known that lies outside PATH.
func project(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"scripts", "bench"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob("../scripts/*")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(b, []byte("/usr/sbin"), []byte("/nowhere"))
		if err := os.WriteFile(filepath.Join(dir, "scripts", filepath.Base(f)), b, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// script runs one of the project's scripts in an empty temporary folder and
// returns what it said, how it ended and what it left there.
func script(t *testing.T, path string, env []string, args ...string) (says string, code int, left []string) {
	t.Helper()
	tmp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(project(t), "scripts", args[0]), args[1:]...)
	cmd.Env = append(os.Environ(), append(env, "PATH="+path, "LONG=", "TMPDIR="+tmp, "GONGKAI_TEST_POSTGRES=", "GONGKAI_TEST_REDIS=")...)
	inGroup(cmd)
	out, _ := cmd.CombinedOutput()
	return string(out), cmd.ProcessState.ExitCode(), names(t, tmp)
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestWhatIsMissingIsToldBeforeAnythingIsBegun(t *testing.T) {
	refuse := map[string]string{"id": "echo 0", "apt-get": `[ "$1" = update ]`}
	for name, c := range map[string]struct {
		missing string
		instead map[string]string
		says    string
		args    []string // default: -only 13
	}{
		"little disk": {"", map[string]string{"df": "echo head; echo x 900000 1 100 1% /"}, "only 100 MB are free in ", nil},
		"little disk for the cache": {"", map[string]string{"df": `echo head; case "$2" in */bench) echo x 9 1 200 1% /;; *) echo x 9 1 9000 1% /;; esac`},
			"/bench; 1024 are needed (for the databases that bench/.cache keeps)", []string{}},
		"no strace for the power cut": {"strace", refuse, "missing: strace. apt-get could not install it", []string{"-form", "short", "-only", "05"}},
		"no strace for all":           {"strace", refuse, "missing: strace. apt-get could not install it", []string{"-form=long"}},
		"no nginx for the speed":      {"nginx", refuse, "missing: nginx-light. apt-get could not install it", []string{}},
		"not root": {"redis-server", map[string]string{"id": "echo 1000"},
			"missing: redis-server. This is not root and has no sudo without a password; run as root: apt-get install redis-server", nil},
		"no network": {"redis-server", map[string]string{"id": "echo 0", "apt-get": "exit 100"},
			"missing: redis-server. apt-get could not install it", nil},
		"no wrk": {"wrk", refuse, "missing: wrk. apt-get could not install it", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.args == nil {
				c.args = []string{"-only", "13"}
			}
			says, code, left := script(t, tools(t, c.missing, c.instead), nil, append([]string{"prove"}, c.args...)...)
			if code != 2 || !strings.Contains(says, c.says) || len(left) > 0 {
				t.Errorf("ended with %d, left %v and said %q, want 2, nothing and %q", code, left, says, c.says)
			}
		})
	}
}

// Servers end with the command they were started for, whatever ends it.
func TestServersEndWithTheirCommand(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			tmp, err := os.MkdirTemp("", "prove-servers-") // open to the user postgres, which t.TempDir is not
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(tmp) })
			if err := os.Chmod(tmp, 0o755); err != nil {
				t.Fatal(err)
			}
			var says bytes.Buffer
			cmd := exec.CommandContext(t.Context(), "../scripts/with-services", "sh", "-c",
				`redis-cli -u "$GONGKAI_TEST_REDIS" ping && psql -XAtqd "$GONGKAI_TEST_POSTGRES" -c "SELECT 'also'" >"$TMPDIR/began" && exec sleep 60`)
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
			cmd.Stdout, cmd.Stderr = &says, &says
			inGroup(cmd)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			for began := filepath.Join(tmp, "began"); ctx.Err() == nil; wait(ctx, 10*time.Millisecond) {
				if b, _ := os.ReadFile(began); string(b) == "also\n" {
					break
				}
			}
			_ = cmd.Process.Signal(sig)
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 130 || ctx.Err() != nil {
				t.Errorf("it ended with %d and said %q", code, says.String())
			}
			if left := names(t, tmp); len(left) != 1 {
				t.Errorf("left in the temporary folder: %v", left)
			}
			if left := mentioning(t, tmp); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
		})
	}
}

// mentioning lists the command lines of processes that name a folder.
func mentioning(t *testing.T, dir string) (all []string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range lines {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(dir)) {
			all = append(all, string(bytes.ReplaceAll(b, []byte{0}, []byte(" "))))
		}
	}
	return all
}
