package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/workday"
)

var (
	towns    = []string{"盐东镇", "新兴镇", "南洋镇", "便仓镇", "黄尖镇", "五星街道", "亭湖区", ""}
	works    = []string{"道路改造工程", "小学食堂设备采购", "污水管网", "公共租赁住房", "卫生院医用耗材", "国有建设用地使用权", "Ｗｉ-Ｆｉ６覆盖", "𠮷祥小区 B-12 幢"}
	projects = []string{"TH2026-001", "th2026-001", "ＴＨ２０２６－００２", "TH2026-0021", "YD-2026-0007", "G2026/12", "亭发改审〔2026〕5号", "320902.A_9"}
	regions  = []string{"320902", "320902100", "320902103", ""}
)

// corpus builds a body of notices in a store.
type corpus struct {
	t       testing.TB
	s       *store.Store
	rng     *rand.Rand
	at      time.Time
	notices map[string]disclosure.Notice
	order   []string
}

// Corpus publishes n notices over every type of the catalogue, with their
// corrections, terminations and withdrawals, and leaves some unpublished. It
// returns all as they stand in the end. One seed always makes the same, but for
// the ids.
func Corpus(t testing.TB, s *store.Store, seed uint64, n int) []disclosure.Notice {
	t.Helper()
	c := &corpus{t: t, s: s, rng: rand.New(rand.NewPCG(seed, 7)), at: Start, notices: map[string]disclosure.Notice{}}
	types := s.Catalog().Types
	for i := 0; i < n; {
		var ts []disclosure.Transition
		for ; i < n && len(ts) < 60; i++ {
			ts = append(ts, c.enter(types[i%len(types)], i)...)
		}
		c.apply(ts)
	}
	for _, id := range append([]string{}, c.order...) {
		if n := c.notices[id]; n.Status == disclosure.StatusPublished {
			c.change(n)
		}
	}
	out := make([]disclosure.Notice, 0, len(c.order))
	for _, id := range c.order {
		out = append(out, c.notices[id])
	}
	return out
}

// apply commits and remembers how the notices stand.
func (c *corpus) apply(ts []disclosure.Transition) {
	c.t.Helper()
	done, err := c.s.Apply(context.Background(), nil, ts...)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range done {
		if _, ok := c.notices[n.ID]; !ok {
			c.order = append(c.order, n.ID)
		}
		c.notices[n.ID] = n
	}
}

// next is the instant of the next step: clocks of two machines may differ, so
// time does not quite follow the order of publication.
func (c *corpus) next() time.Time {
	c.at = c.at.Add(time.Duration(c.rng.IntN(150)) * time.Minute)
	return c.at.Add(time.Duration(c.rng.IntN(600)-300) * time.Minute)
}

