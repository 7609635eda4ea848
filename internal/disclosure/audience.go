package disclosure

import (
	"slices"
	"strings"
)

// Subject is what of a notice filters look at, prepared once for a million of
// them.
type Subject struct {
	sector, typ, region, project string
	bodies                       []string // the publisher and the bodies above it
	amount                       Money
	hasAmount                    bool
	text                         string // normalised
}

// Subject prepares the notice for filters; t is the type it was written by.
func (n Notice) Subject(t *NoticeType, c *Catalog) *Subject {
	s := &Subject{sector: n.SectorCode(), typ: n.Type, region: n.Region, project: ProjectKey(n.ProjectCode()),
		text: n.SearchDocument(t, c.BodyName(n.Body)).Text}
	s.amount, s.hasAmount = n.Amount(t)
	for id := n.Body; id != "" && !slices.Contains(s.bodies, id); {
		s.bodies = append(s.bodies, id)
		b, err := c.Body(id)
		if err != nil {
			break
		}
		id = b.Parent
	}
	return s
}

// Matches reports whether the filter wants the notice. A notice without an
// amount is outside every range of amounts.
func (f Filter) Matches(s *Subject) bool {
	return oneOf(f.Sectors, s.sector) && oneOf(f.Types, s.typ) && f.matchesPlace(s) && f.matchesAmount(s) && f.matchesText(s)
}

func oneOf(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

func (f Filter) matchesPlace(s *Subject) bool {
	body := len(f.Bodies) == 0 || slices.ContainsFunc(f.Bodies, func(b string) bool { return slices.Contains(s.bodies, b) })
	region := len(f.Regions) == 0 || slices.ContainsFunc(f.Regions, func(r string) bool { return strings.HasPrefix(s.region, r) })
	project := len(f.Projects) == 0 || s.project != "" && slices.ContainsFunc(f.Projects, func(p string) bool { return ProjectKey(p) == s.project })
	return body && region && project
}

func (f Filter) matchesAmount(s *Subject) bool {
	if f.AmountMin == nil && f.AmountMax == nil {
		return true
	}
	return s.hasAmount && (f.AmountMin == nil || *f.AmountMin <= s.amount) && (f.AmountMax == nil || s.amount <= *f.AmountMax)
}

func (f Filter) matchesText(s *Subject) bool {
	has := func(word string) bool { return strings.Contains(s.text, Normalize(word)) }
	return (len(f.Keywords) == 0 || slices.ContainsFunc(f.Keywords, has)) && !slices.ContainsFunc(f.Exclude, has)
}

// Plain reports whether the filter asks for nothing but sectors, so that the
// sector alone decides.
func (f Filter) Plain() bool {
	return len(f.Types)+len(f.Keywords)+len(f.Exclude)+len(f.Bodies)+len(f.Regions)+len(f.Projects) == 0 &&
		f.AmountMin == nil && f.AmountMax == nil
}
