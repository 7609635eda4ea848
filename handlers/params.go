package handlers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// params reads the query string strictly: unknown parameters, repeats of what
// may stand once, and values out of range are all reported together.
type params struct {
	values map[string][]string
	faults []disclosure.FieldError
}

// readParams takes the parameters that the route knows.
func readParams(c *fiber.Ctx, known ...string) *params {
	p := &params{values: map[string][]string{}}
	c.Context().QueryArgs().VisitAll(func(k, v []byte) {
		key, value := string(k), string(v)
		switch {
		case !slices.Contains(known, key):
			p.fault(strings.ToValidUTF8(key, "?"), string(disclosure.CodeUnknown), "不认识的参数")
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			p.fault(key, string(disclosure.CodeText), "含有无法识别的字符")
		default:
			p.values[key] = append(p.values[key], value)
		}
	})
	return p
}

func (p *params) fault(field, code, message string) {
	p.faults = append(p.faults, disclosure.FieldError{Field: field, Code: code, Message: message})
}

// err returns what is wrong with the query string as one error.
func (p *params) err() error {
	if len(p.faults) == 0 {
		return nil
	}
	code := disclosure.CodeParam
	for _, special := range []disclosure.Code{disclosure.CodeCursor, disclosure.CodeUnknown, disclosure.CodeText} {
		if slices.ContainsFunc(p.faults, func(f disclosure.FieldError) bool { return f.Code == string(special) }) {
			code = special
		}
	}
	return &disclosure.Error{Code: code, Detail: fmt.Sprintf("参数“%s”：%s", p.faults[0].Field, p.faults[0].Message), Fields: p.faults}
}

// region returns a region code; "" when absent.
func (p *params) region(name string) string {
	v := p.text(name, 12)
	if v != "" && !disclosure.IsRegion(v) {
		p.fault(name, "region.invalid", disclosure.RegionMessage)
	}
	return v
}

// project returns a project code; "" when absent.
func (p *params) project(name string) string {
	v := p.text(name, 100)
	if v != "" && disclosure.ProjectKey(v) == "" { // it would be every notice of no project
		p.fault(name, "value.unknown", "没有可以辨认的编号")
	}
	return v
}

// text returns a parameter that may stand once, trimmed; "" when absent.
func (p *params) text(name string, maxLen int) string {
	v := p.values[name]
	if len(v) > 1 {
		p.fault(name, "param.repeated", "只能出现一次")
		return ""
	}
	if len(v) == 0 {
		return ""
	}
	s := strings.TrimSpace(v[0])
	if utf8.RuneCountInString(s) > maxLen {
		p.fault(name, "text.too_long", fmt.Sprintf("最多 %d 个字符", maxLen))
		return ""
	}
	return s
}

// list returns a parameter that may repeat; each value must pass.
func (p *params) list(name, what string, valid func(string) bool) []string {
	values := p.values[name]
	if len(values) > 50 {
		p.fault(name, "param.repeated", "最多出现 50 次")
		return nil
	}
	for _, v := range values {
		if !valid(v) {
			p.fault(name, "value.unknown", fmt.Sprintf("没有%s“%s”", what, v))
		}
	}
	return values
}

// oneOf returns a parameter that must pass if it is there.
func (p *params) oneOf(name, what string, valid func(string) bool) string {
	v := p.text(name, 100)
	if v != "" && !valid(v) {
		p.fault(name, "value.unknown", fmt.Sprintf("没有%s“%s”", what, v))
	}
	return v
}

