package span_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/cell"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/cell/httpcells"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

// BenchmarkWholeRequest is all telemetry of one request with one attempt: its context read and written, both spans
// encoded, all metrics of the contract recorded with exemplars. The request comes with a traceparent; sampled=false is
// metrics and propagation alone.
func BenchmarkWholeRequest(b *testing.B) {
	for name, flags := range map[string]string{"sampled=true": "01", "sampled=false": "00"} {
		in := http.Header{"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" + flags}}
		b.Run(name+"/impl=own", func(b *testing.B) { wholeByOwn(b, in) })
		b.Run(name+"/impl=sdk", func(b *testing.B) { wholeBySDK(b, in) })
	}
}

var (
	serverKey       = instruments.ServerRequest{Method: "GET", Route: "/api/items/{id}", Status: 200, Scheme: "http", Protocol: "1.1"}
	serverActiveKey = instruments.ServerActive{Method: "GET", Scheme: "http"}
	clientKey       = instruments.ClientRequest{Method: "GET", Status: 200, Upstream: "items", Address: "10.0.0.17", Port: 8080, Protocol: "1.1"}
	clientActiveKey = instruments.ClientActive{Upstream: "items", Address: "10.0.0.17", Port: 8080}
)

func wholeByOwn(b *testing.B, in http.Header) {
	e := span.Start(span.Settings{Resource: testResource, Sender: sendFunc(func(context.Context, []byte) (int64, error) { return 0, nil })})
	cells := httpcells.New(cell.NewRegistry(testScope, metricdata.CumulativeTemporality, time.Now))
	trying := cells.ClientActive(clientActiveKey) // kept by the endpoint
	l, out := newLoad(), http.Header{}
	var took time.Duration
	b.ReportAllocs()
	for b.Loop() {
		took = took*7%200_000_000 + time.Millisecond
		l.root = l.policy.Begin(in)
		active := cells.ServerActive(serverActiveKey)
		active.Add(1)
		child := l.root.Child()
		child.Inject(out)
		trying.Add(1)

		l.request(e)

		var server, client *cell.Exemplar
		if l.root.Sampled() {
			server = &cell.Exemplar{At: l.start, TraceID: l.root.TraceID, SpanID: l.root.SpanID}
			client = &cell.Exemplar{At: l.start, TraceID: l.root.TraceID, SpanID: child.SpanID}
		}
		trying.Add(-1)
		cells.ClientRequest(clientKey, took, client)
		active.Add(-1)
		cells.ServerRequest(serverKey, took, 0, 1024, server)
	}
	report(b, e)
}

func wholeBySDK(b *testing.B, in http.Header) {
	exporter, err := otlptrace.New(b.Context(), marshalling{})
	if err != nil {
		b.Fatal(err)
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithResource(testResource), sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()))
	tracer := traces.Tracer("bench")
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()), sdkmetric.WithView(instruments.Views(telemetry.Gateway())...))
	g, err := instruments.NewGateway(metrics.Meter("bench"), func() instruments.GatewayState { return instruments.GatewayState{} })
	if err != nil {
		b.Fatal(err)
	}
	var propagator propagation.TraceContext
	out := http.Header{}
	var took time.Duration
	b.ReportAllocs()
	for b.Loop() {
		took = took*7%200_000_000 + time.Millisecond
		ctx := propagator.Extract(context.Background(), propagation.HeaderCarrier(in))
		sctx, cctx := requestBySDK(ctx, tracer)
		propagator.Inject(cctx, propagation.HeaderCarrier(out))
		g.ServerActive(sctx, serverActiveKey, 1)
		g.ClientActive(cctx, clientActiveKey, 1)
		g.ClientActive(cctx, clientActiveKey, -1)
		g.ClientRequest(cctx, clientKey, took)
		g.ServerActive(sctx, serverActiveKey, -1)
		g.ServerRequest(sctx, serverKey, took, 0, 1024)
	}
	for _, stop := range []func(context.Context) error{traces.Shutdown, metrics.Shutdown} {
		if err := stop(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
