// Package handlers is the HTTP edge: each handler parses, makes one call and
// writes. It holds the route table, the JSON of the contract, the mapping from
// error codes to HTTP statuses, and everything that hardens fiber v2.
//
// Public GETs are answered from encoded bytes. A request whose very bytes were
// seen before is answered ahead of the router, from the cache's Peek; any other
// is routed, parsed into a canonical query, and answered from the cache's Get.
//
//	@title						公开 Gongkai
//	@version					1
//	@description				亭湖区公共资源配置信息公开接口。查询不需要密钥；/api/v1 只增不改。
//	@license.name				Apache 2.0
//	@BasePath					/
//	@produce					json
//	@accept						json
//	@securityDefinitions.apikey	Bearer
//	@in							header
//	@name						Authorization
package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/throttled/throttled/v2"
	"github.com/valyala/fasthttp"

	"gongkai/internal/disclosure"
	"gongkai/internal/web"
)

const (
	maxJSONBytes   = 1 << 20
	maxUploadBytes = 20<<20 + 64<<10 // one attachment and its multipart frame
	maxHeaderBytes = 8 << 10
	// A whole list and its header leave in one write.
	writeBufferBytes = 32 << 10

	readTimeout    = 5 * time.Second
	writeTimeout   = 10 * time.Second
	idleTimeout    = 30 * time.Second
	handleTimeout  = 5 * time.Second
	maxConnections = 4096

	transferTimeout = 2 * time.Minute // of a file
)

const headerRequestID = "X-Request-Id"

// Config is what the edge needs. Every member is required unless stated.
type Config struct {
	Reader    Reader
	Publisher Publisher
	Desk      Desk
	Tokens    Tokens
	Imports   Imports
	Cache     Cache
	Kiosks    Kiosks
	Callbacks Callbacks
	// Subscribers and Pushes keep what the push path needs.
	Subscribers Subscribers
	Pushes      Pushes
	// WeChat, Signer and Audience are nil where no WeChat account is configured.
	WeChat      WeChat
	Signer      Signer
	Audience    Audience
	NewLinkCode func() string // a one-time code that a person can type
	VerifyCodes []string      // of WeChat's MP_verify files
	Settle      time.Duration // between a kill switch and its answer
	Log         *slog.Logger
	Now         func() time.Time

	Swagger   []byte // the contract as Swagger 2.0
	OpenAPI   []byte // the contract as OpenAPI 3.0
	PublicURL string // as people reach the server, without a final slash
	Demo      bool   // every reply says so
	// DemoSite answers everything below /demo/; nil: nothing is there.
	DemoSite http.Handler
	Pages    PageConfig

	Trusted []netip.Prefix // proxies whose X-Forwarded-For is believed; may be empty
	Rate    int            // requests a second from one client; 0: no limit
	Burst   int            // requests at once from one client
	// SeparateStaff leaves the staff routes out of Serve; ServeStaff has them.
	SeparateStaff bool
	Hotline       HotlineConfig
}

// Server answers HTTP.
type Server struct {
	Config
	log      *slog.Logger
	limiter  *throttled.GCRARateLimiterCtx
	pairings *throttled.GCRARateLimiterCtx
	lookups  lookupQuotas
	metrics  *Metrics
	hotline  *hotline
	public   *edge
	staff    *edge
	requests atomic.Uint64
	draining atomic.Bool
	idPrefix string
	pages    *web.Renderer
	assets   sync.Map // hash → *disclosure.Answer of a style sheet or script
}

// edge is one listener's routes and its server.
type edge struct {
	app    *fiber.App
	handle fasthttp.RequestHandler
	server *fasthttp.Server
	fast   bool // look requests up in the cache ahead of the router

	mu        sync.Mutex
	listeners []net.Listener
	closed    bool
}

// serve answers on the listener until shutdown. fasthttp alone would overlook a
// shutdown that comes before it has begun to serve.
func (e *edge) serve(l net.Listener) error {
	lazy := lazyListener{l}
	e.mu.Lock()
	e.listeners = append(e.listeners, lazy)
	closed := e.closed
	e.mu.Unlock()
	if closed {
		return lazy.Close()
	}
	return e.server.Serve(lazy)
}

// shutdown stops accepting and waits for requests under way, up to ctx.
func (e *edge) shutdown(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	for _, l := range e.listeners {
		_ = l.Close()
	}
	e.mu.Unlock()
	e.server.CloseOnShutdown = true
	return e.server.ShutdownWithContext(ctx)
}

