package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

const noticeColumns = `n.id, n.code, n.rev, n.status, r.doc, r.content_sha256, n.author, n.reviewer, n.secrecy_result,
	n.secrecy_reason, n.secrecy_at, n.created_at, n.updated_at, n.publish_at, n.published_at, n.withdrawn_at, n.reason,
	n.erased, n.seq, n.superseded_by, n.base_rev`

const noticeTables = `notice n JOIN revision r ON r.notice_id = n.id AND r.rev = n.content_rev`

type storedNotice struct {
	disclosure.Notice
	sha256 string
}

func scanNotice(scan func(...any) error) (storedNotice, error) {
	var n storedNotice
	var doc, reviewer sql.NullString
	var seq sql.NullInt64
	var secrecyAt, created, updated, publishAt, published, withdrawn, erased int64
	err := scan(&n.ID, &n.Code, &n.Rev, &n.Status, &doc, &n.sha256, &n.Author, &reviewer, &n.Secrecy.Result,
		&n.Secrecy.Reason, &secrecyAt, &created, &updated, &publishAt, &published, &withdrawn, &n.Reason, &erased, &seq,
		&n.SupersededBy, &n.BaseRev)
	if err != nil {
		return n, err
	}
	n.Reviewer, n.Seq, n.Erased = reviewer.String, seq.Int64, erased == 1
	if secrecyAt != 0 {
		n.Secrecy.By, n.Secrecy.At = n.Reviewer, disclosure.FromMilliseconds(secrecyAt)
	}
	n.CreatedAt, n.UpdatedAt = disclosure.FromMilliseconds(created), disclosure.FromMilliseconds(updated)
	n.PublishAt, n.PublishedAt = disclosure.FromMilliseconds(publishAt), disclosure.FromMilliseconds(published)
	n.WithdrawnAt = disclosure.FromMilliseconds(withdrawn)
	n.Content, err = decodeContent(doc.String)
	return n, err
}

// decodeContent reads a revision's document; numbers keep their digits.
func decodeContent(doc string) (disclosure.Content, error) {
	var c disclosure.Content
	if doc == "" { // erased
		return c, nil
	}
	return disclosure.DecodeContent([]byte(doc))
}

// where names the notice in a query: by id or by code.
func where(ref disclosure.NoticeRef) (condition string, arg any) {
	if ref.ID != "" {
		return "n.id = $1", ref.ID
	}
	return "n.code = $1", ref.Code
}

func missing(ref disclosure.NoticeRef) error {
	return disclosure.Errorf(disclosure.CodeNotFound, "没有找到公告 %s", ref)
}

// Notice returns a public notice in full. A withdrawn one is CodeWithdrawn with
// the reason and the date, any other CodeNotFound.
func (s *Store) Notice(ctx context.Context, ref disclosure.NoticeRef) (disclosure.NoticeDetail, error) {
	var d disclosure.NoticeDetail
	err := s.read(ctx, "notice", func(v *snapshot) error {
		n, err := v.public(ctx, ref)
		if err != nil {
			return err
		}
		d = disclosure.NoticeDetail{Reading: v.at, Notice: n.Notice, ContentSHA256: n.sha256}
		if d.Links, err = v.links(ctx, n.ID); err != nil {
			return err
		}
		if d.Deadlines, err = deadlinesOf(ctx, v, n.ID); err != nil {
			return err
		}
		if d.Timeliness, err = timelinessOf(ctx, v, n.ID); err != nil {
			return err
		}
		return v.QueryRowContext(ctx, `SELECT count(*) FROM revision WHERE notice_id = $1 AND public = 1`, n.ID).Scan(&d.Revisions)
	})
	return d, err
}

func (v *snapshot) public(ctx context.Context, ref disclosure.NoticeRef) (storedNotice, error) {
	n, err := v.find(ctx, ref)
	if err == nil {
		err = publicOrGone(n.Notice, ref)
	}
	return n, err
}

func (v *snapshot) find(ctx context.Context, ref disclosure.NoticeRef) (storedNotice, error) {
	condition, arg := where(ref)
	n, err := scanNotice(v.QueryRowContext(ctx, `SELECT `+noticeColumns+` FROM `+noticeTables+` WHERE `+condition, arg).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = missing(ref)
	}
	return n, err
}

