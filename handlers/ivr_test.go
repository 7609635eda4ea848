package handlers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/speech"
)

// The numbers are those of the list of behaviours in issue 4.

// TestIVR01To05And17EveryNode walks to every node; checkTurn holds each answer
// to its size, its strings, its words and its menu.
func TestIVR01To05And17EveryNode(t *testing.T) {
	w := hotlineWorld(t)
	twoProjects(t, w)
	budgets := map[string]int{"greet": 50, "root": 50, "sectors": 60, "dept": 60, "list": 110, "housing": 110, "detail": 130, "handoff": 80, "progress": 50,
		"pick": 120, "stages": 110, "batch": 70, "own": 40, "tail": 50, "result": 140, "consult": 60, "info": 50, "callback": 50, "confirm": 60, "noted": 50}
	for node, keys := range everyNode {
		p := w.dial(t)
		got := p.press(keys...)
		if got.node() != node || got.Action != "collect" {
			t.Errorf("%v leads to %s %s, want %s: %s", keys, got.Action, got.node(), node, got.Prompt)
		}
		if n := speech.Len(got.Prompt); n > budgets[node] {
			t.Errorf("%s: the prompt has %d characters, more than %d: %s", node, n, budgets[node], got.Prompt)
		}
		flat := w.call(t, "GET", turnPath+"?"+url.Values{"call_id": {p.call}, "state": {got.State}, "digits": {"9"}, "format": {"flat"}}.Encode(), opts{as: "ivr", want: 200})
		var fields map[string]string
		if err := json.Unmarshal(flat.body, &fields); err != nil || fields["prompt"] != got.Prompt || len(flat.body) > 4000 {
			t.Errorf("%s: flat = %v %s", node, err, flat.body)
		}
	}
}

// TestIVR04ListItems holds a spoken title to its budget.
func TestIVR04ListItems(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	for _, got := range []heard{p.press("1", "1", "2"), p.press("#"), p.press("#")} {
		for _, o := range got.Options {
			if n := speech.Len(o.Label); n > 24 {
				t.Errorf("a title of %d characters: %s", n, o.Label)
			}
		}
	}
	p.press("3") // the long title, page 3
}

// TestIVR06OperatorRepeatBack presses 0, 9 and * in every node.
func TestIVR06OperatorRepeatBack(t *testing.T) {
	w := hotlineWorld(t)
	twoProjects(t, w)
	parents := map[string]string{"pick": "progress", "greet": "greet", "root": "root", "sectors": "root", "list": "sectors", "detail": "list", "handoff": "detail", "progress": "root",
		"stages": "progress", "housing": "root", "batch": "housing", "own": "batch", "tail": "own", "result": "batch", "consult": "root", "info": "consult", "dept": "consult", "callback": "consult", "confirm": "callback", "noted": "root"}
	for node, parent := range parents {
		p := w.dial(t)
		here := p.press(everyNode[node]...)
		if here.node() != node {
			t.Fatalf("%v leads to %s, want %s", everyNode[node], here.node(), node)
		}
		if again := p.press("9"); !bytes.Equal(again.raw, here.raw) {
			t.Errorf("%s: 9 says\n%s\nnot\n%s", node, again.raw, here.raw)
		}
		if up := p.press("*"); up.node() != parent {
			t.Errorf("%s: * leads to %s, want %s", node, up.node(), parent)
		}
		p.last = here
		if got := p.press("*#"); got.node() != parent { // as FreeSWITCH sends it from an entry
			t.Errorf("%s: *# leads to %s, want %s", node, got.node(), parent)
		}
		p.last = here
		if got := p.press("0"); got.Action != "transfer" || got.Transfer.To != "operator" || got.Transfer.Number != "12345" {
			t.Errorf("%s: 0 answers %s", node, got.raw)
		}
	}
}

