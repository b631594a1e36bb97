package engine

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// A trace that was kept and not delivered before a restart leaves with the threshold that it passed, and so do spans that
// follow it: else it would be counted as one where it stands for two.
func TestThresholdSurvivesARestart(t *testing.T) {
	const half = 1 << 55
	program, err := policy.Compile(policy.Settings{Rules: []policy.RuleConfig{
		{Name: "half", Then: policy.ThenConfig{Probability: &policy.ProbabilityConfig{Percentage: 50}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	files := newStore(0)
	life := func() *Shard {
		return New(Settings{
			Log:    tracelog.New(tracelog.Settings{Store: files, Checksums: true}),
			Memory: newMemory(), Program: program, Wait: time.Second, Notes: true,
		})
	}
	id := traceID("kept")
	id[9] = 0xff // passes half
	feed := func(s *Shard, at time.Duration) {
		t.Helper()
		td := ptrace.NewTraces()
		span := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID(id)
		span.SetSpanID([8]byte{1})
		f := feeder{shard: s}
		if _, err := f.feed(moment(at), td.ResourceSpans().At(0), 0, nil); err != nil {
			t.Fatal(err)
		}
	}

	s := life()
	feed(s, 0)
	s.Advance(moment(2*time.Second), 100)
	former := files.former() // killed before the delivery

	s = life()
	if r := s.Restore(moment(3*time.Second), 0, former); r.Kept != 1 {
		t.Fatalf("%+v is taken up, want one kept trace", r)
	}
	feed(s, 4*time.Second)
	for _, d := range s.Take() {
		if !d.HasTh || d.Threshold != half {
			t.Errorf("%s leaves with threshold %x (%v), want %x", d.Reason, d.Threshold, d.HasTh, uint64(half))
		}
	}
	if got := s.Stats().SpansKept; got != 2 {
		t.Errorf("%d spans are kept, want 2", got)
	}
}
