package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// The format of a segment, all numbers little endian:
//
//	segment  magic (8) | number (4) | crc32c of these (4) | frame…
//	frame    length of payload (4) | its crc32c (4) | samples (4) | histograms (4) | exemplars (4)
//	         | fresh from, to (8, 8) | late from, to (8, 8) | crc32c of the header so far (4) | payload
//
// The header has a checksum of its own so that its length can be trusted when the payload cannot: what a damaged frame
// and those behind it held is then still known.
const (
	suffix             = ".segment"
	magic              = "TGRWSEG1"
	segmentHeaderBytes = 16
	frameHeaderBytes   = 56

	// maxFrameBytes is 5 million samples in one batch. With it a segment of any sensible size stays below 4 GiB, where a
	// Position ends.
	maxFrameBytes = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func segmentHeader(seq uint32) []byte {
	b := append(make([]byte, 0, segmentHeaderBytes), magic...)
	b = binary.LittleEndian.AppendUint32(b, seq)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Range is a closed interval of timestamps in milliseconds.
type Range struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// NoTime is the empty range.
func NoTime() Range { return Range{From: math.MaxInt64, To: math.MinInt64} }

// Empty says whether no time lies in r.
func (r Range) Empty() bool { return r.From > r.To }

// Contains says whether t lies in r.
func (r Range) Contains(t int64) bool { return r.From <= t && t <= r.To }

// Include widens r so that it contains t.
func (r *Range) Include(t int64) {
	r.From, r.To = min(r.From, t), max(r.To, t)
}

// Counts are numbers of items.
type Counts struct {
	Samples    int `json:"samples"`
	Histograms int `json:"histograms"`
	Exemplars  int `json:"exemplars"`
}

// Add adds d to c.
func (c *Counts) Add(d Counts) {
	c.Samples += d.Samples
	c.Histograms += d.Histograms
	c.Exemplars += d.Exemplars
}

// Sub subtracts d from c.
func (c *Counts) Sub(d Counts) {
	c.Samples -= d.Samples
	c.Histograms -= d.Histograms
	c.Exemplars -= d.Exemplars
}

// Summary says what frames hold.
type Summary struct {
	Counts
	// Fresh is the range of samples that were the newest of their series when they came, Late that of the others. One
	// range for both would reach back as far as the latest sample in every frame.
	Fresh, Late Range
}

// NoFrames is the summary of nothing.
func NoFrames() Summary { return Summary{Fresh: NoTime(), Late: NoTime()} }

// Add adds t to s.
func (s *Summary) Add(t Summary) {
	s.Counts.Add(t.Counts)
	if !t.Fresh.Empty() {
		s.Fresh.Include(t.Fresh.From)
		s.Fresh.Include(t.Fresh.To)
	}
	if !t.Late.Empty() {
		s.Late.Include(t.Late.From)
		s.Late.Include(t.Late.To)
	}
}

// putFrameHeader fills in the header in front of the payload that follows it in b.
func putFrameHeader(b []byte, s Summary) error {
	payload := b[frameHeaderBytes:]
	if len(payload) > maxFrameBytes {
		return fmt.Errorf("write to journal: a batch of %d bytes is too large, the limit is %d: write smaller ones", len(payload), maxFrameBytes)
	}
	h := b[:0]
	h = binary.LittleEndian.AppendUint32(h, uint32(len(payload)))
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(payload, castagnoli))
	for _, n := range []int{s.Samples, s.Histograms, s.Exemplars} {
		h = binary.LittleEndian.AppendUint32(h, uint32(n))
	}
	for _, t := range []int64{s.Fresh.From, s.Fresh.To, s.Late.From, s.Late.To} {
		h = binary.LittleEndian.AppendUint64(h, uint64(t))
	}
	binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	return nil
}

type frameHeader struct {
	length, crc uint32
	summary     Summary
}

// parseFrameHeader says false for what is no header.
func parseFrameHeader(b []byte) (h frameHeader, ok bool) {
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(b[i:]) }
	i64 := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[i:])) }
	if crc32.Checksum(b[:frameHeaderBytes-4], castagnoli) != u32(frameHeaderBytes-4) {
		return h, false
	}
	h.length, h.crc = u32(0), u32(4)
	h.summary = Summary{
		Counts: Counts{Samples: int(u32(8)), Histograms: int(u32(12)), Exemplars: int(u32(16))},
		Fresh:  Range{From: i64(20), To: i64(28)},
		Late:   Range{From: i64(36), To: i64(44)},
	}
	return h, true
}
