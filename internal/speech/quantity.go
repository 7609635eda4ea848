package speech

import (
	"strings"
	"unicode/utf8"
)

// amount is a number with the multiple that follows it, 3万 or 2千.
type amount struct {
	number
	scale string
}

// scales are the multiples, longest first.
var scales = []string{"万亿", "千万", "百万", "万", "亿", "千", "百"}

// amountAt reads a number and its multiple; zeros after the point say nothing
// before a multiple. It returns the bytes of the number and of the whole.
func amountAt(s string) (a amount, number, size int) {
	a.number, number = scanNumber(s, 0)
	tail := strings.TrimLeft(s[number:], " ")
	if number == 0 || tail == "" || tail[0] < utf8.RuneSelf {
		return a, number, number
	}
	for _, scale := range scales {
		if rest, ok := strings.CutPrefix(tail, scale); ok {
			next, _ := utf8.DecodeRuneInString(rest)
			if scale == "千" && strings.ContainsRune("克米瓦伏帕卡焦赫牛兆字升", next) || scale == "百" && strings.ContainsRune("分货", next) {
				break // of a unit or a word
			}
			a.scale, a.frac = scale, strings.TrimRight(a.frac, "0")
			break
		}
	}
	if a.scale == "" {
		return a, number, number
	}
	return a, number, len(s) - len(tail) + len(a.scale)
}

// exact drops the point of a number whose decimals, two or more, are zeros.
func (a amount) exact() amount {
	if len(a.frac) > 1 && strings.Trim(a.frac, "0") == "" {
		a.frac = ""
	}
	return a
}

// read says an amount; counted says that a lone 2 is 两.
func (a amount) read(counted bool) string {
	if counted && a.is("2") {
		return "两" + a.scale
	}
	return a.number.read() + a.scale
}

// quantity reads a number with what it counts.
func (r *reader) quantity() {
	a, number, size := amountAt(r.rest())
	tail := r.rest()[size:]
	ordinal := r.mark == 0 && r.last == '第'
	r.end = r.at + number
	r.at += size
	power, raised := powerAt(tail)
	switch {
	case raised > 0:
		unit, width := unitAt(tail[raised:])
		r.say(a.number.read() + power + unit)
		r.at += raised + width
	case !ordinal && a.scale == "" && r.follows(0, "元"):
		r.say(a.yuan())
		r.at += strings.Index(tail, "元") + len("元")
	case strings.HasPrefix(tail, "%"):
		r.say("百分之" + a.exact().number.read())
		r.at++
	case strings.HasPrefix(tail, "‰"):
		r.say("千分之" + a.number.read())
		r.at += len("‰")
	case a.scale == "" && a.frac == "" && plainRun(a.whole, tail):
		r.say(spell(phoneNames, a.whole))
	default:
		unit, width := unitAt(tail)
		if width > 0 || counts(tail) {
			a = a.exact()
		}
		r.say(a.read(!ordinal && (a.scale != "" || width > 0 && unit != "层" || r.pair(tail))) + unit)
		r.at += width
	}
}

// powerAt reads the exponent of 10^-4, 的负四次方.
func powerAt(s string) (said string, size int) {
	rest, ok := strings.CutPrefix(s, "^")
	if !ok {
		return "", 0
	}
	digits, negative := strings.CutPrefix(rest, "-")
	n := len(digits) - len(strings.TrimLeft(digits, "0123456789"))
	if n == 0 {
		return "", 0
	}
	said = cardinal(digits[:n]) + "次方"
	if negative {
		said = "负" + said
	}
	return "的" + said, len(s) - len(digits) + n
}

// currencies are the signs of money before an amount.
var currencies = map[string]string{"¥": "元", "RMB": "元", "CNY": "元", "$": "美元", "US$": "美元", "USD": "美元", "HK$": "港元", "HKD": "港元", "€": "欧元", "EUR": "欧元", "£": "英镑"}

// money reads the amount after the sign of a currency, to which r.at points:
// ¥350万元 as 三百五十万元.
func (r *reader) money(name string) bool {
	blank := len(r.rest()) - len(strings.TrimLeft(r.rest(), " "))
	a, number, size := amountAt(r.rest()[blank:])
	if size == 0 {
		return false
	}
	r.end = r.at + blank + number
	r.at += blank + size
	if name == "元" && a.scale == "" {
		r.say(a.yuan())
	} else {
		r.say(a.read(true) + name)
	}
	for _, again := range []string{name, "元"} {
		if rest, ok := strings.CutPrefix(r.rest(), again); ok {
			r.at = len(r.in) - len(rest)
			break
		}
	}
	return true
}

// plainRun reports whether digits without separators are a number to recognise,
// not a quantity: they begin with 0, name a room, or are long without being
// round or counted.
func plainRun(digits, tail string) bool {
	switch {
	case len(digits) > 1 && digits[0] == '0':
		next, _ := utf8.DecodeRuneInString(tail)
		return len(digits) > 3 || tail == "" || !strings.ContainsRune("号#月日时点分秒天标包地′″", next)
	case len(digits) >= 3 && (strings.HasPrefix(tail, "室") || strings.HasPrefix(tail, "房")):
		return true
	case len(digits) > maxCardinal:
		return true
	case len(digits) < 7 || counts(tail):
		return false
	}
	if _, n := unitAt(tail); n > 0 {
		return false
	}
	return len(digits)-len(strings.TrimRight(digits, "0")) < len(digits)/2
}
