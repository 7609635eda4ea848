package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/publish"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

const tender = "construction.tender_notice"

// desk is a service over a real database at an hour of the test's choosing.
type desk struct {
	*publish.Service
	t     *testing.T
	store *store.Store
	url   string
	now   time.Time
}

// each runs the test on both databases.
func each(t *testing.T, test func(t *testing.T, d *desk)) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		d := &desk{t: t, store: s, url: u, now: storetest.Start}
		d.Service = &publish.Service{Store: s, Now: func() time.Time { return d.now }}
		test(t, d)
	})
}

func as(a disclosure.Actor) disclosure.Request { return disclosure.Request{Actor: a} }

func ref(id string) disclosure.NoticeRef { return disclosure.NoticeRef{ID: id} }

// ok is for steps that a test takes for granted.
func (d *desk) ok(o disclosure.Outcome, err error) disclosure.Outcome {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
	return o
}

func (d *desk) draft(title string) disclosure.Draft {
	return storetest.Draft(d.t, d.store.Catalog(), tender, title)
}

// submitted is the id of a notice that waits for its second person.
func (d *desk) submitted(title string) string {
	d.t.Helper()
	o := d.ok(d.Create(d.t.Context(), as(storetest.Editor), d.draft(title)))
	return d.ok(d.Submit(d.t.Context(), as(storetest.Editor), ref(o.ID), disclosure.Acknowledgement{})).ID
}

func (d *desk) published(title string) string {
	d.t.Helper()
	id := d.submitted(title)
	d.ok(d.Publish(d.t.Context(), as(storetest.Reviewer), ref(id), disclosure.Approval{}))
	return id
}

func (d *desk) scheduled(title string, in time.Duration) string {
	d.t.Helper()
	id := d.submitted(title)
	d.ok(d.Publish(d.t.Context(), as(storetest.Reviewer), ref(id), disclosure.Approval{PublishAt: d.now.Add(in)}))
	return id
}

func (d *desk) status(id string) disclosure.StaffNotice {
	d.t.Helper()
	n, err := d.store.Staff(d.t.Context(), ref(id))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func (d *desk) want(err error, code disclosure.Code) {
	d.t.Helper()
	if !errors.Is(err, &disclosure.Error{Code: code}) {
		d.t.Errorf("error = %v, want %s", err, code)
	}
}

// Everything due is released once, as of now, and nothing else.
func TestReleaseDue(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		soon, later := d.scheduled("甲", time.Hour), d.scheduled("乙", 3*time.Hour)
		also := d.scheduled("丙", 2*time.Hour)
		recalled := d.scheduled("丁", time.Hour)
		d.ok(d.Reject(t.Context(), as(storetest.Reviewer), ref(recalled), "再核对一下"))
		d.now = d.now.Add(2 * time.Hour)
		for _, want := range []int{2, 0} {
			if n, err := d.ReleaseDue(t.Context()); n != want || err != nil {
				t.Errorf("ReleaseDue = %d, %v, want %d", n, err, want)
			}
		}
		for id, want := range map[string]disclosure.Status{soon: disclosure.StatusPublished, also: disclosure.StatusPublished,
			later: disclosure.StatusScheduled, recalled: disclosure.StatusDraft} {
			n := d.status(id)
			if n.Status != want || want == disclosure.StatusPublished && (!n.PublishedAt.Equal(d.now) || n.Reviewer != storetest.Reviewer.Name) {
				t.Errorf("%s is %s, published at %s by %s", n.Title, n.Status, n.PublishedAt, n.Reviewer)
			}
		}
	})
}

// What can no longer be published goes back to its author with the reason, and
// keeps nothing else waiting.
func TestReleaseOfWhatIsNoLongerValid(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		original := d.published("原公告")
		c := d.ok(d.Correct(t.Context(), as(storetest.Editor), ref(original), map[string]json.RawMessage{"title": json.RawMessage(`"新标题"`)}, "有误"))
		d.ok(d.Submit(t.Context(), as(storetest.Editor), ref(c.ID), disclosure.Acknowledgement{}))
		d.ok(d.Publish(t.Context(), as(storetest.Reviewer), ref(c.ID), disclosure.Approval{PublishAt: d.now.Add(time.Hour)}))
		other := d.scheduled("其他", 2*time.Hour)
		d.ok(d.Withdraw(t.Context(), as(storetest.Reviewer), ref(original), "撤回", false))
		d.now = d.now.Add(2 * time.Hour)
		if n, err := d.ReleaseDue(t.Context()); n != 2 || err != nil {
			t.Errorf("ReleaseDue = %d, %v", n, err)
		}
		n := d.status(c.ID)
		last := n.Steps[len(n.Steps)-1]
		if n.Status != disclosure.StatusDraft || !strings.Contains(last.Comment, "定时发布未成功") || !strings.Contains(last.Comment, "已撤回") {
			t.Errorf("the correction of a withdrawn notice is %s: %s", n.Status, last.Comment)
		}
		if got := d.status(other).Status; got != disclosure.StatusPublished {
			t.Errorf("the other is %s", got)
		}
	})
}

