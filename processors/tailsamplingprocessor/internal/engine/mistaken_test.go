package engine

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// The memory of drops takes one new trace in 4,000 for a dropped one. What must be kept is kept all the same, with late
// spans left to follow decisions that were really taken.
func TestMistakenMemoryLosesNoError(t *testing.T) {
	s := New(Settings{
		Log: tracelog.New(tracelog.Settings{Store: newStore(0)}), Memory: newMemory(), Wait: 10 * time.Second, History: 1 << 20,
		Program: compilePolicies(t, "policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]", ""),
	})
	f := feeder{shard: s}
	feed := func(at time.Duration, trace string, code ptrace.StatusCode, name string) {
		t.Helper()
		td := ptrace.NewTraces()
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID(traceID(trace))
		span.SetSpanID([8]byte{1})
		span.SetName(name)
		span.Status().SetCode(code)
		if _, err := f.feed(moment(at), td.ResourceSpans().At(0), 0, nil); err != nil {
			t.Fatal(err)
		}
	}

	feed(0, "dropped", ptrace.StatusCodeOk, "fine")
	s.Advance(moment(11*time.Second), 100)
	feed(12*time.Second, "dropped", ptrace.StatusCodeError, "late error")
	if kept := s.Take(); len(kept) != 0 {
		t.Errorf("a late span changed a decision: %v", kept)
	}

	s.memory.Drop(moment(12*time.Second).Wall, traceID("new")) // what a mistake looks like
	feed(13*time.Second, "new", ptrace.StatusCodeOk, "before")
	feed(13*time.Second, "new", ptrace.StatusCodeError, "error")
	kept := s.Take()
	if len(kept) != 1 || kept[0].ID != traceID("new") {
		t.Fatalf("the error of a new trace was taken for a late one: %v", kept)
	}
	if names := spansOf(t, s.View(), &kept[0]); len(names) != 2 {
		t.Errorf("of the trace %v left, want both spans", names)
	}
	feed(14*time.Second, "new", ptrace.StatusCodeOk, "after")
	if kept := append(kept, s.Take()...); len(kept) != 2 {
		t.Errorf("what comes later does not follow: %v", kept)
	}
	checkShard(t, s, nil)
}
