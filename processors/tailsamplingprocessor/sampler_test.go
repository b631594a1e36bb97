package tailsamplingprocessor

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/metadata"
)

// errorsOnly keeps traces with an error.
const errorsOnly = `
decision_wait: 5s
rescue_late_spans: true
policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]
`

func configFrom(t testing.TB, yaml string) *Config {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, conf.Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	return cfg
}

// startSampler starts a sampler in the bubble; it is stopped with the test.
func startSampler(t testing.TB, yaml string, next consumer.Traces) *sampler {
	t.Helper()
	p, err := newSampler(processortest.NewNopSettings(metadata.Type), configFrom(t, yaml), next)
	require.NoError(t, err)
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	return p
}

func stopSampler(t testing.TB, p *sampler) {
	t.Helper()
	require.NoError(t, p.Shutdown(context.Background()))
	requireBalance(t, p)
}

// requireBalance asserts that no span was lost without being counted.
func requireBalance(t testing.TB, p *sampler) {
	t.Helper()
	sum := p.telemetry.look()
	dropped := uint64(0)
	for _, n := range sum.SpansDropped {
		dropped += n
	}
	in := sum.SpansIn + sum.SpansRecovered + sum.rescued
	require.Equal(t, int64(in), int64(sum.delivered+dropped+sum.failed)+sum.held(),
		"in %d + recovered %d + rescued %d = kept %d + dropped %d + failed %d + held %d",
		sum.SpansIn, sum.SpansRecovered, sum.rescued, sum.delivered, dropped, sum.failed, sum.held())
}

// spans makes a request with one span per trace number, as status.
func spans(status ptrace.StatusCode, traces ...int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	ss := rs.ScopeSpans().AppendEmpty()
	for i, n := range traces {
		span := ss.Spans().AppendEmpty()
		span.SetTraceID(idOf(n))
		span.SetSpanID([8]byte{1, byte(i), byte(n)})
		span.SetParentSpanID([8]byte{9})
		span.SetName(fmt.Sprintf("span %d", i))
		span.Status().SetCode(status)
		span.SetStartTimestamp(1_700_000_000_000_000_000)
		span.SetEndTimestamp(1_700_000_000_100_000_000)
	}
	return td
}

func idOf(n int) pcommon.TraceID { return [16]byte{0: 7, 14: byte(n >> 8), 15: byte(n)} }

// kept counts the spans of each trace in the sink.
func kept(sink *consumertest.TracesSink) map[pcommon.TraceID]int {
	got := map[pcommon.TraceID]int{}
	for _, td := range sink.AllTraces() {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					got[span.TraceID()]++
				}
			}
		}
	}
	return got
}

func TestKeepsWhatPoliciesSample(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		p := startSampler(t, errorsOnly, sink)
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeOk, 1, 2, 2, 3)))
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeError, 2)))
		time.Sleep(4900 * time.Millisecond)
		synctest.Wait()
		assert.Empty(t, kept(sink), "before the wait is over")
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		assert.Equal(t, map[pcommon.TraceID]int{idOf(2): 3}, kept(sink))

		// Late spans follow their trace.
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeOk, 1, 2)))
		synctest.Wait()
		assert.Equal(t, map[pcommon.TraceID]int{idOf(2): 4}, kept(sink))

		// A late error brings the whole trace back.
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeError, 3)))
		synctest.Wait()
		assert.Equal(t, map[pcommon.TraceID]int{idOf(2): 4, idOf(3): 2}, kept(sink))
		stopSampler(t, p)
	})
}

func TestConfigTypeIsRegistered(t *testing.T) {
	require.NoError(t, componenttest.CheckConfigStruct(createDefaultConfig()))
}
