package tracelog

import (
	"encoding/binary"
	"hash/maphash"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Value is a span attribute's value as a Marker sees it. Str is only valid during the call.
type Value struct {
	Type pcommon.ValueType
	Str  string
	Int  int64 // of ValueTypeInt; 0 or 1 of ValueTypeBool
}

// A Marker says what an attribute means to the owner of the log. The log remembers the answer with the text, so that it
// asks once for each distinct attribute of a segment and not once per span.
type Marker interface {
	// SpanKey reports whether span attributes with this key mean anything at all.
	SpanKey(key string) bool
	// MarkSpan returns a mark below 2^30; 0 means nothing.
	MarkSpan(key string, v Value) uint32
	// MarkResource returns the mark of a whole resource.
	MarkResource(pcommon.Map) uint32
}

// encoder writes records into the open segment.
type encoder struct {
	buf     []byte // the segment
	w       int
	full    bool // the record does not fit; what was written of it is void
	table   table
	marker  Marker
	marks   []uint32 // of the span being written, zero marks left out
	scratch []byte   // nested values, bytes
}

// room reports whether n more bytes fit.
func (e *encoder) room(n int) bool {
	if n > len(e.buf)-e.w {
		e.full = true
	}
	return !e.full
}

func (e *encoder) byte(b byte) {
	e.buf[e.w] = b
	e.w++
}

func (e *encoder) uvarint(v uint64) {
	for v >= 0x80 {
		e.buf[e.w] = byte(v) | 0x80
		e.w++
		v >>= 7
	}
	e.buf[e.w] = byte(v)
	e.w++
}

func (e *encoder) uint64(v uint64) {
	binary.LittleEndian.PutUint64(e.buf[e.w:], v)
	e.w += 8
}

func (e *encoder) text(s string) {
	e.uvarint(uint64(len(s)))
	e.w += copy(e.buf[e.w:], s)
}

// string writes s, as an offset when it stands earlier in the segment.
func (e *encoder) string(s string) {
	if !e.room(len(s) + 12) {
		return
	}
	h := kindOf(maphash.String(e.table.seed, s), stringHash)
	b := e.table.bucket(h)
	for i := range b {
		if b[i].hash == h && b[i].off != 0 && e.textAt(int(b[i].off), s) {
			b[i].note |= slotUsed
			e.uvarint(uint64(b[i].off))
			return
		}
	}
	e.byte(0)
	off := e.w
	e.text(s)
	e.table.add(h, off)
}

// textAt reports whether the text at off equals s. Offsets come from the table and are valid.
func (e *encoder) textAt(off int, s string) bool {
	n, w := uvarint(e.buf[off:])
	off += w
	return int(n) == len(s) && string(e.buf[off:off+len(s)]) == s
}

// attributes writes the attributes of a span (marked) or of something else and returns their size as protobuf fields.
func (e *encoder) attributes(m pcommon.Map, marked bool) int {
	if !e.room(10) {
		return 0
	}
	e.uvarint(uint64(m.Len()))
	size := 0
	for k, v := range m.All() {
		size += e.attribute(k, v, marked)
		if e.full {
			return 0
		}
	}
	return size
}

// attribute writes one attribute: the offset of its twin times two plus one, or the offset of its key times two (0 and
// the key itself when that is new) and the value.
func (e *encoder) attribute(k string, v pcommon.Value, marked bool) int {
	val := e.flatten(v)
	size := field(val.size)
	if len(k) > 0 {
		size += field(len(k))
	}
	if !e.room(len(k) + len(val.str) + 32) {
		return 0
	}
	keyHash := maphash.String(e.table.seed, k)
	h := kindOf(mix(keyHash, val.hash(e.table.seed)), attrHash)
	b := e.table.bucket(h)
	for i := range b {
		if s := &b[i]; s.hash == h && s.off != 0 && e.attributeAt(int(s.off), k, val) {
			s.note |= slotUsed
			e.uvarint(uint64(s.off)<<1 | 1)
			if marked {
				e.mark(s, k, val)
			}
			return field(size)
		}
	}
	off := e.w
	boring := e.key(kindOf(keyHash, stringHash), k, marked)
	e.value(val)
	s := e.table.add(h, off)
	switch {
	case !marked:
	case boring:
		if s != nil {
			s.note |= 1
		}
	default:
		e.mark(s, k, val)
	}
	return field(size)
}

// mark remembers in s, and for the span, what the attribute means. Notes of attributes are 0 for unknown, else the mark
// plus one.
func (e *encoder) mark(s *slot, k string, val flat) {
	if s == nil {
		if m := e.marker.MarkSpan(k, val.value()); m != 0 {
			e.marks = append(e.marks, m)
		}
		return
	}
	if s.note&^slotUsed == 0 {
		s.note |= e.marker.MarkSpan(k, val.value()) + 1
	}
	if m := s.note&^slotUsed - 1; m != 0 {
		e.marks = append(e.marks, m)
	}
}

// key writes the key of a new attribute and reports whether no condition asks for it. Notes of keys are 0 for unknown,
// 1 for boring, 2 for asked for.
func (e *encoder) key(h uint64, k string, marked bool) (boring bool) {
	var s *slot
	b := e.table.bucket(h)
	for i := range b {
		if b[i].hash == h && b[i].off != 0 && e.textAt(int(b[i].off), k) {
			s = &b[i]
			break
		}
	}
	if s != nil {
		s.note |= slotUsed
		e.uvarint(uint64(s.off) << 1)
	} else {
		e.byte(0)
		off := e.w
		e.text(k)
		s = e.table.add(h, off)
	}
	if !marked {
		return false
	}
	if s == nil {
		return !e.marker.SpanKey(k)
	}
	if s.note&^slotUsed == 0 {
		if e.marker.SpanKey(k) {
			s.note |= 2
		} else {
			s.note |= 1
		}
	}
	return s.note&^slotUsed == 1
}

// attributeAt reports whether the attribute that starts at off is k = val.
func (e *encoder) attributeAt(off int, k string, val flat) bool {
	tok, w := uvarint(e.buf[off:])
	off += w
	if tok == 0 {
		n, w := uvarint(e.buf[off:])
		off += w
		if int(n) != len(k) || string(e.buf[off:off+len(k)]) != k {
			return false
		}
		off += len(k)
	} else if !e.textAt(int(tok>>1), k) {
		return false
	}
	if e.buf[off] != val.kind {
		return false
	}
	off++
	switch val.kind {
	case kindInt:
		n, _ := uvarint(e.buf[off:])
		return n == zigzag(int64(val.num))
	case kindDouble:
		return binary.LittleEndian.Uint64(e.buf[off:]) == val.num
	case kindString, kindBytes, kindNested:
		return e.textAt(off, val.str)
	}
	return true
}

// value writes a flattened value. The room was asked for by the caller.
func (e *encoder) value(val flat) {
	e.byte(val.kind)
	switch val.kind {
	case kindInt:
		e.uvarint(zigzag(int64(val.num)))
	case kindDouble:
		e.uint64(val.num)
	case kindString, kindBytes, kindNested:
		e.text(val.str)
	}
}

// The kinds of values in a record.
const (
	kindEmpty byte = iota
	kindString
	kindFalse
	kindTrue
	kindInt
	kindDouble
	kindBytes
	kindNested // an array or a map, written by appendNested
	kindArray
	kindMap
)

// flat is a value with its nested parts laid out as bytes.
type flat struct {
	kind byte
	str  string // of strings, bytes and nested values; may point into the encoder's scratch
	num  uint64
	size int // of the AnyValue message, bytes
}

func (f flat) hash(seed maphash.Seed) uint64 {
	switch f.kind {
	case kindString:
		return maphash.String(seed, f.str)
	case kindBytes, kindNested:
		return maphash.String(seed, f.str) + uint64(f.kind)
	}
	return mix(f.num, uint64(f.kind)<<56)
}

func (f flat) value() Value {
	switch f.kind {
	case kindString:
		return Value{Type: pcommon.ValueTypeStr, Str: f.str}
	case kindFalse:
		return Value{Type: pcommon.ValueTypeBool}
	case kindTrue:
		return Value{Type: pcommon.ValueTypeBool, Int: 1}
	case kindInt:
		return Value{Type: pcommon.ValueTypeInt, Int: int64(f.num)}
	case kindDouble:
		return Value{Type: pcommon.ValueTypeDouble}
	case kindBytes:
		return Value{Type: pcommon.ValueTypeBytes}
	case kindNested:
		return Value{Type: pcommon.ValueTypeMap}
	}
	return Value{}
}

func (e *encoder) flatten(v pcommon.Value) flat {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		s := v.Str()
		return flat{kind: kindString, str: s, size: field(len(s))}
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return flat{kind: kindTrue, size: 2}
		}
		return flat{kind: kindFalse, size: 2}
	case pcommon.ValueTypeInt:
		return flat{kind: kindInt, num: uint64(v.Int()), size: 1 + sov(uint64(v.Int()))}
	case pcommon.ValueTypeDouble:
		return flat{kind: kindDouble, num: math.Float64bits(v.Double()), size: 9}
	case pcommon.ValueTypeBytes:
		e.scratch = appendBytes(e.scratch[:0], v.Bytes())
		return flat{kind: kindBytes, str: view(e.scratch), size: field(len(e.scratch))}
	case pcommon.ValueTypeSlice, pcommon.ValueTypeMap:
		var size int
		e.scratch, size = appendNested(e.scratch[:0], v)
		return flat{kind: kindNested, str: view(e.scratch), size: size}
	}
	return flat{}
}
