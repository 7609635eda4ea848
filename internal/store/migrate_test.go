package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

func open(t *testing.T, o store.Options) (*store.Store, error) {
	t.Helper()
	s, err := store.Open(context.Background(), o)
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

// TestNewerSchemaIsRefused: a binary leaves a database alone that a newer one
// has upgraded, even to read it.
func TestNewerSchemaIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		_ = s.Close()
		db := storetest.Raw(t, u)
		applied := "true"
		if storetest.IsSQLite(u) {
			applied = "1"
		}
		storetest.Exec(t, db, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, `+applied+`)`)
		before := storetest.Dump(t, u, db)
		for _, o := range []store.Options{{URL: u}, {URL: u, ReadOnly: true}, {URL: u, MustExist: true}} {
			if _, err := open(t, o); !errors.Is(err, store.ErrNewerSchema) {
				t.Errorf("Open(%+v) = %v, want ErrNewerSchema", o, err)
			}
		}
		if diff := storetest.Diff(before, storetest.Dump(t, u, db)); len(diff) > 0 {
			t.Errorf("refusing changed %v", diff)
		}
	})
}

// TestForeignDatabaseIsRefused: the file of another program stays as it is, to
// the byte.
func TestForeignDatabaseIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "other.db")
	db := storetest.Raw(t, "sqlite:"+file)
	storetest.Exec(t, db, `CREATE TABLE customer (name TEXT)`, `INSERT INTO customer VALUES ('甲')`)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	u := "sqlite:" + file
	for _, o := range []store.Options{{URL: u}, {URL: u, ReadOnly: true}, {URL: u, MustExist: true}} {
		if _, err := open(t, o); !errors.Is(err, store.ErrForeignDatabase) {
			t.Errorf("Open(%+v) = %v, want ErrForeignDatabase", o, err)
		}
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, before) {
		t.Errorf("refusing changed the file, %v", err)
	}
}

// TestReopenChangesNothing: opening a database again writes nothing.
func TestReopenChangesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		storetest.Corpus(t, s, 4, 40)
		before := storetest.Dump(t, u, storetest.Raw(t, u))
		_ = s.Close()
		for range 2 {
			again := storetest.Open(t, u)
			if v, err := again.SchemaVersion(context.Background()); err != nil || v < 1 {
				t.Errorf("schema version %d, %v", v, err)
			}
			_ = again.Close()
		}
		if diff := storetest.Diff(before, storetest.Dump(t, u, storetest.Raw(t, u))); len(diff) > 0 {
			t.Errorf("opening again changed %v", diff)
		}
	})
}

// TestMigratingTogether: instances that start at once on an empty database all
// come up, on one catalogue loaded once.
func TestMigratingTogether(t *testing.T) {
	urls := map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "g.db") },
		"postgres": func(t *testing.T) string { return storetest.PostgresURL(t) },
	}
	for name, newURL := range urls {
		t.Run(name, func(t *testing.T) {
			for range rounds(1, 10) {
				u := newURL(t)
				var starting sync.WaitGroup
				for range 4 {
					starting.Go(func() {
						s, err := store.Open(context.Background(), store.Options{URL: u})
						if err != nil {
							t.Errorf("starting beside another: %v", err)
							return
						}
						_ = s.Close()
					})
				}
				starting.Wait()
				db := storetest.Raw(t, u)
				shipped := must[[]disclosure.Definition](t)(disclosure.Builtin())
				if n := storetest.Int(t, db, `SELECT count(*) FROM definition`); n != int64(len(shipped)) {
					t.Errorf("%d definitions loaded, %d shipped", n, len(shipped))
				}
				if n := storetest.Int(t, db, `SELECT max(version) FROM definition`); n != 1 {
					t.Errorf("loaded as version %d", n)
				}
				_ = db.Close()
			}
		})
	}
}

// TestOpenRefusals: what cannot be opened is said, without the password.
func TestOpenRefusals(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		o    store.Options
	}{
		{"no scheme", store.Options{URL: filepath.Join(dir, "x.db")}},
		{"unknown scheme", store.Options{URL: "mysql://u:geheim@h/db"}},
		{"no file", store.Options{URL: "sqlite:"}},
		{"no such folder", store.Options{URL: "sqlite:" + filepath.Join(dir, "none", "x.db")}},
		{"not a database", store.Options{URL: "sqlite:" + garbage}},
		{"must exist and does not", store.Options{URL: "sqlite:" + filepath.Join(dir, "missing.db"), MustExist: true}},
		{"to read and does not exist", store.Options{URL: "sqlite:" + filepath.Join(dir, "missing.db"), ReadOnly: true}},
		{"broken URL", store.Options{URL: "postgres://u:geheim@h:port/db"}},
		{"nobody listens", store.Options{URL: "postgres://u:geheim@127.0.0.1:1/db"}},
	} {
		_, err := open(t, tt.o)
		if err == nil {
			t.Errorf("%s: opened", tt.name)
			continue
		}
		if strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the error shows the password: %v", tt.name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing.db")); err == nil {
		t.Error("a file was made where one had to exist")
	}
}

// TestOddFileNames: characters that mean something in a URL are part of the name.
func TestOddFileNames(t *testing.T) {
	for _, name := range []string{"公开 数据.db", "a?mode=memory.db", "a#b.db", "100%.db", "a&b='.db"} {
		path := filepath.Join(t.TempDir(), name)
		s, err := open(t, store.Options{URL: "sqlite:" + path})
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if _, err := os.Stat(path); err != nil || s.File() != path {
			t.Errorf("%q: file %q, %v", name, s.File(), err)
		}
	}
}

// TestReadOnlyWritesNothing: a database opened for verification cannot be
// written through the store.
func TestReadOnlyWritesNothing(t *testing.T) {
	s, u := storetest.SQLite(t)
	storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), storetest.Start)
	_ = s.Close()
	ro, err := open(t, store.Options{URL: u, MustExist: true, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if page, err := ro.Notices(context.Background(), disclosure.NoticeQuery{Limit: 5}, storetest.Start); err != nil || page.Total != 1 {
		t.Errorf("read-only list: %d rows, %v", page.Total, err)
	}
	err = ro.CreateToken(context.Background(), storetest.Admin, token("t1"), []byte("hash"))
	wantCode(t, err, disclosure.CodeUnavailable)
}
