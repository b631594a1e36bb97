package httpcells_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/cell"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/cell/httpcells"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
	"github.com/tailgate-otel/tailgate/telemetry/livecheck"
)

var scope = instrumentation.Scope{Name: "test"}

// rig is both sides: the instruments on a provider of the SDK, and cells.
type rig struct {
	cells       *httpcells.Cells
	registry    *cell.Registry
	instruments *instruments.Gateway
	reader      *sdkmetric.ManualReader
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{registry: cell.NewRegistry(scope, metricdata.CumulativeTemporality, time.Now), reader: sdkmetric.NewManualReader()}
	r.cells = httpcells.New(r.registry)
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader), sdkmetric.WithView(instruments.Views(telemetry.Gateway())...))
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	var err error
	if r.instruments, err = instruments.NewGateway(provider.Meter(scope.Name), func() instruments.GatewayState { return instruments.GatewayState{} }); err != nil {
		t.Fatal(err)
	}
	if err := r.instruments.Close(); err != nil { // no gauges of state
		t.Fatal(err)
	}
	return r
}

// request is one request with one attempt, recorded on both sides.
func (r *rig) request(ctx context.Context, s instruments.ServerRequest, c instruments.ClientRequest, d time.Duration, received, sent int64) {
	var ex *cell.Exemplar
	if sc := trace.SpanContextFromContext(ctx); sc.IsSampled() {
		ex = &cell.Exemplar{At: time.Now(), TraceID: sc.TraceID(), SpanID: sc.SpanID()}
	}
	active, trying := instruments.ServerActive{Method: s.Method, Scheme: s.Scheme}, instruments.ClientActive{Upstream: c.Upstream, Address: c.Address, Port: c.Port}
	r.cells.ServerActive(active).Add(1)
	r.cells.ClientActive(trying).Add(1)
	r.cells.ClientRequest(c, d, ex)
	r.cells.ServerRequest(s, d, received, sent, ex)
	r.cells.Connections().Add(1)
	r.cells.Rejected(telemetry.RejectNoRoute)
	bare := context.Background() // sums of cells have no exemplars
	r.instruments.ServerActive(bare, active, 1)
	r.instruments.ClientActive(bare, trying, 1)
	r.instruments.ClientRequest(ctx, c, d)
	r.instruments.ServerRequest(ctx, s, d, received, sent)
	r.instruments.Connections(bare, 1)
	r.instruments.Rejected(bare, telemetry.RejectNoRoute)
}

func (r *rig) collect(t *testing.T) (own, sdk metricdata.ResourceMetrics) {
	t.Helper()
	var err error
	if own.ScopeMetrics, err = r.registry.Produce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.reader.Collect(t.Context(), &sdk); err != nil {
		t.Fatal(err)
	}
	return own, sdk
}

// TestLikeTheInstruments: the same requests make the same data points, within the contract. Durations are whole
// multiples of 1/512 s, so that the SDK's sums of floats are exact as well.
func TestLikeTheInstruments(t *testing.T) {
	r, rnd := newRig(t), rand.New(rand.NewPCG(1, 2))
	for i := range 500 {
		status, kind := 200, ""
		if rnd.IntN(5) == 0 {
			status, kind = 0, telemetry.ErrorReset
		}
		route := []string{"", "/a/{id}", "/b"}[rnd.IntN(3)]
		s := instruments.ServerRequest{Method: []string{"GET", "POST"}[rnd.IntN(2)], Route: route, Status: status, ErrorType: kind, Scheme: "http", Protocol: "1.1"}
		c := instruments.ClientRequest{Method: s.Method, Status: status, ErrorType: kind, Upstream: "up", Address: "127.0.0.1", Port: 9000 + rnd.IntN(2), Protocol: "1.1"}
		r.request(t.Context(), s, c, time.Duration(rnd.IntN(4096))*(time.Second/512), int64(rnd.IntN(3)), int64(i))
	}
	own, sdk := r.collect(t)
	if err := livecheck.Check(own, scope.Name, telemetry.Gateway()); err != nil {
		t.Error(err)
	}
	metricdatatest.AssertEqual(t, sdk.ScopeMetrics[0], own.ScopeMetrics[0], metricdatatest.IgnoreTimestamp())
}

func TestExemplarsLikeTheInstruments(t *testing.T) {
	r := newRig(t)
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	r.request(trace.ContextWithSpanContext(t.Context(), sc), instruments.ServerRequest{Method: "GET"}, instruments.ClientRequest{Method: "GET"}, time.Second, 1, 2)
	own, sdk := r.collect(t)
	metricdatatest.AssertEqual(t, sdk.ScopeMetrics[0], own.ScopeMetrics[0], metricdatatest.IgnoreTimestamp())
}

func TestAllocatesNothing(t *testing.T) {
	c := httpcells.New(cell.NewRegistry(scope, metricdata.CumulativeTemporality, time.Now))
	s := instruments.ServerRequest{Method: "GET", Route: "/a/{id}", Status: 200, Scheme: "http", Protocol: "1.1"}
	if n := testing.AllocsPerRun(1000, func() {
		c.ServerActive(instruments.ServerActive{Method: "GET", Scheme: "http"}).Add(1)
		c.ServerRequest(s, time.Second, 1, 2, &cell.Exemplar{})
		c.ClientRequest(instruments.ClientRequest{Method: "GET", Upstream: "up"}, time.Second, nil)
		c.ClientActive(instruments.ClientActive{Upstream: "up"}).Add(-1)
		c.Rejected(telemetry.RejectLoop)
		c.Connections().Add(1)
	}); n != 0 {
		t.Errorf("%v allocations per request", n)
	}
}
