package handlers

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"gongkai/internal/disclosure"
	"gongkai/internal/web"
	"gongkai/internal/workday"
)

const mediaHTML = "text/html; charset=utf-8"

// PageConfig is what the pages need beyond the read model. The zero value works.
type PageConfig struct {
	SiteName string // as every header shows it; "" is the built-in name
	Hotline  string // telephone number for questions, "" for none
	Account  web.Account
	// AccountURL is what the official account's QR code holds, "" for none.
	AccountURL string
	SDK        PageSigner // nil unless WeChat's JS-SDK is configured
}

// PageSigner signs a page's address for WeChat's JS-SDK.
type PageSigner interface {
	SignPage(ctx context.Context, url string) (disclosure.PageSignature, error)
}

func (p PageConfig) siteName() string {
	if p.SiteName == "" {
		return "亭湖区公共资源配置信息公开"
	}
	return p.SiteName
}

// newRenderer makes the pages of the site that the configuration describes.
func newRenderer(c *Config) *web.Renderer {
	return web.New(web.Site{Name: c.Pages.siteName(), URL: c.PublicURL, Hotline: c.Pages.Hotline, Demo: c.Demo})
}

// routePages mounts the H5, the kiosk and what they load.
func (s *Server) routePages(app *fiber.App) {
	s.page(app, "/", s.getHomePage)
	s.page(app, "/s/:sector", s.getSectorPage)
	s.page(app, "/n/:id", s.getNoticeLink)
	s.page(app, "/n/:id/:rev", s.getNoticePage)
	s.page(app, "/p/*", s.getProjectPage)
	s.page(app, "/search", s.getSearchPage)
	s.page(app, "/subscribe", s.getSubscribePage)
	s.page(app, "/kiosk", s.getKioskPage)
	s.get(app, "/kiosk/sw.js", s.getWorker)
	s.get(app, "/kiosk/snapshot.json", s.getSnapshot)
	s.get(app, "/kiosk/n/:id", s.getKioskNotice)
	s.get(app, "/assets/:file", s.getAsset)
}

// keyPage marks requests that people make: their errors are pages too.
const keyPage = "gongkai.page"

func (s *Server) page(app *fiber.App, path string, h fiber.Handler) {
	s.add(app, fiber.MethodGet, path, asPage(h))
}

// asPage makes the errors of a handler pages.
func asPage(h fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Context().SetUserValue(keyPage, true)
		return h(c)
	}
}

// wantsPage reports whether an error is to be told as a page: on a page's
// address, or where a browser asks for an attachment that a page links to, or
// for what does not exist.
func wantsPage(ctx *fasthttp.RequestCtx) bool {
	if ctx.UserValue(keyPage) != nil {
		return true
	}
	path := string(ctx.Path())
	linked := strings.HasPrefix(path, "/api/v1/attachments/") ||
		routeOf(ctx) == routeNone && !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/assets/")
	return linked && (ctx.IsGet() || ctx.IsHead()) && strings.Contains(string(ctx.Request.Header.Peek(fiber.HeaderAccept)), "text/html")
}

