package handlers_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// cachedPaths are answers of every kind that the cache keeps.
var cachedPaths = []string{"/api/v1/home", "/api/v1/sectors", "/api/v1/catalog", "/api/v1/catalog.csv", "/api/v1/catalog/A1-04", "/api/v1/bodies",
	"/api/v1/notice-types?sector=land", "/api/v1/notices", "/api/v1/notices?q=%E9%81%93%E8%B7%AF&limit=1", "/api/v1/changes"}

// same compares two answers but for what belongs to one request.
func same(a, b reply) string {
	own := []string{"X-Request-Id", "Date"}
	for _, r := range []reply{a, b} {
		for _, name := range own {
			r.header.Del(name)
		}
	}
	switch {
	case a.status != b.status:
		return fmt.Sprintf("status %d, then %d", a.status, b.status)
	case !maps.EqualFunc(a.header, b.header, slices.Equal[[]string]):
		return fmt.Sprintf("header %v, then %v", a.header, b.header)
	case string(a.body) != string(b.body):
		return fmt.Sprintf("body %.200q, then %.200q", a.body, b.body)
	}
	return ""
}

// What the cache answers ahead of the router is what the router would.
func TestHitsEqualMisses(t *testing.T) {
	w := start(t)
	w.stock(t, tender, "道路工程招标公告", "桥梁工程招标公告")
	id := w.get(t, "/api/v1/notices").text("items.0.id")
	paths := slices.Concat(cachedPaths, []string{"/api/v1/notices/" + id, "/api/v1/notices/" + id + "/qr.svg", "/api/v1/notices/" + id + "/revisions", "/api/v1/notices/" + id + "/diff"})
	for _, header := range []map[string]string{{}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "gzip, deflate, br, zstd"},
		{"Accept-Encoding": "identity"}, {"If-None-Match": "*"}, {"If-None-Match": `W/"other"`}, {"Origin": "https://example.org"}} {
		for _, method := range []string{"GET", "HEAD"} {
			w.stockNothing(t) // so that the first of two is a miss
			for _, path := range paths {
				before := w.cache.Stats()
				first := w.call(t, method, path, opts{header: header})
				middle := w.cache.Stats()
				second := w.call(t, method, path, opts{header: header})
				after := w.cache.Stats()
				if middle.Fills != before.Fills+1 || after.Fills != middle.Fills || after.Hits != middle.Hits+1 {
					t.Errorf("%s %s: fills %d, %d, %d and hits %d, %d, %d are no miss and a hit", method, path,
						before.Fills, middle.Fills, after.Fills, before.Hits, middle.Hits, after.Hits)
				}
				if difference := same(first, second); difference != "" {
					t.Errorf("%s %s %v: %s", method, path, header, difference)
				}
			}
		}
	}
}

// stockNothing moves the change feed without changing what is listed: a
// definition is written again as it is.
func (w *world) stockNothing(t *testing.T) {
	t.Helper()
	w.call(t, "PATCH", "/api/v1/staff/sectors/general", opts{as: "admin", body: object{}})
}

