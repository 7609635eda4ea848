package disclosure

import (
	"strings"
	"unicode/utf8"
)

// LeakKind says what sort of personal data a Leak is. A finding's code is
// "privacy." and the kind.
type LeakKind string

// The kinds of personal data the privacy check looks for (个人信息保护法 第二十八条).
const (
	LeakID       LeakKind = "id_number" // 居民身份证, 15 or 18 digits
	LeakMobile   LeakKind = "mobile"    // 手机号码
	LeakCard     LeakKind = "bank_card" // 银行卡
	LeakPassport LeakKind = "passport"  // 护照, 通行证
	LeakAddress  LeakKind = "address"   // finer than the community
	LeakName     LeakKind = "name"      // a private person's name in a column of names
)

// Name returns the Chinese name of the kind.
func (k LeakKind) Name() string {
	switch k {
	case LeakID:
		return "身份证件号码"
	case LeakMobile:
		return "手机号码"
	case LeakCard:
		return "银行卡号"
	case LeakPassport:
		return "护照或通行证号码"
	case LeakAddress:
		return "精确到门牌的住址"
	case LeakName:
		return "未脱敏的姓名"
	}
	return string(k)
}

// Leak is one piece of personal data in a text. It says where, never what.
type Leak struct {
	Kind       LeakKind
	Start, End int // bytes of the text
	// Contact marks a mobile number in a line that offers a contact: it may be
	// meant for the public.
	Contact bool
	// Private marks what is personal in a list of natural persons only: a name
	// under “姓名”, a room without the word 住址.
	Private bool
}

// FindLeaks returns the personal data in a text, in order, without overlaps.
// Numbers are recognised by form and check digit however their digits are
// written: full width, or apart by blanks, dashes and invisible characters.
// Lines whose cells are parted by tabs are rows of a table, and a row of
// headings says what stands below it. It reads the text once and keeps nothing.
func FindLeaks(text string) []Leak {
	s := leakScanner{text: text}
	for i := 0; i < len(text); {
		if !mayBeDigit[text[i]] {
			i++
			continue
		}
		if _, width, ok := digitAt(text, i); ok {
			i = s.readRun(i)
		} else {
			i += width
		}
	}
	s.readTables()
	return s.leaks
}

// mayBeDigit marks the bytes that a digit's encoding may begin with: ASCII,
// full width (EF BC 90) and the mathematical alphabets (F0 9D 9F 8E).
var mayBeDigit = func() (t [256]bool) {
	for c := byte('0'); c <= '9'; c++ {
		t[c] = true
	}
	t[0xEF], t[0xF0] = true, true
	return t
}()

// digitAt reads the character at i: the digit's value, and its width in bytes
// even when it is none.
func digitAt(s string, i int) (value byte, width int, ok bool) {
	if c := s[i]; c < utf8.RuneSelf {
		return c - '0', 1, c >= '0' && c <= '9'
	}
	r, width := utf8.DecodeRuneInString(s[i:])
	switch {
	case r >= '０' && r <= '９':
		return byte(r - '０'), width, true
	case r >= 0x1D7CE && r <= 0x1D7FF:
		return byte((r - 0x1D7CE) % 10), width, true
	}
	return 0, width, false
}

// checkX is the value of X, the check digit ten.
const checkX = 10

func isX(r rune) bool { return strings.ContainsRune("xXｘＸⅩⅹХх×", r) }

// gap says what stands between two groups of digits.
type gap uint8

const (
	gapNone    gap = iota // the first group of a run
	gapBlank              // up to three blanks or dashes
	gapNewline            // a line break: numbers wrap in narrow cells
)

// digitGroup is a run of digits without a visible separator.
type digitGroup struct {
	start, end int // bytes of the text
	from, n    int // digits in the scanner's buffer
	before     gap
	hasX       bool // the last digit is X
	loose      bool // the end of a decimal or a grouped amount: no number of its own
}

type leakScanner struct {
	text   string
	digits []byte
	groups []digitGroup
	leaks  []Leak
}

// maxRun bounds the groups examined together.
const maxRun = 4096

// readRun reads groups of digits that only blanks and dashes part, beginning at
// i, looks for numbers in them, and returns where it stopped.
func (s *leakScanner) readRun(i int) int {
	s.groups, s.digits = s.groups[:0], s.digits[:0]
	for before := gapNone; ; {
		var g digitGroup
		g, i = s.readGroup(i)
		g.before = before
		s.groups = append(s.groups, g)
		var next int
		if next, before = skipGap(s.text, i); before == gapNone || next >= len(s.text) {
			break
		}
		if _, _, ok := digitAt(s.text, next); !ok {
			i = s.readX(next, i, before)
			break
		}
		i = next
		if len(s.groups) == maxRun {
			s.examine()
			s.keepTail()
		}
	}
	s.examine()
	return i
}

