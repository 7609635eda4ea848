package store_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

const importedText = "一份独一无二的导入标题"

// savedImport keeps a checked import of one notice.
func savedImport(t *testing.T, s *store.Store, at time.Time) disclosure.Import {
	t.Helper()
	i := disclosure.Import{ID: uuid.Must(uuid.NewV7()).String(), State: disclosure.ImportChecked, Format: "csv", Name: importedText + ".csv",
		Type: "land.transfer_notice", SHA256: disclosure.Digest("x"), Size: 3, By: storetest.Editor, At: at, Rows: disclosure.ImportRows{Total: 1, New: 1},
		IssueCounts: map[disclosure.Severity]int{disclosure.SeverityNote: 1},
		Issues:      []disclosure.ImportIssue{{Severity: disclosure.SeverityNote, Row: 2, Col: "A", Code: "x", Value: importedText, Message: "说明"}}}
	if err := s.SaveImport(context.Background(), i, []byte(strings.Repeat(importedText, 20_000))); err != nil {
		t.Fatal(err)
	}
	return i
}

func created(t *testing.T, s *store.Store, title string) disclosure.Transition {
	t.Helper()
	tr, err := disclosure.Create(uuid.Must(uuid.NewV7()).String(), storetest.Content(t, s.Catalog(), "land.transfer_notice", title), 0, storetest.Editor, storetest.Start)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestImportIsKeptUntilCommitted: what was saved is read back whole; the commit
// writes the notices and removes every trace of the file, and happens once.
func TestImportIsKeptUntilCommitted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		ctx := context.Background()
		i := savedImport(t, s, storetest.Start)
		got := must[disclosure.Import](t)(s.Import(ctx, i.ID))
		want := i
		want.By, want.Notices = disclosure.Actor{Name: i.By.Name, Role: i.By.Role, Token: i.By.Token}, []string{}
		if want.At, got.At = want.At.UTC(), got.At.UTC(); !reflect.DeepEqual(got, want) {
			t.Errorf("Import = %+v\nwant %+v", got, want)
		}
		if data := must[[]byte](t)(s.ImportFile(ctx, i.ID)); len(data) != 20_000*len(importedText) {
			t.Errorf("the file has %d bytes", len(data))
		}
		tr := created(t, s, "出让公告甲")
		key := disclosure.ImportKey{Key: "k1", Digest: "d1", NoticeID: tr.Notice.ID, Rev: 1, Created: true}
		done := must[disclosure.Import](t)(s.CommitImport(ctx, i, []disclosure.ImportKey{key}, storetest.Editor, storetest.Start, tr))
		if done.State != disclosure.ImportCommitted || len(done.Notices) != 1 || len(done.Notices[0]) != 8 || !done.Purged {
			t.Errorf("committed %+v", done)
		}
		if traces := storetest.Traces(t, u, importedText); len(traces) > 0 {
			t.Errorf("after the commit: %v", traces)
		}
		known := must[map[string]disclosure.ImportedNotice](t)(s.Imported(ctx, []string{"k1", "k2"}))
		if len(known) != 1 || known["k1"].Digest != "d1" || known["k1"].Code != done.Notices[0] || known["k1"].Status != disclosure.StatusDraft {
			t.Errorf("known %+v", known)
		}
		if _, err := s.CommitImport(ctx, i, nil, storetest.Editor, storetest.Start); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeImportState}) {
			t.Errorf("a second commit = %v", err)
		}
		if _, err := s.VerifyAudit(ctx); err != nil {
			t.Error(err)
		}
	})
}

// TestUnreadableIdentifier: bytes that are no text name nothing, on any database.
func TestUnreadableIdentifier(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		_, err := s.Import(context.Background(), "\xff")
		if !errors.Is(err, &disclosure.Error{Code: disclosure.CodeNoImport}) && !errors.Is(err, &disclosure.Error{Code: disclosure.CodeText}) {
			t.Errorf("Import of a broken id: %v", err)
		}
	})
}

