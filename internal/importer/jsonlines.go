package importer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"

	"gongkai/internal/disclosure"
)

// maxLine bounds one line of JSON Lines, in bytes.
const maxLine = 1 << 20

// jsonLine is one line: a draft as the staff API takes it, and perhaps the
// number the source gave it, by which it is known when it comes again.
type jsonLine struct {
	disclosure.Draft
	SourceID *string `json:"source_id"`
}

// eachLine reads drafts, one a line; blank lines are skipped. A line that is no
// draft is an issue and an entry that is bad.
func eachLine(data []byte, r *report, yield func(*entry) error) error {
	scan := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	scan.Buffer(make([]byte, 64<<10), maxLine)
	n, count := 0, 0
	for scan.Scan() {
		n++
		text := bytes.TrimSpace(scan.Bytes())
		if len(text) == 0 {
			continue
		}
		if count++; count > MaxRows {
			return tooLarge(fmt.Sprintf("文件超过 %d 行", MaxRows))
		}
		e, err := readLine(n, text, r)
		if err == nil {
			err = yield(e)
		}
		if err != nil {
			return err
		}
	}
	if err := scan.Err(); err != nil {
		return unreadable("第 %d 行超过 %d MB", n+1, maxLine>>20)
	}
	return nil
}

func readLine(n int, text []byte, r *report) (*entry, error) {
	e := &entry{row: n, unread: map[string]bool{}, cells: &line{n: n}, size: len(text)}
	var l jsonLine
	err := disclosure.DecodeStrict(text, &l)
	if e.draft = l.Draft; l.SourceID != nil {
		e.sourceID = *l.SourceID
	}
	expected := new(disclosure.Error)
	if err == nil || !errors.As(err, &expected) {
		return e, err
	}
	e.bad, e.unread["*"] = true, true
	for _, f := range expected.Fields {
		r.at(place{"", n, -1}, f.Field, "", *fault(f.Code, f.Message, ""))
	}
	if len(expected.Fields) == 0 {
		r.at(place{"", n, -1}, "", "", *fault(string(expected.Code), expected.Detail, ""))
	}
	return e, nil
}
