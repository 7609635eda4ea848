package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	koanfyaml "github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// config is the whole configuration.
type config struct {
	Listen      string `koanf:"listen"`
	OpsListen   string `koanf:"ops_listen"`
	StaffListen string `koanf:"staff_listen"`
	PublicURL   string `koanf:"public_url"`
	Data        string `koanf:"data"`
	Database    string `koanf:"database"`
	Redis       string `koanf:"redis"`
	Role        string `koanf:"role"`
	Demo        bool   `koanf:"demo"`
	Log         struct {
		Level string `koanf:"level"`
	} `koanf:"log"`
	Cache struct {
		MiB int `koanf:"mib"`
	} `koanf:"cache"`
	Limits struct {
		Rate           int      `koanf:"rate"`
		Burst          int      `koanf:"burst"`
		TrustedProxies []string `koanf:"trusted_proxies"`
	} `koanf:"limits"`
	Site    site          `koanf:"site"`
	IVR     hotlineConfig `koanf:"ivr"`
	Publish struct {
		SecrecyReview bool `koanf:"secrecy_review"`
	} `koanf:"publish"`
	Housing struct {
		LookupKey string `koanf:"lookup_key"`
	} `koanf:"housing"`

	WeChat wechatConfig `koanf:"wechat"`
	Push   struct {
		Recall   string `koanf:"recall"`
		Workers  int    `koanf:"workers"`
		Rate     int    `koanf:"rate"`
		DailyCap int    `koanf:"daily_cap"`
		Quota    int    `koanf:"quota"`
		KeepDays int    `koanf:"keep_days"`
	} `koanf:"push"`

	recall  time.Duration // push.recall
	all     *koanf.Koanf  // every setting as loaded
	trusted []netip.Prefix
	origin  map[string]string // which layer set a key
}

// option is one setting: a flag, an environment variable and a YAML key in one.
type option struct {
	key    string
	byDef  any
	help   string
	secret bool // masked when printed, and also read from the file that <key>_file names
}

// options is the one list of settings; flags, environment, file, `config init`
// and `config print` all derive from it.
var options = slices.Concat([]option{
	{"listen", "127.0.0.1:8080", "对外服务的地址", false},
	{"ops_listen", "127.0.0.1:8081", "运维接口（/livez /readyz /metrics）的地址，不要对外开放", false},
	{"staff_listen", "", "把经办接口单独放在这个地址；留空则与对外服务同址", false},
	{"public_url", "", "公众访问的网址，如 https://gk.example.gov.cn；留空则由 listen 推出", false},
	{"data", "./data", "数据目录", false},
	{"database", "", "数据库：sqlite:文件 或 postgres://…；留空则为数据目录下的 gongkai.db", true},
	{"redis", "", "Redis：redis://…，集群写作 redis://甲:6379?addr=乙:6379&addr=丙:6379；留空则不用", true},
	{"role", "all", "本进程的分工：all、web 或 push", false},
	{"demo", false, "演示：在临时目录中装入几百条虚构的公告", false},
	{"log.level", "info", "日志级别：debug、info、warn 或 error", false},
	{"cache.mib", 64, "进程内缓存的上限（MiB）", false},
	{"limits.rate", 300, "每个客户端每秒的请求数；0 为不限", false},
	{"limits.burst", 600, "每个客户端瞬时可突发的请求数", false},
	{"limits.trusted_proxies", []string{}, "可信代理的网段，如 10.0.0.0/8；只有来自它们的 X-Forwarded-For 才被采信", false},
	{"publish.secrecy_review", true, "发布时必须填写保密审查结果", false},
	{"housing.lookup_key", "", "住房名单本人查询所用散列的密钥，至少 16 个字符；留空则自动生成，存在数据库中", true},
}, slices.Concat(siteOptions, wechatOptions()), hotlineOptions)

// flagName spells a key as a flag: ops_listen is --ops-listen.
func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

const (
	envPrefix   = "GONGKAI_"
	envTest     = "GONGKAI_TEST_" // of the test suite
	envInherit  = "GONGKAI_INHERIT"
	envConfig   = "GONGKAI_CONFIG" // --config
	defaultFile = "gongkai.yaml"

	layerDefaults = "默认值"
	layerFlags    = "命令行"
	databaseFile  = "gongkai.db"
)

// addOptions gives a command the flags of the settings named, or of all.
func addOptions(cmd *cobra.Command, keys ...string) {
	for _, o := range options {
		if len(keys) > 0 && !slices.Contains(keys, o.key) {
			continue
		}
		switch v := o.byDef.(type) {
		case string:
			cmd.Flags().String(flagName(o.key), v, o.help)
		case int:
			cmd.Flags().Int(flagName(o.key), v, o.help)
		case bool:
			cmd.Flags().Bool(flagName(o.key), v, o.help)
		case []string:
			cmd.Flags().StringSlice(flagName(o.key), v, o.help)
		}
		_ = cmd.Flags().SetAnnotation(flagName(o.key), annotation, []string{o.key}) // the flag exists
		if name := o.key + "_file"; o.secret {
			cmd.Flags().String(flagName(name), "", "从这个文件读取 "+o.key)
			_ = cmd.Flags().SetAnnotation(flagName(name), annotation, []string{name}) // likewise
			_ = cmd.Flags().MarkHidden(flagName(name))                                // `gongkai config --help` tells of all of them
		}
	}
}