func TestContentCoding(t *testing.T) {
	w := start(t)
	w.stock(t, tender, "道路工程招标公告", "桥梁工程招标公告")
	const path = "/api/v1/catalog"
	plain := w.call(t, "GET", path, opts{header: map[string]string{"Accept-Encoding": ""}})
	for _, tt := range []struct{ accept, want string }{
		{"", ""}, {"gzip", "gzip"}, {"br", "br"}, {"gzip, br", "br"}, {"br, gzip", "br"}, {"gzip, deflate, br, zstd", "br"},
		{"identity", ""}, {"deflate", ""}, {"zstd", ""}, {"*", "br"},
		{"br;q=0", ""}, {"gzip;q=0", ""}, {"br;q=0, gzip", "gzip"}, {"gzip;q=0, br", "br"}, {"br; q=0.0, gzip;q=0.5", "gzip"},
		{"gzip;q=1.0, br;q=0.1", "gzip"}, {"GZIP", "gzip"}, {"br;q=1;x=y", ""}, {"br;q=2", ""}, {"gzip;q=nonsense", ""},
		{"*;q=0", ""}, {"gzip;q=0, *", "br"}, {"identity;q=0.5, gzip;q=0.1", ""}, {"identity;q=0.5, *;q=0.9", "br"},
	} {
		for range 2 { // the second from the cache
			r := w.call(t, "GET", path, opts{header: map[string]string{"Accept-Encoding": tt.accept}})
			if got := r.header.Get("Content-Encoding"); got != tt.want {
				t.Errorf("Accept-Encoding %q: %q, want %q", tt.accept, got, tt.want)
			}
			if string(decoded(t, r)) != string(plain.body) {
				t.Errorf("Accept-Encoding %q: another body", tt.accept)
			}
			if r.header.Get("Vary") != "Accept-Encoding" || r.header.Get("Etag") != plain.header.Get("Etag") {
				t.Errorf("Accept-Encoding %q: %v", tt.accept, r.header)
			}
			if tt.want != "" && len(r.body) > len(plain.body)/3 {
				t.Errorf("%s saves little: %d of %d bytes", tt.want, len(r.body), len(plain.body))
			}
		}
	}
	if small := w.call(t, "GET", "/api/v1/changes?after=999999", opts{header: map[string]string{"Accept-Encoding": "br"}}); small.header.Get("Content-Encoding") != "" {
		t.Errorf("%d bytes are packed", len(small.body))
	}
}

// A reader who has the newest answer is told so; the tag changes with what is
// said, and not with the hour.
func TestConditionalRequests(t *testing.T) {
	w := start(t)
	w.stock(t, tender, "道路工程招标公告")
	for _, path := range cachedPaths {
		first := w.get(t, path)
		tag := first.header.Get("Etag")
		if !strings.HasPrefix(tag, `W/"`) || first.header.Get("Cache-Control") != "public, no-cache" || first.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", path, first.header)
		}
		for _, tt := range []struct {
			header string
			want   int
		}{{tag, 304}, {strings.TrimPrefix(tag, "W/"), 304}, {`W/"a", ` + tag + `, "b"`, 304}, {"*", 304}, {`W/"a"`, 200}, {strings.Trim(tag, `W/"`), 200}} {
			r := w.call(t, "GET", path, opts{header: map[string]string{"If-None-Match": tt.header}, want: tt.want})
			if r.header.Get("Etag") != tag || tt.want == 304 && len(r.body) > 0 {
				t.Errorf("%s, If-None-Match %s: %v %.100s", path, tt.header, r.header, r.body)
			}
		}
		head := w.call(t, "HEAD", path, opts{want: 200})
		if len(head.body) > 0 || head.header.Get("Content-Length") != fmt.Sprint(len(first.body)) || head.header.Get("Etag") != tag {
			t.Errorf("HEAD %s: %v", path, head.header)
		}
	}
	before := w.get(t, "/api/v1/notices")
	w.advance(time.Minute)
	w.stockNothing(t)
	if r := w.get(t, "/api/v1/notices"); r.header.Get("Etag") != before.header.Get("Etag") || r.text("as_of") == before.text("as_of") {
		t.Errorf("the same list a minute later: %v", r.header)
	}
	w.stock(t, tender, "桥梁工程招标公告")
	w.call(t, "GET", "/api/v1/notices", opts{header: map[string]string{"If-None-Match": before.header.Get("Etag")}, want: 200})
}

