package extract

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

const (
	// fewLetters is what a page with a picture has at most when the picture is
	// what one reads.
	fewLetters = 20
	// fewUnknown is how many characters without a meaning a font may have: bullets
	// and ornaments, less than a number.
	fewUnknown = 8
	maxForms   = 8 // forms drawn inside one another
)

// pdf reads the text of every page, and what stands beside it: notes, fields,
// properties, attached files.
func (j *job) pdf(data []byte, depth int) error {
	d, err := j.openPDF(data)
	if err != nil {
		return err
	}
	if d.encrypted {
		j.whole = false
		return nil
	}
	fonts := map[ref]*font{}
	for i, n := range d.pages() {
		pg := &page{document: d, fonts: fonts}
		if err := pg.read(d.dict(ref(n))); err != nil {
			return err
		}
		if pg.pictures && len([]rune(strings.TrimSpace(pg.out.String()))) < fewLetters {
			j.whole = false
		}
		// Browsers write 人 as the radical ⼈ and ligatures as one character.
		if err := j.tell(fmt.Sprintf("第 %d 页", i+1), norm.NFKC.String(pg.out.String())); err != nil {
			return err
		}
	}
	for _, f := range fonts {
		if f.unmapped >= fewUnknown {
			j.whole = false
		}
	}
	return d.beside(depth)
}

// pages returns the numbers of the pages in reading order: those of the tree
// first, and then any that are in the file and not in the tree.
func (d *document) pages() []int {
	var order []int
	seen := map[int]bool{}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		r, ok := v.(ref)
		if !ok || seen[int(r)] || depth > 64 {
			return
		}
		seen[int(r)] = true
		node := d.dict(r)
		if node["Kids"] == nil {
			order = append(order, int(r))
			return
		}
		for _, kid := range d.list(node["Kids"]) {
			walk(kid, depth+1)
		}
	}
	walk(d.dict(d.trailer["Root"])["Pages"], 0)
	for _, n := range d.numbers() {
		if !seen[n] && d.dict(ref(n))["Type"] == name("Page") {
			seen[n] = true
			order = append(order, n)
		}
	}
	return order
}

// numbers lists all objects.
func (d *document) numbers() []int {
	all := maps.Clone(d.at)
	for n := range d.packed {
		all[n] = 0
	}
	return slices.Sorted(maps.Keys(all))
}

// beside reads what no page draws: notes, values of fields, properties, and
// files that are attached.
func (d *document) beside(depth int) error {
	var b strings.Builder
	for _, n := range d.numbers() {
		if err := d.ctx.Err(); err != nil {
			return err
		}
		switch v := d.object(n).(type) {
		case dict:
			d.strings(&b, v)
		case stream:
			if err := d.besideStream(&b, v, depth); err != nil {
				return err
			}
		}
	}
	return d.tell("批注、表单和文档属性", b.String())
}

func (d *document) besideStream(b *strings.Builder, s stream, depth int) error {
	switch {
	case s.dict["Type"] == name("EmbeddedFile"):
		body, err := d.decode(s)
		if err != nil || depth >= d.limits.Depth {
			return errLimit
		}
		d.read(sniff(body), body, depth+1)
	case s.dict["Type"] == name("Metadata"):
		body, err := d.decode(s)
		if err != nil {
			return err
		}
		b.WriteString(strings.ToValidUTF8(string(body), " ") + "\n")
	}
	return nil
}

// sniff tells the kind of an attached file from its beginning.
func sniff(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("%PDF")):
		return mediaPDF
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) && bytes.Contains(data, []byte("xl/workbook.xml")):
		return mediaXLSX
	case bytes.HasPrefix(data, []byte("PK\x03\x04")) && bytes.Contains(data, []byte("word/document.xml")):
		return mediaDOCX
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return mediaZIP
	case bytes.IndexByte(data, 0) < 0:
		return mediaText
	}
	return ""
}

// besideKeys are the members that hold words of a person's.
var besideKeys = []name{"Contents", "V", "DV", "Title", "Author", "Subject", "Keywords", "TU", "RC", "URI", "ActualText", "Alt"}

func (d *document) strings(b *strings.Builder, v dict) {
	for _, key := range besideKeys {
		if t, ok := d.resolve(v[key]).(text); ok && len(t) > 0 {
			b.WriteString(flat(textString(t)) + "\n")
		}
	}
	if a := d.dict(v["A"]); a["URI"] != nil {
		if t, ok := d.resolve(a["URI"]).(text); ok {
			b.WriteString(flat(string(t)) + "\n")
		}
	}
}

// textString decodes a string outside the pages: UTF-16 or UTF-8 with a mark,
// or nearly Latin-1.
func textString(t text) string {
	if bytes.HasPrefix(t, []byte{0xFE, 0xFF}) || bytes.HasPrefix(t, []byte{0xFF, 0xFE}) || bytes.HasPrefix(t, []byte{0xEF, 0xBB, 0xBF}) {
		return Decode(t)
	}
	var b strings.Builder
	for _, c := range t {
		b.WriteRune(rune(c))
	}
	return b.String()
}
