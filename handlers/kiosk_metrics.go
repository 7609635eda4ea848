package handlers

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gongkai/internal/disclosure"
)

// FleetReader lists the devices for the metrics.
type FleetReader interface {
	Kiosks(ctx context.Context, now time.Time) ([]disclosure.Kiosk, error)
}

// kioskCollector shows how the devices are: an alert on the age of the last
// report finds a dark screen.
type kioskCollector struct {
	fleet FleetReader
	now   func() time.Time
}

var (
	kiosksDesc   = prometheus.NewDesc("gongkai_kiosks", "Devices by health: pending, new, online, late, offline, revoked.", []string{"health"}, nil)
	lastSeenDesc = prometheus.NewDesc("gongkai_kiosk_last_seen_timestamp_seconds",
		"When an approved device last reported, by the server's clock; 0 before its first report.", []string{"id", "name"}, nil)
)

// Describe implements prometheus.Collector.
func (k kioskCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- kiosksDesc
	ch <- lastSeenDesc
}

// Collect implements prometheus.Collector. While the database is out of reach
// there is nothing to tell.
func (k kioskCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) //nolint:forbidigo // a scrape begins here
	defer cancel()
	now := k.now()
	list, err := k.fleet.Kiosks(ctx, now)
	if err != nil {
		return
	}
	counts := map[string]int{"pending": 0, "new": 0, "online": 0, "late": 0, "offline": 0, "revoked": 0}
	for _, d := range list {
		counts[d.Health(now)]++
		if d.Status == disclosure.KioskApproved {
			seen := 0.0
			if !d.LastSeenAt.IsZero() {
				seen = float64(d.LastSeenAt.UnixMilli()) / 1000
			}
			ch <- prometheus.MustNewConstMetric(lastSeenDesc, prometheus.GaugeValue, seen, d.ID, d.Name)
		}
	}
	for health, n := range counts {
		ch <- prometheus.MustNewConstMetric(kiosksDesc, prometheus.GaugeValue, float64(n), health)
	}
}
