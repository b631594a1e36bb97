package otlpwire_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// schema names what each field of each message holds: a message, by its name here, or one of text, trace id, span id
// and number.
var schema = map[string]map[otlpwire.Field]string{
	"request": {otlpwire.RequestResourceSpans: "resource spans"},
	"resource spans": {
		otlpwire.ResourceSpansResource: "resource", otlpwire.ResourceSpansScopes: "scope spans",
		otlpwire.ResourceSpansSchemaURL: "text", 1000<<3 | 2: "scope spans",
	},
	"resource": {
		otlpwire.ResourceAttributes: "attribute", otlpwire.ResourceDroppedAttributes: "number",
		otlpwire.ResourceEntityRefs: "entity",
	},
	"entity": {
		otlpwire.EntityRefSchemaURL: "text", otlpwire.EntityRefType: "text", otlpwire.EntityRefIDKeys: "text",
		otlpwire.EntityRefDescriptionKeys: "text",
	},
	"scope spans": {
		otlpwire.ScopeSpansScope: "scope", otlpwire.ScopeSpansSpans: "span", otlpwire.ScopeSpansSchemaURL: "text",
	},
	"scope": {
		otlpwire.ScopeName: "text", otlpwire.ScopeVersion: "text", otlpwire.ScopeAttributes: "attribute",
		otlpwire.ScopeDroppedAttributes: "number",
	},
	"span": {
		otlpwire.SpanTraceID: "trace id", otlpwire.SpanSpanID: "span id", otlpwire.SpanTraceState: "text",
		otlpwire.SpanParentSpanID: "span id", otlpwire.SpanName: "text", otlpwire.SpanKind: "number",
		otlpwire.SpanStart: "number", otlpwire.SpanEnd: "number", otlpwire.SpanAttributes: "attribute",
		otlpwire.SpanDroppedAttributes: "number", otlpwire.SpanEvents: "event", otlpwire.SpanDroppedEvents: "number",
		otlpwire.SpanLinks: "link", otlpwire.SpanDroppedLinks: "number", otlpwire.SpanStatus: "status",
		otlpwire.SpanFlags: "number",
	},
	"status": {otlpwire.StatusMessage: "text", otlpwire.StatusCode: "number"},
	"event": {
		otlpwire.EventTime: "number", otlpwire.EventName: "text", otlpwire.EventAttributes: "attribute",
		otlpwire.EventDroppedAttributes: "number",
	},
	"link": {
		otlpwire.LinkTraceID: "trace id", otlpwire.LinkSpanID: "span id", otlpwire.LinkTraceState: "text",
		otlpwire.LinkAttributes: "attribute", otlpwire.LinkDroppedAttributes: "number", otlpwire.LinkFlags: "number",
	},
	"attribute": {
		otlpwire.KeyValueKey: "text", otlpwire.KeyValueValue: "value", otlpwire.KeyValueKeyIndex: "number",
	},
	"value": {
		otlpwire.ValueStr: "text", otlpwire.ValueBool: "number", otlpwire.ValueInt: "number",
		otlpwire.ValueDouble: "number", otlpwire.ValueArray: "array", otlpwire.ValueMap: "map",
		otlpwire.ValueBytes: "text", otlpwire.ValueStrIndex: "number",
	},
	"array": {otlpwire.ListValues: "value"},
	"map":   {otlpwire.ListValues: "attribute"},
}

// speaker writes messages that follow the schema but no habit: fields missing, repeated and in any order, unknown ones
// and groups between them, varints longer than need be. One field in faulty is wrong in a way that matters.
type speaker struct {
	*rand.Rand
	faulty int
}

// once reports true one time in n.
func (s speaker) once(n int) bool { return s.IntN(n) == 0 }

func (s speaker) message(kind string, depth int) []byte {
	var b []byte
	fields := slices.Sorted(maps.Keys(schema[kind]))
	for range s.IntN(6) + min(1, depth) {
		if s.once(12) {
			b = s.unknownField(b)
			continue
		}
		f := fields[s.IntN(len(fields))]
		b = s.field(b, f, schema[kind][f], depth)
	}
	return b
}

func (s speaker) field(b []byte, f otlpwire.Field, kind string, depth int) []byte {
	number := uint64(f >> 3)
	wire := uint64(f & 7)
	if s.once(40) {
		number |= 1 << 32 // pdata cuts it off
	}
	if s.once(s.faulty) {
		wire = s.Uint64N(8)
	}
	b = s.varint(b, number<<3|wire)
	switch wire {
	case 0:
		return s.varint(b, s.Uint64()>>s.IntN(64))
	case 1:
		return binary.LittleEndian.AppendUint64(b, s.Uint64()>>s.IntN(64))
	case 5:
		return binary.LittleEndian.AppendUint32(b, s.Uint32())
	}
	content := s.content(kind, depth)
	n := uint64(len(content))
	if s.once(s.faulty) {
		n += s.Uint64N(5) - 2
	}
	return append(s.varint(b, n), content...)
}

func (s speaker) content(kind string, depth int) []byte {
	var size int
	switch kind {
	case "text", "number":
		return []byte(word(s.Rand))
	case "trace id":
		size = 16
	case "span id":
		size = 8
	default:
		if depth == 0 {
			return nil
		}
		return s.message(kind, depth-1)
	}
	if s.once(4) {
		return nil
	}
	if s.once(s.faulty) {
		size = s.IntN(20)
	}
	return bytes.Repeat([]byte{byte(s.Uint32())}, size)
}

func (s speaker) unknownField(b []byte) []byte {
	number := []uint64{17, 999, 1001, 1<<29 - 1, 1<<31 - 1}[s.IntN(5)]
	switch s.IntN(5) {
	case 0:
		return s.varint(s.varint(b, number<<3), s.Uint64())
	case 1:
		return binary.LittleEndian.AppendUint64(s.varint(b, number<<3|1), s.Uint64())
	case 2:
		w := word(s.Rand)
		return append(s.varint(s.varint(b, number<<3|2), uint64(len(w))), w...)
	case 3: // an empty group: fine for pdata unless it ends the message
		b = s.varint(s.varint(b, number<<3|3), number<<3|4)
		if s.once(20) {
			return b
		}
		return s.varint(s.varint(b, 18<<3), 1)
	default: // a group left open after its first field: just as fine
		return s.varint(s.varint(s.varint(b, number<<3|3), 5<<3), 7)
	}
}

// varint appends v, now and then with more bytes than it needs.
func (s speaker) varint(b []byte, v uint64) []byte {
	b = binary.AppendUvarint(b, v)
	if n := otlpwire.SizeUvarint(v); n < 8 && s.once(15) {
		b[len(b)-1] |= 0x80
		for range s.IntN(2) {
			b = append(b, 0x80)
		}
		b = append(b, 0)
	}
	return b
}

// ascending returns the request with the fields of every message in ascending order, as SDKs send them.
func ascending(request []byte) []byte { return reverse("request", request) }

func reverse(kind string, raw []byte) []byte {
	var runs [][]byte // one per field, so that lists keep their order
	last := otlpwire.Field(0)
	for f := otlpwire.ReadFields(raw); f.Next(); {
		field := f.Raw()
		if inner := schema[kind][f.Field]; schema[inner] != nil {
			field = otlpwire.AppendBytes(nil, f.Field, reverse(inner, f.Bytes))
		}
		if f.Field == last {
			runs[len(runs)-1] = append(runs[len(runs)-1], field...)
			continue
		}
		last = f.Field
		runs = append(runs, slices.Clone(field))
	}
	slices.Reverse(runs)
	return bytes.Join(runs, nil)
}
