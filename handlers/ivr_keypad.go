package handlers

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// keypad is the letters of the keys 2 to 9 (ISO/IEC 9995-8).
var keypad = [26]byte{'2', '2', '2', '3', '3', '3', '4', '4', '4', '5', '5', '5', '6', '6', '6', '7', '7', '7', '7', '8', '8', '8', '9', '9', '9', '9'}

// typeable folds an official number to what can be typed on a telephone: its
// letters and digits, in capitals. Hanzi, brackets and hyphens are left out.
func typeable(code string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z':
			return r
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return -1
	}, norm.NFKC.String(code))
}

// keyFits reports whether the key types the letter or digit. Q may be on 1 or 7
// and Z on 1 or 9, as older telephones have them.
func keyFits(c, key byte) bool {
	if c < 'A' {
		return c == key
	}
	return keypad[c-'A'] == key || key == '1' && (c == 'Q' || c == 'Z')
}

// typedWhole, typedEnd and typedStart report whether the keys type all, the end
// or the beginning of a typeable number.
func typedWhole(code, keys string) bool { return len(code) == len(keys) && typedEnd(code, keys) }

func typedEnd(code, keys string) bool {
	if len(keys) > len(code) {
		return false
	}
	for i := 1; i <= len(keys); i++ {
		if !keyFits(code[len(code)-i], keys[len(keys)-i]) {
			return false
		}
	}
	return true
}

func typedStart(code, keys string) bool {
	if len(keys) > len(code) {
		return false
	}
	for i := range len(keys) {
		if !keyFits(code[i], keys[i]) {
			return false
		}
	}
	return true
}

// cleared returns what was typed after the last *, which clears an entry, and
// without the # that ends it.
func cleared(digits string) string {
	digits = strings.TrimSuffix(digits, "#")
	return digits[strings.LastIndexByte(digits, '*')+1:]
}
