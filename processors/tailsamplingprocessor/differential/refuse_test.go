package differential

import (
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.yaml.in/yaml/v3"
)

// A party refuses a configuration.
type party int

const (
	nobody party = iota
	onlyOurs
	onlyContrib
	both
)

// borderline are configurations at the border of what makes sense. Ours also refuses what can only be a mistake, which
// contrib takes and then never matches, panics over, or reads as something else; and it takes more nesting.
var borderline = map[string]struct {
	yaml    string // a policy without its name, or a whole configuration
	refused party
}{
	"no policies":                   {`{decision_wait: 1s}`, nobody},
	"no type":                       {`{}`, both},
	"unknown type":                  {`{type: latencies}`, both},
	"unknown key":                   {`{type: latency, latency: {threshold: 1}}`, both},
	"no section, zero makes sense":  {`{type: latency}`, nobody},
	"span_count of zero":            {`{type: span_count}`, nobody},
	"probability of zero":           {`{type: probabilistic}`, nobody},
	"probability above 100":         {`{type: probabilistic, probabilistic: {sampling_percentage: 250}}`, nobody},
	"negative probability":          {`{type: probabilistic, probabilistic: {sampling_percentage: -1}}`, onlyOurs},
	"no status codes":               {`{type: status_code}`, both},
	"status code in small letters":  {`{type: status_code, status_code: {status_codes: [error]}}`, both},
	"no attribute key":              {`{type: string_attribute, string_attribute: {values: [a]}}`, onlyOurs},
	"no attribute values":           {`{type: string_attribute, string_attribute: {key: a}}`, nobody},
	"bad regular expression":        {`{type: string_attribute, string_attribute: {key: a, values: ["("], enabled_regex_matching: true}}`, both},
	"no numeric bound":              {`{type: numeric_attribute, numeric_attribute: {key: a}}`, onlyOurs},
	"bad OTTL":                      {`{type: ottl_condition, ottl_condition: {span: ["attributes["]}}`, both},
	"no OTTL":                       {`{type: ottl_condition}`, both},
	"unknown error mode":            {`{type: ottl_condition, ottl_condition: {span: ["true"], error_mode: panic}}`, both},
	"rate of zero":                  {`{type: rate_limiting}`, nobody},
	"and in and":                    {`{type: and, and: {and_sub_policy: [{name: x, type: and, and: {and_sub_policy: [{name: y, type: always_sample}]}}]}}`, onlyContrib},
	"drop in and":                   {`{type: and, and: {and_sub_policy: [{name: x, type: drop}]}}`, both},
	"not in composite":              {`{type: composite, composite: {composite_sub_policy: [{name: x, type: not, not: {not_sub_policy: {name: y, type: always_sample}}}]}}`, onlyContrib},
	"not without policy":            {`{type: not}`, both},
	"empty and":                     {`{type: and}`, onlyOurs},
	"empty drop":                    {`{type: drop}`, onlyOurs},
	"empty composite":               {`{type: composite}`, onlyOurs},
	"share for nobody":              {`{type: composite, composite: {composite_sub_policy: [{name: x, type: always_sample}], rate_allocation: [{policy: y, percent: 1}]}}`, onlyOurs},
	"order of nobody":               {`{type: composite, composite: {composite_sub_policy: [{name: x, type: always_sample}], policy_order: [y]}}`, onlyOurs},
	"wait of zero":                  {`{decision_wait: 0s, policies: [{name: p, type: always_sample}]}`, onlyOurs},
	"unknown strategy":              {`{sampling_strategy: sometimes, policies: [{name: p, type: always_sample}]}`, both},
	"span-ingest, rate_limiting":    {`{sampling_strategy: span-ingest, policies: [{name: p, type: rate_limiting}]}`, both},
	"span-ingest, latency band":     {`{sampling_strategy: span-ingest, policies: [{name: p, type: latency, latency: {upper_threshold_ms: 5}}]}`, both},
	"span-ingest, span_count range": {`{sampling_strategy: span-ingest, policies: [{name: p, type: span_count, span_count: {max_spans: 5}}]}`, both},
	"span-ingest, composite":        {`{sampling_strategy: span-ingest, policies: [{name: p, type: composite, composite: {composite_sub_policy: [{name: x, type: always_sample}]}}]}`, nobody},
	"too many shards":               {`{num_shards: 257, policies: [{name: p, type: always_sample}]}`, both},
	"same name twice":               {`{policies: [{name: p, type: always_sample}, {name: p, type: latency}]}`, both},
	"no name":                       {`{policies: [{type: always_sample}]}`, both},
	"storage without its gate":      {`{tail_storage: pebble, policies: [{name: p, type: always_sample}]}`, onlyContrib},
	"cache, wait, size and more": {`
decision_wait: 1500ms
decision_wait_after_root_received: 500ms
num_traces: 10
expected_new_traces_per_sec: 10
block_on_overflow: true
sample_on_first_match: true
drop_pending_traces_on_shutdown: true
maximum_trace_size_bytes: 1
num_shards: 8
decision_cache: {sampled_cache_size: 10, non_sampled_cache_size: 10}
policies: [{name: p, type: trace_flags}]`, nobody},
}

func TestRefusals(t *testing.T) {
	for name, b := range borderline {
		t.Run(name, func(t *testing.T) {
			c := &testCase{again: "go test -run '" + t.Name() + "'"}
			if err := yaml.Unmarshal([]byte(b.yaml), &c.config); err != nil {
				t.Fatal(err)
			}
			if _, whole := c.config["policies"]; !whole && c.config["decision_wait"] == nil {
				policy := c.config
				policy["name"] = "p"
				c.config = map[string]any{"policies": []any{policy}}
			}
			theirs, ours := play(t, contrib.NewFactory(), c).refused, play(t, subject(), c).refused
			theirsWanted, oursWanted := b.refused == both || b.refused == onlyContrib, b.refused == both || b.refused == onlyOurs
			if (theirs != nil) != theirsWanted || (ours != nil) != oursWanted {
				t.Errorf("contrib says %v, ours %v\n%s", theirs, ours, c)
			}
		})
	}
}