// annotation marks a flag as a setting: a command may have a flag of the same
// name that is none, as token create has --role.
const annotation = "gongkai_setting"

// load reads the configuration: defaults, then the file, the environment and
// the flags, each over the one before. Unknown keys are errors.
func (p *program) load(cmd *cobra.Command) (*config, error) {
	c := &config{origin: map[string]string{}}
	k := koanf.New(".")
	layers := []struct {
		name string
		load func(*koanf.Koanf) error
	}{
		{layerDefaults, loadDefaults},
		{"配置文件", func(l *koanf.Koanf) error { return p.loadFile(l, cmd) }},
		{"环境变量", p.loadEnv},
		{layerFlags, func(l *koanf.Koanf) error { return loadFlags(l, cmd) }},
	}
	for _, layer := range layers {
		l := koanf.New(".")
		if err := layer.load(l); err != nil {
			return nil, err
		}
		if err := readSecretFiles(l); err != nil {
			return nil, err
		}
		for _, key := range l.Keys() {
			i := slices.IndexFunc(options, func(o option) bool { return o.key == key })
			if i < 0 {
				return nil, usage("%s中有不认识的配置项“%s”%s", layer.name, key, suggestion(key))
			}
			if kind := options[i].misfit(l.Get(key)); kind != "" {
				return nil, usage("%s中的 %s 应为%s，现在是“%v”", layer.name, key, kind, options[i].shown(l.Get(key)))
			}
			c.origin[key] = layer.name
		}
		if err := k.Merge(l); err != nil {
			return nil, usage("配置：%w", err)
		}
	}
	c.all = k
	if err := k.Unmarshal("", c); err != nil {
		return nil, usage("配置的值不对：%w", err)
	}
	return c, c.check()
}

// misfit names the kind of value the setting takes when v is none; "" when v is
// one, as the environment writes it or as YAML does.
func (o option) misfit(v any) string {
	text, err := fmt.Sprint(v), error(nil)
	switch o.byDef.(type) {
	case int:
		_, err = strconv.Atoi(text)
	case bool:
		_, err = strconv.ParseBool(text)
	case string:
		switch v.(type) {
		case map[string]any, []any:
			return "一个值"
		}
	case []string:
		if _, nested := v.(map[string]any); nested {
			return "一列值"
		}
	}
	if err == nil {
		return ""
	}
	return kindName(fmt.Sprintf("%T", o.byDef))
}

// shown is what may be printed of a value.
func (o option) shown(v any) any {
	if o.secret {
		return "（不显示）"
	}
	return v
}

// suggestion names the known key nearest to a mistyped one.
func suggestion(key string) string {
	keys := make([]string, len(options))
	for i, o := range options {
		keys[i] = o.key
	}
	return cmp.Or(nearest(key, keys), "；全部配置项见 gongkai config init")
}

func loadDefaults(l *koanf.Koanf) error {
	values := map[string]any{}
	for _, o := range options {
		values[o.key] = o.byDef
	}
	return l.Load(confmap.Provider(values, "."), nil)
}

func (p *program) loadFile(l *koanf.Koanf, cmd *cobra.Command) error {
	path, _ := cmd.Flags().GetString("config")
	for _, e := range p.env {
		if named, ok := strings.CutPrefix(e, envConfig+"="); ok {
			path = cmp.Or(path, named)
		}
	}
	if path == "" {
		if _, err := os.Stat(defaultFile); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		path = defaultFile
	}
	if err := l.Load(file.Provider(path), plainYAML{}); err != nil {
		return usage("配置文件 %s：%w", path, err)
	}
	return nil
}

// plainYAML is YAML whose numbers stay as they are written: 051566667777 is a
// telephone number, and no octal one.
type plainYAML struct{ *koanfyaml.YAML }

// Unmarshal implements koanf.Parser.
func (plainYAML) Unmarshal(b []byte) (map[string]any, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	keepNumbers(&doc)
	out := map[string]any{}
	return out, doc.Decode(&out)
}

func keepNumbers(n *yaml.Node) {
	if tag := n.ShortTag(); n.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float") {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		keepNumbers(child)
	}
}

