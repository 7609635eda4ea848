package extract

import (
	"bytes"
	"strconv"
)

// The objects of PDF (ISO 32000-1 §7.3): nil, bool, float64, text (a string's
// bytes), name, list, dict, ref and stream.
type (
	text   []byte
	name   string
	list   []any
	dict   map[name]any
	ref    int // object number; the generation does not matter for reading
	stream struct {
		dict
		raw []byte
	}
	operator string // of a content stream
)

// maxNesting bounds lists and dictionaries in one another.
const maxNesting = 32

// lexer reads objects one after the other. It takes damage as it comes: what is
// no object is skipped.
type lexer struct {
	data  []byte
	pos   int
	depth int
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

func (l *lexer) skip() {
	for l.pos < len(l.data) {
		switch c := l.data[l.pos]; {
		case isBlank(c):
			l.pos++
		case c == '%':
			for l.pos < len(l.data) && l.data[l.pos] != '\n' && l.data[l.pos] != '\r' {
				l.pos++
			}
		default:
			return
		}
	}
}

// end marks what closes a list or a dictionary, and the end of the data.
type end byte

// next reads one object; at the end of the data it is end(0).
func (l *lexer) next() any {
	l.skip()
	if l.pos >= len(l.data) {
		return end(0)
	}
	switch c := l.data[l.pos]; c {
	case '/':
		return l.name()
	case '(':
		return l.literal()
	case '[':
		l.pos++
		return l.list()
	case '<':
		if l.peek(1) == '<' {
			l.pos += 2
			return l.dict()
		}
		return l.hex()
	case ']', '}', '{', ')':
		l.pos++
		return end(c)
	case '>':
		l.pos++
		if l.peek(0) == '>' {
			l.pos++
		}
		return end('>')
	}
	return l.word()
}

func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.data) {
		return l.data[l.pos+n]
	}
	return 0
}

func (l *lexer) token() []byte {
	start := l.pos
	for l.pos < len(l.data) && !isBlank(l.data[l.pos]) && !isDelimiter(l.data[l.pos]) {
		l.pos++
	}
	return l.data[start:l.pos]
}

// word reads a number, a keyword, or the reference "12 0 R".
func (l *lexer) word() any {
	word := string(l.token())
	switch word {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return operator(word)
	}
	if n, err := strconv.Atoi(word); err == nil && n >= 0 {
		at := l.pos
		l.skip()
		if generation := l.token(); len(generation) > 0 && len(generation) <= 5 && isDigits(generation) {
			l.skip()
			if l.peek(0) == 'R' && (isBlank(l.peek(1)) || isDelimiter(l.peek(1)) || l.pos+1 >= len(l.data)) {
				l.pos++
				return ref(n)
			}
		}
		l.pos = at
	}
	return v
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func (l *lexer) name() any {
	l.pos++
	raw := l.token()
	if bytes.IndexByte(raw, '#') < 0 {
		return name(raw)
	}
	var b []byte
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) {
			if v, err := strconv.ParseUint(string(raw[i+1:i+3]), 16, 8); err == nil {
				b = append(b, byte(v))
				i += 2
				continue
			}
		}
		b = append(b, raw[i])
	}
	return name(b)
}

func (l *lexer) list() any {
	out := list{}
	if l.depth++; l.depth > maxNesting {
		l.pos = len(l.data)
		return out
	}
	defer func() { l.depth-- }()
	for {
		v := l.next()
		if e, ok := v.(end); ok {
			if e == 0 || e == ']' {
				return out
			}
			continue
		}
		out = append(out, v)
	}
}

func (l *lexer) dict() any {
	out := dict{}
	if l.depth++; l.depth > maxNesting {
		l.pos = len(l.data)
		return out
	}
	defer func() { l.depth-- }()
	for {
		k := l.next()
		if e, ok := k.(end); ok && (e == 0 || e == '>') {
			return out
		}
		key, ok := k.(name)
		if !ok {
			continue
		}
		v := l.next()
		if e, ok := v.(end); ok {
			if e == 0 || e == '>' {
				return out
			}
			continue
		}
		out[key] = v
	}
}

func (l *lexer) hex() any {
	l.pos++
	var b []byte
	half, high := false, byte(0)
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		l.pos++
		if c == '>' {
			break
		}
		v, ok := hexValue(c)
		if !ok {
			continue
		}
		if half {
			b = append(b, high<<4|v)
		}
		high, half = v, !half
	}
	if half {
		b = append(b, high<<4)
	}
	return text(b)
}

func hexValue(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func (l *lexer) literal() any {
	l.pos++
	var b []byte
	for depth := 1; l.pos < len(l.data); l.pos++ {
		switch c := l.data[l.pos]; c {
		case '(':
			depth++
			b = append(b, c)
		case ')':
			if depth--; depth == 0 {
				l.pos++
				return text(b)
			}
			b = append(b, c)
		case '\\':
			b = l.escape(b)
		default:
			b = append(b, c)
		}
	}
	return text(b)
}

// escape reads what follows a backslash and leaves pos on its last byte.
func (l *lexer) escape(b []byte) []byte {
	l.pos++
	switch c := l.peek(0); c {
	case 'n':
		return append(b, '\n')
	case 'r':
		return append(b, '\r')
	case 't':
		return append(b, '\t')
	case 'b':
		return append(b, '\b')
	case 'f':
		return append(b, '\f')
	case '\r':
		if l.peek(1) == '\n' {
			l.pos++
		}
		return b
	case '\n':
		return b
	default:
		if c < '0' || c > '7' {
			return append(b, c)
		}
		v := 0
		for n := 0; n < 3 && l.peek(0) >= '0' && l.peek(0) <= '7'; n++ {
			v = v*8 + int(l.peek(0)-'0')
			l.pos++
		}
		l.pos--
		return append(b, byte(v))
	}
}
