package differential

import (
	"fmt"
	"math/rand/v2"
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// With the gate usetracestate, limiters let the traces that are due in the same second compete by their randomness: which
// ones win must not depend on how a processor divides them.
func TestLimitersLetTheSameTracesWin(t *testing.T) {
	for _, limiter := range []map[string]any{
		{"name": "spans", "type": "rate_limiting", "rate_limiting": map[string]any{"spans_per_second": 20}},
		{"name": "bytes", "type": "bytes_limiting", "bytes_limiting": map[string]any{"bytes_per_second": 3000}},
		{"name": "both", "type": "and", "and": map[string]any{"and_sub_policy": []any{
			map[string]any{"name": "half", "type": "probabilistic", "probabilistic": map[string]any{"sampling_percentage": 50}},
			map[string]any{"name": "spans", "type": "rate_limiting", "rate_limiting": map[string]any{"spans_per_second": 20}},
		}}},
	} {
		t.Run(limiter["name"].(string), func(t *testing.T) {
			r := rand.New(rand.NewPCG(*seed, 7))
			c := &testCase{
				again:    "-run TestLimitersLetTheSameTracesWin",
				gates:    []string{gatePrefix + "usetracestate", gatePrefix + "metricstatcountspanssampled"},
				config:   map[string]any{"decision_wait": "3s", "num_shards": 1, "policies": []any{limiter}},
				shutdown: 14,
			}
			for second := range 8 {
				c.requests = append(c.requests, newRequest(second, crowd(r, 30+r.IntN(40))))
			}
			check(t, contrib.NewFactory(), subject(), c)
			if n := len(play(t, subject(), c).kept); n < 20 || n > 200 {
				t.Errorf("%d traces kept: the limiters did not have to choose", n)
			}
		})
	}
}

// crowd is n traces of one to five spans.
func crowd(r *rand.Rand, n int) ptrace.Traces {
	td := ptrace.NewTraces()
	ss := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	for i := range n {
		var id [16]byte
		for j := range id {
			id[j] = byte(r.Uint32())
		}
		for range 1 + r.IntN(5) {
			span := ss.Spans().AppendEmpty()
			span.SetTraceID(id)
			span.SetSpanID([8]byte{1, byte(r.Uint32()), byte(i)})
			span.SetName(fmt.Sprint("span ", i))
		}
	}
	return td
}
