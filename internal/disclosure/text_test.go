package disclosure

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalize(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"small letters", "ＴＨ２０２６－００１ Ab", "th2026-001 ab"},
		{"compatibility forms", "㎡ ① ㈱ ﬁ", "m2 1 (株) fi"},
		{"every blank is one", " 甲\t\n　\u00a0乙 ", "甲 乙"},
		{"control characters go", "甲\x00\x1b乙", "甲乙"},
		{"invisible characters go", "甲\u200b\ufeff\u202e乙", "甲乙"},
		{"characters join over invisible ones", "a\u200d\u0301", "á"},
		{"small letters join where capitals do not", "T\u0308", "ẗ"},
		{"private-use characters go", "\uE000甲\uE001乙\uE002", "甲乙"},
		{"broken UTF-8 is marked", "甲\xff乙", "甲\ufffd乙"},
		{"punctuation stays", "〔2024〕5号，“甲”", "〔2024〕5号,“甲”"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		got := Normalize(tt.in)
		if got != tt.want {
			t.Errorf("%s: Normalize(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
		if again := Normalize(got); again != got {
			t.Errorf("%s: Normalize(%q) = %q, want no change", tt.name, got, again)
		}
	}
}

func TestTokens(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"two characters", "采购", []string{"采购"}},
		{"bigrams", "盐东镇道路", []string{"东镇", "盐东", "道路", "镇道"}},
		{"one character", "路", nil},
		{"repeats", "采购采购", []string{"购采", "采购"}},
		{"runs of letters and digits", "th2026-001", []string{"001", "th2026"}},
		{"scripts part runs", "盐东镇a区3号", []string{"3", "a", "东镇", "盐东"}},
		{"document number", "亭土告〔2024〕5号", []string{"2024", "5", "亭土", "土告"}},
		{"zero as a character", "二〇二六年", []string{"〇二", "二〇", "二六", "六年"}},
		{"nothing but signs", "，。—（）", nil},
		{"nothing", "", nil},
	}
	for _, tt := range tests {
		if got := Tokens(Normalize(tt.in)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: Tokens(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestParseTerms(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want Terms
	}{
		{"nothing", "", Terms{}},
		{"blanks", " \t　", Terms{}},
		{"invisible characters are nothing", "\u200b\ufeff\uE001", Terms{}},
		{"a bigram proves its word", "采购", Terms{Tokens: []string{"采购"}, Words: []string{"采购"}}},
		{"a longer word is checked", "招标公告",
			Terms{Tokens: []string{"公告", "招标", "标公"}, Words: []string{"招标公告"}, Checks: []string{"招标公告"}}},
		{"one character is looked for in titles", "路", Terms{Tokens: []string{markTitle + "路"}, Words: []string{"路"}}},
		{"one letter is not", "a", Terms{Tokens: []string{"a"}, Words: []string{"a"}}},
		{"full-width code", "ＴＨ２０２６－００１",
			Terms{Tokens: []string{"001", "th2026"}, Words: []string{"th2026-001"}, Checks: []string{"th2026-001"}}},
		{"dashes, dots and slashes inside a code", "a-1.2/3_b",
			Terms{Tokens: []string{"1", "2", "3", "a", "b"}, Words: []string{"a-1.2/3_b"}, Checks: []string{"a-1.2/3_b"}}},
		{"dashes at its ends separate", "-th2026- .",
			Terms{Tokens: []string{"th2026"}, Words: []string{"th2026"}}},
		{"dashes beside other letters separate", "甲乙-1 2-丙丁", Terms{Tokens: []string{"1", "2", "丙丁", "甲乙"}, Words: []string{"1", "2", "丙丁", "甲乙"}}},
		{"document number", "亭土告〔2024〕5号", Terms{Tokens: []string{"2024", "5", "亭土", "土告"},
			Words: []string{"2024", "5号", "亭土告"}, Checks: []string{"5号", "亭土告"}}},
		{"operators and quotes", `"a" AND NEAR( * :`, Terms{Tokens: []string{"a", "and", "near"}, Words: []string{"a", "and", "near"}}},
		{"repeats", "采购 采购，采购", Terms{Tokens: []string{"采购"}, Words: []string{"采购"}}},
		{"only punctuation", "，。！“”—", Terms{Never: true}},
		{"only operators", `"" ( ) * ^ :`, Terms{Never: true}},
		{"a forged filter", "\uE001sector\uE001housing", Terms{Tokens: []string{"sectorhousing"}, Words: []string{"sectorhousing"}}},
		{"a forged title mark", "\uE000路", Terms{Tokens: []string{markTitle + "路"}, Words: []string{"路"}}},
	}
	for _, tt := range tests {
		if got := ParseTerms(tt.in); !reflect.DeepEqual(nonNil(got), nonNil(tt.want)) {
			t.Errorf("%s: ParseTerms(%q) = %+v, want %+v", tt.name, tt.in, got, tt.want)
		}
	}
}

func nonNil(t Terms) Terms {
	return Terms{append([]string{}, t.Tokens...), append([]string{}, t.Checks...), append([]string{}, t.Words...), t.Never}
}

func searchable(title, body string) SearchDocument {
	n := Notice{Code: "10000012", Content: Content{Type: tender, Title: title, BodyHTML: body, Body: "resource-trading-centre",
		Source: Source{Name: "交易平台"}, Project: &Project{Code: "TH2026-001", Name: "智慧教室"}, Region: "320902", Items: []string{"A1-04"},
		Fields: Values{"control_price": "12800000.00"}, Attachments: []Attachment{{Name: "图纸.pdf"}}}}
	typ := &NoticeType{Stage: StageExecution, Fields: []Field{{Key: "control_price", Kind: FieldMoney}}}
	return n.SearchDocument(typ, "区交易中心")
}

// holds is what the store asks its index and then Match: the contract between
// Terms and SearchDocument.
func (d SearchDocument) holds(terms Terms, anyOf [][]string) bool {
	if terms.Never || !terms.Match(d.Text) {
		return false
	}
	missing := func(token string) bool { return !slices.Contains(d.Tokens, token) }
	if slices.ContainsFunc(terms.Tokens, missing) {
		return false
	}
	return !slices.ContainsFunc(anyOf, func(group []string) bool {
		return !slices.ContainsFunc(group, func(s string) bool { return !missing(s) })
	})
}

func TestSearch(t *testing.T) {
	d := searchable("盐东镇道路改造工程招标公告", "<p>现对ＴＨ-2026号施工进行公开招标。</p><p>联系电话：0515-88880001</p><p>二〇二六年</p>")
	tests := []struct {
		name, q string
		want    bool
	}{
		{"nothing asked", "", true},
		{"title", "盐东镇道路", true},
		{"middle of the title", "东镇", true},
		{"both words", "道路 招标", true},
		{"one word too many", "道路 医用耗材", false},
		{"bigrams in another order", "路道", false},
		{"bigrams that do not join", "盐东镇改造", false},
		{"text of the body", "公开招标", true},
		{"not across blocks", "招标联系", false},
		{"code of the notice", "10000012", true},
		{"code of the project", "th2026-001", true},
		{"name of the project", "智慧教室", true},
		{"code written wide", "ＴＨ－２０２６", true},
		{"code without its dash", "th2026001", false},
		{"beginning of a number", "1000", false},
		{"publisher", "交易中心", true},
		{"source", "交易平台", true},
		{"field as displayed", "12,800,000.00元", true},
		{"attachment", "图纸.pdf", true},
		{"telephone", "0515-88880001", true},
		{"one character of the title", "镇", true},
		{"one character of the body only", "施", false},
		{"a year in characters", "二〇二六年", true},
		{"only signs", "！！", false},
		{"name of a filter", "sector", false},
		{"forged filter", markFilter + "sector" + markFilter + "construction", false},
		{"sub-word of a filter", "construction", false},
	}
	for _, tt := range tests {
		if got := d.holds(ParseTerms(tt.q), nil); got != tt.want {
			t.Errorf("%s: search for %q = %t, want %t", tt.name, tt.q, got, tt.want)
		}
	}
}

// A notice cannot claim to be of another sector by what it says.
func TestTextCannotForgeFilters(t *testing.T) {
	forged := markFilter + "sector" + markFilter + "housing"
	d := searchable("盐东镇"+forged, "<p>"+forged+" "+filterToken("item", "A2-18")+"</p>")
	tests := []struct {
		name string
		q    NoticeQuery
		want bool
	}{
		{"its own sector", NoticeQuery{Sectors: []string{"construction"}}, true},
		{"forged sector", NoticeQuery{Sectors: []string{"housing"}}, false},
		{"one of two sectors", NoticeQuery{Sectors: []string{"housing", "construction"}}, true},
		{"neither of two sectors", NoticeQuery{Sectors: []string{"housing", "land"}}, false},
		{"its own item", NoticeQuery{Item: "A1-04"}, true},
		{"forged item", NoticeQuery{Item: "A2-18"}, false},
		{"beginning of its item", NoticeQuery{Item: "A1"}, false},
		{"everything", NoticeQuery{Types: []string{tender}, Stage: StageExecution, Body: "resource-trading-centre",
			Region: "320902", Q: "盐东镇"}, true},
		{"another stage", NoticeQuery{Stage: StageResult}, false},
		{"another region", NoticeQuery{Region: "320900"}, false},
	}
	for _, tt := range tests {
		terms, anyOf := tt.q.Terms()
		if got := d.holds(terms, anyOf); got != tt.want {
			t.Errorf("%s: search for %s = %t, want %t", tt.name, tt.q.Canonical(), got, tt.want)
		}
	}
}

// Every engine must read a filter as one token, and two filters as two.
func TestFilterTokensAreWhole(t *testing.T) {
	c, seen := sharedCatalog(t), map[string]string{}
	check := func(property, value string) {
		token := filterToken(property, value)
		if other, ok := seen[token]; ok {
			t.Errorf("filterToken(%s, %s) = filterToken(%s)", property, value, other)
		}
		seen[token] = property + ", " + value
		if i := strings.IndexFunc(token, func(r rune) bool { return r < utf8.RuneSelf && !isWord(r) }); i >= 0 {
			t.Errorf("filterToken(%s, %s) = %q, want letters, digits and bytes above 127", property, value, token)
		}
	}
	for _, b := range c.Bodies {
		check("body", b.ID)
	}
	for _, item := range c.Items {
		check("item", item.ID)
	}
	for _, typ := range c.Types {
		check("type", typ.Code)
		check("stage", typ.Code)
	}
}

func TestLongRunsAreCut(t *testing.T) {
	tests := []struct{ name, text, other string }{
		{"latin", strings.Repeat("a", 100_000), strings.Repeat("a", 99_999)},
		{"digits", strings.Repeat("1", 100_000), strings.Repeat("1", 50) + "2"},
		{"Greek", strings.Repeat("α", 50_000), strings.Repeat("α", 49_000)},
		{"cut inside a character", "a" + strings.Repeat("한", 30_000), "a" + strings.Repeat("한", 29_000)},
		{"Han", strings.Repeat("盐", 33_000), strings.Repeat("盐", 32_999) + "城"},
	}
	for _, tt := range tests {
		d := searchable(tt.text, "")
		for _, token := range d.Tokens {
			if len(token) > 64 || !utf8.ValidString(token) {
				t.Errorf("%s: token of %d bytes, valid %t", tt.name, len(token), utf8.ValidString(token))
			}
		}
		if !d.holds(ParseTerms(tt.text), nil) {
			t.Errorf("%s: search for the whole run = false, want true", tt.name)
		}
		if searchable(tt.other, "").holds(ParseTerms(tt.text), nil) {
			t.Errorf("%s: search in a shorter run = true, want false", tt.name)
		}
	}
}

func TestScorePutsTitlesFirst(t *testing.T) {
	terms := ParseTerms("道路 招标")
	order := []string{"道路招标公告", "盐东镇道路招标公告", "道路养护公告", "盐东镇道路养护", "医用耗材"}
	for i := 1; i < len(order); i++ {
		if a, b := terms.Score(order[i-1]), terms.Score(order[i]); a <= b {
			t.Errorf("Score(%s) = %d, Score(%s) = %d, want more for the first", order[i-1], a, order[i], b)
		}
	}
}

func FuzzParseTerms(f *testing.F) {
	for _, s := range []string{"采购", "招标 公告", "ＴＨ２０２６－００１", "亭土告〔2024〕5号", `"a" AND NEAR( * :`, "，。", "\uE001sector\uE001land",
		"二〇二六年", "a\u0301\u200b", "\xff", "-a-.b_", "İß", strings.Repeat("盐城", 99)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, q string) {
		terms := ParseTerms(q)
		if once := Normalize(q); Normalize(once) != once {
			t.Errorf("Normalize(%q) = %q, want no change", once, Normalize(once))
		}
		if !slices.IsSorted(terms.Tokens) || len(slices.Compact(slices.Clone(terms.Tokens))) != len(terms.Tokens) {
			t.Errorf("ParseTerms(%q).Tokens = %q, want them sorted and different", q, terms.Tokens)
		}
		for _, token := range terms.Tokens {
			if token == "" || len(token) > maxToken || !utf8.ValidString(token) || strings.Contains(token, markFilter) {
				t.Errorf("ParseTerms(%q).Tokens has %q", q, token)
			}
		}
		if empty := len(terms.Words) == 0; terms.Never != (empty && Normalize(q) != "") || empty && len(terms.Tokens)+len(terms.Checks) > 0 {
			t.Errorf("ParseTerms(%q) = %+v, want Never only without words", q, terms)
		}
		if !terms.Never && !searchable(q, "").holds(terms, nil) {
			t.Errorf("search for %q in a notice of this title = false, want true: %+v", q, terms)
		}
	})
}

// FuzzSearchTokens looks for every word of a title, and for every pair of Han
// characters in it.
func FuzzSearchTokens(f *testing.F) {
	f.Add("盐东镇道路改造工程 招标公告（第2次）", "<p>亭土告〔2024〕5号</p>")
	f.Add("ＴＨ２０２６－００１ a\u0301´b \u0301c", "<td>x</td>")
	f.Add("二〇二六年Ⅲ期A区", "")
	f.Fuzz(func(t *testing.T, title, body string) {
		d := searchable(title, body)
		for word := range strings.FieldsSeq(title) {
			if terms := ParseTerms(word); !terms.Never && !d.holds(terms, nil) {
				t.Errorf("search for %q in a notice titled %q = false, want true: %+v", word, title, terms)
			}
		}
		for _, token := range Tokens(Normalize(title)) {
			if !d.holds(ParseTerms(token), nil) {
				t.Errorf("search for the token %q in a notice titled %q = false, want true", token, title)
			}
		}
	})
}
