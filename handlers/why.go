package handlers

import (
	"strings"
	"unicode"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
	"gongkai/internal/web"
)

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

// getWhy shows why a card came. It needs no login: the link is signed for one
// card of one person.
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
	page := web.Why{Done: done, At: item.At, Now: s.Now(), Catalog: at.Catalog, Bundle: item.Bundle, Withdrawn: item.Withdrawn, Paused: person.Paused,
		Reason: "您订阅时的条件已经修改或删除；这是按当时的条件推送的。"}
	if item.Kind == disclosure.EventDigest {
		page.Reason = "您选择了每日汇总，或当天的推送较多，合并成了一条。"
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
			page.Subscription, page.SubscriptionPaused = true, sub.Paused
			page.Reason = "您在" + sub.CreatedAt.Format("2006年1月2日") + "订阅了“" + sub.Title(at.Catalog) + "”。"
		}
	}
	body, err := s.pages.Render(page)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentSecurityPolicy, web.Policy)
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Send(body)
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
func callback(c *fiber.Ctx) disclosure.WeChatCallback {
	q := map[string]string{}
	for _, key := range []string{"signature", "msg_signature", "timestamp", "nonce", "echostr", "encrypt_type", "openid"} {
		q[key] = strings.Clone(c.Query(key))
	}
	return disclosure.WeChatCallback{App: strings.Clone(c.Params("app")), Query: q, Body: c.Body()}
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
//	@Produce	html
//	@Param		app		path	string	true	"official 或 appid"
//	@Param		to		query	string	false	"登录后回到的本站路径"
//	@Success	302	{string}	string
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
		return redirect(c, target)
	}
	state, to, _ := strings.Cut(c.Cookies(cookieState), "|")
	c.Cookie(&fiber.Cookie{Name: cookieState, Path: "/wechat/", MaxAge: -1})
	if state == "" || state != c.Query("state") {
		return disclosure.Errorf(disclosure.CodeLogin, "登录已过期或不是从本站发起的，请回到页面重新登录").On("state")
	}
	out, err := s.WeChat.SignIn(c.UserContext(), app, code)
	if err != nil {
		return err
	}
	return redirect(c, localPath(to)+"#token="+out.Secret)
}

// localPath keeps a redirect on this site, and what is asked for to one value of
// a cookie. Browsers drop tabs and line ends from an address: /, a tab and / is
// another site's // to them.
func localPath(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, `\|#;`) || strings.ContainsFunc(to, unicode.IsControl) || len(to) > 500 {
		return "/subscribe"
	}
	return to
}
