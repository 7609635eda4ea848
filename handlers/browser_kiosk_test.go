package handlers_test

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"gongkai/handlers"
)

// forward gives a test the page's monotonic clock: it moves with real time and
// ahead when told to, and what runs at intervals runs then.
const forward = `{
	const real = performance.now.bind(performance), every = setInterval.bind(window), ticks = [];
	let ahead = 0;
	performance.now = () => real() + ahead;
	window.setInterval = (run, ms) => (ticks.push(run), every(run, ms));
	window.forward = (seconds) => { ahead += seconds * 1000; ticks.forEach((run) => run()); return true };
}`

// hurry shortens the pauses of a device that pairs: it asks every three seconds
// whether it is approved, and begins again after five.
const hurry = `{ const real = setTimeout.bind(window); window.setTimeout = (run, ms, ...args) => real(run, ms === 3000 || ms === 5000 ? 100 : ms, ...args) }`

// kiosk opens the kiosk and waits for its first list.
func (w *world) kiosk(t *testing.T, width, height int64, settings string) *tab {
	t.Helper()
	b := w.tab(t, width, height)
	b.beforeLoad(forward)
	b.open("/kiosk" + settings)
	b.ready()
	return b
}

// ready waits until a list and the snapshot are there.
func (b *tab) ready() {
	b.t.Helper()
	b.until(10*time.Second, `document.querySelectorAll("main .row").length && document.querySelector("[data-count]").innerText`)
}

// TestKioskIsAccessible audits every view of the kiosk on the screens there
// are, in the three sizes of type and in high contrast.
func TestKioskIsAccessible(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.showcase(t)
	for _, screen := range []struct {
		name          string
		width, height int64
	}{{"portrait", 1080, 1920}, {"landscape", 1920, 1080}, {"small", 768, 1366}} {
		t.Run(screen.name, func(t *testing.T) {
			t.Parallel()
			b := w.kiosk(t, screen.width, screen.height, "?printer")
			for _, mode := range []string{"ordinary", "large", "largest", "contrast"} {
				switch mode {
				case "large", "largest":
					b.tap("button", "字号")
				case "contrast":
					b.tap("button", "高对比")
				}
				b.tap("button", "首页")
				b.ready()
				b.checkAccess(mode+" home", touchKiosk)
				b.tap("main .tile", "工程建设")
				b.until(5*time.Second, `document.querySelector(".view-sector .row")`)
				b.checkAccess(mode+" sector", touchKiosk)
				b.tapEntry("2026年11月", "26 条")
				b.checkAccess(mode+" period", touchKiosk)
				b.tap("button", "编号 / 拼音")
				b.tap(".pad button", "d")
				b.tap(".pad button", "l")
				b.until(5*time.Second, `document.querySelector(".found .row")`)
				b.checkAccess(mode+" search", touchKiosk)
				b.type8(code)
				b.until(5*time.Second, `document.querySelector("article h1")`)
				b.checkAccess(mode+" notice", touchKiosk)
			}
			eval[bool](b, `forward(61)`)
			b.until(5*time.Second, `document.getElementById("idle").open`)
			b.checkAccess("question", touchKiosk)
			b.checkOrigin()
		})
	}
}

// type8 clears the pad and types a notice's code.
func (b *tab) type8(code string) {
	b.t.Helper()
	b.tap(".pad button", "清空")
	for _, digit := range code {
		b.tap(".pad button", string(digit))
	}
}

