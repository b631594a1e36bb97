package cell

import (
	"math"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Histograms is a histogram instrument of durations, exported in seconds, or of sizes (V is what the SDK's instrument for
// it has). Its buckets are what the contract says: exponential, or explicit ones.
type Histograms[N ~int64, V int64 | float64] struct {
	cells[Histogram[N]]
	value  func(int64) V
	bounds []float64
}

// Durations makes a histogram of durations. A telemetry.Histogram needs its bucket bounds, in seconds and ascending; a
// telemetry.NativeHistogram has none. For metrics of other kinds it panics.
func (r *Registry) Durations(m telemetry.Metric, bounds ...float64) *Histograms[time.Duration, float64] {
	return newHistograms[time.Duration](r, m, seconds, bounds)
}

// Sizes makes a histogram of whole numbers.
func (r *Registry) Sizes(m telemetry.Metric, bounds ...float64) *Histograms[int64, int64] {
	return newHistograms[int64](r, m, func(n int64) int64 { return n }, bounds)
}

func seconds(n int64) float64 { return time.Duration(n).Seconds() }

func newHistograms[N ~int64, V int64 | float64](r *Registry, m telemetry.Metric, value func(int64) V, bounds []float64) *Histograms[N, V] {
	if !m.Kind.IsHistogram() || (m.Kind == telemetry.Histogram) != (len(bounds) > 0) {
		panic(wrongKind(m, "a histogram with these bounds"))
	}
	h := &Histograms[N, V]{value: value, bounds: slices.Clone(bounds)}
	_, inSeconds := any(N(0)).(time.Duration)
	h.cells = newCells(m, r.now(), func(set attribute.Set) *Histogram[N] {
		c := &Histogram[N]{attrs: set, seconds: inSeconds}
		if len(h.bounds) > 0 {
			c.bounds, c.counts = h.bounds, make([]atomic.Uint64, len(h.bounds)+1)
		}
		c.least.Store(math.MaxInt64)
		c.most.Store(math.MinInt64)
		return c
	})
	r.add(h)
	return h
}

// Histogram is the cell of a histogram.
type Histogram[N ~int64] struct {
	attrs   attribute.Set
	seconds bool // N counts nanoseconds

	sum, least, most atomic.Int64 // in N's unit
	kept             atomic.Pointer[exemplars]

	// One of the two. An exponential histogram has no bounds.
	bounds      []float64
	counts      []atomic.Uint64
	exponential exponential
	zero        atomic.Uint64
}

// Record adds a measurement; a negative one, which only a clock that was set back could make, counts as zero. ex is the
// sampled span that n was measured in, or nil, and belongs to the caller again afterwards.
func (h *Histogram[N]) Record(n N, ex *Exemplar) {
	raw := max(int64(n), 0)
	h.sum.Add(raw)
	if raw < h.least.Load() {
		lower(&h.least, raw)
	}
	if raw > h.most.Load() {
		raise(&h.most, raw)
	}
	v := float64(raw)
	if h.seconds {
		v = seconds(raw)
	}
	bucket := 0
	switch {
	case len(h.bounds) > 0:
		bucket = bucketOf(h.bounds, v)
		h.counts[bucket].Add(1)
	case raw == 0:
		h.zero.Add(1)
	default:
		h.exponential.count(v)
	}
	if ex != nil {
		h.offer(bucket, raw, v, ex)
	}
}

// exemplarGroups is how many groups of buckets of an exponential histogram have an exemplar: powers of two, every sixteenth
// in one group. Sixteen powers are a factor of 65,536, 1 ms to 1 min.
const exemplarGroups = 16

func (h *Histogram[N]) offer(bucket int, raw int64, v float64, ex *Exemplar) {
	e := h.kept.Load()
	if e == nil {
		n := exemplarGroups
		if len(h.bounds) > 0 {
			n = len(h.counts)
		}
		h.kept.CompareAndSwap(nil, &exemplars{groups: make([]group, n)})
		e = h.kept.Load()
	}
	if len(h.bounds) == 0 {
		bucket = int(math.Float64bits(v)>>52) % exemplarGroups // the exponent, v not being negative
	}
	e.offer(bucket, raw, ex)
}

// bucketOf returns the first bucket whose upper bound is not below v. Bounds are few, and most values small: a walk beats
// a binary search.
func bucketOf(bounds []float64, v float64) int {
	for i, b := range bounds {
		if v <= b {
			return i
		}
	}
	return len(bounds)
}

func lower(a *atomic.Int64, n int64) {
	for old := a.Load(); n < old && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}

func raise(a *atomic.Int64, n int64) {
	for old := a.Load(); n > old && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}

func (h *Histograms[N, V]) collect(r reader) (metricdata.Metrics, bool) {
	start := h.interval(r)
	if len(h.bounds) > 0 {
		return h.collectExplicit(r, start)
	}
	var points []metricdata.ExponentialHistogramDataPoint[V]
	for _, c := range h.snapshot() {
		p := metricdata.ExponentialHistogramDataPoint[V]{Attributes: c.attrs, StartTime: start, Time: r.now, ZeroCount: r.count(&c.zero)}
		scale, buckets, count := c.exponential.collect(r)
		p.Scale, p.PositiveBucket, p.Count = int32(scale), buckets, count+p.ZeroCount
		if p.Count == 0 {
			continue
		}
		p.Sum, p.Min, p.Max = h.summary(c, r)
		p.Exemplars = collectExemplars(c.kept.Load(), r, h.value)
		points = append(points, p)
	}
	return h.describe(metricdata.ExponentialHistogram[V]{DataPoints: points, Temporality: r.temporality}), len(points) > 0
}

func (h *Histograms[N, V]) collectExplicit(r reader, start time.Time) (metricdata.Metrics, bool) {
	var points []metricdata.HistogramDataPoint[V]
	for _, c := range h.snapshot() {
		p := metricdata.HistogramDataPoint[V]{Attributes: c.attrs, StartTime: start, Time: r.now,
			Bounds: slices.Clone(h.bounds), BucketCounts: make([]uint64, len(c.counts))}
		for i := range c.counts {
			p.BucketCounts[i] = r.count(&c.counts[i])
			p.Count += p.BucketCounts[i]
		}
		if p.Count == 0 {
			continue
		}
		p.Sum, p.Min, p.Max = h.summary(c, r)
		p.Exemplars = collectExemplars(c.kept.Load(), r, h.value)
		points = append(points, p)
	}
	return h.describe(metricdata.Histogram[V]{DataPoints: points, Temporality: r.temporality}), len(points) > 0
}

// summary returns what a data point says of all its values.
func (h *Histograms[N, V]) summary(c *Histogram[N], r reader) (sum V, least, most metricdata.Extrema[V]) {
	low, high := r.number(&c.least, math.MaxInt64), r.number(&c.most, math.MinInt64)
	if low <= high { // not so if the only value is being recorded at this moment
		least, most = metricdata.NewExtrema(h.value(low)), metricdata.NewExtrema(h.value(high))
	}
	return h.value(r.number(&c.sum, 0)), least, most
}
