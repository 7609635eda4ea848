package wechatsim

import (
	"fmt"
	"net/http"
)

// apiError is an answer with an errcode. WeChat sends it with HTTP 200.
type apiError struct {
	Code    int
	Message string
}

// messages are the errmsg of WeChat, as far as they are known.
var messages = map[int]string{
	-1:    "system error",
	40001: "invalid credential, access_token is invalid or not latest",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40013: "invalid appid",
	40014: "invalid access_token",
	40016: "invalid button size",
	40017: "invalid button type",
	40018: "invalid button name size",
	40019: "invalid button key size",
	40020: "invalid button url size",
	40023: "invalid sub button size",
	40025: "invalid sub button name size",
	40029: "invalid code",
	40030: "invalid refresh_token",
	40035: "invalid parameter",
	40037: "invalid template_id",
	40053: "invalid action info",
	40066: "invalid url",
	40097: "invalid args",
	40125: "invalid appsecret",
	40129: "invalid scene",
	40163: "code been used",
	40164: "invalid ip",
	40243: "AppSecret frozen",
	41001: "access_token missing",
	41002: "appid missing",
	41004: "appsecret missing",
	41008: "missing code",
	41009: "missing openid",
	41030: "invalid page",
	42001: "access_token expired",
	43001: "require GET method",
	43002: "require POST method",
	43004: "require subscribe",
	43019: "require remove blacklist",
	43101: "user refuse to accept the msg",
	43108: "concurrent sending message to same fan",
	43116: "the template has been banned",
	44002: "empty post data",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit  must slower  retry next minute",
	45015: "response out of time limit or subscription is canceled",
	45029: "qrcode count out of limit",
	45047: "out of response count limit",
	45109: "This API has been unsupported",
	45168: "the content has sensitive words",
	46003: "no menu",
	47001: "data format error",
	47003: "argument invalid!",
	48001: "api unauthorized",
	48002: "user forbids messages of this account",
	48006: "forbid to clear quota because of reaching the limit",
	76021: "cgi_path not found, please check",
	76022: "could not use this cgi_path, no permission",
}

func refuse(code int) *apiError { return &apiError{Code: code, Message: messages[code]} }

// refuseAs says more than the usual message.
func refuseAs(code int, format string, args ...any) *apiError {
	return &apiError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// ridRecord is what /cgi-bin/openapi/rid/get tells of a call that was refused.
type ridRecord struct {
	InvokeTime int64
	URL, Body  string
	Response   string
	ClientIP   string
}

const maxRIDs = 1000

// newRID names a refused call.
func newRID() string {
	h := randomHex(12)
	return h[:8] + "-" + h[8:16] + "-" + h[16:]
}

// outcome is what a call answers: an object, an errcode, or bytes of a type.
type outcome struct {
	value any
	err   *apiError
	raw   []byte
	mime  string
}

// failed is an answer that only has an errcode.
func failed(code int) outcome { return outcome{err: refuse(code)} }

// done is the answer of calls that have nothing to tell.
var done = outcome{value: struct {
	Code    int    `json:"errcode"`
	Message string `json:"errmsg"`
}{0, "ok"}}

const contentTypeAPI = "application/json; encoding=utf-8"

func httpError(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) //nolint:gosec // as plain text
}
