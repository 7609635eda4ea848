// Package publish is the only writer of notices: draft → submit → publish →
// correct, terminate or withdraw. It looks up what a step needs, lets package
// disclosure decide, and has package store commit; nothing else. What the store
// may not hold in clear – what people find their own row by, the number a caller
// left – it hashes or seals on the way.
package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/workday"
)

// Service carries out the steps of notices. It is safe for concurrent use.
type Service struct {
	Store *store.Store
	Now   func() time.Time
	// RequireSecrecy refuses publication without the result of the secrecy
	// review (政府信息公开条例 第十七条).
	RequireSecrecy bool

	Extract   Extractor // nil: no file can be read, and each needs a person's look
	Caches    []Purger  // emptied when a notice is erased
	LookupKey []byte    // of the hashes by which people find their own row of a list; nil: the database keeps one

	CallbackKeys disclosure.NumberKeys // encrypt callers' numbers; none: the database keeps one
	CallbackDays int                   // a number is kept after its call

	ownLookupKey, ownCallbackKey atomic.Pointer[[]byte]
	// Settle is waited for after a withdrawal, before it is answered: by then no
	// worker of the push begins to send the notice. 0 waits for nothing.
	Settle time.Duration
}

func receipt(r disclosure.Request) *disclosure.Receipt {
	if r.Key == "" {
		return nil
	}
	return &disclosure.Receipt{Token: r.Actor.Token, Key: r.Key, Request: r.Digest}
}

// once runs a step unless its idempotency key says it was carried out.
func (s *Service) once(ctx context.Context, r disclosure.Request, step func() (id string, err error)) (disclosure.Outcome, error) {
	if res, done, err := s.replay(ctx, r); done || err != nil {
		return res, err
	}
	id, err := step()
	if refused := new(disclosure.Error); errors.As(err, &refused) {
		// The same request may have run beside this one and come first: its
		// receipt is in the way, or the notice has moved on by it.
		if res, done, again := s.replay(ctx, r); done || again != nil {
			return res, again
		}
	}
	if err != nil || id == "" {
		return disclosure.Outcome{}, err
	}
	n, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
	return disclosure.Outcome{StaffNotice: n}, err
}

func (s *Service) replay(ctx context.Context, r disclosure.Request) (disclosure.Outcome, bool, error) {
	if r.Key == "" {
		return disclosure.Outcome{}, false, nil
	}
	digest, id, found, err := s.Store.FindReceipt(ctx, r.Actor.Token, r.Key, s.Now())
	if err != nil || !found {
		return disclosure.Outcome{}, false, err
	}
	if digest != r.Digest {
		return disclosure.Outcome{}, false, disclosure.Errorf(disclosure.CodeIdemClash, "这个 Idempotency-Key 已用于另一个请求").On("Idempotency-Key")
	}
	n, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
	if errors.Is(err, &disclosure.Error{Code: disclosure.CodeNotFound}) {
		return disclosure.Outcome{Replayed: true}, true, nil // it was deleted, by this request or since
	}
	return disclosure.Outcome{StaffNotice: n, Replayed: true}, true, err
}

// decide makes the transitions of a step from the notice as it stands.
type decide func(n disclosure.StaffNotice) ([]disclosure.Transition, error)

func (s *Service) step(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, f decide) (disclosure.Outcome, error) {
	return s.once(ctx, r, func() (string, error) {
		n, err := s.Store.Staff(ctx, ref)
		if err != nil {
			return "", err
		}
		if r.IfMatch != 0 && r.IfMatch != n.Rev {
			return "", disclosure.Errorf(disclosure.CodeStale, "公告现在是第 %d 版，您看到的是第 %d 版", n.Rev, r.IfMatch).On("If-Match")
		}
		ts, err := f(n)
		if err != nil {
			return "", err
		}
		done, err := s.Store.Apply(ctx, receipt(r), ts...)
		if err != nil {
			return "", err
		}
		return done[0].ID, nil
	})
}

