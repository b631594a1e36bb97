package policy

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor/pkg/samplingpolicy"
	"go.opentelemetry.io/collector/component"
)

// Settings are what a Program is compiled from.
type Settings struct {
	Rules    []RuleConfig // asked first
	Policies []Config
	Strategy Strategy // default TraceComplete
	// FirstMatch stops at the first policy that samples.
	FirstMatch bool
	// UseTraceState lets probabilistic policies and limiters decide by the randomness of a trace's tracestate, and gives
	// verdicts a threshold.
	UseTraceState bool
	// RecordPolicy makes the reason of a verdict part of it: Verdict.SubPolicy is set, and Certain waits until the reason
	// is certain too.
	RecordPolicy bool
	// Telemetry is what OTTL conditions log to.
	Telemetry component.TelemetrySettings
	// Extensions are those that provide evaluators, by id.
	Extensions map[string]samplingpolicy.Extension
}

// Program is a compiled set of policies.
type Program struct {
	policies      []compiled // rules, then drop policies, then the others
	rules         int        // where rules end
	drops         int        // where drop policies end
	samplers      []ruleSampler
	names         []string
	subNames      []string
	strategy      Strategy
	firstMatch    bool
	useTraceState bool
	recordPolicy  bool
	fingerprint   uint64

	words       int
	keys        map[string]*keyPredicates
	marks       *marks
	spanBits    spanBits
	traceStates *traceStates // nil: nobody asks
	ottl        []*ottlPredicate

	cutSlots    int // limiters that decide about batches
	evaluations sync.Pool
	counters    counters
}

// compiled is a policy or rule.
type compiled struct {
	expr
	name   string
	typ    Type
	dryRun bool

	unconditional bool // says yes, or decides, whatever the trace
}

// Compile builds a program. It reports everything that is wrong with the policies, as Settings.Validate does.
func Compile(set Settings) (*Program, error) {
	if err := set.Validate(); err != nil {
		return nil, err
	}
	fingerprint, err := fingerprint(&set)
	if err != nil {
		return nil, err
	}
	if set.Telemetry.Logger == nil {
		set.Telemetry = quiet()
	}
	p := &Program{
		strategy:      set.Strategy,
		firstMatch:    set.FirstMatch,
		useTraceState: set.UseTraceState,
		recordPolicy:  set.RecordPolicy,
		fingerprint:   fingerprint,
		marks:         newMarks(),
	}
	c := &compiler{set: &set, program: p, layout: newLayout(), ottl: map[string]*ottlPredicate{}}
	if err := c.compile(); err != nil {
		return nil, err
	}
	p.evaluations.New = func() any { return &evaluation{cuts: make([]threshold, p.cutSlots)} }
	p.counters = newCounters(len(p.policies))
	p.findUnconditional()
	return p, nil
}

// Words returns how many words of bits a trace has.
func (p *Program) Words() int { return p.words }

// Names returns the names of rules and policies in the order in which they are asked: rules, drop policies, others.
func (p *Program) Names() []string { return p.names }

// Auctions reports whether limiters let the traces of a batch compete, by their randomness: what is kept then depends on
// which traces DecideBatch sees together.
func (p *Program) Auctions() bool { return p.cutSlots > 0 }

// IsRule reports whether index i of Names is that of a rule.
func (p *Program) IsRule(i int32) bool { return int(i) < p.rules }

// SubNames returns the names of the conditions of all composite policies.
func (p *Program) SubNames() []string { return p.subNames }

// Fingerprint identifies policies and settings: programs with the same one have the same bits and decide alike, but for
// what limiters and extensions remember.
func (p *Program) Fingerprint() uint64 { return p.fingerprint }

// compiler turns configuration into expressions.
type compiler struct {
	set     *Settings
	program *Program
	layout  *layout
	ottl    map[string]*ottlPredicate
	states  []traceStateTest
}

