package handlers

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// PushReader shows how the push stands.
type PushReader interface {
	Pushes(ctx context.Context, before int64, limit int) (disclosure.PushPage, error)
	Push(ctx context.Context, n int64) (disclosure.PushFunnel, error)
	PushStatus(ctx context.Context, now time.Time) (disclosure.PushStatus, error)
	Quotas(ctx context.Context, day string) ([]disclosure.Quota, error)
}

// PushWriter steers it.
type PushWriter interface {
	ReleasePush(ctx context.Context, by disclosure.Actor, n int64, now time.Time) error
	PausePush(ctx context.Context, by disclosure.Actor, n int64, why string, now time.Time) error
	ResumePush(ctx context.Context, by disclosure.Actor, n int64, now time.Time) error
	Resend(ctx context.Context, by disclosure.Actor, r disclosure.Resend, now time.Time) (int64, error)
	SetSwitch(ctx context.Context, by disclosure.Actor, scope, why string, program bool, now time.Time) error
}

// Pushes is what staff see and do of the push.
type Pushes interface {
	PushReader
	PushWriter
}

// Audience tells what a notice would be as cards, and for how many.
type Audience interface {
	Count(ctx context.Context, n disclosure.StaffNotice) (people int, exact bool, err error)
	Cards(n disclosure.StaffNotice) ([]disclosure.FittedCard, error)
	Quotas(list []disclosure.Quota, day string) []disclosure.Quota
	// Scopes are those of kill switches that turning one on or off is about.
	Scopes(scope string, on bool) ([]string, error)
	// AppID is the appid of a configured account, Takes whether it has a template.
	AppID(app string) string
	Takes(appid, template string) bool
}

// Push is one push with its funnel.
type Push struct {
	Event      string         `json:"event"`
	Kind       string         `json:"kind"`
	KindName   string         `json:"kind_name"`
	State      string         `json:"state"`
	Paused     bool           `json:"paused"`
	Reason     *string        `json:"reason" extensions:"x-nullable"`
	Trial      bool           `json:"trial"`
	Priority   int            `json:"priority"`
	NoticeID   *string        `json:"notice_id" extensions:"x-nullable"`
	NoticeCode *string        `json:"notice_code" extensions:"x-nullable"`
	Rev        int            `json:"rev"`
	Title      *string        `json:"title" extensions:"x-nullable"`
	At         string         `json:"at"`
	ExpiresAt  string         `json:"expires_at"`
	Funnel     Funnel         `json:"funnel"`
	States     map[string]int `json:"states"`
	Failures   []PushFailure  `json:"failures"`
}

// Funnel counts people from those who asked to those who have the card.
type Funnel struct {
	Matched   int `json:"matched"`   // asked for it
	Consented int `json:"consented"` // could be sent a card
	Sent      int `json:"sent"`      // WeChat took the card
	Delivered int `json:"delivered"` // WeChat reports that it arrived
	Waiting   int `json:"waiting"`
	Failed    int `json:"failed"`
	Unknown   int `json:"unknown"`
}

// PushFailure is one reason why cards did not go out.
type PushFailure struct {
	State   string  `json:"state"`
	Class   string  `json:"class"`
	Reason  string  `json:"reason"`
	Channel *string `json:"channel" extensions:"x-nullable"`
	Count   int     `json:"count"`
}

// PushJSON writes a push for staff.
func PushJSON(f disclosure.PushFunnel) Push {
	out := Push{Event: strconv.FormatInt(f.N, 10), Kind: string(f.Kind), KindName: f.Kind.Word(), State: string(f.State), Paused: f.Paused,
		Reason: nullable(f.Why), Trial: f.Canary && f.State != disclosure.EventPending, Priority: int(f.Priority), NoticeID: nullable(f.NoticeID),
		NoticeCode: nullable(f.NoticeCode), Rev: f.Rev, Title: nullable(f.Title), At: disclosure.FormatInstant(f.At),
		ExpiresAt: disclosure.FormatInstant(f.Expires), States: map[string]int{}, Failures: []PushFailure{}}
	for _, c := range f.Counts {
		out.States[string(c.State)] += c.Count
		out.Funnel.add(c)
		if c.Class != "" && c.State.Terminal() && c.State != disclosure.DeliveryDigested {
			out.Failures = append(out.Failures, PushFailure{string(c.State), string(c.Class), disclosure.ClassNames[c.Class], nullable(string(c.Channel)), c.Count})
		}
	}
	return out
}

