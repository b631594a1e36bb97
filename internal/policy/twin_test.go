package policy

import (
	"context"
	"flag"
	"fmt"
	"hash/fnv"
	"math/big"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

// The twin decides as plainly as can be: it walks all spans for every condition. It knows no bits, no sharing and no
// facts, and was written from the description of the policies.
type twin struct {
	set      Settings
	now      time.Time
	limiters map[string]*rate.Limiter
	budgets  map[string]*twinBudget
}

type twinBudget struct{ second, spent int64 }

// A twinTrace is all there is to know.
type twinTrace struct {
	id pcommon.TraceID
	td ptrace.Traces
}

type twinAnswer struct {
	vote vote
	th   uint64
}

func newTwin(set Settings) *twin {
	return &twin{set: set, limiters: map[string]*rate.Limiter{}, budgets: map[string]*twinBudget{}}
}

// decide returns the outcome, the name of the policy behind it, and the threshold.
func (w *twin) decide(now time.Time, t twinTrace) (Outcome, string, uint64) {
	w.now = now
	for _, r := range w.set.Rules {
		if w.all(r.When, t).vote == yes && !r.DryRun {
			return w.rule(&r, t)
		}
	}
	for _, p := range w.set.Policies {
		if p.Condition.Type == Drop && w.all(p.Drop.SubPolicies, t).vote == yes && !p.DryRun {
			return Dropped, p.Condition.Name, 0
		}
	}
	outcome, by, th := NotSampled, "", uint64(1<<56)
	for _, p := range w.set.Policies {
		if p.Condition.Type == Drop {
			continue
		}
		a := w.policy(&p, t)
		if a.vote != yes || p.DryRun {
			continue
		}
		if outcome == NotSampled {
			outcome, by = Sampled, p.Condition.Name
		}
		th = min(th, a.th)
		if w.set.FirstMatch {
			break
		}
	}
	return outcome, by, th
}

func (w *twin) rule(r *RuleConfig, t twinTrace) (Outcome, string, uint64) {
	switch {
	case r.Then.Keep:
		return Sampled, r.Name, 0
	case r.Then.Drop:
		return Dropped, r.Name, 0
	}
	th := sampling.NeverSampleThreshold
	if p := r.Then.Probability.Percentage / 100; p > 0 {
		th, _ = sampling.ProbabilityToThreshold(p)
	}
	rnd, _ := twinRandomness(t)
	if th.ShouldSample(rnd) {
		return Sampled, r.Name, th.Unsigned()
	}
	return NotSampled, r.Name, 0
}

// twinRandomness also says whether there is sampling information.
func twinRandomness(t twinTrace) (rnd sampling.Randomness, info bool) {
	rnd = sampling.TraceIDToRandomness(t.id)
	anySpan(t.td, func(s ptrace.Span) bool {
		ts, err := sampling.NewW3CTraceState(s.TraceState().AsRaw())
		if err != nil {
			return false
		}
		_, hasTH := ts.OTelValue().TValueThreshold()
		rv, hasRV := ts.OTelValue().RValueRandomness()
		info = info || hasTH || hasRV
		if hasRV {
			rnd = rv
		}
		return hasRV
	})
	return rnd, info
}

func (w *twin) policy(p *Config, t twinTrace) twinAnswer {
	if p.Condition.Type != Composite {
		return w.ask(&p.Condition, t)
	}
	c := &p.Composite
	for i := range c.SubPolicies {
		sub := &c.SubPolicies[i]
		switch w.ask(sub, t).vote {
		case failed:
			return twinAnswer{vote: failed}
		case yes:
			return twinAnswer{vote: yesIf(w.pay(c, sub, int64(t.td.SpanCount())))}
		}
	}
	return twinAnswer{vote: no}
}

func (w *twin) pay(c *CompositeConfig, sub *Condition, spans int64) bool {
	allowed := int64(float64(c.MaxTotalSpansPerSecond) / float64(len(c.SubPolicies)))
	for _, r := range c.RateAllocation {
		if r.Policy == sub.Name && r.Percent > 0 {
			allowed = int64(float64(r.Percent) / 100 * float64(c.MaxTotalSpansPerSecond))
		}
	}
	b := w.budgets[sub.Name]
	if b == nil {
		b = &twinBudget{}
		w.budgets[sub.Name] = b
	}
	if b.second != w.now.Unix() {
		*b = twinBudget{second: w.now.Unix()}
	}
	if b.spent+spans > allowed || b.spent+spans > c.MaxTotalSpansPerSecond {
		return false
	}
	b.spent += spans
	return true
}

func (w *twin) all(list []Condition, t twinTrace) twinAnswer {
	a := twinAnswer{vote: yes}
	for i := range list {
		sub := w.ask(&list[i], t)
		if sub.vote != yes {
			return sub
		}
		a.th = max(a.th, sub.th)
	}
	return a
}

func (w *twin) ask(c *Condition, t twinTrace) twinAnswer {
	switch c.Type {
	case And:
		return w.all(c.And.SubPolicies, t)
	case Not:
		switch w.ask(&c.Not.SubPolicy, t).vote {
		case failed:
			return twinAnswer{vote: failed}
		case yes:
			return twinAnswer{vote: no}
		}
		return twinAnswer{vote: yes}
	case Probabilistic:
		return w.probabilistic(&c.Probabilistic, t)
	case OTTLCondition:
		return twinAnswer{vote: w.ottl(&c.OTTLCondition, t.td)}
	case RateLimiting:
		return w.limit(c.Name, c.RateLimiting.SpansPerSecond, c.RateLimiting.BurstCapacity, t.td.SpanCount())
	case BytesLimiting:
		return w.limit(c.Name, c.BytesLimiting.BytesPerSecond, c.BytesLimiting.BurstCapacity, (&ptrace.ProtoMarshaler{}).TracesSize(t.td))
	}
	return twinAnswer{vote: yesIf(w.holds(c, t.td))}
}

func (w *twin) limit(name string, perSecond, burst int64, cost int) twinAnswer {
	if burst == 0 {
		burst = 2 * perSecond
	}
	if w.limiters[name] == nil {
		w.limiters[name] = rate.NewLimiter(rate.Limit(perSecond), int(burst))
	}
	return twinAnswer{vote: yesIf(w.limiters[name].AllowN(w.now, cost))}
}

func (w *twin) holds(c *Condition, td ptrace.Traces) bool {
	switch c.Type {
	case AlwaysSample:
		return true
	case Latency:
		return twinLatency(&c.Latency, td)
	case SpanCount:
		n := int32(td.SpanCount())
		return n >= c.SpanCount.MinSpans && (c.SpanCount.MaxSpans == 0 || n <= c.SpanCount.MaxSpans)
	case StatusCode:
		return anySpan(td, func(s ptrace.Span) bool {
			return slices.Contains(c.StatusCode.StatusCodes, map[ptrace.StatusCode]string{0: "UNSET", 1: "OK", 2: "ERROR"}[s.Status().Code()])
		})
	case TraceFlags:
		return anySpan(td, func(s ptrace.Span) bool { return s.Flags()%2 == 1 })
	case TraceState:
		return anySpan(td, func(s ptrace.Span) bool {
			ts, err := trace.ParseTraceState(s.TraceState().AsRaw())
			v := ts.Get(c.TraceState.Key)
			return err == nil && v != "" && slices.Contains(c.TraceState.Values, v)
		})
	case StringAttribute:
		s := &c.StringAttribute
		return anyAttribute(td, s.Key, func(v pcommon.Value, onSpan bool) bool {
			if !s.EnabledRegexMatching {
				return v.Str() != "" && slices.Contains(s.Values, v.Str())
			}
			return (v.Str() != "" || !onSpan) && slices.ContainsFunc(s.Values, func(re string) bool { return regexp.MustCompile(re).MatchString(v.Str()) })
		}) != s.InvertMatch
	case NumericAttribute:
		n := &c.NumericAttribute
		return anyAttribute(td, n.Key, func(v pcommon.Value, _ bool) bool {
			return (n.MinValue == nil || v.Int() >= *n.MinValue) && (n.MaxValue == nil || v.Int() <= *n.MaxValue)
		}) != n.InvertMatch
	case BooleanAttribute:
		b := &c.BooleanAttribute
		return anyAttribute(td, b.Key, func(v pcommon.Value, _ bool) bool { return v.Bool() == b.Value }) != b.InvertMatch
	}
	panic(fmt.Sprintf("the twin does not know %q", c.Type))
}

func anySpan(td ptrace.Traces, is func(ptrace.Span) bool) bool {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if is(span) {
					return true
				}
			}
		}
	}
	return false
}

