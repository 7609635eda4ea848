package push

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/silenceper/wechat/v2/util"

	"gongkai/internal/disclosure"
)

const (
	maxCallback   = 64 << 10
	callbackSkew  = 5 * time.Minute
	maxNonce      = 128
	nonceRandom   = 16
	callbackReply = "success"
	qrLife        = 2 * time.Hour
)

func refused(why string) error { return disclosure.Errorf(disclosure.CodeWeChatCallback, "%s", why) }

// Verify answers the request by which WeChat tries our URL: the text to echo,
// byte for byte. Errors: CodeNoApp, CodeWeChatCallback.
func (w *WeChat) Verify(c disclosure.WeChatCallback) (string, error) {
	a, err := w.account(c.App)
	if err != nil {
		return "", err
	}
	if err := a.fresh(c, w.now()); err != nil {
		return "", err
	}
	if !a.signed(c.Query["signature"], c.Query["timestamp"], c.Query["nonce"]) {
		return "", refused("签名不对")
	}
	return c.Query["echostr"], nil
}

// fresh refuses old and future callbacks, and those without what is signed.
func (a *account) fresh(c disclosure.WeChatCallback, now time.Time) error {
	seconds, err := strconv.ParseInt(c.Query["timestamp"], 10, 64)
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return refused("时间戳不对")
	}
	if skew := now.Sub(time.Unix(seconds, 0)); skew.Abs() > callbackSkew {
		return refused("时间戳与服务器时间相差超过 5 分钟")
	}
	if n := c.Query["nonce"]; n == "" || len(n) > maxNonce {
		return refused("缺少随机数")
	}
	return nil
}

// signed compares a signature over the parts and our token, in constant time.
func (a *account) signed(signature string, parts ...string) bool {
	want := util.Signature(append([]string{a.Token}, parts...)...)
	return subtle.ConstantTimeCompare([]byte(want), []byte(signature)) == 1
}

// opened is a callback that is WeChat's: its message and how to answer.
type opened struct {
	message []byte
	key     string // of the encryption, "" in plain mode
	nonce   string // of the request; an encrypted reply repeats it
	isJSON  bool
}

// open checks a callback against the configured mode, whatever the request says
// of itself, and returns its message.
func (w *WeChat) open(a *account, c disclosure.WeChatCallback) (opened, error) {
	if len(c.Body) == 0 || len(c.Body) > maxCallback {
		return opened{}, disclosure.Errorf(disclosure.CodeTooLarge, "回调的正文为空或超过 64 KB")
	}
	if !utf8.Valid(c.Body) {
		return opened{}, refused("正文不是 UTF-8")
	}
	if err := a.fresh(c, w.now()); err != nil {
		return opened{}, err
	}
	o := opened{nonce: c.Query["nonce"], message: c.Body, isJSON: bytes.HasPrefix(bytes.TrimSpace(c.Body), []byte("{"))}
	if a.Mode == ModePlain {
		if c.Query["encrypt_type"] == "aes" {
			return o, refused("配置为明文模式，收到的是密文")
		}
		if !a.signed(c.Query["signature"], c.Query["timestamp"], c.Query["nonce"]) {
			return o, refused("签名不对")
		}
		return o, nil
	}
	if c.Query["encrypt_type"] != "aes" {
		return o, refused("配置为加密模式，收到的是明文")
	}
	sealed, err := encrypted(c.Body, o.isJSON)
	if err != nil {
		return o, err
	}
	if !a.signed(c.Query["msg_signature"], c.Query["timestamp"], c.Query["nonce"], sealed) {
		return o, refused("签名不对")
	}
	for _, key := range []string{a.AESKey, a.PreviousAESKey} {
		if key == "" {
			continue
		}
		if _, message, err := util.DecryptMsg(a.AppID, sealed, key); err == nil && utf8.Valid(message) {
			o.message, o.key = message, key
			o.isJSON = bytes.HasPrefix(bytes.TrimSpace(message), []byte("{"))
			return o, nil
		}
	}
	return o, refused("无法解密")
}

