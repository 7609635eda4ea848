package store_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/internal/workday"
)

// TestNoticeByStatus: the public reads what is public, is told that a withdrawn
// notice was withdrawn and why, and of no other.
func TestNoticeByStatus(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		for _, n := range storetest.Corpus(t, s, 6, 120) {
			for _, ref := range []disclosure.NoticeRef{{ID: n.ID}, {Code: n.Code}} {
				d, err := s.Notice(ctx, ref)
				head, headErr := s.Status(ctx, ref)
				switch n.Status {
				case disclosure.StatusPublished, disclosure.StatusTerminated:
					sum := must[string](t)(n.ContentSHA256())
					if err != nil || d.ContentSHA256 != sum || !reflect.DeepEqual(d.Content, n.Content) || d.Rev != n.Rev || d.Status != n.Status {
						t.Fatalf("%s: %+v, %v, want %+v", ref, d.Notice, err, n)
					}
				case disclosure.StatusWithdrawn:
					wantCode(t, err, disclosure.CodeWithdrawn)
					if !strings.Contains(err.Error(), "内容有误") || !strings.Contains(err.Error(), n.WithdrawnAt.Format("2006年1月2日")) {
						t.Errorf("withdrawn: %v", err)
					}
				default:
					wantCode(t, err, disclosure.CodeNotFound)
					wantCode(t, headErr, disclosure.CodeNotFound)
					continue
				}
				if headErr != nil || head.Rev != n.Rev || head.Status != n.Status {
					t.Errorf("%s: head %+v, %v, want rev %d %s", ref, head, headErr, n.Rev, n.Status)
				}
			}
		}
	})
}

// TestRevisions: every public revision stays readable as it was, with what
// caused it; drafts before publication never are.
func TestRevisions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		n := at(t, s, disclosure.StatusDraft)
		c := n.Content
		c.Title = "第二稿"
		n = apply(t, s, must[disclosure.Transition](t)(n.Edit(c, 0, storetest.Editor, storetest.Start)))[0]
		n = apply(t, s, submit(t, n))[0]
		n = apply(t, s, publishTransition(t, s, n, time.Time{}))[0]
		corrected := apply(t, s, storetest.Amended(t, s.Catalog(), n, changes("title", "更正后"), storetest.Start.Add(time.Hour))...)
		ended := apply(t, s, storetest.Amended(t, s.Catalog(), corrected[2], nil, storetest.Start.Add(2*time.Hour))...)
		page := must[disclosure.RevisionPage](t)(s.Revisions(ctx, disclosure.NoticeRef{Code: n.Code}))
		want := []struct {
			rev    int
			status disclosure.Status
			cause  disclosure.Action
			by     string
			title  string
		}{
			{4, disclosure.StatusTerminated, disclosure.ActionTerminate, ended[0].Code, "更正后"},
			{3, disclosure.StatusPublished, disclosure.ActionCorrect, corrected[0].Code, "更正后"},
			{2, disclosure.StatusPublished, disclosure.ActionPublish, "", "第二稿"},
		}
		if len(page.Revisions) != len(want) || page.Notice.Rev != 4 {
			t.Fatalf("revisions = %+v", page.Revisions)
		}
		for i, w := range want {
			r := page.Revisions[i]
			if r.Rev != w.rev || r.Status != w.status || r.Cause != w.cause || r.CauseCode != w.by || r.At.IsZero() {
				t.Errorf("revision %d = %+v, want %+v", i, r, w)
			}
			one := must[disclosure.RevisionPage](t)(s.Revision(ctx, disclosure.NoticeRef{ID: n.ID}, w.rev)).Revisions[0]
			if one.Content.Title != w.title || one.ContentSHA256 != must[string](t)(one.Content.ContentSHA256()) {
				t.Errorf("content of revision %d = %+v", w.rev, one)
			}
		}
		for _, rev := range []int{1, 5, 0, -1} {
			_, err := s.Revision(ctx, disclosure.NoticeRef{ID: n.ID}, rev)
			wantCode(t, err, disclosure.CodeNotFound)
		}
		d := must[disclosure.NoticeDetail](t)(s.Notice(ctx, disclosure.NoticeRef{ID: n.ID}))
		if d.Revisions != 3 || d.SupersededBy != ended[0].ID {
			t.Errorf("detail: %d revisions, superseded by %s", d.Revisions, d.SupersededBy)
		}
		if head := must[disclosure.NoticeHead](t)(s.Status(ctx, disclosure.NoticeRef{ID: n.ID})); head.SupersededBy != ended[0].Code {
			t.Errorf("head: superseded by %q, want %s", head.SupersededBy, ended[0].Code)
		}
		apply(t, s, must[disclosure.Transition](t)(ended[2].Withdraw("有误", false, storetest.Reviewer, storetest.Start)))
		_, err := s.Revisions(ctx, disclosure.NoticeRef{ID: n.ID})
		wantCode(t, err, disclosure.CodeWithdrawn)
		_, err = s.Revision(ctx, disclosure.NoticeRef{ID: n.ID}, 2)
		wantCode(t, err, disclosure.CodeWithdrawn)
	})
}

