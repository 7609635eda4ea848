package speech

import (
	"strings"
	"unicode/utf8"
)

// Text returns s as it is said: hanzi and ，。；、：？！ only, so that any voice
// reads it alike and no engine guesses. Numbers are read by what they are –
// quantity, money, date, time, telephone, document number, code – which their
// surroundings tell; a code with letters is read as 尾号 and its last digits.
// Characters that cannot be said are left out. Text(Text(s)) == Text(s).
func Text(s string) string {
	r := reader{in: plain(strings.ToValidUTF8(s, ""))}
	r.out.Grow(len(s) + len(s)/2)
	for r.at < len(r.in) {
		r.step()
	}
	if strength(r.mark) >= strength('。') && r.last != 0 {
		r.out.WriteRune(r.mark)
	}
	return r.out.String()
}

// reader walks over plain text and writes spoken text.
type reader struct {
	in   string
	at   int
	out  strings.Builder
	last rune // written last; 0 at the beginning
	mark rune // a pause that is written before the next word
}

// step reads one token.
func (r *reader) step() {
	c := r.in[r.at]
	switch {
	case isDigit(c):
		r.digits()
	case isLetter(c):
		r.letters()
	case c == '-' || c == '+':
		r.sign()
	case c == '*':
		r.stars()
	default:
		ch, size := utf8.DecodeRuneInString(r.in[r.at:])
		if isHan(ch) {
			r.han()
			return
		}
		r.at += size
		r.symbol(ch)
	}
}

// han copies a run of hanzi; 〇 is said 零.
func (r *reader) han() {
	start := r.at
	for r.at < len(r.in) {
		ch, size := utf8.DecodeRuneInString(r.in[r.at:])
		if !isHan(ch) {
			break
		}
		if ch == '〇' {
			r.say(r.in[start:r.at] + "零")
			start = r.at + size
		}
		r.at += size
	}
	r.say(r.in[start:r.at])
}

// say writes words, after the pause that is due.
func (r *reader) say(words string) {
	if words == "" {
		return
	}
	if r.mark != 0 {
		if r.last != 0 {
			r.out.WriteRune(r.mark)
		}
		r.mark = 0
	}
	r.out.WriteString(words)
	r.last, _ = utf8.DecodeLastRuneInString(words)
}

// pause notes a mark; of several in a row the strongest is written before the
// next words, and at the end of the text if it ends a sentence.
func (r *reader) pause(mark rune) {
	if strength(mark) > strength(r.mark) {
		r.mark = mark
	}
}

// symbol says a sign that has a word, or pauses.
func (r *reader) symbol(ch rune) {
	switch ch {
	case '%', '‰', '℃', '¥', '$', '°', '#', '@', '_', '^', '`', '\'', '\\', '‘', '’', '·', '《', '》', ' ':
		r.quiet(ch)
	case '&':
		r.say("和")
	case '=':
		r.say("等于")
	case '×':
		r.say("乘")
	case '÷':
		r.say("除以")
	case '±':
		r.say("正负")
	case '≥':
		r.say("不小于")
	case '≤':
		r.say("不大于")
	case '≠':
		r.say("不等于")
	case '/':
		if r.last != '元' {
			r.pause('，')
			return
		}
		r.per()
	case '<', '>':
		r.compare(ch)
	case '~', '—':
		if !r.joins() {
			r.pause('，')
		}
	default:
		r.pause(markOf(ch))
	}
}

// per says what a price is for: 3元/m2·月 is 三元每平方米每月.
func (r *reader) per() {
	name, size := unitAt(r.rest())
	r.say("每" + name)
	r.at += size
	if rest, ok := strings.CutPrefix(r.rest(), "·"); ok && size > 0 && rest != "" {
		r.say("每")
		r.at += len("·")
	}
}

// compare says the sign between a number and what it bounds; elsewhere, as
// around a name, it pauses.
func (r *reader) compare(sign rune) {
	before, _ := utf8.DecodeLastRuneInString(r.in[:r.at-1])
	digit := r.at < len(r.in) && isDigit(r.in[r.at])
	next, _ := utf8.DecodeRuneInString(r.rest())
	if !(digit && isHan(before)) && !(before >= '0' && before <= '9' && (digit || isHan(next))) {
		r.pause('，')
		return
	}
	r.say(map[rune]string{'<': "小于", '>': "大于"}[sign])
}

// joins says 至 between two numbers, dates or times: 9:00-12:00.
func (r *reader) joins() bool {
	for strings.HasPrefix(r.rest(), "—") {
		r.at += len("—")
	}
	if r.mark != 0 || !strings.ContainsRune(digitNames+"幺点分日月年时", r.last) || r.at == len(r.in) || !isDigit(r.in[r.at]) {
		return false
	}
	r.say("至")
	return true
}

// quiet handles signs that are silent on their own; before a number ¥ says 元,
// $ 美元.
func (r *reader) quiet(ch rune) {
	if ch != '¥' && ch != '$' {
		return
	}
	n, size := scanNumber(r.in, r.at)
	if size == 0 || strings.HasPrefix(r.in[r.at+size:], "万") || strings.HasPrefix(r.in[r.at+size:], "亿") {
		return
	}
	r.at += size
	if ch == '$' {
		r.say(n.read() + "美元")
		return
	}
	r.say(n.yuan())
	if strings.HasPrefix(r.in[r.at:], "元") {
		r.at += len("元")
	}
}

// sign reads a minus before a number where none came before it; between two
// numbers a hyphen is 至, elsewhere it pauses.
func (r *reader) sign() {
	c := r.in[r.at]
	r.at++
	before := byte(' ')
	if r.at > 1 {
		before = r.in[r.at-2]
	}
	_, size := scanNumber(r.in, r.at)
	apart := !isDigit(before) && !isLetter(before) && before != ')' && before < utf8.RuneSelf
	switch {
	case c == '+' && r.spaced(): // the country of a telephone number
	case size > 0 && c == '+':
		r.say("加")
	case size > 0 && (apart || r.follows(size, "%", "℃") && !isDigit(before)):
		r.say("负")
	case c == '-' && r.joins():
	default:
		r.pause('，')
	}
}

// stars reads what masking left: 王* is 王某, 138****0000 keeps its ends.
func (r *reader) stars() {
	for r.at < len(r.in) && r.in[r.at] == '*' {
		r.at++
	}
	if !r.tail() && isHan(r.last) && r.mark == 0 && !strings.ContainsRune(digitNames+"幺某", r.last) {
		r.say("某")
	}
}
