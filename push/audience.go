package push

import (
	"context"
	"slices"
	"strings"

	"gongkai/internal/disclosure"
)

// Audience tells what a notice would be as cards, and to whom it would go.
type Audience struct {
	Outbox interface {
		Candidates(ctx context.Context, sector string, after int64, limit int) ([]disclosure.Candidate, bool, error)
	}
	Templates []disclosure.CardTemplate
	Apps      map[string]string          // appids by the names in our URLs
	QuotaOf   map[disclosure.Channel]int // as Config has it
}

// Quotas adds to the day's shares those of the APIs that the templates are sent
// by and that nobody has called yet.
func (a *Audience) Quotas(list []disclosure.Quota, day string) []disclosure.Quota {
	for _, t := range a.Templates {
		q := disclosure.Quota{App: t.App, Path: paths[t.Channel], Day: day, Limit: dayLimit(a.QuotaOf, t.Channel)}
		if !slices.ContainsFunc(list, func(other disclosure.Quota) bool { return other.App == q.App && other.Path == q.Path }) {
			list = append(list, q)
		}
	}
	slices.SortFunc(list, func(a, b disclosure.Quota) int { return strings.Compare(a.App+a.Path, b.App+b.Path) })
	return list
}

// AppID returns the appid of a configured account, which its name in our URLs or
// the appid itself may stand for; "" for none.
func (a *Audience) AppID(app string) string {
	if id := a.Apps[app]; id != "" {
		return id
	}
	for _, id := range a.Apps {
		if id == app {
			return id
		}
	}
	return ""
}

// Takes reports whether an account has the template.
func (a *Audience) Takes(appid, template string) bool {
	return template != "" && slices.ContainsFunc(a.Templates, func(t disclosure.CardTemplate) bool { return t.App == appid && t.ID == template })
}

// Scopes returns the scopes of kill switches that turning one on, or off, is about:
// calls are held against appids. One that stops nothing of ours cannot be turned
// on, but what is on can always be turned off. Errors: CodeParam.
func (a *Audience) Scopes(scope string, on bool) ([]string, error) {
	if err := disclosure.CheckScope(scope); err != nil {
		return nil, err
	}
	known, ok := a.scope(scope)
	switch {
	case !ok && on:
		return nil, disclosure.Errorf(disclosure.CodeParam, "没有配置这个账号或模板，停发开关不会起作用").On("scope")
	case !ok || known == scope:
		return []string{scope}, nil
	case on:
		return []string{known}, nil
	}
	return []string{known, scope}, nil
}

// scope returns a scope as calls are held against it, and whether it is of ours.
func (a *Audience) scope(scope string) (known string, ok bool) {
	if app, is := strings.CutPrefix(scope, disclosure.ScopeApp); is {
		id := a.AppID(app)
		return disclosure.ScopeApp + id, id != ""
	}
	if id, is := strings.CutPrefix(scope, disclosure.ScopeTemplate); is {
		return scope, slices.ContainsFunc(a.Templates, func(t disclosure.CardTemplate) bool { return t.ID == id })
	}
	return scope, true
}

// dayLimit is how often an API of the channel may be called a day.
func dayLimit(set map[disclosure.Channel]int, c disclosure.Channel) int {
	if n, ok := set[c]; ok {
		return n
	}
	return dailyQuota[c]
}

// ChannelOf returns the channel that an API belongs to, "" for none.
func ChannelOf(path string) disclosure.Channel {
	for channel, known := range paths {
		if known == path {
			return channel
		}
	}
	return ""
}

// Count returns how many people would get the notice now. It reads every
// subscription that may match; exact is false when ctx ended before.
func (a *Audience) Count(ctx context.Context, n disclosure.StaffNotice) (people int, exact bool, err error) {
	typ, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return 0, false, err
	}
	subject := n.Subject(typ, n.Catalog)
	after := int64(0)
	for more := true; more; {
		var list []disclosure.Candidate
		if list, more, err = a.Outbox.Candidates(ctx, n.SectorCode(), after, matchChunk); err != nil {
			if ctx.Err() != nil {
				return people, false, nil
			}
			return people, false, err
		}
		now, daily := choose(list, subject)
		people += len(now) + len(daily)
		if len(list) > 0 {
			after = list[len(list)-1].Person
		}
	}
	return people, true, nil
}

// Cards returns the notice's card in every configured template, cut as WeChat
// would have it cut.
func (a *Audience) Cards(n disclosure.StaffNotice) ([]disclosure.FittedCard, error) {
	typ, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return nil, err
	}
	shown := n.Notice
	shown.Content = n.Masked(typ)
	if shown.PublishedAt.IsZero() {
		shown.PublishedAt = shown.UpdatedAt // the card shows a time, and this one is near
	}
	card := disclosure.NewCard(shown, disclosure.EventPublished, typ, n.Catalog)
	card.Why = why(card, disclosure.EventPublished)
	out := []disclosure.FittedCard{}
	for _, t := range a.Templates {
		if t.Channel != disclosure.ChannelService {
			out = append(out, disclosure.FittedCard{CardTemplate: t, Shown: t.Fit(card)})
		}
	}
	return out, nil
}
