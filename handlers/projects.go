package handlers

import (
	"context"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// ProjectStage groups a project's notices of one stage.
type ProjectStage struct {
	Stage   string    `json:"stage"`
	Name    string    `json:"name"`
	Notices []Summary `json:"notices"`
}

// DueLink is a deadline of a project with the notice it comes from.
type DueLink struct {
	Deadline
	Notice NoticeName `json:"notice"`
}

// NoticeName points to a notice.
type NoticeName struct {
	ID       string `json:"id"`
	Code     string `json:"code"`
	Title    string `json:"title"`
	TypeName string `json:"type_name"`
}

func dueLink(c *disclosure.Catalog, d disclosure.NoticeDeadline) DueLink {
	return DueLink{deadlineJSON(d.Deadline),
		NoticeName{d.Notice.ID, d.Notice.Code, d.Notice.Title, typeOf(c, d.Notice.Type, d.Notice.TypeVersion).Name}}
}

// ProjectCode is one official code of a project, by what its form says.
type ProjectCode struct {
	Code   string  `json:"code"`
	Kind   *string `json:"kind" enums:"project,tender,section,investment,trade" extensions:"x-nullable"`
	Region *string `json:"region" extensions:"x-nullable"`
}

// ProjectTimeline is a project from approval to performance. next_deadline is
// the due_at of next, and status a sentence for people.
type ProjectTimeline struct {
	Code         string         `json:"code"`
	Name         string         `json:"name"`
	Sector       string         `json:"sector"`
	Stages       []ProjectStage `json:"stages"`
	CurrentStage string         `json:"current_stage"`
	Status       string         `json:"status"`
	NextDeadline *string        `json:"next_deadline" extensions:"x-nullable"`
	Next         *DueLink       `json:"next" extensions:"x-nullable"`
	Deadlines    []DueLink      `json:"deadlines"`
	Codes        []ProjectCode  `json:"codes"`
}

// getProject returns a project with all its public notices.
//
//	@Summary	项目全流程
//	@Tags		项目
//	@Param		code	path		string	true	"项目、招标项目、标段编号或投资项目统一代码（须作 URL 编码）"
//	@Success	200		{object}	ProjectTimeline
//	@Failure	404		{object}	Problem
//	@Failure	409		{object}	Problem	"对应多个项目"
//	@Router		/api/v1/projects/{code} [get]
func (s *Server) getProject(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	code, err := url.PathUnescape(c.Params("*"))
	if err != nil || code == "" || len(code) > 400 {
		return disclosure.Errorf(disclosure.CodeNoProject, "没有找到这个项目")
	}
	return s.answered(c, projectKey(code), s.fillProject(code))
}

func projectKey(code string) string { return "project/" + disclosure.ProjectKey(code) }

func (s *Server) fillProject(code string) func(context.Context) (*disclosure.Answer, error) {
	return func(ctx context.Context) (*disclosure.Answer, error) {
		p, err := s.Reader.Project(ctx, code)
		if err != nil {
			return nil, err
		}
		out, until := projectJSON(p, s.Now())
		return untilDay(until)(jsonAnswer(out, p.Reading))
	}
}

// projectJSON writes a project as it stands now, until its next deadline passes.
func projectJSON(p disclosure.ProjectTimeline, now time.Time) (out ProjectTimeline, until time.Time) {
	last := p.Notices[len(p.Notices)-1]
	out = ProjectTimeline{Code: p.Code, Name: p.Name, Sector: last.Sector(), Stages: []ProjectStage{}, Deadlines: []DueLink{},
		CurrentStage: string(typeOf(p.Catalog, last.Type, last.TypeVersion).Stage), Status: p.StatusText(now), Codes: projectCodes(p)}
	for _, stage := range disclosure.Stages {
		group := ProjectStage{Stage: string(stage.Stage), Name: stage.Name, Notices: []Summary{}}
		for _, n := range p.Notices {
			if typeOf(p.Catalog, n.Type, n.TypeVersion).Stage == stage.Stage {
				group.Notices = append(group.Notices, summaryJSON(p.Catalog, n))
			}
		}
		if len(group.Notices) > 0 {
			out.Stages = append(out.Stages, group)
		}
	}
	for _, d := range p.Deadlines {
		out.Deadlines = append(out.Deadlines, dueLink(p.Catalog, d))
	}
	if next, ok := p.Next(now); ok {
		until = next.DueAt
		link := dueLink(p.Catalog, next)
		out.Next = &link
		out.NextDeadline = &out.Next.DueAt
	}
	return out, until
}

func projectCodes(p disclosure.ProjectTimeline) []ProjectCode {
	out := []ProjectCode{}
	for _, text := range append([]string{p.Code}, p.Codes...) {
		code := disclosure.ReadCode(text)
		out = append(out, ProjectCode{text, nullable(string(code.Kind)), nullable(code.Region)})
	}
	return out
}

// Candidate is one project that an inquiry may mean.
type Candidate struct {
	Code            string  `json:"code"`
	Name            string  `json:"name"`
	Sector          string  `json:"sector"`
	CurrentStage    string  `json:"current_stage"`
	NoticesCount    int     `json:"notices_count"`
	LastTitle       string  `json:"last_title"`
	LastTypeName    string  `json:"last_type_name"`
	LastPublishedAt *string `json:"last_published_at" extensions:"x-nullable"`
}

// CandidateList answers an inquiry: matched_by says whether a code or words of
// the name were found. More than one item is for the asker to choose from.
type CandidateList struct {
	Items       []Candidate `json:"items"`
	Next        *string     `json:"next" extensions:"x-nullable"`
	Total       int         `json:"total"`
	TotalCapped bool        `json:"total_capped"`
	MatchedBy   *string     `json:"matched_by" enums:"code,name" extensions:"x-nullable"`
	AsOf        string      `json:"as_of"`
}

// CandidateParams documents the inquiry.
type CandidateParams struct {
	Q string `form:"q" validate:"optional" example:"盐东镇道路"` // 项目、标段、公告编号或项目名称中的词；不写则为最近有公告的项目
	PageParams
}

// listProjects answers after which projects somebody may be asking.
//
//	@Summary	项目进度查询
//	@Tags		项目
//	@Param		query	query		CandidateParams	true	"条件"
//	@Success	200		{object}	CandidateList
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/projects [get]
func (s *Server) listProjects(c *fiber.Ctx) error {
	p := readParams(c, "q", "limit", "cursor")
	q := p.text("q", 100)
	pg := paging{list: "projects"}
	pg.filter("q", disclosure.Normalize(q))
	pg.finish(p, disclosure.DefaultLimit)
	if err := p.err(); err != nil {
		return err
	}
	return s.answered(c, pg.key(), func(ctx context.Context) (*disclosure.Answer, error) {
		page, err := s.Reader.FindProjects(ctx, q)
		if err != nil {
			return nil, err
		}
		rows, next := cutPage(pg, page.Items)
		out := CandidateList{Items: []Candidate{}, Next: next, Total: len(page.Items), TotalCapped: page.More,
			AsOf: disclosure.FormatInstant(s.Now())}
		if len(page.Items) > 0 {
			out.MatchedBy = nullable(map[bool]string{true: "code", false: "name"}[page.ByCode])
		}
		for _, r := range rows {
			t := typeOf(page.Catalog, r.Newest.Type, r.Newest.TypeVersion)
			out.Items = append(out.Items, Candidate{r.Code, r.Name, r.Sector, string(t.Stage), r.Notices, r.Newest.Title, t.Name,
				instant(r.Newest.PublishedAt)})
		}
		return jsonAnswer(out, page.Reading)
	})
}
