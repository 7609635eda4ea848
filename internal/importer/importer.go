// Package importer turns files into drafts through package publish: workbooks
// (.xlsx), CSV and JSON Lines. A file is always checked as a whole first; what
// it holds is written all or nothing, and can be undone.
//
// Workbooks are read as streams by a reader of its own, because excelize's tells
// neither a cell's number format nor whether it is a number (a date would be
// 46349, a percentage 0.05) and takes several times as long; excelize writes
// the templates and the annotated workbooks.
package importer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gongkai/internal/disclosure"
)

// Drafts tries and writes drafts; *publish.Service does.
type Drafts interface {
	// Trial returns the catalogue and a function that reads a draft as Create
	// would and reviews it as Submit would.
	Trial(ctx context.Context, a disclosure.Actor) (*disclosure.Catalog, func(context.Context, disclosure.Draft) (disclosure.Content, []disclosure.Finding, error), error)
	// Imported returns what earlier imports made of the keys.
	Imported(ctx context.Context, keys []string) (map[string]disclosure.ImportedNotice, error)
	// CommitImport writes the entries and closes the import, in one transaction.
	CommitImport(ctx context.Context, r disclosure.Request, id string, entries []disclosure.ImportEntry, ack disclosure.Acknowledgement, submit bool) (disclosure.Import, error)
}

// Records keeps imports; *publish.Service does.
type Records interface {
	SaveImport(ctx context.Context, i disclosure.Import, data []byte) (disclosure.Import, error)
	Import(ctx context.Context, id string) (disclosure.Import, error)
	ImportFile(ctx context.Context, id string) ([]byte, error)
	UndoImport(ctx context.Context, r disclosure.Request, id string) (disclosure.Import, error)
}

// Service checks and commits files. It is safe for concurrent use.
type Service struct {
	drafts  Drafts
	records Records
	now     func() time.Time
	slots   chan struct{}
}

// maxAtOnce bounds the files that are read at the same time: each may take a
// hundred megabytes.
const maxAtOnce = 2

// New makes a service.
func New(d Drafts, r Records, now func() time.Time) *Service {
	return &Service{drafts: d, records: r, now: now, slots: make(chan struct{}, maxAtOnce)}
}

// enter waits for a place; leave gives it back.
func (s *Service) enter(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return disclosure.Errorf(disclosure.CodeUnavailable, "正在处理其他导入，请稍后重试")
	}
}

func (s *Service) leave() { <-s.slots }

// compare counts what is new, changed and known already, and tells what cannot
// be changed by an import.
func (s *Service) compare(ctx context.Context, c *checked) error {
	known := map[string]disclosure.ImportedNotice{}
	for from := 0; from < len(c.entries); from += 1000 {
		var keys []string
		for _, e := range c.entries[from:min(from+1000, len(c.entries))] {
			keys = append(keys, e.Key)
		}
		found, err := s.drafts.Imported(ctx, keys)
		if err != nil {
			return err
		}
		maps.Copy(known, found)
	}
	kept, places := c.entries[:0], c.places[:0]
	for i, e := range c.entries {
		was, ok := known[e.Key]
		switch {
		case !ok || was.Status == disclosure.StatusWithdrawn:
			c.rows.New++
		case was.Digest == e.Digest:
			c.rows.Same++
			continue
		case was.Status == disclosure.StatusDraft:
			c.rows.Changed++
		default:
			c.rows.Changed++
			c.rows.Errors++
			c.at(place{c.sheet, c.places[i], -1}, "", "", *cannotChange(was))
		}
		kept, places = append(kept, e), append(places, c.places[i])
	}
	c.entries, c.places = kept, places
	if n := len(kept); n > disclosure.MaxImportNotices {
		c.at(place{c.sheet, 0, -1}, "", "", *mention("import.too_many",
			fmt.Sprintf("共 %d 份公告，一次最多提交 %d 份；请拆成几个文件", n, disclosure.MaxImportNotices)))
	}
	return nil
}

func cannotChange(was disclosure.ImportedNotice) *remark {
	if was.Status == disclosure.StatusSubmitted || was.Status == disclosure.StatusScheduled {
		return fault("import.changed", "这份公告已经导入（编号 "+was.Code+"），正在核验，内容与这一行不同", "请核验人员先退回，或撤销那次导入，然后重新上传")
	}
	return fault("import.changed", "这份公告已经公开（编号 "+was.Code+"），内容与这一行不同", "已公开的不能由导入覆盖，请对该公告提出更正")
}

// Send checks a file and keeps it with what was found, to be committed or
// annotated. want is the code of the notice type, or "" when the file tells.
// Errors: CodeImportFile, CodeParam, CodeRole.
func (s *Service) Send(ctx context.Context, a disclosure.Actor, name, want string, data []byte) (disclosure.Import, error) {
	c, err := s.check(ctx, a, name, want, data, false)
	if err != nil {
		return disclosure.Import{}, err
	}
	return s.records.SaveImport(ctx, c.record(a, name, data), data)
}

// DryRun checks a file and keeps nothing. Errors as of Send.
func (s *Service) DryRun(ctx context.Context, a disclosure.Actor, name, want string, data []byte) (disclosure.Import, error) {
	c, err := s.check(ctx, a, name, want, data, false)
	if err != nil {
		return disclosure.Import{}, err
	}
	return c.record(a, name, data), nil
}