// TestIVR06BackByTheSameWay returns from a project to where it was opened, also
// after several of its notices were heard.
func TestIVR06BackByTheSameWay(t *testing.T) {
	w := hotlineWorld(t)
	twoProjects(t, w)
	batch := object{"project": object{"code": "THZF2026-1", "name": "第一批公共租赁住房"}}
	w.publish(t, w.draft(t, "housing.allocation_process", "第一批公共租赁住房分配过程公告", batch))
	for name, tt := range map[string]struct{ way, back []string }{
		"a batch":                        {[]string{"1", "3", "1"}, []string{"3", "*"}},
		"a batch, one notice":            {[]string{"1", "3", "1"}, []string{"3", "1", "*", "*"}},
		"a batch, two notices":           {[]string{"1", "3", "1"}, []string{"3", "1", "*", "2", "*", "*"}},
		"a batch, a code to take along":  {[]string{"1", "3", "1"}, []string{"3", "2", "8", "*", "*", "*"}},
		"a choice":                       {[]string{"1", "2", "3209022"}, []string{"2", "*"}},
		"a choice, a notice":             {[]string{"1", "2", "3209022"}, []string{"2", "1", "*", "*"}},
		"a choice, a notice heard twice": {[]string{"1", "2", "3209022"}, []string{"1", "1", "*", "1", "*", "*"}},
	} {
		p := w.dial(t)
		here := p.press(tt.way...)
		if got := p.press(tt.back...); got.node() != here.node() || got.Prompt != here.Prompt {
			t.Errorf("%s: %v leads to %s: %s, want %s: %s", name, tt.back, got.node(), got.Prompt, here.node(), here.Prompt)
		}
		if got := p.press("1"); got.Action != "collect" || strings.Contains(got.Prompt, "无效") {
			t.Errorf("%s: 1 does nothing there: %s", name, got.Prompt)
		}
	}
}

// TestIVR07Silence leads to a person: at once at the greeting, elsewhere after
// one slower repeat.
func TestIVR07Silence(t *testing.T) {
	w := hotlineWorld(t)
	if got := w.dial(t).press("T"); got.Action != "transfer" {
		t.Errorf("silence at the greeting: %s", got.raw)
	}
	for node, keys := range everyNode {
		if node == "greet" || node == "pick" {
			continue
		}
		p := w.dial(t)
		here := p.press(keys...)
		again := p.press("T")
		if again.Prompt != here.Prompt || again.Action != "collect" || again.Input.Timeout <= here.Input.Timeout && len(again.Input.Timeout) == len(here.Input.Timeout) {
			t.Errorf("%s: the first silence answers %s", node, again.raw)
		}
		if got := p.press("T"); got.Action != "transfer" {
			t.Errorf("%s: the second silence answers %s", node, got.raw)
		}
	}
	p := w.dial(t)
	if got := p.press("1", "T", "1", "T"); got.Action != "collect" {
		t.Errorf("a key between two silences does not count: %s", got.raw)
	}
}

// TestIVR08WrongKeys leads to a person at the third key in a row that makes no
// sense.
func TestIVR08WrongKeys(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	p.press("1", "7")
	p.hears("按键无效")
	p.press("7")
	if got := p.press("7"); got.Action != "transfer" {
		t.Errorf("the third wrong key: %s", got.raw)
	}
	p = w.dial(t)
	if got := p.press("1", "7", "7", "1", "7", "7"); got.Action != "collect" {
		t.Errorf("wrong keys are counted across right ones: %s", got.raw)
	}
}

// TestIVR09Digits are keys no menu knows, in menus and in entries.
func TestIVR09Digits(t *testing.T) {
	w := hotlineWorld(t)
	for _, digits := range []string{"#", "*", "1#", "12", "a", "１", "＃", "x", "##", "**", "1*", strings.Repeat("1", 1024), strings.Repeat("9", 5000), "☎", "1 1", "-1", "王"} {
		for _, keys := range [][]string{{}, {"1"}, {"1", "2"}, {"1", "1", "2"}, {"1", "3", "1", "2"}} {
			p := w.dial(t)
			p.press(keys...)
			if got := p.press(digits); got.Action != "collect" {
				t.Errorf("%v then %.20q: %s", keys, digits, got.raw)
			}
		}
	}
	p := w.dial(t)
	if got := p.press("１"); got.node() != "root" {
		t.Errorf("a full-width 1 leads to %s", got.node())
	}
	p = w.dial(t)
	p.press("1", "1")
	if got := p.send(url.Values{"event": {"timeout"}, "digits": {"*"}}); got.node() != "root" {
		t.Errorf("* that timed out is still *: %s", got.node())
	}
	p = w.dial(t)
	p.press("1", "1")
	if got := p.send(url.Values{"event": {"digits"}, "digits": {""}}); got.node() != "sectors" || !strings.Contains(got.Prompt, "医用耗材") {
		t.Errorf("digits without any are #: %s", got.Prompt)
	}
	p = w.dial(t)
	if got := p.press("1", "2", "12*000777"); got.node() != "stages" {
		t.Errorf("* clears what was typed before it: %s", got.Prompt)
	}
}