// encrypted takes the sealed part out of a body, and nothing else.
func encrypted(body []byte, isJSON bool) (string, error) {
	var envelope struct {
		Encrypt string `xml:"Encrypt" json:"Encrypt"`
	}
	err := xml.Unmarshal(body, &envelope)
	if isJSON {
		err = json.Unmarshal(body, &envelope)
	}
	if err != nil || envelope.Encrypt == "" {
		return "", refused("正文中没有密文")
	}
	return envelope.Encrypt, nil
}

// inbound is a message or event as far as we use it. WeChat writes numbers as
// strings in JSON, and the other way round; text takes both.
type inbound struct {
	From    text `xml:"FromUserName" json:"FromUserName"`
	Created text `xml:"CreateTime" json:"CreateTime"`
	Type    text `xml:"MsgType" json:"MsgType"`
	Event   text `xml:"Event" json:"Event"`
	Key     text `xml:"EventKey" json:"EventKey"`
	Content text `xml:"Content" json:"Content"`
	MsgID   text `xml:"MsgId" json:"MsgId"` // of a message
	JobID   text `xml:"MsgID" json:"MsgID"` // of a sent template message
	Status  text `xml:"Status" json:"Status"`
	OpenID  text `xml:"OpenID" json:"OpenID"` // of a revoked authorisation

	Popup  []subscribeItem `xml:"SubscribeMsgPopupEvent>List" json:"-"`
	Change []subscribeItem `xml:"SubscribeMsgChangeEvent>List" json:"-"`
	Sent   []subscribeItem `xml:"SubscribeMsgSentEvent>List" json:"-"`
	List   itemList        `xml:"-" json:"List"`
}

// subscribeItem is one template of a subscribe-message event.
type subscribeItem struct {
	Template text `xml:"TemplateId" json:"TemplateId"`
	Status   text `xml:"SubscribeStatusString" json:"SubscribeStatusString"`
	Scene    text `xml:"PopupScene" json:"PopupScene"`
	MsgID    text `xml:"MsgID" json:"MsgID"`
	Code     text `xml:"ErrorCode" json:"ErrorCode"`
	Reason   text `xml:"ErrorStatus" json:"ErrorStatus"`
}

func (m *inbound) items() []subscribeItem {
	return append(append(append(append([]subscribeItem{}, m.Popup...), m.Change...), m.Sent...), m.List...)
}

// text is a JSON string or number, or an XML element's text.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("neither text nor number: %w", err)
	}
	*t = text(n)
	return nil
}

// itemList is one object, or an array of them.
type itemList []subscribeItem

// UnmarshalJSON implements json.Unmarshaler.
func (l *itemList) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		return json.Unmarshal(b, (*[]subscribeItem)(l))
	}
	var one subscribeItem
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*l = itemList{one}
	return nil
}

// parse reads the message of a callback.
func (o opened) parse() (*inbound, error) {
	m := new(inbound)
	var err error
	if o.isJSON {
		err = json.Unmarshal(o.message, m)
	} else {
		err = xml.Unmarshal(o.message, m)
	}
	if err != nil || m.Type == "" {
		return nil, refused("消息无法读取")
	}
	m.Event = text(strings.ToLower(string(m.Event)))
	return m, nil
}

