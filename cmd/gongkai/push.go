package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/push"
)

func newPush(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "push", Short: "查看、暂停、恢复、补发推送，检查微信配置"}
	cmd.AddCommand(newPushStatus(p), newPushPause(p), newPushResume(p), newPushReplay(p, "replay", "重放：把结果不明和已放弃的重新排队（默认只计数）", []string{"dead", "unknown"}),
		newPushReplay(p, "resend", "补发：把失败的也重新排队（默认只计数）", nil), newPushDoctor(p), newPushQuota(p), newPushPreview(p))
	return cmd
}

// pushReport is what `push status` prints.
type pushReport struct {
	handlers.PushOverview
	Pushes []handlers.Push `json:"pushes"`
}

func newPushStatus(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [推送的编号]",
		Short: "队列、停发开关和最近的推送；给出编号则显示那一次的漏斗",
		Args:  cobra.MaximumNArgs(1),
	}
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		st, err := s.PushStatus(cmd.Context(), p.now())
		if err != nil {
			return err
		}
		report := pushReport{PushOverview: handlers.PushStatusJSON(st), Pushes: []handlers.Push{}}
		if len(args) == 1 {
			n, err := eventNumber(args[0])
			if err != nil {
				return err
			}
			f, err := s.Push(cmd.Context(), n)
			if err != nil {
				return err
			}
			report.Pushes = append(report.Pushes, handlers.PushJSON(f))
		} else {
			page, err := s.Pushes(cmd.Context(), 0, 20)
			if err != nil {
				return err
			}
			for _, f := range page.Items {
				report.Pushes = append(report.Pushes, handlers.PushJSON(f))
			}
		}
		return p.print(*asJSON, report, func(w io.Writer) { report.print(w) })
	}
	return cmd
}

func (r pushReport) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(tw, "等待匹配\t%d\n", r.Pending)
	for _, state := range disclosure.DeliveryStates {
		if n := r.Queue[string(state)]; n > 0 {
			fmt.Fprintf(tw, "%s\t%d\n", disclosure.StateNames[state], n)
		}
	}
	for _, s := range r.Switches {
		fmt.Fprintf(tw, "停发\t%s\t%s\t%s\t%s\n", s.Scope, s.Reason, s.By, s.At)
	}
	fmt.Fprintln(tw, "\n编号\t类型\t状态\t匹配\t可达\t已发\t送达\t失败\t不明\t标题")
	for _, e := range r.Pushes {
		state, title := disclosure.EventStateNames[disclosure.EventState(e.State)], ""
		if e.Paused {
			state = "已暂停"
		}
		if e.Title != nil {
			title = *e.Title
		}
		f := e.Funnel
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", e.Event, e.KindName, state, f.Matched, f.Consented, f.Sent, f.Delivered, f.Failed, f.Unknown, title)
		for _, x := range e.Failures {
			fmt.Fprintf(tw, "\t%s\t%s\t%d\n", disclosure.StateNames[disclosure.DeliveryState(x.State)], x.Reason, x.Count)
		}
	}
	_ = tw.Flush()
}

func eventNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, usage("推送的编号是一个正整数，见 gongkai push status")
	}
	return n, nil
}

// steerPush runs a command that stops or starts an event, or with --scope a kill
// switch. It returns when every worker knows.
func steerPush(p *program, cmd *cobra.Command, event func(ctx context.Context, s *session, by disclosure.Actor, n int64, why string) error, on bool) {
	scope := cmd.Flags().String("scope", "", "停发开关：global、app:official、app:mini 或 app:appid、channel:渠道、template:模板")
	why := cmd.Flags().String("reason", "", "原因")
	asFlag(cmd)
	storeFlags(cmd)
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if (*scope == "") == (len(args) == 0) {
			return usage("请给出推送的编号，或用 --scope 指明停发开关")
		}
		reason, err := disclosure.StopReason(*why)
		if err != nil {
			return err
		}
		if on && reason == "" {
			return usage("请用 --reason 写明原因")
		}
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		by, err := s.actor(cmd.Context(), p, cmd)
		if err != nil {
			return err
		}
		if err := by.Require(disclosure.RoleReviewer, disclosure.RoleAdmin); err != nil {
			return err
		}
		if *scope != "" {
			err = setSwitch(cmd.Context(), s, by, *scope, on, reason, p.now())
		} else {
			var n int64
			if n, err = eventNumber(args[0]); err == nil {
				err = event(cmd.Context(), s, by, n, reason)
			}
		}
		if err != nil {
			return err
		}
		t := time.NewTimer(push.SettleTime)
		defer t.Stop()
		select {
		case <-t.C:
		case <-cmd.Context().Done():
		}
		if on {
			fmt.Fprintln(p.out, "已停发，不会再有新的发送")
			return nil
		}
		fmt.Fprintln(p.out, "已恢复")
		return p.tellStopped(cmd.Context(), s)
	}
}

// tellStopped names the kill switches that are still on: whoever has named another
// one would take the push for running.
func (p *program) tellStopped(ctx context.Context, s *session) error {
	st, err := s.PushStatus(ctx, p.now())
	for _, on := range st.Switches {
		fmt.Fprintf(p.out, "仍停发：%s（%s）\n", on.Scope, on.Why)
	}
	return err
}

