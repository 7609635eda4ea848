package importer

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"gongkai/internal/disclosure"
)

// remark is something to tell about one cell.
type remark struct {
	severity      disclosure.Severity
	code          string
	message, hint string
}

func fault(code, message, hint string) *remark {
	return &remark{disclosure.SeverityError, code, message, hint}
}

func caution(code, message, hint string) *remark {
	return &remark{disclosure.SeverityWarning, code, message, hint}
}

func mention(code, message string) *remark {
	return &remark{severity: disclosure.SeverityNote, code: code, message: message}
}

// value turns a cell into the JSON value of a field. What has no reading is an
// error; what was understood but is worth a look comes with a warning or note.
// nil JSON means an empty cell, or an error.
func (in *input) value(f disclosure.Field, c cell, scale int) (json.RawMessage, *remark) {
	text := strings.TrimFunc(c.text, blankRune)
	if text == "" {
		return nil, nil
	}
	switch f.Kind {
	case disclosure.FieldMoney:
		return money(f, c, text, scale)
	case disclosure.FieldNumber, disclosure.FieldInteger, disclosure.FieldPercent:
		return number(f, c, text, scale)
	case disclosure.FieldDate:
		return in.date(f, c, text)
	case disclosure.FieldDatetime:
		return in.datetime(f, c, text)
	case disclosure.FieldPeriod:
		return in.period(f, c, text)
	case disclosure.FieldBoolean:
		return boolean(f, text)
	case disclosure.FieldEnum:
		return enum(f, text)
	case disclosure.FieldTable:
		return table(f, text)
	case disclosure.FieldPhone, disclosure.FieldUSCC, disclosure.FieldCode:
		return identifier(f, c, text)
	case disclosure.FieldURL:
		return quote(fold(text)), nil
	}
	return in.plain(c, text)
}

// quote writes a string as JSON. Most need no escaping, and there are millions.
func quote(s string) json.RawMessage {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			b, _ := json.Marshal(s) // a string always encodes
			return b
		}
	}
	b := make([]byte, 0, len(s)+2)
	return append(append(append(b, '"'), s...), '"')
}

// blankRune counts what pastes bring along and nobody sees.
func blankRune(r rune) bool {
	if r > ' ' && r < 0x7f || r >= 0x4e00 && r <= 0x9fff { // most
		return false
	}
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '\u3000'
}

// fold makes letters, digits and the marks of numbers plain that were typed
// full-width, and drops invisible characters.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９', r >= 'Ａ' && r <= 'Ｚ', r >= 'ａ' && r <= 'ｚ':
			return r - 0xfee0
		case strings.ContainsRune("．－／：＋％＠＿＃＆？＝～", r):
			return r - 0xfee0
		case r == '−' || r == '‐' || r == '‑':
			return '-'
		case r == '\u3000' || r == '\u00a0':
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
}

// spelled writes a stored number as its digits: what the file keeps as
// 1.38E+10 or 0.30000000000000004 the sheet shows as 13800000000 and 0.3.
func spelled(text string) (string, bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v > 1e21 || v < -1e21 {
		return "", false
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 15, 64), 64)
	if err != nil {
		return "", false
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64), true
}

// plain reads text. A number is written as the sheet shows it.
func (in *input) plain(c cell, text string) (json.RawMessage, *remark) {
	if !c.number {
		return quote(text), nil
	}
	if c.date {
		if d, clock, ok := in.serial(text); ok {
			if clock != "" {
				return quote(d.String() + " " + clock[:5]), nil
			}
			return quote(d.String()), nil
		}
	}
	return numberText(c, text)
}

// numberText writes a number that stands where text is meant, with the zeros
// before it that the sheet shows. Past fifteen digits the file no longer holds
// what was typed.
func numberText(c cell, text string) (json.RawMessage, *remark) {
	digits, ok := spelled(text)
	if !ok {
		return nil, fault("number.invalid", "数字无法识别", "请把单元格设为文本格式后重新填写")
	}
	if whole, _, _ := strings.Cut(strings.TrimPrefix(digits, "-"), "."); len(whole) > 15 {
		return nil, fault("number.precision", "超过 15 位的号码被存成了数字，末位已经丢失", "请先把单元格设为文本格式，再重新填写号码")
	}
	if missing := c.digits - len(digits); missing > 0 && strings.Trim(digits, "0123456789") == "" {
		digits = strings.Repeat("0", missing) + digits
	}
	return quote(digits), nil
}

