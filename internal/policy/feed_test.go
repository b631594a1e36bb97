package policy

import (
	"context"
	"encoding/binary"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A held is a trace as a caller keeps it: facts, bits, and here also its spans, one fragment after the other.
type held struct {
	id    pcommon.TraceID
	facts Facts
	bits  []uint64
	spans ptrace.Traces
}

func newHeld(p *Program, id pcommon.TraceID) *held {
	return &held{id: id, bits: make([]uint64, p.Words()), spans: ptrace.NewTraces()}
}

func (h *held) trace() *Trace {
	return &Trace{ID: h.id, Facts: &h.facts, Bits: h.bits, Spans: func() ptrace.Traces { return h.spans }}
}

// add folds every fragment of td into the trace.
func (h *held) add(p *Program, td ptrace.Traces) {
	var m ptrace.ProtoMarshaler
	for _, rs := range td.ResourceSpans().All() {
		size := m.ResourceSpansSize(rs)
		h.facts.Bytes += uint64(size)
		h.facts.Overhead += uint32(1 + len(binary.AppendUvarint(nil, uint64(size))))
		p.ApplyResource(h.bits, p.MarkResource(attributesOf(rs.Resource().Attributes())))
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				h.addSpan(p, rs, ss, span)
			}
		}
		rs.CopyTo(h.spans.ResourceSpans().AppendEmpty())
	}
}

func (h *held) addSpan(p *Program, rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) {
	var seen Seen
	for key, v := range span.Attributes().All() {
		if p.SpanKey(key) {
			p.ApplySpan(h.bits, &seen, p.MarkSpan(key, readValue(v)))
		}
	}
	p.Fold(&h.facts, h.bits, &Span{
		Start: uint64(span.StartTimestamp()), End: uint64(span.EndTimestamp()),
		Status: int32(span.Status().Code()), Flags: span.Flags(),
		TraceState: span.TraceState().AsRaw(), Root: span.ParentSpanID().IsEmpty(),
	})
	if p.NeedsSpan() {
		p.FoldOTTL(context.Background(), h.bits, rs, ss, span)
	}
}

func attributesOf(m pcommon.Map) func(func(string, Value) bool) {
	return func(yield func(string, Value) bool) {
		for key, v := range m.All() {
			if !yield(key, readValue(v)) {
				return
			}
		}
	}
}

func mustCompile(t testing.TB, set Settings) *Program {
	t.Helper()
	p, err := Compile(set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
