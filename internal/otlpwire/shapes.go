package otlpwire

// action is what the checker does with a field. From request on, the field holds a message of that kind.
type action uint8

const (
	unknown action = iota // not in the schema: skip it
	refused               // in the schema with another wire type, or no field number at all
	varint
	fixed64
	fixed32
	text    // any bytes: pdata does not check UTF-8
	traceID // 16 bytes or none
	spanID  // 8 bytes or none

	request
	resourceSpans
	resource
	entityRef
	scopeSpans
	oldScopeSpans // scopeSpans in ResourceSpans' field 1000
	scope
	span
	status
	event
	link
	attribute // a KeyValue that counts against Limits.MaxAttributes
	keyValue  // any other KeyValue
	value
	array
	keyValueList

	actions
)

// shape says what to do with each field of a message. Tags of one byte, fields 1 to 15 with any wire type, index a
// table directly; no message has more than one known field beyond.
type shape struct {
	name string
	near [0x80]action
	far  Field
	// farAction belongs to far. A message without a far field has far = 0, a number tag never returns.
	farAction action
}

func (s *shape) action(f Field) action {
	switch {
	case f < 0x80:
		return s.near[f]
	case f == s.far:
		return s.farAction
	case f.Number() == s.far.Number():
		return refused
	}
	return unknown
}

type known map[Field]action

func shapeOf(name string, fields known) shape {
	s := shape{name: name}
	for wire := range 8 {
		s.near[wire] = refused // field number 0
	}
	for f, a := range fields {
		if f >= 0x80 {
			s.far, s.farAction = f, a
			continue
		}
		for wire := range Field(8) {
			s.near[f&^7|wire] = refused
		}
	}
	for f, a := range fields {
		if f < 0x80 {
			s.near[f] = a
		}
	}
	return s
}

// shapes is the schema, one entry for each action that stands for a message. It is built once and never changed.
var shapes = func() (s [actions]shape) {
	s[request] = shapeOf("ExportTraceServiceRequest", known{RequestResourceSpans: resourceSpans})
	s[resourceSpans] = shapeOf("ResourceSpans", known{
		ResourceSpansResource: resource, ResourceSpansScopes: scopeSpans, ResourceSpansSchemaURL: text,
		resourceSpansOldScopes: oldScopeSpans,
	})
	s[resource] = shapeOf("Resource", known{
		ResourceAttributes: attribute, ResourceDroppedAttributes: varint, ResourceEntityRefs: entityRef,
	})
	s[entityRef] = shapeOf("EntityRef", known{
		EntityRefSchemaURL: text, EntityRefType: text, EntityRefIDKeys: text, EntityRefDescriptionKeys: text,
	})
	s[scopeSpans] = shapeOf("ScopeSpans", known{
		ScopeSpansScope: scope, ScopeSpansSpans: span, ScopeSpansSchemaURL: text,
	})
	s[oldScopeSpans] = s[scopeSpans]
	s[scope] = shapeOf("InstrumentationScope", known{
		ScopeName: text, ScopeVersion: text, ScopeAttributes: attribute, ScopeDroppedAttributes: varint,
	})
	s[span] = shapeOf("Span", known{
		SpanTraceID: traceID, SpanSpanID: spanID, SpanTraceState: text, SpanParentSpanID: spanID, SpanName: text,
		SpanKind: varint, SpanStart: fixed64, SpanEnd: fixed64,
		SpanAttributes: attribute, SpanDroppedAttributes: varint, SpanEvents: event, SpanDroppedEvents: varint,
		SpanLinks: link, SpanDroppedLinks: varint, SpanStatus: status, SpanFlags: fixed32,
	})
	s[status] = shapeOf("Status", known{StatusMessage: text, StatusCode: varint})
	s[event] = shapeOf("Event", known{
		EventTime: fixed64, EventName: text, EventAttributes: attribute, EventDroppedAttributes: varint,
	})
	s[link] = shapeOf("Link", known{
		LinkTraceID: traceID, LinkSpanID: spanID, LinkTraceState: text,
		LinkAttributes: attribute, LinkDroppedAttributes: varint, LinkFlags: fixed32,
	})
	s[attribute] = shapeOf("KeyValue", known{KeyValueKey: text, KeyValueValue: value, KeyValueKeyIndex: varint})
	s[keyValue] = s[attribute]
	s[value] = shapeOf("AnyValue", known{
		ValueStr: text, ValueBool: varint, ValueInt: varint, ValueDouble: fixed64,
		ValueArray: array, ValueMap: keyValueList, ValueBytes: text, ValueStrIndex: varint,
	})
	s[array] = shapeOf("ArrayValue", known{ListValues: value})
	s[keyValueList] = shapeOf("KeyValueList", known{ListValues: keyValue})
	return s
}()
