package handlers

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// Definer adds and changes sectors, bodies, catalogue items and notice types.
type Definer interface {
	Define(ctx context.Context, a disclosure.Actor, kind disclosure.DefinitionKind, doc []byte, reason string) (disclosure.Definition, error)
	Redefine(ctx context.Context, a disclosure.Actor, kind disclosure.DefinitionKind, id string, changes map[string]json.RawMessage, reason string) (disclosure.Definition, error)
	Definitions(ctx context.Context, kind disclosure.DefinitionKind, id string) ([]disclosure.Definition, error)
}

// DefinitionRef documents the path of one definition; definitionKind and
// definitionID read it.
type DefinitionRef struct {
	Kind string `uri:"kind"` // sectors、bodies、catalog、notice-types、rules 或 calendar
	ID   string `uri:"id"`   // 编号
}

// Definition is one version of a definition.
type Definition struct {
	Kind    string          `json:"kind" example:"bodies"`
	ID      string          `json:"id"`
	Version int             `json:"version"`
	Doc     json.RawMessage `json:"doc" swaggertype:"object"`
	Builtin bool            `json:"builtin"`
	At      string          `json:"at"`
	By      string          `json:"by"`
	Reason  *string         `json:"reason" extensions:"x-nullable"`
}

// DefinitionList lists definitions, or the versions of one.
type DefinitionList struct {
	Items       []Definition `json:"items"`
	Next        *string      `json:"next" extensions:"x-nullable"`
	Total       int          `json:"total"`
	TotalCapped bool         `json:"total_capped"`
	AsOf        string       `json:"as_of"`
}

func definitionJSON(d disclosure.Definition) Definition {
	return Definition{string(d.Kind), d.ID, d.Version, d.Doc, d.Builtin, disclosure.FormatInstant(d.At), d.By, nullable(d.Reason)}
}

const keyKind = "gongkai.kind"

// definitionKind returns the kind that the route names.
func definitionKind(c *fiber.Ctx) disclosure.DefinitionKind {
	kind, _ := c.Locals(keyKind).(disclosure.DefinitionKind)
	return kind
}

// listDefinitions lists the newest version of every definition of a kind.
//
//	@Summary	目录定义
//	@Tags		目录管理
//	@Security	Bearer
//	@Param		kind	path		string		true	"sectors、bodies、catalog、notice-types、rules 或 calendar"
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	DefinitionList
//	@Router		/api/v1/staff/{kind} [get]
func (s *Server) listDefinitions(c *fiber.Ctx) error {
	kind := definitionKind(c)
	pg, err := readPaging(c, "staff/"+string(kind), disclosure.MaxLimit)
	if err != nil {
		return err
	}
	all, err := s.Publisher.Definitions(c.UserContext(), kind, "")
	if err != nil {
		return err
	}
	var newest []disclosure.Definition
	for i, d := range all { // in order of id and version
		if i+1 == len(all) || all[i+1].ID != d.ID {
			newest = append(newest, d)
		}
	}
	return s.sendDefinitions(c, pg, newest)
}

func (s *Server) sendDefinitions(c *fiber.Ctx, pg paging, defs []disclosure.Definition) error {
	rows, next := cutPage(pg, defs)
	out := DefinitionList{Items: []Definition{}, Next: next, Total: len(defs), AsOf: disclosure.FormatInstant(s.Now())}
	for _, d := range rows {
		out.Items = append(out.Items, definitionJSON(d))
	}
	return sendJSON(c, out)
}

func definitionID(c *fiber.Ctx) (string, error) {
	id, err := url.PathUnescape(c.Params("id"))
	if err != nil || id == "" {
		return "", disclosure.Errorf(disclosure.CodeNoItem, "目录中没有这一项")
	}
	return id, nil
}

// getDefinition returns the newest version of one definition.
//
//	@Summary	目录定义详情
//	@Tags		目录管理
//	@Security	Bearer
//	@Param		kind	path		string	true	"sectors、bodies、catalog、notice-types、rules 或 calendar"
//	@Param		id		path		string	true	"编号"
//	@Success	200		{object}	Definition
//	@Router		/api/v1/staff/{kind}/{id} [get]
func (s *Server) getDefinition(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	versions, err := s.versions(c)
	if err != nil {
		return err
	}
	newest := versions[len(versions)-1]
	c.Set(fiber.HeaderETag, `"`+strconv.Itoa(newest.Version)+`"`)
	return sendJSON(c, definitionJSON(newest))
}

func (s *Server) versions(c *fiber.Ctx) ([]disclosure.Definition, error) {
	id, err := definitionID(c)
	if err != nil {
		return nil, err
	}
	versions, err := s.Publisher.Definitions(c.UserContext(), definitionKind(c), id)
	if err == nil && len(versions) == 0 {
		err = disclosure.Errorf(disclosure.CodeNoItem, "目录中没有“%s”", id)
	}
	return versions, err
}

