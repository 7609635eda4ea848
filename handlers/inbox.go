package handlers

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

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
	pg, err := readNumbered(c, "inbox")
	if err != nil {
		return err
	}
	page, err := s.Subscribers.Inbox(c.UserContext(), personOf(c).N, pg.after, pg.limit)
	if err != nil {
		return err
	}
	out := InboxList{Items: []InboxEntry{}, Total: page.Total, TotalCapped: page.Capped, Unread: page.Unread, AsOf: disclosure.FormatInstant(s.Now())}
	last := int64(0)
	for _, i := range page.Items {
		out.Items = append(out.Items, inboxJSON(i, page.Catalog))
		if last, err = strconv.ParseInt(i.ID, 10, 64); err != nil {
			return err
		}
	}
	out.Next = pg.next(page.More, last)
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
	Items       []ConsentView  `json:"items"`
	Next        *string        `json:"next" extensions:"x-nullable"`
	Total       int            `json:"total"`
	TotalCapped bool           `json:"total_capped"`
	Ledger      []ConsentEntry `json:"ledger"` // the same on every page
	AsOf        string         `json:"as_of"`
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
	pg, err := readPaging(c, "consents", disclosure.DefaultLimit)
	if err != nil {
		return err
	}
	left, ledger, err := s.Subscribers.Consents(c.UserContext(), personOf(c).N)
	if err != nil {
		return err
	}
	out := ConsentList{Items: []ConsentView{}, Ledger: []ConsentEntry{}, Total: len(left), AsOf: disclosure.FormatInstant(s.Now())}
	page, next := cutPage(pg, left)
	out.Next = next
	for _, b := range page {
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
	Result   string `json:"result" example:"accept" enums:"accept,reject,ban,filter,cancel,acceptWithAlert,acceptWithAudio"`
	Scene    string `json:"scene" validate:"optional"`
}

// hintResults are what WeChat's popup returns to a client, in a mini-program and in
// a page.
var hintResults = []string{"accept", "reject", "ban", "filter", "cancel", "acceptWithAlert", "acceptWithAudio"}

// hintConsent notes what a client saw. It counts for nothing: WeChat's own
// callback does.
//
//	@Summary	客户端看到的授权结果（仅供参考，以微信回调为准）
//	@Tags		个人
//	@Security	Bearer
//	@Param		hint	body	ConsentHint	true	"模板与结果"
//	@Success	204
//	@Failure	400	{object}	Problem
//	@Router		/api/v1/me/consents [post]
func (s *Server) hintConsent(c *fiber.Ctx) error {
	var in ConsentHint
	if err := readBody(c, &in); err != nil {
		return err
	}
	if s.Audience == nil {
		return noWeChat()
	}
	app := s.Audience.AppID(in.App)
	switch {
	case app == "":
		return disclosure.Errorf(disclosure.CodeParam, "没有配置这个账号；app 应为 official、mini 或 appid").On("app")
	case !s.Audience.Takes(app, in.Template):
		return disclosure.Errorf(disclosure.CodeParam, "这个账号没有配置这个模板").On("template")
	case !slices.Contains(hintResults, in.Result):
		return disclosure.Errorf(disclosure.CodeParam, "result 应为 %s 之一", strings.Join(hintResults, "、")).On("result")
	case len(in.Scene) > 64:
		return disclosure.Errorf(disclosure.CodeParam, "scene 最多 64 个字节").On("scene")
	}
	err := s.Subscribers.RecordConsent(c.UserContext(), personOf(c).N, disclosure.Consent{At: s.Now(), Identity: disclosure.Identity{App: app},
		Template: in.Template, Kind: disclosure.ConsentHint, Scene: in.Scene, Evidence: "client:" + in.Result})
	if err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