// TestIVR13Keypad finds a project by what can be typed of its number.
func TestIVR13Keypad(t *testing.T) {
	w := hotlineWorld(t)
	for i, code := range []string{"QZ-900001", "AB-700001", "AB-700002", "AC-700003", "MN800001-A", "MN800001-B"} {
		w.publish(t, w.draft(t, tender, "工程"+code, object{"project": object{"code": code, "name": "工程" + string("甲乙丙丁戊己"[3*i:3*i+3])}}))
	}
	w.publish(t, w.draft(t, "land.transfer_notice", "挂牌出让公告", object{"project": object{"code": "亭土告〔2024〕5号", "name": "亭土告〔2024〕5号地块"}}))
	for code, investment := range map[string]string{"DF-甲": "777777", "DF-乙": "888888", "DF-丙": "888888"} {
		d := w.draft(t, "construction.approval", "堤防加固"+code, object{"project": object{"code": code, "name": "堤防加固" + code}})
		w.publish(t, change(d, "fields.investment_project_code", "2026-320902-47-01-"+investment))
	}
	w.publish(t, w.draft(t, tender, "工程庚"))
	code := w.get(t, "/api/v1/notices?limit=1").text("items.0.code")
	typo := code[:7] + string('0'+(code[7]-'0'+1)%10)
	withdrawn := w.publish(t, w.draft(t, tender, "将撤回的公告")).text("code")
	w.step(t, "reviewer", withdrawn, "withdraw", object{"reason": "重复"})
	for _, tt := range []struct{ name, typed, node, hears string }{
		{"the end", "000777", "stages", "尾号零七七七"},
		{"all of it, letters on keys", "84972026000777", "stages", "盐东镇道路改造工程"},
		{"all digits with #", "2026000777#", "stages", "盐东镇道路改造工程"},
		{"Q on 7, Z on 9", "79900001", "stages", "工程"},
		{"Q on 1, Z on 1", "11900001", "stages", "工程"},
		{"Q on 7, Z on 1", "71900001", "stages", "工程"},
		{"two fit", "6680000", "pick", "有几个项目符合"},
		{"three fit", "2270000", "pick", "有几个项目符合"},
		{"more than three fit", "332090", "progress", "请多输入几位"},
		{"none fits", "555555", "progress", "没有查到这个编号"},
		{"too short", "777", "progress", "至少输入六位"},
		{"an investment", "20263209024701777777", "stages", "堤防加固"},
		{"an investment of two projects", "20263209024701888888", "pick", "有几个项目符合"},
		{"nobody's investment", "20263209024701999999", "progress", "没有查到这个编号"},
		{"all of a short number", "20245", "stages", "亭土告"},
		{"the end of a short number", "0245", "progress", "至少输入六位"},
		{"the code of a notice", code, "detail", "工程"},
		{"a slip of the finger in it", typo, "progress", "按错了一位"},
		{"a withdrawn notice", withdrawn, "progress", "已撤回"},
		{"letters", "ABCDEF", "progress", "由数字组成"},
		{"cleared", "000777*", "progress", "已经清除"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := w.dial(t)
			got := p.press("1", "2", tt.typed)
			if got.node() != tt.node || !strings.Contains(got.Prompt, tt.hears) {
				t.Errorf("%s leads to %s: %s, want %s and %s", tt.typed, got.node(), got.Prompt, tt.node, tt.hears)
			}
		})
	}
	p := w.dial(t)
	if got := p.press("1", "2", "6680000", "2"); got.node() != "stages" || !strings.Contains(got.Prompt, "工程己") {
		t.Errorf("the second candidate is %s", got.Prompt)
	}
	p = w.dial(t)
	if got := p.press("1", "2", "555555", "555555", "555555"); got.Action != "transfer" {
		t.Errorf("three numbers not found: %s", got.raw)
	}
}

