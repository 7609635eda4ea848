package handlers_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"gongkai/internal/disclosure"
)

const imports = "/api/v1/staff/imports"

// send uploads a file for import.
func (w *world) send(t *testing.T, who, name string, data []byte, want int, values ...string) reply {
	t.Helper()
	parts := []part{{"file", name, string(data)}}
	for i := 0; i+1 < len(values); i += 2 {
		parts = append(parts, part{field: values[i], data: values[i+1]})
	}
	body, media := form(t, parts...)
	return w.call(t, "POST", imports, opts{as: who, body: body, header: map[string]string{"Content-Type": media}, want: want})
}

// filled is the template of a type with rows of cells by key.
func (w *world) filled(t *testing.T, typ string, rows ...object) []byte {
	t.Helper()
	r := w.call(t, "GET", "/api/v1/staff/templates/"+typ+".xlsx", opts{as: "editor", want: 200})
	f, err := excelize.OpenReader(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	sheet := f.GetSheetName(0)
	lines, err := f.GetRows(sheet)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		for key, v := range row {
			at, err := excelize.CoordinatesToCellName(1+slices.Index(lines[0], key), 4+i)
			if err != nil {
				t.Fatalf("no column %s: %v", key, lines[0])
			}
			if err := f.SetCellValue(sheet, at, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const failure = "construction.tender_failure"

func failureRow(id string, with ...object) object {
	row := object{"title": "道路工程招标失败公告" + id, "body": "区住建局", "source.name": "亭湖区公共资源交易平台", "source_id": "TH-" + id,
		"fields.tenderer": "亭湖区示范建设有限公司", "fields.failure_reason": "投标人少于3个。", "fields.failed_on": "2026年11月20日",
		"fields.contact_phone": "0515-88880001"}
	for _, m := range with {
		maps.Copy(row, m)
	}
	return row
}

// TestImportFromTemplateToPublication takes a workbook the way staff do: check,
// look at what is marked, put it right, commit, publish; and again.
func TestImportFromTemplateToPublication(t *testing.T) {
	w := start(t)
	bad := w.send(t, "editor", "招标失败.xlsx", w.filled(t, failure, failureRow("1"), failureRow("2", object{"fields.failed_on": "2026.13.1", "body": "区住健局"})), 201)
	id := bad.text("id")
	if bad.text("state") != "faulty" || bad.number("rows.total") != 2 || bad.number("rows.errors") != 1 || bad.header.Get("Location") != imports+"/"+id {
		t.Fatalf("%s", bad.body)
	}
	if got := fmt.Sprint(bad.texts("issues", "code"), bad.texts("issues", "col")); got != "[body.unknown date.invalid] [C T]" {
		t.Errorf("issues %s: %s", got, bad.body)
	}
	if hint := bad.text("issues.0.hint"); !strings.Contains(hint, "区住建局") {
		t.Errorf("the nearest body is not suggested: %s", hint)
	}
	refusal := w.call(t, "POST", imports+"/"+id+"/commit", opts{as: "editor", want: 409})
	if refusal.text("code") != "import.state" {
		t.Errorf("%s", refusal.body)
	}
	w.checkMarked(t, id)

	before := w.rows(t)
	good := w.filled(t, failure, failureRow("1"), failureRow("2"))
	i := w.send(t, "editor", "招标失败.xlsx", good, 201)
	for table, n := range w.rows(t) {
		if n != before[table] && !strings.HasPrefix(table, "import") && !strings.HasPrefix(table, "audit") {
			t.Errorf("the dry run wrote to %s", table)
		}
	}
	done := w.call(t, "POST", imports+"/"+i.text("id")+"/commit", opts{as: "editor", want: 200})
	if done.text("state") != "committed" || done.len("notices") != 2 {
		t.Fatalf("%s", done.body)
	}
	again := w.call(t, "POST", imports+"/"+i.text("id")+"/commit", opts{as: "editor", want: 200})
	if again.text("notices.0") != done.text("notices.0") {
		t.Errorf("committing again made other notices: %s", again.body)
	}
	notice := w.call(t, "GET", "/api/v1/staff/notices/"+done.text("notices.0"), opts{as: "reviewer", want: 200})
	if notice.text("status") != "submitted" || notice.text("author") != "李录入" || notice.text("body") != "housing-construction-bureau" || notice.text("fields.failed_on") != "2026-11-20" {
		t.Errorf("%s", notice.body)
	}
	same := w.send(t, "editor", "招标失败.xlsx", good, 201)
	if same.number("rows.same") != 2 || same.number("rows.new") != 0 {
		t.Errorf("the same file again: %s", same.body)
	}
	w.step(t, "reviewer", done.text("notices.0"), "publish", nil)
	if got := w.get(t, "/api/v1/notices/"+done.text("notices.0")).text("title"); got != "道路工程招标失败公告1" {
		t.Errorf("published as %q", got)
	}
	if r := w.call(t, "POST", imports+"/"+i.text("id")+"/undo", opts{as: "editor", want: 409}); r.text("code") != "notice.state" {
		t.Errorf("undo of what is public: %s", r.body)
	}
	changed := w.send(t, "editor", "招标失败.xlsx", w.filled(t, failure, failureRow("1", object{"fields.next_step": "重新招标"})), 201)
	if changed.text("state") != "faulty" || changed.text("issues.0.code") != "import.changed" || !strings.Contains(changed.text("issues.0.hint"), "更正") {
		t.Errorf("a change of what is public: %s", changed.body)
	}
}

// checkMarked opens the annotated workbook.
func (w *world) checkMarked(t *testing.T, id string) {
	t.Helper()
	r := w.call(t, "GET", imports+"/"+id+"/issues.xlsx", opts{as: "editor", want: 200})
	f, err := excelize.OpenReader(bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	sheet := f.GetSheetName(0)
	comments, err := f.GetComments(sheet)
	if err != nil || len(comments) != 2 {
		t.Fatalf("comments %v, %v", comments, err)
	}
	style, err := f.GetCellStyle(sheet, "T5")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := f.GetStyle(style); err != nil || !slices.Contains(s.Fill.Color, "FFC7CE") {
		t.Errorf("the cell is not red: %+v, %v", s.Fill, err)
	}
	if v, err := f.GetCellValue(sheet, "T5"); err != nil || v != "2026.13.1" {
		t.Errorf("the sender's value became %q, %v", v, err)
	}
	if v, err := f.GetCellValue("检查结果", "B3"); err != nil || !strings.Contains(v, "C5") {
		t.Errorf("the list says %q, %v", v, err)
	}
}

// TestImportIsUndone: everything of a batch goes, and can come again.
func TestImportIsUndone(t *testing.T) {
	w := start(t)
	file := w.filled(t, failure, failureRow("1"), failureRow("2"))
	i := w.send(t, "editor", "a.xlsx", file, 201).text("id")
	notices := w.call(t, "POST", imports+"/"+i+"/commit", opts{as: "editor", want: 200})
	undone := w.call(t, "POST", imports+"/"+i+"/undo", opts{as: "editor", want: 200})
	if undone.text("state") != "undone" {
		t.Errorf("%s", undone.body)
	}
	w.call(t, "GET", "/api/v1/staff/notices/"+notices.text("notices.0"), opts{as: "editor", want: 404})
	if r := w.send(t, "editor", "a.xlsx", file, 201); r.number("rows.new") != 2 {
		t.Errorf("after the undo: %s", r.body)
	}
	if _, err := w.store.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestImportOfARejectedDraftReplacesIt: what a reviewer sent back is put right
// in the file and imported again.
func TestImportOfARejectedDraftReplacesIt(t *testing.T) {
	w := start(t)
	i := w.send(t, "editor", "a.xlsx", w.filled(t, failure, failureRow("1"), failureRow("2")), 201).text("id")
	code := w.call(t, "POST", imports+"/"+i+"/commit", opts{as: "editor", want: 200}).text("notices.0")
	w.step(t, "reviewer", code, "reject", object{"comment": "原因不完整"})
	r := w.send(t, "editor", "a.xlsx", w.filled(t, failure, failureRow("1", object{"fields.failure_reason": "投标人少于三个，重新招标。"}), failureRow("2")), 201)
	if r.number("rows.changed") != 1 || r.number("rows.same") != 1 {
		t.Fatalf("%s", r.body)
	}
	w.call(t, "POST", imports+"/"+r.text("id")+"/commit", opts{as: "editor", want: 200})
	n := w.call(t, "GET", "/api/v1/staff/notices/"+code, opts{as: "editor", want: 200})
	if n.text("status") != "submitted" || n.number("rev") != 2 || n.text("fields.failure_reason") != "投标人少于三个，重新招标。" {
		t.Errorf("%s", n.body)
	}
	w.call(t, "POST", imports+"/"+r.text("id")+"/undo", opts{as: "editor", want: 200})
	if n := w.call(t, "GET", "/api/v1/staff/notices/"+code, opts{as: "editor", want: 200}); n.text("status") != "draft" {
		t.Errorf("after the undo: %s", n.body)
	}
}

// TestImportKeepsToTheToken: bodies, roles and other people's imports.
func TestImportKeepsToTheToken(t *testing.T) {
	w := start(t)
	file := w.filled(t, failure, failureRow("1"), failureRow("2", object{"body": "区水利局"}))
	r := w.send(t, "housing-editor", "a.xlsx", file, 201)
	if r.text("state") != "faulty" || r.text("issues.0.code") != "auth.scope" || r.number("issues.0.row") != 5 || r.text("issues.0.col") != "C" {
		t.Errorf("another body: %s", r.body)
	}
	i := w.send(t, "editor", "a.xlsx", file, 201).text("id")
	for who, want := range map[string]int{"editor2": 404, "housing-editor": 404, "reviewer": 404, "auditor": 200, "admin": 200, "editor-as-reviewer": 200, "ivr": 403} {
		w.call(t, "GET", imports+"/"+i, opts{as: who, want: want})
	}
	w.call(t, "POST", imports+"/"+i+"/commit", opts{as: "editor2", want: 404})
	w.call(t, "POST", imports+"/"+i+"/commit", opts{as: "auditor", want: 403})
	w.send(t, "auditor", "a.xlsx", file, 403)
	w.call(t, "GET", imports+"/nosuch", opts{as: "editor", want: 404})
}

// TestImportIsPurged: after the commit, and after a day, nothing of the file is
// left in the database.
func TestImportIsPurged(t *testing.T) {
	w := start(t)
	left := w.send(t, "editor", "左边.csv", []byte("标题,公开主体,信息来源,招标人\n独一无二的标题甲,区住建局,平台,某某\n"), 201, "type", failure).text("id")
	w.advance(25 * time.Hour)
	if n, err := w.service.ExpireImports(t.Context()); n != 1 || err != nil {
		t.Fatalf("expired %d, %v", n, err)
	}
	r := w.call(t, "GET", imports+"/"+left, opts{as: "editor", want: 200})
	if r.text("state") != "expired" || r.len("issues") != 0 || r.text("name") != "" || r.number("counts.errors") == 0 {
		t.Errorf("%s", r.body)
	}
	w.call(t, "GET", imports+"/"+left+"/issues.xlsx", opts{as: "editor", want: 410})
	w.call(t, "POST", imports+"/"+left+"/commit", opts{as: "editor", want: 409})
	i := w.send(t, "editor", "a.xlsx", w.filled(t, failure, failureRow("1")), 201).text("id")
	done := w.call(t, "POST", imports+"/"+i+"/commit", opts{as: "editor", want: 200})
	if done.text("name") != "" || done.len("issues") != 0 {
		t.Errorf("%s", done.body)
	}
	if n := w.rows(t)["import_chunk"]; n != 0 {
		t.Errorf("%d pieces of files are left", n)
	}
	w.call(t, "GET", imports+"/"+i+"/issues.xlsx", opts{as: "editor", want: 410})
}

// TestImportRefusesForms that are none.
func TestImportRefusesForms(t *testing.T) {
	w := start(t)
	for _, tt := range []struct {
		name, file string
		data       []byte
		values     []string
		want       int
		code       disclosure.Code
	}{
		{"an old workbook", "a.xls", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), nil, 422, disclosure.CodeImportFile},
		{"a WPS table", "a.et", []byte("x"), nil, 422, disclosure.CodeImportFile},
		{"nothing", "a.xlsx", nil, nil, 422, disclosure.CodeImportFile},
		{"no workbook", "a.xlsx", []byte("hello"), nil, 422, disclosure.CodeImportFile},
		{"an archive of something else", "a.xlsx", []byte("PK\x03\x04 and nothing more"), nil, 422, disclosure.CodeImportFile},
		{"CSV of no type", "a.csv", []byte("标题\n甲\n"), nil, 400, disclosure.CodeParam},
		{"CSV of an unknown type", "a.csv", []byte("标题\n甲\n"), []string{"type", "no.such"}, 400, disclosure.CodeParam},
		{"another field", "a.csv", []byte("标题\n甲\n"), []string{"kind", "x"}, 400, disclosure.CodeUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := w.send(t, "editor", tt.file, tt.data, tt.want, tt.values...); r.text("code") != string(tt.code) {
				t.Errorf("%s", r.body)
			}
		})
	}
	w.call(t, "POST", imports, opts{as: "editor", body: "{}", want: 415})
	w.call(t, "GET", "/api/v1/staff/templates/"+failure, opts{as: "editor", want: 404})
	w.call(t, "GET", "/api/v1/staff/templates/no.such.xlsx", opts{as: "editor", want: 404})
}

// TestImportHidesIDNumbers: a report quotes what is wrong, but no ID number.
func TestImportHidesIDNumbers(t *testing.T) {
	w := start(t)
	for _, id := range []string{"320902199001010006", "３２０９０２１９９００１０１０００６", "320902 19900101 0006"} {
		r := w.send(t, "editor", "a.xlsx", w.filled(t, failure, failureRow("1", object{"fields.failed_on": id, "body": id, "fields.contact_phone": id + "号"})), 201)
		for _, part := range []string{"19900101", "１９９００１０１"} {
			if r.holds(part) {
				t.Errorf("the birth date is in %s", r.body)
			}
		}
		if r.number("counts.errors") < 2 {
			t.Errorf("%s", r.body)
		}
	}
}
