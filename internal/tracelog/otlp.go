package tracelog

import (
	"encoding/binary"
	"fmt"
)

// Records are turned back into OTLP protobuf, not into pdata directly: pdata's setters cannot make what its decoder
// accepts (two attributes of one name), and whoever sends the bytes on needs no pdata at all.

// Field numbers and wire types of opentelemetry/proto/{trace,common,resource}/v1.
const (
	tagResourceSpans = 1<<3 | 2 // of TracesData

	tagRSResource = 1<<3 | 2
	tagRSScope    = 2<<3 | 2
	tagRSSchema   = 3<<3 | 2

	tagResourceAttribute = 1<<3 | 2
	tagResourceDropped   = 2 << 3

	tagSSScope  = 1<<3 | 2
	tagSSSpan   = 2<<3 | 2
	tagSSSchema = 3<<3 | 2

	tagScopeName      = 1<<3 | 2
	tagScopeVersion   = 2<<3 | 2
	tagScopeAttribute = 3<<3 | 2
	tagScopeDropped   = 4 << 3

	tagSpanTraceID           = 1<<3 | 2
	tagSpanID                = 2<<3 | 2
	tagSpanTraceState        = 3<<3 | 2
	tagSpanParent            = 4<<3 | 2
	tagSpanName              = 5<<3 | 2
	tagSpanKind              = 6 << 3
	tagSpanStart             = 7<<3 | 1
	tagSpanEnd               = 8<<3 | 1
	tagSpanAttribute         = 9<<3 | 2
	tagSpanDroppedAttributes = 10 << 3
	tagSpanEvent             = 11<<3 | 2
	tagSpanDroppedEvents     = 12 << 3
	tagSpanLink              = 13<<3 | 2
	tagSpanDroppedLinks      = 14 << 3
	tagSpanStatus            = 15<<3 | 2
	tagSpanFlags             = 16<<3 | 5

	tagStatusMessage = 2<<3 | 2
	tagStatusCode    = 3 << 3

	tagEventTime      = 1<<3 | 1
	tagEventName      = 2<<3 | 2
	tagEventAttribute = 3<<3 | 2
	tagEventDropped   = 4 << 3

	tagLinkTraceID    = 1<<3 | 2
	tagLinkSpanID     = 2<<3 | 2
	tagLinkTraceState = 3<<3 | 2
	tagLinkAttribute  = 4<<3 | 2
	tagLinkDropped    = 5 << 3
	tagLinkFlags      = 6<<3 | 5

	tagKey   = 1<<3 | 2
	tagValue = 2<<3 | 2

	tagString = 1<<3 | 2
	tagBool   = 2 << 3
	tagInt    = 3 << 3
	tagDouble = 4<<3 | 1
	tagArray  = 5<<3 | 2
	tagMap    = 6<<3 | 2
	tagBytes  = 7<<3 | 2
	tagItem   = 1<<3 | 2 // of ArrayValue and KeyValueList
)

// begin starts a message with one byte of room for its length; end fills that in, and moves the message when its length
// needs more.
func begin(dst []byte, tag uint64) (out []byte, start int) {
	dst = append(binary.AppendUvarint(dst, tag), 0)
	return dst, len(dst)
}

func end(dst []byte, start int) []byte {
	n := len(dst) - start
	if n < 0x80 {
		dst[start-1] = byte(n)
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	w := binary.PutUvarint(length[:], uint64(n))
	dst = append(dst, length[:w-1]...)
	copy(dst[start+w-1:], dst[start:start+n])
	copy(dst[start-1:], length[:w])
	return dst
}

func appendField(dst []byte, tag uint64, b []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, tag), uint64(len(b)))
	return append(dst, b...)
}

// appendString, appendCount, appendTime and appendFlags leave out what is empty or zero, as proto3 does.
func appendString(dst []byte, tag uint64, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	return appendField(dst, tag, b)
}

func appendCount(dst []byte, tag, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendUvarint(binary.AppendUvarint(dst, tag), v)
}

func appendTime(dst []byte, tag, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint64(append(dst, byte(tag)), v)
}

func appendFlags(dst []byte, tag uint64, v uint32) []byte {
	if v == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint32(binary.AppendUvarint(dst, tag), v)
}

func (r *reader) attributes(dst []byte, tag uint64) []byte {
	for n := r.count(); n > 0 && !r.bad; n-- {
		dst = r.attribute(dst, tag)
	}
	return dst
}

