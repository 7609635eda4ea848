package push

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/workday"
)

func shanghaiDay(t time.Time) workday.Date { return workday.DateOf(t) }

// errNothingToSay means that everything a digest was to tell is withdrawn or
// paused.
var errNothingToSay = errors.New("push: nothing to say")

// errOlder means that the notice has a newer revision than the event tells of: a
// card made now would say what the newer event's own card is about to say.
var errOlder = errors.New("push: the notice has a newer revision")

// cardCache keeps the cards of the events under way, fitted to their templates:
// one read serves all people.
type cardCache struct {
	mu      sync.Mutex
	entries map[cardKey]fittedCard
}

type cardKey struct {
	event   int64
	neutral bool
	channel disclosure.Channel
	app     string
	id      string // of the template
}

type fittedCard struct {
	disclosure.Card
	fields []disclosure.FittedField
}

func fitted(c disclosure.Card, kind disclosure.EventKind, t *disclosure.CardTemplate) fittedCard {
	c.Why = why(c, kind)
	return fittedCard{c, t.Fit(c)}
}

const maxCards = 1_000

// card returns what the event says of its notice, while the revision it tells of
// is the public one; after that it is errOlder.
func (p *Push) card(ctx context.Context, d disclosure.Delivery, t *disclosure.CardTemplate) (fittedCard, error) {
	k := cardKey{d.Event, d.Neutral, t.Channel, t.App, t.ID}
	p.cards.mu.Lock()
	known, ok := p.cards.entries[k]
	p.cards.mu.Unlock()
	if ok {
		return known, nil
	}
	n, err := p.store.Notice(ctx, disclosure.NoticeRef{ID: d.NoticeID})
	if err != nil {
		return fittedCard{}, err
	}
	if n.Rev > d.Rev {
		return fittedCard{}, errOlder
	}
	typ, err := n.Catalog.TypeAt(n.Type, n.TypeVersion)
	if err != nil {
		return fittedCard{}, err
	}
	c := disclosure.NewCard(n.Notice, d.Kind, typ, n.Catalog)
	if d.Neutral {
		c.Title = disclosure.NeutralTitle
	}
	made := fitted(c, d.Kind, t)
	p.cards.mu.Lock()
	defer p.cards.mu.Unlock()
	if len(p.cards.entries) >= maxCards {
		clear(p.cards.entries)
	}
	p.cards.entries[k] = made
	return made, nil
}

// digestCard sums up what waited for the day's digest.
func (p *Push) digestCard(ctx context.Context, d disclosure.Delivery, t *disclosure.CardTemplate) (fittedCard, error) {
	list, count, err := p.store.Bundled(ctx, d.Event, d.Person, 1)
	if err != nil {
		return fittedCard{}, err
	}
	if count == 0 {
		return fittedCard{}, errNothingToSay
	}
	title := list[0].Title
	if count > 1 {
		title = fmt.Sprintf("%d条新公告：%s", count, title)
	}
	if d.Neutral {
		title = disclosure.NeutralTitle
	}
	return fitted(disclosure.Card{Title: disclosure.MaskCardText(title), Sector: "每日汇总", Type: "每日汇总", Body: list[0].Source.Name,
		Source: list[0].Source.Name, Code: list[0].Code, Status: disclosure.EventDigest.Word(), Published: p.now()}, d.Kind, t), nil
}

// message makes what is sent for a job.
func (p *Push) message(ctx context.Context, j job) (Message, error) {
	d := j.Delivery
	t, err := p.template(d)
	if err != nil {
		return Message{}, err
	}
	a := accountFor(&t, j.to, p.now())
	if a == nil {
		return Message{}, fmt.Errorf("push: delivery %d: the account is gone", d.N)
	}
	cardOf := p.card
	if d.Kind == disclosure.EventDigest {
		cardOf = p.digestCard
	}
	card, err := cardOf(ctx, d, &t)
	if err != nil {
		return Message{}, err
	}
	signed := p.signer.Sign(d.N)
	link := p.PublicURL + "/n/" + card.Code + "?why=" + signed
	if d.Kind == disclosure.EventDigest {
		link = p.PublicURL + "/why/" + signed
	}
	m := Message{Channel: d.Channel, App: d.App, OpenID: a.OpenID, Template: d.Template, Fields: card.fields, URL: link, Key: key(d)}
	if p.MiniPage != "" {
		m.Page = p.MiniPage + url.QueryEscape(card.Code) + "&why=" + signed
	}
	if d.Channel == disclosure.ChannelService {
		m.Text = serviceText(card.Card, link)
	}
	return m, nil
}

// why says why a card came and, of one about a notice that the person may have a
// card of, what is new. It is written for a field of 20 characters.
func why(c disclosure.Card, kind disclosure.EventKind) string {
	source := "来自您的订阅：" + c.Sector
	if kind == disclosure.EventCorrected || kind == disclosure.EventTerminated {
		return c.Status + "，" + source
	}
	return source
}

// serviceText is a card as a customer-service message.
func serviceText(c disclosure.Card, link string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "【%s】%s\n来源：%s\n", c.Status, c.Title, c.Source)
	if until := c.Value("deadline"); until != "" {
		fmt.Fprintf(&b, "截止：%s\n", until)
	}
	fmt.Fprintf(&b, "详情：%s\n%s。回复“暂停”可停收。", link, c.Why)
	return b.String()
}
