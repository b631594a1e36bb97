package otlpwire

// Request is a whole ExportTraceServiceRequest that Parse accepted. The zero value is an empty request.
type Request struct {
	raw   []byte
	spans int
}

// Parse checks every byte of b and returns it as a request that can be read. The request aliases b. The error is a
// *SyntaxError exactly when pdata refuses b, else a *LimitError if b exceeds lim; an input that does both may get
// either. Accepting allocates nothing.
func Parse(b []byte, lim Limits) (Request, error) {
	c := checker{b: b, lim: lim.unbounded()}
	if !c.message(request, 0, len(b)) {
		return Request{}, c.err
	}
	return Request{raw: b, spans: c.spans - c.ignored}, nil
}

// Bytes returns the bytes given to Parse.
func (r *Request) Bytes() []byte { return r.raw }

// SpanCount returns how many spans the iterators will hand out.
func (r *Request) SpanCount() int { return r.spans }

// ResourceSpans iterates over the groups of spans that share a resource.
func (r *Request) ResourceSpans() ResourceSpansIter {
	return ResourceSpansIter{fields: ReadFields(r.raw)}
}

// ResourceSpansIter stands on one ResourceSpans after each Next that returns true.
type ResourceSpansIter struct {
	// Resource holds the bytes of the Resource message, empty if there is none. A request may legally repeat the field;
	// nobody does, but then Resource is the concatenation, which protobuf defines to be the merged message, in memory
	// of its own.
	Resource  []byte
	SchemaURL []byte

	fields Fields
	raw    []byte
	scopes Field
}

// Next moves to the next ResourceSpans.
func (it *ResourceSpansIter) Next() bool {
	if !it.fields.seek(RequestResourceSpans) {
		return false
	}
	it.raw, it.scopes = it.fields.Bytes, resourceSpansOldScopes
	it.Resource, it.SchemaURL = nil, nil
	for f := ReadFields(it.raw); f.Next(); {
		switch f.Field {
		case ResourceSpansResource:
			it.Resource = merge(it.Resource, f.Bytes)
		case ResourceSpansSchemaURL:
			it.SchemaURL = f.Bytes
		case ResourceSpansScopes:
			it.scopes = ResourceSpansScopes
		}
	}
	return true
}

// Scopes iterates over the groups of spans that share an instrumentation scope. Scopes in the field that OTLP 0.15 left
// behind are used if there are no others, as the Collector's own OTLP receiver does (but not ptrace.ProtoUnmarshaler,
// which hides them).
func (it *ResourceSpansIter) Scopes() ScopeSpansIter {
	return ScopeSpansIter{fields: ReadFields(it.raw), field: it.scopes}
}

// ScopeSpansIter stands on one ScopeSpans after each Next that returns true.
type ScopeSpansIter struct {
	// Scope holds the bytes of the InstrumentationScope message; what is said of ResourceSpansIter.Resource holds here.
	Scope     []byte
	SchemaURL []byte

	fields Fields
	field  Field
	raw    []byte
}

// Next moves to the next ScopeSpans.
func (it *ScopeSpansIter) Next() bool {
	if !it.fields.seek(it.field) {
		return false
	}
	it.raw = it.fields.Bytes
	it.Scope, it.SchemaURL = nil, nil
	for f := ReadFields(it.raw); f.Next(); {
		switch f.Field {
		case ScopeSpansScope:
			it.Scope = merge(it.Scope, f.Bytes)
		case ScopeSpansSchemaURL:
			it.SchemaURL = f.Bytes
		}
	}
	return true
}

// Spans iterates over the spans; each one's bytes are for Span.Decode.
func (it *ScopeSpansIter) Spans() Messages {
	return Messages{fields: ReadFields(it.raw), field: ScopeSpansSpans, left: -1}
}

// Messages iterates over the occurrences of one repeated field.
type Messages struct {
	// Raw holds the bytes of the current message.
	Raw []byte

	fields Fields
	field  Field
	left   int // how many are still to come; negative if that is not known
}

// Next moves to the next message.
func (it *Messages) Next() bool {
	if it.left == 0 || !it.fields.seek(it.field) {
		return false
	}
	it.left--
	it.Raw = it.fields.Bytes
	return true
}

// seek moves to the next field f.
func (f *Fields) seek(field Field) bool {
	for f.Next() {
		if f.Field == field {
			return true
		}
	}
	return false
}

// merge returns the message that a and b, read one after the other, stand for.
func merge(a, b []byte) []byte {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	return append(a[:len(a):len(a)], b...)
}
