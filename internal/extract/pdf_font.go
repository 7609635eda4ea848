package extract

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// font turns the codes of a content stream into text.
type font struct {
	wide     bool // two-byte codes, or as codes says
	codes    []codeRange
	unicode  map[uint32]string // from ToUnicode
	legacy   func([]byte) (string, bool)
	simple   *[256]string
	widths   map[uint32]float64 // in thousandths of the size
	usual    float64
	symbol   bool // pictures for letters: what is not known is no text
	unmapped int
}

// codeRange says how many bytes a code has.
type codeRange struct {
	bytes    int
	low, top uint32
}

func (d *document) font(v any) *font {
	def := d.dict(v)
	f := &font{unicode: map[uint32]string{}, widths: map[uint32]float64{}, usual: 500}
	base, _ := d.resolve(def["BaseFont"]).(name)
	f.symbol = strings.Contains(string(base), "Symbol") || strings.Contains(string(base), "ingdings") || strings.Contains(string(base), "Dingbats")
	if s, ok := d.resolve(def["ToUnicode"]).(stream); ok {
		if body, err := d.decode(s); err == nil {
			f.readCMap(body)
		}
	}
	if def["Subtype"] == name("Type0") {
		d.composite(f, def)
	} else {
		d.plainFont(f, def)
	}
	return f
}

// composite prepares a font of two-byte codes.
func (d *document) composite(f *font, def dict) {
	f.wide, f.usual = true, 1000
	descendants := d.list(def["DescendantFonts"])
	if len(descendants) == 0 {
		return
	}
	cid := d.dict(descendants[0])
	if dw, ok := d.resolve(cid["DW"]).(float64); ok {
		f.usual = dw
	}
	d.cidWidths(f, d.list(cid["W"]))
	switch encoding := d.resolve(def["Encoding"]).(type) {
	case name:
		f.legacy = predefined(string(encoding))
		if f.legacy == nil && strings.HasPrefix(string(encoding), "Identity") && d.ordering(cid) == "GB1" {
			f.legacy = gb1
		}
	case stream:
		if body, err := d.decode(encoding); err == nil && len(f.codes) == 0 {
			var inner font
			inner.readCMap(body)
			f.codes = inner.codes
		}
	}
}

func (d *document) ordering(cid dict) string {
	t, _ := d.resolve(d.dict(cid["CIDSystemInfo"])["Ordering"]).(text)
	return string(t)
}

func (d *document) cidWidths(f *font, w list) {
	for i := 0; i+1 < len(w) && len(f.widths) < 65_536; {
		first := uint32(d.number(w[i]))
		if row := d.list(w[i+1]); row != nil {
			for n, v := range row {
				f.widths[first+uint32(n)] = d.number(v)
			}
			i += 2
			continue
		}
		if i+2 >= len(w) {
			return
		}
		last, v := uint32(d.number(w[i+1])), d.number(w[i+2])
		for c := first; c <= last && c-first < 65_536; c++ {
			f.widths[c] = v
		}
		i += 3
	}
}

// predefined returns the decoder of the named encodings for Chinese.
func predefined(encoding string) func([]byte) (string, bool) {
	switch {
	case strings.HasPrefix(encoding, "GB") && !strings.HasPrefix(encoding, "GBT"):
		return func(b []byte) (string, bool) {
			s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
			return string(s), err == nil
		}
	case strings.HasPrefix(encoding, "Uni") && (strings.Contains(encoding, "UCS2") || strings.Contains(encoding, "UTF16")):
		return func(b []byte) (string, bool) { return decodeUTF16(b, true), true }
	}
	return nil
}

// gb1 knows the Latin letters and digits of the collection Adobe-GB1: the rest
// of a font without a mapping stays unknown.
func gb1(b []byte) (string, bool) {
	var out strings.Builder
	known := true
	for i := 0; i+1 < len(b); i += 2 {
		switch cid := int(b[i])<<8 | int(b[i+1]); {
		case cid >= 1 && cid <= 95:
			out.WriteByte(byte(cid + 31))
		case cid >= 814 && cid <= 908:
			out.WriteByte(byte(cid - 814 + 32))
		default:
			known = false
			out.WriteRune('\uFFFD')
		}
	}
	return out.String(), known
}

// plainFont prepares a font of one-byte codes.
func (d *document) plainFont(f *font, def dict) {
	f.simple = new([256]string)
	embedded := false
	descriptor := d.dict(def["FontDescriptor"])
	for _, key := range []name{"FontFile", "FontFile2", "FontFile3"} {
		embedded = embedded || descriptor[key] != nil
	}
	encoding := d.resolve(def["Encoding"])
	if encoding != nil || !embedded || len(f.unicode) > 0 {
		for c := 32; c < 256; c++ {
			f.simple[c] = string(charmap.Windows1252.DecodeByte(byte(c)))
		}
	}
	if e, ok := encoding.(dict); ok {
		code := 0
		for _, v := range d.list(e["Differences"]) {
			switch v := d.resolve(v).(type) {
			case float64:
				code = int(v)
			case name:
				if code >= 0 && code < 256 {
					f.simple[code] = glyph(string(v))
				}
				code++
			}
		}
	}
	first := int(d.number(def["FirstChar"]))
	for i, w := range d.list(def["Widths"]) {
		f.widths[uint32(first+i)] = d.number(w)
	}
}

