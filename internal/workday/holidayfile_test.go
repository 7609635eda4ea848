package workday

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The circulars in their two wordings: weekdays written 星期日 without the lunar
// date, and 周日 with it.
const (
	circular2024 = `国务院办公厅关于2024年部分节假日安排的通知
国办发明电〔2023〕7号
各省、自治区、直辖市人民政府，国务院各部委、各直属机构：
经国务院批准，现将2024年元旦、春节、清明节、劳动节、端午节、中秋节和国庆节放假调休日期的具体安排通知如下。
一、元旦：1月1日放假，与周末连休。
二、春节：2月10日至17日放假调休，共8天。2月4日（星期日）、2月18日（星期日）上班。鼓励各单位结合带薪年休假等制度落实，安排职工在除夕（2月9日）休息。
三、清明节：4月4日至6日放假调休，共3天。4月7日（星期日）上班。
四、劳动节：5月1日至5日放假调休，共5天。4月28日（星期日）、5月11日（星期六）上班。
五、端午节：6月10日放假，与周末连休。
六、中秋节：9月15日至17日放假调休，共3天。9月14日（星期六）上班。
七、国庆节：10月1日至7日放假调休，共7天。9月29日（星期日）、10月12日（星期六）上班。
节假日期间，各地区、各部门要妥善安排好值班和安全、保卫、疫情防控等工作。
国务院办公厅
2023年10月25日`
	circular2026 = `国务院办公厅关于2026年部分节假日安排的通知
各省、自治区、直辖市人民政府，国务院各部委、各直属机构：
一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。
二、春节：2月15日（农历腊月二十八、周日）至23日（农历正月初七、周一）放假调休，共9天。2月14日（周六）、2月28日（周六）上班。
三、清明节：4月4日（周六）至6日（周一）放假，共3天。
四、劳动节：5月1日（周五）至5日（周二）放假调休，共5天。5月9日（周六）上班。
五、端午节：6月19日（周五）至21日（周日）放假，共3天。
六、中秋节：9月25日（周五）至27日（周日）放假，共3天。
七、国庆节：10月1日（周四）至7日（周三）放假调休，共7天。9月20日（周日）、10月10日（周六）上班。
国务院办公厅
2025年11月4日`
)

func published(t *testing.T, year int) Year {
	t.Helper()
	for _, y := range Published().Years() {
		if y.Year == year {
			return y
		}
	}
	t.Fatalf("%d is not published", year)
	return Year{}
}

func sameDays(a, b Year) bool { return slices.Equal(a.Off, b.Off) && slices.Equal(a.Work, b.Work) }

func TestCircularsGiveThePublishedTables(t *testing.T) {
	for year, text := range map[int]string{2024: circular2024, 2026: circular2026} {
		got, err := ParseCircular(text)
		if err != nil {
			t.Fatal(err)
		}
		if !sameDays(got, published(t, year)) || got.Year != year {
			t.Errorf("%d: %+v", year, got)
		}
	}
	if y, _ := ParseCircular(circular2024); y.Source != "国务院办公厅关于2024年部分节假日安排的通知（国办发明电〔2023〕7号）" {
		t.Errorf("source = %q", y.Source)
	}
	// Pasted from a page: full-width digits, blanks and other brackets.
	spoilt := strings.NewReplacer("1", "１", "（", " (", "）", ") ", "放假", " 放假 ").Replace(circular2026)
	if y, err := ParseCircular(spoilt); err != nil || !sameDays(y, published(t, 2026)) {
		t.Errorf("%+v, %v", y, err)
	}
}

// The official page breaks the title in two, text out of a PDF is wrapped
// anywhere, and the title may have been left behind.
func TestCircularsAreReadAcrossLines(t *testing.T) {
	wrapped := func(text string, n int) string {
		var b strings.Builder
		for line := range strings.SplitSeq(text, "\n") {
			for i, r := range []rune(line) {
				if i > 0 && i%n == 0 {
					b.WriteString("\r\n")
				}
				b.WriteRune(r)
			}
			b.WriteString("\r\n")
		}
		return b.String()
	}
	_, body, _ := strings.Cut(circular2024, "机构：\n")
	texts := []string{strings.Replace(circular2024, "2024年部分", "2024年\n　　部分", 1), body}
	for n := 9; n < 40; n++ {
		texts = append(texts, wrapped(circular2024, n))
	}
	for _, text := range texts {
		if y, err := ParseCircular(text); err != nil || !sameDays(y, published(t, 2024)) {
			t.Errorf("%s\n%+v, %v", text, y, err)
		}
	}
}

