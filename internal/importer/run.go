package importer

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"gongkai/internal/disclosure"
)

// run is one reading of a file: one goroutine reads rows into drafts, several
// try them, one collects what came of each in the file's order.
type run struct {
	*checked
	reading *report // of what is said while reading; joined to checked at the end
	trial   Trial
	keep    bool
	seen    map[string]int // row by key
	titles  map[string]int // row by title
}

func (r *run) reset(format string) {
	r.checked, r.reading = &checked{report: newReport(), format: format}, newReport()
	r.seen, r.titles = map[string]int{}, map[string]int{}
}

// lines reads JSON Lines.
func (r *run) lines(ctx context.Context, data []byte) error {
	in := &input{report: r.reading, main: &layout{grid: &csvFile{}}, typ: &disclosure.NoticeType{}}
	return r.all(ctx, in, func(yield func(*entry) error) error { return eachLine(data, r.reading, yield) })
}

// grids reads a workbook or a CSV file.
func (r *run) grids(ctx context.Context, catalog *disclosure.Catalog, grids []grid, date1904 bool, a disclosure.Actor, want string) error {
	in, err := newInput(catalog, grids, want, a, r.reading)
	if err != nil {
		return err
	}
	if in.typ != nil {
		r.typ = in.typ.Code
	}
	if in.main == nil { // and the report says why
		r.join(r.reading)
		return nil
	}
	in.date1904 = date1904
	r.sheet = in.main.grid.name()
	in.remarkColumns(in.main, columnsOf(in.typ))
	if err := checkSize(in.main.grid); err != nil {
		return err
	}
	if err := in.readTables(); err != nil {
		return err
	}
	return r.all(ctx, in, in.each)
}

// batch is some entries on their way through the pipeline.
type batch struct {
	entries []*entry
	tried   chan struct{}
}

const (
	batchSize  = 32
	batchBytes = 256 << 10
)

// all runs the pipeline to its end.
func (r *run) all(ctx context.Context, in *input, each func(yield func(*entry) error) error) error {
	g, ctx := errgroup.WithContext(ctx)
	workers := min(runtime.GOMAXPROCS(0), 4)
	work, order := make(chan *batch, workers), make(chan *batch, 2*workers)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		return feed(ctx, each, work, order)
	})
	for range workers {
		g.Go(func() error {
			for b := range work {
				for _, e := range b.entries {
					if err := r.try(ctx, in, e); err != nil {
						return err
					}
				}
				close(b.tried)
			}
			return nil
		})
	}
	g.Go(func() error {
		for b := range order {
			select {
			case <-b.tried:
			case <-ctx.Done():
				return ctx.Err()
			}
			for _, e := range b.entries {
				r.collect(in, e)
			}
		}
		return nil
	})
	err := g.Wait()
	r.join(r.reading)
	return err
}

// feed sends what each yields down the pipeline in batches.
func feed(ctx context.Context, each func(yield func(*entry) error) error, work, order chan<- *batch) error {
	b := &batch{tried: make(chan struct{})}
	send := func() error {
		for _, to := range []chan<- *batch{order, work} {
			select {
			case to <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		b = &batch{tried: make(chan struct{})}
		return nil
	}
	size := 0
	err := each(func(e *entry) error {
		e.cells = &line{n: e.cells.n, cells: slices.Clone(e.cells.cells)} // the reader uses its own again
		size += e.size
		if b.entries = append(b.entries, e); len(b.entries) == batchSize || size > batchBytes {
			size = 0
			return send()
		}
		return nil
	})
	if err == nil {
		err = send()
	}
	return err
}

// try reads the draft as its creation would. It runs beside others.
func (r *run) try(ctx context.Context, in *input, e *entry) error {
	if e.unread["*"] {
		return nil
	}
	content, findings, err := r.trial(ctx, e.draft)
	if err != nil {
		return in.faults(e, err)
	}
	for _, f := range findings {
		in.finding(e, f)
	}
	content.TypeVersion = 0 // a new version of the type makes no other notice
	if e.digest, err = content.ContentSHA256(); err != nil {
		return err
	}
	e.title = content.Title
	e.key = disclosure.Digest("content\x00" + e.digest)
	if id := strings.TrimSpace(e.sourceID); id != "" {
		e.key = disclosure.Digest("source\x00" + content.Type + "\x00" + content.Source.Name + "\x00" + id)
	}
	if !r.keep {
		e.draft = disclosure.Draft{}
	}
	return nil
}

// collect counts an entry and keeps it if it can be written.
func (r *run) collect(in *input, e *entry) {
	at := place{in.main.grid.name(), e.row, -1}
	for _, i := range e.issues {
		r.add(i)
		e.warned = e.warned || i.Severity == disclosure.SeverityWarning
	}
	if e.key != "" {
		if first, twice := r.seen[e.key]; twice {
			r.at(at, "", "", *fault("row.duplicate", fmt.Sprintf("与第 %d 行是同一份公告", first), "请删去重复的行；不同的公告请填不同的来源编号"))
			e.bad = true
		} else {
			r.seen[e.key] = e.row
		}
		if first, twice := r.titles[e.title]; twice && !e.bad {
			r.at(in.placeOf(e, "title"), "title", e.title, *caution("title.duplicate", fmt.Sprintf("标题与第 %d 行相同", first), "请核对是否重复"))
			e.warned = true
		}
		r.titles[e.title] = e.row
	}
	r.rows.Total++
	switch {
	case e.bad:
		r.rows.Errors++
		return
	case e.warned:
		r.rows.Warnings++
	}
	r.entries, r.places = append(r.entries, disclosure.ImportEntry{Key: e.key, Digest: e.digest, Draft: e.draft}), append(r.places, e.row)
}
