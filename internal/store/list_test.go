package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/internal/workday"
)

// listNow is the instant of the list tests: some deadlines are over by then.
var listNow = storetest.Start.AddDate(0, 0, 12).Add(10 * time.Hour)

// readAll turns the pages of a query, each of a random size, into one list. It
// fails unless every page keeps the query's promises.
func readAll(t *testing.T, s *store.Store, q disclosure.NoticeQuery, rng *rand.Rand) (items []disclosure.Summary, total int, capped bool) {
	t.Helper()
	for pages := 0; ; pages++ {
		q.Limit = 1 + rng.IntN(disclosure.MaxLimit)
		page, err := s.Notices(context.Background(), q, listNow)
		if err != nil {
			t.Fatalf("%s: %v", q.Canonical(), err)
		}
		if len(page.Items) > q.Limit {
			t.Fatalf("%s: page of %d rows at limit %d", q.Canonical(), len(page.Items), q.Limit)
		}
		if pages > 0 && (page.Total != total || page.TotalCapped != capped) {
			t.Fatalf("%s: total %d, %t on page %d, was %d, %t", q.Canonical(), page.Total, page.TotalCapped, pages+1, total, capped)
		}
		items, total, capped = append(items, page.Items...), page.Total, page.TotalCapped
		if page.Next == nil {
			return items, total, capped
		}
		if len(page.Items) == 0 {
			t.Fatalf("%s: empty page with a next one", q.Canonical())
		}
		q.After = page.Next
	}
}

func codes[T any](items []T, code func(T) string) []string {
	out := make([]string, len(items))
	for i, v := range items {
		out[i] = code(v)
	}
	return out
}

func summaryCode(s disclosure.Summary) string { return s.Code }
func noticeCode(n disclosure.Notice) string   { return n.Code }

// compareList holds the pages of a query against the oracle.
func compareList(t *testing.T, s *store.Store, o *storetest.Oracle, q disclosure.NoticeQuery, rng *rand.Rand) int {
	t.Helper()
	items, total, capped := readAll(t, s, q, rng)
	want := o.List(q, listNow)
	if got := codes(items, summaryCode); !slices.Equal(got, codes(want, noticeCode)) {
		t.Fatalf("Notices(%s) = %v, want %v", q.Canonical(), got, codes(want, noticeCode))
	}
	limit := disclosure.MaxTotal
	if q.Sort == disclosure.SortRelevance {
		limit = disclosure.RelevanceDepth
		all := q
		all.Sort = disclosure.SortPublished
		want = o.List(all, listNow)
	}
	if total != min(len(want), limit) || capped != (len(want) > limit) {
		t.Fatalf("Notices(%s) total = %d, %t, want %d hits, capped at %d", q.Canonical(), total, capped, len(want), limit)
	}
	return len(want)
}

// randomQuery combines filters; most values are those of some notice, so that
// combinations hit.
func randomQuery(rng *rand.Rand, o *storetest.Oracle) disclosure.NoticeQuery {
	some := func() disclosure.Notice { return o.Public()[rng.IntN(len(o.Public()))] }
	now, n := rng.IntN, some()
	var q disclosure.NoticeQuery
	set := func(odds int, f func()) {
		if now(odds) == 0 {
			f()
		}
	}
	typ, _ := o.Catalog.TypeAt(n.Type, n.TypeVersion)
	set(4, func() { q.Sectors = []string{typ.Sector} })
	set(8, func() { q.Sectors = append(q.Sectors, some().SectorCode()) })
	set(6, func() { q.Types = []string{n.Type} })
	set(8, func() { q.Types = append(q.Types, some().Type, some().Type) })
	set(5, func() { q.Stage = typ.Stage })
	set(6, func() { q.Item = o.Catalog.Items[now(10)].ID })
	set(5, func() { q.Body = n.Body })
	set(6, func() { q.Project = some().ProjectCode() })
	set(5, func() { q.Region = n.Region })
	set(4, func() { q.Since = workday.DateOf(some().PublishedAt) })
	set(4, func() { q.Until = workday.DateOf(some().PublishedAt) })
	set(8, func() { m := disclosure.Money(now(100) * 50_000); q.AmountMin = &m })
	set(8, func() { m := disclosure.Money(now(200) * 50_000); q.AmountMax = &m })
	set(4, func() { q.Open = true })
	set(3, func() { q.Q = listWords[now(len(listWords))] })
	q.Sort = disclosure.SortPublished
	set(4, func() { q.Sort = disclosure.SortDeadline })
	set(6, func() { q.Sort = disclosure.SortRelevance })
	return q
}

