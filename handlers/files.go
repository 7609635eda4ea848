package handlers

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"rsc.io/qr"

	"gongkai/internal/disclosure"
)

var sha256Form = regexp.MustCompile(`^[0-9a-f]{64}$`)

// getAttachment hands out a file of a public notice.
//
//	@Summary		附件下载
//	@Description	浏览器直接打开（Accept 含 text/html）时，错误是一个网页。
//	@Tags			公告
//	@Produce		*/*
//	@Param			sha256	path		string	true	"附件内容的 SHA-256"
//	@Success		200		{file}		file
//	@Failure		404		{object}	Problem
//	@Failure		410		{object}	Problem	"所属公告已撤回"
//	@Router			/api/v1/attachments/{sha256} [get]
func (s *Server) getAttachment(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	sum := strings.Clone(c.Params("sha256"))
	if !sha256Form.MatchString(sum) {
		return disclosure.Errorf(disclosure.CodeNoFile, "没有找到这个附件")
	}
	f, err := s.Reader.Attachment(c.UserContext(), sum)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderAccessControlAllowOrigin, "*")
	c.Set(fiber.HeaderContentType, f.Type)
	c.Set(fiber.HeaderContentDisposition, disposition(f.Name))
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; sandbox")
	tag := `"` + sum + `"`
	if f.Personal {
		c.Set(fiber.HeaderCacheControl, "private, no-store")
	} else {
		c.Set(fiber.HeaderCacheControl, "public, no-cache") // it may be withdrawn
		c.Set(fiber.HeaderETag, tag)
		if matches(c.Context().Request.Header.Peek(fiber.HeaderIfNoneMatch), tag) {
			return c.SendStatus(fiber.StatusNotModified)
		}
	}
	return s.sendFile(c, sum, f.Size)
}

// sendFile streams a stored file, or says its length to HEAD.
func (s *Server) sendFile(c *fiber.Ctx, sha256 string, size int64) error {
	if c.Method() == fiber.MethodHead {
		c.Context().Response.Header.SetContentLength(int(size))
		c.Context().Response.SkipBody = true
		return nil
	}
	c.Context().SetBodyStream(&chunkReader{reader: s.Reader, sha256: sha256}, int(size))
	return nil
}

// getStaffAttachment hands out a file of a notice in any status, for the person
// who checks it before it is public.
//
//	@Summary	经办公告的附件
//	@Tags		经办
//	@Security	Bearer
//	@Produce	*/*
//	@Param		id		path		string	true	"公告的 id 或 8 位编号"
//	@Param		sha256	path		string	true	"附件内容的 SHA-256"
//	@Success	200		{file}		file
//	@Router		/api/v1/staff/notices/{id}/attachments/{sha256} [get]
func (s *Server) getStaffAttachment(c *fiber.Ctx) error {
	n, err := s.staffNotice(c)
	if err != nil {
		return err
	}
	sum := strings.Clone(c.Params("sha256"))
	i := slices.IndexFunc(n.Attachments, func(f disclosure.Attachment) bool { return f.SHA256 == sum })
	if i < 0 {
		return disclosure.Errorf(disclosure.CodeNoFile, "这条公告没有这个附件")
	}
	f := n.Attachments[i]
	c.Set(fiber.HeaderContentType, f.Type)
	c.Set(fiber.HeaderContentDisposition, disposition(f.Name))
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; sandbox")
	return s.sendFile(c, sum, f.Size)
}

// disposition names a download: in ASCII for old clients, in full for others.
func disposition(name string) string {
	ascii := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	if ext := path.Ext(ascii); strings.Trim(strings.TrimSuffix(ascii, ext), "_ ") == "" {
		ascii = "attachment" + ext
	}
	return fmt.Sprintf(`attachment; filename="%s"; filename*=UTF-8''%s`, ascii, url.PathEscape(name))
}

// chunkReader streams a stored file piece by piece. It outlives the handler, so
// each piece is read under its own deadline.
type chunkReader struct {
	reader Reader
	sha256 string
	n      int
	rest   bytes.Reader
}

