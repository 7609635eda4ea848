package store_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// scene prepares what a step needs and returns the step, to be tried again and
// again until it succeeds.
type scene struct {
	name    string
	prepare func(t *testing.T, s *store.Store, tag string) func() error
	rows    map[string]int // what the step adds to each table
}

func file(t testing.TB, s *store.Store, name, data string) disclosure.Attachment {
	t.Helper()
	f := disclosure.Attachment{ID: "u-" + disclosure.Digest(name + data)[:12], Name: name, Size: int64(len(data)), SHA256: disclosure.Digest(data), Type: "text/plain"}
	if err := s.SaveUpload(context.Background(), storetest.Editor, f, []byte(data), storetest.Start); err != nil {
		t.Fatal(err)
	}
	return f
}

// at returns a notice led into a status by the fixtures' people, with a file and
// a relation.
func at(t testing.TB, s *store.Store, status disclosure.Status) disclosure.Notice {
	t.Helper()
	other := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.approval", "立项批复"), storetest.Start)
	c := storetest.Content(t, s.Catalog(), "construction.tender_notice", "盐东镇道路改造工程招标公告")
	c.Attachments = []disclosure.Attachment{file(t, s, "招标文件.txt", "招标文件"+other.Code)}
	c.Relations = []disclosure.Relation{{Type: disclosure.RelationFollows, ID: other.ID}}
	created := apply(t, s, must[disclosure.Transition](t)(disclosure.Create(newID(), c, 0, storetest.Editor, storetest.Start)))[0]
	if status == disclosure.StatusDraft {
		return created
	}
	submitted := apply(t, s, submit(t, created))[0]
	if status == disclosure.StatusSubmitted {
		return submitted
	}
	return apply(t, s, publishTransition(t, s, submitted, time.Time{}))[0]
}

func submit(t testing.TB, n disclosure.Notice) disclosure.Transition {
	t.Helper()
	return must[disclosure.Transition](t)(n.Submit(nil, disclosure.Acknowledgement{}, storetest.Editor, storetest.Start))
}

func publishTransition(t testing.TB, s *store.Store, n disclosure.Notice, later time.Time) disclosure.Transition {
	t.Helper()
	typ, err := s.Catalog().TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		t.Fatal(err)
	}
	return must[disclosure.Transition](t)(n.Publish(typ, nil, disclosure.Approval{PublishAt: later}, storetest.Reviewer, storetest.Start))
}

// try makes a step of transitions decided once.
func try(s *store.Store, r *disclosure.Receipt, ts ...disclosure.Transition) func() error {
	return func() error {
		_, err := s.Apply(context.Background(), r, ts...)
		return err
	}
}

