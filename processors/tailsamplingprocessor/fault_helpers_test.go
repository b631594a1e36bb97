package tailsamplingprocessor

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/metadata"
)

// everything keeps all traces.
const everything = `
decision_wait: 5s
policies: [{name: all, type: always_sample}]
`

// faulty is a sampler under test with its log, and a store that it is given instead of its own.
type faulty struct {
	*sampler
	logs *observer.ObservedLogs
}

// newFaulty makes a sampler that is not started. It is stopped with the test, if the test does not.
func newFaulty(t testing.TB, yaml string, next consumer.Traces) *faulty {
	t.Helper()
	core, logs := observer.New(zapcore.WarnLevel)
	set := processortest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	p, err := newSampler(set, configFrom(t, yaml), next)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = p.Shutdown(ctx)
	})
	return &faulty{sampler: p, logs: logs}
}

// startFaulty starts a sampler whose warnings and errors can be read.
func startFaulty(t testing.TB, yaml string, next consumer.Traces) *faulty {
	t.Helper()
	f := newFaulty(t, yaml, next)
	require.NoError(t, f.Start(context.Background(), componenttest.NewNopHost()))
	return f
}

// startOn starts a sampler in memory on a store of the test's choice.
func startOn(t testing.TB, yaml string, next consumer.Traces, store segstore.Store) *faulty {
	t.Helper()
	f := newFaulty(t, yaml, next)
	f.newMemory = func(int64) segstore.Store { return store }
	require.NoError(t, f.Start(context.Background(), componenttest.NewNopHost()))
	return f
}

// requireSettled asserts that every span that came in has left, one way or the other, and that none left twice.
func requireSettled(t testing.TB, p *sampler) {
	t.Helper()
	requireBalance(t, p)
	sum := p.telemetry.look()
	require.Zero(t, sum.held(), "kept %d, delivered %d, failed %d, rescued %d, open %d", sum.SpansKept, sum.delivered,
		sum.failed, sum.rescued, sum.SpansHeld)
	for reason, n := range sum.SpansDropped {
		require.Less(t, n, uint64(1)<<63, "spans dropped for %s went backwards", engine.DropReason(reason))
	}
}

// next is a consumer that a test may make misbehave. It notes each span that it accepted, and each call.
type next struct {
	mu       sync.Mutex
	accepted map[pcommon.SpanID]int
	order    []pcommon.SpanID
	calls    int
	// before is asked at each call, without the lock; what it returns is returned, and an error means not accepted.
	before func(ctx context.Context, call int, td ptrace.Traces) error
}

func (*next) Capabilities() consumer.Capabilities { return consumer.Capabilities{MutatesData: true} }

func (n *next) ConsumeTraces(ctx context.Context, td ptrace.Traces) error {
	n.mu.Lock()
	n.calls++
	call, before := n.calls, n.before
	n.mu.Unlock()
	ids := spanIDs(td)
	if before != nil {
		if err := before(ctx, call, td); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.accepted == nil {
		n.accepted = map[pcommon.SpanID]int{}
	}
	for _, id := range ids {
		n.accepted[id]++
	}
	n.order = append(n.order, ids...)
	return nil
}

// spans returns how many different spans were accepted and how many of them more than once.
func (n *next) spans() (different, twice int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, times := range n.accepted {
		if times > 1 {
			twice++
		}
	}
	return len(n.accepted), twice
}

// has reports whether the span was accepted.
func (n *next) has(id pcommon.SpanID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.accepted[id] > 0
}

func spanIDs(td ptrace.Traces) (ids []pcommon.SpanID) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				ids = append(ids, span.SpanID())
			}
		}
	}
	return ids
}

// traffic makes requests in which no span id comes twice.
type traffic struct{ made uint64 }

// request makes spans for traces first to first+traces-1, each with each spans, as status.
func (g *traffic) request(status ptrace.StatusCode, first, traces, each int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Spans().EnsureCapacity(traces * each)
	for n := range traces * each {
		span := ss.Spans().AppendEmpty()
		span.SetTraceID(traceNumber(first + n/each))
		g.made++
		span.SetSpanID(spanNumber(g.made))
		span.SetParentSpanID([8]byte{9})
		span.SetName(fmt.Sprintf("GET /item/%d", n%10))
		span.Status().SetCode(status)
		span.SetStartTimestamp(1_700_000_000_000_000_000)
		span.SetEndTimestamp(1_700_000_000_100_000_000)
	}
	return td
}

func traceNumber(n int) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	id[0] = 1
	return id
}

func numberOf(id pcommon.TraceID) int { return int(binary.BigEndian.Uint64(id[8:])) }

func spanNumber(n uint64) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

// laneNumber is the number of the lane that takes the trace.
func (f *faulty) laneNumber(id pcommon.TraceID) int { return slices.Index(f.lanes, f.laneOf(id)) }

// firstTrace is the trace of the first span of td.
func firstTrace(td ptrace.Traces) pcommon.TraceID {
	return td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID()
}
