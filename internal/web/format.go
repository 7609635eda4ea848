package web

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"gongkai/internal/disclosure"
)

var iso = disclosure.FormatInstant

// trusted is markup that people wrote, reduced to the allow-list.
func trusted(body string) templ.Component { return templ.Raw(disclosure.SanitizeHTML(body)) }

func tel(number string) templ.SafeURL { return templ.URL("tel:" + number) }

func projectPath(code string) string { return "/p/" + url.PathEscape(code) }

// openness is the style of a deadline.
func openness(over bool) string {
	if over {
		return "over"
	}
	return "open"
}

// openUntil is when the notice closes, "" without a deadline.
func openUntil(n Notice) string {
	if n.Closing() == "" {
		return ""
	}
	return datetime(n.Deadline())
}

// total says how many a list has.
func total(p disclosure.NoticePage) string {
	if p.TotalCapped {
		return strconv.Itoa(p.Total) + " 条以上"
	}
	return strconv.Itoa(p.Total) + " 条"
}

func joined(names []string) string { return strings.Join(names, "、") }

func quoted(name string) string {
	if name == "" {
		return ""
	}
	return "“" + name + "”"
}

func searchTitle(s Site, q string) string { return "检索" + quoted(q) + " · " + s.Name }

// cause says why there is a revision.
func cause(r disclosure.Revision) string {
	switch r.Cause {
	case "correct":
		return "更正"
	case "terminate":
		return "终止"
	}
	return "发布"
}

// Row is a notice as one cell of a list.
type Row struct {
	Code, Title, Type, Sector, Body string
	Href                            string
	Published                       time.Time
	Deadline                        time.Time
	Closing                         string // how long it is still open, "" without a deadline
	Over                            bool   // the deadline is over
	Status                          string // a word, "" for an ordinary published notice
	Amount                          string
}

func rowOf(c *disclosure.Catalog, s disclosure.Summary, now time.Time) Row {
	r := Row{Code: s.Code, Title: s.Title, Type: typeName(c, s.Type, s.TypeVersion), Sector: s.Sector(), Body: c.BodyName(s.Body),
		Href: noticePath(s.Code, s.Rev), Published: s.PublishedAt, Deadline: s.OpenUntil(), Closing: closing(s.OpenUntil(), now), Status: stateName(s.Status, s.SupersededBy != "")}
	r.Over = !r.Deadline.IsZero() && !now.Before(r.Deadline)
	if s.HasAmount {
		r.Amount = amount(s.Amount)
	}
	return r
}

func rowsOf(c *disclosure.Catalog, list []disclosure.Summary, now time.Time) []Row {
	rows := make([]Row, len(list))
	for i, s := range list {
		rows[i] = rowOf(c, s, now)
	}
	return rows
}

func noticePath(code string, rev int) string { return "/n/" + code + "/" + strconv.Itoa(rev) }

// typeName names the type by the version the notice was written with, or by its
// code where the catalogue has lost it.
func typeName(c *disclosure.Catalog, code string, version int) string {
	t, err := c.TypeAt(code, version)
	if err != nil {
		return code
	}
	return t.Name
}

// amount writes money as people say it: 元 below ten thousand, else 万元 or 亿元
// where that is exact to two decimals.
func amount(m disclosure.Money) string {
	for _, u := range []struct {
		fen  disclosure.Money
		name string
	}{{1e10, "亿元"}, {1e6, "万元"}} {
		if m >= u.fen && m%(u.fen/100) == 0 {
			return strconv.FormatFloat(float64(m)/float64(u.fen), 'f', -1, 64) + u.name
		}
	}
	return disclosure.GroupMoney(m) + "元"
}

func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(shanghai).Format("2006-01-02")
}

func datetime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(shanghai).Format("2006年1月2日 15:04")
}

// shanghai is the standard time of China; it has had no other offset since 1992.
var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// closing says in words how long something is still open, or that it is over;
// "" without a deadline. The words hold until the day ends or the deadline is
// over, whichever is first.
func closing(at, now time.Time) string {
	if at.IsZero() {
		return ""
	}
	if !now.Before(at) {
		return "已截止"
	}
	switch days := dayNumber(at) - dayNumber(now); days {
	case 0:
		return "今天 " + at.In(shanghai).Format("15:04") + " 截止"
	case 1:
		return "明天 " + at.In(shanghai).Format("15:04") + " 截止"
	default:
		return "还有 " + strconv.Itoa(days) + " 天截止"
	}
}

// dayNumber counts civil days in Shanghai.
func dayNumber(t time.Time) int {
	_, offset := t.In(shanghai).Zone()
	return int(math.Floor(float64(t.Unix()+int64(offset)) / 86400))
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MB"
	case n >= 1<<10:
		return strconv.FormatInt(n>>10, 10) + " KB"
	}
	return strconv.FormatInt(n, 10) + " 字节"
}

// relation says how the other notice stands to this one.
func relation(t disclosure.RelationType) string {
	switch t {
	case disclosure.RelationCorrects:
		return "更正了"
	case disclosure.RelationTerminates:
		return "终止了"
	case disclosure.RelationFollows:
		return "承接"
	case disclosure.RelationCorrectedBy:
		return "更正公告"
	case disclosure.RelationTerminatedBy:
		return "终止公告"
	case disclosure.RelationFollowedBy:
		return "后续公告"
	}
	return "相关公告"
}

// icons are drawn on a grid of 24 with a pen of 1.8, one for each sector that
// ships with the program.
var icons = map[string]string{
	"housing":      `<path d="M3 11 12 4l9 7M5.5 9.5V20h13V9.5M10 20v-6h4v6"/>`,
	"land":         `<path d="M3 7l6-3 6 3 6-3v13l-6 3-6-3-6 3zM9 4v13M15 7v13"/>`,
	"procurement":  `<path d="M3 4h2.5l2.2 11h10.6L20.5 7H6.2"/><circle cx="9" cy="19" r="1.6"/><circle cx="17" cy="19" r="1.6"/>`,
	"property":     `<path d="M4 20h16M5.5 20V9M10 20V9M14 20V9M18.5 20V9M3 9l9-5 9 5z"/>`,
	"construction": `<path d="M4 20h16M7 20V4h3l10 5H7M17 9v4M15.5 13h3v3h-3zM7 12h3v8"/>`,
	"medical":      `<path d="M4 8h16v12H4zM9 8V4h6v4M12 11v6M9 14h6"/>`,
	"":             `<path d="M6 3h9l4 4v14H6zM15 3v4h4M9 12h7M9 16h7"/>`,
}

// icon draws the sign of a sector, or a sheet for one that has none.
func icon(sector string) templ.Component {
	shape, ok := icons[sector]
	if !ok {
		shape = icons[""]
	}
	return templ.Raw(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">` + shape + `</svg>`)
}
