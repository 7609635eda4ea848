// Package push brings what is published to the people who asked for it: it
// expands the outbox into deliveries (Matcher), sends them over WeChat's
// channels (Dispatcher), listens to what WeChat says of people (Callbacks) and
// answers for the people themselves (People).
//
// The database is the queue. A row moves by fenced transactions only, so any
// number of processes may work on it and any of them may die at any point: what
// was not called is called again, what may have been called is called again only
// where WeChat refuses the repetition by its key, and anything else is unknown
// and says so. Nothing is ever sent of which a withdrawal or kill switch was
// acknowledged before the call began; see gate.
//
// WeChat itself is behind Sender; the files wechat*.go are its adapter.
package push

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"gongkai/internal/disclosure"
)

// Outbox is where events are expanded.
type Outbox interface {
	ClaimEvent(ctx context.Context, owner string, recall time.Duration, now time.Time, lease time.Duration) (disclosure.FanOut, bool, error)
	Candidates(ctx context.Context, sector string, after int64, limit int) ([]disclosure.Candidate, bool, error)
	Expand(ctx context.Context, owner string, f disclosure.FanOut, picks, daily []int64, now time.Time, lease time.Duration) (int64, bool, error)
	ExpandEarlier(ctx context.Context, owner string, f disclosure.FanOut, limit int, now time.Time, lease time.Duration) (disclosure.FanOut, int64, bool, error)
	QueueDepth(ctx context.Context, most int) (int, error)
}

// Notices reads what is public; a withdrawn notice is CodeWithdrawn.
type Notices interface {
	Notice(ctx context.Context, ref disclosure.NoticeRef) (disclosure.NoticeDetail, error)
	Bundled(ctx context.Context, event, person int64, limit int) ([]disclosure.Summary, int, error)
}

// Queue hands out deliveries under a lease.
type Queue interface {
	Look(ctx context.Context, limit int, now time.Time) (disclosure.Due, error)
	EndTrials(ctx context.Context, events []int64) error
	Take(ctx context.Context, owner string, plan []disclosure.Planned, limits func(app, path string) int, now time.Time, lease time.Duration) ([]disclosure.Delivery, error)
	Mark(ctx context.Context, owner string, list []disclosure.Delivery, counted func(disclosure.Delivery) bool, now time.Time) (map[int64]bool, error)
	Settle(ctx context.Context, owner string, list []disclosure.Settled) (int, error)
}

// Keeper looks after the queue as a whole.
type Keeper interface {
	Recover(ctx context.Context, limit int, now time.Time) (disclosure.Recovery, error)
	Sweep(ctx context.Context, limit int, now time.Time) (int64, error)
	Digest(ctx context.Context, day string, limit int, now time.Time) (int64, error)
	HandBack(ctx context.Context, owner string) error
	Forget(ctx context.Context, limit int, before time.Time) (int, error)
}

// Switches is what is forbidden, and the program's own part in it.
type Switches interface {
	Generation(ctx context.Context) (int64, error)
	Gate(ctx context.Context) (*disclosure.Gate, error)
	SetSwitch(ctx context.Context, by disclosure.Actor, scope, why string, program bool, now time.Time) error
	PausePush(ctx context.Context, by disclosure.Actor, n int64, why string, now time.Time) error
	ParkQuota(ctx context.Context, q disclosure.Quota) error
}

// Store is everything that sending needs of the database.
type Store interface {
	Outbox
	Notices
	Queue
	Keeper
	Switches
	Quotas(ctx context.Context, day string) ([]disclosure.Quota, error)
}

// Message is one card on its way to one account.
type Message struct {
	Channel  disclosure.Channel
	App      string
	OpenID   string
	Template string
	Fields   []disclosure.FittedField
	Text     string // of a customer-service message
	URL      string // of the notice's page
	Page     string // of the mini-program
	Key      string // by which WeChat refuses a repetition, where it can
}

// Sender makes one call to WeChat. A refusal is a *SendError; any other error is
// of unknown outcome. Fault is set when it is.
type Sender interface {
	Send(ctx context.Context, m Message) (msgid string, err error)
}

// Config is how the push behaves. The zero value of a member means its default
// unless it says otherwise.
type Config struct {
	Recall      time.Duration // ordinary events wait this long; 0 is none
	Workers     int           // calls at once, 8
	Batch       int           // deliveries taken at once, 500
	Rate        float64       // calls a second and API, 40; negative: no limit
	DailyCap    int           // cards a person gets a day, 5; the rest is for the digest
	QuotaOf     map[disclosure.Channel]int
	PublicURL   string // of the pages that cards lead to
	MiniPage    string // of the mini-program, "" for none: "pages/notice?code="
	Templates   []disclosure.CardTemplate
	CallTimeout time.Duration // of one call, 8 s
	Lease       time.Duration // of a delivery that was taken, 30 s
	Keep        time.Duration // deliveries, the people's inbox, are forgotten after it; 0 is never
}

