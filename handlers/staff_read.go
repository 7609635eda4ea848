package handlers

import (
	"encoding/json"
	"io"
	"mime/multipart"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// Draft documents what an editor sends; disclosure.Draft reads it.
type Draft struct {
	Type        string           `json:"type" example:"construction.tender_notice"`
	Title       string           `json:"title"`
	BodyHTML    string           `json:"body_html" validate:"optional"`
	Summary     *string          `json:"summary" validate:"optional" extensions:"x-nullable"`
	Body        string           `json:"body"`
	Source      DraftSource      `json:"source"`
	Fields      map[string]any   `json:"fields" validate:"optional"`
	Project     *Project         `json:"project" extensions:"x-nullable" validate:"optional"`
	Region      *string          `json:"region" validate:"optional" extensions:"x-nullable" example:"320902"`
	FormedAt    *string          `json:"formed_at" validate:"optional" extensions:"x-nullable"`
	DecidedAt   *string          `json:"decided_at" validate:"optional" extensions:"x-nullable"`
	Items       []string         `json:"items" validate:"optional" extensions:"x-nullable"`
	Attachments []string         `json:"attachments" validate:"optional"`
	Relations   []Relation       `json:"relations" validate:"optional"`
	Changes     *json.RawMessage `json:"changes,omitempty" validate:"optional" swaggertype:"object"`
}

// DraftSource is the source as entered.
type DraftSource struct {
	Name             string  `json:"name"`
	URL              *string `json:"url" extensions:"x-nullable"`
	FirstPublishedAt *string `json:"first_published_at" extensions:"x-nullable"`
}

// Upload is an uploaded file.
type Upload struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Type   string `json:"type"`
}

// Secrecy is the recorded review before publication.
type Secrecy struct {
	By     string  `json:"by"`
	Result string  `json:"result"`
	Reason *string `json:"reason" extensions:"x-nullable"`
	At     *string `json:"at" extensions:"x-nullable"`
}

// HistoryStep is one entry of a notice's history.
type HistoryStep struct {
	Action  string  `json:"action"`
	At      string  `json:"at"`
	By      string  `json:"by"`
	Comment *string `json:"comment" extensions:"x-nullable"`
	Rev     int     `json:"rev"`
}

// StaffNotice is a notice in any status, in the form of a draft plus its state.
type StaffNotice struct {
	ID            string          `json:"id"`
	Code          string          `json:"code"`
	Rev           int             `json:"rev"`
	Status        string          `json:"status"`
	StatusName    string          `json:"status_name"`
	Type          string          `json:"type"`
	TypeName      string          `json:"type_name"`
	Sector        string          `json:"sector"`
	Title         string          `json:"title"`
	BodyHTML      string          `json:"body_html"`
	Summary       *string         `json:"summary" extensions:"x-nullable"`
	Body          string          `json:"body"`
	BodyName      string          `json:"body_name"`
	Source        DraftSource     `json:"source"`
	Fields        map[string]any  `json:"fields"`
	Project       *Project        `json:"project" extensions:"x-nullable"`
	Region        *string         `json:"region" extensions:"x-nullable"`
	FormedAt      *string         `json:"formed_at" extensions:"x-nullable"`
	DecidedAt     *string         `json:"decided_at" extensions:"x-nullable"`
	Items         []string        `json:"items"`
	Attachments   []Upload        `json:"attachments"`
	Relations     []Relation      `json:"relations"`
	Changes       json.RawMessage `json:"changes" swaggertype:"object" extensions:"x-nullable"`
	Author        string          `json:"author"`
	Contributors  []string        `json:"contributors"`
	Reviewer      *string         `json:"reviewer" extensions:"x-nullable"`
	SecrecyReview *Secrecy        `json:"secrecy_review" extensions:"x-nullable"`
	CreatedAt     *string         `json:"created_at" extensions:"x-nullable"`
	UpdatedAt     *string         `json:"updated_at" extensions:"x-nullable"`
	PublishAt     *string         `json:"publish_at" extensions:"x-nullable"`
	PublishedAt   *string         `json:"published_at" extensions:"x-nullable"`
	WithdrawnAt   *string         `json:"withdrawn_at" extensions:"x-nullable"`
	Reason        *string         `json:"reason" extensions:"x-nullable"`
	Erased        bool            `json:"erased"`
	SupersededBy  *string         `json:"superseded_by" extensions:"x-nullable"`
	BaseRev       *int            `json:"base_rev" extensions:"x-nullable"`
	ContentSHA256 *string         `json:"content_sha256" extensions:"x-nullable"`
	History       []HistoryStep   `json:"history"`

	PrivacyOverride *PrivacyOverride `json:"privacy_override" extensions:"x-nullable"` // of this revision
	Purged          []PurgedPlace    `json:"purged"`                                   // the receipt of an erasure
}

