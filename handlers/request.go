package handlers

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/maypok86/otter/v2"
	"github.com/throttled/throttled/v2"
	"github.com/valyala/fasthttp"

	"gongkai/internal/disclosure"
)

// newIDPrefix makes the part of request ids that tells processes apart.
func newIDPrefix(now time.Time) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixNano()))
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])) + "-"
}

// requestHead is what the edge itself reads of a request's header: one walk
// over it costs less than looking each name up.
type requestHead struct {
	requestID, contentEncoding, authorization, ifNoneMatch, acceptEncoding []byte
}

func readHead(ctx *fasthttp.RequestCtx) requestHead {
	var h requestHead
	ctx.Request.Header.VisitAll(func(name, value []byte) {
		switch string(name) {
		case headerRequestID:
			h.requestID = value
		case fiber.HeaderContentEncoding:
			h.contentEncoding = value
		case fiber.HeaderAuthorization:
			h.authorization = value
		case fiber.HeaderIfNoneMatch:
			h.ifNoneMatch = value
		case fiber.HeaderAcceptEncoding:
			h.acceptEncoding = value
		}
	})
	return h
}

var (
	nameRequestID = []byte(headerRequestID)
	nameSniff     = []byte(fiber.HeaderXContentTypeOptions)
	valueNoSniff  = []byte("nosniff")
)

// setRequestID answers with the id the client sent, if it is a plain word, or a
// new one.
func (s *Server) setRequestID(ctx *fasthttp.RequestCtx, sent []byte) {
	var b [48]byte
	id := sent
	if len(id) == 0 || len(id) > 64 || !plainWord(id) {
		id = strconv.AppendUint(append(b[:0], s.idPrefix...), s.requests.Add(1), 36)
	}
	ctx.Response.Header.SetCanonical(nameRequestID, id)
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
	// Some proxies add a line of their own below the client's.
	lines := ctx.Request.Header.PeekAll(fiber.HeaderXForwardedFor)
	hops := strings.Split(string(bytes.Join(lines, []byte{','})), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
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
// bits, which is what one subscriber has. It is the address's bytes.
func limitKey(a netip.Addr) string {
	if a.Is6() {
		b := a.As16()
		return string(b[:8])
	}
	return string(a.AsSlice())
}

const maxLimitKeys = 65_536

// newLimiter counts in a store of our own: throttled's takes one lock for all
// clients on every request.
func newLimiter(quota throttled.RateQuota, now func() time.Time) (*throttled.GCRARateLimiterCtx, error) {
	store := limitStore{now: now, counters: otter.Must(&otter.Options[string, *atomic.Int64]{MaximumSize: maxLimitKeys})}
	return throttled.NewGCRARateLimiterCtx(store, quota)
}

// limitStore implements throttled.GCRAStoreCtx: the newest maxLimitKeys clients,
// each with its theoretical arrival time in Unix nanoseconds. Forgetting a
// client allows it one burst more.
type limitStore struct {
	now      func() time.Time
	counters *otter.Cache[string, *atomic.Int64]
}

// GetWithTime returns the counter, or -1 for a new client, and the time.
func (l limitStore) GetWithTime(_ context.Context, key string) (int64, time.Time, error) {
	now := l.now()
	if n, ok := l.counters.GetIfPresent(key); ok {
		return n.Load(), now, nil
	}
	return -1, now, nil
}

// SetIfNotExistsWithTTL counts the first request of a client.
func (l limitStore) SetIfNotExistsWithTTL(_ context.Context, key string, value int64, _ time.Duration) (bool, error) {
	n := new(atomic.Int64)
	n.Store(value)
	_, added := l.counters.SetIfAbsent(key, n)
	return added, nil
}

// CompareAndSwapWithTTL counts a further request.
func (l limitStore) CompareAndSwapWithTTL(_ context.Context, key string, old, value int64, _ time.Duration) (bool, error) {
	n, ok := l.counters.GetIfPresent(key)
	return ok && n.CompareAndSwap(old, value), nil
}

const staffPath = "/api/v1/staff/"

// admit lets a request pass, or answers 429. Staff and the telephone engine are
// not limited; their token is looked up only where the limit would strike, and
// on staff routes authenticate counts those that prove wrong.
func (s *Server) admit(ctx *fasthttp.RequestCtx, head *requestHead) bool {
	if s.limiter == nil || len(head.authorization) > 0 && bytes.HasPrefix(ctx.RequestURI(), []byte(staffPath)) {
		return true
	}
	wait := s.charge(ctx)
	if wait == 0 || len(head.authorization) > 0 && s.exempt(string(head.authorization)) {
		return true
	}
	s.refuse(ctx, wait)
	return false
}

// exempt reports whether an Authorization header holds a token of staff or of
// the telephone engine.
func (s *Server) exempt(authorization string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), handleTimeout) //nolint:forbidigo // a request begins here
	defer cancel()
	_, err := s.actor(ctx, authorization)
	return err == nil
}

// count charges the client with one request and answers 429 when it is one too
// many.
func (s *Server) count(ctx *fasthttp.RequestCtx) bool {
	if s.limiter == nil {
		return true
	}
	wait := s.charge(ctx)
	if wait > 0 {
		s.refuse(ctx, wait)
	}
	return wait == 0
}

// charge returns 0, or for how long the client has to wait.
func (s *Server) charge(ctx *fasthttp.RequestCtx) time.Duration {
	limited, result, err := s.limiter.RateLimitCtx(ctx, limitKey(clientIP(ctx, s.Trusted)), 1)
	if err != nil || !limited { // an error means that many requests raced for one counter
		return 0
	}
	return max(result.RetryAfter, 1)
}

func (s *Server) refuse(ctx *fasthttp.RequestCtx, wait time.Duration) {
	seconds := int((wait + time.Second - 1) / time.Second)
	ctx.Response.Header.Set(fiber.HeaderRetryAfter, strconv.Itoa(seconds))
	if ctx.IsGet() || ctx.IsHead() { // a page of another site is to know that it has to wait
		ctx.Response.Header.SetCanonical(nameAllowOrigin, valueAny)
	}
	s.fail(ctx, disclosure.Errorf(disclosure.CodeRateLimited, "请求过于频繁，请在 %d 秒后重试", seconds))
}
