package disclosure

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gongkai/internal/workday"
)

// Deadline is a time limit of a notice: set by the notice itself, or counted by
// a rule from one of its dates.
type Deadline struct {
	Rule        string // "D9.contract"; "" when only the notice sets it
	Label       string // what ends, in Chinese
	DueAt       time.Time
	Provisional bool         // relies on a year without published holidays
	From        workday.Date // the day the rule counts from
}

// RuleID returns the rule without the term: "D9".
func (d Deadline) RuleID() string {
	id, _, _ := strings.Cut(d.Rule, ".")
	return id
}

// AuditRecount is the action of the audit trail for a notice whose deadlines were
// counted again, because the calendar or a rule changed.
const AuditRecount = "recount"

// Timeliness is whether a notice was disclosed in time (公开时效): within 20
// working days of its forming (D1), or 7 of a decision (D2).
type Timeliness struct {
	Rule        string // "D1" or "D2"
	From        workday.Date
	Due         workday.Date // the last day that was in time
	Late        bool
	Provisional bool
}

// occasion is the day on which a notice is judged.
type occasion struct {
	published workday.Date
	corrected workday.Date // of an amended notice: the day of the correction
	original  string       // of what amends a notice: the type of that notice
}

// clause is a use of a rule with the term it names.
type clause struct {
	RuleUse
	term *Term
	law  string // id of the rule
}

// clauses returns the uses that apply to the content, of its type and of every
// type. One whose rule is not in force on the day is left out.
func (c *Catalog) clauses(n Content, t *NoticeType, o occasion) []clause {
	var out []clause
	add := func(uses []RuleUse) {
		for _, u := range uses {
			r, term, err := c.Rule(u.Rule)
			if err != nil || !r.On(o.published) || !u.applies(n, o) {
				continue
			}
			out = append(out, clause{u, term, r.ID})
		}
	}
	add(t.Rules)
	for i := range c.Rules {
		add(c.Rules[i].Applies)
	}
	return out
}

func (u RuleUse) applies(n Content, o occasion) bool {
	if len(u.Original) > 0 {
		_, word, _ := strings.Cut(o.original, ".")
		if !slices.Contains(u.Original, word) {
			return false
		}
	}
	return !slices.ContainsFunc(u.When, func(c Condition) bool { return !c.holds(n.Fields[c.Field]) })
}

func (c Condition) holds(v any) bool {
	text, _ := v.(string)
	if len(c.In) > 0 && !slices.Contains(c.In, text) || slices.Contains(c.Not, text) {
		return false
	}
	if c.AtLeast == nil && c.Below == nil {
		return true
	}
	if number, ok := v.(json.Number); ok {
		text = number.String()
	}
	x, err := strconv.ParseFloat(text, 64)
	return err == nil && (c.AtLeast == nil || x >= *c.AtLeast) && (c.Below == nil || x < *c.Below)
}

// day returns the civil date that the anchor stands for, zero when it is not
// known.
func (o occasion) day(n Content, anchor string) workday.Date {
	switch anchor {
	case anchorPublished:
		return o.published
	case anchorIssued:
		if at := n.Source.FirstPublishedAt; !at.IsZero() && at.Before(o.published.Start()) {
			return workday.DateOf(at)
		}
		return o.published
	case anchorCorrected:
		return o.corrected
	case anchorFormed:
		return n.FormedAt
	case anchorDecided:
		return n.DecidedAt
	}
	key, end, _ := strings.Cut(anchor, ".")
	v := n.Fields[key]
	if period, ok := v.(map[string]any); ok {
		v = period[end]
	}
	text, _ := v.(string)
	if at, err := ParseInstant(text); err == nil {
		return workday.DateOf(at)
	}
	d, _ := workday.ParseDate(text) // a missing or malformed value is no date
	return d
}