// TestIVR13Follows hears of projects published and withdrawn since.
func TestIVR13Follows(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	p.press("1", "2", "123987")
	p.hears("没有查到")
	n := w.publish(t, w.draft(t, tender, "新的工程", object{"project": object{"code": "N-123987", "name": "新的工程"}}))
	if p.press("123987"); p.last.node() != "stages" {
		t.Errorf("a project published since: %s", p.last.Prompt)
	}
	heardOf := p.last
	w.step(t, "reviewer", n.text("id"), "withdraw", object{"reason": "重复"})
	p.press("9")
	p.hears("没有查到这个项目的公告")
	p = w.dial(t)
	p.press("1", "2", "123987")
	p.hears("没有查到")
	_ = heardOf
}

// TestIVR14OwnResult finds a row for who knows its number and tail, and nothing
// for anybody else.
func TestIVR14OwnResult(t *testing.T) {
	w := hotlineWorld(t)
	at := []string{"1", "3", "1", "2"}
	p := w.dial(t)
	p.press(append(at, "8420260018", "0006")...)
	if p.last.node() != "result" {
		t.Fatalf("the right number and tail: %s", p.last.raw)
	}
	p.hears("王某")
	p.hears("三号楼")
	p.hears("尾号零零幺八")
	if strings.Contains(p.last.Prompt, "小明") || strings.Contains(string(p.last.raw), idNumber[:6]) {
		t.Errorf("more than the public list: %s", p.last.Prompt)
	}
	p = w.dial(t)
	if got := p.press(append(at, "8420260019", "004*")...); got.node() != "result" || !strings.Contains(got.Prompt, "欧阳某") {
		t.Errorf("a tail with X: %s", got.Prompt)
	}
	p = w.dial(t)
	number := p.press(append(at, "8420260099", "0006")...).Prompt
	p = w.dial(t)
	tail := p.press(append(at, "8420260018", "0007")...).Prompt
	if number != tail || !strings.Contains(tail, "没有查到") {
		t.Errorf("a wrong number says %s, a wrong tail %s", number, tail)
	}
	p = w.dial(t)
	p.from = "13800001234"
	p.press(append(at, "8420260018", "0007", "8420260018", "0008")...)
	if got := p.press("8420260018", "0009"); got.Action != "transfer" {
		t.Errorf("the third failure: %s", got.raw)
	}
	q := w.dial(t)
	q.from = p.from
	if got := q.press(at...); got.Action != "transfer" {
		t.Errorf("calling again: %s", got.raw)
	}
	w.advance(31 * time.Minute)
	q = w.dial(t)
	q.from = p.from
	if got := q.press(at...); got.node() != "own" {
		t.Errorf("half an hour later: %s", got.raw)
	}
}

// TestIVR14Corrected says nobody the row of another that a correction has put in
// the place of theirs.
func TestIVR14Corrected(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	own := p.press(everyNode["result"]...)
	p.press("9")
	p.hears("王某")
	found := w.get(t, "/api/v1/notices?type="+housing)
	staff := w.call(t, "GET", "/api/v1/staff/notices/"+found.text("items.0.id"), opts{as: "editor"})
	rows := append([]any{object{"acceptance_no": "TH20260017", "applicant": "赵小刚", "id_number": idNumber, "estate": "示范家园", "building": "1号楼"}},
		staff.at("fields.allocation_results").([]any)...)
	id := w.step(t, "editor", found.text("items.0.id"), "correct", object{"changes": object{"allocation_results": rows}, "reason": "漏列一户"}).text("id")
	w.step(t, "editor", id, "submit", nil)
	w.step(t, "reviewer", id, "publish", nil)
	w.advance(time.Minute)
	for _, p.last = range []heard{own, p.last} {
		if got := p.press("9"); got.node() != "own" || strings.Contains(got.Prompt, "赵") {
			t.Errorf("after the correction: %s", got.Prompt)
		}
		p.hears("名单已更正，请重新查询")
	}
	p.press("8420260018", "0006")
	p.hears("王某")
}

