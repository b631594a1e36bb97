package traffic

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A mark is a place in a request that gets a new value each round. Marked values have a fixed width, so that a request
// is re-marked without moving a byte.
type mark struct {
	at    uint32
	width uint8
	kind  markKind
	seed  uint64 // equal seeds of one kind give equal values within a round: a parent id is its parent's span id
}

type markKind uint8

const (
	markID     markKind = iota // trace and span ids: random bytes
	markTime                   // fixed64 nanoseconds: moves on by one round
	markHex                    // a string of hex digits
	markVarint                 // an integer whose varint is width bytes long
)

// A writer appends protobuf in the order of field numbers, as SDKs do, and remembers its marks.
type writer struct {
	buf   []byte
	marks []mark
}

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

func (w *writer) tag(field, wire int) { w.buf = binary.AppendUvarint(w.buf, uint64(field<<3|wire)) }

func (w *writer) varint(field int, v uint64) {
	w.tag(field, wireVarint)
	w.buf = binary.AppendUvarint(w.buf, v)
}

func (w *writer) fixed64(field int, v uint64) {
	w.tag(field, wireFixed64)
	w.buf = binary.LittleEndian.AppendUint64(w.buf, v)
}

func (w *writer) fixed32(field int, v uint32) {
	w.tag(field, wireFixed32)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, v)
}

func (w *writer) str(field int, s string) {
	w.tag(field, wireBytes)
	w.buf = binary.AppendUvarint(w.buf, uint64(len(s)))
	w.buf = append(w.buf, s...)
}

// message writes a nested message. The length goes in front once it is known: the body moves up, and its marks with it.
func (w *writer) message(field int, body func()) {
	w.tag(field, wireBytes)
	start, firstMark := len(w.buf), len(w.marks)
	body()
	size := binary.AppendUvarint(nil, uint64(len(w.buf)-start))
	w.buf = slices.Insert(w.buf, start, size...)
	for i := range w.marks[firstMark:] {
		w.marks[firstMark+i].at += uint32(len(size))
	}
}

// mark marks the last width bytes written.
func (w *writer) mark(kind markKind, width int, seed uint64) {
	w.marks = append(w.marks, mark{at: uint32(len(w.buf) - width), width: uint8(width), kind: kind, seed: seed})
}

func (w *writer) id(field, width int, seed uint64) {
	w.str(field, string(make([]byte, width)))
	w.mark(markID, width, seed)
}

func (w *writer) time(field int, nanos uint64) {
	w.fixed64(field, nanos)
	w.mark(markTime, 8, 0)
}

// apply writes the values of a round into buf. step is the time that a round lasts.
func apply(buf []byte, marks []mark, round, step uint64) {
	for i := range marks {
		m := &marks[i]
		at := buf[m.at : m.at+uint32(m.width)]
		switch m.kind {
		case markID:
			putRandom(at, m.seed, round)
		case markTime:
			binary.LittleEndian.PutUint64(at, binary.LittleEndian.Uint64(at)+step)
		case markHex:
			putDigits(at, m.seed, round)
		case markVarint:
			v := mix(m.seed, round)
			for j := range at {
				at[j] = byte(v) | 0x80
				v >>= 7
			}
			at[len(at)-1] = at[len(at)-1]&0x7f | 1 // ends here, and not in a zero: that would be a longer spelling
		}
	}
}

func putRandom(dst []byte, seed, round uint64) {
	var word [8]byte
	for i := 0; i < len(dst); i += 8 {
		binary.LittleEndian.PutUint64(word[:], mix(seed+uint64(i)<<56, round))
		copy(dst[i:], word[:])
	}
}

// putDigits is putRandom for text: sixteen hex digits from each word.
func putDigits(dst []byte, seed, round uint64) {
	var word uint64
	for i := range dst {
		if i%16 == 0 {
			word = mix(seed+uint64(i)<<56, round)
		}
		dst[i] = "0123456789abcdef"[word&15]
		word >>= 4
	}
}

// mix hashes two words into one: the finalizer of SplitMix64 over their combination.
func mix(a, b uint64) uint64 {
	z := a*0x9e3779b97f4a7c15 + bits.RotateLeft64(b+1, 32)*0xd1342543de82ef95
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
