package traffic

import (
	"bytes"
	"math"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The figures that the benchmark's results are stated for.
func TestTrafficIsAsDescribed(t *testing.T) {
	const requests = 64
	s := NewStream(Settings{Seed: 1, Requests: requests})
	var spans, attributes, pairs, touched int
	traces := map[pcommon.TraceID]int{}
	roots := 0
	for range requests {
		td := decode(t, s.Next())
		if got := td.ResourceSpans().Len(); got != 4 {
			t.Fatalf("%d ResourceSpans in a request, want 4", got)
		}
		spans += td.SpanCount()
		inRequest := map[pcommon.TraceID]bool{}
		for _, rs := range td.ResourceSpans().All() {
			if got := rs.Resource().Attributes().Len(); got != 12 {
				t.Fatalf("%d resource attributes, want 12", got)
			}
			inResource := map[pcommon.TraceID]bool{}
			for _, span := range rs.ScopeSpans().At(0).Spans().All() {
				attributes += span.Attributes().Len()
				traces[span.TraceID()]++
				inRequest[span.TraceID()] = true
				inResource[span.TraceID()] = true
				if span.ParentSpanID().IsEmpty() {
					roots++
				}
			}
			pairs += len(inResource)
		}
		touched += len(inRequest)
	}
	if spans != requests*SpansPerRequest {
		t.Errorf("%d spans, want %d", spans, requests*SpansPerRequest)
	}
	if roots != len(traces) {
		t.Errorf("%d roots in %d traces: every trace must be whole within a round", roots, len(traces))
	}
	n := float64(spans)
	near(t, "spans per trace", n/float64(len(traces)), SpansPerTrace, 0.06)
	near(t, "attributes per span", float64(attributes)/n, 9.6, 0.03)
	near(t, "bytes per span", s.BytesPerSpan(), 490, 0.03)
	near(t, "traces per request", float64(touched)/requests, 28, 0.1)
	near(t, "spans that share a trace and a resource", n/float64(pairs), 2.6, 0.1)
}

func TestRoundsShareShapeAndNoIdentity(t *testing.T) {
	const requests = 4
	s := NewStream(Settings{Seed: 7, Requests: requests})
	seen := map[pcommon.SpanID]bool{}
	paths := map[string]bool{}
	var first ptrace.Traces
	for i := range 3 * requests {
		td := decode(t, s.Next())
		each(td, func(span ptrace.Span) {
			if seen[span.SpanID()] {
				t.Fatalf("round %d: span id %s again", i/requests, span.SpanID())
			}
			seen[span.SpanID()] = true
			if v, ok := span.Attributes().Get("url.path"); ok {
				if paths[v.Str()] {
					t.Fatalf("round %d: url.path %s again", i/requests, v.Str())
				}
				paths[v.Str()] = true
			}
		})
		switch i {
		case 0:
			first = td
		case requests:
			sameShape(t, first, td)
		}
	}
}

func TestParentsExist(t *testing.T) {
	const requests = 8
	s := NewStream(Settings{Seed: 3, Requests: requests})
	type key struct {
		trace pcommon.TraceID
		span  pcommon.SpanID
	}
	var spans []ptrace.Span
	known := map[key]bool{}
	for range requests {
		each(decode(t, s.Next()), func(span ptrace.Span) {
			spans = append(spans, span)
			known[key{span.TraceID(), span.SpanID()}] = true
			if span.EndTimestamp() < span.StartTimestamp() {
				t.Errorf("span %s ends before it starts", span.SpanID())
			}
		})
	}
	for _, span := range spans {
		if parent := span.ParentSpanID(); !parent.IsEmpty() && !known[key{span.TraceID(), parent}] {
			t.Fatalf("span %s: parent %s is not in its trace", span.SpanID(), parent)
		}
	}
}

func TestUnrepeatedTrafficRepeatsOnlyKeys(t *testing.T) {
	const requests = 4
	s := NewStream(Settings{Seed: 5, Requests: requests, Unrepeated: true})
	seen := map[any]string{}
	for range 2 * requests {
		each(decode(t, s.Next()), func(span ptrace.Span) {
			if seen[span.Name()] != "" {
				t.Fatalf("span name %q again", span.Name())
			}
			seen[span.Name()] = "name"
			for k, v := range span.Attributes().All() {
				if v.Type() == pcommon.ValueTypeBool || v.AsString() == WatchedTenant {
					continue
				}
				if at := seen[v.AsRaw()]; at != "" {
					t.Fatalf("%s: value %v again, first in %s", k, v.AsRaw(), at)
				}
				seen[v.AsRaw()] = k
			}
		})
	}
}

func TestSeedDecidesTheStream(t *testing.T) {
	a, b, c := NewStream(Settings{Seed: 1, Requests: 2}), NewStream(Settings{Seed: 1, Requests: 2}), NewStream(Settings{Seed: 2, Requests: 2})
	for range 4 {
		x, y, z := a.Next(), b.Next(), c.Next()
		if !bytes.Equal(x, y) {
			t.Fatal("one seed gave two streams")
		}
		if bytes.Equal(x, z) {
			t.Fatal("two seeds gave one stream")
		}
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	for _, unrepeated := range []bool{false, true} {
		s := NewStream(Settings{Seed: 1, Requests: 2, Unrepeated: unrepeated})
		if n := testing.AllocsPerRun(10, func() { s.Next() }); n != 0 {
			t.Errorf("unrepeated=%v: %v allocations per request", unrepeated, n)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	s := NewStream(Settings{Seed: 1, Requests: 64})
	for b.Loop() {
		s.Next()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*SpansPerRequest), "ns/span")
}

func decode(t *testing.T, body []byte) ptrace.Traces {
	t.Helper()
	var u ptrace.ProtoUnmarshaler
	td, err := u.UnmarshalTraces(body)
	if err != nil {
		t.Fatal(err)
	}
	return td
}

func each(td ptrace.Traces, do func(ptrace.Span)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				do(span)
			}
		}
	}
}

func sameShape(t *testing.T, a, b ptrace.Traces) {
	t.Helper()
	var left, right []ptrace.Span
	each(a, func(s ptrace.Span) { left = append(left, s) })
	each(b, func(s ptrace.Span) { right = append(right, s) })
	if len(left) != len(right) {
		t.Fatalf("%d spans, then %d", len(left), len(right))
	}
	for i, l := range left {
		r := right[i]
		if l.Name() != r.Name() || l.Attributes().Len() != r.Attributes().Len() || l.Status().Code() != r.Status().Code() {
			t.Fatalf("span %d changed its shape: %s, then %s", i, l.Name(), r.Name())
		}
		if l.TraceID() == r.TraceID() || r.StartTimestamp() <= l.StartTimestamp() {
			t.Fatalf("span %d kept its trace or its time", i)
		}
	}
}

func near(t *testing.T, what string, got, want, share float64) {
	t.Helper()
	if math.Abs(got-want) > share*want {
		t.Errorf("%s: %.2f, want %.2f within %.0f %%", what, got, want, 100*share)
	}
}
