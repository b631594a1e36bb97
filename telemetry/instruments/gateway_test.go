package instruments_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
	"github.com/tailgate-otel/tailgate/telemetry/livecheck"
)

const scope = "test"

func newGateway(t *testing.T) (*instruments.Gateway, func() metricdata.ResourceMetrics) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithView(instruments.Views(telemetry.Gateway())...))
	g, err := instruments.NewGateway(provider.Meter(scope), func() instruments.GatewayState {
		return instruments.GatewayState{
			Routes: 3, LastReloadSuccessful: true, ConfigAppliedUnixTime: 1000,
			Endpoints: []instruments.UpstreamEndpoints{{Upstream: "cart", Healthy: 2, Unhealthy: 1}},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if err := provider.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return g, func() metricdata.ResourceMetrics {
		var rm metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &rm); err != nil {
			t.Fatal(err)
		}
		return rm
	}
}

func record(ctx context.Context, g *instruments.Gateway) {
	g.ServerActive(ctx, instruments.ServerActive{Method: "GET", Scheme: "http"}, 1)
	g.ServerRequest(ctx, instruments.ServerRequest{Method: "GET", Route: "/a/{id}", Status: 502, ErrorType: telemetry.ErrorConnect, Scheme: "http", Protocol: "1.1"},
		250*time.Millisecond, 10, 20)
	g.ClientActive(ctx, instruments.ClientActive{Upstream: "cart", Address: "127.0.0.1", Port: 9103}, 1)
	g.ClientRequest(ctx, instruments.ClientRequest{Method: "GET", ErrorType: telemetry.ErrorConnect, Upstream: "cart", Address: "127.0.0.1", Port: 9103}, time.Second)
	g.Rejected(ctx, telemetry.RejectNoRoute)
	g.Reload(ctx, telemetry.ReloadApplied)
	g.Connections(ctx, 1)
}

func TestGatewayRecordsItsWholeContract(t *testing.T) {
	g, collect := newGateway(t)
	record(t.Context(), g)
	rm := collect()
	if err := livecheck.Check(rm, scope, telemetry.Gateway()); err != nil {
		t.Error(err)
	}
	var got []string
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			got = append(got, m.Name)
		}
	}
	for _, m := range telemetry.Gateway() {
		if !slices.Contains(got, m.Name) {
			t.Errorf("%s is in the contract and was not recorded", m.Name)
		}
	}
}

func TestLiveCheckFindsWhatTheContractLacks(t *testing.T) {
	g, collect := newGateway(t)
	g.ServerRequest(t.Context(), instruments.ServerRequest{Method: "BREW", Route: "/pot"}, time.Second, 0, 0)
	g.Rejected(t.Context(), "teapot")
	rm := collect()
	shorter := slices.DeleteFunc(telemetry.Gateway(), func(m telemetry.Metric) bool { return m.Name == telemetry.GatewayRoutes.Name })
	err := livecheck.Check(rm, scope, shorter)
	if err == nil {
		t.Fatal("nothing found")
	}
	for _, want := range []string{"BREW", "teapot", telemetry.GatewayRoutes.Name + ": not in the contract"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported in:\n%v", want, err)
		}
	}
}

func TestKnownAttributesAllocateAtMostTwice(t *testing.T) {
	g, _ := newGateway(t)
	ctx := context.Background()
	record(ctx, g)
	r := instruments.ClientActive{Upstream: "cart", Address: "127.0.0.1", Port: 9103}
	if n := testing.AllocsPerRun(100, func() { g.ClientActive(ctx, r, 1) }); n > 2 {
		t.Errorf("%v allocations per record; the cache of attribute sets should leave two: the key and the option slice", n)
	}
}

func TestMethod(t *testing.T) {
	for in, want := range map[string]string{"GET": "GET", "get": "_OTHER", "BREW": "_OTHER", "": "_OTHER"} {
		if got := instruments.Method(in); got != want {
			t.Errorf("Method(%q) = %q, want %q", in, got, want)
		}
	}
}
