package rig

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A Sink counts what a sampler keeps and remembers nothing of it. It may be called at the same time by many.
type Sink struct {
	// Next gets what was counted; nil for nobody.
	Next   consumer.Traces
	spans  atomic.Uint64
	roots  atomic.Uint64
	digest atomic.Uint64
}

// Kept says which spans came to a sink. Two engines that kept the same spans have equal values, whatever the order.
type Kept struct {
	Traces uint64 // counted by their roots: each trace of the traffic has one
	Spans  uint64
	Digest uint64 // sum over the spans of a hash of trace and span id
}

// Capabilities implements consumer.Traces.
func (*Sink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeTraces implements consumer.Traces.
func (s *Sink) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	var spans, roots, digest uint64
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				spans++
				if span.ParentSpanID().IsEmpty() {
					roots++
				}
				digest += identity(span.TraceID(), span.SpanID())
			}
		}
	}
	s.spans.Add(spans)
	s.roots.Add(roots)
	s.digest.Add(digest)
	if s.Next == nil {
		return nil
	}
	return s.Next.ConsumeTraces(ctx, td)
}

// Span counts one span that came another way than as pdata.
func (s *Sink) Span(trace pcommon.TraceID, id pcommon.SpanID, root bool) {
	s.spans.Add(1)
	if root {
		s.roots.Add(1)
	}
	s.digest.Add(identity(trace, id))
}

// Kept returns the sums so far.
func (s *Sink) Kept() Kept {
	return Kept{Traces: s.roots.Load(), Spans: s.spans.Load(), Digest: s.digest.Load()}
}

// identity hashes the ids of a span with the multiplications of FNV-1a over words: ids of the traffic are random, so
// that little mixing is enough to make sums of different sets differ.
func identity(trace pcommon.TraceID, id pcommon.SpanID) uint64 {
	h := uint64(14695981039346656037)
	for _, word := range [...]uint64{
		binary.LittleEndian.Uint64(trace[:8]), binary.LittleEndian.Uint64(trace[8:]), binary.LittleEndian.Uint64(id[:]),
	} {
		h = (h ^ word) * 1099511628211
		h ^= h >> 29
	}
	return h
}
