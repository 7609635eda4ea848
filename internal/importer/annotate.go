package importer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"

	"gongkai/internal/disclosure"
)

const (
	resultSheet   = "检查结果"
	commentAuthor = "公开平台检查"

	// Past these a workbook is not marked but listed: taking it apart and
	// together again would need several times its size in memory.
	maxMarkedBytes = 24 << 20 // inflated
	maxMarkedCells = 2_000
)

// colours of the marks, by severity.
var markColours = map[disclosure.Severity]string{
	disclosure.SeverityError: "FFC7CE", disclosure.SeverityWarning: "FFEB9C", disclosure.SeverityNote: "DDEBF7",
}

// annotate returns the sender's own workbook with coloured cells, a comment on
// each, and a sheet that lists every issue. Of a CSV file it makes a workbook
// first, as it does of one that cannot be marked as it is; of JSON Lines, and of
// what is too large to mark, only the list is made.
func annotate(i disclosure.Import, data []byte) ([]byte, error) {
	f, main, err := openToMark(i, data)
	if err != nil {
		return nil, err
	}
	out, err := marked(i, f, main)
	if err == nil || i.Format != formatXLSX {
		return out, err
	}
	if f, main, err = copyToMark(data); err == nil {
		out, err = marked(i, f, main)
	}
	if err != nil {
		out, err = marked(i, excelize.NewFile(), "")
	}
	return out, err
}

// marked puts the issues into a workbook and closes it.
func marked(i disclosure.Import, f *excelize.File, main string) (out []byte, err error) {
	defer func() {
		_ = f.Close()                 // memory only
		if p := recover(); p != nil { // excelize trusts workbooks to have what Excel writes, such as styles
			err = fmt.Errorf("importer: annotate %s: %v", i.ID, p)
		}
	}()
	m := &annotator{file: f, styles: map[string]int{}, own: map[string]map[string]string{}}
	if main != "" {
		m.clean()
		m.mark(i.Issues, main)
	}
	m.list(i)
	if m.err != nil {
		return nil, fmt.Errorf("importer: annotate %s: %w", i.ID, m.err)
	}
	var b bytes.Buffer
	err = f.Write(&b)
	return b.Bytes(), err
}

// openToMark opens the workbook to mark; main is the sheet that issues without
// one are on, "" when nothing can be marked.
func openToMark(i disclosure.Import, data []byte) (f *excelize.File, main string, err error) {
	switch i.Format {
	case formatXLSX:
		w, err := openWorkbook(data)
		if err != nil {
			return nil, "", err
		}
		size := uint64(0)
		for _, p := range w.parts {
			size += p.UncompressedSize64
		}
		if size > maxMarkedBytes {
			break
		}
		f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{UnzipSizeLimit: maxMarkedBytes, UnzipXMLSizeLimit: maxMarkedBytes})
		if err != nil {
			return nil, "", unreadable("文件无法加批注，请按检查结果逐条修改")
		}
		return f, w.sheets[0].title, nil
	case formatCSV:
		if len(data) > maxMarkedBytes/8 {
			break
		}
		f, err := workbookOfCSV(data)
		return f, "数据", err
	}
	return excelize.NewFile(), "", nil
}

// workbookOfCSV makes a workbook of a CSV file.
func workbookOfCSV(data []byte) (*excelize.File, error) {
	c, err := openCSV(data)
	if err != nil {
		return nil, err
	}
	f := excelize.NewFile()
	if err := f.SetSheetName("Sheet1", "数据"); err != nil {
		return nil, err
	}
	return f, copyLines(f, "数据", c)
}

// copyToMark makes a workbook of what another shows, sheet by sheet.
func copyToMark(data []byte) (*excelize.File, string, error) {
	w, err := openWorkbook(data)
	if err != nil {
		return nil, "", err
	}
	f := excelize.NewFile()
	for i, s := range w.sheets {
		if i == 0 {
			err = f.SetSheetName("Sheet1", s.title)
		} else {
			_, err = f.NewSheet(s.title)
		}
		if err == nil {
			err = copyLines(f, s.title, s)
		}
		if err != nil {
			return nil, "", err
		}
	}
	return f, w.sheets[0].title, nil
}

// copyLines copies the lines of a sheet as text: nothing becomes a formula.
func copyLines(f *excelize.File, to string, from grid) error {
	line := func(l *line) error {
		for _, x := range l.cells {
			if err := f.SetCellStr(to, fmt.Sprint(colName(x.col), l.n), x.text); err != nil {
				return err
			}
		}
		return nil
	}
	err := errAgain
	for errors.Is(err, errAgain) {
		err = from.rows(line)
	}
	return err
}

// annotator collects the first error of many small steps.
type annotator struct {
	file   *excelize.File
	styles map[string]int
	own    map[string]map[string]string // comments of the sender, by sheet and cell
	err    error
}

func (m *annotator) do(err error) {
	if m.err == nil {
		m.err = err
	}
}

