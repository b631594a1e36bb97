package tailsamplingprocessor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/tracefate"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// A next consumer that hangs until its context ends holds the shutdown up to its deadline and no longer, and the
// shutdown says what was lost.
func TestShutdownWhileNextWaitsForItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &next{before: func(ctx context.Context, _ int, _ ptrace.Traces) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		p := startFaulty(t, everything, n)
		require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeOk, 0, 100, 3)))
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		require.ErrorContains(t, p.Shutdown(ctx), "300 spans of kept traces could not be handed on")
		assert.Equal(t, 3*time.Second, time.Since(began))
		requireSettled(t, p.sampler)
	})
}

// One that does not even look at its context is waited for a second longer, and then left behind.
func TestShutdownWhileNextIgnoresItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		n := &next{before: func(context.Context, int, ptrace.Traces) error {
			<-release
			return nil
		}}
		p := startFaulty(t, everything, n)
		require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeOk, 0, 100, 3)))
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := p.Shutdown(ctx)
		require.ErrorContains(t, err, "300 spans of kept traces could not be handed on")
		require.ErrorContains(t, err, "the next consumer did not return")
		assert.Equal(t, 4*time.Second, time.Since(began))
		close(release)
		synctest.Wait() // the senders end: else the bubble would not
		requireBalance(t, p.sampler)
	})
}

// A refused batch is tried again during a shutdown, until the deadline.
func TestShutdownRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &next{before: func(_ context.Context, call int, _ ptrace.Traces) error {
			if call < 4 {
				return errDown
			}
			return nil
		}}
		p := startFaulty(t, everything, n)
		require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeOk, 0, 1, 3)))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		require.NoError(t, p.Shutdown(ctx))
		different, twice := n.spans()
		assert.Equal(t, 3, different)
		assert.Zero(t, twice)
		requireSettled(t, p.sampler)
	})
}

func TestShutdownWithoutStartAndTwice(t *testing.T) {
	p := newFaulty(t, everything, consumertest.NewNop())
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Shutdown(t.Context()))

	p = startFaulty(t, everything, consumertest.NewNop())
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Shutdown(t.Context()))

	p = newFaulty(t, everything+fmt.Sprintf("storage: {directory: %q}", "/dev/null/no"), consumertest.NewNop())
	require.Error(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestShutdownDropsPendingTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(next)
		p := startFaulty(t, everything+"drop_pending_traces_on_shutdown: true", n)
		g := new(traffic)
		require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 0, 100, 3)))
		time.Sleep(6 * time.Second)
		require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 100, 50, 3)))
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
		different, _ := n.spans()
		assert.Equal(t, 300, different)
		assert.Equal(t, uint64(150), p.telemetry.look().SpansDropped[engine.DropShutdown])
	})
}

// A caller that comes during or after the shutdown is told so, and its spans are neither taken nor lost on the way.
func TestConsumeAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, yaml := range []string{everything, everything + fmt.Sprintf("storage: {directory: %q}", t.TempDir())} {
			n := new(next)
			p := startFaulty(t, yaml, n)
			g := new(traffic)
			require.NoError(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 0, 10, 1)))
			stopSampler(t, p.sampler)
			require.ErrorContains(t, p.ConsumeTraces(t.Context(), g.request(ptrace.StatusCodeOk, 0, 10, 1)), "is shut down")
			assert.Equal(t, uint64(10), p.telemetry.look().SpansIn)
		}
	})
}

// Who asks for a trace of a processor that is gone gets no answer, not the memory that it had.
func TestAskAfterShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for life := range 2 { // in the second life what is open must be read from the log
			p := startFaulty(t, inDirectory(everything, dir), new(next))
			if life == 0 {
				require.NoError(t, p.ConsumeTraces(t.Context(), new(traffic).request(ptrace.StatusCodeOk, 1, 1, 3)))
			}
			stopSampler(t, p.sampler)
			assert.Equal(t, tracefate.Unknown, p.Fate(traceNumber(1)))
			assert.False(t, p.Keep(traceNumber(1)))
		}
	})
}

// Callers, ticks, a full buffer, refused batches and a shutdown in the middle of it all, in real time: what was
// accepted left once, or is counted. This is for the race detector.
func TestShutdownUnderLoad(t *testing.T) {
	var tries atomic.Uint64
	n := &next{before: func(context.Context, int, ptrace.Traces) error {
		if tries.Add(1)%7 == 0 {
			return errDown
		}
		return nil
	}}
	p := startFaulty(t, `
decision_wait: 100ms
max_buffer: 16MiB
rescue_buffer: 1MiB
rescue_late_spans: true
delivery: {batch_spans: 100, retry: {initial_interval: 1ms, max_interval: 5ms}}
policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]
`, n)
	length := 2 * time.Second
	if testing.Short() {
		length = 300 * time.Millisecond
	}
	var callers sync.WaitGroup
	var accepted, errs, refused atomic.Uint64 // spans of requests
	for c := range uint64(8) {
		callers.Go(func() {
			g := &traffic{made: c << 40}
			for i := 0; ; i++ {
				status := ptrace.StatusCode(1 + i%2) // OK, ERROR
				err := p.ConsumeTraces(t.Context(), g.request(status, int(c)<<40|i*50, 50, 4))
				if errors.Is(err, errEnded) {
					refused.Add(200)
					return
				}
				if err != nil { // a part of it may have been taken
					assert.ErrorIs(t, err, errOverloaded)
					refused.Add(200)
					continue
				}
				accepted.Add(200)
				if status == ptrace.StatusCodeError {
					errs.Add(200)
				}
			}
		})
	}
	over := make(chan struct{})
	callers.Go(func() { // and one who reads what is in the buffer
		debug := &debugServer{sampler: p.sampler}
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
				debug.trace(traceNumber(i * 50))
			}
		}
	})
	time.Sleep(length)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(t, p.Shutdown(ctx))
	close(over)
	callers.Wait()
	requireSettled(t, p.sampler)
	different, twice := n.spans()
	assert.GreaterOrEqual(t, uint64(different), errs.Load(), "spans with errors were accepted and did not leave")
	assert.LessOrEqual(t, uint64(different), errs.Load()+refused.Load(), "but for parts of requests that were refused")
	assert.Zero(t, twice)
	assert.Positive(t, different)
	t.Logf("%d spans taken, %d refused, %d left, %d retries", accepted.Load(), refused.Load(), different, p.telemetry.retries.Load())
}
