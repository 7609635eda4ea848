package handlers_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"gongkai/cache"
	"gongkai/docs"
	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/extract"
	"gongkai/internal/importer"
	"gongkai/internal/publish"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// world is a whole server on a real socket over a real database, at an hour of
// the test's choosing.
type world struct {
	*clock
	store   *store.Store
	service *publish.Service
	cache   *cache.Cache
	edge    *handlers.Server
	addr    string
	client  *http.Client
	secrets map[string]string // of the tokens, by who holds them
	logs    *logBuffer
	url     string  // of the database
	db      *sql.DB // the same file, for counting rows
	mayFail bool    // errors in the log are part of the test
}

// staff are the holders of tokens. Two tokens of one name are one person.
var staff = map[string]disclosure.Actor{
	"editor":   {Name: "李录入", Role: disclosure.RoleEditor},
	"editor2":  {Name: "钱录入", Role: disclosure.RoleEditor},
	"reviewer": {Name: "王核验", Role: disclosure.RoleReviewer},
	"admin":    {Name: "赵管理", Role: disclosure.RoleAdmin},
	"auditor":  {Name: "孙监督", Role: disclosure.RoleAuditor},
	"ivr":      {Name: "热线", Role: disclosure.RoleIVR},
	// The editor with a second token, which does not make a second person.
	"editor-as-reviewer": {Name: "李录入", Role: disclosure.RoleReviewer},
	// Staff of one body only.
	"housing-editor":   {Name: "周住建", Role: disclosure.RoleEditor, Bodies: []string{"housing-construction-bureau"}},
	"housing-reviewer": {Name: "吴住建", Role: disclosure.RoleReviewer, Bodies: []string{"housing-construction-bureau"}},
}

// start serves until the test ends. adjust may change the configuration.
func start(t *testing.T, adjust ...func(*handlers.Config)) *world {
	t.Helper()
	w := &world{clock: &clock{now: storetest.Start}, secrets: map[string]string{}, logs: &logBuffer{}}
	w.store, w.url = storetest.SQLite(t)
	w.cache = cache.New(cache.Options{Source: w.store, Now: w.Now})
	w.service = &publish.Service{Store: w.store, Now: w.Now, Extract: &extract.Reader{}, Caches: []publish.Purger{w.cache}}
	c := handlers.Config{Reader: w.store, Publisher: w.service, Desk: w.store, Tokens: w.store, Cache: w.cache, Kiosks: w.store, Callbacks: w.service,
		Subscribers: w.store, Pushes: w.store,
		Log: slog.New(slog.NewJSONHandler(w.logs, nil)), Now: w.Now, Swagger: docs.Swagger, OpenAPI: docs.OpenAPI,
		Imports:   importer.New(w.service, w.service, w.Now),
		PublicURL: "https://gongkai.test"}
	for _, f := range adjust {
		f(&c)
	}
	for who, actor := range staff {
		w.issue(t, who, disclosure.Token{Actor: actor})
	}
	w.serve(t, c)
	var err error
	if w.db, err = sql.Open("sqlite", strings.Replace(w.url, "sqlite:", "file:", 1)+"?mode=ro"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	return w
}

// serve starts the cache and the listener, and stops both at the test's end.
func (w *world) serve(t *testing.T, c handlers.Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = w.cache.Run(ctx) })
	if err := w.cache.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	edge, err := handlers.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() { _ = edge.Serve(l) })
	w.edge, w.addr = edge, l.Addr().String()
	w.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		if err := edge.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		running.Wait()
		w.checkLogs(t)
	})
}

// issue makes a token; its secret is then known under who.
func (w *world) issue(t *testing.T, who string, token disclosure.Token) disclosure.Token {
	t.Helper()
	token.ID, token.CreatedAt = uuid.NewString(), w.Now()
	w.secrets[who] = "gk_secret_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := w.store.CreateToken(t.Context(), disclosure.System, token, disclosure.TokenHash(w.secrets[who])); err != nil {
		t.Fatal(err)
	}
	return token
}

// clock is the hour; it moves only when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now is the hour.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logBuffer collects the server's log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// checkLogs fails a test that left an error in the log it did not announce, or
// a secret.
func (w *world) checkLogs(t *testing.T) {
	t.Helper()
	text := w.logs.String()
	if !w.mayFail && strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("the server logged an error:\n%s", text)
	}
	for who, secret := range w.secrets {
		if strings.Contains(text, secret) {
			t.Errorf("the log holds the token of %s", who)
		}
	}
	if strings.Contains(text, idNumber) {
		t.Error("the log holds an ID number")
	}
}

// idNumber is the one in the examples of personal types.
const idNumber = "320902199001010006"

// rows counts the rows of every table. Two equal answers around a request mean
// that it wrote nothing.
func (w *world) rows(t *testing.T) map[string]int {
	t.Helper()
	tables, err := w.db.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search_index%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tables.Close() }()
	var names []string
	for tables.Next() {
		var name string
		if err := tables.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := tables.Err(); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, name := range names {
		var n int
		if err := w.db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[name] = n
	}
	var audit, rev int
	err = w.db.QueryRowContext(t.Context(), `SELECT audit_seq, (SELECT COALESCE(sum(rev), 0) FROM notice) FROM feed_head`).Scan(&audit, &rev)
	if err != nil {
		t.Fatal(err)
	}
	counts["audit position"], counts["revisions"] = audit, rev
	return counts
}

// object is a JSON object of a test's own making.
type object = map[string]any

// draft is a valid draft of the type as an editor sends it, made from the
// examples of its fields; with replaces members.
func (w *world) draft(t *testing.T, typ, title string, with ...object) object {
	t.Helper()
	raw, err := json.Marshal(storetest.Draft(t, w.store.Catalog(), typ, title))
	if err != nil {
		t.Fatal(err)
	}
	var d object
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	delete(d, "changes")
	for _, m := range with {
		maps.Copy(d, m)
	}
	return d
}

const (
	tender  = "construction.tender_notice"
	housing = "housing.allocation_result"
)

// create, submit and publish take a notice through the steps over HTTP.
func (w *world) create(t *testing.T, draft object) reply {
	t.Helper()
	return w.call(t, "POST", "/api/v1/staff/notices", opts{as: "editor", body: draft, want: 201})
}

func (w *world) step(t *testing.T, who, id, step string, body any) reply {
	t.Helper()
	return w.call(t, "POST", "/api/v1/staff/notices/"+id+"/"+step, opts{as: who, body: body})
}

// publish creates a notice and takes it to publication by a second person.
func (w *world) publish(t *testing.T, draft object) reply {
	t.Helper()
	id := w.create(t, draft).text("id")
	w.step(t, "editor", id, "submit", nil)
	return w.step(t, "reviewer", id, "publish", nil)
}

// stock publishes notices without the detour over HTTP.
func (w *world) stock(t *testing.T, typ string, titles ...string) {
	t.Helper()
	for _, title := range titles {
		storetest.Publish(t, w.store, storetest.Content(t, w.store.Catalog(), typ, title), w.Now())
	}
	if err := w.cache.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// unchanged fails the test if anything was written since rows were counted.
func (w *world) unchanged(t *testing.T, before map[string]int, what string) {
	t.Helper()
	for table, n := range w.rows(t) {
		if n != before[table] {
			t.Errorf("%s changed %s from %d to %d", what, table, before[table], n)
		}
	}
}
