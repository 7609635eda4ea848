package speech

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold makes full-width letters and digits plain, as foldRune does for one.
func fold(s string) string {
	for _, r := range s {
		if foldRune(r) != r {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

// foldRune turns a full-width form of ASCII into the plain one.
func foldRune(r rune) rune {
	switch {
	case r >= '！' && r <= '～':
		return r - '！' + '!'
	case r == '\u3000', r == '\u00a0':
		return ' '
	}
	return r
}

// plain makes full-width ASCII plain and takes compatibility characters apart:
// ㎡ becomes m2, ① becomes 1. Hanzi and Chinese punctuation, the bulk of any
// text, are copied as they are; punctuation keeps its Chinese form.
func plain(s string) string {
	if !strings.ContainsFunc(s, unusual) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	before := rune(0)
	for _, r := range s {
		switch f := foldRune(r); {
		case !unusual(r), enclosed(r) > 0:
			b.WriteRune(r)
		case raised(r) && isNumeral(before):
			b.WriteByte('^')
			b.WriteString(raise(r))
		case f != r:
			b.WriteRune(f)
		case r == '…', r == '⋯': // NFKC makes it three points
			b.WriteRune('，')
		default:
			if unit, ok := symbols[r]; ok {
				b.WriteString(unit)
			} else {
				b.WriteString(decompose(r, before))
			}
		}
		before = r
	}
	return b.String()
}

// decompose takes a compatibility character apart; a half after a number is 又1/2.
func decompose(r, before rune) string {
	s := norm.NFKC.String(string(r))
	if top, bottom, ok := strings.Cut(s, "⁄"); ok {
		if s = top + "/" + bottom; isNumeral(before) {
			return "又" + s
		}
	}
	return s
}

func isNumeral(r rune) bool { r = foldRune(r); return r >= '0' && r <= '9' }

// raised reports whether a character is part of an exponent, as those of 10⁻⁴.
func raised(r rune) bool {
	return r == '²' || r == '³' || r == '¹' || r >= '⁰' && r <= '⁻'
}

func raise(r rune) string {
	if r == '⁻' {
		return "-"
	}
	return strings.TrimPrefix(norm.NFKC.String(string(r)), "+")
}

// enclosed returns the number of a character such as ①, 0 for any other.
func enclosed(r rune) int64 {
	for _, set := range [...]struct{ first, last, value rune }{
		{'①', '⑳', 1}, {'⑴', '⒇', 1}, {'⒈', '⒛', 1}, {'❶', '❿', 1}, {'➀', '➉', 1}, {'➊', '➓', 1}, {'㉑', '㉟', 21}, {'㊱', '㊿', 36},
	} {
		if r >= set.first && r <= set.last {
			return int64(r - set.first + set.value)
		}
	}
	return 0
}

// unusual reports whether a character needs folding.
func unusual(r rune) bool {
	switch {
	case r < 0xA0, r >= 0x4E00 && r <= 0x9FFF:
		return false
	case r == '，', r == '。', r == '；', r == '、', r == '：', r == '？', r == '！', r == '（', r == '）':
		return false
	}
	return true
}

// symbols are signs that are said by a word; those of units stay units.
var symbols = map[rune]string{
	'㎡': "m2", '㎢': "km2", '㎥': "m3", '㎏': "kg", '㎞': "km", '㎜': "mm", '㎝': "cm", '℃': "℃", '‰': "‰",
	'²': "2", '³': "3", '№': "编号", '″': "″", '√': "根号",
	'Ⅰ': "一", 'Ⅱ': "二", 'Ⅲ': "三", 'Ⅳ': "四", 'Ⅴ': "五", 'Ⅵ': "六", 'Ⅶ': "七", 'Ⅷ': "八", 'Ⅸ': "九", 'Ⅹ': "十", 'Ⅺ': "十一", 'Ⅻ': "十二",
	'ⅰ': "一", 'ⅱ': "二", 'ⅲ': "三", 'ⅳ': "四", 'ⅴ': "五", 'ⅵ': "六", 'ⅶ': "七", 'ⅷ': "八", 'ⅸ': "九", 'ⅹ': "十",
	'×': "×", '÷': "÷", '±': "±", '≥': "≥", '≤': "≤", '≠': "≠", '≈': "约", 'φ': "直径", 'Φ': "直径",
	'“': "“", '”': "”", '‘': "‘", '’': "’", '—': "—", '–': "-", '－': "-", '‐': "-", '∶': ":", '⁄': "/", '∕': "/", '≯': "≤", '≮': "≥", '≧': "≥", '≦': "≤", '⩾': "≥", '⩽': "≤", 'µ': "μ", '＊': "*", '∗': "*", '✕': "×", '✖': "×", '☆': "★", '△': "▲", '‑': "-", '−': "-", '·': "·", '•': "·", '〇': "零", '○': "零", '～': "~", '〜': "~", '￥': "¥",
}

// marks are the punctuation of spoken text, weakest first.
const marks = "、，：；。！？"

func isMark(r rune) bool { return strength(r) > 0 }

func strength(r rune) int {
	switch r {
	case '、':
		return 1
	case '，':
		return 2
	case '：':
		return 3
	case '；':
		return 4
	case '。':
		return 5
	case '！':
		return 6
	case '？':
		return 7
	}
	return 0
}

// markOf maps any punctuation to the pause it makes, or 0 for none.
func markOf(r rune) rune {
	switch r {
	case '、', '，', '：', '；', '。', '！', '？':
		return r
	case ',', '(', ')', '（', '）', '[', ']', '{', '}', '〔', '〕', '【', '】', '「', '」', '—', '|', '\t', '>', '<', '/', '~', '“', '”', '"':
		return '，'
	case ';', '\n', '\r':
		return '；'
	case ':':
		return '：'
	case '.':
		return '，'
	case '!':
		return '！'
	case '?':
		return '？'
	}
	return 0
}

func isHan(r rune) bool {
	return r >= 0x4E00 && r <= 0x9FFF || r > 0x2E7F && unicode.Is(unicode.Han, r)
}

func isLatin(r rune) bool { return r < utf8.RuneSelf && isLetter(byte(r)) }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
