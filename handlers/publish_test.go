package handlers_test

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
)

// The main job: what one person enters and another checks is public at once,
// in every place, and never before.
func TestPublicationIsSeenEverywhereAtOnce(t *testing.T) {
	w := start(t)
	project := object{"code": "E3209020001/一标段", "name": "盐东镇道路改造工程"}
	pdf := w.upload(t, "editor", "招标文件.pdf", samplePDF)
	draft := w.draft(t, tender, "盐东镇道路改造工程招标公告", object{"project": project, "attachments": []any{pdf.text("id")},
		"formed_at": "2026-11-20", "decided_at": "2026-11-21"})

	// Ask for everything before, so that nothing below can be an old answer.
	empty := w.get(t, "/api/v1/notices")
	w.get(t, "/api/v1/home")
	w.get(t, "/api/v1/catalog/A1-04")
	before := w.lastSeq(t)
	place := "/api/v1/projects/" + url.PathEscape("E3209020001/一标段")
	w.call(t, "GET", place, opts{want: 404})

	created := w.create(t, draft)
	id, code := created.text("id"), created.text("code")
	for _, status := range []string{"draft", "submitted"} {
		if got := w.call(t, "GET", "/api/v1/staff/notices/"+id, opts{as: "auditor"}).text("status"); got != status {
			t.Fatalf("status = %s, want %s", got, status)
		}
		for _, path := range []string{"", "/head", "/revisions", "/revisions/1", "/diff", "/qr.svg"} {
			w.call(t, "GET", "/api/v1/notices/"+id+path, opts{want: 404})
			w.call(t, "GET", "/api/v1/notices/"+code+path, opts{want: 404})
		}
		w.call(t, "GET", "/api/v1/attachments/"+pdf.text("sha256"), opts{want: 404})
		if status == "draft" {
			w.step(t, "editor", id, "submit", nil)
		}
	}
	w.advance(time.Minute)
	published := w.step(t, "reviewer", id, "publish", object{"secrecy_review": object{"result": "不涉密", "reason": "已审"}})
	if got := published.text("secrecy_review.by"); got != "王核验" || published.text("reviewer") != "王核验" {
		t.Errorf("the review is recorded as %s's", got)
	}
	at := disclosure.FormatInstant(w.Now())

	for _, path := range []string{id, code, strings.ToUpper(id)} {
		n := w.get(t, "/api/v1/notices/"+path)
		if n.text("id") != id || n.text("code") != code || n.text("published_at") != at || n.text("project.name") != "盐东镇道路改造工程" ||
			n.number("rev") != 1 || n.number("revisions_count") != 1 || n.text("catalog_items.0") != "A1-04" || n.text("formed_at") != "2026-11-20" {
			t.Errorf("detail by %s: %s", path, n.body)
		}
	}
	list := w.get(t, "/api/v1/notices")
	if list.text("items.0.id") != id || list.number("total") != 1 || list.header.Get("ETag") == empty.header.Get("ETag") {
		t.Errorf("list: %s", list.body)
	}
	home := w.get(t, "/api/v1/home")
	if home.text("newest.0.id") != id || home.text("deadlines.0.id") != id {
		t.Errorf("home: %.300s", home.body)
	}
	checkCounts(t, w, at)
	timeline := w.get(t, place)
	if timeline.text("stages.0.notices.0.id") != id || timeline.text("next_deadline") != w.get(t, "/api/v1/notices/"+id).text("deadlines.0.due_at") {
		t.Errorf("project: %s", timeline.body)
	}
	if lower := w.get(t, "/api/v1/projects/"+url.PathEscape("e3209020001 ／一标段")); lower.text("code") != "E3209020001/一标段" {
		t.Errorf("a project is not found by another spelling: %s", lower.body)
	}
	changes := w.get(t, "/api/v1/changes?after="+before)
	if changes.text("items.0.kind") != "published" || changes.text("items.0.notice_id") != id || changes.number("last_seq") != changes.number("items.0.seq") {
		t.Errorf("changes: %s", changes.body)
	}
	if head := w.get(t, "/api/v1/notices/"+code+"/head"); head.number("rev") != 1 || head.text("status") != "published" || head.header.Get("Cache-Control") != "no-store" {
		t.Errorf("head: %s", head.body)
	}
	if history := w.get(t, "/api/v1/notices/"+id+"/revisions"); history.number("total") != 1 || history.at("items.0.current") != true {
		t.Errorf("revisions: %s", history.body)
	}
	if first := w.get(t, "/api/v1/notices/"+id+"/revisions/1"); first.text("revision.cause") != "publish" || first.text("title") != "盐东镇道路改造工程招标公告" {
		t.Errorf("revision: %s", first.body)
	}
	if qr := w.get(t, "/api/v1/notices/"+id+"/qr.svg"); !qr.holds("<title>盐东镇道路改造工程招标公告</title>") || qr.header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("qr: %s", qr.body)
	}
	if file := w.get(t, w.get(t, "/api/v1/notices/"+id).text("attachments.0.url")); string(file.body) != samplePDF {
		t.Errorf("attachment: %.100s", file.body)
	}
}

