package importer

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gongkai/internal/disclosure"
)

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