func anyAttribute(td ptrace.Traces, key string, is func(v pcommon.Value, onSpan bool) bool) bool {
	for _, rs := range td.ResourceSpans().All() {
		if v, ok := rs.Resource().Attributes().Get(key); ok && is(v, false) {
			return true
		}
	}
	return anySpan(td, func(s ptrace.Span) bool {
		v, ok := s.Attributes().Get(key)
		return ok && is(v, true)
	})
}

func twinLatency(c *LatencyConfig, td ptrace.Traces) bool {
	var first, last pcommon.Timestamp
	longest := time.Duration(-1 << 63)
	anySpan(td, func(s ptrace.Span) bool {
		if first == 0 || s.StartTimestamp() < first {
			first = s.StartTimestamp()
		}
		if last == 0 || s.EndTimestamp() > last {
			last = s.EndTimestamp()
		}
		longest = max(longest, last.AsTime().Sub(first.AsTime()))
		return false
	})
	ms := longest.Milliseconds()
	return ms > c.ThresholdMillis && (c.UpperThresholdMillis == 0 || ms <= c.UpperThresholdMillis)
}

func (w *twin) probabilistic(c *ProbabilisticConfig, t twinTrace) twinAnswer {
	ratio := c.SamplingPercentage / 100
	th := sampling.NeverSampleThreshold
	if ratio >= 1 {
		th = sampling.AlwaysSampleThreshold
	} else if ratio > 0 {
		th, _ = sampling.ProbabilityToThreshold(ratio)
	}
	a := twinAnswer{th: th.Unsigned()}
	rnd, info := twinRandomness(t)
	if w.set.UseTraceState && info {
		a.vote = yesIf(th.ShouldSample(rnd))
		return a
	}
	salt := c.HashSalt
	if salt == "" {
		salt = "default-hash-seed"
	}
	h := fnv.New64a()
	h.Write([]byte(salt))
	h.Write(t.id[:])
	limit, _ := new(big.Float).Mul(new(big.Float).SetUint64(1<<64-1), big.NewFloat(ratio)).Uint64()
	a.vote = yesIf(h.Sum64() <= limit)
	return a
}

