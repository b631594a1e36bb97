package otlpwire_test

import (
	"math"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

func bitsOf(f float64) uint64 { return math.Float64bits(f) }

// rewrite writes req again from what the readers find, in pdata's canonical form: unknown fields gone, repeated scalars
// and messages merged, every message in descending order of its fields. It is also the reference use of Begin and End.
func rewrite(req otlpwire.Request) []byte {
	var dst []byte
	for rs := range req.ResourceSpans() {
		var m otlpwire.Mark
		dst, m = otlpwire.Begin(dst, otlpwire.RequestResourceSpans, 1000)
		dst = otlpwire.AppendText(dst, otlpwire.ResourceSpansSchemaURL, rs.SchemaURL)
		for ss := range rs.Scopes() {
			dst = rewriteScope(dst, ss)
		}
		dst = otlpwire.AppendBytes(dst, otlpwire.ResourceSpansResource, rewriteResource(rs.Resource))
		dst = otlpwire.End(dst, m)
	}
	return dst
}

func rewriteScope(dst []byte, ss otlpwire.ScopeSpans) []byte {
	dst, outer := otlpwire.Begin(dst, otlpwire.ResourceSpansScopes, 0)
	dst = otlpwire.AppendText(dst, otlpwire.ScopeSpansSchemaURL, ss.SchemaURL)
	var span otlpwire.Span
	for raw := range ss.Spans() {
		span.Decode(rewriteLists(raw))
		var m otlpwire.Mark
		dst, m = otlpwire.Begin(dst, otlpwire.ScopeSpansSpans, 500)
		dst = otlpwire.AppendSpan(dst, &span)
		dst = otlpwire.End(dst, m)
	}
	var scope otlpwire.Scope
	scope.Decode(ss.Scope)
	dst, m := otlpwire.Begin(dst, otlpwire.ScopeSpansScope, 1<<21)
	dst = otlpwire.AppendUint(dst, otlpwire.ScopeDroppedAttributes, uint64(scope.DroppedAttributes))
	dst = rewriteAttributes(dst, otlpwire.ScopeAttributes, ss.Scope)
	dst = otlpwire.AppendText(dst, otlpwire.ScopeVersion, scope.Version)
	dst = otlpwire.AppendText(dst, otlpwire.ScopeName, scope.Name)
	dst = otlpwire.End(dst, m)
	return otlpwire.End(dst, outer)
}

func rewriteResource(raw []byte) (dst []byte) {
	for f := otlpwire.ReadFields(raw); f.Next(); {
		if f.Field == otlpwire.ResourceEntityRefs {
			dst = otlpwire.AppendBytes(dst, f.Field, rewriteEntity(f.Bytes))
		}
	}
	dst = otlpwire.AppendUint(dst, otlpwire.ResourceDroppedAttributes, uint64(droppedOfResource(raw)))
	return rewriteAttributes(dst, otlpwire.ResourceAttributes, raw)
}

func rewriteEntity(raw []byte) (dst []byte) {
	text := map[otlpwire.Field][]byte{}
	keys := map[otlpwire.Field][][]byte{}
	for f := otlpwire.ReadFields(raw); f.Next(); {
		switch f.Field {
		case otlpwire.EntityRefSchemaURL, otlpwire.EntityRefType:
			text[f.Field] = f.Bytes
		default:
			keys[f.Field] = append(keys[f.Field], f.Bytes)
		}
	}
	for _, f := range []otlpwire.Field{otlpwire.EntityRefDescriptionKeys, otlpwire.EntityRefIDKeys} {
		for _, k := range keys[f] {
			dst = otlpwire.AppendBytes(dst, f, k)
		}
	}
	dst = otlpwire.AppendText(dst, otlpwire.EntityRefType, text[otlpwire.EntityRefType])
	return otlpwire.AppendText(dst, otlpwire.EntityRefSchemaURL, text[otlpwire.EntityRefSchemaURL])
}

// rewriteLists returns the span in raw with its attributes, events and links made canonical.
func rewriteLists(raw []byte) (dst []byte) {
	for f := otlpwire.ReadFields(raw); f.Next(); {
		switch f.Field {
		case otlpwire.SpanAttributes:
			dst = rewriteKeyValue(dst, f.Field, f.Bytes)
		case otlpwire.SpanEvents:
			dst = otlpwire.AppendBytes(dst, f.Field, rewriteEvent(f.Bytes))
		case otlpwire.SpanLinks:
			dst = otlpwire.AppendBytes(dst, f.Field, rewriteLink(f.Bytes))
		default:
			dst = append(dst, f.Raw()...)
		}
	}
	return dst
}

func rewriteEvent(raw []byte) []byte {
	var e otlpwire.Event
	e.Decode(raw)
	dst := otlpwire.AppendUint(nil, otlpwire.EventDroppedAttributes, uint64(e.DroppedAttributes))
	dst = rewriteAttributes(dst, otlpwire.EventAttributes, raw)
	dst = otlpwire.AppendText(dst, otlpwire.EventName, e.Name)
	return otlpwire.AppendFixed64(dst, otlpwire.EventTime, e.Time)
}

func rewriteLink(raw []byte) []byte {
	var l otlpwire.Link
	l.Decode(raw)
	dst := otlpwire.AppendFixed32(nil, otlpwire.LinkFlags, l.Flags)
	dst = otlpwire.AppendUint(dst, otlpwire.LinkDroppedAttributes, uint64(l.DroppedAttributes))
	dst = rewriteAttributes(dst, otlpwire.LinkAttributes, raw)
	dst = otlpwire.AppendText(dst, otlpwire.LinkTraceState, l.TraceState)
	dst = otlpwire.AppendSpanID(dst, otlpwire.LinkSpanID, l.SpanID)
	return otlpwire.AppendTraceID(dst, otlpwire.LinkTraceID, l.TraceID)
}

// rewriteAttributes appends the fields f of raw, which are KeyValues, indexes into string tables included.
func rewriteAttributes(dst []byte, field otlpwire.Field, raw []byte) []byte {
	for f := otlpwire.ReadFields(raw); f.Next(); {
		if f.Field == field {
			dst = rewriteKeyValue(dst, field, f.Bytes)
		}
	}
	return dst
}

func rewriteKeyValue(dst []byte, field otlpwire.Field, raw []byte) []byte {
	var kv otlpwire.KeyValue
	kv.Decode(raw)
	kv.Value = rewriteValue(kv.Value)
	return otlpwire.AppendKeyValue(dst, field, &kv)
}

// rewriteValue returns v with the messages inside made canonical.
func rewriteValue(v otlpwire.Value) otlpwire.Value {
	var raw []byte
	switch v.Type() {
	case otlpwire.TypeSlice:
		for e := range v.Slice() {
			e = rewriteValue(e)
			raw = otlpwire.AppendHeader(raw, otlpwire.ListValues, otlpwire.SizeValue(e))
			raw = otlpwire.AppendValue(raw, e)
		}
		return otlpwire.SliceValue(raw)
	case otlpwire.TypeMap:
		return otlpwire.MapValue(rewriteAttributes(nil, otlpwire.ListValues, v.Raw()))
	}
	return v
}
