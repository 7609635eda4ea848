package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// marked finds the marks of mark, whole or not.
var marked = regexp.MustCompile(`(?i)qzx[0-9a-f]{4,}`)

// mark is a word that proves itself: its end follows from its beginning, so
// that one made of two is told from a true one.
func mark(seed uint64, i int) string {
	head := fmt.Sprintf("%08x", i)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s", seed, head))
	return "qzx" + head + hex.EncodeToString(sum[:4])
}

// foreign returns the marks in b that are none.
func foreign(seed uint64, b []byte) (all int, wrong []string) {
	for _, m := range marked.FindAll(b, -1) {
		all++
		word := string(bytes.ToLower(m))
		var i int
		if len(word) < 11 {
			wrong = append(wrong, word)
			continue
		}
		if _, err := fmt.Sscanf(word[3:11], "%x", &i); err != nil || mark(seed, i) != word {
			wrong = append(wrong, word)
		}
	}
	return all, wrong
}

// reuse is the search for marks that are not whole, wherever a server may keep
// text.
type reuse struct {
	l      *lab
	n      *node
	o      *office
	client *http.Client

	mu       sync.Mutex
	searched int
	wrong    []string
	failure  error
}

// look searches what came from somewhere.
func (r *reuse) look(where string, b []byte) {
	all, bad := foreign(r.l.seed, b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.searched += all
	for _, m := range bad {
		r.wrong = append(r.wrong, where+" has "+m)
	}
}

func (r *reuse) blame(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wrong = append(r.wrong, what)
}

// ask reads with a mark of its own in path, query and headers.
func (r *reuse) ask(m string) {
	header := http.Header{"X-Request-Id": {m}, "User-Agent": {m}, "X-Forwarded-For": {m}, "If-None-Match": {`W/"` + m + `"`}}
	for _, path := range []string{"/api/v1/notices/" + m, "/api/v1/notices?q=" + m, "/api/v1/projects/" + m} {
		a := load{header: func() http.Header { return header }}.get(r.client, r.n, path)
		r.look(path, a.body)
		if all, _ := foreign(r.l.seed, a.body); all > 0 && !bytes.Contains(a.body, []byte(m)) {
			r.blame(path + " answers for another: " + string(a.body[:min(len(a.body), 200)]))
		}
	}
}

// enter makes a draft with a mark, and returns its id.
func (r *reuse) enter(ctx context.Context, m string) string {
	d := r.o.draft(tender, m+titleEnd)
	d["project"] = object{"code": m, "name": m}
	var made struct{ ID string }
	if err := r.o.call(ctx, r.n, "POST", "/api/v1/staff/notices", r.o.editor, d, http.StatusCreated, &made); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failure = errors.Join(r.failure, err)
	}
	return made.ID
}

const titleEnd = "号工程"

// kept compares drafts with what was sent.
func (r *reuse) kept(ctx context.Context, ids []string) error {
	for i, id := range ids {
		var d struct{ Title string }
		if err := r.o.call(ctx, r.n, "GET", "/api/v1/staff/notices/"+id, r.o.editor, nil, http.StatusOK, &d); err != nil {
			return err
		}
		if d.Title != mark(r.l.seed, i)+titleEnd {
			r.blame("draft " + id + " is " + d.Title)
		}
	}
	return nil
}

// folder searches the files of a data directory.
func (r *reuse) folder(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if filepath.Ext(path) != ".db" { // its pages cut words by nature
			r.look(d.Name(), b)
		}
		return err
	})
}

// buffersReused sends thousands of requests at once, each with marks of its own
// wherever a server may keep text: path, query, headers, title, idempotency key.
// Then every place is searched for marks that are not whole.
func buffersReused(ctx context.Context, l *lab) (outcome, error) {
	dir, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	ids, drafts := l.form.pick(1000, 4000, 20000), l.form.pick(100, 400, 2000)
	r := &reuse{l: l, n: n, o: o, client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	made := make([]string, drafts)
	l.parallel(32, ids, func(i int) {
		r.ask(mark(l.seed, i))
		if i < drafts {
			made[i] = r.enter(ctx, mark(l.seed, i))
		}
	})
	if r.failure != nil {
		return outcome{}, r.failure
	}
	if err := r.kept(ctx, made); err != nil {
		return outcome{}, err
	}
	for i := range ids { // and what was cached is one's own
		r.look("cache", load{}.get(r.client, n, "/api/v1/notices?q="+mark(l.seed, i)).body)
	}
	n.quit()
	r.look("log", n.log.bytes())
	err = r.folder(dir)
	if _, e := l.cli(ctx, "audit", "verify", "--data", dir); e != nil {
		err = errors.Join(err, e)
	}
	return outcome{figure: fmt.Sprintf("%d ids in %d requests, %d drafts; of %d marks found afterwards foreign: %s", ids, 3*ids+drafts, drafts, r.searched, listed(r.wrong[:min(len(r.wrong), 5)])),
		mark: "nowhere", passed: len(r.wrong) == 0 && r.searched > drafts}, err
}
