package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// disk is what a power cut leaves of the files whose writing was traced: what
// was synced for sure, and of the rest any part.
type disk struct {
	random *rand.Rand
	files  map[string]*traced // by path
}

// traced is a file as the disk has it, and what was written since its last sync.
type traced struct {
	sure    []byte
	pending []change
}

// change is a write, or a truncation when data is nil.
type change struct {
	at   int64
	data []byte
}

func (c change) apply(b []byte) []byte {
	if c.data == nil {
		if int64(len(b)) > c.at {
			return b[:c.at]
		}
		return append(b, make([]byte, c.at-int64(len(b)))...)
	}
	if end := c.at + int64(len(c.data)); end > int64(len(b)) {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	copy(b[c.at:], c.data)
	return b
}

// begin reads what the disk has before the trace.
func (d *disk) begin(dir string) error {
	list, err := filepath.Glob(filepath.Join(dir, "*.db*"))
	for _, path := range list {
		if strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, ".lock") {
			continue
		}
		b, e := os.ReadFile(path)
		d.files[path] = &traced{sure: b}
		err = errors.Join(err, e)
	}
	return err
}

// sector is what a disk writes whole.
const sector = 512

// leave writes into dir what the power cut leaves: each write since the last
// sync is there, missing or torn at a sector.
func (d *disk) leave(dir string) error {
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[path]
		b := slices.Clone(f.sure)
		for _, c := range f.pending {
			switch d.random.IntN(4) {
			case 0:
				continue
			case 1:
				if sectors := len(c.data) / sector; sectors > 1 {
					c.data = c.data[:sector*(1+d.random.IntN(sectors-1))]
				}
			}
			b = c.apply(b)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// call is a system call of the trace.
type call struct {
	at   time.Time // when it returned, or, of one that no other thread interrupted, when it began
	name string
	path string
	data []byte
	off  int64
}

var (
	calledLine  = regexp.MustCompile(`^(\d+) +(\d+\.\d+) (\w+)\((.*)\) += (-?\d+)`)
	unfinished  = regexp.MustCompile(`^(\d+) +\d+\.\d+ (\w+)\((.*) <unfinished \.\.\.>$`)
	resumedLine = regexp.MustCompile(`^(\d+) +(\d+\.\d+) <\.\.\. (\w+) resumed>(.*)$`)
	fileOf      = regexp.MustCompile(`^\d+<([^>]*)>`)
	quotedData  = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

// readTrace reads what strace wrote, in the order in which the calls returned. Of
// a call in one line strace says when it began; a step acknowledged between that
// and its return is not asked for at this cut, but at the next.
func readTrace(file string) ([]call, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var calls []call
	open := map[string]string{} // what each thread has begun
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := unfinished.FindStringSubmatch(line); m != nil {
			open[m[1]] = m[2] + "(" + m[3]
			continue
		}
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			line = m[1] + " " + m[2] + " " + open[m[1]] + m[4]
			delete(open, m[1])
		}
		m := calledLine.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(m[5], "-") {
			continue
		}
		c := call{name: m[3]}
		seconds, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return nil, err
		}
		c.at = time.UnixMicro(int64(seconds * 1e6))
		if p := fileOf.FindStringSubmatch(m[4]); p != nil {
			c.path = unhex(p[1])
		}
		if q := quotedData.FindStringSubmatch(m[4]); q != nil {
			c.data = []byte(unhex(q[1]))
			if strings.HasPrefix(c.name, "unlink") {
				c.path = string(c.data)
			}
		}
		if i := strings.LastIndex(m[4], ", "); i >= 0 {
			c.off, _ = strconv.ParseInt(m[4][i+2:], 10, 64)
		}
		calls = append(calls, c)
	}
	return calls, lines.Err()
}

// unhex reads \x41\x42…; what is not of that form is itself.
func unhex(s string) string {
	if b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, "")); err == nil && strings.HasPrefix(s, `\x`) {
		return string(b)
	}
	return s
}

// take carries a call out on the disk. Directories are taken to be synced at
// once: SQLite makes and removes no file that matters here.
func (d *disk) take(c call, dir string) {
	if filepath.Dir(c.path) != dir || strings.HasSuffix(c.path, "-shm") || strings.HasSuffix(c.path, ".lock") || !strings.Contains(filepath.Base(c.path), ".db") {
		return
	}
	f := d.files[c.path]
	if f == nil {
		f = &traced{}
		d.files[c.path] = f
	}
	switch c.name {
	case "pwrite64":
		f.pending = append(f.pending, change{c.off, c.data})
	case "ftruncate":
		f.pending = append(f.pending, change{c.off, nil})
	case "fsync", "fdatasync":
		for _, p := range f.pending {
			f.sure = p.apply(f.sure)
		}
		f.pending = nil
	case "unlink", "unlinkat":
		delete(d.files, c.path)
	}
}