// A circular may move days of the December before: that of 2019 did.
func TestCircularReachesIntoDecember(t *testing.T) {
	y, err := ParseCircular(strings.Replace(circular2026, "一、元旦：1月1日（周四）至3日（周六）放假调休，共3天。1月4日（周日）上班。",
		"一、元旦：2025年12月31日（周三）至2026年1月2日（周五）放假调休，共3天。2025年12月28日（周日）上班。", 1))
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(append(Published().Years(), y)...)
	if err != nil {
		t.Fatal(err)
	}
	if c.IsWorkday(Date{2025, 12, 31}) || !c.IsWorkday(Date{2025, 12, 28}) {
		t.Error("the days of December were not moved")
	}
}

func TestCircularsThatContradictThemselves(t *testing.T) {
	for name, tt := range map[string]struct{ old, new, want string }{
		"wrong weekday":       {"1月4日（周日）上班", "1月4日（周六）上班", "2026-01-04 是星期日，不是星期六"},
		"wrong total":         {"共9天", "共8天", "写明放假 8 天，按日期数是 9 天"},
		"festival missing":    {"五、端午节：6月19日（周五）至21日（周日）放假，共3天。", "", "2026 年的安排中没有端午节（2026-06-19 星期五），内容不全"},
		"another year":        {"关于2026年", "关于2027年", "请核对年份"},
		"no title":            {"关于2026年部分节假日", "关于节假日", "请连同标题"},
		"no such day":         {"5月9日（周六）上班", "5月32日上班", "32日 不成日期"},
		"backwards":           {"10月1日（周四）至7日（周三）放假调休，共7天", "10月7日（周三）至1日（周四）放假调休", "先后颠倒"},
		"off and worked":      {"10月10日（周六）上班", "10月3日（周六）上班", "既写了放假又写了上班"},
		"half a year off":     {"10月1日（周四）至7日（周三）放假调休，共7天", "5月1日至12月7日放假", "超过 30 天"},
		"a day with no month": {"9月20日（周日）、10月10日（周六）上班", "20日上班", "20日 不成日期"},
	} {
		text := strings.Replace(circular2026, tt.old, tt.new, 1)
		if _, err := ParseCircular(text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func icsOf(y Year) string {
	var b strings.Builder
	b.WriteString("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//CN\r\nX-WR-CALNAME:中国节假日\r\n")
	event := func(d Date, summary string) {
		fmt.Fprintf(&b, "BEGIN:VEVENT\r\nUID:%s\r\nDTSTART;VALUE=DATE:%s\r\nDTEND;VALUE=DATE:%s\r\nSUMMARY:%s\r\nEND:VEVENT\r\n",
			d, strings.ReplaceAll(d.String(), "-", ""), strings.ReplaceAll(d.AddDays(1).String(), "-", ""), summary)
	}
	for _, d := range y.Off {
		event(d, "假期（休）")
	}
	for _, d := range y.Work {
		event(d, "补班（班）")
	}
	event(Date{y.Year, 2, 14}, "情人节")
	b.WriteString("END:VCALENDAR\r\n")
	return b.String()
}

func holidayCN(y Year) string {
	type day struct {
		Name     string `json:"name"`
		Date     Date   `json:"date"`
		IsOffDay bool   `json:"isOffDay"`
	}
	doc := struct {
		Year   int      `json:"year"`
		Papers []string `json:"papers"`
		Days   []day    `json:"days"`
	}{Year: y.Year, Papers: []string{"https://www.gov.cn/zhengce/x.htm"}}
	for _, d := range y.Off {
		doc.Days = append(doc.Days, day{"假", d, true})
	}
	for _, d := range y.Work {
		doc.Days = append(doc.Days, day{"班", d, false})
	}
	b, _ := json.Marshal(doc)
	return string(b)
}

func chineseDays(y Year) string {
	doc := map[string]map[string]string{"holidays": {}, "workdays": {}, "inLieuDays": {}}
	for _, d := range y.Off {
		doc["holidays"][d.String()] = "假"
	}
	for _, d := range y.Work {
		doc["workdays"][d.String()] = "班"
	}
	b, _ := json.Marshal(doc)
	return string(b)
}

func TestHolidayFilesGiveTheSameTable(t *testing.T) {
	want := published(t, 2026)
	own, _ := json.Marshal(want)
	many, _ := json.Marshal(map[string]any{"years": map[string]Year{"2026": want}})
	for name, file := range map[string]string{"circular": circular2026, "own": string(own), "own, several": string(many),
		"ics": icsOf(want), "holiday-cn": holidayCN(want), "chinese-days": chineseDays(want), "with a mark": "\ufeff" + string(own)} {
		years, err := ParseHolidays([]byte(file))
		if err != nil || len(years) != 1 || !sameDays(years[0], want) || years[0].Year != 2026 {
			t.Errorf("%s: %+v, %v", name, years, err)
		}
	}
}

func TestICSDialects(t *testing.T) {
	want := published(t, 2026)
	apple := strings.NewReplacer("SUMMARY:假期（休）", "SUMMARY:节\r\nX-APPLE-SPECIAL-DAY:WORK-HOLIDAY",
		"SUMMARY:补班（班）", "SUMMARY:节\r\nX-APPLE-SPECIAL-DAY:ALTERNATE-WORKDAY").Replace(icsOf(want))
	spans := strings.Replace(icsOf(want), "DTSTART;VALUE=DATE:20260217\r\nDTEND;VALUE=DATE:20260218", // 春节 in one event, weekend included
		"DTSTART;VALUE=DATE:20260215\r\nDTEND;VALUE=DATE:20260224", 1)
	for name, file := range map[string]string{"Apple": apple, "spans": spans} {
		if years, err := ParseHolidays([]byte(file)); err != nil || !sameDays(years[0], want) {
			t.Errorf("%s: %+v, %v", name, years, err)
		}
	}
}

func TestHolidayFilesThatAreRefused(t *testing.T) {
	half := icsOf(Year{Year: 2027, Off: []Date{{2027, 1, 1}}})
	for name, tt := range map[string]struct{ file, want string }{
		"empty":          {" ", "空的"},
		"another coding": {"\xb7\xc5\xbc\xd9", "UTF-8"},
		"half a year":    {half, "2027 年的安排中没有春节"},
		"no events":      {"BEGIN:VCALENDAR\r\nEND:VCALENDAR", "没有标明"},
		"cut off":        {"BEGIN:VCALENDAR\r\nBEGIN:VEVENT", "无法读取"},
		"a repeat":       {strings.Replace(half, "SUMMARY:假", "RRULE:FREQ=YEARLY\r\nSUMMARY:假", 1), "RRULE"},
		"a bad date":     {strings.Replace(half, "DTSTART;VALUE=DATE:20270101", "DTSTART;VALUE=DATE:20271301", 1), "无法读取"},
		"a long event":   {strings.Replace(half, "DTEND;VALUE=DATE:20270102", "DTEND;VALUE=DATE:20280102", 1), "超过 30 天"},
		"other JSON":     {`{"a":1}`, "没有认识的内容"},
		"not JSON":       {`{`, "JSON 无法读取"},
		"a bad day":      {`{"holidays":{"1 Jan":""}}`, "1 Jan"},
		"both":           {`{"holidays":{"2027-01-01":""},"workdays":{"2027-01-01":""}}`, "既写了放假又写了上班"},
		"no mark":        {`{"days":[{"date":"2027-01-01"}]}`, "isOffDay"},
		"no years":       {`{"years":{}}`, "没有任何一年"},
		"too large":      {"{" + strings.Repeat(" ", maxHolidayFile) + "}", "最多"},
	} {
		if _, err := ParseHolidays([]byte(tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// FuzzParseHolidays: whatever a file holds, a table that comes out of it is one
// that Check and New accept.
func FuzzParseHolidays(f *testing.F) {
	y := Published().Years()[2]
	own, _ := json.Marshal(y)
	for _, seed := range []string{circular2024, circular2026, string(own), icsOf(y), holidayCN(y), chineseDays(y), "BEGIN:VCALENDAR", "{}", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		years, err := ParseHolidays(data)
		if err != nil {
			return
		}
		if _, err := New(years...); err != nil || len(years) == 0 {
			t.Errorf("%d years, %v", len(years), err)
		}
	})
}

func FuzzParseCircular(f *testing.F) {
	f.Add(circular2024)
	f.Add(circular2026)
	f.Fuzz(func(t *testing.T, text string) {
		if y, err := ParseCircular(text); err == nil && y.Check() != nil {
			t.Errorf("%+v", y)
		}
	})
}
