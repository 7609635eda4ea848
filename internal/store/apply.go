package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Apply commits transitions in one transaction and returns the notices as they
// now stand, codes and positions filled in. receipt may be nil.
//
// It returns CodeStale when a notice is no longer where its transition expects
// it, CodeSamePerson when a contributor is the reviewer, and CodeIdemClash when
// the receipt's key is taken.
func (s *Store) Apply(ctx context.Context, receipt *disclosure.Receipt, ts ...disclosure.Transition) ([]disclosure.Notice, error) {
	notices := make([]disclosure.Notice, len(ts))
	err := s.write(ctx, "apply", func(tx *sql.Tx) error {
		if receipt != nil {
			if err := keepReceipt(ctx, tx, *receipt, ts[0].Notice.ID, ts[0].At); err != nil {
				return err
			}
		}
		if err := s.applyAll(ctx, tx, ts); err != nil {
			return err
		}
		for i := range ts {
			notices[i] = ts[i].Notice
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return notices, s.forget(ctx, ts)
}

// applyAll writes the transitions in the transaction and fills in codes and
// positions.
func (s *Store) applyAll(ctx context.Context, tx *sql.Tx, ts []disclosure.Transition) error {
	a := &applier{Store: s, tx: tx, codes: map[string]string{}, before: map[string]disclosure.Content{}}
	var err error
	if a.at, err = s.reading(ctx, tx); err != nil {
		return err
	}
	for i := range ts {
		if err := a.apply(ctx, &ts[i]); err != nil {
			return err
		}
	}
	return a.publish(ctx, ts)
}

func keepReceipt(ctx context.Context, tx *sql.Tx, r disclosure.Receipt, notice string, at time.Time) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM receipt WHERE at < $1`, receiptsFrom(at)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO receipt (token, key, request, notice_id, at)
		VALUES ($1, $2, $3, $4, $5)`, r.Token, r.Key, r.Request, notice, at.UnixMilli())
	if isDuplicate(err) {
		return errors.Join(disclosure.Errorf(disclosure.CodeIdemClash, "这个 Idempotency-Key 已经用过"), err)
	}
	return err
}

// FindReceipt returns the request hash and the notice that an idempotency key
// was used for; found is false for a key not used in the seven days before now.
func (s *Store) FindReceipt(ctx context.Context, token, key string, now time.Time) (request, notice string, found bool, err error) {
	err = s.w.QueryRowContext(ctx, `SELECT request, notice_id FROM receipt WHERE token = $1 AND key = $2 AND at >= $3`,
		token, key, receiptsFrom(now)).Scan(&request, &notice)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", false, nil
	}
	if err != nil {
		return "", "", false, fmt.Errorf("store: receipt: %w", fault(err))
	}
	return request, notice, true, nil
}

// receiptsFrom is the instant from which receipts are kept.
func receiptsFrom(now time.Time) int64 { return now.AddDate(0, 0, -7).UnixMilli() }

// applier writes the transitions of one transaction.
type applier struct {
	*Store
	tx    *sql.Tx
	at    disclosure.Reading
	codes map[string]string // of the notices created so far, by id

	before map[string]disclosure.Content // the public content of the notices it corrects
	purged map[string]int64              // what an erasure took away, by place
}

// apply writes everything of one transition that needs no feed position.
func (a *applier) apply(ctx context.Context, t *disclosure.Transition) error {
	if code, ok := a.codes[t.Notice.ID]; ok { // created by an earlier transition of this transaction
		t.Notice.Code = code
	}
	switch t.Action {
	case disclosure.ActionDelete:
		a.gone("draft", 1)
		return a.delete(ctx, t)
	case disclosure.ActionCreate:
		if err := a.insert(ctx, t); err != nil {
			return err
		}
	default:
		if err := a.rememberContent(ctx, t); err != nil {
			return err
		}
		if err := a.update(ctx, t); err != nil {
			return err
		}
	}
	if err := a.contribute(ctx, t); err != nil {
		return err
	}
	if t.NewContent {
		if err := a.revise(ctx, t); err != nil {
			return err
		}
	}
	if err := a.keepLookups(ctx, t); err != nil {
		return err
	}
	if t.Action == disclosure.ActionErase {
		if err := a.erase(ctx, t); err != nil {
			return err
		}
	}
	_, err := a.tx.ExecContext(ctx, `
		INSERT INTO step (notice_id, n, action, at, by_name, comment, rev)
		SELECT $1, count(*) + 1, $2, $3, $4, $5, $6
		  FROM step
		 WHERE notice_id = $7`,
		t.Notice.ID, t.Action, t.At.UnixMilli(), t.Actor.Name, t.Comment, t.Notice.Rev, t.Notice.ID)
	return err
}