// identifier reads numbers that are names: of telephones, bodies, documents.
func identifier(f disclosure.Field, c cell, text string) (json.RawMessage, *remark) {
	if !c.number {
		text = fold(text)
		if f.Kind == disclosure.FieldUSCC {
			text = strings.ToUpper(strings.ReplaceAll(text, " ", ""))
		}
		return quote(text), nil
	}
	raw, bad := numberText(c, text)
	if bad == nil && f.Kind == disclosure.FieldPhone && len(raw)-2 >= 9 && raw[1] != '0' && raw[1] != '1' && raw[1] != '4' && raw[1] != '8' {
		return raw, caution("phone.leading_zero", "“"+f.Label+"”存成了数字，区号前的 0 可能丢失", "请核对，并把单元格设为文本格式")
	}
	return raw, bad
}

func boolean(f disclosure.Field, text string) (json.RawMessage, *remark) {
	switch strings.ToLower(fold(text)) {
	case "是", "有", "对", "√", "✓", "✔", "true", "yes", "y", "1":
		return json.RawMessage("true"), nil
	case "否", "无", "不", "×", "✗", "✘", "false", "no", "n", "0":
		return json.RawMessage("false"), nil
	}
	return nil, fault("boolean.invalid", "“"+f.Label+"”请填“是”或“否”", "")
}

func enum(f disclosure.Field, text string) (json.RawMessage, *remark) {
	if slices.Contains(f.Options, text) {
		return quote(text), nil
	}
	plainText := disclosure.Normalize(text)
	for _, o := range f.Options {
		if disclosure.Normalize(o) == plainText {
			return quote(o), nil
		}
	}
	return nil, fault("enum.invalid", "“"+f.Label+"”没有这个选项", "可选："+strings.Join(f.Options, "、")+suggestion(text, f.Options))
}

// suggestion asks whether the name most like the text was meant, if half of it
// is the same.
func suggestion(text string, known []string) string {
	near := nearest(text, known, 1)
	if len(near) > 0 && 2*levenshtein.ComputeDistance(label(text), label(near[0])) <= utf8.RuneCountInString(label(near[0])) {
		return "；是不是“" + near[0] + "”？"
	}
	return ""
}

// nearest returns up to n of the known names that are most like the text, the
// most alike first; those with nothing in common are left out.
func nearest(text string, known []string, n int) []string {
	type scored struct {
		name string
		far  int
	}
	var list []scored
	text = strings.ReplaceAll(disclosure.Normalize(text), " ", "")
	if utf8.RuneCountInString(text) > 60 {
		return nil
	}
	for _, name := range known {
		other := strings.ReplaceAll(disclosure.Normalize(name), " ", "")
		far := levenshtein.ComputeDistance(text, other)
		if strings.Contains(text, other) || strings.Contains(other, text) {
			far = min(far, 2)
		}
		if far < max(utf8.RuneCountInString(text), utf8.RuneCountInString(other)) {
			list = append(list, scored{name, far})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return a.far - b.far })
	var out []string
	for _, s := range list[:min(n, len(list))] {
		out = append(out, s.name)
	}
	return out
}

// table reads the rows of a table that stand in one cell as JSON, as they must
// in CSV, which has no further sheets.
func table(f disclosure.Field, text string) (json.RawMessage, *remark) {
	var rows []map[string]json.RawMessage
	if err := disclosure.DecodeStrict([]byte(text), &rows); err != nil {
		return nil, fault("table.invalid", "“"+f.Label+"”请填在同名的工作表中", "CSV 中请写成 JSON 数组，一行一个对象，列名见模板")
	}
	return json.RawMessage(text), nil
}

// units are the words for powers of ten of 元.
var units = []struct {
	word  string
	power int
}{{"亿", 8}, {"千万", 7}, {"百万", 6}, {"十万", 5}, {"万", 4}, {"千", 3}, {"百", 2}}

// money reads an amount into decimal 元. scale is the power of ten in the
// column's heading: 4 for 万元.
func money(f disclosure.Field, c cell, text string, scale int) (json.RawMessage, *remark) {
	amount, unit, bad := amountOf(f, c, text)
	if bad != nil {
		return nil, bad
	}
	if unit < 0 {
		unit = scale
	} else if scale > 0 && unit != scale {
		return nil, fault("money.two_units", "“"+f.Label+"”的表头和单元格用了两种单位", "请统一为一种单位；模板中的单位是元")
	}
	yuan := new(big.Rat).Mul(amount, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(unit)), nil)))
	written := yuan.FloatString(2)
	if exact, _ := new(big.Rat).SetString(written); exact.Cmp(yuan) != 0 {
		return nil, fault("money.invalid", "“"+f.Label+"”的金额细于一分", "最多两位小数，单位是元")
	}
	m, err := disclosure.ParseMoney(written)
	if err != nil {
		return nil, fault("money.invalid", "“"+f.Label+"”的金额过大", "请核对单位，模板中的单位是元")
	}
	if unit > 0 {
		return quote(written), mention("money.converted", "“"+f.Label+"”按 "+disclosure.GroupMoney(m)+" 元录入")
	}
	return quote(written), nil
}

