package span

import (
	"encoding/binary"
	"math"

	"go.opentelemetry.io/otel/attribute"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// Block is a set of attributes in the form in which they stand in a span, built once per route, upstream or endpoint. It
// is immutable; the zero value holds nothing.
type Block struct{ fields []byte }

// NewBlock encodes attrs.
func NewBlock(attrs ...attribute.KeyValue) Block {
	var b Block
	for _, kv := range attrs {
		b.fields = appendAttribute(b.fields, otlpwire.SpanAttributes, kv)
	}
	return b
}

// appendAttribute appends kv as field f of the message that dst ends in.
func appendAttribute(dst []byte, f otlpwire.Field, kv attribute.KeyValue) []byte {
	switch kv.Value.Type() {
	case attribute.STRING:
		return otlpwire.AppendStr(dst, f, string(kv.Key), valid(kv.Value.AsString()))
	case attribute.INT64:
		return otlpwire.AppendInt(dst, f, string(kv.Key), kv.Value.AsInt64())
	case attribute.BOOL:
		return otlpwire.AppendBool(dst, f, string(kv.Key), kv.Value.AsBool())
	case attribute.FLOAT64:
		return otlpwire.AppendDouble(dst, f, string(kv.Key), kv.Value.AsFloat64())
	}
	dst, pair := otlpwire.Begin(dst, f, 0)
	dst = otlpwire.AppendText(dst, otlpwire.KeyValueKey, string(kv.Key))
	dst, value := otlpwire.Begin(dst, otlpwire.KeyValueValue, 0)
	dst = appendValue(dst, kv.Value)
	return otlpwire.End(otlpwire.End(dst, value), pair)
}

// appendValue appends the AnyValue of v.
func appendValue(dst []byte, v attribute.Value) []byte {
	switch v.Type() {
	case attribute.STRING:
		return otlpwire.AppendBytes(dst, otlpwire.ValueStr, valid(v.AsString()))
	case attribute.BYTESLICE:
		return otlpwire.AppendBytes(dst, otlpwire.ValueBytes, v.AsByteSlice())
	case attribute.INT64:
		return binary.AppendUvarint(append(dst, byte(otlpwire.ValueInt)), uint64(v.AsInt64()))
	case attribute.FLOAT64:
		return binary.LittleEndian.AppendUint64(append(dst, byte(otlpwire.ValueDouble)), math.Float64bits(v.AsFloat64()))
	case attribute.BOOL:
		if v.AsBool() {
			return append(dst, byte(otlpwire.ValueBool), 1)
		}
		return append(dst, byte(otlpwire.ValueBool), 0)
	case attribute.STRINGSLICE:
		return appendList(dst, v.AsStringSlice(), attribute.StringValue)
	case attribute.INT64SLICE:
		return appendList(dst, v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		return appendList(dst, v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.BOOLSLICE:
		return appendList(dst, v.AsBoolSlice(), attribute.BoolValue)
	case attribute.SLICE:
		return appendList(dst, v.AsSlice(), func(e attribute.Value) attribute.Value { return e })
	case attribute.MAP:
		dst, m := otlpwire.Begin(dst, otlpwire.ValueMap, 0)
		for _, kv := range v.AsMap() {
			dst = appendAttribute(dst, otlpwire.ListValues, kv)
		}
		return otlpwire.End(dst, m)
	}
	return dst // attribute.EMPTY
}

func appendList[T any](dst []byte, elements []T, value func(T) attribute.Value) []byte {
	dst, list := otlpwire.Begin(dst, otlpwire.ValueArray, 0)
	for _, e := range elements {
		var m otlpwire.Mark
		dst, m = otlpwire.Begin(dst, otlpwire.ListValues, 0)
		dst = otlpwire.End(appendValue(dst, value(e)), m)
	}
	return otlpwire.End(dst, list)
}
