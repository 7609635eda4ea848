package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"gongkai/internal/disclosure"
)

// dialect is the closed list of what differs between SQLite and PostgreSQL;
// every other statement is one text for both.
type dialect struct {
	name       string
	migrations string // folder of the migrations
	snapshot   *sql.TxOptions

	// in is a list as one JSON parameter: "x IN " + in("$1").
	inInts, inTexts func(param string) string

	// rows is a table of the columns c1, c2, … made from one JSON parameter, an
	// array of arrays; kinds has "i" for a column of numbers and "t" for text.
	rows func(param, kinds string) string

	lockEvent string // after the SELECT that picks an event

	// Statements that lock until the transaction ends; "" where there is one writer.
	holdPeople   string // people are neither erased nor joined
	changePeople string // nobody holds them
	lockOpenID   string // (account) nobody else signs it in
	lockUnionID  string // (unionid) likewise; taken after lockOpenID

	skipNumbers string // the next delivery's number is a thousand million further on

	// The full-text index.
	indexInsert string // (seq, tokens)
	indexDelete string // (seq)
	indexSearch string // (match, below, limit) → seq, newest first
	indexHolds  string // condition on notice n, "?" is the match
	indexDoc    func(tokens []string) any
	indexMatch  func(all []string, anyOf [][]string) string
}

var sqliteDialect = &dialect{
	name:       "sqlite",
	migrations: "migrations/sqlite",
	snapshot:   &sql.TxOptions{ReadOnly: true}, // "begin deferred": the first read fixes the snapshot
	inInts:     func(p string) string { return "(SELECT value FROM json_each(" + p + "))" },
	inTexts:    func(p string) string { return "(SELECT value FROM json_each(" + p + "))" },
	rows:       sqliteRows,

	skipNumbers: `UPDATE sqlite_sequence SET seq = seq + 1000000000 WHERE name = 'delivery'`,

	indexInsert: `INSERT INTO search_index (rowid, tokens) VALUES ($1, $2)`,
	indexDelete: `DELETE FROM search_index WHERE rowid = $1`,
	indexSearch: `SELECT rowid FROM search_index WHERE search_index MATCH $1 AND rowid < $2 ORDER BY rowid DESC LIMIT $3`,
	indexHolds:  `EXISTS (SELECT 1 FROM search_index WHERE search_index MATCH ? AND search_index.rowid = n.seq)`,
	indexDoc:    func(tokens []string) any { return strings.Join(tokens, " ") },
	indexMatch:  fts5Match,
}

var postgresDialect = &dialect{
	name:       "postgres",
	migrations: "migrations/postgres",
	snapshot:   &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
	inInts: func(p string) string {
		return "(SELECT value::bigint FROM jsonb_array_elements_text(" + p + "::jsonb))"
	},
	inTexts:   func(p string) string { return "(SELECT value FROM jsonb_array_elements_text(" + p + "::jsonb))" },
	rows:      postgresRows,
	lockEvent: " FOR UPDATE SKIP LOCKED",
	// The key is that of forget_deliveries.
	holdPeople:   `SELECT pg_advisory_xact_lock_shared(7075)`,
	changePeople: `SELECT pg_advisory_xact_lock(7075)`,
	lockOpenID:   `SELECT pg_advisory_xact_lock(7076, hashtext($1))`,
	lockUnionID:  `SELECT pg_advisory_xact_lock(7077, hashtext($1))`,

	skipNumbers: `SELECT setval(pg_get_serial_sequence('delivery', 'n'), nextval(pg_get_serial_sequence('delivery', 'n')) + 1000000000)`,

	indexInsert: `INSERT INTO search_index (seq, tokens) VALUES ($1, array_to_tsvector($2::text[]))`,
	indexDelete: `DELETE FROM search_index WHERE seq = $1`,
	indexSearch: `SELECT seq FROM search_index WHERE tokens @@ $1::tsquery AND seq < $2 ORDER BY seq DESC LIMIT $3`,
	indexHolds:  `EXISTS (SELECT 1 FROM search_index x WHERE x.tokens @@ ?::tsquery AND x.seq = n.seq)`,
	indexDoc:    func(tokens []string) any { return tokens },
	indexMatch:  tsqueryMatch,
}

