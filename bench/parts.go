package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"gongkai/internal/disclosure"
)

const listPath = "/api/v1/notices?sector=procurement"

// serve measures cached answers against a bare handler and nginx.
func (s settings) serve(ctx context.Context) error {
	g, err := s.gongkai(ctx, "--database", "sqlite:"+s.database())
	if err != nil {
		return err
	}
	defer g.stop()
	list, header, err := get(g.url + listPath)
	if err != nil {
		return err
	}
	code, err := firstCode(list)
	if err != nil {
		return err
	}
	detailPath := "/api/v1/notices/" + code
	detail, _, err := get(g.url + detailPath)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, 6)
	if _, err := w.Write(list); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	files := map[string][]byte{"list.json": list, "detail.json": detail}
	b, err := s.startBare(ctx, files)
	if err != nil {
		return err
	}
	defer b.stop()
	files["list.json.gz"] = packed.Bytes()
	n, err := s.startNginx(ctx, files)
	if err != nil {
		return err
	}
	defer n.stop()
	_, nginxHeader, err := get(n.url + "/list.json")
	if err != nil {
		return err
	}
	fmt.Printf("list of 20: %d bytes, gzip %d; detail: %d bytes\n", len(list), packed.Len(), len(detail))
	gz := []string{"Accept-Encoding: gzip"}
	for _, part := range []struct {
		title   string
		targets []target
	}{
		{"cached list, plain", []target{{name: "gongkai", url: g.url + listPath}, {name: "bare fiber", url: b.url + "/list.json"}, {name: "nginx", url: n.url + "/list.json"}}},
		{"cached detail, plain", []target{{name: "gongkai", url: g.url + detailPath}, {name: "bare fiber", url: b.url + "/detail.json"}, {name: "nginx", url: n.url + "/detail.json"}}},
		{"cached list, gzip", []target{{name: "gongkai", url: g.url + listPath, headers: gz}, {name: "nginx gzip_static", url: n.url + "/list.json", headers: gz}}},
		{"304", []target{{name: "gongkai", url: g.url + listPath, headers: []string{"If-None-Match: " + header.Get("ETag")}},
			{name: "nginx 304", url: n.url + "/list.json", headers: []string{"If-None-Match: " + nginxHeader.Get("ETag")}},
			{name: "nginx gzip_static 200", url: n.url + "/list.json", headers: gz}}},
	} {
		if _, err := s.compare(ctx, part.title, part.targets); err != nil {
			return err
		}
	}
	return printMemory(g, "after the load")
}

func firstCode(list []byte) (string, error) {
	_, rest, ok := strings.Cut(string(list), `"code":"`)
	if !ok || len(rest) < 8 {
		return "", errors.New("the list is empty")
	}
	return rest[:8], nil
}

// pages returns the paths of pages of a list that begin at random places: each
// is another cache key, so each asked once is a miss.
func (s settings) pages(q disclosure.NoticeQuery, n int) []string {
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	q.Sort = disclosure.SortPublished
	list := q.Canonical()
	paths := make([]string, n)
	for i := range paths {
		after := disclosure.Cursor{A: int64(1000 + r.IntN(s.notices-1000))}
		paths[i] = "/api/v1/notices?" + list + "&cursor=" + url.QueryEscape(after.Encode(list))
	}
	return paths
}

// miss measures what the store answers while cached reads go on beside.
func (s settings) miss(ctx context.Context) error {
	g, err := s.gongkai(ctx, "--database", "sqlite:"+s.database())
	if err != nil {
		return err
	}
	defer g.stop()
	sector := disclosure.NoticeQuery{Sectors: []string{"procurement"}}
	if _, err := s.compare(ctx, "list straight from SQLite (every request another page)", []target{
		{name: "64 callers", url: g.url, paths: s.pages(sector, 60_000)},
		{name: "4 callers", url: g.url, paths: s.pages(sector, 60_000), conns: 4},
	}); err != nil {
		return err
	}
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for loadCtx.Err() == nil {
			_, _ = s.wrk(loadCtx, target{url: g.url + listPath, conns: 8})
		}
	}()
	_, err = s.compare(ctx, "the same, 4 callers, beside 8 that read from cache as fast as they can", []target{
		{name: "misses under load", url: g.url, paths: s.pages(sector, 60_000), conns: 4},
	})
	return err
}

// search measures two-character searches that miss the cache.
func (s settings) search(ctx context.Context) error {
	g, err := s.gongkai(ctx, "--database", "sqlite:"+s.database())
	if err != nil {
		return err
	}
	defer g.stop()
	var two, four []string
	for i, w := range words {
		if n := len([]rune(w)); n == 2 {
			two = append(two, s.pages(disclosure.NoticeQuery{Q: w}, 700)...)
		}
		if i+7 < len(words) && i%3 == 0 {
			four = append(four, s.pages(disclosure.NoticeQuery{Q: w + words[i+7]}, 200)...)
		}
	}
	rand.Shuffle(len(two), func(i, j int) { two[i], two[j] = two[j], two[i] })
	_, err = s.compare(ctx, "search straight from SQLite, one caller", []target{
		{name: "two characters", url: g.url, paths: two, conns: 1},
		{name: "four and more", url: g.url, paths: four, conns: 1},
	})
	return err
}

// peer measures the same list on PocketBase with the same rows.
func (s settings) peer(ctx context.Context) error {
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	database, err := filepath.Abs(s.database())
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.dir, "pocketbase"), filepath.Join(s.dir, fmt.Sprintf("pb%d", s.notices)), database, addr)
	pb, err := run(cmd, "http://"+addr, "http://"+addr+"/api/health")
	if err != nil {
		return err
	}
	defer pb.stop()
	g, err := s.gongkai(ctx, "--database", "sqlite:"+s.database())
	if err != nil {
		return err
	}
	defer g.stop()
	fields := "&fields=id,code,title,sector,type,status,publisher,source_name,project_code,region,published_at,deadline_at,amount,summary"
	query := "/api/collections/notices/records?perPage=20&sort=-published_at&filter=" + url.QueryEscape("sector='procurement'") + fields
	peer := target{name: "PocketBase 0.40.4", url: pb.url + query}
	if _, err := s.compare(ctx, "list of 20 by sector with its total, from cache", []target{{name: "gongkai", url: g.url + listPath}, peer}); err != nil {
		return err
	}
	_, err = s.compare(ctx, "the same, straight from SQLite", []target{
		{name: "gongkai", url: g.url, paths: s.pages(disclosure.NoticeQuery{Sectors: []string{"procurement"}}, 60_000)}, peer})
	return err
}

// start measures how long the server takes to be ready and what it then holds.
func (s settings) start(ctx context.Context) error {
	var times []time.Duration
	var last *server
	for range 5 {
		if last != nil {
			last.stop()
		}
		began := time.Now()
		g, err := s.gongkai(ctx, "--database", "sqlite:"+s.database())
		if err != nil {
			return err
		}
		times, last = append(times, time.Since(began)), g
	}
	defer last.stop()
	info, err := os.Stat(filepath.Join(s.dir, "gongkai"))
	if err != nil {
		return err
	}
	fmt.Printf("\nstart to ready with %d notices: %v\nbinary: %.1f MB\n", s.notices, times, float64(info.Size())/1e6)
	return printMemory(last, "when ready")
}

func printMemory(g *server, when string) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(string(b), "\n") {
		if strings.HasPrefix(line, "RssAnon:") {
			fmt.Printf("anonymous resident memory %s: %s\n", when, strings.TrimSpace(strings.TrimPrefix(line, "RssAnon:")))
		}
	}
	return nil
}
