package exposition

import (
	"math"
	"slices"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
)

// noSlot is the slot of parts that no reference leads to.
const noSlot = math.MaxUint32

// storeCustom shows a native histogram with custom buckets as a classic one, which is what it was made from: none of the
// formats can say it otherwise. mu held.
func (x *Exposition) storeCustom(m *metric, p *pending, exemplars []exemplar.Exemplar) {
	fh := p.floats
	if fh == nil {
		fh = p.ints.ToFloat(nil)
	}
	m.native.epoch = m.epoch
	m.native.ints, m.native.floats = nil, nil
	exemplars = slices.Clone(exemplars)
	slices.SortStableFunc(exemplars, func(a, b exemplar.Exemplar) int {
		switch {
		case a.Value < b.Value:
			return -1
		case a.Value > b.Value:
			return 1
		}
		return int(a.Ts - b.Ts)
	})
	sum := 0.0
	counts := customCounts(fh)
	for i, upper := range append(slices.Clone(fh.CustomValues), math.Inf(1)) {
		if i < len(counts) {
			sum += counts[i]
		}
		mine := 0
		for mine < len(exemplars) && exemplars[mine].Value <= upper {
			mine++
		}
		count := sum
		if math.IsInf(upper, 1) {
			count = fh.Count
		}
		x.setUnreferenced(m, x.bound(roleBucket, upper), count, exemplars[:mine])
		exemplars = exemplars[mine:]
	}
	x.setUnreferenced(m, theSum, fh.Sum, nil)
	x.setUnreferenced(m, theCount, fh.Count, nil)
}

// customCounts returns the count of each bucket, in the order of the boundaries.
func customCounts(fh *histogram.FloatHistogram) []float64 {
	counts := make([]float64, len(fh.CustomValues)+1)
	at, next := 0, 0
	for _, span := range fh.PositiveSpans {
		at += int(span.Offset)
		for range span.Length {
			if at >= 0 && at < len(counts) && next < len(fh.PositiveBuckets) {
				counts[at] = fh.PositiveBuckets[next]
			}
			at, next = at+1, next+1
		}
	}
	return counts
}

func (x *Exposition) setUnreferenced(m *metric, b *bound, v float64, exemplars []exemplar.Exemplar) {
	at, found := m.find(b)
	if !found {
		m.insert(at, part{bound: b, slot: noSlot})
		x.renumber(m, at+1)
	}
	m.parts[at].set(m, v, exemplars)
}
