package engine

import (
	"context"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/probability"
)

// Level is how narrow the gate is. At each level a new trace comes in with a probability of 2^(-1/8), 92 %, of that at the
// level below, by its randomness; at 0 all do. 255 levels reach down to one trace in 4 billion.
type Level uint8

const levelsPerHalf = 8

// Threshold is the sampling threshold of a trace that came in at this level.
func (l Level) Threshold() probability.Threshold {
	return probability.FromProbability(math.Exp2(-float64(l) / levelsPerHalf))
}

// Fate is what becomes of a span at the gate.
type Fate uint8

// The fates.
const (
	Enters   Fate = iota // taken in as without a gate
	ByChance             // of a new trace that the level lets in: Add is told the level
	Turned               // counted and dropped, its trace remembered as dropped
)

// gate looks at the spans of a request before any is taken in, while there is no room for all. It holds what it finds out
// about the request's traces until Judge.
//
// A trace that policies want for something that has been seen of it, an error, comes in whatever the level; so it does when
// that is seen of its later spans, then without the earlier. All others come in, or do not, by the randomness of the trace
// alone, and what comes in is decided by the policies as always: it leaves with the stricter threshold of the two. So counts
// that are estimated from what leaves are right, if a trace that the gate would have let in anyway for a later span of its
// own leaves without the gate's threshold: that is why spans of traces that came in by chance are looked at, too.
type gate struct {
	traces []candidate
	byID   map[[16]byte]int32
	of     []int32 // the trace of each span, in order
	fates  []Fate  // of each span

	fragment uint64 // whose resource has this mark
	resource policy.Mark
	seen     policy.Seen
	trace    policy.Trace // at hand
}

// candidate is a trace at the gate. Facts and bits are those of the request's spans alone.
type candidate struct {
	id         [16]byte
	entry      int32 // none: not open
	dropped    bool  // it was decided
	sure       bool  // enters whatever is in it
	facts      policy.Facts
	bits       []uint64
	randomness uint64
	explicit   bool // the randomness is an rv
}

// Weigh looks at a span.
func (s *Shard) Weigh(now Now, f *Fragment, span ptrace.Span) {
	g := &s.gate
	id := span.TraceID()
	n, known := g.byID[id]
	if !known {
		n = s.candidate(now, id)
	}
	g.of = append(g.of, n)
	c := &g.traces[n]
	if c.sure {
		c.facts.Spans++
		return
	}
	if g.fragment != f.ID {
		g.fragment = f.ID
		g.resource = policy.Mark(marker{s.program}.MarkResource(f.Resource.Resource().Attributes()))
	}
	s.program.ApplyResource(c.bits, g.resource)
	s.span = foldable(span)
	s.program.Fold(&c.facts, c.bits, &s.span)
	g.seen.Reset()
	for k, v := range span.Attributes().All() {
		if s.program.SpanKey(k) {
			s.program.ApplySpan(c.bits, &g.seen, s.program.MarkSpan(k, policyValue(v)))
		}
	}
	if s.program.NeedsSpan() {
		s.program.FoldOTTL(context.Background(), c.bits, f.Resource, f.Spans, span)
	}
	if ts := s.span.TraceState; ts != "" && !c.explicit {
		if info, err := probability.ParseTraceState(ts); err == nil && info.HasRV {
			c.randomness, c.explicit = info.RV, true
		}
	}
}

// candidate begins a trace.
func (s *Shard) candidate(now Now, id [16]byte) int32 {
	g := &s.gate
	n := int32(len(g.traces))
	g.byID[id] = n
	if len(g.traces) < cap(g.traces) {
		g.traces = g.traces[:n+1]
	} else {
		g.traces = append(g.traces, candidate{})
	}
	c := &g.traces[n]
	bits := c.bits
	if len(bits) != s.entries.words {
		bits = make([]uint64, s.entries.words)
	}
	clear(bits)
	*c = candidate{id: id, entry: s.find(Hash(id), id), bits: bits, randomness: probability.Randomness(id)}
	if c.entry != none {
		c.sure = s.entries.at(c.entry).gate == 0
		return n
	}
	switch answer, _ := s.memory.Lookup(now.Wall, id); answer {
	case decisionmemory.WasKept:
		c.sure = true
	case decisionmemory.WasDropped:
		c.dropped = true
	}
	return n
}

