package handlers_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"

	"gongkai/internal/disclosure"
)

// The rules stop a notice where it is handed in and again where it is checked,
// with the field, the code and the rule.
func TestRulesAtSubmissionAndVerification(t *testing.T) {
	w := start(t)
	early := w.draft(t, tender, "道路工程招标公告")
	early["fields"].(object)["bid_deadline"] = "2026-12-12T09:30:00+08:00"
	at := "/api/v1/staff/notices/" + w.create(t, early).text("id")
	r := w.call(t, "POST", at+"/submit", opts{as: "editor", want: 422})
	if r.text("code") != "notice.invalid" || r.text("errors.0.field") != "fields.bid_deadline" || r.text("errors.0.code") != "date.too_early" ||
		r.text("errors.0.rule") != "D5" || !r.holds("招标投标法 第二十四条") {
		t.Errorf("submission: %s", r.body)
	}
	if checks := w.call(t, "GET", at+"/preview", opts{as: "editor"}); checks.text("checks.0.rule") != "D5" || checks.at("checks.0.warning") != false {
		t.Errorf("preview: %s", checks.body)
	}

	just := w.draft(t, tender, "桥梁工程招标公告")
	just["fields"].(object)["bid_deadline"] = "2026-12-13T09:30:00+08:00"
	id := w.create(t, just).text("id")
	w.step(t, "editor", id, "submit", nil)
	w.advance(24 * time.Hour) // it lay a day on the reviewer's desk
	r = w.call(t, "POST", "/api/v1/staff/notices/"+id+"/publish", opts{as: "reviewer", want: 422})
	if r.text("errors.0.rule") != "D5" || r.text("code") != "notice.invalid" {
		t.Errorf("verification: %s", r.body)
	}

	late := w.draft(t, "land.change", "变更信息", object{"formed_at": "2026-10-01"})
	at = "/api/v1/staff/notices/" + w.create(t, late).text("id")
	r = w.call(t, "POST", at+"/submit", opts{as: "editor", want: 422})
	if r.text("code") != "notice.warnings" || r.text("errors.0.field") != "formed_at" || r.text("errors.0.rule") != "D1" {
		t.Errorf("late: %s", r.body)
	}
	w.call(t, "POST", at+"/submit", opts{as: "editor", body: object{"acknowledge": []any{"D1"}}, want: 422}) // no reason
	w.call(t, "POST", at+"/submit", opts{as: "editor", body: object{"acknowledge": []any{"D1"}, "reason": "材料补正"}})
	n := w.call(t, "POST", at+"/publish", opts{as: "reviewer", body: object{"acknowledge": []any{"date.too_late"}, "reason": "已核实"}})
	if got := w.get(t, "/api/v1/notices/"+n.text("id")); got.at("timeliness.late") != true || got.text("timeliness.rule") != "D1" || got.text("timeliness.due_on") != "2026-11-03" {
		t.Errorf("timeliness: %s", got.body)
	}
}

// A correction may not do what the notice itself could not.
func TestRulesOfCorrections(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	correct := func(deadline string) string {
		return w.call(t, "POST", "/api/v1/staff/notices/"+id+"/correct", opts{as: "editor", want: 201,
			body: object{"changes": object{"bid_deadline": deadline}, "reason": "调整"}}).text("id")
	}
	r := w.call(t, "POST", "/api/v1/staff/notices/"+correct("2026-12-01T09:30:00+08:00")+"/submit", opts{as: "editor", want: 422})
	if r.text("errors.0.field") != "changes.bid_deadline" || r.text("errors.0.rule") != "D5" {
		t.Errorf("moved too near: %s", r.body)
	}
	ok := correct("2027-01-20T09:30:00+08:00")
	w.step(t, "editor", ok, "submit", nil)
	w.step(t, "reviewer", ok, "publish", nil)
	if got := w.get(t, "/api/v1/deadlines?from=2027-01-20"); got.number("total") != 1 || got.text("items.0.due_at") != "2027-01-20T09:30:00+08:00" {
		t.Errorf("deadlines: %s", got.body)
	}
	if got := w.get(t, "/api/v1/notices/"+id+"/revisions/1"); got.text("deadlines.2.due_at") != "2027-01-07T09:30:00+08:00" {
		t.Errorf("the revision before has its own deadlines: %s", got.body)
	}
}