// StaffJSON writes a notice for the people who work on it.
func StaffJSON(n disclosure.StaffNotice) StaffNotice {
	out := StaffNotice{ID: n.ID, Code: n.Code, Rev: n.Rev, Status: string(n.Status), StatusName: n.Status.Name(), Type: n.Type,
		TypeName: typeOf(n.Catalog, n.Type, n.TypeVersion).Name, Sector: n.SectorCode(), Title: n.Title, BodyHTML: n.BodyHTML,
		Summary: nullable(n.Summary), Body: n.Body, BodyName: n.Catalog.BodyName(n.Body),
		Source: DraftSource{n.Source.Name, nullable(n.Source.URL), instant(n.Source.FirstPublishedAt)},
		Fields: n.Fields, Region: nullable(n.Region), FormedAt: civil(n.FormedAt), DecidedAt: civil(n.DecidedAt),
		Items: orEmpty(n.Items), Attachments: []Upload{}, Relations: []Relation{}, Changes: n.Changes, Author: n.Author,
		Contributors: orEmpty(n.Contributors), Reviewer: nullable(n.Reviewer), CreatedAt: instant(n.CreatedAt),
		UpdatedAt: instant(n.UpdatedAt), PublishAt: instant(n.PublishAt), PublishedAt: instant(n.PublishedAt),
		WithdrawnAt: instant(n.WithdrawnAt), Reason: nullable(n.Reason), Erased: n.Erased, SupersededBy: nullable(n.SupersededBy),
		ContentSHA256: nullable(n.ContentSHA256), History: []HistoryStep{}}
	if n.Project != nil {
		out.Project = &Project{n.Project.Code, n.Project.Name}
	}
	if n.BaseRev > 0 {
		out.BaseRev = &n.BaseRev
	}
	if !n.Secrecy.At.IsZero() {
		out.SecrecyReview = &Secrecy{n.Secrecy.By, n.Secrecy.Result, nullable(n.Secrecy.Reason), instant(n.Secrecy.At)}
	}
	guardJSON(&out, n)
	for _, f := range n.Attachments {
		out.Attachments = append(out.Attachments, Upload(f))
	}
	for _, r := range n.Relations {
		out.Relations = append(out.Relations, Relation{string(r.Type), r.ID})
	}
	for _, st := range n.Steps {
		out.History = append(out.History, HistoryStep{string(st.Action), disclosure.FormatInstant(st.At), st.By, nullable(st.Comment), st.Rev})
	}
	return out
}

// StaffNoticeList is a page of notices in any status.
type StaffNoticeList struct {
	Items       []StaffNotice `json:"items"`
	Next        *string       `json:"next" extensions:"x-nullable"`
	Total       int           `json:"total"`
	TotalCapped bool          `json:"total_capped"`
	AsOf        string        `json:"as_of"`
}

// listStaffNotices lists notices in any status, last changed first.
//
//	@Summary	经办公告列表
//	@Tags		经办
//	@Security	Bearer
//	@Param		status	query		string	false	"状态"
//	@Param		mine	query		bool	false	"只看本人参与录入的"
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	StaffNoticeList
//	@Router		/api/v1/staff/notices [get]
func (s *Server) listStaffNotices(c *fiber.Ctx) error {
	p := readParams(c, "status", "mine", "limit", "cursor")
	actor := actorOf(c)
	q := disclosure.StaffQuery{Bodies: actor.Bodies, Limit: p.limit(disclosure.DefaultLimit), Status: disclosure.Status(
		p.oneOf("status", "状态", func(v string) bool { return disclosure.Status(v).Name() != v }))}
	mine := p.boolean("mine")
	if mine {
		q.Mine = actor.Name
	}
	list := "staff?status=" + string(q.Status) + "&mine=" + strconv.FormatBool(mine)
	q.After = p.cursor(list)
	if err := p.err(); err != nil {
		return err
	}
	page, err := s.Desk.StaffList(c.UserContext(), q)
	if err != nil {
		return err
	}
	out := StaffNoticeList{Items: []StaffNotice{}, Total: page.Total, TotalCapped: page.TotalCapped, AsOf: disclosure.FormatInstant(s.Now())}
	for _, n := range page.Items {
		out.Items = append(out.Items, StaffJSON(disclosure.StaffNotice{Reading: page.Reading, Notice: n.SeenBy(actor)}))
	}
	if page.More {
		last := page.Items[len(page.Items)-1]
		code, err := strconv.ParseInt(last.Code, 10, 64)
		if err != nil {
			return err
		}
		next := disclosure.Cursor{A: last.UpdatedAt.UnixMilli(), B: code}.Encode(list)
		out.Next = &next
	}
	return sendJSON(c, out)
}

