package handlers

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// Sessions keeps who is logged in.
type Sessions interface {
	Session(ctx context.Context, hash []byte, now time.Time) (disclosure.Person, error)
	SignOut(ctx context.Context, hash []byte) error
}

// Selves is what people do with what is known of them.
type Selves interface {
	ChangePerson(ctx context.Context, p disclosure.Person) (disclosure.Person, error)
	ErasePerson(ctx context.Context, n int64) error
	NewLink(ctx context.Context, person int64, hash []byte, now time.Time) error
	UseLink(ctx context.Context, person int64, hash []byte, now time.Time) (disclosure.Person, error)
}

// Subscriptions keeps what people asked for.
type Subscriptions interface {
	Subscriptions(ctx context.Context, person int64) ([]disclosure.Subscription, error)
	SavedSubscription(ctx context.Context, id string) (disclosure.Subscription, error)
	SaveSubscription(ctx context.Context, person int64, sub disclosure.Subscription) (disclosure.Subscription, error)
	DeleteSubscription(ctx context.Context, person int64, id string) error
}

// Inboxes shows people what they were told.
type Inboxes interface {
	Inbox(ctx context.Context, person, before int64, limit int) (disclosure.InboxPage, error)
	InboxItem(ctx context.Context, n int64) (disclosure.InboxItem, disclosure.Person, disclosure.Reading, error)
	ReadInbox(ctx context.Context, person, n int64, now time.Time) error
}

// Consents keeps what people agreed to.
type Consents interface {
	Consents(ctx context.Context, person int64) ([]disclosure.ConsentBalance, []disclosure.Consent, error)
	RecordConsent(ctx context.Context, person int64, c disclosure.Consent) error
}

// Subscribers is what the pages of a person need.
type Subscribers interface {
	Sessions
	Selves
	Subscriptions
	Inboxes
	Consents
}

// WeChat is the way to and from people's WeChat.
type WeChat interface {
	SignIn(ctx context.Context, app, code string) (disclosure.SignedIn, error)
	Verify(c disclosure.WeChatCallback) (string, error)
	Receive(ctx context.Context, c disclosure.WeChatCallback) (disclosure.WeChatCallbackReply, error)
	AuthorizeURL(app, back, state string) (string, error)
}

// Signer opens the links that cards carry, and makes the keys of saved feeds.
type Signer interface {
	Open(signed string) (int64, error)
	FeedKey(subscription string) string
}

const (
	keyPerson  = "gongkai.person"
	keySession = "gongkai.session"
)

func noWeChat() error {
	return disclosure.Errorf(disclosure.CodeNoApp, "这台服务器没有配置微信")
}

// routePerson mounts what belongs to one person.
func (s *Server) routePerson(app *fiber.App) {
	s.add(app, fiber.MethodPost, "/api/v1/session", s.createSession)
	me := s.authenticatePerson
	s.add(app, fiber.MethodDelete, "/api/v1/session", me, s.endSession)
	s.add(app, fiber.MethodGet, "/api/v1/me", me, s.getMe)
	s.add(app, fiber.MethodPatch, "/api/v1/me", me, s.changeMe)
	s.add(app, fiber.MethodDelete, "/api/v1/me", me, s.eraseMe)
	s.add(app, fiber.MethodPost, "/api/v1/me/link", me, s.linkMe)
	s.add(app, fiber.MethodGet, "/api/v1/me/subscriptions", me, s.listSubscriptions)
	s.add(app, fiber.MethodPost, "/api/v1/me/subscriptions", me, s.createSubscription)
	s.add(app, fiber.MethodGet, "/api/v1/me/subscriptions/:id", me, s.getSubscription)
	s.add(app, fiber.MethodPatch, "/api/v1/me/subscriptions/:id", me, s.changeSubscription)
	s.add(app, fiber.MethodDelete, "/api/v1/me/subscriptions/:id", me, s.deleteSubscription)
	s.add(app, fiber.MethodGet, "/api/v1/me/inbox", me, s.listInbox)
	s.add(app, fiber.MethodPost, "/api/v1/me/inbox/:id/read", me, s.readInbox)
	s.add(app, fiber.MethodGet, "/api/v1/me/consents", me, s.listConsents)
	s.add(app, fiber.MethodPost, "/api/v1/me/consents", me, s.hintConsent)
	s.page(app, "/why/:signed", s.getWhy)
	s.add(app, fiber.MethodPost, "/why/:signed", asPage(s.actWhy))
	s.add(app, fiber.MethodGet, "/wechat/:app/callback", s.verifyCallback)
	s.add(app, fiber.MethodPost, "/wechat/:app/callback", s.receiveCallback)
	s.page(app, "/wechat/:app/oauth", s.authorize)
	for _, code := range s.VerifyCodes {
		s.add(app, fiber.MethodGet, "/MP_verify_"+code+".txt", func(c *fiber.Ctx) error { return c.SendString(code) })
	}
}

