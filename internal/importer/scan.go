package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// scanner reads the XML of a workbook's parts as a stream of tags and texts, in
// constant memory: one tag or piece of text is never larger than its buffer.
// It knows what spreadsheets write and refuses what they never do (DOCTYPE and
// with it every entity of one's own). Prefixes of names are dropped.
//
// encoding/xml would do the same at a tenth of the speed, which decides whether
// fifty thousand rows are checked while a person waits.
type scanner struct {
	r          io.Reader
	buf        []byte
	start, end int // what is read and not yet consumed
	eof        bool

	name  []byte // of the tag, without prefix
	attrs []byte // raw
	text  []byte // decoded
	self  bool   // <name/>: its end follows without a tag of its own
}

type token byte

const (
	tokenStart token = iota + 1
	tokenEnd
	tokenText
)

const scanBuffer = 64 << 10

var errXML = errors.New("importer: not the XML of a workbook")

func newScanner(r io.Reader) *scanner { return &scanner{r: r, buf: make([]byte, scanBuffer)} }

// next returns the next token; its name, attrs and text hold until the one
// after. At the end of a well-formed part it is io.EOF.
func (s *scanner) next() (token, error) {
	if s.self {
		s.self = false
		return tokenEnd, nil
	}
	for {
		if s.start == s.end {
			if err := s.fill(); err != nil {
				return 0, err
			}
		}
		if s.buf[s.start] != '<' {
			return tokenText, s.readText()
		}
		kind, err := s.readTag()
		if kind != 0 || err != nil {
			return kind, err
		}
	}
}

// fill reads more, after moving what is left to the front. A full buffer means
// a tag no workbook has.
func (s *scanner) fill() error {
	if s.eof {
		return io.EOF
	}
	if s.start > 0 {
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	if s.end == len(s.buf) {
		return fmt.Errorf("%w: a tag of more than %d bytes", errXML, len(s.buf))
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if errors.Is(err, io.EOF) {
			s.eof = true
			if n == 0 {
				return io.EOF
			}
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// readText takes text up to the next tag or the end of the buffer, but splits
// no entity and no character.
func (s *scanner) readText() error {
	chunk := s.buf[s.start:s.end]
	if i := bytes.IndexByte(chunk, '<'); i >= 0 {
		chunk = chunk[:i]
	} else if cut := unfinished(chunk); cut < len(chunk) && !s.eof {
		if cut == 0 {
			if err := s.fill(); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			return s.readText()
		}
		chunk = chunk[:cut]
	}
	s.start += len(chunk)
	return s.decode(chunk)
}

// maxEntity is the length of the longest reference that is read, from & to ;:
// &#1114111; and two zeros. One that is padded further is refused wherever the
// reader's pieces happen to end.
const maxEntity = 12

// unfinished returns where an entity or character begins that goes on after the
// end of b.
func unfinished(b []byte) int {
	tail := b[max(0, len(b)-maxEntity):]
	if i := bytes.LastIndexByte(tail, '&'); i >= 0 && bytes.IndexByte(tail[i:], ';') < 0 {
		return len(b) - len(tail) + i
	}
	for i := 1; i <= min(3, len(b)); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-i:]) {
				return len(b) - i
			}
			break
		}
	}
	return len(b)
}

// decode resolves the five entities of XML and character references in place.
func (s *scanner) decode(raw []byte) error {
	amp := bytes.IndexByte(raw, '&')
	if amp < 0 {
		s.text = raw
		return nil
	}
	out := raw[:0]
	for len(raw) > 0 {
		if amp = bytes.IndexByte(raw, '&'); amp < 0 {
			out = append(out, raw...)
			break
		}
		out = append(out, raw[:amp]...)
		semi := bytes.IndexByte(raw[amp:], ';')
		if semi < 0 || semi >= maxEntity {
			return fmt.Errorf("%w: an unfinished entity", errXML)
		}
		r, ok := entity(string(raw[amp+1 : amp+semi]))
		if !ok {
			return fmt.Errorf("%w: an unknown entity", errXML)
		}
		out = utf8.AppendRune(out, r) // never longer than what it stands for
		raw = raw[amp+semi+1:]
	}
	s.text = out
	return nil
}

func entity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, false
	}
	base, digits := 10, name[1:]
	if digits[0] == 'x' {
		base, digits = 16, digits[1:]
	}
	n, err := strconv.ParseUint(digits, base, 21)
	return rune(n), err == nil && utf8.ValidRune(rune(n))
}