// TestKioskLeadsToAnyNotice: two taps from the first screen to a notice, paging
// to those further down, letters and digits to those known by name or number.
func TestKioskLeadsToAnyNotice(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.showcase(t)
	b := w.kiosk(t, 1080, 1920, "")
	b.tap("main .tile", "住房保障")
	b.tap("main .row", "海棠花苑")
	b.until(5*time.Second, `document.querySelector("article h1").innerText.includes("海棠花苑")`)
	b.until(5*time.Second, `document.querySelector(".take img").naturalWidth && document.querySelector(".take img").getBoundingClientRect().width >= 300`)
	if !eval[bool](b, `document.querySelector(".take img").getBoundingClientRect().bottom < innerHeight && document.querySelector(".hand img").naturalWidth > 0`) {
		t.Error("the code that hands the notice to a phone is further down than the screen, or the one to subscribe is missing")
	}
	b.tap("button", "返回")
	b.until(5*time.Second, `document.querySelector(".view-sector")`)

	b.tap("button", "首页")
	b.tap("main .tile", "工程建设")
	b.until(5*time.Second, `document.querySelectorAll("main .row").length > 5`)
	b.until(5*time.Second, `!document.querySelector("main [aria-busy]")`)
	seen := map[string]bool{}
	for _, id := range eval[[]string](b, `[...document.querySelectorAll("main .row")].map(e => e.dataset.id)`) {
		seen[id] = true
	}
	if want := w.get(t, "/api/v1/notices?sector=construction").number("total"); len(seen) != want {
		t.Errorf("the list holds %d of %d notices", len(seen), want)
	}

	b.tap("button", "首页")
	b.tap("main .tile", "住房保障")
	b.tap(".chips button", "建设计划任务量")
	b.until(5*time.Second, `document.querySelectorAll("main .row").length === 1 && document.querySelector(".chips [aria-pressed=true]").innerText === "建设计划任务量"`)

	b.tap("button", "编号 / 拼音")
	b.tap(".examples button", "公租房")
	b.tap(".found .row", "海棠花苑第2批公租房")
	b.tap("button", "编号 / 拼音")
	for _, letter := range "bcz" {
		b.tap(".pad button", string(letter))
	}
	b.tap(".words button", "便仓镇")
	b.tap("main .row", "（更正）")
	b.until(5*time.Second, `document.querySelector("article h1")`)
	b.tap("button", "编号 / 拼音")
	b.type8(code)
	b.until(5*time.Second, `document.querySelector("article h1").innerText.includes("便仓镇重庆路学校食堂")`)
	b.tap("button", "返回")
	b.type8("12345678")
	b.until(5*time.Second, `document.querySelector("main [role=alert]").innerText.includes("校验位不对")`)
	if n := eval[int](b, `history.length`); n > 2 {
		t.Errorf("the kiosk left %d steps in the history", n)
	}
}

// TestKioskForgets: a minute without a touch, twenty seconds to answer, and then
// nothing is left of whoever was there.
func TestKioskForgets(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.showcase(t)
	b := w.kiosk(t, 1080, 1920, "")
	b.tap("button", "字号")
	b.tap("button", "高对比")
	b.tap("button", "低位")
	b.tap("button", "编号 / 拼音")
	b.tap(".pad button", "g")
	eval[bool](b, `localStorage.setItem("x", "1"), sessionStorage.setItem("y", "1"), true`)
	steps := eval[int](b, `history.length`)

	eval[bool](b, `forward(59)`)
	if eval[bool](b, `document.getElementById("idle").open`) {
		t.Error("it asks before a minute is over")
	}
	eval[bool](b, `forward(2)`)
	b.until(3*time.Second, `document.getElementById("idle").open && Number(document.getElementById("idle-count").innerText) > 15`)
	b.tap("dialog button", "继续查看")
	b.until(3*time.Second, `!document.getElementById("idle").open && document.querySelector(".typed").innerText === "g"`)

	eval[bool](b, `forward(61)`)
	b.until(3*time.Second, `document.getElementById("idle").open`)
	eval[bool](b, `forward(20)`)
	b.until(3*time.Second, `!document.getElementById("idle").open && document.querySelector(".view-home .row")`)
	left := eval[[]string](b, `[String(localStorage.length), String(sessionStorage.length), String(history.length - `+fmt.Sprint(steps)+`), JSON.stringify(document.documentElement.dataset), document.getElementById("size").innerText, String(document.getElementById("back").disabled), document.cookie]`)
	if got := strings.Join(left, " "); got != "0 0 0 {} 字号 标准 true " {
		t.Errorf("left behind: %q", got)
	}
	b.tap("button", "编号 / 拼音")
	if typed := eval[string](b, `document.querySelector(".typed").innerText`); strings.Contains(typed, "g") && !strings.Contains(typed, "如 gzf") {
		t.Errorf("what was typed is still there: %q", typed)
	}
}

