package handlers

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"gongkai/internal/disclosure"
)

// SubscriptionRequest documents what a person sends; disclosure.SubscriptionDraft
// reads it.
type SubscriptionRequest struct {
	Name      *string    `json:"name" validate:"optional"`
	Sectors   []string   `json:"sectors" validate:"optional"`
	Types     []string   `json:"types" validate:"optional"`
	Keywords  []string   `json:"keywords" validate:"optional"`
	Exclude   []string   `json:"exclude" validate:"optional"`
	Bodies    []string   `json:"bodies" validate:"optional"`
	Regions   []string   `json:"regions" validate:"optional"`
	AmountMin *string    `json:"amount_min" validate:"optional" extensions:"x-nullable"`
	AmountMax *string    `json:"amount_max" validate:"optional" extensions:"x-nullable"`
	Projects  []string   `json:"projects" validate:"optional"`
	Mode      string     `json:"mode" validate:"optional" enums:"immediate,daily"` // daily 每天 08:30 汇总；改动时限的更正和终止仍立即推送
	Quiet     *QuietView `json:"quiet" validate:"optional" extensions:"x-nullable"`
	Paused    bool       `json:"paused" validate:"optional"`
}

// SubscriptionView is a subscription as it is shown.
type SubscriptionView struct {
	ID        string     `json:"id"`
	Name      *string    `json:"name" extensions:"x-nullable"`
	Title     string     `json:"title"`
	Sectors   []string   `json:"sectors"`
	Types     []string   `json:"types"`
	Keywords  []string   `json:"keywords"`
	Exclude   []string   `json:"exclude"`
	Bodies    []string   `json:"bodies"`
	Regions   []string   `json:"regions"`
	AmountMin *string    `json:"amount_min" extensions:"x-nullable"`
	AmountMax *string    `json:"amount_max" extensions:"x-nullable"`
	Projects  []string   `json:"projects"`
	Mode      string     `json:"mode" enums:"immediate,daily"`
	Quiet     *QuietView `json:"quiet" extensions:"x-nullable"`
	Paused    bool       `json:"paused"`
	Source    string     `json:"source"`
	FeedURL   *string    `json:"feed_url" extensions:"x-nullable" example:"https://gk.example.gov.cn/api/v1/feeds/saved/01a2….atom?key=…"`
	CreatedAt string     `json:"created_at"`
	UpdatedAt string     `json:"updated_at"`
}

// QuietView is a span of quiet hours.
type QuietView struct {
	From string `json:"from" example:"22:00"`
	To   string `json:"to" example:"07:00"`
}

func (s *Server) subscriptionJSON(sub disclosure.Subscription, catalog *disclosure.Catalog) SubscriptionView {
	out := SubscriptionView{ID: sub.ID, Name: nullable(sub.Name), Title: sub.Title(catalog), Sectors: orEmpty(sub.Sectors), Types: orEmpty(sub.Types),
		Keywords: orEmpty(sub.Keywords), Exclude: orEmpty(sub.Exclude), Bodies: orEmpty(sub.Bodies), Regions: orEmpty(sub.Regions),
		Projects: orEmpty(sub.Projects), Mode: string(sub.Mode), Paused: sub.Paused, Source: sub.Source,
		CreatedAt: disclosure.FormatInstant(sub.CreatedAt), UpdatedAt: disclosure.FormatInstant(sub.UpdatedAt)}
	if sub.AmountMin != nil {
		out.AmountMin = amount(*sub.AmountMin, true)
	}
	if sub.AmountMax != nil {
		out.AmountMax = amount(*sub.AmountMax, true)
	}
	if s.Signer != nil {
		out.FeedURL = nullable(s.PublicURL + savedFeedPath(sub.ID, "atom") + "?key=" + s.Signer.FeedKey(sub.ID))
	}
	if sub.Quiet != nil {
		out.Quiet = &QuietView{disclosure.Clock(sub.Quiet.From), disclosure.Clock(sub.Quiet.To)}
	}
	return out
}

// SubscriptionList lists a person's subscriptions.
type SubscriptionList struct {
	Items       []SubscriptionView `json:"items"`
	Next        *string            `json:"next" extensions:"x-nullable"`
	Total       int                `json:"total"`
	TotalCapped bool               `json:"total_capped"`
	AsOf        string             `json:"as_of"`
}

