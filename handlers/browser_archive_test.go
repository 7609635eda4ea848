package handlers_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// years publishes what a district's sector does in years: a tender a day from
// 2023 on, more each December, and an import of many on one day.
func (w *world) years(t *testing.T, imported int) (total int) {
	t.Helper()
	content := storetest.Content(t, w.store.Catalog(), tender, "招标公告")
	var pairs [][2]disclosure.Transition
	add := func(at time.Time, title string) {
		content.Title = title
		pairs = append(pairs, storetest.Published(t, w.store.Catalog(), content, at))
		if total++; len(pairs) == 250 {
			storetest.Commit(t, w.store, pairs...)
			pairs = nil
		}
	}
	for day := time.Date(2023, 1, 3, 10, 0, 0, 0, storetest.Start.Location()); day.Before(storetest.Start); day = day.AddDate(0, 0, 1) {
		if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
			continue
		}
		for i := range map[bool]int{false: 1, true: 6}[day.Month() == 12] {
			add(day.Add(time.Duration(i)*time.Minute), fmt.Sprintf("盐东镇道路养护工程施工招标公告 %s 第%d号", day.Format("2006-01-02"), i+1))
		}
		if day.Format("01-02-2006") == "04-08-2025" {
			for i := range imported {
				add(day.Add(time.Hour+time.Duration(i)*time.Second), fmt.Sprintf("历史公告补录第%d号", i+1))
			}
		}
	}
	storetest.Commit(t, w.store, pairs...)
	if err := w.cache.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return total
}

// TestKioskThreeTapsToAnyNotice: in a sector of thousands of notices, any of
// them is a tap on the sector, one on the month or day, and one on the notice,
// whether it is the newest, the oldest, in the middle of the busiest month or at
// the end of an import of two thousand. Between the taps only the finger drags.
// The seeding is most of its time.
func TestKioskThreeTapsToAnyNotice(t *testing.T) {
	t.Parallel()
	w := start(t)
	total := w.years(t, 2000)
	b := w.kiosk(t, 1080, 1920, "")
	eval[bool](b, `window.taps = 0, addEventListener("click", (e) => e.isTrusted && taps++, true), true`)
	for _, notice := range []struct{ name, period, count, title string }{
		{"the newest", "最新公告", "", "2026-11-20 第1号"},
		{"the oldest", "2023年1月", "21 条", "2023-01-03 第1号"},
		{"in the middle of all", "2024年12月", "132 条", "2024-12-16 第3号"},
		{"the last of the busiest month", "2025年12月", "138 条", "2025-12-01 第1号"},
		{"the first of the import", "2025年4月8日", "2,001 条", "补录第2000号"},
		{"the last of the import", "2025年4月8日", "2,001 条", "补录第1号"},
		{"beside the import", "2025年4月30日", "1 条", "2025-04-30 第1号"},
	} {
		b.tap("button", "首页")
		b.until(5*time.Second, `document.querySelector(".view-home .row")`)
		eval[bool](b, `taps = 0, true`)
		b.tap("main .tile", "工程建设")
		b.until(5*time.Second, `document.querySelector(".view-sector .row")`)
		if notice.count != "" {
			b.tapEntry(notice.period, notice.count)
		}
		b.dragTo(notice.title)
		b.until(5*time.Second, fmt.Sprintf(`document.querySelector("article h1")?.innerText.includes(%q)`, notice.title))
		want := map[bool]int{true: 2, false: 3}[notice.count == ""]
		if taps := eval[int](b, `taps`); taps != want {
			t.Errorf("%s took %d taps, want %d", notice.name, taps, want)
		}
	}
	b.tap("button", "返回")
	b.until(5*time.Second, `document.querySelector(".periods [aria-pressed=true]")?.innerText.includes("30日")`)
	if sum := eval[int](b, `[...document.querySelectorAll(".periods .grid small")].reduce((n, e) => n + parseInt(e.innerText.replace(",", "")), 0)`); sum != total {
		t.Errorf("the periods promise %d of %d notices", sum, total)
	}
	b.checkOrigin()
}

