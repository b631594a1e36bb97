package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// Settings of a Shard. The log's marker is set by New.
type Settings struct {
	Log     *tracelog.Log
	Memory  *decisionmemory.Memory
	Program *policy.Program
	Sums    *tracelog.Sums // the callers', for carrying traces in the log; nil: they are decided instead

	Wait          time.Duration // from a trace's first span to its decision
	WaitAfterRoot time.Duration // from its root's arrival, if that is sooner; 0: not used
	Idle          time.Duration // from its newest span once the root is there, if that is sooner; 0: not used
	Lateness      *Lateness     // learns how long to wait after the root; nil: not used
	MaxTraces     int           // open traces; 0: bounded by memory alone
	Block         bool          // refuse spans of new traces at MaxTraces, instead of deciding the oldest early
	MaxTraceBytes uint64        // larger traces are not sampled; 0: no limit
	SpanIngest    bool          // ask about each arriving batch
	Early         bool          // keep as soon as that is certain
	Rescue        bool          // keep a dropped trace when a late span says that it must be
	Notes         bool          // write decisions into the log, for a store that outlives the process
	History       int64         // bytes of log kept readable behind the oldest open trace
}

// Shard holds the open traces of one shard.
type Shard struct {
	set        Settings
	log        *tracelog.Log
	memory     *decisionmemory.Memory
	program    *policy.Program
	generation uint32 // of the program
	policies   names
	subs       names // of composites
	pressure   float64

	index   index
	entries entries
	wheel   wheel
	oldest  int32 // ends of the list in order of oldest records
	newest  int32

	promises map[int32]policy.Verdict    // of entries in state promised
	torn     map[[16]byte][]tracelog.Pos // of open traces that were restored: newest records of parts that damage has cut off

	touched  []touch // traces with spans in the fragment at hand
	fragment uint64  // 0: none
	visit    uint64  // counts the fragments, and the parts of one that the lock was released in
	seen     policy.Seen
	span     policy.Span

	dueBuf   []int32
	running  []int32 // of those that Relieve and Thin look at
	batch    []policy.Trace
	verdicts []policy.Verdict
	spansOf  []func() ptrace.Traces
	fieldsOf []walk
	decoding []int32 // entries of batch, for spansOf and fieldsOf

	positions []tracelog.Pos // of fields
	otlp      []byte

	gate      gate
	turnedAt  time.Duration // a trace was turned away last; 0: never
	decided   decided
	decisions []Decision
	stats     Stats
}

// touch is a trace with spans in the fragment at hand. Facts and bits are those of the fragment alone (SpanIngest).
type touch struct {
	entry int32
	hash  uint64
	facts policy.Facts
	bits  []uint64
}

// Now is a moment, on both clocks.
type Now struct {
	Mono time.Duration // since the owner's start
	Wall time.Time
}

// Fragment is one ScopeSpans of a request.
type Fragment struct {
	Scope        *tracelog.Scope
	Resource     ptrace.ResourceSpans
	Spans        ptrace.ScopeSpans
	ID           uint64 // of the request's ResourceSpans, never 0, unlike any other's
	Index        uint32 // of the ScopeSpans in it
	ResourceSize int    // of the Resource message, bytes
	Service      uint32 // hash of service.name; only used with Settings.Lateness
	Gate         Level  // that the next span's trace came in by, if it is new
}

// ErrTooManyTraces is returned for a span of a new trace when Settings.Block is set and MaxTraces are open.
var ErrTooManyTraces = errors.New("as many traces are open as num_traces allows")

// New returns a shard without traces.
func New(set Settings) *Shard {
	s := &Shard{
		set: set, log: set.Log, memory: set.Memory, program: set.Program,
		wheel: newWheel(), oldest: none, newest: none, promises: map[int32]policy.Verdict{}, torn: map[[16]byte][]tracelog.Pos{},
		decided: newDecided(), gate: gate{byID: map[[16]byte]int32{}},
	}
	s.use(set.Program)
	return s
}

