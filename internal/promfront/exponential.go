package promfront

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// zeroThreshold is what Prometheus' converter gives to every histogram from OTLP.
const zeroThreshold = 1e-128

func (w *writer) writeExponential(points pmetric.ExponentialHistogramDataPointSlice) {
	for i := 0; i < points.Len() && w.err == nil; i++ {
		w.writeExponentialPoint(points.At(i))
	}
}

func (w *writer) writeExponentialPoint(p pmetric.ExponentialHistogramDataPoint) {
	w.pt.exponential = p
	if !w.open(p.Attributes(), p.Timestamp(), p.StartTimestamp(), p.Flags()) {
		return
	}
	if p.Scale() < histogram.ExponentialSchemaMin {
		w.refuse(BadHistogram, 1, fmt.Errorf("the scale is %d, the smallest is %d", p.Scale(), histogram.ExponentialSchemaMin))
		return
	}
	if !w.settle(1, nil) {
		return
	}
	v := &w.value
	v.read(p)
	switch {
	case w.pt.noValue:
	case w.pt.family.kind.delta():
		sum := w.running()
		add, ok := w.follows(sum, float64(v.count))
		if !ok {
			return
		}
		if add && !sum.exponential.add(v) {
			w.refuse(BadHistogram, 1, errTooWide)
			return
		}
		v = &sum.exponential
		w.startAt(sum.start)
	default:
		w.startAt(w.pt.begin)
	}
	w.exemplars.read(w, p.Exemplars())
	w.opts.Exemplars = w.exemplars.byTime()
	w.put(0, float64(v.count), w.native(v))
	w.close()
}

// native makes a new histogram for each sample, because a TSDB keeps the last one it was given.
func (w *writer) native(v *exponentialValue) *histogram.Histogram {
	down := max(0, v.scale-histogram.ExponentialSchemaMax)
	h := &histogram.Histogram{Schema: v.scale - down, ZeroThreshold: zeroThreshold}
	if w.pt.noValue {
		h.Sum = staleNaN
		return h
	}
	h.Count, h.Sum, h.ZeroCount = v.count, v.sum, v.zeros
	h.PositiveSpans, h.PositiveBuckets = w.sparse.exponential(v.positive, down)
	h.NegativeSpans, h.NegativeBuckets = w.sparse.exponential(v.negative, down)
	return h
}

// sparse turns runs of buckets into the form of native histograms. It is scratch space; what it returns is new.
type sparse struct {
	spans  []histogram.Span
	deltas []int64
	last   int32 // index of the last bucket
	count  int64 // in the last bucket
}

// maxGap is how many empty buckets are written rather than starting another span: a span takes 8 bytes, as much as an
// empty bucket, and cutting often makes new chunks when a bucket is filled later.
const maxGap = 2

// exponential takes buckets whose index 0 is (1, base], which Prometheus calls 1, and halves the resolution down times.
func (s *sparse) exponential(b buckets, down int32) ([]histogram.Span, []int64) {
	s.begin()
	for i := 0; i < len(b.counts); {
		at := (b.offset + int32(i)) >> down
		count := uint64(0)
		for ; i < len(b.counts) && (b.offset+int32(i))>>down == at; i++ {
			count += b.counts[i]
		}
		s.add(at+1, count)
	}
	return s.end()
}

// custom takes buckets that are counted from 0.
func (s *sparse) custom(counts []uint64) ([]histogram.Span, []int64) {
	s.begin()
	for i, count := range counts {
		s.add(int32(i), count)
	}
	return s.end()
}

func (s *sparse) begin() { s.spans, s.deltas, s.count = s.spans[:0], s.deltas[:0], 0 }

func (s *sparse) add(at int32, count uint64) {
	if count == 0 {
		return
	}
	switch gap := at - s.last - 1; {
	case len(s.spans) == 0:
		s.spans = append(s.spans, histogram.Span{Offset: at})
	case gap > maxGap:
		s.spans = append(s.spans, histogram.Span{Offset: gap})
	default:
		for range gap {
			s.bucket(0)
		}
	}
	s.bucket(int64(count))
	s.last = at
}

func (s *sparse) bucket(count int64) {
	s.spans[len(s.spans)-1].Length++
	s.deltas = append(s.deltas, count-s.count)
	s.count = count
}

func (s *sparse) end() ([]histogram.Span, []int64) {
	if len(s.spans) == 0 {
		return nil, nil
	}
	return slices.Clone(s.spans), slices.Clone(s.deltas)
}