// Who may not decide on the original may not have its correction published by
// waiting either: at the hour nobody is there to be asked.
func TestScheduledCorrectionOfAnotherBody(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		original := d.published("原公告")
		n := d.status(original)
		correction, err := n.Correction(map[string]json.RawMessage{"title": json.RawMessage(`"新标题"`)}, "有误")
		if err != nil {
			t.Fatal(err)
		}
		other := n.Catalog.Bodies[0].ID
		if other == n.Body {
			other = n.Catalog.Bodies[1].ID
		}
		correction.Body = other
		id := d.ok(d.Create(t.Context(), as(storetest.Editor), correction)).ID
		d.ok(d.Submit(t.Context(), as(storetest.Editor), ref(id), disclosure.Acknowledgement{}))
		scoped := storetest.Reviewer
		scoped.Bodies = []string{other}
		for _, at := range []time.Time{{}, d.now.Add(time.Hour)} {
			_, err := d.Publish(t.Context(), as(scoped), ref(id), disclosure.Approval{PublishAt: at})
			d.want(err, disclosure.CodeScope)
		}
		d.ok(d.Publish(t.Context(), as(storetest.Reviewer), ref(id), disclosure.Approval{PublishAt: d.now.Add(time.Hour)}))
	})
}

// However many instances look for what is due, each notice is released once.
func TestReleaseByManyInstances(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		for i := range 12 {
			d.scheduled(fmt.Sprintf("公告%d", i), time.Hour)
		}
		d.now = d.now.Add(time.Hour)
		before, err := d.store.Changes(t.Context(), 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		total := 0
		for range 4 {
			all.Go(func() {
				n, err := d.ReleaseDue(t.Context())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				total += n
			})
		}
		all.Wait()
		after, err := d.store.Changes(t.Context(), before.LastSeq, 100)
		if err != nil {
			t.Fatal(err)
		}
		if total != 12 || len(after.Items) != 12 {
			t.Errorf("%d were released and %d are in the feed, want 12", total, len(after.Items))
		}
	})
}

// One request sent many times at once is carried out once, and all are told the
// same.
func TestSameRequestAtOnce(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		draft := d.draft("甲")
		r := disclosure.Request{Actor: storetest.Editor, Key: "k", Digest: "d"}
		var all sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			all.Go(func() {
				o, err := d.Create(t.Context(), r, draft)
				if err != nil {
					t.Error(err)
				}
				ids[i] = o.ID
			})
		}
		all.Wait()
		for _, id := range ids {
			if id != ids[0] || id == "" {
				t.Errorf("one request made %v", ids)
			}
		}
		r.Digest = "another"
		_, err := d.Create(t.Context(), r, draft)
		d.want(err, disclosure.CodeIdemClash)
	})
}

// A request sent again while the first is under way finds the notice already
// moved on; it is told of the first all the same.
func TestSameStepWhileUnderWay(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		id := d.ok(d.Create(t.Context(), as(storetest.Editor), d.draft("甲"))).ID
		r := disclosure.Request{Actor: storetest.Editor, Key: "k", Digest: "d"}
		submit := func() (disclosure.Outcome, error) {
			return d.Submit(t.Context(), r, ref(id), disclosure.Acknowledgement{})
		}
		late := r // has looked for a receipt and found none yet
		o, err := d.Once(t.Context(), late, func() (string, error) {
			d.ok(submit())
			_, err := d.Submit(t.Context(), as(storetest.Editor), ref(id), disclosure.Acknowledgement{})
			return "", err
		})
		if err != nil || !o.Replayed || o.ID != id || o.Status != disclosure.StatusSubmitted {
			t.Errorf("the second is told %v: %q is %s, replayed %t", err, o.ID, o.Status, o.Replayed)
		}
		late.Key = "another"
		_, err = d.Once(t.Context(), late, func() (string, error) {
			_, err := d.Submit(t.Context(), as(storetest.Editor), ref(id), disclosure.Acknowledgement{})
			return "", err
		})
		d.want(err, disclosure.CodeState)
	})
}

