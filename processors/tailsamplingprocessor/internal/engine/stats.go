package engine

import (
	"time"

	"github.com/tailgate-otel/tailgate/internal/policy"
)

// DropReason says why spans did not leave.
type DropReason uint8

// The reasons.
const (
	DropNotSampled DropReason = iota // no policy sampled the trace
	DropPolicy                       // a drop policy
	DropLate                         // came after the trace was dropped
	DropSize                         // the trace is larger than maximum_trace_size_bytes
	DropShutdown                     // pending at shutdown, with drop_pending_traces_on_shutdown
	DropTooLarge                     // one span larger than a record may be
	DropUnreadable                   // its record is damaged
	DropReasons    int        = iota
)

func (r DropReason) String() string {
	return [DropReasons]string{"not_sampled", "policy", "late", "trace_size", "shutdown", "span_size", "unreadable"}[r]
}

func dropReason(v policy.Verdict) DropReason {
	if v.Outcome == policy.Dropped {
		return DropPolicy
	}
	return DropNotSampled
}

// Count of traces and their spans.
type Count struct{ Traces, Spans uint64 }

func (c *Count) add(e *entry) {
	c.Traces++
	c.Spans += uint64(e.facts.Spans)
}

// Stats are cumulative, but for SpansHeld and TracesOpen. SpansIn + SpansRecovered = SpansKept + all SpansDropped +
// SpansHeld at any moment that no lock is held.
type Stats struct {
	SpansIn          uint64
	SpansRecovered   uint64
	SpansKept        uint64 // handed to the owner
	SpansDropped     [DropReasons]uint64
	SpansHeld        int64
	SpansLateKept    uint64 // of SpansKept: came after their trace was kept
	SpansLateDropped uint64
	NewTraces        uint64
	TracesOpen       int64
	TracesTooLarge   uint64
	TracesRescued    uint64
	TracesRecovered  uint64
	NotesLost        uint64          // no room in the log: after a crash the trace is decided once more
	Decided          [3]Count        // by policy.Outcome
	DecidedFor       [Reasons]uint64 // by Reason
	Ages             [ageSeconds]uint32
}

// ageSeconds is how far ages are told apart; older ones count as this many seconds.
const ageSeconds = 600

func (s *Stats) age(d time.Duration) {
	s.Ages[min(max(d, 0)/time.Second, ageSeconds-1)]++
}

// Stats returns what was counted so far.
func (s *Shard) Stats() *Stats { return &s.stats }

// Usage is what a shard holds.
type Usage struct {
	Log, Index, Memory int64 // bytes
	OldestAge          time.Duration
	Kept, Dropped      int // decisions remembered
}

// Usage measures.
func (s *Shard) Usage(now time.Duration) Usage {
	u := Usage{
		Log:    s.log.Bytes(),
		Index:  s.index.bytes() + s.entries.bytes() + int64(len(s.wheel.slots))*4,
		Memory: int64(s.memory.Bytes()),
	}
	u.Kept, u.Dropped = s.memory.Len()
	if s.oldest != none {
		u.OldestAge = now - s.entries.at(s.oldest).arrival
	}
	return u
}
