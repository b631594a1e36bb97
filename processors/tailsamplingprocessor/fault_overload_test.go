package tailsamplingprocessor

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
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
						many := 100
						for _, status := range []ptrace.StatusCode{ptrace.StatusCodeOk, ptrace.StatusCodeError} {
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

// In a buffer that holds 3 s of the traffic, traces that run for 6 s are decided when they are over, with all their spans,
// as long as they are few: those that are complete make room for them.
func TestRunningTracesOutlastAFullBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(next)
		p := startFaulty(t, "decision_wait: 60s\nmax_buffer: 32MiB\nrescue_buffer: 0\n"+
			"policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]", n)
		g, random := new(traffic), rand.New(rand.NewPCG(7, 7))
		var running [][]pcommon.SpanID // of each trace that has begun
		const steps, stepsRun = 20 * 20, 6 * 20
		for step := range steps + stepsRun {
			if step < steps {
				td := g.request(ptrace.StatusCodeOk, 1_000_000+step*100, 100, 5) // 10,000 spans/s of 1 KiB
				for i, span := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
					if i%5 == 0 {
						span.SetParentSpanID([8]byte{})
					}
				}
				widen(td, random)
				require.NoError(t, p.ConsumeTraces(t.Context(), td))
				td = g.request(ptrace.StatusCodeOk, step, 1, 5) // 1 %
				running = append(running, spanIDs(td))
				require.NoError(t, p.ConsumeTraces(t.Context(), td))
			}
			if over := step - stepsRun; over >= 0 {
				td := g.request(ptrace.StatusCodeError, over, 1, 1)
				running[over] = append(running[over], spanIDs(td)...)
				require.NoError(t, p.ConsumeTraces(t.Context(), td))
			}
			time.Sleep(50 * time.Millisecond)
		}
		sum := p.telemetry.look()
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
		whole := 0
		for _, ids := range running {
			if !slices.ContainsFunc(ids, func(id pcommon.SpanID) bool { return !n.has(id) }) {
				whole++
			}
		}
		different, twice := n.spans()
		t.Logf("%d of %d left whole; decided because of memory: %d complete, %d others", whole, len(running),
			sum.DecidedFor[engine.ReasonComplete], sum.DecidedFor[engine.ReasonMemory])
		assert.GreaterOrEqual(t, whole, len(running)*95/100, "but where a lane has no room to carry to")
		assert.GreaterOrEqual(t, different, 6*whole)
		assert.Zero(t, twice)
		assert.Positive(t, sum.DecidedFor[engine.ReasonComplete])
	})
}

// Callers wait at num_traces, each as long as its context lasts, and go on when a trace is decided. Nobody waits for
// another who waits.
func TestBlockOnOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(next)
		p := startFaulty(t, "decision_wait: 5s\nnum_traces: 100\nblock_on_overflow: true\npolicies: [{name: all, type: always_sample}]", n)
		var callers sync.WaitGroup
		var taken, ended atomic.Int64
		for c := range 40 {
			callers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if c%4 == 0 {
					ctx, cancel = context.WithTimeout(t.Context(), time.Second)
				}
				defer cancel()
				g := &traffic{made: uint64(c) << 40}
				for i := range 20 {
					err := p.ConsumeTraces(ctx, g.request(ptrace.StatusCodeOk, c<<20+i, 1, 2))
					if err == nil {
						taken.Add(2)
						continue
					}
					assert.ErrorIs(t, err, engine.ErrTooManyTraces)
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					assert.False(t, consumererror.IsPermanent(err))
					ended.Add(1)
					return
				}
			})
		}
		callers.Wait()
		assert.Positive(t, ended.Load())
		assert.Greater(t, taken.Load(), int64(1200), "the 30 with time have all been taken")
		sum := p.telemetry.look()
		assert.Equal(t, taken.Load(), int64(sum.SpansIn))
		assert.Equal(t, uint64(2*ended.Load()), p.telemetry.refused[refusedTraces].Load())
		assert.Zero(t, sum.DecidedFor[engine.ReasonTraces])
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
		different, twice := n.spans()
		assert.Equal(t, taken.Load(), int64(different))
		assert.Zero(t, twice)
	})
}

// Callers who wait at num_traces do not keep a shutdown waiting.
func TestShutdownWhileCallersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startFaulty(t, "decision_wait: 1h\nnum_traces: 10\nblock_on_overflow: true\npolicies: [{name: all, type: always_sample}]", new(next))
		var callers sync.WaitGroup
		for c := range 20 {
			callers.Go(func() {
				g := &traffic{made: uint64(c) << 40}
				err := p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, c<<20, 100, 1))
				assert.ErrorIs(t, err, errEnded)
			})
		}
		synctest.Wait()
		stopSampler(t, p.sampler)
		callers.Wait()
		requireSettled(t, p.sampler)
	})
}

// What must be kept and cannot leave fills memory: then, and only then, are callers refused, after a second, in a way
// that says «come back». When it leaves they are taken again.
func TestCallersAreRefusedOnlyWhileKeptTracesCannotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		n := &next{before: func(context.Context, int, ptrace.Traces) error {
			if down.Load() {
				return errDown
			}
			return nil
		}}
		p := startFaulty(t, "decision_wait: 1s\nmax_buffer: 16MiB\npolicies: [{name: all, type: always_sample}]\ndelivery: {retry: {max_elapsed_time: 0}}", n)
		down.Store(true)
		g := new(traffic)
		accepted, i := 0, 0
		var err error
		for ; err == nil; i++ {
			if err = p.ConsumeTraces(t.Context(), wide(g, i, 100)); err == nil {
				accepted += 100
			}
			require.Less(t, i, 1000)
		}
		assert.ErrorIs(t, err, errOverloaded)
		assert.False(t, consumererror.IsPermanent(err))
		assert.Greater(t, accepted, 10_000, "16 MiB of spans of 1 KiB")
		before := time.Now()
		require.Error(t, p.ConsumeTraces(t.Context(), wide(g, i, 100)))
		assert.Equal(t, time.Second, time.Since(before))
		down.Store(false)
		time.Sleep(time.Minute)
		for range 100 {
			i++
			require.NoError(t, p.ConsumeTraces(t.Context(), wide(g, i, 100)))
			accepted += 100
		}
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
		different, twice := n.spans()
		assert.GreaterOrEqual(t, different, accepted)
		assert.Zero(t, twice)
	})
}
