package publish

import (
	"context"
	"fmt"
	"maps"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
)

// Trial returns the catalogue and a function that reads a draft as Create would
// and reviews it as Submit would, writing nothing: its errors are those of
// Create. Errors: CodeRole.
func (s *Service) Trial(ctx context.Context, a disclosure.Actor) (*disclosure.Catalog, func(context.Context, disclosure.Draft) (disclosure.Content, []disclosure.Finding, error), error) {
	if err := a.Require(disclosure.RoleEditor, disclosure.RoleReviewer, disclosure.RoleAdmin); err != nil {
		return nil, nil, err
	}
	head, err := s.Store.Head(ctx)
	if err != nil {
		return nil, nil, err
	}
	now := s.Now()
	return head.Catalog, func(ctx context.Context, d disclosure.Draft) (disclosure.Content, []disclosure.Finding, error) {
		content, base, err := s.contentAt(ctx, head.Catalog, a, d)
		if err != nil {
			return content, nil, err
		}
		t, err := disclosure.Create("", content, base, a, now)
		if err != nil {
			return content, nil, err
		}
		findings, err := s.review(ctx, disclosure.StaffNotice{Reading: head, Notice: t.Notice}, now, true)
		return content, findings, err
	}, nil
}

// Imported returns what earlier imports made of the keys; see store.Imported.
func (s *Service) Imported(ctx context.Context, keys []string) (map[string]disclosure.ImportedNotice, error) {
	return s.Store.Imported(ctx, keys)
}

// SaveImport keeps a checked file for a day and returns its record.
func (s *Service) SaveImport(ctx context.Context, i disclosure.Import, data []byte) (disclosure.Import, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return i, fmt.Errorf("publish: new id: %w", err)
	}
	i.ID, i.At, i.Name = id.String(), s.Now(), fileName(i.Name)
	return i, s.Store.SaveImport(ctx, i, data)
}

// Import returns an import. Errors: CodeNoImport.
func (s *Service) Import(ctx context.Context, id string) (disclosure.Import, error) {
	return s.Store.Import(ctx, id)
}

// ImportFile returns the file of an import. Errors: CodeImportGone.
func (s *Service) ImportFile(ctx context.Context, id string) ([]byte, error) {
	data, err := s.Store.ImportFile(ctx, id)
	if err == nil && len(data) == 0 {
		err = disclosure.Errorf(disclosure.CodeImportGone, "这次导入的文件已清除，请重新上传")
	}
	return data, err
}

// CommitImport writes the entries of a checked import, as submitted drafts or as
// drafts, all or nothing, and purges its file. Errors: those of Create, Edit and
// Submit, CodeImportState, CodeStale.
func (s *Service) CommitImport(ctx context.Context, r disclosure.Request, id string, entries []disclosure.ImportEntry, ack disclosure.Acknowledgement, submit bool) (disclosure.Import, error) {
	i, err := s.Store.Import(ctx, id)
	if err != nil {
		return i, err
	}
	known := map[string]disclosure.ImportedNotice{}
	for from := 0; from < len(entries); from += 1000 {
		keys := make([]string, 0, 1000)
		for _, e := range entries[from:min(from+1000, len(entries))] {
			keys = append(keys, e.Key)
		}
		found, err := s.Store.Imported(ctx, keys)
		if err != nil {
			return i, err
		}
		maps.Copy(known, found)
	}
	var ts []disclosure.Transition
	keys := make([]disclosure.ImportKey, 0, len(entries))
	for _, e := range entries {
		was := known[e.Key]
		made, err := s.importEntry(ctx, r.Actor, e, was, ack, submit)
		if err != nil {
			return i, err
		}
		ts = append(ts, made...)
		n := made[0].Notice
		keys = append(keys, disclosure.ImportKey{Key: e.Key, Digest: e.Digest, NoticeID: n.ID, Was: was.NoticeID, Rev: n.Rev,
			Created: made[0].Action == disclosure.ActionCreate})
	}
	return s.Store.CommitImport(ctx, i, keys, r.Actor, s.Now(), ts...)
}

// importEntry decides on one notice: created, or put in the place of the draft
// it was before, and submitted.
func (s *Service) importEntry(ctx context.Context, a disclosure.Actor, e disclosure.ImportEntry, was disclosure.ImportedNotice, ack disclosure.Acknowledgement, submit bool) ([]disclosure.Transition, error) {
	var t disclosure.Transition
	head, err := s.Store.Head(ctx)
	switch {
	case err != nil:
	case was.Status == disclosure.StatusDraft:
		t, err = s.importEdit(ctx, a, e, was)
	default:
		t, err = s.create(ctx, a, e.Draft)
	}
	if err != nil || !submit {
		return []disclosure.Transition{t}, err
	}
	findings, err := s.review(ctx, disclosure.StaffNotice{Reading: head, Notice: t.Notice}, s.Now(), true)
	if err != nil {
		return nil, err
	}
	submitted, err := t.Notice.Submit(findings, ack, a, s.Now())
	return []disclosure.Transition{t, submitted}, err
}

func (s *Service) importEdit(ctx context.Context, a disclosure.Actor, e disclosure.ImportEntry, was disclosure.ImportedNotice) (disclosure.Transition, error) {
	n, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: was.NoticeID})
	if err != nil {
		return disclosure.Transition{}, err
	}
	content, base, err := s.content(ctx, a, e.Draft)
	if err != nil {
		return disclosure.Transition{}, err
	}
	return n.Edit(content, base, a, s.Now())
}

// UndoImport takes a committed import back: the notices it made are removed,
// drafts it replaced go back to being drafts. All or nothing, and only while
// none of them is public, checked or changed by somebody. Errors: CodeNoImport,
// CodeImportState, CodeRole, CodeScope, CodeState, CodeStale.
func (s *Service) UndoImport(ctx context.Context, r disclosure.Request, id string) (disclosure.Import, error) {
	i, err := s.Store.Import(ctx, id)
	if err != nil || i.State == disclosure.ImportUndone { // asked again
		return i, err
	}
	if i.State != disclosure.ImportCommitted {
		return i, disclosure.Errorf(disclosure.CodeImportState, "这次导入的状态是“%s”，没有可以撤销的", i.State.Name())
	}
	keys, err := s.Store.ImportKeys(ctx, id)
	if err != nil {
		return i, err
	}
	var ts []disclosure.Transition
	for _, k := range keys {
		t, err := s.undoEntry(ctx, r.Actor, k)
		if err != nil {
			return i, err
		}
		ts = append(ts, t...)
	}
	return s.Store.UndoImport(ctx, i, r.Actor, s.Now(), ts...)
}

func (s *Service) undoEntry(ctx context.Context, a disclosure.Actor, k disclosure.ImportKey) ([]disclosure.Transition, error) {
	n, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: k.NoticeID})
	if err != nil {
		return nil, err
	}
	if k.Created {
		return single(n.Undo(k.Rev, a, s.Now()))
	}
	if n.Status == disclosure.StatusDraft && n.Rev == k.Rev { // replaced, and never submitted
		return nil, nil
	}
	return single(n.Retract(k.Rev, a, s.Now()))
}

// ExpireImports purges what imports hold that nobody committed within a day.
func (s *Service) ExpireImports(ctx context.Context) (int, error) {
	now := s.Now()
	return s.Store.ExpireImports(ctx, now.Add(-disclosure.ImportTTL), now)
}
