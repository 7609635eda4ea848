package handlers_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

type backlogFunc func() (disclosure.Backlog, error)

func (f backlogFunc) Backlog(context.Context, time.Time) (disclosure.Backlog, error) { return f() }

// TestBacklogMetrics: operations see for how long the push has left something
// lying; an unreachable database is no empty queue.
func TestBacklogMetrics(t *testing.T) {
	w := start(t)
	var backlog disclosure.Backlog
	var fault error
	ops := handlers.NewOps(handlers.OpsConfig{Cache: w.cache, Metrics: w.edge.Metrics(), Queries: w.store.Queries, Now: w.Now,
		Backlog: backlogFunc(func() (disclosure.Backlog, error) { return backlog, fault })})
	scrape := func() string {
		rec := httptest.NewRecorder()
		ops.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
		return rec.Body.String()
	}
	want := func(text, when string, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("%s: no %s in\n%s", when, line, text)
			}
		}
	}
	want(scrape(), "nothing waits", `gongkai_push_waiting_seconds{what="event"} 0`, `gongkai_push_waiting_seconds{what="card"} 0`, "gongkai_push_switches 0")
	backlog = disclosure.Backlog{Event: w.Now().Add(-20 * time.Minute), Card: w.Now().Add(-90 * time.Second), Switches: 2}
	want(scrape(), "something waits", `gongkai_push_waiting_seconds{what="event"} 1200`, `gongkai_push_waiting_seconds{what="card"} 90`, "gongkai_push_switches 2")
	fault = errors.New("out of reach")
	if text := scrape(); strings.Contains(text, "gongkai_push_") {
		t.Errorf("told without a database:\n%s", text)
	}
}
