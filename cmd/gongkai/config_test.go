package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// run executes a command line in this process and returns what it printed and
// its exit code.
func run(t *testing.T, env []string, args ...string) (out string, code int) {
	t.Helper()
	var b bytes.Buffer
	root := newRoot(&program{out: &b, log: io.Discard, now: time.Now, env: env})
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		b.WriteString(message(err))
	}
	return b.String(), exitCode(err)
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigLayers(t *testing.T) {
	secret := write(t, "database", "postgres://gongkai:s3cret@db/gongkai\n")
	file := write(t, "gongkai.yaml", "listen: 0.0.0.0:80\nlimits:\n  rate: 7\n  trusted_proxies: [10.0.0.0/8]\n")
	tests := []struct {
		name string
		env  []string
		args []string
		want string // a line of the output
	}{
		{"default", nil, nil, "ops_listen: 127.0.0.1:8081  # 默认值"},
		{"file", nil, []string{"--config", file}, "listen: 0.0.0.0:80  # 配置文件"},
		{"nested key of a file", nil, []string{"--config", file}, "limits.rate: 7  # 配置文件"},
		{"environment over file", []string{"GONGKAI_LISTEN=1.2.3.4:5"}, []string{"--config", file}, "listen: 1.2.3.4:5  # 环境变量"},
		{"section in the environment", []string{"GONGKAI_LIMITS__RATE=9"}, nil, "limits.rate: 9  # 环境变量"},
		{"list in the environment", []string{"GONGKAI_LIMITS__TRUSTED_PROXIES=10.0.0.1,10.1.0.0/16"}, nil,
			"limits.trusted_proxies: [10.0.0.1 10.1.0.0/16]  # 环境变量"},
		{"flag over environment", []string{"GONGKAI_LISTEN=1.2.3.4:5"}, []string{"--listen", "1.2.3.4:6"}, "listen: 1.2.3.4:6  # 命令行"},
		{"nested flag", nil, []string{"--log.level", "debug"}, "log.level: debug  # 命令行"},
		{"flag with a dash", nil, []string{"--ops-listen", "127.0.0.1:1"}, "ops_listen: 127.0.0.1:1  # 命令行"},
		{"secret from a file, masked", []string{"GONGKAI_DATABASE_FILE=" + secret}, nil, "database: postgres://gongkai:xxxxx@db/gongkai  # 环境变量"},
		{"test variables are not configuration", []string{"GONGKAI_TEST_ALL=1"}, nil, "listen: 127.0.0.1:8080  # 默认值"},
	}
	for _, tt := range tests {
		out, code := run(t, tt.env, append([]string{"config", "print"}, tt.args...)...)
		if code != exitOK || !strings.Contains(out, tt.want+"\n") {
			t.Errorf("%s: exit %d, want the line %q in:\n%s", tt.name, code, tt.want, out)
		}
		if strings.Contains(out, "s3cret") {
			t.Errorf("%s: the output shows a password", tt.name)
		}
	}
}

func TestConfigRefusesWhatCannotWork(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"unknown key in a file", nil, []string{"--config", write(t, "a.yaml", "lisen: 1\n")}, "是否想写“listen”"},
		{"unknown nested key", nil, []string{"--config", write(t, "b.yaml", "limits:\n  rat: 1\n")}, "是否想写“limits.rate”"},
		{"unknown variable", []string{"GONGKAI_LISTN=x"}, nil, "是否想写“listen”"},
		{"nothing like it", []string{"GONGKAI_FRUIT_BASKET=x"}, nil, "gongkai config init"},
		{"unknown flag", nil, []string{"--lisen", "x"}, "unknown flag"},
		{"broken file", nil, []string{"--config", write(t, "c.yaml", "listen: [\n")}, "c.yaml"},
		{"missing file", nil, []string{"--config", "/nowhere/gongkai.yaml"}, "/nowhere"},
		{"missing secret file", []string{"GONGKAI_DATABASE_FILE=/nowhere/x"}, nil, "database_file"},
		{"not a number", []string{"GONGKAI_LIMITS__RATE=many"}, nil, "配置的值不对"},
		{"negative rate", nil, []string{"--limits.rate", "-1"}, "不能为负"},
		{"role", nil, []string{"--role", "king"}, "king"},
		{"log level", nil, []string{"--log.level", "loud"}, "loud"},
		{"address without a port", nil, []string{"--listen", "localhost"}, "localhost"},
		{"proxy that is no network", nil, []string{"--limits.trusted-proxies", "proxy.local"}, "proxy.local"},
		{"database of no known kind", nil, []string{"--database", "mysql://x"}, "sqlite: 或 postgres://"},
		{"redis of no known kind", nil, []string{"--redis", "memcached://x"}, "redis://"},
		{"public url", nil, []string{"--public-url", "example.gov.cn"}, "public_url"},
		{"cache of no size", nil, []string{"--cache.mib", "0"}, "cache.mib"},
	}
	for _, tt := range tests {
		out, code := run(t, tt.env, append([]string{"config", "check"}, tt.args...)...)
		if code != exitUsage || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit %d, %q, want exit %d and %q", tt.name, code, out, exitUsage, tt.want)
		}
	}
}

// What `config init` prints is a configuration, and says nothing new.
func TestConfigInitIsTheDefaults(t *testing.T) {
	text, code := run(t, nil, "config", "init")
	if code != exitOK {
		t.Fatal(text)
	}
	from, _ := run(t, nil, "config", "print", "--config", write(t, "init.yaml", text))
	plain, _ := run(t, nil, "config", "print")
	if got := strings.ReplaceAll(from, "配置文件", "默认值"); got != plain {
		t.Errorf("config init, read back:\n%s\nwant\n%s", got, plain)
	}
}

// Every command explains itself, and prints JSON where it prints data.
func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(path []string)
	seen := 0
	walk = func(path []string) {
		cmd, _, err := newRoot(&program{out: io.Discard, log: io.Discard, now: time.Now}).Find(path)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if cmd.Short == "" {
			t.Errorf("%s has no description", cmd.CommandPath())
		}
		if out, code := run(t, nil, append(path, "--help")...); code != exitOK || !strings.Contains(out, "Usage:") {
			t.Errorf("%s --help: exit %d", cmd.CommandPath(), code)
		}
		for _, sub := range cmd.Commands() {
			walk(append(append([]string{}, path...), sub.Name()))
		}
	}
	walk(nil)
	if seen < 30 {
		t.Errorf("only %d commands", seen)
	}
}
