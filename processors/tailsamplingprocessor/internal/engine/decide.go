package engine

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// Reason says why a trace was decided when it was.
type Reason uint8

// The reasons.
const (
	ReasonWait      Reason = iota // decision_wait, or the shorter waits after the root, was over
	ReasonCertain                 // no span to come could change the outcome
	ReasonIngest                  // span-ingest: an arriving batch decided
	ReasonComplete                // the buffer was full, and the trace complete as far as one can tell
	ReasonMemory                  // the buffer was full
	ReasonOverload                // turned away: kept traces do not leave fast enough to make room for it
	ReasonTraces                  // num_traces were open
	ReasonSize                    // larger than maximum_trace_size_bytes
	ReasonShutdown                // the processor stops
	ReasonLate                    // spans that came after the decision and follow it
	ReasonRescue                  // a dropped trace that must be kept after all
	ReasonRecovered               // kept before a restart and not delivered
	Reasons         int    = iota
)

func (r Reason) String() string {
	return [Reasons]string{"wait", "certain", "ingest", "memory_complete", "memory", "overload", "num_traces", "trace_size", "shutdown", "late", "rescue", "recovered"}[r]
}

// Decision is a kept trace, or spans that follow one. Its records stay in the log until the owner calls Shard.Done.
type Decision struct {
	ID        [16]byte
	Head      tracelog.Pos   // newest record
	First     tracelog.Pos   // oldest record, pinned; of a rescued trace, the oldest of the log
	Torn      []tracelog.Pos // newest records of earlier parts, which damage has cut off
	Spans     uint32
	Policy    int32 // index in Program.Names, -1: none
	SubPolicy int32
	Threshold uint64
	HasTh     bool
	Reason    Reason
	Program   *policy.Program
	Waited    time.Duration // from its first span
	begin     tracelog.Pos  // what its chain has before was carried
}

// Positions returns the places of the records, oldest first. Where some are gone there is an error as well. Of a rescued
// trace it looks for those, too, that it has left in the log when it was dropped; later ones follow with decisions of their
// own.
func (d *Decision) Positions(v tracelog.View) ([]tracelog.Pos, error) {
	if d.Reason == ReasonRescue {
		chain, _ := v.Positions(nil, tracelog.Trace{ID: d.ID, Head: d.Head})
		return slices.DeleteFunc(v.Find(d.ID), func(pos tracelog.Pos) bool {
			_, known := slices.BinarySearch(chain, pos)
			return pos > d.Head || known && pos < d.begin
		}), nil
	}
	return positions(v, make([]tracelog.Pos, 0, d.Spans), d)
}

// Take returns the kept traces since the last Take. The slice is the caller's.
func (s *Shard) Take() []Decision {
	d := s.decisions
	s.decisions = nil
	return d
}

// Advance decides up to limit traces whose time has come and reports whether there may be more.
func (s *Shard) Advance(now Now, limit int) (more bool) {
	s.dueBuf = s.due(now.Mono, limit, s.dueBuf[:0])
	more = len(s.dueBuf) == limit
	if s.set.Idle > 0 {
		s.dueBuf = slices.DeleteFunc(s.dueBuf, func(n int32) bool { return s.restless(now.Mono, n) })
	}
	s.decide(now, s.dueBuf, ReasonWait)
	s.reclaim()
	return more
}

// DecideOldest decides the n oldest open traces on what is known of them.
func (s *Shard) DecideOldest(now Now, n int, reason Reason) (decided int) {
	s.dueBuf = s.dueBuf[:0]
	for e := s.oldest; e != none && len(s.dueBuf) < n; e = s.entries.at(e).newer {
		if s.entries.at(e).state.undecided() {
			s.dueBuf = append(s.dueBuf, e)
		}
	}
	s.decide(now, s.dueBuf, reason)
	return len(s.dueBuf)
}

// needed is the oldest record of an open trace, or the end of the log.
func (s *Shard) needed() tracelog.Pos {
	if s.oldest == none {
		return s.log.End()
	}
	return s.entries.at(s.oldest).first
}

// reclaim frees what no open trace needs, but for the history that rescues read.
func (s *Shard) reclaim() {
	needed := s.needed()
	if spare := s.log.BytesBefore(needed) - s.set.History; spare > 0 {
		s.log.Reclaim(needed, spare)
	}
}

// decide asks the policies about the traces and removes them.
func (s *Shard) decide(now Now, due []int32, reason Reason) {
	s.batch, s.decoding = s.batch[:0], s.decoding[:0]
	for _, n := range due {
		if s.entries.at(n).state == promised {
			v := s.promises[n]
			s.conclude(now, n, v, reason)
			continue
		}
		if s.set.SpanIngest { // nothing that arrived decided
			s.conclude(now, n, policy.Verdict{Policy: -1, SubPolicy: -1}, reason)
			continue
		}
		s.ask(n)
	}
	if len(s.batch) == 0 {
		return
	}
	if len(s.verdicts) < len(s.batch) {
		s.verdicts = make([]policy.Verdict, cap(s.batch))
	}
	verdicts := s.verdicts[:len(s.batch)]
	s.program.DecideBatch(now.Wall, s.batch, verdicts)
	for i, n := range s.decoding {
		s.conclude(now, n, verdicts[i], reason)
	}
}