func (c *checked) record(a disclosure.Actor, name string, data []byte) disclosure.Import {
	i := disclosure.Import{State: disclosure.ImportChecked, Format: c.format, Name: name, Type: c.typ, SHA256: disclosure.Digest(string(data)),
		Size: int64(len(data)), By: a, Rows: c.rows, IssueCounts: c.counts, Issues: c.sorted(c.sheet)}
	if c.counts[disclosure.SeverityError] > 0 {
		i.State = disclosure.ImportFaulty
	}
	if i.Rows.Total == 0 && i.State == disclosure.ImportChecked {
		i.State = disclosure.ImportFaulty
		i.IssueCounts[disclosure.SeverityError]++
		i.Issues = append(i.Issues, disclosure.ImportIssue{Severity: disclosure.SeverityError, Sheet: c.sheet, Code: "import.empty",
			Message: "文件中没有公告", Hint: "请从表头的下一行起填写；“示例”行不导入"})
	}
	return i
}

// Commit checks the file of an import again, as the catalogue, the rules and the
// database now stand and with the actor's rights, and writes all of its notices
// as submitted drafts, or none. Notices imported before are left as they are.
// Warnings must be acknowledged. Errors: CodeNoImport, CodeImportState,
// CodeImportGone, CodeImport, CodeWarnings, and those of publish.Submit.
func (s *Service) Commit(ctx context.Context, r disclosure.Request, id string, ack disclosure.Acknowledgement, submit bool) (disclosure.Import, error) {
	i, err := s.Get(ctx, r.Actor, id)
	if err != nil {
		return i, err
	}
	if err := r.Actor.Require(disclosure.RoleEditor, disclosure.RoleReviewer, disclosure.RoleAdmin); err != nil {
		return i, err
	}
	if i.State == disclosure.ImportCommitted { // asked again
		return i, nil
	}
	if i.State != disclosure.ImportChecked {
		return i, disclosure.Errorf(disclosure.CodeImportState, "这次导入的状态是“%s”，不能提交", i.State.Name())
	}
	data, err := s.records.ImportFile(ctx, id)
	if err != nil {
		return i, err
	}
	c, err := s.check(ctx, r.Actor, i.Name, i.Type, data, true)
	if err != nil {
		return i, err
	}
	if err := c.committable(ack); err != nil {
		return i, err
	}
	return s.drafts.CommitImport(ctx, r, id, c.entries, ack, submit)
}

// Get returns an import to who sent it, to admins and to auditors. Anybody
// else's is CodeNoImport.
func (s *Service) Get(ctx context.Context, a disclosure.Actor, id string) (disclosure.Import, error) {
	i, err := s.records.Import(ctx, id)
	if err == nil && i.By.Name != a.Name && !slices.Contains([]disclosure.Role{disclosure.RoleAdmin, disclosure.RoleAuditor}, a.Role) {
		return disclosure.Import{}, disclosure.Errorf(disclosure.CodeNoImport, "没有找到这次导入")
	}
	return i, err
}

// Annotated returns the workbook of an import with every issue marked in it.
// Errors: CodeNoImport, CodeImportGone.
func (s *Service) Annotated(ctx context.Context, a disclosure.Actor, id string) ([]byte, error) {
	i, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	data, err := s.records.ImportFile(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	return annotate(i, data)
}

// Undo takes a committed import back; see publish.UndoImport for when.
func (s *Service) Undo(ctx context.Context, r disclosure.Request, id string) (disclosure.Import, error) {
	if _, err := s.Get(ctx, r.Actor, id); err != nil {
		return disclosure.Import{}, err
	}
	return s.records.UndoImport(ctx, r, id)
}

// Template writes the workbook for a notice type of the catalogue as it stands.
// An unknown type is CodeNoItem.
func (s *Service) Template(ctx context.Context, a disclosure.Actor, code string) (name string, data []byte, err error) {
	catalog, _, err := s.drafts.Trial(ctx, disclosure.Actor{Name: a.Name, Role: disclosure.RoleAdmin, Bodies: a.Bodies})
	if err != nil {
		return "", nil, err
	}
	t, err := catalog.Type(code)
	if err != nil {
		return "", nil, err
	}
	data, err = Template(catalog, t, s.now())
	return t.Name + "导入模板.xlsx", data, err
}

// committable refuses a file with errors, too many notices, or warnings nobody
// has acknowledged.
func (c *checked) committable(ack disclosure.Acknowledgement) error {
	if len(c.entries) > disclosure.MaxImportNotices {
		return disclosure.Errorf(disclosure.CodeImport, "共 %d 份公告，一次最多提交 %d 份；请拆成几个文件", len(c.entries), disclosure.MaxImportNotices)
	}
	var faults []disclosure.FieldError
	var warnings []disclosure.Finding
	for _, i := range c.sorted(c.sheet) {
		f := disclosure.FieldError{Field: i.Cell(), Code: i.Code, Message: i.Message, Rule: i.Rule}
		switch {
		case i.Severity == disclosure.SeverityWarning:
			warnings = append(warnings, disclosure.Finding{FieldError: f, Warning: true})
		case i.Severity == disclosure.SeverityError && len(faults) < 100:
			faults = append(faults, f)
		}
	}
	if n := c.counts[disclosure.SeverityError]; n > 0 {
		return &disclosure.Error{Code: disclosure.CodeImport, Detail: fmt.Sprintf("文件中有 %d 处错误，一条也没有写入", n), Fields: faults}
	}
	return ack.Settle(warnings)
}