// lastSeq is where the change feed stands: the catalogue is in it too.
func (w *world) lastSeq(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(w.get(t, "/api/v1/changes").number("last_seq"))
}

// checkCounts looks for one construction notice of A1-04, published at an hour.
func checkCounts(t *testing.T, w *world, at string) {
	t.Helper()
	sectors := w.get(t, "/api/v1/sectors")
	i := slices.Index(sectors.texts("items", "code"), "construction")
	row := "items." + string(rune('0'+i))
	if sectors.number(row+".counts.published") != 1 || sectors.number(row+".counts.last_30_days") != 1 || sectors.text(row+".last_published_at") != at {
		t.Errorf("sectors: %v", sectors.at(row))
	}
	item := w.get(t, "/api/v1/catalog/A1-04")
	if item.number("published_count") != 1 || item.text("last_published_at") != at || item.len("notices") != 1 {
		t.Errorf("catalogue item: %s", item.body)
	}
	if lower := w.get(t, "/api/v1/catalog/a1-04"); lower.text("id") != "A1-04" {
		t.Errorf("catalogue item in lower case: %s", lower.body)
	}
	all := w.get(t, "/api/v1/catalog?sector=construction&annex=1")
	i = slices.Index(all.texts("items", "id"), "A1-04")
	if all.number("items."+string(rune('0'+i))+".published_count") != 1 {
		t.Errorf("catalogue: %s", all.body)
	}
	if csv := w.get(t, "/api/v1/catalog.csv"); !csv.holds("\ufeff事项编号,附件,") || !csv.holds(",1,"+at+",已公开,"+at+",1,0,") {
		t.Errorf("catalogue as CSV: %s", csv.body)
	}
}

// What an editor has not finished may be kept, changed and thrown away.
func TestDraftIsEditedAndDeleted(t *testing.T) {
	w := start(t)
	before := w.lastSeq(t)
	created := w.create(t, object{"type": tender, "title": "草稿", "body": "resource-trading-centre", "source": object{"name": "平台"}})
	at := "/api/v1/staff/notices/" + created.text("id")
	if created.header.Get("Location") != at || created.header.Get("ETag") != `"1"` || created.text("status_name") != "草稿" {
		t.Errorf("created: %v %s", created.header, created.body)
	}
	unfinished := w.call(t, "POST", at+"/submit", opts{as: "editor", want: 422})
	if !slices.Contains(unfinished.texts("errors", "field"), "fields.bid_deadline") {
		t.Errorf("a draft without its required fields: %s", unfinished.body)
	}
	edited := w.call(t, "PUT", at, opts{as: "editor2", body: w.draft(t, tender, "道路工程招标公告"), header: map[string]string{"If-Match": `"1"`}})
	if edited.number("rev") != 2 || edited.text("title") != "道路工程招标公告" || edited.len("contributors") != 2 || edited.text("author") != "李录入" {
		t.Errorf("edited: %s", edited.body)
	}
	if got := w.call(t, "GET", "/api/v1/staff/notices?status=draft&mine=true", opts{as: "editor2"}); got.number("total") != 1 {
		t.Errorf("a contributor's own drafts: %s", got.body)
	}
	if got := w.call(t, "GET", "/api/v1/staff/notices?mine=true", opts{as: "reviewer"}); got.number("total") != 0 {
		t.Errorf("the drafts of somebody who had no part: %s", got.body)
	}
	w.call(t, "DELETE", at, opts{as: "editor", want: 204})
	w.call(t, "GET", at, opts{as: "editor", want: 404})
	w.call(t, "DELETE", at, opts{as: "editor", want: 404})
	if got := w.lastSeq(t); got != before {
		t.Errorf("a draft moved the change feed from %s to %s", before, got)
	}
	rows := w.call(t, "GET", "/api/v1/staff/audit?id="+created.text("id"), opts{as: "auditor"})
	if got := rows.texts("items", "action"); !slices.Equal(got, []string{"delete", "edit", "create"}) {
		t.Errorf("audit of a draft = %v", got)
	}
}

