package handlers_test

import (
	"encoding/csv"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
)

const defs = "/api/v1/staff/"

// A seventh sector, with its body, item and type, is data: it is entered at run
// time and used at once, in every place (目录动态管理).
func TestNewSectorAtRunTime(t *testing.T) {
	w := start(t)
	for _, path := range cachedPaths { // so that nothing below is a first answer
		w.get(t, path)
	}
	seq := w.lastSeq(t)
	define := func(kind string, doc object) {
		r := w.call(t, "POST", defs+kind+"?reason=%E6%96%B0%E5%A2%9E", opts{as: "admin", body: doc, want: 201})
		if r.number("version") != 1 || r.text("by") != "赵管理" || r.text("reason") != "新增" || r.at("builtin") != false {
			t.Errorf("%s: %s", kind, r.body)
		}
	}
	define("sectors", object{"code": "water", "name": "水资源配置", "sort": 90})
	define("bodies", object{"id": "water-affairs", "name": "区水利局", "kind": "department", "aliases": []any{"区水务局"}})
	define("catalog", object{"id": "B1-01", "sector": "water", "category": "取水许可", "content": "取水许可审批结果", "stage": "result", "bodies": []any{"water-affairs"}})
	define("notice-types", object{"code": "water.permit", "sector": "water", "name": "取水许可公告", "stage": "result", "items": []any{"B1-01"}, "amount_field": "fee",
		"fields": []any{object{"key": "holder", "label": "取水单位", "kind": "text", "required": true, "example": "某公司"}, object{"key": "fee", "label": "水资源费", "kind": "money", "unit": "元"}}})
	draft := object{"type": "water.permit", "title": "取水许可公告", "body": "water-affairs", "source": object{"name": "区水利局"}, "fields": object{"holder": "亭湖水厂", "fee": "12.5"}}
	id := w.publish(t, draft).text("id")

	n := w.get(t, "/api/v1/notices/"+id)
	if n.text("sector") != "water" || n.text("type_name") != "取水许可公告" || n.text("body.name") != "区水利局" || n.text("amount") != "12.50" ||
		n.text("catalog_items.0") != "B1-01" || n.text("fields.0.display") != "亭湖水厂" {
		t.Errorf("notice: %s", n.body)
	}
	if got := w.get(t, "/api/v1/notices?sector=water&type=water.permit&item=B1-01&body=water-affairs").number("total"); got != 1 {
		t.Errorf("%d found by the new sector", got)
	}
	if sectors := w.get(t, "/api/v1/sectors"); !slices.Contains(sectors.texts("items", "code"), "water") {
		t.Errorf("sectors: %s", sectors.body)
	}
	if item := w.get(t, "/api/v1/catalog/B1-01"); item.number("published_count") != 1 || item.text("notice_types.0") != "water.permit" || item.text("bodies.0.name") != "区水利局" {
		t.Errorf("item: %s", item.body)
	}
	if bodies := w.get(t, "/api/v1/bodies"); !bodies.holds("区水务局") {
		t.Error("the body is not listed")
	}
	if types := w.get(t, "/api/v1/notice-types?sector=water"); types.number("total") != 1 || types.text("items.0.fields.1.unit") != "元" {
		t.Errorf("types: %s", types.body)
	}
	if !w.get(t, "/api/v1/catalog.csv").holds("B1-01,0,0,水资源配置,取水许可") {
		t.Error("the item is not in the catalogue for download")
	}
	if changes := w.get(t, "/api/v1/changes?after="+seq); !slices.Equal(changes.texts("items", "kind"), []string{"catalog", "catalog", "catalog", "catalog", "published"}) {
		t.Errorf("changes: %s", changes.body)
	}
}

