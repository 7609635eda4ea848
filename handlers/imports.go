package handlers

import (
	"context"
	"mime/multipart"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// importTimeout bounds the check of a file and its commit: fifty thousand rows
// take seconds.
const importTimeout = time.Minute

const importPath = "/api/v1/staff/imports"

const mediaXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// Importer checks files and tells what it found.
type Importer interface {
	Template(ctx context.Context, a disclosure.Actor, code string) (name string, data []byte, err error)
	Send(ctx context.Context, a disclosure.Actor, name, typ string, data []byte) (disclosure.Import, error)
	Get(ctx context.Context, a disclosure.Actor, id string) (disclosure.Import, error)
}

// ImportSteps writes what was checked, marks what was wrong and takes back what
// was written.
type ImportSteps interface {
	Annotated(ctx context.Context, a disclosure.Actor, id string) ([]byte, error)
	Commit(ctx context.Context, r disclosure.Request, id string, ack disclosure.Acknowledgement, submit bool) (disclosure.Import, error)
	Undo(ctx context.Context, r disclosure.Request, id string) (disclosure.Import, error)
}

// Imports is what the staff's import needs.
type Imports interface {
	Importer
	ImportSteps
}

func (s *Server) routeImports(app *fiber.App, read, write fiber.Handler) {
	s.add(app, fiber.MethodGet, "/api/v1/staff/templates/:file", read, s.getTemplate)
	s.add(app, fiber.MethodPost, importPath, write, s.patient, s.sendImport)
	s.add(app, fiber.MethodGet, importPath+"/:id", read, s.getImport)
	s.add(app, fiber.MethodGet, importPath+"/:id/issues.xlsx", read, s.patient, s.getImportIssues)
	s.add(app, fiber.MethodPost, importPath+"/:id/commit", write, s.patient, s.commitImport)
	s.add(app, fiber.MethodPost, importPath+"/:id/undo", write, s.patient, s.undoImport)
}

// patient gives a handler more time than the usual deadline.
func (s *Server) patient(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(context.Background(), importTimeout) //nolint:forbidigo // it outlives the request
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

// ImportIssue is one thing wrong with one cell or row of a file.
type ImportIssue struct {
	Severity string  `json:"severity" example:"error"`
	Sheet    *string `json:"sheet" extensions:"x-nullable"`
	Row      *int    `json:"row" extensions:"x-nullable"`
	Col      *string `json:"col" extensions:"x-nullable" example:"D"`
	Field    *string `json:"field" extensions:"x-nullable" example:"fields.bid_deadline"`
	Code     string  `json:"code" example:"datetime.invalid"`
	Value    *string `json:"value" extensions:"x-nullable"`
	Message  string  `json:"message"`
	Hint     *string `json:"hint" extensions:"x-nullable"`
	Rule     *string `json:"rule" extensions:"x-nullable"`
}

// ImportRows counts the notices of a file.
type ImportRows struct {
	Total    int `json:"total"`
	New      int `json:"new"`
	Changed  int `json:"changed"`
	Same     int `json:"same"`
	Warnings int `json:"warnings"`
	Errors   int `json:"errors"`
}

// ImportCounts counts the issues of a file; the list may be shorter.
type ImportCounts struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
}

// Import is a file on its way to submitted drafts.
type Import struct {
	ID        string        `json:"id"`
	State     string        `json:"state" example:"checked"`
	StateName string        `json:"state_name"`
	Format    string        `json:"format" example:"xlsx"`
	Name      *string       `json:"name" extensions:"x-nullable"`
	Type      *string       `json:"type" extensions:"x-nullable"`
	SHA256    string        `json:"sha256"`
	Size      int64         `json:"size"`
	By        string        `json:"by"`
	At        *string       `json:"at" extensions:"x-nullable"`
	ClosedAt  *string       `json:"closed_at" extensions:"x-nullable"`
	ExpiresAt *string       `json:"expires_at" extensions:"x-nullable"`
	Rows      ImportRows    `json:"rows"`
	Counts    ImportCounts  `json:"counts"`
	Issues    []ImportIssue `json:"issues"`
	Notices   []string      `json:"notices"`
}

func importJSON(i disclosure.Import) Import {
	out := Import{ID: i.ID, State: string(i.State), StateName: i.State.Name(), Format: i.Format, Name: nullable(i.Name),
		Type: nullable(i.Type), SHA256: i.SHA256, Size: i.Size, By: i.By.Name, At: instant(i.At), ClosedAt: instant(i.ClosedAt),
		Rows: ImportRows(i.Rows), Issues: []ImportIssue{}, Notices: orEmpty(i.Notices),
		Counts: ImportCounts{i.IssueCounts[disclosure.SeverityError], i.IssueCounts[disclosure.SeverityWarning], i.IssueCounts[disclosure.SeverityNote]}}
	if !i.Purged {
		out.ExpiresAt = instant(i.At.Add(disclosure.ImportTTL))
	}
	for _, x := range i.Issues {
		issue := ImportIssue{string(x.Severity), nullable(x.Sheet), nil, nullable(x.Col), nullable(x.Field), x.Code, nullable(x.Value),
			x.Message, nullable(x.Hint), nullable(x.Rule)}
		if x.Row > 0 {
			issue.Row = &x.Row
		}
		out.Issues = append(out.Issues, issue)
	}
	return out
}

// getTemplate makes the workbook in which notices of a type are entered.
//
//	@Summary	导入模板
//	@Tags		导入
//	@Security	Bearer
//	@Produce	application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
//	@Param		file	path		string	true	"公告类型的代码加 .xlsx，如 construction.tender_notice.xlsx"
//	@Success	200		{file}		file
//	@Failure	404		{object}	Problem
//	@Router		/api/v1/staff/templates/{file} [get]
func (s *Server) getTemplate(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	code, ok := strings.CutSuffix(strings.Clone(c.Params("file")), ".xlsx")
	if !ok {
		return disclosure.Errorf(disclosure.CodeNoRoute, "模板的地址以 .xlsx 结尾，如 construction.tender_notice.xlsx")
	}
	name, data, err := s.Imports.Template(c.UserContext(), actorOf(c), code)
	if err != nil {
		return err
	}
	return sendXLSX(c, name, data)
}

func sendXLSX(c *fiber.Ctx, name string, data []byte) error {
	c.Set(fiber.HeaderContentType, mediaXLSX)
	c.Set(fiber.HeaderContentDisposition, disposition(name))
	return c.Send(data)
}

// sendImport checks a file and keeps it for a day; nothing is written yet.
//
//	@Summary	上传导入文件并检查（xlsx、csv 或 JSON Lines），不写入公告
//	@Tags		导入
//	@Security	Bearer
//	@Accept		multipart/form-data
//	@Param		file	formData	file	true	"文件，不超过 20 MB"
//	@Param		type	formData	string	false	"公告类型的代码；用模板时不必填"
//	@Success	201		{object}	Import
//	@Router		/api/v1/staff/imports [post]
func (s *Server) sendImport(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	form, err := c.MultipartForm()
	if err != nil {
		return disclosure.Errorf(disclosure.CodeMediaType, "请用 multipart/form-data 上传，文件放在 file 字段").On("file")
	}
	defer func() { _ = form.RemoveAll() }()
	head, typ, err := importForm(form)
	if err != nil {
		return err
	}
	data, err := readFile(head)
	if err != nil {
		return disclosure.Errorf(disclosure.CodeMediaType, "上传的文件不完整").On("file")
	}
	i, err := s.Imports.Send(c.UserContext(), actorOf(c), head.Filename, typ, data)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderLocation, importPath+"/"+i.ID)
	c.Status(fiber.StatusCreated)
	return sendJSON(c, importJSON(i))
}

