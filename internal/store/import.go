package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gongkai/internal/disclosure"
)

// importCounts is how the counts of an import are kept.
type importCounts struct {
	Rows   disclosure.ImportRows       `json:"rows"`
	Issues map[disclosure.Severity]int `json:"issues"`
}

func importAudit(by disclosure.Actor, action string, i disclosure.Import, at time.Time) disclosure.AuditRow {
	return disclosure.AuditRow{At: at, Actor: by.Name, Role: by.Role, Token: by.Token, Action: action, Subject: "import",
		ID: i.ID, Digest: i.SHA256, Detail: string(i.State)}
}

// SaveImport keeps a file with what its check found.
func (s *Store) SaveImport(ctx context.Context, i disclosure.Import, data []byte) error {
	counts, err := json.Marshal(importCounts{i.Rows, i.IssueCounts})
	if err != nil {
		return err
	}
	return s.audited(ctx, "save import", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO import (id, state, format, name, type, sha256, size, by_name, role, token, at, closed_at, counts, issues, notices)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, '[]')`,
			i.ID, i.State, i.Format, i.Name, i.Type, i.SHA256, i.Size, i.By.Name, i.By.Role, i.By.Token, i.At.UnixMilli(),
			string(counts), jsonText(i.Issues)); err != nil {
			return err
		}
		n := 0
		for chunk := range slices.Chunk(data, chunkBytes) {
			if _, err := tx.ExecContext(ctx, `INSERT INTO import_chunk (import_id, n, data) VALUES ($1, $2, $3)`, i.ID, n, chunk); err != nil {
				return err
			}
			n++
		}
		return nil
	}, importAudit(i.By, "check", i, i.At))
}

// Import returns an import. An unknown one is CodeNoImport.
func (s *Store) Import(ctx context.Context, id string) (disclosure.Import, error) {
	i := disclosure.Import{ID: id}
	var at, closed int64
	var counts, notices string
	var issues sql.NullString
	err := one(s.r.QueryRowContext(ctx, `
		SELECT state, format, name, type, sha256, size, by_name, role, token, at, closed_at, counts, issues, notices
		  FROM import
		 WHERE id = $1`, id), disclosure.Errorf(disclosure.CodeNoImport, "没有找到这次导入"),
		&i.State, &i.Format, &i.Name, &i.Type, &i.SHA256, &i.Size, &i.By.Name, &i.By.Role, &i.By.Token, &at, &closed, &counts, &issues, &notices)
	if err != nil {
		return i, fmt.Errorf("store: import: %w", fault(err))
	}
	i.At, i.ClosedAt, i.Purged = disclosure.FromMilliseconds(at), disclosure.FromMilliseconds(closed), !issues.Valid
	var kept importCounts
	if err := json.Unmarshal([]byte(counts), &kept); err != nil {
		return i, fmt.Errorf("store: import %s: %w", id, err)
	}
	i.Rows, i.IssueCounts = kept.Rows, kept.Issues
	if err := json.Unmarshal([]byte(notices), &i.Notices); err != nil {
		return i, fmt.Errorf("store: import %s: %w", id, err)
	}
	if issues.Valid {
		err = json.Unmarshal([]byte(issues.String), &i.Issues)
	}
	return i, err
}

// ImportFile returns the file of an import, nil once it is purged.
func (s *Store) ImportFile(ctx context.Context, id string) ([]byte, error) {
	chunks, err := all(ctx, s.r, func(rows *sql.Rows) ([]byte, error) {
		var data []byte
		err := rows.Scan(&data)
		return data, err
	}, `SELECT data FROM import_chunk WHERE import_id = $1 ORDER BY n`, id)
	if err != nil {
		return nil, fmt.Errorf("store: import file: %w", fault(err))
	}
	return slices.Concat(chunks...), nil
}

// Imported returns what earlier imports made of the keys; unknown ones are left
// out.
func (s *Store) Imported(ctx context.Context, keys []string) (map[string]disclosure.ImportedNotice, error) {
	found := map[string]disclosure.ImportedNotice{}
	if len(keys) == 0 {
		return found, nil
	}
	type row struct {
		key string
		disclosure.ImportedNotice
	}
	rows, err := all(ctx, s.r, func(rows *sql.Rows) (row, error) {
		var r row
		err := rows.Scan(&r.key, &r.Digest, &r.NoticeID, &r.Code, &r.Status)
		return r, err
	}, `
		SELECT k.key, k.digest, k.notice_id, n.code, n.status
		  FROM import_key k
		  JOIN notice n ON n.id = k.notice_id
		 WHERE k.key IN `+s.d.inTexts("$1"), jsonText(keys))
	if err != nil {
		return nil, fmt.Errorf("store: imported: %w", fault(err))
	}
	for _, r := range rows {
		found[r.key] = r.ImportedNotice
	}
	return found, nil
}

// CommitImport applies the transitions of an import and closes it, all or
// nothing: its file and issues are removed. It returns CodeImportState when the
// import is not in the state checked any more, CodeStale when another import
// wrote one of the keys meanwhile.
func (s *Store) CommitImport(ctx context.Context, i disclosure.Import, keys []disclosure.ImportKey, a disclosure.Actor, now time.Time, ts ...disclosure.Transition) (disclosure.Import, error) {
	err := s.write(ctx, "commit import", func(tx *sql.Tx) error {
		if err := closeImport(ctx, tx, i.ID, disclosure.ImportChecked, disclosure.ImportCommitted, now); err != nil {
			return err
		}
		if err := s.applyAll(ctx, tx, ts); err != nil {
			return err
		}
		codes := map[string]string{}
		for _, t := range ts {
			codes[t.Notice.ID] = t.Notice.Code
		}
		i.State, i.ClosedAt, i.Name, i.Issues, i.Purged, i.Notices = disclosure.ImportCommitted, now, "", nil, true, []string{}
		for _, k := range keys {
			if err := keepKey(ctx, tx, i.ID, k); err != nil {
				return err
			}
			i.Notices = append(i.Notices, codes[k.NoticeID])
		}
		if _, err := tx.ExecContext(ctx, `UPDATE import SET notices = $1 WHERE id = $2`, jsonText(i.Notices), i.ID); err != nil {
			return err
		}
		return s.auditImport(ctx, tx, importAudit(a, "commit", i, now))
	})
	if err != nil {
		return i, err
	}
	return i, s.flushPurged(ctx)
}

// closeImport moves an import on and removes what quotes its file.
func closeImport(ctx context.Context, tx *sql.Tx, id string, from, to disclosure.ImportState, now time.Time) error {
	res, err := tx.ExecContext(ctx, `
		UPDATE import
		   SET state = $1, closed_at = $2, name = '', issues = NULL
		 WHERE id = $3 AND state = $4`, to, now.UnixMilli(), id, from)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return disclosure.Errorf(disclosure.CodeImportState, "这次导入的状态刚刚变了，请重新查看")
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM import_chunk WHERE import_id = $1`, id)
	return err
}

