package cell_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/cell"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
	"github.com/tailgate-otel/tailgate/telemetry/livecheck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// explicit is a metric with explicit buckets, of which the gateway's contract has none today.
var explicit = telemetry.Metric{Name: "test.explicit", Kind: telemetry.Histogram, Unit: "s", Description: "A test."}

var (
	scope  = instrumentation.Scope{Name: "test"}
	bounds = []float64{0.001, 0.01, 0.1, 1}
)

type sets struct {
	duration, explicit *cell.Histogram[time.Duration]
	size               *cell.Histogram[int64]
	active, rejected   *cell.Sum
}

// own is the package's side of a comparison, keyed by a string that is the only attribute.
type own struct {
	registry *cell.Registry
	table    *cell.Table[string, sets]
}

func newOwn(limit int, temporality metricdata.Temporality) *own {
	r := cell.NewRegistry(scope, temporality, time.Now)
	durations, sizes := r.Durations(telemetry.HTTPServerRequestDuration), r.Sizes(telemetry.HTTPServerRequestBodySize)
	explicits := r.Durations(explicit, bounds...)
	active, rejected := r.Sums(telemetry.HTTPServerActiveRequests), r.Sums(telemetry.GatewayRequestsRejected)
	return &own{r, cell.NewTable(limit, attributes, func(set attribute.Set) *sets {
		return &sets{durations.Cell(set), explicits.Cell(set), sizes.Cell(set), active.Cell(set), rejected.Cell(set)}
	})}
}

func attributes(key string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("key", key)}
}

func (o *own) record(key string, d time.Duration, size int64, ex *cell.Exemplar) {
	c := o.table.Get(key)
	c.duration.Record(d, ex)
	c.explicit.Record(d, ex)
	c.size.Record(size, ex)
	c.active.Add(size%3 - 1)
	c.rejected.Add(1)
}

func (o *own) collect(t testing.TB) metricdata.ScopeMetrics {
	t.Helper()
	sm, err := o.registry.Produce(context.Background())
	if err != nil || len(sm) != 1 {
		t.Fatalf("%d scopes: %v", len(sm), err)
	}
	return sm[0]
}

// sdk is OpenTelemetry's side.
type sdk struct {
	reader             *sdkmetric.ManualReader
	duration, explicit metric.Float64Histogram
	size               metric.Int64Histogram
	active             metric.Int64UpDownCounter
	rejected           metric.Int64Counter
}

func newSDK(t testing.TB, limit int, opts ...sdkmetric.ManualReaderOption) *sdk {
	t.Helper()
	s := &sdk{reader: sdkmetric.NewManualReader(opts...)}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader), sdkmetric.WithView(instruments.Views(telemetry.Gateway())...), sdkmetric.WithCardinalityLimit(limit))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	meter := provider.Meter(scope.Name)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	d, b, a, r := telemetry.HTTPServerRequestDuration, telemetry.HTTPServerRequestBodySize, telemetry.HTTPServerActiveRequests, telemetry.GatewayRequestsRejected
	s.duration, err = meter.Float64Histogram(d.Name, metric.WithUnit(d.Unit), metric.WithDescription(d.Description))
	must(err)
	s.size, err = meter.Int64Histogram(b.Name, metric.WithUnit(b.Unit), metric.WithDescription(b.Description))
	must(err)
	s.explicit, err = meter.Float64Histogram(explicit.Name, metric.WithUnit(explicit.Unit), metric.WithDescription(explicit.Description), metric.WithExplicitBucketBoundaries(bounds...))
	must(err)
	s.active, err = meter.Int64UpDownCounter(a.Name, metric.WithUnit(a.Unit), metric.WithDescription(a.Description))
	must(err)
	s.rejected, err = meter.Int64Counter(r.Name, metric.WithUnit(r.Unit), metric.WithDescription(r.Description))
	must(err)
	return s
}

func (s *sdk) record(ctx context.Context, key string, d time.Duration, size int64) {
	set := metric.WithAttributeSet(attribute.NewSet(attributes(key)...))
	s.duration.Record(ctx, d.Seconds(), set)
	s.explicit.Record(ctx, d.Seconds(), set)
	s.size.Record(ctx, size, set)
	s.active.Add(context.Background(), size%3-1, set)
	s.rejected.Add(context.Background(), 1, set)
}

