package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gongkai/internal/disclosure"
)

func catalogue(t testing.TB) *disclosure.Catalog {
	t.Helper()
	defs, err := disclosure.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	c, err := disclosure.NewCatalog(defs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// readAll reads every sheet of a file; it may fail, but only as a file does that
// is none, and with lines in order.
func readAll(t *testing.T, grids []grid) {
	t.Helper()
	for _, g := range grids {
		for range 2 {
			last := 0
			err := g.rows(func(l *line) error {
				if l.n <= last || len(l.cells) == 0 {
					t.Fatalf("row %d after %d, %d cells", l.n, last, len(l.cells))
				}
				last = l.n
				for i, c := range l.cells {
					if !utf8.ValidString(c.text) || i > 0 && c.col <= l.cells[i-1].col {
						t.Fatalf("row %d: %+v", l.n, l.cells)
					}
				}
				return nil
			})
			if err == nil {
				break
			}
			if !errors.Is(err, errAgain) && !errors.Is(err, &disclosure.Error{Code: disclosure.CodeImportFile}) {
				t.Fatal(err)
			}
		}
	}
}

// FuzzWorkbook opens anything as a workbook.
func FuzzWorkbook(f *testing.F) {
	c := catalogue(f)
	for _, code := range []string{"construction.tender_failure", "housing.allocation_result"} {
		typ, err := c.Type(code)
		if err != nil {
			f.Fatal(err)
		}
		data, err := Template(c, typ, time.Unix(1_795_000_000, 0))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := openWorkbook(data)
		if err != nil {
			if !errors.Is(err, &disclosure.Error{Code: disclosure.CodeImportFile}) {
				t.Fatal(err)
			}
			return
		}
		var grids []grid
		for _, s := range w.sheets {
			grids = append(grids, s)
		}
		readAll(t, grids)
	})
}

// FuzzScanner reads anything as XML: no text is lost or made up, and what it
// takes for well-formed ends.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{`<a b="1&amp;2" c='>'>x&lt;y<!-- > --><d/></a >`, `<?xml version="1.0"?><x:row x:r="5"><![CDATA[z]]></x:row>`, "<a>\xe4\xb8\xad</a>", "<!DOCTYPE a>", "<a b", "&#x4e2d;&bad;"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		whole, err := tokens(bytes.NewReader(data))
		pieces, err2 := tokens(&stepReader{data, max(1, step%7)})
		if (err == nil) != (err2 == nil) || err == nil && whole != pieces {
			t.Errorf("at once %q, %v; in pieces %q, %v", whole, err, pieces, err2)
		}
	})
}

// stepReader hands out a few bytes at a time.
type stepReader struct {
	data []byte
	step int
}

func (r *stepReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.data[:min(r.step, len(r.data))])
	r.data = r.data[n:]
	return n, nil
}

func tokens(r io.Reader) (string, error) {
	s := newScanner(r)
	var b strings.Builder
	for {
		t, err := s.next()
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch t {
		case tokenStart:
			b.WriteString("<" + string(s.name) + s.attr("r") + ">")
		case tokenEnd:
			b.WriteString("</" + string(s.name) + ">")
		case tokenText:
			b.Write(s.text)
		}
	}
}

// FuzzCSV reads anything as CSV: what the writer of the standard library makes
// of it comes back row for row.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"标题,来源\n甲,\"乙\n丙\"\n\n丁,戊\n", "\xef\xbb\xbfa;b\n1;2", "\xb1\xea\xcc\xe2,\xc0\xb4\xd4\xb4\n", "a\tb\n\"x\"\"y\"\tz", "\xff\xfea\x00,\x00b\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := openCSV(data)
		if err != nil {
			if !errors.Is(err, &disclosure.Error{Code: disclosure.CodeImportFile}) {
				t.Fatal(err)
			}
			return
		}
		readAll(t, []grid{c})
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		rows := 0
		err = c.rows(func(l *line) error {
			record := make([]string, 3)
			for _, x := range l.cells {
				record[x.col%3] = x.text
			}
			rows++
			return w.Write(record)
		})
		if w.Flush(); err != nil || rows == 0 {
			return
		}
		again, n := &csvFile{text: b.Bytes(), comma: ','}, 0
		if err := again.rows(func(*line) error { n++; return nil }); err != nil || n != rows {
			t.Errorf("%d rows became %d, %v", rows, n, err)
		}
	})
}

// FuzzMoment: what is taken for a date is one of the calendar, and is read again
// as itself.
func FuzzMoment(f *testing.F) {
	for _, s := range []string{"2026年11月23日上午9时30分", "2026.11.23", "20261123", "二〇二六年十一月二十三日", "2026-11-23T25:00", "46349.5", "2026/2/29"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, clock, ok := parseMoment(text)
		if !ok {
			return
		}
		if !d.valid() {
			t.Fatalf("%q is %v", text, d)
		}
		again, clock2, ok := parseMoment(d.String() + " " + clock)
		if !ok || again != d || clock2 != clock {
			t.Errorf("%q is %v %q, and that is %v %q", text, d, clock, again, clock2)
		}
	})
}

// FuzzMoney: what is taken for an amount is one of the domain, and not negative.
func FuzzMoney(f *testing.F) {
	for _, s := range []string{"1,280,000.00", "128万元", "-5", "1.2亿", "￥１２８０元整", "128万元（1280000元）", "1e300", "0.005"} {
		f.Add(s, 4)
		f.Add(s, 0)
	}
	f.Fuzz(func(t *testing.T, text string, scale int) {
		field := disclosure.Field{Label: "金额", Kind: disclosure.FieldMoney}
		raw, m := (&input{}).value(field, cell{text: text}, ((scale%9)+9)%9)
		if raw == nil {
			if m == nil && strings.TrimFunc(text, blankRune) != "" {
				t.Fatalf("%q is nothing, and nobody says so", text)
			}
			return
		}
		if _, err := disclosure.ParseMoney(unquote(raw)); err != nil {
			t.Errorf("%q is %s: %v", text, raw, err)
		}
	})
}

// FuzzText proposes from anything; what it proposes reads as its field's kind.
func FuzzText(f *testing.F) {
	c := catalogue(f)
	f.Add("某某工程施工招标公告\n一、项目编号：E3209020001\n最高投标限价（万元）：128.5\n投标截止时间：2026年12月20日9时30分\n")
	f.Add("采购项目中标公告\n中标供应商：甲公司，中标金额：¥1280000.00\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := FromText(c, "procurement.award_result", []byte(text))
		if err != nil {
			if !errors.As(err, new(*disclosure.Error)) {
				t.Fatal(err)
			}
			return
		}
		typ, err := c.Type(p.Draft.Type)
		if err != nil {
			t.Fatal(err)
		}
		var optional []disclosure.Field
		for _, d := range typ.Fields {
			d.Required = false
			optional = append(optional, d)
		}
		if _, faults := disclosure.ParseValues(optional, p.Draft.Fields); len(faults) > 0 {
			t.Errorf("%q proposes %v", text, faults)
		}
	})
}
