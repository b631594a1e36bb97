package dynsample

import (
	"math"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// load is what came in under a key in an interval, or the moving average of that.
type load struct {
	keys    float64 // 1 if the key was seen
	traces  float64
	arrived float64 // traces or spans, whichever the goal counts
	origin  float64 // the same times adjusted counts: what there was before anybody sampled
}

func (l *load) add(o load) {
	l.keys += o.keys
	l.traces += o.traces
	l.arrived += o.arrived
	l.origin += o.origin
}

// fold makes l the moving average with the load of one more interval.
func (l *load) fold(now load, keep, gain float64) {
	l.keys = keep*l.keys + gain*now.keys
	l.traces = keep*l.traces + gain*now.traces
	l.arrived = keep*l.arrived + gain*now.arrived
	l.origin = keep*l.origin + gain*now.origin
}

// sub takes away the part o of l. Averages are linear, so only rounding can bring anything below zero.
func (l *load) sub(o load) {
	l.keys = max(0, l.keys-o.keys)
	l.traces = max(0, l.traces-o.traces)
	l.arrived = max(0, l.arrived-o.arrived)
	l.origin = max(0, l.origin-o.origin)
}

// perTrace is the mean size of a trace.
func (l *load) perTrace() float64 {
	if l.traces == 0 {
		return 0
	}
	return l.arrived / l.traces
}

// slot is a key with its loads and its rate.
type slot struct {
	key       string
	current   load // of the running interval
	average   load
	rate      rate
	seenTwice bool // it came in more than one interval and has a rate of its own
}

// rate is a probability that holds until so much has come in during an interval. After that it falls as what comes in
// grows, so what is kept grows only with the logarithm of a burst: p*until*(1 + ln(current/until)).
type rate struct {
	p         float64
	threshold probability.Threshold // of p
	until     float64
}

func newRate(p, until float64) rate {
	p = min(p, 1)
	return rate{p: p, threshold: probability.FromProbability(p), until: until}
}

func (r rate) at(current load) probability.Threshold {
	if current.origin <= r.until {
		return r.threshold
	}
	return probability.FromProbability(r.p * r.until / current.origin)
}

// granted is the rate of a key that may keep s.grant of the average load. A key that may keep all that arrives is kept
// whole, until it is a burst and has used up what it is entitled to; otherwise what counts is the origin, for a trace
// that came in at 1 in 10 passes a rate of 1 in 10 untouched.
func granted(average load, s share, burst float64) rate {
	if s.grant < s.limit {
		return newRate(s.grant/average.origin, burst)
	}
	return newRate(1, max(burst, s.entitled*average.origin/average.arrived))
}

// byLogarithm divides a goal so that a key of ten times the traces gets only a little more, and none gets less than one
// trace an interval, as Refinery's dynamic samplers do. They take log10(n); the base does not matter, but the logarithm of
// 1+n gives a key that comes once a share as well.
func byLogarithm(average load) share {
	return share{
		weight: math.Log1p(average.origin),
		floor:  average.keys * average.perTrace(),
		limit:  average.arrived,
	}
}

// equally divides a goal into equal parts.
func equally(average load) share {
	return share{weight: 1, limit: average.arrived}
}
