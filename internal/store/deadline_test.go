package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/internal/workday"
)

func day(t testing.TB, s string) workday.Date {
	t.Helper()
	d, err := workday.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// dueText writes deadlines as "rule date", with "?" behind a provisional one.
func dueText(list []disclosure.Deadline) []string {
	var out []string
	for _, d := range list {
		text := d.Rule + " " + workday.DateOf(d.DueAt).String()
		if d.Provisional {
			text += "?"
		}
		out = append(out, text)
	}
	return out
}

func deadlines(t testing.TB, s *store.Store, q disclosure.DeadlineQuery) disclosure.DeadlinePage {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := s.Deadlines(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func detail(t testing.TB, s *store.Store, id string) disclosure.NoticeDetail {
	t.Helper()
	d, err := s.Notice(t.Context(), disclosure.NoticeRef{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var tenderDue = []string{"D4.sale 2026-12-13", "D7.bid 2026-12-28", "D5.bid 2027-01-07"}

func TestDeadlinesFollowTheNotice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		n := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.tender_notice", "道路工程招标公告"), storetest.Start)
		if got := dueText(detail(t, s, n.ID).Deadlines); !slices.Equal(got, tenderDue) {
			t.Errorf("published: %v", got)
		}
		apply(t, s, storetest.Amended(t, s.Catalog(), n, map[string]json.RawMessage{"bid_deadline": json.RawMessage(`"2027-01-20T09:30:00+08:00"`)}, storetest.Start)...)
		got := dueText(detail(t, s, n.ID).Deadlines)
		if want := []string{"D4.sale 2026-12-13", "D7.bid 2027-01-10", "D5.bid 2027-01-20"}; !slices.Equal(got, want) {
			t.Errorf("corrected: %v", got)
		}
		other := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.tender_notice", "桥梁工程招标公告"), storetest.Start)
		apply(t, s, storetest.Amended(t, s.Catalog(), other, nil, storetest.Start)...)
		if got := detail(t, s, other.ID).Deadlines; len(got) != 0 {
			t.Errorf("terminated: %v", got)
		}
		withdraw(t, s, detail(t, s, n.ID).Notice)
		if page := deadlines(t, s, disclosure.DeadlineQuery{}); page.Total != 0 {
			t.Errorf("withdrawn: %+v", page.Items)
		}
	})
}

func withdraw(t testing.TB, s *store.Store, n disclosure.Notice) {
	t.Helper()
	tr, err := n.Withdraw("重复发布", false, storetest.Reviewer, storetest.Start)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, s, tr)
}

func TestDeadlineList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		for range 4 { // the same instants four times
			storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.tender_notice", "道路工程招标公告"), storetest.Start)
		}
		storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.deal_publicity", "成交公示"), storetest.Start)
		all := deadlines(t, s, disclosure.DeadlineQuery{})
		if all.Total != 13 || len(all.Items) != 13 || all.Next != nil {
			t.Fatalf("%d of %d deadlines", len(all.Items), all.Total)
		}
		if !slices.IsSortedFunc(all.Items, func(a, b disclosure.NoticeDeadline) int { return a.DueAt.Compare(b.DueAt) }) {
			t.Error("not in order of time")
		}
		var paged []disclosure.NoticeDeadline
		for q := (disclosure.DeadlineQuery{Limit: 2}); ; {
			page := deadlines(t, s, q)
			paged = append(paged, page.Items...)
			if q.After = page.Next; q.After == nil {
				break
			}
		}
		key := func(d disclosure.NoticeDeadline) string { return d.Notice.ID + d.Rule + d.DueAt.String() }
		if !slices.EqualFunc(paged, all.Items, func(a, b disclosure.NoticeDeadline) bool { return key(a) == key(b) }) {
			t.Errorf("%d in pages, %d at once", len(paged), len(all.Items))
		}
		for name, tt := range map[string]struct {
			q    disclosure.DeadlineQuery
			want int
		}{
			"of a sector":        {disclosure.DeadlineQuery{Sector: "land"}, 1},
			"from a day":         {disclosure.DeadlineQuery{From: day(t, "2026-12-28")}, 8},
			"from the day after": {disclosure.DeadlineQuery{From: day(t, "2026-12-29")}, 4},
			"to a day":           {disclosure.DeadlineQuery{To: day(t, "2026-12-13")}, 5},
			"to the day before":  {disclosure.DeadlineQuery{To: day(t, "2026-12-12")}, 1},
			"of no sector":       {disclosure.DeadlineQuery{Sector: "nothing"}, 0},
		} {
			if page := deadlines(t, s, tt.q); page.Total != tt.want || len(page.Items) != tt.want {
				t.Errorf("%s: %d of %d, want %d", name, len(page.Items), page.Total, tt.want)
			}
		}
	})
}