// TestKioskKeepsNoQuestion: what was searched for and opened leaves nothing in the
// browser's cache.
func TestKioskKeepsNoQuestion(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.showcase(t)
	b := w.kiosk(t, 1080, 1920, "")
	eval[bool](b, `(window.asked = [], window.real = fetch, window.fetch = (url, init) => (asked.push(init.cache + " " + url), real(url, init)), true)`)
	b.tap("button", "编号 / 拼音")
	for _, letter := range "bcz" {
		b.tap(".pad button", string(letter))
	}
	b.tap(".words button", "便仓镇")
	b.until(5*time.Second, `document.querySelector(".view-results .row")`)
	b.tap("button", "编号 / 拼音")
	b.type8(code)
	b.until(5*time.Second, `document.querySelector("article h1")`)
	asked := 0
	for _, request := range eval[[]string](b, `asked`) {
		if strings.Contains(request, "q=") || strings.Contains(request, "/kiosk/n/") {
			asked++
			if !strings.HasPrefix(request, "no-store ") {
				t.Errorf("the browser keeps %s", request)
			}
		}
	}
	if asked < 3 {
		t.Errorf("%d questions were seen", asked)
	}
}

// TestKioskLosesWithdrawn: a withdrawn notice is gone from a screen that shows
// it, and from a list, within three seconds.
func TestKioskLosesWithdrawn(t *testing.T) {
	t.Parallel()
	w := start(t)
	n := w.publish(t, w.draft(t, tender, "要撤回的招标公告"))
	other := w.publish(t, w.draft(t, tender, "另一条要撤回的公告"))
	shown, list := w.kiosk(t, 1080, 1920, ""), w.kiosk(t, 1080, 1920, "")
	shown.tap("main .row", "要撤回的招标公告")
	shown.until(5*time.Second, `document.querySelector("article")`)

	w.step(t, "reviewer", n.text("id"), "withdraw", object{"reason": "有误"})
	took := shown.until(3*time.Second, `document.querySelector("main").innerText.includes("这条公告刚刚撤回") && !document.querySelector("article")`)
	t.Logf("gone from an open page after %v", took.Round(time.Millisecond))
	list.until(3*time.Second, `!document.querySelector("main").innerText.includes("要撤回的招标公告")`)
	kept := `caches.open("gongkai-kiosk-data").then(c => c.match("/kiosk/snapshot.json")).then(r => r.text())`
	list.until(3*time.Second, `document.querySelectorAll("main .row").length === 1`)
	for start := time.Now(); strings.Contains(eval[string](list, kept), "要撤回的招标公告"); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > 3*time.Second {
			t.Fatal("the stored copy still holds the withdrawn notice")
		}
	}
	w.step(t, "reviewer", other.text("id"), "withdraw", object{"reason": "有误"})
	list.until(3*time.Second, `document.querySelector("main .empty")`)
}

// park keeps the kiosk's requests for a snapshot waiting, before they are sent or
// after they are answered, until go is called; deaf cuts it off from the feed.
const park = `{
	const real = window.fetch.bind(window);
	const parked = () => new Promise((go) => window.go = go);
	window.fetch = async (url, ...rest) => {
		if (window.deaf && String(url).includes("/changes")) throw new TypeError("no network");
		const snapshot = String(url).endsWith("/snapshot.json");
		if (snapshot && window.hold === "before") await parked();
		const res = await real(url, ...rest);
		if (snapshot && window.hold === "after") await parked();
		return res;
	};
}`