// failPage writes a problem as a page.
func (s *Server) failPage(ctx *fasthttp.RequestCtx, p Problem, link string) {
	f := web.Failure{Status: p.Status, Title: p.Title, Detail: p.Detail, Help: disclosure.Problems[disclosure.Code(p.Code)].Help,
		RequestID: p.RequestID, Link: link, Retry: p.Status == fiber.StatusServiceUnavailable || p.Status == fiber.StatusTooManyRequests}
	switch disclosure.Code(p.Code) {
	case disclosure.CodeNoRoute:
		f.Title, f.Help = "没有这个页面", "请核对网址，或从首页和检索进入。"
	case disclosure.CodeNotFound:
		if link != "" {
			f.Title, f.Help = "没有这个版本", "公告还在，最新版里列有它的历史版本。"
		}
	case disclosure.CodeWithdrawn:
		f.Help = "撤回后内容不再公开；如有疑问，请向公开主体咨询。"
	case disclosure.CodeNoInbox:
		f.Title, f.Detail, f.Help = "这张卡片的记录已经清除", "", "公告本身仍可从首页和检索找到。"
	case disclosure.CodeNoItem:
		f.Help = "请从首页选择领域。"
	case disclosure.CodeParam, disclosure.CodeCursor, disclosure.CodeText:
		f.Help = "请从首页或检索重新进入。"
	case disclosure.CodeAmbiguous:
		f.Help = ""
		for _, e := range p.Errors { // the code, a blank, the name
			code, _, _ := strings.Cut(e.Message, " ")
			f.Choices = append(f.Choices, web.Choice{Link: "/p/" + url.PathEscape(code), Text: e.Message})
		}
	}
	if p.Status < fiber.StatusInternalServerError {
		f.RequestID = ""
	}
	body, err := s.pages.Render(f)
	if err != nil {
		s.log.Error("page not rendered", "request_id", p.RequestID, "error", err)
		body = []byte(p.Title)
	}
	setPageHeaders(ctx, web.Policy)
	ctx.Response.Header.SetContentType(mediaHTML)
	ctx.Response.SetBody(body)
}

var (
	nameCSP      = []byte(fiber.HeaderContentSecurityPolicy)
	nameReferrer = []byte(fiber.HeaderReferrerPolicy)
	valueSame    = []byte("same-origin")
)

func setPageHeaders(ctx *fasthttp.RequestCtx, policy string) {
	ctx.Response.Header.SetCanonical(nameCSP, readOnly(policy))
	ctx.Response.Header.SetCanonical(nameReferrer, valueSame)
}

// answeredPage serves a rendered page from the cache under the key, made by
// fill when it is missing. A page that had to be served stale says so.
func (s *Server) answeredPage(c *fiber.Ctx, key string, fill func(context.Context) (*disclosure.Answer, error)) error {
	a, age, err := s.Cache.Get(c.UserContext(), "page/"+key, fill)
	if err != nil {
		return err
	}
	ctx := c.Context()
	if age > 0 {
		asOf := s.Now().Add(-age)
		a = &disclosure.Answer{Type: a.Type, Private: true, Body: web.MarkStale(a.Body, asOf.In(workday.Shanghai).Format("15:04"))}
		c.Set(fiber.HeaderAge, strconv.Itoa(int(age/time.Second)))
		c.Set(fiber.HeaderWarning, `110 gongkai "Response is Stale"`)
	} else if uri := ctx.Request.RequestURI(); len(uri) <= maxAlias && !a.Private {
		s.Cache.Alias(string(uri), "page/"+key)
	}
	head := readHead(ctx)
	writeAnswer(ctx, &head, a)
	return nil
}

// pathText is what a part of the path says to a reader. Bytes that are no text
// have no business on a page.
func pathText(c *fiber.Ctx, name string) (string, error) {
	text, err := url.PathUnescape(c.Params(name))
	if err != nil || !utf8.ValidString(text) {
		return "", disclosure.Errorf(disclosure.CodeNoRoute, "网址里有无法识别的字符")
	}
	return strings.Clone(text), nil
}

// today is the civil day in Shanghai.
func (s *Server) today() workday.Date { return workday.DateOf(s.Now()) }

// pageAnswer renders a page read at a position of the feed; it holds until the
// instant given.
func (s *Server) pageAnswer(p web.Page, r disclosure.Reading, until time.Time) (*disclosure.Answer, error) {
	body, err := s.pages.Render(p)
	if err != nil {
		return nil, err
	}
	return &disclosure.Answer{Type: mediaHTML, ETag: etagOf(body), Body: body, Position: r.Position, Until: until}, nil
}

