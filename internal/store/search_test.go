package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// searchNotices are published in this order, a minute apart; tests name them by
// their key. Words stand in the title, the body or a number.
var searchNotices = []struct{ key, typ, title, body, project string }{
	{"school", "procurement.tender_notice", "亭湖区小学食堂设备采购公告", "采购人：亭湖区教育局，预算 120 万元，2025 年度。", "JSZC-320902-2025-0001"},
	{"road", "construction.tender_notice", "盐东镇道路改造工程招标公告", "对盐东镇境内道路进行改造，采购沥青。", "TH2026-001"},
	{"bridge", "construction.tender_notice", "新兴镇桥梁维修工程招标公告", "盐东镇至新兴镇的道路另行改造。", "TH2026-0010"},
	{"split", "construction.approval", "关于盐东、镇道两处路面的批复", "同意实施。", "亭发改审〔2026〕5号"},
	{"plan", "land.supply_plan", "亭湖区 2026 年度土地供应计划", "招标、拍卖、挂牌出让。", ""},
	{"clinic", "medical.procurement_notice", "卫生院医用耗材采购公告（２０２６）", "Ｗｉ－Ｆｉ６ 与 CT-2000 型号。", "yh-2026-77"},
	{"rare", "housing.annual_quota", "𠮷祥小区㐂字楼 𠀀 公示", "位于𠮷祥路〇号，easy café 旁边。", "G2026/12"},
	{"quote", "land.transfer_notice", `“亭湖·天地”"NEAR(1,2)"地块出让公告`, "出让人不接受 OR AND NOT 等条件；单价 1,234.50 元/平方米。", "320902.A_9"},
	{"emoji", "property.transfer_notice", "车辆转让公告🚗", "苏J·12345 👍🏽 一辆。", ""},
	{"yan", "general.scope_standard", "盐字头目录", "东镇道路无关。", ""},
}

// searchGolden says which notices a query finds, newest first, on both engines.
var searchGolden = []struct{ name, q, want string }{
	{"two characters in title or body", "采购", "clinic road school"},
	{"another two", "招标", "plan bridge road"},
	{"a phrase is not its pieces apart", "盐东镇道路", "road"},
	{"blanks mean and", "盐东镇 道路", "bridge road"},
	{"han, digits, blanks", "亭湖区 2026 招标", "plan"},
	{"the same without blanks is one phrase", "亭湖区2026招标", ""},
	{"digits are whole runs", "202", ""},
	{"half-width finds full-width, a run of digits whole", "(2026)", "clinic plan split"},
	{"full-width finds half-width", "ＴＨ２０２６－００１", "bridge road"},
	{"code whole, and as the beginning of a longer one", "TH2026-001", "bridge road"},
	{"code in lower case", "th2026-001", "bridge road"},
	{"longer code", "TH2026-0010", "bridge"},
	{"beginning of a code", "TH20", "bridge road"},
	{"beginning of a code up to its dash", "TH2026-", "bridge road"},
	{"part of a code that is a run", "320902", "quote school"},
	{"tail of a code", "2025-0001", "school"},
	{"code with slash", "G2026/12", "rare"},
	{"code with dot and underscore", "320902.a_9", "quote"},
	{"code with han and brackets", "亭发改审〔2026〕5号", "split"},
	{"code with blanks in it is words", "TH2026 001", "road"},
	{"a code with another word is whole", "TH2026-001 道路", "road"},
	{"one character searches titles", "盐", "yan split road"},
	{"one character of a body only", "沥", ""},
	{"two of one character", "盐 镇", "split road"},
	{"latin is whole words", "caf", ""},
	{"latin with an accent", "CAFÉ", "rare"},
	{"latin with dash, full-width in the text", "wi-fi6", "clinic"},
	{"model number", "ct-2000", "clinic"},
	{"rare han, extension B", "𠮷祥", "rare"},
	{"rare han, extension A, one character", "㐂", "rare"},
	{"rare han, extension B, one character", "𠀀", "rare"},
	{"zero that is han", "祥路〇号", "rare"},
	{"mixed scripts", "苏J·12345", "emoji"},
	{"emoji alone finds nothing", "🚗", ""},
	{"emoji beside a word separates", "公告🚗", "emoji quote clinic bridge road school"},
	{"quotes are punctuation", `"采购"`, "clinic road school"},
	{"curly quotes", "“亭湖·天地”", "quote"},
	{"one quote", `'采购`, "clinic road school"},
	{"AND is a word", "采购 AND 招标", ""},
	{"OR is a word", "OR", "quote"},
	{"NOT is a word", "出让 NOT", "quote"},
	{"NEAR is a word", "NEAR(1,2)", "quote"},
	{"star", "采购*", "clinic road school"},
	{"column filter", "title:采购", ""},
	{"caret", "^采购", "clinic road school"},
	{"minus", "-采购 -招标", "road"},
	{"tsquery operators", "采购 & 招标 | !道路 <-> 'x':*", ""},
	{"money", "1,234.50", "quote"},
	{"punctuation alone", "，。！？", ""},
	{"ascii punctuation alone", `"'()*:^-+&|!<>\%_`, ""},
	{"blanks alone match all", "   　", "yan emoji quote rare clinic plan split bridge road school"},
	{"invisible characters do not count", "采\u200b购\x00", "clinic road school"},
	{"broken text", "采购\xff", "clinic road school"},
	{"private use cannot forge a filter", "\ue001sector\ue001land", ""},
}

