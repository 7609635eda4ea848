package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/knadh/koanf/v2"

	"gongkai/internal/store/storetest"
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
		{"file named in the environment", []string{"GONGKAI_CONFIG=" + file}, nil, "listen: 0.0.0.0:80  # 配置文件"},
		{"environment over file", []string{"GONGKAI_LISTEN=1.2.3.4:5"}, []string{"--config", file}, "listen: 1.2.3.4:5  # 环境变量"},
		{"section in the environment", []string{"GONGKAI_LIMITS__RATE=9"}, nil, "limits.rate: 9  # 环境变量"},
		{"list in the environment", []string{"GONGKAI_LIMITS__TRUSTED_PROXIES=10.0.0.1,10.1.0.0/16"}, nil,
			"limits.trusted_proxies: [10.0.0.1 10.1.0.0/16]  # 环境变量"},
		{"telephone number, which is no octal one", nil, []string{"--config", write(t, "n.yaml", "ivr:\n  operator: 051566667777\n")}, "ivr.operator: 051566667777  # 配置文件"},
		{"nor a large one", nil, []string{"--config", write(t, "l.yaml", "ivr:\n  operator: 051588889999\n")}, "ivr.operator: 051588889999  # 配置文件"},
		{"file of nothing but a remark", nil, []string{"--config", write(t, "r.yaml", "# later\n")}, "listen: 127.0.0.1:8080  # 默认值"},
		{"flag over environment", []string{"GONGKAI_LISTEN=1.2.3.4:5"}, []string{"--listen", "1.2.3.4:6"}, "listen: 1.2.3.4:6  # 命令行"},
		{"nested flag", nil, []string{"--log.level", "debug"}, "log.level: debug  # 命令行"},
		{"flag with a dash", nil, []string{"--ops-listen", "127.0.0.1:1"}, "ops_listen: 127.0.0.1:1  # 命令行"},
		{"secret from a file, masked", []string{"GONGKAI_DATABASE_FILE=" + secret}, nil, "database: postgres://gongkai:xxxxx@db/gongkai  # 环境变量"},
		{"secret from a file named by a flag", nil, []string{"--database-file", secret}, "database: postgres://gongkai:xxxxx@db/gongkai  # 命令行"},
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
		{"unknown flag", nil, []string{"--lisen", "x"}, "没有选项 --lisen，是否想写“--listen”？"},
		{"flag without a value", nil, []string{"--listen"}, "--listen 需要写一个值"},
		{"flag of another kind", nil, []string{"--cache.mib", "big"}, "“big”不对，应为整数"},
		{"broken file", nil, []string{"--config", write(t, "c.yaml", "listen: [\n")}, "c.yaml"},
		{"missing file", nil, []string{"--config", "/nowhere/gongkai.yaml"}, "/nowhere"},
		{"missing secret file", []string{"GONGKAI_DATABASE_FILE=/nowhere/x"}, nil, "database_file"},
		{"empty secret file", []string{"GONGKAI_DATABASE_FILE=" + write(t, "empty", "\n")}, nil, "是空的"},
		{"WeChat without a secret", []string{"GONGKAI_WECHAT__OFFICIAL__APPID=wx1"}, nil, "wechat.official 须写明"},
		{"WeChat's mode", []string{"GONGKAI_WECHAT__MINI__APPID=wx1", "GONGKAI_WECHAT__MINI__SECRET=s3cret", "GONGKAI_WECHAT__MINI__TOKEN=t", "GONGKAI_WECHAT__MINI__MODE=sfae"}, nil, "现在是“sfae”"},
		{"WeChat's key", []string{"GONGKAI_WECHAT__MINI__APPID=wx1", "GONGKAI_WECHAT__MINI__SECRET=s3cret", "GONGKAI_WECHAT__MINI__TOKEN=t", "GONGKAI_WECHAT__MINI__AES_KEY=s3cret"}, nil, "43 个字符"},
		{"WeChat's key that opens nothing", []string{"GONGKAI_WECHAT__MINI__APPID=wx1", "GONGKAI_WECHAT__MINI__SECRET=s3cret", "GONGKAI_WECHAT__MINI__TOKEN=t", "GONGKAI_WECHAT__MINI__AES_KEY=s3cret-" + strings.Repeat("*", 36)}, nil, "都是字母或数字"},
		{"page without a parameter", []string{"GONGKAI_WECHAT__MINI_PAGE=pages/notice"}, nil, "pages/notice?code="},
		{"page with a value already", []string{"GONGKAI_WECHAT__MINI_PAGE=pages/notice?code=1"}, nil, "现在是“pages/notice?code=1”"},
		{"page that is an address", []string{"GONGKAI_WECHAT__MINI_PAGE=https://example.cn/n?code="}, nil, "页面路径"},
		{"not a number", []string{"GONGKAI_LIMITS__RATE=many"}, nil, "环境变量中的 limits.rate 应为整数，现在是“many”"},
		{"not a number in a file", nil, []string{"--config", write(t, "d.yaml", "limits:\n  rate: [1]\n")}, "limits.rate 应为整数"},
		{"neither true nor false", []string{"GONGKAI_DEMO=perhaps"}, nil, "demo 应为 true 或 false"},
		{"a list for one value", nil, []string{"--config", write(t, "e.yaml", "listen: [a, b]\n")}, "listen 应为一个值"},
		{"a secret twice", []string{"GONGKAI_REDIS=redis://a", "GONGKAI_REDIS_FILE=" + write(t, "redis", "redis://b")}, nil, "redis 和 redis_file 只能写一个"},
		{"negative rate", nil, []string{"--limits.rate", "-1"}, "不能为负"},
		{"role", nil, []string{"--role", "king"}, "king"},
		{"log level", nil, []string{"--log.level", "loud"}, "loud"},
		{"address without a port", nil, []string{"--listen", "localhost"}, "localhost"},
		{"proxy that is no network", nil, []string{"--limits.trusted-proxies", "proxy.local"}, "proxy.local"},
		{"port that is none", nil, []string{"--listen", "127.0.0.1:99999"}, "127.0.0.1:99999"},
		{"database url that is none", nil, []string{"--database", "postgres://u:s3cret@db:port/x"}, "database 的网址写得不对"},
		{"redis url that is none", nil, []string{"--redis", "redis://:s3cret@cache:port/0"}, "redis 的网址写得不对"},
		{"database of no known kind", nil, []string{"--database", "mysql://x"}, "sqlite: 或 postgres://"},
		{"redis of no known kind", nil, []string{"--redis", "memcached://x"}, "redis://"},
		{"public url", nil, []string{"--public-url", "example.gov.cn"}, "public_url"},
		{"hotline number", []string{"GONGKAI_IVR__OPERATOR=+86515"}, nil, "“+86515”应为数字"},
		{"hotline key of a menu", []string{"GONGKAI_IVR__KEY_BACK=1"}, nil, "键“1”不能用"},
		{"hotline key twice", []string{"GONGKAI_IVR__KEY_BACK=0"}, nil, "键“0”不能用"},
		{"hotline key that is none", []string{"GONGKAI_IVR__KEY_BACK=返"}, nil, "键“返”不能用"},
		{"department without a number", []string{"GONGKAI_IVR__DEPARTMENTS=housing=区住建局"}, nil, "领域代码=部门名称=电话"},
		{"department of no number", []string{"GONGKAI_IVR__DEPARTMENTS=housing=区住建局=总机"}, nil, "housing"},
		{"office hours", []string{"GONGKAI_IVR__OFFICE_HOURS=9-12"}, nil, "09:00-12:00"},
		{"short signing key", []string{"GONGKAI_IVR__SIGNING_KEYS=s3cret"}, nil, "至少 16 个"},
		{"words that cannot be said", []string{"GONGKAI_IVR__WORDS_GREETING=***"}, nil, "念得出的字"},
		{"words with an unknown name", []string{"GONGKAI_IVR__WORDS_OPERATOR=请稍候{who}"}, nil, "{name}、{hours} 和 {number}"},
		{"two voices", []string{"GONGKAI_IVR__TTS_COMMAND=cat", "GONGKAI_IVR__TTS_URL=http://v"}, nil, "只能用一个"},
		{"voice of another kind", []string{"GONGKAI_IVR__TTS_URL=ftp://s3cret@v"}, nil, "http://"},
		{"negative days of a number", []string{"GONGKAI_IVR__CALLBACK_DAYS=-1"}, nil, "ivr.callback_days 应在 0 到 365 之间"},
		{"short key of numbers", []string{"GONGKAI_IVR__CALLBACK_KEYS=a key that is long enough,s3cret"}, nil, "ivr.callback_keys 的每个密钥至少 16 个字符"},
		{"words of a callback", []string{"GONGKAI_IVR__WORDS_CALLBACK={who}回电"}, nil, "回电的话还有 {when}"},
		{"a quoted voice command", []string{"GONGKAI_IVR__TTS_COMMAND=sh -c 'cat speech.wav'"}, nil, "按空白拆成程序和参数"},
		{"a blank voice command", []string{"GONGKAI_IVR__TTS_COMMAND=  "}, nil, "按空白拆成程序和参数"},
		{"negative hotline rate", []string{"GONGKAI_IVR__TURN_RATE=-1"}, nil, "ivr.turn_rate 不能为负"},
		{"cache of no size", nil, []string{"--cache.mib", "0"}, "cache.mib"},
	}
	for _, tt := range tests {
		out, code := run(t, tt.env, append([]string{"config", "check"}, tt.args...)...)
		if code != exitUsage || !strings.Contains(out, tt.want) {
			t.Errorf("%s: exit %d, %q, want exit %d and %q", tt.name, code, out, exitUsage, tt.want)
		}
		if strings.Contains(out, "s3cret") {
			t.Errorf("%s: the message shows a password: %s", tt.name, out)
		}
	}
}

