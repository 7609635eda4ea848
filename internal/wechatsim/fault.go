package wechatsim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kinds of faults of the API.
const (
	faultCode    = "errcode"      // the call is refused with errcode
	faultStatus  = "status"       // HTTP status, with a page of HTML
	faultLatency = "latency"      // the answer takes its time
	faultCut     = "cut"          // the call is carried out, the connection breaks
	faultRefuse  = "refuse"       // the connection breaks before the call is heard
	faultExpire  = "expire_token" // another process has fetched a token
	faultReceipt = "receipt"      // the receipt reports status, and nothing is shown
)

// Kinds of faults of callbacks.
const (
	faultEarly       = "early"     // before the answer of the call that it is about
	faultDelay       = "delay"     // late
	faultDuplicate   = "duplicate" // twice, byte for byte
	faultReorder     = "reorder"   // after the one that follows it
	faultPreviousKey = "previous_key"
	faultSkew        = "skew" // the signature's timestamp is off

	// Forgeries come in addition to the callback that is real.
	faultWrongSignature = "wrong_signature"
	faultReplay         = "replay" // another body under the query of the callback before
	faultPlaintext      = "plaintext"
	faultBadPadding     = "bad_padding"
	faultOversized      = "oversized" // 200 KB, otherwise real
	faultNotUTF8        = "not_utf8"
	faultEntityBomb     = "entity_bomb"
)

var (
	apiFaults = []string{faultCode, faultStatus, faultLatency, faultCut, faultRefuse, faultExpire}
	forgeries = []string{faultWrongSignature, faultReplay, faultPlaintext, faultBadPadding, faultOversized, faultNotUTF8, faultEntityBomb}
	allFaults = slices.Concat(apiFaults, []string{faultReceipt, faultEarly, faultDelay, faultDuplicate, faultReorder, faultPreviousKey, faultSkew}, forgeries)
)

// Fault is something that goes wrong, for the next count calls or callbacks
// that it matches.
type Fault struct {
	ID      int64   `json:"id"`
	Kind    string  `json:"kind"`
	App     string  `json:"app"`     // of this account; "" of any
	Path    string  `json:"path"`    // of the API: the call's path or its end; "" any
	Event   string  `json:"event"`   // of callbacks: the event, or text; "" any
	Count   int64   `json:"count"`   // how often; 0 means once, -1 until it is cleared
	After   int64   `json:"after"`   // how many matching calls pass unharmed first
	Percent int64   `json:"percent"` // how many of a hundred are hit; 0 means all
	Code    int     `json:"errcode"`
	Message *string `json:"errmsg"` // null for WeChat's own words
	Status  text    `json:"status"` // of status: an HTTP status; of receipt: the receipt's words
	Seconds float64 `json:"seconds"`
}

type fault struct {
	Fault
	left int64 // -1 for ever
	skip int64
}

func (f *fault) delay() time.Duration { return time.Duration(f.Seconds * float64(time.Second)) }

// check refuses what would never happen, and fills in what is usual.
func (f *Fault) check() error {
	switch {
	case !slices.Contains(allFaults, f.Kind):
		return fmt.Errorf("kind 应为 %s 之一", strings.Join(allFaults, "、"))
	case f.Kind == faultCode && f.Code == 0:
		return fmt.Errorf("kind 为 errcode 时应给出 errcode，如 -1、45009")
	case f.Count < -1 || f.After < 0 || f.Percent < 0 || f.Percent > 100:
		return fmt.Errorf("count 应不小于 -1，after 应不小于 0，percent 应在 0 到 100 之间")
	case f.Seconds > 366*24*3600 || f.Seconds < -366*24*3600:
		return fmt.Errorf("seconds 应在一年以内")
	case f.Event != "" && slices.Contains(apiFaults, f.Kind), f.Path != "" && !slices.Contains(apiFaults, f.Kind):
		return fmt.Errorf("接口故障用 path 限定，回调故障用 event 限定")
	}
	if f.Count == 0 {
		f.Count = 1
	}
	if f.Seconds == 0 {
		f.Seconds = map[string]float64{faultLatency: 30, faultDelay: 3600, faultSkew: -3600}[f.Kind]
	}
	if f.Status == "" {
		f.Status = map[string]text{faultStatus: "502", faultReceipt: "failed: system failed"}[f.Kind]
	}
	var status int
	if f.Kind == faultStatus && (json.Unmarshal([]byte(f.Status), &status) != nil || status < 400 || status > 599) {
		return fmt.Errorf("status 应为 400 到 599")
	}
	return nil
}

