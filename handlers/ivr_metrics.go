package handlers

import (
	"github.com/prometheus/client_golang/prometheus"
)

// hotlineMetrics count what callers do; no label tells of a caller.
type hotlineMetrics struct {
	turns     *prometheus.CounterVec // by node and event
	transfers *prometheus.CounterVec // by reason
	handoffs  prometheus.Counter
	callbacks prometheus.Counter
	duration  prometheus.Histogram
	failures  prometheus.Counter
}

func newHotlineMetrics() *hotlineMetrics {
	return &hotlineMetrics{
		turns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gongkai_ivr_turns_total", Help: "Turns of the telephone hotline by the node they led to and what the caller did."}, []string{"node", "event"}),
		transfers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gongkai_ivr_transfers_total", Help: "Calls handed to a person, by reason."}, []string{"reason"}),
		handoffs: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gongkai_ivr_handoffs_total", Help: "Notice codes given to callers to take along."}),
		callbacks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gongkai_ivr_callbacks_total", Help: "Requests to be called back that callers confirmed."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gongkai_ivr_failures_total", Help: "Turns that ended at a person because something failed or took too long."}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gongkai_ivr_turn_seconds", Help: "Time to work out a turn.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .15, .25, .5, .8}}),
	}
}

func (m *hotlineMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.turns, m.transfers, m.handoffs, m.callbacks, m.failures, m.duration}
}
