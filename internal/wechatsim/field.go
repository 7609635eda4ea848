package wechatsim

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fieldRule judges a value of one type of keyword, already free of control
// characters and not empty.
type fieldRule func(value string) bool

// atMost allows any characters up to a number; a hanzi counts as one.
func atMost(n int) fieldRule {
	return func(v string) bool { return utf8.RuneCountInString(v) <= n }
}

// matching allows what a pattern describes.
func matching(pattern string) fieldRule {
	form := regexp.MustCompile("^(?:" + pattern + ")$")
	return form.MatchString
}

const (
	datePart  = `(?:\d{4}(?:年\d{1,2}月(?:\d{1,2}日)?|[-/.]\d{1,2}(?:[-/.]\d{1,2})?)|\d{1,2}月\d{1,2}日)`
	clockPart = `(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?`
	momentOf  = `(?:` + datePart + `(?: ?` + clockPart + `)?)`
	timeOf    = `(?:` + clockPart + `|` + datePart + ` ?` + clockPart + `|` + datePart + `)`
)

// fieldRules are the limits of the official table 订阅消息参数值内容限制说明,
// which holds for category templates as well.
var fieldRules = map[string]fieldRule{
	"thing":            atMost(20),
	"number":           matching(`[+-]?\d{1,32}(?:\.\d{1,31})?`),
	"letter":           matching(`[A-Za-z]{1,32}`),
	"symbol":           func(v string) bool { return utf8.RuneCountInString(v) <= 5 && !strings.ContainsFunc(v, letterOrDigit) },
	"character_string": matching(`[\x21-\x7e ]{1,32}`),
	"time":             matching(timeOf + `(?: ?~ ?` + timeOf + `)?`),
	"date":             matching(momentOf + `(?: ?~ ?` + momentOf + `)?`),
	"amount":           matching(`(?:[¥￥$€£]|HK\$)?\d{1,10}(?:\.\d{1,10})?元?`),
	"phone_number":     matching(`[0-9+\-()（） ]{1,17}`),
	"car_number":       func(v string) bool { return utf8.RuneCountInString(v) <= 8 },
	"name":             nameFits,
	"phrase":           func(v string) bool { return utf8.RuneCountInString(v) <= 5 && allHan(v) },
	"enum":             nil, // by the keyword's own list
	"const":            atMost(20),
}

func letterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func allHan(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return !unicode.Is(unicode.Han, r) })
}

// nameFits: ten characters as soon as there is a hanzi among them, twenty
// letters otherwise.
func nameFits(v string) bool {
	n := utf8.RuneCountInString(v)
	if strings.ContainsFunc(v, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return n <= 10
	}
	return n <= 20
}

// fits reports whether a value may stand in the field.
func (k Keyword) fits(value string) bool {
	if !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		return false
	}
	if k.kind() == "enum" {
		return slices.Contains(k.Enum, value)
	}
	rule, ok := fieldRules[k.kind()]
	return ok && rule(value)
}
