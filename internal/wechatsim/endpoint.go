package wechatsim

import (
	"net/http"
	"regexp"
	"time"
)

// pageForm is what a path in a mini-program looks like.
var pageForm = regexp.MustCompile(`^/?pages?/[A-Za-z0-9_\-/]{1,120}(\?[^\s]{0,512})?$`)

// apiEndpoints is WeChat's API as far as it is simulated. Quotas are those of a
// new account.
func apiEndpoints() map[string]endpoint {
	const get, post = http.MethodGet, http.MethodPost
	return map[string]endpoint{
		"/cgi-bin/token":                                {method: get, open: true, daily: 2000, handle: getToken},
		"/cgi-bin/stable_token":                         {method: post, open: true, daily: 500_000, minute: 10_000, handle: getStableToken},
		"/sns/jscode2session":                           {method: get, open: true, daily: 10_000_000, handle: codeToSession},
		"/sns/oauth2/access_token":                      {method: get, open: true, daily: 10_000_000, minute: 50_000, handle: oauthToken},
		"/sns/oauth2/refresh_token":                     {method: get, open: true, handle: oauthRefresh},
		"/sns/userinfo":                                 {method: get, open: true, handle: oauthUser},
		"/sns/auth":                                     {method: get, open: true, handle: oauthCheck},
		"/cgi-bin/message/template/send":                {method: post, kind: Official, daily: 100_000, handle: sendTemplate},
		"/cgi-bin/message/subscribe/bizsend":            {method: post, kind: Official, daily: 10_000_000, handle: sendOfficial},
		"/cgi-bin/message/subscribe/send":               {method: post, kind: Mini, daily: 10_000_000, handle: sendMini},
		"/cgi-bin/message/custom/send":                  {method: post, daily: 500_000, handle: sendCustom},
		"/cgi-bin/message/custom/typing":                {method: post, handle: sendTyping},
		"/cgi-bin/template/get_all_private_template":    {method: get, kind: Official, handle: listCategoryTemplates},
		"/wxaapi/newtmpl/gettemplate":                   {method: get, handle: listSubscribeTemplates},
		"/wxaapi/newtmpl/getcategory":                   {method: get, handle: listCategories},
		"/wxa/sec/queryblocktmplmsg":                    {method: post, handle: listBannedTemplates},
		"/cgi-bin/user/info":                            {method: get, kind: Official, daily: 5_000_000, handle: userInfo},
		"/cgi-bin/user/info/batchget":                   {method: post, kind: Official, handle: userInfos},
		"/cgi-bin/user/get":                             {method: get, kind: Official, daily: 500, handle: userList},
		"/cgi-bin/qrcode/create":                        {method: post, kind: Official, daily: 100_000, handle: createQR},
		"/wxa/getwxacodeunlimit":                        {method: post, kind: Mini, minute: 5000, handle: miniCode},
		"/cgi-bin/menu/create":                          {method: post, kind: Official, daily: 1000, handle: createMenu},
		"/cgi-bin/menu/get":                             {method: get, kind: Official, handle: getMenu},
		"/cgi-bin/menu/delete":                          {method: get, kind: Official, daily: 1000, handle: deleteMenu},
		"/cgi-bin/ticket/getticket":                     {method: get, kind: Official, handle: getTicket},
		"/cgi-bin/getcallbackip":                        {method: get, handle: listAddresses},
		"/cgi-bin/get_api_domain_ip":                    {method: get, handle: listAddresses},
		"/cgi-bin/openapi/quota/get":                    {method: post, handle: quotaGet},
		"/cgi-bin/openapi/rid/get":                      {method: post, handle: ridGet},
		"/cgi-bin/clear_quota":                          {method: post, handle: clearQuota},
		"/cgi-bin/message/wxopen/template/uniform_send": {handle: withdrawn},
		"/cgi-bin/message/wxopen/template/send":         {handle: withdrawn},
		"/cgi-bin/message/template/subscribe":           {handle: withdrawn},
		"/cgi-bin/message/mass/sendall":                 {handle: withdrawn},
		"/cgi-bin/message/mass/send":                    {handle: withdrawn},
	}
}

