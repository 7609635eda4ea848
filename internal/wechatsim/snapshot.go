package wechatsim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// snapshot is what outlives a restart: who there is, whom they follow, what they
// accepted, the accounts' menus and how far the clock is ahead. Conversations,
// tokens, quotas and faults do not.
type snapshot struct {
	Ahead  time.Duration       `json:"ahead"`
	People []savedPerson       `json:"people"`
	Menus  map[string][]button `json:"menus"` // by account
}

type savedPerson struct {
	Name      string                   `json:"name"`
	Standings map[string]savedStanding `json:"standings"` // by account
}

type savedStanding struct {
	Following  bool                    `json:"following"`
	FollowedAt time.Time               `json:"followed_at"`
	Scene      string                  `json:"scene"`
	Muted      bool                    `json:"muted"`
	Blocked    bool                    `json:"blocked"`
	Consents   map[string]savedConsent `json:"consents"` // by template
}

type savedConsent struct {
	Left    int  `json:"left"`
	Forever bool `json:"forever"`
}

const (
	saveInterval = time.Second
	maxSaved     = 5000 // people; more are a load test, and not kept
)

// Snapshot is for Options.Restore of a later simulator. It is nil when there are
// too many people to be worth keeping.
func (s *Sim) Snapshot() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.people) > maxSaved {
		return nil, nil
	}
	out := snapshot{Ahead: time.Duration(s.ahead.Load()), Menus: map[string][]button{}}
	for _, a := range s.accounts {
		if a.menu != nil {
			out.Menus[a.App] = a.menu
		}
	}
	for _, p := range s.people {
		saved := savedPerson{Name: p.name, Standings: map[string]savedStanding{}}
		for a, st := range p.standing {
			kept := savedStanding{st.following, st.followedAt, st.scene, st.muted, st.blocked, map[string]savedConsent{}}
			for id, c := range st.consents {
				kept.Consents[id] = savedConsent{c.left, c.forever}
			}
			saved.Standings[a.App] = kept
		}
		out.People = append(out.People, saved)
	}
	return json.Marshal(out)
}

// restore makes the people of a snapshot.
func (s *Sim) restore(b []byte) error {
	var in snapshot
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("wechatsim: snapshot: %w", err)
	}
	if in.Ahead < 0 {
		return errors.New("wechatsim: snapshot: the clock would go back")
	}
	s.ahead.Store(int64(in.Ahead))
	for _, saved := range in.People {
		p, err := s.addPerson(saved.Name)
		if err != nil {
			return fmt.Errorf("wechatsim: snapshot: %w", err)
		}
		for a, st := range p.standing {
			kept := saved.Standings[a.App]
			st.following, st.followedAt, st.scene, st.muted, st.blocked = kept.Following, kept.FollowedAt, kept.Scene, kept.Muted, kept.Blocked
			for id, c := range kept.Consents {
				st.consents[id] = &consent{c.Left, c.Forever}
			}
		}
	}
	for _, a := range s.accounts {
		a.menu = in.Menus[a.App]
	}
	return nil
}

// keep saves snapshots while things change, and once more at the end.
func (s *Sim) keep(ctx context.Context) {
	tick := time.NewTicker(saveInterval)
	defer tick.Stop()
	saved := int64(-1)
	for ended := false; !ended; {
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
		s.mu.Lock()
		version := s.version
		s.mu.Unlock()
		if version == saved {
			continue
		}
		saved = version
		if b, err := s.Snapshot(); err == nil && b != nil {
			s.save(b)
		}
	}
}