func (p *program) loadEnv(l *koanf.Koanf) error {
	return l.Load(env.Provider(".", env.Opt{
		Prefix: envPrefix,
		EnvironFunc: func() []string {
			return slices.DeleteFunc(slices.Clone(p.env), func(e string) bool {
				return strings.HasPrefix(e, envTest) || strings.HasPrefix(e, envInherit) || strings.HasPrefix(e, envConfig+"=")
			})
		},
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, envPrefix)), "__", ".")
			if i := slices.IndexFunc(options, func(o option) bool { return o.key == key }); i >= 0 && isList(options[i].byDef) {
				return key, strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
			}
			return key, value
		},
	}), nil)
}

func loadFlags(l *koanf.Koanf, cmd *cobra.Command) error {
	provider := posflag.ProviderWithFlag(cmd.Flags(), ".", nil, func(f *pflag.Flag) (string, any) {
		key := f.Annotations[annotation]
		if !f.Changed || len(key) == 0 {
			return "", nil
		}
		return key[0], posflag.FlagVal(cmd.Flags(), f)
	})
	return l.Load(provider, nil)
}

// readSecretFiles replaces <key>_file by <key> with what the file holds, for
// secrets that are mounted as files.
func readSecretFiles(l *koanf.Koanf) error {
	for _, o := range options {
		name := o.key + "_file"
		if !o.secret || !l.Exists(name) {
			continue
		}
		if l.String(o.key) != "" {
			return usage("%s 和 %s 只能写一个", o.key, name)
		}
		b, err := os.ReadFile(l.String(name))
		if err != nil {
			return usage("%s：%w", name, err)
		}
		secret := strings.TrimSpace(string(b))
		if secret == "" { // and not the default: another database, say
			return usage("%s 指的文件 %s 是空的", name, l.String(name))
		}
		l.Delete(name)
		if err := l.Load(confmap.Provider(map[string]any{o.key: secret}, "."), nil); err != nil {
			return usage("%s：%w", name, err)
		}
	}
	return nil
}

// check refuses values that cannot work, and fills in what follows from others.
func (c *config) check() error {
	if !slices.Contains([]string{"all", "web", "push"}, c.Role) {
		return usage("role 应为 all、web 或 push，现在是“%s”", c.Role)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		return usage("log.level 应为 debug、info、warn 或 error，现在是“%s”", c.Log.Level)
	}
	if c.Cache.MiB < 1 || c.Cache.MiB > 65_536 {
		return usage("cache.mib 应在 1 到 65536 之间，现在是 %d", c.Cache.MiB)
	}
	if n := len(c.Housing.LookupKey); n > 0 && n < 16 {
		return usage("housing.lookup_key 至少 16 个字符，现在是 %d 个", n)
	}
	if c.Limits.Rate < 0 || c.Limits.Burst < 0 {
		return usage("limits.rate 和 limits.burst 不能为负")
	}
	for _, addr := range []string{c.Listen, c.OpsListen, c.StaffListen} {
		_, port, err := net.SplitHostPort(addr)
		if _, bad := strconv.ParseUint(port, 10, 16); addr != "" && (err != nil || bad != nil) {
			return usage("地址“%s”应写成 主机:端口，如 127.0.0.1:8080", addr)
		}
	}
	for _, text := range c.Limits.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if addr, addrErr := netip.ParseAddr(text); err != nil && addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return usage("limits.trusted_proxies 中的“%s”不是网段", text)
		}
		c.trusted = append(c.trusted, prefix)
	}
	if c.Database == "" {
		c.Database = "sqlite:" + filepath.Join(c.Data, databaseFile)
	}
	if !strings.HasPrefix(c.Database, "sqlite:") && !strings.HasPrefix(c.Database, "postgres://") && !strings.HasPrefix(c.Database, "postgresql://") {
		return usage("database 应以 sqlite: 或 postgres:// 开头")
	}
	if c.Redis != "" && !strings.HasPrefix(c.Redis, "redis://") && !strings.HasPrefix(c.Redis, "rediss://") {
		return usage("redis 应以 redis:// 或 rediss:// 开头")
	}
	for _, o := range []struct{ key, url string }{{"database", c.Database}, {"redis", c.Redis}} {
		if _, err := url.Parse(o.url); err != nil && !strings.HasPrefix(o.url, "sqlite:") {
			return usage("%s 的网址写得不对；用户名和密码中的特殊字符须写成 %%XX", o.key) // never echoed: it holds a password
		}
	}
	if u, err := url.Parse(c.PublicURL); err != nil || c.PublicURL != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		return usage("public_url 应为 http:// 或 https:// 开头的网址")
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if err := c.IVR.check(); err != nil {
		return err
	}
	return c.checkPush()
}

func isList(v any) bool {
	_, ok := v.([]string)
	return ok
}

// sqliteFile returns the path of the SQLite file, or "".
func (c *config) sqliteFile() string {
	path, ok := strings.CutPrefix(c.Database, "sqlite:")
	if !ok {
		return ""
	}
	return strings.TrimPrefix(path, "//")
}
