package workday

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Year is the published arrangement of one year's holidays (节假日安排).
type Year struct {
	Year   int    `json:"year"`
	Source string `json:"source"` // the circular, with its number where known
	Off    []Date `json:"off"`    // weekdays that are days off
	Work   []Date `json:"work"`   // weekend days worked in exchange
	// Notes says why single days are as they are, by date: a local arrangement
	// with the number of its document. A day without a note is the circular's.
	Notes map[string]string `json:"notes"`
}

// The years a table may be of.
const (
	firstYear = 1949
	lastYear  = 2199
	maxMoved  = 60 // days of one year off or worked in exchange
)

// Check reports what is wrong with the table, in Chinese: days of other years,
// days that have nothing to exchange, a day both off and worked, and statutory
// days that the table leaves worked, as one made from half a circular does.
func (y Year) Check() error {
	if y.Year < firstYear || y.Year > lastYear {
		return fmt.Errorf("年份 %d 不在 %d–%d 之内", y.Year, firstYear, lastYear)
	}
	if len(y.Off)+len(y.Work) > maxMoved {
		return fmt.Errorf("%d 年的放假和调休有 %d 天，超出常理，请核对", y.Year, len(y.Off)+len(y.Work))
	}
	var errs []error
	seen := map[Date]bool{}
	for i, d := range slices.Concat(y.Off, y.Work) {
		worked := i >= len(y.Off)
		switch {
		case !y.holds(d):
			errs = append(errs, fmt.Errorf("%s 不在 %d 年", d, y.Year))
		case weekend(d) != worked:
			errs = append(errs, fmt.Errorf("%s 是%s，不需要%s", d, weekdayName(d), map[bool]string{true: "调休上班", false: "放假"}[worked]))
		case seen[d]:
			errs = append(errs, fmt.Errorf("%s 重复", d))
		}
		seen[d] = true
	}
	for text := range y.Notes {
		if d, err := ParseDate(text); err != nil || !y.holds(d) {
			errs = append(errs, fmt.Errorf("说明中的日期“%s”不在 %d 年", text, y.Year))
		}
	}
	if len(errs) == 0 {
		errs = append(errs, y.missing()...)
	}
	return errors.Join(errs...)
}

// holds reports whether the year's circular may speak of the day: one of the
// year, or of the month before or after it.
func (y Year) holds(d Date) bool {
	return d.Year == y.Year || d.Year == y.Year-1 && d.Month == time.December || d.Year == y.Year+1 && d.Month == time.January
}

func (y Year) missing() (errs []error) {
	days := statutoryDays(y.Year)
	for _, d := range sortedDates(days) {
		if !weekend(d) && !slices.Contains(y.Off, d) {
			errs = append(errs, fmt.Errorf("%d 年的安排中没有%s（%s %s），内容不全", y.Year, days[d], d, weekdayName(d)))
		}
	}
	return errs
}

func sortedDates(days map[Date]string) []Date {
	out := make([]Date, 0, len(days))
	for d := range days {
		out = append(out, d)
	}
	slices.SortFunc(out, Date.Compare)
	return out
}

var weekdayNames = [...]string{"星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"}

func weekdayName(d Date) string { return weekdayNames[d.Weekday()] }