var scenes = []scene{
	{"create with a receipt, a file and a relation", func(t *testing.T, s *store.Store, tag string) func() error {
		c := at(t, s, disclosure.StatusDraft).Content
		return try(s, &disclosure.Receipt{Token: "t", Key: "k" + tag, Request: "d"},
			must[disclosure.Transition](t)(disclosure.Create(newID(), c, 0, storetest.Editor, storetest.Start)))
	}, map[string]int{"notice": 1, "revision": 1, "contributor": 1, "step": 1, "relation": 1, "notice_file": 1, "receipt": 1, "audit": 1}},

	{"edit by another person", func(t *testing.T, s *store.Store, tag string) func() error {
		n := at(t, s, disclosure.StatusDraft)
		c := n.Content
		c.Title, c.Relations = "改过的标题", nil
		return try(s, nil, must[disclosure.Transition](t)(n.Edit(c, 0, storetest.Admin, storetest.Start)))
	}, map[string]int{"revision": 1, "contributor": 1, "step": 1, "relation": -1, "audit": 1}},

	{"delete", func(t *testing.T, s *store.Store, tag string) func() error {
		return try(s, nil, must[disclosure.Transition](t)(at(t, s, disclosure.StatusDraft).Delete(storetest.Editor, storetest.Start)))
	}, map[string]int{"notice": -1, "revision": -1, "contributor": -1, "step": -1, "relation": -1, "notice_file": -1, "audit": 1}},

	{"submit", func(t *testing.T, s *store.Store, tag string) func() error {
		return try(s, nil, submit(t, at(t, s, disclosure.StatusDraft)))
	}, map[string]int{"step": 1, "audit": 1}},

	{"reject", func(t *testing.T, s *store.Store, tag string) func() error {
		return try(s, nil, must[disclosure.Transition](t)(at(t, s, disclosure.StatusSubmitted).Reject("请补充", storetest.Reviewer, storetest.Start)))
	}, map[string]int{"step": 1, "audit": 1}},

	{"schedule", func(t *testing.T, s *store.Store, tag string) func() error {
		return try(s, nil, publishTransition(t, s, at(t, s, disclosure.StatusSubmitted), storetest.Start.Add(time.Hour)))
	}, map[string]int{"step": 1, "audit": 1}},

	{"publish", func(t *testing.T, s *store.Store, tag string) func() error {
		return try(s, nil, publishTransition(t, s, at(t, s, disclosure.StatusSubmitted), time.Time{}))
	}, map[string]int{"step": 1, "audit": 1, "feed": 1, "push_event": 1, "search_text": 1, "notice_item": 1, "search_index": 1, "deadline": 3}},

	{"correct: the correction and the original's new revision", func(t *testing.T, s *store.Store, tag string) func() error {
		n := at(t, s, disclosure.StatusPublished)
		return try(s, nil, storetest.Amended(t, s.Catalog(), n, changes("title", "盐东镇道路改造工程招标公告（更正）"), storetest.Start)...)
	}, map[string]int{"notice": 1, "revision": 2, "contributor": 1, "step": 3, "relation": 1, "audit": 3, "feed": 2, "push_event": 1, "search_text": 1, "notice_item": 1, "search_index": 1}},

	{"terminate", func(t *testing.T, s *store.Store, tag string) func() error {
		n := at(t, s, disclosure.StatusPublished)
		return try(s, nil, storetest.Amended(t, s.Catalog(), n, nil, storetest.Start)...)
	}, map[string]int{"notice": 1, "revision": 2, "contributor": 1, "step": 3, "relation": 1, "audit": 3, "feed": 2, "push_event": 1, "search_text": 1, "notice_item": 1, "search_index": 1, "deadline": -3}},

	{"withdraw", func(t *testing.T, s *store.Store, tag string) func() error {
		n := at(t, s, disclosure.StatusPublished)
		return try(s, nil, must[disclosure.Transition](t)(n.Withdraw("内容有误", false, storetest.Reviewer, storetest.Start)))
	}, map[string]int{"step": 1, "audit": 1, "feed": 1, "search_text": -1, "notice_item": -1, "search_index": -1, "deadline": -3}},

	{"withdraw and erase", func(t *testing.T, s *store.Store, tag string) func() error {
		n := at(t, s, disclosure.StatusPublished)
		return try(s, nil, must[disclosure.Transition](t)(n.Withdraw("含个人信息", true, storetest.Reviewer, storetest.Start)))
	}, map[string]int{"revision": 1, "step": 1, "audit": 1, "feed": 1, "search_text": -1, "notice_item": -1, "search_index": -1, "upload": -1, "blob": -1, "blob_chunk": -1, "purge": 11, "deadline": -3}},

	{"upload", func(t *testing.T, s *store.Store, tag string) func() error {
		f := disclosure.Attachment{ID: "u" + tag, Name: "a.txt", Size: 4, SHA256: disclosure.Digest("abc" + tag), Type: "text/plain"}
		return func() error {
			return s.SaveUpload(context.Background(), storetest.Editor, f, []byte("abc"+tag), storetest.Start)
		}
	}, map[string]int{"upload": 1, "blob": 1, "blob_chunk": 1, "audit": 1}},

	{"define two", func(t *testing.T, s *store.Store, tag string) func() error {
		defs := []disclosure.Definition{sector(t, "energy"+tag, 1), sector(t, "forest"+tag, 1)}
		return func() error { return s.Define(context.Background(), storetest.Admin, defs...) }
	}, map[string]int{"definition": 2, "audit": 2, "feed": 2}},

	{"create a token", func(t *testing.T, s *store.Store, tag string) func() error {
		return func() error {
			return s.CreateToken(context.Background(), storetest.Admin, token("t"+tag), []byte("hash"+tag))
		}
	}, map[string]int{"api_token": 1, "audit": 1}},

	{"revoke a token", func(t *testing.T, s *store.Store, tag string) func() error {
		if err := s.CreateToken(context.Background(), storetest.Admin, token("t"+tag), []byte("hash"+tag)); err != nil {
			t.Fatal(err)
		}
		return func() error { return s.RevokeToken(context.Background(), storetest.Admin, "t"+tag, storetest.Start) }
	}, map[string]int{"audit": 1}},
}

