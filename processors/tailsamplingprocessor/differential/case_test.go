package differential

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"
)

// A testCase is everything a processor sees: how it is configured and what arrives when.
type testCase struct {
	again    string         // the command that makes the case again
	name     string         // the component's name, "" or what follows the slash of its id
	gates    []string       // feature gates that are on
	config   map[string]any // as YAML would decode it
	requests []request      // in order of arrival
	shutdown int            // the second of the shutdown
	marks    bool           // compare what was written on spans even where contrib marks half a trace
}

// A request arrives half a second after second at: between contrib's ticks, which come at whole seconds.
type request struct {
	at   int
	data []byte // an OTLP ExportTraceServiceRequest, so that every processor decodes data of its own
}

func (r request) traces() ptrace.Traces {
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(r.data)
	if err != nil {
		panic(fmt.Sprintf("the generator wrote a request that does not decode: %v", err))
	}
	return td
}

func newRequest(at int, td ptrace.Traces) request { return request{at, marshal(td)} }

func marshal(td ptrace.Traces) []byte {
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		panic(fmt.Sprintf("marshal traces: %v", err))
	}
	return data
}

// gate reports whether the feature gate with this last part is on.
func (c *testCase) gate(name string) bool { return slices.Contains(c.gates, gatePrefix+name) }

// seconds reads a duration of the configuration; 0 where it is absent.
func (c *testCase) seconds(key string) int {
	text, _ := c.config[key].(string)
	d, _ := time.ParseDuration(text)
	return int(d / time.Second)
}

func (c *testCase) spanIngest() bool { return c.config["sampling_strategy"] == "span-ingest" }

func (c *testCase) policies() []any {
	list, _ := c.config["policies"].([]any)
	return list
}

// clone copies all that a reduction may change. Request bytes are never changed in place.
func (c *testCase) clone() testCase {
	d := *c
	d.gates = slices.Clone(c.gates)
	d.requests = slices.Clone(c.requests)
	d.config = cloneYAML(c.config).(map[string]any)
	return d
}

func cloneYAML(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := maps.Clone(v)
		for k := range m {
			m[k] = cloneYAML(m[k])
		}
		return m
	case []any:
		l := slices.Clone(v)
		for i := range l {
			l[i] = cloneYAML(l[i])
		}
		return l
	default:
		return v
	}
}

// String is what a person needs to understand a difference: the whole case, readable, and how to make it again.
func (c *testCase) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "again: %s\n", c.again)
	if len(c.gates) > 0 {
		fmt.Fprintf(&b, "gates: %s\n", strings.Join(c.gates, ","))
	}
	text, err := yaml.Marshal(map[string]any{strings.TrimSuffix("tail_sampling/"+c.name, "/"): c.config})
	if err != nil {
		text = fmt.Appendf(nil, "%v # %v\n", c.config, err)
	}
	b.Write(text)
	for _, r := range c.requests {
		fmt.Fprintf(&b, "at %d.5s, %d bytes:\n", r.at, len(r.data))
		b.WriteString(elide(indent(describe(r.traces())), 6000))
	}
	fmt.Fprintf(&b, "shutdown at %d.5s\n", c.shutdown)
	return b.String()
}

func describe(td ptrace.Traces) string {
	text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
	if err != nil {
		return fmt.Sprintf("%d spans that JSON cannot say: %v", td.SpanCount(), err)
	}
	return string(bytes.TrimSuffix(bytes.TrimPrefix(text, []byte(`{"resourceSpans":`)), []byte("}")))
}

func indent(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") + "\n" }

func elide(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return fmt.Sprintf("%s … (%d characters more)\n", s[:limit], len(s)-limit)
}

// spans calls f for every span of td.
func spans(td ptrace.Traces, f func(ptrace.ResourceSpans, ptrace.ScopeSpans, ptrace.Span)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				f(rs, ss, s)
			}
		}
	}
}

// isRoot is contrib's notion of a root: no parent, whatever else the span says.
func isRoot(s ptrace.Span) bool { return s.ParentSpanID() == pcommon.SpanID{} }
