package importer

import (
	"errors"
	"slices"
	"strings"
)

// cell is what stands in one cell of a sheet, or in one field of a CSV line.
type cell struct {
	col     int    // from 0
	text    string // as typed or, of numbers, as stored
	number  bool   // text is a number, perhaps a date's serial
	date    bool   // the number is formatted as a date or time
	percent bool   // the number is formatted as a percentage
	digits  int    // that the number is shown with at least, zeros before it
	formula bool   // the text is what a formula came to
	failed  bool   // the formula came to an error such as #REF!
	merged  bool   // the text stands in the first cell of a merged range
}

func (c cell) blank() bool { return strings.TrimSpace(c.text) == "" }

// line is one row of a sheet with its cells that are not blank.
type line struct {
	n      int    // as the spreadsheet counts, from 1
	cells  []cell // by column
	hidden bool   // by hand or by a filter
}

// at returns the cell in a column; a blank one when there is none.
func (l *line) at(col int) cell {
	i, ok := slices.BinarySearchFunc(l.cells, col, func(c cell, col int) int { return c.col - col })
	if !ok {
		return cell{col: col}
	}
	return l.cells[i]
}

// grid is a sheet that can be read from the start, row by row.
type grid interface {
	// rows calls yield for every row that is not blank, in order, until it
	// returns an error. The line is used again for the next row.
	rows(yield func(*line) error) error
	// name is the sheet's, "" in CSV.
	name() string
	// suspect reports whether there may be more rows than rows allows.
	suspect() bool
	// concealed returns the numbers of persons that rows passed over unseen.
	concealed() ([]secret, error)
}

// checkSize reads a grid that may be too long to its end, or as far as is
// allowed, before anything is made of its rows.
func checkSize(g grid) error {
	if !g.suspect() {
		return nil
	}
	err := g.rows(func(*line) error { return nil })
	if errors.Is(err, errAgain) {
		return nil
	}
	return err
}

// area is a range of cells, its ends included; columns from 0, rows from 1.
type area struct{ fromCol, fromRow, toCol, toRow int }

func (a area) holds(col, row int) bool {
	return col >= a.fromCol && col <= a.toCol && row >= a.fromRow && row <= a.toRow
}

// parseRef reads "AB12" into column 27 and row 12.
func parseRef(s string) (col, row int, ok bool) {
	i := 0
	for ; i < len(s) && i < 4 && s[i] >= 'A' && s[i] <= 'Z'; i++ {
		col = col*26 + int(s[i]-'A') + 1
	}
	if i == 0 || i == len(s) || len(s)-i > 8 {
		return 0, 0, false
	}
	for ; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, 0, false
		}
		row = row*10 + int(s[i]-'0')
	}
	return col - 1, row, row > 0
}

func parseArea(s string) (area, bool) {
	from, to, both := strings.Cut(strings.ReplaceAll(s, "$", ""), ":")
	var a area
	var ok, ok2 bool
	a.fromCol, a.fromRow, ok = parseRef(from)
	if !both {
		a.toCol, a.toRow = a.fromCol, a.fromRow
		return a, ok
	}
	a.toCol, a.toRow, ok2 = parseRef(to)
	return a, ok && ok2 && a.fromCol <= a.toCol && a.fromRow <= a.toRow
}

// colName writes a column as spreadsheets name it: 0 is A, 27 is AB.
func colName(col int) string {
	name := ""
	for col++; col > 0; col = (col - 1) / 26 {
		name = string(rune('A'+(col-1)%26)) + name
	}
	return name
}