// sectorTiles lists the sectors in force with what they hold.
func (s *Server) sectorTiles(o disclosure.Overview) []web.SectorTile {
	tiles := []web.SectorTile{}
	today := s.today()
	for _, sector := range o.Catalog.Sectors {
		if sector.On(today) {
			tiles = append(tiles, web.SectorTile{Code: sector.Code, Name: sector.Name, Count: o.Sectors[sector.Code]})
		}
	}
	return tiles
}

// getHomePage shows the first screen.
//
//	@Summary	首页
//	@Tags		页面
//	@Produce	html
//	@Success	200	{string}	string
//	@Router		/ [get]
func (s *Server) getHomePage(c *fiber.Ctx) error {
	return s.answeredPage(c, "home", func(ctx context.Context) (*disclosure.Answer, error) {
		o, _, _, err := s.overview(ctx)
		if err != nil {
			return nil, err
		}
		now := s.Now()
		p := web.Home{Now: now, Sectors: s.sectorTiles(o)}
		if p.Newest, err = s.Reader.Notices(ctx, disclosure.NoticeQuery{Limit: homeRows, Sort: disclosure.SortPublished}, now); err != nil {
			return nil, err
		}
		if p.Deadline, err = s.Reader.Notices(ctx, disclosure.NoticeQuery{Limit: closingRows, Sort: disclosure.SortDeadline, Open: true}, now); err != nil {
			return nil, err
		}
		return s.pageAnswer(p, o.Reading, web.Until(now, append(web.Deadlines(p.Newest), web.Deadlines(p.Deadline)...)...))
	})
}

// closingRows is how many deadlines the first screen shows.
const closingRows = 5

// lenient reads the query of a page: what it does not know, and what a form
// leaves empty, is not there. WeChat appends parameters of its own.
func lenient(c *fiber.Ctx, known ...string) *params {
	p := readParams(c, known...)
	kept := p.faults[:0]
	for _, f := range p.faults {
		if f.Code != string(disclosure.CodeUnknown) {
			kept = append(kept, f)
		}
	}
	p.faults = kept
	for name, values := range p.values {
		if strings.TrimSpace(strings.Join(values, "")) == "" {
			delete(p.values, name)
		} else if len(values) > 1 {
			p.values[name] = values[:1]
		}
	}
	return p
}

// getSectorPage lists a sector's notices: the newest, those that close soon, or
// those of a month or day.
//
//	@Summary	领域页
//	@Tags		页面
//	@Produce	html
//	@Param		sector	path		string	true	"领域"
//	@Success	200		{string}	string
//	@Failure	404		{object}	Problem
//	@Router		/s/{sector} [get]
func (s *Server) getSectorPage(c *fiber.Ctx) error {
	catalog := s.Cache.Catalog()
	code, err := pathText(c, "sector")
	if err != nil {
		return err
	}
	sector, err := catalog.Sector(code)
	if err != nil {
		return err
	}
	p := lenient(c, "type", "sort", "period", "cursor")
	page, q := web.Sector{Code: sector.Code, Name: sector.Name, Sort: disclosure.SortPublished}, disclosure.NoticeQuery{Sectors: []string{sector.Code}, Limit: disclosure.DefaultLimit}
	if t, err := catalog.Type(p.text("type", 100)); err == nil && t.Sector == sector.Code {
		page.Type, q.Types = t.Code, []string{t.Code}
	}
	if asked := p.text("period", 20); asked != "" {
		if period, err := disclosure.ParsePeriod(asked); err != nil {
			p.fault("period", "date.invalid", "请写成 2026-11 或 2026-11-20")
		} else {
			page.Period, q.Since, q.Until, q.Limit = &period, period.Since, period.Until, disclosure.MaxLimit
		}
	} else if p.text("sort", 20) == string(disclosure.SortDeadline) {
		page.Sort, q.Open = disclosure.SortDeadline, true
	}
	if slices.ContainsFunc(p.faults, func(f disclosure.FieldError) bool { return f.Field == "period" }) {
		return s.sectorFault(c, page, q)
	}
	q.Sort = page.Sort
	q.After = p.cursor(q.Canonical())
	if err := p.err(); err != nil {
		return err
	}
	key, _ := listKey(q)
	return s.answeredPage(c, "sector/"+key, func(ctx context.Context) (*disclosure.Answer, error) {
		page, r, err := s.sectorPage(ctx, page, q)
		if err != nil {
			return nil, err
		}
		return s.pageAnswer(page, r, web.Until(page.Now, append(web.Deadlines(page.List), page.List.Until)...))
	})
}

