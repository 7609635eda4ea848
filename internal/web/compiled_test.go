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

// versionAbovePackage is where templ writes its version: as if it were what the
// package is about. An empty line sets it apart.
var versionAbovePackage = regexp.MustCompile(`(?m)^(// templ: version: .*\n)package`)

// TestPagesAreCompiled compiles the pages again, as go generate does, and
// compares.
func TestPagesAreCompiled(t *testing.T) {
	for _, folder := range []string{".", "../wechatsim"} {
		sources, err := filepath.Glob(folder + "/*.templ")
		if err != nil || len(sources) == 0 {
			t.Fatalf("%s: no pages, %v", folder, err)
		}
		for _, source := range sources {
			var out bytes.Buffer
			cmd := exec.CommandContext(t.Context(), "go", "tool", "-modfile=../../tools/go.mod", "templ", "generate", "-stdout", "-log-level=error", "-f", filepath.Base(source))
			cmd.Dir = folder
			cmd.Stdout, cmd.Stderr = &out, os.Stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%s: %v", source, err)
			}
			compiled, err := os.ReadFile(strings.TrimSuffix(source, ".templ") + "_templ.go")
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(compiled, versionAbovePackage.ReplaceAll(out.Bytes(), []byte("$1\npackage"))) {
				t.Errorf("%s has changed since it was compiled; run go generate ./internal/...", source)
			}
		}
	}
}
