package promfront

import (
	"github.com/prometheus/prometheus/model/histogram"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// The slots of a classic histogram are _sum, _count, and a series per bound and for +Inf. That of a native one, if both
// are written, follows.
const (
	slotSum     = 0
	slotCount   = 1
	slotBuckets = 2
)

func (w *writer) writeExplicit(points pmetric.HistogramDataPointSlice) {
	for i := 0; i < points.Len() && w.err == nil; i++ {
		w.writeExplicitPoint(points.At(i))
	}
}

func (w *writer) writeExplicitPoint(p pmetric.HistogramDataPoint) {
	w.pt.explicit = p
	if !w.open(p.Attributes(), p.Timestamp(), p.StartTimestamp(), p.Flags()) {
		return
	}
	w.bounds = appendFloats(w.bounds[:0], p.ExplicitBounds())
	w.counts = appendCounts(w.counts[:0], p.BucketCounts())
	buckets := min(len(w.bounds), len(w.counts))
	if !w.settle(w.front.explicitSlots(buckets), w.bounds) {
		return
	}
	v := w.explicitOf(p)
	switch {
	case w.pt.noValue:
	case w.pt.family.kind.delta():
		sum := w.running()
		add, ok := w.follows(sum, float64(v.count))
		if !ok {
			return
		}
		if add {
			sum.addExplicit(v)
		}
		v = sum.explicit()
		w.startAt(sum.start)
	default:
		w.startAt(w.pt.begin)
	}
	w.exemplars.read(w, p.Exemplars())
	w.putExplicit(v)
	w.close()
}

func (f *Front) explicitSlots(buckets int) int {
	switch f.opts.Histograms {
	case NHCB:
		return 1
	case Both:
		return slotBuckets + buckets + 2
	}
	return slotBuckets + buckets + 1
}

// explicitValue is what an explicit-bounds histogram has counted.
type explicitValue struct {
	sum    float64
	hasSum bool
	count  uint64
	counts []uint64 // by bucket, not accumulated
}

func (w *writer) putExplicit(v explicitValue) {
	if w.front.opts.Histograms != NHCB {
		w.putClassic(v)
	}
	if w.front.opts.Histograms != Classic {
		w.opts.Exemplars = w.exemplars.byTime()
		w.put(len(w.pt.stream.refs)-1, float64(v.count), w.customBuckets(v))
	}
}

func (w *writer) putClassic(v explicitValue) {
	bounds := w.pt.stream.bounds
	if v.hasSum {
		w.put(slotSum, w.orStale(v.sum), nil)
	}
	w.put(slotCount, w.orStale(float64(v.count)), nil)
	w.exemplars.sortByBucket(bounds)
	buckets := min(len(bounds), len(v.counts))
	accumulated := uint64(0)
	for i := range buckets {
		accumulated += v.counts[i]
		w.opts.Exemplars = w.exemplars.upTo(i)
		w.put(slotBuckets+i, w.orStale(float64(accumulated)), nil)
	}
	w.opts.Exemplars = w.exemplars.rest()
	w.put(slotBuckets+buckets, w.orStale(float64(v.count)), nil)
	w.opts.Exemplars = nil
}

// customBuckets makes a new histogram for each sample, because a TSDB keeps the last one it was given.
func (w *writer) customBuckets(v explicitValue) *histogram.Histogram {
	h := &histogram.Histogram{Schema: histogram.CustomBucketsSchema, CustomValues: w.pt.stream.bounds}
	if w.pt.noValue {
		h.Sum = staleNaN
		return h
	}
	h.Count = v.count
	if v.hasSum {
		h.Sum = v.sum
	}
	h.PositiveSpans, h.PositiveBuckets = w.sparse.custom(v.counts)
	return h
}

func appendFloats(to []float64, from pcommon.Float64Slice) []float64 {
	for i := range from.Len() {
		to = append(to, from.At(i))
	}
	return to
}

func appendCounts(to []uint64, from pcommon.UInt64Slice) []uint64 {
	for i := range from.Len() {
		to = append(to, from.At(i))
	}
	return to
}
