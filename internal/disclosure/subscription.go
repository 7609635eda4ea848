package disclosure

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gongkai/internal/workday"
)

// Mode says when a subscriber hears of a notice.
type Mode string

// The modes.
const (
	ModeImmediate Mode = "immediate" // each notice by itself
	ModeDaily     Mode = "daily"     // one digest a day, at DigestHour
)

// DigestHour is when the daily digest (每日汇总) goes out, since midnight in
// Asia/Shanghai.
const DigestHour = 8*time.Hour + 30*time.Minute

// Quiet is a span of the day in which a subscriber is left alone (免打扰), in
// minutes since midnight, Asia/Shanghai. From after To wraps midnight.
type Quiet struct {
	From, To int
}

// ParseQuiet reads two times of the day, "22:00" and "07:00".
func ParseQuiet(from, to string) (Quiet, error) {
	a, errA := time.Parse("15:04", from)
	b, errB := time.Parse("15:04", to)
	if errA != nil || errB != nil || len(from) != 5 || len(to) != 5 {
		return Quiet{}, Errorf(CodeSubscription, "免打扰时段请写成 {\"from\":\"22:00\",\"to\":\"07:00\"}").On("quiet")
	}
	q := Quiet{a.Hour()*60 + a.Minute(), b.Hour()*60 + b.Minute()}
	if q.From == q.To {
		return Quiet{}, Errorf(CodeSubscription, "免打扰时段的开始和结束不能相同").On("quiet")
	}
	return q, nil
}

