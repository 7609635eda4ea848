// Package store keeps everything in SQL, on SQLite or PostgreSQL, with one text
// of every statement for both; dialect.go lists what differs.
//
// Apply commits the transitions that package disclosure decided: notice,
// history, audit line and change-feed row together or not at all. The feed's
// positions are in commit order on both databases, so a reader that remembers
// the last position it saw misses nothing.
//
// Reads come from one snapshot each and say at which position of the feed it
// was taken. All methods are safe for concurrent use and fail with
// disclosure.CodeUnavailable when the database is out of reach, with
// CodeStoreFull when there is no space to write; other errors are bugs.
package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"gongkai/internal/crashpoint"
	"gongkai/internal/disclosure"
)

// Store is an open database.
type Store struct {
	w, r    *sql.DB // SQLite: one writer, four query-only readers; PostgreSQL: one pool
	head    *sql.DB // one connection for Head, which must not wait behind readers
	d       *dialect
	file    string // path of the SQLite file, "" for PostgreSQL
	url     string
	catalog atomic.Pointer[catalogAt]
	totals  totals
	queries atomic.Int64
	outages atomic.Int64 // of PostgreSQL, as far as seen

	unflushed atomic.Bool // SQLite's log may hold what was deleted: by whoever had it last, or readers were in the way
}

type catalogAt struct {
	version int64
	*disclosure.Catalog
}

// Options opens a database.
type Options struct {
	// URL is "sqlite:FILE" or a postgres:// URL.
	URL string
	// MustExist refuses to create a SQLite file.
	MustExist bool
	// ReadOnly opens without migrating or writing, for verification.
	ReadOnly bool

	connect func(driver, source string) (*sql.DB, error) // nil is the usual way; tests put themselves in between
}

// Open opens the database and brings its schema up to date. It fails when the
// schema is newer than this binary knows.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{url: o.URL}
	var err error
	switch {
	case strings.HasPrefix(o.URL, "postgres://"), strings.HasPrefix(o.URL, "postgresql://"):
		err = s.openPostgres(o)
	case strings.HasPrefix(o.URL, "sqlite:"):
		err = s.openSQLite(o)
	default:
		return nil, errors.New("store: database must be sqlite:FILE or postgres://…")
	}
	if err != nil {
		return nil, err
	}
	if o.ReadOnly {
		err = s.checkVersion(ctx)
	} else {
		err = s.migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) openSQLite(o Options) error {
	if o.connect == nil {
		o.connect = sql.Open
	}
	s.d, s.file = sqliteDialect, strings.TrimPrefix(strings.TrimPrefix(o.URL, "sqlite:"), "//")
	if s.file == "" {
		return errors.New("store: sqlite: needs a file")
	}
	base := "file:" + (&url.URL{Path: s.file}).EscapedPath() + "?_pragma=" + busyTimeout + "&_pragma=foreign_keys(1)" +
		"&_pragma=cache_size(-8192)&_pragma=mmap_size(1073741824)&_pragma=secure_delete(1)&_dqs=0&_defensive=1"
	write := base + "&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	if o.MustExist {
		write += "&mode=rw"
	}
	if o.ReadOnly {
		write = base + "&mode=ro&_pragma=query_only(1)"
	}
	if !o.MustExist && !o.ReadOnly {
		// SQLite would let the whole machine read it; its journals take its mode.
		f, err := OpenFile(s.file)
		if err != nil {
			return fmt.Errorf("store: open %s: %w", s.file, err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("store: open %s: %w", s.file, err)
		}
	}
	var err error
	if s.w, err = o.connect("sqlite", write); err != nil {
		return fmt.Errorf("store: open %s: %w", s.file, err)
	}
	s.w.SetMaxOpenConns(1)
	if s.r, err = o.connect("sqlite", base+"&mode=rw&_pragma=query_only(1)"); err != nil {
		return fmt.Errorf("store: open %s: %w", s.file, err)
	}
	s.r.SetMaxOpenConns(sqliteReaders)
	s.r.SetMaxIdleConns(sqliteReaders)
	if s.head, err = o.connect("sqlite", base+"&mode=rw&_pragma=query_only(1)"); err != nil {
		return fmt.Errorf("store: open %s: %w", s.file, err)
	}
	s.head.SetMaxOpenConns(1)
	s.unflushed.Store(!o.ReadOnly)
	return nil
}

func (s *Store) openPostgres(o Options) error {
	s.d = postgresDialect
	if o.connect == nil {
		o.connect = s.dialPostgres
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return errors.New("store: the postgres:// URL cannot be read") // never echo it: it holds a password
	}
	q := u.Query()
	for key, value := range map[string]string{
		"plan_cache_mode":  "force_custom_plan", // the text index depends on it
		"jit":              "off",               // compiling costs more than any statement here takes
		"application_name": "gongkai", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "10s",
		"connect_timeout": "5",
	} {
		if !q.Has(key) {
			q.Set(key, value)
		}
	}
	u.RawQuery = q.Encode()
	if s.w, err = o.connect("pgx", u.String()); err != nil {
		return errors.New("store: the postgres:// URL cannot be read")
	}
	s.w.SetMaxOpenConns(postgresPool)
	s.w.SetMaxIdleConns(postgresPool)
	s.w.SetConnMaxIdleTime(5 * time.Minute)
	s.r = s.w
	if s.head, err = o.connect("pgx", u.String()); err != nil {
		return errors.New("store: the postgres:// URL cannot be read")
	}
	s.head.SetMaxOpenConns(1)
	return nil
}

const (
	sqliteReaders = 4
	postgresPool  = 16

	busyTimeout = `busy_timeout(10000)` // how long SQLite waits for a lock, in milliseconds
)

