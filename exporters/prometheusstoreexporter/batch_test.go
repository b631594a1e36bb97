package prometheusstoreexporter_test

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// batch builds one export request with one resource and scope.
type batch struct {
	metrics pmetric.Metrics
	at      time.Time // time of the points that are added next
}

func newBatch(at time.Time) *batch {
	b := &batch{metrics: pmetric.NewMetrics(), at: at}
	rm := b.metrics.ResourceMetrics().AppendEmpty()
	attrs := rm.Resource().Attributes()
	attrs.PutStr("service.name", "shop")
	attrs.PutStr("service.instance.id", "shop-1")
	attrs.PutStr("cloud.region", "eu-west")
	scope := rm.ScopeMetrics().AppendEmpty().Scope()
	scope.SetName("lib")
	scope.SetVersion("1.2")
	return b
}

func (b *batch) metric(name, unit, description string) pmetric.Metric {
	m := b.metrics.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	m.SetDescription(description)
	return m
}

func (b *batch) gauge(name string, value float64, attrs ...string) pmetric.NumberDataPoint {
	return b.number(b.metric(name, "", "").SetEmptyGauge().DataPoints(), value, attrs...)
}

func (b *batch) number(points pmetric.NumberDataPointSlice, value float64, attrs ...string) pmetric.NumberDataPoint {
	p := points.AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(b.at))
	p.SetDoubleValue(value)
	put(p.Attributes(), attrs...)
	return p
}

func (b *batch) sum(name, unit string, monotonic bool) pmetric.Sum {
	s := b.metric(name, unit, "what "+name+" counts").SetEmptySum()
	s.SetIsMonotonic(monotonic)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return s
}

func (b *batch) exponential(name string) pmetric.ExponentialHistogram {
	h := b.metric(name, "s", "").SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return h
}

// exponentialPoint adds a point of scale 0 with one observation in (1,2] and two in (2,4].
func (b *batch) exponentialPoint(h pmetric.ExponentialHistogram, attrs ...string) pmetric.ExponentialHistogramDataPoint {
	p := h.DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(b.at))
	p.SetCount(3)
	p.SetSum(7.5)
	p.Positive().SetOffset(0)
	p.Positive().BucketCounts().FromRaw([]uint64{1, 2})
	put(p.Attributes(), attrs...)
	return p
}

func exemplar(to pmetric.ExemplarSlice, value float64, at time.Time, traceID byte) pmetric.Exemplar {
	e := to.AppendEmpty()
	e.SetDoubleValue(value)
	e.SetTimestamp(pcommon.NewTimestampFromTime(at))
	e.SetTraceID(pcommon.TraceID{15: traceID})
	e.SetSpanID(pcommon.SpanID{7: traceID})
	return e
}

func put(to pcommon.Map, attrs ...string) {
	for i := 0; i+1 < len(attrs); i += 2 {
		to.PutStr(attrs[i], attrs[i+1])
	}
}
