package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// phones is a simulated WeChat with people, in a process of its own.
type phones struct {
	node   *node
	client *http.Client
	sheet  sheet
}

// sheet is demo.json.
type sheet struct {
	URL    string
	Tokens map[string]string
	WeChat struct {
		BaseURL  string `json:"base_url"`
		Accounts []account
	}
}

type account struct {
	App, AppID, Secret, Token, Mode string
	OriginalID                      string `json:"original_id"`
	AESKey                          string `json:"encoding_aes_key"`
	Templates                       []struct{ ID, Title, Type string }
}

// template is the id of the account's template of a type that shows notices.
func (a account) template(kind string) string {
	for _, t := range a.Templates {
		if t.Type == kind {
			return t.ID
		}
	}
	return ""
}

// card is what somebody's phone received.
type card struct {
	At              time.Time
	Channel, Person string
	URL, Text       *string
	Data            map[string]struct{ Value string }
	ClientMsgID     *string `json:"client_msg_id"`
	Shown           bool
}

// about reports whether the card leads to a notice.
func (c card) about(code string) bool { return c.URL != nil && strings.Contains(*c.URL, "/n/"+code) }

// phones starts a simulated WeChat on a data directory; the program around it
// plays no part unless the experiment lets it.
func (l *lab) phones(ctx context.Context, dir string, args ...string) (*phones, error) {
	n, err := l.start(ctx, append([]string{"--demo", "--data", dir}, args...)...)
	if err != nil {
		return nil, err
	}
	p := &phones{node: n, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	b, err := os.ReadFile(filepath.Join(dir, "demo.json"))
	if err != nil {
		return nil, err
	}
	return p, json.Unmarshal(b, &p.sheet)
}

func (p *phones) account(app string) account {
	for _, a := range p.sheet.WeChat.Accounts {
		if a.App == app {
			return a
		}
	}
	return account{}
}

// do calls the simulator's control plane; out may be nil.
func (p *phones) do(ctx context.Context, method, path string, in, out any) error {
	want := http.StatusOK
	if method == "POST" && path == "/demo/sim/people" {
		want = http.StatusCreated
	}
	return (&office{client: p.client}).call(ctx, p.node, method, path, "", in, want, out)
}

// follower makes a person who follows the service account and subscribes to
// construction.
func (p *phones) follower(ctx context.Context, name string) (id string, err error) {
	var made struct{ ID string }
	if err := p.do(ctx, "POST", "/demo/sim/people", object{"name": name}, &made); err != nil {
		return "", err
	}
	if err := p.act(ctx, made.ID, "follow", object{}); err != nil {
		return "", err
	}
	return made.ID, p.act(ctx, made.ID, "say", object{"text": "订阅 工程"})
}

// act does something as a person; the account's server must have understood it.
func (p *phones) act(ctx context.Context, id, action string, in object) error {
	var out struct {
		Callbacks []struct {
			Event   string
			Outcome *string
		}
	}
	if err := p.do(ctx, "POST", "/demo/sim/people/"+id+"/"+action, in, &out); err != nil {
		return err
	}
	for _, c := range out.Callbacks {
		if c.Outcome == nil || *c.Outcome != "ok" && *c.Outcome != "silent" {
			return fmt.Errorf("%s by %s: the callback was not accepted", action, id)
		}
	}
	return nil
}

// cards returns all that people have received on a channel ("" for every one).
func (p *phones) cards(ctx context.Context, channel string) ([]card, error) {
	var out struct{ Items []card }
	return out.Items, p.do(ctx, "GET", "/demo/sim/sent?limit=100000&channel="+channel, nil, &out)
}

// sent counts what people have received.
func (p *phones) sent(ctx context.Context) (int, error) {
	var out struct{ Total int }
	return out.Total, p.do(ctx, "GET", "/demo/sim/sent?limit=1", nil, &out)
}

// fault makes WeChat fail.
func (p *phones) fault(ctx context.Context, f object) error {
	return p.do(ctx, "POST", "/demo/sim/faults", f, nil)
}

func (p *phones) clear(ctx context.Context) error {
	return p.do(ctx, "DELETE", "/demo/sim/faults", nil, nil)
}

// town is a server under test with its office, and the phones of those who
// subscribed at it.
type town struct {
	*phones
	server *node
	dir    string // of the server's data
	office *office
}

// ways are the kinds of cards that a server sends.
type ways struct {
	keyed   bool // template messages, which have a key
	keyless bool // subscription messages
}

func wayOf(keyed bool) ways { return ways{keyed: keyed, keyless: !keyed} }

// flags of a server that sends as fast as it can to the simulated WeChat.
func (p *phones) flags(dir string, w ways) ([]string, error) {
	a := p.account("official")
	wechat := object{"appid": a.AppID, "secret": a.Secret, "token": a.Token, "aes_key": a.AESKey, "mode": a.Mode}
	if w.keyed {
		wechat["template"] = a.template("following")
	}
	if w.keyless {
		wechat["subscribe"] = a.template("long_term")
	}
	b, err := json.Marshal(object{
		"push":   object{"recall": "0s", "rate": 100000, "daily_cap": 100000},
		"wechat": object{"api_url": p.sheet.WeChat.BaseURL, "official": wechat},
	})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "wechat.yaml")
	return []string{"--config", file, "--data", dir}, os.WriteFile(file, b, 0o600) // JSON is YAML
}

