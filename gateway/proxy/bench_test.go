package proxy_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"github.com/tailgate-otel/tailgate/gateway/proxy"
	gatewaytelemetry "github.com/tailgate-otel/tailgate/gateway/telemetry"
	"github.com/tailgate-otel/tailgate/gateway/upstream"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

// discard takes spans as an exporter would and drops them.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// BenchmarkRequest measures the handler over a real connection to an upstream in the same process, so it includes the
// upstream's share; the difference between the two is what telemetry costs.
func BenchmarkRequest(b *testing.B) {
	for _, tc := range []struct {
		name   string
		tracer trace.TracerProvider
		meter  metric.MeterProvider
	}{
		{"telemetry=off", tracenoop.NewTracerProvider(), metricnoop.NewMeterProvider()},
		{"telemetry=all", sdktrace.NewTracerProvider(sdktrace.WithBatcher(discard{})),
			sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()), sdkmetric.WithView(instruments.Views(telemetry.Gateway())...))},
	} {
		b.Run(tc.name, func(b *testing.B) {
			up := serve(b, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
			metrics, err := instruments.NewGateway(tc.meter.Meter(gatewaytelemetry.Scope), func() instruments.GatewayState { return instruments.GatewayState{} })
			if err != nil {
				b.Fatal(err)
			}
			registry := upstream.NewRegistry(time.Now)
			defer registry.Close()
			h := proxy.New(proxy.Settings{Tracer: tc.tracer, Metrics: metrics, Logger: slog.New(slog.DiscardHandler)},
				build(b, registry, "upstreams: { up: { endpoints: [\""+up+"\"] } }\nroutes: [{ name: all, match: { path: \"/{rest...}\" }, upstream: up }]"))
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/a/b", nil))
				if w.Code != http.StatusOK {
					b.Fatalf("status %d", w.Code)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			if tp, ok := tc.tracer.(*sdktrace.TracerProvider); ok {
				if err := tp.Shutdown(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
