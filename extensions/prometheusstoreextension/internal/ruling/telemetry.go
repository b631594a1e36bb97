package ruling

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

// Why an event did not reach a webhook, beside a full queue, which is counted by the feed.
const (
	dropRefused  = "refused"  // the receiver said no
	dropTimeout  = "timeout"  // it did not answer for as long as is tried
	dropShutdown = "shutdown" // the process ended first
)

// webhookMetrics count events: what the feed has published since the start is sent, dropped here, dropped by the full
// queue (the feed counts that), or still queued. With OnlyFiring that holds for firing alerts.
type webhookMetrics struct {
	sent, retries *prometheus.CounterVec
	lost          *prometheus.CounterVec
}

func newWebhookMetrics(registerer prometheus.Registerer) *webhookMetrics {
	m := &webhookMetrics{
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "prometheusstore_webhook_alerts_sent_total",
			Help: "Changes of alerts that the webhook's receiver has taken.",
		}, []string{"webhook"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "prometheusstore_webhook_retries_total",
			Help: "Messages to the webhook that were sent again.",
		}, []string{"webhook"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "prometheusstore_webhook_alerts_dropped_total",
			Help: "Changes of alerts that were not delivered: refused by the receiver, timeout of the retries, or shutdown.",
		}, []string{"webhook", "reason"}),
	}
	registerer.MustRegister(m.sent, m.retries, m.lost)
	return m
}

// declare makes a webhook's counters visible before they count.
func (m *webhookMetrics) declare(webhook string) {
	m.sent.WithLabelValues(webhook)
	m.retries.WithLabelValues(webhook)
	for _, reason := range []string{dropRefused, dropTimeout, dropShutdown} {
		m.dropped(webhook, reason, 0)
	}
}

func (m *webhookMetrics) dropped(webhook, reason string, n int) {
	m.lost.WithLabelValues(webhook, reason).Add(float64(n))
}

// feedCollector shows the figures of the feed.
type feedCollector struct{ feed *alertfeed.Feed }

var (
	descFiring = prometheus.NewDesc("prometheusstore_alerts_firing",
		"Alerts that fire now.", nil, nil)
	descEvents = prometheus.NewDesc("prometheusstore_alert_events_total",
		"Changes of alerts: how many began to fire, how many were resolved.", []string{"state"}, nil)
	descUntracked = prometheus.NewDesc("prometheusstore_alerts_untracked_total",
		"Reports of firing alerts that were not announced because too many fire already.", nil, nil)
	descQueued = prometheus.NewDesc("prometheusstore_alert_events_queued",
		"Changes of alerts that wait for the subscriber.", []string{"subscriber"}, nil)
	descDropped = prometheus.NewDesc("prometheusstore_alert_events_dropped_total",
		"Changes of alerts that were dropped because the subscriber's queue was full.", []string{"subscriber"}, nil)
)

// Describe implements prometheus.Collector.
func (feedCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descFiring, descEvents, descUntracked, descQueued, descDropped} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c feedCollector) Collect(ch chan<- prometheus.Metric) {
	stats := c.feed.Stats()
	gauge := func(d *prometheus.Desc, v float64, values ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, values...)
	}
	counter := func(d *prometheus.Desc, v uint64, values ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), values...)
	}
	gauge(descFiring, float64(stats.Firing))
	counter(descEvents, stats.Fired, alertfeed.Firing.String())
	counter(descEvents, stats.Resolved, alertfeed.Resolved.String())
	counter(descUntracked, stats.Untracked)
	for _, s := range stats.Subscribers {
		gauge(descQueued, float64(s.Queued), s.Name)
		counter(descDropped, s.Dropped, s.Name)
	}
}