// listSubscriptions lists the person's subscriptions, oldest first.
//
//	@Summary	本人的订阅
//	@Tags		个人
//	@Security	Bearer
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	SubscriptionList
//	@Router		/api/v1/me/subscriptions [get]
func (s *Server) listSubscriptions(c *fiber.Ctx) error {
	pg, err := readNumbered(c, "subscriptions")
	if err != nil {
		return err
	}
	subs, err := s.Subscribers.Subscriptions(c.UserContext(), personOf(c).N)
	if err != nil {
		return err
	}
	out := SubscriptionList{Items: []SubscriptionView{}, Total: len(subs), AsOf: disclosure.FormatInstant(s.Now())}
	var last int64
	for _, sub := range subs {
		if sub.N <= pg.after {
			continue
		}
		if len(out.Items) == pg.limit {
			out.Next = pg.next(true, last)
			break
		}
		last = sub.N
		out.Items = append(out.Items, s.subscriptionJSON(sub, s.Cache.Catalog()))
	}
	return sendJSON(c, out)
}

// subscription finds the one in the path among the person's own.
func (s *Server) subscription(c *fiber.Ctx) (disclosure.Subscription, error) {
	subs, err := s.Subscribers.Subscriptions(c.UserContext(), personOf(c).N)
	if err != nil {
		return disclosure.Subscription{}, err
	}
	for _, sub := range subs {
		if sub.ID == c.Params("id") {
			return sub, nil
		}
	}
	return disclosure.Subscription{}, disclosure.Errorf(disclosure.CodeNoSubscription, "您没有这个订阅")
}

// createSubscription subscribes.
//
//	@Summary	新建订阅
//	@Tags		个人
//	@Security	Bearer
//	@Param		subscription	body		SubscriptionRequest	true	"条件与送达方式；空的条件不限制"
//	@Success	201				{object}	SubscriptionView
//	@Failure	422				{object}	Problem
//	@Router		/api/v1/me/subscriptions [post]
func (s *Server) createSubscription(c *fiber.Ctx) error {
	c.Status(fiber.StatusCreated)
	return s.saveSubscription(c, disclosure.NewSubscription(uuid.NewString(), "h5", s.Now()))
}

// changeSubscription changes what the body names of a subscription.
//
//	@Summary	修改订阅
//	@Tags		个人
//	@Security	Bearer
//	@Param		id				path		string							true	"订阅的 id"
//	@Param		subscription	body		SubscriptionRequest	true	"要修改的部分"
//	@Success	200				{object}	SubscriptionView
//	@Router		/api/v1/me/subscriptions/{id} [patch]
func (s *Server) changeSubscription(c *fiber.Ctx) error {
	sub, err := s.subscription(c)
	if err != nil {
		return err
	}
	return s.saveSubscription(c, sub)
}

func (s *Server) saveSubscription(c *fiber.Ctx, base disclosure.Subscription) error {
	var in disclosure.SubscriptionDraft
	if err := readBody(c, &in); err != nil {
		return err
	}
	catalog := s.Cache.Catalog()
	sub, err := in.Apply(catalog, base)
	if err != nil {
		return err
	}
	sub.UpdatedAt = s.Now()
	if sub, err = s.Subscribers.SaveSubscription(c.UserContext(), personOf(c).N, sub); err != nil {
		return err
	}
	return sendJSON(c, s.subscriptionJSON(sub, catalog))
}

// getSubscription shows one subscription.
//
//	@Summary	一个订阅
//	@Tags		个人
//	@Security	Bearer
//	@Param		id	path		string	true	"订阅的 id"
//	@Success	200	{object}	SubscriptionView
//	@Router		/api/v1/me/subscriptions/{id} [get]
func (s *Server) getSubscription(c *fiber.Ctx) error {
	sub, err := s.subscription(c)
	if err != nil {
		return err
	}
	return sendJSON(c, s.subscriptionJSON(sub, s.Cache.Catalog()))
}

// deleteSubscription unsubscribes.
//
//	@Summary	退订
//	@Tags		个人
//	@Security	Bearer
//	@Param		id	path	string	true	"订阅的 id"
//	@Success	204
//	@Router		/api/v1/me/subscriptions/{id} [delete]
func (s *Server) deleteSubscription(c *fiber.Ctx) error {
	if err := s.Subscribers.DeleteSubscription(c.UserContext(), personOf(c).N, c.Params("id")); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