// addFault begins a fault.
func (s *Sim) addFault(f Fault) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.App != "" && s.accountByApp(f.App) == nil {
		return fmt.Errorf("没有账号 %s", f.App)
	}
	f.ID = s.nextSeq()
	s.faults = append(s.faults, &fault{Fault: f, left: f.Count, skip: f.After})
	return nil
}

// takeFault uses up one of the faults of a kind that match, if any does. where
// is the path of a call or the name of an event.
func (s *Sim) takeFault(kind string, a *account, where string) *fault {
	for i, f := range s.faults {
		if f.Kind != kind || f.App != "" && (a == nil || f.App != a.App) ||
			f.Path != "" && !strings.HasSuffix(where, f.Path) || f.Event != "" && f.Event != where {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		if f.Percent > 0 && int64(randomBytes(1)[0])*100 >= f.Percent*256 {
			continue
		}
		if f.left > 0 {
			f.left--
		}
		if f.left == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return f
	}
	return nil
}

// receiptFault is the status that a fault wants in the next receipt, or "".
func (s *Sim) receiptFault(a *account) string {
	if f := s.takeFault(faultReceipt, a, ""); f != nil {
		return string(f.Status)
	}
	return ""
}

// trouble is what faults do to one call.
type trouble struct {
	latency time.Duration
	status  int
	code    *apiError
	refuse  bool
	cut     bool
}

// trouble uses up the faults that hit a call.
func (s *Sim) trouble(c *call) (t trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.callerOf(c)
	if f := s.takeFault(faultLatency, a, c.path); f != nil {
		t.latency = f.delay()
	}
	if f := s.takeFault(faultStatus, a, c.path); f != nil {
		_ = json.Unmarshal([]byte(f.Status), &t.status) // check has read it
	}
	if f := s.takeFault(faultCode, a, c.path); f != nil {
		t.code = refuse(f.Code)
		if f.Message != nil {
			t.code.Message = *f.Message
		}
	}
	t.refuse = s.takeFault(faultRefuse, a, c.path) != nil
	t.cut = s.takeFault(faultCut, a, c.path) != nil
	if s.takeFault(faultExpire, a, c.path) != nil && a != nil {
		a.revoke()
	}
	return t
}

// callerOf guesses whose call it is before it is judged.
func (s *Sim) callerOf(c *call) *account {
	if t := s.tokens[c.query.Get("access_token")]; t != nil {
		return t.account
	}
	if id := c.query.Get("appid"); id != "" {
		return s.accountByAppID(id)
	}
	var in struct {
		AppID string `json:"appid"`
	}
	_ = c.decode(&in) // a guess
	return s.accountByAppID(in.AppID)
}

// wait lets the latency pass. It answers false if the caller has gone.
func (t trouble) wait(r *http.Request) bool {
	if t.latency <= 0 {
		return true
	}
	timer := time.NewTimer(t.latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// unheard reports whether the call ends before WeChat hears it.
func (t trouble) unheard() bool { return t.refuse || t.status != 0 }

// answer is what the caller of an unheard call gets.
func (t trouble) answer(w http.ResponseWriter) {
	if t.refuse {
		reset(w)
		return
	}
	text := http.StatusText(t.status)
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(t.status)
	_, _ = w.Write([]byte("<html><head><title>" + text + "</title></head><body><center><h1>" + text + "</h1></center></body></html>"))
}

// enter notes that a message to a person is on its way until the returned
// function is called, and whether another was before it.
func (s *Sim) enter(c *call) (leave func()) {
	if !strings.HasSuffix(c.path, "send") {
		return func() {}
	}
	var in struct {
		ToUser string `json:"touser"`
	}
	_ = c.decode(&in) // judged later
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.byOpenID[in.ToUser]
	if st == nil {
		return func() {}
	}
	if st.underway != nil {
		c.concurrent = true
		return func() {}
	}
	st.underway = c
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		st.underway = nil
	}
}
