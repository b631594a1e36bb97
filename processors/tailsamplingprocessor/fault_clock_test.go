package tailsamplingprocessor

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/decisionmemory"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// clockRun is a shard whose two clocks a test sets as it likes.
type clockRun struct {
	t     *testing.T
	shard *engine.Shard
	sums  *tracelog.Sums
	next  uint64 // fragment
}

func newClockRun(t *testing.T, yaml string) *clockRun {
	t.Helper()
	cfg := configFrom(t, yaml)
	set, err := cfg.policySettings()
	require.NoError(t, err)
	set.Telemetry = componenttest.NewNopTelemetrySettings()
	program, err := policy.Compile(*set)
	require.NoError(t, err)
	store := segstore.NewMemory(64 << 20)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return &clockRun{t: t, sums: tracelog.NewSums(), shard: engine.New(engine.Settings{
		Log:     tracelog.New(tracelog.Settings{Store: store, SegmentSize: 64 << 10, Checksums: true}),
		Memory:  decisionmemory.New(decisionmemory.Settings{Kept: 1000, Dropped: 1000}),
		Program: program,
		Wait:    cfg.DecisionWait,
		Notes:   true,
	})}
}

func (r *clockRun) add(now engine.Now, td ptrace.Traces) {
	r.t.Helper()
	for _, rs := range td.ResourceSpans().All() {
		resource := r.sums.Resource(rs)
		r.next++
		for i, ss := range rs.ScopeSpans().All() {
			scope := r.sums.Scope(&resource, ss)
			f := engine.Fragment{Scope: &scope, Resource: rs, Spans: ss, ID: r.next, Index: uint32(i), ResourceSize: resource.Size}
			for _, span := range ss.Spans().All() {
				require.NoError(r.t, r.shard.Add(now, &f, span))
			}
		}
		r.shard.EndFragment(now)
	}
}

// advance returns the spans of the traces that were kept, in order.
func (r *clockRun) advance(now engine.Now) (kept []pcommon.SpanID) {
	for r.shard.Advance(now, 256) {
	}
	batch := r.shard.Take()
	for _, d := range batch {
		td, unreadable := engine.Decode(r.shard.View(), d.ID, d.Head)
		require.Zero(r.t, unreadable)
		for _, span := range td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			require.Equal(r.t, pcommon.Timestamp(1_700_000_000_000_000_000), span.StartTimestamp())
			require.Equal(r.t, pcommon.Timestamp(1_700_000_000_100_000_000), span.EndTimestamp())
		}
		kept = append(kept, spanIDs(td)...)
	}
	r.shard.Done(now, batch)
	return kept
}

// walls are wall clocks that are set back and forth; each is asked once per step.
var walls = map[string]func(step int) time.Time{
	"steady":      func(step int) time.Time { return time.Unix(1_750_000_000+int64(step), 0) },
	"stands":      func(int) time.Time { return time.Unix(1_750_000_000, 0) },
	"backwards":   func(step int) time.Time { return time.Unix(1_750_000_000-int64(step)*3600, 0) },
	"jumps":       func(step int) time.Time { return time.Unix(1_750_000_000+int64(step%3-1)*86_400*365, 0) },
	"year 1":      func(int) time.Time { return time.Time{} },
	"before 1970": func(step int) time.Time { return time.Unix(-int64(step)-1, 0) },
	"far future":  func(step int) time.Time { return time.Unix(math.MaxInt32*1000+int64(step), 0) },
	"the rails":   func(step int) time.Time { return time.Unix(0, []int64{math.MinInt64, math.MaxInt64, 0}[step%3]) },
}

// Whatever the wall clock does, traces are decided after the same wait, in the same way, late spans follow them, and
// the times of spans come back as they were.
func TestWallClockMovesNothing(t *testing.T) {
	run := func(t *testing.T, wall func(int) time.Time) (kept [][]pcommon.SpanID) {
		r, g := newClockRun(t, errorsOnly), new(traffic)
		for step := range 30 {
			now := engine.Now{Mono: time.Duration(step) * time.Second, Wall: wall(step)}
			r.add(now, g.request(ptrace.StatusCodeOk, step*10, 10, 3))
			r.add(now, g.request(ptrace.StatusCodeError, step*10, 2, 1))
			if step >= 10 {
				r.add(now, g.request(ptrace.StatusCodeOk, (step-9)*10, 10, 1)) // late
			}
			kept = append(kept, r.advance(now))
		}
		st := r.shard.Stats()
		require.Equal(t, st.SpansIn, st.SpansKept+st.SpansDropped[engine.DropNotSampled]+st.SpansDropped[engine.DropLate]+uint64(st.SpansHeld))
		return kept
	}
	want := run(t, walls["steady"])
	require.Empty(t, want[4])
	require.Len(t, want[5], 8, "the first two traces")
	require.Len(t, want[20], 8+2, "two traces, and the late spans of two")
	for name, wall := range walls {
		t.Run(name, func(t *testing.T) { require.Equal(t, want, run(t, wall)) })
	}
}

// The sampler's times have a reading of the monotonic clock, by which they are compared: where an order or a distance is
// asked for, a wall clock that was set changes neither.
func TestTimesAreMonotonic(t *testing.T) {
	p := startFaulty(t, errorsOnly, consumertest.NewNop())
	require.Contains(t, p.now().Wall.String(), " m=+")
}

// Even without that reading a limit per second goes on limiting, and goes on letting through, when the wall clock is
// set forward by hours or back by less than a second.
func TestWallClockAndRateLimits(t *testing.T) {
	const yaml = `
decision_wait: 1s
policies: [{name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 10}}]
`
	for _, set := range []time.Duration{5 * time.Hour, -300 * time.Millisecond} {
		t.Run(set.String(), func(t *testing.T) {
			r, g := newClockRun(t, yaml), new(traffic)
			wall := time.Unix(1_750_000_000, 0)
			var kept []int
			for step := range 20 {
				if step == 10 {
					wall = wall.Add(set)
				}
				now := engine.Now{Mono: time.Duration(step) * time.Second, Wall: wall.Add(time.Duration(step) * time.Second)}
				r.add(now, g.request(ptrace.StatusCodeOk, step*100, 100, 1))
				kept = append(kept, len(r.advance(now)))
			}
			assert.LessOrEqual(t, slices.Max(kept), 20, "%v", kept)
			assert.Positive(t, slices.Min(kept[2:10]), "%v", kept)
			assert.Positive(t, slices.Min(kept[12:]), "%v", kept)
		})
	}
}