// identity tells a message from every other, so that it is handled once. A message
// has an id; an event has none, and two receipts may come in one second. What people
// take back comes from WeChat itself, and names them only in OpenID.
func (o opened) identity(app string, m *inbound) string {
	sum := sha256.New()
	if m.Type != "event" {
		fmt.Fprintf(sum, "message\n%s\n%s\n%s\n%s", app, m.MsgID, m.From, m.Created)
	} else {
		fmt.Fprintf(sum, "event\n%s\n%s\n%s\n%s\n%s\n%s", app, m.From, m.Created, m.Event, m.Key, m.JobID)
		for _, i := range m.items() {
			fmt.Fprintf(sum, "\n%s %s %s", i.Template, i.Status, i.MsgID)
		}
		if m.OpenID != "" {
			fmt.Fprintf(sum, "\nof %s", m.OpenID)
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// reply writes a passive answer: "" is a bare acknowledgement, which WeChat
// takes unencrypted in any mode.
func (w *WeChat) reply(a *account, o opened, m *inbound, to string, words string) (disclosure.WeChatCallbackReply, error) {
	if words == "" {
		return disclosure.WeChatCallbackReply{Type: "text/plain; charset=utf-8", Body: []byte(callbackReply)}, nil
	}
	plain, err := a.passive(o, m, to, words, w.now())
	if err != nil {
		return disclosure.WeChatCallbackReply{}, err
	}
	if o.key != "" {
		if plain, err = a.seal(o, plain, w.now()); err != nil {
			return disclosure.WeChatCallbackReply{}, err
		}
	}
	media := "application/xml; charset=utf-8"
	if o.isJSON {
		media = "application/json; charset=utf-8"
	}
	return disclosure.WeChatCallbackReply{Type: media, Body: plain}, nil
}

type cdata struct {
	Text string `xml:",cdata"`
}

// passive writes a text message back to the person.
func (a *account) passive(o opened, m *inbound, to, words string, now time.Time) ([]byte, error) {
	if o.isJSON {
		return json.Marshal(map[string]any{"ToUserName": m.From, "FromUserName": to, "CreateTime": now.Unix(), "MsgType": "text", "Content": words})
	}
	return xml.Marshal(struct {
		XMLName xml.Name `xml:"xml"`
		To      cdata    `xml:"ToUserName"`
		From    cdata    `xml:"FromUserName"`
		Created int64    `xml:"CreateTime"`
		Type    cdata    `xml:"MsgType"`
		Content cdata    `xml:"Content"`
	}{To: cdata{string(m.From)}, From: cdata{to}, Created: now.Unix(), Type: cdata{"text"}, Content: cdata{words}})
}

// seal encrypts a reply with the key that opened the message.
func (a *account) seal(o opened, plain []byte, now time.Time) ([]byte, error) {
	random := make([]byte, nonceRandom)
	_, _ = rand.Read(random) // never fails; see crypto/rand
	return a.sealWith(o, plain, random, strconv.FormatInt(now.Unix(), 10), o.nonce)
}

func (a *account) sealWith(o opened, plain, random []byte, timestamp, nonce string) ([]byte, error) {
	sealed, err := util.EncryptMsg(random, plain, a.AppID, o.key)
	if err != nil {
		return nil, errors.New("push: a reply was not encrypted")
	}
	signature := util.Signature(a.Token, timestamp, nonce, string(sealed))
	if o.isJSON {
		seconds, _ := strconv.ParseInt(timestamp, 10, 64)
		return json.Marshal(map[string]any{"Encrypt": string(sealed), "MsgSignature": signature, "TimeStamp": seconds, "Nonce": nonce})
	}
	return xml.Marshal(struct {
		XMLName   xml.Name `xml:"xml"`
		Encrypt   cdata    `xml:"Encrypt"`
		Signature cdata    `xml:"MsgSignature"`
		Timestamp string   `xml:"TimeStamp"`
		Nonce     cdata    `xml:"Nonce"`
	}{Encrypt: cdata{string(sealed)}, Signature: cdata{signature}, Timestamp: timestamp, Nonce: cdata{nonce}})
}

// ownName is who a message was sent to: what a reply comes from.
func ownName(message []byte, isJSON bool) string {
	var m struct {
		To text `xml:"ToUserName" json:"ToUserName"`
	}
	if isJSON {
		_ = json.Unmarshal(message, &m) // it was read before
	} else {
		_ = xml.Unmarshal(message, &m)
	}
	return string(m.To)
}
