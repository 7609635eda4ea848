package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// TestStaleTransition: of two steps decided on the same reading of a notice only
// the first is taken; the second changes nothing.
func TestStaleTransition(t *testing.T) {
	steps := map[string]func(t *testing.T, s *store.Store, n disclosure.Notice) disclosure.Transition{
		"edit": func(t *testing.T, _ *store.Store, n disclosure.Notice) disclosure.Transition {
			return must[disclosure.Transition](t)(n.Edit(n.Content, 0, storetest.Editor, storetest.Start))
		},
		"delete": func(t *testing.T, _ *store.Store, n disclosure.Notice) disclosure.Transition {
			return must[disclosure.Transition](t)(n.Delete(storetest.Editor, storetest.Start))
		},
		"submit": func(t *testing.T, _ *store.Store, n disclosure.Notice) disclosure.Transition { return submit(t, n) },
		"reject": func(t *testing.T, _ *store.Store, n disclosure.Notice) disclosure.Transition {
			return must[disclosure.Transition](t)(n.Reject("请补充", storetest.Reviewer, storetest.Start))
		},
		"publish": func(t *testing.T, s *store.Store, n disclosure.Notice) disclosure.Transition {
			return publishTransition(t, s, n, time.Time{})
		},
		"schedule": func(t *testing.T, s *store.Store, n disclosure.Notice) disclosure.Transition {
			return publishTransition(t, s, n, storetest.Start.Add(time.Hour))
		},
		"withdraw": func(t *testing.T, _ *store.Store, n disclosure.Notice) disclosure.Transition {
			return must[disclosure.Transition](t)(n.Withdraw("有误", false, storetest.Reviewer, storetest.Start))
		},
		"correct": func(t *testing.T, s *store.Store, n disclosure.Notice) disclosure.Transition {
			return storetest.Amended(t, s.Catalog(), n, changes("title", "更正后的标题"), storetest.Start)[2]
		},
	}
	pairs := []struct {
		from          disclosure.Status
		first, second string
	}{
		{disclosure.StatusDraft, "edit", "edit"}, {disclosure.StatusDraft, "edit", "submit"}, {disclosure.StatusDraft, "submit", "edit"},
		{disclosure.StatusDraft, "delete", "submit"}, {disclosure.StatusDraft, "submit", "delete"}, {disclosure.StatusDraft, "delete", "delete"},
		{disclosure.StatusSubmitted, "publish", "reject"}, {disclosure.StatusSubmitted, "reject", "publish"},
		{disclosure.StatusSubmitted, "schedule", "publish"}, {disclosure.StatusSubmitted, "publish", "publish"},
		{disclosure.StatusPublished, "withdraw", "correct"}, {disclosure.StatusPublished, "correct", "withdraw"},
		{disclosure.StatusPublished, "correct", "correct"}, {disclosure.StatusPublished, "withdraw", "withdraw"},
	}
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		db := storetest.Raw(t, u)
		for _, p := range pairs {
			n := at(t, s, p.from)
			first, second := steps[p.first](t, s, n), steps[p.second](t, s, n)
			apply(t, s, first)
			before := storetest.Dump(t, u, db, "definition")
			_, err := s.Apply(context.Background(), nil, second)
			if !errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale}) {
				t.Errorf("%s, then %s: error = %v, want CodeStale", p.first, p.second, err)
			}
			if diff := storetest.Diff(before, storetest.Dump(t, u, db, "definition")); len(diff) > 0 {
				t.Errorf("%s, then %s left %v", p.first, p.second, diff)
			}
		}
	})
}

// TestOneOfManyWins: a step taken by sixteen at once is taken once.
func TestOneOfManyWins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		for range 5 {
			n := at(t, s, disclosure.StatusSubmitted)
			step := publishTransition(t, s, n, time.Time{})
			var won, stale atomic.Int32
			var all sync.WaitGroup
			for range 16 {
				all.Go(func() {
					switch _, err := s.Apply(context.Background(), nil, step); {
					case err == nil:
						won.Add(1)
					case errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale}):
						stale.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 || stale.Load() != 15 {
				t.Errorf("%d published, %d were told they are late", won.Load(), stale.Load())
			}
		}
	})
}

