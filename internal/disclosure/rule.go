package disclosure

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gongkai/internal/workday"
)

// Rule is a legal rule about time (法定时限), D1 to D21 of the built-in ones: one
// or more terms of one article, or none where it has no number of days. It is
// data; notice types say to which of their dates it applies.
type Rule struct {
	ID       string    `json:"id"` // "D5"
	Name     string    `json:"name"`
	Standing Standing  `json:"standing"`
	Note     string    `json:"note"`
	Terms    []Term    `json:"terms"`
	Applies  []RuleUse `json:"everywhere"` // uses by notices of every type
	Sort     int       `json:"sort"`
	Validity
}

// Standing says how sure a rule is.
type Standing string

// The standings. Only a rule read in the law itself is beyond editing.
const (
	StandingLaw       Standing = "law"        // 法律法规原文
	StandingToConfirm Standing = "to_confirm" // 待区里确认
	StandingConfirmed Standing = "confirmed"  // 区里已确认
)

// Term is one time limit of a rule (期限).
type Term struct {
	Key       string    `json:"key"` // a word; "D8.publicity" names a term, "D8" the rule's first
	Name      string    `json:"name"`
	Trigger   string    `json:"trigger"` // from when it runs, in words
	Amount    int       `json:"amount"`
	Unit      Unit      `json:"unit"`
	Direction Direction `json:"direction"`
	Rolled    bool      `json:"rolled"`   // a period that must last: its end must be a working day
	Severity  Severity  `json:"severity"` // of a notice that breaks it: an error blocks, a warning asks for a reason
	Article   string    `json:"article"`
}

// Unit is in what a term counts; the two are never mixed.
type Unit string

// The units.
const (
	UnitDays     Unit = "d"  // 日: calendar days
	UnitWorkdays Unit = "wd" // 工作日
)

// Direction says what a term bounds.
type Direction string

// The directions.
const (
	AtLeast Direction = "min"    // 不得少于: the later date must not come earlier
	AtMost  Direction = "max"    // 之内: the act must not come later
	Before  Direction = "before" // 截止前: counted back from a date
)

// RuleUse applies a term to the dates of a notice type. A date is named by an
// anchor: a field of the type ("bid_deadline", "document_period.from"),
// "formed_at", "decided_at", "published" (the day of publication here), "issued"
// (that day, or of its first publication elsewhere if that was earlier) or
// "corrected" (the day of a correction of the notice).
//
// With To, the term is held against both dates when the notice is submitted and
// verified. Without To it gives the notice a deadline. It is passed over while a
// date it needs is missing.
type RuleUse struct {
	Rule        string      `json:"rule"` // "D5" or "D8.publicity"
	From        []string    `json:"from"` // the latest of these
	To          string      `json:"to"`
	Label       string      `json:"label"`        // of the deadline; "" is the field's label or the term's name
	AmountField string      `json:"amount_field"` // integer field that sets the amount for one notice
	Severity    Severity    `json:"severity"`     // over the term's; "" is the term's
	When        []Condition `json:"when"`         // all must hold
	Original    []string    `json:"original"`     // only for what amends a notice of such a type, by the second word of its code
}

// Condition is a test of one field of the notice.
type Condition struct {
	Field   string   `json:"field"`
	In      []string `json:"in"`       // the value is one of these
	Not     []string `json:"not"`      // the value is none of these; a missing one is not
	AtLeast *float64 `json:"at_least"` // of money and numbers
	Below   *float64 `json:"below"`
}

// The anchors that are no fields.
const (
	anchorPublished = "published"
	anchorIssued    = "issued"
	anchorCorrected = "corrected"
	anchorFormed    = "formed_at"
	anchorDecided   = "decided_at"
)

// Term returns the term with the key, or the first for "".
func (r *Rule) Term(key string) (*Term, bool) {
	for i := range r.Terms {
		if key == "" || r.Terms[i].Key == key {
			return &r.Terms[i], true
		}
	}
	return nil, false
}

