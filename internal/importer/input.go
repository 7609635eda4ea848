package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gongkai/internal/disclosure"
)

// input is a workbook or CSV file being read as notices of one type.
type input struct {
	catalog  *disclosure.Catalog
	typ      *disclosure.NoticeType
	body     string // id of the body to assume where none is named, or ""
	date1904 bool
	main     *layout
	tables   map[string]*layout             // by the field's key
	rows     map[string]map[string][]subrow // of the tables: by key, then 序号
	report   *report
	bodies   map[string]string // id by normalised name, alias or id
	names    []string          // of bodies, for suggestions
}

// subrow is one row of a table's sheet.
type subrow struct {
	row  int
	json []byte
	bad  []string // columns that could not be read
}

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

// newInput lays a file out. want is the type the sender named, or "". A file
// that is no such list is CodeImportFile; a template of another version is told
// as an issue, and main stays nil.
func newInput(c *disclosure.Catalog, grids []grid, want string, a disclosure.Actor, r *report) (*input, error) {
	in := &input{catalog: c, report: r, tables: map[string]*layout{}, rows: map[string]map[string][]subrow{}}
	if len(a.Bodies) == 1 {
		in.body = a.Bodies[0]
	}
	in.indexBodies()
	heads := make([][]line, len(grids))
	for i, g := range grids {
		var err error
		if heads[i], err = firstLines(g); err != nil {
			return nil, err
		}
	}
	if err := in.chooseType(grids, heads, want); err != nil || in.typ == nil {
		return in, err
	}
	for i, g := range grids {
		in.lay(g, heads[i])
	}
	if in.main == nil && r.counts[disclosure.SeverityError] == 0 {
		return nil, unreadable("没有找到表头：请用“%s”的模板，或让第一行的列名与模板一致", in.typ.Name)
	}
	return in, nil
}

func (in *input) indexBodies() {
	in.bodies = map[string]string{}
	for _, b := range in.catalog.Bodies {
		in.names = append(in.names, b.Name)
		for _, name := range append([]string{b.ID, b.Name}, b.Aliases...) {
			key := bodyKey(name)
			if _, taken := in.bodies[key]; !taken || name == b.Name {
				in.bodies[key], in.bodies[name] = b.ID, b.ID
			}
		}
	}
}

// bodyKey folds a body's name: width, blanks and the names of district and city
// before it do not matter.
func bodyKey(name string) string {
	s := strings.ReplaceAll(disclosure.Normalize(name), " ", "")
	return strings.TrimPrefix(strings.TrimPrefix(s, "盐城市"), "亭湖")
}

// chooseType takes the type of the template, which must be the one asked for.
func (in *input) chooseType(grids []grid, heads [][]line, want string) error {
	for i, lines := range heads {
		m, at, ok := markerIn(lines)
		if !ok || m.table != "" {
			continue
		}
		where := place{grids[i].name(), lines[at].n, 0}
		if m.typ == "" {
			in.report.at(where, "", "", *fault("template.version", "模板标记已损坏", "请重新下载模板，把数据复制过去"))
			return nil
		}
		if want != "" && m.typ != want {
			in.report.at(where, "type", m.typ, *fault("template.type", "这是另一种公告的模板", "请选择对应的公告类型，或改用它的模板"))
			return nil
		}
		want = m.typ
		break
	}
	if want == "" {
		want = in.guessType(grids)
	}
	if want == "" {
		return disclosure.Errorf(disclosure.CodeParam, "文件中没有模板标记，请用 type 指明公告类型").On("type")
	}
	t, err := in.catalog.Type(want)
	if err != nil {
		return disclosure.Errorf(disclosure.CodeParam, "目录中没有公告类型“%s”", disclosure.Quote(want)).On("type")
	}
	in.typ = t
	return nil
}

// guessType knows the type of a sheet that bears its name, when only one does.
func (in *input) guessType(grids []grid) string {
	found := ""
	for _, t := range in.catalog.Types {
		if slices.ContainsFunc(grids, func(g grid) bool { return g.name() == t.Name }) {
			if found != "" {
				return ""
			}
			found = t.Code
		}
	}
	return found
}

