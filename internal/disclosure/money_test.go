package disclosure

import (
	"strings"
	"testing"
)

func TestParseMoney(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want Money
		ok   bool
	}{
		{"yuan", "12", 1200, true},
		{"one decimal", "1234567.5", 123456750, true},
		{"two decimals", "0.01", 1, true},
		{"zero", "0.00", 0, true},
		{"leading zeros", "007", 700, true},
		{"the largest", "9000000000000.00", maxMoney, true},
		{"one fen more", "9000000000000.01", 0, false},
		{"thirteen nines", "9999999999999", 0, false},
		{"more digits than an int64", "99999999999999999999", 0, false},
		{"nothing", "", 0, false},
		{"no yuan", ".5", 0, false},
		{"no decimals after the point", "5.", 0, false},
		{"three decimals", "1.000", 0, false},
		{"two points", "1.2.3", 0, false},
		{"a point for a decimal", "1.5.", 0, false},
		{"negative", "-1", 0, false},
		{"plus", "+1", 0, false},
		{"sign of the decimals", "1.-5", 0, false},
		{"exponent", "1e3", 0, false},
		{"hexadecimal", "0x10", 0, false},
		{"underscore", "1_000", 0, false},
		{"comma", "1,000.00", 0, false},
		{"blank", "1 000", 0, false},
		{"blank around", " 1", 0, false},
		{"currency sign", "¥1", 0, false},
		{"full-width digits", "１２", 0, false},
	}
	for _, tt := range tests {
		got, err := ParseMoney(tt.in)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: ParseMoney(%q) = %d, %v, want %d, ok %t", tt.name, tt.in, got, err, tt.want, tt.ok)
		}
	}
}

func TestMoneyText(t *testing.T) {
	tests := []struct {
		name    string
		in      Money
		plain   string
		grouped string
	}{
		{"zero", 0, "0.00", "0.00"},
		{"one fen", 1, "0.01", "0.01"},
		{"ten fen", 10, "0.10", "0.10"},
		{"one yuan", 100, "1.00", "1.00"},
		{"under a thousand", 99999, "999.99", "999.99"},
		{"a thousand", 100000, "1000.00", "1,000.00"},
		{"a million", 123456750, "1234567.50", "1,234,567.50"},
		{"the largest", maxMoney, "9000000000000.00", "9,000,000,000,000.00"},
	}
	for _, tt := range tests {
		if got := FormatMoney(tt.in); got != tt.plain {
			t.Errorf("%s: FormatMoney(%d) = %q, want %q", tt.name, tt.in, got, tt.plain)
		}
		if got := GroupMoney(tt.in); got != tt.grouped {
			t.Errorf("%s: GroupMoney(%d) = %q, want %q", tt.name, tt.in, got, tt.grouped)
		}
	}
}

func FuzzParseMoney(f *testing.F) {
	for _, s := range []string{"0", "0.1", "1234567.50", "9000000000000.00", "-1", "1e5", "1.005", "1.-5", "１", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseMoney(s)
		if err != nil {
			if m != 0 {
				t.Fatalf("ParseMoney(%q) = %d, %v, want 0 with an error", s, m, err)
			}
			return
		}
		if m < 0 || m > maxMoney {
			t.Fatalf("ParseMoney(%q) = %d, want 0 to %d", s, m, maxMoney)
		}
		text := FormatMoney(m)
		if again, err := ParseMoney(text); err != nil || again != m {
			t.Errorf("ParseMoney(FormatMoney(%d)) = %d, %v, want the same", m, again, err)
		}
		if short := strings.TrimLeft(s, "0"); !strings.HasPrefix(strings.TrimLeft(text, "0"), short) {
			t.Errorf("FormatMoney(ParseMoney(%q)) = %q, want the digits as written", s, text)
		}
		if got := strings.ReplaceAll(GroupMoney(m), ",", ""); got != text {
			t.Errorf("GroupMoney(%d) = %q, want %q with commas", m, GroupMoney(m), text)
		}
	})
}
