package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/redis/go-redis/v9"
)

// server is a program under load.
type server struct {
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	url    string
	folder string // of its own, removed with it; or ""
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// gongkai starts the real binary without a rate limit, and without the push: a
// database filled at one go has an event for each notice to get rid of.
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
		"--role", "web", "--limits.rate", "100000000", "--limits.burst", "100000000", "--log.level", "warn"}, args...)...)
	return run(cmd, "http://"+addr, "http://"+ops+"/readyz")
}

// inGroup makes a program end with its children, and with this process, whatever
// ends it.
func inGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
}

// grace is what a program has to end in order.
const grace = 10 * time.Second

// run starts a program and waits until it answers.
func run(cmd *exec.Cmd, url, ready string) (*server, error) {
	inGroup(cmd)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v := &server{cmd: cmd, done: make(chan struct{}), url: url}
	go func() { _ = cmd.Wait(); close(v.done) }()
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		select {
		case <-v.done:
			v.stop()
			return nil, fmt.Errorf("%s ended: %s", filepath.Base(cmd.Path), cmd.ProcessState)
		default:
		}
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
	group := -v.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-v.done:
	case <-time.After(grace):
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // who did not hear
	<-v.done
	if v.folder != "" {
		_ = os.RemoveAll(v.folder)
	}
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

// bareETag is the tag of everything a fiber rival sends.
const bareETag = `W/"bare"`

// bare is fiber as it comes, sending bytes that body returns: the least a Go
// server on this framework can do. /304 is the list, for those who have it.
func bare(addr string, names []string, body func(name string) ([]byte, error)) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	send := func(c *fiber.Ctx, name string) error {
		b, err := body(name)
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
		return c.Send(b)
	}
	for _, name := range names {
		app.Get("/"+name, func(c *fiber.Ctx) error { return send(c, name) })
	}
	app.Get("/304", func(c *fiber.Ctx) error {
		if _, err := body("list.json"); err != nil {
			return err
		}
		if c.Get(fiber.HeaderIfNoneMatch) == bareETag {
			return c.SendStatus(fiber.StatusNotModified)
		}
		return send(c, "list.json")
	})
	return app.Listen(addr)
}

// startFiber runs this program again as a fiber server, so that it has a process
// of its own as the others have. With the URL of a Redis it fetches what it
// sends from there, once a request.
func (s settings) startFiber(ctx context.Context, files map[string][]byte, redisURL string) (*server, error) {
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
	cmd := exec.CommandContext(ctx, self, fiberCommand, addr, dir, redisURL)
	return run(cmd, "http://"+addr, "http://"+addr+"/list.json")
}

// fiberCommand ADDR DIR REDIS makes this program a fiber server.
const fiberCommand = "fiber"

func serveFiber(ctx context.Context, addr, dir, redisURL string) error {
	answers, names := map[string][]byte{}, []string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if answers[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
		names = append(names, e.Name())
	}
	if redisURL == "" {
		return bare(addr, names, func(name string) ([]byte, error) { return answers[name], nil })
	}
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		return err
	}
	db := redis.NewClient(o)
	for name, b := range answers {
		if err := db.Set(ctx, "bench:"+name, b, time.Hour).Err(); err != nil {
			return err
		}
	}
	return bare(addr, names, func(name string) ([]byte, error) { return db.Get(ctx, "bench:"+name).Bytes() })
}

// What is asked of PocketBase: the same members as ours.
const (
	pocketFields = "id,code,title,sector,type,status,publisher,source_name,project_code,region,published_at,deadline_at,amount,summary"
	pocketList   = "/api/collections/notices/records?perPage=20&sort=-published_at&filter=sector%3D%27procurement%27&fields=" + pocketFields
)

// startPocketBase starts the peer with the same rows, filled on the first run;
// nil where it could not be built. Half of a filling is not kept.
func (s settings) startPocketBase(ctx context.Context, notices int) (*server, error) {
	program := filepath.Join(s.dir, "pocketbase")
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		fmt.Println("PocketBase was not built: left out")
		return nil, nil
	}
	of := s
	of.notices = notices
	if err := load(ctx, of.database(), notices); err != nil {
		return nil, err
	}
	database, err := filepath.Abs(of.database())
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(s.dir, fmt.Sprintf("pb%d", notices))
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := os.RemoveAll(dir + ".part"); err != nil {
			return nil, err
		}
		fill := exec.CommandContext(ctx, program, "fill", dir+".part", database)
		inGroup(fill)
		fill.Stderr = os.Stderr
		if err := fill.Run(); err != nil {
			return nil, fmt.Errorf("filling PocketBase: %w", err)
		}
		if err := os.Rename(dir+".part", dir); err != nil {
			return nil, err
		}
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", dir, addr)
	return run(cmd, "http://"+addr, "http://"+addr+"/api/health")
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

const nginxConf = `
worker_processes 2;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  scgi_temp_path tmp;
  uwsgi_temp_path tmp;
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

// startNginx serves the files, tuned as its own documentation advises. Started
// by root its workers run as another user, who must reach the files: the folder is
// open to all, and TMPDIR must be.
func (s settings) startNginx(ctx context.Context, files map[string][]byte) (v *server, err error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	prefix, err := os.MkdirTemp("", "gongkai-nginx-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(prefix))
		}
	}()
	www := filepath.Join(prefix, "www")
	if err := errors.Join(writeFiles(www, files), os.Chmod(prefix, 0o755)); err != nil {
		return nil, err
	}
	conf := filepath.Join(prefix, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, addr, www), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nginx", "-e", "stderr", "-p", prefix, "-c", conf, "-g", "daemon off;")
	if v, err = run(cmd, "http://"+addr, "http://"+addr+"/list.json"); err != nil {
		return nil, err
	}
	v.folder = prefix
	return v, nil
}
