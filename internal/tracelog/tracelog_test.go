package tracelog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// heap is a store on the Go heap with a limit.
type heap struct{ used, limit int }

var errHeapFull = errors.New("no memory left")

func (h *heap) Alloc(_ int, _ uint64, size int) ([]byte, error) {
	if h.limit > 0 && h.used+size > h.limit {
		return nil, errHeapFull
	}
	h.used += size
	return make([]byte, size), nil
}

func (h *heap) Free(_ int, _ uint64, mem []byte) {
	h.used -= len(mem)
	for i := range mem {
		mem[i] = 0xff // whoever still reads it shall notice
	}
}

// marks knows attributes by "key=value" of strings.
type marks map[string]uint32

func (m marks) SpanKey(key string) bool { return key == "asked" }

func (m marks) MarkSpan(key string, v Value) uint32 { return m[key+"="+v.Str] }

func (m marks) MarkResource(attrs pcommon.Map) uint32 {
	if v, ok := attrs.Get("asked"); ok {
		return m["asked="+v.Str()]
	}
	return 0
}

// appendAll appends every span of td and returns the newest position per trace.
func appendAll(t testing.TB, l *Log, td ptrace.Traces, heads map[pcommon.TraceID]Pos, order *[]pcommon.TraceID) (size int) {
	t.Helper()
	sums := NewSums()
	for _, rs := range td.ResourceSpans().All() {
		r := sums.Resource(rs)
		for _, ss := range rs.ScopeSpans().All() {
			sc := sums.Scope(&r, ss)
			for _, span := range ss.Spans().All() {
				a, err := l.Append(1_700_000_000_000_000_000, &sc, heads[span.TraceID()], span)
				if err != nil {
					t.Fatal(err)
				}
				if want := (&ptrace.ProtoMarshaler{}).SpanSize(span); a.Size != want {
					t.Fatalf("size of %s: got %d, want %d", span.Name(), a.Size, want)
				}
				if heads[span.TraceID()] == 0 {
					*order = append(*order, span.TraceID())
				}
				heads[span.TraceID()] = a.Pos
				size += a.Size
			}
		}
	}
	return size
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		g := &generator{rand.New(rand.NewPCG(seed, 1))}
		l := New(Settings{Store: &heap{}, Marker: marks{}, SegmentSize: 16 << 10, Checksums: seed%2 == 0})
		heads := map[pcommon.TraceID]Pos{}
		var order []pcommon.TraceID
		want := map[pcommon.TraceID][]string{}
		for range 1 + g.IntN(4) {
			td := g.traces()
			flattenSpans(t, td, want)
			appendAll(t, l, td, heads, &order)
		}
		got := map[pcommon.TraceID][]string{}
		var out []byte
		for _, id := range order {
			positions, err := l.View().Positions(nil, Trace{ID: id, Head: heads[id]})
			if err != nil {
				t.Fatal(err)
			}
			var n Written
			if out, n = l.View().AppendOTLP(out, id, positions); n.Unreadable != 0 {
				t.Fatalf("seed %d: %d spans unreadable", seed, n.Unreadable)
			}
		}
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(out)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		flattenSpans(t, td, got)
		if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
			t.Fatalf("seed %d:\ngot  %q\nwant %q", seed, a, b)
		}
	}
}

// flattenSpans adds each span of td, with its resource and scope, as protobuf bytes to its trace's list.
func flattenSpans(t testing.TB, td ptrace.Traces, dst map[pcommon.TraceID][]string) {
	t.Helper()
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				one := ptrace.NewTraces()
				r := one.ResourceSpans().AppendEmpty()
				rs.Resource().CopyTo(r.Resource())
				r.SetSchemaUrl(rs.SchemaUrl())
				s := r.ScopeSpans().AppendEmpty()
				ss.Scope().CopyTo(s.Scope())
				s.SetSchemaUrl(ss.SchemaUrl())
				span.CopyTo(s.Spans().AppendEmpty())
				b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(one)
				if err != nil {
					t.Fatal(err)
				}
				dst[span.TraceID()] = append(dst[span.TraceID()], string(b))
			}
		}
	}
}

