package wechatsim

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" //nolint:gosec // the protocol's own
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// WeChat pads to 32 bytes, twice the cipher's block.
const (
	padBlockBytes  = 32
	envelopeRandom = 16
	envelopeHead   = envelopeRandom + 4
)

// errCipher is all that is said of a message that cannot be opened: which part
// of it was wrong would help whoever forges one.
var errCipher = errors.New("wechatsim: the encrypted message cannot be opened")

// signature is WeChat's: the SHA-1, in hex, of the parts in order of their bytes
// and without anything between them.
func signature(parts ...string) string {
	sorted := slices.Clone(parts)
	slices.Sort(sorted)
	sum := sha1.Sum([]byte(strings.Join(sorted, ""))) //nolint:gosec // the protocol's own
	return hex.EncodeToString(sum[:])
}

// decodeKey turns an EncodingAESKey of 43 characters into 32 bytes. The last
// character carries two bits that belong to none; WeChat ignores them.
func decodeKey(encoded string) ([]byte, error) {
	if len(encoded) != 43 {
		return nil, errors.New("wechatsim: an EncodingAESKey has 43 characters")
	}
	key, err := base64.StdEncoding.DecodeString(encoded + "=")
	if err != nil || len(key) != 32 {
		return nil, errors.New("wechatsim: an EncodingAESKey is base64")
	}
	return key, nil
}

// encrypt puts a message into WeChat's envelope: random bytes, the message's
// length, the message, the account's id; AES-256-CBC; base64.
func encrypt(key, random, message []byte, appID string) (string, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	if len(random) != envelopeRandom {
		return "", errors.New("wechatsim: an envelope begins with 16 random bytes")
	}
	b := binary.BigEndian.AppendUint32(slices.Clone(random), uint32(len(message)))
	b = append(append(b, message...), appID...)
	n := padBlockBytes - len(b)%padBlockBytes
	b = append(b, bytes.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(b, b)
	return base64.StdEncoding.EncodeToString(b), nil
}

// decrypt opens an envelope and returns the message in it. An envelope for
// another account, with a wrong length or a padding that is not one, is refused.
func decrypt(key []byte, encrypted, appID string) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(b) == 0 || len(b)%padBlockBytes != 0 {
		return nil, errCipher
	}
	cipher.NewCBCDecrypter(block, key[:aes.BlockSize]).CryptBlocks(b, b)
	b, ok := unpad(b)
	if !ok || len(b) < envelopeHead {
		return nil, errCipher
	}
	length := uint64(binary.BigEndian.Uint32(b[envelopeRandom:envelopeHead]))
	rest := b[envelopeHead:]
	if length > uint64(len(rest)) || subtle.ConstantTimeCompare(rest[length:], []byte(appID)) != 1 {
		return nil, errCipher
	}
	return rest[:length:length], nil
}

func unpad(b []byte) ([]byte, bool) {
	n := int(b[len(b)-1])
	if n < 1 || n > padBlockBytes || n > len(b) {
		return nil, false
	}
	for _, pad := range b[len(b)-n:] {
		if int(pad) != n {
			return nil, false
		}
	}
	return b[:len(b)-n], true
}