// Rule returns the rule with the id, and the term that a reference such as "D5"
// or "D8.publicity" names. A missing one is CodeNoItem.
func (c *Catalog) Rule(ref string) (*Rule, *Term, error) {
	id, key, _ := strings.Cut(ref, ".")
	r, ok := c.rules[id]
	if !ok {
		return nil, nil, Errorf(CodeNoItem, "没有时限规则“%s”", id)
	}
	t, ok := r.Term(key)
	if !ok {
		return r, nil, Errorf(CodeNoItem, "时限规则“%s”没有期限“%s”", id, key)
	}
	return r, t, nil
}

// Calendar returns the working-day calendar of this moment: the years built in
// and those imported since.
func (c *Catalog) Calendar() *workday.Calendar {
	if c.calendar == nil {
		return workday.Published()
	}
	return c.calendar
}

// due counts the term from a day.
func (t *Term) due(cal *workday.Calendar, from workday.Date, amount int) workday.Due {
	switch {
	case t.Direction == Before:
		return workday.Due{Date: from.AddDays(-amount)}
	case t.Unit == UnitWorkdays:
		return cal.Add(from, amount)
	}
	return cal.AddDays(from, amount)
}

// least is the earliest date that satisfies a term of direction min: an interval
// of calendar days may end on a day off, a period that must last may not.
func (t *Term) least(cal *workday.Calendar, from workday.Date, amount int) workday.Due {
	if t.Unit == UnitDays && !t.Rolled {
		return workday.Due{Date: from.AddDays(amount)}
	}
	return t.due(cal, from, amount)
}

// AmountText writes an amount of the unit: 20日, 5个工作日.
func (u Unit) AmountText(n int) string {
	if u == UnitWorkdays {
		return fmt.Sprintf("%d个工作日", n)
	}
	return fmt.Sprintf("%d日", n)
}

