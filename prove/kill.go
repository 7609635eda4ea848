package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// promises are what the program has acknowledged: the status of each notice's
// public page, by code.
type promises struct {
	mu   sync.Mutex
	page map[string]int
	made int // in all
}

func (p *promises) set(code string, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if status == 0 {
		delete(p.page, code) // either is right
		return
	}
	p.page[code] = status
	p.made++
}

// broken counts the promises that an instance does not keep.
func (p *promises) broken(n *node) (count int, first string) {
	client := &http.Client{Timeout: 10 * time.Second}
	for code, want := range p.page {
		if a := (load{}).get(client, n, "/api/v1/notices/"+code); a.status != want {
			if count++; first == "" {
				first = fmt.Sprintf("%s answers %d, want %d", code, a.status, want)
			}
		}
	}
	return count, first
}

// acknowledged is how many were made so far.
func (p *promises) acknowledged() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.made
}

// persist works until ctx ends, whatever fails meanwhile.
func (p *promises) persist(ctx context.Context, o *office, n *node) {
	for ctx.Err() == nil {
		p.work(ctx, o, n)
		wait(ctx, 20*time.Millisecond)
	}
}

// work publishes, and withdraws every second notice, until the program dies.
func (p *promises) work(ctx context.Context, o *office, n *node) {
	for i := 0; ctx.Err() == nil; i++ {
		made, err := o.publishTender(ctx, n)
		if err != nil {
			return
		}
		p.set(made.code, http.StatusOK)
		if i%2 == 0 {
			continue
		}
		p.set(made.code, 0)
		if o.withdraw(ctx, n, made.id, i%4 == 1) != nil {
			return
		}
		p.set(made.code, http.StatusGone)
	}
}

// killed ends the program without warning, again and again, while staff work.
// What was acknowledged must be there, and the audit chain whole.
func killed(ctx context.Context, l *lab) (outcome, error) {
	dir, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	p := &promises{page: map[string]int{}}
	kills := l.form.pick(4, 40, 200)
	for range kills {
		working, stop := context.WithCancel(ctx)
		var staff sync.WaitGroup
		for range 4 {
			staff.Go(func() { p.work(working, o, n) })
		}
		wait(ctx, time.Duration(150+l.rand.IntN(400))*time.Millisecond)
		n.kill()
		stop()
		staff.Wait()
		if err := n.begin(ctx); err != nil {
			return outcome{}, err
		}
		if err := n.waitReady(ctx); err != nil {
			return outcome{}, err
		}
	}
	broken, first := p.broken(n)
	if _, err := l.cli(ctx, "audit", "verify", "--data", dir); err != nil {
		return outcome{}, err
	}
	return outcome{figure: fmt.Sprintf("%d kills, %d acknowledged, %d not kept %s; audit chain whole", kills, len(p.page), broken, first),
		mark: "0 not kept", passed: broken == 0 && len(p.page) > kills}, nil
}

// alone is one instance on SQLite, with staff.
func (l *lab) alone(ctx context.Context, args ...string) (dir string, n *node, o *office, err error) {
	if dir, err = l.folder(); err != nil {
		return "", nil, nil, err
	}
	if n, err = l.start(ctx, append([]string{"--data", dir}, args...)...); err != nil {
		return "", nil, nil, err
	}
	o, err = l.hire(ctx, n, "--data", dir)
	return dir, n, o, err
}

var pidInLog = regexp.MustCompile(`"msg":"serving".*"pid":(\d+)`)

// upgraded replaces the program under load and while it sends cards, several
// times: no request fails and nobody gets a card twice.
func upgraded(ctx context.Context, l *lab) (outcome, error) {
	people := l.form.pick(60, 300, 2000)
	t, err := l.town(ctx, people, true)
	if err != nil {
		return outcome{}, err
	}
	n, o := t.server, t.office
	var codes []string
	for range 20 {
		made, err := o.publish(ctx, n, o.draft("land.transfer_notice", "土地出让公告")) // nobody here subscribed to it
		if err != nil {
			return outcome{}, err
		}
		codes = append(codes, made.code)
	}
	if err := t.fault(ctx, object{"kind": "latency", "seconds": 0.02, "count": -1, "path": "send"}); err != nil {
		return outcome{}, err
	}
	var kept, fresh tally
	background, stop := context.WithCancel(ctx)
	defer stop()
	var reading sync.WaitGroup
	turn := 0
	next := func() (*node, string) { turn++; return n, "/api/v1/notices/" + codes[turn%len(codes)] }
	reading.Go(func() { load{rate: 200, see: kept.see, next: next}.run(background) })
	reading.Go(func() {
		load{rate: 200, reconnect: true, see: fresh.see, next: func() (*node, string) { return n, "/api/v1/notices" }}.run(background)
	})
	times := l.form.pick(1, 5, 20)
	var pushed []string
	for i := range times {
		made, err := o.publishTender(ctx, n)
		if err != nil {
			return outcome{}, err
		}
		pushed = append(pushed, made.code)
		if err := n.upgrade(ctx); err != nil {
			return outcome{figure: fmt.Sprintf("upgrade %d: %v", i+1, err), mark: "ends"}, nil
		}
	}
	stop()
	reading.Wait()
	if err := t.clear(ctx); err != nil {
		return outcome{}, err
	}
	_, err = o.settled(ctx, n, 5*time.Minute)
	pid := n.pid()
	list, e := t.cards(ctx, "template")
	_ = syscall.Kill(pid, syscall.SIGKILL)
	if err := errors.Join(err, e); err != nil {
		return outcome{}, err
	}
	twice, missed := everyoneOnce(list, pushed, people)
	wrong := kept.failed + kept.refused + fresh.failed + fresh.refused
	return outcome{figure: fmt.Sprintf("%d upgrades; kept alive: %s; reconnecting: %s; cards: %d twice, %d missed of %d", times, &kept, &fresh,
		twice, missed, people*times),
		mark: "0 failed, 0 twice, 0 missed", passed: wrong == 0 && kept.ok > 50 && twice == 0 && missed == 0}, nil
}

