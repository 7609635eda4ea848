package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gongkai/internal/store/storetest"
)

// TestPhoneShowsTheCard is the demo of the push as anybody sees it, in a real
// browser: follow the account, subscribe in chat, have a notice published, see
// its card arrive, open it, ask why it came and stop it with one tap.
func TestPhoneShowsTheCard(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("GONGKAI_TEST_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip("no chromium")
	}
	dir := t.TempDir()
	p := serve(t, dir, "--demo")
	sheet := readSheet(t, dir)
	phone := openPhone(t, path, p.url+"/demo/phone?person="+sheet.People[2].ID)
	phone.tap("关注公众号")
	phone.sees("欢迎关注")
	phone.say("订阅 住房保障")
	phone.sees("已订阅")

	title := "亭湖区2026年公共租赁住房保障计划"
	s := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "catalog.db"))
	_, draft := p.call("POST", "/api/v1/staff/notices", sheet.Tokens["editor"], storetest.Draft(t, s.Catalog(), "housing.development_plan", title))
	code, _ := draft["code"].(string)
	p.call("POST", "/api/v1/staff/notices/"+code+"/submit", sheet.Tokens["editor"], nil)
	began := time.Now()
	if status, out := p.call("POST", "/api/v1/staff/notices/"+code+"/publish", sheet.Tokens["reviewer"], nil); status != 200 {
		t.Fatalf("publish: %d %v", status, out)
	}
	phone.sees(title)
	t.Logf("the card was seen %v after the publication, of which 2 s are the recall window", time.Since(began).Round(10*time.Millisecond))

	find := "[...document.querySelectorAll('article.card a')].find(a => a.href.includes('why='))"
	phone.until(find)
	phone.eval("location.href = " + find + ".href")
	phone.until("location.pathname.startsWith('/n/')")
	phone.sees(title)
	phone.tap("为什么收到")
	phone.sees("您在")
	phone.tap("暂停这个订阅")
	phone.sees("已暂停")
}

// phone is a page in a real browser.
type phone struct {
	t   *testing.T
	ctx context.Context
}

func openPhone(t *testing.T, chromium, url string) *phone {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	ctx, expire := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(func() { expire(); cancel(); stop() })
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return &phone{t, ctx}
}

func (p *phone) eval(js string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[any]("void ("+js+")")); err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
}

// until waits for a condition of the page.
func (p *phone) until(condition string) {
	p.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		ok, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool]("Boolean("+condition+")"))
		if err == nil && ok {
			return
		}
		if time.Now().After(deadline) {
			text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			p.t.Fatalf("never: %s, %v; the page says\n%s", condition, err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (p *phone) sees(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("document.body.innerText.includes(%q)", text))
}

// tap presses the first button or link whose text matches.
func (p *phone) tap(pattern string) {
	p.t.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll('button,a')].find(e => /%s/.test(e.innerText))", pattern)
	p.until(find)
	p.eval(find + ".click()")
}

// say types into the chat.
func (p *phone) say(text string) {
	p.t.Helper()
	p.until("document.querySelector('#words') || document.querySelector('.flip, [aria-label=键盘], [aria-label=切换到键盘]')")
	p.eval("document.querySelector('#words') || document.querySelector('.flip, [aria-label=键盘], [aria-label=切换到键盘]').click()")
	p.until("document.querySelector('#words')")
	p.eval(fmt.Sprintf("document.querySelector('#words').value = %q, document.querySelector('#words').form.requestSubmit()", text))
}
