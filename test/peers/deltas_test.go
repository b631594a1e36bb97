package peers

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// Where a stock server can do by a feature flag or a key what ours does, the result is the same.

// TestDeltasBecomeCumulative sends sums and both kinds of histograms of delta temporality. The stock server converts them
// with otlp-deltatocumulative.
func TestDeltasBecomeCumulative(t *testing.T) {
	stock := promserver.Start(t, promserver.Settings{Flags: []string{
		"--web.enable-otlp-receiver", "--enable-feature=exemplar-storage,otlp-deltatocumulative",
	}, Config: "storage: {tsdb: {out_of_order_time_window: 10m}}\n"})
	sameByConversion(t, stock.API, section{"zero_samples": false}, deltas)
}

// TestHistogramsAsNative stores histograms of explicit bounds as native ones with custom buckets.
func TestHistogramsAsNative(t *testing.T) {
	stock := stockOTLP(t, "{convert_histograms_to_nhcb: true}")
	sameByConversion(t, stock.API, section{"histograms": "nhcb"}, func(round int, at time.Time, _ *rand.Rand) pmetric.Metrics {
		md := pmetric.NewMetrics()
		resource(md, 0, round, at, rand.New(rand.NewPCG(7, 11)))
		return md
	})
}

// sameByConversion sends rounds of exports to both sides and compares what is stored.
func sameByConversion(
	t *testing.T, stock promserver.API, exporter section, export func(round int, at time.Time, rng *rand.Rand) pmetric.Metrics,
) {
	t.Helper()
	const rounds = 20
	end := time.Now().Truncate(time.Second)
	s, ours := store(t, "converted", t.TempDir(), exporter, nil)
	c := start(t, "", s)
	rng := rand.New(rand.NewPCG(3, 4))
	for round := 1; round <= rounds; round++ {
		md := export(round, end.Add(time.Duration(round-rounds)*exportInterval), rng)
		mustExport(t, c.otlp, otlpPath, md)
		mustExport(t, stock, stockOTLPPath, md)
	}
	from := end.Add(-time.Hour)
	want := stock.Read(t, from, end)
	if want.Samples() < 20*rounds {
		t.Errorf("the stock server has %d samples: too few to compare", want.Samples())
	}
	compareDumps(t, "samples", ours.Read(t, from, end), want, known(t, "samples"))
	compareDumps(t, "exemplars", exemplars(t, ours, end), exemplars(t, stock, end), known(t, "exemplars"))
	t.Logf("%d series, %d samples", len(want), want.Samples())
}

// deltas are what happened in the last interval: a few routes, each in some of the intervals.
func deltas(round int, at time.Time, rng *rand.Rand) pmetric.Metrics {
	md := pmetric.NewMetrics()
	metrics := newScope(md)
	begin, end := pcommon.NewTimestampFromTime(at.Add(-exportInterval)), pcommon.NewTimestampFromTime(at)
	newDelta := func(name string) pmetric.Metric {
		m := metrics.AppendEmpty()
		m.SetName(name)
		m.SetUnit("s")
		return m
	}
	sum := newDelta("busy").SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	classic := newDelta("classic").SetEmptyHistogram()
	classic.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	exponential := newDelta("exponential").SetEmptyExponentialHistogram()
	exponential.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	for route := range 4 {
		if round > 1 && rng.IntN(4) == 0 {
			continue // nothing happened
		}
		attr := fmt.Sprintf("/r/%d", route)
		p := sum.DataPoints().AppendEmpty()
		p.SetStartTimestamp(begin)
		p.SetTimestamp(end)
		p.Attributes().PutStr("route", attr)
		p.SetDoubleValue(float64(rng.IntN(100)))

		h := classic.DataPoints().AppendEmpty()
		h.SetStartTimestamp(begin)
		h.SetTimestamp(end)
		h.Attributes().PutStr("route", attr)
		h.ExplicitBounds().FromRaw([]float64{0.1, 1, 10})
		for range 4 {
			n := rng.Uint64N(10)
			h.BucketCounts().Append(n)
			h.SetCount(h.Count() + n)
		}
		h.SetSum(float64(rng.IntN(100)))

		e := exponential.DataPoints().AppendEmpty()
		e.SetStartTimestamp(begin)
		e.SetTimestamp(end)
		e.Attributes().PutStr("route", attr)
		e.SetScale(int32(5 - round/8)) // an SDK that lowers its scale on the way
		e.Positive().SetOffset(int32(rng.IntN(5)))
		e.SetZeroCount(rng.Uint64N(3))
		e.SetCount(e.ZeroCount())
		for range 1 + rng.IntN(8) {
			n := 1 + rng.Uint64N(10)
			e.Positive().BucketCounts().Append(n)
			e.SetCount(e.Count() + n)
		}
		e.SetSum(float64(rng.IntN(100)))
	}
	return md
}

// TestFirstIncrementCounts sends a counter whose first export says that it began 10 s ago and has come to 10. With a zero at
// the start, increase sees all ten; a stock server has one sample and knows of no increase.
func TestFirstIncrementCounts(t *testing.T) {
	for _, tc := range []struct {
		name string
		open func(*testing.T) lane
		want string // increase over a minute, rounded; empty: no answer
	}{
		{"OTLP to a stock server", stockOTLPLane, ""},
		{"contrib remote write 2.0", contribLane(remoteWrite2), ""},
		{"ours", ourLane, "10"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := tc.open(t)
			now := time.Now().Truncate(time.Second)
			md := pmetric.NewMetrics()
			m := newScope(md).AppendEmpty()
			m.SetName("begun")
			sum := m.SetEmptySum()
			sum.SetIsMonotonic(true)
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			p := addPoint(sum.DataPoints(), now, 10)
			p.SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(-10 * time.Second)))
			l.send(md)
			got := l.api.Query(t, "max_over_time(begun_total[1m]) - min_over_time(begun_total[1m]) > 0", now)
			if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || got[0].Value != tc.want) {
				t.Errorf("the counter grew by %v, want %q", got, tc.want)
			}
			if !strings.Contains(fmt.Sprint(l.api.Query(t, "begun_total", now)), "10") {
				t.Error("the sample itself is missing")
			}
		})
	}
}
