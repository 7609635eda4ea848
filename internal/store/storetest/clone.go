package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
)

// Clone adds k copies of a public notice behind the store's back, each with a
// code and a place in the publishing order of its own and a minute younger than
// the one before: bulk for lists and searches, without revisions, history or
// audit lines. The notice must be the newest.
func Clone(t testing.TB, u string, catalog *disclosure.Catalog, n disclosure.Notice, k int) []disclosure.Notice {
	t.Helper()
	typ, err := catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		t.Fatal(err)
	}
	db := Raw(t, u)
	defer func() { _ = db.Close() }()
	columns := Columns(t, db, "notice")
	own := map[string]string{"id": "id || '-' || i", "code": "CAST(90000000 + seq + i AS TEXT)", "seq": "seq + i",
		"published_at": "published_at + 60000 * i", "updated_at": "updated_at + 60000 * i"}
	values := slices.Clone(columns)
	for i, c := range columns {
		if expr, ok := own[c]; ok {
			values[i] = expr
		}
	}
	series := fmt.Sprintf("WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < %d)", k)
	doc := n.SearchDocument(typ, catalog.BodyName(n.Body))
	text := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	index := `INSERT INTO search_index (rowid, tokens) ` + series + fmt.Sprintf(` SELECT %d + i, %s FROM k`, n.Seq, text(strings.Join(doc.Tokens, " ")))
	if !IsSQLite(u) {
		list := make([]string, len(doc.Tokens))
		for i, token := range doc.Tokens {
			list[i] = text(token)
		}
		index = series + fmt.Sprintf(` INSERT INTO search_index (seq, tokens) SELECT %d + i, array_to_tsvector(ARRAY[%s]) FROM k`, n.Seq, strings.Join(list, ","))
	}
	Exec(t, db,
		series+fmt.Sprintf(` INSERT INTO notice (%s) SELECT %s FROM notice, k WHERE id = %s`, strings.Join(columns, ", "), strings.Join(values, ", "), text(n.ID)),
		series+fmt.Sprintf(` INSERT INTO notice_item (item, seq) SELECT item, seq + i FROM notice_item, k WHERE seq = %d`, n.Seq),
		series+fmt.Sprintf(` INSERT INTO search_text (seq, title, text) SELECT seq + i, title, text FROM search_text, k WHERE seq = %d`, n.Seq),
		index,
		`UPDATE feed_head SET seq = seq + `+strconv.Itoa(k))
	out := make([]disclosure.Notice, k)
	for i := range out {
		c := n
		c.Seq = n.Seq + int64(i) + 1
		c.ID, c.Code = fmt.Sprintf("%s-%d", n.ID, i+1), strconv.FormatInt(90_000_000+c.Seq, 10)
		c.PublishedAt = n.PublishedAt.Add(time.Duration(i+1) * time.Minute)
		out[i] = c
	}
	return out
}
