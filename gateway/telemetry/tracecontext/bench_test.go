package tracecontext_test

import (
	"context"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
)

// BenchmarkContinue is the propagation of one request with one attempt: read the client's context, make ids for both
// spans, write the attempt's header. The SDK's side leaves its spans unsampled so that only propagation is measured.
func BenchmarkContinue(b *testing.B) {
	h := header("traceparent", remoteParent[:53]+"00")
	b.Run("impl=own/write=append", func(b *testing.B) {
		p, buf := tracecontext.New(tracecontext.Settings{B3: true}), make([]byte, 0, 64)
		b.ReportAllocs()
		for b.Loop() {
			c := p.Begin(h)
			child := c.Child()
			buf = child.AppendTraceparent(buf[:0])
		}
	})
	b.Run("impl=own/write=header", func(b *testing.B) {
		p, out := tracecontext.New(tracecontext.Settings{B3: true}), header()
		b.ReportAllocs()
		for b.Loop() {
			c := p.Begin(h)
			child := c.Child()
			child.Inject(out)
		}
	})
	b.Run("impl=sdk", func(b *testing.B) {
		tracer := sdktrace.NewTracerProvider().Tracer("bench")
		var propagator propagation.TraceContext
		out := header()
		b.ReportAllocs()
		for b.Loop() {
			ctx := propagator.Extract(context.Background(), propagation.HeaderCarrier(h))
			ctx, _ = tracer.Start(ctx, "GET /a", trace.WithSpanKind(trace.SpanKindServer))
			ctx, _ = tracer.Start(ctx, "GET", trace.WithSpanKind(trace.SpanKindClient))
			propagator.Inject(ctx, propagation.HeaderCarrier(out))
		}
	})
}

func BenchmarkBegin(b *testing.B) {
	p := tracecontext.New(tracecontext.Settings{})
	for name, h := range map[string]http.Header{
		"root": header(), "continue": header("traceparent", remoteParent), "state": header("traceparent", remoteParent, "tracestate", "a=1,b=2"),
	} {
		b.Run("header="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = p.Begin(h)
			}
		})
	}
}

// BenchmarkSpanContext is what it costs to let ordinary OpenTelemetry code nest.
func BenchmarkSpanContext(b *testing.B) {
	c := tracecontext.New(tracecontext.Settings{}).Begin(nil)
	b.ReportAllocs()
	for b.Loop() {
		_ = trace.ContextWithSpanContext(context.Background(), c.SpanContext())
	}
}
