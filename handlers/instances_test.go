package handlers_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"gongkai/cache"
	"gongkai/docs"
	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/publish"
	"gongkai/internal/store/storetest"
)

// began is when the tests' hour, storetest.Start, was now.
var began = time.Now()

// running is a clock that runs from storetest.Start.
func running() time.Time { return storetest.Start.Add(time.Since(began)) }

// needRedis names the Redis that make test starts, or skips the test.
func needRedis(t *testing.T) string {
	t.Helper()
	u := os.Getenv("GONGKAI_TEST_REDIS")
	if u == "" && os.Getenv("GONGKAI_TEST_ALL") != "" {
		t.Fatal("GONGKAI_TEST_REDIS is not set")
	}
	if u == "" {
		t.Skip("GONGKAI_TEST_REDIS is not set; make test starts a server")
	}
	return u
}

// join starts an instance over servers that others share; the clock runs.
// Instances of one database know each other's tokens by passing secrets on.
func join(t *testing.T, database, redis string, secrets map[string]string) *world {
	t.Helper()
	w := &world{clock: &clock{now: running()}, secrets: secrets, logs: &logBuffer{}, mayFail: true}
	w.store = storetest.Open(t, database)
	w.service = &publish.Service{Store: w.store, Now: running}
	log := slog.New(slog.NewJSONHandler(w.logs, nil))
	var shared *cache.Shared
	if redis != "" {
		var err error
		if shared, err = cache.NewShared(redis, "test", log); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = shared.Close() })
	}
	w.cache = cache.New(cache.Options{Source: w.store, Now: running, Shared: shared, Log: log})
	if len(secrets) == 0 {
		for who, actor := range staff {
			w.issue(t, who, disclosure.Token{Actor: actor})
		}
	}
	w.serve(t, handlers.Config{Reader: w.store, Publisher: w.service, Desk: w.store, Tokens: w.store, Cache: w.cache, Log: log,
		Now: running, Swagger: docs.Swagger, OpenAPI: docs.OpenAPI, PublicURL: "https://gongkai.test"})
	return w
}

// await reads a path until it answers with the status, and returns how long that
// took.
func (w *world) await(t *testing.T, path string, status int, limit time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	storetest.Eventually(t, limit, path+" answers as it should", func() bool {
		return w.call(t, "GET", path, opts{want: anyStatus}).status == status
	})
	return time.Since(start)
}

// What one instance has acknowledged another shows within a second, whatever
// Redis does.
func TestInstancesAgreeWithinASecond(t *testing.T) {
	database, redis := storetest.PostgresURL(t), needRedis(t)
	secrets := map[string]string{}
	for _, tt := range []struct {
		name  string
		redis func(t *testing.T) string
	}{
		{"Redis", func(*testing.T) string { return redis }},
		{"no Redis", func(*testing.T) string { return "" }},
		{"Redis cut", func(t *testing.T) string {
			p, u := storetest.NewProxy(t, redis)
			p.Cut()
			return u
		}},
		{"Redis a black hole", func(t *testing.T) string {
			p, u := storetest.NewProxy(t, redis)
			p.Hole()
			return u
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := tt.redis(t)
			a, b := join(t, database, u, secrets), join(t, database, u, secrets)
			var shown, gone []time.Duration
			for range 8 {
				b.get(t, "/api/v1/notices")
				n := a.publish(t, a.draft(t, tender, "道路工程招标公告"))
				at := "/api/v1/notices/" + n.text("id")
				a.get(t, at) // its own write, at once
				shown = append(shown, b.await(t, at, 200, time.Second))
				if b.get(t, "/api/v1/notices").text("items.0.id") != n.text("id") {
					t.Error("the notice is there and not in the list")
				}
				a.step(t, "reviewer", n.text("id"), "withdraw", object{"reason": "理由"})
				a.call(t, "GET", at, opts{want: 410})
				gone = append(gone, b.await(t, at, 410, time.Second))
			}
			t.Logf("seen by the other instance within %s, gone within %s", slices.Max(shown), slices.Max(gone))
		})
	}
}

// A cold instance serves what a warm one has read from Redis, without a read of
// the database.
func TestColdInstanceReadsNoSQL(t *testing.T) {
	database, redis := storetest.PostgresURL(t), needRedis(t)
	warm := join(t, database, redis, map[string]string{})
	warm.stock(t, tender, "道路工程招标公告", "桥梁工程招标公告")
	id := warm.get(t, "/api/v1/notices").text("items.0.id")
	personal := warm.publish(t, warm.draft(t, housing, "保障房分配结果公示", object{"body": "housing-construction-bureau"})).text("id")
	paths := append(slices.Clone(cachedPaths), "/api/v1/notices/"+id)
	want := map[string]reply{}
	for _, path := range paths {
		want[path] = warm.get(t, path)
	}
	warm.get(t, "/api/v1/notices/"+personal)
	cold := join(t, database, redis, warm.secrets)
	before := cold.store.Queries()
	for _, path := range paths {
		if difference := same(want[path], cold.get(t, path)); difference != "" {
			t.Errorf("%s from Redis: %s", path, difference)
		}
	}
	if n := cold.store.Queries() - before; n != 0 {
		t.Errorf("%d answers from Redis took %d reads of the database", len(paths), n)
	}
	if s := cold.cache.Stats(); s.Fills != 0 || s.SharedHits != int64(len(paths)) {
		t.Errorf("Stats = %+v", s)
	}
	cold.get(t, "/api/v1/notices/"+personal)
	if n := cold.store.Queries() - before; n == 0 {
		t.Error("a list of persons came from Redis")
	}
}

