package push

import (
	"context"
	"errors"
	"strings"
	"time"

	"gongkai/internal/disclosure"
)

// What WeChat tells of people: that they follow, scan, agree and go, and what became
// of their cards.

// meet finds or makes the person a callback is about, and notes the window in
// which they may be written to.
func (p *People) meet(ctx context.Context, a *account, m *inbound, window time.Duration, messages int) (disclosure.Person, error) {
	who := disclosure.Identity{App: a.AppID, Kind: a.Kind, OpenID: string(m.From)}
	if !codeForm.MatchString(who.OpenID) {
		return disclosure.Person{}, refused("用户标识的写法不对")
	}
	person, err := p.Store.SignIn(ctx, who, nil, p.Now())
	if err != nil || window == 0 {
		return person, err
	}
	acc := accountIn(person, a.AppID, who.OpenID)
	if until := p.Now().Add(window); until.After(acc.WindowUntil) || acc.WindowLeft < messages {
		acc.WindowUntil, acc.WindowLeft = until, messages
	}
	acc.Quarantined = false
	if a.Kind == disclosure.AppOfficial {
		acc.Following = true
	}
	return person, p.Store.ChangeAccount(ctx, acc)
}

func accountIn(p disclosure.Person, app, openid string) disclosure.Account {
	for _, a := range p.Accounts {
		if a.App == app && a.OpenID == openid {
			return a
		}
	}
	return disclosure.Account{Identity: disclosure.Identity{App: app, OpenID: openid}}
}

func (p *People) followed(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.meet(ctx, a, m, time.Minute, 3)
	if err != nil {
		return "", err
	}
	acc := accountIn(person, a.AppID, string(m.From))
	acc.Following, acc.Muted, acc.Quarantined = true, false, false
	acc.WindowUntil, acc.WindowLeft = p.Now().Add(time.Minute), 3
	if err := p.Store.ChangeAccount(ctx, acc); err != nil {
		return "", err
	}
	scene := strings.TrimPrefix(string(m.Key), "qrscene_")
	if err := p.Store.RecordConsent(ctx, person.N, disclosure.Consent{At: p.Now(), Identity: acc.Identity, Kind: disclosure.ConsentFollow,
		Scene: short64(scene), Evidence: string(m.Created)}); err != nil {
		return "", err
	}
	p.later(func() { p.join(acc.Identity) })
	if scene == "" {
		return welcome + p.menu(), nil
	}
	words, err := p.scene(ctx, person, scene)
	return welcome + words, err
}

// join asks WeChat for the follower's unionid: by it the mini-program's account
// is the same person.
func (p *People) join(who disclosure.Identity) {
	union, err := p.WeChat.UnionID(who.App, who.OpenID)
	if err != nil || union == "" {
		return // they stay two people until they link themselves
	}
	who.UnionID = union
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) //nolint:forbidigo // it outlives the callback
	defer cancel()
	if _, err := p.Store.SignIn(ctx, who, nil, p.Now()); err != nil {
		p.Log.Warn("two accounts of one person were not joined", "error", err)
	}
}

func (p *People) later(f func()) {
	if p.Later != nil {
		p.Later(f)
		return
	}
	f()
}

func (p *People) unfollowed(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.Store.PersonOf(ctx, a.AppID, string(m.From))
	if errors.Is(err, &disclosure.Error{Code: disclosure.CodeBadToken}) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	acc := accountIn(person, a.AppID, string(m.From))
	acc.Following, acc.WindowLeft = false, 0
	if err := p.Store.ChangeAccount(ctx, acc); err != nil {
		return "", err
	}
	return "", p.Store.RecordConsent(ctx, person.N, disclosure.Consent{At: p.Now(), Identity: acc.Identity, Kind: disclosure.ConsentBlocked, Evidence: string(m.Created)})
}

func (p *People) scanned(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.meet(ctx, a, m, time.Minute, 3)
	if err != nil {
		return "", err
	}
	return p.scene(ctx, person, string(m.Key))
}

func (p *People) clicked(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.meet(ctx, a, m, time.Minute, 3)
	if err != nil {
		return "", err
	}
	return p.chat(ctx, person, string(m.Key), "menu")
}