// enter decides on a new notice; one in twelve does not get as far as
// publication.
func (c *corpus) enter(typ *disclosure.NoticeType, i int) []disclosure.Transition {
	c.t.Helper()
	content := c.content(typ, i)
	at := c.next()
	if i%12 != 11 {
		pair := Published(c.t, c.s.Catalog(), content, at)
		return pair[:]
	}
	created, err := disclosure.Create(newID(), content, 0, Editor, at)
	if err != nil {
		c.t.Fatal(err)
	}
	ts := []disclosure.Transition{created}
	if i%24 == 11 {
		submitted, err := created.Notice.Submit(nil, disclosure.Acknowledgement{}, Editor, at)
		if err != nil {
			c.t.Fatal(err)
		}
		ts = append(ts, submitted)
	}
	return ts
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// content varies what lists filter by: title, body, region, project, items,
// amount and deadline.
func (c *corpus) content(typ *disclosure.NoticeType, i int) disclosure.Content {
	c.t.Helper()
	catalog := c.s.Catalog()
	d := Draft(c.t, catalog, typ.Code, fmt.Sprintf("%s%s%s（%d）", pick(c.rng, towns), pick(c.rng, works), typ.Name, 2024+i%3))
	d.Body = catalog.Bodies[c.rng.IntN(5)].ID
	region := pick(c.rng, regions)
	d.Region = &region
	if c.rng.IntN(3) > 0 {
		d.Project = &disclosure.Project{Code: pick(c.rng, projects), Name: "某某项目"}
	}
	if c.rng.IntN(4) == 0 {
		d.Items = []string{catalog.Items[c.rng.IntN(8)].ID, catalog.Items[c.rng.IntN(8)].ID}
	}
	if typ.AmountField != "" {
		c.vary(d.Fields, typ.AmountField, disclosure.FormatMoney(disclosure.Money(c.rng.Int64N(200)*50_000)))
	}
	if f, ok := typ.Field(typ.DeadlineField); ok {
		end := workday.DateOf(Start).AddDays(c.rng.IntN(40))
		switch f.Kind {
		case disclosure.FieldDatetime:
			c.vary(d.Fields, f.Key, disclosure.FormatInstant(end.Start().Add(10*time.Hour)))
		case disclosure.FieldDate:
			c.vary(d.Fields, f.Key, end.String())
		default:
			c.vary(d.Fields, f.Key, map[string]string{"from": workday.DateOf(Start).String(), "to": end.String()})
		}
	}
	content, err := d.Content(catalog, disclosure.References{})
	if err != nil {
		c.t.Fatalf("%s: %v", typ.Code, err)
	}
	return content
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// vary sets a field, or now and then leaves it out.
func (c *corpus) vary(fields map[string]json.RawMessage, key string, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	fields[key] = raw
	if c.rng.IntN(6) == 0 {
		delete(fields, key)
	}
}

// change corrects, terminates or withdraws some of what was published.
func (c *corpus) change(n disclosure.Notice) {
	c.t.Helper()
	switch c.rng.IntN(12) {
	case 0:
		c.apply(Amended(c.t, c.s.Catalog(), n, map[string]json.RawMessage{"title": json.RawMessage(strconv.Quote(n.Title + "（已更正）"))}, c.next()))
	case 1:
		c.apply(Amended(c.t, c.s.Catalog(), n, nil, c.next()))
	case 2:
		withdrawn, err := n.Withdraw("内容有误", c.rng.IntN(3) == 0, Reviewer, c.next())
		if err != nil {
			c.t.Fatal(err)
		}
		c.apply([]disclosure.Transition{withdrawn})
	}
}

// Amended decides on the correction of a published notice, or with no changes on
// its termination: the new linked notice, its publication, and the original's
// new revision.
func Amended(t testing.TB, catalog *disclosure.Catalog, n disclosure.Notice, changes map[string]json.RawMessage, at time.Time) []disclosure.Transition {
	t.Helper()
	draft, err := n.Termination("项目不再实施")
	if changes != nil {
		draft, err = n.Correction(changes, "原公告有误")
	}
	if err != nil {
		t.Fatal(err)
	}
	refs := References(n)
	content, err := draft.Content(catalog, refs)
	if err != nil {
		t.Fatal(err)
	}
	pair := Published(t, catalog, content, at)
	pair[0].Notice.BaseRev, pair[1].Notice.BaseRev = n.Rev, n.Rev
	changed := n.Content
	if changes != nil {
		if changed, err = catalog.ChangedContent(n.Content, changes, refs); err != nil {
			t.Fatal(err)
		}
	}
	amend, err := n.Amend(pair[1].Notice, changed, Reviewer, at)
	if err != nil {
		t.Fatal(err)
	}
	return []disclosure.Transition{pair[0], pair[1], amend}
}

// References are the notice itself and what it refers to.
func References(n disclosure.Notice) disclosure.References {
	refs := disclosure.References{Files: map[string]disclosure.Attachment{}, Notices: map[string]string{n.ID: n.ID}}
	for _, r := range n.Relations {
		refs.Notices[r.ID] = r.ID
	}
	for _, f := range n.Attachments {
		refs.Files[f.ID] = f
	}
	return refs
}
