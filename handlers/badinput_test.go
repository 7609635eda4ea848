package handlers_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gongkai/internal/disclosure"
)

// badInput is a request that must be refused for one reason, at one place, and
// write nothing.
type badInput struct {
	name   string
	method string // "" is POST
	path   string
	as     string // "" is the editor, "-" nobody
	body   any
	header map[string]string
	want   int
	code   disclosure.Code
	field  string // the field named first; "" where there is none to name
}

func (w *world) refuses(t *testing.T, tests []badInput) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			method, as := tt.method, tt.as
			if method == "" {
				method = "POST"
			}
			switch as {
			case "":
				as = "editor"
			case "-":
				as = ""
			}
			before := w.rows(t)
			r := w.call(t, method, tt.path, opts{as: as, body: tt.body, header: tt.header, want: tt.want})
			if got := r.text("code"); got != string(tt.code) {
				t.Errorf("code = %s, want %s: %s", got, tt.code, r.body)
			}
			switch fields := r.texts("errors", "field"); {
			case tt.field == "" && len(fields) > 0, tt.field != "" && !slices.Contains(fields, tt.field):
				t.Errorf("fields named = %v, want %q: %s", fields, tt.field, r.body)
			}
			w.unchanged(t, before, tt.name)
		})
	}
}

const staffNotices = "/api/v1/staff/notices"

// change returns the draft with one member, or one field of it, replaced.
func change(draft object, member string, v any) object {
	out := maps.Clone(draft)
	if field, ok := strings.CutPrefix(member, "fields."); ok {
		fields := maps.Clone(draft["fields"].(object))
		fields[field], member, v = v, "fields", fields
	}
	out[member] = v
	return out
}

