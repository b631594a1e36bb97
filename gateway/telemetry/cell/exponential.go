package cell

import (
	"math"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

const (
	// maxScale and maxBuckets are those of the views that the contract's native histograms have (package instruments).
	maxScale   = 20
	maxBuckets = 160

	// windowBuckets is how many buckets a window counts in. A range of 160 buckets that sits in the middle of 320 can
	// move by 80 before anything has to be built anew.
	windowBuckets = 2 * maxBuckets

	// maxEarly is how many values are kept as they are before buckets are made of them. By then the range is mostly
	// known: a histogram that began with buckets at once would build 4 to 6 windows on its way from scale 20 to scale 3
	// or 4. Cells that see fewer values never need buckets.
	maxEarly = 32
)

// exponential counts values above zero in base-2 exponential buckets (metrics data model, section "Exponential
// Histogram").
//
// Counting is an atomic addition in the current window. When a value lies outside it, a window of a coarser scale takes
// its place, and the old one is kept: whoever still holds it may count in it, and collect adds all windows together. The
// scale only falls, so there are few windows, in practice one to three.
//
// Values are whole nanoseconds or bytes of an int64, so they span 63 powers of two, which are 126 buckets at scale 1: it
// never has to fall further, and scales up to 0, which count differently, are not needed.
//
// The scale that is exported is the finest at which all values fit in 160 buckets. That depends on the values and not on
// their order, which is why it is also the SDK's.
type exponential struct {
	current atomic.Pointer[window] // nil: all values are in early

	mu      sync.Mutex // guards what follows and is held to replace current
	early   []float64
	retired []*window
}

type window struct {
	scale  int
	octave *octave // nil: scale is not one of those that have a table
	base   int     // index of counts[0]
	counts [windowBuckets]atomic.Uint64
}

// count adds v, which must be positive.
func (e *exponential) count(v float64) {
	if w := e.current.Load(); w == nil || !w.count(v) {
		e.countSlow(v)
	}
}

// count returns false if v is outside the window.
func (w *window) count(v float64) bool {
	var i int
	if w.octave != nil {
		i = w.octave.index(v, w.scale) - w.base
	} else {
		i = bucketIndex(v, w.scale) - w.base
	}
	if uint(i) >= windowBuckets {
		return false
	}
	w.counts[i].Add(1)
	return true
}

func (e *exponential) countSlow(v float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.current.Load()
	switch {
	case w == nil:
		e.early = append(e.early, v)
		if len(e.early) < maxEarly {
			return
		}
		w = windowFor(spanOf(e.early))
		for _, v := range e.early {
			w.count(v)
		}
		e.early = nil
	case w.count(v): // somebody was here first
		return
	default:
		s := w.span()
		s.include(bucketIndex(v, s.scale))
		e.retired = append(e.retired, w)
		w = windowFor(s)
		w.count(v)
	}
	e.current.Store(w)
}

// windowFor returns a window with s in its middle, at the scale that fits s in maxBuckets.
func windowFor(s bucketSpan) *window {
	s.fit()
	return &window{scale: s.scale, octave: octaveOf(s.scale), base: s.low - (windowBuckets-(s.high-s.low+1))/2}
}

// span is what w has counted in.
func (w *window) span() bucketSpan {
	s := emptySpan(w.scale)
	for i := range w.counts {
		if w.counts[i].Load() > 0 {
			s.include(w.base + i)
		}
	}
	return s
}

// bucketSpan is a range of bucket indexes at a scale.
type bucketSpan struct{ scale, low, high int }

func emptySpan(scale int) bucketSpan { return bucketSpan{scale, math.MaxInt, math.MinInt} }

func spanOf(values []float64) bucketSpan {
	s := emptySpan(maxScale)
	for _, v := range values {
		s.include(bucketIndex(v, maxScale))
	}
	return s
}

func (s *bucketSpan) include(i int) { s.low, s.high = min(s.low, i), max(s.high, i) }

// fit lowers the scale until the span has at most maxBuckets. A step halves the index, rounding down.
func (s *bucketSpan) fit() {
	for s.high-s.low >= maxBuckets {
		s.scale, s.low, s.high = s.scale-1, s.low>>1, s.high>>1
	}
}

// bucketIndex returns the bucket of v > 0 at a scale above 0: i with base^i < v <= base^(i+1), base = 2^(2^-scale). The
// logarithm of the fraction, by which the data model's section "All Scales: Use the Logarithm Function" finds it, is as
// exact as floating point is.
func bucketIndex(v float64, scale int) int {
	fraction, exponent := math.Frexp(v) // fraction in [0.5, 1)
	return exponent<<scale + int(math.Log(fraction)*bucketsPerE[scale]) - 1
}

// bucketsPerE is 2^scale/ln 2: how many buckets a factor of e takes.
var bucketsPerE = func() (f [maxScale + 1]float64) {
	for scale := range f {
		f[scale] = math.Ldexp(math.Log2E, scale)
	}
	return f
}()

// counted is how many values one bucket has.
type counted struct {
	index int
	count uint64
}

// collect returns scale, buckets and the number of values. It is not finer than the scale of the current window, even if r
// takes only what is new and that would fit.
func (e *exponential) collect(r reader) (scale int, b metricdata.ExponentialBucket, total uint64) {
	s, all := e.snapshot(r)
	if len(all) == 0 {
		return maxScale, b, 0
	}
	from := s.scale
	s.fit()
	b = metricdata.ExponentialBucket{Offset: int32(s.low), Counts: make([]uint64, s.high-s.low+1)}
	for _, c := range all {
		b.Counts[c.index>>(from-s.scale)-s.low] += c.count
		total += c.count
	}
	return s.scale, b, total
}

// snapshot reads all windows once, at the scale of the current one.
func (e *exponential) snapshot(r reader) (bucketSpan, []counted) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.current.Load()
	if w == nil {
		s, all := spanOf(e.early), make([]counted, len(e.early))
		s.fit()
		for i, v := range e.early {
			all[i] = counted{bucketIndex(v, s.scale), 1}
		}
		if r.delta() {
			e.early = e.early[:0]
		}
		return s, all
	}
	s, all := emptySpan(w.scale), make([]counted, 0, windowBuckets)
	for _, old := range append([]*window{w}, e.retired...) {
		for i := range old.counts {
			if n := r.count(&old.counts[i]); n > 0 {
				c := counted{(old.base + i) >> (old.scale - w.scale), n}
				all = append(all, c)
				s.include(c.index)
			}
		}
	}
	return s, all
}