func (w *twin) ottl(c *OTTLConditionConfig, td ptrace.Traces) vote {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				o, err := newOTTLPredicate(c, quiet())
				if err != nil {
					panic(err)
				}
				ok, err := o.holds(context.Background(), rs, ss, span)
				switch {
				case err != nil:
					return failed
				case ok:
					return yes
				}
			}
		}
	}
	return no
}

var (
	firstSeed = flag.Uint64("seed", 0, "first seed of the random comparisons")
	moreSeeds = flag.Uint64("seeds", 0, "how many seeds the random comparisons try, 0: as many as take seconds")
)

func seedRange(standard uint64) (first, seeds uint64) {
	switch {
	case *moreSeeds > 0:
		return *firstSeed, *moreSeeds
	case testing.Short():
		return *firstSeed, standard / 10
	}
	return *firstSeed, standard
}

// TestTwin compares programs with the twin on random policies and traces, the traces of one seed in a row so that
// limiters run dry and fill again.
func TestTwin(t *testing.T) {
	first, seeds := seedRange(1500)
	outcomes := map[Outcome]int{}
	for seed := first; seed < first+seeds; seed++ {
		g := newGenerator(seed)
		set := Settings{FirstMatch: g.IntN(3) == 0, UseTraceState: g.IntN(3) == 0}
		g.limiters = !set.UseTraceState // limiters then decide by batch, which has tests of its own
		set.Rules, set.Policies = g.rules(), g.policies()
		p, w := mustCompile(t, set), newTwin(set)
		now := time.Unix(1_700_000_000, 0)
		for range 8 {
			now = now.Add(time.Duration(g.IntN(1500)) * time.Millisecond)
			h := newHeld(p, g.id())
			for _, td := range g.fragments(t, h.id) {
				h.add(p, td)
			}
			v := p.Decide(now, h.trace())
			outcome, by, th := w.decide(now, twinTrace{h.id, h.spans})
			outcomes[outcome]++
			name := ""
			if v.Policy >= 0 {
				name = p.Names()[v.Policy]
			}
			if v.Outcome != outcome || name != by {
				t.Fatalf("seed %d: %s by %q, the twin says %s by %q\n%s", seed, v.Outcome, name, outcome, by, dump(t, set, h))
			}
			if v.HasThreshold && v.Threshold != th {
				t.Fatalf("seed %d: threshold %x, the twin says %x\n%s", seed, v.Threshold, th, dump(t, set, h))
			}
		}
	}
	t.Logf("%v", outcomes)
	if len(outcomes) < 3 {
		t.Errorf("only these outcomes occurred: %v", outcomes)
	}
}

