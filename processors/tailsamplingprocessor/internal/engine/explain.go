package engine

import (
	"time"

	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/policy"
)

// Explanation is what is known of a trace.
type Explanation struct {
	State     string // open, kept, dropped, unknown
	Age       time.Duration
	Deadline  time.Duration // from now; of an open trace
	Spans     int
	Bytes     uint64
	Duration  time.Duration // of the trace so far
	Root      bool
	Policy    string // that kept it
	Since     time.Duration
	SinceOK   bool // the decision is so recent that Since is known
	Readable  int  // spans of a decided trace that are still in the log
	Threshold uint64
	HasTh     bool
}

// States of an Explanation.
const (
	StateOpen    = "open"
	StateKept    = "kept"
	StateDropped = "dropped"
	StateUnknown = "unknown"
)

// Explain says what is known of a trace. Reading the log for it takes about 100 µs per segment, so that is left to the
// caller.
func (s *Shard) Explain(now Now, id [16]byte) Explanation {
	h := Hash(id)
	if n := s.find(h, id); n != none {
		e := s.entries.at(n)
		s.refresh(n)
		return Explanation{
			State: StateOpen, Age: now.Mono - e.arrival, Deadline: e.deadline - now.Mono, Spans: int(e.facts.Spans),
			Bytes: e.facts.Bytes, Duration: time.Duration(e.facts.MaxDuration), Root: e.facts.Flags&policy.FlagRoot != 0,
		}
	}
	x := Explanation{State: StateUnknown}
	answer, kept := s.memory.Lookup(now.Wall, id)
	switch answer {
	case decisionmemory.WasKept:
		x.State, x.Policy = StateKept, s.policies.name(kept.Policy)
		x.Threshold, x.HasTh = kept.Threshold, kept.HasThreshold
	case decisionmemory.WasDropped:
		x.State = StateDropped
	}
	x.Since, x.SinceOK = s.decided.age(h, now.Mono)
	return x
}

// Rescue keeps a trace that is open, or that was dropped and still has records in the log, as the owner finds out. It
// reports false for a trace that was kept already.
func (s *Shard) Rescue(now Now, id [16]byte) bool {
	verdict := policy.Verdict{Outcome: policy.Sampled, Policy: -1, SubPolicy: -1}
	if n := s.find(Hash(id), id); n != none {
		s.conclude(now, n, verdict, ReasonRescue)
		return true
	}
	answer, _ := s.memory.Lookup(now.Wall, id)
	if answer == decisionmemory.WasKept {
		return false
	}
	if answer == decisionmemory.WasDropped {
		s.memory.Forget(id)
	}
	s.stats.TracesRescued++
	s.keep(now, &entry{id: id, head: s.log.Newest()}, verdict, ReasonRescue)
	return true
}
