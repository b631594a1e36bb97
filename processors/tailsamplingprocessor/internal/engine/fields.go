package engine

import (
	"unsafe"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
	"github.com/tailgate-otel/tailgate/internal/policy"
)

// walk is a walk over the fields of a trace, as policy.Trace.Fields wants it.
type walk = func(yield func(isRoot, resource bool, key string, v policy.Value))

// fields walks over the fields of open trace n. It reads the trace's protobuf in place: decoding it into objects would
// cost three times as much.
func (s *Shard) fields(n int32, yield func(isRoot, resource bool, key string, v policy.Value)) {
	e := s.entries.at(n)
	view := s.log.View()
	s.positions, _ = s.recordsOf(e, view, s.positions[:0])
	s.otlp, _ = view.AppendOTLP(s.otlp[:0], e.id, s.positions)
	var span otlpwire.Span
	for rs := range otlpwire.Trusted(s.otlp, len(s.positions)).ResourceSpans() {
		rootHere := false
		for ss := range rs.Scopes() {
			for raw := range ss.Spans() {
				span.Decode(raw)
				isRoot := span.ParentID == (otlpwire.SpanID{})
				rootHere = rootHere || isRoot
				yield(isRoot, false, policy.SpanName, policy.Value{Kind: policy.KindStr, Str: lend(span.Name)})
				yield(isRoot, false, policy.SpanStatus, policy.Value{Kind: policy.KindInt, Int: int64(span.Status)})
				for key, v := range span.Attributes() {
					yield(isRoot, false, lend(key), wireValue(v))
				}
			}
		}
		for key, v := range otlpwire.ReadAttributes(otlpwire.ResourceAttributes, rs.Resource) {
			yield(rootHere, true, lend(key), wireValue(v))
		}
	}
}

// lend is b as a string that is valid for one call.
func lend(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func wireValue(v otlpwire.Value) policy.Value {
	switch v.Type() {
	case otlpwire.TypeStr:
		return policy.Value{Kind: policy.KindStr, Str: lend(v.Str())}
	case otlpwire.TypeInt:
		return policy.Value{Kind: policy.KindInt, Int: v.Int()}
	case otlpwire.TypeBool:
		b := policy.Value{Kind: policy.KindBool}
		if v.Bool() {
			b.Int = 1
		}
		return b
	}
	return policy.Value{}
}
