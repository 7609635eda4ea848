package disclosure

import (
	"bytes"
	"encoding/base64"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/internal/workday"
)

func TestCanonicalIsOneFormForOneMeaning(t *testing.T) {
	tests := []struct {
		name string
		a, b NoticeQuery
	}{
		{"sectors in another order", NoticeQuery{Sectors: []string{"land", "housing"}}, NoticeQuery{Sectors: []string{"housing", "land"}}},
		{"a sector twice", NoticeQuery{Sectors: []string{"land", "housing", "land"}}, NoticeQuery{Sectors: []string{"housing", "land"}}},
		{"types in another order", NoticeQuery{Types: []string{"land.b", "land.a"}}, NoticeQuery{Types: []string{"land.a", "land.b", "land.a"}}},
		{"empty and nil lists", NoticeQuery{Sectors: []string{}}, NoticeQuery{}},
		{"width, case and blanks of the words", NoticeQuery{Q: " ＴＨ２０２６  道路"}, NoticeQuery{Q: "th2026 道路"}},
		{"words of invisible characters only", NoticeQuery{Q: "\u200b\uE001"}, NoticeQuery{}},
		{"the default order", NoticeQuery{Sort: SortPublished}, NoticeQuery{}},
		{"another page", NoticeQuery{Q: "道路", After: &Cursor{A: 7}, Limit: 50}, NoticeQuery{Q: "道路"}},
	}
	for _, tt := range tests {
		a, b := tt.a.Canonical(), tt.b.Canonical()
		if a != b {
			t.Errorf("%s: Canonical(%+v) = %q, want %q", tt.name, tt.a, a, b)
		}
		aTerms, aGroups := tt.a.Terms()
		bTerms, bGroups := tt.b.Terms()
		if !reflect.DeepEqual(nonNil(aTerms), nonNil(bTerms)) || !reflect.DeepEqual(aGroups, bGroups) {
			t.Errorf("%s: Terms(%+v) = %+v, want those of %+v: %+v", tt.name, tt.a, aTerms, tt.b, bTerms)
		}
	}
	sectors := []string{"land", "housing", "land"}
	NoticeQuery{Sectors: sectors}.Canonical()
	if want := []string{"land", "housing", "land"}; !slices.Equal(sectors, want) {
		t.Errorf("Canonical() changed its query to %v, want %v", sectors, want)
	}
}

func TestCanonicalTellsQueriesApart(t *testing.T) {
	d := testDay
	queries := []NoticeQuery{
		{}, {Sectors: []string{"land"}}, {Sectors: []string{"land", "housing"}}, {Types: []string{"land"}}, {Stage: "land"}, {Item: "land"},
		{Body: "land"}, {Project: "land"}, {Region: "land"}, {Q: "land"}, {Q: "sector=land"}, {Q: "land&open=true"}, {Q: "！"}, {Since: d}, {Until: d},
		{AmountMin: new(Money(0))}, {AmountMin: new(Money(1))}, {AmountMax: new(Money(0))}, {Open: true}, {Sort: SortDeadline}, {Sort: SortRelevance},
		{Sectors: []string{"land,housing"}}, {Sectors: []string{"land&sector=housing"}}, {Q: "land", Open: true},
	}
	seen := map[string]int{}
	for i, q := range queries {
		key := q.Canonical()
		if other, ok := seen[key]; ok {
			t.Errorf("Canonical(%+v) = %q, the same as of %+v", q, key, queries[other])
		}
		seen[key] = i
	}
}

func TestQueryTermsGroupAlternatives(t *testing.T) {
	q := NoticeQuery{Sectors: []string{"land", "housing"}, Types: []string{"land.b", "land.a"}, Item: "A1-04"}
	terms, anyOf := q.Terms()
	if want := []string{filterToken("item", "A1-04")}; !slices.Equal(terms.Tokens, want) {
		t.Errorf("Terms(%+v) = %q, want %q", q, terms.Tokens, want)
	}
	want := [][]string{{filterToken("sector", "housing"), filterToken("sector", "land")}, {filterToken("type", "land.a"),
		filterToken("type", "land.b")}}
	if !reflect.DeepEqual(anyOf, want) {
		t.Errorf("Terms(%+v) groups = %q, want %q", q, anyOf, want)
	}
	if terms, _ := (NoticeQuery{Q: "，", Sectors: []string{"land"}}).Terms(); !terms.Never {
		t.Errorf("Terms(only punctuation in land) = %+v, want Never", terms)
	}
}

