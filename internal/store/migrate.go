package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// ErrNewerSchema means that a newer gongkai has upgraded the database.
var ErrNewerSchema = errors.New("store: the database was upgraded by a newer version of gongkai; please use that version")

// ErrNotDatabase means that the SQLite file is something else, or so damaged that
// it looks so.
var ErrNotDatabase = errors.New("store: not a SQLite database")

// ErrForeignDatabase means that the SQLite file is another program's. Nothing was
// changed in it.
var ErrForeignDatabase = errors.New("store: the SQLite file is the database of another program")

func (s *Store) provider() (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, s.d.migrations)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	dialect := goose.DialectSQLite3
	var options []goose.ProviderOption
	if s.d == postgresDialect {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300)) // instances may start together
		if err != nil {
			return nil, fmt.Errorf("store: migrations: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, s.w, sub, options...)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	return p, nil
}

// migrate brings the schema up to date. Processes that start together on a new
// SQLite file get in each other's way while it becomes one; they try again.
func (s *Store) migrate(ctx context.Context) error {
	err := s.upgrade(ctx)
	for tries := 0; tries < 100 && (isBusy(err) || s.file != "" && overtaken(err)); tries++ {
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
		err = s.upgrade(ctx)
	}
	if err != nil {
		return err
	}
	if err := s.loadBuiltin(ctx); err != nil {
		return err
	}
	return s.fillDerived(ctx)
}

// overtaken reports whether a migration failed, as it does when another process
// has made the same step meanwhile.
func overtaken(err error) bool {
	partial := new(goose.PartialError)
	return errors.As(err, &partial)
}

func (s *Store) upgrade(ctx context.Context) error {
	if err := s.refuseForeign(ctx); err != nil {
		return err
	}
	p, err := s.provider()
	if err != nil {
		return err
	}
	if err := checkNewer(ctx, p); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		if pending, e := p.HasPending(ctx); e != nil || pending { // otherwise another process was first
			return fmt.Errorf("store: migrate: %w", fault(err))
		}
	}
	return nil
}

// refuseForeign keeps our tables out of a file that has others. It asks a
// connection that changes nothing, not even the kind of journal.
func (s *Store) refuseForeign(ctx context.Context) error {
	if s.file == "" {
		return nil
	}
	var tables, ours int
	err := s.r.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = 'feed_head') FROM sqlite_schema
		WHERE type = 'table' AND name <> 'goose_db_version' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`).Scan(&tables, &ours)
	if err != nil {
		return fmt.Errorf("store: schema: %w", fault(err))
	}
	if tables > 0 && ours == 0 {
		return fmt.Errorf("%w: %s", ErrForeignDatabase, s.file)
	}
	return nil
}

func (s *Store) checkVersion(ctx context.Context) error {
	if err := s.refuseForeign(ctx); err != nil {
		return err
	}
	p, err := s.provider()
	if err != nil {
		return err
	}
	if err := checkNewer(ctx, p); err != nil {
		return err
	}
	_, err = s.Head(ctx)
	return err
}

func checkNewer(ctx context.Context, p *goose.Provider) error {
	sources := p.ListSources()
	current, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("store: schema version: %w", fault(err))
	}
	if newest := sources[len(sources)-1].Version; current > newest {
		return fmt.Errorf("%w (schema %d, known %d)", ErrNewerSchema, current, newest)
	}
	return nil
}

// SchemaVersion returns the version of the open database.
func (s *Store) SchemaVersion(ctx context.Context) (int64, error) {
	p, err := s.provider()
	if err != nil {
		return 0, err
	}
	return p.GetDBVersion(ctx)
}
