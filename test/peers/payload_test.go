package peers

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// exportInterval lies between two batches of the payload.
const exportInterval = 15 * time.Second

// payload is n exports of the same instruments, the last at end: every type, and what is special about names, units,
// labels and values. Without start times, because what a start time does is ours alone (a sample of zero).
func payload(n int, end time.Time) []pmetric.Metrics {
	rng := rand.New(rand.NewPCG(7, 11))
	batches := make([]pmetric.Metrics, n)
	for i := range batches {
		at := end.Add(-time.Duration(n-1-i) * exportInterval)
		batches[i] = pmetric.NewMetrics()
		for instance := range 3 {
			resource(batches[i], instance, i+1, at, rng)
		}
	}
	return batches
}

// resource adds one instance with all its instruments. The last instance has no service.name, and thereby no job.
func resource(md pmetric.Metrics, instance, round int, at time.Time, rng *rand.Rand) {
	rm := md.ResourceMetrics().AppendEmpty()
	attrs := rm.Resource().Attributes()
	if instance < 2 {
		attrs.PutStr("service.name", "shop")
		attrs.PutStr("service.namespace", "peers")
		attrs.PutStr("service.instance.id", fmt.Sprintf("shop-%d", instance))
	}
	attrs.PutStr("deployment.environment.name", "test")
	attrs.PutStr("host.name", fmt.Sprintf("host-%d", instance))
	attrs.PutInt("process.pid", int64(100+instance))
	attrs.PutBool("preemptible", instance == 1)
	for _, version := range []string{"1.0.0", "1.1.0"} {
		sm := rm.ScopeMetrics().AppendEmpty()
		sm.SetSchemaUrl("https://opentelemetry.io/schemas/1.30.0")
		sm.Scope().SetName("github.com/example/lib/" + version)
		sm.Scope().SetVersion(version)
		sm.Scope().Attributes().PutStr("build.flavor", "fast & loose")
		f := &filler{metrics: sm.Metrics(), suffix: version[2:3], round: round, at: pcommon.NewTimestampFromTime(at), rng: rng}
		f.numbers()
		f.labels()
		f.histograms()
		f.exponential()
		f.summary()
	}
}

// filler writes the instruments of one scope.
type filler struct {
	metrics pmetric.MetricSlice
	suffix  string // keeps the two scopes apart where scope labels are off
	round   int
	at      pcommon.Timestamp
	rng     *rand.Rand
}

func (f *filler) metric(name, unit string) pmetric.Metric {
	m := f.metrics.AppendEmpty()
	m.SetName(name + "." + f.suffix)
	m.SetUnit(unit)
	m.SetDescription("What " + name + " says.")
	return m
}

// numbers are gauges and sums: integers, doubles, every kind of value, units that become suffixes.
func (f *filler) numbers() {
	for _, unit := range []string{"", "1", "By", "ms", "s", "{request}", "By/s", "%", "m/s2", "°C"} {
		p := f.metric("gauge.in "+unit, unit).SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(f.at)
		p.SetDoubleValue(f.rng.NormFloat64())
		sum := f.metric("counter.in "+unit, unit).SetEmptySum()
		sum.SetIsMonotonic(true)
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		q := sum.DataPoints().AppendEmpty()
		q.SetTimestamp(f.at)
		q.SetIntValue(int64(f.round * 1000))
		if unit != "%" { // without suffixes this is the series of another, whose exemplars would have to be told apart
			f.exemplar(q.Exemplars(), 3)
		}
	}
	values := f.metric("special.values", "").SetEmptyGauge().DataPoints()
	for i, v := range []float64{
		math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1. / 3,
	} {
		p := values.AppendEmpty()
		p.SetTimestamp(f.at)
		p.SetDoubleValue(v)
		p.Attributes().PutInt("case", int64(i))
	}
	gone := values.AppendEmpty()
	gone.SetTimestamp(f.at)
	gone.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(f.round%3 == 0))
	gone.SetIntValue(5)
	updown := f.metric("queue.length_total", "{item}").SetEmptySum()
	updown.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := updown.DataPoints().AppendEmpty()
	p.SetTimestamp(f.at)
	p.SetIntValue(f.rng.Int64N(100) - 50)
}

