package handlers

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"gongkai/internal/disclosure"
)

// fixedCache holds one answer under every key.
type fixedCache struct {
	Cache
	answer *disclosure.Answer
}

func (c fixedCache) Peek(string, time.Time) *disclosure.Answer { return c.answer }

func (c fixedCache) Get(context.Context, string, func(context.Context) (*disclosure.Answer, error)) (*disclosure.Answer, time.Duration, error) {
	return c.answer, 0, nil
}

// BenchmarkServeCached is what a hit costs but for the socket and the cache's
// own lookup.
func BenchmarkServeCached(b *testing.B) {
	body := make([]byte, 20_000)
	s, err := New(Config{Cache: fixedCache{answer: &disclosure.Answer{Type: mediaJSON, ETag: `W/"abcdefghijklmnop"`, Body: body}},
		Log: slog.New(slog.DiscardHandler), Now: time.Now, Rate: 100_000_000, Burst: 100_000_000})
	if err != nil {
		b.Fatal(err)
	}
	for name, header := range map[string]string{"200": "", "304": `W/"abcdefghijklmnop"`} {
		b.Run(name, func(b *testing.B) {
			var ctx fasthttp.RequestCtx
			ctx.Request.SetRequestURI("/api/v1/notices?sector=procurement")
			ctx.Request.Header.SetHost("localhost")
			if header != "" {
				ctx.Request.Header.Set("If-None-Match", header)
			}
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				s.serve(s.public, &ctx)
			}
		})
	}
}
