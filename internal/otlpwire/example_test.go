package otlpwire_test

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// Example keeps the spans of a request that failed and sends them on as they came.
func Example() {
	var request []byte
	for rs := range incoming().ResourceSpans() {
		var groups []byte
		for ss := range rs.Scopes() {
			var spans []byte
			var s otlpwire.Span
			for raw := range ss.Spans() {
				if s.Decode(raw); s.Status == int32(ptrace.StatusCodeError) {
					spans = otlpwire.AppendBytes(spans, otlpwire.ScopeSpansSpans, raw)
				}
			}
			var m otlpwire.Mark
			groups, m = otlpwire.Begin(groups, otlpwire.ResourceSpansScopes, len(spans))
			groups = append(groups, spans...)
			groups = otlpwire.AppendBytes(groups, otlpwire.ScopeSpansScope, ss.Scope)
			groups = otlpwire.End(groups, m)
		}
		var m otlpwire.Mark
		request, m = otlpwire.Begin(request, otlpwire.RequestResourceSpans, len(groups)+len(rs.Resource))
		request = append(request, groups...)
		request = otlpwire.AppendBytes(request, otlpwire.ResourceSpansResource, rs.Resource)
		request = otlpwire.End(request, m)
	}

	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	rs := td.ResourceSpans().At(0)
	for _, s := range rs.ScopeSpans().At(0).Spans().All() {
		fmt.Println(s.Name(), rs.Resource().Attributes().AsRaw())
	}
	// Output: charge map[service.name:checkout]
}

func incoming() otlpwire.Request {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "checkout")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Spans().AppendEmpty().SetName("list")
	failed := ss.Spans().AppendEmpty()
	failed.SetName("charge")
	failed.Status().SetCode(ptrace.StatusCodeError)
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		panic(err)
	}
	req, err := otlpwire.Parse(body, otlpwire.DefaultLimits)
	if err != nil {
		panic(err)
	}
	return req
}