// acked is a step that staff were told has happened.
type acked struct {
	at     time.Time
	code   string
	status string
}

// powerCut traces what the program writes while staff publish and withdraw, cuts
// the power at random points of the trace and looks what the program makes of
// what is left.
func powerCut(ctx context.Context, l *lab) (outcome, error) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		return outcome{}, impossible{"strace is missing: apt-get install strace"}
	}
	// Other processes write untraced, so the office is hired before.
	dir, first, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	first.quit()
	d := &disk{random: l.rand, files: map[string]*traced{}}
	if err := d.begin(dir); err != nil {
		return outcome{}, err
	}
	trace := filepath.Join(l.dir, "strace")
	wrapper, err := l.wrapped("traced", fmt.Sprintf("exec %s -f -y -xx -ttt -s 4200000 -o %s -e trace=pwrite64,fsync,fdatasync,ftruncate,unlink,unlinkat", strace, trace))
	if err != nil {
		return outcome{}, err
	}
	n, err := l.launch(ctx, wrapper, nil, "--data", dir)
	if err != nil {
		return outcome{}, err
	}
	steps, err := l.steps(ctx, n, o)
	if err != nil {
		return outcome{}, err
	}
	if err := syscall.Kill(n.pid(), syscall.SIGTERM); err != nil {
		return outcome{}, err
	}
	<-n.done
	return l.replay(ctx, d, dir, trace, steps)
}

// steps publishes and withdraws, and notes when each step was acknowledged.
func (l *lab) steps(ctx context.Context, n *node, o *office) ([]acked, error) {
	var steps []acked
	for i := range l.form.pick(5, 30, 90) {
		made, err := o.publishTender(ctx, n)
		if err != nil {
			return nil, err
		}
		steps = append(steps, acked{time.Now(), made.code, "published"})
		if i%3 == 0 {
			if err := o.withdraw(ctx, n, made.id, i%2 == 0); err != nil {
				return nil, err
			}
			steps = append(steps, acked{time.Now(), made.code, "withdrawn"})
		}
	}
	return steps, nil
}

// replay cuts the power at random points of a trace.
func (l *lab) replay(ctx context.Context, d *disk, dir, trace string, steps []acked) (outcome, error) {
	calls, err := readTrace(trace)
	if err != nil {
		return outcome{}, err
	}
	points := l.form.pick(20, 100, 1000)
	cuts := make([]int, points)
	for i := range cuts {
		cuts[i] = l.rand.IntN(len(calls))
	}
	slices.Sort(cuts)
	lost, corrupt, done := 0, 0, 0
	for at, c := range calls {
		d.take(c, dir)
		for ; done < points && cuts[done] == at; done++ {
			l.count++
			image := filepath.Join(l.dir, fmt.Sprintf("cut%d", l.count))
			if err := errors.Join(os.Mkdir(image, 0o700), d.leave(image)); err != nil {
				return outcome{}, err
			}
			missing, err := l.survived(ctx, image, c.at, steps)
			if err != nil {
				corrupt++
				fmt.Fprintln(os.Stderr, err)
			}
			lost += missing
			if err := os.RemoveAll(image); err != nil {
				return outcome{}, err
			}
		}
	}
	return outcome{figure: fmt.Sprintf("%d points of %d calls, %d acknowledged steps: %d lost, %d times corrupt or the audit chain broken", points, len(calls), len(steps), lost, corrupt),
		mark: "0 lost, 0 corrupt", passed: lost == 0 && corrupt == 0 && done == points && len(calls) > len(steps)}, ctx.Err()
}

// survived counts the steps acknowledged before the cut that the database does
// not know.
func (l *lab) survived(ctx context.Context, image string, cut time.Time, steps []acked) (missing int, err error) {
	want := map[string]string{}
	for _, s := range steps {
		if s.at.Before(cut) {
			want[s.code] = s.status
		}
	}
	if _, err := os.Stat(filepath.Join(image, "gongkai.db")); err != nil {
		return len(want), nil
	}
	out, err := l.cli(ctx, "audit", "verify", "--data", image)
	if err != nil && len(want) > 0 {
		return 0, fmt.Errorf("%w: %s", err, out)
	}
	if len(want) == 0 {
		return 0, nil
	}
	out, err = l.cli(ctx, "notice", "list", "--json", "--limit", "100", "--data", image)
	if err != nil {
		return 0, err
	}
	var list []struct{ Code, Status string }
	if err := json.Unmarshal(out, &list); err != nil {
		return 0, err
	}
	for _, n := range list {
		if n.Status == "withdrawn" || n.Status == want[n.Code] { // a withdrawal may have happened before it was acknowledged
			delete(want, n.Code)
		}
	}
	if len(want) > 0 {
		fmt.Fprintf(os.Stderr, "not there at %s: %v; %s\n", cut.Format(time.StampMicro), want, out)
	}
	return len(want), nil
}