var (
	ruleForm   = regexp.MustCompile(`^[A-Z][0-9]{1,3}$`)
	anchorForm = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}(\.(from|to))?$`)
)

const maxAmount = 3650 // days

func (r *Rule) check() (string, []FieldError) {
	var l faultList
	l.add(ruleForm.MatchString(r.ID), "id", "id.invalid", "规则编号形如 D1；区里新增的可用 E1")
	l.name("name", r.Name)
	r.Standing = cmp.Or(r.Standing, StandingToConfirm)
	l.add(slices.Contains([]Standing{StandingLaw, StandingToConfirm, StandingConfirmed}, r.Standing), "standing", "enum.invalid",
		"应为 law、to_confirm 或 confirmed")
	l.length("note", r.Note, 0, maxText, "说明")
	l.validity(r.Validity)
	seen := map[string]bool{}
	for i := range r.Terms {
		at := fmt.Sprintf("terms[%d].", i)
		l.add(!seen[r.Terms[i].Key], at+"key", "key.duplicate", "期限代码重复")
		seen[r.Terms[i].Key] = true
		l.term(at, &r.Terms[i])
	}
	if r.Terms == nil {
		r.Terms = []Term{}
	}
	if r.Applies == nil {
		r.Applies = []RuleUse{}
	}
	for i := range r.Applies {
		l.use(fmt.Sprintf("everywhere[%d]", i), &r.Applies[i], nil)
	}
	return r.ID, l
}

func (l *faultList) term(at string, t *Term) {
	t.Unit, t.Direction, t.Severity = cmp.Or(t.Unit, UnitDays), cmp.Or(t.Direction, AtMost), cmp.Or(t.Severity, SeverityWarning)
	l.add(wordForm.MatchString(t.Key), at+"key", "key.invalid", "期限代码请用小写英文单词和下划线")
	l.name(at+"name", t.Name)
	l.name(at+"article", t.Article)
	l.add(utf8.RuneCountInString(t.Trigger) <= 200, at+"trigger", "text.too_long", "起算的说明最多 200 个字")
	l.add(t.Amount >= 1 && t.Amount <= maxAmount, at+"amount", "number.range", fmt.Sprintf("期限应在 1 到 %d 之间", maxAmount))
	l.add(t.Unit == UnitDays || t.Unit == UnitWorkdays, at+"unit", "enum.invalid", "单位应为 d（日）或 wd（工作日）")
	l.add(slices.Contains([]Direction{AtLeast, AtMost, Before}, t.Direction), at+"direction", "enum.invalid", "方向应为 min、max 或 before")
	l.add(t.Direction != Before || t.Unit == UnitDays, at+"unit", "term.before", "倒数的期限只用日")
	l.severity(at+"severity", t.Severity)
}

func (l *faultList) severity(at string, s Severity) {
	l.add(s == SeverityError || s == SeverityWarning, at, "enum.invalid", "应为 error（不得发布）或 warning（须写明理由）")
}

// use checks one use of a rule by the type, or by every type for nil.
func (l *faultList) use(at string, u *RuleUse, t *NoticeType) {
	l.add(u.Rule != "", at+".rule", "field.required", "请写明规则")
	l.add(len(u.From) > 0, at+".from", "field.required", "请写明从哪一天起算")
	anchors := slices.Clone(u.From)
	if u.To != "" {
		anchors = append(anchors, u.To)
	}
	for _, a := range anchors {
		l.add(anchorForm.MatchString(a) && (t == nil || t.anchored(a)), at, "anchor.unknown", fmt.Sprintf("“%s”不是本类型中的日期", a))
	}
	if u.Severity != "" {
		l.severity(at+".severity", u.Severity)
	}
	if u.When == nil {
		u.When = []Condition{}
	}
	if u.Original == nil {
		u.Original = []string{}
	}
	if t == nil {
		return
	}
	for _, c := range u.When {
		_, ok := t.Field(c.Field)
		l.add(ok, at+".when", "field.unknown", fmt.Sprintf("“%s”不是本类型的字段", c.Field))
	}
	f, ok := t.Field(u.AmountField)
	l.add(u.AmountField == "" || ok && f.Kind == FieldInteger, at+".amount_field", "field.unknown", "应为本类型中类别为 integer 的字段")
}

// anchored reports whether the anchor names a date that notices of the type may
// have.
func (t *NoticeType) anchored(anchor string) bool {
	switch anchor {
	case anchorPublished, anchorIssued, anchorCorrected, anchorFormed, anchorDecided:
		return true
	}
	key, end, part := strings.Cut(anchor, ".")
	f, ok := t.Field(key)
	switch {
	case !ok:
		return false
	case f.Kind == FieldPeriod:
		return part && (end == "from" || end == "to")
	}
	return !part && (f.Kind == FieldDate || f.Kind == FieldDatetime)
}

// checkRuleChange refuses to change a rule that stands in the law itself, or to
// call one so, and to drop a term that a type is checked by: it would silently
// be checked no more.
func (c *Catalog) checkRuleChange(def Definition) error {
	var r Rule
	if err := json.Unmarshal(def.Doc, &r); err != nil {
		return fmt.Errorf("disclosure: check rule: %w", err)
	}
	had := c.rules[r.ID]
	if same, err := json.Marshal(had); err == nil && string(same) == string(def.Doc) {
		return nil
	}
	var l faultList
	l.add(had == nil || had.Standing != StandingLaw, "id", "rule.law", fmt.Sprintf("“%s”是法律法规规定的期限，不能修改", r.ID))
	l.add(r.Standing != StandingLaw || had != nil && had.Standing == StandingLaw, "standing", "rule.law",
		"区里增改的规则请写 to_confirm（待确认）或 confirmed（已确认）")
	for i, u := range r.Applies {
		id, _, _ := strings.Cut(u.Rule, ".")
		l.add(id == r.ID, fmt.Sprintf("everywhere[%d].rule", i), "reference.unknown", "只能引用本规则的期限")
	}
	if len(l) > 0 {
		return invalid(CodeDefinition, l)
	}
	for _, t := range c.Types {
		for _, u := range t.Rules {
			id, key, _ := strings.Cut(u.Rule, ".")
			_, kept := r.Term(key)
			l.add(id != r.ID || kept, "terms", "term.used", fmt.Sprintf(
				"公告类型“%s”还在使用期限“%s”，不能去掉：terms 请写全部期限；整条规则停用请填写失效日期", t.Name, u.Rule))
		}
	}
	return invalid(CodeDefinition, l)
}
