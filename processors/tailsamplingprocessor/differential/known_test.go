package differential

import (
	"slices"
	"strings"
	"testing"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.yaml.in/yaml/v3"
)

// A defect is a case on which contrib 0.161.0 is wrong, with what both processors make of it. The generator avoids them.
// If contrib's column fails after an upgrade, the defect is mended and the generator should learn the case.
type defect struct {
	why           string
	gates         []string
	config        string
	spans         []simpleSpan
	contrib, ours string // what is kept, as kept prints it
}

// A simpleSpan arrives at second At.
type simpleSpan struct {
	at      int
	trace   string // one letter
	start   time.Duration
	end     time.Duration
	num     int64
	schemas [2]string // of resource and scope
}

var defects = map[string]defect{
	"span-ingest with a drop policy": {
		why: "a drop policy that does not match might still match later, so contrib puts the decision off, and at the end " +
			"of the wait it lets go of everything undecided",
		config: `
decision_wait: 2s
sampling_strategy: span-ingest
policies:
  - {name: health, type: drop, drop: {drop_sub_policy: [{name: num, type: numeric_attribute, numeric_attribute: {key: num, min_value: 7, max_value: 7}}]}}
  - {name: all, type: always_sample}`,
		spans:   []simpleSpan{{trace: "a", num: 1}, {trace: "b", num: 7}},
		contrib: "",
		ours:    "a",
	},
	"span-ingest, the drop policy matches later": {
		why: "the same, and the span that says drop comes in time",
		config: `
decision_wait: 2s
sampling_strategy: span-ingest
policies:
  - {name: health, type: drop, drop: {drop_sub_policy: [{name: num, type: numeric_attribute, numeric_attribute: {key: num, min_value: 7, max_value: 7}}]}}
  - {name: all, type: always_sample}`,
		spans:   []simpleSpan{{trace: "a", num: 1}, {at: 1, trace: "a", num: 7}},
		contrib: "",
		ours:    "",
	},
	"latency band, long span last": {
		why:     "contrib asks after every span, and in between the trace was of the right length",
		config:  latencyBand,
		spans:   []simpleSpan{{trace: "a", end: 1500 * time.Millisecond}, {trace: "a", end: 5 * time.Second}},
		contrib: "a a",
		ours:    "",
	},
	"latency band, long span first": {
		why:     "the same trace in another order, on which both agree",
		config:  latencyBand,
		spans:   []simpleSpan{{trace: "a", end: 5 * time.Second}, {trace: "a", end: 1500 * time.Millisecond}},
		contrib: "",
		ours:    "",
	},
	"latency band, trace within it": {
		why:     "both keep it",
		config:  latencyBand,
		spans:   []simpleSpan{{trace: "a", end: 200 * time.Millisecond}, {trace: "a", end: 1500 * time.Millisecond}},
		contrib: "a a",
		ours:    "a a",
	},
	"span-ingest records the policy": {
		why:   "contrib writes policy and threshold on the batch that decided and not on those of the trace that came before",
		gates: []string{gatePrefix + "recordpolicy"},
		config: `
decision_wait: 2s
sampling_strategy: span-ingest
policies: [{name: seven, type: numeric_attribute, numeric_attribute: {key: num, min_value: 7, max_value: 7}}]`,
		spans:   []simpleSpan{{trace: "a", num: 1}, {at: 1, trace: "a", num: 7}},
		contrib: "a a by seven",
		ours:    "a by seven a by seven",
	},
	"span-ingest forgets what it did not sample": {
		why: "without a cache, late spans of a trace that was not sampled begin a new trace, which can be sampled",
		config: `
decision_wait: 2s
sampling_strategy: span-ingest
policies: [{name: seven, type: numeric_attribute, numeric_attribute: {key: num, min_value: 7, max_value: 7}}]`,
		spans:   []simpleSpan{{trace: "a", num: 1}, {at: 6, trace: "a", num: 7}},
		contrib: "a",
		ours:    "",
	},
	"late spans and thresholds": {
		why:     "contrib writes the threshold on the spans that it decided about and not on late ones (0.165 does)",
		gates:   []string{gatePrefix + "usetracestate"},
		config:  "{decision_wait: 2s, policies: [{name: most, type: probabilistic, probabilistic: {sampling_percentage: 93.75}}]}",
		spans:   []simpleSpan{{trace: "a"}, {at: 6, trace: "a"}},
		contrib: "a a ot=th:1",
		ours:    "a ot=th:1 a ot=th:1",
	},
	"schema URLs": {
		why:     "contrib copies resource and scope when it splits a request by trace, and not what schema they follow",
		config:  "{decision_wait: 2s, policies: [{name: all, type: always_sample}]}",
		spans:   []simpleSpan{{trace: "a", schemas: [2]string{"r", "s"}}, {trace: "b", schemas: [2]string{"", "s"}}},
		contrib: "a b",
		ours:    "a(r,s) b(,s)",
	},
	"numeric_attribute, lower bound of zero": {
		why:     "contrib takes a bound of 0 for no bound",
		config:  "{decision_wait: 2s, policies: [{name: p, type: numeric_attribute, numeric_attribute: {key: num, min_value: 0, max_value: 10}}]}",
		spans:   []simpleSpan{{trace: "a", num: -5}, {trace: "b", num: 5}},
		contrib: "a b",
		ours:    "b",
	},
	"numeric_attribute, upper bound of zero": {
		why:     "the same",
		config:  "{decision_wait: 2s, policies: [{name: p, type: numeric_attribute, numeric_attribute: {key: num, min_value: -10, max_value: 0}}]}",
		spans:   []simpleSpan{{trace: "a", num: -5}, {trace: "b", num: 5}},
		contrib: "a b",
		ours:    "a",
	},
}

