package handlers

import (
	"encoding/base32"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"github.com/valyala/fasthttp"

	"gongkai/internal/disclosure"
)

// newIDPrefix makes the part of request ids that tells processes apart.
func newIDPrefix(now time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixNano()))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])) + "-"
}

// requestID returns the id the client sent, if it is a plain word, or a new one.
func (s *Server) requestID(ctx *fasthttp.RequestCtx) string {
	if id := ctx.Request.Header.Peek(headerRequestID); len(id) > 0 && len(id) <= 64 && plainWord(id) {
		return string(id)
	}
	var b [48]byte
	return string(strconv.AppendUint(append(b[:0], s.idPrefix...), s.requests.Add(1), 36))
}

func plainWord(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// clientIP returns the address a request came from: the connection's, or behind
// trusted proxies the rightmost of X-Forwarded-For that is not one of them.
// What stands further left was written by the client and proves nothing.
func clientIP(ctx *fasthttp.RequestCtx, trusted []netip.Prefix) netip.Addr {
	remote, _ := netip.AddrFromSlice(ctx.RemoteIP())
	remote = remote.Unmap()
	if len(trusted) == 0 || !anyContains(trusted, remote) {
		return remote
	}
	hops := strings.Split(string(ctx.Request.Header.Peek(fiber.HeaderXForwardedFor)), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break // a hop no proxy writes
		}
		remote = addr.Unmap()
		if !anyContains(trusted, remote) {
			break
		}
	}
	return remote
}

func anyContains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// limitKey is whom a limit counts: an IPv4 address, or an IPv6 network of 64
// bits, which is what one subscriber has.
func limitKey(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr().String()
		}
	}
	return a.String()
}

const maxLimitKeys = 65_536

func newLimiter(rate, burst int) (*throttled.GCRARateLimiterCtx, error) {
	store, err := memstore.NewCtx(maxLimitKeys)
	if err != nil {
		return nil, err
	}
	return throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerSec(rate), MaxBurst: burst})
}

// admit lets a request pass, or answers 429. Requests with a token of staff or
// of the telephone engine are not limited; a token that proves wrong is.
func (s *Server) admit(ctx *fasthttp.RequestCtx) bool {
	if s.limiter == nil || len(ctx.Request.Header.Peek(fiber.HeaderAuthorization)) > 0 {
		return true
	}
	return s.count(ctx)
}

// count charges the client with one request and answers 429 when it is one too
// many.
func (s *Server) count(ctx *fasthttp.RequestCtx) bool {
	if s.limiter == nil {
		return true
	}
	limited, result, err := s.limiter.RateLimitCtx(ctx, limitKey(clientIP(ctx, s.Trusted)), 1)
	if err != nil || !limited { // an error means that many requests raced for one counter
		return true
	}
	seconds := int((result.RetryAfter + time.Second - 1) / time.Second)
	ctx.Response.Header.Set(fiber.HeaderRetryAfter, strconv.Itoa(max(seconds, 1)))
	s.fail(ctx, disclosure.Errorf(disclosure.CodeRateLimited, "请求过于频繁，请在 %d 秒后重试", max(seconds, 1)))
	return false
}
