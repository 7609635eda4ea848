package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
)

func definitions(ctx context.Context, q querier, kind disclosure.DefinitionKind, id string) ([]disclosure.Definition, error) {
	return all(ctx, q, scanDefinition, `
		SELECT kind, id, version, doc, builtin, at, by_name, reason
		  FROM definition
		 WHERE ($1 = '' OR kind = $2) AND ($3 = '' OR id = $4)
		 ORDER BY kind, id, version`, kind, kind, id, id)
}

func scanDefinition(rows *sql.Rows) (disclosure.Definition, error) {
	var d disclosure.Definition
	var doc string
	var builtin, at int64
	err := rows.Scan(&d.Kind, &d.ID, &d.Version, &doc, &builtin, &at, &d.By, &d.Reason)
	d.Doc, d.Builtin, d.At = []byte(doc), builtin == 1, disclosure.FromMilliseconds(at)
	return d, err
}

// Definitions returns every version of the definition with the id, oldest
// first, or of all definitions of the kind for "".
func (s *Store) Definitions(ctx context.Context, kind disclosure.DefinitionKind, id string) ([]disclosure.Definition, error) {
	defs, err := definitions(ctx, s.r, kind, id)
	if err != nil {
		return nil, fmt.Errorf("store: definitions: %w", fault(err))
	}
	return defs, nil
}

// Define writes new versions of definitions, in one transaction with their
// audit lines and one change of the feed each. A version that exists already is
// CodeStale: somebody else changed the definition first.
func (s *Store) Define(ctx context.Context, a disclosure.Actor, defs ...disclosure.Definition) error {
	return s.write(ctx, "define", func(tx *sql.Tx) error {
		rows := make([]disclosure.AuditRow, len(defs))
		for i, d := range defs {
			_, err := tx.ExecContext(ctx, `
				INSERT INTO definition (kind, id, version, doc, builtin, at, by_name, reason)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
				d.Kind, d.ID, d.Version, string(d.Doc), flag(d.Builtin), d.At.UnixMilli(), d.By, d.Reason)
			if isDuplicate(err) {
				return disclosure.Errorf(disclosure.CodeStale, "“%s”已被他人修改，请刷新后重试", d.ID)
			}
			if err != nil {
				return err
			}
			rows[i] = disclosure.AuditRow{At: d.At, Actor: a.Name, Role: a.Role, Token: a.Token, Action: "define",
				Subject: string(d.Kind), ID: d.ID, Rev: d.Version, Digest: disclosure.Digest(string(d.Doc))}
		}
		counted, err := s.recountFor(ctx, tx, a, defs)
		if err != nil {
			return err
		}
		rows = append(rows, counted...)
		h, err := s.lockHead(ctx, tx, int64(len(defs)), int64(len(rows)), true)
		if err != nil {
			return err
		}
		for i, d := range defs {
			if _, err := tx.ExecContext(ctx, `INSERT INTO feed (seq, kind, notice_id, rev, at) VALUES ($1, 'catalog', NULL, $2, $3)`,
				h.seq-int64(len(defs)-1-i), d.Version, d.At.UnixMilli()); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, h, rows)
	})
}

// recountFor counts deadlines again when the definitions change how they are
// counted: in the same transaction, so that nobody reads the one without the
// other. What the binary ships moves only what was provisional.
func (s *Store) recountFor(ctx context.Context, tx *sql.Tx, by disclosure.Actor, defs []disclosure.Definition) ([]disclosure.AuditRow, error) {
	i := slices.IndexFunc(defs, func(d disclosure.Definition) bool {
		return d.Kind == disclosure.KindYear || d.Kind == disclosure.KindRule
	})
	if i < 0 {
		return nil, nil
	}
	if _, err := s.lockHead(ctx, tx, 0, 0, false); err != nil { // publications wait from here on
		return nil, err
	}
	stored, err := definitions(ctx, tx, "", "")
	if err != nil {
		return nil, err
	}
	a := &applier{Store: s, tx: tx}
	if a.at.Catalog, err = disclosure.NewCatalog(stored); err != nil {
		return nil, err
	}
	since := defs[i].At
	if defs[i].Builtin {
		since = time.Time{}
	}
	return a.recount(ctx, disclosure.AuditRow{At: defs[i].At, Actor: by.Name, Role: by.Role, Token: by.Token}, since)
}

// loadBuiltin brings the definitions shipped with this binary into the store:
// new ones, and new texts of those the district has not edited.
func (s *Store) loadBuiltin(ctx context.Context) error {
	if _, err := s.w.ExecContext(ctx, `UPDATE feed_head SET epoch = $1 WHERE id = 1 AND epoch = ''`, uuid.NewString()); err != nil {
		return fmt.Errorf("store: epoch: %w", fault(err))
	}
	shipped, err := disclosure.Builtin()
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	stored, err := s.Definitions(ctx, "", "")
	if err != nil {
		return err
	}
	type key struct {
		kind disclosure.DefinitionKind
		id   string
	}
	current := map[key]disclosure.Definition{}
	for _, d := range stored { // in order of version: the newest stays
		current[key{d.Kind, d.ID}] = d
	}
	var changed []disclosure.Definition
	for _, d := range shipped {
		have, ok := current[key{d.Kind, d.ID}]
		if ok && (!have.Builtin || string(have.Doc) == string(d.Doc)) {
			continue
		}
		d.Version = have.Version + 1
		changed = append(changed, d)
	}
	if len(changed) > 0 {
		err := s.Define(ctx, disclosure.System, changed...)
		if err != nil && !isStale(err) { // another instance started first and loaded them
			return err
		}
	}
	_, err = s.Head(ctx)
	return err
}
