package differential

import (
	"fmt"
	"math"
)

// newCase makes a whole case.
func (s *source) newCase(again string) *testCase {
	c := &testCase{again: again, name: pick(s, "", "", "edge")}
	c.gates = s.gates()
	c.config = s.configuration(c.gate("usetracestate"))
	s.traffic(c)
	return c
}

func (s *source) gates() []string {
	var on []string
	for _, g := range []struct {
		name string
		p    float64
	}{{"recordpolicy", 0.3}, {"usetracestate", 0.3}, {"metricstatcountspanssampled", 0.5}, {"metricstatcountbytessampled", 0.3}} {
		if s.chance(g.p) {
			on = append(on, gatePrefix+g.name)
		}
	}
	return on
}

func (s *source) configuration(tracestate bool) map[string]any {
	wait := s.between(1, 4)
	cfg := map[string]any{"decision_wait": fmt.Sprintf("%ds", wait)}
	ingest := s.chance(0.2)
	if ingest || s.chance(0.1) {
		cfg["sampling_strategy"] = pick(s, "span-ingest", "trace-complete")
		ingest = cfg["sampling_strategy"] == "span-ingest"
	}
	p := &policySource{source: s, stateless: ingest, tracestate: tracestate}
	cfg["policies"] = p.list()
	limited := (&testCase{config: cfg}).limited()
	maybe := func(p float64, key string, value any) {
		if s.chance(p) {
			cfg[key] = value
		}
	}
	if !limited {
		// A root brings a trace's decision forward, to where other traces are decided; shards divide a limiter's rate.
		maybe(0.3, "decision_wait_after_root_received", fmt.Sprintf("%ds", s.between(1, wait+1)))
		maybe(0.2, "num_shards", s.between(1, 4))
	}
	maybe(0.2, "sample_on_first_match", true)
	maybe(0.1, "sample_on_first_match", false)
	maybe(0.15, "maximum_trace_size_bytes", pick(s, 200, 1000, 5000, 20000))
	maybe(0.3, "drop_pending_traces_on_shutdown", s.chance(0.7))
	maybe(0.2, "num_traces", 1000)
	maybe(0.2, "expected_new_traces_per_sec", s.IntN(100))
	maybe(0.1, "block_on_overflow", true)
	maybe(0.5, "decision_cache", s.decisionCache())
	return cfg
}

func (s *source) decisionCache() map[string]any {
	cache := map[string]any{}
	if s.chance(0.8) {
		cache["sampled_cache_size"] = 1000
	}
	if s.chance(0.8) {
		cache["non_sampled_cache_size"] = 1000
	}
	return cache
}

// A policySource makes policies.
type policySource struct {
	*source
	stateless  bool // span-ingest: no policy with memory, and no drop (see known_test.go)
	tracestate bool
	names      int
}

func (s *policySource) list() []any {
	list := make([]any, pick(s.source, 1, 1, 2, 2, 3, 5))
	for i := range list {
		list[i] = s.policy(s.kind())
	}
	return list
}

// leaves are the policy types that hold no other policy. The common ones of practice come more often.
var (
	leaves   = []string{"latency", "numeric_attribute", "probabilistic", "status_code", "string_attribute", "span_count", "trace_state", "boolean_attribute", "ottl_condition", "trace_flags"}
	budgets  = []string{"rate_limiting", "bytes_limiting"}
	branches = []string{"and", "not"}
)

func (s *policySource) kind() string {
	switch {
	case s.chance(0.04):
		return "always_sample"
	case s.chance(0.25):
		return pick(s.source, branches...)
	case s.chance(0.2) && s.tracestate:
		return "probabilistic" // the one that has a threshold to write
	case s.chance(0.15) && (!s.stateless || s.chance(0.05)):
		return pick(s.source, budgets...)
	case s.chance(0.1):
		return "composite"
	case s.chance(0.2) && !s.stateless:
		return "drop"
	default:
		return pick(s.source, leaves...)
	}
}

