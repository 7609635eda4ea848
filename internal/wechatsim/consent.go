package wechatsim

import "slices"

// dialog is WeChat's question about the templates of one account: it does not
// mix one-off and long-term ones, and holds five at most.
type dialog struct {
	account   *account
	templates []Template
}

const maxAsked = 5

// accept ticks templates in WeChat's dialog; those named as refused stay
// unticked.
func accept(s *Sim, p *person, _ *standing, in action, _ *acted) ([]*delivery, error) {
	return s.decide(p, in, func(id string) bool { return !slices.Contains(in.Refused, id) })
}

// reject refuses in the dialog or, where something was accepted before, switches
// it off in the settings.
func reject(s *Sim, p *person, _ *standing, in action, _ *acted) ([]*delivery, error) {
	return s.decide(p, in, func(string) bool { return false })
}

func (s *Sim) decide(p *person, in action, accepts func(id string) bool) ([]*delivery, error) {
	ids := slices.Concat(in.Templates, in.Refused)
	if in.Template != "" {
		ids = append(ids, in.Template)
	}
	dialogs, err := s.dialogs(in.App, ids)
	if err != nil {
		return nil, err
	}
	var told []*delivery
	for _, d := range dialogs {
		told = append(told, s.close(d, p.standing[d.account], accepts)...)
	}
	s.changed()
	return told, nil
}

// dialogs sorts templates; no ids mean all that need consent.
func (s *Sim) dialogs(app string, ids []string) ([]dialog, error) {
	var out []dialog
	found := map[string]bool{}
	for _, a := range s.accounts {
		if app != "" && a.App != app {
			continue
		}
		byType := map[TemplateType][]Template{}
		for _, t := range a.Templates {
			wanted := slices.Contains(ids, t.ID)
			if wanted && t.Type == ByFollowing {
				return nil, invalid("模板“" + t.Title + "”只需关注，不需要同意")
			}
			if wanted || len(ids) == 0 && t.Type != ByFollowing {
				found[t.ID] = true
				byType[t.Type] = append(byType[t.Type], t)
			}
		}
		for _, kind := range []TemplateType{OneOff, LongTerm} {
			for part := range slices.Chunk(byType[kind], maxAsked) {
				out = append(out, dialog{a, part})
			}
		}
	}
	for _, id := range ids {
		if !found[id] {
			return nil, notFound("没有模板 " + id)
		}
	}
	return out, nil
}

// close carries out what the person decided.
func (s *Sim) close(d dialog, st *standing, accepts func(id string) bool) (told []*delivery) {
	var answered, switchedOff []decision
	for _, t := range d.templates {
		c := st.consents[t.ID]
		if c == nil {
			c = &consent{}
			st.consents[t.ID] = c
		}
		yes := accepts(t.ID)
		switch {
		case !yes && (c.forever || c.left > 0):
			*c = consent{}
			switchedOff = append(switchedOff, decision{t.ID, false})
			continue
		case yes && t.Type == LongTerm:
			c.forever = true
		case yes:
			c.left++
		}
		answered = append(answered, decision{t.ID, yes})
	}
	if answered != nil {
		told = append(told, s.tell(st, popupEvent(answered), 0))
	}
	if switchedOff != nil {
		told = append(told, s.tell(st, changeEvent(switchedOff), 0))
	}
	return told
}