func publicOrGone(n disclosure.Notice, ref disclosure.NoticeRef) error {
	switch {
	case n.Status.Public():
		return nil
	case n.Status == disclosure.StatusWithdrawn:
		return disclosure.Errorf(disclosure.CodeWithdrawn, "这条公告已于%s撤回，原因：%s",
			n.WithdrawnAt.Format("2006年1月2日 15:04"), n.Reason)
	}
	return missing(ref)
}

// links returns the public notices related to the notice, in either direction.
func (v *snapshot) links(ctx context.Context, id string) ([]disclosure.Linked, error) {
	return all(ctx, v, func(rows *sql.Rows) (disclosure.Linked, error) {
		var l disclosure.Linked
		var outward, seq int64 // seq is selected to sort by
		err := rows.Scan(&l.Type, &outward, &l.ID, &l.Code, &l.Title, &seq)
		if outward == 0 {
			l.Type = l.Type.Inverse()
		}
		return l, err
	}, `
		SELECT r.type, 1, n.id, n.code, n.title, n.seq
		  FROM relation r
		  JOIN notice n ON n.id = r.other_id
		 WHERE r.notice_id = $1 AND n.public = 1
		 UNION ALL
		SELECT r.type, 0, n.id, n.code, n.title, n.seq
		  FROM relation r
		  JOIN notice n ON n.id = r.notice_id
		 WHERE r.other_id = $2 AND n.public = 1
		 ORDER BY 6
		 LIMIT 100`, id, id)
}

// Status returns the head of a notice that is or was public: its revision and
// status, and the code of what superseded it. It is one lookup, without content.
func (s *Store) Status(ctx context.Context, ref disclosure.NoticeRef) (disclosure.NoticeHead, error) {
	var h disclosure.NoticeHead
	condition, arg := where(ref)
	err := one(s.r.QueryRowContext(ctx, `
		SELECT n.rev, n.status, COALESCE(o.code, '')
		  FROM notice n
		  LEFT JOIN notice o ON o.id = n.superseded_by AND o.public = 1
		 WHERE `+condition+` AND n.seq IS NOT NULL`, arg), missing(ref), &h.Rev, &h.Status, &h.SupersededBy)
	if err != nil {
		return h, fmt.Errorf("store: status: %w", fault(err))
	}
	return h, nil
}

const revisionColumns = `r.rev, r.status, r.at, r.cause, COALESCE(c.code, ''), r.content_sha256`

const revisionTables = `revision r LEFT JOIN notice c ON c.id = r.cause_id`

// Revisions lists the public revisions of a public notice, newest first, without
// their contents. Errors as of Notice.
func (s *Store) Revisions(ctx context.Context, ref disclosure.NoticeRef) (disclosure.RevisionPage, error) {
	var page disclosure.RevisionPage
	err := s.read(ctx, "revisions", func(v *snapshot) error {
		n, err := v.summary(ctx, ref)
		if err != nil {
			return err
		}
		page = disclosure.RevisionPage{Reading: v.at, Notice: n}
		page.Revisions, err = all(ctx, v, func(rows *sql.Rows) (disclosure.Revision, error) {
			return scanRevision(rows.Scan)
		}, `
			SELECT `+revisionColumns+`
			  FROM `+revisionTables+`
			 WHERE r.notice_id = $1 AND r.public = 1
			 ORDER BY r.rev DESC
			 LIMIT 1000`, n.ID)
		return err
	})
	return page, err
}

func scanRevision(scan func(...any) error, more ...any) (disclosure.Revision, error) {
	var r disclosure.Revision
	var at int64
	err := scan(append([]any{&r.Rev, &r.Status, &at, &r.Cause, &r.CauseCode, &r.ContentSHA256}, more...)...)
	r.At = disclosure.FromMilliseconds(at)
	return r, err
}

// summary returns the list row of a public notice. Errors as of Notice.
func (v *snapshot) summary(ctx context.Context, ref disclosure.NoticeRef) (disclosure.Summary, error) {
	n, err := v.public(ctx, ref)
	if err != nil {
		return disclosure.Summary{}, err
	}
	return readSummary(v.QueryRowContext(ctx, `SELECT `+summaryColumns+` FROM notice n WHERE n.id = $1`, n.ID).Scan)
}

