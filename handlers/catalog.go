package handlers

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// Counts says how much of a sector is public.
type Counts struct {
	Published  int `json:"published"`
	Last30Days int `json:"last_30_days"`
}

// Sector is a field of public-resource allocation.
type Sector struct {
	Code            string  `json:"code"`
	Name            string  `json:"name"`
	Bodies          []Named `json:"bodies"`
	Counts          Counts  `json:"counts"`
	LastPublishedAt *string `json:"last_published_at" extensions:"x-nullable"`
	NewestTitle     *string `json:"newest_title" extensions:"x-nullable"`
}

// SectorList lists the sectors.
type SectorList struct {
	Items       []Sector `json:"items"`
	Next        *string  `json:"next" extensions:"x-nullable"`
	Total       int      `json:"total"`
	TotalCapped bool     `json:"total_capped"`
	AsOf        string   `json:"as_of"`
}

// recentDays is what last_30_days counts, today included.
const recentDays = 30

// overview reads the counts; they hold until the day ends.
func (s *Server) overview(ctx context.Context) (o disclosure.Overview, today workday.Date, until time.Time, err error) {
	today = workday.DateOf(s.Now())
	o, err = s.Reader.Overview(ctx, today.AddDays(1-recentDays))
	return o, today, today.AddDays(1).Start(), err
}

func sectorsJSON(o disclosure.Overview, today workday.Date) []Sector {
	out := []Sector{}
	for _, sector := range o.Catalog.Sectors {
		if !sector.On(today) {
			continue
		}
		n := o.Sectors[sector.Code]
		row := Sector{Code: sector.Code, Name: sector.Name, Bodies: sectorBodies(o.Catalog, sector.Code),
			Counts: Counts{n.Published, n.Last30Days}, LastPublishedAt: instant(n.LastAt)}
		if n.Newest != nil {
			row.NewestTitle = &n.Newest.Title
		}
		out = append(out, row)
	}
	return out
}

// sectorBodies lists the bodies that the sector's catalogue items name.
func sectorBodies(c *disclosure.Catalog, sector string) []Named {
	out := []Named{}
	for _, item := range c.Items {
		if item.Sector != sector {
			continue
		}
		for _, b := range namesOf(c, item.Bodies) {
			if !slices.Contains(out, b) {
				out = append(out, b)
			}
		}
	}
	return out
}

func namesOf(c *disclosure.Catalog, ids []string) []Named {
	out := make([]Named, len(ids))
	for i, id := range ids {
		out[i] = Named{id, c.BodyName(id)}
	}
	return out
}

// listSectors lists the sectors with what they hold.
//
//	@Summary	领域
//	@Tags		目录
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	SectorList
//	@Router		/api/v1/sectors [get]
func (s *Server) listSectors(c *fiber.Ctx) error {
	pg, err := readPaging(c, "sectors", disclosure.MaxLimit)
	if err != nil {
		return err
	}
	return s.answered(c, pg.key(), func(ctx context.Context) (*disclosure.Answer, error) {
		o, today, until, err := s.overview(ctx)
		if err != nil {
			return nil, err
		}
		all := sectorsJSON(o, today)
		items, next := cutPage(pg, all)
		return untilDay(until)(jsonAnswer(SectorList{Items: items, Next: next, Total: len(all),
			AsOf: disclosure.FormatInstant(s.Now())}, o.Reading))
	})
}

// untilDay sets the end of an answer's truth.
func untilDay(until time.Time) func(*disclosure.Answer, error) (*disclosure.Answer, error) {
	return func(a *disclosure.Answer, err error) (*disclosure.Answer, error) {
		if err == nil {
			a.Until = until
		}
		return a, err
	}
}

// Home is what a first screen needs in one call.
type Home struct {
	Sectors   []Sector  `json:"sectors"`
	Newest    []Summary `json:"newest"`
	Deadlines []Summary `json:"deadlines"`
	AsOf      string    `json:"as_of"`
}

const homeRows = 10

