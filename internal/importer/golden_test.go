package importer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"gongkai/internal/disclosure"
)

var update = flag.Bool("update", false, "write the golden files anew; those of LibreOffice need soffice")

// goldenType is a type of the tests' own, so that the files stay valid while
// the catalogue changes.
const goldenType = `{"code": "general.golden", "sector": "general", "name": "抽样检查结果", "stage": "result", "items": [], "sort": 999,
 "amount_field": "amount", "fields": [
  {"key": "unit_name", "label": "被检查单位", "kind": "text", "required": true, "example": "示例单位"},
  {"key": "unit_code", "label": "单位代码", "kind": "code", "example": "0012"},
  {"key": "amount", "label": "涉及金额", "kind": "money", "unit": "元", "example": "1280000.00"},
  {"key": "checked_on", "label": "检查日期", "kind": "date", "required": true, "example": "today"},
  {"key": "heard_at", "label": "听证时间", "kind": "datetime", "example": "today+30T09:30"},
  {"key": "publicity", "label": "公示期", "kind": "period", "example": "today..today+7"},
  {"key": "passed", "label": "是否合格", "kind": "boolean", "example": true},
  {"key": "rate", "label": "合格率", "kind": "percent", "unit": "%", "example": 92.5},
  {"key": "kind", "label": "检查方式", "kind": "enum", "options": ["现场检查", "书面检查"], "example": "现场检查"},
  {"key": "phone", "label": "联系电话", "kind": "phone", "example": "0515-88880001"},
  {"key": "samples", "label": "抽样情况", "kind": "table", "columns": [
    {"key": "sample_no", "label": "样品编号", "kind": "code", "required": true, "example": "Y-001"},
    {"key": "price", "label": "单价", "kind": "money", "unit": "元", "example": "12.50"},
    {"key": "taken_on", "label": "抽样日期", "kind": "date", "example": "today"},
    {"key": "place", "label": "抽样地点", "kind": "text", "example": "一号仓库"}]}]}`

func goldenDesk(t *testing.T) *desk {
	t.Helper()
	d := newDesk(t)
	admin := disclosure.Actor{Name: "赵管理", Role: disclosure.RoleAdmin}
	if _, err := d.publish.Define(t.Context(), admin, disclosure.KindNoticeType, []byte(goldenType), "测试"); err != nil {
		t.Fatal(err)
	}
	head, err := d.publish.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.catalog = head.Catalog
	return d
}

// goldenBook fills the template with what people do to workbooks: dates as
// numbers and in words, numbers as text, wide characters, formulas, merged
// cells, percentages, units.
func goldenBook(t *testing.T, d *desk) []byte {
	t.Helper()
	f := d.template(t, "general.golden")
	const main, sub = "抽样检查结果", "抽样情况"
	fill(t, f, main, 4, map[string]any{"no": 1, "title": "第一份检查结果", "body": "亭湖区住房和城乡建设局", "source.name": "亭湖区公共资源交易平台", "source_id": "S-1",
		"fields.unit_name": "甲单位", "fields.unit_code": "0012", "fields.amount": 1280000.5, "fields.checked_on": 46349,
		"fields.heard_at": 46394.395833333336, "fields.publicity.from": 46349, "fields.publicity.to": "2026年11月30日", "fields.passed": true,
		"fields.rate": 92.5, "fields.kind": "现场检查", "fields.phone": "０５１５－８８８８０００１", "body_html": "第一段。\n第二段 <不是标签> & 符号。"})
	fill(t, f, main, 5, map[string]any{"no": 2, "title": "第二份检查结果", "body": "区水利局", "source.name": "亭湖区公共资源交易平台", "source_id": "S-2",
		"fields.unit_name": "乙单位", "fields.unit_code": 1200345, "fields.amount": "128.05万元", "fields.checked_on": "2026.11.20",
		"fields.heard_at": "2026年12月1日下午2时30分", "fields.passed": "否", "fields.rate": 0.985, "fields.phone": 13800000000})
	percent, err := f.NewStyle(&excelize.Style{NumFmt: 10})
	if err != nil {
		t.Fatal(err)
	}
	at := col(t, f, main, "fields.rate") + "5"
	if err := f.SetCellStyle(main, at, at, percent); err != nil {
		t.Fatal(err)
	}
	fill(t, f, sub, 4, map[string]any{"no": 1, "sample_no": "Y-001", "price": "１２．５０", "taken_on": "2026/11/18", "place": "一号仓库"})
	fill(t, f, sub, 5, map[string]any{"no": 1, "sample_no": "Y-002", "taken_on": "2026-11-19"})
	fill(t, f, sub, 6, map[string]any{"no": 2, "sample_no": "00003", "taken_on": "20261119", "place": "=不是公式"})
	price, place := col(t, f, sub, "price"), col(t, f, sub, "place")
	if err := f.SetCellFormula(sub, price+"5", "10+2.5"); err != nil {
		t.Fatal(err)
	}
	if err := f.MergeCell(sub, place+"4", place+"5"); err != nil {
		t.Fatal(err)
	}
	return save(t, f)
}

// soffice converts a file with LibreOffice.
func soffice(t *testing.T, from, to, filter string) {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(context.Background(), "soffice", "--headless", "-env:UserInstallation=file://"+dir, "--convert-to", filter, "--outdir", dir, from).CombinedOutput()
	if err != nil {
		t.Fatalf("soffice: %v: %s", err, out)
	}
	ext, _, _ := strings.Cut(filter, ":")
	data, err := os.ReadFile(filepath.Join(dir, strings.TrimSuffix(filepath.Base(from), filepath.Ext(from))+"."+ext))
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestGolden imports the same two notices as excelize, LibreOffice and a Chinese
// desktop's CSV have them, and compares all that comes of it with the files
// beside them.
func TestGolden(t *testing.T) {
	if *update {
		book := "testdata/excelize.xlsx"
		if err := os.WriteFile(book, goldenBook(t, goldenDesk(t)), 0o600); err != nil {
			t.Fatal(err)
		}
		soffice(t, book, "testdata/libreoffice.xlsx", "xlsx:Calc MS Excel 2007 XML")
		soffice(t, book, "testdata/libreoffice-utf8.csv", "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false")
		soffice(t, book, "testdata/libreoffice-gb18030.csv", "csv:Text - txt - csv (StarCalc):44,34,85,1,,0,false,true,false")
	}
	for _, name := range []string{"excelize.xlsx", "libreoffice.xlsx", "libreoffice-utf8.csv", "libreoffice-gb18030.csv"} {
		t.Run(name, func(t *testing.T) {
			d := goldenDesk(t)
			data, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			i := d.send(t, name, "", data)
			var b bytes.Buffer
			b.WriteString(string(i.State) + "\n" + issues(i))
			if i.State == disclosure.ImportChecked {
				ack := disclosure.Acknowledgement{Acknowledge: []string{"cell.formula", "cell.merged", "privacy.mobile"}, Reason: "已核对"}
				done, err := d.Commit(t.Context(), disclosure.Request{Actor: editor}, i.ID, ack, true)
				if err != nil {
					t.Fatal(err)
				}
				for _, code := range done.Notices {
					n, err := d.publish.Store.Staff(t.Context(), disclosure.NoticeRef{Code: code})
					if err != nil {
						t.Fatal(err)
					}
					raw, err := json.MarshalIndent(n.Content, "", "  ")
					if err != nil {
						t.Fatal(err)
					}
					b.Write(append(raw, '\n'))
				}
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", b.String(), want)
			}
		})
	}
}
