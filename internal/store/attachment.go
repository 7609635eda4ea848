package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"gongkai/internal/disclosure"
)

// chunkBytes is the size of one piece of a stored file: small enough to stream
// without holding a whole file for each reader.
const chunkBytes = 256 << 10

// SaveUpload keeps an uploaded file and its name. A content that is there
// already is stored once.
func (s *Store) SaveUpload(ctx context.Context, by disclosure.Actor, f disclosure.Attachment, data []byte, now time.Time) error {
	row := disclosure.AuditRow{At: now, Actor: by.Name, Role: by.Role, Token: by.Token, Action: "upload",
		Subject: "attachment", ID: f.ID, Digest: f.SHA256}
	return s.audited(ctx, "save upload", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO blob (sha256, size, type, at)
			VALUES ($1, $2, $3, $4)
			    ON CONFLICT (sha256) DO NOTHING`, f.SHA256, f.Size, f.Type, now.UnixMilli())
		if err != nil {
			return err
		}
		added, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if added == 1 {
			n := 0
			for chunk := range slices.Chunk(data, chunkBytes) {
				if _, err := tx.ExecContext(ctx, `INSERT INTO blob_chunk (sha256, n, data) VALUES ($1, $2, $3)`, f.SHA256, n, chunk); err != nil {
					return err
				}
				n++
			}
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO upload (id, sha256, name, at, by_name)
			VALUES ($1, $2, $3, $4, $5)`, f.ID, f.SHA256, f.Name, now.UnixMilli(), by.Name)
		return err
	}, row)
}

// Uploads returns the uploads with the ids; unknown ones are left out.
func (s *Store) Uploads(ctx context.Context, ids []string) (map[string]disclosure.Attachment, error) {
	found := map[string]disclosure.Attachment{}
	if len(ids) == 0 {
		return found, nil
	}
	files, err := all(ctx, s.r, func(rows *sql.Rows) (disclosure.Attachment, error) {
		var f disclosure.Attachment
		err := rows.Scan(&f.ID, &f.Name, &f.Size, &f.SHA256, &f.Type)
		return f, err
	}, `
		SELECT u.id, u.name, b.size, b.sha256, b.type
		  FROM upload u
		  JOIN blob b ON b.sha256 = u.sha256
		 WHERE u.id IN `+s.d.inTexts("$1"), jsonText(ids))
	if err != nil {
		return nil, fmt.Errorf("store: uploads: %w", fault(err))
	}
	for _, f := range files {
		found[f.ID] = f
	}
	return found, nil
}

// Attachment returns a file that a public notice carries, under the name that the
// newest gives it. One that only withdrawn notices carried is CodeFileGone, any
// other CodeNoFile.
func (s *Store) Attachment(ctx context.Context, sha256 string) (disclosure.AttachmentState, error) {
	var out disclosure.AttachmentState
	err := s.read(ctx, "attachment", func(v *snapshot) error {
		gone := disclosure.Errorf(disclosure.CodeNoFile, "没有找到这个附件")
		type carrier struct {
			typ     string
			version int
			status  disclosure.Status
		}
		carriers, err := all(ctx, v, func(rows *sql.Rows) (carrier, error) {
			var c carrier
			err := rows.Scan(&c.typ, &c.version, &c.status)
			return c, err
		}, `
			SELECT DISTINCT n.type, n.type_version, n.status
			  FROM notice_file f
			  JOIN notice n ON n.id = f.notice_id
			 WHERE f.sha256 = $1 AND f.public = 1
			 LIMIT 10000`, sha256)
		if err != nil {
			return err
		}
		public := false
		for _, c := range carriers {
			if !c.status.Public() {
				gone = disclosure.Errorf(disclosure.CodeFileGone, "附件所属的公告已撤回")
				continue
			}
			typ, err := v.at.Catalog.TypeAt(c.typ, c.version)
			if err != nil {
				return err
			}
			public, out.Personal = true, out.Personal || typ.Personal
		}
		if !public {
			return gone
		}
		out.SHA256 = sha256
		return v.QueryRowContext(ctx, `
			SELECT f.name, b.size, b.type
			  FROM notice_file f
			  JOIN notice n ON n.id = f.notice_id
			  JOIN blob b ON b.sha256 = f.sha256
			 WHERE f.sha256 = $1 AND f.public = 1 AND n.public = 1
			 ORDER BY n.seq DESC
			 LIMIT 1`, sha256).Scan(&out.Name, &out.Size, &out.Type)
	})
	return out, err
}

// AttachmentChunk returns the n-th piece of a file's content, counted from 0,
// or nil after the last.
func (s *Store) AttachmentChunk(ctx context.Context, sha256 string, n int) ([]byte, error) {
	var data []byte
	err := s.r.QueryRowContext(ctx, `SELECT data FROM blob_chunk WHERE sha256 = $1 AND n = $2`, sha256, n).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: attachment: %w", fault(err))
	}
	return data, nil
}
