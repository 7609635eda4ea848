package extract

import (
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
)

// The limits of a sheet: what lies beyond is not read.
const (
	maxBlankRows = 200_000 // of blank lines written for rows that are not there
	maxColumns   = 16_384
	maxStrings   = 24 << 20 // bytes of shared strings
)

// xlsx reads every sheet, hidden ones included, and every other part with text:
// comments, text boxes, cached copies of other data.
func (j *job) xlsx(data []byte, depth int) error {
	p, err := j.open(data, isXML)
	if err != nil {
		return err
	}
	s := &sheets{parts: p}
	if err := s.readStrings(); err != nil {
		return err
	}
	names, err := s.readNames()
	if err != nil {
		return err
	}
	for _, f := range p.files {
		var err error
		p.pictures = p.pictures || isPicture(f.Name)
		switch name := f.Name; {
		case strings.HasPrefix(name, "xl/worksheets/") && strings.HasSuffix(name, ".xml"), names[name] != "":
			err = s.sheet(name, names[name])
		case name == "xl/sharedStrings.xml", isQuiet(name):
		case strings.HasSuffix(name, ".rels"):
			err = p.attributes(name)
		case isXML(name):
			err = p.loosely(name)
		case strings.Contains(name, "/embeddings/"):
			err = p.embedded(name, depth)
		case strings.HasSuffix(name, ".bin") && !strings.Contains(name, "printerSettings"):
			j.whole = false
		}
		if err != nil {
			return err
		}
	}
	if p.pictured() {
		j.whole = false
	}
	return nil
}

type sheets struct {
	*parts
	strings []string
}

// readStrings reads the table of texts that cells refer to by number.
func (s *sheets) readStrings() error {
	if s.named["xl/sharedStrings.xml"] == nil {
		return nil
	}
	d, c, err := s.decoder("xl/sharedStrings.xml")
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var b strings.Builder
	size, inText, reading := 0, false, false // reading: of how it is pronounced
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			inText = t.Name.Local == "t" && !reading
			reading = reading || t.Name.Local == "rPh"
		case xml.CharData:
			if inText {
				b.Write(t)
			}
		case xml.EndElement:
			inText = false
			reading = reading && t.Name.Local != "rPh"
			if t.Name.Local == "si" {
				if size += b.Len(); size > maxStrings {
					return errLimit
				}
				s.strings = append(s.strings, flat(b.String()))
				b.Reset()
			}
		}
	}
}

// readNames returns the names of the sheets by the parts they are in.
func (s *sheets) readNames() (map[string]string, error) {
	ids, names := map[string]string{}, map[string]string{}
	err := s.elements("xl/workbook.xml", "sheet", func(attr func(string) string) {
		ids[attr("id")] = attr("name")
	})
	if err != nil {
		return nil, err
	}
	err = s.elements("xl/_rels/workbook.xml.rels", "Relationship", func(attr func(string) string) {
		if name := ids[attr("Id")]; name != "" {
			target := attr("Target")
			if !strings.HasPrefix(target, "/") {
				target = path.Join("xl", target)
			}
			names[strings.TrimPrefix(target, "/")] = name
		}
	})
	return names, err
}

func (s *sheets) elements(part, element string, f func(attr func(string) string)) error {
	if s.named[part] == nil {
		return nil
	}
	d, c, err := s.decoder(part)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t, ok := tok.(xml.StartElement); ok && t.Name.Local == element {
			f(func(name string) string { return attribute(t, name) })
		}
	}
}

func attribute(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// sheet reads the rows of one sheet. What stands outside the grid – headers,
// footers, prompts of validations – follows below it.
func (s *sheets) sheet(part, name string) error {
	d, c, err := s.decoder(part)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	g := grid{sheets: s, where: "工作表“" + name + "”", row: 1}
	if name == "" {
		g.where = "工作表"
	}
	for n := 0; ; n++ {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return g.flush(true)
		}
		if err != nil {
			return errors.Join(err, g.flush(true))
		}
		switch t := tok.(type) {
		case xml.StartElement:
			g.start(t)
		case xml.EndElement:
			g.end(t.Name.Local)
		case xml.CharData:
			g.chars(t)
		}
		if n%1024 == 0 {
			if err := g.flush(false); err != nil {
				return err
			}
		}
	}
}

