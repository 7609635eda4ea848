package importer

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gongkai/internal/disclosure"
)

// civil is a date as typed; the importer may not reach package workday, whose
// Date the domain has.
type civil struct{ year, month, day int }

// String writes 2006-01-02.
func (d civil) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day) }

// valid reports whether the calendar has the day, in the years the domain takes.
func (d civil) valid() bool {
	t := time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
	return d.year >= 1900 && d.year <= 2199 && t.Year() == d.year && int(t.Month()) == d.month && t.Day() == d.day
}

// serial reads the day number of a spreadsheet, with the time as its fraction:
// clock is "09:30:00", or "" at midnight.
func (in *input) serial(text string) (d civil, clock string, ok bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 1 || v > 200_000 {
		return d, "", false
	}
	day, part := math.Modf(v)
	seconds := int(math.Round(part * 86_400))
	epoch := time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case in.date1904:
		epoch = time.Date(1904, time.January, 1, 0, 0, 0, 0, time.UTC)
	case day < 61: // Excel knows a 29 February 1900
		epoch = epoch.AddDate(0, 0, 1)
	}
	t := epoch.AddDate(0, 0, int(day)).Add(time.Duration(seconds) * time.Second)
	if seconds > 0 {
		clock = t.Format(time.TimeOnly)
	}
	d = civil{t.Year(), int(t.Month()), t.Day()}
	return d, clock, d.valid()
}

var (
	dateText = regexp.MustCompile(`^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*(?:日|号)?`)
	// serialText is a day of 2000 to 2099 in a cell that is not formatted as a date.
	// Any other number there is none: 2026 is no day of 1905.
	serialText = regexp.MustCompile(`^(3[6-9]|[4-6]\d|7[0-2])\d{3}(\.\d+)?$`)
	dateRun    = regexp.MustCompile(`^(\d{4})(\d{2})(\d{2})$`)
	clockText  = regexp.MustCompile(`^(上午|下午|中午|晚上|早上)?\s*(\d{1,2})\s*(?:[:：]\s*(\d{1,2})|[时点]\s*(?:(\d{1,2})\s*分?|(整|半))?)(?:[:：]\s*(\d{1,2}))?(?:\s*秒)?\s*(?:\+08:00|\(北京时间\)|（北京时间）)?$`)
	weekText   = regexp.MustCompile(`[(（]?(?:星期|周|礼拜)[一二三四五六日天][)）]?`)
	hanNumber  = strings.NewReplacer("〇", "0", "○", "0", "零", "0", "一", "1", "二", "2", "三", "3", "四", "4", "五", "5", "六", "6", "七", "7", "八", "8", "九", "9")
)

// parseMoment reads a date, with or without a time, in the ways people write it.
func parseMoment(text string) (d civil, clock string, ok bool) {
	s := strings.TrimSpace(weekText.ReplaceAllString(fold(text), ""))
	s = hanDate(s)
	if m := dateRun.FindStringSubmatch(s); m != nil { // 20261123
		d = civil{atoi(m[1]), atoi(m[2]), atoi(m[3])}
		return d, "", d.valid()
	}
	m := dateText.FindStringSubmatch(s)
	if m == nil {
		return d, "", false
	}
	d = civil{atoi(m[1]), atoi(m[2]), atoi(m[3])}
	rest := strings.TrimPrefix(strings.TrimSpace(s[len(m[0]):]), "T")
	if rest = strings.TrimSpace(rest); rest != "" {
		if clock, ok = parseClock(rest); !ok {
			return d, "", false
		}
	}
	return d, clock, d.valid()
}

// hanDate turns 二〇二六年十一月二十三日 into digits.
func hanDate(s string) string {
	year, rest, ok := strings.Cut(s, "年")
	if !ok || len([]rune(year)) != 4 || strings.Trim(year, "0123456789") == "" {
		return s
	}
	month, rest, ok := strings.Cut(rest, "月")
	if !ok {
		return s
	}
	day, rest, ok := strings.Cut(rest, "日")
	if !ok {
		return s
	}
	return hanNumber.Replace(year) + "年" + hanTens(month) + "月" + hanTens(day) + "日" + rest
}

