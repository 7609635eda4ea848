package disclosure

import (
	"slices"
	"strings"
	"time"

	"gongkai/internal/workday"
)

// CoverageState says how far a catalogue item is fulfilled.
type CoverageState string

// The states of coverage.
const (
	Covered        CoverageState = "covered" // every body named has published
	CoveredPartly  CoverageState = "partial" // some have
	CoverageMissed CoverageState = "missing" // nobody has
)

// Share is what one body or type contributed to an item.
type Share struct {
	ID              string // of the body, or code of the type
	Published, Late int
	FirstAt, LastAt time.Time
}

// ItemCoverage is what is public of one catalogue item (目录公开情况), since when,
// by whom, and what is missing.
type ItemCoverage struct {
	State         CoverageState
	Since         time.Time // zero when nothing is
	OnTime, Late  int       // of the notices that say from when their limit ran
	Bodies, Types []Share
	MissingBodies []string // named by the catalogue, with nothing public; a role only while nobody else has
	MissingTypes  []string // types that fulfil the item, with nothing public
}

// Item works out the coverage of one item on day today.
func (c Coverage) Item(i CatalogItem, today workday.Date) ItemCoverage {
	out := ItemCoverage{State: CoverageMissed}
	for _, r := range c.Rows {
		if r.Item != i.ID {
			continue
		}
		out.OnTime, out.Late = out.OnTime+r.Timed-r.Late, out.Late+r.Late
		out.Since = earlier(out.Since, r.FirstAt)
		out.Bodies = share(out.Bodies, r.Body, r)
		out.Types = share(out.Types, r.Type, r)
	}
	for _, code := range c.Catalog.TypesFulfilling(i.ID, today) {
		if !amendment(code) && !holdsShare(out.Types, code) {
			out.MissingTypes = append(out.MissingTypes, code)
		}
	}
	for _, body := range i.Bodies {
		if c.owes(body, today) && !holdsShare(out.Bodies, body) || c.role(body) && len(out.Bodies) == 0 {
			out.MissingBodies = append(out.MissingBodies, body)
		}
	}
	switch {
	case len(out.Bodies) > 0 && len(out.MissingBodies) == 0:
		out.State = Covered
	case len(out.Bodies) > 0:
		out.State = CoveredPartly
	}
	return out
}

func amendment(code string) bool {
	return strings.HasSuffix(code, ".correction") || strings.HasSuffix(code, ".termination")
}

func share(list []Share, id string, r CoverageRow) []Share {
	i := slices.IndexFunc(list, func(s Share) bool { return s.ID == id })
	if i < 0 {
		list, i = append(list, Share{ID: id}), len(list)
	}
	s := &list[i]
	s.Published, s.Late, s.FirstAt = s.Published+r.Published, s.Late+r.Late, earlier(s.FirstAt, r.FirstAt)
	if r.LastAt.After(s.LastAt) {
		s.LastAt = r.LastAt
	}
	return list
}

func holdsShare(list []Share, id string) bool {
	return slices.ContainsFunc(list, func(s Share) bool { return s.ID == id })
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// role reports whether the body stands for whichever implements a project.
func (c Coverage) role(id string) bool {
	b, err := c.Catalog.Body(id)
	return err == nil && b.Kind == BodyRole
}

// owes reports whether the body itself has to publish what names it: one in
// force, and no role.
func (c Coverage) owes(id string, today workday.Date) bool {
	b, err := c.Catalog.Body(id)
	return err == nil && b.Kind != BodyRole && b.On(today)
}

// PunctualityRow counts, for one body and one item in one year, what had to be
// public (公开时效): Due is the sum of the three others.
type PunctualityRow struct {
	Item      CatalogItem
	Body      string
	Published int // those without a known time limit included
	Due       int
	OnTime    int
	Late      int
	Missing   int // 1 when nothing of the item is public by the end of the year
}

// Punctuality lists the duties in force on day today by item and body, with
// what was published in the year; body "" is every body.
func (c Coverage) Punctuality(year int, body string, today workday.Date) []PunctualityRow {
	var out []PunctualityRow
	for _, i := range c.Catalog.Items {
		if !i.On(today) {
			continue
		}
		for _, id := range c.dutyBearers(i, year) {
			if body == "" || id == body {
				out = append(out, c.punctuality(i, id, year, today))
			}
		}
	}
	return out
}

// dutyBearers are the bodies the catalogue names and those that published.
func (c Coverage) dutyBearers(i CatalogItem, year int) []string {
	bearers := slices.Clone(i.Bodies)
	for _, r := range c.Rows {
		if r.Item == i.ID && r.Year == year && !slices.Contains(bearers, r.Body) {
			bearers = append(bearers, r.Body)
		}
	}
	return bearers
}

func (c Coverage) punctuality(i CatalogItem, body string, year int, today workday.Date) PunctualityRow {
	row := PunctualityRow{Item: i, Body: body}
	byBody, byAny := false, false
	for _, r := range c.Rows {
		if r.Item != i.ID || r.Year > year {
			continue
		}
		byAny, byBody = true, byBody || r.Body == body
		if r.Year == year && r.Body == body {
			row.Published, row.OnTime, row.Late = row.Published+r.Published, row.OnTime+r.Timed-r.Late, row.Late+r.Late
		}
	}
	named := slices.Contains(i.Bodies, body)
	if named && (c.owes(body, today) && !byBody || c.role(body) && !byAny) {
		row.Missing = 1
	}
	row.Due = row.OnTime + row.Late + row.Missing
	return row
}
