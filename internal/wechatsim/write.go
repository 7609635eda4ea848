package wechatsim

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"time"
)

// write puts an event into the account's notation, signed and encrypted as its
// mode has it. kind is a fault that changes what is written, or "".
func (s *Sim) write(st *standing, e event, kind string, f *fault) *delivery {
	a, now := st.account, s.Now()
	d := &delivery{seq: s.nextSeq(), account: a, st: st, event: e.name, awaited: e.awaited, done: make(chan struct{})}
	elements := append([]element{{"ToUserName", a.OriginalID}, {"FromUserName", cmp.Or(e.from, st.openID)}, {"CreateTime", digits(itoa(now.Unix()))}}, e.elements...)
	switch kind {
	case faultOversized:
		elements = append(elements, element{"Padding", strings.Repeat("x", 200<<10)})
	case faultNotUTF8:
		elements = append(elements, element{"Padding", "\xff\xfe\xc3("})
	}
	if kind == faultSkew {
		now = now.Add(f.delay())
	}
	stamp, nonce := itoa(now.Unix()), itoa(int64(100_000_000)+int64(randomBytes(1)[0])*1_000_003+int64(randomBytes(1)[0]))
	d.query = url.Values{"signature": {signature(a.Token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}, "openid": {st.openID}}
	d.contentType = "text/xml"
	if a.Format == JSON {
		d.contentType = "application/json"
	}
	clear := a.notation(elements, e.quoted)
	if kind == faultEntityBomb {
		clear, d.contentType = []byte(entityBomb), "text/xml"
	}
	if a.Mode == Plain || kind == faultPlaintext {
		d.body = clear
	} else {
		a.seal(d, elements, clear, e.quoted, kind)
	}
	switch {
	case kind == "":
		a.lastQuery = d.query
	case kind == faultReplay && a.lastQuery != nil:
		d.query = a.lastQuery // whoever replays knows no token to sign with
	}
	if kind == faultWrongSignature {
		wrong := signature(a.Token, stamp, nonce, "wrong")
		d.query.Set("signature", wrong)
		if d.query.Has("msg_signature") {
			d.query.Set("msg_signature", wrong)
		}
	}
	return d
}

func (a *account) notation(elements []element, quoted bool) []byte {
	if a.Format == JSON {
		return writeJSON(elements, quoted)
	}
	return writeXML(elements)
}

// seal encrypts: in safe mode only the account's name stays in the clear, in
// compatibility mode everything does.
func (a *account) seal(d *delivery, elements []element, clear []byte, quoted bool, kind string) {
	key := a.key
	if kind == faultPreviousKey && a.previousKey != nil {
		key = a.previousKey
	}
	sealed, err := encrypt(key, []byte(randomHex(8)), clear, a.AppID)
	if err != nil {
		panic(err) // the key's length was checked when the account was made
	}
	if kind == faultBadPadding {
		b, _ := base64.StdEncoding.DecodeString(sealed)
		b[len(b)-1] ^= 0x55
		sealed = base64.StdEncoding.EncodeToString(b)
	}
	outer := elements[:1:1]
	if a.Mode == Compat {
		outer = slices.Clip(elements)
	}
	d.body = a.notation(append(outer, element{"Encrypt", sealed}), quoted)
	d.query.Set("encrypt_type", "aes")
	d.query.Set("msg_signature", signature(a.Token, d.query.Get("timestamp"), d.query.Get("nonce"), sealed))
}

// entityBomb grows to a gigabyte in a parser that expands entities.
const entityBomb = `<?xml version="1.0"?><!DOCTYPE xml [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">` +
	`<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">` +
	`<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">` +
	`<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">` +
	`<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;">` +
	`<!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">]>` +
	`<xml><MsgType>text</MsgType><Content>&f;</Content></xml>`

// verification is the query of the GET by which WeChat makes sure that a server
// knows the account's token.
func (a *account) verification(now time.Time) (query url.Values, echo string) {
	stamp, nonce, echo := itoa(now.Unix()), itoa(int64(randomBytes(1)[0])+1_000_000), itoa(now.UnixNano())
	return url.Values{"signature": {signature(a.Token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}, "echostr": {echo}}, echo
}