// sectorPage reads what a sector's page shows, at the position returned or later.
func (s *Server) sectorPage(ctx context.Context, page web.Sector, q disclosure.NoticeQuery) (web.Sector, disclosure.Reading, error) {
	page.Now, page.Paged = s.Now(), q.After != nil
	archive, err := s.Reader.Archive(ctx, page.Code, page.Type)
	if err != nil {
		return page, archive.Reading, err
	}
	page.Past = archive.Periods
	if page.List, err = s.Reader.Notices(ctx, q, page.Now); err != nil {
		return page, archive.Reading, err
	}
	for _, t := range page.List.Catalog.TypesOf(page.Code) {
		if t.On(s.today()) {
			page.Types = append(page.Types, t)
		}
	}
	for _, b := range sectorBodies(page.List.Catalog, page.Code) {
		page.Bodies = append(page.Bodies, b.Name)
	}
	page.Next = nextLink(page.Pager().First, page.List, q.Canonical())
	return page, archive.Reading, nil
}

// sectorFault shows the newest notices with what is wrong with the period.
func (s *Server) sectorFault(c *fiber.Ctx, page web.Sector, q disclosure.NoticeQuery) error {
	q.Sort = disclosure.SortPublished
	page, _, err := s.sectorPage(c.UserContext(), page, q)
	if err != nil {
		return err
	}
	page.Fault = "网址里的时间看不懂：月份请写成 2026-11，日期请写成 2026-11-20，或从下面选择。"
	return s.sendFault(c, page)
}

// sendFault answers a request that asks wrongly with a page that says how to ask.
func (s *Server) sendFault(c *fiber.Ctx, page web.Page) error {
	body, err := s.pages.Render(page)
	if err != nil {
		return err
	}
	c.Status(fiber.StatusBadRequest)
	c.Set(fiber.HeaderCacheControl, "no-store")
	setPageHeaders(c.Context(), web.Policy)
	c.Set(fiber.HeaderContentType, mediaHTML)
	return c.Send(body)
}

// listKey names a page of a list for the cache, and the list for its cursors.
func listKey(q disclosure.NoticeQuery) (key, list string) {
	list = q.Canonical()
	key = list + "&limit=" + strconv.Itoa(q.Limit)
	if q.After != nil {
		key += "&cursor=" + q.After.Encode(list)
	}
	return key, list
}

// nextLink adds the cursor of the following page to a link, "" on the last.
func nextLink(link string, page disclosure.NoticePage, list string) string {
	if page.Next == nil {
		return ""
	}
	joint := "?"
	if strings.Contains(link, "?") {
		joint = "&"
	}
	return link + joint + "cursor=" + page.Next.Encode(list)
}

// searchParams are what the search form asks for. Anything else is not there: a
// list must not be narrowed by what its form does not show.
var searchParams = []string{"q", "sector", "type", "since", "until", "amount_min", "amount_max", "open", "sort", "cursor"}

