package wechatsim

import (
	"strings"
	"testing"
)

func TestFieldLimits(t *testing.T) {
	han := func(n int) string { return strings.Repeat("汉", n) }
	for kind, values := range map[string]struct{ fits, not []string }{
		"thing":            {[]string{"a", han(20), "含“标点”和 space", "𠮷" + han(19)}, []string{han(21), "a\nb", "a\x00", "\xff"}},
		"number":           {[]string{"0", "1.5", "-3", strings.Repeat("9", 32)}, []string{strings.Repeat("9", 33), "一", "1,000", ""}},
		"letter":           {[]string{"abcXYZ"}, []string{"a1", strings.Repeat("a", 33), "é"}},
		"symbol":           {[]string{"*", "#￥%！@"}, []string{"a", "******"}},
		"character_string": {[]string{"A-1_b/2", strings.Repeat("x", 32)}, []string{"编号1", strings.Repeat("x", 33)}},
		"time": {[]string{"15:01", "2019年10月1日 15:01", "2026-11-23 09:00:01", "2019年10月1日", "09:00~17:30", "2019年10月1日 09:00~2019年10月2日 18:00"},
			[]string{"25:00", "今天", "9点", "15:1"}},
		"date":         {[]string{"2019年10月1日", "2019年10月", "10月1日", "2019-10-01", "2019/10/1", "2019.10.01 15:01", "2019年10月1日~2019年10月7日"}, []string{"15:01", "十月一日", "20191001"}},
		"amount":       {[]string{"1", "¥1234567890", "￥12.50", "12.5元", "HK$3"}, []string{"12345678901", "12万元", "1,000"}},
		"phone_number": {[]string{"0515-88888888", "+86 13800000000"}, []string{"电话", strings.Repeat("1", 18)}},
		"car_number":   {[]string{"苏J12345", "苏JD12345"}, []string{"苏JD123456"}},
		"name":         {[]string{"张三", han(10), strings.Repeat("a", 20)}, []string{han(11), strings.Repeat("a", 21), "张" + strings.Repeat("a", 10)}},
		"phrase":       {[]string{"住房保障", "更正"}, []string{"国有土地使用", "更正1", "A"}},
		"const":        {[]string{"x"}, []string{han(21)}},
	} {
		k := Keyword{Key: kind + "1"}
		for _, v := range values.fits {
			if !k.fits(v) {
				t.Errorf("%s: %q does not fit", kind, v)
			}
		}
		for _, v := range values.not {
			if k.fits(v) {
				t.Errorf("%s: %q fits", kind, v)
			}
		}
	}
	enum := Keyword{Key: "enum1", Enum: []string{"是", "否"}}
	if !enum.fits("是") || enum.fits("或") {
		t.Error("an enum takes what its list says, and nothing else")
	}
	for _, template := range append(Demo("")[0].Templates, Demo("")[1].Templates...) {
		for _, k := range template.Keywords {
			if !k.fits(k.Sample) {
				t.Errorf("%s: the sample of %s does not fit", template.Title, k.Key)
			}
		}
	}
}
