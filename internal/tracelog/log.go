package tracelog

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Store gives segments their memory and takes it back. See package segstore.
type Store interface {
	// Alloc returns size zeroed bytes or more, or an error when the budget is used up.
	Alloc(shard int, seq uint64, size int) ([]byte, error)
	Free(shard int, seq uint64, mem []byte)
}

// DefaultSegmentSize is small enough that a shard frees memory in steps that nobody notices (17,000 spans), and large
// enough that a segment's first mention of each hot text (about 80 KiB in real traffic) does not weigh.
const DefaultSegmentSize = 2 << 20

// Settings of a Log.
type Settings struct {
	Shard       int
	Store       Store
	Marker      Marker
	SegmentSize int  // bytes; 0 is DefaultSegmentSize
	Checksums   bool // for stores that outlive the process
}

// Log is the span log of one shard. It is guarded by its owner's lock.
type Log struct {
	set      Settings
	segments []*segment // oldest first, numbered without gaps but for files of a former life; the last is open if enc has it
	enc      encoder
	owners   map[sum]owner // resources and scopes of the open segment
	bytes    int64         // of all segments
	next     uint32        // number of the next segment
}

type segment struct {
	seq     uint32
	mem     []byte
	end     int  // of the last record
	checked bool // records have checksums
	pins    atomic.Int32
}

type owner struct {
	off  uint32
	mark uint32 // of a resource, plus one; 0: not asked yet
}

// maxOwners bounds the map of resources and scopes of one segment. A segment of records that each name a new resource
// holds fewer: a scope record takes 12 bytes at least.
const maxOwners = 1 << 16

// New returns an empty log.
func New(set Settings) *Log {
	if set.SegmentSize == 0 {
		set.SegmentSize = DefaultSegmentSize
	}
	return &Log{
		set:    set,
		enc:    encoder{table: newTable(), marker: set.Marker},
		owners: map[sum]owner{},
		next:   1,
	}
}

// Appended is what Append says of a record.
type Appended struct {
	Pos      Pos
	Size     int      // of the span as a protobuf message, bytes
	Marks    []uint32 // of the span's attributes, in order; valid until the next Append
	Resource uint32   // mark of the resource
}

// Append adds a span below sc. prev is the newest record of its trace, 0 if this is the first. base is the wall clock
// in unix nanoseconds; times are kept relative to it when a segment begins. When the store has no memory left the
// error is the store's, and the log is as it was.
func (l *Log) Append(base uint64, sc *Scope, prev Pos, span ptrace.Span) (Appended, error) {
	if a, ok := l.tryAppend(sc, prev, span); ok {
		return a, nil
	}
	if err := l.roll(base, l.set.SegmentSize); err != nil {
		return Appended{}, err
	}
	if a, ok := l.tryAppend(sc, prev, span); ok {
		return a, nil
	}
	return l.appendHuge(base, sc, prev, span)
}

// ErrTooLarge is returned for a span whose record would not fit in 4 MiB.
var ErrTooLarge = errors.New("span is larger than 4 MiB")

// appendHuge gives a span that is larger than a segment a segment of its own.
func (l *Log) appendHuge(base uint64, sc *Scope, prev Pos, span ptrace.Span) (Appended, error) {
	l.dropOpen()
	size := (&ptrace.ProtoMarshaler{}).SpanSize(span)
	room := l.set.SegmentSize
	for _, message := range []int{size, sc.Size, sc.resource.Size} {
		room += min(2*message, maxRecord) // a record takes less than twice what its message does
	}
	if err := l.roll(base, room); err != nil {
		return Appended{}, err
	}
	if a, ok := l.tryAppend(sc, prev, span); ok {
		return a, nil
	}
	l.dropOpen()
	return Appended{}, fmt.Errorf("%w: about %d bytes", ErrTooLarge, size)
}

// dropOpen gives back the open segment, which holds nothing that anyone refers to.
func (l *Log) dropOpen() {
	s := l.segments[len(l.segments)-1]
	l.segments = slices.Clone(l.segments[:len(l.segments)-1])
	l.free(s)
	l.next = s.seq
	l.enc.buf, l.enc.w = nil, 0
}

