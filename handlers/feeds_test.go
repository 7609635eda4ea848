package handlers_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"gongkai/handlers"
	"gongkai/internal/disclosure"
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
		Summary string `xml:"summary"`
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

// TestFeedsOfHostileText: what a notice says is text to a reader that takes a
// summary for markup.
func TestFeedsOfHostileText(t *testing.T) {
	w := start(t)
	w.publish(t, w.draft(t, tender, "道路招标公告", object{"summary": `工程<img src=x onerror=alert(1)> & 道路`}))
	f, _ := w.atom(t, "/api/v1/feeds/construction.atom")
	if got := f.Entries[0].Summary; !strings.Contains(got, "<br/>工程&lt;img src=x onerror=alert(1)&gt; &amp; 道路") {
		t.Errorf("the Atom summary is %q", got)
	}
	if got := w.get(t, "/api/v1/feeds/construction.json").text("items.0.summary"); !strings.Contains(got, "\n工程<img src=x onerror=alert(1)> & 道路") {
		t.Errorf("the JSON summary is %q", got)
	}
}

// feedKeys stands for the signer of cards.
type feedKeys struct{}

func (feedKeys) Open(string) (int64, error) {
	return 0, disclosure.Errorf(disclosure.CodeSigned, "链接不完整")
}

func (feedKeys) FeedKey(subscription string) string { return "key-of-" + subscription }

// TestSavedFeed: who has the key of a subscription reads what it matches, as
// long as there is the subscription; a guess at it tells nothing.
func TestSavedFeed(t *testing.T) {
	w := start(t, func(c *handlers.Config) { c.Signer = feedKeys{} })
	person, err := w.store.SignIn(t.Context(), disclosure.Identity{App: "wx0", Kind: disclosure.AppMini, OpenID: "o1"}, nil, w.Now())
	if err != nil {
		t.Fatal(err)
	}
	sub := disclosure.NewSubscription("01a2d8ca-0000-7000-8000-000000000001", "h5", w.Now())
	sub.Sectors, sub.Keywords, sub.Exclude = []string{"construction"}, []string{"海棠路", "丹顶鹤"}, []string{"监理"}
	if sub, err = w.store.SaveSubscription(t.Context(), person.N, sub); err != nil {
		t.Fatal(err)
	}
	w.stock(t, tender, "海棠路改造工程招标公告")
	w.advance(time.Hour)
	w.stock(t, tender, "丹顶鹤食堂工程招标公告", "海棠路改造工程监理招标公告", "桥梁工程招标公告")
	w.stock(t, "land.transfer_notice", "海棠路旁地块出让公告")
	path := "/api/v1/feeds/saved/" + sub.ID

	f, r := w.atom(t, path+".atom?key=key-of-"+sub.ID)
	if len(f.Entries) != 2 || f.Entries[0].Title != "丹顶鹤食堂工程招标公告" || f.Entries[1].Title != "海棠路改造工程招标公告" {
		t.Errorf("the feed holds %+v", f.Entries)
	}
	if r.header.Get("Cache-Control") != "private, no-store" || r.holds("key-of-") || !strings.Contains(f.Title, "工程建设") {
		t.Errorf("the feed: %v %s", r.header, r.body)
	}
	if j := w.get(t, path+".json?key=key-of-"+sub.ID); j.len("items") != 2 || j.header.Get("Content-Type") != mediaFeed {
		t.Errorf("as JSON: %s", j.body)
	}
	for query, want := range map[string]int{".atom": 404, ".atom?key=": 404, ".atom?key=key-of-another": 404, ".rss?key=key-of-" + sub.ID: 404, ".atom?key=k&limit=1": 400} {
		w.call(t, "GET", path+query, opts{want: want})
	}
	w.call(t, "GET", "/api/v1/feeds/saved/nobody.atom?key=key-of-nobody", opts{want: 404})

	sub.Keywords = []string{"桥梁工程"}
	sub.UpdatedAt = w.Now().Add(time.Minute)
	if _, err := w.store.SaveSubscription(t.Context(), person.N, sub); err != nil {
		t.Fatal(err)
	}
	if f, _ := w.atom(t, path+".atom?key=key-of-"+sub.ID); len(f.Entries) != 1 || f.Entries[0].Title != "桥梁工程招标公告" {
		t.Errorf("after a change: %+v", f.Entries)
	}
	if err := w.store.DeleteSubscription(t.Context(), person.N, sub.ID); err != nil {
		t.Fatal(err)
	}
	w.call(t, "GET", path+".atom?key=key-of-"+sub.ID, opts{want: 404})
}

const mediaFeed = "application/feed+json; charset=utf-8"