func (s *sdk) collect(t testing.TB) metricdata.ScopeMetrics {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := s.reader.Collect(context.Background(), &rm); err != nil {
		t.Fatal(err)
	}
	return rm.ScopeMetrics[0]
}

// compare fails unless both are equal but for timestamps, and for sums of seconds by what adding floats loses.
func compare(t *testing.T, got, want metricdata.ScopeMetrics) {
	t.Helper()
	near := func(got *float64, want float64) {
		if math.Abs(*got-want) <= 1e-9*want {
			*got = want
		}
	}
	byName := map[string]metricdata.Metrics{}
	for _, m := range want.Metrics {
		byName[m.Name] = m
	}
	for _, m := range got.Metrics {
		switch g := m.Data.(type) {
		case metricdata.ExponentialHistogram[float64]:
			w := byName[m.Name].Data.(metricdata.ExponentialHistogram[float64])
			for i := range g.DataPoints {
				for j := range w.DataPoints {
					if g.DataPoints[i].Attributes.Equals(&w.DataPoints[j].Attributes) {
						near(&g.DataPoints[i].Sum, w.DataPoints[j].Sum)
					}
				}
			}
		case metricdata.Histogram[float64]:
			w := byName[m.Name].Data.(metricdata.Histogram[float64])
			for i := range g.DataPoints {
				for j := range w.DataPoints {
					if g.DataPoints[i].Attributes.Equals(&w.DataPoints[j].Attributes) {
						near(&g.DataPoints[i].Sum, w.DataPoints[j].Sum)
					}
				}
			}
		}
	}
	metricdatatest.AssertEqual(t, want, got, metricdatatest.IgnoreTimestamp())
}

// TestLikeTheSDK gives random measurements to both sides and compares at several moments. Ranges are drawn so that
// histograms of every scale come about: one value, values close together, and six decades.
func TestLikeTheSDK(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 150 {
		o, s := newOwn(0, metricdata.CumulativeTemporality), newSDK(t, 0)
		decades, center := rnd.Float64()*6, math.Pow(10, -4+rnd.Float64()*4)
		if round%5 == 0 {
			decades /= 1e4
		}
		total := 0
		for range 1 + rnd.IntN(4) {
			for range rnd.IntN([]int{2, 40, 500}[rnd.IntN(3)]) {
				total++
				key := string(rune('a' + rnd.IntN(3)))
				d := time.Duration(center * math.Pow(10, (rnd.Float64()-0.5)*decades) * 1e9)
				size := int64(math.Pow(10, rnd.Float64()*decades)) - 1
				switch rnd.IntN(20) {
				case 0:
					d = 0
				case 1: // powers of two are bounds of buckets
					d, size = time.Duration(1)<<rnd.IntN(36), int64(1)<<rnd.IntN(40)
				}
				o.record(key, d, size, nil)
				s.record(context.Background(), key, d, size)
			}
			if total > 0 {
				compare(t, o.collect(t), s.collect(t))
			}
		}
		if t.Failed() {
			t.Fatalf("round %d, %v decades around %v s", round, decades, center)
		}
	}
}

// TestDeltaLikeTheSDK: each interval holds what is new in it. The range of values is the same in all of them, so that the
// scales are, too.
func TestDeltaLikeTheSDK(t *testing.T) {
	o, s := newOwn(0, metricdata.DeltaTemporality), newSDK(t, 0, sdkmetric.WithTemporalitySelector(sdkmetric.DeltaTemporalitySelector))
	for interval := range 5 {
		for i, d := range []time.Duration{500 * time.Microsecond, 3 * time.Millisecond, 30 * time.Millisecond, 400 * time.Millisecond, 5 * time.Second} {
			key := string(rune('a' + interval%3)) // the others have nothing new
			id := byte(interval*10 + i)
			ex := cell.Exemplar{At: time.Now(), TraceID: trace.TraceID{1, id}, SpanID: trace.SpanID{2, id}}
			sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: ex.TraceID, SpanID: ex.SpanID, TraceFlags: trace.FlagsSampled})
			ctx := trace.ContextWithSpanContext(t.Context(), sc)
			for range 10 * (interval % 2) { // early values, or windows
				o.record(key, d, int64(d), nil)
				s.record(context.Background(), key, d, int64(d))
			}
			o.record(key, d, int64(d), &ex)
			s.record(ctx, key, d, int64(d))
		}
		compare(t, o.collect(t), s.collect(t))
	}
	if left := o.collect(t).Metrics; len(left) != 1 || left[0].Name != telemetry.HTTPServerActiveRequests.Name {
		t.Errorf("%v, want what is in flight and nothing else when nothing is new", left)
	}
}

