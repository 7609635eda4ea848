package disclosure

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"gongkai/internal/workday"
)

// Card is what a push says of a notice, before it is cut to a template. It
// names its source and never holds more than the public page.
type Card struct {
	Title     string
	Sector    string // short name, at most 5 Han characters
	Type      string
	Body      string
	Source    string
	Code      string
	Status    string // 新公告, 更正公告, 终止公告, 每日汇总
	Published time.Time
	Deadline  time.Time
	Amount    string // "1234567.00", "" when none
	Why       string // which subscription it came for
}

// sectorWords are the sectors' names in at most five characters, for templates.
var sectorWords = map[string]string{
	"housing": "住房保障", "land": "土地出让", "procurement": "政府采购", "property": "产权交易",
	"construction": "工程招标", "medical": "医用耗材", "general": "综合信息",
}

// SectorName returns the name of a sector, or its code.
func (c *Catalog) SectorName(code string) string {
	if s, err := c.Sector(code); err == nil {
		return s.Name
	}
	return code
}

func (c *Catalog) sectorWord(code string) string {
	if w, ok := sectorWords[code]; ok {
		return w
	}
	return cutRunes(strings.Map(hanOnly, c.SectorName(code)), 5, "")
}

func hanOnly(r rune) rune {
	if unicode.Is(unicode.Han, r) {
		return r
	}
	return -1
}

// eventWords are the phrases of the kinds of events.
var eventWords = map[EventKind]string{EventPublished: "新公告", EventCorrected: "更正公告", EventTerminated: "终止公告", EventDigest: "每日汇总"}

// Word returns the kind in Chinese.
func (k EventKind) Word() string { return eventWords[k] }

// NewCard says what a card tells of the notice; t is the type it was written
// by. Give it masked content only.
func NewCard(n Notice, kind EventKind, t *NoticeType, c *Catalog) Card {
	card := Card{Title: MaskCardText(n.Title), Sector: c.sectorWord(n.SectorCode()), Type: t.Name, Body: c.BodyName(n.Body), Source: n.Source.Name,
		Code: n.Code, Status: kind.Word(), Published: n.PublishedAt, Deadline: n.DeadlineAt(t)}
	if kind == EventTerminated {
		card.Deadline = time.Time{}
	}
	if m, ok := n.Amount(t); ok {
		card.Amount = FormatMoney(m)
	}
	return card
}

// personal finds what identifies a person in a line of text: an ID number or a
// mobile phone number.
var personal = regexp.MustCompile(`[1-9]\d{16}[\dXx]|1[3-9]\d{9}`)

// MaskCardText hides ID and mobile numbers in what a phone shows of a public
// notice: a card is on lock screens, so whatever a title says, it does not say
// them. It knows plain numbers only; the privacy check has read the title before.
func MaskCardText(s string) string {
	return personal.ReplaceAllStringFunc(s, func(found string) string {
		return found[:3] + strings.Repeat("*", len(found)-5) + found[len(found)-2:]
	})
}

// NeutralTitle stands for a title that WeChat's filter refuses.
const NeutralTitle = "您订阅的公告有更新"

// CardValues are the names that a template's fields may be bound to.
var CardValues = []string{"title", "sector", "type", "body", "source", "code", "status", "published", "deadline", "amount", "why"}

// Value returns one of CardValues as text; "" when the card has none.
func (c Card) Value(name string) string {
	switch name {
	case "title":
		return c.Title
	case "sector":
		return c.Sector
	case "type":
		return c.Type
	case "body":
		return c.Body
	case "source":
		return c.Source
	case "code":
		return c.Code
	case "status":
		return c.Status
	case "amount":
		return c.Amount
	case "why":
		return c.Why
	case "published":
		return cardTime(c.Published)
	case "deadline":
		return cardTime(c.Deadline)
	}
	return ""
}

func cardTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(workday.Shanghai).Format("2006年01月02日 15:04")
}

// fieldRule is what WeChat allows in one kind of template field.
type fieldRule struct {
	limit   int                 // characters
	allowed func(r rune) bool   // nil: any but control characters
	empty   string              // stands for an empty value, which WeChat refuses
	fit     func(string) string // nil: cut to the limit
	sources func(n string) bool // which card values make sense; nil: any
}

func digitsOnly(r rune) bool { return r >= '0' && r <= '9' || r == '.' }
func asciiOnly(r rune) bool  { return r > ' ' && r <= '~' }
func isTime(name string) bool {
	return name == "published" || name == "deadline"
}

