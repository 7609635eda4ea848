package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"gongkai/internal/disclosure"
)

// sizes are the databases that growth is measured on: -notices, a tenth of it,
// and so on down to ten thousand.
func (s settings) sizes() []int {
	out := []int{s.notices}
	for n := s.notices / 10; n >= 10_000; n /= 10 {
		out = append(out, n)
	}
	slices.Reverse(out)
	return out
}

// sized is a server on a database of so many notices.
type sized struct {
	settings
	*server
	name  string
	ready time.Duration
}

// grow measures how reading from the database, the start and memory change with
// the number of notices, sizes taking turns.
func (s settings) grow(ctx context.Context) error {
	var all []sized
	defer func() {
		for _, v := range all {
			v.stop()
		}
	}()
	for _, n := range s.sizes() {
		of := s
		of.notices = n
		if err := load(ctx, of.database(), n); err != nil {
			return err
		}
		began := time.Now()
		g, err := of.uncached(ctx)
		if err != nil {
			return err
		}
		all = append(all, sized{of, g, fmt.Sprintf("%d notices", n), time.Since(began)})
	}
	for _, q := range []struct {
		title string
		paths func(sized) ([]string, error)
	}{
		{"list of a sector", func(of sized) ([]string, error) {
			return of.pages(disclosure.NoticeQuery{Sectors: []string{"procurement"}}, 20_000), nil
		}},
		{"one notice", sized.details},
		{"search for two characters, first page", func(sized) ([]string, error) { return firstPages(2), nil }},
		{"search for two characters, a page anywhere", func(of sized) ([]string, error) { return of.searches(2), nil }},
		{"search for four characters and more, first page", func(sized) ([]string, error) { return firstPages(4), nil }},
	} {
		targets := make([]target, len(all))
		for i, v := range all {
			paths, err := q.paths(v)
			if err != nil {
				return err
			}
			targets[i] = target{name: v.name, by: v.server, paths: paths, conns: 1}
		}
		if _, err := s.compare(ctx, q.title+", one caller, from SQLite", targets); err != nil {
			return err
		}
	}
	for _, v := range all {
		n, err := v.memory()
		if err != nil {
			return err
		}
		fmt.Printf("%s: ready after %v, %.1f MB of anonymous memory after the load\n", v.name, v.ready.Round(time.Millisecond), n)
	}
	return s.growPocketBase(ctx)
}

// details returns the addresses of notices from all over the database.
func (v sized) details() ([]string, error) {
	var paths []string
	for _, page := range v.pages(disclosure.NoticeQuery{}, 60) {
		list, _, err := get(v.url + page)
		if err != nil {
			return nil, err
		}
		var found struct{ Items []struct{ ID string } }
		if err := json.Unmarshal(list, &found); err != nil {
			return nil, err
		}
		for _, n := range found.Items {
			paths = append(paths, detailPath+n.ID)
		}
	}
	rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	return paths, nil
}

// growPocketBase measures the peer's list on the same sizes.
func (s settings) growPocketBase(ctx context.Context) error {
	var targets []target
	var started []*server
	defer func() {
		for _, v := range started {
			v.stop()
		}
	}()
	for _, n := range s.sizes() {
		pb, err := s.startPocketBase(ctx, n)
		if err != nil || pb == nil {
			return err
		}
		started = append(started, pb)
		targets = append(targets, target{name: fmt.Sprintf("%d notices", n), by: pb, path: pocketList, conns: 1})
	}
	_, err := s.compare(ctx, "PocketBase: list of a sector with its total, one caller", targets)
	return err
}
