package importer_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"gongkai/internal/disclosure"
)

// failureRow is a valid notice of failureType by column key.
func failureRow(with map[string]any) map[string]any {
	row := map[string]any{"no": "1", "title": "道路工程招标失败公告", "body": "区住建局", "source.name": "交易平台", "fields.tenderer": "某公司",
		"fields.failure_reason": "投标人少于3个。", "fields.failed_on": "2026-11-20", "fields.contact_phone": "0515-88880001"}
	maps.Copy(row, with)
	return row
}

// TestIssues says what is told of a workbook's rows: severity, place and code,
// in the file's order, all at once.
func TestIssues(t *testing.T) {
	d := newDesk(t)
	type row = map[string]any
	for _, tt := range []struct {
		name string
		rows []row
		want string
	}{
		{"nothing wrong", []row{{}}, ""},
		{"everything at once", []row{{"title": nil, "body": "区住健局", "fields.failed_on": "2026.13.1", "fields.contact_phone": "无", "region": "x"}},
			"error B4 field.required, error C4 body.unknown, error J4 region.invalid, error T4 date.invalid, error W4 phone.invalid"},
		{"the same row twice", []row{{}, {"no": "2"}}, "error 5 row.duplicate"},
		{"the same number twice", []row{{"source_id": "1"}, {"source_id": "1", "title": "另一份"}}, "error 5 row.duplicate"},
		{"the same title twice", []row{{}, {"fields.next_step": "重新招标"}}, "warning B5 title.duplicate"},
		{"a project without a number", []row{{"project.name": "道路工程"}}, "error H4 field.required"},
		{"a wrong credit code is a fault, a wrong check digit a warning", []row{{"fields.agency": "代理"}}, ""},
		{"a future date of origin", []row{{"formed_at": "2026-12-31"}}, "error K4 date.order"},
		{"an unknown item", []row{{"items": "A1-04、A9-99"}}, "error M4 reference.unknown"},
		{"an unknown predecessor", []row{{"relations": "12345678"}}, "error N4 reference.unknown"},
		{"an unknown file", []row{{"attachments": "x"}}, "error Z4 attachment.unknown"},
		{"active content", []row{{"body_html": "<p>x</p><script>alert(1)</script>"}}, "error Y4 html.active"},
		{"a title that is too long", []row{{"title": strings.Repeat("长", 201)}}, "error B4 text.too_long"},
		{"a body known by another name", []row{{"body": "盐城市亭湖区住房和城乡建设局"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := d.template(t, failureType)
			for i, r := range tt.rows {
				fill(t, f, f.GetSheetName(0), 4+i, failureRow(r))
			}
			i, err := d.DryRun(t.Context(), editor, "a.xlsx", "", save(t, f))
			if err != nil {
				t.Fatal(err)
			}
			if got := codes(i); got != tt.want {
				t.Errorf("issues %q, want %q\n%s", got, tt.want, issues(i))
			}
		})
	}
}

func codes(i disclosure.Import) string {
	var out []string
	for _, x := range i.Issues {
		out = append(out, fmt.Sprintf("%s %s%d %s", x.Severity, x.Col, x.Row, x.Code))
	}
	return strings.Join(out, ", ")
}

// TestTemplateIsHeldToItsVersion: a template of another version, of another type,
// or with a broken mark is told, once, and nothing else is.
func TestTemplateIsHeldToItsVersion(t *testing.T) {
	d := newDesk(t)
	change := func(from, to string) []byte {
		f := d.template(t, failureType)
		mark, err := f.GetCellValue(f.GetSheetName(0), "A1")
		if err != nil || !strings.Contains(mark, from) {
			t.Fatalf("mark %q, %v", mark, err)
		}
		if err := f.SetCellValue(f.GetSheetName(0), "A1", strings.Replace(mark, from, to, 1)); err != nil {
			t.Fatal(err)
		}
		fill(t, f, f.GetSheetName(0), 4, failureRow(map[string]any{"title": nil}))
		return save(t, f)
	}
	for name, tt := range map[string]struct {
		data []byte
		typ  string
		want string
	}{
		"another version":  {change(" 1 ", " 7 "), "", "error A1 template.version"},
		"other columns":    {change(" 1 ", " 1 0"), "", "error A1 template.version"},
		"a broken mark":    {change(" 1 ", " "), "", "error A1 template.version"},
		"of another type":  {change(" 1 ", " 1 "), "land.transfer_notice", "error A1 template.type"},
		"as it was loaded": {change(" 1 ", " 1 "), "", "error B4 field.required"},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := d.DryRun(t.Context(), editor, "a.xlsx", tt.typ, tt.data)
			if err != nil {
				t.Fatal(err)
			}
			if got := codes(i); got != tt.want || i.State != disclosure.ImportFaulty {
				t.Errorf("%s: %q, want %q", i.State, got, tt.want)
			}
		})
	}
}

