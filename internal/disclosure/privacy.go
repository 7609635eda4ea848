package disclosure

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// FileScan is what the privacy check knows of a file: where it holds personal data, and
// whether all of it could be read. It never holds the data.
type FileScan struct {
	Whole bool       `json:"whole"` // false: pictures, encryption, damage, or over the limits
	Leaks []FileLeak `json:"leaks"`
}

// FileLeak is personal data of one kind in one part of a file.
type FileLeak struct {
	Kind    LeakKind `json:"kind"`
	Where   string   `json:"where"` // "工作表“名单”", "第 3 页"; "" for the file as a whole
	Line    int      `json:"line"`  // the first of them, from 1
	Count   int      `json:"count"`
	Contact bool     `json:"contact,omitempty"`
	Private bool     `json:"private,omitempty"`
}

// LeakScanVersion changes with what FindLeaks finds and with what is read of
// files, so that those that were scanned before are scanned again.
const LeakScanVersion = 4

// Add looks for personal data in a part of the file. Its place is kept without
// what it may give away itself: a sheet can be named after a person's number.
func (f *FileScan) Add(where, text string) {
	f.add(where, where)
	f.add(where, text)
}

func (f *FileScan) add(where, text string) {
	leaks := FindLeaks(text)
	line, at := 1, 0
	for _, l := range leaks {
		line += strings.Count(text[at:l.Start], "\n")
		at = l.Start
		i := slices.IndexFunc(f.Leaks, func(k FileLeak) bool {
			return k.Kind == l.Kind && k.Where == StrikeLeaks(where) && k.Contact == l.Contact && k.Private == l.Private
		})
		if i >= 0 {
			f.Leaks[i].Count++
			continue
		}
		f.Leaks = append(f.Leaks, FileLeak{Kind: l.Kind, Where: StrikeLeaks(where), Line: line, Count: 1, Contact: l.Contact, Private: l.Private})
	}
}

// StrikeLeaks replaces by *** what the privacy check finds in a text, of every
// kind: for names of files and places in them, which are shown to people who may
// not see what the check is about. MaskNumbers is for quotes.
func StrikeLeaks(text string) string {
	leaks := FindLeaks(text)
	if len(leaks) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, l := range leaks {
		b.WriteString(text[at:l.Start] + "***")
		at = l.End
	}
	return b.String() + text[at:]
}

// The codes of findings of the privacy check begin so.
const privacyPrefix = "privacy."

// CodeUnreadable is the code of the finding that a file has no text to check: a
// second person has to have looked at it.
const CodeUnreadable = privacyPrefix + "unreadable"

const (
	adviceBlocked = "请删除、脱敏，或改填有脱敏规则的字段；确需公开的，须由另一人说明理由后放行"
	adviceContact = "联系方式建议改用办公电话；确需公开的，请确认并写明理由"
	maxFindings   = 60 // of the privacy check: a list of thousands is wrong in one way
)

// Privacy is what is checked before anything becomes public (个人信息保护法 第二十五条、
// 第五十一条): what is left of personal data once the type's masks are applied.
// Findings block until a second person overrides them; mobile numbers that
// offer a contact, and files that cannot be read, are warnings. files has the
// scan of each attachment by SHA-256; one that is missing counts as unreadable.
//
// What the policy wants public is not found: names in fields without a mask of
// types that do not list private persons, office numbers and addresses.
func (c Content) Privacy(t *NoticeType, files map[string]FileScan) []Finding {
	g := gate{personal: t.Personal}
	g.content(c.Masked(t), t, files)
	return g.findings()
}

// content looks at a masked notice.
func (g *gate) content(c Content, t *NoticeType, files map[string]FileScan) {
	g.text("title", "标题", c.Title)
	g.text("summary", "摘要", c.Summary)
	g.text("source.name", "信息来源", c.Source.Name)
	g.link("source.url", "信息来源网址", c.Source.URL)
	if c.Project != nil {
		g.text("project.code", "项目编号", c.Project.Code)
		g.text("project.name", "项目名称", c.Project.Name)
	}
	for _, f := range t.Fields {
		g.field(f, "fields."+f.Key, c.Fields[f.Key])
	}
	g.text("body_html", "正文", cellText(c.BodyHTML))
	for i, a := range c.Attachments {
		scan, known := files[a.SHA256]
		g.file(fmt.Sprintf("attachments[%d]", i), a, scan, known)
	}
}