// Revision returns one public revision of a public notice with its content, as
// the only entry of the page. Errors as of Notice; an unknown revision is
// CodeNotFound.
func (s *Store) Revision(ctx context.Context, ref disclosure.NoticeRef, rev int) (disclosure.RevisionPage, error) {
	var page disclosure.RevisionPage
	err := s.read(ctx, "revision", func(v *snapshot) error {
		n, err := v.summary(ctx, ref)
		if err != nil {
			return err
		}
		var doc sql.NullString
		r, err := scanRevision(v.QueryRowContext(ctx, `
			SELECT `+revisionColumns+`, r.doc
			  FROM `+revisionTables+`
			 WHERE r.notice_id = $1 AND r.rev = $2 AND r.public = 1`, n.ID, rev).Scan, &doc)
		if errors.Is(err, sql.ErrNoRows) {
			return disclosure.Errorf(disclosure.CodeNotFound, "公告 %s 没有公开过第 %d 版", ref, rev)
		}
		if err != nil {
			return err
		}
		r.Content, err = decodeContent(doc.String)
		page = disclosure.RevisionPage{Reading: v.at, Notice: n, Revisions: []disclosure.Revision{r}}
		return err
	})
	return page, err
}

// Project returns a project with its public notices, oldest first, by its code or
// one of its tenders, sections or investment. A project that no public notice
// names is CodeNoProject, a code of several CodeAmbiguous.
func (s *Store) Project(ctx context.Context, code string) (disclosure.ProjectTimeline, error) {
	var p disclosure.ProjectTimeline
	err := s.read(ctx, "project", func(v *snapshot) error {
		key, err := v.projectKey(ctx, code)
		if err != nil {
			return err
		}
		p.Reading = v.at
		p.Notices, err = all(ctx, v, scanSummary, `
			SELECT `+summaryColumns+`
			  FROM notice n
			 WHERE n.public = 1 AND n.project_key = $1
			 ORDER BY n.seq
			 LIMIT 1000`, key)
		if err != nil {
			return err
		}
		if len(p.Notices) == 0 {
			return noProject(key)
		}
		var doc sql.NullString
		if err := v.QueryRowContext(ctx, `SELECT r.doc FROM `+noticeTables+` WHERE n.id = $1`, p.Notices[len(p.Notices)-1].ID).Scan(&doc); err != nil {
			return err
		}
		c, err := decodeContent(doc.String)
		if err != nil {
			return err
		}
		if c.Project != nil {
			p.Project = *c.Project
		}
		return v.projectDetails(ctx, &p, key)
	})
	return p, err
}

// Overview counts the public notices by sector and by catalogue item; those of
// the day since and later are counted as recent.
func (s *Store) Overview(ctx context.Context, since workday.Date) (disclosure.Overview, error) {
	o := newOverview()
	err := s.read(ctx, "overview", func(v *snapshot) error { return v.overview(ctx, &o, since) })
	return o, err
}

// Archive counts the public notices of a sector, or of all when it is "", by the
// day of publication; typ narrows the periods to one type.
func (s *Store) Archive(ctx context.Context, sector, typ string) (disclosure.Archive, error) {
	var a disclosure.Archive
	from, to := scopeType, "t;" // what follows the colon
	if sector != "" {
		from, to = scopeType+sector+".", scopeType+sector+"/" // likewise the full stop of type codes
	}
	err := s.read(ctx, "archive", func(v *snapshot) error {
		days, err := all(ctx, v, scanDayCount, `
			SELECT substr(scope, 3), day, n
			  FROM tally
			 WHERE scope >= $1 AND scope < $2 AND day <> '' AND n > 0`, from, to)
		a = disclosure.NewArchive(days, typ)
		a.Reading = v.at
		return err
	})
	return a, err
}

func scanDayCount(rows *sql.Rows) (disclosure.DayCount, error) {
	var d disclosure.DayCount
	var day string
	err := rows.Scan(&d.Type, &day, &d.Count)
	if err == nil {
		d.Day, err = workday.ParseDate(day)
	}
	return d, err
}

