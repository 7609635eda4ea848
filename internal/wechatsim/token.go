package wechatsim

import (
	"net/netip"
	"regexp"
	"time"
)

// accessToken is one access_token, alive or not.
type accessToken struct {
	value    string
	account  *account
	expires  time.Time
	replaced time.Time // when a newer one took its place; zero while it is the newest
	revoked  bool      // by a fault: another process has fetched a token
}

const (
	tokenLife     = 2 * time.Hour
	tokenOverlap  = 5 * time.Minute // in which the token before is still good
	forcedPerDay  = 20
	forcedAtLeast = 30 * time.Second // between forced refreshes
)

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{64,512}$`)

// bearer finds the account a token speaks for.
func (s *Sim) bearer(value string, now time.Time) (*account, *apiError) {
	if value == "" {
		return nil, refuse(41001)
	}
	if !tokenForm.MatchString(value) {
		return nil, refuse(40014)
	}
	t := s.tokens[value]
	switch {
	case t == nil, t.revoked, !t.replaced.IsZero() && now.Sub(t.replaced) >= tokenOverlap:
		return nil, refuse(40001)
	case !now.Before(t.expires):
		return nil, refuse(42001)
	}
	return t.account, nil
}

// newToken makes a token in place of another, which may be nil.
func (s *Sim) newToken(a *account, old *accessToken, now time.Time) *accessToken {
	if old != nil && old.replaced.IsZero() {
		old.replaced = now
	}
	for value, t := range s.tokens {
		if now.Sub(t.expires) > 24*time.Hour {
			delete(s.tokens, value)
		}
	}
	t := &accessToken{value: "9" + randomWord(135), account: a, expires: now.Add(tokenLife)}
	s.tokens[t.value] = t
	return t
}

type tokenAnswer struct {
	Token   string `json:"access_token"`
	Expires int64  `json:"expires_in"`
}

func (t *accessToken) answer(now time.Time) outcome {
	return outcome{value: tokenAnswer{t.value, int64(t.expires.Sub(now) / time.Second)}}
}

// getToken is GET /cgi-bin/token: every call makes a new token, and the one
// before lives on for five minutes.
func getToken(s *Sim, c *call) outcome {
	if grant := c.query.Get("grant_type"); grant != "client_credential" {
		return failed(40002)
	}
	a, err := s.credentials(c, c.query.Get("appid"), c.query.Get("secret"))
	if err != nil {
		return outcome{err: err}
	}
	a.ordinary = s.newToken(a, a.ordinary, c.now)
	return a.ordinary.answer(c.now)
}

// getStableToken is POST /cgi-bin/stable_token: the same token until its last
// five minutes, unless a refresh is forced.
func getStableToken(s *Sim, c *call) outcome {
	var in struct {
		Grant  string `json:"grant_type"`
		AppID  string `json:"appid"`
		Secret string `json:"secret"`
		Force  bool   `json:"force_refresh"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	if in.Grant != "client_credential" {
		return failed(40002)
	}
	a, err := s.credentials(c, in.AppID, in.Secret)
	if err != nil {
		return outcome{err: err}
	}
	old := a.stable
	if old == nil || old.revoked || c.now.Add(tokenOverlap).After(old.expires) || in.Force && a.mayForce(c.now) {
		a.stable = s.newToken(a, old, c.now)
		if in.Force && old != nil {
			old.revoked = true // a forced refresh leaves the old one no time
		}
	}
	return a.stable.answer(c.now)
}

// mayForce charges a forced refresh. One that comes too soon or too often is
// ignored.
func (a *account) mayForce(now time.Time) bool {
	if day := now.Format(dayForm); a.forcedDay != day {
		a.forcedDay, a.forced = day, 0
	}
	if a.forced >= forcedPerDay || !a.forcedAt.IsZero() && now.Sub(a.forcedAt) < forcedAtLeast {
		return false
	}
	a.forced++
	a.forcedAt = now
	return true
}

// credentials judges an appid with its secret, the address they come from and
// the quota of the call.
func (s *Sim) credentials(c *call, appID, secret string) (*account, *apiError) {
	if appID == "" {
		return nil, refuse(41002)
	}
	if secret == "" {
		return nil, refuse(41004)
	}
	a := s.accountByAppID(appID)
	if a == nil {
		return nil, refuse(40013)
	}
	if secret != a.Secret {
		return nil, refuse(40125)
	}
	if a.frozen {
		return nil, refuse(40243)
	}
	if !allowed(a.AllowedIPs, c.ip) {
		return nil, refuseAs(40164, "invalid ip %s ipv6 ::ffff:%s, not in whitelist", c.ip, c.ip)
	}
	c.account = a
	return a, s.count(a, c.path, s.endpoints[c.path], c.now)
}

func allowed(list []netip.Prefix, ip netip.Addr) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return len(list) == 0
}

// revoke makes the newest tokens of an account invalid at once, as when another
// process has fetched one. A stable token is replaced, so that asking for it
// brings the new one.
func (a *account) revoke() {
	for _, t := range []*accessToken{a.ordinary, a.stable} {
		if t != nil {
			t.revoked = true
		}
	}
}
