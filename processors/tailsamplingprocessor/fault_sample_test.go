package tailsamplingprocessor

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
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

	"github.com/tailgate-otel/tailgate/internal/probability"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// slow is a sampler that keeps everything, errors before all, with little memory.
const slow = `
decision_wait: 2s
max_buffer: 16MiB
rescue_buffer: 0
delivery: {batch_spans: 100, retry: {max_elapsed_time: 0}}
rules:
- name: errors
  when: [{type: status_code, status_code: {status_codes: [ERROR]}}]
  then: keep
- name: rest
  then: keep
`

// slowNext takes so many spans per second of each lane, and notes the thresholds that traces come with.
type slowNext struct {
	next
	perLane atomic.Int64 // spans/s; 0: it is down
	mu      sync.Mutex
	traces  map[pcommon.TraceID][]probability.Threshold // of each span
}

func newSlowNext(perLane int64) *slowNext {
	n := &slowNext{traces: map[pcommon.TraceID][]probability.Threshold{}}
	n.perLane.Store(perLane)
	n.before = func(_ context.Context, _ int, td ptrace.Traces) error {
		rate := n.perLane.Load()
		if rate == 0 {
			return errDown
		}
		time.Sleep(time.Duration(td.SpanCount()) * time.Second / time.Duration(rate))
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, span := range ss.Spans().All() {
					info, err := probability.ParseTraceState(span.TraceState().AsRaw())
					if err != nil || !info.HasTH {
						info.TH = probability.Never
					}
					n.traces[span.TraceID()] = append(n.traces[span.TraceID()], info.TH)
				}
			}
		}
		return nil
	}
	return n
}

// storm is traffic of traces with random ids: each of two spans, and another 300 ms later. One in 20 has an error at once,
// one in 20 with the later span.
type storm struct {
	traffic
	random  *rand.Rand
	sent    map[pcommon.TraceID]*[]pcommon.SpanID // errors alone
	traces  int
	refused int
	patient bool // sends again what is refused
	later   [][]pcommon.TraceID
}

func newStorm() *storm {
	return &storm{random: rand.New(rand.NewPCG(9, 9)), sent: map[pcommon.TraceID]*[]pcommon.SpanID{}}
}

// step sends what comes in 50 ms: n new traces, and the later spans of those before.
func (s *storm) step(t *testing.T, p *faulty, n int) {
	t.Helper()
	var ids []pcommon.TraceID
	for range n {
		var id pcommon.TraceID
		binary.LittleEndian.PutUint64(id[:], s.random.Uint64())
		binary.LittleEndian.PutUint64(id[8:], s.random.Uint64())
		ids = append(ids, id)
	}
	if s.send(t, p, ids, 2, 0) {
		s.traces += n
		s.later = append(s.later, ids)
	}
	if len(s.later) > 6 {
		s.send(t, p, s.later[0], 1, 1)
		s.later = s.later[1:]
	}
	time.Sleep(50 * time.Millisecond)
}

func (s *storm) send(t *testing.T, p *faulty, ids []pcommon.TraceID, each, bad int) bool {
	t.Helper()
	td := s.request(ptrace.StatusCodeOk, 0, len(ids), each)
	widen(td, s.random)
	errs := map[pcommon.TraceID][]pcommon.SpanID{}
	for i, span := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
		span.SetTraceID(ids[i/each])
		if i/each%20 == bad {
			span.Status().SetCode(ptrace.StatusCodeError)
			errs[span.TraceID()] = append(errs[span.TraceID()], span.SpanID())
		}
	}
	err := p.ConsumeTraces(t.Context(), td)
	for tries := 0; err != nil && s.patient && tries < 10; tries++ {
		err = p.ConsumeTraces(t.Context(), td)
	}
	if err != nil {
		assert.ErrorIs(t, err, errOverloaded)
		assert.False(t, consumererror.IsPermanent(err))
		s.refused += td.SpanCount()
		return false
	}
	for id, spans := range errs {
		s.sent[id] = &spans
	}
	return true
}

// missing counts spans with errors that were taken in and have not left.
func (s *storm) missing(n *slowNext) (missing, of int) {
	for _, ids := range s.sent {
		for _, id := range *ids {
			of++
			if !n.has(id) {
				missing++
			}
		}
	}
	return missing, of
}