// lay finds out what a sheet holds: the notices, the rows of one of their
// tables, or nothing of ours.
func (in *input) lay(g grid, lines []line) {
	m, at, marked := markerIn(lines)
	if marked {
		if fresh := markerOf(in.typ, m.table); m != fresh {
			in.report.at(place{g.name(), lines[at].n, 0}, "", "", *fault("template.version",
				fmt.Sprintf("模板的版本不对：这是第 %s 版，现行的是第 %s 版", m.version, fresh.version), "请重新下载模板，把数据复制过去"))
			return
		}
		cols := append([]column{numberColumn}, columnsOf(in.typ)...)
		if m.table != "" {
			f, ok := in.typ.Field(m.table)
			if !ok {
				return
			}
			in.tables[m.table] = markedLayout(g, lines, m, at, append([]column{numberColumn}, tableColumns(f)...))
			return
		}
		if in.main == nil {
			in.main = markedLayout(g, lines, m, at, cols)
		}
		return
	}
	for _, f := range tables(in.typ) {
		if g.name() != "" && g.name() == tableSheet(in.typ, f) && in.tables[f.Key] == nil {
			if l := labelledLayout(g, lines, append([]column{numberColumn}, tableColumns(f)...)); l != nil {
				in.tables[f.Key] = l
				return
			}
		}
	}
	if in.main == nil && g.name() != helpSheet && g.name() != listSheet {
		cols := append([]column{numberColumn}, columnsOf(in.typ)...)
		for _, f := range tables(in.typ) { // in CSV a table is a column
			cols = append(cols, column{fieldPrefix + f.Key, f, ""})
		}
		in.main = labelledLayout(g, lines, cols)
	}
}

// remarkColumns tells once what every row would suffer from: columns that are
// missing, and columns nobody reads.
func (in *input) remarkColumns(l *layout, cols []column) {
	for _, c := range l.unknown {
		if label(c.text) != "" {
			in.report.at(place{l.grid.name(), l.row, c.col}, "", c.text, *caution("column.unknown", "不认识的列“"+disclosure.Quote(c.text)+"”，这一列不导入",
				"列名应与模板一致"+suggestion(c.text, labels(cols))))
		}
	}
	for _, c := range cols {
		if _, ok := l.find(c.key); !ok && c.field.Required && !(c.key == keyBody && in.body != "") {
			in.report.at(place{l.grid.name(), l.row, -1}, c.key, "", *fault("column.missing", "缺少必填的列“"+c.field.Label+"”", "请补上这一列，或改用模板"))
		}
	}
}

func labels(cols []column) []string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = c.field.Label
	}
	return out
}

