package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

func newCallback(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "callback", Short: "查看、办结热线的回电请求"}
	cmd.AddCommand(newCallbackList(p), newCallbackReveal(p), newCallbackDone(p))
	return cmd
}

func newCallbackList(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "列出回电请求，号码打码：待回电的先到的在前", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	status := cmd.Flags().String("status", disclosure.CallbackOpen, "open 待回电，done 已办结，all 全部")
	limit := cmd.Flags().Int("limit", disclosure.MaxLimit, "最多列出几个")
	storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		q := disclosure.CallbackQuery{Status: *status, Limit: *limit}
		switch {
		case *status == "all":
			q.Status = ""
		case *status != disclosure.CallbackOpen && *status != disclosure.CallbackDone:
			return usage("--status 应为 open、done 或 all")
		case *limit < 1:
			return usage("--limit 应为正整数")
		}
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		page, err := s.publish.Callbacks(cmd.Context(), q)
		if err != nil {
			return err
		}
		rows := []handlers.CallbackRequest{}
		for _, r := range page.Items {
			rows = append(rows, p.callback(s, r, r.Number.Masked()))
		}
		return p.print(*asJSON, rows, func(w io.Writer) { printCallbacks(w, rows) })
	}
	return cmd
}

func (p *program) callback(s *session, r disclosure.CallbackRequest, number string) handlers.CallbackRequest {
	return handlers.CallbackJSON(r, number, s.Catalog(), p.now())
}

func printCallbacks(w io.Writer, rows []handlers.CallbackRequest) {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "编号\t号码\t留下的时间\t最迟回电\t结果\t关于")
	for _, r := range rows {
		result := deref(r.OutcomeName)
		if r.Overdue {
			result = "逾期"
		}
		about := deref(r.SectorName)
		if r.NoticeCode != nil {
			about = *r.NoticeCode + " " + deref(r.NoticeTitle)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, cmp.Or(deref(r.Number), "已清除"), r.CreatedAt, r.DueAt, cmp.Or(result, "待回电"), about)
	}
	_ = tw.Flush()
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func newCallbackReveal(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "reveal 编号", Short: "查看一个请求的完整号码，记入审计日志", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	asFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = p.acting(func(ctx context.Context, s *session, a disclosure.Actor, args []string) error {
		r, err := s.publish.RevealCallback(ctx, a, args[0])
		if err != nil {
			return err
		}
		out := p.callback(s, r, string(r.Number))
		return p.print(*asJSON, out, func(w io.Writer) { fmt.Fprintln(w, string(r.Number)) })
	})
	return cmd
}

func newCallbackDone(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "done 编号", Short: "办结一个请求；号码按 ivr.callback_days 清除", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	outcome := cmd.Flags().String("outcome", "", "结果：reached 已回电，no_answer 多次未接通，wrong_number 号码有误，not_needed 已不需要")
	_ = cmd.MarkFlagRequired("outcome") // it exists
	asFlag(cmd)
	storeFlags(cmd)
	cmd.RunE = p.acting(func(ctx context.Context, s *session, a disclosure.Actor, args []string) error {
		r, err := s.publish.FinishCallback(ctx, a, args[0], disclosure.CallbackOutcome(*outcome))
		if err != nil {
			return err
		}
		out := p.callback(s, r, r.Number.Masked())
		return p.print(*asJSON, out, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", r.ID, r.Outcome.Name()) })
	})
	return cmd
}