func searchStore(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	keys := map[string]string{}
	for i, n := range searchNotices {
		d := storetest.Draft(t, s.Catalog(), n.typ, n.title)
		d.Fields, d.BodyHTML = nil, "<p>"+n.body+"</p>"
		d.Body = "district-government"
		d.Source.Name = "来源"
		if n.project != "" {
			d.Project = &disclosure.Project{Code: n.project, Name: "某项目"}
		}
		c, err := d.Content(s.Catalog(), disclosure.References{})
		if err != nil {
			t.Fatal(err)
		}
		keys[storetest.Publish(t, s, c, storetest.Start.Add(time.Duration(i)*time.Minute)).Code] = n.key
	}
	return keys
}

func found(t *testing.T, s *store.Store, keys map[string]string, q disclosure.NoticeQuery) string {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, err := s.Notices(context.Background(), q, storetest.Start)
	if err != nil {
		t.Fatalf("%q: %v", q.Q, err)
	}
	return strings.Join(codes(page.Items, func(s disclosure.Summary) string { return keys[s.Code] }), " ")
}

func TestSearchGolden(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		keys := searchStore(t, s)
		for _, tt := range searchGolden {
			t.Run(tt.name, func(t *testing.T) {
				if got := found(t, s, keys, disclosure.NoticeQuery{Q: tt.q}); got != tt.want {
					t.Errorf("search %q = %s, want %s", tt.q, got, tt.want)
				}
			})
		}
	})
}

// TestSearchRelevance: words in the title first, at its beginning foremost;
// newest first among equals.
func TestSearchRelevance(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		keys := searchStore(t, s)
		for _, tt := range []struct{ q, want string }{
			{"采购", "clinic school road"},
			{"盐东镇 道路", "road bridge"},
			{"亭湖区", "plan school"},
			{"盐", "yan road split"},
		} {
			if got := found(t, s, keys, disclosure.NoticeQuery{Q: tt.q, Sort: disclosure.SortRelevance}); !strings.HasPrefix(got, tt.want) {
				t.Errorf("search %q by relevance = %s, want %s", tt.q, got, tt.want)
			}
		}
	})
}

// TestSearchWithFilter: what a query's words find is held to its filters, also
// where it is found by its project number.
func TestSearchWithFilter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		keys := searchStore(t, s)
		for _, tt := range []struct {
			q    disclosure.NoticeQuery
			want string
		}{
			{disclosure.NoticeQuery{Q: "采购", Sectors: []string{"construction"}}, "road"},
			{disclosure.NoticeQuery{Q: "TH20", Sectors: []string{"land"}}, ""},
			{disclosure.NoticeQuery{Q: "TH20", Sectors: []string{"construction", "land"}}, "bridge road"},
			{disclosure.NoticeQuery{Q: "TH20", Types: []string{"construction.approval"}}, ""},
			{disclosure.NoticeQuery{Q: "TH20", Stage: disclosure.StageResult}, ""},
			{disclosure.NoticeQuery{Q: "TH20", Stage: disclosure.StageExecution}, "bridge road"},
			{disclosure.NoticeQuery{Q: "TH20", Item: "A1-02"}, ""},
			{disclosure.NoticeQuery{Q: "TH20", Region: "320902100"}, ""},
			{disclosure.NoticeQuery{Q: "TH20", Body: "district-government"}, "bridge road"},
			{disclosure.NoticeQuery{Q: "盐", Sectors: []string{"construction"}, Project: "TH2026-001"}, "road"},
		} {
			if got := found(t, s, keys, tt.q); got != tt.want {
				t.Errorf("Notices(%s) = %s, want %s", tt.q.Canonical(), got, tt.want)
			}
		}
	})
}

// TestSearchOfALongNotice: the longest text a notice may have, of characters that
// do not repeat, is more than an index takes: it is found by its title, its
// beginning and its properties, and by its end on neither engine.
func TestSearchOfALongNotice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		rng := rand.New(rand.NewPCG(1, 2))
		var body strings.Builder
		body.WriteString("<p>𠮷𠀀起首")
		for body.Len() < 599_900 {
			body.WriteRune(rune(0x4e00 + rng.IntN(20_000)))
		}
		body.WriteString("𠮷㐂末尾</p>")
		d := storetest.Draft(t, s.Catalog(), "land.supply_plan", "长公告")
		d.BodyHTML = body.String()
		c, err := d.Content(s.Catalog(), disclosure.References{})
		if err != nil {
			t.Fatal(err)
		}
		n := storetest.Publish(t, s, c, storetest.Start)
		for q, want := range map[string]string{"": "it", "长公告": "it", "𠮷𠀀起首": "it", "𠮷㐂末尾": ""} {
			query := disclosure.NoticeQuery{Q: q, Sectors: []string{"land"}, Types: []string{"land.supply_plan"}}
			if got := found(t, s, map[string]string{n.Code: "it"}, query); got != want {
				t.Errorf("search %q = %q, want %q", q, got, want)
			}
		}
	})
}