// A password is hidden wherever it stands in a URL, and in what is no URL.
// What the configuration puts into answers is not served from Redis as another
// configuration had it; replicas of one share everything.
func TestFormatIsOfTheConfiguration(t *testing.T) {
	configured := func(change func(c *config)) string {
		c := &config{all: koanf.New(".")}
		change(c)
		return format(c)
	}
	plain := configured(func(*config) {})
	for name, change := range map[string]func(*config){
		"site name":  func(c *config) { c.Site.Name = "盐都区公共资源" },
		"hotline":    func(c *config) { c.Site.Hotline = "0515-66667777" },
		"public URL": func(c *config) { _ = c.all.Set("public_url", "https://gk.example.gov.cn") },
	} {
		if configured(change) == plain {
			t.Errorf("another %s, and answers are shared", name)
		}
	}
	if configured(func(c *config) { c.PublicURL = "http://10.0.0.2:8080" }) != plain {
		t.Error("replicas without a public URL share nothing")
	}
}

func TestMaskURL(t *testing.T) {
	for url, want := range map[string]string{
		"":                                  "",
		"sqlite:data/gongkai.db":            "sqlite:data/gongkai.db",
		"postgres://u:s3cret@db/x":          "postgres://u:xxxxx@db/x",
		"postgres://u@db/x?sslmode=disable": "postgres://u@db/x?sslmode=disable",
		"postgres://db/x?password=s3cret":   "postgres://db/x?password=xxxxx",
		"postgres://u:s3cret@db:port/x":     "（已设置）",
		"redis://:s3cret@cache:6379/0":      "redis://:xxxxx@cache:6379/0",
	} {
		if got := maskURL(url); got != want {
			t.Errorf("maskURL(%q) = %q, want %q", url, got, want)
		}
	}
}