// labels are attributes of every type, in every spelling that translation must change, and such that become one.
func (f *filler) labels() {
	points := f.metric("labelled", "").SetEmptyGauge().DataPoints()
	for i, fill := range []func(pcommon.Map){
		func(pcommon.Map) {},
		func(a pcommon.Map) {
			a.PutStr("http.request.method", "GET")
			a.PutInt("http.response.status_code", 200)
		},
		func(a pcommon.Map) { a.PutStr("_private", "x"); a.PutStr("__reserved__", "y"); a.PutStr("0digit", "z") },
		func(a pcommon.Map) { a.PutStr("a.b", "dot"); a.PutStr("a_b", "underscore"); a.PutStr("a-b", "dash") },
		func(a pcommon.Map) {
			a.PutStr("größe", "ümlaut")
			a.PutStr("emoji", "🙂")
			a.PutStr("two  spaces", " ")
		},
		func(a pcommon.Map) { a.PutStr("empty", ""); a.PutStr("job", "mine"); a.PutStr("instance", "mine") },
		func(a pcommon.Map) {
			a.PutBool("bool", true)
			a.PutDouble("double", 0.1)
			a.PutEmptyBytes("bytes").FromRaw([]byte{1, 2})
			a.PutEmptySlice("slice").AppendEmpty().SetStr("x")
			a.PutEmptyMap("map").PutInt("k", 1)
		},
		func(a pcommon.Map) { a.PutStr("z", "last first"); a.PutStr("m", "middle"); a.PutStr("a", "first last") },
	} {
		p := points.AppendEmpty()
		p.SetTimestamp(f.at)
		p.SetIntValue(int64(i))
		p.Attributes().PutInt("case", int64(i))
		fill(p.Attributes())
	}
}

func (f *filler) exemplar(to pmetric.ExemplarSlice, values ...float64) {
	for i, v := range values {
		e := to.AppendEmpty()
		// In the order of value, as SDKs send them, which is not that of time.
		age := time.Duration((i*7)%len(values)+1) * time.Second
		e.SetTimestamp(pcommon.NewTimestampFromTime(f.at.AsTime().Add(-age)))
		e.SetDoubleValue(v)
		var trace [16]byte
		var span [8]byte
		for j := range trace {
			trace[j] = byte(f.rng.Uint32())
		}
		copy(span[:], trace[4:])
		e.SetTraceID(trace)
		e.SetSpanID(span)
		e.FilteredAttributes().PutStr("user.id", "u"+fmt.Sprint(i))
	}
}

// histograms have explicit bounds: many, one, none, and such without a sum.
func (f *filler) histograms() {
	for name, bounds := range [][]float64{{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}, {1}, {}} {
		h := f.metric(fmt.Sprintf("request.duration.%d", name), "s").SetEmptyHistogram()
		h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for route := range 2 {
			p := h.DataPoints().AppendEmpty()
			p.SetTimestamp(f.at)
			p.Attributes().PutStr("http.route", fmt.Sprintf("/r/%d", route))
			p.ExplicitBounds().FromRaw(bounds)
			counts := make([]uint64, len(bounds)+1)
			total := uint64(0)
			for i := range counts {
				counts[i] = uint64(f.round * (i + route + 1))
				total += counts[i]
			}
			p.BucketCounts().FromRaw(counts)
			p.SetCount(total)
			if route == 0 || len(bounds) > 1 {
				p.SetSum(float64(total) * 0.3)
			}
			f.exemplar(p.Exemplars(), 0.003, 0.04, 0.7, 20)
		}
	}
}

// exponential histograms: fine and coarse, with negative buckets, a zero threshold, gaps, and none at all.
func (f *filler) exponential() {
	h := f.metric("latency", "ms").SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i, scale := range []int32{0, 3, 8, 11, -4} {
		p := h.DataPoints().AppendEmpty()
		p.SetTimestamp(f.at)
		p.SetScale(scale)
		p.Attributes().PutInt("scale", int64(scale))
		p.SetZeroCount(uint64(f.round))
		p.SetZeroThreshold(float64(i) * 1e-6)
		total := p.ZeroCount()
		counts := []uint64{1, 0, 0, 4, uint64(f.round), 0, 9}
		p.Positive().SetOffset(int32(i*5) - 7)
		p.Positive().BucketCounts().FromRaw(counts)
		total += 14 + uint64(f.round)
		if i%2 == 1 {
			p.Negative().SetOffset(3)
			p.Negative().BucketCounts().FromRaw([]uint64{2, 0, 1})
			total += 3
		}
		p.SetCount(total)
		p.SetSum(float64(total) * 1.5)
		f.exemplar(p.Exemplars(), 0.1, 1, 10)
	}
	empty := h.DataPoints().AppendEmpty()
	empty.SetTimestamp(f.at)
	empty.Attributes().PutStr("scale", "empty")
}

func (f *filler) summary() {
	p := f.metric("gc.pause", "s").SetEmptySummary().DataPoints().AppendEmpty()
	p.SetTimestamp(f.at)
	p.SetCount(uint64(f.round * 3))
	p.SetSum(float64(f.round) * 0.2)
	for _, q := range []float64{0, 0.5, 0.99, 1} {
		v := p.QuantileValues().AppendEmpty()
		v.SetQuantile(q)
		v.SetValue(q * float64(f.round))
	}
}
