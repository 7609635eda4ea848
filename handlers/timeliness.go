package handlers

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Timeliness is whether a notice was disclosed in time.
type Timeliness struct {
	Rule        string `json:"rule" enums:"D1,D2"`
	From        string `json:"from"`
	DueOn       string `json:"due_on"`
	Late        bool   `json:"late"`
	Provisional bool   `json:"provisional"`
	ExplainURL  string `json:"explain_url"`
}

func timelinessJSON(t *disclosure.Timeliness) *Timeliness {
	if t == nil {
		return nil
	}
	return &Timeliness{t.Rule, t.From.String(), t.Due.String(), t.Late, t.Provisional,
		explainPath + "?rule=" + t.Rule + "&from=" + t.From.String()}
}

// Tally counts duties: due is the sum of the three others.
type Tally struct {
	Due     int `json:"due"`
	OnTime  int `json:"on_time"`
	Late    int `json:"late"`
	Missing int `json:"missing"`
}

// TimelinessRow counts the duty of one body for one catalogue item.
type TimelinessRow struct {
	Body      Named `json:"body"`
	Item      Duty  `json:"item"`
	Published int   `json:"published"`
	Tally
}

// Duty names a catalogue item.
type Duty struct {
	ID      string `json:"id" example:"A1-04"`
	Sector  string `json:"sector"`
	Content string `json:"content"`
}

// TimelinessList is the board of timeliness: a page of rows, and the sum of all.
type TimelinessList struct {
	Items       []TimelinessRow `json:"items"`
	Next        *string         `json:"next" extensions:"x-nullable"`
	Total       int             `json:"total"`
	TotalCapped bool            `json:"total_capped"`
	Year        int             `json:"year"`
	Sum         Tally           `json:"sum"`
	AsOf        string          `json:"as_of"`
}

// TimelinessParams documents the query of the board.
type TimelinessParams struct {
	Body string `form:"body" validate:"optional"`                // 公开主体
	Year int    `form:"year" validate:"optional" example:"2026"` // 年份，默认为今年
	PageParams
}

// coverage reads what is public of each item; it holds until the day ends.
func (s *Server) coverage(ctx context.Context) (cov disclosure.Coverage, today workday.Date, until time.Time, err error) {
	today = workday.DateOf(s.Now())
	cov, err = s.Reader.Coverage(ctx, today.AddDays(1-recentDays))
	return cov, today, today.AddDays(1).Start(), err
}

// listTimeliness counts what was disclosed in time, late and not at all.
//
//	@Summary	公开时效
//	@Tags		目录
//	@Param		query	query		TimelinessParams	false	"条件"
//	@Success	200		{object}	TimelinessList
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/timeliness [get]
func (s *Server) listTimeliness(c *fiber.Ctx) error {
	catalog := s.Cache.Catalog()
	p := readParams(c, "body", "year", "limit", "cursor")
	body := p.oneOf("body", "公开主体", func(v string) bool { _, err := catalog.Body(v); return err == nil })
	year := int(p.number("year", 1949))
	if year > 2199 {
		p.fault("year", "number.range", "应为 1949 到 2199 之间的整数")
	}
	if year == 0 {
		year = workday.DateOf(s.Now()).Year
	}
	pg := paging{list: "timeliness"}
	pg.filter("body", body)
	pg.filter("year", strconv.Itoa(year))
	pg.finish(p, disclosure.MaxLimit)
	if err := p.err(); err != nil {
		return err
	}
	return s.answered(c, pg.key(), func(ctx context.Context) (*disclosure.Answer, error) {
		cov, today, until, err := s.coverage(ctx)
		if err != nil {
			return nil, err
		}
		all := cov.Punctuality(year, body, today)
		rows, next := cutPage(pg, all)
		out := TimelinessList{Items: []TimelinessRow{}, Next: next, Total: len(all), Year: year, AsOf: disclosure.FormatInstant(s.Now())}
		for _, r := range rows {
			out.Items = append(out.Items, TimelinessRow{Named{r.Body, cov.Catalog.BodyName(r.Body)},
				Duty{r.Item.ID, r.Item.Sector, r.Item.Content}, r.Published, Tally{r.Due, r.OnTime, r.Late, r.Missing}})
		}
		for _, r := range all {
			out.Sum = Tally{out.Sum.Due + r.Due, out.Sum.OnTime + r.OnTime, out.Sum.Late + r.Late, out.Sum.Missing + r.Missing}
		}
		return untilDay(until)(jsonAnswer(out, cov.Reading))
	})
}

// Share is what one body or notice type contributed to an item.
type Share struct {
	ID              string  `json:"id"`
	Name            string  `json:"name"`
	Published       int     `json:"published"`
	Late            int     `json:"late"`
	Since           *string `json:"since" extensions:"x-nullable"`
	LastPublishedAt *string `json:"last_published_at" extensions:"x-nullable"`
}

// ItemCoverage is what is public of a catalogue item, since when, by whom, and
// what is missing.
type ItemCoverage struct {
	Status        string  `json:"status" enums:"covered,partial,missing"`
	Since         *string `json:"since" extensions:"x-nullable"`
	OnTime        int     `json:"on_time"`
	Late          int     `json:"late"`
	Bodies        []Share `json:"bodies"`
	Types         []Share `json:"types"`
	MissingBodies []Named `json:"missing_bodies"`
	MissingTypes  []Named `json:"missing_types"`
}

func coverageJSON(cov disclosure.Coverage, i disclosure.CatalogItem, today workday.Date) ItemCoverage {
	got := cov.Item(i, today)
	typeName := func(code string) string {
		if t, err := cov.Catalog.Type(code); err == nil {
			return t.Name
		}
		return code
	}
	out := ItemCoverage{Status: string(got.State), Since: instant(got.Since), OnTime: got.OnTime, Late: got.Late,
		Bodies: sharesJSON(got.Bodies, cov.Catalog.BodyName), Types: sharesJSON(got.Types, typeName),
		MissingBodies: namesOf(cov.Catalog, got.MissingBodies), MissingTypes: []Named{}}
	for _, code := range got.MissingTypes {
		out.MissingTypes = append(out.MissingTypes, Named{code, typeName(code)})
	}
	return out
}

func sharesJSON(list []disclosure.Share, name func(string) string) []Share {
	out := make([]Share, len(list))
	for i, s := range list {
		out[i] = Share{s.ID, name(s.ID), s.Published, s.Late, instant(s.FirstAt), instant(s.LastAt)}
	}
	return out
}

// CoverageSum counts the items of the catalogue by their coverage.
type CoverageSum struct {
	Covered int `json:"covered"`
	Partial int `json:"partial"`
	Missing int `json:"missing"`
}

func coverageSum(cov disclosure.Coverage, items []disclosure.CatalogItem, today workday.Date) (sum CoverageSum) {
	for _, i := range items {
		switch cov.Item(i, today).State {
		case disclosure.Covered:
			sum.Covered++
		case disclosure.CoveredPartly:
			sum.Partial++
		default:
			sum.Missing++
		}
	}
	return sum
}