func TestBadDrafts(t *testing.T) {
	w := start(t)
	good := w.draft(t, tender, "道路工程招标公告")
	w.create(t, good)
	long := strings.Repeat("长", 201)
	type m = map[string]string
	var tests []badInput
	add := func(name, member string, v any, want int, code disclosure.Code, field string) {
		tests = append(tests, badInput{name: name, path: staffNotices, body: change(good, member, v), want: want, code: code, field: field})
	}
	add("an unknown member", "titel", "x", 400, disclosure.CodeUnknown, "titel")
	add("an unknown member of an object", "source", object{"name": "甲", "link": "x"}, 400, disclosure.CodeUnknown, "source.link")
	add("an unknown field of the type", "fields.colour", "red", 400, disclosure.CodeUnknown, "fields.colour")
	add("a number for the title", "title", 5, 400, disclosure.CodeJSON, "title")
	add("a string for the source", "source", "甲", 400, disclosure.CodeJSON, "source")
	add("a list for the fields", "fields", []any{}, 400, disclosure.CodeJSON, "fields")
	add("a number for a datetime", "fields.bid_deadline", 5, 422, disclosure.CodeInvalid, "fields.bid_deadline")
	add("a date for a datetime", "fields.bid_deadline", "2026-12-31", 422, disclosure.CodeInvalid, "fields.bid_deadline")
	add("no type", "type", "", 422, disclosure.CodeInvalid, "type")
	add("an unknown type", "type", "construction.party", 422, disclosure.CodeInvalid, "type")
	add("no source", "source", nil, 422, disclosure.CodeInvalid, "source")
	add("a source without a name", "source", object{"name": " "}, 422, disclosure.CodeInvalid, "source.name")
	add("a source that is a script", "source", object{"name": "甲", "url": "javascript:alert(1)"}, 422, disclosure.CodeInvalid, "source.url")
	add("no title", "title", " ", 422, disclosure.CodeInvalid, "title")
	add("a title that is too long", "title", long, 422, disclosure.CodeInvalid, "title")
	add("an unknown body", "body", "nobody", 422, disclosure.CodeInvalid, "body")
	add("an unknown item", "items", []any{"A1-04", "Z9-99"}, 422, disclosure.CodeInvalid, "items[1]")
	add("an unknown file", "attachments", []any{"no-such-upload"}, 422, disclosure.CodeInvalid, "attachments[0]")
	add("an unknown relation", "relations", []any{object{"type": "follows", "id": "10000000"}}, 422, disclosure.CodeInvalid, "relations[0].id")
	add("a region that is none", "region", "江苏", 422, disclosure.CodeInvalid, "region")
	add("a day that is none", "formed_at", "2026-02-30", 422, disclosure.CodeInvalid, "formed_at")
	add("a script in the text", "body_html", `<p>甲</p><script>alert(1)</script>`, 422, disclosure.CodeInvalid, "body_html")
	add("an event handler in the text", "body_html", `<img src=x onerror=alert(1)>`, 422, disclosure.CodeInvalid, "body_html")
	add("a link that is a script", "body_html", `<a href="javascript:alert(1)">甲</a>`, 422, disclosure.CodeInvalid, "body_html")
	add("a text that is too long", "body_html", strings.Repeat("长", 200_001), 422, disclosure.CodeInvalid, "body_html")
	add("NUL in the title", "title", "甲\x00乙", 400, disclosure.CodeText, "title")
	raw := func(name, body string, want int, code disclosure.Code, field string) {
		tests = append(tests, badInput{name: name, path: staffNotices, body: body, want: want, code: code, field: field})
	}
	raw("broken UTF-8", "{\"title\":\"\xff\"}", 400, disclosure.CodeText, "title")
	raw("GBK", "{\"title\":\"\xb2\xc9\xb9\xba\"}", 400, disclosure.CodeText, "title")
	raw("a member twice", `{"title":"甲","title":"乙"}`, 400, disclosure.CodeJSON, "title")
	raw("half a document", `{"title":"甲"`, 400, disclosure.CodeJSON, "")
	raw("two documents", `{}{}`, 400, disclosure.CodeJSON, "")
	raw("a list", `[]`, 400, disclosure.CodeJSON, "")
	raw("nothing at all", ``, 422, disclosure.CodeInvalid, "type")
	raw("nested without end", strings.Repeat(`{"fields":`, 20_000), 400, disclosure.CodeJSON, "")
	raw("ten megabytes", `{"title":"`+strings.Repeat("长", 10<<20/3)+`"}`, 413, disclosure.CodeTooLarge, "Content-Length")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte(`{"title":"甲"}`))
	_ = z.Close()
	tests = append(tests,
		badInput{name: "a packed body", path: staffNotices, body: packed.Bytes(), header: m{"Content-Encoding": "gzip"}, want: 415, code: disclosure.CodeEncoding, field: "Content-Encoding"},
		badInput{name: "a body said to be identity", path: staffNotices, body: good, header: m{"Content-Encoding": "identity"}, want: 415, code: disclosure.CodeEncoding, field: "Content-Encoding"},
		badInput{name: "a form", path: staffNotices, body: "title=x", header: m{"Content-Type": "application/x-www-form-urlencoded"}, want: 415, code: disclosure.CodeMediaType, field: "Content-Type"},
		badInput{name: "no media type", path: staffNotices, body: good, header: m{"Content-Type": ""}, want: 415, code: disclosure.CodeMediaType, field: "Content-Type"},
		badInput{name: "an unknown parameter", path: staffNotices + "?draft=1", body: good, want: 400, code: disclosure.CodeUnknown, field: "draft"},
		badInput{name: "a key with blanks", path: staffNotices, body: good, header: m{"Idempotency-Key": "a b"}, want: 400, code: disclosure.CodeIdemKey, field: "Idempotency-Key"},
		badInput{name: "a key that is too long", path: staffNotices, body: good, header: m{"Idempotency-Key": strings.Repeat("k", 256)}, want: 400, code: disclosure.CodeIdemKey, field: "Idempotency-Key"},
	)
	w.refuses(t, tests)
}

// What is no longer in force, or not yet, is not published.
func TestRetiredDefinitions(t *testing.T) {
	w := start(t)
	created := w.create(t, w.draft(t, tender, "道路工程招标公告"))
	at := staffNotices + "/" + created.text("id")
	w.step(t, "editor", created.text("id"), "submit", nil)
	second := w.create(t, w.draft(t, tender, "桥梁工程招标公告"))
	for _, retired := range []string{"catalog/A1-04", "bodies/resource-trading-centre", "notice-types/" + tender, "sectors/construction"} {
		change := func(v any) {
			w.call(t, "PATCH", "/api/v1/staff/"+retired, opts{as: "admin", body: object{"valid_to": v}})
		}
		change("2026-11-22")
		field := map[string]string{"catalog/A1-04": "items[0]", "bodies/resource-trading-centre": "body"}[retired]
		if field == "" {
			field = "type"
		}
		w.refuses(t, []badInput{
			{name: "submit with retired " + retired, path: staffNotices + "/" + second.text("id") + "/submit", want: 422, code: disclosure.CodeInvalid, field: field},
			{name: "publish with retired " + retired, path: at + "/publish", as: "reviewer", want: 422, code: disclosure.CodeInvalid, field: field},
		})
		change(nil)
	}
	w.step(t, "reviewer", created.text("id"), "publish", nil)
}

