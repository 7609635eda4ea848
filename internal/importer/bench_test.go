package importer_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/xuri/excelize/v2"

	"gongkai/internal/importer"
)

// bulk is a template filled with n notices, every column of them.
func (d *desk) bulk(t testing.TB, code string, n int) []byte {
	t.Helper()
	typ := d.typ(t, code)
	blank, err := importer.Template(d.catalog, typ, d.now)
	if err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(bytes.NewReader(blank))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	sheet := f.GetSheetName(0)
	rows, err := f.GetRows(sheet, excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.NewStreamWriter(sheet)
	if err != nil {
		t.Fatal(err)
	}
	row := func(n int, cells []string, change func(i int, text string) any) {
		out := make([]any, len(cells))
		for i, text := range cells {
			out[i] = change(i, text)
		}
		if err := w.SetRow(fmt.Sprint("A", n), out); err != nil {
			t.Fatal(err)
		}
	}
	same := func(_ int, text string) any { return text }
	row(1, rows[0], same)
	row(2, rows[1], same)
	for i := range n {
		row(3+i, rows[2], func(c int, text string) any {
			switch rows[0][c] {
			case "title", "source_id":
				return fmt.Sprint(text, i)
			}
			if c == 0 {
				return i + 1
			}
			return text
		})
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return save(t, f)
}

// BenchmarkCheck checks fifty thousand notices with every column filled.
func BenchmarkCheck(b *testing.B) {
	d := newDesk(b)
	data := d.bulk(b, "construction.tender_notice", 50_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		i, err := d.DryRun(b.Context(), editor, "a.xlsx", "", data)
		if err != nil {
			b.Fatal(err)
		}
		if i.Rows.New != 50_000 {
			b.Fatalf("%+v\n%.2000s", i.Rows, issues(i))
		}
	}
}
