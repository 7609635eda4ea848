package speech

import (
	"strings"
	"unicode/utf8"
)

// span reads 3-5天 and 5%~10% as one span: 三至五天.
func (r *reader) span() bool {
	n, size := scanNumber(r.in, r.at)
	i := r.at + size
	percent := i < len(r.in) && r.in[i] == '%'
	if percent {
		i++
	}
	width := 0
	for _, sep := range []string{"-", "~", "——", "—", "至"} {
		if strings.HasPrefix(r.in[i:], sep) {
			width = len(sep)
			break
		}
	}
	if width == 0 || strings.HasPrefix(r.in[i:], "至") && !percent {
		return false
	}
	to, second := scanNumber(r.in, i+width)
	if second == 0 {
		return false
	}
	if next := i + width + second; r.in[i] == '-' && !percent && n.over(to) && !measured(r.in[next:]) && !strings.HasPrefix(r.in[next:], "%") && !r.follows(next-r.at, "月", "日", "级") {
		r.say(Digits(r.in[r.at:next])) // 2026-08号 goes down: it is a code
		r.at = next
		return true
	}
	if percent || i+width+second < len(r.in) && r.in[i+width+second] == '%' {
		r.say("百分之" + n.read() + "至")
	} else {
		r.say(n.read() + "至")
	}
	r.at = i + width
	return true
}

// over reports whether a whole number is above another.
func (n number) over(m number) bool {
	a, b := strings.TrimLeft(n.whole, "0"), strings.TrimLeft(m.whole, "0")
	return n.frac == "" && m.frac == "" && (len(a) > len(b) || len(a) == len(b) && a > b)
}

// fraction reads 1/3 as 三分之一 and 1:1.5 as 一比一点五, with the unit.
func (r *reader) fraction() bool {
	a, n := scanNumber(r.in, r.at)
	sep := r.in[r.at+n:]
	colon := r.colon(n)
	b, m := scanNumber(sep, max(colon, 1))
	end := r.at + n + max(colon, 1) + m
	switch {
	case colon > 1 && !r.ratio(n) && !r.secluded(end), m == 0 || len(a.whole) > 4 || len(b.whole) > 8:
		return false
	case colon == 1 && isHan(r.before(r.at)) && !r.ratio(n) && measured(r.in[end:]):
		return false // 标段1:200万元
	case colon > 0:
		r.say(a.read() + "比" + b.read())
	case sep[0] != '/' || a.frac != "" || b.frac != "" || len(a.whole) > 2 || len(b.whole) > 5 || a.is("0") || strings.HasPrefix(r.in[end:], "/"):
		return false
	default:
		unit, width := unitAt(r.in[end:])
		r.say(cardinal(b.whole) + "分之" + cardinal(a.whole) + unit)
		end += width
	}
	r.at = end
	return true
}

// ratio reports whether the words around a number with a colon, n bytes long,
// say that it is no time of day.
func (r *reader) ratio(n int) bool {
	if r.mark == 0 && r.after("比例", "坡度", "坡比", "坡率", "放坡", "比例尺", "配比", "配合比", "比例为", "坡度为", "坡比为", "比为", "配比为") {
		return true
	}
	i := n + r.colon(n)
	i += r.run(i)
	return r.follows(i, "比例", "的比例", "地形图", "的地形图", "放坡", "配比")
}

// secluded reports whether only signs stand around the text from here to end.
func (r *reader) secluded(end int) bool {
	next, _ := utf8.DecodeRuneInString(r.in[end:])
	word := func(ch rune) bool { return isHan(ch) || isLatin(ch) }
	return !word(r.before(r.at)) && !word(next)
}

// dimension reads one side of a thing with 乘, all but the last of 10*20cm,
// 1200mm*600mm and 4x4m.
func (r *reader) dimension() bool {
	rest := r.rest()
	n, size := scanNumber(rest, 0)
	unit, width := unitAt(rest[size:])
	if width == 0 {
		unit, width = unitBeforeTimes(rest[size:])
	}
	tail := strings.TrimLeft(rest[size+width:], " ")
	if tail == "" || tail[0] != '*' && tail[0]|0x20 != 'x' {
		return false
	}
	side := strings.TrimLeft(tail[1:], " ")
	_, next := scanNumber(side, 0)
	if next == 0 || len(n.whole) > 6 { // a longer one is masked
		return false
	}
	if after := side[next:]; tail[0] != '*' && after != "" && isLetter(after[0]) && after[0]|0x20 != 'x' {
		if _, w := unitAt(after); w == 0 {
			if _, w = unitBeforeTimes(after); w == 0 {
				return false // 3x4AB is a code
			}
		}
	}
	r.say(n.read() + unit + "乘")
	r.at += len(rest) - len(side)
	return true
}

// unitBeforeTimes returns the unit of length before an x, as in 10mx20m.
func unitBeforeTimes(s string) (name string, size int) {
	for _, u := range [...]struct{ sign, name string }{{"mm", "毫米"}, {"cm", "厘米"}, {"m", "米"}} {
		if rest, ok := strings.CutPrefix(s, u.sign); ok && len(rest) > 1 && rest[0]|0x20 == 'x' && isDigit(rest[1]) {
			return u.name, len(u.sign)
		}
	}
	return "", 0
}

