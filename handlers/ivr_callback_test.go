package handlers_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

const staffCallbacks = "/api/v1/staff/callbacks"

// toCallback are the keys from the greeting to where a number is typed.
var toCallback = []string{"1", "4", "4"}

// leave has a new call leave a number.
func (w *world) leave(t *testing.T, number string) *phone {
	t.Helper()
	p := w.dial(t)
	p.press(append(toCallback, number+"#", "1")...)
	if p.last.node() != "noted" {
		t.Fatalf("%s is not noted: %s", disclosure.PhoneNumber(number), p.last.Prompt)
	}
	return p
}

// TestCallbackConversation leaves a number: it is read back digit by digit, can
// be typed anew and dropped, and is promised a call.
func TestCallbackConversation(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	p.press("1", "4")
	p.hears("留号回电，请按四")
	p.press("4")
	p.hears("以井号键结束")
	p.press(dialled + "#")
	p.hears("您按的号码是，幺三八，幺二三四，五六七八。正确，请按一；重新输入，请按二；取消，请按三")
	if got := p.press("2"); got.node() != "callback" {
		t.Errorf("2 leads to %s", got.node())
	}
	p.press("051588880001#")
	p.hears("零五幺五，八八八八，零零零幺")
	p.press("3")
	p.hears("已经取消")
	if p.last.node() != "consult" {
		t.Errorf("a cancelled entry leads to %s", p.last.node())
	}
	if n := w.call(t, "GET", staffCallbacks, opts{as: "admin"}).number("total"); n != 0 {
		t.Fatalf("%d requests before one was confirmed", n)
	}
	p.press("4", "02588880001", "1")
	p.hears("号码已经记下，工作人员将在明天九点前回电") // always open: within a day
	if got := p.press("*"); got.node() != "root" {
		t.Errorf("* leads to %s", got.node())
	}
	r := w.call(t, "GET", staffCallbacks+"?status=open", opts{as: "auditor"})
	if r.number("total") != 1 || r.text("items.0.number") != "025****0001" || r.text("items.0.due_at") != "2026-11-24T09:00:00+08:00" ||
		r.text("items.0.sector") != "" || r.text("items.0.status") != "open" || r.at("items.0.overdue") != false {
		t.Errorf("the request is listed as %s", r.body)
	}
	if n := w.metric(t, "gongkai_ivr_callbacks_total"); n != 1 {
		t.Errorf("one request is counted %v times", n)
	}
}

// TestCallbackNumbers types what is a number, and what is none: it is refused in
// words, and the third leads to a person.
func TestCallbackNumbers(t *testing.T) {
	w := hotlineWorld(t)
	for digits, hears := range map[string]string{
		"13812345678": "", "19912345678#": "", "01088880001": "", "02188880001": "", "05158888001": "", "051588880001": "", "99*13812345678": "",
		"": "没有收到号码", "#": "没有收到号码", "13812345678*": "已经清除", "12345": "手机号码是十一位", "1381234567": "手机号码是十一位",
		"138123456789": "手机号码是十一位", "12012345678": "没有这样的手机号码", "88880001": "请先按区号", "01234567": "固定电话是区号加七位或者八位号码",
		"013812345678": "固定电话是区号加七位或者八位号码", "02088": "固定电话是区号", "0515888800011": "固定电话是区号", "8613812345678": "请先按区号",
		"138x1234567": "只能由数字组成", "abc": "只能由数字组成", "十一位": "只能由数字组成", "１３８１２３４５６７８": "",
		strings.Repeat("1", 1024): "手机号码是十一位", strings.Repeat("0", 5000): "固定电话是区号", "<&>\"'": "只能由数字组成",
	} {
		p := w.dial(t)
		got := p.press(append(toCallback, digits)...)
		want := "callback"
		if hears == "" {
			want, hears = "confirm", "您按的号码是"
		}
		if got.node() != want || !strings.Contains(got.Prompt, hears) {
			t.Errorf("%.20q leads to %s: %s, want %s: %s", digits, got.node(), got.Prompt, want, hears)
		}
	}
	p := w.dial(t)
	if got := p.press(append(toCallback, "12345", "#", "88880001")...); got.Action != "transfer" {
		t.Errorf("the third number that is none: %s", got.raw)
	}
	if r := w.call(t, "GET", staffCallbacks, opts{as: "admin"}); r.number("total") != 0 {
		t.Errorf("something was kept: %s", r.body)
	}
}

