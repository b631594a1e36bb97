package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// Frame is what Next returns.
type Frame struct {
	At, End Position
	Payload []byte // valid until the next call of Next
	Summary Summary
}

// DamageError says that the rest of a segment cannot be read. The reader stands at the next one.
type DamageError struct {
	At Position
	// Lost is what the frame headers say was there. Where a header is unreadable, Unknown is set and there was more.
	Lost    Summary
	Unknown bool
}

func (e *DamageError) Error() string {
	more := ""
	if e.Unknown {
		more = " and what cannot be told"
	}
	return fmt.Sprintf("segment %d is damaged from byte %d on: lost %d samples, %d histograms, %d exemplars%s",
		e.At.Segment, e.At.Offset, e.Lost.Samples, e.Lost.Histograms, e.Lost.Exemplars, more)
}

// reader is the file that Next reads. Only the goroutine that calls Next uses it, and Close.
type reader struct {
	file *os.File
	seq  uint32
	buf  []byte
}

func (r *reader) close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// Next returns the next frame; false if there is none yet. A *DamageError is followed by what comes after the damage;
// after any other error, as of a process that has no file descriptors left, the same frame can be tried again.
func (j *Journal) Next() (Frame, bool, error) {
	for {
		j.mu.Lock()
		s, at, state := j.stand()
		j.mu.Unlock()
		switch state {
		case atEnd:
			return Frame{}, false, nil
		case atTear:
			return Frame{}, false, &DamageError{At: at, Lost: NoFrames(), Unknown: true}
		}
		frame, err := j.read(s, at)
		if errors.Is(err, errGivenUp) {
			continue
		}
		return frame, err == nil, err
	}
}

type state int

const (
	atFrame state = iota
	atTear        // and past it now
	atEnd
)

// stand moves on from segments that have been read, and says where the reader stands then. mu held.
func (j *Journal) stand() (*segment, Position, state) {
	last := j.segments[len(j.segments)-1]
	for {
		s, at := j.current(), j.next
		if s == nil {
			return nil, at, atEnd
		}
		if int64(at.Offset) < s.size {
			return s, at, atFrame
		}
		if s == last && !s.torn {
			return nil, at, atEnd
		}
		j.leave(s)
		if s.torn {
			return nil, at, atTear
		}
	}
}

// current is the segment of the reader; nil while that has not been begun. mu held.
func (j *Journal) current() *segment {
	for _, s := range j.segments {
		if s.seq == j.next.Segment && !s.doomed {
			return s
		}
	}
	return nil
}

// skipMissing moves the reader from a segment that is gone to the next one. mu held, or not yet shared.
func (j *Journal) skipMissing() {
	for _, s := range j.segments {
		if s.seq == j.next.Segment && !s.doomed {
			j.next.Offset = max(j.next.Offset, segmentHeaderBytes)
			return
		}
		if s.seq > j.next.Segment && !s.doomed {
			j.next = Position{Segment: s.seq, Offset: segmentHeaderBytes}
			return
		}
	}
}

// leave moves the reader behind segment s. mu held.
func (j *Journal) leave(s *segment) {
	s.unread = NoFrames()
	j.next = Position{Segment: s.seq + 1, Offset: segmentHeaderBytes}
	j.skipMissing()
}

// read reads the frame at a position and claims it: from then on it is not among what GiveUp says is lost.
func (j *Journal) read(s *segment, at Position) (Frame, error) {
	h, err := j.fetch(s.seq, at)
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case s.doomed:
		return Frame{}, errGivenUp
	case isDamage(err):
		lost := j.ahead(s)
		j.leave(s)
		return Frame{}, &DamageError{At: at, Lost: lost, Unknown: s.torn}
	case err != nil:
		return Frame{}, fmt.Errorf("read segment %d at byte %d: %w", at.Segment, at.Offset, err)
	}
	end := Position{Segment: at.Segment, Offset: at.Offset + frameHeaderBytes + h.length}
	j.next, j.reading = end, h.summary
	if at.Segment > j.options.From.Segment || at.Offset >= j.options.From.Offset {
		s.unread.Counts.Sub(h.summary.Counts)
	}
	if int64(end.Offset) >= s.size {
		s.unread = NoFrames()
	}
	return Frame{At: at, End: end, Payload: j.reader.buf, Summary: h.summary}, nil
}

func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrNotExist)
}

// errGivenUp: the frame was taken away while it was being read.
var errGivenUp = errors.New("segment was given up")

var errDamaged = errors.New("checksum does not fit")

func (j *Journal) fetch(seq uint32, at Position) (frameHeader, error) {
	r := &j.reader
	if r.file == nil || r.seq != seq {
		if err := r.close(); err != nil {
			return frameHeader{}, err
		}
		f, err := os.Open(j.path(seq))
		if err != nil {
			return frameHeader{}, err
		}
		r.file, r.seq = f, seq
	}
	var head [frameHeaderBytes]byte
	if _, err := r.file.ReadAt(head[:], int64(at.Offset)); err != nil {
		return frameHeader{}, err
	}
	h, ok := parseFrameHeader(head[:])
	if !ok {
		return h, errDamaged
	}
	if cap(r.buf) < int(h.length) {
		r.buf = make([]byte, h.length)
	}
	r.buf = r.buf[:h.length]
	if _, err := r.file.ReadAt(r.buf, int64(at.Offset)+frameHeaderBytes); err != nil {
		return h, err
	}
	if crc32.Checksum(r.buf, castagnoli) != h.crc {
		return h, errDamaged
	}
	return h, nil
}

// scan reads the headers of a segment that a former process wrote, to learn its size and what the reader has before it.
func (j *Journal) scan(seq uint32, from Position) (*segment, error) {
	s := &segment{seq: seq, unread: NoFrames()}
	f, err := os.Open(j.path(seq))
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	head := make([]byte, frameHeaderBytes)
	if _, err := f.ReadAt(head[:segmentHeaderBytes], 0); err != nil || !bytes.Equal(head[:segmentHeaderBytes], segmentHeader(seq)) {
		s.size, s.torn = segmentHeaderBytes, true
		return s, nil
	}
	s.size = segmentHeaderBytes
	for s.size < info.Size() {
		if _, err := f.ReadAt(head, s.size); err != nil {
			s.torn = true
			break
		}
		h, ok := parseFrameHeader(head)
		if !ok || s.size+frameHeaderBytes+int64(h.length) > info.Size() {
			s.torn = true
			break
		}
		if from.Segment < seq || from.Segment == seq && int64(from.Offset) <= s.size {
			s.unread.Add(h.summary)
		}
		s.size += frameHeaderBytes + int64(h.length)
	}
	return s, nil
}
