package policy

import (
	"fmt"
	"testing"
	"time"
)

// benchPolicies are the ones of the project's comparisons: errors, slow traces, an attribute, and a few of the rest.
func benchPolicies() []Config {
	return []Config{
		{Condition: Condition{Name: "errors", Type: StatusCode, StatusCode: StatusCodeConfig{StatusCodes: []string{"ERROR"}}}},
		{Condition: Condition{Name: "slow", Type: Latency, Latency: LatencyConfig{ThresholdMillis: 1000}}},
		{Condition: Condition{Name: "vip", Type: StringAttribute, StringAttribute: StringAttributeConfig{Key: "user.tier", Values: []string{"gold"}}}},
		{Condition: Condition{Name: "health", Type: Drop}, Drop: DropConfig{SubPolicies: []Condition{
			{Type: StringAttribute, StringAttribute: StringAttributeConfig{Key: "http.route", Values: []string{"^/health"}, EnabledRegexMatching: true}},
			{Type: Not, Not: &NotConfig{SubPolicy: Condition{Type: StatusCode, StatusCode: StatusCodeConfig{StatusCodes: []string{"ERROR"}}}}},
		}}},
		{Condition: Condition{Name: "some", Type: Probabilistic, Probabilistic: ProbabilisticConfig{SamplingPercentage: 2}}},
	}
}

// hotPath prepares what each benchmark and allocation test needs: one interesting attribute and a span.
type hotPath struct {
	p     *Program
	mark  Mark
	res   Mark
	span  Span
	facts Facts
	bits  []uint64
	trace Trace
}

func newHotPath(t testing.TB, set Settings) *hotPath {
	p := mustCompile(t, set)
	h := &hotPath{p: p, bits: make([]uint64, p.Words())}
	h.mark = p.MarkSpan("user.tier", Value{Kind: KindStr, Str: "silver"})
	h.res = p.MarkResource(func(yield func(string, Value) bool) { yield("http.route", Value{Kind: KindStr, Str: "/cart"}) })
	h.span = Span{Start: 1_700_000_000_000_000_000, End: 1_700_000_000_500_000_000, Flags: 0x301, TraceState: "ot=rv:80000000000001"}
	h.trace = Trace{ID: traceID("a"), Facts: &h.facts, Bits: h.bits}
	h.fold()
	return h
}

func (h *hotPath) fold() {
	var seen Seen
	h.p.ApplyResource(h.bits, h.res)
	h.p.ApplySpan(h.bits, &seen, h.mark)
	h.p.Fold(&h.facts, h.bits, &h.span)
}

func settingsOf(useTraceState bool) Settings {
	return Settings{Policies: benchPolicies(), UseTraceState: useTraceState}
}

func TestHotPathAllocatesNothing(t *testing.T) {
	for _, use := range []bool{false, true} {
		h := newHotPath(t, settingsOf(use))
		batch, verdicts := []Trace{h.trace, h.trace}, make([]Verdict, 2)
		now := time.Unix(1, 0)
		for name, f := range map[string]func(){
			"Fold, ApplySpan, ApplyResource": h.fold,
			"Decide":                         func() { h.p.Decide(now, &h.trace) },
			"DecideBatch":                    func() { h.p.DecideBatch(now, batch, verdicts) },
			"DecideIngest":                   func() { h.p.DecideIngest(now, &h.trace) },
			"Certain":                        func() { h.p.Certain(&h.trace) },
			"SpanKey":                        func() { h.p.SpanKey("user.tier") },
		} {
			if n := testing.AllocsPerRun(200, f); n > 0 {
				t.Errorf("tracestate %t: %s allocates %v times", use, name, n)
			}
		}
	}
}

func BenchmarkFold(b *testing.B) {
	for _, use := range []bool{false, true} {
		b.Run(fmt.Sprintf("tracestate=%t", use), func(b *testing.B) {
			h := newHotPath(b, settingsOf(use))
			b.ReportAllocs()
			for b.Loop() {
				h.fold()
			}
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	h := newHotPath(b, settingsOf(false))
	g := newGenerator(1)
	now := time.Unix(1, 0)
	ids := make([][16]byte, 1024) // so that 1 decision in 32 is measured, as in life
	for i := range ids {
		ids[i] = g.id()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		h.trace.ID = ids[i%len(ids)]
		i++
		h.p.Decide(now, &h.trace)
	}
}

func BenchmarkCertain(b *testing.B) {
	h := newHotPath(b, settingsOf(false))
	b.ReportAllocs()
	for b.Loop() {
		h.p.Certain(&h.trace)
	}
}

func BenchmarkMarkSpan(b *testing.B) {
	h := newHotPath(b, settingsOf(false))
	v := Value{Kind: KindStr, Str: "gold"}
	b.ReportAllocs()
	for b.Loop() {
		h.p.MarkSpan("user.tier", v)
	}
}
