package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// scarce lets the disk run full, makes it read-only and takes file descriptors
// away. Reading goes on, what was acknowledged stays, and all is well again as
// soon as there is enough.
func scarce(ctx context.Context, l *lab) (outcome, error) {
	full, err := l.diskFull(ctx)
	if err != nil {
		return outcome{}, err
	}
	l.stopAll()
	few, passed, err := l.fewDescriptors(ctx)
	if err != nil {
		return outcome{}, err
	}
	return outcome{figure: full.String() + "; 64 descriptors: " + few, mark: "reads 100 %; 0 acknowledged lost; writes, and serves, again ≤ 5 s; no crash",
		passed: passed && full.good()}, nil
}

// fullDisk is what happened on a disk that was full and then read-only.
type fullDisk struct {
	refused      int // writes
	reads        tally
	broken, kept int
	back         time.Duration
	says         string // the program, when it is started where it cannot write
}

// String tells it.
func (f fullDisk) String() string {
	return fmt.Sprintf("full: %d writes refused; reads: %s; writes again after %d ms; read-only: it says %q; %d of %d acknowledged lost",
		f.refused, &f.reads, f.back.Milliseconds(), f.says, f.broken, f.kept)
}

func (f fullDisk) good() bool {
	return f.refused > 0 && f.reads.failed+f.reads.refused == 0 && f.reads.ok > 0 && f.broken == 0 && saysReadOnly(f.says) && f.back <= 5*time.Second
}

// saysReadOnly reports whether the last words of the program say in a line that
// the disk cannot be written, and are not those of a crash.
func saysReadOnly(words string) bool {
	for _, crash := range []string{"panic:", "fatal error:", "goroutine ", "SIG"} {
		if strings.Contains(words, crash) {
			return false
		}
	}
	return strings.Contains(words, syscall.EROFS.Error()) && !strings.Contains(words, "\n")
}

// diskFull runs the program on a small file system of its own.
func (l *lab) diskFull(ctx context.Context) (f fullDisk, err error) {
	dir, err := l.folder()
	if err != nil {
		return f, err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		return f, impossible{fmt.Sprintf("a small file system cannot be mounted (%v): this needs root", err)}
	}
	defer func() {
		l.stopAll()
		err = errors.Join(err, syscall.Unmount(dir, syscall.MNT_DETACH))
	}()
	n, err := l.start(ctx, "--data", dir)
	if err != nil {
		return f, err
	}
	o, err := l.hire(ctx, n, "--data", dir)
	if err != nil {
		return f, err
	}
	p := &promises{page: map[string]int{}}
	publish := func() error {
		made, err := o.publishTender(ctx, n)
		if err == nil {
			p.set(made.code, http.StatusOK)
		}
		return err
	}
	if err := publish(); err != nil {
		return f, err
	}
	var code string
	for c := range p.page {
		code = c
	}
	filler := filepath.Join(dir, "filler")
	if err := fill(filler); err != nil {
		return f, err
	}
	for range 30 {
		if publish() != nil {
			f.refused++
		}
		f.reads.see(load{}.get(http.DefaultClient, n, "/api/v1/notices/"+code))
		f.reads.see(load{}.get(http.DefaultClient, n, "/api/v1/notices?limit=3"))
	}
	if err := os.Remove(filler); err != nil {
		return f, err
	}
	begun := time.Now()
	for publish() != nil && time.Since(begun) < time.Minute {
		wait(ctx, 50*time.Millisecond)
	}
	f.back = time.Since(begun)
	if f.says, err = n.onReadOnly(ctx, dir); err != nil {
		return f, err
	}
	f.kept = len(p.page)
	f.broken, _ = p.broken(n)
	if _, err := l.cli(ctx, "audit", "verify", "--data", dir); err != nil {
		return f, err
	}
	return f, nil
}

// onReadOnly starts the program anew on a file system that cannot be written,
// returns its last words, and starts it once more when it can.
func (n *node) onReadOnly(ctx context.Context, dir string) (says string, err error) {
	n.kill()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return "", err
	}
	before := len(n.log.bytes())
	err = n.begin(ctx)
	if err == nil {
		select {
		case <-n.done:
			says = strings.TrimSpace(string(n.log.bytes()[before:]))
		case <-time.After(20 * time.Second):
			says = "" // it runs, on what it cannot write
			n.kill()
		}
	}
	if err := errors.Join(err, syscall.Mount("", dir, "", syscall.MS_REMOUNT, "")); err != nil {
		return says, err
	}
	if err := n.begin(ctx); err != nil {
		return says, err
	}
	return says, n.waitReady(ctx)
}

// fill writes a file until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for size := 1 << 20; size >= 512; size /= 2 { // to the last sector
		for b := make([]byte, size); err == nil; {
			_, err = f.Write(b)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		err = nil
	}
	return nil
}

// fewBack is how long after the crowd has left the program may take to serve.
const fewBack = 5 * time.Second

// fewDescriptors runs the program with 64 of them and more connections than that.
func (l *lab) fewDescriptors(ctx context.Context) (figure string, passed bool, err error) {
	few, err := l.wrapped("few", "ulimit -n 64\nexec")
	if err != nil {
		return "", false, err
	}
	dir, err := l.folder()
	if err != nil {
		return "", false, err
	}
	n, err := l.launch(ctx, few, nil, "--data", dir)
	if err != nil {
		return "", false, err
	}
	o, err := l.hire(ctx, n, "--data", dir)
	if err != nil {
		return "", false, err
	}
	made, err := o.publishTender(ctx, n)
	if err != nil {
		return "", false, err
	}
	crowd, stop := context.WithCancel(ctx)
	defer stop()
	dripping := dripAll(crowd, 200, n.url[len("http://"):])
	wait(ctx, 3*time.Second)
	held, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", n.cmd.Process.Pid))
	stop()
	if err := errors.Join(err, dripping()); err != nil {
		return "", false, err
	}
	begun := time.Now()
	for ok := false; !ok && time.Since(begun) < time.Minute; wait(ctx, 50*time.Millisecond) {
		ok = load{}.get(&http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}, n, "/api/v1/notices/"+made.code).status == http.StatusOK
	}
	back := time.Since(begun)
	_, err = o.publishTender(ctx, n)
	return fmt.Sprintf("%d in use beneath 200 connections, then served again after %d ms, process alive: %v", len(held), back.Milliseconds(), !n.dead()),
		len(held) >= 60 && back <= fewBack && err == nil && !n.dead(), nil
}

// wrapped makes a script that runs the program by a command of the shell.
func (l *lab) wrapped(name, command string) (string, error) {
	file := filepath.Join(l.dir, name)
	return file, os.WriteFile(file, fmt.Appendf(nil, "#!/bin/sh\n%s %s \"$@\"\n", command, l.binary), 0o700)
}
