package handlers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/andybalholm/brotli"
	"github.com/gofiber/fiber/v2"
	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"

	"gongkai/internal/disclosure"
	"gongkai/internal/web"
)

// Cache is the read model: encoded answers, kept for as long as they are true.
type Cache interface {
	Peek(key string, now time.Time) *disclosure.Answer
	Get(ctx context.Context, key string, fill func(context.Context) (*disclosure.Answer, error)) (*disclosure.Answer, time.Duration, error)
	Alias(alias, key string)
	Catalog() *disclosure.Catalog
	Refresh(ctx context.Context) error
}

const (
	mediaJSON = "application/json; charset=utf-8"

	// maxAlias bounds the request line that is remembered as it was written.
	maxAlias = 300
	// minCompress is the body below which compression saves nothing.
	minCompress = 860
)

// answered serves a cached answer under the canonical key, made by fill when it
// is missing, and lets the same request line find it ahead of the router.
func (s *Server) answered(c *fiber.Ctx, key string, fill func(context.Context) (*disclosure.Answer, error)) error {
	a, age, err := s.Cache.Get(c.UserContext(), key, fill)
	if err != nil {
		return err
	}
	ctx := c.Context()
	if age > 0 {
		c.Set(fiber.HeaderAge, strconv.Itoa(int(age/time.Second)))
		c.Set(fiber.HeaderWarning, `110 gongkai "Response is Stale"`)
		c.Set("X-Data-As-Of", disclosure.FormatInstant(s.Now().Add(-age)))
	} else if uri := ctx.Request.RequestURI(); len(uri) <= maxAlias && !a.Private {
		s.Cache.Alias(string(uri), key)
	}
	head := readHead(ctx)
	writeAnswer(ctx, &head, a)
	return nil
}

// serveCached answers a GET whose request line was answered before and whose
// answer still holds. Only a path is looked up: the names under which handlers
// keep answers, some of them for one reader, never begin with a slash, and whoever
// sends one as it is gets no further than the router.
func (s *Server) serveCached(ctx *fasthttp.RequestCtx, head *requestHead, now time.Time) bool {
	req := &ctx.Request
	if !req.Header.IsGet() && !req.Header.IsHead() || len(head.contentEncoding) > 0 {
		return false
	}
	uri := req.Header.RequestURI()
	if len(uri) > maxAlias || len(uri) == 0 || uri[0] != '/' {
		return false
	}
	a := s.Cache.Peek(unsafe.String(&uri[0], len(uri)), now) //nolint:gosec // Peek does not keep its key
	if a == nil {
		return false
	}
	writeAnswer(ctx, head, a)
	return true
}

// Header names in their canonical form: fasthttp would otherwise normalise each
// of them for every response, which was a tenth of a hit's cost.
var (
	nameAllowOrigin  = []byte(fiber.HeaderAccessControlAllowOrigin)
	nameVary         = []byte(fiber.HeaderVary)
	nameCacheControl = []byte(fiber.HeaderCacheControl)
	nameETag         = []byte("Etag")
	nameEncoding     = []byte(fiber.HeaderContentEncoding)
	nameDisposition  = []byte(fiber.HeaderContentDisposition)

	valueAny          = []byte("*")
	valueVary         = []byte(fiber.HeaderAcceptEncoding)
	valueRevalidate   = []byte("public, no-cache")
	valuePersonalData = []byte("private, no-store")
)

// readOnly lends a string's bytes to a function that copies them.
func readOnly(s string) []byte {
	return unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // a copy a request was a tenth of a hit
}

