package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// arrows says which packages of this module a package may import outside its
// tests. docs/architecture.md draws the same; a new arrow or package is a
// decision with an ADR.
var arrows = map[string][]string{
	"docs":                     {},
	"internal/crashpoint":      {},
	"internal/extract":         {},
	"internal/speech":          {},
	"internal/wechatsim":       {},
	"internal/workday":         {},
	"internal/disclosure":      {"internal/workday"},
	"internal/store":           {"internal/crashpoint", "internal/disclosure", "internal/workday"}, // workday.Date is in disclosure's types
	"internal/store/storetest": {"internal/disclosure", "internal/store", "internal/workday"},      // for tests: no arrow leads here
	"internal/publish":         {"internal/disclosure", "internal/store", "internal/workday"},      // likewise
	"internal/importer":        {"internal/disclosure", "internal/publish"},
	"internal/web":             {"internal/disclosure", "internal/speech"},
	"cache":                    {"internal/disclosure"},
	"push":                     {"internal/crashpoint", "internal/disclosure", "internal/workday"},
	"handlers":                 {"internal/disclosure", "internal/speech", "internal/web", "internal/workday"},
	"cmd/gongkai": {"cache", "docs", "handlers", "internal/disclosure", "internal/extract", "internal/importer", "internal/publish",
		"internal/speech", "internal/store", "internal/web", "internal/wechatsim", "internal/workday", "push"},
}

// confined says where alone a library may be imported outside tests: in files
// that match one of the patterns.
var confined = []struct {
	libraries []string // import paths, with everything below them
	files     []string // patterns of path.Match
}{
	{[]string{"database/sql", "modernc.org/sqlite", "github.com/jackc/pgx", "github.com/pressly/goose"},
		[]string{"internal/store/*.go", "internal/store/storetest/*.go"}},
	{[]string{"github.com/gofiber", "github.com/valyala/fasthttp"}, []string{"handlers/*.go"}},
	{[]string{"github.com/redis/go-redis"}, []string{"cache/*.go"}},
	{[]string{"github.com/silenceper/wechat"}, []string{"push/wechat*.go"}},
}

// clockFiles are where the clock may be read; everything else is given it.
var clockFiles = []string{"cmd/gongkai/*.go", "internal/store/storetest/*.go"}

