package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gongkai/cache"
	"gongkai/docs"
	"gongkai/internal/disclosure"
	"gongkai/internal/store"
)

// version is set by the linker: -X main.version=v1.2.3.
var version = ""

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}

func newVersion(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "版本", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		return p.print(*asJSON, map[string]string{"version": buildVersion(), "go": runtime.Version()}, func(w io.Writer) {
			fmt.Fprintf(w, "gongkai %s（%s）\n", buildVersion(), runtime.Version())
		})
	}
	return cmd
}

func auditFault(err error) *disclosure.AuditFault {
	if bad, ok := errors.AsType[*disclosure.AuditFault](err); ok {
		return bad
	}
	return nil
}

func newOpenAPI(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "openapi", Short: "输出接口说明（OpenAPI 3.0）", Args: cobra.NoArgs}
	v2 := cmd.Flags().Bool("swagger", false, "输出 Swagger 2.0")
	cmd.RunE = func(*cobra.Command, []string) error {
		doc := docs.OpenAPI
		if *v2 {
			doc = docs.Swagger
		}
		_, err := p.out.Write(doc)
		return err
	}
	return cmd
}

func newMigrate(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "把数据库升级到本程序的结构（serve 启动时也会做）",
		Args:  cobra.NoArgs,
	}
	asJSON := jsonFlag(cmd)
	epoch := cmd.Flags().Bool("new-epoch", false, "恢复 PostgreSQL 备份之后用：使各处缓存不把恢复前的内容当作现在的，并停发推送，以免重复发送")
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.openOrCreate(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		if *epoch {
			if err := s.NewEpoch(cmd.Context(), p.now()); err != nil {
				return err
			}
		}
		v, err := s.SchemaVersion(cmd.Context())
		if err != nil {
			return err
		}
		return p.print(*asJSON, map[string]int64{"schema": v}, func(w io.Writer) {
			fmt.Fprintf(w, "数据库结构版本 %d\n", v)
			if *epoch {
				fmt.Fprintln(w, restoredAdvice)
			}
		})
	}
	return cmd
}

func newHealthcheck(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "healthcheck", Short: "服务是否就绪（供容器使用）", Args: cobra.NoArgs}
	addOptions(cmd, "ops_listen")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.load(cmd)
		if err != nil {
			return err
		}
		host, port, err := net.SplitHostPort(c.OpsListen)
		if err != nil {
			return usage("ops_listen 是空的，无处可问")
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), checkTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
		if err != nil {
			return err
		}
		direct := http.Client{Transport: &http.Transport{}} // through no proxy
		res, err := direct.Do(req)
		if err != nil {
			return fmt.Errorf("服务没有回应；它没有运行，或者它的 ops_listen 不是 %s（%w）", c.OpsListen, err)
		}
		defer func() { _ = res.Body.Close() }()
		if res.StatusCode != http.StatusOK {
			return faulty("服务没有就绪：%s", res.Status)
		}
		fmt.Fprintln(p.out, "就绪")
		return nil
	}
	return cmd
}

// checkTimeout bounds each thing that is asked of others.
const checkTimeout = 10 * time.Second

// checkResult is one line of `gongkai doctor`.
type checkResult struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func newDoctor(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "doctor", Short: "检查配置、数据库、Redis、时钟、磁盘和热线", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	addOptions(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.load(cmd)
		if err != nil {
			return err
		}
		results := []checkResult{{"配置", true, "没有不认识的配置项"}}
		if err := c.checkWeChat(); err != nil {
			results[0] = checkResult{"配置", false, message(err)}
		}
		for _, check := range []struct {
			name string
			run  func(context.Context, *config) (string, error)
		}{{"数据库", p.checkDatabase}, {"Redis", checkRedis}, {"磁盘", checkDisk}, {"热线", checkHotline}} {
			ctx, cancel := context.WithTimeout(cmd.Context(), checkTimeout)
			detail, err := check.run(ctx, c)
			cancel()
			if err != nil {
				detail = message(err)
			}
			results = append(results, checkResult{check.name, err == nil, detail})
		}
		return p.printChecks(*asJSON, results)
	}
	return cmd
}

// printChecks prints what was checked; a fault makes the command end with
// exitFaulty.
func (p *program) printChecks(asJSON bool, results []checkResult) error {
	bad := 0
	for _, r := range results {
		if !r.OK {
			bad++
		}
	}
	err := p.print(asJSON, results, func(w io.Writer) {
		tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		for _, r := range results {
			fmt.Fprintf(tw, "%s\t%s\t%s\n", map[bool]string{true: "正常", false: "有问题"}[r.OK], r.Name, r.Detail)
		}
		_ = tw.Flush()
	})
	if err == nil && bad > 0 {
		err = faulty("%d 项有问题", bad)
	}
	return err
}

// lookAt opens the database to read only; it is nil while its file is not there.
func (c *config) lookAt(ctx context.Context) (*store.Store, error) {
	if _, missing, err := c.lacksFile(); err != nil || missing {
		return nil, err
	}
	return store.Open(ctx, store.Options{URL: c.Database, MustExist: true, ReadOnly: true})
}

func (p *program) checkDatabase(ctx context.Context, c *config) (string, error) {
	s, err := c.lookAt(ctx)
	if err != nil {
		return "", err
	}
	if s == nil {
		return c.sqliteFile() + " 还没有建立，serve 会建立它", nil
	}
	defer func() { _ = s.Close() }()
	head, err := s.Head(ctx)
	if err != nil {
		return "", err
	}
	skew, err := s.ClockSkew(ctx, p.now)
	if err != nil {
		return "", err
	}
	if skew.Abs() > 2*time.Second {
		return "", fmt.Errorf("数据库服务器的时钟与本机相差 %s，请校时", skew.Round(time.Millisecond))
	}
	rows, err := s.VerifyAudit(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("变更流到 %d，公开事项 %d 项，审计日志 %d 行完好，时钟相差 %s", head.Position, len(head.Catalog.Items), rows, skew.Round(time.Millisecond)), nil
}

func checkRedis(ctx context.Context, c *config) (string, error) {
	if c.Redis == "" {
		return "没有配置，不用", nil
	}
	shared, err := cache.NewShared(c.Redis, format(c), slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer func() { _ = shared.Close() }()
	if err := shared.Ping(ctx); err != nil {
		return "", fmt.Errorf("没有回应；服务照常，只是慢一些：%w", err)
	}
	return "有回应", nil
}

// minFree is the disk space below which a publication may fail.
const minFree = 256 << 20

func checkDisk(_ context.Context, c *config) (string, error) {
	path := c.sqliteFile()
	if path == "" {
		return "数据在 PostgreSQL", nil
	}
	dir := filepath.Dir(path)
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return dir + " 还没有建立", nil
		}
		return "", err
	}
	free := st.Bavail * uint64(st.Bsize)
	text := fmt.Sprintf("%s 剩余 %d MiB", dir, free>>20)
	if free < minFree {
		return "", fmt.Errorf("%s，不足 %d MiB", text, minFree>>20)
	}
	return text, nil
}