// Read implements io.Reader.
func (r *chunkReader) Read(p []byte) (int, error) {
	for r.rest.Len() == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), handleTimeout) //nolint:forbidigo // fasthttp reads the body after the handler has returned
		data, err := r.reader.AttachmentChunk(ctx, r.sha256, r.n)
		cancel()
		if err != nil {
			return 0, err
		}
		if data == nil {
			return 0, io.EOF
		}
		r.n++
		r.rest.Reset(data)
	}
	return r.rest.Read(p)
}

// getQR draws the link to a notice's page, for handing it to a phone.
//
//	@Summary	公告二维码
//	@Tags		公告
//	@Produce	image/svg+xml
//	@Param		id	path		string	true	"公告的 id 或 8 位编号"
//	@Success	200	{file}		file
//	@Failure	404	{object}	Problem
//	@Router		/api/v1/notices/{id}/qr.svg [get]
func (s *Server) getQR(c *fiber.Ctx) error {
	ref, err := noticeRef(c)
	if err == nil {
		err = readParams(c).err()
	}
	if err != nil {
		return err
	}
	return s.answered(c, "qr/"+ref.String(), func(ctx context.Context) (*disclosure.Answer, error) {
		d, err := s.Reader.Notice(ctx, ref)
		if err != nil {
			return nil, err
		}
		body, err := qrSVG(s.noticeURL(d.Code, d.Rev), d.Title)
		if err != nil {
			return nil, err
		}
		return &disclosure.Answer{Type: "image/svg+xml", ETag: etagOf(body), Body: body, Position: d.Position}, nil
	})
}

// noticeURL is the address of a revision's page.
func (s *Server) noticeURL(code string, rev int) string {
	return fmt.Sprintf("%s/n/%s/%d", s.PublicURL, code, rev)
}

// qrSVG draws text as a QR code of error correction level M with the quiet zone
// of four modules that the standard asks for.
func qrSVG(text, title string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("handlers: QR code: %w", err)
	}
	var b bytes.Buffer
	size := code.Size + 8
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img"><title>`, size, size)
	if err := xml.EscapeText(&b, []byte(title)); err != nil {
		return nil, fmt.Errorf("handlers: QR code: %w", err)
	}
	fmt.Fprintf(&b, `</title><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, size, size)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+4, y+4, run, run)
				x += run
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}

// Change is one row of the change feed.
type Change struct {
	Seq      int64   `json:"seq"`
	Kind     string  `json:"kind" example:"published"`
	NoticeID *string `json:"notice_id" extensions:"x-nullable"`
	Rev      *int    `json:"rev" extensions:"x-nullable"`
	At       string  `json:"at"`
}

// ChangeList is a gap-free piece of the change feed.
type ChangeList struct {
	Items   []Change `json:"items"`
	LastSeq int64    `json:"last_seq"`
}

// listChanges returns the change feed after a position.
//
//	@Summary	变更流：按提交顺序、无缺漏
//	@Tags		公告
//	@Param		after	query		int			false	"上次收到的最大 seq，默认 0"
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	ChangeList
//	@Failure	400		{object}	Problem
//	@Router		/api/v1/changes [get]
func (s *Server) listChanges(c *fiber.Ctx) error {
	p := readParams(c, "after", "limit", "cursor")
	after, limit := p.number("after", 0), p.limit(disclosure.DefaultLimit)
	if at := p.cursor("changes"); at != nil {
		after = at.A
	}
	if err := p.err(); err != nil {
		return err
	}
	key := fmt.Sprintf("changes?after=%d&limit=%d", after, limit)
	return s.answered(c, key, func(ctx context.Context) (*disclosure.Answer, error) {
		page, err := s.Reader.Changes(ctx, after, limit)
		if err != nil {
			return nil, err
		}
		out := ChangeList{Items: []Change{}, LastSeq: page.LastSeq}
		for _, ch := range page.Items {
			row := Change{Seq: ch.Seq, Kind: string(ch.Kind), NoticeID: nullable(ch.NoticeID), At: disclosure.FormatInstant(ch.At)}
			if ch.NoticeID != "" {
				row.Rev = &ch.Rev
			}
			out.Items = append(out.Items, row)
		}
		return jsonAnswer(out, disclosure.Reading{Position: page.LastSeq})
	})
}