// TestOwnTables: files without our mark are read by their heads.
func TestOwnTables(t *testing.T) {
	d := newDesk(t)
	const typ = "procurement.tender_notice"
	for _, tt := range []struct {
		name, csv, want string
		total           int
	}{
		{"heads by label, unit in the head", "标题,公开主体,信息来源,预算金额（万元）\n甲,区财政局,平台,128.5\n",
			"note D2 money.converted", 1},
		{"two units", "标题,公开主体,信息来源,预算金额（万元）\n甲,区财政局,平台,1285000元\n", "error D2 money.two_units", 1},
		{"negative", "标题,公开主体,信息来源,预算金额\n甲,区财政局,平台,-5\n", "error D2 money.negative", 1},
		{"a title above and blank lines", "采购公告汇总表\n\n标题,公开主体,信息来源\n\n甲,区财政局,平台\n", "", 1},
		{"a column nobody knows", "标题,公开主体,信息来源,采购入\n甲,区财政局,平台,乙\n", "warning D1 column.unknown", 1},
		{"heads in other words", "公告标题,发布单位,信息来源,采购单位\n甲,区财政局,平台,区财政局\n", "note A1 column.renamed, note B1 column.renamed, note D1 column.renamed", 1},
		{"the right word comes first", "联系方式,标题,公开主体,信息来源,联系电话\n乙,甲,区财政局,平台,0515-88880001\n", "warning A1 column.unknown", 1},
		{"a required column missing", "标题,信息来源\n甲,平台\n", "error 1 column.missing", 1},
		{"a table as JSON", "标题,公开主体,信息来源,采购包\n甲,区财政局,平台,\"[{\"\"lot_no\"\":\"\"1\"\",\"\"lot_name\"\":\"\"包一\"\",\"\"budget_amount\"\":\"\"1.00\"\"}]\"\n", "", 1},
		{"a formula from elsewhere", "标题,公开主体,信息来源\n\"=HYPERLINK(\"\"http://x\"\")\",区财政局,平台\n", "", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i, err := d.DryRun(t.Context(), editor, "a.csv", typ, []byte(tt.csv))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range i.Issues {
				if x.Code != "field.required" && !(x.Code == "column.missing" && x.Field != "body") && !strings.HasPrefix(x.Field, "fields.lots") && x.Rule == "" {
					got = append(got, fmt.Sprintf("%s %s%d %s", x.Severity, x.Col, x.Row, x.Code))
				}
			}
			if s := strings.Join(got, ", "); s != tt.want || i.Rows.Total != tt.total {
				t.Errorf("%d rows, issues %q, want %q\n%s", i.Rows.Total, s, tt.want, issues(i))
			}
		})
	}
}

