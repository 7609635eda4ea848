package push

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gongkai/internal/disclosure"
)

// Metrics counts what the push does; it is a prometheus.Collector.
type Metrics struct {
	calls     *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	decided   *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	expanded  prometheus.Counter
	leases    prometheus.Counter
	recovery  *prometheus.CounterVec
	callbacks *prometheus.CounterVec
	tokens    *prometheus.CounterVec
}

func newMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gongkai_push_" + name, Help: help}, labels)
	}
	m := &Metrics{
		calls: counter("calls_total", "Calls to WeChat by channel and outcome; ok, or the class of the failure.", "channel", "outcome"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "gongkai_push_call_seconds", Help: "Time of a call to WeChat.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"channel"}),
		decided:   counter("planned_total", "Deliveries that were due by what was decided: send, or the state they went to.", "decision", "class"),
		refusals:  counter("refused_total", "Calls that were not made at the last moment: gate, mark, or lease.", "by"),
		expanded:  prometheus.NewCounter(prometheus.CounterOpts{Name: "gongkai_push_expanded_total", Help: "Deliveries written by matching."}),
		leases:    prometheus.NewCounter(prometheus.CounterOpts{Name: "gongkai_push_lost_leases_total", Help: "Results that came after their lease."}),
		recovery:  counter("recovered_total", "Deliveries of workers that went away, by what became of them.", "to"),
		callbacks: counter("callbacks_total", "Callbacks of WeChat by event and outcome.", "event", "outcome"),
		tokens:    newTokenCounter(),
	}
	m.begin()
	return m
}

// begin sets to 0 what alarms watch: a series that begins with its first fault has
// not increased.
func (m *Metrics) begin() {
	for _, c := range disclosure.Channels {
		for _, outcome := range []disclosure.Class{"ok", disclosure.ClassToken, disclosure.ClassConfig, disclosure.ClassAmbiguous} {
			m.calls.WithLabelValues(string(c.Channel), string(outcome))
		}
	}
	m.decided.WithLabelValues(string(disclosure.DeliveryUnknown), string(disclosure.ClassAmbiguous))
	m.recovered(disclosure.Recovery{})
	m.callbacks.WithLabelValues("none", "refused")
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.calls, m.duration, m.decided, m.refusals, m.expanded, m.leases, m.recovery, m.callbacks, m.tokens}
}

// newTokenCounter makes the counter of what an account's access token came from.
// "taken" is one that WeChat called void before its time: somebody else fetches
// tokens with our secret.
func newTokenCounter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gongkai_push_tokens_total",
		Help: "Access tokens by account and how it was come by: fetched, shared by another process, taken (void before its time), failed."},
		[]string{"app", "outcome"})
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}

func (m *Metrics) called(d disclosure.Delivery, class disclosure.Class, took time.Duration) {
	outcome := string(class)
	if class == "" {
		outcome = "ok"
	}
	m.calls.WithLabelValues(string(d.Channel), outcome).Inc()
	m.duration.WithLabelValues(string(d.Channel)).Observe(took.Seconds())
}

func (m *Metrics) planned(p disclosure.Planned) {
	decision := string(p.State)
	if p.Path != "" {
		decision = "send"
	}
	m.decided.WithLabelValues(decision, string(p.Class)).Inc()
}

func (m *Metrics) refused(_ disclosure.Delivery, by string) { m.refusals.WithLabelValues(by).Inc() }
func (m *Metrics) matched(n int64)                          { m.expanded.Add(float64(n)) }
func (m *Metrics) lost(n int)                               { m.leases.Add(float64(n)) }

func (m *Metrics) recovered(r disclosure.Recovery) {
	m.recovery.WithLabelValues("queued").Add(float64(r.Requeued))
	m.recovery.WithLabelValues("again").Add(float64(r.Again))
	m.recovery.WithLabelValues("unknown").Add(float64(r.Unknown))
}

func (m *Metrics) callback(event, outcome string) { m.callbacks.WithLabelValues(event, outcome).Inc() }
