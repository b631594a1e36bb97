package policy

import (
	"slices"
	"sync"

	"golang.org/x/time/rate"
)

// limiter lets traces pass while their cost fits into a token bucket.
//
// While tracestate is in use, a limiter that stands at the top or in an `and` there decides about a whole batch: it spends
// the bucket on the traces of highest randomness and votes by the threshold where it ran empty, so that what passed can be
// counted back (Ting, Adaptive Threshold Sampling, arXiv:1708.04970, section 3.1).
type limiter struct {
	cost  func(*Trace) int64
	burst int64
	slot  int // in evaluation.cuts; noSlot: always trace by trace

	mu     sync.Mutex // makes reading the bucket and spending from it one step
	bucket *rate.Limiter
}

const noSlot = -1

func newLimiter(perSecond, burst int64, cost func(*Trace) int64) *limiter {
	if burst <= 0 {
		burst = 2 * perSecond
	}
	return &limiter{
		cost:   cost,
		burst:  burst,
		slot:   noSlot,
		bucket: rate.NewLimiter(rate.Limit(perSecond), int(burst)),
	}
}

func spansOf(t *Trace) int64 { return int64(t.Facts.Spans) }

// bytesOf is the size of the trace as one OTLP message.
func bytesOf(t *Trace) int64 { return int64(t.Facts.Bytes + uint64(t.Facts.Overhead)) }

func (l *limiter) eval(ev *evaluation) answer {
	cost := l.cost(&ev.trace)
	if cost > l.burst {
		return answer{vote: no}
	}
	if l.slot != noSlot {
		cut := ev.cuts[l.slot]
		return answer{vote: yesIf(cut <= ev.trace.randomness()), threshold: cut}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return answer{vote: yesIf(l.bucket.AllowN(ev.now, int(cost)))}
}

func (l *limiter) possible(t *Trace) votes {
	if l.cost(t) > l.burst {
		return mayNo
	}
	return mayYes | mayNo
}

func (l *limiter) exact() bool { return l.slot == noSlot }

// batched is an expr that must see a batch before it answers for any trace of it.
type batched interface {
	expr
	// cut sets ev.cuts for the traces at the indices open.
	cut(ev *evaluation, batch []Trace, open []int32)
}

// needsBatch reports whether e must see the batch.
func needsBatch(e expr) (batched, bool) {
	switch e := e.(type) {
	case *limiter:
		return e, e.slot != noSlot
	case and:
		for _, part := range e {
			if _, ok := needsBatch(part); ok {
				return e, true
			}
		}
	}
	return nil, false
}

func (l *limiter) cut(ev *evaluation, batch []Trace, open []int32) {
	bids := make([]bid, 0, len(open))
	for _, i := range open {
		t := &batch[i]
		if cost := l.cost(t); cost <= l.burst { // a larger one never passes and must not starve others
			bids = append(bids, bid{t.randomness(), cost})
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	cut, spent := auction(bids, int64(l.bucket.TokensAt(ev.now)))
	ev.cuts[l.slot] = cut
	if spent > 0 {
		l.bucket.AllowN(ev.now, int(spent))
	}
}

// cut offers the limiters among the parts only the traces to which no other part objects.
func (e and) cut(ev *evaluation, batch []Trace, open []int32) {
	var candidates []int32
	for _, i := range open {
		ev.reset(&batch[i])
		if e.othersAgree(ev) {
			candidates = append(candidates, i)
		}
	}
	for _, part := range e {
		if b, ok := needsBatch(part); ok {
			b.cut(ev, batch, candidates)
		}
	}
}

func (e and) othersAgree(ev *evaluation) bool {
	for _, part := range e {
		if _, ok := needsBatch(part); ok {
			continue
		}
		if v := part.eval(ev).vote; v == failed || v.declines() {
			return false
		}
	}
	return true
}

// bid is a trace that wants to pass a limiter.
type bid struct {
	randomness uint64
	cost       int64
}

// auction sells budget to the bids of highest randomness until one cannot pay, and returns the threshold that separates
// buyers from the rest, with what they spent. Bids of equal randomness win or lose together.
func auction(bids []bid, budget int64) (cut threshold, spent int64) {
	slices.SortStableFunc(bids, func(a, b bid) int {
		switch {
		case a.randomness > b.randomness:
			return -1
		case a.randomness < b.randomness:
			return 1
		}
		return 0
	})
	sold := 0
	for sold < len(bids) && spent+bids[sold].cost <= budget {
		spent += bids[sold].cost
		sold++
	}
	if sold == len(bids) {
		return 0, spent
	}
	loser := bids[sold].randomness
	for sold > 0 && bids[sold-1].randomness == loser {
		sold--
		spent -= bids[sold].cost
	}
	if sold == 0 {
		return never, 0
	}
	return loser + 1, spent // the loser must fail threshold <= randomness
}
