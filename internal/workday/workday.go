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
// the holidays whose date is fixed by law, and may still move.
package workday

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

//go:embed data/calendar.json
var embedded []byte

// Calendar knows which days are worked. It is immutable and safe for
// concurrent use.
type Calendar struct {
	source string
	years  map[int]bool
	moved  map[Date]bool // a day that differs from its weekday: true = worked
}

// Published returns the calendar of the years 2024–2026 that is built in.
var Published = sync.OnceValue(func() *Calendar {
	c, err := Parse(embedded)
	if err != nil {
		panic(err) // embedded data: a test covers it
	}
	return c
})

// Parse reads a calendar: {"source":…,"years":{"2026":{"off":[weekdays off],
// "work":[weekend days worked]}}}. A day off that is a weekend anyway, or a
// worked day that is no weekend day, is an error: such a file was made from a
// different idea of the table.
func Parse(data []byte) (*Calendar, error) {
	var file struct {
		Source string
		Years  map[int]struct{ Off, Work []Date }
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("workday: calendar: %w", err)
	}
	c := &Calendar{source: file.Source, years: map[int]bool{}, moved: map[Date]bool{}}
	for year, days := range file.Years {
		c.years[year] = true
		for _, d := range days.Off {
			if err := c.move(year, d, false); err != nil {
				return nil, err
			}
		}
		for _, d := range days.Work {
			if err := c.move(year, d, true); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

func (c *Calendar) move(year int, d Date, worked bool) error {
	if d.Year != year {
		return fmt.Errorf("workday: calendar: %s stands under %d", d, year)
	}
	if weekend(d) != worked {
		return fmt.Errorf("workday: calendar: %s is a %s, nothing to exchange", d, d.Weekday())
	}
	c.moved[d] = worked
	return nil
}

// Source names the circulars the calendar was taken from.
func (c *Calendar) Source() string { return c.source }

// Covers reports whether the holidays of the year are published.
func (c *Calendar) Covers(year int) bool { return c.years[year] }

// IsWorkday reports whether d is worked. In a year that Covers does not know
// the answer is a forecast from weekends and fixed holidays.
func (c *Calendar) IsWorkday(d Date) bool {
	if worked, ok := c.moved[d]; ok {
		return worked
	}
	if weekend(d) {
		return false
	}
	return c.Covers(d.Year) || !fixedHoliday(d)
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
		due.Date = due.Date.AddDays(1)
		due.Provisional = due.Provisional || !c.Covers(due.Date.Year)
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
		due.Date = due.Date.AddDays(1)
		due.Provisional = due.Provisional || !c.Covers(due.Date.Year)
	}
	return due
}

func weekend(d Date) bool {
	w := d.Weekday()
	return w == time.Saturday || w == time.Sunday
}

// fixedHoliday holds the days off whose date the Measures fix in the solar
// calendar: 元旦, 劳动节 and 国庆节 (全国年节及纪念日放假办法 第二条, 2024).
func fixedHoliday(d Date) bool {
	switch d.Month {
	case time.January:
		return d.Day == 1
	case time.May:
		return d.Day <= 2
	case time.October:
		return d.Day <= 3
	}
	return false
}
