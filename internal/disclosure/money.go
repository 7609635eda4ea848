package disclosure

import (
	"errors"
	"strconv"
	"strings"
)

// Money is an amount in 分 (1/100 元), never negative.
type Money int64

// maxMoney is 9 万亿元: above it an amount is a mistyped unit.
const maxMoney = Money(9_000_000_000_000_00)

var errMoney = errors.New("disclosure: money is written as decimal 元 with at most two decimals, not negative")

// ParseMoney reads decimal 元 such as "1234567.5". Signs, blanks, separators,
// exponents and units are refused.
func ParseMoney(s string) (Money, error) {
	yuan, cents, dotted := strings.Cut(s, ".")
	if yuan == "" || len(yuan) > 13 || len(cents) > 2 || dotted && cents == "" {
		return 0, errMoney
	}
	n, err := strconv.ParseUint(yuan+(cents + "00")[:2], 10, 63)
	if err != nil || Money(n) > maxMoney || strings.ContainsAny(s, "+_") {
		return 0, errMoney
	}
	return Money(n), nil
}

// FormatMoney writes decimal 元 with two decimals: "1234567.50".
func FormatMoney(m Money) string {
	s := strconv.FormatInt(int64(m), 10)
	if len(s) < 3 {
		s = strings.Repeat("0", 3-len(s)) + s
	}
	return s[:len(s)-2] + "." + s[len(s)-2:]
}

// GroupMoney writes 元 for people to read: "1,234,567.50".
func GroupMoney(m Money) string {
	yuan, cents, _ := strings.Cut(FormatMoney(m), ".")
	for i := len(yuan) - 3; i > 0; i -= 3 {
		yuan = yuan[:i] + "," + yuan[i:]
	}
	return yuan + "." + cents
}