// TestTablesOfSeveralNotices: rows go to the notice of their number, and strays
// are told.
func TestTablesOfSeveralNotices(t *testing.T) {
	d := newDesk(t)
	const code, main, sub = "construction.prequalification_result", "资格审查结果", "资格审查结果明细"
	notice := func(no any, title string) map[string]any {
		return map[string]any{"no": no, "title": title, "body": "区住建局", "source.name": "交易平台", "fields.tenderer": "某公司", "fields.review_kind": "资格预审",
			"fields.reviewed_on": "2026-11-20", "fields.contact_phone": "0515-88880001"}
	}
	applicant := func(no any, name string) map[string]any {
		return map[string]any{"no": no, "applicant_name": name, "review_result": "合格"}
	}
	book := func(notices, applicants []map[string]any) []byte {
		f := d.template(t, code)
		for i, r := range notices {
			fill(t, f, main, 4+i, r)
		}
		for i, r := range applicants {
			fill(t, f, sub, 4+i, r)
		}
		return save(t, f)
	}
	two := []map[string]any{notice(1, "甲"), notice("２", "乙")}
	for _, tt := range []struct {
		name       string
		notices    []map[string]any
		applicants []map[string]any
		want       string
	}{
		{"each its own", two, []map[string]any{applicant("2", "丙"), applicant(1, "丁"), applicant(2.0, "戊")}, ""},
		{"one notice needs no number", two[:1], []map[string]any{applicant(nil, "丙")}, ""},
		{"two notices do", two, []map[string]any{applicant(1, "丙"), applicant(2, "丁"), applicant(nil, "戊")}, "error A6 row.stray"},
		{"nobody's", two[:1], []map[string]any{applicant(1, "丙"), applicant(9, "丁")}, "error A5 row.stray"},
		{"one number for two", []map[string]any{notice(1, "甲"), notice(1, "乙")}, []map[string]any{applicant(1, "丙")}, "error A4 row.stray"},
		{"a bad cell is told where it stands", two[:1], []map[string]any{applicant(1, "丙"), {"no": 1, "applicant_name": "丁", "review_result": "也许"}}, "error D5 enum.invalid"},
		{"a missing cell too", two[:1], []map[string]any{applicant(1, "丙"), {"no": 1, "review_result": "合格"}}, "error B5 field.required"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			i, err := d.DryRun(t.Context(), editor, "a.xlsx", "", book(tt.notices, tt.applicants))
			if err != nil {
				t.Fatal(err)
			}
			if got := codes(i); got != tt.want {
				t.Errorf("issues %q, want %q\n%s", got, tt.want, issues(i))
			}
		})
	}
	i := d.send(t, "a.xlsx", "", book(two, []map[string]any{applicant("2", "丙"), applicant(1, "丁"), applicant(2, "戊")}))
	var names []string
	for _, code := range d.commit(t, i).Notices {
		n, err := d.publish.Store.Staff(t.Context(), disclosure.NoticeRef{Code: code})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range n.Fields["applicants"].([]any) {
			names = append(names, n.Title+row.(map[string]any)["applicant_name"].(string))
		}
	}
	if want := []string{"甲丁", "乙丙", "乙戊"}; !slices.Equal(names, want) {
		t.Errorf("applicants %v, want %v", names, want)
	}
}

// TestHiddenRowsAreTold: what a filter leaves out is imported, and whoever cannot
// see it is told.
func TestHiddenRowsAreTold(t *testing.T) {
	d := newDesk(t)
	f := d.template(t, failureType)
	sheet := f.GetSheetName(0)
	for row, title := range []string{"甲", "乙", "丙"} {
		fill(t, f, sheet, 4+row, failureRow(map[string]any{"no": strconv.Itoa(row + 1), "title": title}))
	}
	if i := d.send(t, "a.xlsx", "", save(t, f)); codes(i) != "" {
		t.Errorf("issues %q of what everybody sees", codes(i))
	}
	for _, row := range []int{5, 6} {
		if err := f.SetRowVisible(sheet, row, false); err != nil {
			t.Fatal(err)
		}
	}
	i := d.send(t, "a.xlsx", "", save(t, f))
	if got := codes(i); got != "warning 5 row.hidden" || !strings.Contains(issues(i), "有 2 行是隐藏的") {
		t.Errorf("issues %q\n%s", got, issues(i))
	}
}

// TestWhatIsHiddenIsNotImported: an ID number behind a merged cell or in a
// comment does not come along.
func TestWhatIsHiddenIsNotImported(t *testing.T) {
	d := newDesk(t)
	const id = "320902199001010006"
	f := d.template(t, failureType)
	sheet := f.GetSheetName(0)
	fill(t, f, sheet, 4, failureRow(map[string]any{"fields.next_step": "重新招标"}))
	hidden := col(t, f, sheet, "fields.contact") + "4"
	if err := f.SetCellValue(sheet, hidden, id); err != nil {
		t.Fatal(err)
	}
	if err := f.AddComment(sheet, excelize.Comment{Cell: "B4", Text: id}); err != nil {
		t.Fatal(err)
	}
	// Excel merges cells with what stands in them, excelize empties them.
	data := save(t, f)
	xml := strings.Replace(string(part(t, data, sheet1)), "</sheetData>", `</sheetData><mergeCells count="1"><mergeCell ref="`+
		col(t, f, sheet, "fields.next_step")+"4:"+hidden+`"/></mergeCells>`, 1)
	data = replaced(t, data, map[string]io.Reader{sheet1: strings.NewReader(xml)})
	if !strings.Contains(xml, "mergeCell ") || bytes.Count(part(t, data, "xl/sharedStrings.xml"), []byte(id)) != 1 {
		t.Fatal("the number is not behind merged cells")
	}
	i := d.send(t, "a.xlsx", "", data)
	if got, want := codes(i), "warning B4 privacy.id_number, warning "+hidden+" privacy.id_number"; got != want {
		t.Errorf("issues %q, want %q", got, want)
	}
	done, err := d.Commit(t.Context(), disclosure.Request{Actor: editor}, i.ID,
		disclosure.Acknowledgement{Acknowledge: []string{"privacy.id_number"}, Reason: "原件已删除"}, true)
	if err != nil {
		t.Fatal(err)
	}
	n, err := d.publish.Store.Staff(t.Context(), disclosure.NoticeRef{Code: done.Notices[0]})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(n.Content)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), id) || n.Fields["contact"] != nil {
		t.Errorf("%s", raw)
	}
}

