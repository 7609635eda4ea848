package push

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"gongkai/internal/crashpoint"
	"gongkai/internal/disclosure"
)

// job is a delivery on its way to a call.
type job struct {
	disclosure.Delivery
	to disclosure.Recipient
}

const idleInterval = 100 * time.Millisecond

// dispatch takes, plans and sends until ctx ends; then it waits for the calls
// under way.
func (p *Push) dispatch(ctx context.Context) {
	line := newLine(p)
	calls := context.WithoutCancel(ctx) // a call under way is not cut off
	book := newBook(p)
	var booking, working sync.WaitGroup
	booking.Go(book.run)
	for range p.Workers {
		working.Go(func() {
			for j, ok := line.next(); ok; j, ok = line.next() {
				p.work(ctx, calls, j, book)
			}
		})
	}
	p.feed(ctx, line)
	working.Wait()
	book.close()
	booking.Wait()
}

// feed puts batches into the line until ctx ends.
func (p *Push) feed(ctx context.Context, line *line) {
	defer close(line.batches)
	for ctx.Err() == nil {
		batch, some, err := p.take(ctx, int(line.size.Load()))
		if err != nil {
			p.complain(ctx, "no deliveries were taken; it is tried again", err)
			every(ctx, time.Second)
			continue
		}
		if len(batch) > 0 {
			line.batches <- batch
		}
		if !some && !every(ctx, idleInterval) {
			return
		}
	}
}

// take looks for what is due, plans it and takes what is to be sent. some is
// false when nothing was due.
func (p *Push) take(ctx context.Context, size int) (jobs []job, some bool, err error) {
	gate := p.gate.wait(ctx)
	if gate == nil || gate.Scopes[disclosure.ScopeGlobal] {
		return nil, false, nil
	}
	due, err := p.store.Look(ctx, size, p.now())
	if err == nil && len(due.Tried) > 0 {
		err = p.store.EndTrials(ctx, due.Tried)
	}
	if err != nil || len(due.Deliveries) == 0 {
		return nil, len(due.Tried) > 0, err
	}
	parked, err := p.parked(ctx)
	if err != nil {
		return nil, true, err
	}
	plan := planner{templates: p.Templates, dailyCap: p.DailyCap, gate: gate, parked: parked, now: p.now()}
	plans := make([]disclosure.Planned, len(due.Deliveries))
	for i, d := range due.Deliveries {
		plans[i] = plan.plan(d, due.People[d.Person])
		p.metrics.planned(plans[i])
	}
	taken, err := p.store.Take(ctx, p.owner, plans, p.quotaOf, p.now(), p.Lease)
	jobs = make([]job, 0, len(taken))
	for _, d := range taken {
		jobs = append(jobs, job{d, due.People[d.Person]})
	}
	return jobs, true, err
}

func (p *Push) quotaOf(_, path string) int {
	for channel, known := range paths {
		if known == path {
			if n, ok := p.QuotaOf[channel]; ok {
				return n
			}
			return dailyQuota[channel]
		}
	}
	return 0
}

// parked returns the APIs whose day is used up, and until when: for ordinary cards
// that is when a tenth is left, but only WeChat's own word parks an API for all.
func (p *Push) parked(ctx context.Context) (map[string]time.Time, error) {
	now := p.now()
	list, err := p.store.Quotas(ctx, dayOf(now))
	out := map[string]time.Time{}
	for _, q := range list {
		switch {
		case q.Used >= q.Limit:
			out[q.App+q.Path] = shanghaiDay(now).AddDays(1).Start()
		case q.ParkedUntil.After(now):
			out[q.App+q.Path] = q.ParkedUntil
		}
	}
	return out, err
}