// TestLinks: relations are seen from both ends, of public notices only.
func TestLinks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		first := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.tender_notice", "招标公告"), storetest.Start)
		c := storetest.Content(t, s.Catalog(), "construction.candidates", "中标候选人公示")
		c.Relations = []disclosure.Relation{{Type: disclosure.RelationFollows, ID: first.ID}, {Type: disclosure.RelationFollows, ID: first.ID}}
		follows := storetest.Publish(t, s, c, storetest.Start)
		apply(t, s, must[disclosure.Transition](t)(disclosure.Create(newID(), c, 0, storetest.Editor, storetest.Start))) // a draft
		correction := apply(t, s, storetest.Amended(t, s.Catalog(), first, changes("title", "招标公告（更正）"), storetest.Start)...)[0]
		links := func(id string) string {
			var out []string
			for _, l := range must[disclosure.NoticeDetail](t)(s.Notice(ctx, disclosure.NoticeRef{ID: id})).Links {
				out = append(out, string(l.Type)+" "+l.Code+" "+l.Title)
			}
			return strings.Join(out, "; ")
		}
		if got, want := links(first.ID), "followed_by "+follows.Code+" "+follows.Title+"; corrected_by "+correction.Code+" "+correction.Title; got != want {
			t.Errorf("links of the first = %s, want %s", got, want)
		}
		if got, want := links(follows.ID), "follows "+first.Code+" 招标公告（更正）"; got != want {
			t.Errorf("links of the second = %s, want %s", got, want)
		}
		apply(t, s, must[disclosure.Transition](t)(follows.Withdraw("有误", false, storetest.Reviewer, storetest.Start)))
		if got := links(first.ID); strings.Contains(got, "followed_by") {
			t.Errorf("a withdrawn notice is linked: %s", got)
		}
	})
}

// TestProject: a project's public notices, oldest first, however its number is
// written; the newest one's spelling is shown.
func TestProject(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		o := storetest.NewOracle(s.Catalog(), storetest.Corpus(t, s, 7, 150))
		for _, code := range []string{"TH2026-001", "th2026 - 001", "ＴＨ２０２６－００１", "th2026-0021", "g2026/12", "亭发改审[2026]5号", "亭发改审〔2026〕5号", "TH2026", "", " ", "\u200b"} {
			var want []disclosure.Notice
			for _, n := range o.Public() {
				if n.Project != nil && disclosure.ProjectKey(n.ProjectCode()) == disclosure.ProjectKey(code) {
					want = append(want, n)
				}
			}
			slices.Reverse(want)
			p, err := s.Project(ctx, code)
			if len(want) == 0 {
				wantCode(t, err, disclosure.CodeNoProject)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := codes(p.Notices, summaryCode); !slices.Equal(got, codes(want, noticeCode)) || p.Code != want[len(want)-1].ProjectCode() {
				t.Errorf("Project(%q) = %s %v, want %v", code, p.Code, got, codes(want, noticeCode))
			}
		}
	})
}

