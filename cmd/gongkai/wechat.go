package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/wechatsim"
	"gongkai/push"
)

// wechatAccount is one WeChat account in the configuration.
type wechatAccount struct {
	AppID          string   `koanf:"appid"`
	Secret         string   `koanf:"secret"`
	Token          string   `koanf:"token"`
	AESKey         string   `koanf:"aes_key"`
	PreviousAESKey string   `koanf:"aes_key_previous"`
	Mode           string   `koanf:"mode"`
	Template       string   `koanf:"template"`
	TemplateFields []string `koanf:"template_fields"`
	Subscribe      string   `koanf:"subscribe"`
	SubscribeOnce  string   `koanf:"subscribe_once"`
	SubscribeField []string `koanf:"subscribe_fields"`
}

// wechatConfig is everything about WeChat.
type wechatConfig struct {
	APIURL   string        `koanf:"api_url"`
	OpenURL  string        `koanf:"open_url"`
	Verify   []string      `koanf:"verify"`
	MiniPage string        `koanf:"mini_page"`
	Official wechatAccount `koanf:"official"`
	Mini     wechatAccount `koanf:"mini"`
}

// cardFields are what a template of four or five fields usually shows.
var cardFields = []string{"thing1=title", "phrase2=sector", "thing3=source", "time4=published", "thing5=why"}

// wechatOptions are the settings of WeChat and of the push.
func wechatOptions() []option {
	list := []option{
		{"push.recall", "10m", "发布后等多久才推送，其间可撤回；改动时限的更正不等", false},
		{"push.workers", 8, "同时发送的个数", false},
		{"push.rate", 40, "每个微信接口每秒发送的个数", false},
		{"push.daily_cap", 5, "每人每天最多几张卡片，多出的合并为每日汇总", false},
		{"push.keep_days", 400, "推送记录（订阅者的收件箱）保存多少天，到期删除，只留每次推送的统计；0 为长期保存", false},
		{"push.quota", 0, "模板消息每天的限额；0 用微信公布的 100000", false},
		{"wechat.api_url", "https://api.weixin.qq.com", "微信接口的地址", false},
		{"wechat.open_url", "https://open.weixin.qq.com", "微信网页授权的地址", false},
		{"wechat.verify", []string{}, "MP_verify_ 校验文件的代码，即文件名中的那一段", false},
		{"wechat.mini_page", "", "小程序中公告页的路径，编号接在后面，如 pages/notice?code=；留空则不跳小程序", false},
	}
	for _, a := range []struct{ key, name string }{{"official", "服务号"}, {"mini", "小程序"}} {
		k := "wechat." + a.key + "."
		list = append(list, option{k + "appid", "", a.name + "的 AppID；留空则不用", false}, option{k + "secret", "", a.name + "的 AppSecret", true},
			option{k + "token", "", a.name + "消息推送的 Token", true}, option{k + "aes_key", "", a.name + "消息推送的 EncodingAESKey", true},
			option{k + "aes_key_previous", "", "换 EncodingAESKey 期间的上一个", true}, option{k + "mode", "safe", "消息推送的模式：safe、compat 或 plain", false},
			option{k + "subscribe", "", a.name + "的长期订阅消息模板", false}, option{k + "subscribe_once", "", a.name + "的一次性订阅消息模板", false},
			option{k + "subscribe_fields", cardFields, "订阅消息模板的字段与卡片内容", false})
		if a.key == "official" {
			list = append(list, option{k + "template", "", "服务号的类目模板消息", false}, option{k + "template_fields", cardFields, "类目模板的字段与卡片内容", false})
		}
	}
	return list
}

// miniPageForm is a path in a mini-program that a value can be put behind. With
// another WeChat refuses the card, and with it the template.
var miniPageForm = regexp.MustCompile(`^/?[A-Za-z0-9_][A-Za-z0-9_/-]*\?([^\s?#]*&)?[A-Za-z0-9_]+=$`)

