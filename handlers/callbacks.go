package handlers

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"gongkai/internal/disclosure"
)

// CallbackDesk is the requests to be called back as staff work on them.
type CallbackDesk interface {
	Callbacks(ctx context.Context, q disclosure.CallbackQuery) (disclosure.CallbackPage, error)
	RevealCallback(ctx context.Context, a disclosure.Actor, id string) (disclosure.CallbackRequest, error)
	FinishCallback(ctx context.Context, a disclosure.Actor, id string, outcome disclosure.CallbackOutcome) (disclosure.CallbackRequest, error)
}

// Callbacks takes the requests of callers and hands them to staff.
type Callbacks interface {
	CallbackTaker
	CallbackDesk
}

// routeCallbacks mounts what staff do with the requests. The auditor sees that
// there are some, and no number.
func (s *Server) routeCallbacks(app *fiber.App, read, write fiber.Handler) {
	s.add(app, fiber.MethodGet, "/api/v1/staff/callbacks", read, s.listCallbacks)
	s.add(app, fiber.MethodPost, "/api/v1/staff/callbacks/:id/reveal", write, s.revealCallback)
	s.add(app, fiber.MethodPost, "/api/v1/staff/callbacks/:id/done", write, s.finishCallback)
}

// CallbackRequest is a caller who waits for a call. The number is masked but in
// the answer to reveal; null once it was erased.
type CallbackRequest struct {
	ID          string  `json:"id"`
	Status      string  `json:"status" enums:"open,done"`
	Number      *string `json:"number" extensions:"x-nullable" example:"138****1234"`
	Sector      *string `json:"sector" extensions:"x-nullable"`
	SectorName  *string `json:"sector_name" extensions:"x-nullable"`
	NoticeCode  *string `json:"notice_code" extensions:"x-nullable"`
	NoticeTitle *string `json:"notice_title" extensions:"x-nullable"`
	CreatedAt   string  `json:"created_at"`
	DueAt       string  `json:"due_at"`
	Overdue     bool    `json:"overdue"`
	DoneAt      *string `json:"done_at" extensions:"x-nullable"`
	DoneBy      *string `json:"done_by" extensions:"x-nullable"`
	Outcome     *string `json:"outcome" enums:"reached,no_answer,wrong_number,not_needed,expired" extensions:"x-nullable"`
	OutcomeName *string `json:"outcome_name" extensions:"x-nullable"`
	ErasedAt    *string `json:"erased_at" extensions:"x-nullable"`
}

// CallbackRequestList is a page of them.
type CallbackRequestList struct {
	Items       []CallbackRequest `json:"items"`
	Next        *string           `json:"next" extensions:"x-nullable"`
	Total       int               `json:"total"`
	TotalCapped bool              `json:"total_capped"`
	AsOf        string            `json:"as_of"`
}

// CallbackJSON writes a request for staff, as of now. number is what is shown of
// its number.
func CallbackJSON(r disclosure.CallbackRequest, number string, c *disclosure.Catalog, now time.Time) CallbackRequest {
	out := CallbackRequest{ID: r.ID, Status: r.Status(), Number: nullable(number), Sector: nullable(r.Sector), NoticeCode: nullable(r.Notice),
		NoticeTitle: nullable(r.NoticeTitle), CreatedAt: disclosure.FormatInstant(r.CreatedAt), DueAt: disclosure.FormatInstant(r.DueAt),
		Overdue: r.Overdue(now), DoneAt: instant(r.DoneAt), DoneBy: nullable(r.DoneBy), Outcome: nullable(string(r.Outcome)),
		OutcomeName: nullable(r.Outcome.Name()), ErasedAt: instant(r.ErasedAt)}
	if sector, err := c.Sector(r.Sector); err == nil {
		out.SectorName = &sector.Name
	}
	return out
}

func (s *Server) callbackJSON(r disclosure.CallbackRequest, number string) CallbackRequest {
	return CallbackJSON(r, number, s.Cache.Catalog(), s.Now())
}

