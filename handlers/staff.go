package handlers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// Author enters notices.
type Author interface {
	Create(ctx context.Context, r disclosure.Request, d disclosure.Draft) (disclosure.Outcome, error)
	Edit(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, d disclosure.Draft) (disclosure.Outcome, error)
	Delete(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) error
}

// Checker takes notices through the check by a second person.
type Checker interface {
	Submit(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, ack disclosure.Acknowledgement) (disclosure.Outcome, error)
	Reject(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, comment string) (disclosure.Outcome, error)
	Publish(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, ok disclosure.Approval) (disclosure.Outcome, error)
}

// Amender changes what is public.
type Amender interface {
	Correct(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, changes map[string]json.RawMessage, reason string) (disclosure.Outcome, error)
	Terminate(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, reason string) (disclosure.Outcome, error)
	Withdraw(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, reason string, erase bool) (disclosure.Outcome, error)
}

// Publisher writes notices, files and definitions.
type Publisher interface {
	Author
	Checker
	Amender
	Definer
	Guard
	Upload(ctx context.Context, a disclosure.Actor, name string, data []byte) (disclosure.Attachment, error)
}

// Desk reads what staff work on.
type Desk interface {
	Staff(ctx context.Context, ref disclosure.NoticeRef) (disclosure.StaffNotice, error)
	StaffList(ctx context.Context, q disclosure.StaffQuery) (disclosure.StaffPage, error)
	Audit(ctx context.Context, id string, before int64, limit int) (disclosure.AuditPage, error)
}

// StepHeaders documents what every step of a notice may be asked with; request
// reads it.
type StepHeaders struct {
	IfMatch        string `header:"If-Match" validate:"optional" example:"\"3\""` // 带引号的版本号：只在公告仍是这一版时操作，否则 412
	IdempotencyKey string `header:"Idempotency-Key" validate:"optional"`          // 每次操作一个新值，如 UUID；同一个值重发只执行一次
}

// request reads what a step of a notice is asked with: the actor, If-Match and
// Idempotency-Key.
func request(c *fiber.Ctx) (disclosure.Request, error) {
	r := disclosure.Request{Actor: actorOf(c)}
	if tag := c.Get(fiber.HeaderIfMatch); tag != "" {
		text, quoted := strings.CutPrefix(tag, `"`)
		text, closed := strings.CutSuffix(text, `"`)
		rev, err := disclosure.ParseRev(text)
		if !quoted || !closed || err != nil {
			return r, disclosure.Errorf(disclosure.CodeIfMatch, "If-Match 应为带引号的版本号，如 \"3\"").On(fiber.HeaderIfMatch)
		}
		r.IfMatch = rev
	}
	if key := c.Get("Idempotency-Key"); key != "" {
		if len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < '!' || r > '~' }) {
			return r, disclosure.Errorf(disclosure.CodeIdemKey, "Idempotency-Key 应为 1 到 255 个可见的 ASCII 字符").On("Idempotency-Key")
		}
		sum := sha256.New()
		sum.Write([]byte(c.Method() + "\n" + c.Path() + "\n" + c.Get(fiber.HeaderIfMatch) + "\n"))
		sum.Write(c.Body())
		r.Key, r.Digest = key, hex.EncodeToString(sum.Sum(nil))
	}
	return r, nil
}

// readBody decodes a JSON body strictly into v. An empty body is an empty
// object.
func readBody(c *fiber.Ctx, v any) error {
	body := c.Body()
	if len(body) == 0 {
		return nil
	}
	media, _, _ := strings.Cut(c.Get(fiber.HeaderContentType), ";")
	if !strings.EqualFold(strings.TrimSpace(media), fiber.MIMEApplicationJSON) {
		return disclosure.Errorf(disclosure.CodeMediaType, "请求正文请用 application/json").On(fiber.HeaderContentType)
	}
	return disclosure.DecodeStrict(body, v)
}

// step is the common way of everything that changes one notice: read the path,
// the preconditions and the body, carry it out, answer with the notice.
func (s *Server) step(c *fiber.Ctx, body any, do func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error)) error {
	ref, err := noticeRef(c)
	if err != nil {
		return err
	}
	if err := readParams(c).err(); err != nil {
		return err
	}
	r, err := request(c)
	if err != nil {
		return err
	}
	if err := readBody(c, body); err != nil {
		return err
	}
	out, err := do(c.UserContext(), r, ref)
	if err != nil {
		return err
	}
	return s.sendStaff(c, out)
}

