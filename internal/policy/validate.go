package policy

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/ottl"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// Validate reports everything that is wrong with rules and policies, each error starting with the path of its key. Types that
// extensions provide are taken on trust; Compile resolves them.
func (set *Settings) Validate() error {
	v := &validator{strategy: set.Strategy, names: map[string]string{}}
	switch set.Strategy {
	case "", TraceComplete, SpanIngest:
	default:
		v.add("sampling_strategy", "unknown strategy %q; choose %s or %s", set.Strategy, TraceComplete, SpanIngest)
	}
	for i := range set.Rules {
		v.rule(fmt.Sprintf("rules[%d]", i), &set.Rules[i])
	}
	for i := range set.Policies {
		path := fmt.Sprintf("policies[%d]", i)
		v.name(path, set.Policies[i].Condition.Name)
		v.policy(path, &set.Policies[i])
	}
	return errors.Join(v.errs...)
}

type validator struct {
	strategy Strategy
	names    map[string]string // to the path of who has the name
	errs     []error
}

func (v *validator) add(path, format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (v *validator) name(path, name string) {
	if name == "" {
		v.add(path+".name", "is empty; give it a name, it labels metrics")
		return
	}
	if first, ok := v.names[name]; ok {
		v.add(path+".name", "%q is also the name of %s; names must differ, they label metrics", name, first)
		return
	}
	v.names[name] = path
}

func (v *validator) policy(path string, c *Config) {
	switch c.Condition.Type {
	case Drop:
		v.extensionSections(path, &c.Condition)
		v.conditions(path+".drop.drop_sub_policy", c.Drop.SubPolicies, "an empty list would drop every trace")
	case Composite:
		v.extensionSections(path, &c.Condition)
		v.composite(path+".composite", &c.Composite)
	default:
		v.condition(path, &c.Condition, topTypes)
	}
}

func (v *validator) conditions(path string, list []Condition, why string) {
	if len(list) == 0 {
		v.add(path, "is empty; list at least one condition, %s", why)
	}
	for i := range list {
		v.condition(fmt.Sprintf("%s[%d]", path, i), &list[i], nestedTypes)
	}
}

var (
	nestedTypes = []string{
		string(AlwaysSample), string(Latency), string(NumericAttribute), string(Probabilistic), string(StatusCode),
		string(StringAttribute), string(RateLimiting), string(BytesLimiting), string(SpanCount), string(TraceState),
		string(BooleanAttribute), string(OTTLCondition), string(TraceFlags), string(And), string(Not),
	}
	topTypes = append(slices.Clone(nestedTypes), string(Drop), string(Composite))
)

// condition checks a condition of one of the types allowed there, or of an extension's.
func (v *validator) condition(path string, c *Condition, allowed []string) {
	v.extensionSections(path, c)
	if !slices.Contains(allowed, string(c.Type)) {
		v.otherType(path, c, allowed)
		return
	}
	v.stateless(path, c)
	section := path + "." + string(c.Type)
	switch c.Type {
	case And:
		if c.And == nil {
			v.add(section, "is missing; list conditions under and_sub_policy")
			return
		}
		v.conditions(section+".and_sub_policy", c.And.SubPolicies, "an empty one would sample every trace")
	case Not:
		if c.Not == nil {
			v.add(section, "is missing; give the condition to negate under not_sub_policy")
			return
		}
		v.condition(section+".not_sub_policy", &c.Not.SubPolicy, nestedTypes)
	case StringAttribute:
		v.stringAttribute(section, &c.StringAttribute)
	case NumericAttribute:
		v.numericAttribute(section, &c.NumericAttribute)
	case BooleanAttribute:
		v.key(section, c.BooleanAttribute.Key, "the attribute")
	case TraceState:
		v.key(section, c.TraceState.Key, "the tracestate member")
	case StatusCode:
		v.statusCode(section, &c.StatusCode)
	case OTTLCondition:
		v.ottl(section, &c.OTTLCondition)
	case Probabilistic:
		v.percentage(section+".sampling_percentage", c.Probabilistic.SamplingPercentage)
	case RateLimiting:
		v.notNegative(section+".spans_per_second", c.RateLimiting.SpansPerSecond)
	case BytesLimiting:
		v.notNegative(section+".bytes_per_second", c.BytesLimiting.BytesPerSecond)
	}
}

// otherType checks a type that is no built-in one allowed here: an extension's has a section of the same name.
func (v *validator) otherType(path string, c *Condition, allowed []string) {
	typ := string(c.Type)
	switch {
	case typ == "":
		v.add(path+".type", "is missing; choose one of %s", strings.Join(allowed, ", "))
	case slices.Contains(topTypes, typ):
		v.add(path+".type", "%s may only stand at the top level; here may stand %s", typ, strings.Join(allowed, ", "))
	default:
		if _, ok := c.Extension[typ]; !ok {
			v.add(path+".type", "unknown type %q%s (the id of an extension needs a section of that name beside it, at least `%s: {}`)",
				typ, didYouMean(typ, allowed), typ)
		}
	}
}

// extensionSections finds sections that nobody reads: misspelt ones, which would leave a policy without its settings.
func (v *validator) extensionSections(path string, c *Condition) {
	for _, section := range sortedKeys(c.Extension) {
		if section != string(c.Type) {
			v.add(path+"."+section, "is no section of a %q policy%s", c.Type, didYouMean(section, topTypes))
		}
	}
}

func didYouMean(word string, known []string) string {
	if near, ok := yamlkeys.Nearest(word, known); ok {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// stateless refuses what depends on more than one batch when batches are judged alone.
func (v *validator) stateless(path string, c *Condition) {
	if v.strategy != SpanIngest {
		return
	}
	section := path + "." + string(c.Type)
	const why = "sampling_strategy span-ingest judges each batch alone; "
	switch {
	case c.Type == RateLimiting, c.Type == BytesLimiting:
		v.add(section, why+"policy %q, a limiter, remembers other traces; use trace-complete", c.Name)
	case c.Type == SpanCount && c.SpanCount.MaxSpans > 0:
		v.add(section+".max_spans", why+"policy %q cannot know that no more spans come; use trace-complete or remove the bound", c.Name)
	case c.Type == Latency && c.Latency.UpperThresholdMillis > 0:
		v.add(section+".upper_threshold_ms", why+"policy %q cannot know that the trace gets no longer; use trace-complete or remove the bound", c.Name)
	}
}

func (v *validator) key(section, key, what string) {
	if key == "" {
		v.add(section+".key", "is missing; name %s to look at", what)
	}
}

func (v *validator) stringAttribute(section string, c *StringAttributeConfig) {
	v.key(section, c.Key, "the attribute")
	if !c.EnabledRegexMatching {
		return
	}
	for i, value := range c.Values {
		if _, err := regexp.Compile(value); err != nil {
			v.add(fmt.Sprintf("%s.values[%d]", section, i), "%q is no RE2 expression: %v", value, err)
		}
	}
}

func (v *validator) numericAttribute(section string, c *NumericAttributeConfig) {
	v.key(section, c.Key, "the attribute")
	if c.MinValue == nil && c.MaxValue == nil {
		v.add(section, "has no bounds; set min_value, max_value or both")
	}
}

var statusCodes = map[string]int{"UNSET": 0, "OK": 1, "ERROR": 2}

func (v *validator) statusCode(section string, c *StatusCodeConfig) {
	if len(c.StatusCodes) == 0 {
		v.add(section+".status_codes", "is empty; list at least one of OK, ERROR, UNSET")
	}
	for i, code := range c.StatusCodes {
		if _, ok := statusCodes[code]; !ok {
			v.add(fmt.Sprintf("%s.status_codes[%d]", section, i), "unknown status code %q; write OK, ERROR or UNSET", code)
		}
	}
}

func (v *validator) ottl(section string, c *OTTLConditionConfig) {
	if len(c.SpanConditions)+len(c.SpanEventConditions) == 0 {
		v.add(section, "has no conditions; list some under span or spanevent")
	}
	switch c.ErrorMode {
	case "", ottl.IgnoreError, ottl.PropagateError, ottl.SilentError:
	default:
		v.add(section+".error_mode", "unknown mode %q; choose ignore, propagate or silent", c.ErrorMode)
	}
	for i, condition := range c.SpanConditions {
		if _, err := spanSequence([]string{condition}, "", quiet()); err != nil {
			v.add(fmt.Sprintf("%s.span[%d]", section, i), "%q: %v", condition, err)
		}
	}
	for i, condition := range c.SpanEventConditions {
		if _, err := eventSequence([]string{condition}, "", quiet()); err != nil {
			v.add(fmt.Sprintf("%s.spanevent[%d]", section, i), "%q: %v", condition, err)
		}
	}
}

func (v *validator) percentage(path string, percent float64) {
	if math.IsNaN(percent) || math.IsInf(percent, 0) || percent < 0 {
		v.add(path, "%v is no percentage; choose a number from 0 (nothing) to 100 (everything)", percent)
	}
}

func (v *validator) notNegative(path string, n int64) {
	if n < 0 {
		v.add(path, "%d is negative; 0 lets nothing pass", n)
	}
}

func (v *validator) composite(path string, c *CompositeConfig) {
	v.conditions(path+".composite_sub_policy", c.SubPolicies, "they share the budget")
	v.notNegative(path+".max_total_spans_per_second", c.MaxTotalSpansPerSecond)
	var names []string
	for i := range c.SubPolicies {
		names = append(names, c.SubPolicies[i].Name)
	}
	for i, name := range c.PolicyOrder {
		v.subPolicy(fmt.Sprintf("%s.policy_order[%d]", path, i), name, names)
	}
	for i, r := range c.RateAllocation {
		v.subPolicy(fmt.Sprintf("%s.rate_allocation[%d].policy", path, i), r.Policy, names)
	}
}

func (v *validator) subPolicy(path, name string, names []string) {
	if !slices.Contains(names, name) {
		v.add(path, "no composite_sub_policy is named %q%s", name, didYouMean(name, names))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