var cursors = []Cursor{{}, {A: 1}, {A: 773_615, B: testNow.UnixMilli()}, {A: math.MaxInt64, B: math.MinInt64}, {A: 1, B: -1}}

func TestCursorIsReadForItsOwnList(t *testing.T) {
	for _, c := range cursors {
		got, err := ParseCursor(c.Encode("sector=land"), "sector=land")
		if err != nil || *got != c {
			t.Errorf("ParseCursor(Encode(%+v)) = %+v, %v, want the same", c, got, err)
		}
	}
}

func TestCursorRefusesAnythingElse(t *testing.T) {
	c := cursors[2]
	s := c.Encode("sector=land")
	tests := []struct{ name, in, list string }{
		{"nothing", "", "sector=land"},
		{"another list", s, "sector=housing"},
		{"the list of all", s, ""},
		{"cut off", s[:len(s)-1], "sector=land"},
		{"a byte more", s + "A", "sector=land"},
		{"padding", s + "=", "sector=land"},
		{"a line break inside", s[:5] + "\n" + s[5:], "sector=land"},
		{"a line break after", s + "\r\n", "sector=land"},
		{"a blank", " " + s, "sector=land"},
		{"no base64", "现" + s[3:], "sector=land"},
		{"a number", "20", "sector=land"},
		{"a place before the first", Cursor{A: -5}.Encode("sector=land"), "sector=land"},
		{"another checksum", Cursor{A: 1}.Encode("sector=land")[:11] + s[11:], "sector=land"},
	}
	for _, tt := range tests {
		got, err := ParseCursor(tt.in, tt.list)
		if codeOf(err) != CodeCursor || got != nil || faultsOf(err) != "cursor cursor.invalid" {
			t.Errorf("%s: ParseCursor(%q, %q) = %v, %v, want code %q", tt.name, tt.in, tt.list, got, err, CodeCursor)
		}
	}
}

func TestCursorNoticesEveryFlippedBit(t *testing.T) {
	raw, err := base64.RawURLEncoding.DecodeString(cursors[2].Encode("q"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			flipped := bytes.Clone(raw)
			flipped[i] ^= 1 << bit
			if got, err := ParseCursor(base64.RawURLEncoding.EncodeToString(flipped), "q"); codeOf(err) != CodeCursor {
				t.Errorf("ParseCursor(bit %d of byte %d flipped) = %v, %v, want code %q", bit, i, got, err, CodeCursor)
			}
		}
	}
}

func TestParseNoticeRef(t *testing.T) {
	code, id := NoticeCode(1), "0192f0c1-2b3d-7e4f-8a5b-6c7d8e9f0a1b"
	tests := []struct {
		name, in string
		want     NoticeRef
		advice   string
	}{
		{"code", code, NoticeRef{Code: code}, ""},
		{"id", id, NoticeRef{ID: id}, ""},
		{"id in capitals", strings.ToUpper(id), NoticeRef{ID: id}, ""},
		{"wrong check digit", "12345678", NoticeRef{}, "校验位"},
		{"seven digits", code[:7], NoticeRef{}, "8 位数字"},
		{"full-width digits", "１２３４５６７８", NoticeRef{}, "8 位数字"},
		{"id without dashes", strings.ReplaceAll(id, "-", ""), NoticeRef{}, "8 位数字"},
		{"id with a letter too far", "g" + id[1:], NoticeRef{}, "8 位数字"},
		{"id with a dash moved", id[:7] + "-" + id[7:8] + id[9:], NoticeRef{}, "8 位数字"},
		{"id in braces", "{" + id[:34] + "}", NoticeRef{}, "8 位数字"},
		{"nothing", "", NoticeRef{}, "8 位数字"},
	}
	for _, tt := range tests {
		got, err := ParseNoticeRef(tt.in)
		if got != tt.want || (err == nil) != (tt.advice == "") {
			t.Errorf("%s: ParseNoticeRef(%q) = %+v, %v, want %+v", tt.name, tt.in, got, err, tt.want)
		}
		if err != nil && (codeOf(err) != CodeNotFound || !strings.Contains(err.Error(), tt.advice)) {
			t.Errorf("%s: ParseNoticeRef(%q) = %v, want %q with the advice %q", tt.name, tt.in, err, CodeNotFound, tt.advice)
		}
		if err == nil && got.String() != got.ID+got.Code {
			t.Errorf("%s: String() = %q", tt.name, got.String())
		}
	}
}

