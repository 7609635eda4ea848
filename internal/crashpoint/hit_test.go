//go:build crashpoints

package crashpoint_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gongkai/internal/crashpoint"
)

// TestHit: the process dies at the point it was told, the time it was told, and
// nowhere else.
func TestHit(t *testing.T) {
	if os.Getenv(crashpoint.EnvAt) != "" {
		for _, what := range []string{"a", "b", "b", "c"} {
			os.Stdout.WriteString(what)
			crashpoint.Hit("before", what)
		}
		return
	}
	log := filepath.Join(t.TempDir(), "points")
	for at, want := range map[string]string{"before a": "a", "before b": "ab", "before b/2": "abb", "before c": "abbc", "before d": "abbcPASS\n", "after a": "abbcPASS\n"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHit$")
		cmd.Env = append(os.Environ(), crashpoint.EnvAt+"="+at, crashpoint.EnvLog+"="+log)
		out, err := cmd.Output()
		if string(out) != want || (err == nil) != strings.HasSuffix(want, "PASS\n") {
			t.Errorf("%q: said %q, %v; want %q", at, out, err, want)
		}
	}
	b, err := os.ReadFile(log)
	if err != nil || strings.Count(string(b), "before a\n") != 6 || !strings.Contains(string(b), "before c\n") {
		t.Errorf("noted %q, %v; want each point once a process", b, err)
	}
}
