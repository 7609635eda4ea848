package disclosure

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Action is one step a notice can take.
type Action string

// The actions, as the audit trail and the notice's history name them.
const (
	ActionCreate    Action = "create"           // 录入
	ActionEdit      Action = "edit"             // 修改
	ActionDelete    Action = "delete"           // 删除草稿
	ActionSubmit    Action = "submit"           // 提交核验
	ActionReject    Action = "reject"           // 退回
	ActionSchedule  Action = "schedule"         // 核验通过，定时发布
	ActionPublish   Action = "publish"          // 发布
	ActionCorrect   Action = "correct"          // 更正: the original's new revision
	ActionTerminate Action = "terminate"        // 终止: the original's new revision
	ActionWithdraw  Action = "withdraw"         // 撤回
	ActionErase     Action = "erase"            // 撤回并清除内容
	ActionExpire    Action = "expire"           // 到期自动下架
	ActionOverride  Action = "privacy_override" // 对个人信息检查结果放行
)

// actionNames are the actions as people read them.
var actionNames = map[Action]string{ActionCreate: "录入", ActionEdit: "修改", ActionDelete: "删除草稿", ActionSubmit: "提交核验",
	ActionReject: "退回", ActionSchedule: "核验通过，定时发布", ActionPublish: "发布", ActionCorrect: "更正", ActionTerminate: "终止",
	ActionWithdraw: "撤回", ActionErase: "撤回并清除内容", ActionExpire: "到期自动下架", ActionOverride: "对个人信息检查结果放行"}

// Name returns the Chinese name of the action.
func (a Action) Name() string { return cmp.Or(actionNames[a], string(a)) }

// FeedKind says what changed in public.
type FeedKind string

// The kinds of change. FeedCatalog is a change of a definition and names no
// notice.
const (
	FeedPublished  FeedKind = "published"
	FeedCorrected  FeedKind = "corrected"
	FeedTerminated FeedKind = "terminated"
	FeedWithdrawn  FeedKind = "withdrawn"
	FeedCatalog    FeedKind = "catalog"
)

// Version is what a transition expects to find: it commits only while the
// stored notice still has this revision and status.
type Version struct {
	Rev    int
	Status Status
}

// Transition is one decided step. It is a plain value: package store commits
// it with its audit line, its history entry and, if Feed is set, its row in the
// change feed, together or not at all.
type Transition struct {
	Action     Action
	Actor      Actor
	At         time.Time
	Comment    string
	From       Version // zero for ActionCreate
	Notice     Notice  // the notice after the step; Code and Seq are given by the store
	NewContent bool    // the revision Notice.Rev is to be written
	Feed       FeedKind
	Lookups    []Lookup // of a housing list made public: what its rows are found by
}

var (
	authors   = []Role{RoleEditor, RoleReviewer, RoleAdmin}
	reviewers = []Role{RoleReviewer, RoleAdmin}
)

// step prepares a transition from n: the notice is copied, dated and stamped.
func (n Notice) step(action Action, a Actor, now time.Time, comment string) Transition {
	t := Transition{Action: action, Actor: a, At: now, Comment: comment,
		From: Version{n.Rev, n.Status}, Notice: n}
	t.Notice.UpdatedAt = now
	return t
}

func (n Notice) requireStatus(action string, allowed ...Status) error {
	if slices.Contains(allowed, n.Status) {
		return nil
	}
	return Errorf(CodeState, "公告现在的状态是“%s”，不能%s", n.Status.Name(), action).On("status")
}

// Create decides on a new draft with the given id. baseRev is the revision of
// the notice it corrects or terminates, or 0. Errors: CodeRole, CodeScope.
func Create(id string, c Content, baseRev int, a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(c.Body, authors...); err != nil {
		return Transition{}, err
	}
	n := Notice{ID: id, Rev: 1, Status: StatusDraft, Content: c, Author: a.Name, Contributors: []string{a.Name},
		CreatedAt: now, UpdatedAt: now, BaseRev: baseRev}
	return Transition{Action: ActionCreate, Actor: a, At: now, Notice: n, NewContent: true}, nil
}

