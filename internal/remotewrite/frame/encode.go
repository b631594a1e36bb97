package frame

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// Metadata belongs to a metric family. It is not changed once it is shared.
type Metadata struct {
	Family string
	metadata.Metadata
}

// Series is a series as the writer knows it.
type Series struct {
	Labels   labels.Labels
	Lane     uint8
	Metadata atomic.Pointer[Metadata] // nil: not known

	// What the encoder knows of it. The journal's lock guards these.
	segment  uint32
	number   uint32
	metadata *Metadata // as last said in this segment
	newest   int64
	seen     bool // newest is set
}

// Sample is one append. Histogram and exemplars refer to the Batch.
type Sample struct {
	Series    *Series
	Start, T  int64
	V         float64
	Histogram Span // empty: V is the value
	Custom    bool // the histogram has custom buckets
	Exemplars Span
}

// Span is a part of a Batch's slice.
type Span struct{ From, To uint32 }

// Len is how much lies in s.
func (s Span) Len() int { return int(s.To - s.From) }

// Batch is what one appender has gathered.
type Batch struct {
	Samples    []Sample
	Histograms []byte
	Exemplars  []exemplar.Exemplar
}

// Reset empties b and keeps its memory.
func (b *Batch) Reset() {
	clear(b.Samples) // pointers to series that may be forgotten
	clear(b.Exemplars)
	b.Samples, b.Histograms, b.Exemplars = b.Samples[:0], b.Histograms[:0], b.Exemplars[:0]
}

// Encoder writes batches as frames.
type Encoder struct {
	segment   uint32
	symbols   map[string]uint32
	metadatas map[*Metadata]uint32
	series    uint32
	numbers   []uint32 // scratch: the symbols of one series

	// What the last entry of the frame said.
	number   uint32
	t, start int64
}

// Encode appends batch to buf as a frame of a segment.
func (e *Encoder) Encode(segment uint32, buf []byte, batch *Batch) ([]byte, journal.Summary) {
	if e.symbols == nil || e.segment != segment {
		*e = Encoder{segment: segment, symbols: map[string]uint32{}, metadatas: map[*Metadata]uint32{}, numbers: e.numbers}
	}
	e.number, e.t, e.start = 0, 0, 0
	summary := journal.NoFrames()
	for i := range batch.Samples {
		s := &batch.Samples[i]
		buf = e.define(buf, s.Series)
		buf = e.sample(buf, batch, s)
		count(&summary, s)
	}
	return buf, summary
}

func count(summary *journal.Summary, s *Sample) {
	if s.Histogram.Len() > 0 {
		summary.Histograms++
	} else {
		summary.Samples++
	}
	summary.Exemplars += s.Exemplars.Len()
	if s.Series.seen && s.T < s.Series.newest {
		summary.Late.Include(s.T)
		return
	}
	s.Series.newest, s.Series.seen = s.T, true
	summary.Fresh.Include(s.T)
}

func (e *Encoder) symbol(buf []byte, s string) ([]byte, uint32) {
	n, ok := e.symbols[s]
	if ok {
		return buf, n
	}
	n = uint32(len(e.symbols))
	e.symbols[s] = n
	buf = append(buf, defineSymbol)
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...), n
}

// define says what of the series this segment has not heard yet.
func (e *Encoder) define(buf []byte, s *Series) []byte {
	m := s.Metadata.Load()
	known := s.segment == e.segment
	if known && m == s.metadata {
		return buf
	}
	buf, meta := e.defineMetadata(buf, m)
	s.metadata = m
	if known {
		buf = binary.AppendUvarint(append(buf, changeMetadata), uint64(s.number))
		return binary.AppendUvarint(buf, uint64(meta))
	}
	e.numbers = e.numbers[:0]
	s.Labels.Range(func(l labels.Label) {
		var name, value uint32
		buf, name = e.symbol(buf, l.Name)
		buf, value = e.symbol(buf, l.Value)
		e.numbers = append(e.numbers, name, value)
	})
	buf = append(buf, defineSeries, s.Lane)
	buf = binary.AppendUvarint(buf, uint64(meta))
	buf = binary.AppendUvarint(buf, uint64(len(e.numbers)))
	for _, n := range e.numbers {
		buf = binary.AppendUvarint(buf, uint64(n))
	}
	s.segment, s.number = e.segment, e.series
	e.series++
	return buf
}

