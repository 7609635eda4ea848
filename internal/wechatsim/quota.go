package wechatsim

import (
	"strings"
	"time"
)

// limit is how often a path may be called. 0 means no limit.
type limit struct {
	daily, minute int64
}

// usage counts one account's calls of one path.
type usage struct {
	day, minute         string // of the counts
	inDay, inMinute     int64
	cleared, clearedFor int // clearings in the month clearedFor
}

const (
	dayForm      = "2006-01-02"
	minuteForm   = "2006-01-02 15:04"
	clearsPerMon = 10
	clearKey     = "/cgi-bin/clear_quota"
)

func (a *account) limitOf(path string, e endpoint) limit {
	if l, ok := a.limits[path]; ok {
		return l
	}
	l := limit{daily: e.daily, minute: e.minute}
	if l.daily == 0 {
		l.daily = defaultDaily
	}
	return l
}

// spent is the account's use of a path, of this day and minute.
func (a *account) spent(path string, now time.Time) *usage {
	u := a.usage[path]
	if u == nil {
		u = &usage{}
		a.usage[path] = u
	}
	if day := now.Format(dayForm); u.day != day {
		u.day, u.inDay = day, 0
	}
	if minute := now.Format(minuteForm); u.minute != minute {
		u.minute, u.inMinute = minute, 0
	}
	return u
}

// count charges a call. A refused one is not charged.
func (s *Sim) count(a *account, path string, e endpoint, now time.Time) *apiError {
	l, u := a.limitOf(path, e), a.spent(path, now)
	if l.daily > 0 && u.inDay >= l.daily {
		return refuse(45009)
	}
	if l.minute > 0 && u.inMinute >= l.minute {
		return refuse(45011)
	}
	u.inDay++
	u.inMinute++
	return nil
}

// quotaGet is /cgi-bin/openapi/quota/get.
func quotaGet(s *Sim, c *call) outcome {
	var in struct {
		Path string `json:"cgi_path"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	e, ok := s.endpoints[in.Path]
	if !ok || !strings.HasPrefix(in.Path, "/") {
		return failed(76021)
	}
	if e.kind != "" && e.kind != c.account.Kind {
		return failed(76022)
	}
	l, u := c.account.limitOf(in.Path, e), c.account.spent(in.Path, c.now)
	type quota struct {
		Daily  int64 `json:"daily_limit"`
		Used   int64 `json:"used"`
		Remain int64 `json:"remain"`
	}
	type rate struct {
		Calls   int64 `json:"call_count"`
		Seconds int64 `json:"refresh_second"`
	}
	out := struct {
		Code    int    `json:"errcode"`
		Message string `json:"errmsg"`
		Quota   quota  `json:"quota"`
		Rate    *rate  `json:"rate_limit,omitempty"`
	}{Message: "ok", Quota: quota{l.daily, u.inDay, max(l.daily-u.inDay, 0)}}
	if l.minute > 0 {
		out.Rate = &rate{l.minute, 60}
	}
	return outcome{value: out}
}

// ridGet is /cgi-bin/openapi/rid/get.
func ridGet(s *Sim, c *call) outcome {
	var in struct {
		RID string `json:"rid"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	r, ok := s.rids[in.RID]
	if !ok || c.now.Sub(time.Unix(r.InvokeTime, 0)) > 7*24*time.Hour {
		return outcome{err: refuseAs(76001, "rid not found")}
	}
	return outcome{value: map[string]any{"errcode": 0, "errmsg": "ok", "request": map[string]any{
		"invoke_time": r.InvokeTime, "cost_in_ms": 1, "request_url": r.URL, "request_body": r.Body, "response_body": r.Response, "client_ip": r.ClientIP}}}
}

// clearQuota is /cgi-bin/clear_quota: all counts of the account, ten times a
// month.
func clearQuota(_ *Sim, c *call) outcome {
	var in struct {
		AppID string `json:"appid"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	if in.AppID != c.account.AppID {
		return failed(40013)
	}
	u := c.account.spent(clearKey, c.now)
	month := c.now.Year()*12 + int(c.now.Month())
	if u.clearedFor != month {
		u.cleared, u.clearedFor = 0, month
	}
	if u.cleared >= clearsPerMon {
		return failed(48006)
	}
	u.cleared++
	for path, other := range c.account.usage {
		if path != clearKey {
			other.inDay = 0
		}
	}
	return done
}
