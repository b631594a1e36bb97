package promfront_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// epoch is when tests begin.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) pcommon.Timestamp {
	return pcommon.NewTimestampFromTime(epoch.Add(time.Duration(seconds * float64(time.Second))))
}

// export builds one request with one resource and scope; its points are at the time t.
type export struct {
	md pmetric.Metrics
	t  pcommon.Timestamp
}

func newExport(seconds float64, resource ...string) *export {
	e := &export{md: pmetric.NewMetrics(), t: at(seconds)}
	if len(resource) == 0 {
		resource = []string{"service.name", "shop", "service.instance.id", "shop-1", "cloud.region", "eu"}
	}
	e.resource(resource...)
	return e
}

func (e *export) resource(attrs ...string) *export {
	rm := e.md.ResourceMetrics().AppendEmpty()
	put(rm.Resource().Attributes(), attrs...)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("lib")
	sm.Scope().SetVersion("1.2")
	return e
}

func (e *export) metric(name string) pmetric.Metric {
	all := e.md.ResourceMetrics()
	m := all.At(all.Len() - 1).ScopeMetrics().At(0).Metrics().AppendEmpty()
	m.SetName(name)
	return m
}

func (e *export) gauge(name string, v float64, attrs ...string) *export {
	e.number(e.metric(name).SetEmptyGauge().DataPoints(), v, attrs...)
	return e
}

func (e *export) number(to pmetric.NumberDataPointSlice, v float64, attrs ...string) pmetric.NumberDataPoint {
	p := to.AppendEmpty()
	p.SetTimestamp(e.t)
	p.SetDoubleValue(v)
	put(p.Attributes(), attrs...)
	return p
}

func (e *export) sum(name string, temporality pmetric.AggregationTemporality) pmetric.Sum {
	s := e.metric(name).SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(temporality)
	return s
}

func (e *export) counter(name string, start, v float64, attrs ...string) *export {
	e.number(e.sum(name, pmetric.AggregationTemporalityCumulative).DataPoints(), v, attrs...).SetStartTimestamp(at(start))
	return e
}

func (e *export) delta(name string, start, v float64, attrs ...string) *export {
	e.number(e.sum(name, pmetric.AggregationTemporalityDelta).DataPoints(), v, attrs...).SetStartTimestamp(at(start))
	return e
}

func (e *export) explicit(name string, temporality pmetric.AggregationTemporality, start float64, bounds []float64, counts []uint64, sum float64, attrs ...string) pmetric.HistogramDataPoint {
	h := e.metric(name).SetEmptyHistogram()
	h.SetAggregationTemporality(temporality)
	p := h.DataPoints().AppendEmpty()
	p.SetTimestamp(e.t)
	p.SetStartTimestamp(at(start))
	p.ExplicitBounds().FromRaw(bounds)
	p.BucketCounts().FromRaw(counts)
	for _, n := range counts {
		p.SetCount(p.Count() + n)
	}
	p.SetSum(sum)
	put(p.Attributes(), attrs...)
	return p
}

func (e *export) exponential(name string, temporality pmetric.AggregationTemporality, start float64, scale, offset int32, counts []uint64, sum float64, attrs ...string) pmetric.ExponentialHistogramDataPoint {
	h := e.metric(name).SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(temporality)
	p := h.DataPoints().AppendEmpty()
	p.SetTimestamp(e.t)
	p.SetStartTimestamp(at(start))
	p.SetScale(scale)
	p.Positive().SetOffset(offset)
	p.Positive().BucketCounts().FromRaw(counts)
	for _, n := range counts {
		p.SetCount(p.Count() + n)
	}
	p.SetSum(sum)
	put(p.Attributes(), attrs...)
	return p
}

func put(to pcommon.Map, attrs ...string) {
	for i := 0; i+1 < len(attrs); i += 2 {
		to.PutStr(attrs[i], attrs[i+1])
	}
}

// dice makes metrics of every type, with all that a sender may put into them.
type dice struct{ *rand.Rand }

func (d dice) metrics(t pcommon.Timestamp) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for r := range 3 {
		rm := md.ResourceMetrics().AppendEmpty()
		attrs := rm.Resource().Attributes()
		if r != 2 {
			put(attrs, "service.name", "shop", "service.namespace", "ns", "service.instance.id", fmt.Sprint("shop-", r))
		}
		put(attrs, "cloud.region", "eu", "host.name", "größe")
		attrs.PutInt("process.pid", int64(r))
		for s := range 2 {
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.SetSchemaUrl("https://schema/1")
			sm.Scope().SetName(fmt.Sprint("lib", s))
			sm.Scope().SetVersion("1.2")
			put(sm.Scope().Attributes(), "scope.attr", "x")
			for m := range 8 {
				d.metric(sm.Metrics().AppendEmpty(), m, fmt.Sprint("http.metric", m, ".of.", s), t)
			}
		}
	}
	return md
}

var units = []string{"", "1", "s", "By", "{request}", "By/s", "ms"}

func (d dice) metric(m pmetric.Metric, n int, name string, t pcommon.Timestamp) {
	m.SetName(name)
	m.SetUnit(units[n%len(units)])
	m.SetDescription("what " + name + " says")
	for p := range 1 + d.IntN(4) {
		d.point(m, n, p, t)
	}
}