// New makes a server. It fails on a configuration that cannot work.
func New(c Config) (*Server, error) {
	s := &Server{Config: c, log: c.Log, metrics: newMetrics(), idPrefix: newIDPrefix(c.Now())}
	var err error
	if s.pairings, err = newLimiter(pairingQuota, c.Now); err != nil {
		return nil, fmt.Errorf("handlers: rate limit: %w", err)
	}
	if c.Rate > 0 {
		quota := throttled.RateQuota{MaxRate: throttled.PerSec(c.Rate), MaxBurst: c.Burst}
		if s.limiter, err = newLimiter(quota, c.Now); err != nil {
			return nil, fmt.Errorf("handlers: rate limit: %w", err)
		}
	}
	s.pages = newRenderer(&s.Config)
	if s.lookups, err = newLookupQuotas(c.Now); err != nil {
		return nil, fmt.Errorf("handlers: rate limit: %w", err)
	}
	if s.hotline, err = newHotline(s, c.Hotline); err != nil {
		return nil, err
	}
	s.public = s.newEdge(func(app *fiber.App) {
		s.routePublic(app)
		s.routePages(app)
		s.routePerson(app)
		if !c.SeparateStaff {
			s.routeStaff(app)
		}
	})
	s.public.fast = true
	if c.SeparateStaff {
		s.staff = s.newEdge(s.routeStaff)
	}
	return s, nil
}

func (s *Server) newEdge(routes func(*fiber.App)) *edge {
	app := fiber.New(fiber.Config{
		Immutable:             true, // fiber reuses its strings otherwise; measured as corruption in caches
		DisableStartupMessage: true,
		CaseSensitive:         true,
		StrictRouting:         true,
		BodyLimit:             maxUploadBytes,
		ErrorHandler: func(c *fiber.Ctx, err error) error {
			s.fail(c.Context(), err)
			return nil
		},
	})
	app.Use(s.deadline)
	routes(app)
	e := &edge{app: app, handle: app.Handler()}
	e.server = &fasthttp.Server{
		Handler:                      func(ctx *fasthttp.RequestCtx) { s.serve(e, ctx) },
		ErrorHandler:                 s.unreadable,
		HeaderReceived:               s.limits,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		Concurrency:                  maxConnections,
		ReadBufferSize:               maxHeaderBytes,
		WriteBufferSize:              writeBufferBytes,
		MaxRequestBodySize:           maxJSONBytes,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		Logger:                       quiet{},
	}
	return e
}

// quiet drops fasthttp's lines about broken connections: they are counted.
type quiet struct{}

// Printf implements fasthttp.Logger.
func (quiet) Printf(string, ...any) {}

const (
	uploadPath   = "/api/v1/staff/attachments"
	downloadPath = "/api/v1/attachments/"
)

// limits allows large bodies and slow transfers where files are sent, by
// somebody whose token permits it, and nowhere else: what a stranger sends is
// refused by its length, unread.
func (s *Server) limits(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	switch {
	case isUpload(h):
		ctx, cancel := context.WithTimeout(context.Background(), handleTimeout) //nolint:forbidigo // a request begins here
		defer cancel()
		if s.mayUpload(ctx, h) != nil {
			return fasthttp.RequestConfig{MaxRequestBodySize: 1}
		}
		return fasthttp.RequestConfig{MaxRequestBodySize: maxUploadBytes, ReadTimeout: transferTimeout}
	case h.IsGet() && isDownload(string(h.RequestURI())):
		return fasthttp.RequestConfig{WriteTimeout: transferTimeout}
	}
	return fasthttp.RequestConfig{}
}

func isUpload(h *fasthttp.RequestHeader) bool {
	path, _, _ := strings.Cut(string(h.RequestURI()), "?")
	return h.IsPost() && (path == uploadPath || path == importPath)
}

// isDownload reports whether the path is that of a file, public or with staff.
func isDownload(path string) bool {
	return strings.HasPrefix(path, downloadPath) || strings.HasPrefix(path, staffPath) && strings.Contains(path, "/attachments/")
}

// mayUpload checks the token of an upload by its header alone.
func (s *Server) mayUpload(ctx context.Context, h *fasthttp.RequestHeader) error {
	actor, err := s.actor(ctx, string(h.Peek(fiber.HeaderAuthorization)))
	if err != nil {
		return err
	}
	return actor.Require(writers...)
}

// unreadable answers requests that could not be read at all.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	s.begin(ctx, &requestHead{})
	tooLarge := new(fasthttp.ErrSmallBuffer)
	var slow net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		if refusal := s.refusedUpload(ctx); refusal != nil {
			if !errors.Is(refusal, &disclosure.Error{Code: disclosure.CodeBadToken}) || s.count(ctx) {
				s.fail(ctx, refusal)
			}
			break
		}
		s.fail(ctx, disclosure.Errorf(disclosure.CodeTooLarge, "请求正文超过 1 MB（上传文件为 20 MB）").On(fiber.HeaderContentLength))
	case errors.As(err, &tooLarge):
		s.fail(ctx, disclosure.Errorf(disclosure.CodeTooLarge, "请求头超过 8 KB"))
		ctx.Response.SetStatusCode(fasthttp.StatusRequestHeaderFieldsTooLarge)
	case errors.As(err, &slow) && slow.Timeout():
		// Also where nothing was sent at all: clients open connections ahead, and
		// drop a 408 on one of them without a word.
		s.fail(ctx, disclosure.Errorf(disclosure.CodeTimeout, "请求没有按时发完"))
	default:
		s.fail(ctx, disclosure.Errorf(disclosure.CodeParam, "请求无法读取"))
	}
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*lazyConn); ok && ctx.Response.StatusCode() != fasthttp.StatusBadRequest {
		c.unread.Store(true) // it is sending, and not only slow or confused
	}
}

