package speech

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// digits reads a token that begins with a digit, by the first form it fits.
func (r *reader) digits() {
	for _, try := range [...]func(*reader) bool{(*reader).masked, (*reader).date, (*reader).spaced, (*reader).telephone, (*reader).clock,
		(*reader).section, (*reader).code, (*reader).span, (*reader).fraction} {
		if try(r) {
			return
		}
	}
	r.quantity()
}

func (r *reader) rest() string { return r.in[r.at:] }

// follows reports whether one of the words stands at the offset from here,
// blanks left out.
func (r *reader) follows(offset int, words ...string) bool {
	s := strings.TrimLeft(r.in[r.at+offset:], " ")
	for _, w := range words {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

// after reports whether one of the words was written just now.
func (r *reader) after(words ...string) bool {
	out := r.out.String()
	for _, w := range words {
		if strings.HasSuffix(out, w) {
			return true
		}
	}
	return false
}

// run returns the length of the digits at the offset.
func (r *reader) run(offset int) int {
	n := 0
	for i := r.at + offset; i < len(r.in) && isDigit(r.in[i]); i++ {
		n++
	}
	return n
}

// masked reads digits whose middle is starred: only the end is said.
func (r *reader) masked() bool {
	n := r.run(0)
	if r.at+n >= len(r.in) || r.in[r.at+n] != '*' {
		return false
	}
	head := r.in[r.at : r.at+n]
	r.at += n
	for r.at < len(r.in) && r.in[r.at] == '*' {
		r.at++
	}
	if !r.tail() {
		r.say(spell(phoneNames, head))
	}
	return true
}

// tail reads the letters and digits after stars.
func (r *reader) tail() bool {
	end := r.at
	for end < len(r.in) && (isDigit(r.in[end]) || isLetter(r.in[end])) {
		end++
	}
	digits := spell(phoneNames, r.in[r.at:end])
	if digits == "" {
		return false
	}
	r.say("尾号" + digits)
	r.at = end
	return true
}

// small reads up to two digits within bounds at the offset.
func (r *reader) small(offset, low, high int) (value, size int) {
	for size < 2 && r.at+offset+size < len(r.in) && isDigit(r.in[r.at+offset+size]) {
		value = value*10 + int(r.in[r.at+offset+size]-'0')
		size++
	}
	if size == 0 || value < low || value > high || r.run(offset) != size {
		return 0, 0
	}
	return value, size
}

// date reads 2026-11-23, 2026/11/23, 2026.11.23 and 2026年…, and years of four
// digits; months and days of a Chinese date are quantities anyway.
func (r *reader) date() bool {
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
	if r.at+5 < len(r.in) && strings.ContainsRune("-~至", rune(r.in[r.at+4])) && r.run(5) == 4 && r.follows(9, "年", "学年") {
		r.say(spell(digitNames, year) + "至" + spell(digitNames, r.in[r.at+5:r.at+9]))
		r.at += 9
		return true
	}
	return r.isoDate(year)
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
	if r.at+1 < len(r.in) && r.in[r.at] == 'T' && isDigit(r.in[r.at+1]) {
		r.at++
		if r.clock() {
			r.zone()
		}
	}
	return true
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
	if h == 0 {
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

// called are words after which a number is one to dial or to type.
var called = []string{"电话", "电话：", "热线", "热线：", "拨打", "致电", "手机", "手机：", "手机号", "尾号", "号码", "传真", "传真：", "编号", "编号：",
	"代码", "代码：", "编码", "验证码", "邮编", "账号", "分机", "取件码", "查询码", "受理号"}

// spaced reads a mobile number written in its groups, 138 0000 1234, or with
// the country before it.
func (r *reader) spaced() bool {
	end, groups := r.at, []string{}
	for len(groups) < 5 {
		n := r.run(end - r.at)
		if n == 0 {
			break
		}
		groups = append(groups, r.in[end:end+n])
		if end += n; end+1 >= len(r.in) || r.in[end] != ' ' && r.in[end] != '-' || !isDigit(r.in[end+1]) {
			break
		}
		end++
	}
	abroad := len(groups) > 1 && groups[0] == "86"
	if abroad {
		groups = groups[1:]
	}
	digits := strings.Join(groups, "")
	mobile := len(digits) == 11 && digits[0] == '1' && digits[1] >= '3'
	if len(groups) < 2 && !abroad || !(mobile && (len(groups) == 1 || len(groups[0]) == 3)) && !(abroad && len(digits) > 8) {
		return false
	}
	for i, g := range groups {
		groups[i] = spell(phoneNames, g)
	}
	r.say(strings.Join(groups, "，"))
	r.at = end
	return true
}

// section reads the number of a clause with its points, 3.2.1 as 三点二点一.
func (r *reader) section() bool {
	end, parts := r.at, []string{}
	for {
		n := r.run(end - r.at)
		if n == 0 || n > 3 {
			return false
		}
		parts = append(parts, cardinal(r.in[end:end+n]))
		if end += n; end+1 >= len(r.in) || r.in[end] != '.' || !isDigit(r.in[end+1]) {
			break
		}
		end++
	}
	if len(parts) < 3 {
		return false
	}
	r.say(strings.Join(parts, "点"))
	r.at = end
	return true
}

// telephone reads numbers to dial digit by digit, 1 as 幺.
func (r *reader) telephone() bool {
	n := r.run(0)
	digits := r.in[r.at : r.at+n]
	end := r.at + n
	said := ""
	switch {
	case r.follows(n, "%", "年", "月", "号楼") || counts(r.in[end:]) || end < len(r.in) && r.in[end] == '.' && r.run(n+1) > 0:
		return false
	case digits[0] == '0' && (n == 3 || n == 4) && end < len(r.in) && r.in[end] == '-' && (r.run(n+1) == 7 || r.run(n+1) == 8):
		said = spell(phoneNames, digits) + "，"
		rest := r.run(n + 1)
		said += spell(phoneNames, r.in[end+1:end+1+rest])
		end += 1 + rest
	case n == 11 && digits[0] == '1' && digits[1] >= '3', n == 5 && digits[:3] == "123",
		(n == 11 || n == 12) && digits[0] == '0':
		said = spell(phoneNames, digits)
	case n == 3 && (digits == "400" || digits == "800") && end < len(r.in) && r.in[end] == '-':
		for end < len(r.in) && (isDigit(r.in[end]) || r.in[end] == '-' && end+1 < len(r.in) && isDigit(r.in[end+1])) {
			end++
		}
		said = spell(phoneNames, r.in[r.at:end])
	case n >= 3 && r.mark == 0 && r.after(called...) || n >= 3 && r.mark == '：' && r.after(called...):
		said = spell(phoneNames, digits)
		for end < len(r.in) && r.in[end] == '-' && end+1 < len(r.in) && isDigit(r.in[end+1]) {
			more := r.run(end + 1 - r.at)
			said += "，" + spell(phoneNames, r.in[end+1:end+1+more])
			end += 1 + more
		}
	default:
		return false
	}
	if end < len(r.in) && isLetter(r.in[end]) {
		return false
	}
	r.say(said)
	r.at = end
	return true
}

// code reads a run of letters and digits, with hyphens, that is no quantity
// with its unit: with letters as its tail, without as digits between pauses.
func (r *reader) code() bool {
	end, letters, digits, hyphens := r.at, 0, 0, 0
	for ; end < len(r.in); end++ {
		c := r.in[end]
		joined := end+1 < len(r.in) && (isDigit(r.in[end+1]) || isLetter(r.in[end+1]))
		if isLetter(c) {
			letters++
		} else if isDigit(c) {
			digits++
		} else if joined && (c == '-' || c == '_') {
			hyphens++
		} else if !joined || c != '.' || letters == 0 {
			break
		}
	}
	token := r.in[r.at:end]
	switch {
	case letters > 0 && digits > 0 && !r.unitFollows():
		r.say(alphanumeric(token, digits))
	case letters == 0 && (hyphens > 1 || hyphens == 1 && digits > 8):
		r.say(Digits(token))
	default:
		return false
	}
	r.at = end
	return true
}

// alphanumeric reads a short code in full and the tail of a long one.
func alphanumeric(token string, digits int) string {
	if len(token) > maxSpelt || len(token) > 4 && digits > 1 && !plainSize(token) {
		return Tail(token)
	}
	var b strings.Builder
	for i := range len(token) {
		switch c := token[i]; {
		case isLetter(c):
			b.WriteString(letterName(c))
		case isDigit(c):
			b.WriteString(digitName(phoneNames, c))
		}
	}
	return b.String()
}

// plainSize reports whether a token is a size of the trade, DN200 or M250: up to
// two letters, then up to four digits.
func plainSize(token string) bool {
	letters := 0
	for letters < len(token) && isLetter(token[letters]) {
		letters++
	}
	return letters > 0 && letters <= 2 && len(token)-letters <= 4 && allDigits(token[letters:])
}

// unitFollows reports whether the number here is followed by a unit in latin
// letters, as 24m2 or 10kV.
func (r *reader) unitFollows() bool {
	_, size := scanNumber(r.in, r.at)
	_, n := unitAt(r.in[r.at+size:])
	return size > 0 && n > 0
}

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
	_, second := scanNumber(r.in, i+width)
	if second == 0 {
		return false
	}
	if percent || i+width+second < len(r.in) && r.in[i+width+second] == '%' {
		r.say("百分之" + n.read() + "至")
	} else {
		r.say(n.read() + "至")
	}
	r.at = i + width
	return true
}

// fraction reads 1/3 as 三分之一 and 3:2 as 三比二.
func (r *reader) fraction() bool {
	a, n := r.small(0, 1, 99)
	if n == 0 || r.at+n >= len(r.in) || r.in[r.at+n] != '/' && r.in[r.at+n] != ':' || r.run(n+1) == 0 || r.run(n+1) > 4 {
		return false
	}
	size := r.run(n + 1)
	b := r.in[r.at+n+1 : r.at+n+1+size]
	if r.in[r.at+n] == ':' {
		r.say(Cardinal(int64(a)) + "比" + cardinal(b))
	} else if next := r.at + n + 1 + size; next < len(r.in) && r.in[next] == '/' {
		return false
	} else {
		r.say(cardinal(b) + "分之" + Cardinal(int64(a)))
	}
	r.at += n + 1 + size
	return true
}

// letters reads a word in latin letters: a code as its tail, a short one letter
// by letter; addresses of the web and long words cannot be said.
func (r *reader) letters() {
	if r.address() || r.code() {
		return
	}
	end := r.at
	for end < len(r.in) && isLetter(r.in[end]) {
		end++
	}
	word := r.in[r.at:end]
	r.at = end
	if n := roman(word); n > 0 && r.follows(0, "级", "类", "期", "型", "标段") {
		r.say(Cardinal(int64(n)))
		return
	}
	if len(word) > maxSpelt {
		r.pause('，')
		return
	}
	var b strings.Builder
	for i := range len(word) {
		b.WriteString(letterName(word[i]))
	}
	r.say(b.String())
}

const maxSpelt = 6

// roman returns the value of a Roman numeral of one to ten in letters, as in
// III级, 0 for any other word.
func roman(word string) int {
	return slices.Index([]string{"", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"}, word)
}

// address skips the address of a web page or mailbox.
func (r *reader) address() bool {
	rest := r.rest()
	end := 0
	for end < len(rest) && rest[end] > ' ' && rest[end] < utf8.RuneSelf && rest[end] != ',' && rest[end] != ';' {
		end++
	}
	word := strings.ToLower(rest[:end])
	switch {
	case strings.Contains(word, "://"), strings.HasPrefix(word, "www."):
		r.say("网址见公告原文")
	case strings.Contains(word, "@") && strings.Contains(word, "."):
		r.say("邮箱见公告原文")
	default:
		return false
	}
	r.at += end
	return true
}