const latencyBand = "{decision_wait: 2s, policies: [{name: band, type: latency, latency: {threshold_ms: 1000, upper_threshold_ms: 2000}}]}"

func TestContribHasTheDefects(t *testing.T) {
	checkDefects(t, contrib.NewFactory(), func(d defect) string { return d.contrib })
}

func checkDefects(t *testing.T, f processor.Factory, want func(defect) string) {
	t.Helper()
	for name, d := range defects {
		t.Run(name, func(t *testing.T) {
			c := d.testCase(t)
			o := play(t, f, c)
			if got := keptBy(o); got != want(d) || o.refused != nil || len(o.faults) > 0 {
				t.Errorf("keeps %q, want %q (%v, %v); contrib: %s\n%s", got, want(d), o.refused, o.faults, d.why, c)
			}
		})
	}
}

func (d defect) testCase(t *testing.T) *testCase {
	t.Helper()
	c := &testCase{again: "go test -run '" + t.Name() + "'", gates: d.gates, shutdown: 20, marks: true}
	if err := yaml.Unmarshal([]byte(d.config), &c.config); err != nil {
		t.Fatal(err)
	}
	for _, s := range d.spans {
		c.requests = append(c.requests, newRequest(s.at, s.traces()))
	}
	return c
}

func (s simpleSpan) traces() ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.SetSchemaUrl(s.schemas[0])
	ss := rs.ScopeSpans().AppendEmpty()
	ss.SetSchemaUrl(s.schemas[1])
	span := ss.Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{15: s.trace[0]})
	span.SetSpanID(pcommon.SpanID{1})
	span.SetStartTimestamp(epoch + pcommon.Timestamp(s.start))
	span.SetEndTimestamp(epoch + pcommon.Timestamp(s.end))
	span.Attributes().PutInt("num", s.num)
	return td
}

// keptBy names the trace of every kept span, with what the processor wrote on it and the trace's schema URLs, if any.
func keptBy(o *outcome) string {
	var list []string
	for id, records := range o.kept {
		for _, r := range records {
			name := string(id[15:])
			if urls := o.schemas[id]; urls != [2]string{} {
				name += "(" + urls[0] + "," + urls[1] + ")"
			}
			spans(request{data: []byte(r)}.traces(), func(_ ptrace.ResourceSpans, ss ptrace.ScopeSpans, s ptrace.Span) {
				if by, ok := ss.Scope().Attributes().Get("tailsampling.policy"); ok {
					name += " by " + by.Str()
				}
				if ts := s.TraceState().AsRaw(); ts != "" {
					name += " " + ts
				}
			})
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
