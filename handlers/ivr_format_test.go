package handlers_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gongkai/handlers"
)

// oddCall is a call's name that every format has to escape.
const oddCall = `c'a"l<l>&]]>\u`

// inFormat asks again for what the phone heard last, in a format, as a key that
// repeats: 9.
func (p *phone) inFormat(format, digits string) []byte {
	p.t.Helper()
	q := url.Values{"call_id": {p.call}, "state": {p.last.State}, "digits": {digits}, "format": {format}}
	return p.w.call(p.t, "GET", turnPath+"?"+q.Encode(), opts{as: "ivr", want: 200}).body
}

// wellFormed reads XML to its end and returns the names of its elements and all
// text that is spoken.
func wellFormed(t *testing.T, body []byte) (elements map[string]int, said string) {
	t.Helper()
	elements = map[string]int{}
	d := xml.NewDecoder(bytes.NewReader(body))
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, said
		}
		if err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements[token.Name.Local]++
			open = append(open, token.Name.Local)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if n := len(open); n > 0 && (open[n-1] == "speak" || open[n-1] == "prompt" || open[n-1] == "audio") {
				said += string(token)
			}
		}
	}
}

// TestIVR16EveryNode walks to every node in both XML formats: the words are
// those of the JSON, and the document is well formed.
func TestIVR16EveryNode(t *testing.T) {
	w := hotlineWorld(t)
	twoProjects(t, w)
	for node, keys := range everyNode {
		p := &phone{t: t, w: w, call: oddCall}
		p.send(url.Values{})
		p.press(keys...)
		for _, format := range []string{"httapi", "vxml"} {
			elements, said := wellFormed(t, p.inFormat(format, "9"))
			if said != p.last.Prompt {
				t.Errorf("%s as %s says %q, not %q", node, format, said, p.last.Prompt)
			}
			if format == "vxml" && (elements["field"] != 1 || elements["grammar"] != 1 || elements["submit"] != 3 || elements["transfer"] != 1) {
				t.Errorf("%s as VoiceXML has %v", node, elements)
			}
			binds := map[bool]int{true: 2, false: 1}[p.last.Input.Max != "1"] // an entry ends at # or when no more keys come
			if format == "httapi" && (elements["bind"] != binds || elements["speak"] != 1) {
				t.Errorf("%s as httapi has %v", node, elements)
			}
		}
	}
}

// TestIVR16SlowGoesOn: a VoiceXML document asks for the next turn itself, and at
// the pace of the first.
func TestIVR16SlowGoesOn(t *testing.T) {
	w := hotlineWorld(t)
	p := w.dial(t)
	for pace, want := range map[string]string{"": `turn?format=vxml" method`, "slow": `turn?format=vxml&amp;pace=slow" method`} {
		q := url.Values{"call_id": {p.call}, "state": {p.last.State}, "digits": {"1"}, "format": {"vxml"}, "pace": {pace}}
		if body := w.call(t, "GET", turnPath+"?"+q.Encode(), opts{as: "ivr", want: 200}).body; !strings.Contains(string(body), want) {
			t.Errorf("pace %q: the next turn is asked for otherwise than with %s: %s", pace, want, body)
		}
	}
}

// variable is what differs from run to run: states, codes and hashes.
var variable = regexp.MustCompile(`1\.[0-9a-f]{6}\.[A-Za-z0-9._-]+`)