var listWords = []string{"采购", "招标", "盐东镇道路", "盐东镇 道路", "亭湖区 2024", "镇", "公告", "TH2026", "TH2026-001", "th2026-00",
	"yd-2026-0007", "320902.a_9", "Ｂ－１２", "𠮷祥", "wi-fi6", "不存在的词", "某某项目"}

// TestListAgreesWithOracle: a list visits every notice that matches once, in
// order, whatever is combined and however it is cut into pages; totals are exact.
func TestListAgreesWithOracle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		notices := storetest.Corpus(t, s, 1, 320)
		o := storetest.NewOracle(s.Catalog(), notices)
		for i, q := range singleQueries(o) {
			t.Run(fmt.Sprintf("alone/%02d", i), func(t *testing.T) {
				compareList(t, s, o, q, rand.New(rand.NewPCG(uint64(i), 0)))
			})
		}
		hits := map[bool]int{}
		for i := range rounds(250, 2_000) {
			rng := rand.New(rand.NewPCG(uint64(i), 2))
			hits[compareList(t, s, o, randomQuery(rng, o), rng) > 0]++
		}
		if hits[true] < hits[false]/4 {
			t.Errorf("only %d of %d queries hit anything", hits[true], hits[true]+hits[false])
		}
	})
}

// singleQueries is every filter by itself, under every order.
func singleQueries(o *storetest.Oracle) []disclosure.NoticeQuery {
	var all []disclosure.NoticeQuery
	for _, s := range o.Catalog.Sectors {
		all = append(all, disclosure.NoticeQuery{Sectors: []string{s.Code}})
	}
	for _, s := range disclosure.Stages {
		all = append(all, disclosure.NoticeQuery{Stage: s.Stage})
	}
	for _, word := range listWords {
		all = append(all, disclosure.NoticeQuery{Q: word}, disclosure.NoticeQuery{Q: word, Sectors: []string{"land", "medical"}})
	}
	half, day := disclosure.Money(5_000_000), workday.DateOf(storetest.Start).AddDays(5)
	all = append(all, disclosure.NoticeQuery{}, disclosure.NoticeQuery{Types: []string{"construction.tender_notice"}},
		disclosure.NoticeQuery{Types: []string{"construction.tender_notice", "land.transfer_notice"}},
		disclosure.NoticeQuery{Item: "A1-04"}, disclosure.NoticeQuery{Body: o.Catalog.Bodies[0].ID}, disclosure.NoticeQuery{Project: "ｔｈ2026-001"},
		disclosure.NoticeQuery{Region: "320902100"}, disclosure.NoticeQuery{Since: day}, disclosure.NoticeQuery{Until: day},
		disclosure.NoticeQuery{Since: day, Until: day}, disclosure.NoticeQuery{Since: day.AddDays(4000)}, disclosure.NoticeQuery{Until: day.AddDays(-4000)},
		disclosure.NoticeQuery{AmountMin: &half}, disclosure.NoticeQuery{AmountMax: &half}, disclosure.NoticeQuery{Open: true})
	var out []disclosure.NoticeQuery
	for _, sort := range []disclosure.Sort{disclosure.SortPublished, disclosure.SortDeadline, disclosure.SortRelevance} {
		for _, q := range all {
			q.Sort = sort
			out = append(out, q)
		}
	}
	return out
}

// TestSummaryIsTheNotice: a row of a list says what the notice says.
func TestSummaryIsTheNotice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		notices := storetest.Corpus(t, s, 2, 100)
		o := storetest.NewOracle(s.Catalog(), notices)
		items, _, _ := readAll(t, s, disclosure.NoticeQuery{}, rand.New(rand.NewPCG(1, 1)))
		for i, n := range o.Public() {
			typ, err := s.Catalog().TypeAt(n.Type, n.TypeVersion)
			if err != nil {
				t.Fatal(err)
			}
			amount, has := n.Amount(typ)
			want := disclosure.Summary{ID: n.ID, Code: n.Code, Rev: n.Rev, Title: n.Title, Type: n.Type, TypeVersion: n.TypeVersion,
				Status: n.Status, Body: n.Body, Source: disclosure.Source{Name: n.Source.Name, URL: n.Source.URL}, Project: n.ProjectCode(),
				Region: n.Region, PublishedAt: n.PublishedAt.Truncate(time.Millisecond), UpdatedAt: n.UpdatedAt.Truncate(time.Millisecond),
				DeadlineAt: n.DeadlineAt(typ).Truncate(time.Millisecond),
				Amount:     amount, HasAmount: has, Summary: n.Abstract(typ), SupersededBy: n.SupersededBy, Seq: n.Seq}
			if len(n.Relations) > 0 {
				want.Relations = n.Relations
			}
			if !reflect.DeepEqual(items[i], want) {
				t.Fatalf("row %d = %+v\nwant %+v", i, items[i], want)
			}
		}
	})
}