func (c *compiler) compile() error {
	for i := range c.set.Rules {
		cfg := &c.set.Rules[i]
		when, err := c.conditions(fmt.Sprintf("rules[%d].when", i), cfg.When, false)
		if err != nil {
			return err
		}
		c.program.add(compiled{expr: &rule{when, c.action(cfg)}, name: cfg.Name, typ: Rule, dryRun: cfg.DryRun})
	}
	c.program.rules = len(c.program.policies)
	for _, isDrop := range []bool{true, false} {
		for i := range c.set.Policies {
			cfg := &c.set.Policies[i]
			if (cfg.Condition.Type == Drop) != isDrop {
				continue
			}
			e, err := c.policy(fmt.Sprintf("policies[%d]", i), cfg)
			if err != nil {
				return err
			}
			c.program.add(compiled{expr: e, name: cfg.Condition.Name, typ: cfg.Condition.Type, dryRun: cfg.DryRun})
		}
		if isDrop {
			c.program.drops = len(c.program.policies)
		}
	}
	c.finish()
	return nil
}

func (p *Program) add(policy compiled) {
	p.policies = append(p.policies, policy)
	p.names = append(p.names, policy.name)
}

func (c *compiler) finish() {
	c.program.words = c.layout.words()
	c.program.keys = c.layout.keys
	for _, k := range c.layout.keys {
		if n := len(k.tests); n <= maxIndexedTests {
			k.marks = make([]atomic.Uint32, 1<<n)
		}
	}
	if c.set.UseTraceState || len(c.states) > 0 || len(c.set.Rules) > 0 {
		c.program.traceStates = newTraceStates(c.states)
	}
}

// policy compiles a top-level entry.
func (c *compiler) policy(path string, cfg *Config) (expr, error) {
	switch cfg.Condition.Type {
	case Drop:
		all, err := c.conditions(path+".drop.drop_sub_policy", cfg.Drop.SubPolicies, false)
		return dropIf{all}, err
	case Composite:
		return c.composite(path+".composite.composite_sub_policy", &cfg.Composite)
	default:
		return c.condition(path, &cfg.Condition, c.set.UseTraceState)
	}
}

