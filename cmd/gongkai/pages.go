package main

import (
	"gongkai/handlers"
	"gongkai/internal/web"
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

// pageConfig tells the edge what the pages need.
func pageConfig(c *config) handlers.PageConfig {
	p := handlers.PageConfig{SiteName: c.Site.Name, Hotline: c.Site.Hotline, Account: web.Account{Name: c.Site.AccountName}, AccountURL: c.Site.AccountURL}
	if c.Demo {
		p.Account = web.Account{Name: "演示公众号", URL: "/demo/phone"}
	}
	return p
}