func token(id string) disclosure.Token {
	return disclosure.Token{ID: id, Actor: disclosure.Actor{Token: id, Name: "李录入", Role: disclosure.RoleEditor}, CreatedAt: storetest.Start}
}

func sector(t testing.TB, code string, version int) disclosure.Definition {
	t.Helper()
	d, err := disclosure.ParseDefinition(disclosure.KindSector, []byte(fmt.Sprintf(`{"code":%q,"name":"%s领域"}`, code, code)))
	if err != nil {
		t.Fatal(err)
	}
	d.Version, d.At, d.By = version, storetest.Start, "赵管理"
	return d
}

// TestAllOrNothing makes every statement of every step fail in turn, its COMMIT
// included, once before it is carried out and once after: nothing is left
// half-written, the chain of the audit holds, and the step can be taken
// afterwards as if nothing had happened.
func TestAllOrNothing(t *testing.T) {
	eachWired(t, func(t *testing.T, s *store.Store, u string, w *wire) {
		db := storetest.Raw(t, u)
		for i, sc := range scenes {
			t.Run(sc.name, func(t *testing.T) {
				var skip []string
				if sc.rows["definition"] == 0 {
					skip = []string{"definition"} // large, and not touched
				}
				for _, after := range []bool{false, true} {
					step := sc.prepare(t, s, fmt.Sprintf("%c%t", 'a'+i, after))
					before := storetest.Dump(t, u, db, skip...)
					for n := 1; !failStep(t, w, step, n, after); n++ {
						if diff := storetest.Diff(before, storetest.Dump(t, u, db, skip...)); len(diff) > 0 {
							t.Fatalf("fault at statement %d left %v", n, diff)
						}
					}
					compareRows(t, sc.rows, before, storetest.Dump(t, u, db, skip...))
				}
				if _, err := s.VerifyAudit(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// failStep takes the step with a fault at its n-th statement and reports whether
// it was carried out nevertheless: it has fewer statements, or the fault came
// once it was committed.
func failStep(t *testing.T, w *wire, step func() error, n int, after bool) bool {
	t.Helper()
	w.failAt(n, after)
	err := step()
	reached, committed := w.disarm()
	if !reached && err != nil {
		t.Fatal(err)
	}
	if reached && !errors.Is(err, errInjected) {
		t.Fatalf("fault at statement %d: error = %v", n, err)
	}
	return !reached || committed
}

// compareRows holds the number of rows of each table against what a step adds.
func compareRows(t *testing.T, want map[string]int, before, after map[string][]string) {
	t.Helper()
	got := map[string]int{}
	for name := range after {
		got[name] = countRows(name, after[name]) - countRows(name, before[name])
	}
	for name := range before {
		got[name] = countRows(name, after[name]) - countRows(name, before[name])
	}
	maps.DeleteFunc(got, func(name string, n int) bool { return n == 0 || name == "tally" || name == "coverage" }) // these are counted up
	if !maps.Equal(got, want) {
		t.Errorf("rows added = %v, want %v", got, want)
	}
}

// countRows counts documents, not words, in the full-text index.
func countRows(name string, rows []string) int {
	docs := map[string]bool{}
	for _, row := range rows {
		if name == "search_index" {
			row, _, _ = strings.Cut(row, " | ")
		}
		docs[row] = true
	}
	return len(docs)
}