// tapEntry taps a period, dragged into sight, that says how many it holds.
func (b *tab) tapEntry(period, count string) {
	b.t.Helper()
	entry := fmt.Sprintf(`[...document.querySelectorAll(".periods button")].find(e => e.textContent === %q)`, period+count)
	b.until(5*time.Second, entry)
	b.press(entry)
	b.until(5*time.Second, entry+`.getAttribute("aria-pressed") === "true" && document.querySelector(".list .row")`)
}

// dragTo drags the list until the notice is in sight, and taps it.
func (b *tab) dragTo(title string) {
	b.t.Helper()
	row := fmt.Sprintf(`[...document.querySelectorAll(".list .row")].find(e => e.textContent.includes(%q))`, title)
	b.until(15*time.Second, row+` || (document.querySelector(".list").scrollTop += 20 * innerHeight, false)`)
	b.press(row)
}

// press taps the middle of an element, wherever it had to be dragged from.
func (b *tab) press(element string) {
	b.t.Helper()
	at := eval[[]float64](b, `(async () => { const e = `+element+`; e.scrollIntoView({block: "center"}); await new Promise(requestAnimationFrame); const r = e.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2] })()`)
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// TestKioskListIsDragged: a finger that drags moves the list and opens nothing,
// the big buttons move it for who cannot drag, and the way back leads to where
// the reader was, in another size of type too.
func TestKioskListIsDragged(t *testing.T) {
	t.Parallel()
	w := start(t)
	for i := range 130 {
		w.stock(t, tender, fmt.Sprintf("第%d标段施工招标公告", i+1))
	}
	b := w.kiosk(t, 1080, 1920, "")
	if _, err := chromedp.Call(b.ctx, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	b.tap("main .tile", "工程建设")
	b.until(5*time.Second, `document.querySelectorAll(".list .row").length === 100`)
	at := eval[[]float64](b, `(() => { const r = document.querySelector(".list").getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2] })()`)
	b.drag(at[0], at[1], -600)
	b.until(5*time.Second, `document.querySelector(".list").scrollTop > 300 && document.querySelector(".view-sector")`)
	// It rolls on by itself, how far is the glass's affair.
	b.until(5*time.Second, `(() => {
		const top = document.querySelector(".list").scrollTop, now = performance.now()
		if (window.restTop !== top) [window.restTop, window.restAt] = [top, now]
		return now - window.restAt > 300 })()`)
	for range 20 {
		if eval[bool](b, `document.getElementById("previous").disabled`) {
			break
		}
		before := eval[float64](b, `document.querySelector(".list").scrollTop`)
		b.tap("button", "上一页")
		b.until(5*time.Second, fmt.Sprintf(`document.querySelector(".list").scrollTop < %f`, before))
	}
	b.until(5*time.Second, `document.querySelector(".list").scrollTop < 2 && document.getElementById("previous").disabled`)
	for range 20 {
		if eval[bool](b, `document.getElementById("next").disabled`) {
			break
		}
		before := eval[float64](b, `document.querySelector(".list").scrollTop`)
		b.tap("button", "下一页")
		b.until(5*time.Second, fmt.Sprintf(`document.querySelector(".list").scrollTop > %f`, before))
	}
	b.until(5*time.Second, `document.querySelectorAll(".list .row").length === 130 && document.querySelector("h2").innerText.includes("共 130 条")`)

	b.dragTo("第3标段")
	b.until(5*time.Second, `document.querySelector("article h1")`)
	b.tap("button", "返回")
	inSight := `(() => { const e = [...document.querySelectorAll(".list .row")].find(e => e.innerText.includes("第9标段")); return e && e.getBoundingClientRect().bottom > 0 && e.getBoundingClientRect().top < innerHeight })()`
	b.until(5*time.Second, inSight)
	b.tap("button", "字号")
	b.until(5*time.Second, inSight)
}

// drag moves a finger down the glass by so many pixels, as touch screens tell it.
func (b *tab) drag(x, y, by float64) {
	b.t.Helper()
	touch := func(kind input.DispatchTouchEventType, points ...*input.TouchPoint) {
		if _, err := chromedp.Call(b.ctx, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: append([]*input.TouchPoint{}, points...)}); err != nil {
			b.t.Fatal(err)
		}
	}
	touch(input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: x, Y: y})
	for i := range 10 {
		touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: x, Y: y + by*float64(i+1)/10})
	}
	touch(input.DispatchTouchEventTypeTouchEnd)
}

