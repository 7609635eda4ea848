package handlers

import (
	"bytes"
	"context"
	"fmt"
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
	return s.answerFeed(c, format, path, title, q)
}

// answerFeed serves a query's notices as a feed in the format "atom" or "json".
// path is the page with the same content. A saved search uses it too.
func (s *Server) answerFeed(c *fiber.Ctx, format, path, title string, q disclosure.NoticeQuery) error {
	media := map[string]string{"atom": mediaAtom, "json": mediaJSONFeed}[format]
	if media == "" {
		return disclosure.Errorf(disclosure.CodeNoRoute, "订阅源的格式是 .atom 或 .json")
	}
	self := string(c.Context().Path())
	key := "feed/" + format + "/" + self + "?" + q.Canonical()
	return s.answered(c, key, func(ctx context.Context) (*disclosure.Answer, error) {
		page, err := s.Reader.Notices(ctx, q, s.Now())
		if err != nil {
			return nil, err
		}
		body, err := s.feed(format, self, path, title, page)
		if err != nil {
			return nil, err
		}
		return &disclosure.Answer{Type: media, ETag: etagOf(body), Body: body, Position: page.Position, Until: page.Until}, nil
	})
}

// feed writes the notices. Its time is the newest notice's, so that an
// unchanged feed is the same document.
func (s *Server) feed(format, self, path, title string, page disclosure.NoticePage) ([]byte, error) {
	f := &feeds.Feed{Title: title, Link: &feeds.Link{Href: s.PublicURL + path}, Id: s.PublicURL + self, Description: title,
		Author: &feeds.Author{Name: s.Pages.siteName()}}
	for _, n := range page.Items {
		f.Items = append(f.Items, s.feedItem(page.Catalog, n))
		if n.PublishedAt.After(f.Updated) {
			f.Updated = n.PublishedAt
		}
	}
	f.Created = f.Updated
	var b bytes.Buffer
	if format == "json" {
		doc := (&feeds.JSON{Feed: f}).JSONFeed()
		doc.FeedUrl, doc.Language = s.PublicURL+self, "zh-CN"
		out, err := encode(doc)
		return out, err
	}
	if f.Updated.IsZero() {
		f.Updated = time.Unix(0, 0).UTC() // an Atom feed must have a time; this one has never changed
	}
	atom := (&feeds.Atom{Feed: f}).AtomFeed()
	atom.Id, atom.Link.Rel = s.PublicURL+self, "alternate"
	if err := feeds.WriteXML(atom, &b); err != nil {
		return nil, fmt.Errorf("handlers: feed: %w", err)
	}
	return b.Bytes(), nil
}

// feedItem is one notice. A new revision is an update of the same item.
func (s *Server) feedItem(c *disclosure.Catalog, n disclosure.Summary) *feeds.Item {
	t := typeOf(c, n.Type, n.TypeVersion)
	title := n.Title
	if n.Status == disclosure.StatusTerminated {
		title = "【已终止】" + title
	}
	text := t.Name + " · " + c.BodyName(n.Body)
	if !n.DeadlineAt.IsZero() {
		text += " · 截止 " + n.DeadlineAt.Format("2006-01-02 15:04")
	}
	if n.Summary != "" && !t.Personal {
		text += "\n" + n.Summary
	}
	return &feeds.Item{Id: "urn:uuid:" + n.ID, IsPermaLink: "false", Title: title, Description: text,
		Link:   &feeds.Link{Href: fmt.Sprintf("%s/n/%s/%d", s.PublicURL, n.Code, n.Rev)},
		Author: &feeds.Author{Name: c.BodyName(n.Body)}, Created: n.PublishedAt, Updated: n.PublishedAt}
}
