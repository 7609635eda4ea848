package disclosure

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// CodeKind tells the official codes apart (公共资源交易平台系统数据规范).
type CodeKind string

// The kinds of official code; "" is any other text.
const (
	CodeOfProject    CodeKind = "project"    // 项目编号, 17 characters
	CodeOfTender     CodeKind = "tender"     // 招标项目编号, 20
	CodeOfSection    CodeKind = "section"    // 标段（包）编号, 23
	CodeOfInvestment CodeKind = "investment" // 投资项目统一代码, 24 with its dashes
	CodeOfTrade      CodeKind = "trade"      // 统一交易标识码, up to 40
	CodeOfSubject    CodeKind = "uscc"       // 统一社会信用代码, 18
)

// Tinghu is the region code of the district (亭湖区).
const Tinghu = "320902"

// OfficialCode is what a code says by its form. The form is information: codes
// are printed wrongly often enough that none is refused for it.
type OfficialCode struct {
	Kind    CodeKind
	Code    string   // folded: full width, case and blanks do not matter
	Region  string   // 行政区划代码 in it, or ""
	Parents []string // of a section: its tender and project; of a tender: its project
	CheckOK bool     // the check character is right; true where the kind has none
}

var (
	tenderForm     = regexp.MustCompile(`^[A-Z]([0-9]{6})[0-9A-Z]{4}[0-9A-Z]{6}(?:[0-9A-Z]{3}){0,2}$`)
	investmentForm = regexp.MustCompile(`^([0-9]{4})-?([0-9]{6})-?([0-9]{2})-?([0-9]{2})-?([0-9]{6})$`)
	tradeForm      = regexp.MustCompile(`^[A-Z][0-9]{2}-([0-9A-HJ-NPQRTUWXY]{18})-[0-9]{8}-[0-9]{6}-[0-9A-Z*]$`)
)

// ReadCode tells what kind of official code s is.
func ReadCode(s string) OfficialCode {
	out := OfficialCode{Code: ProjectKey(s), CheckOK: true}
	switch code := out.Code; {
	case tenderForm.MatchString(code):
		out.Region = code[1:7]
		out.Kind = map[int]CodeKind{17: CodeOfProject, 20: CodeOfTender, 23: CodeOfSection}[len(code)]
		for n := len(code) - 3; n >= 17; n -= 3 {
			out.Parents = append(out.Parents, code[:n])
		}
	case investmentForm.MatchString(code):
		parts := investmentForm.FindStringSubmatch(code)[1:]
		out.Kind, out.Code, out.Region = CodeOfInvestment, strings.Join(parts, "-"), parts[1]
	case tradeForm.MatchString(code):
		out.Kind, out.CheckOK = CodeOfTrade, validTradeCode(code)
	case usccForm.MatchString(code):
		out.Kind, out.Region, out.CheckOK = CodeOfSubject, code[2:8], ValidUSCC(code)
	}
	return out
}

// validTradeCode checks a code's last character by ISO 7064 MOD 37-2, over all
// characters but the dashes.
func validTradeCode(code string) bool {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*"
	sum := 0
	for _, c := range strings.ReplaceAll(code, "-", "") {
		sum = (sum*2 + strings.IndexRune(alphabet, c)) % 37
	}
	return sum == 1
}

// AliasKey folds a code for finding a project: as ProjectKey, and dashes do not
// matter, as they are not spoken or keyed in.
func AliasKey(code string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-‐‑–—_/", r) {
			return -1
		}
		return r
	}, ProjectKey(code))
}

// ProjectAliases returns the keys by which the notice's project can be asked
// for: its own code and every official code among its fields, with the codes
// that these are parts of. A notice of no project has none.
func (c Content) ProjectAliases(t *NoticeType) []string {
	own := AliasKey(c.ProjectCode())
	if own == "" {
		return nil
	}
	keys := []string{own}
	add := func(text string) {
		code := ReadCode(text)
		if code.Kind == "" || code.Kind == CodeOfSubject {
			return
		}
		keys = append(keys, AliasKey(code.Code))
		for _, parent := range code.Parents {
			keys = append(keys, AliasKey(parent))
		}
	}
	add(c.ProjectCode())
	for _, f := range t.Fields {
		if text, ok := c.Fields[f.Key].(string); ok && f.Kind == FieldCode {
			add(text)
		}
	}
	return sortedSet(keys)
}

// Next returns the deadline of the project that comes next after now, and false
// when none is ahead.
func (p ProjectTimeline) Next(now time.Time) (NoticeDeadline, bool) {
	i := slices.IndexFunc(p.Deadlines, func(d NoticeDeadline) bool { return d.DueAt.After(now) })
	if i < 0 {
		return NoticeDeadline{}, false
	}
	return p.Deadlines[i], true
}

// StatusText says in one Chinese sentence where the project stands now.
func (p ProjectTimeline) StatusText(now time.Time) string {
	last := p.Notices[len(p.Notices)-1]
	name := last.Type
	if t, err := p.Catalog.TypeAt(last.Type, last.TypeVersion); err == nil {
		name = t.Name
	}
	text := fmt.Sprintf("%s已发布%s", last.PublishedAt.Format("2006年1月2日"), name)
	if last.Status == StatusTerminated {
		text = fmt.Sprintf("%s发布的%s已终止", last.PublishedAt.Format("2006年1月2日"), name)
	}
	if next, ok := p.Next(now); ok {
		text += fmt.Sprintf("，下一个期限：%s，%s止", next.Label, next.DueAt.Format("2006年1月2日15:04"))
		if next.Provisional {
			text += "（按尚未公布的放假安排暂定）"
		}
	}
	return text
}
