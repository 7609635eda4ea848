package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"testing"

	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// errInjected is what a wire answers where it was told to fail.
var errInjected = errors.New("injected fault")

// wire stands between a store and its database: it writes down every statement
// and can make the n-th one fail.
type wire struct {
	mu         sync.Mutex
	statements []string
	countdown  int   // the fault comes when it reaches 0; negative: never
	after      bool  // the statement is carried out and its answer lost
	cause      error // joined to errInjected
	reached    bool
	committed  bool // since the wire was armed
}

// openWired opens a store through a wire.
func openWired(t testing.TB, u string) (*store.Store, *wire) {
	t.Helper()
	w := &wire{countdown: -1}
	s, err := store.OpenThrough(context.Background(), store.Options{URL: u}, func(c driver.Connector) driver.Connector { return wiredConnector{c, w} })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, w
}

// eachWired runs the test on both databases.
func eachWired(t *testing.T, test func(t *testing.T, s *store.Store, u string, w *wire)) {
	storetest.Each(t, func(t *testing.T, plain *store.Store, u string) {
		_ = plain.Close()
		s, w := openWired(t, u)
		test(t, s, u, w)
	})
}

// failAt makes the n-th statement from now fail, counted from 1; with after it
// takes effect and only its answer is lost.
func (w *wire) failAt(n int, after bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.countdown, w.after, w.reached, w.committed = n, after, false, false
}

// disarm ends the faults and reports whether one was reached, and whether
// anything was committed.
func (w *wire) disarm() (reached, committed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.countdown = -1
	return w.reached, w.committed
}

// pass lets a statement through, unless it is the one to fail.
func (w *wire) pass(statement string, do func() error) error {
	w.mu.Lock()
	w.statements = append(w.statements, statement)
	w.countdown = max(w.countdown-1, -1)
	fail, after, injected := w.countdown == 0, w.after, errors.Join(errInjected, w.cause)
	w.reached = w.reached || fail
	w.mu.Unlock()
	if fail && !after {
		return injected
	}
	err := do()
	if fail && err == nil {
		return injected
	}
	return err
}

type wiredConnector struct {
	driver.Connector
	w *wire
}

func (c wiredConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &wiredConn{conn, c.w}, nil
}

type wiredConn struct {
	driver.Conn
	w *wire
}

func (c *wiredConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (r driver.Result, err error) {
	err = c.w.pass(query, func() error {
		r, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
		return err
	})
	return r, err
}

func (c *wiredConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (r driver.Rows, err error) {
	err = c.w.pass(query, func() error {
		r, err = c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
		return err
	})
	if errors.Is(err, errInjected) && r != nil {
		_ = drain(r)
		_ = r.Close()
		return nil, err
	}
	return r, err
}

// drain reads rows to their end: a statement with RETURNING works as it is read.
func drain(r driver.Rows) error {
	row := make([]driver.Value, len(r.Columns()))
	for {
		if err := r.Next(row); err != nil {
			return err
		}
	}
}

func (c *wiredConn) BeginTx(ctx context.Context, o driver.TxOptions) (tx driver.Tx, err error) {
	err = c.w.pass("BEGIN", func() error {
		tx, err = c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
		return err
	})
	if err != nil {
		if tx != nil {
			_ = tx.Rollback()
		}
		return nil, err
	}
	return wiredTx{tx, c.w}, nil
}

func (c *wiredConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *wiredConn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

func (c *wiredConn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

type wiredTx struct {
	driver.Tx
	w *wire
}

// Commit that fails leaves the transaction open to be rolled back, as a database
// that could not commit does.
func (tx wiredTx) Commit() error {
	err := tx.w.pass("COMMIT", func() error {
		err := tx.Tx.Commit()
		tx.w.mu.Lock()
		defer tx.w.mu.Unlock()
		tx.w.committed = tx.w.committed || err == nil
		return err
	})
	if errors.Is(err, errInjected) && !tx.w.after {
		_ = tx.Rollback()
	}
	return err
}

// TestPassedOverWriterWaitsAgain: SQLite's lock has no queue, so a writer may find
// it held by another process for the whole of its patience; that alone is no
// failure.
func TestPassedOverWriterWaitsAgain(t *testing.T) {
	plain, u := storetest.SQLite(t)
	_ = plain.Close()
	s, w := openWired(t, u)
	impatient := func() *sql.DB {
		db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(u, "sqlite:")+"?_pragma=busy_timeout(0)&_txlock=immediate")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	held, err := impatient().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, busy := impatient().BeginTx(t.Context(), nil)
	if busy == nil || !strings.Contains(busy.Error(), "SQLITE_BUSY") {
		t.Fatalf("the lock is held, and a second writer hears %v", busy)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	w.cause = busy
	w.failAt(1, false)
	if err := s.SignOut(t.Context(), []byte("hash")); err != nil {
		t.Errorf("passed over once: %v", err)
	}
	if reached, committed := w.disarm(); !reached || !committed {
		t.Errorf("reached %v, committed %v", reached, committed)
	}
}
