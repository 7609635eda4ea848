package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// form is how much is done: the amounts of an experiment are multiples of it.
type form int

const (
	short  form = iota // a minute together
	middle             // twelve minutes
	long               // an hour and a half
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
	needs needs
}

// needs is how much of the machine an experiment needs for itself.
type needs int

const (
	quiet    needs = iota // all: it measures time, or breaks what is shared
	waits                 // little: it waits for the program most of the time, and measures none
	computes              // processors: it is tests of the program's packages
)

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
		out, err := cmd.CombinedOutput()
		if err == nil && name == "Redis" && !strings.Contains(string(out), "PONG") {
			err = errors.New("no PONG")
		}
		if err != nil {
			return fmt.Errorf("%s does not answer: %w: %s", name, err, out)
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

// row is a line of the table.
type row struct {
	experiment
	outcome
	verdict string
	took    time.Duration
}

// run makes the experiments, tells how each went and prints the table. It leaves
// nothing behind. Those that wait and those that compute go side by side first,
// and all others one by one, when the machine is quiet.
func (s settings) run(ctx context.Context, only string, progress, out io.Writer) (passed bool, err error) {
	var chosen []experiment
	for _, e := range experiments {
		if strings.HasPrefix(e.name, only) && (e.from <= s.form || only != "") {
			chosen = append(chosen, e)
		}
	}
	if len(chosen) == 0 {
		return false, fmt.Errorf("no experiment begins with %q", only)
	}
	l, err := newLab(s)
	if err != nil {
		return false, err
	}
	defer l.close()
	beside, err := newLab(s)
	if err != nil {
		return false, err
	}
	defer beside.close()
	rows := make([]row, len(chosen))
	told := &teller{out: progress}
	try := func(l *lab, needs needs) {
		for i, e := range chosen {
			if e.needs != needs || ctx.Err() != nil {
				continue
			}
			told.f("%s: %s", e.name, e.tried)
			if r := l.try(ctx, e); ctx.Err() == nil {
				told.f("%s: %s: %s [%s; %.0f s]", e.name, r.verdict, r.figure, r.mark, r.took.Seconds())
				rows[i] = r
			} else {
				told.brokenOff(e.name)
			}
		}
	}
	var computing sync.WaitGroup
	computing.Go(func() { try(beside, computes) })
	try(l, waits)
	computing.Wait()
	try(l, quiet)
	made := slices.DeleteFunc(rows, func(r row) bool { return r.verdict == "" })
	if ctx.Err() != nil {
		return false, errors.Join(fmt.Errorf("stopped during %s; what was started is gone", strings.Join(told.stopped, " and ")), printTable(out, s, made))
	}
	return !slices.ContainsFunc(made, func(r row) bool { return r.verdict == failed }), printTable(out, s, made)
}

// teller says how it goes, of several at once.
type teller struct {
	mu      sync.Mutex
	out     io.Writer
	stopped []string // experiments that were broken off
}

func (t *teller) brokenOff(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = append(t.stopped, name)
}

func (t *teller) f(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, format+"\n", args...)
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
