package disclosure

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func TestSanitizeHTML(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain text", "盐东镇道路改造", "盐东镇道路改造"},
		{"paragraphs and emphasis", "<p>一、<strong>条件</strong></p><p>二</p>", "<p>一、<strong>条件</strong></p><p>二</p>"},
		{"a table", `<table><tr><td colspan="2" rowspan="1">甲</td></tr></table>`, `<table><tr><td colspan="2" rowspan="1">甲</td></tr></table>`},
		{"a span that is no number", `<td colspan="x">甲</td>`, `<td>甲</td>`},
		{"styles, classes and ids go", `<p class="a" style="color:red" id="b">甲</p>`, "<p>甲</p>"},
		{"unknown elements go, their text stays", "<div><font>甲</font></div>", "甲"},
		{"headings from the second on", "<h1>甲</h1><h2>乙</h2>", "甲<h2>乙</h2>"},
		{"images go", `<p>甲<img src="https://example.com/a.png">乙</p>`, "<p>甲乙</p>"},
		{"links keep their target", `<a href="https://example.com/" target="_blank">甲</a>`, `<a href="https://example.com/" rel="noreferrer">甲</a>`},
		{"telephone links", `<a href="tel:051588880001">甲</a>`, `<a href="tel:051588880001" rel="noreferrer">甲</a>`},
		{"a link that acts loses its target", `<a href="javascript:alert(1)">甲</a>`, "甲"},
		{"scripts go with their text", "甲<script>alert(1)</script>乙", "甲乙"},
		{"styles go with their text", "甲<style>p{}</style>乙", "甲乙"},
		{"comments go", "甲<!-- 内部意见 -->乙", "甲乙"},
		{"handlers go", `<p onclick="alert(1)">甲</p>`, "<p>甲</p>"},
		{"text that looks like markup stays text", "&lt;script&gt; 5 &lt; 6 &amp; 7", "&lt;script&gt; 5 &lt; 6 &amp; 7"},
		{"a link that is left open is closed", `<p>正文</p><p><a href="https://example.com/">点这里`, `<p>正文</p><p><a href="https://example.com/" rel="noreferrer">点这里</a></p>`},
		{"a table that is left open is closed", "<table><tr><td>甲", "<table><tr><td>甲</td></tr></table>"},
		{"a table closes what is open in it", "<table><tr><td><b>甲</table>乙", "<table><tr><td><b>甲</b></td></tr></table>乙"},
		{"emphasis ends with its paragraph", "<p><b>甲</p><p>乙</b></p>", "<p><b>甲</b></p><p>乙</p>"},
		{"a tag that says it closes itself does not", `<a href="https://example.com/"/>甲`, `<a href="https://example.com/" rel="noreferrer"/>甲</a>`},
		{"ends without a beginning go", "甲</p></table></b>乙", "甲乙"},
		{"a cell ends nothing outside of its table", "<p><table><tr><td>甲</p></td></tr></table></p>", "<p><table><tr><td>甲</td></tr></table></p>"},
		{"breaks need no end", "甲<br>乙<br/>丙<hr>丁", "甲<br>乙<br/>丙<hr>丁"},
		{"a list in a paragraph stays", "<p>甲<ul><li>乙</li></ul></p>", "<p>甲<ul><li>乙</li></ul></p>"},
		{"blanks around it go", " \n<p>甲</p>\t", "<p>甲</p>"},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		got := SanitizeHTML(tt.in)
		if got != tt.want {
			t.Errorf("%s: SanitizeHTML(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
		if again := SanitizeHTML(got); again != got {
			t.Errorf("%s: SanitizeHTML(%q) = %q, want no change", tt.name, got, again)
		}
	}
}

func TestActiveHTML(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "<p>甲</p>", ""},
		{"a link", `<a href="https://example.com/?a=javascript:b">甲</a>`, ""},
		{"the word in text", "<p>javascript: onclick=1 &lt;script&gt;</p>", ""},
		{"a script", "<p>甲</p><script>alert(1)</script>", "<script>"},
		{"in capitals", "<SCRIPT>", "<script>"},
		{"never closed", "<script", ""},
		{"a frame", `<iframe src="https://example.com"></iframe>`, "<iframe>"},
		{"a form", `<form action="/"><input></form>`, "<form>"},
		{"a redirect", `<meta http-equiv="refresh" content="0">`, "<meta>"},
		{"drawn", "<svg/onload=alert(1)>", "<svg>"},
		{"a handler", `<img src=x onerror=alert(1)>`, "onerror="},
		{"a handler in capitals", `<p ONCLICK="x">`, "onclick="},
		{"a handler without a blank", `<p/onclick=x>`, "onclick="},
		{"a javascript link", `<a href="javascript:alert(1)">`, "javascript:"},
		{"in mixed letters", `<a href="JaVaScRiPt:alert(1)">`, "javascript:"},
		{"broken by a tab", "<a href=\"java\tscript:alert(1)\">", "javascript:"},
		{"broken by an entity", `<a href="java&#10;script:alert(1)">`, "javascript:"},
		{"after blanks", `<a href="  javascript:alert(1)">`, "javascript:"},
		{"after a control character", "<a href=\"\x01javascript:alert(1)\">", "javascript:"},
		{"vbscript", `<a href="vbscript:x">`, "vbscript:"},
		{"data", `<a href="data:text/html,x">`, "data:"},
		{"in another attribute", `<td background="javascript:x">`, "javascript:"},
	}
	for _, tt := range tests {
		if got := ActiveHTML(tt.in); got != tt.want {
			t.Errorf("%s: ActiveHTML(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
	for name := range strings.FieldsSeq("script iframe frame object embed applet form input button meta base link svg math video audio") {
		if got := ActiveHTML("<p>甲<" + name + "/>"); got != "<"+name+">" {
			t.Errorf("ActiveHTML(<%s/>) = %q, want it named", name, got)
		}
	}
}

func TestPlainText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"text", "甲 &amp; 乙", "甲 & 乙"},
		{"a line for each block", "<h2>一</h2><p>甲</p><p>乙<br>丙</p>", "一\n甲\n乙\n丙"},
		{"emphasis breaks nothing", "<p>采<strong>购</strong>人</p>", "采购人"},
		{"cells", "<table><tr><td>甲</td><td>乙</td></tr><tr><th>丙</th><td>丁</td></tr></table>", "甲 乙\n丙 丁"},
		{"lists", "<ul><li>甲</li><li>乙</li></ul>", "甲\n乙"},
		{"line breaks of the source are blanks", "<p>甲\n乙</p>", "甲 乙"},
		{"nothing", "", ""},
		{"only markup", "<p></p><hr>", ""},
	}
	for _, tt := range tests {
		if got := PlainText(tt.in); got != tt.want {
			t.Errorf("%s: PlainText(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

// allowedMarkup is the policy once more, written as what a reader's browser may
// be given.
var allowedMarkup = map[string][]string{
	"a": {"href", "rel"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"},
	"p": nil, "br": nil, "hr": nil, "h2": nil, "h3": nil, "h4": nil, "ul": nil, "ol": nil, "li": nil, "blockquote": nil,
	"strong": nil, "b": nil, "em": nil, "i": nil, "u": nil, "s": nil, "sub": nil, "sup": nil, "table": nil, "caption": nil,
	"thead": nil, "tbody": nil, "tfoot": nil, "tr": nil, "html": nil, "head": nil, "body": nil, "colgroup": nil,
}

// foreign returns the first element or attribute of the parsed page that is not
// allowed, as a browser would build it, or "".
func foreign(n *html.Node) string {
	attrs, ok := allowedMarkup[n.Data]
	switch {
	case n.Type == html.CommentNode, n.Type == html.ElementNode && !ok:
		return "<" + n.Data + ">"
	case n.Type == html.ElementNode:
		for _, a := range n.Attr {
			scheme, _, found := strings.Cut(strings.ToLower(a.Val), ":")
			if !slices.Contains(attrs, a.Key) || a.Key == "href" && found && !slices.Contains([]string{"https", "http", "mailto", "tel"}, scheme) &&
				!strings.ContainsAny(scheme, "/?#") {
				return n.Data + " " + a.Key + "=" + a.Val
			}
		}
	}
	for c := range n.ChildNodes() {
		if bad := foreign(c); bad != "" {
			return bad
		}
	}
	return ""
}

// escapes says what of the markup reaches what follows it on a page, as a browser
// would build that, or "".
func escapes(t *testing.T, markup string) string {
	t.Helper()
	nodes, err := html.ParseFragment(strings.NewReader("<div>"+markup+"</div>后文"), &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body})
	if err != nil {
		return "" // a parser's limit of depth: what nests so deep is closed all the same
	}
	if len(nodes) == 2 && nodes[0].Data == "div" && nodes[1].Type == html.TextNode && nodes[1].Data == "后文" {
		return ""
	}
	var b strings.Builder
	for _, n := range nodes {
		_ = html.Render(&b, n)
	}
	return b.String()
}

func FuzzSanitizeHTML(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(allowedMarkup)) {
		f.Add("<" + name + ` href="https://example.com" colspan="2">甲</` + name + ">")
	}
	for _, s := range []string{"<scr<script>ipt>alert(1)</script>", `<a href="java&#9;script:alert(1)">x</a>`,
		"<svg><style><img src=x onerror=alert(1)>",
		`<p title="</p><script>alert(1)</script>">`, "<!--><script>-->", "<math><mtext></p><a onclick=x>", "a\u00a0<p>\x00</p>", "&#60;script&#62;",
		"<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">", "<textarea><script>", "<plaintext><p>", "<table><a href=//x>",
		`<p>正文</p><p><a href="https://evil.example/">点这里`, "<table><tr><td>", "<table><b><tr></b><td>", "<table><a href=//x><tr></a></table>",
		"<b><p></b>", "<a href=//x/>", "<li><b>甲<li>乙", "<table><caption><table></caption>", "<h2><h3></h2>", "<ul><table><li></ul>", "</br></p>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := SanitizeHTML(s)
		if again := SanitizeHTML(got); again != got {
			t.Errorf("SanitizeHTML(%q) = %q, want no change", got, again)
		}
		if bad := ActiveHTML(got); bad != "" {
			t.Errorf("ActiveHTML(SanitizeHTML(%q)) = %q, want nothing in %q", s, bad, got)
		}
		if out := escapes(t, got); out != "" {
			t.Errorf("SanitizeHTML(%q) = %q reaches what follows: %s", s, got, out)
		}
		page, err := html.Parse(strings.NewReader(got))
		if err != nil {
			t.Fatalf("Parse(%q) = %v", got, err)
		}
		if bad := foreign(page); bad != "" {
			t.Errorf("SanitizeHTML(%q) = %q, which holds %s", s, got, bad)
		}
	})
}

// TestSanitizedMarkupStaysInside: whatever the order of allowed tags, nothing of
// them reaches what follows on a page, and cleaning again changes nothing.
func TestSanitizedMarkupStaysInside(t *testing.T) {
	var tags []string
	for name := range strings.FieldsSeq("p h2 ul li blockquote b u a table caption thead tbody tr th td br") {
		start := name
		if name == "a" {
			start = `a href="https://example.com/"`
		}
		tags = append(tags, "<"+start+">", "</"+name+">", "<"+start+"/>", "甲")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var b strings.Builder
		for range 1 + random.IntN(14) {
			b.WriteString(tags[random.IntN(len(tags))])
		}
		clean := SanitizeHTML(b.String())
		if again := SanitizeHTML(clean); again != clean {
			t.Fatalf("SanitizeHTML(%q) = %q, want no change", clean, again)
		}
		if out := escapes(t, clean); out != "" {
			t.Fatalf("SanitizeHTML(%q) = %q reaches what follows: %s", b.String(), clean, out)
		}
	}
}
