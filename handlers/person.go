package handlers

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

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
	Verify(c disclosure.Callback) (string, error)
	Receive(ctx context.Context, c disclosure.Callback) (disclosure.CallbackReply, error)
	AuthorizeURL(app, back, state string) (string, error)
}

// Signer opens the links that cards carry.
type Signer interface {
	Open(signed string) (int64, error)
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
	s.add(app, fiber.MethodGet, "/why/:signed", s.getWhy)
	s.add(app, fiber.MethodPost, "/why/:signed", s.actWhy)
	s.add(app, fiber.MethodGet, "/wechat/:app/callback", s.verifyCallback)
	s.add(app, fiber.MethodPost, "/wechat/:app/callback", s.receiveCallback)
	s.add(app, fiber.MethodGet, "/wechat/:app/oauth", s.authorize)
	for _, code := range s.VerifyCodes {
		s.add(app, fiber.MethodGet, "/MP_verify_"+code+".txt", func(c *fiber.Ctx) error { return c.SendString(code) })
	}
}

// authenticatePerson lets a person's token pass. Their requests count like
// anybody's: unlike staff, anybody may have a token.
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
	if !s.count(c.Context()) {
		return nil // answered 429
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

// SubscriptionRequest documents what a person sends; disclosure.SubscriptionDraft
// reads it.
type SubscriptionRequest struct {
	Name      *string    `json:"name" validate:"optional"`
	Sectors   []string   `json:"sectors" validate:"optional"`
	Types     []string   `json:"types" validate:"optional"`
	Keywords  []string   `json:"keywords" validate:"optional"`
	Exclude   []string   `json:"exclude" validate:"optional"`
	Bodies    []string   `json:"bodies" validate:"optional"`
	Regions   []string   `json:"regions" validate:"optional"`
	AmountMin *string    `json:"amount_min" validate:"optional" extensions:"x-nullable"`
	AmountMax *string    `json:"amount_max" validate:"optional" extensions:"x-nullable"`
	Projects  []string   `json:"projects" validate:"optional"`
	Mode      string     `json:"mode" validate:"optional" enums:"immediate,daily"`
	Quiet     *QuietView `json:"quiet" validate:"optional" extensions:"x-nullable"`
	Paused    bool       `json:"paused" validate:"optional"`
}

// SubscriptionView is a subscription as it is shown.
type SubscriptionView struct {
	ID        string     `json:"id"`
	Name      *string    `json:"name" extensions:"x-nullable"`
	Title     string     `json:"title"`
	Sectors   []string   `json:"sectors"`
	Types     []string   `json:"types"`
	Keywords  []string   `json:"keywords"`
	Exclude   []string   `json:"exclude"`
	Bodies    []string   `json:"bodies"`
	Regions   []string   `json:"regions"`
	AmountMin *string    `json:"amount_min" extensions:"x-nullable"`
	AmountMax *string    `json:"amount_max" extensions:"x-nullable"`
	Projects  []string   `json:"projects"`
	Mode      string     `json:"mode" enums:"immediate,daily"`
	Quiet     *QuietView `json:"quiet" extensions:"x-nullable"`
	Paused    bool       `json:"paused"`
	Source    string     `json:"source"`
	CreatedAt string     `json:"created_at"`
	UpdatedAt string     `json:"updated_at"`
}

// QuietView is a span of quiet hours.
type QuietView struct {
	From string `json:"from" example:"22:00"`
	To   string `json:"to" example:"07:00"`
}

func (s *Server) subscriptionJSON(sub disclosure.Subscription, catalog *disclosure.Catalog) SubscriptionView {
	out := SubscriptionView{ID: sub.ID, Name: nullable(sub.Name), Title: sub.Title(catalog), Sectors: orEmpty(sub.Sectors), Types: orEmpty(sub.Types),
		Keywords: orEmpty(sub.Keywords), Exclude: orEmpty(sub.Exclude), Bodies: orEmpty(sub.Bodies), Regions: orEmpty(sub.Regions),
		Projects: orEmpty(sub.Projects), Mode: string(sub.Mode), Paused: sub.Paused, Source: sub.Source,
		CreatedAt: disclosure.FormatInstant(sub.CreatedAt), UpdatedAt: disclosure.FormatInstant(sub.UpdatedAt)}
	if sub.AmountMin != nil {
		out.AmountMin = amount(*sub.AmountMin, true)
	}
	if sub.AmountMax != nil {
		out.AmountMax = amount(*sub.AmountMax, true)
	}
	if sub.Quiet != nil {
		out.Quiet = &QuietView{disclosure.Clock(sub.Quiet.From), disclosure.Clock(sub.Quiet.To)}
	}
	return out
}

// SubscriptionList lists a person's subscriptions.
type SubscriptionList struct {
	Items       []SubscriptionView `json:"items"`
	Next        *string            `json:"next" extensions:"x-nullable"`
	Total       int                `json:"total"`
	TotalCapped bool               `json:"total_capped"`
	AsOf        string             `json:"as_of"`
}

// listSubscriptions lists the person's subscriptions, oldest first.
//
//	@Summary	本人的订阅
//	@Tags		个人
//	@Security	Bearer
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	SubscriptionList
//	@Router		/api/v1/me/subscriptions [get]
func (s *Server) listSubscriptions(c *fiber.Ctx) error {
	const list = "subscriptions"
	p := readParams(c, "limit", "cursor")
	limit, after := p.limit(disclosure.DefaultLimit), p.cursor(list)
	if err := p.err(); err != nil {
		return err
	}
	subs, err := s.Subscribers.Subscriptions(c.UserContext(), personOf(c).N)
	if err != nil {
		return err
	}
	out := SubscriptionList{Items: []SubscriptionView{}, Total: len(subs), AsOf: disclosure.FormatInstant(s.Now())}
	var last int64
	for _, sub := range subs {
		if after != nil && sub.N <= after.A {
			continue
		}
		if len(out.Items) == limit {
			next := disclosure.Cursor{A: last}.Encode(list)
			out.Next = &next
			break
		}
		last = sub.N
		out.Items = append(out.Items, s.subscriptionJSON(sub, s.Cache.Catalog()))
	}
	return sendJSON(c, out)
}

// subscription finds the one in the path among the person's own.
func (s *Server) subscription(c *fiber.Ctx) (disclosure.Subscription, error) {
	subs, err := s.Subscribers.Subscriptions(c.UserContext(), personOf(c).N)
	if err != nil {
		return disclosure.Subscription{}, err
	}
	for _, sub := range subs {
		if sub.ID == c.Params("id") {
			return sub, nil
		}
	}
	return disclosure.Subscription{}, disclosure.Errorf(disclosure.CodeNoSubscription, "您没有这个订阅")
}

// createSubscription subscribes.
//
//	@Summary	新建订阅
//	@Tags		个人
//	@Security	Bearer
//	@Param		subscription	body		SubscriptionRequest	true	"条件与送达方式；空的条件不限制"
//	@Success	201				{object}	SubscriptionView
//	@Failure	422				{object}	Problem
//	@Router		/api/v1/me/subscriptions [post]
func (s *Server) createSubscription(c *fiber.Ctx) error {
	c.Status(fiber.StatusCreated)
	return s.saveSubscription(c, disclosure.NewSubscription(uuid.NewString(), "h5", s.Now()))
}

// changeSubscription changes what the body names of a subscription.
//
//	@Summary	修改订阅
//	@Tags		个人
//	@Security	Bearer
//	@Param		id				path		string							true	"订阅的 id"
//	@Param		subscription	body		SubscriptionRequest	true	"要修改的部分"
//	@Success	200				{object}	SubscriptionView
//	@Router		/api/v1/me/subscriptions/{id} [patch]
func (s *Server) changeSubscription(c *fiber.Ctx) error {
	sub, err := s.subscription(c)
	if err != nil {
		return err
	}
	return s.saveSubscription(c, sub)
}

func (s *Server) saveSubscription(c *fiber.Ctx, base disclosure.Subscription) error {
	var in disclosure.SubscriptionDraft
	if err := readBody(c, &in); err != nil {
		return err
	}
	catalog := s.Cache.Catalog()
	sub, err := in.Apply(catalog, base)
	if err != nil {
		return err
	}
	sub.UpdatedAt = s.Now()
	if sub, err = s.Subscribers.SaveSubscription(c.UserContext(), personOf(c).N, sub); err != nil {
		return err
	}
	return sendJSON(c, s.subscriptionJSON(sub, catalog))
}

// getSubscription shows one subscription.
//
//	@Summary	一个订阅
//	@Tags		个人
//	@Security	Bearer
//	@Param		id	path		string	true	"订阅的 id"
//	@Success	200	{object}	SubscriptionView
//	@Router		/api/v1/me/subscriptions/{id} [get]
func (s *Server) getSubscription(c *fiber.Ctx) error {
	sub, err := s.subscription(c)
	if err != nil {
		return err
	}
	return sendJSON(c, s.subscriptionJSON(sub, s.Cache.Catalog()))
}

// deleteSubscription unsubscribes.
//
//	@Summary	退订
//	@Tags		个人
//	@Security	Bearer
//	@Param		id	path	string	true	"订阅的 id"
//	@Success	204
//	@Router		/api/v1/me/subscriptions/{id} [delete]
func (s *Server) deleteSubscription(c *fiber.Ctx) error {
	if err := s.Subscribers.DeleteSubscription(c.UserContext(), personOf(c).N, c.Params("id")); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// InboxEntry is one row of an inbox.
type InboxEntry struct {
	ID           string   `json:"id"`
	Kind         string   `json:"kind" enums:"published,corrected,terminated,digest"`
	KindName     string   `json:"kind_name"`
	State        string   `json:"state"`
	At           string   `json:"at"`
	ReadAt       *string  `json:"read_at" extensions:"x-nullable"`
	Notice       *Summary `json:"notice" extensions:"x-nullable"`
	Withdrawn    bool     `json:"withdrawn"`
	Subscription *string  `json:"subscription" extensions:"x-nullable"`
	Count        *int     `json:"count" extensions:"x-nullable"`
}

// InboxList is a page of an inbox.
type InboxList struct {
	Items       []InboxEntry `json:"items"`
	Next        *string      `json:"next" extensions:"x-nullable"`
	Total       int          `json:"total"`
	TotalCapped bool         `json:"total_capped"`
	Unread      int          `json:"unread"`
	AsOf        string       `json:"as_of"`
}

func inboxJSON(i disclosure.InboxItem, catalog *disclosure.Catalog) InboxEntry {
	out := InboxEntry{ID: i.ID, Kind: string(i.Kind), KindName: i.Kind.Word(), State: string(i.State), At: disclosure.FormatInstant(i.At),
		ReadAt: instant(i.ReadAt), Withdrawn: i.Withdrawn, Subscription: nullable(i.Subscription)}
	if i.Notice != nil {
		sum := summaryJSON(catalog, *i.Notice)
		out.Notice = &sum
	}
	if i.Kind == disclosure.EventDigest {
		out.Count = &i.Count
	}
	return out
}

// listInbox lists what the person was told, newest first, whether or not a card
// could be sent.
//
//	@Summary	收件箱
//	@Tags		个人
//	@Security	Bearer
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	InboxList
//	@Router		/api/v1/me/inbox [get]
func (s *Server) listInbox(c *fiber.Ctx) error {
	const list = "inbox"
	p := readParams(c, "limit", "cursor")
	limit, after := p.limit(disclosure.DefaultLimit), p.cursor(list)
	if err := p.err(); err != nil {
		return err
	}
	before := int64(0)
	if after != nil {
		before = after.A
	}
	page, err := s.Subscribers.Inbox(c.UserContext(), personOf(c).N, before, limit)
	if err != nil {
		return err
	}
	out := InboxList{Items: []InboxEntry{}, Total: page.Total, TotalCapped: page.Capped, Unread: page.Unread, AsOf: disclosure.FormatInstant(s.Now())}
	for _, i := range page.Items {
		out.Items = append(out.Items, inboxJSON(i, page.Catalog))
	}
	if page.More {
		n, err := strconv.ParseInt(page.Items[len(page.Items)-1].ID, 10, 64)
		if err != nil {
			return err
		}
		next := disclosure.Cursor{A: n}.Encode(list)
		out.Next = &next
	}
	return sendJSON(c, out)
}

// readInbox marks a row of the inbox as read.
//
//	@Summary	标为已读
//	@Tags		个人
//	@Security	Bearer
//	@Param		id	path	string	true	"收件箱中的 id"
//	@Success	204
//	@Router		/api/v1/me/inbox/{id}/read [post]
func (s *Server) readInbox(c *fiber.Ctx) error {
	n, err := strconv.ParseInt(c.Params("id"), 10, 64)
	if err != nil {
		return disclosure.Errorf(disclosure.CodeNoInbox, "收件箱中没有这一条")
	}
	if err := s.Subscribers.ReadInbox(c.UserContext(), personOf(c).N, n, s.Now()); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// ConsentView is what is left of a person's consent to one template.
type ConsentView struct {
	App      string `json:"app"`
	Template string `json:"template"`
	LongTerm bool   `json:"long_term"`
	Left     int    `json:"left"`
	LastAt   string `json:"last_at"`
}

// ConsentEntry is one entry of the ledger.
type ConsentEntry struct {
	At       string  `json:"at"`
	App      string  `json:"app"`
	Template *string `json:"template" extensions:"x-nullable"`
	Kind     string  `json:"kind"`
	Delta    int     `json:"delta"`
	Scene    *string `json:"scene" extensions:"x-nullable"`
}

// ConsentList is a person's consents with the newest entries of their ledger.
type ConsentList struct {
	Items  []ConsentView  `json:"items"`
	Next   *string        `json:"next" extensions:"x-nullable"`
	Ledger []ConsentEntry `json:"ledger"`
	Total  int            `json:"total"`
	AsOf   string         `json:"as_of"`
}

// listConsents shows what the person agreed to and what is left of it.
//
//	@Summary	授权及其台账
//	@Tags		个人
//	@Security	Bearer
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200	{object}	ConsentList
//	@Router		/api/v1/me/consents [get]
func (s *Server) listConsents(c *fiber.Ctx) error {
	p := readParams(c, "limit", "cursor")
	p.limit(disclosure.DefaultLimit)
	p.cursor("consents")
	if err := p.err(); err != nil {
		return err
	}
	left, ledger, err := s.Subscribers.Consents(c.UserContext(), personOf(c).N)
	if err != nil {
		return err
	}
	out := ConsentList{Items: []ConsentView{}, Ledger: []ConsentEntry{}, Total: len(left), AsOf: disclosure.FormatInstant(s.Now())}
	for _, b := range left {
		out.Items = append(out.Items, ConsentView{b.App, b.Template, b.LongTerm, b.Left, disclosure.FormatInstant(b.LastAt)})
	}
	for _, e := range ledger {
		out.Ledger = append(out.Ledger, ConsentEntry{disclosure.FormatInstant(e.At), e.Identity.App, nullable(e.Template), string(e.Kind), e.Delta, nullable(e.Scene)})
	}
	return sendJSON(c, out)
}

// ConsentHint is what a client saw of a popup.
type ConsentHint struct {
	App      string `json:"app" example:"mini"`
	Template string `json:"template"`
	Result   string `json:"result" example:"accept"`
	Scene    string `json:"scene" validate:"optional"`
}

// hintConsent notes what a client saw. It counts for nothing: WeChat's own
// callback does.
//
//	@Summary	客户端看到的授权结果（仅供参考，以微信回调为准）
//	@Tags		个人
//	@Security	Bearer
//	@Param		hint	body	ConsentHint	true	"模板与结果"
//	@Success	204
//	@Router		/api/v1/me/consents [post]
func (s *Server) hintConsent(c *fiber.Ctx) error {
	var in ConsentHint
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Template == "" || len(in.Template) > 64 || len(in.App) > 64 || len(in.Result) > 32 || len(in.Scene) > 64 {
		return disclosure.Errorf(disclosure.CodeParam, "请写明模板和结果").On("template")
	}
	err := s.Subscribers.RecordConsent(c.UserContext(), personOf(c).N, disclosure.Consent{At: s.Now(), Identity: disclosure.Identity{App: in.App},
		Template: in.Template, Kind: disclosure.ConsentHint, Scene: in.Scene, Evidence: "client:" + in.Result})
	if err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
