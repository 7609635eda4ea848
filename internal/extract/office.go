package extract

import (
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

// quiet are the parts of Office documents that hold no text of a person's.
var quiet = []string{"[Content_Types].xml", "/theme/", "/styles.xml", "/settings.xml", "/fontTable.xml", "/webSettings.xml",
	"/numbering.xml", "/calcChain.xml", "/stylesWithEffects.xml", "/presProps.xml", "/viewProps.xml", "/tableStyles.xml", "/metadata.xml",
	"/slideMasters/", "/slideLayouts/", "/printerSettings/"}

func isQuiet(name string) bool {
	return slices.ContainsFunc(quiet, func(q string) bool { return strings.Contains("/"+name, q) })
}

// office reads Word and PowerPoint: every part with text in it, whatever it is
// for.
func (j *job) office(data []byte, depth int) error {
	p, err := j.open(data, isXML)
	if err != nil {
		return err
	}
	for _, f := range p.files {
		var err error
		p.pictures = p.pictures || isPicture(f.Name)
		switch name := f.Name; {
		case strings.HasSuffix(name, ".rels"):
			err = p.attributes(name)
		case isXML(name) && !isQuiet(name):
			err = p.flow(name)
		case strings.Contains(name, "/embeddings/"), isChunk(name):
			err = p.embedded(name, depth)
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

// isChunk reports whether a part is a document of another format that Word shows
// as its own text.
func isChunk(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".mht", ".mhtml", ".htm", ".html", ".rtf", ".txt", ".docx", ".docm":
		return true
	}
	return false
}

// isPage reports whether a part of a document is what it is about.
func isPage(part string) bool {
	return strings.Contains(part, "word/document") || strings.Contains(part, "slides/slide")
}

// embedded reads a file inside a document.
func (p *parts) embedded(name string, depth int) error {
	if depth >= p.limits.Depth || mediaOf(name) == "" {
		p.whole = false
		return nil
	}
	return p.nested(p.named[name], name, depth)
}

// placeNames says where the parts of a document are.
var placeNames = []struct{ part, name string }{
	{"word/document", "正文"}, {"comments", "批注"}, {"Comments", "批注"}, {"word/header", "页眉"}, {"word/footer", "页脚"},
	{"footnotes", "脚注"}, {"endnotes", "尾注"}, {"slides/slide", "幻灯片"}, {"notesSlide", "演讲者备注"}, {"docProps", "文档属性"},
	{"drawing", "文本框"}, {"pivotCache", "数据透视表缓存"}, {"externalLink", "外部链接缓存"}, {"chart", "图表"}, {"custom", "自定义数据"},
}

func placeOf(part string) string {
	for _, known := range placeNames {
		if strings.Contains(part, known.part) {
			return known.name
		}
	}
	return path.Base(part)
}

// decoder reads a part's XML without resolving anything outside it.
func (p *parts) decoder(name string) (*xml.Decoder, io.Closer, error) {
	f := p.named[name]
	if f == nil {
		return nil, nil, errors.New("extract: no part " + name)
	}
	r, err := p.reader(f)
	if err != nil {
		return nil, nil, err
	}
	d := xml.NewDecoder(r)
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	return d, r, nil
}

// flow reads running text: paragraphs are lines, the cells of tables are parted
// by tabs and their rows are lines.
func (p *parts) flow(name string) error {
	d, c, err := p.decoder(name)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	w := flowWriter{}
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			if isPage(name) {
				p.letters += lettersIn(w.String())
			}
			return p.tell(placeOf(name), w.String())
		}
		if err != nil {
			return errors.Join(err, p.tell(placeOf(name), w.String()))
		}
		switch t := tok.(type) {
		case xml.StartElement:
			w.start(t)
		case xml.EndElement:
			w.end(t.Name.Local)
		case xml.CharData:
			w.text(string(t))
		}
	}
}

// flowWriter lays out the text of WordprocessingML and DrawingML, whose elements
// are called alike.
type flowWriter struct {
	strings.Builder
	cells int // of tables one is inside of
	extra int // columns a cell spans beyond its first
}

func (w *flowWriter) start(t xml.StartElement) {
	switch t.Name.Local {
	case "tc":
		w.cells++
		w.extra = 0
		w.span(t)
	case "gridSpan":
		w.span(t)
	case "br", "cr", "tab", "noBreakHyphen":
		w.WriteByte(' ')
	}
	for _, a := range t.Attr { // pictures' descriptions, properties kept as attributes
		if v := a.Value; a.Name.Local == "descr" || a.Name.Local == "title" || a.Name.Local == "author" {
			w.WriteString(" " + flat(v) + " ")
		}
	}
}

func (w *flowWriter) span(t xml.StartElement) {
	for _, a := range t.Attr {
		if n, err := strconv.Atoi(a.Value); err == nil && (a.Name.Local == "gridSpan" || t.Name.Local == "gridSpan" && a.Name.Local == "val") {
			w.extra = min(max(n-1, 0), 100)
		}
	}
}

func (w *flowWriter) end(name string) {
	switch name {
	case "p":
		if w.cells > 0 {
			w.WriteByte(' ')
		} else {
			w.WriteByte('\n')
		}
	case "tc":
		w.cells = max(w.cells-1, 0)
		w.WriteString(strings.Repeat("\t", 1+w.extra))
		w.extra = 0
	case "tr":
		if w.cells == 0 {
			w.WriteByte('\n')
		}
	}
}

func (w *flowWriter) text(s string) {
	if strings.TrimSpace(s) == "" && strings.ContainsAny(s, "\n\t") {
		return // indentation of the XML
	}
	w.WriteString(flat(s))
}

// loosely reads a part of any vocabulary: its text and its attributes, each a
// line.
func (p *parts) loosely(name string) error {
	d, c, err := p.decoder(name)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var b strings.Builder
	onPage := false // in the text of an OFD page
	line := func(s string) {
		if s = strings.TrimSpace(flat(s)); s != "" {
			b.WriteString(s + "\n")
		}
	}
	for {
		tok, err := d.RawToken()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, p.tell(placeOf(name), b.String()))
		}
		switch t := tok.(type) {
		case xml.StartElement:
			onPage = t.Name.Local == "TextCode"
			for _, a := range t.Attr {
				if len(a.Value) > 5 && a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					line(a.Value)
				}
			}
		case xml.CharData:
			if onPage {
				p.letters += lettersIn(string(t))
			}
			line(string(t))
		}
	}
}

// attributes reads where a document's links lead.
func (p *parts) attributes(name string) error {
	d, c, err := p.decoder(name)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var b strings.Builder
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return p.tell("链接", b.String())
		}
		if err != nil {
			return err
		}
		t, ok := tok.(xml.StartElement)
		if !ok || !slices.ContainsFunc(t.Attr, func(a xml.Attr) bool { return a.Name.Local == "TargetMode" }) {
			continue
		}
		for _, a := range t.Attr {
			if a.Name.Local == "Target" {
				b.WriteString(flat(a.Value) + "\n")
			}
		}
	}
}

// ofd reads OFD documents (GB/T 33190): the text codes of every page.
func (j *job) ofd(data []byte, depth int) error {
	p, err := j.open(data, isXML)
	if err != nil {
		return err
	}
	for _, f := range p.files {
		p.pictures = p.pictures || isPicture(f.Name)
		switch {
		case isXML(f.Name):
			if err := p.loosely(f.Name); err != nil {
				return err
			}
		case strings.Contains(f.Name, "Attach"):
			if err := p.embedded(f.Name, depth); err != nil {
				return err
			}
		}
	}
	if p.pictured() {
		j.whole = false
	}
	return nil
}