func single(t disclosure.Transition, err error) ([]disclosure.Transition, error) {
	return []disclosure.Transition{t}, err
}

func (s *Service) today() workday.Date { return workday.DateOf(s.Now()) }

// Create stores a new draft. Errors: CodeInvalid, CodeUnknown, CodeRole,
// CodeScope and those of Request.
func (s *Service) Create(ctx context.Context, r disclosure.Request, d disclosure.Draft) (disclosure.Outcome, error) {
	return s.once(ctx, r, func() (string, error) {
		t, err := s.create(ctx, r.Actor, d)
		if err != nil {
			return "", err
		}
		done, err := s.Store.Apply(ctx, receipt(r), t)
		if err != nil {
			return "", err
		}
		return done[0].ID, nil
	})
}

func (s *Service) create(ctx context.Context, a disclosure.Actor, d disclosure.Draft) (disclosure.Transition, error) {
	content, base, err := s.content(ctx, a, d)
	if err != nil {
		return disclosure.Transition{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return disclosure.Transition{}, fmt.Errorf("publish: new id: %w", err)
	}
	return disclosure.Create(id.String(), content, base, a, s.Now())
}

// content reads a draft with everything it refers to. base is the revision of
// the notice it amends, or 0; the actor must act for that notice's body too.
func (s *Service) content(ctx context.Context, a disclosure.Actor, d disclosure.Draft) (c disclosure.Content, base int, err error) {
	head, err := s.Store.Head(ctx)
	if err != nil {
		return c, 0, err
	}
	return s.contentAt(ctx, head.Catalog, a, d)
}

// contentAt is content by a catalogue that is at hand.
func (s *Service) contentAt(ctx context.Context, catalog *disclosure.Catalog, a disclosure.Actor, d disclosure.Draft) (c disclosure.Content, base int, err error) {
	refs, err := s.references(ctx, d)
	if err != nil {
		return c, 0, err
	}
	if c, err = d.Content(catalog, refs); err != nil {
		return c, 0, err
	}
	id, _ := c.Amends()
	if id == "" {
		return c, 0, nil
	}
	original, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
	if err == nil {
		err = original.Amendable(a)
	}
	if err != nil {
		return c, 0, err
	}
	if _, err := s.amended(ctx, original, &c); err != nil {
		return c, 0, err
	}
	return c, original.Rev, nil
}

func (s *Service) references(ctx context.Context, d disclosure.Draft) (refs disclosure.References, err error) {
	var files, notices []string
	for _, a := range d.Attachments {
		files = append(files, a.ID)
	}
	for _, r := range d.Relations {
		notices = append(notices, r.ID)
	}
	if refs.Files, err = s.Store.Uploads(ctx, files); err != nil {
		return refs, err
	}
	refs.Notices, err = s.Store.Resolve(ctx, notices)
	return refs, err
}

// changed returns the original's content with the changes of its correction c,
// as they were entered.
func (s *Service) changed(ctx context.Context, original disclosure.StaffNotice, c disclosure.Content) (disclosure.Content, error) {
	if len(c.Changes) == 0 {
		return original.Content, nil
	}
	var changes map[string]json.RawMessage
	if err := json.Unmarshal(c.Changes, &changes); err != nil {
		return c, fmt.Errorf("publish: changes: %w", err)
	}
	draft, err := original.Catalog.ChangedDraft(original.Content, changes)
	if err != nil {
		return c, err
	}
	refs, err := s.references(ctx, draft)
	if err != nil {
		return c, err
	}
	return original.Catalog.ChangedContent(original.Content, changes, refs)
}

// amended returns the original's content with the changes of its correction c,
// masked, and fills in c's table of changes where the editor left it out.
func (s *Service) amended(ctx context.Context, original disclosure.StaffNotice, c *disclosure.Content) (disclosure.Content, error) {
	changed, err := s.changed(ctx, original, *c)
	if err != nil || len(c.Changes) == 0 {
		return changed, err
	}
	typ, err := original.Catalog.TypeAt(changed.Type, changed.TypeVersion)
	if err != nil {
		return changed, err
	}
	changed = changed.Masked(typ) // the original is masked already, and the table of changes is public
	diffs, err := disclosure.Differences(original.Catalog, original.Content, changed)
	if err != nil {
		return changed, err
	}
	if len(diffs) == 0 {
		return changed, disclosure.Errorf(disclosure.CodeInvalid, "更正的内容与原公告相同").On("changes")
	}
	if _, filled := c.Fields[disclosure.FieldChanges]; !filled {
		c.Fields[disclosure.FieldChanges] = disclosure.ChangeTable(diffs)
	}
	return changed, nil
}

// Edit replaces the content of a draft. Errors as of Create, and CodeState.
func (s *Service) Edit(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, d disclosure.Draft) (disclosure.Outcome, error) {
	return s.step(ctx, r, ref, func(n disclosure.StaffNotice) ([]disclosure.Transition, error) {
		content, base, err := s.content(ctx, r.Actor, d)
		if err != nil {
			return nil, err
		}
		return single(n.Edit(content, base, r.Actor, s.Now()))
	})
}

// Delete removes a draft. The result is empty.
func (s *Service) Delete(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) error {
	_, err := s.once(ctx, r, func() (string, error) {
		n, err := s.Store.Staff(ctx, ref)
		if err != nil {
			return "", err
		}
		if r.IfMatch != 0 && r.IfMatch != n.Rev {
			return "", disclosure.Errorf(disclosure.CodeStale, "公告现在是第 %d 版，您看到的是第 %d 版", n.Rev, r.IfMatch).On("If-Match")
		}
		t, err := n.Delete(r.Actor, s.Now())
		if err != nil {
			return "", err
		}
		_, err = s.Store.Apply(ctx, receipt(r), t)
		return "", err
	})
	return err
}

// Submit hands a draft to a reviewer.
func (s *Service) Submit(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, ack disclosure.Acknowledgement) (disclosure.Outcome, error) {
	return s.step(ctx, r, ref, func(n disclosure.StaffNotice) ([]disclosure.Transition, error) {
		findings, err := s.review(ctx, n, s.Now(), true)
		if err != nil {
			return nil, err
		}
		return single(n.Submit(findings, ack, r.Actor, s.Now()))
	})
}

// Reject returns a notice to its author with a comment.
func (s *Service) Reject(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, comment string) (disclosure.Outcome, error) {
	return s.step(ctx, r, ref, func(n disclosure.StaffNotice) ([]disclosure.Transition, error) {
		return single(n.Reject(comment, r.Actor, s.Now()))
	})
}

// Publish makes a notice public, or schedules it. Publishing a correction or a
// termination gives the original its new revision in the same transaction.
func (s *Service) Publish(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, ok disclosure.Approval) (disclosure.Outcome, error) {
	ok.RequireSecrecy = ok.RequireSecrecy || s.RequireSecrecy
	return s.step(ctx, r, ref, func(n disclosure.StaffNotice) ([]disclosure.Transition, error) {
		typ, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
		if err != nil {
			return nil, err
		}
		at := s.Now()
		if ok.PublishAt.After(at) {
			at = ok.PublishAt
		}
		findings, err := s.review(ctx, n, at, false)
		if err != nil {
			return nil, err
		}
		t, err := n.Publish(typ, findings, ok, r.Actor, s.Now())
		if err != nil {
			return nil, err
		}
		if t.Action == disclosure.ActionPublish {
			if t.Lookups, err = s.lookups(ctx, typ, n.Content, n.Code); err != nil {
				return nil, err
			}
		}
		return s.withAmendment(ctx, t)
	})
}

// withAmendment adds the original's transition to the publication of its
// correction or termination.
func (s *Service) withAmendment(ctx context.Context, t disclosure.Transition) ([]disclosure.Transition, error) {
	id, how := t.Notice.Amends()
	if id == "" {
		return []disclosure.Transition{t}, nil
	}
	original, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
	if err != nil {
		return nil, err
	}
	if t.Action == disclosure.ActionSchedule {
		// At its hour the system acts, which may do all; whoever approves is asked now.
		_, err := original.Amend(t.Notice, original.Content, t.Actor, t.At)
		return []disclosure.Transition{t}, err
	}
	changed, lookups := original.Content, []disclosure.Lookup(nil)
	if how == disclosure.RelationCorrects {
		if lookups, err = s.changedLookups(ctx, original, t.Notice.Content); err != nil {
			return nil, err
		}
		if changed, err = s.amended(ctx, original, &t.Notice.Content); err != nil {
			return nil, err
		}
		t.Notice.Changes = nil // carried out, and perhaps not for the public
	}
	amend, err := original.Amend(t.Notice, changed, t.Actor, t.At)
	amend.Lookups = lookups
	return []disclosure.Transition{t, amend}, err
}

// changedLookups returns by what the rows are found that a correction writes
// anew: those it leaves alone are masked, and found as before.
func (s *Service) changedLookups(ctx context.Context, original disclosure.StaffNotice, correction disclosure.Content) ([]disclosure.Lookup, error) {
	typ, err := original.Catalog.TypeAt(original.Type, original.TypeVersion)
	if err != nil || !typ.Personal {
		return nil, err
	}
	changed, err := s.changed(ctx, original, correction)
	if err != nil {
		return nil, err
	}
	return s.lookups(ctx, typ, changed, original.Code)
}

// Correct starts a correction (更正) of a published notice: a linked draft that
// is checked like any notice.
func (s *Service) Correct(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, changes map[string]json.RawMessage, reason string) (disclosure.Outcome, error) {
	return s.amend(ctx, r, ref, func(n disclosure.StaffNotice) (disclosure.Draft, error) { return n.Correction(changes, reason) })
}

// Terminate starts a termination (终止) of a published notice: a linked draft.
func (s *Service) Terminate(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, reason string) (disclosure.Outcome, error) {
	return s.amend(ctx, r, ref, func(n disclosure.StaffNotice) (disclosure.Draft, error) { return n.Termination(reason) })
}

func (s *Service) amend(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, draft func(disclosure.StaffNotice) (disclosure.Draft, error)) (disclosure.Outcome, error) {
	return s.step(ctx, r, ref, func(n disclosure.StaffNotice) ([]disclosure.Transition, error) {
		d, err := draft(n)
		if err != nil {
			return nil, err
		}
		return single(s.create(ctx, r.Actor, d))
	})
}

// Withdraw takes a notice out of the public at once; with erase its content is
// purged as well, and so are its corrections and terminations, which repeat it.
// The outcome then has the receipt.
func (s *Service) Withdraw(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, reason string, erase bool) (disclosure.Outcome, error) {
	if err := disclosure.RefuseLeaks("reason", reason); err != nil {
		return disclosure.Outcome{}, err
	}
	out, err := s.step(ctx, r, ref, func(n disclosure.StaffNotice) ([]disclosure.Transition, error) {
		t, err := n.Withdraw(reason, erase, r.Actor, s.Now())
		if err != nil || !erase {
			return []disclosure.Transition{t}, err
		}
		more, err := s.amendments(ctx, n.ID, func(m disclosure.StaffNotice) ([]disclosure.Transition, error) {
			return s.eraseAmendment(m, reason, r.Actor)
		})
		return append([]disclosure.Transition{t}, more...), err
	})
	if err != nil {
		return out, err
	}
	s.settle(ctx) // repeated, too: the first request may be waiting now
	if !erase || out.ID == "" || out.Replayed && purged(out.StaffNotice) {
		return out, nil
	}
	if err := s.purge(ctx, out.ID); err != nil {
		return out, err
	}
	out.StaffNotice, err = s.Store.Staff(ctx, disclosure.NoticeRef{ID: out.ID})
	return out, err
}

// settle waits until no worker of the push begins to send what was just
// withdrawn.
func (s *Service) settle(ctx context.Context) {
	if s.Settle <= 0 {
		return
	}
	t := time.NewTimer(s.Settle)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done(): // it is withdrawn all the same
	}
}

