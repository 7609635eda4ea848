package handlers_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"gongkai/handlers"
)

const turnPath = "/api/v1/ivr/turn"

// phone is one call of the hotline, as a telephone engine makes it.
type phone struct {
	t    *testing.T
	w    *world
	call string
	from string // the caller's number
	last heard
}

// heard is one answer of the hotline.
type heard struct {
	State, Action, Prompt, Next string
	Say                         []struct{ Text, Audio string }
	Options                     []struct{ Key, Label string }
	Input                       struct{ Min, Max, Finish, Timeout, Interdigit, Keys string }
	Transfer                    struct{ To, Dept, Number string }
	Handoff                     struct{ Code, URL string }
	raw                         []byte
}

var calls int

// dial begins a call; it hears the greeting.
func (w *world) dial(t *testing.T) *phone {
	t.Helper()
	calls++
	p := &phone{t: t, w: w, call: fmt.Sprintf("call-%d", calls)}
	p.send(url.Values{})
	return p
}

// send posts a turn of the call as a form and checks what holds for every
// answer.
func (p *phone) send(with url.Values) heard {
	p.t.Helper()
	form := url.Values{"call_id": {p.call}, "state": {p.last.State}}
	if p.from != "" {
		form.Set("caller", p.from)
	}
	maps.Copy(form, with)
	r := p.w.call(p.t, "POST", turnPath, opts{as: "ivr", body: form.Encode(), want: 200,
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
	p.last = checkTurn(p.t, r.body)
	return p.last
}

// press sends keys one turn after another; "T" waits in silence.
func (p *phone) press(turns ...string) heard {
	p.t.Helper()
	for _, keys := range turns {
		if keys == "T" {
			p.send(url.Values{"event": {"timeout"}})
		} else {
			p.send(url.Values{"digits": {keys}, "event": {"digits"}})
		}
	}
	return p.last
}

func (p *phone) hears(text string) {
	p.t.Helper()
	if !strings.Contains(p.last.Prompt, text) {
		p.t.Errorf("heard %q, want %q in it", p.last.Prompt, text)
	}
}

// node is where the call stands, from its state.
func (h heard) node() string {
	if f := strings.Split(h.State, "."); len(f) > 2 {
		return f[2]
	}
	return ""
}

var (
	promptForm  = regexp.MustCompile(`^[\p{Han}，。；、：？！]+$`)
	controlForm = regexp.MustCompile(`^[A-Za-z0-9._/*#-]*$`)
)

// checkTurn checks behaviours 1, 2, 5 and 17 of an answer in JSON.
func checkTurn(t *testing.T, body []byte) heard {
	t.Helper()
	if len(body) > 4000 {
		t.Errorf("a turn has %d bytes: %s", len(body), body)
	}
	var tree any
	var h heard
	if err := json.Unmarshal(body, &tree); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	onlyStrings(t, tree)
	if err := json.Unmarshal(body, &h); err != nil {
		t.Fatal(err)
	}
	h.raw = body
	if !promptForm.MatchString(h.Prompt) || h.Say[0].Text != h.Prompt {
		t.Errorf("the prompt cannot be said: %q", h.Prompt)
	}
	for i, o := range h.Options {
		if o.Key != fmt.Sprint(i+1) || i > 3 || !promptForm.MatchString(o.Label) {
			t.Errorf("option %d is %v", i, o)
		}
		if at := strings.Index(h.Prompt, o.Label); len(h.Options) > 1 && (at < 0 || !strings.Contains(h.Prompt[at:], "请按")) {
			t.Errorf("option %v is not said before its key: %s", o, h.Prompt)
		}
	}
	for _, control := range []string{h.State, h.Action, h.Next, h.Say[0].Audio, h.Input.Keys, h.Input.Max, h.Input.Timeout, h.Transfer.To, h.Transfer.Number, h.Handoff.Code} {
		if !controlForm.MatchString(control) {
			t.Errorf("a control field needs quoting: %q", control)
		}
	}
	switch {
	case h.Action == "transfer" && (h.Transfer.Number == "" || h.Transfer.To == ""):
		t.Errorf("a transfer to nobody: %s", body)
	case h.Action == "collect" && (h.State == "" || h.Input.Timeout == "" || !strings.Contains(h.Input.Keys, "0")):
		t.Errorf("a question nobody can answer: %s", body)
	}
	return h
}

func onlyStrings(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
	case map[string]any:
		for _, child := range v {
			onlyStrings(t, child)
		}
	case []any:
		for _, child := range v {
			onlyStrings(t, child)
		}
	default:
		t.Errorf("a leaf is %T %v, no string", v, v)
	}
}

// longTitle is as long as a title may be, and heavy on hanzi.
var longTitle = strings.Repeat("亭湖区公共资源交易中心关于", 15) + "招标公告"

// hotlineWorld has notices for every branch of the dialogue: five tenders of a
// project each, a project with three notices, a housing result with two rows,
// and titles that are long or hard to say and to escape.
func hotlineWorld(t *testing.T, adjust ...func(*handlers.Config)) *world {
	t.Helper()
	w := start(t, adjust...)
	for i, title := range []string{longTitle, `道路"改造" <A&B> ]]> 工程`, "第三条公告", "第四条公告", "第五条公告"} {
		w.publish(t, w.draft(t, tender, title, object{"project": object{"code": fmt.Sprintf("E32090200010000%02d", i+11), "name": title}}))
		w.advance(1e9)
	}
	for _, typ := range []string{"construction.opening_record", "construction.candidates", "construction.award_result"} {
		w.publish(t, w.draft(t, typ, "盐东镇道路改造工程"+typ[13:], object{"project": object{"code": "TH-ZQ2026-000777", "name": "盐东镇道路改造工程"}}))
		w.advance(1e9)
	}
	w.stock(t, "procurement.tender_notice", "智慧黑板采购项目公开招标公告")
	rows := []object{
		{"acceptance_no": "TH20260018", "applicant": "王小明", "id_number": idNumber, "estate": "示范家园", "building": "3号楼", "building_unit": "2单元"},
		{"acceptance_no": "TH20260019", "applicant": "欧阳小红", "id_number": "32090219900101004X", "estate": "示范家园", "building": "4号楼"},
	}
	d := w.draft(t, housing, "2026年第一批公共租赁住房分配结果公示", object{"project": object{"code": "THZF2026-1", "name": "第一批公共租赁住房"}})
	w.publish(t, change(d, "fields.allocation_results", rows))
	return w
}

// everyNode says how each node of the dialogue is reached from the greeting.
var everyNode = map[string][]string{
	"greet": {}, "root": {"1"}, "sectors": {"1", "1"}, "list": {"1", "1", "2"}, "detail": {"1", "1", "2", "1"}, "handoff": {"1", "1", "2", "1", "8"},
	"progress": {"1", "2"}, "pick": {"1", "2", "3209022"}, "stages": {"1", "2", "000777"}, "housing": {"1", "3"}, "batch": {"1", "3", "1"},
	"own": {"1", "3", "1", "2"}, "tail": {"1", "3", "1", "2", "8420260018"}, "result": {"1", "3", "1", "2", "8420260018", "0006"},
	"consult": {"1", "4"}, "info": {"1", "4", "1"}, "dept": {"1", "4", "3"},
	"callback": {"1", "4", "4"}, "confirm": {"1", "4", "4", dialled}, "noted": {"1", "4", "4", dialled, "1"},
}

// dialled is a number that a caller leaves.
const dialled = "13812345678"

// twoProjects makes the entry 3209022 fit two projects, for the node pick:
// the letters are on the key 2.
func twoProjects(t *testing.T, w *world) {
	t.Helper()
	for _, code := range []string{"320902-A", "320902-B"} {
		w.publish(t, w.draft(t, tender, "工程"+code, object{"project": object{"code": code, "name": "工程" + code[7:]}}))
	}
}
