package handlers_test

import (
	"fmt"
	"testing"

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
