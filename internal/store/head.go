package store

import (
	"context"
	"database/sql"

	"gongkai/internal/disclosure"
)

// head is the feed's lock as taken by a transaction: positions include what the
// transaction is about to write.
type head struct {
	seq       int64
	auditSeq  int64
	auditHash string // of the last row before
}

// lockHead reserves positions in the change feed and the audit trail. The row
// lock it takes is held to the commit, which puts both in commit order; so it
// is the last thing but the numbered rows that a transaction does. A change of
// the catalogue names the position as the catalogue's version.
func (s *Store) lockHead(ctx context.Context, tx *sql.Tx, changes, auditRows int64, catalog bool) (head, error) {
	var h head
	err := tx.QueryRowContext(ctx, `
		UPDATE feed_head
		   SET seq = seq + $1, audit_seq = audit_seq + $2,
		       catalog_version = CASE WHEN $3 = 0 THEN catalog_version ELSE seq + $4 END
		 WHERE id = 1
		RETURNING seq, audit_seq, audit_hash`, changes, auditRows, flag(catalog), changes).
		Scan(&h.seq, &h.auditSeq, &h.auditHash)
	return h, err
}

// audit appends the rows to the audit trail and moves the head to the last.
func (s *Store) audit(ctx context.Context, tx *sql.Tx, h head, rows []disclosure.AuditRow) error {
	seq, hash := h.auditSeq-int64(len(rows)), h.auditHash
	for _, r := range rows {
		seq++
		r.Seq, r.Prev = seq, hash
		r.Hash = disclosure.AuditHash(r)
		hash = r.Hash
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO audit (seq, at, actor, role, token, action, subject, id, rev, digest, detail, prev, hash)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			r.Seq, r.At.UnixMilli(), r.Actor, r.Role, r.Token, r.Action, r.Subject, r.ID, r.Rev, r.Digest, r.Detail,
			r.Prev, r.Hash); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `UPDATE feed_head SET audit_hash = $1 WHERE id = 1`, hash)
	return err
}

// Audited runs f in a transaction that ends with the given audit rows.
func (s *Store) audited(ctx context.Context, what string, f func(tx *sql.Tx) error, rows ...disclosure.AuditRow) error {
	return s.write(ctx, what, func(tx *sql.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		h, err := s.lockHead(ctx, tx, 0, int64(len(rows)), false)
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, h, rows)
	})
}

const auditColumns = `seq, at, actor, role, token, action, subject, id, rev, digest, detail, prev, hash`

func scanAudit(rows *sql.Rows) (disclosure.AuditRow, error) {
	var r disclosure.AuditRow
	var at int64
	err := rows.Scan(&r.Seq, &at, &r.Actor, &r.Role, &r.Token, &r.Action, &r.Subject, &r.ID, &r.Rev, &r.Digest,
		&r.Detail, &r.Prev, &r.Hash)
	r.At = disclosure.FromMilliseconds(at)
	return r, err
}

// Audit returns up to limit rows of the audit trail with a position below
// before, newest first; id "" is every subject.
func (s *Store) Audit(ctx context.Context, id string, before int64, limit int) (disclosure.AuditPage, error) {
	var page disclosure.AuditPage
	c := &conditions{}
	c.add("1 = 1")
	if id != "" {
		c.add("id = ?", id)
	}
	err := s.read(ctx, "audit", func(v *snapshot) error {
		err := v.QueryRowContext(ctx, `
			SELECT count(*)
			  FROM (SELECT 1 FROM audit WHERE `+c.where()+` LIMIT `+c.next(1)+`) AS counted`,
			c.with(disclosure.MaxTotal+1)...).Scan(&page.Total)
		if err != nil {
			return err
		}
		page.TotalCapped, page.Total = page.Total > disclosure.MaxTotal, min(page.Total, disclosure.MaxTotal)
		page.Items, err = all(ctx, v, scanAudit, `
			SELECT `+auditColumns+`
			  FROM audit
			 WHERE `+c.where()+` AND seq < `+c.next(1)+`
			 ORDER BY seq DESC
			 LIMIT `+c.next(2), c.with(before, limit)...)
		return err
	})
	return page, err
}

// VerifyAudit checks the whole audit trail and returns how many rows it has. A
// row that was changed, inserted or removed is a *disclosure.AuditFault.
func (s *Store) VerifyAudit(ctx context.Context) (int64, error) {
	var count int64
	err := s.read(ctx, "verify audit", func(v *snapshot) error {
		var hash string
		if err := v.QueryRowContext(ctx, `SELECT audit_seq, audit_hash FROM feed_head WHERE id = 1`).Scan(&count, &hash); err != nil {
			return err
		}
		var chain disclosure.AuditChain
		for from := int64(0); ; {
			rows, err := all(ctx, v, scanAudit, `SELECT `+auditColumns+` FROM audit WHERE seq > $1 ORDER BY seq LIMIT 1000`, from)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if err := chain.Next(r); err != nil {
					return err
				}
				from = r.Seq
			}
			if len(rows) == 0 {
				return chain.End(count, hash)
			}
		}
	})
	return count, err
}
