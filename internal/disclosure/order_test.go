package disclosure

import (
	"testing"

	"gongkai/internal/workday"
)

// TestContradictions: dates that cannot all be true are told by the later field.
func TestContradictions(t *testing.T) {
	defs, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCatalog(defs)
	if err != nil {
		t.Fatal(err)
	}
	today := workday.Date{Year: 2026, Month: 11, Day: 23}
	period := func(from, to string) map[string]any { return map[string]any{"from": from, "to": to} }
	for _, tt := range []struct {
		name, typ string
		fields    Values
		formed    workday.Date
		want      string
	}{
		{"opened before bids close", "construction.tender_notice", Values{"bid_deadline": "2026-12-20T09:30:00+08:00", "opening_at": "2026-12-20T09:29:00+08:00"}, workday.Date{}, "fields.opening_at date.order"},
		{"opened as bids close", "construction.tender_notice", Values{"bid_deadline": "2026-12-20T09:30:00+08:00", "opening_at": "2026-12-20T09:30:00+08:00"}, workday.Date{}, ""},
		{"documents after bids close", "construction.tender_notice", Values{"bid_deadline": "2026-12-20T09:30:00+08:00", "document_period": period("2026-11-23", "2026-12-21")}, workday.Date{}, "fields.bid_deadline date.order"},
		{"documents on the day bids close", "construction.tender_notice", Values{"bid_deadline": "2026-12-20T09:30:00+08:00", "document_period": period("2026-11-23", "2026-12-20")}, workday.Date{}, ""},
		{"signed before it was awarded", "construction.contract", Values{"award_notice_on": "2026-11-20", "signed_on": "2026-11-19"}, workday.Date{}, "fields.signed_on date.order"},
		{"finished before it was begun", "construction.performance", Values{"actual_start_on": "2026-11-20", "actual_finish_on": "2026-11-19"}, workday.Date{}, "fields.actual_finish_on date.order"},
		{"only one of two", "construction.contract", Values{"signed_on": "2026-11-19"}, workday.Date{}, ""},
		{"formed tomorrow", "construction.contract", Values{}, today.AddDays(1), "formed_at date.future"},
		{"formed today", "construction.contract", Values{}, today, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			typ, err := c.Type(tt.typ)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, f := range typ.contradictions(Content{Type: tt.typ, Fields: tt.fields, FormedAt: tt.formed}, today, nil) {
				got += f.Field + " " + f.Code
			}
			if got != tt.want {
				t.Errorf("contradictions = %q, want %q", got, tt.want)
			}
		})
	}
}
