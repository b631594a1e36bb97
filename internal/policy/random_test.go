package policy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A generator makes random policies, and random traces that they can tell apart: a vocabulary so small that everything
// matches now and then.
type generator struct {
	*rand.Rand
	names    int
	limiters bool // rate and bytes limiting, composite
	bands    bool // conditions that more spans can turn off
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 1)), limiters: true, bands: true}
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

func (g *generator) policies() []Config {
	var list []Config
	for range 1 + g.IntN(5) {
		list = append(list, g.policy())
	}
	return list
}

func (g *generator) rules() []RuleConfig {
	var list []RuleConfig
	for range g.IntN(4) {
		r := RuleConfig{Name: g.name(), DryRun: g.IntN(8) == 0}
		if g.IntN(4) > 0 {
			r.When = g.conditions(2)
		}
		switch g.IntN(4) {
		case 0:
			r.Then.Drop = true
		case 1:
			r.Then.Probability = &ProbabilityConfig{Percentage: pick(g, 0, 25, 50, 100.0)}
		default:
			r.Then.Keep = true
		}
		list = append(list, r)
	}
	return list
}

func (g *generator) policy() Config {
	c := Config{DryRun: g.IntN(8) == 0}
	switch g.IntN(8) {
	case 0:
		c.Condition = Condition{Name: g.name(), Type: Drop}
		c.Drop.SubPolicies = g.conditions(2)
	case 1:
		if g.limiters {
			c.Condition = Condition{Name: g.name(), Type: Composite}
			c.Composite = g.composite()
			return c
		}
		fallthrough
	default:
		c.Condition = g.condition(3)
	}
	return c
}

func (g *generator) composite() CompositeConfig {
	c := CompositeConfig{MaxTotalSpansPerSecond: int64(g.IntN(30)), SubPolicies: g.conditions(2)}
	for _, sub := range c.SubPolicies {
		if g.IntN(2) == 0 {
			c.RateAllocation = append(c.RateAllocation, RateAllocation{sub.Name, int64(g.IntN(120))})
		}
	}
	return c
}

func (g *generator) name() string {
	g.names++
	return fmt.Sprint("p", g.names)
}

func (g *generator) conditions(depth int) []Condition {
	var list []Condition
	for range 1 + g.IntN(3) {
		list = append(list, g.condition(depth-1))
	}
	return list
}

var leafTypes = []Type{
	AlwaysSample, Latency, NumericAttribute, Probabilistic, StatusCode, StringAttribute, SpanCount, TraceState,
	BooleanAttribute, OTTLCondition, TraceFlags,
}

func (g *generator) condition(depth int) Condition {
	c := Condition{Name: g.name()}
	n := len(leafTypes)
	if g.limiters {
		n += 2
	}
	if depth > 0 {
		n += 4
	}
	i := g.IntN(n)
	switch {
	case i < len(leafTypes):
		g.leaf(&c, leafTypes[i])
	case g.limiters && i == n-1:
		c.Type = RateLimiting
		c.RateLimiting = RateLimitingConfig{SpansPerSecond: int64(g.IntN(30)), BurstCapacity: int64(g.IntN(30))}
	case g.limiters && i == n-2:
		c.Type = BytesLimiting
		c.BytesLimiting = BytesLimitingConfig{BytesPerSecond: int64(g.IntN(2000)), BurstCapacity: int64(g.IntN(2000))}
	case i%2 == 0:
		c.Type = And
		c.And = &AndConfig{SubPolicies: g.conditions(depth)}
	default:
		c.Type = Not
		c.Not = &NotConfig{SubPolicy: g.condition(depth - 1)}
	}
	return c
}

