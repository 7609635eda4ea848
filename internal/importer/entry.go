package importer

import (
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"

	"gongkai/internal/disclosure"
)

// entry is one notice as read: its draft, where each value stands, and whether a
// cell of it could not be read.
type entry struct {
	row      int
	draft    disclosure.Draft
	sourceID string
	no       string // 序号
	first    bool   // of the file
	bad      bool
	unread   map[string]bool // paths that have an issue already
	cells    *line
	size     int // bytes of text, about
	warned   bool

	// What became of it:
	issues      []disclosure.ImportIssue
	title       string
	key, digest string // "" when it could not be tried
}

// tell adds an issue to the entry.
func (e *entry) tell(p place, field, value string, m remark) {
	i := disclosure.ImportIssue{Severity: m.severity, Sheet: p.sheet, Row: p.row, Field: field, Code: m.code, Value: value,
		Message: m.message, Hint: m.hint}
	if p.col >= 0 {
		i.Col = colName(p.col)
	}
	e.issues = append(e.issues, i)
}

// read turns the cell of a heading into JSON and tells what there is to tell.
func (in *input) read(l *layout, h *heading, row *line, path string) (raw json.RawMessage, bad bool) {
	c := row.at(h.col)
	at := place{l.grid.name(), row.n, h.col}
	switch {
	case c.failed:
		in.report.at(at, path, c.text, *fault("cell.error", "“"+h.field.Label+"”的公式出错", "请改正公式，或直接填写结果"))
		return nil, true
	case c.formula && c.blank():
		in.report.at(at, path, "", *fault("cell.formula", "“"+h.field.Label+"”是没有算出结果的公式", "请复制后“选择性粘贴—数值”，再保存"))
		return nil, true
	case c.formula:
		in.report.at(at, path, c.text, *caution("cell.formula", "“"+h.field.Label+"”是公式，按保存时的结果导入", "请核对；需要固定时请粘贴为数值"))
	case c.merged:
		in.report.at(at, path, c.text, *caution("cell.merged", "“"+h.field.Label+"”是合并的单元格，其中每一行都按这个值导入", "请核对；不是每行都相同的，请取消合并后逐行填写"))
	}
	raw, m := in.value(h.field, c, h.scale)
	if m != nil {
		in.report.at(at, path, c.text, *m)
		bad = m.severity == disclosure.SeverityError
	}
	return raw, bad
}

// each reads the notices one by one. The entry holds until the next.
func (in *input) each(yield func(*entry) error) error {
	numbers, notices := map[string]int{}, 0
	err := in.main.grid.rows(func(row *line) error {
		if row.n <= in.main.row {
			return nil
		}
		no := numberOf(in.main, row)
		if strings.HasPrefix(no, sampleMark) || onlyNumber(in.main, row) {
			return nil
		}
		in.main.see(row)
		e := &entry{row: row.n, no: no, first: notices == 0, cells: row, unread: map[string]bool{}}
		notices++
		numbers[no]++
		warnings := in.report.counts[disclosure.SeverityWarning]
		in.fill(e, row)
		for _, raw := range e.draft.Fields {
			e.size += len(raw)
		}
		e.size += len(e.draft.BodyHTML)
		e.warned = in.report.counts[disclosure.SeverityWarning] > warnings
		return yield(e)
	})
	if err != nil {
		return err
	}
	in.strays(numbers, notices)
	return in.warnOfHidden()
}

// fill makes the draft of a row.
func (in *input) fill(e *entry, row *line) {
	d := &e.draft
	d.Type, d.Fields = in.typ.Code, make(map[string]json.RawMessage, len(in.main.headings))
	d.Source, d.Body = &disclosure.DraftSource{}, in.body
	for i := range in.main.headings {
		h := &in.main.headings[i]
		if h.key == keyNumber {
			continue
		}
		raw, bad := in.read(in.main, h, row, h.key)
		if bad {
			e.bad = true
			e.unread[pathOf(h.key)] = true
			continue
		}
		if raw == nil {
			continue
		}
		if key, ok := strings.CutPrefix(h.key, fieldPrefix); ok {
			d.Fields[key] = raw
			continue
		}
		in.member(e, *h, raw)
	}
	in.joinPeriods(e)
	in.joinTables(e)
}