// checkPush refuses settings of WeChat and of the push that cannot work.
func (c *config) checkPush() error {
	var err error
	if c.recall, err = time.ParseDuration(c.Push.Recall); err != nil || c.recall < 0 || c.recall > 24*time.Hour {
		return usage("push.recall 应为 0s 到 24h 之间的时长，如 10m")
	}
	if c.Push.Workers < 1 || c.Push.Workers > 200 || c.Push.Rate < 1 || c.Push.DailyCap < 1 || c.Push.Quota < 0 {
		return usage("push.workers 应在 1 到 200 之间，push.rate 和 push.daily_cap 至少为 1，push.quota 不能为负")
	}
	if days := c.Push.KeepDays; days != 0 && (days < 30 || days > 36_500) {
		return usage("push.keep_days 应为 0（长期保存）或 30 到 36500 之间，现在是 %d", days)
	}
	if page := c.WeChat.MiniPage; page != "" && !miniPageForm.MatchString(page) {
		return usage("wechat.mini_page 应写成 页面路径?参数=，公告编号接在后面，如 pages/notice?code=；现在是“%s”", page)
	}
	for _, t := range c.cardTemplates() {
		if len(t.Fields) == 0 && t.Channel != disclosure.ChannelService {
			if _, err := disclosure.ParseCardFields(c.fieldsOf(t)); err != nil {
				return usage("wechat：%w", err)
			}
		}
	}
	return nil
}

// checkWeChat refuses accounts that a server cannot use. Commands that call nobody
// need no secrets.
func (c *config) checkWeChat() error {
	for _, a := range c.wechatApps() {
		if err := a.Check(); err != nil {
			return usage("%w", err)
		}
	}
	return nil
}

func (c *config) fieldsOf(t disclosure.CardTemplate) []string {
	switch {
	case t.Kind == disclosure.AppMini:
		return c.WeChat.Mini.SubscribeField
	case t.Channel == disclosure.ChannelTemplate:
		return c.WeChat.Official.TemplateFields
	}
	return c.WeChat.Official.SubscribeField
}

// cardTemplates lists the configured templates with their fields; fields that
// cannot be read are left out, checkPush says why.
func (c *config) cardTemplates() []disclosure.CardTemplate {
	var out []disclosure.CardTemplate
	add := func(app string, kind disclosure.AppKind, channel disclosure.Channel, id string, long bool) {
		if app == "" || id == "" && channel != disclosure.ChannelService {
			return
		}
		t := disclosure.CardTemplate{App: app, Kind: kind, Channel: channel, ID: id, LongTerm: long}
		if channel != disclosure.ChannelService {
			t.Fields, _ = disclosure.ParseCardFields(c.fieldsOf(t))
		}
		out = append(out, t)
	}
	o, m := c.WeChat.Official, c.WeChat.Mini
	add(m.AppID, disclosure.AppMini, disclosure.ChannelMini, m.Subscribe, true)
	add(m.AppID, disclosure.AppMini, disclosure.ChannelMini, m.SubscribeOnce, false)
	add(o.AppID, disclosure.AppOfficial, disclosure.ChannelOfficial, o.Subscribe, true)
	add(o.AppID, disclosure.AppOfficial, disclosure.ChannelOfficial, o.SubscribeOnce, false)
	add(o.AppID, disclosure.AppOfficial, disclosure.ChannelTemplate, o.Template, false)
	add(o.AppID, disclosure.AppOfficial, disclosure.ChannelService, "", false)
	return out
}

// wechatApps lists the configured accounts.
func (c *config) wechatApps() []push.WeChatApp {
	var apps []push.WeChatApp
	for _, a := range []struct {
		name string
		kind disclosure.AppKind
		wechatAccount
	}{{"official", disclosure.AppOfficial, c.WeChat.Official}, {"mini", disclosure.AppMini, c.WeChat.Mini}} {
		if a.AppID != "" {
			apps = append(apps, push.WeChatApp{Name: a.name, Kind: a.kind, AppID: a.AppID, Secret: a.Secret, Token: a.Token,
				AESKey: a.AESKey, PreviousAESKey: a.PreviousAESKey, Mode: push.MessageMode(a.Mode)})
		}
	}
	return apps
}