// Three times more is kept than the next consumer takes. Nobody is refused for long, memory stays within its budget, every trace
// with an error leaves, and what leaves of the rest tells by its threshold how much there was. When the next consumer has
// caught up, everything is taken in again.
func TestSlowNextIsSampledFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSlowNext(250) // 1,000 spans/s of four lanes
		p := startFaulty(t, slow, n)
		n.perLane.Store(1000 / int64(len(p.lanes)))
		s, most := newStorm(), int64(0)
		s.patient = true
		seconds := 60
		if testing.Short() {
			seconds = 30
		}
		for range seconds * 20 {
			s.step(t, p, 50) // 3,000 spans/s
			most = max(most, heldBytes(p.sampler))
		}
		sum := p.telemetry.look()
		assert.Positive(t, sum.DecidedFor[engine.ReasonOverload])
		assert.Zero(t, s.refused)
		assert.Less(t, p.telemetry.refused[refusedMemory].Load(), s.made/100, "until the mode takes hold")
		assert.LessOrEqual(t, float64(most), 1.1*float64(p.cfg.MaxBuffer), "bytes held")
		assert.True(t, p.overload.open.Load())
		assert.Equal(t, 1, p.logs.FilterMessageSnippet("leave too slowly").Len(), "said once")
		during := s.traces

		n.perLane.Store(1_000_000)
		time.Sleep(3 * time.Second)
		assert.False(t, p.overload.open.Load(), "over")
		turned := p.telemetry.look().SpansDropped[engine.DropOverload]
		for range 100 {
			s.step(t, p, 50)
		}
		assert.Equal(t, turned, p.telemetry.look().SpansDropped[engine.DropOverload])
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)

		missing, of := s.missing(n)
		assert.Zero(t, missing, "of %d spans with errors", of)
		estimate, variance, whole := n.estimate(t)
		t.Logf("%d traces, %d while overloaded, %d of them turned away; %d left, estimated as %.0f, deviation %.0f; held %.2f of the budget",
			s.traces, during, sum.DecidedFor[engine.ReasonOverload], len(n.traces), estimate, math.Sqrt(variance), float64(most)/float64(p.cfg.MaxBuffer))
		assert.InDelta(t, s.traces, estimate, 4*math.Sqrt(variance))
		assert.Less(t, math.Sqrt(variance), 0.05*float64(s.traces), "the estimate is worth something")
		assert.Equal(t, whole, len(n.traces)-n.partial(s), "traces without late errors leave whole")
	})
}

// estimate adds up the adjusted counts of the traces that have left, and says how many are there with all three spans.
func (n *slowNext) estimate(t *testing.T) (count, variance float64, whole int) {
	t.Helper()
	for id, ths := range n.traces {
		for _, th := range ths {
			require.Equal(t, ths[0], th, "of all spans of trace %s", id)
		}
		w := ths[0].AdjustedCount()
		count += w
		variance += w * (w - 1)
		if len(ths) == 3 {
			whole++
		}
	}
	return count, variance, whole
}

// partial counts traces that were turned away before their error came, and those whose later span was never sent.
func (n *slowNext) partial(s *storm) (partial int) {
	unsent := map[pcommon.TraceID]bool{}
	for _, ids := range s.later {
		for _, id := range ids {
			unsent[id] = true
		}
	}
	for id, ths := range n.traces {
		if len(ths) < 3 && (s.sent[id] != nil || unsent[id]) {
			partial++
		}
	}
	return partial
}

// When nothing leaves any more there is no share of the traces that would fit: requests are refused, nothing more is
// dropped, and what was taken in leaves when it can.
func TestNextGoesDownWhileItIsSampledFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSlowNext(250)
		p := startFaulty(t, slow, n)
		n.perLane.Store(1000 / int64(len(p.lanes)))
		s := newStorm()
		for range 20 * 20 {
			s.step(t, p, 50)
		}
		require.True(t, p.overload.open.Load())
		n.perLane.Store(0)
		time.Sleep(leavingWithin + time.Second) // a batch may be on its way
		turned := p.telemetry.look().SpansDropped[engine.DropOverload]
		for range 20 * 10 {
			s.step(t, p, 50)
		}
		assert.Positive(t, s.refused)
		assert.Equal(t, turned, p.telemetry.look().SpansDropped[engine.DropOverload])
		assert.LessOrEqual(t, p.telemetry.refused[refusedMemory].Load(), uint64(s.refused), "what is turned away of a request is not refused")
		n.perLane.Store(1_000_000)
		time.Sleep(time.Minute)
		refused := s.refused
		for range 100 {
			s.step(t, p, 50)
		}
		assert.Equal(t, refused, s.refused)
		assert.False(t, p.overload.open.Load())
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
		missing, of := s.missing(n)
		assert.Zero(t, missing, "of %d spans with errors", of)
	})
}

// With overload::mode refuse, the default of contrib's configurations, nothing is turned away.
func TestSlowNextRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newSlowNext(250)
		p := startFaulty(t, slow+"overload: {mode: refuse}\n", n)
		n.perLane.Store(1000 / int64(len(p.lanes)))
		s := newStorm()
		for range 20 * 30 {
			s.step(t, p, 50)
		}
		assert.Positive(t, s.refused)
		assert.Zero(t, p.telemetry.look().DecidedFor[engine.ReasonOverload])
		n.perLane.Store(1_000_000)
		stopSampler(t, p.sampler)
		requireSettled(t, p.sampler)
	})
}
