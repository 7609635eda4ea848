package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
	"gongkai/internal/publish"
)

const demoFile = "demo.json"

// demoSheet is demo.json: where the demo runs and how to act in it.
type demoSheet struct {
	URL    string            `json:"url"`
	OpsURL string            `json:"ops_url"`
	Data   string            `json:"data"`
	Tokens map[string]string `json:"tokens"`
	Apps   demoApps          `json:"apps"`
	WeChat demoWeChat        `json:"wechat"`
	People []demoPerson      `json:"people"`
}

// demoApps are the names of the simulated WeChat accounts, as in
// /wechat/{app}/callback.
type demoApps struct {
	Official *string `json:"official"`
	Mini     *string `json:"mini"`
}

// demoPerson is a simulated WeChat user.
type demoPerson struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	OfficialOpenID string `json:"official_openid"`
	MiniOpenID     string `json:"mini_openid"`
	UnionID        string `json:"unionid"`
}

// demoStaff are the people of the demo; editor and reviewer are two.
var demoStaff = []disclosure.Actor{
	{Name: "陈晓（录入）", Role: disclosure.RoleEditor},
	{Name: "周敏（核验）", Role: disclosure.RoleReviewer},
	{Name: "管理员", Role: disclosure.RoleAdmin},
	{Name: "监督员", Role: disclosure.RoleAuditor},
	{Name: "热线话路", Role: disclosure.RoleIVR},
}

func isDemo(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, demoFile))
	return err == nil
}

// prepareDemo chooses the demo's directory and its lenient settings. A
// directory that holds real data is refused.
func (p *program) prepareDemo(c *config) error {
	if c.origin["data"] == layerDefaults {
		dir, err := os.MkdirTemp("", "gongkai-demo-")
		if err != nil {
			return fmt.Errorf("临时目录：%w", err)
		}
		if c.Database == "sqlite:"+filepath.Join(c.Data, databaseFile) {
			c.Database = "sqlite:" + filepath.Join(dir, databaseFile)
		}
		c.Data = dir
	}
	if _, err := os.Stat(filepath.Join(c.Data, databaseFile)); err == nil && !isDemo(c.Data) {
		return usage("%s 中是真实数据，不能装入演示公告；请换一个空目录", c.Data)
	}
	c.Publish.SecrecyReview = false
	return nil
}