// work makes the call of one job, if it may still be made, and books the result.
func (p *Push) work(ctx, calls context.Context, j job, book *book) {
	d := j.Delivery
	var before *disclosure.Gate // the card was made
	if d.Kind == disclosure.EventDigest {
		before = p.knows(ctx, d)
	}
	message, err := p.message(calls, j)
	if err != nil {
		book.put(p.unsent(d, err), false)
		return
	}
	api := d.App + paths[d.Channel]
	if p.late(d) || p.pace.wait(ctx, api) != nil || p.late(d) { // pace.wait fails when it is stopping
		p.later(d, 0, book)
		return
	}
	if p.pace.isParked(api, p.now()) {
		p.later(d, time.Second, book)
		return
	}
	if !d.Channel.Keyed() && !book.mark(d) {
		p.metrics.refused(d, "mark")
		return
	}
	gate := p.knows(ctx, d)
	if gate == nil || !gate.Allows(d) || outdated(d, before, gate) {
		p.metrics.refused(d, "gate")
		s := p.uncalled(d, time.Second)
		s.Refund = p.counted(d)
		book.put(s, !d.Channel.Keyed())
		return
	}
	began := p.now()
	within, cancel := context.WithTimeout(calls, p.CallTimeout)
	crashpoint.Hit("before", "the call")
	msgid, err := p.sender.Send(within, message)
	crashpoint.Hit("after", "the call")
	cancel()
	book.put(p.settled(ctx, d, message, msgid, err, p.now().Sub(began)), !d.Channel.Keyed())
}

// knows returns what is forbidden, and waits for it as long as the lease allows.
func (p *Push) knows(ctx context.Context, d disclosure.Delivery) *disclosure.Gate {
	return p.gate.within(ctx, d.LeaseEnd.Sub(p.now())-p.CallTimeout)
}

// outdated reports whether the card may name what was forbidden since it was begun.
// The gate knows a digest by its own event and not by those that it tells of.
func outdated(d disclosure.Delivery, before, now *disclosure.Gate) bool {
	return d.Kind == disclosure.EventDigest && (before == nil || before.Generation != now.Generation)
}

// late reports whether a call begun now could outlast its lease.
func (p *Push) late(d disclosure.Delivery) bool {
	if d.LeaseEnd.Sub(p.now()) > p.CallTimeout {
		return false
	}
	p.metrics.refused(d, "lease")
	return true
}

// later puts a delivery that was not called back into the queue at once, and
// does not leave it to the end of its lease: a slow machine would spend its day
// waiting for leases.
func (p *Push) later(d disclosure.Delivery, wait time.Duration, book *book) {
	book.put(p.uncalled(d, wait), false)
}

// uncalled settles a delivery that was not called after all; what was taken for
// its call is given back.
func (p *Push) uncalled(d disclosure.Delivery, wait time.Duration) disclosure.Settled {
	now := p.now()
	s := disclosure.Settled{Delivery: d, State: disclosure.DeliveryQueued, At: now, NotBefore: now.Add(wait)}
	if dayOf(d.LeaseEnd.Add(-p.Lease)) == dayOf(now) { // the day whose share it was
		s.Path = paths[d.Channel]
	}
	return s
}

// unsent settles a delivery whose card could not be made. One of an older
// revision goes back to the queue: the fan-out of the newer one supersedes it.
func (p *Push) unsent(d disclosure.Delivery, err error) disclosure.Settled {
	s := p.uncalled(d, 5*time.Second)
	switch {
	case errors.Is(err, errOlder):
		s.NotBefore = s.At.Add(time.Second)
	case errors.Is(err, errNothingToSay), errors.Is(err, &disclosure.Error{Code: disclosure.CodeWithdrawn}),
		errors.Is(err, &disclosure.Error{Code: disclosure.CodeNotFound}):
		s.State = disclosure.DeliveryCancelled
	default:
		p.log.Error("a card was not made; it is tried again", "delivery", d.N, "error", err)
	}
	return s
}

