package speech

import (
	"strings"
	"unicode/utf8"
)

// digits reads a token that begins with a digit, by the first form it fits.
func (r *reader) digits() {
	for _, try := range [...]func(*reader) bool{(*reader).dimension, (*reader).masked, (*reader).date, (*reader).spaced, (*reader).telephone, (*reader).clock, (*reader).minutes,
		(*reader).section, (*reader).code, (*reader).span, (*reader).fraction} {
		if try(r) {
			return
		}
	}
	r.quantity()
}

func (r *reader) rest() string { return r.in[r.at:] }

// follows reports whether one of the words stands at the offset from here,
// blanks left out.
func (r *reader) follows(offset int, words ...string) bool {
	s := strings.TrimLeft(r.in[r.at+offset:], " ")
	for _, w := range words {
		if strings.HasPrefix(s, w) {
			return true
		}
	}
	return false
}

// after reports whether one of the words was written just now.
func (r *reader) after(words ...string) bool {
	out := r.out.String()
	for _, w := range words {
		if strings.HasSuffix(out, w) {
			return true
		}
	}
	return false
}

// run returns the length of the digits at the offset.
func (r *reader) run(offset int) int {
	n := 0
	for i := r.at + offset; i < len(r.in) && isDigit(r.in[i]); i++ {
		n++
	}
	return n
}

// small reads up to two digits within bounds at the offset.
func (r *reader) small(offset, low, high int) (value, size int) {
	for size < 2 && r.at+offset+size < len(r.in) && isDigit(r.in[r.at+offset+size]) {
		value = value*10 + int(r.in[r.at+offset+size]-'0')
		size++
	}
	if size == 0 || value < low || value > high || r.run(offset) != size {
		return 0, 0
	}
	return value, size
}

// before returns the character of the text before the offset, 0 for none.
func (r *reader) before(offset int) rune {
	if offset == 0 {
		return 0
	}
	ch, _ := utf8.DecodeLastRuneInString(r.in[:offset])
	return ch
}