// Edit decides on new content of a draft. Whoever edits becomes a contributor
// and can no longer check it. Errors: CodeRole, CodeScope, CodeState.
func (n Notice) Edit(c Content, baseRev int, a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, authors...); err != nil {
		return Transition{}, err
	}
	if err := a.requireFor(c.Body, authors...); err != nil {
		return Transition{}, err
	}
	if err := n.requireStatus("修改", StatusDraft); err != nil {
		return Transition{}, err
	}
	t := n.step(ActionEdit, a, now, "")
	t.Notice.Content, t.Notice.Rev, t.Notice.BaseRev, t.NewContent = c, n.Rev+1, baseRev, true
	if !slices.Contains(n.Contributors, a.Name) {
		t.Notice.Contributors = append(slices.Clone(n.Contributors), a.Name)
	}
	return t, nil
}

// Delete decides on removing a draft that was never public. Errors: CodeRole,
// CodeScope, CodeState.
func (n Notice) Delete(a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, authors...); err != nil {
		return Transition{}, err
	}
	if err := n.requireStatus("删除", StatusDraft); err != nil {
		return Transition{}, err
	}
	return n.step(ActionDelete, a, now, ""), nil
}

// Submit decides on handing a draft to the reviewer. findings are those of
// Catalog.Review; errors among them are CodeInvalid, warnings not acknowledged
// CodeWarnings. Further errors: CodeRole, CodeScope, CodeState.
func (n Notice) Submit(findings []Finding, ack Acknowledgement, a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, authors...); err != nil {
		return Transition{}, err
	}
	if err := n.requireStatus("提交", StatusDraft); err != nil {
		return Transition{}, err
	}
	if err := ack.settle(findings); err != nil {
		return Transition{}, err
	}
	t := n.step(ActionSubmit, a, now, ack.Reason)
	t.Notice.Status = StatusSubmitted
	return t, nil
}

// Reject decides on returning a notice to its author with a comment. Errors:
// CodeRole, CodeScope, CodeState, CodeInvalid without a comment.
func (n Notice) Reject(comment string, a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, reviewers...); err != nil {
		return Transition{}, err
	}
	if err := n.requireStatus("退回", StatusSubmitted, StatusScheduled); err != nil {
		return Transition{}, err
	}
	if err := requireReason("comment", comment, "请写明退回的原因"); err != nil {
		return Transition{}, err
	}
	t := n.step(ActionReject, a, now, strings.TrimSpace(comment))
	t.Notice.Status, t.Notice.PublishAt = StatusDraft, time.Time{}
	t.Notice.Reviewer, t.Notice.Secrecy = "", Secrecy{}
	return t, nil
}

func requireReason(field, s, message string) error {
	var l faultList
	s = strings.TrimSpace(s)
	l.add(s != "", field, "field.required", message)
	l.length(field, oneLine(s), 0, maxText, "说明")
	return invalid(CodeInvalid, l)
}

// Approval is a reviewer's decision to publish.
type Approval struct {
	Acknowledgement
	PublishAt      time.Time // zero: now, and so is what has passed within a day
	Secrecy        Secrecy   // By and At are filled in
	RequireSecrecy bool      // refuse without a result of the secrecy review
}

