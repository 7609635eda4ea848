package store

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"unicode"

	"gongkai/internal/disclosure"
)

// maxStep is how many candidates one step of a search reads at most. Each step
// makes the index walk again over what the earlier ones have read.
const maxStep = 8000

// byIndex lists the hits of the text index, newest first.
func (l *lister) byIndex(ctx context.Context, terms disclosure.Terms, anyOf [][]string) (disclosure.NoticePage, error) {
	p, err := l.proposal(ctx, terms, anyOf)
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	want := l.query.Limit + 1
	if l.query.After == nil && !p.exact() {
		want = disclosure.MaxTotal + 1 // these are read to be counted, and the page is among them
	}
	hits, err := l.hits(ctx, p, l.after(), want)
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	items, err := l.summaries(ctx, hits[:min(len(hits), l.query.Limit+1)])
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	page := l.cut(items)
	return page, l.count(&page, func() (int, error) {
		if want > disclosure.MaxTotal {
			return len(hits), nil
		}
		return l.countHits(ctx, p)
	})
}

// byRelevance ranks the newest hits by where the words stand. Its cursor counts
// ranks (A) below a fixed newest position (B), so pages do not shift when
// something new is published.
func (l *lister) byRelevance(ctx context.Context, terms disclosure.Terms, anyOf [][]string) (disclosure.NoticePage, error) {
	below, rank := int64(newest), int64(0)
	if l.query.After != nil {
		below, rank = l.query.After.B, l.query.After.A
	}
	p, err := l.proposal(ctx, terms, anyOf)
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	hits, err := l.hits(ctx, p, below, disclosure.RelevanceDepth+1)
	if err != nil || len(hits) == 0 {
		return disclosure.NoticePage{}, err
	}
	page := disclosure.NoticePage{Total: min(len(hits), disclosure.RelevanceDepth), TotalCapped: len(hits) > disclosure.RelevanceDepth}
	hits = hits[:page.Total]
	top := hits[0] + 1
	titles, err := l.titles(ctx, hits)
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	slices.SortStableFunc(hits, func(a, b int64) int { return terms.Score(titles[b]) - terms.Score(titles[a]) })
	from := min(int(rank), len(hits))
	to := min(from+l.query.Limit, len(hits))
	items, err := l.summaries(ctx, hits[from:to])
	if err != nil {
		return disclosure.NoticePage{}, err
	}
	order := map[int64]int{}
	for i, seq := range hits {
		order[seq] = i
	}
	slices.SortFunc(items, func(a, b disclosure.Summary) int { return order[a.Seq] - order[b.Seq] })
	page.Items = items
	if to < len(hits) {
		page.Next = &disclosure.Cursor{A: int64(to), B: top}
	}
	return page, nil
}

// proposal is a query as the text index takes it, and what has to be asked of
// the notices that the index proposes.
type proposal struct {
	match    string      // "" when the query has no token
	prefix   string      // of a project number, or ""
	residual *conditions // what is no token
	terms    disclosure.Terms
}

func (l *lister) proposal(ctx context.Context, terms disclosure.Terms, anyOf [][]string) (proposal, error) {
	c, err := l.conditions(ctx, true)
	return proposal{match: l.d.indexMatch(terms.Tokens, anyOf), prefix: projectPrefix(l.query.Q), residual: c, terms: terms}, err
}

// exact reports whether whatever the index proposes is a hit.
func (p proposal) exact() bool {
	return p.match != "" && p.prefix == "" && len(p.residual.text) == 1 && len(p.terms.Checks) == 0
}

// hits returns the positions below a bound of up to want notices that match,
// newest first. The index proposes, a step at a time; the exact check and the
// conditions that are no tokens decide.
func (l *lister) hits(ctx context.Context, p proposal, below int64, want int) ([]int64, error) {
	if p.match == "" {
		return l.walk(ctx, p.residual, below, want)
	}
	var found []int64
	for step := want; len(found) < want; step = min(4*step, maxStep) {
		proposed, err := l.propose(ctx, p, below, step)
		if err != nil {
			return nil, err
		}
		last := len(proposed) < step
		if len(proposed) > 0 {
			below = proposed[len(proposed)-1]
		}
		if len(p.residual.text) > 1 {
			if proposed, err = l.keep(ctx, p.residual, proposed); err != nil {
				return nil, err
			}
		}
		if len(p.terms.Checks) > 0 {
			if proposed, err = l.confirm(ctx, p, proposed, want-len(found)); err != nil {
				return nil, err
			}
		}
		found = append(found, proposed...)
		if last {
			break
		}
	}
	return found[:min(want, len(found))], nil
}

// walk is hits without any token: the conditions alone.
func (l *lister) walk(ctx context.Context, c *conditions, below int64, want int) ([]int64, error) {
	return all(ctx, l, scanInt, `
		SELECT n.seq
		  FROM notice n
		 WHERE `+c.where()+`
		   AND n.seq < `+c.next(1)+`
		 ORDER BY n.seq DESC
		 LIMIT `+c.next(2), c.with(below, want)...)
}

