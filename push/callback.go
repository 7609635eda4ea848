package push

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
)

// Registry is what callbacks and logins write of people.
type Registry interface {
	SignIn(ctx context.Context, who disclosure.Identity, hash []byte, now time.Time) (disclosure.Person, error)
	PersonOf(ctx context.Context, app, openid string) (disclosure.Person, error)
	ChangePerson(ctx context.Context, p disclosure.Person) (disclosure.Person, error)
	ChangeAccount(ctx context.Context, a disclosure.Account) error
	RemoveAccount(ctx context.Context, app, openid string) error
	UseLink(ctx context.Context, person int64, hash []byte, now time.Time) (disclosure.Person, error)
	RecordConsent(ctx context.Context, person int64, c disclosure.Consent) error
	Subscriptions(ctx context.Context, person int64) ([]disclosure.Subscription, error)
	SaveSubscription(ctx context.Context, person int64, sub disclosure.Subscription) (disclosure.Subscription, error)
	DeleteSubscription(ctx context.Context, person int64, id string) error
}

// Ledger remembers callbacks and applies WeChat's reports of messages.
type Ledger interface {
	Seen(ctx context.Context, key, body string, now time.Time) (reply string, seen, clash bool, err error)
	Answered(ctx context.Context, key, reply string, failed bool) error
	Receipt(ctx context.Context, app, msgid, status string, now time.Time) error
	Reported(ctx context.Context, app, openid, template, msgid, status string, now time.Time) error
	SetSwitch(ctx context.Context, by disclosure.Actor, scope, why string, program bool, now time.Time) error
}

// Directory reads the catalogue and public notices for replies.
type Directory interface {
	Catalog() *disclosure.Catalog
	Notice(ctx context.Context, ref disclosure.NoticeRef) (disclosure.NoticeDetail, error)
}

// PeopleStore is everything that People needs of the database.
type PeopleStore interface {
	Registry
	Ledger
	Directory
}

// People answers for subscribers: their logins, what they say in chat, and what
// WeChat says of them. It is safe for concurrent use.
type People struct {
	Store     PeopleStore
	WeChat    *WeChat
	Templates []disclosure.CardTemplate
	PublicURL string
	Log       *slog.Logger
	Now       func() time.Time
	Metrics   *Metrics
	// Later runs work that WeChat need not wait for; nil runs it at once.
	Later func(func())
}

// Receive handles one callback and returns what WeChat is answered. A callback
// that came before is answered as before and changes nothing. Errors: CodeNoApp,
// CodeCallback, CodeTooLarge.
func (p *People) Receive(ctx context.Context, c Callback) (disclosure.CallbackReply, error) {
	reply, event, err := p.receive(ctx, c)
	outcome := "ok"
	if err != nil {
		outcome = "failed"
		if errors.Is(err, &disclosure.Error{Code: disclosure.CodeCallback}) {
			outcome = "refused"
		}
	}
	p.Metrics.callback(event, outcome)
	return reply, err
}

func (p *People) receive(ctx context.Context, c Callback) (reply disclosure.CallbackReply, event string, err error) {
	a, err := p.WeChat.account(c.App)
	if err != nil {
		return reply, "none", err
	}
	o, err := p.WeChat.open(a, c)
	if err != nil {
		return reply, "none", err
	}
	m, err := o.parse()
	if err != nil {
		return reply, "none", err
	}
	event = eventLabel(m)
	body := digest(string(o.message))
	// The signature does not cover the body in plain mode: one set of it is good
	// for one message.
	nonce := digest("nonce", a.AppID, c.Query["timestamp"], c.Query["nonce"], c.Query["signature"]+c.Query["msg_signature"])
	if _, _, clash, err := p.Store.Seen(ctx, nonce, body, p.Now()); err != nil || clash {
		if clash {
			err = refused("签名已经用过")
		}
		return reply, event, err
	}
	id := o.identity(a.AppID, m)
	words, seen, _, err := p.Store.Seen(ctx, id, body, p.Now())
	if err != nil {
		return reply, event, err
	}
	if !seen {
		words, err = p.handle(ctx, a, m)
		if e := p.Store.Answered(context.WithoutCancel(ctx), id, words, err != nil); err == nil {
			err = e
		}
		if err != nil {
			return reply, event, err
		}
	}
	reply, err = p.WeChat.reply(a, o, m, ownName(o.message, o.isJSON), words)
	return reply, event, err
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:])
}