func (a *applier) insert(ctx context.Context, t *disclosure.Transition) error {
	var n int64
	if err := a.tx.QueryRowContext(ctx, `UPDATE code_counter SET n = n + 1 WHERE id = 1 RETURNING n`).Scan(&n); err != nil {
		return err
	}
	t.Notice.Code = disclosure.NoticeCode(n)
	a.codes[t.Notice.ID] = t.Notice.Code
	cols, err := a.columns(&t.Notice)
	if err != nil {
		return err
	}
	_, err = a.tx.ExecContext(ctx, `
		INSERT INTO notice (rev, content_rev, status, public, type, type_version, sector, body, title, summary,
		       source_name, source_url, project_code, project_key, region, relations, deadline_at, amount,
		       reviewer, secrecy_result, secrecy_reason, secrecy_at, updated_at, publish_at, published_at,
		       withdrawn_at, reason, erased, superseded_by, base_rev, id, code, author, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
		       $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)`,
		append(cols, t.Notice.ID, t.Notice.Code, t.Notice.Author, t.Notice.CreatedAt.UnixMilli())...)
	return err
}

func (a *applier) update(ctx context.Context, t *disclosure.Transition) error {
	cols, err := a.columns(&t.Notice)
	if err != nil {
		return err
	}
	res, err := a.tx.ExecContext(ctx, `
		UPDATE notice
		   SET rev = $1, content_rev = CASE WHEN $2 = 0 THEN content_rev ELSE $3 END, status = $4, public = $5,
		       type = $6, type_version = $7, sector = $8, body = $9, title = $10, summary = $11,
		       source_name = $12, source_url = $13, project_code = $14, project_key = $15, region = $16,
		       relations = $17, deadline_at = $18, amount = $19, reviewer = $20, secrecy_result = $21,
		       secrecy_reason = $22, secrecy_at = $23, updated_at = $24, publish_at = $25, published_at = $26,
		       withdrawn_at = $27, reason = $28, erased = $29, superseded_by = $30, base_rev = $31,
		       seq = CASE WHEN $32 = 0 THEN seq ELSE $33 END
		 WHERE id = $34 AND rev = $35 AND status = $36`,
		slices.Concat([]any{cols[0], flag(t.NewContent)}, cols[1:],
			[]any{flag(t.Action == disclosure.ActionPublish), placeholderSeq(t.Notice.Code), t.Notice.ID, t.From.Rev, t.From.Status})...)
	if err != nil {
		return err
	}
	return expectOne(res, t)
}

// placeholderSeq stands in for the publishing position, which is known only
// once the feed is locked: negative, so it can meet no real one.
func placeholderSeq(code string) int64 {
	var n int64
	for i := range len(code) {
		n = n*10 + int64(code[i]-'0')
	}
	return -n
}

func expectOne(res sql.Result, t *disclosure.Transition) error {
	n, err := res.RowsAffected()
	if err != nil || n == 1 {
		return err
	}
	return disclosure.Errorf(disclosure.CodeStale, "公告 %s 已被他人修改，请刷新后重试", t.Notice.Code)
}

// columns returns the values of the columns a transition may change, in the
// order of the statements above.
func (a *applier) columns(n *disclosure.Notice) ([]any, error) {
	t, err := a.at.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return nil, err
	}
	var amount any
	if m, ok := n.Amount(t); ok {
		amount = int64(m)
	}
	var reviewer any
	if n.Reviewer != "" {
		reviewer = n.Reviewer
	}
	return []any{n.Rev, n.Rev, n.Status, flag(n.Status.Public()), n.Type, n.TypeVersion, n.SectorCode(), n.Body,
		n.Title, n.Abstract(t), n.Source.Name, n.Source.URL, n.ProjectCode(), disclosure.ProjectKey(n.ProjectCode()),
		n.Region, jsonText(n.Relations), disclosure.Milliseconds(n.DeadlineAt(t)), amount, reviewer,
		n.Secrecy.Result, n.Secrecy.Reason, disclosure.Milliseconds(n.Secrecy.At), n.UpdatedAt.UnixMilli(),
		disclosure.Milliseconds(n.PublishAt), disclosure.Milliseconds(n.PublishedAt),
		disclosure.Milliseconds(n.WithdrawnAt), n.Reason, flag(n.Erased), n.SupersededBy, n.BaseRev}, nil
}

func (a *applier) delete(ctx context.Context, t *disclosure.Transition) error {
	res, err := a.tx.ExecContext(ctx, `DELETE FROM notice WHERE id = $1 AND rev = $2 AND status = $3`,
		t.Notice.ID, t.From.Rev, t.From.Status)
	if err != nil {
		return err
	}
	return expectOne(res, t)
}

