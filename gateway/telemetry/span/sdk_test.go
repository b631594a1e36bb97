package span_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
)

var (
	testResource = resource.NewWithAttributes("https://opentelemetry.io/schemas/1.37.0",
		attribute.String("service.name", "gateway"), attribute.Int("process.pid", 7), attribute.StringSlice("tags", []string{"a", ""}))
	testScope = instrumentation.Scope{Name: "test/scope", Version: "v1", SchemaURL: "https://example.com/schema",
		Attributes: attribute.NewSet(attribute.Bool("b", false), attribute.String("a", "x"))}
)

// decoded is a Sender that decodes one request by the official types.
type decoded struct {
	coltracepb.ExportTraceServiceRequest
}

func (d *decoded) Send(_ context.Context, request []byte) (int64, error) {
	return 0, proto.Unmarshal(request, &d.ExportTraceServiceRequest)
}

// sdkClient takes what the SDK's exporter would put on the wire.
type sdkClient struct{ got []*tracepb.ResourceSpans }

func (c *sdkClient) Start(context.Context) error { return nil }
func (c *sdkClient) Stop(context.Context) error  { return nil }
func (c *sdkClient) UploadTraces(_ context.Context, spans []*tracepb.ResourceSpans) error {
	c.got = append(c.got, spans...)
	return nil
}

// scenario is one span, told to both sides.
type scenario struct {
	name   string
	kind   trace.SpanKind
	header []string // the client's trace context
	trust  tracecontext.Trust
	static [][]attribute.KeyValue // blocks, which both sides set first
	attrs  []attribute.KeyValue
	events []event
	status codes.Code
	text   string
	took   time.Duration
}

type event struct {
	name  string
	after time.Duration
	attrs []attribute.KeyValue
}

var everyType = []attribute.KeyValue{
	attribute.String("string", "żółw"), attribute.String("empty", ""), attribute.Int("zero", 0), attribute.Int64("negative", -1), attribute.Int64("max", 1<<62),
	attribute.Float64("float", 1.5), attribute.Float64("float zero", 0), attribute.Bool("true", true), attribute.Bool("false", false),
	attribute.StringSlice("strings", []string{"a", "", "c"}), attribute.IntSlice("ints", []int{-1, 0, 300}), attribute.Float64Slice("floats", []float64{0, -2.5}),
	attribute.BoolSlice("bools", []bool{true, false}), attribute.StringSlice("none", nil),
	attribute.ByteSlice("bytes", []byte{0, 255}),
	attribute.Slice("mixed", attribute.IntValue(1), attribute.StringValue("two"), attribute.SliceValue(attribute.BoolValue(true))),
	attribute.Map("map", attribute.String("k", "v"), attribute.Map("inner", attribute.Int("n", 0))),
}

func scenarios() []scenario {
	parent := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	server := []attribute.KeyValue{attribute.String("http.request.method", "GET"), attribute.String("url.scheme", "http"), attribute.String("http.route", "/api/items/{id}")}
	return []scenario{
		{name: "GET", kind: trace.SpanKindServer},
		{name: "GET /api/items/{id}", kind: trace.SpanKindServer, static: [][]attribute.KeyValue{server, {attribute.String("gateway.upstream", "items")}},
			attrs: []attribute.KeyValue{attribute.String("url.path", "/api/items/7"), attribute.Int("http.response.status_code", 200)}, took: 3 * time.Millisecond},
		{name: "remote parent", kind: trace.SpanKindServer, header: []string{"traceparent", parent, "tracestate", "a=1,b=2"}, took: time.Nanosecond},
		{name: "link", kind: trace.SpanKindServer, header: []string{"traceparent", parent[:53] + "00"}, trust: tracecontext.Link},
		{name: "POST", kind: trace.SpanKindClient, status: codes.Error, text: "dial tcp: refused", attrs: []attribute.KeyValue{attribute.String("error.type", "connect")}},
		{name: "ok has no text", kind: trace.SpanKindInternal, status: codes.Ok, text: "left out"},
		{name: "error without text", kind: trace.SpanKindProducer, status: codes.Error},
		{name: "every type", kind: trace.SpanKindConsumer, static: [][]attribute.KeyValue{everyType[:7]}, attrs: everyType[7:]},
		{name: "events", kind: trace.SpanKindClient, attrs: server, events: []event{
			{name: "dns", after: time.Millisecond, attrs: []attribute.KeyValue{attribute.String("host", "example.com"), attribute.Int("n", 2)}},
			{name: "connect", after: 2 * time.Millisecond}, {name: "first byte", after: 3 * time.Millisecond, attrs: everyType}}},
		{name: "long keys and values", kind: trace.SpanKindServer, attrs: longAttributes()},
		{name: "five blocks", kind: trace.SpanKindServer, static: [][]attribute.KeyValue{
			{attribute.Int("a", 1)}, {attribute.Int("b", 1)}, {attribute.Int("c", 1)}, {attribute.Int("d", 1)}, {attribute.Int("e", 1)}}},
	}
}

