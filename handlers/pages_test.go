package handlers_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/valyala/fasthttp"
	"golang.org/x/net/html"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
	"gongkai/internal/web"
)

// page asks for a page as a browser does.
func (w *world) page(t *testing.T, path string, want int) reply {
	t.Helper()
	r := w.call(t, "GET", path, opts{want: want, header: map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}})
	if want < 400 && want != 302 && !r.isPage() {
		t.Fatalf("%s is %s, no page", path, r.header.Get("Content-Type"))
	}
	return r
}

// plain returns the text of a page without its markup.
func (r reply) plain() string {
	var b strings.Builder
	z := html.NewTokenizer(bytes.NewReader(r.body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(strings.Fields(b.String()), " ")
		case html.TextToken:
			b.Write(z.Text())
			b.WriteByte(' ')
		}
	}
}

func (r reply) says(texts ...string) {
	r.t.Helper()
	plain := r.plain()
	for _, text := range texts {
		if !strings.Contains(plain, text) {
			r.t.Errorf("the page does not say %q: %.3000s", text, plain)
		}
	}
}

// TestPages opens every page over HTTP.
func TestPages(t *testing.T) {
	w := start(t)
	n := w.publish(t, w.draft(t, tender, "盐东镇道路改造工程招标公告", object{"body_html": "<p>本工程已具备招标条件。</p>",
		"project": object{"code": "E3209 1/2", "name": "盐东镇道路改造工程"}}))
	code := n.text("code")
	for _, tt := range []struct {
		path string
		says []string
	}{
		{"/", []string{"住房保障", "盐东镇道路改造工程招标公告", "即将截止", "数据截至"}},
		{"/?from=singlemessage&isappinstalled=0", []string{"最新公告"}},
		{"/s/construction", []string{"工程建设项目招标投标", "共 1 条", "盐东镇道路改造工程招标公告"}},
		{"/s/construction?sort=deadline", []string{"盐东镇道路改造工程招标公告"}},
		{"/s/construction?type=construction.tender_notice", []string{"招标公告", "共 1 条"}},
		{"/s/construction?type=nope", []string{"共 1 条"}},
		{"/s/medical", []string{"这里还没有公开的公告"}},
		{"/n/" + code + "/1", []string{"盐东镇道路改造工程招标公告", "本工程已具备招标条件。", code, "信息来源", "投标截止时间", "第 1 版", "盐东镇道路改造工程"}},
		{"/p/" + url.PathEscape("E3209 1/2"), []string{"盐东镇道路改造工程", "执行", "下一个截止时间"}},
		{"/search", []string{"共 1 条"}},
		{"/search?sort=bad&open=perhaps&stage=nope&body=nope", []string{"共 1 条"}},
		{"/search?type=construction.tender_notice", []string{"找到 1 条", "筛选与排序 招标公告", "只看招标公告"}},
		{"/search?q=" + url.QueryEscape("道路") + "&sector=&type=&open=&utm_source=x", []string{"找到 1 条", "盐东镇道路改造工程招标公告"}},
		{"/search?q=" + url.QueryEscape("没有的词"), []string{"没有找到符合条件的公告", "换一个更短的词"}},
		{"/subscribe?sector=housing", []string{"订阅公告", "订阅住房保障", "Atom"}},
		{"/kiosk", []string{"自助查询", "没有启用脚本"}},
		{"/kiosk/n/" + code, []string{"盐东镇道路改造工程招标公告", "本工程已具备招标条件。"}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			r := w.page(t, tt.path, 200)
			r.t = t
			r.says(tt.says...)
			if csp := r.header.Get("Content-Security-Policy"); csp != web.Policy {
				t.Errorf("policy %q", csp)
			}
			if bytes.Contains(r.body, []byte("ZgotmplZ")) || bytes.Contains(r.body, []byte("<no value>")) {
				t.Errorf("a template went wrong: %s", r.body)
			}
		})
	}
}

