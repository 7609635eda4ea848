package speech

import (
	"strings"
	"unicode/utf8"
)

// measures are words of counting: two of them are 两. Words that name by number
// – 号, 月, 日, 楼, 层, 单元, 期, 级, 组 – are not among them.
var measures = runeSet("个家套户人名条项次份台辆间所位只件张本批种处宗倍米亩吨元年天周时秒轮步页句把根支艘架部万亿" +
	"点分角厅卫厨岁盒瓶桶箱袋片幅副双篇棵册罐床枚桌头届节斤场颗")

// named are words that name by number, 二期, unless a word such as 共 says that
// they are counted, 共两期.
var named = runeSet("层期级类组区线车路排列包房室门口队班面对卷标单社栋幢座")

// blocks are buildings: counted on their own, 新建两栋, named in an address.
var blocks = runeSet("栋幢座")

func runeSet(s string) map[rune]bool {
	set := map[rune]bool{}
	for _, r := range s {
		set[r] = true
	}
	return set
}

// longMeasures are measures of two characters and more whose first is none.
var longMeasures = []string{"小时", "分钟", "公里", "公斤", "公顷", "平方", "立方", "千米", "厘米", "毫米", "千克", "千瓦", "平米", "美元", "港元", "欧元", "日元", "兆瓦", "毫升", "毫克", "星期", "户次", "人次",
	"栋楼", "幢楼", "座楼", "层楼", "季", "株", "盏", "扇", "樘", "标箱", "车道", "学期", "学年", "课时", "门课", "口井", "孔桥", "居室", "口之家", "口人", "梯"}

// otherWords begin with a measure and are none.
var otherWords = []string{"年级", "时许", "分之", "分部", "分公司", "分局", "分区", "分册", "分包", "点位", "片区", "节点", "角度", "角落", "季度", "场地", "点击", "分机", "分中心", "分行", "分院", "分别", "分期", "分批", "分类", "分配", "分项", "分段"}

func counts(tail string) bool {
	tail = strings.TrimLeft(tail, " ")
	first, _ := utf8.DecodeRuneInString(tail)
	if !isHan(first) {
		return false
	}
	for _, w := range otherWords {
		if strings.HasPrefix(tail, w) {
			return false
		}
	}
	if measures[first] {
		return true
	}
	for _, m := range longMeasures {
		if strings.HasPrefix(tail, m) {
			return true
		}
	}
	return false
}

// pair reports whether a lone 2 before the tail is 两.
func (r *reader) pair(tail string) bool {
	if counts(tail) {
		return true
	}
	tail = strings.TrimLeft(tail, " ")
	first, size := utf8.DecodeRuneInString(tail)
	next, _ := utf8.DecodeRuneInString(tail[size:])
	number := next >= '0' && next <= '9'
	switch {
	case named[first] && r.mark == 0 && r.after("共", "共计", "共有", "各", "各有", "分为", "分成", "设", "设有", "约", "仅", "上"):
		return true
	case first == '室' || first == '房':
		return number || next == '户'
	case blocks[first]:
		return !number && next != '单' && next != '室' && next != '号' && !strings.ContainsRune("苑园城庭府里居村区号路街湾轩邸墅郡厦院厂校栋幢座", r.near()) && r.mark != '、'
	}
	return false
}

// near returns the character said just before, 0 after a pause.
func (r *reader) near() rune {
	if r.mark != 0 {
		return 0
	}
	return r.last
}

// units are latin and other signs of units; of two that begin alike the longer
// comes first.
var units = []struct{ sign, name string }{
	{"km2", "平方千米"}, {"cm2", "平方厘米"}, {"mm2", "平方毫米"}, {"hm2", "公顷"}, {"dm3", "立方分米"}, {"m2", "平方米"}, {"m3", "立方米"},
	{"kW·h", "千瓦时"}, {"kWh", "千瓦时"}, {"MWh", "兆瓦时"}, {"MPa", "兆帕"}, {"kPa", "千帕"}, {"Pa", "帕"}, {"kVA", "千伏安"}, {"kN", "千牛"}, {"N", "牛"},
	{"bp", "基点"}, {"BP", "基点"}, {"km", "千米"}, {"cm", "厘米"}, {"mm", "毫米"}, {"μm", "微米"}, {"μg", "微克"},
	{"kg", "千克"}, {"mg", "毫克"}, {"mL", "毫升"}, {"ml", "毫升"}, {"kW", "千瓦"}, {"kw", "千瓦"}, {"MW", "兆瓦"}, {"kV", "千伏"}, {"KV", "千伏"}, {"kA", "千安"}, {"mA", "毫安"},
	{"Mbps", "兆每秒"}, {"Gbps", "吉每秒"}, {"KB", "千字节"}, {"kB", "千字节"}, {"GB", "吉字节"}, {"TB", "太字节"}, {"MB", "兆字节"}, {"dB(A)", "分贝"}, {"dB", "分贝"},
	{"MHz", "兆赫"}, {"GHz", "吉赫"}, {"kHz", "千赫"}, {"Hz", "赫兹"}, {"°C", "摄氏度"}, {"℃", "摄氏度"}, {"min", "分钟"},
	{"ha", "公顷"}, {"m", "米"}, {"g", "克"}, {"t", "吨"}, {"L", "升"}, {"V", "伏"}, {"W", "瓦"}, {"h", "小时"}, {"F", "层"}, {"°", "度"}, {"′", "分"}, {"″", "秒"},
}