// Of steps that exclude each other one is taken, and the others are told why
// not.
func TestStepsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		for round := range 5 {
			id := d.submitted(fmt.Sprint("公告", round))
			steps := []func(ctx context.Context) error{
				func(ctx context.Context) error {
					_, err := d.Publish(ctx, as(storetest.Reviewer), ref(id), disclosure.Approval{})
					return err
				},
				func(ctx context.Context) error {
					_, err := d.Publish(ctx, as(storetest.Admin), ref(id), disclosure.Approval{})
					return err
				},
				func(ctx context.Context) error {
					_, err := d.Reject(ctx, as(storetest.Reviewer), ref(id), "退回")
					return err
				},
			}
			errs := make([]error, len(steps))
			var all sync.WaitGroup
			for i, step := range steps {
				all.Go(func() { errs[i] = step(t.Context()) })
			}
			all.Wait()
			done := 0
			for _, err := range errs {
				switch {
				case err == nil:
					done++
				case !errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale}) && !errors.Is(err, &disclosure.Error{Code: disclosure.CodeState}):
					t.Errorf("the slower one is told %v", err)
				}
			}
			if done != 1 {
				t.Errorf("%d steps of three were taken", done)
			}
		}
		if _, err := d.store.VerifyAudit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// One person is one person, with however many tokens and whatever their part.
func TestNobodyChecksTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		id := d.ok(d.Create(t.Context(), as(storetest.Editor), d.draft("甲"))).ID
		second := storetest.Reviewer
		d.ok(d.Edit(t.Context(), as(second), ref(id), d.draft("甲，改过")))
		d.ok(d.Submit(t.Context(), as(storetest.Editor), ref(id), disclosure.Acknowledgement{}))
		for _, a := range []disclosure.Actor{
			{Token: "new", Name: storetest.Editor.Name, Role: disclosure.RoleReviewer},
			{Token: "new", Name: storetest.Editor.Name, Role: disclosure.RoleAdmin},
			second, {Token: "new", Name: second.Name, Role: disclosure.RoleAdmin},
		} {
			_, err := d.Publish(t.Context(), as(a), ref(id), disclosure.Approval{})
			d.want(err, disclosure.CodeSamePerson)
			_, err = d.Publish(t.Context(), as(a), ref(id), disclosure.Approval{PublishAt: d.now.Add(time.Hour)})
			d.want(err, disclosure.CodeSamePerson)
		}
		d.ok(d.Publish(t.Context(), as(storetest.Admin), ref(id), disclosure.Approval{}))
	})
}

func TestSecrecyReviewCanBeRequired(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		id := d.submitted("甲")
		d.RequireSecrecy = true
		for _, s := range []disclosure.Secrecy{{}, {Result: "  "}, {Reason: "理由"}} {
			_, err := d.Publish(t.Context(), as(storetest.Reviewer), ref(id), disclosure.Approval{Secrecy: s})
			d.want(err, disclosure.CodeInvalid)
		}
		n := d.ok(d.Publish(t.Context(), as(storetest.Reviewer), ref(id), disclosure.Approval{Secrecy: disclosure.Secrecy{By: "别人", Result: "不涉密"}}))
		if n.Secrecy.By != storetest.Reviewer.Name || n.Secrecy.Result != "不涉密" || !n.Secrecy.At.Equal(d.now) {
			t.Errorf("recorded: %+v", n.Secrecy)
		}
	})
}

