package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// csvFile is a CSV file: commas, or the semicolons or tabs that some settings
// write; UTF-8 with or without a byte-order mark, UTF-16 with one, or GB18030,
// in which Excel and WPS save CSV on a Chinese desktop.
type csvFile struct {
	text  []byte // UTF-8 without a mark
	comma rune
}

func (*csvFile) name() string { return "" }

func (f *csvFile) suspect() bool { return bytes.Count(f.text, []byte("\n")) > MaxRows+headerRows }

func (*csvFile) concealed() ([]secret, error) { return nil, nil }

func openCSV(data []byte) (*csvFile, error) {
	text, err := decodeText(data)
	if err != nil {
		return nil, err
	}
	head, _, _ := bytes.Cut(text, []byte("\n"))
	comma := ','
	for _, other := range []rune{'\t', ';'} {
		if bytes.Count(head, []byte(string(other))) > bytes.Count(head, []byte(string(comma))) {
			comma = other
		}
	}
	return &csvFile{text: text, comma: comma}, nil
}

// decodeText turns a text file into UTF-8 without a byte-order mark.
func decodeText(data []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		data = data[3:]
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		decoded, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(data)
		if err != nil {
			return nil, unreadable("文件的编码无法识别，请另存为 UTF-8 的 CSV")
		}
		data = decoded
	case !utf8.Valid(data):
		decoded, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data)
		if err != nil || bytes.ContainsRune(decoded, utf8.RuneError) {
			return nil, unreadable("文件的编码无法识别，请另存为 UTF-8 的 CSV")
		}
		data = decoded
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, unreadable("文件不是文本，请另存为 .xlsx 或 UTF-8 的 CSV")
	}
	return data, nil
}

// rows implements grid. A record is one row, however many lines it takes; blank
// lines are rows too.
func (f *csvFile) rows(yield func(*line) error) error {
	r := csv.NewReader(bytes.NewReader(f.text))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = f.comma, -1, true
	count, row, textLine, offset := 0, 0, 1, int64(0)
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unreadable("第 %d 行的引号不成对，不是有效的 CSV", textLine)
		}
		first, _ := r.FieldPos(0)
		row += 1 + first - textLine // the blank lines before
		textLine += bytes.Count(f.text[offset:r.InputOffset()], []byte("\n"))
		offset = r.InputOffset()
		l, err := csvLine(row, record)
		if err != nil {
			return err
		}
		if len(l.cells) == 0 {
			continue
		}
		if count++; count > MaxRows+headerRows {
			return tooLarge(fmt.Sprintf("文件超过 %d 行", MaxRows))
		}
		if err := yield(l); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func csvLine(row int, record []string) (*line, error) {
	if len(record) > maxColumns {
		return nil, tooLarge(fmt.Sprintf("第 %d 行有 %d 列以上", row, maxColumns))
	}
	l := &line{n: row}
	size := 0
	for i, text := range record {
		if size += len(text); size > maxRowBytes {
			return nil, tooLarge(fmt.Sprintf("第 %d 行的文字过多", row))
		}
		if len(text) > maxCellBytes {
			return nil, tooLarge(fmt.Sprintf("单元格 %s%d 的文字过多", colName(i), row))
		}
		if strings.TrimSpace(text) != "" {
			l.cells = append(l.cells, cell{col: i, text: text})
		}
	}
	return l, nil
}
