package tracelog

import (
	"encoding/binary"
	"math"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// view lends b as a string; it is valid as long as b is not written.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func appendBytes(dst []byte, b pcommon.ByteSlice) []byte {
	for i := range b.Len() {
		dst = append(dst, b.At(i))
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// appendNested lays out any value, however deep, without references, and returns the size of its AnyValue message.
// Arrays and maps inside a span are rare and small; they repeat as a whole or not at all.
func appendNested(dst []byte, v pcommon.Value) (out []byte, size int) {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return appendText(append(dst, kindString), v.Str()), field(len(v.Str()))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return append(dst, kindTrue), 2
		}
		return append(dst, kindFalse), 2
	case pcommon.ValueTypeInt:
		return binary.AppendUvarint(append(dst, kindInt), zigzag(v.Int())), 1 + sov(uint64(v.Int()))
	case pcommon.ValueTypeDouble:
		return binary.LittleEndian.AppendUint64(append(dst, kindDouble), math.Float64bits(v.Double())), 9
	case pcommon.ValueTypeBytes:
		n := v.Bytes().Len()
		dst = binary.AppendUvarint(append(dst, kindBytes), uint64(n))
		return appendBytes(dst, v.Bytes()), field(n)
	case pcommon.ValueTypeSlice:
		return appendSlice(dst, v.Slice())
	case pcommon.ValueTypeMap:
		return appendMap(dst, v.Map())
	}
	return append(dst, kindEmpty), 0
}

func appendSlice(dst []byte, s pcommon.Slice) (out []byte, size int) {
	dst = binary.AppendUvarint(append(dst, kindArray), uint64(s.Len()))
	for _, v := range s.All() {
		var n int
		dst, n = appendNested(dst, v)
		size += field(n)
	}
	return dst, field(size)
}

func appendMap(dst []byte, m pcommon.Map) (out []byte, size int) {
	dst = binary.AppendUvarint(append(dst, kindMap), uint64(m.Len()))
	for k, v := range m.All() {
		dst = appendText(dst, k)
		var n int
		dst, n = appendNested(dst, v)
		n = field(n)
		if len(k) > 0 {
			n += field(len(k))
		}
		size += field(n)
	}
	return dst, field(size)
}
