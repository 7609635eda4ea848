package handlers

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/throttled/throttled/v2"
	"github.com/valyala/fasthttp"

	"gongkai/internal/disclosure"
)

// Guard is the privacy check and what people may ask of lists of persons.
type Guard interface {
	Checks(ctx context.Context, n disclosure.StaffNotice) ([]disclosure.Finding, error)
	OverridePrivacy(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef, reason string) (disclosure.Outcome, error)
	Lookup(ctx context.Context, q disclosure.LookupQuery) (disclosure.LookupResult, error)
}

// PrivacyOverride says who let personal data pass, and why.
type PrivacyOverride struct {
	By     string  `json:"by"`
	At     string  `json:"at"`
	Reason *string `json:"reason" extensions:"x-nullable"`
}

// PurgedPlace is one line of the receipt of an erasure. done is false for a
// place that could not be reached, and that forgets by itself within minutes.
type PurgedPlace struct {
	Place string `json:"place" example:"search"`
	Name  string `json:"name"`
	Count int64  `json:"count"`
	Done  bool   `json:"done"`
	At    string `json:"at"`
}

// overridePrivacy lets personal data pass that the privacy check found.
//
//	@Summary	对个人信息检查结果放行（须由录入人以外的人说明理由）
//	@Tags		经办
//	@Security	Bearer
//	@Param		headers	header		StepHeaders	false	"前提"
//	@Param		id		path		string		true	"公告的 id"
//	@Param		body	body		ReasonBody	true	"必须公开的理由"
//	@Success	200		{object}	StaffNotice
//	@Router		/api/v1/staff/notices/{id}/privacy-override [post]
func (s *Server) overridePrivacy(c *fiber.Ctx) error {
	var b ReasonBody
	return s.step(c, &b, func(ctx context.Context, r disclosure.Request, ref disclosure.NoticeRef) (disclosure.Outcome, error) {
		return s.Publisher.OverridePrivacy(ctx, r, ref, b.Reason)
	})
}

// guardJSON fills in what the privacy check and an erasure left in a staff notice.
func guardJSON(out *StaffNotice, n disclosure.StaffNotice) {
	out.Purged = []PurgedPlace{}
	for _, p := range n.Purged {
		out.Purged = append(out.Purged, PurgedPlace{p.Place, p.Name(), p.Count, p.Done, disclosure.FormatInstant(p.At)})
	}
	if st, ok := n.Overridden(); ok {
		out.PrivacyOverride = &PrivacyOverride{st.By, disclosure.FormatInstant(st.At), nullable(st.Comment)}
	}
}

// LookupBody asks for one's own row of a housing list.
type LookupBody struct {
	Batch        string `json:"batch" example:"2026年第一批"`
	AcceptanceNo string `json:"acceptance_no" example:"TH20260018"`
	IDTail       string `json:"id_tail" example:"0006"`
}

// LookupAnswer is one's own row, masked as on the list.
type LookupAnswer struct {
	Batch        string       `json:"batch"`
	AcceptanceNo string       `json:"acceptance_no"`
	Notice       LookupNotice `json:"notice"`
	Row          []FieldValue `json:"row"`
	AsOf         string       `json:"as_of"`
}

// LookupNotice names the list a row is from.
type LookupNotice struct {
	ID          string  `json:"id"`
	Code        string  `json:"code"`
	Rev         int     `json:"rev"`
	Title       string  `json:"title"`
	Type        string  `json:"type"`
	TypeName    string  `json:"type_name"`
	Body        Named   `json:"body"`
	Source      Source  `json:"source"`
	PublishedAt *string `json:"published_at" extensions:"x-nullable"`
	DeadlineAt  *string `json:"deadline_at" extensions:"x-nullable"`
}