// fillDemo loads the made-up notices into an empty store and writes demo.json.
func (p *program) fillDemo(ctx context.Context, a *app, l *listeners) error {
	sheet := demoSheet{URL: "http://" + portOf(l.public), OpsURL: "http://" + portOf(l.ops), Data: a.config.Data, People: []demoPerson{}}
	sheet.fillWeChat(p.simulator)
	path := filepath.Join(a.config.Data, demoFile)
	old, err := os.ReadFile(path)
	switch {
	case err == nil:
		var earlier demoSheet
		if err := json.Unmarshal(old, &earlier); err != nil {
			return fmt.Errorf("%s：%w", path, err)
		}
		sheet.Tokens = earlier.Tokens
		_, err := a.store.Token(ctx, disclosure.TokenHash(sheet.Tokens[string(disclosure.RoleAdmin)]))
		if errors.Is(err, &disclosure.Error{Code: disclosure.CodeBadToken}) {
			return usage("%s 中是演示目录，数据库却不是这次演示的，不能用来演示；请去掉 --database，或换一个空目录", a.config.Data)
		}
		if err != nil {
			return err
		}
	case errors.Is(err, os.ErrNotExist):
		page, err := a.store.Changes(ctx, 0, 1)
		if err != nil {
			return err
		}
		if page.LastSeq > int64(len(page.Items)) && !a.onlyCatalog(ctx) {
			return usage("数据库中已有公告，不能装入演示数据")
		}
		if sheet.Tokens, err = p.demoTokens(ctx, a); err != nil {
			return err
		}
		if err := loadStory(ctx, &publish.Service{Store: a.store, LookupKey: a.publish.LookupKey}, p.now()); err != nil {
			return fmt.Errorf("演示数据：%w", err)
		}
	default:
		return err
	}
	b, err := json.MarshalIndent(sheet, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.config.Data, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return a.cache.Refresh(ctx)
}

// onlyCatalog reports whether no notice was ever written.
func (a *app) onlyCatalog(ctx context.Context) bool {
	page, err := a.store.StaffList(ctx, disclosure.StaffQuery{Limit: 1})
	return err == nil && page.Total == 0
}

func (p *program) demoTokens(ctx context.Context, a *app) (map[string]string, error) {
	tokens := map[string]string{}
	for _, who := range demoStaff {
		secret := newSecret()
		t := disclosure.Token{ID: uuid.NewString(), Actor: who, CreatedAt: p.now()}
		if err := a.store.CreateToken(ctx, operator, t, disclosure.TokenHash(secret)); err != nil {
			return nil, err
		}
		tokens[string(who.Role)] = secret
	}
	return tokens, nil
}

// tour does the main job once, as people would over HTTP, and tells what comes
// back: a notice is entered, may not be published by its author, is checked by
// a second person, and stands on the public list.
func (p *program) tour(ctx context.Context, a *app) error {
	b, err := os.ReadFile(filepath.Join(a.config.Data, demoFile))
	if err != nil {
		return err
	}
	t := &tourist{out: p.out, now: p.now}
	if err := json.Unmarshal(b, &t.demoSheet); err != nil {
		return err
	}
	page, err := a.store.Notices(ctx, disclosure.NoticeQuery{Limit: 1, Sort: disclosure.SortPublished}, p.now())
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "公开 Gongkai 演示已启动：虚构公告 %s 条，数据在 %s\n\n", totalText(page), a.config.Data)
	draft, err := tourDraft(page.Catalog, p.now())
	if err != nil {
		return err
	}
	t.say("陈晓录入一份招标公告（POST /api/v1/staff/notices）")
	t.do(ctx, "editor", http.MethodPost, "/api/v1/staff/notices", draft)
	t.say("陈晓提交核验")
	t.do(ctx, "editor", http.MethodPost, "/api/v1/staff/notices/"+t.last.ID+"/submit", nil)
	t.say("陈晓自己发布？不行，须由另一个人核验")
	id, code := t.last.ID, t.last.Code
	t.do(ctx, "editor", http.MethodPost, "/api/v1/staff/notices/"+id+"/publish", nil)
	t.say("周敏核验并发布")
	t.do(ctx, "reviewer", http.MethodPost, "/api/v1/staff/notices/"+id+"/publish", nil)
	t.say("任何人随即可以查到（GET /api/v1/notices/" + code + "）")
	t.do(ctx, "", http.MethodGet, "/api/v1/notices/"+code, nil)
	t.say("最新公告列表的第一条就是它，第二次查询来自缓存")
	t.do(ctx, "", http.MethodGet, "/api/v1/notices?limit=1", nil)
	t.do(ctx, "", http.MethodGet, "/api/v1/notices?limit=1", nil)
	t.phone(ctx)
	if t.err != nil {
		return t.err
	}
	fmt.Fprintf(p.out, `
接着试（令牌在 %[1]s）：
  手机      %[2]s/
  终端      %[2]s/kiosk
  首屏      %[2]s/api/v1/home
  检索      %[2]s/api/v1/notices?q=盐东镇+道路
  目录      %[2]s/api/v1/catalog   下载 %[2]s/api/v1/catalog.csv
  项目      %[2]s/api/v1/projects/%[4]s
  微信      %[2]s/demo/phone（关注者的手机，消息都是模拟的）
  热线      docs/hotline.md（接 Asterisk、FreeSWITCH、VoiceXML 和云呼叫中心）
  接口说明  %[2]s/docs
  运维      %[3]s/readyz  %[3]s/metrics
按 Ctrl+C 结束。
`, filepath.Join(a.config.Data, demoFile), t.URL, t.OpsURL, storyProject)
	return nil
}

func totalText(page disclosure.NoticePage) string {
	if page.TotalCapped {
		return fmt.Sprintf("超过 %d", page.Total)
	}
	return fmt.Sprint(page.Total)
}

// tourist asks the running server and tells what it answers.
type tourist struct {
	demoSheet
	out  io.Writer
	now  func() time.Time
	last struct {
		ID, Code, Title, Detail string
		Status, Items           json.RawMessage // a problem's status is a number, an item list may be of ids
	}
	err error
}

func (t *tourist) say(text string) {
	if t.err == nil {
		fmt.Fprintln(t.out, "■ "+text)
	}
}

func (t *tourist) do(ctx context.Context, role, method, path string, body []byte) {
	if t.err != nil {
		return
	}
	req, err := http.NewRequestWithContext(ctx, method, t.URL+path, bytes.NewReader(body))
	if err != nil {
		t.err = err
		return
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if role != "" {
		req.Header.Set("Authorization", "Bearer "+t.Tokens[role])
	}
	start := t.now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.err = err
		return
	}
	defer func() { _ = res.Body.Close() }()
	t.last.Items, t.last.Detail = nil, ""
	if t.err = json.NewDecoder(res.Body).Decode(&t.last); t.err != nil {
		return
	}
	took := t.now().Sub(start)
	text := t.last.Title + "（编号 " + t.last.Code + "，" + strings.Trim(string(t.last.Status), `"`) + "）"
	var list []struct{ Code, Title string }
	switch {
	case t.last.Detail != "":
		text = t.last.Detail
	case json.Unmarshal(t.last.Items, &list) == nil && len(list) > 0: // a list of notices, not a notice's items
		text = list[0].Title + "（编号 " + list[0].Code + "）"
	}
	fmt.Fprintf(t.out, "  %d  %6.1f ms  %s\n", res.StatusCode, float64(took.Microseconds())/1000, text)
}
