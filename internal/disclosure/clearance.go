package disclosure

import (
	"slices"
	"strings"
	"time"

	"gongkai/internal/workday"
)

// Override decides on letting personal data pass that the privacy check found: by a
// second person, with a reason that stays in the notice's history. It holds for
// this revision of the content and no other. found are the privacy check's findings.
// Errors: CodeRole, CodeScope, CodeState, CodeSamePerson, CodeInvalid without a
// reason or with nothing to override.
func (n Notice) Override(found []Finding, reason string, a Actor, now time.Time) (Transition, error) {
	if err := a.requireFor(n.Body, reviewers...); err != nil {
		return Transition{}, err
	}
	if err := n.requireStatus("放行", StatusDraft, StatusSubmitted, StatusScheduled); err != nil {
		return Transition{}, err
	}
	if slices.Contains(n.Contributors, a.Name) {
		return Transition{}, Errorf(CodeSamePerson, "“%s”参与了这条公告的录入，须由另一个人放行", a.Name).On("reviewer")
	}
	if err := requireReason("reason", reason, "请写明为什么必须公开这些个人信息"); err != nil {
		return Transition{}, err
	}
	if err := RefuseLeaks("reason", reason); err != nil {
		return Transition{}, err
	}
	if !slices.ContainsFunc(found, Finding.Personal) {
		return Transition{}, Errorf(CodeInvalid, "没有发现需要放行的个人信息").On("reason")
	}
	return n.step(ActionOverride, a, now, strings.TrimSpace(reason)), nil
}

// Overridden returns the step by which the personal data in the present
// revision was let pass, and whether there is one.
func (n Notice) Overridden() (Step, bool) {
	for _, s := range slices.Backward(n.Steps) {
		if s.Action == ActionOverride && s.Rev == n.Rev {
			return s, true
		}
	}
	return Step{}, false
}

// RefuseLeaks returns CodeInvalid when a text that is kept or shown as it is,
// such as the reason of a withdrawal, holds numbers that are personal: a mobile
// that may be meant as a contact too, for nobody is asked here whether it is.
func RefuseLeaks(field, text string) error {
	var l faultList
	for _, leak := range FindLeaks(text) {
		if !leak.Private {
			l.add(false, field, privacyPrefix+string(leak.Kind), "这里不能写"+leak.Kind.Name())
		}
	}
	return invalid(CodeInvalid, l)
}

// ExpiresOn returns the first day on which a notice that lists natural persons
// is no longer public: after the publicity period that its deadline field gives,
// and not before its type's retention has passed since publication. Zero: never.
func (n Notice) ExpiresOn(t *NoticeType) workday.Date {
	if !t.Personal || t.RetentionDays == 0 || n.PublishedAt.IsZero() {
		return workday.Date{}
	}
	day := workday.DateOf(n.PublishedAt).AddDays(t.RetentionDays + 1)
	if end := n.DeadlineAt(t); !end.IsZero() {
		if after := workday.DateOf(end).AddDays(1); after.Compare(day) > 0 {
			day = after
		}
	}
	return day
}

// Expire decides on taking a list of persons out of the public when its time is
// over. What it said stays for reviewers and auditors, masked as it was, until
// somebody erases it. why says so to the public. Errors: CodeState.
func (n Notice) Expire(why string, now time.Time) (Transition, error) {
	if err := n.requireStatus("下架", StatusPublished, StatusTerminated); err != nil {
		return Transition{}, err
	}
	t := n.step(ActionExpire, System, now, why)
	t.Feed = FeedWithdrawn
	t.Notice.Status, t.Notice.Reason, t.Notice.Rev, t.Notice.WithdrawnAt = StatusWithdrawn, why, n.Rev+1, now
	return t, nil
}
