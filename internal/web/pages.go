package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"gongkai/internal/disclosure"
)

// Home is the first screen: sectors, the newest notices, and what closes soon.
type Home struct {
	Now      time.Time
	Sectors  []SectorTile
	Newest   disclosure.NoticePage
	Deadline disclosure.NoticePage // open ones, the earliest first
}

// SectorTile is a sector with how much of it is public.
type SectorTile struct {
	Code, Name string
	Count      disclosure.SectorCount
}

// Sector lists the notices of a sector.
type Sector struct {
	Now    time.Time
	Code   string
	Name   string
	Types  []*disclosure.NoticeType // of the sector, in force
	Type   string                   // code of the one chosen, or ""
	Sort   disclosure.Sort
	Period *disclosure.Period // of publication, nil for any
	Fault  string             // what is wrong with the period asked for, in words
	List   disclosure.NoticePage
	Next   string              // link to the next page, or ""
	Paged  bool                // this is not the first page
	Past   []disclosure.Period // the periods with notices, newest first
	Bodies []string
}

// Search is the search form and, once something was asked, what was found.
type Search struct {
	Now     time.Time
	Asked   bool
	Form    SearchForm
	Faults  []string // what is wrong with the form, in words
	Sectors []SectorTile
	List    disclosure.NoticePage
	Next    string // link to the next page, or ""
	Paged   bool
}

// SearchForm is the form as it was sent, to be shown again.
type SearchForm struct {
	Q, Sector, Type, Since, Until, AmountMin, AmountMax, Sort string
	TypeName                                                  string // of Type, "" when there is none of that code
	Open                                                      bool
}

// Filtered reports whether more than words was asked for.
func (f SearchForm) Filtered() bool {
	return f.Sector != "" || f.Type != "" || f.Since != "" || f.Until != "" || f.AmountMin != "" || f.AmountMax != "" || f.Open
}

// Chosen names in words what the list was narrowed by, and its order where that
// is not the usual one.
func (s Search) Chosen() string {
	f := s.Form
	var words []string
	for _, t := range s.Sectors {
		if t.Code == f.Sector {
			words = append(words, t.Name)
		}
	}
	if f.TypeName != "" {
		words = append(words, f.TypeName)
	}
	for _, one := range []struct{ value, before, after string }{{f.Since, "", " 起"}, {f.Until, "", " 止"}, {f.AmountMin, "不低于 ", " 元"}, {f.AmountMax, "不高于 ", " 元"}} {
		if one.value != "" {
			words = append(words, one.before+one.value+one.after)
		}
	}
	if f.Open {
		words = append(words, "尚未截止")
	}
	if name := sortNames[f.Sort]; name != "" {
		words = append(words, name)
	}
	return strings.Join(words, " · ")
}

var sortNames = map[string]string{string(disclosure.SortDeadline): "按截止时间", string(disclosure.SortRelevance): "按相关程度"}

// InFull is what is searched for with short forms written out as notices have
// them, "" when there are none.
func (f SearchForm) InFull() string {
	q := f.Q
	for _, s := range shortForms {
		q = strings.ReplaceAll(q, s[0], s[1])
	}
	if q == f.Q {
		return ""
	}
	return q
}

// With is the same search for other words.
func (f SearchForm) With(q string) templ.SafeURL {
	f.Q = q
	return templ.URL("/search?" + f.Encode())
}

// Notice is one revision of a notice.
type Notice struct {
	Now time.Time
	disclosure.NoticeDetail
	Current   int                   // the newest public revision
	Status    disclosure.Status     // of the notice as it stands
	History   []disclosure.Revision // newest first
	Changes   []disclosure.Difference
	ChangesOf int // the revision that Changes compares with; 0 for none
	TablePage int // which page of long tables, from 1
	Preview   *Preview
}

// Preview makes the page of a notice that is not public: it runs no script, as
// that asks what has become of the notice, and carries what a public one links to.
type Preview struct {
	QR string // the picture of the notice's code
}

// qr is where the picture of the notice's code comes from.
func (n Notice) qr() string {
	if n.Preview != nil {
		return n.Preview.QR
	}
	return "/api/v1/notices/" + n.Code + "/qr.svg"
}

// newestCause says what made the newest revision.
func (n Notice) newestCause() string {
	if len(n.History) == 0 {
		return "更新"
	}
	return cause(n.History[0])
}

// Old reports whether a newer revision is public.
func (n Notice) Old() bool { return n.Rev != n.Current }

// Project is a project with all its notices.
type Project struct {
	Now time.Time
	disclosure.ProjectTimeline
}

// Subscribe tells how to be told of new notices.
type Subscribe struct {
	Sectors []SectorTile
	Sector  string // the one preselected, or ""
	Account Account
	SDK     *disclosure.PageSignature // nil unless WeChat's JS-SDK is configured
}

// Account is the official account (公众号) people follow.
type Account struct {
	Name string // "" when none is configured
	QR   string // the picture of its QR code, or ""
	URL  string // what to open instead of scanning, or ""
}

// Why tells a person why a card came to them. It shows nothing else of them: the
// link is signed for one card.
type Why struct {
	Done               string // what was just done, "" for nothing
	Title, Link        string // of the notice, "" when there is none to show
	Now                time.Time
	Catalog            *disclosure.Catalog
	Bundle             []disclosure.Summary // of a digest: the notices it is about
	Withdrawn          bool
	Reason, Source     string
	At                 time.Time // when the card was sent
	Subscription       bool      // a subscription is behind it
	SubscriptionPaused bool
	Paused             bool // everything is
}