// signAt returns the name of a unit's sign at the beginning of s and the bytes
// it takes; a sign that goes on as a word is none.
func signAt(s string) (name string, size int) {
	if s == "" || !isLetter(s[0]) && s[0] < utf8.RuneSelf {
		return "", 0
	}
	if first, _ := utf8.DecodeRuneInString(s); first >= utf8.RuneSelf && !strings.ContainsRune("℃°μ′″", first) {
		return "", 0
	}
	for _, u := range units {
		if rest, ok := strings.CutPrefix(s, u.sign); ok && (rest == "" || !isLetter(rest[0]) && !isDigit(rest[0]) || s[0] >= utf8.RuneSelf) {
			return u.name, len(u.sign)
		}
	}
	return "", 0
}

// unitAt returns the name of the unit at the beginning of s, with what it is
// for, and the bytes it takes: 千克每立方米 for kg/m3, 千牛米 for kN·m. A sign
// before a hyphen is one only if another number with a unit follows.
func unitAt(s string) (name string, size int) {
	size = len(s) - len(strings.TrimLeft(s, " "))
	name, n := signAt(s[size:])
	if n == 0 {
		return "", 0
	}
	size += n
	if rest, ok := strings.CutPrefix(s[size:], "·"); ok {
		if more, m := signAt(rest); m > 0 {
			name, size = name+more, size+len("·")+m
		}
	}
	if rest, ok := strings.CutPrefix(s[size:], "-"); ok {
		_, number := scanDigits(rest)
		if _, m := signAt(rest[number:]); number == 0 || m == 0 {
			return "", 0
		}
	}
	per, m := perAt(s[size:])
	return name + per, size + m
}

// scanDigits returns the digits and points at the beginning of s.
func scanDigits(s string) (digits string, size int) {
	size = len(s) - len(strings.TrimLeft(s, "0123456789."))
	return s[:size], size
}

// loneUnit returns the unit whose sign is a word by itself, as in 面积（m2）.
func loneUnit(s string) (name string, size int) {
	end := len(s) - len(strings.TrimLeft(s, letterSet+"23"))
	if end < 2 || s[0] < 'a' || s[:end] == "ha" || s[:end] == "min" {
		return "", 0
	}
	return unitAt(s)
}

// perWords are what a quantity is for, longest first; latin ones stand for a
// unit only after a stroke.
var perWords = []struct{ sign, name string }{
	{"平方米", ""}, {"平方公里", ""}, {"立方米", ""}, {"公里", ""}, {"公顷", ""}, {"公斤", ""}, {"千克", ""}, {"千米", ""}, {"小时", ""}, {"分钟", ""}, {"千瓦时", ""},
	{"年", ""}, {"月", ""}, {"日", ""}, {"天", ""}, {"周", ""}, {"季", ""}, {"时", ""}, {"秒", ""}, {"人", ""}, {"户", ""}, {"亩", ""}, {"班", ""}, {"床", ""}, {"次", ""}, {"米", ""}, {"吨", ""}, {"升", ""}, {"盒", ""}, {"箱", ""}, {"袋", ""}, {"瓶", ""}, {"包", ""}, {"桶", ""}, {"卷", ""}, {"件", ""},
	{"d", "天"}, {"s", "秒"}, {"a", "年"}, {"r", "转"},
}

// perAt returns what a price or quantity is for, 每平方米每月 for /m2·月 and for
// /(m2·月), and the bytes that takes.
func perAt(s string) (said string, size int) {
	if s == "" || s[0] != '/' {
		return "", 0
	}
	rest := s[1:]
	inner, bracket := strings.CutPrefix(rest, "(")
	if !bracket {
		inner, bracket = strings.CutPrefix(rest, "（")
	}
	for range 3 {
		name, n := perWord(inner)
		if n == 0 {
			break
		}
		said += "每" + name
		if inner = inner[n:]; !strings.HasPrefix(inner, "·") && !strings.HasPrefix(inner, "/") {
			break
		}
		next := strings.TrimPrefix(strings.TrimPrefix(inner, "·"), "/")
		if _, n := perWord(next); n == 0 {
			break
		}
		inner = next
	}
	if bracket {
		closed := strings.TrimPrefix(strings.TrimPrefix(inner, ")"), "）")
		if closed == inner {
			return "", 0
		}
		inner = closed
	}
	if said == "" {
		return "", 0
	}
	return said, len(s) - len(inner)
}

func perWord(s string) (name string, size int) {
	if name, size = signAt(s); size > 0 {
		return name, size
	}
	for _, w := range perWords {
		rest, ok := strings.CutPrefix(s, w.sign)
		switch {
		case !ok:
		case w.name == "":
			return w.sign, len(w.sign)
		case rest == "" || !isLetter(rest[0]) && !isDigit(rest[0]):
			return w.name, len(w.sign)
		}
	}
	return "", 0
}

// letterNames are the letters as they are said in Chinese.
var letterNames = [26]string{"诶", "必", "西", "弟", "伊", "艾弗", "吉", "艾尺", "艾", "杰", "开", "艾勒", "艾马", "艾娜", "哦", "批", "酷", "阿",
	"艾丝", "提", "优", "维", "达不溜", "艾克斯", "歪", "贼"}

func letterName(c byte) string { return letterNames[(c|0x20)-'a'] }
