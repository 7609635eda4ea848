package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
)

func newServe(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "运行服务",
		Long: `运行服务。不带参数即可：数据放在 ./data，不需要其他服务。

收到 SIGTERM 或 SIGINT 时不再接受新连接，答完手头的请求后退出。
收到 SIGUSR2 时用磁盘上的新程序接替自己，监听的端口不中断，一个请求也不会失败。
systemd 可以用 .socket 单元交给它监听的端口。`,
		Example: `  gongkai serve --demo
  gongkai serve --data /var/lib/gongkai --listen 0.0.0.0:8080
  gongkai serve --database postgres://gongkai@db/gongkai --redis redis://cache:6379/0`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.serve(cmd) },
	}
	addOptions(cmd)
	return cmd
}

func (p *program) serve(cmd *cobra.Command) error {
	c, err := p.load(cmd)
	if err != nil {
		return err
	}
	if c.Demo {
		if err := p.prepareDemo(c); err != nil {
			return err
		}
	} else if isDemo(c.Data) {
		return usage("%s 中是演示数据；请换一个数据目录，或加上 --demo", c.Data)
	} else if err := c.checkWeChat(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	// From here on, as whoever sees the server ready may ask it for an upgrade.
	upgrade := make(chan os.Signal, 1)
	signal.Notify(upgrade, syscall.SIGUSR2)
	defer signal.Stop(upgrade)
	inherited := p.inherited()
	l, err := p.listen(ctx, c, inherited)
	if err != nil {
		return err
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://" + portOf(l.public)
	}
	if c.Demo {
		if err := p.newSimulator(c, "http://"+portOf(l.public)); err != nil {
			l.close()
			return err
		}
		c.useSimulator(p.simulator, "http://"+portOf(l.public))
	}
	a, err := p.newApp(ctx, c)
	if err != nil {
		l.close()
		return err
	}
	if c.Demo {
		if err := p.fillDemo(ctx, a, l); err != nil {
			l.close()
			return err
		}
	}
	p.runSimulator(ctx, a)
	a.start(ctx)
	a.serve(l, func(err error) { cancel(err) })
	if c.Demo {
		if err := p.tour(ctx, a); err != nil {
			cancel(fmt.Errorf("演示：%w", err))
		}
	} else {
		p.greet(a, l)
	}
	if err := announceReady(inherited[fdReady]); err != nil {
		a.log.Warn("the predecessor was not told", "error", err)
	}
	if _, err := daemon.SdNotify(false, fmt.Sprintf("MAINPID=%d\n%s", os.Getpid(), daemon.SdNotifyReady)); err != nil {
		a.log.Warn("systemd was not told", "error", err)
	}
	p.waitForEnd(ctx, a, l, upgrade)
	a.drain(l)
	cause := context.Cause(ctx)
	cancel(nil)
	if err := a.close(); err != nil {
		return err
	}
	if cause != nil && cmd.Context().Err() == nil {
		return cause // a listener failed
	}
	return nil
}

// waitForEnd returns when the server is to end: on a signal, or when a successor
// has taken over.
func (p *program) waitForEnd(ctx context.Context, a *app, l *listeners, upgrade <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-upgrade:
			path, err := executable()
			if err == nil {
				err = l.handOver(ctx, path, a.config.successorArgs(os.Args[1:]), p.env)
			}
			if err == nil {
				a.log.Info("a successor has taken over")
				return
			}
			a.log.Error("no successor; this process serves on", "error", err)
		}
	}
}

// successorArgs are the arguments of a successor: the demo's finds the folder that
// this one has made up.
func (c *config) successorArgs(args []string) []string {
	if !c.Demo {
		return args
	}
	return append(slices.Clone(args), "--data", c.Data)
}

// executable returns the path this program was started by, where an upgrade has
// put the new one.
func executable() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// greet tells whoever started the server what to open.
func (p *program) greet(a *app, l *listeners) {
	a.log.Info("serving", "listen", l.public.Addr().String(), "ops_listen", l.ops.Addr().String(), "database", a.databaseKind(),
		"redis", a.config.Redis != "", "version", buildVersion(), "pid", os.Getpid())
	url := "http://" + portOf(l.public)
	fmt.Fprintf(p.out, `公开 Gongkai 已启动
  页面      %[1]s/（自助终端 /kiosk）
  公告      %[1]s/api/v1/notices
  目录      %[1]s/api/v1/catalog
  接口说明  %[1]s/docs
  运维      http://%[2]s/readyz
首次使用，先发放令牌：gongkai token create --name 姓名 --role admin%[3]s
`, url, portOf(l.ops), a.config.whereFlags())
}

// whereFlags are what a command needs to meet the same database, of the flags that
// the server was given; the environment and the file, commands have themselves.
func (c *config) whereFlags() string {
	switch {
	case c.origin["database"] == layerFlags:
		return " --database …（同 serve）" // it may hold a password
	case c.origin["data"] == layerFlags:
		return " --data " + c.Data
	}
	return ""
}

func (a *app) databaseKind() string {
	if a.store.File() != "" {
		return "sqlite:" + a.store.File()
	}
	return "postgres"
}