// readTag takes one tag, comment or instruction; 0 for what carries nothing.
func (s *scanner) readTag() (token, error) {
	end, err := s.tagEnd()
	if err != nil {
		return 0, err
	}
	tag := s.buf[s.start+1 : end]
	s.start = end + 1
	switch {
	case len(tag) == 0:
		return 0, fmt.Errorf("%w: an empty tag", errXML)
	case tag[0] == '?':
		return 0, nil
	case tag[0] == '!':
		return s.readSpecial(tag)
	case tag[0] == '/':
		name := tag[1:]
		for len(name) > 0 && isBlank(name[len(name)-1]) {
			name = name[:len(name)-1]
		}
		s.setName(name)
		return tokenEnd, nil
	}
	if s.self = tag[len(tag)-1] == '/'; s.self {
		tag = tag[:len(tag)-1]
	}
	s.attrs = nil
	for i := range tag {
		if isBlank(tag[i]) {
			tag, s.attrs = tag[:i], tag[i:]
			break
		}
	}
	s.setName(tag)
	return tokenStart, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func skipBlank(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	return b
}

func (s *scanner) setName(name []byte) {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	s.name = name
}

// tagEnd finds the > that ends the tag at start: not one inside quotes.
func (s *scanner) tagEnd() (int, error) {
	i, quote := 1, byte(0)
	for {
		for ; s.start+i < s.end; i++ {
			c := s.buf[s.start+i]
			switch {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				if s.buf[s.start+1] != '!' {
					quote = c
				}
			case c == '>':
				return s.start + i, nil
			}
		}
		if err := s.fill(); errors.Is(err, io.EOF) {
			return 0, fmt.Errorf("%w: an unfinished tag", errXML)
		} else if err != nil {
			return 0, err
		}
	}
}

// readSpecial skips a comment; CDATA is text; a DOCTYPE is refused.
func (s *scanner) readSpecial(tag []byte) (token, error) {
	switch {
	case bytes.HasPrefix(tag, []byte("!--")):
		if len(tag) >= 5 && bytes.HasSuffix(tag, []byte("--")) {
			return 0, nil
		}
		return 0, s.skipTo("-->")
	case bytes.HasPrefix(tag, []byte("![CDATA[")) && bytes.HasSuffix(tag, []byte("]]")) && len(tag) >= 10:
		s.text = tag[8 : len(tag)-2]
		return tokenText, nil
	}
	return 0, fmt.Errorf("%w: a declaration that no spreadsheet writes", errXML)
}

// skipTo drops everything up to and with the mark.
func (s *scanner) skipTo(mark string) error {
	for {
		if i := bytes.Index(s.buf[s.start:s.end], []byte(mark)); i >= 0 {
			s.start += i + len(mark)
			return nil
		}
		s.start = max(s.start, s.end-len(mark)+1)
		if err := s.fill(); errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: an unfinished comment", errXML)
		} else if err != nil {
			return err
		}
	}
}

// attr returns an attribute of the tag by its name without prefix, as it stands
// in the XML but with entities resolved, or "".
func (s *scanner) attr(name string) string {
	v, _ := s.rawAttr(name)
	if bytes.IndexByte(v, '&') >= 0 {
		d := scanner{}
		if d.decode(bytes.Clone(v)) != nil {
			return ""
		}
		return string(d.text)
	}
	return string(v)
}

func (s *scanner) rawAttr(name string) ([]byte, bool) {
	b := s.attrs
	for {
		b = skipBlank(b)
		eq := bytes.IndexByte(b, '=')
		if eq < 0 {
			return nil, false
		}
		key := b[:eq]
		for len(key) > 0 && isBlank(key[len(key)-1]) {
			key = key[:len(key)-1]
		}
		if i := bytes.IndexByte(key, ':'); i >= 0 && !bytes.HasPrefix(key, []byte("xmlns")) {
			key = key[i+1:]
		}
		b = skipBlank(b[eq+1:])
		if len(b) < 2 || b[0] != '"' && b[0] != '\'' {
			return nil, false
		}
		end := bytes.IndexByte(b[1:], b[0])
		if end < 0 {
			return nil, false
		}
		if string(key) == name {
			return b[1 : 1+end], true
		}
		b = b[end+2:]
	}
}