// A notice is shown by the labels it was written with, whatever becomes of its
// type; every version is kept.
func TestDefinitionsHaveHistory(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	before := w.get(t, "/api/v1/notices/"+id)
	first := w.call(t, "GET", defs+"notice-types/"+tender, opts{as: "auditor"})
	doc := first.at("doc").(object)
	fields := doc["fields"].([]any)
	fields[0].(object)["label"] = "新的名称"
	fields = append(fields, object{"key": "extra", "label": "补充说明", "kind": "text"})
	w.advance(time.Hour)
	changed := w.call(t, "PATCH", defs+"notice-types/"+tender+"?reason=%E8%A1%A5%E5%85%85", opts{as: "admin", body: object{"fields": fields}})
	if changed.number("version") != first.number("version")+1 || changed.at("builtin") != false || changed.text("at") != disclosure.FormatInstant(w.Now()) {
		t.Errorf("changed: %.300s", changed.body)
	}
	if after := w.get(t, "/api/v1/notices/"+id); string(after.body) != string(before.body) {
		t.Error("an old notice is shown by a new definition")
	}
	if newer := w.get(t, "/api/v1/notices/"+w.publish(t, w.draft(t, tender, "桥梁工程招标公告")).text("id")); newer.text("fields.0.label") != "新的名称" {
		t.Errorf("a new notice is shown by an old definition: %.600s", newer.body)
	}
	history := w.call(t, "GET", defs+"notice-types/"+tender+"/history", opts{as: "auditor"})
	if history.number("total") != 2 || history.number("items.0.version") != 2 || history.text("items.0.reason") != "补充" || history.text("items.1.by") != "gongkai" {
		t.Errorf("history: %.300s", history.body)
	}
	if page := w.call(t, "GET", defs+"notice-types/"+tender+"/history?limit=1", opts{as: "auditor"}); page.len("items") != 1 || page.text("next") == "" {
		t.Errorf("a page of the history: %.300s", page.body)
	}
	rows := w.call(t, "GET", "/api/v1/staff/audit?id="+tender, opts{as: "auditor"})
	if rows.text("items.0.action") != "define" || rows.text("items.0.actor") != "赵管理" || rows.number("items.0.rev") != 2 {
		t.Errorf("audit: %s", rows.body)
	}
	// null gives a member its usual value back.
	w.call(t, "PATCH", defs+"bodies/resource-trading-centre", opts{as: "admin", body: object{"note": "临时", "valid_to": "2030-12-31"}})
	back := w.call(t, "PATCH", defs+"bodies/resource-trading-centre", opts{as: "admin", body: object{"note": nil, "valid_to": nil}})
	if back.text("doc.note") != "" || back.at("doc.valid_to") != nil || back.text("doc.name") == "" {
		t.Errorf("reset: %s", back.body)
	}
}

