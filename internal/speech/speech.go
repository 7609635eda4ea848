// Package speech turns Chinese notice data into what a voice can say: hanzi and
// punctuation only, whatever digits, units, codes and letters the text holds.
//
// It is pure: it reads no clock, no configuration and no other package of this
// module. Everything it returns consists of Han characters and the marks
// ，。；、：？！ and passes through Text unchanged; all functions are safe for
// concurrent use.
package speech

import (
	"strings"
	"unicode/utf8"
)

// digitNames reads digits one by one in dates and decimals; phoneNames in
// telephone numbers and codes, where 1 is 幺 so that it is not heard as 7.
const (
	digitNames = "零一二三四五六七八九"
	phoneNames = "零幺二三四五六七八九"
	hanBytes   = 3 // of one of them in UTF-8
)

func digitName(names string, d byte) string {
	i := int(d-'0') * hanBytes
	return names[i : i+hanBytes]
}

// spell reads digits one by one; what is no digit is left out.
func spell(names, s string) string {
	var b strings.Builder
	for i := range len(s) {
		if isDigit(s[i]) {
			b.WriteString(digitName(names, s[i]))
		}
	}
	return b.String()
}

// Digits reads a telephone number or code digit by digit, 1 as 幺, with pauses
// where people make them: 3-4-4 for a mobile number, after the area code, and
// in fours otherwise. What is no digit only makes a pause.
func Digits(s string) string {
	var groups []string
	for _, run := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		if len(run) == 11 && run[0] == '1' {
			groups = append(groups, run[:3], run[3:7], run[7:])
			continue
		}
		for len(run) > 5 {
			groups = append(groups, run[:4])
			run = run[4:]
		}
		groups = append(groups, run)
	}
	for i, g := range groups {
		groups[i] = spell(phoneNames, g)
	}
	return strings.Join(groups, "，")
}

// Tail reads a code that has letters: 尾号 and its last four digits, which is
// what a caller can compare with a letter in the hand. A code without digits is
// spelt.
func Tail(code string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, fold(code))
	if digits == "" {
		return Text(code)
	}
	return "尾号" + spell(phoneNames, digits[max(0, len(digits)-4):])
}

// Key names a key of the telephone as people say it: 请按一, 请按井号键.
func Key(key string) string {
	switch key {
	case "*":
		return "星号键"
	case "#":
		return "井号键"
	}
	return spell(digitNames, key)
}

// Len counts the characters that take time to say; punctuation is free.
func Len(s string) int {
	n := 0
	for _, r := range s {
		if !isMark(r) {
			n++
		}
	}
	return n
}

// Shorten cuts spoken text to limit characters of Len, before the last pause
// that leaves at least half of it, else anywhere.
func Shorten(s string, limit int) string {
	if Len(s) <= limit {
		return s
	}
	n, cut, pause := 0, 0, 0
	for i, r := range s {
		if isMark(r) {
			if n*2 >= limit {
				pause = i
			}
			continue
		}
		if n == limit {
			break
		}
		n++
		cut = i + utf8.RuneLen(r)
	}
	if pause > 0 {
		cut = pause
	}
	return s[:cut]
}
