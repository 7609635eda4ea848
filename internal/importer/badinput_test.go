package importer_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
)

const failureType = "construction.tender_failure"

// repeated is a reader of n times a text: what a bomb inflates to.
type repeated struct {
	text string
	n    int
	rest string
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.rest == "" {
		if r.n == 0 {
			return 0, io.EOF
		}
		r.n--
		r.rest = r.text
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// rows is a reader of numbered rows.
func rows(from, to int, format string) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		for i := from; i < to; i++ {
			if _, err := fmt.Fprintf(pw, format, i, i); err != nil {
				return
			}
		}
		_ = pw.Close()
	}()
	return pr
}

// replaced is the workbook with the parts named put in the place of its own, or
// added.
func replaced(t testing.TB, data []byte, parts map[string]io.Reader) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) { return flate.NewWriter(to, flate.BestSpeed) })
	write := func(name string, from io.Reader) {
		to, err := w.Create(name)
		if err == nil {
			_, err = io.Copy(to, from)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range r.File {
		if _, ok := parts[f.Name]; ok {
			continue
		}
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		write(f.Name, from)
	}
	for name, from := range parts {
		write(name, from)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const (
	sheetHead = `<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:Z1048576"/><sheetData>`
	sheetTail = `</sheetData></worksheet>`
	sheet1    = "xl/worksheets/sheet1.xml"
	sstPart   = "xl/sharedStrings.xml"
)

func sheetOf(body io.Reader) io.Reader {
	return io.MultiReader(strings.NewReader(sheetHead), body, strings.NewReader(sheetTail))
}

// bombs are workbooks far larger inside than outside.
func (d *desk) bombs(t testing.TB) map[string][]byte {
	t.Helper()
	blank := save(t, d.template(t, failureType))
	head := d.headRows(t, failureType, 0)
	const row = `<row r="%d"><c r="B%d" t="inlineStr"><is><t>甲</t></is></c></row>`
	return map[string][]byte{
		"half a gigabyte of blanks":      replaced(t, blank, map[string]io.Reader{sheet1: sheetOf(&repeated{text: strings.Repeat(" ", 1<<16), n: 1 << 13})}),
		"a cell of 200 megabytes":        replaced(t, blank, map[string]io.Reader{sheet1: sheetOf(io.MultiReader(strings.NewReader(`<row r="1"><c r="A1" t="inlineStr"><is><t>`), &repeated{text: strings.Repeat("x", 1<<16), n: 3200}, strings.NewReader(`</t></is></c></row>`)))}),
		"a million rows":                 replaced(t, blank, map[string]io.Reader{sheet1: sheetOf(io.MultiReader(strings.NewReader(head), rows(4, 1_000_000, row)))}),
		"a million rows, said to be one": replaced(t, blank, map[string]io.Reader{sheet1: io.MultiReader(strings.NewReader(strings.Replace(sheetHead, "A1:Z1048576", "A1", 1)+head), rows(4, 1_000_000, row), strings.NewReader(sheetTail))}),
		"a million blank rows":           replaced(t, blank, map[string]io.Reader{sheet1: sheetOf(io.MultiReader(strings.NewReader(head), rows(4, 1_048_576, `<row r="%d" spans="1:9"><c r="B%d" s="1"/></row>`)))}),
		"ten million rows without r":     replaced(t, blank, map[string]io.Reader{sheet1: sheetOf(&repeated{text: strings.Repeat("<row/>", 1000), n: 10_000})}),
		"a hundred megabytes strings":    replaced(t, blank, map[string]io.Reader{sstPart: io.MultiReader(strings.NewReader("<sst>"), &repeated{text: "<si><t>" + strings.Repeat("x", 10_000) + "</t></si>", n: 10_000}, strings.NewReader("</sst>"))}),
		"ten million empty strings":      replaced(t, blank, map[string]io.Reader{sstPart: io.MultiReader(strings.NewReader("<sst>"), &repeated{text: "<si/>", n: 10_000_000}, strings.NewReader("</sst>"))}),
		"a hundred thousand styles":      replaced(t, blank, map[string]io.Reader{"xl/styles.xml": io.MultiReader(strings.NewReader("<styleSheet><cellXfs>"), &repeated{text: `<xf numFmtId="14"/>`, n: 5_000_000}, strings.NewReader("</cellXfs></styleSheet>"))}),
		"a tag without an end":           replaced(t, blank, map[string]io.Reader{sheet1: sheetOf(io.MultiReader(strings.NewReader("<row "), &repeated{text: strings.Repeat("x", 1<<16), n: 1600}))}),
		"a comment without an end":       replaced(t, blank, map[string]io.Reader{sheet1: sheetOf(io.MultiReader(strings.NewReader("<!-- > "), &repeated{text: strings.Repeat("x", 1<<16), n: 1600}))}),
		"rows of text for a table":       replaced(t, save(t, d.template(t, "housing.allocation_result")), map[string]io.Reader{"xl/worksheets/sheet2.xml": sheetOf(io.MultiReader(strings.NewReader(d.headRows(t, "housing.allocation_result", 1)), rows(4, 50_000, `<row r="%d"><c r="C%d" t="inlineStr"><is><t>`+strings.Repeat("某", 1500)+`</t></is></c></row>`)))}),
		"many merged cells":              replaced(t, blank, map[string]io.Reader{sheet1: io.MultiReader(strings.NewReader(sheetHead+head+`</sheetData><mergeCells>`), rows(1, 1_000_000, `<mergeCell ref="A%d:Z%d"/>`), strings.NewReader("</mergeCells></worksheet>"))}),
		"an archive of many files":       crowded(60_000),
		"declared small":                 lying(t, replaced(t, blank, map[string]io.Reader{sheet1: sheetOf(&repeated{text: strings.Repeat(" ", 1<<16), n: 1 << 12})})),
	}
}

// headRows are the key row and the heads of a sheet of a template as XML.
func (d *desk) headRows(t testing.TB, code string, sheet int) string {
	t.Helper()
	f := d.template(t, code)
	lines, err := f.GetRows(f.GetSheetName(sheet))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i, cells := range lines[:2] {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for _, c := range cells {
			fmt.Fprintf(&b, `<c t="inlineStr"><is><t>%s</t></is></c>`, c)
		}
		b.WriteString("</row>")
	}
	return b.String()
}

// crowded is an archive whose table of contents alone has n entries.
func crowded(n int) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		_, _ = w.CreateRaw(&zip.FileHeader{Name: fmt.Sprint("x/", i)}) // a buffer takes everything
	}
	_ = w.Close()
	return b.Bytes()
}

// lying is the workbook with every declared size set to a thousand bytes.
func lying(t testing.TB, data []byte) []byte {
	t.Helper()
	out := bytes.Clone(data)
	for at := 0; ; {
		i := bytes.Index(out[at:], []byte("PK\x01\x02"))
		if i < 0 {
			return out
		}
		at += i + 4
		if binary.LittleEndian.Uint32(out[at+20:]) > 1<<20 {
			binary.LittleEndian.PutUint32(out[at+20:], 1000)
		}
	}
}

// TestBombs: a workbook far larger inside than outside is refused with advice,
// and the answer costs no more than 64 MiB of memory.
func TestBombs(t *testing.T) {
	d := newDesk(t)
	for name, data := range d.bombs(t) {
		t.Run(name, func(t *testing.T) {
			if len(data) > 20<<20 {
				t.Fatalf("the bomb has %d bytes", len(data))
			}
			peak := peakOf(func() {
				_, err := d.DryRun(t.Context(), editor, "a.xlsx", "", data)
				if name != "a million blank rows" && name != "ten million rows without r" {
					refused(t, err, disclosure.CodeImportFile)
				}
			})
			if peak > 64<<20 {
				t.Errorf("took %d MiB", peak>>20)
			}
		})
	}
}

// peakOf measures by how much the heap grows at most while f runs.
func peakOf(f func()) uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, peak := m.HeapInuse, uint64(0)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(done)
	<-stopped
	return max(peak, before) - before
}