// TestKioskLosesWithdrawnBesideSnapshots: a withdrawal is heard of although a
// snapshot fetched meanwhile is newer than it, and a snapshot that was on its way
// does not bring the notice back.
func TestKioskLosesWithdrawnBesideSnapshots(t *testing.T) {
	t.Parallel()
	w := start(t)
	n := w.publish(t, w.draft(t, tender, "要撤回的招标公告"))
	b := w.tab(t, 1080, 1920)
	b.beforeLoad(park)
	b.open("/kiosk")
	b.ready()
	b.tap("main .row", "要撤回的招标公告")
	b.until(5*time.Second, `document.querySelector("article")`)
	kept := func(done func(string) bool) string {
		t.Helper()
		for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			text := eval[string](b, `caches.open("gongkai-kiosk-data").then(c => c.match("/kiosk/snapshot.json")).then(r => r.text())`)
			if done(text) {
				return text
			}
			if time.Since(start) > 10*time.Second {
				t.Fatal("the stored copy is not what was awaited")
			}
		}
	}
	eval[bool](b, `(window.hold = "before", true)`)
	other := w.publish(t, w.draft(t, tender, "另一条公告"))
	b.until(10*time.Second, `window.go`)
	eval[bool](b, `(window.deaf = true)`)
	w.step(t, "reviewer", n.text("id"), "withdraw", object{"reason": "有误"})
	eval[bool](b, `(window.hold = "", go(), true)`)
	kept(func(text string) bool {
		return strings.Contains(text, "另一条公告") && !strings.Contains(text, "要撤回的招标公告")
	})
	eval[bool](b, `(window.deaf = false, true)`)
	b.until(10*time.Second, `document.querySelector("main").innerText.includes("这条公告刚刚撤回") && !document.querySelector("article")`)

	b.tap("button", "首页")
	b.until(5*time.Second, `document.querySelector("main").innerText.includes("另一条公告")`)
	eval[bool](b, `(window.go = null, window.hold = "after", true)`)
	w.publish(t, w.draft(t, tender, "第三条"))
	b.until(10*time.Second, `window.go`)
	w.step(t, "reviewer", other.text("id"), "withdraw", object{"reason": "有误"})
	b.until(5*time.Second, `!document.querySelector("main").innerText.includes("另一条公告")`)
	eval[bool](b, `(window.hold = "", go(), true)`)
	if text := kept(func(text string) bool { return strings.Contains(text, "第三条") }); strings.Contains(text, "另一条公告") {
		t.Error("a snapshot that was on its way brought the withdrawn notice back")
	}
}

// TestKioskWithoutNetwork: with the server killed the screen says since when,
// goes on showing what it has, and starts again from what it kept.
func TestKioskWithoutNetwork(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.showcase(t)
	b := w.kiosk(t, 1080, 1920, "")
	b.until(10*time.Second, `navigator.serviceWorker.controller || navigator.serviceWorker.ready`)
	ready := `caches.open("gongkai-kiosk-shell").then(c => c.keys()).then(k => k.length)`
	for start := time.Now(); eval[int](b, ready) < 4; time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatal("the shell is not kept")
		}
	}
	if err := w.edge.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.until(15*time.Second, `document.getElementById("offline").innerText.includes("网络中断，显示")`)
	b.tap("main .tile", "住房保障")
	b.tap("main .row", "亭湖区2026年建设计划任务量")
	b.until(10*time.Second, `document.querySelector("article h1").innerText.includes("任务量")`)
	b.until(10*time.Second, `document.querySelector(".noqr") && !document.querySelector(".take").innerText.includes("扫码在手机上看")`)
	b.checkAccess("offline notice", touchKiosk)
	b.tap("button", "返回")
	b.tap("main .row", "海棠花苑")
	b.until(10*time.Second, `document.querySelector("main [role=alert]").innerText.includes("不在本机保存")`)
	b.tap("button", "首页")
	eval[bool](b, `forward(400 * 86400)`)
	b.tap("button", "编号 / 拼音")
	b.type8(code)
	b.until(10*time.Second, `document.querySelector(".key .sub").innerText === "已截止" && document.querySelector(".key .over")`)

	b.do(chromedp.Reload())
	b.until(15*time.Second, `document.querySelectorAll("main .row").length`)
	b.until(15*time.Second, `document.getElementById("offline").innerText.includes("网络中断，显示")`)
	b.tap("button", "编号 / 拼音")
	for _, letter := range "cqlxx" {
		b.tap(".pad button", string(letter))
	}
	b.tap(".found .row", "重庆路学校")
	b.until(10*time.Second, `document.querySelector("article h1").innerText.includes("重庆路学校")`)
}