// authenticatePerson lets a person's token pass. Their requests have been counted
// like anybody's: unlike staff, anybody may have a token.
func (s *Server) authenticatePerson(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	known := []string{}
	if path := c.Path(); c.Method() == fiber.MethodGet && slices.Contains([]string{"/api/v1/me/subscriptions", "/api/v1/me/inbox", "/api/v1/me/consents"}, path) {
		known = []string{"limit", "cursor"}
	}
	if err := readParams(c, known...).err(); err != nil {
		return err
	}
	header := c.Get(fiber.HeaderAuthorization)
	scheme, secret, _ := strings.Cut(header, " ")
	if header == "" {
		return disclosure.Errorf(disclosure.CodeNoToken, "请先登录，在 Authorization 请求头中带上 Bearer 令牌")
	}
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, "gongkai_p_") || len(secret) > 200 {
		return disclosure.Errorf(disclosure.CodeBadToken, "登录已失效，请重新登录")
	}
	hash := disclosure.PersonToken(secret)
	p, err := s.Subscribers.Session(c.UserContext(), hash, s.Now())
	if err != nil {
		return err
	}
	c.Locals(keyPerson, p)
	c.Locals(keySession, hash)
	return c.Next()
}

func personOf(c *fiber.Ctx) disclosure.Person {
	p, _ := c.Locals(keyPerson).(disclosure.Person)
	return p
}

// Login is what a client sends to log in.
type Login struct {
	App  string `json:"app" example:"mini"`
	Code string `json:"code"`
}

// Session is a person's new session.
type Session struct {
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
	PersonID  string `json:"person_id"`
}

// createSession logs a person in by a code of WeChat.
//
//	@Summary	登录（小程序 wx.login 或网页授权的 code）
//	@Tags		个人
//	@Param		login	body		Login	true	"账号（official、mini 或 appid）与一次性的 code"
//	@Success	200		{object}	Session
//	@Failure	400		{object}	Problem
//	@Failure	401		{object}	Problem
//	@Router		/api/v1/session [post]
func (s *Server) createSession(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	if err := readParams(c).err(); err != nil {
		return err
	}
	var in Login
	if err := readBody(c, &in); err != nil {
		return err
	}
	for _, f := range []struct{ name, value, says string }{{"app", in.App, "请写明账号：official、mini 或 appid"}, {"code", in.Code, "请写明微信给的登录码"}} {
		if f.value == "" {
			return disclosure.Errorf(disclosure.CodeParam, "%s", f.says).On(f.name)
		}
	}
	if s.WeChat == nil {
		return noWeChat()
	}
	out, err := s.WeChat.SignIn(c.UserContext(), in.App, in.Code)
	if err != nil {
		return err
	}
	return sendJSON(c, Session{out.Secret, disclosure.FormatInstant(out.Expires), out.ID})
}