func TestBadSteps(t *testing.T) {
	w := start(t)
	type m = map[string]string
	draft := w.create(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	waiting := w.create(t, w.draft(t, tender, "桥梁工程招标公告")).text("id")
	w.step(t, "editor", waiting, "submit", nil)
	public := w.publish(t, w.draft(t, tender, "水闸工程招标公告")).text("id")
	at := func(id, step string) string { return staffNotices + "/" + id + "/" + step }
	w.refuses(t, []badInput{
		{name: "publish by the author", path: at(waiting, "publish"), as: "editor-as-reviewer", want: 403, code: disclosure.CodeSamePerson, field: "reviewer"},
		{name: "publish by an editor", path: at(waiting, "publish"), want: 403, code: disclosure.CodeRole},
		{name: "publish by a stranger", path: at(waiting, "publish"), as: "-", want: 401, code: disclosure.CodeNoToken},
		{name: "publish of a draft", path: at(draft, "publish"), as: "reviewer", want: 409, code: disclosure.CodeState, field: "status"},
		{name: "publish twice", path: at(public, "publish"), as: "reviewer", want: 409, code: disclosure.CodeState, field: "status"},
		{name: "publish at no time", path: at(waiting, "publish"), as: "reviewer", body: object{"publish_at": "tomorrow"}, want: 422, code: disclosure.CodeInvalid, field: "publish_at"},
		{name: "publish at a number", path: at(waiting, "publish"), as: "reviewer", body: object{"publish_at": 5}, want: 400, code: disclosure.CodeJSON, field: "publish_at"},
		{name: "publish in two years", path: at(waiting, "publish"), as: "reviewer", body: object{"publish_at": "2028-11-23T09:00:00+08:00"}, want: 422, code: disclosure.CodeInvalid, field: "publish_at"},
		{name: "a review without end", path: at(waiting, "publish"), as: "reviewer", body: object{"secrecy_review": object{"result": strings.Repeat("密", 51)}}, want: 422, code: disclosure.CodeInvalid, field: "secrecy_review.result"},
		{name: "an unknown member", path: at(waiting, "publish"), as: "reviewer", body: object{"force": true}, want: 400, code: disclosure.CodeUnknown, field: "force"},
		{name: "reject without a comment", path: at(waiting, "reject"), as: "reviewer", want: 422, code: disclosure.CodeInvalid, field: "comment"},
		{name: "submit twice", path: at(waiting, "submit"), want: 409, code: disclosure.CodeState, field: "status"},
		{name: "edit while it is checked", method: "PUT", path: staffNotices + "/" + waiting, body: w.draft(t, tender, "新"), want: 409, code: disclosure.CodeState, field: "status"},
		{name: "delete what is public", method: "DELETE", path: staffNotices + "/" + public, want: 409, code: disclosure.CodeState, field: "status"},
		{name: "correct nothing", path: at(public, "correct"), body: object{"changes": object{}, "reason": "理由"}, want: 422, code: disclosure.CodeInvalid, field: "changes"},
		{name: "correct to the same", path: at(public, "correct"), body: object{"changes": object{"title": "水闸工程招标公告"}, "reason": "理由"}, want: 422, code: disclosure.CodeInvalid, field: "changes"},
		{name: "correct without a reason", path: at(public, "correct"), body: object{"changes": object{"title": "新"}}, want: 422, code: disclosure.CodeInvalid, field: "reason"},
		{name: "correct an unknown member", path: at(public, "correct"), body: object{"changes": object{"code": "1"}, "reason": "理由"}, want: 400, code: disclosure.CodeUnknown, field: "changes.code"},
		{name: "correct to a value of the wrong form", path: at(public, "correct"), body: object{"changes": object{"bid_deadline": "soon"}, "reason": "理由"}, want: 422, code: disclosure.CodeInvalid, field: "fields.bid_deadline"},
		{name: "correct the source away", path: at(public, "correct"), body: object{"changes": object{"source": nil}, "reason": "理由"}, want: 422, code: disclosure.CodeInvalid, field: "source"},
		{name: "terminate without a reason", path: at(public, "terminate"), want: 422, code: disclosure.CodeInvalid, field: "reason"},
		{name: "terminate a draft", path: at(draft, "terminate"), body: object{"reason": "理由"}, want: 409, code: disclosure.CodeState, field: "status"},
		{name: "withdraw without a reason", path: at(public, "withdraw"), as: "reviewer", want: 422, code: disclosure.CodeInvalid, field: "reason"},
		{name: "withdraw a draft", path: at(draft, "withdraw"), as: "reviewer", body: object{"reason": "理由"}, want: 409, code: disclosure.CodeState, field: "status"},
		{name: "withdraw by an editor", path: at(public, "withdraw"), body: object{"reason": "理由"}, want: 403, code: disclosure.CodeRole},
		{name: "a stale If-Match", path: at(draft, "submit"), header: m{"If-Match": `"7"`}, want: 412, code: disclosure.CodeStale, field: "If-Match"},
		{name: "a weak If-Match", path: at(draft, "submit"), header: m{"If-Match": `W/"1"`}, want: 400, code: disclosure.CodeIfMatch, field: "If-Match"},
		{name: "an If-Match without quotes", path: at(draft, "submit"), header: m{"If-Match": `1`}, want: 400, code: disclosure.CodeIfMatch, field: "If-Match"},
		{name: "any If-Match", path: at(draft, "submit"), header: m{"If-Match": `*`}, want: 400, code: disclosure.CodeIfMatch, field: "If-Match"},
		{name: "two revisions", path: at(draft, "submit"), header: m{"If-Match": `"1", "2"`}, want: 400, code: disclosure.CodeIfMatch, field: "If-Match"},
		{name: "a stale delete", method: "DELETE", path: staffNotices + "/" + draft, header: m{"If-Match": `"2"`}, want: 412, code: disclosure.CodeStale, field: "If-Match"},
		{name: "no such notice", path: at("01900000-0000-7000-8000-000000000000", "submit"), want: 404, code: disclosure.CodeNotFound},
		{name: "a mistyped code", path: at("12345678", "submit"), want: 404, code: disclosure.CodeNotFound},
		{name: "an unknown parameter", path: at(draft, "submit") + "?force=1", want: 400, code: disclosure.CodeUnknown, field: "force"},
	})
}

// A request sent again with its key is carried out once, and another request
// with the same key not at all.
func TestIdempotencyKeys(t *testing.T) {
	w := start(t)
	draft := w.draft(t, tender, "道路工程招标公告")
	key := map[string]string{"Idempotency-Key": "k-1"}
	first := w.call(t, "POST", staffNotices, opts{as: "editor", body: draft, header: key, want: 201})
	rows := w.rows(t)
	for range 2 {
		again := w.call(t, "POST", staffNotices, opts{as: "editor", body: draft, header: key, want: 201})
		if again.text("id") != first.text("id") || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("replayed: %v %s", again.header, again.body)
		}
	}
	w.unchanged(t, rows, "a replay")
	w.refuses(t, []badInput{
		{name: "another body", path: staffNotices, body: change(draft, "title", "另一份公告"), header: key, want: 422, code: disclosure.CodeIdemClash, field: "Idempotency-Key"},
		{name: "another step", path: staffNotices + "/" + first.text("id") + "/submit", header: key, want: 422, code: disclosure.CodeIdemClash, field: "Idempotency-Key"},
		{name: "another If-Match", method: "POST", path: staffNotices, body: draft, header: map[string]string{"Idempotency-Key": "k-1", "If-Match": `"1"`}, want: 422, code: disclosure.CodeIdemClash, field: "Idempotency-Key"},
	})
	if other := w.call(t, "POST", staffNotices, opts{as: "editor2", body: draft, header: key, want: 201}); other.text("id") == first.text("id") {
		t.Error("the key of one person is another's")
	}
	// Every step is carried out once, a refused one not remembered.
	at := staffNotices + "/" + first.text("id")
	w.call(t, "POST", at+"/reject", opts{as: "reviewer", header: map[string]string{"Idempotency-Key": "r"}, body: object{"comment": "理由"}, want: 409})
	for _, step := range []struct {
		who, name string
		body      any
	}{{"editor", "submit", nil}, {"reviewer", "reject", object{"comment": "理由"}}, {"editor", "submit", nil}, {"reviewer", "publish", nil},
		{"editor", "correct", object{"changes": object{"title": "新的标题"}, "reason": "理由"}}, {"editor", "terminate", object{"reason": "理由"}},
		{"reviewer", "withdraw", object{"reason": "理由"}}} {
		o := opts{as: step.who, body: step.body, header: map[string]string{"Idempotency-Key": fmt.Sprintf("%s-%d", step.name, w.rows(t)["audit position"])}}
		once := w.call(t, "POST", at+"/"+step.name, o)
		rows := w.rows(t)
		again := w.call(t, "POST", at+"/"+step.name, o)
		if again.status != once.status || string(again.body) != string(once.body) || again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s again = %d %s, want %s", step.name, again.status, again.body, once.body)
		}
		w.unchanged(t, rows, step.name+" again")
	}
	gone := w.create(t, draft).text("id")
	o := opts{as: "editor", header: map[string]string{"Idempotency-Key": "delete"}, want: 204}
	w.call(t, "DELETE", staffNotices+"/"+gone, o)
	w.call(t, "DELETE", staffNotices+"/"+gone, o)
}

