package disclosure

import (
	"slices"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
)

// policy allows the markup of a printed notice: paragraphs, headings, lists,
// tables, emphasis and links. No images, styles, classes or ids.
var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h2", "h3", "h4", "ul", "ol", "li", "blockquote", "strong", "b", "em", "i", "u",
		"s", "sub", "sup", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td")
	p.AllowAttrs("colspan", "rowspan").Matching(bluemonday.Integer).OnElements("td", "th")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "http", "mailto", "tel")
	p.RequireParseableURLs(true)
	p.RequireNoReferrerOnLinks(true)
	return p
})

// SanitizeHTML reduces the text to the allowed markup and closes what it opens,
// so that nothing of it reaches what follows on a page. It is idempotent, and
// leaves allowed markup that is closed in order as it is.
func SanitizeHTML(s string) string { return strings.TrimSpace(balanced(policy().Sanitize(s))) }

var voidElements = map[string]bool{"br": true, "hr": true}

// balanced returns allowed markup with every element closed, inner before outer,
// and without the end tags of what is not open. It works on tags and not on a
// tree: a parser repeats an open link in every paragraph after it, which makes
// little text into very much.
func balanced(s string) string {
	var b strings.Builder
	var open []string
	closeTo := func(depth int) {
		for ; len(open) > depth; open = open[:len(open)-1] {
			b.WriteString("</" + open[len(open)-1] + ">")
		}
	}
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			closeTo(0)
			return b.String()
		}
		raw := string(z.Raw()) // before TagName, which takes it apart
		if kind == html.TextToken {
			b.WriteString(raw)
			continue
		}
		tag, _ := z.TagName()
		name := string(tag)
		switch {
		case voidElements[name]:
			b.WriteString(raw)
		case kind != html.EndTagToken: // <p/> opens a paragraph too
			b.WriteString(raw)
			open = append(open, name)
		default:
			if depth := opened(open, name); depth >= 0 {
				closeTo(depth)
			}
		}
	}
}

// opened is where an end tag's element stands among the open ones, or -1: one
// within a cell closes nothing outside of its table.
func opened(open []string, name string) int {
	for i, one := range slices.Backward(open) {
		if one == name {
			return i
		}
		if one == "table" {
			break
		}
	}
	return -1
}

var activeElements = map[string]bool{"script": true, "iframe": true, "frame": true, "object": true, "embed": true,
	"applet": true, "form": true, "input": true, "button": true, "meta": true, "base": true, "link": true, "svg": true,
	"math": true, "video": true, "audio": true}

// ActiveHTML names the first thing in the markup that acts instead of being
// read – a script, a frame, an event handler, a javascript: link – or returns
// "". Such text is refused, not cleaned: whoever pasted it should know.
func ActiveHTML(s string) string {
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return ""
		case html.StartTagToken, html.SelfClosingTagToken:
			if bad := activeTag(z.Token()); bad != "" {
				return bad
			}
		}
	}
}

func activeTag(t html.Token) string {
	if activeElements[t.Data] {
		return "<" + t.Data + ">"
	}
	for _, a := range t.Attr {
		if strings.HasPrefix(a.Key, "on") {
			return a.Key + "="
		}
		scheme, _, found := strings.Cut(strings.ToLower(strings.Map(dropBlank, a.Val)), ":")
		if found && (scheme == "javascript" || scheme == "vbscript" || scheme == "data") {
			return scheme + ":"
		}
	}
	return ""
}

// dropBlank removes what browsers ignore inside a scheme.
func dropBlank(r rune) rune {
	if r <= ' ' {
		return -1
	}
	return r
}

// blockElements end a line of text.
var blockElements = map[string]bool{"p": true, "br": true, "hr": true, "h2": true, "h3": true, "h4": true, "li": true,
	"tr": true, "table": true, "blockquote": true, "caption": true, "ul": true, "ol": true, "div": true}

// PlainText returns the text of the markup, a line for each block and a space
// between cells.
func PlainText(s string) string {
	var b strings.Builder
	gap := func(blank byte) {
		if text := b.String(); text != "" && text[len(text)-1] != '\n' && text[len(text)-1] != blank {
			b.WriteByte(blank)
		}
	}
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			return strings.TrimSpace(b.String())
		case html.TextToken:
			b.WriteString(strings.ReplaceAll(string(z.Text()), "\n", " "))
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			switch {
			case blockElements[string(name)]:
				gap('\n')
			case kind != html.EndTagToken && (string(name) == "td" || string(name) == "th"):
				gap(' ')
			}
		}
	}
}