// TestKioskPairsItself: the screen shows a code, and once it is approved the
// device is online; revoked, it says so and goes on showing notices.
func TestKioskPairsItself(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.showcase(t)
	b := w.tab(t, 1080, 1920)
	b.beforeLoad(hurry)
	// The network drops the first claims, and a proxy answers others for the server: the code on the screen stays good.
	b.beforeLoad(`{
		const real = window.fetch.bind(window); let claims = 0; window.pairings = 0;
		window.fetch = (url, ...rest) => {
			if (String(url).endsWith("/pair")) pairings++;
			if (!String(url).endsWith("/claim") || ++claims > 4) return real(url, ...rest);
			return claims % 2 ? Promise.reject(new TypeError("no network")) : Promise.resolve(new Response("", {status: 502}));
		};
	}`)
	b.open("/kiosk?device")
	b.ready()
	b.until(15*time.Second, `/配对码 \d{3} \d{3}/.test(document.getElementById("device").innerText)`)
	b.checkAccess("pairing", touchKiosk)
	code := eval[string](b, `document.getElementById("device").innerText.match(/\d{3} \d{3}/)[0].replace(" ", "")`)
	id := w.approve(t, "admin", code, 200).text("id")
	b.until(15*time.Second, `document.getElementById("device").hidden`)
	if n := eval[int](b, `pairings`); n != 1 {
		t.Errorf("it began %d pairings", n)
	}
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		r := w.call(t, "GET", "/api/v1/staff/kiosks", opts{as: "admin"})
		if r.text("items.0.health") == "online" && r.number("items.0.report.height") == 1920 {
			break
		}
		if time.Since(start) > 15*time.Second {
			t.Fatalf("the device is not online: %s", r.body)
		}
	}
	if got := eval[string](b, `document.cookie`); got != "" {
		t.Errorf("a script reads the cookie %q", got)
	}
	w.call(t, "POST", "/api/v1/staff/kiosks/"+id+"/revoke", opts{as: "admin"})
	b.open("/kiosk?device")
	b.until(15*time.Second, `document.getElementById("device").innerText.includes("本机已停用")`)
	b.ready()
	b.checkOrigin()
}

// TestKioskPrintsSlip: the slip is 80 mm wide, and all that is on it is what a
// reader needs to find the notice again.
func TestKioskPrintsSlip(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *handlers.Config) { c.Pages.Hotline = "0515-12345" })
	code := w.showcase(t)
	b := w.tab(t, 1080, 1920)
	b.beforeLoad(`window.print = () => (window.printed = document.getElementById("slip").innerText || document.getElementById("slip").textContent)`)
	b.open("/kiosk?printer")
	b.ready()
	b.tap("button", "编号 / 拼音")
	b.type8(code)
	b.tap("button", "打印小票")
	b.until(5*time.Second, `window.printed`)
	slip := eval[string](b, `window.printed`)
	for _, part := range []string{"便仓镇重庆路学校食堂改造工程施工招标公告（更正）", code, "状态 已更正", "截止", "公开主体", "来源", "第 2 版", "打印 2026", "热线 0515-12345"} {
		if !strings.Contains(slip, part) {
			t.Errorf("the slip lacks %s: %s", part, slip)
		}
	}
	if !eval[bool](b, `document.querySelector("#slip img").naturalWidth > 0`) {
		t.Error("the slip has no code to scan")
	}
	sheet, err := chromedp.Call(b.ctx, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: new(true)})
	if err != nil {
		t.Fatal(err)
	}
	boxes := regexp.MustCompile(`/MediaBox ?\[0 0 ([0-9.]+) ([0-9.]+)`).FindAllStringSubmatch(string(sheet.Data), -1)
	if len(boxes) != 1 {
		t.Fatalf("the slip takes %d pages", len(boxes))
	}
	const mm = 72 / 25.4 // points
	wide, err := strconv.ParseFloat(boxes[0][1], 64)
	long, err2 := strconv.ParseFloat(boxes[0][2], 64)
	if err != nil || err2 != nil || math.Abs(wide-80*mm) > mm || long < 80*mm || long > 160*mm {
		t.Errorf("the slip is %.0f × %.0f mm", wide/mm, long/mm)
	}
}