// getHome returns what a first screen needs.
//
//	@Summary	首屏：各领域、最新公告、即将截止
//	@Tags		公告
//	@Success	200	{object}	Home
//	@Router		/api/v1/home [get]
func (s *Server) getHome(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	return s.answered(c, "home", func(ctx context.Context) (*disclosure.Answer, error) {
		o, today, until, err := s.overview(ctx)
		if err != nil {
			return nil, err
		}
		now := s.Now()
		newest, err := s.Reader.Notices(ctx, disclosure.NoticeQuery{Limit: homeRows, Sort: disclosure.SortPublished}, now)
		if err != nil {
			return nil, err
		}
		closing, err := s.Reader.Notices(ctx, disclosure.NoticeQuery{Limit: homeRows, Sort: disclosure.SortDeadline, Open: true}, now)
		if err != nil {
			return nil, err
		}
		if !closing.Until.IsZero() && closing.Until.Before(until) {
			until = closing.Until
		}
		return untilDay(until)(jsonAnswer(Home{Sectors: sectorsJSON(o, today), Newest: summariesJSON(newest.Catalog, newest.Items),
			Deadlines: summariesJSON(closing.Catalog, closing.Items), AsOf: disclosure.FormatInstant(now)}, o.Reading))
	})
}

// Contact is where the public complains.
type Contact struct {
	Name  *string `json:"name" extensions:"x-nullable"`
	Phone *string `json:"phone" extensions:"x-nullable"`
}

// CatalogItem is one duty of the disclosure catalogue.
type CatalogItem struct {
	ID              string       `json:"id" example:"A1-04"`
	Annex           int          `json:"annex"`
	Seq             int          `json:"seq"`
	Sector          string       `json:"sector"`
	Category        string       `json:"category"`
	Subcategory     *string      `json:"subcategory" extensions:"x-nullable"`
	Content         string       `json:"content"`
	Note            *string      `json:"note" extensions:"x-nullable"`
	Attribute       string       `json:"attribute"`
	Bodies          []Named      `json:"bodies"`
	BodiesText      *string      `json:"bodies_text" extensions:"x-nullable"`
	OpenEnded       bool         `json:"open_ended"`
	Stage           string       `json:"stage"`
	StageName       string       `json:"stage_name"`
	TimeLimit       *string      `json:"time_limit" extensions:"x-nullable"`
	Basis           *string      `json:"basis" extensions:"x-nullable"`
	Channel         *string      `json:"channel" extensions:"x-nullable"`
	Duty            *string      `json:"duty" extensions:"x-nullable"`
	Supervision     Contact      `json:"supervision"`
	NoticeTypes     []string     `json:"notice_types"`
	PublishedCount  int          `json:"published_count"`
	LastPublishedAt *string      `json:"last_published_at" extensions:"x-nullable"`
	Coverage        ItemCoverage `json:"coverage"`
	ValidFrom       *string      `json:"valid_from" extensions:"x-nullable"`
	ValidTo         *string      `json:"valid_to" extensions:"x-nullable"`
}

// CatalogList is a page of the catalogue.
type CatalogList struct {
	Items       []CatalogItem `json:"items"`
	Next        *string       `json:"next" extensions:"x-nullable"`
	Total       int           `json:"total"`
	TotalCapped bool          `json:"total_capped"`
	Coverage    CoverageSum   `json:"coverage"`
	AsOf        string        `json:"as_of"`
}

func itemJSON(o disclosure.Coverage, i disclosure.CatalogItem, today workday.Date) CatalogItem {
	n := o.Items[i.ID]
	return CatalogItem{ID: i.ID, Annex: i.Annex, Seq: i.Seq, Sector: i.Sector, Category: i.Category,
		Subcategory: nullable(i.Subcategory), Content: i.Content, Note: nullable(i.Note), Attribute: i.Attribute,
		Bodies: namesOf(o.Catalog, i.Bodies), BodiesText: nullable(i.BodiesText), OpenEnded: i.OpenEnded,
		Stage: string(i.Stage), StageName: i.Stage.Name(), TimeLimit: nullable(i.TimeLimit), Basis: nullable(i.Basis),
		Channel: nullable(i.Channel), Duty: nullable(string(i.Duty)),
		Supervision: Contact{nullable(i.Supervision.Name), nullable(i.Supervision.Phone)},
		NoticeTypes: o.Catalog.TypesFulfilling(i.ID, today), PublishedCount: n.Published, LastPublishedAt: instant(n.LastAt),
		Coverage: coverageJSON(o, i, today), ValidFrom: civil(i.ValidFrom), ValidTo: civil(i.ValidTo)}
}

