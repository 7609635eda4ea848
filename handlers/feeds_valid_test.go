package handlers_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
)

// node is an element of an Atom document.
type node struct {
	name     string
	attrs    map[string]string
	text     string
	children []*node
}

func (n *node) all(name string) (found []*node) {
	for _, c := range n.children {
		if c.name == name {
			found = append(found, c)
		}
	}
	return found
}

const atomSpace = "http://www.w3.org/2005/Atom"

func parseAtom(t *testing.T, doc []byte) *node {
	t.Helper()
	d, stack := xml.NewDecoder(bytes.NewReader(doc)), []*node{{}}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return stack[0].children[0]
		}
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		top := stack[len(stack)-1]
		switch v := token.(type) {
		case xml.StartElement:
			if v.Name.Space != atomSpace {
				t.Errorf("<%s> is not Atom's", v.Name.Local)
			}
			n := &node{name: v.Name.Local, attrs: map[string]string{}}
			for _, a := range v.Attr {
				n.attrs[a.Name.Local] = a.Value
			}
			top.children = append(top.children, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(v)
		}
	}
}

// checkAtom holds a document against RFC 4287: §4.1.1 and §4.1.2 say how often
// each element stands in a feed and in an entry, §3 and §4.2 what it holds.
func checkAtom(t *testing.T, doc []byte, self string) {
	t.Helper()
	feed := parseAtom(t, doc)
	if feed.name != "feed" || feed.attrs["lang"] != "zh-CN" {
		t.Errorf("the document is a <%s> in %q", feed.name, feed.attrs["lang"])
	}
	checkAtomElement(t, feed, []string{"author", "id", "link", "title", "updated", "entry", "subtitle"})
	var own []string
	for _, l := range feed.all("link") {
		if l.attrs["rel"] == "self" {
			own = append(own, l.attrs["href"])
		}
	}
	if want := strings.Fields(self); !slices.Equal(own, want) {
		t.Errorf("the feed calls itself %q, want %q", own, want)
	}
	ids := map[string]bool{}
	for _, e := range feed.all("entry") {
		checkAtomElement(t, e, []string{"author", "id", "link", "published", "summary", "title", "updated"})
		if id := e.all("id")[0].text; ids[id] {
			t.Errorf("two entries are %s", id)
		} else {
			ids[id] = true
		}
		for _, s := range e.all("summary") {
			if s.attrs["type"] != "html" {
				t.Errorf("a summary is %q", s.attrs["type"])
			}
		}
	}
}

// checkAtomElement checks what a feed and an entry have in common.
func checkAtomElement(t *testing.T, n *node, known []string) {
	t.Helper()
	for _, c := range n.children {
		if !slices.Contains(known, c.name) {
			t.Errorf("<%s> in <%s>", c.name, n.name)
		}
		if len(n.all(c.name)) > 1 && !slices.Contains([]string{"entry", "link"}, c.name) {
			t.Errorf("several <%s> in <%s>", c.name, n.name)
		}
		if (c.name == "updated" || c.name == "published") && !isInstant(c.text) {
			t.Errorf("<%s> is %q", c.name, c.text)
		}
	}
	for _, name := range []string{"author", "id", "title", "updated"} {
		if len(n.all(name)) != 1 {
			t.Fatalf("%d <%s> in <%s>", len(n.all(name)), name, n.name)
		}
	}
	if names := n.all("author")[0].all("name"); len(names) != 1 || names[0].text == "" {
		t.Errorf("the author of <%s> has no name", n.name)
	}
	if id := n.all("id")[0].text; !isAbsolute(id) {
		t.Errorf("an id is %q, which is no IRI", id)
	}
	alternates := 0
	for _, l := range n.all("link") {
		if rel := l.attrs["rel"]; rel == "alternate" || rel == "" {
			alternates++
		}
		if !isAbsolute(l.attrs["href"]) {
			t.Errorf("a link leads to %q", l.attrs["href"])
		}
	}
	if alternates != 1 { // without content an entry must have one, and no two of a kind
		t.Errorf("<%s> has %d alternate links", n.name, alternates)
	}
}

func isInstant(s string) bool { _, err := time.Parse(time.RFC3339, s); return err == nil }

func isAbsolute(s string) bool { u, err := url.Parse(s); return err == nil && u.Scheme != "" }