// newYear defines 2027 with 8 to 12 February off and 31 December of 2026 worked
// or not.
func newYear(t testing.TB, version int, off ...string) disclosure.Definition {
	t.Helper()
	y := workday.Year{Year: 2027, Source: "示例〔2026〕1号", Work: []workday.Date{}}
	for _, text := range append([]string{"2027-01-01", "2027-02-05", "2027-02-08", "2027-04-05", "2027-06-09", "2027-09-15", "2027-10-01"}, off...) {
		y.Off = append(y.Off, day(t, text))
	}
	doc, err := json.Marshal(y)
	if err != nil {
		t.Fatal(err)
	}
	def, err := disclosure.ParseDefinition(disclosure.KindYear, doc)
	if err != nil {
		t.Fatal(err)
	}
	def.Version, def.At, def.By = version, storetest.Start.Add(time.Hour), "赵管理"
	return def
}

// TestImportedYearMovesProvisionalDates: a contract term that runs over the new
// year is provisional; the year's import moves it, in the same commit, with an
// audit line; an amendment of the year moves it again.
func TestImportedYearMovesProvisionalDates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		c := storetest.Content(t, s.Catalog(), "construction.award_result", "中标结果公告")
		c.Fields["award_notice_on"], c.Fields["winner_fixed_on"] = "2026-12-03", "2026-12-03"
		c.FormedAt = day(t, "2026-12-21")
		at := day(t, "2026-12-31").Start().Add(9 * time.Hour)
		n := storetest.Publish(t, s, c, at)
		want := func(what, contract string, provisional bool, rows int) {
			t.Helper()
			d := detail(t, s, n.ID)
			i := slices.IndexFunc(d.Deadlines, func(d disclosure.Deadline) bool { return d.Rule == "D9.contract" })
			if got := d.Deadlines[i]; workday.DateOf(got.DueAt).String() != contract || got.Provisional != provisional {
				t.Errorf("%s: %v", what, dueText(d.Deadlines))
			}
			page, err := s.Audit(t.Context(), n.ID, 1<<62, 100)
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for _, r := range page.Items {
				if r.Action == disclosure.AuditRecount {
					count++
					if count == 1 && rows > 0 && !strings.Contains(r.Detail, "D9.contract:") {
						t.Errorf("%s: audit says %q", what, r.Detail)
					}
				}
			}
			if count != rows {
				t.Errorf("%s: %d audit rows, want %d", what, count, rows)
			}
		}
		want("at first", "2027-01-04", true, 0) // the 2nd is a Saturday
		before, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Define(t.Context(), storetest.Admin, newYear(t, 1, "2027-01-04")); err != nil {
			t.Fatal(err)
		}
		want("imported", "2027-01-05", false, 1)
		if after, _ := s.Head(t.Context()); after.Position <= before.Position || !after.Catalog.Calendar().Covers(2027) {
			t.Error("readers do not learn of the year")
		}
		if err := s.Define(t.Context(), storetest.Admin, newYear(t, 2, "2027-01-04", "2027-01-05")); err != nil {
			t.Fatal(err)
		}
		want("amended", "2027-01-06", false, 2)
		if err := s.Define(t.Context(), storetest.Admin, newYear(t, 3, "2027-01-04", "2027-01-05")); err != nil {
			t.Fatal(err)
		}
		want("said again", "2027-01-06", false, 2)
		if _, err := s.VerifyAudit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestImportedYearSettlesTimeliness: whether a notice was late can hang on a
// holiday that was not known when it was published.
func TestImportedYearSettlesTimeliness(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		c := storetest.Content(t, s.Catalog(), "land.change", "变更信息")
		c.FormedAt = day(t, "2026-12-10") // 20 working days on is Friday 8 January
		n := storetest.Publish(t, s, c, day(t, "2027-01-11").Start().Add(9*time.Hour))
		if got := detail(t, s, n.ID).Timeliness; got == nil || !got.Late || !got.Provisional || got.Due.String() != "2027-01-08" {
			t.Fatalf("at first: %+v", got)
		}
		if late := lateOf(t, s, "A1-10"); late != 1 {
			t.Errorf("at first %d late", late)
		}
		if err := s.Define(t.Context(), storetest.Admin, newYear(t, 1, "2027-01-04")); err != nil {
			t.Fatal(err)
		}
		if got := detail(t, s, n.ID).Timeliness; got == nil || got.Late || got.Provisional || got.Due.String() != "2027-01-11" {
			t.Errorf("imported: %+v", got)
		}
		if late := lateOf(t, s, "A1-10"); late != 0 {
			t.Errorf("imported: %d late", late)
		}
	})
}