// CatalogParams documents the query of the catalogue.
type CatalogParams struct {
	Annex  int    `form:"annex" validate:"optional" example:"1"`                                         // 附件序号
	Sector string `form:"sector" validate:"optional" example:"construction"`                             // 领域
	Body   string `form:"body" validate:"optional"`                                                      // 公开主体
	Stage  string `form:"stage" validate:"optional" enums:"decision,execution,oversight,service,result"` // 环节
	PageParams
}

// listCatalog lists the catalogue of what must be public.
//
//	@Summary	公开事项目录
//	@Tags		目录
//	@Param		query	query		CatalogParams	false	"条件"
//	@Success	200		{object}	CatalogList
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/catalog [get]
func (s *Server) listCatalog(c *fiber.Ctx) error {
	catalog := s.Cache.Catalog()
	p := readParams(c, "annex", "sector", "body", "stage", "limit", "cursor")
	annex := p.oneOf("annex", "附件", func(v string) bool {
		return slices.ContainsFunc(catalog.Items, func(i disclosure.CatalogItem) bool { return strconv.Itoa(i.Annex) == v })
	})
	sector := p.oneOf("sector", "领域", func(v string) bool { _, err := catalog.Sector(v); return err == nil })
	body := p.oneOf("body", "公开主体", func(v string) bool { _, err := catalog.Body(v); return err == nil })
	stage := p.stage("stage")
	pg := paging{list: "catalog"}
	for _, f := range [][2]string{{"annex", annex}, {"sector", sector}, {"body", body}, {"stage", string(stage)}} {
		pg.filter(f[0], f[1])
	}
	pg.finish(p, disclosure.MaxLimit)
	if err := p.err(); err != nil {
		return err
	}
	return s.answered(c, pg.key(), func(ctx context.Context) (*disclosure.Answer, error) {
		o, today, until, err := s.coverage(ctx)
		if err != nil {
			return nil, err
		}
		found := slices.DeleteFunc(slices.Clone(o.Catalog.Items), func(i disclosure.CatalogItem) bool {
			return annex != "" && strconv.Itoa(i.Annex) != annex || sector != "" && i.Sector != sector ||
				body != "" && !slices.Contains(i.Bodies, body) || stage != "" && i.Stage != stage
		})
		rows, next := cutPage(pg, found)
		out := CatalogList{Items: []CatalogItem{}, Next: next, Total: len(found), Coverage: coverageSum(o, found, today),
			AsOf: disclosure.FormatInstant(s.Now())}
		for _, i := range rows {
			out.Items = append(out.Items, itemJSON(o, i, today))
		}
		return untilDay(until)(jsonAnswer(out, o.Reading))
	})
}

// CatalogDetail is one catalogue item with its newest notices.
type CatalogDetail struct {
	CatalogItem
	Notices []Summary `json:"notices"`
}

// getCatalogItem returns one catalogue item.
//
//	@Summary	公开事项详情
//	@Tags		目录
//	@Param		id	path		string	true	"事项编号，如 A1-04"
//	@Success	200	{object}	CatalogDetail
//	@Failure	404	{object}	Problem
//	@Router		/api/v1/catalog/{id} [get]
func (s *Server) getCatalogItem(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	id, err := definitionID(c)
	if err != nil {
		return err
	}
	id = strings.ToUpper(id)
	return s.answered(c, "catalog/"+id, func(ctx context.Context) (*disclosure.Answer, error) {
		o, today, until, err := s.coverage(ctx)
		if err != nil {
			return nil, err
		}
		item, err := o.Catalog.Item(id)
		if err != nil {
			return nil, err
		}
		page, err := s.Reader.Notices(ctx, disclosure.NoticeQuery{Item: id, Limit: homeRows, Sort: disclosure.SortPublished}, s.Now())
		if err != nil {
			return nil, err
		}
		return untilDay(until)(jsonAnswer(CatalogDetail{itemJSON(o, *item, today), summariesJSON(page.Catalog, page.Items)}, o.Reading))
	})
}

