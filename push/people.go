package push

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"strings"

	"gongkai/internal/disclosure"
)

// SignIn turns a login code into a session. Errors: CodeNoApp, CodeLogin,
// CodeSnapshot, CodeWeChat.
func (p *People) SignIn(ctx context.Context, app, code string) (disclosure.SignedIn, error) {
	who, err := p.WeChat.Identify(ctx, app, code)
	if err != nil {
		return disclosure.SignedIn{}, err
	}
	secret := newSecret()
	person, err := p.Store.SignIn(ctx, who, disclosure.PersonToken(secret), p.Now())
	if err != nil {
		return disclosure.SignedIn{}, err
	}
	if who.Kind == disclosure.AppOfficial && who.UnionID == "" {
		p.later(func() { p.join(who) })
	}
	return disclosure.SignedIn{Person: person, Secret: secret, Expires: p.Now().Add(disclosure.SessionLife)}, nil
}

// newSecret makes a person's token: 256 random bits behind a prefix that secret
// scanners can look for.
func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return "gongkai_p_" + base64.RawURLEncoding.EncodeToString(b[:])
}

// NewLinkCode makes a one-time code that a person can type.
func NewLinkCode() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return strings.TrimRight(base32.StdEncoding.EncodeToString(b[:]), "=")
}

// Verify answers the request by which WeChat tries our URL.
func (p *People) Verify(c disclosure.WeChatCallback) (string, error) { return p.WeChat.Verify(c) }

// AuthorizeURL is where a person in WeChat's browser says who they are.
func (p *People) AuthorizeURL(app, back, state string) (string, error) {
	return p.WeChat.AuthorizeURL(app, back, state)
}

// SubscribeQR returns what a QR code says by which a visitor of a kiosk
// subscribes to a sector: scanning it is the subscription. Errors: CodeNoItem,
// CodeNoApp, CodeWeChat.
func (p *People) SubscribeQR(sector, kiosk string) (string, error) {
	if _, err := p.Store.Catalog().Sector(sector); err != nil {
		return "", err
	}
	return p.WeChat.QR("official", "s:"+sector+":"+short64(kiosk), qrLife)
}
