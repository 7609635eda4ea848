package publish

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Extractor reads the text of files. Text calls yield with each part of the
// file and where that part is – a page, a sheet – until yield returns false.
// whole is false when some of the file could not be read: pictures, encryption,
// damage, limits. An error is none of the file's doing, such as ctx.
type Extractor interface {
	Text(ctx context.Context, media string, data []byte, yield func(where, text string) bool) (whole bool, err error)
}

// Purger forgets what was read before an erasure, and says where and how much it
// was; what it cannot reach it says too.
type Purger interface {
	Purge(ctx context.Context) []disclosure.PurgedPlace
}

// scanTime bounds the reading of one file: what takes longer has to be looked at
// by a person.
const scanTime = 3 * time.Second

// scan reads a file and keeps what the privacy check must know of it.
func (s *Service) scan(ctx context.Context, f disclosure.Attachment, data []byte) (disclosure.FileScan, error) {
	var scan disclosure.FileScan
	if s.Extract == nil {
		return scan, nil
	}
	limited, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	whole, err := s.Extract.Text(limited, f.Type, data, func(where, text string) bool {
		scan.Add(where, text)
		return limited.Err() == nil
	})
	switch {
	case ctx.Err() != nil:
		return scan, ctx.Err()
	case err != nil && limited.Err() == nil:
		return scan, err
	}
	scan.Whole = whole && err == nil
	return scan, s.Store.SaveFileScan(ctx, f.SHA256, scan, s.Now())
}

// scans returns what the privacy check knows of the files, reading those that no version
// of this check has read.
func (s *Service) scans(ctx context.Context, files []disclosure.Attachment) (map[string]disclosure.FileScan, error) {
	var ids []string
	for _, f := range files {
		ids = append(ids, f.SHA256)
	}
	known, err := s.Store.FileScans(ctx, ids)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if _, ok := known[f.SHA256]; ok {
			continue
		}
		data, err := s.Store.Blob(ctx, f.SHA256)
		if errors.Is(err, &disclosure.Error{Code: disclosure.CodeNoFile}) {
			continue // erased with another notice; it counts as unreadable
		}
		if err != nil {
			return nil, err
		}
		if known[f.SHA256], err = s.scan(ctx, f, data); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// privacy returns what the privacy check finds in a notice and, of a correction, in what
// it makes of its original.
func (s *Service) privacy(ctx context.Context, n disclosure.StaffNotice) ([]disclosure.Finding, error) {
	typ, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return nil, err
	}
	files, err := s.scans(ctx, n.Attachments)
	if err != nil {
		return nil, err
	}
	found := n.Privacy(typ, files)
	id, how := n.Amends()
	if how != disclosure.RelationCorrects || len(n.Changes) == 0 {
		return found, nil
	}
	original, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
	if err != nil {
		return nil, err
	}
	changed, err := s.changed(ctx, original, n.Content)
	if err != nil {
		return nil, err
	}
	if typ, err = original.Catalog.TypeAt(changed.Type, changed.TypeVersion); err != nil {
		return nil, err
	}
	if files, err = s.scans(ctx, changed.Attachments); err != nil {
		return nil, err
	}
	return append(found, disclosure.PrivacyOfChange(typ, original.Content, changed, files)...), nil
}

// Checks returns everything that submission and publication look at. Personal
// data that a second person has let pass is listed as a warning, though it
// stops nothing any more.
func (s *Service) Checks(ctx context.Context, n disclosure.StaffNotice) ([]disclosure.Finding, error) {
	found, err := s.privacy(ctx, n)
	if err != nil {
		return nil, err
	}
	if _, ok := n.Overridden(); ok {
		for i := range found {
			found[i].Warning = true
		}
	}
	rest, err := s.findings(ctx, n, s.Now())
	return append(rest, found...), err
}

// review returns what stands between the notice and the next step, taken at the
// given moment. byEditor leaves out what only a second person can say about files.
func (s *Service) review(ctx context.Context, n disclosure.StaffNotice, at time.Time, byEditor bool) ([]disclosure.Finding, error) {
	findings, err := s.findings(ctx, n, at)
	if err != nil {
		return nil, err
	}
	if _, ok := n.Overridden(); ok {
		return findings, nil
	}
	found, err := s.privacy(ctx, n)
	for _, f := range found {
		if !byEditor || f.Code != disclosure.CodeUnreadable {
			findings = append(findings, f)
		}
	}
	return findings, err
}

// OverridePrivacy lets the personal data pass that the privacy check found in this
// revision: a second person's decision, with a reason. Errors as of
// disclosure.Notice.Override.
func (s *Service) OverridePrivacy(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, reason string) (disclosure.Outcome, error) {
	return s.step(ctx, r, ref, func(n disclosure.StaffNotice) ([]disclosure.Transition, error) {
		found, err := s.privacy(ctx, n)
		if err != nil {
			return nil, err
		}
		return single(n.Override(found, reason, r.Actor, s.Now()))
	})
}

