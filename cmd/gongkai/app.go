package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"gongkai/cache"
	"gongkai/docs"
	"gongkai/handlers"
	"gongkai/internal/importer"
	"gongkai/internal/publish"
	"gongkai/internal/store"
	"gongkai/push"
)

const (
	releaseInterval = time.Second     // between looks for scheduled notices that are due
	listInterval    = 2 * time.Second // between looks for lists whose time is over: three look-ups by index
	scrubInterval   = time.Minute     // between tries to finish an erasure
	drainWindow     = time.Second     // in which clients learn from a last answer to reconnect
	shutdownTimeout = 8 * time.Second
)

// app is a running server: everything wired, and a stack of what to close.
type app struct {
	config  *config
	log     *slog.Logger
	store   *store.Store
	cache   *cache.Cache
	publish *publish.Service
	imports *importer.Service
	edge    *handlers.Server
	ops     *http.Server
	push    *push.Push
	wechat  *push.WeChat
	people  *push.People
	signer  *push.Signer

	background sync.WaitGroup
	closers    []func() error
}

func newLogger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // config.check has refused the rest
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l}))
}

// newApp opens the store and wires everything, without listening yet.
func (p *program) newApp(ctx context.Context, c *config) (a *app, err error) {
	a = &app{config: c, log: newLogger(p.log, c.Log.Level)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := makeDataDir(c); err != nil {
		return a, err
	}
	if a.store, err = store.Open(ctx, store.Options{URL: c.Database}); err != nil {
		return a, err
	}
	a.closers = append(a.closers, a.store.Close)
	var shared *cache.Shared
	if c.Redis != "" {
		if shared, err = cache.NewShared(c.Redis, format(c), a.log); err != nil {
			return a, err
		}
		a.closers = append(a.closers, shared.Close)
	}
	a.cache = cache.New(cache.Options{Source: a.store, Now: p.now, Bytes: uint64(c.Cache.MiB) << 20, Fills: a.store.Readers(), Shared: shared, Log: a.log})
	if err := a.cache.Refresh(ctx); err != nil {
		return a, err
	}
	a.publish = p.publisher(a.store, c, a.cache)
	if err := a.newPush(ctx, p.now); err != nil {
		return a, err
	}
	a.imports = importer.New(a.publish, a.publish, p.now)
	hotline, err := p.hotline(a)
	if err != nil {
		return a, err
	}
	a.edge, err = handlers.New(handlers.Config{
		Reader: a.store, Subscribers: a.store, Pushes: a.store, WeChat: a.people, Signer: a.signer, NewLinkCode: push.NewLinkCode,
		Audience: c.audience(a.store), VerifyCodes: c.WeChat.Verify, Settle: push.SettleTime,
		Publisher: a.publish, Desk: a.store, Tokens: a.store, Cache: a.cache, Log: a.log, Now: p.now,
		Swagger: docs.Swagger, OpenAPI: docs.OpenAPI, PublicURL: c.PublicURL, Demo: c.Demo, DemoSite: p.demoSite(),
		Kiosks: a.store, Callbacks: a.publish, Pages: a.pageConfig(),
		Imports: a.imports,
		Trusted: c.trusted, Rate: c.Limits.Rate, Burst: c.Limits.Burst, SeparateStaff: c.StaffListen != "",
		Hotline: hotline,
	})
	if err != nil {
		return a, err
	}
	a.ops = &http.Server{Handler: handlers.NewOps(handlers.OpsConfig{Cache: a.cache, Metrics: a.edge.Metrics(), Queries: a.store.Queries, Kiosks: a.store, Calls: a.store, Backlog: a.store, Now: p.now, Drained: a.edge.Draining, Push: a.push.Metrics()}),
		ReadHeaderTimeout: 5 * time.Second}
	return a, nil
}

func makeDataDir(c *config) error {
	path := c.sqliteFile()
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("数据目录：%w", err)
	}
	return nil
}

