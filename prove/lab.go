package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// lab is where experiments are made. What they start is stopped after each.
type lab struct {
	settings
	dir   string
	tox   *toxiproxy.ApiServer
	rand  *rand.Rand
	nodes []*node
	wires []*wire
	bases []string   // databases to drop
	ends  []func()   // of other things that were started
	mu    sync.Mutex // of nodes and count
	count int

	person  string // an ID number that only this run knows, in all lists of persons
	sampled seen
}

func newLab(s settings) (*lab, error) {
	dir, err := os.MkdirTemp("", "gongkai-prove-")
	if err != nil {
		return nil, err
	}
	l := &lab{settings: s, dir: dir, tox: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		rand: rand.New(rand.NewPCG(s.seed, 1))}
	l.person = l.madeUpID()
	return l, nil
}

func (l *lab) stopAll() {
	for _, n := range l.nodes {
		n.kill()
		l.sampled.log(l, n)
	}
	for _, w := range l.wires {
		w.proxy.Stop()
	}
	for _, name := range l.bases {
		_, _ = l.psql(context.Background(), fmt.Sprintf(`DROP DATABASE IF EXISTS %q WITH (FORCE)`, name))
	}
	for _, end := range l.ends {
		end()
	}
	l.nodes, l.wires, l.bases, l.ends = nil, nil, nil, nil
}

func (l *lab) close() {
	l.stopAll()
	_ = os.RemoveAll(l.dir)
}

// folder makes an empty data directory.
func (l *lab) folder() (string, error) {
	l.mu.Lock()
	l.count++
	dir := filepath.Join(l.dir, fmt.Sprintf("d%d", l.count))
	l.mu.Unlock()
	return dir, os.MkdirAll(dir, 0o700)
}

func (l *lab) psql(ctx context.Context, statement string) (string, error) {
	out, err := exec.CommandContext(ctx, "psql", "-XAtq", "-d", l.postgres, "-c", statement).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// database makes an empty PostgreSQL database and returns its URL and name.
func (l *lab) database(ctx context.Context) (u, name string, err error) {
	l.count++
	name = fmt.Sprintf("prove_%d_%d", os.Getpid(), l.count)
	if _, err := l.psql(ctx, fmt.Sprintf(`CREATE DATABASE %q`, name)); err != nil {
		return "", "", err
	}
	l.bases = append(l.bases, name)
	v, err := url.Parse(l.postgres)
	if err != nil {
		return "", "", err
	}
	v.Path = "/" + name
	return v.String(), name, nil
}

// wire is a connection that can be broken.
type wire struct {
	proxy *toxiproxy.Proxy
	url   string // as the server's, but through the wire
}

// through puts a wire before the server of a URL.
func (l *lab) through(server string) (*wire, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	l.count++
	p := toxiproxy.NewProxy(l.tox, fmt.Sprintf("wire%d", l.count), addr, u.Host)
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("wire: %w", err)
	}
	u.Host = p.Listen
	w := &wire{proxy: p, url: u.String()}
	l.wires = append(l.wires, w)
	return w, nil
}

// cut refuses connections and ends those there are.
func (w *wire) cut() { w.proxy.Stop() }

// silence swallows what is sent both ways, connections stay.
func (w *wire) silence() error {
	return errors.Join(w.toxic("timeout", "upstream", 0), w.toxic("timeout", "downstream", 0))
}

// slow delays answers.
func (w *wire) slow(d time.Duration) error { return w.toxic("latency", "downstream", d.Milliseconds()) }

func (w *wire) toxic(kind, stream string, ms int64) error {
	attributes := map[string]int64{"timeout": ms}
	if kind == "latency" {
		attributes = map[string]int64{"latency": ms}
	}
	b, err := json.Marshal(map[string]any{"name": kind + stream, "type": kind, "stream": stream, "toxicity": 1, "attributes": attributes})
	if err != nil {
		return err
	}
	_, err = w.proxy.Toxics.AddToxicJson(bytes.NewReader(b))
	return err
}

// heal makes the wire whole. Connections that were silenced are ended.
func (w *wire) heal(ctx context.Context) error {
	w.proxy.Toxics.ResetToxics(ctx)
	w.proxy.Stop()
	return w.proxy.Start()
}

// divert leads the wire to another server.
func (w *wire) divert(ctx context.Context, addr string) error {
	w.proxy.Stop()
	w.proxy.Upstream = addr
	return w.heal(ctx)
}

// node is a running instance of the program.
type node struct {
	lab      *lab
	cmd      *exec.Cmd
	url, ops string
	binary   string
	args     []string
	env      []string
	log      *logBuffer
	done     chan struct{}
	stood    atomic.Int64 // when it last began or ceased to stand still, in Unix nanoseconds
}

// logBuffer keeps what an instance prints. It is safe for concurrent use.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *logBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

// String returns the end of it.
func (b *logBuffer) String() string {
	all := b.bytes()
	return string(all[max(0, len(all)-2000):])
}

// start runs an instance and waits until it is ready.
func (l *lab) start(ctx context.Context, args ...string) (*node, error) {
	return l.launch(ctx, l.binary, nil, args...)
}

// launch is start with another build of the program, and an environment.
func (l *lab) launch(ctx context.Context, binary string, env []string, args ...string) (*node, error) {
	public, err := freeAddr()
	if err != nil {
		return nil, err
	}
	ops, err := freeAddr()
	if err != nil {
		return nil, err
	}
	n := &node{lab: l, url: "http://" + public, ops: "http://" + ops, log: &logBuffer{}, binary: binary, env: env,
		args: append([]string{"serve", "--listen", public, "--ops-listen", ops, "--limits.rate", "0"}, args...)}
	if err := n.begin(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.nodes = append(l.nodes, n)
	l.mu.Unlock()
	return n, n.waitReady(ctx)
}

// begin starts the process, anew after a kill.
func (n *node) begin(ctx context.Context) error {
	n.cmd = exec.CommandContext(ctx, n.binary, n.args...)
	n.cmd.Dir, n.cmd.Env = n.lab.dir, append(os.Environ(), n.env...)
	n.cmd.Stdout, n.cmd.Stderr = n.log, n.log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		return err
	}
	done, cmd := make(chan struct{}), n.cmd
	n.done = done
	go func() { _ = cmd.Wait(); close(done) }()
	return nil
}

func (n *node) kill() {
	_ = syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL) // with its successors, after upgrades
	<-n.done
}

// dead reports whether the process has ended.
func (n *node) dead() bool {
	select {
	case <-n.done:
		return true
	case <-time.After(100 * time.Millisecond): // it may be about to
		select {
		case <-n.done:
			return true
		default:
			return false
		}
	}
}

func (n *node) waitReady(ctx context.Context) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case <-n.done:
			return fmt.Errorf("the program ended: %s", n.log)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if res, err := http.Get(n.ops + "/readyz"); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("the program is not ready after a minute: %s", n.log)
}

// cli runs a command of the program and returns what it printed.
func (l *lab) cli(ctx context.Context, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, l.binary, args...)
	cmd.Dir, cmd.Stderr = l.dir, &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("gongkai %s: %w: %s%s", strings.Join(args[:min(2, len(args))], " "), err, out, stderr.Bytes())
	}
	return out, nil
}

// memory is the process's anonymous resident memory in bytes.
func (n *node) memory() (int64, error) { return n.status("RssAnon:") }

func (n *node) status(field string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(b), field)
	if !ok {
		return 0, fmt.Errorf("no %s of the process", field)
	}
	var kb int64
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		return 0, err
	}
	return kb << 10, nil
}
