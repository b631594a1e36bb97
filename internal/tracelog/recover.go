package tracelog

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Note is a record that says what became of a trace, so that a log that is read back is not decided twice. What and
// Data are the owner's.
type Note struct {
	ID   [16]byte
	What byte
	Data uint64
}

// AppendNote adds n. base is as in Append.
func (l *Log) AppendNote(base uint64, n Note) error {
	if l.tryNote(n) {
		return nil
	}
	if err := l.roll(base, l.set.SegmentSize); err != nil {
		return err
	}
	if !l.tryNote(n) {
		return fmt.Errorf("note of %d bytes does not fit in an empty segment", 16+1+8)
	}
	return nil
}

func (l *Log) tryNote(n Note) bool {
	e := &l.enc
	e.full = false
	if e.buf == nil || !e.room(recordHeader+32) {
		return false
	}
	start := e.w
	e.w += recordHeader
	e.w += copy(e.buf[e.w:], n.ID[:])
	e.byte(n.What)
	e.uint64(n.Data)
	return l.seal(start, noteRecord)
}

// Former is a segment that a log of a former life has left in the store.
type Former struct {
	Seq uint64
	Mem []byte
}

// Adopt makes segments of a former life, oldest first, the closed segments of an empty log, and returns them. What has
// not the header of a segment of this log goes back to the store at once; damaged counts those of them that are more than
// a segment which the former life did not come to begin.
func (l *Log) Adopt(former []Former) (adopted []Former, damaged int) {
	for _, f := range former {
		if !validSegment(f.Mem, l.set.Shard, f.Seq) {
			if !notBegun(f.Mem) {
				damaged++
			}
			l.set.Store.Free(l.set.Shard, f.Seq, f.Mem)
			continue
		}
		adopted = append(adopted, f)
		l.segments = append(l.segments, &segment{seq: uint32(f.Seq), mem: f.Mem, end: len(f.Mem), checked: l.set.Checksums})
		l.bytes += int64(len(f.Mem))
		l.next = uint32(f.Seq) + 1
	}
	return adopted, damaged
}

// Record is what Scan finds.
type Record struct {
	Pos   Pos
	ID    [16]byte
	HasID bool // else the record continues the trace whose newest record so far is Prev
	Prev  Pos
	Note  *Note // of a note; its ID is set, too
}

// Scan visits the span and note records of a segment of a former life in order. It ends at the segment's end or where
// bytes are no record of this log any more: torn is then the offset, else 0.
func Scan(f Former, shard int, visit func(Record)) (torn int) {
	mem := f.Mem
	if !validSegment(mem, shard, f.Seq) {
		return segmentHeader
	}
	for off := segmentHeader; ; {
		kind, body, ok := header(mem, off)
		if !ok {
			return tearAt(mem, off)
		}
		if checkOf(mem, off) != checksum(kind, body) {
			return off
		}
		if kind == spanRecord || kind == noteRecord {
			rec, err := scanRecord(mem, at(uint32(f.Seq), off), kind, body)
			if err != nil {
				return off
			}
			visit(rec)
		}
		off += recordHeader + len(body)
	}
}

// maxSeq is far beyond what any log reaches (2^31 segments of 64 KiB are 128 TiB): a number above it is damage, and
// the numbers that follow it would overflow.
const maxSeq = 1<<31 - 1

func validSegment(mem []byte, shard int, seq uint64) bool {
	return len(mem) >= segmentHeader && [6]byte(mem) == magic && seq <= maxSeq &&
		int(binary.LittleEndian.Uint16(mem[6:])) == shard && uint64(binary.LittleEndian.Uint32(mem[8:])) == seq
}

// notBegun tells a segment that its former owner was killed over, before it had a header.
func notBegun(mem []byte) bool {
	return len(mem) >= segmentHeader && [6]byte(mem) == [6]byte{} &&
		!slices.ContainsFunc(mem[segmentHeader:], func(b byte) bool { return b != 0 })
}

// tearAt tells the end of a segment (zeros) from a record header that cannot be.
func tearAt(mem []byte, off int) int {
	if off <= len(mem)-recordHeader && binary.LittleEndian.Uint32(mem[off:]) != 0 {
		return off
	}
	return 0
}

func scanRecord(mem []byte, pos Pos, kind recordKind, body []byte) (Record, error) {
	if kind == noteRecord {
		if len(body) != 16+1+8 {
			return Record{}, fmt.Errorf("%w: %s", ErrCorrupt, pos)
		}
		n := &Note{ID: [16]byte(body), What: body[16], Data: binary.LittleEndian.Uint64(body[17:])}
		return Record{Pos: pos, ID: n.ID, HasID: true, Note: n}, nil
	}
	r, err := record(mem, pos.off(), spanRecord)
	if err != nil {
		return Record{}, err
	}
	h := r.spanHead(pos)
	if r.bad {
		return Record{}, fmt.Errorf("%w: %s", ErrCorrupt, pos)
	}
	return Record{Pos: pos, ID: h.id, HasID: h.flags&hasTraceID != 0, Prev: h.prev}, nil
}
