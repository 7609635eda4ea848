package wechatsim

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The official example of 消息推送 (developers.weixin.qq.com, 服务端能力).
const (
	goldenToken   = "AAAAA"
	goldenAppID   = "wxba5fad812f8e6fb9"
	goldenMessage = `{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`
	goldenSealed  = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
	goldenReply   = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
)

var goldenKey = strings.Repeat("A", 43)

func TestOfficialSignatures(t *testing.T) {
	for _, tt := range []struct {
		name  string
		parts []string
		want  string
	}{
		{"verification of the URL", []string{goldenToken, "1714036504", "1514711492"}, "f464b24fc39322e44b38aa78f5edd27bd1441696"},
		{"plain mode", []string{goldenToken, "1714037059", "486452656"}, "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
		{"safe mode, the signature not to be used", []string{goldenToken, "1714112445", "415670741"}, "6c5c811b55cc85e0e1b54100749188c20beb3f5d"},
		{"safe mode", []string{goldenToken, "1714112445", "415670741", goldenSealed}, "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"},
		{"reply", []string{goldenToken, "1713424427", "415670741", goldenReply}, "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"},
	} {
		if got := signature(tt.parts...); got != tt.want {
			t.Errorf("%s: signature = %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestOfficialEnvelopes(t *testing.T) {
	key := mustKey(t, goldenKey)
	for _, tt := range []struct{ name, random, message, sealed string }{
		{"event", "a8eedb185eb2fecf", goldenMessage, goldenSealed},
		{"reply", "707722b803182950", `{"demo_resp":"good luck"}`, goldenReply},
	} {
		got, err := encrypt(key, []byte(tt.random), []byte(tt.message), goldenAppID)
		if err != nil || got != tt.sealed {
			t.Errorf("%s: encrypt = %s, %v", tt.name, got, err)
		}
		opened, err := decrypt(key, tt.sealed, goldenAppID)
		if err != nil || string(opened) != tt.message {
			t.Errorf("%s: decrypt = %s, %v", tt.name, opened, err)
		}
	}
}

type vector struct{ Key, AppID, Random, Message, Encrypted, Timestamp, Nonce, Signature string }

func vectors(t testing.TB) (out []vector) {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil || len(out) < 10 {
		t.Fatalf("%d vectors, %v", len(out), err)
	}
	return out
}

// testdata/vectors.json was written by @wecom/crypto; TestNodeVectors has it
// written again.
func TestVectorsOfAnotherImplementation(t *testing.T) {
	for _, v := range vectors(t) {
		key := mustKey(t, v.Key)
		random, err := hex.DecodeString(v.Random)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := encrypt(key, random, []byte(v.Message), v.AppID); err != nil || got != v.Encrypted {
			t.Errorf("encrypt(%q) = %s, %v, want %s", v.Message, got, err, v.Encrypted)
		}
		if got, err := decrypt(key, v.Encrypted, v.AppID); err != nil || string(got) != v.Message {
			t.Errorf("decrypt(%q) = %s, %v", v.Message, got, err)
		}
		if got := signature(goldenToken, v.Timestamp, v.Nonce, v.Encrypted); got != v.Signature {
			t.Errorf("signature of %q = %s, want %s", v.Message, got, v.Signature)
		}
	}
}

func TestDecryptRefuses(t *testing.T) {
	key := mustKey(t, goldenKey)
	seal := func(appID string, change func([]byte)) string {
		s, err := encrypt(key, []byte("0123456789abcdef"), []byte("hello"), appID)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := base64.StdEncoding.DecodeString(s)
		change(b)
		return base64.StdEncoding.EncodeToString(b)
	}
	nothing := func([]byte) {}
	for _, tt := range []struct{ name, sealed string }{
		{"nothing", ""},
		{"no base64", "%%%"},
		{"half a block", base64.StdEncoding.EncodeToString(make([]byte, 16))},
		{"another account", seal("wx0000000000000001", nothing)},
		{"no account", seal("", nothing)},
		{"another key", func() string {
			s, _ := encrypt(mustKey(t, strings.Repeat("B", 42)+"A"), []byte("0123456789abcdef"), []byte("hello"), goldenAppID)
			return s
		}()},
		{"a broken padding", seal(goldenAppID, func(b []byte) { b[len(b)-1] ^= 1 })},
		{"a length beyond the end", seal(goldenAppID, func(b []byte) { b[0] ^= 0xff; b[16] ^= 0xff })},
	} {
		if got, err := decrypt(key, tt.sealed, goldenAppID); err == nil {
			t.Errorf("%s: decrypt = %q, want an error", tt.name, got)
		}
	}
	if _, err := encrypt(key, []byte("short"), nil, goldenAppID); err == nil {
		t.Error("encrypt takes too few random bytes")
	}
	for _, bad := range []string{"", strings.Repeat("A", 42), strings.Repeat("A", 44), strings.Repeat("A", 42) + "%"} {
		if _, err := decodeKey(bad); err == nil {
			t.Errorf("decodeKey(%q) takes it", bad)
		}
	}
}

func mustKey(t testing.TB, encoded string) []byte {
	t.Helper()
	key, err := decodeKey(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Whatever is opened was sealed so; nothing else opens, and nothing panics.
func FuzzDecrypt(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Encrypted, v.AppID, v.Key)
	}
	f.Add(goldenSealed, goldenAppID, goldenKey)
	f.Add("", "", goldenKey)
	f.Fuzz(func(t *testing.T, sealed, appID, encodedKey string) {
		key, err := decodeKey(encodedKey)
		if err != nil {
			return
		}
		message, err := decrypt(key, sealed, appID)
		if err != nil {
			return
		}
		raw, _ := base64.StdEncoding.DecodeString(sealed)
		again, err := encrypt(key, make([]byte, envelopeRandom), message, appID)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decrypt(key, again, appID)
		if err != nil || !bytes.Equal(back, message) {
			t.Errorf("sealed again it opens as %q, %v, want %q", back, err, message)
		}
		if b, _ := base64.StdEncoding.DecodeString(again); len(b) != len(raw) {
			t.Errorf("sealed again it has %d bytes, not %d", len(b), len(raw))
		}
	})
}
