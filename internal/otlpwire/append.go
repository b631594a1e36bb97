package otlpwire

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// SizeUvarint returns how many bytes v takes as a varint: 7 bits each.
func SizeUvarint(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// SizeBytes returns how many bytes field f takes with a content of n bytes.
func SizeBytes(f Field, n int) int { return SizeUvarint(uint64(f)) + SizeUvarint(uint64(n)) + n }

// SizeText is SizeBytes for a field that AppendText leaves out when it is empty.
func SizeText(f Field, n int) int {
	if n == 0 {
		return 0
	}
	return SizeBytes(f, n)
}

// SizeUint returns how many bytes field f takes with the value v, which is none if v is 0.
func SizeUint(f Field, v uint64) int {
	if v == 0 {
		return 0
	}
	return SizeUvarint(uint64(f)) + SizeUvarint(v)
}

// AppendHeader appends the tag of f and the length n. The caller must append n bytes next. Where sizes are known in
// advance this is cheaper than Begin and End.
func AppendHeader(dst []byte, f Field, n int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(f)), uint64(n))
}

// AppendBytes appends f with the content b, even if that is empty: pdata does so for messages, ids and elements of lists.
func AppendBytes[T ~string | ~[]byte](dst []byte, f Field, b T) []byte {
	return append(AppendHeader(dst, f, len(b)), b...)
}

// AppendText appends f with the content s, or nothing if s is empty, as pdata does for names, keys and URLs.
func AppendText[T ~string | ~[]byte](dst []byte, f Field, s T) []byte {
	if len(s) == 0 {
		return dst
	}
	return AppendBytes(dst, f, s)
}

// AppendUint appends a varint field, or nothing if v is 0. Enums and other signed numbers are passed as uint64(v), which
// extends the sign.
func AppendUint(dst []byte, f Field, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(f)), v)
}

// AppendFixed64 appends an eight-byte field, or nothing if v is 0.
func AppendFixed64(dst []byte, f Field, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint64(binary.AppendUvarint(dst, uint64(f)), v)
}

// AppendFixed32 appends a four-byte field, or nothing if v is 0.
func AppendFixed32(dst []byte, f Field, v uint32) []byte {
	if v == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint32(binary.AppendUvarint(dst, uint64(f)), v)
}

// AppendTraceID appends f with id, with no content if id is zero.
func AppendTraceID(dst []byte, f Field, id TraceID) []byte {
	if id == (TraceID{}) {
		return AppendHeader(dst, f, 0)
	}
	return AppendBytes(dst, f, id[:])
}

// AppendSpanID appends f with id, with no content if id is zero.
func AppendSpanID(dst []byte, f Field, id SpanID) []byte {
	if id == (SpanID{}) {
		return AppendHeader(dst, f, 0)
	}
	return AppendBytes(dst, f, id[:])
}

// Mark remembers where a message begins whose length is not yet known.
type Mark struct{ content, width int }

// Begin appends the tag of f and room for its length. Append the content next, then call End with the mark. Begin and
// End nest. guess is how long the content may become; only the number of bytes its length takes matters, 0 to 127 being
// one class, 128 to 16383 the next. A wrong class costs End one move of the content.
func Begin(dst []byte, f Field, guess int) ([]byte, Mark) {
	width := SizeUvarint(uint64(guess))
	dst = binary.AppendUvarint(dst, uint64(f))
	dst = append(dst, make([]byte, width)...)
	return dst, Mark{content: len(dst), width: width}
}

// End writes the length of the message that Begin marked: all that was appended to dst since.
func End(dst []byte, m Mark) []byte {
	n := len(dst) - m.content
	width := SizeUvarint(uint64(n))
	switch {
	case width > m.width:
		dst = append(dst, make([]byte, width-m.width)...)
		copy(dst[m.content+width-m.width:], dst[m.content:m.content+n])
	case width < m.width:
		copy(dst[m.content+width-m.width:], dst[m.content:])
		dst = dst[:len(dst)+width-m.width]
	}
	binary.PutUvarint(dst[m.content-m.width:m.content-m.width+width], uint64(n))
	return dst
}

