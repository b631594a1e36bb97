package engine

import (
	"time"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
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
	DropOverload                     // its trace was turned away
	DropReasons    int        = iota
)

func (r DropReason) String() string {
	return [DropReasons]string{"not_sampled", "policy", "late", "trace_size", "shutdown", "span_size", "unreadable", "overload"}[r]
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
	SpansRescued     uint64 // came late, and made their dropped trace a kept one
	NewTraces        uint64
	TracesOpen       int64
	TracesTooLarge   uint64
	TracesRescued    uint64
	TracesRecovered  uint64
	NotesLost        uint64             // no room in the log: after a crash the trace is decided once more
	Decided          [3]Count           // by policy.Outcome
	DecidedFor       [Reasons]uint64    // by Reason
	Ages             [ageSeconds]uint32 // traces decided, by age
	LateAges         [ageSeconds]uint32 // spans that came late, by time since the decision
}

// ageSeconds is how far ages are told apart; older ones count as this many seconds.
const ageSeconds = 600

func (s *Stats) age(d time.Duration) {
	s.Ages[min(max(d, 0)/time.Second, ageSeconds-1)]++
}

func (s *Stats) lateAge(d time.Duration) {
	s.LateAges[min(max(d, 0)/time.Second, ageSeconds-1)]++
}

// Add adds up two shards.
func (s *Stats) Add(o *Stats) {
	s.SpansIn += o.SpansIn
	s.SpansRecovered += o.SpansRecovered
	s.SpansKept += o.SpansKept
	for i := range s.SpansDropped {
		s.SpansDropped[i] += o.SpansDropped[i]
	}
	s.SpansHeld += o.SpansHeld
	s.SpansLateKept += o.SpansLateKept
	s.SpansLateDropped += o.SpansLateDropped
	s.SpansRescued += o.SpansRescued
	s.NewTraces += o.NewTraces
	s.TracesOpen += o.TracesOpen
	s.TracesTooLarge += o.TracesTooLarge
	s.TracesRescued += o.TracesRescued
	s.TracesRecovered += o.TracesRecovered
	s.NotesLost += o.NotesLost
	for i := range s.Decided {
		s.Decided[i].Traces += o.Decided[i].Traces
		s.Decided[i].Spans += o.Decided[i].Spans
	}
	for i := range s.DecidedFor {
		s.DecidedFor[i] += o.DecidedFor[i]
	}
	for i := range s.Ages {
		s.Ages[i] += o.Ages[i]
		s.LateAges[i] += o.LateAges[i]
	}
}

// Stats returns what was counted so far.
func (s *Shard) Stats() *Stats { return &s.stats }

// ResetAges starts the ages anew: unlike the rest they are counted from one look to the next.
func (s *Shard) ResetAges() {
	s.stats.Ages, s.stats.LateAges = [ageSeconds]uint32{}, [ageSeconds]uint32{}
}

// Usage is what a shard holds.
type Usage struct {
	Log, Index, Memory int64 // bytes
	OldestAge          time.Duration
	Kept, Dropped      int // decisions remembered
}

// Add adds up two shards; the age is that of the older trace.
func (u *Usage) Add(o Usage) {
	u.Log += o.Log
	u.Index += o.Index
	u.Memory += o.Memory
	u.Kept += o.Kept
	u.Dropped += o.Dropped
	u.OldestAge = max(u.OldestAge, o.OldestAge)
}

// Usage measures.
func (s *Shard) Usage(now time.Duration) Usage {
	u := Usage{
		Log:    s.log.Bytes(),
		Index:  s.indexBytes(),
		Memory: int64(s.memory.Bytes()),
	}
	u.Kept, u.Dropped = s.memory.Len()
	if s.oldest != none {
		u.OldestAge = now - s.entries.at(s.oldest).arrival
	}
	return u
}

func (s *Shard) indexBytes() int64 {
	return s.index.bytes() + s.entries.bytes() + int64(len(s.wheel.slots))*4 + s.decided.bytes()
}

// Overhead is what is held beside the log, in bytes.
func (s *Shard) Overhead() int64 { return s.indexBytes() + int64(s.memory.Bytes()) }

// Segments is the number of segments of the log.
func (s *Shard) Segments() int { return s.log.Segments() }

// View is the log as it is now. What may be read of it without the lock is what Decisions name.
func (s *Shard) View() tracelog.View { return s.log.View() }

// Borrow lends the whole log, to be read without the lock until unpin is called.
func (s *Shard) Borrow() (v tracelog.View, unpin func()) {
	oldest, v := s.log.Oldest(), s.log.View()
	s.log.Pin(oldest)
	return v, func() { v.Unpin(oldest) }
}
