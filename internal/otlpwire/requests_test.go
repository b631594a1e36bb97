package otlpwire_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// marshal returns td as the Collector's exporters send it.
func marshal(t testing.TB, td ptrace.Traces) []byte {
	t.Helper()
	b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ordinary returns a request like those of a busy service: groups ResourceSpans with spans spans in all, about 490
// bytes each, 10 attributes per span and 12 per resource.
func ordinary(groups, spans int) ptrace.Traces {
	rnd := rand.New(rand.NewPCG(1, 2))
	td := ptrace.NewTraces()
	for g := range groups {
		rs := td.ResourceSpans().AppendEmpty()
		rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.26.0")
		res := rs.Resource().Attributes()
		res.PutStr("service.name", fmt.Sprintf("checkout-%d", g))
		for i := range 11 {
			res.PutStr(fmt.Sprintf("k8s.resource.attribute.%02d", i), fmt.Sprintf("value-of-it-%d-%d", g, i))
		}
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp")
		ss.Scope().SetVersion("0.61.0")
		for range spans / groups {
			ordinarySpan(rnd, ss.Spans().AppendEmpty())
		}
	}
	return td
}

func ordinarySpan(rnd *rand.Rand, s ptrace.Span) {
	var trace pcommon.TraceID
	binary.BigEndian.PutUint64(trace[:], rnd.Uint64())
	binary.BigEndian.PutUint64(trace[8:], rnd.Uint64())
	s.SetTraceID(trace)
	s.SetSpanID(pcommon.SpanID(trace[4:12]))
	s.SetParentSpanID(pcommon.SpanID(trace[3:11]))
	s.SetName("HTTP GET /api/cart/items/{id}")
	s.SetKind(ptrace.SpanKindServer)
	s.SetFlags(0x101)
	s.SetStartTimestamp(pcommon.Timestamp(1_700_000_000_000_000_000 + rnd.Uint64N(1e12)))
	s.SetEndTimestamp(s.StartTimestamp() + pcommon.Timestamp(rnd.Uint64N(1e9)))
	s.Status().SetCode(ptrace.StatusCodeOk)
	a := s.Attributes()
	a.PutStr("http.request.method", "GET")
	a.PutStr("url.path", fmt.Sprintf("/api/cart/items/%d", rnd.Uint32()))
	a.PutStr("http.route", "/api/cart/items/{id}")
	a.PutInt("http.response.status_code", 200)
	a.PutStr("server.address", "checkout.shop.svc.cluster.local")
	a.PutInt("server.port", 8080)
	a.PutStr("client.address", "10.4.17.203")
	a.PutStr("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)")
	a.PutBool("app.cache.hit", true)
	a.PutStr("network.protocol.version", "1.1")
}

// odd returns a request that uses everything OTLP traces have, at random, including what nobody sends.
func odd(rnd *rand.Rand) ptrace.Traces {
	td := ptrace.NewTraces()
	for range rnd.IntN(4) {
		rs := td.ResourceSpans().AppendEmpty()
		rs.SetSchemaUrl(word(rnd))
		oddMap(rnd, rs.Resource().Attributes(), 3)
		rs.Resource().SetDroppedAttributesCount(count(rnd))
		for range rnd.IntN(3) {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.SetSchemaUrl(word(rnd))
			ss.Scope().SetName(word(rnd))
			ss.Scope().SetVersion(word(rnd))
			ss.Scope().SetDroppedAttributesCount(count(rnd))
			oddMap(rnd, ss.Scope().Attributes(), 2)
			for range rnd.IntN(4) {
				oddSpan(rnd, ss.Spans().AppendEmpty())
			}
		}
	}
	return td
}

func oddSpan(rnd *rand.Rand, s ptrace.Span) {
	if rnd.IntN(4) > 0 {
		s.SetTraceID(pcommon.TraceID{15: byte(rnd.Uint32()), 0: 1})
		s.SetSpanID(pcommon.SpanID{7: byte(rnd.Uint32()), 0: 1})
		s.SetParentSpanID(pcommon.SpanID{7: byte(rnd.Uint32())})
	}
	s.TraceState().FromRaw(word(rnd))
	s.SetName(word(rnd))
	s.SetFlags(count(rnd))
	s.SetKind(ptrace.SpanKind(int32(rnd.IntN(8)) - 2))
	s.SetStartTimestamp(pcommon.Timestamp(count(rnd)))
	s.SetEndTimestamp(pcommon.Timestamp(rnd.Uint64()))
	s.Status().SetCode(ptrace.StatusCode(int32(rnd.IntN(5)) - 1))
	s.Status().SetMessage(word(rnd))
	s.SetDroppedAttributesCount(count(rnd))
	s.SetDroppedEventsCount(count(rnd))
	s.SetDroppedLinksCount(count(rnd))
	oddMap(rnd, s.Attributes(), 3)
	for range rnd.IntN(3) {
		e := s.Events().AppendEmpty()
		e.SetName(word(rnd))
		e.SetTimestamp(pcommon.Timestamp(count(rnd)))
		e.SetDroppedAttributesCount(count(rnd))
		oddMap(rnd, e.Attributes(), 1)
	}
	for range rnd.IntN(3) {
		l := s.Links().AppendEmpty()
		l.SetTraceID(pcommon.TraceID{3: byte(count(rnd))})
		l.SetSpanID(pcommon.SpanID{3: byte(count(rnd))})
		l.TraceState().FromRaw(word(rnd))
		l.SetFlags(count(rnd))
		l.SetDroppedAttributesCount(count(rnd))
		oddMap(rnd, l.Attributes(), 1)
	}
}

func oddMap(rnd *rand.Rand, m pcommon.Map, depth int) {
	for range rnd.IntN(6) {
		oddValue(rnd, m.PutEmpty(word(rnd)), depth)
	}
}

func oddValue(rnd *rand.Rand, v pcommon.Value, depth int) {
	kinds := 8
	if depth == 0 {
		kinds = 6
	}
	switch rnd.IntN(kinds) {
	case 0:
		v.SetStr(word(rnd))
	case 1:
		v.SetInt(int64(count(rnd)) - 2)
	case 2:
		v.SetDouble(rnd.NormFloat64())
	case 3:
		v.SetBool(rnd.IntN(2) == 0)
	case 4:
		v.SetEmptyBytes().FromRaw([]byte(word(rnd)))
	case 5: // stays empty
	case 6:
		oddMap(rnd, v.SetEmptyMap(), depth-1)
	case 7:
		s := v.SetEmptySlice()
		for range rnd.IntN(4) {
			oddValue(rnd, s.AppendEmpty(), depth-1)
		}
	}
}

// word returns a string whose length is often 0 and sometimes needs a two-byte varint.
func word(rnd *rand.Rand) string {
	const letters = "the quick brown fox jumps over the lazy dog, \xff\x00 and on it went"
	switch n := rnd.IntN(12); n {
	case 0, 1:
		return ""
	case 2:
		return letters + letters + letters
	default:
		return letters[n : n+rnd.IntN(20)]
	}
}

func count(rnd *rand.Rand) uint32 {
	return []uint32{0, 1, 127, 128, 1 << 20, 1<<32 - 1}[rnd.IntN(6)]
}
