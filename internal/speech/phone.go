package speech

import (
	"strings"
)

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

// called are words after which a number is one to dial or to type.
var called = []string{"电话", "电话：", "热线", "热线：", "拨打", "致电", "手机", "手机：", "手机号", "尾号", "号码", "传真", "传真：", "编号", "编号：",
	"代码", "代码：", "编码", "验证码", "邮编", "账号", "账户", "账户：", "卡号", "卡号：", "邮编：", "邮政编码：", "账号：", "分机", "转", "取件码", "查询码", "受理号"}

// spaced reads a telephone number written in its groups, 138 0000 1234 or
// 0515-8888 0001, or with the country before it.
func (r *reader) spaced() bool {
	if n := r.run(0); !strings.HasPrefix(r.in[r.at+n:], "-") && !strings.HasPrefix(r.in[r.at+n:], " ") {
		return false
	}
	end, groups := r.at, []string{}
	for len(groups) < 8 {
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
	if !abroad && (len(groups) < 2 || !grouping(groups, digits) && !r.dialled() && !(r.areaBefore() && len(digits) >= 7)) || abroad && len(digits) <= 8 {
		return false
	}
	for i, g := range groups {
		groups[i] = spell(phoneNames, g)
	}
	r.say(strings.Join(groups, "，"))
	r.at = end
	return true
}

// areaBefore reports whether the code of an area stands in brackets before this.
func (r *reader) areaBefore() bool {
	s := strings.TrimRight(r.in[max(0, r.at-maxUnit):r.at], " ")
	inner := strings.TrimSuffix(strings.TrimSuffix(s, ")"), "）")
	area := inner[len(strings.TrimRight(inner, "0123456789")):]
	return inner != s && len(area) >= 3 && area[0] == '0'
}

// grouping reports whether groups of digits are a mobile number, one with its
// area, or one of the services 400 and 800.
func grouping(groups []string, digits string) bool {
	first, second, total := groups[0], len(groups[1]), len(digits)
	switch {
	case first[0] == '1':
		return len(first) == 3 && total == 11 && first[1] >= '3'
	case first == "400" || first == "800":
		return total == 10
	case first[0] == '0' && (len(first) == 3 || len(first) == 4):
		return second == 7 || second == 8 || (second == 3 || second == 4) && total >= 10 && total <= 12
	}
	return false
}

// dialled reports whether a word such as 电话 or 账号 was said just now.
func (r *reader) dialled() bool { return (r.mark == 0 || r.mark == '：') && r.after(called...) }

// telephone reads numbers to dial digit by digit, 1 as 幺.
func (r *reader) telephone() bool {
	n := r.run(0)
	digits := r.in[r.at : r.at+n]
	end := r.at + n
	said := ""
	switch {
	case r.follows(n, "%", "年", "月", "号楼") || measured(r.in[end:]) || end < len(r.in) && r.in[end] == '.' && r.run(n+1) > 0:
		return false
	case n == 11 && digits[0] == '1' && digits[1] >= '3', n == 5 && digits[:3] == "123",
		(n == 11 || n == 12) && digits[0] == '0':
		said = spell(phoneNames, digits)
	case n >= 3 && r.dialled():
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

// stars reads what masking left: 王* is 王某, 138****0000 keeps its ends. A star
// on its own marks a clause.
func (r *reader) stars() {
	start := r.at
	for r.at < len(r.in) && r.in[r.at] == '*' {
		r.at++
	}
	before := r.before(start)
	word := isHan(before) || isLatin(before)
	switch {
	case r.at-start == 1 && r.spokenOf(start):
		r.star('*')
	case r.at-start == 1 && !word && before != '·':
	case r.tail():
	case isHan(before) && isHan(r.last) && r.mark == 0 && !strings.ContainsRune(digitNames+"幺某", r.last):
		r.say("某")
	}
}
