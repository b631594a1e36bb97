package otlpwire

// Field names one field of one OTLP message as it stands on the wire: the field number shifted left by three, ored with
// the wire type that the schema gives it (protobuf encoding, "Message Structure").
type Field uint64

// Number returns the field number.
func (f Field) Number() int32 { return int32(f >> 3) }

// Wire types. Groups have been deprecated since protobuf 2 and OTLP has none, but unknown fields may be groups.
const (
	wireVarint     = 0
	wireFixed64    = 1
	wireBytes      = 2
	wireStartGroup = 3
	wireEndGroup   = 4
	wireFixed32    = 5
)

// The fields of the trace messages, from opentelemetry-proto v1: collector/trace/v1/trace_service.proto,
// trace/v1/trace.proto, resource/v1/resource.proto and common/v1/common.proto.
const (
	RequestResourceSpans Field = 1<<3 | wireBytes

	ResourceSpansResource  Field = 1<<3 | wireBytes
	ResourceSpansScopes    Field = 2<<3 | wireBytes
	ResourceSpansSchemaURL Field = 3<<3 | wireBytes
	// resourceSpansOldScopes carried the scopes before OTLP 0.15, as instrumentation library spans.
	resourceSpansOldScopes Field = 1000<<3 | wireBytes

	ResourceAttributes        Field = 1<<3 | wireBytes
	ResourceDroppedAttributes Field = 2<<3 | wireVarint
	ResourceEntityRefs        Field = 3<<3 | wireBytes

	EntityRefSchemaURL       Field = 1<<3 | wireBytes
	EntityRefType            Field = 2<<3 | wireBytes
	EntityRefIDKeys          Field = 3<<3 | wireBytes
	EntityRefDescriptionKeys Field = 4<<3 | wireBytes

	ScopeSpansScope     Field = 1<<3 | wireBytes
	ScopeSpansSpans     Field = 2<<3 | wireBytes
	ScopeSpansSchemaURL Field = 3<<3 | wireBytes

	ScopeName              Field = 1<<3 | wireBytes
	ScopeVersion           Field = 2<<3 | wireBytes
	ScopeAttributes        Field = 3<<3 | wireBytes
	ScopeDroppedAttributes Field = 4<<3 | wireVarint

	SpanTraceID           Field = 1<<3 | wireBytes
	SpanSpanID            Field = 2<<3 | wireBytes
	SpanTraceState        Field = 3<<3 | wireBytes
	SpanParentSpanID      Field = 4<<3 | wireBytes
	SpanName              Field = 5<<3 | wireBytes
	SpanKind              Field = 6<<3 | wireVarint
	SpanStart             Field = 7<<3 | wireFixed64
	SpanEnd               Field = 8<<3 | wireFixed64
	SpanAttributes        Field = 9<<3 | wireBytes
	SpanDroppedAttributes Field = 10<<3 | wireVarint
	SpanEvents            Field = 11<<3 | wireBytes
	SpanDroppedEvents     Field = 12<<3 | wireVarint
	SpanLinks             Field = 13<<3 | wireBytes
	SpanDroppedLinks      Field = 14<<3 | wireVarint
	SpanStatus            Field = 15<<3 | wireBytes
	SpanFlags             Field = 16<<3 | wireFixed32

	StatusMessage Field = 2<<3 | wireBytes
	StatusCode    Field = 3<<3 | wireVarint

	EventTime              Field = 1<<3 | wireFixed64
	EventName              Field = 2<<3 | wireBytes
	EventAttributes        Field = 3<<3 | wireBytes
	EventDroppedAttributes Field = 4<<3 | wireVarint

	LinkTraceID           Field = 1<<3 | wireBytes
	LinkSpanID            Field = 2<<3 | wireBytes
	LinkTraceState        Field = 3<<3 | wireBytes
	LinkAttributes        Field = 4<<3 | wireBytes
	LinkDroppedAttributes Field = 5<<3 | wireVarint
	LinkFlags             Field = 6<<3 | wireFixed32

	KeyValueKey      Field = 1<<3 | wireBytes
	KeyValueValue    Field = 2<<3 | wireBytes
	KeyValueKeyIndex Field = 3<<3 | wireVarint

	ValueStr      Field = 1<<3 | wireBytes
	ValueBool     Field = 2<<3 | wireVarint
	ValueInt      Field = 3<<3 | wireVarint
	ValueDouble   Field = 4<<3 | wireFixed64
	ValueArray    Field = 5<<3 | wireBytes
	ValueMap      Field = 6<<3 | wireBytes
	ValueBytes    Field = 7<<3 | wireBytes
	ValueStrIndex Field = 8<<3 | wireVarint

	// ListValues is the one field of both ArrayValue and KeyValueList.
	ListValues Field = 1<<3 | wireBytes
)
