package tailsamplingprocessor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/tracefate"
)

// Whoever has shown a trace id to somebody can have the trace kept, while it is open and after it was dropped.
func TestOthersCanHaveATraceKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		p := startSampler(t, errorsOnly, sink)
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeOk, 1, 2, 2, 3)))
		assert.Equal(t, tracefate.Open, tracefate.Of(idOf(1)))
		assert.Equal(t, tracefate.Unknown, tracefate.Of(idOf(9)))
		assert.False(t, tracefate.Keep(idOf(9)), "a trace that was never seen")

		assert.True(t, tracefate.Keep(idOf(1)), "an open trace")
		synctest.Wait()
		assert.Equal(t, map[pcommon.TraceID]int{idOf(1): 1}, kept(sink))

		time.Sleep(6 * time.Second)
		assert.Equal(t, tracefate.Dropped, tracefate.Of(idOf(2)))
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeOk, 2))) // late, and dropped too
		assert.True(t, tracefate.Keep(idOf(2)), "a dropped trace")
		assert.True(t, tracefate.Keep(idOf(2)), "a trace that is kept already")
		synctest.Wait()
		assert.Equal(t, map[pcommon.TraceID]int{idOf(1): 1, idOf(2): 3}, kept(sink), "every span once")
		assert.Equal(t, tracefate.Kept, tracefate.Of(idOf(2)))

		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeOk, 2)))
		synctest.Wait()
		assert.Equal(t, 4, kept(sink)[idOf(2)], "later spans follow")
		stopSampler(t, p)
		assert.Equal(t, tracefate.Unknown, tracefate.Of(idOf(2)), "a sampler that has stopped is not asked")
	})
}
