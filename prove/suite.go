package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// logged is what a test says of itself.
var logged = regexp.MustCompile(`(?m)^\s+\S+_test\.go:\d+: (.+)$`)

// suite runs tests of the program's own packages in their long form, for what
// cannot be seen from outside. The tests say what they found by t.Log. The race
// detector watches their short form only: over many simulations it falls over
// testing/synctest itself (golang/go#78156).
func suite(folder, tests, mark string) func(context.Context, *lab) (outcome, error) {
	return func(ctx context.Context, l *lab) (outcome, error) {
		cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout", "60m", "-v", "-run", "^("+tests+")$", "./"+folder)
		cmd.Dir = l.root
		cmd.Env = append(os.Environ(), "GONGKAI_PROVE="+[]string{"short", "middle", "long"}[l.form], "GONGKAI_TEST_ALL=1", fmt.Sprintf("GONGKAI_TEST_SEED=%d", l.seed),
			"GONGKAI_TEST_POSTGRES="+l.postgres, "GONGKAI_TEST_REDIS="+l.redis)
		cmd.Env = append(cmd.Env, "TMPDIR="+l.dir)
		inGroup(cmd)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return outcome{figure: fmt.Sprintf("%s: %s", folder, cause(out)), mark: mark}, nil
		}
		figure := []string{fmt.Sprintf("%d tests of %s hold", len(strings.Split(tests, "|")), folder)}
		if missing := unproved(tests, out); len(missing) > 0 {
			return outcome{figure: fmt.Sprintf("%s: not run or skipped: %s", folder, listed(missing)), mark: mark}, nil
		}
		for _, m := range logged.FindAllSubmatch(out, 3) {
			figure = append(figure, string(m[1]))
		}
		return outcome{figure: strings.Join(figure, "; "), mark: mark, passed: true}, nil
	}
}

// unproved are those of the tests of which the output does not say that they
// passed: renamed, skipped or never run.
func unproved(tests string, out []byte) (missing []string) {
	for name := range strings.SplitSeq(tests, "|") {
		if !regexp.MustCompile(`(?m)^--- PASS: ` + regexp.QuoteMeta(name) + ` \(`).Match(out) {
			missing = append(missing, name)
		}
	}
	return missing
}

// broke is how the output of a test begins to say why it failed.
var broke = regexp.MustCompile(`(?m)^(fatal error: |panic: |SIG[A-Z]+: |runtime: |WARNING: DATA RACE|\s*--- FAIL|\s+\S+_test\.go:\d+: ).*`)

// cause is what a failed test says of why: from the first word of it, where there
// is one, as a crash ends with the stacks of everybody else.
func cause(out []byte) string {
	if at := broke.FindIndex(out); at != nil {
		out = out[at[0]:]
		return strings.TrimSpace(string(out[:min(len(out), 1500)]))
	}
	return tail(out)
}

func tail(b []byte) string {
	s := strings.TrimSpace(string(b))
	return s[max(0, len(s)-1500):]
}
