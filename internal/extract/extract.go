// Package extract reads the text out of attachments, so that a check can look for
// what must not become public: PDF, Word, Excel, PowerPoint, OFD, CSV, plain
// text, and ZIP archives of them. It reads what people do not see as well –
// hidden sheets, rows and cells, cells under a merged one, comments, tracked
// deletions, cached copies of other data.
//
// It never writes a file, follows a link or runs anything, and what it unpacks
// is bounded: a file that would exceed the limits is not read to the end, and
// the answer says so.
package extract

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// Limits bound what one file may cost.
type Limits struct {
	Unpacked int64 // bytes unpacked from a file, all parts and levels together
	Entries  int   // parts of an archive, or objects of a PDF
	Depth    int   // archives in archives
	Part     int   // bytes of text handed over at once
}

// maxPiece bounds what is held in memory of one stream, or of one file inside
// another, in bytes.
const maxPiece = 16 << 20

// readPiece reads all of r, or nothing of what is too large to hold.
func readPiece(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPiece+1))
	if len(data) > maxPiece {
		return nil, errLimit
	}
	return data, err
}

// Reader reads files. It keeps nothing between them and is safe for concurrent
// use. The zero value has the usual limits.
type Reader struct{ Limits Limits }

var usual = Limits{Unpacked: 40 << 20, Entries: 5000, Depth: 2, Part: 8 << 20}

// errLimit ends the reading of a file that is too large to be read, and
// errStopped one whose reader has had enough. Neither leaves the package.
var (
	errLimit   = errors.New("extract: over the limit")
	errStopped = errors.New("extract: stopped")
)

// job is the reading of one uploaded file.
type job struct {
	ctx    context.Context
	limits Limits
	left   int64 // bytes that may still be unpacked
	yield  func(where, text string) bool
	whole  bool
	prefix string // where the part is inside an archive
}

// Text calls yield with each part of the file and where it is – “第 3 页”,
// “工作表“名单”” – until yield returns false. The lines of a sheet are its rows,
// blank ones included, and tabs part their cells. whole is false when something
// was left unread: pictures without text, encryption, damage, an unknown format,
// the limits. The only error is ctx's.
func (r *Reader) Text(ctx context.Context, media string, data []byte, yield func(where, text string) bool) (whole bool, err error) {
	limits := r.Limits
	if limits == (Limits{}) {
		limits = usual
	}
	j := &job{ctx: ctx, limits: limits, left: limits.Unpacked, yield: yield, whole: true}
	j.read(media, data, 0)
	return j.whole && ctx.Err() == nil, ctx.Err()
}

// The media types that are read, and how. What is missing is not.
const (
	mediaPDF  = "application/pdf"
	mediaDOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	mediaXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	mediaPPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	mediaOFD  = "application/ofd"
	mediaZIP  = "application/zip"
	mediaCSV  = "text/csv"
	mediaText = "text/plain"
)

func (j *job) read(media string, data []byte, depth int) {
	var err error
	switch media {
	case mediaPDF:
		err = j.pdf(data, depth)
	case mediaXLSX:
		err = j.xlsx(data, depth)
	case mediaDOCX, mediaPPTX:
		err = j.office(data, depth)
	case mediaOFD:
		err = j.ofd(data, depth)
	case mediaZIP:
		err = j.archive(data, depth)
	case mediaCSV, mediaText:
		err = j.plain(data)
	default:
		j.loose(data)
		j.whole = false
	}
	if err != nil {
		j.whole = false
	}
}

// tell hands over a part of the text, in pieces of a bounded size.
func (j *job) tell(where, text string) error {
	if err := j.ctx.Err(); err != nil {
		return err
	}
	where = strings.TrimSpace(j.prefix + where)
	for text != "" {
		piece := text
		if len(piece) > j.limits.Part {
			cut := strings.LastIndexByte(piece[:j.limits.Part], '\n') + 1
			if cut == 0 {
				cut = j.limits.Part
			}
			piece = text[:cut]
		}
		if !j.yield(where, piece) {
			return errStopped
		}
		text = text[len(piece):]
	}
	return nil
}