func (a *applier) contribute(ctx context.Context, t *disclosure.Transition) error {
	if t.Action != disclosure.ActionCreate && t.Action != disclosure.ActionEdit {
		return nil
	}
	_, err := a.tx.ExecContext(ctx, `
		INSERT INTO contributor (notice_id, name)
		VALUES ($1, $2)
		    ON CONFLICT DO NOTHING`, t.Notice.ID, t.Actor.Name)
	return err
}

// revise writes the revision the notice is at, with its relations and files.
// The drafts behind a notice whose type masks, or which may carry changes to one
// that does, are erased on publication: what they held is not for keeping.
func (a *applier) revise(ctx context.Context, t *disclosure.Transition) error {
	n := &t.Notice
	doc, err := json.Marshal(n.Content)
	if err != nil {
		return err
	}
	sum, err := n.ContentSHA256()
	if err != nil {
		return err
	}
	public := t.Feed != "" && n.Status.Public()
	cause := ""
	if t.Action == disclosure.ActionCorrect || t.Action == disclosure.ActionTerminate {
		cause = n.SupersededBy
	}
	if _, err := a.tx.ExecContext(ctx, `
		INSERT INTO revision (notice_id, rev, public, status, at, cause, cause_id, content_sha256, doc)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		    ON CONFLICT (notice_id, rev) DO UPDATE
		   SET public = excluded.public, status = excluded.status, at = excluded.at, cause = excluded.cause,
		       content_sha256 = excluded.content_sha256, doc = excluded.doc`,
		n.ID, n.Rev, flag(public), n.Status, t.At.UnixMilli(), t.Action, cause, sum, string(doc)); err != nil {
		return err
	}
	typ, err := a.at.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return err
	}
	if amends, _ := n.Amends(); t.Action == disclosure.ActionPublish && (typ.Masks() || amends != "") {
		if _, err := a.tx.ExecContext(ctx, `UPDATE revision SET doc = NULL WHERE notice_id = $1 AND rev < $2`, n.ID, n.Rev); err != nil {
			return err
		}
	}
	if err := a.relate(ctx, n); err != nil {
		return err
	}
	return a.attach(ctx, n, public)
}

func (a *applier) relate(ctx context.Context, n *disclosure.Notice) error {
	if _, err := a.tx.ExecContext(ctx, `DELETE FROM relation WHERE notice_id = $1`, n.ID); err != nil {
		return err
	}
	for _, r := range n.Relations {
		if _, err := a.tx.ExecContext(ctx, `
			INSERT INTO relation (notice_id, type, other_id)
			VALUES ($1, $2, $3)
			    ON CONFLICT DO NOTHING`, n.ID, r.Type, r.ID); err != nil {
			return err
		}
	}
	return nil
}

// attach links the files of the content. Files of earlier public revisions stay
// linked: the revisions can still be read.
func (a *applier) attach(ctx context.Context, n *disclosure.Notice, public bool) error {
	if _, err := a.tx.ExecContext(ctx, `DELETE FROM notice_file WHERE notice_id = $1 AND public = 0`, n.ID); err != nil {
		return err
	}
	for _, f := range n.Attachments {
		if _, err := a.tx.ExecContext(ctx, `
			INSERT INTO notice_file (notice_id, sha256, name, public)
			VALUES ($1, $2, $3, $4)
			    ON CONFLICT (notice_id, sha256) DO UPDATE
			   SET name = excluded.name, public = excluded.public`, n.ID, f.SHA256, f.Name, flag(public)); err != nil {
			return err
		}
	}
	return nil
}

// publish takes the lock on the feed, last of all, and writes what depends on
// the position: the search index, the catalogue items, feed and audit rows.
func (a *applier) publish(ctx context.Context, ts []disclosure.Transition) error {
	var changes int64
	for i := range ts {
		if ts[i].Feed != "" {
			changes++
		}
	}
	head, err := a.lockHead(ctx, a.tx, changes, int64(len(ts)), false)
	if err != nil {
		return err
	}
	// Under the lock no rule or year of the calendar changes any more.
	if a.at, err = a.reading(ctx, a.tx); err != nil {
		return err
	}
	seq := head.seq - changes
	for i := range ts {
		t := &ts[i]
		if t.Feed == "" {
			continue
		}
		seq++
		if t.Action == disclosure.ActionPublish {
			t.Notice.Seq = seq
			if _, err := a.tx.ExecContext(ctx, `UPDATE notice SET seq = $1 WHERE id = $2`, seq, t.Notice.ID); err != nil {
				return err
			}
		}
		if err := a.index(ctx, &t.Notice, t.Action == disclosure.ActionPublish); err != nil {
			return err
		}
		if _, err := a.tx.ExecContext(ctx, `INSERT INTO feed (seq, kind, notice_id, rev, at) VALUES ($1, $2, $3, $4, $5)`,
			seq, t.Feed, t.Notice.ID, t.Notice.Rev, t.At.UnixMilli()); err != nil {
			return err
		}
		if err := a.outbox(ctx, t); err != nil {
			return err
		}
	}
	if err := a.writeReceipt(ctx, ts); err != nil {
		return err
	}
	rows := make([]disclosure.AuditRow, len(ts))
	for i := range ts {
		if rows[i], err = auditRow(&ts[i]); err != nil {
			return err
		}
	}
	return a.audit(ctx, a.tx, head, rows)
}

