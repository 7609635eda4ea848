package disclosure

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The people of these tests, each with a token for every body.
var (
	editor   = Actor{Token: "t-editor", Name: "李录入", Role: RoleEditor}
	reviewer = Actor{Token: "t-reviewer", Name: "王核验", Role: RoleReviewer}
	admin    = Actor{Token: "t-admin", Name: "赵管理", Role: RoleAdmin}
)

var landType = &NoticeType{Code: "land.notice", Version: 1, Fields: []Field{
	{Key: "applicant", Kind: FieldPerson, Mask: MaskName}, {Key: "price", Kind: FieldMoney}}}

func landContent() Content {
	return Content{Type: "land.notice", TypeVersion: 1, Title: "出让公告", Summary: "摘要", BodyHTML: "<p>正文</p>", Body: "b1",
		Source: Source{Name: "交易平台", URL: "https://example.com/secret"}, Fields: Values{"applicant": "王小明", "price": "1.00"},
		Project: &Project{Code: "TH2026-001", Name: "秘密项目"}, Region: "320902", FormedAt: testDay, DecidedAt: testDay, Items: []string{"A1-04"},
		Attachments: []Attachment{{ID: "f1", Name: "附件.pdf", SHA256: "1a"}}, Relations: []Relation{{Type: RelationFollows, ID: "n0"}}}
}

// must is for steps that a test takes for granted.
func must(t *testing.T) func(Transition, error) Notice {
	return func(tr Transition, err error) Notice {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return tr.Notice
	}
}

// noticeIn leads a notice into a state by the steps that people take.
func noticeIn(t *testing.T, state string) Notice {
	t.Helper()
	n := must(t)(Create("n1", landContent(), 0, editor, testNow))
	if state == "draft" {
		return n
	}
	n = must(t)(n.Submit(nil, Acknowledgement{}, editor, testNow))
	switch state {
	case "submitted":
		return n
	case "scheduled":
		return must(t)(n.Publish(landType, nil, Approval{PublishAt: testNow.Add(time.Hour)}, reviewer, testNow))
	}
	n = must(t)(n.Publish(landType, nil, Approval{}, reviewer, testNow))
	switch state {
	case "terminated":
		return must(t)(n.Amend(amending(RelationTerminates, 1), Content{}, reviewer, testNow))
	case "withdrawn", "erased":
		return must(t)(n.Withdraw("信息有误", state == "erased", reviewer, testNow))
	}
	return n
}

func amending(how RelationType, base int) Notice {
	return Notice{ID: "n2", BaseRev: base, Content: Content{Body: "b1", Relations: []Relation{{Type: how, ID: "n1"}},
		Fields: Values{FieldReason: "项目取消"}}}
}

var states = []string{"draft", "submitted", "scheduled", "published", "terminated", "withdrawn", "erased"}

