package prometheusstoreexporter

import (
	"iter"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// point is what the five kinds of data points have in common.
type point interface {
	Timestamp() pcommon.Timestamp
}

// timeBounds are the times outside which the store refuses every sample.
type timeBounds struct{ oldest, newest pcommon.Timestamp }

func boundsOf(store promstore.Store) timeBounds {
	oldest, newest := store.Bounds()
	return timeBounds{stamp(oldest), stamp(newest)}
}

// stamp is pcommon.NewTimestampFromTime for times that may lie before 1970.
func stamp(t time.Time) pcommon.Timestamp {
	return pcommon.Timestamp(max(0, t.UnixNano()))
}

// exceededBy reports whether a point of md lies outside. It looks at every point: 2 ns each, against 700 for storing it.
func (b timeBounds) exceededBy(md pmetric.Metrics) bool {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if b.exceededByMetric(m) {
					return true
				}
			}
		}
	}
	return false
}

func (b timeBounds) exceededByMetric(m pmetric.Metric) bool {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return anyOutside(b, m.Gauge().DataPoints().All())
	case pmetric.MetricTypeSum:
		return anyOutside(b, m.Sum().DataPoints().All())
	case pmetric.MetricTypeHistogram:
		return anyOutside(b, m.Histogram().DataPoints().All())
	case pmetric.MetricTypeExponentialHistogram:
		return anyOutside(b, m.ExponentialHistogram().DataPoints().All())
	case pmetric.MetricTypeSummary:
		return anyOutside(b, m.Summary().DataPoints().All())
	}
	return false
}

func anyOutside[P point](b timeBounds, points iter.Seq2[int, P]) bool {
	for _, p := range points {
		if t := p.Timestamp(); t < b.oldest || t > b.newest {
			return true
		}
	}
	return false
}

// pointTest reports whether a point is bad. alone makes the metric that has only this point; why is the reason in case
// the point has no form in Prometheus.
type pointTest func(p point, why reason, alone func(pmetric.Metric)) bool

// removePoints removes the bad points of m and returns how many are left.
func removePoints(m pmetric.Metric, bad pointTest) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points := m.Gauge().DataPoints()
		points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
			return bad(p, reasonUntranslatable, func(to pmetric.Metric) {
				p.CopyTo(to.SetEmptyGauge().DataPoints().AppendEmpty())
			})
		})
		return points.Len()
	case pmetric.MetricTypeSum:
		return removeSumPoints(m.Sum(), bad)
	case pmetric.MetricTypeHistogram:
		return removeHistogramPoints(m.Histogram(), bad)
	case pmetric.MetricTypeExponentialHistogram:
		return removeExponentialPoints(m.ExponentialHistogram(), bad)
	case pmetric.MetricTypeSummary:
		points := m.Summary().DataPoints()
		points.RemoveIf(func(p pmetric.SummaryDataPoint) bool {
			return bad(p, reasonUntranslatable, func(to pmetric.Metric) {
				p.CopyTo(to.SetEmptySummary().DataPoints().AppendEmpty())
			})
		})
		return points.Len()
	}
	return 0
}

func removeSumPoints(sum pmetric.Sum, bad pointTest) int {
	points := sum.DataPoints()
	points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
		return bad(p, reasonUntranslatable, func(to pmetric.Metric) {
			one := to.SetEmptySum()
			one.SetAggregationTemporality(sum.AggregationTemporality())
			one.SetIsMonotonic(sum.IsMonotonic())
			p.CopyTo(one.DataPoints().AppendEmpty())
		})
	})
	return points.Len()
}

func removeHistogramPoints(h pmetric.Histogram, bad pointTest) int {
	points := h.DataPoints()
	points.RemoveIf(func(p pmetric.HistogramDataPoint) bool {
		return bad(p, reasonUntranslatable, func(to pmetric.Metric) {
			one := to.SetEmptyHistogram()
			one.SetAggregationTemporality(h.AggregationTemporality())
			p.CopyTo(one.DataPoints().AppendEmpty())
		})
	})
	return points.Len()
}

func removeExponentialPoints(h pmetric.ExponentialHistogram, bad pointTest) int {
	points := h.DataPoints()
	points.RemoveIf(func(p pmetric.ExponentialHistogramDataPoint) bool {
		why := reasonUntranslatable
		if p.Scale() < histogram.ExponentialSchemaMin {
			why = reasonBadHistogram
		}
		return bad(p, why, func(to pmetric.Metric) {
			one := to.SetEmptyExponentialHistogram()
			one.SetAggregationTemporality(h.AggregationTemporality())
			p.CopyTo(one.DataPoints().AppendEmpty())
		})
	})
	return points.Len()
}

// removeValueless removes exemplars without a value from the points of m, because the converter would give up the point
// for them, and returns how many. Gauges and summaries store no exemplars.
func removeValueless(m pmetric.Metric) int64 {
	var removed int64
	drop := func(e pmetric.Exemplar) bool {
		if e.ValueType() == pmetric.ExemplarValueTypeEmpty {
			removed++
			return true
		}
		return false
	}
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			p.Exemplars().RemoveIf(drop)
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			p.Exemplars().RemoveIf(drop)
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			p.Exemplars().RemoveIf(drop)
		}
	}
	return removed
}
