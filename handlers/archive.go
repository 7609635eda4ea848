package handlers

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// ArchiveType is a notice type with public notices.
type ArchiveType struct {
	Code  string `json:"code" example:"construction.tender_notice"`
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// ArchivePeriod is a month of publication, or a day of a month with many
// notices. since and until are the parameters of the list that it counts.
type ArchivePeriod struct {
	Since string `json:"since" example:"2026-11-01"`
	Until string `json:"until" example:"2026-11-30"`
	Count int    `json:"count"`
}

// Archive leads to any public notice by when it was published. total and periods
// are of the type asked for, types of the whole sector; both lists are whole.
type Archive struct {
	Sector  *string         `json:"sector" extensions:"x-nullable"`
	Type    *string         `json:"type" extensions:"x-nullable"`
	Total   int             `json:"total"`
	Types   []ArchiveType   `json:"types"`
	Periods []ArchivePeriod `json:"periods"`
	AsOf    string          `json:"as_of"`
}

// getArchive returns what was published when.
//
//	@Summary	往期公告：每月（公告多的月份为每日）各有多少条
//	@Tags		公告
//	@Param		sector	query		string	false	"领域，不写则为全部"
//	@Param		type	query		string	false	"公告类型，属于所给的领域"
//	@Success	200		{object}	Archive
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/archive [get]
func (s *Server) getArchive(c *fiber.Ctx) error {
	p, catalog := readParams(c, "sector", "type"), s.Cache.Catalog()
	sector := p.oneOf("sector", "领域", func(v string) bool { _, err := catalog.Sector(v); return err == nil })
	typ := p.oneOf("type", "公告类型", func(v string) bool {
		t, err := catalog.Type(v)
		return err == nil && (sector == "" || t.Sector == sector)
	})
	if err := p.err(); err != nil {
		return err
	}
	return s.answered(c, archiveKey(sector, typ), s.fillArchive(sector, typ))
}

func archiveKey(sector, typ string) string { return "archive?" + sector + "&" + typ }

func (s *Server) fillArchive(sector, typ string) func(context.Context) (*disclosure.Answer, error) {
	return func(ctx context.Context) (*disclosure.Answer, error) {
		a, err := s.Reader.Archive(ctx, sector, typ)
		if err != nil {
			return nil, err
		}
		return jsonAnswer(s.archiveJSON(a, sector, typ), a.Reading)
	}
}

func (s *Server) archiveJSON(a disclosure.Archive, sector, typ string) Archive {
	out := Archive{Sector: nullable(sector), Type: nullable(typ), Total: a.Total, Types: []ArchiveType{}, Periods: []ArchivePeriod{},
		AsOf: disclosure.FormatInstant(s.Now())}
	for _, t := range a.Types {
		name := t.Type
		if known, err := a.Catalog.Type(t.Type); err == nil {
			name = known.Name
		}
		out.Types = append(out.Types, ArchiveType{t.Type, name, t.Count})
	}
	for _, p := range a.Periods {
		out.Periods = append(out.Periods, ArchivePeriod{p.Since.String(), p.Until.String(), p.Count})
	}
	return out
}
