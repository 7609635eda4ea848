package handlers

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/web"
)

// getNoticeLink leads to the newest revision of a notice.
//
//	@Summary	公告短链接，转到最新版
//	@Tags		页面
//	@Produce	html
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Success	302	{string}	string
//	@Failure	410	{object}	Problem	"已撤回"
//	@Router		/n/{id} [get]
func (s *Server) getNoticeLink(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err != nil {
		return err
	}
	a, _, err := s.Cache.Get(c.UserContext(), "page/link/"+ref.String(), func(ctx context.Context) (*disclosure.Answer, error) {
		d, err := s.Reader.Notice(ctx, ref)
		if err != nil {
			return nil, err
		}
		body := fmt.Appendf(nil, "/n/%s/%d", d.Code, d.Rev)
		return &disclosure.Answer{Type: "text/plain; charset=utf-8", ETag: etagOf(body), Body: body, Position: d.Position}, nil
	})
	if err != nil {
		return err
	}
	path := string(a.Body)
	if signed := c.Query("why"); whyForm.MatchString(signed) { // from a pushed card; the page offers to say why it came
		path += "#why=" + signed
	}
	return redirect(c, path)
}

// whyForm is what the signed links of cards look like. They go on in the
// fragment: the page itself is the same for everybody.
var whyForm = regexp.MustCompile(`^[A-Za-z0-9_-]{27}$`)

// getNoticePage shows one revision of a notice. The revision is in the path, as
// WeChat's browser keeps pages for hours.
//
//	@Summary	公告页
//	@Tags		页面
//	@Produce	html
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Param		rev	path		int		true	"版本号"
//	@Success	200	{string}	string
//	@Failure	410	{object}	Problem	"已撤回"
//	@Router		/n/{id}/{rev} [get]
func (s *Server) getNoticePage(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err != nil {
		return err
	}
	rev, err := disclosure.ParseRev(c.Params("rev"))
	if err != nil {
		return s.noRevision(c, ref, disclosure.Errorf(disclosure.CodeNotFound, "版本号应为不小于 1 的整数"))
	}
	tablePage := 1
	if p := lenient(c, "page"); p.first("page") != "" {
		if n, err := strconv.Atoi(p.first("page")); err == nil && n > 1 && n < 1000 {
			tablePage = n
		}
	}
	key := fmt.Sprintf("notice/%s/%d?page=%d", ref, rev, tablePage)
	return s.noRevision(c, ref, s.answeredPage(c, key, func(ctx context.Context) (*disclosure.Answer, error) {
		p, err := s.noticePage(ctx, ref, rev)
		if err != nil {
			return nil, err
		}
		p.TablePage = tablePage
		a, err := s.pageAnswer(p, p.Reading, web.Until(p.Now, p.Deadline()))
		return s.classed(a, p.Catalog, p.Type, p.TypeVersion), err
	}))
}

// noRevision passes an error on. Where the notice is there and only the revision
// is not, the page of the error leads to the newest.
func (s *Server) noRevision(c *fiber.Ctx, ref disclosure.NoticeRef, err error) error {
	if isCode(err, disclosure.CodeNotFound) {
		if _, e := s.Reader.Status(c.UserContext(), ref); e == nil {
			c.Locals(keyLink, "/n/"+ref.String())
		}
	}
	return err
}

// keyLink is where a handler leaves the newest revision that the page of an
// error leads to.
const keyLink = "gongkai.link"

// noticePage reads a revision of a notice with its history and what it changed;
// rev 0 is the newest.
func (s *Server) noticePage(ctx context.Context, ref disclosure.NoticeRef, rev int) (web.Notice, error) {
	d, err := s.Reader.Notice(ctx, ref)
	if err != nil {
		return web.Notice{}, err
	}
	list, err := s.Reader.Revisions(ctx, ref)
	if err != nil {
		return web.Notice{}, err
	}
	p := web.Notice{Now: s.Now(), NoticeDetail: d, Current: d.Rev, Status: d.Status, History: list.Revisions, TablePage: 1}
	if rev > 0 && rev != d.Rev {
		old, err := s.Reader.Revision(ctx, ref, rev)
		if err != nil {
			return web.Notice{}, err
		}
		r := old.Revisions[0]
		p.Rev, p.Content, p.ContentSHA256 = r.Rev, r.Content, r.ContentSHA256
	}
	from, _ := defaultSpan(list.Revisions, 0, p.Rev)
	if from == p.Rev { // the first public revision
		return p, nil
	}
	before, err := s.Reader.Revision(ctx, ref, from)
	if err != nil {
		return web.Notice{}, err
	}
	p.ChangesOf = from
	p.Changes, err = disclosure.Differences(d.Catalog, before.Revisions[0].Content, p.Content)
	return p, err
}