// joins says 至 after the dash at sep between two numbers, with what they count,
// dates, times or days of the week: 9:00-12:00, 3天-5天, 周一-周五.
func (r *reader) joins(sep int) bool {
	for strings.HasPrefix(r.rest(), "—") {
		r.at += len("—")
	}
	if r.mark != 0 || r.last == 0 || r.at == len(r.in) {
		return false
	}
	numbers := strings.ContainsRune(digitNames+"幺点分日月年时底初末旬", r.last) && isDigit(r.in[r.at]) && !r.coded(sep)
	if !numbers && !r.alike(sep) && !r.namesakes(sep) && !r.ordinals(sep) && !r.dayparts() {
		return false
	}
	r.say("至")
	return true
}

// coded reports whether digits of a code, after a letter, end at the offset.
func (r *reader) coded(end int) bool {
	left := strings.TrimRight(r.in[max(0, end-maxUnit):end], "0123456789")
	return left != "" && isLetter(left[len(left)-1]) && isNumeral(r.before(end))
}

const maxUnit = 12 // bytes of what is counted, between a number and a dash

// alike reports whether the numbers on both sides of the dash count the same,
// 1#楼-3#楼, or measure, 9个月-1年.
func (r *reader) alike(sep int) bool {
	if r.end == 0 || r.end >= sep || sep-r.end > maxUnit || r.mark != 0 {
		return false
	}
	unit := strings.TrimSpace(r.in[r.end:sep])
	next := strings.TrimPrefix(strings.TrimLeft(r.rest(), " "), "第")
	next = strings.TrimPrefix(next, "-")
	_, size := scanNumber(next, 0)
	if size == 0 || unit == "" {
		return false
	}
	if strings.HasPrefix(next[size:], unit) {
		return true
	}
	return measured(unit) && measured(next[size:])
}

// measured reports whether a unit or measure stands here.
func measured(s string) bool {
	_, size := unitAt(s)
	return size > 0 || counts(s)
}

// namesakes reports whether the numbers on both sides of the dash have the same
// word before them: DN300~DN1200, 附件1-附件3.
func (r *reader) namesakes(sep int) bool {
	rest := r.rest()
	word := rest[:max(strings.IndexAny(rest[:min(len(rest), maxUnit+1)], "0123456789"), 0)]
	return word != "" && strings.HasSuffix(strings.TrimRight(r.in[max(r.end-maxUnit, 0):sep], "0123456789"), word)
}

// ordinals reports whether numbers in hanzi with the same words around them stand
// on both sides of the dash: 第三章-第五章, 周一-周五.
func (r *reader) ordinals(sep int) bool {
	right := strings.TrimLeft(r.rest(), " ")
	for _, prefix := range [...]string{"第", "周", "星期", ""} {
		cut, ok := strings.CutPrefix(right, prefix)
		numerals := "一二三四五六七八九十百"
		if prefix == "周" || prefix == "星期" {
			numerals += "日天"
		}
		after := strings.TrimLeft(cut, numerals)
		if !ok || after == cut {
			continue
		}
		left := r.in[max(0, sep-2*maxUnit):sep]
		i := strings.LastIndexAny(left, numerals)
		if i < 0 {
			return false
		}
		word := left[i+hanBytes:]
		left = strings.TrimRight(left[:i+hanBytes], numerals)
		return len(word) <= maxUnit && strings.HasSuffix(left, prefix) && prefix+word != "" && strings.HasPrefix(after, word)
	}
	return false
}

// dayparts reports whether a time comes before the dash and 下午 or its like
// after it.
func (r *reader) dayparts() bool {
	return strings.ContainsRune("点分时日", r.last) && r.follows(0, "上午", "中午", "下午", "晚上", "次日", "当日", "当天", "第二天")
}

// sign reads a minus before a number where none came before it; between two
// numbers a hyphen is 至, elsewhere it pauses.
func (r *reader) sign() {
	c := r.in[r.at]
	r.at++
	before := r.before(r.at - 1)
	number := before >= '0' && before <= '9'
	_, size := scanNumber(r.in, r.at)
	apart := before == 0 || before == '：' || before < utf8.RuneSelf && !number && !isLetter(byte(before)) && before != ')' && before != '#'
	switch {
	case c == '+' && r.spaced(): // the country of a telephone number
	case c == '-' && before != ' ' && (r.alike(r.at-1) || size > 0 && isHan(before) && r.follows(size, string(before))):
		r.say("至")
	case c == '+' && (size > 0 || r.at < len(r.in) && isLetter(r.in[r.at]) && (number || isLatin(before))):
		r.say("加")
	case size > 0 && (apart || !number && r.below(size)):
		r.say("负")
	case c == '-' && r.joins(r.at-1):
	default:
		r.pause('，')
	}
}

// below reports whether a number of so many bytes is of a kind that may be
// negative after a word: a temperature, level or storey.
func (r *reader) below(size int) bool {
	_, unit := unitAt(r.in[r.at+size:])
	if strings.ContainsRune("座栋幢楼区", r.last) {
		return false
	}
	return unit > 0 || r.follows(size, "%", "‰", "层", "米", "元", "万元", "度", "摄氏度")
}