func (l *Log) tryAppend(sc *Scope, prev Pos, span ptrace.Span) (Appended, bool) {
	e := &l.enc
	if e.buf == nil {
		return Appended{}, false
	}
	e.full = false
	scope, resource, ok := l.scope(sc)
	if !ok {
		return Appended{}, false
	}
	start := e.w
	if !e.room(recordHeader + 48) {
		return Appended{}, false
	}
	e.w += recordHeader
	flags := spanFlags(span)
	seg := l.segments[len(l.segments)-1]
	if prev.Seq() != seg.seq {
		flags |= hasTraceID
	}
	e.byte(flags)
	e.byte(kindAndStatus(span))
	e.prev(start, seg.seq, prev)
	if flags&hasTraceID != 0 {
		id := span.TraceID()
		e.w += copy(e.buf[e.w:], id[:])
	}
	e.uvarint(uint64(scope))
	e.marks = e.marks[:0]
	size := e.span(span, segmentBase(e.buf))
	if !l.seal(start, spanRecord) {
		return Appended{}, false
	}
	return Appended{Pos: at(seg.seq, start), Size: size, Marks: e.marks, Resource: resource}, true
}

// prev writes where the previous record of the trace is: its distance, when it is in this segment; else how many segments
// back (0: there is none) and its offset there.
func (e *encoder) prev(start int, seq uint32, prev Pos) {
	switch {
	case prev == 0:
		e.byte(0)
	case prev.Seq() == seq:
		e.uvarint(uint64(start - prev.off()))
	default:
		e.uvarint(uint64(seq - prev.Seq()))
		e.uvarint(uint64(prev.off()))
	}
}

// seal ends the record that starts at start and makes it valid, or takes it back when it does not fit.
func (l *Log) seal(start int, kind recordKind) bool {
	e := &l.enc
	length := e.w - start - recordHeader
	if e.full || length > maxRecord {
		clear(e.buf[start:e.w]) // a reader must find the end here
		e.w = start
		e.table.reset() // it may point behind the end
		return false
	}
	var check byte
	if l.set.Checksums {
		check = checksum(kind, e.buf[start+recordHeader:e.w])
	}
	putRecordHeader(e.buf, start, length, kind, check)
	l.segments[len(l.segments)-1].end = e.w
	return true
}

// scope returns the offset of sc's record in the open segment, and its resource's mark.
func (l *Log) scope(sc *Scope) (off, mark uint32, ok bool) {
	o, known := l.owners[sc.sum]
	res, ok := l.resource(sc.resource)
	if !ok || known {
		return o.off, res.mark - 1, ok
	}
	e := &l.enc
	start := e.w
	if !e.room(recordHeader) {
		return 0, 0, false
	}
	e.w += recordHeader
	e.scope(sc, int(res.off))
	if !l.seal(start, scopeRecord) {
		return 0, 0, false
	}
	l.own(sc.sum, owner{off: uint32(start)})
	return uint32(start), res.mark - 1, true
}

func (l *Log) resource(r *Resource) (owner, bool) {
	if o, ok := l.owners[r.sum]; ok {
		return o, true
	}
	e := &l.enc
	start := e.w
	if !e.room(recordHeader) {
		return owner{}, false
	}
	e.w += recordHeader
	e.resource(r)
	if !l.seal(start, resourceRecord) {
		return owner{}, false
	}
	o := owner{off: uint32(start), mark: l.set.Marker.MarkResource(r.spans.Resource().Attributes()) + 1}
	l.own(r.sum, o)
	return o, true
}

func (l *Log) own(s sum, o owner) {
	if len(l.owners) >= maxOwners {
		clear(l.owners)
	}
	l.owners[s] = o
}

// roll closes the open segment and opens a new one.
func (l *Log) roll(base uint64, size int) error {
	seq := l.next
	mem, err := l.set.Store.Alloc(l.set.Shard, uint64(seq), size)
	if err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	putSegmentHeader(mem, l.set.Shard, seq, base)
	l.bytes += int64(len(mem))
	// A new slice, so that views taken before stay as they are.
	l.segments = append(slices.Clip(l.segments), &segment{seq: seq, mem: mem, end: segmentHeader, checked: l.set.Checksums})
	l.next = seq + 1
	l.enc.buf, l.enc.w = mem, segmentHeader
	l.forget()
	return nil
}

