package importer

import (
	"bytes"
	"cmp"
	"compress/flate"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// isCorrupt reports whether compressed data could not be inflated.
func isCorrupt(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.As(err, &corrupt)
}

// sheet is one sheet of a workbook.
type sheet struct {
	book   *workbook
	title  string
	part   string
	merges []area
	merged bool // merges is complete
	last   int  // row that the sheet names as its last, 0 when it names none

	secrets []secret // found so far
}

// errAgain asks to read a sheet from the start again: it has merged cells, which
// are listed only after all the rows.
var errAgain = errors.New("importer: read the sheet again")

func (s *sheet) name() string { return s.title }

// suspect implements grid. What a sheet says of its size is a hint that some
// programs leave out and others leave at A1, so the ends of rows are counted.
func (s *sheet) suspect() bool { return s.last > MaxRows+headerRows || s.crowded() }

// leastRow is the shortest row with a value, in bytes.
const leastRow = len("<row><c><v>1</v></c></row>")

// crowded reports whether the sheet's XML ends more rows than rows allows. It
// costs no more than to inflate them; what it inflates is read again.
func (s *sheet) crowded() bool {
	f := s.book.parts[strings.ToLower(strings.TrimPrefix(s.part, "/"))]
	if f == nil || f.UncompressedSize64 < uint64(leastRow*(MaxRows+headerRows)) {
		return false
	}
	defer func(budget int64) { s.book.budget = budget }(s.book.budget)
	r, err := s.book.part(s.part, maxInflated)
	if err != nil {
		return false // the reading itself says so
	}
	defer func() { _ = r.Close() }()
	end := []byte("</row>") // <row/> holds nothing
	buf, kept, n := make([]byte, scanBuffer), 0, 0
	for err == nil && n <= MaxRows+headerRows {
		var got int
		got, err = r.Read(buf[kept:])
		n += bytes.Count(buf[:kept+got], end)
		got += kept
		kept = copy(buf, buf[max(got-len(end)+1, 0):got])
	}
	return n > MaxRows+headerRows
}

// rows implements grid. The first time, a sheet with merged cells ends in
// errAgain.
func (s *sheet) rows(yield func(*line) error) error {
	r := &sheetReader{sheet: s, yield: yield}
	err := s.book.each(s.part, maxInflated, r.visit)
	if errors.Is(err, errStop) {
		return nil
	}
	if err == nil && !s.merged {
		s.merged, s.merges = true, r.found
		slices.SortFunc(s.merges, func(a, b area) int { return cmp.Compare(a.fromRow, b.fromRow) })
		if len(s.merges) > 0 {
			err = errAgain
		}
	}
	return damaged(err)
}

// errStop ends the reading of a sheet without a fault.
var errStop = errors.New("importer: enough")

// sheetReader makes lines of a sheet's tags.
type sheetReader struct {
	*sheet
	yield   func(*line) error
	row     line
	bytes   int // of text in the row
	count   int // of lines with data
	cell    cell
	kind    string // of the cell: n, s, str, inlineStr, b, e or d
	style   int
	value   []byte
	inValue bool // inside <v>, or <t> of an inline string
	ruby    bool // inside phonetic text
	inCell  bool
	found   []area
	coming  int     // index in merges of the next to begin
	active  []merge // those the row is in
}

func (r *sheetReader) visit(s *scanner, t token) error {
	switch t {
	case tokenText:
		if r.inValue && !r.ruby {
			r.value = append(r.value, s.text...)
			if len(r.value) > maxCellBytes {
				return tooLarge(fmt.Sprintf("单元格 %s%d 的文字过多", colName(r.cell.col), r.row.n))
			}
		}
		return nil
	case tokenStart:
		return r.open(s)
	}
	return r.close(s)
}

func (r *sheetReader) open(s *scanner) error {
	switch string(s.name) {
	case "row":
		n := r.row.n + 1
		if v, ok := s.rawAttr("r"); ok {
			var err error
			if n, err = strconv.Atoi(string(v)); err != nil || n <= r.row.n || n > 1<<21 {
				return errXML
			}
		}
		hidden, _ := s.rawAttr("hidden")
		r.row, r.bytes = line{n: n, cells: r.row.cells[:0], hidden: string(hidden) == "1" || string(hidden) == "true"}, 0
		r.cell.col = -1
	case "c":
		return r.openCell(s)
	case "v":
		r.inValue = r.inCell
	case "t":
		r.inValue = r.inCell && r.kind == "inlineStr"
	case "rPh":
		r.ruby = true
	case "f":
		r.cell.formula = r.inCell
	case "dimension":
		if a, ok := parseArea(s.attr("ref")); ok {
			r.last = a.toRow
		}
	case "mergeCell":
		a, ok := parseArea(s.attr("ref"))
		if !ok {
			return errXML
		}
		if r.found = append(r.found, a); len(r.found) > maxMerges {
			return tooLarge("合并的单元格过多")
		}
	}
	return nil
}

func (r *sheetReader) openCell(s *scanner) error {
	col := r.cell.col + 1
	if v, ok := s.rawAttr("r"); ok {
		c, _, ok := parseRef(string(v))
		if !ok || c < col {
			return errXML
		}
		col = c
	}
	r.cell = cell{col: col}
	r.inCell, r.kind, r.style, r.value = true, "", 0, r.value[:0]
	if s.self {
		return nil
	}
	if v, ok := s.rawAttr("t"); ok {
		r.kind = string(v)
	}
	if v, ok := s.rawAttr("s"); ok {
		r.style, _ = strconv.Atoi(string(v)) // an odd style is no style
	}
	return nil
}

func (r *sheetReader) close(s *scanner) error {
	switch string(s.name) {
	case "v", "t":
		r.inValue = false
	case "rPh":
		r.ruby = false
	case "c":
		r.inCell = false
		if len(r.value) == 0 && !r.cell.formula {
			return nil
		}
		if r.cell.col >= maxColumns {
			return tooLarge(fmt.Sprintf("第 %d 行有 %d 列以上", r.row.n, maxColumns))
		}
		if err := r.finish(); err != nil {
			return err
		}
		if r.bytes += len(r.cell.text); r.bytes > maxRowBytes {
			return tooLarge(fmt.Sprintf("第 %d 行的文字过多", r.row.n))
		}
		if !r.cell.blank() || r.cell.formula {
			r.row.cells = append(r.row.cells, r.cell)
		}
	case "row":
		return r.emit()
	}
	return nil
}

// finish makes the cell's text of what was read by its kind.
func (r *sheetReader) finish() error {
	c := &r.cell
	switch r.kind {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(string(r.value)))
		if len(r.value) == 0 {
			return nil
		}
		text, ok := r.book.strings.at(i)
		if err != nil || !ok {
			return errXML
		}
		c.text = text
	case "inlineStr", "str", "d":
		c.text = string(unescape(r.value, 0))
	case "b":
		c.text = map[string]string{"1": "是", "0": "否"}[string(r.value)]
	case "e":
		c.text, c.failed = string(r.value), true
	default:
		c.text = string(r.value)
		if _, err := strconv.ParseFloat(c.text, 64); err != nil && c.text != "" {
			return errXML
		}
		c.number = c.text != ""
		if r.style > 0 && r.style < len(r.book.formats) {
			f := r.book.formats[r.style]
			c.date, c.percent, c.digits = f.date, f.percent, f.digits
		}
	}
	if strings.ToValidUTF8(c.text, "") != c.text {
		return errXML
	}
	return nil
}

