package disclosure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParsePhone(t *testing.T) {
	for keys, want := range map[string][2]string{ // groups, masked
		"13812345678": {"13812345678", "138****5678"}, "01012345678": {"010 12345678", "010****5678"}, "02888880001": {"028 88880001", "028****0001"},
		"051588880001": {"0515 88880001", "0515****0001"}, "05158888001": {"0515 8888001", "0515****001"},
	} {
		n, err := ParsePhone(keys)
		if err != nil || n.Groups() != want[0] || n.Masked() != want[1] {
			t.Errorf("%s: %q, %q, %v", keys, n.Groups(), n.Masked(), err)
		}
	}
	for _, keys := range []string{"", "#", "1", "12345", "12812345678", "138123456789", "0", "00", "0138123456789", "011123456789", "0515888800", "0515888800011",
		"88880001", "110", "95598", "4008001234", "138-1234-567", "１３８１２３４５６７８", "+8613812345678", strings.Repeat("1", 1024)} {
		n, err := ParsePhone(keys)
		if n != "" || codeOf(err) != CodeParam {
			t.Errorf("%.20q is taken: %v", keys, err)
		}
		if len(keys) > 4 && strings.Contains(fmt.Sprint(err), keys) {
			t.Errorf("the error repeats what was typed: %v", err)
		}
	}
}

// TestPhoneIsMaskedInPrint prints, logs and encodes a number in every way there is.
func TestPhoneIsMaskedInPrint(t *testing.T) {
	ask := CallbackAsk{Number: "13812345678"}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v %+v %s %q %#v %v", ask, ask, ask.Number, ask.Number, ask.Number, []any{ask.Number})
	for _, h := range []slog.Handler{slog.NewJSONHandler(&b, nil), slog.NewTextHandler(&b, nil)} {
		slog.New(h).Info("x", "number", ask.Number, "ask", ask)
	}
	if err := json.NewEncoder(&b).Encode(ask); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "1234") || strings.Count(text, "138****5678") < 10 {
		t.Errorf("printed as %s", text)
	}
}

func TestNumberKeys(t *testing.T) {
	old, fresh := NumberKeys{[]byte("the key of last month")}, NumberKeys{[]byte("the key of this month"), []byte("the key of last month")}
	seal := func(k NumberKeys, about string, n PhoneNumber) []byte {
		t.Helper()
		b, err := k.Seal(about, n)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sealed := seal(old, "a", "13812345678")
	if got, ok := fresh.Open("a", sealed); !ok || got != "13812345678" {
		t.Errorf("the key before opens %q, %v", string(got), ok)
	}
	if !bytes.Equal(sealed, seal(old, "a", "13812345678")) || bytes.Equal(sealed, seal(old, "b", "13812345678")) || bytes.Equal(sealed, seal(fresh, "a", "13812345678")) {
		t.Error("a number is not sealed alike in one place, and differently elsewhere")
	}
	if len(sealed) != len(seal(old, "a", "051588880001")) {
		t.Error("the length tells numbers apart")
	}
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		if _, ok := old.Open("a", broken); ok {
			t.Fatalf("byte %d can be changed", i)
		}
	}
	for name, open := range map[string]func() (PhoneNumber, bool){
		"another place": func() (PhoneNumber, bool) { return old.Open("b", sealed) }, "another key": func() (PhoneNumber, bool) { return fresh[:1].Open("a", sealed) },
		"no key": func() (PhoneNumber, bool) { return NumberKeys{}.Open("a", sealed) }, "nothing": func() (PhoneNumber, bool) { return old.Open("a", nil) },
	} {
		if n, ok := open(); ok || n != "" {
			t.Errorf("%s opens it", name)
		}
	}
	if _, err := (NumberKeys{}).Seal("a", "13812345678"); err == nil {
		t.Error("a number is sealed without a key")
	}
}