// fieldRules is the table of field kinds, by the letters before the number:
// "thing1" is a thing.
var fieldRules = map[string]fieldRule{
	"thing":            {limit: 20, empty: "无"},
	"const":            {limit: 20, empty: "无"},
	"number":           {limit: 32, allowed: digitsOnly, empty: "0", sources: func(n string) bool { return n == "code" || n == "amount" }},
	"letter":           {limit: 32, allowed: func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }, empty: "N", sources: func(string) bool { return false }},
	"symbol":           {limit: 5, empty: "-", sources: func(string) bool { return false }},
	"character_string": {limit: 32, allowed: asciiOnly, empty: "-", sources: func(n string) bool { return n == "code" || n == "amount" }},
	"time":             {limit: 32, empty: "", sources: isTime},
	"date":             {limit: 32, empty: "", sources: isTime},
	"amount":           {limit: 16, allowed: digitsOnly, empty: "0", fit: fitAmount, sources: func(n string) bool { return n == "amount" }},
	"phone_number":     {limit: 17, empty: "0", sources: func(string) bool { return false }},
	"car_number":       {limit: 8, empty: "-", sources: func(string) bool { return false }},
	"name":             {limit: 10, allowed: func(r rune) bool { return unicode.Is(unicode.Han, r) }, empty: "无"},
	"phrase":           {limit: 5, allowed: func(r rune) bool { return unicode.Is(unicode.Han, r) }, empty: "无"},
}

// fitAmount writes at most ten digits: the cents go first. What is still too long is
// none, for its beginning would be another sum.
func fitAmount(s string) string {
	yuan, _, _ := strings.Cut(s, ".")
	switch {
	case len(yuan) > 10:
		return ""
	case len(s) > 11:
		return yuan
	}
	return s
}

// FieldKindOf returns the kind of a template's field: "thing" of "thing1".
func FieldKindOf(key string) string { return strings.TrimRight(key, "0123456789") }

// BindField checks that a template's field can show a card's value. Errors:
// CodeTemplate.
func BindField(key, value string) error {
	rule, ok := fieldRules[FieldKindOf(key)]
	switch {
	case !ok || FieldKindOf(key) == key:
		return Errorf(CodeTemplate, "模板字段“%s”不是微信的字段类型", short(key)).On(key)
	case !slices.Contains(CardValues, value):
		return Errorf(CodeTemplate, "字段“%s”绑定的“%s”不是卡片的内容，可用的是 %s", key, short(value), strings.Join(CardValues, "、")).On(key)
	case rule.sources != nil && !rule.sources(value):
		return Errorf(CodeTemplate, "字段“%s”的类型不能显示“%s”", key, value).On(key)
	}
	return nil
}

// FitField cuts a value to what WeChat accepts in the field: normalised, no
// control characters, within the length, never empty. cut tells that something
// was lost. A time that is missing becomes that of fallback.
func FitField(key, value string, fallback time.Time) (fitted string, cut bool) {
	kind := FieldKindOf(key)
	rule, ok := fieldRules[kind]
	if !ok {
		rule = fieldRules["thing"]
	}
	clean := strings.TrimSpace(oneLine(norm.NFC.String(strings.Map(dropInvisible, value))))
	if rule.allowed != nil {
		clean = strings.Map(func(r rune) rune {
			if rule.allowed(r) {
				return r
			}
			return -1
		}, clean)
	}
	if clean == "" && (kind == "time" || kind == "date") {
		return cardTime(fallback), value != ""
	}
	if clean == "" {
		return rule.empty, value != ""
	}
	if rule.fit != nil {
		fitted = cmp.Or(rule.fit(clean), rule.empty)
	} else {
		mark := "…"
		if rule.allowed != nil {
			mark = ""
		}
		fitted = cutRunes(clean, rule.limit, mark)
	}
	return fitted, fitted != clean
}

// FieldLimit returns how many characters a field holds.
func FieldLimit(key string) int {
	if r, ok := fieldRules[FieldKindOf(key)]; ok {
		return r.limit
	}
	return fieldRules["thing"].limit
}

// cutRunes cuts s to limit characters, the mark included.
func cutRunes(s string, limit int, mark string) string {
	r := []rune(s)
	if len(r) <= limit {
		return s
	}
	return string(r[:limit-len([]rune(mark))]) + mark
}

// CardTemplate is a template of one account with what its fields show.
type CardTemplate struct {
	App      string
	Kind     AppKind
	Channel  Channel
	ID       string
	LongTerm bool // of a subscribe message: one consent lasts
	Fields   []CardField
}

// CardField binds one field of a template to one value of the card.
type CardField struct {
	Key   string // "thing1"
	Value string // one of CardValues
}

// FittedField is a field as a card shows it.
type FittedField struct {
	CardField
	Text   string
	Length int // characters of the value before it was cut
	Limit  int
	Cut    bool
}

// Fit fills the template's fields from the card.
func (t CardTemplate) Fit(c Card) []FittedField {
	out := make([]FittedField, len(t.Fields))
	for i, f := range t.Fields {
		value := c.Value(f.Value)
		text, cut := FitField(f.Key, value, c.Published)
		out[i] = FittedField{CardField: f, Text: text, Length: len([]rune(value)), Limit: FieldLimit(f.Key), Cut: cut}
	}
	return out
}

// ParseCardFields reads bindings such as "thing1=title". Errors: CodeTemplate.
func ParseCardFields(list []string) ([]CardField, error) {
	var out []CardField
	for _, text := range list {
		key, value, _ := strings.Cut(strings.TrimSpace(text), "=")
		if err := BindField(key, value); err != nil {
			return nil, err
		}
		out = append(out, CardField{key, value})
	}
	return out, nil
}

// FittedCard is a card in one template.
type FittedCard struct {
	CardTemplate
	Shown []FittedField
}