// eventLabel bounds the label of a metric: the body is somebody else's.
func eventLabel(m *inbound) string {
	if m.Type != "event" {
		return "message"
	}
	if _, ok := events[string(m.Event)]; ok {
		return string(m.Event)
	}
	return "other"
}

type eventHandler func(p *People, ctx context.Context, a *account, m *inbound) (string, error)

// events are the events that mean something to us; any other is acknowledged.
var events = map[string]eventHandler{
	"subscribe":                       (*People).followed,
	"unsubscribe":                     (*People).unfollowed,
	"scan":                            (*People).scanned,
	"click":                           (*People).clicked,
	"templatesendjobfinish":           (*People).finished,
	"subscribe_msg_popup_event":       (*People).consented,
	"subscribe_msg_change_event":      (*People).consented,
	"subscribe_msg_sent_event":        (*People).reported,
	"user_authorization_revoke":       (*People).revoked,
	"user_authorization_cancellation": (*People).revoked,
	"wxa_punish_event":                (*People).punished,
	"user_enter_tempsession":          (*People).entered,
}

func (p *People) handle(ctx context.Context, a *account, m *inbound) (string, error) {
	if m.Type == "event" {
		if f, ok := events[string(m.Event)]; ok {
			return f(p, ctx, a, m)
		}
		return "", nil
	}
	if m.Type != "text" || m.From == "" {
		return "", nil
	}
	person, err := p.meet(ctx, a, m, 48*time.Hour, 5)
	if err != nil {
		return "", err
	}
	return p.chat(ctx, person, string(m.Content), "chat")
}

// meet finds or makes the person a callback is about, and notes the window in
// which they may be written to.
func (p *People) meet(ctx context.Context, a *account, m *inbound, window time.Duration, messages int) (disclosure.Person, error) {
	who := disclosure.Identity{App: a.AppID, Kind: a.Kind, OpenID: string(m.From)}
	if !codeForm.MatchString(who.OpenID) {
		return disclosure.Person{}, refused("用户标识的写法不对")
	}
	person, err := p.Store.SignIn(ctx, who, nil, p.Now())
	if err != nil || window == 0 {
		return person, err
	}
	acc := accountIn(person, a.AppID, who.OpenID)
	if until := p.Now().Add(window); until.After(acc.WindowUntil) || acc.WindowLeft < messages {
		acc.WindowUntil, acc.WindowLeft = until, messages
	}
	acc.Quarantined = false
	if a.Kind == disclosure.AppOfficial {
		acc.Following = true
	}
	return person, p.Store.ChangeAccount(ctx, acc)
}

func accountIn(p disclosure.Person, app, openid string) disclosure.Account {
	for _, a := range p.Accounts {
		if a.App == app && a.OpenID == openid {
			return a
		}
	}
	return disclosure.Account{Identity: disclosure.Identity{App: app, OpenID: openid}}
}

func (p *People) followed(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.meet(ctx, a, m, time.Minute, 3)
	if err != nil {
		return "", err
	}
	acc := accountIn(person, a.AppID, string(m.From))
	acc.Following, acc.Muted, acc.Quarantined = true, false, false
	acc.WindowUntil, acc.WindowLeft = p.Now().Add(time.Minute), 3
	if err := p.Store.ChangeAccount(ctx, acc); err != nil {
		return "", err
	}
	scene := strings.TrimPrefix(string(m.Key), "qrscene_")
	if err := p.Store.RecordConsent(ctx, person.N, disclosure.Consent{At: p.Now(), Identity: acc.Identity, Kind: disclosure.ConsentFollow,
		Scene: short64(scene), Evidence: string(m.Created)}); err != nil {
		return "", err
	}
	p.later(func() { p.join(acc.Identity) })
	if scene == "" {
		return welcome + p.menu(), nil
	}
	words, err := p.scene(ctx, person, scene)
	return welcome + words, err
}