// steps says what each step needs and does. after is the status it leads to,
// by the state it starts from; from any other it is CodeState.
var steps = []struct {
	name   string
	take   func(n Notice, a Actor) (Transition, error)
	by     Actor
	roles  []Role // that may take it, nil when the system does
	after  map[string]Status
	action Action
	revs   int // that it counts up
	writes bool
	feed   FeedKind
}{
	{"edit", func(n Notice, a Actor) (Transition, error) { return n.Edit(landContent(), 0, a, testNow) }, editor, authors,
		map[string]Status{"draft": StatusDraft}, ActionEdit, 1, true, ""},
	{"delete", func(n Notice, a Actor) (Transition, error) { return n.Delete(a, testNow) }, editor, authors,
		map[string]Status{"draft": StatusDraft}, ActionDelete, 0, false, ""},
	{"submit", func(n Notice, a Actor) (Transition, error) { return n.Submit(nil, Acknowledgement{}, a, testNow) }, editor, authors,
		map[string]Status{"draft": StatusSubmitted}, ActionSubmit, 0, false, ""},
	{"reject", func(n Notice, a Actor) (Transition, error) { return n.Reject(" 请补充 ", a, testNow) }, reviewer, reviewers,
		map[string]Status{"submitted": StatusDraft, "scheduled": StatusDraft}, ActionReject, 0, false, ""},
	{"publish", func(n Notice, a Actor) (Transition, error) { return n.Publish(landType, nil, Approval{}, a, testNow) }, reviewer, reviewers,
		map[string]Status{"submitted": StatusPublished}, ActionPublish, 0, true, FeedPublished},
	{"schedule", func(n Notice, a Actor) (Transition, error) {
		return n.Publish(landType, nil, Approval{PublishAt: testNow.Add(time.Hour)}, a, testNow)
	}, reviewer, reviewers, map[string]Status{"submitted": StatusScheduled}, ActionSchedule, 0, false, ""},
	{"release", func(n Notice, _ Actor) (Transition, error) { return n.Release(landType, nil, testNow) }, System, nil,
		map[string]Status{"scheduled": StatusPublished}, ActionPublish, 0, true, FeedPublished},
	{"correct", func(n Notice, a Actor) (Transition, error) {
		return n.Amend(amending(RelationCorrects, 1), landContent(), a, testNow)
	}, reviewer, reviewers, map[string]Status{"published": StatusPublished}, ActionCorrect, 1, true, FeedCorrected},
	{"terminate", func(n Notice, a Actor) (Transition, error) {
		return n.Amend(amending(RelationTerminates, 1), Content{}, a, testNow)
	}, reviewer, reviewers, map[string]Status{"published": StatusTerminated}, ActionTerminate, 1, true, FeedTerminated},
	{"withdraw", func(n Notice, a Actor) (Transition, error) { return n.Withdraw("信息有误", false, a, testNow) }, reviewer, reviewers,
		map[string]Status{"published": StatusWithdrawn, "terminated": StatusWithdrawn}, ActionWithdraw, 1, false, FeedWithdrawn},
	{"erase", func(n Notice, a Actor) (Transition, error) { return n.Withdraw("个人信息", true, a, testNow) }, reviewer, reviewers,
		map[string]Status{"published": StatusWithdrawn, "terminated": StatusWithdrawn, "withdrawn": StatusWithdrawn},
		ActionErase, 1, true, FeedWithdrawn}, // the tombstone is written over what was said
}

func TestEveryStepFromEveryState(t *testing.T) {
	for _, state := range states {
		for _, step := range steps {
			n := noticeIn(t, state)
			if step.name == "correct" || step.name == "terminate" {
				n.Rev = 1 // the state refuses it, not the revision
			}
			tr, err := step.take(n, step.by)
			want, allowed := step.after[state]
			switch {
			case !allowed && (codeOf(err) != CodeState || faultsOf(err) != "status notice.state" || !reflect.DeepEqual(tr, Transition{})):
				t.Errorf("%s of a notice that is %s = %v, %v, want code %q", step.name, state, tr.Action, err, CodeState)
			case !allowed:
			case err != nil || tr.Notice.Status != want || tr.Action != step.action:
				t.Errorf("%s of a notice that is %s = %s to %q, %v, want %q", step.name, state, tr.Action, tr.Notice.Status, err, want)
			case tr.Notice.Rev != n.Rev+step.revs || tr.NewContent != step.writes || tr.Feed != step.feed:
				t.Errorf("%s of a notice that is %s: revision %d, writes %t, feed %q, want %d, %t, %q", step.name, state,
					tr.Notice.Rev, tr.NewContent, tr.Feed, n.Rev+step.revs, step.writes, step.feed)
			}
		}
	}
}

// A transition names what it expects to find, who did it and when, and leaves
// the notice it was decided on as it was.
func TestStepsAreStamped(t *testing.T) {
	for _, step := range steps {
		for state := range step.after {
			n, before := noticeIn(t, state), noticeIn(t, state)
			later := n.UpdatedAt.Add(-time.Minute)
			n.UpdatedAt, before.UpdatedAt = later, later
			tr, err := step.take(n, step.by)
			if err != nil {
				t.Fatalf("%s of a notice that is %s = %v, want no error", step.name, state, err)
			}
			if tr.From != (Version{n.Rev, n.Status}) || tr.Actor.Name != step.by.Name || !tr.At.Equal(testNow) ||
				!tr.Notice.UpdatedAt.Equal(testNow) {
				t.Errorf("%s of a notice that is %s: from %+v by %s at %s, updated at %s", step.name, state, tr.From,
					tr.Actor.Name, tr.At, tr.Notice.UpdatedAt)
			}
			if !reflect.DeepEqual(n, before) {
				t.Errorf("%s of a notice that is %s changed it to %+v, want %+v", step.name, state, n, before)
			}
		}
	}
}

