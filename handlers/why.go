package handlers

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

// whyPage tells why a card came. It needs no script and no login: the link is
// signed for one card of one person, and shows nothing else of them.
var whyPage = template.Must(template.New("why").Parse(`<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">
<title>为什么收到这条推送</title><style>
body{font:17px/1.6 system-ui,"PingFang SC","Microsoft YaHei",sans-serif;margin:0;background:#f4f5f7;color:#1a1a1a}
main{max-width:36rem;margin:0 auto;padding:1.25rem}h1{font-size:1.25rem}section{background:#fff;border-radius:.5rem;padding:1rem 1.25rem;margin:1rem 0}
a{color:#0b57a4}dt{color:#555;font-size:.9rem}dd{margin:0 0 .6rem}button{font:inherit;width:100%;min-height:3rem;border-radius:.5rem;border:1px solid #0b57a4;background:#fff;color:#0b57a4;margin:.3rem 0}
button.main{background:#0b57a4;color:#fff}.done{background:#e6f4ea;border-radius:.5rem;padding:.75rem 1.25rem}</style></head>
<body><main>{{if .Demo}}<p><strong>演示：公告均为虚构</strong></p>{{end}}<h1>为什么收到这条推送</h1>
{{with .Done}}<p class="done" role="status">{{.}}</p>{{end}}
<section>{{if .Title}}<p><a href="{{.Link}}">{{.Title}}</a></p>{{else if .Withdrawn}}<p>这条公告已撤回。</p>{{end}}
<dl><dt>原因</dt><dd>{{.Reason}}</dd><dt>推送时间</dt><dd>{{.At}}</dd>{{with .Source}}<dt>信息来源</dt><dd>{{.}}</dd>{{end}}</dl></section>
<form method="post">{{if .Subscription}}{{if .SubscriptionPaused}}<button name="action" value="resume">恢复这个订阅</button>{{else}}<button class="main" name="action" value="pause">暂停这个订阅</button>{{end}}{{end}}
{{if .Paused}}<button name="action" value="resume_all">恢复全部推送</button>{{else}}<button name="action" value="pause_all">暂停全部推送</button>{{end}}</form>
<p><a href="/subscribe">管理订阅</a></p></main></body></html>`))

// why is what the page shows.
type why struct {
	Demo               bool
	Done               string
	Title, Link        string
	Source, Reason, At string
	Withdrawn          bool
	Subscription       string
	SubscriptionPaused bool
	Paused             bool
}

// card finds the delivery that a signed link is for.
func (s *Server) card(c *fiber.Ctx) (disclosure.InboxItem, disclosure.Person, disclosure.Reading, error) {
	if s.Signer == nil {
		return disclosure.InboxItem{}, disclosure.Person{}, disclosure.Reading{}, noWeChat()
	}
	n, err := s.Signer.Open(c.Params("signed"))
	if err != nil {
		return disclosure.InboxItem{}, disclosure.Person{}, disclosure.Reading{}, err
	}
	return s.Subscribers.InboxItem(c.UserContext(), n)
}

// getWhy shows why a card came.
//
//	@Summary	为什么收到这条推送（网页）
//	@Tags		个人
//	@Produce	html
//	@Param		signed	path		string	true	"卡片中带签名的链接"
//	@Success	200		{string}	string
//	@Router		/why/{signed} [get]
func (s *Server) getWhy(c *fiber.Ctx) error {
	item, person, at, err := s.card(c)
	if err != nil {
		return err
	}
	return s.showWhy(c, item, person, at, "")
}

func (s *Server) showWhy(c *fiber.Ctx, item disclosure.InboxItem, person disclosure.Person, at disclosure.Reading, done string) error {
	page := why{Demo: s.Demo, Done: done, At: item.At.Format("2006年1月2日 15:04"), Withdrawn: item.Withdrawn, Paused: person.Paused,
		Reason: "您订阅时的条件已经修改或删除；这是按当时的条件推送的。"}
	if item.Kind == disclosure.EventDigest {
		page.Reason = "您选择了每日汇总，或当天的推送较多，合并成了一条。"
	} else if item.Kind != disclosure.EventPublished && item.Subscription == "" {
		page.Reason = "您收到过这条公告，现在它有了更正或终止。"
	}
	if item.Notice != nil {
		page.Title, page.Link, page.Source = item.Notice.Title, "/n/"+item.Notice.Code, item.Notice.Source.Name
	}
	subs, err := s.Subscribers.Subscriptions(c.UserContext(), person.N)
	if err != nil {
		return err
	}
	for _, sub := range subs {
		if sub.ID == item.Subscription {
			page.Subscription, page.SubscriptionPaused = sub.ID, sub.Paused
			page.Reason = "您在" + sub.CreatedAt.Format("2006年1月2日") + "订阅了“" + sub.Title(at.Catalog) + "”。"
		}
	}
	var b strings.Builder
	if err := whyPage.Execute(&b, page); err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.SendString(b.String())
}