// TestNoticeLink: the address without a revision leads to the newest, and is
// kept by nobody.
func TestNoticeLink(t *testing.T) {
	w := start(t)
	code, id := w.publish(t, w.draft(t, tender, "道路招标公告")).text("code"), ""
	id = w.get(t, "/api/v1/notices/"+code).text("id")
	noFollow := *w.client
	noFollow.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.client = &noFollow
	for _, ref := range []string{code, id} {
		r := w.page(t, "/n/"+ref+"?from=timeline", 302)
		if got := r.header.Get("Location"); !strings.HasSuffix(got, "/n/"+code+"/1") || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("/n/%s leads to %q, %s", ref, got, r.header.Get("Cache-Control"))
		}
	}
	if r := w.page(t, "/search?q="+code, 302); !strings.HasSuffix(r.header.Get("Location"), "/n/"+code) {
		t.Errorf("a search for a code leads to %q", r.header.Get("Location"))
	}
}

// TestRevisionsOnPages: an old copy says that it is one, what changed stands on
// the newest, and a withdrawn notice is gone with its reason.
func TestRevisionsOnPages(t *testing.T) {
	w := start(t)
	n := w.publish(t, w.draft(t, tender, "道路招标公告"))
	id, code := n.text("id"), n.text("code")
	c := w.call(t, "POST", "/api/v1/staff/notices/"+id+"/correct", opts{as: "editor", want: 201,
		body: object{"changes": object{"title": "道路招标公告（更正）"}, "reason": "标题有误"}}).text("id")
	w.step(t, "editor", c, "submit", nil)
	w.step(t, "reviewer", c, "publish", nil)

	w.page(t, "/n/"+code+"/1", 200).says("您看到的是第 1 版", "现为第 2 版", "道路招标公告")
	newest := w.page(t, "/n/"+code+"/2", 200)
	newest.says("道路招标公告（更正）", "本公告已更正", "第 2 版与第 1 版的差异", "历史版本")
	if !newest.holds("<del>道路招标公告</del>") || !newest.holds("<ins>道路招标公告（更正）</ins>") {
		t.Errorf("no differences: %s", newest.plain())
	}
	for rev, says := range map[string]string{"3": "没有公开过第 3 版", "zero": "版本号应为不小于 1 的整数", "0": "版本号应为不小于 1 的整数"} {
		w.page(t, "/n/"+code+"/"+rev, 404).says("没有这个版本", says, "查看最新版")
	}
	w.page(t, "/n/97491490/0", 404).says("没有找到这条公告")

	w.step(t, "reviewer", id, "withdraw", object{"reason": "公告主体有误"})
	for _, path := range []string{"/n/" + code, "/n/" + code + "/1", "/n/" + code + "/2"} {
		w.page(t, path, 410).says("这条公告已撤回", "原因：公告主体有误")
	}
	if r := w.call(t, "GET", "/kiosk/n/"+code, opts{want: 410}); r.text("code") != "notice.withdrawn" {
		t.Errorf("the kiosk is told %s", r.body)
	}
}

// TestTerminatedIsNotOpen: once a notice is called off nothing says that it
// closes, and its older revisions say what became of it.
func TestTerminatedIsNotOpen(t *testing.T) {
	w := start(t)
	n := w.publish(t, w.draft(t, tender, "道路招标公告"))
	id, code := n.text("id"), n.text("code")
	places := []string{"/", "/s/construction", "/search", "/n/" + code + "/1", "/kiosk/n/" + code}
	for _, path := range places {
		w.page(t, path, 200).says("天截止")
	}
	end := w.call(t, "POST", "/api/v1/staff/notices/"+id+"/terminate", opts{as: "editor", want: 201, body: object{"reason": "项目取消"}}).text("id")
	w.step(t, "editor", end, "submit", nil)
	w.step(t, "reviewer", end, "publish", nil)
	for _, path := range append(places, "/n/"+code+"/2") {
		if r := w.page(t, path, 200); strings.Contains(r.plain(), "天截止") || r.holds(`<b class="open">`) || strings.Contains(r.plain(), "已更正") || !strings.Contains(r.plain(), "已终止") {
			t.Errorf("%s: %s", path, r.plain())
		}
	}
	w.page(t, "/n/"+code+"/1", 200).says("您看到的是第 1 版，本公告已终止，现为第 2 版。")
	if r := w.page(t, "/kiosk/n/"+code, 200); !r.holds(`data-deadline=""`) || !r.holds(`data-state="已终止"`) {
		t.Errorf("the slip is made of %.600s", r.body)
	}
	snapshot := w.get(t, "/kiosk/snapshot.json")
	for i := range snapshot.len("items") {
		at := fmt.Sprintf("items.%d.", i)
		if snapshot.text(at+"status") == "terminated" && snapshot.at(at+"deadline_at") != nil {
			t.Errorf("the kiosk keeps a deadline of it: %s", snapshot.text(at+"deadline_at"))
		}
	}
	for _, file := range []string{"construction.atom", "construction.json"} {
		if r := w.get(t, "/api/v1/feeds/"+file); r.holds("截止 20") || !r.holds("【已终止】") {
			t.Errorf("%s: %s", file, r.body)
		}
	}
}