// endSession logs a person out.
//
//	@Summary	退出登录
//	@Tags		个人
//	@Security	Bearer
//	@Success	204
//	@Router		/api/v1/session [delete]
func (s *Server) endSession(c *fiber.Ctx) error {
	hash, _ := c.Locals(keySession).([]byte)
	if err := s.Subscribers.SignOut(c.UserContext(), hash); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// Me is what is known of a person.
type Me struct {
	PersonID    string      `json:"person_id"`
	Accounts    []MyAccount `json:"accounts"`
	Paused      bool        `json:"paused"`
	UrgentQuiet bool        `json:"urgent_quiet"`
	Unread      int         `json:"unread"`
	CreatedAt   string      `json:"created_at"`
}

// MyAccount is one WeChat account that a person is known by.
type MyAccount struct {
	App       string `json:"app"`
	Kind      string `json:"kind" enums:"official,mini"`
	Following bool   `json:"following"`
	Muted     bool   `json:"muted"`
	LinkedAt  string `json:"linked_at"`
}

func (s *Server) sendMe(c *fiber.Ctx, p disclosure.Person) error {
	inbox, err := s.Subscribers.Inbox(c.UserContext(), p.N, 0, 1)
	if err != nil {
		return err
	}
	out := Me{PersonID: p.ID, Accounts: []MyAccount{}, Paused: p.Paused, UrgentQuiet: p.UrgentQuiet, Unread: inbox.Unread,
		CreatedAt: disclosure.FormatInstant(p.CreatedAt)}
	for _, a := range p.Accounts {
		out.Accounts = append(out.Accounts, MyAccount{a.App, string(a.Kind), a.Following, a.Muted, disclosure.FormatInstant(a.LinkedAt)})
	}
	return sendJSON(c, out)
}

// getMe shows what is known of the person.
//
//	@Summary	本人
//	@Tags		个人
//	@Security	Bearer
//	@Success	200	{object}	Me
//	@Router		/api/v1/me [get]
func (s *Server) getMe(c *fiber.Ctx) error { return s.sendMe(c, personOf(c)) }

// MeChange is what a person may set of themselves.
type MeChange struct {
	Paused      *bool `json:"paused" validate:"optional"`
	UrgentQuiet *bool `json:"urgent_quiet" validate:"optional"`
}

// changeMe pauses everything, or lets urgent cards come in quiet hours.
//
//	@Summary	修改本人的设置
//	@Tags		个人
//	@Security	Bearer
//	@Param		change	body		MeChange	true	"暂停全部推送；紧急更正可在免打扰时段送达"
//	@Success	200		{object}	Me
//	@Router		/api/v1/me [patch]
func (s *Server) changeMe(c *fiber.Ctx) error {
	var in MeChange
	if err := readBody(c, &in); err != nil {
		return err
	}
	p := personOf(c)
	if in.Paused != nil {
		p.Paused = *in.Paused
	}
	if in.UrgentQuiet != nil {
		p.UrgentQuiet = *in.UrgentQuiet
	}
	p, err := s.Subscribers.ChangePerson(c.UserContext(), p)
	if err != nil {
		return err
	}
	return s.sendMe(c, p)
}

// eraseMe removes everything known of the person.
//
//	@Summary	注销：删除本人的全部数据
//	@Tags		个人
//	@Security	Bearer
//	@Success	204
//	@Router		/api/v1/me [delete]
func (s *Server) eraseMe(c *fiber.Ctx) error {
	if err := s.Subscribers.ErasePerson(c.UserContext(), personOf(c).N); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// LinkRequest asks for a one-time code, or uses one.
type LinkRequest struct {
	Code *string `json:"code" validate:"optional"`
}

// LinkAnswer is a one-time code, or the person that two accounts now are.
type LinkAnswer struct {
	Code      *string `json:"code" extensions:"x-nullable"`
	ExpiresAt *string `json:"expires_at" extensions:"x-nullable"`
	PersonID  string  `json:"person_id"`
}

// linkMe joins two accounts of one person by a one-time code.
//
//	@Summary	绑定两个账号：不带 code 得到绑定码，带 code 完成绑定
//	@Tags		个人
//	@Security	Bearer
//	@Param		link	body		LinkRequest	false	"绑定码"
//	@Success	200		{object}	LinkAnswer
//	@Router		/api/v1/me/link [post]
func (s *Server) linkMe(c *fiber.Ctx) error {
	var in LinkRequest
	if err := readBody(c, &in); err != nil {
		return err
	}
	p := personOf(c)
	if in.Code != nil {
		joined, err := s.Subscribers.UseLink(c.UserContext(), p.N, disclosure.LinkHash(*in.Code), s.Now())
		if err != nil {
			return err
		}
		return sendJSON(c, LinkAnswer{PersonID: joined.ID})
	}
	code := s.NewLinkCode()
	if err := s.Subscribers.NewLink(c.UserContext(), p.N, disclosure.LinkHash(code), s.Now()); err != nil {
		return err
	}
	return sendJSON(c, LinkAnswer{Code: &code, ExpiresAt: instant(s.Now().Add(disclosure.LinkLife)), PersonID: p.ID})
}
