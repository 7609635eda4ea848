package disclosure

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gongkai/internal/workday"
)

// valueTest reads one field. want is the canonical value as JSON, "" for
// absent; fault is the code of the one fault, "" for none.
type valueTest struct {
	name  string
	field Field
	in    string
	want  string
	fault string
}

func checkValues(t *testing.T, tests []valueTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.field.Key, tt.field.Label = "x", "甲"
			raw := map[string]json.RawMessage{"x": json.RawMessage(tt.in)}
			values, faults := ParseValues([]Field{tt.field}, raw)
			wantFaults := ""
			if tt.fault != "" {
				wantFaults = "fields.x " + tt.fault
			}
			if got := faultText(faults); got != wantFaults {
				t.Errorf("ParseValues(%s %.80s) faults = %q, want %q", tt.field.Kind, tt.in, got, wantFaults)
			}
			if got := valueJSON(t, values["x"]); got != tt.want {
				t.Errorf("ParseValues(%s %.80s) = %.80s, want %.80s", tt.field.Kind, tt.in, got, tt.want)
			}
		})
	}
}

func valueJSON(t *testing.T, v any) string {
	t.Helper()
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestAbsentValues(t *testing.T) {
	for _, kind := range fieldKinds {
		for _, in := range []string{``, `null`, ` null `, `""`} {
			checkValues(t, []valueTest{
				{"optional " + string(kind) + " " + in, Field{Kind: kind}, in, "", ""},
				{"required " + string(kind) + " " + in, Field{Kind: kind, Required: true}, in, "", "field.required"},
			})
		}
	}
	checkValues(t, []valueTest{
		{"blanks are no text", Field{Kind: FieldText, Required: true}, `" \t　 "`, "", "field.required"},
		{"blanks are no money", Field{Kind: FieldMoney}, `"  "`, "", ""},
		{"no row of an optional table", Field{Kind: FieldTable}, `[]`, "", ""},
		{"no row of a required table", Field{Kind: FieldTable, Required: true}, `[]`, "", "field.required"},
	})
}

func TestTextValues(t *testing.T) {
	text, long := Field{Kind: FieldText}, Field{Kind: FieldLongText}
	checkValues(t, []valueTest{
		{"a line", text, `"盐东镇道路改造"`, `"盐东镇道路改造"`, ""},
		{"trimmed", text, `" 甲　乙\t"`, `"甲　乙"`, ""},
		{"500 characters", text, quoted(strings.Repeat("字", 500)), quoted(strings.Repeat("字", 500)), ""},
		{"501 characters", text, quoted(strings.Repeat("字", 501)), "", "text.too_long"},
		{"two lines", text, `"甲\n乙"`, "", "text.control"},
		{"a tab", text, `"甲\t乙"`, "", "text.control"},
		{"an escape character", text, `"甲\u001b[31m"`, "", "text.control"},
		{"a C1 control character", text, `"甲\u0085乙"`, "", "text.control"},
		{"a number", text, `5`, "", "field.type"},
		{"a boolean", text, `true`, "", "field.type"},
		{"an object", text, `{"a":1}`, "", "field.type"},
		{"an array", text, `["甲"]`, "", "field.type"},
		{"lines", long, `"甲\r\n\t乙\n"`, `"甲\r\n\t乙"`, ""},
		{"20,000 characters", long, quoted(strings.Repeat("字", 20_000)), quoted(strings.Repeat("字", 20_000)), ""},
		{"20,001 characters", long, quoted(strings.Repeat("字", 20_001)), "", "text.too_long"},
		{"an escape character in lines", long, `"甲\u001b乙"`, "", "text.control"},
		{"a name", Field{Kind: FieldPerson}, `"阿卜杜拉·买买提"`, `"阿卜杜拉·买买提"`, ""},
		{"an address", Field{Kind: FieldAddress}, `"五星街道新洋社区3幢"`, `"五星街道新洋社区3幢"`, ""},
	})
}

func TestNumberValues(t *testing.T) {
	number, integer, percent := Field{Kind: FieldNumber}, Field{Kind: FieldInteger}, Field{Kind: FieldPercent}
	bounded := Field{Kind: FieldInteger, Min: new(float64(-3)), Max: new(float64(3))}
	checkValues(t, []valueTest{
		{"decimal keeps its digits", number, `1200.50`, `1200.50`, ""},
		{"zero", number, `0`, `0`, ""},
		{"negative", number, `-0.5`, "", "number.range"},
		{"exponent", number, `1e3`, "", "field.type"},
		{"capital exponent", number, `1E3`, "", "field.type"},
		{"quoted", number, `"12"`, "", "field.type"},
		{"with a unit", number, `"12 亩"`, "", "field.type"},
		{"boolean", number, `true`, "", "field.type"},
		{"array", number, `[1]`, "", "field.type"},
		{"the largest", number, `1000000000000000`, `1000000000000000`, ""},
		{"above the largest", number, `1000000000000001`, "", "number.range"},
		{"more digits than anybody means", number, `0.1234567890123456789`, "", "field.type"},
		{"whole", integer, `18`, `18`, ""},
		{"decimal point", integer, `18.0`, "", "number.integer"},
		{"lower bound", bounded, `-3`, `-3`, ""},
		{"upper bound", bounded, `3`, `3`, ""},
		{"under the lower bound", bounded, `-4`, "", "number.range"},
		{"over the upper bound", bounded, `4`, "", "number.range"},
		{"percent", percent, `5.5`, `5.5`, ""},
		{"100 %", percent, `100`, `100`, ""},
		{"over 100 %", percent, `100.01`, "", "number.range"},
		{"over 100 % where the type allows", Field{Kind: FieldPercent, Max: new(float64(200))}, `150`, `150`, ""},
		{"percent sign", percent, `"5%"`, "", "field.type"},
	})
}

func TestMoneyValues(t *testing.T) {
	money := Field{Kind: FieldMoney}
	bounded := Field{Kind: FieldMoney, Min: new(float64(1)), Max: new(9.5)}
	checkValues(t, []valueTest{
		{"two decimals", money, `"1234567.00"`, `"1234567.00"`, ""},
		{"completed", money, `"1234567.5"`, `"1234567.50"`, ""},
		{"zero", money, `"0"`, `"0.00"`, ""},
		{"the largest", money, `"9000000000000.00"`, `"9000000000000.00"`, ""},
		{"above the largest", money, `"9000000000000.01"`, "", "money.invalid"},
		{"negative", money, `"-1"`, "", "money.invalid"},
		{"three decimals", money, `"1.005"`, "", "money.invalid"},
		{"exponent", money, `"1e6"`, "", "money.invalid"},
		{"separators", money, `"1,234,567.00"`, "", "money.invalid"},
		{"unit", money, `"12万元"`, "", "money.invalid"},
		{"full-width digits", money, `"１２"`, "", "money.invalid"},
		{"a JSON number", money, `1234567`, "", "field.type"},
		{"lower bound", bounded, `"1"`, `"1.00"`, ""},
		{"upper bound", bounded, `"9.5"`, `"9.50"`, ""},
		{"under", bounded, `"0.99"`, "", "number.range"},
		{"over", bounded, `"9.51"`, "", "number.range"},
	})
}

func TestDateValues(t *testing.T) {
	date, at := Field{Kind: FieldDate}, Field{Kind: FieldDatetime}
	checkValues(t, []valueTest{
		{"a day", date, `"2026-11-23"`, `"2026-11-23"`, ""},
		{"29 February of a leap year", date, `"2028-02-29"`, `"2028-02-29"`, ""},
		{"29 February of another year", date, `"2026-02-29"`, "", "date.invalid"},
		{"29 February of 2100", date, `"2100-02-29"`, "", "date.invalid"},
		{"31 November", date, `"2026-11-31"`, "", "date.invalid"},
		{"first year", date, `"1900-01-01"`, `"1900-01-01"`, ""},
		{"last year", date, `"2199-12-31"`, `"2199-12-31"`, ""},
		{"a slip of the keyboard", date, `"0206-11-23"`, "", "date.invalid"},
		{"slashes", date, `"2026/11/23"`, "", "date.invalid"},
		{"Chinese", date, `"2026年11月23日"`, "", "date.invalid"},
		{"no leading zero", date, `"2026-1-2"`, "", "date.invalid"},
		{"an instant", date, `"2026-11-23T00:00:00Z"`, "", "date.invalid"},
		{"a number", date, `20261123`, "", "field.type"},
		{"+08:00", at, `"2026-11-23T09:30:00+08:00"`, `"2026-11-23T09:30:00+08:00"`, ""},
		{"UTC", at, `"2026-11-23T20:30:00Z"`, `"2026-11-24T04:30:00+08:00"`, ""},
		{"another offset", at, `"2026-11-23T00:00:00-05:30"`, `"2026-11-23T13:30:00+08:00"`, ""},
		{"fractions go", at, `"2026-11-23T09:30:00.999+08:00"`, `"2026-11-23T09:30:00+08:00"`, ""},
		{"no offset", at, `"2026-11-23T09:30:00"`, "", "datetime.invalid"},
		{"no seconds", at, `"2026-11-23T09:30+08:00"`, "", "datetime.invalid"},
		{"a blank for T", at, `"2026-11-23 09:30:00+08:00"`, "", "datetime.invalid"},
		{"24:00", at, `"2026-11-23T24:00:00+08:00"`, "", "datetime.invalid"},
		{"a day only", at, `"2026-11-23"`, "", "datetime.invalid"},
		{"in the year 2200 of Shanghai", at, `"2199-12-31T23:00:00-08:00"`, "", "datetime.invalid"},
		{"a summer of daylight saving", at, `"1988-07-01T12:00:00+08:00"`, `"1988-07-01T12:00:00+08:00"`, ""},
		{"local mean time", at, `"1900-06-01T00:00:00Z"`, `"1900-06-01T08:00:00+08:00"`, ""},
	})
}

func TestPeriodValues(t *testing.T) {
	period := Field{Kind: FieldPeriod}
	checkValues(t, []valueTest{
		{"a week", period, `{"to":"2026-11-30","from":"2026-11-23"}`, `{"from":"2026-11-23","to":"2026-11-30"}`, ""},
		{"one day", period, `{"from":"2026-11-23","to":"2026-11-23"}`, `{"from":"2026-11-23","to":"2026-11-23"}`, ""},
		{"capitals", period, `{"FROM":"2026-11-23","to":"2026-11-30"}`, "", "period.invalid"},
		{"a third member", period, `{"from":"2026-11-23","to":"2026-11-30","FROM":"2026-11-24"}`, "", "period.invalid"},
		{"reversed", period, `{"from":"2026-11-30","to":"2026-11-23"}`, "", "period.order"},
		{"no end", period, `{"from":"2026-11-23"}`, "", "period.invalid"},
		{"null end", period, `{"from":"2026-11-23","to":null}`, "", "period.invalid"},
		{"empty end", period, `{"from":"2026-11-23","to":""}`, "", "period.invalid"},
		{"empty start", period, `{"from":"","to":"2026-11-23"}`, "", "period.invalid"},
		{"both empty", period, `{"from":"","to":""}`, "", "period.invalid"},
		{"no such day", period, `{"from":"2026-02-29","to":"2026-03-01"}`, "", "period.invalid"},
		{"a third member", period, `{"from":"2026-11-23","to":"2026-11-30","days":8}`, "", "period.invalid"},
		{"a string", period, `"2026-11-23"`, "", "period.invalid"},
		{"an array", period, `["2026-11-23","2026-11-30"]`, "", "period.invalid"},
		{"empty object", period, `{}`, "", "period.invalid"},
	})
}

func TestCodedValues(t *testing.T) {
	uscc, phone, code := Field{Kind: FieldUSCC}, Field{Kind: FieldPhone}, Field{Kind: FieldCode}
	enum, boolean, link := Field{Kind: FieldEnum, Options: []string{"公开招标", "邀请招标"}}, Field{Kind: FieldBoolean}, Field{Kind: FieldURL}
	checkValues(t, []valueTest{
		{"credit code", uscc, `"91320902MA0000031L"`, `"91320902MA0000031L"`, ""},
		{"credit code in small letters", uscc, `" 91320902ma0000031l "`, `"91320902MA0000031L"`, ""},
		{"credit code in full width and groups", uscc, `"９１３２０９０２ MA00 0003 1L"`, `"91320902MA0000031L"`, ""},
		{"credit code with I", uscc, `"91320902MI0000031L"`, "", "uscc.invalid"},
		{"17 characters", uscc, `"91320902MA0000031"`, "", "uscc.invalid"},
		{"19 characters", uscc, `"91320902MA0000031LL"`, "", "uscc.invalid"},
		{"landline", phone, `"0515-88880001"`, `"0515-88880001"`, ""},
		{"two numbers", phone, `"0515-88880001、13800000000"`, `"0515-88880001、13800000000"`, ""},
		{"extension", phone, `"（0515）88880001 转 8001"`, `"（0515）88880001 转 8001"`, ""},
		{"masked mobile", phone, `"138****0000"`, `"138****0000"`, ""},
		{"words", phone, `"请联系王主任"`, "", "phone.invalid"},
		{"too short", phone, `"1234"`, "", "phone.invalid"},
		{"document number", code, `"亭土告〔2024〕5号"`, `"亭土告〔2024〕5号"`, ""},
		{"100 characters", code, quoted(strings.Repeat("字", 100)), quoted(strings.Repeat("字", 100)), ""},
		{"101 characters", code, quoted(strings.Repeat("字", 101)), "", "text.too_long"},
		{"an option", enum, `" 公开招标 "`, `"公开招标"`, ""},
		{"no option", enum, `"公开"`, "", "enum.invalid"},
		{"position of an option", enum, `1`, "", "field.type"},
		{"yes", boolean, `true`, `true`, ""},
		{"no is an answer", Field{Kind: FieldBoolean, Required: true}, `false`, `false`, ""},
		{"quoted yes", boolean, `"true"`, "", "field.type"},
		{"one", boolean, `1`, "", "field.type"},
		{"https", link, `"https://www.example.com/a?b=c&d=e"`, `"https://www.example.com/a?b=c\u0026d=e"`, ""},
		{"http", link, `"http://example.com"`, `"http://example.com"`, ""},
		{"script", link, `"javascript:alert(1)"`, "", "url.invalid"},
		{"no scheme", link, `"www.example.com"`, "", "url.invalid"},
		{"scheme only", link, `"https://"`, "", "url.invalid"},
		{"password", link, `"https://user:secret@example.com/"`, "", "url.invalid"},
		{"ftp", link, `"ftp://example.com/a"`, "", "url.invalid"},
	})
}

var winners = []Field{{Key: "winners", Label: "中标人", Kind: FieldTable, Required: true, Columns: []Field{
	{Key: "name", Label: "名称", Kind: FieldText, Required: true},
	{Key: "price", Label: "报价", Kind: FieldMoney, Unit: "元"},
}}}

func TestTableValues(t *testing.T) {
	tests := []struct{ name, in, want, faults string }{
		{"a row", `[{"name":"甲","price":"1"}]`, `[{"name":"甲","price":"1.00"}]`, ""},
		{"an optional cell may be missing", `[{"name":"甲"},{"name":"乙","price":null}]`, `[{"name":"甲"},{"name":"乙"}]`, ""},
		{"no row", `[]`, "", "fields.winners field.required"},
		{"a required cell is missing", `[{"name":"甲"},{"price":"1"}]`, "", "fields.winners[1].name field.required"},
		{"an unknown column", `[{"name":"甲","rank":1}]`, "", "fields.winners[0].rank field.unknown"},
		{"every fault of every row", `[{"name":5,"price":"x","z":1},{}]`, "", "fields.winners[0].name field.type; " +
			"fields.winners[0].price money.invalid; fields.winners[0].z field.unknown; fields.winners[1].name field.required"},
		{"a null row", `[null]`, "", "fields.winners[0].name field.required"},
		{"an object", `{"name":"甲"}`, "", "fields.winners field.type"},
		{"rows that are no objects", `["甲"]`, "", "fields.winners field.type"},
		{"5,001 rows", "[" + strings.Repeat(`{},`, 5000) + `{}]`, "", "fields.winners table.too_long"},
	}
	for _, tt := range tests {
		values, faults := ParseValues(winners, map[string]json.RawMessage{"winners": json.RawMessage(tt.in)})
		if got := faultText(faults); got != tt.faults {
			t.Errorf("%s: ParseValues(%.60s) faults = %q, want %q", tt.name, tt.in, got, tt.faults)
		}
		if got := valueJSON(t, values["winners"]); tt.faults == "" && got != tt.want {
			t.Errorf("%s: ParseValues(%s) = %s, want %s", tt.name, tt.in, got, tt.want)
		}
	}
	rows := "[" + strings.Repeat(`{"name":"甲"},`, 4999) + `{"name":"乙"}]`
	values, faults := ParseValues(winners, map[string]json.RawMessage{"winners": json.RawMessage(rows)})
	if got := len(values["winners"].([]any)); got != 5000 || len(faults) > 0 {
		t.Errorf("ParseValues(5,000 rows) = %d rows, %q, want all of them", got, faultText(faults))
	}
}

func TestUnknownFieldsAreNamed(t *testing.T) {
	raw := map[string]json.RawMessage{"z": nil, "Name": json.RawMessage(`"甲"`), "name": json.RawMessage(`"乙"`)}
	values, faults := ParseValues([]Field{{Key: "name", Kind: FieldText}}, raw)
	if got, want := faultText(faults), "fields.Name field.unknown; fields.z field.unknown"; got != want {
		t.Errorf("ParseValues(%v) faults = %q, want %q", raw, got, want)
	}
	if values["name"] != "乙" || len(values) != 1 {
		t.Errorf("ParseValues(%v) = %v, want the one known field", raw, values)
	}
}

func TestDisplay(t *testing.T) {
	table := Field{Kind: FieldTable, Columns: winners[0].Columns}
	tests := []struct {
		name  string
		field Field
		value any
		want  string
	}{
		{"absent", Field{Kind: FieldMoney}, nil, ""},
		{"text", Field{Kind: FieldText, Unit: "元"}, "甲", "甲"},
		{"money", Field{Kind: FieldMoney, Unit: "万元"}, "1234567.50", "1,234,567.50元"},
		{"number with its unit", Field{Kind: FieldNumber, Unit: "平方米"}, json.Number("58.60"), "58.60平方米"},
		{"percent", Field{Kind: FieldPercent}, json.Number("5.5"), "5.5%"},
		{"percent with another unit", Field{Kind: FieldPercent, Unit: "‰"}, json.Number("5"), "5‰"},
		{"yes", Field{Kind: FieldBoolean}, true, "是"},
		{"no", Field{Kind: FieldBoolean}, false, "否"},
		{"date", Field{Kind: FieldDate}, "2026-02-03", "2026年2月3日"},
		{"datetime", Field{Kind: FieldDatetime}, "2026-02-03T09:05:00+08:00", "2026年2月3日 09:05"},
		{"datetime of a summer time", Field{Kind: FieldDatetime}, "1988-07-01T12:00:00+08:00", "1988年7月1日 12:00"},
		{"period", Field{Kind: FieldPeriod}, map[string]any{"from": "2026-02-03", "to": "2026-11-30"}, "2026年2月3日至2026年11月30日"},
		{"table", table, []any{map[string]any{"name": "甲", "price": "1.00"}, map[string]any{"name": "乙"}},
			"名称：甲，报价：1.00元\n名称：乙"},
		{"no instant, as it is", Field{Kind: FieldDatetime}, "待定", "待定"},
		{"no day, as it is", Field{Kind: FieldDate}, "待定", "待定"},
		{"no amount, as it is", Field{Kind: FieldMoney}, "面议", "面议"},
	}
	for _, tt := range tests {
		if got := tt.field.Display(tt.value); got != tt.want {
			t.Errorf("%s: Display(%v) = %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

func TestInstantText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"first of the range", "1900-01-01T00:00:00+08:00", "1900-01-01T00:00:00+08:00"},
		{"UTC", "2026-11-23T01:30:00Z", "2026-11-23T09:30:00+08:00"},
		{"last of the range", "2199-12-31T23:59:59+08:00", "2199-12-31T23:59:59+08:00"},
		{"before 1900 in Shanghai", "1900-01-01T00:00:00+14:00", ""},
		{"after 2199 in Shanghai", "2199-12-31T16:00:00Z", ""},
		{"a day only", "2026-11-23", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		at, err := ParseInstant(tt.in)
		if (err == nil) != (tt.want != "") {
			t.Errorf("%s: ParseInstant(%q) = %v, %v, want %q", tt.name, tt.in, at, err, tt.want)
			continue
		}
		if err == nil && FormatInstant(at) != tt.want {
			t.Errorf("%s: FormatInstant(ParseInstant(%q)) = %q, want %q", tt.name, tt.in, FormatInstant(at), tt.want)
		}
	}
	utc := time.Date(2026, time.November, 23, 18, 0, 0, 0, time.UTC)
	if got := workday.DateOf(utc).String(); got != FormatInstant(utc)[:10] {
		t.Errorf("FormatInstant(%s) = %s, want the day %s", utc, FormatInstant(utc), got)
	}
}