// readTables reads the sheets of the tables into JSON, by 序号.
func (in *input) readTables() error {
	size := 0
	for _, f := range tables(in.typ) {
		l := in.tables[f.Key]
		if l == nil {
			continue
		}
		in.remarkColumns(l, tableColumns(f))
		in.rows[f.Key] = map[string][]subrow{}
		err := l.grid.rows(func(row *line) error {
			if row.n <= l.row {
				return nil
			}
			no, sub, ok := in.subrow(l, f, row)
			if size += len(sub.json) + 100; size > maxTableBytes {
				return tooLarge("子表“" + l.grid.name() + "”的内容过多")
			}
			if ok {
				in.rows[f.Key][no] = append(in.rows[f.Key][no], sub)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (in *input) subrow(l *layout, f disclosure.Field, row *line) (no string, sub subrow, ok bool) {
	no = numberOf(l, row)
	if strings.HasPrefix(no, sampleMark) || onlyNumber(l, row) {
		return no, sub, false
	}
	sub.row = row.n
	sub.json = append(sub.json, '{')
	values := map[string]json.RawMessage{}
	for i := range l.headings {
		h := &l.headings[i]
		if h.key == keyNumber {
			continue
		}
		raw, bad := in.read(l, h, row, fieldPrefix+f.Key+"."+h.key)
		if bad {
			sub.bad = append(sub.bad, pathOf(h.key))
		}
		if raw != nil {
			values[h.key] = raw
		}
	}
	for _, c := range f.Columns {
		raw := values[c.Key]
		if c.Kind == disclosure.FieldPeriod {
			raw = ends(values[c.Key+fromSuffix], values[c.Key+toSuffix])
		}
		if raw != nil {
			if len(sub.json) > 1 {
				sub.json = append(sub.json, ',')
			}
			sub.json = append(append(append(append(append(sub.json, '"'), c.Key...), '"'), ':'), raw...)
		}
	}
	sub.json = append(sub.json, '}')
	return no, sub, true
}

// ends joins the two ends of a period; one alone is told by the draft's reading.
func ends(from, to json.RawMessage) json.RawMessage {
	if from == nil && to == nil {
		return nil
	}
	return periodJSON(unquote(from), unquote(to))
}

func unquote(raw json.RawMessage) string {
	if n := len(raw); n >= 2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : n-1])
	}
	var s string
	_ = json.Unmarshal(raw, &s) // "" when it is none
	return s
}

func numberOf(l *layout, row *line) string {
	h, ok := l.find(keyNumber)
	if !ok {
		return ""
	}
	c := row.at(h.col)
	if c.number {
		if s, ok := spelled(c.text); ok {
			return s
		}
	}
	return strings.TrimSpace(fold(c.text))
}

// onlyNumber reports whether nothing but 序号, or cells of no column of ours,
// stand in a row.
func onlyNumber(l *layout, row *line) bool {
	for _, h := range l.headings {
		if h.key != keyNumber && !row.at(h.col).blank() {
			return false
		}
	}
	return true
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
	if err == nil {
		in.strays(numbers, notices)
	}
	return err
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

// joinTables adds the rows of the tables that belong to the notice.
func (in *input) joinTables(e *entry) {
	for key := range in.rows {
		rows := in.rowsOf(key, e)
		if len(rows) == 0 {
			continue
		}
		if len(rows) > disclosure.MaxTableRows {
			path := fieldPrefix + key
			in.report.at(place{in.tables[key].grid.name(), rows[disclosure.MaxTableRows].row, -1}, path, "", *fault("table.too_long",
				fmt.Sprintf("一份公告有 %d 行，最多 %d 行", len(rows), disclosure.MaxTableRows), "请分成几份公告，或改用附件"))
			e.bad, e.unread[path] = true, true
			continue
		}
		size := 2
		for _, r := range rows {
			size += len(r.json) + 1
		}
		raw := append(make([]byte, 0, size), '[')
		for i, r := range rows {
			if i > 0 {
				raw = append(raw, ',')
			}
			raw = append(raw, r.json...)
			for _, column := range r.bad {
				e.bad, e.unread[fmt.Sprintf("%s%s[%d].%s", fieldPrefix, key, i, column)] = true, true
			}
		}
		e.draft.Fields[key] = append(raw, ']')
	}
}

// rowsOf returns the rows of a table that belong to the notice. Rows without a
// number belong to the first, which then must be the only one; see strays.
func (in *input) rowsOf(key string, e *entry) []subrow {
	if e.no == "" && !e.first {
		return nil
	}
	rows := in.rows[key][e.no]
	if e.first && e.no != "" {
		rows = append(slices.Clip(rows), in.rows[key][""]...)
	}
	return rows
}

// strays tells rows of tables that belong to no notice, or to which of several
// is not said.
func (in *input) strays(numbers map[string]int, notices int) {
	for _, f := range tables(in.typ) {
		for _, no := range slices.Sorted(maps.Keys(in.rows[f.Key])) {
			rows := in.rows[f.Key][no]
			at := place{in.tables[f.Key].grid.name(), rows[0].row, 0}
			switch {
			case no == "" && notices > 1:
				in.report.at(at, fieldPrefix+f.Key, "", *fault("row.stray", fmt.Sprintf("这 %d 行没有写序号，不知道属于哪份公告", len(rows)), "请填写公告在主表中的序号"))
			case no != "" && numbers[no] == 0:
				in.report.at(at, fieldPrefix+f.Key, no, *fault("row.stray", "主表中没有序号为“"+disclosure.Quote(no)+"”的公告", "请核对序号"))
			case no != "" && numbers[no] > 1:
				in.report.at(at, fieldPrefix+f.Key, no, *fault("row.stray", "主表中有几份公告的序号都是“"+disclosure.Quote(no)+"”", "请给每份公告不同的序号"))
			}
		}
	}
}

var rowPath = regexp.MustCompile(`^fields\.([a-z0-9_]+)\[(\d+)\](?:\.(.+))?$`)

// placeOf finds the cell that a path of a draft is about.
func (in *input) placeOf(e *entry, path string) place {
	if m := rowPath.FindStringSubmatch(path); m != nil {
		i, _ := strconv.Atoi(m[2]) // digits
		if rows := in.rowsOf(m[1], e); i < len(rows) {
			p := place{in.tables[m[1]].grid.name(), rows[i].row, -1}
			if h, ok := in.tables[m[1]].findPath(m[3]); ok {
				p.col = h.col
			}
			return p
		}
		path = fieldPrefix + m[1]
	}
	p := place{in.main.grid.name(), e.row, -1}
	for at := path; at != ""; at = parent(at) {
		if h, ok := in.main.findPath(at); ok {
			p.col = h.col
			break
		}
	}
	return p
}

// findPath finds the heading of a path, or the first of a period's two.
func (l *layout) findPath(path string) (heading, bool) {
	if h, ok := l.find(path); ok {
		return h, true
	}
	return l.find(path + fromSuffix)
}

// parent cuts the last step off a path: "items[2]" is about "items", "project"
// about the code.
func parent(path string) string {
	if i := strings.LastIndexByte(path, '['); i > 0 {
		return path[:i]
	}
	switch path {
	case "project", "source":
		return path + map[string]string{"project": ".code", "source": ".name"}[path]
	}
	return ""
}

// faults adds what is wrong with a draft as a whole; it tells whether err was
// of that kind.
func (in *input) faults(e *entry, err error) error {
	expected := new(disclosure.Error)
	if !errors.As(err, &expected) || expected.Code == disclosure.CodeUnavailable {
		return err
	}
	e.bad = true
	if len(expected.Fields) == 0 {
		e.tell(place{in.main.grid.name(), e.row, -1}, "", "", *fault(string(expected.Code), expected.Detail, ""))
	}
	for _, f := range expected.Fields {
		in.finding(e, disclosure.Finding{FieldError: f})
	}
	return nil
}

func (in *input) finding(e *entry, f disclosure.Finding) {
	if f.Field == keyBody && e.draft.Body == "" {
		f.FieldError = disclosure.FieldError{Field: keyBody, Code: "field.required", Message: "请填写公开主体"}
	}
	if e.unread[f.Field] || in.missing(f) {
		return
	}
	severity := disclosure.SeverityError
	if f.Warning {
		severity = disclosure.SeverityWarning
	} else {
		e.bad = true
	}
	p := in.placeOf(e, f.Field)
	value := ""
	if p.col >= 0 && p.row == e.row && p.sheet == in.main.grid.name() {
		value = e.cells.at(p.col).text
	}
	i := disclosure.ImportIssue{Severity: severity, Sheet: p.sheet, Row: p.row, Field: f.Field, Code: f.Code, Value: value, Message: f.Message, Rule: f.Rule}
	if p.col >= 0 {
		i.Col = colName(p.col)
	}
	e.issues = append(e.issues, i)
}

// missing reports whether a required value is missing because its whole column
// is, which is told once.
func (in *input) missing(f disclosure.Finding) bool {
	if f.Code != "field.required" {
		return false
	}
	_, ok := in.main.findPath(f.Field)
	if def, isField := in.typ.Field(strings.TrimPrefix(f.Field, fieldPrefix)); isField && def.Kind == disclosure.FieldTable {
		return false
	}
	required := slices.ContainsFunc(columnsOf(in.typ), func(c column) bool { return pathOf(c.key) == f.Field && c.field.Required })
	return !ok && required
}