// ask puts a trace on the batch to be decided.
func (s *Shard) ask(n int32) {
	s.refresh(n)
	e := s.entries.at(n)
	i := len(s.decoding)
	s.decoding = append(s.decoding, n)
	if i == len(s.spansOf) {
		s.spansOf = append(s.spansOf, func() ptrace.Traces { return s.decode(s.decoding[i]) })
		s.fieldsOf = append(s.fieldsOf, func(yield func(bool, bool, string, policy.Value)) { s.fields(s.decoding[i], yield) })
	}
	s.batch = append(s.batch, policy.Trace{ID: e.id, Facts: &e.facts, Bits: s.entries.bitsOf(n), Spans: s.spansOf[i], Fields: s.fieldsOf[i]})
}

// conclude carries out a verdict and forgets the trace.
func (s *Shard) conclude(now Now, n int32, v policy.Verdict, reason Reason) {
	e := s.entries.at(n)
	s.stats.Decided[v.Outcome].add(e)
	s.stats.DecidedFor[reason]++
	s.observe(now, e)
	if v.Outcome == policy.Sampled {
		if reason != ReasonRescue { // by hand, which is no chance
			v = gated(v, e.gate)
		}
		s.keep(now, e, v, reason)
	} else {
		s.drop(now, e, v)
	}
	s.remove(n)
}

func (s *Shard) observe(now Now, e *entry) {
	s.stats.age(now.Mono - e.arrival)
	s.decided.add(e.hash, now.Mono)
	if s.set.Lateness != nil && e.facts.Flags&policy.FlagRoot != 0 {
		s.set.Lateness.Observe(e.service, e.hash, e.newest-e.rootAt)
	}
}

func (s *Shard) keep(now Now, e *entry, v policy.Verdict, reason Reason) {
	k := decisionmemory.Kept{
		Policy:       s.policies.number(v.Policy),
		SubPolicy:    s.subs.number(v.SubPolicy),
		Threshold:    v.Threshold,
		HasThreshold: v.HasThreshold,
	}
	s.memory.Keep(now.Wall, e.id, k)
	s.note(now, e.id, noteKept, thresholdNote(k))
	s.emit(now, e, v, reason)
}

// emit hands the trace's records to the owner.
func (s *Shard) emit(now Now, e *entry, v policy.Verdict, reason Reason) {
	first := e.first
	if reason == ReasonRescue {
		first = s.log.Oldest() // the owner will look for the rest of the trace
	}
	if !s.log.Pin(first) { // a carried trace's may name a segment that damage has taken
		first = s.log.Oldest()
		s.log.Pin(first)
	}
	s.stats.SpansKept += uint64(e.facts.Spans)
	s.decisions = append(s.decisions, Decision{
		ID: e.id, Head: e.head, First: first, Torn: s.torn[e.id], Spans: e.facts.Spans,
		Policy: v.Policy, SubPolicy: v.SubPolicy, Threshold: v.Threshold, HasTh: v.HasThreshold,
		Reason: reason, Program: s.program, Waited: now.Mono - e.arrival, begin: e.first,
	})
}

func (s *Shard) drop(now Now, e *entry, v policy.Verdict) {
	s.memory.Drop(now.Wall, e.id)
	s.note(now, e.id, noteDropped, 0)
	s.stats.SpansDropped[dropReason(v)] += uint64(e.facts.Spans)
}

// EndFragment ends a ResourceSpans of a request: it asks about what arrived where that is needed, and settles spans that
// came late.
func (s *Shard) EndFragment(now Now) {
	for i := range s.touched {
		t := &s.touched[i]
		if !s.entries.has(t.entry) {
			continue
		}
		e := s.entries.at(t.entry)
		if e.state == gone || e.hash != t.hash { // decided meanwhile
			continue
		}
		switch {
		case e.state == lateKeep:
			s.followKept(now, t.entry, e)
		case e.state == lateDrop:
			s.followDropped(now, t.entry, e)
		case s.set.MaxTraceBytes > 0 && e.facts.Bytes > s.set.MaxTraceBytes:
			s.tooLarge(now, t.entry, e)
		case s.set.SpanIngest:
			s.ingest(now, t, e)
		case s.set.Early:
			s.early(now, t.entry, e)
		}
	}
	s.touched = s.touched[:0]
	s.fragment = 0
}