// TestKioskListLosesWithdrawn: a withdrawn notice goes from an open list of a
// period, where the reader is stays where it is, and the counts follow.
func TestKioskListLosesWithdrawn(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.stock(t, tender, "道路招标公告", "桥梁招标公告")
	n := w.publish(t, w.draft(t, tender, "要撤回的招标公告"))
	last := w.publish(t, w.draft(t, "land.transfer_notice", "要撤回的出让公告"))
	b, land := w.tab(t, 1080, 1920), w.tab(t, 1080, 1920)
	for _, open := range []*tab{b, land} {
		open.beforeLoad(`Math.random = () => 0`) // kiosks ask again for what has changed within seconds, not all at once
		open.open("/kiosk")
		open.ready()
	}
	b.tap("main .tile", "工程建设")
	b.tapEntry("2026年11月", "3 条")
	land.tap("main .tile", "国有土地")
	land.tapEntry("2026年11月", "1 条")
	w.step(t, "reviewer", n.text("id"), "withdraw", object{"reason": "有误"})
	took := b.until(3*time.Second, `!document.querySelector("main").innerText.includes("要撤回") && document.querySelectorAll(".list .row").length === 2`)
	t.Logf("gone from an open list after %v", took.Round(time.Millisecond))
	b.until(10*time.Second, `document.querySelector("h2").innerText.includes("共 2 条") && document.querySelector(".periods .grid").innerText.includes("2 条")`)
	w.step(t, "reviewer", last.text("id"), "withdraw", object{"reason": "有误"})
	land.until(3*time.Second, `document.querySelector(".list .empty") && !document.querySelector(".list .row")`)
	land.until(10*time.Second, `!document.querySelector(".periods .grid")`)
	b.checkOrigin()
}

// TestKioskPeriodsWithoutNetwork: with the server gone the periods are those of
// the stored notices, and say so; a list begun before says that it is cut off;
// and a reset leads back to the newest.
func TestKioskPeriodsWithoutNetwork(t *testing.T) {
	t.Parallel()
	w := start(t)
	at := storetest.Start
	content := storetest.Content(t, w.store.Catalog(), tender, "旧招标公告")
	storetest.Publish(t, w.store, content, at.AddDate(-1, 0, 0))
	for i := range 210 {
		w.stock(t, tender, fmt.Sprintf("第%d标段施工招标公告", i+1))
	}
	b := w.kiosk(t, 1080, 1920, "")
	b.tap("main .tile", "工程建设")
	b.tapEntry("2025年11月", "1 条")
	b.tap(".periods button", "最新公告")
	b.until(5*time.Second, `document.querySelectorAll(".list .row").length === 100`)
	if err := w.edge.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.until(15*time.Second, `document.querySelector(".periods").innerText.includes("只列出本机存有的最新公告")`)
	if entries := eval[string](b, `[...document.querySelectorAll(".periods .grid button")].map(e => e.textContent).join()`); entries != "2026年11月200 条" {
		t.Errorf("the periods without a network are %s", entries)
	}
	b.checkAccess("offline periods", touchKiosk)
	eval[bool](b, `document.querySelector(".list").scrollTop = 1e9, true`)
	b.until(10*time.Second, `document.querySelector(".cut").innerText.includes("网络中断，后面的公告暂时读不到")`)
	b.tapEntry("2026年11月", "200 条")
	b.dragTo("第11标段")
	b.until(10*time.Second, `document.querySelector("article h1")?.innerText.includes("第11标段")`)
	b.tap("button", "返回")
	b.until(10*time.Second, `document.querySelectorAll(".list .row").length > 190`)
	eval[bool](b, `forward(61)`)
	b.until(5*time.Second, `document.getElementById("idle").open`)
	eval[bool](b, `forward(20)`)
	b.until(5*time.Second, `document.querySelector(".view-home .row")`)
	b.tap("main .tile", "工程建设")
	b.until(10*time.Second, `document.querySelector(".periods [aria-pressed=true]")?.innerText.includes("最新公告") && document.querySelector(".list").scrollTop === 0`)
}

