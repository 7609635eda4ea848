package handlers

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"gongkai/internal/speech"
)

// The formats of a turn.
const (
	formatJSON   = "json"
	formatFlat   = "flat"
	formatHTTAPI = "httapi"
	formatVXML   = "vxml"
)

// maxTurnBytes is what Asterisk's dialplan takes of a function's result: it cuts
// at 4,091 bytes, and then no JSON is left.
const maxTurnBytes = 4000

const turnPath = hotlinePrefix + "turn"

// TurnHead is what every answer of the hotline has. All leaves are strings:
// telephone engines read numbers with 32 bits.
type TurnHead struct {
	V      string `json:"v" example:"1"`
	State  string `json:"state"`
	Action string `json:"action" enums:"collect,transfer,hangup"`
	Prompt string `json:"prompt" example:"查询最新公告，请按一。"`
	Next   string `json:"next" example:"/api/v1/ivr/turn"`
}

// Turn is an answer as JSON.
type Turn struct {
	TurnHead
	Say      []TurnSay     `json:"say" validate:"optional"`
	Options  []TurnOption  `json:"options" validate:"optional"`
	Input    *TurnInput    `json:"input,omitempty" validate:"optional"`
	Transfer *TurnTransfer `json:"transfer,omitempty" validate:"optional"`
	Handoff  *TurnHandoff  `json:"handoff,omitempty" validate:"optional"`
}

// FlatMembers are those of an answer with format=flat; what is not due is "".
type FlatMembers struct {
	Code           string `json:"code" validate:"optional" example:"0"`
	Audio          string `json:"audio" validate:"optional"`
	Min            string `json:"min" validate:"optional"`
	Max            string `json:"max" validate:"optional"`
	Finish         string `json:"finish" validate:"optional"`
	Timeout        string `json:"timeout" validate:"optional"`
	Interdigit     string `json:"interdigit" validate:"optional"`
	Keys           string `json:"keys" validate:"optional"`
	Key1           string `json:"key1" validate:"optional"`
	Key2           string `json:"key2" validate:"optional"`
	Key3           string `json:"key3" validate:"optional"`
	Key4           string `json:"key4" validate:"optional"`
	TransferTo     string `json:"transfer_to" validate:"optional"`
	TransferDept   string `json:"transfer_dept" validate:"optional"`
	TransferNumber string `json:"transfer_number" validate:"optional"`
	HandoffCode    string `json:"handoff_code" validate:"optional"`
	HandoffURL     string `json:"handoff_url" validate:"optional"`
}

// FlatTurn is an answer for flow builders that read one level of names.
type FlatTurn struct {
	TurnHead
	FlatMembers
}

// TurnAnswer documents both.
type TurnAnswer struct {
	Turn
	FlatMembers
}

// TurnSay is what is said, and where it can be fetched as a WAV file.
type TurnSay struct {
	Text  string `json:"text"`
	Audio string `json:"audio,omitempty" validate:"optional" example:"/api/v1/ivr/audio/9f2c.wav"`
}

// TurnOption is a numbered choice.
type TurnOption struct {
	Key   string `json:"key" example:"1"`
	Label string `json:"label" example:"最新公告"`
}

// TurnInput says which keys to wait for; times are in seconds.
type TurnInput struct {
	Min        string `json:"min" example:"1"`
	Max        string `json:"max" example:"1"`
	Finish     string `json:"finish" example:"#"`
	Timeout    string `json:"timeout" example:"6"`
	Interdigit string `json:"interdigit" example:"4"`
	Keys       string `json:"keys" example:"012349*"`
}

// TurnTransfer says where the call goes.
type TurnTransfer struct {
	To     string `json:"to" enums:"operator,after_hours"`
	Dept   string `json:"dept"`
	Number string `json:"number" example:"12345"`
}

// TurnHandoff is the code of the notice that is open and its page, for an engine
// that can send a message.
type TurnHandoff struct {
	Code string `json:"code" example:"48201735"`
	URL  string `json:"url"`
}

func (h *hotline) turnJSON(t turn) Turn {
	out := Turn{TurnHead: TurnHead{tokenVersion, t.state, t.action, t.prompt, turnPath}, Say: []TurnSay{{t.prompt, t.audio}}, Options: []TurnOption{}}
	for _, o := range t.options {
		out.Options = append(out.Options, TurnOption{o.key, o.label})
	}
	switch t.action {
	case actionCollect:
		in := t.input
		out.Input = &TurnInput{strconv.Itoa(in.min), strconv.Itoa(in.max), "#", strconv.Itoa(in.timeout), strconv.Itoa(in.interdigit), in.keys}
	case actionTransfer:
		out.Transfer = &TurnTransfer{t.transfer.to, t.transfer.dept, t.transfer.number}
	}
	if t.handoff != "" {
		out.Handoff = &TurnHandoff{t.handoff, h.server.PublicURL + "/n/" + t.handoff}
	}
	return out
}

