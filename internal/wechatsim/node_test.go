package wechatsim

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const nodeDir = "testdata/node"

// installed has npm install what package-lock.json names, unless it is there.
var installed = sync.OnceValues(func() (string, error) {
	lock, err := os.Stat(nodeDir + "/package-lock.json")
	if err != nil {
		return "", err
	}
	if done, err := os.Stat(nodeDir + "/node_modules/.package-lock.json"); err == nil && !done.ModTime().Before(lock.ModTime()) {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = nodeDir
	out, err := cmd.CombinedOutput()
	return string(out), err
})

// needNode installs the independent implementations. Without Node.js, or
// without a registry, the test is skipped; GONGKAI_TEST_ALL=1 makes that a
// failure.
func needNode(t *testing.T) {
	t.Helper()
	give := t.Skipf
	if os.Getenv("GONGKAI_TEST_ALL") == "1" {
		give = t.Fatalf
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			give("%s is not installed; scripts/with-services installs it", program)
		}
	}
	if out, err := installed(); err != nil {
		give("npm ci in %s: %v\n%s", nodeDir, err, out)
	}
}

func node(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", append([]string{"--no-deprecation"}, args...)...)
	cmd.Dir = nodeDir
	cmd.Stderr = os.Stderr
	return cmd
}

// The committed vectors are what @wecom/crypto writes.
func TestNodeVectors(t *testing.T) {
	needNode(t)
	out, err := node(t, "vectors.js").Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, want) {
		t.Error("testdata/vectors.json is not what node vectors.js writes")
	}
}

type nodeStep struct {
	Step    string
	Value   any
	Code    int
	Message string
}

// nodeClient runs steps of co-wechat-api against a simulator.
func nodeClient(t *testing.T, url string, a *account, spec object) map[string]nodeStep {
	t.Helper()
	b, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	out, err := node(t, "client.js", url, a.AppID, a.Secret, string(b)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var steps []nodeStep
	if err := json.Unmarshal(out, &steps); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	done := map[string]nodeStep{}
	for _, s := range steps {
		done[s.Step] = s
	}
	return done
}

// A client that others have written gets along with the simulator.
func TestNodeClient(t *testing.T) {
	needNode(t)
	w := start(t)
	server := httptest.NewServer(w)
	defer server.Close()
	w.act("p1", "follow", nil)
	w.act("p1", "accept", nil)
	spec := object{"openid": w.openID("official", "p1"), "foreign": w.openID("mini", "p1"), "template": w.template("official", ByFollowing), "data": notice(nil),
		"steps": []string{"token", "template", "badTemplate", "foreign", "missingField", "text", "user", "followers", "qrcode", "createMenu", "getMenu", "staleToken", "removeMenu", "addresses", "jsConfig"}}
	got := nodeClient(t, server.URL+mountPoint, w.official(), spec)
	for step, want := range map[string]int{"badTemplate": 40037, "foreign": 40003, "missingField": 47003} {
		if got[step].Code != want {
			t.Errorf("%s: %+v, want code %d", step, got[step], want)
		}
		delete(got, step)
	}
	for step, s := range got {
		if s.Code != 0 || s.Message != "" {
			t.Errorf("%s: %+v", step, s)
		}
	}
	value := func(step string) object { v, _ := got[step].Value.(object); return v }
	if id, _ := value("template")["msgid"].(string); len(id) != 19 {
		t.Errorf("template: msgid %v", value("template"))
	}
	if value("user")["unionid"] != w.byID["p1"].unionID {
		t.Errorf("user: %v", value("user"))
	}
	if !strings.HasPrefix(value("qrcode")["url"].(string), "http://weixin.qq.com/q/") {
		t.Errorf("qrcode: %v", value("qrcode"))
	}
	if value("staleToken")["menu"] == nil || value("jsConfig")["signature"] == nil {
		t.Errorf("staleToken %v, jsConfig %v", value("staleToken"), value("jsConfig"))
	}
	spec["openid"], spec["template"], spec["steps"] = w.openID("mini", "p1"), w.template("mini", LongTerm), []string{"subscribe"}
	if s := nodeClient(t, server.URL, w.mini(), spec)["subscribe"]; s.Code != 0 || s.Message != "" {
		t.Errorf("subscribe: %+v", s)
	}
	if n := len(w.sent("p1")); n != 3 {
		t.Errorf("%d cards, want a template message, a text and a subscribe message", n)
	}
}

// A server that others have written understands the callbacks, and its replies
// are understood.
func TestNodeReceiver(t *testing.T) {
	needNode(t)
	for _, mode := range []Mode{Plain, Compat, Safe} {
		t.Run(string(mode), func(t *testing.T) {
			accounts := Demo("http://callback.test")
			a := &accounts[0]
			a.Mode = mode
			cmd := node(t, "receiver.js", a.Token, a.AppID, a.AESKey)
			pipe, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			lines := bufio.NewScanner(pipe)
			read := func() (m object) {
				t.Helper()
				if !lines.Scan() {
					t.Fatal("the receiver says nothing")
				}
				if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
					t.Fatal(err)
				}
				return m
			}
			a.CallbackURL = "http://127.0.0.1:" + itoa(int64(read()["port"].(float64))) + "/"
			sim, err := New(Options{Now: time.Now, Accounts: accounts, People: []string{"王大爷"}, Transport: &http.Transport{DisableKeepAlives: true}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			running.Go(func() { _ = sim.Run(ctx) })
			defer running.Wait()
			defer cancel()
			w := &world{Sim: sim, t: t}
			w.act("p1", "scan", object{"scene": "s:land:k03"})
			if m := read(); m["Event"] != "subscribe" || m["EventKey"] != "qrscene_s:land:k03" || m["FromUserName"] != w.openID("official", "p1") {
				t.Errorf("subscribe: %v", m)
			}
			out := w.act("p1", "say", object{"text": "订阅 土地"})
			if m := read(); m["Content"] != "订阅 土地" || m["MsgId"] == "" {
				t.Errorf("text: %v", m)
			}
			if replies := out["replies"].([]any); len(replies) != 1 || replies[0].(object)["text"] != "收到：订阅 土地" {
				t.Errorf("replies: %v", replies)
			}
			w.act("p1", "accept", object{"app": "official"})
			for range 2 {
				if m := read(); m["Event"] != "subscribe_msg_popup_event" || m["SubscribeMsgPopupEvent"] == nil {
					t.Errorf("popup: %v", m)
				}
			}
		})
	}
}