// forget empties what is remembered of the open segment.
func (l *Log) forget() {
	l.enc.table.reset()
	clear(l.owners)
}

// SetMarker replaces the marker; what the old one said is forgotten.
func (l *Log) SetMarker(m Marker) {
	l.set.Marker, l.enc.marker = m, m
	l.forget()
}

// Reclaim frees, oldest first, the closed segments before that of needed that nobody has pinned,
// until want bytes are free, and returns how many it freed.
func (l *Log) Reclaim(needed Pos, want int64) (freed int64) {
	n := 0
	for n < l.closed() && freed < want {
		s := l.segments[n]
		if s.seq >= needed.Seq() || s.pins.Load() != 0 {
			break
		}
		freed += int64(len(s.mem))
		n++
	}
	if n == 0 {
		return 0
	}
	gone := l.segments[:n]
	l.segments = slices.Clone(l.segments[n:])
	for _, s := range gone {
		l.free(s)
	}
	return freed
}

// closed is the number of segments that are not written any more: all but the open one, if there is one.
func (l *Log) closed() int {
	if l.enc.buf == nil {
		return len(l.segments)
	}
	return len(l.segments) - 1
}

func (l *Log) free(s *segment) {
	l.bytes -= int64(len(s.mem))
	l.set.Store.Free(l.set.Shard, uint64(s.seq), s.mem)
}

// Bytes is what the log holds: its segments, and the table and map of the open one.
func (l *Log) Bytes() int64 {
	return l.bytes + int64(l.enc.table.bytes()) + int64(len(l.owners))*40
}

// Segments is the number of segments.
func (l *Log) Segments() int { return len(l.segments) }

// Oldest is the position before which everything is gone.
func (l *Log) Oldest() Pos {
	if len(l.segments) == 0 {
		return 0
	}
	return at(l.segments[0].seq, 0)
}

// End is the position behind the newest closed segment: nothing before it is being written.
func (l *Log) End() Pos {
	n := l.closed()
	if n == 0 {
		return l.Oldest()
	}
	return at(l.segments[n-1].seq+1, 0)
}

// Newest is a position at or after every record, and before all that are still to come.
func (l *Log) Newest() Pos {
	if len(l.segments) == 0 {
		return 0
	}
	last := l.segments[len(l.segments)-1].seq
	if l.enc.buf == nil { // closed
		return at(last, math.MaxUint32)
	}
	return at(last, l.enc.w-1)
}

// BytesBefore is what the segments before pos hold.
func (l *Log) BytesBefore(pos Pos) (n int64) {
	for _, s := range l.segments {
		if s.seq >= pos.Seq() {
			break
		}
		n += int64(len(s.mem))
	}
	return n
}

// Close gives all memory back.
func (l *Log) Close() {
	for _, s := range l.segments {
		l.free(s)
	}
	l.segments, l.enc.buf, l.enc.w = nil, nil, 0
}

// View returns the log as it is now, to be read without the lock. Whoever reads it must hold a pin on the oldest
// segment that it reads.
func (l *Log) View() View {
	v := View{segments: l.segments}
	if n := len(v.segments); n > 0 {
		v.end = v.segments[n-1].end
	}
	return v
}

// Pin keeps the segment of pos, and so all newer ones, until Unpin. It reports whether the segment is still there.
func (l *Log) Pin(pos Pos) bool {
	s := l.View().segment(pos.Seq())
	if s == nil {
		return false
	}
	s.pins.Add(1)
	return true
}

// Unpin undoes Pin. It needs no lock.
func (v View) Unpin(pos Pos) {
	if s := v.segment(pos.Seq()); s != nil {
		s.pins.Add(-1)
	}
}

// View is a log at one moment.
type View struct {
	segments []*segment
	end      int // of the newest segment: what follows may be being written
}

func (v View) segment(seq uint32) *segment {
	last := len(v.segments) - 1
	if last < 0 || seq < v.segments[0].seq || seq > v.segments[last].seq {
		return nil
	}
	if s := v.segments[min(int(seq-v.segments[0].seq), last)]; s.seq == seq {
		return s
	}
	i, found := slices.BinarySearchFunc(v.segments, seq, func(s *segment, seq uint32) int { return cmp.Compare(s.seq, seq) })
	if !found {
		return nil
	}
	return v.segments[i]
}