// from returns the latest of the days that the use counts from, and its anchor.
// "corrected" must be known; any other may be missing beside a known one.
func (o occasion) from(n Content, u RuleUse) (latest workday.Date, anchor string) {
	for _, a := range u.From {
		if d := o.day(n, a); !d.IsZero() && (latest.IsZero() || d.Compare(latest) > 0) {
			latest, anchor = d, a
		}
	}
	return latest, anchor
}

// amount is the term's, or what the notice sets for itself.
func (k clause) amount(n Content) int {
	if v, ok := n.Fields[k.AmountField].(json.Number); ok {
		if x, err := strconv.ParseFloat(v.String(), 64); err == nil && x >= 1 && x <= maxAmount {
			return int(math.Round(x))
		}
	}
	return k.term.Amount
}

// reviewRules holds the rules against the dates of a notice.
func (c *Catalog) reviewRules(n Content, t *NoticeType, o occasion) []Finding {
	var findings []Finding
	for _, k := range c.clauses(n, t, o) {
		if k.To == "" || slices.Contains(k.From, anchorCorrected) {
			continue
		}
		if f, ok := c.reviewClause(n, t, k, o); ok {
			findings = append(findings, f)
		}
	}
	return findings
}

func (c *Catalog) reviewClause(n Content, t *NoticeType, k clause, o occasion) (Finding, bool) {
	from, anchor := o.from(n, k.RuleUse)
	to := o.day(n, k.To)
	if from.IsZero() || to.IsZero() {
		return Finding{}, false
	}
	warning := k.term.Severity == SeverityWarning
	if k.Severity != "" {
		warning = k.Severity == SeverityWarning
	}
	found := func(field, code, message string, warning bool) (Finding, bool) {
		return Finding{Warning: warning, FieldError: FieldError{Field: field, Code: code, Message: message, Rule: k.law}}, true
	}
	amount := k.amount(n)
	switch k.term.Direction {
	case AtLeast:
		least := k.term.least(c.Calendar(), from, amount)
		if to.Compare(least.Date) >= 0 {
			return Finding{}, false
		}
		return found(anchorField(k.To), "date.too_early", fmt.Sprintf("“%s”为%s，最早应为%s：%s，自%s（%s）起不少于%s%s（%s）",
			t.anchorLabel(k.To), chineseDate(to), chineseDate(least.Date), k.term.Name, t.anchorLabel(anchor), chineseDate(from),
			k.term.Unit.AmountText(amount), provisionalText(least), k.term.Article), warning)
	case AtMost:
		if to.Compare(from) < 0 {
			return found(blamed(k.To, anchor), "date.order", fmt.Sprintf("“%s”（%s）早于“%s”（%s），请核对日期",
				t.anchorLabel(k.To), chineseDate(to), t.anchorLabel(anchor), chineseDate(from)), false)
		}
		due := k.term.due(c.Calendar(), from, amount)
		if to.Compare(due.Date) <= 0 {
			return Finding{}, false
		}
		return found(blamed(k.To, anchor), "date.too_late", fmt.Sprintf("“%s”为%s，已超过期限%s：%s，自%s（%s）起%s内%s（%s）；请写明原因",
			t.anchorLabel(k.To), chineseDate(to), chineseDate(due.Date), k.term.Name, t.anchorLabel(anchor), chineseDate(from),
			k.term.Unit.AmountText(amount), provisionalText(due), k.term.Article), warning)
	}
	return Finding{}, false
}