// TestSecondPersonInSQL: that a reviewer had no hand in the notice, and what else
// the law asks of a published one, is refused by the database itself, whoever
// writes the statement.
func TestSecondPersonInSQL(t *testing.T) {
	cases := []struct{ name, from, statement string }{
		{"the author becomes reviewer", "submitted", `UPDATE notice SET reviewer = author WHERE id = '%s'`},
		{"a contributor becomes reviewer", "submitted", `UPDATE notice SET reviewer = '赵管理' WHERE id = '%s'`},
		{"a contributor becomes reviewer and publishes", "submitted", `UPDATE notice SET reviewer = '赵管理', status = 'published', public = 1, seq = 900 WHERE id = '%s'`},
		{"the reviewer becomes author", "published", `UPDATE notice SET author = reviewer WHERE id = '%s'`},
		{"the reviewer becomes a contributor", "published", `INSERT INTO contributor (notice_id, name) VALUES ('%s', '王核验')`},
		{"a contributor is renamed to the reviewer", "published", `UPDATE contributor SET name = '王核验' WHERE notice_id = '%s' AND name = '李录入'`},
		{"published without a reviewer", "submitted", `UPDATE notice SET status = 'published', public = 1, seq = 901 WHERE id = '%s'`},
		{"the reviewer is taken away", "published", `UPDATE notice SET reviewer = NULL WHERE id = '%s'`},
		{"published without a source", "published", `UPDATE notice SET source_name = '' WHERE id = '%s'`},
		{"published without a place in the order", "published", `UPDATE notice SET seq = NULL WHERE id = '%s'`},
		{"public without being published", "submitted", `UPDATE notice SET public = 1 WHERE id = '%s'`},
		{"published without being public", "published", `UPDATE notice SET public = 0 WHERE id = '%s'`},
		{"inserted as its own reviewer", "published", "insert reviewer author"},
		{"inserted without a reviewer", "published", "insert reviewer NULL"},
		{"two with one code", "published", "insert code code"},
		{"a status there is none of", "published", `UPDATE notice SET status = 'secret', public = 0 WHERE id = '%s'`},
		{"a feed row of a kind there is none of", "published", `UPDATE feed SET kind = 'secret' WHERE notice_id = '%s'`},
		{"a feed row without its notice", "published", `UPDATE feed SET notice_id = NULL WHERE notice_id = '%s'`},
		{"a contributor of no notice", "published", `UPDATE contributor SET notice_id = 'none' WHERE notice_id = '%s'`},
	}
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		db := storetest.Raw(t, u)
		for _, tt := range cases {
			n := apply(t, s, must[disclosure.Transition](t)(at(t, s, disclosure.StatusDraft).Edit(
				storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), 0, storetest.Admin, storetest.Start)))[0]
			n = apply(t, s, submit(t, n))[0]
			if tt.from == "published" {
				apply(t, s, publishTransition(t, s, n, time.Time{}))
			}
			statement := tt.statement
			if column, value, ok := strings.Cut(strings.TrimPrefix(statement, "insert "), " "); ok && column != "" && statement[0] == 'i' {
				statement = copyOf(t, db, map[string]string{"id": "'x'", "code": "'x'", "seq": "902", column: value})
			}
			statement = fmt.Sprintf(statement, n.ID)
			_, err := db.ExecContext(context.Background(), statement)
			if err == nil {
				t.Fatalf("%s: %s was accepted", tt.name, statement)
			}
			if e := strings.ToLower(err.Error()); !strings.Contains(e, "constraint") && !strings.Contains(e, "second_person") {
				t.Errorf("%s: %v", tt.name, err)
			}
		}
	})
}

// copyOf is the statement that inserts a copy of a notice with other values in
// some columns.
func copyOf(t *testing.T, db *sql.DB, values map[string]string) string {
	columns := storetest.Columns(t, db, "notice")
	selected := slices.Clone(columns)
	for i, c := range columns {
		if v, ok := values[c]; ok {
			selected[i] = v
		}
	}
	return "INSERT INTO notice (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(selected, ", ") + " FROM notice WHERE id = '%s'"
}

// TestForgedReviewer: a transition that makes a contributor the reviewer is
// refused as such, even if the decision before it was wrong.
func TestForgedReviewer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		n := at(t, s, disclosure.StatusSubmitted)
		for _, name := range []string{n.Author, "李录入"} {
			forged := publishTransition(t, s, n, time.Time{})
			forged.Notice.Reviewer = name
			_, err := s.Apply(context.Background(), nil, forged)
			wantCode(t, err, disclosure.CodeSamePerson)
		}
	})
}
