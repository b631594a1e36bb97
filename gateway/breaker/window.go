package breaker

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

const maxBuckets = 60

// window counts results in a ring of buckets, without locks. A bucket is two words, each marked in
// its high bits with which of all buckets since the epoch it counts: a word with an old mark reads as zero, and whoever counts
// first in the new bucket replaces it.
//
// A goroutine that is stopped between reading the time and counting adds to a later bucket, which moves its result by a window
// or so and loses nothing.
//
// Requests that succeed write one word; failures write both.
type window struct {
	perNano uint64 // buckets in a nanosecond, times 2^64, rounded up
	buckets []bucket
}

type bucket struct {
	results  word // mark: 24 bits, results: 40 bits
	failures word // mark: 24 bits, timeouts: 20 bits, failures of any class: 20 bits
}

type word struct{ atomic.Uint64 }

const (
	markBits     = 24
	markShift    = 64 - markBits
	countMask    = 1<<markShift - 1
	timeoutShift = 20
	failureMask  = 1<<timeoutShift - 1
	// enough ends the counting of failures in a bucket before 20 bits overflow; as many goroutines as the rest holds, 16384,
	// may count at the same moment. Beyond a million failures in a bucket the rate is not in question.
	enough = 1<<timeoutShift - 1<<14
)

// Counts are sums over a window.
type Counts struct {
	// Results counts all results but canceled ones, Failures those that failed, Timeouts those that timed out.
	Results, Failures, Timeouts uint64
}

func newWindow(span time.Duration, buckets int) window {
	return window{perNano: math.MaxUint64/(uint64(span)/uint64(buckets)) + 1, buckets: make([]bucket, buckets)}
}

// number answers which bucket since the epoch a time falls into. It multiplies by the inverse, since a division costs as much
// as all the rest of counting a success; for that buckets begin up to width x t/2^64 early, 2 ms in a year with buckets of
// a second.
func (w *window) number(t int64) uint64 {
	n, _ := bits.Mul64(uint64(max(t, 0)), w.perNano)
	return n
}

// at answers the bucket with this number, and the number's part that words are marked with. Word 0 is old to all but the
// numbers that are marked 0, which find it empty, as it is.
func (w *window) at(n uint64) (*bucket, uint64) {
	return &w.buckets[uint32(n)%uint32(len(w.buckets))], (n + 1) & (1<<markBits - 1)
}

func (w *window) success(t int64) {
	b, mark := w.at(w.number(t))
	b.results.add(mark, 1)
}

func (w *window) failure(t int64, timeout bool) {
	b, mark := w.at(w.number(t))
	b.results.add(mark, 1)
	if b.failures.count(mark)&failureMask >= enough {
		return
	}
	if timeout {
		b.failures.add(mark, 1<<timeoutShift|1)
	} else {
		b.failures.add(mark, 1)
	}
}

// sum adds up the buckets that are part of the window which ends with the bucket of t.
func (w *window) sum(t int64) Counts {
	var c Counts
	last := w.number(t)
	for n := last - min(last, uint64(len(w.buckets)-1)); n <= last; n++ {
		b, mark := w.at(n)
		f := b.failures.count(mark)
		c.Results += b.results.count(mark)
		c.Failures += f & failureMask
		c.Timeouts += f >> timeoutShift
	}
	return c
}

func (w *window) clear() {
	for i := range w.buckets {
		w.buckets[i].results.Store(0)
		w.buckets[i].failures.Store(0)
	}
}

func (w *word) add(mark, n uint64) {
	for {
		old := w.Load()
		if old != 0 && !later(mark, old>>markShift) {
			w.Add(n)
			return
		}
		if w.CompareAndSwap(old, mark<<markShift|n) {
			return
		}
	}
}

// later compares marks, whose 24 bits go round: after 194 days with buckets of a second, and after 4 hours with the shortest.
func later(a, b uint64) bool { return int32(uint32(a-b)<<8) > 0 }

func (w *word) count(mark uint64) uint64 {
	if v := w.Load(); v>>markShift == mark {
		return v & countMask
	}
	return 0
}
