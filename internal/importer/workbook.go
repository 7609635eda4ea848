package importer

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"gongkai/internal/disclosure"
)

// The limits of a workbook. What goes over them is no list of notices but a
// mistake or an attack, and is refused before it costs memory or time.
const (
	// MaxFileBytes bounds a file as sent.
	MaxFileBytes = 20 << 20
	// MaxRows bounds the rows with data of one sheet or CSV file.
	MaxRows = 50_000

	maxInflated   = 256 << 20 // bytes of one part
	maxReadings   = 400 << 20 // bytes of all that is inflated, however often
	maxStyles     = 8 << 20   // bytes of small parts
	maxStrings    = 32 << 20  // bytes of text of the shared strings
	maxStringRefs = 2_000_000
	maxRowBytes   = 1 << 20  // of text in one row
	maxTableBytes = 20 << 20 // of the rows of all tables together
	maxDirectory  = 1 << 20  // bytes of the archive's table of contents
	maxSheets     = 64
	maxColumns    = 256
	maxCellBytes  = 128 << 10 // Excel's own limit is 32,767 characters
	maxMerges     = 20_000
)

// workbook is an opened .xlsx file. Its parts are read as streams; nothing but
// the shared strings and the styles is held.
type workbook struct {
	parts    map[string]*zip.File
	sheets   []*sheet
	strings  *stringTable
	formats  []numberFormat // by style
	date1904 bool
	budget   int64 // bytes that may still be inflated
}

func unreadable(format string, args ...any) *disclosure.Error {
	return disclosure.Errorf(disclosure.CodeImportFile, format, args...).On("file")
}

func tooLarge(what string) *disclosure.Error {
	return unreadable("%s，超出了导入的限度；请删去多余的内容，或拆成几个文件", what)
}

// openWorkbook reads the table of contents, styles and shared strings. Every
// fault of the file is CodeImportFile.
func openWorkbook(data []byte) (*workbook, error) {
	archive, err := openArchive(data)
	if err != nil {
		return nil, err
	}
	w := &workbook{parts: map[string]*zip.File{}, budget: maxReadings}
	for _, f := range archive.File {
		if err := safeName(f.Name); err != nil {
			return nil, err
		}
		key := strings.ToLower(f.Name)
		if w.parts[key] != nil {
			return nil, unreadable("文件中有两个同名的部分，不是表格软件保存的文件")
		}
		w.parts[key] = f
	}
	for _, read := range []func() error{w.readSheets, w.readStyles, w.readStrings} {
		if err := read(); err != nil {
			return nil, damaged(err)
		}
	}
	return w, nil
}

// damaged turns what goes wrong while reading a file's parts into advice.
func damaged(err error) error {
	if err == nil || errors.As(err, new(*disclosure.Error)) {
		return err
	}
	if errors.Is(err, errXML) || errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, zip.ErrChecksum) ||
		errors.Is(err, io.ErrUnexpectedEOF) || isCorrupt(err) {
		return unreadable("文件已损坏或不是表格软件保存的 .xlsx，请重新另存后上传")
	}
	return err
}

// openArchive checks the table of contents before anything is allocated for it.
func openArchive(data []byte) (*zip.Reader, error) {
	const endSize = 22
	tail := data[max(0, len(data)-endSize-0xffff):]
	end := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if end < 0 || len(tail)-end < endSize {
		return nil, unreadable("文件不完整，请重新另存为 .xlsx 后上传")
	}
	size := int64(binary.LittleEndian.Uint32(tail[end+12:]))
	offset := int64(binary.LittleEndian.Uint32(tail[end+16:]))
	if size > maxDirectory || offset+size != int64(len(data)-len(tail)+end) {
		return nil, unreadable("文件的目录异常，不是表格软件保存的 .xlsx")
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, unreadable("文件已损坏，请重新另存为 .xlsx 后上传")
	}
	return r, nil
}

// safeName refuses names that lead out of a folder. Nothing here is written to
// disk; but a file that tries is not worth reading.
func safeName(name string) error {
	if strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\\x00") || len(name) > 250 ||
		strings.Contains("/"+name+"/", "/../") || strings.Contains(name, ":") {
		return unreadable("文件中含有不安全的路径，不是表格软件保存的 .xlsx")
	}
	return nil
}