// TestKioskReadsAloud: with a Chinese voice the spoken text of the notice is
// read, a second tap ends it, and so does leaving; without one it says so.
func TestKioskReadsAloud(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.showcase(t)
	b := w.tab(t, 1080, 1920)
	b.beforeLoad(`{
		window.said = []; window.hushed = 0; window.voices = [];
		window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text } };
		Object.defineProperty(window, "speechSynthesis", { value: { getVoices: () => voices, speak: (u) => (said.push(u.lang + " " + u.text), window.last = u), cancel: () => hushed++ } });
	}`)
	b.open("/kiosk")
	b.ready()
	b.tap("main .row", "便仓镇重庆路学校食堂")
	b.tap("button", "朗读")
	b.until(3*time.Second, `document.getElementById("toast").innerText.includes("没有安装中文语音")`)
	eval[bool](b, `voices.push({lang: "zh-CN"}), true`)
	b.tap("button", "朗读")
	b.until(5*time.Second, `said.length`)
	if said := eval[string](b, `said.join(" ")`); !strings.Contains(said, "zh-CN") || !strings.Contains(said, "食堂改造工程") || strings.Count(said, "信息来源") != 1 {
		t.Errorf("read aloud, once: %s", said)
	}
	eval[bool](b, `last.onerror(), true`)
	b.until(3*time.Second, `document.querySelector("[data-read]").innerText === "朗读"`)

	// Who leaves before the text has come hears nothing of it.
	eval[bool](b, `(said.length = 0, window.real = fetch, window.fetch = (url, ...rest) => String(url).endsWith("/speech") ? new Promise((done) => window.answer = () => real(url, ...rest).then(done)) : real(url, ...rest), true)`)
	b.tap("button", "朗读")
	b.until(3*time.Second, `window.answer`)
	b.tap("button", "返回")
	eval[bool](b, `answer().then(() => new Promise((done) => setTimeout(done))).then(() => true)`)
	if said := eval[int](b, `said.length`); said > 0 {
		t.Errorf("%d lines are read after the reader has left", said)
	}
	eval[bool](b, `(window.fetch = real, true)`)
	b.tap("main .row", "便仓镇重庆路学校食堂")
	b.tap("button", "朗读")
	b.until(5*time.Second, `said.length`)
	for _, button := range []string{"停止朗读", "返回"} {
		before := eval[int](b, `hushed`)
		b.tap("button", button)
		b.until(3*time.Second, fmt.Sprintf(`hushed > %d`, before))
	}
}

// TestKioskClockIsWrong: what is over is over by the server's clock, whatever
// the terminal's says.
func TestKioskClockIsWrong(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.showcase(t)
	for _, days := range []int{-400, 400} {
		b := w.tab(t, 1080, 1920)
		b.beforeLoad(fmt.Sprintf(`{
			const Real = Date, wrong = %d * 86400000;
			window.Date = class extends Real {
				constructor(...args) { args.length ? super(...args) : super(Real.now() + wrong) }
				static now() { return Real.now() + wrong }
			};
		}`, days))
		b.open("/kiosk")
		b.ready()
		if over := eval[int](b, `document.querySelectorAll("main .row .over").length`); over > 0 || !eval[bool](b, `document.querySelector("main .row .open") !== null`) {
			t.Errorf("%d days off: %d deadlines are shown as over", days, over)
		}
		if fresh := eval[string](b, `document.getElementById("fresh").innerText`); !strings.Contains(fresh, "数据更新 11/") {
			t.Errorf("%d days off: %s", days, fresh)
		}
	}
}
