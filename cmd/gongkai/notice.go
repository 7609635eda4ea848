package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

func newNotice(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "notice", Short: "导入、查看、发布、更正、终止和撤回公告"}
	cmd.AddCommand(newNoticeImport(p), newNoticeTemplate(p), newNoticeUndoImport(p), newNoticeList(p), newNoticeShow(p), newNoticeSubmit(p), newNoticeReject(p),
		newNoticePublish(p), newNoticeOverride(p), newNoticeCorrect(p), newNoticeTerminate(p), newNoticeWithdraw(p))
	return cmd
}

// acting wraps a command that acts as the holder of a token.
func (p *program) acting(do func(ctx context.Context, s *session, a disclosure.Actor, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		a, err := s.actor(cmd.Context(), p, cmd)
		if err != nil {
			return err
		}
		return do(cmd.Context(), s, a, args)
	}
}

// stepCommand makes a command that takes one step of one notice.
func (p *program) stepCommand(use, short string, flags func(*cobra.Command), do func(ctx context.Context, s *session, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error)) *cobra.Command {
	cmd := &cobra.Command{Use: use + " 编号", Short: short, Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	rev := cmd.Flags().Int("if-match", 0, "只在公告仍是这一版时操作")
	asFlag(cmd)
	storeFlags(cmd)
	flags(cmd)
	cmd.RunE = p.acting(func(ctx context.Context, s *session, a disclosure.Actor, args []string) error {
		ref, err := disclosure.ParseNoticeRef(args[0])
		if err != nil {
			return err
		}
		out, err := do(ctx, s, disclosure.Request{Actor: a, IfMatch: *rev}, ref)
		if err != nil {
			return err
		}
		return p.print(*asJSON, handlers.StaffJSON(out.StaffNotice), func(w io.Writer) {
			fmt.Fprintf(w, "%s  %s  第 %d 版  %s\n", out.Code, out.Status.Name(), out.Rev, out.Title)
			if receipt, _ := cmd.Flags().GetBool("receipt"); receipt {
				showReceipt(w, out.StaffNotice)
			}
		})
	})
	return cmd
}

func newNoticeSubmit(p *program) *cobra.Command {
	var ack disclosure.Acknowledgement
	return p.stepCommand("submit", "提交核验", func(cmd *cobra.Command) { ackFlags(cmd, &ack) },
		func(ctx context.Context, s *session, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
			return s.publish.Submit(ctx, r, ref, ack)
		})
}

func ackFlags(cmd *cobra.Command, ack *disclosure.Acknowledgement) {
	cmd.Flags().StringSliceVar(&ack.Acknowledge, "acknowledge", nil, "确认这些提醒的代码")
	cmd.Flags().StringVar(&ack.Reason, "reason", "", "确认的理由")
}

func newNoticeReject(p *program) *cobra.Command {
	var comment string
	return p.stepCommand("reject", "退回", func(cmd *cobra.Command) { cmd.Flags().StringVar(&comment, "comment", "", "退回的原因") },
		func(ctx context.Context, s *session, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
			return s.publish.Reject(ctx, r, ref, comment)
		})
}

func newNoticePublish(p *program) *cobra.Command {
	var ok disclosure.Approval
	var at string
	return p.stepCommand("publish", "核验并发布；不能发布自己参与录入的公告", func(cmd *cobra.Command) {
		ackFlags(cmd, &ok.Acknowledgement)
		cmd.Flags().StringVar(&at, "at", "", "定时发布，如 2026-12-01T09:00:00+08:00")
		addOptions(cmd, "publish.secrecy_review")
		cmd.Flags().StringVar(&ok.Secrecy.Result, "secrecy-result", "", "保密审查的结果，如 不涉密")
		cmd.Flags().StringVar(&ok.Secrecy.Reason, "secrecy-reason", "", "保密审查的理由")
	}, func(ctx context.Context, s *session, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		if at != "" {
			due, err := time.Parse(time.RFC3339, at)
			if err != nil {
				return disclosure.Outcome{}, usage("--at 应写成 2026-12-01T09:00:00+08:00")
			}
			ok.PublishAt = due
		}
		return s.publish.Publish(ctx, r, ref, ok)
	})
}

func newNoticeCorrect(p *program) *cobra.Command {
	var changes, reason string
	return p.stepCommand("correct", "起草更正公告，须另由他人核验", func(cmd *cobra.Command) {
		cmd.Flags().StringVar(&changes, "changes", "", `更正的内容，JSON 对象，如 {"fields":{"bid_deadline":"2026-12-20T09:30:00+08:00"}}`)
		cmd.Flags().StringVar(&reason, "reason", "", "更正的原因")
	}, func(ctx context.Context, s *session, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		if changes == "" {
			return disclosure.Outcome{}, usage("请用 --changes 写明更正的内容，如 {\"title\":\"…\"}")
		}
		var members map[string]json.RawMessage
		if err := disclosure.DecodeStrict([]byte(changes), &members); err != nil {
			return disclosure.Outcome{}, err
		}
		return s.publish.Correct(ctx, r, ref, members, reason)
	})
}

func newNoticeTerminate(p *program) *cobra.Command {
	var reason string
	return p.stepCommand("terminate", "起草终止公告，须另由他人核验", func(cmd *cobra.Command) { cmd.Flags().StringVar(&reason, "reason", "", "终止的原因") },
		func(ctx context.Context, s *session, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
			return s.publish.Terminate(ctx, r, ref, reason)
		})
}

func newNoticeOverride(p *program) *cobra.Command {
	var reason string
	return p.stepCommand("privacy-override", "对个人信息检查结果放行；须由录入人以外的人说明理由", func(cmd *cobra.Command) {
		cmd.Flags().StringVar(&reason, "reason", "", "必须公开这些个人信息的理由")
	}, func(ctx context.Context, s *session, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.publish.OverridePrivacy(ctx, r, ref, reason)
	})
}

// showReceipt lists from where an erased notice was purged.
func showReceipt(w io.Writer, n disclosure.StaffNotice) {
	if len(n.Purged) == 0 {
		fmt.Fprintln(w, "没有清除内容（未加 --erase），内容留存供核验和监督人员查阅。")
		return
	}
	fmt.Fprintf(w, "\n清除回执  公告 %s  内容哈希 %s\n", n.Code, n.ContentSHA256)
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, place := range n.Purged {
		state := "已清除"
		if !place.Done {
			state = "未完成"
		}
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\n", place.Name(), place.Count, state, disclosure.FormatInstant(place.At))
	}
	_ = tw.Flush()
	fmt.Fprintln(w, "此前制作的备份文件仍含该内容，请按备份轮换办法销毁；运行中的服务随即清空各自的缓存。")
}

func newNoticeWithdraw(p *program) *cobra.Command {
	var reason string
	var erase bool
	return p.stepCommand("withdraw", "撤回，立即从所有公开渠道消失", func(cmd *cobra.Command) {
		cmd.Flags().StringVar(&reason, "reason", "", "撤回的原因")
		cmd.Flags().BoolVar(&erase, "erase", false, "同时清除内容、历史版本和附件（个人信息）")
		cmd.Flags().Bool("receipt", false, "列出清除了哪些地方、各多少、何时")
		addOptions(cmd, "redis")
	}, func(ctx context.Context, s *session, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.publish.Withdraw(ctx, r, ref, reason, erase)
	})
}

func newNoticeList(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "查看公告，最近改动的在前", Args: cobra.NoArgs}
	status := cmd.Flags().String("status", "", "只看这个状态：draft、submitted、scheduled、published、terminated 或 withdrawn")
	limit := cmd.Flags().Int("limit", 20, "条数，1 到 100")
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *limit < 1 || *limit > disclosure.MaxLimit {
			return usage("--limit 应在 1 到 %d 之间", disclosure.MaxLimit)
		}
		if st := disclosure.Status(*status); *status != "" && st.Name() == *status {
			return usage("没有状态“%s”", *status)
		}
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		page, err := s.StaffList(cmd.Context(), disclosure.StaffQuery{Status: disclosure.Status(*status), Limit: *limit})
		if err != nil {
			return err
		}
		rows := []handlers.StaffNotice{}
		for _, n := range page.Items {
			rows = append(rows, handlers.StaffJSON(disclosure.StaffNotice{Reading: page.Reading, Notice: n}))
		}
		return p.print(*asJSON, rows, func(w io.Writer) {
			tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			for _, r := range rows {
				fmt.Fprintln(tw, r.Code+"\t"+r.StatusName+"\t第"+strconv.Itoa(r.Rev)+"版\t"+r.TypeName+"\t"+r.Title)
			}
			_ = tw.Flush()
			fmt.Fprintf(w, "共 %d 条\n", page.Total)
		})
	}
	return cmd
}