func (r *reader) attribute(dst []byte, tag uint64) []byte {
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

func (r *reader) newAttribute(tok uint64, dst []byte, tag uint64) []byte {
	var key []byte
	if tok == 0 {
		key = r.text()
	} else {
		there := r.goTo(tok >> 1)
		key = there.text()
		r.bad = r.bad || there.bad
	}
	dst, start := begin(dst, tag)
	dst = appendString(dst, tagKey, key)
	dst = r.value(dst, tagValue, 0)
	return end(dst, start)
}

// maxDepth of nested values. Admission refuses more than 64; a record from a disk must not exhaust the stack.
const maxDepth = 1000

// value appends an AnyValue message as field tag.
func (r *reader) value(dst []byte, tag uint64, depth int) []byte {
	if depth > maxDepth {
		r.fail()
		return dst
	}
	dst, start := begin(dst, tag)
	switch kind := r.byte(); kind {
	case kindEmpty:
	case kindString:
		dst = appendField(dst, tagString, r.text())
	case kindFalse, kindTrue:
		dst = append(dst, tagBool, kind-kindFalse)
	case kindInt:
		dst = binary.AppendUvarint(append(dst, tagInt), uint64(unzigzag(r.uvarint())))
	case kindDouble:
		dst = binary.LittleEndian.AppendUint64(append(dst, tagDouble), r.fixed64())
	case kindBytes:
		dst = appendField(dst, tagBytes, r.text())
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
	return end(dst, start)
}

// nested appends an array or a map as a field of an AnyValue.
func (r *reader) nested(dst []byte, depth int) []byte {
	kind := r.byte()
	var start int
	switch kind {
	case kindArray:
		dst, start = begin(dst, tagArray)
	case kindMap:
		dst, start = begin(dst, tagMap)
	default:
		r.fail()
		return dst
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		if kind == kindArray {
			dst = r.value(dst, tagItem, depth)
			continue
		}
		var item int
		dst, item = begin(dst, tagItem)
		dst = appendString(dst, tagKey, r.text())
		dst = end(r.value(dst, tagValue, depth), item)
	}
	return end(dst, start)
}

// span appends a Span message as a field of ScopeSpans.
func (r *reader) span(dst []byte, h spanHead, id [16]byte) []byte {
	dst, message := begin(dst, tagSSSpan)
	if id != ([16]byte{}) {
		dst = appendField(dst, tagSpanTraceID, id[:])
	}
	dst = r.spanID(dst, tagSpanID)
	if h.flags&hasParent != 0 {
		dst = r.spanID(dst, tagSpanParent)
	}
	start := segmentBase(r.mem) + uint64(unzigzag(r.uvarint()))
	dst = appendTime(dst, tagSpanStart, start)
	dst = appendTime(dst, tagSpanEnd, start+uint64(unzigzag(r.uvarint())))
	dst = appendString(dst, tagSpanName, r.string())
	if h.flags&hasTraceState != 0 {
		dst = appendString(dst, tagSpanTraceState, r.string())
	}
	dst = r.attributes(dst, tagSpanAttribute)
	if h.flags&hasEvents != 0 {
		dst = r.events(dst, start)
	}
	if h.flags&hasLinks != 0 {
		dst = r.links(dst)
	}
	dst = r.rest(dst, h)
	return end(dst, message)
}

func (r *reader) spanID(dst []byte, tag uint64) []byte {
	b := r.bytes(8)
	if len(b) != 8 || [8]byte(b) == ([8]byte{}) {
		return dst
	}
	return appendField(dst, tag, b)
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
	dst = appendCount(dst, tagSpanKind, kind)
	dst, status := begin(dst, tagSpanStatus)
	dst = appendString(dst, tagStatusMessage, message)
	dst = end(appendCount(dst, tagStatusCode, code), status)
	if h.flags&hasFlags != 0 {
		dst = appendFlags(dst, tagSpanFlags, uint32(r.uvarint()))
	}
	if h.flags&hasDropped != 0 {
		dst = appendCount(dst, tagSpanDroppedAttributes, r.uvarint())
		dst = appendCount(dst, tagSpanDroppedEvents, r.uvarint())
		dst = appendCount(dst, tagSpanDroppedLinks, r.uvarint())
	}
	return dst
}

func (r *reader) events(dst []byte, spanStart uint64) []byte {
	for n := r.count(); n > 0 && !r.bad; n-- {
		var message int
		dst, message = begin(dst, tagSpanEvent)
		dst = appendTime(dst, tagEventTime, spanStart+uint64(unzigzag(r.uvarint())))
		dst = appendCount(dst, tagEventDropped, r.uvarint())
		dst = appendString(dst, tagEventName, r.string())
		dst = end(r.attributes(dst, tagEventAttribute), message)
	}
	return dst
}

func (r *reader) links(dst []byte) []byte {
	for n := r.count(); n > 0 && !r.bad; n-- {
		var message int
		dst, message = begin(dst, tagSpanLink)
		if b := r.bytes(16); len(b) == 16 && [16]byte(b) != ([16]byte{}) {
			dst = appendField(dst, tagLinkTraceID, b)
		}
		dst = r.spanID(dst, tagLinkSpanID)
		dst = appendFlags(dst, tagLinkFlags, uint32(r.uvarint()))
		dst = appendCount(dst, tagLinkDropped, r.uvarint())
		dst = appendString(dst, tagLinkTraceState, r.string())
		dst = end(r.attributes(dst, tagLinkAttribute), message)
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
		if inner.byte() != tagResourceSpans {
			inner.fail()
		}
		dst = append(dst, inner.text()...)
		r.bad = r.bad || inner.bad
	} else {
		dropped, schema := r.uvarint(), r.string()
		dst = appendString(dst, tagRSSchema, schema)
		var message int
		dst, message = begin(dst, tagRSResource)
		dst = r.attributes(dst, tagResourceAttribute)
		dst = end(appendCount(dst, tagResourceDropped, dropped), message)
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
	dst = appendString(dst, tagSSSchema, schema)
	dst, message := begin(dst, tagSSScope)
	dst = appendString(dst, tagScopeName, name)
	dst = appendString(dst, tagScopeVersion, version)
	dst = r.attributes(dst, tagScopeAttribute)
	dst = end(appendCount(dst, tagScopeDropped, dropped), message)
	if r.bad {
		return dst, fmt.Errorf("%w: scope at %d", ErrCorrupt, off)
	}
	return dst, nil
}
