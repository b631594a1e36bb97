package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// What a rule's key is built from is the same read from the log as read from decoded spans.
func TestFieldsAreThoseOfTheSpans(t *testing.T) {
	store := segstore.NewMemory(64 << 20)
	defer func() { _ = store.Close() }()
	s := New(Settings{
		Log: tracelog.New(tracelog.Settings{Store: store}), Memory: newMemory(),
		Program: compilePolicies(t, benchPolicies, policy.TraceComplete), Wait: time.Minute,
	})
	rs := ptrace.NewResourceSpans()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	rs.Resource().Attributes().PutEmptySlice("list").AppendEmpty().SetStr("x")
	for i := range 3 {
		span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID([16]byte{1})
		span.SetName(fmt.Sprintf("span %d", i))
		span.Status().SetCode(ptrace.StatusCode(i))
		if i != 1 {
			span.SetParentSpanID([8]byte{1})
		}
		span.Attributes().PutStr("route", fmt.Sprintf("/%d", i))
		span.Attributes().PutInt("number", int64(-i))
		span.Attributes().PutBool("cached", i == 1)
		span.Attributes().PutDouble("double", 1.5)
	}
	f := &feeder{shard: s}
	if _, err := f.feed(Now{Wall: epoch}, rs, 0, nil); err != nil {
		t.Fatal(err)
	}
	list := func(n int32) (got []string) {
		s.fields(n, func(root, resource bool, key string, v policy.Value) {
			got = append(got, fmt.Sprint(root, resource, key, v.Kind, v.Str, v.Int))
		})
		slices.Sort(got)
		return got
	}
	want := []string{
		fmt.Sprint(true, true, "service.name", policy.KindStr, "shop", 0),
		fmt.Sprint(true, true, "list", policy.KindOther, "", 0),
	}
	for i, root := range []bool{false, true, false} {
		want = append(want,
			fmt.Sprint(root, false, policy.SpanName, policy.KindStr, fmt.Sprintf("span %d", i), 0),
			fmt.Sprint(root, false, policy.SpanStatus, policy.KindInt, "", i),
			fmt.Sprint(root, false, "route", policy.KindStr, fmt.Sprintf("/%d", i), 0),
			fmt.Sprint(root, false, "number", policy.KindInt, "", -i),
			fmt.Sprint(root, false, "cached", policy.KindBool, "", map[bool]int{true: 1}[i == 1]),
			fmt.Sprint(root, false, "double", policy.KindOther, "", 0),
		)
	}
	slices.Sort(want)
	if got := list(s.oldest); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
