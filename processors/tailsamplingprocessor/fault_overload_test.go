package tailsamplingprocessor

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// small is a sampler with little memory and a wait that fills it several times over.
const small = `
decision_wait: 10s
max_buffer: 32MiB
rescue_buffer: 1MiB
rescue_late_spans: true
policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]
`

// heldBytes is all that max_buffer bounds, measured now and not at the last tick.
func heldBytes(p *sampler) int64 {
	u := p.telemetry.look().usage
	return p.store.Used() + u.Index + u.Memory
}

// Three times more spans than fit within a wait: no caller is refused, memory stays within its budget, traces are
// decided early and with that reason, and every trace with an error leaves.
func TestOverload(t *testing.T) {
	for _, shape := range []struct {
		name          string
		traces, spans int // per second, of each trace
		wide          bool
		seconds       int
	}{
		{name: "spans that share nothing", traces: 2000, spans: 5, wide: true, seconds: 12},
		{name: "traces of one span", traces: 40_000, spans: 1, seconds: 12},
	} {
		t.Run(shape.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if testing.Short() {
					shape.seconds = 5
				}
				n := new(next)
				p := startFaulty(t, small, n)
				g := new(traffic)
				random := rand.New(rand.NewPCG(5, 5))
				var errs []pcommon.SpanID
				trace, most := 0, int64(0)
				for range shape.seconds * 20 {
					for range shape.traces / 20 / 100 {
						status, many := ptrace.StatusCodeOk, 100
						for _, status = range []ptrace.StatusCode{ptrace.StatusCodeOk, ptrace.StatusCodeError} {
							td := g.request(status, trace, many, shape.spans)
							if shape.wide {
								widen(td, random)
							}
							require.NoError(t, p.ConsumeTraces(t.Context(), td))
							if status == ptrace.StatusCodeError {
								errs = append(errs, spanIDs(td)...)
							}
							trace += many
							many = 1
						}
						most = max(most, heldBytes(p.sampler))
					}
					time.Sleep(50 * time.Millisecond)
				}
				sum := p.telemetry.look()
				assert.Positive(t, sum.DecidedFor[engine.ReasonMemory])
				assert.LessOrEqual(t, float64(most), 1.1*float64(p.cfg.MaxBuffer), "bytes held")
				t.Logf("held %.2f of the budget at most, %d of %d traces decided early", float64(most)/float64(p.cfg.MaxBuffer),
					sum.DecidedFor[engine.ReasonMemory], sum.NewTraces)
				stopSampler(t, p.sampler)
				requireSettled(t, p.sampler)
				missing := 0
				for _, id := range errs {
					if !n.has(id) {
						missing++
					}
				}
				assert.Zero(t, missing, "of %d spans with errors", len(errs))
			})
		})
	}
}