// TestErrorPages: people are told in a page, programs in a problem.
func TestErrorPages(t *testing.T) {
	w := start(t)
	for path, says := range map[string]string{
		"/n/12345678": "校验位不对", "/n/abc": "编号应为 8 位数字", "/n/abc/1": "编号应为 8 位数字", "/s/nope": "目录中没有领域", "/p/nope": "没有找到项目", "/p/": "没有",
		"/nope": "没有这个页面", "/n/97491490/1": "没有找到公告", "/s/%E4%BD%8F": "没有领域“住”", "/s/%ff": "没有这个页面", "/p/%ff": "没有这个页面", "/s/construction?cursor=x": "翻页标记无效",
	} {
		status := 404
		if strings.Contains(path, "cursor") {
			status = 400
		}
		r := w.page(t, path, status)
		if r.says(says); !utf8.Valid(r.body) {
			t.Errorf("%s is answered with bytes that are no text", path)
		}
	}
	if r := w.call(t, "GET", "/nope", opts{want: 404}); r.text("code") != "route.not_found" {
		t.Errorf("a program is told %s", r.body)
	}
	if r := w.call(t, "GET", "/api/v1/nope", opts{want: 404, header: map[string]string{"Accept": "text/html"}}); r.isPage() {
		t.Error("the API answers with a page")
	}
	bad := w.page(t, "/search?since=2026-13-01&amount_min=many&q=x", 400)
	bad.says("发布日期：", "金额：")
	if !bad.holds(`value="many"`) {
		t.Error("the form is not shown again as it was sent")
	}
}

