package web

import (
	"fmt"

	"gongkai/internal/disclosure"
)

// TableRows is how many rows of a table one page shows.
const TableRows = 200

// FieldRow is one field as a line of the table that people read, or a table of
// its own.
type FieldRow struct {
	Label, Text string
	Money       bool
	URL         string // where Text leads, "" for plain text
	Table       *Table
}

// Table is a field of many rows.
type Table struct {
	Head      []string
	Rows      [][]string
	From, To  int // the rows shown, from 1
	Total     int
	Previous  int // page before this one, 0 for none
	Following int // page after this one, 0 for none
}

// shown says which rows these are.
func (t *Table) shown() string {
	if t.Total > t.To || t.From > 1 {
		return fmt.Sprintf("共 %d 行，本页第 %d–%d 行", t.Total, t.From, t.To)
	}
	return fmt.Sprintf("共 %d 行", t.Total)
}

// left is how many rows the following page shows.
func (t *Table) left() int { return min(t.Total-t.To, TableRows) }

// FieldRows lists what the notice states, in the order of its type. A type the
// catalogue has lost leaves the text alone.
func (n Notice) FieldRows() []FieldRow {
	var rows []FieldRow
	for _, f := range n.typ().Fields {
		v, ok := n.Fields[f.Key]
		if !ok || v == nil {
			continue
		}
		row := FieldRow{Label: f.Label, Money: f.Kind == disclosure.FieldMoney}
		if list, ok := v.([]any); ok && f.Kind == disclosure.FieldTable {
			row.Table = tableOf(f, list, n.TablePage)
		} else if row.Text = f.Display(v); f.Kind == disclosure.FieldURL {
			row.URL = row.Text
		}
		if row.Text != "" || row.Table != nil {
			rows = append(rows, row)
		}
	}
	return rows
}

// tableOf shows one page of a table, without the columns that no row fills.
func tableOf(f disclosure.Field, list []any, page int) *Table {
	if len(list) == 0 {
		return nil
	}
	cells := make([]map[string]any, len(list))
	for i, row := range list {
		cells[i], _ = row.(map[string]any)
	}
	columns := filled(f.Columns, cells)
	from := (max(page, 1) - 1) * TableRows
	if from >= len(list) {
		from, page = 0, 1
	}
	to := min(from+TableRows, len(list))
	t := &Table{From: from + 1, To: to, Total: len(list)}
	if page > 1 {
		t.Previous = page - 1
	}
	if to < len(list) {
		t.Following = max(page, 1) + 1
	}
	for _, c := range columns {
		t.Head = append(t.Head, c.Label)
	}
	for _, row := range cells[from:to] {
		line := make([]string, len(columns))
		for i, c := range columns {
			line[i] = c.Display(row[c.Key])
		}
		t.Rows = append(t.Rows, line)
	}
	return t
}

func filled(columns []disclosure.Field, rows []map[string]any) []disclosure.Field {
	var out []disclosure.Field
	for _, c := range columns {
		for _, row := range rows {
			if c.Display(row[c.Key]) != "" {
				out = append(out, c)
				break
			}
		}
	}
	return out
}
