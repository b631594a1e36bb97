package tracelog

import (
	"fmt"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// deep puts arrays and maps into each other.
func deep(v pcommon.Value, levels int) {
	for n := range levels {
		if n%2 == 0 {
			v = v.SetEmptySlice().AppendEmpty()
		} else {
			v = v.SetEmptyMap().PutEmpty("k")
		}
	}
	v.SetStr("bottom")
}

// Values nested as deep as anyone may send come back; deeper ones lose their span, which is counted, and nothing else.
func TestNestedValues(t *testing.T) {
	for _, c := range []struct {
		levels     int
		unreadable int
	}{{1, 0}, {2, 0}, {64, 0}, {maxDepth - 1, 0}, {maxDepth + 2, 1}, {20 * maxDepth, 1}} {
		t.Run(fmt.Sprint(c.levels), func(t *testing.T) {
			rs := ptrace.NewResourceSpans()
			spans := rs.ScopeSpans().AppendEmpty().Spans()
			for i := range 3 {
				span := spans.AppendEmpty()
				span.SetTraceID(pcommon.TraceID{1})
				span.SetName(fmt.Sprint("span ", i))
				deep(span.Attributes().PutEmpty("value"), []int{1, c.levels, 2}[i])
			}
			l := New(Settings{Store: &heap{}, Marker: marks{}})
			sums := NewSums()
			res := sums.Resource(rs)
			sc := sums.Scope(&res, rs.ScopeSpans().At(0))
			var at []Pos
			for _, span := range spans.All() {
				a, err := l.Append(0, &sc, 0, span)
				if err != nil {
					t.Fatal(err)
				}
				at = append(at, a.Pos)
			}
			out, n := l.View().AppendOTLP(nil, pcommon.TraceID{1}, at)
			if n.Unreadable != c.unreadable {
				t.Errorf("%d spans unreadable, want %d", n.Unreadable, c.unreadable)
			}
			td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(out)
			if err != nil {
				t.Fatal(err)
			}
			got := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
			want := strings.Split("span 0,span 1,span 2", ",")
			if c.unreadable > 0 {
				want = strings.Split("span 0,span 2", ",")
			}
			if got.Len() != len(want) {
				t.Fatalf("%d spans came back, want %d", got.Len(), len(want))
			}
			for i, name := range want {
				if got.At(i).Name() != name {
					t.Errorf("span %d is %q, want %q", i, got.At(i).Name(), name)
				}
			}
			if c.unreadable == 0 {
				sent, _ := spans.At(1).Attributes().Get("value")
				back, _ := got.At(1).Attributes().Get("value")
				if !sent.Equal(back) {
					t.Error("the value came back different")
				}
			}
		})
	}
}
