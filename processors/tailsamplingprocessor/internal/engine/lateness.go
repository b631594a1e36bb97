package engine

import (
	"math"
	"math/bits"
	"time"
)

// Lateness learns, per service of the root span, how long after the root the last span of a trace arrives, and so how
// long it is worth to wait. One trace in 16 waits the whole time whatever has been learned, and only those teach, so
// that short waits do not confirm themselves.
type Lateness struct {
	Quantile float64       // of traces that shall be complete, for example 0.999
	Min      time.Duration // never wait less after the root

	services map[uint32]*lateTimes
}

const (
	teachOneIn   = 16
	maxServices  = 1024 // 260 B each; the ones beyond wait the whole time
	lateBuckets  = 64   // 4 per power of two from 4 ms on: up to 115 s, at most a quarter too long
	enoughTraces = 100  // before this many a quantile means nothing
	forgetAt     = 4096 // counts are halved then, so that last week's incident does not count for ever
)

type lateTimes struct {
	counts [lateBuckets]uint32
	total  uint32
	wait   time.Duration // the answer, 0: not enough seen
}

// Wait is how long a trace whose root of the service has just arrived should stay open, at most whole.
func (l *Lateness) Wait(service uint32, traceHash uint64, whole time.Duration) time.Duration {
	t := l.services[service]
	if t == nil || t.wait == 0 || teaches(traceHash) {
		return whole
	}
	return min(whole, max(t.wait, l.Min))
}

func teaches(traceHash uint64) bool { return traceHash>>40%teachOneIn == 0 }

// Observe learns from a decided trace that its newest span arrived after the root; 0 or less: before it.
func (l *Lateness) Observe(service uint32, traceHash uint64, after time.Duration) {
	if !teaches(traceHash) {
		return
	}
	t := l.services[service]
	if t == nil {
		if len(l.services) >= maxServices {
			return
		}
		if l.services == nil {
			l.services = map[uint32]*lateTimes{}
		}
		t = &lateTimes{}
		l.services[service] = t
	}
	t.counts[bucketOf(after)]++
	t.total++
	if t.total >= forgetAt {
		t.halve()
	}
	if t.total >= enoughTraces && (t.total%16 == 0 || t.wait == 0) {
		t.wait = t.quantile(l.Quantile)
	}
}

func (t *lateTimes) halve() {
	t.total = 0
	for i := range t.counts {
		t.counts[i] /= 2
		t.total += t.counts[i]
	}
}

func (t *lateTimes) quantile(q float64) time.Duration {
	rank := uint32(math.Ceil(q * float64(t.total)))
	seen := uint32(0)
	for i, c := range t.counts[:lateBuckets-1] {
		if seen += c; seen >= rank {
			return boundOf(i)
		}
	}
	return math.MaxInt64 // the last bucket has no end
}

// bucketOf and boundOf cut time into four linear steps per power of two of milliseconds.
func bucketOf(d time.Duration) int {
	ms := uint64(max(d, 0) / time.Millisecond)
	if ms < 4 {
		return int(ms)
	}
	exp := bits.Len64(ms) - 3 // ms>>exp is 4 to 7
	return min(4*exp+int(ms>>exp), lateBuckets-1)
}

// boundOf is the upper end of a bucket.
func boundOf(i int) time.Duration {
	i++
	if i < 4 {
		return time.Duration(i) * time.Millisecond
	}
	exp := i/4 - 1
	return time.Duration(4+i%4) << exp * time.Millisecond
}
