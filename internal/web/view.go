package web

import (
	"slices"
	"time"

	"gongkai/internal/disclosure"
)

// What the templates ask of a notice and of a project beyond their data.

func (n Notice) typ() *disclosure.NoticeType {
	t, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return &disclosure.NoticeType{Code: n.Type, Name: n.Type}
	}
	return t
}

// TypeName names the type as it was when the notice was written.
func (n Notice) TypeName() string { return n.typ().Name }

// BodyName names the publisher.
func (n Notice) BodyName() string { return n.Catalog.BodyName(n.Body) }

// SectorName names the sector.
func (n Notice) SectorName() string { return sectorName(n.Catalog, n.SectorCode()) }

// AbstractText is a sentence or two about the notice.
func (n Notice) AbstractText() string { return n.Abstract(n.typ()) }

// Deadline is the instant until which the notice is open, zero for none.
func (n Notice) Deadline() time.Time { return n.Status.OpenUntil(n.DeadlineAt(n.typ())) }

// StateName says in a word what has become of the notice, "" for an ordinary
// published one.
func (n Notice) StateName() string {
	corrected := n.Old() || slices.ContainsFunc(n.Links, func(l disclosure.Linked) bool { return l.Type == disclosure.RelationCorrectedBy })
	return stateName(n.Status, corrected)
}

// stateName is the mark of a notice that is not what it was.
func stateName(s disclosure.Status, corrected bool) string {
	switch {
	case s == disclosure.StatusTerminated:
		return "已终止"
	case corrected:
		return "已更正"
	}
	return ""
}

// DeadlineLabel names the field behind Deadline.
func (n Notice) DeadlineLabel() string { return n.label(n.typ().DeadlineField) }

// Closing says how long the notice is still open, "" without a deadline.
func (n Notice) Closing() string { return closing(n.Deadline(), n.Now) }

// Over reports whether the deadline is over.
func (n Notice) Over() bool { return !n.Deadline().IsZero() && !n.Now.Before(n.Deadline()) }

// AmountText is the amount the type names, "" for none.
func (n Notice) AmountText() string {
	if m, ok := n.Amount(n.typ()); ok {
		return amount(m)
	}
	return ""
}

// AmountLabel names the field behind AmountText.
func (n Notice) AmountLabel() string { return n.label(n.typ().AmountField) }

func (n Notice) label(key string) string {
	f, _ := n.typ().Field(key)
	return f.Label
}

func sectorName(c *disclosure.Catalog, code string) string {
	s, err := c.Sector(code)
	if err != nil {
		return code
	}
	return s.Name
}

// Title is the project's name, or its code where no notice names it.
func (p Project) Title() string {
	if p.Name == "" {
		return p.Code
	}
	return p.Name
}

func (p Project) last() disclosure.Summary { return p.Notices[len(p.Notices)-1] }

// SectorCode is that of the newest notice.
func (p Project) SectorCode() string { return p.last().Sector() }

// SectorName names the sector.
func (p Project) SectorName() string { return sectorName(p.Catalog, p.SectorCode()) }

// Step is a stage of a project with its notices, oldest first.
type Step struct {
	Name  string
	State string // "done", "now" or "none"
	Rows  []Row
}

// Steps lists the five stages (五公开), the present one marked.
func (p Project) Steps() []Step {
	stageOf := func(s disclosure.Summary) disclosure.Stage {
		t, err := p.Catalog.TypeAt(s.Type, s.TypeVersion)
		if err != nil {
			return ""
		}
		return t.Stage
	}
	now := stageOf(p.last())
	var steps []Step
	for _, stage := range disclosure.Stages {
		s := Step{Name: stage.Name, State: "none"}
		for _, n := range p.Notices {
			if stageOf(n) == stage.Stage {
				s.Rows = append(s.Rows, rowOf(p.Catalog, n, p.Now))
				s.State = "done"
			}
		}
		if stage.Stage == now {
			s.State = "now"
		}
		steps = append(steps, s)
	}
	return steps
}

// Next is the notice with the next deadline, nil when nothing is open.
func (p Project) Next() *Row {
	var next *Row
	for _, n := range p.Notices {
		r := rowOf(p.Catalog, n, p.Now)
		if !r.Deadline.IsZero() && !r.Over && (next == nil || r.Deadline.Before(next.Deadline)) {
			next = &r
		}
	}
	return next
}

// Until returns the instant at which what a page says of time stops being true:
// the end of the day in Shanghai, or a deadline before it.
func Until(now time.Time, deadlines ...time.Time) time.Time {
	local := now.In(shanghai)
	until := time.Date(local.Year(), local.Month(), local.Day()+1, 0, 0, 0, 0, shanghai)
	for _, at := range deadlines {
		if at.After(now) && at.Before(until) {
			until = at
		}
	}
	return until
}

// Deadlines lists those of a page, for Until.
func Deadlines(p disclosure.NoticePage) []time.Time {
	out := make([]time.Time, len(p.Items))
	for i, s := range p.Items {
		out[i] = s.OpenUntil()
	}
	return out
}
