package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/speech"
)

const hotlinePrefix = "/api/v1/ivr/"

// routeHotline mounts the telephone hotline.
func (s *Server) routeHotline(app *fiber.App) {
	caller := s.authenticateHotline(disclosure.RoleIVR)
	tester := s.authenticateHotline(disclosure.RoleIVR, disclosure.RoleEditor, disclosure.RoleReviewer, disclosure.RoleAdmin)
	s.add(app, fiber.MethodGet, turnPath, s.turnHotline)
	s.add(app, fiber.MethodPost, turnPath, s.turnHotline)
	s.add(app, fiber.MethodPost, hotlinePrefix+"event", caller, s.noteEvent)
	s.add(app, fiber.MethodGet, hotlinePrefix+"say", tester, s.sayText)
	s.add(app, fiber.MethodGet, audioPath+":file", s.getAudio)
}

// TurnParams documents what a telephone engine sends, in the query, as a form or
// as JSON; turnOf reads it.
type TurnParams struct {
	CallID string `form:"call_id" json:"call_id" validate:"optional"`                                            // 通话标识，同一通话不变
	State  string `form:"state" json:"state" validate:"optional"`                                                // 上一轮返回的 state，首轮为空
	Event  string `form:"event" json:"event" validate:"optional" enums:"start,digits,timeout,hangup"`            // 发生了什么；有 digits 时以 digits 为准
	Digits string `form:"digits" json:"digits" validate:"optional"`                                              // 按键
	Caller string `form:"caller" json:"caller" validate:"optional"`                                              // 主叫号码，只用于限制频率，不保存
	Format string `form:"format" json:"format" validate:"optional" enums:"json,flat,httapi,vxml" default:"json"` // 回答的格式
	Pace   string `form:"pace" json:"pace" validate:"optional" enums:"slow"`                                     // slow：等待按键的时间加倍
}

// turnHotline answers one turn of a call: with 200 and something to say,
// whatever happens behind it. Only a bad token is an error.
//
//	@Summary	热线的一轮应答
//	@Tags		热线
//	@Security	Bearer
//	@Produce	json,text/xml,application/voicexml+xml
//	@Param		query	query		TurnParams	false	"按键与状态；也可用表单或 JSON 提交"
//	@Success	200		{object}	TurnAnswer
//	@Failure	401		{object}	Problem
//	@Router		/api/v1/ivr/turn [get]
//	@Router		/api/v1/ivr/turn [post]
func (s *Server) turnHotline(c *fiber.Ctx) error {
	h, start := s.hotline, s.Now()
	c.Set(fiber.HeaderCacheControl, "no-store")
	ctx, cancel := context.WithTimeout(c.UserContext(), turnTimeout)
	defer cancel()
	in, secret := h.readTurn(c), hotlineSecret(c)
	result := make(chan hotlineResult, 1)
	select {
	case h.slots <- struct{}{}:
		go func() {
			defer func() { <-h.slots }()
			result <- h.attempt(ctx, in, secret)
		}()
	default:
		result <- hotlineResult{err: errors.New("too many turns at once")}
	}
	var r hotlineResult
	select {
	case r = <-result:
	case <-ctx.Done(): // what does not heed ctx is left behind
		r.err = ctx.Err()
	}
	if r.refused != nil {
		return s.refuseToken(c, r.refused)
	}
	if r.err != nil {
		s.log.Error("a hotline turn failed; the call goes to a person", "request_id", string(c.Response().Header.Peek(headerRequestID)), "error", r.err)
		h.metrics.failures.Inc()
		r.turn = h.degraded(in)
	}
	if !r.turn.again {
		h.metrics.turns.WithLabelValues(r.turn.node, in.event).Inc()
	}
	h.metrics.duration.Observe(s.Now().Sub(start).Seconds())
	return h.send(c, r.turn, in)
}

// hotlineResult is a turn, or why the caller's engine may not ask, or what went
// wrong.
type hotlineResult struct {
	turn    turn
	refused *disclosure.Error
	err     error
}

// attempt checks the token and works the turn out; a panic is a failure.
func (h *hotline) attempt(ctx context.Context, in turnInput, secret string) (r hotlineResult) {
	defer func() {
		if p := recover(); p != nil {
			r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	switch err := h.allowed(ctx, secret, disclosure.RoleIVR); {
	case err == nil:
	case errors.As(err, &r.refused):
		return r
	default:
		r.err = err
		return r
	}
	r.turn, r.err = h.answer(ctx, in)
	if r.err == nil && h.audio != nil && r.turn.prompt != "" {
		r.turn.audio = h.audio.offer(r.turn.prompt, r.turn.notices, r.turn.node == nodeResult || r.turn.node == nodeConfirm)
	}
	return r
}

// send writes the turn in the format asked for.
func (h *hotline) send(c *fiber.Ctx, t turn, in turnInput) error {
	body, media, err := h.write(t, in)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, media)
	return c.Send(body)
}

// hotlineSecret returns the token of a request: as Bearer, or as the password of
// Basic, which is all some engines can send.
func hotlineSecret(c *fiber.Ctx) string {
	scheme, rest, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	rest = strings.TrimSpace(rest)
	if strings.EqualFold(scheme, "Basic") {
		plain, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return ""
		}
		_, password, _ := strings.Cut(string(plain), ":")
		return password
	}
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.Clone(rest)
}

