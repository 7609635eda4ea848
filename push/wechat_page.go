package push

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the JS-SDK's signature is defined by it
	"encoding/hex"
	"fmt"
	"net/url"
	"time"

	"gongkai/internal/disclosure"
)

// PageSigner signs the addresses of pages for WeChat's JS-SDK (微信网页开发工具包), so
// that they may show its subscribe button. It is safe for concurrent use.
type PageSigner struct {
	wechat    *WeChat
	app       string
	templates []string
	lock      chan struct{} // one looks for a ticket at a time, and only it touches what follows
	ticket    string
	until     time.Time
}

// NewPageSigner signs for the service account app, by name or appid, with the
// templates that the button asks for, by id.
func NewPageSigner(w *WeChat, app string, templates []string) *PageSigner {
	return &PageSigner{wechat: w, app: app, templates: templates, lock: make(chan struct{}, 1)}
}

const pageTicketPath = "/cgi-bin/ticket/getticket"

// signingTime bounds how long a reader waits for WeChat: the page is of use
// without its button.
const signingTime = 2 * time.Second

// SignPage signs the page at the address, which is whole but for its fragment.
// The key to it, WeChat's jsapi_ticket, is kept for as long as it lives and
// never leaves the process. Errors: *SendError, CodeNoApp, the context's.
func (s *PageSigner) SignPage(ctx context.Context, address string) (disclosure.PageSignature, error) {
	a, err := s.wechat.account(s.app)
	if err != nil {
		return disclosure.PageSignature{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, signingTime)
	defer cancel()
	ticket, err := s.key(ctx, a)
	if err != nil {
		return disclosure.PageSignature{}, err
	}
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails; see crypto/rand
	p := disclosure.PageSignature{AppID: a.AppID, Timestamp: s.wechat.now().Unix(), Nonce: hex.EncodeToString(random[:]), Templates: s.templates}
	p.Signature = pageSignature(ticket, p.Nonce, p.Timestamp, address)
	return p, nil
}

// pageSignature is the algorithm of appendix 1 of WeChat's JS-SDK.
func pageSignature(ticket, nonce string, at int64, address string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "jsapi_ticket=%s&noncestr=%s&timestamp=%d&url=%s", ticket, nonce, at, address)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// key returns the ticket; those who need a new one at once share one request.
func (s *PageSigner) key(ctx context.Context, a *account) (string, error) {
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	now := s.wechat.now()
	if now.Before(s.until) {
		return s.ticket, nil
	}
	var answer struct {
		Ticket string `json:"ticket"`
		Life   int64  `json:"expires_in"` // seconds
	}
	if err := s.wechat.get(ctx, a, pageTicketPath, url.Values{"type": {"jsapi"}}, &answer); err != nil {
		return "", err
	}
	if answer.Ticket == "" {
		return "", &SendError{Path: pageTicketPath, Class: disclosure.ClassRetry, Text: "no ticket in the answer"}
	}
	s.ticket, s.until = answer.Ticket, now.Add(max(time.Duration(answer.Life)*time.Second-tokenMargin, tokenLeast))
	return s.ticket, nil
}
