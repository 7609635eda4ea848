package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
)

// TestAuditIsAppendOnly: the database refuses to change, replace or remove a row
// of the audit trail, whoever asks.
func TestAuditIsAppendOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		db := storetest.Raw(t, u)
		statements := []string{`UPDATE audit SET actor = 'x'`, `UPDATE audit SET actor = 'x' WHERE seq = 1`, `DELETE FROM audit`,
			`DELETE FROM audit WHERE seq = 1`, replaceRow + ` ON CONFLICT (seq) DO UPDATE SET actor = 'x'`}
		if storetest.IsSQLite(u) {
			statements = append(statements, strings.Replace(replaceRow, "INSERT", "INSERT OR REPLACE", 1),
				strings.Replace(replaceRow, "INSERT", "REPLACE", 1), `UPDATE OR REPLACE audit SET seq = 2 WHERE seq = 1`)
		} else {
			statements = append(statements, `TRUNCATE audit`, `TRUNCATE audit, feed`)
		}
		before := storetest.Dump(t, u, db)
		for _, statement := range statements {
			if _, err := db.ExecContext(context.Background(), statement); err == nil || !strings.Contains(err.Error(), "audit_append_only") {
				t.Errorf("%s: error = %v, want audit_append_only", statement, err)
			}
		}
		if diff := storetest.Diff(before, storetest.Dump(t, u, db)); len(diff) > 0 {
			t.Errorf("the trail has changed: %v", diff)
		}
		if _, err := s.VerifyAudit(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

const replaceRow = `INSERT INTO audit (seq, at, actor, role, token, action, subject, id, rev, digest, detail, prev, hash)
	VALUES (1, 1, 'x', 'x', 'x', 'x', 'x', 'x', 1, 'x', 'x', '', 'x')`

// disarmAudit takes the triggers away that keep the trail append-only.
func disarmAudit(t *testing.T, u string, db *sql.DB) {
	t.Helper()
	if storetest.IsSQLite(u) {
		for _, name := range storetest.Strings(t, db, `SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'audit'`) {
			storetest.Exec(t, db, `DROP TRIGGER `+name)
		}
		return
	}
	storetest.Exec(t, db, `ALTER TABLE audit DISABLE TRIGGER ALL`)
}

// TestAuditTampering changes the trail in every way with its triggers out of the
// way: VerifyAudit names the first row that does not hold.
func TestAuditTampering(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, u string) {
		for i := range 4 {
			storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", fmt.Sprintf("出让公告%d", i)), storetest.Start)
		}
		last, err := s.VerifyAudit(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		db := storetest.Raw(t, u)
		disarmAudit(t, u, db)
		storetest.Exec(t, db, `CREATE TABLE kept AS SELECT * FROM audit`, `CREATE TABLE kept_head AS SELECT * FROM feed_head`)
		for _, tt := range tamperings(t, db, last) {
			t.Run(tt.name, func(t *testing.T) {
				storetest.Exec(t, db, tt.statements...)
				_, err := s.VerifyAudit(context.Background())
				fault, ok := errors.AsType[*disclosure.AuditFault](err)
				if !ok || fault.Seq != tt.bad {
					t.Errorf("VerifyAudit = %v, want a fault at row %d", err, tt.bad)
				}
				storetest.Exec(t, db, `DELETE FROM audit`, `INSERT INTO audit SELECT * FROM kept`,
					`UPDATE feed_head SET audit_seq = (SELECT audit_seq FROM kept_head), audit_hash = (SELECT audit_hash FROM kept_head)`)
				if _, err := s.VerifyAudit(context.Background()); err != nil {
					t.Fatalf("the trail put back: %v", err)
				}
			})
		}
	})
}

type tampering struct {
	name       string
	bad        int64
	statements []string
}