// grid writes cells at their places.
type grid struct {
	*sheets
	where   string
	text    strings.Builder
	outside strings.Builder
	row     int // the line being written, from 1
	col     int // the last cell written, from 0
	next    int // the column of a cell that does not say its own
	blanks  int

	inCell, inValue bool
	inFormula       bool
	kind            string
	at              int // column of the cell
	value           strings.Builder
}

func (g *grid) start(t xml.StartElement) {
	switch t.Name.Local {
	case "row":
		if n, err := strconv.Atoi(attribute(t, "r")); err == nil {
			for g.row < n && g.blanks < maxBlankRows {
				g.text.WriteByte('\n')
				g.row++
				g.blanks++
			}
		}
		g.col, g.next = 0, 0
	case "c":
		g.inCell, g.kind = true, attribute(t, "t")
		g.value.Reset()
		if g.at = columnOf(attribute(t, "r")); g.at < 0 {
			g.at = g.next
		}
		g.next = g.at + 1
	case "v", "t":
		g.inValue = g.inCell
	case "f":
		g.inFormula = g.inCell
	case "dataValidation":
		for _, a := range t.Attr {
			if a.Name.Local == "prompt" || a.Name.Local == "error" {
				g.outside.WriteString(flat(a.Value) + "\n")
			}
		}
	}
}

func (g *grid) chars(t []byte) {
	switch {
	case g.inValue:
		g.value.Write(t)
	case g.inFormula: // what it says besides what it came to
		if manyDigits(t) {
			g.outside.WriteString(flat(string(t)) + "\n")
		}
	case !g.inCell && len(strings.TrimSpace(string(t))) > 5:
		g.outside.WriteString(flat(string(t)) + "\n")
	}
}

func (g *grid) end(name string) {
	switch name {
	case "v", "t":
		g.inValue = false
	case "f":
		g.inFormula = false
	case "c":
		g.inCell = false
		text := g.value.String()
		if g.kind == "s" {
			text = ""
			if i, err := strconv.Atoi(strings.TrimSpace(g.value.String())); err == nil && i >= 0 && i < len(g.strings) {
				text = g.strings[i]
			}
		}
		if text == "" {
			return
		}
		for ; g.col < g.at; g.col++ {
			g.text.WriteByte('\t')
		}
		text = flat(plainNumber(g.kind, text))
		g.letters += lettersIn(text)
		g.text.WriteString(text)
	case "row":
		g.text.WriteByte('\n')
		g.row++
	}
}

// manyDigits reports whether a formula holds as many digits as the shortest
// number of a person's; most refer to cells and have few.
func manyDigits(t []byte) bool {
	n := 0
	for _, c := range t {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n >= 7
}

// plainNumber writes out a number that is kept with an exponent: a mobile or an
// ID number typed as one.
func plainNumber(kind, text string) string {
	if kind != "" && kind != "n" || !strings.ContainsAny(text, "eE") {
		return text
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || v < 1e6 || v > 1e19 {
		return text
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// columnOf reads the letters of a reference such as AB12: A is 0, and -1 is
// none.
func columnOf(ref string) int {
	n := 0
	for i := range len(ref) {
		c := ref[i]
		if c < 'A' || c > 'Z' {
			break
		}
		n = n*26 + int(c-'A') + 1
		if n > maxColumns {
			return -1
		}
	}
	return n - 1
}

// flush hands over what was written, all at the end and else when it is much.
func (g *grid) flush(end bool) error {
	if !end && g.text.Len() < g.limits.Part {
		return g.ctx.Err()
	}
	text := g.text.String()
	g.text.Reset()
	if err := g.tell(g.where, text); err != nil || !end {
		return err
	}
	return g.tell(g.where+"的页眉页脚和提示", g.outside.String())
}
