package speech

import (
	"strings"
)

// groupUnits are the names of groups of four digits.
var groupUnits = [...]string{"", "万", "亿", "万亿"}

const maxCardinal = 16 // digits; longer ones are read digit by digit

// Cardinal reads a whole number as a quantity: 两百, 一千零一, 十二. A leading 2
// before 百, 千, 万 and 亿 is 两; alone and in 二十 it is 二.
func Cardinal(n int64) string {
	if n < 0 {
		return "负" + cardinal(strings.TrimPrefix(itoa(n), "-"))
	}
	return cardinal(itoa(n))
}

func itoa(n int64) string {
	var b [20]byte
	i := len(b)
	neg := n < 0
	for {
		i--
		d := n % 10
		if d < 0 {
			d = -d
		}
		b[i] = byte('0' + d)
		if n /= 10; n == 0 {
			break
		}
	}
	if neg {
		i--
		b[i] = '-'
	}
	return string(b[i:])
}

// cardinal reads a string of digits.
func cardinal(digits string) string {
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return "零"
	}
	if len(digits) > maxCardinal {
		return spell(digitNames, digits)
	}
	var b strings.Builder
	first := true
	gap := false // a zero was passed and is to be said before the next digit
	for len(digits) > 0 {
		group := (len(digits) - 1) / 4
		size := len(digits) - group*4
		part := digits[:size]
		digits = digits[size:]
		if strings.Trim(part, "0") == "" {
			gap = true
			continue
		}
		if !first && (gap || part[0] == '0') {
			b.WriteString("零")
		}
		fourDigits(&b, strings.TrimLeft(part, "0"), first, group > 0)
		unit := groupUnits[group]
		if group == 3 && strings.Trim(digits[:4], "0") != "" {
			unit = "万" // 一万二千亿: the 亿 follows with the next group
		}
		b.WriteString(unit)
		first, gap = false, false
	}
	return b.String()
}

// fourDigits reads up to four digits without leading zeros. The tens of the very
// first group are 十, not 一十. counted says that 万 or 亿 follows.
func fourDigits(b *strings.Builder, part string, first, counted bool) {
	whole := part
	for i := 0; i < len(part); i++ {
		place := len(part) - 1 - i
		d := part[i]
		if d == '0' {
			if strings.Trim(part[i:], "0") == "" {
				return
			}
			if part[i-1] != '0' {
				b.WriteString("零")
			}
			continue
		}
		switch {
		case place == 1 && d == '1' && first && i == 0:
		case d == '2' && first && i == 0 && (place >= 2 || counted && whole == "2"):
			b.WriteString("两")
		default:
			b.WriteString(digitName(digitNames, d))
		}
		b.WriteString([...]string{"", "十", "百", "千"}[place])
	}
}

// Decimal reads a decimal number such as "-0.05": the whole part as a quantity,
// the rest digit by digit after 点. Separators between thousands are skipped.
// Text that is no such number is read by Text.
func Decimal(s string) string {
	t := strings.TrimPrefix(s, "-")
	n, size := scanNumber(t, 0)
	if size == 0 || size != len(t) {
		return Text(s)
	}
	if t != s {
		return "负" + n.read()
	}
	return n.read()
}

// number is a literal without its separators.
type number struct {
	whole, frac string // digits; frac is "" without a point
}

func (n number) read() string {
	if n.frac == "" {
		return cardinal(n.whole)
	}
	return cardinal(n.whole) + "点" + spell(digitNames, n.frac)
}

func (n number) is(digit string) bool { return n.whole == digit && n.frac == "" }

// scanNumber reads a literal that starts at i: digits, groups of three after
// commas, and a point with digits. It returns the bytes it took, 0 for none.
func scanNumber(s string, i int) (number, int) {
	start := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == start {
		return number{}, 0
	}
	n := number{whole: s[start:i]}
	if len(n.whole) <= 3 {
		n.whole, i = grouped(s, n.whole, i)
	}
	if i+1 < len(s) && s[i] == '.' && isDigit(s[i+1]) {
		end := i + 1
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		if end == len(s) || s[end] != '.' { // 1.2.3 is no number
			n.frac, i = s[i+1:end], end
		}
	}
	return n, i - start
}