func (f *Funnel) add(c disclosure.StateCount) {
	f.Matched += c.Count
	if c.State != disclosure.DeliverySuppressed {
		f.Consented += c.Count
	}
	switch c.State {
	case disclosure.DeliveryAccepted:
		f.Sent += c.Count
	case disclosure.DeliveryDelivered:
		f.Sent += c.Count
		f.Delivered += c.Count
	case disclosure.DeliveryUnknown:
		f.Unknown += c.Count
	case disclosure.DeliveryFailed, disclosure.DeliveryDead:
		f.Failed += c.Count
	}
	if !c.State.Terminal() {
		f.Waiting += c.Count
	}
}

// PushList is a page of pushes.
type PushList struct {
	Items       []Push  `json:"items"`
	Next        *string `json:"next" extensions:"x-nullable"`
	Total       int     `json:"total"`
	TotalCapped bool    `json:"total_capped"`
	AsOf        string  `json:"as_of"`
}

// listPushes lists pushes, newest first.
//
//	@Summary	推送列表与漏斗
//	@Tags		推送
//	@Security	Bearer
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	PushList
//	@Router		/api/v1/staff/pushes [get]
func (s *Server) listPushes(c *fiber.Ctx) error {
	pg, err := readNumbered(c, "pushes")
	if err != nil {
		return err
	}
	page, err := s.Pushes.Pushes(c.UserContext(), pg.after, pg.limit)
	if err != nil {
		return err
	}
	out := PushList{Items: []Push{}, Total: page.Total, TotalCapped: page.Capped, AsOf: disclosure.FormatInstant(s.Now())}
	last := int64(0)
	for _, f := range page.Items {
		out.Items, last = append(out.Items, PushJSON(f)), f.N
	}
	out.Next = pg.next(page.More, last)
	return sendJSON(c, out)
}

func eventOf(c *fiber.Ctx) (int64, error) {
	if err := readParams(c).err(); err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(c.Params("event"), 10, 64)
	if err != nil || n < 1 {
		return 0, disclosure.Errorf(disclosure.CodeNoEvent, "没有这次推送")
	}
	return n, nil
}

// getPush shows one push.
//
//	@Summary	一次推送的漏斗
//	@Tags		推送
//	@Security	Bearer
//	@Param		event	path		string	true	"推送的编号"
//	@Success	200		{object}	Push
//	@Router		/api/v1/staff/pushes/{event} [get]
func (s *Server) getPush(c *fiber.Ctx) error {
	n, err := eventOf(c)
	if err != nil {
		return err
	}
	return s.sendPush(c, n)
}

func (s *Server) sendPush(c *fiber.Ctx, n int64) error {
	f, err := s.Pushes.Push(c.UserContext(), n)
	if err != nil {
		return err
	}
	return sendJSON(c, PushJSON(f))
}

// steer carries out a step of a push, waits until every worker knows, and shows
// the push.
func (s *Server) steer(c *fiber.Ctx, step func(n int64) error) error {
	n, err := eventOf(c)
	if err == nil {
		err = step(n)
	}
	if err != nil {
		return err
	}
	s.settle(c)
	return s.sendPush(c, n)
}

// settle waits until no worker can begin what was just forbidden.
func (s *Server) settle(c *fiber.Ctx) {
	t := time.NewTimer(s.Settle)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.UserContext().Done():
	}
}

// releasePush ends the recall window.
//
//	@Summary	不等撤回窗口，立即推送
//	@Tags		推送
//	@Security	Bearer
//	@Param		event	path		string	true	"推送的编号"
//	@Success	200		{object}	Push
//	@Router		/api/v1/staff/pushes/{event}/release [post]
func (s *Server) releasePush(c *fiber.Ctx) error {
	return s.steer(c, func(n int64) error { return s.Pushes.ReleasePush(c.UserContext(), actorOf(c), n, s.Now()) })
}

// PushReason says why a push is stopped.
type PushReason struct {
	Reason string `json:"reason"`
}

// pausePush stops a push.
//
//	@Summary	暂停推送：返回之后不再有新的发送
//	@Tags		推送
//	@Security	Bearer
//	@Param		event	path		string		true	"推送的编号"
//	@Param		reason	body		PushReason	false	"原因"
//	@Success	200		{object}	Push
//	@Router		/api/v1/staff/pushes/{event}/pause [post]
func (s *Server) pausePush(c *fiber.Ctx) error {
	in := PushReason{}
	if err := readBody(c, &in); err != nil {
		return err
	}
	why, err := disclosure.StopReason(in.Reason)
	if err != nil {
		return err
	}
	if why == "" {
		why = "人工暂停"
	}
	return s.steer(c, func(n int64) error { return s.Pushes.PausePush(c.UserContext(), actorOf(c), n, why, s.Now()) })
}