// SizeValue returns the size of v as an AnyValue message, that is of what AppendValue appends.
func SizeValue(v Value) int {
	switch v.typ {
	case TypeEmpty:
		return 0
	case TypeBool:
		return 2
	case TypeInt:
		return 1 + SizeUvarint(v.number())
	case TypeStrIndex:
		return 1 + SizeUvarint(v.index())
	case TypeDouble:
		return 9
	}
	return SizeBytes(ValueStr, len(v.data))
}

// AppendValue appends the AnyValue message of v. Unlike the scalars of other messages, a zero inside a value is written:
// it is what tells an empty string from no value.
func AppendValue(dst []byte, v Value) []byte {
	switch v.typ {
	case TypeStr:
		return AppendBytes(dst, ValueStr, v.data)
	case TypeBytes:
		return AppendBytes(dst, ValueBytes, v.data)
	case TypeSlice:
		return AppendBytes(dst, ValueArray, v.data)
	case TypeMap:
		return AppendBytes(dst, ValueMap, v.data)
	case TypeBool:
		return appendBool(dst, v.Bool())
	case TypeInt:
		return binary.AppendUvarint(append(dst, byte(ValueInt)), v.number())
	case TypeStrIndex:
		return binary.AppendUvarint(append(dst, byte(ValueStrIndex)), v.index())
	case TypeDouble:
		return append(append(dst, byte(ValueDouble)), v.data...)
	}
	return dst
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, byte(ValueBool), 1)
	}
	return append(dst, byte(ValueBool), 0)
}

// index is the number of a TypeStrIndex as it is written: 32 bits, sign extended.
func (v Value) index() uint64 { return uint64(int32(v.number())) }

// SizeKeyValue returns the size of kv as a message, without the tag and length of the field it will stand in.
func SizeKeyValue(kv *KeyValue) int {
	return SizeUint(KeyValueKeyIndex, uint64(kv.KeyIndex)) + SizeBytes(KeyValueValue, SizeValue(kv.Value)) +
		SizeText(KeyValueKey, len(kv.Key))
}

// AppendKeyValue appends kv as field f: SpanAttributes, ResourceAttributes, ListValues for an entry of a map, and so on.
func AppendKeyValue(dst []byte, f Field, kv *KeyValue) []byte {
	dst = AppendHeader(dst, f, SizeKeyValue(kv))
	dst = AppendUint(dst, KeyValueKeyIndex, uint64(kv.KeyIndex))
	dst = AppendHeader(dst, KeyValueValue, SizeValue(kv.Value))
	dst = AppendValue(dst, kv.Value)
	return AppendText(dst, KeyValueKey, kv.Key)
}

// AppendStr appends an attribute with a string value as field f.
func AppendStr[K, V ~string | ~[]byte](dst []byte, f Field, key K, s V) []byte {
	dst = appendPair(dst, f, len(key), SizeBytes(ValueStr, len(s)))
	dst = AppendBytes(dst, ValueStr, s)
	return AppendText(dst, KeyValueKey, key)
}

// AppendInt appends an attribute with an integer value as field f.
func AppendInt[K ~string | ~[]byte](dst []byte, f Field, key K, i int64) []byte {
	dst = appendPair(dst, f, len(key), 1+SizeUvarint(uint64(i)))
	dst = binary.AppendUvarint(append(dst, byte(ValueInt)), uint64(i))
	return AppendText(dst, KeyValueKey, key)
}

// AppendDouble appends an attribute with a floating-point value as field f.
func AppendDouble[K ~string | ~[]byte](dst []byte, f Field, key K, x float64) []byte {
	dst = appendPair(dst, f, len(key), 9)
	dst = binary.LittleEndian.AppendUint64(append(dst, byte(ValueDouble)), math.Float64bits(x))
	return AppendText(dst, KeyValueKey, key)
}

// AppendBool appends an attribute with a boolean value as field f.
func AppendBool[K ~string | ~[]byte](dst []byte, f Field, key K, b bool) []byte {
	return AppendText(appendBool(appendPair(dst, f, len(key), 2), b), KeyValueKey, key)
}

// appendPair appends what comes before the value in a KeyValue as field f whose key and AnyValue have these lengths.
func appendPair(dst []byte, f Field, key, value int) []byte {
	dst = AppendHeader(dst, f, SizeBytes(KeyValueValue, value)+SizeText(KeyValueKey, key))
	return AppendHeader(dst, KeyValueValue, value)
}