// gate collects what is found in one notice.
type gate struct {
	personal bool // the type lists natural persons
	found    []Finding
	seen     map[string]bool
	more     int

	shown map[string]bool // what is not found again, by sightKey: the public sees it already
	sight map[string]bool // what there is, by sightKey
}

var rowIndex = regexp.MustCompile(`\[\d+\]`)

// sightKey names a piece of personal data in a place. Rows move, so that which
// row it is does not count.
func sightKey(field, what string) string { return rowIndex.ReplaceAllString(field, "[]") + " " + what }

// news reports whether the public does not see the thing in its place already,
// and takes note of it.
func (g *gate) news(field, what string) bool {
	key := sightKey(field, what)
	if g.sight == nil {
		g.sight = map[string]bool{}
	}
	g.sight[key] = true
	return !g.shown[key]
}

func (g *gate) add(field string, l Leak, message, advice string) {
	code := privacyPrefix + string(l.Kind)
	if g.seen == nil {
		g.seen = map[string]bool{}
	}
	key := field + " " + code + strconv.FormatBool(l.Contact)
	if l.Private && !g.personal || g.seen[key] {
		return
	}
	g.seen[key] = true
	if len(g.found) == maxFindings {
		g.more++
		return
	}
	g.found = append(g.found, Finding{Warning: l.Contact, FieldError: FieldError{Field: field, Code: code, Message: message + "；" + advice}})
}

func (g *gate) findings() []Finding {
	if g.more > 0 {
		g.found[maxFindings-1].Message += fmt.Sprintf("（此外还有 %d 处）", g.more)
	}
	return g.found
}

// text looks at one text. The label counts: under “护照号码” a number is one.
func (g *gate) text(field, label, text string) { g.under(label+"：", field, label, text) }

// under looks at a text that stands under a head, which is no part of it.
func (g *gate) under(head, field, label, text string) {
	for _, l := range FindLeaks(head + text) {
		if l.Start >= len(head) {
			g.leak(field, label, l, text[l.Start-len(head):l.End-len(head)])
		}
	}
}

// link looks at an address on the web, whose path is full of numbers.
func (g *gate) link(field, label, url string) {
	for _, l := range FindLeaks(url) {
		if l.Kind == LeakID {
			g.leak(field, label, l, url[l.Start:l.End])
		}
	}
}

// leak takes down what is personal in a text, unless the public sees it already.
func (g *gate) leak(field, label string, l Leak, what string) {
	if !g.news(field, string(l.Kind)+" "+what) {
		return
	}
	advice := adviceBlocked
	if l.Contact {
		advice = adviceContact
	}
	g.add(field, l, fmt.Sprintf("“%s”中有%s", label, l.Kind.Name()), advice)
}

func (g *gate) field(f Field, path string, v any) {
	switch v := v.(type) {
	case string:
		g.value(f, path, v)
	case json.Number:
		g.quantity(f, path, v.String())
	case []any:
		for i, row := range v {
			cells, _ := row.(map[string]any)
			for _, col := range f.Columns {
				at := path + "[" + strconv.Itoa(i) + "]." + col.Key
				if cell := cells[col.Key]; cell != nil {
					g.field(col, at, cell)
				}
			}
		}
	}
}

// quantity looks at a number, which a list whose columns have slipped puts where
// a quantity belongs. Elsewhere eleven digits may well be a quantity.
func (g *gate) quantity(f Field, path, s string) {
	for _, l := range FindLeaks(s) {
		if l.Kind == LeakID || g.personal {
			g.leak(path, f.Label, l, s[l.Start:l.End])
		}
	}
}

