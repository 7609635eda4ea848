package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

const wrkOutput = `Running 1s test @ http://127.0.0.1:1/x
  2 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.22ms   11.93ms 200.50ms   93.92%
    Req/Sec     4.06k     1.20k    6.30k    65.00%
  Latency Distribution
     50%  850.00us
     75%    2.40ms
     90%    7.10ms
     99%    1.25s
  8086 requests in 1.00s, 157.52MB read
  Socket errors: connect 0, read 0, write 0, timeout 2
  Non-2xx or 3xx responses: 3
Requests/sec:   8070.51
Transfer/sec:    157.22MB
`

func TestParseWrk(t *testing.T) {
	got, requests := parseWrk(wrkOutput)
	want := result{rps: 8070.51, p50: 0.85, p99: 1250, bad: 4}
	if got != want || requests != 8086 {
		t.Errorf("%+v of %v requests, want %+v of 8086", got, requests, want)
	}
}

func TestMedianIsOfEachFigure(t *testing.T) {
	got := median([]result{{rps: 1, p50: 9, p99: 9, cpu: 5, bad: 1}, {rps: 3, p50: 7, p99: 8, cpu: 6}, {rps: 2, p50: 8, p99: 7, cpu: 4, bad: 2}})
	if want := (result{rps: 2, p50: 8, p99: 8, cpu: 5, bad: 3}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Whoever refuses is faster than all others, and has not won.
func TestBadAnswersMissTheMark(t *testing.T) {
	for _, tt := range []struct {
		asked       float64
		first, this result
		want        string
	}{
		{0, result{rps: 1}, result{rps: 100}, ""},
		{0.95, result{rps: 96}, result{rps: 100}, "≥ 0.95"},
		{0.95, result{rps: 90}, result{rps: 100}, "≥ 0.95 MISSED"},
		{0.95, result{rps: 900, bad: 1}, result{rps: 100}, "≥ 0.95 MISSED"},
		{150, result{rps: 900}, result{rps: 5, bad: 1}, "≥ 150"},
	} {
		if got := (target{asked: tt.asked}).verdict(tt.first, tt.this); got != tt.want {
			t.Errorf("%g asked of %+v and %+v: %q, want %q", tt.asked, tt.first, tt.this, got, tt.want)
		}
	}
}

// What is never shown ends the wait, and so does whoever breaks it off.
func TestWaitForWhatIsNotShownEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	v := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"detail":"没有"}`))
		stop()
	}))
	defer v.Close()
	if err := shown(ctx, &server{url: v.URL}, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("broken off: %v", err)
	}
	patience = 50 * time.Millisecond
	if err := shown(t.Context(), &server{url: v.URL}, "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("never shown: %v", err)
	}
}
