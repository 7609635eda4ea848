package handlers

import (
	"context"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// CalendarDay is one day of the working-day table.
type CalendarDay struct {
	Date    string  `json:"date"`
	Workday bool    `json:"workday"`
	Reason  *string `json:"reason" extensions:"x-nullable"`
}

// CalendarYear is the working-day table of one year. Off lists the weekdays that
// are days off, work the weekend days worked in exchange.
type CalendarYear struct {
	Year        int           `json:"year"`
	Provisional bool          `json:"provisional"`
	Source      *string       `json:"source" extensions:"x-nullable"`
	Note        *string       `json:"note" extensions:"x-nullable"`
	Workdays    int           `json:"workdays"`
	Off         []SkippedDay  `json:"off"`
	Work        []SkippedDay  `json:"work"`
	Days        []CalendarDay `json:"days"`
}

const provisionalYear = "本年的放假安排尚未公布：按周末和《全国年节及纪念日放假办法》规定的假日暂定，公布后重新计算。"

// getCalendar returns the working-day table of a year.
//
//	@Summary	工作日历
//	@Tags		期限
//	@Param		year	path		int	true	"年份"	example(2026)
//	@Success	200		{object}	CalendarYear
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/calendar/{year} [get]
func (s *Server) getCalendar(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	text := c.Params("year")
	year, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(year) != text || year < 1949 || year > 2199 {
		return disclosure.Errorf(disclosure.CodeParam, "年份应为 1949 到 2199 之间的整数").On("year")
	}
	return s.answered(c, "calendar/"+text, func(ctx context.Context) (*disclosure.Answer, error) {
		r, err := s.Reader.Head(ctx)
		if err != nil {
			return nil, err
		}
		return jsonAnswer(calendarJSON(r.Catalog, year), r)
	})
}

func calendarJSON(c *disclosure.Catalog, year int) CalendarYear {
	cal := c.Calendar()
	out := CalendarYear{Year: year, Provisional: !cal.Covers(year), Source: nullable(cal.Source(year)), Off: []SkippedDay{},
		Work: []SkippedDay{}, Days: []CalendarDay{}}
	if out.Provisional {
		out.Note = nullable(provisionalYear)
	}
	for _, d := range cal.Table(year) {
		date := d.Date.String()
		out.Days = append(out.Days, CalendarDay{date, d.Workday, nullable(d.Reason)})
		weekend := d.Date.Weekday() == 0 || d.Date.Weekday() == 6
		switch {
		case d.Workday && weekend:
			out.Work = append(out.Work, SkippedDay{date, d.Reason})
		case !d.Workday && !weekend:
			out.Off = append(out.Off, SkippedDay{date, d.Reason})
		}
		if d.Workday {
			out.Workdays++
		}
	}
	return out
}

// Term is one time limit of a rule.
type Term struct {
	Ref       string  `json:"ref" example:"D8.publicity"`
	Name      string  `json:"name"`
	Trigger   *string `json:"trigger" extensions:"x-nullable"`
	Amount    int     `json:"amount"`
	Unit      string  `json:"unit" enums:"d,wd"`
	Direction string  `json:"direction" enums:"min,max,before"`
	Severity  string  `json:"severity" enums:"error,warning"`
	Article   string  `json:"article"`
}

// Rule is a legal rule about time.
type Rule struct {
	ID            string  `json:"id" example:"D8"`
	Name          string  `json:"name"`
	ToBeConfirmed bool    `json:"to_be_confirmed"`
	Editable      bool    `json:"editable"`
	Note          *string `json:"note" extensions:"x-nullable"`
	Terms         []Term  `json:"terms"`
}

// RuleList lists the rules.
type RuleList struct {
	Items       []Rule  `json:"items"`
	Next        *string `json:"next" extensions:"x-nullable"`
	Total       int     `json:"total"`
	TotalCapped bool    `json:"total_capped"`
	AsOf        string  `json:"as_of"`
}

func ruleJSON(r disclosure.Rule) Rule {
	out := Rule{ID: r.ID, Name: r.Name, ToBeConfirmed: r.Standing == disclosure.StandingToConfirm,
		Editable: r.Standing != disclosure.StandingLaw, Note: nullable(r.Note), Terms: []Term{}}
	for _, t := range r.Terms {
		out.Terms = append(out.Terms, Term{r.ID + "." + t.Key, t.Name, nullable(t.Trigger), t.Amount, string(t.Unit),
			string(t.Direction), string(t.Severity), t.Article})
	}
	return out
}

// listRules lists the legal rules about time.
//
//	@Summary	时限规则
//	@Tags		期限
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	RuleList
//	@Router		/api/v1/rules [get]
func (s *Server) listRules(c *fiber.Ctx) error {
	pg, err := readPaging(c, "rules", disclosure.MaxLimit)
	if err != nil {
		return err
	}
	return s.answered(c, pg.key(), func(ctx context.Context) (*disclosure.Answer, error) {
		r, err := s.Reader.Head(ctx)
		if err != nil {
			return nil, err
		}
		rows, next := cutPage(pg, r.Catalog.Rules)
		out := RuleList{Items: []Rule{}, Next: next, Total: len(r.Catalog.Rules), AsOf: disclosure.FormatInstant(s.Now())}
		for _, rule := range rows {
			out.Items = append(out.Items, ruleJSON(rule))
		}
		return jsonAnswer(out, r)
	})
}

// RuleUse says to which dates of a notice type a rule applies. Dates are named
// by anchors: fields, formed_at, decided_at, published, issued or corrected.
type RuleUse struct {
	Rule  string   `json:"rule" example:"D5.bid"`
	From  []string `json:"from"`
	To    *string  `json:"to" extensions:"x-nullable"`
	Label *string  `json:"label" extensions:"x-nullable"`
}

func rulesJSON(list []disclosure.RuleUse) []RuleUse {
	out := make([]RuleUse, len(list))
	for i, u := range list {
		out[i] = RuleUse{u.Rule, orEmpty(u.From), nullable(u.To), nullable(u.Label)}
	}
	return out
}
