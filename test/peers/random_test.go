package peers

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// TestRandomOTLP exports what nobody thought of: names, units, types and attributes drawn from small sets, so that metrics
// become one, change their type, stop and go backwards in time. What the stock server takes, ours has. What it refuses is
// not sent to ours, which would rightly store a part. Two points of one export never become one series, and exemplars come
// in the order of value: there a stock server's answer is an accident.
func TestRandomOTLP(t *testing.T) {
	end := time.Now().Truncate(time.Second)
	rng := rand.New(rand.NewPCG(1, uint64(end.Unix())))
	t.Logf("seed 1, %d", end.Unix())
	s, ours := store(t, "random", t.TempDir(), nil, nil)
	alone, listener := store(t, "random-alone", t.TempDir(), nil, nil)
	alone.config = nil
	c := start(t, "", s, alone)
	stock := stockOTLP(t, "{}")
	taken, refused := 0, 0
	for round := range 150 {
		md := randomExport(rng, end.Add(time.Duration(round-150)*time.Second))
		if export(t, stock.API, stockOTLPPath, md).Status/100 != 2 {
			refused++
			continue // ours would rightly store a part of it
		}
		taken++
		mustExport(t, c.otlp, otlpPath, md)
		mustExport(t, listener, stockOTLPPath, md)
	}
	for name, api := range map[string]promserver.API{"through a pipeline": ours, "at its own listener": listener} {
		t.Run(name, func(t *testing.T) {
			from := end.Add(-time.Hour)
			compareDumps(t, "samples", api.Read(t, from, end), stock.API.Read(t, from, end), known(t, "samples"))
			compareDumps(t, "exemplars", exemplars(t, api, end), exemplars(t, stock.API, end), known(t, "exemplars"))
		})
	}
	samples := stock.API.Read(t, end.Add(-time.Hour), end).Samples()
	if taken < 20 || samples < 1000 {
		t.Errorf("only %d exports taken, %d samples", taken, samples)
	}
	t.Logf("%d exports taken, %d refused by the stock server, %d samples", taken, refused, samples)
}

// randomExport is one resource with a few metrics.
func randomExport(rng *rand.Rand, at time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for range 1 + rng.IntN(3) {
		rm := md.ResourceMetrics().AppendEmpty()
		randomAttributes(rng, rm.Resource().Attributes(), "service.name", "service.instance.id", "host.name", "a.b", "")
		sm := rm.ScopeMetrics().AppendEmpty()
		sm.Scope().SetName(pick(rng, "", "lib"))
		for range 1 + rng.IntN(6) {
			randomMetric(rng, sm.Metrics().AppendEmpty(), at)
		}
	}
	number(md)
	return md
}

// number gives each point of an export an attribute that no other has.
func number(md pmetric.Metrics) {
	n := int64(0)
	next := func(attrs pcommon.Map) { attrs.PutInt("point", n); n++ }
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				eachPoint(m, next)
			}
		}
	}
}

func eachPoint(m pmetric.Metric, do func(pcommon.Map)) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			do(p.Attributes())
		}
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			do(p.Attributes())
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			do(p.Attributes())
		}
	case pmetric.MetricTypeExponentialHistogram:
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			do(p.Attributes())
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			do(p.Attributes())
		}
	}
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }

func randomAttributes(rng *rand.Rand, to pcommon.Map, keys ...string) {
	for _, key := range keys {
		if key == "" || rng.IntN(3) == 0 {
			continue
		}
		switch rng.IntN(5) {
		case 0:
			to.PutInt(key, rng.Int64N(3))
		case 1:
			to.PutBool(key, true)
		default:
			to.PutStr(key, pick(rng, "", "x", "y", "ü", "a b", `quo"te`))
		}
	}
}