// part opens a part for reading, within what may still be inflated.
func (w *workbook) part(name string, limit int64) (io.ReadCloser, error) {
	f := w.parts[strings.ToLower(strings.TrimPrefix(name, "/"))]
	if f == nil {
		return nil, unreadable("文件中缺少 %s，不是完整的 .xlsx", path.Base(name))
	}
	if f.Flags&1 != 0 {
		return nil, unreadable("文件有密码保护，请去掉密码后另存为 .xlsx")
	}
	size := int64(min(f.UncompressedSize64, 1<<40))
	if size > min(limit, w.budget) {
		return nil, tooLarge("文件解压后过大")
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	return &budgeted{r, w}, nil
}

// budgeted counts what is inflated.
type budgeted struct {
	io.ReadCloser
	w *workbook
}

// Read implements io.Reader.
func (b *budgeted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.w.budget -= int64(n); b.w.budget < 0 {
		return 0, tooLarge("文件解压后过大")
	}
	return n, err
}

// each walks the tags and texts of a part until its end or until visit fails.
func (w *workbook) each(part string, limit int64, visit func(s *scanner, t token) error) error {
	r, err := w.part(part, limit)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	s := newScanner(r)
	for {
		t, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = visit(s, t)
		}
		if err != nil {
			return err
		}
	}
}

const workbookPart = "xl/workbook.xml"

