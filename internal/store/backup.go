package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/crashpoint"
	"gongkai/internal/disclosure"
)

// ErrNotSQLite means that the database is PostgreSQL, which is backed up with
// its own tools.
var ErrNotSQLite = errors.New("store: only SQLite is backed up by this program; use pg_dump for PostgreSQL")

// Backup writes a consistent copy of a SQLite database to a new file, beside a
// running server, and its SHA-256 to the file with ".sha256" added.
func (s *Store) Backup(ctx context.Context, path string) error {
	if s.file == "" {
		return ErrNotSQLite
	}
	f, err := createFile(path) // SQLite would make it readable to all until it is full
	if err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	if err := f.Close(); err != nil {
		return errors.Join(fmt.Errorf("store: backup: %w", err), os.Remove(path))
	}
	if err := s.copyInto(ctx, path); err != nil {
		return errors.Join(fmt.Errorf("store: backup: %w", fault(err)), os.Remove(path))
	}
	crashpoint.Hit("between the parts of", "a backup")
	if err := syncFile(path); err != nil {
		return err
	}
	sum, err := fileSum(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".sha256", []byte(sum+"  "+filepath.Base(path)+"\n"), 0o600); err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	return nil
}

// copyInto writes the copy; query_only, on a connection that cannot write to the
// database anyway, would keep it from writing at all.
func (s *Store) copyInto(ctx context.Context, path string) error {
	conn, err := s.w.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, `PRAGMA query_only(0)`); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `VACUUM INTO $1`, path)
	return err
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("store: backup: %w", err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("store: backup: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// BackupReport says what a backup holds.
type BackupReport struct {
	Schema    int64 `json:"schema"`
	Notices   int64 `json:"notices"`
	Public    int64 `json:"public"`
	Revisions int64 `json:"revisions"`
	Audit     int64 `json:"audit_rows"`
	Feed      int64 `json:"feed_seq"`
	Checksum  bool  `json:"checksum"` // the file was compared with its SHA-256, not only read
}

// ErrDamaged means that a backup is not what was written.
var ErrDamaged = errors.New("store: the backup is damaged")

// VerifyBackup opens a backup without changing it and checks the file's
// SHA-256, SQLite's own structures, foreign keys and the audit chain.
func VerifyBackup(ctx context.Context, path string) (BackupReport, error) {
	want, err := os.ReadFile(path + ".sha256")
	r := BackupReport{Checksum: err == nil}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return r, fmt.Errorf("store: verify: %w", err)
	}
	sum, sumErr := fileSum(path)
	if sumErr != nil {
		return r, sumErr
	}
	if err == nil && !strings.HasPrefix(string(want), sum) {
		return r, fmt.Errorf("%w: its SHA-256 differs from %s.sha256", ErrDamaged, path)
	}
	s, err := Open(ctx, Options{URL: "sqlite:" + path, MustExist: true, ReadOnly: true})
	if err != nil {
		return r, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer func() { _ = s.Close() }()
	for _, check := range []string{`PRAGMA integrity_check`, `PRAGMA foreign_key_check`} {
		rows, err := all(ctx, s.w, scanText, check)
		if err != nil {
			return r, fmt.Errorf("%w: %s: %w", ErrDamaged, check, err)
		}
		if len(rows) > 0 && rows[0] != "ok" {
			return r, fmt.Errorf("%w: %s: %s", ErrDamaged, check, rows[0])
		}
	}
	if r.Audit, err = s.VerifyAudit(ctx); err != nil {
		return r, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if r.Schema, err = s.SchemaVersion(ctx); err != nil {
		return r, err
	}
	err = s.w.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM notice), (SELECT count(*) FROM notice WHERE public = 1),
		       (SELECT count(*) FROM revision), (SELECT seq FROM feed_head)`).Scan(&r.Notices, &r.Public, &r.Revisions, &r.Feed)
	return r, err
}

// ErrOccupied means that a restoration would meet another database or what is
// left of its log, which SQLite would replay over the restored one.
var ErrOccupied = errors.New("store: there is a database already, or the log of one")

func vacant(target string) error {
	for _, part := range []string{"", "-wal", "-journal"} {
		if _, err := os.Lstat(target + part); err == nil {
			return fmt.Errorf("%w: %s", ErrOccupied, target+part)
		} else if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("store: restore: %w", err)
		}
	}
	return nil
}

// Restore copies a verified backup to a SQLite file that does not exist yet and
// begins a new epoch in it; see NewEpoch. The file has its name only when that
// is done: nobody serves a database that would send everything again.
func Restore(ctx context.Context, backup, target string, now time.Time) (BackupReport, error) {
	if err := vacant(target); err != nil {
		return BackupReport{}, err
	}
	r, err := VerifyBackup(ctx, backup)
	if err != nil {
		return r, err
	}
	work := target + ".restoring"
	for _, left := range []string{work, work + "-wal", work + "-shm"} { // of an attempt that was cut off
		if err := os.Remove(left); err != nil && !errors.Is(err, os.ErrNotExist) {
			return r, fmt.Errorf("store: restore: %w", err)
		}
	}
	if err := copyFile(backup, work); err != nil {
		return r, err
	}
	crashpoint.Hit("between the parts of", "a restoration")
	s, err := Open(ctx, Options{URL: "sqlite:" + work, MustExist: true})
	if err != nil {
		return r, errors.Join(err, os.Remove(work))
	}
	if err := errors.Join(s.NewEpoch(ctx, now), s.Close()); err != nil {
		return r, errors.Join(err, os.Remove(work))
	}
	if err := os.Rename(work, target); err != nil {
		return r, fmt.Errorf("store: restore: %w", err)
	}
	return r, syncDir(filepath.Dir(target))
}

// syncDir makes a renaming outlast a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	defer func() { _ = in.Close() }()
	out, err := createFile(to)
	if err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(fmt.Errorf("store: restore: %w", err), os.Remove(to))
	}
	return nil
}

// restored is why the push stands still after a restoration.
const restored = "刚从备份恢复：备份之后可能已经发出的，标为结果不明；核对后再恢复推送"

// NewEpoch makes a restored database safe to serve, once: caches do not take
// what they hold of the time after the backup for its future, and the push is
// stopped until somebody turns it on again. What was waiting to be sent may have
// been sent since the backup: its outcome is unknown, and events not yet
// expanded are paused one by one. Deliveries are not given the numbers of those
// made since the backup: people have links to these.
func (s *Store) NewEpoch(ctx context.Context, now time.Time) error {
	err := s.write(ctx, "new epoch", func(tx *sql.Tx) error {
		for _, statement := range []string{
			`UPDATE delivery SET state = 'unknown', class = 'ambiguous', owner = '' WHERE state IN ('queued', 'leased', 'sending', 'digest')`,
			`UPDATE push_event SET paused = 1, why = '` + restored + `' WHERE state IN ('pending', 'matching') AND open = 1 AND paused = 0`,
			s.d.skipNumbers,
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE feed_head SET epoch = $1 WHERE id = 1`, uuid.NewString())
		return err
	})
	if err != nil {
		return err
	}
	return s.SetSwitch(ctx, disclosure.System, disclosure.ScopeGlobal, restored, true, now)
}

// ClockSkew returns how far the database server's clock is ahead of now; 0 on
// SQLite, which has none of its own.
func (s *Store) ClockSkew(ctx context.Context, now func() time.Time) (time.Duration, error) {
	if s.d == sqliteDialect {
		return 0, nil
	}
	var ms int64
	before := now()
	err := s.r.QueryRowContext(ctx, `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint`).Scan(&ms)
	if err != nil {
		return 0, fmt.Errorf("store: clock: %w", fault(err))
	}
	after := now()
	return time.UnixMilli(ms).Sub(before.Add(after.Sub(before) / 2)), nil
}