// readX takes an X that stands apart from its digits, as in a letter-spaced
// number, for a group of its own. It returns where the run ends.
func (s *leakScanner) readX(next, end int, before gap) int {
	r, width := utf8.DecodeRuneInString(s.text[next:])
	if before != gapBlank || len(s.digits) < maxIDDigits-1 || !isX(r) || wordFollows(s.text[next+width:]) {
		return end
	}
	s.groups = append(s.groups, digitGroup{start: next, end: next + width, from: len(s.digits), n: 1, before: before, hasX: true})
	s.digits = append(s.digits, checkX)
	return next + width
}

// keepTail lets a number that lies across the end of a full run be found in the
// next.
func (s *leakScanner) keepTail() {
	tail := s.groups[len(s.groups)-maxIDDigits:]
	from := tail[0].from
	s.digits = append(s.digits[:0], s.digits[from:]...)
	s.groups = append(s.groups[:0], tail...)
	for i := range s.groups {
		s.groups[i].from -= from
	}
}

func (s *leakScanner) readGroup(i int) (digitGroup, int) {
	g := digitGroup{start: i, end: i, from: len(s.digits)}
	for i < len(s.text) {
		value, width, ok := digitAt(s.text, i)
		if ok {
			s.digits = append(s.digits, value)
			i += width
			g.end = i
			continue
		}
		r, _ := utf8.DecodeRuneInString(s.text[i:])
		if !invisible(r) {
			if isX(r) && i == g.end && !wordFollows(s.text[i+width:]) {
				s.digits, g.hasX = append(s.digits, checkX), true
				i += width
				g.end = i
			}
			break
		}
		i += width
	}
	g.n = len(s.digits) - g.from
	g.loose = partOfAmount(s.text, g)
	return g, max(i, g.end)
}

func invisible(r rune) bool {
	return r >= 0x200B && r <= 0x200F || r == 0x2060 || r == 0xFEFF || r == 0x00AD
}

func wordFollows(s string) bool {
	if s == "" {
		return false
	}
	if _, _, ok := digitAt(s, 0); ok {
		return true
	}
	c := s[0] | 0x20
	return c >= 'a' && c <= 'z'
}

// partOfAmount tells the pieces of 1,234.50 from numbers of their own. A list
// such as 1.320902… or 138…,139… is none.
func partOfAmount(s string, g digitGroup) bool {
	digit := func(i int) bool { return i >= 0 && i < len(s) && s[i] >= '0' && s[i] <= '9' }
	before, after := byte(0), byte(0)
	if digit(g.start - 2) {
		before = s[g.start-1]
	}
	if digit(g.end + 1) {
		after = s[g.end]
	}
	switch {
	case before == '.' && g.n <= 10, before == ',' && g.n <= 3, after == ',' && g.n <= 3:
		return true
	case after == '.' && g.n <= 13:
		return !digit(g.end + 5) // as many decimals as no amount has
	}
	return false
}

// skipGap reads up to three separators.
func skipGap(s string, i int) (int, gap) {
	found := gapNone
	for n := 0; n < 3 && i < len(s); n++ {
		r, width := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\n' && found == gapNone:
			found = gapNewline
		case r == '\n', r == '\t', !separates(r):
			return i, found
		case found == gapNone:
			found = gapBlank
		}
		i += width
	}
	return i, found
}

func separates(r rune) bool {
	return r == ' ' || r == '-' || r == '_' || r == 0xA0 || r == 0x3000 || r >= 0x2000 && r <= 0x200A ||
		r >= 0x2010 && r <= 0x2015 || r == 0x2212 || r == '－' || r == '·' || r == '\r' || invisible(r)
}

// examine looks for numbers that are whole groups of the run.
func (s *leakScanner) examine() {
	for a := 0; a < len(s.groups); {
		a += max(s.examineFrom(a), 1)
	}
}

// examineFrom looks for a number that begins with group a and returns of how
// many groups it is, or 0.
func (s *leakScanner) examineFrom(a int) int {
	total := 0
	for b := a; b < len(s.groups); b++ {
		g := s.groups[b]
		if b > a && g.before == gapNewline && b > a+1 {
			return 0 // only one line break, and only between two halves
		}
		if total += g.n; total > maxIDDigits+1 {
			return 0
		}
		if s.groups[a].loose || g.loose {
			return 0
		}
		if total > 10 || a == b && (total >= 7 || total <= 5 && houseFollows(s.text[g.end:])) { // what no number is, most often
			w := window{s: s, groups: s.groups[a : b+1], digits: s.digits[s.groups[a].from : g.from+g.n]}
			if leak, ok := w.leak(); ok {
				s.add(leak)
				return b - a + 1
			}
		}
		if g.hasX || b > a && s.groups[a+1].before == gapNewline {
			return 0
		}
	}
	return 0
}

func (s *leakScanner) add(l Leak) {
	if n := len(s.leaks); n == 0 || l.Start >= s.leaks[n-1].End {
		s.leaks = append(s.leaks, l)
	}
}