// defineMetadata returns 0 for none and the number of m plus 1 otherwise.
func (e *Encoder) defineMetadata(buf []byte, m *Metadata) ([]byte, uint32) {
	if m == nil {
		return buf, 0
	}
	if n, ok := e.metadatas[m]; ok {
		return buf, n
	}
	var numbers [4]uint32
	for i, s := range []string{m.Family, string(m.Type), m.Help, m.Unit} {
		buf, numbers[i] = e.symbol(buf, s)
	}
	buf = append(buf, defineMetadata)
	for _, n := range numbers {
		buf = binary.AppendUvarint(buf, uint64(n))
	}
	n := uint32(len(e.metadatas)) + 1
	e.metadatas[m] = n
	return buf, n
}

func (e *Encoder) sample(buf []byte, batch *Batch, s *Sample) []byte {
	exemplars := batch.Exemplars[s.Exemplars.From:s.Exemplars.To]
	buf = e.nameExemplars(buf, exemplars)
	at := len(buf)
	buf = append(buf, 0)
	var flags byte
	if s.Series.number != e.number {
		flags |= flagSeries
		buf = binary.AppendVarint(buf, int64(s.Series.number)-int64(e.number))
	}
	e.number = s.Series.number + 1
	if s.T != e.t {
		flags |= flagTime
		buf = binary.AppendVarint(buf, s.T-e.t)
		e.t = s.T
	}
	switch s.Start {
	case 0:
	case e.start:
		flags |= flagSameStart
	default:
		flags |= flagStart
		buf = binary.AppendVarint(buf, s.T-s.Start)
		e.start = s.Start
	}
	buf, kind := value(buf, batch, s)
	if len(exemplars) > 0 {
		flags |= flagExemplars
		buf = e.exemplars(buf, exemplars, s.T)
	}
	buf[at] = kind | flags
	return buf
}

// nameExemplars says the names of exemplars' labels that are new. Their values are mostly trace ids, each seen once, and
// would only fill the dictionary.
func (e *Encoder) nameExemplars(buf []byte, exemplars []exemplar.Exemplar) []byte {
	for i := range exemplars {
		exemplars[i].Labels.Range(func(l labels.Label) { buf, _ = e.symbol(buf, l.Name) })
	}
	return buf
}

// exemplars: number, then of each the number of labels, these as symbol, length, bytes; the value, and how far it lies
// before the sample.
func (e *Encoder) exemplars(buf []byte, exemplars []exemplar.Exemplar, t int64) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(exemplars)))
	for i := range exemplars {
		x := &exemplars[i]
		buf = binary.AppendUvarint(buf, uint64(x.Labels.Len()))
		x.Labels.Range(func(l labels.Label) {
			buf = binary.AppendUvarint(buf, uint64(e.symbols[l.Name]))
			buf = binary.AppendUvarint(buf, uint64(len(l.Value)))
			buf = append(buf, l.Value...)
		})
		buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(x.Value))
		buf = binary.AppendVarint(buf, t-x.Ts)
	}
	return buf
}

// value appends the value and returns the kind of entry that it makes.
func value(buf []byte, batch *Batch, s *Sample) ([]byte, byte) {
	if s.Histogram.Len() > 0 {
		buf = binary.AppendUvarint(buf, uint64(s.Histogram.Len()))
		buf = append(buf, batch.Histograms[s.Histogram.From:s.Histogram.To]...)
		if s.Custom {
			return buf, kindHistogram | flagCustom
		}
		return buf, kindHistogram
	}
	if n, ok := integer(s.V); ok {
		return binary.AppendVarint(buf, n), kindInteger
	}
	return binary.LittleEndian.AppendUint64(buf, math.Float64bits(s.V)), kindFloat
}

// integer says whether v is one that takes fewer bytes as such: below 2^48 a varint has at most 7. Minus zero is none.
func integer(v float64) (int64, bool) {
	n := int64(v)
	if float64(n) != v || n >= 1<<48 || n <= -1<<48 || n == 0 && math.Signbit(v) {
		return 0, false
	}
	return n, true
}
