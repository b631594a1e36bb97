package tracelog

import (
	"encoding/binary"
	"fmt"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// Records are turned back into OTLP protobuf, not into pdata directly: pdata's setters cannot make what its decoder
// accepts (two attributes of one name), and whoever sends the bytes on needs no pdata at all.

// spanGuess is a length, in bytes, of the class that most spans and resources are of.
const spanGuess = 500

func (r *reader) attributes(dst []byte, tag otlpwire.Field) []byte {
	for n := r.count(); n > 0 && !r.bad; n-- {
		dst = r.attribute(dst, tag)
	}
	return dst
}

func (r *reader) attribute(dst []byte, tag otlpwire.Field) []byte {
	tok := r.uvarint()
	if tok&1 == 0 {
		return r.newAttribute(tok, dst, tag)
	}
	there := r.goTo(tok >> 1)
	if tok = there.uvarint(); tok&1 != 0 { // a twin of a twin is never written
		r.fail()
		return dst
	}
	dst = there.newAttribute(tok, dst, tag)
	if there.bad {
		r.fail()
	}
	return dst
}

func (r *reader) newAttribute(tok uint64, dst []byte, tag otlpwire.Field) []byte {
	var key []byte
	if tok == 0 {
		key = r.text()
	} else {
		there := r.goTo(tok >> 1)
		key = there.text()
		r.bad = r.bad || there.bad
	}
	dst, start := otlpwire.Begin(dst, tag, 0)
	dst = otlpwire.AppendText(dst, otlpwire.KeyValueKey, key)
	dst = r.value(dst, otlpwire.KeyValueValue, 0)
	return otlpwire.End(dst, start)
}

// maxDepth of nested values. Admission refuses more than 64; a record from a disk must not exhaust the stack.
const maxDepth = 1000

// value appends an AnyValue message as field tag.
func (r *reader) value(dst []byte, tag otlpwire.Field, depth int) []byte {
	if depth > maxDepth {
		r.fail()
		return dst
	}
	dst, start := otlpwire.Begin(dst, tag, 0)
	switch kind := r.byte(); kind {
	case kindEmpty:
	case kindString:
		dst = otlpwire.AppendBytes(dst, otlpwire.ValueStr, r.text())
	case kindFalse, kindTrue:
		dst = append(dst, byte(otlpwire.ValueBool), kind-kindFalse)
	case kindInt:
		dst = binary.AppendUvarint(append(dst, byte(otlpwire.ValueInt)), uint64(unzigzag(r.uvarint())))
	case kindDouble:
		dst = binary.LittleEndian.AppendUint64(append(dst, byte(otlpwire.ValueDouble)), r.fixed64())
	case kindBytes:
		dst = otlpwire.AppendBytes(dst, otlpwire.ValueBytes, r.text())
	case kindNested:
		b := r.text()
		nested := reader{mem: b, end: len(b)}
		dst = nested.nested(dst, depth+1)
		r.bad = r.bad || nested.bad
	case kindArray, kindMap:
		r.p--
		dst = r.nested(dst, depth+1)
	default:
		r.fail()
	}
	return otlpwire.End(dst, start)
}

// nested appends an array or a map as a field of an AnyValue.
func (r *reader) nested(dst []byte, depth int) []byte {
	kind := r.byte()
	var start otlpwire.Mark
	switch kind {
	case kindArray:
		dst, start = otlpwire.Begin(dst, otlpwire.ValueArray, 0)
	case kindMap:
		dst, start = otlpwire.Begin(dst, otlpwire.ValueMap, 0)
	default:
		r.fail()
		return dst
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		if kind == kindArray {
			dst = r.value(dst, otlpwire.ListValues, depth)
			continue
		}
		var item otlpwire.Mark
		dst, item = otlpwire.Begin(dst, otlpwire.ListValues, 0)
		dst = otlpwire.AppendText(dst, otlpwire.KeyValueKey, r.text())
		dst = otlpwire.End(r.value(dst, otlpwire.KeyValueValue, depth), item)
	}
	return otlpwire.End(dst, start)
}

// span appends a Span message as a field of ScopeSpans.
func (r *reader) span(dst []byte, h spanHead, id [16]byte) []byte {
	dst, message := otlpwire.Begin(dst, otlpwire.ScopeSpansSpans, spanGuess)
	if id != ([16]byte{}) {
		dst = otlpwire.AppendBytes(dst, otlpwire.SpanTraceID, id[:])
	}
	dst = r.spanID(dst, otlpwire.SpanSpanID)
	if h.flags&hasParent != 0 {
		dst = r.spanID(dst, otlpwire.SpanParentSpanID)
	}
	start := segmentBase(r.mem) + uint64(unzigzag(r.uvarint()))
	dst = otlpwire.AppendFixed64(dst, otlpwire.SpanStart, start)
	dst = otlpwire.AppendFixed64(dst, otlpwire.SpanEnd, start+uint64(unzigzag(r.uvarint())))
	dst = otlpwire.AppendText(dst, otlpwire.SpanName, r.string())
	if h.flags&hasTraceState != 0 {
		dst = otlpwire.AppendText(dst, otlpwire.SpanTraceState, r.string())
	}
	dst = r.attributes(dst, otlpwire.SpanAttributes)
	if h.flags&hasEvents != 0 {
		dst = r.events(dst, start)
	}
	if h.flags&hasLinks != 0 {
		dst = r.links(dst)
	}
	dst = r.rest(dst, h)
	return otlpwire.End(dst, message)
}

func (r *reader) spanID(dst []byte, tag otlpwire.Field) []byte {
	b := r.bytes(8)
	if len(b) != 8 || [8]byte(b) == ([8]byte{}) {
		return dst
	}
	return otlpwire.AppendBytes(dst, tag, b)
}

func (r *reader) rest(dst []byte, h spanHead) []byte {
	var message []byte
	if h.flags&hasMessage != 0 {
		message = r.string()
	}
	kind, code := uint64(h.kinds&15), uint64(h.kinds>>4&7)
	if kind == oddKind {
		kind = r.uvarint()
	}
	if code == oddStatus {
		code = r.uvarint()
	}
	dst = otlpwire.AppendUint(dst, otlpwire.SpanKind, kind)
	dst, status := otlpwire.Begin(dst, otlpwire.SpanStatus, 0)
	dst = otlpwire.AppendText(dst, otlpwire.StatusMessage, message)
	dst = otlpwire.End(otlpwire.AppendUint(dst, otlpwire.StatusCode, code), status)
	if h.flags&hasFlags != 0 {
		dst = otlpwire.AppendFixed32(dst, otlpwire.SpanFlags, uint32(r.uvarint()))
	}
	if h.flags&hasDropped != 0 {
		dst = otlpwire.AppendUint(dst, otlpwire.SpanDroppedAttributes, r.uvarint())
		dst = otlpwire.AppendUint(dst, otlpwire.SpanDroppedEvents, r.uvarint())
		dst = otlpwire.AppendUint(dst, otlpwire.SpanDroppedLinks, r.uvarint())
	}
	return dst
}

func (r *reader) events(dst []byte, spanStart uint64) []byte {
	for n := r.count(); n > 0 && !r.bad; n-- {
		var message otlpwire.Mark
		dst, message = otlpwire.Begin(dst, otlpwire.SpanEvents, 0)
		dst = otlpwire.AppendFixed64(dst, otlpwire.EventTime, spanStart+uint64(unzigzag(r.uvarint())))
		dst = otlpwire.AppendUint(dst, otlpwire.EventDroppedAttributes, r.uvarint())
		dst = otlpwire.AppendText(dst, otlpwire.EventName, r.string())
		dst = otlpwire.End(r.attributes(dst, otlpwire.EventAttributes), message)
	}
	return dst
}

func (r *reader) links(dst []byte) []byte {
	for n := r.count(); n > 0 && !r.bad; n-- {
		var message otlpwire.Mark
		dst, message = otlpwire.Begin(dst, otlpwire.SpanLinks, 0)
		if b := r.bytes(16); len(b) == 16 && [16]byte(b) != ([16]byte{}) {
			dst = otlpwire.AppendBytes(dst, otlpwire.LinkTraceID, b)
		}
		dst = r.spanID(dst, otlpwire.LinkSpanID)
		dst = otlpwire.AppendFixed32(dst, otlpwire.LinkFlags, uint32(r.uvarint()))
		dst = otlpwire.AppendUint(dst, otlpwire.LinkDroppedAttributes, r.uvarint())
		dst = otlpwire.AppendText(dst, otlpwire.LinkTraceState, r.string())
		dst = otlpwire.End(r.attributes(dst, otlpwire.LinkAttributes), message)
	}
	return dst
}

// appendResource appends the fields of a ResourceSpans but for its scopes.
func appendResource(dst, mem []byte, off int) ([]byte, error) {
	r, err := record(mem, off, resourceRecord)
	if err != nil {
		return dst, err
	}
	if r.byte() == 1 {
		whole := r.text() // a TracesData with one ResourceSpans
		inner := reader{mem: whole, end: len(whole)}
		if otlpwire.Field(inner.byte()) != otlpwire.RequestResourceSpans {
			inner.fail()
		}
		dst = append(dst, inner.text()...)
		r.bad = r.bad || inner.bad
	} else {
		dropped, schema := r.uvarint(), r.string()
		dst = otlpwire.AppendText(dst, otlpwire.ResourceSpansSchemaURL, schema)
		var message otlpwire.Mark
		dst, message = otlpwire.Begin(dst, otlpwire.ResourceSpansResource, spanGuess)
		dst = r.attributes(dst, otlpwire.ResourceAttributes)
		dst = otlpwire.End(otlpwire.AppendUint(dst, otlpwire.ResourceDroppedAttributes, dropped), message)
	}
	if r.bad {
		return dst, fmt.Errorf("%w: resource at %d", ErrCorrupt, off)
	}
	return dst, nil
}

// appendScope appends the fields of a ScopeSpans but for its spans.
func appendScope(dst, mem []byte, off int) ([]byte, error) {
	r, err := record(mem, off, scopeRecord)
	if err != nil {
		return dst, err
	}
	r.uvarint()
	dropped, name, version, schema := r.uvarint(), r.string(), r.string(), r.string()
	dst = otlpwire.AppendText(dst, otlpwire.ScopeSpansSchemaURL, schema)
	dst, message := otlpwire.Begin(dst, otlpwire.ScopeSpansScope, 0)
	dst = otlpwire.AppendText(dst, otlpwire.ScopeName, name)
	dst = otlpwire.AppendText(dst, otlpwire.ScopeVersion, version)
	dst = r.attributes(dst, otlpwire.ScopeAttributes)
	dst = otlpwire.End(otlpwire.AppendUint(dst, otlpwire.ScopeDroppedAttributes, dropped), message)
	if r.bad {
		return dst, fmt.Errorf("%w: scope at %d", ErrCorrupt, off)
	}
	return dst, nil
}