func (w *workbook) readSheets() error {
	targets := map[string]string{}
	main := workbookPart
	if w.parts[main] == nil { // some writers name it otherwise; the root relations say how
		err := w.each("_rels/.rels", maxStyles, func(s *scanner, t token) error {
			if t == tokenStart && string(s.name) == "Relationship" && strings.HasSuffix(s.attr("Type"), "/officeDocument") {
				main = strings.TrimPrefix(s.attr("Target"), "/")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	folder := path.Dir(main)
	err := w.each(folder+"/_rels/"+path.Base(main)+".rels", maxStyles, func(s *scanner, t token) error {
		if t == tokenStart && string(s.name) == "Relationship" {
			target := s.attr("Target")
			if !strings.HasPrefix(target, "/") {
				target = folder + "/" + target
			}
			targets[s.attr("Id")] = strings.TrimPrefix(path.Clean(target), "/")
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = w.each(main, maxStyles, func(s *scanner, t token) error {
		if t != tokenStart {
			return nil
		}
		switch string(s.name) {
		case "workbookPr":
			v := s.attr("date1904")
			w.date1904 = v == "1" || v == "true"
		case "sheet":
			if len(w.sheets) == maxSheets {
				return tooLarge(fmt.Sprintf("工作簿有 %d 张以上的工作表", maxSheets))
			}
			w.sheets = append(w.sheets, &sheet{book: w, title: s.attr("name"), part: targets[s.attr("id")]})
		}
		return nil
	})
	if err == nil && len(w.sheets) == 0 {
		err = unreadable("工作簿中没有工作表")
	}
	return err
}

// numberFormat is what a style makes of a number.
type numberFormat struct {
	date, percent bool
	digits        int // that a whole number is shown with at least: 6 for 000000
}

func (w *workbook) readStyles() error {
	name := "xl/styles.xml"
	if w.parts[name] == nil {
		return nil
	}
	custom := map[string]numberFormat{}
	inXfs := false
	return w.each(name, maxStyles, func(s *scanner, t token) error {
		tag := string(s.name)
		switch {
		case tag == "cellXfs":
			inXfs = t == tokenStart
		case t == tokenStart && tag == "numFmt":
			custom[s.attr("numFmtId")] = formatOf(s.attr("formatCode"))
		case t == tokenStart && tag == "xf" && inXfs:
			id := s.attr("numFmtId")
			f, ok := custom[id]
			if !ok {
				f = builtinFormat(id)
			}
			w.formats = append(w.formats, f)
		}
		return nil
	})
}

// builtinFormat knows the formats that have a number and no code: dates, in
// Chinese versions some more of them, and percentages.
func builtinFormat(id string) numberFormat {
	n := 0
	for _, c := range id {
		if c < '0' || c > '9' || n > 1000 {
			return numberFormat{}
		}
		n = n*10 + int(c-'0')
	}
	return numberFormat{
		date:    n >= 14 && n <= 22 || n >= 27 && n <= 36 || n >= 45 && n <= 47 || n >= 50 && n <= 58,
		percent: n == 9 || n == 10,
	}
}

// formatOf reads a format code: quoted text, escapes and [conditions] apart,
// the letters of dates make it one.
func formatOf(code string) numberFormat {
	var f numberFormat
	section, _, _ := strings.Cut(code, ";")
	if len(section) <= 30 && strings.Trim(section, "0") == "" { // longer is a bomb
		f.digits = len(section)
	}
	quoted, bracket := false, false
	for i := 0; i < len(section); i++ {
		switch c := section[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '\\' || c == '_' || c == '*':
			i++
		case c == '[':
			bracket = true
		case c == ']':
			bracket = false
		case bracket:
			// [h], [mm] and [ss] are elapsed times.
			f.date = f.date || strings.IndexByte("hHsS", c) >= 0 && i > 0 && section[i-1] == '['
		case strings.IndexByte("yYmMdDhHsS", c) >= 0:
			f.date = true
		case c == '%':
			f.percent = true
		}
	}
	if strings.EqualFold(section, "general") || strings.HasPrefix(strings.ToLower(section), "general") {
		return numberFormat{}
	}
	f.percent = f.percent && !f.date
	return f
}

// stringTable holds the shared strings of a workbook in blocks, which never move:
// a growing slice would need twice the room.
type stringTable struct {
	blocks [][]byte
	ends   []uint32 // of the strings, counted through all blocks
}

const stringBlock = 1 << 18

func (t *stringTable) size() int {
	if len(t.blocks) == 0 {
		return 0
	}
	return (len(t.blocks)-1)*stringBlock + len(t.blocks[len(t.blocks)-1])
}

func (t *stringTable) add(text []byte) {
	for len(text) > 0 {
		last := len(t.blocks) - 1
		if last < 0 || len(t.blocks[last]) == stringBlock {
			t.blocks, last = append(t.blocks, make([]byte, 0, stringBlock)), last+1
		}
		n := min(len(text), stringBlock-len(t.blocks[last]))
		t.blocks[last] = append(t.blocks[last], text[:n]...)
		text = text[n:]
	}
	t.ends = append(t.ends, uint32(t.size()))
}

func (t *stringTable) at(i int) (string, bool) {
	if t == nil || i < 0 || i >= len(t.ends) {
		return "", false
	}
	from, to := 0, int(t.ends[i])
	if i > 0 {
		from = int(t.ends[i-1])
	}
	if from == to {
		return "", true
	}
	if from/stringBlock == (to-1)/stringBlock {
		return string(t.blocks[from/stringBlock][from%stringBlock : (to-1)%stringBlock+1]), true
	}
	text := make([]byte, 0, to-from)
	for from < to {
		end := min(to, (from/stringBlock+1)*stringBlock)
		text = append(text, t.blocks[from/stringBlock][from%stringBlock:(end-1)%stringBlock+1]...)
		from = end
	}
	return string(text), true
}

func (w *workbook) readStrings() error {
	name := "xl/sharedstrings.xml"
	if w.parts[name] == nil {
		return nil
	}
	t := &stringTable{}
	inText, phonetic := false, false
	var text []byte
	err := w.each(name, maxInflated, func(s *scanner, tok token) error {
		switch {
		case tok == tokenText:
			if inText && !phonetic {
				if text = append(text, s.text...); len(text) > maxCellBytes {
					return tooLarge("单元格的文字过多")
				}
			}
		case len(s.name) == 1 && s.name[0] == 't':
			inText = tok == tokenStart
		case string(s.name) == "rPh":
			phonetic = tok == tokenStart
		case string(s.name) == "si" && tok == tokenEnd:
			t.add(unescape(text, 0))
			text = text[:0]
			if t.size() > maxStrings || len(t.ends) > maxStringRefs {
				return tooLarge("单元格的文字过多")
			}
		}
		return nil
	})
	w.strings = t
	return err
}

// unescape resolves _x000D_, as spreadsheets write characters that XML has no
// place for, from a position on.
func unescape(b []byte, from int) []byte {
	i := bytes.Index(b[from:], []byte("_x"))
	if i < 0 {
		return b
	}
	out := b[:from+i]
	for rest := b[from+i:]; len(rest) > 0; {
		if len(rest) >= 7 && rest[0] == '_' && rest[1] == 'x' && rest[6] == '_' {
			if n, ok := hex4(rest[2:6]); ok {
				if n == '\r' || n == '\n' || n == '\t' || n == '_' || n > ' ' && n < 0x7f {
					out = append(out, byte(n))
				}
				rest = rest[7:]
				continue
			}
		}
		out = append(out, rest[0])
		rest = rest[1:]
	}
	return out
}

func hex4(b []byte) (n int, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return 0, false
		}
	}
	return n, true
}
