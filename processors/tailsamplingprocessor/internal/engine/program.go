package engine

import (
	"context"
	"slices"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// SetProgram replaces the policies. Open traces are folded anew from their records, each when it is next needed: folding
// all of them here would hold the lock for seconds.
func (s *Shard) SetProgram(p *policy.Program) {
	s.generation++
	s.touched = nil
	s.use(p)
	for n, v := range s.promises { // the promise stands, the policy that gave it is gone
		v.Policy, v.SubPolicy = -1, -1
		s.promises[n] = v
	}
}

func (s *Shard) use(p *policy.Program) {
	s.program = p
	s.policies.use(p.Names())
	s.subs.use(p.SubNames())
	s.entries.setWords(p.Words())
	s.log.SetMarker(marker{p})
}

// refresh folds a trace anew if its facts are those of an earlier program.
func (s *Shard) refresh(n int32) {
	e := s.entries.at(n)
	if e.generation == s.generation {
		return
	}
	e.generation = s.generation
	clear(s.entries.bitsOf(n))
	if s.set.SpanIngest {
		return
	}
	td := s.decode(n)
	spans, bytes, overhead := e.facts.Spans, e.facts.Bytes, e.facts.Overhead
	e.facts = policy.Facts{}
	s.refold(&e.facts, s.entries.bitsOf(n), td)
	s.stats.SpansHeld += int64(e.facts.Spans) - int64(spans)
	if e.facts.Spans < spans { // a record could not be read
		s.stats.SpansDropped[DropUnreadable] += uint64(spans - e.facts.Spans)
	} else { // records behind a tear, where Restore did not look
		s.stats.SpansRecovered += uint64(e.facts.Spans - spans)
	}
	if bytes == 0 { // recovered
		sizer := ptrace.ProtoMarshaler{}
		for _, rs := range td.ResourceSpans().All() {
			bytes += uint64(sizer.ResourceSpansSize(rs))
		}
	}
	e.facts.Bytes, e.facts.Overhead = bytes, overhead
}

func (s *Shard) refold(f *policy.Facts, bits []uint64, td ptrace.Traces) {
	p := s.program
	for _, rs := range td.ResourceSpans().All() {
		p.ApplyResource(bits, policy.Mark(marker{p}.MarkResource(rs.Resource().Attributes())))
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				s.refoldSpan(f, bits, span)
				if p.NeedsSpan() {
					p.FoldOTTL(context.Background(), bits, rs, ss, span)
				}
			}
		}
	}
}

func (s *Shard) refoldSpan(f *policy.Facts, bits []uint64, span ptrace.Span) {
	s.span = foldable(span)
	s.program.Fold(f, bits, &s.span)
	s.seen.Reset()
	for k, v := range span.Attributes().All() {
		if s.program.SpanKey(k) {
			s.program.ApplySpan(bits, &s.seen, s.program.MarkSpan(k, policyValue(v)))
		}
	}
}

func foldable(span ptrace.Span) policy.Span {
	return policy.Span{
		Start:      uint64(span.StartTimestamp()),
		End:        uint64(span.EndTimestamp()),
		Status:     int32(span.Status().Code()),
		Flags:      span.Flags(),
		TraceState: span.TraceState().AsRaw(),
		Root:       span.ParentSpanID().IsEmpty(),
	}
}

// decode turns the records of an open trace back into spans.
func (s *Shard) decode(n int32) ptrace.Traces {
	e := s.entries.at(n)
	v := s.log.View()
	found, _ := s.recordsOf(e, v, nil)
	td, _ := decode(v, e.id, found)
	return td
}

// recordsOf fills dst, which is empty, with the places of the trace's records, oldest first.
func (s *Shard) recordsOf(e *entry, v tracelog.View, dst []tracelog.Pos) ([]tracelog.Pos, error) {
	return positions(v, dst, &Decision{ID: e.id, Head: e.head, First: e.first, Torn: s.torn[e.id]})
}

// positions fills dst, which is empty, with the places of d's records, oldest first: of the chain that ends at the head,
// and of the parts that damage has cut off from it. Both may lead to the same records, where only what lies between them is
// damaged. What the chain has before the first record was carried: it stands at its end once more.
func positions(v tracelog.View, dst []tracelog.Pos, d *Decision) ([]tracelog.Pos, error) {
	dst, err := v.Positions(dst, tracelog.Trace{ID: d.ID, Head: d.Head})
	for _, head := range d.Torn {
		dst, _ = v.Positions(dst, tracelog.Trace{ID: d.ID, Head: head})
	}
	if len(d.Torn) > 0 {
		slices.Sort(dst)
		dst = slices.Compact(dst)
	}
	first, _ := slices.BinarySearch(dst, d.First)
	return dst[first:], err
}

// Decode turns the records of a trace that end at head back into spans. Records that cannot be read are left out and
// counted.
func Decode(v tracelog.View, id [16]byte, head tracelog.Pos) (td ptrace.Traces, unreadable int) {
	found, err := v.Positions(nil, tracelog.Trace{ID: id, Head: head})
	td, unreadable = decode(v, id, found)
	if err != nil {
		unreadable++
	}
	return td, unreadable
}

func decode(v tracelog.View, id [16]byte, found []tracelog.Pos) (td ptrace.Traces, unreadable int) {
	out, n := v.AppendOTLP(nil, id, found)
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(out)
	if err != nil { // what AppendOTLP writes is well formed; a corrupt record may still hold text that is no UTF-8
		return ptrace.NewTraces(), len(found)
	}
	return td, n.Unreadable
}