// TestOverviewAgainstOracle counts what is public by sector and item, day by day.
func TestOverviewAgainstOracle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		empty := must[disclosure.Overview](t)(s.Overview(ctx, workday.DateOf(storetest.Start)))
		if len(empty.Sectors)+len(empty.Items) != 0 {
			t.Errorf("overview of nothing = %+v", empty)
		}
		o := storetest.NewOracle(s.Catalog(), storetest.Corpus(t, s, 8, 250))
		for _, days := range []int{-1, 0, 1, 3, 8, 10, 500} {
			since := workday.DateOf(storetest.Start).AddDays(days)
			sectors, items := map[string]disclosure.SectorCount{}, map[string]disclosure.ItemCount{}
			for _, n := range o.Public() { // newest first
				c := sectors[n.SectorCode()]
				if c.Published++; c.Published == 1 {
					c.Newest, c.LastAt = &disclosure.Summary{Code: n.Code}, n.PublishedAt
				}
				if workday.DateOf(n.PublishedAt).Compare(since) >= 0 {
					c.Last30Days++
				}
				sectors[n.SectorCode()] = c
				for _, id := range n.Items {
					i := items[id]
					if i.Published++; i.Published == 1 {
						i.LastAt = n.PublishedAt
					}
					items[id] = i
				}
			}
			got := must[disclosure.Overview](t)(s.Overview(ctx, since))
			if describeOverview(got) != describeOverview(disclosure.Overview{Sectors: sectors, Items: items}) {
				t.Errorf("overview since %s =\n%s\nwant\n%s", since, describeOverview(got), describeOverview(disclosure.Overview{Sectors: sectors, Items: items}))
			}
		}
	})
}

