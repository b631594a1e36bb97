package span

import (
	"encoding/binary"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// The upper bits of span and link flags (opentelemetry-proto, enum SpanFlags).
const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

// fixedBytes is what every span has: two ids (18+10), kind (2), two times (9+9), flags (2+4).
const fixedBytes = 18 + 10 + 2 + 9 + 9 + 6

// size returns how many bytes append will append.
func (r *Record) size() int {
	c := &r.context
	n := fixedBytes + otlpwire.SizeText(otlpwire.SpanTraceState, len(c.State)) +
		otlpwire.SizeText(otlpwire.SpanName, len(r.name)) + len(r.extra)
	if c.Parent.IsValid() {
		n += 10
	}
	for i := range r.numBlocks {
		n += len(r.blocks[i].fields)
	}
	if c.Linked() {
		n += otlpwire.SizeBytes(otlpwire.SpanLinks, linkBytes)
	}
	return n + otlpwire.SizeBytes(otlpwire.SpanStatus, r.statusSize())
}

// append appends the Span message.
func (r *Record) append(dst []byte) []byte {
	c := &r.context
	dst = append(append(dst, byte(otlpwire.SpanTraceID), 16), c.TraceID[:]...)
	dst = append(append(dst, byte(otlpwire.SpanSpanID), 8), c.SpanID[:]...)
	dst = otlpwire.AppendText(dst, otlpwire.SpanTraceState, c.State)
	if c.Parent.IsValid() {
		dst = append(append(dst, byte(otlpwire.SpanParentSpanID), 8), c.Parent[:]...)
	}
	dst = otlpwire.AppendText(dst, otlpwire.SpanName, r.name)
	dst = append(dst, byte(otlpwire.SpanKind), byte(r.kind), byte(otlpwire.SpanStart)) // API and OTLP number kinds alike
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.start.UnixNano()))
	dst = binary.LittleEndian.AppendUint64(append(dst, byte(otlpwire.SpanEnd)), uint64(r.end))
	for i := range r.numBlocks {
		dst = append(dst, r.blocks[i].fields...)
	}
	dst = append(dst, r.extra...)
	if c.Linked() {
		dst = appendLink(dst, c)
	}
	dst = otlpwire.AppendStatus(dst, statusCode(r.status), r.message)
	return otlpwire.AppendFixed32(dst, otlpwire.SpanFlags, flags(c.Flags, c.ParentRemote))
}

// linkBytes is the size of a link without a trace state, which the SDK's exporter does not write either.
const linkBytes = 18 + 10 + 5

func appendLink(dst []byte, c *tracecontext.Context) []byte {
	dst = otlpwire.AppendHeader(dst, otlpwire.SpanLinks, linkBytes)
	dst = append(append(dst, byte(otlpwire.LinkTraceID), 16), c.LinkTraceID[:]...)
	dst = append(append(dst, byte(otlpwire.LinkSpanID), 8), c.LinkSpanID[:]...)
	return otlpwire.AppendFixed32(dst, otlpwire.LinkFlags, flags(c.LinkFlags, true))
}

// flags is never 0, so the field is always written.
func flags(f trace.TraceFlags, remote bool) uint32 {
	bits := uint32(f) | flagHasIsRemote
	if remote {
		bits |= flagIsRemote
	}
	return bits
}

func (r *Record) statusSize() int {
	return otlpwire.SizeUint(otlpwire.StatusCode, uint64(statusCode(r.status))) + otlpwire.SizeText(otlpwire.StatusMessage, len(r.message))
}

// statusCode is c as OTLP numbers it, which is not as the API does.
func statusCode(c codes.Code) int32 {
	switch c {
	case codes.Ok:
		return 1
	case codes.Error:
		return 2
	}
	return 0
}
