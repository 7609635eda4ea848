package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

var (
	fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(f \*testing\.F\)`)
	fuzzRuns   = regexp.MustCompile(`execs: (\d+)`)
)

// fuzzed runs every fuzz target of the module, two at a time.
func fuzzed(ctx context.Context, l *lab) (outcome, error) {
	type target struct{ folder, name string }
	var targets []target
	err := filepath.WalkDir(l.root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != l.root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "third_party" || d.Name() == "node_modules"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		b, err := os.ReadFile(path)
		folder, _ := filepath.Rel(l.root, filepath.Dir(path))
		for _, m := range fuzzTarget.FindAllSubmatch(b, -1) {
			targets = append(targets, target{folder, string(m[1])})
		}
		return err
	})
	if err != nil {
		return outcome{}, err
	}
	time := fmt.Sprintf("%ds", l.form.pick(1, 2, 60))
	var mu sync.Mutex
	var crashed []string
	var failure error
	inputs := 0
	l.parallel(2, len(targets), func(i int) {
		if ctx.Err() != nil {
			return
		}
		t := targets[i]
		// A crasher is kept where Go keeps it, beside the package: testdata/fuzz.
		out, err := l.exec(ctx, l.root, nil, "go", "test", "./"+t.folder, "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", time, "-parallel", "1")
		mu.Lock()
		defer mu.Unlock()
		if all := fuzzRuns.FindAllSubmatch(out, -1); len(all) > 0 {
			var n int
			_, _ = fmt.Sscan(string(all[len(all)-1][1]), &n)
			inputs += n
		}
		switch {
		case err == nil, timeRanOut(out):
		case bytes.Contains(out, []byte("--- FAIL")):
			crashed = append(crashed, t.folder+" "+t.name)
		default:
			failure = errors.Join(failure, fmt.Errorf("%s %s: %w", t.folder, t.name, err))
		}
	})
	return outcome{figure: fmt.Sprintf("%d targets, %s each, %d inputs; crashed: %s", len(targets), time, inputs, listed(crashed)),
		mark: "≥ 10 targets, crashed: nowhere", passed: len(crashed) == 0 && len(targets) >= 10 && inputs > 0}, errors.Join(failure, ctx.Err())
}

// timeRanOut reports whether a target failed only because Go's own end of the time
// overtook an input under way on a busy machine (go.dev/issue/75804): whatever
// crashes leaves the input behind and says where.
func timeRanOut(out []byte) bool {
	return overtaken.Match(out) && !bytes.Contains(out, []byte("Failing input written to"))
}

var overtaken = regexp.MustCompile(`--- FAIL: Fuzz\w+ \([\d.]+s\)\n\s+context deadline exceeded\n`)
