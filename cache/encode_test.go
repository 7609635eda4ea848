package cache_test

import (
	"bytes"
	"testing"
	"time"

	"gongkai/cache"
	"gongkai/internal/disclosure"
)

// FuzzDecodeAnswer reads whatever Redis may hold: it is refused, or it is an
// answer that could have been written.
func FuzzDecodeAnswer(f *testing.F) {
	whole, err := cache.EncodeAnswer(&disclosure.Answer{Type: "application/json", ETag: `W/"x"`, Body: []byte(`{"a":1}`), Position: 7,
		Until: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		f.Fatal(err)
	}
	for n := range whole {
		f.Add(whole[:n])
	}
	f.Add(whole)
	f.Add(append(bytes.Clone(whole), 'x'))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := cache.DecodeAnswer(raw)
		if err != nil {
			return
		}
		if a.Type == "" || a.ETag == "" || a.Private {
			t.Errorf("DecodeAnswer(%q) = %+v", raw, a)
		}
		again, err := cache.EncodeAnswer(a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := cache.DecodeAnswer(again)
		if err != nil || !bytes.Equal(a.Body, b.Body) || a.ETag != b.ETag || a.Position != b.Position || !a.Until.Equal(b.Until) {
			t.Errorf("DecodeAnswer(%q) does not survive: %+v, %+v, %v", raw, a, b, err)
		}
	})
}

func TestOnlyTheWholeAnswerDecodes(t *testing.T) {
	whole, err := cache.EncodeAnswer(&disclosure.Answer{Type: "text/plain", ETag: `W/"x"`, Body: []byte("body"), Position: 7})
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := cache.DecodeAnswer(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(whole))
		}
	}
	if _, err := cache.EncodeAnswer(&disclosure.Answer{Type: "text/plain", Body: []byte("李某"), Private: true}); err == nil {
		t.Error("a private answer is encoded for Redis")
	}
}