// settled turns the result of a call into what is written of it.
func (p *Push) settled(ctx context.Context, d disclosure.Delivery, m Message, msgid string, err error, took time.Duration) disclosure.Settled {
	now := p.now()
	decision, class := Decide(err, d, now)
	api := d.App + paths[d.Channel]
	s := disclosure.Settled{Delivery: d, State: decision.State, Class: class, MsgID: msgid, NotBefore: decision.At, At: now, Called: true,
		Refund: decision.Refund && p.counted(d), Account: decision.Account, OpenID: m.OpenID}
	if decision.Wait > 0 && s.NotBefore.IsZero() {
		s.NotBefore = now.Add(decision.Wait/2 + jitter(d.N+int64(d.Attempt), decision.Wait))
	}
	refusal := new(SendError)
	if errors.As(err, &refusal) {
		s.Code, s.Detail = refusal.Code, refusal.Text
	} else if err != nil {
		s.Detail = "没有得到微信的回应"
	}
	p.metrics.called(d, class, took)
	switch {
	case err == nil:
		p.pace.good(api)
	case decision.Slow:
		p.pace.slow(api)
	}
	p.react(ctx, d, decision, class, refusal)
	return s
}

// react does what a failure asks for beyond its own row.
func (p *Push) react(ctx context.Context, d disclosure.Delivery, decision Decision, class disclosure.Class, e *SendError) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	now := p.now()
	var err error
	scope := decision.Stop
	switch scope {
	case disclosure.ScopeApp:
		scope += d.App
	case disclosure.ScopeTemplate:
		scope += d.Template
	case disclosure.ScopeChannel:
		scope += string(d.Channel)
	}
	if p.breaker.broken(d.App, class == disclosure.ClassIdentity) {
		scope = disclosure.ScopeApp + d.App
	}
	if scope != "" || decision.Pause {
		defer p.gate.hold()()
	}
	if scope != "" {
		why := fmt.Sprintf("%s：%s（errcode %d）", disclosure.ClassNames[class], e.Text, e.Code)
		p.log.Error("sending is stopped until somebody looks", "scope", scope, "class", class, "errcode", e.Code, "field", e.Field, "ip", e.IP, "rid", e.RID)
		err = p.store.SetSwitch(ctx, disclosure.System, scope, why, true, now)
		if class == disclosure.ClassTemplate && d.Canary {
			err = errors.Join(err, p.pause(ctx, d.Event, why, now))
		}
	}
	if decision.Pause {
		err = errors.Join(err, p.pause(ctx, d.Event, contentRefused, now))
	}
	if decision.Park {
		api, until := paths[d.Channel], shareBack(now)
		p.pace.park(d.App+api, until)
		p.log.Warn("an API's day is used up", "app", d.App, "path", e.Path, "until", until)
		err = errors.Join(err, p.store.ParkQuota(ctx, disclosure.Quota{App: d.App, Path: api, Day: dayOf(now), Limit: p.quotaOf(d.App, api), ParkedUntil: until}))
	}
	if err != nil {
		p.log.Error("a fault was not written down", "error", err)
	}
}

// contentRefused is why an event is paused whose words WeChat refuses; cards of
// an event that was resumed after it carry a neutral title.
const contentRefused = disclosure.ContentRefused

func (p *Push) pause(ctx context.Context, event int64, why string, now time.Time) error {
	err := p.store.PausePush(ctx, disclosure.System, event, why, now)
	if errors.Is(err, &disclosure.Error{Code: disclosure.CodePushState}) {
		return nil // it is paused
	}
	return err
}

// counted reports whether a delivery uses up one of the person's consents.
func (p *Push) counted(d disclosure.Delivery) bool {
	t, err := p.template(d)
	return err == nil && !t.LongTerm && (d.Channel == disclosure.ChannelMini || d.Channel == disclosure.ChannelOfficial)
}

// key is what WeChat knows a card by: the same for every try of a delivery, and
// another after a forced resend.
func key(d disclosure.Delivery) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "gongkai/%d/%d/%d", d.N, d.Event, d.Attempt/keyEpoch))
	return hex.EncodeToString(sum[:16])
}

func dayOf(t time.Time) string { return shanghaiDay(t).String() }
