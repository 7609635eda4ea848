package main

import (
	"cmp"

	"gongkai/handlers"
	"gongkai/internal/web"
	"gongkai/push"
)

// site is what the pages say of the site: sections site.* of the configuration.
type site struct {
	Name        string `koanf:"name"`
	Hotline     string `koanf:"hotline"`
	AccountName string `koanf:"account_name"`
	AccountURL  string `koanf:"account_url"`
}

// siteOptions are the settings of the pages.
var siteOptions = []option{
	{"site.name", "亭湖区公共资源配置信息公开", "页面上的网站名称", false},
	{"site.hotline", "12345", "页面和终端上的咨询电话；留空则不显示", false},
	{"site.account_name", "", "公众号名称，显示在订阅页上", false},
	{"site.account_url", "", "公众号二维码中的网址（http://weixin.qq.com/r/…），订阅页据此画二维码", false},
}

// pageConfig tells the edge what the pages need. WeChat's own subscribe button
// is shown where the service account has a template to subscribe to.
func (a *app) pageConfig() handlers.PageConfig {
	c := a.config
	p := handlers.PageConfig{SiteName: c.Site.Name, Hotline: c.Site.Hotline, Account: web.Account{Name: c.Site.AccountName}, AccountURL: c.Site.AccountURL}
	if c.Demo {
		p.Account, p.AccountURL = web.Account{Name: "演示公众号", URL: "/demo/phone"}, c.PublicURL+"/demo/phone"
	}
	if o := c.WeChat.Official; o.AppID != "" && cmp.Or(o.Subscribe, o.SubscribeOnce) != "" { // one button cannot ask for both kinds
		p.SDK = push.NewPageSigner(a.wechat, o.AppID, []string{cmp.Or(o.Subscribe, o.SubscribeOnce)})
	}
	return p
}