// amendments decides by f on everything that amends the notice, and on what
// amends that.
func (s *Service) amendments(ctx context.Context, id string, f decide) ([]disclosure.Transition, error) {
	var ts []disclosure.Transition
	for queue, seen := []string{id}, map[string]bool{id: true}; len(queue) > 0; queue = queue[1:] {
		ids, err := s.Store.Amendments(ctx, queue[0])
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			if seen[id] {
				continue
			}
			seen[id], queue = true, append(queue, id)
			n, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
			if err != nil {
				return nil, err
			}
			t, err := f(n)
			if err != nil {
				return nil, err
			}
			ts = append(ts, t...)
		}
	}
	return ts, nil
}

// eraseAmendment decides on one: what was public is erased, what was not is
// discarded.
func (s *Service) eraseAmendment(n disclosure.StaffNotice, reason string, a disclosure.Actor) ([]disclosure.Transition, error) {
	switch {
	case n.Erased:
		return nil, nil
	case n.Seq != 0: // it was public
		return single(n.Withdraw(reason, true, a, s.Now()))
	}
	return single(n.Discard(a, s.Now()))
}

// ReleaseDue publishes scheduled notices whose time has come and returns how
// many it has dealt with. One that can no longer be published goes back to its
// author with the reason; one that fails keeps no other waiting, and is tried
// again the next time.
func (s *Service) ReleaseDue(ctx context.Context) (int, error) {
	ids, err := s.Store.Due(ctx, s.Now())
	if err != nil {
		return 0, err
	}
	released := 0
	var failed []error
	for _, id := range ids {
		err := s.releaseOne(ctx, id)
		switch {
		case err == nil:
			released++
		case errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale}), errors.Is(err, &disclosure.Error{Code: disclosure.CodeNotFound}):
			// Somebody else was first: another instance, or its author.
		default:
			failed = append(failed, fmt.Errorf("publish: release %s: %w", id, err))
		}
	}
	return released, errors.Join(failed...)
}

