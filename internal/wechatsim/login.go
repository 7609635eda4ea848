package wechatsim

import (
	"net/http"
	"net/url"
	"time"
)

// loginCode is a code that a phone hands to a program: of wx.login in a
// mini-program, or of web authorisation.
type loginCode struct {
	st       *standing
	scope    string // of web authorisation; "" of wx.login
	expires  time.Time
	used     bool
	snapshot bool // 快照页: the identity is made up
}

// webGrant is what web authorisation has given (网页授权).
type webGrant struct {
	st      *standing
	scope   string
	openID  string
	unionID string
	access  string
	refresh string
	expires time.Time
	renewal time.Time
}

const (
	codeLife    = 5 * time.Minute
	grantLife   = 2 * time.Hour
	renewalLife = 30 * 24 * time.Hour

	scopeBase = "snsapi_base"
	scopeInfo = "snsapi_userinfo"
)

// newCode makes a code for a person and an account.
func (s *Sim) newCode(st *standing, scope string, snapshot bool) string {
	now := s.Now()
	for value, c := range s.codes {
		if now.Sub(c.expires) > time.Hour {
			delete(s.codes, value)
		}
	}
	value := "0" + randomWord(31)
	s.codes[value] = &loginCode{st: st, scope: scope, expires: now.Add(codeLife), snapshot: snapshot}
	return value
}

// redeem takes a code that was made for the account; each works once.
func (s *Sim) redeem(a *account, value string, web bool, now time.Time) (*loginCode, *apiError) {
	if value == "" {
		return nil, refuse(41008)
	}
	code := s.codes[value]
	switch {
	case code == nil, code.st.account != a, web != (code.scope != ""), !now.Before(code.expires):
		return nil, refuse(40029)
	case code.used:
		return nil, refuse(40163)
	}
	code.used = true
	return code, nil
}

// codeToSession is GET /sns/jscode2session.
func codeToSession(s *Sim, c *call) outcome {
	if c.query.Get("grant_type") != "authorization_code" {
		return failed(40002)
	}
	a, err := s.credentials(c, c.query.Get("appid"), c.query.Get("secret"))
	if err != nil {
		return outcome{err: err}
	}
	code, err := s.redeem(a, c.query.Get("js_code"), false, c.now)
	if err != nil {
		return outcome{err: err}
	}
	return outcome{value: struct {
		Key     string `json:"session_key"`
		OpenID  string `json:"openid"`
		UnionID string `json:"unionid"`
	}{code.st.key, code.st.openID, code.st.person.unionID}}
}

type grantAnswer struct {
	Access   string `json:"access_token"`
	Expires  int64  `json:"expires_in"`
	Refresh  string `json:"refresh_token"`
	OpenID   string `json:"openid"`
	Scope    string `json:"scope"`
	Snapshot int    `json:"is_snapshotuser,omitempty"`
	UnionID  string `json:"unionid,omitempty"`
}

// oauthToken is GET /sns/oauth2/access_token.
func oauthToken(s *Sim, c *call) outcome {
	if c.query.Get("grant_type") != "authorization_code" {
		return failed(40002)
	}
	a, err := s.credentials(c, c.query.Get("appid"), c.query.Get("secret"))
	if err != nil {
		return outcome{err: err}
	}
	code, err := s.redeem(a, c.query.Get("code"), true, c.now)
	if err != nil {
		return outcome{err: err}
	}
	g := &webGrant{st: code.st, scope: code.scope, openID: code.st.openID, unionID: code.st.person.unionID,
		access: "W" + randomWord(90), refresh: "R" + randomWord(90), expires: c.now.Add(grantLife), renewal: c.now.Add(renewalLife)}
	if code.snapshot {
		g.openID, g.unionID = "o"+randomWord(27), "oU"+randomWord(26)
	}
	s.grants[g.access], s.grants[g.refresh] = g, g
	out := g.answer(c.now)
	if code.snapshot {
		out.Snapshot = 1
	}
	return outcome{value: out}
}