// clean takes the marks of an earlier check away, so that what was put right is
// not red any more.
func (m *annotator) clean() {
	for _, sheet := range m.file.GetSheetList() {
		if sheet == resultSheet {
			m.do(m.file.DeleteSheet(sheet))
			continue
		}
		comments, err := m.file.GetComments(sheet)
		m.do(err)
		for _, c := range comments {
			text, ours := strings.CutPrefix(c.Text, commentAuthor+":\n")
			if c.Author != commentAuthor && !ours {
				m.keep(sheet, c.Cell, c.Text)
				continue
			}
			m.do(m.file.DeleteComment(sheet, c.Cell))
			m.paint(sheet, c.Cell, "")
			if _, own, ok := strings.Cut(text, "\n原批注："); ok {
				m.keep(sheet, c.Cell, own)
				m.do(m.file.AddComment(sheet, excelize.Comment{Cell: c.Cell, Text: own}))
			}
		}
	}
}

// keep remembers a comment of the sender's own.
func (m *annotator) keep(sheet, cell, text string) {
	if m.own[sheet] == nil {
		m.own[sheet] = map[string]string{}
	}
	m.own[sheet][cell] = text
}

// paint gives a cell a background and leaves the rest of its style; no colour
// takes ours away.
func (m *annotator) paint(sheet, cell, colour string) {
	was, err := m.file.GetCellStyle(sheet, cell)
	m.do(err)
	key := fmt.Sprint(was, colour)
	id, known := m.styles[key]
	if !known {
		style, err := m.file.GetStyle(was)
		if err != nil || style == nil {
			style = &excelize.Style{}
		}
		style.Fill = excelize.Fill{}
		if colour != "" {
			style.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{colour}}
		}
		id, err = m.file.NewStyle(style)
		m.do(err)
		m.styles[key] = id
	}
	m.do(m.file.SetCellStyle(sheet, cell, cell, id))
}

// mark colours the cells and puts a comment on each. What is about a whole row
// is put on its first cell.
func (m *annotator) mark(issues []disclosure.ImportIssue, main string) {
	type spot struct{ sheet, cell string }
	var order []spot
	texts, worst := map[spot][]string{}, map[spot]disclosure.Severity{}
	rank := []disclosure.Severity{disclosure.SeverityNote, disclosure.SeverityWarning, disclosure.SeverityError}
	for _, i := range issues {
		if i.Row == 0 {
			continue
		}
		at := spot{i.Sheet, fmt.Sprint(i.Col, i.Row)}
		if i.Col == "" {
			at.cell = fmt.Sprint("A", i.Row)
		}
		if at.sheet == "" {
			at.sheet = main
		}
		if texts[at] == nil {
			if len(order) == maxMarkedCells {
				continue
			}
			order = append(order, at)
		}
		text := i.Message
		if i.Hint != "" {
			text += "。" + i.Hint
		}
		texts[at] = append(texts[at], text)
		if slices.Index(rank, i.Severity) > slices.Index(rank, worst[at]) {
			worst[at] = i.Severity
		}
	}
	for _, at := range order {
		m.paint(at.sheet, at.cell, markColours[worst[at]])
		text := strings.Join(texts[at], "\n")
		if r := []rune(text); len(r) > 1000 {
			text = string(r[:999]) + "…"
		}
		if own, ok := m.own[at.sheet][at.cell]; ok { // two comments on one cell are a broken file
			m.do(m.file.DeleteComment(at.sheet, at.cell))
			text += "\n原批注：" + own
		}
		m.do(m.file.AddComment(at.sheet, excelize.Comment{Cell: at.cell, Author: commentAuthor, Text: text, Width: 240, Height: 90}))
	}
}

// list writes every issue on a sheet of its own, the first to be seen.
func (m *annotator) list(i disclosure.Import) {
	if slices.Equal(m.file.GetSheetList(), []string{"Sheet1"}) {
		m.do(m.file.SetSheetName("Sheet1", resultSheet))
	} else if _, err := m.file.NewSheet(resultSheet); err != nil {
		m.do(err)
	}
	names := map[disclosure.Severity]string{disclosure.SeverityError: "错误", disclosure.SeverityWarning: "提醒", disclosure.SeverityNote: "说明"}
	row := 1
	write := func(texts ...string) {
		for c, text := range texts {
			m.do(m.file.SetCellStr(resultSheet, fmt.Sprint(colName(c), row), text))
		}
		row++
	}
	write(fmt.Sprintf("共 %d 份公告：%d 处错误，%d 处提醒，%d 处说明", i.Rows.Total, i.IssueCounts[disclosure.SeverityError],
		i.IssueCounts[disclosure.SeverityWarning], i.IssueCounts[disclosure.SeverityNote]))
	write("级别", "位置", "字段", "填写的内容", "问题", "怎么办", "代码")
	for _, x := range i.Issues {
		write(names[x.Severity], x.Cell(), x.Field, x.Value, x.Message, x.Hint, x.Code)
	}
	for col, width := range map[string]float64{"A": 8, "B": 20, "C": 24, "D": 24, "E": 50, "F": 50, "G": 20} {
		m.do(m.file.SetColWidth(resultSheet, col, col, width))
	}
}
