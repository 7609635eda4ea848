package speech

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// section reads the number of a clause with its points, 3.2.1 as 三点二点一.
func (r *reader) section() bool {
	if !strings.HasPrefix(r.in[r.at+r.run(0):], ".") {
		return false
	}
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

const maxCode = 128 // bytes; a longer run is read in parts

// code reads a run of letters and digits, with hyphens, that is no quantity
// with its unit: with letters as its tail, without as digits between pauses.
func (r *reader) code() bool {
	if r.quantified() {
		return false
	}
	end, letters, digits, hyphens := r.at, 0, 0, 0
	for ; end < min(len(r.in), r.at+maxCode); end++ {
		c := r.in[end]
		joined := end+1 < len(r.in) && (isDigit(r.in[end+1]) || isLetter(r.in[end+1]))
		if c == '-' && sided(r.in[end+1:]) {
			break
		}
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
	room := r.follows(len(token), "室", "号房")
	switch {
	case letters > 0 && digits > 0:
		r.say(r.alphanumeric(token, digits))
	case letters == 0 && (hyphens > 1 || hyphens == 1 && (room || digits > 8 && !measured(r.in[end:]))):
		r.say(Digits(token))
	default:
		return false
	}
	r.at = end
	return true
}

// sided reports whether a number with a side after it stands here, as in the
// cable BV-3×2.5.
func sided(s string) bool {
	_, n := scanDigits(s[:min(len(s), maxUnit)])
	return n > 0 && (strings.HasPrefix(s[n:], "*") || strings.HasPrefix(s[n:], "×"))
}

// quantified reports whether a number, or a span of two, with its unit in signs
// stands here: 24m2, 100-200m2.
func (r *reader) quantified() bool {
	rest := r.rest()
	for range 2 {
		_, n := scanNumber(rest, 0)
		if n == 0 {
			return false
		}
		if _, width := unitAt(rest[n:]); width > 0 {
			return true
		}
		next, ok := strings.CutPrefix(rest[n:], "-")
		if !ok {
			return false
		}
		rest = next
	}
	return false
}

// alphanumeric reads a short code in full, two grades with 至 between them, and
// the tail of a long code. The number of a storey or block is a quantity.
func (r *reader) alphanumeric(token string, digits int) string {
	named := r.follows(len(token), "层", "楼", "座", "栋", "幢", "区", "地块", "户型", "#")
	if from, to, ok := strings.Cut(token, "-"); ok && plainSize(from) && plainSize(to) && strings.TrimRight(from, "0123456789") == strings.TrimRight(to, "0123456789") {
		return spellCode(from, named) + "至" + spellCode(to, named)
	}
	whole := strings.TrimLeft(token, letterSet)
	if n, size := scanNumber(whole, 0); n.frac != "" && size == len(whole) && len(token)-len(whole) <= 3 {
		return spellCode(token[:len(token)-len(whole)], false) + n.read() // PM2.5
	}
	if !plainSize(token) && !grade(token) && (len(token) > maxSpelt || len(token) > 4 && digits > 1) {
		return Tail(token)
	}
	return spellCode(token, named && plainSize(token))
}

const letterSet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// spellCode says letters and digits one by one; counted says that the number at
// the end is a quantity if it is short.
func spellCode(token string, counted bool) string {
	var b strings.Builder
	for i := range len(token) {
		c := token[i]
		if rest := token[i:]; counted && len(rest) <= 2 && rest[0] != '0' && allDigits(rest) {
			b.WriteString(cardinal(rest))
			break
		}
		switch {
		case isLetter(c):
			b.WriteString(letterName(c))
		case isDigit(c):
			b.WriteString(digitName(phoneNames, c))
		}
	}
	return b.String()
}

// grade reports whether a token is two sizes in one, as the concrete C35P8.
func grade(token string) bool {
	second := strings.LastIndexAny(token, letterSet)
	return second > 0 && len(token) <= maxSpelt && plainSize(token[:second]) && plainSize(token[second:])
}

// plainSize reports whether a token is a size or grade of the trade, DN200,
// HRB400E or AC-13C: up to three letters, up to four digits, perhaps a letter;
// or digits before one or two letters, 1080P.
func plainSize(token string) bool {
	if n := len(token) - len(strings.TrimLeft(token, "0123456789")); n > 0 && n <= 4 {
		return len(token)-n <= 2 && strings.TrimLeft(token[n:], letterSet) == "" // 1080P
	}
	rest := strings.TrimLeft(token, letterSet)
	letters := len(token) - len(rest)
	rest = strings.TrimPrefix(rest, "-")
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	rest = rest[digits:]
	return letters > 0 && letters <= 3 && digits > 0 && digits <= 4 && (rest == "" || len(rest) == 1 && isLetter(rest[0]))
}

// letters reads a word in latin letters: a code as its tail, a short one letter
// by letter; addresses of the web and long words cannot be said.
func (r *reader) letters() {
	if r.address() || r.stake() || r.numbered() || r.currency() || r.unit() || r.code() {
		return
	}
	end := r.at
	for end < len(r.in) && isLetter(r.in[end]) {
		end++
	}
	word := r.in[r.at:end]
	r.at = end
	if n := roman(word); n > 0 && (r.follows(0, "级", "类", "期", "型", "标段") || r.mark == 0 && r.after("国")) {
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

// stake reads the mark of a place along a road, K2+350, digit by digit after
// 加, and 至 before another one.
func (r *reader) stake() bool {
	k, n := r.stakeAt(0)
	if n == 0 {
		return false
	}
	rest := r.rest()
	said := spellCode(rest[:k], false) + cardinal(rest[k:k+n]) + "加" + spell(phoneNames, rest[k+n+1:k+n+4])
	end := k + n + 4
	if fine := r.run(end + 1); fine > 0 && rest[end] == '.' {
		said += "点" + spell(digitNames, rest[end+1:end+1+fine])
		end += 1 + fine
	}
	dash := len(rest[end:]) - len(strings.TrimLeft(rest[end:], "-~—"))
	if _, n := r.stakeAt(end + dash); n > 0 && dash > 0 {
		said, end = said+"至", end+dash
	}
	r.say(said)
	r.at += end
	return true
}

// stakeAt returns the sizes of the letters and kilometres of a stake at the
// offset, 0 for none.
func (r *reader) stakeAt(offset int) (letters, kilometres int) {
	rest := r.rest()[offset:]
	for letters < len(rest) && isLetter(rest[letters]) {
		letters++
	}
	if letters == 0 || letters > 3 || rest[letters-1]|0x20 != 'k' {
		return 0, 0
	}
	n := r.run(offset + letters)
	if n == 0 || !strings.HasPrefix(rest[letters+n:], "+") || r.run(offset+letters+n+1) != 3 {
		return 0, 0
	}
	return letters, n
}

// numbered says 编号 for No. before a number.
func (r *reader) numbered() bool {
	rest := r.rest()
	if len(rest) < 4 || !strings.EqualFold(rest[:3], "No.") {
		return false
	}
	if number := strings.TrimLeft(rest[3:], " "); number == "" || !isDigit(number[0]) {
		return false
	}
	r.at += len("No.")
	r.say("编号")
	return true
}

// unit says the name of a unit whose sign stands by itself.
func (r *reader) unit() bool {
	if before := r.before(r.at); before < utf8.RuneSelf && (before == '-' || before == '_' || before == '.' || isDigit(byte(before)) || isLetter(byte(before))) {
		return false
	}
	name, size := loneUnit(r.rest())
	r.say(name)
	r.at += size
	return size > 0
}

// currency reads an amount after a sign of money in letters: HK$500, RMB 300.
func (r *reader) currency() bool {
	if len(r.rest()) < 3 {
		return false
	}
	name, ok := currencies[r.rest()[:3]]
	if !ok {
		return false
	}
	start := r.at
	if r.at += 3; r.money(name) {
		return true
	}
	r.at = start
	return false
}

// roman returns the value of a Roman numeral of one to ten in letters, as in
// III级, 0 for any other word.
func roman(word string) int {
	return slices.Index([]string{"", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"}, word)
}

const maxAddress = 512 // bytes; what follows is read as text

// address skips the address of a web page or mailbox.
func (r *reader) address() bool {
	rest := r.rest()
	end := 0
	for end < len(rest) && end < maxAddress && rest[end] > ' ' && rest[end] < utf8.RuneSelf && rest[end] != ',' && rest[end] != ';' {
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