// leaf chooses a type for inside another policy.
func (s *policySource) leaf() string {
	switch {
	case s.chance(0.06):
		return "always_sample"
	case s.chance(0.06) && !s.stateless:
		return pick(s.source, budgets...)
	default:
		return pick(s.source, leaves...)
	}
}

// policy makes a policy of a type with its section. The two types without options have none.
func (s *policySource) policy(kind string) map[string]any {
	s.names++
	p := map[string]any{"name": fmt.Sprintf("p%d-%s", s.names, kind), "type": kind}
	if section := s.section(kind); section != nil {
		p[kind] = section
	}
	return p
}

func (s *policySource) section(kind string) map[string]any {
	switch kind {
	case "latency":
		return map[string]any{"threshold_ms": pick(s.source, 0, 1, 99, 100, 999, 1000, 1499, 36_000_000, -1)}
	case "numeric_attribute":
		return s.numericAttribute()
	case "probabilistic":
		return s.probabilistic()
	case "status_code":
		return map[string]any{"status_codes": anys(some(s.source, "OK", "ERROR", "UNSET"))}
	case "string_attribute":
		return s.stringAttribute()
	case "rate_limiting":
		return s.budget("spans_per_second", 1, 40)
	case "bytes_limiting":
		return s.budget("bytes_per_second", 100, 8000)
	case "span_count":
		return s.spanCount()
	case "trace_state":
		return map[string]any{"key": pick(s.source, "k1", "k2", "vendor", "ot"), "values": anys(some(s.source, "v1", "v2", "a", "", "th:8"))}
	case "boolean_attribute":
		return s.inverted(map[string]any{"key": pick(s.source, "flag", "str"), "value": s.chance(0.5)})
	case "ottl_condition":
		return s.ottl()
	case "and":
		return map[string]any{"and_sub_policy": s.conjunction()}
	case "drop":
		return map[string]any{"drop_sub_policy": s.conjunction()}
	case "not":
		return map[string]any{"not_sub_policy": s.policy(s.leaf())}
	case "composite":
		return s.composite()
	}
	return nil
}

func (s *policySource) inverted(section map[string]any) map[string]any {
	if s.chance(0.3) {
		section["invert_match"] = true
	}
	return section
}

// numericAttribute leaves out the bound 0, which contrib takes for no bound (see known_test.go).
func (s *policySource) numericAttribute() map[string]any {
	section := map[string]any{"key": pick(s.source, "num", "http.status", "str")}
	bounds := s.between(1, 3)
	if bounds&1 != 0 {
		section["min_value"] = pick(s.source, int64(-1), 1, 42, 50, 100, math.MinInt64)
	}
	if bounds&2 != 0 {
		section["max_value"] = pick(s.source, int64(-1), 1, 42, 99, 500, math.MaxInt64)
	}
	return s.inverted(section)
}

func (s *policySource) probabilistic() map[string]any {
	section := map[string]any{"sampling_percentage": pick(s.source, 0, 0.1, 1, 25, 33, 50, 62.5, 75, 99.9, 100, 150)}
	if s.chance(0.3) {
		section["hash_salt"] = pick(s.source, "", "pepper")
	}
	return section
}

func (s *policySource) stringAttribute() map[string]any {
	section := map[string]any{"key": pick(s.source, "str", "service.name", "num")}
	if s.chance(0.4) {
		section["enabled_regex_matching"] = true
		section["values"] = anys(some(s.source, "^a", "b+$", "v[12]", "^$", "(?i)get", "^nothing$"))
		if s.chance(0.5) {
			section["cache_max_size"] = s.IntN(4)
		}
	} else {
		section["values"] = anys(some(s.source, "a", "v1", "abc", "", "500", "nothing", "GET /cart"))
	}
	return s.inverted(section)
}

func (s *policySource) budget(key string, low, high int) map[string]any {
	section := map[string]any{key: s.between(low, high)}
	if s.chance(0.4) {
		section["burst_capacity"] = s.between(low, 3*high)
	}
	return section
}

