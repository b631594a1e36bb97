package engine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// What a note in the log says.
const (
	noteDropped   byte = iota
	noteKept           // decided, to be handed on; Data is a thresholdNote
	noteDelivered      // accepted by whoever comes next; Data is the position of the newest record
	noteAnew           // what comes from here on begins a new trace, although one of the id was dropped
	noteGate           // let in by chance; Data is the Level
	noteCarried        // all before the position in Data stands in the log once more
)

func (s *Shard) note(now Now, id [16]byte, what byte, data uint64) {
	if s.set.Notes {
		s.writeNote(now, tracelog.Note{ID: id, What: what, Data: data})
	}
}

// thresholdNote is the threshold of a kept trace plus one, 0 if it has none.
func thresholdNote(k decisionmemory.Kept) uint64 {
	if !k.HasThreshold {
		return 0
	}
	return k.Threshold + 1
}

func keptOf(thresholdNote uint64) decisionmemory.Kept {
	if thresholdNote == 0 {
		return decisionmemory.Kept{}
	}
	return decisionmemory.Kept{Threshold: thresholdNote - 1, HasThreshold: true}
}

// writeNote is best effort: without its note a trace is decided, or handed on, once more after a crash.
func (s *Shard) writeNote(now Now, n tracelog.Note) {
	if err := s.log.AppendNote(uint64(now.Wall.UnixNano()), n); err != nil {
		s.stats.NotesLost++
	}
}

// Done releases the records of decisions that were delivered, or given up.
func (s *Shard) Done(now Now, decisions []Decision) {
	for i := range decisions {
		d := &decisions[i]
		if s.set.Notes {
			s.writeNote(now, tracelog.Note{ID: d.ID, What: noteDelivered, Data: uint64(d.Head)})
		}
		s.log.View().Unpin(d.First)
	}
	s.reclaim()
}

// Restored is what was found in a log of a former life.
type Restored struct {
	Traces, Spans int // undecided
	Kept          int // decided to be kept, and not delivered
	Torn          int // segments that are none, or end in bytes that are no records
}

// Restore takes the segments of a former life, oldest first, into an empty shard. Their undecided traces are open again
// and wait once more; those that were kept and not delivered are decisions at once.
func (s *Shard) Restore(now Now, shard int, former []tracelog.Former) (r Restored) {
	x := restorer{
		Shard: s, now: now, heads: map[tracelog.Pos]int32{}, kept: map[[16]byte][]*chain{},
		dropped: map[[16]byte]struct{}{}, chains: map[tracelog.Pos]*chain{}, broken: map[[16]byte][]*chain{},
	}
	adopted, damaged := s.log.Adopt(former)
	r.Torn = damaged
	for _, f := range adopted {
		if torn := tracelog.Scan(f, shard, x.record); torn != 0 {
			r.Torn++
		}
	}
	s.generation++ // all that is open must be folded from its records
	for n := s.oldest; n != none; n = s.entries.at(n).newer {
		r.Traces++
		r.Spans += int(s.entries.at(n).facts.Spans)
	}
	for _, c := range x.undelivered() {
		r.Kept++
		r.Spans += int(c.spans)
		s.redeliver(now, c)
	}
	s.stats.SpansRecovered += uint64(r.Spans)
	s.stats.TracesRecovered += uint64(r.Traces)
	return r
}

// chain is a run of records of a kept trace that was not delivered yet.
type chain struct {
	id          [16]byte
	head, first tracelog.Pos
	torn        []tracelog.Pos // as in Decision
	spans       uint32
	reason      Reason
}

// restorer reads a former log.
type restorer struct {
	*Shard
	now     Now
	heads   map[tracelog.Pos]int32  // newest record of each open trace
	kept    map[[16]byte][]*chain   // what of each kept trace was not delivered, in the order in which it leaves
	chains  map[tracelog.Pos]*chain // all those, by newest record
	dropped map[[16]byte]struct{}
	broken  map[[16]byte][]*chain // of open traces: earlier chains, which were decided without room for a note
}

func (x *restorer) record(r tracelog.Record) {
	if r.Note != nil {
		x.noted(r.Note, r.Pos)
		return
	}
	n, ok := x.heads[r.Prev]
	switch c := x.chains[r.Prev]; {
	case ok:
		e := x.entries.at(n)
		delete(x.heads, e.head)
		e.head = r.Pos
		x.count(n)
	case c != nil:
		delete(x.chains, c.head)
		c.head = r.Pos
		c.spans++
		x.chains[c.head] = c
	case r.HasID && r.Prev != 0 && x.rejoin(r):
	case r.HasID:
		if c, was := x.close(r.ID); was { // and goes on without it: it was decided
			x.broken[r.ID] = append(x.broken[r.ID], c)
		}
		x.begin(r)
	}
}

// rejoin continues an open trace behind damage: the record names one before it that was not found.
func (x *restorer) rejoin(r tracelog.Record) bool {
	n := x.find(Hash(r.ID), r.ID)
	if n == none {
		return false
	}
	e := x.entries.at(n)
	delete(x.heads, e.head)
	x.torn[r.ID] = append(x.torn[r.ID], e.head)
	e.head = r.Pos
	x.count(n)
	return true
}