func TestOverflowLikeTheSDK(t *testing.T) {
	o, s := newOwn(4, metricdata.CumulativeTemporality), newSDK(t, 4)
	for i := range 40 {
		key := fmt.Sprint(i * 7 % 10)
		o.record(key, time.Duration(i), int64(i), nil)
		s.record(context.Background(), key, time.Duration(i), int64(i))
	}
	compare(t, o.collect(t), s.collect(t))
}

// TestExemplarsLikeTheSDK: of one value per octave the SDK's reservoir keeps all, as do our groups.
func TestExemplarsLikeTheSDK(t *testing.T) {
	o, s := newOwn(0, metricdata.CumulativeTemporality), newSDK(t, 0)
	for i, d := range []time.Duration{500 * time.Microsecond, 3 * time.Millisecond, 30 * time.Millisecond, 400 * time.Millisecond, 5 * time.Second} {
		ex := cell.Exemplar{At: time.Now(), TraceID: trace.TraceID{1, byte(i)}, SpanID: trace.SpanID{2, byte(i)}}
		sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: ex.TraceID, SpanID: ex.SpanID, TraceFlags: trace.FlagsSampled})
		o.record("a", d, int64(d), &ex)
		s.record(trace.ContextWithSpanContext(t.Context(), sc), "a", d, int64(d))
	}
	compare(t, o.collect(t), s.collect(t))
	compare(t, o.collect(t), s.collect(t)) // both keep them until something new comes
}

func TestExemplarOfAGroupChangesOncePerCollection(t *testing.T) {
	o := newOwn(0, metricdata.CumulativeTemporality)
	offer := func(id byte) {
		o.record("a", time.Duration(id)+time.Second, 1, &cell.Exemplar{TraceID: trace.TraceID{id}, SpanID: trace.SpanID{id}})
	}
	kept := func() byte {
		for _, m := range o.collect(t).Metrics {
			if h, ok := m.Data.(metricdata.ExponentialHistogram[float64]); ok {
				ex := h.DataPoints[0].Exemplars
				if len(ex) != 1 || ex[0].TraceID[0] != ex[0].SpanID[0] {
					t.Fatalf("exemplars %v", ex)
				}
				return ex[0].TraceID[0]
			}
		}
		return 0
	}
	offer(1)
	offer(2)
	if got := kept(); got != 1 {
		t.Errorf("exemplar %d, want the first", got)
	}
	offer(3)
	offer(4)
	if got := kept(); got != 3 {
		t.Errorf("exemplar %d, want the first since the last collection", got)
	}
	if got := kept(); got != 3 {
		t.Errorf("exemplar %d, want the one from before", got)
	}
}

// TestConcurrent: counts are exact whoever records while windows are replaced and collected.
func TestConcurrent(t *testing.T) {
	const workers, each = 8, 20_000
	o := newOwn(0, metricdata.CumulativeTemporality)
	done := make(chan struct{})
	var collector, recorders sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				_, _ = o.registry.Produce(context.Background())
			}
		}
	})
	for w := range workers {
		recorders.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 0))
			ex := cell.Exemplar{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}}
			for i := range each {
				// The range widens on both sides as time goes by.
				spread := float64(i) / each * 8
				o.record("a", time.Duration(1e6*math.Pow(10, (rnd.Float64()-0.5)*spread)), int64(w), &ex)
			}
		})
	}
	recorders.Wait()
	close(done)
	collector.Wait()
	for _, m := range o.collect(t).Metrics {
		var n uint64
		switch d := m.Data.(type) {
		case metricdata.ExponentialHistogram[float64]:
			n = d.DataPoints[0].Count
			if buckets := len(d.DataPoints[0].PositiveBucket.Counts); buckets > 160 || buckets < 80 {
				t.Errorf("%d buckets", buckets)
			}
		case metricdata.ExponentialHistogram[int64]:
			n = d.DataPoints[0].Count
		case metricdata.Histogram[float64]:
			n = d.DataPoints[0].Count
		default:
			continue
		}
		if n != workers*each {
			t.Errorf("%s counts %d, want %d", m.Name, n, workers*each)
		}
	}
}

