package otlpwire

import (
	"iter"
	"math"
)

// Request is a whole ExportTraceServiceRequest that Parse accepted. The zero value is an empty request.
type Request struct {
	raw   []byte
	spans int
}

// Parse checks every byte of b and returns it as a request that can be read. The request aliases b. The error is a
// *SyntaxError if pdata too would refuse b, and a *LimitError if b exceeds lim; of a b that does both, whichever comes
// first. Accepting allocates nothing.
func Parse(b []byte, lim Limits) (Request, error) {
	c := checker{b: b, lim: lim.unbounded()}
	if !c.message(request, 0, len(b)) {
		return Request{}, c.err
	}
	return Request{raw: b, spans: c.spans - c.ignored}, nil
}

// Trusted returns b, which holds so many spans, as a request without looking at it. It is for bytes that pdata has just
// marshalled or that Parse accepted before; on others the iterators stop early, without saying so.
func Trusted(b []byte, spans int) Request { return Request{raw: b, spans: spans} }

// Bytes returns the request's bytes.
func (r Request) Bytes() []byte { return r.raw }

// SpanCount returns how many spans the iterators will hand out.
func (r Request) SpanCount() int { return r.spans }

// ResourceSpans iterates over the groups of spans that share a resource.
func (r Request) ResourceSpans() iter.Seq[ResourceSpans] {
	return func(yield func(ResourceSpans) bool) {
		eachMessage(r.raw, 0, math.MaxInt, RequestResourceSpans, func(raw []byte) bool { return yield(readResourceSpans(raw)) })
	}
}

// ResourceSpans is a group of spans that share a resource.
type ResourceSpans struct {
	// Resource holds the bytes of the Resource message, empty if there is none. A request may legally repeat the field;
	// nobody does, but then Resource is the concatenation, which protobuf defines to be the merged message, in memory
	// of its own.
	Resource  []byte
	SchemaURL []byte

	raw    []byte
	scopes Field
}

func readResourceSpans(raw []byte) ResourceSpans {
	rs := ResourceSpans{raw: raw, scopes: resourceSpansOldScopes}
	for f := ReadFields(raw); f.Next(); {
		switch f.Field {
		case ResourceSpansResource:
			rs.Resource = merge(rs.Resource, f.Bytes)
		case ResourceSpansSchemaURL:
			rs.SchemaURL = f.Bytes
		case ResourceSpansScopes:
			rs.scopes = ResourceSpansScopes
		}
	}
	return rs
}

// Scopes iterates over the groups of spans that share an instrumentation scope. Scopes in the field that OTLP 0.15 left
// behind are used if there are no others, as the Collector's own OTLP receiver does (but not ptrace.ProtoUnmarshaler,
// which hides them).
func (rs *ResourceSpans) Scopes() iter.Seq[ScopeSpans] {
	raw, field := rs.raw, rs.scopes
	return func(yield func(ScopeSpans) bool) {
		eachMessage(raw, 0, math.MaxInt, field, func(raw []byte) bool { return yield(readScopeSpans(raw)) })
	}
}

// ScopeSpans is a group of spans that share an instrumentation scope.
type ScopeSpans struct {
	// Scope holds the bytes of the InstrumentationScope message; what is said of ResourceSpans.Resource holds here.
	Scope     []byte
	SchemaURL []byte

	raw []byte
}

func readScopeSpans(raw []byte) ScopeSpans {
	ss := ScopeSpans{raw: raw}
	for f := ReadFields(raw); f.Next(); {
		switch f.Field {
		case ScopeSpansScope:
			ss.Scope = merge(ss.Scope, f.Bytes)
		case ScopeSpansSchemaURL:
			ss.SchemaURL = f.Bytes
		}
	}
	return ss
}

// Spans iterates over the spans; each one's bytes are for Span.Decode.
func (ss *ScopeSpans) Spans() iter.Seq[[]byte] {
	raw := ss.raw
	return func(yield func([]byte) bool) { eachMessage(raw, 0, math.MaxInt, ScopeSpansSpans, yield) }
}

// merge returns the message that a and b, read one after the other, stand for. What Fields hands out has no spare
// capacity, so the first append moves a to memory of its own, in which later ones find room: many pieces cost no more
// than twice their sum.
func merge(a, b []byte) []byte {
	if len(a) == 0 {
		return b
	}
	return append(a, b...)
}