// value looks at one typed value. A masked one is what the mask left of it.
func (g *gate) value(f Field, path, s string) {
	switch f.Kind {
	case FieldMoney, FieldDate, FieldDatetime, FieldEnum:
		return
	case FieldUSCC:
		if !ValidUSCC(s) { // natural persons win too, and have no such code
			g.text(path, f.Label, s)
		}
		return
	case FieldPerson:
		if f.Mask == MaskNone && g.personal && LooksLikeName(s) {
			g.leak(path, f.Label, Leak{Kind: LeakName}, s)
		}
	case FieldAddress:
		if f.Mask == MaskNone && g.personal && strings.ContainsAny(narrowDigits(s), "0123456789") && MaskAddress.Apply(s) != s {
			g.leak(path, f.Label, Leak{Kind: LeakAddress}, s)
		}
	case FieldURL:
		g.link(path, f.Label, s)
		return
	case FieldPhone:
		g.under(f.Label+"（联系电话）：", path, f.Label, s)
		return
	case FieldText, FieldLongText:
		if g.personal && headingOf(strings.Map(dropSpace, f.Label)).name && LooksLikeName(s) {
			g.leak(path, f.Label, Leak{Kind: LeakName}, s)
		}
	}
	g.text(path, f.Label, s)
}

func (g *gate) file(field string, a Attachment, scan FileScan, known bool) {
	name := "附件“" + StrikeLeaks(a.Name) + "”"
	g.text(field, "附件名", a.Name)
	if !g.news(field, a.SHA256) {
		return
	}
	for _, l := range scan.Leaks {
		place := name + "的" + l.Where
		if l.Where == "" {
			place = name
		}
		advice := "请在文件中删除或脱敏后重新上传；确需公开的，须由另一人说明理由后放行"
		if l.Contact {
			advice = adviceContact
		}
		g.add(field, Leak{Kind: l.Kind, Contact: l.Contact, Private: l.Private},
			fmt.Sprintf("%s第 %d 行起有 %d 处%s", place, l.Line, l.Count, l.Kind.Name()), advice)
	}
	if !known || !scan.Whole {
		g.found = append(g.found, Finding{Warning: true, FieldError: FieldError{Field: field, Code: CodeUnreadable,
			Message: name + "中有无法提取文字的内容，请核验人打开文件逐页查看，确认没有不应公开的个人信息并写明理由"}})
	}
}

// cellText is the text of markup with its tables kept: cells apart by tabs, rows
// by line breaks. Where links lead counts as text.
func cellText(markup string) string {
	var b strings.Builder
	inRow, inCell := false, false
	z := html.NewTokenizer(strings.NewReader(markup))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return b.String()
		}
		if kind == html.TextToken {
			b.WriteString(strings.Map(flatBreak, string(z.Text())))
			continue
		}
		t := z.Token()
		switch {
		case t.Data == "td" || t.Data == "th":
			if inCell { // ended by its tag, or by the next cell
				b.WriteByte('\t')
			}
			inCell = kind != html.EndTagToken
			inRow = true
			if inCell {
				b.WriteString(strings.Repeat("\t", span(t)-1))
			}
		case t.Data == "tr" || t.Data == "table":
			inRow, inCell = false, false
			b.WriteByte('\n')
		case blockElements[t.Data] && inRow:
			b.WriteByte(' ')
		case blockElements[t.Data]:
			b.WriteByte('\n')
		}
		for _, a := range t.Attr {
			if a.Key == "href" {
				b.WriteString(" " + strings.Map(flatBreak, a.Val) + " ")
			}
		}
	}
}

func flatBreak(r rune) rune {
	if r == '\n' || r == '\t' || r == '\r' {
		return ' '
	}
	return r
}

func span(t html.Token) int {
	for _, a := range t.Attr {
		if n, err := strconv.Atoi(a.Val); a.Key == "colspan" && err == nil {
			return min(max(n, 1), 100)
		}
	}
	return 1
}

// Personal reports whether a finding is the privacy check's, and can be overridden.
func (f Finding) Personal() bool { return strings.HasPrefix(f.Code, privacyPrefix) }

// PrivacyOfChange is the privacy check for what a correction makes of its original: only
// what the original did not show already is found, under "changes.". The same
// number in its place is let be; another person's there is not, nor another file.
func PrivacyOfChange(t *NoticeType, original, changed Content, files map[string]FileScan) []Finding {
	was := gate{personal: t.Personal}
	was.content(original.Masked(t), t, files)
	is := gate{personal: t.Personal, shown: was.sight}
	is.content(changed.Masked(t), t, files)
	found := is.findings()
	for i := range found {
		found[i].Field = "changes." + found[i].Field
	}
	return found
}
