package span

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

const (
	// maxBlocks is how many blocks a record may refer to: method and protocol, route, upstream, endpoint.
	maxBlocks = 4
	// inlineBytes holds what a usual server span has of its own: nine attributes with keys of about 18 bytes, values of
	// 5 to 120 (the user agent) and 10 bytes of framing each come to 350 to 450. More goes to the heap.
	inlineBytes = 512
)

// Record is one span on its way. The zero value is ready for Begin; after Exporter.End it may be begun again. It belongs
// to one goroutine at a time and must not be copied while it records.
type Record struct {
	_ noCopy

	recording bool
	kind      trace.SpanKind
	status    codes.Code
	blocks    [maxBlocks]Block
	numBlocks int

	context tracecontext.Context
	name    string
	message string
	start   time.Time
	end     int64 // Unix nanoseconds

	extra  []byte // attributes and events as they stand in the span message; at first in inline
	inline [inlineBytes]byte
}

// Begin starts the span that c describes. If c is not sampled, the record stays idle: all methods do nothing.
func (r *Record) Begin(c tracecontext.Context, kind trace.SpanKind, name string, start time.Time) {
	r.context, r.recording = c, c.Sampled()
	if !r.recording {
		return
	}
	r.kind, r.name, r.start = kind, valid(name), start
	r.status, r.message, r.numBlocks = codes.Unset, "", 0
	r.extra = r.inline[:0]
}

// Context returns what Begin got, whether the span is recorded or not.
func (r *Record) Context() *tracecontext.Context { return &r.context }

// Recording says whether anything set on r will be exported: worth asking before building a value.
func (r *Record) Recording() bool { return r.recording }

// SetName replaces the span's name.
func (r *Record) SetName(name string) { r.name = valid(name) }

// SetStatus sets the span's status. As in OpenTelemetry's API only an error has a message.
func (r *Record) SetStatus(code codes.Code, message string) {
	if code != codes.Error {
		message = ""
	}
	r.status, r.message = code, valid(message)
}

// Block adds the attributes of b, without copying them. After the fourth block the attributes are copied.
func (r *Record) Block(b Block) {
	switch {
	case !r.recording || len(b.fields) == 0:
	case r.numBlocks < maxBlocks:
		r.blocks[r.numBlocks] = b
		r.numBlocks++
	default:
		r.extra = append(r.extra, b.fields...)
	}
}

// Str adds a string attribute.
func (r *Record) Str(key Key, value string) {
	if r.recording {
		r.extra = key.appendStr(r.extra, value)
	}
}

// Join adds a string attribute that consists of parts, without putting them together elsewhere first.
func (r *Record) Join(key Key, parts ...string) {
	if r.recording {
		r.extra = key.appendJoined(r.extra, parts)
	}
}

// Int adds an integer attribute.
func (r *Record) Int(key Key, value int) {
	if r.recording {
		r.extra = key.appendInt(r.extra, int64(value))
	}
}

// Bool adds a boolean attribute.
func (r *Record) Bool(key Key, value bool) {
	if r.recording {
		r.extra = otlpwire.AppendBool(r.extra, otlpwire.SpanAttributes, key.name, value)
	}
}

// Attribute adds an attribute of any type.
func (r *Record) Attribute(kv attribute.KeyValue) {
	if r.recording {
		r.extra = appendAttribute(r.extra, otlpwire.SpanAttributes, kv)
	}
}

// Event adds something that happened at a point in time: a connection that was made, a breaker that opened.
func (r *Record) Event(name string, at time.Time, attrs ...attribute.KeyValue) {
	if !r.recording {
		return
	}
	dst, m := otlpwire.Begin(r.extra, otlpwire.SpanEvents, 0)
	dst = otlpwire.AppendFixed64(dst, otlpwire.EventTime, uint64(r.unixNano(at)))
	dst = otlpwire.AppendText(dst, otlpwire.EventName, valid(name))
	for _, kv := range attrs {
		dst = appendAttribute(dst, otlpwire.EventAttributes, kv)
	}
	r.extra = otlpwire.End(dst, m)
}

// unixNano is at on the time line that begins at r.start's wall clock and goes on by the monotonic clock, so that a
// change of the wall clock makes no span end before it began.
func (r *Record) unixNano(at time.Time) int64 { return r.start.UnixNano() + int64(at.Sub(r.start)) }

// noCopy makes vet complain about copies: extra points into inline.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}