func (c *Config) fill() {
	set := func(v *int, byDefault int) {
		if *v == 0 {
			*v = byDefault
		}
	}
	set(&c.Workers, 8)
	set(&c.Batch, 500)
	set(&c.DailyCap, 5)
	if c.Rate == 0 {
		c.Rate = 40
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = 8 * time.Second
	}
	if c.Lease == 0 {
		c.Lease = 30 * time.Second
	}
}

// dailyQuota is what WeChat allows an API a day unless it says otherwise.
var dailyQuota = map[disclosure.Channel]int{
	disclosure.ChannelTemplate: 100_000, disclosure.ChannelOfficial: 100_000,
	disclosure.ChannelMini: 10_000_000, disclosure.ChannelService: 500_000,
}

// paths are the APIs of the channels.
var paths = map[disclosure.Channel]string{
	disclosure.ChannelTemplate: "/cgi-bin/message/template/send", disclosure.ChannelOfficial: "/cgi-bin/message/subscribe/bizsend",
	disclosure.ChannelMini: "/cgi-bin/message/subscribe/send", disclosure.ChannelService: "/cgi-bin/message/custom/send",
}

// Push sends. Make it with New; Run works until its context ends.
type Push struct {
	Config
	store  Store
	sender Sender
	signer *Signer
	log    *slog.Logger
	now    func() time.Time
	owner  string

	metrics *Metrics
	gate    gate
	pace    pacer
	cards   cardCache
	breaker breaker
}

// New makes a sender of the queue. owner tells processes apart and must not be
// used again after a restart.
func New(c Config, store Store, sender Sender, signer *Signer, log *slog.Logger, now func() time.Time, owner string) *Push {
	c.fill()
	p := &Push{Config: c, store: store, sender: sender, signer: signer, log: log, now: now, owner: owner, metrics: newMetrics()}
	p.gate = gate{switches: store, now: now}
	p.pace = pacer{rate: c.Rate, limits: map[string]*pace{}}
	p.cards.entries = map[cardKey]fittedCard{}
	p.breaker.calls = map[string]*tally{}
	if w, ok := sender.(*WeChat); ok {
		p.metrics.tokens = w.tokens
	}
	return p
}

// Metrics returns the counters for the operations listener.
func (p *Push) Metrics() *Metrics { return p.metrics }

// Run expands events and sends deliveries until ctx ends; then it lets calls
// under way end and hands back what it had taken.
func (p *Push) Run(ctx context.Context) error {
	var running sync.WaitGroup
	running.Go(func() { p.gate.run(ctx) })
	running.Go(func() { p.match(ctx) })
	running.Go(func() { p.keep(ctx) })
	p.dispatch(ctx)
	running.Wait()
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return p.store.HandBack(ending, p.owner)
}

// keep does what is due now and then: recovery, sweeping, the digest, forgetting.
func (p *Push) keep(ctx context.Context) {
	var forgetAt time.Time // again
	for every(ctx, keepInterval) {
		now := p.now()
		if r, err := p.store.Recover(ctx, keepLimit, now); err != nil {
			p.complain(ctx, "recovery failed; it is tried again", err)
		} else if r != (disclosure.Recovery{}) {
			p.metrics.recovered(r)
			p.log.Warn("deliveries of a worker that went away", "requeued", r.Requeued, "again", r.Again, "unknown", r.Unknown)
		}
		if _, err := p.store.Sweep(ctx, keepLimit, now); err != nil {
			p.complain(ctx, "sweeping failed; it is tried again", err)
		}
		if err := p.digest(ctx, now); err != nil {
			p.complain(ctx, "the digest failed; it is tried again", err)
		}
		if p.Keep == 0 || now.Before(forgetAt) {
			continue
		}
		switch n, err := p.store.Forget(ctx, forgetChunk, now.Add(-p.Keep)); {
		case err != nil:
			p.complain(ctx, "forgetting failed; it is tried again", err)
		case n == 0:
			forgetAt = now.Add(time.Hour)
		}
	}
}

const (
	keepInterval  = time.Second
	keepLimit     = 5_000
	forgetChunk   = 1_000 // a second, beside everything else
	matchInterval = 100 * time.Millisecond
)

// every waits for the interval and reports whether ctx goes on.
func every(ctx context.Context, interval time.Duration) bool {
	t := time.NewTimer(interval)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// complain logs what is tried again by itself.
func (p *Push) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		p.log.Error("work is tried again", "what", what, "error", err)
	}
}

// digest collects what waits for the daily digest once its hour has come.
func (p *Push) digest(ctx context.Context, now time.Time) error {
	at := disclosure.NextDigest(now)
	day := at.AddDate(0, 0, -1)
	if at.Equal(now) {
		day = at
	}
	for ctx.Err() == nil {
		people, err := p.store.Digest(ctx, day.Format(time.DateOnly), digestChunk, now)
		if err != nil || people == 0 {
			return err
		}
	}
	return ctx.Err()
}

const digestChunk = 1_000
