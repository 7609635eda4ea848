package wechatsim

import (
	"context"
	"net/http"
	"slices"
	"unicode/utf8"
)

// action is what somebody does with their phone.
type action struct {
	App       string   `json:"app"` // default: the first official account
	Template  string   `json:"template"`
	Templates []string `json:"templates"`
	Refused   []string `json:"refused"` // of accept: those left unticked in the same dialog
	Scene     string   `json:"scene"`
	Text      string   `json:"text"`
	Key       string   `json:"key"`
	Scope     string   `json:"scope"`
	Snapshot  bool     `json:"snapshot"`
	On        *bool    `json:"on"` // of mute and block; default true
}

// acted is the answer to an action.
type acted struct {
	Person    personView     `json:"person"`
	Replies   []*Bubble      `json:"replies"`   // what the phone shows since
	Callbacks []callbackView `json:"callbacks"` // what the account's server was told
	Code      *string        `json:"code"`      // of login
}

// step carries one action out, with the lock held; it returns the events that
// the account hears of.
type step func(s *Sim, p *person, st *standing, in action, out *acted) ([]*delivery, error)

var steps = map[string]step{
	"follow": follow, "unfollow": unfollow, "scan": scan, "accept": accept, "reject": reject, "mute": mute,
	"block": block, "say": say, "click": click, "enter": enterMini, "login": login, "cancel": cancelAuthorisation,
}

// act is POST /demo/sim/people/{id}/{action}. It answers when the account's
// server has answered, or after one attempt that it did not.
func (s *Sim) act(r *http.Request) (any, error) {
	var in action
	if err := read(r, &in, false); err != nil {
		return nil, err
	}
	do, ok := steps[r.PathValue("action")]
	if !ok {
		return nil, notFound("没有这个动作：" + r.PathValue("action"))
	}
	out := acted{Replies: []*Bubble{}, Callbacks: []callbackView{}}
	s.mu.Lock()
	p, err := s.person(r.PathValue("id"))
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	a := s.accountByApp(in.App)
	if in.App == "" {
		a = s.accounts[slices.IndexFunc(s.accounts, func(a *account) bool { return a.Kind == Official || len(s.accounts) == 1 })]
	}
	if a == nil {
		s.mu.Unlock()
		return nil, notFound("没有账号 " + in.App)
	}
	from := s.lastSeq
	told, err := do(s, p, p.standing[a], in, &out)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	s.conclude(r.Context(), p, told, from, &out)
	return out, nil
}

