package push

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"gongkai/internal/disclosure"
)

// Signer makes links that lead one person to one delivery, without a login.
type Signer struct {
	key []byte
}

// NewSigner makes links with the secret that all processes share.
func NewSigner(secret string) *Signer { return &Signer{[]byte("gongkai why " + secret)} }

const signatureBytes = 12

// signedForm has one text for one value: a changed letter is a changed link.
var signedForm = base64.RawURLEncoding.Strict()

// Sign returns the signed form of a delivery's number.
func (s *Signer) Sign(delivery int64) string {
	var b [8 + signatureBytes]byte
	binary.BigEndian.PutUint64(b[:8], uint64(delivery))
	copy(b[8:], s.mac(b[:8]))
	return signedForm.EncodeToString(b[:])
}

func (s *Signer) mac(b []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write(b)
	return m.Sum(nil)[:signatureBytes]
}

// Open returns the delivery's number. What we did not sign is CodeSigned.
func (s *Signer) Open(signed string) (int64, error) {
	b, err := signedForm.DecodeString(signed)
	if err != nil || len(b) != 8+signatureBytes || !hmac.Equal(b[8:], s.mac(b[:8])) {
		return 0, disclosure.Errorf(disclosure.CodeSigned, "链接不完整或已被改动")
	}
	return int64(binary.BigEndian.Uint64(b[:8])), nil
}

const feedKeyBytes = 18

// FeedKey returns the key to the feed of a saved subscription. Whoever has it
// reads which public notices the subscription matches, and nothing else.
func (s *Signer) FeedKey(subscription string) string {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte("feed " + subscription))
	return signedForm.EncodeToString(m.Sum(nil)[:feedKeyBytes])
}
