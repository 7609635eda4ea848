package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
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
	checkSubscribeButton(t, p.url, account.AppID)
}

// checkSubscribeButton opens the subscribe page as WeChat's browser does: it is
// signed with the account's ticket, and shows WeChat's own button.
func checkSubscribeButton(t *testing.T, url, appID string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/subscribe", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !bytes.Contains(page, []byte(`data-app="`+appID+`"`)) || bytes.Contains(page, []byte(`data-signature=""`)) {
		t.Errorf("the subscribe page in WeChat: %d %s", res.StatusCode, page)
	}
}

// meetSomebody makes a person in the simulated WeChat who follows the account.
func meetSomebody(t *testing.T, p *process) (id string) {
	t.Helper()
	status, made := p.call("POST", "/demo/sim/people", "", map[string]string{"name": "孙师傅"})
	id, _ = made["id"].(string)
	if status != 201 || id == "" {
		t.Fatalf("a person: %d %v", status, made)
	}
	p.call("POST", "/demo/sim/people/"+id+"/follow", "", nil)
	return id
}

// knowAgain looks for that person after a restart.
func knowAgain(t *testing.T, p *process, sheet demoSheet, id string) {
	t.Helper()
	if !slices.ContainsFunc(sheet.People, func(who demoPerson) bool { return who.ID == id && who.Name == "孙师傅" }) {
		t.Errorf("demo.json does not know %s: %+v", id, sheet.People)
	}
	_, who := p.call("GET", "/demo/sim/people/"+id, "", nil)
	accounts, _ := who["accounts"].([]any)
	if len(accounts) == 0 || accounts[0].(map[string]any)["following"] != true {
		t.Errorf("after a restart: %v", who)
	}
}
