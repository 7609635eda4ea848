package wechatsim

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// templateView is a template in the control plane's answers.
type templateView struct {
	ID       string        `json:"id"`
	Title    string        `json:"title"`
	Type     string        `json:"type"` // following, one_off or long_term
	Banned   bool          `json:"banned"`
	Keywords []keywordView `json:"keywords"`
}

type keywordView struct {
	Key    string `json:"key"`
	Label  string `json:"label"`
	Sample string `json:"sample"`
}

type accountView struct {
	App       string           `json:"app"`
	Kind      Kind             `json:"kind"`
	Name      string           `json:"name"`
	AppID     string           `json:"appid"`
	Mode      Mode             `json:"mode"`
	Format    Format           `json:"format"`
	Callback  string           `json:"callback_url"`
	Frozen    bool             `json:"frozen"`
	Templates []templateView   `json:"templates"`
	Calls     map[string]int64 `json:"calls_today"`
}

func (a *account) view(now time.Time) accountView {
	v := accountView{App: a.App, Kind: a.Kind, Name: a.Name, AppID: a.AppID, Mode: a.Mode, Format: a.Format, Callback: a.CallbackURL,
		Frozen: a.frozen, Templates: []templateView{}, Calls: map[string]int64{}}
	for _, t := range a.Templates {
		tv := templateView{ID: t.ID, Title: t.Title, Type: t.Type.String(), Banned: a.banned[t.ID]}
		for _, k := range t.Keywords {
			tv.Keywords = append(tv.Keywords, keywordView{k.Key, k.Label, k.Sample})
		}
		v.Templates = append(v.Templates, tv)
	}
	for path := range a.usage {
		v.Calls[path] = a.spent(path, now).inDay
	}
	return v
}

// String names the type.
func (t TemplateType) String() string {
	return map[TemplateType]string{ByFollowing: "following", OneOff: "one_off", LongTerm: "long_term"}[t]
}

// listAccounts is GET /demo/sim/accounts.
func (s *Sim) listAccounts(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []accountView{}
	for _, a := range s.accounts {
		items = append(items, a.view(s.Now()))
	}
	return map[string]any{"items": items}, nil
}

// setting changes an account as its owner, or WeChat, would.
type setting struct {
	Mode       *Mode            `json:"mode"`
	Format     *Format          `json:"format"`
	Callback   *string          `json:"callback_url"`
	Frozen     *bool            `json:"frozen"`
	AllowedIPs *[]netip.Prefix  `json:"allowed_ips"`
	Ban        []string         `json:"ban"`
	Unban      []string         `json:"unban"`
	Daily      map[string]int64 `json:"daily"`  // quota by path
	Minute     map[string]int64 `json:"minute"` // likewise
	Sensitive  *[]string        `json:"sensitive"`
	Revoke     bool             `json:"revoke_tokens"`
}

// changeAccount is POST /demo/sim/accounts/{app}.
func (s *Sim) changeAccount(r *http.Request) (any, error) {
	var in setting
	if err := read(r, &in, true); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accountByApp(r.PathValue("app"))
	if a == nil {
		return nil, notFound("没有账号 " + r.PathValue("app"))
	}
	next := a.Account
	set(&next.Mode, in.Mode)
	set(&next.Format, in.Format)
	set(&next.CallbackURL, in.Callback)
	set(&next.AllowedIPs, in.AllowedIPs)
	if err := next.check(); err != nil {
		return nil, invalid(err.Error())
	}
	for _, id := range slices.Concat(in.Ban, in.Unban) {
		if !slices.ContainsFunc(a.Templates, func(t Template) bool { return t.ID == id }) {
			return nil, notFound("没有模板 " + id)
		}
	}
	a.Account = next
	set(&a.frozen, in.Frozen)
	set(&s.sensitive, in.Sensitive)
	for _, id := range in.Ban {
		a.banned[id] = true
	}
	for _, id := range in.Unban {
		delete(a.banned, id)
	}
	a.limit(s.endpoints, in)
	if in.Revoke {
		a.revoke()
	}
	return a.view(s.Now()), nil
}

func set[T any](where *T, value *T) {
	if value != nil {
		*where = *value
	}
}

func (a *account) limit(endpoints map[string]endpoint, in setting) {
	for path, n := range in.Daily {
		l := a.limitOf(path, endpoints[path])
		l.daily = n
		a.limits[path] = l
	}
	for path, n := range in.Minute {
		l := a.limitOf(path, endpoints[path])
		l.minute = n
		a.limits[path] = l
	}
}

// verifyAccount is POST /demo/sim/accounts/{app}/verify: the GET by which WeChat
// tries a callback URL before it accepts it.
func (s *Sim) verifyAccount(r *http.Request) (any, error) {
	s.mu.Lock()
	a := s.accountByApp(r.PathValue("app"))
	if a == nil || a.CallbackURL == "" {
		s.mu.Unlock()
		return nil, notFound("没有账号 " + r.PathValue("app") + "，或它没有回调地址")
	}
	query, echo := a.verification(s.Now())
	target := a.CallbackURL + "?" + query.Encode()
	s.mu.Unlock()
	err := s.fetchEcho(r.Context(), target, echo)
	out := map[string]any{"verified": err == nil, "problem": nil}
	if err != nil {
		out["problem"] = err.Error()
	}
	return out, nil
}

// fetchEcho asks the URL and compares what it echoes.
func (s *Sim) fetchEcho(ctx context.Context, target, echo string) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return errors.New("URL 不正确")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return errors.New("请求 URL 超时")
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil || res.StatusCode != http.StatusOK || string(b) != echo {
		return errors.New("token 验证失败")
	}
	return nil
}
