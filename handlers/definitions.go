package handlers

import (
	"context"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Body is a publisher.
type Body struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases"`
	Kind      string   `json:"kind"`
	Parent    *string  `json:"parent" extensions:"x-nullable"`
	ValidFrom *string  `json:"valid_from" extensions:"x-nullable"`
	ValidTo   *string  `json:"valid_to" extensions:"x-nullable"`
	Successor *string  `json:"successor" extensions:"x-nullable"`
	Note      *string  `json:"note" extensions:"x-nullable"`
}

// BodyList lists the bodies.
type BodyList struct {
	Items       []Body  `json:"items"`
	Next        *string `json:"next" extensions:"x-nullable"`
	Total       int     `json:"total"`
	TotalCapped bool    `json:"total_capped"`
	AsOf        string  `json:"as_of"`
}

// Field is one field of a notice type, or a column of a table.
type Field struct {
	Key      string   `json:"key"`
	Label    string   `json:"label"`
	Kind     string   `json:"kind"`
	Unit     *string  `json:"unit" extensions:"x-nullable"`
	Required bool     `json:"required"`
	Mask     *string  `json:"mask" extensions:"x-nullable"`
	Options  []string `json:"options"`
	Columns  []Field  `json:"columns"`
	Min      *float64 `json:"min" extensions:"x-nullable"`
	Max      *float64 `json:"max" extensions:"x-nullable"`
	Example  any      `json:"example"`
}

// NoticeType is a kind of notice.
type NoticeType struct {
	Code          string    `json:"code" example:"construction.tender_notice"`
	Sector        string    `json:"sector"`
	Name          string    `json:"name"`
	Stage         string    `json:"stage"`
	StageName     string    `json:"stage_name"`
	Items         []string  `json:"items"`
	Fields        []Field   `json:"fields"`
	DeadlineField *string   `json:"deadline_field" extensions:"x-nullable"`
	AmountField   *string   `json:"amount_field" extensions:"x-nullable"`
	Personal      bool      `json:"personal"`
	RetentionDays *int      `json:"retention_days" extensions:"x-nullable"`
	Basis         *string   `json:"basis" extensions:"x-nullable"`
	Rules         []RuleUse `json:"rules"`
	Speak         *string   `json:"speak" extensions:"x-nullable"` // 电话播报的句子，{字段} 处填值；null 时由字段推出
	Version       int       `json:"version"`
	ValidFrom     *string   `json:"valid_from" extensions:"x-nullable"`
	ValidTo       *string   `json:"valid_to" extensions:"x-nullable"`
}

// NoticeTypeList lists the notice types.
type NoticeTypeList struct {
	Items       []NoticeType `json:"items"`
	Next        *string      `json:"next" extensions:"x-nullable"`
	Total       int          `json:"total"`
	TotalCapped bool         `json:"total_capped"`
	AsOf        string       `json:"as_of"`
}

// listBodies lists the bodies of the catalogue.
//
//	@Summary	公开主体
//	@Tags		目录
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	BodyList
//	@Router		/api/v1/bodies [get]
func (s *Server) listBodies(c *fiber.Ctx) error {
	pg, err := readPaging(c, "bodies", disclosure.MaxLimit)
	if err != nil {
		return err
	}
	return s.answered(c, pg.key(), func(ctx context.Context) (*disclosure.Answer, error) {
		r, err := s.Reader.Head(ctx)
		if err != nil {
			return nil, err
		}
		rows, next := cutPage(pg, r.Catalog.Bodies)
		out := BodyList{Items: []Body{}, Next: next, Total: len(r.Catalog.Bodies), AsOf: disclosure.FormatInstant(s.Now())}
		for _, b := range rows {
			out.Items = append(out.Items, Body{b.ID, b.Name, orEmpty(b.Aliases), string(b.Kind), nullable(b.Parent),
				civil(b.ValidFrom), civil(b.ValidTo), nullable(b.Successor), nullable(b.Note)})
		}
		return jsonAnswer(out, r)
	})
}

// listNoticeTypes lists the notice types in force.
//
//	@Summary	公告类型及字段定义
//	@Tags		目录
//	@Param		sector	query		string		false	"领域"
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	NoticeTypeList
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/notice-types [get]
func (s *Server) listNoticeTypes(c *fiber.Ctx) error {
	catalog := s.Cache.Catalog()
	p := readParams(c, "sector", "limit", "cursor")
	sector := p.oneOf("sector", "领域", func(v string) bool { _, err := catalog.Sector(v); return err == nil })
	pg := paging{list: "notice-types"}
	pg.filter("sector", sector)
	pg.finish(p, disclosure.MaxLimit)
	if err := p.err(); err != nil {
		return err
	}
	return s.answered(c, pg.key(), func(ctx context.Context) (*disclosure.Answer, error) {
		r, err := s.Reader.Head(ctx)
		if err != nil {
			return nil, err
		}
		now := s.Now()
		out, err := noticeTypes(r.Catalog, pg, sector, now)
		if err != nil {
			return nil, err
		}
		return untilDay(workday.DateOf(now).AddDays(1).Start())(jsonAnswer(out, r))
	})
}

func noticeTypes(c *disclosure.Catalog, pg paging, sector string, now time.Time) (NoticeTypeList, error) {
	today := workday.DateOf(now)
	var inForce []*disclosure.NoticeType
	for _, t := range c.TypesOf(sector) {
		if t.On(today) {
			inForce = append(inForce, t)
		}
	}
	rows, next := cutPage(pg, inForce)
	out := NoticeTypeList{Items: []NoticeType{}, Next: next, Total: len(inForce), AsOf: disclosure.FormatInstant(now)}
	for _, t := range rows {
		row, err := typeJSON(t, today)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, row)
	}
	return out, nil
}

func typeJSON(t *disclosure.NoticeType, today workday.Date) (NoticeType, error) {
	fields, err := fieldDefinitions(t.Fields, today)
	if err != nil {
		return NoticeType{}, fmt.Errorf("handlers: type %s: %w", t.Code, err)
	}
	out := NoticeType{Code: t.Code, Sector: t.Sector, Name: t.Name, Stage: string(t.Stage), StageName: t.Stage.Name(),
		Items: orEmpty(t.Items), Fields: fields, DeadlineField: nullable(t.DeadlineField), AmountField: nullable(t.AmountField),
		Personal: t.Personal, Basis: nullable(t.Basis), Rules: rulesJSON(t.Rules), Speak: nullable(t.Speak), Version: t.Version, ValidFrom: civil(t.ValidFrom), ValidTo: civil(t.ValidTo)}
	if t.RetentionDays > 0 {
		out.RetentionDays = &t.RetentionDays
	}
	return out, nil
}

func fieldDefinitions(fields []disclosure.Field, today workday.Date) ([]Field, error) {
	out := make([]Field, len(fields))
	for i, f := range fields {
		example, err := f.ExampleOn(today)
		if err != nil {
			return nil, err
		}
		columns, err := fieldDefinitions(f.Columns, today)
		if err != nil {
			return nil, err
		}
		out[i] = Field{Key: f.Key, Label: f.Label, Kind: string(f.Kind), Unit: nullable(f.Unit), Required: f.Required,
			Mask: nullable(string(f.Mask)), Options: orEmpty(f.Options), Columns: columns, Min: f.Min, Max: f.Max, Example: example}
	}
	return out, nil
}