// TestCallbackOnce keeps one request of a turn however often it is repeated, and
// one of a number that is left again.
func TestCallbackOnce(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	confirm := p.press(append(toCallback, dialled)...)
	first := p.press("1")
	for _, later := range []time.Duration{0, time.Second, 2 * time.Minute} { // a retry, and a replay after it
		w.advance(later)
		p.last = confirm
		if again := p.press("1"); again.Prompt != first.Prompt || again.node() != "noted" {
			t.Errorf("the turn repeated says %s, not %s", again.Prompt, first.Prompt)
		}
	}
	w.advance(time.Hour)
	p = w.dial(t)
	p.press("1", "1", "2", "1", "*", "*", "*", "4", "4", dialled, "1")
	r := w.call(t, "GET", staffCallbacks, opts{as: "admin"})
	if r.number("total") != 1 || p.last.Prompt != first.Prompt {
		t.Errorf("the same number from another call: %s\n%s", p.last.Prompt, r.body)
	}
	if r.text("items.0.sector") != "construction" || r.text("items.0.notice_code") == "" {
		t.Errorf("the request is not about what was asked last: %s", r.body)
	}
	other := &phone{t: t, w: w, call: "another"}
	other.last = confirm
	if got := other.press("1"); got.node() != "greet" {
		t.Errorf("the state of another call: %s", got.raw)
	}
	w.advance(48 * time.Hour)
	p = w.leave(t, dialled)
	p.hears("将在明天十点前回电") // not by when it was promised, which is over
	if r := w.call(t, "GET", staffCallbacks, opts{as: "admin"}); r.number("total") != 1 || r.at("items.0.overdue") != true {
		t.Errorf("an overdue request asked for again: %s", r.body)
	}
	// Done, a number may be left anew; the turn that asked before is no new request.
	w.call(t, "POST", staffCallbacks+"/"+r.text("items.0.id")+"/done", opts{as: "editor", body: object{"outcome": "reached"}})
	w.leave(t, dialled)
	if n := w.call(t, "GET", staffCallbacks+"?status=open", opts{as: "admin"}).number("total"); n != 1 {
		t.Errorf("%d open requests after one is done and one is new", n)
	}
}

// TestCallbackSubject keeps what the caller had been listening to.
func TestCallbackSubject(t *testing.T) {
	w := hotlineWorld(t)
	code := w.get(t, "/api/v1/notices?type="+housing).text("items.0.code")
	for i, tt := range []struct {
		keys                  []string
		sector, notice, title string
	}{
		{nil, "", "", ""},
		{[]string{"1", "3", "*", "*"}, "procurement", "", ""},
		{[]string{"3", "1", "*", "*"}, "housing", code, "2026年第一批公共租赁住房分配结果公示"},
		{[]string{"3", "1", "*", "*", "1", "3", "*", "*"}, "procurement", "", ""},
		{[]string{"2", code, "*", "*", "1", "*"}, "housing", code, "2026年第一批公共租赁住房分配结果公示"},
	} {
		p := w.dial(t)
		p.press("1")
		p.press(tt.keys...)
		if p.last.node() != "root" {
			t.Fatalf("%v leads to %s", tt.keys, p.last.node())
		}
		p.press("4", "4", fmt.Sprintf("1390000000%d", i), "1")
		r := w.call(t, "GET", staffCallbacks+"?limit=1", opts{as: "admin"})
		if r.text("items.0.sector") != tt.sector || r.text("items.0.notice_code") != tt.notice || r.text("items.0.notice_title") != tt.title ||
			(tt.sector == "") != (r.text("items.0.sector_name") == "") {
			t.Errorf("%v: %s", tt.keys, r.body)
		}
	}
	w.step(t, "reviewer", code, "withdraw", object{"reason": "重复"})
	if r := w.call(t, "GET", staffCallbacks+"?limit=1", opts{as: "admin"}); r.text("items.0.notice_code") != code || r.text("items.0.notice_title") != "" {
		t.Errorf("a withdrawn notice: %s", r.body)
	}
}