// grouped adds the groups of three that follow a comma at i. A full-width comma
// parts sentences too, so it counts only if the whole measures something.
func grouped(s, whole string, i int) (digits string, end int) {
	digits, end, wide := whole, i, false
	for len(digits) < maxCardinal {
		width := 0
		if strings.HasPrefix(s[end:], ",") {
			width = 1
		} else if strings.HasPrefix(s[end:], "，") {
			width, wide = len("，"), true
		}
		next := end + width + 3
		if width == 0 || next > len(s) || !allDigits(s[end+width:next]) || next < len(s) && isDigit(s[next]) {
			break
		}
		digits, end = digits+s[end+width:next], next
	}
	if !wide || end == i {
		return digits, end
	}
	tail := s[end:]
	if _, unit := unitAt(tail); whole[0] == '0' || unit == 0 && !counts(tail) && (len(tail) < 2 || tail[0] != '.' || !isDigit(tail[1])) {
		return whole, i
	}
	return digits, end
}

// Yuan reads an amount in 元 as people say it: round amounts in 万 or 亿, others
// to 角 and 分. s is decimal 元 such as "1234567.89".
func Yuan(s string) string {
	n, size := scanNumber(s, 0)
	if size == 0 || size != len(s) {
		return Text(s)
	}
	return n.yuan()
}

func (n number) yuan() string {
	whole := strings.TrimLeft(n.whole, "0")
	cents := n.frac
	if len(cents) > 2 && strings.Trim(cents[2:], "0") != "" || len(cents) == 1 && cents != "0" && len(whole) < 5 {
		return n.read() + "元" // 13.5元 as it stands, or a price finer than 分
	}
	cents = (cents + "00")[:2]
	if cents == "00" {
		if short, ok := round(whole); ok {
			return short + "元"
		}
	}
	var b strings.Builder
	if whole != "" {
		if whole == "2" {
			b.WriteString("两元")
		} else {
			b.WriteString(cardinal(whole) + "元")
		}
	}
	if cents[0] != '0' {
		b.WriteString(digitName(digitNames, cents[0]) + "角")
	} else if whole != "" && cents[1] != '0' {
		b.WriteString("零")
	}
	if cents[1] != '0' {
		b.WriteString(digitName(digitNames, cents[1]) + "分")
	}
	if b.Len() == 0 {
		return "零元"
	}
	return b.String()
}

// round says a whole number in 亿 or 万 if it has at most two decimals there and
// is not shorter in full.
func round(whole string) (string, bool) {
	for _, unit := range []struct {
		name   string
		digits int
	}{{"亿", 8}, {"万", 4}} {
		if len(whole) <= unit.digits || len(whole) > maxCardinal || unit.name == "万" && len(whole) > 8 {
			continue // nobody says 一万八千五百六十万 for 一亿八千五百六十万
		}
		at := len(whole) - unit.digits
		frac := strings.TrimRight(whole[at:], "0")
		if len(frac) > 2 {
			continue
		}
		n := number{whole: whole[:at], frac: frac}
		if n.is("2") {
			return "两" + unit.name, true
		}
		return n.read() + unit.name, true
	}
	return "", false
}

// Percent reads "6.3" as 百分之六点三.
func Percent(s string) string {
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		return "负" + Percent(rest)
	}
	return "百分之" + Decimal(s)
}

// Year reads a year digit by digit: 二零二六年.
func Year(digits string) string { return spell(digitNames, digits) + "年" }

// Clock reads the time of day: 九点三十分, 两点零二分, 十二点.
func Clock(hour, minute int) string {
	h := Cardinal(int64(hour))
	if hour == 2 {
		h = "两"
	}
	switch {
	case minute == 0:
		return h + "点"
	case minute < 10:
		return h + "点零" + Cardinal(int64(minute)) + "分"
	}
	return h + "点" + Cardinal(int64(minute)) + "分"
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return len(s) > 0
}