func TestBadQueries(t *testing.T) {
	w := start(t)
	w.stock(t, tender, "道路工程招标公告", "桥梁工程招标公告", "水闸工程招标公告")
	cursor := w.get(t, "/api/v1/notices?limit=1").text("next")
	other := w.get(t, "/api/v1/notices?limit=1&sector=construction").text("next")
	tampered := []byte(cursor)
	tampered[20] ^= 1
	if tampered[20] == '-'^1 || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", rune(tampered[20])) {
		tampered[20] = 'A'
	}
	ranked := disclosure.NoticeQuery{Q: "道路", Sort: disclosure.SortRelevance}
	before := disclosure.Cursor{A: -5, B: 1 << 40}.Encode(ranked.Canonical()) // the sum is no secret
	const list = "/api/v1/notices?"
	var tests []badInput
	for _, tt := range []struct {
		query string
		code  disclosure.Code
		field string
	}{
		{"limit=0", disclosure.CodeParam, "limit"},
		{"limit=-1", disclosure.CodeParam, "limit"},
		{"limit=1e9", disclosure.CodeParam, "limit"},
		{"limit=101", disclosure.CodeParam, "limit"},
		{"limit=1000000000", disclosure.CodeParam, "limit"},
		{"limit=99999999999999999999", disclosure.CodeParam, "limit"},
		{"limit=", disclosure.CodeParam, "limit"},
		{"limit=0x10", disclosure.CodeParam, "limit"},
		{"limit=5&limit=6", disclosure.CodeParam, "limit"},
		{"cursor=" + string(tampered), disclosure.CodeCursor, "cursor"},
		{"cursor=" + other, disclosure.CodeCursor, "cursor"},
		{"cursor=", disclosure.CodeCursor, "cursor"},
		{"cursor=1", disclosure.CodeCursor, "cursor"},
		{"cursor=" + cursor[:9] + "%0A" + cursor[9:], disclosure.CodeCursor, "cursor"},
		{"q=%E9%81%93%E8%B7%AF&sort=relevance&cursor=" + before, disclosure.CodeCursor, "cursor"},
		{"sector=nope", disclosure.CodeParam, "sector"},
		{"sector=construction&sector=nope", disclosure.CodeParam, "sector"},
		{"type=construction.nope", disclosure.CodeParam, "type"},
		{"stage=party", disclosure.CodeParam, "stage"},
		{"item=A9-99", disclosure.CodeParam, "item"},
		{"body=nobody", disclosure.CodeParam, "body"},
		{"project=%E2%80%8B", disclosure.CodeParam, "project"},
		{"since=yesterday", disclosure.CodeParam, "since"},
		{"since=2026-02-30", disclosure.CodeParam, "since"},
		{"since=2026-11-23&until=2026-11-22", disclosure.CodeParam, "until"},
		{"amount_min=-1", disclosure.CodeParam, "amount_min"},
		{"amount_min=1e3", disclosure.CodeParam, "amount_min"},
		{"amount_min=2&amount_max=1", disclosure.CodeParam, "amount_max"},
		{"open=yes", disclosure.CodeParam, "open"},
		{"sort=price", disclosure.CodeParam, "sort"},
		{"q=" + strings.Repeat("a", 101), disclosure.CodeParam, "q"},
		{"q=%FF", disclosure.CodeText, "q"},
		{"q=%00", disclosure.CodeText, "q"},
		{"page=2", disclosure.CodeUnknown, "page"},
		{"Sector=land", disclosure.CodeUnknown, "Sector"},
		{"sector[]=land", disclosure.CodeUnknown, "sector[]"},
	} {
		tests = append(tests, badInput{name: tt.query, method: "GET", as: "-", path: list + tt.query, want: 400, code: tt.code, field: tt.field})
	}
	for _, query := range []string{"annex=3", "annex=01", "annex=-1", "annex=x"} {
		tests = append(tests, badInput{name: query, method: "GET", as: "-", path: "/api/v1/catalog?" + query, want: 400, code: disclosure.CodeParam, field: "annex"})
	}
	w.refuses(t, tests)
	// What looks like an attack and is a search is one.
	for _, q := range []string{`'; DROP TABLE notice; --`, `"`, `a* NEAR(b)`, `道路 OR 桥梁`, `<script>`, `%`, `\`, `{{7*7}}`} {
		r := w.get(t, list+url.Values{"q": {q}}.Encode())
		if r.number("total") > 3 {
			t.Errorf("q=%s: %s", q, r.body)
		}
	}
}

// Uploads are refused by the header alone where the token does not permit them,
// and by content where they are not what they say.
func TestBadUploads(t *testing.T) {
	w := start(t)
	send := func(name string, parts ...part) badInput {
		body, media := form(t, parts...)
		return badInput{name: name, path: uploads, body: body, header: map[string]string{"Content-Type": media}}
	}
	expect := func(b badInput, want int, code disclosure.Code, field string) badInput {
		b.want, b.code, b.field = want, code, field
		return b
	}
	as := func(b badInput, who string) badInput {
		b.as = who
		return b
	}
	big := strings.Repeat("x", 20<<20)
	w.refuses(t, []badInput{
		expect(send("another field", part{"document", "a.pdf", samplePDF}), 400, disclosure.CodeUnknown, "file"),
		expect(send("two files", part{"file", "a.pdf", samplePDF}, part{"file", "b.pdf", samplePDF}), 400, disclosure.CodeUnknown, "file"),
		expect(send("a file and a value", part{"file", "a.pdf", samplePDF}, part{"note", "", "x"}), 400, disclosure.CodeUnknown, "file"),
		expect(send("an empty file", part{"file", "a.pdf", ""}), 413, disclosure.CodeFileSize, "file"),
		expect(send("a page", part{"file", "a.html", "<!DOCTYPE html><html></html>"}), 422, disclosure.CodeFileType, "file"),
		expect(send("a page named text", part{"file", "a.txt", "<!DOCTYPE html><html></html>"}), 422, disclosure.CodeFileType, "file"),
		expect(send("a drawing with a script", part{"file", "a.png", `<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`}), 422, disclosure.CodeFileType, "file"),
		expect(send("a program named document", part{"file", "a.pdf", "MZ\x90\x00\x03"}), 422, disclosure.CodeFileType, "file"),
		expect(send("a document named program", part{"file", "a.exe", samplePDF}), 422, disclosure.CodeFileType, "file"),
		expect(send("text in GBK", part{"file", "a.txt", "\xb2\xc9\xb9\xba\xd5\xd0\xb1\xea"}), 422, disclosure.CodeFileType, "file"),
		expect(send("over 20 MB", part{"file", "a.txt", big + "x"}), 413, disclosure.CodeFileSize, "file"),
		expect(send("far over 20 MB", part{"file", "a.txt", big + big}), 413, disclosure.CodeTooLarge, "Content-Length"),
		as(expect(send("20 MB by nobody", part{"file", "a.txt", big}), 401, disclosure.CodeNoToken, ""), "-"),
		as(expect(send("20 MB by an auditor", part{"file", "a.txt", big}), 403, disclosure.CodeRole, ""), "auditor"),
		as(expect(send("a small one by an auditor", part{"file", "a.pdf", samplePDF}), 403, disclosure.CodeRole, ""), "auditor"),
		{name: "no form", path: uploads, body: "{}", want: 415, code: disclosure.CodeMediaType, field: "file"},
		{name: "half a form", path: uploads, body: "--x\r\n", header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, want: 400, code: disclosure.CodeUnknown, field: "file"},
		{name: "an unknown parameter", path: uploads + "?name=x", want: 400, code: disclosure.CodeUnknown, field: "name"},
	})
	if ok := w.upload(t, "editor", "a.txt", big); ok.number("size") != len(big) {
		t.Errorf("20 MB: %s", ok.body)
	}
	// A stranger is answered before the file is sent.
	r := w.raw(t, "POST "+uploads+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer gk_wrong\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 20000000\r\n\r\n")
	if r.status != 401 || r.text("code") != "auth.invalid" {
		t.Errorf("an upload with a wrong token = %d %s", r.status, r.body)
	}
}
