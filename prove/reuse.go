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

// buffersReused sends thousands of requests at once, each with marks of its own
// wherever a server may keep text: path, query, headers, title, idempotency key.
// Then every place is searched for marks that are not whole.
func buffersReused(ctx context.Context, l *lab) (outcome, error) {
	dir, n, o, err := l.alone(ctx)
	if err != nil {
		return outcome{}, err
	}
	ids, drafts := l.form.pick(1000, 4000, 20000), l.form.pick(100, 400, 2000)
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var mu sync.Mutex
	var wrong []string
	var failure error
	searched := 0
	look := func(where string, b []byte) {
		all, bad := foreign(l.seed, b)
		mu.Lock()
		defer mu.Unlock()
		searched += all
		for _, m := range bad {
			wrong = append(wrong, where+" has "+m)
		}
	}
	kept := make([]string, drafts)
	l.parallel(32, ids, func(i int) {
		m := mark(l.seed, i)
		header := http.Header{"X-Request-Id": {m}, "User-Agent": {m}, "X-Forwarded-For": {m}, "If-None-Match": {`W/"` + m + `"`}}
		for _, path := range []string{"/api/v1/notices/" + m, "/api/v1/notices?q=" + m, "/api/v1/projects/" + m} {
			a := load{header: func() http.Header { return header }}.get(client, n, path)
			look(path, a.body)
			if all, _ := foreign(l.seed, a.body); all > 0 && !bytes.Contains(a.body, []byte(m)) {
				mu.Lock()
				wrong = append(wrong, path+" answers for another: "+string(a.body[:min(len(a.body), 200)]))
				mu.Unlock()
			}
		}
		if i >= drafts {
			return
		}
		d := o.draft(tender, m+"号工程")
		d["project"] = object{"code": m, "name": m}
		var made struct{ ID, Title string }
		err := o.call(ctx, n, "POST", "/api/v1/staff/notices", o.editor, d, http.StatusCreated, &made)
		mu.Lock()
		defer mu.Unlock()
		if kept[i] = made.ID; err != nil {
			failure = errors.Join(failure, err)
		}
	})
	if failure != nil {
		return outcome{}, failure
	}
	for i, id := range kept { // what was kept is what was sent
		var d struct {
			Title   string
			Project struct{ Code string }
		}
		if err := o.call(ctx, n, "GET", "/api/v1/staff/notices/"+id, o.editor, nil, http.StatusOK, &d); err != nil {
			return outcome{}, err
		}
		if d.Title != mark(l.seed, i)+"号工程" {
			wrong = append(wrong, "draft "+id+" is "+d.Title)
		}
	}
	for i := range ids { // and what was cached is one's own
		m := mark(l.seed, i)
		look("cache", load{}.get(client, n, "/api/v1/notices?q="+m).body)
	}
	n.quit()
	look("log", n.log.bytes())
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if filepath.Ext(path) != ".db" { // its pages cut words by nature
			look(d.Name(), b)
		}
		return err
	})
	if _, e := l.cli(ctx, "audit", "verify", "--data", dir); e != nil {
		err = errors.Join(err, e)
	}
	return outcome{figure: fmt.Sprintf("%d ids in %d requests, %d drafts; of %d marks found afterwards foreign: %s", ids, 3*ids+drafts, drafts, searched, listed(wrong[:min(len(wrong), 5)])),
		mark: "nowhere", passed: len(wrong) == 0 && searched > drafts}, err
}