// town starts a server with people who subscribed to construction. They are
// made once in a run and kept for the experiments after it.
func (l *lab) town(ctx context.Context, people int, keyed bool) (*town, error) {
	return l.townOf(ctx, people, keyed, l.binary, nil)
}

// townOf is a town whose server is another build of the program.
func (l *lab) townOf(ctx context.Context, people int, keyed bool, binary string, env []string) (*town, error) {
	kept := filepath.Join(l.dir, fmt.Sprintf("town%d", people))
	if _, err := os.Stat(kept); err != nil {
		if err := l.settle(ctx, kept, people); err != nil {
			return nil, errors.Join(err, os.RemoveAll(kept))
		}
	}
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, os.DirFS(kept)); err != nil {
		return nil, err
	}
	return l.reside(ctx, dir, wayOf(keyed), binary, env)
}

// reside starts phones and server on their folders in dir.
func (l *lab) reside(ctx context.Context, dir string, w ways, binary string, env []string) (*town, error) {
	p, err := l.phones(ctx, filepath.Join(dir, "phones"), "--role", "web")
	if err != nil {
		return nil, err
	}
	t := &town{phones: p, dir: filepath.Join(dir, "server")}
	args, err := p.flags(t.dir, w)
	if err != nil {
		return nil, err
	}
	if t.server, err = l.launch(ctx, binary, env, args...); t.server == nil {
		return nil, err
	}
	if err == nil {
		t.office, err = l.hire(ctx, t.server, "--data", t.dir)
	}
	if err != nil && env != nil && t.server.dead() { // at a crash point, before the day has begun
		t.server.env = nil
		if err = t.server.begin(ctx); err == nil {
			err = t.server.waitReady(ctx)
		}
		if err == nil {
			t.office, err = l.hire(ctx, t.server, "--data", t.dir)
		}
	}
	if err != nil {
		return nil, err
	}
	unlimited := map[string]int64{"/cgi-bin/message/template/send": 10_000_000, "/cgi-bin/message/subscribe/bizsend": 10_000_000}
	return t, p.do(ctx, "POST", "/demo/sim/accounts/official",
		object{"callback_url": t.server.url + "/wechat/official/callback", "daily": unlimited, "minute": unlimited}, nil)
}

// settle makes the people of a town and keeps it.
func (l *lab) settle(ctx context.Context, dir string, people int) error {
	for _, d := range []string{"phones", "server"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	t, err := l.reside(ctx, dir, ways{keyed: true, keyless: true}, l.binary, nil) // a consent to what it does not send is none
	if err != nil {
		return err
	}
	longTerm := t.account("official").template("long_term")
	var mu sync.Mutex
	var errs error
	l.parallel(8, people, func(i int) {
		id, err := t.follower(ctx, fmt.Sprintf("居民%d", i+1))
		if err == nil {
			err = t.act(ctx, id, "accept", object{"template": longTerm})
		}
		mu.Lock()
		errs = errors.Join(errs, err)
		mu.Unlock()
	})
	wait(ctx, 1500*time.Millisecond) // the simulator saves once a second
	t.server.quit()
	t.node.quit()
	return errs
}

// parallel calls f with 0 to n-1, several at a time.
func (l *lab) parallel(at, n int, f func(i int)) {
	turns := make(chan int)
	var working sync.WaitGroup
	for range at {
		working.Go(func() {
			for i := range turns {
				f(i)
			}
		})
	}
	for i := range n {
		turns <- i
	}
	close(turns)
	working.Wait()
}

// quit ends an instance in order.
func (n *node) quit() {
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-n.done:
	case <-time.After(20 * time.Second):
	}
	n.kill()
}

// funnel is how far the push of a notice is.
type funnel struct {
	Event, State string
	Code         string `json:"notice_code"`
	Paused       bool
	Trial        bool
	States       map[string]int
}

// pushes lists the newest pushes.
func (o *office) pushes(ctx context.Context, n *node) ([]funnel, error) {
	var out struct{ Items []funnel }
	return out.Items, o.call(ctx, n, "GET", "/api/v1/staff/pushes?limit=100", o.reviewer, nil, http.StatusOK, &out)
}

// settled waits until nothing is on its way to WeChat and returns the states of
// all deliveries.
func (o *office) settled(ctx context.Context, n *node, limit time.Duration) (map[string]int, error) {
	deadline := time.Now().Add(limit)
	for {
		var status struct {
			Queue   map[string]int
			Pending int
		}
		err := o.call(ctx, n, "GET", "/api/v1/staff/push/status", o.reviewer, nil, http.StatusOK, &status)
		q := status.Queue
		if err == nil && status.Pending == 0 && q["queued"]+q["leased"]+q["sending"] == 0 && len(q) > 0 {
			return q, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if time.Now().After(deadline) {
			return q, fmt.Errorf("not settled after %s: %v, %d pending: %w", limit, q, status.Pending, err)
		}
		wait(ctx, 100*time.Millisecond)
	}
}

// exec runs a program in the lab and returns what it printed.
func (l *lab) exec(ctx context.Context, dir string, env []string, name string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr, cmd.Env = dir, &stderr, append(os.Environ(), append(env, "TMPDIR="+l.dir)...)
	inGroup(cmd)
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args[:min(2, len(args))], " "), err, out, tail(stderr.Bytes()))
	}
	return out, nil
}

// inGroup makes a command and all that it starts end together, also when the
// run is broken off.
func inGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
}