// actWhy pauses or resumes with one tap.
//
//	@Summary	一键暂停或恢复（网页表单）
//	@Tags		个人
//	@Accept		x-www-form-urlencoded
//	@Produce	html
//	@Param		signed	path		string	true	"卡片中带签名的链接"
//	@Param		action	formData	string	true	"pause、resume、pause_all 或 resume_all"
//	@Success	200		{string}	string
//	@Router		/why/{signed} [post]
func (s *Server) actWhy(c *fiber.Ctx) error {
	item, person, at, err := s.card(c)
	if err != nil {
		return err
	}
	done := ""
	switch action := c.FormValue("action"); action {
	case "pause_all", "resume_all":
		person.Paused = action == "pause_all"
		if person, err = s.Subscribers.ChangePerson(c.UserContext(), person); err != nil {
			return err
		}
		done = map[bool]string{true: "已暂停全部推送。公告仍会进入您的收件箱。", false: "已恢复推送。"}[person.Paused]
	case "pause", "resume":
		if err := s.pauseSubscription(c, person, item.Subscription, action == "pause"); err != nil {
			return err
		}
		done = map[bool]string{true: "已暂停这个订阅。", false: "已恢复这个订阅。"}[action == "pause"]
	default:
		return disclosure.Errorf(disclosure.CodeParam, "不认识的操作").On("action")
	}
	return s.showWhy(c, item, person, at, done)
}

func (s *Server) pauseSubscription(c *fiber.Ctx, person disclosure.Person, id string, paused bool) error {
	subs, err := s.Subscribers.Subscriptions(c.UserContext(), person.N)
	if err != nil {
		return err
	}
	for _, sub := range subs {
		if sub.ID == id {
			sub.Paused, sub.UpdatedAt = paused, s.Now()
			_, err := s.Subscribers.SaveSubscription(c.UserContext(), person.N, sub)
			return err
		}
	}
	return disclosure.Errorf(disclosure.CodeNoSubscription, "这个订阅已经不在了")
}

// callback reads what WeChat sends; parameters that are none of ours are WeChat's
// own business.
func callback(c *fiber.Ctx) disclosure.Callback {
	q := map[string]string{}
	for _, key := range []string{"signature", "msg_signature", "timestamp", "nonce", "echostr", "encrypt_type", "openid"} {
		q[key] = strings.Clone(c.Query(key))
	}
	return disclosure.Callback{App: strings.Clone(c.Params("app")), Query: q, Body: c.Body()}
}

// verifyCallback answers WeChat's trial of the callback URL.
//
//	@Summary	微信验证回调地址
//	@Tags		微信
//	@Produce	plain
//	@Param		app	path		string	true	"official、mini 或 appid"
//	@Success	200	{string}	string
//	@Failure	403	{object}	Problem
//	@Router		/wechat/{app}/callback [get]
func (s *Server) verifyCallback(c *fiber.Ctx) error {
	if s.WeChat == nil {
		return noWeChat()
	}
	echo, err := s.WeChat.Verify(callback(c))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
	return c.SendString(echo)
}

// receiveCallback takes a message or event of WeChat.
//
//	@Summary	微信回调
//	@Tags		微信
//	@Accept		xml
//	@Produce	plain
//	@Param		app	path		string	true	"official、mini 或 appid"
//	@Success	200	{string}	string
//	@Failure	403	{object}	Problem
//	@Router		/wechat/{app}/callback [post]
func (s *Server) receiveCallback(c *fiber.Ctx) error {
	if s.WeChat == nil {
		return noWeChat()
	}
	reply, err := s.WeChat.Receive(c.UserContext(), callback(c))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, reply.Type)
	return c.Send(reply.Body)
}

const cookieState = "gk_oauth"

// authorize sends a browser inside WeChat to say who it is, and comes back to the
// page it was on with a session in the fragment, which no server sees.
//
//	@Summary	网页授权登录
//	@Tags		微信
//	@Param		app		path	string	true	"official 或 appid"
//	@Param		to		query	string	false	"登录后回到的本站路径"
//	@Success	302
//	@Failure	default	{object}	Problem
//	@Router		/wechat/{app}/oauth [get]
func (s *Server) authorize(c *fiber.Ctx) error {
	if s.WeChat == nil {
		return noWeChat()
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	app, code := c.Params("app"), c.Query("code")
	if code == "" {
		state := s.NewLinkCode()
		back := s.PublicURL + "/wechat/" + app + "/oauth"
		target, err := s.WeChat.AuthorizeURL(app, back, state)
		if err != nil {
			return err
		}
		c.Cookie(&fiber.Cookie{Name: cookieState, Value: state + "|" + localPath(c.Query("to")), Path: "/wechat/", MaxAge: 600, HTTPOnly: true,
			Secure: strings.HasPrefix(s.PublicURL, "https:"), SameSite: fiber.CookieSameSiteLaxMode})
		return c.Redirect(target, http.StatusFound)
	}
	state, to, _ := strings.Cut(c.Cookies(cookieState), "|")
	c.Cookie(&fiber.Cookie{Name: cookieState, Path: "/wechat/", MaxAge: -1})
	if state == "" || state != c.Query("state") {
		return disclosure.Errorf(disclosure.CodeLogin, "登录的来路不对，请从页面上重新登录").On("state")
	}
	out, err := s.WeChat.SignIn(c.UserContext(), app, code)
	if err != nil {
		return err
	}
	return c.Redirect(localPath(to)+"#token="+out.Secret, http.StatusFound)
}

// localPath keeps a redirect on this site.
func localPath(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n|#") || len(to) > 500 {
		return "/subscribe"
	}
	return to
}
