package wechatsim

import (
	"embed"
	"net/http"
	"slices"
	"strconv"
	"time"
)

//go:generate go tool -modfile=../../tools/go.mod templ generate -log-level=error
//go:generate sed -i "/^.. templ: version/{n;s/^package/\\n&/}" pages_templ.go

//go:embed assets
var assets embed.FS

// phoneView is everything a person's phone shows.
type phoneView struct {
	Version       int64              `json:"version"`
	Unchanged     bool               `json:"unchanged"` // nothing else is filled in then
	Now           time.Time          `json:"now"`
	People        []nameView         `json:"people"`
	Person        *personView        `json:"person"` // null while there is nobody
	Conversations []conversationView `json:"conversations"`
}

func (v *phoneView) title() string {
	if v.Person == nil {
		return "微信"
	}
	return v.Person.Name + "的微信"
}

type nameView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// conversationView is the person's conversation with one account.
type conversationView struct {
	App       string         `json:"app"`
	Kind      Kind           `json:"kind"`
	Name      string         `json:"name"`
	Following bool           `json:"following"`
	Muted     bool           `json:"muted"`
	Menu      []button       `json:"menu"`
	Bubbles   []*Bubble      `json:"bubbles"`
	Templates []templateView `json:"templates"` // that the dialog may ask about
	Accepted  []consentView  `json:"accepted"`
}

// getPhone is GET /demo/sim/phone?person=&version=.
func (s *Sim) getPhone(r *http.Request) (any, error) {
	known, err := strconv.ParseInt(r.URL.Query().Get("version"), 10, 64)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && known == s.version {
		return phoneView{Version: s.version, Unchanged: true, Now: s.Now(), People: []nameView{}, Conversations: []conversationView{}}, nil
	}
	return s.phone(r.URL.Query().Get("person"))
}

// phone is what a person sees; without an id the first one is meant.
func (s *Sim) phone(id string) (*phoneView, error) {
	v := &phoneView{Version: s.version, Now: s.Now(), People: []nameView{}, Conversations: []conversationView{}}
	for _, p := range s.people[max(len(s.people)-100, 0):] {
		v.People = append(v.People, nameView{p.id, p.name})
	}
	if id == "" && len(s.people) > 0 {
		id = s.people[0].id
	}
	if id == "" {
		return v, nil
	}
	p, err := s.person(id)
	if err != nil {
		return nil, err
	}
	person := s.view(p)
	v.Person = &person
	if !slices.ContainsFunc(v.People, func(n nameView) bool { return n.ID == p.id }) {
		v.People = append(v.People, nameView{p.id, p.name})
	}
	for i, a := range s.accounts {
		st := p.standing[a]
		c := conversationView{App: a.App, Kind: a.Kind, Name: a.Name, Following: st.following, Muted: st.muted, Menu: a.menu,
			Bubbles: slices.Clone(st.chat), Templates: []templateView{}, Accepted: person.Accounts[i].Consents}
		if c.Menu == nil {
			c.Menu = []button{}
		}
		if c.Bubbles == nil {
			c.Bubbles = []*Bubble{}
		}
		for _, t := range a.view(v.Now).Templates {
			if t.Type != ByFollowing.String() {
				c.Templates = append(c.Templates, t)
			}
		}
		v.Conversations = append(v.Conversations, c)
	}
	return v, nil
}

// pagePolicy lets the page load its own files and show pictures that articles
// name.
const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' https: http: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// servePhone is the page /demo/phone?person=. What the phone shows stands in the
// page already; the script draws it and keeps it up to date.
func (s *Sim) servePhone(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	view, err := s.phone(r.URL.Query().Get("person"))
	if err != nil {
		httpError(w, http.StatusNotFound, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Cache-Control", "no-store")
	_ = phonePage(view).Render(r.Context(), w) // the reader may be gone
}

// servePhoneFile serves the page's script and style.
func servePhoneFile(w http.ResponseWriter, r *http.Request) {
	types := map[string]string{"phone.css": "text/css; charset=utf-8", "phone.js": "text/javascript; charset=utf-8"}
	mime, ok := types[r.PathValue("file")]
	if !ok {
		httpError(w, http.StatusNotFound, "404 Not Found")
		return
	}
	b, err := assets.ReadFile("assets/" + r.PathValue("file"))
	if err != nil {
		httpError(w, http.StatusNotFound, "404 Not Found")
		return
	}
	w.Header().Set("Content-Type", mime)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(b) //nolint:gosec // a file of ours
}
