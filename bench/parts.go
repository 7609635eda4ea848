package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"gongkai/internal/disclosure"
)

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

// uncached starts a server whose cache holds next to nothing, so that what is
// asked of it comes from the database however often it was asked before.
func (s settings) uncached(ctx context.Context) (*server, error) {
	return s.gongkai(ctx, "--database", "sqlite:"+s.database(), "--cache.mib", "1")
}

// miss measures what the store answers while cached reads go on beside.
func (s settings) miss(ctx context.Context) error {
	g, err := s.uncached(ctx)
	if err != nil {
		return err
	}
	defer g.stop()
	sector := disclosure.NoticeQuery{Sectors: []string{"procurement"}}
	if _, err := s.compare(ctx, "list straight from SQLite (every request another page)", []target{
		{name: "64 callers", by: g, paths: s.pages(sector, 60_000)},
		{name: "4 callers", by: g, paths: s.pages(sector, 60_000), conns: 4},
	}); err != nil {
		return err
	}
	loadCtx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		for loadCtx.Err() == nil {
			_, _ = s.wrk(loadCtx, target{by: g, path: listPath, conns: 8})
		}
	}()
	_, err = s.compare(ctx, "the same, 4 callers, beside 8 that read from cache as fast as they can", []target{
		{name: "misses under load", by: g, paths: s.pages(sector, 60_000), conns: 4},
	})
	return err
}

// search measures searches, newest first pages and later ones, from SQLite.
func (s settings) search(ctx context.Context) error {
	g, err := s.uncached(ctx)
	if err != nil {
		return err
	}
	defer g.stop()
	_, err = s.compare(ctx, "search straight from SQLite, one caller", []target{
		{name: "two characters, first page", by: g, paths: firstPages(2), conns: 1},
		{name: "… a page anywhere", by: g, paths: s.searches(2), conns: 1},
		{name: "four and more, first page", by: g, paths: firstPages(4), conns: 1},
		{name: "… a page anywhere", by: g, paths: s.searches(4), conns: 1},
	})
	return err
}

// queries returns words of two characters, or pairs of words that stand
// together for more.
func queries(characters int) []string {
	var out []string
	for i, w := range words {
		switch {
		case characters == 2 && len([]rune(w)) == 2:
			out = append(out, w)
		case characters > 2 && i+7 < len(words):
			out = append(out, w+words[i+7])
		}
	}
	return out
}

// searches returns pages of each query that begin at random places.
func (s settings) searches(characters int) []string {
	var paths []string
	for _, q := range queries(characters) {
		paths = append(paths, s.pages(disclosure.NoticeQuery{Q: q}, 300)...)
	}
	rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	return paths
}

// firstPages returns the first page of each query, in random order and in sizes
// around twenty.
func firstPages(characters int) []string {
	var paths []string
	for _, q := range queries(characters) {
		for limit := 15; limit <= 25; limit++ {
			paths = append(paths, fmt.Sprintf("/api/v1/notices?limit=%d&q=%s", limit, url.QueryEscape(q)))
		}
	}
	rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	return paths
}

// peer measures the same list on PocketBase with the same rows.
func (s settings) peer(ctx context.Context) error {
	pb, err := s.startPocketBase(ctx, s.notices)
	if err != nil || pb == nil {
		return err
	}
	defer pb.stop()
	g, err := s.uncached(ctx)
	if err != nil {
		return err
	}
	defer g.stop()
	_, err = s.compare(ctx, "list of 20 by sector with its total, straight from SQLite", []target{
		{name: "gongkai", by: g, paths: s.pages(disclosure.NoticeQuery{Sectors: []string{"procurement"}}, 20_000)},
		{name: "PocketBase 0.40.4", by: pb, path: pocketList, asked: 15}})
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
	held, err := last.memory()
	if err != nil {
		return err
	}
	fmt.Printf("\nstart to ready with %d notices: %v\nbinary: %.1f MB\nanonymous memory when ready: %.1f MB\n",
		s.notices, times, float64(info.Size())/1e6, held)
	return nil
}
