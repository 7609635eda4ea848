package push

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"time"

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
// that came before is answered as before and changes nothing; one that is being
// handled is not acknowledged. Errors: CodeNoApp, CodeWeChatCallback, CodeTooLarge,
// CodeUnavailable.
func (p *People) Receive(ctx context.Context, c disclosure.WeChatCallback) (disclosure.WeChatCallbackReply, error) {
	ctx, cancel := context.WithTimeout(ctx, disclosure.CallbackTime)
	defer cancel()
	reply, event, err := p.receive(ctx, c)
	outcome := "ok"
	if err != nil {
		outcome = "failed"
		if errors.Is(err, &disclosure.Error{Code: disclosure.CodeWeChatCallback}) {
			outcome = "refused"
		}
	}
	p.Metrics.callback(event, outcome)
	return reply, err
}

func (p *People) receive(ctx context.Context, c disclosure.WeChatCallback) (reply disclosure.WeChatCallbackReply, event string, err error) {
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
	switch {
	case seen && words == disclosure.CallbackPending: // what becomes of it is not known
		return reply, event, disclosure.Errorf(disclosure.CodeUnavailable, "这条消息正在处理")
	case !seen:
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
