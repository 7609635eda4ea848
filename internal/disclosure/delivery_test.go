package disclosure

import (
	"testing"
	"time"

	"gongkai/internal/workday"
)

// TestUrgentCorrections: a correction is urgent when it moves the deadline, or
// another date that people act by and that is still ahead.
func TestUrgentCorrections(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, workday.Shanghai)
	catalog := builtinCatalog(t)
	land, err := catalog.Type("land.transfer_notice")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := catalog.Type("construction.tender_plan")
	if err != nil {
		t.Fatal(err)
	}
	period := func(to string) map[string]any { return map[string]any{"from": "2026-11-01", "to": to} }
	for _, tt := range []struct {
		name    string
		typ     *NoticeType
		was, is map[string]any
		want    Priority
	}{
		{"the deadline", land, map[string]any{"bid_deadline": "2026-12-20T10:00:00+08:00"}, map[string]any{"bid_deadline": "2026-12-21T10:00:00+08:00"}, PriorityUrgent},
		{"the deposit's deadline", land, map[string]any{"deposit_deadline": "2026-12-10T17:00:00+08:00"}, map[string]any{"deposit_deadline": "2026-12-09T17:00:00+08:00"}, PriorityUrgent},
		{"the end of registration", land, map[string]any{"registration_period": period("2026-12-10")}, map[string]any{"registration_period": period("2026-12-01")}, PriorityUrgent},
		{"brought forward into the past", land, map[string]any{"registration_period": period("2026-12-10")}, map[string]any{"registration_period": period("2026-11-20")}, PriorityUrgent},
		{"of what is over", land, map[string]any{"registration_period": period("2026-11-20")}, map[string]any{"registration_period": period("2026-11-19")}, PriorityAmended},
		{"a text", land, map[string]any{"land_use": "2027-01-01"}, map[string]any{"land_use": "2027-01-02"}, PriorityAmended},
		{"an estimate of a plan", plan, map[string]any{"planned_on": "2027-01-01"}, map[string]any{"planned_on": "2027-02-01"}, PriorityAmended},
	} {
		n := Notice{Content: Content{Type: tt.typ.Code, Fields: tt.is}}
		e, ok := NewPushEvent(Transition{Action: ActionCorrect, At: now, Notice: n}, Content{Fields: tt.was}, tt.typ)
		if !ok || e.Priority != tt.want {
			t.Errorf("%s: priority %d, want %d", tt.name, e.Priority, tt.want)
		}
	}
}
