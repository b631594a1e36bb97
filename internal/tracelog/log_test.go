package tracelog

import (
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// one returns a scope with one span of trace 1 in it.
func one(name string) (*Scope, ptrace.Span) {
	rs := ptrace.NewResourceSpans()
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1})
	span.SetName(name)
	sums := NewSums()
	res := sums.Resource(rs)
	sc := sums.Scope(&res, rs.ScopeSpans().At(0))
	return &sc, span
}

// Newest comes after every record and before the next, also when the open segment was given back or never opened.
func TestNewestIsBetweenRecords(t *testing.T) {
	l := New(Settings{Store: &heap{}, Marker: marks{}, SegmentSize: 4 << 10})
	if l.Newest() != 0 {
		t.Errorf("an empty log has a newest position %s", l.Newest())
	}
	r := rand.New(rand.NewPCG(1, 1))
	before := Pos(0)
	for i := range 300 {
		size := r.IntN(500)
		if i%50 == 10 {
			size = 5 << 20 // refused; the segment that was opened for it is given back
		}
		sc, span := one(string(make([]byte, size)))
		a, err := l.Append(0, sc, 0, span)
		if err != nil {
			if n := l.Newest(); n < before {
				t.Fatalf("after a refused span the newest position is %s, after %s", n, before)
			}
			continue
		}
		if a.Pos <= before {
			t.Fatalf("record %d at %s, before it the newest position was %s", i, a.Pos, before)
		}
		if before = l.Newest(); before < a.Pos {
			t.Fatalf("newest position %s is before record %s", before, a.Pos)
		}
	}
}