func TestProjectKey(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"as it is", "TH2026-001", "TH2026-001"},
		{"small letters", "th2026-001", "TH2026-001"},
		{"full width", "ＴＨ２０２６－００１", "TH2026-001"},
		{"blanks", " TH 2026　- 001\t", "TH2026-001"},
		{"Chinese", "亭土告〔2024〕5号", "亭土告〔2024〕5号"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		if got := ProjectKey(tt.in); got != tt.want {
			t.Errorf("%s: ProjectKey(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestParseRev(t *testing.T) {
	tests := []struct {
		name, in string
		want     int
		ok       bool
	}{
		{"first", "1", 1, true},
		{"last", "1000000", 1_000_000, true},
		{"none", "0", 0, false},
		{"negative", "-1", 0, false},
		{"too many", "1000001", 0, false},
		{"a sign", "+1", 0, false},
		{"a leading zero", "01", 0, false},
		{"a word", "latest", 0, false},
		{"nothing", "", 0, false},
	}
	for _, tt := range tests {
		if got, err := ParseRev(tt.in); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: ParseRev(%q) = %d, %v, want %d, ok %t", tt.name, tt.in, got, err, tt.want, tt.ok)
		}
	}
}

func TestMilliseconds(t *testing.T) {
	tests := []struct {
		name string
		at   time.Time
		want int64
	}{
		{"never", time.Time{}, 0},
		{"now", testNow, testNow.UnixMilli()},
		{"before 1970", time.Date(1949, time.October, 1, 0, 0, 0, 0, workday.Shanghai), -639_129_600_000},
	}
	for _, tt := range tests {
		got := Milliseconds(tt.at)
		if got != tt.want {
			t.Errorf("%s: Milliseconds(%s) = %d, want %d", tt.name, tt.at, got, tt.want)
		}
		if back := FromMilliseconds(got); !back.Equal(tt.at) || !back.IsZero() && back.Location() != workday.Shanghai {
			t.Errorf("%s: FromMilliseconds(%d) = %s, want %s", tt.name, got, back, tt.at)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	for _, c := range cursors {
		f.Add(c.Encode("q"), "q", c.A, c.B)
	}
	f.Add("", "", int64(0), int64(0))
	f.Add("AAAA\nAAAA", "sector=land", int64(5), int64(7))
	f.Fuzz(func(t *testing.T, s, list string, a, b int64) {
		c := Cursor{a & math.MaxInt64, b}
		if got, err := ParseCursor(c.Encode(list), list); err != nil || *got != c {
			t.Errorf("ParseCursor(Encode(%+v), %q) = %+v, %v, want the same", c, list, got, err)
		}
		if _, err := ParseCursor(c.Encode(list), list+"x"); codeOf(err) != CodeCursor {
			t.Errorf("ParseCursor(Encode(%+v), another list) = %v, want code %q", c, err, CodeCursor)
		}
		got, err := ParseCursor(s, list)
		if err != nil {
			if codeOf(err) != CodeCursor || got != nil {
				t.Errorf("ParseCursor(%q, %q) = %v, %v, want code %q", s, list, got, err, CodeCursor)
			}
			return
		}
		if again := got.Encode(list); again != s {
			t.Errorf("ParseCursor(%q, %q) = %+v, which is written %q", s, list, got, again)
		}
	})
}
