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
	end  int  // of the last number in the text, without what it counts
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
	case '%', '‰', '℃', '°', '_', '^', '`', '\'', '\\', '‘', '’', '·', '《', '》', ' ':
		// silent on their own
	case '¥', '$', '€', '£':
		r.money(currencies[string(ch)])
	case '#':
		r.hash()
	case '@':
		if r.run(0) > 0 && isNumeral(r.before(r.at-1)) {
			r.say("间距") // of bars, Φ12@200
		}
	case '★', '▲':
		r.star(ch)
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
		if !r.per() {
			r.pause('，')
		}
	case '<', '>':
		r.compare(ch)
	case '~', '—':
		if !r.joins(r.at - utf8.RuneLen(ch)) {
			r.pause('，')
		}
	default:
		if n := enclosed(ch); n > 0 {
			r.item(n, r.at-utf8.RuneLen(ch))
			return
		}
		r.pause(markOf(ch))
	}
}

// opens and closes report whether what follows < or comes before > is a name
// between both, <b> or <1>.
func opens(s string) bool {
	return strings.HasPrefix(strings.TrimLeft(s, letterSet+"0123456789/"), ">")
}

func closes(s string) bool {
	return strings.HasSuffix(strings.TrimRight(s, letterSet+"0123456789/"), "<")
}

// per says what a number or a price is for: 50万吨/年 is 五十万吨每年. Any word
// may follow 元; after another unit only what things are counted by does.
func (r *reader) per() bool {
	said, size := perAt(r.in[r.at-1:])
	what := r.in[min(r.end, r.at-1) : r.at-1]
	counted := r.mark == 0 && r.end > 0 && len(what) <= maxUnit && (allHan(what) || what == "%" || what == "‰")
	price := r.mark == 0 && (r.last == '元' || r.before(r.at-1) == '元' || what == "" && strings.ContainsRune("角分", r.last))
	switch {
	case size > 0 && (counted || price || r.mark == 0 && r.last == '吨'):
		r.say(said)
		r.at += size - 1
	case price:
		r.say("每")
	default:
		return false
	}
	return true
}

func allHan(s string) bool {
	return !strings.ContainsFunc(s, func(ch rune) bool { return !isHan(ch) })
}

// item says the number of a list, ①, apart from what it numbers; 第①项 and ①号
// are names.
func (r *reader) item(n int64, at int) {
	named := r.before(at) == '第'
	if !named && isHan(r.last) && strings.ContainsRune(digitNames+"十", r.last) {
		r.pause('，')
	}
	r.say(Cardinal(n))
	if !named && !r.follows(0, "号", "类", "级", "栋", "幢") {
		r.pause('，')
	}
}

// hash says the number of a building or machine: 3#楼 and #3楼 are 三号楼.
func (r *reader) hash() {
	before := r.before(r.at - 1)
	n := r.run(0)
	switch {
	case n == 0 && !isNumeral(before) && !isLatin(before) && (r.follows(0, "键", "号") || r.mark == 0 && r.after("按", "以")):
		r.say("井")
		if !r.follows(0, "号") {
			r.say("号")
		}
	case isNumeral(before), n == 0 && isLatin(before):
		if !r.follows(0, "号") {
			r.say("号")
		}
	case n > 0 && !r.follows(n, "年"):
		r.say(cardinal(r.in[r.at : r.at+n]))
		if r.at += n; !r.follows(0, "号") {
			r.say("号")
		}
	}
}

// star says the sign of clauses that must be met where the text speaks of it, as
// 带★条款; at the head of such a clause it is silent.
func (r *reader) star(sign rune) {
	if !r.spokenOf(r.at - utf8.RuneLen(sign)) {
		return
	}
	r.say(map[rune]string{'★': "星号", '▲': "三角号", '*': "星号"}[sign])
	if r.follows(0, "号") {
		r.at += strings.Index(r.rest(), "号") + len("号")
	}
}

// spokenOf reports whether the sign between the offset and here is named rather
// than used: a verb of marking or an opening quote stands before it, or 号 after.
func (r *reader) spokenOf(start int) bool {
	text := r.in[:start]
	for _, w := range []string{"带", "带有", "打", "标", "标注", "标有", "标记", "注", "注有", "加注", "含", "按", "“", "\"", "‘", "（", "("} {
		if strings.HasSuffix(text, w) {
			next, _ := utf8.DecodeRuneInString(r.rest())
			return isHan(next) || w == "按" || strings.ContainsRune("”\"’）)", next)
		}
	}
	return r.follows(0, "号", "键") || !isHan(r.before(start)) && r.follows(0, "为", "表示", "代表")
}

// compare says the sign between a number and what it bounds; elsewhere, as
// around a name, it pauses.
func (r *reader) compare(sign rune) {
	if strings.HasPrefix(r.rest(), "=") {
		r.at++
		r.say(map[rune]string{'<': "不大于", '>': "不小于"}[sign])
		return
	}
	before := r.before(r.at - 1)
	_, size := scanNumber(r.in, r.at)
	next, _ := utf8.DecodeRuneInString(r.rest())
	word := isHan(before) || isLatin(before)
	left := isNumeral(before) && (size > 0 || isHan(next) || isLatin(next))
	if sign == '<' && opens(r.in[r.at:]) || sign == '>' && closes(r.in[max(0, r.at-1-maxUnit):r.at-1]) {
		r.pause('，')
		return
	}
	bare := before < utf8.RuneSelf && !isNumeral(before) || isMark(before) || before == '（'
	if !left && (size == 0 || !word && !bare) {
		r.pause('，')
		return
	}
	r.say(map[rune]string{'<': "小于", '>': "大于"}[sign])
}