// TestIVR16Golden pins the documents of FreeSWITCH and VoiceXML.
func TestIVR16Golden(t *testing.T) {
	key := func(c *handlers.Config) { c.Hotline.Keys = [][]byte{[]byte("the key of this test")} }
	silent := hotlineWorld(t, key)
	spoken := hotlineWorld(t, key, func(c *handlers.Config) { c.Hotline.Voice = &tone{rate: 22050} })
	for _, tt := range []struct {
		name string
		w    *world
		keys []string // to the node
		last string   // key in the format
	}{
		{"menu", silent, []string{"1"}, "9"}, {"entry", silent, []string{"1", "2"}, "9"}, {"list", silent, []string{"1", "1", "2", "#"}, "#"},
		{"transfer", silent, []string{"1"}, "0"}, {"menu_audio", spoken, []string{"1"}, "9"}, {"entry_audio", spoken, []string{"1", "2"}, "9"},
		{"transfer_audio", spoken, []string{"1"}, "0"},
	} {
		for _, format := range []string{"httapi", "vxml"} {
			p := &phone{t: t, w: tt.w, call: oddCall}
			p.send(url.Values{})
			p.press(tt.keys...)
			goldenXML(t, format+"_"+tt.name, p.inFormat(format, tt.last))
		}
	}
	for _, format := range []string{"httapi", "vxml"} {
		q := url.Values{"call_id": {oddCall}, "event": {"hangup"}, "format": {format}}
		goldenXML(t, format+"_hangup", silent.call(t, "GET", turnPath+"?"+q.Encode(), opts{as: "ivr", want: 200}).body)
	}
}

func goldenXML(t *testing.T, name string, body []byte) {
	t.Helper()
	wellFormed(t, body)
	got := variable.ReplaceAll(body, []byte("STATE"))
	path := filepath.Join("testdata", "ivr", name+".xml")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is\n%s\nwant\n%s\n(go test ./handlers -run Golden -update writes it anew)", path, got, want)
	}
}

