package importer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"gongkai/internal/disclosure"
)

// Trial reads a draft as its creation would and tells what its submission would
// find, writing nothing.
type Trial func(context.Context, disclosure.Draft) (disclosure.Content, []disclosure.Finding, error)

// The formats.
const (
	formatXLSX  = "xlsx"
	formatCSV   = "csv"
	formatLines = "jsonl"
)

// fileFormat tells what a file is by its beginning; the name decides between CSV
// and JSON Lines only. Files of the old formats come with advice.
func fileFormat(name string, data []byte) (string, error) {
	ext := strings.ToLower(path.Ext(name))
	switch {
	case len(data) == 0:
		return "", unreadable("文件是空的")
	case len(data) > MaxFileBytes:
		return "", tooLarge(fmt.Sprintf("文件超过 %d MB", MaxFileBytes>>20))
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")) && ext == ".xlsx":
		return "", unreadable("文件有密码保护，或是改了扩展名的 .xls；请去掉密码，另存为 .xlsx 后上传")
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")), ext == ".xls", ext == ".et":
		return "", unreadable("不能读取 .xls 或 .et，请在 Excel 或 WPS 中“另存为”.xlsx 后上传")
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return formatXLSX, nil
	case ext == ".xlsx", ext == ".xlsm":
		return "", unreadable("文件的内容不是 .xlsx，请在 Excel 或 WPS 中另存为 .xlsx 后上传")
	case ext == ".doc", ext == ".docx", ext == ".wps", ext == ".pdf", bytes.HasPrefix(data, []byte("%PDF")):
		return "", unreadable("这不是表格；请下载模板填写后上传")
	}
	if first := bytes.TrimLeft(data, "\ufeff \t\r\n"); len(first) > 0 && first[0] == '{' && ext != ".csv" {
		return formatLines, nil
	}
	return formatCSV, nil
}

// checked is what came of reading a file.
type checked struct {
	*report
	format  string
	typ     string
	entries []disclosure.ImportEntry // of the notices without errors; drafts only if asked for
	places  []int                    // rows of the entries
	sheet   string                   // of the notices
}

// check reads a whole file and tries every notice of it. keep holds on to the
// drafts.
func (s *Service) check(ctx context.Context, a disclosure.Actor, name, want string, data []byte, keep bool) (*checked, error) {
	format, err := fileFormat(name, data)
	if err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	catalog, trial, err := s.drafts.Trial(ctx, a)
	if err != nil {
		return nil, err
	}
	run := &run{trial: trial, keep: keep}
	var again func() error
	if format == formatLines {
		again = func() error { return run.lines(ctx, data) }
	} else {
		grids, date1904, err := openGrids(format, data)
		if err != nil {
			return nil, err
		}
		again = func() error { return run.grids(ctx, catalog, grids, date1904, a, want) }
	}
	for err = errAgain; errors.Is(err, errAgain); err = again() {
		run.reset(format)
	}
	if err == nil {
		err = s.compare(ctx, run.checked)
	}
	return run.checked, err
}

// openGrids lays the sheets of a file open. A workbook is opened once: the second
// reading of a sheet knows its merged cells.
func openGrids(format string, data []byte) ([]grid, bool, error) {
	if format == formatCSV {
		f, err := openCSV(data)
		return []grid{f}, false, err
	}
	w, err := openWorkbook(data)
	if err != nil {
		return nil, false, err
	}
	grids := make([]grid, len(w.sheets))
	for i, sh := range w.sheets {
		grids[i] = sh
	}
	return grids, w.date1904, nil
}
