package web

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"gongkai/internal/disclosure"
)

func TestInitials(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a word of the field", "公租房", "gzf"},
		{"a town whose name is read otherwise", "便仓镇", "bcz"},
		{"a road named after a city", "重庆路改造", "cqlgz"},
		{"one character, two readings", "银行行政审批", "yhxzsp"},
		{"the longer phrase wins", "东亭湖街道", "dthjd"},
		{"letters and digits stay", "K2地块（2026年）", "k2dk.2026n."},
		{"the zero of Chinese dates", "二〇二六", "elel"},
		{"a rare character has a reading", "㙍", "d"},
		{"an emoji is one character", "道路🚧", "dl."},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Initials(tt.text); got != tt.want {
				t.Errorf("Initials(%q) = %q, want %q", tt.text, got, tt.want)
			}
		})
	}
}

// TestPhrasesAreWhole: every phrase has one letter for each character.
func TestPhrasesAreWhole(t *testing.T) {
	for word, letters := range phrases {
		if utf8.RuneCountInString(word) != len(letters) {
			t.Errorf("%s has %d letters: %s", word, len(letters), letters)
		}
	}
}

func FuzzInitials(f *testing.F) {
	f.Add("公租房K2🚧")
	f.Fuzz(func(t *testing.T, text string) {
		if got := Initials(text); len(got) != len([]rune(text)) {
			t.Errorf("Initials(%q) = %q: not one for each character", text, got)
		}
	})
}

// TestVocabulary: what the kiosk offers for the letters people type.
func TestVocabulary(t *testing.T) {
	defs, err := disclosure.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	c, err := disclosure.NewCatalog(defs)
	if err != nil {
		t.Fatal(err)
	}
	words := Vocabulary(c)
	for letters, want := range map[string]string{"gzf": "公租房 公共租赁住房", "bc": "便仓", "zfcg": "政府采购", "zb": "招标 中标"} {
		var got []string
		for _, w := range words {
			if w.Initials == letters {
				got = append(got, w.Word)
			}
		}
		for word := range strings.FieldsSeq(want) {
			if !slices.Contains(got, word) {
				t.Errorf("%s stands for %v, not %s", letters, got, word)
			}
		}
	}
}