func tamperings(t *testing.T, db *sql.DB, last int64) []tampering {
	t.Helper()
	mid := last / 2
	detailed := storetest.Int(t, db, fmt.Sprintf(`SELECT min(seq) FROM audit WHERE seq >= %d AND detail <> ''`, mid))
	rehash := func(seq int64, change func(*disclosure.AuditRow)) string { return rewritten(t, db, seq, change) }
	out := []tampering{
		{"first row deleted", 1, []string{`DELETE FROM audit WHERE seq = 1`}},
		{"row deleted", mid, []string{fmt.Sprintf(`DELETE FROM audit WHERE seq = %d`, mid)}},
		{"two rows deleted", mid, []string{fmt.Sprintf(`DELETE FROM audit WHERE seq IN (%d, %d)`, mid, mid+3)}},
		{"last row cut", last, []string{fmt.Sprintf(`DELETE FROM audit WHERE seq = %d`, last)}},
		{"tail cut", last - 4, []string{fmt.Sprintf(`DELETE FROM audit WHERE seq > %d`, last-5)}},
		{"everything cut", 1, []string{`DELETE FROM audit`}},
		{"counter turned back", last, []string{fmt.Sprintf(`UPDATE feed_head SET audit_seq = %d`, last-1)}},
		{"counter's hash changed", last, []string{`UPDATE feed_head SET audit_hash = 'x'`}},
		{"two rows change places", mid, []string{swap(mid, mid+1)}},
		{"row changed and hashed anew", mid + 1, []string{rehash(mid, func(r *disclosure.AuditRow) { r.Actor = "别人" })}},
		{"last row changed and hashed anew", last, []string{rehash(last, func(r *disclosure.AuditRow) { r.Actor = "别人" })}},
		{"row added at the end, well chained", last + 1, []string{appended(t, db, last)}},
		{"row repeated", last + 1, []string{fmt.Sprintf(`INSERT INTO audit SELECT %d, at, actor, role, token, action, subject, id, rev, digest, detail, prev, hash FROM kept WHERE seq = %d`, last+1, mid)}},
		{"text moved from one member to the next", detailed, []string{fmt.Sprintf(`UPDATE audit SET detail = '', digest = digest || detail WHERE seq = %d`, detailed)}},
	}
	for _, seq := range []int64{1, mid, last} {
		for _, column := range storetest.Columns(t, db, "audit") {
			value := column + ` || 'x'`
			if column == "seq" || column == "at" || column == "rev" {
				value = column + ` + 100000`
			}
			out = append(out, tampering{fmt.Sprintf("%s of row %d", column, seq), seq, []string{fmt.Sprintf(`UPDATE audit SET %s = %s WHERE seq = %d`, column, value, seq)}})
		}
	}
	return out
}

// swap exchanges the places of two rows.
func swap(a, b int64) string {
	return fmt.Sprintf(`UPDATE audit SET seq = CASE seq WHEN %[1]d THEN -%[2]d ELSE -%[1]d END WHERE seq IN (%[1]d, %[2]d); UPDATE audit SET seq = -seq WHERE seq < 0`, a, b)
}

func auditRow(t *testing.T, db *sql.DB, seq int64) disclosure.AuditRow {
	t.Helper()
	var r disclosure.AuditRow
	var at int64
	err := db.QueryRowContext(context.Background(), `SELECT seq, at, actor, role, token, action, subject, id, rev, digest, detail, prev, hash
		FROM audit WHERE seq = $1`, seq).Scan(&r.Seq, &at, &r.Actor, &r.Role, &r.Token, &r.Action, &r.Subject, &r.ID, &r.Rev, &r.Digest, &r.Detail, &r.Prev, &r.Hash)
	if err != nil {
		t.Fatal(err)
	}
	r.At = time.UnixMilli(at)
	return r
}

// rewritten changes a row and makes its own hash right again.
func rewritten(t *testing.T, db *sql.DB, seq int64, change func(*disclosure.AuditRow)) string {
	t.Helper()
	r := auditRow(t, db, seq)
	change(&r)
	return fmt.Sprintf(`UPDATE audit SET actor = '%s', hash = '%s' WHERE seq = %d`, r.Actor, disclosure.AuditHash(r), seq)
}

// appended adds a row that fits the last one.
func appended(t *testing.T, db *sql.DB, last int64) string {
	t.Helper()
	r := auditRow(t, db, last)
	r.Seq, r.Prev = last+1, r.Hash
	return fmt.Sprintf(`INSERT INTO audit SELECT %d, at, actor, role, token, action, subject, id, rev, digest, detail, '%s', '%s' FROM audit WHERE seq = %d`,
		r.Seq, r.Prev, disclosure.AuditHash(r), last)
}

// TestAuditPages: the trail is read newest first, each row once, of all subjects
// or of one.
func TestAuditPages(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store, _ string) {
		n := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "land.transfer_notice", "出让公告"), storetest.Start)
		total, err := s.VerifyAudit(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		next := total
		for before := total + 1; before > 1; {
			page, err := s.Audit(context.Background(), "", before, 7)
			if err != nil {
				t.Fatal(err)
			}
			if int64(page.Total) != total || page.TotalCapped || len(page.Items) == 0 {
				t.Fatalf("page below %d: %d of %d rows, capped %t", before, len(page.Items), page.Total, page.TotalCapped)
			}
			for _, r := range page.Items {
				if r.Seq != next || disclosure.AuditHash(r) != r.Hash {
					t.Fatalf("row %d where %d was due", r.Seq, next)
				}
				next--
			}
			before = page.Items[len(page.Items)-1].Seq
		}
		page, err := s.Audit(context.Background(), n.ID, total+1, 100)
		if err != nil || len(page.Items) != 2 || page.Items[0].Action != "publish" || page.Items[1].Action != "create" || page.Total != 2 {
			t.Errorf("trail of one notice = %+v, %v", page, err)
		}
	})
}