// getKioskNotice returns a notice as the fragment that the kiosk shows.
//
//	@Summary	自助终端上的一条公告
//	@Tags		页面
//	@Produce	html
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Success	200	{string}	string
//	@Failure	404	{object}	Problem
//	@Failure	410	{object}	Problem	"已撤回"
//	@Router		/kiosk/n/{id} [get]
func (s *Server) getKioskNotice(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err != nil {
		return err
	}
	return s.answeredPage(c, "kiosk/"+ref.String(), func(ctx context.Context) (*disclosure.Answer, error) {
		p, err := s.noticePage(ctx, ref, 0)
		if err != nil {
			return nil, err
		}
		a, err := s.pageAnswer(web.KioskNotice{Notice: p}, p.Reading, web.Until(p.Now, p.Deadline()))
		return s.classed(a, p.Catalog, p.Type, p.TypeVersion), err
	})
}

// getKioskPage shows the kiosk's shell.
//
//	@Summary	自助终端
//	@Tags		页面
//	@Produce	html
//	@Success	200	{string}	string
//	@Router		/kiosk [get]
func (s *Server) getKioskPage(c *fiber.Ctx) error {
	return s.answeredPage(c, "kiosk", func(ctx context.Context) (*disclosure.Answer, error) {
		o, _, until, err := s.overview(ctx)
		if err != nil {
			return nil, err
		}
		return s.pageAnswer(web.Kiosk{Sectors: s.sectorTiles(o)}, o.Reading, until)
	})
}

