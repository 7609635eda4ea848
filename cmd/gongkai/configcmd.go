package main

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func newConfig(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "生成、查看和检查配置",
		Long: `每一项配置都可以写在命令行（--ops-listen）、环境变量（GONGKAI_OPS_LISTEN，分节用两个下划线：
GONGKAI_LOG__LEVEL）或 YAML 文件（ops_listen；log: 下的 level）中，后者让位于前者。
密钥类的配置项还可以写成 <名称>_file，从文件读取（--redis-file、GONGKAI_REDIS_FILE 或 redis_file）。
不认识的配置项是错误。`,
	}
	initialise := &cobra.Command{Use: "init", Short: "输出带说明的默认配置", Args: cobra.NoArgs}
	initialise.RunE = func(*cobra.Command, []string) error {
		_, err := io.WriteString(p.out, defaultYAML())
		return err
	}
	print := &cobra.Command{Use: "print", Short: "输出实际生效的配置及其来源（密钥已遮盖）", Args: cobra.NoArgs}
	asJSON := jsonFlag(print)
	addOptions(print)
	print.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.load(cmd)
		if err != nil {
			return err
		}
		rows := c.settings()
		return p.print(*asJSON, rows, func(w io.Writer) {
			for _, r := range rows {
				fmt.Fprintf(w, "%s: %v  # %s\n", r.Key, r.Value, r.Origin)
			}
		})
	}
	check := &cobra.Command{Use: "check", Short: "检查配置是否有误", Args: cobra.NoArgs}
	addOptions(check)
	check.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.load(cmd)
		if err == nil {
			err = c.checkWeChat()
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(p.out, "配置无误")
		return nil
	}
	cmd.AddCommand(initialise, print, check)
	return cmd
}

// setting is one line of `gongkai config print`.
type setting struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
}

func (c *config) settings() []setting {
	values := map[string]any{"listen": c.Listen, "ops_listen": c.OpsListen, "staff_listen": c.StaffListen, "public_url": c.PublicURL,
		"data": c.Data, "database": maskURL(c.Database), "redis": maskURL(c.Redis), "role": c.Role, "demo": c.Demo,
		"log.level": c.Log.Level, "cache.mib": c.Cache.MiB, "limits.rate": c.Limits.Rate, "limits.burst": c.Limits.Burst,
		"limits.trusted_proxies": c.Limits.TrustedProxies, "publish.secrecy_review": c.Publish.SecrecyReview}
	rows := make([]setting, len(options))
	for i, o := range options {
		value, ok := values[o.key]
		if !ok {
			value = c.all.Get(o.key)
		}
		if o.secret && !ok && value != "" {
			value = "（已设置）"
		}
		rows[i] = setting{o.key, value, c.origin[o.key]}
	}
	return rows
}

// maskURL hides the password of a URL, wherever it stands in it.
func maskURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "（已设置）"
	}
	q := u.Query()
	for _, key := range []string{"password", "sslpassword"} {
		if q.Has(key) {
			q.Set(key, "xxxxx")
			u.RawQuery = q.Encode()
		}
	}
	if u.User == nil && u.RawQuery == "" {
		return s
	}
	return u.Redacted()
}

// defaultYAML writes every setting with its default and its help, sections
// last.
func defaultYAML() string {
	var b strings.Builder
	b.WriteString("# 公开 Gongkai 的配置。删去或注释掉的项用默认值。\n")
	var within []string
	for _, o := range options {
		parts := strings.Split(o.key, ".")
		sections, name := parts[:len(parts)-1], parts[len(parts)-1]
		for depth, section := range sections {
			if depth < len(within) && slices.Equal(within[:depth+1], sections[:depth+1]) {
				continue
			}
			fmt.Fprintf(&b, "\n%s%s:\n", strings.Repeat("  ", depth), section)
		}
		within = sections
		indent := strings.Repeat("  ", len(sections))
		fmt.Fprintf(&b, "\n%s# %s\n", indent, o.help)
		if o.secret {
			fmt.Fprintf(&b, "%s# 也可写 %s_file: 文件，从文件读取\n", indent, name)
		}
		switch v := o.byDef.(type) {
		case string:
			fmt.Fprintf(&b, "%s%s: %q\n", indent, name, v)
		case []string:
			quoted := make([]string, len(v))
			for i, word := range v {
				quoted[i] = strconv.Quote(word)
			}
			fmt.Fprintf(&b, "%s%s: [%s]\n", indent, name, strings.Join(quoted, ", "))
		default:
			fmt.Fprintf(&b, "%s%s: %v\n", indent, name, v)
		}
	}
	return b.String()
}