// propose asks the index for candidates and, where the words look like the
// beginning of a project number, the index of project numbers too.
func (l *lister) propose(ctx context.Context, p proposal, below int64, limit int) ([]int64, error) {
	seqs, err := all(ctx, l, scanInt, l.d.indexSearch, p.match, below, limit)
	if err != nil || p.prefix == "" {
		return seqs, err
	}
	c := &conditions{}
	c.add("n.public = 1")
	c.add("n.project_key >= ? AND n.project_key < ?", p.prefix, p.prefix+"\U0010FFFF")
	c.add("n.seq < ?", below)
	if filters := l.filters(); filters != "" {
		c.add(l.d.indexHolds, filters)
	}
	more, err := all(ctx, l, scanInt, `
		SELECT n.seq
		  FROM notice n
		 WHERE `+c.where()+`
		 ORDER BY n.seq DESC
		 LIMIT `+c.next(1), c.with(limit)...)
	if err != nil {
		return nil, err
	}
	seqs = append(seqs, more...)
	slices.SortFunc(seqs, func(a, b int64) int { return int(b - a) })
	seqs = slices.Compact(seqs)
	return seqs[:min(limit, len(seqs))], nil
}

// filters matches the query's properties in the index, without its words, or is
// "" when it has none.
func (l *lister) filters() string {
	q := l.query
	q.Q = ""
	terms, anyOf := q.Terms()
	return l.d.indexMatch(terms.Tokens, anyOf)
}

// projectPrefix returns the query as the beginning of a project number, or ""
// when it cannot be one: a single word of four characters or more, with a digit
// and no Han character.
func projectPrefix(q string) string {
	key := disclosure.ProjectKey(q)
	if len(key) < 4 || strings.ContainsFunc(strings.TrimSpace(q), unicode.IsSpace) || !strings.ContainsAny(key, "0123456789") ||
		strings.ContainsFunc(key, func(r rune) bool { return r > unicode.MaxASCII }) {
		return ""
	}
	return key
}

// keep drops candidates that miss the conditions.
func (l *lister) keep(ctx context.Context, c *conditions, seqs []int64) ([]int64, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	return all(ctx, l, scanInt, `
		SELECT n.seq
		  FROM notice n
		 WHERE `+c.where()+`
		   AND n.seq IN `+l.d.inInts(c.next(1))+`
		 ORDER BY n.seq DESC`, c.with(jsonText(seqs))...)
}

// confirm returns the first want candidates whose text holds the words or whose
// project number begins so.
func (l *lister) confirm(ctx context.Context, p proposal, seqs []int64, want int) ([]int64, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	var numbered []int64
	if p.prefix != "" {
		c := &conditions{}
		c.add("n.project_key >= ? AND n.project_key < ?", p.prefix, p.prefix+"\U0010FFFF")
		var err error
		if numbered, err = l.keep(ctx, c, seqs); err != nil {
			return nil, err
		}
	}
	rows, err := l.QueryContext(ctx, `
		SELECT seq, text
		  FROM search_text
		 WHERE seq IN `+l.d.inInts("$1")+`
		 ORDER BY seq DESC`, jsonText(seqs))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	kept := seqs[:0]
	for len(kept) < want && rows.Next() {
		var seq int64
		var text string // a text is long: any other type would copy it once more
		if err := rows.Scan(&seq, &text); err != nil {
			return nil, err
		}
		if p.terms.Match(text) || slices.Contains(numbered, seq) {
			kept = append(kept, seq)
		}
	}
	return kept, rows.Err()
}

func (l *lister) titles(ctx context.Context, seqs []int64) (map[int64]string, error) {
	type row struct {
		seq   int64
		title string
	}
	rows, err := all(ctx, l, func(r *sql.Rows) (row, error) {
		var v row
		err := r.Scan(&v.seq, &v.title)
		return v, err
	}, `SELECT seq, title FROM search_text WHERE seq IN `+l.d.inInts("$1"), jsonText(seqs))
	titles := make(map[int64]string, len(rows))
	for _, r := range rows {
		titles[r.seq] = r.title
	}
	return titles, err
}

// summaries reads the notices at the positions, newest first.
func (l *lister) summaries(ctx context.Context, seqs []int64) ([]disclosure.Summary, error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	return all(ctx, l, scanSummary, `
		SELECT `+summaryColumns+`
		  FROM notice n
		 WHERE n.seq IN `+l.d.inInts("$1")+`
		 ORDER BY n.seq DESC`, jsonText(seqs))
}

// countHits counts the hits up to one above the cap.
func (l *lister) countHits(ctx context.Context, p proposal) (int, error) {
	if !p.exact() {
		hits, err := l.hits(ctx, p, newest, disclosure.MaxTotal+1)
		return len(hits), err
	}
	var n int
	err := l.QueryRowContext(ctx, `SELECT count(*) FROM (`+l.d.indexSearch+`) AS counted`, p.match, newest, disclosure.MaxTotal+1).Scan(&n)
	return n, err
}
