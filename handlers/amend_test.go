package handlers_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// amended takes a correction or termination to publication.
func (w *world) amended(t *testing.T, id, how string, body object) reply {
	t.Helper()
	draft := w.call(t, "POST", "/api/v1/staff/notices/"+id+"/"+how, opts{as: "editor", body: body, want: 201})
	w.step(t, "editor", draft.text("id"), "submit", nil)
	return w.step(t, "reviewer", draft.text("id"), "publish", nil)
}

// A correction is a notice of its own, checked like any; the original gets a new
// revision that says by what it was corrected.
func TestCorrection(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	before := w.get(t, "/api/v1/notices/"+id)
	w.advance(time.Hour)
	body := object{"changes": object{"bid_deadline": "2027-02-01T10:00:00+08:00", "title": "道路改造工程招标公告"}, "reason": "延长投标时间"}
	draft := w.call(t, "POST", "/api/v1/staff/notices/"+id+"/correct", opts{as: "editor", body: body, want: 201})
	if draft.text("status") != "draft" || draft.text("type") != "construction.correction" || draft.number("base_rev") != 1 || draft.text("relations.0.id") != id {
		t.Errorf("correction: %s", draft.body)
	}
	if after := w.get(t, "/api/v1/notices/"+id); string(after.body) != string(before.body) {
		t.Error("a correction that is not published changes the original")
	}
	w.step(t, "editor", draft.text("id"), "submit", nil)
	w.step(t, "reviewer", draft.text("id"), "publish", nil)

	original, correction := w.get(t, "/api/v1/notices/"+id), w.get(t, "/api/v1/notices/"+draft.text("id"))
	if original.number("rev") != 2 || original.text("title") != "道路改造工程招标公告" || original.text("status") != "published" ||
		original.text("deadline_at") != "2027-02-01T10:00:00+08:00" || original.text("published_at") != before.text("published_at") {
		t.Errorf("original: %s", original.body)
	}
	if original.text("relations.0.type") != "corrected_by" || original.text("relations.0.id") != correction.text("id") ||
		original.text("relations.0.code") != correction.text("code") || original.text("relations.0.title") != correction.text("title") {
		t.Errorf("relations of the original: %v", original.at("relations"))
	}
	if correction.text("relations.0.type") != "corrects" || correction.text("relations.0.code") != original.text("code") {
		t.Errorf("relations of the correction: %v", correction.at("relations"))
	}
	for _, text := range []string{"延长投标时间", "2027年2月1日 10:00", "更正事项"} {
		if !correction.holds(text) {
			t.Errorf("the correction does not say %q: %s", text, correction.body)
		}
	}
	if head := w.get(t, "/api/v1/notices/"+id+"/head"); head.number("rev") != 2 || head.text("superseded_by") != correction.text("code") {
		t.Errorf("head: %s", head.body)
	}
	if list := w.get(t, "/api/v1/notices"); list.number("total") != 2 || list.text("items.1.relations.0.type") != "corrected_by" {
		t.Errorf("list: %s", list.body)
	}
	checkHistory(t, w, id, correction.text("code"))
	changes := w.get(t, "/api/v1/changes?limit=100&after=100")
	if kinds := changes.texts("items", "kind"); !slices.Equal(kinds[len(kinds)-3:], []string{"published", "published", "corrected"}) {
		t.Errorf("changes = %v", kinds[len(kinds)-3:])
	}
}

// checkHistory reads the two revisions of a corrected notice and what differs.
func checkHistory(t *testing.T, w *world, id, by string) {
	t.Helper()
	at := "/api/v1/notices/" + id
	history := w.get(t, at+"/revisions")
	if history.text("items.0.cause") != "correct" || history.text("items.0.cause_code") != by || history.at("items.1.cause_code") != nil ||
		history.at("items.0.current") != true || history.at("items.1.current") != false {
		t.Errorf("revisions: %s", history.body)
	}
	first := w.get(t, at+"/revisions/1")
	if first.text("title") != "道路工程招标公告" || first.number("rev") != 1 || first.at("revision.current") != false {
		t.Errorf("revision 1: %s", first.body)
	}
	if first.text("content_sha256") != history.text("items.1.content_sha256") {
		t.Error("the hash of a revision differs between list and detail")
	}
	diff := w.get(t, at+"/diff")
	if diff.number("from") != 1 || diff.number("to") != 2 {
		t.Errorf("diff by default: %s", diff.body)
	}
	if got := diff.texts("items", "field"); !slices.Equal(got, []string{"title", "fields.bid_deadline"}) {
		t.Errorf("fields that differ = %v", got)
	}
	if diff.text("items.0.from") != "道路工程招标公告" || diff.text("items.0.to") != "道路改造工程招标公告" || diff.text("items.1.label") != "投标截止时间" {
		t.Errorf("diff: %s", diff.body)
	}
	if back := w.get(t, at+"/diff?from=2&to=1"); back.text("items.0.to") != "道路工程招标公告" {
		t.Errorf("diff backwards: %s", back.body)
	}
	if same := w.get(t, at+"/diff?from=2&to=2"); same.len("items") != 0 {
		t.Errorf("a revision differs from itself: %s", same.body)
	}
	w.call(t, "GET", at+"/revisions/3", opts{want: 404})
	w.call(t, "GET", at+"/diff?to=3", opts{want: 404})
	for _, rev := range []string{"0", "-1", "x", "01", "99999999999999999999"} {
		if r := w.call(t, "GET", at+"/revisions/"+rev, opts{want: 400}); r.text("errors.0.field") != "rev" {
			t.Errorf("revision %s: %s", rev, r.body)
		}
	}
}