// Erasing takes with it whatever repeats the notice, public or not, and leaves
// no trace of what it said.
func TestEraseTakesWhatRepeatsIt(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		const secret = "绝密工程"
		id := d.published(secret + "招标公告")
		correct := func(to string) string {
			return d.ok(d.Correct(t.Context(), as(storetest.Editor), ref(id), map[string]json.RawMessage{"title": json.RawMessage(`"` + secret + to + `"`)}, "有误")).ID
		}
		public := correct("新公告")
		d.ok(d.Submit(t.Context(), as(storetest.Editor), ref(public), disclosure.Acknowledgement{}))
		d.ok(d.Publish(t.Context(), as(storetest.Reviewer), ref(public), disclosure.Approval{}))
		draft, waiting := correct("草稿"), correct("待核验")
		d.ok(d.Submit(t.Context(), as(storetest.Editor), ref(waiting), disclosure.Acknowledgement{}))
		d.ok(d.Withdraw(t.Context(), as(storetest.Reviewer), ref(id), "含有不宜公开的内容", true))
		for _, gone := range []string{draft, waiting} {
			_, err := d.store.Staff(t.Context(), ref(gone))
			d.want(err, disclosure.CodeNotFound)
		}
		if n := d.status(public); n.Status != disclosure.StatusWithdrawn || !n.Erased {
			t.Errorf("the public correction is %s, erased %v", n.Status, n.Erased)
		}
		if traces := storetest.Traces(t, d.url, secret); len(traces) > 0 {
			t.Errorf("traces: %v", traces)
		}
		if _, err := d.store.VerifyAudit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// emptied is a cache that counts how often it was emptied.
type emptied struct{ times int }

// Purge implements publish.Purger.
func (e *emptied) Purge(context.Context) []disclosure.PurgedPlace {
	e.times++
	return []disclosure.PurgedPlace{{Place: "memory", Count: 7, Done: true}}
}

// A withdrawal that is sent again is acknowledged no sooner than the first is, and
// does what an erasure left undone whose process ended after its commit.
func TestWithdrawalSentAgain(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.Settle = 50 * time.Millisecond
		id := d.published("甲")
		r := disclosure.Request{Actor: storetest.Reviewer, Key: "k", Digest: "d"}
		d.ok(d.Withdraw(t.Context(), r, ref(id), "含有不宜公开的内容", true)) // without caches: it ended here
		cache := &emptied{}
		d.Caches = []publish.Purger{cache}
		for range 2 {
			began := time.Now()
			o := d.ok(d.Withdraw(t.Context(), r, ref(id), "含有不宜公开的内容", true))
			if took := time.Since(began); took < d.Settle || !o.Replayed {
				t.Errorf("acknowledged after %v, replayed %t", took, o.Replayed)
			}
			if cache.times != 1 || !slices.ContainsFunc(o.Purged, func(p disclosure.PurgedPlace) bool { return p.Place == "memory" && p.Count == 7 }) {
				t.Errorf("caches emptied %d times, receipt %v", cache.times, o.Purged)
			}
		}
	})
}

// A list that cannot be taken out of the public keeps no other there.
func TestListsExpireEachByItself(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		const list = "housing.allocation_result"
		broken := storetest.Publish(t, d.store, storetest.Content(t, d.store.Catalog(), list, "第一批"), d.now)
		other := storetest.Publish(t, d.store, storetest.Content(t, d.store.Catalog(), list, "第二批"), d.now)
		storetest.Exec(t, storetest.Raw(t, d.url), `UPDATE revision SET doc = '{' WHERE notice_id = '`+broken.ID+`'`)
		d.now = d.now.AddDate(2, 0, 0)
		if n, err := d.ExpireDue(t.Context()); n != 1 || err == nil || !strings.Contains(err.Error(), broken.ID) {
			t.Errorf("ExpireDue() = %d, %v; want 1, and which one failed", n, err)
		}
		if n := d.status(other.ID); n.Status != disclosure.StatusWithdrawn {
			t.Errorf("the other list is %s", n.Status)
		}
	})
}

// Withdrawing without erasing leaves the correction, which is a notice of its
// own, as it is.
func TestWithdrawalLeavesTheCorrection(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		id := d.published("原公告")
		c := d.ok(d.Correct(t.Context(), as(storetest.Editor), ref(id), map[string]json.RawMessage{"title": json.RawMessage(`"新标题"`)}, "有误")).ID
		d.ok(d.Submit(t.Context(), as(storetest.Editor), ref(c), disclosure.Acknowledgement{}))
		d.ok(d.Publish(t.Context(), as(storetest.Reviewer), ref(c), disclosure.Approval{}))
		d.ok(d.Withdraw(t.Context(), as(storetest.Reviewer), ref(id), "撤回", false))
		if got := d.status(c).Status; got != disclosure.StatusPublished {
			t.Errorf("the correction is %s", got)
		}
	})
}

// Check says what Create would refuse, and writes nothing.
func TestCheckWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		db := storetest.Raw(t, d.url)
		before := storetest.Dump(t, d.url, db, "definition")
		bad := d.draft(" ")
		for _, tt := range []struct {
			actor disclosure.Actor
			draft disclosure.Draft
			code  disclosure.Code
		}{{storetest.Editor, d.draft("甲"), ""}, {storetest.Editor, bad, disclosure.CodeInvalid},
			{disclosure.Actor{Name: "孙", Role: disclosure.RoleAuditor}, d.draft("甲"), disclosure.CodeRole}} {
			if err := d.Check(t.Context(), tt.actor, tt.draft); tt.code != "" {
				d.want(err, tt.code)
			} else if err != nil {
				t.Error(err)
			}
		}
		if diff := storetest.Diff(before, storetest.Dump(t, d.url, db, "definition")); len(diff) > 0 {
			t.Errorf("written: %v", diff)
		}
	})
}
