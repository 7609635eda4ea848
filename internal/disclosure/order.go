package disclosure

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gongkai/internal/workday"
)

// orders lists pairs of which the first never comes after the second, by the
// keys of fields; of a period one end is named. A type is held to those of
// which it has both.
var orders = [][2]string{
	{"bid_deadline", "opening_at"},
	{"document_period.to", "bid_deadline"},
	{"document_period.to", "application_deadline"},
	{"evaluated_on", "winner_fixed_on"},
	{"winner_fixed_on", "award_notice_on"},
	{"award_notice_on", "signed_on"},
	{"actual_start_on", "actual_finish_on"},
	{"agreed_start_on", "agreed_finish_on"},
	{"registration_period.to", "bid_deadline"},
}

// contradictions finds dates of a notice that cannot all be true. A field of
// which something has been found before is told once.
func (t *NoticeType) contradictions(n Content, today workday.Date, before []Finding) []Finding {
	var findings []Finding
	known := func(field string) bool {
		return slices.ContainsFunc(before, func(f Finding) bool { return f.Field == field && !f.Warning })
	}
	for _, pair := range orders {
		first, a := t.moment(n, pair[0])
		second, b := t.moment(n, pair[1])
		key, _, _ := strings.Cut(pair[1], ".")
		if a == "" || b == "" || !after(first, second) || known("fields."+key) {
			continue
		}
		findings = append(findings, blocking("fields."+key, "date.order", fmt.Sprintf("“%s”早于“%s”，请核对", b, a)))
	}
	for _, d := range []struct {
		field, label string
		day          workday.Date
	}{{"formed_at", "信息形成日期", n.FormedAt}, {"decided_at", "决定作出日期", n.DecidedAt}} {
		if today.Compare(d.day) < 0 && !known(d.field) {
			findings = append(findings, blocking(d.field, "date.future", fmt.Sprintf("“%s”晚于今天，请核对", d.label)))
		}
	}
	return findings
}

// after reports whether a comes after b; where one of them has no time of day,
// only the days count.
func after(a, b fieldMoment) bool {
	if a.whole || b.whole {
		return workday.DateOf(a.at).Compare(workday.DateOf(b.at)) > 0
	}
	return a.at.After(b.at)
}

type fieldMoment struct {
	at    time.Time
	whole bool // a day
}

// moment returns the time a field, or the end of a period, holds, with the
// field's label; no label when there is none.
func (t *NoticeType) moment(n Content, path string) (fieldMoment, string) {
	key, end, _ := strings.Cut(path, ".")
	f, ok := t.Field(key)
	if !ok {
		return fieldMoment{}, ""
	}
	text, _ := n.Fields[key].(string)
	if p, isPeriod := n.Fields[key].(map[string]any); isPeriod {
		text, _ = p[end].(string)
	}
	if at, err := ParseInstant(text); err == nil {
		return fieldMoment{at: at}, f.Label
	}
	if d, err := workday.ParseDate(text); err == nil {
		return fieldMoment{at: d.Start(), whole: true}, f.Label
	}
	return fieldMoment{}, ""
}
