package wechatsim

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// person is one WeChat user.
type person struct {
	id, name, unionID string
	standing          map[*account]*standing
}

// standing is how a person stands to one account.
type standing struct {
	person  *person
	account *account
	openID  string

	following  bool
	followedAt time.Time
	scene      string // of the QR code they followed by
	muted      bool   // 拒收消息
	blocked    bool   // on the account's blacklist
	consents   map[string]*consent

	// Customer-service messages are allowed while a window is open and holds.
	said, acted window

	chat     []*Bubble
	cards    []*Card
	keyed    []*Card // those with a client_msg_id
	underway *call   // the message on its way to this person
	key      string
}

// consent is what a person has accepted of one template.
type consent struct {
	left    int  // messages, for one-off templates
	forever bool // for long-term templates
}

// window allows left messages until an instant.
type window struct {
	until time.Time
	left  int
}

// The windows of customer-service messages.
const (
	saidFor, saidMessages   = 48 * time.Hour, 5 // after a message of the person
	actedFor, actedMessages = time.Minute, 3    // after a menu click, a scan or following
	enteredFor, enteredMsgs = time.Minute, 2    // after entering a mini-program's conversation
)

const (
	maxPeople  = 200_000
	maxBubbles = 200 // kept of one conversation
)

var errName = errors.New("姓名应为 1 到 20 个字")

// addPerson makes a person who follows nothing. The ids follow from how many
// there are, so the same order makes the same people after a restart.
func (s *Sim) addPerson(name string) (*person, error) {
	name = strings.TrimSpace(name)
	if n := utf8.RuneCountInString(name); n < 1 || n > 20 || !utf8.ValidString(name) {
		return nil, errName
	}
	if len(s.people) >= maxPeople {
		return nil, errors.New("人数已到上限")
	}
	id := "p" + itoa(int64(len(s.people)+1))
	p := &person{id: id, name: name, unionID: "oU" + stableWord(26, "union", id), standing: map[*account]*standing{}}
	for _, a := range s.accounts {
		st := &standing{person: p, account: a, openID: "o" + stableWord(27, a.AppID, id), consents: map[string]*consent{}, key: randomWord(22) + "=="}
		p.standing[a] = st
		s.byOpenID[st.openID] = st
	}
	s.people = append(s.people, p)
	s.byID[id] = p
	s.changed()
	return p, nil
}

// addressee finds the person an account's message is for. An openid of another
// account is as wrong as none.
func (s *Sim) addressee(a *account, openID string) (*standing, *apiError) {
	st := s.byOpenID[openID]
	if st == nil || st.account != a {
		return nil, refuse(40003)
	}
	return st, nil
}

// open begins a window anew.
func (w *window) open(now time.Time, d time.Duration, messages int) {
	w.until, w.left = now.Add(d), messages
}

// take uses one message of whichever window is open; the shorter first.
func (st *standing) take(now time.Time) *apiError {
	once := false
	for _, w := range []*window{&st.acted, &st.said} {
		if !now.Before(w.until) {
			continue
		}
		once = true
		if w.left > 0 {
			w.left--
			return nil
		}
	}
	if once {
		return refuse(45047)
	}
	return refuse(45015)
}

// Bubble is one thing in a conversation, as the phone shows it.
type Bubble struct {
	Seq  int64     `json:"seq"`
	At   time.Time `json:"at"`
	From string    `json:"from"` // person, account or system
	Kind string    `json:"kind"` // text, card, news, page, menu or image
	Text string    `json:"text,omitempty"`
	// Of cards and pages:
	Title string    `json:"title,omitempty"`
	Rows  []Row     `json:"rows,omitempty"`
	Link  string    `json:"link,omitempty"` // "" if a tap leads nowhere
	Items []Article `json:"items,omitempty"`
	// Of a card from a mini-program or an account not followed: 服务通知.
	Service bool `json:"service,omitempty"`
}

// Row is one line of a card.
type Row struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Article is one entry of a picture message (图文).
type Article struct {
	Title   string `json:"title"`
	Text    string `json:"text"`
	Picture string `json:"picture"`
	Link    string `json:"link"`
}

// show puts a bubble into the conversation.
func (s *Sim) show(st *standing, b Bubble) {
	b.Seq, b.At = s.nextSeq(), s.stamp()
	st.chat = append(st.chat, &b)
	if extra := len(st.chat) - maxBubbles; extra > 0 {
		st.chat = append([]*Bubble(nil), st.chat[extra:]...)
	}
	s.changed()
}

// Person is one WeChat user, as those who know them from both accounts do.
type Person struct {
	ID, Name, OfficialOpenID, MiniOpenID, UnionID string
}

// People returns everybody, in the order in which they came.
func (s *Sim) People() []Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Person
	for _, p := range s.people {
		v := s.view(p)
		out = append(out, Person{v.ID, v.Name, v.OfficialOpenID, v.MiniOpenID, v.UnionID})
	}
	return out
}

// Accounts returns the accounts as they are set up now.
func (s *Sim) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Account
	for _, a := range s.accounts {
		out = append(out, a.Account)
	}
	return out
}