// checkJSONFeed holds a document against JSON Feed 1.1: what must be there, what
// each member is, and nothing else.
func checkJSONFeed(t *testing.T, doc []byte, self string) {
	t.Helper()
	var feed map[string]any
	if err := json.Unmarshal(doc, &feed); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]func(any) bool{"version": is("https://jsonfeed.org/version/1.1"), "title": filled, "home_page_url": link, "feed_url": is(self),
		"description": filled, "language": is("zh-CN"), "authors": authors, "author": func(a any) bool { return authors([]any{a}) },
		"items": func(v any) bool { _, ok := v.([]any); return ok }}
	checkMembers(t, "the feed", feed, kinds, "version", "title", "items")
	if _, ok := feed["feed_url"]; ok != (self != "") {
		t.Errorf("feed_url is there: %v", ok)
	}
	items, _ := feed["items"].([]any)
	ids := map[any]bool{}
	for _, i := range items {
		item, _ := i.(map[string]any)
		instant := func(v any) bool { s, ok := v.(string); return ok && isInstant(s) }
		checkMembers(t, "an item", item, map[string]func(any) bool{"id": filled, "url": link, "title": filled, "content_text": filled, "summary": filled,
			"date_published": instant, "date_modified": instant, "authors": authors, "author": func(a any) bool { return authors([]any{a}) }}, "id", "content_text")
		if ids[item["id"]] {
			t.Errorf("two items are %v", item["id"])
		}
		ids[item["id"]] = true
	}
}

func checkMembers(t *testing.T, what string, o map[string]any, kinds map[string]func(any) bool, required ...string) {
	t.Helper()
	for name, v := range o {
		if valid := kinds[name]; valid == nil || !valid(v) {
			t.Errorf("%s has %s: %v", what, name, v)
		}
	}
	for _, name := range required {
		if _, ok := o[name]; !ok {
			t.Errorf("%s has no %s", what, name)
		}
	}
}

func is(want string) func(any) bool { return func(v any) bool { return v == any(want) } }

func filled(v any) bool { s, ok := v.(string); return ok && s != "" }

func link(v any) bool { s, ok := v.(string); return ok && isAbsolute(s) }

func authors(v any) bool {
	list, ok := v.([]any)
	for _, a := range list {
		one, _ := a.(map[string]any)
		ok = ok && filled(one["name"])
	}
	return ok && len(list) > 0
}

// TestFeedsAreValid: feeds of a sector, of all, of nothing, and a saved one keep
// to their standards wholly. Only the saved one does not say where it is to be
// had: its address holds a key.
func TestFeedsAreValid(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.Signer = feedKeys{} })
	n := w.publish(t, w.draft(t, tender, "甲 & 乙 <路> 招标公告 ]]> 😀", object{"summary": "第一行\n第二行 <b>&amp;"}))
	w.stock(t, housing, "公租房分配结果公示")
	w.advance(time.Hour)
	c := w.call(t, "POST", "/api/v1/staff/notices/"+n.text("id")+"/correct", opts{as: "editor", want: 201,
		body: object{"changes": object{"title": "更正后的招标公告"}, "reason": "标题有误"}}).text("id")
	w.step(t, "editor", c, "submit", nil)
	w.step(t, "reviewer", c, "publish", nil)
	for _, name := range []string{"construction", "all", "medical"} {
		path := "/api/v1/feeds/" + name
		checkAtom(t, w.get(t, path+".atom").body, "https://gongkai.test"+path+".atom")
		checkJSONFeed(t, w.get(t, path+".json").body, "https://gongkai.test"+path+".json")
	}
	item := w.get(t, "/api/v1/feeds/construction.json")
	for i := range item.len("items") {
		if at := item.texts("items", "date_modified")[i]; item.texts("items", "title")[i] == "更正后的招标公告" && at == item.texts("items", "date_published")[i] {
			t.Errorf("a corrected notice was last changed at %s, as it was published", at)
		}
	}

	person, err := w.store.SignIn(t.Context(), disclosure.Identity{App: "wx0", Kind: disclosure.AppMini, OpenID: "o1"}, nil, w.Now())
	if err != nil {
		t.Fatal(err)
	}
	sub := disclosure.NewSubscription("01a2d8ca-0000-7000-8000-000000000001", "h5", w.Now())
	if sub, err = w.store.SaveSubscription(t.Context(), person.N, sub); err != nil {
		t.Fatal(err)
	}
	saved := "/api/v1/feeds/saved/" + sub.ID
	checkAtom(t, w.get(t, saved+".atom?key=key-of-"+sub.ID).body, "")
	checkJSONFeed(t, w.get(t, saved+".json?key=key-of-"+sub.ID).body, "")
}