var glyphNames = map[string]string{"zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6",
	"seven": "7", "eight": "8", "nine": "9", "space": " ", "hyphen": "-", "minus": "-", "period": ".", "comma": ",", "colon": ":",
	"parenleft": "(", "parenright": ")", "slash": "/", "at": "@", "underscore": "_", "endash": "–", "emdash": "—", "plus": "+",
	"asterisk": "*", "percent": "%", "semicolon": ";", "nbspace": " ", "quotesingle": "'", "quotedbl": "\"", "ampersand": "&",
	"bullet": "•", "equal": "=", "less": "<", "greater": ">", "question": "?", "exclam": "!", "numbersign": "#", "dollar": "$",
	"bracketleft": "[", "bracketright": "]", "bar": "|", "tilde": "~", "quoteleft": "‘", "quoteright": "’", "quotedblleft": "“",
	"quotedblright": "”", "backslash": "\\", "braceleft": "{", "braceright": "}", "asciitilde": "~", "periodcentered": "·"}

// glyph returns the character a glyph is named after, or "".
func glyph(n string) string {
	base, _, _ := strings.Cut(n, ".")
	if s, ok := glyphNames[base]; ok {
		return s
	}
	if len(base) == 1 {
		return base
	}
	for _, prefix := range []string{"uni", "u"} {
		if digits, ok := strings.CutPrefix(base, prefix); ok && len(digits) >= 4 && len(digits) <= 6 {
			if v, err := strconv.ParseUint(digits, 16, 32); err == nil {
				return string(rune(v))
			}
		}
	}
	return ""
}

// maxMapping bounds a font's table.
const maxMapping = 70_000

// readCMap reads how codes become text (ISO 32000-1 §9.10.3).
func (f *font) readCMap(body []byte) {
	l := lexer{data: body}
	var args []any
	for {
		v := l.next()
		if e, ok := v.(end); ok {
			if e == 0 {
				return
			}
			continue
		}
		op, ok := v.(operator)
		if !ok {
			if args = append(args, v); len(args) > maxMapping {
				return
			}
			continue
		}
		switch op {
		case "endcodespacerange":
			for i := 0; i+1 < len(args); i += 2 {
				low, _ := args[i].(text)
				top, _ := args[i+1].(text)
				f.codes = append(f.codes, codeRange{len(low), code(low), code(top)})
			}
		case "endbfchar":
			for i := 0; i+1 < len(args); i += 2 {
				from, _ := args[i].(text)
				to, _ := args[i+1].(text)
				f.unicode[code(from)] = decodeUTF16(to, true)
			}
		case "endbfrange":
			for i := 0; i+2 < len(args); i += 3 {
				f.mapRange(args[i], args[i+1], args[i+2])
			}
		}
		args = args[:0]
	}
}

func (f *font) mapRange(low, top, to any) {
	a, _ := low.(text)
	b, _ := top.(text)
	first, last := code(a), code(b)
	if last < first || last-first > 65_535 || len(f.unicode) > maxMapping {
		return
	}
	switch to := to.(type) {
	case text:
		units := utf16.Encode([]rune(decodeUTF16(to, true)))
		for c := first; c <= last && len(units) > 0; c++ {
			f.unicode[c] = string(utf16.Decode(units))
			units[len(units)-1]++
		}
	case list:
		for i, v := range to {
			if t, ok := v.(text); ok && first+uint32(i) <= last {
				f.unicode[first+uint32(i)] = decodeUTF16(t, true)
			}
		}
	}
}

func code(b []byte) uint32 {
	var v uint32
	for _, c := range b[:min(len(b), 4)] {
		v = v<<8 | uint32(c)
	}
	return v
}

// decode turns the bytes of a shown string into text, and returns how wide it is
// in thousandths of the size.
func (f *font) decode(b []byte) (string, float64) {
	var out strings.Builder
	width := 0.0
	if f.legacy != nil && len(f.unicode) == 0 {
		s, known := f.legacy(b)
		if !known {
			f.unmapped += strings.Count(s, "\uFFFD")
		}
		for _, r := range s {
			if width += 1000; r < 0x80 {
				width -= 500
			}
		}
		return s, width
	}
	for i := 0; i < len(b); {
		n := f.codeLength(b[i:])
		c := code(b[i : i+n])
		i += n
		w, ok := f.widths[c]
		if !ok {
			w = f.usual
		}
		width += w
		out.WriteString(f.char(c))
	}
	return out.String(), width
}

func (f *font) codeLength(b []byte) int {
	for _, r := range f.codes {
		if r.bytes > 0 && r.bytes <= 4 && r.bytes <= len(b) {
			if c := code(b[:r.bytes]); c >= r.low && c <= r.top {
				return r.bytes
			}
		}
	}
	if f.wide {
		return min(2, len(b))
	}
	return 1
}

func (f *font) char(c uint32) string {
	if s, ok := f.unicode[c]; ok {
		return s
	}
	if f.simple != nil && c < 256 && f.simple[c] != "" {
		return f.simple[c]
	}
	if c != 0 && c != 32 && !f.symbol {
		f.unmapped++
	}
	return "\uFFFD"
}
