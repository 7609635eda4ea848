package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gongkai/internal/disclosure"
)

// subrow is one row of a table's sheet.
type subrow struct {
	row  int
	json []byte
	bad  []string // columns that could not be read
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
				l.see(row)
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
