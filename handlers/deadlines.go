package handlers

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Planner reads what is due: deadlines, coverage and projects asked for.
type Planner interface {
	Deadlines(ctx context.Context, q disclosure.DeadlineQuery) (disclosure.DeadlinePage, error)
	Coverage(ctx context.Context, since workday.Date) (disclosure.Coverage, error)
	FindProjects(ctx context.Context, q string) (disclosure.ProjectPage, error)
}

// explainPath is where a deadline's explanation is asked for.
const explainPath = "/api/v1/deadlines/explain"

func deadlineJSON(d disclosure.Deadline) Deadline {
	out := Deadline{Rule: nullable(d.RuleID()), Label: d.Label, DueAt: disclosure.FormatInstant(d.DueAt), Provisional: d.Provisional}
	if d.Rule != "" && !d.From.IsZero() {
		out.ExplainURL = nullable(explainPath + "?rule=" + url.QueryEscape(d.Rule) + "&from=" + d.From.String())
	}
	return out
}

func deadlinesJSON(list []disclosure.Deadline) []Deadline {
	out := make([]Deadline, len(list))
	for i, d := range list {
		out[i] = deadlineJSON(d)
	}
	return out
}

// DueNotice is a deadline with the notice it belongs to.
type DueNotice struct {
	Deadline
	Notice Summary `json:"notice"`
}

// DeadlineList is a page of deadlines, the earliest first.
type DeadlineList struct {
	Items       []DueNotice `json:"items"`
	Next        *string     `json:"next" extensions:"x-nullable"`
	Total       int         `json:"total"`
	TotalCapped bool        `json:"total_capped"`
	AsOf        string      `json:"as_of"`
}

// DeadlineParams documents the query of deadlines.
type DeadlineParams struct {
	SpanParams
	Cursor string `form:"cursor" validate:"optional"`                                       // 上一页的 next
	Limit  int    `form:"limit" validate:"optional" minimum:"1" maximum:"100" default:"20"` // 每页条数
}

func (s *Server) deadlineQuery(p *params) disclosure.DeadlineQuery {
	catalog := s.Cache.Catalog()
	q := disclosure.DeadlineQuery{From: p.date("from"), To: p.date("to"),
		Sector: p.oneOf("sector", "领域", func(v string) bool { _, err := catalog.Sector(v); return err == nil })}
	if q.From.IsZero() {
		q.From = workday.DateOf(s.Now())
	}
	if !q.To.IsZero() && q.To.Compare(q.From) < 0 {
		p.fault("to", "date.order", "结束日期早于开始日期")
	}
	return q
}

// SpanParams documents the query of the calendar file.
type SpanParams struct {
	Sector string `form:"sector" validate:"optional" example:"construction"` // 领域
	From   string `form:"from" validate:"optional" example:"2026-11-23"`     // 自这一天起到期，默认为今天
	To     string `form:"to" validate:"optional" example:"2026-12-31"`       // 到这一天为止到期
}

// endOfDay is until when an answer holds whose default is today.
func (s *Server) endOfDay() time.Time { return workday.DateOf(s.Now()).AddDays(1).Start() }

// listDeadlines lists what closes when.
//
//	@Summary	期限一览
//	@Tags		期限
//	@Param		query	query		DeadlineParams	false	"条件"
//	@Success	200		{object}	DeadlineList
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/deadlines [get]
func (s *Server) listDeadlines(c *fiber.Ctx) error {
	p := readParams(c, "sector", "from", "to", "cursor", "limit")
	q := s.deadlineQuery(p)
	q.Limit = p.limit(disclosure.DefaultLimit)
	list := "deadlines?" + q.Canonical()
	if q.After = p.cursor(list); p.err() != nil {
		return p.err()
	}
	key := list + "&limit=" + strconv.Itoa(q.Limit)
	if q.After != nil {
		key += "&cursor=" + q.After.Encode(list)
	}
	return s.answered(c, key, func(ctx context.Context) (*disclosure.Answer, error) {
		page, err := s.Reader.Deadlines(ctx, q)
		if err != nil {
			return nil, err
		}
		out := DeadlineList{Items: []DueNotice{}, Total: page.Total, TotalCapped: page.TotalCapped, AsOf: disclosure.FormatInstant(s.Now())}
		for _, d := range page.Items {
			out.Items = append(out.Items, DueNotice{deadlineJSON(d.Deadline), summaryJSON(page.Catalog, d.Notice)})
		}
		if page.Next != nil {
			out.Next = nullable(page.Next.Encode(list))
		}
		return untilDay(s.endOfDay())(jsonAnswer(out, page.Reading))
	})
}