// getSearchPage searches.
//
//	@Summary	检索页
//	@Tags		页面
//	@Produce	html
//	@Success	200	{string}	string
//	@Success	302	{string}	string	"检索词是公告编号，转到公告"
//	@Router		/search [get]
func (s *Server) getSearchPage(c *fiber.Ctx) error {
	p := lenient(c, searchParams...)
	if !slices.Contains([]disclosure.Sort{disclosure.SortDeadline, disclosure.SortRelevance}, disclosure.Sort(p.first("sort"))) {
		delete(p.values, "sort") // the usual one, whatever it is called
	}
	if p.first("open") != "true" {
		delete(p.values, "open")
	}
	catalog := s.Cache.Catalog()
	form := web.SearchForm{Q: p.first("q"), Sector: p.first("sector"), Type: p.first("type"), Since: p.first("since"), Until: p.first("until"),
		AmountMin: p.first("amount_min"), AmountMax: p.first("amount_max"), Sort: p.first("sort"), Open: p.first("open") == "true"}
	if t, err := catalog.Type(form.Type); err == nil {
		form.TypeName = t.Name
	}
	if code := disclosure.Normalize(form.Q); disclosure.ValidCode(code) && !form.Filtered() {
		if _, err := s.Reader.Status(c.UserContext(), disclosure.NoticeRef{Code: code}); err == nil {
			return redirect(c, "/n/"+code)
		}
	}
	q := p.noticeQuery(catalog)
	if len(p.faults) > 0 {
		return s.searchFaults(c, form, p.faults)
	}
	key, list := listKey(q)
	// The page shows the question as it was typed, and so is one for each way to type it.
	return s.answeredPage(c, "search/"+key+"#"+form.Encode(), func(ctx context.Context) (*disclosure.Answer, error) {
		o, _, _, err := s.overview(ctx)
		if err != nil {
			return nil, err
		}
		now := s.Now()
		page := web.Search{Now: now, Asked: form.Q != "" || form.Filtered(), Form: form, Sectors: s.sectorTiles(o), Paged: q.After != nil}
		if page.List, err = s.Reader.Notices(ctx, q, now); err != nil {
			return nil, err
		}
		page.Next = nextLink("/search?"+form.Encode(), page.List, list)
		return s.pageAnswer(page, o.Reading, web.Until(now, append(web.Deadlines(page.List), page.List.Until)...))
	})
}

// redirect leads to another page or site, this time.
func redirect(c *fiber.Ctx, path string) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, mediaHTML)
	return c.Redirect(path, fiber.StatusFound)
}

// first returns what was sent for a parameter, as it is to be shown again.
func (p *params) first(name string) string {
	if v := p.values[name]; len(v) > 0 {
		return strings.TrimSpace(v[0])
	}
	return ""
}

// searchFaults shows the form again with what is wrong with it.
func (s *Server) searchFaults(c *fiber.Ctx, form web.SearchForm, faults []disclosure.FieldError) error {
	o, _, _, err := s.overview(c.UserContext())
	if err != nil {
		return err
	}
	page := web.Search{Now: s.Now(), Asked: true, Form: form, Sectors: s.sectorTiles(o)}
	for _, f := range faults {
		page.Faults = append(page.Faults, formLabels[f.Field]+f.Message)
	}
	return s.sendFault(c, page)
}

// formLabels names the fields of the search form as it labels them.
var formLabels = map[string]string{"q": "检索词：", "sector": "领域：", "type": "公告类型：", "since": "发布日期：", "until": "发布日期：",
	"amount_min": "金额：", "amount_max": "金额：", "sort": "排序：", "open": "只看尚未截止的：", "cursor": "翻页："}

// getProjectPage shows a project's timeline.
//
//	@Summary	项目页
//	@Tags		页面
//	@Produce	html
//	@Param		code	path		string	true	"项目编号（须作 URL 编码）"
//	@Success	200		{string}	string
//	@Failure	404		{object}	Problem
//	@Router		/p/{code} [get]
func (s *Server) getProjectPage(c *fiber.Ctx) error {
	code, err := pathText(c, "*")
	if err != nil {
		return err
	}
	if code == "" || len(code) > 400 {
		return disclosure.Errorf(disclosure.CodeNoProject, "没有找到这个项目")
	}
	return s.answeredPage(c, "project/"+disclosure.ProjectKey(code), func(ctx context.Context) (*disclosure.Answer, error) {
		timeline, err := s.Reader.Project(ctx, code)
		if err != nil {
			return nil, err
		}
		now := s.Now()
		deadlines := web.Deadlines(disclosure.NoticePage{Items: timeline.Notices})
		return s.pageAnswer(web.Project{Now: now, ProjectTimeline: timeline}, timeline.Reading, web.Until(now, deadlines...))
	})
}

