package handlers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gongkai/internal/disclosure"
)

// BacklogReader tells the metrics what the push has not come to yet.
type BacklogReader interface {
	Backlog(ctx context.Context, now time.Time) (disclosure.Backlog, error)
}

// backlogCollector shows how long the push has left something lying: counters of
// what it does cannot tell a push that has stopped from one with nothing to do.
type backlogCollector struct {
	reader BacklogReader
	now    func() time.Time
}

var (
	waitingDesc = prometheus.NewDesc("gongkai_push_waiting_seconds",
		"For how long the oldest has waited: an event to be matched, a card that is due to be sent; 0 when none does.", []string{"what"}, nil)
	switchesDesc = prometheus.NewDesc("gongkai_push_switches", "Kill switches that are on.", nil, nil)
)

// Describe implements prometheus.Collector.
func (b backlogCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- waitingDesc
	ch <- switchesDesc
}

// Collect implements prometheus.Collector. While the database is out of reach
// there is nothing to tell.
func (b backlogCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // a scrape begins here
	defer cancel()
	now := b.now()
	n, err := b.reader.Backlog(ctx, now)
	if err != nil {
		return
	}
	for what, since := range map[string]time.Time{"event": n.Event, "card": n.Card} {
		waited := time.Duration(0)
		if !since.IsZero() {
			waited = max(now.Sub(since), 0)
		}
		ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, waited.Seconds(), what)
	}
	ch <- prometheus.MustNewConstMetric(switchesDesc, prometheus.GaugeValue, float64(n.Switches))
}
