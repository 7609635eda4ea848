package main

import (
	"strings"
	"testing"
)

// A crash ends with the stacks of everybody: why it came stands before them.
func TestCauseOfFailure(t *testing.T) {
	stacks := strings.Repeat("goroutine 1 [running]:\n\t/x/y.go:1 +0x1\n", 200)
	for want, out := range map[string]string{
		"fatal error: out of memory": "=== RUN   TestX\nfatal error: out of memory\n\n" + stacks,
		"panic: boom":                "=== RUN   TestX\npanic: boom\n" + stacks,
		"SIGSEGV: segmentation":      "=== RUN   TestX\nSIGSEGV: segmentation violation\nPC=0x1\n" + stacks,
		"WARNING: DATA RACE":         "==================\nWARNING: DATA RACE\n" + stacks,
		"x_test.go:3: want 1":        "=== RUN   TestX\n    x_test.go:3: want 1\n--- FAIL: TestX (0.00s)\nFAIL\n",
		"no such package":            strings.Repeat("downloading\n", 300) + "no such package",
	} {
		if got := cause([]byte(out)); !strings.HasPrefix(got, want) && !strings.HasSuffix(got, want) || len(got) > 1500 {
			t.Errorf("cause = %.60q, want %q", got, want)
		}
	}
}

// A test that was renamed, skipped or has lost all but its subtests proves
// nothing, whatever others passed.
func TestEachTestOfASuiteIsAskedFor(t *testing.T) {
	for out, missing := range map[string]string{
		"--- PASS: TestA (0.10s)\n    --- PASS: TestA/x (0.10s)\n--- PASS: TestB (0.00s)\nPASS\n": "nowhere",
		"--- PASS: TestA (0.10s)\n    --- PASS: TestA/x (0.10s)\nPASS\n":                          "TestB",
		"--- PASS: TestA (0.10s)\n--- PASS: TestBetter (0.00s)\nPASS\n":                           "TestB",
		"--- PASS: TestA (0.10s)\n--- SKIP: TestB (0.00s)\nPASS\n":                                "TestB",
		"--- PASS: TestA (0.10s)\n    --- PASS: TestB (0.10s)\nPASS\n":                            "TestB",
		"testing: warning: no tests to run\nPASS\n":                                               "TestA, TestB",
	} {
		if got := listed(unproved("TestA|TestB", []byte(out))); got != missing {
			t.Errorf("%q: missing %s, want %s", out, got, missing)
		}
	}
}
