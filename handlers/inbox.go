package handlers

import (
	"strconv"

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
	if _, err := readNumbered(c, "consents"); err != nil {
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