// TestCallbackHours promises a call by the end of office hours of a working day,
// and offers one where a department is asked for that is closed.
func TestCallbackHours(t *testing.T) {
	morning, _ := handlers.ParseHourSpan("09:00-12:00")
	afternoon, _ := handlers.ParseHourSpan("14:00-17:30")
	w := hotlineWorld(t, func(c *handlers.Config) {
		c.Hotline.OfficeHours = []handlers.HourSpan{afternoon, morning}
		c.Hotline.Operator, c.Hotline.AfterHours = "051588880001", "051512345"
	})
	for i, tt := range []struct{ at, says, due string }{
		{"2026-11-23T09:00:00+08:00", "今天十七点三十分前", "2026-11-23T17:30:00+08:00"},
		{"2026-11-23T16:30:00+08:00", "今天十七点三十分前", "2026-11-23T17:30:00+08:00"},
		{"2026-11-23T16:31:00+08:00", "明天十七点三十分前", "2026-11-24T17:30:00+08:00"},
		{"2026-11-27T20:00:00+08:00", "十一月三十日，星期一，十七点三十分前", "2026-11-30T17:30:00+08:00"},
		{"2026-09-30T23:00:00+08:00", "十月八日，星期四，十七点三十分前", "2026-10-08T17:30:00+08:00"},
		{"2026-10-10T03:00:00+08:00", "今天十七点三十分前", "2026-10-10T17:30:00+08:00"}, // a Saturday that is worked
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		w.advance(at.Sub(w.Now()))
		p := w.leave(t, fmt.Sprintf("1370000000%d", i))
		p.hears("工作人员将在" + tt.says + "回电")
		if r := w.call(t, "GET", staffCallbacks+"?limit=1", opts{as: "admin"}); r.text("items.0.due_at") != tt.due {
			t.Errorf("%s: %s", tt.at, r.body)
		}
	}
	p := w.dial(t) // before dawn
	p.press("1", "4", "3", "2")
	p.hears("现在是非工作时间，可以留下号码，等候回电；转接零五幺五，幺二三四五，请按零")
	if p.last.node() != "callback" {
		t.Errorf("a department that is closed: %s", p.last.raw)
	}
	closed := p.last
	if got := p.press("0"); got.Action != "transfer" || got.Transfer.Number != "051512345" {
		t.Errorf("0 answers %s", got.raw)
	}
	p.last = closed
	p.press(dialled, "1")
	if r := w.call(t, "GET", staffCallbacks+"?limit=1", opts{as: "admin"}); r.text("items.0.sector") != "construction" {
		t.Errorf("the department's sector is lost: %s", r.body)
	}
}

// faultyCallbacks fails as it is told to, and counts what it is asked.
type faultyCallbacks struct {
	handlers.CallbackDesk
	handlers.CallbackTaker
	*shaky
	full bool
}

// RequestCallback implements handlers.CallbackTaker.
func (f *faultyCallbacks) RequestCallback(ctx context.Context, ask disclosure.CallbackAsk) (disclosure.CallbackRequest, error) {
	if f.full {
		return disclosure.CallbackRequest{}, disclosure.Errorf(disclosure.CodeCallbackFull, "等待回电的请求已满")
	}
	if err := f.fault(); err != nil {
		return disclosure.CallbackRequest{}, fmt.Errorf("%w: %v", err, ask)
	}
	return f.CallbackTaker.RequestCallback(ctx, ask)
}

