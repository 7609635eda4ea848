package wechatsim

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// event is what WeChat tells an account: a message of a person, or something
// that happened.
type event struct {
	name     string // for the record and for faults: text, or the event's name
	elements []element
	from     string // who tells it, if it is not the person
	// quoted: in JSON this event writes numbers as strings.
	quoted bool
	// awaited: the person waits for a reply, and is told if none can be had.
	awaited bool
}

// element is one member of an event, in WeChat's order. Its value is a string,
// digits or a list.
type element struct {
	name  string
	value any
}

// digits is a number: bare in XML, and in JSON bare or a string as the event
// has it.
type digits string

// list is the items of a subscription event. In XML they stand inside the
// element as <List> each; in JSON they are a member List at the top, an object
// if there is one and an array if there are several.
type list [][]element

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func messageEvent(msgID int64, content string) event {
	return event{name: "text", awaited: true, elements: []element{
		{"MsgType", "text"}, {"Content", content}, {"MsgId", digits(itoa(msgID))}}}
}

func simpleEvent(name string, more ...element) event {
	return event{name: name, elements: append([]element{{"MsgType", "event"}, {"Event", name}}, more...)}
}

// subscribeEvent: the person follows; scene and ticket are of the QR code they
// came by, if any.
func subscribeEvent(scene, ticket string) event {
	e := simpleEvent("subscribe", element{"EventKey", ""})
	if scene != "" {
		e = simpleEvent("subscribe", element{"EventKey", "qrscene_" + scene}, element{"Ticket", ticket})
	}
	return e
}

func scanEvent(scene, ticket string) event {
	return simpleEvent("SCAN", element{"EventKey", scene}, element{"Ticket", ticket})
}

func clickEvent(key string) event {
	e := simpleEvent("CLICK", element{"EventKey", key})
	e.awaited = true
	return e
}

// finishEvent is the receipt of a template message; its id is written MsgID.
func finishEvent(msgID, status string) event {
	return simpleEvent("TEMPLATESENDJOBFINISH", element{"MsgID", digits(msgID)}, element{"Status", status})
}

// decision is what a person did with one template.
type decision struct {
	template string
	accepted bool
}

func (d decision) word() string {
	if d.accepted {
		return "accept"
	}
	return "reject"
}

// popupEvent: the person answered the question of a page.
func popupEvent(decisions []decision) event {
	var l list
	for _, d := range decisions {
		l = append(l, []element{{"TemplateId", d.template}, {"SubscribeStatusString", d.word()}, {"PopupScene", digits("0")}})
	}
	return listEvent("subscribe_msg_popup_event", "SubscribeMsgPopupEvent", l)
}

// changeEvent: the person switched templates off in the settings.
func changeEvent(decisions []decision) event {
	var l list
	for _, d := range decisions {
		l = append(l, []element{{"TemplateId", d.template}, {"SubscribeStatusString", d.word()}})
	}
	return listEvent("subscribe_msg_change_event", "SubscribeMsgChangeEvent", l)
}

// sentEvent is the receipt of a subscribe message; failure is "" if it arrived.
func sentEvent(template, msgID, failure string) event {
	code, status := "0", "success"
	if failure != "" {
		code, status = "2", failure
	}
	return listEvent("subscribe_msg_sent_event", "SubscribeMsgSentEvent", list{{
		{"TemplateId", template}, {"MsgID", digits(msgID)}, {"ErrorCode", digits(code)}, {"ErrorStatus", status}}})
}

func listEvent(name, wrapper string, l list) event {
	e := simpleEvent(name, element{wrapper, l})
	e.quoted = true
	return e
}

// writeXML writes elements between <xml> tags.
func writeXML(elements []element) []byte {
	var b bytes.Buffer
	b.WriteString("<xml>")
	writeElements(&b, elements)
	b.WriteString("</xml>")
	return b.Bytes()
}

func writeElements(b *bytes.Buffer, elements []element) {
	for _, e := range elements {
		b.WriteString("<" + e.name + ">")
		switch v := e.value.(type) {
		case digits:
			b.WriteString(string(v))
		case string:
			b.WriteString("<![CDATA[" + strings.ReplaceAll(v, "]]>", "]]]]><![CDATA[>") + "]]>")
		case list:
			for _, item := range v {
				b.WriteString("<List>")
				writeElements(b, item)
				b.WriteString("</List>")
			}
		}
		b.WriteString("</" + e.name + ">")
	}
}

// writeJSON writes elements as an object, in their order.
func writeJSON(elements []element, quoted bool) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, e := range elements {
		if i > 0 {
			b.WriteByte(',')
		}
		name := e.name
		if _, ok := e.value.(list); ok {
			name = "List"
		}
		b.WriteString(`"` + name + `":`)
		b.Write(jsonValue(e.value, quoted))
	}
	b.WriteByte('}')
	return b.Bytes()
}

func jsonValue(value any, quoted bool) []byte {
	switch v := value.(type) {
	case digits:
		if quoted {
			return []byte(`"` + v + `"`)
		}
		return []byte(v)
	case list:
		items := make([]json.RawMessage, len(v))
		for i, item := range v {
			items[i] = writeJSON(item, quoted)
		}
		if len(items) == 1 {
			return items[0]
		}
		b, _ := encodeJSON(items) // written above
		return b
	default:
		b, _ := encodeJSON(v) // a string
		return b
	}
}
