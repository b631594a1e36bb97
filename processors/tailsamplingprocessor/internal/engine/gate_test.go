package engine

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
)

// At each level so many come in as the threshold says that they leave with.
func TestLevels(t *testing.T) {
	for level, want := range map[Level]float64{0: 1, 8: 0.5, 80: 1. / 1024, 255: math.Exp2(-255. / 8)} {
		if got := level.Threshold().Probability(); math.Abs(got/want-1) > 1e-6 {
			t.Errorf("level %d lets %g in, want %g", level, got, want)
		}
	}
	if got := Level(7).Threshold().Probability(); got <= 0.5 || got >= 0.6 {
		t.Errorf("level 7 lets %g in", got)
	}
}

// What is turned away allocates nothing and takes no room in the log.
func TestTurningAwayAllocatesNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	traffic := newTraffic(t, 100, unwanted(t))
	s, rs := traffic.shard, traffic.requests[0]
	turn := func() {
		traffic.next++
		traffic.name(rs)
		weigh(s, moment(traffic.now), rs, 255, traffic.next)
	}
	for range 3000 { // the memory of drops grows in steps
		turn()
	}
	log, in := s.log.Bytes(), s.stats.SpansIn
	const rounds = 100
	resource := testing.AllocsPerRun(rounds, func() { marker{s.program}.MarkResource(rs.Resource().Attributes()) })
	if n := testing.AllocsPerRun(rounds, turn); n > resource { // what it means is asked once per request
		t.Errorf("%.1f allocations for %d spans, and %.1f for their resource", n, requestSpans, resource)
	}
	if got := s.log.Bytes(); got != log {
		t.Errorf("the log has grown by %d bytes", got-log)
	}
	if got := s.stats.SpansIn - in; got < rounds*requestSpans*95/100 {
		t.Errorf("%d spans were turned away", got)
	}
}

// unwanted are policies of all kinds that want few of the traces.
func unwanted(t testing.TB) func(*Settings) {
	return func(s *Settings) {
		s.Program = compilePolicies(t, `
policies:
- {name: errors, type: status_code, status_code: {status_codes: [ERROR]}}
- {name: slow, type: latency, latency: {threshold_ms: 5000}}
- {name: shop, type: string_attribute, string_attribute: {key: http.some.attribute.1, values: [nobody's]}}
- {name: some, type: probabilistic, probabilistic: {sampling_percentage: 5}}`, policy.TraceComplete)
	}
}

func weigh(s *Shard, now Now, rs ptrace.ResourceSpans, level Level, fragment uint64) []Fate {
	f := Fragment{Resource: rs, Spans: rs.ScopeSpans().At(0), ID: fragment}
	for _, span := range f.Spans.Spans().All() {
		s.Weigh(now, &f, span)
	}
	return s.Judge(now, level)
}

// What comes in at a level comes in at all levels below.
func TestGateIsConsistent(t *testing.T) {
	fates := map[pcommon.TraceID]Level{} // the highest level that it came in at
	for _, level := range []Level{0, 4, 8, 20, 40} {
		traffic := newTraffic(t, 10, unwanted(t))
		in := 0
		for _, rs := range traffic.requests {
			traffic.next++
			traffic.name(rs)
			for _, span := range rs.ScopeSpans().At(0).Spans().All() { // ids that are random where it counts
				id := span.TraceID()
				binary.BigEndian.PutUint64(id[8:], binary.LittleEndian.Uint64(id[8:])*0x9e3779b97f4a7c15)
				span.SetTraceID(id)
			}
			for i, fate := range weigh(traffic.shard, moment(0), rs, level, traffic.next) {
				id := rs.ScopeSpans().At(0).Spans().At(i).TraceID()
				if fate != ByChance {
					continue
				}
				in++
				if _, ok := fates[id]; level > 4 && !ok {
					t.Fatalf("trace %s comes in at level %d and not below", id, level)
				}
				fates[id] = level
			}
		}
		if level > 0 && level < 40 && in == 0 {
			t.Errorf("nothing comes in by chance at level %d", level)
		}
	}
}

// BenchmarkTurnAway is what a span costs that is turned away.
func BenchmarkTurnAway(b *testing.B) {
	traffic := newTraffic(b, 1000, unwanted(b))
	rs := traffic.requests[0]
	b.ReportAllocs()
	var in time.Duration
	for b.Loop() {
		traffic.next++
		traffic.name(rs)
		began := time.Now()
		weigh(traffic.shard, moment(traffic.now), rs, 255, traffic.next)
		in += time.Since(began)
	}
	b.ReportMetric(float64(in.Nanoseconds())/float64(b.N*requestSpans), "ns/span")
}

// BenchmarkCarry is what a span costs that is written once more at the log's end.
func BenchmarkCarry(b *testing.B) {
	traffic := newTraffic(b, 20_000, func(s *Settings) { s.Sums = sums })
	s := traffic.shard
	var in time.Duration
	spans := 0
	for b.Loop() {
		for s.log.End().Seq() <= s.needed().Seq() { // its oldest segment is being written
			traffic.request()
		}
		segment, before := s.needed().Seq(), s.stats.SpansHeld
		var running []int32
		held := 0
		for n := s.oldest; n != none && s.entries.at(n).first.Seq() <= segment; n = s.entries.at(n).newer {
			if held += int(s.entries.at(n).facts.Spans); held > carrySpans {
				break
			}
			running = append(running, n)
		}
		began := time.Now()
		rest := s.carry(moment(traffic.now), running, segment)
		in += time.Since(began)
		if len(rest) > 0 || s.stats.SpansHeld != before {
			b.Fatalf("%d traces were not carried", len(rest))
		}
		for _, n := range running {
			spans += int(s.entries.at(n).facts.Spans)
		}
	}
	b.ReportMetric(float64(in.Nanoseconds())/float64(spans), "ns/span")
}