func (v *snapshot) tallies(ctx context.Context, o *disclosure.Overview, since workday.Date) error {
	rows, err := v.QueryContext(ctx, `
		SELECT scope, sum(CASE WHEN day = '' THEN n ELSE 0 END), sum(CASE WHEN day = '' THEN 0 ELSE n END)
		  FROM tally
		 WHERE (day = '' OR day >= $1) AND scope < 't:'
		 GROUP BY scope`, since.String())
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var scope string
		var all, recent int
		if err := rows.Scan(&scope, &all, &recent); err != nil {
			return err
		}
		if item, ok := strings.CutPrefix(scope, scopeItem); ok {
			o.Items[item] = disclosure.ItemCount{Published: all}
		} else {
			o.Sectors[strings.TrimPrefix(scope, scopeSector)] = disclosure.SectorCount{Published: all, Last30Days: recent}
		}
	}
	return rows.Err()
}

// newestOfSectors asks for the newest notice of each sector, one lookup each.
func (v *snapshot) newestOfSectors(ctx context.Context, o *disclosure.Overview) error {
	for sector, c := range o.Sectors {
		newest, err := all(ctx, v, scanSummary, `
			SELECT `+summaryColumns+`
			  FROM notice n
			 WHERE n.public = 1 AND n.sector = $1
			 ORDER BY n.seq DESC
			 LIMIT 1`, sector)
		if err != nil {
			return err
		}
		if len(newest) == 1 {
			c.Newest, c.LastAt = &newest[0], newest[0].PublishedAt
			o.Sectors[sector] = c
		}
	}
	return nil
}

func (v *snapshot) newestOfItems(ctx context.Context, o *disclosure.Overview) error {
	rows, err := v.QueryContext(ctx, `
		SELECT t.scope, n.published_at
		  FROM tally t
		  JOIN notice n ON n.seq = (SELECT max(i.seq) FROM notice_item i WHERE i.item = substr(t.scope, 3))
		 WHERE t.day = '' AND t.scope >= 'i:' AND t.scope < 'i;'`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var scope string
		var at int64
		if err := rows.Scan(&scope, &at); err != nil {
			return err
		}
		item := strings.TrimPrefix(scope, scopeItem)
		c := o.Items[item]
		c.LastAt = disclosure.FromMilliseconds(at)
		o.Items[item] = c
	}
	return rows.Err()
}