// maxEvents bounds the events of one calendar file.
const maxEvents = 1000

// getDeadlinesICS returns the deadlines as a calendar to subscribe to.
//
//	@Summary	期限日历（iCalendar 订阅）
//	@Tags		期限
//	@Produce	text/calendar
//	@Param		query	query	SpanParams	false	"条件"
//	@Success	200		{file}	file			"最近的 1000 个期限"
//	@Router		/api/v1/deadlines.ics [get]
func (s *Server) getDeadlinesICS(c *fiber.Ctx) error {
	p := readParams(c, "sector", "from", "to")
	q := s.deadlineQuery(p)
	q.Limit = maxEvents
	if err := p.err(); err != nil {
		return err
	}
	return s.answered(c, "deadlines.ics?"+q.Canonical(), func(ctx context.Context) (*disclosure.Answer, error) {
		page, err := s.Reader.Deadlines(ctx, q)
		if err != nil {
			return nil, err
		}
		body := []byte(s.calendarFile(page))
		return &disclosure.Answer{Type: "text/calendar; charset=utf-8", ETag: etagOf(body), Body: body,
			Disposition: disposition("亭湖区公共资源期限.ics"), Position: page.Position, Until: s.endOfDay()}, nil
	})
}

func (s *Server) calendarFile(page disclosure.DeadlinePage) string {
	cal := ics.NewCalendar()
	cal.SetMethod(ics.MethodPublish)
	cal.SetProductId("-//Gongkai//deadlines//ZH")
	cal.SetXWRCalName("亭湖区公共资源公开期限")
	cal.SetXWRTimezone("Asia/Shanghai")
	cal.SetRefreshInterval("PT6H")
	for _, d := range page.Items {
		e := cal.AddEvent(eventID(d))
		e.SetDtStampTime(d.Notice.PublishedAt) // of the publication: a file made again is the same
		e.SetStartAt(d.DueAt)
		e.SetSequence(d.Notice.Rev)
		e.SetStatus(ics.ObjectStatusConfirmed)
		label := d.Label
		if d.Provisional {
			e.SetStatus(ics.ObjectStatusTentative)
			label += "（暂定）"
		}
		e.SetSummary(label + "：" + d.Notice.Title)
		e.SetDescription(s.eventText(page.Catalog, d))
		e.SetURL(s.PublicURL + "/n/" + d.Notice.Code)
	}
	return cal.Serialize(ics.WithNewLineWindows) // RFC 5545 3.1: whatever the server runs on
}

func eventID(d disclosure.NoticeDeadline) string {
	kind := d.Rule
	if kind == "" {
		kind = "notice"
	}
	return strings.ToLower(kind) + "-" + d.Notice.ID + "@gongkai" // the same when the date moves
}

func (s *Server) eventText(c *disclosure.Catalog, d disclosure.NoticeDeadline) string {
	lines := []string{"公告编号：" + d.Notice.Code, "信息来源：" + d.Notice.Source.Name}
	if _, term, err := c.Rule(d.Rule); err == nil {
		lines = append(lines, "依据："+term.Article)
	}
	if d.Provisional {
		lines = append(lines, "所在年份的放假安排尚未公布，日期可能调整。")
	}
	return strings.Join(lines, "\n")
}

// SkippedDay is a day that a count passed over.
type SkippedDay struct {
	Date   string `json:"date"`
	Reason string `json:"reason"`
}

// Explanation shows how a time limit was counted.
type Explanation struct {
	Rule          *string      `json:"rule" extensions:"x-nullable"`
	Term          *string      `json:"term" extensions:"x-nullable"`
	Name          *string      `json:"name" extensions:"x-nullable"`
	Trigger       *string      `json:"trigger" extensions:"x-nullable"`
	From          string       `json:"from"`
	Amount        int          `json:"amount"`
	Unit          string       `json:"unit" enums:"d,wd"`
	Direction     *string      `json:"direction" enums:"min,max,before" extensions:"x-nullable"`
	DueAt         string       `json:"due_at"`
	Provisional   bool         `json:"provisional"`
	Article       string       `json:"article"`
	ToBeConfirmed bool         `json:"to_be_confirmed"`
	Note          *string      `json:"note" extensions:"x-nullable"`
	Skipped       []SkippedDay `json:"skipped"`
	Text          string       `json:"text"`
}

// civilCode is the law of a count that no rule asks for.
const civilCode = "民法典 第二百零一条、第二百零三条"