// Two corrections of one revision: the second to be published is stale.
func TestCorrectionOfAnOldRevisionIsStale(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	body := func(title string) object { return object{"changes": object{"title": title}, "reason": "标题有误"} }
	slow := w.call(t, "POST", "/api/v1/staff/notices/"+id+"/correct", opts{as: "editor", body: body("甲工程招标公告"), want: 201}).text("id")
	w.step(t, "editor", slow, "submit", nil)
	w.amended(t, id, "correct", body("乙工程招标公告"))
	rows := w.rows(t)
	r := w.call(t, "POST", "/api/v1/staff/notices/"+slow+"/publish", opts{as: "reviewer", want: 412})
	if r.text("code") != "notice.stale" {
		t.Errorf("the slower correction: %s", r.body)
	}
	w.unchanged(t, rows, "a stale correction")
	if got := w.get(t, "/api/v1/notices/"+id).text("title"); got != "乙工程招标公告" {
		t.Errorf("title = %s", got)
	}
	// Sent back, saved anew and checked again, it is one of the newest revision.
	w.step(t, "reviewer", slow, "reject", object{"comment": "请重新保存"})
	draft := w.call(t, "GET", "/api/v1/staff/notices/"+slow, opts{as: "editor"}).at("").(object)
	again := object{}
	for _, key := range []string{"type", "title", "body_html", "body", "source", "fields", "region", "items", "relations", "changes"} {
		again[key] = draft[key]
	}
	delete(again["fields"].(object), "changes")
	if got := w.call(t, "PUT", "/api/v1/staff/notices/"+slow, opts{as: "editor", body: again}).number("base_rev"); got != 2 {
		t.Errorf("base_rev = %d, want 2", got)
	}
	w.step(t, "editor", slow, "submit", nil)
	w.step(t, "reviewer", slow, "publish", nil)
	if got := w.get(t, "/api/v1/notices/"+id); got.text("title") != "甲工程招标公告" || got.number("rev") != 3 {
		t.Errorf("after the second correction: %s", got.body)
	}
}

// A termination ends the original: it stays readable and is no longer open.
func TestTermination(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, tender, "道路工程招标公告", object{"project": object{"code": "E1", "name": "道路"}})).text("id")
	if w.get(t, "/api/v1/notices?open=true").number("total") != 1 {
		t.Fatal("a tender with a deadline to come is not open")
	}
	end := w.amended(t, id, "terminate", object{"reason": "资金计划调整"})
	n := w.get(t, "/api/v1/notices/"+id)
	if n.text("status") != "terminated" || n.number("rev") != 2 || n.text("relations.0.type") != "terminated_by" || n.text("relations.0.id") != end.text("id") {
		t.Errorf("original: %s", n.body)
	}
	if got := w.get(t, "/api/v1/notices/"+end.text("id")); got.text("type") != "construction.termination" || got.text("relations.0.type") != "terminates" || !got.holds("资金计划调整") {
		t.Errorf("termination: %s", got.body)
	}
	if open := w.get(t, "/api/v1/notices?open=true"); open.number("total") != 0 {
		t.Errorf("a terminated tender is open: %s", open.body)
	}
	if home := w.get(t, "/api/v1/home"); home.len("deadlines") != 0 || home.len("newest") != 2 {
		t.Errorf("home: %.300s", home.body)
	}
	if project := w.get(t, "/api/v1/projects/E1"); project.at("next_deadline") != nil {
		t.Errorf("project: %s", project.body)
	}
	if got := w.get(t, "/api/v1/notices/"+id+"/revisions").text("items.0.cause"); got != "terminate" {
		t.Errorf("cause = %s", got)
	}
	w.call(t, "POST", "/api/v1/staff/notices/"+id+"/correct", opts{as: "editor", want: 409,
		body: object{"changes": object{"title": "新的标题"}, "reason": "理由"}})
}