// spanCount has no upper bound where spans are judged as they come: there contrib refuses it.
func (s *policySource) spanCount() map[string]any {
	least := s.IntN(12)
	section := map[string]any{"min_spans": least}
	if s.chance(0.4) && !s.stateless {
		section["max_spans"] = least + s.IntN(10)
	}
	return section
}

func (s *policySource) conjunction() []any {
	list := make([]any, s.between(1, 3))
	for i := range list {
		kind := s.leaf()
		if s.chance(0.25) {
			kind = "not"
		}
		list[i] = s.policy(kind)
	}
	return list
}

func (s *policySource) composite() map[string]any {
	total := s.between(1, 100)
	var subs, names, rates []any
	for range s.between(1, 3) {
		kind := s.leaf()
		if s.chance(0.2) {
			kind = "and"
		}
		p := s.policy(kind)
		subs = append(subs, p)
		names = append(names, p["name"])
		if s.chance(0.6) {
			rates = append(rates, map[string]any{"policy": p["name"], "percent": pick(s.source, 0, 10, 25, 33, 50, 100)})
		}
	}
	s.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	section := map[string]any{"max_total_spans_per_second": total, "composite_sub_policy": subs, "policy_order": names}
	if rates != nil {
		section["rate_allocation"] = rates
	}
	return section
}

// Conditions that hold for some spans, and conditions that also fail on some.
var (
	spanConditions = []string{
		`attributes["str"] == "a"`,
		`span.attributes["http.status"] == 500`,
		`attributes["num"] > 42 and attributes["flag"] == true`,
		`resource.attributes["service.name"] == "v1"`,
		`scope.name == "lib-a"`,
		`instrumentation_scope.version != ""`,
		`IsMatch(name, "^GET")`,
		`kind == SPAN_KIND_SERVER`,
		`status.code == STATUS_CODE_ERROR`,
		`end_time_unix_nano - start_time_unix_nano > 1000000000`,
		`IsRootSpan()`,
		`Len(attributes) > 3`,
		`trace_state["k1"] == "v1"`,
		`attributes["nested"]["num"] != nil`,
		`dropped_attributes_count > 0`,
		`attributes["str"] == nil`,
		`trace_id == TraceID(0x00000000000000000000000000000000)`,
	}
	failingSpanConditions = []string{
		`Substring(attributes["str"], 0, 2) == "ab"`,
		`ParseJSON(attributes["json"])["a"] == "b"`,
		`Split(resource.attributes["service.name"], "v")[0] == ""`,
		`Double(attributes["num"]) / attributes["http.status"] > 1.0`,
	}
	eventConditions = []string{
		`name == "exception"`,
		`spanevent.attributes["str"] == "abc"`,
		`span.attributes["flag"] == false`,
		`resource.attributes["service.name"] != "v1"`,
		`instrumentation_scope.name == "lib-b"`,
		`event_index == 1`,
	}
	failingEventConditions = []string{
		`Substring(attributes["str"], 0, 1) == "v"`,
		`ParseJSON(attributes["json"])["a"] == "b"`,
	}
)

func (s *policySource) ottl() map[string]any {
	section := map[string]any{}
	lists := s.between(1, 3)
	if lists&1 != 0 {
		section["span"] = anys(s.conditions(spanConditions, failingSpanConditions))
	}
	if lists&2 != 0 {
		section["spanevent"] = anys(s.conditions(eventConditions, failingEventConditions))
	}
	if s.chance(0.8) {
		section["error_mode"] = pick(s.source, "ignore", "silent", "propagate")
	}
	return section
}

func (s *policySource) conditions(plain, failing []string) []string {
	var list []string
	for range s.between(1, 2) {
		if s.chance(0.3) {
			plain = failing
		}
		list = append(list, pick(s.source, plain...))
	}
	return list
}

func anys(list []string) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
	}
	return all
}