func explanationJSON(e disclosure.Explanation) Explanation {
	out := Explanation{From: e.From.String(), Amount: e.Amount, Unit: string(e.Unit), DueAt: disclosure.FormatInstant(e.Due.Date.End()),
		Provisional: e.Due.Provisional, Article: civilCode, Skipped: []SkippedDay{}}
	for _, d := range e.Skipped {
		out.Skipped = append(out.Skipped, SkippedDay{d.Date.String(), d.Reason})
	}
	what, direction := "", disclosure.AtMost
	if e.Rule != nil {
		out.Rule, out.Term, out.Name, out.Trigger = &e.Rule.ID, &e.Term.Key, &e.Term.Name, nullable(e.Term.Trigger)
		out.Article, out.Note, direction = e.Term.Article, nullable(e.Rule.Note), e.Term.Direction
		out.ToBeConfirmed = e.Rule.Standing == disclosure.StandingToConfirm
		what = e.Term.Name + "，"
	}
	if e.Rule != nil {
		out.Direction = nullable(string(direction))
	}
	from := "自" + chineseDay(e.From) + "起（当日不计）"
	if direction == disclosure.Before {
		from = chineseDay(e.From) + "前"
	}
	out.Text = fmt.Sprintf("%s%s%s：%s", what, from, e.Unit.AmountText(e.Amount), chineseDay(e.Due.Date))
	if len(e.Skipped) > 0 {
		out.Text += fmt.Sprintf("，跳过%d个休息日", len(e.Skipped))
	}
	if e.Due.Provisional {
		out.Text += "；所在年份的放假安排尚未公布，日期可能调整"
	}
	return out
}

func chineseDay(d workday.Date) string { return fmt.Sprintf("%d年%d月%d日", d.Year, d.Month, d.Day) }

// ExplainParams documents the query of an explanation.
type ExplainParams struct {
	Rule     string `form:"rule" validate:"optional" example:"D5" default:"D1"`      // 规则，如 D5 或 D8.publicity
	From     string `form:"from" validate:"optional" example:"2026-11-23"`           // 起算之日，默认为今天
	Workdays int    `form:"workdays" validate:"optional" minimum:"0" maximum:"3650"` // 不用规则，直接数工作日
	Days     int    `form:"days" validate:"optional" minimum:"0" maximum:"3650"`     // 不用规则，直接数日
}

// explainDeadline counts a time limit and shows every day passed over.
//
//	@Summary	期限怎样计算
//	@Tags		期限
//	@Param		query	query		ExplainParams	false	"rule、workdays、days 最多写一个"
//	@Success	200		{object}	Explanation
//	@Failure	400		{object}	Problem
//	@Failure	404		{object}	Problem	"没有这条规则"
//	@Router		/api/v1/deadlines/explain [get]
func (s *Server) explainDeadline(c *fiber.Ctx) error {
	p := readParams(c, "rule", "from", "workdays", "days")
	ref, from := p.text("rule", 40), p.date("from")
	workdays, days := p.count("workdays"), p.count("days")
	if len(p.values["rule"])+len(p.values["workdays"])+len(p.values["days"]) > 1 {
		p.fault("rule", "param.choice", "rule、workdays、days 最多写一个")
	}
	// Today by default is an answer of its own: it ends with the day, that of a date
	// does not.
	day, until := "&from=", time.Time{}
	if from.IsZero() {
		day, from, until = "&today=", workday.DateOf(s.Now()), s.endOfDay()
	}
	if err := p.err(); err != nil {
		return err
	}
	key := "explain?rule=" + ref + "&counts=" + strconv.Itoa(len(p.values["workdays"])) + strconv.Itoa(len(p.values["days"])) + day + from.String() + "&workdays=" + strconv.Itoa(workdays) + "&days=" + strconv.Itoa(days)
	return s.answered(c, key, func(ctx context.Context) (*disclosure.Answer, error) {
		r, err := s.Reader.Head(ctx)
		if err != nil {
			return nil, err
		}
		var e disclosure.Explanation
		switch {
		case len(p.values["workdays"]) > 0:
			e = r.Catalog.ExplainCount(from, workdays, disclosure.UnitWorkdays)
		case len(p.values["days"]) > 0:
			e = r.Catalog.ExplainCount(from, days, disclosure.UnitDays)
		default:
			e, err = r.Catalog.Explain(cmp.Or(ref, "D1"), from)
		}
		if err != nil {
			return nil, err
		}
		return untilDay(until)(jsonAnswer(explanationJSON(e), r))
	})
}

// count reads a number of days; 0 when absent.
func (p *params) count(name string) int {
	v := p.text(name, 10)
	if len(p.values[name]) == 0 {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 3650 {
		p.fault(name, "number.range", "应为 0 到 3650 之间的整数")
		return 0
	}
	return n
}