// emit hands the row on, unless nothing stands in it.
func (r *sheetReader) emit() error {
	if len(r.merges) > 0 {
		if err := r.spread(); err != nil {
			return err
		}
	}
	if len(r.row.cells) == 0 {
		return nil
	}
	if r.count++; r.count > MaxRows+headerRows {
		return tooLarge(fmt.Sprintf("工作表“%s”超过 %d 行", r.title, MaxRows))
	}
	return r.yield(&r.row)
}

// spread gives the rows of a merged range the text that its first cell shows,
// and hides what may stand behind it. A row with nothing of its own stays blank.
func (r *sheetReader) spread() error {
	for ; r.coming < len(r.merges) && r.merges[r.coming].fromRow <= r.row.n; r.coming++ {
		r.active = append(r.active, merge{area: r.merges[r.coming]})
	}
	r.active = slices.DeleteFunc(r.active, func(m merge) bool { return m.toRow < r.row.n })
	if len(r.active) > maxColumns { // more than fit side by side
		return errXML
	}
	cells := r.row.cells[:0]
	for _, c := range r.row.cells {
		i := slices.IndexFunc(r.active, func(m merge) bool { return m.holds(c.col, r.row.n) })
		if i >= 0 {
			m := &r.active[i]
			if m.fromRow != r.row.n || m.fromCol != c.col {
				r.conceal(r.row.n, c.col, "合并的单元格", c.text)
				continue
			}
			m.shown = c
			c.merged = m.toRow > m.fromRow
		}
		cells = append(cells, c)
	}
	if len(cells) > 0 {
		for _, m := range r.active {
			if m.fromRow < r.row.n && m.shown.text != "" {
				cells = append(cells, m.shown)
			}
		}
	}
	slices.SortFunc(cells, func(a, b cell) int { return a.col - b.col })
	r.row.cells = cells
	return nil
}

// merge is a merged range with what its first cell shows.
type merge struct {
	area
	shown cell
}
