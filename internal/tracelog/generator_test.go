package tracelog

import (
	"math"
	"math/rand/v2"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/entity"
)

// generator makes traces with everything that pdata can hold.
type generator struct{ *rand.Rand }

func (g *generator) word() string {
	return []string{"", "a", "bb", "GET /users/{id}", "http.route", "ü", strings.Repeat("long", 60)}[g.IntN(7)]
}

func (g *generator) odd64() uint64 {
	return []uint64{0, 1, math.MaxUint64, math.MaxInt64, 1_700_000_000_000_000_000, g.Uint64()}[g.IntN(6)]
}

func (g *generator) traces() ptrace.Traces {
	td := ptrace.NewTraces()
	for range 1 + g.IntN(3) {
		rs := td.ResourceSpans().AppendEmpty()
		rs.SetSchemaUrl(g.word())
		g.attributes(rs.Resource().Attributes(), 3)
		if g.IntN(4) == 0 {
			rs.Resource().SetDroppedAttributesCount(g.Uint32())
		}
		if g.IntN(8) == 0 {
			e := entity.ResourceEntityRefs(rs.Resource()).AppendEmpty()
			e.SetType("host")
			e.IdKeys().Append("host.id")
		}
		for range 1 + g.IntN(2) {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.SetSchemaUrl(g.word())
			ss.Scope().SetName(g.word())
			ss.Scope().SetVersion(g.word())
			g.attributes(ss.Scope().Attributes(), 2)
			for range g.IntN(20) {
				g.span(ss.Spans().AppendEmpty())
			}
		}
	}
	return g.twice(td)
}

// twice makes some attributes appear twice in one span, which only a decoder can do.
func (g *generator) twice(td ptrace.Traces) ptrace.Traces {
	b, _ := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	b = []byte(strings.ReplaceAll(string(b), "key3", "key2"))
	out, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
	if err != nil {
		panic(err)
	}
	return out
}

func (g *generator) span(s ptrace.Span) {
	if n := g.IntN(6); n > 0 {
		s.SetTraceID([16]byte{15: byte(n)})
	}
	if g.IntN(8) > 0 {
		s.SetSpanID(g.id())
	}
	if g.IntN(3) > 0 {
		s.SetParentSpanID(g.id())
	}
	s.SetName(g.word())
	start := g.odd64()
	s.SetStartTimestamp(pcommon.Timestamp(start))
	s.SetEndTimestamp(pcommon.Timestamp(start + g.odd64()))
	s.SetKind(ptrace.SpanKind([]int32{0, 1, 2, 3, 4, 5, 14, 15, 99, -1}[g.IntN(10)]))
	s.Status().SetCode(ptrace.StatusCode([]int32{0, 1, 2, 6, 7, -5}[g.IntN(6)]))
	if g.IntN(3) == 0 {
		s.Status().SetMessage(g.word())
		s.TraceState().FromRaw("ot=th:8;rv:" + g.word())
		s.SetFlags(g.Uint32())
	}
	if g.IntN(4) == 0 {
		s.SetDroppedAttributesCount(g.Uint32())
		s.SetDroppedEventsCount(g.Uint32N(2))
		s.SetDroppedLinksCount(g.Uint32N(2))
	}
	g.attributes(s.Attributes(), 8)
	for range max(0, g.IntN(6)-3) {
		e := s.Events().AppendEmpty()
		e.SetName(g.word())
		e.SetTimestamp(pcommon.Timestamp(g.odd64()))
		e.SetDroppedAttributesCount(g.Uint32N(3))
		g.attributes(e.Attributes(), 3)
	}
	for range max(0, g.IntN(6)-3) {
		l := s.Links().AppendEmpty()
		if g.IntN(3) > 0 {
			l.SetTraceID([16]byte{3})
			l.SetSpanID(g.id())
			l.SetFlags(g.Uint32N(300))
		}
		l.TraceState().FromRaw(g.word())
		l.SetDroppedAttributesCount(g.Uint32N(3))
		g.attributes(l.Attributes(), 3)
	}
}

func (g *generator) id() (id [8]byte) {
	for i := range id {
		id[i] = byte(g.Uint32())
	}
	return id
}

func (g *generator) attributes(m pcommon.Map, n int) {
	for range g.IntN(n + 1) {
		g.value(m.PutEmpty([]string{"", "key1", "key2", "key3", "http.request.method", "asked"}[g.IntN(6)]), 3)
	}
}

func (g *generator) value(v pcommon.Value, depth int) {
	switch g.IntN(9) {
	case 0, 1, 2:
		v.SetStr(g.word())
	case 3:
		v.SetInt(int64(g.odd64()))
	case 4:
		v.SetDouble([]float64{0, math.Copysign(0, -1), math.NaN(), 1.5, math.Inf(1)}[g.IntN(5)])
	case 5:
		v.SetBool(g.IntN(2) == 0)
	case 6:
		v.SetEmptyBytes().FromRaw([]byte(g.word()))
	case 7:
		if s := v.SetEmptySlice(); depth > 0 {
			for range g.IntN(3) {
				g.value(s.AppendEmpty(), depth-1)
			}
		}
	case 8:
		if m := v.SetEmptyMap(); depth > 0 && g.IntN(2) == 0 {
			g.attributes(m, 2)
		}
	}
}