// Clock writes one end of the span as "22:00".
func Clock(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// Until returns the end of the quiet span that covers t, or the zero time when
// t is not in it.
func (q Quiet) Until(t time.Time) time.Time {
	t = t.In(workday.Shanghai)
	minute := t.Hour()*60 + t.Minute()
	in := minute >= q.From && minute < q.To
	if q.From > q.To {
		in = minute >= q.From || minute < q.To
	}
	if !in {
		return time.Time{}
	}
	day := workday.DateOf(t)
	if q.From > q.To && minute >= q.From {
		day = day.AddDays(1)
	}
	return day.Start().Add(time.Duration(q.To) * time.Minute)
}

// NextDigest returns the first digest at or after t.
func NextDigest(t time.Time) time.Time {
	day := workday.DateOf(t)
	if at := day.Start().Add(DigestHour); !at.Before(t) {
		return at
	}
	return day.AddDays(1).Start().Add(DigestHour)
}

// Filter says which notices a subscriber wants. An empty member does not
// filter; the values of one member are alternatives, and members add up.
type Filter struct {
	Sectors   []string
	Types     []string
	Keywords  []string // any of them, in the title or the text
	Exclude   []string // none of them
	Bodies    []string // ids; a body stands for those under it
	Regions   []string // 行政区划代码, or its beginning
	AmountMin *Money
	AmountMax *Money
	Projects  []string // codes
}

// Concerns reports whether the filter lets anything of the sector through as far as
// its sectors and types say.
func (f Filter) Concerns(sector string) bool {
	return (len(f.Sectors) == 0 || slices.Contains(f.Sectors, sector)) &&
		(len(f.Types) == 0 || slices.ContainsFunc(f.Types, typeOf(sector)))
}

// Only reports whether the filter lets nothing but the sector through.
func (f Filter) Only(sector string) bool {
	others := slices.ContainsFunc(f.Types, func(code string) bool { return !typeOf(sector)(code) })
	return f.Concerns(sector) && (len(f.Sectors) == 1 || len(f.Types) > 0 && !others)
}

// Without returns the filter without the sector. One that is not only about it and
// names neither sectors nor types cannot leave it out and is returned as it is.
func (f Filter) Without(sector string) Filter {
	f.Sectors = slices.DeleteFunc(slices.Clone(f.Sectors), func(code string) bool { return code == sector })
	f.Types = slices.DeleteFunc(slices.Clone(f.Types), typeOf(sector))
	return f
}

// typeOf tells the types of a sector by their codes.
func typeOf(sector string) func(code string) bool {
	return func(code string) bool { return strings.HasPrefix(code, sector+".") }
}

// Subscription (订阅) is one filter of one person with its manner of delivery.
type Subscription struct {
	ID   string // UUID
	N    int64  // the store's own key
	Name string // "" leaves it to Title
	Filter
	Mode      Mode
	Quiet     *Quiet
	Paused    bool
	Source    string // where it was made: "h5", "chat", "scan:<kiosk>"
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Title says in Chinese what the subscription is about.
func (s Subscription) Title(c *Catalog) string {
	var parts []string
	for _, code := range s.Sectors {
		parts = append(parts, c.SectorName(code))
	}
	for _, code := range s.Types {
		name := code
		if t, err := c.Type(code); err == nil {
			name = t.Name
		}
		parts = append(parts, name)
	}
	for _, w := range s.Keywords {
		parts = append(parts, "“"+w+"”")
	}
	for _, id := range s.Bodies {
		parts = append(parts, c.BodyName(id))
	}
	for _, p := range s.Projects {
		parts = append(parts, "项目 "+p)
	}
	for _, r := range s.Regions {
		parts = append(parts, "区划 "+r)
	}
	if s.AmountMin != nil {
		parts = append(parts, GroupMoney(*s.AmountMin)+" 元以上")
	}
	if s.AmountMax != nil {
		parts = append(parts, GroupMoney(*s.AmountMax)+" 元以下")
	}
	if len(parts) == 0 {
		return "全部公告"
	}
	return strings.Join(parts, "、")
}

// SubscriptionDraft is a subscription as a person sends it. A member that is
// absent keeps its value when a subscription is changed.
type SubscriptionDraft struct {
	Name      *string         `json:"name"`
	Sectors   *[]string       `json:"sectors"`
	Types     *[]string       `json:"types"`
	Keywords  *[]string       `json:"keywords"`
	Exclude   *[]string       `json:"exclude"`
	Bodies    *[]string       `json:"bodies"`
	Regions   *[]string       `json:"regions"`
	AmountMin json.RawMessage `json:"amount_min"`
	AmountMax json.RawMessage `json:"amount_max"`
	Projects  *[]string       `json:"projects"`
	Mode      *Mode           `json:"mode"`
	Quiet     json.RawMessage `json:"quiet"`
	Paused    *bool           `json:"paused"`
}

// The limits of subscriptions.
const (
	MaxSubscriptions = 20 // of one person
	maxFilterValues  = 30
	maxKeyword       = 30 // characters
)

// Apply returns base changed by the draft. Errors: CodeSubscription with every
// fault.
func (d SubscriptionDraft) Apply(c *Catalog, base Subscription) (Subscription, error) {
	s := base
	var l faultList
	known := func(field, what string, sent *[]string, to *[]string, find func(string) error) {
		if sent == nil {
			return
		}
		*to = cleanList(*sent)
		l.add(len(*to) <= maxFilterValues, field, "list.too_long", fmt.Sprintf("%s最多 %d 个", what, maxFilterValues))
		for _, v := range *to {
			l.add(find(v) == nil, field, "value.unknown", fmt.Sprintf("没有%s“%s”", what, short(v)))
		}
	}
	known("sectors", "领域", d.Sectors, &s.Sectors, func(v string) error { _, err := c.Sector(v); return err })
	known("types", "公告类型", d.Types, &s.Types, func(v string) error { _, err := c.Type(v); return err })
	known("bodies", "公开主体", d.Bodies, &s.Bodies, func(v string) error { _, err := c.Body(v); return err })
	words := func(field, what string, sent *[]string, to *[]string, limit int) {
		known(field, what, sent, to, func(string) error { return nil })
		for _, v := range *to {
			l.length(field, v, 1, limit, what)
		}
	}
	words("keywords", "关键词", d.Keywords, &s.Keywords, maxKeyword)
	words("exclude", "排除词", d.Exclude, &s.Exclude, maxKeyword)
	words("projects", "项目编号", d.Projects, &s.Projects, 100)
	words("regions", "行政区划代码", d.Regions, &s.Regions, 12)
	for _, r := range s.Regions {
		l.add(len(r) >= 2 && strings.Trim(r, "0123456789") == "", "regions", "region.invalid", "行政区划代码是 2 到 12 位数字")
	}
	if d.Name != nil {
		s.Name = oneLine(*d.Name)
		l.length("name", s.Name, 0, 50, "名称")
	}
	s.AmountMin = optionalMoney(&l, "amount_min", d.AmountMin, s.AmountMin)
	s.AmountMax = optionalMoney(&l, "amount_max", d.AmountMax, s.AmountMax)
	l.add(s.AmountMin == nil || s.AmountMax == nil || *s.AmountMin <= *s.AmountMax, "amount_max", "number.range", "金额上限小于下限")
	if d.Mode != nil {
		s.Mode = *d.Mode
		l.add(s.Mode == ModeImmediate || s.Mode == ModeDaily, "mode", "value.unknown", "mode 应为 immediate 或 daily")
	}
	if d.Paused != nil {
		s.Paused = *d.Paused
	}
	s.Quiet = optionalQuiet(&l, d.Quiet, s.Quiet)
	return s, invalid(CodeSubscription, l)
}

// cleanList trims the values of a list and drops repeats and blanks.
func cleanList(list []string) []string {
	out := []string{}
	for _, v := range list {
		if v = oneLine(v); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func short(s string) string {
	if utf8.RuneCountInString(s) > 40 {
		return string([]rune(s)[:40]) + "…"
	}
	return s
}

func isNull(raw json.RawMessage) bool { return strings.TrimSpace(string(raw)) == "null" }

func optionalMoney(l *faultList, field string, raw json.RawMessage, before *Money) *Money {
	if len(raw) == 0 {
		return before
	}
	if isNull(raw) {
		return nil
	}
	var text string
	err := json.Unmarshal(raw, &text)
	m, parseErr := ParseMoney(text)
	l.add(err == nil && parseErr == nil, field, "money.invalid", "请写成以元为单位的数字，如 \"1234567.00\"")
	return &m
}

func optionalQuiet(l *faultList, raw json.RawMessage, before *Quiet) *Quiet {
	if len(raw) == 0 {
		return before
	}
	if isNull(raw) {
		return nil
	}
	var span struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	q, err := Quiet{}, DecodeStrict(raw, &span)
	if err == nil {
		q, err = ParseQuiet(span.From, span.To)
	}
	l.add(err == nil, "quiet", "quiet.invalid", "免打扰时段请写成 {\"from\":\"22:00\",\"to\":\"07:00\"}，可跨零点；不要时写 null")
	return &q
}

// NewSubscription is a subscription with the defaults of an empty draft.
func NewSubscription(id, source string, now time.Time) Subscription {
	return Subscription{ID: id, Filter: Filter{Sectors: []string{}, Types: []string{}, Keywords: []string{}, Exclude: []string{}, Bodies: []string{},
		Regions: []string{}, Projects: []string{}}, Mode: ModeImmediate, Source: source, CreatedAt: now, UpdatedAt: now}
}

// Candidate is a subscription as the matcher reads it: Filter is nil when the
// sector alone decides.
type Candidate struct {
	Sub    int64
	Person int64
	Filter *Filter
	Mode   Mode
}
