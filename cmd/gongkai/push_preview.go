package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
	"gongkai/push"
)

// newPushQuota shows the day's shares and what the queue would leave of them.
func newPushQuota(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "quota", Short: "当日额度，以及队列发完后还剩多少", Args: cobra.NoArgs}
	asJSON := jsonFlag(cmd)
	addOptions(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		now := p.now()
		day := workday.DateOf(now).String()
		list, err := s.Quotas(cmd.Context(), day)
		if err != nil {
			return err
		}
		list = s.config.audience(s.Store).Quotas(list, day)
		st, err := s.PushStatus(cmd.Context(), now)
		if err != nil {
			return err
		}
		quota := handlers.QuotaJSON(list, st, now)
		return p.print(*asJSON, quota, func(w io.Writer) {
			tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
			fmt.Fprintf(tw, "%s，排队 %d 条\n账号\t渠道\t限额\t已用\t剩余\t留给紧急\t队列发完后剩余\n", quota.Day, quota.Queue)
			for _, q := range quota.Items {
				fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%d\t%d\n", q.App, apiName(q.Path), q.Limit, q.Used, q.Remaining, q.Reserved, q.AfterQueue)
			}
			_ = tw.Flush()
		})
	}
	return cmd
}

// apiName is an API as operators know it, by its channel.
func apiName(path string) string {
	if c := push.ChannelOf(path); c != "" {
		return channelName(c)
	}
	return path
}

// cardPreview is what `push preview` prints.
type cardPreview struct {
	Cards []handlers.CardView  `json:"card"`
	Push  handlers.PushPreview `json:"push"`
}

// newPushPreview shows a notice as the cards it would be, and for how many.
func newPushPreview(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "preview 公告的编号", Short: "公告做成卡片的样子、各字段的字数，以及会推送给多少人", Args: cobra.ExactArgs(1)}
	asJSON := jsonFlag(cmd)
	addOptions(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := p.open(cmd)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		ref, err := disclosure.ParseNoticeRef(args[0])
		if err != nil {
			return err
		}
		n, err := s.Staff(cmd.Context(), ref)
		if err != nil {
			return err
		}
		audience := s.config.audience(s.Store)
		fitted, err := audience.Cards(n)
		if err != nil {
			return err
		}
		people, exact, err := audience.Count(cmd.Context(), n)
		if err != nil {
			return err
		}
		preview := cardPreview{handlers.CardsJSON(fitted), handlers.PushPreview{Count: &people, Exact: exact}}
		return p.print(*asJSON, preview, func(w io.Writer) { preview.print(w) })
	}
	return cmd
}

func (c cardPreview) print(w io.Writer) {
	fmt.Fprintf(w, "会推送给 %d 人\n", *c.Push.Count)
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, card := range c.Cards {
		fmt.Fprintf(tw, "\n%s\t模板 %s\n", channelName(disclosure.Channel(card.Channel)), card.Template)
		for _, f := range card.Fields {
			cut := ""
			if f.Cut {
				cut = "有截短"
			}
			fmt.Fprintf(tw, "%s\t%s\t%d/%d\t%s\n", f.Key, f.Text, f.Length, f.Limit, cut)
		}
	}
	_ = tw.Flush()
}