// withdrawn answers calls that WeChat no longer has, or that no account here may
// make.
func withdrawn(*Sim, *call) outcome { return failed(45109) }

// listCategoryTemplates is /cgi-bin/template/get_all_private_template.
func listCategoryTemplates(_ *Sim, c *call) outcome {
	type item struct {
		ID      string `json:"template_id"`
		Title   string `json:"title"`
		Primary string `json:"primary_industry"`
		Deputy  string `json:"deputy_industry"`
		Content string `json:"content"`
		Example string `json:"example"`
	}
	out := struct {
		List []item `json:"template_list"`
	}{List: []item{}}
	for _, t := range c.account.Templates {
		if t.Type == ByFollowing {
			content, example := t.content()
			out.List = append(out.List, item{ID: t.ID, Title: t.Title, Content: content, Example: example})
		}
	}
	return outcome{value: out}
}

// listSubscribeTemplates is /wxaapi/newtmpl/gettemplate.
func listSubscribeTemplates(_ *Sim, c *call) outcome {
	type values struct {
		Values  []string `json:"enumValueList"`
		Keyword string   `json:"keywordCode"`
	}
	type item struct {
		ID      string       `json:"priTmplId"`
		Title   string       `json:"title"`
		Content string       `json:"content"`
		Example string       `json:"example"`
		Type    TemplateType `json:"type"`
		Enums   []values     `json:"keywordEnumValueList,omitempty"`
	}
	out := struct {
		Code    int    `json:"errcode"`
		Message string `json:"errmsg"`
		Data    []item `json:"data"`
	}{Message: "ok", Data: []item{}}
	for _, t := range c.account.Templates {
		if t.Type == ByFollowing {
			continue
		}
		content, example := t.content()
		it := item{ID: t.ID, Title: t.Title, Content: content, Example: example, Type: t.Type}
		for _, k := range t.Keywords {
			if k.kind() == "enum" {
				it.Enums = append(it.Enums, values{k.Enum, k.Key + ".DATA"})
			}
		}
		out.Data = append(out.Data, it)
	}
	return outcome{value: out}
}

// listCategories is /wxaapi/newtmpl/getcategory.
func listCategories(*Sim, *call) outcome {
	return outcome{value: map[string]any{"errcode": 0, "errmsg": "ok", "data": []map[string]any{{"id": 616, "name": "政务公开"}}}}
}

// listBannedTemplates is /wxa/sec/queryblocktmplmsg.
func listBannedTemplates(_ *Sim, c *call) outcome {
	type item struct {
		ID     string `json:"tmpl_id"`
		Title  string `json:"title"`
		Status int    `json:"punish_status"`
	}
	list := []item{}
	for _, t := range c.account.Templates {
		if c.account.banned[t.ID] {
			list = append(list, item{t.ID, t.Title, 1})
		}
	}
	return outcome{value: map[string]any{"errcode": 0, "errmsg": "ok", "msginfo": list}}
}

// getTicket is /cgi-bin/ticket/getticket, which JS-SDK signatures are made with.
// The ticket is the same for two hours.
func getTicket(_ *Sim, c *call) outcome {
	kind := c.query.Get("type")
	if kind != "jsapi" && kind != "wx_card" {
		return failed(40097)
	}
	const period = int64(2 * time.Hour / time.Second)
	now := c.now.Unix()
	return outcome{value: map[string]any{"errcode": 0, "errmsg": "ok",
		"ticket": stableWord(43, kind, c.account.Secret, itoa(now/period)) + stableWord(43, "2", kind, itoa(now/period)), "expires_in": period - now%period}}
}

// listAddresses is where callbacks come from.
func listAddresses(*Sim, *call) outcome {
	return outcome{value: map[string]any{"ip_list": []string{"127.0.0.1", "::1"}}}
}
