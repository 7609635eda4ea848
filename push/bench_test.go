package push_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gongkai/internal/disclosure"
	"gongkai/internal/store"
	"gongkai/internal/store/storetest"
	"gongkai/push"
)

// onBoth runs a benchmark on SQLite, which syncs each commit to the disk, and on
// PostgreSQL.
func onBoth(b *testing.B, run func(b *testing.B, open func() (*store.Store, string))) {
	b.Run("sqlite", func(b *testing.B) { run(b, func() (*store.Store, string) { return storetest.SQLite(b) }) })
	b.Run("postgres", func(b *testing.B) { run(b, func() (*store.Store, string) { return storetest.Postgres(b) }) })
}

func many(b *testing.B, u string, n int) {
	b.Helper()
	storetest.People(b, u, n, storetest.Crowd{App: official, Kind: disclosure.AppOfficial, Sector: "construction"})
	if !storetest.IsSQLite(u) {
		storetest.Exec(b, storetest.Raw(b, u), `ANALYZE`)
	}
}

// cpu is what the process has used of its processors so far: on a busy machine a
// rate by it means more than one by the clock.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkFanOut expands one event to 100,000 people.
func BenchmarkFanOut(b *testing.B) {
	const people = 100_000
	onBoth(b, func(b *testing.B, open func() (*store.Store, string)) {
		var used time.Duration
		for b.Loop() {
			b.StopTimer()
			s, u := open()
			w := newBench(b, s, u)
			many(b, u, people)
			if err := s.SetSwitch(b.Context(), storetest.Admin, disclosure.ScopeGlobal, "bench", false, time.Now()); err != nil {
				b.Fatal(err)
			}
			w.publish("道路招标")
			db := storetest.Raw(b, u)
			before := cpu(b)
			b.StartTimer()
			w.start("w1")
			w.until("matched", func() bool {
				return storetest.Int(b, db, `SELECT count(*) FROM push_event WHERE state = 'matched'`) == 1 // counting deliveries would cost more than writing them
			})
			b.StopTimer()
			used += cpu(b) - before
			w.stop()
			b.StartTimer()
		}
		b.ReportMetric(people*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		b.ReportMetric(people*float64(b.N)/used.Seconds(), "rows/cpu-s")
	})
}

// quickWeChat takes every card after a millisecond, at next to no cost of its own.
type quickWeChat struct{ calls, first atomic.Int64 }

// Send implements push.Sender.
func (w *quickWeChat) Send(context.Context, push.Message) (string, error) {
	n := w.calls.Add(1)
	if n == 1 {
		w.first.Store(time.Now().UnixNano())
	}
	time.Sleep(time.Millisecond)
	return strconv.FormatInt(3_557_254_367_693_700_000+n, 10), nil
}

// BenchmarkSend sends 100,000 keyed cards through 50 senders of a millisecond, and
// tells when the first went out.
func BenchmarkSend(b *testing.B) {
	const people = 100_000
	onBoth(b, func(b *testing.B, open func() (*store.Store, string)) {
		var first, used time.Duration
		for b.Loop() {
			b.StopTimer()
			s, u := open()
			w := newBench(b, s, u)
			w.conf.Workers, w.conf.Batch = 50, 2_000
			w.conf.QuotaOf = map[disclosure.Channel]int{disclosure.ChannelTemplate: 10 * people}
			wechat := new(quickWeChat)
			many(b, u, people)
			w.publish("道路招标")
			b.StartTimer()
			began, before := time.Now(), cpu(b)
			w.run(push.New(w.conf, s, wechat, push.NewSigner("test"), slog.New(slog.NewJSONHandler(w.logs, nil)), w.now, "w1"))
			w.until("sent", func() bool { return wechat.calls.Load() == people })
			b.StopTimer()
			used += cpu(b) - before
			w.stop()
			first += time.Unix(0, wechat.first.Load()).Sub(began)
			b.StartTimer()
		}
		b.ReportMetric(people*float64(b.N)/b.Elapsed().Seconds(), "sends/s")
		b.ReportMetric(people*float64(b.N)/used.Seconds(), "sends/cpu-s")
		b.ReportMetric(first.Seconds()*1000/float64(b.N), "ms-to-first")
	})
}

// BenchmarkMillion matches one notice against a million subscriptions, half of
// them with a filter of their own, and fans it out; the program's memory above
// idle is that of the whole process.
func BenchmarkMillion(b *testing.B) {
	const people = 1_000_000
	s, u := storetest.SQLite(b)
	w := newBench(b, s, u)
	many(b, u, people)
	storetest.Exec(b, storetest.Raw(b, u), `UPDATE subscription SET doc = '{"s":["construction"],"k":["道路","桥梁","照明"],"x":["监理"],"r":["3209"]}' WHERE n % 2 = 0`)
	n := w.publish("盐东镇道路改造工程招标公告")
	staff, err := s.Staff(b.Context(), disclosure.NoticeRef{ID: n.ID})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.SetSwitch(b.Context(), storetest.Admin, disclosure.ScopeGlobal, "bench", false, time.Now()); err != nil {
		b.Fatal(err)
	}
	debug.FreeOSMemory()
	idle := resident(b)
	var peak atomic.Int64
	done := make(chan struct{})
	go func() {
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-done:
				return
			case <-tick.C:
				peak.Store(max(peak.Load(), resident(b)))
			}
		}
	}()
	audience, before := push.Audience{Outbox: s}, cpu(b)
	for b.Loop() {
		if got, exact, err := audience.Count(b.Context(), staff); err != nil || !exact || got != people {
			b.Fatalf("%d people, %v, %v", got, exact, err)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/match")
	b.ReportMetric((cpu(b)-before).Seconds()/float64(b.N), "cpu-s/match")
	b.StopTimer()
	began := time.Now()
	w.start("w1")
	db := storetest.Raw(b, u)
	w.until("matched", func() bool {
		return storetest.Int(b, db, `SELECT count(*) FROM push_event WHERE state = 'matched'`) == 1
	})
	b.ReportMetric(time.Since(began).Seconds(), "s/fan-out")
	close(done)
	w.stop()
	b.ReportMetric(float64(peak.Load()-idle)/(1<<20), "MB-above-idle")
}

// resident is the process's memory in bytes; what maps the database's file is
// the system's and not counted.
func resident(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("no /proc: ", err)
	}
	var kb int64
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err = strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	if err != nil || kb == 0 {
		b.Skip(fmt.Sprint("no RssAnon: ", err))
	}
	return kb << 10
}