// importForm takes the one file and the type from a form that has nothing else.
func importForm(form *multipart.Form) (*multipart.FileHeader, string, error) {
	typ := ""
	for key, values := range form.Value {
		if key != "type" || len(values) != 1 {
			return nil, "", disclosure.Errorf(disclosure.CodeUnknown, "表单中除 file 外只可有一个 type").On(strings.ToValidUTF8(key, "?"))
		}
		typ = strings.TrimSpace(strings.ToValidUTF8(values[0], ""))
	}
	if len(form.File["file"]) != 1 || len(form.File) != 1 {
		return nil, "", disclosure.Errorf(disclosure.CodeUnknown, "请在 file 字段中上传一个文件").On("file")
	}
	return form.File["file"][0], typ, nil
}

// getImport tells how an import stands and everything its check found.
//
//	@Summary	导入的状态和全部问题
//	@Tags		导入
//	@Security	Bearer
//	@Param		id	path		string	true	"导入的 id"
//	@Success	200	{object}	Import
//	@Failure	404	{object}	Problem
//	@Router		/api/v1/staff/imports/{id} [get]
func (s *Server) getImport(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	i, err := s.Imports.Get(c.UserContext(), actorOf(c), strings.Clone(c.Params("id")))
	if err != nil {
		return err
	}
	return sendJSON(c, importJSON(i))
}

