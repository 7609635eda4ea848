package workday

import (
	"slices"
	"testing"
	"time"

	"github.com/6tail/lunar-go/HolidayUtil"
)

// workedByAnother is a second opinion on the published years: the table that
// comes with lunar-go, made by other people.
func workedByAnother(d Date) bool {
	if h := HolidayUtil.GetHoliday(d.String()); h != nil {
		return h.IsWork()
	}
	return !weekend(d)
}

func publishedDays() []Date {
	var days []Date
	for d := (Date{2024, time.January, 1}); d.Year < 2027; d = d.AddDays(1) {
		days = append(days, d)
	}
	return days
}

func TestEveryPublishedDayAgreesWithAnotherTable(t *testing.T) {
	c := Published()
	for _, d := range publishedDays() {
		if got, want := c.IsWorkday(d), workedByAnother(d); got != want {
			t.Errorf("IsWorkday(%s) = %t, want %t", d, got, want)
		}
	}
}

// TestCountsFromEveryPublishedDay counts from each day of 2024–2026 by every
// number of days that a rule of disclosure has, against a count of one's own.
func TestCountsFromEveryPublishedDay(t *testing.T) {
	c := Published()
	for _, from := range publishedDays() {
		for _, n := range []int{1, 2, 3, 5, 7, 10, 15, 20, 30} {
			want := from
			for left := n; left > 0; {
				if want = want.AddDays(1); workedByAnother(want) {
					left--
				}
			}
			rolled := from.AddDays(n)
			for !workedByAnother(rolled) {
				rolled = rolled.AddDays(1)
			}
			if got := c.Add(from, n); want.Year < 2027 && (got != Due{want, false}) {
				t.Errorf("Add(%s, %d) = %+v, want %s", from, n, got, want)
			}
			if got := c.AddDays(from, n); rolled.Year < 2027 && (got != Due{rolled, false}) {
				t.Errorf("AddDays(%s, %d) = %+v, want %s", from, n, got, rolled)
			}
			due, skipped := c.Explain(from, n)
			if due != c.Add(from, n) || from.AddDays(n+len(skipped)) != due.Date {
				t.Errorf("Explain(%s, %d) = %+v with %d days skipped", from, n, due, len(skipped))
			}
			due, skipped = c.ExplainDays(from, n)
			if due != c.AddDays(from, n) || from.AddDays(n+len(skipped)) != due.Date {
				t.Errorf("ExplainDays(%s, %d) = %+v with %d days skipped", from, n, due, len(skipped))
			}
		}
	}
}

func TestReasons(t *testing.T) {
	c := Published()
	for _, tt := range []struct{ day, want string }{
		{"2026-11-23", ""},
		{"2026-11-22", "星期日"},
		{"2024-02-09", ""}, // 除夕 became a statutory day off in 2025
		{"2024-02-18", "调休上班"},
		{"2025-10-06", "国庆节、中秋节放假"},
		{"2025-10-08", "国庆节、中秋节放假"},
		{"2026-02-15", "春节放假"},
		{"2026-02-28", "调休上班"},
		{"2026-09-26", "中秋节放假"},
		{"2027-02-05", "春节（法定节假日，2027年放假安排尚未公布）"},
		{"2027-02-10", ""}, // the circular may yet give it
		{"2027-02-07", "春节（法定节假日，2027年放假安排尚未公布）"},
		{"2027-02-13", "星期六"},
		{"2028-10-03", "国庆节、中秋节（法定节假日，2028年放假安排尚未公布）"},
	} {
		if got := c.Reason(parsed(t, tt.day)); got != tt.want {
			t.Errorf("Reason(%s) = %q, want %q", tt.day, got, tt.want)
		}
	}
}

func parsed(t *testing.T, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestProvisionalYearHasTheStatutoryDays(t *testing.T) {
	c := Published()
	var off []string
	for _, d := range c.Table(2027) {
		if !d.Workday && !weekend(d.Date) {
			off = append(off, d.Date.String())
		}
	}
	want := []string{"2027-01-01", "2027-02-05", "2027-02-08", "2027-04-05", "2027-06-09", "2027-09-15", "2027-10-01"}
	if !slices.Equal(off, want) { // the other statutory days of 2027 are weekend days
		t.Errorf("weekdays off in 2027 = %v, want %v", off, want)
	}
	if n := len(c.Table(2028)); n != 366 {
		t.Errorf("2028 has %d days", n)
	}
}

func TestNewYearReplacesTheForecast(t *testing.T) {
	y := Year{Year: 2027, Source: "示例", Off: []Date{{2027, 1, 1}, {2027, 2, 5}, {2027, 2, 8}, {2027, 2, 9}, {2027, 4, 5}, {2027, 6, 9},
		{2027, 9, 15}, {2027, 10, 1}, {2026, 12, 31}}, Work: []Date{{2027, 1, 2}, {2027, 2, 20}},
		Notes: map[string]string{"2027-01-02": "本区调整（示例〔2027〕1号）"}}
	c, err := New(append(Published().Years(), y)...)
	if err != nil {
		t.Fatal(err)
	}
	from := Date{2026, time.December, 30}
	// 31 December became a day off and the first Saturday a working day.
	if got := c.Add(from, 1); (got != Due{Date{2027, time.January, 2}, false}) {
		t.Errorf("Add = %+v", got)
	}
	if got := c.Reason(Date{2027, time.January, 2}); got != "本区调整（示例〔2027〕1号）" {
		t.Errorf("Reason = %q", got)
	}
	if c.Source(2027) != "示例" || c.Source(2026) == "" || c.Source(2030) != "" {
		t.Errorf("sources: %q %q %q", c.Source(2027), c.Source(2026), c.Source(2030))
	}
}

func TestCheckRefusesTables(t *testing.T) {
	whole := Published().Years()[2]
	for name, spoil := range map[string]func(*Year){
		"a statutory day worked": func(y *Year) { y.Off = y.Off[1:] },
		"a day twice":            func(y *Year) { y.Off = append(y.Off, y.Off[0]) },
		"a far day":              func(y *Year) { y.Off = append(y.Off, Date{2025, time.March, 3}) },
		"a note on another year": func(y *Year) { y.Notes = map[string]string{"2020-01-01": "x"} },
		"too many":               func(y *Year) { y.Work = make([]Date, 61) },
		"no year":                func(y *Year) { y.Year = 0 },
	} {
		y := whole
		y.Off, y.Work = slices.Clone(whole.Off), slices.Clone(whole.Work)
		spoil(&y)
		if err := y.Check(); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := New(y); err == nil {
			t.Errorf("%s: New took it", name)
		}
	}
}

func BenchmarkExplain30(b *testing.B) {
	c, from := Published(), Date{2026, time.September, 18}
	for b.Loop() {
		c.Explain(from, 30)
	}
}