// TestIVR15HTTAPIKeys takes what FreeSWITCH sends of an entry: with its #, of an
// empty one # alone, and in silence an empty parameter.
func TestIVR15HTTAPIKeys(t *testing.T) {
	w := hotlineWorld(t)
	for _, tt := range []struct{ digits, hears string }{{"000777#", "盐东镇道路改造工程"}, {"000777", "盐东镇道路改造工程"}, {"#", "请至少输入六位"}, {"", "请按项目编号"},
		{"0", "正在为您转接人工"}, {"0#", "正在为您转接人工"}, {"*#", "最新公告，请按一"}, {"*", "最新公告，请按一"}, {"12*#", "已经清除"}} {
		p := w.dial(t)
		p.press("1", "2")
		form := url.Values{"session_id": {p.call}, "state": {p.last.State}, "digits": {tt.digits}, "format": {"httapi"}, "hostname": {"pbx"}}
		r := w.call(t, "POST", turnPath, opts{as: "ivr", want: 200, body: form.Encode(), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
		if _, said := wellFormed(t, r.body); !strings.HasPrefix(said, tt.hears) {
			t.Errorf("digits=%q says %s, want %s", tt.digits, said, tt.hears)
		}
	}
}

// TestIVR15HTTAPITimes gives FreeSWITCH its two times as its source has them: from
// key to key, and from the end of the prompt for all keys of an entry.
func TestIVR15HTTAPITimes(t *testing.T) {
	w := hotlineWorld(t)
	times := regexp.MustCompile(`digit-timeout="(\d+)" input-timeout="(\d+)"`)
	for _, tt := range []struct {
		node, pace string
		want       [2]string
	}{
		{"root", "", [2]string{"4000", "6000"}}, {"root", "slow", [2]string{"8000", "12000"}},
		{"progress", "", [2]string{"4000", "28000"}}, {"progress", "slow", [2]string{"8000", "56000"}},
		{"tail", "", [2]string{"4000", "12000"}}, {"callback", "", [2]string{"4000", "20000"}},
	} {
		p := w.dial(t)
		p.press(everyNode[tt.node]...)
		q := url.Values{"call_id": {p.call}, "state": {p.last.State}, "digits": {"9"}, "format": {"httapi"}, "pace": {tt.pace}}
		body := w.call(t, "GET", turnPath+"?"+q.Encode(), opts{as: "ivr", want: 200}).body
		if m := times.FindSubmatch(body); m == nil || string(m[1]) != tt.want[0] || string(m[2]) != tt.want[1] {
			t.Errorf("%s %s: %q, want %s", tt.node, tt.pace, m, tt.want)
		}
	}
}

// TestIVR01LongDetails reads out the longest notices to their last page, in
// JSON and flat: a title, fields and a table as long as they may be.
func TestIVR01LongDetails(t *testing.T) {
	w := hotlineWorld(t)
	long := strings.Repeat("亭湖区公共资源交易项目的内容与要求，", 100)
	d := w.draft(t, tender, longTitle, object{"project": object{"code": "L-320902-000042", "name": longTitle[:len("亭湖区")*20]}})
	for _, field := range []string{"project_overview", "qualification_requirements", "tender_conditions", "document_method"} {
		d = change(d, "fields."+field, long)
	}
	code := w.publish(t, d).text("code")
	for _, way := range [][]string{{"1", "1", "2", "1"}, {"1", "2", code}} {
		p := w.dial(t)
		p.press(way...)
		pages := 1
		for strings.Contains(p.last.Input.Keys, "#") {
			var flat map[string]string
			body := p.inFormat("flat", "9")
			if err := json.Unmarshal(body, &flat); err != nil || len(body) > 4000 || flat["prompt"] != p.last.Prompt {
				t.Errorf("page %d, flat: %d bytes, %v", pages, len(body), err)
			}
			p.press("#")
			pages++
		}
		if p.hears("信息来源"); pages < 3 || pages > 8 {
			t.Errorf("%v: %d pages", way, pages)
		}
	}
}

// TestHotlineGuide holds docs/hotline.md to what the hotline answers: the paths
// that the dialplan reads, the XML to copy, and the variables of the table.
func TestHotlineGuide(t *testing.T) {
	guide, err := os.ReadFile("../docs/hotline.md")
	if err != nil {
		t.Fatal(err)
	}
	w := hotlineWorld(t, withVoice(&tone{rate: 8000}, ""))
	p := w.dial(t)
	known := map[string]bool{}
	for _, h := range []heard{p.press("1", "1", "2", "1"), p.press("0")} {
		var tree any
		if err := json.Unmarshal(h.raw, &tree); err != nil {
			t.Fatal(err)
		}
		leaves(known, "", tree)
	}
	paths := regexp.MustCompile(`JSON_DECODE\(J,([a-z0-9.]+)\)`).FindAllSubmatch(guide, -1)
	for _, m := range paths {
		if !known[string(m[1])] {
			t.Errorf("the dialplan reads %s, which no answer has", m[1])
		}
	}
	dialplan, _, _ := strings.Cut(string(guide[bytes.Index(guide, []byte("[hotline]")):]), "\n```")
	if n := strings.Count(dialplan, "\n") + 1; n != 25 || len(paths) < 6 {
		t.Errorf("the dialplan has %d lines and reads %d values", n, len(paths))
	}
	blocks := regexp.MustCompile("(?s)```xml\n(.*?)```").FindAllSubmatch(guide, -1)
	for _, m := range blocks {
		wellFormed(t, m[1])
	}
	var flat map[string]string
	if err := json.Unmarshal(p.inFormat("flat", "9"), &flat); err != nil {
		t.Fatal(err)
	}
	_, row, _ := strings.Cut(string(guide), "| 输出变量 |")
	row, _, _ = strings.Cut(row, "|")
	names := regexp.MustCompile("`([a-z_0-9]+)`").FindAllStringSubmatch(row, -1)
	for _, m := range names {
		if _, ok := flat[m[1]]; !ok {
			t.Errorf("the table names %s, which no flat answer has", m[1])
		}
	}
	if len(blocks) != 3 || len(names) < 8 {
		t.Errorf("the guide has %d documents to copy and %d variables", len(blocks), len(names))
	}
}

// leaves notes the path of every leaf, as Asterisk names it.
func leaves(known map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			leaves(known, strings.TrimPrefix(path+"."+key, "."), child)
		}
	case []any:
		for i, child := range v {
			leaves(known, path+"."+strconv.Itoa(i), child)
		}
	default:
		known[path] = true
	}
}
