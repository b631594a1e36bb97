package otlpwire

import "iter"

// TraceID identifies a trace. All zero means that the message had none, which pdata accepts.
type TraceID [16]byte

// SpanID identifies a span within a trace; all zero means none.
type SpanID [8]byte

// Span is one span: its scalars decoded, its lists still bytes. Reuse one variable for many spans.
type Span struct {
	TraceID           TraceID
	SpanID, ParentID  SpanID
	Start, End        uint64 // nanoseconds since 1970
	Flags             uint32
	Kind              int32
	Status            int32
	DroppedAttributes uint32
	DroppedEvents     uint32
	DroppedLinks      uint32
	// The lengths of the lists.
	NumAttributes, NumEvents, NumLinks int

	Name, TraceState, StatusMessage []byte

	// Raw holds the bytes given to Decode. The iterators read it, and AppendSpan copies the lists from it.
	Raw []byte
	// Where in Raw the first attribute, event and link begin.
	attributes, events, links int
}

// Decode sets s to the span in raw, and aliases raw. It forgets whatever s held before.
func (s *Span) Decode(raw []byte) {
	*s = Span{Raw: raw}
	start := 0
	for f, num, at, pos := next(raw, 0); f != 0; f, num, at, pos = next(raw, pos) {
		switch f {
		case SpanTraceID:
			copyID(s.TraceID[:], raw[at:pos:pos])
		case SpanSpanID:
			copyID(s.SpanID[:], raw[at:pos:pos])
		case SpanTraceState:
			s.TraceState = raw[at:pos:pos]
		case SpanParentSpanID:
			copyID(s.ParentID[:], raw[at:pos:pos])
		case SpanFlags:
			s.Flags = uint32(num)
		case SpanName:
			s.Name = raw[at:pos:pos]
		case SpanKind:
			s.Kind = int32(num)
		case SpanStart:
			s.Start = num
		case SpanEnd:
			s.End = num
		case SpanAttributes:
			if s.NumAttributes == 0 {
				s.attributes = start
			}
			s.NumAttributes++
		case SpanDroppedAttributes:
			s.DroppedAttributes = uint32(num)
		case SpanEvents:
			if s.NumEvents == 0 {
				s.events = start
			}
			s.NumEvents++
		case SpanDroppedEvents:
			s.DroppedEvents = uint32(num)
		case SpanLinks:
			if s.NumLinks == 0 {
				s.links = start
			}
			s.NumLinks++
		case SpanDroppedLinks:
			s.DroppedLinks = uint32(num)
		case SpanStatus:
			s.decodeStatus(raw[at:pos:pos])
		}
		start = pos
	}
}

func (s *Span) decodeStatus(raw []byte) {
	for f := ReadFields(raw); f.Next(); {
		switch f.Field {
		case StatusMessage:
			s.StatusMessage = f.Bytes
		case StatusCode:
			s.Status = int32(f.Num)
		}
	}
}

// copyID sets an id to src, or to zero if src is empty.
func copyID(dst, src []byte) {
	if len(src) == 0 {
		clear(dst)
		return
	}
	copy(dst, src)
}

// Attributes iterates over the span's attributes; see ReadAttributes.
func (s *Span) Attributes() iter.Seq2[[]byte, Value] {
	raw, pos, n := s.Raw, s.attributes, s.NumAttributes
	return func(yield func([]byte, Value) bool) { eachAttribute(raw, pos, n, SpanAttributes, yield) }
}

// Events iterates over the span's events; each one's bytes are for Event.Decode.
func (s *Span) Events() iter.Seq[[]byte] {
	raw, pos, n := s.Raw, s.events, s.NumEvents
	return func(yield func([]byte) bool) { eachMessage(raw, pos, n, SpanEvents, yield) }
}

// Links iterates over the span's links; each one's bytes are for Link.Decode.
func (s *Span) Links() iter.Seq[[]byte] {
	raw, pos, n := s.Raw, s.links, s.NumLinks
	return func(yield func([]byte) bool) { eachMessage(raw, pos, n, SpanLinks, yield) }
}

// eachMessage yields the contents of the first n fields f at or after pos of message.
func eachMessage(message []byte, pos, n int, field Field, yield func([]byte) bool) {
	for n > 0 {
		f, _, at, end := next(message, pos)
		switch f {
		case 0:
			return
		case field:
			if !yield(message[at:end:end]) {
				return
			}
			n--
		}
		pos = end
	}
}

// Event is something that happened during a span.
type Event struct {
	Time              uint64 // nanoseconds since 1970
	Name              []byte
	DroppedAttributes uint32
	Raw               []byte
}

// Decode sets e to the event in raw, and aliases raw.
func (e *Event) Decode(raw []byte) {
	*e = Event{Raw: raw}
	for f := ReadFields(raw); f.Next(); {
		switch f.Field {
		case EventTime:
			e.Time = f.Num
		case EventName:
			e.Name = f.Bytes
		case EventDroppedAttributes:
			e.DroppedAttributes = uint32(f.Num)
		}
	}
}

// Attributes iterates over the event's attributes.
func (e *Event) Attributes() iter.Seq2[[]byte, Value] { return ReadAttributes(EventAttributes, e.Raw) }

// Link points from a span to another one.
type Link struct {
	TraceID           TraceID
	SpanID            SpanID
	TraceState        []byte
	Flags             uint32
	DroppedAttributes uint32
	Raw               []byte
}

// Decode sets l to the link in raw, and aliases raw.
func (l *Link) Decode(raw []byte) {
	*l = Link{Raw: raw}
	for f := ReadFields(raw); f.Next(); {
		switch f.Field {
		case LinkTraceID:
			copyID(l.TraceID[:], f.Bytes)
		case LinkSpanID:
			copyID(l.SpanID[:], f.Bytes)
		case LinkTraceState:
			l.TraceState = f.Bytes
		case LinkDroppedAttributes:
			l.DroppedAttributes = uint32(f.Num)
		case LinkFlags:
			l.Flags = uint32(f.Num)
		}
	}
}

// Attributes iterates over the link's attributes.
func (l *Link) Attributes() iter.Seq2[[]byte, Value] { return ReadAttributes(LinkAttributes, l.Raw) }

// Scope is an instrumentation scope.
type Scope struct {
	Name, Version     []byte
	DroppedAttributes uint32
	Raw               []byte
}

// Decode sets s to the scope in raw, and aliases raw.
func (s *Scope) Decode(raw []byte) {
	*s = Scope{Raw: raw}
	for f := ReadFields(raw); f.Next(); {
		switch f.Field {
		case ScopeName:
			s.Name = f.Bytes
		case ScopeVersion:
			s.Version = f.Bytes
		case ScopeDroppedAttributes:
			s.DroppedAttributes = uint32(f.Num)
		}
	}
}

// Attributes iterates over the scope's attributes.
func (s *Scope) Attributes() iter.Seq2[[]byte, Value] { return ReadAttributes(ScopeAttributes, s.Raw) }
