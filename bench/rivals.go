package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
)

// server is a program under load.
type server struct {
	cmd *exec.Cmd
	url string
	ops string
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// gongkai starts the real binary without a rate limit.
func (s settings) gongkai(ctx context.Context, args ...string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	ops, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.dir, "gongkai"), append([]string{"serve", "--listen", addr, "--ops-listen", ops,
		"--limits.rate", "100000000", "--limits.burst", "100000000", "--log.level", "warn"}, args...)...)
	return run(cmd, "http://"+addr, "http://"+ops+"/readyz")
}

// run starts a program and waits until it answers.
func run(cmd *exec.Cmd, url, ready string) (*server, error) {
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v := &server{cmd: cmd, url: url, ops: strings.TrimSuffix(ready, "/readyz")}
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		res, err := http.Get(ready)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode < 500 {
				return v, nil
			}
		}
	}
	v.stop()
	return nil, fmt.Errorf("%s does not answer", ready)
}

func (v *server) stop() {
	_ = v.cmd.Process.Signal(syscall.SIGTERM)
	_ = v.cmd.Wait()
}

// get fetches one answer, with the headers that matter for sending it again.
func get(url string, headers ...string) (body []byte, header http.Header, err error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, res.Status)
	}
	return body, res.Header, err
}

// bare is fiber as it comes, sending bytes it was given: the least a Go server
// on this framework can do.
func bare(addr string, answers map[string][]byte) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	for path, body := range answers {
		app.Get(path, func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
			return c.Send(body)
		})
	}
	return app.Listen(addr)
}

// startBare runs this program again as the bare server, so that it has a
// process of its own as the others have.
func (s settings) startBare(ctx context.Context, files map[string][]byte) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, "www")
	if err := writeFiles(dir, files); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bare", addr, dir)
	return run(cmd, "http://"+addr, "http://"+addr+"/list.json")
}

func writeFiles(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// serveBare is what `bench bare ADDR DIR` does.
func serveBare(addr, dir string) error {
	answers := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if answers["/"+e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return bare(addr, answers)
}

const nginxConf = `
worker_processes 2;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max=1000 inactive=600s;
  open_file_cache_valid 600s;
  default_type application/json;
  gzip_static on;
  etag on;
  server { listen %s reuseport; root %s; }
}
`

// startNginx serves the files, tuned as its own documentation advises.
func (s settings) startNginx(ctx context.Context, files map[string][]byte) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	prefix, err := os.MkdirTemp("/tmp", "gongkai-nginx-")
	if err != nil {
		return nil, err
	}
	www := filepath.Join(prefix, "www")
	if err := errors.Join(writeFiles(www, files), os.Chmod(prefix, 0o755), os.MkdirAll(filepath.Join(prefix, "logs"), 0o755)); err != nil {
		return nil, err
	}
	conf := filepath.Join(prefix, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, addr, www), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nginx", "-p", prefix, "-c", conf, "-g", "daemon off;")
	return run(cmd, "http://"+addr, "http://"+addr+"/list.json")
}