// refusedUpload returns why limits let nothing of an upload through, or nil.
func (s *Server) refusedUpload(ctx *fasthttp.RequestCtx) error {
	if !isUpload(&ctx.Request.Header) {
		return nil
	}
	bounded, cancel := context.WithTimeout(context.Background(), handleTimeout) //nolint:forbidigo // a request ends here
	defer cancel()
	return s.mayUpload(bounded, &ctx.Request.Header)
}

// serve is every request's way: a fast one for what the cache holds, and the
// router's for the rest. Hits are counted and not timed; they take microseconds.
func (s *Server) serve(e *edge, ctx *fasthttp.RequestCtx) {
	start := s.Now()
	head := readHead(ctx)
	s.begin(ctx, &head)
	if s.DemoSite != nil && e == s.public && bytes.HasPrefix(ctx.Path(), []byte(demoPath)) {
		s.serveDemo(ctx)
		return
	}
	if !s.admit(ctx, &head) {
		s.metrics.observe(ctx, routeLimited, 0)
		return
	}
	now := start
	if len(head.authorization) > 0 {
		now = s.Now() // its token may have been looked up, and a lease be over by now
	}
	if e.fast && s.serveCached(ctx, &head, now) {
		s.metrics.hit(ctx.Response.StatusCode())
		return
	}
	s.serveRouted(e, ctx, &head)
	route, took := routeOf(ctx), s.Now().Sub(start)
	s.metrics.observe(ctx, route, took)
	if took > time.Second || s.log.Enabled(ctx, slog.LevelDebug) {
		s.log.Info("request", "request_id", string(ctx.Response.Header.Peek(headerRequestID)), "method", string(ctx.Method()),
			"route", route, "status", ctx.Response.StatusCode(), "dur_ms", took.Milliseconds())
	}
}

func (s *Server) serveRouted(e *edge, ctx *fasthttp.RequestCtx, head *requestHead) {
	defer func() {
		if r := recover(); r != nil {
			s.fail(ctx, fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	if methodLabel(ctx) == methodOther { // fiber would answer in plain text
		s.fail(ctx, disclosure.Errorf(disclosure.CodeMethod, "这个地址不支持该请求方法"))
		return
	}
	if len(head.contentEncoding) > 0 {
		// fiber would inflate the body without a bound: 522 KB were measured to become 3 GB.
		s.fail(ctx, disclosure.Errorf(disclosure.CodeEncoding, "不接受压缩过的请求正文").On(fiber.HeaderContentEncoding))
		return
	}
	e.handle(ctx)
}

// begin sets what every response carries.
func (s *Server) begin(ctx *fasthttp.RequestCtx, head *requestHead) {
	h := &ctx.Response.Header
	s.setRequestID(ctx, head.requestID)
	h.SetCanonical(nameSniff, valueNoSniff)
	if s.Demo {
		h.Set("X-Gongkai-Demo", "1")
	}
	if s.draining.Load() {
		ctx.SetConnectionClose()
	}
}

// deadline gives every handler's context a bound: fiber gives none, and fasthttp
// does not see a client go away.
func (s *Server) deadline(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(context.Background(), handleTimeout) //nolint:forbidigo // a request begins here
	defer cancel()
	c.SetUserContext(ctx)
	return c.Next()
}

// Serve answers on the listener until Shutdown.
func (s *Server) Serve(l net.Listener) error { return s.public.serve(l) }

// ServeStaff answers staff routes on their own listener; it needs
// Config.SeparateStaff.
func (s *Server) ServeStaff(l net.Listener) error { return s.staff.serve(l) }

// Drain makes every answer from now on the last of its connection, so that
// clients open a new one, to a successor.
func (s *Server) Drain() { s.draining.Store(true) }

// Draining reports whether Drain was called.
func (s *Server) Draining() bool { return s.draining.Load() }

// Shutdown stops accepting, tells clients to close and waits for requests under
// way, up to ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	var errs []error
	for _, e := range []*edge{s.public, s.staff} {
		if e != nil {
			errs = append(errs, e.shutdown(ctx))
		}
	}
	return errors.Join(errs...)
}

// Metrics returns the HTTP metrics for the operations listener.
func (s *Server) Metrics() *Metrics { return s.metrics }
