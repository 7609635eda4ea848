package disclosure

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestKioskHealth(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		status KioskStatus
		seen   time.Duration // ago; negative for never
		want   string
	}{
		{"waits for approval", KioskPending, -1, "pending"},
		{"approved, not heard yet", KioskApproved, -1, "new"},
		{"just heard", KioskApproved, 0, "online"},
		{"one report late", KioskApproved, 70 * time.Second, "online"},
		{"one report missed", KioskApproved, KioskLate, "late"},
		{"three reports missed", KioskApproved, KioskLost, "offline"},
		{"taken out", KioskRevoked, 0, "revoked"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := Kiosk{Status: tt.status}
			if tt.seen >= 0 {
				k.LastSeenAt = now.Add(-tt.seen)
			}
			if got := k.Health(now); got != tt.want {
				t.Errorf("Health = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestKioskReportCheck(t *testing.T) {
	for _, tt := range []struct {
		name   string
		report KioskReport
		fields string
	}{
		{"nothing said", KioskReport{}, ""},
		{"all said", KioskReport{"a1b2", 9, 60, 0, 3, 1080, 1920, "out", []string{"print.paper-out"}, -86400}, ""},
		{"negative spans", KioskReport{Uptime: -1}, "uptime_s"},
		{"a long revision", KioskReport{Revision: strings.Repeat("a", 41)}, "ui_rev"},
		{"an unknown printer", KioskReport{Printer: "wet"}, "printer"},
		{"text of a page among the errors", KioskReport{Errors: []string{"张三 320902"}}, "errors"},
		{"too many errors", KioskReport{Errors: make([]string, 21)}, "errors"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var fields []string
			e := new(Error)
			if errors.As(tt.report.Check(), &e) {
				for _, f := range e.Fields {
					fields = append(fields, f.Field)
				}
			}
			if got := strings.Join(fields, " "); got != tt.fields {
				t.Errorf("faults in %q, want %q", got, tt.fields)
			}
		})
	}
}