// Check is one finding of the review before publication.
type Check struct {
	Field   string  `json:"field"`
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Rule    *string `json:"rule" extensions:"x-nullable"`
	Warning bool    `json:"warning"`
}

// Preview is what a notice would look like, and what the review finds.
type Preview struct {
	Notice Notice  `json:"notice"`
	Spoken Spoken  `json:"spoken"`
	Checks []Check `json:"checks"`
	Phone  Screen  `json:"phone"`
	Kiosk  Screen  `json:"kiosk"`
	// Card is the notice as a WeChat card, in every template; PushCount is how
	// many people would get it, at least that many when it is not exact.
	Card           []CardView `json:"card"`
	PushCount      *int       `json:"push_count" extensions:"x-nullable"`
	PushCountExact bool       `json:"push_count_exact"`
}

// previewNotice shows a notice as the public would read it.
//
//	@Summary	发布前预览
//	@Tags		经办
//	@Security	Bearer
//	@Param		id	path		string	true	"公告的 id"
//	@Success	200	{object}	Preview
//	@Router		/api/v1/staff/notices/{id}/preview [get]
func (s *Server) previewNotice(c *fiber.Ctx) error {
	n, err := s.staffNotice(c)
	if err != nil {
		return err
	}
	t := typeOf(n.Catalog, n.Type, n.TypeVersion)
	shown := n.Notice
	shown.Content = n.Masked(t)
	sum, err := shown.ContentSHA256()
	if err != nil {
		return err
	}
	asPublished := shown
	asPublished.Status, asPublished.PublishedAt = disclosure.StatusPublished, s.Now()
	detail := disclosure.NoticeDetail{Reading: n.Reading, Notice: shown, ContentSHA256: sum, Deadlines: n.Catalog.Deadlines(asPublished)}
	out := Preview{Notice: noticeJSON(detail), Spoken: spokenNotice(detail), Checks: []Check{}}
	checks, err := s.Publisher.Checks(c.UserContext(), n)
	if err != nil {
		return err
	}
	for _, f := range checks {
		out.Checks = append(out.Checks, Check{f.Field, f.Code, f.Message, nullable(f.Rule), f.Warning})
	}
	if out.Phone, out.Kiosk, err = s.previewScreens(n.Reading, shown, sum); err != nil {
		return err
	}
	var push PushPreview
	if out.Card, push, err = s.pushPreview(c.UserContext(), n); err != nil {
		return err
	}
	out.PushCount, out.PushCountExact = push.Count, push.Exact
	return sendJSON(c, out)
}

// uploadFile keeps a file for a draft.
//
//	@Summary	上传附件
//	@Tags		经办
//	@Security	Bearer
//	@Accept		multipart/form-data
//	@Param		file	formData	file	true	"文件，不超过 20 MB"
//	@Success	201		{object}	Upload
//	@Router		/api/v1/staff/attachments [post]
func (s *Server) uploadFile(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	form, err := c.MultipartForm()
	if err != nil {
		return disclosure.Errorf(disclosure.CodeMediaType, "请用 multipart/form-data 上传，文件放在 file 字段").On("file")
	}
	defer func() { _ = form.RemoveAll() }()
	if len(form.File["file"]) != 1 || len(form.File) != 1 || len(form.Value) != 0 {
		return disclosure.Errorf(disclosure.CodeUnknown, "请在 file 字段中上传一个文件，不带其他字段").On("file")
	}
	head := form.File["file"][0]
	data, err := readFile(head)
	if err != nil {
		return disclosure.Errorf(disclosure.CodeMediaType, "上传的文件不完整").On("file")
	}
	f, err := s.Publisher.Upload(c.UserContext(), actorOf(c), head.Filename, data)
	if err != nil {
		return err
	}
	c.Status(fiber.StatusCreated)
	return sendJSON(c, Upload(f))
}

func readFile(head *multipart.FileHeader) ([]byte, error) {
	f, err := head.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxUploadBytes))
}
