package handlers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"gongkai/internal/disclosure"
)

// projectIndex knows the number of every project with a public notice, for
// finding one by the end of its number or by keypad letters, which no index of
// the database can. It holds numbers only: what is found is then read like any
// project, so a withdrawn one is not shown. It follows the change feed from
// where it last read and is safe for concurrent use.
type projectIndex struct {
	reader Reader
	now    func() time.Time

	mu       sync.Mutex
	loaded   bool               // the public notices were read once
	next     *disclosure.Cursor // where loading goes on
	position int64
	projects map[string]indexedProject // by disclosure.ProjectKey
}

// indexedProject is a project in the index.
type indexedProject struct {
	typeable string
	id, code string // of its newest notice known here
}

// projectHit is a project that fits what was typed.
type projectHit struct {
	key  string // disclosure.ProjectKey
	code string // of one of its notices: what a call carries to name it
}

// maxChanges bounds what one refresh reads before it counts everything anew.
const maxChanges = 2_000

// find returns the projects that the keys fit: the whole number if one fits, else
// those that end so, else those that begin so; at most limit+1. Fewer than
// minTyped keys are a whole number or nothing.
func (x *projectIndex) find(ctx context.Context, keys string, limit int) ([]projectHit, error) {
	if err := x.refresh(ctx); err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	hits := []projectHit{}
	for _, fits := range []func(code, keys string) bool{typedWhole, typedEnd, typedStart} {
		for key, p := range x.projects {
			if fits(p.typeable, keys) {
				hits = append(hits, projectHit{key, p.code})
			}
		}
		if len(hits) > 0 || len(keys) < minTyped {
			break
		}
	}
	slices.SortFunc(hits, func(a, b projectHit) int { return strings.Compare(a.key, b.key) })
	return hits[:min(len(hits), limit+1)], nil
}

func gone(err error) bool {
	return errors.Is(err, &disclosure.Error{Code: disclosure.CodeNotFound}) || errors.Is(err, &disclosure.Error{Code: disclosure.CodeWithdrawn}) ||
		errors.Is(err, &disclosure.Error{Code: disclosure.CodeNoProject})
}

// refresh reads what has changed since the last time, or goes on loading. What
// ctx cuts short is continued the next time.
func (x *projectIndex) refresh(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for !x.loaded {
		if err := x.load(ctx); err != nil {
			return err
		}
	}
	for read := 0; ; {
		page, err := x.reader.Changes(ctx, x.position, disclosure.MaxLimit)
		if err != nil {
			return err
		}
		if page.LastSeq < x.position || read > maxChanges { // another history, or much has happened
			x.loaded, x.next, x.projects = false, nil, nil
			return x.load(ctx)
		}
		if len(page.Items) == 0 {
			return nil
		}
		for _, change := range page.Items {
			if err := x.follow(ctx, change); err != nil {
				return err
			}
			x.position = change.Seq
		}
		read += len(page.Items)
	}
}

// load reads the next page of all public notices.
func (x *projectIndex) load(ctx context.Context) error {
	q := disclosure.NoticeQuery{Limit: disclosure.MaxLimit, Sort: disclosure.SortPublished, After: x.next}
	page, err := x.reader.Notices(ctx, q, x.now())
	if err != nil {
		return err
	}
	if x.next == nil {
		x.position, x.projects = page.Position, map[string]indexedProject{}
	}
	for _, n := range page.Items {
		x.put(n.Project, n.ID, n.Code, false)
	}
	x.next, x.loaded = page.Next, page.Next == nil
	return nil
}

// follow takes in one change. A notice that is no longer public leaves its
// project in: reading the project tells.
func (x *projectIndex) follow(ctx context.Context, change disclosure.Change) error {
	if change.NoticeID == "" {
		return nil
	}
	d, err := x.reader.Notice(ctx, disclosure.NoticeRef{ID: change.NoticeID})
	if gone(err) {
		return x.replace(ctx, change.NoticeID)
	}
	if err == nil {
		x.put(d.ProjectCode(), d.ID, d.Code, true)
	}
	return err
}

// replace finds another notice for the project that the withdrawn one stood for.
func (x *projectIndex) replace(ctx context.Context, id string) error {
	for key, p := range x.projects {
		if p.id != id {
			continue
		}
		t, err := x.reader.Project(ctx, key)
		switch {
		case gone(err):
			delete(x.projects, key)
		case err != nil:
			return err
		default:
			newest := t.Notices[len(t.Notices)-1]
			x.put(key, newest.ID, newest.Code, true)
		}
	}
	return nil
}

func (x *projectIndex) put(project, id, code string, newer bool) {
	key := disclosure.ProjectKey(project)
	if typed := typeable(project); typed != "" && (newer || x.projects[key].id == "") {
		x.projects[key] = indexedProject{typed, id, code}
	}
}

// Warm loads what the hotline looks up and keeps it current until ctx ends, so
// that no caller waits for it. It returns nil then.
func (s *Server) Warm(ctx context.Context) error {
	tick := time.NewTicker(warmInterval)
	defer tick.Stop()
	var swept time.Time
	for {
		if err := s.hotline.index.refresh(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the hotline's list of projects is not current; it is tried again", "error", err)
		}
		if a, now := s.hotline.audio, s.Now(); a != nil && now.Sub(swept) > sweepInterval {
			a.sweep(now.Add(-audioLife))
			swept = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

const (
	warmInterval = 5 * time.Second
	audioLife    = 24 * time.Hour
	// sweepInterval is the time between looks for old files.
	sweepInterval = 10 * time.Minute
)