// sendStaff makes this process's readers see the write, then answers with it.
func (s *Server) sendStaff(c *fiber.Ctx, out disclosure.Outcome) error {
	s.refresh(c)
	if out.Replayed {
		c.Set("Idempotent-Replayed", "true")
	}
	if out.ID == "" { // replayed, and deleted since
		return c.SendStatus(fiber.StatusNoContent)
	}
	c.Set(fiber.HeaderETag, `"`+strconv.Itoa(out.Rev)+`"`)
	out.Notice = out.SeenBy(actorOf(c)) // a step that is replayed may have been overtaken by a withdrawal
	return sendJSON(c, StaffJSON(out.StaffNotice))
}

func (s *Server) refresh(c *fiber.Ctx) {
	if err := s.Cache.Refresh(c.UserContext()); err != nil {
		s.log.Warn("the write is committed; readers of this process see it within a second", "error", err)
	}
}

// createNotice stores a draft.
//
//	@Summary	录入公告草稿
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		draft	body		Draft	true	"草稿"
//	@Success	201		{object}	StaffNotice
//	@Failure	422		{object}	Problem
//	@Router		/api/v1/staff/notices [post]
func (s *Server) createNotice(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	r, err := request(c)
	if err != nil {
		return err
	}
	var d disclosure.Draft
	if err := readBody(c, &d); err != nil {
		return err
	}
	out, err := s.Publisher.Create(c.UserContext(), r, d)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, "/api/v1/staff/notices/"+out.ID)
	c.Status(fiber.StatusCreated)
	return s.sendStaff(c, out)
}

// getStaffNotice returns a notice in any status.
//
//	@Summary	经办公告详情
//	@Tags		经办
//	@Security	Bearer
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Success	200	{object}	StaffNotice
//	@Failure	404	{object}	Problem
//	@Router		/api/v1/staff/notices/{id} [get]
func (s *Server) getStaffNotice(c *fiber.Ctx) error {
	n, err := s.staffNotice(c)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderETag, `"`+strconv.Itoa(n.Rev)+`"`)
	return sendJSON(c, StaffJSON(n))
}

// staffNotice reads the notice in the path, if the actor acts for its body.
func (s *Server) staffNotice(c *fiber.Ctx) (disclosure.StaffNotice, error) {
	ref, err := noticeRef(c)
	if err == nil {
		err = readParams(c).err()
	}
	if err != nil {
		return disclosure.StaffNotice{}, err
	}
	n, err := s.Desk.Staff(c.UserContext(), ref)
	if err == nil && !actorOf(c).Covers(n.Body) {
		err = disclosure.Errorf(disclosure.CodeScope, "您的令牌不适用于公开主体“%s”", n.Catalog.BodyName(n.Body))
	}
	n.Notice = n.SeenBy(actorOf(c))
	return n, err
}

// editNotice replaces the content of a draft.
//
//	@Summary	修改公告草稿
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id		path		string	true	"公告的 id"
//	@Param		draft	body		Draft	true	"草稿全文"
//	@Success	200		{object}	StaffNotice
//	@Router		/api/v1/staff/notices/{id} [put]
func (s *Server) editNotice(c *fiber.Ctx) error {
	var d disclosure.Draft
	return s.step(c, &d, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.Publisher.Edit(ctx, r, ref, d)
	})
}

// deleteNotice removes a draft that was never public.
//
//	@Summary	删除公告草稿
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id	path	string	true	"公告的 id"
//	@Success	204
//	@Failure	409	{object}	Problem
//	@Router		/api/v1/staff/notices/{id} [delete]
func (s *Server) deleteNotice(c *fiber.Ctx) error {
	var none struct{}
	return s.step(c, &none, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return disclosure.Outcome{}, s.Publisher.Delete(ctx, r, ref)
	})
}

// SubmitBody acknowledges warnings.
type SubmitBody struct {
	Acknowledge []string `json:"acknowledge" validate:"optional"`
	Reason      string   `json:"reason" validate:"optional"`
}

// submitNotice hands a draft to a reviewer.
//
//	@Summary	提交核验
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id		path		string		true	"公告的 id"
//	@Param		body	body		SubmitBody	false	"对提醒的确认"
//	@Success	200		{object}	StaffNotice
//	@Router		/api/v1/staff/notices/{id}/submit [post]
func (s *Server) submitNotice(c *fiber.Ctx) error {
	var b SubmitBody
	return s.step(c, &b, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.Publisher.Submit(ctx, r, ref, disclosure.Acknowledgement{Acknowledge: b.Acknowledge, Reason: b.Reason})
	})
}