// TestOpenUntil: a list of what is open says when the clock alone will change it.
func TestOpenUntil(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		o := storetest.NewOracle(s.Catalog(), storetest.Corpus(t, s, 3, 120))
		open := disclosure.NoticeQuery{Open: true, Limit: disclosure.MaxLimit}
		for now := storetest.Start; ; {
			page, err := s.Notices(context.Background(), open, now)
			if err != nil {
				t.Fatal(err)
			}
			if page.Until.IsZero() {
				if n := len(o.List(open, now)); n > 0 {
					t.Fatalf("%s: no end to %d open notices", now, n)
				}
				return
			}
			before := codes(o.List(open, page.Until.Add(-time.Millisecond)), noticeCode)
			if got := codes(page.Items, summaryCode); !slices.Equal(got, before) {
				t.Fatalf("%s: the list changes before Until = %s", now, page.Until)
			}
			now = page.Until
		}
	})
}

// TestTotalsAreCapped: totals are exact up to 1,000 and say so above, by every
// way a list is read; no row above the cap is lost.
func TestTotalsAreCapped(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		var all []disclosure.Notice
		fill := func(typ string, n int) {
			c := storetest.Content(t, s.Catalog(), typ, "亭湖区采购公告")
			first := storetest.Publish(t, s, c, storetest.Start.Add(time.Duration(len(all))*time.Minute))
			all = append(append(all, first), storetest.Clone(t, u, s.Catalog(), first, n-1)...)
		}
		check := func() {
			t.Helper()
			o := storetest.NewOracle(s.Catalog(), all)
			for _, q := range []disclosure.NoticeQuery{{}, {Sectors: []string{"construction"}}, {Sectors: []string{"construction", "land"}},
				{Q: "采购"}, {Q: "亭湖区 采购"}, {Item: "A1-04"}, {Open: true}, {Sort: disclosure.SortDeadline}, {Q: "采购", Sort: disclosure.SortRelevance}} {
				compareList(t, s, o, q, rand.New(rand.NewPCG(9, 9)))
			}
		}
		fill("construction.tender_notice", disclosure.MaxTotal-1)
		fill("construction.tender_notice", 2)
		check()
		fill("land.transfer_notice", 130)
		check()
	})
}

// TestTotalAtTheCap: exactly 1,000 is a number, one more is "more".
func TestTotalAtTheCap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		n := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), storetest.Start)
		all := append([]disclosure.Notice{n}, storetest.Clone(t, u, s.Catalog(), n, disclosure.MaxTotal-1)...)
		for _, want := range []bool{false, true} {
			for _, q := range []disclosure.NoticeQuery{{}, {Q: "出让"}, {Sort: disclosure.SortDeadline}, {Q: "出让", Sort: disclosure.SortDeadline}} {
				q.Limit = 10
				page, err := s.Notices(context.Background(), q, listNow)
				if err != nil {
					t.Fatal(err)
				}
				if page.Total != disclosure.MaxTotal || page.TotalCapped != want {
					t.Errorf("%d notices, %s: total %d, capped %t", len(all), q.Canonical(), page.Total, page.TotalCapped)
				}
			}
			all = append(all, storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), storetest.Start))
		}
	})
}

// TestDeadlinesAmongManyHits: what has a deadline is found among any number of
// newer hits that have none.
func TestDeadlinesAmongManyHits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		open := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), storetest.Start)
		other := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.supply_plan", "出让计划"), storetest.Start)
		storetest.Clone(t, u, s.Catalog(), other, disclosure.MaxTotal+10)
		page, err := s.Notices(context.Background(), disclosure.NoticeQuery{Q: "出让", Sort: disclosure.SortDeadline, Limit: 10}, listNow)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) != 1 || page.Items[0].Code != open.Code || page.TotalCapped {
			t.Errorf("by deadline: %d rows, total %d, capped %t", len(page.Items), page.Total, page.TotalCapped)
		}
	})
}