func TestStepsNeedTheirRole(t *testing.T) {
	for _, step := range steps {
		for state := range step.after {
			for _, role := range Roles {
				if step.roles == nil {
					continue
				}
				a := Actor{Token: "t", Name: "另一人", Role: role}
				want := Code("")
				if !slices.Contains(step.roles, role) {
					want = CodeRole
				}
				if _, err := step.take(noticeIn(t, state), a); codeOf(err) != want {
					t.Errorf("%s of a notice that is %s, as %s = %v, want code %q", step.name, state, role, err, want)
				}
			}
		}
	}
	for _, role := range Roles {
		want := map[bool]Code{true: "", false: CodeRole}[slices.Contains([]Role{RoleEditor, RoleReviewer, RoleAdmin}, role)]
		if _, err := Create("n1", landContent(), 0, Actor{Name: "某人", Role: role}, testNow); codeOf(err) != want {
			t.Errorf("Create(as %s) = %v, want code %q", role, err, want)
		}
	}
}

func TestStepsNeedTheBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		bodies []string
		want   Code
	}{
		{"every body", nil, ""},
		{"this body among others", []string{"b0", "b1"}, ""},
		{"another body", []string{"b2"}, CodeScope},
	} {
		for _, step := range steps {
			for state := range step.after {
				if step.roles == nil {
					continue
				}
				a := Actor{Token: "t", Name: "另一人", Role: RoleAdmin, Bodies: tt.bodies}
				if _, err := step.take(noticeIn(t, state), a); codeOf(err) != tt.want {
					t.Errorf("%s of a notice that is %s, for %s = %v, want code %q", step.name, state, tt.name, err, tt.want)
				}
			}
		}
		if _, err := Create("n1", landContent(), 0, Actor{Name: "某人", Role: RoleEditor, Bodies: tt.bodies}, testNow); codeOf(err) != tt.want {
			t.Errorf("Create(for %s) = %v, want code %q", tt.name, err, tt.want)
		}
	}
	moved := landContent()
	moved.Body = "b2"
	if _, err := noticeIn(t, "draft").Edit(moved, 0, Actor{Name: "某人", Role: RoleEditor, Bodies: []string{"b1"}}, testNow); codeOf(err) != CodeScope {
		t.Errorf("Edit(into another body) = %v, want code %q", err, CodeScope)
	}
}

func TestCreate(t *testing.T) {
	tr, err := Create("n1", landContent(), 3, editor, testNow)
	if err != nil {
		t.Fatal(err)
	}
	want := Notice{ID: "n1", Rev: 1, Status: StatusDraft, Content: landContent(), Author: "李录入", Contributors: []string{"李录入"},
		CreatedAt: testNow, UpdatedAt: testNow, BaseRev: 3}
	if !reflect.DeepEqual(tr.Notice, want) || tr.From != (Version{}) || tr.Action != ActionCreate || !tr.NewContent || tr.Feed != "" {
		t.Errorf("Create() = %+v, want a draft of %+v", tr, want)
	}
}

func TestRejectReturnsToTheAuthor(t *testing.T) {
	for _, state := range []string{"submitted", "scheduled"} {
		for _, comment := range []string{"", " \n　"} {
			if _, err := noticeIn(t, state).Reject(comment, reviewer, testNow); faultsOf(err) != "comment field.required" {
				t.Errorf("Reject(%q) of a notice that is %s = %v, want a comment", comment, state, err)
			}
		}
		if _, err := noticeIn(t, state).Reject(strings.Repeat("字", 501), reviewer, testNow); faultsOf(err) != "comment text.too_long" {
			t.Errorf("Reject(501 characters) = %v, want text.too_long", err)
		}
		tr, err := noticeIn(t, state).Reject(" 请补充\n附件 ", reviewer, testNow)
		if err != nil {
			t.Fatal(err)
		}
		n := tr.Notice
		if tr.Comment != "请补充\n附件" || n.Reviewer != "" || n.Secrecy != (Secrecy{}) || !n.PublishAt.IsZero() || n.Author != "李录入" {
			t.Errorf("Reject() of a notice that is %s = %q, %+v, want nothing of the check kept", state, tr.Comment, n)
		}
	}
}

