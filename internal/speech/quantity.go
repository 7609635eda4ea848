package speech

import (
	"strings"
	"unicode/utf8"
)

// quantity reads a number with what it counts.
func (r *reader) quantity() {
	n, size := scanNumber(r.in, r.at)
	end := r.at + size
	tail := r.in[end:]
	ordinal := r.mark == 0 && r.last == '第'
	switch {
	case !ordinal && strings.HasPrefix(tail, "元"):
		r.say(n.yuan())
		end += len("元")
	case strings.HasPrefix(tail, "%"):
		r.say("百分之" + n.read())
		end++
	case strings.HasPrefix(tail, "‰"):
		r.say("千分之" + n.read())
		end += len("‰")
	case n.frac == "" && plainRun(n.whole, tail):
		r.say(spell(phoneNames, n.whole))
	default:
		unit, width := unitAt(tail)
		two := n.is("2") && !ordinal && (width > 0 || counts(tail))
		if two {
			r.say("两" + unit)
		} else {
			r.say(n.read() + unit)
		}
		end += width
	}
	r.at = end
}

// plainRun reports whether digits without separators are a number to recognise,
// not a quantity: they begin with 0, name a room, or are long without being
// round or counted.
func plainRun(digits, tail string) bool {
	switch {
	case len(digits) > 1 && digits[0] == '0':
		return !strings.HasPrefix(tail, "号") && !strings.HasPrefix(tail, "月") && !strings.HasPrefix(tail, "日") && !strings.HasPrefix(tail, "分")
	case len(digits) >= 3 && (strings.HasPrefix(tail, "室") || strings.HasPrefix(tail, "房")):
		return true
	case len(digits) > maxCardinal:
		return true
	case len(digits) < 7 || counts(tail):
		return false
	}
	if _, n := unitAt(tail); n > 0 || strings.HasPrefix(tail, "万") || strings.HasPrefix(tail, "亿") {
		return false
	}
	return len(digits)-len(strings.TrimRight(digits, "0")) < len(digits)/2
}

// measures are words of counting: two of them are 两. Words that name by number
// – 号, 月, 日, 楼, 层, 单元, 期, 级, 组 – are not among them.
var measures = measureSet("个家套户人名条项次份台辆间座块所位只件张本批种类处宗倍米亩吨元年天周时秒轮步页句把根支辆艘架部万亿")

func measureSet(s string) map[rune]bool {
	set := map[rune]bool{}
	for _, r := range s {
		set[r] = true
	}
	return set
}

// longMeasures are measures of two characters and more whose first is none.
var longMeasures = []string{"小时", "分钟", "公里", "公斤", "公顷", "平方", "立方", "千米", "厘米", "毫米", "千克", "星期", "户次", "人次", "栋楼", "层楼", "季", "株", "盏", "扇", "樘", "标箱"}

func counts(tail string) bool {
	tail = strings.TrimLeft(tail, " ")
	first, _ := utf8.DecodeRuneInString(tail)
	if measures[first] {
		return !strings.HasPrefix(tail, "年级") && !strings.HasPrefix(tail, "时许")
	}
	for _, m := range longMeasures {
		if strings.HasPrefix(tail, m) {
			return m != "季" || !strings.HasPrefix(tail, "季度")
		}
	}
	return false
}

// units are latin and other signs of units, longest first.
var units = []struct{ sign, name string }{
	{"km2", "平方千米"}, {"cm2", "平方厘米"}, {"mm2", "平方毫米"}, {"hm2", "公顷"}, {"dm3", "立方分米"}, {"m2", "平方米"}, {"m3", "立方米"},
	{"km/h", "千米每小时"}, {"kWh", "千瓦时"}, {"MPa", "兆帕"}, {"kPa", "千帕"}, {"kVA", "千伏安"}, {"km", "千米"}, {"cm", "厘米"}, {"mm", "毫米"},
	{"kg", "千克"}, {"mg", "毫克"}, {"mL", "毫升"}, {"ml", "毫升"}, {"kW", "千瓦"}, {"kw", "千瓦"}, {"MW", "兆瓦"}, {"kV", "千伏"}, {"KV", "千伏"},
	{"Mbps", "兆每秒"}, {"GB", "吉字节"}, {"TB", "太字节"}, {"MB", "兆字节"}, {"dB", "分贝"}, {"Hz", "赫兹"}, {"°C", "摄氏度"}, {"℃", "摄氏度"},
	{"ha", "公顷"}, {"m", "米"}, {"g", "克"}, {"t", "吨"}, {"L", "升"}, {"V", "伏"}, {"W", "瓦"}, {"h", "小时"}, {"°", "度"},
}

// unitAt returns the name of a unit's sign at the beginning of s and the bytes
// it takes; a sign that goes on as a word is none.
func unitAt(s string) (name string, size int) {
	blank := len(s) - len(strings.TrimLeft(s, " "))
	s = s[blank:]
	if s == "" || !isLetter(s[0]) && s[0] < utf8.RuneSelf {
		return "", 0
	}
	if s[0] >= utf8.RuneSelf && !strings.HasPrefix(s, "℃") && !strings.HasPrefix(s, "°") {
		return "", 0
	}
	for _, u := range units {
		if rest, ok := strings.CutPrefix(s, u.sign); ok && (rest == "" || !isLetter(rest[0]) && !isDigit(rest[0]) && rest[0] != '-') {
			return u.name, blank + len(u.sign)
		}
	}
	return "", 0
}

// letterNames are the letters as they are said in Chinese.
var letterNames = [26]string{"诶", "必", "西", "弟", "伊", "艾弗", "吉", "艾尺", "艾", "杰", "开", "艾勒", "艾马", "艾娜", "哦", "批", "酷", "阿",
	"艾丝", "提", "优", "维", "达不溜", "艾克斯", "歪", "贼"}

func letterName(c byte) string { return letterNames[(c|0x20)-'a'] }
