package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gongkai/internal/disclosure"
)

// TokenStore is where processes share an account's access token.
type TokenStore interface {
	WeChatToken(ctx context.Context, app string) (token string, until time.Time, err error)
	LockWeChatToken(ctx context.Context, app string, now, until time.Time) (bool, error)
	SwapWeChatToken(ctx context.Context, app, old, token string, until time.Time) error
}

// tokenSource is one account's access token: in the process, else from the
// store that processes share, else from WeChat, fetched by one of them.
type tokenSource struct {
	app    WeChatApp
	base   *url.URL
	client *http.Client
	shared TokenStore
	now    func() time.Time
	log    *slog.Logger
	lock   chan struct{} // one looks for a token at a time

	outcomes *prometheus.CounterVec

	mu    sync.Mutex
	token string
	until time.Time
}

const (
	tokenMargin  = 2 * time.Minute
	tokenLeast   = time.Minute
	tokenLock    = 10 * time.Second
	tokenRecheck = 50 * time.Millisecond
)

func (s *tokenSource) held(not string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token, s.token != "" && s.token != not && s.now().Before(s.until)
}

func (s *tokenSource) hold(token string, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token, s.until = token, until
}

func (s *tokenSource) count(outcome string) { s.outcomes.WithLabelValues(s.app.Name, outcome).Inc() }

// get returns a token that is good as far as anybody here knows.
func (s *tokenSource) get(ctx context.Context) (string, error) { return s.renew(ctx, "") }

// renew returns a token other than the one that WeChat has called void. Many may
// ask at once: one looks for it, the others have what it finds.
func (s *tokenSource) renew(ctx context.Context, void string) (string, error) {
	if token, ok := s.held(void); ok {
		return token, nil
	}
	select {
	case s.lock <- struct{}{}:
		defer func() { <-s.lock }()
	case <-ctx.Done():
		return "", noToken()
	}
	if token, ok := s.held(void); ok {
		return token, nil
	}
	if held, ok := s.held(""); ok && held == void {
		s.count("taken")
	}
	for began := s.now(); ; {
		token, until, err := s.shared.WeChatToken(ctx, s.app.AppID)
		if err != nil { // the store is away: this process fetches for itself
			s.log.Warn("the shared token is out of reach", "app", s.app.Name)
			return s.fetch(ctx, void, "", false)
		}
		if token != "" && token != void && s.now().Before(until) {
			s.hold(token, until)
			s.count("shared")
			return token, nil
		}
		mine, err := s.shared.LockWeChatToken(ctx, s.app.AppID, s.now(), s.now().Add(tokenLock))
		if err != nil || mine || s.now().Sub(began) > tokenLock {
			return s.fetch(ctx, void, token, err == nil)
		}
		if !every(ctx, tokenRecheck) {
			return "", noToken()
		}
	}
}

// noToken is for whoever has waited for a token until their time was over: nothing
// was called, and a card without a key may go again.
func noToken() error {
	return &SendError{Path: tokenPath, Class: disclosure.ClassRetry, Text: "no token in time"}
}

// fetch asks WeChat. It gives the same token while that is good, so a token that
// somebody else made void has to be forced out.
func (s *tokenSource) fetch(ctx context.Context, void, known string, share bool) (string, error) {
	token, life, err := s.ask(ctx, false)
	if err == nil && token == void {
		token, life, err = s.ask(ctx, true)
	}
	ctx = context.WithoutCancel(ctx) // the others wait for what it was, whoever asked is out of time or not
	if err != nil {
		s.count("failed")
		if refusal := new(SendError); errors.As(err, &refusal) && refusal.Class == disclosure.ClassToken {
			refusal.Class = disclosure.ClassConfig // no token is wrong here, but the secret
		}
		if share { // let another try at once
			_ = s.shared.SwapWeChatToken(ctx, s.app.AppID, known, known, s.now())
		}
		return "", err
	}
	until := s.now().Add(max(life-tokenMargin, tokenLeast))
	s.hold(token, until)
	s.count("fetched")
	if share {
		if err := s.shared.SwapWeChatToken(ctx, s.app.AppID, known, token, until); err != nil {
			s.log.Warn("the token is not shared", "app", s.app.Name)
		}
	}
	return token, nil
}

const tokenPath = "/cgi-bin/stable_token"

func (s *tokenSource) ask(ctx context.Context, force bool) (string, time.Duration, error) {
	body, err := json.Marshal(map[string]any{"grant_type": "client_credential", "appid": s.app.AppID, "secret": s.app.Secret, "force_refresh": force})
	if err != nil {
		return "", 0, err
	}
	target := *s.base
	target.Path += tokenPath
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := exchange(s.client.Transport.(*guard).next, req, tokenPath)
	if err != nil {
		if refusal := new(SendError); errors.As(err, &refusal) && refusal.Class == disclosure.ClassAmbiguous {
			refusal.Class = disclosure.ClassRetry // fetching twice does no harm
		}
		return "", 0, err
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
		Life  int64  `json:"expires_in"` // seconds
	}
	if json.NewDecoder(res.Body).Decode(&answer) != nil || answer.Token == "" {
		return "", 0, &SendError{Path: tokenPath, Class: disclosure.ClassRetry, Text: "no token in the answer"}
	}
	return answer.Token, time.Duration(answer.Life) * time.Second, nil
}
