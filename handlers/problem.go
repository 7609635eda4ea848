package handlers

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"gongkai/internal/disclosure"
)

const mediaProblem = "application/problem+json; charset=utf-8"

// statuses is the only place that knows which HTTP status a code has.
var statuses = map[disclosure.Code]int{
	disclosure.CodeInternal:    http.StatusInternalServerError,
	disclosure.CodeUnavailable: http.StatusServiceUnavailable,
	disclosure.CodeStoreFull:   http.StatusInsufficientStorage,
	disclosure.CodeRateLimited: http.StatusTooManyRequests,
	disclosure.CodeNoRoute:     http.StatusNotFound,
	disclosure.CodeMethod:      http.StatusMethodNotAllowed,
	disclosure.CodeTooLarge:    http.StatusRequestEntityTooLarge,
	disclosure.CodeTimeout:     http.StatusRequestTimeout,
	disclosure.CodeEncoding:    http.StatusUnsupportedMediaType,
	disclosure.CodeMediaType:   http.StatusUnsupportedMediaType,
	disclosure.CodeText:        http.StatusBadRequest,
	disclosure.CodeJSON:        http.StatusBadRequest,
	disclosure.CodeUnknown:     http.StatusBadRequest,
	disclosure.CodeParam:       http.StatusBadRequest,
	disclosure.CodeCursor:      http.StatusBadRequest,
	disclosure.CodeIfMatch:     http.StatusBadRequest,
	disclosure.CodeIdemKey:     http.StatusBadRequest,
	disclosure.CodeIdemClash:   http.StatusUnprocessableEntity,
	disclosure.CodeNoToken:     http.StatusUnauthorized,
	disclosure.CodeBadToken:    http.StatusUnauthorized,
	disclosure.CodeRole:        http.StatusForbidden,
	disclosure.CodeScope:       http.StatusForbidden,
	disclosure.CodeSamePerson:  http.StatusForbidden,
	disclosure.CodeNotFound:    http.StatusNotFound,
	disclosure.CodeWithdrawn:   http.StatusGone,
	disclosure.CodeInvalid:     http.StatusUnprocessableEntity,
	disclosure.CodeWarnings:    http.StatusUnprocessableEntity,
	disclosure.CodeState:       http.StatusConflict,
	disclosure.CodeStale:       http.StatusPreconditionFailed,
	disclosure.CodeNoItem:      http.StatusNotFound,
	disclosure.CodeDefinition:  http.StatusUnprocessableEntity,
	disclosure.CodeExists:      http.StatusConflict,
	disclosure.CodeNoProject:   http.StatusNotFound,
	disclosure.CodeNoMatch:     http.StatusNotFound,
	disclosure.CodeAmbiguous:   http.StatusConflict,
	disclosure.CodeNoFile:      http.StatusNotFound,
	disclosure.CodeFileGone:    http.StatusGone,
	disclosure.CodeFileType:    http.StatusUnprocessableEntity,
	disclosure.CodeFileSize:    http.StatusRequestEntityTooLarge,

	disclosure.CodeNoSubscription: http.StatusNotFound,
	disclosure.CodeSubscription:   http.StatusUnprocessableEntity,
	disclosure.CodeTooMany:        http.StatusConflict,
	disclosure.CodeNoInbox:        http.StatusNotFound,
	disclosure.CodeLogin:          http.StatusUnauthorized,
	disclosure.CodeSnapshot:       http.StatusForbidden,
	disclosure.CodeNoApp:          http.StatusNotFound,
	disclosure.CodeLink:           http.StatusUnprocessableEntity,
	disclosure.CodeWeChat:         http.StatusServiceUnavailable,
	disclosure.CodeWeChatCallback: http.StatusForbidden,
	disclosure.CodeTemplate:       http.StatusUnprocessableEntity,
	disclosure.CodeNoEvent:        http.StatusNotFound,
	disclosure.CodePushState:      http.StatusConflict,
	disclosure.CodeSigned:         http.StatusForbidden,

	disclosure.CodeNoKiosk:      http.StatusNotFound,
	disclosure.CodeKioskToken:   http.StatusUnauthorized,
	disclosure.CodeKioskRevoked: http.StatusForbidden,

	disclosure.CodeNoCallback:     http.StatusNotFound,
	disclosure.CodeCallbackState:  http.StatusConflict,
	disclosure.CodeCallbackErased: http.StatusGone,
	disclosure.CodeCallbackFull:   http.StatusTooManyRequests,

	disclosure.CodeNoImport:    http.StatusNotFound,
	disclosure.CodeImportFile:  http.StatusUnprocessableEntity,
	disclosure.CodeImportState: http.StatusConflict,
	disclosure.CodeImport:      http.StatusUnprocessableEntity,
	disclosure.CodeImportGone:  http.StatusGone,
}

