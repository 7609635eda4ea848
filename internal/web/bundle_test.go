package web

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBundleIsWhatTheSourcesSay bundles again, as go generate does, and
// compares.
func TestBundleIsWhatTheSourcesSay(t *testing.T) {
	source, err := os.ReadFile("web.go")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^//go:generate (go tool esbuild .*)$`).FindSubmatch(source)
	if line == nil {
		t.Fatal("no go:generate line")
	}
	dir := t.TempDir()
	args := strings.Fields(strings.Replace(string(line[1]), "--outdir=dist", "--outdir="+dir, 1))
	if out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fresh, err := filepath.Glob(dir + "/*")
	if err != nil || len(fresh) != len(assets()) {
		t.Fatalf("%d files bundled, %d embedded, %v", len(fresh), len(assets()), err)
	}
	for _, file := range fresh {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := assets()[filepath.Base(file)].Body; !bytes.Equal(got, want) {
			t.Errorf("dist/%s is not what src makes; run go generate ./internal/web", filepath.Base(file))
		}
	}
}
