package handlers_test

import (
	"bytes"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/speech"
)

// TestIVR10Tokens restarts a call whose state is none of ours.
func TestIVR10Tokens(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	good := p.press("1", "1", "2")
	flip := func(i int) string {
		b := []byte(good.State)
		b[i] ^= 1
		return string(b)
	}
	for name, state := range map[string]string{
		"its node changed": strings.Replace(good.State, ".list.", ".detail.", 1), "its MAC changed": flip(len(good.State) - 1), "cut": good.State[:20],
		"another version": "2" + good.State[1:], "noise": "....", "very long": strings.Repeat("a.", 5000), "not ours": "eyJhbGciOiJub25lIn0.e30.",
		"an unknown key": strings.Replace(good.State, good.State[2:8], "ffffff", 1), "hanzi": "状态",
	} {
		q := &phone{t: t, w: w, call: p.call}
		q.last.State = state
		if got := q.press("1"); got.Action != "collect" || got.node() != "greet" {
			t.Errorf("%s: %s", name, got.raw)
		}
	}
	other := &phone{t: t, w: w, call: "another"}
	other.last = good
	if got := other.press("1"); got.node() != "greet" {
		t.Errorf("the state of another call: %s", got.raw)
	}
	p.last = good
	if got := p.press("1"); got.node() != "detail" {
		t.Errorf("a state once used: %s", got.raw)
	}
	w.advance(31 * time.Minute)
	p.last = good
	if got := p.press("2"); got.node() != "greet" {
		t.Errorf("a state of half an hour ago: %s", got.raw)
	}
	if got := p.press("0"); got.Action != "transfer" {
		t.Errorf("0 with any state: %s", got.raw)
	}
}

// TestIVR10KeyRotation takes states signed with the key before.
func TestIVR10KeyRotation(t *testing.T) {
	old, fresh := []byte("the key of last month"), []byte("the key of this month")
	before := hotlineWorld(t, func(c *handlers.Config) { c.Hotline.Keys = [][]byte{old} })
	after := hotlineWorld(t, func(c *handlers.Config) { c.Hotline.Keys = [][]byte{fresh, old} })
	p := before.dial(t)
	p.press("1")
	p.w = after
	if got := p.press("4"); got.node() != "consult" {
		t.Errorf("a state of the old key: %s", got.raw)
	}
	p.w = before
	if got := p.press("1"); got.node() != "greet" {
		t.Errorf("a state of a key not known yet: %s", got.raw)
	}
	if _, err := handlers.New(handlers.Config{Now: time.Now, Hotline: handlers.HotlineConfig{Keys: [][]byte{[]byte("short")}}}); err == nil {
		t.Error("a key of five bytes is taken")
	}
}

// TestIVR11Retries answers a repeated request alike, and counts it once.
func TestIVR11Retries(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	detail := p.press("1", "1", "2", "1")
	first := p.press("8")
	for range 3 {
		w.advance(10 * time.Second)
		p.last = detail
		if again := p.press("8"); !bytes.Equal(again.raw, first.raw) {
			t.Errorf("a retry says\n%s\nnot\n%s", again.raw, first.raw)
		}
	}
	if n := w.metric(t, "gongkai_ivr_handoffs_total"); n != 1 {
		t.Errorf("one code given is counted %v times", n)
	}
	q := &phone{t: t, w: w, call: "retry"}
	one := q.send(url.Values{"event": {"start"}})
	q.last = heard{}
	if two := q.send(url.Values{"event": {"start"}}); !bytes.Equal(one.raw, two.raw) {
		t.Errorf("a repeated start says\n%s\nnot\n%s", two.raw, one.raw)
	}
}

