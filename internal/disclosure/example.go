package disclosure

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gongkai/internal/workday"
)

// ExampleOn returns the field's example as it reads on day today: relative
// dates are worked out, and the example of a table without one of its own is
// one row of its columns' examples.
func (f Field) ExampleOn(today workday.Date) (any, error) {
	if f.Kind == FieldTable && !f.hasExample() {
		row := map[string]any{}
		for _, col := range f.Columns {
			v, err := col.ExampleOn(today)
			if err != nil {
				return nil, err
			}
			row[col.Key] = v
		}
		return []any{row}, nil
	}
	var v any
	dec := json.NewDecoder(strings.NewReader(string(f.Example)))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("disclosure: example of field %s: %w", f.Key, err)
	}
	text, ok := v.(string)
	if !ok || !strings.HasPrefix(text, "today") {
		return v, nil
	}
	return f.relative(text, today)
}

// hasExample counts null, as which an absent example is written, as none.
func (f Field) hasExample() bool { return len(f.Example) > 0 && string(f.Example) != "null" }

// usualExamples are the examples of fields defined without one.
var usualExamples = map[FieldKind]string{
	FieldText: `"示例"`, FieldLongText: `"示例"`, FieldNumber: `1.5`, FieldInteger: `1`, FieldMoney: `"10000.00"`,
	FieldPercent: `5`, FieldDate: `"today"`, FieldDatetime: `"today+30T09:30"`, FieldPeriod: `"today..today+30"`,
	FieldPerson: `"王小明"`, FieldPhone: `"0515-88880001"`, FieldAddress: `"盐城市亭湖区"`, FieldUSCC: `"91110000100005220B"`,
	FieldCode: `"2026-001"`, FieldBoolean: `true`, FieldURL: `"https://www.example.com/"`,
}

func (f *Field) fillExample() {
	switch {
	case f.hasExample():
	case f.Kind == FieldEnum && len(f.Options) > 0:
		f.Example, _ = json.Marshal(f.Options[0]) // a string always encodes
	case usualExamples[f.Kind] != "":
		f.Example = json.RawMessage(usualExamples[f.Kind])
	}
}

// relative works out "today+30", "today-3T09:30" and "today..today+7".
func (f Field) relative(text string, today workday.Date) (any, error) {
	if from, to, ok := strings.Cut(text, ".."); ok && f.Kind == FieldPeriod {
		a, err := relativeDate(from, today)
		if err != nil {
			return nil, err
		}
		b, err := relativeDate(to, today)
		if err != nil {
			return nil, err
		}
		return map[string]any{"from": a.String(), "to": b.String()}, nil
	}
	day, clock, timed := strings.Cut(text, "T")
	d, err := relativeDate(day, today)
	if err != nil || !timed {
		return d.String(), err
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", d.String()+" "+clock, workday.Shanghai)
	if err != nil {
		return nil, fmt.Errorf("disclosure: example %q: %w", text, err)
	}
	return FormatInstant(at), nil
}

func relativeDate(text string, today workday.Date) (workday.Date, error) {
	days := strings.TrimPrefix(text, "today")
	if days == "" {
		return today, nil
	}
	n, err := strconv.Atoi(days)
	if err != nil {
		return workday.Date{}, fmt.Errorf("disclosure: example %q is not today±days", text)
	}
	return today.AddDays(n), nil
}

// Examples returns the examples of the type's fields on day today, of the
// required ones only if requiredOnly, ready to be the fields of a draft.
func (t *NoticeType) Examples(today workday.Date, requiredOnly bool) (map[string]any, error) {
	fields := map[string]any{}
	for _, f := range t.Fields {
		if requiredOnly && !f.Required {
			continue
		}
		v, err := f.ExampleOn(today)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Code, err)
		}
		fields[f.Key] = v
	}
	return fields, nil
}