// resumePush lets a paused push go on.
//
//	@Summary	恢复推送
//	@Tags		推送
//	@Security	Bearer
//	@Param		event	path		string	true	"推送的编号"
//	@Success	200		{object}	Push
//	@Router		/api/v1/staff/pushes/{event}/resume [post]
func (s *Server) resumePush(c *fiber.Ctx) error {
	return s.steer(c, func(n int64) error { return s.Pushes.ResumePush(c.UserContext(), actorOf(c), n, s.Now()) })
}

// ResendRequest says what is sent again.
type ResendRequest struct {
	States []string `json:"states" validate:"optional" example:"failed,dead,unknown"`
	Force  bool     `json:"force" validate:"optional"`
	DryRun bool     `json:"dry_run" validate:"optional"`
}

// ResendAnswer says how many were queued again, or would be.
type ResendAnswer struct {
	Event  string `json:"event"`
	Count  int64  `json:"count"`
	DryRun bool   `json:"dry_run"`
}

// resendPush sends again what failed or is unknown.
//
//	@Summary	补发失败的
//	@Tags		推送
//	@Security	Bearer
//	@Param		event	path		string			true	"推送的编号"
//	@Param		resend	body		ResendRequest	false	"哪些状态；force 换新的去重键；dry_run 只计数"
//	@Success	200		{object}	ResendAnswer
//	@Router		/api/v1/staff/pushes/{event}/resend [post]
func (s *Server) resendPush(c *fiber.Ctx) error {
	n, err := eventOf(c)
	if err != nil {
		return err
	}
	var in ResendRequest
	if err := readBody(c, &in); err != nil {
		return err
	}
	r := disclosure.Resend{Event: n, Force: in.Force, Dry: in.DryRun}
	if r.States, err = disclosure.ParseResendStates(in.States); err != nil {
		return err
	}
	count, err := s.Pushes.Resend(c.UserContext(), actorOf(c), r, s.Now())
	if err != nil {
		return err
	}
	return sendJSON(c, ResendAnswer{strconv.FormatInt(n, 10), count, in.DryRun})
}

// PushOverview is how the push stands as a whole.
type PushOverview struct {
	Queue    map[string]int `json:"queue"`
	Pending  int            `json:"pending"`
	OldestAt *string        `json:"oldest_at" extensions:"x-nullable"`
	Switches []KillSwitch   `json:"switches"`
}

// KillSwitch is one that is on.
type KillSwitch struct {
	Scope  string `json:"scope" example:"global"`
	Reason string `json:"reason"`
	By     string `json:"by"`
	At     string `json:"at"`
	Auto   bool   `json:"auto"`
}

// PushStatusJSON writes how the push stands.
func PushStatusJSON(st disclosure.PushStatus) PushOverview {
	out := PushOverview{Queue: map[string]int{}, Pending: st.Pending, OldestAt: instant(st.OldestAt), Switches: []KillSwitch{}}
	for state, n := range st.Queue {
		out.Queue[string(state)] = n
	}
	for _, w := range st.Switches {
		out.Switches = append(out.Switches, KillSwitch{w.Scope, w.Why, w.By, disclosure.FormatInstant(w.At), w.Seeded})
	}
	return out
}

// getPushStatus shows the queue and the kill switches.
//
//	@Summary	推送总况
//	@Tags		推送
//	@Security	Bearer
//	@Success	200	{object}	PushOverview
//	@Router		/api/v1/staff/push/status [get]
func (s *Server) getPushStatus(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	st, err := s.Pushes.PushStatus(c.UserContext(), s.Now())
	if err != nil {
		return err
	}
	return sendJSON(c, PushStatusJSON(st))
}

// SwitchRequest turns a kill switch on or off.
type SwitchRequest struct {
	Scope  string `json:"scope" example:"channel:template"`
	On     bool   `json:"on"`
	Reason string `json:"reason" validate:"optional"`
}

// setSwitch turns a kill switch on or off.
//
//	@Summary	停发开关：global、app:official、app:mini 或 app:appid、channel:渠道、template:模板
//	@Tags		推送
//	@Security	Bearer
//	@Param		switch	body		SwitchRequest	true	"范围、开或关、原因"
//	@Success	200		{object}	PushOverview
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/staff/push/switches [post]
func (s *Server) setSwitch(c *fiber.Ctx) error {
	var in SwitchRequest
	if err := readBody(c, &in); err != nil {
		return err
	}
	if s.Audience == nil {
		return noWeChat()
	}
	scopes, err := s.Audience.Scopes(in.Scope, in.On)
	if err != nil {
		return err
	}
	why := ""
	if in.On {
		if why, err = disclosure.StopReason(in.Reason); err != nil {
			return err
		}
		if why == "" {
			return disclosure.Errorf(disclosure.CodeParam, "请写明停发的原因").On("reason")
		}
	}
	for _, scope := range scopes {
		if err := s.Pushes.SetSwitch(c.UserContext(), actorOf(c), scope, why, false, s.Now()); err != nil {
			return err
		}
	}
	s.settle(c)
	return s.getPushStatus(c)
}