// TestHostileNotice: whatever a notice says, nothing of it acts.
func TestHostileNotice(t *testing.T) {
	w := start(t)
	long := strings.Repeat("很长的标题", 38)
	n := w.publish(t, w.draft(t, tender, long+`<b>𠮷🚧"`, object{
		"body_html": `<p class="banner" id="state">字</p><img src="https://evil.example/p.gif"><p style="position:fixed">盖住</p><a href="//evil.example">链接</a>`,
		"source":    object{"name": `<script>alert(1)</script>`, "url": "https://example.com/?a=1&b=<2>"}}))
	r := w.page(t, "/n/"+n.text("code")+"/1", 200)
	r.says("𠮷🚧")
	const closed = `<p>正文</p><table><tr><td><a href="https://evil.example/" rel="noreferrer">点这里</a></td></tr></table>`
	open := w.publish(t, w.draft(t, tender, "没有写完的正文", object{"body_html": `<p>正文</p><table><tr><td><a href="https://evil.example/">点这里`}))
	if got := w.get(t, "/api/v1/notices/"+open.text("code")).text("body_html"); got != closed {
		t.Errorf("what was left open is stored as %s", got)
	}
	for _, path := range []string{"/n/" + open.text("code") + "/1", "/kiosk/n/" + open.text("code")} {
		if !w.page(t, path, 200).holds(closed) {
			t.Errorf("%s leaves the text open", path)
		}
	}
	shared := web.AssetPath("icon.png") // WeChat shows no SVG
	if !r.holds(`<meta property="og:image" content="https://gongkai.test` + shared + `">`) {
		t.Error("a shared link has no picture")
	}
	if p := w.get(t, shared); p.header.Get("Content-Type") != "image/png" || !strings.HasPrefix(string(p.body), "\x89PNG") {
		t.Errorf("the picture of a shared link is %s", p.header.Get("Content-Type"))
	}
	if !r.holds(`<script>try{localStorage.elder&&`) {
		t.Error("the script whose hash is in the policy is not in the page as it is")
	}
	for _, bad := range []string{`class="banner" id="state"`, "evil.example/p.gif", "position:fixed", "<script>alert", "<b>𠮷"} {
		if r.holds(bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

// TestMissingAttachment: who follows a link to a file that is gone is told so in
// a page, and a program in a problem.
func TestMissingAttachment(t *testing.T) {
	w := start(t)
	path := "/api/v1/attachments/" + strings.Repeat("ab", 32)
	w.page(t, path, 404).says("404", "回到首页")
	if r := w.call(t, "GET", path, opts{want: 404}); r.header.Get("Content-Type") != "application/problem+json; charset=utf-8" && r.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a program is told %s", r.header.Get("Content-Type"))
	}
}

// TestLongTables are shown a page at a time, without a script.
func TestLongTables(t *testing.T) {
	w := start(t)
	const typ = "housing.annual_quota"
	rows := make([]object, 450)
	for i := range rows {
		rows[i] = object{"housing_kind": "公共租赁住房", "planned_units": i + 1}
	}
	d := w.draft(t, typ, "任务量")
	fields, _ := d["fields"].(map[string]any)
	fields["quotas"] = rows
	n := w.publish(t, d)
	if n.status >= 400 {
		t.Fatal(string(n.body))
	}
	link := "/n/" + n.text("code") + "/1"
	w.page(t, link, 200).says("共 450 行，本页第 1–200 行", "200套", "下 200 行")
	w.page(t, link+"?page=3", 200).says("本页第 401–450 行", "450套", "上 200 行")
	w.page(t, link+"?page=2", 200).says("上 200 行", "下 50 行")
	w.page(t, link+"?page=99", 200).says("本页第 1–200 行")
	if r := w.page(t, link, 200); strings.Contains(r.plain(), "201套") {
		t.Error("the first page shows the second's rows")
	}
}

// TestPersonalPages: pages that name natural persons are kept nowhere, and not
// in the kiosk's snapshot.
func TestPersonalPages(t *testing.T) {
	w := start(t)
	w.stock(t, housing, "第1批分配结果")
	w.stock(t, tender, "道路招标公告")
	code := w.get(t, "/api/v1/notices?type="+housing).text("items.0.code")
	for _, path := range []string{"/n/" + code + "/1", "/kiosk/n/" + code} {
		r := w.page(t, path, 200)
		if r.header.Get("Cache-Control") != "private, no-store" || r.header.Get("ETag") != "" {
			t.Errorf("%s: %v", path, r.header)
		}
	}
	snapshot := w.get(t, "/kiosk/snapshot.json")
	if snapshot.len("items") != 2 || snapshot.at("items.1.html") != nil || !strings.Contains(snapshot.text("items.0.html"), "道路招标公告") {
		t.Errorf("snapshot: %.500s", snapshot.body)
	}
	if snapshot.text("items.0.initials") != "dlzbgg" || snapshot.number("seq") == 0 {
		t.Errorf("snapshot: %s", snapshot.text("items.0.initials"))
	}
}

// TestPagesFromCache: a page is answered like the API, and follows a withdrawal
// as fast.
func TestPagesFromCache(t *testing.T) {
	w := start(t)
	n := w.publish(t, w.draft(t, tender, "道路招标公告"))
	for _, path := range []string{"/", "/n/" + n.text("code") + "/1", "/kiosk"} {
		first := w.page(t, path, 200)
		again := w.call(t, "GET", path, opts{want: 304, header: map[string]string{"If-None-Match": first.header.Get("ETag")}})
		if first.header.Get("Cache-Control") != "public, no-cache" || first.header.Get("Vary") != "Accept-Encoding" || len(again.body) > 0 {
			t.Errorf("%s: %v", path, first.header)
		}
		if head := w.call(t, "HEAD", path, opts{want: 200}); head.header.Get("ETag") != first.header.Get("ETag") {
			t.Errorf("HEAD %s: %v", path, head.header)
		}
	}
	w.page(t, "/", 200).says("道路招标公告")
	w.step(t, "reviewer", n.text("id"), "withdraw", object{"reason": "有误"})
	if r := w.page(t, "/", 200); strings.Contains(r.plain(), "道路招标公告") {
		t.Error("a withdrawn notice is still on the first page")
	}
}

// TestAssets: a name holds its content's hash and is kept for good; an old name
// that a stored page asks for still finds the present file.
func TestAssets(t *testing.T) {
	w := start(t)
	home := w.page(t, "/", 200)
	links := regexp.MustCompile(`/assets/[a-z0-9.]+`).FindAllString(string(home.body), -1)
	if len(links) < 3 {
		t.Fatalf("assets of the first page: %v", links)
	}
	for _, link := range links {
		if r := w.get(t, link); r.header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %v", link, r.header)
		}
	}
	old := w.get(t, "/assets/h5.0000000000.css")
	if old.header.Get("Cache-Control") != "public, no-cache" || len(old.body) < 1000 {
		t.Errorf("an old name: %v", old.header)
	}
	w.call(t, "GET", "/assets/h5.css", opts{want: 404})
	w.call(t, "GET", "/assets/..%2fweb.go", opts{want: 404})
	if r := w.get(t, "/kiosk/sw.js"); r.header.Get("Service-Worker-Allowed") != "/kiosk" || r.header.Get("Cache-Control") != "public, no-cache" {
		t.Errorf("the worker: %v", r.header)
	}
}

// budgets are what a phone on a slow network has to load, in bytes with Brotli.
var budgets = map[string]int{"/": 14 << 10, "/s/construction": 14 << 10, "notice": 14 << 10, "/search?q=": 14 << 10,
	"h5.css": 6 << 10, "h5.js": 8 << 10, "kiosk shell": 40 << 10, "/kiosk/snapshot.json": 300 << 10}

// transferred is how many bytes a GET moves with Brotli.
func (w *world) transferred(t *testing.T, path string) (int, []byte) {
	t.Helper()
	r := w.call(t, "GET", path, opts{want: 200, header: map[string]string{"Accept-Encoding": "br"}})
	if r.header.Get("Content-Encoding") != "br" {
		t.Fatalf("%s is not compressed", path)
	}
	body, err := io.ReadAll(brotli.NewReader(bytes.NewReader(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	return len(r.body), body
}

// TestBudgets weighs the pages with full lists and a long notice.
func TestBudgets(t *testing.T) {
	w := start(t)
	titles := make([]string, 210)
	for i := range titles {
		titles[i] = fmt.Sprintf("亭湖区%d号道路（%s段）改造提升及配套管网工程施工招标公告", i, string(rune('一'+i*37)))
	}
	w.stock(t, tender, titles...)
	n := w.publish(t, w.draft(t, tender, "正文很长的公告", object{"body_html": strings.Repeat("<p>本工程位于盐东镇，建设内容包括道路、排水、照明及绿化，工期一百八十日历天。</p>", 60)}))
	got := map[string]int{}
	for name := range budgets {
		if strings.HasPrefix(name, "/") {
			got[name], _ = w.transferred(t, name)
		}
	}
	got["notice"], _ = w.transferred(t, "/n/"+n.text("code")+"/1")
	got["h5.css"], _ = w.transferred(t, web.AssetPath("h5.css"))
	got["h5.js"], _ = w.transferred(t, web.AssetPath("h5.js"))
	for _, path := range []string{"/kiosk", web.AssetPath("kiosk.css"), web.AssetPath("kiosk.js"), "/kiosk/sw.js"} {
		size, _ := w.transferred(t, path)
		got["kiosk shell"] += size
	}
	for name, limit := range budgets {
		t.Logf("%-22s %6d of %6d bytes", name, got[name], limit)
		if got[name] == 0 || got[name] > limit {
			t.Errorf("%s is %d bytes with Brotli, its budget %d", name, got[name], limit)
		}
	}
}

// signer stands for the configured JS-SDK.
type signer struct{ asked []string }

func (s *signer) SignPage(_ context.Context, url string) (disclosure.PageSignature, error) {
	s.asked = append(s.asked, url)
	return disclosure.PageSignature{AppID: "wx0", Timestamp: 1, Nonce: "n", Signature: "sig", Templates: []string{"T1", "T2"}}, nil
}

// TestSubscribeInWeChat: with the JS-SDK configured the page is signed for its
// own address, in WeChat only, and allows WeChat's script alone.
func TestSubscribeInWeChat(t *testing.T) {
	s := &signer{}
	w := start(t, func(c *handlers.Config) {
		c.Pages = handlers.PageConfig{SDK: s, AccountURL: "http://weixin.qq.com/r/abc", Account: web.Account{Name: "亭湖公共资源"}}
	})
	other := w.page(t, "/subscribe", 200)
	other.says("亭湖公共资源")
	if other.holds("res.wx.qq.com") || !other.holds("data:image/svg") || len(s.asked) > 0 {
		t.Errorf("outside WeChat: %s", other.body)
	}
	r := w.call(t, "GET", "/subscribe?sector=housing", opts{want: 200, header: map[string]string{"User-Agent": "Mozilla/5.0 MicroMessenger/8.0.50"}})
	if !r.holds(`data-templates="T1,T2"`) || !r.holds(web.WeChatScript) || r.header.Get("Content-Security-Policy") != web.WeChatPolicy ||
		r.header.Get("Cache-Control") != "no-store" || fmt.Sprint(s.asked) != "[https://gongkai.test/subscribe?sector=housing]" {
		t.Errorf("in WeChat: %v %v\n%s", s.asked, r.header, r.body)
	}
}

// TestPreviewScreens: staff see a draft as the phone and the kiosk will show
// it, names of natural persons masked.
func TestPreviewScreens(t *testing.T) {
	w := start(t)
	d := w.create(t, w.draft(t, housing, "第3批分配结果公示"))
	r := w.call(t, "GET", "/api/v1/staff/notices/"+d.text("id")+"/preview", opts{as: "editor"})
	for _, screen := range []string{"phone.html", "kiosk.html"} {
		page := r.text(screen)
		if !strings.HasPrefix(page, "<!doctype html>") || !strings.Contains(page, "第3批分配结果公示") || !strings.Contains(page, "发布后显示") {
			t.Errorf("%s: %.600s", screen, page)
		}
		if screen == "kiosk.html" && (!strings.Contains(page, `<div class="lead">`) || !strings.Contains(page, "朗读") || !strings.Contains(page, `<p class="big-code">`+d.text("code"))) {
			t.Errorf("%s does not begin as on the kiosk: %s", screen, page)
		}
		if strings.Contains(page, idNumber) {
			t.Errorf("%s shows an ID number", screen)
		}
		if strings.Contains(page, "<script") || strings.Contains(page, "/qr.svg") || !strings.Contains(page, `src="data:image/svg+xml;base64,`) {
			t.Errorf("%s asks the server for what is not public: %s", screen, page)
		}
	}
}

// TestPageKeepsUpWithDetail: a notice's page from the cache is served nearly as
// fast as its JSON. Turns are taken, and the best of each counts: a busy machine
// only makes some of them slower.
func TestPageKeepsUpWithDetail(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.Rate, c.Burst = 1_000_000, 1_000_000 })
	code := w.publish(t, w.draft(t, tender, "盐东镇道路改造工程施工招标公告", object{
		"body_html": strings.Repeat("<p>本工程位于盐东镇，建设内容包括道路、排水、照明及绿化，工期一百八十日历天。</p>", 20)})).text("code")
	paths := []string{"/api/v1/notices/" + code, "/n/" + code + "/1"}
	client := &fasthttp.HostClient{Addr: w.addr, MaxConns: 1}
	var req fasthttp.Request
	var res fasthttp.Response
	best := map[string]time.Duration{}
	for range 30 {
		for _, path := range paths {
			req.SetRequestURI("http://" + w.addr + path)
			req.Header.Set("Accept-Encoding", "br")
			began := time.Now()
			for range 100 {
				if err := client.Do(&req, &res); err != nil || res.StatusCode() != 200 {
					t.Fatalf("%s: %d %v", path, res.StatusCode(), err)
				}
			}
			if took := time.Since(began); best[path] == 0 || took < best[path] {
				best[path] = took
			}
		}
	}
	ratio := float64(best[paths[0]]) / float64(best[paths[1]])
	t.Logf("requests of a page in the time of one of its JSON: %.2f (%v and %v for a hundred)", ratio, best[paths[1]], best[paths[0]])
	if ratio < 0.8 {
		t.Errorf("a page is served at %.2f of the rate of its JSON, want 0.8", ratio)
	}
}