// problemOf turns any error into a problem. What is no *disclosure.Error is
// told to nobody but the log.
func problemOf(err error) (Problem, *disclosure.Error) {
	e := new(disclosure.Error)
	var routing *fiber.Error
	switch {
	case errors.As(err, &e):
	case errors.As(err, &routing) && routing.Code == fiber.StatusMethodNotAllowed:
		e = disclosure.Errorf(disclosure.CodeMethod, "这个地址不支持该请求方法")
	case errors.As(err, &routing) && routing.Code == fiber.StatusNotFound:
		e = disclosure.Errorf(disclosure.CodeNoRoute, "没有这个地址")
	default:
		e = disclosure.Errorf(disclosure.CodeInternal, "系统出错了，请把 request_id 告诉管理员")
	}
	p := Problem{Type: "/problems/" + string(e.Code), Title: disclosure.Problems[e.Code].Title, Status: statuses[e.Code],
		Code: string(e.Code), Detail: e.Detail, Errors: []ProblemField{}}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, ProblemField{f.Field, f.Code, f.Message, nullable(f.Rule)})
	}
	return p, e
}

// fail answers with the problem of err and logs what the reader is not told.
func (s *Server) fail(ctx *fasthttp.RequestCtx, err error) {
	p, e := problemOf(err)
	p.RequestID = string(ctx.Response.Header.Peek(headerRequestID))
	switch {
	case e.Code == disclosure.CodeUnavailable: // counted, and by the thousand when it happens
		s.log.Debug("request refused", "request_id", p.RequestID, "route", routeOf(ctx), "error", err)
	case p.Status >= http.StatusInternalServerError:
		s.log.Error("request failed", "request_id", p.RequestID, "method", string(ctx.Method()), "route", routeOf(ctx), "error", err)
	}
	body, encodeErr := encode(p)
	if encodeErr != nil {
		s.log.Error("problem not encoded", "request_id", p.RequestID, "error", encodeErr)
	}
	h := &ctx.Response.Header
	if e.Code == disclosure.CodeNoToken || e.Code == disclosure.CodeBadToken {
		h.Set(fiber.HeaderWWWAuthenticate, "Bearer")
		if bytes.HasPrefix(ctx.Path(), []byte(hotlinePrefix)) { // all that some telephone engines can send
			h.Add(fiber.HeaderWWWAuthenticate, `Basic realm="gongkai", charset="UTF-8"`)
		}
	}
	if e.Code == disclosure.CodeUnavailable && len(h.Peek(fiber.HeaderRetryAfter)) == 0 {
		h.Set(fiber.HeaderRetryAfter, "2")
	}
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Del(fiber.HeaderETag)
	ctx.Response.SetStatusCode(p.Status)
	if wantsPage(ctx) {
		link, _ := ctx.UserValue(keyLink).(string)
		s.failPage(ctx, p, link)
		return
	}
	ctx.Response.Header.SetContentType(mediaProblem)
	ctx.Response.SetBody(body)
}

// getProblem explains an error code.
//
//	@Summary	错误代码说明
//	@Tags		说明
//	@Produce	plain
//	@Param		code	path		string	true	"错误代码"
//	@Success	200		{string}	string
//	@Failure	404		{object}	Problem
//	@Router		/problems/{code} [get]
func (s *Server) getProblem(c *fiber.Ctx) error {
	code := disclosure.Code(c.Params("code"))
	p, ok := disclosure.Problems[code]
	if !ok {
		return disclosure.Errorf(disclosure.CodeNoRoute, "没有错误代码“%s”", strings.ToValidUTF8(string(code), ""))
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	return c.SendString(p.Title + "\n\n" + p.Help + "\n\n" + fmt.Sprintf("%s  HTTP %d %s\n", code, statuses[code], http.StatusText(statuses[code])))
}
