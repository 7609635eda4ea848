package disclosure

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/internal/workday"
)

// twoVersions is a catalogue of one type of which version 2 dropped a field,
// added one and renamed the label of another.
func twoVersions(t *testing.T) *Catalog {
	t.Helper()
	version := func(v int, fields string) Definition {
		return Definition{Kind: KindNoticeType, ID: "land.notice", Version: v,
			Doc: json.RawMessage(`{"code":"land.notice","sector":"land","fields":[` + fields + `]}`)}
	}
	c, err := NewCatalog([]Definition{
		version(2, `{"key":"price","label":"成交价","kind":"money"},{"key":"area","label":"面积","kind":"number","unit":"平方米"}`),
		version(1, `{"key":"price","label":"价格","kind":"money"},{"key":"place","label":"位置","kind":"text"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDifferences(t *testing.T) {
	c := twoVersions(t)
	for _, typ := range c.versions {
		typ.Fields = slices.Grow(typ.Fields, 2)
	}
	one := func(change func(c *Content)) Content {
		content := Content{Type: "land.notice", TypeVersion: 1, Title: "甲", Fields: Values{"price": "1.00", "place": "盐东镇"}}
		change(&content)
		return content
	}
	same := func(*Content) {}
	newer := func(c *Content) {
		c.TypeVersion, c.Fields = 2, Values{"price": "1.00", "area": json.Number("5")}
	}
	file := func(sum string) []Attachment { return []Attachment{{Name: "a.pdf", SHA256: sum}} }
	tests := []struct {
		name     string
		from, to func(c *Content)
		want     []Difference
	}{
		{"equal", same, same, []Difference{}},
		{"title", same, func(c *Content) { c.Title = "乙" }, []Difference{{"title", "标题", "甲", "乙", "甲", "乙"}}},
		{"summary added", same, func(c *Content) { c.Summary = "乙" }, []Difference{{"summary", "摘要", nil, "乙", "", "乙"}}},
		{"source", same, func(c *Content) { c.Source = Source{Name: "乙", URL: "https://example.com"} }, []Difference{
			{"source.name", "信息来源", nil, "乙", "", "乙"}, {"source.url", "来源网址", nil, "https://example.com", "", "https://example.com"}}},
		{"first published elsewhere", same, func(c *Content) { c.Source.FirstPublishedAt = testDay.Start() }, []Difference{
			{"source.first_published_at", "来源首次发布时间", nil, "2026-11-23T00:00:00+08:00", "", "2026年11月23日 00:00"}}},
		{"project removed", func(c *Content) { c.Project = &Project{"1", "甲"} }, same, []Difference{
			{"project.code", "项目编号", "1", nil, "1", ""}, {"project.name", "项目名称", "甲", nil, "甲", ""}}},
		{"dates, region and items", same, func(c *Content) {
			c.FormedAt, c.DecidedAt, c.Region, c.Items = testDay, testDay, "320902", []string{"A1-04", "A1-05"}
		}, []Difference{
			{"region", "行政区划", nil, "320902", "", "320902"}, {"formed_at", "形成日期", nil, "2026-11-23", "", "2026-11-23"},
			{"decided_at", "决定日期", nil, "2026-11-23", "", "2026-11-23"}, {"items", "公开事项", nil, "A1-04、A1-05", "", "A1-04、A1-05"}}},
		{"a field, as people read it", same, func(c *Content) { c.Fields["price"] = "1234.50" }, []Difference{
			{"fields.price", "价格", "1.00", "1234.50", "1.00元", "1,234.50元"}}},
		{"a field removed", same, func(c *Content) { delete(c.Fields, "place") }, []Difference{
			{"fields.place", "位置", "盐东镇", nil, "盐东镇", ""}}},
		{"fields of one version only, newer labels first", same, newer, []Difference{
			{"fields.area", "面积", nil, json.Number("5"), "", "5平方米"}, {"fields.place", "位置", "盐东镇", nil, "盐东镇", ""}}},
		{"back to the older version", newer, same, []Difference{
			{"fields.place", "位置", nil, "盐东镇", "", "盐东镇"}, {"fields.area", "面积", json.Number("5"), nil, "5平方米", ""}}},
		{"markup alone", func(c *Content) { c.BodyHTML = "<p>甲</p>" }, func(c *Content) { c.BodyHTML = "<p>甲</p><p><b>乙</b></p>" }, []Difference{
			{"body_html", "正文", "<p>甲</p>", "<p>甲</p><p><b>乙</b></p>", "甲", "甲\n乙"}}},
		{"a file of the same name", func(c *Content) { c.Attachments = file("1111aaaa22") }, func(c *Content) { c.Attachments = file("3333bbbb44") },
			[]Difference{{"attachments", "附件", "a.pdf（1111aaaa）", "a.pdf（3333bbbb）", "a.pdf（1111aaaa）", "a.pdf（3333bbbb）"}}},
		{"a file of a short hash", same, func(c *Content) { c.Attachments = file("1") },
			[]Difference{{"attachments", "附件", nil, "a.pdf（1）", "", "a.pdf（1）"}}},
	}
	for _, tt := range tests {
		got, err := Differences(c, one(tt.from), one(tt.to))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: Differences() = %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
	for _, typ := range c.versions {
		if spare := typ.Fields[2:3][0]; spare.Key != "" {
			t.Errorf("Differences() wrote %s behind the fields of version %d, which others read", spare.Key, typ.Version)
		}
	}
}

func TestDifferencesNeedTheirTypes(t *testing.T) {
	c := twoVersions(t)
	known := Content{Type: "land.notice", TypeVersion: 1}
	for _, unknown := range []Content{{Type: "land.notice", TypeVersion: 3}, {Type: "land.nope", TypeVersion: 1}} {
		if _, err := Differences(c, known, unknown); codeOf(err) != CodeNoItem {
			t.Errorf("Differences(to %s v%d) = %v, want code %q", unknown.Type, unknown.TypeVersion, err, CodeNoItem)
		}
		if _, err := Differences(c, unknown, known); codeOf(err) != CodeNoItem {
			t.Errorf("Differences(from %s v%d) = %v, want code %q", unknown.Type, unknown.TypeVersion, err, CodeNoItem)
		}
	}
}

// What the store keeps and what a draft gives compare equal.
func TestStoredContentDoesNotDiffer(t *testing.T) {
	c := sharedCatalog(t)
	for _, typ := range c.Types {
		content := exampleContent(t, typ.Code)
		stored, err := DecodeContent([]byte(valueJSON(t, content)))
		if err != nil {
			t.Fatal(err)
		}
		if diffs, err := Differences(c, content, stored); err != nil || len(diffs) > 0 {
			t.Errorf("Differences(%s, as stored) = %v, %v, want none", typ.Code, diffs, err)
		}
		a, errA := content.ContentSHA256()
		b, errB := stored.ContentSHA256()
		if a != b || len(a) != 64 || errA != nil || errB != nil {
			t.Errorf("ContentSHA256(%s, as stored) = %s, %v, want %s, %v", typ.Code, b, errB, a, errA)
		}
	}
	if _, err := DecodeContent([]byte(`{"title":5}`)); err == nil {
		t.Error("DecodeContent(a number for a title) = nil, want an error")
	}
}

// Instructions for the original are not what the public reads; all else is.
func TestContentHash(t *testing.T) {
	hash := func(change func(c *Content)) string {
		c := Content{Title: "甲", Fields: Values{"a": "1"}}
		change(&c)
		sum, err := c.ContentSHA256()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	base := hash(func(*Content) {})
	tests := []struct {
		name   string
		change func(c *Content)
		same   bool
	}{
		{"changes", func(c *Content) { c.Changes = json.RawMessage(`{"title":"乙"}`) }, true},
		{"title", func(c *Content) { c.Title = "乙" }, false},
		{"a field", func(c *Content) { c.Fields["a"] = "2" }, false},
		{"a file", func(c *Content) { c.Attachments = []Attachment{{SHA256: "1"}} }, false},
		{"source", func(c *Content) { c.Source.URL = "https://example.com" }, false},
	}
	for _, tt := range tests {
		if got := hash(tt.change); (got == base) != tt.same {
			t.Errorf("ContentSHA256(%s changed) = %s, same %t, want %t", tt.name, got, got == base, tt.same)
		}
	}
}

// What lists show is taken from the fields that the type names.
func TestDeadlineAndAmount(t *testing.T) {
	end := time.Date(2026, time.November, 30, 23, 59, 59, 0, workday.Shanghai)
	tests := []struct {
		name  string
		kind  FieldKind
		value any
		want  time.Time
	}{
		{"instant", FieldDatetime, "2026-11-30T09:30:00+08:00", time.Date(2026, 11, 30, 9, 30, 0, 0, workday.Shanghai)},
		{"a day counts to its end", FieldDate, "2026-11-30", end},
		{"a period to the end of its last day", FieldPeriod, map[string]any{"from": "2026-11-23", "to": "2026-11-30"}, end},
		{"absent", FieldDate, nil, time.Time{}},
		{"of an erased notice", FieldPeriod, map[string]any{}, time.Time{}},
	}
	for _, tt := range tests {
		typ := &NoticeType{DeadlineField: "x", AmountField: "y", Fields: []Field{{Key: "x", Kind: tt.kind}, {Key: "y", Kind: FieldMoney}}}
		c := Content{Fields: Values{"x": tt.value, "y": "12.50"}}
		if got := c.DeadlineAt(typ); !got.Equal(tt.want) {
			t.Errorf("%s: DeadlineAt(%v) = %s, want %s", tt.name, tt.value, got, tt.want)
		}
		if got, ok := c.Amount(typ); got != 1250 || !ok {
			t.Errorf("%s: Amount() = %d, %t, want 1250", tt.name, got, ok)
		}
	}
	none := &NoticeType{Fields: []Field{{Key: "x", Kind: FieldDate}}}
	c := Content{Fields: Values{"x": "2026-11-30"}}
	if got, ok := c.Amount(none); ok || !c.DeadlineAt(none).IsZero() {
		t.Errorf("a type that names no field: DeadlineAt() = %s, Amount() = %d, want nothing", c.DeadlineAt(none), got)
	}
}

func TestAbstract(t *testing.T) {
	typ := &NoticeType{Fields: []Field{{Key: "who", Label: "申请人", Kind: FieldPerson, Mask: MaskName}, {Key: "price", Label: "价格", Kind: FieldMoney},
		{Key: "rows", Label: "明细", Kind: FieldTable, Columns: []Field{{Key: "a", Label: "甲", Kind: FieldText}}}}}
	fields := Values{"who": "王小明", "price": "1.00", "rows": []any{map[string]any{"a": "x"}}}
	tests := []struct {
		name string
		in   Content
		want string
	}{
		{"as entered", Content{Summary: "摘要", BodyHTML: "<p>正文</p>", Fields: fields}, "摘要"},
		{"beginning of the text", Content{BodyHTML: "<p>第一段</p><p>第二段</p>", Fields: fields}, "第一段 第二段"},
		{"fields, neither masked ones nor tables", Content{Fields: fields}, "价格：1.00元"},
		{"120 characters at most", Content{BodyHTML: strings.Repeat("字", 121)}, strings.Repeat("字", 119) + "…"},
		{"nothing", Content{}, ""},
	}
	for _, tt := range tests {
		if got := tt.in.Abstract(typ); got != tt.want {
			t.Errorf("%s: Abstract() = %q, want %q", tt.name, got, tt.want)
		}
	}
}