// TestNothingOnTheWayOutIsAFormula: what begins like one is text in the
// annotated workbook.
func TestNothingOnTheWayOutIsAFormula(t *testing.T) {
	d := newDesk(t)
	i := d.send(t, "a.csv", failureType, []byte("标题,公开主体,信息来源\n\"=HYPERLINK(\"\"http://x\"\")\",@区住建局,+平台\n"))
	data, err := d.Annotated(t.Context(), editor, i.ID)
	if err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for r, cells := range rows {
			for c := range cells {
				at, _ := excelize.CoordinatesToCellName(c+1, r+1)
				if formula, err := f.GetCellFormula(sheet, at); formula != "" || err != nil {
					t.Errorf("%s!%s is the formula %s, %v", sheet, at, formula, err)
				}
			}
		}
	}
	if v, err := f.GetCellValue("数据", "A2"); v != `=HYPERLINK("http://x")` || err != nil {
		t.Errorf("the sender's text became %q, %v", v, err)
	}
}

// TestJSONLines: faults by line, a source's own number, nothing written with any
// fault.
func TestJSONLines(t *testing.T) {
	d := newDesk(t)
	const good = `{"type":"construction.tender_failure","title":"甲","body":"housing-construction-bureau","source":{"name":"平台"},"source_id":"7","fields":{"tenderer":"某公司","failure_reason":"少于3个","failed_on":"2026-11-20","contact_phone":"0515-88880001"}}`
	i, err := d.DryRun(t.Context(), editor, "-", "", []byte("\ufeff"+good+"\n\n{\"titel\":\"x\"}\nnot json\n"+strings.Replace(good, `"7"`, `"8"`, 1)+"\n"))
	if err == nil {
		if got := codes(i); i.Format != "jsonl" || i.Rows.Total != 4 || i.Rows.Errors != 2 || got != "error 3 request.unknown, error 4 request.json, warning 5 title.duplicate" {
			t.Errorf("%s %+v %q", i.Format, i.Rows, got)
		}
	} else {
		t.Fatal(err)
	}
	sent := d.send(t, "a.jsonl", "", []byte(good))
	d.commit(t, sent)
	changed := d.send(t, "a.jsonl", "", []byte(strings.Replace(good, "少于3个", "不足三个", 1)))
	if changed.State != disclosure.ImportFaulty || changed.Issues[0].Code != "import.changed" {
		t.Errorf("a change of what is being checked: %s", issues(changed))
	}
}

// TestWarningsAreAcknowledged before a commit, with a reason.
func TestWarningsAreAcknowledged(t *testing.T) {
	d := newDesk(t)
	f := d.template(t, "construction.contract")
	sheet := f.GetSheetName(0)
	fill(t, f, sheet, 4, map[string]any{"title": "合同订立信息", "body": "区住建局", "source.name": "平台", "fields.contract_no": "TH-1", "fields.tenderer": "甲",
		"fields.winner": "乙", "fields.winner_uscc": "91320902MA0000015X", "fields.contract_price": "1188万元", "fields.contract_content": "道路工程",
		"fields.award_notice_on": "2026-11-13", "fields.signed_on": "2026-11-20"})
	i := d.send(t, "a.xlsx", "", save(t, f))
	if !strings.Contains(codes(i), "uscc.check_digit") || i.State != disclosure.ImportChecked || i.Rows.Warnings != 1 {
		t.Fatalf("%s %s", i.State, issues(i))
	}
	var all []string
	for _, x := range i.Issues {
		all = append(all, x.Code)
	}
	r := disclosure.Request{Actor: editor}
	_, err := d.Commit(t.Context(), r, i.ID, disclosure.Acknowledgement{}, true)
	refused(t, err, disclosure.CodeWarnings)
	_, err = d.Commit(t.Context(), r, i.ID, disclosure.Acknowledgement{Acknowledge: all}, true)
	refused(t, err, disclosure.CodeWarnings)
	done, err := d.Commit(t.Context(), r, i.ID, disclosure.Acknowledgement{Acknowledge: all, Reason: "早期颁发"}, true)
	if err != nil || len(done.Notices) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
}

