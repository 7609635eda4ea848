package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// ErrNewerSchema means that a newer gongkai has upgraded the database.
var ErrNewerSchema = errors.New("store: the database was upgraded by a newer version of gongkai; please use that version")

func (s *Store) provider() (*goose.Provider, error) {
	sub, err := fs.Sub(migrations, s.d.migrations)
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	dialect := goose.DialectSQLite3
	var options []goose.ProviderOption
	if s.d == postgresDialect {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker() // instances may start together
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

func (s *Store) migrate(ctx context.Context) error {
	p, err := s.provider()
	if err != nil {
		return err
	}
	if err := checkNewer(ctx, p); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return s.loadBuiltin(ctx)
}

func (s *Store) checkVersion(ctx context.Context) error {
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
