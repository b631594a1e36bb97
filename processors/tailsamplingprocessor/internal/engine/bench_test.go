package engine

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/segstore"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

const benchPolicies = `
policies:
- {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
- {name: slow, type: latency, latency: {threshold_ms: 900}}
- {name: shop, type: string_attribute, string_attribute: {key: http.some.attribute.1, values: [value-1-7]}}
- {name: some, type: probabilistic, probabilistic: {sampling_percentage: 5}}`

// traffic feeds one shard as the processor does: requests of 256 spans, 14 per trace, a trace's spans within two
// requests of each other, and after each request a look at what is due. Waits are such that so many traces are open.
type traffic struct {
	b        testing.TB
	shard    *Shard
	requests []ptrace.ResourceSpans
	next     uint64 // request
	now      time.Duration

	spans, decided    int
	adding, advancing time.Duration // under the lock, all together
	longest           time.Duration // under the lock, at once
	keptSpans         uint64
}

const (
	requestSpans  = 256
	spansPerTrace = 14
	requestEvery  = time.Millisecond
)

func newTraffic(b testing.TB, open int, change func(*Settings)) *traffic {
	b.Helper()
	store := segstore.NewMemory(4 << 30)
	set := Settings{
		Log:    tracelog.New(tracelog.Settings{Store: store}),
		Memory: newMemory(), Program: compilePolicies(b, benchPolicies, policy.TraceComplete),
		Wait: time.Duration(open) * spansPerTrace * requestEvery / requestSpans,
	}
	if change != nil {
		change(&set)
	}
	t := &traffic{b: b, shard: New(set)}
	b.Cleanup(func() {
		set.Log.Close()
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		t.requests = append(t.requests, benchSpans(r))
	}
	for t.now < set.Wait+10*requestEvery {
		t.request()
	}
	t.spans, t.decided, t.adding, t.advancing, t.longest, t.keptSpans = 0, 0, 0, 0, 0, 0
	return t
}

// benchSpans is a ResourceSpans with ten attributes per span, about 490 bytes each with their share of the resource.
func benchSpans(r *rand.Rand) ptrace.ResourceSpans {
	rs := ptrace.NewResourceSpans()
	for a := range 12 {
		rs.Resource().Attributes().PutStr(fmt.Sprintf("resource.attribute.%d", a), fmt.Sprintf("service-%d-value-%d", r.IntN(4), a))
	}
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp")
	for i := range requestSpans {
		span := ss.Spans().AppendEmpty()
		var id pcommon.SpanID
		binary.LittleEndian.PutUint64(id[:], r.Uint64())
		span.SetSpanID(id)
		if i%spansPerTrace > 0 {
			span.SetParentSpanID(id)
		}
		span.SetName(fmt.Sprintf("GET /api/v1/route/%d", r.IntN(30)))
		start := uint64(epoch.UnixNano()) + r.Uint64N(1e9)
		span.SetStartTimestamp(pcommon.Timestamp(start))
		span.SetEndTimestamp(pcommon.Timestamp(start + r.Uint64N(8e8)))
		if r.IntN(500) == 0 {
			span.Status().SetCode(ptrace.StatusCodeError)
		}
		for a := range 9 {
			span.Attributes().PutStr(fmt.Sprintf("http.some.attribute.%d", a), fmt.Sprintf("value-%d-%d", a, r.IntN(20)))
		}
		span.Attributes().PutInt("http.response.status_code", 200+r.Int64N(5))
	}
	return rs
}

// name gives the spans of a request their traces: 18 at a time, half of them begun in the request before.
func (t *traffic) name(rs ptrace.ResourceSpans) {
	const traces = requestSpans / spansPerTrace
	for i, span := range rs.ScopeSpans().At(0).Spans().All() {
		n := t.next*traces + uint64(i%(2*traces))
		var id pcommon.TraceID
		binary.LittleEndian.PutUint64(id[:], n*0x9e3779b97f4a7c15)
		binary.LittleEndian.PutUint64(id[8:], n)
		span.SetTraceID(id)
	}
}

// request adds one request, decides what is due, and lets the kept traces go.
func (t *traffic) request() {
	rs := t.requests[t.next%uint64(len(t.requests))]
	t.next++
	t.now += requestEvery
	t.name(rs)
	res := sums.Resource(rs)
	ss := rs.ScopeSpans().At(0)
	scope := sums.Scope(&res, ss)
	f := Fragment{Scope: &scope, Resource: rs, Spans: ss, ID: t.next, ResourceSize: res.Size}
	now := moment(t.now)
	began := time.Now()
	for i := range ss.Spans().Len() {
		if err := t.shard.Add(now, &f, ss.Spans().At(i)); err != nil {
			t.b.Fatal(err)
		}
	}
	t.shard.EndFragment(now)
	added := time.Now()
	open := t.shard.Stats().TracesOpen
	for t.shard.Advance(now, requestSpans) {
	}
	kept := t.shard.Take()
	advanced := time.Now()
	t.shard.Done(now, kept)
	t.spans += requestSpans
	t.decided += int(open - t.shard.Stats().TracesOpen)
	t.adding += added.Sub(began)
	t.advancing += advanced.Sub(added)
	t.longest = max(t.longest, added.Sub(began), advanced.Sub(added), time.Since(advanced))
}

// BenchmarkShardAdd measures what a span costs under the lock, with its share of everything: the log, the facts, the
// decision, and the segments that come and go.
func BenchmarkShardAdd(b *testing.B) {
	for _, open := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("open=%d", open), func(b *testing.B) {
			t := newTraffic(b, open, nil)
			b.ReportAllocs()
			for b.Loop() {
				t.request()
			}
			spans := float64(t.spans)
			b.ReportMetric(float64(t.adding.Nanoseconds())/spans, "ns/span")
			b.ReportMetric(spans/b.Elapsed().Seconds(), "spans/s")
			u := t.shard.Usage(t.now)
			b.ReportMetric(float64(u.Log)/float64(t.shard.Stats().SpansHeld), "log-B/span")
			b.ReportMetric(float64(u.Index)/float64(t.shard.Stats().TracesOpen), "index-B/trace")
		})
	}
}