// A reviewer sends a notice back, with a comment, and it takes the way again.
func TestRejection(t *testing.T) {
	w := start(t)
	id := w.create(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	w.step(t, "editor", id, "submit", nil)
	rejected := w.step(t, "reviewer", id, "reject", object{"comment": "最高投标限价有误"})
	last := rejected.len("history") - 1
	if rejected.text("status") != "draft" || rejected.texts("history", "comment")[last] != "最高投标限价有误" || rejected.texts("history", "by")[last] != "王核验" {
		t.Errorf("rejected: %s", rejected.body)
	}
	w.call(t, "POST", "/api/v1/staff/notices/"+id+"/publish", opts{as: "reviewer", want: 409})
	w.step(t, "editor", id, "submit", nil)
	w.step(t, "reviewer", id, "publish", nil)
	if w.get(t, "/api/v1/notices/"+id).holds("最高投标限价有误") {
		t.Error("the public reads a reviewer's comment")
	}
}

// A scheduled notice is public when its hour comes, and not a moment earlier.
func TestScheduledPublication(t *testing.T) {
	w := start(t)
	id := w.create(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	w.step(t, "editor", id, "submit", nil)
	at := w.Now().Add(2 * time.Hour)
	scheduled := w.step(t, "reviewer", id, "publish", object{"publish_at": at.Format(time.RFC3339)})
	if scheduled.text("status") != "scheduled" || scheduled.text("publish_at") != disclosure.FormatInstant(at) || scheduled.at("published_at") != nil {
		t.Errorf("scheduled: %s", scheduled.body)
	}
	for _, move := range []struct {
		by       time.Duration
		released int
		status   int
	}{{0, 0, 404}, {2*time.Hour - time.Millisecond, 0, 404}, {time.Millisecond, 1, 200}} {
		w.advance(move.by)
		n, err := w.service.ReleaseDue(t.Context())
		if err != nil || n != move.released {
			t.Fatalf("ReleaseDue at %s = %d, %v, want %d", w.Now(), n, err, move.released)
		}
		if err := w.cache.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.call(t, "GET", "/api/v1/notices/"+id, opts{want: move.status})
	}
	if got := w.get(t, "/api/v1/notices/"+id).text("published_at"); got != disclosure.FormatInstant(at) {
		t.Errorf("published_at = %s, want %s", got, disclosure.FormatInstant(at))
	}
	late := w.create(t, w.draft(t, tender, "桥梁工程招标公告")).text("id")
	w.step(t, "editor", late, "submit", nil)
	slip := w.call(t, "POST", "/api/v1/staff/notices/"+late+"/publish", opts{as: "reviewer", body: object{"publish_at": at.AddDate(-1, 0, 0).Format(time.RFC3339)}, want: 422})
	if slip.text("errors.0.field") != "publish_at" || slip.text("errors.0.code") != "date.too_early" {
		t.Errorf("a slip of the year is answered with %s", slip.body)
	}
	if got := w.step(t, "reviewer", late, "publish", object{"publish_at": at.Add(-time.Hour).Format(time.RFC3339)}).text("status"); got != "published" {
		t.Errorf("an hour that is past gives status %s", got)
	}
}

// Warnings stop a step until they are acknowledged with a reason.
func TestWarningsAreAcknowledged(t *testing.T) {
	w := start(t)
	var typ, field string
	for _, known := range w.store.Catalog().Types {
		for _, f := range known.Fields {
			if f.Kind == disclosure.FieldUSCC && !known.Personal {
				typ, field = known.Code, f.Key
			}
		}
	}
	if typ == "" {
		t.Fatal("no type has a uscc field")
	}
	draft := w.draft(t, typ, "信用代码有误的公告")
	draft["fields"].(object)[field] = "91320902MA1ABCDE0X"
	created := w.create(t, draft)
	at := "/api/v1/staff/notices/" + created.text("id")
	preview := w.call(t, "GET", at+"/preview", opts{as: "editor"})
	if preview.text("checks.0.code") != "uscc.check_digit" || preview.at("checks.0.warning") != true {
		t.Errorf("preview: %s", preview.body)
	}
	for _, tt := range []struct {
		name string
		body any
		code string
	}{
		{"not at all", nil, "notice.warnings"},
		{"another one", object{"acknowledge": []any{"date.early"}, "reason": "已核对"}, "notice.warnings"},
		{"without a reason", object{"acknowledge": []any{"uscc.check_digit"}, "reason": " "}, "notice.warnings"},
	} {
		if r := w.call(t, "POST", at+"/submit", opts{as: "editor", body: tt.body, want: 422}); r.text("code") != tt.code {
			t.Errorf("acknowledged %s: %s", tt.name, r.body)
		}
	}
	ok := object{"acknowledge": []any{"uscc.check_digit"}, "reason": "早期发放的代码，已核对"}
	w.call(t, "POST", at+"/submit", opts{as: "editor", body: ok})
	w.call(t, "POST", at+"/publish", opts{as: "reviewer", want: 422})
	w.call(t, "POST", at+"/publish", opts{as: "reviewer", body: ok})
}
