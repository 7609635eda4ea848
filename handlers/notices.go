package handlers

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Reader reads what is public. Every result says at which position of the change
// feed it was read.
type Reader interface {
	Planner
	Head(ctx context.Context) (disclosure.Reading, error)
	Notices(ctx context.Context, q disclosure.NoticeQuery, now time.Time) (disclosure.NoticePage, error)
	Notice(ctx context.Context, ref disclosure.NoticeRef) (disclosure.NoticeDetail, error)
	Status(ctx context.Context, ref disclosure.NoticeRef) (disclosure.NoticeHead, error)
	Revisions(ctx context.Context, ref disclosure.NoticeRef) (disclosure.RevisionPage, error)
	Revision(ctx context.Context, ref disclosure.NoticeRef, rev int) (disclosure.RevisionPage, error)
	Project(ctx context.Context, code string) (disclosure.ProjectTimeline, error)
	Overview(ctx context.Context, since workday.Date) (disclosure.Overview, error)
	Archive(ctx context.Context, sector, typ string) (disclosure.Archive, error)
	Changes(ctx context.Context, after int64, limit int) (disclosure.ChangePage, error)
	Attachment(ctx context.Context, sha256 string) (disclosure.AttachmentState, error)
	AttachmentChunk(ctx context.Context, sha256 string, n int) ([]byte, error)
}

// NoticeParams documents the query of a list of notices; noticeQuery reads it.
type NoticeParams struct {
	Sector    []string `form:"sector" validate:"optional" collectionFormat:"multi" example:"construction"`        // 领域，可重复
	Type      []string `form:"type" validate:"optional" collectionFormat:"multi"`                                 // 公告类型，可重复
	Stage     string   `form:"stage" validate:"optional" enums:"decision,execution,oversight,service,result"`     // 环节
	Item      string   `form:"item" validate:"optional" example:"A1-04"`                                          // 公开事项
	Body      string   `form:"body" validate:"optional"`                                                          // 公开主体
	Project   string   `form:"project" validate:"optional"`                                                       // 项目编号
	Region    string   `form:"region" validate:"optional" example:"320902"`                                       // 行政区划代码
	Q         string   `form:"q" validate:"optional" example:"盐东镇 道路"`                                            // 检索词，空格分开的词须同时出现
	Since     string   `form:"since" validate:"optional" example:"2026-11-01"`                                    // 自这一天起发布
	Until     string   `form:"until" validate:"optional" example:"2026-11-30"`                                    // 到这一天为止发布
	AmountMin string   `form:"amount_min" validate:"optional" example:"1000000.00"`                               // 金额下限，元
	AmountMax string   `form:"amount_max" validate:"optional"`                                                    // 金额上限，元
	Open      bool     `form:"open" validate:"optional"`                                                          // 只看尚未截止的
	Sort      string   `form:"sort" validate:"optional" enums:"published,deadline,relevance" default:"published"` // 排序
	Cursor    string   `form:"cursor" validate:"optional"`                                                        // 上一页的 next
	Limit     int      `form:"limit" validate:"optional" minimum:"1" maximum:"100" default:"20"`                  // 每页条数
}

// listNotices lists public notices.
//
//	@Summary	公告列表与检索
//	@Tags		公告
//	@Param		query	query		NoticeParams	false	"条件"
//	@Success	200		{object}	NoticeList
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/notices [get]
func (s *Server) listNotices(c *fiber.Ctx) error {
	p := readParams(c, noticeParams...)
	q := p.noticeQuery(s.Cache.Catalog())
	if err := p.err(); err != nil {
		return err
	}
	return s.answered(c, noticesKey(q), s.fillNotices(q))
}

// noticesKey is the canonical request for a page of notices.
func noticesKey(q disclosure.NoticeQuery) string {
	key, _ := listKey(q)
	return "notices?" + key
}

func (s *Server) fillNotices(q disclosure.NoticeQuery) func(context.Context) (*disclosure.Answer, error) {
	return func(ctx context.Context) (*disclosure.Answer, error) {
		now := s.Now()
		page, err := s.Reader.Notices(ctx, q, now)
		if err != nil {
			return nil, err
		}
		out := NoticeList{Items: summariesJSON(page.Catalog, page.Items), Total: page.Total, TotalCapped: page.TotalCapped,
			AsOf: disclosure.FormatInstant(now)}
		if page.Next != nil {
			next := page.Next.Encode(q.Canonical())
			out.Next = &next
		}
		a, err := jsonAnswer(out, page.Reading)
		if err == nil {
			a.Until = page.Until
		}
		return a, err
	}
}

