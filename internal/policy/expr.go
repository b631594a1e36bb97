package policy

import (
	"errors"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// An expr is a condition compiled. Most are pure functions of the trace; limiters and extensions' evaluators are not.
type expr interface {
	// eval answers for the trace of ev.
	eval(ev *evaluation) answer
	// possible returns every vote that eval may give for t or for any trace that t may still grow into.
	possible(t *Trace) votes
	// exact reports whether every threshold that eval returns with a yes is 0: sampled for certain, not by chance.
	exact() bool
}

// vote is the answer of a condition or policy.
type vote uint8

const (
	no vote = iota
	yes
	drop
	invertedYes // of extensions only, and deprecated there
	invertedNo
	abstain // of rules only: the conditions do not hold
	failed  // answer.err says how
)

// declines reports whether a vote makes a conjunction decline.
func (v vote) declines() bool { return v == no || v == invertedNo }

// answer is a vote with the sampling threshold behind a yes.
type answer struct {
	vote      vote
	threshold uint64
	err       error
}

// votes is a set of votes.
type votes uint8

const (
	mayNo votes = 1 << iota
	mayYes
	mayFail
	mayOther // drop and inverted votes
)

// evaluation is one decision in progress. It is reused, see Program.evaluations.
type evaluation struct {
	now     time.Time
	trace   Trace
	spans   ptrace.Traces
	decoded bool
	sub     int32       // Verdict.SubPolicy so far
	cuts    []threshold // by limiter.slot: this batch's thresholds
	open    []int32     // scratch: indices of the batch's traces that are undecided
	alone   [1]Trace    // scratch: a batch of one
}

// reset prepares ev for a trace. cuts stay: they are the batch's.
func (ev *evaluation) reset(t *Trace) {
	ev.trace = *t
	ev.spans, ev.decoded = ptrace.Traces{}, false
	ev.sub = -1
}

// decode returns the trace's spans, decoded once.
func (ev *evaluation) decode() ptrace.Traces {
	if !ev.decoded {
		ev.spans, ev.decoded = ev.trace.Spans(), true
	}
	return ev.spans
}

// always samples.
type always struct{}

func (always) eval(*evaluation) answer { return answer{vote: yes} }
func (always) possible(*Trace) votes   { return mayYes }
func (always) exact() bool             { return true }

// hasBit asks a predicate; with invert, that none of the trace's spans and resources satisfies it.
type hasBit struct {
	bit    bit
	invert bool
}

func (e hasBit) eval(ev *evaluation) answer {
	return answer{vote: yesIf(e.bit.in(ev.trace.Bits) != e.invert)}
}

func (e hasBit) possible(t *Trace) votes {
	switch {
	case !e.bit.in(t.Bits):
		return mayYes | mayNo
	case e.invert:
		return mayNo
	default:
		return mayYes
	}
}

func (hasBit) exact() bool { return true }

func yesIf(ok bool) vote {
	if ok {
		return yes
	}
	return no
}

// errRestored stands for an error whose text belongs to an earlier program with the same bits.
var errRestored = errors.New("an OTTL condition failed when the span arrived")

func (o *ottlPredicate) eval(ev *evaluation) answer {
	if !o.failed.in(ev.trace.Bits) {
		return answer{vote: yesIf(o.match.in(ev.trace.Bits))}
	}
	if err := o.err.Load(); err != nil {
		return answer{vote: failed, err: *err}
	}
	return answer{vote: failed, err: errRestored}
}

func (o *ottlPredicate) possible(t *Trace) votes {
	switch {
	case o.failed.in(t.Bits):
		return mayFail
	case o.match.in(t.Bits):
		return mayYes
	default:
		return mayYes | mayNo | mayFail
	}
}

func (*ottlPredicate) exact() bool { return true }

// latency asks whether the duration in whole milliseconds is above over, and at most upTo unless that is 0.
type latency struct{ over, upTo int64 }

func (e latency) eval(ev *evaluation) answer {
	ms := ev.trace.Facts.millis()
	return answer{vote: yesIf(ms > e.over && (e.upTo == 0 || ms <= e.upTo))}
}

func (e latency) possible(t *Trace) votes {
	ms := t.Facts.millis()
	switch {
	case t.Facts.Flags&flagTimed == 0:
		return mayYes | mayNo // the first duration may be below the 0 that stands here
	case e.upTo != 0 && ms > e.upTo:
		return mayNo
	case e.upTo == 0 && ms > e.over:
		return mayYes
	default:
		return mayYes | mayNo
	}
}

func (latency) exact() bool { return true }

func (f *Facts) millis() int64 { return time.Duration(f.MaxDuration).Milliseconds() }

// spanCount asks whether the number of spans is at least atLeast, and at most atMost unless that is 0.
type spanCount struct{ atLeast, atMost int64 }

func (e spanCount) eval(ev *evaluation) answer {
	n := int64(ev.trace.Facts.Spans)
	return answer{vote: yesIf(n >= e.atLeast && (e.atMost == 0 || n <= e.atMost))}
}

func (e spanCount) possible(t *Trace) votes {
	n := int64(t.Facts.Spans)
	switch {
	case e.atMost != 0 && n > e.atMost:
		return mayNo
	case e.atMost == 0 && n >= e.atLeast:
		return mayYes
	default:
		return mayYes | mayNo
	}
}

func (spanCount) exact() bool { return true }
