package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"

	"gongkai/internal/store"
)

// listeners are the sockets of a server, and the lock on its SQLite file. All
// can be handed to a successor, which then serves beside this process until it
// has drained: no connection is ever refused.
type listeners struct {
	public, staff, ops net.Listener
	lock               *os.File // nil on PostgreSQL
}

// handOver names the files a successor inherits, in this order from file
// descriptor 3 on.
const (
	fdPublic = "public"
	fdOps    = "ops"
	fdStaff  = "staff"
	fdLock   = "lock"
	fdReady  = "ready"
)

const successorTimeout = 30 * time.Second

// listen opens the sockets, or takes those that systemd or a predecessor hands
// over.
func (p *program) listen(ctx context.Context, c *config, inherited map[string]*os.File) (l *listeners, err error) {
	l = &listeners{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.lock, err = lockFile(c.sqliteFile(), inherited[fdLock]); err != nil {
		return l, err
	}
	passed, err := activation.Listeners()
	if err != nil {
		return l, fmt.Errorf("systemd sockets: %w", err)
	}
	if len(passed) > 0 && passed[0] != nil {
		l.public = passed[0]
	} else if l.public, err = open(ctx, c.Listen, inherited[fdPublic]); err != nil {
		return l, err
	}
	if l.ops, err = open(ctx, c.OpsListen, inherited[fdOps]); err != nil {
		return l, err
	}
	if c.StaffListen != "" {
		l.staff, err = open(ctx, c.StaffListen, inherited[fdStaff])
	}
	return l, err
}

// inherited returns the file descriptors a predecessor left. Call it once: the
// files own their descriptors.
func (p *program) inherited() map[string]*os.File {
	files := map[string]*os.File{}
	for _, e := range p.env {
		names, ok := strings.CutPrefix(e, envInherit+"=")
		if !ok || names == "" {
			continue
		}
		for i, name := range strings.Split(names, ",") {
			files[name] = os.NewFile(uintptr(3+i), name)
		}
	}
	return files
}

func open(ctx context.Context, addr string, f *os.File) (net.Listener, error) {
	if f != nil {
		l, err := net.FileListener(f)
		if err != nil {
			return nil, fmt.Errorf("inherited listener: %w", err)
		}
		return l, f.Close()
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("地址 %s 已被占用；请停掉占用它的程序，或用 --listen、--ops-listen 换一个：%w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("监听 %s：%w", addr, err)
	}
	return l, nil
}

// lockFile takes the lock that one server holds on a SQLite file. Commands may
// still write beside it; a second server may not, as it would not see its
// sockets and its schedule.
func lockFile(database string, inherited *os.File) (*os.File, error) {
	if database == "" || inherited != nil {
		return inherited, nil
	}
	if err := os.MkdirAll(filepath.Dir(database), 0o750); err != nil {
		return nil, fmt.Errorf("数据目录：%w", err)
	}
	f, err := store.OpenFile(database + ".lock")
	if err != nil {
		return nil, fmt.Errorf("锁文件：%w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("数据库 %s 正由另一个 gongkai serve 使用；命令行工具可以同时使用，第二个 serve 不行", database)
	}
	return f, nil
}

// close stops listening. The lock stays until the process ends.
func (l *listeners) close() {
	for _, s := range []net.Listener{l.public, l.staff, l.ops} {
		if s != nil {
			_ = s.Close()
		}
	}
}

// handOver starts the program anew with this process's sockets and waits until
// the successor is ready. Until then, and if it fails, this process serves on.
func (l *listeners) handOver(ctx context.Context, path string, args, env []string) error {
	names, files, err := l.files()
	if err != nil {
		return err
	}
	defer closeFiles(files)
	ready, child, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	defer func() { _ = ready.Close() }()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = append(files, child)
	cmd.Env = append(env, envInherit+"="+strings.Join(append(names, fdReady), ","))
	err = cmd.Start()
	_ = child.Close()
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	if err := ready.SetReadDeadline(time.Now().Add(successorTimeout)); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("the successor did not become ready: %w", err)
	}
	return cmd.Process.Release()
}

func (l *listeners) files() (names []string, files []*os.File, err error) {
	for _, s := range []struct {
		name string
		l    net.Listener
	}{{fdPublic, l.public}, {fdOps, l.ops}, {fdStaff, l.staff}} {
		if s.l == nil {
			continue
		}
		tcp, ok := s.l.(*net.TCPListener)
		if !ok {
			return nil, nil, errors.New("hand over: only TCP sockets can be handed over")
		}
		f, err := tcp.File()
		if err != nil {
			closeFiles(files)
			return nil, nil, fmt.Errorf("hand over: %w", err)
		}
		names, files = append(names, s.name), append(files, f)
	}
	if l.lock != nil {
		dup, err := syscall.Dup(int(l.lock.Fd()))
		if err != nil {
			closeFiles(files)
			return nil, nil, fmt.Errorf("hand over: %w", err)
		}
		syscall.CloseOnExec(dup)
		names, files = append(names, fdLock), append(files, os.NewFile(uintptr(dup), fdLock))
	}
	return names, files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// announceReady tells a waiting predecessor that it may drain.
func announceReady(f *os.File) error {
	if f == nil {
		return nil
	}
	_, err := f.Write([]byte("1"))
	return errors.Join(err, f.Close())
}

// portOf returns the address that people open for a listener.
func portOf(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return l.Addr().String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if _, err := strconv.Atoi(port); err != nil {
		return l.Addr().String()
	}
	return net.JoinHostPort(host, port)
}
