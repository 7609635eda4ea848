package wechatsim

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// created marks an answer as that of a thing just made: 201.
type created struct{ personView }

// personView is a person in the control plane's answers.
type personView struct {
	ID             string         `json:"id"`
	Name           string         `json:"name"`
	OfficialOpenID string         `json:"official_openid"`
	MiniOpenID     string         `json:"mini_openid"`
	UnionID        string         `json:"unionid"`
	Accounts       []standingView `json:"accounts"`
}

type standingView struct {
	App       string        `json:"app"`
	OpenID    string        `json:"openid"`
	Following bool          `json:"following"`
	Muted     bool          `json:"muted"`
	Blocked   bool          `json:"blocked"`
	Consents  []consentView `json:"consents"`
}

type consentView struct {
	TemplateID string `json:"template_id"`
	Title      string `json:"title"`
	Left       *int   `json:"left"` // messages; null for a long-term consent
}

func (s *Sim) view(p *person) personView {
	v := personView{ID: p.id, Name: p.name, UnionID: p.unionID}
	for _, a := range s.accounts {
		st := p.standing[a]
		if a.Kind == Official && v.OfficialOpenID == "" {
			v.OfficialOpenID = st.openID
		}
		if a.Kind == Mini && v.MiniOpenID == "" {
			v.MiniOpenID = st.openID
		}
		sv := standingView{App: a.App, OpenID: st.openID, Following: st.following, Muted: st.muted, Blocked: st.blocked, Consents: []consentView{}}
		for _, t := range a.Templates {
			c := st.consents[t.ID]
			switch {
			case c == nil || !c.forever && c.left == 0:
			case c.forever:
				sv.Consents = append(sv.Consents, consentView{t.ID, t.Title, nil})
			default:
				left := c.left
				sv.Consents = append(sv.Consents, consentView{t.ID, t.Title, &left})
			}
		}
		v.Accounts = append(v.Accounts, sv)
	}
	return v
}

func (s *Sim) person(id string) (*person, error) {
	if p := s.byID[id]; p != nil {
		return p, nil
	}
	if st := s.byOpenID[id]; st != nil {
		return st.person, nil
	}
	return nil, notFound("没有这个人：" + id)
}

const maxListed = 1000

// listPeople is GET /demo/sim/people.
func (s *Sim) listPeople(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []personView{}
	for _, p := range s.people[:min(len(s.people), maxListed)] {
		items = append(items, s.view(p))
	}
	return map[string]any{"items": items, "total": len(s.people)}, nil
}

// createPerson is POST /demo/sim/people.
func (s *Sim) createPerson(r *http.Request) (any, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := read(r, &in, false); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.addPerson(in.Name)
	if err != nil {
		return nil, invalid(err.Error())
	}
	return created{s.view(p)}, nil
}

// getPerson is GET /demo/sim/people/{id}.
func (s *Sim) getPerson(r *http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.person(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return s.view(p), nil
}

// listSent is GET /demo/sim/sent: the cards that reached people, oldest first.
// all=1 adds those that WeChat took and did not show.
func (s *Sim) listSent(r *http.Request) (any, error) {
	q := r.URL.Query()
	after, _ := strconv.Atoi(q.Get("after"))
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 || limit > 100*maxListed {
		limit = maxListed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cards := s.cards
	for _, id := range []string{q.Get("person"), q.Get("openid")} {
		if id == "" {
			continue
		}
		p, err := s.person(id)
		if err != nil {
			return nil, err
		}
		cards = nil
		for _, a := range s.accounts {
			cards = append(cards, p.standing[a].cards...)
		}
		slices.SortStableFunc(cards, func(a, b *Card) int { return a.At.Compare(b.At) })
	}
	items, total := []*Card{}, 0
	for _, c := range cards {
		if !c.Shown && q.Get("all") != "1" || q.Get("channel") != "" && q.Get("channel") != c.Channel {
			continue
		}
		if total++; total > after && len(items) < limit {
			items = append(items, c)
		}
	}
	return map[string]any{"items": items, "total": total}, nil
}

// listCallbacks is GET /demo/sim/callbacks: the newest that began, oldest first.
func (s *Sim) listCallbacks(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []callbackView{}
	for _, d := range s.log {
		items = append(items, d.view())
	}
	return map[string]any{"items": items, "pending": len(s.deliveries)}, nil
}

type callbackView struct {
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	App      string    `json:"app"`
	Person   string    `json:"person"`
	Event    string    `json:"event"`
	Forged   bool      `json:"forged"`
	Attempts int       `json:"attempts"`
	Status   *int      `json:"status"`  // of the last answer, or null
	Outcome  *string   `json:"outcome"` // ok, silent, refused, invalid; null while under way
}

func (d *delivery) view() callbackView {
	v := callbackView{Seq: d.seq, At: d.begun, App: d.account.App, Person: d.st.person.id, Event: d.event, Forged: d.forged, Attempts: d.attempts}
	if d.status != 0 {
		status := d.status
		v.Status = &status
	}
	v.Outcome = optional(d.outcome)
	return v
}

// listFaults is GET /demo/sim/faults: those still to come.
func (s *Sim) listFaults(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := []Fault{}
	for _, f := range s.faults {
		left := f.Fault
		left.Count, left.After = f.left, f.skip
		items = append(items, left)
	}
	return map[string]any{"items": items, "kinds": allFaults}, nil
}

// createFaults is POST /demo/sim/faults: one fault, or {"faults":[…]}.
func (s *Sim) createFaults(r *http.Request) (any, error) {
	var in struct {
		Fault
		Faults []Fault `json:"faults"`
	}
	if err := read(r, &in, true); err != nil {
		return nil, err
	}
	if in.Faults == nil {
		in.Faults = []Fault{in.Fault}
	}
	s.mu.Lock()
	for _, f := range in.Faults {
		if err := s.addFault(f); err != nil {
			s.mu.Unlock()
			return nil, invalid(err.Error())
		}
	}
	s.mu.Unlock()
	return s.listFaults(r)
}

// clearFaults is DELETE /demo/sim/faults.
func (s *Sim) clearFaults(r *http.Request) (any, error) {
	s.mu.Lock()
	s.faults = nil
	s.mu.Unlock()
	return s.listFaults(r)
}

// getClock is GET /demo/sim/clock.
func (s *Sim) getClock(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{"now": s.Now(), "ahead_seconds": time.Duration(s.ahead.Load()).Seconds()}, nil
}

// moveClock is POST /demo/sim/clock: {"advance":"24h"} or {"at":"…"}. Time only
// goes forward: what has happened cannot un-happen.
func (s *Sim) moveClock(r *http.Request) (any, error) {
	var in struct {
		Advance string     `json:"advance"`
		At      *time.Time `json:"at"`
	}
	if err := read(r, &in, true); err != nil {
		return nil, err
	}
	s.mu.Lock()
	by := time.Duration(0)
	if in.At != nil {
		by = in.At.Sub(s.Now())
	} else {
		by, _ = time.ParseDuration(in.Advance)
	}
	if by <= 0 || by > 10*366*24*time.Hour {
		s.mu.Unlock()
		return nil, invalid(`请给出往后的时间：{"advance":"24h"} 或 {"at":"2026-12-01T08:30:00+08:00"}`)
	}
	s.ahead.Add(int64(by))
	s.wakeUp()
	s.changed()
	s.mu.Unlock()
	return s.getClock(r)
}

// await waits until a callback is through, for as long as WeChat would wait for
// one answer.
func await(ctx context.Context, d *delivery) {
	timer := time.NewTimer(replyTimeout + time.Second)
	defer timer.Stop()
	select {
	case <-d.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}
