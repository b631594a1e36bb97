package tracelog

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// shopTraffic is 256 spans below 4 resources of 12 attributes, each span with 10 attributes of which unique are new in
// every span: about 490 bytes per span as protobuf.
func shopTraffic(r *rand.Rand, unique int) ptrace.Traces {
	td := ptrace.NewTraces()
	traces := make([]pcommon.TraceID, 28)
	for i := range traces {
		for j := range traces[i] {
			traces[i][j] = byte(r.Uint32())
		}
	}
	for s := range 4 {
		rs := td.ResourceSpans().AppendEmpty()
		for a := range 12 {
			rs.Resource().Attributes().PutStr(fmt.Sprintf("resource.attribute.%d", a), fmt.Sprintf("service-%d-value-%d", s, a))
		}
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp")
		for range 64 {
			span := ss.Spans().AppendEmpty()
			span.SetTraceID(traces[r.IntN(len(traces))])
			var id [8]byte
			for j := range id {
				id[j] = byte(r.Uint32())
			}
			span.SetSpanID(id)
			span.SetParentSpanID(id)
			span.SetName(fmt.Sprintf("GET /api/v1/route/%d", r.IntN(30)))
			span.SetKind(ptrace.SpanKindServer)
			start := 1_700_000_000_000_000_000 + r.Uint64N(5_000_000_000)
			span.SetStartTimestamp(pcommon.Timestamp(start))
			span.SetEndTimestamp(pcommon.Timestamp(start + r.Uint64N(1_000_000_000)))
			for a := range 9 - unique {
				span.Attributes().PutStr(fmt.Sprintf("http.some.attribute.%d", a), fmt.Sprintf("value-%d-%d", a, r.IntN(20)))
			}
			for a := range unique {
				span.Attributes().PutStr(fmt.Sprintf("unique.attribute.%d", a), fmt.Sprintf("%016x", r.Uint64()))
			}
			span.Attributes().PutInt("http.response.status_code", 200+r.Int64N(5))
		}
	}
	return td
}

func BenchmarkAppend(b *testing.B) {
	for _, unique := range []int{0, 2, 9} {
		b.Run(fmt.Sprintf("unique=%d", unique), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			requests := make([]ptrace.Traces, 200)
			wire := 0
			for i := range requests {
				requests[i] = shopTraffic(r, unique)
				wire += (&ptrace.ProtoMarshaler{}).TracesSize(requests[i])
			}
			l := New(Settings{Store: &heap{}, Marker: marks{}})
			sums := NewSums()
			heads := map[pcommon.TraceID]Pos{}
			b.ReportAllocs()
			spans, stored := 0, int64(0)
			for i := 0; b.Loop(); i++ {
				before := l.bytes
				for _, rs := range requests[i%len(requests)].ResourceSpans().All() {
					res := sums.Resource(rs)
					for _, ss := range rs.ScopeSpans().All() {
						sc := sums.Scope(&res, ss)
						for _, span := range ss.Spans().All() {
							a, err := l.Append(1_700_000_000_000_000_000, &sc, heads[span.TraceID()], span)
							if err != nil {
								b.Fatal(err)
							}
							_ = a
							spans++
						}
					}
				}
				stored += l.bytes - before
				if l.Segments() > 8 {
					l.Reclaim(l.End(), 1<<20)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(spans), "ns/span")
			b.ReportMetric(float64(stored)/float64(spans), "B/span")
			b.ReportMetric(float64(wire)/float64(len(requests)*256), "wireB/span")
		})
	}
}
