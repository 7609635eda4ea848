package importer

import (
	"cmp"
	"slices"

	"gongkai/internal/disclosure"
)

// report collects what there is to say about a file. All is counted, the first
// disclosure.MaxImportIssues are listed.
type report struct {
	issues []disclosure.ImportIssue
	counts map[disclosure.Severity]int
	rows   disclosure.ImportRows
}

func newReport() *report { return &report{counts: map[disclosure.Severity]int{}} }

func (r *report) add(i disclosure.ImportIssue) {
	r.counts[i.Severity]++
	if len(r.issues) < disclosure.MaxImportIssues {
		i.Value, i.Message, i.Hint = disclosure.Quote(i.Value), disclosure.MaskNumbers(i.Message), disclosure.MaskNumbers(i.Hint)
		r.issues = append(r.issues, i)
	}
}

// sorted returns the issues as a person goes through the file, the sheet of the
// notices first.
func (r *report) sorted(main string) []disclosure.ImportIssue {
	slices.SortStableFunc(r.issues, func(a, b disclosure.ImportIssue) int {
		if a.Sheet != b.Sheet && (a.Sheet == main || b.Sheet == main) {
			return map[bool]int{true: -1, false: 1}[a.Sheet == main]
		}
		return cmp.Or(cmp.Compare(a.Sheet, b.Sheet), cmp.Compare(a.Row, b.Row), cmp.Compare(len(a.Col), len(b.Col)), cmp.Compare(a.Col, b.Col))
	})
	return r.issues
}

// join takes over what another report holds.
func (r *report) join(other *report) {
	for severity, n := range other.counts {
		r.counts[severity] += n
	}
	r.issues = append(r.issues, other.issues[:min(len(other.issues), disclosure.MaxImportIssues-len(r.issues))]...)
}

// place is where a cell stands.
type place struct {
	sheet string
	row   int
	col   int // -1 for the whole row
}

// at adds an issue about a cell, or about its row.
func (r *report) at(p place, field, value string, m remark) {
	i := disclosure.ImportIssue{Severity: m.severity, Sheet: p.sheet, Row: p.row, Field: field, Code: m.code, Value: value,
		Message: m.message, Hint: m.hint}
	if p.col >= 0 {
		i.Col = colName(p.col)
	}
	r.add(i)
}
