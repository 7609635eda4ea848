package disclosure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gongkai/internal/workday"
)

// Values holds a notice's typed fields by key, in the shape of canonical JSON:
// string, json.Number, bool, map[string]any (a period, or a table's row) and
// []any (a table). A key without a value is absent, never nil.
type Values map[string]any

// The limits of one field.
const (
	maxText      = 500    // characters
	maxLongText  = 20_000 // characters
	maxTableRows = 5_000
)

// ParseValues reads the fields of a draft by their definitions and returns
// their canonical values. A null or empty string counts as absent. All faults
// are returned, each under "fields.<key>"; faults of rows say
// "fields.<key>[<row from 0>].<column>". Unknown keys are faults with the code
// "field.unknown".
func ParseValues(defs []Field, raw map[string]json.RawMessage) (Values, []FieldError) {
	return parseObject(defs, raw, "fields.")
}

func parseObject(defs []Field, raw map[string]json.RawMessage, path string) (Values, []FieldError) {
	values := Values{}
	var faults []FieldError
	for _, def := range defs {
		v, bad := def.parse(raw[def.Key], path+def.Key)
		if v != nil {
			values[def.Key] = v
		}
		faults = append(faults, bad...)
	}
	return values, append(faults, unknownKeys(defs, raw, path)...)
}

func unknownKeys(defs []Field, raw map[string]json.RawMessage, path string) []FieldError {
	var faults []FieldError
	for key := range raw {
		if !slices.ContainsFunc(defs, func(f Field) bool { return f.Key == key }) {
			faults = append(faults, FieldError{Field: path + key, Code: "field.unknown",
				Message: fmt.Sprintf("这种公告没有字段“%s”", key)})
		}
	}
	slices.SortFunc(faults, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return faults
}

// parse reads one value; nil and no faults mean absent and allowed to be so.
func (f Field) parse(raw json.RawMessage, path string) (any, []FieldError) {
	if len(raw) == 0 || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) || string(raw) == `""` {
		if f.Required {
			return nil, f.fault(path, "field.required", "请填写“%s”", f.Label)
		}
		return nil, nil
	}
	switch f.Kind {
	case FieldNumber, FieldInteger, FieldPercent:
		return f.parseNumber(raw, path)
	case FieldBoolean:
		var b bool
		if json.Unmarshal(raw, &b) != nil {
			return nil, f.fault(path, "field.type", "“%s”请填 true 或 false", f.Label)
		}
		return b, nil
	case FieldPeriod:
		return f.parsePeriod(raw, path)
	case FieldTable:
		return f.parseTable(raw, path)
	}
	s, ok := stringOf(raw)
	if !ok {
		return nil, f.fault(path, "field.type", "“%s”请写成字符串", f.Label)
	}
	return f.parseString(strings.TrimSpace(visible(s)), path)
}

// stringOf reads a JSON string. Most hold nothing to decode, and an import has
// millions.
func stringOf(raw json.RawMessage) (s string, ok bool) {
	if n := len(raw); n >= 2 && raw[0] == '"' && raw[n-1] == '"' && utf8.Valid(raw) &&
		!bytes.ContainsFunc(raw[1:n-1], func(r rune) bool { return r == '"' || r == '\\' || r < ' ' }) {
		return string(raw[1 : n-1]), true
	}
	return s, json.Unmarshal(raw, &s) == nil
}

func (f Field) fault(path, code, format string, args ...any) []FieldError {
	return []FieldError{{Field: path, Code: code, Message: fmt.Sprintf(format, args...)}}
}

func (f Field) parseString(s, path string) (any, []FieldError) {
	if s == "" {
		return f.parse(nil, path)
	}
	limit := maxText
	if f.Kind == FieldLongText {
		limit = maxLongText
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return nil, f.fault(path, "text.too_long", "“%s”有 %d 个字，最多 %d 个", f.Label, n, limit)
	}
	if i := strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && (f.Kind != FieldLongText || r != '\n' && r != '\t' && r != '\r')
	}); i >= 0 {
		return nil, f.fault(path, "text.control", "“%s”含有换行或不可见字符", f.Label)
	}
	parse, ok := stringKinds[f.Kind]
	if !ok {
		return s, nil
	}
	v, code, advice := parse(f, s)
	if code != "" {
		return nil, f.fault(path, code, "“%s”%s", f.Label, advice)
	}
	return v, nil
}