// longAttributes has keys and values around the lengths at which a length takes one byte more.
func longAttributes() (attrs []attribute.KeyValue) {
	for n := range 12 {
		key := strings.Repeat("k", 32+n)
		attrs = append(attrs, attribute.String(key, strings.Repeat("v", 85)), attribute.String(key+"/", strings.Repeat("v", 16_280+10*n)),
			attribute.Int(strings.Repeat("i", 112+n), 1<<n), attribute.Int("j"+strings.Repeat("i", 112+n), -n))
	}
	return attrs
}

// TestLikeTheSDK records the same spans with OpenTelemetry's SDK and here, and compares what goes over the wire.
func TestLikeTheSDK(t *testing.T) {
	for _, sc := range scenarios() {
		t.Run(sc.name, func(t *testing.T) {
			start := time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
			c := tracecontext.New(tracecontext.Settings{Trust: sc.trust}).Begin(httpHeader(sc.header))
			want := recordBySDK(t, sc, &c, start)

			sender := &decoded{}
			e := span.Start(span.Settings{Resource: testResource, Scope: testScope, Sender: sender})
			var r span.Record
			record(&r, sc, c, start)
			e.End(&r, start.Add(sc.took))
			shutdown(t, e)

			got := sender.ResourceSpans
			if len(got) != 1 || len(want) != 1 || !proto.Equal(got[0], want[0]) {
				t.Errorf("got  %s\nwant %s", prototext.Format(got[0]), prototext.Format(want[0]))
			}
		})
	}
}

func record(r *span.Record, sc scenario, c tracecontext.Context, start time.Time) {
	r.Begin(c, sc.kind, "renamed below", start)
	r.SetName(sc.name)
	for _, attrs := range sc.static {
		r.Block(span.NewBlock(attrs...))
	}
	for _, kv := range sc.attrs {
		switch kv.Value.Type() {
		case attribute.STRING:
			r.Str(span.NewKey(string(kv.Key)), kv.Value.AsString())
		case attribute.INT64:
			r.Int(span.NewKey(string(kv.Key)), int(kv.Value.AsInt64()))
		case attribute.BOOL:
			r.Bool(span.NewKey(string(kv.Key)), kv.Value.AsBool())
		default:
			r.Attribute(kv)
		}
	}
	for _, ev := range sc.events {
		r.Event(ev.name, start.Add(ev.after), ev.attrs...)
	}
	r.SetStatus(sc.status, sc.text)
}

// sameIDs makes the SDK use the ids of a context.
type sameIDs struct{ c *tracecontext.Context }

func (g sameIDs) NewIDs(context.Context) (trace.TraceID, trace.SpanID) {
	return g.c.TraceID, g.c.SpanID
}
func (g sameIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return g.c.SpanID }

func recordBySDK(t *testing.T, sc scenario, c *tracecontext.Context, start time.Time) []*tracepb.ResourceSpans {
	t.Helper()
	client := &sdkClient{}
	exporter, err := otlptrace.New(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(testResource), sdktrace.WithSyncer(exporter), sdktrace.WithIDGenerator(sameIDs{c}))
	tracer := provider.Tracer(testScope.Name, trace.WithInstrumentationVersion(testScope.Version), trace.WithSchemaURL(testScope.SchemaURL),
		trace.WithInstrumentationAttributes(testScope.Attributes.ToSlice()...))
	ctx := t.Context()
	if c.Parent.IsValid() {
		state, err := trace.ParseTraceState(c.State)
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: c.TraceID, SpanID: c.Parent, TraceFlags: c.Flags, TraceState: state}))
		if err != nil {
			t.Fatal(err)
		}
	}
	opts := []trace.SpanStartOption{trace.WithTimestamp(start), trace.WithSpanKind(sc.kind)}
	if c.Linked() {
		opts = append(opts, trace.WithLinks(trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: c.LinkTraceID, SpanID: c.LinkSpanID, TraceFlags: c.LinkFlags, Remote: true})}))
	}
	_, s := tracer.Start(ctx, sc.name, opts...)
	for _, attrs := range sc.static {
		s.SetAttributes(attrs...)
	}
	s.SetAttributes(sc.attrs...)
	for _, ev := range sc.events {
		s.AddEvent(ev.name, trace.WithTimestamp(start.Add(ev.after)), trace.WithAttributes(ev.attrs...))
	}
	s.SetStatus(sc.status, sc.text)
	s.End(trace.WithTimestamp(start.Add(sc.took)))
	if err := errors.Join(provider.ForceFlush(t.Context()), provider.Shutdown(t.Context())); err != nil {
		t.Fatal(err)
	}
	return client.got
}