// TestImports holds the tree to the rules.
func TestImports(t *testing.T) {
	faults, files, err := checkImports(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Errorf("only %d files were read; is this the root of the module?", files)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
}

// TestImportsFindsFaults plants one fault at a time.
func TestImportsFindsFaults(t *testing.T) {
	for _, tt := range []struct {
		name, file, source string
		want               string // "" for none
	}{
		{"an arrow drawn", "handlers/a.go", `import "gongkai/internal/disclosure"`, ""},
		{"an arrow not drawn", "handlers/a.go", `import "gongkai/internal/store"`, "handlers/a.go: handlers must not import internal/store"},
		{"an arrow backwards", "internal/workday/a.go", `import d "gongkai/internal/disclosure"`, "internal/workday/a.go: internal/workday must not import internal/disclosure"},
		{"the simulator in push", "push/a.go", `import _ "gongkai/internal/wechatsim"`, "push/a.go: push must not import internal/wechatsim"},
		{"test helpers in the program", "cmd/gongkai/a.go", `import "gongkai/internal/store/storetest"`, "cmd/gongkai/a.go: cmd/gongkai must not import internal/store/storetest"},
		{"a package nobody drew", "internal/util/a.go", ``, "internal/util/a.go: internal/util is not in the list of packages"},
		{"behind a build tag", "cache/a_windows.go", `import "gongkai/internal/store"`, "cache/a_windows.go: cache must not import internal/store"},
		{"SQL in the store", "internal/store/a.go", `import "database/sql"`, ""},
		{"SQL elsewhere", "internal/publish/a.go", `import "database/sql"`, "internal/publish/a.go: database/sql belongs in internal/store/*.go"},
		{"a driver elsewhere", "cmd/gongkai/a.go", `import _ "github.com/jackc/pgx/v5/stdlib"`, "cmd/gongkai/a.go: github.com/jackc/pgx/v5/stdlib belongs in internal/store/*.go"},
		{"fiber elsewhere", "cmd/gongkai/a.go", `import "github.com/gofiber/fiber/v2"`, "cmd/gongkai/a.go: github.com/gofiber/fiber/v2 belongs in handlers/*.go"},
		{"Redis elsewhere", "handlers/a.go", `import "github.com/redis/go-redis/v9"`, "handlers/a.go: github.com/redis/go-redis/v9 belongs in cache/*.go"},
		{"WeChat in its files", "push/wechat_card.go", `import "github.com/silenceper/wechat/v2"`, ""},
		{"WeChat elsewhere in push", "push/dispatch.go", `import "github.com/silenceper/wechat/v2"`, "push/dispatch.go: github.com/silenceper/wechat/v2 belongs in push/wechat*.go"},
		{"the clock in cmd", "cmd/gongkai/a.go", "import \"time\"\nvar now = time.Now", ""},
		{"the clock elsewhere", "cache/a.go", "import \"time\"\nvar now = time.Now", "cache/a.go: time.Now is for cmd; take now func() time.Time"},
		{"the clock under another name", "push/a.go", "import t \"time\"\nvar d = t.Since(t.Time{})", "push/a.go: time.Since is for cmd; take now func() time.Time"},
		{"no clock", "push/a.go", "import \"time\"\nvar d = time.Second", ""},
		{"a test may", "handlers/a_test.go", `import "gongkai/internal/store"`, ""},
		{"another module", "tools/a.go", `import "database/sql"`, ""},
		{"test data", "cache/testdata/a.go", `import "database/sql"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree := fstest.MapFS{
				"go.mod":       {Data: []byte("module gongkai")},
				"tools/go.mod": {Data: []byte("module gongkai/tools")},
				tt.file:        {Data: []byte("package p\n" + tt.source)},
			}
			faults, _, err := checkImports(tree)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(faults, "\n"); got != tt.want {
				t.Errorf("checkImports = %q, want %q", got, tt.want)
			}
		})
	}
}

// TestArrowsHaveNoCycle holds the rules themselves to a direction and to names
// that exist among them.
func TestArrowsHaveNoCycle(t *testing.T) {
	var visit func(pkg string, from []string)
	visit = func(pkg string, from []string) {
		if slices.Contains(from, pkg) {
			t.Fatalf("a cycle: %s", strings.Join(append(from, pkg), " → "))
		}
		if _, ok := arrows[pkg]; !ok {
			t.Fatalf("%s is not in the list of packages", pkg)
		}
		for _, next := range arrows[pkg] {
			visit(next, append(from, pkg))
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(arrows)) {
		visit(pkg, nil)
	}
}

// checkImports reads every Go file of the module, whatever its build tags, and
// says what breaks the rules, in the order of the files.
func checkImports(tree fs.FS) (faults []string, files int, err error) {
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && notOurs(tree, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		faults = append(faults, fileFaults(name, f)...)
		return nil
	})
	return faults, files, err
}

// notOurs reports whether a folder is none of this module's packages.
func notOurs(tree fs.FS, dir string) bool {
	base := path.Base(dir)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "node_modules" {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod")) // a module of its own
	return err == nil
}

func fileFaults(name string, f *ast.File) (faults []string) {
	fault := func(format string, args ...any) {
		faults = append(faults, name+": "+fmt.Sprintf(format, args...))
	}
	pkg := path.Dir(name)
	allowed, ok := arrows[pkg]
	if !ok {
		fault("%s is not in the list of packages", pkg)
	}
	for _, spec := range f.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
		if own, ok := strings.CutPrefix(imported, "gongkai/"); ok && !slices.Contains(allowed, own) {
			fault("%s must not import %s", pkg, own)
		}
		for _, c := range confined {
			if slices.ContainsFunc(c.libraries, func(l string) bool { return imported == l || strings.HasPrefix(imported, l+"/") }) && !matches(c.files, name) {
				fault("%s belongs in %s", imported, c.files[0])
			}
		}
		if imported == "time" && !matches(clockFiles, name) {
			for _, call := range clockReads(f, spec) {
				fault("time.%s is for cmd; take now func() time.Time", call)
			}
		}
	}
	return faults
}

// clockReads lists the uses of functions that read the clock, of the package
// time as spec imports it.
func clockReads(f *ast.File, spec *ast.ImportSpec) (found []string) {
	local := "time"
	if spec.Name != nil {
		local = spec.Name.Name
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == local && slices.Contains([]string{"Now", "Since", "Until"}, s.Sel.Name) {
			found = append(found, s.Sel.Name)
		}
		return true
	})
	return found
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, name) // the patterns are ours
		return ok
	})
}
