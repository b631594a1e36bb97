package retry

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"
)

// latency is a streaming estimate of the quantiles of a route's latency over the last 10 to 20 seconds. It counts into
// buckets that are an eighth of their power of two wide, so that a quantile is at most 12.5 % too high and never too low.
// The half that is older than 10 seconds is forgotten in one go; P2 and similar estimates, which keep five numbers
// instead, need a lock and forget nothing.
type latency struct {
	halves [2]half
	turned atomic.Int64 // unix nanoseconds at which the current half began
	now    atomic.Uint32
	cached atomic.Int64 // the last quantile computed, in nanoseconds
	stale  atomic.Uint32
}

type half struct {
	total   atomic.Uint32
	buckets [bucketCount]atomic.Uint32
}

const (
	halfLength = 10 * time.Second
	// Up to 2^26 µs, 67 s: what takes longer counts as that.
	bucketCount = (26-3)*8 + 8
	// enough is how many observations a quantile needs: a 95th percentile has five of a hundred above it.
	enough = 100
	// refreshEvery observations the cached quantile is computed anew: 384 counters in 200 ns, spread over 32.
	refreshEvery = 32
)

// bucket of a latency: 0 to 7 µs have one each, then eight to each power of two.
func bucket(d time.Duration) int {
	µs := uint64(max(0, d.Microseconds()))
	if µs < 8 {
		return int(µs)
	}
	exponent := bits.Len64(µs) - 1 // at least 3
	return min(bucketCount-1, (exponent-3)*8+int(µs>>(exponent-3)))
}

// upper is the end of a bucket, the first latency beyond it.
func upper(b int) time.Duration {
	if b < 8 {
		return time.Duration(b+1) * time.Microsecond
	}
	exponent := b/8 - 1
	return time.Duration(uint64(b%8+9)<<exponent) * time.Microsecond
}

// observe counts one latency. Whoever comes first after the end of a half clears the older one; a few observations that
// come just then may be lost.
func (l *latency) observe(d time.Duration, now time.Time) {
	began := l.turned.Load()
	if now.UnixNano()-began >= int64(halfLength) && l.turned.CompareAndSwap(began, now.UnixNano()) {
		next := &l.halves[1-l.now.Load()]
		next.clear()
		if now.UnixNano()-began >= int64(2*halfLength) { // nobody came for long: the other half is old as well
			l.halves[l.now.Load()].clear()
		}
		l.now.Store(1 - l.now.Load())
	}
	h := &l.halves[l.now.Load()]
	h.buckets[bucket(d)].Add(1)
	h.total.Add(1)
	l.stale.Add(1)
}

func (h *half) clear() {
	h.total.Store(0)
	for i := range h.buckets {
		h.buckets[i].Store(0)
	}
}

// quantile returns the latency below which a share q of the observations lies, once there are enough. A route has one
// percentile: another q than the last one is answered for after refreshEvery observations.
func (l *latency) quantile(q float64) (time.Duration, bool) {
	total := l.halves[0].total.Load() + l.halves[1].total.Load()
	if total < enough {
		return 0, false
	}
	if c := l.cached.Load(); c != 0 && l.stale.Load() < refreshEvery {
		return time.Duration(c), true
	}
	l.stale.Store(0)
	rank, seen := uint32(math.Ceil(q*float64(total))), uint32(0)
	for b := range bucketCount {
		seen += l.halves[0].buckets[b].Load() + l.halves[1].buckets[b].Load()
		if seen >= rank {
			l.cached.Store(int64(upper(b)))
			return upper(b), true
		}
	}
	return 0, false // cleared under our hands
}