func (c *compiler) conditions(path string, list []Condition, batch bool) (and, error) {
	var all and
	for i := range list {
		e, err := c.condition(fmt.Sprintf("%s[%d]", path, i), &list[i], batch)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// condition compiles the condition at path. batch says whether limiters in it may decide about a whole batch.
func (c *compiler) condition(path string, cfg *Condition, batch bool) (expr, error) {
	switch cfg.Type {
	case AlwaysSample:
		return always{}, nil
	case Latency:
		return latency{cfg.Latency.ThresholdMillis, cfg.Latency.UpperThresholdMillis}, nil
	case SpanCount:
		return spanCount{int64(cfg.SpanCount.MinSpans), int64(cfg.SpanCount.MaxSpans)}, nil
	case Probabilistic:
		return newHashShare(&cfg.Probabilistic, c.set.UseTraceState), nil
	case RateLimiting:
		return c.limiter(newLimiter(cfg.RateLimiting.SpansPerSecond, cfg.RateLimiting.BurstCapacity, spansOf), batch), nil
	case BytesLimiting:
		return c.limiter(newLimiter(cfg.BytesLimiting.BytesPerSecond, cfg.BytesLimiting.BurstCapacity, bytesOf), batch), nil
	case And:
		return c.conditions(path+".and.and_sub_policy", cfg.And.SubPolicies, batch)
	case Not:
		e, err := c.condition(path+".not.not_sub_policy", &cfg.Not.SubPolicy, false)
		return not{e}, err
	case StatusCode, TraceFlags, TraceState, StringAttribute, NumericAttribute, BooleanAttribute, OTTLCondition:
		return c.predicate(cfg)
	default:
		return c.external(path, cfg)
	}
}

// predicate compiles a condition about spans and resources.
func (c *compiler) predicate(cfg *Condition) (expr, error) {
	switch cfg.Type {
	case StatusCode:
		return hasBit{bit: c.statusCode(&cfg.StatusCode)}, nil
	case TraceFlags:
		return hasBit{bit: c.traceFlags()}, nil
	case TraceState:
		return hasBit{bit: c.traceState(&cfg.TraceState)}, nil
	case StringAttribute:
		b, err := c.layout.stringAttribute(&cfg.StringAttribute)
		return hasBit{b, cfg.StringAttribute.InvertMatch}, err
	case NumericAttribute:
		return hasBit{c.layout.numericAttribute(&cfg.NumericAttribute), cfg.NumericAttribute.InvertMatch}, nil
	case BooleanAttribute:
		return hasBit{c.layout.booleanAttribute(&cfg.BooleanAttribute), cfg.BooleanAttribute.InvertMatch}, nil
	default:
		return c.ottlCondition(&cfg.OTTLCondition)
	}
}

func (c *NumericAttributeConfig) bounds() within {
	r := within{math.MinInt64, math.MaxInt64}
	if c.MinValue != nil {
		r.lo = *c.MinValue
	}
	if c.MaxValue != nil {
		r.hi = *c.MaxValue
	}
	return r
}

func (c *compiler) statusCode(cfg *StatusCodeConfig) bit {
	codes := distinct(cfg.StatusCodes)
	b, isNew := c.layout.bit(fmt.Sprintf("status %q", codes))
	if isNew {
		for _, code := range codes {
			bits := &c.program.spanBits.status[statusCodes[code]]
			*bits = append(*bits, maskedWord(b))
		}
	}
	return b
}

func (c *compiler) traceFlags() bit {
	b, isNew := c.layout.bit("trace flag sampled")
	if isNew {
		c.program.spanBits.sampled = []maskedWord{{b.word, b.mask}}
	}
	return b
}

func (c *compiler) traceState(cfg *TraceStateConfig) bit {
	test, identity := newTraceStateTest(cfg)
	b, isNew := c.layout.bit(identity)
	if isNew {
		test.bit = b
		c.states = append(c.states, test)
	}
	return b
}

func (c *compiler) ottlCondition(cfg *OTTLConditionConfig) (expr, error) {
	identity := ottlIdentity(cfg)
	if o, ok := c.ottl[identity]; ok {
		return o, nil
	}
	o, err := newOTTLPredicate(cfg, c.set.Telemetry)
	if err != nil {
		return nil, err
	}
	o.match, _ = c.layout.bit(identity + " matched")
	o.failed, _ = c.layout.bit(identity + " failed")
	c.ottl[identity] = o
	c.program.ottl = append(c.program.ottl, o)
	return o, nil
}

func (c *compiler) limiter(l *limiter, batch bool) expr {
	if batch {
		l.slot = c.program.cutSlots
		c.program.cutSlots++
	}
	return l
}

func (c *compiler) composite(path string, cfg *CompositeConfig) (expr, error) {
	e := &composite{maxTotal: cfg.MaxTotalSpansPerSecond}
	for i := range cfg.SubPolicies {
		sub := &cfg.SubPolicies[i]
		part, err := c.condition(fmt.Sprintf("%s[%d]", path, i), sub, false)
		if err != nil {
			return nil, err
		}
		e.parts = append(e.parts, share{
			expr:    part,
			sub:     int32(len(c.program.subNames)),
			allowed: cfg.allowance(sub.Name),
		})
		c.program.subNames = append(c.program.subNames, sub.Name)
	}
	return e, nil
}

// allowance is the spans per second of the condition name: its percentage, or an equal part if it has none. As in
// contrib the last of several entries counts, and fractions of a span are cut.
func (c *CompositeConfig) allowance(name string) int64 {
	total := float64(c.MaxTotalSpansPerSecond)
	var percent int64
	for _, r := range c.RateAllocation {
		if r.Policy == name {
			percent = r.Percent
		}
	}
	if percent > 0 {
		return int64(float64(percent) / 100 * total)
	}
	return int64(total / float64(len(c.SubPolicies)))
}

func (c *compiler) external(path string, cfg *Condition) (expr, error) {
	id := string(cfg.Type)
	ext, ok := c.set.Extensions[id]
	if !ok {
		return nil, fmt.Errorf("%s.type: no extension %q provides an evaluator; list it under service::extensions", path, id)
	}
	evaluator, err := ext.NewEvaluator(cfg.Name, cfg.Extension[id])
	if err != nil {
		return nil, fmt.Errorf("%s.%s: %w", path, id, err)
	}
	if c.set.Strategy == SpanIngest && evaluator.IsStateful() {
		return nil, fmt.Errorf("%s.type: the evaluator of extension %q for policy %q remembers other traces; "+
			"sampling_strategy %s judges each batch alone, use %s", path, id, cfg.Name, SpanIngest, TraceComplete)
	}
	return &external{id: id, evaluator: samplingpolicy.AsThresholdEvaluator(evaluator)}, nil
}
