package tracelog

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// unlikeTraffic is 256 spans of which nothing repeats, not even the keys of attributes.
func unlikeTraffic(r *rand.Rand) ptrace.Traces {
	td := shopTraffic(r, 9)
	for _, rs := range td.ResourceSpans().All() {
		for _, span := range rs.ScopeSpans().At(0).Spans().All() {
			span.SetName(fmt.Sprintf("%032x", r.Uint64()))
			span.Attributes().Clear()
			for range 10 {
				span.Attributes().PutStr(fmt.Sprintf("key.%016x", r.Uint64()), fmt.Sprintf("%016x", r.Uint64()))
			}
		}
	}
	return td
}

// What a span takes, compared with its size as OTLP protobuf: a fifth of that where values repeat, and no more than that
// where nothing ever does. The segment that is half full at the end counts whole.
func TestBytesPerSpan(t *testing.T) {
	for _, c := range []struct {
		name    string
		traffic func(*rand.Rand) ptrace.Traces
		most    float64
	}{
		{"all values repeat", func(r *rand.Rand) ptrace.Traces { return shopTraffic(r, 0) }, 0.25},
		{"two of ten values are new", func(r *rand.Rand) ptrace.Traces { return shopTraffic(r, 2) }, 0.30},
		{"all values are new", func(r *rand.Rand) ptrace.Traces { return shopTraffic(r, 9) }, 0.60},
		{"nothing repeats", unlikeTraffic, 1.00},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			l := New(Settings{Store: &heap{}, Marker: marks{}})
			wire := 0
			for range 300 {
				td := c.traffic(r)
				wire += (&ptrace.ProtoMarshaler{}).TracesSize(td)
				appendAll(t, l, td, map[pcommon.TraceID]Pos{}, new([]pcommon.TraceID))
			}
			ratio := float64(l.Bytes()) / float64(wire)
			t.Logf("%.0f bytes per span, %.0f on the wire: %.2f", float64(l.Bytes())/(300*256), float64(wire)/(300*256), ratio)
			if ratio > c.most {
				t.Errorf("takes %.2f of the size on the wire, want at most %.2f", ratio, c.most)
			}
		})
	}
}

// Appending spans of known texts allocates nothing, nor does appending those of new ones.
func TestAppendAllocatesNothing(t *testing.T) {
	for name, td := range map[string]ptrace.Traces{
		"known": shopTraffic(rand.New(rand.NewPCG(1, 2)), 0),
		"new":   unlikeTraffic(rand.New(rand.NewPCG(1, 2))),
		"odd":   (&generator{rand.New(rand.NewPCG(7, 2))}).traces(), // events, links, nested values
	} {
		t.Run(name, func(t *testing.T) {
			l := New(Settings{Store: &heap{}, Marker: marks{"asked=a": 1}, SegmentSize: 64 << 20})
			sums := NewSums()
			var scopes []Scope
			for _, rs := range td.ResourceSpans().All() {
				res := sums.Resource(rs)
				for _, ss := range rs.ScopeSpans().All() {
					scopes = append(scopes, sums.Scope(&res, ss))
				}
			}
			add := func() {
				next, prev := 0, Pos(0)
				for _, rs := range td.ResourceSpans().All() {
					for _, ss := range rs.ScopeSpans().All() {
						sc := &scopes[next]
						next++
						for i := range ss.Spans().Len() {
							a, err := l.Append(0, sc, prev, ss.Spans().At(i))
							if err != nil {
								t.Fatal(err)
							}
							prev = a.Pos
						}
					}
				}
			}
			add()
			if got := testing.AllocsPerRun(100, add); got != 0 {
				t.Errorf("%v allocations per %d spans", got, td.SpanCount())
			}
			if l.Segments() != 1 {
				t.Fatal("a segment was opened meanwhile: the test needs a larger one")
			}
		})
	}
}

// Preparing the resource and scope of a request allocates nothing either.
func TestSumsAllocateNothing(t *testing.T) {
	td := shopTraffic(rand.New(rand.NewPCG(1, 2)), 0)
	rs := td.ResourceSpans().At(0)
	sums := NewSums()
	var kept int
	if got := testing.AllocsPerRun(100, func() {
		res := sums.Resource(rs)
		sc := sums.Scope(&res, rs.ScopeSpans().At(0))
		kept += sc.Size
	}); got > 1 { // the resource, because the scope points to it
		t.Errorf("%v allocations per ResourceSpans, want at most one", got)
	}
}
