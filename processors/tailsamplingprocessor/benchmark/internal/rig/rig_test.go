package rig

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

var engine = Engine{
	Name:    "contrib",
	Factory: contrib.NewFactory(),
	Pause:   "otelcol_processor_tail_sampling_sampling_decision_timer_latency", PauseUnit: time.Millisecond,
}

// The shares that the report states: 6 % of the traces are kept, all spans of a kept trace are.
func TestPoliciesKeepSixPercent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Start(engine, Settings{DecisionWait: 2 * time.Second, NumTraces: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		const requests = 640
		feed(t, r, requests)
		if before := r.Sink.Kept(); before.Spans != 0 {
			t.Errorf("%d spans kept before the wait was over", before.Spans)
		}
		time.Sleep(5 * time.Second)
		ticked := r.Sink.Kept()
		if _, ok, err := r.LongestPause(); !ok || err != nil {
			t.Errorf("contrib's decision timer was not found: %v", err)
		}
		if err := r.Stop(); err != nil {
			t.Fatal(err)
		}
		if end := r.Sink.Kept(); end != ticked {
			t.Errorf("kept %+v by decision, %+v in the end", ticked, end)
		}
		traces := requests * traffic.SpansPerRequest / traffic.SpansPerTrace
		if share := float64(ticked.Traces) / traces; share < 0.05 || share > 0.07 {
			t.Errorf("%.1f %% of the traces were kept, want about 6", 100*share)
		}
	})
}

// What is open at the end is decided by Stop, and the same way.
func TestStopDecidesWhatIsOpen(t *testing.T) {
	keep := func(wait time.Duration) (k Kept) {
		synctest.Test(t, func(t *testing.T) {
			r, err := Start(engine, Settings{DecisionWait: wait, NumTraces: 100_000})
			if err != nil {
				t.Fatal(err)
			}
			feed(t, r, 64)
			time.Sleep(5 * time.Second)
			if err := r.Stop(); err != nil {
				t.Fatal(err)
			}
			k = r.Sink.Kept()
		})
		return k
	}
	decided, stopped := keep(2*time.Second), keep(time.Hour)
	if decided != stopped || decided.Traces == 0 {
		t.Errorf("decided on time %+v, by stopping %+v", decided, stopped)
	}
}

func TestEngineAddsToTheConfiguration(t *testing.T) {
	e := engine
	e.Config = map[string]any{"num_shards": 257} // contrib takes up to 256
	if _, err := Start(e, Settings{DecisionWait: time.Second, NumTraces: 1000}); err == nil || !strings.Contains(err.Error(), "256") {
		t.Errorf("the engine's own key did not reach its validation: %v", err)
	}
	e.Config = map[string]any{"no_such_key": true}
	if _, err := Start(e, Settings{DecisionWait: time.Second, NumTraces: 1000}); err == nil || !strings.Contains(err.Error(), "no_such_key") {
		t.Errorf("an unknown key was taken: %v", err)
	}
}

func TestNoSamplerKeepsNothing(t *testing.T) {
	r, err := Start(Engine{Name: "none"}, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	feed(t, r, 4)
	if _, ok, err := r.LongestPause(); ok || err != nil {
		t.Errorf("a pause without a sampler: %v", err)
	}
	if err := r.Stop(); err != nil || r.Sink.Kept() != (Kept{}) {
		t.Errorf("kept %+v, %v", r.Sink.Kept(), err)
	}
}

func TestSinkNoticesAnotherSpan(t *testing.T) {
	stream := traffic.NewStream(traffic.Settings{Seed: 1, Requests: 2})
	td, err := Decode(stream.Next())
	if err != nil {
		t.Fatal(err)
	}
	var all, reordered, swapped Sink
	consume(t, &all, td)

	one := ptrace.NewTraces()
	for i := td.ResourceSpans().Len() - 1; i >= 0; i-- {
		td.ResourceSpans().At(i).CopyTo(one.ResourceSpans().AppendEmpty())
	}
	consume(t, &reordered, one)
	if all.Kept() != reordered.Kept() {
		t.Error("the order of spans changed what was kept")
	}

	span := one.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
	id := span.SpanID()
	id[7] ^= 1
	span.SetSpanID(id)
	consume(t, &swapped, one)
	if got, want := swapped.Kept(), all.Kept(); got.Spans != want.Spans || got.Digest == want.Digest {
		t.Errorf("another span instead of one: %+v, want as many as %+v and another digest", got, want)
	}
}

func feed(t *testing.T, r *Rig, requests int) {
	t.Helper()
	stream := traffic.NewStream(traffic.Settings{Seed: 1, Requests: 64})
	for range requests {
		td, err := Decode(stream.Next())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Consumer().ConsumeTraces(context.Background(), td); err != nil {
			t.Fatal(err)
		}
	}
}

func consume(t *testing.T, s *Sink, td ptrace.Traces) {
	t.Helper()
	if err := s.ConsumeTraces(context.Background(), td); err != nil {
		t.Fatal(err)
	}
}