func TestBadDefinitions(t *testing.T) {
	w := start(t)
	sector := object{"code": "water", "name": "水资源"}
	typ := func(member string, v any) object {
		doc := object{"code": "land.water", "sector": "land", "name": "取水", "fields": []any{object{"key": "aa", "label": "甲", "kind": "text"}}}
		doc[member] = v
		return doc
	}
	field := func(more object) object {
		f := object{"key": "aa", "label": "甲", "kind": "text"}
		maps.Copy(f, more)
		return typ("fields", []any{f})
	}
	add := func(name, kind string, body any, want int, code disclosure.Code, at string) badInput {
		return badInput{name: name, path: defs + kind, as: "admin", body: body, want: want, code: code, field: at}
	}
	patch := func(name, ref string, body any, want int, code disclosure.Code, at string) badInput {
		return badInput{name: name, method: "PATCH", path: defs + ref, as: "admin", body: body, want: want, code: code, field: at}
	}
	w.refuses(t, []badInput{
		add("a sector that is there", "sectors", object{"code": "land", "name": "土地"}, 409, disclosure.CodeExists, "id"),
		add("no code", "sectors", object{"name": "水"}, 422, disclosure.CodeDefinition, "code"),
		add("no name", "sectors", object{"code": "water"}, 422, disclosure.CodeDefinition, "name"),
		add("an unknown member", "sectors", object{"code": "water", "name": "水", "colour": "blue"}, 400, disclosure.CodeUnknown, "colour"),
		add("a number for a name", "sectors", object{"code": "water", "name": 5}, 400, disclosure.CodeJSON, "name"),
		add("a day that is none", "sectors", object{"code": "water", "name": "水", "valid_from": "soon"}, 400, disclosure.CodeJSON, "valid_from"),
		add("an end before the start", "sectors", object{"code": "water", "name": "水", "valid_from": "2026-02-01", "valid_to": "2026-01-01"}, 422, disclosure.CodeDefinition, "valid_to"),
		add("nothing", "sectors", nil, 400, disclosure.CodeJSON, ""),
		add("a list", "sectors", []any{}, 400, disclosure.CodeJSON, ""),
		add("an unknown parent", "bodies", object{"id": "b1", "name": "乙", "parent": "nobody"}, 422, disclosure.CodeDefinition, "parent"),
		add("an item of an unknown sector", "catalog", object{"id": "B1-01", "sector": "water", "content": "甲"}, 422, disclosure.CodeDefinition, "sector"),
		add("an item of an unknown body", "catalog", object{"id": "B1-01", "sector": "land", "content": "甲", "bodies": []any{"nobody"}}, 422, disclosure.CodeDefinition, "bodies[0]"),
		add("a type without fields", "notice-types", typ("fields", []any{}), 422, disclosure.CodeDefinition, "fields"),
		add("a type of another sector's code", "notice-types", typ("sector", "housing"), 422, disclosure.CodeDefinition, "code"),
		add("a type of an unknown item", "notice-types", typ("items", []any{"Z9-99"}), 422, disclosure.CodeDefinition, "items[0]"),
		add("a field of an unknown kind", "notice-types", field(object{"kind": "colour"}), 422, disclosure.CodeDefinition, "fields[0].kind"),
		add("a field with a reserved key", "notice-types", field(object{"key": "title"}), 422, disclosure.CodeDefinition, "fields[0].key"),
		add("an enum without options", "notice-types", field(object{"kind": "enum"}), 422, disclosure.CodeDefinition, "fields[0].options"),
		add("a deadline that is no date", "notice-types", typ("deadline_field", "aa"), 422, disclosure.CodeDefinition, "deadline_field"),
		add("an example that is none", "notice-types", field(object{"kind": "date", "example": "soon"}), 422, disclosure.CodeDefinition, "fields.aa"),
		add("an unknown parameter", "sectors?force=1", sector, 400, disclosure.CodeUnknown, "force"),
		patch("an id that is not there", "sectors/water", object{"name": "水"}, 404, disclosure.CodeNoItem, ""),
		patch("another id", "sectors/land", object{"code": "water"}, 422, disclosure.CodeDefinition, "id"),
		patch("an unknown member", "sectors/land", object{"colour": "blue"}, 400, disclosure.CodeUnknown, "colour"),
		patch("a name taken away", "sectors/land", object{"name": nil}, 422, disclosure.CodeDefinition, "name"),
	})
}

// Nothing a person enters becomes a formula where the catalogue is opened.
func TestCatalogueAsCSVHoldsNoFormula(t *testing.T) {
	w := start(t)
	for i, content := range []string{`=HYPERLINK("http://evil")`, "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\u00a0=1", "＝1", "甲\n=1", "甲,\"乙\""} {
		w.call(t, "POST", defs+"catalog", opts{as: "admin", want: 201, body: object{"id": "B1-" + string(rune('0'+i/10)) + string(rune('0'+i%10)), "sector": "land", "content": content, "note": content}})
	}
	r := w.get(t, "/api/v1/catalog.csv")
	if !strings.HasPrefix(string(r.body), "\ufeff事项编号,") || r.header.Get("Content-Type") != "text/csv; charset=utf-8" ||
		!strings.Contains(r.header.Get("Content-Disposition"), "filename*=UTF-8''") {
		t.Errorf("%v %.60q", r.header, r.body)
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(r.body), "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+42+10 {
		t.Errorf("%d rows", len(rows))
	}
	for _, row := range rows {
		for _, cell := range row {
			for line := range strings.Lines(cell) {
				if c := strings.TrimLeft(line, " \u00a0\t"); c != "" && strings.ContainsAny(c[:1], "=+-@") || strings.HasPrefix(c, "＝") {
					t.Errorf("a spreadsheet takes %q for a formula", cell)
				}
			}
		}
	}
	if last := rows[len(rows)-1]; last[6] != `甲,"乙"` {
		t.Errorf("content %q", last[6])
	}
}