func coverage(t testing.TB, s *store.Store) disclosure.Coverage {
	t.Helper()
	c, err := s.Coverage(t.Context(), workday.DateOf(storetest.Start))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func lateOf(t testing.TB, s *store.Store, item string) int {
	t.Helper()
	i, err := s.Catalog().Item(item)
	if err != nil {
		t.Fatal(err)
	}
	return coverage(t, s).Item(*i, workday.DateOf(storetest.Start)).Late
}

// TestCoverageKeepsCount: counts and spans are those of the notices that are
// public, whatever was corrected or withdrawn since.
func TestCoverageKeepsCount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		publish := func(formed, on string) disclosure.Notice {
			c := storetest.Content(t, s.Catalog(), "land.change", "变更信息")
			if formed != "" {
				c.FormedAt = day(t, formed)
			}
			return storetest.Publish(t, s, c, day(t, on).Start().Add(9*time.Hour))
		}
		first := publish("2026-10-01", "2026-11-02")  // in time
		second := publish("2026-10-01", "2026-11-20") // late
		third := publish("", "2026-11-23")            // not known
		want := func(what string, published, timed, late int, from, to string) {
			t.Helper()
			rows := slices.DeleteFunc(coverage(t, s).Rows, func(r disclosure.CoverageRow) bool { return r.Type != "land.change" })
			if published == 0 {
				if len(rows) != 0 {
					t.Errorf("%s: %+v", what, rows)
				}
				return
			}
			if len(rows) != 1 {
				t.Fatalf("%s: %+v", what, rows)
			}
			r := rows[0]
			if r.Item != "A1-10" || r.Body != "resource-trading-centre" || r.Year != 2026 || r.Published != published || r.Timed != timed ||
				r.Late != late || workday.DateOf(r.FirstAt).String() != from || workday.DateOf(r.LastAt).String() != to {
				t.Errorf("%s: %+v", what, r)
			}
		}
		want("three", 3, 2, 1, "2026-11-02", "2026-11-23")
		apply(t, s, storetest.Amended(t, s.Catalog(), third, map[string]json.RawMessage{"formed_at": json.RawMessage(`"2026-11-20"`)}, storetest.Start)...)
		want("one corrected", 3, 3, 1, "2026-11-02", "2026-11-23")
		withdraw(t, s, first)
		want("the first withdrawn", 2, 2, 1, "2026-11-20", "2026-11-23")
		withdraw(t, s, detail(t, s, third.ID).Notice)
		want("the last withdrawn", 1, 1, 1, "2026-11-20", "2026-11-20")
		withdraw(t, s, second)
		want("all withdrawn", 0, 0, 0, "", "")
	})
}

func TestPunctualityAndCoverageOfItems(t *testing.T) {
	s, _ := storetest.SQLite(t)
	c := storetest.Content(t, s.Catalog(), "construction.penalty", "处罚决定")
	c.Body, c.Fields["decided_on"] = "housing-construction-bureau", "2026-11-01"
	storetest.Publish(t, s, c, storetest.Start)
	today := workday.DateOf(storetest.Start)
	cov := coverage(t, s)
	item, err := s.Catalog().Item("A1-07")
	if err != nil {
		t.Fatal(err)
	}
	got := cov.Item(*item, today)
	if got.State != disclosure.CoveredPartly || got.Late != 1 || len(got.Bodies) != 1 || len(got.MissingBodies) != len(item.Bodies)-1 ||
		!got.Since.Equal(storetest.Start) || len(got.MissingTypes) != 0 {
		t.Errorf("coverage: %+v", got)
	}
	for _, r := range cov.Punctuality(2026, "", today) {
		if r.Due != r.OnTime+r.Late+r.Missing {
			t.Errorf("%s %s does not add up: %+v", r.Item.ID, r.Body, r)
		}
		if r.Item.ID == "A1-07" && r.Body == c.Body && (r.Late != 1 || r.Missing != 0) {
			t.Errorf("late: %+v", r)
		}
		if r.Item.ID == "A1-07" && r.Body != c.Body && r.Missing != 1 {
			t.Errorf("missing: %+v", r)
		}
	}
	if rows := cov.Punctuality(2025, c.Body, today); len(rows) == 0 || slices.ContainsFunc(rows, func(r disclosure.PunctualityRow) bool { return r.Late != 0 || r.Body != c.Body }) {
		t.Errorf("of the year before: %+v", rows)
	}
}

