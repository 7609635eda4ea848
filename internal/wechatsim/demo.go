package wechatsim

// Demo is the set-up of the demo: a service account and a mini-program of one
// owner, with callbacks to callbackBase + "/wechat/{app}/callback". Its ids and
// secrets follow from their names; they are no secrets to anybody.
func Demo(callbackBase string) []Account {
	callback := func(app string) string { return callbackBase + "/wechat/" + app + "/callback" }
	return []Account{
		{
			App: "official", Kind: Official, Name: "亭湖公开（演示）", AppID: "wx" + stableHex(16, "appid", "official"), Secret: stableHex(32, "secret", "official"),
			OriginalID: "gh_" + stableHex(12, "original", "official"), CallbackURL: callback("official"), Token: stableWord(24, "token", "official"),
			AESKey: demoKey("official"), PreviousAESKey: demoKey("official before"), Mode: Safe, Format: XML,
			Templates: demoTemplates("official",
				Template{Title: "新公告提醒", Type: ByFollowing, Keywords: noticeKeywords()},
				Template{Title: "公告变更提醒", Type: ByFollowing, Keywords: changeKeywords()},
				Template{Title: "政务信息公开通知", Type: LongTerm, Keywords: noticeKeywords()},
				Template{Title: "公告发布通知", Type: OneOff, Keywords: noticeKeywords()}),
		},
		{
			App: "mini", Kind: Mini, Name: "亭湖公开小程序（演示）", AppID: "wx" + stableHex(16, "appid", "mini"), Secret: stableHex(32, "secret", "mini"),
			OriginalID: "gh_" + stableHex(12, "original", "mini"), CallbackURL: callback("mini"), Token: stableWord(24, "token", "mini"),
			AESKey: demoKey("mini"), PreviousAESKey: demoKey("mini before"), Mode: Safe, Format: JSON,
			Templates: demoTemplates("mini",
				Template{Title: "政务信息公开通知", Type: LongTerm, Keywords: noticeKeywords()},
				Template{Title: "公告变更通知", Type: LongTerm, Keywords: changeKeywords()},
				Template{Title: "公告发布通知", Type: OneOff, Keywords: noticeKeywords()}),
		},
	}
}

// DemoPeople are the people of the demo.
func DemoPeople() []string { return []string{"王大爷", "李会计", "张工", "赵店主"} }

// demoKey is an EncodingAESKey. Its last character carries no bits of its own,
// as in those that WeChat makes up.
func demoKey(name string) string {
	word := []byte(stableWord(43, "aes", name))
	for i, c := range word {
		if c == '-' || c == '_' {
			word[i] = 'x'
		}
	}
	word[42] = 'A'
	return string(word)
}

func demoTemplates(app string, templates ...Template) []Template {
	for i := range templates {
		templates[i].ID = stableWord(43, "template", app, templates[i].Title)
	}
	return templates
}

func noticeKeywords() []Keyword {
	return []Keyword{
		{Key: "thing1", Label: "公告标题", Sample: "盐东镇道路改造工程招标公告"},
		{Key: "phrase2", Label: "公告类别", Sample: "工程招标"},
		{Key: "thing3", Label: "发布单位", Sample: "亭湖区公共资源交易中心"},
		{Key: "time4", Label: "发布时间", Sample: "2026年11月23日 09:00"},
		{Key: "thing5", Label: "推送说明", Sample: "来自您的订阅：工程招标"},
	}
}

func changeKeywords() []Keyword {
	return []Keyword{
		{Key: "thing1", Label: "公告标题", Sample: "盐东镇道路改造工程招标公告"},
		{Key: "phrase2", Label: "变更类型", Sample: "更正"},
		{Key: "thing3", Label: "变更内容", Sample: "投标截止时间顺延"},
		{Key: "time4", Label: "现截止时间", Sample: "2026年12月15日 09:30"},
		{Key: "thing5", Label: "推送说明", Sample: "来自您的订阅：工程招标"},
	}
}