// Publish decides on publication by a second person (一次录入、一次核验). With
// PublishAt in the future the notice is scheduled instead. t is the type the
// content was written by; masked values replace the originals. Errors: CodeRole,
// CodeScope, CodeState, CodeSamePerson, CodeInvalid, CodeWarnings.
func (n Notice) Publish(t *NoticeType, findings []Finding, ok Approval, a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, reviewers...); err != nil {
		return Transition{}, err
	}
	if err := n.requireStatus("发布", StatusSubmitted); err != nil {
		return Transition{}, err
	}
	if slices.Contains(n.Contributors, a.Name) {
		return Transition{}, Errorf(CodeSamePerson, "“%s”参与了这条公告的录入，须由另一个人核验", a.Name).On("reviewer")
	}
	if err := ok.check(now); err != nil {
		return Transition{}, err
	}
	if err := ok.settle(findings); err != nil {
		return Transition{}, err
	}
	n.Reviewer = a.Name
	n.Secrecy = Secrecy{By: a.Name, Result: oneLine(ok.Secrecy.Result), Reason: strings.TrimSpace(ok.Secrecy.Reason), At: now}
	if ok.PublishAt.After(now) {
		tr := n.step(ActionSchedule, a, now, ok.Reason)
		tr.Notice.Status, tr.Notice.PublishAt = StatusScheduled, ok.PublishAt
		return tr, nil
	}
	return n.release(t, a, now, ok.Reason), nil
}

func (ok Approval) check(now time.Time) error {
	var l faultList
	l.add(!ok.RequireSecrecy || strings.TrimSpace(ok.Secrecy.Result) != "", "secrecy_review", "field.required",
		"请填写公开前保密审查的结果")
	l.length("secrecy_review.result", oneLine(ok.Secrecy.Result), 0, 50, "保密审查结果")
	l.length("secrecy_review.reason", oneLine(ok.Secrecy.Reason), 0, maxText, "保密审查理由")
	// A slip of the year must not make public at once what was to wait.
	l.add(ok.PublishAt.IsZero() || !ok.PublishAt.Before(now.AddDate(0, 0, -1)), "publish_at", "date.too_early",
		"定时发布的时间已经过去一天以上，请核对年月日；要立即发布，请不填这一项")
	l.add(ok.PublishAt.Before(now.AddDate(1, 0, 0)), "publish_at", "date.too_late", "定时发布的时间最多在一年之内")
	return invalid(CodeInvalid, l)
}

// Release decides on the publication of a scheduled notice that is due.
func (n Notice) Release(t *NoticeType, findings []Finding, now time.Time) (Transition, error) {
	if err := n.requireStatus("发布", StatusScheduled); err != nil {
		return Transition{}, err
	}
	// Warnings were settled by the reviewer; only errors that arose since stop it.
	if err := (Acknowledgement{all: true}).settle(findings); err != nil {
		return Transition{}, err
	}
	return n.release(t, System, now, ""), nil
}

func (n Notice) release(t *NoticeType, a Actor, now time.Time, comment string) Transition {
	tr := n.step(ActionPublish, a, now, comment)
	tr.Notice.Content = n.Masked(t)
	tr.Notice.Status, tr.Notice.PublishedAt, tr.Notice.PublishAt = StatusPublished, now, time.Time{}
	tr.NewContent, tr.Feed = true, FeedPublished
	return tr
}

// Recall decides on returning a scheduled notice that can no longer be
// published to its author; why is what became wrong with it.
func (n Notice) Recall(why string, now time.Time) Transition {
	tr := n.step(ActionReject, System, now, "定时发布未成功："+why)
	tr.Notice.Status, tr.Notice.PublishAt = StatusDraft, time.Time{}
	tr.Notice.Reviewer, tr.Notice.Secrecy = "", Secrecy{}
	return tr
}

// Amendable tells whether the actor may draft a correction or termination of
// the notice. Errors: CodeRole, CodeScope, CodeState unless it is published.
func (n Notice) Amendable(a Actor) error {
	if err := a.requireFor(n.Body, authors...); err != nil {
		return err
	}
	return n.requireStatus("更正或终止", StatusPublished)
}

