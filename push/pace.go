package push

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pacer spreads the calls of each API: WeChat drops what comes in bursts. It
// halves the rate when WeChat says so and lets it grow again by and by.
type pacer struct {
	rate   float64 // calls a second; negative: no limit
	mu     sync.Mutex
	limits map[string]*pace
	parked sync.Map // API → time.Time until which this process does not call it
}

type pace struct {
	*rate.Limiter
	now float64
}

func (p *pacer) of(api string) *pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.limits[api]
	if !ok {
		l = &pace{rate.NewLimiter(rate.Limit(p.rate), max(1, int(p.rate/10))), p.rate}
		p.limits[api] = l
	}
	return l
}

// wait returns when the API may be called, or ctx's error.
func (p *pacer) wait(ctx context.Context, api string) error {
	if p.rate < 0 {
		return ctx.Err()
	}
	return p.of(api).Wait(ctx)
}

// park stops an API in this process at once; what is in the database stops it
// for all from their next batch on.
func (p *pacer) park(api string, until time.Time) { p.parked.Store(api, until) }

func (p *pacer) isParked(api string, now time.Time) bool {
	until, ok := p.parked.Load(api)
	return ok && now.Before(until.(time.Time))
}

// slow halves an API's rate, but not below a twentieth.
func (p *pacer) slow(api string) { p.change(api, func(l *pace) { l.now = max(l.now/2, p.rate/20) }) }

// good lets an API's rate grow by a hundredth.
func (p *pacer) good(api string) {
	p.change(api, func(l *pace) { l.now = min(l.now+p.rate/100, p.rate) })
}

func (p *pacer) change(api string, f func(*pace)) {
	if p.rate < 0 {
		return
	}
	l := p.of(api)
	p.mu.Lock()
	defer p.mu.Unlock()
	before := l.now
	if f(l); l.now != before {
		l.SetLimit(rate.Limit(l.now))
	}
}

// breaker stops an account when too many openids are unknown to it: they are of
// another account, and going on would only tell WeChat so.
type breaker struct {
	mu    sync.Mutex
	calls map[string]*tally
}

type tally struct{ calls, unknown int }

// broken counts a call and reports whether the account is to be stopped.
func (b *breaker) broken(app string, unknown bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.calls[app]
	if !ok {
		t = new(tally)
		b.calls[app] = t
	}
	t.calls++
	if unknown {
		t.unknown++
	}
	trip := t.unknown >= 5 && t.unknown*20 > t.calls
	if trip || t.calls >= 1000 {
		*t = tally{}
	}
	return trip
}