// ReviewAmendment holds the rules against what a correction makes of a notice,
// as of the day of the correction: the dates it changes, counted from the
// notice's own publication, and how long before a deadline it comes. by is the
// correction's content; of a termination changed is the original's.
func (c *Catalog) ReviewAmendment(original Notice, changed, by Content, today workday.Date) []Finding {
	var findings []Finding
	if t, err := c.TypeAt(by.Type, by.TypeVersion); err == nil {
		for _, k := range c.clauses(by, t, occasion{published: today, original: original.Type}) {
			if len(k.Original) == 0 || k.To == "" {
				continue
			}
			if f, ok := c.reviewClause(by, t, k, occasion{published: today}); ok {
				findings = append(findings, f)
			}
		}
	}
	t, err := c.TypeAt(changed.Type, changed.TypeVersion)
	if _, how := by.Amends(); err != nil || how != RelationCorrects {
		return findings
	}
	o := occasion{published: workday.DateOf(original.PublishedAt), corrected: today}
	for _, k := range c.clauses(changed, t, o) {
		if k.To == "" || k.To == anchorPublished || !c.concerned(original.Content, changed, k, o) {
			continue
		}
		if f, ok := c.reviewClause(changed, t, k, o); ok {
			f.Field = "changes." + strings.TrimPrefix(f.Field, "fields.")
			findings = append(findings, f)
		}
	}
	return findings
}

// concerned reports whether a correction has to do with the use: it moves one of
// its dates, or the deadline it must keep clear of is still ahead, or is again.
func (c *Catalog) concerned(was, is Content, k clause, o occasion) bool {
	if slices.Contains(k.From, anchorCorrected) {
		return o.day(was, k.To).Compare(o.corrected) >= 0 || o.day(is, k.To).Compare(o.corrected) >= 0
	}
	before, _ := o.from(was, k.RuleUse)
	after, _ := o.from(is, k.RuleUse)
	return before != after || o.day(was, k.To) != o.day(is, k.To)
}

// Deadlines returns the time limits of a public notice, the earliest first.
func (c *Catalog) Deadlines(n Notice) []Deadline {
	t, err := c.TypeAt(n.Type, n.TypeVersion)
	if err != nil || n.Status != StatusPublished {
		return nil
	}
	o := occasion{published: workday.DateOf(n.PublishedAt)}
	var out []Deadline
	named := map[string]bool{}
	for _, k := range c.clauses(n.Content, t, o) {
		d, ok := c.deadline(n.Content, t, k, o)
		if !ok || named[d.Label] {
			continue
		}
		named[d.Label] = true
		if k.To != "" {
			key, _, _ := strings.Cut(k.To, ".")
			named["field "+key] = true
		}
		out = append(out, d)
	}
	if at := n.DeadlineAt(t); !at.IsZero() && !named["field "+t.DeadlineField] {
		f, _ := t.Field(t.DeadlineField)
		out = append(out, Deadline{Label: f.Label + map[bool]string{true: "届满"}[f.Kind == FieldPeriod], DueAt: at})
	}
	slices.SortStableFunc(out, func(a, b Deadline) int { return a.DueAt.Compare(b.DueAt) })
	return out
}

// deadline returns what a use sets: the date of a field that a minimum bounds,
// or the day the term counts to.
func (c *Catalog) deadline(n Content, t *NoticeType, k clause, o occasion) (Deadline, bool) {
	from, anchor := o.from(n, k.RuleUse)
	if from.IsZero() || k.To != "" && k.term.Direction != AtLeast || anchor == anchorCorrected {
		return Deadline{}, false
	}
	d := Deadline{Rule: k.law + "." + k.term.Key, Label: k.Label, From: from}
	if k.To == "" {
		due := k.term.due(c.Calendar(), from, k.amount(n))
		d.DueAt, d.Provisional = due.Date.End(), due.Provisional
		if d.Label == "" {
			d.Label = k.term.Name
		}
		return d, true
	}
	key, end, part := strings.Cut(k.To, ".")
	if end == "from" { // the beginning of something is no deadline
		return Deadline{}, false
	}
	if d.DueAt = o.instant(n, k.To); d.DueAt.IsZero() {
		return Deadline{}, false
	}
	if f, ok := t.Field(key); ok && d.Label == "" {
		d.Label = f.Label + map[bool]string{true: "届满"}[part]
	}
	return d, true
}