// Lists of persons are kept by nobody on the way, and carry no tag.
func TestPersonalAnswersAreNotStored(t *testing.T) {
	w := start(t)
	id := w.publish(t, w.draft(t, housing, "保障房分配结果公示", object{"body": "housing-construction-bureau"})).text("id")
	for _, path := range []string{"", "/revisions", "/revisions/1", "/diff"} {
		for range 2 {
			r := w.call(t, "GET", "/api/v1/notices/"+id+path, opts{header: map[string]string{"If-None-Match": "*"}, want: 200})
			if r.header.Get("Cache-Control") != "private, no-store" || r.header.Get("Etag") != "" || r.holds(idNumber) {
				t.Errorf("%s: %v", path, r.header)
			}
		}
	}
}

// A page of another site may read what is public, and only that.
func TestCrossOrigin(t *testing.T) {
	w := start(t)
	origin := map[string]string{"Origin": "https://example.org", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
	r := w.call(t, "OPTIONS", "/api/v1/notices", opts{header: origin, want: 204})
	if r.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(r.header.Get("Access-Control-Allow-Headers"), "If-None-Match") {
		t.Errorf("preflight: %v", r.header)
	}
	for path, want := range map[string]int{"/api/v1/notices?sector=nope": 400, "/api/v1/notices/48201735": 404, "/problems/notice.invalid": 200} {
		if r := w.call(t, "GET", path, opts{header: origin, want: want}); r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: another site does not see the answer: %v", path, r.header)
		}
	}
	for _, header := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"} {
		if r := w.call(t, "GET", staffNotices, opts{as: "admin", header: origin}); r.header.Get(header) != "" {
			t.Errorf("a staff route sends %s: %s", header, r.header.Get(header))
		}
	}
	w.call(t, "OPTIONS", staffNotices, opts{header: origin, want: 405})
}

// What the cache keeps of one question does not quote how somebody else typed it.
func TestNobodyElseIsQuoted(t *testing.T) {
	w := start(t)
	w.call(t, "GET", "/api/v1/projects/e%E2%80%8B9x", opts{want: 404})
	if r := w.call(t, "GET", "/api/v1/projects/E9X", opts{want: 404}); r.text("detail") != "没有找到项目“E9X”" {
		t.Errorf("no project: %s", r.body)
	}
	w.get(t, "/search?q=%EF%BC%A1%EF%BC%A2")
	if r := w.get(t, "/search?q=ab"); r.holds("ＡＢ") || !r.holds(`value="ab"`) {
		t.Errorf("the search page quotes another: %.2000s", r.body)
	}
}

// While the database is away the newest known answers are served and say how
// old they are; lists of persons, and what is not known, wait.
func TestStaleAnswersSaySo(t *testing.T) {
	away := &awayReader{}
	w := start(t, func(c *handlers.Config) { away.Reader, away.Cache, c.Reader, c.Cache = c.Reader, c.Cache, away, away })
	w.stock(t, tender, "道路工程招标公告")
	id := w.get(t, "/api/v1/notices").text("items.0.id")
	away.age = 90 * time.Second
	r := w.get(t, "/api/v1/notices/"+id)
	if r.header.Get("Age") != "90" || r.header.Get("X-Data-As-Of") != disclosure.FormatInstant(w.Now().Add(-90*time.Second)) || r.header.Get("Warning") == "" {
		t.Errorf("an old answer: %v", r.header)
	}
	away.age, away.err = 0, disclosure.Errorf(disclosure.CodeUnavailable, "数据库暂时不可用，请稍后重试")
	w.mayFail = true
	for _, path := range []string{"/api/v1/notices?limit=3", "/api/v1/notices/" + id + "/head"} {
		if r := w.call(t, "GET", path, opts{want: 503}); r.header.Get("Retry-After") != "2" {
			t.Errorf("%s: %v", path, r.header)
		}
	}
}

// awayReader is a store and a cache whose database can be away.
type awayReader struct {
	handlers.Reader
	handlers.Cache
	age time.Duration
	err error
}

