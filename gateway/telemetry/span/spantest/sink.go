// Package spantest receives spans in tests: a span.Sender that decodes what it is given and keeps it.
package spantest

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// Sink keeps all spans. The zero value is ready; it is safe for concurrent use.
type Sink struct {
	mu       sync.Mutex // guards requests
	requests []ptrace.Traces
}

// Send decodes request, and refuses one that a collector could not.
func (s *Sink) Send(_ context.Context, request []byte) (rejected int64, err error) {
	r := ptraceotlp.NewExportRequest()
	if err := r.UnmarshalProto(request); err != nil {
		return 0, fmt.Errorf("decode request: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Traces())
	return 0, nil
}

// Requests returns what came so far, one by one; call Exporter.Flush before. What it returns may be read only.
func (s *Sink) Requests() []ptrace.Traces {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]ptrace.Traces(nil), s.requests...)
}

// Spans returns the spans of one kind that came so far.
func (s *Sink) Spans(kind ptrace.SpanKind) (spans []ptrace.Span) {
	for _, t := range s.Requests() {
		for _, rs := range t.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, sp := range ss.Spans().All() {
					if sp.Kind() == kind {
						spans = append(spans, sp)
					}
				}
			}
		}
	}
	return spans
}
