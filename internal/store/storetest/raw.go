package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Raw opens the database at the URL behind the store's back, with no more than
// the driver's own settings: what an administrator with a shell could do.
func Raw(t testing.TB, u string) *sql.DB {
	t.Helper()
	driver, source := "pgx", u
	if file, ok := strings.CutPrefix(u, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	if driver == "sqlite" {
		db.SetMaxOpenConns(1) // triggers and temporary tables belong to a connection
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// IsSQLite tells which database a URL is of.
func IsSQLite(u string) bool { return strings.HasPrefix(u, "sqlite:") }

// Exec runs statements that must succeed.
func Exec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// Strings returns the first column of a query as text.
func Strings(t testing.TB, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	var out []string
	for _, row := range table(t, db, query, args...) {
		_, value, _ := strings.Cut(row[0], "=")
		out = append(out, value)
	}
	return out
}

// Int returns the single number of a query.
func Int(t testing.TB, db *sql.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.QueryRowContext(context.Background(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// Tables lists the ordinary tables, without those of the migrations' own book.
func Tables(t testing.TB, u string, db *sql.DB) []string {
	t.Helper()
	query := `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`
	if IsSQLite(u) {
		query = `SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1`
	}
	return slices.DeleteFunc(Strings(t, db, query), func(name string) bool { return name == "goose_db_version" })
}

// Dump writes every row of every table as text, sorted: two dumps are equal when
// nothing was written between them. The entries of the full-text index are the
// table "search_index". Tables to skip may be named, for speed.
func Dump(t testing.TB, u string, db *sql.DB, skip ...string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, name := range Tables(t, u, db) {
		if slices.Contains(skip, name) {
			continue
		}
		for _, row := range table(t, db, `SELECT * FROM "`+name+`"`) {
			out[name] = append(out[name], strings.Join(row, " | "))
		}
		slices.Sort(out[name])
	}
	if IsSQLite(u) {
		Exec(t, db, `CREATE VIRTUAL TABLE IF NOT EXISTS temp.entry USING fts5vocab(main, search_index, instance)`)
		for _, row := range table(t, db, `SELECT doc, term FROM temp.entry ORDER BY doc, term`) {
			out["search_index"] = append(out["search_index"], strings.Join(row, " | "))
		}
		slices.Sort(out["search_index"])
	}
	return out
}

// Diff lists the rows that only one of two dumps has.
func Diff(before, after map[string][]string) []string {
	var out []string
	names := slices.Sorted(maps.Keys(before))
	for name := range after {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	for _, name := range names {
		for _, row := range before[name] {
			if _, ok := slices.BinarySearch(after[name], row); !ok {
				out = append(out, "- "+name+": "+row)
			}
		}
		for _, row := range after[name] {
			if _, ok := slices.BinarySearch(before[name], row); !ok {
				out = append(out, "+ "+name+": "+row)
			}
		}
	}
	return out
}

// table returns the rows of a query as "column=value".
func table(t testing.TB, db *sql.DB, query string, args ...any) [][]string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			row[i] = fmt.Sprintf("%s=%v", columns[i], v)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// Traces tells where a text still stands: table and row in the database, and for
// SQLite every file beside it that holds its bytes.
func Traces(t testing.TB, u, text string) []string {
	t.Helper()
	var found []string
	if file, ok := strings.CutPrefix(u, "sqlite:"); ok {
		for _, name := range []string{file, file + "-wal", file + "-journal"} {
			data, err := os.ReadFile(name)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if n := bytes.Count(data, []byte(text)); n > 0 {
				found = append(found, fmt.Sprintf("file %s: %d times", name, n))
			}
		}
	}
	db := Raw(t, u)
	defer func() { _ = db.Close() }()
	for name, rows := range Dump(t, u, db) {
		for _, row := range rows {
			if strings.Contains(row, text) {
				found = append(found, name+": "+row)
			}
		}
	}
	slices.Sort(found)
	return found
}

// Eventually waits until ok holds and fails the test when it does not within the
// limit.
func Eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			if ok() {
				return
			}
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

// Columns lists the columns of a table in their order.
func Columns(t testing.TB, db *sql.DB, name string) []string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), `SELECT * FROM "`+name+`" LIMIT 0`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return columns
}