// amountOf splits an amount into its number and the power of ten of its unit,
// -1 where it names none.
func amountOf(f disclosure.Field, c cell, text string) (*big.Rat, int, *remark) {
	unit := -1
	var digits string
	if c.number {
		var ok bool
		if digits, ok = spelled(text); !ok {
			return nil, 0, fault("money.invalid", "“"+f.Label+"”的金额无法识别", "")
		}
	} else {
		s := strings.NewReplacer("，", ",", "￥", "¥").Replace(fold(text))
		s = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.Join(strings.Fields(s), ""), "人民币"), "¥"), "整")
		if n := countNumbers(s); n > 1 {
			return nil, 0, fault("money.two_units", "“"+f.Label+"”中有不止一个金额", "请只填一个金额，单位是元")
		}
		digits, unit = cutUnit(s)
	}
	if strings.HasPrefix(digits, "(") && strings.HasSuffix(digits, ")") || strings.HasPrefix(digits, "-") {
		return nil, 0, fault("money.negative", "“"+f.Label+"”是负数", "金额不能为负")
	}
	amount, ok := new(big.Rat).SetString(ungroup(digits))
	if !ok || len(digits) > 40 || strings.Trim(digits, "0123456789.,") != "" {
		return nil, 0, fault("money.invalid", "“"+f.Label+"”的金额无法识别", "请写成数字，如 1234567.00，单位是元")
	}
	return amount, unit, nil
}

// countNumbers counts the runs of digits with their separators.
func countNumbers(s string) (n int) {
	inside := false
	for _, r := range s {
		is := r >= '0' && r <= '9' || inside && (r == '.' || r == ',')
		if is && !inside {
			n++
		}
		inside = is
	}
	return n
}

// cutUnit takes 元, 万元 and the like off the end of an amount; the unit is the
// power of ten, -1 for none.
func cutUnit(s string) (string, int) {
	unit := -1
	if rest, ok := strings.CutSuffix(s, "元"); ok {
		s, unit = rest, 0
	}
	for _, u := range units {
		if rest, ok := strings.CutSuffix(s, u.word); ok {
			return rest, u.power
		}
	}
	return s, unit
}

// ungroup drops the commas of 1,234,567.50 and leaves anything else as it is.
func ungroup(s string) string {
	whole, _, _ := strings.Cut(s, ".")
	groups := strings.Split(whole, ",")
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && (len(g) == 0 || len(g) > 3) && len(groups) > 1 {
			return s
		}
	}
	return strings.ReplaceAll(s, ",", "")
}

// number reads a plain number; the field's own unit, and the percent sign, may
// stand behind it.
func number(f disclosure.Field, c cell, text string, scale int) (json.RawMessage, *remark) {
	if f.Unit == "元" {
		raw, note := money(f, c, text, scale)
		if raw == nil {
			return nil, note
		}
		return json.RawMessage(trimZeros(strings.Trim(string(raw), `"`))), note
	}
	if c.number {
		digits, ok := spelled(text)
		if ok && c.percent && f.Kind == disclosure.FieldPercent {
			r, _ := new(big.Rat).SetString(digits) // spelled by us
			digits = trimZeros(r.Mul(r, big.NewRat(100, 1)).FloatString(12))
			return json.RawMessage(digits), nil
		}
		if !ok {
			return nil, fault("number.invalid", "“"+f.Label+"”的数字无法识别", "")
		}
		return json.RawMessage(digits), nil
	}
	s := strings.Join(strings.Fields(strings.ReplaceAll(fold(text), "，", ",")), "")
	s = strings.TrimSuffix(s, f.Unit)
	if f.Kind == disclosure.FieldPercent {
		s = strings.TrimSuffix(s, "%")
	}
	s = ungroup(s)
	if _, err := strconv.ParseFloat(s, 64); err != nil || strings.Trim(s, "0123456789.-") != "" || strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") {
		return nil, fault("number.invalid", "“"+f.Label+"”请填数字", unitHint(f))
	}
	if f.Kind == disclosure.FieldInteger {
		s = trimZeros(s)
	}
	return json.RawMessage(cleanNumber(s)), nil
}

func unitHint(f disclosure.Field) string {
	if f.Unit == "" {
		return ""
	}
	return "单位是" + f.Unit + "，不必写在单元格里"
}

// cleanNumber drops the leading zeros that JSON does not allow.
func cleanNumber(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	s = strings.TrimLeft(s, "0")
	if s == "" || s[0] == '.' {
		s = "0" + s
	}
	return sign + s
}

func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}