// TestGoesOutWithTheReader: a reader of the SDK exports the cells beside its own instruments, with its resource, and the
// contract is kept.
func TestGoesOutWithTheReader(t *testing.T) {
	start := time.Unix(1000, 0)
	now := start
	registry := cell.NewRegistry(scope, metricdata.CumulativeTemporality, func() time.Time { return now })
	rejected := registry.Sums(telemetry.GatewayRequestsRejected)
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(registry))
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(resource.NewSchemaless(attribute.String("service.name", "x"))))
	defer func() { _ = provider.Shutdown(context.Background()) }()

	var rm metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &rm); err != nil || len(rm.ScopeMetrics) != 0 {
		t.Fatalf("%v, %v before anything was measured", rm, err)
	}
	rejected.Cell(attribute.NewSet(attribute.String(telemetry.AttrGatewayRejectReason.Key, telemetry.RejectNoRoute))).Add(2)
	now = start.Add(time.Minute)
	if err := reader.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	if err := livecheck.Check(rm, scope.Name, []telemetry.Metric{telemetry.GatewayRequestsRejected}); err != nil {
		t.Error(err)
	}
	p := rm.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints[0]
	if p.Value != 2 || !p.StartTime.Equal(start) || !p.Time.Equal(now) {
		t.Errorf("%d from %s to %s", p.Value, p.StartTime, p.Time)
	}
}

func TestEqualSetsShareACell(t *testing.T) {
	sums := cell.NewRegistry(scope, metricdata.CumulativeTemporality, time.Now).Sums(telemetry.GatewayRequestsRejected)
	a, b := attribute.Int("a", 1), attribute.Int("b", 2)
	if sums.Cell(attribute.NewSet(a, b)) != sums.Cell(attribute.NewSet(b, a)) {
		t.Error("two cells would be two data points of one series")
	}
}

func TestNegativeIsZero(t *testing.T) {
	o := newOwn(0, metricdata.CumulativeTemporality)
	o.record("a", -time.Second, -5, nil)
	for _, m := range o.collect(t).Metrics {
		if h, ok := m.Data.(metricdata.ExponentialHistogram[float64]); ok && (h.DataPoints[0].ZeroCount != 1 || h.DataPoints[0].Sum != 0) {
			t.Errorf("%+v", h.DataPoints[0])
		}
	}
}

func TestWrongKindPanics(t *testing.T) {
	r := cell.NewRegistry(scope, metricdata.CumulativeTemporality, time.Now)
	for name, f := range map[string]func(){
		"sum":                   func() { r.Sums(telemetry.HTTPServerRequestDuration) },
		"durations":             func() { r.Durations(telemetry.HTTPServerActiveRequests) },
		"explicit, no bounds":   func() { r.Durations(explicit) },
		"exponential and bound": func() { r.Sizes(telemetry.HTTPServerRequestBodySize, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: made against the contract", name)
				}
			}()
			f()
		}()
	}
}

func TestAllocatesNothing(t *testing.T) {
	o := newOwn(0, metricdata.CumulativeTemporality)
	values := durations()
	for _, d := range values {
		o.record("a", d, int64(d), &cell.Exemplar{})
	}
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		o.record("a", values[i%len(values)], int64(i), &cell.Exemplar{TraceID: trace.TraceID{1}})
	}); n != 0 {
		t.Errorf("%v allocations per record", n)
	}
}

// durations are 1,000 values as a gateway sees them: most around 2 ms, some a hundred times as long.
func durations() []time.Duration {
	rnd := rand.New(rand.NewPCG(5, 6))
	out := make([]time.Duration, 1000)
	for i := range out {
		out[i] = time.Duration(2e6 * math.Exp(rnd.NormFloat64()))
	}
	return slices.Concat(out[:990], []time.Duration{200 * time.Millisecond, time.Second, 5 * time.Second, 50 * time.Microsecond, 1, 10, 100, 0, 1, 2})
}