func newNoticeShow(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "show 编号", Short: "查看一条公告的全部内容和经过", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ref, err := disclosure.ParseNoticeRef(args[0])
		if err != nil {
			return err
		}
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		n, err := s.Staff(cmd.Context(), ref)
		if err != nil {
			return err
		}
		return p.print(*asJSON, handlers.StaffJSON(n), func(w io.Writer) { showNotice(w, n) })
	}
	return cmd
}

func showNotice(w io.Writer, n disclosure.StaffNotice) {
	fmt.Fprintf(w, "%s\n编号 %s  %s  第 %d 版\n主体 %s  来源 %s\n\n", n.Title, n.Code, n.Status.Name(), n.Rev,
		n.Catalog.BodyName(n.Body), n.Source.Name)
	if t, err := n.Catalog.TypeAt(n.Type, n.TypeVersion); err == nil {
		for _, f := range t.Fields {
			if text := f.Display(n.Fields[f.Key]); text != "" {
				fmt.Fprintf(w, "%s：%s\n", f.Label, text)
			}
		}
	}
	if text := disclosure.PlainText(n.BodyHTML); text != "" {
		fmt.Fprintf(w, "\n%s\n", text)
	}
	fmt.Fprintln(w, "\n经过：")
	for _, st := range n.Steps {
		fmt.Fprintf(w, "  %s  %s  %s  %s\n", disclosure.FormatInstant(st.At), st.By, st.Action.Name(), st.Comment)
	}
}
