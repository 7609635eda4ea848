package handlers_test

import (
	"encoding/json"
	"encoding/xml"
	"testing"
	"time"
)

// atomFeed is what a feed reader takes from an Atom feed.
type atomFeed struct {
	XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string   `xml:"id"`
	Title   string   `xml:"title"`
	Updated string   `xml:"updated"`
	Entries []struct {
		ID      string `xml:"id"`
		Title   string `xml:"title"`
		Updated string `xml:"updated"`
		Author  string `xml:"author>name"`
		Links   []struct {
			Href string `xml:"href,attr"`
		} `xml:"link"`
	} `xml:"entry"`
}

func (w *world) atom(t *testing.T, path string) (atomFeed, reply) {
	t.Helper()
	r := w.get(t, path)
	var f atomFeed
	if err := xml.Unmarshal(r.body, &f); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	return f, r
}

// TestFeeds: each sector has a feed in both formats, newest first, that is the
// same document until something is published.
func TestFeeds(t *testing.T) {
	w := start(t)
	n := w.publish(t, w.draft(t, tender, "甲 & 乙 <路> 招标公告"))
	w.advance(time.Hour)
	w.publish(t, w.draft(t, "land.transfer_notice", "地块出让公告"))

	f, r := w.atom(t, "/api/v1/feeds/construction.atom")
	if r.header.Get("Content-Type") != "application/atom+xml; charset=utf-8" || len(f.Entries) != 1 {
		t.Fatalf("%v %s", r.header, r.body)
	}
	e := f.Entries[0]
	if e.Title != "甲 & 乙 <路> 招标公告" || e.ID != "urn:uuid:"+n.text("id") || e.Links[0].Href != "https://gongkai.test/n/"+n.text("code")+"/1" ||
		e.Author == "" || e.Updated != f.Updated || f.ID != "https://gongkai.test/api/v1/feeds/construction.atom" {
		t.Errorf("feed: %+v", f)
	}
	w.advance(time.Minute)
	w.call(t, "GET", "/api/v1/feeds/construction.atom", opts{want: 304, header: map[string]string{"If-None-Match": r.header.Get("ETag")}})

	all := w.get(t, "/api/v1/feeds/all.json")
	if all.header.Get("Content-Type") != "application/feed+json; charset=utf-8" || all.text("version") != "https://jsonfeed.org/version/1.1" ||
		all.len("items") != 2 || all.text("items.0.title") != "地块出让公告" || all.text("feed_url") != "https://gongkai.test/api/v1/feeds/all.json" {
		t.Errorf("JSON feed: %s", all.body)
	}
	if !json.Valid(all.body) {
		t.Error("no JSON")
	}
	empty, _ := w.atom(t, "/api/v1/feeds/medical.atom")
	if len(empty.Entries) != 0 || empty.Updated == "" {
		t.Errorf("an empty feed: %+v", empty)
	}
	for path, status := range map[string]int{"nope.atom": 404, "construction.rss": 404, "construction": 404, "construction.atom?limit=1": 400} {
		w.call(t, "GET", "/api/v1/feeds/"+path, opts{want: status})
	}
	w.step(t, "reviewer", n.text("id"), "withdraw", object{"reason": "有误"})
	if f, _ := w.atom(t, "/api/v1/feeds/construction.atom"); len(f.Entries) != 0 {
		t.Error("a withdrawn notice is still in the feed")
	}
}
