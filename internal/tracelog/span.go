package tracelog

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Flags of a span record.
const (
	hasTraceID    = 1 << iota // the first record of its trace in the segment
	hasParent                 // the parent's span id is not empty
	hasTraceState             //
	hasEvents                 //
	hasLinks                  //
	hasDropped                // counts of dropped attributes, events and links
	hasMessage                // the status has a message
	hasFlags                  //
)

// The second byte of a span record holds the kind in the low 4 and the status code in the next 3 bits; numbers that do
// not fit (a peer may send any) follow as varints.
const (
	oddKind   = 15
	oddStatus = 7
)

// span writes the body of a span record but for its place: everything that follows the scope reference. It returns the
// size of the span as a protobuf message.
func (e *encoder) span(s ptrace.Span, base uint64) int {
	if !e.room(64) {
		return 0
	}
	id := s.SpanID()
	e.w += copy(e.buf[e.w:], id[:])
	size := 2
	if !s.TraceID().IsEmpty() {
		size += 16
	}
	if size += 2; id != (pcommon.SpanID{}) {
		size += 8
	}
	size += 2
	if parent := s.ParentSpanID(); !parent.IsEmpty() {
		e.w += copy(e.buf[e.w:], parent[:])
		size += 8
	}
	size += e.times(uint64(s.StartTimestamp()), uint64(s.EndTimestamp()), base)
	e.string(s.Name())
	size += text(s.Name())
	if ts := s.TraceState().AsRaw(); ts != "" && !e.full {
		e.string(ts)
		size += field(len(ts))
	}
	if e.full {
		return 0
	}
	size += e.attributes(s.Attributes(), true)
	if !e.full && s.Events().Len() > 0 {
		size += e.events(s.Events(), uint64(s.StartTimestamp()))
	}
	if !e.full && s.Links().Len() > 0 {
		size += e.links(s.Links())
	}
	if e.full {
		return 0
	}
	return size + e.rest(s)
}

// text is the size of a string field that is left out when it is empty.
func text(s string) int {
	if s == "" {
		return 0
	}
	return field(len(s))
}

// count is the size of a varint field with a one byte tag that is left out when it is 0.
func count(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + sov(v)
}

func (e *encoder) times(start, end, base uint64) (size int) {
	e.uvarint(zigzag(int64(start - base)))
	e.uvarint(zigzag(int64(end - start)))
	if start != 0 {
		size += 9
	}
	if end != 0 {
		size += 9
	}
	return size
}

// rest writes what few spans have: kind and status that fit in no 4 and 3 bits, message, flags, dropped counts.
func (e *encoder) rest(s ptrace.Span) int {
	message := s.Status().Message()
	if message != "" {
		e.string(message)
	}
	if !e.room(50) {
		return 0
	}
	kind, code := uint64(s.Kind()), uint64(s.Status().Code())
	if kind >= oddKind {
		e.uvarint(kind)
	}
	if code >= oddStatus {
		e.uvarint(code)
	}
	status := text(message) + count(code)
	size := field(status) + count(kind)
	if f := s.Flags(); f != 0 {
		e.uvarint(uint64(f))
		size += 6
	}
	attrs, events, links := s.DroppedAttributesCount(), s.DroppedEventsCount(), s.DroppedLinksCount()
	if attrs|events|links != 0 {
		e.uvarint(uint64(attrs))
		e.uvarint(uint64(events))
		e.uvarint(uint64(links))
		size += count(uint64(attrs)) + count(uint64(events)) + count(uint64(links))
	}
	return size
}

func (e *encoder) events(events ptrace.SpanEventSlice, start uint64) (size int) {
	if !e.room(10) {
		return 0
	}
	e.uvarint(uint64(events.Len()))
	for _, ev := range events.All() {
		if !e.room(20) {
			return 0
		}
		n := 0
		if ev.Timestamp() != 0 {
			n += 9
		}
		e.uvarint(zigzag(int64(uint64(ev.Timestamp()) - start)))
		e.uvarint(uint64(ev.DroppedAttributesCount()))
		e.string(ev.Name())
		if e.full {
			return 0
		}
		n += text(ev.Name()) + count(uint64(ev.DroppedAttributesCount()))
		n += e.attributes(ev.Attributes(), false)
		if e.full {
			return 0
		}
		size += field(n)
	}
	return size
}

func (e *encoder) links(links ptrace.SpanLinkSlice) (size int) {
	if !e.room(10) {
		return 0
	}
	e.uvarint(uint64(links.Len()))
	for _, l := range links.All() {
		if !e.room(50) {
			return 0
		}
		trace, span := l.TraceID(), l.SpanID()
		e.w += copy(e.buf[e.w:], trace[:])
		e.w += copy(e.buf[e.w:], span[:])
		e.uvarint(uint64(l.Flags()))
		e.uvarint(uint64(l.DroppedAttributesCount()))
		n := 4 + count(uint64(l.DroppedAttributesCount()))
		if !trace.IsEmpty() {
			n += 16
		}
		if !span.IsEmpty() {
			n += 8
		}
		if l.Flags() != 0 {
			n += 5
		}
		e.string(l.TraceState().AsRaw())
		if e.full {
			return 0
		}
		n += text(l.TraceState().AsRaw()) + e.attributes(l.Attributes(), false)
		if e.full {
			return 0
		}
		size += field(n)
	}
	return size
}

// spanFlags are the flags of a span record that follow from the span itself.
func spanFlags(s ptrace.Span) (flags byte) {
	set := func(bit byte, on bool) {
		if on {
			flags |= bit
		}
	}
	set(hasParent, !s.ParentSpanID().IsEmpty())
	set(hasTraceState, s.TraceState().AsRaw() != "")
	set(hasEvents, s.Events().Len() > 0)
	set(hasLinks, s.Links().Len() > 0)
	set(hasDropped, s.DroppedAttributesCount()|s.DroppedEventsCount()|s.DroppedLinksCount() != 0)
	set(hasMessage, s.Status().Message() != "")
	set(hasFlags, s.Flags() != 0)
	return flags
}

func kindAndStatus(s ptrace.Span) byte {
	kind, code := uint64(s.Kind()), uint64(s.Status().Code())
	return byte(min(kind, oddKind)) | byte(min(code, oddStatus))<<4
}
