package storetest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Oracle answers list queries by looking at every notice: what the store must
// answer through its indexes.
type Oracle struct {
	Catalog *disclosure.Catalog
	notices []disclosure.Notice // public ones, newest first
	types   map[string]*disclosure.NoticeType
	docs    map[string]disclosure.SearchDocument
}

// NewOracle looks at the notices, of which only the public ones count.
func NewOracle(c *disclosure.Catalog, notices []disclosure.Notice) *Oracle {
	o := &Oracle{Catalog: c, types: map[string]*disclosure.NoticeType{}, docs: map[string]disclosure.SearchDocument{}}
	for _, n := range notices {
		if n.Status != disclosure.StatusPublished && n.Status != disclosure.StatusTerminated {
			continue
		}
		typ, err := c.TypeAt(n.Type, n.TypeVersion)
		if err != nil {
			continue
		}
		o.notices = append(o.notices, n)
		o.types[n.ID], o.docs[n.ID] = typ, n.SearchDocument(typ, c.BodyName(n.Body))
	}
	slices.SortFunc(o.notices, func(a, b disclosure.Notice) int { return cmp.Compare(b.Seq, a.Seq) })
	return o
}

// Public returns the public notices, newest first.
func (o *Oracle) Public() []disclosure.Notice { return o.notices }

// List returns every hit of the query in the query's order, as if its limit were
// infinite.
func (o *Oracle) List(q disclosure.NoticeQuery, now time.Time) []disclosure.Notice {
	var hits []disclosure.Notice
	for _, n := range o.notices {
		if o.matches(n, q, now) {
			hits = append(hits, n)
		}
	}
	switch q.Sort {
	case disclosure.SortDeadline:
		hits = slices.DeleteFunc(hits, func(n disclosure.Notice) bool { return o.deadline(n).IsZero() })
		slices.SortFunc(hits, func(a, b disclosure.Notice) int {
			return cmp.Or(o.deadline(a).Compare(o.deadline(b)), cmp.Compare(a.Seq, b.Seq))
		})
	case disclosure.SortRelevance:
		hits = hits[:min(len(hits), disclosure.RelevanceDepth)]
		words := disclosure.ParseTerms(q.Q)
		slices.SortStableFunc(hits, func(a, b disclosure.Notice) int {
			return cmp.Compare(words.Score(o.docs[b.ID].Title), words.Score(o.docs[a.ID].Title))
		})
	}
	return hits
}

func (o *Oracle) deadline(n disclosure.Notice) time.Time { return n.DeadlineAt(o.types[n.ID]) }

func (o *Oracle) matches(n disclosure.Notice, q disclosure.NoticeQuery, now time.Time) bool {
	typ := o.types[n.ID]
	published := workday.DateOf(n.PublishedAt)
	amount, has := n.Amount(typ)
	deadline := o.deadline(n)
	switch {
	case len(q.Sectors) > 0 && !slices.Contains(q.Sectors, typ.Sector),
		len(q.Types) > 0 && !slices.Contains(q.Types, n.Type),
		q.Stage != "" && typ.Stage != q.Stage,
		q.Item != "" && !slices.Contains(n.Items, q.Item),
		q.Body != "" && n.Body != q.Body,
		q.Region != "" && n.Region != q.Region,
		q.Project != "" && disclosure.ProjectKey(n.ProjectCode()) != disclosure.ProjectKey(q.Project),
		!q.Since.IsZero() && published.Compare(q.Since) < 0,
		!q.Until.IsZero() && published.Compare(q.Until) > 0,
		q.AmountMin != nil && (!has || amount < *q.AmountMin),
		q.AmountMax != nil && (!has || amount > *q.AmountMax),
		q.Open && (n.Status != disclosure.StatusPublished || deadline.IsZero() || deadline.Before(now)):
		return false
	}
	return q.Q == "" || o.says(n, q.Q)
}

// says reports whether the notice holds every word, or belongs to a project
// whose number begins with the only one.
func (o *Oracle) says(n disclosure.Notice, typed string) bool {
	if key := disclosure.ProjectKey(typed); numberLike(typed, key) && strings.HasPrefix(disclosure.ProjectKey(n.ProjectCode()), key) {
		return true
	}
	doc, terms := o.docs[n.ID], disclosure.ParseTerms(typed)
	if terms.Never || !terms.Match(doc.Text) {
		return false
	}
	for _, token := range terms.Tokens {
		if _, ok := slices.BinarySearch(doc.Tokens, token); !ok {
			return false
		}
	}
	return true
}

// numberLike tells what may be the beginning of a project number: four
// characters or more of ASCII without blanks, a digit among them.
func numberLike(typed, key string) bool {
	if len(key) < 4 || !strings.ContainsAny(key, "0123456789") || len(strings.Fields(typed)) > 1 {
		return false
	}
	for i := range len(key) {
		if key[i] >= 0x80 {
			return false
		}
	}
	return true
}
