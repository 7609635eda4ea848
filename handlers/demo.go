package handlers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"

	"github.com/valyala/fasthttp"
)

// demoPath is where the demo's own handler answers, beside the contract: it is
// not limited, documented or cached.
const demoPath = "/demo/"

// serveDemo hands a request to the demo's handler. One that ends in
// http.ErrAbortHandler gets no answer: the connection is reset, as net/http
// would cut it off.
func (s *Server) serveDemo(ctx *fasthttp.RequestCtx) {
	req, err := demoRequest(ctx)
	if err != nil {
		ctx.Error("Bad Request", fasthttp.StatusBadRequest)
		return
	}
	w := &demoWriter{ctx: ctx, header: http.Header{}}
	defer func() {
		r := recover()
		if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			ctx.HijackSetNoResponse(true)
			ctx.Hijack(resetConn)
			return
		}
		if r != nil {
			s.fail(ctx, fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
		}
	}()
	s.DemoSite.ServeHTTP(w, req)
	w.finish()
}

// demoRequest copies what it takes: fasthttp uses its buffers again, and the
// demo keeps paths and values.
func demoRequest(ctx *fasthttp.RequestCtx) (*http.Request, error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), string(ctx.Method()), string(ctx.RequestURI()), bytes.NewReader(ctx.PostBody()))
	if err != nil {
		return nil, err
	}
	ctx.Request.Header.VisitAll(func(name, value []byte) { req.Header.Add(string(name), string(value)) })
	req.Host, req.RemoteAddr = string(ctx.Host()), ctx.RemoteAddr().String()
	return req, nil
}

// demoWriter is an http.ResponseWriter over a fasthttp response.
type demoWriter struct {
	ctx    *fasthttp.RequestCtx
	header http.Header
	wrote  bool
}

// Header implements http.ResponseWriter.
func (w *demoWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *demoWriter) WriteHeader(status int) {
	if w.wrote {
		return
	}
	w.wrote = true
	w.ctx.SetStatusCode(status)
	for name, values := range w.header {
		for _, v := range values {
			w.ctx.Response.Header.Set(name, v)
		}
	}
}

// Write implements http.ResponseWriter.
func (w *demoWriter) Write(b []byte) (int, error) {
	w.finish()
	w.ctx.Response.AppendBody(b)
	return len(b), nil
}

func (w *demoWriter) finish() { w.WriteHeader(http.StatusOK) }

// resetConn closes a connection so that the other side sees it broken, and not
// ended.
func resetConn(c net.Conn) {
	if wrapped, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		c = wrapped.UnsafeConn()
	}
	if lazy, ok := c.(*lazyConn); ok {
		c = lazy.Conn
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
