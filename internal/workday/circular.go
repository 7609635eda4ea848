package workday

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/width"
)

var (
	circularYear = regexp.MustCompile(`(\d{4})年(?:(?:部分)?节假日|元旦)`) // in the title, or “现将2027年元旦、春节…”
	// A line that ends in none of these goes on in the next: the title of the
	// official page is two lines, and text out of a PDF is wrapped anywhere.
	circularWrap  = regexp.MustCompile(`([^。;:天班假休息\n])\n+`)
	circularPaper = regexp.MustCompile(`国办发明电\[\d{4}\]\d+号`)
	circularNote  = regexp.MustCompile(`\([^()]*?(?:周|星期)([一二三四五六日天])[^()]*\)`)
	anyNote       = regexp.MustCompile(`\([^()]*\)`)
	circularSpan  = regexp.MustCompile(`(?:(\d{4})年)?(?:(\d{1,2})月)?(\d{1,2})日(?:<(.)>)?` +
		`(?:(?:至|到|[—–~-]+)(?:(\d{4})年)?(?:(\d{1,2})月)?(\d{1,2})日(?:<(.)>)?)?`)
	circularTotal = regexp.MustCompile(`(?:共|放假)(\d{1,2})天`)
)

// ParseCircular reads the text of the General Office's circular (国务院办公厅关于
// …年部分节假日安排的通知), in either wording in use. Its own statements are held
// against each other: weekdays in brackets, the number of days of each holiday,
// and the statutory days of the year. The error is Chinese and says which
// sentence does not hold.
func ParseCircular(text string) (Year, error) {
	text = plainCircular(text)
	found := circularYear.FindStringSubmatch(text)
	if found == nil {
		return Year{}, errors.New("没有找到“…年部分节假日安排”：请连同标题一起粘贴通知的全文")
	}
	number, _ := strconv.Atoi(found[1]) // four digits
	if number < firstYear || number > lastYear {
		return Year{}, fmt.Errorf("年份 %d 不在 %d–%d 之内", number, firstYear, lastYear)
	}
	r := circular{number: number, days: marked{}}
	for _, sentence := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune("。;\n", c) }) {
		if err := r.sentence(sentence); err != nil {
			return Year{}, fmt.Errorf("“%s”：%w", shortened(sentence), err)
		}
	}
	source := fmt.Sprintf("国务院办公厅关于%d年部分节假日安排的通知", number)
	if paper := circularPaper.FindString(text); paper != "" {
		source += "（" + strings.NewReplacer("[", "〔", "]", "〕").Replace(paper) + "）"
	}
	draft := Year{Year: number}
	y := r.days.year(number, source, draft.holds)
	return y, y.Check()
}

// plainCircular folds widths and brackets, drops blanks, joins wrapped lines, and
// leaves of the notes in brackets only the weekday: “1月4日（农历…、周日）” becomes “1月4日<日>”.
func plainCircular(text string) string {
	text = width.Fold.String(text)
	text = strings.NewReplacer("〔", "[", "〕", "]", "【", "[", "】", "]").Replace(text)
	text = strings.Map(func(c rune) rune {
		if c != '\n' && (unicode.IsSpace(c) || unicode.Is(unicode.Cf, c)) {
			return -1
		}
		return c
	}, text)
	text = strings.NewReplacer("<", "", ">", "").Replace(text)
	text = circularWrap.ReplaceAllString(text, "$1")
	return anyNote.ReplaceAllString(circularNote.ReplaceAllString(text, "<$1>"), "")
}

func shortened(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// circular collects the days of one circular.
type circular struct {
	number int
	days   marked
}

// sentence reads what one sentence says. What is only encouraged (鼓励…休息) is
// no holiday.
func (r *circular) sentence(s string) error {
	s, _, _ = strings.Cut(s, "鼓励")
	month, off := 0, 0
	for clause := range strings.SplitSeq(strings.ReplaceAll(s, "，", ","), ",") {
		worked := strings.Contains(clause, "上班")
		if !worked && !strings.Contains(clause, "放假") && !strings.Contains(clause, "休息") {
			continue
		}
		for _, span := range circularSpan.FindAllStringSubmatch(clause, -1) {
			first, last, err := r.span(span, &month)
			if err != nil {
				return err
			}
			for d := first; d.Compare(last) <= 0; d = d.AddDays(1) {
				if err := r.days.put(d, worked); err != nil {
					return err
				}
				if !worked {
					off++
				}
			}
		}
	}
	if total := circularTotal.FindStringSubmatch(s); total != nil && off > 0 {
		if want, _ := strconv.Atoi(total[1]); want != off { // two digits
			return fmt.Errorf("写明放假 %d 天，按日期数是 %d 天", want, off)
		}
	}
	return nil
}

// span reads “2月15日<日>至23日<一>” or a single day. A month or year left out is
// that before it.
func (r *circular) span(m []string, month *int) (first, last Date, err error) {
	year := r.number
	if first, err = circularDay(m[1], m[2], m[3], m[4], &year, month); err != nil {
		return first, last, err
	}
	last = first
	if m[7] != "" {
		if last, err = circularDay(m[5], m[6], m[7], m[8], &year, month); err != nil {
			return first, last, err
		}
	}
	switch {
	case last.Compare(first) < 0:
		return first, last, fmt.Errorf("%s 至 %s，先后颠倒", first, last)
	case last.Compare(first.AddDays(maxHoliday)) > 0:
		return first, last, fmt.Errorf("%s 至 %s，超过 %d 天", first, last, maxHoliday)
	}
	return first, last, nil
}

func circularDay(yearText, monthText, dayText, weekday string, year, month *int) (Date, error) {
	if yearText != "" {
		*year, _ = strconv.Atoi(yearText) // digits, as are the others
	}
	if monthText != "" {
		*month, _ = strconv.Atoi(monthText)
	}
	day, _ := strconv.Atoi(dayText)
	d := Date{*year, time.Month(*month), day}
	if *month == 0 || d.AddDays(0) != d || *year < firstYear || *year > lastYear {
		return d, fmt.Errorf("%s日 不成日期", dayText)
	}
	if weekday != "" && !strings.HasSuffix(weekdayName(d), strings.ReplaceAll(weekday, "天", "日")) {
		return d, fmt.Errorf("%s 是%s，不是星期%s，请核对年份", d, weekdayName(d), weekday)
	}
	return d, nil
}