// instant is the moment up to which the anchor's date can still be met.
func (o occasion) instant(n Content, anchor string) time.Time {
	if text, ok := n.Fields[anchor].(string); ok {
		if at, err := ParseInstant(text); err == nil {
			return at
		}
	}
	d := o.day(n, anchor)
	if d.IsZero() {
		return time.Time{}
	}
	return d.End()
}

// Timeliness returns whether a public notice was disclosed in time, and false
// when it does not say from when the limit ran. Of several limits the strictest
// counts.
func (c *Catalog) Timeliness(n Notice) (Timeliness, bool) {
	var out Timeliness
	t, err := c.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return out, false
	}
	o := occasion{published: workday.DateOf(n.PublishedAt)}
	for _, k := range c.clauses(n.Content, t, o) {
		from, _ := o.from(n.Content, k.RuleUse)
		if k.law != "D1" && k.law != "D2" || from.IsZero() {
			continue
		}
		due := k.term.due(c.Calendar(), from, k.amount(n.Content))
		if out.Rule == "" || due.Date.Compare(out.Due) < 0 {
			out = Timeliness{Rule: k.law, From: from, Due: due.Date, Provisional: due.Provisional,
				Late: o.published.Compare(due.Date) > 0}
		}
	}
	return out, out.Rule != ""
}

// Explanation shows how a time limit was counted.
type Explanation struct {
	Rule    *Rule // nil for a count without a rule
	Term    *Term
	From    workday.Date
	Amount  int
	Unit    Unit
	Due     workday.Due
	Skipped []workday.Skip
}

// Explain counts the term that ref names from a day. Errors: CodeNoItem, and
// CodeParam for a rule that has no number of days.
func (c *Catalog) Explain(ref string, from workday.Date) (Explanation, error) {
	r, t, err := c.Rule(ref)
	if r != nil && len(r.Terms) == 0 {
		err = Errorf(CodeParam, "规则“%s”（%s）没有时限：%s", r.ID, r.Name, r.Note).On("rule")
	}
	if err != nil {
		return Explanation{}, err
	}
	e := c.ExplainCount(from, t.Amount, t.Unit)
	e.Rule, e.Term = r, t
	if t.Direction == Before {
		e.Due, e.Skipped = t.due(c.Calendar(), from, t.Amount), []workday.Skip{}
	}
	return e, nil
}

// ExplainCount counts days or working days from a day.
func (c *Catalog) ExplainCount(from workday.Date, amount int, unit Unit) Explanation {
	e := Explanation{From: from, Amount: amount, Unit: unit}
	if unit == UnitWorkdays {
		e.Due, e.Skipped = c.Calendar().Explain(from, amount)
	} else {
		e.Due, e.Skipped = c.Calendar().ExplainDays(from, amount)
	}
	return e
}

func provisionalText(d workday.Due) string {
	if d.Provisional {
		return "，按尚未公布的放假安排暂定"
	}
	return ""
}

func chineseDate(d workday.Date) string {
	return fmt.Sprintf("%d年%d月%d日", d.Year, d.Month, d.Day)
}

// blamed is the field a person can change: the one the limit runs from, when the
// other end is the day of publication.
func blamed(to, from string) string {
	if to == anchorPublished {
		return anchorField(from)
	}
	return anchorField(to)
}

// anchorField is the anchor as the sender of a draft wrote it.
func anchorField(anchor string) string {
	switch anchor {
	case anchorFormed, anchorDecided, anchorPublished, anchorCorrected, anchorIssued:
		return anchor
	}
	return "fields." + anchor
}

var anchorLabels = map[string]string{anchorPublished: "发布之日", anchorIssued: "首次发布之日", anchorCorrected: "更正发布之日",
	anchorFormed: "信息形成（变更）日期", anchorDecided: "作出决定日期"}

func (t *NoticeType) anchorLabel(anchor string) string {
	if label := anchorLabels[anchor]; label != "" {
		return label
	}
	key, end, _ := strings.Cut(anchor, ".")
	f, _ := t.Field(key)
	return f.Label + map[string]string{"from": "开始", "to": "结束"}[end]
}
