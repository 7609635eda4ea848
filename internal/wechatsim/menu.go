package wechatsim

import (
	"encoding/json"
	"slices"
)

// button is one entry of the menu below a conversation (自定义菜单).
type button struct {
	Type   string   `json:"type,omitempty"`
	Name   string   `json:"name"`
	Key    string   `json:"key,omitempty"`
	URL    string   `json:"url,omitempty"`
	AppID  string   `json:"appid,omitempty"`
	Page   string   `json:"pagepath,omitempty"`
	Nested []button `json:"sub_button"`
}

// MarshalJSON writes what WeChat does: a nested list on every top button.
func (b button) MarshalJSON() ([]byte, error) {
	type plain button
	if b.Nested == nil {
		b.Nested = []button{}
	}
	return json.Marshal(plain(b))
}

// Limits of menus: names and keys in bytes. Of nested names WeChat documents 40
// and takes 60.
const (
	maxButtons, maxNested = 3, 5
	maxName, maxNestedLen = 16, 60
	maxKey, maxURL        = 128, 1024
)

// createMenu is /cgi-bin/menu/create.
func createMenu(s *Sim, c *call) outcome {
	var in struct {
		Buttons []button `json:"button"`
	}
	if err := c.decode(&in); err != nil {
		return outcome{err: err}
	}
	if len(in.Buttons) < 1 || len(in.Buttons) > maxButtons {
		return failed(40016)
	}
	for _, b := range in.Buttons {
		if b.Name == "" || len(b.Name) > maxName {
			return failed(40018)
		}
		if len(b.Nested) > maxNested {
			return failed(40023)
		}
		if len(b.Nested) == 0 {
			if err := b.check(); err != nil {
				return outcome{err: err}
			}
		}
		for _, n := range b.Nested {
			if n.Name == "" || len(n.Name) > maxNestedLen {
				return failed(40025)
			}
			if err := n.check(); err != nil {
				return outcome{err: err}
			}
		}
	}
	c.account.menu = in.Buttons
	s.changed()
	return done
}

func (b button) check() *apiError {
	switch {
	case !slices.Contains([]string{"click", "view", "miniprogram", "scancode_push", "scancode_waitmsg", "location_select"}, b.Type):
		return refuse(40017)
	case b.Type == "click" && (b.Key == "" || len(b.Key) > maxKey):
		return refuse(40019)
	case (b.Type == "view" || b.Type == "miniprogram") && (!isURL(b.URL) || len(b.URL) > maxURL):
		return refuse(40020)
	}
	return nil
}

// getMenu is /cgi-bin/menu/get.
func getMenu(_ *Sim, c *call) outcome {
	if len(c.account.menu) == 0 {
		return failed(46003)
	}
	return outcome{value: map[string]any{"menu": map[string]any{"button": c.account.menu}}}
}

// deleteMenu is /cgi-bin/menu/delete.
func deleteMenu(s *Sim, c *call) outcome {
	c.account.menu = nil
	s.changed()
	return done
}

// pressed finds the button with a key or a URL.
func (a *account) pressed(key string) *button {
	for _, b := range a.menu {
		for _, b := range append([]button{b}, b.Nested...) {
			if key != "" && (b.Key == key || b.URL == key) {
				return &b
			}
		}
	}
	return nil
}
