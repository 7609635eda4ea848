package disclosure

import (
	"fmt"
	"strings"
)

// damm is the quasigroup of order 10 of H. M. Damm's check-digit scheme: it
// catches every single wrong digit and every swap of neighbours.
var damm = [10][10]byte{
	{0, 3, 1, 7, 5, 9, 8, 6, 4, 2},
	{7, 0, 9, 2, 1, 5, 4, 8, 6, 3},
	{4, 2, 0, 6, 8, 7, 1, 3, 5, 9},
	{1, 7, 5, 0, 9, 8, 3, 4, 2, 6},
	{6, 1, 2, 3, 0, 4, 5, 9, 7, 8},
	{3, 6, 7, 4, 2, 0, 9, 5, 8, 1},
	{5, 8, 6, 9, 7, 2, 0, 1, 3, 4},
	{8, 9, 4, 5, 3, 6, 2, 0, 1, 7},
	{9, 4, 3, 8, 6, 1, 7, 2, 0, 5},
	{2, 5, 8, 1, 4, 3, 6, 7, 9, 0},
}

func dammDigit(digits string) byte {
	var d byte
	for i := range len(digits) {
		d = damm[d][digits[i]-'0']
	}
	return '0' + d
}

// codeSpace is how many codes there are: 1000000 to 9999999 before the check
// digit, so that no code begins with 0.
const codeSpace = 9_000_000

// NoticeCode returns the code (公告编号) of the n-th notice, n counting from 1:
// eight digits, the last a Damm check digit. Neighbouring notices get codes far
// apart, so a slip of the finger does not lead to the next notice. n above
// 9,000,000 begins anew and would collide.
func NoticeCode(n int64) string {
	const stride = 5_562_307 // coprime to codeSpace, near its golden section
	digits := fmt.Sprintf("%07d", 1_000_000+(n*stride+4_820_173)%codeSpace)
	return digits + string(dammDigit(digits))
}

// ValidCode reports whether s has the form of a code and its check digit is
// right.
func ValidCode(s string) bool {
	return len(s) == 8 && strings.Trim(s, "0123456789") == "" && dammDigit(s) == '0'
}