// Connections that the server ends under requests cost a retry or a clear 503,
// never a wrong answer, and nothing acknowledged is lost.
func TestPostgresConnectionsAreLost(t *testing.T) {
	database := storetest.PostgresURL(t)
	w := join(t, database, "", map[string]string{})
	known := w.publish(t, w.draft(t, tender, "道路工程招标公告")).text("id")
	admin := storetest.Raw(t, database)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var workers sync.WaitGroup
	workers.Go(func() {
		for ctx.Err() == nil {
			storetest.Exec(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'gongkai'`)
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	})
	workers.Go(func() {
		for ctx.Err() == nil {
			if r := w.call(t, "GET", "/api/v1/notices/"+known+"/head", opts{want: anyStatus}); r.status != 200 && r.status != 503 {
				t.Errorf("a read = %d %s", r.status, r.body)
			}
		}
	})
	var acknowledged []string
	draft := w.draft(t, tender, "桥梁工程招标公告")
	refused := 0
	for range 150 {
		o := opts{as: "editor", body: draft, header: map[string]string{"Idempotency-Key": uuid.NewString()}, want: anyStatus}
		r := w.call(t, "POST", staffNotices, o)
		for ; r.status == 503; refused++ { // it may have been carried out; the key makes asking again safe
			r = w.call(t, "POST", staffNotices, o)
		}
		if r.status != 201 {
			t.Fatalf("a write = %d %s", r.status, r.body)
		}
		acknowledged = append(acknowledged, r.text("id"))
	}
	stop()
	workers.Wait()
	w.await(t, "/api/v1/notices/"+known+"/head", 200, 2*time.Second)
	for _, id := range acknowledged {
		w.call(t, "GET", staffNotices+"/"+id, opts{as: "editor", want: 200})
	}
	if total := w.call(t, "GET", staffNotices+"?status=draft", opts{as: "editor"}).number("total"); total != len(acknowledged) {
		t.Errorf("%d drafts are stored, %d were acknowledged", total, len(acknowledged))
	}
	if _, err := w.store.VerifyAudit(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("%d of %d writes were asked for again", refused, len(acknowledged))
}

// PostgreSQL that is away altogether: what is known is served and says its age,
// lists of persons are not, and all is well as soon as it is back.
func TestPostgresIsAway(t *testing.T) {
	for _, how := range []string{"down", "a black hole"} {
		t.Run(how, func(t *testing.T) {
			p, database := storetest.NewProxy(t, storetest.PostgresURL(t))
			w := join(t, database, "", map[string]string{})
			id := w.publish(t, w.draft(t, tender, "道路工程招标公告")).text("id")
			personal := w.publish(t, w.draft(t, housing, "保障房分配结果公示", object{"body": "housing-construction-bureau"})).text("id")
			w.get(t, "/api/v1/notices/"+id)
			w.get(t, "/api/v1/notices/"+personal)
			if how == "down" {
				p.Cut()
			} else {
				p.Hole()
			}
			took := w.await(t, "/api/v1/notices/"+personal, 503, 3*time.Second)
			r := w.get(t, "/api/v1/notices/"+id)
			if r.header.Get("Age") == "" || !strings.HasPrefix(r.header.Get("Cache-Control"), "public") {
				t.Errorf("an ordinary notice: %v", r.header)
			}
			w.call(t, "GET", "/api/v1/notices?limit=7", opts{want: 503})
			if w.cache.Fresh() {
				t.Error("the lease holds")
			}
			if r := w.call(t, "POST", staffNotices, opts{as: "editor", body: w.draft(t, tender, "新"), want: 503}); r.text("code") != "service.unavailable" {
				t.Errorf("a write: %s", r.body)
			}
			p.Cut() // a hole leaves connections that no side knows to be dead
			p.Pass()
			back := w.await(t, "/api/v1/notices/"+personal, 200, 3*time.Second)
			if r := w.get(t, "/api/v1/notices/"+id); r.header.Get("Age") != "" {
				t.Errorf("still old: %v", r.header)
			}
			w.publish(t, w.draft(t, tender, "新"))
			t.Logf("refused after %s, back after %s", took, back)
		})
	}
}
