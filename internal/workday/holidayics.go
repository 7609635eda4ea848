package workday

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// maxHoliday bounds one event of a holiday calendar, in days.
const maxHoliday = 30

// parseICS reads an iCalendar file of holidays. An event is a day worked in
// exchange when it says 班, a day off when it says 休 or 假; others, such as
// observances, are passed over.
func parseICS(data []byte) ([]Year, error) {
	cal, err := ics.ParseCalendar(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("ICS 无法读取：%w", err)
	}
	days, source := marked{}, ""
	for _, p := range cal.CalendarProperties {
		if p.IANAToken == string(ics.PropertyXWRCalName) || p.IANAToken == string(ics.PropertyName) {
			source = p.Value
		}
	}
	for _, e := range cal.Events() {
		worked, marks := eventKind(e)
		if !marks {
			continue
		}
		first, last, err := eventDays(e)
		if err != nil {
			return nil, err
		}
		for d := first; d.Compare(last) <= 0; d = d.AddDays(1) {
			if err := days.put(d, worked); err != nil {
				return nil, err
			}
		}
	}
	if len(days) == 0 {
		return nil, errors.New("ICS 中没有标明“休”或“班”的日程")
	}
	return days.years(source)
}

func eventKind(e *ics.VEvent) (worked, marks bool) {
	text := func(p ics.ComponentProperty) string {
		if v := e.GetProperty(p); v != nil {
			return v.Value
		}
		return ""
	}
	switch text("X-APPLE-SPECIAL-DAY") {
	case "ALTERNATE-WORKDAY":
		return true, true
	case "WORK-HOLIDAY":
		return false, true
	}
	said := text(ics.ComponentPropertySummary) + " " + text(ics.ComponentPropertyDescription)
	if strings.Contains(said, "班") {
		return true, true
	}
	return false, strings.ContainsAny(said, "休假")
}

// eventDays returns the first and the last day of an event. The end of an event
// of whole days is the day after it (RFC 5545 3.6.1).
func eventDays(e *ics.VEvent) (first, last Date, err error) {
	if e.GetProperty(ics.ComponentPropertyRrule) != nil {
		return first, last, errors.New("ICS 中有重复的日程（RRULE）：放假安排每年不同，请用逐日列出的文件")
	}
	if first, err = eventDay(e, ics.ComponentPropertyDtStart); err != nil {
		return first, last, err
	}
	last = first
	if e.GetProperty(ics.ComponentPropertyDtEnd) != nil {
		end, err := eventDay(e, ics.ComponentPropertyDtEnd)
		if err != nil {
			return first, last, err
		}
		if end.Compare(first) > 0 {
			last = end.AddDays(-1)
		}
	}
	if last.Compare(first.AddDays(maxHoliday)) > 0 {
		return first, last, fmt.Errorf("ICS 中 %s 起的日程超过 %d 天", first, maxHoliday)
	}
	return first, last, nil
}

func eventDay(e *ics.VEvent, p ics.ComponentProperty) (Date, error) {
	v := e.GetProperty(p)
	if v == nil || len(v.Value) < len("20060102") {
		return Date{}, errors.New("ICS 中有没有日期的日程")
	}
	t, err := time.Parse("20060102", v.Value[:len("20060102")])
	if err != nil || t.Year() < firstYear || t.Year() > lastYear {
		return Date{}, fmt.Errorf("ICS 中的日期“%s”无法读取", v.Value)
	}
	return Date{t.Year(), t.Month(), t.Day()}, nil
}
