package disclosure

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Marks of tokens that are not words of the text. They are private-use
// characters, which Normalize removes, so no text can forge a filter.
const (
	markTitle  = "\uE000" // one Han character of the title
	markFilter = "\uE001" // a property of the notice: sector, type, stage, …
)

// maxToken bounds a latin or digit run in the index, in bytes; longer runs are
// cut, and the exact check tells them apart.
const maxToken = 48

// Normalize folds text for search: full-width and compatibility forms to plain
// ones (NFKC), letters to lower case, every blank to one space; control and
// private-use characters go. It is idempotent.
func Normalize(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	blank := true
	lower := strings.ToLower(norm.NFKC.String(strings.Map(dropInvisible, s)))
	for _, r := range norm.NFKC.String(lower) { // again: small letters may join where capitals do not
		if !unicode.IsSpace(r) {
			b.WriteRune(r)
		} else if !blank {
			b.WriteByte(' ')
		}
		blank = unicode.IsSpace(r)
	}
	return strings.TrimSuffix(b.String(), " ")
}

// dropInvisible removes what would keep characters from joining, before they
// are joined.
func dropInvisible(r rune) rune {
	if unicode.In(r, unicode.Co, unicode.Cc, unicode.Cf) && !unicode.IsSpace(r) {
		return -1
	}
	return r
}

// isWord counts letter numbers in, for 〇 is one.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.In(r, unicode.Nd, unicode.Nl, unicode.Mn)
}
func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// runs calls yield for each maximal run of Han characters and each maximal run
// of other letters and digits in normalised text.
func runs(s string, yield func(run string, han bool)) {
	start, han := -1, false
	for i, r := range s {
		word := isWord(r)
		if start >= 0 && (!word || isHan(r) != han) {
			yield(s[start:i], han)
			start = -1
		}
		if word && start < 0 {
			start, han = i, isHan(r)
		}
	}
	if start >= 0 {
		yield(s[start:], han)
	}
}

// bigrams appends the pairs of neighbouring characters of a Han run.
func bigrams(tokens []string, run string) []string {
	prev := -1
	for i, r := range run {
		if prev >= 0 {
			tokens = append(tokens, run[prev:i+utf8.RuneLen(r)])
		}
		prev = i
	}
	return tokens
}

func cutToken(s string) string {
	if len(s) <= maxToken {
		return s
	}
	cut := maxToken
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// Tokens returns what the full-text index holds of normalised text, sorted and
// without repeats: Han bigrams, and runs of letters and digits whole.
func Tokens(text string) []string {
	var tokens []string
	runs(text, func(run string, han bool) {
		if han {
			tokens = bigrams(tokens, run)
		} else {
			tokens = append(tokens, cutToken(run))
		}
	})
	slices.Sort(tokens)
	return slices.Compact(tokens)
}

// maxTokens bounds what the index holds of one notice, in bytes: PostgreSQL loses
// every word of a longer list, the filters first, and says nothing.
const maxTokens = 1_000_000

// boundedTokens returns the tokens of a text, or of as much of its beginning as
// the index takes: only a text of hundreds of thousands of different words has
// more.
func boundedTokens(text string) []string {
	for {
		tokens, size := Tokens(text), 0
		for _, token := range tokens {
			size += len(token)
		}
		if size <= maxTokens {
			return tokens
		}
		cut := len(text) * maxTokens / (size + 1)
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut]
	}
}

// SearchDocument is a notice as the search index keeps it.
type SearchDocument struct {
	Title  string   // normalised
	Text   string   // normalised, the title included
	Tokens []string // for the full-text index, filters included
}

