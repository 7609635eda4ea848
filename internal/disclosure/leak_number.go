package disclosure

import (
	"strings"
	"unicode/utf8"
)

const maxIDDigits = 18

// window is some neighbouring groups of digits, read as one number.
type window struct {
	s      *leakScanner
	groups []digitGroup
	digits []byte // values, X is checkX
}

func (w window) start() int { return w.groups[0].start }
func (w window) end() int   { return w.groups[len(w.groups)-1].end }

// leak reports what personal number the window is.
func (w window) leak() (Leak, bool) {
	l := Leak{Start: w.start(), End: w.end()}
	switch {
	case w.isID():
		l.Kind = LeakID
	case w.isMobile():
		l.Kind, l.Contact = LeakMobile, w.offersContact()
	case w.isCard():
		l.Kind = LeakCard
	case w.isPassport():
		l.Kind, l.Start = LeakPassport, l.Start-w.letters()
	case w.isAddress(&l):
	default:
		return l, false
	}
	return l, true
}

// isID recognises numbers of 18 digits by place, date and check digit
// (GB 11643), and the older ones of 15 by place and date.
func (w window) isID() bool {
	switch len(w.digits) {
	case 18:
		return w.grouped(6) && ValidID(w.digits) || len(w.groups) == 1 && cutID(w.digits)
	case 15:
		return w.grouped(4) && !w.groups[len(w.groups)-1].hasX && validID15(w.digits)
	}
	return false
}

// grouped reports whether the digits stand as a person would part them: in a
// few groups, or in many of one size.
func (w window) grouped(few int) bool {
	if len(w.groups) <= few {
		return true
	}
	size := w.groups[0].n
	for _, g := range w.groups[1 : len(w.groups)-1] {
		if g.n != size {
			return false
		}
	}
	return w.groups[len(w.groups)-1].n <= size+1 // X may hang on the last
}

var idWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}

// ValidID reports whether 18 digits are an ID number: a province, a date and a
// right check digit (ISO 7064 mod 11-2), where X has the value 10. A permanent
// residence card begins with 9 and counts.
func ValidID(d []byte) bool {
	if len(d) != 18 {
		return false
	}
	sum := 0
	for i, weight := range idWeights {
		if d[i] > 9 {
			return false
		}
		sum += int(d[i]) * weight
	}
	if (12-sum%11)%11 != int(d[17]) {
		return false
	}
	province := int(d[0])*10 + int(d[1])
	if d[0] == 9 {
		province = int(d[1])*10 + int(d[2])
	}
	year := int(d[6])*10 + int(d[7])
	return isProvince(province) && (year == 18 || year == 19 || year == 20) && isMonthDay(d[10:14])
}

// cutID recognises an ID number whose last three digits a spreadsheet has made
// zeros, keeping fifteen: its place and its birth date are there to read. Nobody
// has such a number. Later years are left out, being those of project codes.
func cutID(d []byte) bool {
	year := int(d[6])*100 + int(d[7])*10 + int(d[8])
	return d[15]|d[16]|d[17] == 0 && isProvince(int(d[0])*10+int(d[1])) && year >= 190 && year <= 201 && isMonthDay(d[10:14])
}

// validID15 is stricter about the place, having no check digit.
func validID15(d []byte) bool {
	city, county := int(d[2])*10+int(d[3]), int(d[4])*10+int(d[5])
	return isProvince(int(d[0])*10+int(d[1])) && (city >= 1 && city <= 53 || city == 90) &&
		(county >= 1 && county <= 43 || county >= 81 && county <= 90) && isMonthDay(d[8:12]) &&
		d[12]|d[13]|d[14] != 0
}

func isProvince(n int) bool {
	switch {
	case n >= 11 && n <= 15, n >= 21 && n <= 23, n >= 31 && n <= 37, n >= 41 && n <= 46, n >= 50 && n <= 54,
		n >= 61 && n <= 65, n == 71, n >= 81 && n <= 83:
		return true
	}
	return false
}