// listCallbacks lists the requests: the open ones oldest first, else the newest.
//
//	@Summary	热线回电请求
//	@Tags		经办
//	@Security	Bearer
//	@Param		status	query		string		false	"open 待回电（先到的在前）或 done 已办结；缺省为全部，新的在前"	Enums(open, done)
//	@Param		page	query		PageParams	false	"分页"
//	@Success	200		{object}	CallbackRequestList
//	@Router		/api/v1/staff/callbacks [get]
func (s *Server) listCallbacks(c *fiber.Ctx) error {
	p := readParams(c, "status", "limit", "cursor")
	q := disclosure.CallbackQuery{Bodies: actorOf(c).Bodies, Limit: p.limit(disclosure.DefaultLimit),
		Status: p.oneOf("status", "状态", func(v string) bool { return v == disclosure.CallbackOpen || v == disclosure.CallbackDone })}
	list := "callbacks?status=" + q.Status
	q.After = p.cursor(list)
	if err := p.err(); err != nil {
		return err
	}
	page, err := s.Callbacks.Callbacks(c.UserContext(), q)
	if err != nil {
		return err
	}
	out := CallbackRequestList{Items: []CallbackRequest{}, Total: page.Total, TotalCapped: page.TotalCapped, AsOf: disclosure.FormatInstant(s.Now())}
	for _, r := range page.Items {
		out.Items = append(out.Items, s.callbackJSON(r, r.Number.Masked()))
	}
	if page.More {
		next := disclosure.Cursor{A: page.Items[len(page.Items)-1].N}.Encode(list)
		out.Next = &next
	}
	return sendJSON(c, out)
}

// revealCallback shows the whole number, and the audit trail who saw it.
//
//	@Summary	查看回电号码（记入审计日志）
//	@Tags		经办
//	@Security	Bearer
//	@Param		id	path		string	true	"请求的 id"
//	@Success	200	{object}	CallbackRequest
//	@Failure	404	{object}	Problem
//	@Failure	410	{object}	Problem	"号码已按期清除"
//	@Router		/api/v1/staff/callbacks/{id}/reveal [post]
func (s *Server) revealCallback(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	if err := readBody(c, &struct{}{}); err != nil {
		return err
	}
	r, err := s.Callbacks.RevealCallback(c.UserContext(), actorOf(c), strings.Clone(c.Params("id")))
	if err != nil {
		return err
	}
	return sendJSON(c, s.callbackJSON(r, string(r.Number)))
}

// CallbackDone says how a request ended.
type CallbackDone struct {
	Outcome string `json:"outcome" enums:"reached,no_answer,wrong_number,not_needed"`
}

// finishCallback ends a request; its number is erased some days later.
//
//	@Summary	办结回电请求
//	@Tags		经办
//	@Security	Bearer
//	@Param		id		path		string			true	"请求的 id"
//	@Param		done	body		CallbackDone	true	"结果：reached 已回电、no_answer 多次未接通、wrong_number 号码有误、not_needed 已不需要"
//	@Success	200		{object}	CallbackRequest
//	@Failure	404		{object}	Problem
//	@Failure	409		{object}	Problem	"已经办结"
//	@Router		/api/v1/staff/callbacks/{id}/done [post]
func (s *Server) finishCallback(c *fiber.Ctx) error {
	if err := readParams(c).err(); err != nil {
		return err
	}
	var done CallbackDone
	if err := readBody(c, &done); err != nil {
		return err
	}
	r, err := s.Callbacks.FinishCallback(c.UserContext(), actorOf(c), strings.Clone(c.Params("id")), disclosure.CallbackOutcome(done.Outcome))
	if err != nil {
		return err
	}
	return sendJSON(c, s.callbackJSON(r, r.Number.Masked()))
}

// CallbackCounter counts the requests for the metrics.
type CallbackCounter interface {
	CallbackCounts(ctx context.Context, now time.Time) (disclosure.CallbackCounts, error)
}

// callbackCollector shows how many callers wait: an alert on the overdue ones
// finds a promise that was not kept.
type callbackCollector struct {
	counter CallbackCounter
	now     func() time.Time
}

var (
	openCallbacksDesc    = prometheus.NewDesc("gongkai_ivr_callbacks_open", "Callers who wait to be called back.", nil, nil)
	overdueCallbacksDesc = prometheus.NewDesc("gongkai_ivr_callbacks_overdue", "Callers who were not called back by when it was promised.", nil, nil)
)

// Describe implements prometheus.Collector.
func (k callbackCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- openCallbacksDesc
	ch <- overdueCallbacksDesc
}

// Collect implements prometheus.Collector. While the database is out of reach
// there is nothing to tell.
func (k callbackCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // a scrape begins here
	defer cancel()
	n, err := k.counter.CallbackCounts(ctx, k.now())
	if err != nil {
		return
	}
	ch <- prometheus.MustNewConstMetric(openCallbacksDesc, prometheus.GaugeValue, float64(n.Open))
	ch <- prometheus.MustNewConstMetric(overdueCallbacksDesc, prometheus.GaugeValue, float64(n.Overdue))
}
