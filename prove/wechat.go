package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// hall is a demo whose office and phones are one process, so that its clock can
// be moved, with a few people who follow and subscribe.
type hall struct {
	*phones
	office *office
	admin  string
	people []string
}

func (l *lab) hall(ctx context.Context, people int) (*hall, error) {
	dir, err := l.folder()
	if err != nil {
		return nil, err
	}
	p, err := l.phones(ctx, dir, "--push.recall", "0s", "--push.daily-cap", "1000")
	if err != nil {
		return nil, err
	}
	h := &hall{phones: p, admin: p.sheet.Tokens["admin"]}
	if h.office, err = l.hire(ctx, p.node, "--data", dir); err != nil {
		return nil, err
	}
	longTerm := p.account("mini").template("long_term")
	for i := range people {
		id, err := p.follower(ctx, fmt.Sprintf("群众%d", i+1))
		if err != nil {
			return nil, err
		}
		if _, err := h.signIn(ctx, id); err != nil { // so that both accounts are known as one person's
			return nil, err
		}
		if err := p.act(ctx, id, "accept", object{"app": "mini", "template": longTerm}); err != nil {
			return nil, err
		}
		h.people = append(h.people, id)
	}
	return h, nil
}

// pass moves the clock of the demo forward.
func (p *phones) pass(ctx context.Context, d time.Duration) error {
	return p.do(ctx, "POST", "/demo/sim/clock", object{"advance": d.String()}, nil)
}

// calls counts today's calls of an API.
func (p *phones) calls(ctx context.Context, path string) (n int, err error) {
	var out struct {
		Items []struct {
			Calls map[string]int `json:"calls_today"`
		}
	}
	err = p.do(ctx, "GET", "/demo/sim/accounts", nil, &out)
	for _, a := range out.Items {
		n += a.Calls[path]
	}
	return n, err
}