// TestIVR11WithdrawnMeanwhile repeats a list as it was, save for what may no
// longer be said, and counts the turn once.
func TestIVR11WithdrawnMeanwhile(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	sectors := p.press("1", "1")
	list := p.press("2")
	before := w.metric(t, "gongkai_ivr_turns_total")
	w.publish(t, w.draft(t, tender, "刚刚发布的公告"))
	p.last = sectors
	if got := p.press("2"); !bytes.Equal(got.raw, list.raw) {
		t.Errorf("after a publication a retry says\n%s\nnot\n%s", got.raw, list.raw)
	}
	p.last = list
	first := p.press("1")
	w.step(t, "reviewer", first.Handoff.Code, "withdraw", object{"reason": "重复发布"})
	p.last = list
	p.press("1")
	p.hears("这条公告已撤回")
	p.last = sectors
	got := p.press("2")
	if strings.Contains(got.Prompt, list.Options[0].Label) || !strings.HasPrefix(got.Prompt, "已撤回的公告，请按一") || got.State != list.State {
		t.Errorf("after a withdrawal a retry says\n%s\nnot that of\n%s", got.raw, list.raw)
	}
	if again := p.press("2"); again.Prompt == "" || again.node() != "detail" {
		t.Errorf("2 opens %s", again.raw)
	}
	if n := w.metric(t, "gongkai_ivr_turns_total") - before; n != 2 {
		t.Errorf("two turns and three retries are counted %v times", n)
	}
	w.advance(time.Minute)
	p.last = sectors
	p.press("2")
	p.hears("刚刚发布的公告，请按一")
	if n := w.metric(t, "gongkai_ivr_turns_total") - before; n != 3 {
		t.Errorf("a minute later it is a new request, counted %v times", n)
	}
}

// TestIVR06Stages tells a day of another year with its year, and of a deadline
// when on its day it is.
func TestIVR06Stages(t *testing.T) {
	w := hotlineWorld(t)
	due, err := time.Parse(time.RFC3339, w.get(t, "/api/v1/projects/E3209020001000011").text("next_deadline"))
	if err != nil {
		t.Fatal(err)
	}
	layout := "1月2日"
	if due.Year() != w.Now().Year() {
		layout = "2006年1月2日"
	}
	if due.Hour() != 23 {
		layout += " 15:04"
	}
	p := w.dial(t)
	p.press("1", "2", "1000011")
	p.hears("下一个时限是" + speech.Text(due.Format(layout)) + "。")
	published := w.Now()
	w.advance(365 * 24 * time.Hour)
	p = w.dial(t)
	p.press("1", "2", "1000011")
	p.hears("最新进展是" + speech.Text(published.Format("2006年1月2日")) + "的")
}

// TestIVR12NextPage begins the next page behind what was heard, whichever of it
// was withdrawn since.
func TestIVR12NextPage(t *testing.T) {
	for withdrawn := range 4 {
		w := hotlineWorld(t)
		p := w.dial(t)
		list := p.press("1", "1", "2")
		next := p.press("#")
		for i := range withdrawn {
			p.last = list
			code := p.press(strconv.Itoa(3 - i)).Handoff.Code
			w.step(t, "reviewer", code, "withdraw", object{"reason": "重复发布"})
		}
		w.advance(time.Minute)
		p.last = list
		if got := p.press("#"); got.Options[0] != next.Options[0] {
			t.Errorf("with the last %d withdrawn the next page begins with %s, want %s", withdrawn, got.Options[0].Label, next.Options[0].Label)
		}
	}
}

// TestIVR12Pinned opens what was heard, whatever is published or withdrawn
// meanwhile.
func TestIVR12Pinned(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	list := p.press("1", "1", "2")
	w.publish(t, w.draft(t, tender, "刚刚发布的公告"))
	if got := p.press("1"); !strings.Contains(got.Prompt, "盐东镇道路改造工程") {
		t.Errorf("1 opens %s", got.Prompt)
	}
	if got := p.press("*"); got.Prompt != list.Prompt {
		t.Errorf("the list heard before was\n%s\nand is\n%s", list.Prompt, got.Prompt)
	}
	next := p.press("#")
	if strings.Contains(next.Prompt, list.Options[2].Label) {
		t.Errorf("the next page repeats the last notice heard: %s", next.Prompt)
	}
	p.last = list
	detail := p.press("2")
	w.step(t, "reviewer", detail.Handoff.Code, "withdraw", object{"reason": "重复发布"})
	p.last = list
	p.press("2")
	p.hears("这条公告已撤回")
	if p.last.node() != "list" {
		t.Errorf("after a withdrawn notice: %s", p.last.node())
	}
	p.hears("已撤回的公告，请按二")
	p.last = detail
	p.press("9")
	p.hears("这条公告已撤回")
	p.last = detail
	p.press("8")
	p.hears("这条公告已撤回")
}