// spend takes n bytes from what may be unpacked.
func (j *job) spend(n int64) error {
	if j.left -= n; j.left < 0 {
		return errLimit
	}
	return j.ctx.Err()
}

// metered reads from r against the limit.
type metered struct {
	j *job
	r io.Reader
}

// Read implements io.Reader.
func (m metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if over := m.j.spend(int64(n)); over != nil {
		return 0, over
	}
	return n, err
}

// plain reads text in any of the encodings that Chinese offices write. What
// looks like a table with commas is read as one too.
func (j *job) plain(data []byte) error {
	text := Decode(data)
	if strings.IndexByte(text, 0) >= 0 { // two-byte text without a mark, or no text at all
		j.loose(data)
		j.whole = false
		return nil
	}
	if table, ok := commaTable(text); ok {
		return j.tell("", table)
	}
	return j.tell("", text)
}

// Decode reads UTF-8, UTF-16 with a mark, or failing these GB18030.
func Decode(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}):
		data = data[3:]
	case bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return decodeUTF16(data[2:], false)
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}):
		return decodeUTF16(data[2:], true)
	}
	if utf8.Valid(data) {
		return string(data)
	}
	if text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(data); err == nil {
		return string(text)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

func decodeUTF16(data []byte, big bool) string {
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i+1 < len(data); i += 2 {
		lo, hi := data[i], data[i+1]
		if big {
			lo, hi = hi, lo
		}
		units = append(units, uint16(hi)<<8|uint16(lo))
	}
	return string(utf16.Decode(units))
}

// commaTable rewrites comma-separated values with tabs; ok is false for text
// that is none.
func commaTable(text string) (table string, ok bool) {
	head, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	comma := ','
	if strings.Count(head, ";") > strings.Count(head, ",") {
		comma = ';'
	}
	if !strings.ContainsRune(head, comma) {
		return "", false
	}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes, r.FieldsPerRecord, r.ReuseRecord = comma, true, -1, true
	var b strings.Builder
	for line := 1; ; {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return b.String(), true
		}
		if err != nil {
			return "", false
		}
		at, _ := r.FieldPos(0)
		for ; line < at; line++ {
			b.WriteByte('\n')
		}
		for i, cell := range row {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(flat(cell))
		}
		b.WriteByte('\n')
		line++
	}
}

// flat keeps a cell on its line.
func flat(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return r
	}, s)
}

// loose picks what can be read out of a file of another format, such as those
// of Office 97: runs of plain and of two-byte characters.
func (j *job) loose(data []byte) {
	if bytes.HasPrefix(data, []byte("\x89PNG")) || bytes.HasPrefix(data, []byte{0xFF, 0xD8}) {
		return
	}
	if j.spend(int64(len(data))) != nil {
		return
	}
	_ = j.tell("", printable(data)) // the file is not whole in any case
	for shift := range 2 {
		if len(data) > shift {
			_ = j.tell("", printable([]byte(decodeUTF16(data[shift:], false))))
		}
	}
}

// printable keeps ASCII and Han text in runs of six bytes and more, each a line.
func printable(data []byte) string {
	var b strings.Builder
	start := 0
	flush := func(end int) {
		if end-start >= 6 {
			b.Write(data[start:end])
			b.WriteByte('\n')
		}
	}
	for i := 0; i < len(data); {
		r, width := utf8.DecodeRune(data[i:])
		if r >= ' ' && r < 0x7F || r >= 0x4E00 && r <= 0x9FFF || r >= 0xFF00 && r <= 0xFFEF && r != utf8.RuneError {
			i += width
			continue
		}
		flush(i)
		i += width
		start = i
	}
	flush(len(data))
	return b.String()
}
