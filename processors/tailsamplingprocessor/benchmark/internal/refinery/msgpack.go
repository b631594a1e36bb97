package refinery

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errShort is a value that ends before it should.
var errShort = errors.New("msgpack: the batch ends within a value")

// A scanner walks over MessagePack (the specification at msgpack.org) and copies nothing. What is asked for and not there
// sets err, after which it stands still and answers zeros.
type scanner struct {
	rest []byte
	err  error
}

// array reads the head of an array and returns how many values follow.
func (s *scanner) array() int { return s.head("array", 0x90, 0xdc) }

// object reads the head of a map and returns how many pairs follow.
func (s *scanner) object() int { return s.head("map", 0x80, 0xde) }

// head reads a length of four bits in the first byte, or of 16 or 32 bits behind it. A value is a byte at least, so that no
// length is believed that exceeds what is left.
func (s *scanner) head(what string, small, wide byte) int {
	first, n := s.byte(), 0
	switch {
	case first&0xf0 == small:
		n = int(first & 0x0f)
	case first == wide:
		n = s.number(2)
	case first == wide+1:
		n = s.number(4)
	default:
		s.fail(fmt.Errorf("msgpack: %#02x where a value of the kind %s begins", first, what))
	}
	if n > len(s.rest) {
		s.fail(errShort)
	}
	if s.err != nil {
		return 0
	}
	return n
}

// str reads a string; it is valid as long as the batch.
func (s *scanner) str() []byte {
	first := s.byte()
	switch {
	case first&0xe0 == 0xa0:
		return s.take(int(first & 0x1f))
	case first == 0xd9:
		return s.take(s.number(1))
	case first == 0xda:
		return s.take(s.number(2))
	case first == 0xdb:
		return s.take(s.number(4))
	}
	s.fail(fmt.Errorf("msgpack: %#02x where a string begins", first))
	return nil
}

// skip passes over one value, whatever it is. It counts open values instead of calling itself: depth is up to the sender.
func (s *scanner) skip() {
	for open := 1; open > 0 && s.err == nil; open-- {
		switch first := s.peek(); {
		case first&0xf0 == 0x90, first == 0xdc, first == 0xdd:
			open += s.array()
		case first&0xf0 == 0x80, first == 0xde, first == 0xdf:
			open += 2 * s.object()
		case first&0xe0 == 0xa0, first >= 0xd9 && first <= 0xdb:
			s.str()
		default:
			s.scalar()
		}
	}
}

// scalar passes over a number, a boolean, nil, binary data or an extension.
func (s *scanner) scalar() {
	switch first := s.byte(); {
	case first < 0x80, first >= 0xe0: // small numbers, in the byte itself
	case first == 0xc0, first == 0xc2, first == 0xc3: // nil, false, true
	case first >= 0xc4 && first <= 0xc6: // binary: a length of 1, 2 or 4 bytes
		s.take(s.number(1 << (first - 0xc4)))
	case first >= 0xc7 && first <= 0xc9: // extension: a length, a type, data
		s.take(s.number(1<<(first-0xc7)) + 1)
	case first == 0xca:
		s.take(4)
	case first == 0xcb:
		s.take(8)
	case first >= 0xcc && first <= 0xcf: // unsigned of 1 to 8 bytes
		s.take(1 << (first - 0xcc))
	case first >= 0xd0 && first <= 0xd3: // signed of 1 to 8 bytes
		s.take(1 << (first - 0xd0))
	case first >= 0xd4 && first <= 0xd8: // extension: a type, 1 to 16 bytes
		s.take(1<<(first-0xd4) + 1)
	default:
		s.fail(fmt.Errorf("msgpack: no value begins with %#02x", first))
	}
}

// number reads an unsigned number of 1, 2 or 4 bytes.
func (s *scanner) number(width int) int {
	b := s.take(width)
	switch len(b) {
	case 1:
		return int(b[0])
	case 2:
		return int(binary.BigEndian.Uint16(b))
	case 4:
		return int(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (s *scanner) peek() byte {
	if len(s.rest) == 0 {
		s.fail(errShort)
		return 0
	}
	return s.rest[0]
}

func (s *scanner) byte() byte {
	b := s.take(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (s *scanner) take(n int) []byte {
	if s.err == nil && n > len(s.rest) {
		s.fail(errShort)
	}
	if s.err != nil {
		return nil
	}
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b
}

func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}