// Hash mixes a trace id. Ids may come from anyone and be anything, all bits count.
func Hash(id [16]byte) uint64 {
	h := binary.LittleEndian.Uint64(id[:8]) ^ 0x9e3779b97f4a7c15
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	h ^= binary.LittleEndian.Uint64(id[8:])
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	h = (h ^ h>>29) * 0x94d049bb133111eb
	return h ^ h>>32
}

// Add takes a span in. On an error nothing has changed: the store is full, or too many traces are open.
// The caller ends each ResourceSpans with EndFragment.
func (s *Shard) Add(now Now, f *Fragment, span ptrace.Span) error {
	id := span.TraceID()
	h := Hash(id)
	n := s.find(h, id)
	var prev tracelog.Pos
	state := open
	switch {
	case n != none:
		prev = s.entries.at(n).head
		s.refresh(n)
	default:
		switch answer, _ := s.memory.Lookup(now.Wall, id); answer {
		case decisionmemory.WasKept:
			state = lateKeep
		case decisionmemory.WasDropped:
			state = lateDrop
		default:
			if err := s.room(now); err != nil {
				return err
			}
		}
	}
	a, err := s.log.Append(uint64(now.Wall.UnixNano()), f.Scope, prev, span)
	if errors.Is(err, tracelog.ErrTooLarge) {
		s.stats.SpansIn++
		s.stats.SpansDropped[DropTooLarge]++
		return nil
	}
	if err != nil {
		return err
	}
	if n == none {
		n = s.create(now, h, id, a.Pos, state)
		if f.Gate > 0 && state == open {
			s.passed(now, n, f.Gate)
		}
	}
	s.stats.SpansIn++
	s.stats.SpansHeld++
	s.fold(now, n, f, span, &a)
	return nil
}

func (s *Shard) find(h uint64, id [16]byte) int32 {
	return s.index.find(h, func(n int32) bool { return s.entries.at(n).id == id })
}

// room makes sure that one more trace may be open.
func (s *Shard) room(now Now) error {
	if s.set.MaxTraces == 0 || s.stats.TracesOpen < int64(s.set.MaxTraces) {
		return nil
	}
	if s.set.Block {
		return ErrTooManyTraces
	}
	s.DecideOldest(now, 1, ReasonTraces)
	return nil
}

func (s *Shard) create(now Now, h uint64, id [16]byte, pos tracelog.Pos, st state) int32 {
	n := s.entries.take()
	*s.entries.at(n) = entry{
		id: id, hash: h, head: pos, first: pos, arrival: now.Mono, newest: now.Mono, state: st,
		slot: none, generation: s.generation,
	}
	s.link(n, none)
	s.index.insert(h, n)
	if st == open {
		s.stats.NewTraces++
		s.stats.TracesOpen++
		s.entries.at(n).deadline = now.Mono + s.shorten(s.set.Wait)
		s.schedule(n)
	}
	return n
}

// The list through older and newer is in the order of oldest records, which is that of arrival but for what was carried.

// link puts entry n before another, or at the end.
func (s *Shard) link(n, before int32) {
	older := s.newest
	if before != none {
		older = s.entries.at(before).older
		s.entries.at(before).older = n
	} else {
		s.newest = n
	}
	if older != none {
		s.entries.at(older).newer = n
	} else {
		s.oldest = n
	}
	e := s.entries.at(n)
	e.older, e.newer = older, before
}

func (s *Shard) unlink(n int32) {
	e := s.entries.at(n)
	if e.older != none {
		s.entries.at(e.older).newer = e.newer
	} else {
		s.oldest = e.newer
	}
	if e.newer != none {
		s.entries.at(e.newer).older = e.older
	} else {
		s.newest = e.older
	}
}

// shorten is the wait under the pressure of memory: the whole of it up to 70 % of the budget, a quarter when full.
func (s *Shard) shorten(wait time.Duration) time.Duration {
	if s.pressure <= 0.7 {
		return wait
	}
	return wait - time.Duration(float64(wait)*0.75*min(1, (s.pressure-0.7)/0.3))
}

// SetPressure tells how full the memory is, 0 to 1.
func (s *Shard) SetPressure(p float64) { s.pressure = p }