func TestWithdrawNeedsAReason(t *testing.T) {
	tests := []struct{ name, reason, faults string }{
		{"a reason", "信息有误", ""},
		{"500 characters", strings.Repeat("字", 500), ""},
		{"none", "", "reason field.required"},
		{"blanks", " \n", "reason field.required"},
		{"501 characters", strings.Repeat("字", 501), "reason text.too_long"},
		{"a control character", "甲\x1b", "reason text.control"},
	}
	for _, tt := range tests {
		for _, erase := range []bool{false, true} {
			tr, err := noticeIn(t, "published").Withdraw(tt.reason, erase, reviewer, testNow)
			if faultsOf(err) != tt.faults || tt.faults != "" && codeOf(err) != CodeInvalid {
				t.Errorf("%s: Withdraw(erase %t) = %v, want faults %q", tt.name, erase, err, tt.faults)
			}
			if err == nil && (tr.Notice.Reason != tt.reason || !tr.Notice.WithdrawnAt.Equal(testNow)) {
				t.Errorf("%s: Withdraw(erase %t) keeps %q at %s", tt.name, erase, tr.Notice.Reason, tr.Notice.WithdrawnAt)
			}
		}
	}
}

func TestWithdrawnContentStaysUntilErased(t *testing.T) {
	published := noticeIn(t, "published")
	n := must(t)(published.Withdraw("信息有误", false, reviewer, testNow.Add(time.Hour)))
	if !reflect.DeepEqual(n.Content, published.Content) || n.Erased {
		t.Errorf("Withdraw() = %+v, want the content kept for reviewers and auditors", n)
	}
	erased := must(t)(n.Withdraw("含有个人信息", true, admin, testNow.Add(2*time.Hour)))
	if !erased.WithdrawnAt.Equal(testNow.Add(time.Hour)) || erased.Reason != "含有个人信息" || !erased.Erased || erased.Rev != n.Rev+1 {
		t.Errorf("Withdraw(erase) after Withdraw() = %+v, want the first instant and the new reason", erased)
	}
}

// What is left of an erased notice says what kind it was and whose, and holds
// none of its text.
func TestTombstoneHoldsNoneOfTheText(t *testing.T) {
	for _, state := range []string{"published", "terminated", "withdrawn"} {
		n := must(t)(noticeIn(t, state).Withdraw("个人信息", true, reviewer, testNow))
		want := Content{Type: "land.notice", TypeVersion: 1, Title: "（已撤回并清除）", Body: "b1", Source: Source{Name: "交易平台"},
			Fields: Values{}, Items: []string{"A1-04"}, Attachments: []Attachment{}, Relations: []Relation{{Type: RelationFollows, ID: "n0"}}}
		if !reflect.DeepEqual(n.Content, want) {
			t.Errorf("Withdraw(erase) of a notice that is %s leaves %+v, want %+v", state, n.Content, want)
		}
		text := valueJSON(t, n.Content)
		for _, word := range []string{"出让", "摘要", "正文", "王", "1.00", "TH2026", "秘密", "secret", "附件", "320902", "2026-11-23"} {
			if strings.Contains(text, word) {
				t.Errorf("Withdraw(erase) of a notice that is %s leaves %q in %s", state, word, text)
			}
		}
	}
}

func TestStatusesOfANotice(t *testing.T) {
	tests := []struct {
		status Status
		name   string
		public bool
	}{
		{StatusDraft, "草稿", false},
		{StatusSubmitted, "待核验", false},
		{StatusScheduled, "待定时发布", false},
		{StatusPublished, "已发布", true},
		{StatusTerminated, "已终止", true},
		{StatusWithdrawn, "已撤回", false},
		{"other", "other", false},
	}
	for _, tt := range tests {
		if got := tt.status.Name(); got != tt.name || tt.status.Public() != tt.public {
			t.Errorf("%s: Name() = %q, Public() = %t, want %q, %t", tt.status, got, tt.status.Public(), tt.name, tt.public)
		}
	}
	for from, want := range map[RelationType]RelationType{RelationCorrects: RelationCorrectedBy,
		RelationTerminates: RelationTerminatedBy, RelationFollows: RelationFollowedBy} {
		if got := from.Inverse(); got != want {
			t.Errorf("Inverse(%s) = %s, want %s", from, got, want)
		}
	}
	if got := (Summary{Type: "land.notice"}).Sector(); got != "land" {
		t.Errorf("Sector() of land.notice = %q, want land", got)
	}
}
