package wechatsim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Card is a message as it reached a person.
type Card struct {
	At          time.Time            `json:"at"`
	Channel     string               `json:"channel"` // template, bizsend, subscribe or custom
	App         string               `json:"app"`
	Person      string               `json:"person"`
	OpenID      string               `json:"openid"`
	TemplateID  *string              `json:"template_id"` // null for custom messages
	Title       *string              `json:"title"`
	Data        map[string]dataValue `json:"data"` // of the template; null for custom messages
	Text        *string              `json:"text"` // of custom messages
	URL         *string              `json:"url"`  // where a tap leads, or null
	Page        *string              `json:"page"` // in a mini-program, or null
	ClientMsgID *string              `json:"client_msg_id"`
	MsgID       string               `json:"msgid"`
	// Shown is false for a message that WeChat took and did not show, as of a
	// person who blocks the account.
	Shown bool `json:"shown"`
}

type dataValue struct {
	Value text `json:"value"`
}

// text is a JSON string, or a number taken as its digits, as WeChat does.
type text string

// UnmarshalJSON reads a string or a number.
func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, (*string)(t))
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	*t = text(n)
	return nil
}

// message is the body of the three calls that send templates.
type message struct {
	ToUser      string               `json:"touser"`
	TemplateID  string               `json:"template_id"`
	URL         string               `json:"url"`
	Page        string               `json:"page"`
	ClientMsgID string               `json:"client_msg_id"`
	Data        map[string]dataValue `json:"data"`
	State       string               `json:"miniprogram_state"`
	MiniProgram struct {
		AppID string `json:"appid"`
		Page  string `json:"pagepath"`
	} `json:"miniprogram"`
}

// duplicateWindow is how long a client_msg_id is remembered.
const duplicateWindow = 10 * time.Minute

// sendTemplate is /cgi-bin/message/template/send (类目模板消息).
func sendTemplate(s *Sim, c *call) outcome {
	m, st, t, err := s.readMessage(c, ByFollowing)
	if err != nil {
		return outcome{err: err}
	}
	switch {
	case st.blocked:
		return failed(43019)
	case !st.following:
		return failed(43004)
	}
	if err := s.finalChecks(c, t, m, m.MiniProgram.Page); err != nil {
		return outcome{err: err}
	}
	if m.ClientMsgID != "" {
		if earlier := s.earlier(st, m.ClientMsgID, c.now); earlier != nil {
			return sentOutcome(earlier.MsgID)
		}
	}
	card := s.newCard("template", st, t, m, c.now)
	status := s.receiptFault(st.account)
	if status == "" {
		status = "success"
		if st.muted {
			status = "failed:user block"
		}
	}
	s.deliver(st, t, card, status == "success")
	s.receive(c, st, finishEvent(card.MsgID, status))
	return sentOutcome(card.MsgID)
}

// sendOfficial is /cgi-bin/message/subscribe/bizsend (订阅通知).
func sendOfficial(s *Sim, c *call) outcome { return sendSubscribed(s, c, "bizsend") }

// sendMini is /cgi-bin/message/subscribe/send (小程序订阅消息).
func sendMini(s *Sim, c *call) outcome { return sendSubscribed(s, c, "subscribe") }

func sendSubscribed(s *Sim, c *call, channel string) outcome {
	m, st, t, err := s.readMessage(c, OneOff, LongTerm)
	if err != nil {
		return outcome{err: err}
	}
	consent := st.consents[t.ID]
	if st.blocked || consent == nil || consent.left == 0 && !consent.forever {
		return failed(43101)
	}
	page := m.Page
	if st.account.Kind == Official && isURL(page) {
		page = ""
	}
	if err := s.finalChecks(c, t, m, page); err != nil {
		return outcome{err: err}
	}
	if t.Type == OneOff {
		consent.left--
	}
	card := s.newCard(channel, st, t, m, c.now)
	failure := s.receiptFault(st.account)
	s.deliver(st, t, card, failure == "")
	s.receive(c, st, sentEvent(t.ID, card.MsgID, failure))
	return sentOutcome(card.MsgID)
}

