package wechatsim

import (
	"strings"
	"unicode/utf8"
)

// customMessage is the body of /cgi-bin/message/custom/send (客服消息).
type customMessage struct {
	ToUser string `json:"touser"`
	Type   string `json:"msgtype"`
	Text   struct {
		Content string `json:"content"`
	} `json:"text"`
	News struct {
		Articles []struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			URL         string `json:"url"`
			Picture     string `json:"picurl"`
		} `json:"articles"`
	} `json:"news"`
	Page struct {
		Title string `json:"title"`
		AppID string `json:"appid"`
		Path  string `json:"pagepath"`
	} `json:"miniprogrampage"`
	Menu struct {
		Head string `json:"head_content"`
		List []struct {
			ID      text   `json:"id"`
			Content string `json:"content"`
		} `json:"list"`
		Tail string `json:"tail_content"`
	} `json:"msgmenu"`
}

const maxCustomBytes = 2048

// sendCustom is /cgi-bin/message/custom/send.
func sendCustom(s *Sim, c *call) outcome {
	var m customMessage
	if err := c.decode(&m); err != nil {
		return outcome{err: err}
	}
	st, err := s.addressee(c.account, m.ToUser)
	if err != nil {
		return outcome{err: err}
	}
	switch {
	case st.blocked:
		return failed(43019)
	case st.muted:
		return failed(48002)
	}
	b, err := m.bubble()
	if err != nil {
		return outcome{err: err}
	}
	for _, word := range s.sensitive {
		if strings.Contains(b.Text, word) {
			return failed(45168)
		}
	}
	if c.concurrent {
		return failed(43108)
	}
	if err := st.take(c.now); err != nil {
		return outcome{err: err}
	}
	card := &Card{At: c.now, Channel: "custom", App: c.account.App, Person: st.person.id, OpenID: st.openID,
		Text: &b.Text, URL: optional(b.Link), MsgID: itoa(s.nextMsgID()), Shown: true}
	if m.Type == "miniprogrampage" {
		card.Page = &m.Page.Path
	}
	s.record(st, card)
	s.show(st, b)
	return done
}

// bubble is how the phone shows the message.
func (m customMessage) bubble() (Bubble, *apiError) {
	b := Bubble{From: "account", Kind: m.Type}
	switch m.Type {
	case "text":
		b.Text = m.Text.Content
	case "news":
		if len(m.News.Articles) != 1 {
			return b, refuseAs(45008, "article size out of limit")
		}
		a := m.News.Articles[0]
		b.Text, b.Link = a.Title, a.URL
		b.Items = []Article{{a.Title, a.Description, a.Picture, a.URL}}
	case "miniprogrampage":
		b.Kind, b.Text, b.Title = "page", m.Page.Title, m.Page.Title
	case "msgmenu":
		b.Kind, b.Text = "menu", m.Menu.Head
		for _, choice := range m.Menu.List {
			b.Rows = append(b.Rows, Row{string(choice.ID), choice.Content})
		}
		b.Title = m.Menu.Tail
	default:
		return b, refuseAs(40008, "invalid message type")
	}
	if b.Text == "" {
		return b, refuseAs(44004, "empty content")
	}
	if len(b.Text) > maxCustomBytes || !utf8.ValidString(b.Text) {
		return b, refuseAs(45002, "content size out of limit")
	}
	return b, nil
}

// sendTyping is /cgi-bin/message/custom/typing, which the phone need not show.
func sendTyping(s *Sim, c *call) outcome {
	var in struct {
		ToUser string `json:"touser"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	if _, err := s.addressee(c.account, in.ToUser); err != nil {
		return outcome{err: err}
	}
	return done
}
