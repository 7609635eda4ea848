package importer

import (
	"regexp"
	"slices"
	"strings"

	"gongkai/internal/disclosure"
)

// headerRows are the rows that a sheet may have besides its data.
const headerRows = 20

// heading is a column as it stands in a file.
type heading struct {
	column
	col   int // from 0
	scale int // power of ten that the head names: 4 for 万元
}

// layout says where the columns of a sheet stand.
type layout struct {
	grid     grid
	marker   marker
	marked   bool
	row      int // of the heads; data follow
	headings []heading
	renamed  []heading // those found by another word for them
	unknown  []cell    // heads that no column has
	unseen   []int     // rows of data that are hidden
}

// find returns the heading of a key.
func (l *layout) find(key string) (heading, bool) {
	for _, h := range l.headings {
		if h.key == key {
			return h, true
		}
	}
	return heading{}, false
}

// firstLines reads the beginning of a sheet.
func firstLines(g grid) ([]line, error) {
	var lines []line
	err := g.rows(func(l *line) error {
		lines = append(lines, line{n: l.n, cells: slices.Clone(l.cells)})
		if len(lines) == headerRows {
			return errStop
		}
		return nil
	})
	if err == errAgain { //nolint:errorlint // never wrapped: a short sheet with merged cells
		return firstLines(g)
	}
	return lines, err
}

// markerIn returns the marker of a template and the index of its line.
func markerIn(lines []line) (marker, int, bool) {
	for i, l := range lines {
		for _, c := range l.cells {
			if m, ok := parseMarker(c.text); ok {
				return m, i, true
			}
		}
	}
	return marker{}, 0, false
}

// markedLayout reads the columns by the key row of a template; the row after it
// has the heads.
func markedLayout(g grid, lines []line, m marker, at int, cols []column) *layout {
	out := &layout{grid: g, marker: m, marked: true, row: lines[at].n + 1}
	var heads line
	if at+1 < len(lines) && lines[at+1].n == out.row {
		heads = lines[at+1]
	}
	keys := map[int]bool{}
	for _, c := range lines[at].cells {
		key := strings.TrimSpace(c.text)
		if _, ok := parseMarker(key); ok {
			key = keyNumber
		}
		if i := slices.IndexFunc(cols, func(x column) bool { return x.key == key }); i >= 0 {
			out.headings = append(out.headings, heading{cols[i], c.col, scaleOf(heads.at(c.col).text, cols[i].field)})
			keys[c.col] = true
		}
	}
	for _, c := range heads.cells {
		if !keys[c.col] {
			out.unknown = append(out.unknown, c)
		}
	}
	return out
}

// labelledLayout finds the row whose cells are the labels or keys of columns;
// nil when there is none.
func labelledLayout(g grid, lines []line, cols []column) *layout {
	var best *layout
	for _, l := range lines {
		found := &layout{grid: g, row: l.n}
		for _, c := range l.cells {
			i := slices.IndexFunc(cols, func(x column) bool { return sameLabel(c.text, x) })
			if i < 0 {
				found.unknown = append(found.unknown, c)
				continue
			}
			if _, twice := found.find(cols[i].key); !twice {
				found.headings = append(found.headings, heading{cols[i], c.col, scaleOf(c.text, cols[i].field)})
			}
		}
		found.guess(cols)
		if len(found.headings) >= 2 && (best == nil || len(found.headings) > len(best.headings)) {
			best = found
		}
	}
	return best
}

// guess finds columns that are still missing by the other words there are for
// them; what was taken for what is told.
func (l *layout) guess(cols []column) {
	l.unknown = slices.DeleteFunc(l.unknown, func(c cell) bool {
		i := slices.IndexFunc(cols, func(x column) bool {
			_, taken := l.find(x.key)
			return !taken && alsoCalled(c.text, x.key)
		})
		if i < 0 {
			return false
		}
		h := heading{cols[i], c.col, scaleOf(c.text, cols[i].field)}
		l.headings, l.renamed = append(l.headings, h), append(l.renamed, h)
		return true
	})
}

var unitText = regexp.MustCompile(`[（(\[【]\s*(?:单位[:：]?)?\s*((?:亿|千万|百万|十万|万|千)?)元\s*[）)\]】]`)

// scaleOf reads the unit in the head of an amount's column: 4 for 万元.
func scaleOf(head string, f disclosure.Field) int {
	if f.Kind != disclosure.FieldMoney && f.Unit != "元" {
		return 0
	}
	m := unitText.FindStringSubmatch(head)
	if m == nil {
		return 0
	}
	for _, u := range units {
		if u.word == m[1] {
			return u.power
		}
	}
	return 0
}

var labelNoise = strings.NewReplacer("*", "", "＊", "", " ", "", "（必填）", "", "(必填)", "")

func label(s string) string {
	return labelNoise.Replace(unitText.ReplaceAllString(disclosure.Normalize(s), ""))
}

// sameLabel reports whether a head names the column, by its label with or
// without the unit, or by its key.
func sameLabel(head string, c column) bool {
	text := label(head)
	return text != "" && (text == label(c.field.Label) || text == label(c.heading()) || strings.TrimSpace(head) == c.key ||
		fieldPrefix+strings.TrimSpace(head) == c.key)
}

// headWords are other words for the columns that are no field; aliases and
// members have those that the texts of notices use too.
var headWords = map[string][]string{
	"title": {"公告标题", "公告名称", "标题名称"},
	keyBody: {"发布单位", "发布机构", "公开单位", "公开责任主体"},
}

// alsoCalled reports whether a head is another word for the column of the key,
// as lists of one's own write it: 招标单位 for 招标人.
func alsoCalled(head, key string) bool {
	text := label(head)
	same := func(name string) bool { return label(name) == text }
	if slices.ContainsFunc(headWords[key], same) || slices.ContainsFunc(aliases[strings.TrimPrefix(key, fieldPrefix)], same) {
		return true
	}
	return slices.ContainsFunc(members, func(m member) bool { return m.key == key && slices.ContainsFunc(m.names, same) })
}
