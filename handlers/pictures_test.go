package handlers_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestPictures photographs the pages of a running demo for the documents: make
// pictures names it in GONGKAI_PICTURES_OF, as http://127.0.0.1:8080.
func TestPictures(t *testing.T) {
	base := os.Getenv("GONGKAI_PICTURES_OF")
	if base == "" {
		t.Skip("no demo to photograph; make pictures starts one")
	}
	find := func(query string) string {
		res, err := http.Get(base + "/api/v1/notices?limit=1&" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		var list struct{ Items []struct{ Code string } }
		if err := json.NewDecoder(res.Body).Decode(&list); err != nil || len(list.Items) == 0 {
			t.Fatalf("%s: %v", query, err)
		}
		return list.Items[0].Code
	}
	w := &world{addr: base[len("http://"):]}
	tenderCode := find("type=construction.tender_notice&sort=deadline&open=true")
	for _, p := range []struct{ name, path string }{
		{"h5-home", "/"}, {"h5-sector", "/s/housing"}, {"h5-notice", "/n/" + tenderCode}, {"h5-search", "/search?q=道路&open=true"},
		{"h5-project", "/p/E3209020001000001"}, {"h5-table", "/n/" + find("type=housing.annual_quota")}, {"h5-corrected", "/n/" + changedCode(t, base, "corrected")},
		{"h5-subscribe", "/subscribe?sector=housing"}, {"h5-missing", "/n/12345678"}, {"h5-withdrawn", "/n/" + changedCode(t, base, "withdrawn")},
	} {
		b := w.tab(t, 390, 844)
		b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(1.5)))
		b.open(p.path)
		b.picture(p.name, p.name == "h5-notice" || p.name == "h5-corrected")
	}
	b := w.tab(t, 390, 844)
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(1.5)))
	b.open("/s/procurement?period=" + b.lastMonth("procurement"))
	b.tap("summary", "按发布时间查找")
	b.picture("h5-period", false)
	b = w.tab(t, 390, 844)
	b.open("/")
	b.tap("button", "大字")
	b.picture("h5-elder", false)
	paper := w.tab(t, 794, 1123) // A4 at 96 dots an inch
	paper.open("/n/" + changedCode(t, base, "corrected"))
	if _, err := chromedp.Call(paper.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
		t.Fatal(err)
	}
	paper.picture("h5-print", true)
	w.kioskPictures(t, tenderCode)
}

// lastMonth is the last whole month in which a sector published.
func (b *tab) lastMonth(sector string) string {
	b.t.Helper()
	b.open("/s/" + sector)
	return eval[string](b, `fetch("/api/v1/archive?sector=`+sector+`").then(r => r.json()).then(a => a.periods[1].since.slice(0, 7))`)
}

// changedCode finds a notice that something was done to.
func changedCode(t *testing.T, base, kind string) string {
	for after := 0; ; after += 100 {
		res, err := http.Get(base + "/api/v1/changes?limit=100&after=" + strconv.Itoa(after))
		if err != nil {
			t.Fatal(err)
		}
		var feed struct {
			Items []struct {
				Kind     string
				NoticeID string `json:"notice_id"`
			}
		}
		err = json.NewDecoder(res.Body).Decode(&feed)
		_ = res.Body.Close()
		if err != nil || len(feed.Items) == 0 {
			t.Fatalf("no notice in the demo was %s: %v", kind, err)
		}
		for _, c := range feed.Items {
			if c.Kind == kind {
				return c.NoticeID
			}
		}
	}
}

func (w *world) kioskPictures(t *testing.T, code string) {
	b := w.kiosk(t, 1080, 1920, "?printer")
	b.picture("kiosk-home", false)
	b.tap("button", "编号 / 拼音")
	b.picture("kiosk-pad", false)
	b.tap("button", "首页")
	b.tap("main .tile", "政府采购")
	b.until(5*time.Second, `document.querySelector(".view-sector .row") && !document.querySelector("[aria-busy]")`)
	b.picture("kiosk-sector", false)
	eval[bool](b, `document.querySelectorAll(".periods .grid button")[1].click(), true`)
	b.until(5*time.Second, `document.querySelector(".list .row")`)
	b.picture("kiosk-period", false)
	b.tap("button", "编号 / 拼音")
	for _, letter := range "gzf" {
		b.tap(".pad button", string(letter))
	}
	b.until(5*time.Second, `document.querySelector(".words button")`)
	b.picture("kiosk-search", false)
	b.type8(code)
	b.until(5*time.Second, `document.querySelector("article h1") && document.querySelector(".take img").naturalWidth`)
	b.picture("kiosk-notice", false)
	b.tap(".facts .project", "")
	b.until(5*time.Second, `document.querySelector(".view-project .row")`)
	b.picture("kiosk-project", false)
	eval[bool](b, `forward(65)`)
	b.until(3*time.Second, `document.getElementById("idle").open`)
	b.picture("kiosk-question", false)
	b.tap("dialog button", "继续查看")
	b.tap("button", "高对比")
	b.tap("button", "字号")
	b.tap("button", "首页")
	b.ready()
	b.picture("kiosk-contrast", false)
	b.tap("button", "字号")
	b.tap("main .tile", "政府采购")
	b.until(5*time.Second, `document.querySelector(".list .row")`)
	b.picture("kiosk-period-contrast", false)
	wide := w.kiosk(t, 1920, 1080, "?printer")
	wide.picture("kiosk-landscape", false)
	wide.tap("main .tile", "政府采购")
	wide.until(5*time.Second, `document.querySelector(".list .row")`)
	wide.picture("kiosk-landscape-period", false)
	wide.tap("button", "首页")
	wide.ready()
	wide.tap("main .row", "公告")
	wide.until(5*time.Second, `document.querySelector(".take img") && document.querySelector(".take img").naturalWidth`)
	wide.picture("kiosk-landscape-notice", false)
	small := w.kiosk(t, 768, 1366, "")
	small.picture("kiosk-small", false)
	small.tap("main .tile", "政府采购")
	small.until(5*time.Second, `document.querySelector(".list .row")`)
	small.picture("kiosk-small-period", false)
}

// picture writes what is on the screen, or the whole page, into docs/pictures.
func (b *tab) picture(name string, whole bool) {
	b.t.Helper()
	time.Sleep(400 * time.Millisecond) // fonts and pictures settle
	shoot := chromedp.CaptureScreenshot()
	if whole {
		shoot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(b.ctx, shoot)
	if err == nil {
		err = os.WriteFile(filepath.Join("..", "docs", "pictures", name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