// Failure says what went wrong and what to do now.
type Failure struct {
	Status    int
	Title     string
	Detail    string
	Help      string
	Link      string // to the newest revision of what was asked for, or ""
	RequestID string
	Retry     bool // trying again later may help
	Choices   []Choice
}

// Choice is one of several things that may have been asked for.
type Choice struct{ Link, Text string }

// Kiosk is the shell of the kiosk; its script fills it.
type Kiosk struct{ Sectors []SectorTile }

// KioskNotice is a notice as a fragment for the kiosk's shell.
type KioskNotice struct{ Notice }

// KioskPreview is a notice as the kiosk will show it, as a page of its own.
type KioskPreview struct{ Notice }

func (p Home) on(s Site) templ.Component         { return homePage(s, p) }
func (p Sector) on(s Site) templ.Component       { return sectorPage(s, p) }
func (p Search) on(s Site) templ.Component       { return searchPage(s, p) }
func (p Notice) on(s Site) templ.Component       { return noticePage(s, p) }
func (p Project) on(s Site) templ.Component      { return projectPage(s, p) }
func (p Subscribe) on(s Site) templ.Component    { return subscribePage(s, p) }
func (p Why) on(s Site) templ.Component          { return whyPage(s, p) }
func (p Failure) on(s Site) templ.Component      { return failurePage(s, p) }
func (p Kiosk) on(s Site) templ.Component        { return kioskPage(s, p) }
func (p KioskNotice) on(s Site) templ.Component  { return article(s, p.Notice) }
func (p KioskPreview) on(s Site) templ.Component { return kioskPreviewPage(s, p) }

// Pager is where a list goes on.
type Pager struct {
	Paged       bool
	First, Next string
}

// Link is the list of the same sector with another type or order.
func (s Sector) Link(typ, sort string) string { return s.link(typ, sort, "") }

// OfType is the list of the same sector and period with another type.
func (s Sector) OfType(typ string) string { return s.link(typ, string(s.Sort), s.period()) }

func (s Sector) period() string {
	if s.Period == nil {
		return ""
	}
	return s.Period.String()
}

func (s Sector) link(typ, sort, period string) string {
	v := url.Values{}
	if typ != "" {
		v.Set("type", typ)
	}
	if sort != string(disclosure.SortPublished) {
		v.Set("sort", sort)
	}
	if period != "" {
		v.Set("period", period)
	}
	if len(v) == 0 {
		return "/s/" + s.Code
	}
	return "/s/" + s.Code + "?" + v.Encode()
}

// Pager leads through the list.
func (s Sector) Pager() Pager {
	return Pager{s.Paged, s.link(s.Type, string(s.Sort), s.period()), s.Next}
}

// Years lists the months with notices, by year, newest first.
func (s Sector) Years() []Year {
	var years []Year
	last := disclosure.Period{}
	for _, p := range s.Past {
		month := disclosure.MonthOf(p.Since)
		if len(years) == 0 || years[len(years)-1].Name != strconv.Itoa(month.Since.Year)+"年" {
			years = append(years, Year{Name: strconv.Itoa(month.Since.Year) + "年"})
		}
		year := &years[len(years)-1]
		if month != last {
			year.Months = append(year.Months, s.span(month, strconv.Itoa(int(month.Since.Month))+"月"))
			last = month
		}
		year.Months[len(year.Months)-1].Count += p.Count
	}
	return years
}

// Days lists the days of the chosen period's month, nil unless the month is
// parted into days.
func (s Sector) Days() []Span {
	if s.Period == nil {
		return nil
	}
	var days []Span
	for _, p := range s.Past {
		if p.IsDay() && disclosure.MonthOf(p.Since) == disclosure.MonthOf(s.Period.Since) {
			day := s.span(disclosure.Period{Since: p.Since, Until: p.Until}, strconv.Itoa(p.Since.Day)+"日")
			day.Count = p.Count
			days = append(days, day)
		}
	}
	return days
}

func (s Sector) span(p disclosure.Period, name string) Span {
	within := s.Period != nil && p.Since.Compare(s.Period.Since) <= 0 && s.Period.Until.Compare(p.Until) <= 0
	return Span{Name: name, Link: s.link(s.Type, string(disclosure.SortPublished), p.String()), Current: within}
}

// Year is a year's months with notices, newest first.
type Year struct {
	Name   string
	Months []Span
}

// Span is a month or a day to choose.
type Span struct {
	Name, Link string
	Count      int
	Current    bool // it is the chosen one, or holds it
}

// Pager leads through what was found.
func (s Search) Pager() Pager {
	return Pager{s.Paged, "/search?" + s.Form.Encode(), s.Next}
}

// Encode writes the form as a query string.
func (f SearchForm) Encode() string {
	v := url.Values{}
	for key, value := range map[string]string{"q": f.Q, "sector": f.Sector, "type": f.Type, "since": f.Since, "until": f.Until,
		"amount_min": f.AmountMin, "amount_max": f.AmountMax, "sort": f.Sort} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if f.Open {
		v.Set("open", "true")
	}
	return v.Encode()
}

// name is what to call the account.
func (a Account) name() string {
	if a.Name == "" {
		return "公众号"
	}
	return a.Name
}

// example is the sector in the example of what to send.
func (s Subscribe) example() string {
	for _, t := range s.Sectors {
		if t.Code == s.Sector {
			return t.Name
		}
	}
	return "住房保障"
}

// feed names the feed that stands for the subscription.
func (s Subscribe) feed() string {
	if s.Sector == "" {
		return "all"
	}
	return s.Sector
}
