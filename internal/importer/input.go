package importer

import (
	"fmt"
	"slices"
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
	for _, h := range l.renamed {
		in.report.at(place{l.grid.name(), l.row, h.col}, h.key, "", *mention("column.renamed", "这一列按“"+h.field.Label+"”导入"))
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