func TestProjectsAreFoundByEveryCode(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		publish := func(code, name, section string) disclosure.Notice {
			c := storetest.Content(t, s.Catalog(), "construction.tender_notice", name+"招标公告")
			c.Project = &disclosure.Project{Code: code, Name: name}
			c.Fields["section_no"], c.Fields["investment_project_code"] = section, "2026-320902-47-01-"+section[11:17]
			return storetest.Publish(t, s, c, storetest.Start)
		}
		road := publish("TH-2026-001", "盐东镇道路工程", "I3209020001000012001001")
		publish("TH-2026-002", "黄尖镇道路工程", "I3209020001000012002001")
		publish("TH-2026-003", "便仓镇桥梁工程", "I3209020001000099001001")
		ctx := context.Background()
		for name, tt := range map[string]struct{ code, want, refused string }{
			"its own":                 {"TH-2026-001", "TH-2026-001", ""},
			"its own, otherwise":      {"th 2026－002", "TH-2026-002", ""},
			"its own, without dashes": {"TH2026001", "TH-2026-001", ""},
			"a section":               {"i3209020001000012001001", "TH-2026-001", ""},
			"a tender":                {"I3209020001000012002", "TH-2026-002", ""},
			"a project of two":        {"I3209020001000012", "", "project.ambiguous"},
			"an investment of one":    {"2026-320902-47-01-000099", "TH-2026-003", ""},
			"an investment of two":    {"20263209024701000012", "", "project.ambiguous"},
			"unknown":                 {"TH-2026-009", "", "project.not_found"},
			"nothing":                 {" ", "", "project.not_found"},
		} {
			p, err := s.Project(ctx, tt.code)
			if got := codeText(err); p.Code != tt.want || got != tt.refused {
				t.Errorf("%s: %q, %v", name, p.Code, err)
			}
		}
		for name, tt := range map[string]struct {
			q      string
			want   []string
			byCode bool
		}{
			"a code":          {"TH-2026-001", []string{"TH-2026-001"}, true},
			"a shared code":   {"I3209020001000012", []string{"TH-2026-002", "TH-2026-001"}, true},
			"a notice's code": {road.Code, []string{"TH-2026-001"}, true},
			"words of two":    {"道路", []string{"TH-2026-002", "TH-2026-001"}, false},
			"words of one":    {"便仓镇 桥梁", []string{"TH-2026-003"}, false},
			"no such words":   {"机场", nil, false},
			"nothing":         {"", []string{"TH-2026-003", "TH-2026-002", "TH-2026-001"}, false},
		} {
			page, err := s.FindProjects(ctx, tt.q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range page.Items {
				got = append(got, c.Code)
			}
			if !slices.Equal(got, tt.want) || page.ByCode != tt.byCode {
				t.Errorf("%s: %v by code %t", name, got, page.ByCode)
			}
		}
		p, err := s.Project(ctx, "TH-2026-001")
		if err != nil {
			t.Fatal(err)
		}
		if next, ok := p.Next(storetest.Start); !ok || next.Rule != "D4.sale" || len(p.Deadlines) != 3 {
			t.Errorf("next: %+v of %d", next, len(p.Deadlines))
		}
		if next, ok := p.Next(day(t, "2026-12-30").Start()); !ok || next.Rule != "D5.bid" {
			t.Errorf("next later: %+v", next)
		}
		if _, ok := p.Next(day(t, "2027-02-01").Start()); ok {
			t.Error("something is due after the end")
		}
		if want := "2026年11月23日已发布招标公告，下一个期限：投标截止时间，2027年1月7日09:30止"; p.StatusText(day(t, "2026-12-30").Start()) != want {
			t.Errorf("status: %s", p.StatusText(day(t, "2026-12-30").Start()))
		}
		if want := []string{"2026-320902-47-01-000012", "I3209020001000012", "I3209020001000012001", "I3209020001000012001001"}; !slices.Equal(p.Codes, want) {
			t.Errorf("codes: %v", p.Codes)
		}
	})
}

func codeText(err error) string {
	if e, ok := errors.AsType[*disclosure.Error](err); ok {
		return string(e.Code)
	}
	return ""
}

// TestDerivedFromWhatWasThere: a database of before the tables gets them filled
// when it is opened, once.
func TestDerivedFromWhatWasThere(t *testing.T) {
	s, u := storetest.SQLite(t)
	n := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.tender_notice", "道路工程招标公告"), storetest.Start)
	before := coverage(t, s).Rows
	db := storetest.Raw(t, u)
	for _, stmt := range []string{`DELETE FROM deadline`, `DELETE FROM timeliness`, `DELETE FROM coverage`, `DELETE FROM project_alias`,
		`UPDATE derived SET upto = 0, last = (SELECT max(seq) FROM notice)`} {
		if _, err := db.ExecContext(t.Context(), stmt); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = storetest.Open(t, u)
		if got := dueText(detail(t, s, n.ID).Deadlines); !slices.Equal(got, tenderDue) {
			t.Errorf("deadlines: %v", got)
		}
		if got := coverage(t, s).Rows; !slices.Equal(got, before) {
			t.Errorf("coverage: %+v, want %+v", got, before)
		}
	}
}
