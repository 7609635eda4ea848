// Package storetest opens databases for tests: SQLite in a temporary directory,
// and PostgreSQL as a fresh database on the server that GONGKAI_TEST_POSTGRES
// names (make test starts one). With GONGKAI_TEST_ALL set, a missing server
// fails the test instead of skipping it.
package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gongkai/internal/store"
)

// SQLite returns an open store on a new file, and its URL.
func SQLite(t testing.TB) (*store.Store, string) {
	t.Helper()
	u := "sqlite:" + filepath.Join(t.TempDir(), "gongkai.db")
	return Open(t, u), u
}

// Postgres returns an open store on a new database, and its URL.
func Postgres(t testing.TB) (*store.Store, string) {
	t.Helper()
	u := PostgresURL(t)
	return Open(t, u), u
}

// PostgresURL creates a database and returns its URL; the test's end drops it.
func PostgresURL(t testing.TB) string {
	t.Helper()
	server := NeedPostgres(t)
	name := fmt.Sprintf("t_%s_%d", strings.Map(identifier, strings.ToLower(t.Name())), time.Now().UnixNano())
	if len(name) > 60 {
		name = name[len(name)-60:]
	}
	admin(t, server, "CREATE DATABASE "+quote(name))
	t.Cleanup(func() { admin(t, server, "DROP DATABASE "+quote(name)+" WITH (FORCE)") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func identifier(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}

func quote(name string) string { return `"` + name + `"` }

func admin(t testing.TB, server, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Fatal(err)
	}
}

// Open opens a store and closes it at the test's end.
func Open(t testing.TB, u string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Options{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// SkipSlow skips a test on SQLite under the race detector; see Each.
func SkipSlow(t *testing.T) {
	t.Helper()
	if raceDetector && os.Getenv("GONGKAI_TEST_RACE_SQLITE") == "" {
		t.Skip("SQLite is too slow under the race detector; GONGKAI_TEST_RACE_SQLITE=1 runs it")
	}
}

// Each runs the test on SQLite and on PostgreSQL. Under the race detector SQLite
// is left out, unless GONGKAI_TEST_RACE_SQLITE is set: it is translated C, which
// the detector makes thirty times slower and has nothing to say about, while the
// code around it is the same on both.
func Each(t *testing.T, test func(t *testing.T, s *store.Store, u string)) {
	t.Run("sqlite", func(t *testing.T) {
		SkipSlow(t)
		s, u := SQLite(t)
		test(t, s, u)
	})
	t.Run("postgres", func(t *testing.T) {
		s, u := Postgres(t)
		test(t, s, u)
	})
}

// NeedPostgres skips the test when there is no server, as PostgresURL does.
func NeedPostgres(t testing.TB) string {
	t.Helper()
	server := os.Getenv("GONGKAI_TEST_POSTGRES")
	if server != "" {
		return server
	}
	if os.Getenv("GONGKAI_TEST_ALL") != "" {
		t.Fatal("GONGKAI_TEST_POSTGRES is not set")
	}
	t.Skip("GONGKAI_TEST_POSTGRES is not set; make test starts a server")
	return ""
}