// write renders a turn. What is too long for an engine loses the end of its
// prompt, never its form.
func (h *hotline) write(t turn, in turnInput) (body []byte, media string, err error) {
	switch in.format {
	case formatHTTAPI:
		return h.httapi(t), "text/xml; charset=utf-8", nil
	case formatVXML:
		return h.vxml(t, in), "application/voicexml+xml; charset=utf-8", nil
	}
	for {
		var v any = h.turnJSON(t)
		if in.format == formatFlat {
			v = h.flat(t)
		}
		if body, err = encode(v); err != nil || len(body) <= maxTurnBytes || t.prompt == "" {
			return body, mediaJSON, err
		}
		t.prompt = speech.Shorten(t.prompt, speech.Len(t.prompt)*3/4)
	}
}

// flat writes a turn on one level.
func (h *hotline) flat(t turn) FlatTurn {
	j := h.turnJSON(t)
	out := FlatTurn{j.TurnHead, FlatMembers{Code: "0", Audio: t.audio}}
	if in := j.Input; in != nil {
		out.Min, out.Max, out.Finish, out.Timeout, out.Interdigit, out.Keys = in.Min, in.Max, in.Finish, in.Timeout, in.Interdigit, in.Keys
	}
	if tr := j.Transfer; tr != nil {
		out.TransferTo, out.TransferDept, out.TransferNumber = tr.To, tr.Dept, tr.Number
	}
	if j.Handoff != nil {
		out.HandoffCode, out.HandoffURL = j.Handoff.Code, j.Handoff.URL
	}
	for i, label := range []*string{&out.Key1, &out.Key2, &out.Key3, &out.Key4} {
		if i < len(j.Options) {
			*label = j.Options[i].Label
		}
	}
	return out
}

// httapiEntry takes an entry at its #, which stays (an entry of # alone is none
// of silence), and one without # once digit-timeout has passed since its last
// key. Of several binds only one with = matches before that.
const httapiEntry = `<bind>=~^[0-9*]*#$</bind><bind>~^[0-9*]+$</bind>`

// httapi writes a turn for FreeSWITCH's mod_httapi. Every key is bound and judged
// here: a key that matches no bind looks to it like silence. Its source, not its
// manual, says what the times are (mod_httapi.c, parse_playback): digit-timeout
// runs from each key to the next, input-timeout once from the end of the prompt,
// and no key prolongs it.
func (h *hotline) httapi(t turn) []byte {
	var b strings.Builder
	b.WriteString(xml.Header + `<document type="xml/freeswitch-httapi">`)
	fmt.Fprintf(&b, "<params><state>%s</state><digits/></params><work>", escape(t.state))
	switch t.action {
	case actionCollect:
		bind := `<bind>~^[0-9*#]$</bind>`
		if t.input.max > 1 {
			bind = httapiEntry
		}
		attributes := fmt.Sprintf(` name="digits" digit-timeout="%d" input-timeout="%d" loops="0"`, t.input.interdigit*1000, t.input.all*1000)
		h.httapiSay(&b, t, attributes, bind)
	case actionTransfer:
		h.httapiSay(&b, t, "", "")
		fmt.Fprintf(&b, "<dial>%s</dial>", escape(t.transfer.number))
	case actionHangup:
		if t.node != nodeBye { // after a hang-up there is nobody to speak to
			h.httapiSay(&b, t, "", "")
			b.WriteString("<hangup/>")
		}
	}
	b.WriteString("</work></document>\n")
	return []byte(b.String())
}

func (h *hotline) httapiSay(b *strings.Builder, t turn, attributes, bind string) {
	if t.audio != "" {
		fmt.Fprintf(b, `<playback file="%s"%s>%s</playback>`, escape(h.server.PublicURL+t.audio), attributes, bind)
		return
	}
	fmt.Fprintf(b, `<speak engine="%s" voice="%s"%s>%s%s</speak>`, escape(h.SpeakEngine), escape(h.SpeakVoice), attributes, escape(t.prompt), bind)
}

