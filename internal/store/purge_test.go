package store_test

import (
	"context"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// TestReadersOfTheLogFailNobody: somebody who reads for long, as a backup does,
// neither fails what has been done nor holds up the one writer; what was deleted
// leaves the log once they are gone.
func TestReadersOfTheLogFailNobody(t *testing.T) {
	s, u := storetest.SQLite(t)
	draft := at(t, s, disclosure.StatusDraft)
	const secret = "朱雀玄武"
	edited := draft.Content
	edited.Title = secret
	draft = apply(t, s, must[disclosure.Transition](t)(draft.Edit(edited, 0, storetest.Editor, storetest.Start)))[0]

	reader, err := storetest.Raw(t, u).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRowContext(t.Context(), `SELECT count(*) FROM notice`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // as a request has
	defer cancel()
	began := time.Now()
	if _, err := s.Apply(ctx, nil, must[disclosure.Transition](t)(draft.Delete(storetest.Editor, storetest.Start))); err != nil {
		t.Errorf("the draft is deleted, and its editor hears: %v", err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the writer waited %s for a reader", took)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if len(storetest.Traces(t, u, secret)) == 0 {
		t.Fatal("the test looks for what was never there")
	}
	if _, err := s.Scrub(context.Background(), storetest.Start); err != nil {
		t.Fatal(err)
	}
	if left := storetest.Traces(t, u, secret); len(left) > 0 {
		t.Errorf("after the reader has gone: %v", left)
	}
}