// writeAnswer writes an answer, or 304 if the reader has it.
func writeAnswer(ctx *fasthttp.RequestCtx, head *requestHead, a *disclosure.Answer) {
	h := &ctx.Response.Header
	h.SetCanonical(nameAllowOrigin, valueAny)
	h.SetCanonical(nameVary, valueVary)
	if a.Private {
		h.SetCanonical(nameCacheControl, valuePersonalData)
	} else {
		h.SetCanonical(nameCacheControl, valueRevalidate)
		h.SetCanonical(nameETag, readOnly(a.ETag))
		if matches(head.ifNoneMatch, a.ETag) {
			ctx.Response.SetStatusCode(fasthttp.StatusNotModified)
			return
		}
	}
	h.SetContentType(a.Type)
	if a.Type == mediaHTML {
		setPageHeaders(ctx, web.Policy)
	}
	if a.Disposition != "" {
		h.SetCanonical(nameDisposition, readOnly(a.Disposition))
	}
	body, coding := a.Body, ""
	if len(body) >= minCompress {
		switch coding = negotiate(head.acceptEncoding); coding {
		case "br":
			body = a.Encoded(coding, brotliBytes)
		case "gzip":
			body = a.Encoded(coding, gzipBytes)
		}
	}
	if coding != "" {
		h.SetCanonical(nameEncoding, readOnly(coding))
	}
	ctx.Response.SetBodyRaw(body)
}

// matches reports whether an If-None-Match header holds the tag, compared
// weakly (RFC 9110 13.1.2).
func matches(header []byte, etag string) bool {
	if len(header) == 0 || etag == "" {
		return false
	}
	if string(header) == etag || string(header) == "*" {
		return true
	}
	opaque := strings.TrimPrefix(etag, "W/")
	for tag := range bytes.SplitSeq(header, []byte{','}) {
		if string(bytes.TrimPrefix(bytes.TrimSpace(tag), []byte("W/"))) == opaque {
			return true
		}
	}
	return false
}

// negotiate picks br, gzip or nothing from an Accept-Encoding header, by the
// weights it gives (RFC 9110 12.5.3); of equals br, which is smaller.
func negotiate(header []byte) string {
	if len(header) == 0 {
		return ""
	}
	const unsaid = -1
	br, gzip, identity, rest := float64(unsaid), float64(unsaid), float64(unsaid), 0.0
	for part := range bytes.SplitSeq(header, []byte{','}) {
		name, weight, weighted := bytes.Cut(bytes.TrimSpace(part), []byte{';'})
		q := 1.0
		if weighted {
			q = weightOf(weight)
		}
		switch name = bytes.TrimSpace(name); {
		case bytes.EqualFold(name, []byte("br")):
			br = q
		case bytes.EqualFold(name, []byte("gzip")):
			gzip = q
		case bytes.EqualFold(name, []byte("identity")):
			identity = q
		case len(name) == 1 && name[0] == '*':
			rest = q
		}
	}
	if br == unsaid {
		br = rest
	}
	if gzip == unsaid {
		gzip = rest
	}
	switch {
	case br > 0 && br >= gzip && br >= identity:
		return "br"
	case gzip > 0 && gzip >= identity:
		return "gzip"
	}
	return ""
}

// weightOf reads "q=0.5"; what is no weight refuses the coding.
func weightOf(text []byte) float64 {
	digits, ok := bytes.CutPrefix(bytes.TrimSpace(text), []byte("q="))
	q, err := strconv.ParseFloat(string(digits), 64)
	if !ok || err != nil || q < 0 || q > 1 {
		return 0
	}
	return q
}

func brotliBytes(b []byte) []byte { return brotliAt(b, 5) }

func brotliAt(b []byte, level int) []byte {
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, level)
	_, _ = w.Write(b) // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func gzipBytes(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, 6) // a level that exists
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

// asOf is the last member of every list: when it was read. It does not count
// for the ETag, so that a list read again unchanged is still the same.
const asOf = `,"as_of":"`

// jsonAnswer encodes v as an answer read at a position of the feed.
func jsonAnswer(v any, r disclosure.Reading) (*disclosure.Answer, error) {
	body, err := encode(v)
	if err != nil {
		return nil, err
	}
	counted := body
	if i := bytes.LastIndex(body, []byte(asOf)); i >= 0 && i > len(body)-len(asOf)-40 {
		counted = body[:i]
	}
	return &disclosure.Answer{Type: mediaJSON, ETag: etagOf(counted), Body: body, Position: r.Position}, nil
}

// etagOf makes a weak tag of what a reader would notice.
func etagOf(b []byte) string {
	sum := sha256.Sum256(b)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}