// Lookup returns a person's own row of the newest list that has it. Every query
// that finds nothing takes the same way and is the same CodeNoMatch.
func (s *Service) Lookup(ctx context.Context, q disclosure.LookupQuery) (disclosure.LookupResult, error) {
	key, err := s.lookupKey(ctx)
	if err != nil {
		return disclosure.LookupResult{}, err
	}
	n, number, err := s.Store.Lookup(ctx, q.MAC(key))
	if err != nil {
		return disclosure.LookupResult{}, err
	}
	typ, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return disclosure.LookupResult{}, err
	}
	table, row, ok := n.LookupRow(typ, number, q.Tail)
	if !ok { // a correction took the row away
		return disclosure.LookupResult{}, disclosure.ErrNoMatch
	}
	return disclosure.LookupResult{Reading: n.Reading, Notice: n.Notice, Table: table, Row: row}, nil
}

// lookupKey returns the configured key, or the one the database keeps.
func (s *Service) lookupKey(ctx context.Context) ([]byte, error) {
	if len(s.LookupKey) > 0 {
		return s.LookupKey, nil
	}
	return s.keptKey(ctx, "housing_lookup", &s.ownLookupKey)
}

// keptKey returns the key of the name that the database keeps, made up when it is
// first asked for. known remembers it.
func (s *Service) keptKey(ctx context.Context, name string, known *atomic.Pointer[[]byte]) ([]byte, error) {
	if key := known.Load(); key != nil {
		return *key, nil
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails
	key, err := s.Store.Secret(ctx, name, fresh, s.Now())
	if err == nil {
		known.Store(&key)
	}
	return key, err
}

// lookups returns by what the rows of a list are found, from its content before
// it is masked.
func (s *Service) lookups(ctx context.Context, typ *disclosure.NoticeType, c disclosure.Content, code string) ([]disclosure.Lookup, error) {
	if !typ.Personal {
		return nil, nil
	}
	key, err := s.lookupKey(ctx)
	if err != nil {
		return nil, err
	}
	return c.Lookups(typ, key, code), nil
}

// ExpireDue takes lists of persons out of the public whose time is over, with
// what amends them, and returns how many. One that fails keeps no other public.
func (s *Service) ExpireDue(ctx context.Context) (int, error) {
	head, err := s.Store.Head(ctx)
	if err != nil {
		return 0, err
	}
	expired := 0
	var failed []error
	for _, typ := range head.Catalog.Types {
		if !typ.Personal || typ.RetentionDays == 0 {
			continue
		}
		kept := s.today().AddDays(-typ.RetentionDays).Start()
		ids, err := s.Store.Outdated(ctx, typ.Code, s.today().Start(), kept)
		if err != nil {
			return expired, errors.Join(append(failed, err)...)
		}
		for _, id := range ids {
			done, err := s.expire(ctx, typ, id)
			if err != nil {
				failed = append(failed, fmt.Errorf("publish: expire %s: %w", id, err))
			}
			expired += done
		}
	}
	return expired, errors.Join(failed...)
}

func (s *Service) expire(ctx context.Context, typ *disclosure.NoticeType, id string) (int, error) {
	n, err := s.Store.Staff(ctx, disclosure.NoticeRef{ID: id})
	if err != nil {
		return 0, err
	}
	// Read by the notice's own fields, kept as long as the rule of today says.
	own, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return 0, err
	}
	rule := *own
	rule.Personal, rule.RetentionDays = typ.Personal, typ.RetentionDays
	day := n.ExpiresOn(&rule)
	if day.IsZero() || workday.DateOf(s.Now()).Compare(day) < 0 {
		return 0, nil
	}
	const why = "公示期已满，涉及个人的名单依规定自动下架"
	t, err := n.Expire(why, s.Now())
	if err != nil {
		return 0, ignoreStale(err)
	}
	ts := []disclosure.Transition{t}
	more, err := s.amendments(ctx, n.ID, func(m disclosure.StaffNotice) ([]disclosure.Transition, error) {
		if !m.Status.Public() {
			return nil, nil
		}
		return single(m.Expire(why, s.Now()))
	})
	if err != nil {
		return 0, err
	}
	if _, err = s.Store.Apply(ctx, nil, append(ts, more...)...); err != nil {
		return 0, ignoreStale(err)
	}
	return 1, nil
}

// ignoreStale passes over what another instance, or a person, did first.
func ignoreStale(err error) error {
	if errors.Is(err, &disclosure.Error{Code: disclosure.CodeStale}) || errors.Is(err, &disclosure.Error{Code: disclosure.CodeState}) {
		return nil
	}
	return err
}

// purged reports whether the receipt of an erasure tells of the caches: it does not
// when the request that erased ended too early.
func purged(n disclosure.StaffNotice) bool {
	return slices.ContainsFunc(n.Purged, func(p disclosure.PurgedPlace) bool { return p.Place == "memory" })
}

// purge empties the caches after an erasure and completes its receipt.
func (s *Service) purge(ctx context.Context, id string) error {
	var places []disclosure.PurgedPlace
	for _, p := range s.Caches {
		places = append(places, p.Purge(ctx)...)
	}
	for i := range places {
		places[i].At = s.Now()
	}
	if len(places) == 0 {
		return nil
	}
	return s.Store.SavePurged(ctx, id, places...)
}