// TestIVR14CallingAgain tries no more ends of a number than the web does, from
// however many calls without a caller's number, and answers a number nobody has
// alike.
func TestIVR14CallingAgain(t *testing.T) {
	w := hotlineWorld(t)
	for _, number := range []string{"8420260018", "8420260099"} {
		tries := 0
		for call := range 10 {
			p := w.dial(t)
			p.press("1", "3", "1", "2")
			for i := range 3 {
				tail := fmt.Sprintf("1%d%d1", call, i)
				if p.press(number, tail); p.last.Action == "transfer" && i < 2 {
					break
				}
				tries++
			}
		}
		if tries != 10 {
			t.Errorf("%d ends of %s were tried", tries, number)
		}
		p := w.dial(t)
		if got := p.press("1", "3", "1", "2", number, "0006"); got.Action != "transfer" {
			t.Errorf("%s and the right end, after too many wrong ones: %s", number, got.Prompt)
		}
	}
	w.call(t, "POST", lookup, opts{body: asked("2026年第一批", "TH20260018", "0006"), want: 429})
	if got := w.dial(t).press("1", "3", "1", "2", "8420260019", "004*"); got.node() != "result" {
		t.Errorf("another number: %s", got.raw)
	}
	w.advance(time.Hour)
	if got := w.dial(t).press(everyNode["result"]...); got.node() != "result" {
		t.Errorf("an hour later: %s", got.raw)
	}
}

// TestIVR15Inputs takes a turn as a form, as JSON, in the query and as the
// thirty fields of FreeSWITCH.
func TestIVR15Inputs(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	root := p.press("1")
	want := p.press("2")
	fields := url.Values{"call_id": {p.call}, "state": {root.State}, "digits": {"2"}}
	asJSON, _ := json.Marshal(map[string]string{"call_id": p.call, "state": root.State, "digits": "2"})
	asNumbers := strings.Replace(string(asJSON), `"digits":"2"`, `"digits":2,"nested":{"a":[1]},"none":null`, 1)
	freeswitch := url.Values{"session_id": {p.call}, "state": {root.State}, "digits": {"2"}, "input_type": {"dtmf"}, "hostname": {"pbx"},
		"Caller-Caller-ID-Number": {"13800001234"}, "Caller-Destination-Number": {"12345"}, "url": {"http://x/"}}
	for i := range 26 {
		freeswitch.Set(fmt.Sprintf("variable_%d", i), "值&<>")
	}
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	for name, o := range map[string]opts{
		"a form": {body: fields.Encode(), header: form}, "a form with a charset": {body: fields.Encode(), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}},
		"JSON": {body: asJSON}, "JSON with a charset": {body: asJSON, header: map[string]string{"Content-Type": "application/json;charset=utf-8"}},
		"multipart": {body: "--b\r\n" + `Content-Disposition: form-data; name="call_id"` + "\r\n\r\n" + p.call + "\r\n--b\r\n" + `Content-Disposition: form-data; name="state"` + "\r\n\r\n" +
			root.State + "\r\n--b\r\n" + `Content-Disposition: form-data; name="digits"` + "\r\n\r\n2\r\n--b--\r\n", header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}},
		"JSON with a BOM": {body: "\ufeff" + string(asJSON)}, "JSON numbers": {body: asNumbers}, "FreeSWITCH": {body: freeswitch.Encode(), header: form},
	} {
		o.as, o.want = "ivr", 200
		if r := w.call(t, "POST", turnPath, o); !bytes.Equal(r.body, want.raw) {
			t.Errorf("%s answers\n%s\nnot\n%s", name, r.body, want.raw)
		}
	}
	if r := w.call(t, "GET", turnPath+"?"+fields.Encode(), opts{as: "ivr", want: 200}); !bytes.Equal(r.body, want.raw) {
		t.Errorf("GET answers %s", r.body)
	}
	for _, body := range []string{"", "--b\r\n", "--b\r\n\r\n--b--", "--c--"} {
		r := w.call(t, "POST", turnPath, opts{as: "ivr", body: body, want: 200, header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}})
		if checkTurn(t, r.body).node() != "greet" {
			t.Errorf("a broken multipart form %q: %s", body, r.body)
		}
	}
	gone := url.Values{"session_id": {p.call}, "exiting": {"true"}, "format": {"httapi"}}
	if r := w.call(t, "POST", turnPath, opts{as: "ivr", body: gone.Encode(), header: form, want: 200}); !strings.Contains(string(r.body), "<work></work>") {
		t.Errorf("after the hang-up: %s", r.body)
	}
	for _, body := range []string{"", "{", "[1,2]", "\x00\xff", "null", strings.Repeat("{", 100_000), "a=%zz&b=%"} {
		p := &phone{t: t, w: w}
		r := w.call(t, "POST", turnPath, opts{as: "ivr", body: body, want: 200})
		if p.last = checkTurn(t, r.body); p.last.node() != "greet" {
			t.Errorf("a broken body %.20q: %s", body, r.body)
		}
	}
}

