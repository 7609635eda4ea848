package disclosure

import "testing"

func TestNoticeCodesAreUnique(t *testing.T) {
	seen := make(map[string]int64, 100_000)
	for n := int64(1); n <= 100_000; n++ {
		code := NoticeCode(n)
		if other, ok := seen[code]; ok {
			t.Fatalf("NoticeCode(%d) = %s = NoticeCode(%d)", n, code, other)
		}
		seen[code] = n
		if code[0] == '0' || !ValidCode(code) {
			t.Fatalf("NoticeCode(%d) = %s, want a valid code that does not begin with 0", n, code)
		}
	}
}

// The step between codes and their number have no common factor, so all
// 9,000,000 codes are used before one comes again.
func TestNoticeCodesUseTheWholeSpace(t *testing.T) {
	if a, b := NoticeCode(1), NoticeCode(codeSpace+1); a != b {
		t.Errorf("NoticeCode(%d) = %s, want NoticeCode(1) = %s again", codeSpace+1, b, a)
	}
	for _, prime := range []int64{2, 3, 5} {
		if a, b := NoticeCode(1), NoticeCode(codeSpace/prime+1); a == b {
			t.Errorf("NoticeCode(%d) = %s, want another code than NoticeCode(1)", codeSpace/prime+1, b)
		}
	}
	for _, n := range []int64{1, 4_500_000, codeSpace} {
		if code := NoticeCode(n); !ValidCode(code) || code[0] == '0' {
			t.Errorf("NoticeCode(%d) = %s, want a valid code", n, code)
		}
	}
}

func TestNeighbouringNoticesHaveDistantCodes(t *testing.T) {
	for n := int64(1); n < 1000; n++ {
		a, b, same := NoticeCode(n), NoticeCode(n+1), 0
		for i := range 7 {
			if a[i] == b[i] {
				same++
			}
		}
		if same > 4 {
			t.Errorf("NoticeCode(%d) = %s, NoticeCode(%d) = %s, want codes that differ in several digits", n, a, n+1, b)
		}
	}
}

// The published example of the scheme (H. M. Damm, 2004): 572 has the check
// digit 4.
func TestDammDigit(t *testing.T) {
	tests := []struct {
		name, digits string
		want         byte
	}{
		{"published example", "572", '4'},
		{"with its check digit it ends at 0", "5724", '0'},
		{"no digits", "", '0'},
		{"zeros", "0000", '0'},
	}
	for _, tt := range tests {
		if got := dammDigit(tt.digits); got != tt.want {
			t.Errorf("%s: dammDigit(%s) = %c, want %c", tt.name, tt.digits, got, tt.want)
		}
	}
}

func TestValidCodeCatchesSlips(t *testing.T) {
	for n := int64(1); n <= 500; n++ {
		code := []byte(NoticeCode(n))
		for i := range code {
			right := code[i]
			for wrong := byte('0'); wrong <= '9'; wrong++ {
				if code[i] = wrong; ValidCode(string(code)) != (wrong == right) {
					t.Fatalf("ValidCode(%s) = %t with digit %d of %s wrong", code, wrong != right, i, NoticeCode(n))
				}
			}
			code[i] = right
			if i == 0 || code[i-1] == code[i] {
				continue
			}
			code[i-1], code[i] = code[i], code[i-1]
			if ValidCode(string(code)) {
				t.Fatalf("ValidCode(%s) = true with digits %d and %d of %s swapped", code, i-1, i, NoticeCode(n))
			}
			code[i-1], code[i] = code[i], code[i-1]
		}
	}
}

func TestValidCode(t *testing.T) {
	right := NoticeCode(1)
	tests := []struct {
		name, in string
		want     bool
	}{
		{"a code", right, true},
		{"seven digits", right[:7], false},
		{"nine digits", right + "0", false},
		{"a letter", "1234567a", false},
		{"a sign", "+1234567", false},
		{"a blank", " " + right[:7], false},
		{"full-width digits", "１２３４５６７８", false},
		{"eight bytes that are no digits", "公告ab", false},
		{"nothing", "", false},
	}
	for _, tt := range tests {
		if got := ValidCode(tt.in); got != tt.want {
			t.Errorf("%s: ValidCode(%q) = %t, want %t", tt.name, tt.in, got, tt.want)
		}
	}
}
