package disclosure

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gongkai/internal/workday"
)

var (
	wordForm     = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}$`)
	idForm       = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,59}$`)
	itemForm     = regexp.MustCompile(`^[A-Z][0-9]{1,2}-[0-9]{2,3}$`)
	typeCodeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{1,39}\.[a-z][a-z0-9_]{1,39}$`)
)

// reservedKeys are the members of a draft; no field may have such a key, so
// that a change in a correction names either without doubt.
var reservedKeys = []string{"type", "title", "summary", "body_html", "body", "source", "fields", "project",
	"region", "formed_at", "decided_at", "items", "attachments", "relations"}

// ParseDefinition reads one definition document of the kind, strictly – what may
// be left out gets its usual value: ids,
// fields or examples that break the form are CodeDefinition with the field
// named; for unknown members and values of the wrong type see DecodeStrict. An
// unknown kind is CodeNoItem. References to other definitions are checked by
// Catalog.Check.
func ParseDefinition(kind DefinitionKind, doc []byte) (Definition, error) {
	def := Definition{Kind: kind}
	var parsed interface{ check() (string, []FieldError) }
	switch kind {
	case KindSector:
		parsed = &Sector{}
	case KindBody:
		parsed = &Body{}
	case KindItem:
		parsed = &CatalogItem{}
	case KindNoticeType:
		parsed = &NoticeType{}
	case KindRule:
		parsed = &Rule{}
	case KindYear:
		parsed = &yearTable{}
	default:
		return def, Errorf(CodeNoItem, "没有这类目录定义")
	}
	if err := DecodeStrict(doc, parsed); err != nil {
		return def, err
	}
	id, faults := parsed.check()
	if err := invalid(CodeDefinition, faults); err != nil {
		return def, err
	}
	canonical, err := json.Marshal(parsed)
	if err != nil {
		return def, fmt.Errorf("disclosure: definition %s: %w", id, err)
	}
	def.ID, def.Doc = id, canonical
	return def, nil
}

// yearTable is a year of the calendar as a definition.
type yearTable workday.Year

func (y *yearTable) check() (string, []FieldError) {
	var l faultList
	err := workday.Year(*y).Check()
	l.add(err == nil, "year", "calendar.invalid", fmt.Sprint(err))
	l.name("source", y.Source)
	return strconv.Itoa(y.Year), l
}

type faultList []FieldError

func (l *faultList) add(ok bool, field, code, message string) {
	if !ok {
		*l = append(*l, FieldError{Field: field, Code: code, Message: message})
	}
}

func (l *faultList) name(field, s string) {
	l.add(s != "" && utf8.RuneCountInString(s) <= 200, field, "name.invalid", "请填写名称，最多 200 个字")
}

func (l *faultList) validity(v Validity) {
	l.add(v.ValidTo.IsZero() || v.ValidFrom.Compare(v.ValidTo) <= 0, "valid_to", "date.order", "失效日期早于生效日期")
}

func (s *Sector) check() (string, []FieldError) {
	var l faultList
	l.add(wordForm.MatchString(s.Code), "code", "code.invalid", "领域代码请用小写英文单词")
	l.name("name", s.Name)
	l.validity(s.Validity)
	return s.Code, l
}

func (b *Body) check() (string, []FieldError) {
	var l faultList
	l.add(idForm.MatchString(b.ID), "id", "id.invalid", "主体编号请用小写英文字母、数字和连字符")
	l.name("name", b.Name)
	b.Kind = cmp.Or(b.Kind, BodyOther)
	kinds := []BodyKind{BodyGovernment, BodyDepartment, BodyCentre, BodyTown, BodyRole, BodyOther}
	l.add(slices.Contains(kinds, b.Kind), "kind", "enum.invalid",
		"主体类别应为 government、department、centre、town、role 或 other")
	l.validity(b.Validity)
	l.add(b.Parent == "" || b.Parent != b.ID, "parent", "reference.self", "上级主体不能是它自己")
	l.add(b.Successor == "" || b.Successor != b.ID, "successor", "reference.self", "承接主体不能是它自己")
	if b.Aliases == nil {
		b.Aliases = []string{}
	}
	return b.ID, l
}

func (i *CatalogItem) check() (string, []FieldError) {
	var l faultList
	l.add(itemForm.MatchString(i.ID), "id", "id.invalid", "事项编号形如 A1-04；区里新增的可用 B1-01")
	l.add(i.Annex >= 0 && i.Annex <= 99, "annex", "number.range", "附件序号应在 0 到 99 之间，新增事项填 0")
	l.name("content", i.Content)
	i.Stage, i.Attribute = cmp.Or(i.Stage, StageExecution), cmp.Or(i.Attribute, "主动公开")
	l.add(i.Stage.Name() != "", "stage", "enum.invalid", "环节应为 decision、execution、oversight、service 或 result")
	l.add(slices.Contains([]Duty{"", DutyApprover, DutyImplementer, DutyMaker}, i.Duty), "duty", "enum.invalid",
		"责任依据应为 approver、implementer、maker 或留空")
	l.validity(i.Validity)
	if i.Bodies == nil {
		i.Bodies = []string{}
	}
	return i.ID, l
}

func (t *NoticeType) check() (string, []FieldError) {
	var l faultList
	l.add(typeCodeForm.MatchString(t.Code) && strings.HasPrefix(t.Code, t.Sector+"."), "code", "code.invalid",
		"类型代码形如 construction.tender_notice，以所属领域开头")
	l.name("name", t.Name)
	t.Stage = cmp.Or(t.Stage, StageExecution)
	l.add(t.Stage.Name() != "", "stage", "enum.invalid", "环节应为 decision、execution、oversight、service 或 result")
	l.add(len(t.Fields) > 0, "fields", "field.required", "至少定义一个字段")
	l.add(t.RetentionDays >= 0 && t.RetentionDays <= 36_500, "retention_days", "number.range", "保留天数应在 0 到 36500 之间")
	l.validity(t.Validity)
	if t.Items == nil {
		t.Items = []string{}
	}
	l = append(l, checkFields(t.Fields, "fields", false)...)
	if t.Rules == nil {
		t.Rules = []RuleUse{}
	}
	for i := range t.Rules {
		l.use(fmt.Sprintf("rules[%d]", i), &t.Rules[i], t)
	}
	l.pointer(t, "deadline_field", t.DeadlineField, FieldDate, FieldDatetime, FieldPeriod)
	l.pointer(t, "amount_field", t.AmountField, FieldMoney)
	l.speak(t)
	if len(l) == 0 {
		l = append(l, t.checkExamples()...)
	}
	return t.Code, l
}

// pointer checks that a member names a field of one of the kinds, or nothing.
func (l *faultList) pointer(t *NoticeType, member, key string, kinds ...FieldKind) {
	if key == "" {
		return
	}
	f, ok := t.Field(key)
	l.add(ok && slices.Contains(kinds, f.Kind), member, "field.unknown",
		fmt.Sprintf("“%s”不是本类型中类别为 %v 的字段", key, kinds))
}

var spokenName = regexp.MustCompile(`\{([^{}]*)\}?`)

// speak checks that the spoken sentence names fields of the type only.
func (l *faultList) speak(t *NoticeType) {
	for _, name := range spokenName.FindAllStringSubmatch(t.Speak, -1) {
		_, ok := t.Field(name[1])
		l.add(ok && strings.HasSuffix(name[0], "}"), "speak", "field.unknown", fmt.Sprintf("播报句中的“%s”不是本类型的字段", name[0]))
	}
	l.add(utf8.RuneCountInString(t.Speak) <= 500, "speak", "text.too_long", "播报句最多 500 个字")
}

func checkFields(fields []Field, path string, columns bool) []FieldError {
	var l faultList
	seen := map[string]bool{}
	for i := range fields {
		f := &fields[i]
		at := fmt.Sprintf("%s[%d]", path, i)
		l.add(wordForm.MatchString(f.Key) && (columns || !slices.Contains(reservedKeys, f.Key)), at+".key", "key.invalid",
			"字段代码请用小写英文单词和下划线，且不与公告的固定成员重名")
		l.add(!seen[f.Key], at+".key", "key.duplicate", fmt.Sprintf("字段“%s”重复", f.Key))
		seen[f.Key] = true
		l.name(at+".label", f.Label)
		l.add(slices.Contains(fieldKinds, f.Kind) && (f.Kind != FieldTable || !columns), at+".kind", "enum.invalid",
			fmt.Sprintf("没有字段类别“%s”，表格中也不能再有表格", f.Kind))
		l.add((f.Kind == FieldEnum) == (len(f.Options) > 0), at+".options", "enum.options", "只有 enum 字段有选项，且至少一个")
		l.add((f.Kind == FieldTable) == (len(f.Columns) > 0), at+".columns", "table.columns", "只有 table 字段有列，且至少一列")
		l.add(slices.Contains(maskKinds, f.Mask) && (f.Mask == MaskNone || f.maskable()), at+".mask", "enum.invalid",
			"脱敏方式应为 name、id、phone、account、address 或留空，且只用于文字类字段")
		f.fillExample()
		if f.Options == nil {
			f.Options = []string{}
		}
		if f.Columns == nil {
			f.Columns = []Field{}
		}
		l = append(l, checkFields(f.Columns, at+".columns", true)...)
	}
	return l
}

var fieldKinds = []FieldKind{FieldText, FieldLongText, FieldNumber, FieldInteger, FieldMoney, FieldPercent, FieldDate,
	FieldDatetime, FieldPeriod, FieldPerson, FieldPhone, FieldAddress, FieldUSCC, FieldCode, FieldEnum, FieldBoolean,
	FieldURL, FieldTable}

var maskKinds = []Mask{MaskNone, MaskName, MaskID, MaskPhone, MaskAccount, MaskAddress}

func (f Field) maskable() bool {
	return slices.Contains([]FieldKind{FieldText, FieldPerson, FieldPhone, FieldAddress, FieldCode}, f.Kind)
}

// checkExamples proves that a draft of the examples is valid on any day; three
// days stand for all because examples move with today.
func (t *NoticeType) checkExamples() []FieldError {
	for _, day := range []workday.Date{{Year: 2026, Month: 1, Day: 31}, {Year: 2026, Month: 12, Day: 31}, {Year: 2028, Month: 2, Day: 29}} {
		fields, err := t.Examples(day, false)
		if err != nil {
			return []FieldError{{Field: "fields", Code: "example.invalid", Message: err.Error()}}
		}
		raw := map[string]json.RawMessage{}
		for key, v := range fields {
			b, err := json.Marshal(v)
			if err != nil {
				return []FieldError{{Field: "fields." + key, Code: "example.invalid", Message: err.Error()}}
			}
			raw[key] = b
		}
		if _, faults := ParseValues(t.Fields, raw); len(faults) > 0 {
			return faults
		}
	}
	return nil
}

// Check reports what is wrong with putting def into the catalogue: a type or
// item of an unknown sector, an unknown body, parent, successor or item. The
// error is CodeDefinition.
func (c *Catalog) Check(def Definition) error {
	var l faultList
	switch def.Kind {
	case KindSector:
	case KindBody:
		var b Body
		if err := json.Unmarshal(def.Doc, &b); err != nil {
			return fmt.Errorf("disclosure: check body: %w", err)
		}
		l.known(c.bodies[b.Parent] != nil || b.Parent == "", "parent", b.Parent)
		l.known(c.bodies[b.Successor] != nil || b.Successor == "", "successor", b.Successor)
	case KindItem:
		var i CatalogItem
		if err := json.Unmarshal(def.Doc, &i); err != nil {
			return fmt.Errorf("disclosure: check item: %w", err)
		}
		l.known(c.sectors[i.Sector] != nil, "sector", i.Sector)
		for n, id := range i.Bodies {
			l.known(c.bodies[id] != nil, fmt.Sprintf("bodies[%d]", n), id)
		}
	case KindNoticeType:
		var t NoticeType
		if err := json.Unmarshal(def.Doc, &t); err != nil {
			return fmt.Errorf("disclosure: check type: %w", err)
		}
		l.known(c.sectors[t.Sector] != nil, "sector", t.Sector)
		for n, id := range t.Items {
			l.known(c.items[id] != nil, fmt.Sprintf("items[%d]", n), id)
		}
		for n, u := range t.Rules {
			_, _, err := c.Rule(u.Rule)
			l.known(err == nil, fmt.Sprintf("rules[%d].rule", n), u.Rule)
		}
	case KindRule:
		return c.checkRuleChange(def)
	case KindYear:
	}
	return invalid(CodeDefinition, l)
}

func (l *faultList) known(ok bool, field, id string) {
	l.add(ok, field, "reference.unknown", fmt.Sprintf("目录中没有“%s”", id))
}
