package cache_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// dump has Redis write its file, and reports whether the text is in it.
func (s *server) dump(t *testing.T, text string) bool {
	t.Helper()
	must(t, s.ConfigSet(t.Context(), "rdbcompression", "no").Err())
	must(t, s.Save(t.Context()).Err())
	data, err := os.ReadFile(filepath.Join(s.ConfigGet(t.Context(), "dir").Val()["dir"], "dump.rdb"))
	must(t, err)
	return bytes.Contains(data, []byte(text))
}

// After a purge neither Redis nor any instance's memory holds what was read
// before, and the receipt counts it.
func TestPurge(t *testing.T) {
	r := startRedis(t)
	const secret = "朱雀工程招标公告"
	one, fill := instance(t, r.url(), "v1", "epoch")
	two, other := instance(t, r.url(), "v1", "epoch")
	erased := func(f *feed) func(context.Context) (*disclosure.Answer, error) {
		return func(context.Context) (*disclosure.Answer, error) {
			return &disclosure.Answer{Type: "application/json", Body: []byte(secret), Position: f.position()}, nil
		}
	}
	fill.fill, other.fill = erased(fill.feed), erased(other.feed)
	for _, key := range []string{"a", "b", "c"} {
		get(t, one, key, fill.do)
		get(t, two, key, other.do)
	}
	if !r.dump(t, secret) || two.Stats().Bytes == 0 {
		t.Fatal("the test looks for what was never there")
	}
	for _, f := range []*feed{fill.feed, other.feed} {
		f.set(func(f *feed) { f.at.Position = 8 })
	}
	got := map[string]disclosure.PurgedPlace{}
	for _, p := range one.Purge(t.Context()) {
		got[p.Place] = p
	}
	if m := got["memory"]; m.Count != 3 || !m.Done {
		t.Errorf("memory: %+v", m)
	}
	if p := got["redis"]; p.Count != 3 || !p.Done {
		t.Errorf("redis: %+v", p)
	}
	if r.dump(t, secret) {
		t.Error("Redis still holds what was erased")
	}
	storetest.Eventually(t, 5*time.Second, "the other instance forgets too", func() bool { return two.Stats().Bytes == 0 })
	if n := one.Stats().Bytes; n != 0 {
		t.Errorf("%d bytes left in memory", n)
	}

	// What a slow reader had read before the erasure, and writes after it, goes
	// with the second purge.
	slow := newShared(t, r.url(), "v1")
	must(t, r.Set(t.Context(), "gongkai:q:7:late", secret, time.Hour).Err())
	storetest.Eventually(t, 10*time.Second, "the second purge", func() bool { return !r.dump(t, secret) })

	// Redis that is away is told, and the rest is done.
	r.stop()
	for _, p := range slow.Purge(t.Context()) {
		if p.Done {
			t.Errorf("without Redis: %+v", p)
		}
	}
}