const welcome = "欢迎关注亭湖区公共资源配置信息公开。\n"

// join asks WeChat for the follower's unionid: by it the mini-program's account
// is the same person.
func (p *People) join(who disclosure.Identity) {
	union, err := p.WeChat.UnionID(who.App, who.OpenID)
	if err != nil || union == "" {
		return // they stay two people until they link themselves
	}
	who.UnionID = union
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) //nolint:forbidigo // it outlives the callback
	defer cancel()
	if _, err := p.Store.SignIn(ctx, who, nil, p.Now()); err != nil {
		p.Log.Warn("two accounts of one person were not joined", "error", err)
	}
}

func (p *People) later(f func()) {
	if p.Later != nil {
		p.Later(f)
		return
	}
	f()
}

func (p *People) unfollowed(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.Store.PersonOf(ctx, a.AppID, string(m.From))
	if errors.Is(err, &disclosure.Error{Code: disclosure.CodeBadToken}) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	acc := accountIn(person, a.AppID, string(m.From))
	acc.Following, acc.WindowLeft = false, 0
	if err := p.Store.ChangeAccount(ctx, acc); err != nil {
		return "", err
	}
	return "", p.Store.RecordConsent(ctx, person.N, disclosure.Consent{At: p.Now(), Identity: acc.Identity, Kind: disclosure.ConsentBlocked, Evidence: string(m.Created)})
}

func (p *People) scanned(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.meet(ctx, a, m, time.Minute, 3)
	if err != nil {
		return "", err
	}
	return p.scene(ctx, person, string(m.Key))
}

func (p *People) clicked(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.meet(ctx, a, m, time.Minute, 3)
	if err != nil {
		return "", err
	}
	return p.chat(ctx, person, string(m.Key), "menu")
}

func (p *People) entered(ctx context.Context, a *account, m *inbound) (string, error) {
	_, err := p.meet(ctx, a, m, time.Minute, 2)
	return "", err
}

// scene does what a QR code says: "s:<sector>:<kiosk>" subscribes, "l:<code>"
// joins accounts.
func (p *People) scene(ctx context.Context, person disclosure.Person, scene string) (string, error) {
	kind, rest, _ := strings.Cut(scene, ":")
	switch kind {
	case "s":
		sector, kiosk, _ := strings.Cut(rest, ":")
		if _, err := p.Store.Catalog().Sector(sector); err == nil {
			return p.subscribe(ctx, person, sector, "scan:"+short64(kiosk))
		}
	case "l":
		return p.link(ctx, person, rest)
	}
	return p.menu(), nil
}

func short64(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "")
	}
	return s
}

func (p *People) finished(ctx context.Context, a *account, m *inbound) (string, error) {
	if m.JobID == "" {
		return "", nil
	}
	return "", p.Store.Receipt(ctx, a.AppID, short64(string(m.JobID)), string(m.Status), p.Now())
}