// TestKioskShowsProject: a notice leads to its project and on to the project's
// other notices without leaving the kiosk's page; a withdrawn one goes from it;
// without a network the stored ones are shown, and said to be just those.
func TestKioskShowsProject(t *testing.T) {
	t.Parallel()
	w := start(t)
	project := object{"project": object{"code": "E3209020001/甲", "name": "便仓镇学校食堂改造工程"}}
	w.publish(t, w.draft(t, tender, "食堂改造工程招标公告", project))
	won := w.publish(t, w.draft(t, "construction.award_result", "食堂改造工程中标结果公告", project))
	w.publish(t, w.draft(t, tender, "没有项目的招标公告", object{"project": nil}))
	b := w.kiosk(t, 1080, 1920, "")
	b.tap("main .row", "没有项目")
	b.until(5*time.Second, `document.querySelector("article h1")`)
	if eval[bool](b, `document.querySelector(".project") !== null`) {
		t.Error("a notice of no project leads to one")
	}
	b.tap("button", "返回")
	b.tap("main .row", "食堂改造工程招标公告")
	b.tap(".facts .project", "便仓镇学校食堂改造工程")
	b.until(5*time.Second, `document.querySelectorAll(".view-project .row").length === 2 && document.querySelector(".view-project h2").innerText === "便仓镇学校食堂改造工程"`)
	if stages := eval[string](b, `[...document.querySelectorAll(".view-project h3")].map(e => e.innerText).join()`); stages != "执行,结果" {
		t.Errorf("the project's stages are %s", stages)
	}
	b.checkAccess("project", touchKiosk)
	b.tap("main .row", "中标结果")
	b.until(5*time.Second, `document.querySelector("article h1")?.innerText.includes("中标结果")`)
	b.tap("button", "返回")
	b.until(5*time.Second, `document.querySelectorAll(".view-project .row").length === 2`)
	w.step(t, "reviewer", won.text("id"), "withdraw", object{"reason": "有误"})
	b.until(3*time.Second, `document.querySelectorAll(".view-project .row").length === 1`)
	if err := w.edge.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	b.until(15*time.Second, `!document.getElementById("offline").hidden`)
	b.tap("button", "首页")
	b.tap("main .row", "食堂改造工程招标公告")
	b.tap(".facts .project", "便仓镇学校食堂改造工程")
	b.until(10*time.Second, `document.querySelectorAll(".view-project .row").length === 1 && document.querySelector(".view-project").innerText.includes("网络中断，只列出本机存有的公告")`)
	b.checkAccess("project offline", touchKiosk)
	b.tap("main .row", "招标公告")
	b.until(10*time.Second, `document.querySelector("article h1")`)
	if steps := eval[int](b, `history.length`); steps > 2 || !strings.HasSuffix(eval[string](b, `location.pathname`), "/kiosk") {
		t.Errorf("the kiosk left its page: %d steps", steps)
	}
}
