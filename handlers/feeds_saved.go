package handlers

import (
	"context"
	"crypto/subtle"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"gongkai/internal/disclosure"
)

func savedFeedPath(id, format string) string { return "/api/v1/feeds/saved/" + id + "." + format }

// getSavedFeed returns the newest notices that a subscription matches. The key
// is part of the address, as feed readers send nothing else; it is in feed_url of
// the subscription. A wrong key and a deleted subscription look the same.
//
//	@Summary	个人订阅的订阅源（Atom、JSON Feed）
//	@Tags		公告
//	@Produce	application/atom+xml,application/feed+json
//	@Param		file	path		string	true	"订阅的 id，加 .atom 或 .json"
//	@Param		key		query		string	true	"订阅的 feed_url 中的密钥"
//	@Success	200		{object}	object
//	@Failure	404		{object}	Problem
//	@Router		/api/v1/feeds/saved/{file} [get]
func (s *Server) getSavedFeed(c *fiber.Ctx) error {
	p := readParams(c, "key")
	key := p.text("key", 100)
	if err := p.err(); err != nil {
		return err
	}
	id, format, _ := strings.Cut(strings.Clone(c.Params("file")), ".")
	if s.Signer == nil || subtle.ConstantTimeCompare([]byte(s.Signer.FeedKey(id)), []byte(key)) != 1 {
		return disclosure.Errorf(disclosure.CodeNoSubscription, "没有这个订阅源，请从订阅中重新复制地址")
	}
	sub, err := s.Subscribers.SavedSubscription(c.UserContext(), id)
	if err != nil {
		return err
	}
	head := feedHead{format: format, self: savedFeedPath(id, format), path: "/subscribe", title: sub.Title(s.Cache.Catalog()) + " · " + s.Pages.siteName(), private: true}
	kept := "feed/" + head.self + "?" + strconv.FormatInt(sub.UpdatedAt.UnixMilli(), 10)
	return s.answerFeed(c, head, kept, func(ctx context.Context) (disclosure.NoticePage, error) {
		return s.matching(ctx, sub.Filter)
	})
}

// savedCandidates is how many of the newest notices a saved feed looks at for
// each of its words: what is older is no news.
const savedCandidates = 3 * disclosure.MaxLimit

// matching reads the newest notices that a filter wants.
func (s *Server) matching(ctx context.Context, f disclosure.Filter) (disclosure.NoticePage, error) {
	words := f.Keywords
	if len(words) == 0 {
		words = []string{""}
	}
	var out disclosure.NoticePage
	seen := map[string]bool{}
	for i, word := range words {
		q := disclosure.NoticeQuery{Sectors: f.Sectors, Types: f.Types, AmountMin: f.AmountMin, AmountMax: f.AmountMax, Q: word,
			Sort: disclosure.SortPublished, Limit: disclosure.MaxLimit}
		for looked, found := 0, 0; looked < savedCandidates && found < feedRows; looked += q.Limit {
			page, err := s.Reader.Notices(ctx, q, s.Now())
			if err != nil {
				return out, err
			}
			if i == 0 && looked == 0 {
				out = page
				out.Items = nil
			}
			wanted, err := s.wanted(ctx, f, page, seen)
			if err != nil {
				return out, err
			}
			out.Items, found = append(out.Items, wanted...), found+len(wanted)
			if q.After = page.Next; q.After == nil {
				break
			}
		}
	}
	slices.SortStableFunc(out.Items, func(a, b disclosure.Summary) int { return b.PublishedAt.Compare(a.PublishedAt) })
	out.Items = out.Items[:min(len(out.Items), feedRows)]
	return out, nil
}

// wanted picks what the filter wants of a page, but for what was seen before.
func (s *Server) wanted(ctx context.Context, f disclosure.Filter, page disclosure.NoticePage, seen map[string]bool) ([]disclosure.Summary, error) {
	var out []disclosure.Summary
	for _, n := range page.Items {
		if seen[n.ID] {
			continue
		}
		seen[n.ID] = true
		if !f.Plain() {
			d, err := s.Reader.Notice(ctx, disclosure.NoticeRef{ID: n.ID})
			if isCode(err, disclosure.CodeWithdrawn) || isCode(err, disclosure.CodeNotFound) {
				continue // withdrawn since the list was read
			}
			if err != nil {
				return nil, err
			}
			if !f.Matches(d.Subject(typeOf(d.Catalog, d.Type, d.TypeVersion), d.Catalog)) {
				continue
			}
		}
		out = append(out, n)
	}
	return out, nil
}
