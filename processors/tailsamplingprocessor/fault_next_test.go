package tailsamplingprocessor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var errDown = errors.New("connection refused")

// A batch that is refused is offered again, and nothing of its lane overtakes it; at last all have left, once.
func TestNextFailsThenWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		refused := map[int][]pcommon.SpanID{} // by lane, the batch that must come next
		failures := 0
		var p *faulty
		n := &next{before: func(_ context.Context, _ int, td ptrace.Traces) error {
			mu.Lock()
			defer mu.Unlock()
			lane, ids := p.laneNumber(firstTrace(td)), spanIDs(td)
			if want, again := refused[lane]; again && !slices.Equal(want, ids) {
				t.Errorf("lane %d: %d spans came before the %d that were refused", lane, len(ids), len(want))
			}
			if failures < 50 && random.IntN(2) == 0 {
				failures++
				refused[lane] = ids
				return errDown
			}
			delete(refused, lane)
			return nil
		}}
		p = startFaulty(t, everything+"delivery: {batch_spans: 16}", n)
		g := new(traffic)
		for i := range 20 {
			require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, i*20, 20, 3)))
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		different, twice := n.spans()
		assert.Equal(t, 1200, different)
		assert.Zero(t, twice)
		assert.Equal(t, 50, failures)
		assert.Equal(t, uint64(50), p.telemetry.retries.Load())
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

// What is refused for good is counted and given up; the rest leaves.
func TestNextRefusesForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &next{before: func(_ context.Context, _ int, td ptrace.Traces) error {
			if numberOf(firstTrace(td))%10 == 0 {
				return consumererror.NewPermanent(errors.New("field too long"))
			}
			return nil
		}}
		p := startFaulty(t, everything+"delivery: {batch_spans: 3}", n) // one trace
		g := new(traffic)
		require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 0, 100, 3)))
		time.Sleep(6 * time.Second)
		different, twice := n.spans()
		assert.Equal(t, 270, different)
		assert.Zero(t, twice)
		assert.Equal(t, uint64(30), p.telemetry.look().failed)
		assert.Zero(t, p.telemetry.retries.Load())
		assert.Equal(t, 10, p.logs.FilterMessage("kept traces were not accepted").Len())
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

// One lane's next consumer hangs: the other lanes go on, and its own traces wait.
func TestNextHangsForOneLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var p *faulty
		n := &next{before: func(ctx context.Context, _ int, td ptrace.Traces) error {
			if p.laneNumber(firstTrace(td)) != 0 {
				return nil
			}
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		p = startFaulty(t, everything, n)
		g := new(traffic)
		stuck := 0
		for round := range 10 {
			td := g.request(ptrace.StatusCodeOk, round*100, 100, 2)
			for _, span := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
				if p.laneNumber(span.TraceID()) == 0 {
					stuck++
				}
			}
			require.NoError(t, p.ConsumeTraces(t.Context(), td))
			time.Sleep(6 * time.Second)
		}
		different, _ := n.spans()
		assert.Equal(t, 2000-stuck, different)
		assert.Equal(t, int64(stuck), p.telemetry.look().held())
		close(release)
		synctest.Wait()
		different, twice := n.spans()
		assert.Equal(t, 2000, different)
		assert.Zero(t, twice)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

// A lane that cannot free its log, because its next consumer hangs, does not keep memory from the others that can.
func TestNextHangsForOneLaneWhileMemoryIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *faulty
		n := &next{before: func(ctx context.Context, _ int, td ptrace.Traces) error {
			if p.laneNumber(firstTrace(td)) == 0 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		p = startFaulty(t, `
decision_wait: 1s
max_buffer: 16MiB
rescue_buffer: 4MiB
policies: [{name: all, type: always_sample}]
`, n)
		g := new(traffic)
		var own []int // traces of lane 0
		var others []int
		for i := 0; len(own) < 200 || len(others) < 2000; i++ {
			if p.laneNumber(traceNumber(i)) == 0 {
				own = append(own, i)
			} else {
				others = append(others, i)
			}
		}
		// Lane 0 becomes the longest and stays so.
		for _, i := range own {
			if p.pressure() > 0.6 {
				break
			}
			require.NoError(t, p.ConsumeTraces(t.Context(), wide(g, i, 100)))
		}
		time.Sleep(2 * time.Second)
		for _, i := range others[:1000] {
			require.NoError(t, p.ConsumeTraces(t.Context(), wide(g, i, 100)), "trace %d", i)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, p.Shutdown(ctx))
		requireBalance(t, p.sampler)
	})
}

// wide makes one trace of spans with a value of 1 KiB each that never comes again.
func wide(g *traffic, trace, spans int) ptrace.Traces {
	td := g.request(ptrace.StatusCodeOk, trace, 1, spans)
	widen(td, rand.New(rand.NewPCG(uint64(trace), 3)))
	return td
}

func widen(td ptrace.Traces, random *rand.Rand) {
	for _, span := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		b := make([]byte, 1024)
		for i := 0; i < len(b); i += 8 {
			x := random.Uint64()
			for j := range 8 {
				b[i+j] = 'a' + byte(x>>(8*j))&15
			}
		}
		span.Attributes().PutStr("value", string(b))
	}
}

// A next consumer that changes what it gets, and then refuses it, gets it unchanged the next time.
func TestNextChangesWhatItRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := map[string]int{}
		n := &next{before: func(_ context.Context, call int, td ptrace.Traces) error {
			spans := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans()
			if call <= 3 {
				td.ResourceSpans().At(0).Resource().Attributes().Clear()
				for _, span := range spans.All() {
					span.SetName("changed")
					span.SetSpanID([8]byte{})
				}
				spans.RemoveIf(func(ptrace.Span) bool { return true })
				return errDown
			}
			service, _ := td.ResourceSpans().At(0).Resource().Attributes().Get("service.name")
			for _, span := range spans.All() {
				names[service.Str()+" "+span.Name()]++
			}
			return nil
		}}
		p := startFaulty(t, everything, n)
		require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeOk, 1, 1, 3)))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		assert.Equal(t, map[string]int{"shop GET /item/0": 1, "shop GET /item/1": 1, "shop GET /item/2": 1}, names)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

// When the time for retries is over the batch is given up and counted, and the next one gets its own time.
func TestNextFailsLongerThanRetriesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		n := &next{before: func(context.Context, int, ptrace.Traces) error {
			if time.Since(began) < 90*time.Second {
				return errDown
			}
			return nil
		}}
		p := startFaulty(t, everything+"delivery: {retry: {max_elapsed_time: 60s}}", n)
		g := new(traffic)
		require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 1, 1, 3)))
		time.Sleep(70 * time.Second)
		assert.Equal(t, uint64(3), p.telemetry.look().failed)
		require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 2, 1, 4)))
		time.Sleep(2 * time.Minute)
		different, twice := n.spans()
		assert.Equal(t, 4, different)
		assert.Zero(t, twice)
		assert.Equal(t, uint64(3), p.telemetry.look().failed)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}

// Without retries an error is the end.
func TestNextFailsWithoutRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &next{before: func(_ context.Context, call int, _ ptrace.Traces) error {
			return fmt.Errorf("call %d: %w", call, errDown)
		}}
		p := startFaulty(t, everything+"delivery: {retry: {enabled: false}}", n)
		require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeOk, 1, 1, 3)))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		assert.Equal(t, uint64(3), p.telemetry.look().failed)
		assert.Equal(t, 1, n.calls)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}