func (g *generator) leaf(c *Condition, typ Type) {
	c.Type = typ
	invert := g.IntN(3) == 0
	switch typ {
	case Latency:
		c.Latency.ThresholdMillis = int64(g.IntN(200) - 20)
		if g.bands && g.IntN(3) == 0 {
			c.Latency.UpperThresholdMillis = c.Latency.ThresholdMillis + int64(g.IntN(200))
		}
	case NumericAttribute:
		c.NumericAttribute = NumericAttributeConfig{Key: g.key(), InvertMatch: invert}
		lo, hi := int64(g.IntN(3)-1), int64(g.IntN(3))
		which := 1 + g.IntN(3)
		if which&1 != 0 {
			c.NumericAttribute.MinValue = &lo
		}
		if which&2 != 0 {
			c.NumericAttribute.MaxValue = &hi
		}
	case Probabilistic:
		c.Probabilistic = ProbabilisticConfig{HashSalt: pick(g, "", "salt"), SamplingPercentage: pick(g, 0, 10, 50, 99.9, 100, 200)}
	case StatusCode:
		c.StatusCode.StatusCodes = pick(g, []string{"ERROR"}, []string{"OK", "ERROR"}, []string{"UNSET"})
	case StringAttribute:
		c.StringAttribute = StringAttributeConfig{Key: g.key(), InvertMatch: invert, EnabledRegexMatching: g.IntN(2) == 0,
			Values: pick(g, []string{"a"}, []string{"b", ""}, []string{"^a", "c$"}, []string{".*"}, nil)}
	case SpanCount:
		c.SpanCount.MinSpans = int32(g.IntN(10))
		if g.bands && g.IntN(3) == 0 {
			c.SpanCount.MaxSpans = int32(g.IntN(12))
		}
	case TraceState:
		c.TraceState = TraceStateConfig{Key: pick(g, "x", "ot"), Values: pick(g, []string{"1"}, []string{"2", "", "3"}, []string{"th:8"})}
	case BooleanAttribute:
		c.BooleanAttribute = BooleanAttributeConfig{Key: g.key(), Value: g.IntN(2) == 0, InvertMatch: invert}
	case OTTLCondition:
		c.OTTLCondition = OTTLConditionConfig{ErrorMode: pick(g, "", ottl.PropagateError, ottl.SilentError)}
		if g.IntN(3) > 0 {
			c.OTTLCondition.SpanConditions = []string{
				pick(g, `attributes["k1"] == "a"`, `resource.attributes["k2"] == 1`, `Substring(attributes["k1"], 0, 2) == "ab"`),
				pick(g, `kind == 5`, `span.attributes["k3"] == true`, `Int(attributes["k2"]) > 0`)}
		}
		if len(c.OTTLCondition.SpanConditions) == 0 || g.IntN(2) == 0 {
			c.OTTLCondition.SpanEventConditions = []string{pick(g, `name == "e"`, `Substring(name, 0, 2) == "ab"`)}
		}
	}
}

func (g *generator) key() string { return pick(g, "k1", "k2", "k3") }

func (g *generator) id() (id pcommon.TraceID) {
	for i := range id {
		id[i] = byte(g.IntN(256))
	}
	return id
}

// fragments makes the ResourceSpans of a trace in their order of arrival. Attribute keys repeat within a span now and
// then, which only the wire format can say.
func (g *generator) fragments(t testing.TB, id pcommon.TraceID) []ptrace.Traces {
	var list []ptrace.Traces
	for range 1 + g.IntN(4) {
		td := ptrace.NewTraces()
		rs := td.ResourceSpans().AppendEmpty()
		g.attributes(rs.Resource().Attributes())
		for range 1 + g.IntN(2) {
			ss := rs.ScopeSpans().AppendEmpty()
			for range 1 + g.IntN(3) {
				g.span(ss.Spans().AppendEmpty(), id)
			}
		}
		list = append(list, repeatKeys(t, td))
	}
	return list
}

// repeatKeys renames the attribute key "kx" to "k1".
func repeatKeys(t testing.TB, td ptrace.Traces) ptrace.Traces {
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("\x0a\x02kx"), []byte("\x0a\x02k1"))
	td, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
	if err != nil {
		t.Fatal(err)
	}
	return td
}

func (g *generator) attributes(m pcommon.Map) {
	for range g.IntN(4) {
		v := m.PutEmpty(pick(g, "k1", "k2", "k3", "kx", "other"))
		switch g.IntN(6) {
		case 0, 1:
			v.SetStr(pick(g, "", "a", "b", "abc"))
		case 2:
			v.SetInt(int64(g.IntN(4) - 1))
		case 3:
			v.SetBool(g.IntN(2) == 0)
		case 4:
			v.SetDouble(1)
		case 5: // empty
		}
	}
}

func (g *generator) span(span ptrace.Span, id pcommon.TraceID) {
	span.SetTraceID(id)
	if g.IntN(2) == 0 {
		span.SetParentSpanID(pcommon.SpanID{1})
	}
	span.SetStartTimestamp(g.time())
	span.SetEndTimestamp(g.time())
	span.Status().SetCode(ptrace.StatusCode(pick(g, 0, 0, 1, 2, 3, -1)))
	span.SetFlags(uint32(g.IntN(4)) | 0x300)
	span.SetKind(ptrace.SpanKind(g.IntN(6)))
	span.TraceState().FromRaw(pick(g, "", "", "x=1", "x=2,y=3", "x=1,x=2", "ot=th:8", "ot=rv:80000000000001", "ot=th:4;rv:10000000000000,x=3",
		"ot=th:zz", "=", "x = 1"))
	g.attributes(span.Attributes())
	for range g.IntN(3) {
		span.Events().AppendEmpty().SetName(pick(g, "e", "abc", "x"))
	}
}

// time is mostly within 200 ms of some instant, and now and then unset or absurd.
func (g *generator) time() pcommon.Timestamp {
	if g.IntN(20) == 0 {
		return pick[pcommon.Timestamp](g, 0, 1, 1<<63-1, 1<<63, 1<<64-1)
	}
	return pcommon.Timestamp(1_700_000_000_000_000_000 + g.Int64N(200_000_000))
}