// Readers returns how many reads run at once; more of them wait for each other.
func (s *Store) Readers() int { return s.r.Stats().MaxOpenConnections }

func (s *Store) dialPostgres(_, source string) (*sql.DB, error) {
	c, err := pgx.ParseConfig(source)
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*c, stdlib.OptionShouldPing(s.suspects)), nil
}

// suspects tells whether a connection must prove itself before its next use:
// after an outage each of the pool may be dead, and none would know before a
// request has failed on it.
func (s *Store) suspects(_ context.Context, p stdlib.ShouldPingParams) bool {
	const proven = "gongkai.outage"
	outage, data := s.outages.Load(), p.Conn.PgConn().CustomData()
	suspect := data[proven] != outage
	data[proven] = outage
	return suspect || p.IdleDuration > time.Second
}

// begin starts a transaction. A connection that was dead already costs a second
// try, and makes all others prove themselves. So does SQLite's lock held by another
// process: those that wait for it are no queue, and one may be passed over for as
// long as busy_timeout by a process that writes without a pause.
func (s *Store) begin(ctx context.Context, db *sql.DB, o *sql.TxOptions) (*sql.Tx, error) {
	tx, err := db.BeginTx(ctx, o)
	if (s.lost(err) || isBusy(err)) && ctx.Err() == nil {
		tx, err = db.BeginTx(ctx, o)
	}
	return tx, err
}

// lost reports whether err is that of a connection to PostgreSQL, and notes the
// outage.
func (s *Store) lost(err error) bool {
	if s.d != postgresDialect || !errors.Is(fault(err), &disclosure.Error{Code: disclosure.CodeUnavailable}) {
		return false
	}
	s.outages.Add(1)
	return true
}

// Close closes every connection.
func (s *Store) Close() error {
	err := s.w.Close()
	if s.r != nil && s.r != s.w {
		err = errors.Join(err, s.r.Close())
	}
	if s.head != nil {
		err = errors.Join(err, s.head.Close())
	}
	return err
}

// File returns the path of the SQLite file, or "" on PostgreSQL.
func (s *Store) File() string { return s.file }

// Queries counts the read snapshots taken since Open: what a cache saves.
func (s *Store) Queries() int64 { return s.queries.Load() }

// querier is what *sql.Tx and *sql.DB have in common.
type querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// write runs f in one transaction.
func (s *Store) write(ctx context.Context, what string, f func(tx *sql.Tx) error) error {
	tx, err := s.begin(ctx, s.w, nil)
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, fault(err))
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback() // the first error is the one to tell
		return fmt.Errorf("store: %s: %w", what, fault(err))
	}
	crashpoint.Hit("before the commit of", what)
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("store: %s: %w", what, fault(err))
	}
	crashpoint.Hit("after the commit of", what)
	return nil
}

// snapshot is one consistent view of the database.
type snapshot struct {
	querier
	*Store
	at disclosure.Reading
}

// read runs f on a snapshot.
func (s *Store) read(ctx context.Context, what string, f func(v *snapshot) error) error {
	s.queries.Add(1)
	tx, err := s.begin(ctx, s.r, s.d.snapshot)
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, fault(err))
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	v := &snapshot{querier: tx, Store: s}
	if v.at, err = s.reading(ctx, tx); err == nil {
		err = f(v)
	}
	if err != nil {
		return fmt.Errorf("store: %s: %w", what, fault(err))
	}
	return nil
}

// reading returns the feed position and the catalogue of the transaction.
func (s *Store) reading(ctx context.Context, q querier) (disclosure.Reading, error) {
	var r disclosure.Reading
	var version int64
	err := q.QueryRowContext(ctx, `SELECT seq, epoch, catalog_version FROM feed_head WHERE id = 1`).
		Scan(&r.Position, &r.Epoch, &version)
	if err != nil {
		return r, err
	}
	r.Catalog, err = s.catalogOf(ctx, q, version)
	return r, err
}

func (s *Store) catalogOf(ctx context.Context, q querier, version int64) (*disclosure.Catalog, error) {
	if known := s.catalog.Load(); known != nil && known.version == version {
		return known.Catalog, nil
	}
	defs, err := definitions(ctx, q, "", "")
	if err != nil {
		return nil, err
	}
	c, err := disclosure.NewCatalog(defs)
	if err != nil {
		return nil, err
	}
	s.catalog.Store(&catalogAt{version, c})
	return c, nil
}

// Catalog returns the catalogue as last seen by this process; Head refreshes it.
func (s *Store) Catalog() *disclosure.Catalog { return s.catalog.Load().Catalog }

// Head returns the newest position of the change feed and the catalogue there.
func (s *Store) Head(ctx context.Context) (disclosure.Reading, error) {
	r, err := s.reading(ctx, s.head)
	if s.lost(err) && ctx.Err() == nil {
		r, err = s.reading(ctx, s.head)
	}
	if err != nil {
		return r, fmt.Errorf("store: head: %w", fault(err))
	}
	return r, nil
}

// all collects the rows of a query.
func all[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []T
	for rows.Next() {
		if len(out)%32 == 31 {
			runtime.Gosched() // SQLite runs in Go and does not yield: a long list would hold up whoever's timer is due
		}
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// one scans the single row of a query; sql.ErrNoRows becomes missing.
func one(row *sql.Row, missing error, dest ...any) error {
	err := row.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	return err
}

func scanInt(rows *sql.Rows) (int64, error) {
	var n int64
	err := rows.Scan(&n)
	return n, err
}

// jsonText writes a list as a JSON parameter or column; nil is the empty list.
func jsonText[T any](list []T) string {
	if list == nil {
		return "[]"
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic("store: " + err.Error()) // plain lists of ours always encode
	}
	return string(b)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
