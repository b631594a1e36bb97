package prometheusexporter_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// traffic makes the exports of some services: all types, cumulative and delta, with exemplars, scopes and names that need
// translation. Every export has later times than the one before.
type traffic struct {
	rng    *rand.Rand
	scopes int
	start  time.Time
	now    time.Time
	before time.Time // of the export before
	counts map[string]float64
	hists  map[string][]uint64
}

func newTraffic(seed uint64) *traffic {
	start := time.UnixMilli(1_700_000_000_000)
	return &traffic{
		rng: rand.New(rand.NewPCG(seed, 7)), scopes: 2, start: start, now: start,
		counts: map[string]float64{}, hists: map[string][]uint64{},
	}
}

func (f *traffic) export() pmetric.Metrics {
	f.before, f.now = f.now, f.now.Add(10*time.Second)
	md := pmetric.NewMetrics()
	for service := range 2 {
		rm := md.ResourceMetrics().AppendEmpty()
		attrs := rm.Resource().Attributes()
		attrs.PutStr("service.name", fmt.Sprintf("shop-%d", service))
		attrs.PutStr("service.instance.id", fmt.Sprintf("pod-%d", service))
		if service > 0 { // the first one has a bare target
			attrs.PutStr("service.namespace", "prod")
			attrs.PutStr("host.name", "node")
			attrs.PutInt("process.pid", int64(100+service))
		}
		for scope := range f.scopes {
			sm := rm.ScopeMetrics().AppendEmpty()
			sm.Scope().SetName(fmt.Sprintf("lib.%d", scope))
			sm.Scope().SetVersion("1.2")
			if scope == 1 {
				sm.SetSchemaUrl("https://example.com/schema")
				sm.Scope().Attributes().PutStr("flavour", "vanilla")
			}
			f.scope(sm.Metrics(), fmt.Sprintf("%d/%d", service, scope))
		}
	}
	return md
}

func (f *traffic) scope(to pmetric.MetricSlice, owner string) {
	add := func(name, unit string) pmetric.Metric {
		m := to.AppendEmpty()
		m.SetName(name)
		m.SetUnit(unit)
		m.SetDescription("The " + name + `, "so to say".`)
		return m
	}
	f.sum(add("http.requests", "1"), owner, true, pmetric.AggregationTemporalityCumulative)
	f.sum(add("http.delta.requests", "{request}"), owner, true, pmetric.AggregationTemporalityDelta)
	f.sum(add("queue__size", ""), owner, false, pmetric.AggregationTemporalityCumulative)
	gauge := add("memory.usage", "By").SetEmptyGauge()
	for i := range 3 {
		p := gauge.DataPoints().AppendEmpty()
		f.attributes(p.Attributes(), i)
		p.SetTimestamp(stamp(f.now))
		p.SetDoubleValue(f.rng.Float64())
	}
	f.gaugeOfInts(add("cache.ratio", "1"))
	f.histogram(add("http.server.duration", "ms"), owner, pmetric.AggregationTemporalityCumulative)
	f.histogram(add("http.delta.duration", "s"), owner, pmetric.AggregationTemporalityDelta)
	f.exponential(add("rpc.duration", "s"), owner, pmetric.AggregationTemporalityCumulative)
	f.exponential(add("rpc.delta.duration", "s"), owner, pmetric.AggregationTemporalityDelta)
	f.summary(add("gc.pause", "s"))
}

func stamp(t time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(t) }

func (f *traffic) attributes(to pcommon.Map, i int) {
	to.PutStr("http.route", fmt.Sprintf("/item/%d", i))
	to.PutInt("status", int64(200+i))
	if i == 1 {
		to.PutStr("_private", `a"b\c`)
		to.PutStr("double..dot", "x")
		to.PutStr("1digit", "x")
	}
}

func (f *traffic) sum(m pmetric.Metric, owner string, monotonic bool, temporality pmetric.AggregationTemporality) {
	sum := m.SetEmptySum()
	sum.SetIsMonotonic(monotonic)
	sum.SetAggregationTemporality(temporality)
	for i := range 3 {
		p := sum.DataPoints().AppendEmpty()
		f.attributes(p.Attributes(), i)
		increase := float64(f.rng.IntN(1000))
		f.times(p, temporality)
		key := owner + m.Name() + fmt.Sprint(i)
		f.counts[key] += increase
		if temporality == pmetric.AggregationTemporalityDelta {
			p.SetDoubleValue(increase)
		} else {
			p.SetDoubleValue(f.counts[key])
		}
		if monotonic && i == 0 {
			f.exemplar(p.Exemplars().AppendEmpty(), increase)
		}
	}
}

