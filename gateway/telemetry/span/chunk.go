package span

import (
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// chunk is a request body in the making: room for what comes before the spans, then spans.
type chunk struct {
	buf   []byte // len >= envelope.room
	spans int

	// barrier is set instead of all else on a mark in the queue that every sender stops at until all are there.
	barrier *sync.WaitGroup
}

// envelope is what stands around the spans of a request.
type envelope struct {
	resource []byte // fields of ResourceSpans before its scope
	scope    []byte // fields of ScopeSpans before its spans
	room     int    // what both take at most, with tags and lengths
}

// tagAndLength bounds the tag (1 byte) and length of a message below 2^35 bytes.
const tagAndLength = 1 + 5

func newEnvelope(res *resource.Resource, scope instrumentation.Scope) envelope {
	var e envelope
	b, m := otlpwire.Begin(nil, otlpwire.ResourceSpansResource, 0)
	for _, kv := range res.Attributes() {
		b = appendAttribute(b, otlpwire.ResourceAttributes, kv)
	}
	e.resource = otlpwire.AppendText(otlpwire.End(b, m), otlpwire.ResourceSpansSchemaURL, res.SchemaURL())

	b, m = otlpwire.Begin(nil, otlpwire.ScopeSpansScope, 0)
	b = otlpwire.AppendText(b, otlpwire.ScopeName, scope.Name)
	b = otlpwire.AppendText(b, otlpwire.ScopeVersion, scope.Version)
	b = appendSet(b, otlpwire.ScopeAttributes, scope.Attributes)
	e.scope = otlpwire.AppendText(otlpwire.End(b, m), otlpwire.ScopeSpansSchemaURL, scope.SchemaURL)

	e.room = 2*tagAndLength + len(e.resource) + len(e.scope)
	return e
}

func appendSet(dst []byte, f otlpwire.Field, set attribute.Set) []byte {
	for _, kv := range set.ToSlice() {
		dst = appendAttribute(dst, f, kv)
	}
	return dst
}

// close returns the whole request. The spans stay where they are; what comes before them is written up against them.
func (e *envelope) close(c *chunk) []byte {
	spans := len(c.buf) - e.room
	inScope := len(e.scope) + spans
	inResource := len(e.resource) + otlpwire.SizeBytes(otlpwire.ResourceSpansScopes, inScope)
	start := e.room - len(e.scope) - len(e.resource) -
		(otlpwire.SizeBytes(otlpwire.ResourceSpansScopes, inScope) - inScope) -
		(otlpwire.SizeBytes(otlpwire.RequestResourceSpans, inResource) - inResource)
	b := otlpwire.AppendHeader(c.buf[start:start], otlpwire.RequestResourceSpans, inResource)
	b = append(b, e.resource...)
	b = otlpwire.AppendHeader(b, otlpwire.ResourceSpansScopes, inScope)
	copy(c.buf[start+len(b):e.room], e.scope)
	return c.buf[start:]
}