// Judge decides about the traces of the spans that were weighed, at the level, and returns the fates of those spans, in
// order, valid until the next call. The caller adds those that may come in, and holds the lock from the first Weigh to here.
func (s *Shard) Judge(now Now, level Level) []Fate {
	g := &s.gate
	th := level.Threshold()
	fates := g.fates[:0]
	for i := range g.traces {
		fates = append(fates, s.judge(now, &g.traces[i], th))
	}
	traces := len(fates)
	for _, n := range g.of {
		fates = append(fates, fates[n])
	}
	g.fates = fates
	g.traces, g.of, g.fragment = g.traces[:0], g.of[:0], 0
	clear(g.byID)
	return fates[traces:]
}

func (s *Shard) judge(now Now, c *candidate, th probability.Threshold) Fate {
	if c.sure {
		return Enters
	}
	t := &s.gate.trace
	*t = policy.Trace{ID: c.id, Facts: &c.facts, Bits: c.bits}
	wanted := s.program.Wanted(t)
	switch {
	case c.entry != none:
		if wanted {
			s.passed(now, c.entry, 0)
		}
		return Enters
	case c.dropped:
		return s.judgeDropped(now, c, t, wanted)
	case wanted || th == probability.Always:
		return Enters
	case th.Keeps(c.randomness):
		return ByChance
	}
	n := uint64(c.facts.Spans)
	s.stats.NewTraces++
	s.stats.SpansIn += n
	s.stats.SpansDropped[DropOverload] += n
	s.stats.Decided[policy.NotSampled].Traces++
	s.stats.Decided[policy.NotSampled].Spans += n
	s.stats.DecidedFor[ReasonOverload]++
	s.memory.Drop(now.Wall, c.id)
	s.decided.turn(Hash(c.id), now.Mono)
	s.turnedAt = now.Mono
	return Turned
}

// turnedFor is how long an unproven drop may be that of a trace that was turned away: as long as drops are remembered by
// default. Late spans bring such a trace back only if it is wanted for them, not because all are kept: others stand for it.
const turnedFor = 10 * time.Minute

func (s *Shard) turnedLately(now time.Duration) bool {
	return s.turnedAt > 0 && now-s.turnedAt < turnedFor
}

// judgeDropped lets spans of dropped traces follow the decision without taking room. A trace that was turned away, as one
// that the memory of drops is mistaken about, begins anew with spans that it is wanted for.
func (s *Shard) judgeDropped(now Now, c *candidate, t *policy.Trace, wanted bool) Fate {
	h := Hash(c.id)
	age, proven := s.decided.age(h, now.Mono)
	if wanted && (!proven || s.decided.turned(h)) {
		s.memory.Forget(c.id)
		s.note(now, c.id, noteAnew, 0)
		return Enters
	}
	if proven && s.set.Rescue {
		if v, certain := s.program.Certain(t); certain && v.Outcome == policy.Sampled {
			return Enters
		}
	}
	if proven {
		s.stats.lateAge(age)
	}
	n := uint64(c.facts.Spans)
	s.stats.SpansIn += n
	s.stats.SpansLateDropped += n
	s.stats.SpansDropped[DropLate] += n
	return Turned
}

// passed notes that the trace came in by chance, or would have come in anyway; in the log, too, for a restart.
func (s *Shard) passed(now Now, n int32, level Level) {
	e := s.entries.at(n)
	e.gate = level
	s.note(now, e.id, noteGate, uint64(level))
}

// gated is the verdict about a trace that came in by chance.
func gated(v policy.Verdict, level Level) policy.Verdict {
	if v.Outcome == policy.Sampled && level > 0 {
		v.Threshold, v.HasThreshold = max(v.Threshold, uint64(level.Threshold())), true
	}
	return v
}
