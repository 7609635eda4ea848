package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/push"
)

// What goes wrong outside the program is told in Chinese before the system's own
// words.
func TestTheSystemsWordsComeSecond(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, databaseFile), bytes.Repeat([]byte("not a database\n"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	good := t.TempDir()
	made, code := run(t, nil, "token", "create", "--name", "管理员", "--role", "admin", "--json", "--data", good)
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(made), &token); err != nil || code != exitOK {
		t.Fatal(made)
	}
	for _, tt := range []struct {
		args        []string
		code        int
		first, also string
	}{
		{[]string{"token", "list", "--data", dir}, exitFailed, "数据库文件不是 SQLite 数据库，或者已经损坏", "not a database"},
		{[]string{"backup", "verify", filepath.Join(dir, databaseFile)}, exitFaulty, "备份已损坏：", "not a database"},
		{[]string{"backup", "verify", "没有"}, exitFailed, "没有“没有”", "no such file"},
		{[]string{"token", "list", "--data", filepath.Join(dir, databaseFile)}, exitUsage, "没有数据库 /", "GONGKAI_DATA"},
		{[]string{"token", "create", "--name", "甲", "--role", "admin", "--data", filepath.Join(dir, databaseFile)}, exitFailed, "数据目录：", "not a directory"},
		{[]string{"holidays", "import", "nofile"}, exitUsage, "没有“nofile”", "no such file"},
		{[]string{"notice", "import", "nofile", "--as", token.Token, "--data", good}, exitUsage, "没有“nofile”", "no such file"},
		{[]string{"catalog", "import", "nofile", "--as", token.Token, "--data", good}, exitUsage, "没有“nofile”", "no such file"},
		{[]string{"notice", "list", "--config", "nofile"}, exitUsage, "配置文件 nofile：", "no such file"},
		{[]string{"callback", "done", "1", "--outcome", "reached", "--as", "@nofile", "--data", good}, exitUsage, "--as 指的令牌文件读不出", "no such file"},
		{[]string{"healthcheck", "--ops-listen", freeAddr(t)}, exitFailed, "服务没有回应", "connection refused"},
	} {
		if out, code := run(t, nil, tt.args...); code != tt.code || !strings.HasPrefix(out, tt.first) || !strings.Contains(out, tt.also) {
			t.Errorf("%v: exit %d, %q, want exit %d, %q first and %q", tt.args, code, out, tt.code, tt.first, tt.also)
		}
	}
	for err, want := range map[error]string{
		&push.SendError{Code: 40164, Class: disclosure.ClassConfig, IP: "203.0.113.7"}: "微信不接受来自 203.0.113.7 的调用：请在公众平台的 IP 白名单中加上",
		&push.SendError{Code: 40125, Class: disclosure.ClassConfig}:                    "微信没有接受：公众号配置有误（",
		&push.SendError{Class: disclosure.ClassRetry, Text: "not reached"}:             "微信没有回应，或连接不上（",
		context.Canceled:         "已中断（",
		store.ErrForeignDatabase: "数据库文件是别的程序的，没有改动；",
		&os.PathError{Op: "open", Path: "甲", Err: os.ErrPermission}:                            "没有权限打开“甲”（",
		fmt.Errorf("列表：%w", io.ErrUnexpectedEOF):                                               "列表：",
		fmt.Errorf("x: %w", &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}): "连接不上（",
		fmt.Errorf("store: %w", io.ErrUnexpectedEOF):                                           "没有办成（",
		fmt.Errorf("读写：%w", &os.PathError{Op: "read", Path: "乙", Err: io.ErrUnexpectedEOF}):    "读写：",
	} {
		if got := message(err); !strings.HasPrefix(got, want) {
			t.Errorf("message(%v) = %q, want %q first", err, got, want)
		}
	}
}

// A command that begins an installation says so: what it writes into a new
// database is never seen by a server that has another.
func TestANewDatabaseIsTold(t *testing.T) {
	for _, args := range [][]string{{"token", "create", "--name", "李录入", "--role", "editor"}, {"migrate"}} {
		dir := filepath.Join(t.TempDir(), "new")
		for _, told := range []bool{true, false} {
			var log bytes.Buffer
			root := newRoot(&program{out: io.Discard, log: &log, now: time.Now, env: []string{"GONGKAI_DATA=" + dir}})
			root.SetArgs(args)
			if err := root.ExecuteContext(t.Context()); err != nil {
				t.Fatalf("%v: %v", args, err)
			}
			if got := strings.Contains(log.String(), "新建了数据库 "+filepath.Join(dir, databaseFile)); got != told {
				t.Errorf("%v: told %t of a new database, want %t: %s", args, got, told, &log)
			}
		}
	}
}

// The health is asked for at the address of operations itself.
func TestHealthcheckAsksTheAddress(t *testing.T) {
	var ready http.HandlerFunc = func(http.ResponseWriter, *http.Request) {}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.2:0")
	if err != nil {
		t.Skip(err) // not Linux
	}
	s := &http.Server{Handler: ready, ReadHeaderTimeout: time.Second}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	if out, code := run(t, nil, "healthcheck", "--ops-listen", l.Addr().String()); code != exitOK {
		t.Errorf("exit %d, %s", code, out)
	}
}

// The demo's successor goes on with the demo's data, in the folder it made up.
func TestDemoSuccessorKeepsTheData(t *testing.T) {
	c := &config{Demo: true, Data: "/tmp/gongkai-demo-1"}
	if got := strings.Join(c.successorArgs([]string{"serve", "--demo"}), " "); got != "serve --demo --data /tmp/gongkai-demo-1" {
		t.Error(got)
	}
}