// begin starts a chain of records: of a new trace, or of one that was decided.
func (x *restorer) begin(r tracelog.Record) {
	if _, was := x.kept[r.ID]; was {
		x.leave(&chain{id: r.ID, head: r.Pos, first: r.Pos, spans: 1, reason: ReasonRecovered})
		return
	}
	if _, was := x.dropped[r.ID]; was {
		return
	}
	x.count(x.create(x.now, Hash(r.ID), r.ID, r.Pos, open))
}

func (x *restorer) count(n int32) {
	e := x.entries.at(n)
	x.heads[e.head] = n
	e.facts.Spans++
	x.stats.SpansHeld++
}

// leave puts what is to be delivered behind what is already.
func (x *restorer) leave(c *chain) {
	x.kept[c.id] = append(x.kept[c.id], c)
	x.chains[c.head] = c
}

func (x *restorer) noted(note *tracelog.Note, pos tracelog.Pos) {
	switch note.What {
	case noteDelivered:
		x.delivered(note, pos)
	case noteAnew:
		if _, was := x.dropped[note.ID]; was {
			delete(x.dropped, note.ID)
			x.memory.Forget(note.ID)
		}
	case noteCarried:
		x.carried(note)
	case noteGate:
		if n := x.find(Hash(note.ID), note.ID); n != none {
			x.entries.at(n).gate = Level(note.Data)
		}
	case noteKept:
		x.memory.Keep(x.now.Wall, note.ID, keptOf(note.Data))
		x.notedKept(note.ID, pos)
	case noteDropped:
		delete(x.broken, note.ID)
		x.dropped[note.ID] = struct{}{}
		x.memory.Drop(x.now.Wall, note.ID)
		x.decided.add(Hash(note.ID), x.now.Mono) // no earlier: when it really was is not known
		x.close(note.ID)
	}
}

func (x *restorer) carried(note *tracelog.Note) {
	n := x.find(Hash(note.ID), note.ID)
	if n == none {
		return
	}
	e := x.entries.at(n)
	e.first = max(e.first, tracelog.Pos(note.Data))
	newer := e.newer
	x.unlink(n)
	for newer != none && x.entries.at(newer).first < e.first {
		newer = x.entries.at(newer).newer
	}
	x.link(n, newer)
	found, _ := x.recordsOf(e, x.log.View(), nil)
	x.stats.SpansHeld += int64(len(found)) - int64(e.facts.Spans)
	e.facts.Spans = uint32(len(found))
}

func (x *restorer) notedKept(id [16]byte, pos tracelog.Pos) {
	if _, known := x.kept[id]; !known {
		x.kept[id] = nil
	}
	for _, c := range x.broken[id] {
		x.leave(c)
	}
	delete(x.broken, id)
	if c, was := x.close(id); was {
		x.leave(c)
		return
	}
	if _, was := x.dropped[id]; was { // of a rescued trace the owner finds the spans
		delete(x.dropped, id)
		x.memory.Forget(id)
		x.leave(&chain{id: id, head: pos, first: x.log.Oldest(), reason: ReasonRescue})
	}
}

// delivered forgets what has left: the rescue of a trace, which comes before all that follows it, or its chains up to
// the position in the note.
func (x *restorer) delivered(note *tracelog.Note, pos tracelog.Pos) {
	if _, known := x.kept[note.ID]; !known {
		x.memory.Keep(x.now.Wall, note.ID, decisionmemory.Kept{})
		x.notedKept(note.ID, pos) // that note is gone, or there was no room for it
	}
	queue := x.kept[note.ID]
	for len(queue) > 0 && (queue[0].reason == ReasonRescue || queue[0].head <= tracelog.Pos(note.Data)) {
		delete(x.chains, queue[0].head)
		queue = queue[1:]
	}
	x.kept[note.ID] = queue
}

// undelivered returns what is to be handed on, oldest first.
func (x *restorer) undelivered() []*chain {
	return slices.SortedFunc(maps.Values(x.chains), func(a, b *chain) int { return cmp.Compare(a.head, b.head) })
}

// close forgets an open trace that was decided in the former life, and returns what is left of it.
func (x *restorer) close(id [16]byte) (c *chain, was bool) {
	n := x.find(Hash(id), id)
	if n == none {
		return nil, false
	}
	e := x.entries.at(n)
	c = &chain{e.id, e.head, e.first, x.torn[e.id], e.facts.Spans, ReasonRecovered}
	delete(x.heads, e.head)
	x.stats.NewTraces--
	x.remove(n)
	return c, true
}

// redeliver hands on a trace that was kept in the former life, by a policy that is not known any more.
func (s *Shard) redeliver(now Now, c *chain) {
	s.log.Pin(c.first)
	_, kept := s.memory.Lookup(now.Wall, c.id)
	s.stats.SpansKept += uint64(c.spans)
	s.decisions = append(s.decisions, Decision{
		ID: c.id, Head: c.head, First: c.first, Torn: c.torn, Spans: c.spans, Policy: -1, SubPolicy: -1,
		Threshold: kept.Threshold, HasTh: kept.HasThreshold, Reason: c.reason, Program: s.program,
	})
}
