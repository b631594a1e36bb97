package promfront

import (
	"errors"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// buckets is a run of neighbouring buckets.
type buckets struct {
	offset int32 // index of the first
	counts []uint64
}

// exponentialValue is what an exponential histogram has counted.
type exponentialValue struct {
	scale              int32
	sum                float64
	count, zeros       uint64
	positive, negative buckets
}

// maxBuckets is how many buckets a sum may have on one side before its scale is lowered: twice the 160 of SDKs, so that a
// stream that moves by one order of magnitude keeps its resolution.
const maxBuckets = 320

func (v *exponentialValue) read(p pmetric.ExponentialHistogramDataPoint) {
	v.scale, v.count, v.zeros, v.sum = p.Scale(), p.Count(), p.ZeroCount(), 0
	if p.HasSum() {
		v.sum = p.Sum()
	}
	v.positive.read(p.Positive())
	v.negative.read(p.Negative())
}

func (b *buckets) read(from pmetric.ExponentialHistogramDataPointBuckets) {
	b.offset = from.Offset()
	b.counts = appendCounts(b.counts[:0], from.BucketCounts())
}

// copy makes v equal to from, in memory of its own.
func (v *exponentialValue) copy(from *exponentialValue) {
	positive, negative := v.positive.counts, v.negative.counts
	*v = *from
	v.positive.counts = append(positive[:0], from.positive.counts...)
	v.negative.counts = append(negative[:0], from.negative.counts...)
}

// add adds o, whose scale may change. It reports false, and does nothing, if the two are too far apart for any scale.
func (v *exponentialValue) add(o *exponentialValue) bool {
	if v.empty() {
		v.scale = o.scale
	}
	scale := min(v.scale, o.scale)
	for v.positive.span(o.positive, v.scale-scale, o.scale-scale) > maxBuckets ||
		v.negative.span(o.negative, v.scale-scale, o.scale-scale) > maxBuckets {
		if scale--; scale < histogram.ExponentialSchemaMin {
			return false
		}
	}
	v.lower(scale)
	o.lower(scale)
	v.sum += o.sum
	v.count += o.count
	v.zeros += o.zeros
	v.positive.add(o.positive)
	v.negative.add(o.negative)
	return true
}

var errTooWide = errors.New("the buckets reach further than floating-point numbers do")

func (v *exponentialValue) empty() bool {
	return v.count == 0 && len(v.positive.counts) == 0 && len(v.negative.counts) == 0
}

// span is how many buckets the two have together when their scales are lowered by so much.
func (b buckets) span(o buckets, byB, byO int32) int64 {
	o = o.trimmed()
	switch {
	case len(o.counts) == 0:
		return 0 // b was bounded when it was made
	case len(b.counts) == 0:
		return o.end(byO) - int64(o.offset>>byO)
	}
	return max(b.end(byB), o.end(byO)) - min(int64(b.offset>>byB), int64(o.offset>>byO))
}

// end is the index after the last bucket.
func (b buckets) end(by int32) int64 { return (int64(b.offset)+int64(len(b.counts))-1)>>by + 1 }

// subtract takes away what was added once.
func (v *exponentialValue) subtract(o *exponentialValue) {
	v.lower(o.scale)
	o.lower(v.scale)
	v.sum -= o.sum
	v.count -= o.count
	v.zeros -= o.zeros
	v.positive.subtract(o.positive)
	v.negative.subtract(o.negative)
}

// lower lowers the scale, if it is higher than that.
func (v *exponentialValue) lower(scale int32) {
	if by := v.scale - scale; by > 0 {
		v.scale = scale
		v.positive.merge(by)
		v.negative.merge(by)
	}
}

// merge makes one bucket out of 2^by.
func (b *buckets) merge(by int32) {
	if len(b.counts) == 0 {
		b.offset >>= by
		return
	}
	first := b.offset >> by
	for i, count := range b.counts {
		to := (b.offset+int32(i))>>by - first
		b.counts[i] = 0 // to is at or before i, and what is at i was read
		b.counts[to] += count
	}
	last := (b.offset+int32(len(b.counts))-1)>>by - first
	b.offset, b.counts = first, b.counts[:last+1]
}

func (b *buckets) add(o buckets) {
	o = o.trimmed()
	if len(o.counts) == 0 {
		return
	}
	if len(b.counts) == 0 {
		b.offset, b.counts = o.offset, append(b.counts, o.counts...)
		return
	}
	if below := b.offset - o.offset; below > 0 {
		b.counts = slices.Insert(b.counts, 0, make([]uint64, below)...)
		b.offset = o.offset
	}
	if above := o.offset + int32(len(o.counts)) - b.offset - int32(len(b.counts)); above > 0 {
		b.counts = append(b.counts, make([]uint64, above)...)
	}
	for i, count := range o.counts {
		b.counts[o.offset-b.offset+int32(i)] += count
	}
}

func (b *buckets) subtract(o buckets) {
	o = o.trimmed()
	for i, count := range o.counts {
		if at := int(o.offset) - int(b.offset) + i; at >= 0 && at < len(b.counts) {
			b.counts[at] -= min(b.counts[at], count)
		}
	}
}

// trimmed is b without empty buckets at its ends.
func (b buckets) trimmed() buckets {
	for len(b.counts) > 0 && b.counts[0] == 0 {
		b.offset, b.counts = b.offset+1, b.counts[1:]
	}
	for len(b.counts) > 0 && b.counts[len(b.counts)-1] == 0 {
		b.counts = b.counts[:len(b.counts)-1]
	}
	return b
}