// RejectBody says why.
type RejectBody struct {
	Comment string `json:"comment"`
}

// rejectNotice returns a notice to its author.
//
//	@Summary	退回
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id		path		string		true	"公告的 id"
//	@Param		body	body		RejectBody	true	"退回的原因"
//	@Success	200		{object}	StaffNotice
//	@Router		/api/v1/staff/notices/{id}/reject [post]
func (s *Server) rejectNotice(c *fiber.Ctx) error {
	var b RejectBody
	return s.step(c, &b, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.Publisher.Reject(ctx, r, ref, b.Comment)
	})
}

// SecrecyBody is the result of the review before publication.
type SecrecyBody struct {
	Result string `json:"result"`
	Reason string `json:"reason" validate:"optional"`
}

// PublishBody approves publication.
type PublishBody struct {
	PublishAt     *string      `json:"publish_at" validate:"optional" format:"date-time" extensions:"x-nullable"`
	Acknowledge   []string     `json:"acknowledge" validate:"optional"`
	Reason        string       `json:"reason" validate:"optional"`
	SecrecyReview *SecrecyBody `json:"secrecy_review" validate:"optional"`
}

// publishNotice publishes or schedules a notice.
//
//	@Summary	核验并发布
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id		path		string		true	"公告的 id"
//	@Param		body	body		PublishBody	false	"定时、确认与保密审查"
//	@Success	200		{object}	StaffNotice
//	@Router		/api/v1/staff/notices/{id}/publish [post]
func (s *Server) publishNotice(c *fiber.Ctx) error {
	var b PublishBody
	return s.step(c, &b, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		ok := disclosure.Approval{Acknowledgement: disclosure.Acknowledgement{Acknowledge: b.Acknowledge, Reason: b.Reason}}
		if b.PublishAt != nil {
			at, err := disclosure.ParseInstant(*b.PublishAt)
			if err != nil {
				return disclosure.Outcome{}, disclosure.Errorf(disclosure.CodeInvalid, "定时发布的时间请写成 2026-11-23T09:30:00+08:00").On("publish_at")
			}
			ok.PublishAt = at
		}
		if b.SecrecyReview != nil {
			ok.Secrecy = disclosure.Secrecy{Result: b.SecrecyReview.Result, Reason: b.SecrecyReview.Reason}
		}
		return s.Publisher.Publish(ctx, r, ref, ok)
	})
}

// CorrectBody says what is corrected and why.
type CorrectBody struct {
	Changes map[string]json.RawMessage `json:"changes" swaggertype:"object"`
	Reason  string                     `json:"reason"`
}

// correctNotice drafts a correction of a published notice.
//
//	@Summary	起草更正公告
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id		path		string		true	"原公告的 id"
//	@Param		body	body		CorrectBody	true	"更正的内容和原因"
//	@Success	201		{object}	StaffNotice
//	@Router		/api/v1/staff/notices/{id}/correct [post]
func (s *Server) correctNotice(c *fiber.Ctx) error {
	var b CorrectBody
	c.Status(fiber.StatusCreated)
	return s.step(c, &b, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.Publisher.Correct(ctx, r, ref, b.Changes, b.Reason)
	})
}

// ReasonBody says why.
type ReasonBody struct {
	Reason string `json:"reason"`
}

// terminateNotice drafts a termination of a published notice.
//
//	@Summary	起草终止公告
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id		path		string		true	"原公告的 id"
//	@Param		body	body		ReasonBody	true	"终止的原因"
//	@Success	201		{object}	StaffNotice
//	@Router		/api/v1/staff/notices/{id}/terminate [post]
func (s *Server) terminateNotice(c *fiber.Ctx) error {
	var b ReasonBody
	c.Status(fiber.StatusCreated)
	return s.step(c, &b, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.Publisher.Terminate(ctx, r, ref, b.Reason)
	})
}

// WithdrawBody says why, and whether the content is purged too.
type WithdrawBody struct {
	Reason string `json:"reason"`
	Erase  bool   `json:"erase" validate:"optional"`
}

// withdrawNotice takes a notice out of the public at once.
//
//	@Summary	撤回
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id		path		string			true	"公告的 id"
//	@Param		body	body		WithdrawBody	true	"撤回的原因"
//	@Success	200		{object}	StaffNotice
//	@Router		/api/v1/staff/notices/{id}/withdraw [post]
func (s *Server) withdrawNotice(c *fiber.Ctx) error {
	var b WithdrawBody
	return s.step(c, &b, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.Publisher.Withdraw(ctx, r, ref, b.Reason, b.Erase)
	})
}