// A command line that cannot be meant ends with exitUsage, does nothing, and
// says in Chinese what to do.
func TestCommandLineFaults(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"sevre"}, "没有命令“gongkai sevre”，是否想写“serve”？"},
		{[]string{"notice", "pubish", "1"}, "没有命令“gongkai notice pubish”，是否想写“publish”？"},
		{[]string{"notice", "fruit"}, "没有命令“gongkai notice fruit”。"},
		{[]string{"help", "notice", "pubish"}, "是否想写“publish”？"},
		{[]string{"notice", "show"}, "用法：gongkai notice show 编号"},
		{[]string{"version", "x"}, "参数的个数不对（收到 1 个）"},
		{[]string{"notice", "publish", "10000000"}, "缺少必须的选项 --as"},
		{[]string{"version", "-z"}, "没有选项 -z"},
		{[]string{"notice", "list", "--data", none}, "没有数据库"},
		{[]string{"audit", "verify", "--data", none}, "没有数据库"},
		{[]string{"backup", "create", "--data", none}, "没有数据库"},
		{[]string{"token", "create", "--name", "甲", "--role", "editor", "--expires", "-1h", "--data", none}, "不能为负"},
	} {
		if out, code := run(t, nil, tt.args...); code != exitUsage || !strings.Contains(out, tt.want) {
			t.Errorf("%v: exit %d, %q, want exit %d and %q", tt.args, code, out, exitUsage, tt.want)
		}
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("a mistyped data directory was created")
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
		if out, code := run(t, nil, append(path, "--help")...); code != exitOK || !strings.Contains(out, "用法：") || strings.Contains(out, "help for") || strings.Contains(out, "(default") {
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

// What the pages and the units tell people to run is a command, with options that
// it has.
func TestWrittenCommandsExist(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	units, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil {
		t.Fatal(err)
	}
	written, seen := regexp.MustCompile("(?m)(?:^|[^\\w/]|/usr/local/bin/| /)gongkai ([a-z][^`#|&;\n]*)"), 0
	for _, page := range slices.Concat(pages, units, []string{"../../README.md", "../../compose.yaml"}) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range written.FindAllStringSubmatch(string(text), -1) {
			words := strings.Fields(line[1])
			cmd, _, err := newRoot(&program{}).Find(words)
			if err != nil || !cmd.HasParent() {
				t.Errorf("%s: no command “gongkai %s”", page, line[1])
				continue
			}
			seen++
			for _, word := range words {
				name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
				if strings.HasPrefix(word, "--") && cmd.Flag(name) == nil {
					t.Errorf("%s: %s has no option --%s", page, cmd.CommandPath(), name)
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("only %d commands", seen)
	}
}

// A database that a newer program has upgraded is opened by no command, and both
// versions are told.
func TestNewerSchemaIsTold(t *testing.T) {
	dir := t.TempDir()
	if out, code := run(t, nil, "migrate", "--data", dir); code != exitOK {
		t.Fatal(out)
	}
	db := storetest.Raw(t, "sqlite:"+filepath.Join(dir, databaseFile))
	storetest.Exec(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
	for _, args := range [][]string{{"migrate"}, {"notice", "list"}, {"backup", "create"}, {"serve", "--listen", freeAddr(t), "--ops-listen", freeAddr(t)}} {
		out, code := run(t, nil, append(args, "--data", dir)...)
		if code != exitFailed || !strings.Contains(out, "更新版本") || !strings.Contains(out, "schema 99") {
			t.Errorf("%v: exit %d, %s", args, code, out)
		}
	}
}
