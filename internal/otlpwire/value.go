package otlpwire

import "math"

// Type says what a Value holds. The numbers are those of pdata's pcommon.ValueType, which has no TypeStrIndex.
type Type uint8

// The types of values.
const (
	TypeEmpty Type = iota
	TypeStr
	TypeInt
	TypeDouble
	TypeBool
	TypeMap
	TypeSlice
	TypeBytes
	// TypeStrIndex is an index into the string table of a profile. It has no meaning in a trace, where pdata shows it
	// as an empty value.
	TypeStrIndex
)

// Value is an attribute value, OTLP's AnyValue. The zero value is the empty value.
type Value struct {
	typ  Type
	num  uint64
	data []byte
}

// StrValue returns s as a string value; it aliases s.
func StrValue(s []byte) Value { return Value{typ: TypeStr, data: s} }

// BytesValue returns b as a bytes value; it aliases b.
func BytesValue(b []byte) Value { return Value{typ: TypeBytes, data: b} }

// IntValue returns an integer value.
func IntValue(i int64) Value { return Value{typ: TypeInt, num: uint64(i)} }

// DoubleValue returns a floating-point value.
func DoubleValue(f float64) Value { return Value{typ: TypeDouble, num: math.Float64bits(f)} }

// BoolValue returns a boolean value.
func BoolValue(b bool) Value {
	if b {
		return Value{typ: TypeBool, num: 1}
	}
	return Value{typ: TypeBool}
}

// SliceValue returns a list whose ArrayValue message is raw; MapValue one whose KeyValueList message is raw.
func SliceValue(raw []byte) Value { return Value{typ: TypeSlice, data: raw} }

// MapValue returns a map whose KeyValueList message is raw.
func MapValue(raw []byte) Value { return Value{typ: TypeMap, data: raw} }

// Type returns what v holds.
func (v *Value) Type() Type { return v.typ }

// Str returns the content of a string, and of a bytes value; of other values nothing.
func (v *Value) Str() []byte {
	if v.typ != TypeStr && v.typ != TypeBytes {
		return nil
	}
	return v.data
}

// Int returns the integer, or the index of a TypeStrIndex; 0 for other values.
func (v *Value) Int() int64 {
	if v.typ != TypeInt && v.typ != TypeStrIndex {
		return 0
	}
	return int64(v.num)
}

// Double returns the floating-point number; 0 for other values.
func (v *Value) Double() float64 {
	if v.typ != TypeDouble {
		return 0
	}
	return math.Float64frombits(v.num)
}

// Bool returns the boolean; false for other values.
func (v *Value) Bool() bool { return v.typ == TypeBool && v.num != 0 }

// Slice iterates over the elements of a list; there are none in other values. Each one's bytes are for ReadValue.
func (v *Value) Slice() Messages {
	if v.typ != TypeSlice {
		return Messages{}
	}
	return Messages{fields: ReadFields(v.data), field: ListValues, left: -1}
}

// Map iterates over the entries of a map; there are none in other values.
func (v *Value) Map() KeyValues {
	if v.typ != TypeMap {
		return KeyValues{}
	}
	return ReadAttributes(ListValues, v.data)
}

// ReadValue returns the value in raw, an AnyValue message, and aliases raw.
func ReadValue(raw []byte) Value {
	var v Value
	v.decode(raw)
	return v
}

// decode merges raw into v: the last field counts, and if there is none v stays as it is.
func (v *Value) decode(raw []byte) {
	for f := ReadFields(raw); f.Next(); {
		switch f.Field {
		case ValueStr:
			*v = Value{typ: TypeStr, data: f.Bytes}
		case ValueBool:
			*v = BoolValue(f.Num != 0)
		case ValueInt:
			*v = Value{typ: TypeInt, num: f.Num}
		case ValueDouble:
			*v = Value{typ: TypeDouble, num: f.Num}
		case ValueArray:
			*v = Value{typ: TypeSlice, data: f.Bytes}
		case ValueMap:
			*v = Value{typ: TypeMap, data: f.Bytes}
		case ValueBytes:
			*v = Value{typ: TypeBytes, data: f.Bytes}
		case ValueStrIndex:
			*v = Value{typ: TypeStrIndex, num: uint64(int32(f.Num))}
		}
	}
}

// KeyValue is an attribute, or an entry of a map value.
type KeyValue struct {
	Key   []byte
	Value Value
	// KeyIndex refers to the string table of a profile. In a trace it means nothing but travels along.
	KeyIndex int32
}

// Decode sets kv to the message in raw, and aliases raw.
func (kv *KeyValue) Decode(raw []byte) {
	*kv = KeyValue{}
	for f := ReadFields(raw); f.Next(); {
		switch f.Field {
		case KeyValueKey:
			kv.Key = f.Bytes
		case KeyValueValue:
			kv.Value.decode(f.Bytes)
		case KeyValueKeyIndex:
			kv.KeyIndex = int32(f.Num)
		}
	}
}

// KeyValues iterates over attributes: after each Next that returns true, Key and Value are those of the current one.
type KeyValues struct {
	KeyValue

	fields Fields
	field  Field
	left   int // how many are still to come; negative if that is not known
}

// ReadAttributes iterates over the attributes in message, which are its field f: ResourceAttributes for a Resource,
// ScopeAttributes for an InstrumentationScope, and so on.
func ReadAttributes(f Field, message []byte) KeyValues {
	return KeyValues{fields: ReadFields(message), field: f, left: -1}
}

// Next moves to the next attribute.
func (it *KeyValues) Next() bool {
	if it.left == 0 || !it.fields.seek(it.field) {
		return false
	}
	it.left--
	it.KeyValue.Decode(it.fields.Bytes)
	return true
}

// Raw returns the bytes of the current KeyValue message.
func (it *KeyValues) Raw() []byte { return it.fields.Bytes }
