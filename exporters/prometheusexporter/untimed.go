package prometheusexporter

import (
	"iter"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// timed returns md when all its points have a time, else a copy in which those without have that of now. OTLP demands a
// time and promfront refuses points without one, but contrib shows them: what a scraper stores is the time of its scrape.
func timed(md pmetric.Metrics, now time.Time) pmetric.Metrics {
	if !untimed(md, 0) {
		return md
	}
	own := pmetric.NewMetrics()
	md.CopyTo(own)
	untimed(own, pcommon.NewTimestampFromTime(now))
	return own
}

// untimed reports whether points of md have no time, and gives them the one of now unless that is 0.
func untimed(md pmetric.Metrics, now pcommon.Timestamp) bool {
	found := false
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				found = metricUntimed(m, now) || found
			}
		}
	}
	return found
}

func metricUntimed(m pmetric.Metric, now pcommon.Timestamp) bool {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return pointsUntimed(m.Gauge().DataPoints().All(), now)
	case pmetric.MetricTypeSum:
		return pointsUntimed(m.Sum().DataPoints().All(), now)
	case pmetric.MetricTypeHistogram:
		return pointsUntimed(m.Histogram().DataPoints().All(), now)
	case pmetric.MetricTypeExponentialHistogram:
		return pointsUntimed(m.ExponentialHistogram().DataPoints().All(), now)
	case pmetric.MetricTypeSummary:
		return pointsUntimed(m.Summary().DataPoints().All(), now)
	}
	return false
}

// pointsUntimed is generic because a point in an interface would be an allocation.
func pointsUntimed[P interface {
	Timestamp() pcommon.Timestamp
	SetTimestamp(pcommon.Timestamp)
}](points iter.Seq2[int, P], now pcommon.Timestamp) bool {
	found := false
	for _, p := range points {
		if p.Timestamp() == 0 {
			found = true
			if now == 0 {
				return true
			}
			p.SetTimestamp(now)
		}
	}
	return found
}