// each publishes a notice and waits until everybody has exactly one card of it.
// While they have not, mend is called once in a while.
func (h *hall) each(ctx context.Context, limit time.Duration, mend func(code string) error) (took time.Duration, err error) {
	begun := time.Now()
	n, err := h.office.publishTender(ctx, h.node)
	if err != nil {
		return 0, err
	}
	for {
		got, err := h.count(ctx, n)
		if err != nil {
			return 0, err
		}
		if len(got) == len(h.people) {
			break
		}
		if time.Since(begun) > limit {
			f, _ := h.find(ctx, n.code) // to tell what became of it
			return 0, fmt.Errorf("after %s %d of %d people have the card; %v", limit, len(got), len(h.people), f.States)
		}
		if mend != nil {
			if err := mend(n.code); err != nil {
				return 0, err
			}
		}
		wait(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	took = time.Since(begun)
	wait(ctx, 300*time.Millisecond) // in which a second card would come
	got, err := h.count(ctx, n)
	for person, cards := range got {
		if cards != 1 {
			return took, fmt.Errorf("%s has %d cards", person, cards)
		}
	}
	return took, err
}

// count returns how many cards of a notice each person has. Those of the
// mini-program and customer-service messages are known by the title, which is the
// notice's own.
func (h *hall) count(ctx context.Context, n notice) (map[string]int, error) {
	list, err := h.cards(ctx, "")
	got := map[string]int{}
	for _, c := range list {
		if c.about(n.code) || c.Data["thing1"].Value == n.title || c.Text != nil && strings.Contains(*c.Text, n.title) {
			got[c.Person]++
		}
	}
	return got, err
}

// find returns the push of a notice.
func (h *hall) find(ctx context.Context, code string) (funnel, error) {
	list, err := h.office.pushes(ctx, h.node)
	if err != nil {
		return funnel{}, err
	}
	i := slices.IndexFunc(list, func(f funnel) bool { return f.Code == code })
	if i < 0 {
		return funnel{}, fmt.Errorf("no push of %s", code)
	}
	return list[i], nil
}

// mishap is one thing that WeChat does, and what must come of it.
type mishap struct {
	name  string
	fault object
	// mend is what an operator or time does about it; nil: nothing is needed.
	mend func(ctx context.Context, h *hall, code string) (done bool, err error)
}

const byKey = "message/template/send"

// keyedMishaps hit the template message, whose key lets it be tried again
// whatever became of it.
var keyedMishaps = []mishap{
	{name: "-1 five times", fault: object{"kind": "errcode", "errcode": -1, "count": 5, "path": byKey}},
	{name: "502 five times", fault: object{"kind": "status", "count": 5, "path": byKey}},
	{name: "refused connections", fault: object{"kind": "refuse", "count": 5, "path": byKey}},
	{name: "cut after it was taken", fault: object{"kind": "cut", "count": 3, "path": byKey}},
	{name: "40001: another has fetched a token", fault: object{"kind": "expire_token", "count": 1, "path": byKey}},
	{name: "slow token", fault: object{"kind": "latency", "seconds": 2, "count": 1, "path": "stable_token"}},
	{name: "45011 until the next minute", fault: object{"kind": "errcode", "errcode": 45011, "count": 1, "path": byKey}, mend: later(time.Minute)},
	{name: "30 s of silence", fault: object{"kind": "latency", "seconds": 30, "count": 1, "path": byKey}},
	{name: "45009 until midnight", fault: object{"kind": "errcode", "errcode": 45009, "count": 1, "path": byKey}, mend: later(24 * time.Hour)},
}

// mishaps of people who have also accepted the mini-program's template, which
// goes first.
var mishaps = []mishap{
	{name: "47003: template refused, mended, sent again", fault: object{"kind": "errcode", "errcode": 47003, "count": -1, "path": "message/subscribe/send"}, mend: repair},
	{name: "43101: consent taken back", fault: object{"kind": "errcode", "errcode": 43101, "count": 3, "path": "message/subscribe/send"}},
	{name: "45009: the next channel", fault: object{"kind": "errcode", "errcode": 45009, "count": 1, "path": "message/subscribe/send"}, mend: later(24 * time.Hour)},
}

// later lets time pass when all that is left waits for it.
func later(d time.Duration) func(context.Context, *hall, string) (bool, error) {
	return func(ctx context.Context, h *hall, code string) (bool, error) {
		f, err := h.find(ctx, code)
		if err != nil || f.States["queued"] == 0 || f.States["leased"]+f.States["sending"] > 0 {
			return false, err
		}
		err = h.pass(ctx, d/2+time.Second)
		wait(ctx, 2*time.Second)
		return true, err
	}
}

// happened reports whether a fault that was to hit has hit.
func (h *hall) happened(ctx context.Context) (bool, error) {
	var left struct{ Items []struct{ Count int } }
	err := h.do(ctx, "GET", "/demo/sim/faults", nil, &left)
	return len(left.Items) == 0, err
}

// repair mends a refused template: the fault ends, the switch is turned off, the
// push resumed and the failed cards sent again.
func repair(ctx context.Context, h *hall, code string) (bool, error) {
	f, err := h.find(ctx, code)
	if err != nil || !f.Paused && f.States["failed"] == 0 || f.States["leased"]+f.States["sending"] > 0 {
		return false, err
	}
	if err := h.clear(ctx); err != nil {
		return false, err
	}
	var status struct{ Switches []struct{ Scope string } }
	if err := h.office.call(ctx, h.node, "GET", "/api/v1/staff/push/status", h.admin, nil, http.StatusOK, &status); err != nil {
		return false, err
	}
	for _, s := range status.Switches {
		if err := h.office.call(ctx, h.node, "POST", "/api/v1/staff/push/switches", h.admin, object{"scope": s.Scope, "on": false, "reason": "已修正"}, http.StatusOK, nil); err != nil {
			return false, err
		}
	}
	path := "/api/v1/staff/pushes/" + f.Event
	if f.Paused {
		if err := h.office.call(ctx, h.node, "POST", path+"/resume", h.office.reviewer, object{}, http.StatusOK, nil); err != nil {
			return false, err
		}
	}
	return true, h.office.call(ctx, h.node, "POST", path+"/resend", h.office.reviewer, object{"states": []string{"failed"}, "dry_run": false}, http.StatusOK, nil)
}

// wechatFaults publishes under each mishap: everybody gets the card in the end,
// and one.
func wechatFaults(ctx context.Context, l *lab) (outcome, error) {
	figures, wrong := map[string]time.Duration{}, []string{}
	tokens := 0
	for round, list := range [][]mishap{mishaps, keyedMishaps} {
		h, err := l.hall(ctx, 6)
		if err != nil {
			return outcome{}, err
		}
		for _, id := range h.people {
			if round == 1 { // leave only the template message
				if err := h.act(ctx, id, "reject", object{"app": "mini", "template": h.account("mini").template("long_term")}); err != nil {
					return outcome{}, err
				}
			}
		}
		for _, m := range list {
			before, err := h.calls(ctx, "/cgi-bin/stable_token")
			if err != nil {
				return outcome{}, err
			}
			if m.name == "slow token" {
				if err := h.do(ctx, "POST", "/demo/sim/accounts/official", object{"revoke_tokens": true}, nil); err != nil {
					return outcome{}, err
				}
			}
			if err := h.fault(ctx, m.fault); err != nil {
				return outcome{}, err
			}
			var mend func(string) error
			mended := m.mend == nil
			if m.mend != nil {
				mend = func(code string) error {
					done, err := m.mend(ctx, h, code)
					mended = mended || done
					return err
				}
			}
			took, err := h.each(ctx, time.Minute, mend)
			if err != nil {
				wrong = append(wrong, m.name+": "+err.Error())
			}
			figures[m.name] = took
			if happened, err := h.happened(ctx); err != nil {
				return outcome{}, err
			} else if !happened || !mended {
				wrong = append(wrong, m.name+": did not happen")
			}
			after, err := h.calls(ctx, "/cgi-bin/stable_token")
			if err != nil {
				return outcome{}, err
			}
			if lost := after - before; lost > 1 {
				wrong = append(wrong, fmt.Sprintf("%s: %d tokens fetched", m.name, lost))
			} else if lost > 0 {
				tokens += lost
			}
			if err := h.clear(ctx); err != nil {
				return outcome{}, err
			}
		}
	}
	var told []string
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		told = append(told, fmt.Sprintf("%s %.1f s", name, figures[name].Seconds()))
	}
	figure := fmt.Sprintf("until everybody had the card: %s; %d tokens fetched", strings.Join(told, ", "), tokens)
	if len(wrong) > 0 {
		figure += "; wrong: " + strings.Join(wrong, "; ")
	}
	return outcome{figure: figure, mark: "everybody one card; ≤ 1 token fetched each", passed: len(wrong) == 0}, nil
}