func (s *Service) releaseOne(ctx context.Context, id string) error {
	n, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
	if err != nil {
		return err
	}
	if n.Status != disclosure.StatusScheduled {
		return disclosure.Errorf(disclosure.CodeStale, "公告 %s 已被他人处理", n.Code)
	}
	ts, err := s.release(ctx, n)
	if refused := new(disclosure.Error); errors.As(err, &refused) && refused.Code != disclosure.CodeUnavailable {
		ts, err = []disclosure.Transition{n.Recall(refused.Detail, s.Now())}, nil
	}
	if err != nil {
		return err
	}
	_, err = s.Store.Apply(ctx, nil, ts...)
	return err
}

func (s *Service) release(ctx context.Context, n disclosure.StaffNotice) ([]disclosure.Transition, error) {
	typ, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return nil, err
	}
	findings, err := s.review(ctx, n, s.Now(), false)
	if err != nil {
		return nil, err
	}
	t, err := n.Release(typ, findings, s.Now())
	if err != nil {
		return nil, err
	}
	if t.Lookups, err = s.lookups(ctx, typ, n.Content, n.Code); err != nil {
		return nil, err
	}
	return s.withAmendment(ctx, t)
}

// Check reports what Create would refuse about the draft, and writes nothing.
func (s *Service) Check(ctx context.Context, a disclosure.Actor, d disclosure.Draft) error {
	_, err := s.create(ctx, a, d)
	return err
}
