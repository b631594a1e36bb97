package tracelog

import (
	"encoding/binary"
	"fmt"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// reader reads a segment's bytes. It trusts nothing: after the first thing that cannot be, bad is set and everything
// reads as zero, so that bytes from a disk can do no harm.
type reader struct {
	mem []byte
	p   int
	end int
	bad bool
}

func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

func (r *reader) uvarint() uint64 {
	v, n := uvarint(r.mem[min(r.p, r.end):r.end])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.p += n
	return v
}

func (r *reader) fail() { r.bad, r.p = true, r.end }

func (r *reader) byte() byte {
	if r.p >= r.end {
		r.fail()
		return 0
	}
	r.p++
	return r.mem[r.p-1]
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(r.end-r.p) {
		r.fail()
		return nil
	}
	r.p += int(n)
	return r.mem[r.p-int(n) : r.p]
}

func (r *reader) fixed64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) text() []byte { return r.bytes(r.uvarint()) }

// goTo returns a reader of what stands at off, earlier than r.
func (r *reader) goTo(off uint64) reader {
	if off < segmentHeader || off >= uint64(r.p) {
		r.fail()
		return reader{bad: true}
	}
	return reader{mem: r.mem, p: int(off), end: r.p}
}

func (r *reader) string() []byte {
	off := r.uvarint()
	if off == 0 {
		return r.text()
	}
	there := r.goTo(off)
	b := there.text()
	r.bad = r.bad || there.bad
	return b
}

// count reads the number of things that take a byte each at least.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(r.end-r.p) {
		r.fail()
		return 0
	}
	return int(n)
}

// spanHead is what stands before the span itself.
type spanHead struct {
	flags, kinds byte
	prev         Pos
	id           pcommon.TraceID // if hasTraceID
	scope        uint64
}

func (r *reader) spanHead(pos Pos) (h spanHead) {
	h.flags, h.kinds = r.byte(), r.byte()
	switch back := r.uvarint(); {
	case back == 0:
	case h.flags&hasTraceID == 0:
		if back > uint64(pos.off()-segmentHeader) {
			r.fail()
			return h
		}
		h.prev = pos - Pos(back)
	case back < uint64(pos.Seq()):
		off := r.uvarint()
		if off > math.MaxUint32 {
			r.fail()
		}
		h.prev = at(pos.Seq()-uint32(back), int(off))
	default:
		r.fail()
	}
	if h.flags&hasTraceID != 0 {
		copy(h.id[:], r.bytes(16))
	}
	h.scope = r.uvarint()
	return h
}

// record returns a reader of the record at off, of the wanted kind.
func record(mem []byte, off int, want recordKind) (reader, error) {
	kind, body, ok := header(mem, off)
	if !ok || kind != want {
		return reader{}, fmt.Errorf("%w at %d", ErrCorrupt, off)
	}
	p := off + recordHeader
	return reader{mem: mem, p: p, end: p + len(body)}, nil
}

// scopeResource returns the offset of the resource record of the scope record at off.
func scopeResource(mem []byte, off int) (int, error) {
	r, err := record(mem, off, scopeRecord)
	if err != nil {
		return 0, err
	}
	res := r.uvarint()
	if r.bad || res >= uint64(off) {
		return 0, fmt.Errorf("%w: scope at %d", ErrCorrupt, off)
	}
	return int(res), nil
}
