package workday

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxHolidayFile bounds what ParseHolidays reads, in bytes.
const maxHolidayFile = 4 << 20

// ParseHolidays reads the holidays of one year or more from a file as they are
// passed around: JSON (our own table, or the lists of holiday-cn and
// chinese-days), an iCalendar file whose events say 休 or 班, or the text of the
// State Council's circular. Years of which the file holds only a part are left
// out; with no whole year the error, in Chinese, says what is missing.
func ParseHolidays(data []byte) ([]Year, error) {
	data = bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff")))
	switch {
	case len(data) > maxHolidayFile:
		return nil, fmt.Errorf("文件有 %d 字节，最多 %d", len(data), maxHolidayFile)
	case !utf8.Valid(data):
		return nil, errors.New("文件不是 UTF-8 编码，请另存为 UTF-8 后再导入")
	case len(data) == 0:
		return nil, errors.New("文件是空的")
	case data[0] == '{' || data[0] == '[':
		return parseJSON(data)
	case bytes.HasPrefix(bytes.ToUpper(data[:min(len(data), 15)]), []byte("BEGIN:VCALENDAR")):
		return parseICS(data)
	}
	y, err := ParseCircular(string(data))
	if err != nil {
		return nil, err
	}
	return []Year{y}, nil
}

// parseJSON tells the known shapes apart by their members.
func parseJSON(data []byte) ([]Year, error) {
	var shape struct {
		Year   int
		Years  json.RawMessage
		Papers []string
		Days   []struct {
			Date, Name string
			IsOffDay   *bool
		}
		Holidays  map[string]json.RawMessage
		Workdays  map[string]json.RawMessage
		Off, Work []Date
		Source    string
		Notes     map[string]string
	}
	if err := json.Unmarshal(data, &shape); err != nil {
		return nil, fmt.Errorf("JSON 无法读取：%w", err)
	}
	days := marked{}
	switch {
	case shape.Years != nil:
		years, err := parseYears(data)
		if err != nil {
			return nil, fmt.Errorf("JSON 无法读取：%w", err)
		}
		return checked(years)
	case shape.Days != nil: // holiday-cn
		for _, d := range shape.Days {
			if d.IsOffDay == nil {
				return nil, fmt.Errorf("%s 没有写明 isOffDay", d.Date)
			}
			if err := days.text(d.Date, !*d.IsOffDay); err != nil {
				return nil, err
			}
		}
		return days.years(strings.Join(shape.Papers, " "))
	case shape.Holidays != nil: // chinese-days
		for worked, list := range map[bool]map[string]json.RawMessage{false: shape.Holidays, true: shape.Workdays} {
			for text := range list {
				if err := days.text(text, worked); err != nil {
					return nil, err
				}
			}
		}
		return days.years(shape.Source)
	case shape.Year != 0:
		return checked([]Year{{Year: shape.Year, Source: shape.Source, Off: shape.Off, Work: shape.Work, Notes: shape.Notes}})
	}
	return nil, errors.New("JSON 中没有认识的内容：应有 year、off、work，或 years，或 days，或 holidays 和 workdays")
}

func checked(years []Year) ([]Year, error) {
	if len(years) == 0 {
		return nil, errors.New("文件中没有任何一年的安排")
	}
	for i := range years {
		if err := years[i].Check(); err != nil {
			return nil, err
		}
		slices.SortFunc(years[i].Off, Date.Compare)
		slices.SortFunc(years[i].Work, Date.Compare)
	}
	return years, nil
}

// marked collects days by whether they are worked. Lists name whole holidays,
// weekends included; those need no mark.
type marked map[Date]bool

func (m marked) put(d Date, worked bool) error {
	if was, ok := m[d]; ok && was != worked {
		return fmt.Errorf("%s 既写了放假又写了上班", d)
	}
	m[d] = worked
	return nil
}

func (m marked) text(s string, worked bool) error {
	d, err := ParseDate(s)
	if err != nil {
		return fmt.Errorf("“%s”不是 2026-11-23 这样的日期", s)
	}
	return m.put(d, worked)
}

// year returns the marks of the days that belong to the year's table.
func (m marked) year(number int, source string, belongs func(Date) bool) Year {
	y := Year{Year: number, Source: source, Off: []Date{}, Work: []Date{}}
	for _, d := range slices.SortedFunc(maps.Keys(m), Date.Compare) {
		switch {
		case !belongs(d) || weekend(d) != m[d]:
		case m[d]:
			y.Work = append(y.Work, d)
		default:
			y.Off = append(y.Off, d)
		}
	}
	return y
}

// years returns the whole years among the marks.
func (m marked) years(source string) ([]Year, error) {
	numbers := map[int]bool{}
	for d := range m {
		numbers[d.Year] = true
	}
	var whole []Year
	last := errors.New("文件中没有放假的日期")
	for _, number := range slices.Sorted(maps.Keys(numbers)) {
		y := m.year(number, source, func(d Date) bool { return d.Year == number })
		if err := y.Check(); err != nil {
			last = err
			continue
		}
		whole = append(whole, y)
	}
	if len(whole) == 0 {
		return nil, last
	}
	return whole, nil
}