func randomMetric(rng *rand.Rand, m pmetric.Metric, at time.Time) {
	m.SetName(pick(rng, "requests", "requests_total", "http.requests", "latency", "latency.seconds", "größe", "0start", "a b", "_"))
	m.SetUnit(pick(rng, "", "s", "1", "By", "{x}"))
	m.SetDescription(pick(rng, "", "one", "other"))
	points := 1 + rng.IntN(4)
	switch rng.IntN(5) {
	case 0:
		fillNumbers(rng, m.SetEmptyGauge().DataPoints(), points, at)
	case 1:
		sum := m.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		sum.SetIsMonotonic(rng.IntN(3) > 0)
		fillNumbers(rng, sum.DataPoints(), points, at)
	case 2:
		fillHistogram(rng, m.SetEmptyHistogram(), points, at)
	case 3:
		fillExponential(rng, m.SetEmptyExponentialHistogram(), points, at)
	default:
		summary := m.SetEmptySummary()
		for range points {
			p := summary.DataPoints().AppendEmpty()
			p.SetTimestamp(moment(rng, at))
			randomAttributes(rng, p.Attributes(), "route", "quantile")
			p.SetCount(rng.Uint64N(100))
			p.SetSum(rng.Float64())
			for i := range rng.IntN(4) {
				q := p.QuantileValues().AppendEmpty()
				q.SetQuantile(float64(i) / 4)
				q.SetValue(rng.Float64())
			}
		}
	}
}

// moment is mostly now, sometimes a little earlier, to the millisecond.
func moment(rng *rand.Rand, at time.Time) pcommon.Timestamp {
	if rng.IntN(10) == 0 {
		at = at.Add(-time.Duration(rng.IntN(5000)) * time.Millisecond)
	}
	return pcommon.NewTimestampFromTime(at)
}

func fillNumbers(rng *rand.Rand, to pmetric.NumberDataPointSlice, points int, at time.Time) {
	for range points {
		p := to.AppendEmpty()
		p.SetTimestamp(moment(rng, at))
		randomAttributes(rng, p.Attributes(), "route", "job", "a.b", "a_b", "__x", "9")
		if rng.IntN(2) == 0 {
			p.SetIntValue(rng.Int64N(1000))
		} else {
			p.SetDoubleValue(pick(rng, rng.NormFloat64(), math.Inf(1), 0, -1))
		}
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(rng.IntN(20) == 0))
		fillExemplars(rng, p.Exemplars(), at)
	}
}

func fillExemplars(rng *rand.Rand, to pmetric.ExemplarSlice, at time.Time) {
	value := 0.0
	for range rng.IntN(3) {
		value += rng.ExpFloat64()
		e := to.AppendEmpty()
		e.SetTimestamp(moment(rng, at))
		e.SetDoubleValue(value)
		if rng.IntN(2) == 0 {
			e.SetTraceID(pcommon.TraceID{1, byte(rng.UintN(256))})
			e.SetSpanID(pcommon.SpanID{byte(rng.UintN(256))})
		}
		randomAttributes(rng, e.FilteredAttributes(), "user")
	}
}

func fillHistogram(rng *rand.Rand, h pmetric.Histogram, points int, at time.Time) {
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	bounds := pick(rng, nil, []float64{1}, []float64{0.1, 1, 10})
	for range points {
		p := h.DataPoints().AppendEmpty()
		p.SetTimestamp(moment(rng, at))
		randomAttributes(rng, p.Attributes(), "route", "le")
		p.ExplicitBounds().FromRaw(bounds)
		for range len(bounds) + 1 {
			n := rng.Uint64N(50)
			p.BucketCounts().Append(n)
			p.SetCount(p.Count() + n)
		}
		if rng.IntN(4) > 0 {
			p.SetSum(rng.Float64() * 100)
		}
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(rng.IntN(20) == 0))
		fillExemplars(rng, p.Exemplars(), at)
	}
}

func fillExponential(rng *rand.Rand, h pmetric.ExponentialHistogram, points int, at time.Time) {
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for range points {
		p := h.DataPoints().AppendEmpty()
		p.SetTimestamp(moment(rng, at))
		randomAttributes(rng, p.Attributes(), "route")
		p.SetScale(int32(rng.IntN(14)) - 4)
		p.SetZeroThreshold(pick(rng, 0, 1e-6))
		p.SetZeroCount(rng.Uint64N(5))
		total := p.ZeroCount()
		for _, side := range []pmetric.ExponentialHistogramDataPointBuckets{p.Positive(), p.Negative()} {
			side.SetOffset(int32(rng.IntN(20)) - 10)
			for range rng.IntN(6) {
				n := pick(rng, 0, 0, rng.Uint64N(20))
				if p.Scale() > 8 { // finer than Prometheus has: there a stock server misplaces what follows an empty bucket
					n = 1 + rng.Uint64N(20)
				}
				side.BucketCounts().Append(n)
				total += n
			}
		}
		p.SetCount(total)
		p.SetSum(rng.NormFloat64())
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(rng.IntN(20) == 0))
		fillExemplars(rng, p.Exemplars(), at)
	}
}
