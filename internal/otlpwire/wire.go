package otlpwire

import "encoding/binary"

// uvarint reads the varint at pos of b and returns the position after it, or -1 if b ends within it or it is longer
// than ten bytes. Bits beyond the 64th are dropped silently, as pdata does and the protobuf encoding guide allows.
func uvarint(b []byte, pos int) (uint64, int) {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		if uint(pos) >= uint(len(b)) {
			return 0, -1
		}
		c := b[pos]
		pos++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, pos
		}
	}
	return 0, -1
}

// tag reads the field tag at pos. A field number is 32 bits wide, and pdata cuts what is longer before it looks whether
// the number is known, so 1<<32|1 is field 1. Numbers below 1 after the cut are refused with -1.
func tag(b []byte, pos int) (Field, int) {
	v, pos := uvarint(b, pos)
	if pos < 0 || int32(v>>3) <= 0 {
		return 0, -1
	}
	return Field(uint64(uint32(v>>3))<<3 | v&7), pos
}

// payload reads the length at pos and returns where the content begins and ends, or -1 if it does not
// fit into b.
func payload(b []byte, pos int) (start, end int) {
	n, start := uvarint(b, pos)
	if start < 0 || n > uint64(len(b)-start) {
		return -1, -1
	}
	return start, start + int(n)
}

// skip passes over the content, at pos, of a field nobody knows and returns the position after it, or -1.
//
// Groups follow pdata v1.67 (internal/proto.ConsumeUnknown) to the letter, which is not what protobuf says: the first
// non-group field inside a group ends the skip, whatever is still open; end tags are not compared with start tags; and
// a group whose last end tag is the last byte of its message counts as cut short.
func skip(b []byte, pos int, wire uint64) int {
	for depth := 0; pos < len(b); {
		switch wire {
		case wireVarint:
			_, pos = uvarint(b, pos)
			return pos
		case wireFixed64:
			return within(b, pos+8)
		case wireFixed32:
			return within(b, pos+4)
		case wireBytes:
			_, pos = payload(b, pos)
			return pos
		case wireStartGroup:
			depth++
		case wireEndGroup:
			if depth == 0 {
				return -1
			}
			depth--
		default:
			return -1
		}
		if depth == 0 {
			return pos
		}
		var next Field
		if next, pos = tag(b, pos); pos < 0 {
			return -1
		}
		wire = uint64(next & 7)
	}
	return -1
}

// within returns pos, or -1 if that is beyond the end of b.
func within(b []byte, pos int) int {
	if pos > len(b) {
		return -1
	}
	return pos
}

// Fields walks over the fields of one message in the order of the wire. Known and unknown fields alike are handed out;
// of an unknown group only the tag is meaningful. The zero value is an empty message.
type Fields struct {
	// Field is the current field, and Bytes its content: a message or text, or a number as it is encoded. Num is the
	// number, or 0.
	Field Field
	Num   uint64
	Bytes []byte

	b          []byte
	start, pos int
}

// ReadFields returns a walk over message, standing before its first field.
func ReadFields(message []byte) Fields { return Fields{b: message} }

// Raw returns the bytes of the current field, tag and length included: what to append to copy the field.
func (f *Fields) Raw() []byte { return f.b[f.start:f.pos] }

// Next moves to the next field and reports whether there is one.
func (f *Fields) Next() bool {
	f.start = f.pos
	field, num, content, pos := next(f.b, f.pos)
	f.Field, f.Num, f.pos = field, num, pos
	f.Bytes = f.b[content:pos:pos]
	return field != 0
}

// next reads the field at pos of b and returns it, its number if it is one, where its content begins, and the position
// after it. At the end of b, and where b is malformed, the field is 0 and both positions are len(b).
//
// Hot readers loop over next, which keeps everything in registers; Fields passes through memory.
func next(b []byte, pos int) (f Field, num uint64, content, end int) {
	if uint(pos) >= uint(len(b)) {
		return 0, 0, len(b), len(b)
	}
	f = Field(b[pos])
	pos++
	if f >= 0x80 {
		if f, pos = tag(b, pos-1); pos < 0 {
			return 0, 0, len(b), len(b)
		}
	}
	if f&7 == wireBytes && uint(pos) < uint(len(b)) && b[pos] < 0x80 {
		content = pos + 1
		if end = content + int(b[pos]); end <= len(b) {
			return f, 0, content, end
		}
		return 0, 0, len(b), len(b)
	}
	return nextOther(b, pos, f)
}

// nextOther is next for fields that are not short strings of bytes; pos is after the tag.
func nextOther(b []byte, pos int, f Field) (_ Field, num uint64, content, end int) {
	content = pos
	switch f & 7 {
	case wireBytes:
		content, end = payload(b, pos)
	case wireVarint:
		num, end = uvarint(b, pos)
	case wireFixed64:
		if end = within(b, pos+8); end > 0 {
			num = binary.LittleEndian.Uint64(b[pos:])
		}
	case wireFixed32:
		if end = within(b, pos+4); end > 0 {
			num = uint64(binary.LittleEndian.Uint32(b[pos:]))
		}
	default:
		end = skip(b, pos, uint64(f&7))
	}
	if end < 0 {
		return 0, 0, len(b), len(b)
	}
	return f, num, content, end
}