// TestCertain grows random traces and asks after each fragment: what was certain must be what is decided in the end, and
// stay certain on the way.
func TestCertain(t *testing.T) {
	first, seeds := seedRange(4000)
	early := map[Outcome]int{}
	for seed := first; seed < first+seeds; seed++ {
		g := newGenerator(seed)
		set := Settings{Rules: g.rules(), Policies: g.policies(), FirstMatch: g.IntN(2) == 0, UseTraceState: g.IntN(3) == 0, RecordPolicy: g.IntN(3) == 0}
		p := mustCompile(t, set)
		now := time.Unix(1_700_000_000, 0)
		for range 4 {
			h := newHeld(p, g.id())
			var foreseen *Verdict
			fragments := g.fragments(t, h.id)
			for i, td := range fragments {
				h.add(p, td)
				v, ok := p.Certain(h.trace())
				switch {
				case !ok && foreseen != nil:
					t.Fatalf("seed %d: fragment %d: no longer certain\n%s", seed, i, dump(t, set, h))
				case ok && foreseen == nil:
					foreseen = &v
					if i < len(fragments)-1 {
						early[v.Outcome]++
					}
				}
			}
			now = now.Add(time.Duration(g.IntN(1500)) * time.Millisecond)
			v := p.Decide(now, h.trace())
			if foreseen == nil {
				continue
			}
			if set.RecordPolicy && *foreseen != v || foreseen.Outcome != v.Outcome ||
				foreseen.Threshold != v.Threshold || foreseen.HasThreshold != v.HasThreshold {
				t.Fatalf("seed %d: %+v was certain, %+v decided\n%s", seed, *foreseen, v, dump(t, set, h))
			}
		}
	}
	t.Logf("certain before the last fragment: %v", early)
	for o := range Outcome(3) {
		if early[o] < int(seeds)/400 {
			t.Errorf("only %d traces were certain to be %s before their last fragment", early[o], o)
		}
	}
}

func dump(t *testing.T, set Settings, h *held) string {
	data, err := (&ptrace.JSONMarshaler{}).MarshalTraces(h.spans)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%+v\n%x\n%s", set, h.id[:], data)
}
