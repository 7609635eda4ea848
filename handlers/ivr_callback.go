package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/throttled/throttled/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/speech"
	"gongkai/internal/workday"
)

// CallbackTaker keeps what a caller asks for.
type CallbackTaker interface {
	RequestCallback(ctx context.Context, ask disclosure.CallbackAsk) (disclosure.CallbackRequest, error)
}

// callbackQuota is how many numbers one caller may leave: three at once, then
// three an hour. A caller who withholds the own number has one call's worth.
var callbackQuota = throttled.RateQuota{MaxRate: throttled.PerHour(3), MaxBurst: 2}

// takesCallbacks reports whether callers are offered a call back (回电).
func (h *hotline) takesCallbacks() bool { return !h.NoCallbacks && h.server.Callbacks != nil }

func showCallback(_ context.Context, _ *call, s *screen) error {
	s.prompt = "请按回电的号码，固定电话先按区号，以井号键结束。号码只用于回电，用后清除。"
	return nil
}

// pressCallback takes a number. In the state of the call it is encrypted: that
// passes through the engine, its variables and its logs.
func pressCallback(_ context.Context, c *call, _ string) error {
	digits := cleared(c.in.digits)
	if digits == "" && strings.Contains(c.in.digits, "*") {
		c.note = "已经清除。"
		return nil
	}
	number, err := disclosure.ParsePhone(digits)
	if known := new(disclosure.Error); errors.As(err, &known) {
		c.refuse(known.Detail)
		return nil
	}
	sealed, err := disclosure.NumberKeys(c.Keys).Seal("call "+c.in.call, number)
	if err != nil {
		return err
	}
	c.typed, c.node = base64.RawURLEncoding.EncodeToString(sealed), nodeConfirm
	return nil
}

// number returns what pressCallback took.
func (c *call) number() (disclosure.PhoneNumber, bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(c.typed)
	if err != nil {
		return "", false
	}
	return disclosure.NumberKeys(c.Keys).Open("call "+c.in.call, sealed)
}

func showConfirm(ctx context.Context, c *call, s *screen) error {
	number, ok := c.number()
	if !ok { // its key was dropped meanwhile
		c.node, c.typed = nodeCallback, ""
		return showCallback(ctx, c, s)
	}
	s.menu("您按的号码是，"+speech.Digits(number.Groups())+"。", []string{"正确", "重新输入", "取消"}, pressFor("重听", c.Keymap.Repeat))
	return nil
}

func pressConfirm(ctx context.Context, c *call, key string) error {
	switch key {
	case "1":
		return c.askCallback(ctx)
	case "2":
		c.node, c.typed = nodeCallback, ""
	case "3":
		c.node, c.typed, c.note = nodeConsult, "", "已经取消，没有留下号码。"
	default:
		c.refuse(wrongKey)
	}
	return nil
}

// askCallback keeps the request. What cannot be kept is not promised: a failure
// leads to a person, as every failure does.
func (c *call) askCallback(ctx context.Context) error {
	number, ok := c.number()
	if !ok {
		c.node, c.typed = nodeCallback, ""
		return nil
	}
	if !c.again {
		limited, _, err := c.callbacks.RateLimitCtx(ctx, or(c.in.caller, c.hash("call", c.in.call)), 1)
		if !c.takesCallbacks() || err == nil && limited {
			c.noCallback("callback_limited")
			return nil
		}
	}
	sector, notice := c.subject(ctx)
	r, err := c.server.Callbacks.RequestCallback(ctx, disclosure.CallbackAsk{Number: number, Sector: sector, Notice: notice,
		Turn: strings.Join([]string{c.in.call, c.in.state, c.in.digits}, "\x00"), At: c.now, DueAt: c.callbackDue(c.now)})
	switch {
	case codeOf(err) == disclosure.CodeCallbackFull:
		c.noCallback("callback_full")
		return nil
	case err != nil:
		return err
	}
	if !c.again {
		c.metrics.callbacks.Inc()
	}
	due := r.DueAt
	if due.Before(c.now) { // an earlier promise was broken; staff see which
		due = c.callbackDue(c.now)
	}
	c.node, c.typed = nodeNoted, strconv.FormatInt(due.Unix(), 36)
	return nil
}

// noCallback says that no number is taken now, and hands the call over.
func (c *call) noCallback(reason string) {
	c.toOperator(reason)
	c.out.prompt = "现在不能登记回电。" + c.out.prompt
}

// subject returns what the call was about: the notice heard last, or the sector.
func (c *call) subject(ctx context.Context) (sector, notice string) {
	if !disclosure.ValidCode(c.about) {
		return c.about, ""
	}
	b, err := c.brief(ctx, c.about)
	if err != nil { // withdrawn since: which it was is told all the same
		return "", c.about
	}
	return b.Sector, c.about
}

// remember keeps what the call is about when the caller turns elsewhere: the
// notice opened last, or the sector chosen after it.
func (c *call) remember(before callState) {
	ref, open := c.notice()
	switch {
	case open:
		c.about = ref.Code
	case c.sector != "" && c.sector != before.sector:
		c.about = c.sector
	case c.about == "" && c.in.event != eventStart:
		c.about = before.about
	}
}

func showNoted(_ context.Context, c *call, s *screen) error {
	seconds, _ := strconv.ParseInt(c.typed, 36, 64) // as askCallback wrote it
	s.prompt = c.words(strings.ReplaceAll(c.Wording.Callback, "{when}", c.spokenDue(time.Unix(seconds, 0))), "") +
		pressFor("重听", c.Keymap.Repeat) + "；" + c.backWords() + "。"
	return nil
}

const (
	callbackLength = 12 // digits of the longest number with its area code

	callbackTime = time.Hour // less than this before the end of a day is too late to call that day
	maxDaysShut  = 60
)

// callbackDue is by when a caller who asks at the instant is called: the end of
// the office hours of this working day or the next; with no hours, in a day.
func (c *HotlineConfig) callbackDue(now time.Time) time.Time {
	if !c.AlwaysOpen {
		last := slices.MaxFunc(c.OfficeHours, func(a, b HourSpan) int { return a.To - b.To })
		for n := range maxDaysShut {
			day := workday.DateOf(now).AddDays(n)
			due := day.Start().Add(time.Duration(last.To) * time.Minute)
			if c.Workdays.IsWorkday(day) && due.Sub(now) >= callbackTime {
				return due
			}
		}
	}
	return now.Add(24 * time.Hour).Truncate(callbackTime)
}

var weekdaysSaid = [...]string{"星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"}

// spokenDue says an instant from where the caller stands: 明天十七点三十分.
func (c *call) spokenDue(due time.Time) string {
	due = due.In(workday.Shanghai)
	day, today := workday.DateOf(due), workday.DateOf(c.now)
	said := speech.Text(due.Format("1月2日")) + "，" + weekdaysSaid[due.Weekday()] + "，"
	switch day {
	case today:
		said = "今天"
	case today.AddDays(1):
		said = "明天"
	}
	return said + speech.Clock(due.Hour(), due.Minute())
}
