package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// form is how much is done: the amounts of an experiment are multiples of it.
type form int

const (
	short  form = iota // seconds for each experiment
	middle             // ten minutes together
	long               // hours
)

var forms = map[string]form{"short": short, "middle": middle, "long": long}

// pick returns the amount for the form.
func (f form) pick(s, m, l int) int { return []int{s, m, l}[f] }

// settings of a run.
type settings struct {
	binary, postgres, redis string
	crashing                string // the program built with the tag crashpoints
	root                    string // of the module
	seed                    uint64
	form                    form
}

// outcome is what an experiment found.
type outcome struct {
	figure string // as measured
	mark   string // what it had to reach
	passed bool
}

// experiment tries one thing. name begins with the number that reliability.md
// gives it.
type experiment struct {
	name  string
	tried string
	from  form // the smallest form it is part of
	run   func(context.Context, *lab) (outcome, error)
}

// impossible means that this machine does not let an experiment be made; it is
// said, and neither passes nor fails.
type impossible struct{ why string }

// Error implements error.
func (e impossible) Error() string { return e.why }

// Least free space, in MiB, that a run is begun with.
const leastFree = 1024

// preflight says what is missing before anything is begun.
func (s settings) preflight(ctx context.Context) error {
	if s.binary == "" {
		return errors.New("-binary must name the program; make prove does")
	}
	if out, err := exec.CommandContext(ctx, s.binary, "version").CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not run: %w: %s", s.binary, err, out)
	}
	if s.postgres == "" || s.redis == "" {
		return errors.New("no PostgreSQL or no Redis: run scripts/prove, which starts private ones")
	}
	for tool, from := range map[string]string{"psql": "postgresql-client", "redis-cli": "redis-tools", "wrk": "wrk"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is missing: apt-get install %s", tool, from)
		}
	}
	free, err := freeMiB(os.TempDir())
	if err != nil {
		return err
	}
	if free < leastFree {
		return fmt.Errorf("only %d MB are free in %s; %d are needed (TMPDIR chooses another place)", free, os.TempDir(), leastFree)
	}
	if err := freePorts(12); err != nil {
		return err
	}
	return s.servers(ctx)
}

// servers asks whether the servers answer that experiments are made with.
func (s settings) servers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for name, cmd := range map[string]*exec.Cmd{
		"PostgreSQL": exec.CommandContext(ctx, "psql", "-XAtq", "-d", s.postgres, "-c", "SELECT 1"),
		"Redis":      exec.CommandContext(ctx, "redis-cli", "-u", s.redis, "PING"),
	} {
		if out, err := cmd.CombinedOutput(); err != nil || name == "Redis" && !strings.Contains(string(out), "PONG") {
			return fmt.Errorf("%s does not answer: %v: %s", name, err, out)
		}
	}
	return nil
}

func freeMiB(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("temporary directory: %w", err)
	}
	return fs.Bavail * uint64(fs.Bsize) >> 20, nil
}

// freePorts holds as many ports at once as an experiment needs.
func freePorts(n int) error {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("%d free ports are needed on 127.0.0.1: %w", n, err)
		}
		defer func() { _ = l.Close() }()
	}
	return nil
}

// row is a line of the table.
type row struct {
	experiment
	outcome
	verdict string
	took    time.Duration
}

// run makes the experiments, tells how each went and prints the table. It leaves
// nothing behind.
func (s settings) run(ctx context.Context, only string, progress, out io.Writer) (passed bool, err error) {
	l, err := newLab(s)
	if err != nil {
		return false, err
	}
	defer l.close()
	var rows []row
	passed = true
	for _, e := range experiments {
		if !strings.HasPrefix(e.name, only) || e.from > s.form && only == "" {
			continue
		}
		fmt.Fprintf(progress, "%s: %s\n", e.name, e.tried)
		r := l.try(ctx, e)
		if ctx.Err() != nil {
			return false, errors.Join(fmt.Errorf("stopped during %s; what was started is gone", e.name), printTable(out, s, rows))
		}
		fmt.Fprintf(progress, "%s: %s: %s [%s; %.0f s]\n", e.name, r.verdict, r.figure, r.mark, r.took.Seconds())
		passed = passed && r.verdict != failed
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		return false, fmt.Errorf("no experiment begins with %q", only)
	}
	return passed, printTable(out, s, rows)
}

const failed = "**FAIL**"

// try makes one experiment, with random numbers of its own, so that it repeats
// whether or not others run before it.
func (l *lab) try(ctx context.Context, e experiment) row {
	h := fnv.New64a()
	_, _ = io.WriteString(h, e.name)
	l.rand = rand.New(rand.NewPCG(l.seed, h.Sum64()))
	start := time.Now()
	o, err := e.run(ctx, l)
	l.witness(ctx)
	l.stopAll()
	r := row{e, o, "pass", time.Since(start)}
	var not impossible
	switch {
	case errors.As(err, &not):
		r.outcome, r.verdict = outcome{figure: not.why, mark: "to be run"}, "not run"
	case err != nil:
		r.outcome, r.verdict = outcome{figure: err.Error(), mark: "to be run"}, failed
	case !o.passed:
		r.verdict = failed
	}
	return r
}

// printTable prints what was found, as Markdown.
func printTable(out io.Writer, s settings, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	name := []string{"short", "middle", "long"}[s.form]
	var b strings.Builder
	fmt.Fprintf(&b, "\nSeed %d, %s form; %s; %s\n\n| | what is tried | figure | mark | |\n|---|---|---|---|---|\n", s.seed, name, machine(), s.version())
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s, %.0f s |\n", r.name, r.tried, cell(r.figure), r.mark, r.verdict, r.took.Seconds())
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// cell is text that fits a table.
func cell(s string) string {
	return strings.NewReplacer("\n", " ", "|", "\\|").Replace(strings.TrimSpace(s))
}

// machine describes where this runs.
func machine() string {
	model, memory := "unknown CPU", "unknown memory"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "model name\t: "); ok {
			model, _, _ = strings.Cut(rest, "\n")
		}
	}
	var info syscall.Sysinfo_t
	if syscall.Sysinfo(&info) == nil {
		memory = fmt.Sprintf("%d GiB, load %.1f", (uint64(info.Totalram)*uint64(info.Unit)+1<<29)>>30, float64(info.Loads[0])/65536)
	}
	return fmt.Sprintf("%d × %s, %s, %s/%s", runtime.NumCPU(), strings.Join(strings.Fields(model), " "), memory, runtime.GOOS, runtime.GOARCH)
}

func (s settings) version() string {
	out, err := exec.Command(s.binary, "version").Output()
	if err != nil {
		return "unknown version"
	}
	return cell(string(out))
}