// readMessage judges body, openid and template. The template must be of one of
// the types.
func (s *Sim) readMessage(c *call, types ...TemplateType) (message, *standing, Template, *apiError) {
	var m message
	if err := c.decode(&m); err != nil {
		return m, nil, Template{}, err
	}
	st, err := s.addressee(c.account, m.ToUser)
	if err != nil {
		return m, nil, Template{}, err
	}
	i := slices.IndexFunc(c.account.Templates, func(t Template) bool { return t.ID == m.TemplateID && slices.Contains(types, t.Type) })
	if i < 0 {
		return m, nil, Template{}, refuse(40037)
	}
	if c.account.banned[m.TemplateID] {
		return m, nil, Template{}, refuse(43116)
	}
	return m, st, c.account.Templates[i], nil
}

// finalChecks judge what is in the message, whether another is on its way, and
// the page it leads to.
func (s *Sim) finalChecks(c *call, t Template, m message, page string) *apiError {
	for _, k := range t.Keywords {
		v := string(m.Data[k.Key].Value)
		if v == "" {
			return refuseAs(47003, "argument invalid! data.%s.value is emtpy", k.Key) //nolint:misspell // as WeChat spells it
		}
		if !k.fits(v) {
			return refuseAs(47003, "argument invalid! data.%s.value invalid", k.Key)
		}
	}
	for key := range m.Data {
		if _, ok := t.keyword(key); !ok {
			return refuseAs(47003, "argument invalid! data.%s.value invalid", key)
		}
	}
	for _, k := range t.Keywords {
		for _, word := range s.sensitive {
			if strings.Contains(string(m.Data[k.Key].Value), word) {
				return refuse(45168)
			}
		}
	}
	if c.concurrent {
		return refuse(43108)
	}
	if page != "" && !pageForm.MatchString(page) {
		return refuse(41030)
	}
	return nil
}

// earlier finds the message that a client_msg_id has already sent.
func (s *Sim) earlier(st *standing, clientMsgID string, now time.Time) *Card {
	for _, card := range slices.Backward(st.keyed) {
		if now.Sub(card.At) >= duplicateWindow {
			return nil
		}
		if *card.ClientMsgID == clientMsgID {
			return card
		}
	}
	return nil
}

func (s *Sim) newCard(channel string, st *standing, t Template, m message, now time.Time) *Card {
	card := &Card{At: now, Channel: channel, App: st.account.App, Person: st.person.id, OpenID: st.openID,
		TemplateID: &t.ID, Title: &t.Title, Data: m.Data, MsgID: itoa(s.nextMsgID())}
	card.ClientMsgID = optional(m.ClientMsgID)
	switch {
	case channel == "template" && m.MiniProgram.Page != "":
		card.Page, card.URL = &m.MiniProgram.Page, optional(m.URL)
	case channel == "template":
		card.URL = optional(m.URL)
	case m.MiniProgram.Page != "":
		card.Page = &m.MiniProgram.Page
	case isURL(m.Page):
		card.URL = &m.Page
	default:
		card.Page = optional(m.Page)
	}
	return card
}

// deliver puts the card on the person's phone and into the record.
func (s *Sim) deliver(st *standing, t Template, card *Card, shown bool) {
	card.Shown = shown
	s.record(st, card)
	if !shown {
		return
	}
	b := Bubble{From: "account", Kind: "card", Title: t.Title, Service: st.account.Kind == Mini || !st.following}
	for _, k := range t.Keywords {
		b.Rows = append(b.Rows, Row{k.Label, string(card.Data[k.Key].Value)})
	}
	if card.URL != nil {
		b.Link = *card.URL
	}
	s.show(st, b)
}

func (s *Sim) record(st *standing, card *Card) {
	s.cards = append(s.cards, card)
	st.cards = append(st.cards, card)
	if card.ClientMsgID != nil {
		st.keyed = append(st.keyed, card)
	}
}

func sentOutcome(msgID string) outcome {
	return outcome{value: struct {
		Code    int             `json:"errcode"`
		Message string          `json:"errmsg"`
		MsgID   json.RawMessage `json:"msgid"`
	}{0, "ok", json.RawMessage(msgID)}}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func isURL(s string) bool { return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") }