func keepKey(ctx context.Context, tx *sql.Tx, importID string, k disclosure.ImportKey) error {
	res, err := tx.ExecContext(ctx, `
		INSERT INTO import_key (key, digest, notice_id, import_id, rev, created)
		VALUES ($1, $2, $3, $4, $5, $6)
		    ON CONFLICT (key) DO UPDATE
		   SET digest = excluded.digest, notice_id = excluded.notice_id, import_id = excluded.import_id,
		       rev = excluded.rev, created = excluded.created
		 WHERE import_key.notice_id = $7`, k.Key, k.Digest, k.NoticeID, importID, k.Rev, flag(k.Created), k.Was)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return disclosure.Errorf(disclosure.CodeStale, "另一次导入刚刚写入了同一份公告，请重新上传")
}

// auditImport adds the import's own line after those of its notices.
func (s *Store) auditImport(ctx context.Context, tx *sql.Tx, row disclosure.AuditRow) error {
	h, err := s.lockHead(ctx, tx, 0, 1, false)
	if err != nil {
		return err
	}
	return s.audit(ctx, tx, h, []disclosure.AuditRow{row})
}

// flushPurged rewrites SQLite's write-ahead log, where purged content still
// stands. PostgreSQL leaves that to its own log's recycling.
func (s *Store) flushPurged(ctx context.Context) error {
	if s.d != sqliteDialect {
		return nil
	}
	return s.flushLog(ctx)
}

// ImportKeys returns what an import wrote, with the notices as they were left.
func (s *Store) ImportKeys(ctx context.Context, id string) ([]disclosure.ImportKey, error) {
	keys, err := all(ctx, s.r, func(rows *sql.Rows) (disclosure.ImportKey, error) {
		var k disclosure.ImportKey
		var created int64
		err := rows.Scan(&k.Key, &k.Digest, &k.NoticeID, &k.Rev, &created)
		k.Created = created == 1
		return k, err
	}, `SELECT key, digest, notice_id, rev, created FROM import_key WHERE import_id = $1 ORDER BY notice_id LIMIT 100000`, id)
	if err != nil {
		return nil, fmt.Errorf("store: import keys: %w", fault(err))
	}
	return keys, nil
}

// UndoImport applies the transitions that take an import back, all or nothing.
// The keys of removed notices go with them; those of replaced drafts forget the
// content, so that the next import may replace it again. Errors as of
// CommitImport.
func (s *Store) UndoImport(ctx context.Context, i disclosure.Import, a disclosure.Actor, now time.Time, ts ...disclosure.Transition) (disclosure.Import, error) {
	err := s.write(ctx, "undo import", func(tx *sql.Tx) error {
		if err := closeImport(ctx, tx, i.ID, disclosure.ImportCommitted, disclosure.ImportUndone, now); err != nil {
			return err
		}
		if err := s.applyAll(ctx, tx, ts); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE import_key SET digest = '' WHERE import_id = $1`, i.ID); err != nil {
			return err
		}
		i.State, i.ClosedAt = disclosure.ImportUndone, now
		return s.auditImport(ctx, tx, importAudit(a, "undo", i, now))
	})
	return i, err
}

// ExpireImports purges the files and issues of imports sent before the instant
// that nobody has committed, and returns how many there were.
func (s *Store) ExpireImports(ctx context.Context, before, now time.Time) (int, error) {
	ids, err := all(ctx, s.r, scanText, `SELECT id FROM import WHERE issues IS NOT NULL AND at < $1 ORDER BY at LIMIT 1000`, before.UnixMilli())
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	list := jsonText(ids)
	err = s.write(ctx, "expire imports", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM import_chunk WHERE import_id IN `+s.d.inTexts("$1"), list); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE import
			   SET state = 'expired', closed_at = $1, name = '', issues = NULL
			 WHERE issues IS NOT NULL AND id IN `+s.d.inTexts("$2"), now.UnixMilli(), list)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(ids), s.flushPurged(ctx)
}