// Amend decides on the original's new revision when its correction or
// termination by is published. changed is the original's content with the
// correction's changes, ignored for a termination. The correction may be of
// another body, so the actor is asked for the original's. Errors: CodeRole,
// CodeScope, CodeState when the original is no longer published, CodeStale when
// it has a newer revision than the correction was written against.
func (n Notice) Amend(by Notice, changed Content, a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, reviewers...); err != nil {
		return Transition{}, err
	}
	if err := n.requireStatus("更正或终止", StatusPublished); err != nil {
		return Transition{}, err
	}
	if n.Rev != by.BaseRev {
		return Transition{}, Errorf(CodeStale, "原公告已有第 %d 版，这份更正是按第 %d 版写的；请退回后重新保存", n.Rev, by.BaseRev)
	}
	action, feed := ActionCorrect, FeedCorrected
	_, how := by.Amends()
	if how == RelationTerminates {
		action, feed = ActionTerminate, FeedTerminated
	}
	t := n.step(action, a, now, "")
	t.Notice.Rev, t.Notice.SupersededBy, t.NewContent, t.Feed = n.Rev+1, by.ID, true, feed
	if how == RelationTerminates {
		t.Notice.Status, t.Notice.Reason = StatusTerminated, fieldText(by, FieldReason)
	} else {
		t.Notice.Content = changed
	}
	return t, nil
}

func fieldText(n Notice, key string) string {
	s, _ := n.Fields[key].(string)
	return s
}

// Withdraw decides on taking a notice out of the public at once (撤回). Its
// content stays for reviewers and auditors, unless erase is set. Errors:
// CodeRole, CodeScope, CodeState, CodeInvalid without a reason.
func (n Notice) Withdraw(reason string, erase bool, a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, reviewers...); err != nil {
		return Transition{}, err
	}
	again := erase && n.Status == StatusWithdrawn && !n.Erased // erase what was only withdrawn
	if !again {
		if err := n.requireStatus("撤回", StatusPublished, StatusTerminated); err != nil {
			return Transition{}, err
		}
	}
	if err := requireReason("reason", reason, "请写明撤回的原因"); err != nil {
		return Transition{}, err
	}
	t := n.step(ActionWithdraw, a, now, strings.TrimSpace(reason))
	t.Feed = FeedWithdrawn
	t.Notice.Status, t.Notice.Reason, t.Notice.Rev = StatusWithdrawn, oneLine(reason), n.Rev+1
	if !again {
		t.Notice.WithdrawnAt = now
	}
	if erase {
		t.Action, t.Notice.Erased, t.NewContent = ActionErase, true, true
		t.Notice.Content, t.Notice.Secrecy.Reason = n.tombstone(), ""
	}
	return t, nil
}

// Discard decides on removing an unpublished correction or termination of a
// notice that is erased, whatever state it is in: it repeats what must go.
// Errors: CodeRole, CodeScope, CodeState.
func (n Notice) Discard(a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, reviewers...); err != nil {
		return Transition{}, err
	}
	if err := n.requireStatus("删除", StatusDraft, StatusSubmitted, StatusScheduled); err != nil {
		return Transition{}, err
	}
	return n.step(ActionDelete, a, now, ""), nil
}

// SeenBy returns the notice as the actor may read it among staff: what was
// withdrawn stays for reviewers and auditors, and an editor is shown only what
// kind it was and why it is gone.
func (n Notice) SeenBy(a Actor) Notice {
	if n.Status == StatusWithdrawn && !n.Erased && a.Role == RoleEditor {
		n.Content = n.tombstone()
		n.Title, n.Secrecy.Reason = "（已撤回）", ""
	}
	return n
}

// tombstone is what is left of an erased notice: what kind it was and whose,
// never what it said.
func (c Content) tombstone() Content {
	return Content{Type: c.Type, TypeVersion: c.TypeVersion, Title: "（已撤回并清除）", Body: c.Body,
		Source: Source{Name: c.Source.Name}, Fields: Values{}, Items: c.Items,
		Attachments: []Attachment{}, Relations: c.Relations}
}