// trustWindow is how long a token that was good is taken at its word while the
// database cannot be asked.
const trustWindow = 10 * time.Minute

// allowed checks the token. An error that is no *disclosure.Error means that it
// could not be checked.
func (h *hotline) allowed(ctx context.Context, secret string, roles ...disclosure.Role) error {
	if secret == "" || len(secret) > 200 {
		return disclosure.Errorf(disclosure.CodeNoToken, "请在 Authorization 请求头中带上热线令牌（Bearer，或 Basic 的密码）")
	}
	hash := disclosure.TokenHash(secret)
	t, err := h.server.Tokens.Token(ctx, hash)
	if err == nil {
		if err = t.Check(h.now()); err == nil {
			err = t.Require(roles...)
		}
		if err == nil {
			h.trusted.Set(string(hash), h.now())
		}
		return err
	}
	if known := new(disclosure.Error); errors.As(err, &known) && known.Code != disclosure.CodeUnavailable {
		return known
	}
	if at, ok := h.trusted.GetIfPresent(string(hash)); ok && h.now().Sub(at) < trustWindow {
		return nil
	}
	return fmt.Errorf("handlers: hotline token: %w", errors.Join(errUnchecked, err))
}

var errUnchecked = errors.New("the token could not be checked")

// refuseToken answers a token that is wrong, and counts it against the client.
func (s *Server) refuseToken(c *fiber.Ctx, err *disclosure.Error) error {
	if err.Code == disclosure.CodeBadToken && !s.count(c.Context()) {
		return nil // answered 429
	}
	return err
}

// authenticateHotline lets tokens of the roles pass, as Bearer or Basic.
func (s *Server) authenticateHotline(roles ...disclosure.Role) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderCacheControl, "no-store")
		err := s.hotline.allowed(c.UserContext(), hotlineSecret(c), roles...)
		if known := new(disclosure.Error); errors.As(err, &known) {
			return s.refuseToken(c, known)
		}
		if err != nil {
			return err
		}
		return c.Next()
	}
}

// EventNoted confirms an event.
type EventNoted struct {
	V     string `json:"v" example:"1"`
	Event string `json:"event" example:"hangup"`
}

// noteEvent takes note of what happens outside a turn, such as a hang-up.
//
//	@Summary	热线通话事件
//	@Tags		热线
//	@Security	Bearer
//	@Param		event	body		TurnParams	false	"事件，如 hangup；也可用表单提交"
//	@Success	200		{object}	EventNoted
//	@Failure	401		{object}	Problem
//	@Router		/api/v1/ivr/event [post]
func (s *Server) noteEvent(c *fiber.Ctx) error {
	h := s.hotline
	in := h.readTurn(c)
	event := or(in.event, eventHangup)
	where := "none"
	if st, ok := h.unseal(in.state, in.call, s.Now()); ok {
		where = st.node
	}
	h.metrics.turns.WithLabelValues(where, "ended").Inc()
	if in.state == "" && in.event == eventStart {
		event = eventHangup
	}
	return sendJSON(c, EventNoted{tokenVersion, event})
}

// Said is a text as the hotline says it.
type Said struct {
	Text       string `json:"text"`
	Prompt     string `json:"prompt"`
	Characters string `json:"characters" example:"24"`
	Seconds    string `json:"seconds" example:"6"`
	Audio      string `json:"audio,omitempty" validate:"optional"`
}

const (
	maxSayText       = 300 // characters
	charactersSecond = 4
)

// sayText previews how a text is said.
//
//	@Summary	播报试听
//	@Tags		热线
//	@Security	Bearer
//	@Param		text	query		string	false	"原文，最多 300 个字"
//	@Success	200		{object}	Said
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/ivr/say [get]
func (s *Server) sayText(c *fiber.Ctx) error {
	text := string(c.Context().QueryArgs().Peek("text"))
	if !utf8.ValidString(text) {
		return disclosure.Errorf(disclosure.CodeParam, "text 不是 UTF-8 文本").On("text")
	}
	if n := utf8.RuneCountInString(text); n > maxSayText {
		return disclosure.Errorf(disclosure.CodeParam, "text 最多 %d 个字，现在是 %d 个", maxSayText, n).On("text")
	}
	said := Said{Text: strings.Map(printable, text), Prompt: speech.Text(text)}
	n := speech.Len(said.Prompt)
	said.Characters, said.Seconds = strconv.Itoa(n), strconv.Itoa((n+charactersSecond-1)/charactersSecond)
	if s.hotline.audio != nil && said.Prompt != "" {
		said.Audio = s.hotline.audio.offer(said.Prompt, nil, false)
	}
	return sendJSON(c, said)
}

// printable drops control characters, which JSON would write at six bytes each.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}