// SearchDocument prepares the notice for the index. bodyName is the publisher's
// name, t the type it was written by. Give it the public content only: masked
// values stay masked in the index.
func (n Notice) SearchDocument(t *NoticeType, bodyName string) SearchDocument {
	parts := []string{n.Title, n.Code, bodyName, n.Source.Name}
	if n.Project != nil {
		parts = append(parts, n.Project.Code, n.Project.Name)
	}
	parts = append(parts, n.Summary)
	for _, f := range t.Fields {
		parts = append(parts, f.Display(n.Fields[f.Key]))
	}
	parts = append(parts, PlainText(n.BodyHTML))
	for _, a := range n.Attachments {
		parts = append(parts, a.Name)
	}
	for i := range parts {
		parts[i] = Normalize(parts[i])
	}
	d := SearchDocument{Title: parts[0], Text: strings.Join(parts, "\n")}
	d.Tokens = boundedTokens(d.Text)
	for _, r := range d.Title {
		if isHan(r) {
			d.Tokens = append(d.Tokens, markTitle+string(r))
		}
	}
	d.Tokens = append(d.Tokens, filterToken("sector", n.SectorCode()), filterToken("type", n.Type),
		filterToken("stage", string(t.Stage)), filterToken("body", n.Body), filterToken("region", n.Region))
	for _, item := range n.Items {
		d.Tokens = append(d.Tokens, filterToken("item", item))
	}
	slices.Sort(d.Tokens)
	d.Tokens = slices.Compact(d.Tokens)
	return d
}

// filterToken spells a filter so that it is one token for every engine: letters
// and digits and bytes above 127 only.
func filterToken(property, value string) string {
	keep := func(r rune) rune {
		if r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return '\uE002' + r
		}
		return r
	}
	return markFilter + property + markFilter + strings.Map(keep, value)
}

// Terms is a query as the index understands it.
type Terms struct {
	Tokens []string // all must be in the document
	Checks []string // normalised words that the tokens alone do not prove
	Words  []string // every word, normalised, for ranking
	Never  bool     // nothing can match
}

// ParseTerms reads what a person typed: words separated by blanks, all of which
// must occur. Punctuation separates words except inside an official number such
// as TH2026-001. A single Han character is looked for in titles only. Quotes and
// the signs of operators are punctuation, AND and OR are words; the zero Terms
// matches everything.
func ParseTerms(q string) Terms {
	var t Terms
	typed := Normalize(q)
	for _, word := range words(typed) {
		t.Words = append(t.Words, word)
		tokens, exact := wordTokens(word)
		t.Tokens = append(t.Tokens, tokens...)
		if !exact {
			t.Checks = append(t.Checks, word)
		}
	}
	slices.Sort(t.Tokens)
	t.Tokens = slices.Compact(t.Tokens)
	t.Never = len(t.Words) == 0 && typed != ""
	return t
}

// words splits normalised text at blanks and punctuation. Connectors between
// two ASCII letters or digits belong to the word.
func words(s string) []string {
	r := []rune(s)
	var out []string
	start := -1
	for i := 0; i <= len(r); i++ {
		if i < len(r) && (isWord(r[i]) || connects(r, i)) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			out = append(out, string(r[start:i]))
			start = -1
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func connects(r []rune, i int) bool {
	return strings.ContainsRune("-_./", r[i]) && i > 0 && i+1 < len(r) && asciiWord(r[i-1]) && asciiWord(r[i+1])
}

func asciiWord(r rune) bool { return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' }

// wordTokens returns the tokens of one word, and whether they prove it.
func wordTokens(word string) (tokens []string, exact bool) {
	if utf8.RuneCountInString(word) == 1 {
		if r, _ := utf8.DecodeRuneInString(word); isHan(r) {
			return []string{markTitle + word}, true
		}
	}
	tokens = Tokens(word)
	return tokens, len(tokens) == 1 && tokens[0] == word
}

// Match reports whether the normalised text holds every word the tokens alone do
// not prove: the exact check that gives the same hits on every engine.
func (t Terms) Match(text string) bool {
	for _, word := range t.Checks {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Score ranks a hit by where the words stand: title hits first. Equal scores
// keep their order, newest first.
func (t Terms) Score(title string) int {
	score := 0
	for _, word := range t.Words {
		switch i := strings.Index(title, word); {
		case i == 0:
			score += 3
		case i > 0:
			score += 2
		}
	}
	return score
}

func sectorOf(typeCode string) string {
	sector, _, _ := strings.Cut(typeCode, ".")
	return sector
}