// TestAnnotatingAgain: what was put right is not red any more, and the sender's
// own comments stay.
func TestAnnotatingAgain(t *testing.T) {
	d := newDesk(t)
	f := d.template(t, failureType)
	sheet := f.GetSheetName(0)
	fill(t, f, sheet, 4, failureRow(map[string]any{"fields.failed_on": "某日", "body": "区住健局"}))
	body, day := "C4", col(t, f, sheet, "fields.failed_on")+"4"
	for cell, text := range map[string]string{body: "请老王核对", "D4": "来源待定"} {
		if err := f.AddComment(sheet, excelize.Comment{Cell: cell, Author: "李", Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	mark := func(f *excelize.File) *excelize.File {
		i := d.send(t, "a.xlsx", "", save(t, f))
		data, err := d.Annotated(t.Context(), editor, i.ID)
		if err != nil {
			t.Fatal(err)
		}
		marked, err := excelize.OpenReader(strings.NewReader(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = marked.Close() })
		return marked
	}
	comments := func(f *excelize.File) map[string]string {
		out := map[string]string{}
		list, err := f.GetComments(sheet)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			if _, twice := out[c.Cell]; twice {
				t.Errorf("two comments on %s", c.Cell)
			}
			out[c.Cell] = c.Text
		}
		return out
	}
	marked := mark(f)
	if got := comments(marked); !strings.Contains(got[body], "区住建局") || !strings.Contains(got[body], "请老王核对") || !strings.Contains(got["D4"], "来源待定") || got[day] == "" {
		t.Fatalf("comments %v", got)
	}
	if err := marked.SetCellValue(sheet, body, "区住建局"); err != nil {
		t.Fatal(err)
	}
	again := mark(marked)
	if got := comments(again); !strings.Contains(got[body], "请老王核对") || strings.Contains(got[body], "最接近") || got[day] == "" {
		t.Errorf("comments %v", got)
	}
	for cell, want := range map[string]bool{body: false, day: true} {
		id, err := again.GetCellStyle(sheet, cell)
		if err != nil {
			t.Fatal(err)
		}
		style, err := again.GetStyle(id)
		if err != nil || slices.Contains(style.Fill.Color, "FFC7CE") != want {
			t.Errorf("%s is red: %v, want %v (%v)", cell, style.Fill.Color, want, err)
		}
	}
	if n := len(again.GetSheetList()); n != len(marked.GetSheetList()) {
		t.Errorf("%d sheets, %d before", n, len(marked.GetSheetList()))
	}
}

// TestAnnotatingWhatOthersWrite: a workbook without the parts that Excel always
// writes comes back as a copy, marked at the same places.
func TestAnnotatingWhatOthersWrite(t *testing.T) {
	d := newDesk(t)
	f := d.template(t, failureType)
	sheet := f.GetSheetName(0)
	fill(t, f, sheet, 4, failureRow(map[string]any{"fields.failed_on": "某日", "title": `=HYPERLINK("http://x")`}))
	day := col(t, f, sheet, "fields.failed_on") + "4"
	data := replaced(t, save(t, f), map[string]io.Reader{"xl/styles.xml": strings.NewReader(`<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>`)})
	i := d.send(t, "a.xlsx", "", data)
	out, err := d.Annotated(t.Context(), editor, i.ID)
	if err != nil {
		t.Fatal(err)
	}
	marked, err := excelize.OpenReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = marked.Close() }()
	comments, err := marked.GetComments(sheet)
	if err != nil || len(comments) != 1 || comments[0].Cell != day {
		t.Errorf("comments %v, %v", comments, err)
	}
	if id, err := marked.GetCellStyle(sheet, day); err != nil {
		t.Error(err)
	} else if style, err := marked.GetStyle(id); err != nil || !slices.Contains(style.Fill.Color, "FFC7CE") {
		t.Errorf("the cell is not red: %v, %v", style, err)
	}
	if v, err := marked.GetCellFormula(sheet, "B4"); v != "" || err != nil {
		t.Errorf("a text became the formula %q, %v", v, err)
	}
}

// part is one part of a workbook.
func part(t *testing.T, data []byte, name string) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