// getCatalogCSV returns the catalogue for download and print.
//
//	@Summary	公开事项目录（下载）
//	@Tags		目录
//	@Produce	text/csv
//	@Success	200	{file}	file	"UTF-8，带 BOM，Excel 可直接打开"
//	@Router		/api/v1/catalog.csv [get]
func (s *Server) getCatalogCSV(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	return s.answered(c, "catalog.csv", func(ctx context.Context) (*disclosure.Answer, error) {
		o, today, until, err := s.coverage(ctx)
		if err != nil {
			return nil, err
		}
		body, err := catalogCSV(o, today)
		if err != nil {
			return nil, err
		}
		return &disclosure.Answer{Type: "text/csv; charset=utf-8", Disposition: disposition("亭湖区公开事项目录.csv"),
			ETag: etagOf(body), Body: body, Position: o.Position, Until: until}, nil
	})
}

func catalogCSV(o disclosure.Coverage, today workday.Date) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	rows := [][]string{{"事项编号", "附件", "序号", "领域", "信息类别", "信息子类", "信息内容", "备注", "公开属性", "公开主体", "环节", "公开时限",
		"公开依据", "公开渠道", "责任依据", "监督单位", "监督电话", "公告类型", "已公开数量", "最近公开时间",
		"公开情况", "首次公开时间", "按时公开", "逾期公开", "尚未公开的主体"}}
	for _, item := range o.Catalog.Items {
		i := itemJSON(o, item, today)
		sector, last := i.Sector, ""
		if named, err := o.Catalog.Sector(i.Sector); err == nil {
			sector = named.Name
		}
		if i.LastPublishedAt != nil {
			last = *i.LastPublishedAt
		}
		rows = append(rows, []string{i.ID, strconv.Itoa(i.Annex), strconv.Itoa(i.Seq), sector, i.Category, item.Subcategory, i.Content,
			item.Note, i.Attribute, namesText(i.Bodies), i.StageName, item.TimeLimit, item.Basis, item.Channel,
			dutyNames[item.Duty], item.Supervision.Name, item.Supervision.Phone, strings.Join(i.NoticeTypes, " "),
			strconv.Itoa(i.PublishedCount), last, coverageNames[i.Coverage.Status], deref(i.Coverage.Since),
			strconv.Itoa(i.Coverage.OnTime), strconv.Itoa(i.Coverage.Late), namesText(i.Coverage.MissingBodies)})
	}
	for _, row := range rows {
		for n := range row {
			row[n] = plainCell(row[n])
		}
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("handlers: catalogue as CSV: %w", err)
	}
	return b.Bytes(), nil
}

var coverageNames = map[string]string{string(disclosure.Covered): "已公开", string(disclosure.CoveredPartly): "部分公开",
	string(disclosure.CoverageMissed): "未公开"}

func namesText(list []Named) string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.Name
	}
	return strings.Join(names, "、")
}

var dutyNames = map[disclosure.Duty]string{disclosure.DutyApprover: "谁批准谁公开",
	disclosure.DutyImplementer: "谁实施谁公开", disclosure.DutyMaker: "谁制作谁公开"}

// plainCell keeps a spreadsheet from taking text, or a line of it, for a
// formula; some take full-width signs too.
func plainCell(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		trimmed := strings.TrimLeft(line, " \u00a0\u3000\ufeff")
		if first, _ := utf8.DecodeRuneInString(trimmed); trimmed != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", first) {
			lines[i] = "'" + line
		}
	}
	return strings.Join(lines, "\n")
}
