package disclosure

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// The keys that make a housing list one in which people find their own row: a
// field that names the batch, and a column with the acceptance number beside one
// whose mask is MaskID.
const (
	fieldBatch       = "batch"
	columnAcceptance = "acceptance_no"
)

// LookupQuery is what a person asks for their own row with (本人查询).
type LookupQuery struct {
	Batch        string // 批次, or the notice's code
	AcceptanceNo string // 受理编号
	Tail         string // the last four characters of the ID number
}

var tailForm = regexp.MustCompile(`^[0-9]{3}[0-9X]$`)

// ParseLookup reads a query as people type it: width, case and blanks do not
// count. The error, CodeParam, is about form only and the same for numbers that
// exist and numbers that do not.
func ParseLookup(batch, acceptanceNo, tail string) (LookupQuery, error) {
	q := LookupQuery{Batch: typedForm(batch), AcceptanceNo: typedForm(acceptanceNo), Tail: typedForm(tail)}
	var l faultList
	l.add(q.Batch != "" && len(q.Batch) <= 300, "batch", "field.required", "请填写批次，如 2026年第一批")
	l.add(q.AcceptanceNo != "" && len(q.AcceptanceNo) <= 200, "acceptance_no", "field.required", "请填写受理编号")
	l.add(tailForm.MatchString(q.Tail), "id_tail", "id_tail.invalid", "请填写身份证件号码的最后四位，如 004X")
	return q, invalid(CodeParam, l)
}

// AcceptanceNo writes an acceptance number (受理编号) as LookupQuery has it.
func AcceptanceNo(s string) string { return typedForm(s) }

// typedForm writes a number that may be typed in several ways in one: width,
// case, blanks and invisible characters do not count.
func typedForm(s string) string {
	return strings.ToUpper(strings.Join(strings.Fields(norm.NFKC.String(visible(s))), ""))
}

// MAC is by what the store finds the row: a keyed hash of the whole query, so
// that a right number with a wrong end is as unknown as a number nobody has.
func (q LookupQuery) MAC(key []byte) string {
	h := hmac.New(sha256.New, key)
	for _, part := range []string{q.Batch, q.AcceptanceNo, q.Tail} {
		fmt.Fprintf(h, "%d:%s\n", len(part), part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Lookup lets one person find one row of a list.
type Lookup struct {
	MAC          string
	AcceptanceNo string // as typedForm writes it; it is public
}

// Lookups returns what the rows of a list are found by. c is the content before
// it is masked: a masked ID number has no end to know, and its row is left out.
// code is the notice's code, by which people may name the batch.
func (c Content) Lookups(t *NoticeType, key []byte, code string) []Lookup {
	table, id, ok := t.lookupTable()
	if !ok {
		return nil
	}
	batch, _ := c.Fields[fieldBatch].(string)
	rows, _ := c.Fields[table].([]any)
	var out []Lookup
	for _, row := range rows {
		cells, _ := row.(map[string]any)
		number, _ := cells[columnAcceptance].(string)
		tail, _ := cells[id].(string)
		for _, name := range []string{batch, code} {
			q, err := ParseLookup(name, number, lastFour(tail))
			if err == nil {
				out = append(out, Lookup{MAC: q.MAC(key), AcceptanceNo: q.AcceptanceNo})
			}
		}
	}
	return out
}

func lastFour(id string) string {
	id = strings.Map(func(r rune) rune {
		if separates(r) {
			return -1
		}
		return r
	}, typedForm(id))
	if len(id) < 8 || strings.Contains(id, "*") {
		return ""
	}
	return id[len(id)-4:]
}

// lookupTable returns the keys of the table and of its column of ID numbers.
func (t *NoticeType) lookupTable() (table, id string, ok bool) {
	if !t.Personal {
		return "", "", false
	}
	for _, f := range t.Fields {
		number := false
		id = ""
		for _, col := range f.Columns {
			number = number || col.Key == columnAcceptance
			if col.Mask == MaskID {
				id = col.Key
			}
		}
		if number && id != "" {
			return f.Key, id, true
		}
	}
	return "", "", false
}

// LookupRow returns the row of the list with the acceptance number, masked as
// the public reads it, and the table it is in. Several people, such as a family,
// may stand under one number: of theirs it is the one whose ID number is shown to
// end like tail, and none where that leaves more than one.
func (c Content) LookupRow(t *NoticeType, acceptanceNo, tail string) (table Field, row map[string]any, ok bool) {
	key, id, ok := t.lookupTable()
	if !ok {
		return Field{}, nil, false
	}
	table, _ = t.Field(key)
	rows, _ := c.Masked(t).Fields[key].([]any)
	var found []map[string]any
	for _, r := range rows {
		cells, _ := r.(map[string]any)
		if number, _ := cells[columnAcceptance].(string); number != "" && typedForm(number) == acceptanceNo {
			found = append(found, cells)
		}
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(cells map[string]any) bool { return !endsLike(cells[id], tail) })
	}
	if len(found) != 1 {
		return table, nil, false
	}
	return table, found[0], true
}

// endsLike reports whether what a mask leaves of the end of an ID number is the
// end of tail.
func endsLike(masked any, tail string) bool {
	text, _ := masked.(string)
	shown := typedForm(text)
	shown = shown[strings.LastIndexByte(shown, '*')+1:]
	return shown != "" && strings.HasSuffix(tail, shown[max(len(shown)-len(tail), 0):])
}

// LookupResult is one person's own row.
type LookupResult struct {
	Reading
	Notice
	Table Field
	Row   map[string]any
}
