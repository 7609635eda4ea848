package speech_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gongkai/internal/speech"
)

// spoken is what a prompt may consist of.
var spoken = regexp.MustCompile(`^[\p{Han}，。；、：？！]*$`)

// TestText reads the rule table, behaviour 3 of the hotline; the rows marked W are of WeTextProcessing.
func TestText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		// Quantities.
		{"200", "两百"}, {"2000", "两千"}, {"20000", "两万"}, {"1001", "一千零一"}, {"10", "十"}, {"11", "十一"}, // W
		{"101111", "十万一千一百一十一"}, // W
		{"0", "零"}, {"-3", "负三"}, {"-0.05", "负零点零五"}, {"0.05", "零点零五"}, {"2", "二"}, {"20", "二十"}, {"22", "二十二"},
		{"2222", "两千二百二十二"}, {"100000000", "一亿"}, {"1000000000000", "一万亿"}, {"10011", "一万零一十一"}, {"1,234", "一千二百三十四"},
		{"1.01", "一点零一"}, {"6.42万", "六点四二万"}, // W
		{"2万", "两万"}, {"2亿", "两亿"}, {"12亿2000万", "十二亿两千万"}, {"２０２６", "两千零二十六"}, {"１２３", "一百二十三"},
		// Money.
		{"1234567.89元", "一百二十三万四千五百六十七元八角九分"}, {"350万元", "三百五十万元"}, {"13.5元", "十三点五元"}, // W
		{"12,800,000.00元", "一千二百八十万元"}, {"420.00元", "四百二十元"}, {"12.34元", "十二元三角四分"}, {"0.05元", "五分"}, {"2元", "两元"},
		{"¥4860000.00", "四百八十六万元"}, {"￥2.50", "两元五角"}, {"0元", "零元"}, {"123000000元", "一点二三亿元"}, {"100.05元", "一百元零五分"},
		{"25000元", "二点五万元"}, {"1000000000000元", "一万亿元"}, {"3500元/平方米", "三千五百元每平方米"}, {"3元/㎡·月", "三元每平方米每月"}, {"5元/m2", "五元每平方米"}, {"$500", "五百美元"},
		// Percent.
		{"6.3%", "百分之六点三"}, {"0.6个百分点", "零点六个百分点"}, {"5%-10%", "百分之五至百分之十"}, {"5-10%", "百分之五至百分之十"}, {"１２％", "百分之十二"},
		{"2个百分点", "两个百分点"}, {"3‰", "千分之三"}, {"同比-5%", "同比负百分之五"},
		// Dates.
		{"2008-08-08", "二零零八年八月八日"}, // W
		{"2026年11月23日", "二零二六年十一月二十三日"}, {"2026/11/3", "二零二六年十一月三日"}, {"2026.11.23", "二零二六年十一月二十三日"}, {"2024-02-29", "二零二四年二月二十九日"},
		{"2026年2月", "二零二六年二月"}, {"2026-2030年", "二零二六至二零三零年"}, {"二〇二六年", "二零二六年"}, {"2025-2026学年", "二零二五至二零二六学年"}, {"2026年1月1日至2026年1月2日", "二零二六年一月一日至二零二六年一月二日"},
		{"2026年11月23日 09:30", "二零二六年十一月二十三日九点三十分"}, {"2026-11-23T09:30:00+08:00", "二零二六年十一月二十三日九点三十分"},
		{"2026年第1批", "二零二六年第一批"}, {"3年", "三年"}, {"2年", "两年"}, {"2月2日", "二月二日"}, {"2个月", "两个月"}, {"第2季度", "第二季度"}, {"2季度", "二季度"},
		// Times.
		{"2:02", "两点零二分"}, {"22:58", "二十二点五十八分"}, {"12:00", "十二点"}, // W
		{"00:00", "零点"}, {"9:05:30", "九点零五分三十秒"}, {"9:00-12:00", "九点至十二点"}, {"９：３０", "九点三十分"}, {"3:2", "三比二"}, {"1/3", "三分之一"},
		// Numbers to dial.
		{"13501234567", "幺三五零幺二三四五六七"}, {"12306", "幺二三零六"}, {"尾号1702", "尾号幺七零二"}, // W
		{"12345", "幺二三四五"}, {"12345元", "一万二千三百四十五元"}, {"0515-88880001", "零五幺五，八八八八零零零幺"}, {"电话：110", "电话：幺幺零"},
		{"400-800-1234", "四零零八零零幺二三四"}, {"138****0000", "尾号零零零零"}, {"电话138****0001", "电话尾号零零零幺"},
		{"138 0000 1234", "幺三八，零零零零，幺二三四"}, {"138-0000-1234", "幺三八，零零零零，幺二三四"}, {"+86 13800001234", "幺三八零零零零幺二三四"},
		{"+86 515 8888 0001", "五幺五，八八八八，零零零幺"}, {"分机8012", "分机八零幺二"}, {"12 3456", "十二三千四百五十六"},
		// Document numbers.
		{"亭土告〔2024〕5号", "亭土告，二零二四年，五号"}, {"亭政办发〔2026〕18号文件", "亭政办发，二零二六年，十八号文件"}, {"亭土告[2024]5号", "亭土告，二零二四年，五号"},
		{"亭土挂告字〔2026〕01号地块", "亭土挂告字，二零二六年，一号地块"}, {"国办发（2017）97号", "国办发，二零一七年，九十七号"}, {"计划（2026）", "计划，二零二六"},
		// Codes.
		{"E3209020001000012", "尾号零零幺二"}, {"TH-CG2026-000007", "尾号零零零七"}, {"C30混凝土", "西三零混凝土"}, {"EPC总承包", "伊批西总承包"},
		{"2026-320902-47-01-512345", "二零二六，三二零九，零二，四七，零幺，五幺二三，四五"}, {"编号48201735", "编号四八二零幺七三五"}, {"3209************06", "尾号零六"},
		{"DN200管道", "弟艾娜二零零管道"}, {"GB50300", "尾号零三零零"}, {"AB1234-5", "尾号二三四五"}, {"3.2.1条", "三点二点一条"}, {"1.2.3.4", "一点二点三点四"},
		{"Ⅱ类", "二类"}, {"III级", "三级"}, {"IV期", "四期"}, {"II", "艾艾"}, {"VIP", "维艾批"}, {"№5", "编号五"},
		// Areas and other units.
		{"24m²", "二十四平方米"}, {"58.6㎡", "五十八点六平方米"}, {"2km2", "两平方千米"}, {"1.2公里", "一点二公里"}, {"2亩", "两亩"}, {"3.5t", "三点五吨"}, {"10kV", "十千伏"}, {"-3℃", "负三摄氏度"},
		{"100m", "一百米"}, {"20 m", "二十米"},
		// Counting.
		{"2个", "两个"}, {"2家", "两家"}, {"2套", "两套"}, {"12套", "十二套"}, {"第2", "第二"}, {"第2名", "第二名"}, {"2号楼", "二号楼"}, {"2 户", "两户"},
		{"3号楼2单元1702室", "三号楼二单元幺七零二室"}, {"2楼", "二楼"}, {"2.5米", "二点五米"}, {"3-5天", "三至五天"}, {"2标段", "二标段"},
		// The rest.
		{"王*", "王某"}, {"欧阳*、李**", "欧阳某、李某"}, {"阿***·***", "阿某"}, {"", ""}, {"。。", ""}, {"A&B", "诶和必"}, {"《办法》（试行）", "办法，试行"}, {"——", ""},
		{"网址https://www.example.com/trade。", "网址网址见公告原文。"}, {"投标人:甲、乙;丙", "投标人：甲、乙；丙"}, {"Ж日本ひらがな", "日本"}, {"🎉好", "好"}, {"甲\n\n乙", "甲；乙"}, {"甲 乙", "甲乙"},
		{"<b>]]>&\"", "必，和"}, {"好。”", "好。"}, {"1.0<容积率≤2.2", "一点零小于容积率不大于二点二"}, {"面积>60平方米", "面积大于六十平方米"}, {"<甲>公告", "甲，公告"}, {"不低于≥60", "不低于不小于六十"}, {"甲……乙", "甲，乙"},
	} {
		if got := speech.Text(tt.in); got != tt.want {
			t.Errorf("Text(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestCardinal(t *testing.T) {
	for n, want := range map[int64]string{
		0: "零", 1: "一", -1: "负一", 10: "十", 12: "十二", 20: "二十", 100: "一百", 101: "一百零一", 110: "一百一十", 111: "一百一十一", 200: "两百", 202: "两百零二",
		1000: "一千", 1010: "一千零一十", 1200: "一千二百", 10000: "一万", 10001: "一万零一", 10010: "一万零一十", 12000: "一万二千", 20200: "两万零二百", 100000: "十万",
		110000: "十一万", 1_000_000: "一百万", 20_000_000: "两千万", 100_000_001: "一亿零一", 100_020_000: "一亿零二万", 1_200_000_000: "十二亿",
		1_000_000_000_000: "一万亿", 1_234_567_890_123: "一万二千三百四十五亿六千七百八十九万零一百二十三", 1_000_100_000_000: "一万零一亿",
	} {
		if got := speech.Cardinal(n); got != want {
			t.Errorf("Cardinal(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestSentence(t *testing.T) {
	values := map[string]string{"tenderer": "亭湖区盐东镇人民政府", "control_price": "12,800,000.00元", "bid_deadline": "2026年12月30日 09:30", "empty": " "}
	for _, tt := range []struct{ name, template, want string }{
		{"all there", "招标人是{tenderer}，最高投标限价{control_price}。", "招标人是亭湖区盐东镇人民政府，最高投标限价一千二百八十万元。"},
		{"a clause without its value", "招标人是{tenderer}，工期{duration}，投标截止时间{bid_deadline}。", "招标人是亭湖区盐东镇人民政府，投标截止时间二零二六年十二月三十日九点三十分。"},
		{"the last clause without", "招标人是{tenderer}，工期{duration}。", "招标人是亭湖区盐东镇人民政府。"},
		{"blank counts as absent", "说明{empty}，完。", "完。"},
		{"nothing there", "工期{duration}。", ""},
		{"no names", "本公告已终止", "本公告已终止。"},
		{"a brace left open", "招标人{tenderer", ""},
	} {
		if got := speech.Sentence(tt.template, values); got != tt.want {
			t.Errorf("%s: Sentence(%q) = %s, want %s", tt.name, tt.template, got, tt.want)
		}
	}
	if got := strings.Join(speech.Names("甲{a}乙{b}丙{a}{c"), " "); got != "a b" {
		t.Errorf("Names = %s", got)
	}
}

func TestPagesAndShorten(t *testing.T) {
	text := speech.Text(strings.Repeat("本项目已由区发展和改革委员会批准建设，资金来自财政。", 12))
	whole := ""
	for i, page := range speech.Pages(text, 100) {
		if speech.Len(page) > 100 || !strings.HasSuffix(page, "。") {
			t.Errorf("page %d has %d characters: %s", i, speech.Len(page), page)
		}
		whole += page
	}
	if whole != text {
		t.Errorf("pages lose text: %s", whole)
	}
	if got := speech.Pages(strings.Repeat("字", 250), 100); len(got) != 3 || speech.Len(got[2]) != 50 {
		t.Errorf("text without pauses makes pages %v", got)
	}
	if got := speech.Pages("甲乙丙，丁戊己庚，过程："+strings.Repeat("字", 9), 11); got[0] != "甲乙丙，丁戊己庚。" {
		t.Errorf("a page ends at the colon: %v", got)
	}
	if got := speech.Pages("", 100); got != nil {
		t.Errorf("no text makes pages %v", got)
	}
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{{"一二三", 3, "一二三"}, {"一二三四", 3, "一二三"}, {"一二，三四五", 4, "一二"}, {"一，二三四五", 4, "一，二三四"}} {
		if got := speech.Shorten(tt.in, tt.limit); got != tt.want {
			t.Errorf("Shorten(%s, %d) = %s, want %s", tt.in, tt.limit, got, tt.want)
		}
	}
}

func TestCodesAndKeys(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{speech.Digits("48201735"), "四八二零，幺七三五"}, {speech.Digits("13501234567"), "幺三五，零幺二三，四五六七"}, {speech.Digits("12345"), "幺二三四五"},
		{speech.Digits("0515-88880001"), "零五幺五，八八八八，零零零幺"}, {speech.Digits(""), ""},
		{speech.Tail("E3209020001000012"), "尾号零零幺二"}, {speech.Tail("Ｅ１２"), "尾号幺二"}, {speech.Tail("甲乙"), "甲乙"},
		{speech.Key("#"), "井号键"}, {speech.Key("*"), "星号键"}, {speech.Key("1"), "一"}, {speech.Key("0"), "零"},
		{speech.Yuan("1234567.89"), "一百二十三万四千五百六十七元八角九分"}, {speech.Percent("6.3"), "百分之六点三"}, {speech.Percent("-5"), "负百分之五"},
		{speech.Decimal("1.01"), "一点零一"}, {speech.Decimal("-2"), "负二"}, {speech.Clock(14, 30), "十四点三十分"}, {speech.Year("2026"), "二零二六年"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
}

// FuzzText holds for any text: only what can be said comes out, saying it again
// changes nothing, and no input blows up.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"2026-11-23T09:30:00+08:00", "亭土告〔2024〕5号", "1,234,567.89元", "E3209-1_2.3", "138****0000", "-5%~10‰", "https://a@b.c", "¥¥¥1", "王*1/3:2", "(2026)第5号", "m²℃2 m", "\xff\x00０１"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := speech.Text(s)
		if !spoken.MatchString(got) || !utf8.ValidString(got) {
			t.Errorf("Text(%q) = %q cannot be said", s, got)
		}
		if again := speech.Text(got); again != got {
			t.Errorf("Text(%q) = %q, and said again %q", s, got, again)
		}
		if len(got) > 40*len(s)+40 {
			t.Errorf("Text of %d bytes has %d", len(s), len(got))
		}
		for _, page := range speech.Pages(got, 20) {
			if speech.Len(page) > 20 || !spoken.MatchString(page) {
				t.Errorf("page %q of %q", page, got)
			}
		}
		if short := speech.Shorten(got, 10); speech.Len(short) > 10 || !strings.HasPrefix(got, short) {
			t.Errorf("Shorten(%q) = %q", got, short)
		}
		if s := speech.Sentence("甲{a}，乙。", map[string]string{"a": s}); !spoken.MatchString(s) {
			t.Errorf("Sentence = %q", s)
		}
	})
}

func BenchmarkText(b *testing.B) {
	text := strings.Repeat("亭湖区盐东镇道路改造工程施工招标公告：本项目已由亭湖区发展和改革委员会以亭发改〔2026〕18号文件批准建设，最高投标限价12,800,000.00元，"+
		"建筑面积26800㎡，工期180日历天，投标截止时间2026年12月30日 09:30，联系电话0515-88880001，项目编号E3209020001000012。", 20)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		speech.Text(text)
	}
}