// noticeList reads a list as listNotices answers it, for channels that say it
// instead of sending it.
func (s *Server) noticeList(ctx context.Context, q disclosure.NoticeQuery) (NoticeList, error) {
	var list NoticeList
	a, _, err := s.Cache.Get(ctx, noticesKey(q), s.fillNotices(q))
	if err == nil {
		err = decodeAnswer(a, &list)
	}
	return list, err
}

// noticeRef reads the id or code in the path.
func noticeRef(c *fiber.Ctx) (disclosure.NoticeRef, error) {
	return disclosure.ParseNoticeRef(strings.Clone(c.Params("id")))
}

// getNotice returns a public notice.
//
//	@Summary	公告详情
//	@Tags		公告
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Success	200	{object}	Notice
//	@Failure	404	{object}	Problem
//	@Failure	410	{object}	Problem	"已撤回"
//	@Router		/api/v1/notices/{id} [get]
func (s *Server) getNotice(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err == nil {
		err = readParams(c).err()
	}
	if err != nil {
		return err
	}
	return s.answered(c, "notice/"+ref.String(), func(ctx context.Context) (*disclosure.Answer, error) {
		d, err := s.Reader.Notice(ctx, ref)
		if err != nil {
			return nil, err
		}
		a, err := jsonAnswer(noticeJSON(d), d.Reading)
		return s.classed(a, d.Catalog, d.Type, d.TypeVersion), err
	})
}

// classed marks the answer private when its type lists natural persons.
func (s *Server) classed(a *disclosure.Answer, c *disclosure.Catalog, code string, version int) *disclosure.Answer {
	if a != nil && typeOf(c, code, version).Personal {
		a.Private, a.ETag = true, ""
	}
	return a
}

// Head says whether what a reader holds is still current.
type Head struct {
	Rev          int     `json:"rev"`
	Status       string  `json:"status"`
	SupersededBy *string `json:"superseded_by" extensions:"x-nullable"`
}

// getHead returns the newest revision and status, always from the store.
//
//	@Summary	公告是否仍是最新
//	@Tags		公告
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Success	200	{object}	Head
//	@Failure	404	{object}	Problem
//	@Router		/api/v1/notices/{id}/head [get]
func (s *Server) getHead(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err == nil {
		err = readParams(c).err()
	}
	if err != nil {
		return err
	}
	h, err := s.Reader.Status(c.UserContext(), ref)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	return sendJSON(c, Head{h.Rev, string(h.Status), nullable(h.SupersededBy)})
}

func sendJSON(c *fiber.Ctx, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, mediaJSON)
	return c.Send(body)
}

// Revision is one public revision of a notice.
type Revision struct {
	Rev           int     `json:"rev"`
	Status        string  `json:"status"`
	At            string  `json:"at"`
	Cause         string  `json:"cause" example:"correct"`
	CauseCode     *string `json:"cause_code" extensions:"x-nullable"`
	ContentSHA256 string  `json:"content_sha256"`
	Current       bool    `json:"current"`
}

// RevisionList lists the public revisions of a notice, newest first.
type RevisionList struct {
	Items       []Revision `json:"items"`
	Next        *string    `json:"next" extensions:"x-nullable"`
	Total       int        `json:"total"`
	TotalCapped bool       `json:"total_capped"`
	AsOf        string     `json:"as_of"`
}

func revisionJSON(r disclosure.Revision, current int) Revision {
	return Revision{r.Rev, string(r.Status), disclosure.FormatInstant(r.At), string(r.Cause), nullable(r.CauseCode),
		r.ContentSHA256, r.Rev == current}
}

// listRevisions lists the public revisions of a notice.
//
//	@Summary	公告的历史版本
//	@Tags		公告
//	@Param		id		path		string		true	"公告的 id 或 8 位编号"
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	RevisionList
//	@Failure	410		{object}	Problem
//	@Router		/api/v1/notices/{id}/revisions [get]
func (s *Server) listRevisions(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err != nil {
		return err
	}
	pg, err := readPaging(c, "revisions/"+ref.String(), disclosure.DefaultLimit)
	if err != nil {
		return err
	}
	return s.answered(c, pg.key(), func(ctx context.Context) (*disclosure.Answer, error) {
		page, err := s.Reader.Revisions(ctx, ref)
		if err != nil {
			return nil, err
		}
		rows, next := cutPage(pg, page.Revisions)
		out := RevisionList{Items: []Revision{}, Next: next, Total: len(page.Revisions), AsOf: disclosure.FormatInstant(s.Now())}
		for _, r := range rows {
			out.Items = append(out.Items, revisionJSON(r, page.Notice.Rev))
		}
		a, err := jsonAnswer(out, page.Reading)
		return s.classed(a, page.Catalog, page.Notice.Type, page.Notice.TypeVersion), err
	})
}

