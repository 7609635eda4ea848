package disclosure

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// PhoneNumber is a telephone number as dialled, digits only. Printed or logged it
// is masked; string(n) is the number itself.
type PhoneNumber string

var (
	mobileNumber   = regexp.MustCompile(`^1[3-9]\d{9}$`)
	landlineNumber = regexp.MustCompile(`^(0(?:10|2\d)\d{8}|0[3-9]\d{2}\d{7,8})$`)
)

// maxPhoneDigits is the length of the longest number: area code and eight digits.
const maxPhoneDigits = 12

// ParsePhone reads the number that keys type: a mobile one, or a landline with
// its area code. The error, CodeParam, says in words that can be spoken what is
// wrong, and never the number.
func ParsePhone(keys string) (PhoneNumber, error) {
	refused := func(why string) (PhoneNumber, error) { return "", Errorf(CodeParam, "%s，请重新输入。", why) }
	switch {
	case keys == "":
		return refused("没有收到号码")
	case strings.Trim(keys, "0123456789") != "":
		return refused("号码只能由数字组成")
	case mobileNumber.MatchString(keys), landlineNumber.MatchString(keys):
		return PhoneNumber(keys), nil
	case keys[0] == '1' && len(keys) != 11:
		return refused("手机号码是十一位，位数不对")
	case keys[0] == '1':
		return refused("没有这样的手机号码")
	case keys[0] == '0':
		return refused("固定电话是区号加七位或者八位号码，位数不对")
	}
	return refused("固定电话请先按区号")
}

// area is how many digits a person reads first: the area code, or 138.
func (n PhoneNumber) area() int {
	if n[0] == '1' || strings.HasPrefix(string(n), "010") || strings.HasPrefix(string(n), "02") {
		return 3
	}
	return 4
}

// Groups returns the number with a blank after its area code, as it is read out;
// a mobile number has none.
func (n PhoneNumber) Groups() string {
	if n == "" || n[0] == '1' {
		return string(n)
	}
	return string(n[:n.area()]) + " " + string(n[n.area():])
}

// Masked hides four digits behind the area code: 138****1234, 0515****0001.
func (n PhoneNumber) Masked() string {
	if len(n) < 8 {
		return strings.Repeat("*", len(n))
	}
	return string(n[:n.area()]) + "****" + string(n[n.area()+4:])
}

// String implements fmt.Stringer.
func (n PhoneNumber) String() string { return n.Masked() }

// GoString implements fmt.GoStringer.
func (n PhoneNumber) GoString() string { return fmt.Sprintf("%q", n.Masked()) }

// MarshalText implements encoding.TextMarshaler: JSON has it masked too.
func (n PhoneNumber) MarshalText() ([]byte, error) { return []byte(n.Masked()), nil }

// LogValue implements slog.LogValuer.
func (n PhoneNumber) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// NumberKeys encrypt telephone numbers: the first seals, all open, so a key is
// replaced by putting another in front of it.
type NumberKeys [][]byte

// Seal encrypts the number for one place and one key (AES-256-GCM): about names
// the place, such as the id of the row. The same number in the same place is
// sealed alike, so that repeats are equal, and every number is as long as another.
func (k NumberKeys) Seal(about string, n PhoneNumber) ([]byte, error) {
	if len(k) == 0 || len(n) > maxPhoneDigits {
		return nil, fmt.Errorf("disclosure: nothing to seal a number with, or %d digits", len(n))
	}
	aead, err := numberCipher(k[0])
	if err != nil {
		return nil, err
	}
	plain := append([]byte(n), strings.Repeat(" ", maxPhoneDigits-len(n))...)
	nonce := numberMAC(k[0], "nonce", about+"\x00"+string(n))[:aead.NonceSize()]
	return aead.Seal(nonce, nonce, plain, []byte(about)), nil
}

// Open decrypts what Seal wrote for the place; false for all else.
func (k NumberKeys) Open(about string, sealed []byte) (PhoneNumber, bool) {
	for _, key := range k {
		aead, err := numberCipher(key)
		if err != nil || len(sealed) < aead.NonceSize() {
			return "", false
		}
		plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], []byte(about))
		if err == nil {
			return PhoneNumber(strings.TrimRight(string(plain), " ")), true
		}
	}
	return "", false
}

// MAC is a keyed hash by which what is of the kind is found again.
func (k NumberKeys) MAC(kind, s string) []byte { return numberMAC(k[0], kind, s) }

func numberCipher(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(numberMAC(key, "cipher", ""))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func numberMAC(key []byte, kind, s string) []byte {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "gongkai number %s\x00%s", kind, s)
	return h.Sum(nil)
}
