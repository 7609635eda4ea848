package importer

import (
	"testing"

	"gongkai/internal/disclosure"
)

// TestValue says what becomes of a cell: the JSON it is read as, or the code of
// what is wrong with it, or both for what is worth a look.
func TestValue(t *testing.T) {
	const (
		text, long, moneyKind, num, whole, rate = disclosure.FieldText, disclosure.FieldLongText, disclosure.FieldMoney, disclosure.FieldNumber, disclosure.FieldInteger, disclosure.FieldPercent
		date, datetime, period, boolean, enum   = disclosure.FieldDate, disclosure.FieldDatetime, disclosure.FieldPeriod, disclosure.FieldBoolean, disclosure.FieldEnum
		phone, uscc, code, link                 = disclosure.FieldPhone, disclosure.FieldUSCC, disclosure.FieldCode, disclosure.FieldURL
	)
	n := func(s string) cell { return cell{text: s, number: true} }
	day := func(s string) cell { return cell{text: s, number: true, date: true} }
	s := func(s string) cell { return cell{text: s} }
	for _, tt := range []struct {
		kind  disclosure.FieldKind
		cell  cell
		scale int
		want  string // JSON
		code  string
	}{
		{text, s("  道路工程\u00a0\u200b"), 0, `"道路工程"`, ""},
		{text, s("“引号”\"\\"), 0, `"“引号”\"\\"`, ""},
		{text, s("（全角）ＡＢＣ，不改"), 0, `"（全角）ＡＢＣ，不改"`, ""},
		{text, n("2026"), 0, `"2026"`, ""},
		{text, n("0.30000000000000004"), 0, `"0.3"`, ""},
		{text, n("1.38E10"), 0, `"13800000000"`, ""},
		{text, day("46349"), 0, `"2026-11-23"`, ""},
		{text, day("46349.395833333336"), 0, `"2026-11-23 09:30"`, ""},
		{long, s("一\n二"), 0, `"一\n二"`, ""},

		{moneyKind, s("1280000"), 0, `"1280000.00"`, ""},
		{moneyKind, n("1280000.5"), 0, `"1280000.50"`, ""},
		{moneyKind, n("1.28E6"), 0, `"1280000.00"`, ""},
		{moneyKind, n("11880000.100000001"), 0, `"11880000.10"`, ""},
		{moneyKind, s("1,280,000.00"), 0, `"1280000.00"`, ""},
		{moneyKind, s("１，２８０，０００．００"), 0, `"1280000.00"`, ""},
		{moneyKind, s("¥1280000元整"), 0, `"1280000.00"`, ""},
		{moneyKind, s("人民币1280000元"), 0, `"1280000.00"`, ""},
		{moneyKind, s("128万元"), 0, `"1280000.00"`, "money.converted"},
		{moneyKind, s("128.5 万"), 0, `"1285000.00"`, "money.converted"},
		{moneyKind, s("1.2亿元"), 0, `"120000000.00"`, "money.converted"},
		{moneyKind, s("128"), 4, `"1280000.00"`, "money.converted"},
		{moneyKind, n("128.123456"), 4, `"1281234.56"`, "money.converted"},
		{moneyKind, s("128万元"), 4, `"1280000.00"`, "money.converted"},
		{moneyKind, s("1280000元"), 4, "", "money.two_units"},
		{moneyKind, s("128万元（1280000元）"), 0, "", "money.two_units"},
		{moneyKind, s("100-200万元"), 0, "", "money.two_units"},
		{moneyKind, s("-5"), 0, "", "money.negative"},
		{moneyKind, n("-5"), 0, "", "money.negative"},
		{moneyKind, s("(5,000.00)"), 0, "", "money.negative"},
		{moneyKind, s("−5万元"), 0, "", "money.negative"},
		{moneyKind, s("1.005"), 0, "", "money.invalid"},
		{moneyKind, s("约100万元"), 0, "", "money.invalid"},
		{moneyKind, s("12,80,000"), 0, "", "money.invalid"},
		{moneyKind, s("99999999亿元"), 0, "", "money.invalid"},
		{moneyKind, s("面议"), 0, "", "money.invalid"},
		{moneyKind, s("1e5"), 0, "", "money.two_units"},

		{num, s("3.50"), 0, "3.50", ""},
		{num, s("1,234.5平方米"), 0, "1234.5", ""},
		{num, s("007.5"), 0, "7.5", ""},
		{num, n("0.1"), 0, "0.1", ""},
		{num, s("一百"), 0, "", "number.invalid"},
		{whole, s("180.0"), 0, "180", ""},
		{whole, n("180"), 0, "180", ""},
		{rate, s("92.5%"), 0, "92.5", ""},
		{rate, cell{text: "0.925", number: true, percent: true}, 0, "92.5", ""},
		{rate, n("92.5"), 0, "92.5", ""},

		{date, s("2026-11-23"), 0, `"2026-11-23"`, ""},
		{date, s("2026年11月23日"), 0, `"2026-11-23"`, ""},
		{date, s("2026年11月23号（星期一）"), 0, `"2026-11-23"`, ""},
		{date, s("2026.11.23"), 0, `"2026-11-23"`, ""},
		{date, s("2026/1/3"), 0, `"2026-01-03"`, ""},
		{date, s("２０２６．１１．２３"), 0, `"2026-11-23"`, ""},
		{date, s("20261123"), 0, `"2026-11-23"`, ""},
		{date, s("二〇二六年十一月二十三日"), 0, `"2026-11-23"`, ""},
		{date, s("二○二六年十月十日"), 0, `"2026-10-10"`, ""},
		{date, day("46349"), 0, `"2026-11-23"`, ""},
		{date, n("46349"), 0, `"2026-11-23"`, ""},
		{date, s("46349"), 0, `"2026-11-23"`, ""},
		{date, day("46349.5"), 0, `"2026-11-23"`, "date.time_dropped"},
		{date, s("2026-11-23 09:30"), 0, `"2026-11-23"`, "date.time_dropped"},
		{date, s("2026-11-23T09:30:00+08:00"), 0, `"2026-11-23"`, "date.time_dropped"},
		{date, s("2026.13.1"), 0, "", "date.invalid"},
		{date, s("2026-02-30"), 0, "", "date.invalid"},
		{date, s("26.11.23"), 0, "", "date.invalid"},
		{date, s("11/23/2026"), 0, "", "date.invalid"},
		{date, s("0026-11-23"), 0, "", "date.invalid"},
		{date, n("20261123"), 0, `"2026-11-23"`, ""},
		{date, n("-1"), 0, "", "date.invalid"},
		{date, n("2026"), 0, "", "date.invalid"},
		{date, n("2026.11"), 0, "", "date.invalid"},
		{datetime, s("2026-11-23 09:30"), 0, `"2026-11-23T09:30:00+08:00"`, ""},
		{datetime, s("2026年11月23日上午9时30分"), 0, `"2026-11-23T09:30:00+08:00"`, ""},
		{datetime, s("2026年11月23日下午2:30（北京时间）"), 0, `"2026-11-23T14:30:00+08:00"`, ""},
		{datetime, s("2026年11月23日晚上8点"), 0, `"2026-11-23T20:00:00+08:00"`, ""},
		{datetime, s("2026年11月23日中午12点"), 0, `"2026-11-23T12:00:00+08:00"`, ""},
		{datetime, s("2026年11月23日晚上12点"), 0, "", "datetime.invalid"},
		{datetime, s("2026年11月23日晚上1点"), 0, "", "datetime.invalid"},
		{datetime, s("2026年11月23日9点整"), 0, `"2026-11-23T09:00:00+08:00"`, ""},
		{datetime, s("2026-11-23 00:00"), 0, `"2026-11-23T00:00:00+08:00"`, ""},
		{datetime, s("2026-11-23T01:30:00Z"), 0, `"2026-11-23T09:30:00+08:00"`, ""},
		{datetime, day("46349.395833333336"), 0, `"2026-11-23T09:30:00+08:00"`, ""},
		{datetime, s("2026-11-23"), 0, "", "datetime.no_time"},
		{datetime, day("46349"), 0, "", "datetime.no_time"},
		{datetime, s("2026-11-23 25:00"), 0, "", "datetime.invalid"},
		{datetime, s("下周一"), 0, "", "datetime.invalid"},
		{period, s("2026-11-23至2026-11-30"), 0, `{"from":"2026-11-23","to":"2026-11-30"}`, ""},
		{period, s("2026年11月23日～2026年11月30日"), 0, `{"from":"2026-11-23","to":"2026-11-30"}`, ""},
		{period, s("2026-11-23"), 0, "", "period.invalid"},

		{boolean, s("是"), 0, "true", ""},
		{boolean, s("√"), 0, "true", ""},
		{boolean, n("0"), 0, "false", ""},
		{boolean, s("也许"), 0, "", "boolean.invalid"},
		{enum, s(" 公开招标 "), 0, `"公开招标"`, ""},
		{enum, s("公开照标"), 0, "", "enum.invalid"},
		{phone, s("０５１５－８８８８０００１"), 0, `"0515-88880001"`, ""},
		{phone, n("13800000000"), 0, `"13800000000"`, ""},
		{phone, n("51588880001"), 0, `"51588880001"`, "phone.leading_zero"},
		{uscc, s("9132 0902 ma00 0001 5y"), 0, `"91320902MA0000015Y"`, ""},
		{code, s("0012"), 0, `"0012"`, ""},
		{code, n("320902199001010000"), 0, "", "number.precision"},
		{code, s("亭发改审〔2026〕18号"), 0, `"亭发改审〔2026〕18号"`, ""},
		{link, s("https：／／www.example.com/"), 0, `"https://www.example.com/"`, ""},
		{text, s(" \u3000"), 0, "", ""},
	} {
		f := disclosure.Field{Label: "字段", Kind: tt.kind, Options: []string{"公开招标", "邀请招标"}}
		if tt.kind == num {
			f.Unit = "平方米"
		}
		raw, m := (&input{}).value(f, tt.cell, tt.scale)
		got := ""
		if m != nil {
			got = m.code
		}
		if string(raw) != tt.want || got != tt.code {
			t.Errorf("value(%s, %+v, %d) = %s, %q, want %s, %q", tt.kind, tt.cell, tt.scale, raw, got, tt.want, tt.code)
		}
	}
}