// TestCallbackNotKept promises nothing that was not kept: with the store down,
// hanging or in a panic, and with the quota of a caller or of all reached, a
// person answers. The turn tried again keeps the request once.
func TestCallbackNotKept(t *testing.T) {
	f := &faultyCallbacks{shaky: &shaky{over: make(chan struct{})}}
	w := hotlineWorld(t, func(c *handlers.Config) { f.CallbackDesk, f.CallbackTaker, c.Callbacks = c.Callbacks, c.Callbacks, f })
	w.mayFail = true
	t.Cleanup(func() { close(f.over) })
	p := w.dial(t)
	confirm := p.press(append(toCallback, dialled)...)
	refused := func(what, says string) {
		t.Helper()
		if got := p.press("1"); got.Action != "transfer" || !strings.Contains(got.Prompt, says) || strings.Contains(got.Prompt, "记下") {
			t.Errorf("%s: %s", what, got.raw)
		}
		p.last = confirm
		if n := w.call(t, "GET", staffCallbacks, opts{as: "admin"}).number("total"); n != 0 {
			t.Errorf("%s: %d requests are kept", what, n)
		}
	}
	for _, mode := range []int32{fails, hangs, panics} {
		f.mode.Store(mode)
		refused(fmt.Sprint("mode ", mode), "系统繁忙，正在为您转接人工")
	}
	f.mode.Store(works)
	f.full = true
	refused("full", "现在不能登记回电。正在为您转接人工")
	f.full = false
	refused("full, in the minute in which it is a retry", "现在不能登记回电")
	w.advance(time.Minute)
	if got := p.press("1"); got.node() != "noted" {
		t.Errorf("tried again: %s", got.raw)
	}
	if n := w.call(t, "GET", staffCallbacks, opts{as: "admin"}).number("total"); n != 1 {
		t.Errorf("%d requests are kept, want 1", n)
	}
	for i := range 4 {
		p := w.dial(t)
		p.from = "13900001111"
		got := p.press(append(toCallback, fmt.Sprintf("1360000000%d", i), "1")...)
		if (got.Action == "transfer") != (i == 3) {
			t.Errorf("number %d of one caller: %s", i+1, got.raw)
		}
	}
	for what, text := range map[string]string{"log": w.logs.String(), "metrics": w.metricsText(t)} {
		if strings.Contains(text, dialled[3:7]) {
			t.Errorf("the %s holds a number", what)
		}
	}
}