// Get implements handlers.Cache.
func (a *awayReader) Get(ctx context.Context, key string, fill func(context.Context) (*disclosure.Answer, error)) (*disclosure.Answer, time.Duration, error) {
	if a.err != nil {
		return nil, 0, a.err
	}
	answer, _, err := a.Cache.Get(ctx, key, fill)
	return answer, a.age, err
}

// Peek implements handlers.Cache.
func (a *awayReader) Peek(string, time.Time) *disclosure.Answer { return nil }

// Status implements handlers.Reader.
func (a *awayReader) Status(ctx context.Context, ref disclosure.NoticeRef) (disclosure.NoticeHead, error) {
	if a.err != nil {
		return disclosure.NoticeHead{}, a.err
	}
	return a.Reader.Status(ctx, ref)
}

// A bug in a handler is one answer's, says nothing of itself, and is in the log.
func TestBugsStayInside(t *testing.T) {
	w := start(t)
	w.mayFail = true
	w.edge.Mount("/api/v1/panic", func(*fiber.Ctx) error { panic("secret 320902") })
	w.edge.Mount("/api/v1/error", func(*fiber.Ctx) error { return errors.New("secret 320902") })
	for _, path := range []string{"/api/v1/panic", "/api/v1/error"} {
		r := w.call(t, "GET", path, opts{want: 500})
		if r.text("code") != "internal" || r.holds("320902") {
			t.Errorf("%s: %s", path, r.body)
		}
		if !strings.Contains(w.logs.String(), r.header.Get("X-Request-Id")) {
			t.Errorf("%s: the log does not know the request %s", path, r.header.Get("X-Request-Id"))
		}
	}
	w.get(t, "/api/v1/home")
}

// The id of a request is the client's if it is a plain word.
func TestRequestIDs(t *testing.T) {
	w := start(t)
	for sent, kept := range map[string]bool{"abc-1.2_3": true, "": false, "a b": false, "<x>": false, strings.Repeat("a", 65): false, "甲": false} {
		got := w.call(t, "GET", "/api/v1/home", opts{header: map[string]string{"X-Request-Id": sent}}).header.Get("X-Request-Id")
		if (got == sent) != kept || got == "" {
			t.Errorf("X-Request-Id %q is answered with %q", sent, got)
		}
	}
	a, b := w.get(t, "/api/v1/home").header.Get("X-Request-Id"), w.get(t, "/api/v1/home").header.Get("X-Request-Id")
	if a == b {
		t.Errorf("two requests have the id %s", a)
	}
}

// Addresses and methods that are not there, in bytes no client sends.
func TestNoSuchRequest(t *testing.T) {
	w := start(t)
	for _, tt := range []struct {
		method, path string
		want         int
		code         disclosure.Code
	}{
		{"GET", "/api/v1/nothing", 404, disclosure.CodeNoRoute},
		{"GET", "/api/v1/notices/", 404, disclosure.CodeNoRoute},
		{"GET", "/API/V1/notices", 404, disclosure.CodeNoRoute},
		{"GET", "/api/v2/notices", 404, disclosure.CodeNoRoute},
		{"POST", "/api/v1/notices", 405, disclosure.CodeMethod},
		{"DELETE", "/api/v1/home", 405, disclosure.CodeMethod},
		{"BREW", "/api/v1/home", 405, disclosure.CodeMethod},
		{"GET", "/api/v1/notices/12345678", 404, disclosure.CodeNotFound},
		{"GET", "/api/v1/notices/%2e%2e%2f", 404, disclosure.CodeNotFound},
		{"GET", "/api/v1/attachments/../../etc/passwd", 404, disclosure.CodeNoRoute},
		{"GET", "/api/v1/attachments/" + strings.Repeat("A", 64), 404, disclosure.CodeNoFile},
		{"GET", "/api/v1/projects/%ZZ", 404, disclosure.CodeNoProject},
		{"GET", "/problems/nothing", 404, disclosure.CodeNoRoute},
		{"GET", "/docs/../server.go", 404, disclosure.CodeNoRoute},
	} {
		if r := w.raw(t, tt.method+" "+tt.path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); r.status != tt.want || r.text("code") != string(tt.code) {
			t.Errorf("%s %s = %d %s", tt.method, tt.path, r.status, r.body)
		}
	}
	for name, request := range map[string]string{
		"no HTTP":           "hello\r\n\r\n",
		"a length below 0":  "POST /api/v1/staff/notices HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
		"a header too long": "GET /api/v1/home HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, request)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		if !strings.HasPrefix(line, "HTTP/1.1 4") {
			t.Errorf("%s is answered with %q", name, line)
		}
		_ = conn.Close()
	}
	w.get(t, "/api/v1/home")
}

