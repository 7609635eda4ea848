package workday

import (
	"cmp"
	"fmt"
	"time"
	_ "time/tzdata" // the zone must be there on a scratch image too
)

// Shanghai is China Standard Time, UTC+8 all year: the zone in which every
// civil date of this project is meant and every instant is shown.
var Shanghai = mustLocation("Asia/Shanghai")

func mustLocation(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic("workday: " + err.Error()) // tzdata is linked in: only a broken build gets here
	}
	return l
}

// Date is a civil date (公历日期) without time or zone, such as the day a notice
// is dated. The zero Date means "not known" and is written as JSON null.
// Dates are comparable with == and by Compare.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the civil date in Shanghai of the instant t.
func DateOf(t time.Time) Date {
	y, m, d := t.In(Shanghai).Date()
	return Date{y, m, d}
}

// ParseDate reads the form 2006-01-02. The year must lie in 1900–2199: a typed
// year outside it is a slip of the keyboard, not a date of a notice.
func ParseDate(s string) (Date, error) {
	t, err := time.ParseInLocation(time.DateOnly, s, Shanghai)
	if err != nil {
		return Date{}, fmt.Errorf("workday: %q is not a date of the form 2006-01-02", s)
	}
	if t.Year() < 1900 || t.Year() > 2199 {
		return Date{}, fmt.Errorf("workday: year %d is outside 1900–2199", t.Year())
	}
	return DateOf(t), nil
}

// String returns the form 2006-01-02, and "" for the zero Date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// IsZero reports whether d is the unknown date.
func (d Date) IsZero() bool { return d == Date{} }

// AddDays returns the date n calendar days later; n may be negative.
func (d Date) AddDays(n int) Date {
	y, m, day := time.Date(d.Year, d.Month, d.Day+n, 0, 0, 0, 0, time.UTC).Date() // UTC has no gaps and is quick
	return Date{y, m, day}
}

// Compare returns -1, 0 or +1 as d lies before, on or after e.
func (d Date) Compare(e Date) int {
	return cmp.Or(cmp.Compare(d.Year, e.Year), cmp.Compare(d.Month, e.Month), cmp.Compare(d.Day, e.Day))
}

// Weekday returns the day of the week of d.
func (d Date) Weekday() time.Weekday {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Weekday()
}

// Start returns the first instant of the day, 00:00:00 in Shanghai.
func (d Date) Start() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, Shanghai)
}

// End returns the last second of the day, 23:59:59 in Shanghai: the moment up
// to which a time limit that ends on d can still be met (民法典 第二百零三条).
func (d Date) End() time.Time {
	return time.Date(d.Year, d.Month, d.Day, 23, 59, 59, 0, Shanghai)
}

// MarshalText writes the form 2006-01-02.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote; empty text is the zero Date.
func (d *Date) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Date{}
		return nil
	}
	parsed, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// MarshalJSON writes a string, or null for the zero Date.
func (d Date) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + d.String() + `"`), nil
}

// UnmarshalJSON reads a string of the form 2006-01-02, or null.
func (d *Date) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*d = Date{}
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("workday: a date is a string of the form 2006-01-02, got %s", b)
	}
	return d.UnmarshalText(b[1 : len(b)-1])
}
