package policy_test

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/policy"
)

const config = `
rules:
- name: no-health-checks
  when: [{type: string_attribute, string_attribute: {key: http.route, values: [/healthz]}}]
  then: drop
policies:
- name: errors
  type: status_code
  status_code: {status_codes: [ERROR]}
- name: slow
  type: latency
  latency: {threshold_ms: 500}
`

// A caller folds spans as they arrive and asks for the decision when the trace is due.
func Example() {
	var raw map[string]any
	if err := yaml.Unmarshal([]byte(config), &raw); err != nil {
		panic(err)
	}
	var cfg struct {
		Rules    []policy.RuleConfig `mapstructure:"rules"`
		Policies []policy.Config     `mapstructure:"policies"`
	}
	if err := confmap.NewFromStringMap(raw).Unmarshal(&cfg); err != nil {
		panic(err)
	}
	p, err := policy.Compile(policy.Settings{Rules: cfg.Rules, Policies: cfg.Policies})
	if err != nil {
		panic(err)
	}

	// Per open trace.
	facts, bits := policy.Facts{}, make([]uint64, p.Words())
	// Per span: the marks of its attributes, remembered by the caller, then its own fields.
	var seen policy.Seen
	p.ApplySpan(bits, &seen, p.MarkSpan("http.route", policy.Value{Kind: policy.KindStr, Str: "/cart"}))
	p.Fold(&facts, bits, &policy.Span{Start: 1_000_000_000, End: 1_700_000_000, Root: true})

	v := p.Decide(time.Unix(2, 0), &policy.Trace{ID: [16]byte{1}, Facts: &facts, Bits: bits})
	fmt.Println(v.Outcome, "by", p.Names()[v.Policy])
	// Output: sampled by slow
}