// TestCallbackUnread leaves a number in every format and finds it nowhere but in
// the answer that reads it back – of httapi, in the sound it plays – and in the one that reveals it.
func TestCallbackUnread(t *testing.T) {
	dir := t.TempDir()
	w := hotlineWorld(t, withVoice(&tone{rate: 8000}, dir))
	w.mayFail = true
	spoken := "幺三八，幺二三四，五六七八"
	for _, format := range []string{"json", "flat", "httapi", "vxml"} {
		p := &phone{t: t, w: w, call: "call " + format}
		p.send(url.Values{})
		p.press(toCallback...)
		state := p.last.State
		for _, digits := range []string{dialled + "#", "9", "1"} {
			q := url.Values{"call_id": {p.call}, "state": {state}, "digits": {digits}, "format": {format}}
			body := w.call(t, "POST", turnPath, opts{as: "ivr", want: 200, body: q.Encode(), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).body
			if bytes.Contains(body, []byte(dialled[3:])) || bytes.Contains(body, []byte(spoken)) != (digits != "1" && format != "httapi") {
				t.Errorf("%s, %s: %s", format, disclosure.PhoneNumber(digits), body)
			}
			state = string(variable.Find(body))
			if state == "" || strings.Contains(state, dialled[3:7]) {
				t.Fatalf("%s: no state, or one with the number: %s", format, body)
			}
		}
	}
	r := w.call(t, "GET", staffCallbacks, opts{as: "editor"})
	w.call(t, "POST", staffCallbacks+"/"+r.text("items.0.id")+"/reveal", opts{as: "editor"})
	audit := w.call(t, "GET", "/api/v1/staff/audit", opts{as: "admin"})
	for what, text := range map[string]string{"log": w.logs.String(), "metrics": w.metricsText(t), "list": string(r.body), "audit trail": string(audit.body)} {
		if strings.Contains(text, dialled[3:]) {
			t.Errorf("the %s holds the number", what)
		}
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(spoken)) {
			t.Errorf("%s says the number", d.Name())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestCallbackConfigured does not offer what is switched off, says its own words
// and reads the numbers of the key before.
func TestCallbackConfigured(t *testing.T) {
	off := hotlineWorld(t, func(c *handlers.Config) { c.Hotline.NoCallbacks = true })
	p := off.dial(t)
	if got := p.press("1", "4"); len(got.Options) != 3 || strings.Contains(got.Prompt, "回电") {
		t.Errorf("switched off, the menu is %s", got.Prompt)
	}
	p.press("4")
	p.hears("按键无效")

	old, fresh := []byte("the key of last month"), []byte("the key of this month")
	before := hotlineWorld(t, func(c *handlers.Config) { c.Hotline.Keys = [][]byte{old} })
	after := hotlineWorld(t, func(c *handlers.Config) {
		c.Hotline.Keys, c.Hotline.Wording.Callback = [][]byte{fresh, old}, "好的，{when}前联系您。"
	})
	p = before.dial(t)
	p.press(append(toCallback, dialled)...)
	p.w = after
	p.press("1")
	p.hears("好的，明天九点前联系您。")
	p = before.dial(t)
	p.press(append(toCallback, dialled)...)
	p.w = after
	p.press("9")
	p.w = hotlineWorld(t, func(c *handlers.Config) { c.Hotline.Keys = [][]byte{fresh} })
	if got := p.press("9"); got.node() != "callback" || got.Input.Max != "20" {
		t.Errorf("a number whose key was dropped: %s", got.raw)
	}
	for _, bad := range []handlers.Wording{{Callback: "{who}"}, {Callback: "…"}, {Greeting: "{when}"}} {
		if (handlers.HotlineConfig{Wording: bad}).Check() == nil {
			t.Errorf("%v is taken for words", bad)
		}
	}
}

// TestCallbackDesk is the work of staff: masked lists, numbers shown to who may
// call them and to the audit trail, outcomes, pages, bodies.
func TestCallbackDesk(t *testing.T) {
	w := hotlineWorld(t)
	for i := range 5 {
		w.leave(t, fmt.Sprintf("1350000000%d", i))
		w.advance(time.Minute)
	}
	open := w.call(t, "GET", staffCallbacks+"?status=open&limit=2", opts{as: "reviewer"})
	if open.text("items.0.number") != "135****0000" || open.number("total") != 5 {
		t.Errorf("the oldest comes first: %s", open.body)
	}
	next := w.call(t, "GET", staffCallbacks+"?status=open&limit=2&cursor="+open.text("next"), opts{as: "reviewer"})
	last := w.call(t, "GET", staffCallbacks+"?status=open&limit=2&cursor="+next.text("next"), opts{as: "reviewer"})
	if next.text("items.0.number") != "135****0002" || last.len("items") != 1 || last.text("next") != "" {
		t.Errorf("the pages are\n%s\n%s", next.body, last.body)
	}
	if r := w.call(t, "GET", staffCallbacks+"?limit=5", opts{as: "editor"}); r.text("items.0.number") != "135****0004" || r.text("next") != "" {
		t.Errorf("the newest comes first: %s", r.body)
	}
	one := staffCallbacks + "/" + open.text("items.0.id")
	for _, bad := range []string{"?status=nope", "?limit=0", "?number=135", "?status=done&cursor=" + open.text("next")} {
		w.call(t, "GET", staffCallbacks+bad, opts{as: "editor", want: 400})
	}
	for body, want := range map[string]int{``: 400, `{"outcome":"sold"}`: 400, `{"outcome":"expired"}`: 400, `{"note":"x"}`: 400, `[`: 400} {
		w.call(t, "POST", one+"/done", opts{as: "editor", body: body, want: want})
	}
	w.call(t, "POST", one+"/reveal", opts{as: "editor", body: `{"why":"x"}`, want: 400})
	for _, who := range []string{"auditor", "ivr"} {
		w.call(t, "POST", one+"/reveal", opts{as: who, want: 403})
	}
	w.call(t, "POST", staffCallbacks+"/nobody/reveal", opts{as: "editor", want: 404})
	w.call(t, "POST", staffCallbacks+"/nobody/done", opts{as: "editor", body: object{"outcome": "reached"}, want: 404})

	if r := w.call(t, "POST", one+"/reveal", opts{as: "editor"}); r.text("number") != "13500000000" || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("revealed: %s %v", r.body, r.header)
	}
	r := w.call(t, "POST", one+"/done", opts{as: "editor2", body: object{"outcome": "no_answer"}})
	if r.text("status") != "done" || r.text("done_by") != "钱录入" || r.text("outcome_name") != "多次未接通" || r.text("number") != "135****0000" {
		t.Errorf("done: %s", r.body)
	}
	if r := w.call(t, "POST", one+"/done", opts{as: "editor", body: object{"outcome": "reached"}, want: 409}); r.text("code") != "callback.state" {
		t.Errorf("done twice: %s", r.body)
	}
	audit := w.call(t, "GET", "/api/v1/staff/audit?id="+open.text("items.0.id"), opts{as: "auditor"})
	if audit.number("total") != 2 || audit.text("items.0.action") != "done" || audit.text("items.0.detail") != "no_answer" ||
		audit.text("items.1.action") != "reveal" || audit.text("items.1.actor") != "李录入" || audit.text("items.1.subject") != "callback" {
		t.Errorf("the audit trail: %s", audit.body)
	}
	w.advance(25 * time.Hour)
	if r := w.call(t, "GET", staffCallbacks+"?status=open", opts{as: "admin"}); r.at("items.0.overdue") != true {
		t.Errorf("a day late: %s", r.body)
	}
	if list := w.metricsText(t); !strings.Contains(list, "gongkai_ivr_callbacks_open 4") || !strings.Contains(list, "gongkai_ivr_callbacks_overdue 4") {
		t.Error("the metrics do not count who waits")
	}
	w.service.CallbackDays = 7
	w.advance(7 * 24 * time.Hour)
	if n, err := w.service.EraseCallbacks(t.Context()); err != nil || n != 1 {
		t.Fatalf("erased %d, %v", n, err)
	}
	if r := w.call(t, "GET", staffCallbacks+"?status=done", opts{as: "admin"}); r.text("items.0.number") != "" || r.text("items.0.erased_at") == "" {
		t.Errorf("erased: %s", r.body)
	}
	if r := w.call(t, "POST", one+"/reveal", opts{as: "editor", want: 410}); r.text("code") != "callback.erased" {
		t.Errorf("an erased number: %s", r.body)
	}
}

// TestCallbackScope shows staff of one body what callers asked about its notices,
// and nothing else.
func TestCallbackScope(t *testing.T) {
	w := hotlineWorld(t)
	w.leave(t, dialled)
	own := w.publish(t, w.draft(t, tender, "住建局的公告", object{"body": "housing-construction-bureau"})).text("code")
	p := w.dial(t)
	p.press("1", "2", own, "*", "*", "4", "4", "13700000001", "1")
	all := w.call(t, "GET", staffCallbacks, opts{as: "editor"})
	mine := w.call(t, "GET", staffCallbacks, opts{as: "housing-editor"})
	if all.number("total") != 2 || mine.number("total") != 1 || mine.text("items.0.notice_code") != own {
		t.Errorf("of two the body sees %s", mine.body)
	}
	for path, want := range map[string]int{all.text("items.0.id"): 200, all.text("items.1.id"): 403} {
		w.call(t, "POST", staffCallbacks+"/"+path+"/reveal", opts{as: "housing-editor", want: want})
		w.call(t, "POST", staffCallbacks+"/"+path+"/done", opts{as: "housing-editor", body: object{"outcome": "reached"}, want: want})
	}
}
