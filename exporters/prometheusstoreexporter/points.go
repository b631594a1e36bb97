package prometheusstoreexporter

import (
	"github.com/prometheus/prometheus/model/histogram"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// pointTest reports whether a point is bad. fill makes the metric of that one point; why is the reason, should it be.
type pointTest func(why reason, fill func(pmetric.Metric)) bool

// removePoints removes the bad points of m and returns how many are left.
func removePoints(m pmetric.Metric, bad pointTest) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		points := m.Gauge().DataPoints()
		points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
			return bad(reasonUntranslatable, func(to pmetric.Metric) { p.CopyTo(to.SetEmptyGauge().DataPoints().AppendEmpty()) })
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
			return bad(reasonUntranslatable, func(to pmetric.Metric) { p.CopyTo(to.SetEmptySummary().DataPoints().AppendEmpty()) })
		})
		return points.Len()
	}
	return 0
}

func removeSumPoints(sum pmetric.Sum, bad pointTest) int {
	points := sum.DataPoints()
	points.RemoveIf(func(p pmetric.NumberDataPoint) bool {
		return bad(reasonUntranslatable, func(to pmetric.Metric) {
			s := to.SetEmptySum()
			s.SetAggregationTemporality(sum.AggregationTemporality())
			s.SetIsMonotonic(sum.IsMonotonic())
			p.CopyTo(s.DataPoints().AppendEmpty())
		})
	})
	return points.Len()
}

func removeHistogramPoints(h pmetric.Histogram, bad pointTest) int {
	points := h.DataPoints()
	points.RemoveIf(func(p pmetric.HistogramDataPoint) bool {
		return bad(reasonUntranslatable, func(to pmetric.Metric) {
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
		return bad(why, func(to pmetric.Metric) {
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