// conclude waits for the callbacks and tells how they went.
func (s *Sim) conclude(ctx context.Context, p *person, told []*delivery, from int64, out *acted) {
	told = slices.DeleteFunc(told, func(d *delivery) bool { return d == nil })
	for _, d := range told {
		await(ctx, d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range told {
		out.Callbacks = append(out.Callbacks, d.view())
	}
	for _, a := range s.accounts {
		for _, b := range p.standing[a].chat {
			if b.Seq > from && b.From != "person" {
				out.Replies = append(out.Replies, b)
			}
		}
	}
	out.Person = s.view(p)
}

func follow(s *Sim, _ *person, st *standing, in action, _ *acted) ([]*delivery, error) {
	if st.account.Kind != Official {
		return nil, invalid("小程序不能关注")
	}
	if st.following {
		return nil, nil
	}
	return s.follow(st, in.Scene, ""), nil
}

func (s *Sim) follow(st *standing, scene, ticket string) []*delivery {
	now := s.Now()
	st.following, st.followedAt, st.scene, st.muted = true, now, scene, false
	st.acted.open(now, actedFor, actedMessages)
	s.changed()
	return []*delivery{s.tell(st, subscribeEvent(scene, ticket), 0)}
}

func unfollow(s *Sim, _ *person, st *standing, _ action, _ *acted) ([]*delivery, error) {
	if !st.following {
		return nil, nil
	}
	st.following, st.muted, st.scene, st.said, st.acted = false, false, "", window{}, window{}
	s.changed()
	return []*delivery{s.tell(st, simpleEvent("unsubscribe", element{"EventKey", ""}), 0)}, nil
}

// scan of a code by somebody who does not follow leads to the account, where
// they follow it.
func scan(s *Sim, p *person, _ *standing, in action, _ *acted) ([]*delivery, error) {
	if in.Scene == "" || utf8.RuneCountInString(in.Scene) > 512 {
		return nil, invalid("请给出 scene：二维码的场景值、ticket 或网址")
	}
	a, sc, expired := s.scanned(in.Scene, s.Now())
	if a == nil {
		return nil, notFound("没有公众号")
	}
	if expired {
		return nil, &problem{http.StatusGone, "二维码已过期"}
	}
	st := p.standing[a]
	if !st.following {
		return s.follow(st, sc.key, sc.ticket), nil
	}
	st.acted.open(s.Now(), actedFor, actedMessages)
	return []*delivery{s.tell(st, scanEvent(sc.key, sc.ticket), 0)}, nil
}

func mute(s *Sim, _ *person, st *standing, in action, _ *acted) ([]*delivery, error) {
	if !st.following {
		return nil, invalid("没有关注，谈不上拒收")
	}
	st.muted = in.On == nil || *in.On
	s.changed()
	return nil, nil
}

// block is the account putting the person on its blacklist; nobody is told.
func block(s *Sim, _ *person, st *standing, in action, _ *acted) ([]*delivery, error) {
	st.blocked = in.On == nil || *in.On
	s.changed()
	return nil, nil
}

func say(s *Sim, _ *person, st *standing, in action, _ *acted) ([]*delivery, error) {
	if n := utf8.RuneCountInString(in.Text); n < 1 || n > 600 {
		return nil, invalid("text 应为 1 到 600 个字")
	}
	if st.account.Kind == Official && !st.following {
		return nil, invalid("关注后才能发消息")
	}
	st.said.open(s.Now(), saidFor, saidMessages)
	s.show(st, Bubble{From: "person", Kind: "text", Text: in.Text})
	return []*delivery{s.tell(st, messageEvent(s.nextMsgID(), in.Text), 0)}, nil
}

// click presses a button of the menu, by its key or its URL.
func click(s *Sim, _ *person, st *standing, in action, _ *acted) ([]*delivery, error) {
	if !st.following {
		return nil, invalid("关注后才有菜单")
	}
	b := st.account.pressed(in.Key)
	if b == nil {
		return nil, notFound("菜单中没有 " + in.Key)
	}
	st.acted.open(s.Now(), actedFor, actedMessages)
	switch b.Type {
	case "view":
		return []*delivery{s.tell(st, simpleEvent("VIEW", element{"EventKey", b.URL}), 0)}, nil
	case "miniprogram":
		return []*delivery{s.tell(st, simpleEvent("view_miniprogram", element{"EventKey", b.Page}), 0)}, nil
	}
	return []*delivery{s.tell(st, clickEvent(b.Key), 0)}, nil
}

// enterMini opens the conversation with a mini-program's customer service.
func enterMini(s *Sim, _ *person, st *standing, _ action, _ *acted) ([]*delivery, error) {
	if st.account.Kind != Mini {
		return nil, invalid("只有小程序才有客服会话；请给出 app")
	}
	st.acted.open(s.Now(), enteredFor, enteredMsgs)
	return []*delivery{s.tell(st, simpleEvent("user_enter_tempsession", element{"SessionFrom", ""}), 0)}, nil
}

// login makes the code that a program gets: of wx.login, or of web
// authorisation in an official account.
func login(s *Sim, _ *person, st *standing, in action, out *acted) ([]*delivery, error) {
	scope := ""
	if st.account.Kind == Official {
		if scope = in.Scope; scope == "" {
			scope = scopeInfo
		}
		if scope != scopeBase && scope != scopeInfo {
			return nil, invalid("scope 应为 snsapi_base 或 snsapi_userinfo")
		}
	}
	code := s.newCode(st, scope, in.Snapshot)
	out.Code = &code
	return nil, nil
}

// cancelAuthorisation: the person has closed their WeChat account; personal data
// is to be erased. WeChat's own service tells it, the same for everybody.
func cancelAuthorisation(s *Sim, _ *person, st *standing, _ action, _ *acted) ([]*delivery, error) {
	e := simpleEvent("user_authorization_cancellation", element{"OpenID", st.openID}, element{"AppID", st.account.AppID})
	e.from = "o" + stableWord(27, "platform", st.account.AppID)
	return []*delivery{s.tell(st, e, 0)}, nil
}