// TestIVR20Refusals refuses a wrong key, and is polite to who is too fast.
func TestIVR20Refusals(t *testing.T) {
	w := hotlineWorld(t, func(c *handlers.Config) { c.Hotline.TurnRate = 10 })
	for _, auth := range []string{"", "Bearer wrong", "Basic !!", "Basic aXZyOndyb25n", "Digest x", "Bearer " + strings.Repeat("x", 500)} {
		r := w.call(t, "POST", turnPath, opts{want: 401, header: map[string]string{"Authorization": auth}})
		if got := r.header.Values("WWW-Authenticate"); !slices.Equal(got, []string{"Bearer", `Basic realm="gongkai", charset="UTF-8"`}) {
			t.Errorf("%.20s: the challenges are %q", auth, got)
		}
		if r.holds("吊销") && !r.holds("无效") {
			t.Errorf("%.20s: %s", auth, r.body)
		}
	}
	w.call(t, "POST", turnPath, opts{as: "editor", want: 403})
	if r := w.call(t, "POST", "/api/v1/ivr/event", opts{want: 401}); len(r.header.Values("WWW-Authenticate")) != 2 {
		t.Errorf("an event: %v", r.header)
	}
	if r := w.call(t, "GET", "/api/v1/staff/notices", opts{want: 401}); !slices.Equal(r.header.Values("WWW-Authenticate"), []string{"Bearer"}) {
		t.Errorf("Basic is offered to staff: %v", r.header)
	}
	w.call(t, "GET", "/api/v1/ivr/say?text=1", opts{want: 401})
	basic := map[string]string{"Authorization": "Basic " + basicAuth("pbx", w.secrets["ivr"])}
	w.call(t, "POST", turnPath, opts{want: 200, header: basic})
	p := w.dial(t)
	for range 12 {
		p.from = "13800001234"
		p.press("1", "*")
	}
	if got := p.press("1"); got.Action != "transfer" || got.Transfer.To != "operator" {
		t.Errorf("keying without end: %s", got.raw)
	}
	if got := w.dial(t).press("1"); got.Action != "collect" {
		t.Errorf("another caller is limited too: %s", got.raw)
	}
}

// TestIVR21Hours knows working days, those moved, and the hours in between.
func TestIVR21Hours(t *testing.T) {
	morning, _ := handlers.ParseHourSpan("09:00-12:00")
	afternoon, _ := handlers.ParseHourSpan("14:00-17:30")
	w := hotlineWorld(t, func(c *handlers.Config) {
		c.Hotline.OfficeHours = []handlers.HourSpan{morning, afternoon}
		c.Hotline.Operator, c.Hotline.AfterHours = "051588880001", "051512345"
		c.Hotline.Departments = map[string]handlers.Department{"construction": {Name: "区住建局", Number: "051588880002"}}
	})
	now := w.Now()
	for _, tt := range []struct{ at, to string }{
		{"2026-11-23T09:00:00+08:00", "051588880001"}, {"2026-11-23T08:59:59+08:00", "051512345"}, {"2026-11-23T12:00:00+08:00", "051512345"},
		{"2026-11-23T17:29:59+08:00", "051588880001"}, {"2026-11-23T17:30:00+08:00", "051512345"}, {"2026-11-22T10:00:00+08:00", "051512345"},
		{"2026-10-01T10:00:00+08:00", "051512345"}, {"2026-10-10T10:00:00+08:00", "051588880001"}, {"2026-11-24T01:30:00Z", "051588880001"},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		w.advance(at.Sub(w.Now()))
		p := w.dial(t)
		got := p.press("0")
		if got.Action != "transfer" || got.Transfer.Number != tt.to {
			t.Errorf("%s: 0 leads to %s, want %s", tt.at, got.Transfer.Number, tt.to)
		}
		if tt.to == "051512345" {
			p.hears("工作日九点至十二点、十四点至十七点三十分")
		}
	}
	w.advance(now.Sub(w.Now()))
	p := w.dial(t)
	if got := p.press("1", "4", "3", "2"); got.Transfer.Number != "051588880002" || got.Transfer.Dept != "区住建局" {
		t.Errorf("the department: %s", got.raw)
	}
	p.hears("区住建局的电话是，零五幺五，八八八八，零零零二。正在为您转接人工")
	p = w.dial(t)
	if got := p.press("1", "1", "2", "0"); got.Transfer.Dept != "区住建局" {
		t.Errorf("0 among the notices of a sector: %s", got.raw)
	}
	for _, bad := range []string{"", "9", "09:00", "12:00-09:00", "09:00-09:00", "09:60-10:00", "09:00-25:00", "a:00-b:00", "09:00-12:00x"} {
		if _, err := handlers.ParseHourSpan(bad); err == nil {
			t.Errorf("%q is taken for hours", bad)
		}
	}
}

