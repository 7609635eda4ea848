package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" // WeChat's own
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// letter is a callback as it goes over the wire.
type letter struct {
	query url.Values
	body  []byte
}

func signature(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// seal encrypts and signs a message as WeChat does in safe mode.
func (a account) seal(message string, at time.Time, nonce string) (letter, error) {
	key, err := base64.StdEncoding.DecodeString(a.AESKey + "=")
	if err != nil {
		return letter{}, err
	}
	plain := append(bytes.Repeat([]byte("r"), 16), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(plain[16:], uint32(len(message)))
	plain = append(append(plain, message...), a.AppID...)
	pad := 32 - len(plain)%32
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, err := aes.NewCipher(key)
	if err != nil {
		return letter{}, err
	}
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(plain, plain)
	sealed := base64.StdEncoding.EncodeToString(plain)
	stamp := fmt.Sprint(at.Unix())
	return letter{url.Values{"timestamp": {stamp}, "nonce": {nonce}, "encrypt_type": {"aes"}, "signature": {signature(a.Token, stamp, nonce)},
		"msg_signature": {signature(a.Token, stamp, nonce, sealed)}},
		fmt.Appendf(nil, "<xml><ToUserName>%s</ToUserName><Encrypt>%s</Encrypt></xml>", a.OriginalID, sealed)}, nil
}

// says is a text message of a follower.
func (a account) says(openid, text string, at time.Time, id int64) string {
	return fmt.Sprintf("<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType>text</MsgType><Content>%s</Content><MsgId>%d</MsgId></xml>",
		a.OriginalID, openid, at.Unix(), text, id)
}

// post delivers a letter and returns the status, and how long it took.
func (h *hall) post(ctx context.Context, l letter) (int, time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", h.node.url+"/wechat/official/callback?"+l.query.Encode(), bytes.NewReader(l.body))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Content-Type", "text/xml")
	start := time.Now()
	res, err := h.client.Do(req)
	took := time.Since(start)
	if err != nil {
		return 0, took, nil // the connection was ended before all was sent: refused
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode, took, res.Body.Close()
}

// signIn lets a person open the mini-program.
func (h *hall) signIn(ctx context.Context, id string) (token string, err error) {
	var login struct{ Code string }
	if err := h.do(ctx, "POST", "/demo/sim/people/"+id+"/login", object{"app": "mini"}, &login); err != nil {
		return "", err
	}
	var session struct{ Token string }
	err = h.office.call(ctx, h.node, "POST", "/api/v1/session", "", object{"app": "mini", "code": login.Code}, http.StatusOK, &session)
	return session.Token, err
}

// subscriptions counts a person's own.
func (h *hall) subscriptions(ctx context.Context, token string) (int, error) {
	var out struct{ Total int }
	return out.Total, h.office.call(ctx, h.node, "GET", "/api/v1/me/subscriptions", token, nil, http.StatusOK, &out)
}

// forgery is a letter that must change nothing.
type forgery struct {
	name  string
	forge func(a account, openid string, now time.Time) (letter, error)
}

// cancel is what every forgery asks for: it would be seen in the subscriptions.
func (a account) cancel(openid string, now time.Time, n int64) string {
	return a.says(openid, "退订", now, 5_000_000_000+n)
}

// forgeries are written by somebody who can read old callbacks, and the last
// ones by somebody who even has the key.
var forgeries = []forgery{
	{"downgraded to plain", func(a account, o string, now time.Time) (letter, error) {
		l, err := a.seal(a.cancel(o, now, 1), now, "n1")
		l.query.Del("encrypt_type")
		l.query.Del("msg_signature")
		l.body = []byte(a.cancel(o, now, 1))
		return l, err
	}},
	{"plain body, encrypted query", func(a account, o string, now time.Time) (letter, error) {
		l, err := a.seal(a.cancel(o, now, 2), now, "n2")
		l.body = []byte(a.cancel(o, now, 2))
		return l, err
	}},
	{"no signature of the body", func(a account, o string, now time.Time) (letter, error) {
		l, err := a.seal(a.cancel(o, now, 3), now, "n3")
		l.query.Del("msg_signature")
		return l, err
	}},
	{"wrong signature", func(a account, o string, now time.Time) (letter, error) {
		l, err := a.seal(a.cancel(o, now, 4), now, "n4")
		l.query.Set("msg_signature", strings.Repeat("0", 40))
		return l, err
	}},
	{"another body under an old query", func(a account, o string, now time.Time) (letter, error) {
		old, err := a.seal(a.says(o, "菜单", now, 6_000_000_001), now, "n5")
		if err != nil {
			return old, err
		}
		l, err := a.seal(a.cancel(o, now, 5), now, "n5")
		return letter{old.query, l.body}, err
	}},
	{"30 days old", func(a account, o string, now time.Time) (letter, error) {
		return a.seal(a.cancel(o, now, 6), now.AddDate(0, 0, -30), "n6")
	}},
	{"6 minutes old", func(a account, o string, now time.Time) (letter, error) {
		return a.seal(a.cancel(o, now, 7), now.Add(-6*time.Minute), "n7")
	}},
	{"6 minutes ahead", func(a account, o string, now time.Time) (letter, error) {
		return a.seal(a.cancel(o, now, 8), now.Add(6*time.Minute), "n8")
	}},
	{"timestamp beyond 64 bits", func(a account, o string, now time.Time) (letter, error) {
		l, err := a.seal(a.cancel(o, now, 9), now, "n9")
		l.query.Set("timestamp", strings.Repeat("9", 30))
		return l, err
	}},
	{"for another account", func(a account, o string, now time.Time) (letter, error) {
		a.AppID = "wx0000000000000000"
		return a.seal(a.cancel(o, now, 10), now, "n10")
	}},
	{"another key", func(a account, o string, now time.Time) (letter, error) {
		a.AESKey = strings.Repeat("A", 43)
		return a.seal(a.cancel(o, now, 11), now, "n11")
	}},
	{"10 MB", func(a account, o string, now time.Time) (letter, error) {
		return a.seal(a.says(o, "退订"+strings.Repeat(" ", 10<<20), now, 5_000_000_012), now, "n12")
	}},
	{"entity bomb", func(a account, o string, now time.Time) (letter, error) {
		m := `<!DOCTYPE x [<!ENTITY a "退订"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>` + strings.Replace(a.cancel(o, now, 13), "退订", "&b;", 1)
		return a.seal(m, now, "n13")
	}},
	{"20,000 elements deep", func(a account, o string, now time.Time) (letter, error) {
		m := strings.Replace(a.cancel(o, now, 14), "<MsgType>", strings.Repeat("<x>", 20_000)+"<MsgType>", 1)
		return a.seal(m, now, "n14")
	}},
	{"not UTF-8", func(a account, o string, now time.Time) (letter, error) {
		return a.seal(a.says(o, "退订\xff\xfe", now, 5_000_000_015), now, "n15")
	}},
}

// forger sends letters in the name of a follower who has a subscription.
type forger struct {
	*hall
	official account
	openid   string
	token    string // of the follower, who sees what is left
	slowest  time.Duration
}

func (h *hall) forger(ctx context.Context) (*forger, error) {
	f := &forger{hall: h, official: h.account("official")}
	var who struct {
		OpenID string `json:"official_openid"`
	}
	if err := h.do(ctx, "GET", "/demo/sim/people/"+h.people[0], nil, &who); err != nil {
		return nil, err
	}
	var err error
	f.openid = who.OpenID
	f.token, err = h.signIn(ctx, h.people[0])
	return f, err
}

// believed sends a letter and reports whether it has changed the follower's one
// subscription.
func (f *forger) believed(ctx context.Context, l letter) (bool, error) {
	_, took, err := f.post(ctx, l)
	if err != nil {
		return false, err
	}
	f.slowest = max(f.slowest, took)
	left, err := f.subscriptions(ctx, f.token)
	return left != 1, err
}

// genuine sends what every forgery asks for as WeChat would, and once more when
// the follower has subscribed again: the first must be understood, or nothing
// would be proved, and the second answered and do nothing.
func (f *forger) genuine(ctx context.Context) (repeated bool, err error) {
	real, err := f.official.seal(f.official.cancel(f.openid, time.Now(), 99), time.Now(), "n99")
	if err != nil {
		return false, err
	}
	if status, _, err := f.post(ctx, real); err != nil {
		return false, err
	} else if status != http.StatusOK {
		return false, fmt.Errorf("a real callback is answered %d", status)
	}
	if left, err := f.subscriptions(ctx, f.token); err != nil {
		return false, err
	} else if left != 0 {
		return false, fmt.Errorf("a real callback left %d subscriptions", left)
	}
	if err := f.act(ctx, f.people[0], "say", object{"text": "订阅 土地"}); err != nil {
		return false, err
	}
	return f.believed(ctx, real)
}

// in2038 goes on to 2038, where the follower subscribes once more, and returns
// how many subscriptions there are.
func (f *forger) in2038(ctx context.Context) (left int, err error) {
	for range 2 {
		if err := f.do(ctx, "POST", "/demo/sim/clock", object{"advance": fmt.Sprintf("%dh", 6*366*24)}, nil); err != nil {
			return 0, err
		}
	}
	if err := f.act(ctx, f.people[0], "say", object{"text": "订阅 住房"}); err != nil {
		return 0, err
	}
	if f.token, err = f.signIn(ctx, f.people[0]); err != nil {
		return 0, err
	}
	return f.subscriptions(ctx, f.token)
}

// forgedCallbacks sends forgeries to a server whose follower has a subscription,
// which each of them tries to cancel; then goes on to 2038, where a real
// callback must still be understood.
func forgedCallbacks(ctx context.Context, l *lab) (outcome, error) {
	h, err := l.hall(ctx, 1)
	if err != nil {
		return outcome{}, err
	}
	f, err := h.forger(ctx)
	if err != nil {
		return outcome{}, err
	}
	before, err := h.node.memory()
	if err != nil {
		return outcome{}, err
	}
	for _, by := range forgeries {
		forged, err := by.forge(f.official, f.openid, time.Now())
		if err != nil {
			return outcome{}, err
		}
		if believed, err := f.believed(ctx, forged); err != nil {
			return outcome{}, err
		} else if believed {
			return outcome{figure: by.name + " was believed", mark: "0 believed"}, nil
		}
	}
	after, err := h.node.memory()
	if err != nil {
		return outcome{}, err
	}
	var accepted []string
	if repeated, err := f.genuine(ctx); err != nil {
		return outcome{}, err
	} else if repeated {
		accepted = append(accepted, "a repeated callback")
	}
	left, err := f.in2038(ctx)
	if err != nil {
		return outcome{figure: "in 2038: " + err.Error(), mark: "a real one is accepted"}, nil
	}
	grown := (after - before) >> 20
	return outcome{figure: fmt.Sprintf("%d forgeries, believed: %s; slowest answer %d ms, memory %+d MiB; a real one in 2038 understood: %v",
		len(forgeries)+1, listed(accepted), f.slowest.Milliseconds(), grown, left == 2),
		mark: "nowhere; real ones understood; ≤ 1000 ms; ≤ +64 MiB", passed: len(accepted) == 0 && left == 2 && f.slowest <= time.Second && grown <= 64}, nil
}