// vxml writes a turn as a VoiceXML 2.1 document.
func (h *hotline) vxml(t turn, in turnInput) []byte {
	var b strings.Builder
	b.WriteString(xml.Header + `<vxml version="2.1" xmlns="http://www.w3.org/2001/vxml" xml:lang="zh-CN">` + "\n")
	say := "<prompt>" + escape(t.prompt) + "</prompt>"
	if t.audio != "" {
		say = fmt.Sprintf(`<prompt><audio src="%s">%s</audio></prompt>`, escape(h.server.PublicURL+t.audio), escape(t.prompt))
	}
	switch t.action {
	case actionCollect:
		h.vxmlField(&b, t, say, in)
	case actionTransfer:
		fmt.Fprintf(&b, "<form id=\"op\">\n<block>%s</block>\n<transfer name=\"person\" bridge=\"false\" dest=\"tel:%s\"/>\n</form>\n", say, escape(t.transfer.number))
	default:
		fmt.Fprintf(&b, "<form id=\"bye\">\n<block>%s<exit/></block>\n</form>\n", say)
	}
	b.WriteString("</vxml>\n")
	return []byte(b.String())
}

// vxmlField is the form that collects keys. When the next turn cannot be
// fetched, the call goes to a person.
func (h *hotline) vxmlField(b *strings.Builder, t turn, say string, in turnInput) {
	url := h.server.PublicURL + turnPath + "?format=vxml"
	if in.slow { // the next turn is asked for by this document
		url += "&pace=slow"
	}
	url = escape(url)
	submit := func(event, digits string) string {
		return fmt.Sprintf(`<assign name="event" expr="'%s'"/><submit next="%s" method="post" namelist="call_id state %sevent" fetchtimeout="3s" maxage="0"/>`, event, url, digits)
	}
	finish := ` <property name="termchar" value="#"/>`
	if t.input.max == 1 { // # is a key like any other
		finish = ` <property name="termchar" value=""/>`
	}
	fmt.Fprintf(b, "<property name=\"inputmodes\" value=\"dtmf\"/>\n<property name=\"timeout\" value=\"%ds\"/>\n<property name=\"interdigittimeout\" value=\"%ds\"/>\n%s\n",
		t.input.timeout, t.input.interdigit, strings.TrimSpace(finish))
	b.WriteString("<catch event=\"error.badfetch\"><goto next=\"#op\"/></catch>\n<catch event=\"connection.disconnect.hangup\"><exit/></catch>\n")
	fmt.Fprintf(b, "<form id=\"turn\">\n<var name=\"state\" expr=\"'%s'\"/>\n<var name=\"event\" expr=\"'digits'\"/>\n<var name=\"call_id\" expr=\"'%s'\"/>\n", escape(t.state), escape(scriptText(in.call)))
	fmt.Fprintf(b, "<field name=\"digits\">\n%s\n%s\n", dtmfGrammar(t.input.max), say)
	fmt.Fprintf(b, "<noinput>%s</noinput>\n<nomatch><assign name=\"digits\" expr=\"'x'\"/>%s</nomatch>\n<filled>%s</filled>\n</field>\n</form>\n",
		submit(eventTimeout, ""), submit(eventDigits, "digits "), submit(eventDigits, "digits "))
	fmt.Fprintf(b, "<form id=\"op\">\n<transfer name=\"person\" bridge=\"false\" dest=\"tel:%s\"/>\n</form>\n", escape(h.person(h.now())))
}

// dtmfGrammar takes up to n keys; one key may be #, which otherwise ends an
// entry.
func dtmfGrammar(n int) string {
	var b strings.Builder
	b.WriteString(`<grammar mode="dtmf" version="1.0" root="keys" xmlns="http://www.w3.org/2001/06/grammar" type="application/srgs+xml">`)
	var key strings.Builder
	key.WriteString(`<one-of>`)
	for _, k := range "0123456789*" {
		fmt.Fprintf(&key, "<item>%c</item>", k)
	}
	if n == 1 {
		key.WriteString("<item>#</item>")
	}
	key.WriteString(`</one-of>`)
	if n == 1 {
		b.WriteString(`<rule id="keys" scope="public">` + key.String() + `</rule>`)
	} else {
		fmt.Fprintf(&b, `<rule id="keys" scope="public"><item repeat="1-%d"><ruleref uri="#key"/></item></rule><rule id="key">%s</rule>`, n, key.String())
	}
	b.WriteString(`</grammar>`)
	return b.String()
}

// scriptText writes s inside an ECMAScript string.
func scriptText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || strings.ContainsRune(`'"\\<>&`, r) || r > '~' {
			fmt.Fprintf(&b, `\u%04x`, r&0xffff)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a bytes.Buffer takes everything
	return b.String()
}