func describeOverview(o disclosure.Overview) string {
	var out []string
	for code, c := range o.Sectors {
		if c.Published > 0 { // a sector that has lost all it had may stay
			out = append(out, fmt.Sprintf("%s %d, %d recent, %d, newest %s", code, c.Published, c.Last30Days, c.LastAt.UnixMilli(), c.Newest.Code))
		}
	}
	for id, c := range o.Items {
		if c.Published > 0 {
			out = append(out, fmt.Sprintf("%s %d, %d", id, c.Published, c.LastAt.UnixMilli()))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// TestStaffList visits every notice once, last changed first, for each filter.
func TestStaffList(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		all := storetest.Corpus(t, s, 9, 130)
		slices.SortFunc(all, func(a, b disclosure.Notice) int {
			return cmp.Or(b.UpdatedAt.Truncate(time.Millisecond).Compare(a.UpdatedAt.Truncate(time.Millisecond)), cmp.Compare(b.Code, a.Code))
		})
		for _, tt := range []struct {
			q    disclosure.StaffQuery
			keep func(disclosure.Notice) bool
		}{
			{disclosure.StaffQuery{}, func(disclosure.Notice) bool { return true }},
			{disclosure.StaffQuery{Status: disclosure.StatusDraft}, func(n disclosure.Notice) bool { return n.Status == disclosure.StatusDraft }},
			{disclosure.StaffQuery{Status: disclosure.StatusWithdrawn}, func(n disclosure.Notice) bool { return n.Status == disclosure.StatusWithdrawn }},
			{disclosure.StaffQuery{Mine: storetest.Editor.Name}, func(disclosure.Notice) bool { return true }},
			{disclosure.StaffQuery{Mine: storetest.Reviewer.Name}, func(disclosure.Notice) bool { return false }},
			{disclosure.StaffQuery{Bodies: []string{all[0].Body, "none"}}, func(n disclosure.Notice) bool { return n.Body == all[0].Body }},
			{disclosure.StaffQuery{Status: disclosure.StatusPublished, Bodies: []string{all[0].Body}, Mine: storetest.Editor.Name},
				func(n disclosure.Notice) bool { return n.Status == disclosure.StatusPublished && n.Body == all[0].Body }},
		} {
			want := slices.DeleteFunc(slices.Clone(all), func(n disclosure.Notice) bool { return !tt.keep(n) })
			var got []disclosure.Notice
			for q := tt.q; ; {
				q.Limit = 1 + len(got)%17
				page := must[disclosure.StaffPage](t)(s.StaffList(ctx, q))
				if page.Total != len(want) || page.TotalCapped || len(page.Items) > q.Limit {
					t.Fatalf("%+v: page of %d, total %d, want %d", q, len(page.Items), page.Total, len(want))
				}
				got = append(got, page.Items...)
				if !page.More {
					break
				}
				last := got[len(got)-1]
				q.After = &disclosure.Cursor{A: last.UpdatedAt.UnixMilli(), B: must[int64](t)(json.Number(last.Code).Int64())}
			}
			if !slices.Equal(codes(got, noticeCode), codes(want, noticeCode)) {
				t.Errorf("%+v = %v, want %v", tt.q, codes(got, noticeCode), codes(want, noticeCode))
			}
		}
	})
}

// TestStaffNotice: who works on a notice sees its history and everybody who had
// a hand in it.
func TestStaffNotice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		n := at(t, s, disclosure.StatusSubmitted)
		n = apply(t, s, must[disclosure.Transition](t)(n.Reject("请补充附件", storetest.Reviewer, storetest.Start)))[0]
		n = apply(t, s, must[disclosure.Transition](t)(n.Edit(n.Content, 0, storetest.Admin, storetest.Start.Add(time.Minute))))[0]
		got := must[disclosure.StaffNotice](t)(s.Staff(context.Background(), disclosure.NoticeRef{Code: n.Code}))
		var steps []string
		for _, st := range got.Steps {
			steps = append(steps, fmt.Sprintf("%s %s %q %d", st.Action, st.By, st.Comment, st.Rev))
		}
		want := []string{`create 李录入 "" 1`, `submit 李录入 "" 1`, `reject 王核验 "请补充附件" 1`, `edit 赵管理 "" 2`}
		if !slices.Equal(steps, want) || !slices.Equal(got.Contributors, []string{"李录入", "赵管理"}) || got.Reviewer != "" || got.Status != disclosure.StatusDraft {
			t.Errorf("steps %v, contributors %v, reviewer %q", steps, got.Contributors, got.Reviewer)
		}
		_, err := s.Staff(context.Background(), disclosure.NoticeRef{ID: newID()})
		wantCode(t, err, disclosure.CodeNotFound)
	})
}

// TestDue: scheduled notices whose instant has come, to the millisecond, the
// earliest first; no others.
func TestDue(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		ctx := context.Background()
		var want []string
		for _, after := range []time.Duration{3 * time.Hour, time.Hour, 2 * time.Hour} {
			n := at(t, s, disclosure.StatusSubmitted)
			apply(t, s, publishTransition(t, s, n, storetest.Start.Add(after)))
			want = append(want, n.ID)
		}
		want = []string{want[1], want[2], want[0]}
		storetest.Corpus(t, s, 10, 30)
		for i, now := range []time.Duration{0, time.Hour - time.Millisecond, time.Hour, 2 * time.Hour, 30 * time.Hour} {
			got := must[[]string](t)(s.Due(ctx, storetest.Start.Add(now)))
			if n := []int{0, 0, 1, 2, 3}[i]; !slices.Equal(got, want[:n]) {
				t.Errorf("due after %s = %v, want %v", now, got, want[:n])
			}
		}
	})
}

// TestResolve finds ids by id and by code and leaves out what is unknown.
func TestResolve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		n := at(t, s, disclosure.StatusDraft)
		got := must[map[string]string](t)(s.Resolve(context.Background(), []string{n.ID, n.Code, "12345672", `"'\`}))
		if got[n.ID] != n.ID || got[n.Code] != n.ID || len(got) != 2 {
			t.Errorf("Resolve = %v", got)
		}
		if got := must[map[string]string](t)(s.Resolve(context.Background(), nil)); len(got) != 0 {
			t.Errorf("Resolve of nothing = %v", got)
		}
	})
}
