package disclosure

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/internal/workday"
)

// contentOn is a notice of the examples of its type's fields on a day, with
// some fields replaced; nil removes one.
func contentOn(t testing.TB, c *Catalog, code string, day workday.Date, requiredOnly bool, with map[string]any) Content {
	t.Helper()
	typ, err := c.Type(code)
	if err != nil {
		t.Fatal(err)
	}
	values, err := typ.Examples(day, requiredOnly)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(values, with)
	raw := map[string]json.RawMessage{}
	for key, v := range values {
		if raw[key], err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	fields, faults := ParseValues(typ.Fields, raw)
	if len(faults) > 0 {
		t.Fatalf("%s on %s: %+v", code, day, faults)
	}
	return Content{Type: code, TypeVersion: typ.Version, Title: typ.Name, Body: "resource-trading-centre", Items: typ.Items,
		Source: Source{Name: "亭湖区公共资源交易平台"}, Fields: fields, FormedAt: day, Region: "320902"}
}

// TestExamplesKeepEveryRuleOnAnyDay: a draft of the examples can be submitted
// without an error or a warning whatever day it is, in years whose holidays are
// published and in one whose are not.
func TestExamplesKeepEveryRuleOnAnyDay(t *testing.T) {
	c := builtinCatalog(t)
	for _, typ := range c.Types {
		step := 1
		if len(typ.Rules) == 0 { // its dates are held to nothing but D1
			step = 17
		}
		for _, requiredOnly := range []bool{true, false} {
			for day := (workday.Date{Year: 2026, Month: time.January, Day: 1}); day.Year < 2028; day = day.AddDays(step) {
				if got := c.Review(contentOn(t, c, typ.Code, day, requiredOnly, nil), day); got != nil {
					t.Fatalf("%s on %s: %+v", typ.Code, day, got)
				}
			}
		}
	}
}

func period(from, to string) map[string]any { return map[string]any{"from": from, "to": to} }

// ruleCases holds every term that is checked against dates of a notice: one that
// keeps it, one at its very limit, and one that breaks it by a day. All are of
// Monday 23 November 2026. The find is "rule code", with "!" when it blocks.
var ruleCases = []struct {
	name, code string
	change     func(*Content)
	with       map[string]any
	want       string
}{
	{"D1 kept", "land.change", func(c *Content) { c.FormedAt = date("2026-11-20") }, nil, ""},
	{"D1 at the limit", "land.change", func(c *Content) { c.FormedAt = date("2026-10-26") }, nil, ""},
	{"D1 broken", "land.change", func(c *Content) { c.FormedAt = date("2026-10-23") }, nil, "D1 date.too_late"},
	{"D1 from the future", "land.change", func(c *Content) { c.FormedAt = date("2026-11-24") }, nil, "D1! date.order"},
	{"D2 kept", "construction.approval", nil, map[string]any{"decided_on": "2026-11-20"}, ""},
	{"D2 at the limit", "construction.approval", nil, map[string]any{"decided_on": "2026-11-12"}, ""},
	{"D2 broken", "construction.approval", nil, map[string]any{"decided_on": "2026-11-11"}, "D2 date.too_late"},
	{"D2 of a penalty", "medical.penalty", nil, map[string]any{"decided_on": "2026-11-11"}, "D2 date.too_late"},
	{"D2 from the decision date of the notice", "construction.penalty", func(c *Content) { c.DecidedAt = date("2026-11-11") }, nil, "D2 date.too_late"},
	{"D2 at the limit of that date", "construction.penalty", func(c *Content) { c.DecidedAt = date("2026-11-12") }, nil, ""},
	{"D4 sale kept", "construction.tender_notice", nil, map[string]any{"document_period": period("2026-11-23", "2026-11-30")}, ""},
	{"D4 sale at the limit", "construction.tender_notice", nil, map[string]any{"document_period": period("2026-11-23", "2026-11-28")}, ""},
	{"D4 sale broken", "construction.tender_notice", nil, map[string]any{"document_period": period("2026-11-23", "2026-11-27")}, "D4! date.too_early"},
	{"D4 sale of days gone by", "construction.tender_notice", nil, map[string]any{"document_period": period("2026-11-01", "2026-11-27")}, "D4! date.too_early"},
	{"D4 application kept", "construction.prequalification_notice", nil,
		map[string]any{"document_period": period("2026-11-23", "2026-11-30"), "application_deadline": "2026-12-10T09:30:00+08:00"}, ""},
	{"D4 application at the limit", "construction.prequalification_notice", nil,
		map[string]any{"document_period": period("2026-11-23", "2026-11-30"), "application_deadline": "2026-12-05T09:30:00+08:00"}, ""},
	{"D4 application broken", "construction.prequalification_notice", nil,
		map[string]any{"document_period": period("2026-11-23", "2026-11-30"), "application_deadline": "2026-12-04T17:00:00+08:00"}, "D4! date.too_early"},
	{"D5 kept", "construction.tender_notice", nil, map[string]any{"bid_deadline": "2026-12-28T09:30:00+08:00"}, ""},
	{"D5 at the limit, on a Sunday", "construction.tender_notice", nil, map[string]any{"bid_deadline": "2026-12-13T09:30:00+08:00"}, ""},
	{"D5 broken", "construction.tender_notice", nil, map[string]any{"bid_deadline": "2026-12-12T23:59:00+08:00"}, "D5! date.too_early"},
	{"D5 of a purchase", "procurement.tender_notice", nil, map[string]any{"bid_deadline": "2026-12-12T23:59:00+08:00"}, "D5! date.too_early"},
	{"D5 in the zone of the sender", "construction.tender_notice", nil, map[string]any{"bid_deadline": "2026-12-12T16:00:00Z"}, ""},
	{"D5 from the issue of the documents", "construction.tender_notice", nil, map[string]any{
		"document_period": period("2026-11-25", "2026-12-02"), "bid_deadline": "2026-12-14T09:30:00+08:00"}, "D5! date.too_early"},
	{"D5 of a notice issued elsewhere before", "construction.tender_notice",
		func(c *Content) { c.Source.FirstPublishedAt = date("2026-11-01").Start() },
		map[string]any{"document_period": period("2026-11-01", "2026-11-08"), "bid_deadline": "2026-11-25T09:30:00+08:00"}, ""},
	{"D6 kept", "construction.clarification", nil, map[string]any{"bid_deadline": "2026-12-28T09:30:00+08:00"}, ""},
	{"D6 at the limit", "construction.clarification", nil, map[string]any{"bid_deadline": "2026-12-08T09:30:00+08:00"}, ""},
	{"D6 broken", "construction.clarification", nil, map[string]any{"bid_deadline": "2026-12-07T09:30:00+08:00"}, "D6! date.too_early"},
	{"D6 of a prequalification at the limit", "construction.prequalification_clarification", nil,
		map[string]any{"application_deadline": "2026-11-26T09:30:00+08:00"}, ""},
	{"D6 of a prequalification broken", "construction.prequalification_clarification", nil,
		map[string]any{"application_deadline": "2026-11-25T09:30:00+08:00"}, "D6! date.too_early"},
	{"D8 publication at the limit", "construction.candidates", nil, map[string]any{"evaluation_report_on": "2026-11-20"}, ""},
	{"D8 publication over a weekend", "construction.candidates", nil, map[string]any{"evaluation_report_on": "2026-11-19"}, ""}, // 22 November is a Sunday
	{"D8 publication broken", "construction.candidates", nil, map[string]any{"evaluation_report_on": "2026-11-17"}, "D8 date.too_late"},
	{"D8 publicity kept", "construction.candidates", nil, map[string]any{"publicity_period": period("2026-11-23", "2026-11-27")}, ""},
	{"D8 publicity at the limit", "construction.candidates", nil, map[string]any{"publicity_period": period("2026-11-23", "2026-11-26")}, ""},
	{"D8 publicity broken", "construction.candidates", nil, map[string]any{"publicity_period": period("2026-11-23", "2026-11-25")}, "D8! date.too_early"},
	{"D8 publicity ends on a day off", "construction.candidates", nil, map[string]any{"publicity_period": period("2026-11-25", "2026-11-28")}, "D8! date.too_early"},
	{"D8 publicity begun before it was published", "construction.candidates", nil, map[string]any{"publicity_period": period("2026-11-20", "2026-11-24")}, "D8! date.too_early"},
	{"D9 contract kept", "construction.contract", nil, map[string]any{"award_notice_on": "2026-11-03", "signed_on": "2026-11-20"}, ""},
	{"D9 contract at the limit", "construction.contract", nil, map[string]any{"award_notice_on": "2026-10-21", "signed_on": "2026-11-20"}, ""},
	{"D9 contract over a weekend", "construction.contract", nil, map[string]any{"award_notice_on": "2026-10-22", "signed_on": "2026-11-23"}, ""},
	{"D9 contract broken", "construction.contract", nil, map[string]any{"award_notice_on": "2026-10-20", "signed_on": "2026-11-20"}, "D9 date.too_late"},
	{"D9 signed before the award", "construction.contract", nil, map[string]any{"award_notice_on": "2026-11-21", "signed_on": "2026-11-20"}, "D9! date.order"},
	{"D11 documents kept", "procurement.tender_notice", nil, map[string]any{"document_period": period("2026-11-23", "2026-12-01")}, ""},
	{"D11 documents at the limit", "procurement.tender_notice", nil, map[string]any{"document_period": period("2026-11-23", "2026-11-30")}, ""},
	{"D11 documents broken", "procurement.tender_notice", nil, map[string]any{"document_period": period("2026-11-23", "2026-11-29")}, "D11! date.too_early"},
	{"D11 prequalification broken", "procurement.prequalification_notice", nil, map[string]any{"document_period": period("2026-11-23", "2026-11-27")}, "D11! date.too_early"},
	{"D11 single source at the limit", "procurement.single_source", nil, map[string]any{"publicity_period": period("2026-11-23", "2026-11-30")}, ""},
	{"D11 single source broken", "procurement.single_source", nil, map[string]any{"publicity_period": period("2026-11-23", "2026-11-27")}, "D11! date.too_early"},
	{"D12 result kept", "procurement.award_result", nil, map[string]any{"winner_fixed_on": "2026-11-23"}, ""},
	{"D12 result at the limit", "procurement.award_result", nil,
		map[string]any{"winner_fixed_on": "2026-11-19", "evaluated_on": "2026-11-18", "evaluation_report_on": "2026-11-18"}, ""},
	{"D12 result broken", "procurement.award_result", nil,
		map[string]any{"winner_fixed_on": "2026-11-18", "evaluated_on": "2026-11-18", "evaluation_report_on": "2026-11-18"}, "D12 date.too_late"},
	{"D12 contract at the limit", "procurement.contract", nil, map[string]any{"signed_on": "2026-11-19"}, ""},
	{"D12 contract broken", "procurement.contract", nil, map[string]any{"signed_on": "2026-11-18"}, "D12 date.too_late"},
	{"D13 report broken", "procurement.award_result", nil, map[string]any{"evaluated_on": "2026-11-18"}, "D13 date.too_late"},
	{"D13 confirmation at the limit", "procurement.award_result", nil,
		map[string]any{"evaluated_on": "2026-11-16", "evaluation_report_on": "2026-11-16"}, ""},
	{"D13 confirmation broken", "procurement.award_result", nil,
		map[string]any{"evaluated_on": "2026-11-13", "evaluation_report_on": "2026-11-13"}, "D13 date.too_late"},
	{"D14 decision at the limit", "procurement.complaint_decision", nil, map[string]any{"case_accepted_on": "2026-10-12"}, ""},
	{"D14 decision broken", "procurement.complaint_decision", nil, map[string]any{"case_accepted_on": "2026-10-10"}, "D14 date.too_late"},
	{"D15 tender at the limit", "procurement.tender_notice", nil, map[string]any{"notice_period": period("2026-11-23", "2026-11-30")}, ""},
	{"D15 tender broken", "procurement.tender_notice", nil, map[string]any{"notice_period": period("2026-11-23", "2026-11-27")}, "D15 date.too_early"},
	{"D15 result at the limit", "procurement.award_result", nil, map[string]any{"notice_period": period("2026-11-23", "2026-11-24")}, ""},
	{"D15 result broken", "procurement.award_result", nil, map[string]any{"notice_period": period("2026-11-23", "2026-11-23")}, "D15 date.too_early"},
	{"D16 notice kept", "land.transfer_notice", nil, map[string]any{"listing_period": period("2026-12-20", "2027-01-07")}, ""},
	{"D16 notice at the limit", "land.transfer_notice", nil, map[string]any{"listing_period": period("2026-12-13", "2027-01-07")}, ""},
	{"D16 notice broken", "land.transfer_notice", nil, map[string]any{"listing_period": period("2026-12-12", "2027-01-07")}, "D16 date.too_early"},
	{"D16 listing at the limit", "land.transfer_notice", nil, map[string]any{"listing_period": period("2026-12-13", "2026-12-23")}, ""},
	{"D16 listing broken", "land.transfer_notice", nil, map[string]any{"listing_period": period("2026-12-13", "2026-12-22")}, "D16 date.too_early"},
	{"D16 an auction has no listing", "land.transfer_notice", nil,
		map[string]any{"transfer_method": "拍卖", "listing_period": period("2026-12-13", "2026-12-14")}, ""},
	{"D16 result at the limit", "land.deal_publicity", nil, map[string]any{"winner_fixed_on": "2026-11-09"}, ""},
	{"D16 result broken", "land.supply_result", nil, map[string]any{"winner_fixed_on": "2026-11-06"}, "D16 date.too_late"},
	{"D17 plan at the limit", "land.supply_plan", nil, map[string]any{"decided_on": "2026-10-26"}, ""},
	{"D17 plan broken", "land.supply_plan", nil, map[string]any{"decided_on": "2026-10-23"}, "D17 date.too_late"},
	{"D18 formal at the limit", "property.transfer_notice", nil,
		map[string]any{"transfer_kind": "产权转让", "disclosure_stage": "正式披露", "disclosure_period": period("2026-11-23", "2026-12-21")}, ""},
	{"D18 formal broken", "property.transfer_notice", nil,
		map[string]any{"transfer_kind": "产权转让", "disclosure_stage": "正式披露", "disclosure_period": period("2026-11-23", "2026-12-20")}, "D18 date.too_early"},
	{"D18 a pre-disclosure", "property.transfer_notice", nil,
		map[string]any{"transfer_kind": "产权转让", "disclosure_stage": "预披露", "disclosure_period": period("2026-11-23", "2026-12-01")}, ""},
	{"D18 asset at the limit", "property.transfer_notice", nil,
		map[string]any{"transfer_kind": "资产转让", "reserve_price": "9999999.99", "disclosure_period": period("2026-11-23", "2026-12-07")}, ""},
	{"D18 asset broken", "property.transfer_notice", nil,
		map[string]any{"transfer_kind": "资产转让", "reserve_price": "1000000.00", "disclosure_period": period("2026-11-23", "2026-12-06")}, "D18 date.too_early"},
	{"D18 large asset broken", "property.transfer_notice", nil,
		map[string]any{"transfer_kind": "资产转让", "reserve_price": "10000000.00", "disclosure_period": period("2026-11-23", "2026-12-07")}, "D18 date.too_early"},
	{"D18 a lease", "property.transfer_notice", nil,
		map[string]any{"transfer_kind": "资产租赁", "disclosure_period": period("2026-11-23", "2026-11-24")}, ""},
	{"D18 result at the limit", "property.result_notice", nil, map[string]any{"publicity_period": period("2026-11-23", "2026-11-30")}, ""},
	{"D18 result broken", "property.result_notice", nil, map[string]any{"publicity_period": period("2026-11-23", "2026-11-29")}, "D18 date.too_early"},
	{"D19 at the limit", "procurement.intention", nil, map[string]any{"planned_on": "2026-12-23"}, ""},
	{"D19 broken", "procurement.intention", nil, map[string]any{"planned_on": "2026-12-22"}, "D19 date.too_early"},
	{"D21 at the district's limit", "housing.allocation_result", nil,
		map[string]any{"publicity_workdays": nil, "publicity_period": period("2026-11-23", "2026-12-02")}, ""},
	{"D21 broken", "housing.allocation_result", nil,
		map[string]any{"publicity_workdays": nil, "publicity_period": period("2026-11-23", "2026-12-01")}, "D21 date.too_early"},
	{"D21 at the batch's limit", "housing.allocation_recipients", nil,
		map[string]any{"publicity_workdays": 15, "publicity_period": period("2026-11-23", "2026-12-14")}, ""},
	{"D21 below the batch's limit", "housing.rural_recipients", nil,
		map[string]any{"publicity_workdays": 15, "publicity_period": period("2026-11-23", "2026-12-11")}, "D21 date.too_early"},
}

func date(s string) workday.Date {
	d, err := workday.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func findingText(findings []Finding) string {
	var out []string
	for _, f := range findings {
		mark := "! "
		if f.Warning {
			mark = " "
		}
		out = append(out, f.Rule+mark+f.Code)
	}
	return strings.Join(out, "; ")
}

func TestRules(t *testing.T) {
	c := sharedCatalog(t)
	for _, tt := range ruleCases {
		n := contentOn(t, c, tt.code, testDay, false, tt.with)
		if tt.change != nil {
			tt.change(&n)
		}
		if got := findingText(c.Review(n, testDay)); got != tt.want {
			t.Errorf("%s: Review() = %q, want %q\n%+v", tt.name, got, tt.want, c.Review(n, testDay))
		}
	}
}

// TestEveryCheckableRuleHasACase: no rule that a type holds against its dates is
// without one that keeps and one that breaks it.
func TestEveryCheckableRuleHasACase(t *testing.T) {
	c := sharedCatalog(t)
	kept, broken := map[string]bool{}, map[string]bool{}
	for _, tt := range ruleCases {
		rule, _, _ := strings.Cut(tt.name, " ")
		if tt.want == "" {
			kept[rule] = true
		} else {
			broken[rule] = true
		}
	}
	for _, typ := range c.Types {
		for _, u := range typ.Rules {
			id, _, _ := strings.Cut(u.Rule, ".")
			if u.To != "" && (!kept[id] || !broken[id]) {
				t.Errorf("%s of %s has no case", id, typ.Code)
			}
		}
	}
}

// A message says what to do: the date, the earliest that is right, and the law.
func TestRuleMessages(t *testing.T) {
	c := sharedCatalog(t)
	early := contentOn(t, c, "construction.tender_notice", testDay, true, map[string]any{"bid_deadline": "2026-12-01T09:30:00+08:00"})
	got := c.Review(early, testDay)
	want := "“投标截止时间”为2026年12月1日，最早应为2026年12月13日：投标人编制投标文件的时间，自首次发布之日（2026年11月23日）起不少于20日（招标投标法 第二十四条；政府采购法 第三十五条）"
	if len(got) != 1 || got[0].Message != want || got[0].Field != "fields.bid_deadline" {
		t.Errorf("got %+v\nwant %s", got, want)
	}
	late := contentOn(t, c, "land.change", testDay, true, nil)
	late.FormedAt = date("2026-10-01")
	got = c.Review(late, testDay)
	if len(got) != 1 || got[0].Field != "formed_at" || !strings.Contains(got[0].Message, "请写明原因") {
		t.Errorf("got %+v", got)
	}
	// Across the end of the last published year the limit is provisional.
	bare := contentOn(t, c, "property.result_notice", date("2026-12-28"), true, map[string]any{"publicity_period": period("2026-12-28", "2027-01-03")})
	if got := c.Review(bare, date("2026-12-28")); len(got) != 1 || !strings.Contains(got[0].Message, "按尚未公布的放假安排暂定") {
		t.Errorf("got %+v", got)
	}
}

// D17's other terms belong to notices the order does not list; a district that
// adds such a type gets them by data.
func TestRulesOfAnAddedType(t *testing.T) {
	defs, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	added, err := ParseDefinition(KindNoticeType, []byte(`{"code":"land.requisition","sector":"land","name":"征收土地预公告","items":["A1-09"],
		"rules":[{"rule":"D17.pre_notice","from":["issued"],"to":"notice_period.to"}],
		"fields":[{"key":"notice_period","label":"公告期","kind":"period"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	added.Version = 1
	c, err := NewCatalog(append(defs, added))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(added); err != nil {
		t.Error(err)
	}
	for last, want := range map[string]string{"2026-12-04": "D17! date.too_early", "2026-12-07": "", "2026-12-31": ""} {
		n := contentOn(t, c, "land.requisition", testDay, false, map[string]any{"notice_period": period("2026-11-23", last)})
		if got := findingText(c.Review(n, testDay)); got != want {
			t.Errorf("until %s: %q, want %q", last, got, want)
		}
	}
}

func TestReviewOfAmendments(t *testing.T) {
	c := sharedCatalog(t)
	published := date("2026-11-23").Start().Add(10 * time.Hour)
	original := func(code string) Notice {
		return Notice{ID: "n1", Content: contentOn(t, c, code, testDay, false, nil), PublishedAt: published, Status: StatusPublished}
	}
	by := func(sector, kind string, how RelationType, with map[string]any) Content {
		n := contentOn(t, c, sector+"."+kind, testDay, true, with)
		n.Relations, n.FormedAt = []Relation{{Type: how, ID: "n1"}}, workday.Date{}
		return n
	}
	moved := func(n Notice, deadline string) Content {
		changed := n.Content
		changed.Fields = maps.Clone(n.Fields)
		changed.Fields["bid_deadline"] = deadline
		return changed
	}
	tender := original("construction.tender_notice") // its deadline is 7 January 2027
	penalty := original("construction.penalty")
	correction := by("construction", "correction", RelationCorrects, nil)
	for name, tt := range map[string]struct {
		original Notice
		changed  Content
		by       Content
		today    string
		want     string
	}{
		"a deadline moved on":          {tender, moved(tender, "2027-01-20T09:30:00+08:00"), correction, "2026-12-01", ""},
		"a deadline moved too near":    {tender, moved(tender, "2026-12-12T09:30:00+08:00"), correction, "2026-11-24", "D5! date.too_early"},
		"too near for both":            {tender, moved(tender, "2026-12-05T09:30:00+08:00"), correction, "2026-11-24", "D5! date.too_early; D6 date.too_early"},
		"at the limit of D6":           {tender, tender.Content, correction, "2026-12-23", ""},
		"shortly before the deadline":  {tender, tender.Content, correction, "2026-12-24", "D6 date.too_early"},
		"shortly before, but moved on": {tender, moved(tender, "2027-01-20T09:30:00+08:00"), correction, "2026-12-24", ""},
		"after the deadline":           {tender, tender.Content, correction, "2027-01-08", ""},
		"after it, and reopened":       {tender, moved(tender, "2027-01-12T09:30:00+08:00"), correction, "2027-01-08", "D6 date.too_early"},
		"after it, reopened for long":  {tender, moved(tender, "2027-01-25T09:30:00+08:00"), correction, "2027-01-08", ""},
		"a penalty revoked in time": {penalty, penalty.Content, by("construction", "termination", RelationTerminates,
			map[string]any{"terminated_on": "2026-11-23"}), "2026-11-26", ""},
		"a penalty revoked and left": {penalty, penalty.Content, by("construction", "termination", RelationTerminates,
			map[string]any{"terminated_on": "2026-11-23"}), "2026-11-27", "D3 date.too_late"},
		"a tender terminated late": {tender, tender.Content, by("construction", "termination", RelationTerminates,
			map[string]any{"terminated_on": "2026-11-23"}), "2026-12-30", ""},
	} {
		got := c.ReviewAmendment(tt.original, tt.changed, tt.by, date(tt.today))
		if findingText(got) != tt.want {
			t.Errorf("%s: %q, want %q\n%+v", name, findingText(got), tt.want, got)
		}
		if len(got) > 0 && got[0].Rule == "D5" && got[0].Field != "changes.bid_deadline" {
			t.Errorf("%s: on %s", name, got[0].Field)
		}
	}
}

func TestDeadlinesOfNotices(t *testing.T) {
	c := sharedCatalog(t)
	for code, want := range map[string][]string{
		"construction.tender_notice": {"D4.sale 招标文件获取时间届满 2026-12-13T23:59:59+08:00",
			"D7.bid 对招标文件提出异议截止 2026-12-28T23:59:59+08:00", "D5.bid 投标截止时间 2027-01-07T09:30:00+08:00"},
		"construction.candidates": {"D8.publicity 公示期届满（提出异议截止） 2026-12-08T23:59:59+08:00"},
		"construction.award_result": {"D10.complaint 投诉期限 2026-12-03T23:59:59+08:00",
			"D9.report 招标投标情况报告期限 2026-12-08T23:59:59+08:00", "D9.contract 订立合同期限 2026-12-23T23:59:59+08:00"},
		"construction.contract": {"D9.bond 退还投标保证金期限 2026-11-30T23:59:59+08:00"}, // the 28th is a Saturday
		"procurement.award_result": {"D15.result 公告期限届满 2026-12-08T23:59:59+08:00",
			"D14.challenge 对采购结果提出质疑截止 2026-12-17T23:59:59+08:00", "D9.contract 订立合同期限 2026-12-23T23:59:59+08:00"},
		"procurement.negotiation_notice": {"D11.documents 采购文件获取时间届满 2026-12-13T23:59:59+08:00", " 响应文件提交截止时间 2026-12-23T09:30:00+08:00"},
		"land.deal_publicity":            {" 公示期届满 2026-12-08T23:59:59+08:00"},
		"land.change":                    nil,
	} {
		n := Notice{Content: contentOn(t, c, code, testDay, false, nil), PublishedAt: testDay.Start().Add(9 * time.Hour), Status: StatusPublished}
		var got []string
		for _, d := range c.Deadlines(n) {
			got = append(got, d.Rule+" "+d.Label+" "+FormatInstant(d.DueAt))
			if d.Provisional != (d.DueAt.Year() == 2027 && d.Rule != "D5.bid") {
				t.Errorf("%s: %s provisional = %t", code, d.Rule, d.Provisional)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", code, got, want)
		}
		n.Status = StatusTerminated
		if got := c.Deadlines(n); got != nil {
			t.Errorf("%s, terminated: %v", code, got)
		}
	}
	// The award notice goes out when the winner is fixed (招标投标法 第四十五条).
	n := Notice{Content: contentOn(t, c, "construction.award_result", testDay, true, map[string]any{"winner_fixed_on": "2026-11-20"}),
		PublishedAt: testDay.Start(), Status: StatusPublished}
	if d := c.Deadlines(n); len(d) != 3 || d[2].Rule != "D9.contract" || d[2].From != date("2026-11-20") {
		t.Errorf("without the day of the award notice: %+v", d)
	}
}

func TestTimeliness(t *testing.T) {
	c := sharedCatalog(t)
	for _, tt := range []struct {
		code, formed, decided, published string
		want                             Timeliness
		known                            bool
	}{
		{"land.change", "2026-10-26", "", "2026-11-23", Timeliness{Rule: "D1", From: date("2026-10-26"), Due: date("2026-11-23")}, true},
		{"land.change", "2026-10-23", "", "2026-11-23", Timeliness{Rule: "D1", From: date("2026-10-23"), Due: date("2026-11-20"), Late: true}, true},
		{"land.change", "", "", "2026-11-23", Timeliness{}, false},
		{"medical.penalty", "2026-11-01", "2026-11-11", "2026-11-23", Timeliness{Rule: "D2", From: date("2026-11-11"), Due: date("2026-11-20"), Late: true}, true},
		{"medical.penalty", "2026-10-01", "2026-11-20", "2026-11-23", Timeliness{Rule: "D1", From: date("2026-10-01"), Due: date("2026-11-03"), Late: true}, true},
		{"land.change", "2026-12-20", "", "2026-12-31", Timeliness{Rule: "D1", From: date("2026-12-20"), Due: date("2027-01-18"), Provisional: true}, true},
	} {
		n := Notice{Content: contentOn(t, c, tt.code, date(tt.published), false, nil), PublishedAt: date(tt.published).Start(), Status: StatusPublished}
		n.FormedAt = workday.Date{}
		if tt.formed != "" {
			n.FormedAt = date(tt.formed)
		}
		if tt.decided != "" {
			n.Fields["decided_on"] = tt.decided
		}
		if got, ok := c.Timeliness(n); got != tt.want || ok != tt.known {
			t.Errorf("%s formed %s, published %s: %+v %t, want %+v", tt.code, tt.formed, tt.published, got, ok, tt.want)
		}
	}
}

func TestExplain(t *testing.T) {
	c := sharedCatalog(t)
	e, err := c.Explain("D1", date("2025-09-30"))
	if err != nil || e.Due != (workday.Due{Date: date("2025-11-04")}) || len(e.Skipped) != 15 || e.Term.Article != "政府信息公开条例 第二十六条" {
		t.Errorf("D1: %+v, %v", e, err)
	}
	if e.Skipped[0] != (workday.Skip{Date: date("2025-10-01"), Reason: "国庆节、中秋节放假"}) {
		t.Errorf("skipped %v", e.Skipped[0])
	}
	for ref, want := range map[string]string{"D7": "2026-11-13", "D7.prequalification": "2026-11-21", "D8": "2026-11-26", "D9.report": "2026-12-08",
		"D10.complaint": "2026-12-03", "D14.complaint": "2026-12-14"} {
		if e, err := c.Explain(ref, testDay); err != nil || e.Due.Date.String() != want {
			t.Errorf("%s: %s, %v, want %s", ref, e.Due.Date, err, want)
		}
	}
	for ref, want := range map[string]Code{"D20": CodeParam, "D99": CodeNoItem, "D1.nothing": CodeNoItem, "": CodeNoItem} {
		if _, err := c.Explain(ref, testDay); codeOf(err) != want {
			t.Errorf("%s: %v, want %s", ref, err, want)
		}
	}
	for _, r := range c.Rules {
		for _, term := range r.Terms {
			if _, err := c.Explain(r.ID+"."+term.Key, testDay); err != nil {
				t.Errorf("%s.%s: %v", r.ID, term.Key, err)
			}
		}
	}
	if len(c.Rules) != 21 {
		t.Errorf("%d rules", len(c.Rules))
	}
}

// What stands in the law is not edited; what is to be confirmed is.
func TestEditingRules(t *testing.T) {
	c := sharedCatalog(t)
	for name, tt := range map[string]struct{ doc, faults string }{
		"a rule of law":           {`{"id":"D5","name":"x","standing":"confirmed","terms":[]}`, "id rule.law"},
		"a rule to be confirmed":  {`{"id":"D21","name":"住房公示","standing":"confirmed","terms":[{"key":"publicity","name":"公示","amount":15,"unit":"d","direction":"min","article":"区规定"}]}`, ""},
		"made into law":           {`{"id":"E1","name":"区规则","standing":"law","terms":[]}`, "standing rule.law"},
		"without what types use":  {`{"id":"D15","name":"公告期限","terms":[{"key":"tender","name":"招标","amount":5,"unit":"wd","direction":"min","article":"y"}]}`, "terms term.used"},
		"a rule of the district":  {`{"id":"E1","name":"区规则","terms":[]}`, ""},
		"another rule everywhere": {`{"id":"E1","name":"区规则","everywhere":[{"rule":"D1","from":["formed_at"],"to":"published"}]}`, "everywhere[0].rule reference.unknown"},
	} {
		def, err := ParseDefinition(KindRule, []byte(tt.doc))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := faultsOf(c.Check(def)); got != tt.faults {
			t.Errorf("%s: %q, want %q", name, got, tt.faults)
		}
	}
	for name, tt := range map[string]struct{ doc, faults string }{
		"no amount":  {`{"id":"D21","name":"x","terms":[{"key":"ab","name":"x","article":"y"}]}`, "terms[0].amount number.range"},
		"mixed unit": {`{"id":"D21","name":"x","terms":[{"key":"ab","name":"x","article":"y","amount":1,"unit":"wd","direction":"before"}]}`, "terms[0].unit term.before"},
		"no anchor":  {`{"id":"D21","name":"x","everywhere":[{"rule":"D21","from":[]}]}`, "everywhere[0].from field.required"},
		"bad anchor": {`{"id":"D21","name":"x","everywhere":[{"rule":"D21","from":["A b"]}]}`, "everywhere[0] anchor.unknown"},
		"bad id":     {`{"id":"rule","name":"x"}`, "id id.invalid"},
	} {
		if _, err := ParseDefinition(KindRule, []byte(tt.doc)); faultsOf(err) != tt.faults {
			t.Errorf("%s: %q, want %q", name, faultsOf(err), tt.faults)
		}
	}
	_, err := ParseDefinition(KindNoticeType, []byte(`{"code":"land.x1","sector":"land","name":"x","rules":[{"rule":"D1","from":["nothing"],"to":"price"}],
		"fields":[{"key":"price","label":"价","kind":"money"}]}`))
	if got := faultsOf(err); got != "rules[0] anchor.unknown; rules[0] anchor.unknown" {
		t.Errorf("anchors of a type: %q", got)
	}
}

func BenchmarkExplain(b *testing.B) {
	defs, err := Builtin()
	if err != nil {
		b.Fatal(err)
	}
	c, err := NewCatalog(defs)
	if err != nil {
		b.Fatal(err)
	}
	from := date("2026-12-20") // into a year without published holidays
	for b.Loop() {
		if _, err := c.Explain("D10.decide", from); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReview(b *testing.B) {
	defs, err := Builtin()
	if err != nil {
		b.Fatal(err)
	}
	c, err := NewCatalog(defs)
	if err != nil {
		b.Fatal(err)
	}
	n := contentOn(b, c, "construction.tender_notice", testDay, false, nil)
	for b.Loop() {
		c.Review(n, testDay)
	}
}
