package push

import (
	"context"
	"fmt"
	"strings"

	"gongkai/internal/disclosure"
)

// own is a person with their subscriptions, which they stop and resume in chat.
type own struct {
	*People
	person disclosure.Person
	subs   []disclosure.Subscription
}

func (o own) save(ctx context.Context, sub disclosure.Subscription) error {
	sub.UpdatedAt = o.Now()
	_, err := o.Store.SaveSubscription(ctx, o.person.N, sub)
	return err
}

// WeChat shows no answer of more than 2,048 bytes: a list of subscriptions names the
// first ones, and of each the beginning.
const (
	shownTitles = 5
	shownTitle  = 30 // characters
)

// titles writes subscriptions as a list.
func (o own) titles(subs []disclosure.Subscription) string {
	var b strings.Builder
	for _, s := range subs[:min(len(subs), shownTitles)] {
		title := []rune(s.Title(o.Store.Catalog()))
		if len(title) > shownTitle {
			title = append(title[:shownTitle-1], '…')
		}
		b.WriteString("“" + string(title) + "”")
	}
	if len(subs) > shownTitles {
		fmt.Fprintf(&b, "等 %d 个", len(subs))
	}
	return b.String()
}

// stop cancels or pauses what is about one sector. What brings others too is
// cancelled in part where it names its sectors; the answer tells what is left that
// brings the sector nevertheless.
func (o own) stop(ctx context.Context, sector string, pause bool) (string, error) {
	var stopped int
	var left []disclosure.Subscription
	for _, s := range o.subs {
		rest := s
		rest.Filter = s.Without(sector)
		var err error
		switch {
		case !s.Concerns(sector):
			continue
		case s.Only(sector) && pause:
			s.Paused = true
			err = o.save(ctx, s)
		case s.Only(sector):
			err = o.Store.DeleteSubscription(ctx, o.person.N, s.ID)
		case pause || rest.Concerns(sector):
			if !s.Paused {
				left = append(left, s)
			}
			continue
		default:
			err = o.save(ctx, rest)
		}
		if err != nil {
			return "", err
		}
		stopped++
	}
	name := o.Store.Catalog().SectorName(sector)
	words := "您没有订阅“" + name + "”。"
	switch {
	case stopped > 0 && pause:
		words = fmt.Sprintf("已暂停“%s”。回复“恢复 %s”可重新接收。", name, name)
	case stopped > 0:
		words = "已退订“" + name + "”。"
	case len(left) > 0:
		words = "您没有单独订阅“" + name + "”。"
	}
	if len(left) > 0 {
		words += fmt.Sprintf("您的订阅%s不只这一个领域，仍会带来“%s”的公告：请到 %s/subscribe 修改，或回复“%s”停止全部。",
			o.titles(left), name, o.PublicURL, map[bool]string{true: "暂停", false: "退订"}[pause])
	}
	return words, nil
}

func (o own) pauseAll(ctx context.Context) (string, error) {
	o.person.Paused = true
	if _, err := o.Store.ChangePerson(ctx, o.person); err != nil {
		return "", err
	}
	return "已暂停推送。公告仍会进入您的收件箱；回复“恢复”可重新接收。", nil
}

func (o own) unsubscribeAll(ctx context.Context) (string, error) {
	for _, s := range o.subs {
		if err := o.Store.DeleteSubscription(ctx, o.person.N, s.ID); err != nil {
			return "", err
		}
	}
	if len(o.subs) == 0 {
		return "您没有订阅。回复“菜单”查看可订阅的领域。", nil
	}
	return fmt.Sprintf("已退订全部 %d 个订阅，不会再给您推送。", len(o.subs)), nil
}

// resume lets cards come again: of one sector, or all of them, those included of
// subscriptions that were paused one by one.
func (o own) resume(ctx context.Context, sector string) (string, error) {
	var resumed []disclosure.Subscription
	for _, s := range o.subs {
		if !s.Paused || sector != "" && !s.Concerns(sector) {
			continue
		}
		s.Paused = false
		if err := o.save(ctx, s); err != nil {
			return "", err
		}
		resumed = append(resumed, s)
	}
	if sector != "" {
		words := "“" + o.Store.Catalog().SectorName(sector) + "”没有暂停的订阅。"
		if len(resumed) > 0 {
			words = "已恢复" + o.titles(resumed) + "。"
		}
		if o.person.Paused {
			words += "您还暂停了全部推送，回复“恢复”重新接收。"
		}
		return words, nil
	}
	o.person.Paused = false
	if _, err := o.Store.ChangePerson(ctx, o.person); err != nil {
		return "", err
	}
	words := "已恢复推送。"
	if len(resumed) > 0 {
		words += "单独暂停的" + o.titles(resumed) + "也已恢复。"
	}
	return words, nil
}