func isMonthDay(d []byte) bool {
	month, day := int(d[0])*10+int(d[1]), int(d[2])*10+int(d[3])
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

// isMobile recognises 11 digits, with the country's prefix or not, in one piece
// or parted as people do: 138 0000 0000, 138-00000000, 1380000 0000, 1 3 8 ….
func (w window) isMobile() bool {
	d := w.digits
	switch {
	case len(w.groups) == 1 && len(d) == 13 && d[0] == 8 && d[1] == 6:
		d = d[2:]
	case len(w.groups) == 1 && len(d) == 15 && d[0] == 0 && d[1] == 0 && d[2] == 8 && d[3] == 6:
		d = d[4:]
	case len(w.groups) == 1 && len(d) == 12 && d[0] == 0:
		d = d[1:]
	}
	if len(d) != 11 || d[0] != 1 || d[1] < 3 || d[1] > 9 || w.groups[len(w.groups)-1].hasX {
		return false
	}
	switch len(w.groups) {
	case 1:
	case 2:
		if n := w.groups[0].n; n != 3 && n != 7 {
			return false
		}
	case 3:
		if w.groups[0].n != 3 || w.groups[1].n != 4 {
			return false
		}
	case 11: // letter-spaced
	default:
		return false
	}
	return !w.isAmount() && (w.letters() == 0 || w.offersContact())
}

func (w window) offersContact() bool { return containsAny(w.s.lineBefore(w.start(), 40), contactWords) }

// isAmount reports that a unit of money or measure follows.
func (w window) isAmount() bool {
	rest := strings.TrimLeft(w.s.text[w.end():min(w.end()+12, len(w.s.text))], " ")
	return hasAnyPrefix(rest, "元", "万", "亿", "%", "平方", "㎡", "m²", "吨", "美元", "套", "股")
}

// letters counts the ASCII letters directly before the window.
func (w window) letters() int {
	n := 0
	for i := w.start() - 1; i >= 0 && isASCIILetter(w.s.text[i]); i-- {
		n++
	}
	return n
}

func isASCIILetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isCard recognises bank cards by the Luhn digit: those of UnionPay by their
// prefix, any other where the text speaks of a card.
func (w window) isCard() bool {
	d := w.digits
	if len(d) < 16 || len(d) > 19 || w.groups[len(w.groups)-1].hasX || w.letters() > 0 || !luhn(d) || !w.cardGroups() {
		return false
	}
	return d[0] == 6 && d[1] == 2 && !w.isAmount() || containsAny(w.s.lineBefore(w.start(), 24), cardWords)
}

func (w window) cardGroups() bool {
	for _, g := range w.groups[:len(w.groups)-1] {
		if g.n != 4 && g.n != 6 {
			return false
		}
	}
	return true
}

// luhn checks ISO/IEC 7812 numbers.
func luhn(d []byte) bool {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i])
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0 && sum > 0
}

// isPassport recognises travel documents where the text speaks of one: a letter
// or two and seven to nine digits.
func (w window) isPassport() bool {
	n := w.letters()
	return len(w.groups) == 1 && len(w.digits) >= 7 && len(w.digits) <= 10 && n <= 2 && (n > 0 || len(w.digits) == 9) &&
		containsAny(w.s.lineBefore(w.start(), 24), passportWords)
}

// isAddress recognises a house, a room or a village group where the text speaks
// of somebody's home, and a room of a building anywhere.
func (w window) isAddress(l *Leak) bool {
	if len(w.groups) != 1 || len(w.digits) > 5 {
		return false
	}
	rest := w.s.text[w.end():]
	if !houseFollows(rest) {
		return false
	}
	line := w.s.lineBefore(w.start(), 48)
	l.Kind = LeakAddress
	switch {
	case containsAny(line, homeWords):
	case hasAnyPrefix(rest, "室", "户") && containsAny(w.s.lineBefore(w.start(), 12), buildingWords) && !containsAny(line, officeWords):
		l.Private = true
	default:
		return false
	}
	return true
}

// houseFollows reports whether a number is that of a house, a room or a village
// group.
func houseFollows(rest string) bool {
	if rest == "" || rest[0] != '#' && rest[0] < 0xE5 {
		return false
	}
	return hasAnyPrefix(rest, "号", "室", "户", "幢", "栋", "组", "单元", "弄", "楼", "#")
}

var (
	contactWords  = []string{"电话", "联系", "手机", "热线", "咨询", "传真", "微信", "Tel", "TEL", "tel"}
	cardWords     = []string{"卡号", "银行卡", "储蓄卡", "借记卡", "信用卡", "一卡通", "社保卡"}
	passportWords = []string{"护照", "通行证", "Passport", "passport", "PASSPORT"}
	homeWords     = []string{"住址", "家庭地址", "户籍地", "户口所在", "现住", "居住地", "居住于", "家住", "家庭住所"}
	officeWords   = []string{"地址", "地点", "办公", "递交", "开标", "窗口", "大厦"}
	buildingWords = []string{"幢", "栋", "号楼", "#楼", "单元"}
)

// lineBefore returns up to n Han characters of the line before i. Cells of the
// row count: a form's label stands in the cell before.
func (s *leakScanner) lineBefore(i, n int) string {
	from := max(i-3*n, 0)
	for from < i && !utf8.RuneStart(s.text[from]) {
		from++
	}
	part := s.text[from:i]
	return part[strings.LastIndexByte(part, '\n')+1:]
}

func containsAny(s string, words []string) bool {
	for _, word := range words {
		if strings.Contains(s, word) {
			return true
		}
	}
	return false
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