// A file is handed out as what it is, by its hash, to whom its notice is public.
func TestAttachments(t *testing.T) {
	w := start(t)
	big := samplePDF + strings.Repeat("%\x80\x81\n", 600_000)
	f := w.upload(t, "editor", "招标文件 100%.pdf", big)
	at := "/api/v1/attachments/" + f.text("sha256")
	w.call(t, "GET", at, opts{want: 404})
	draft := w.draft(t, tender, "道路工程招标公告", object{"attachments": []any{object{"id": f.text("id"), "name": "x"}}})
	// Who checks it sees it before it is public, and sees what will be.
	waiting := w.create(t, draft).text("id")
	w.step(t, "editor", waiting, "submit", nil)
	checked := w.call(t, "GET", staffNotices+"/"+waiting+"/attachments/"+f.text("sha256"), opts{as: "reviewer", want: 200})
	if string(checked.body) != big || checked.header.Get("Cache-Control") != "no-store" || checked.header.Get("Content-Security-Policy") == "" {
		t.Errorf("before publication: %d bytes, %v", len(checked.body), checked.header)
	}
	w.call(t, "GET", staffNotices+"/"+waiting+"/attachments/"+strings.Repeat("0", 64), opts{as: "reviewer", want: 404})
	w.call(t, "GET", at, opts{want: 404})
	w.step(t, "reviewer", waiting, "publish", nil)
	id := waiting
	r := w.get(t, at)
	if string(r.body) != big || r.header.Get("Content-Type") != "application/pdf" || r.header.Get("Etag") != `"`+f.text("sha256")+`"` ||
		r.header.Get("Content-Security-Policy") != "default-src 'none'; sandbox" || !strings.HasPrefix(r.header.Get("Content-Disposition"), `attachment; filename="`) ||
		!strings.Contains(r.header.Get("Content-Disposition"), "%20100%25.pdf") {
		t.Errorf("%d bytes, %v", len(r.body), r.header)
	}
	w.call(t, "GET", at, opts{header: map[string]string{"If-None-Match": r.header.Get("Etag")}, want: 304})
	if head := w.call(t, "HEAD", at, opts{want: 200}); head.header.Get("Content-Length") != r.header.Get("Content-Length") {
		t.Errorf("HEAD: %v", head.header)
	}
	// The same file in a second notice outlives the first's withdrawal.
	again := w.upload(t, "editor", "招标文件.pdf", big)
	other := w.publish(t, change(draft, "attachments", []any{again.text("id")})).text("id")
	w.step(t, "reviewer", id, "withdraw", object{"reason": "理由", "erase": true})
	w.call(t, "GET", staffNotices+"/"+id+"/attachments/"+f.text("sha256"), opts{as: "reviewer", want: 404})
	if got := w.get(t, at); string(got.body) != big || !strings.Contains(got.header.Get("Content-Disposition"), `filename="attachment.pdf"; filename*=UTF-8`) {
		t.Errorf("after the withdrawal of one of two: %v", got.header)
	}
	w.step(t, "reviewer", other, "withdraw", object{"reason": "理由"})
	if gone := w.call(t, "GET", at, opts{want: 410}); gone.text("code") != "attachment.withdrawn" {
		t.Errorf("gone: %s", gone.body)
	}
}
