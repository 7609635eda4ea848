package main

import (
	"context"
	"fmt"
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
		asked float64 // of the smallest by any other
		paths func(settings) []string
	}{
		{"list of a sector, one caller, from SQLite", 0, func(of settings) []string {
			return of.pages(disclosure.NoticeQuery{Sectors: []string{"procurement"}}, 20_000)
		}},
		{"search for two characters, one caller, from SQLite", 0, settings.twoCharacters},
		{"search for four characters and more, one caller, from SQLite", 0, settings.fourCharacters},
	} {
		targets := make([]target, len(all))
		for i, v := range all {
			targets[i] = target{name: v.name, by: v.server, paths: q.paths(v.settings), conns: 1}
		}
		if _, err := s.compare(ctx, q.title, targets); err != nil {
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
