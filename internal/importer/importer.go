// Package importer turns files into drafts through package publish. It reads
// JSON Lines: one draft a line, in the form the staff API takes.
package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"gongkai/internal/disclosure"
)

// maxLine bounds one line, in bytes.
const maxLine = 1 << 20

// Drafts checks and creates drafts; *publish.Service does.
type Drafts interface {
	Create(context.Context, disclosure.Request, disclosure.Draft) (disclosure.Outcome, error)
	Check(context.Context, disclosure.Actor, disclosure.Draft) error
}

// Issue is one thing wrong with one line of a file.
type Issue struct {
	Line    int // counted from 1
	Field   string
	Code    string
	Message string
}

// Report says what came of a file.
type Report struct {
	Lines   int      // that hold a draft
	Created []string // codes of the new drafts, in order
	Issues  []Issue
}

// JSONLines reads drafts, one a line; blank lines are skipped. Every line is
// checked first, and with any issue, or with dryRun, nothing is created. The
// same line is created once, however often it is imported within seven days. An
// error means that the import stopped half-way and can be repeated.
func JSONLines(ctx context.Context, to Drafts, a disclosure.Actor, r io.Reader, dryRun bool) (Report, error) {
	var report Report
	var drafts []line
	scan := bufio.NewScanner(r)
	scan.Buffer(make([]byte, 64<<10), maxLine)
	for n := 1; scan.Scan(); n++ {
		text := bytes.TrimSpace(bytes.TrimPrefix(scan.Bytes(), []byte("\ufeff")))
		if len(text) == 0 {
			continue
		}
		report.Lines++
		draft, err := disclosure.ParseDraft(text)
		if err == nil {
			err = to.Check(ctx, a, draft)
		}
		if stop := report.note(n, err); stop != nil {
			return report, stop
		}
		drafts = append(drafts, line{n, disclosure.Digest(string(text)), draft})
	}
	if err := scan.Err(); err != nil {
		return report, fmt.Errorf("importer: read line %d: %w", report.Lines+1, err)
	}
	if dryRun || len(report.Issues) > 0 {
		return report, nil
	}
	for _, d := range drafts {
		res, err := to.Create(ctx, disclosure.Request{Actor: a, Key: "import-" + d.digest, Digest: d.digest}, d.draft)
		if err != nil {
			return report, fmt.Errorf("importer: line %d: %w", d.n, err)
		}
		report.Created = append(report.Created, res.Code)
	}
	return report, nil
}

type line struct {
	n      int
	digest string
	draft  disclosure.Draft
}

// note files the faults of a line; anything but an expected fault stops.
func (r *Report) note(line int, err error) error {
	if err == nil {
		return nil
	}
	fault := new(disclosure.Error)
	if !errors.As(err, &fault) || fault.Code == disclosure.CodeUnavailable {
		return err
	}
	if len(fault.Fields) == 0 {
		r.Issues = append(r.Issues, Issue{Line: line, Code: string(fault.Code), Message: fault.Detail})
	}
	for _, f := range fault.Fields {
		r.Issues = append(r.Issues, Issue{Line: line, Field: f.Field, Code: f.Code, Message: f.Message})
	}
	return nil
}
