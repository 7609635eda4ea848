package handlers

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gongkai/internal/disclosure"
)

// Follower is the cache as operations see it.
type Follower interface {
	Fresh() bool
	LastPoll() time.Time
	Stats() disclosure.CacheStats
}

// OpsConfig is what the operations listener shows.
type OpsConfig struct {
	Cache   Follower
	Metrics *Metrics
	Queries func() int64    // read snapshots taken since the start
	Drained func() bool     // the server has begun to drain
	Kiosks  FleetReader     // nil without devices
	Calls   CallbackCounter // nil without the hotline
	Backlog BacklogReader   // nil without the push
	Now     func() time.Time
	Push    prometheus.Collector
}

// NewOps answers on the operations listener: /livez (the process runs), /readyz
// (it can answer from fresh data and is not draining; Redis and WeChat do not
// count), /metrics and /debug/pprof. It must not be public.
func NewOps(c OpsConfig) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		c.Metrics, cacheCollector{c.Cache}, prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "gongkai_store_reads_total", Help: "Read snapshots taken of the database."},
			func() float64 { return float64(c.Queries()) }))
	if c.Kiosks != nil {
		registry.MustRegister(kioskCollector{c.Kiosks, c.Now})
	}
	if c.Calls != nil {
		registry.MustRegister(callbackCollector{c.Calls, c.Now})
	}
	if c.Backlog != nil {
		registry.MustRegister(backlogCollector{c.Backlog, c.Now})
	}
	if c.Push != nil {
		registry.MustRegister(c.Push)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case c.Drained != nil && c.Drained():
			writeStatus(w, http.StatusServiceUnavailable, "draining")
		case !c.Cache.Fresh():
			writeStatus(w, http.StatusServiceUnavailable, "the database has not answered a poll in time")
		default:
			writeStatus(w, http.StatusOK, "ready")
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

func writeStatus(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"status": text}) // the prober may be gone
}

// cacheCollector shows the cache's counters.
type cacheCollector struct{ cache Follower }

var (
	answersDesc = prometheus.NewDesc("gongkai_cache_answers_total",
		"Answers by where they came from: process, shared, store, stale, refused.", []string{"from"}, nil)
	pollsDesc = prometheus.NewDesc("gongkai_cache_polls_total", "Polls of the change feed.", []string{"outcome"}, nil)
	bytesDesc = prometheus.NewDesc("gongkai_cache_bytes", "Weight of the entries in the process.", nil, nil)
	freshDesc = prometheus.NewDesc("gongkai_cache_fresh", "1 while the lease is valid.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c cacheCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect implements prometheus.Collector.
func (c cacheCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.cache.Stats()
	for from, n := range map[string]int64{"process": s.Hits, "shared": s.SharedHits, "store": s.Fills, "stale": s.Stale, "refused": s.Refused} {
		ch <- prometheus.MustNewConstMetric(answersDesc, prometheus.CounterValue, float64(n), from)
	}
	ch <- prometheus.MustNewConstMetric(pollsDesc, prometheus.CounterValue, float64(s.Polls), "good")
	ch <- prometheus.MustNewConstMetric(pollsDesc, prometheus.CounterValue, float64(s.FailedPoll), "failed")
	ch <- prometheus.MustNewConstMetric(bytesDesc, prometheus.GaugeValue, float64(s.Bytes))
	fresh := 0.0
	if c.cache.Fresh() {
		fresh = 1
	}
	ch <- prometheus.MustNewConstMetric(freshDesc, prometheus.GaugeValue, fresh)
}
