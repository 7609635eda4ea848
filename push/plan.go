package push

import (
	"fmt"
	"slices"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

// planner decides what becomes of a delivery that is due, without I/O.
type planner struct {
	templates []disclosure.CardTemplate
	dailyCap  int
	gate      *disclosure.Gate
	parked    map[string]time.Time // app + path of APIs whose day is used up, and until when
	now       time.Time
}

// quietJitter spreads what waits for the end of quiet hours.
const quietJitter = 15 * time.Minute

// plan decides on one delivery. A card that is to be sent has a Path.
func (p *planner) plan(d disclosure.Delivery, r disclosure.Recipient) disclosure.Planned {
	out := disclosure.Planned{Delivery: d}
	rest := func(state disclosure.DeliveryState, class disclosure.Class, at time.Time) disclosure.Planned {
		out.State, out.Class, out.NotBefore = state, class, at
		return out
	}
	urgent := d.Priority == disclosure.PriorityUrgent
	switch {
	case !p.now.Before(d.Expires):
		return rest(disclosure.DeliveryDead, disclosure.ClassExpired, time.Time{})
	case r.Paused:
		return rest(disclosure.DeliverySuppressed, disclosure.ClassPaused, time.Time{})
	case d.Unwanted:
		return rest(disclosure.DeliverySuppressed, disclosure.ClassUnwanted, time.Time{})
	}
	if d.Quiet != nil && !(urgent && r.UrgentQuiet) {
		if until := d.Quiet.Until(p.now); !until.IsZero() {
			return rest(disclosure.DeliveryQueued, "", until.Add(jitter(d.N, quietJitter)))
		}
	}
	if r.SentDay >= p.dailyCap && !urgent && d.Kind != disclosure.EventDigest {
		return rest(disclosure.DeliveryDigest, disclosure.ClassPacePerson, disclosure.NextDigest(p.now.Add(time.Second)))
	}
	way, blocked := p.way(d, r)
	switch {
	case d.Channel.Keyed() && !d.FirstCall.IsZero() && !p.again(d, way, blocked):
		return rest(disclosure.DeliveryUnknown, disclosure.ClassAmbiguous, time.Time{})
	case way != nil:
		out.Channel, out.App, out.Template, out.Path = way.Channel, way.App, way.ID, paths[way.Channel]
		return out
	case blocked == disclosure.ClassQuota:
		return rest(disclosure.DeliveryQueued, blocked, p.resumes().Add(jitter(d.N, time.Minute)))
	case blocked != "":
		return rest(disclosure.DeliveryQueued, blocked, p.now.Add(time.Minute))
	}
	return rest(disclosure.DeliverySuppressed, disclosure.ClassNoChannel, time.Time{})
}

// resumes returns when the first of the parked APIs may be called again.
func (p *planner) resumes() time.Time {
	first := workday.DateOf(p.now).AddDays(1).Start()
	for _, until := range p.parked {
		if until.Before(first) {
			first = until
		}
	}
	return first
}

// again reports whether a card that may be there already can go, or wait to go,
// once more: only where WeChat knows its key, and not after it has forgotten it.
func (p *planner) again(d disclosure.Delivery, way *disclosure.CardTemplate, blocked disclosure.Class) bool {
	if p.now.Sub(d.FirstCall) >= disclosure.KeyedLife {
		return false
	}
	return way == nil && blocked != "" || way != nil && way.App == d.App && way.Channel == d.Channel && way.ID == d.Template
}

// jitter is from 0 to most, and the same for one delivery each time it is asked
// for. most is two hours at the longest: the product has 63 bits.
func jitter(n int64, most time.Duration) time.Duration {
	return time.Duration(uint64(n)*0x9E3779B97F4A7C15>>44) * most >> 20
}

// ladder is the order in which channels are tried: lasting consents first, then
// followers, then consents that are used up, then an open window.
var ladder = []struct {
	channel  disclosure.Channel
	longTerm bool
}{
	{disclosure.ChannelMini, true}, {disclosure.ChannelOfficial, true}, {disclosure.ChannelTemplate, false},
	{disclosure.ChannelMini, false}, {disclosure.ChannelOfficial, false}, {disclosure.ChannelService, false},
}

// way returns the first template by which the person may be reached now. nil
// with a class means that only a switch or a quota stands in the way.
func (p *planner) way(d disclosure.Delivery, r disclosure.Recipient) (*disclosure.CardTemplate, disclosure.Class) {
	var blocked disclosure.Class
	for _, step := range ladder {
		for i := range p.templates {
			t := &p.templates[i]
			if t.Channel != step.channel || t.LongTerm != step.longTerm || accountFor(t, r, p.now) == nil {
				continue
			}
			d.App, d.Channel, d.Template = t.App, t.Channel, t.ID
			switch {
			case !p.gate.Allows(d):
				blocked = disclosure.ClassBanned
			case !p.parked[t.App+paths[t.Channel]].IsZero():
				blocked = disclosure.ClassQuota
			default:
				return t, ""
			}
		}
	}
	return nil, blocked
}

// accountFor returns the account by which the person may be sent the template now,
// nil for none. Whoever has joined two of one app is reached by either.
func accountFor(t *disclosure.CardTemplate, r disclosure.Recipient, now time.Time) *disclosure.Account {
	for i := range r.Accounts {
		if a := &r.Accounts[i]; a.App == t.App && !a.Quarantined && !a.Muted && takes(a, t, r, now) {
			return a
		}
	}
	return nil
}

func takes(a *disclosure.Account, t *disclosure.CardTemplate, r disclosure.Recipient, now time.Time) bool {
	switch t.Channel {
	case disclosure.ChannelTemplate:
		return a.Following
	case disclosure.ChannelService:
		return a.WindowLeft > 0 && now.Before(a.WindowUntil)
	}
	return slices.ContainsFunc(r.Consents, func(c disclosure.ConsentBalance) bool { return c.App == t.App && c.Template == t.ID && c.Left > 0 })
}

func (p *Push) template(d disclosure.Delivery) (disclosure.CardTemplate, error) {
	for _, t := range p.Templates {
		if t.App == d.App && t.Channel == d.Channel && t.ID == d.Template {
			return t, nil
		}
	}
	return disclosure.CardTemplate{}, fmt.Errorf("push: template of channel %s is no longer configured", d.Channel)
}
