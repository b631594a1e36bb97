package tracelog

import (
	"math/rand/v2"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// shuffle gives every hash of the table the place, and the notes, of another text or attribute: as if all 64 bits of
// their hashes agreed.
func (t *table) shuffle(r *rand.Rand) {
	var slots [2][]*slot
	for i := range t.buckets {
		for j := range t.buckets[i] {
			if s := &t.buckets[i][j]; s.off != 0 {
				slots[s.hash&1] = append(slots[s.hash&1], s)
			}
		}
	}
	for _, kind := range slots {
		r.Shuffle(len(kind), func(i, j int) {
			kind[i].off, kind[j].off = kind[j].off, kind[i].off
			kind[i].note, kind[j].note = kind[j].note, kind[i].note
		})
	}
}

// The table may forget, it never lies: with every hash colliding with that of another text, spans and marks come out as
// they went in.
func TestCollidingHashes(t *testing.T) {
	m := marks{"asked=a": 3, "asked=bb": 4, "asked=": 5, "asked=GET /users/{id}": 6}
	for seed := range uint64(60) {
		g := &generator{rand.New(rand.NewPCG(seed, 4))}
		l := New(Settings{Store: &heap{}, Marker: m, SegmentSize: 32 << 10})
		sums := NewSums()
		where, want := map[pcommon.TraceID][]Pos{}, map[pcommon.TraceID][]string{}
		for range 8 {
			td := g.traces()
			flattenSpans(t, td, want)
			for _, rs := range td.ResourceSpans().All() {
				res := sums.Resource(rs)
				for _, ss := range rs.ScopeSpans().All() {
					sc := sums.Scope(&res, ss)
					for _, span := range ss.Spans().All() {
						l.enc.table.shuffle(g.Rand)
						a, err := l.Append(0, &sc, 0, span)
						if err != nil {
							t.Fatal(err)
						}
						if expect := m.of(span); !slices.Equal(a.Marks, expect) {
							t.Fatalf("seed %d: marks %v, want %v", seed, a.Marks, expect)
						}
						where[span.TraceID()] = append(where[span.TraceID()], a.Pos)
					}
				}
			}
		}
		for id, at := range where {
			if !slices.Equal(read(t, l.View(), id, at), want[id]) {
				t.Fatalf("seed %d: trace %s came back different", seed, id)
			}
		}
	}
}

// of returns what the attributes of a span mean, in order.
func (m marks) of(span ptrace.Span) (all []uint32) {
	for k, v := range span.Attributes().All() {
		if m.SpanKey(k) {
			if mark := m.MarkSpan(k, Value{Str: v.Str()}); mark != 0 {
				all = append(all, mark)
			}
		}
	}
	return all
}

// Texts that never come again cannot push out those that do.
func TestTableKeepsWhatIsUsed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	tab := newTable()
	hot := make([]uint64, 1000)
	find := func(h uint64) *slot {
		b := tab.bucket(h)
		for i := range b {
			if b[i].hash == h {
				return &b[i]
			}
		}
		return nil
	}
	for i := range hot {
		hot[i] = r.Uint64()
		tab.add(hot[i], 64+i)
	}
	lost := 0
	for range 200_000 {
		for range 4 { // hot texts come four times as often as cold ones
			h := hot[r.IntN(len(hot))]
			if s := find(h); s != nil {
				s.note |= slotUsed
			} else {
				lost++
				tab.add(h, 64)
			}
		}
		tab.add(r.Uint64(), 64)
	}
	if lost > 800_000/50 {
		t.Errorf("hot texts were forgotten %d times in 800,000", lost)
	}
}