// answer leaves the unionid out unless the person agreed to tell who they are.
func (g *webGrant) answer(now time.Time) grantAnswer {
	out := grantAnswer{Access: g.access, Expires: int64(g.expires.Sub(now) / time.Second), Refresh: g.refresh, OpenID: g.openID, Scope: g.scope}
	if g.scope == scopeInfo {
		out.UnionID = g.unionID
	}
	return out
}

// oauthRefresh is GET /sns/oauth2/refresh_token.
func oauthRefresh(s *Sim, c *call) outcome {
	g := s.grants[c.query.Get("refresh_token")]
	if g == nil || g.refresh != c.query.Get("refresh_token") || !c.now.Before(g.renewal) {
		return failed(40030)
	}
	if g.st.account.AppID != c.query.Get("appid") {
		return failed(40013)
	}
	g.expires = c.now.Add(grantLife)
	return outcome{value: g.answer(c.now)}
}

// webBearer finds the grant that a web access token stands for.
func (s *Sim) webBearer(c *call) (*webGrant, *apiError) {
	token := c.query.Get("access_token")
	g := s.grants[token]
	switch {
	case token == "":
		return nil, refuse(41001)
	case g == nil || g.access != token:
		return nil, refuse(40001)
	case !c.now.Before(g.expires):
		return nil, refuse(42001)
	case c.query.Get("openid") != g.openID:
		return nil, refuse(40003)
	}
	return g, nil
}

// oauthUser is GET /sns/userinfo.
func oauthUser(s *Sim, c *call) outcome {
	g, err := s.webBearer(c)
	if err != nil {
		return outcome{err: err}
	}
	if g.scope != scopeInfo {
		return failed(48001)
	}
	return outcome{value: map[string]any{"openid": g.openID, "unionid": g.unionID, "nickname": g.st.person.name, "sex": 0, "language": "",
		"city": "", "province": "", "country": "", "headimgurl": "", "privilege": []string{}}}
}

// oauthCheck is GET /sns/auth.
func oauthCheck(s *Sim, c *call) outcome {
	if _, err := s.webBearer(c); err != nil {
		return outcome{err: err}
	}
	return done
}

// serveAuthorize is the page open.weixin.qq.com/connect/oauth2/authorize. Here
// it asks who is holding the phone; the parameter person answers ahead.
func (s *Sim) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	defer s.mu.Unlock()
	a, back, problem := s.authorizable(q)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page := authorization{Problem: problem, Info: q.Get("scope") == scopeInfo}
	if problem != "" {
		_ = authorizePage(page).Render(r.Context(), w) // the reader may be gone
		return
	}
	if p := s.byID[q.Get("person")]; p != nil {
		values := back.Query()
		values.Set("code", s.newCode(p.standing[a], q.Get("scope"), q.Get("snapshot") == "1"))
		values.Set("state", q.Get("state"))
		back.RawQuery = values.Encode()
		http.Redirect(w, r, back.String(), http.StatusFound) //nolint:gosec // as WeChat does, where the account allows it
		return
	}
	for _, p := range s.people[:min(len(s.people), 50)] {
		q.Set("person", p.id)
		page.People = append(page.People, choice{p.name, "?" + q.Encode()})
	}
	page.Account = a.Name
	_ = authorizePage(page).Render(r.Context(), w) // the reader may be gone
}

// authorizable says what is wrong with a request for authorisation, if anything
// is.
func (s *Sim) authorizable(q url.Values) (*account, *url.URL, string) {
	a := s.accountByAppID(q.Get("appid"))
	back, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case a == nil || a.Kind != Official:
		return nil, nil, "appid 参数错误"
	case err != nil || back.Host == "" || back.Scheme != "http" && back.Scheme != "https":
		return nil, nil, "redirect_uri 参数错误"
	case a.OAuthDomain != "" && a.OAuthDomain != back.Host:
		return nil, nil, "redirect_uri 域名与后台配置不一致，错误码:10003"
	case q.Get("response_type") != "code":
		return nil, nil, "response_type 参数错误"
	case q.Get("scope") != scopeBase && q.Get("scope") != scopeInfo:
		return nil, nil, "scope 参数错误或没有 scope 权限，错误码:10005"
	}
	return a, back, ""
}
