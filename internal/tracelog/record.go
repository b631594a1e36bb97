package tracelog

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Pos is the place of a record: segment sequence number in the upper, offset in the lower 32 bits. Zero is no place.
// Positions of one log grow with time.
type Pos uint64

func at(seq uint32, off int) Pos { return Pos(seq)<<32 | Pos(uint32(off)) }

// Seq returns the number of the segment.
func (p Pos) Seq() uint32 { return uint32(p >> 32) }

func (p Pos) off() int { return int(uint32(p)) }

func (p Pos) String() string { return fmt.Sprintf("%d:%d", p.Seq(), p.off()) }

const (
	segmentHeader = 64
	recordHeader  = 4
	maxRecord     = 1<<22 - 1
)

type recordKind uint32

const (
	spanRecord recordKind = iota
	resourceRecord
	scopeRecord
	noteRecord
)

var magic = [6]byte{'T', 'G', 'S', 'E', 'G', 1}

// ErrCorrupt is returned for bytes that are no record of this format.
var ErrCorrupt = errors.New("corrupt record")

// putSegmentHeader writes the magic last: a process killed in the middle leaves a segment that was not begun.
func putSegmentHeader(mem []byte, shard int, seq uint32, base uint64) {
	binary.LittleEndian.PutUint16(mem[6:], uint16(shard))
	binary.LittleEndian.PutUint32(mem[8:], seq)
	binary.LittleEndian.PutUint32(mem[12:], uint32(len(mem)))
	binary.LittleEndian.PutUint64(mem[16:], base)
	copy(mem, magic[:])
}

func segmentBase(mem []byte) uint64 { return binary.LittleEndian.Uint64(mem[16:]) }

// putRecordHeader makes the record valid: it is written last, so that a process killed in the middle leaves a zero.
func putRecordHeader(mem []byte, off, length int, kind recordKind, check byte) {
	binary.LittleEndian.PutUint32(mem[off:], uint32(length)|uint32(kind)<<22|uint32(check)<<24)
}

// header reads the record at off; ok is false at the end of the segment and where there is no record.
func header(mem []byte, off int) (kind recordKind, body []byte, ok bool) {
	if off < segmentHeader || off > len(mem)-recordHeader {
		return 0, nil, false
	}
	h := binary.LittleEndian.Uint32(mem[off:])
	length := int(h & maxRecord)
	if length == 0 || length > len(mem)-off-recordHeader {
		return 0, nil, false
	}
	return recordKind(h >> 22 & 3), mem[off+recordHeader : off+recordHeader+length], true
}

func checkOf(mem []byte, off int) byte { return mem[off+3] }

// checksum folds a record, its kind and its length into 8 bits. It finds 255 of 256 torn or overwritten records; the
// decoder, which trusts no length and no offset, is what keeps the rest from doing harm. Only logs that outlive the
// process pay for it.
func checksum(kind recordKind, b []byte) byte {
	h := uint64(len(b)) | uint64(kind)<<22
	for len(b) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(b)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		b = b[8:]
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * 0x9e3779b97f4a7c15
	}
	return byte(h >> 56)
}

func zigzag(v int64) uint64   { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// sov is the number of bytes of v as a varint.
func sov(v uint64) int {
	n := 1
	for v >= 0x80 {
		v >>= 7
		n++
	}
	return n
}

// field is the size of a length-delimited protobuf field with a one byte tag.
func field(length int) int { return 1 + sov(uint64(length)) + length }