// audience is what cards are made and counted with.
func (c *config) audience(s *store.Store) *push.Audience {
	apps := map[string]string{}
	for _, a := range c.wechatApps() {
		apps[a.Name] = a.AppID
	}
	return &push.Audience{Outbox: s, Templates: c.cardTemplates(), Apps: apps, QuotaOf: c.quotas()}
}

// useSimulator configures the simulated accounts, and a push that hurries.
func (c *config) useSimulator(sim *wechatsim.Sim, url string) {
	c.WeChat.APIURL, c.WeChat.OpenURL = url+simulatorPath, url+simulatorPath
	if c.origin["push.recall"] == layerDefaults {
		c.recall = 2 * time.Second
	}
	for _, acc := range sim.Accounts() {
		a := &c.WeChat.Official
		if acc.Kind == wechatsim.Mini {
			a = &c.WeChat.Mini
		}
		a.AppID, a.Secret, a.Token, a.AESKey, a.PreviousAESKey, a.Mode = acc.AppID, acc.Secret, acc.Token, acc.AESKey, acc.PreviousAESKey, string(acc.Mode)
		for _, t := range acc.Templates {
			if !showsCard(t) {
				continue
			}
			switch t.Type {
			case wechatsim.ByFollowing:
				a.Template = t.ID
			case wechatsim.LongTerm:
				a.Subscribe = t.ID
			case wechatsim.OneOff:
				a.SubscribeOnce = t.ID
			}
		}
	}
}

// showsCard reports whether a template has the fields of cardFields, and not
// those of a change.
func showsCard(t wechatsim.Template) bool {
	return len(t.Keywords) == len(cardFields) && t.Keywords[3].Label == "发布时间"
}

// quotas are the daily limits that are not WeChat's usual ones.
func (c *config) quotas() map[disclosure.Channel]int {
	if c.Push.Quota > 0 {
		return map[disclosure.Channel]int{disclosure.ChannelTemplate: c.Push.Quota}
	}
	return nil
}

// newPush wires the push path; without a WeChat account the database still
// fills people's inboxes.
func (a *app) newPush(ctx context.Context, now func() time.Time) error {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails; see crypto/rand
	shared, err := a.store.PushSecret(ctx, hex.EncodeToString(secret))
	if err != nil {
		return err
	}
	a.signer = push.NewSigner(shared)
	templates := a.config.cardTemplates()
	if a.wechat, err = push.NewWeChat(push.WeChatConfig{APIURL: a.config.WeChat.APIURL, OpenURL: a.config.WeChat.OpenURL, Apps: a.config.wechatApps()},
		a.store, a.log, now); err != nil {
		return err
	}
	a.closers = append(a.closers, a.wechat.Close)
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	conf := push.Config{Recall: a.config.recall, Workers: a.config.Push.Workers, Rate: float64(a.config.Push.Rate), DailyCap: a.config.Push.DailyCap,
		Keep:      time.Duration(a.config.Push.KeepDays) * 24 * time.Hour,
		PublicURL: a.config.PublicURL, MiniPage: a.config.WeChat.MiniPage, Templates: templates, QuotaOf: a.config.quotas()}
	a.push = push.New(conf, a.store, a.wechat, a.signer, a.log, now, fmt.Sprintf("%s-%d-%s", host, os.Getpid(), hex.EncodeToString(secret[:4])))
	a.people = &push.People{Store: a.store, WeChat: a.wechat, Templates: templates, PublicURL: a.config.PublicURL, Log: a.log, Now: now,
		Metrics: a.push.Metrics(), Later: func(f func()) { a.background.Go(f) }}
	return nil
}

// runPush sends until ctx ends, in the processes that are to.
func (a *app) runPush(ctx context.Context) {
	if a.config.Role == "web" {
		return
	}
	a.background.Go(func() {
		if err := a.push.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("the push did not end in order; its leases run out", "error", err)
		}
	})
}