// stringKinds parses the kinds written as strings that have a form of their
// own. Each returns the canonical value, or an error code and advice.
var stringKinds = map[FieldKind]func(f Field, s string) (value, code, advice string){
	FieldMoney: func(f Field, s string) (string, string, string) {
		fen, err := ParseMoney(s)
		if err != nil {
			return "", "money.invalid", "请写成以元为单位的数字，如 \"1234567.00\"，最多两位小数，不能为负"
		}
		if f.Max != nil && float64(fen)/100 > *f.Max || f.Min != nil && float64(fen)/100 < *f.Min {
			return "", "number.range", "超出允许的范围"
		}
		return FormatMoney(fen), "", ""
	},
	FieldDate: func(_ Field, s string) (string, string, string) {
		d, err := workday.ParseDate(s)
		if err != nil {
			return "", "date.invalid", "请写成 2026-11-23 这样的日期"
		}
		return d.String(), "", ""
	},
	FieldDatetime: func(_ Field, s string) (string, string, string) {
		t, err := ParseInstant(s)
		if err != nil {
			return "", "datetime.invalid", "请写成 2026-11-23T09:30:00+08:00 这样的时间"
		}
		return FormatInstant(t), "", ""
	},
	FieldUSCC: func(_ Field, s string) (string, string, string) {
		s = typedForm(s)
		if !usccForm.MatchString(s) {
			return "", "uscc.invalid", "应为 18 位统一社会信用代码"
		}
		return s, "", ""
	},
	FieldPhone: func(_ Field, s string) (string, string, string) {
		if !phoneForm.MatchString(s) {
			return "", "phone.invalid", "请填写电话号码，多个号码用顿号分开"
		}
		return s, "", ""
	},
	FieldCode: func(_ Field, s string) (string, string, string) {
		if utf8.RuneCountInString(s) > 100 {
			return "", "text.too_long", "最多 100 个字符"
		}
		return s, "", ""
	},
	FieldEnum: func(f Field, s string) (string, string, string) {
		if !slices.Contains(f.Options, s) {
			return "", "enum.invalid", "请从这些选项中选择：" + strings.Join(f.Options, "、")
		}
		return s, "", ""
	},
	FieldURL: func(_ Field, s string) (string, string, string) {
		if !validURL(s) {
			return "", "url.invalid", "请填写以 http:// 或 https:// 开头的网址"
		}
		return s, "", ""
	},
}

var (
	usccForm = regexp.MustCompile(`^[0-9A-HJ-NPQRTUWXY]{18}$`)
	// phoneForm lets the stars of MaskPhone pass: a correction reads them again.
	phoneForm = regexp.MustCompile(`^[0-9+()（）\-—－转 、,，/;；*]{5,100}$`)
)

func validURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func (f Field) parseNumber(raw json.RawMessage, path string) (any, []FieldError) {
	text := string(bytes.TrimSpace(raw))
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) > 20 || strings.ContainsAny(text, "eE") {
		return nil, f.fault(path, "field.type", "“%s”请写成数字，不加引号和单位", f.Label)
	}
	if f.Kind == FieldInteger && strings.Contains(text, ".") {
		return nil, f.fault(path, "number.integer", "“%s”请写成整数", f.Label)
	}
	low, high := f.bounds()
	if v < low || v > high {
		return nil, f.fault(path, "number.range", "“%s”应在 %s 到 %s 之间", f.Label, plain(low), plain(high))
	}
	return json.Number(text), nil
}

func (f Field) bounds() (low, high float64) {
	high = 1e15
	if f.Kind == FieldPercent {
		high = 100
	}
	if f.Min != nil {
		low = *f.Min
	}
	if f.Max != nil {
		high = *f.Max
	}
	return low, high
}

func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (f Field) parsePeriod(raw json.RawMessage, path string) (any, []FieldError) {
	var p map[string]workday.Date // a struct would take {"FROM"} too
	if json.Unmarshal(raw, &p) != nil || len(p) != 2 || p["from"].IsZero() || p["to"].IsZero() {
		return nil, f.fault(path, "period.invalid", "“%s”请写成 {\"from\":\"2026-11-23\",\"to\":\"2026-11-30\"}", f.Label)
	}
	if p["to"].Compare(p["from"]) < 0 {
		return nil, f.fault(path, "period.order", "“%s”的结束日期早于开始日期", f.Label)
	}
	return map[string]any{"from": p["from"].String(), "to": p["to"].String()}, nil
}

func (f Field) parseTable(raw json.RawMessage, path string) (any, []FieldError) {
	var rows []map[string]json.RawMessage
	if json.Unmarshal(raw, &rows) != nil {
		return nil, f.fault(path, "field.type", "“%s”请写成由行组成的数组", f.Label)
	}
	if len(rows) == 0 && f.Required {
		return nil, f.fault(path, "field.required", "“%s”至少填写一行", f.Label)
	}
	if len(rows) > maxTableRows {
		return nil, f.fault(path, "table.too_long", "“%s”有 %d 行，最多 %d 行；请改用附件", f.Label, len(rows), maxTableRows)
	}
	var table []any
	var faults []FieldError
	for i, row := range rows {
		v, bad := parseObject(f.Columns, row, fmt.Sprintf("%s[%d].", path, i))
		if len(v) == 0 && len(bad) == 0 {
			bad = f.fault(fmt.Sprintf("%s[%d]", path, i), "table.empty_row", "“%s”第 %d 行是空的", f.Label, i+1)
		}
		table = append(table, map[string]any(v))
		faults = append(faults, bad...)
	}
	if table == nil {
		return nil, faults
	}
	return table, faults
}

// standardTime is workday.Shanghai without its summer times (1940–1991) and its
// local mean time (before 1901): an instant of any year is written in +08:00.
var standardTime = time.FixedZone("CST", 8*60*60)

// ParseInstant reads RFC 3339 with any offset. The year, in +08:00, must lie in
// 1900–2199.
func ParseInstant(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("disclosure: %q is not an RFC 3339 instant", s)
	}
	if year := t.In(standardTime).Year(); year < 1900 || year > 2199 {
		return time.Time{}, fmt.Errorf("disclosure: year %d is outside 1900–2199", year)
	}
	return t.In(workday.Shanghai), nil
}

// FormatInstant writes RFC 3339 in +08:00 to the second.
func FormatInstant(t time.Time) string { return t.In(standardTime).Format(time.RFC3339) }