// upgrade asks for a successor and waits until it has taken over.
func (n *node) upgrade(ctx context.Context) error {
	pid := n.pid()
	if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); n.pid() == pid || syscall.Kill(pid, 0) == nil; wait(ctx, 20*time.Millisecond) {
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("it did not end: %s", n.log)
		}
	}
	return nil
}

// pid is the process that serves now, an upgrade's successor included.
func (n *node) pid() int {
	all := pidInLog.FindAllSubmatch(n.log.bytes(), -1)
	if len(all) == 0 {
		return n.cmd.Process.Pid
	}
	pid, _ := strconv.Atoi(string(all[len(all)-1][1]))
	return pid
}

// backedUp copies the database while staff write, restores the copy and serves
// from it.
func backedUp(ctx context.Context, l *lab) (outcome, error) {
	dir, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	p := &promises{page: map[string]int{}}
	for range l.form.pick(20, 200, 2000) {
		made, err := o.publishTender(ctx, n)
		if err != nil {
			return outcome{}, err
		}
		p.set(made.code, http.StatusOK)
	}
	for range l.form.pick(0, 0, 25) { // 400 MB
		if _, err := o.upload(ctx, n, "%PDF-1.4\n"+strings.Repeat(fmt.Sprintf("%016x", l.rand.Uint64()), 1<<20)); err != nil {
			return outcome{}, err
		}
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	var stall times
	refused := 0 // writes
	var staff sync.WaitGroup
	staff.Go(func() {
		for working.Err() == nil {
			start := time.Now()
			if o.call(ctx, n, "POST", "/api/v1/staff/notices", o.editor, o.draft(tender, "写入中的草稿"), http.StatusCreated, nil) != nil {
				refused++
			}
			stall = append(stall, time.Since(start)) // one that was refused has waited, too
			wait(working, 5*time.Millisecond)
		}
	})
	file := filepath.Join(l.dir, fmt.Sprintf("backup%d.db", l.count))
	for range l.form.pick(1, 5, 20) {
		_ = os.Remove(file)
		_ = os.Remove(file + ".sha256")
		if _, err := l.cli(ctx, "backup", "create", file, "--data", dir); err != nil {
			return outcome{}, err
		}
	}
	stop()
	staff.Wait()
	start := time.Now()
	if _, err := l.cli(ctx, "backup", "verify", file); err != nil {
		return outcome{}, err
	}
	again := dir + "-restored"
	if _, err := l.cli(ctx, "backup", "restore", file, "--data", again); err != nil {
		return outcome{}, err
	}
	took := time.Since(start)
	second, err := l.start(ctx, "--data", again)
	if err != nil {
		return outcome{}, err
	}
	broken, first := p.broken(second)
	status, err := l.cli(ctx, "push", "status", "--json", "--data", again)
	if err != nil {
		return outcome{}, err
	}
	paused := bytes.Contains(status, []byte(`"global"`))
	info, err := os.Stat(file)
	if err != nil {
		return outcome{}, err
	}
	l.keepBackup(file)
	return outcome{figure: fmt.Sprintf("%d MiB; longest write beside it %d ms of %d, %d refused; verify and restore %d ms; %d of %d missing %s; push paused: %v",
		info.Size()>>20, stall.at(1).Milliseconds(), len(stall), refused, took.Milliseconds(), broken, len(p.page), first, paused),
		mark:   "0 missing; stall ≤ 500 ms, 0 refused; ≤ 5 s; paused",
		passed: broken == 0 && refused == 0 && stall.at(1) <= 500*time.Millisecond && took <= 5*time.Second && len(stall) > 2 && paused}, nil
}
