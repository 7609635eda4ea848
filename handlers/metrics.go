package handlers

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

// Labels of requests that reach no route, and of methods that nobody routes.
const (
	routeLimited = "limited"
	routeNone    = "none"
	methodOther  = "other"
)

// keyRoute is where the router leaves the template of the route it took.
const keyRoute = "gongkai.route"

// routeOf returns the template of the route that a request took, never its
// path: paths hold what people look for.
func routeOf(ctx *fasthttp.RequestCtx) string {
	if route, ok := ctx.UserValue(keyRoute).(string); ok {
		return route
	}
	return routeNone
}

// Metrics are the edge's: it is a prometheus.Collector.
type Metrics struct {
	duration *prometheus.HistogramVec
	series   sync.Map // seriesKey → prometheus.Observer, to spare the label lookup
	hits     *prometheus.CounterVec
	full     prometheus.Counter // hits answered 200
	same     prometheus.Counter // hits answered 304
	more     []prometheus.Collector
}

type seriesKey struct {
	route  string
	method string
	status int
}

func newMetrics() *Metrics {
	m := &Metrics{duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "gongkai_http_request_duration_seconds",
		Help:    "Time to answer a request, by route template, method and status.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"route", "method", "status"}), hits: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gongkai_http_cached_total",
		Help: "Requests answered from the process's cache ahead of the router.",
	}, []string{"status"})}
	m.full, m.same = m.hits.WithLabelValues("200"), m.hits.WithLabelValues("304")
	return m
}

func (m *Metrics) hit(status int) {
	if status == fasthttp.StatusNotModified {
		m.same.Inc()
	} else {
		m.full.Inc()
	}
}

func (m *Metrics) observe(ctx *fasthttp.RequestCtx, route string, took time.Duration) {
	key := seriesKey{route, methodLabel(ctx), ctx.Response.StatusCode()}
	o, ok := m.series.Load(key)
	if !ok {
		o, _ = m.series.LoadOrStore(key, m.duration.WithLabelValues(key.route, key.method, strconv.Itoa(key.status)))
	}
	o.(prometheus.Observer).Observe(took.Seconds())
}

// methodLabel bounds the label: a client may send any word as a method.
func methodLabel(ctx *fasthttp.RequestCtx) string {
	h := &ctx.Request.Header
	switch {
	case h.IsGet():
		return "GET"
	case h.IsHead():
		return "HEAD"
	case h.IsPost():
		return "POST"
	case h.IsPut():
		return "PUT"
	case h.IsDelete():
		return "DELETE"
	case h.IsOptions():
		return "OPTIONS"
	case string(h.Method()) == "PATCH":
		return "PATCH"
	}
	return methodOther
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	m.duration.Describe(ch)
	m.hits.Describe(ch)
	for _, c := range m.more {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.duration.Collect(ch)
	m.hits.Collect(ch)
	for _, c := range m.more {
		c.Collect(ch)
	}
}
