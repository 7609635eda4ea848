package main

import (
	"net/url"
	"testing"
)

// checkDemoWeChat follows demo.json to the simulated WeChat: its accounts give a
// token, its people are there, and a client's message reaches one of them.
func checkDemoWeChat(t *testing.T, p *process, sheet demoSheet) {
	t.Helper()
	if sheet.Apps.Official == nil || *sheet.Apps.Official != "official" || sheet.Apps.Mini == nil || *sheet.Apps.Mini != "mini" {
		t.Fatalf("apps in demo.json: %+v", sheet.Apps)
	}
	if len(sheet.People) < 2 || len(sheet.WeChat.Accounts) != 2 || sheet.WeChat.BaseURL != p.url+"/demo/wechat" {
		t.Fatalf("people %+v, wechat %+v", sheet.People, sheet.WeChat)
	}
	who, account := sheet.People[0], sheet.WeChat.Accounts[0]
	if status, out := p.call("POST", "/demo/sim/people/"+who.ID+"/follow", "", nil); status != 200 {
		t.Fatalf("follow: %d %v", status, out)
	}
	_, token := p.call("GET", "/demo/wechat/cgi-bin/token?grant_type=client_credential&appid="+account.AppID+"&secret="+account.Secret, "", nil)
	data := map[string]any{}
	for key, value := range map[string]string{"thing1": "标题", "phrase2": "更正", "thing3": "单位", "time4": "09:00", "thing5": "说明"} {
		data[key] = map[string]string{"value": value}
	}
	access, _ := token["access_token"].(string)
	_, sent := p.call("POST", "/demo/wechat/cgi-bin/message/template/send?access_token="+url.QueryEscape(access), "",
		map[string]any{"touser": who.OfficialOpenID, "template_id": account.Templates[0].ID, "data": data})
	if sent["errcode"] != 0.0 {
		t.Fatalf("token %v, send %v", token, sent)
	}
	_, cards := p.call("GET", "/demo/sim/sent?person="+who.ID, "", nil)
	items, _ := cards["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["openid"] != who.OfficialOpenID {
		t.Errorf("cards of %s: %v", who.Name, cards)
	}
}
