package tailsamplingprocessor

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// million is the size of what is large: a million, or less where the test is to be short.
func million() int {
	if testing.Short() {
		return 100_000
	}
	return 1_000_000
}

// tally is a next consumer for very many spans, whose ids are 1 to n.
type tally struct {
	mu    sync.Mutex // guards all
	times []uint8
	most  int // spans in one batch
}

func newTally(n int) *tally { return &tally{times: make([]uint8, n+1)} }

func (*tally) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (y *tally) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	ids := spanIDs(td)
	y.mu.Lock()
	defer y.mu.Unlock()
	y.most = max(y.most, len(ids))
	for _, id := range ids {
		y.times[binary.BigEndian.Uint64(id[:])]++
	}
	return nil
}

// One trace of a million spans: it leaves in batches, whole, or is dropped, whole.
func TestTraceOfAMillionSpans(t *testing.T) {
	for _, c := range []struct {
		name, policies string
		kept           bool
	}{
		{"kept", `[{name: all, type: always_sample}]`, true},
		{"dropped", `[{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				spans := million()
				n := newTally(spans)
				p := startFaulty(t, "decision_wait: 5s\nmax_buffer: 512MiB\npolicies: "+c.policies, n)
				g := new(traffic)
				for range spans / 10_000 {
					require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 7, 1, 10_000)))
				}
				time.Sleep(6 * time.Second)
				synctest.Wait()
				sum := p.telemetry.look()
				assert.Equal(t, uint64(1), sum.NewTraces)
				if c.kept {
					n.requireEach(t, 1)
					assert.LessOrEqual(t, n.most, p.cfg.Delivery.BatchSpans)
				} else {
					n.requireEach(t, 0)
					assert.Equal(t, uint64(spans), sum.SpansDropped[engine.DropNotSampled])
				}
				stopSampler(t, p.sampler)
				requireSettled(t, p.sampler)
			})
		})
	}
}

// A trace that does not fit is decided on what is there when memory is full, and what follows it goes the same way.
func TestTraceLargerThanMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(next)
		p := startFaulty(t, everything+"max_buffer: 16MiB\n", n)
		g := new(traffic)
		random := rand.New(rand.NewPCG(1, 1))
		for range 500 { // 50 MB
			td := g.request(ptrace.StatusCodeOk, 7, 1, 100)
			widen(td, random)
			require.NoError(t, p.ConsumeTraces(t.Context(), td))
		}
		assert.Positive(t, p.telemetry.look().DecidedFor[engine.ReasonMemory])
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
		different, twice := n.spans()
		assert.Equal(t, 50_000, different)
		assert.Zero(t, twice)
	})
}

// A million traces of one span, without a limit to their number: memory is the limit.
func TestAMillionTracesOfOneSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		traces := million()
		n := newTally(traces + traces/100)
		p := startFaulty(t, small, n)
		require.Zero(t, p.cfg.NumTraces)
		g := new(traffic)
		most := int64(0)
		for i := range traces / 1000 {
			require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, i*1000, 1000, 1)))
			if i%10 == 0 {
				require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeError, traces+i*10, 100, 1)))
				most = max(most, heldBytes(p.sampler))
				time.Sleep(50 * time.Millisecond) // as long as it takes at 200,000 spans a second
			}
		}
		assert.LessOrEqual(t, float64(most), 1.1*float64(p.cfg.MaxBuffer))
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
		sum := 0
		for _, times := range n.times {
			require.LessOrEqual(t, times, uint8(1))
			sum += int(times)
		}
		assert.Equal(t, traces/100, sum)
		t.Logf("held %.2f of the budget at most", float64(most)/float64(p.cfg.MaxBuffer))
	})
}

// A span that is too large for the log is dropped and counted, and takes nothing with it; not even memory.
func TestSpanOfFiveMegabytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(next)
		p := startFaulty(t, everything+"max_buffer: 16MiB\n", n)
		g := new(traffic)
		for i := range 20 {
			td := g.request(ptrace.StatusCodeOk, i*3, 3, 1)
			td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1).Attributes().PutStr("body", string(make([]byte, 5<<20)))
			require.NoError(t, p.ConsumeTraces(t.Context(), td))
		}
		sum := p.telemetry.look()
		assert.Equal(t, uint64(20), sum.SpansDropped[engine.DropTooLarge])
		assert.Zero(t, sum.DecidedFor[engine.ReasonMemory])
		time.Sleep(6 * time.Second)
		different, twice := n.spans()
		assert.Equal(t, 40, different)
		assert.Zero(t, twice)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

// Spans without a trace id are one trace like any other.
func TestZeroTraceIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(next)
		p := startFaulty(t, errorsOnly, n)
		g := new(traffic)
		for _, status := range []ptrace.StatusCode{ptrace.StatusCodeOk, ptrace.StatusCodeError, ptrace.StatusCodeOk} {
			td := g.request(status, 1, 1, 5)
			for _, span := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
				span.SetTraceID(pcommon.TraceID{})
			}
			require.NoError(t, p.ConsumeTraces(t.Context(), td))
			time.Sleep(3 * time.Second) // the last ones come late
		}
		synctest.Wait()
		different, twice := n.spans()
		assert.Equal(t, 15, different)
		assert.Zero(t, twice)
		assert.Equal(t, uint64(1), p.telemetry.look().NewTraces)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

func (y *tally) requireEach(t *testing.T, times uint8) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	for id, got := range y.times[1:] {
		if got != times {
			t.Fatalf("span %d left %d times, want %d", id+1, got, times)
		}
	}
}