// getSubscribePage tells how to subscribe.
//
//	@Summary	订阅页
//	@Tags		页面
//	@Produce	html
//	@Success	200	{string}	string
//	@Router		/subscribe [get]
func (s *Server) getSubscribePage(c *fiber.Ctx) error {
	o, _, _, err := s.overview(c.UserContext())
	if err != nil {
		return err
	}
	page := web.Subscribe{Sectors: s.sectorTiles(o), Account: s.Pages.Account}
	if s.Pages.AccountURL != "" {
		if page.Account.QR, err = qrImage(s.Pages.AccountURL, page.Account.Name); err != nil {
			return err
		}
	}
	for _, tile := range page.Sectors {
		if tile.Code == c.Query("sector") {
			page.Sector = tile.Code
		}
	}
	policy := web.Policy
	if s.Pages.SDK != nil && strings.Contains(c.Get(fiber.HeaderUserAgent), "MicroMessenger") {
		signed, err := s.Pages.SDK.SignPage(c.UserContext(), s.PublicURL+string(c.Request().RequestURI()))
		if err != nil { // the QR code serves as well
			s.log.Warn("subscribe page not signed", "error", err)
		} else {
			page.SDK, policy = &signed, web.WeChatPolicy
		}
	}
	body, err := s.pages.Render(page)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store") // a signature is for one visit
	setPageHeaders(c.Context(), policy)
	c.Set(fiber.HeaderContentType, mediaHTML)
	return c.Send(body)
}

// qrImage draws a QR code as a picture within the page.
func qrImage(text, title string) (string, error) {
	svg, err := qrSVG(text, title)
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString(svg), err
}

// getAsset returns a style sheet, script or picture of the pages.
//
//	@Summary	页面的样式、脚本和图标
//	@Tags		页面
//	@Produce	text/css,text/javascript,image/svg+xml,image/png
//	@Param		file	path		string	true	"文件名，含内容的散列值"
//	@Success	200		{string}	string
//	@Failure	404		{object}	Problem
//	@Router		/assets/{file} [get]
func (s *Server) getAsset(c *fiber.Ctx) error {
	asset, exact, ok := web.FindAsset(c.Params("file"))
	if !ok {
		return disclosure.Errorf(disclosure.CodeNoRoute, "没有这个文件")
	}
	s.sendAsset(c, asset)
	if exact {
		c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	}
	return nil
}

// sendAsset writes an asset, compressed as well as can be: once for all readers.
func (s *Server) sendAsset(c *fiber.Ctx, asset web.Asset) {
	kept, _ := s.assets.LoadOrStore(asset.Hash, &disclosure.Answer{Type: asset.Type, ETag: `W/"` + asset.Hash + `"`, Body: asset.Body})
	a, _ := kept.(*disclosure.Answer) // nothing else is stored
	a.Encoded("br", func(b []byte) []byte { return brotliAt(b, brotli.BestCompression) })
	head := readHead(c.Context())
	writeAnswer(c.Context(), &head, a)
}

// getWorker returns the kiosk's service worker.
//
//	@Summary	自助终端的后台脚本
//	@Tags		页面
//	@Produce	text/javascript
//	@Success	200	{string}	string
//	@Router		/kiosk/sw.js [get]
func (s *Server) getWorker(c *fiber.Ctx) error {
	s.sendAsset(c, web.Worker())
	c.Set("Service-Worker-Allowed", "/kiosk")
	return nil
}

// isCode reports whether err is a refusal of the code.
func isCode(err error, code disclosure.Code) bool {
	return errors.Is(err, &disclosure.Error{Code: code})
}