// consented writes what a popup or the settings say into the ledger.
func (p *People) consented(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.meet(ctx, a, m, 0, 0)
	if err != nil {
		return "", err
	}
	acc := accountIn(person, a.AppID, string(m.From))
	for _, item := range m.items() {
		t, ok := p.templateOf(a.AppID, string(item.Template))
		if !ok {
			p.Log.Warn("a consent to a template that is not configured", "app", a.Name)
			continue
		}
		c := disclosure.Consent{At: p.Now(), Identity: acc.Identity, Template: t.ID, LongTerm: t.LongTerm, Kind: disclosure.ConsentReject,
			Scene: short64(string(item.Scene)), Evidence: digest(string(m.Created), string(item.Template))[:16]}
		accepted := strings.HasPrefix(string(item.Status), "accept")
		switch {
		case accepted:
			c.Kind, c.Delta = disclosure.ConsentAccept, 1
			if acc.Muted || acc.Quarantined {
				acc.Muted, acc.Quarantined = false, false
				if err := p.Store.ChangeAccount(ctx, acc); err != nil {
					return "", err
				}
			}
		case string(m.Event) == "subscribe_msg_change_event":
			c.Kind = disclosure.ConsentRevoke
		}
		if err := p.Store.RecordConsent(ctx, person.N, c); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (p *People) templateOf(app, id string) (disclosure.CardTemplate, bool) {
	for _, t := range p.Templates {
		if t.App == app && t.ID == id {
			return t, true
		}
	}
	return disclosure.CardTemplate{}, false
}

// reported applies WeChat's reports of subscribe messages, whose calls return no
// key to tell them by.
func (p *People) reported(ctx context.Context, a *account, m *inbound) (string, error) {
	for _, item := range m.items() {
		status := "success"
		if item.Code != "0" && item.Code != "" {
			status = "failed:" + string(item.Reason)
		}
		if err := p.Store.Reported(ctx, a.AppID, string(m.From), string(item.Template), short64(string(item.MsgID)), status, p.Now()); err != nil {
			return "", err
		}
	}
	return "", nil
}

// revoked removes what we know of somebody who took their authorisation back
// (个人信息保护法 第四十七条).
func (p *People) revoked(ctx context.Context, a *account, m *inbound) (string, error) {
	openid := string(m.OpenID)
	if openid == "" {
		openid = string(m.From)
	}
	return "", p.Store.RemoveAccount(ctx, a.AppID, openid)
}

func (p *People) punished(ctx context.Context, a *account, _ *inbound) (string, error) {
	p.Log.Error("WeChat has punished the account; its messages are stopped", "app", a.Name)
	return "", p.Store.SetSwitch(ctx, disclosure.System, disclosure.ScopeApp+a.AppID, "微信通知：账号受到处罚", true, p.Now())
}

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
	case disclosure.ChatUnsubscribe:
		if cmd.Sector == "" && (cmd.Unknown != "" || len(cmd.Choices) > 0) {
			return whichSector(cmd), nil
		}
		return p.unsubscribe(ctx, person, cmd.Sector)
	case disclosure.ChatPause, disclosure.ChatResume:
		person.Paused = cmd.Verb == disclosure.ChatPause
		if _, err := p.Store.ChangePerson(ctx, person); err != nil {
			return "", err
		}
		if person.Paused {
			return "已暂停推送。公告仍会进入您的收件箱；回复“恢复”可重新接收。", nil
		}
		return "已恢复推送。", nil
	case disclosure.ChatNotice:
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

func (p *People) unsubscribe(ctx context.Context, person disclosure.Person, sector string) (string, error) {
	subs, err := p.Store.Subscriptions(ctx, person.N)
	if err != nil {
		return "", err
	}
	removed := 0
	for _, s := range subs {
		if sector != "" && (len(s.Sectors) != 1 || s.Sectors[0] != sector) {
			continue
		}
		if err := p.Store.DeleteSubscription(ctx, person.N, s.ID); err != nil {
			return "", err
		}
		removed++
	}
	switch {
	case removed == 0 && sector != "":
		return "您没有订阅“" + p.Store.Catalog().SectorName(sector) + "”。", nil
	case removed == 0:
		return "您没有订阅。回复“菜单”查看可订阅的领域。", nil
	case sector != "":
		return "已退订“" + p.Store.Catalog().SectorName(sector) + "”。", nil
	}
	return fmt.Sprintf("已退订全部 %d 个订阅，不会再给您推送。", removed), nil
}

func (p *People) tell(ctx context.Context, code string) (string, error) {
	n, err := p.Store.Notice(ctx, disclosure.NoticeRef{Code: code})
	if e := new(disclosure.Error); errors.As(err, &e) && (e.Code == disclosure.CodeNotFound || e.Code == disclosure.CodeWithdrawn) {
		return e.Detail, nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s\n来源：%s\n%s/n/%s", disclosure.MaskText(n.Title), n.Source.Name, p.PublicURL, n.Code), nil
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