// BenchmarkAdvance measures what the decision of a trace costs, with its share of the freeing of segments.
func BenchmarkAdvance(b *testing.B) {
	for _, open := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("open=%d", open), func(b *testing.B) {
			t := newTraffic(b, open, nil)
			for b.Loop() {
				t.request()
			}
			b.ReportMetric(0, "ns/op") // that of adding, for the most part
			b.ReportMetric(float64(t.advancing.Nanoseconds())/float64(max(t.decided, 1)), "ns/trace")
		})
	}
}

// BenchmarkLongestHold reports how long the lock was held at once: for a request of 256 spans, a look at what is due, or
// a batch of kept traces. What else runs on the machine counts as well.
func BenchmarkLongestHold(b *testing.B) {
	for _, open := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("open=%d", open), func(b *testing.B) {
			t := newTraffic(b, open, nil)
			for b.Loop() {
				t.request()
			}
			b.ReportMetric(float64(t.longest.Microseconds()), "max-us")
			b.ReportMetric(float64((t.adding+t.advancing).Microseconds())/float64(t.spans/requestSpans), "mean-us")
		})
	}
}

// Adding a span to an open trace allocates nothing, whatever is asked about it, and nor does forgetting it again.
func TestAddAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget")
	}
	for name, change := range map[string]func(*Settings){
		"plain":    nil,
		"early":    func(s *Settings) { s.Early = true },
		"bounded":  func(s *Settings) { s.MaxTraceBytes, s.MaxTraces = 1<<40, 1<<20 },
		"lateness": func(s *Settings) { s.Lateness = &Lateness{Quantile: 0.9} },
		"ingest": func(s *Settings) {
			s.SpanIngest = true
			s.Program = compilePolicies(t, `policies: [{name: never, type: span_count, span_count: {min_spans: 2000000000}}]`, policy.SpanIngest)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTraffic(t, 1000, func(s *Settings) {
				s.Log = tracelog.New(tracelog.Settings{Store: newStore(0), SegmentSize: 64 << 20})
				if change != nil {
					change(s)
				}
			})
			rs := w.requests[0]
			w.name(rs)
			res := sums.Resource(rs)
			ss := rs.ScopeSpans().At(0)
			scope := sums.Scope(&res, ss)
			f := Fragment{Scope: &scope, Resource: rs, Spans: ss, ID: 1 << 40, ResourceSize: res.Size}
			now := moment(w.now)
			add := func() {
				f.ID++
				for i := range ss.Spans().Len() {
					span := ss.Spans().At(i)
					span.Status().SetCode(ptrace.StatusCodeOk) // an error would end an early trace
					if err := w.shard.Add(now, &f, span); err != nil {
						t.Fatal(err)
					}
				}
				w.shard.EndFragment(now)
			}
			add()
			open := w.shard.Stats().TracesOpen
			if got := testing.AllocsPerRun(50, add); got != 0 {
				t.Errorf("%v allocations per 256 spans", got)
			}
			if w.shard.Stats().TracesOpen != open {
				t.Fatal("traces were opened or decided meanwhile")
			}
		})
	}
}