// format names the encoding of cached answers: it changes with the contract, the
// version and what the configuration puts into answers, so that instances share
// nothing they would write differently. An address that was not configured, and so
// is each instance's own, does not keep them apart.
func format(c *config) string {
	h := sha256.New()
	for _, part := range []string{string(docs.Swagger), c.all.String("public_url"), c.Site.Name, c.Site.Hotline} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return buildVersion() + "-" + hex.EncodeToString(h.Sum(nil)[:6])
}

// start runs what works in the background until ctx ends: following the change
// feed, and publishing scheduled notices as they fall due.
func (a *app) start(ctx context.Context) {
	a.runPush(ctx)
	a.background.Go(func() { _ = a.edge.Warm(ctx) })
	a.background.Go(func() { _ = a.cache.Run(ctx) })
	a.background.Go(func() { a.expireImports(ctx) })
	a.background.Go(func() { a.expire(ctx) })
	a.background.Go(func() {
		tick := time.NewTicker(releaseInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			n, err := a.publish.ReleaseDue(ctx)
			if err != nil && ctx.Err() == nil {
				a.log.Error("scheduled publication failed; it is tried again", "error", err)
			}
			if n > 0 {
				_ = a.cache.Refresh(ctx) // its own poll sees it within a second otherwise
			}
		}
	})
}

// expire takes lists of persons whose time is over out of the public, and
// finishes erasures that could not be finished at once.
func (a *app) expire(ctx context.Context) {
	lists, scrub := time.NewTicker(listInterval), time.NewTicker(scrubInterval)
	defer lists.Stop()
	defer scrub.Stop()
	for a.scrub(ctx); ; {
		a.expireLists(ctx)
		a.eraseCallbacks(ctx)
		select {
		case <-ctx.Done():
			return
		case <-scrub.C:
			a.scrub(ctx)
		case <-lists.C:
		}
	}
}

func (a *app) expireLists(ctx context.Context) {
	n, err := a.publish.ExpireDue(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Error("lists did not expire; it is tried again", "error", err)
	}
	if n > 0 {
		a.log.Info("lists of persons expired", "count", n)
		_ = a.cache.Refresh(ctx) // its own poll sees it within a second otherwise
	}
}

func (a *app) eraseCallbacks(ctx context.Context) {
	n, err := a.publish.EraseCallbacks(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Error("telephone numbers were not erased; it is tried again", "error", err)
	}
	if n > 0 {
		a.log.Info("telephone numbers of callback requests erased", "count", n)
	}
}

func (a *app) scrub(ctx context.Context) {
	if _, err := a.store.Scrub(ctx, a.publish.Now()); err != nil && ctx.Err() == nil {
		a.log.Error("an erasure is not complete; it is tried again", "error", err)
	}
}

// serve answers on the listeners until they are closed.
func (a *app) serve(l *listeners, fail func(error)) {
	a.background.Go(func() { a.report("public", a.edge.Serve(l.public), fail) })
	if l.staff != nil {
		a.background.Go(func() { a.report("staff", a.edge.ServeStaff(l.staff), fail) })
	}
	a.background.Go(func() { a.report("operations", a.ops.Serve(l.ops), fail) })
}

func (a *app) report(name string, err error, fail func(error)) {
	if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) && !strings.Contains(err.Error(), "use of closed") {
		fail(fmt.Errorf("%s listener: %w", name, err))
	}
}

// drain ends the service without failing a request: no new connections, a last
// answer that says so on those that are open, then the rest is closed.
func (a *app) drain(l *listeners) {
	a.edge.Drain()
	l.close()
	timer := time.NewTimer(drainWindow)
	<-timer.C
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := a.edge.Shutdown(ctx); err != nil {
		a.log.Warn("some connections were cut off", "error", err)
	}
	_ = a.ops.Shutdown(ctx)
}

// close waits for the background and closes everything, last opened first.
func (a *app) close() error {
	a.background.Wait()
	var errs []error
	for _, v := range slices.Backward(a.closers) {
		errs = append(errs, v())
	}
	return errors.Join(errs...)
}