// listDefinitionHistory lists every version of one definition, newest first.
//
//	@Summary	目录定义的历史
//	@Tags		目录管理
//	@Security	Bearer
//	@Param		kind	path		string	true	"sectors、bodies、catalog、notice-types、rules 或 calendar"
//	@Param		id		path		string		true	"编号"
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	DefinitionList
//	@Router		/api/v1/staff/{kind}/{id}/history [get]
func (s *Server) listDefinitionHistory(c *fiber.Ctx) error {
	versions, err := s.versions(c)
	if err != nil {
		return err
	}
	pg, err := readPaging(c, "staff/"+string(definitionKind(c))+"/"+versions[0].ID, disclosure.DefaultLimit)
	if err != nil {
		return err
	}
	slices.Reverse(versions)
	return s.sendDefinitions(c, pg, versions)
}

// createDefinition adds a definition.
//
//	@Summary	新增领域、主体、事项或公告类型
//	@Tags		目录管理
//	@Security	Bearer
//	@Param		kind	path		string	true	"sectors、bodies、catalog、notice-types、rules 或 calendar"
//	@Param		reason	query		string	false	"理由"
//	@Param		doc		body		object	true	"定义"
//	@Success	201		{object}	Definition
//	@Router		/api/v1/staff/{kind} [post]
func (s *Server) createDefinition(c *fiber.Ctx) error {
	p := readParams(c, "reason")
	reason := p.text("reason", 200)
	if err := p.err(); err != nil {
		return err
	}
	var doc json.RawMessage
	if err := readBody(c, &doc); err != nil {
		return err
	}
	d, err := s.Publisher.Define(c.UserContext(), actorOf(c), definitionKind(c), doc, reason)
	if err != nil {
		return err
	}
	s.refresh(c)
	c.Status(fiber.StatusCreated)
	return sendJSON(c, definitionJSON(d))
}

// changeDefinition writes a new version of a definition.
//
//	@Summary	修改目录定义（保留历史）
//	@Tags		目录管理
//	@Security	Bearer
//	@Param		ref		path		DefinitionRef	true	"定义"
//	@Param		reason	query		string	false	"理由"
//	@Param		changes	body		object	true	"改动的成员，null 为恢复默认"
//	@Success	200		{object}	Definition
//	@Router		/api/v1/staff/{kind}/{id} [patch]
func (s *Server) changeDefinition(c *fiber.Ctx) error {
	p := readParams(c, "reason")
	reason := p.text("reason", 200)
	if err := p.err(); err != nil {
		return err
	}
	id, err := definitionID(c)
	if err != nil {
		return err
	}
	var changes map[string]json.RawMessage
	if err := readBody(c, &changes); err != nil {
		return err
	}
	d, err := s.Publisher.Redefine(c.UserContext(), actorOf(c), definitionKind(c), id, changes, reason)
	if err != nil {
		return err
	}
	s.refresh(c)
	return sendJSON(c, definitionJSON(d))
}

// AuditRow is one line of the audit trail.
type AuditRow struct {
	Seq     int64   `json:"seq"`
	At      string  `json:"at"`
	Actor   string  `json:"actor"`
	Role    string  `json:"role"`
	Token   *string `json:"token" extensions:"x-nullable"`
	Action  string  `json:"action"`
	Subject string  `json:"subject"`
	ID      string  `json:"id"`
	Rev     int     `json:"rev"`
	Digest  *string `json:"digest" extensions:"x-nullable"`
	Detail  *string `json:"detail" extensions:"x-nullable"`
	Hash    string  `json:"hash"`
}

// AuditList is a page of the audit trail.
type AuditList struct {
	Items       []AuditRow `json:"items"`
	Next        *string    `json:"next" extensions:"x-nullable"`
	Total       int        `json:"total"`
	TotalCapped bool       `json:"total_capped"`
	AsOf        string     `json:"as_of"`
}

// listAudit lists the audit trail, newest first.
//
//	@Summary	审计日志
//	@Tags		监督
//	@Security	Bearer
//	@Param		id		query		string		false	"只看某一对象"
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	AuditList
//	@Router		/api/v1/staff/audit [get]
func (s *Server) listAudit(c *fiber.Ctx) error {
	p := readParams(c, "id", "limit", "cursor")
	id, limit := p.text("id", 100), p.limit(disclosure.DefaultLimit)
	list := "audit?id=" + url.QueryEscape(id)
	before := int64(1) << 62
	if at := p.cursor(list); at != nil {
		before = at.A
	}
	if err := p.err(); err != nil {
		return err
	}
	page, err := s.Desk.Audit(c.UserContext(), id, before, limit+1)
	if err != nil {
		return err
	}
	out := AuditList{Items: []AuditRow{}, Total: page.Total, TotalCapped: page.TotalCapped, AsOf: disclosure.FormatInstant(s.Now())}
	for i, r := range page.Items {
		if i == limit {
			next := disclosure.Cursor{A: page.Items[i-1].Seq}.Encode(list)
			out.Next = &next
			break
		}
		out.Items = append(out.Items, AuditRow{r.Seq, disclosure.FormatInstant(r.At), r.Actor, string(r.Role), nullable(r.Token),
			r.Action, r.Subject, r.ID, r.Rev, nullable(r.Digest), nullable(r.Detail), r.Hash})
	}
	return sendJSON(c, out)
}
