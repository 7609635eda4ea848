// Package workday does the civil arithmetic of time limits (期限): calendar days
// and working days (工作日) in the zone Asia/Shanghai, with China's holidays and
// the weekend days worked in exchange (调休) as published each year by the
// General Office of the State Council.
//
// Counting follows the Civil Code: the day a period starts from is not counted
// (民法典 第二百零一条), and a period of calendar days whose last day is a day off
// ends on the next working day (第二百零三条). Calendar days and working days are
// two units and are never mixed. A result that relies on a year whose holidays
// are not published yet is marked provisional: it is computed from weekends and
// the days that the Measures give everybody, and may still move.
package workday

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

//go:embed data/calendar.json
var embedded []byte

// Calendar knows which days are worked. It does not change and is safe for
// concurrent use; use it by pointer.
type Calendar struct {
	years     map[int]Year
	moved     map[Date]bool   // a day that differs from its weekday: true = worked
	notes     map[Date]string // why, where a year says so
	festivals sync.Map        // of a year: int → map[Date]string, worked out when first asked for
}

// Published returns the calendar of the years 2024–2026 that is built in.
var Published = sync.OnceValue(func() *Calendar {
	c, err := Parse(embedded)
	if err != nil {
		panic(err) // embedded data: a test covers it
	}
	return c
})

// New returns the calendar of the given years. Of two tables of one year the
// later replaces the earlier, and a table may move days of the last December
// and the next January, as the circulars of some years did. Tables that Check
// refuses are an error.
func New(years ...Year) (*Calendar, error) {
	c := &Calendar{years: map[int]Year{}, moved: map[Date]bool{}, notes: map[Date]string{}}
	for _, y := range years {
		if err := y.Check(); err != nil {
			return nil, err
		}
		c.years[y.Year] = y
	}
	for _, y := range c.Years() {
		for _, d := range y.Off {
			c.moved[d] = false
		}
		for _, d := range y.Work {
			c.moved[d] = true
		}
		for text, note := range y.Notes {
			d, err := ParseDate(text)
			if err != nil {
				return nil, err
			}
			c.notes[d] = note
		}
	}
	return c, nil
}

// Parse reads a calendar: {"source":…,"years":{"2026":{"off":[weekdays off],
// "work":[weekend days worked],"source":…}}}. A day off that is a weekend
// anyway, or a worked day that is no weekend day, is an error: such a file was
// made from a different idea of the table.
func Parse(data []byte) (*Calendar, error) {
	years, err := parseYears(data)
	if err != nil {
		return nil, fmt.Errorf("workday: calendar: %w", err)
	}
	c, err := New(years...)
	if err != nil {
		return nil, fmt.Errorf("workday: calendar: %w", err)
	}
	return c, nil
}

func parseYears(data []byte) ([]Year, error) {
	var file struct {
		Source string
		Years  map[int]Year
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	years := make([]Year, 0, len(file.Years))
	for _, number := range slices.Sorted(maps.Keys(file.Years)) {
		y := file.Years[number]
		y.Year, y.Source = number, cmp.Or(y.Source, file.Source)
		years = append(years, y)
	}
	return years, nil
}

// Years returns the tables of the calendar, the earliest first.
func (c *Calendar) Years() []Year {
	years := make([]Year, 0, len(c.years))
	for _, number := range slices.Sorted(maps.Keys(c.years)) {
		years = append(years, c.years[number])
	}
	return years
}

// Source names the circular that the year's table was taken from, "" for a year
// without one.
func (c *Calendar) Source(year int) string { return c.years[year].Source }

// Covers reports whether the holidays of the year are published.
func (c *Calendar) Covers(year int) bool {
	_, ok := c.years[year]
	return ok
}

// IsWorkday reports whether d is worked. In a year that Covers does not know
// the answer is a forecast from weekends and statutory days.
func (c *Calendar) IsWorkday(d Date) bool {
	if worked, ok := c.moved[d]; ok {
		return worked
	}
	if weekend(d) {
		return false
	}
	return c.Covers(d.Year) || c.statutory(d) == ""
}

// Due is the last day of a time limit.
type Due struct {
	Date        Date
	Provisional bool // the count touched a year without published holidays
}

// Add returns the n-th working day after from, which itself is not counted.
// n is in working days and must not be negative; Add(from, 0) is from.
func (c *Calendar) Add(from Date, n int) Due {
	due := Due{Date: from}
	for n > 0 {
		c.next(&due)
		if c.IsWorkday(due.Date) {
			n--
		}
	}
	return due
}

// AddDays returns the day n calendar days after from, moved to the next working
// day when it falls on a day off. n is in calendar days.
func (c *Calendar) AddDays(from Date, n int) Due {
	due := Due{Date: from.AddDays(n)}
	due.Provisional = !c.Covers(due.Date.Year)
	for !c.IsWorkday(due.Date) {
		c.next(&due)
	}
	return due
}

// next moves a date on by one day.
func (c *Calendar) next(due *Due) {
	due.Date = due.Date.AddDays(1)
	due.Provisional = due.Provisional || !c.Covers(due.Date.Year)
}

func weekend(d Date) bool {
	w := d.Weekday()
	return w == time.Saturday || w == time.Sunday
}