func (p *params) limit(byDefault int) int {
	v := p.text("limit", 20)
	if len(p.values["limit"]) == 0 {
		return byDefault
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > disclosure.MaxLimit {
		p.fault("limit", "number.range", fmt.Sprintf("应为 1 到 %d 之间的整数", disclosure.MaxLimit))
		return byDefault
	}
	return n
}

// number returns a whole number not below low; 0 when absent.
func (p *params) number(name string, low int64) int64 {
	v := p.text(name, 20)
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < low {
		p.fault(name, "number.range", fmt.Sprintf("应为不小于 %d 的整数", low))
		return 0
	}
	return n
}

func (p *params) date(name string) workday.Date {
	v := p.text(name, 20)
	if v == "" {
		return workday.Date{}
	}
	d, err := workday.ParseDate(v)
	if err != nil {
		p.fault(name, "date.invalid", "请写成 2026-11-23 这样的日期")
	}
	return d
}

func (p *params) money(name string) *disclosure.Money {
	v := p.text(name, 30)
	if v == "" {
		return nil
	}
	m, err := disclosure.ParseMoney(v)
	if err != nil {
		p.fault(name, "money.invalid", "请写成以元为单位的数字，如 1234567.00")
		return nil
	}
	return &m
}

func (p *params) boolean(name string) bool {
	switch v := p.text(name, 10); v {
	case "", "false":
		return false
	case "true":
		return true
	default:
		p.fault(name, "boolean.invalid", "应为 true 或 false")
		return false
	}
}

// cursor reads the cursor of the list with the canonical name.
func (p *params) cursor(list string) *disclosure.Cursor {
	v := p.text("cursor", 200)
	if v == "" {
		if len(p.values["cursor"]) > 0 {
			p.fault("cursor", string(disclosure.CodeCursor), "翻页标记是空的")
		}
		return nil
	}
	c, err := disclosure.ParseCursor(v, list)
	if err != nil {
		p.fault("cursor", string(disclosure.CodeCursor), "翻页标记无效，或不属于这次查询")
	}
	return c
}

// stage reads a stage by its word or its Chinese name.
func (p *params) stage(name string) disclosure.Stage {
	v := p.text(name, 20)
	for _, known := range disclosure.Stages {
		if v == string(known.Stage) || v == known.Name {
			return known.Stage
		}
	}
	if v != "" {
		p.fault(name, "value.unknown", "应为 decision、execution、oversight、service 或 result")
	}
	return ""
}

// noticeQuery reads the parameters of a list of notices.
func (p *params) noticeQuery(c *disclosure.Catalog) disclosure.NoticeQuery {
	q := disclosure.NoticeQuery{
		Sectors: p.list("sector", "领域", func(s string) bool { _, err := c.Sector(s); return err == nil }),
		Types:   p.list("type", "公告类型", func(s string) bool { _, err := c.Type(s); return err == nil }),
		Stage:   p.stage("stage"),
		Item:    p.oneOf("item", "公开事项", func(s string) bool { _, err := c.Item(s); return err == nil }),
		Body:    p.oneOf("body", "公开主体", func(s string) bool { _, err := c.Body(s); return err == nil }),
		Project: p.project("project"), Region: p.region("region"), Q: p.text("q", 100),
		Since: p.date("since"), Until: p.date("until"),
		AmountMin: p.money("amount_min"), AmountMax: p.money("amount_max"),
		Open: p.boolean("open"), Limit: p.limit(disclosure.DefaultLimit), Sort: disclosure.Sort(p.text("sort", 20)),
	}
	switch q.Sort {
	case "":
		q.Sort = disclosure.SortPublished
	case disclosure.SortPublished, disclosure.SortDeadline, disclosure.SortRelevance:
	default:
		p.fault("sort", "value.unknown", "应为 published、deadline 或 relevance")
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && q.Until.Compare(q.Since) < 0 {
		p.fault("until", "date.order", "结束日期早于开始日期")
	}
	if q.AmountMin != nil && q.AmountMax != nil && *q.AmountMax < *q.AmountMin {
		p.fault("amount_max", "number.range", "上限小于下限")
	}
	q.After = p.cursor(q.Canonical())
	return q
}

// noticeParams are the parameters that noticeQuery reads.
var noticeParams = []string{"sector", "type", "stage", "item", "body", "project", "region", "q", "since", "until",
	"amount_min", "amount_max", "open", "sort", "cursor", "limit"}
