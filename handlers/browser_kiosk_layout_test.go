package handlers_test

import (
	"fmt"
	"testing"
	"time"
)

// TestKioskSearchReachesEveryRow: whatever the screen and the size of type, each
// notice and each word that was found can be scrolled to and pressed.
func TestKioskSearchReachesEveryRow(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.showcase(t)
	marked := func(b *tab, list string) {
		b.until(5*time.Second, `[...document.querySelectorAll("`+list+` .row .tag")].some((e) => e.innerText === "已更正")`)
	}
	for _, screen := range []struct{ width, height int64 }{{768, 1366}, {1080, 1920}, {1920, 1080}} {
		b := w.kiosk(t, screen.width, screen.height, "")
		marked(b, "main")
		b.tap("button", "编号 / 拼音")
		b.tap(".pad button", "z")
		b.tap(".pad button", "b")
		for _, mode := range []string{"", "字号", "字号", "低位"} {
			if mode != "" {
				b.tap("button", mode)
			}
			b.until(5*time.Second, `document.querySelectorAll(".found .row").length === 4 && document.querySelector(".words button")`)
			marked(b, ".found")
			// As a finger does it: what is cut off by its own list cannot be scrolled to.
			hidden := eval[[]string](b, `[...document.querySelectorAll(".found .row, .words button")].filter((e) => {
				const found = e.closest(".found"), main = document.querySelector("main");
				const middle = (r) => r.top + r.height / 2;
				found.scrollTop += middle(e.getBoundingClientRect()) - middle(found.getBoundingClientRect());
				main.scrollTop += middle(e.getBoundingClientRect()) - middle(main.getBoundingClientRect());
				const r = e.getBoundingClientRect(), all = found.getBoundingClientRect();
				return r.height > all.height + 1 || !e.contains(document.elementFromPoint(r.left + r.width / 2, middle(r)));
			}).map((e) => e.innerText)`)
			if len(hidden) > 0 {
				t.Errorf("%d×%d %s: out of reach are %s", screen.width, screen.height, mode, fmt.Sprintf("%.200q", hidden))
			}
		}
		b.checkOrigin()
	}
}

// TestKioskFirstScreenFits: the rows of the first screen end above its foot, also
// when a line at the foot comes after they were counted, and the words of a tile
// stand together beside its picture.
func TestKioskFirstScreenFits(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.showcase(t)
	b := w.kiosk(t, 1080, 1920, "")
	fits := `!document.querySelector("main [aria-busy]") && [...document.querySelectorAll("main .row")].pop().getBoundingClientRect().bottom <= document.querySelector("main").getBoundingClientRect().bottom`
	b.until(5*time.Second, fits)
	before := eval[int](b, `document.querySelectorAll("main .row").length`)
	eval[bool](b, `(() => { const line = document.getElementById("device"); line.style.height = "300px"; line.hidden = false; return true })()`)
	b.until(5*time.Second, fmt.Sprintf(`document.querySelectorAll("main .row").length && document.querySelectorAll("main .row").length < %d && %s`, before, fits))
	for range 3 {
		apart := eval[[]string](b, `[...document.querySelectorAll(".tile")].filter((e) => {
			const [icon, name, count] = [...e.children].map((c) => c.getBoundingClientRect());
			return count.top - name.bottom > 4 || name.top < e.getBoundingClientRect().top || Math.abs((name.top + count.bottom) / 2 - (icon.top + icon.bottom) / 2) > 8;
		}).map((e) => e.innerText)`)
		if len(apart) > 0 {
			t.Errorf("the tiles %q fall apart in size %q", apart, eval[string](b, `document.getElementById("size").innerText`))
		}
		b.tap("button", "字号")
		b.ready()
	}
}
