package push

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
)

// What people say to the account, and what it answers.

const welcome = "欢迎关注亭湖区公共资源配置信息公开。\n"

// chat carries out what a person typed and says so.
func (p *People) chat(ctx context.Context, person disclosure.Person, words, source string) (string, error) {
	cmd := disclosure.ParseChat(words, p.Store.Catalog())
	switch cmd.Verb {
	case disclosure.ChatSubscribe:
		if cmd.Sector == "" && (cmd.Unknown != "" || len(cmd.Choices) > 0) {
			return whichSector(cmd), nil
		}
		if cmd.Sector == "" {
			return "请说明领域，如“订阅 土地”。\n" + p.menu(), nil
		}
		return p.subscribe(ctx, person, cmd.Sector, source)
	case disclosure.ChatUnsubscribe, disclosure.ChatPause, disclosure.ChatResume:
		if cmd.Sector == "" && (cmd.Unknown != "" || len(cmd.Choices) > 0) {
			return whichSector(cmd), nil
		}
		subs, err := p.Store.Subscriptions(ctx, person.N)
		if err != nil {
			return "", err
		}
		mine := own{p, person, subs}
		switch {
		case cmd.Verb == disclosure.ChatResume:
			return mine.resume(ctx, cmd.Sector)
		case cmd.Sector != "":
			return mine.stop(ctx, cmd.Sector, cmd.Verb == disclosure.ChatPause)
		case cmd.Verb == disclosure.ChatPause:
			return mine.pauseAll(ctx)
		}
		return mine.unsubscribeAll(ctx)
	case disclosure.ChatNotice:
		if cmd.Code == "" {
			return "没有编号为 " + cmd.Unknown + " 的公告。公告编号是 8 位数字，请核对后再发。", nil
		}
		return p.tell(ctx, cmd.Code)
	case disclosure.ChatLink:
		return p.link(ctx, person, cmd.Code)
	}
	return p.menu(), nil
}

func whichSector(cmd disclosure.ChatCommand) string {
	if len(cmd.Choices) > 0 {
		return "“" + cmd.Unknown + "”对应多个领域：" + strings.Join(cmd.Choices, "、") + "，请写得完整一些。"
	}
	return "没有找到领域“" + cmd.Unknown + "”。回复“菜单”查看全部领域。"
}

func (p *People) menu() string {
	var names []string
	for _, s := range p.Store.Catalog().Sectors {
		names = append(names, s.Name)
	}
	return "回复“订阅 土地”订阅一个领域，“退订”取消全部，“暂停”“恢复”控制推送，发送 8 位公告编号可查看公告。\n领域：" + strings.Join(names, "、") + "。\n" + p.PublicURL
}

// plainFor finds the person's subscription to all of one sector.
func plainFor(subs []disclosure.Subscription, sector string) (disclosure.Subscription, bool) {
	for _, s := range subs {
		if len(s.Sectors) == 1 && s.Sectors[0] == sector && s.Plain() {
			return s, true
		}
	}
	return disclosure.Subscription{}, false
}

func (p *People) subscribe(ctx context.Context, person disclosure.Person, sector, source string) (string, error) {
	name := p.Store.Catalog().SectorName(sector)
	subs, err := p.Store.Subscriptions(ctx, person.N)
	if err != nil {
		return "", err
	}
	sub, there := plainFor(subs, sector)
	if there && !sub.Paused && !person.Paused {
		return "您已订阅“" + name + "”。回复“退订 " + name + "”可取消。", nil
	}
	if !there {
		sub = disclosure.NewSubscription(uuid.NewString(), source, p.Now())
		sub.Sectors = []string{sector}
	}
	sub.Paused, sub.UpdatedAt = false, p.Now()
	if _, err := p.Store.SaveSubscription(ctx, person.N, sub); err != nil {
		if e := new(disclosure.Error); errors.As(err, &e) && e.Code == disclosure.CodeTooMany {
			return e.Detail + "，请先退订不用的。", nil
		}
		return "", err
	}
	if person.Paused {
		person.Paused = false
		if _, err := p.Store.ChangePerson(ctx, person); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("已订阅“%s”，有新公告会立即告诉您。回复“退订 %s”取消，“暂停”暂停接收。\n更多条件：%s/subscribe", name, name, p.PublicURL), nil
}

func (p *People) tell(ctx context.Context, code string) (string, error) {
	n, err := p.Store.Notice(ctx, disclosure.NoticeRef{Code: code})
	if e := new(disclosure.Error); errors.As(err, &e) && (e.Code == disclosure.CodeNotFound || e.Code == disclosure.CodeWithdrawn) {
		return e.Detail, nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s\n来源：%s\n%s/n/%s", disclosure.MaskCardText(n.Title), n.Source.Name, p.PublicURL, n.Code), nil
}

func (p *People) link(ctx context.Context, person disclosure.Person, code string) (string, error) {
	_, err := p.Store.UseLink(ctx, person.N, disclosure.LinkHash(code), p.Now())
	if e := new(disclosure.Error); errors.As(err, &e) && e.Code == disclosure.CodeLink {
		return e.Detail + "。", nil
	}
	if err != nil {
		return "", err
	}
	return "已绑定：您的公众号和小程序现在是同一个订阅人。", nil
}
