package span_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
)

// BenchmarkRequest is the spans of one request, from attributes to bytes ready to be sent; the sender discards them. The
// SDK's side does the same with its batcher, its transform and protobuf's marshaller.
func BenchmarkRequest(b *testing.B) {
	b.Run("impl=own", func(b *testing.B) {
		e := span.Start(span.Settings{Resource: testResource, Sender: sendFunc(func(context.Context, []byte) (int64, error) { return 0, nil })})
		l := newLoad()
		b.ReportAllocs()
		for b.Loop() {
			l.request(e)
		}
		report(b, e)
	})
	b.Run("impl=own/parallel", func(b *testing.B) {
		// All processors make spans as fast as they can, so a sender waits 10 ms for its turn; 1 s of them is enough room.
		e := span.Start(span.Settings{Resource: testResource, MaxBytes: 1 << 30, Sender: sendFunc(func(context.Context, []byte) (int64, error) { return 0, nil })})
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			l := newLoad()
			l.n = uint32(time.Now().UnixNano())
			for pb.Next() {
				l.request(e)
			}
		})
		report(b, e)
	})
	b.Run("impl=sdk", func(b *testing.B) {
		exporter, err := otlptrace.New(b.Context(), marshalling{})
		if err != nil {
			b.Fatal(err)
		}
		provider := sdktrace.NewTracerProvider(sdktrace.WithResource(testResource), sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()))
		tracer := provider.Tracer("bench")
		b.ReportAllocs()
		for b.Loop() {
			requestBySDK(context.Background(), tracer)
		}
		if err := provider.Shutdown(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
}

func report(b *testing.B, e *span.Exporter) {
	if err := e.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
	s := e.Stats()
	b.ReportMetric(float64(s.Exported)/float64(max(b.N, 1)), "spans/op")
	b.ReportMetric(float64(s.DroppedQueueFull)/float64(max(s.Recorded, 1)), "dropped/span")
}

type marshalling struct{}

func (marshalling) Start(context.Context) error { return nil }
func (marshalling) Stop(context.Context) error  { return nil }
func (marshalling) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	_, err := proto.Marshal(&coltracepb.ExportTraceServiceRequest{ResourceSpans: spans})
	return err
}

// requestBySDK does what load.request does and returns the contexts of both spans.
func requestBySDK(ctx context.Context, tracer trace.Tracer) (server, client context.Context) {
	server, s := tracer.Start(ctx, "GET /api/items/{id}", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", "GET"), attribute.String("http.route", "/api/items/{id}"), attribute.String("url.scheme", "http"),
		attribute.String("network.protocol.version", "1.1"), attribute.String("gateway.upstream", "items"), attribute.String("url.path", "/api/items/7"),
		attribute.String("server.address", "shop.example.com"), attribute.Int("server.port", 80), attribute.String("client.address", "192.168.17.23"),
		attribute.String("network.peer.address", "192.168.17.23"), attribute.Int("network.peer.port", 51234),
		attribute.String("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")))
	client, a := tracer.Start(server, "GET", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("gateway.upstream", "items"), attribute.String("server.address", "10.0.0.17"), attribute.Int("server.port", 8080),
		attribute.String("http.request.method", "GET"), attribute.String("url.full", "http://10.0.0.17:8080/api/items/7")))
	a.SetAttributes(attribute.Int("http.response.status_code", 200), attribute.String("network.protocol.version", "1.1"))
	a.End()
	s.SetAttributes(attribute.Int("http.response.status_code", 200))
	s.End()
	return server, client
}