// hanTens writes 二十三 as 23, 十 as 10, 三 as 3.
func hanTens(s string) string {
	tens, ones, ok := strings.Cut(s, "十")
	if !ok {
		return hanNumber.Replace(s)
	}
	if tens == "" {
		tens = "一"
	}
	if ones == "" {
		ones = "〇"
	}
	return hanNumber.Replace(tens + ones)
}

func parseClock(s string) (string, bool) {
	m := clockText.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	hour, minute, second := atoi(m[2]), atoi(m[3]+m[4]), atoi(m[6])
	if m[5] == "半" {
		minute = 30
	}
	switch {
	case m[1] == "晚上" && (hour < 5 || hour == 12): // midnight or after: of which day?
		return "", false
	case (m[1] == "下午" || m[1] == "晚上") && hour < 12:
		hour += 12
	case m[1] == "中午" && hour < 3:
		hour += 12
	}
	return fmt.Sprintf("%02d:%02d:%02d", hour, minute, second), hour < 24 && minute < 60 && second < 60
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s) // digits by the patterns above
	return n
}

// moment reads a cell as a date, with or without a time.
func (in *input) moment(c cell, text string) (civil, string, bool) {
	if c.date || serialText.MatchString(text) {
		if d, clock, ok := in.serial(text); ok {
			return d, clock, true
		}
	}
	return parseMoment(text)
}

const dateHint = "请写成 2026-11-23，也可以写 2026年11月23日、2026.11.23 或 2026/11/23"

func (in *input) date(f disclosure.Field, c cell, text string) (json.RawMessage, *remark) {
	d, clock, ok := in.moment(c, text)
	if !ok {
		if at, err := disclosure.ParseInstant(fold(text)); err == nil {
			return quote(disclosure.FormatInstant(at)[:10]), mention("date.time_dropped", "“"+f.Label+"”只取日期")
		}
		return nil, fault("date.invalid", "“"+f.Label+"”的日期无法识别", dateHint)
	}
	if clock != "" {
		return quote(d.String()), mention("date.time_dropped", "“"+f.Label+"”只取日期 "+d.String()+"，时刻略去")
	}
	return quote(d.String()), nil
}

const datetimeHint = "请写成 2026-11-23 09:30，也可以写 2026年11月23日上午9时30分"

func (in *input) datetime(f disclosure.Field, c cell, text string) (json.RawMessage, *remark) {
	if at, err := disclosure.ParseInstant(strings.TrimSpace(fold(text))); err == nil && !c.number {
		return quote(disclosure.FormatInstant(at)), nil
	}
	d, clock, ok := in.moment(c, text)
	if !ok {
		return nil, fault("datetime.invalid", "“"+f.Label+"”的时间无法识别", datetimeHint)
	}
	if clock == "" {
		if !strings.ContainsAny(text, ":：时点") {
			return nil, fault("datetime.no_time", "“"+f.Label+"”只有日期，没有时刻", datetimeHint)
		}
		clock = "00:00:00"
	}
	return quote(d.String() + "T" + clock + "+08:00"), nil
}

var periodSplit = regexp.MustCompile(`\s*(?:至|到|~|～|—|–|\s-\s|-{2,})\s*`)

// period reads both ends of a period from one cell.
func (in *input) period(f disclosure.Field, c cell, text string) (json.RawMessage, *remark) {
	hint := "请分填开始和结束两列，或写成 2026-11-23至2026-11-30"
	ends := periodSplit.Split(strings.TrimSuffix(strings.TrimPrefix(fold(text), "自"), "止"), -1)
	if c.number || len(ends) != 2 {
		return nil, fault("period.invalid", "“"+f.Label+"”的起止日期无法识别", hint)
	}
	from, _, ok := parseMoment(ends[0])
	to, _, ok2 := parseMoment(ends[1])
	if !ok || !ok2 {
		return nil, fault("period.invalid", "“"+f.Label+"”的起止日期无法识别", hint)
	}
	return periodJSON(from.String(), to.String()), nil
}

func periodJSON(from, to string) json.RawMessage {
	b, _ := json.Marshal(map[string]string{"from": from, "to": to}) // strings always encode
	return b
}