func sqliteRows(param, kinds string) string {
	cols := make([]string, len(kinds))
	for i := range kinds {
		cols[i] = fmt.Sprintf("value ->> %d AS c%d", i, i+1)
	}
	return "(SELECT " + strings.Join(cols, ", ") + " FROM json_each(" + param + "))"
}

func postgresRows(param, kinds string) string {
	cols := make([]string, len(kinds))
	for i, kind := range kinds {
		cast := ""
		if kind == 'i' {
			cast = "::bigint"
		}
		cols[i] = fmt.Sprintf("(value ->> %d)%s AS c%d", i, cast, i+1)
	}
	return "(SELECT " + strings.Join(cols, ", ") + " FROM jsonb_array_elements(" + param + "::jsonb))"
}

// fts5Match writes a query of quoted tokens: nothing a person typed is an
// operator.
func fts5Match(all []string, anyOf [][]string) string {
	return joinMatch(all, anyOf, " AND ", " OR ", func(token string) string {
		return `"` + strings.ReplaceAll(token, `"`, `""`) + `"`
	})
}

func tsqueryMatch(all []string, anyOf [][]string) string {
	return joinMatch(all, anyOf, " & ", " | ", func(token string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(token) + "'"
	})
}

func joinMatch(all []string, anyOf [][]string, and, or string, quote func(string) string) string {
	var terms []string
	for _, token := range all {
		terms = append(terms, quote(token))
	}
	for _, group := range anyOf {
		quoted := make([]string, len(group))
		for i, token := range group {
			quoted[i] = quote(token)
		}
		terms = append(terms, "("+strings.Join(quoted, or)+")")
	}
	return strings.Join(terms, and)
}

// fault translates a driver's error. What it does not know stays as it is and
// will be CodeInternal at the edge.
func fault(err error) error {
	if err == nil || errors.As(err, new(*disclosure.Error)) {
		return err
	}
	wrap := func(e *disclosure.Error) error { return errors.Join(e, err) }
	unavailable := func() error {
		return wrap(disclosure.Errorf(disclosure.CodeUnavailable, "数据库暂时不可用，请稍后重试"))
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_FULL:
			return wrap(disclosure.Errorf(disclosure.CodeStoreFull, "磁盘空间不足，没有保存"))
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR,
			sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return unavailable()
		case sqlite3.SQLITE_CONSTRAINT:
			return constraint(err)
		case sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("%w: %w", ErrNotDatabase, err)
		}
		return err
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case pg.Code == "53100": // disk_full
			return wrap(disclosure.Errorf(disclosure.CodeStoreFull, "磁盘空间不足，没有保存"))
		case pg.Code[:2] == "08", pg.Code[:2] == "53", pg.Code[:2] == "57", pg.Code == "40001", pg.Code == "40P01",
			pg.Code == "25006": // connection, resources, operator intervention, serialization, deadlock, read-only
			return unavailable()
		case pg.Code[:2] == "23", pg.Code == "P0001":
			return constraint(err)
		case pg.Code == "22021", pg.Code == "22P05": // bytes that are no text, such as those of an address; SQLite finds nothing by them
			return wrap(disclosure.Errorf(disclosure.CodeText, "含有无法识别的字符"))
		}
		return err
	}
	var netErr net.Error
	if errors.As(err, &netErr) || errors.As(err, new(*pgconn.ConnectError)) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrConnDone) {
		return unavailable()
	}
	return err
}

// constraint names the rules that the schema enforces for the domain.
func constraint(err error) error {
	if strings.Contains(err.Error(), "notice_second_person") || strings.Contains(err.Error(), "reviewer") {
		return errors.Join(disclosure.Errorf(disclosure.CodeSamePerson, "录入人不能核验自己的公告").On("reviewer"), err)
	}
	return err
}

// isDuplicate reports whether the statement broke a unique key.
func isDuplicate(err error) bool {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}

// isBusy reports whether another process held the SQLite file for too long.
func isBusy(err error) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_BUSY
}
