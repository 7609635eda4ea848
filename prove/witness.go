package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

// seen counts what was searched for personal data in a whole run, and where any
// was found.
type seen struct {
	mu                                          sync.Mutex
	logs, metrics, cards, pages, dumps, backups int
	bytes                                       int64
	found                                       []string
}

// look searches what came from somewhere.
func (s *seen) look(l *lab, kind *int, where string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*kind++
	s.bytes += int64(len(b))
	if bytes.Contains(b, []byte(l.person)) {
		s.found = append(s.found, where)
	}
}

// log searches all that an instance has printed.
func (s *seen) log(l *lab, n *node) { s.look(l, &s.logs, "log of "+n.url, n.log.bytes()) }

// String says what was searched.
func (s *seen) String() string {
	return fmt.Sprintf("%d logs, %d pages of metrics, %d lists of cards, %d public documents, %d dumps of Redis, %d backups, %d MiB in all",
		s.logs, s.metrics, s.cards, s.pages, s.dumps, s.backups, s.bytes>>20)
}

// leaving are the documents by which data leaves the office in bulk.
var leaving = []string{"/api/v1/notices?limit=100", "/api/v1/home", "/api/v1/changes?limit=100", "/api/v1/catalog.csv",
	"/api/v1/feeds/all.atom", "/api/v1/feeds/all.json", "/api/v1/deadlines.ics"}

// witness searches what an experiment leaves before it is stopped.
func (l *lab) witness(ctx context.Context) {
	for _, n := range l.nodes {
		select {
		case <-n.done:
			continue
		default:
		}
		for _, path := range leaving {
			if a := (load{}).get(http.DefaultClient, n, path); a.status == http.StatusOK {
				l.sampled.look(l, &l.sampled.pages, path, a.body)
			}
		}
		if a := (load{}).get(http.DefaultClient, n, "/demo/sim/sent?all=1&limit=100000"); a.status == http.StatusOK {
			l.sampled.look(l, &l.sampled.cards, "cards", a.body)
		}
		if res, err := http.Get(n.ops + "/metrics"); err == nil {
			b, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			l.sampled.look(l, &l.sampled.metrics, "metrics", b)
		}
	}
	if dump, err := l.redisDump(ctx); err == nil {
		l.sampled.look(l, &l.sampled.dumps, "Redis", dump)
	}
}

// keepBackup searches a backup that an experiment has made.
func (l *lab) keepBackup(file string) {
	if b, err := os.ReadFile(file); err == nil {
		l.sampled.look(l, &l.sampled.backups, "backup "+file, b)
	}
}