// pathOf is where a draft tells faults of a column: of a period as a whole.
func pathOf(key string) string {
	return strings.TrimSuffix(strings.TrimSuffix(key, fromSuffix), toSuffix)
}

// member sets what is no field of the type.
func (in *input) member(e *entry, h heading, raw json.RawMessage) {
	d, text := &e.draft, unquote(raw)
	switch h.key {
	case "title":
		d.Title = text
	case keyBody:
		in.setBody(e, h, text)
	case "source.name":
		d.Source.Name = text
	case "source.url":
		d.Source.URL = &text
	case "source.first_published_at":
		d.Source.FirstPublishedAt = &text
	case keySourceID:
		e.sourceID = text
	case "project.code", "project.name":
		if d.Project == nil {
			d.Project = &disclosure.Project{}
		}
		if h.key == "project.code" {
			d.Project.Code = text
		} else {
			d.Project.Name = text
		}
	case "region":
		d.Region = &text
	case "formed_at":
		d.FormedAt = &text
	case "decided_at":
		d.DecidedAt = &text
	case "summary":
		d.Summary = &text
	case keyHTML:
		d.BodyHTML = bodyHTML(text)
	case keyItems:
		d.Items = list(strings.ToUpper(fold(text)))
	case keyFiles:
		for _, id := range list(text) {
			d.Attachments = append(d.Attachments, disclosure.AttachmentRef{ID: id})
		}
	case keyFollows:
		for _, code := range list(fold(text)) {
			d.Relations = append(d.Relations, disclosure.Relation{Type: disclosure.RelationFollows, ID: code})
		}
	}
}

func (in *input) setBody(e *entry, h heading, text string) {
	id, ok := in.bodies[text]
	if !ok {
		id, ok = in.bodies[bodyKey(text)]
	}
	if ok {
		e.draft.Body = id
		return
	}
	hint := "请从模板的下拉列表中选择"
	if near := nearest(text, in.names, 3); len(near) > 0 {
		hint = "最接近的是：" + strings.Join(near, "、")
	}
	in.report.at(place{in.main.grid.name(), e.row, h.col}, keyBody, text,
		*fault("body.unknown", "目录中没有公开主体“"+disclosure.Quote(text)+"”", hint))
	e.bad, e.unread[keyBody] = true, true
}

var htmlText = regexp.MustCompile(`(?s)^<[A-Za-z!].*>$`)

// bodyHTML makes paragraphs of plain text; what is HTML already stays.
func bodyHTML(text string) string {
	text = strings.TrimSpace(text)
	if htmlText.MatchString(text) {
		return text
	}
	var b strings.Builder
	for p := range strings.SplitSeq(text, "\n") {
		if p = strings.TrimSpace(p); p != "" {
			b.WriteString("<p>" + html.EscapeString(p) + "</p>")
		}
	}
	return b.String()
}

var listSplit = regexp.MustCompile(`[、，,；;\s]+`)

func list(text string) []string {
	return slices.DeleteFunc(listSplit.Split(text, -1), func(s string) bool { return s == "" })
}

// joinPeriods makes one value of the two columns of each period.
func (in *input) joinPeriods(e *entry) {
	for _, f := range in.typ.Fields {
		if f.Kind != disclosure.FieldPeriod {
			continue
		}
		from, to := e.draft.Fields[f.Key+fromSuffix], e.draft.Fields[f.Key+toSuffix]
		delete(e.draft.Fields, f.Key+fromSuffix)
		delete(e.draft.Fields, f.Key+toSuffix)
		path := fieldPrefix + f.Key
		switch {
		case from == nil && to == nil || e.unread[path]:
		case from == nil || to == nil:
			in.report.at(in.placeOf(e, path), path, "", *fault("period.half", "“"+f.Label+"”的开始和结束只填了一个", "请两列都填，或都不填"))
			e.bad, e.unread[path] = true, true
		default:
			e.draft.Fields[f.Key] = ends(from, to)
		}
	}
}
