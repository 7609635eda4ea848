package workday

import (
	"slices"
	"strings"
	"time"

	lunar "github.com/6tail/lunar-go/calendar"
)

// The festivals of the Measures (全国年节及纪念日放假办法 第二条), as they are named
// in circulars.
const (
	newYear    = "元旦"
	spring     = "春节"
	qingming   = "清明节"
	labour     = "劳动节"
	dragonBoat = "端午节"
	midAutumn  = "中秋节"
	national   = "国庆节"
)

// statutory returns the name of the festival that makes d a day off by the
// Measures, or "".
func (c *Calendar) statutory(d Date) string {
	days, ok := c.festivals.Load(d.Year)
	if !ok {
		days, _ = c.festivals.LoadOrStore(d.Year, statutoryDays(d.Year)) // most of a millisecond of astronomy
	}
	return days.(map[Date]string)[d]
}

// statutoryDays works out the days off that the Measures give everybody in the
// year: 13 from 2025 on (2024 amendment), 11 before it.
func statutoryDays(year int) map[Date]string {
	days := map[Date]string{}
	put := func(name string, first Date, n int) {
		for i := range n {
			d := first.AddDays(i)
			if _, taken := days[d]; taken { // 中秋节 in the days of 国庆节
				name = days[d] + "、" + name
			}
			days[d] = name
		}
	}
	put(newYear, Date{year, time.January, 1}, 1)
	firstOfSpring := lunarDate(year, 1, 1)
	if year >= 2025 {
		put(spring, firstOfSpring.AddDays(-1), 4) // 除夕 too
		put(labour, Date{year, time.May, 1}, 2)
	} else {
		put(spring, firstOfSpring, 3)
		put(labour, Date{year, time.May, 1}, 1)
	}
	put(qingming, solarDate(lunar.NewLunarFromYmd(year, 1, 1).GetJieQiTable()["清明"]), 1)
	put(dragonBoat, lunarDate(year, 5, 5), 1)
	put(national, Date{year, time.October, 1}, 3)
	put(midAutumn, lunarDate(year, 8, 15), 1)
	return days
}

func lunarDate(year, month, day int) Date {
	return solarDate(lunar.NewLunarFromYmd(year, month, day).GetSolar())
}

func solarDate(s *lunar.Solar) Date {
	return Date{s.GetYear(), time.Month(s.GetMonth()), s.GetDay()}
}

// maxBlock bounds the days off in a row around a festival.
const maxBlock = 16

// Reason says in Chinese why d is not worked, or why a weekend day is; "" for an
// ordinary working day.
func (c *Calendar) Reason(d Date) string {
	if note := c.notes[d]; note != "" {
		return note
	}
	switch worked, covered := c.IsWorkday(d), c.Covers(d.Year); {
	case worked && weekend(d):
		return "调休上班"
	case worked:
		return ""
	case !covered && c.statutory(d) != "":
		return c.statutory(d) + "（法定节假日，" + yearText(d.Year) + "年放假安排尚未公布）"
	case !covered:
		return weekdayName(d)
	}
	if name := c.holiday(d); name != "" {
		return name + "放假"
	}
	if weekend(d) {
		return weekdayName(d)
	}
	return "放假"
}

func yearText(year int) string { return Date{year, 1, 1}.String()[:4] }

// holiday names the festivals of the days off in a row that d belongs to.
func (c *Calendar) holiday(d Date) string {
	var names []string
	collect := func(d Date) bool {
		if c.IsWorkday(d) {
			return false
		}
		for name := range strings.SplitSeq(c.statutory(d), "、") {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return true
	}
	first := d
	for n := 0; n < maxBlock && !c.IsWorkday(first.AddDays(-1)); n++ {
		first = first.AddDays(-1)
	}
	for n := 0; n < 2*maxBlock && collect(first); n++ {
		first = first.AddDays(1)
	}
	return strings.Join(names, "、")
}