// Clients that send a header byte by byte, or nothing, are dropped in time, and
// others are served meanwhile.
func TestSlowClientsAreDropped(t *testing.T) {
	t.Parallel()
	w := start(t)
	var conns []net.Conn
	for i := range 100 {
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if i%2 == 0 {
			_, _ = io.WriteString(c, "GET /api/v1/home HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		} else {
			_, _ = io.WriteString(c, "POST /api/v1/staff/notices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{")
		}
		conns = append(conns, c)
	}
	w.get(t, "/api/v1/home")
	limit := w.edge.Limits()
	if limit.ReadTimeout != 5*time.Second || limit.WriteTimeout != 10*time.Second || limit.IdleTimeout != 30*time.Second || limit.Concurrency != 4096 {
		t.Errorf("limits: %v %v %v %d", limit.ReadTimeout, limit.WriteTimeout, limit.IdleTimeout, limit.Concurrency)
	}
	deadline := time.Now().Add(limit.ReadTimeout + 5*time.Second)
	for i, c := range conns {
		_ = c.SetDeadline(deadline)
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the %d. slow client is still held", i)
		}
	}
	w.get(t, "/api/v1/home")
}

// The JSON of the contract to the letter: it only grows, and not by accident.
func TestGolden(t *testing.T) {
	w := start(t)
	draft := w.draft(t, tender, "盐东镇道路改造工程招标公告", object{"project": object{"code": "E3209020001", "name": "盐东镇道路"}, "formed_at": "2026-11-20"})
	id := w.publish(t, draft).text("id")
	for name, path := range map[string]string{"notice": "/api/v1/notices/" + id, "notices": "/api/v1/notices", "catalog_item": "/api/v1/catalog/A1-04",
		"project": "/api/v1/projects/E3209020001", "home": "/api/v1/home", "gone": "/api/v1/notices/12345678"} {
		r := w.call(t, "GET", path, opts{want: anyStatus})
		got := strings.NewReplacer(id, "ID", r.header.Get("X-Request-Id"), "REQUEST").Replace(string(r.body)) + "\n"
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is\n%s\nwant\n%s\n(go test ./handlers -run Golden -update writes it anew)", path, got, want)
		}
	}
}

// TestKeptAnswersHaveNoAddress: what the cache holds is reached through a route
// and what the route asks of the reader, never by the name it is kept under.
func TestKeptAnswersHaveNoAddress(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.Signer = feedKeys{} })
	p := w.signIn(t)
	sub, err := w.store.SaveSubscription(t.Context(), p.N, disclosure.NewSubscription(uuid.NewString(), "h5", w.Now()))
	if err != nil {
		t.Fatal(err)
	}
	feed := "/api/v1/feeds/saved/" + sub.ID + ".atom"
	w.get(t, feed+"?key=key-of-"+sub.ID)
	w.get(t, "/api/v1/home")
	for _, name := range []string{"home", "feed/" + feed + "?" + strconv.FormatInt(sub.UpdatedAt.UnixMilli(), 10)} {
		if r := w.raw(t, "GET "+name+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); r.status != 404 {
			t.Errorf("GET %s = %d: %.200s", name, r.status, r.body)
		}
	}
}
