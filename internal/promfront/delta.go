package promfront

import (
	"errors"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// total is the running total of a delta stream, which is what Prometheus stores. What a transaction adds is undone if it
// fails, because the same points are then written again.
type total struct {
	now, before sums
	tx          uint64 // the transaction that before is from
}

// sums is a total at one time. Of the values only those of the metric's type are used.
type sums struct {
	start     pcommon.Timestamp // of the first interval; 0 if not known
	last      pcommon.Timestamp // end of the last interval; 0 if there was none
	lastBegin pcommon.Timestamp
	lastValue float64 // the last point's own value; of a histogram its count

	sum         float64
	hasSum      bool
	count       uint64
	counts      []uint64
	exponential exponentialValue
}

func (s *sums) copy(from *sums) {
	counts, exponential := s.counts, s.exponential
	*s = *from
	s.counts = append(counts[:0], from.counts...)
	exponential.copy(&from.exponential)
	s.exponential = exponential
}

func (t *total) undo(tx uint64) {
	if t.tx == tx {
		t.now, t.before = t.before, t.now
		t.tx = 0
	}
}

// running returns the total of the point's stream, ready to be changed.
func (w *writer) running() *sums {
	s := w.pt.stream
	if s.total == nil {
		s.total = &total{}
	}
	return w.change(s.total)
}

// change prepares a total for being changed in this transaction.
func (w *writer) change(t *total) *sums {
	w.appender()
	if t.tx != w.tx {
		t.before.copy(&t.now)
		t.tx = w.tx
		w.totals = append(w.totals, t)
	}
	return &t.now
}

var (
	errOverlap = errors.New("the interval begins before the last one has ended")
	errLate    = errors.New("the interval ends before the last one has ended")
	errAnother = errors.New("another point ends at the same time")
)

// follows reports whether the point's interval is later than all that were added; add is false for one that was already
// added and is sent again, which then gives the same sample again. A gap between intervals is fine: nothing happened, or
// it was lost. A later start is fine too: the sender has restarted, the total goes on.
func (w *writer) follows(s *sums, value float64) (add, ok bool) {
	t, begin := w.pt.time, w.pt.begin
	switch {
	case s.last == 0:
		s.start = begin
	case t > s.last && (begin >= s.last || begin == 0):
	case t > s.last:
		w.refuse(OverlappingDelta, 1, errOverlap)
		return false, false
	case t == s.last && begin == s.lastBegin && value == s.lastValue:
		return false, true
	case t == s.last:
		w.refuse(Duplicate, 1, errAnother)
		return false, false
	default:
		w.refuse(OutOfOrder, 1, errLate)
		return false, false
	}
	s.last, s.lastBegin, s.lastValue = t, begin, value
	return true, true
}

func (s *sums) addExplicit(v explicitValue) {
	s.sum += v.sum
	s.hasSum = s.hasSum || v.hasSum
	s.count += v.count
	for len(s.counts) < len(v.counts) {
		s.counts = append(s.counts, 0)
	}
	for i, n := range v.counts {
		s.counts[i] += n
	}
}

func (s *sums) subtractExplicit(v explicitValue) {
	s.sum -= v.sum
	s.count -= v.count
	for i := range min(len(s.counts), len(v.counts)) {
		s.counts[i] -= v.counts[i]
	}
}

func (s *sums) explicit() explicitValue {
	return explicitValue{sum: s.sum, hasSum: s.hasSum, count: s.count, counts: s.counts}
}
