package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// OpenThrough opens a store that makes its connections through wrap.
func OpenThrough(ctx context.Context, o Options, wrap func(driver.Connector) driver.Connector) (*Store, error) {
	o.connect = func(name, source string) (*sql.DB, error) {
		known, err := sql.Open(name, source) // connects to nothing yet
		if err != nil {
			return nil, err
		}
		d := known.Driver()
		if err := known.Close(); err != nil {
			return nil, err
		}
		var c driver.Connector = dsn{d, source}
		if d, ok := d.(driver.DriverContext); ok {
			if c, err = d.OpenConnector(source); err != nil {
				return nil, fmt.Errorf("connector: %w", err)
			}
		}
		return sql.OpenDB(wrap(c)), nil
	}
	return Open(ctx, o)
}

type dsn struct {
	d      driver.Driver
	source string
}

func (d dsn) Connect(context.Context) (driver.Conn, error) { return d.d.Open(d.source) }
func (d dsn) Driver() driver.Driver                        { return d.d }
