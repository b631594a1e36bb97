package tailsamplingprocessor

import (
	"math"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// overload is the constant-time mode: while kept traces do not leave fast enough to make room for all that comes, spans of
// new traces are let in or turned away at the door (engine.Shard.Weigh), without room being spent on what is turned away.
//
// It begins when a request has waited for room in vain for sampleAfter, if kept traces do leave, only too slowly: when
// nothing leaves, no share of the traces is small enough, and requests are refused. It ends when the senders of all lanes
// have caught up. In between, how narrow the gate is follows from how full the buffer is, which needs no forecast: what
// comes in raises the pressure and what leaves lowers it, at once, so that they settle where both are equal.
type overload struct {
	samples bool         // overload::mode
	open    atomic.Bool  // the mode is on
	until   atomic.Int64 // time on the monotonic clock until which spans are weighed
	left    atomic.Int64 // time at which kept traces left last; 0: never
}

const (
	// sampleAfter is long enough for the sender of a healthy pipeline to hand on what an early decision has kept (some ms),
	// and a tenth of what a caller waits before its request is refused.
	sampleAfter = 100 * time.Millisecond

	// leavingWithin is how recently kept traces must have left. A batch of 2,048 spans that takes longer than this leaves
	// room for less than 1,000 spans/s and lane, which is not worth the loss of what senders would have kept for later.
	leavingWithin = 2 * time.Second

	// behindFor is how long a sender has not been done with its queue when it counts as behind.
	behindFor = time.Second

	// maxLevel lets one trace in 1,024 in.
	maxLevel = 80
)

// beginOverload turns the mode on, if it may help, and reports whether it is on.
func (p *sampler) beginOverload() bool {
	if !p.overload.samples || !p.overload.leaves(p.now().Mono) {
		return false
	}
	if p.overload.open.CompareAndSwap(false, true) {
		p.logger.Warn("the buffer is full and kept traces leave too slowly: of new traces those are taken in that policies want for what is in them, of the others a share; give the next consumer more, keep less, or raise max_buffer")
	}
	return true
}

// leaves reports whether kept traces have left lately.
func (o *overload) leaves(now time.Duration) bool {
	left := o.left.Load()
	return left > 0 && now-time.Duration(left) < leavingWithin
}

// delivered notes that kept traces have left.
func (o *overload) delivered(now time.Duration) { o.left.Store(int64(max(now, 1))) }

// level returns how narrow the gate is.
func (p *sampler) level() engine.Level {
	if !p.overload.open.Load() || !p.overload.leaves(p.now().Mono) {
		return 0
	}
	limit, segment := float64(p.store.Limit()), float64(p.segment)
	return levelFor(limit-float64(p.store.Used()+p.overhead.Load())-segment, segment, limit)
}

// levelFor is the level by what is free of the buffer beside the segment that a request needs. From a tenth of it on, each
// hundredth less halves what comes in. The segments of a small buffer are larger than that (one of 16 MiB has 32, or 16 on
// a single processor), and what is free changes by whole ones: there it takes the last 8, each less by a factor of 2.4.
func levelFor(free, segment, limit float64) engine.Level {
	band := min(max(limit/10, 8*segment), limit/2)
	return engine.Level(math.Round(maxLevel * min(1, max(0, 1-free/band))))
}

// weighs reports whether spans must be looked at before they are taken in: in the mode, and for a decision_wait after it,
// as long as spans may come of traces that were let in or turned away.
func (o *overload) weighs(now time.Duration, wait time.Duration) bool {
	if o.open.Load() {
		o.until.Store(int64(now + wait))
		return true
	}
	return int64(now) < o.until.Load()
}

// endOverload ends the mode when all senders have caught up.
func (p *sampler) endOverload() {
	if !p.overload.open.Load() {
		return
	}
	now := p.now().Mono
	for _, l := range p.lanes {
		if since := l.busySince.Load(); since > 0 && now-time.Duration(since) > behindFor {
			return
		}
	}
	p.overload.open.Store(false)
	p.logger.Info("kept traces leave fast enough again, all new ones are taken in")
}

// The places of a span in a request that are no lane's.
const (
	turnedAway = 0x7f
	byChance   = 0x80 // beside the lane
)

// turnAway marks the spans of the request that may not come in, which are counted, and returns their number. A lane is locked
// for all its spans of the request, since a trace is judged by all of them: 0.5 ms per 1,000.
func (p *sampler) turnAway(r *request, first uint64, td ptrace.Traces) (turned int) {
	r.level = p.level()
	for i, l := range p.lanes {
		if r.spans[i] == 0 {
			continue
		}
		n := p.turnAwayFrom(l, uint8(i), r, first, td)
		r.spans[i] -= n
		turned += n
	}
	return turned
}

func (p *sampler) turnAwayFrom(l *lane, index uint8, r *request, first uint64, td ptrace.Traces) (turned int) {
	if l.lock() != nil {
		return 0 // whoever adds spans will notice
	}
	defer l.unlock()
	now, span := p.now(), 0
	for i, rs := range td.ResourceSpans().All() {
		f := engine.Fragment{Resource: rs, ID: first + uint64(i)}
		for _, ss := range rs.ScopeSpans().All() {
			f.Spans = ss
			for _, s := range ss.Spans().All() {
				if r.laneOf[span] == index {
					l.shard.Weigh(now, &f, s)
				}
				span++
			}
		}
	}
	fates := l.shard.Judge(now, r.level)
	for i, lane := range r.laneOf {
		if lane != index {
			continue
		}
		switch fates[0] {
		case engine.Turned:
			r.laneOf[i] = turnedAway
			turned++
		case engine.ByChance:
			r.laneOf[i] |= byChance
		}
		fates = fates[1:]
	}
	return turned
}