// getImportIssues returns the sender's workbook with the issues marked in it.
//
//	@Summary	本人的工作簿，出错的单元格标红并加批注
//	@Tags		导入
//	@Security	Bearer
//	@Produce	application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
//	@Param		id	path	string	true	"导入的 id"
//	@Success	200	{file}	file
//	@Router		/api/v1/staff/imports/{id}/issues.xlsx [get]
func (s *Server) getImportIssues(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	data, err := s.Imports.Annotated(c.UserContext(), actorOf(c), strings.Clone(c.Params("id")))
	if err != nil {
		return err
	}
	return sendXLSX(c, "检查结果.xlsx", data)
}

// commitImport writes all notices of a checked file as submitted drafts.
//
//	@Summary	提交导入：全部写入并提交核验，或一条也不写
//	@Tags		导入
//	@Security	Bearer
//	@Param		headers	header	StepHeaders	false	"前提"
//	@Param		id		path		string		true	"导入的 id"
//	@Param		body	body		SubmitBody	false	"对提醒的确认"
//	@Success	200		{object}	Import
//	@Router		/api/v1/staff/imports/{id}/commit [post]
func (s *Server) commitImport(c *fiber.Ctx) error {
	var b SubmitBody
	return s.importStep(c, &b, func(ctx context.Context, r disclosure.Request, id string) (disclosure.Import, error) {
		return s.Imports.Commit(ctx, r, id, disclosure.Acknowledgement{Acknowledge: b.Acknowledge, Reason: b.Reason}, true)
	})
}

// undoImport takes back what a commit wrote, while nothing of it is checked.
//
//	@Summary	撤销导入
//	@Tags		导入
//	@Security	Bearer
//	@Param		id	path		string	true	"导入的 id"
//	@Success	200	{object}	Import
//	@Failure	409	{object}	Problem
//	@Router		/api/v1/staff/imports/{id}/undo [post]
func (s *Server) undoImport(c *fiber.Ctx) error {
	var none struct{}
	return s.importStep(c, &none, s.Imports.Undo)
}

func (s *Server) importStep(c *fiber.Ctx, body any, do func(ctx context.Context, r disclosure.Request, id string) (disclosure.Import, error)) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	r, err := request(c)
	if err != nil {
		return err
	}
	if err := readBody(c, body); err != nil {
		return err
	}
	i, err := do(c.UserContext(), r, strings.Clone(c.Params("id")))
	if err != nil {
		return err
	}
	return sendJSON(c, importJSON(i))
}