func (f *traffic) gaugeOfInts(m pmetric.Metric) {
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(stamp(f.now))
	p.SetIntValue(int64(f.rng.IntN(100)))
}

type timed interface {
	SetStartTimestamp(pcommon.Timestamp)
	SetTimestamp(pcommon.Timestamp)
}

func (f *traffic) times(p timed, temporality pmetric.AggregationTemporality) {
	p.SetTimestamp(stamp(f.now))
	p.SetStartTimestamp(stamp(f.start))
	if temporality == pmetric.AggregationTemporalityDelta {
		p.SetStartTimestamp(stamp(f.before))
	}
}

func (f *traffic) exemplar(e pmetric.Exemplar, v float64) {
	e.SetDoubleValue(v)
	e.SetTimestamp(stamp(f.now.Add(-time.Second)))
	e.SetTraceID(pcommon.TraceID{1, byte(f.rng.IntN(256)), byte(f.rng.IntN(256))})
	e.SetSpanID(pcommon.SpanID{2, byte(f.rng.IntN(256))})
}

var durationBounds = []float64{1, 2.5, 5, 10, 1000}

func (f *traffic) histogram(m pmetric.Metric, owner string, temporality pmetric.AggregationTemporality) {
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(temporality)
	for i := range 2 {
		p := h.DataPoints().AppendEmpty()
		f.attributes(p.Attributes(), i)
		f.times(p, temporality)
		counts := f.buckets(owner+m.Name()+fmt.Sprint(i), len(durationBounds)+1, temporality)
		p.ExplicitBounds().FromRaw(durationBounds)
		p.BucketCounts().FromRaw(counts)
		var n uint64
		for _, c := range counts {
			n += c
		}
		p.SetCount(n)
		p.SetSum(float64(n) * 3)
		for _, v := range []float64{0.5, 2, 7, 5000} {
			f.exemplar(p.Exemplars().AppendEmpty(), v)
		}
	}
}

// buckets returns the next counts of a stream.
func (f *traffic) buckets(key string, n int, temporality pmetric.AggregationTemporality) []uint64 {
	total := f.hists[key]
	if total == nil {
		total = make([]uint64, n)
		f.hists[key] = total
	}
	increase := make([]uint64, n)
	for i := range increase {
		increase[i] = uint64(f.rng.IntN(20))
		total[i] += increase[i]
	}
	if temporality == pmetric.AggregationTemporalityDelta {
		return increase
	}
	return append([]uint64(nil), total...)
}

func (f *traffic) exponential(m pmetric.Metric, owner string, temporality pmetric.AggregationTemporality) {
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(temporality)
	for i := range 2 {
		p := h.DataPoints().AppendEmpty()
		f.attributes(p.Attributes(), i)
		f.times(p, temporality)
		key := owner + m.Name() + fmt.Sprint(i)
		p.SetScale(3)
		p.Positive().SetOffset(-4)
		p.Positive().BucketCounts().FromRaw(f.buckets(key+"+", 9, temporality))
		p.Negative().SetOffset(2)
		p.Negative().BucketCounts().FromRaw(f.buckets(key+"-", 3, temporality))
		p.SetZeroCount(f.buckets(key+"0", 1, temporality)[0])
		n := p.ZeroCount()
		for _, side := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
			for _, c := range side.BucketCounts().All() {
				n += c
			}
		}
		p.SetCount(n)
		p.SetSum(math.Round(float64(n) * 1.5))
		f.exemplar(p.Exemplars().AppendEmpty(), 1.25)
	}
}

func (f *traffic) summary(m pmetric.Metric) {
	p := m.SetEmptySummary().DataPoints().AppendEmpty()
	p.SetTimestamp(stamp(f.now))
	p.SetStartTimestamp(stamp(f.start))
	p.SetCount(uint64(f.rng.IntN(100)))
	p.SetSum(f.rng.Float64())
	for _, q := range []float64{0, 0.5, 1} {
		v := p.QuantileValues().AppendEmpty()
		v.SetQuantile(q)
		v.SetValue(f.rng.Float64())
	}
}