func (d dice) point(m pmetric.Metric, n, p int, t pcommon.Timestamp) {
	switch n {
	case 0, 1, 2:
		d.number(m, n, p, t)
	case 3, 4:
		h := m.Histogram()
		if m.Type() != pmetric.MetricTypeHistogram {
			h = m.SetEmptyHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		}
		d.explicit(h.DataPoints().AppendEmpty(), p, t)
	case 5, 6:
		h := m.ExponentialHistogram()
		if m.Type() != pmetric.MetricTypeExponentialHistogram {
			h = m.SetEmptyExponentialHistogram()
			h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		}
		d.exponential(h.DataPoints().AppendEmpty(), p, t)
	default:
		s := m.Summary()
		if m.Type() != pmetric.MetricTypeSummary {
			s = m.SetEmptySummary()
		}
		x := s.DataPoints().AppendEmpty()
		x.SetTimestamp(t)
		x.SetStartTimestamp(at(-60))
		x.SetCount(d.Uint64N(100))
		x.SetSum(d.Float64())
		d.attributes(x.Attributes(), p)
		for q := range 1 + p {
			v := x.QuantileValues().AppendEmpty()
			v.SetQuantile(float64(q) / 4)
			v.SetValue(d.Float64())
		}
		x.SetFlags(d.flags())
	}
}

func (d dice) number(m pmetric.Metric, n, p int, t pcommon.Timestamp) {
	var x pmetric.NumberDataPoint
	switch n {
	case 0:
		g := m.Gauge()
		if m.Type() != pmetric.MetricTypeGauge {
			g = m.SetEmptyGauge()
		}
		x = g.DataPoints().AppendEmpty()
	default:
		s := m.Sum()
		if m.Type() != pmetric.MetricTypeSum {
			s = m.SetEmptySum()
			s.SetIsMonotonic(n == 1)
			s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		}
		x = s.DataPoints().AppendEmpty()
		d.exemplars(x.Exemplars(), t, false)
	}
	x.SetTimestamp(t)
	x.SetStartTimestamp(at(-60))
	if d.IntN(2) == 0 {
		x.SetIntValue(d.Int64N(1000))
	} else {
		x.SetDoubleValue(d.Float64())
	}
	x.SetFlags(d.flags())
	d.attributes(x.Attributes(), p)
}

func (d dice) explicit(x pmetric.HistogramDataPoint, p int, t pcommon.Timestamp) {
	x.SetTimestamp(t)
	x.SetStartTimestamp(at(-60))
	bounds := []float64{0.005, 0.1, 1, 2.5, 10}[:d.IntN(6)]
	x.ExplicitBounds().FromRaw(bounds)
	sum := uint64(0)
	for range len(bounds) + 1 {
		n := d.Uint64N(3) * d.Uint64N(3)
		x.BucketCounts().Append(n)
		sum += n
	}
	x.SetCount(sum)
	if sum > 0 && d.IntN(4) > 0 {
		x.SetSum(d.Float64())
	}
	x.SetFlags(d.flags())
	d.attributes(x.Attributes(), p)
	d.exemplars(x.Exemplars(), t, true)
}

func (d dice) exponential(x pmetric.ExponentialHistogramDataPoint, p int, t pcommon.Timestamp) {
	x.SetTimestamp(t)
	x.SetStartTimestamp(at(-60))
	x.SetScale(d.Int32N(13) - 4) // higher ones are merged, where Prometheus' converter puts some into a neighbour
	x.SetZeroCount(d.Uint64N(2))
	sum := x.ZeroCount()
	for _, side := range []pmetric.ExponentialHistogramDataPointBuckets{x.Positive(), x.Negative()} {
		side.SetOffset(d.Int32N(400) - 200)
		for range d.IntN(40) {
			n := d.Uint64N(3) * d.Uint64N(2) * d.Uint64N(2)
			side.BucketCounts().Append(n)
			sum += n
		}
	}
	x.SetCount(sum)
	x.SetSum(float64(min(1, sum)) * d.Float64())
	x.SetFlags(d.flags())
	d.attributes(x.Attributes(), p)
	d.exemplars(x.Exemplars(), t, false)
}

func (d dice) flags() pmetric.DataPointFlags {
	return pmetric.DefaultDataPointFlags.WithNoRecordedValue(d.IntN(10) == 0)
}

func (d dice) attributes(to pcommon.Map, p int) {
	to.PutInt("http.response.status_code", int64(200+p))
	if p%2 == 1 {
		put(to, "user.name", "a", "user_name", "b", "_private", "c", "größe", "d")
	}
	if p == 2 {
		to.PutBool("ok", true)
		to.PutDouble("ratio", 0.5)
		to.PutEmptySlice("list").AppendEmpty().SetStr("x")
		to.PutEmptyMap("map").PutInt("k", 1)
		to.PutEmptyBytes("bytes").FromRaw([]byte{1, 2})
		to.PutEmpty("nothing")
		to.PutStr("job", "overridden")
	}
}

// exemplars come by value, as histograms have them.
func (d dice) exemplars(to pmetric.ExemplarSlice, t pcommon.Timestamp, sorted bool) {
	v := 0.0
	for range d.IntN(4) {
		e := to.AppendEmpty()
		e.SetTimestamp(t - pcommon.Timestamp(d.Int64N(int64(10*time.Second))))
		v += d.Float64()
		if sorted || d.IntN(2) == 0 {
			e.SetDoubleValue(v)
		} else {
			e.SetIntValue(d.Int64N(5))
		}
		e.SetTraceID(pcommon.TraceID{1, byte(d.IntN(255))})
		e.SetSpanID(pcommon.SpanID{2, byte(d.IntN(255))})
		put(e.FilteredAttributes(), "z", "last", "a", "first")
		if d.IntN(4) == 0 {
			put(e.FilteredAttributes(), "long", "this attribute makes the labels longer than what fits beside trace and span")
		}
	}
}
