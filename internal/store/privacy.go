package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gongkai/internal/disclosure"
)

// FileScans returns what the privacy check knows of the files, by SHA-256. One that was
// never scanned by this version is left out.
func (s *Store) FileScans(ctx context.Context, sha256 []string) (map[string]disclosure.FileScan, error) {
	found := map[string]disclosure.FileScan{}
	if len(sha256) == 0 {
		return found, nil
	}
	type row struct{ sha256, doc string }
	rows, err := all(ctx, s.r, func(rows *sql.Rows) (row, error) {
		var r row
		err := rows.Scan(&r.sha256, &r.doc)
		return r, err
	}, `SELECT sha256, doc FROM file_scan WHERE version = $1 AND sha256 IN `+s.d.inTexts("$2"), disclosure.LeakScanVersion, jsonText(sha256))
	if err != nil {
		return nil, fmt.Errorf("store: file scans: %w", fault(err))
	}
	for _, r := range rows {
		var scan disclosure.FileScan
		if err := json.Unmarshal([]byte(r.doc), &scan); err != nil {
			return nil, fmt.Errorf("store: scan of file %s: %w", r.sha256, err)
		}
		found[r.sha256] = scan
	}
	return found, nil
}

// SaveFileScan keeps what the privacy check found in a file. A file that is gone by now
// is left alone.
func (s *Store) SaveFileScan(ctx context.Context, sha256 string, scan disclosure.FileScan, now time.Time) error {
	doc, err := json.Marshal(scan)
	if err != nil {
		return fmt.Errorf("store: scan of file %s: %w", sha256, err)
	}
	return s.write(ctx, "save file scan", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO file_scan (sha256, version, doc, at)
			SELECT sha256, $1, $2, $3
			  FROM blob
			 WHERE sha256 = $4
			    ON CONFLICT (sha256) DO UPDATE
			   SET version = excluded.version, doc = excluded.doc, at = excluded.at`,
			disclosure.LeakScanVersion, string(doc), now.UnixMilli(), sha256)
		return err
	})
}

// Blob returns the content of an uploaded file, public or not, or CodeNoFile.
func (s *Store) Blob(ctx context.Context, sha256 string) ([]byte, error) {
	var data []byte
	for n := 0; ; n++ {
		chunk, err := s.AttachmentChunk(ctx, sha256, n)
		if err != nil {
			return nil, err
		}
		if chunk == nil {
			break
		}
		data = append(data, chunk...)
	}
	if data == nil {
		return nil, disclosure.Errorf(disclosure.CodeNoFile, "没有找到这个附件")
	}
	return data, nil
}

// Lookup returns the newest public notice in which the MAC finds a row, and the
// row's acceptance number. Any other MAC is CodeNoMatch.
func (s *Store) Lookup(ctx context.Context, mac string) (disclosure.StaffNotice, string, error) {
	var out disclosure.StaffNotice
	var number string
	err := s.read(ctx, "lookup", func(v *snapshot) error {
		var id string
		err := one(v.QueryRowContext(ctx, `
			SELECT l.notice_id, l.acceptance_no
			  FROM lookup l
			  JOIN notice n ON n.id = l.notice_id
			 WHERE l.mac = $1 AND n.public = 1
			 ORDER BY n.seq DESC
			 LIMIT 1`, mac), disclosure.ErrNoMatch, &id, &number)
		if err != nil {
			return err
		}
		n, err := v.find(ctx, disclosure.NoticeRef{ID: id})
		out = disclosure.StaffNotice{Reading: v.at, Notice: n.Notice, ContentSHA256: n.sha256}
		return err
	})
	return out, number, err
}

// Secret returns the key of the name, keeping fresh if there is none yet: every
// instance on the database has the same.
func (s *Store) Secret(ctx context.Context, name string, fresh []byte, now time.Time) ([]byte, error) {
	var value string
	err := s.write(ctx, "secret", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO secret (name, value, at)
			VALUES ($1, $2, $3)
			    ON CONFLICT (name) DO NOTHING`, name, hex.EncodeToString(fresh), now.UnixMilli())
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT value FROM secret WHERE name = $1`, name).Scan(&value)
	})
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(value)
	if err != nil {
		return nil, errors.New("store: the secret " + name + " cannot be read") // never echo it
	}
	return key, nil
}

// Outdated returns up to 100 public notices of a type whose deadline field lies
// before the one instant and whose publication before the other: those that may
// have expired.
func (s *Store) Outdated(ctx context.Context, typeCode string, deadline, published time.Time) ([]string, error) {
	ids, err := all(ctx, s.r, scanText, `
		SELECT id
		  FROM notice
		 WHERE type = $1 AND public = 1 AND deadline_at < $2 AND published_at < $3
		 ORDER BY seq
		 LIMIT 100`, typeCode, deadline.UnixMilli(), published.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("store: outdated: %w", fault(err))
	}
	return ids, nil
}
