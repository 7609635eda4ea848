package handlers

import (
	"bytes"
	"context"
	"embed"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// assets holds the page of the API documentation and RapiDoc 9.3.8 (MIT), kept
// as Brotli only.
//
//go:embed assets
var assets embed.FS

// static answers with JSON that changes only with the binary.
func (s *Server) static(c *fiber.Ctx, key string, body []byte) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	return s.answered(c, key, func(ctx context.Context) (*disclosure.Answer, error) {
		r, err := s.Reader.Head(ctx)
		if err != nil {
			return nil, err
		}
		return &disclosure.Answer{Type: mediaJSON, ETag: etagOf(body), Body: body, Position: r.Position}, nil
	})
}

// getSwagger returns the contract as Swagger 2.0.
//
//	@Summary	接口说明（Swagger 2.0）
//	@Tags		说明
//	@Success	200	{object}	object
//	@Router		/swagger.json [get]
func (s *Server) getSwagger(c *fiber.Ctx) error {
	return s.static(c, "swagger.json", s.Swagger)
}

// getOpenAPI returns the contract as OpenAPI 3.0.
//
//	@Summary	接口说明（OpenAPI 3.0）
//	@Tags		说明
//	@Success	200	{object}	object
//	@Router		/openapi.json [get]
func (s *Server) getOpenAPI(c *fiber.Ctx) error {
	return s.static(c, "openapi.json", s.OpenAPI)
}

// getDocs returns the page of the API documentation. It loads nothing from
// elsewhere.
//
//	@Summary	接口说明（网页）
//	@Tags		说明
//	@Produce	html
//	@Success	200	{string}	string
//	@Router		/docs [get]
func (s *Server) getDocs(c *fiber.Ctx) error {
	page, err := assets.ReadFile("assets/docs.html")
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "+
		"img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	c.Set(fiber.HeaderCacheControl, "no-cache")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Send(page)
}

// getDocsFile returns the script of the documentation page.
//
//	@Summary	接口说明网页的脚本
//	@Tags		说明
//	@Produce	application/javascript
//	@Param		file	path		string	true	"文件名"
//	@Success	200		{string}	string
//	@Failure	404		{object}	Problem
//	@Router		/docs/{file} [get]
func (s *Server) getDocsFile(c *fiber.Ctx) error {
	name := c.Params("file")
	packed, err := assets.ReadFile("assets/" + name + ".br")
	if err != nil {
		return disclosure.Errorf(disclosure.CodeNoRoute, "没有这个文件")
	}
	c.Set(fiber.HeaderCacheControl, "public, max-age=86400")
	c.Set(fiber.HeaderContentType, fiber.MIMETextJavaScriptCharsetUTF8)
	c.Vary(fiber.HeaderAcceptEncoding)
	if strings.Contains(c.Get(fiber.HeaderAcceptEncoding), "br") {
		c.Set(fiber.HeaderContentEncoding, "br")
		return c.Send(packed)
	}
	plain, err := io.ReadAll(brotli.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return err
	}
	return c.Send(plain)
}