// TestNearest: what was probably meant comes first; nonsense has no neighbour.
func TestNearest(t *testing.T) {
	names := []string{"区住建局", "区财政局", "区水利局", "区公共资源交易中心"}
	for _, tt := range []struct{ text, want string }{
		{"区住健局", "区住建局"}, {"亭湖区财政局", "区财政局"}, {"公共资源交易中心", "区公共资源交易中心"}, {"xyz", ""},
	} {
		got := ""
		if list := nearest(tt.text, names, 1); len(list) > 0 {
			got = list[0]
		}
		if got != tt.want {
			t.Errorf("nearest(%s) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

// TestSuggestion: only what is half the same is asked after.
func TestSuggestion(t *testing.T) {
	names := []string{"标题", "采购人", "承接的公告编号", "最高投标限价"}
	for text, want := range map[string]string{"采购入": "；是不是“采购人”？", "最高限价": "；是不是“最高投标限价”？", "奇怪的列": "", "采购人 *": "；是不是“采购人”？", "": ""} {
		if got := suggestion(text, names); got != want {
			t.Errorf("suggestion(%s) = %q, want %q", text, got, want)
		}
	}
}

// TestFormats: what makes a number a date or a percentage.
func TestFormats(t *testing.T) {
	for code, want := range map[string]numberFormat{
		"General": {}, "0.00": {}, "#,##0.00": {}, "0.00E+00": {}, "@": {}, `0.00"m"`: {}, `0\d`: {}, "[Red]0": {},
		"yyyy-mm-dd": {date: true}, "m/d/yy h:mm": {date: true}, `[$-804]yyyy"年"m"月"d"日";@`: {date: true}, "[h]:mm": {date: true},
		"0.00%": {percent: true}, `0"%"`: {},
	} {
		if got := formatOf(code); got != want {
			t.Errorf("formatOf(%s) = %+v, want %+v", code, got, want)
		}
	}
	for id, want := range map[string]numberFormat{"0": {}, "9": {percent: true}, "14": {date: true}, "22": {date: true}, "31": {date: true}, "57": {date: true}, "49": {}, "x": {}} {
		if got := builtinFormat(id); got != want {
			t.Errorf("builtinFormat(%s) = %+v, want %+v", id, got, want)
		}
	}
}

// TestLeadingZeros holds that a number is read with the zeros the sheet shows.
func TestLeadingZeros(t *testing.T) {
	for _, tt := range []struct{ code, text, want string }{
		{"000000", "123", "000123"}, {"000000", "1234567", "1234567"}, {"0", "5", "5"}, {"0.00", "5", "5"}, {"General", "5", "5"},
		{"000000", "1.5", "1.5"}, {"0000;-0000", "7", "0007"},
	} {
		c := cell{text: tt.text, number: true, digits: formatOf(tt.code).digits}
		if raw, bad := numberText(c, c.text); bad != nil || string(raw) != `"`+tt.want+`"` {
			t.Errorf("%s as %s = %s, %v, want %q", tt.text, tt.code, raw, bad, tt.want)
		}
	}
}