// lookupHousing answers with a person's own row. Every query that finds nothing
// is answered alike, and all are counted: the end of an ID number that is masked
// but for two digits must not be found by trying.
//
//	@Summary	本人查询住房分配名单
//	@Tags		住房
//	@Param		body	body		LookupBody	true	"批次（或公告编号）、受理编号和身份证件号码的最后四位"
//	@Success	200		{object}	LookupAnswer
//	@Failure	404		{object}	Problem
//	@Failure	429		{object}	Problem
//	@Router		/api/v1/housing/lookup [post]
func (s *Server) lookupHousing(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	if err := readParams(c).err(); err != nil {
		return err
	}
	var b LookupBody
	if err := readBody(c, &b); err != nil {
		return err
	}
	q, err := disclosure.ParseLookup(b.Batch, b.AcceptanceNo, b.IDTail)
	if err != nil {
		return err
	}
	client := limitKey(clientIP(c.Context(), s.Trusted))
	if !s.lookups.client.admit(s, c.Context(), client) || !s.lookups.number.admit(s, c.Context(), q.AcceptanceNo) {
		return nil // answered 429
	}
	r, err := s.Publisher.Lookup(c.UserContext(), q)
	if err != nil {
		return err
	}
	return sendJSON(c, lookupJSON(r, b, s.Now()))
}

func lookupJSON(r disclosure.LookupResult, b LookupBody, now time.Time) LookupAnswer {
	t := typeOf(r.Catalog, r.Type, r.TypeVersion)
	out := LookupAnswer{Batch: b.Batch, AcceptanceNo: b.AcceptanceNo, Row: []FieldValue{}, AsOf: disclosure.FormatInstant(now),
		Notice: LookupNotice{ID: r.ID, Code: r.Code, Rev: r.Rev, Title: r.Title, Type: r.Type, TypeName: t.Name,
			Body: Named{r.Body, r.Catalog.BodyName(r.Body)}, Source: Source{r.Source.Name, nullable(r.Source.URL)},
			PublishedAt: instant(r.PublishedAt), DeadlineAt: instant(r.DeadlineAt(t))}}
	for _, col := range r.Table.Columns {
		if v := r.Row[col.Key]; v != nil {
			out.Row = append(out.Row, FieldValue{col.Key, col.Label, v, col.Display(v)})
		}
	}
	return out
}

// quota limits something to a rate for each key.
type quota struct{ limiter *throttled.GCRARateLimiterCtx }

// lookupQuotas bound the trying of numbers: by one client, and for one
// acceptance number from anywhere, the telephone included.
type lookupQuotas struct{ client, number quota }

func newLookupQuotas(now func() time.Time) (lookupQuotas, error) {
	client, err := newLimiter(throttled.RateQuota{MaxRate: throttled.PerMin(20), MaxBurst: 19}, now)
	if err != nil {
		return lookupQuotas{}, err
	}
	number, err := newLimiter(throttled.RateQuota{MaxRate: throttled.PerHour(10), MaxBurst: 9}, now)
	return lookupQuotas{quota{client}, quota{number}}, err
}

// take counts one attempt. If there were too many, ok is false and wait is the
// time to the next. An attempt that races with others for the counter is refused
// too: here no limit may be passed by haste.
func (q quota) take(ctx context.Context, key string) (wait time.Duration, ok bool) {
	limited, result, err := q.limiter.RateLimitCtx(ctx, key, 1)
	return result.RetryAfter, err == nil && !limited
}

// admit counts one attempt, or answers 429.
func (q quota) admit(s *Server, ctx *fasthttp.RequestCtx, key string) bool {
	wait, ok := q.take(ctx, key)
	if ok {
		return true
	}
	seconds := max(int((wait+time.Second-1)/time.Second), 1)
	ctx.Response.Header.Set(fiber.HeaderRetryAfter, strconv.Itoa(seconds))
	s.fail(ctx, disclosure.Errorf(disclosure.CodeRateLimited, "查询过于频繁，请在 %d 秒后重试", seconds))
	return false
}
