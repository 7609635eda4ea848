package wechatsim

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"encoding/xml"
	"unicode/utf8"
)

// reply is what a server answers to a callback: a passive reply (被动回复), or an
// encrypted one around it.
type reply struct {
	XMLName      xml.Name `xml:"xml" json:"-"`
	ToUserName   string
	FromUserName string
	CreateTime   text
	MsgType      string
	Content      string
	Articles     articles

	Encrypt      string
	MsgSignature string
	TimeStamp    text
	Nonce        text
}

// articles are items in XML, and a plain array in JSON.
type articles struct {
	Item []replyArticle `xml:"item"`
}

type replyArticle struct {
	Title       string
	Description string
	PicURL      string `xml:"PicUrl" json:"PicUrl"`
	URL         string `xml:"Url" json:"Url"`
}

// UnmarshalJSON reads an array.
func (a *articles) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &a.Item) }

// readReply says how the phone shows an answer; a bubble without a kind shows
// nothing. It answers false if WeChat would not understand it.
func (d *delivery) readReply(body []byte) (Bubble, bool) {
	if len(body) > maxReplyBytes {
		return Bubble{}, false
	}
	if len(body) == 0 || string(body) == "success" {
		return Bubble{}, true
	}
	r, ok := d.account.openReply(body)
	if !ok || r.ToUserName != d.st.openID || r.FromUserName != d.account.OriginalID || r.CreateTime == "" {
		return Bubble{}, false
	}
	switch r.MsgType {
	case "text":
		return Bubble{From: "account", Kind: "text", Text: r.Content}, r.Content != "" && utf8.ValidString(r.Content)
	case "news":
		b := Bubble{From: "account", Kind: "news"}
		for _, a := range r.Articles.Item {
			b.Items = append(b.Items, Article{a.Title, a.Description, a.PicURL, a.URL})
		}
		return b, len(b.Items) > 0 && len(b.Items) <= 8
	case "image", "voice", "video", "music":
		return Bubble{From: "account", Kind: "text", Text: "[" + r.MsgType + "]"}, true
	case "transfer_customer_service":
		return Bubble{}, true
	}
	return Bubble{}, false
}

// openReply decodes a reply. In safe mode it must be encrypted, in the plain
// mode it must not.
func (a *account) openReply(body []byte) (reply, bool) {
	r, ok := a.decodeReply(body)
	switch {
	case !ok:
		return r, false
	case r.Encrypt == "":
		return r, a.Mode != Safe
	case a.Mode == Plain:
		return r, false
	}
	want := signature(a.Token, string(r.TimeStamp), string(r.Nonce), r.Encrypt)
	if subtle.ConstantTimeCompare([]byte(want), []byte(r.MsgSignature)) != 1 {
		return r, false
	}
	for _, key := range [][]byte{a.key, a.previousKey} {
		if key == nil {
			continue
		}
		if message, err := decrypt(key, r.Encrypt, a.AppID); err == nil {
			return a.decodeReply(message)
		}
	}
	return r, false
}

func (a *account) decodeReply(body []byte) (r reply, ok bool) {
	if a.Format == JSON {
		return r, json.Unmarshal(body, &r) == nil
	}
	return r, xml.NewDecoder(bytes.NewReader(body)).Decode(&r) == nil
}