// TestSearchFollowsTheNotice: a correction is found by its new words only, a
// withdrawn notice not at all.
func TestSearchFollowsTheNotice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		c := storetest.Content(t, s.Catalog(), "land.transfer_notice", "旧标题地块出让")
		c.BodyHTML = "<p>正文</p>"
		n := storetest.Publish(t, s, c, storetest.Start)
		search := func(q string) string {
			return strings.TrimSpace(found(t, s, map[string]string{n.Code: "it"}, disclosure.NoticeQuery{Q: q}))
		}
		corrected := apply(t, s, storetest.Amended(t, s.Catalog(), n, changes("title", "新标题地块出让"), storetest.Start)...)[2]
		if got := search("旧标题地块"); got != "" { // but the correction, which names it
			t.Errorf("the old title finds %q", got)
		}
		if got := search("新标题地块"); got != "it" {
			t.Errorf("the new title finds %q", got)
		}
		withdrawn, err := corrected.Withdraw("有误", false, storetest.Reviewer, storetest.Start)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, s, withdrawn)
		if got := search("新标题地块"); got != "" {
			t.Errorf("a withdrawn notice is found: %q", got)
		}
	})
}

// alphabet is what fuzzed queries are made of: words that hit and everything
// that means something to some engine.
var alphabet = []string{"采购", "招标", "盐东镇", "道路", "镇", "𠮷", "祥小区", "th2026", "TH2026-001", "2026", "Ａ", "-", "_", ".", "/", " ", "　", "\"", "'", "`",
	"(", ")", "*", ":", "^", "&", "|", "!", "<->", "\\", "\\'", "%", "{", "}", "[", "]", "$1", "?", "NEAR(", "AND", "OR", "NOT", "\x00", "\xff", "\n", "\t", "👍🏽",
	"\u0301", "ﬁ", "İ", "ß", "\u200d", "\ue000", "\ue001", "\ue002", "１", "〇", "㎡", "０", "é", "한국", "ไทย", "العربية", ";--", "/*", "0", "a", "公告"}

func fuzzed(rng *rand.Rand) string {
	n := 1 + rng.IntN(6)
	if rng.IntN(200) == 0 {
		n = 2_000 // a document pasted into the box
	}
	var b strings.Builder
	for range n {
		if rng.IntN(8) == 0 {
			b.WriteRune(rune(rng.IntN(0x30000)))
			continue
		}
		b.WriteString(alphabet[rng.IntN(len(alphabet))])
	}
	return b.String()
}

// TestSearchFuzzed: whatever people type, neither engine answers with an error,
// and both answer with the rows that looking at every text would give.
func TestSearchFuzzed(t *testing.T) {
	lite, _ := storetest.SQLite(t)
	pg, _ := storetest.Postgres(t)
	o := storetest.NewOracle(lite.Catalog(), storetest.Corpus(t, lite, 5, 150))
	storetest.Corpus(t, pg, 5, 150)
	hits := 0
	for i := range max(2_000, rounds(2_000, 20_000)) {
		q := fuzzed(rand.New(rand.NewPCG(uint64(i), 5)))
		a, b := firstPage(t, lite, q), firstPage(t, pg, q)
		want := codes(o.List(disclosure.NoticeQuery{Q: q}, storetest.Start), noticeCode)
		want = want[:min(len(want), len(a), 50)]
		if !slices.Equal(a, b) || !slices.Equal(a, want) {
			t.Fatalf("query %d %q: SQLite %v, PostgreSQL %v, by hand %v", i, q, a, b, want)
		}
		if len(a) > 0 {
			hits++
		}
	}
	if hits < 50 {
		t.Errorf("only %d queries hit", hits)
	}
}

func firstPage(t testing.TB, s *store.Store, q string) []string {
	t.Helper()
	page, err := s.Notices(context.Background(), disclosure.NoticeQuery{Q: q, Limit: 50}, storetest.Start)
	if err != nil {
		t.Fatalf("%q: %v", q, err)
	}
	return codes(page.Items, summaryCode)
}

// FuzzSearch looks for a query that is an error, or finds other rows than
// looking at every text does.
func FuzzSearch(f *testing.F) {
	s, _ := storetest.SQLite(f)
	o := storetest.NewOracle(s.Catalog(), storetest.Corpus(f, s, 5, 60))
	for _, tt := range searchGolden {
		f.Add(tt.q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		got := firstPage(t, s, q)
		want := codes(o.List(disclosure.NoticeQuery{Q: q}, storetest.Start), noticeCode)
		if !slices.Equal(got, want[:min(len(want), 50)]) {
			t.Errorf("search %q = %v, want %v", q, got, fmt.Sprint(want))
		}
	})
}