// RevisionDetail is a notice as it read in one revision.
type RevisionDetail struct {
	Notice
	Revision Revision `json:"revision"`
}

// getRevision returns one public revision of a notice.
//
//	@Summary	公告的某一历史版本
//	@Tags		公告
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Param		rev	path		int		true	"版本号"
//	@Success	200	{object}	RevisionDetail
//	@Failure	410	{object}	Problem
//	@Router		/api/v1/notices/{id}/revisions/{rev} [get]
func (s *Server) getRevision(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err == nil {
		err = readParams(c).err()
	}
	if err != nil {
		return err
	}
	rev, err := disclosure.ParseRev(c.Params("rev"))
	if err != nil {
		return disclosure.Errorf(disclosure.CodeParam, "版本号应为不小于 1 的整数").On("rev")
	}
	return s.answered(c, "revision/"+ref.String()+"/"+strconv.Itoa(rev), func(ctx context.Context) (*disclosure.Answer, error) {
		page, err := s.Reader.Revision(ctx, ref, rev)
		if err != nil {
			return nil, err
		}
		a, err := jsonAnswer(revisionDetail(page), page.Reading)
		return s.classed(a, page.Catalog, page.Notice.Type, page.Notice.TypeVersion), err
	})
}

func revisionDetail(page disclosure.RevisionPage) RevisionDetail {
	r, n := page.Revisions[0], page.Notice
	d := disclosure.NoticeDetail{Reading: page.Reading, ContentSHA256: r.ContentSHA256,
		Notice: disclosure.Notice{ID: n.ID, Code: n.Code, Rev: r.Rev, Status: r.Status, Content: r.Content, PublishedAt: n.PublishedAt}}
	d.Deadlines = d.Catalog.Deadlines(d.Notice)
	return RevisionDetail{noticeJSON(d), revisionJSON(r, n.Rev)}
}

// Difference is one member that differs between two revisions.
type Difference struct {
	Field string `json:"field" example:"fields.bid_deadline"`
	Label string `json:"label"`
	From  any    `json:"from" extensions:"x-nullable"`
	To    any    `json:"to" extensions:"x-nullable"`
	Was   string `json:"was"`
	Is    string `json:"is"`
}

// Diff is what changed between two revisions.
type Diff struct {
	From  int          `json:"from"`
	To    int          `json:"to"`
	Items []Difference `json:"items"`
}

// getDiff returns what changed between two public revisions of a notice.
//
//	@Summary	两个版本的差异
//	@Tags		公告
//	@Param		id		path		string	true	"公告的 id 或 8 位编号"
//	@Param		from	query		int		false	"较早的版本，默认为上一版"
//	@Param		to		query		int		false	"较新的版本，默认为最新版"
//	@Success	200		{object}	Diff
//	@Router		/api/v1/notices/{id}/diff [get]
func (s *Server) getDiff(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err != nil {
		return err
	}
	p := readParams(c, "from", "to")
	from, to := int(p.number("from", 1)), int(p.number("to", 1))
	if err := p.err(); err != nil {
		return err
	}
	key := "diff/" + ref.String() + "?" + strconv.Itoa(from) + "-" + strconv.Itoa(to)
	return s.answered(c, key, func(ctx context.Context) (*disclosure.Answer, error) {
		return s.fillDiff(ctx, ref, from, to)
	})
}

func (s *Server) fillDiff(ctx context.Context, ref disclosure.NoticeRef, from, to int) (*disclosure.Answer, error) {
	list, err := s.Reader.Revisions(ctx, ref)
	if err != nil {
		return nil, err
	}
	from, to = defaultSpan(list.Revisions, from, to)
	old, err := s.Reader.Revision(ctx, ref, from)
	if err != nil {
		return nil, err
	}
	cur, err := s.Reader.Revision(ctx, ref, to)
	if err != nil {
		return nil, err
	}
	diffs, err := disclosure.Differences(cur.Catalog, old.Revisions[0].Content, cur.Revisions[0].Content)
	if err != nil {
		return nil, err
	}
	out := Diff{From: from, To: to, Items: []Difference{}}
	for _, d := range diffs {
		out.Items = append(out.Items, Difference(d))
	}
	a, err := jsonAnswer(out, list.Reading)
	return s.classed(a, list.Catalog, list.Notice.Type, list.Notice.TypeVersion), err
}

// defaultSpan fills in the newest public revision and the one before it.
func defaultSpan(revisions []disclosure.Revision, from, to int) (int, int) {
	for _, r := range revisions { // newest first
		switch {
		case to == 0:
			to = r.Rev
		case from == 0 && r.Rev < to:
			from = r.Rev
		}
	}
	if from == 0 {
		from = to
	}
	return from, to
}
