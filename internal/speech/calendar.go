package speech

import (
	"strings"
	"unicode/utf8"
)

// date reads 2026-11-23, 2026/11/23, 2026.11.23 and 2026年…, and years of four
// digits; months and days of a Chinese date are quantities anyway.
func (r *reader) date() bool {
	if r.run(0) == 2 && r.follows(2, "年") && r.run(2+len("年")) > 0 && r.follows(2+len("年")+r.run(2+len("年")), "月") {
		r.say(spell(digitNames, r.in[r.at:r.at+2])) // 26年11月
		r.at += 2
		return true
	}
	if r.run(0) != 4 || r.in[r.at] == '0' {
		return false
	}
	year := r.in[r.at : r.at+4]
	if r.follows(4, "年") && !r.follows(4, "年限", "年期") && (year[0] == '1' || year[0] == '2') {
		r.at += 4
		r.say(spell(digitNames, year))
		return true
	}
	if r.bracketedYear(year) {
		return true
	}
	return r.years(year) || r.isoDate(year) || r.yearMonth(year)
}

// years reads 2026-2027学年, and two years of one decade by themselves.
func (r *reader) years(year string) bool {
	for _, sep := range [...]string{"-", "~", "/", "——", "—", "至"} {
		if n := 4 + len(sep); strings.HasPrefix(r.in[r.at+4:], sep) && r.run(n) == 4 && (r.follows(n+4, "年", "学年") || r.decade(year, n)) {
			r.say(spell(digitNames, year) + "至" + spell(digitNames, r.in[r.at+n:r.at+n+4]))
			r.at += n + 4
			return true
		}
	}
	return false
}

// decade reports whether the four digits at the offset are a year at most ten
// after the other, and no number that measures or goes on.
func (r *reader) decade(year string, offset int) bool {
	to, tail := r.in[r.at+offset:r.at+offset+4], r.in[r.at+offset+4:]
	apart := 10*(int(to[2])-int(year[2])) + int(to[3]) - int(year[3])
	return year[:2] == "20" && to[:2] == "20" && apart > 0 && apart <= 10 && !measured(tail) && !continues(tail) && !r.dialled()
}

// yearMonth reads 2026-11 and 2026.11 where that is neither a number that
// measures nor part of a code.
func (r *reader) yearMonth(year string) bool {
	if year[:2] != "19" && year[:2] != "20" || r.run(5) != 2 || !strings.ContainsRune("-/.", rune(r.in[r.at+4])) {
		return false
	}
	month, _ := r.small(5, 1, 12)
	tail := r.in[r.at+7:]
	switch {
	case month == 0, measured(tail), r.follows(7, "号", "%", "‰", "标段", "包"), continues(tail):
		return false
	case r.after("约"), r.mark == 0 && r.after(called...):
		return false
	}
	r.say(Year(year) + Cardinal(int64(month)) + "月")
	r.at += 7
	return true
}

// bracketedYear reads the year of a document number, 〔2024〕5号, between pauses,
// and any other year in brackets.
func (r *reader) bracketedYear(year string) bool {
	if r.at == 0 {
		return false
	}
	open, _ := utf8.DecodeLastRuneInString(r.in[:r.at])
	shut, size := utf8.DecodeRuneInString(r.in[r.at+4:])
	if !strings.ContainsRune("〔[【(（", open) || !strings.ContainsRune("〕]】)）", shut) || year[0] > '2' {
		return false
	}
	n := r.at + 4 + size
	if strings.HasPrefix(r.in[n:], "第") {
		n += len("第")
	}
	digits := r.run(n - r.at)
	if digits == 0 || !strings.HasPrefix(r.in[n+digits:], "号") {
		r.say(spell(digitNames, year))
		r.at += 4
		return true
	}
	r.say(Year(year))
	r.pause('，')
	r.say(cardinal(r.in[n : n+digits]))
	r.at = n + digits
	return true
}

func (r *reader) isoDate(year string) bool {
	if r.at+4 >= len(r.in) || !strings.ContainsRune("-/.", rune(r.in[r.at+4])) {
		return false
	}
	sep := r.in[r.at+4]
	month, m := r.small(5, 1, 12)
	if m == 0 || r.at+5+m >= len(r.in) || r.in[r.at+5+m] != sep {
		return false
	}
	day, d := r.small(6+m, 1, 31)
	end := 6 + m + d
	if d == 0 || r.at+end < len(r.in) && (r.in[r.at+end] == sep || isLetter(r.in[r.at+end]) && r.in[r.at+end] != 'T') {
		return false
	}
	r.say(Year(year) + Cardinal(int64(month)) + "月" + Cardinal(int64(day)) + "日")
	r.at += end
	if rest, ok := strings.CutPrefix(r.rest(), "日"); ok && !strings.HasPrefix(rest, "历") && !strings.HasPrefix(rest, "期") {
		r.at += len("日")
	}
	r.until(sep)
	if r.at+1 < len(r.in) && r.in[r.at] == 'T' && isDigit(r.in[r.at+1]) {
		r.at++
		if r.clock() {
			r.zone()
		}
	}
	return true
}

