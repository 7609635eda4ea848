package disclosure

import (
	"cmp"
	"time"
)

// CallbackRequest (回电请求) is a caller of the hotline who left a number to be
// called back at. Names that begin with Callback are about it; what WeChat sends
// is a WeChatCallback.
type CallbackRequest struct {
	N           int64 // the store's own key: the order in which they came
	ID          string
	Number      PhoneNumber // "" once erased, or where it was not decrypted
	Sealed      []byte      // the number as it is kept; nil once erased
	Sector      string      // code of the sector the caller was at, or ""
	Notice      string      // code of the notice heard last, or ""
	NoticeTitle string      // while it is public
	Body        string      // whose notice it is
	CreatedAt   time.Time
	DueAt       time.Time // by when the caller was promised a call
	DoneAt      time.Time // zero while it is open
	DoneBy      string
	Outcome     CallbackOutcome
	ErasedAt    time.Time
}

// CallbackAsk is a request on its way into the store.
type CallbackAsk struct {
	Number         PhoneNumber
	Turn           string // names the turn that asks: repeated, it asks nothing new
	Sector, Notice string
	At, DueAt      time.Time
}

// KeptCallback is a request as the store takes it: the number sealed, and the
// keyed hashes by which the same number and the same turn are found.
type KeptCallback struct {
	ID                      string
	Sealed, Number, TurnMAC []byte
	Sector, Notice          string
	At, DueAt               time.Time
}

// CallbackOutcome says how a request ended.
type CallbackOutcome string

// The outcomes. Expired is given by nobody: the request was open for
// CallbackLife.
const (
	CallbackReached  CallbackOutcome = "reached"
	CallbackNoAnswer CallbackOutcome = "no_answer"
	CallbackWrong    CallbackOutcome = "wrong_number"
	CallbackUnneeded CallbackOutcome = "not_needed"
	CallbackExpired  CallbackOutcome = "expired"
)

const (
	// CallbackLife is how long a request stays open; then nobody waits for the
	// call any more.
	CallbackLife = 30 * 24 * time.Hour
	// MaxOpenCallbacks bounds what waits at one time: anybody may call.
	MaxOpenCallbacks = 1000
)

// CallbackOutcomes are those that staff give.
var CallbackOutcomes = []CallbackOutcome{CallbackReached, CallbackNoAnswer, CallbackWrong, CallbackUnneeded}

var outcomeNames = map[CallbackOutcome]string{CallbackReached: "已回电", CallbackNoAnswer: "多次未接通", CallbackWrong: "号码有误",
	CallbackUnneeded: "来电人已不需要", CallbackExpired: "逾期未办，自动关闭"}

// Name returns the Chinese name of the outcome.
func (o CallbackOutcome) Name() string { return cmp.Or(outcomeNames[o], string(o)) }

// Callback statuses, as lists are filtered by them.
const (
	CallbackOpen = "open"
	CallbackDone = "done"
)

// Status is CallbackOpen or CallbackDone.
func (r CallbackRequest) Status() string {
	if r.DoneAt.IsZero() {
		return CallbackOpen
	}
	return CallbackDone
}

// Overdue reports whether the promise to the caller is broken at now.
func (r CallbackRequest) Overdue(now time.Time) bool { return r.DoneAt.IsZero() && now.After(r.DueAt) }

// CallbackQuery asks for a page of requests: the open ones oldest first, as they
// are to be called, all others newest first.
type CallbackQuery struct {
	Status string   // "" for both
	Bodies []string // only about notices of these bodies; empty: all
	Limit  int
	After  *Cursor // A: the store's key of the last one
}

// CallbackPage is a page of requests.
type CallbackPage struct {
	Items       []CallbackRequest
	Total       int
	TotalCapped bool
	More        bool
}

// CallbackCounts are what operations watch.
type CallbackCounts struct{ Open, Overdue int64 }

// CallbackStep is one decided act of staff: package store commits it with its
// audit line, while the request is as it was.
type CallbackStep struct {
	Request CallbackRequest
	Before  time.Time // DoneAt before the step
	Audit   AuditRow
}

// Reveal decides on showing the whole number to somebody who is going to call
// it. Errors: CodeRole, CodeScope, CodeCallbackErased.
func (r CallbackRequest) Reveal(a Actor, now time.Time) (CallbackStep, error) {
	if err := r.permits(a); err != nil {
		return CallbackStep{}, err
	}
	if !r.ErasedAt.IsZero() {
		return CallbackStep{}, Errorf(CodeCallbackErased, "号码已于 %s 按期清除", FormatInstant(r.ErasedAt))
	}
	return r.step("reveal", "", a, now), nil
}

// Finish decides on ending the request. Errors: CodeRole, CodeScope, CodeParam,
// CodeCallbackState.
func (r CallbackRequest) Finish(outcome CallbackOutcome, a Actor, now time.Time) (CallbackStep, error) {
	if err := r.permits(a); err != nil {
		return CallbackStep{}, err
	}
	known := false
	for _, o := range CallbackOutcomes {
		known = known || o == outcome
	}
	if !known {
		return CallbackStep{}, Errorf(CodeParam, "outcome 应为 reached、no_answer、wrong_number 或 not_needed").On("outcome")
	}
	if !r.DoneAt.IsZero() {
		return CallbackStep{}, Errorf(CodeCallbackState, "这个回电请求已经办结：%s", r.Outcome.Name())
	}
	step := r.step("done", string(outcome), a, now)
	step.Request.DoneAt, step.Request.DoneBy, step.Request.Outcome = now, a.Name, outcome
	return step, nil
}

func (r CallbackRequest) permits(a Actor) error {
	if err := a.Require(authors...); err != nil {
		return err
	}
	if len(a.Bodies) > 0 && (r.Body == "" || !a.Covers(r.Body)) {
		return Errorf(CodeScope, "这个回电请求不属于您的令牌所适用的公开主体")
	}
	return nil
}

func (r CallbackRequest) step(action, detail string, a Actor, now time.Time) CallbackStep {
	return CallbackStep{Request: r, Before: r.DoneAt, Audit: AuditRow{At: now, Actor: a.Name, Role: a.Role, Token: a.Token,
		Action: action, Subject: "callback", ID: r.ID, Detail: detail}}
}