// TestImportCommitIsAllOrNothing: a notice that cannot be written, or a key that
// another import took meanwhile, leaves everything as it was.
func TestImportCommitIsAllOrNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		ctx := context.Background()
		first, second := savedImport(t, s, storetest.Start), savedImport(t, s, storetest.Start)
		tr := created(t, s, "出让公告甲")
		must[disclosure.Import](t)(s.CommitImport(ctx, first, []disclosure.ImportKey{{Key: "k", Digest: "d", NoticeID: tr.Notice.ID, Rev: 1, Created: true}},
			storetest.Editor, storetest.Start, tr))
		db := storetest.Raw(t, u)
		before := storetest.Dump(t, u, db)
		other := created(t, s, "出让公告乙")
		_, err := s.CommitImport(ctx, second, []disclosure.ImportKey{{Key: "k", Digest: "e", NoticeID: other.Notice.ID, Rev: 1, Created: true}},
			storetest.Editor, storetest.Start, other)
		if !errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale}) {
			t.Errorf("a key taken meanwhile = %v", err)
		}
		stale := created(t, s, "出让公告丙")
		stale.Action, stale.From = disclosure.ActionEdit, disclosure.Version{Rev: 1, Status: disclosure.StatusDraft}
		if _, err := s.CommitImport(ctx, second, nil, storetest.Editor, storetest.Start, created(t, s, "出让公告丁"), stale); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale}) {
			t.Errorf("an edit of a notice that is gone = %v", err)
		}
		if diff := storetest.Diff(before, storetest.Dump(t, u, db)); len(diff) > 0 {
			t.Errorf("a refused commit changed %v", diff)
		}
	})
}

// TestImportUndoFreesItsKeys: removed notices take their keys along, a replaced
// draft may be replaced again.
func TestImportUndoFreesItsKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		i := savedImport(t, s, storetest.Start)
		a, b := created(t, s, "出让公告甲"), created(t, s, "出让公告乙")
		must[disclosure.Import](t)(s.CommitImport(ctx, i, []disclosure.ImportKey{
			{Key: "a", Digest: "d", NoticeID: a.Notice.ID, Rev: 1, Created: true}, {Key: "b", Digest: "d", NoticeID: b.Notice.ID, Rev: 1}},
			storetest.Editor, storetest.Start, a, b))
		if keys := must[[]disclosure.ImportKey](t)(s.ImportKeys(ctx, i.ID)); len(keys) != 2 {
			t.Fatalf("keys %+v", keys)
		}
		n := must[disclosure.StaffNotice](t)(s.Staff(ctx, disclosure.NoticeRef{ID: a.Notice.ID}))
		undo := must[disclosure.Transition](t)(n.Undo(1, storetest.Editor, storetest.Start))
		undone := must[disclosure.Import](t)(s.UndoImport(ctx, must[disclosure.Import](t)(s.Import(ctx, i.ID)), storetest.Editor, storetest.Start, undo))
		if undone.State != disclosure.ImportUndone {
			t.Errorf("%+v", undone)
		}
		known := must[map[string]disclosure.ImportedNotice](t)(s.Imported(ctx, []string{"a", "b"}))
		if len(known) != 1 || known["b"].Digest != "" {
			t.Errorf("known %+v", known)
		}
	})
}

// TestImportsExpire: what nobody commits within a day is purged, and nothing
// else.
func TestImportsExpire(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		ctx := context.Background()
		old := savedImport(t, s, storetest.Start)
		young := savedImport(t, s, storetest.Start.Add(time.Hour))
		if n, err := s.ExpireImports(ctx, storetest.Start.Add(time.Minute), storetest.Start.Add(25*time.Hour)); n != 1 || err != nil {
			t.Fatalf("expired %d, %v", n, err)
		}
		if got := must[disclosure.Import](t)(s.Import(ctx, old.ID)); got.State != disclosure.ImportExpired || !got.Purged || got.Name != "" || got.Rows.Total != 1 {
			t.Errorf("expired: %+v", got)
		}
		if got := must[disclosure.Import](t)(s.Import(ctx, young.ID)); got.State != disclosure.ImportChecked || got.Purged {
			t.Errorf("young: %+v", got)
		}
		if _, err := s.Import(ctx, "nosuch"); !errors.Is(err, &disclosure.Error{Code: disclosure.CodeNoImport}) {
			t.Errorf("an unknown import = %v", err)
		}
		must[int](t)(s.ExpireImports(ctx, storetest.Start.Add(2*time.Hour), storetest.Start.Add(26*time.Hour)))
		if traces := storetest.Traces(t, u, importedText); len(traces) > 0 {
			t.Errorf("after both expired: %v", traces)
		}
	})
}