// TestIVR21Configured has keys, words and an order of sectors of its own.
func TestIVR21Configured(t *testing.T) {
	w := hotlineWorld(t, func(c *handlers.Config) {
		c.Hotline.Keymap = handlers.Keymap{Operator: "9", Repeat: "0", Back: "#", More: "*", Handoff: "7"}
		c.Hotline.Name, c.Hotline.Operator = "测试热线", "051588880001"
		c.Hotline.Wording = handlers.Wording{Greeting: "{name}，按一键自助。", Operator: "请稍等，转{number}。", Goodbye: "再会。"}
		c.Hotline.Sectors = []string{"construction", "medical"}
	})
	p := w.dial(t)
	if p.last.Prompt != "测试热线，按一键自助。" {
		t.Errorf("the greeting is %s", p.last.Prompt)
	}
	root := p.press("1")
	p.hears("人工服务，请按九")
	if got := p.press("0"); got.Prompt != root.Prompt {
		t.Errorf("0 repeats: %s", got.Prompt)
	}
	sectors := p.press("1")
	if sectors.Options[0].Label != "工程建设项目招标投标" || sectors.Options[1].Label != "医用耗材采购" {
		t.Errorf("the sectors are %v", sectors.Options)
	}
	p.hears("更多领域，请按星号键")
	p.press("1", "*")
	p.hears("返回，请按井号键")
	if got := p.press("1", "8"); got.node() != "detail" || !strings.Contains(got.Prompt, "按键无效") {
		t.Errorf("8 has another meaning now: %s", got.Prompt)
	}
	if got := p.press("7"); got.node() != "handoff" {
		t.Errorf("7 leads to %s", got.node())
	}
	if got := p.press("#", "#"); got.node() != "list" {
		t.Errorf("# twice leads to %s", got.node())
	}
	if got := p.press("9"); got.Transfer.Number != "051588880001" || got.Prompt != "请稍等，转零五幺五，八八八八，零零零幺。" {
		t.Errorf("9 answers %s", got.raw)
	}
	if got := p.send(url.Values{"event": {"hangup"}}); got.Action != "hangup" || got.Prompt != "再会。" {
		t.Errorf("the end: %s", got.raw)
	}
	p = w.dial(t)
	if got := p.press("1", "2", "0"); got.node() != "progress" || got.Action != "collect" {
		t.Errorf("0 in an entry repeats: %s", got.raw)
	}
	if got := p.press("000777#"); got.node() != "stages" {
		t.Errorf("an entry with its #: %s", got.raw)
	}
	for _, bad := range []handlers.Keymap{{Back: "1"}, {Back: "0"}, {More: "12"}, {Repeat: "x"}, {Operator: "＃"}} {
		if err := (handlers.HotlineConfig{Keymap: bad}).Check(); err == nil {
			t.Errorf("%v is taken for a keymap", bad)
		}
	}
}

// TestIVR22NoCaller keeps the caller's number out of the log and the metrics.
func TestIVR22NoCaller(t *testing.T) {
	w := hotlineWorld(t)
	w.mayFail = true
	const number = "13912345678"
	p := w.dial(t)
	p.from = number
	p.press("1", "1", "2", "1", "8", "T", "T")
	w.call(t, "GET", turnPath+"?caller="+number+"&digits=1", opts{as: "ivr", want: 200})
	w.call(t, "POST", turnPath, opts{as: "ivr", body: object{"caller": number, "call_id": number}, want: 200})
	w.call(t, "POST", "/api/v1/ivr/event", opts{as: "ivr", body: object{"caller": number, "event": "hangup"}, want: 200})
	w.call(t, "POST", turnPath+"?caller="+number, opts{want: 401})
	for what, text := range map[string]string{"log": w.logs.String(), "metrics": w.metricsText(t), "state": p.last.State} {
		if strings.Contains(text, number) || strings.Contains(text, number[3:]) {
			t.Errorf("the %s holds the caller's number", what)
		}
	}
}
