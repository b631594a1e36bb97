// Package journal keeps frames of bytes on disk in the order in which they came, for many writers and one reader.
//
// It knows nothing of what is in a frame but its Summary: how much of what, over which times. Frames lie in segments
// (files of a certain size, numbered upwards); what a frame says may depend on earlier frames of its segment only, so
// that whole segments can be given up, and a damaged one costs no other. Every Open begins a new segment.
//
// Append returns when the bytes are with the operating system. A frame that was cut off by the death of the process was
// never acknowledged; one that is damaged otherwise is found by its checksum when it is read.
//
// The package starts no goroutine and logs nothing. There is no limit in it: the owner compares Bytes with its limit and
// gives up the oldest segment in two steps (GiveUp, Remove), between which it can write down what that costs. A segment
// whose frames have all been dealt with goes by Release.
package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Position is a place in the journal: before entry number Entry of the frame at Offset of a segment.
type Position struct {
	Segment uint32 `json:"segment"`
	Offset  uint32 `json:"offset"`
	Entry   uint32 `json:"entry"`
}

// Compare orders positions.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Segment, q.Segment), cmp.Compare(p.Offset, q.Offset), cmp.Compare(p.Entry, q.Entry))
}

// Before says whether p lies before q.
func (p Position) Before(q Position) bool { return p.Compare(q) < 0 }

// Journal is safe for concurrent use, with one reader.
type Journal struct {
	dir      string
	options  Options
	appended chan struct{} // capacity 1: the reader need not hear of every frame

	mu       sync.Mutex // guards all below
	segments []*segment // ascending; the last is open for writing
	file     *os.File   // of the last segment; nil after a failed write, when the next Append begins another
	buf      []byte     // header and payload of the frame being written
	next     Position   // the reader's
	reading  Summary    // of the frame that the reader got last
	bytes    int64
	closed   bool
	reader   reader
}

// Options of a journal.
type Options struct {
	// SegmentBytes is the size from which on another segment is begun.
	SegmentBytes int64
	// From is what the reader has not dealt with. It starts at the beginning of that segment, because what the frames
	// behind From say may depend on those before it.
	From Position
	// Sync makes a segment safe from a power cut before the next is begun, as Sync does for the last one.
	Sync bool
}

// segment is one file. Of a segment in front of the reader, unread sums up what is to come.
type segment struct {
	seq    uint32
	size   int64 // up to the end of the last whole frame
	torn   bool  // something else follows
	unread Summary
	doomed bool // given up: not to be read, about to be removed
}

// Open opens the journal in dir. Segments that lie before the reader are removed.
func Open(dir string, o Options) (*Journal, error) {
	from := o.From
	j := &Journal{dir: dir, options: o, appended: make(chan struct{}, 1), next: Position{Segment: from.Segment}, reading: NoFrames()}
	seqs, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	newest := from.Segment
	for _, seq := range seqs {
		newest = max(newest, seq)
		if seq < from.Segment {
			if err := os.Remove(j.path(seq)); err != nil {
				return nil, fmt.Errorf("remove segment %d, which has been sent: %w", seq, err)
			}
			continue
		}
		s, err := j.scan(seq, Position{Segment: from.Segment, Offset: from.Offset})
		if err != nil {
			return nil, err
		}
		j.segments = append(j.segments, s)
		j.bytes += s.size
	}
	// A number that was never used, even if the position is all that is left of it: offsets below a position that was
	// written must not be used again.
	if err := j.roll(newest + 1); err != nil {
		return nil, err
	}
	j.skipMissing()
	return j, nil
}

func listSegments(dir string) ([]uint32, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var seqs []uint32
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok {
			continue
		}
		if seq, err := strconv.ParseUint(digits, 10, 32); err == nil {
			seqs = append(seqs, uint32(seq))
		}
	}
	slices.Sort(seqs)
	return seqs, nil
}

func (j *Journal) path(seq uint32) string {
	return filepath.Join(j.dir, fmt.Sprintf("%08d%s", seq, suffix))
}

// roll begins segment seq. mu held, or not yet shared.
func (j *Journal) roll(seq uint32) error {
	f, err := os.OpenFile(j.path(seq), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("begin segment: %w", err)
	}
	if _, err := f.Write(segmentHeader(seq)); err != nil {
		return errors.Join(fmt.Errorf("begin segment: %w", err), f.Close(), os.Remove(f.Name()))
	}
	if err := j.end(); err != nil {
		return errors.Join(fmt.Errorf("end segment: %w", err), f.Close(), os.Remove(f.Name()))
	}
	j.file = f
	j.segments = append(j.segments, &segment{seq: seq, size: segmentHeaderBytes, unread: NoFrames()})
	j.bytes += segmentHeaderBytes
	return nil
}

// end closes the file of the last segment. mu held.
func (j *Journal) end() error {
	if j.file == nil {
		return nil
	}
	var err error
	if j.options.Sync {
		err = j.file.Sync()
	}
	err = errors.Join(err, j.file.Close())
	j.file = nil
	return err
}