func TestMarksAreAskedForOncePerText(t *testing.T) {
	m := marks{"asked=yes": 7}
	l := New(Settings{Store: &heap{}, Marker: m})
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("asked", "yes")
	ss := rs.ScopeSpans().AppendEmpty()
	span := ss.Spans().AppendEmpty()
	span.Attributes().PutStr("other", "yes")
	span.Attributes().PutStr("asked", "yes")
	sums := NewSums()
	r := sums.Resource(rs)
	sc := sums.Scope(&r, ss)
	for i := range 3 {
		a, err := l.Append(0, &sc, 0, span)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Marks) != 1 || a.Marks[0] != 7 || a.Resource != 7 {
			t.Fatalf("time %d: marks %v, resource %d, want [7] and 7", i, a.Marks, a.Resource)
		}
		delete(m, "asked=yes") // the log remembers
	}
	l.SetMarker(marks{"asked=yes": 9})
	a, err := l.Append(0, &sc, 0, span)
	if err != nil || len(a.Marks) != 1 || a.Marks[0] != 9 || a.Resource != 9 {
		t.Fatalf("after SetMarker: %+v %v, want mark 9", a, err)
	}
}

func TestReclaim(t *testing.T) {
	store := &heap{limit: 200 << 10}
	l := New(Settings{Store: store, Marker: marks{}, SegmentSize: 64 << 10})
	g := &generator{rand.New(rand.NewPCG(1, 2))}
	heads := map[pcommon.TraceID]Pos{}
	sums := NewSums()
	var err error
	var first Pos
	for err == nil {
		for _, rs := range g.traces().ResourceSpans().All() {
			r := sums.Resource(rs)
			for _, ss := range rs.ScopeSpans().All() {
				sc := sums.Scope(&r, ss)
				for _, span := range ss.Spans().All() {
					var a Appended
					if a, err = l.Append(0, &sc, heads[span.TraceID()], span); err != nil {
						break
					}
					heads[span.TraceID()] = a.Pos
					if first == 0 {
						first = a.Pos
					}
				}
			}
		}
	}
	if !errors.Is(err, errHeapFull) {
		t.Fatal(err)
	}
	if n := l.Segments(); n != 3 {
		t.Fatalf("%d segments, want 3", n)
	}
	if freed := l.Reclaim(first, 1); freed != 0 {
		t.Fatal("freed the segment of a record that is needed")
	}
	if !l.Pin(first) {
		t.Fatal("cannot pin")
	}
	if freed := l.Reclaim(l.End(), 1); freed != 0 {
		t.Fatal("freed a pinned segment")
	}
	view := l.View()
	view.Unpin(first)
	if freed := l.Reclaim(l.End(), 1); freed != 64<<10 {
		t.Fatalf("freed %d, want one segment", freed)
	}
	if l.Pin(first) {
		t.Fatal("pinned a segment that is gone")
	}
	if _, _, err := l.View().head(first); !errors.Is(err, ErrGone) {
		t.Fatalf("got %v, want %v", err, ErrGone)
	}
	if freed := l.Reclaim(l.End(), 1<<30); freed != 64<<10 || l.Segments() != 1 {
		t.Fatalf("freed %d and left %d, want the open one to stay", freed, l.Segments())
	}
	l.Close()
	if store.used != 0 {
		t.Fatalf("%d bytes not given back", store.used)
	}
}

func TestHugeSpans(t *testing.T) {
	l := New(Settings{Store: &heap{}, Marker: marks{}, SegmentSize: 64 << 10})
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	ss := rs.ScopeSpans().AppendEmpty()
	sums := NewSums()
	heads := map[pcommon.TraceID]Pos{}
	var order []pcommon.TraceID
	want := map[pcommon.TraceID][]string{}
	for _, n := range []int{10, 1 << 20, 10, 300 << 10} {
		span := ss.Spans().AppendEmpty()
		span.SetTraceID([16]byte{1})
		span.Attributes().PutStr("big", string(make([]byte, n)))
	}
	flattenSpans(t, td, want)
	appendAll(t, l, td, heads, &order)
	positions, err := l.View().Positions(nil, Trace{ID: [16]byte{1}, Head: heads[[16]byte{1}]})
	if err != nil {
		t.Fatal(err)
	}
	out, _ := l.View().AppendOTLP(nil, [16]byte{1}, positions)
	back, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(out)
	if err != nil {
		t.Fatal(err)
	}
	got := map[pcommon.TraceID][]string{}
	flattenSpans(t, back, got)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatal("huge spans came back different")
	}
	ss.Spans().At(0).Attributes().PutStr("big", string(make([]byte, 5<<20)))
	r := sums.Resource(rs)
	sc := sums.Scope(&r, ss)
	segments := l.Segments()
	if _, err := l.Append(0, &sc, 0, ss.Spans().At(0)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v, want %v", err, ErrTooLarge)
	}
	if l.Segments() != segments {
		t.Fatalf("%d segments after a refused span, want %d", l.Segments(), segments)
	}
	if _, err := l.Append(0, &sc, 0, ss.Spans().At(2)); err != nil {
		t.Fatalf("the log does not go on after a refused span: %v", err)
	}
}
