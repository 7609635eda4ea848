package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// postgres is a PostgreSQL of the lab's own, which can be stopped and started.
type postgres struct {
	lab       *lab
	bin, dir  string
	host, url string
	as        *syscall.Credential // it refuses to run as root
	cmd       *exec.Cmd
}

// ownPostgres makes and starts one. It ends with the experiment.
func (l *lab) ownPostgres(ctx context.Context) (*postgres, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return nil, errors.New("initdb is missing: apt-get install postgresql")
	}
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	host, err := freeAddr()
	if err != nil {
		return nil, err
	}
	p := &postgres{lab: l, bin: filepath.Dir(slices.Max(found)), dir: dir, host: host, url: "postgres://gongkai@" + host + "/postgres?sslmode=disable"}
	if os.Getuid() == 0 {
		if err := p.disown(); err != nil {
			return nil, err
		}
	}
	if out, err := p.command(ctx, "initdb", "-D", dir, "-U", "gongkai", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, tail(out))
	}
	l.ends = append(l.ends, func() { p.stop(syscall.SIGQUIT) })
	return p, p.start(ctx)
}

// disown gives the folder to the user postgres, who must reach it.
func (p *postgres) disown() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return errors.Join(os.Chmod(p.lab.dir, 0o711), os.Chown(p.dir, int(uid), int(gid))) // what is in it stays closed
}

func (p *postgres) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	inGroup(cmd)
	cmd.Dir, cmd.SysProcAttr.Credential = p.dir, p.as
	return cmd
}

// start runs the server, anew after a stop, and waits until it answers.
func (p *postgres) start(ctx context.Context) error {
	_, port, err := net.SplitHostPort(p.host)
	if err != nil {
		return err
	}
	log := &logBuffer{}
	p.cmd = p.command(context.WithoutCancel(ctx), "postgres", "-D", p.dir, "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=100")
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; wait(ctx, 10*time.Millisecond) {
		if p.command(ctx, "pg_isready", "-q", "-h", "127.0.0.1", "-p", port, "-U", "gongkai").Run() == nil {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("PostgreSQL does not start: %s", log), ctx.Err())
}

// stop ends the server: SIGINT in order, SIGQUIT as a crash.
func (p *postgres) stop(sig syscall.Signal) {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(sig)
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// restarted is what happened while PostgreSQL was stopped and started.
type restarted struct {
	times, kept, lost int
	first             string // of what was lost
	reads             tally
	back              time.Duration // until a write was acknowledged again, at worst
}

// String tells it.
func (r *restarted) String() string {
	return fmt.Sprintf("PostgreSQL restarted %d times: %d of %d acknowledged lost %s; reads: %s; written again after %d ms",
		r.times, r.lost, r.kept, r.first, &r.reads, r.back.Milliseconds())
}

// postgresRestarted stops and starts PostgreSQL under staff and readers, in order
// and as a crash in turn. What was acknowledged must be there afterwards.
func (l *lab) postgresRestarted(ctx context.Context) (*restarted, error) {
	db, err := l.ownPostgres(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	n, err := l.start(ctx, "--data", dir, "--database", db.url)
	if err != nil {
		return nil, err
	}
	o, err := l.hire(ctx, n, "--database", db.url)
	if err != nil {
		return nil, err
	}
	r, p := &restarted{times: l.form.pick(2, 6, 20)}, &promises{page: map[string]int{}}
	working, stop := context.WithCancel(ctx)
	defer stop()
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() { p.persist(working, o, n) })
	}
	busy.Go(func() {
		turn := 0
		load{rate: 100, see: r.reads.see, next: func() (*node, string) {
			turn++
			return n, fmt.Sprintf("/api/v1/notices?limit=%d", 1+turn%50)
		}}.run(working)
	})
	for i := range r.times {
		wait(ctx, time.Duration(300+l.rand.IntN(500))*time.Millisecond)
		db.stop([]syscall.Signal{syscall.SIGQUIT, syscall.SIGINT}[i%2])
		wait(ctx, time.Duration(l.rand.IntN(1500))*time.Millisecond)
		if err := db.start(ctx); err != nil {
			return nil, err
		}
		begun := time.Now()
		for before := p.acknowledged(); p.acknowledged() == before && time.Since(begun) < time.Minute; wait(ctx, 10*time.Millisecond) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		r.back = max(r.back, time.Since(begun))
	}
	stop()
	busy.Wait()
	r.kept = len(p.page)
	r.lost, r.first = p.broken(n)
	_, err = l.cli(ctx, "audit", "verify", "--database", db.url)
	return r, err
}
