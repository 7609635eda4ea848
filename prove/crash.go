package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Variables of the program built with the tag crashpoints.
const (
	envCrash = "GONGKAI_TEST_CRASH"     // where to die
	envTrace = "GONGKAI_TEST_CRASH_LOG" // where to note the points passed
)

// workday is what staff and followers do in one go at one server, each step of
// which may be the last of the process.
type workday struct {
	*town
	l        *lab
	page     map[string]int // what was acknowledged: the status of each public page
	codes    []string       // of notices that everybody is to have a card of
	backup   string
	restored string
}

// restart begins the server again, without its crash point.
func (w *workday) restart(ctx context.Context) error {
	w.server.kill()
	w.server.env = nil
	if err := w.server.begin(ctx); err != nil {
		return err
	}
	return w.server.waitReady(ctx)
}

// live takes the steps until one fails.
func (w *workday) live(ctx context.Context, env []string) error {
	kept, err := w.office.publishTender(ctx, w.server)
	if err != nil {
		return err
	}
	w.page[kept.code] = http.StatusOK
	w.codes = append(w.codes, kept.code)
	if _, err := w.office.settled(ctx, w.server, 20*time.Second); err != nil {
		return err
	}
	if err := w.office.correct(ctx, w.server, kept.id, "更正后的招标公告"); err != nil {
		return err
	}
	file, err := w.office.upload(ctx, w.server, "%PDF-1.4\n附件\n%%EOF\n")
	if err != nil {
		return err
	}
	draft := w.office.draft(tender, "将被清除的招标公告")
	draft["attachments"] = []string{file}
	gone, err := w.office.publish(ctx, w.server, draft)
	if err != nil {
		return err
	}
	w.page[gone.code] = 0 // a withdrawal that is not acknowledged may have happened
	if err := w.office.withdraw(ctx, w.server, gone.id, true); err != nil {
		return err
	}
	w.page[gone.code] = http.StatusGone
	if _, err := w.l.exec(ctx, w.dir, env, w.l.crashing, "backup", "create", w.backup, "--data", w.dir); err != nil {
		return err
	}
	if _, err := w.l.exec(ctx, w.dir, env, w.l.crashing, "backup", "restore", w.backup, "--data", w.restored); err != nil {
		return err
	}
	_, err = w.office.settled(ctx, w.server, 20*time.Second)
	return err
}

// check looks for what must hold, whatever happened: what was acknowledged is
// there, the audit chain whole, nobody has two cards of a revision and everybody
// one, and no half of a backup or a restoration passes for a whole.
func (w *workday) check(ctx context.Context) error {
	for code, want := range w.page {
		if a := (load{}).get(http.DefaultClient, w.server, "/api/v1/notices/"+code); want != 0 && a.status != want {
			return fmt.Errorf("the page of %s is %d, want %d", code, a.status, want)
		}
	}
	if _, err := w.l.cli(ctx, "audit", "verify", "--data", w.dir); err != nil {
		return err
	}
	if len(w.codes) > 0 {
		if _, err := w.office.settled(ctx, w.server, 2*time.Minute); err != nil {
			return err
		}
	}
	list, err := w.cards(ctx, "template")
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(c card) bool { return c.URL == nil || !strings.HasPrefix(*c.URL, w.server.url) })
	people := map[string]bool{}
	for _, c := range list {
		for _, code := range w.codes {
			if c.about(code) {
				people[c.Person+code] = true
			}
		}
	}
	if twice := shownTwice(list); twice != "" {
		return fmt.Errorf("twice the card %s", twice)
	}
	if len(people) != crashPeople*len(w.codes) {
		return fmt.Errorf("%d people have the card of %d notices, want %d each", len(people), len(w.codes), crashPeople)
	}
	for file, verify := range map[string][]string{w.backup + ".sha256": {"backup", "verify", w.backup}, filepath.Join(w.restored, "gongkai.db"): {"push", "status", "--json", "--data", w.restored}} {
		if _, err := os.Stat(file); err != nil {
			continue
		}
		out, err := w.l.cli(ctx, verify...)
		if err != nil {
			return err
		}
		if verify[0] == "push" && !strings.Contains(string(out), "global") {
			return fmt.Errorf("a restored database would send: %s", out)
		}
	}
	return nil
}

// shownTwice names a card that somebody has twice: with one title of one notice. Its
// link does not tell, as each card has its own.
func shownTwice(list []card) string {
	got := map[string]bool{}
	for _, c := range list {
		link := linked.FindStringSubmatch(*c.URL)
		if link == nil {
			continue
		}
		card := strings.Join([]string{c.Person, link[1], c.Data["thing1"].Value}, " ")
		if got[card] {
			return card
		}
		got[card] = true
	}
	return ""
}

const crashPeople = 3

// crashDay lives one working day on a copy of a town; env is for the crashing
// program. It returns whether the process died before the day was over.
func (l *lab) crashDay(ctx context.Context, env []string) (died bool, err error) {
	t, err := l.townOf(ctx, crashPeople, true, l.crashing, env)
	if err != nil {
		return false, err
	}
	died = t.server.env == nil
	w := &workday{town: t, l: l, page: map[string]int{}, backup: t.dir + "-backup.db", restored: t.dir + "-restored"}
	if died {
		env = nil
	}
	lived := w.live(ctx, env)
	if lived == nil {
		t.server.quit()
		return died, w.checkAfter(ctx)
	}
	if died {
		return true, fmt.Errorf("the day after a death at the start: %w", lived)
	}
	if err := w.restart(ctx); err != nil {
		return true, fmt.Errorf("after %w: %w", lived, err)
	}
	return true, w.check(ctx)
}

// checkAfter checks at the end of a day without a death.
func (w *workday) checkAfter(ctx context.Context) error {
	if err := w.restart(ctx); err != nil {
		return err
	}
	return w.check(ctx)
}

// crashedAtEveryPoint notes which points a working day passes and dies at each.
func crashedAtEveryPoint(ctx context.Context, l *lab) (outcome, error) {
	if l.crashing == "" {
		return outcome{}, impossible{"-crashing must name the program built with the tag crashpoints; make prove does"}
	}
	trace := filepath.Join(l.dir, "points")
	if died, err := l.crashDay(ctx, []string{envTrace + "=" + trace}); err != nil || died {
		return outcome{}, fmt.Errorf("the day without a death: died %v: %w", died, err)
	}
	l.stopAll()
	b, err := os.ReadFile(trace)
	if err != nil {
		return outcome{}, err
	}
	points := strings.Split(strings.TrimSpace(string(b)), "\n")
	slices.Sort(points)
	points = slices.Compact(points)
	var mu sync.Mutex
	var wrong []string
	deaths := 0
	l.parallel(12, len(points), func(i int) {
		if ctx.Err() != nil {
			return
		}
		died, err := l.crashDay(ctx, []string{envCrash + "=" + points[i]})
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s: %v", points[i], err))
		}
		if died {
			deaths++
		}
	})
	figure := fmt.Sprintf("%d points, %d deaths; broken afterwards: %s", len(points), deaths, listed(wrong))
	return outcome{figure: figure, mark: "nothing broken; ≥ 30 points", passed: len(wrong) == 0 && deaths >= len(points)*9/10 && len(points) >= 30}, ctx.Err()
}