func auditRow(t *disclosure.Transition) (disclosure.AuditRow, error) {
	sum, err := t.Notice.ContentSHA256()
	if err != nil {
		return disclosure.AuditRow{}, err
	}
	detail := string(t.From.Status) + "→" + string(t.Notice.Status)
	if t.Comment != "" {
		detail += " comment:" + disclosure.Digest(t.Comment)
	}
	return disclosure.AuditRow{At: t.At, Actor: t.Actor.Name, Role: t.Actor.Role, Token: t.Actor.Token, Action: string(t.Action),
		Subject: "notice", ID: t.Notice.ID, Rev: t.Notice.Rev, Digest: sum, Detail: detail}, nil
}

// index makes the search and the counts agree with the notice: in them while
// public, not after.
func (a *applier) index(ctx context.Context, n *disclosure.Notice, first bool) error {
	if !first {
		if err := a.unindex(ctx, n); err != nil {
			return err
		}
	}
	if !n.Status.Public() {
		return nil
	}
	typ, err := a.at.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return err
	}
	doc := n.SearchDocument(typ, a.at.Catalog.BodyName(n.Body))
	if _, err := a.tx.ExecContext(ctx, a.d.indexInsert, n.Seq, a.d.indexDoc(doc.Tokens)); err != nil {
		return err
	}
	if _, err := a.tx.ExecContext(ctx, `INSERT INTO search_text (seq, title, text) VALUES ($1, $2, $3)`, n.Seq, doc.Title, doc.Text); err != nil {
		return err
	}
	for _, item := range n.Items {
		if _, err := a.tx.ExecContext(ctx, `INSERT INTO notice_item (item, seq) VALUES ($1, $2)`, item, n.Seq); err != nil {
			return err
		}
	}
	if err := a.count(ctx, n, n.Items, 1); err != nil {
		return err
	}
	return a.derive(ctx, n)
}

func (a *applier) unindex(ctx context.Context, n *disclosure.Notice) error {
	items, err := all(ctx, a.tx, scanText, `DELETE FROM notice_item WHERE seq = $1 RETURNING item`, n.Seq)
	if err != nil {
		return err
	}
	res, err := a.tx.ExecContext(ctx, `DELETE FROM search_text WHERE seq = $1`, n.Seq)
	if err != nil {
		return err
	}
	if had, err := res.RowsAffected(); err != nil || had == 0 { // withdrawn before, and now erased
		return err
	}
	a.gone("search", 1)
	a.gone("item", int64(len(items)))
	if _, err := a.tx.ExecContext(ctx, a.d.indexDelete, n.Seq); err != nil {
		return err
	}
	if err := a.count(ctx, n, items, -1); err != nil {
		return err
	}
	return a.underive(ctx, n, items)
}

// count adds delta to the tallies of the notice's sector and type and of the items.
func (a *applier) count(ctx context.Context, n *disclosure.Notice, items []string, delta int) error {
	scopes := []string{scopeSector + n.SectorCode(), scopeType + n.Type}
	for _, item := range items {
		scopes = append(scopes, scopeItem+item)
	}
	for _, scope := range scopes {
		for _, day := range []string{everyDay, workday.DateOf(n.PublishedAt).String()} {
			if _, err := a.tx.ExecContext(ctx, `
				INSERT INTO tally (day, scope, n)
				VALUES ($1, $2, $3)
				    ON CONFLICT (day, scope) DO UPDATE
				   SET n = tally.n + excluded.n`, day, scope, delta); err != nil {
				return err
			}
		}
	}
	return nil
}

// The scopes of tallies, and the day under which all days are counted.
const (
	scopeSector = "s:"
	scopeItem   = "i:"
	scopeType   = "t:"
	everyDay    = ""
)

// newest is above every position.
const newest = math.MaxInt64
