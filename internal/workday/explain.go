package workday

// Skip is a day that a count passed over, and why.
type Skip struct {
	Date   Date
	Reason string
}

// Explain is Add with every day that was passed over.
func (c *Calendar) Explain(from Date, n int) (Due, []Skip) {
	due := Due{Date: from}
	skipped := []Skip{}
	for n > 0 {
		c.next(&due)
		if c.IsWorkday(due.Date) {
			n--
			continue
		}
		skipped = append(skipped, Skip{due.Date, c.Reason(due.Date)})
	}
	return due, skipped
}

// ExplainDays is AddDays with the days off that the end was moved over. Days
// off in the middle count like any other day.
func (c *Calendar) ExplainDays(from Date, n int) (Due, []Skip) {
	due := c.AddDays(from, n)
	skipped := []Skip{}
	for d := from.AddDays(n); d != due.Date; d = d.AddDays(1) {
		skipped = append(skipped, Skip{d, c.Reason(d)})
	}
	return due, skipped
}

// Day is one day of a year's table.
type Day struct {
	Date    Date
	Workday bool
	Reason  string // as of Reason
}

// Table lists every day of the year.
func (c *Calendar) Table(year int) []Day {
	days := make([]Day, 0, 366)
	for d := (Date{year, 1, 1}); d.Year == year; d = d.AddDays(1) {
		days = append(days, Day{d, c.IsWorkday(d), c.Reason(d)})
	}
	return days
}