// Withdrawing takes a notice out of every public place at once, and says why.
func TestWithdrawal(t *testing.T) {
	for name, erase := range map[string]bool{"kept for staff": false, "erased": true} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			file := w.upload(t, "editor", "名单.pdf", samplePDF)
			draft := w.draft(t, tender, "绝密工程招标公告", object{"attachments": []any{file.text("id")}, "project": object{"code": "E1", "name": "绝密"}})
			id := w.publish(t, draft).text("id")
			w.amended(t, id, "correct", object{"changes": object{"region": "320903"}, "reason": "区划有误"})
			code := w.get(t, "/api/v1/notices/"+id).text("code")
			paths := []string{"", "/revisions", "/revisions/1", "/revisions/2", "/diff", "/diff?from=1&to=2", "/qr.svg"}
			for _, path := range paths { // so that all is in the cache
				w.get(t, "/api/v1/notices/"+id+path)
				w.get(t, "/api/v1/notices/"+code+path)
			}
			gone := w.step(t, "reviewer", id, "withdraw", object{"reason": "含有不宜公开的内容", "erase": erase})
			if gone.text("status") != "withdrawn" || gone.text("reason") != "含有不宜公开的内容" || gone.at("erased") != erase {
				t.Errorf("withdrawn: %s", gone.body)
			}
			for _, path := range paths {
				for _, ref := range []string{id, code} {
					r := w.call(t, "GET", "/api/v1/notices/"+ref+path, opts{want: 410})
					if r.holds("绝密") || !strings.Contains(r.text("detail"), "2026年11月23日 09:00") || !strings.Contains(r.text("detail"), "含有不宜公开的内容") {
						t.Errorf("%s of a withdrawn notice: %s", path, r.body)
					}
				}
			}
			w.call(t, "GET", "/api/v1/attachments/"+file.text("sha256"), opts{want: 410})
			checkVanished(t, w, id, erase)
			if head := w.get(t, "/api/v1/notices/"+id+"/head"); head.text("status") != "withdrawn" || head.holds("绝密") {
				t.Errorf("head: %s", head.body)
			}
			kept := w.call(t, "GET", "/api/v1/staff/notices/"+id, opts{as: "auditor"})
			if kept.holds("绝密") == erase {
				t.Errorf("erase is %v, and staff read %s", erase, kept.body)
			}
			// It stays for reviewers and auditors; an editor reads why it is gone.
			at := "/api/v1/staff/notices/" + id
			if read := w.call(t, "GET", at, opts{as: "editor"}); read.holds("绝密") || read.holds("名单") || read.text("reason") != "含有不宜公开的内容" {
				t.Errorf("an editor reads %s", read.body)
			}
			if list := w.call(t, "GET", "/api/v1/staff/notices?status=withdrawn", opts{as: "editor"}); list.len("items") == 0 || list.holds("绝密") {
				t.Errorf("an editor lists %s", list.body)
			}
			if preview := w.call(t, "GET", at+"/preview", opts{as: "editor", want: anyStatus}); preview.status >= 500 || preview.holds("绝密") {
				t.Errorf("an editor previews %s", preview.body)
			}
			w.call(t, "GET", at+"/attachments/"+file.text("sha256"), opts{as: "editor", want: 404})
			w.call(t, "GET", at+"/attachments/"+file.text("sha256"), opts{as: "auditor", want: map[bool]int{false: 200, true: 404}[erase]})
			w.call(t, "POST", "/api/v1/staff/notices/"+id+"/withdraw", opts{as: "reviewer", body: object{"reason": "再撤一次"}, want: 409})
		})
	}
}

// checkVanished looks for a withdrawn notice wherever notices are listed. Its
// correction still stands, unless it was erased with it for what it repeats.
func checkVanished(t *testing.T, w *world, id string, erased bool) {
	t.Helper()
	for _, path := range []string{"/api/v1/notices", "/api/v1/notices?q=招标公告", "/api/v1/notices?sort=deadline", "/api/v1/notices?open=true",
		"/api/v1/home", "/api/v1/catalog/A1-04", "/api/v1/projects/E1"} {
		if erased && path == "/api/v1/projects/E1" {
			w.call(t, "GET", path, opts{want: 404})
			continue
		}
		r := w.get(t, strings.Replace(path, "招标公告", "%E6%8B%9B%E6%A0%87", 1))
		for _, list := range []string{"items", "newest", "notices"} {
			members, _ := r.at("").(object)
			rows, _ := members[list].([]any)
			for _, row := range rows {
				if row.(object)["id"] == id {
					t.Errorf("%s still lists the notice", path)
				}
			}
		}
	}
	correction := w.get(t, "/api/v1/notices?type=construction.correction")
	if erased {
		if correction.number("total") != 0 {
			t.Errorf("the correction repeats what was erased: %s", correction.body)
		}
		return
	}
	if correction.number("total") != 1 {
		t.Errorf("the correction is gone too: %s", correction.body)
	} else if n := w.get(t, "/api/v1/notices/"+correction.text("items.0.id")); n.len("relations") != 0 {
		t.Errorf("the correction still links to it: %v", n.at("relations"))
	}
}