// setSwitch turns a kill switch on or off.
func setSwitch(ctx context.Context, s *session, by disclosure.Actor, scope string, on bool, reason string, now time.Time) error {
	scopes, err := s.config.audience(s.Store).Scopes(scope, on)
	if err != nil {
		return err
	}
	if !on {
		reason = "" // it would turn it on
	}
	for _, known := range scopes {
		err = errors.Join(err, s.SetSwitch(ctx, by, known, reason, false, now))
	}
	return err
}

func newPushPause(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "pause [推送的编号] --reason 原因 --as 令牌", Short: "暂停一次推送，或打开停发开关",
		Example: "  gongkai push pause 12 --reason 标题有误 --as @token\n  gongkai push pause --scope global --reason 演练 --as @token"}
	steerPush(p, cmd, func(ctx context.Context, s *session, by disclosure.Actor, n int64, why string) error {
		return s.PausePush(ctx, by, n, why, p.now())
	}, true)
	return cmd
}

func newPushResume(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "resume [推送的编号] --as 令牌", Short: "恢复一次推送，或关上停发开关"}
	steerPush(p, cmd, func(ctx context.Context, s *session, by disclosure.Actor, n int64, _ string) error {
		return s.ResumePush(ctx, by, n, p.now())
	}, false)
	return cmd
}

// newPushReplay makes replay and resend: both only count until --yes.
func newPushReplay(p *program, use, short string, states []string) *cobra.Command {
	cmd := &cobra.Command{Use: use + " [推送的编号] --as 令牌", Short: short, Args: cobra.MaximumNArgs(1),
		Long: short + "。\n\n不给编号则包括所有还没有过时的推送。微信已收下的，凭同一个去重键不会重复送达；--force 换新的键。"}
	yes := cmd.Flags().Bool("yes", false, "真的重新排队；不加则只计数")
	force := cmd.Flags().Bool("force", false, "换新的去重键：已经收到的人会再收到一次")
	list := cmd.Flags().StringSlice("state", states, "哪些状态：failed、dead、unknown 或 suppressed")
	asJSON := jsonFlag(cmd)
	asFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r := disclosure.Resend{Force: *force, Dry: !*yes}
		var err error
		if len(args) == 1 {
			if r.Event, err = eventNumber(args[0]); err != nil {
				return err
			}
		}
		if r.States, err = disclosure.ParseResendStates(*list); err != nil {
			return err
		}
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		by, err := s.actor(cmd.Context(), p, cmd)
		if err == nil {
			err = by.Require(disclosure.RoleReviewer, disclosure.RoleAdmin)
		}
		if err != nil {
			return err
		}
		n, err := s.Resend(cmd.Context(), by, r, p.now())
		if err != nil {
			return err
		}
		return p.print(*asJSON, map[string]any{"event": r.Event, "count": n, "dry_run": r.Dry}, func(w io.Writer) {
			if r.Dry {
				fmt.Fprintf(w, "%d 条可以重发；加 --yes 执行\n", n)
				return
			}
			fmt.Fprintf(w, "%d 条已重新排队\n", n)
		})
	}
	return cmd
}

// newPushDoctor tries what the push stands on: the accounts, their tokens and
// addresses, every template's fields, and the day's quota.
func newPushDoctor(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "doctor", Short: "检查微信配置：令牌、IP 白名单、模板字段、当日额度", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	addOptions(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		results, err := p.diagnose(cmd.Context(), s)
		if err != nil {
			return err
		}
		return p.printChecks(*asJSON, results)
	}
	return cmd
}

func (p *program) diagnose(ctx context.Context, s *session) ([]checkResult, error) {
	apps := s.config.wechatApps()
	if len(apps) == 0 {
		return []checkResult{{"微信", false, "没有配置 wechat.official.appid 或 wechat.mini.appid"}}, nil
	}
	w, err := push.NewWeChat(push.WeChatConfig{APIURL: s.config.WeChat.APIURL, OpenURL: s.config.WeChat.OpenURL, Apps: apps}, s.Store, newLogger(p.log, s.config.Log.Level), p.now)
	if err != nil {
		return nil, usage("微信的配置：%w", err)
	}
	defer func() { _ = w.Close() }()
	var results []checkResult
	check := func(name string, run func(ctx context.Context) (string, error)) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		detail, err := run(ctx)
		if err != nil {
			detail = message(err)
		}
		results = append(results, checkResult{name, err == nil, detail})
	}
	for _, a := range apps {
		check(accountKind(a.Kind)+" 令牌与 IP 白名单", func(ctx context.Context) (string, error) { return "可用", w.CheckToken(ctx, a.Name) })
	}
	asked := map[string]bool{}
	for _, t := range s.config.cardTemplates() {
		if t.Channel == disclosure.ChannelService {
			continue
		}
		check(channelName(t.Channel)+" 模板 "+t.ID, func(ctx context.Context) (string, error) { return "字段齐全", w.CheckTemplate(ctx, t) })
		api := t.App + string(t.Channel)
		if asked[api] {
			continue
		}
		asked[api] = true
		check(channelName(t.Channel)+" 额度", func(ctx context.Context) (string, error) {
			q, err := w.Quota(ctx, t.App, t.Channel)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("今天已用 %d，共 %d", q.Used, q.Limit), s.SetQuota(ctx, q)
		})
	}
	return results, nil
}

func accountKind(k disclosure.AppKind) string {
	if k == disclosure.AppMini {
		return "小程序"
	}
	return "服务号"
}

func channelName(c disclosure.Channel) string {
	i := slices.IndexFunc(disclosure.Channels, func(x struct {
		Channel disclosure.Channel
		Name    string
	}) bool {
		return x.Channel == c
	})
	return disclosure.Channels[i].Name
}