func TestDeadlineListIsServedFromTheCache(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, tender, "道路工程招标公告", object{"project": object{"code": "E1", "name": "道路工程"}})).text("id")
	list := w.get(t, "/api/v1/deadlines?sector=construction")
	for path, want := range map[string]string{"items.0.rule": "D4", "items.0.due_at": "2026-12-13T23:59:59+08:00", "items.0.notice.id": id,
		"items.1.rule": "D7", "items.1.label": "对招标文件提出异议截止", "items.2.rule": "D5", "items.2.due_at": "2027-01-07T09:30:00+08:00"} {
		if got := list.text(path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	before := w.store.Queries()
	if again := w.get(t, "/api/v1/deadlines?sector=construction"); again.header.Get("ETag") != list.header.Get("ETag") || w.store.Queries() != before {
		t.Error("asked again, it read the database")
	}
	w.advance(21 * 24 * time.Hour) // 14 December: its beginning is today, whatever was cached
	if later := w.get(t, "/api/v1/deadlines?sector=construction"); later.number("total") != 2 {
		t.Errorf("three weeks later: %s", later.body)
	}
	if got := w.get(t, list.text("items.1.explain_url")); got.text("due_at") != "2026-12-28T23:59:59+08:00" || got.text("article") != "招标投标法实施条例 第二十二条" ||
		got.text("text") != "对招标文件提出异议，2027年1月7日前10日：2026年12月28日" {
		t.Errorf("explained: %s", got.body)
	}
	for query, field := range map[string]string{"sector=nope": "sector", "from=tomorrow": "from", "from=2026-12-02&to=2026-12-01": "to", "limit=0": "limit", "cursor=x": "cursor"} {
		if r := w.call(t, "GET", "/api/v1/deadlines?"+query, opts{want: 400}); r.text("errors.0.field") != field {
			t.Errorf("%s: %s", query, r.body)
		}
	}
}

func TestDeadlinesAsACalendarFile(t *testing.T) {
	w := start(t)
	w.publish(t, w.draft(t, tender, "道路工程招标公告"))
	r := w.get(t, "/api/v1/deadlines.ics?sector=construction")
	if !strings.HasPrefix(r.header.Get("Content-Type"), "text/calendar") {
		t.Errorf("type %s", r.header.Get("Content-Type"))
	}
	if lines := strings.Split(string(r.body), "\r\n"); strings.Contains(strings.Join(lines, ""), "\n") || slices.ContainsFunc(lines, func(l string) bool { return len(l) > 75 }) {
		t.Errorf("not folded as RFC 5545 wants: %q", r.body)
	}
	cal, err := ics.ParseCalendar(strings.NewReader(string(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	events := cal.Events()
	if len(events) != 3 {
		t.Fatalf("%d events: %s", len(events), r.body)
	}
	last := events[2]
	at, err := last.GetStartAt()
	if err != nil || disclosure.FormatInstant(at) != "2027-01-07T09:30:00+08:00" ||
		last.GetProperty(ics.ComponentPropertySummary).Value != "投标截止时间：道路工程招标公告" || !strings.HasPrefix(last.Id(), "d5.bid-") ||
		!strings.HasPrefix(last.GetProperty(ics.ComponentPropertyUrl).Value, "https://gongkai.test/n/") {
		t.Errorf("%v %v", at, last)
	}
}

func TestExplanations(t *testing.T) {
	w := start(t)
	r := w.get(t, "/api/v1/deadlines/explain?rule=D12&from=2026-02-13")
	if r.text("due_at") != "2026-02-24T23:59:59+08:00" || r.text("skipped.0.reason") != "春节放假" || r.at("provisional") != false ||
		r.text("article") != "政府采购法实施条例 第四十三条" {
		t.Errorf("D12: %s", r.body)
	}
	for query, want := range map[string]string{
		"from=2026-02-13&workdays=2": "2026-02-24", "from=2026-09-24&workdays=5": "2026-10-09", "from=2025-09-29&days=3": "2025-10-09",
		"from=2026-04-30&days=3": "2026-05-06", "from=2026-11-23&workdays=0": "2026-11-23", "from=2026-11-23": "2026-12-21", "": "2026-12-21",
		"rule=D8.publish&from=2026-11-20": "2026-11-23",
	} {
		if r := w.get(t, "/api/v1/deadlines/explain?"+query); r.text("due_at") != want+"T23:59:59+08:00" {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	for query, want := range map[string]struct {
		status int
		field  string
	}{
		"rule=D99": {404, ""}, "rule=D20": {400, "rule"}, "rule=D1&days=3": {400, "rule"}, "days=3&workdays=3": {400, "rule"},
		"workdays=-1": {400, "workdays"}, "days=4000": {400, "days"}, "days=x": {400, "days"}, "from=2026-02-30": {400, "from"},
	} {
		if r := w.call(t, "GET", "/api/v1/deadlines/explain?"+query, opts{want: want.status}); want.field != "" && r.text("errors.0.field") != want.field {
			t.Errorf("%s: %s", query, r.body)
		}
	}
	if rules := w.get(t, "/api/v1/rules"); rules.number("total") != 21 || rules.text("items.4.terms.0.ref") != "D5.bid" || rules.at("items.4.editable") != false ||
		rules.at("items.14.to_be_confirmed") != true {
		t.Errorf("rules: %.500s", rules.body)
	}
}

// Counted from today by default, a limit is counted anew tomorrow, though nothing was
// published and somebody has asked for today by its date.
func TestExplainedFromTodayEndsWithTheDay(t *testing.T) {
	w := start(t)
	dated := w.get(t, "/api/v1/deadlines/explain?days=3&from=2026-11-23")
	for range 2 { // filled, and found ahead of the router
		if r := w.get(t, "/api/v1/deadlines/explain?days=3"); r.text("due_at") != dated.text("due_at") || r.text("from") != "2026-11-23" {
			t.Errorf("today: %s", r.body)
		}
	}
	w.advance(24 * time.Hour)
	if err := w.cache.Refresh(t.Context()); err != nil { // as the cache does all night
		t.Fatal(err)
	}
	if r := w.get(t, "/api/v1/deadlines/explain?days=3"); r.text("from") != "2026-11-24" {
		t.Errorf("tomorrow it is counted from %s", r.text("from"))
	}
	if r := w.get(t, "/api/v1/deadlines/explain?days=3&from=2026-11-23"); r.text("due_at") != dated.text("due_at") {
		t.Errorf("of the date: %s", r.body)
	}
}

// A year that is imported is known everywhere at once, and moves what hung on it.
func TestImportedYear(t *testing.T) {
	w := start(t)
	if r := w.get(t, "/api/v1/calendar/2026"); r.number("workdays") != 248 || r.at("provisional") != false || r.text("off.0.reason") != "元旦放假" ||
		r.text("work.0.date") != "2026-01-04" || r.text("source") != "国务院办公厅关于2026年部分节假日安排的通知" {
		t.Errorf("2026: %.500s", r.body)
	}
	if r := w.get(t, "/api/v1/calendar/2027"); r.at("provisional") != true || r.at("source") != nil || r.text("off.1.reason") != "春节（法定节假日，2027年放假安排尚未公布）" {
		t.Errorf("2027: %.500s", r.body)
	}
	for _, year := range []string{"1948", "2200", "x", "02026"} {
		w.call(t, "GET", "/api/v1/calendar/"+year, opts{want: 400})
	}
	year := object{"year": 2027, "source": "示例〔2026〕1号", "work": []any{"2027-02-20"}, "off": []any{"2027-01-01", "2027-02-05", "2027-02-08",
		"2027-02-09", "2027-04-05", "2027-06-09", "2027-09-15", "2027-10-01", "2027-01-04"}}
	w.call(t, "POST", "/api/v1/staff/calendar", opts{as: "editor", body: year, want: 403})
	bad := object{"year": 2027, "source": "x", "off": []any{"2027-01-01"}, "work": []any{}}
	if r := w.call(t, "POST", "/api/v1/staff/calendar", opts{as: "admin", body: bad, want: 422}); !r.holds("没有春节") {
		t.Errorf("half a year: %s", r.body)
	}
	if r := w.get(t, "/api/v1/deadlines/explain?from=2026-12-31&workdays=1"); r.text("due_at") != "2027-01-04T23:59:59+08:00" || r.at("provisional") != true {
		t.Errorf("before: %s", r.body)
	}
	w.call(t, "POST", "/api/v1/staff/calendar", opts{as: "admin", body: year, want: 201})
	if r := w.get(t, "/api/v1/deadlines/explain?from=2026-12-31&workdays=1"); r.text("due_at") != "2027-01-05T23:59:59+08:00" || r.at("provisional") != false {
		t.Errorf("after: %s", r.body)
	}
	if r := w.get(t, "/api/v1/calendar/2027"); r.at("provisional") != false || r.text("source") != "示例〔2026〕1号" {
		t.Errorf("2027: %.500s", r.body)
	}
}

// What the law says is not edited; what is to be confirmed is, with its history.
func TestRulesAreEditedLikeOtherDefinitions(t *testing.T) {
	w := start(t)
	w.call(t, "PATCH", "/api/v1/staff/rules/D5", opts{as: "admin", body: object{"name": "x"}, want: 422})
	term := object{"key": "publicity", "name": "公示期", "amount": 15, "unit": "d", "direction": "min", "severity": "error", "article": "区住建局规定"}
	w.call(t, "PATCH", "/api/v1/staff/rules/D21?reason="+url.QueryEscape("区里确认"), opts{as: "admin", body: object{"standing": "confirmed", "terms": []any{term}}})
	if r := w.call(t, "GET", "/api/v1/staff/rules/D21/history", opts{as: "auditor"}); r.number("total") != 2 || r.text("items.0.reason") != "区里确认" {
		t.Errorf("history: %s", r.body)
	}
	list := w.draft(t, housing, "分配结果公示")
	list["fields"].(object)["publicity_period"] = object{"from": "2026-11-23", "to": "2026-12-05"}
	delete(list["fields"].(object), "publicity_workdays")
	r := w.call(t, "POST", "/api/v1/staff/notices/"+w.create(t, list).text("id")+"/submit", opts{as: "editor", want: 422})
	if r.text("code") != "notice.invalid" || r.text("errors.0.rule") != "D21" {
		t.Errorf("by the confirmed rule: %s", r.body)
	}
}

func TestTimelinessBoard(t *testing.T) {
	w := start(t)
	w.publish(t, w.draft(t, "land.change", "变更信息", object{"formed_at": "2026-11-20"}))
	late := w.create(t, w.draft(t, "land.change", "变更信息", object{"formed_at": "2026-10-01"})).text("id")
	ack := object{"acknowledge": []any{"D1"}, "reason": "材料补正"}
	w.step(t, "editor", late, "submit", ack)
	w.step(t, "reviewer", late, "publish", ack)
	board := w.get(t, "/api/v1/timeliness?body=resource-trading-centre")
	found := false
	for i := range int(board.number("total")) {
		row := "items." + string(rune('0'+i/10))
		if i < 10 {
			row = "items." + string(rune('0'+i))
		}
		if board.text(row+".item.id") == "A1-10" {
			found = true
			if board.number(row+".due") != 2 || board.number(row+".on_time") != 1 || board.number(row+".late") != 1 || board.number(row+".missing") != 0 {
				t.Errorf("row: %s", board.body)
			}
		}
	}
	if !found || board.number("year") != 2026 || board.number("sum.late") != 1 {
		t.Errorf("board: %s", board.body)
	}
	if r := w.get(t, "/api/v1/timeliness?year=2025"); r.number("sum.late") != 0 || r.number("sum.missing") == 0 {
		t.Errorf("2025: %.300s", r.body)
	}
	item := w.get(t, "/api/v1/catalog/A1-10")
	if item.text("coverage.status") != "covered" || item.number("coverage.late") != 1 || item.text("coverage.types.0.id") != "land.change" ||
		item.text("coverage.missing_types.0.id") != "land.performance" {
		t.Errorf("coverage: %s", item.body)
	}
	if r := w.get(t, "/api/v1/catalog"); r.number("coverage.covered") != 1 || r.number("coverage.missing") != 41 {
		t.Errorf("coverage of all: %.200s", r.body)
	}
	w.call(t, "GET", "/api/v1/timeliness?body=nobody", opts{want: 400})
	w.call(t, "GET", "/api/v1/timeliness?year=3000", opts{want: 400})
}

// More than one project asks, and never guesses.
func TestProjectInquiry(t *testing.T) {
	w := start(t)
	for _, p := range [][2]string{{"E1", "盐东镇道路工程"}, {"E2", "黄尖镇道路工程"}} {
		w.publish(t, w.draft(t, tender, p[1]+"招标公告", object{"project": object{"code": p[0], "name": p[1]}}))
	}
	r := w.get(t, "/api/v1/projects?q="+url.QueryEscape("道路"))
	if r.number("total") != 2 || r.text("matched_by") != "name" || r.text("items.0.code") != "E2" || r.text("items.0.current_stage") != "execution" {
		t.Errorf("by words: %s", r.body)
	}
	if r := w.get(t, "/api/v1/projects?q=e1"); r.number("total") != 1 || r.text("matched_by") != "code" || r.text("items.0.name") != "盐东镇道路工程" {
		t.Errorf("by code: %s", r.body)
	}
	if r := w.get(t, "/api/v1/projects?q="+url.QueryEscape("机场")); r.number("total") != 0 || r.at("matched_by") != nil {
		t.Errorf("by nothing: %s", r.body)
	}
	shared := w.call(t, "GET", "/api/v1/projects/I3209020001000012001001", opts{want: 409}) // both name the section
	if shared.text("code") != "project.ambiguous" || shared.text("errors.0.message") != "E2 黄尖镇道路工程" || shared.text("errors.1.message") != "E1 盐东镇道路工程" {
		t.Errorf("a section of two: %s", shared.body)
	}
	page := w.call(t, "GET", "/p/I3209020001000012001001", opts{want: 409, header: map[string]string{"Accept": "text/html"}})
	if got := string(page.body); !strings.Contains(got, `<a href="/p/E2">E2 黄尖镇道路工程</a>`) || !strings.Contains(got, `<a href="/p/E1">`) {
		t.Errorf("the page does not ask: %s", got)
	}
	one := w.get(t, "/api/v1/projects/E1")
	if one.text("next_deadline") != "2026-12-13T23:59:59+08:00" || one.text("next.rule") != "D4" || one.text("deadlines.2.rule") != "D5" ||
		!strings.HasPrefix(one.text("status"), "2026年11月23日已发布招标公告，下一个期限：") || one.text("codes.1.kind") != "investment" {
		t.Errorf("one: %s", one.body)
	}
	w.advance(30 * 24 * time.Hour)
	if later := w.get(t, "/api/v1/projects/E1"); later.text("next_deadline") != "2026-12-28T23:59:59+08:00" {
		t.Errorf("a month later: %s", later.body)
	}
}