// QuotaList is the day's shares of WeChat's APIs.
type QuotaList struct {
	Items       []QuotaView `json:"items"`
	Next        *string     `json:"next" extensions:"x-nullable"`
	Total       int         `json:"total"`
	TotalCapped bool        `json:"total_capped"`
	Day         string      `json:"day"`
	Queue       int         `json:"queued"` // cards that want to go out
	AsOf        string      `json:"as_of"`
}

// QuotaView is one API's share of a day.
type QuotaView struct {
	App         string  `json:"app"`
	Path        string  `json:"path"`
	Limit       int     `json:"limit"`
	Used        int     `json:"used"`
	Remaining   int     `json:"remaining"`
	Reserved    int     `json:"reserved_for_urgent"`
	AfterQueue  int     `json:"after_queue"` // forecast: what would be left if all that is queued went this way
	ParkedUntil *string `json:"parked_until" extensions:"x-nullable"`
}

// getQuota shows what is left of the day.
//
//	@Summary	当日额度与预测
//	@Tags		推送
//	@Security	Bearer
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200	{object}	QuotaList
//	@Router		/api/v1/staff/quota [get]
func (s *Server) getQuota(c *fiber.Ctx) error {
	pg, err := readPaging(c, "quota", disclosure.DefaultLimit)
	if err != nil {
		return err
	}
	day := workday.DateOf(s.Now()).String()
	list, err := s.Pushes.Quotas(c.UserContext(), day)
	if err != nil {
		return err
	}
	if s.Audience != nil {
		list = s.Audience.Quotas(list, day)
	}
	st, err := s.Pushes.PushStatus(c.UserContext(), s.Now())
	if err != nil {
		return err
	}
	out := QuotaJSON(list, st, s.Now())
	out.Items, out.Next = cutPage(pg, out.Items)
	return sendJSON(c, out)
}

// QuotaJSON writes the shares of the day that now is in, and what the queue
// would leave of them.
func QuotaJSON(list []disclosure.Quota, st disclosure.PushStatus, now time.Time) QuotaList {
	out := QuotaList{Items: []QuotaView{}, Total: len(list), Day: workday.DateOf(now).String(), Queue: st.Queue[disclosure.DeliveryQueued] + st.Queue[disclosure.DeliveryLeased],
		AsOf: disclosure.FormatInstant(now)}
	for _, q := range list {
		left := max(q.Limit-q.Used, 0)
		out.Items = append(out.Items, QuotaView{q.App, q.Path, q.Limit, q.Used, left, q.Limit / 10, max(left-out.Queue, 0), instant(q.ParkedUntil)})
	}
	return out
}

// CardView is the notice as a card of one template.
type CardView struct {
	App      string      `json:"app"`
	Channel  string      `json:"channel"`
	Template string      `json:"template"`
	Fields   []CardField `json:"fields"`
}

// CardField is one field as the card shows it, with how it was cut.
type CardField struct {
	Key    string `json:"key" example:"thing1"`
	Value  string `json:"value" example:"title"`
	Text   string `json:"text"`
	Length int    `json:"length"`
	Limit  int    `json:"limit"`
	Cut    bool   `json:"cut"`
}

// PushPreview is what publication would send, and to how many people.
type PushPreview struct {
	Count *int `json:"count" extensions:"x-nullable"`
	Exact bool `json:"exact"`
}

// CardsJSON writes a notice's cards with the limits of their fields.
func CardsJSON(fitted []disclosure.FittedCard) []CardView {
	cards := []CardView{}
	for _, f := range fitted {
		v := CardView{App: f.App, Channel: string(f.Channel), Template: f.ID, Fields: []CardField{}}
		for _, x := range f.Shown {
			v.Fields = append(v.Fields, CardField{x.Key, x.Value, x.Text, x.Length, x.Limit, x.Cut})
		}
		cards = append(cards, v)
	}
	return cards
}

// pushPreview makes the card part of a preview.
func (s *Server) pushPreview(ctx context.Context, n disclosure.StaffNotice) ([]CardView, PushPreview, error) {
	if s.Audience == nil {
		return []CardView{}, PushPreview{}, nil
	}
	fitted, err := s.Audience.Cards(n)
	if err != nil {
		return nil, PushPreview{}, err
	}
	cards := CardsJSON(fitted)
	ctx, cancel := context.WithTimeout(ctx, handleTimeout/2)
	defer cancel()
	people, exact, err := s.Audience.Count(ctx, n)
	return cards, PushPreview{&people, exact}, err
}