// SnapshotSector is a sector as the kiosk shows it.
type SnapshotSector struct {
	Code  string `json:"code"`
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// SnapshotItem is a notice as the kiosk keeps it. Html is null for notices that
// name natural persons: those are not kept.
type SnapshotItem struct {
	ID          string  `json:"id"`
	Code        string  `json:"code"`
	Rev         int     `json:"rev"`
	Title       string  `json:"title"`
	Initials    string  `json:"initials"`
	Sector      string  `json:"sector"`
	Type        string  `json:"type"`
	TypeName    string  `json:"type_name"`
	BodyName    string  `json:"body_name"`
	Status      string  `json:"status"`
	Corrected   bool    `json:"corrected"`
	PublishedAt *string `json:"published_at" extensions:"x-nullable"`
	DeadlineAt  *string `json:"deadline_at" extensions:"x-nullable"`
	ProjectCode *string `json:"project_code" extensions:"x-nullable"`
	HTML        *string `json:"html" extensions:"x-nullable"`
}

// SnapshotWord is something people look for, by the initials of its pinyin.
type SnapshotWord struct {
	Word     string `json:"word"`
	Initials string `json:"initials" example:"gzf"`
}

// Snapshot is what a kiosk keeps for the time it has no network.
type Snapshot struct {
	Seq     int64            `json:"seq"`
	Sectors []SnapshotSector `json:"sectors"`
	Items   []SnapshotItem   `json:"items"`
	Words   []SnapshotWord   `json:"words"`
	AsOf    string           `json:"as_of"`
}

// snapshotItems is how many of the newest notices a kiosk keeps.
const snapshotItems = 200

// getSnapshot returns the newest notices for a kiosk to keep.
//
//	@Summary	自助终端离线时用的最新公告
//	@Tags		页面
//	@Success	200	{object}	Snapshot
//	@Router		/kiosk/snapshot.json [get]
func (s *Server) getSnapshot(c *fiber.Ctx) error {
	return s.answered(c, "kiosk/snapshot", func(ctx context.Context) (*disclosure.Answer, error) {
		o, _, _, err := s.overview(ctx)
		if err != nil {
			return nil, err
		}
		out := Snapshot{Seq: o.Position, Sectors: []SnapshotSector{}, Items: []SnapshotItem{}, Words: []SnapshotWord{},
			AsOf: disclosure.FormatInstant(s.Now())}
		for _, tile := range s.sectorTiles(o) {
			out.Sectors = append(out.Sectors, SnapshotSector{tile.Code, tile.Name, tile.Count.Published})
		}
		for _, w := range web.Vocabulary(o.Catalog) {
			out.Words = append(out.Words, SnapshotWord(w))
		}
		until, err := s.fillSnapshot(ctx, &out)
		if err != nil {
			return nil, err
		}
		return untilDay(until)(jsonAnswer(out, o.Reading))
	})
}

// fillSnapshot adds the newest notices, each with its fragment.
func (s *Server) fillSnapshot(ctx context.Context, out *Snapshot) (until time.Time, err error) {
	now := s.Now()
	until = web.Until(now)
	q := disclosure.NoticeQuery{Limit: disclosure.MaxLimit, Sort: disclosure.SortPublished}
	for len(out.Items) < snapshotItems {
		page, err := s.Reader.Notices(ctx, q, now)
		if err != nil {
			return until, err
		}
		for _, n := range page.Items {
			item, err := s.snapshotItem(ctx, page.Catalog, n)
			if isCode(err, disclosure.CodeWithdrawn) || isCode(err, disclosure.CodeNotFound) {
				continue // withdrawn since the list was read
			}
			if err != nil {
				return until, err
			}
			out.Items = append(out.Items, item)
		}
		if u := web.Until(now, web.Deadlines(page)...); u.Before(until) {
			until = u
		}
		if page.Next == nil {
			break
		}
		q.After = page.Next
	}
	return until, nil
}

func (s *Server) snapshotItem(ctx context.Context, c *disclosure.Catalog, n disclosure.Summary) (SnapshotItem, error) {
	t := typeOf(c, n.Type, n.TypeVersion)
	item := SnapshotItem{ID: n.ID, Code: n.Code, Rev: n.Rev, Title: n.Title, Initials: web.Initials(n.Title), Sector: n.Sector(), Type: n.Type, TypeName: t.Name,
		BodyName: c.BodyName(n.Body), Status: string(n.Status), Corrected: n.SupersededBy != "", PublishedAt: instant(n.PublishedAt), DeadlineAt: instant(n.OpenUntil()), ProjectCode: nullable(n.Project)}
	if t.Personal {
		return item, nil
	}
	d, err := s.Reader.Notice(ctx, disclosure.NoticeRef{ID: n.ID})
	if err != nil {
		return item, err
	}
	body, err := s.pages.Render(web.KioskNotice{Notice: web.Notice{Now: s.Now(), NoticeDetail: d, Current: d.Rev, Status: d.Status, TablePage: 1}})
	html := strings.TrimSpace(string(body))
	item.HTML = &html
	return item, err
}

// Screen is a page as a reader will see it, to be shown in a frame of this
// server.
type Screen struct {
	HTML string `json:"html"`
}

// previewScreens renders a notice that is not public yet, as the phone and the
// kiosk will show it.
func (s *Server) previewScreens(r disclosure.Reading, n disclosure.Notice, sum string) (phone, kiosk Screen, err error) {
	code, err := qrImage(s.noticeURL(n.Code, n.Rev), n.Title)
	if err != nil {
		return phone, kiosk, err
	}
	p := web.Notice{Now: s.Now(), NoticeDetail: disclosure.NoticeDetail{Reading: r, Notice: n, ContentSHA256: sum},
		Current: n.Rev, Status: disclosure.StatusPublished, TablePage: 1, Preview: &web.Preview{QR: code}}
	for _, screen := range []struct {
		page web.Page
		into *Screen
	}{{p, &phone}, {web.KioskPreview{Notice: p}, &kiosk}} {
		body, err := s.pages.Render(screen.page)
		if err != nil {
			return phone, kiosk, err
		}
		screen.into.HTML = string(body)
	}
	return phone, kiosk, nil
}