func (p *People) entered(ctx context.Context, a *account, m *inbound) (string, error) {
	_, err := p.meet(ctx, a, m, time.Minute, 2)
	return "", err
}

// scene does what a QR code says: "s:<sector>:<kiosk>" subscribes, "l:<code>"
// joins accounts.
func (p *People) scene(ctx context.Context, person disclosure.Person, scene string) (string, error) {
	kind, rest, _ := strings.Cut(scene, ":")
	switch kind {
	case "s":
		sector, kiosk, _ := strings.Cut(rest, ":")
		if _, err := p.Store.Catalog().Sector(sector); err == nil {
			return p.subscribe(ctx, person, sector, "scan:"+short64(kiosk))
		}
	case "l":
		return p.link(ctx, person, rest)
	}
	return p.menu(), nil
}

func short64(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "")
	}
	return s
}

func (p *People) finished(ctx context.Context, a *account, m *inbound) (string, error) {
	if m.JobID == "" {
		return "", nil
	}
	return "", p.Store.Receipt(ctx, a.AppID, short64(string(m.JobID)), string(m.Status), p.Now())
}

// consented writes what a popup or the settings say into the ledger.
func (p *People) consented(ctx context.Context, a *account, m *inbound) (string, error) {
	person, err := p.meet(ctx, a, m, 0, 0)
	if err != nil {
		return "", err
	}
	acc := accountIn(person, a.AppID, string(m.From))
	for _, item := range m.items() {
		t, ok := p.templateOf(a.AppID, string(item.Template))
		if !ok {
			p.Log.Warn("a consent to a template that is not configured", "app", a.Name)
			continue
		}
		c := disclosure.Consent{At: p.Now(), Identity: acc.Identity, Template: t.ID, LongTerm: t.LongTerm, Kind: disclosure.ConsentReject,
			Scene: short64(string(item.Scene)), Evidence: digest(string(m.Created), string(item.Template))[:16]}
		accepted := strings.HasPrefix(string(item.Status), "accept")
		switch {
		case accepted:
			c.Kind, c.Delta = disclosure.ConsentAccept, 1
			if acc.Muted || acc.Quarantined {
				acc.Muted, acc.Quarantined = false, false
				if err := p.Store.ChangeAccount(ctx, acc); err != nil {
					return "", err
				}
			}
		case string(m.Event) == "subscribe_msg_change_event":
			c.Kind = disclosure.ConsentRevoke
		}
		if err := p.Store.RecordConsent(ctx, person.N, c); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (p *People) templateOf(app, id string) (disclosure.CardTemplate, bool) {
	for _, t := range p.Templates {
		if t.App == app && t.ID == id {
			return t, true
		}
	}
	return disclosure.CardTemplate{}, false
}

// reported applies WeChat's reports of subscribe messages, whose calls return no
// key to tell them by.
func (p *People) reported(ctx context.Context, a *account, m *inbound) (string, error) {
	for _, item := range m.items() {
		status := "success"
		if item.Code != "0" && item.Code != "" {
			status = "failed:" + string(item.Reason)
		}
		if err := p.Store.Reported(ctx, a.AppID, string(m.From), string(item.Template), short64(string(item.MsgID)), status, p.Now()); err != nil {
			return "", err
		}
	}
	return "", nil
}

// revoked removes what we know of somebody who took their authorisation back
// (个人信息保护法 第四十七条).
func (p *People) revoked(ctx context.Context, a *account, m *inbound) (string, error) {
	openid := string(m.OpenID)
	if openid == "" {
		openid = string(m.From)
	}
	return "", p.Store.RemoveAccount(ctx, a.AppID, openid)
}

func (p *People) punished(ctx context.Context, a *account, _ *inbound) (string, error) {
	p.Log.Error("WeChat has punished the account; its messages are stopped", "app", a.Name)
	return "", p.Store.SetSwitch(ctx, disclosure.System, disclosure.ScopeApp+a.AppID, "微信通知：账号受到处罚", true, p.Now())
}