// continues reports whether a code that ends before s goes on in it.
func continues(s string) bool {
	if s == "" || isLetter(s[0]) {
		return s != ""
	}
	return len(s) > 1 && strings.IndexByte("-_/.*#", s[0]) >= 0 && (isDigit(s[1]) || isLetter(s[1]))
}

// until reads the end of a span of dates without its year: 2026.11.27-12.3.
func (r *reader) until(sep byte) {
	dash := 0
	for _, d := range [...]string{"~", "——", "—", "-"} {
		if strings.HasPrefix(r.rest(), d) && d[0] != sep {
			dash = len(d)
			break
		}
	}
	month, m := r.small(dash, 1, 12)
	if dash == 0 || m == 0 || !strings.HasPrefix(r.rest()[dash+m:], string(sep)) {
		return
	}
	day, d := r.small(dash+m+1, 1, 31)
	end := dash + m + 1 + d
	if d == 0 || end < len(r.rest()) && (r.rest()[end] == sep || isLetter(r.rest()[end])) {
		return
	}
	r.say("至" + Cardinal(int64(month)) + "月" + Cardinal(int64(day)) + "日")
	r.at += end
}

// zone skips the zone of an RFC 3339 instant: every time is of Shanghai.
func (r *reader) zone() {
	rest := r.rest()
	switch {
	case strings.HasPrefix(rest, "Z"):
		r.at++
	case len(rest) >= 6 && (rest[0] == '+' || rest[0] == '-') && allDigits(rest[1:3]) && rest[3] == ':' && allDigits(rest[4:6]):
		r.at += 6
	}
}

// clock reads 9:30 and 9:30:15.
func (r *reader) clock() bool {
	hour, h := r.small(0, 0, 24)
	if h == 0 || r.ratio(h) {
		return false
	}
	at := h + r.colon(h)
	minute, m := r.small(at, 0, 59)
	if at == h || m != 2 {
		return false
	}
	said, end := Clock(hour, minute), at+2
	if c := r.colon(end); c > 0 {
		if sec, size := r.small(end+c, 0, 59); size == 2 {
			end += c + 2
			said += seconds(minute, sec)
		}
	}
	r.say(said)
	r.at += end
	if minute > 0 && strings.HasPrefix(r.rest(), "分") && counts(r.rest()) {
		r.at += len("分") // 10:30分
	}
	if r.follows(0, "时") && !r.follows(0, "时间", "时许", "时段") {
		r.at += strings.Index(r.rest(), "时") + len("时")
	}
	return true
}

// minutes reads those of 9时05分, and says nothing of 00分 and 00秒.
func (r *reader) minutes() bool {
	if r.run(0) != 2 || r.in[r.at] != '0' || r.mark != 0 {
		return false
	}
	switch zero := r.in[r.at+1] == '0'; {
	case zero && (strings.ContainsRune("时点", r.last) && r.follows(2, "分") || r.last == '分' && r.follows(2, "秒")):
		r.at += 2
		_, size := utf8.DecodeRuneInString(strings.TrimLeft(r.rest(), " "))
		r.at += len(r.rest()) - len(strings.TrimLeft(r.rest(), " ")) + size
	case strings.ContainsRune("时点", r.last) && r.follows(2, "分"):
		r.say(spell(digitNames, r.in[r.at:r.at+2]))
		r.at += 2
	default:
		return false
	}
	return true
}

func seconds(minute, sec int) string {
	switch {
	case sec == 0:
		return ""
	case minute == 0:
		return "零分" + Cardinal(int64(sec)) + "秒"
	}
	return Cardinal(int64(sec)) + "秒"
}

// colon returns the width of a colon at the offset, 0 for none.
func (r *reader) colon(offset int) int {
	switch rest := r.in[min(r.at+offset, len(r.in)):]; {
	case strings.HasPrefix(rest, ":"):
		return 1
	case strings.HasPrefix(rest, "："):
		return len("：")
	}
	return 0
}