// TestFilesThatAreNone are refused with a reason, whatever they pretend.
func TestFilesThatAreNone(t *testing.T) {
	d := newDesk(t)
	blank := save(t, d.template(t, failureType))
	with := func(parts map[string]string) []byte {
		readers := map[string]io.Reader{}
		for name, text := range parts {
			readers[name] = strings.NewReader(text)
		}
		return replaced(t, blank, readers)
	}
	doubled := func() []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for range 2 {
			to, _ := w.Create(sheet1)
			_, _ = to.Write([]byte(sheetHead + sheetTail))
		}
		_ = w.Close()
		return b.Bytes()
	}()
	for name, data := range map[string][]byte{
		"a name that climbs out":       with(map[string]string{"../../etc/cron.d/x": "x"}),
		"an absolute name":             with(map[string]string{"/etc/passwd": "x"}),
		"a name of another system":     with(map[string]string{`..\x`: "x"}),
		"a drive":                      with(map[string]string{`C:x`: "x"}),
		"two parts of one name":        doubled,
		"entities of its own":          with(map[string]string{sheet1: `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>` + sheetHead + sheetTail}),
		"an unknown entity":            with(map[string]string{sheet1: sheetHead + `<row r="1"><c r="A1" t="str"><v>&xxe;</v></c></row>` + sheetTail}),
		"a row that goes back":         with(map[string]string{sheet1: sheetHead + `<row r="5"/><row r="4"/>` + sheetTail}),
		"a column that goes back":      with(map[string]string{sheet1: sheetHead + `<row r="5"><c r="C5"/><c r="B5"/></row>` + sheetTail}),
		"a string that is not there":   with(map[string]string{sheet1: sheetHead + `<row r="1"><c r="A1" t="s"><v>99999</v></c></row>` + sheetTail}),
		"a number that is none":        with(map[string]string{sheet1: sheetHead + `<row r="1"><c r="A1"><v>1e</v></c></row>` + sheetTail}),
		"broken UTF-8":                 with(map[string]string{sheet1: sheetHead + "<row r=\"1\"><c r=\"A1\" t=\"str\"><v>\xff</v></c></row>" + sheetTail}),
		"no sheets":                    with(map[string]string{"xl/workbook.xml": "<workbook/>"}),
		"a sheet that is not there":    with(map[string]string{"xl/_rels/workbook.xml.rels": "<Relationships/>"}),
		"cut off":                      blank[:len(blank)/2],
		"more than 20 MB":              append(bytes.Clone(blank), make([]byte, 20<<20)...),
		"text of an unknown encoding":  []byte("\x80\x80\xff\xff\x81"),
		"CSV with an open quote":       []byte("标题,公开主体,信息来源\n\"甲,乙,丙\n"),
		"a picture":                    []byte("\x89PNG\r\n\x1a\n\x00\x00"),
		"a row of three hundred cells": with(map[string]string{sheet1: sheetHead + `<row r="1"><c r="ZZ1" t="str"><v>x</v></c></row>` + sheetTail}),
	} {
		t.Run(name, func(t *testing.T) {
			file := "a.xlsx"
			if !bytes.HasPrefix(data, []byte("PK")) {
				file = "a.csv"
			}
			_, err := d.DryRun(t.Context(), editor, file, failureType, data)
			refused(t, err, disclosure.CodeImportFile)
		})
	}
	for file, word := range map[string]string{"a.xls": "另存为", "a.et": "另存为", "a.docx": "模板", "a.pdf": "模板", "a.xlsx": "另存为"} {
		_, err := d.DryRun(t.Context(), editor, file, "", []byte("\x00whatever"))
		refused(t, err, disclosure.CodeImportFile)
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", file, err)
		}
	}
}
