package disclosure

import (
	"slices"
	"strings"
)

// ChatVerb is what a chat message asks for.
type ChatVerb string

// The verbs.
const (
	ChatSubscribe   ChatVerb = "subscribe"   // 订阅 土地
	ChatUnsubscribe ChatVerb = "unsubscribe" // 退订, 退订 全部, 退订 土地, TD
	ChatPause       ChatVerb = "pause"       // 暂停, 暂停 土地
	ChatResume      ChatVerb = "resume"      // 恢复, 恢复 土地
	ChatMenu        ChatVerb = "menu"        // 菜单, and whatever is not understood
	ChatNotice      ChatVerb = "notice"      // a notice code
	ChatLink        ChatVerb = "link"        // 绑定: a code that joins two accounts
)

// ChatCommand is a chat message as understood.
type ChatCommand struct {
	Verb    ChatVerb
	Sector  string   // code, "" for none or all
	Code    string   // of a notice, "" for digits that are none
	Choices []string // names of sectors, when a part names several
	Unknown string   // the part that names no sector or notice
}

var chatVerbs = []struct {
	word string
	verb ChatVerb
}{
	{"取消订阅", ChatUnsubscribe}, {"退订", ChatUnsubscribe}, {"td", ChatUnsubscribe},
	{"订阅", ChatSubscribe}, {"关注", ChatSubscribe}, {"暂停", ChatPause}, {"恢复", ChatResume},
	{"菜单", ChatMenu}, {"帮助", ChatMenu}, {"绑定", ChatLink},
}

// chatAll are words behind a verb that name no sector of their own.
var chatAll = []string{"全部", "所有", "全部订阅", "所有订阅", "订阅", "推送", "全部推送", "接收", "一下"}

// ParseChat reads what a person typed. A sector may be named by any part of its
// name that no other sector has.
func ParseChat(text string, c *Catalog) ChatCommand {
	s := strings.ReplaceAll(Normalize(text), " ", "")
	if ValidCode(s) {
		return ChatCommand{Verb: ChatNotice, Code: s}
	}
	if len(s) >= 4 && strings.Trim(s, "0123456789") == "" {
		return ChatCommand{Verb: ChatNotice, Unknown: short(s)}
	}
	for _, v := range chatVerbs {
		rest, ok := strings.CutPrefix(s, v.word)
		if !ok {
			continue
		}
		cmd := ChatCommand{Verb: v.verb}
		rest = strings.TrimFunc(rest, func(r rune) bool { return !isWord(r) })
		switch v.verb {
		case ChatLink:
			cmd.Code = rest
		case ChatSubscribe, ChatUnsubscribe, ChatPause, ChatResume:
			if rest == "" || slices.Contains(chatAll, rest) {
				break
			}
			cmd.Sector, cmd.Choices = c.FindSector(rest)
			if cmd.Sector == "" {
				cmd.Unknown = short(rest)
			}
		}
		return cmd
	}
	return ChatCommand{Verb: ChatMenu, Unknown: short(s)}
}

// FindSector returns the sector whose name, or word on a card, holds the part;
// when several do, none and their names. A whole name or code always wins.
func (c *Catalog) FindSector(part string) (code string, choices []string) {
	part = strings.ReplaceAll(Normalize(part), " ", "")
	var codes []string
	for _, s := range c.Sectors {
		name, word := Normalize(s.Name), sectorWords[s.Code]
		if part == name || part == word || part == s.Code {
			return s.Code, nil
		}
		if part != "" && (strings.Contains(name, part) || strings.Contains(word, part)) {
			codes, choices = append(codes, s.Code), append(choices, s.Name)
		}
	}
	if len(codes) == 1 {
		return codes[0], nil
	}
	return "", choices
}