// Changes returns the change feed after a position, in commit order and without
// gaps.
func (s *Store) Changes(ctx context.Context, after int64, limit int) (disclosure.ChangePage, error) {
	var page disclosure.ChangePage
	err := s.read(ctx, "changes", func(v *snapshot) error {
		page.LastSeq = v.at.Position
		var err error
		page.Items, err = all(ctx, v, func(rows *sql.Rows) (disclosure.Change, error) {
			var c disclosure.Change
			var notice sql.NullString
			var at int64
			err := rows.Scan(&c.Seq, &c.Kind, &notice, &c.Rev, &at)
			c.NoticeID, c.At = notice.String, disclosure.FromMilliseconds(at)
			return c, err
		}, `SELECT seq, kind, notice_id, rev, at FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
		return err
	})
	return page, err
}

// Staff returns a notice in any status with its history. An unknown one is
// CodeNotFound.
func (s *Store) Staff(ctx context.Context, ref disclosure.NoticeRef) (disclosure.StaffNotice, error) {
	var out disclosure.StaffNotice
	err := s.read(ctx, "staff notice", func(v *snapshot) error {
		n, err := v.find(ctx, ref)
		if err != nil {
			return err
		}
		out = disclosure.StaffNotice{Reading: v.at, Notice: n.Notice, ContentSHA256: n.sha256}
		if out.Contributors, err = all(ctx, v, scanText, `SELECT name FROM contributor WHERE notice_id = $1 ORDER BY name`, n.ID); err != nil {
			return err
		}
		out.Steps, err = all(ctx, v, func(rows *sql.Rows) (disclosure.Step, error) {
			var st disclosure.Step
			var at int64
			err := rows.Scan(&st.Action, &at, &st.By, &st.Comment, &st.Rev)
			st.At = disclosure.FromMilliseconds(at)
			return st, err
		}, `SELECT action, at, by_name, comment, rev FROM step WHERE notice_id = $1 ORDER BY n LIMIT 1000`, n.ID)
		if err != nil || !out.Erased {
			return err
		}
		out.Purged, err = v.purged(ctx, n.ID)
		return err
	})
	return out, err
}

func scanText(rows *sql.Rows) (string, error) {
	var text string
	err := rows.Scan(&text)
	return text, err
}

// StaffList returns one page of notices in any status, last changed first.
func (s *Store) StaffList(ctx context.Context, q disclosure.StaffQuery) (disclosure.StaffPage, error) {
	var page disclosure.StaffPage
	err := s.read(ctx, "staff list", func(v *snapshot) error {
		page.Reading = v.at
		c := &conditions{}
		c.add("1 = 1")
		if q.Status != "" {
			c.add("n.status = ?", q.Status)
		}
		if q.Mine != "" {
			c.add("EXISTS (SELECT 1 FROM contributor x WHERE x.notice_id = n.id AND x.name = ?)", q.Mine)
		}
		if len(q.Bodies) > 0 {
			c.add("n.body IN "+s.d.inTexts("?"), jsonText(q.Bodies))
		}
		err := v.QueryRowContext(ctx, `
			SELECT count(*)
			  FROM (SELECT 1 FROM notice n WHERE `+c.where()+` LIMIT `+c.next(1)+`) AS counted`,
			c.with(disclosure.MaxTotal+1)...).Scan(&page.Total)
		if err != nil {
			return err
		}
		page.TotalCapped, page.Total = page.Total > disclosure.MaxTotal, min(page.Total, disclosure.MaxTotal)
		if q.After != nil {
			c.add("(n.updated_at, n.code) < (?, ?)", q.After.A, fmt.Sprintf("%08d", q.After.B))
		}
		found, err := all(ctx, v, func(rows *sql.Rows) (storedNotice, error) { return scanNotice(rows.Scan) }, `
			SELECT `+noticeColumns+`
			  FROM `+noticeTables+`
			 WHERE `+c.where()+`
			 ORDER BY n.updated_at DESC, n.code DESC
			 LIMIT `+c.next(1), c.with(q.Limit+1)...)
		for i, n := range found {
			if i < q.Limit {
				page.Items = append(page.Items, n.Notice)
			}
		}
		page.More = len(found) > q.Limit
		return err
	})
	return page, err
}

// Due returns the ids of scheduled notices whose time has come.
func (s *Store) Due(ctx context.Context, now time.Time) ([]string, error) {
	ids, err := all(ctx, s.r, scanText, `
		SELECT id
		  FROM notice
		 WHERE status = 'scheduled' AND publish_at <= $1
		 ORDER BY publish_at
		 LIMIT 100`, now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("store: due: %w", fault(err))
	}
	return ids, nil
}

// Amendments returns the ids of the notices, in any status, that correct or
// terminate the notice.
func (s *Store) Amendments(ctx context.Context, id string) ([]string, error) {
	ids, err := all(ctx, s.r, scanText, `
		SELECT notice_id
		  FROM relation
		 WHERE other_id = $1 AND type IN ('corrects', 'terminates')
		 ORDER BY notice_id`, id)
	if err != nil {
		return nil, fmt.Errorf("store: amendments: %w", fault(err))
	}
	return ids, nil
}

// Resolve finds the ids of notices named by id or code. Unknown ones are left
// out.
func (s *Store) Resolve(ctx context.Context, refs []string) (map[string]string, error) {
	found := map[string]string{}
	if len(refs) == 0 {
		return found, nil
	}
	list := jsonText(refs)
	type row struct{ id, code string }
	rows, err := all(ctx, s.r, func(r *sql.Rows) (row, error) {
		var v row
		err := r.Scan(&v.id, &v.code)
		return v, err
	}, `SELECT id, code FROM notice WHERE id IN `+s.d.inTexts("$1")+` OR code IN `+s.d.inTexts("$2"), list, list)
	if err != nil {
		return nil, fmt.Errorf("store: resolve: %w", fault(err))
	}
	for _, r := range rows {
		found[r.id], found[r.code] = r.id, r.id
	}
	return found, nil
}
