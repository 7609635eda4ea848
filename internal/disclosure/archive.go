package disclosure

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gongkai/internal/workday"
)

// PeriodRows is how many notices one period lists at most, where days allow it:
// more is more than a person leafs through.
const PeriodRows = 500

// Archive (往期公告) is what leads to any public notice in one step: how many
// notices each period of publication holds.
type Archive struct {
	Reading
	Total   int         // of the type asked for
	Types   []TypeCount // of all, those with public notices, the commonest first
	Periods []Period    // of the type asked for, newest first; they are disjoint and hold all of Total
}

// TypeCount is how many public notices a type has.
type TypeCount struct {
	Type  string
	Count int
}

// DayCount is how many notices of a type were published on a day.
type DayCount struct {
	Type  string
	Day   workday.Date
	Count int
}

// Period is a month of publication, or a day of one that holds more than
// PeriodRows.
type Period struct {
	Since, Until workday.Date
	Count        int
}

// NewArchive adds days up: the types of all of them, the periods of one type, or
// of all when typ is "".
func NewArchive(days []DayCount, typ string) Archive {
	var a Archive
	types, perDay := map[string]int{}, map[workday.Date]int{}
	for _, d := range days {
		types[d.Type] += d.Count
		if typ == "" || d.Type == typ {
			perDay[d.Day] += d.Count
			a.Total += d.Count
		}
	}
	for t, n := range types {
		a.Types = append(a.Types, TypeCount{t, n})
	}
	slices.SortFunc(a.Types, func(x, y TypeCount) int { return cmp.Or(y.Count-x.Count, cmp.Compare(x.Type, y.Type)) })
	a.Periods = periods(perDay)
	return a
}

// periods groups days by month and leaves those of large months apart.
func periods(perDay map[workday.Date]int) []Period {
	months := map[workday.Date]int{}
	for day, n := range perDay {
		months[MonthOf(day).Since] += n
	}
	var out []Period
	for first, n := range months {
		if n <= PeriodRows {
			month := MonthOf(first)
			month.Count = n
			out = append(out, month)
		}
	}
	for day, n := range perDay {
		if months[MonthOf(day).Since] > PeriodRows {
			out = append(out, Period{day, day, n})
		}
	}
	slices.SortFunc(out, func(x, y Period) int { return y.Since.Compare(x.Since) })
	return out
}

// MonthOf returns the month of a day, without a count.
func MonthOf(d workday.Date) Period {
	first := workday.Date{Year: d.Year, Month: d.Month, Day: 1}
	return Period{Since: first, Until: workday.DateOf(first.Start().AddDate(0, 1, -1))}
}

// ParsePeriod reads a month, as 2026-11, or a day, as 2026-11-20. Anything else
// is CodeParam.
func ParsePeriod(s string) (Period, error) {
	if day, err := workday.ParseDate(s); err == nil {
		return Period{Since: day, Until: day}, nil
	}
	if day, err := workday.ParseDate(s + "-01"); err == nil {
		return MonthOf(day), nil
	}
	return Period{}, Errorf(CodeParam, "请写成 2026-11 这样的月份，或 2026-11-20 这样的日期").On("period")
}

// IsDay reports whether the period is one day.
func (p Period) IsDay() bool { return p.Since == p.Until }

// String writes the period as ParsePeriod reads it.
func (p Period) String() string {
	if p.IsDay() {
		return p.Since.String()
	}
	return p.Since.Start().Format("2006-01")
}

// MonthName is the period's month as people say it.
func (p Period) MonthName() string { return fmt.Sprintf("%d年%d月", p.Since.Year, p.Since.Month) }

// Name is the period as people say it.
func (p Period) Name() string {
	name := p.MonthName()
	if p.IsDay() {
		name += fmt.Sprintf("%d日", p.Since.Day)
	}
	return name
}

// After reports whether the period begins later than the instant.
func (p Period) After(now time.Time) bool { return p.Since.Start().After(now) }