// An Encode appends a frame's payload to buf and says what it holds. It is told the segment, because what earlier
// frames of another segment said is not to be relied upon. Of two calls with the same number the later may build on what
// the earlier said.
type Encode func(segment uint32, buf []byte) ([]byte, Summary)

// Append writes one frame. After an error nothing of it is there, and the next frame goes into another segment.
func (j *Journal) Append(encode Encode) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return fmt.Errorf("append to journal: %w", os.ErrClosed)
	}
	last := j.segments[len(j.segments)-1]
	if j.file == nil || last.size >= j.options.SegmentBytes {
		if err := j.roll(last.seq + 1); err != nil {
			return err
		}
		last = j.segments[len(j.segments)-1]
	}
	j.buf = append(j.buf[:0], make([]byte, frameHeaderBytes)...)
	buf, summary := encode(last.seq, j.buf)
	j.buf = buf
	if err := putFrameHeader(buf, summary); err != nil {
		return errors.Join(err, j.abandon(last))
	}
	if _, err := j.file.Write(buf); err != nil {
		return errors.Join(fmt.Errorf("write to journal: %w", err), j.abandon(last))
	}
	last.size += int64(len(buf))
	j.bytes += int64(len(buf))
	last.unread.Add(summary)
	select {
	case j.appended <- struct{}{}:
	default:
	}
	return nil
}

// abandon cuts off what a failed write has left. What the frame would have said is missing, so the segment is over.
// mu held.
func (j *Journal) abandon(last *segment) error {
	err := errors.Join(j.file.Truncate(last.size), j.file.Close())
	j.file = nil
	if err != nil {
		last.torn = true
	}
	return err
}

// Appended is sent to after frames have been appended.
func (j *Journal) Appended() <-chan struct{} { return j.appended }

// Bytes is the size of all segments that are on disk.
func (j *Journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.bytes
}

// Unread sums up what the reader has before it.
func (j *Journal) Unread() Summary {
	j.mu.Lock()
	defer j.mu.Unlock()
	sum := NoFrames()
	for _, s := range j.segments {
		if !s.doomed {
			sum.Add(s.unread)
		}
	}
	return sum
}

// End is the position of the next frame, if it does not begin another segment.
func (j *Journal) End() Position {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.segments[len(j.segments)-1]
	return Position{Segment: last.seq, Offset: uint32(last.size)}
}

// Lost is a segment that was given up, and what of it had not been read.
type Lost struct {
	Segment uint32
	Summary Summary
	Whole   bool // nothing of it had been read

	// Reading is the frame that Next returned last. The reader may not have come to note that it has it.
	Reading Summary
}

// GiveUp takes the oldest segment from the reader, unless it is the only one. The file stays until Remove.
func (j *Journal) GiveUp() (Lost, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := slices.IndexFunc(j.segments, func(s *segment) bool { return !s.doomed })
	if i < 0 || i == len(j.segments)-1 {
		return Lost{}, false
	}
	s := j.segments[i]
	lost := Lost{
		Segment: s.seq,
		Summary: j.ahead(s),
		Whole:   j.next.Segment < s.seq || j.next.Offset <= segmentHeaderBytes,
		Reading: j.reading,
	}
	s.doomed, s.unread = true, NoFrames()
	j.skipMissing()
	return lost, true
}

// ahead is what of s the reader has before it, exactly: s.unread has the right counts, but the times of the whole
// segment. mu held.
func (j *Journal) ahead(s *segment) Summary {
	if j.next.Segment != s.seq || j.next.Offset <= segmentHeaderBytes {
		return s.unread
	}
	from := j.next
	if from.Before(j.options.From) {
		from = j.options.From
	}
	if rest, err := j.scan(s.seq, from); err == nil {
		return rest.unread
	}
	return s.unread
}

// Remove removes a segment that was given up.
func (j *Journal) Remove(seq uint32) error {
	return j.removeIf(func(s *segment) bool { return s.doomed && s.seq == seq })
}

// Release removes the segments that lie before p.
func (j *Journal) Release(p Position) error {
	return j.removeIf(func(s *segment) bool { return !s.doomed && s.seq < min(p.Segment, j.next.Segment) })
}

func (j *Journal) removeIf(unwanted func(*segment) bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	last := j.segments[len(j.segments)-1]
	j.segments = slices.DeleteFunc(j.segments, func(s *segment) bool {
		if s == last || !unwanted(s) {
			return false
		}
		if err := os.Remove(j.path(s.seq)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove segment: %w", err))
			return false
		}
		j.bytes -= s.size
		return true
	})
	return errors.Join(errs...)
}

// Sync makes what was appended safe from a power cut.
func (j *Journal) Sync() error {
	j.mu.Lock()
	f := j.file
	j.mu.Unlock()
	if f == nil {
		return nil
	}
	// Without the lock, which writers wait for. A segment that ends meanwhile is synced by end.
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

// Close ends writing and reading. The files stay.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return nil
	}
	j.closed = true
	return errors.Join(j.reader.close(), j.end())
}
