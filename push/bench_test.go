package push_test

import (
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store/storetest"
)

// BenchmarkFanOut expands one event to 100,000 people.
func BenchmarkFanOut(b *testing.B) {
	const people = 100_000
	for b.Loop() {
		b.StopTimer()
		s, u := storetest.SQLite(b)
		w := newBench(b, s, u)
		storetest.People(b, u, people, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"})
		if err := s.SetSwitch(b.Context(), storetest.Admin, disclosure.ScopeGlobal, "bench", false, time.Now()); err != nil {
			b.Fatal(err)
		}
		w.publish("道路招标")
		db := storetest.Raw(b, u)
		b.StartTimer()
		w.start("w1")
		w.until("matched", func() bool {
			return storetest.Int(b, db, `SELECT count(*) FROM push_event WHERE state = 'matched'`) == 1 // counting deliveries would cost more than writing them
		})
		b.StopTimer()
		w.stop()
		b.StartTimer()
	}
	b.ReportMetric(people*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkSend sends 20,000 keyed cards through 50 senders of a millisecond.
func BenchmarkSend(b *testing.B) {
	const people = 20_000
	for b.Loop() {
		b.StopTimer()
		s, u := storetest.SQLite(b)
		w := newBench(b, s, u)
		w.conf.Workers, w.conf.Batch = 50, 2_000
		w.fake.takes = time.Millisecond
		storetest.People(b, u, people, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"})
		w.publish("道路招标")
		b.StartTimer()
		w.start("w1")
		w.until("sent", func() bool { calls, _ := w.fake.count(); return calls == people })
		b.StopTimer()
		w.stop()
		b.StartTimer()
	}
	b.ReportMetric(people*float64(b.N)/b.Elapsed().Seconds(), "sends/s")
}