func (s *Shard) remove(n int32) {
	e := s.entries.at(n)
	s.unschedule(n)
	s.unlink(n)
	s.index.delete(e.hash, n)
	s.stats.SpansHeld -= int64(e.facts.Spans)
	if e.state.undecided() {
		s.stats.TracesOpen--
	}
	if e.state == promised {
		delete(s.promises, n)
	}
	if len(s.torn) > 0 {
		delete(s.torn, e.id)
	}
	e.state = gone
	s.entries.release(n)
}

// fold adds what a span says to its trace's entry.
func (s *Shard) fold(now Now, n int32, f *Fragment, span ptrace.Span, a *tracelog.Appended) {
	e := s.entries.at(n)
	e.head = a.Pos
	e.newest = now.Mono
	s.account(e, f, a.Size)
	t := s.touch(n, e, f.ID)
	facts, bits := &e.facts, s.entries.bitsOf(n)
	if s.set.SpanIngest && e.state.undecided() {
		facts, bits = &t.facts, t.bits
		e.facts.Spans++
	}
	s.span = foldable(span)
	root := s.span.Root
	if root && e.facts.Flags&policy.FlagRoot == 0 {
		e.rootAt = now.Mono
	}
	s.program.Fold(facts, bits, &s.span)
	s.program.ApplyResource(bits, policy.Mark(a.Resource))
	if len(a.Marks) > 0 {
		s.seen.Reset()
		for _, m := range a.Marks {
			s.program.ApplySpan(bits, &s.seen, policy.Mark(m))
		}
	}
	if s.program.NeedsSpan() {
		s.program.FoldOTTL(context.Background(), bits, f.Resource, f.Spans, span)
	}
	if root && e.state.undecided() {
		e.facts.Flags |= policy.FlagRoot
		s.hasten(now, n, e, f)
	}
}

// hasten moves the deadline forward when the root has arrived.
func (s *Shard) hasten(now Now, n int32, e *entry, f *Fragment) {
	e.service = f.Service
	wait := s.afterRoot(e)
	if s.set.Idle > 0 {
		wait = min(wait, s.set.Idle)
	}
	if deadline := now.Mono + s.shorten(wait); deadline < e.deadline {
		s.reschedule(n, deadline)
	}
}

// afterRoot is how long a trace may stay open after its root at most.
func (s *Shard) afterRoot(e *entry) time.Duration {
	wait := s.set.Wait
	if s.set.WaitAfterRoot > 0 {
		wait = min(wait, s.set.WaitAfterRoot)
	}
	if s.set.Lateness != nil {
		wait = min(wait, s.set.Lateness.Wait(e.service, e.hash, s.set.Wait))
	}
	return wait
}

// restless gives a trace that is due more time, if spans of it have arrived since its root, and reports whether it did.
// Moving the deadline here and not with each span costs at most one visit per idle timeout.
func (s *Shard) restless(now time.Duration, n int32) bool {
	e := s.entries.at(n)
	if e.facts.Flags&policy.FlagRoot == 0 {
		return false
	}
	until := min(e.newest+s.shorten(s.set.Idle), e.arrival+s.shorten(s.set.Wait), e.rootAt+s.shorten(s.afterRoot(e)))
	if until <= now {
		return false
	}
	s.reschedule(n, until)
	return true
}

// touch notes that the trace has spans in the fragment at hand.
func (s *Shard) touch(n int32, e *entry, fragment uint64) *touch {
	if fragment != s.fragment {
		s.fragment = fragment
		s.visit++
		s.touched = s.touched[:0]
	}
	if e.touchedIn == s.visit {
		return &s.touched[e.touch]
	}
	e.touchedIn, e.touch = s.visit, int32(len(s.touched))
	if len(s.touched) < cap(s.touched) {
		s.touched = s.touched[:len(s.touched)+1]
	} else {
		s.touched = append(s.touched, touch{})
	}
	t := &s.touched[len(s.touched)-1]
	t.entry, t.hash = n, e.hash
	if s.set.SpanIngest {
		t.facts = policy.Facts{}
		if len(t.bits) != s.entries.words {
			t.bits = make([]uint64, s.entries.words)
		}
		clear(t.bits)
	}
	return t
}
