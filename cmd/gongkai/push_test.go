package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
	"gongkai/internal/wechatsim"
	"gongkai/internal/workday"
	"gongkai/push"
)

// TestPushReachesAPhone runs the whole push path over HTTP against the simulated
// WeChat: a follower's card arrives once although the connection broke after
// WeChat had taken it, the token was taken away, and WeChat was busy.
func TestPushReachesAPhone(t *testing.T) {
	for _, fault := range []string{"", `{"kind":"cut","path":"/cgi-bin/message/template/send","count":1}`,
		`{"kind":"expire_token","path":"/cgi-bin/message/template/send","count":1}`,
		`{"kind":"errcode","errcode":-1,"path":"/cgi-bin/message/template/send","count":2}`,
		`{"kind":"status","status":502,"path":"/cgi-bin/message/template/send","count":1}`} {
		w := newWeChat(t)
		w.control("POST", "/demo/sim/people/p1/follow", ``)
		if fault != "" {
			w.control("POST", "/demo/sim/faults", fault)
		}
		s, u := storetest.SQLite(t)
		official := w.accounts["official"].AppID
		person, err := s.SignIn(t.Context(), disclosure.Identity{App: official, Kind: disclosure.AppOfficial, OpenID: w.person.OfficialOpenID}, nil, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		storetest.Exec(t, storetest.Raw(t, u), `UPDATE account SET following = 1`)
		sub := disclosure.NewSubscription("sub-1", "test", time.Now())
		sub.Sectors = []string{"construction"}
		if _, err := s.SaveSubscription(t.Context(), person.N, sub); err != nil {
			t.Fatal(err)
		}
		fields, err := disclosure.ParseCardFields(cardFields)
		if err != nil {
			t.Fatal(err)
		}
		templates := []disclosure.CardTemplate{{App: official, Kind: disclosure.AppOfficial, Channel: disclosure.ChannelTemplate,
			ID: w.template("official", wechatsim.ByFollowing).ID, Fields: fields}}
		p := push.New(push.Config{PublicURL: "https://gongkai.test", Templates: templates}, s, w.WeChat, push.NewSigner("k"), slog.New(slog.DiscardHandler), time.Now, "w1")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.tender_notice", "盐东镇道路改造工程招标公告"), time.Now())
		deadline := time.NewTimer(time.Minute)
		for {
			st, err := s.PushStatus(t.Context(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if st.Queue[disclosure.DeliveryAccepted]+st.Queue[disclosure.DeliveryDelivered] == 1 {
				break
			}
			select {
			case <-deadline.C:
				t.Fatalf("%s: no card after a minute: %v", fault, st.Queue)
			case <-time.After(20 * time.Millisecond):
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		cards, _ := w.control("GET", "/demo/sim/sent?person=p1", "")["items"].([]any)
		if len(cards) != 1 {
			t.Errorf("%s: the phone shows %d cards, want 1", fault, len(cards))
		}
	}
}

// TestPushPreviewAndQuota: the command line shows a notice's card with the
// lengths of its fields, for how many it is, and what is left of the day.
func TestPushPreviewAndQuota(t *testing.T) {
	dir := t.TempDir()
	u := "sqlite:" + filepath.Join(dir, "gongkai.db")
	s := storetest.Open(t, u)
	n := storetest.Publish(t, s, storetest.Content(t, s.Catalog(), "construction.tender_notice", "亭湖区盐东镇东闸路道路改造工程施工招标公告"), time.Now())
	storetest.People(t, u, 3, storetest.Crowd{App: "wxa", Kind: disclosure.AppOfficial, Sector: "construction"})
	if err := s.SetQuota(t.Context(), disclosure.Quota{App: "wxa", Path: "/cgi-bin/message/template/send", Day: workday.DateOf(time.Now()).String(), Used: 10, Limit: 1000}); err != nil {
		t.Fatal(err)
	}
	out, exit := cli(t, "push", "preview", n.Code, "--data", dir, "--wechat.official.appid", "wxa", "--wechat.official.template", "T1", "--json")
	var preview cardPreview
	if exit != exitOK || json.Unmarshal([]byte(out), &preview) != nil {
		t.Fatalf("exit %d: %s", exit, out)
	}
	if *preview.Push.Count != 3 || len(preview.Cards) != 1 || preview.Cards[0].Fields[0].Limit != 20 || !preview.Cards[0].Fields[0].Cut || len([]rune(preview.Cards[0].Fields[0].Text)) != 20 {
		t.Errorf("preview = %s", out)
	}
	if out, exit := cli(t, "push", "preview", "nothing", "--data", dir); exit == exitOK {
		t.Errorf("a notice that is none: %s", out)
	}
	if out, exit := cli(t, "push", "quota", "--data", dir); exit != exitOK || !strings.Contains(out, "990") {
		t.Errorf("exit %d: %s", exit, out)
	}
	// What is configured is there before its first call, what was called is there once.
	out, exit = cli(t, "push", "quota", "--data", dir, "--wechat.official.appid", "wxa", "--wechat.official.template", "T1", "--wechat.official.subscribe", "T2", "--json")
	var quota handlers.QuotaList
	if exit != exitOK || json.Unmarshal([]byte(out), &quota) != nil {
		t.Fatalf("exit %d: %s", exit, out)
	}
	if len(quota.Items) != 3 || quota.Items[1].Used != 0 || quota.Items[1].Limit != 100_000 || quota.Items[2].Used != 10 {
		t.Errorf("quota = %s", out)
	}
}

// TestPushScopes: the command line knows an account by its name, turns on nothing
// that stops nothing, and turns off whatever is on.
func TestPushScopes(t *testing.T) {
	dir := t.TempDir()
	made, exit := run(t, nil, "token", "create", "--name", "管理员", "--role", "admin", "--json", "--data", dir)
	var token struct{ Token string }
	if err := json.Unmarshal([]byte(made), &token); err != nil || exit != exitOK {
		t.Fatal(made)
	}
	env := []string{"GONGKAI_DATA=" + dir, "GONGKAI_WECHAT__OFFICIAL__APPID=wxa"}
	for _, tt := range []struct {
		args []string
		exit int
		on   string
	}{
		{[]string{"pause", "--scope", "app:official", "--reason", "演练"}, exitOK, "app:wxa"},
		{[]string{"resume", "--scope", "app:wrong"}, exitOK, "app:wxa"},
		{[]string{"resume", "--scope", "app:official", "--reason", "演练完毕"}, exitOK, ""},
		{[]string{"pause", "--scope", "app:nope", "--reason", "演练"}, exitFailed, ""},
		{[]string{"pause", "--scope", "template:x", "--reason", "演练"}, exitFailed, ""},
		{[]string{"resume", "--scope", "app:nope"}, exitOK, ""},
		{[]string{"pause", "--scope", "global", "--reason", strings.Repeat("长", 201)}, exitFailed, ""},
	} {
		out, exit := run(t, env, append(append([]string{"push"}, tt.args...), "--as", token.Token)...)
		status, _ := run(t, env, "push", "status", "--json")
		var st handlers.PushOverview
		if err := json.Unmarshal([]byte(status), &st); err != nil {
			t.Fatalf("%v: %s", err, status)
		}
		on := ""
		for _, s := range st.Switches {
			on += s.Scope
		}
		if exit != tt.exit || on != tt.on {
			t.Errorf("%v: exit %d, %s; on is %q, want %q", tt.args, exit, out, on, tt.on)
		}
		if tt.args[0] == "resume" && on != "" && !strings.Contains(out, "仍停发："+on) {
			t.Errorf("%v does not tell that %s is on: %s", tt.args, on, out)
		}
	}
}
