package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// built is the folder of the program that the tests run as its users do.
var built string

// binary builds it once, for the first test that asks.
var binary = sync.OnceValues(func() (path string, err error) {
	if built, err = os.MkdirTemp("", "gongkai-test-"); err != nil {
		return "", err
	}
	path = filepath.Join(built, "gongkai")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// process is a running gongkai.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	url, ops string
	data     string
	out      *buffer
	done     chan error
}

// buffer collects output of a process while tests read it.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// freeAddr returns an address to listen on. Its port is below those that the
// kernel gives to clients: one of them could take it before it is used.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000)))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }()
		return l.Addr().String()
	}
	t.Fatal("no free port")
	return ""
}

// serve starts `gongkai serve` on free ports and waits until it is ready.
func serve(t *testing.T, data string, args ...string) *process {
	t.Helper()
	p := start(t, data, args...)
	p.waitReady()
	return p
}

func start(t *testing.T, data string, args ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	public, ops := freeAddr(t), freeAddr(t)
	p := &process{t: t, url: "http://" + public, ops: "http://" + ops, data: data, out: &buffer{}, done: make(chan error, 1)}
	p.cmd = exec.Command(path, append([]string{"serve", "--listen", public, "--ops-listen", ops, "--data", data}, args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Dir = t.TempDir()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("output of gongkai:\n%s", p.out)
		}
	})
	return p
}

// eventually retries until ok or the deadline, which is generous: machines are
// slow under test.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

func (p *process) waitReady() {
	p.t.Helper()
	eventually(p.t, "ready", func() bool {
		select {
		case err := <-p.done:
			p.t.Fatalf("gongkai ended: %v\n%s", err, p.out)
		default:
		}
		res, err := http.Get(p.ops + "/readyz")
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		return res.StatusCode == http.StatusOK
	})
}

func (p *process) stop(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Fatalf("gongkai ended with %v\n%s", err, p.out)
		}
	case <-time.After(30 * time.Second):
		p.t.Fatal("gongkai does not end")
	}
}

// call asks the server; body may be nil, a string of JSON or anything encoded
// as JSON.
func (p *process) call(method, path, token string, body any) (int, map[string]any) {
	p.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			p.t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, in)
	if err != nil {
		p.t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out map[string]any
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(raw) > 0 && strings.Contains(res.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(raw, &out); err != nil {
			p.t.Fatalf("%s %s: %v: %s", method, path, err, raw)
		}
	}
	return res.StatusCode, out
}

// cli runs a command of the real program on the same data.
func cli(t *testing.T, args ...string) (string, int) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !asExit(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError) //nolint:errorlint // returned bare by os/exec
	*exit = e
	return ok
}
