package engine

import (
	"time"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// Memory is made by deciding traces before their time: those that are complete, as far as one can tell, before those that
// are merely old. The log frees its oldest segment or none, so a trace of it that is still running is carried: its records
// are written once more at the log's end, as if the spans had come again. That is worth it while few of a segment's traces
// still run, and needs room; the others are decided on what is there.

const (
	// carrySpans is how many spans are carried per segment at most: 1.3 ms at 2.5 µs each, 3 % of the 17,000 spans of a
	// segment, so that carrying costs what 1 span in 33 costs once more, and a caller that waits does not notice.
	carrySpans = 512

	// quietEnough is how long after its newest span a trace with a root counts as complete, if nothing shorter is
	// configured or learned. SDKs send every 5 s by default, so that it is no promise; but a buffer that is too small may
	// hold no more than a few seconds, and something of it must go.
	quietEnough = time.Second
)

// Relieve frees the oldest closed segment, if nobody reads it, at the cost of the traces that are open in it. It reports
// whether it did anything.
func (s *Shard) Relieve(now Now) bool {
	if s.log.Reclaim(s.needed(), 1) > 0 {
		return true
	}
	if s.log.End() == s.log.Oldest() { // none is closed
		return false
	}
	before := s.log.Oldest().Seq()
	s.dueBuf, s.running = s.dueBuf[:0], s.running[:0]
	for n := s.oldest; n != none && s.entries.at(n).first.Seq() <= before; n = s.entries.at(n).newer {
		s.sort(now.Mono, n)
	}
	did := len(s.dueBuf)+len(s.running) > 0
	s.decide(now, s.dueBuf, ReasonComplete)
	s.decide(now, s.carry(now, s.running, before), ReasonMemory)
	return s.log.Reclaim(s.needed(), 1) > 0 || did
}

// Thin decides n open traces, where it is their number that fills the memory: those of the 4n oldest that are complete,
// then the oldest. So each decision looks at 4 traces, however many are open.
func (s *Shard) Thin(now Now, n int) (decided int) {
	s.dueBuf, s.running = s.dueBuf[:0], s.running[:0]
	for e, seen := s.oldest, 0; e != none && seen < 4*n && len(s.dueBuf) < n; e, seen = s.entries.at(e).newer, seen+1 {
		s.sort(now.Mono, e)
	}
	decided = len(s.dueBuf)
	s.decide(now, s.dueBuf, ReasonComplete)
	old := s.running[:min(n-decided, len(s.running))]
	s.decide(now, old, ReasonMemory)
	return decided + len(old)
}

// sort puts an open trace among those that are complete, dueBuf, or among those that may be running.
func (s *Shard) sort(now time.Duration, n int32) {
	switch {
	case !s.entries.at(n).state.undecided():
	case s.complete(now, n):
		s.dueBuf = append(s.dueBuf, n)
	default:
		s.running = append(s.running, n)
	}
}

// complete reports whether the trace's root is there and no span has come for so long that none is likely to.
func (s *Shard) complete(now time.Duration, n int32) bool {
	s.refresh(n)
	e := s.entries.at(n)
	if e.facts.Flags&policy.FlagRoot == 0 {
		return false
	}
	quiet := min(s.afterRoot(e), quietEnough)
	if s.set.Idle > 0 {
		quiet = min(quiet, s.set.Idle)
	}
	return now-e.newest >= quiet
}

// carry moves the records that running traces have in the segment, which is the oldest, to the end of the log. It returns
// those of which that could not be done.
func (s *Shard) carry(now Now, running []int32, segment uint32) (rest []int32) {
	if s.set.Sums == nil {
		return running
	}
	rest = running[:0]
	spans := 0
	for i, n := range running {
		e := s.entries.at(n)
		if spans+int(e.facts.Spans) > carrySpans || len(s.torn[e.id]) > 0 {
			rest = append(rest, n)
			continue
		}
		spans += int(e.facts.Spans)
		if !s.carryTrace(now, n, segment) { // nor will there be room for another
			return append(rest, running[i:]...)
		}
	}
	return rest
}

// carryTrace moves one trace's records. Its chain still leads to where they were: whoever follows it leaves out what stands
// before the first.
func (s *Shard) carryTrace(now Now, n int32, segment uint32) bool {
	e := s.entries.at(n)
	view := s.log.View()
	s.positions, _ = s.recordsOf(e, view, s.positions[:0])
	old := 0
	for old < len(s.positions) && s.positions[old].Seq() <= segment {
		old++
	}
	td, unreadable := decode(view, e.id, s.positions[:old])
	if unreadable > 0 {
		return false
	}
	head, first := e.head, tracelog.Pos(0)
	for _, rs := range td.ResourceSpans().All() {
		resource := s.set.Sums.Resource(rs)
		for _, ss := range rs.ScopeSpans().All() {
			scope := s.set.Sums.Scope(&resource, ss)
			for _, span := range ss.Spans().All() {
				a, err := s.log.Append(uint64(now.Wall.UnixNano()), &scope, head, span)
				if err != nil {
					return false
				}
				head = a.Pos
				if first == 0 {
					first = head
				}
			}
		}
	}
	s.unlink(n)
	e.head = head
	if old == len(s.positions) {
		e.first = first
		s.link(n, none)
	} else {
		e.first = tracelog.Pos(segment+1) << 32 // at or before the oldest that is left, and in order
		s.link(n, s.oldest)
	}
	s.note(now, e.id, noteCarried, uint64(e.first))
	return true
}
