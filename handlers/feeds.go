package handlers

import (
	"context"
	"encoding/xml"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gorilla/feeds"

	"gongkai/internal/disclosure"
)

// The formats of a feed.
const (
	mediaAtom     = "application/atom+xml; charset=utf-8"
	mediaJSONFeed = "application/feed+json; charset=utf-8"
)

const feedRows = 50

// getFeed returns the newest notices of a sector for feed readers.
//
//	@Summary	领域订阅源（Atom、JSON Feed）
//	@Tags		公告
//	@Produce	application/atom+xml,application/feed+json
//	@Param		file	path		string	true	"领域或 all，加 .atom 或 .json"	example(construction.atom)
//	@Success	200		{object}	object
//	@Failure	404		{object}	Problem
//	@Router		/api/v1/feeds/{file} [get]
func (s *Server) getFeed(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	name, format, _ := strings.Cut(strings.Clone(c.Params("file")), ".")
	q := disclosure.NoticeQuery{Limit: feedRows, Sort: disclosure.SortPublished}
	title := s.Pages.siteName()
	if name != "all" {
		sector, err := s.Cache.Catalog().Sector(name)
		if err != nil {
			return err
		}
		q.Sectors, title = []string{name}, sector.Name+" · "+title
	}
	path := "/s/" + name
	if name == "all" {
		path = "/"
	}
	self := string(c.Context().Path())
	return s.answerFeed(c, feedHead{format: format, self: self, path: path, title: title}, "feed/"+self+"?"+q.Canonical(), func(ctx context.Context) (disclosure.NoticePage, error) {
		return s.Reader.Notices(ctx, q, s.Now())
	})
}

// feedHead is what a feed says of itself.
type feedHead struct {
	format  string // "atom" or "json"
	self    string // its own path
	path    string // of the page with the same content
	title   string
	private bool // for one reader only
}

// answerFeed serves the notices that read returns as a feed, kept under the key.
func (s *Server) answerFeed(c *fiber.Ctx, head feedHead, key string, read func(context.Context) (disclosure.NoticePage, error)) error {
	media := map[string]string{"atom": mediaAtom, "json": mediaJSONFeed}[head.format]
	if media == "" {
		return disclosure.Errorf(disclosure.CodeNoRoute, "订阅源的格式是 .atom 或 .json")
	}
	return s.answered(c, key, func(ctx context.Context) (*disclosure.Answer, error) {
		page, err := read(ctx)
		if err != nil {
			return nil, err
		}
		body, err := s.feed(head, page)
		if err != nil {
			return nil, err
		}
		a := &disclosure.Answer{Type: media, Body: body, Private: head.private, Position: page.Position, Until: page.Until}
		if !a.Private {
			a.ETag = etagOf(body)
		}
		return a, nil
	})
}

// feed writes the notices. Its time is that of the newest revision, so that an
// unchanged feed is the same document.
func (s *Server) feed(head feedHead, page disclosure.NoticePage) ([]byte, error) {
	self := s.PublicURL + head.self
	f := &feeds.Feed{Title: head.title, Link: &feeds.Link{Href: s.PublicURL + head.path}, Id: self, Description: head.title,
		Author: &feeds.Author{Name: s.Pages.siteName()}}
	for _, n := range page.Items {
		f.Items = append(f.Items, s.feedItem(page.Catalog, n))
		if n.UpdatedAt.After(f.Updated) {
			f.Updated = n.UpdatedAt
		}
	}
	f.Created = f.Updated
	if head.private {
		self = "" // the address that answers holds the reader's key, and a feed is passed on
	}
	if head.format == "json" {
		return jsonFeed(f, self)
	}
	return atomFeed(f, self)
}

// jsonDoc is a JSON Feed 1.1: one without items has an empty list of them.
type jsonDoc struct {
	*feeds.JSONFeed
	Items []*feeds.JSONItem `json:"items"`
}

func jsonFeed(f *feeds.Feed, self string) ([]byte, error) {
	doc := jsonDoc{JSONFeed: (&feeds.JSON{Feed: f}).JSONFeed(), Items: []*feeds.JSONItem{}}
	doc.FeedUrl, doc.Language = self, language
	for _, item := range doc.JSONFeed.Items {
		item.ContentText = item.Summary // an item must have content, and a notice's summary is text
		doc.Items = append(doc.Items, item)
	}
	return encode(doc)
}

// language is that of every feed.
const language = "zh-CN"

// atomDoc is an Atom feed that says its language and where it is to be had, which
// RFC 4287 asks for in §4.2.7.2.
type atomDoc struct {
	*feeds.AtomFeed
	Language string           `xml:"xml:lang,attr"`
	Links    []feeds.AtomLink `xml:"link"`
}

func atomFeed(f *feeds.Feed, self string) ([]byte, error) {
	for _, item := range f.Items { // an Atom summary is markup, and a notice's is text
		item.Description = strings.ReplaceAll(html.EscapeString(item.Description), "\n", "<br/>")
	}
	if f.Updated.IsZero() {
		f.Updated = time.Unix(0, 0).UTC() // an Atom feed must have a time; this one has never changed
	}
	doc := atomDoc{AtomFeed: (&feeds.Atom{Feed: f}).AtomFeed(), Language: language}
	doc.Id = f.Id
	for i, e := range doc.Entries {
		e.Published = f.Items[i].Created.Format(time.RFC3339)
	}
	doc.Links = []feeds.AtomLink{{Href: f.Link.Href, Rel: "alternate", Type: "text/html"}}
	if self != "" {
		doc.Links = append(doc.Links, feeds.AtomLink{Href: self, Rel: "self", Type: "application/atom+xml"})
	}
	body, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("handlers: feed: %w", err)
	}
	return append([]byte(xml.Header), body...), nil
}

// feedItem is one notice. A new revision is an update of the same item.
func (s *Server) feedItem(c *disclosure.Catalog, n disclosure.Summary) *feeds.Item {
	t := typeOf(c, n.Type, n.TypeVersion)
	title := n.Title
	if n.Status == disclosure.StatusTerminated {
		title = "【已终止】" + title
	}
	text := t.Name + " · " + c.BodyName(n.Body)
	if at := n.OpenUntil(); !at.IsZero() {
		text += " · 截止 " + at.Format("2006-01-02 15:04")
	}
	if n.Summary != "" && !t.Personal {
		text += "\n" + n.Summary
	}
	return &feeds.Item{Id: "urn:uuid:" + n.ID, IsPermaLink: "false", Title: title, Description: text,
		Link:   &feeds.Link{Href: s.noticeURL(n.Code, n.Rev)},
		Author: &feeds.Author{Name: c.BodyName(n.Body)}, Created: n.PublishedAt, Updated: n.UpdatedAt}
}
