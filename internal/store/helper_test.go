package store_test

import (
	"context"
	"encoding/json"
	"os"
	"strconv"
	"testing"

	"github.com/google/uuid"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
)

// rounds is how often a random test is repeated: more often when GONGKAI_PROVE
// asks for proof and time does not matter.
func rounds(usual, prove int) int {
	switch {
	case os.Getenv("GONGKAI_PROVE") != "":
		return prove
	case testing.Short():
		return usual/10 + 1
	}
	return usual
}

// apply commits transitions that must succeed.
func apply(t testing.TB, s *store.Store, ts ...disclosure.Transition) []disclosure.Notice {
	t.Helper()
	done, err := s.Apply(context.Background(), nil, ts...)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// must is for steps that a test takes for granted.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// changes is a correction of one member by a text.
func changes(member, text string) map[string]json.RawMessage {
	return map[string]json.RawMessage{member: json.RawMessage(strconv.Quote(text))}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }
