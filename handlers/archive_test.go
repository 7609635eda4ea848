package handlers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gongkai/internal/store/storetest"
)

// TestArchive: what a period promises is what the list of its days holds, for a
// sector, for one type of it and for all; a withdrawn notice counts no more.
func TestArchive(t *testing.T) {
	w := start(t)
	for months, typ := range []string{tender, tender, housing, "construction.award_result", tender} {
		c := storetest.Content(t, w.store.Catalog(), typ, "公告")
		storetest.Publish(t, w.store, c, storetest.Start.AddDate(0, 7*(months-4), 0))
	}
	n := w.publish(t, w.draft(t, tender, "要撤回的招标公告"))
	for query, want := range map[string]int{"sector=construction": 5, "sector=construction&type=" + tender: 4, "": 6, "type=" + housing: 1, "sector=land": 0} {
		a := w.get(t, "/api/v1/archive?"+query)
		if a.number("total") != want || a.text("as_of") == "" {
			t.Errorf("%q has %s", query, a.body)
		}
		sum := 0
		for i := range a.len("periods") {
			period := fmt.Sprintf("periods.%d.", i)
			days := "&since=" + a.text(period+"since") + "&until=" + a.text(period+"until")
			listed := w.get(t, "/api/v1/notices?limit=1&"+query+days).number("total")
			if listed != a.number(period+"count") {
				t.Errorf("%q: of %s %d are listed, %d promised", query, days, listed, a.number(period+"count"))
			}
			sum += listed
		}
		if sum != want {
			t.Errorf("%q: the periods hold %d of %d", query, sum, want)
		}
	}
	first := w.get(t, "/api/v1/archive?sector=construction")
	if first.text("types.0.code") != tender || first.text("types.0.name") != "招标公告" || first.number("types.0.count") != 4 {
		t.Errorf("types: %s", first.body)
	}
	w.call(t, "GET", "/api/v1/archive?sector=construction", opts{want: 304, header: map[string]string{"If-None-Match": first.header.Get("ETag")}})
	w.step(t, "reviewer", n.text("id"), "withdraw", object{"reason": "有误"})
	if r := w.get(t, "/api/v1/archive?sector=construction"); r.number("total") != 4 || r.number("types.0.count") != 3 {
		t.Errorf("after a withdrawal: %s", r.body)
	}
}

// TestArchiveBadInput: what is asked wrongly is refused with a reason.
func TestArchiveBadInput(t *testing.T) {
	w := start(t)
	for query, field := range map[string]string{"sector=nope": "sector", "type=nope": "type", "sector=land&type=" + tender: "type", "since=2026-01-01": "since",
		"sector=land&sector=medical": "sector", "limit=5": "limit"} {
		if r := w.call(t, "GET", "/api/v1/archive?"+query, opts{want: 400}); r.text("errors.0.field") != field {
			t.Errorf("%s: %s", query, r.body)
		}
	}
}

// TestSectorPeriods: a sector's page leads to each month it has notices of, and
// to the days of a month of very many.
func TestSectorPeriods(t *testing.T) {
	w := start(t)
	at := storetest.Start
	publish := func(title, typ string, at time.Time) {
		storetest.Publish(t, w.store, storetest.Content(t, w.store.Catalog(), typ, title), at)
	}
	publish("三年前的中标结果公告", "construction.award_result", at.AddDate(-3, 0, 0))
	n := storetest.Publish(t, w.store, storetest.Content(t, w.store.Catalog(), tender, "去年的招标公告"), at.AddDate(-1, 0, 0))
	publish("今天的招标公告", tender, at)
	if err := w.cache.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.page(t, "/s/construction", 200).says("按发布时间查找", "2026年 11月 1 条", "2025年 11月 1 条", "2023年 11月 1 条")
	if r := w.page(t, "/s/construction?period=2025-11", 200); !r.holds("去年的招标公告") || r.holds("今天的") {
		t.Errorf("the month holds %s", r.plain())
	}
	w.page(t, "/s/construction?period=2025-11-23", 200).says("2025年11月23日 共 1 条", "去年的招标公告")
	w.page(t, "/s/construction?period=2023-11&type="+tender, 200).says("2023年11月没有公开的公告", "另选时间")
	w.page(t, "/s/construction?period=2024-02", 200).says("2024年2月没有公开的公告", "2023年 11月 1 条")
	w.page(t, "/s/construction?period=2099-01", 200).says("2099年1月还没有到", "另选时间")
	w.page(t, "/s/medical?period=2025-11", 200).says("2025年11月没有公开的公告")
	for _, period := range []string{"nope", "2026-13", "2026-02-30", "2026-1", "0000-01", "%F0%9F%98%80", "2026-11%00", strings.Repeat("9", 300)} {
		w.page(t, "/s/construction?period="+period, 400).says("今天的招标公告")
	}
	w.page(t, "/s/nope?period=2025-11", 404).says("首页")
	if r := w.page(t, "/s/construction?period=", 200); !r.holds("今天的") || !r.holds("三年前的") {
		t.Errorf("an empty period: %s", r.plain())
	}
	w.step(t, "reviewer", n.ID, "withdraw", object{"reason": "有误"})
	w.page(t, "/s/construction?period=2025-11", 200).says("2025年11月没有公开的公告")
	if r := w.page(t, "/s/construction", 200); r.holds("2025年") {
		t.Error("a month whose only notice was withdrawn is still offered")
	}
}

// TestSectorOfYears: the pages of a sector with thousands of notices keep to
// their budgets, and so does what the kiosk asks for.
func TestSectorOfYears(t *testing.T) {
	w := start(t)
	w.years(t, 600)
	for path, limit := range map[string]int{"/s/construction": 14 << 10, "/s/construction?period=2024-12": 14 << 10, "/s/construction?period=2025-04-08": 14 << 10,
		"/api/v1/archive?sector=construction": 4 << 10, "/api/v1/notices?sector=construction&since=2025-04-08&until=2025-04-08&limit=100": 14 << 10} {
		size, _ := w.transferred(t, path)
		t.Logf("%-90s %6d of %6d bytes", path, size, limit)
		if size > limit {
			t.Errorf("%s is %d bytes with Brotli, its budget %d", path, size, limit)
		}
	}
	w.page(t, "/s/construction?period=2025-04", 200).says("2025年4月 8日 601 条", "2025年4月 30日 1 条", "2025年4月 共 622 条")
}