// early decides a trace whose outcome is certain.
func (s *Shard) early(now Now, n int32, e *entry) {
	t := policy.Trace{ID: e.id, Facts: &e.facts, Bits: s.entries.bitsOf(n)}
	if v, certain := s.program.Certain(&t); certain && v.Outcome == policy.Sampled {
		s.decide(now, append(s.dueBuf[:0], n), ReasonCertain)
	}
}

// ingest asks about the arriving batch of a trace.
func (s *Shard) ingest(now Now, t *touch, e *entry) {
	t.facts.Spans, t.facts.Bytes, t.facts.Overhead = e.facts.Spans, e.facts.Bytes, e.facts.Overhead
	v, final := s.program.DecideIngest(now.Wall, &policy.Trace{ID: e.id, Facts: &t.facts, Bits: t.bits})
	switch {
	case final:
		s.conclude(now, t.entry, v, ReasonIngest)
	case v.Outcome == policy.Sampled && e.state == open:
		e.state = promised
		s.promises[t.entry] = v
	}
}

// tooLarge drops a trace that has grown beyond the limit. What comes later is dropped, too.
func (s *Shard) tooLarge(now Now, n int32, e *entry) {
	s.stats.TracesTooLarge++
	s.stats.DecidedFor[ReasonSize]++
	s.observe(now, e)
	s.stats.SpansDropped[DropSize] += uint64(e.facts.Spans)
	s.memory.Drop(now.Wall, e.id)
	s.note(now, e.id, noteDropped, 0)
	s.remove(n)
}

// followKept hands on spans of a trace that was kept.
func (s *Shard) followKept(now Now, n int32, e *entry) {
	s.late(now, e)
	_, k := s.memory.Lookup(now.Wall, e.id)
	s.stats.SpansLateKept += uint64(e.facts.Spans)
	s.stats.DecidedFor[ReasonLate]++
	s.note(now, e.id, noteKept, thresholdNote(k)) // once more: the first note may go before these records do
	s.emit(now, e, policy.Verdict{
		Outcome: policy.Sampled, Policy: s.policies.at(k.Policy), SubPolicy: s.subs.at(k.SubPolicy),
		Threshold: k.Threshold, HasThreshold: k.HasThreshold,
	}, ReasonLate)
	s.remove(n)
}

// followDropped forgets spans of a trace that was dropped, unless they alone say that it must be kept. Then, if late spans
// may do that, the trace is rescued, and the owner looks for what is left of it in the log. So it is if nothing but the
// memory of drops, which takes one new trace in 4,000 for a dropped one, says that there was a decision at all. A trace that
// was turned away is open again with spans that it is wanted for.
func (s *Shard) followDropped(now Now, n int32, e *entry) {
	proven, turned := s.late(now, e), s.decided.turned(e.hash)
	t := policy.Trace{ID: e.id, Facts: &e.facts, Bits: s.entries.bitsOf(n)}
	wanted := s.program.Wanted(&t)
	if turned && wanted {
		s.reopen(now, n)
		return
	}
	v, certain := s.program.Certain(&t)
	saved := certain && v.Outcome == policy.Sampled && !s.set.SpanIngest
	if turned || !saved || proven && !s.set.Rescue || !proven && !wanted && s.turnedLately(now.Mono) {
		s.stats.SpansLateDropped += uint64(e.facts.Spans)
		s.stats.SpansDropped[DropLate] += uint64(e.facts.Spans)
		if !turned { // else no note has told of the drop, and a later one must not, lest a restart take a new trace for dropped
			s.note(now, e.id, noteDropped, 0)
		}
		s.remove(n)
		return
	}
	s.memory.Forget(e.id)
	s.stats.TracesRescued++
	s.stats.SpansRescued += uint64(e.facts.Spans)
	s.stats.Decided[policy.Sampled].add(e)
	s.stats.DecidedFor[ReasonRescue]++
	s.keep(now, e, v, ReasonRescue)
	s.remove(n)
}

// reopen begins a trace anew that was turned away, with spans that it would have come in for.
func (s *Shard) reopen(now Now, n int32) {
	e := s.entries.at(n)
	s.memory.Forget(e.id)
	e.state = open
	s.stats.NewTraces++
	s.stats.TracesOpen++
	e.deadline = now.Mono + s.shorten(s.set.Wait)
	s.schedule(n)
}

// late counts how late spans came, and reports whether their trace is among the newest that were decided for certain.
func (s *Shard) late(now Now, e *entry) (known bool) {
	age, known := s.decided.age(e.hash, now.Mono)
	if known {
		s.stats.lateAge(age)
	}
	return known
}

// DropAll drops all open traces.
func (s *Shard) DropAll() {
	for s.oldest != none {
		s.stats.SpansDropped[DropShutdown] += uint64(s.entries.at(s.oldest).facts.Spans)
		s.remove(s.oldest)
	}
}
