package differential

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// An outcome is all that could be seen of one processor.
type outcome struct {
	refused error                         // the configuration was refused; then the rest is empty
	kept    map[pcommon.TraceID][]record  // sorted
	metrics map[string]int64              // points of comparedMetrics that are not zero, as name{key=value,…}
	faults  []string                      // what no processor may do
	schemas map[pcommon.TraceID][2]string // resource and scope schema URL of the trace's first span that has any
}

// A record is one kept span with its resource and scope as a request of its own, without schema URLs.
type record string

// unparseable counts spans on which no threshold could be written.
const unparseable = "processor_tail_sampling_count_spans_with_unparseable_tracestate"

// comparedMetrics are the counters whose meaning both processors share. A gate in brackets: only compared if it is on.
var comparedMetrics = map[string]string{
	"processor_tail_sampling_count_traces_sampled": "",
	"processor_tail_sampling_count_spans_sampled":  "metricstatcountspanssampled",
	"processor_tail_sampling_count_bytes_sampled":  "metricstatcountbytessampled",
	unparseable: "",
	"processor_tail_sampling_global_count_traces_sampled":        "",
	"processor_tail_sampling_new_trace_id_received":              "",
	"processor_tail_sampling_sampling_policy_evaluation_error":   "",
	"processor_tail_sampling_traces_dropped_too_large":           "",
	"processor_tail_sampling_early_releases_from_cache_decision": "",
}

func (o *outcome) fill(ctx context.Context, s *stage, c *testCase) {
	o.kept = map[pcommon.TraceID][]record{}
	o.schemas = map[pcommon.TraceID][2]string{}
	for _, td := range s.sink.kept {
		spans(td, func(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span) {
			id := span.TraceID()
			o.kept[id] = append(o.kept[id], newRecord(rs, ss, span, !c.partlyMarked()))
			if urls := [2]string{rs.SchemaUrl(), ss.SchemaUrl()}; o.schemas[id] == [2]string{} {
				o.schemas[id] = urls
			}
		})
	}
	for id := range o.kept {
		slices.Sort(o.kept[id])
	}
	var rm metricdata.ResourceMetrics
	if err := s.reader.Collect(ctx, &rm); err != nil {
		s.fault("collect metrics: %v", err)
	}
	o.metrics = points(rm)
	o.faults = s.faults
}

// newRecord makes a record. marks says whether what the processor wrote on the span belongs to it.
func newRecord(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, span ptrace.Span, marks bool) record {
	td := ptrace.NewTraces()
	r := td.ResourceSpans().AppendEmpty()
	rs.Resource().CopyTo(r.Resource())
	s := r.ScopeSpans().AppendEmpty()
	ss.Scope().CopyTo(s.Scope())
	span.CopyTo(s.Spans().AppendEmpty())
	if !marks {
		s.Scope().Attributes().RemoveIf(func(key string, _ pcommon.Value) bool {
			return strings.HasPrefix(key, "tailsampling.")
		})
		s.Spans().At(0).TraceState().FromRaw("")
	}
	return record(marshal(td))
}

func (r record) String() string {
	return strings.TrimSpace(describe(request{data: []byte(r)}.traces()))
}

// partlyMarked reports whether contrib writes on part of a trace's spans only (see known_test.go), so that what is written
// cannot be compared.
func (c *testCase) partlyMarked() bool {
	return !c.marks && c.spanIngest() && (c.gate("recordpolicy") || c.gate("usetracestate"))
}

// points flattens the compared counters. Points of zero are left out: contrib adds zeros where others add nothing.
func points(rm metricdata.ResourceMetrics) map[string]int64 {
	values := map[string]int64{}
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			name := strings.TrimPrefix(m.Name, "otelcol_")
			sum, ok := m.Data.(metricdata.Sum[int64])
			if _, compared := comparedMetrics[name]; !compared || !ok {
				continue
			}
			for _, p := range sum.DataPoints {
				var attrs []string
				for _, kv := range p.Attributes.ToSlice() {
					attrs = append(attrs, string(kv.Key)+"="+kv.Value.String())
				}
				values[name+"{"+strings.Join(attrs, ",")+"}"] += p.Value
			}
		}
	}
	maps.DeleteFunc(values, func(_ string, v int64) bool { return v == 0 })
	return values
}

// A difference is one thing that the subject did otherwise than the reference.
type difference struct {
	kind string // refused, trace, span, metric, fault
	text string
}

func (d difference) String() string { return d.kind + ": " + d.text }

// compare lists the differences, worst first.
func compare(c *testCase, want, got *outcome) []difference {
	var all []difference
	add := func(kind, format string, args ...any) {
		all = append(all, difference{kind, fmt.Sprintf(format, args...)})
	}
	for _, f := range got.faults {
		if !slices.Contains(want.faults, f) {
			add("fault", "%s", f)
		}
	}
	if (want.refused == nil) != (got.refused == nil) {
		add("refused", "the reference says %v, the subject %v", want.refused, got.refused)
		return all
	}
	for _, id := range unionKeys(want.kept, got.kept) {
		compareTrace(add, id, want.kept[id], got.kept[id])
	}
	for _, p := range unionKeys(want.metrics, got.metrics) {
		name, _, _ := strings.Cut(p, "{")
		if gate := comparedMetrics[name]; gate != "" && !c.gate(gate) || c.partlyMarked() && name == unparseable {
			continue
		}
		if want.metrics[p] != got.metrics[p] {
			add("metric", "%s: want %d, got %d", p, want.metrics[p], got.metrics[p])
		}
	}
	return all
}

func compareTrace(add func(kind, format string, args ...any), id pcommon.TraceID, want, got []record) {
	switch {
	case len(got) == 0:
		add("trace", "%s is lost with %d spans", id, len(want))
		return
	case len(want) == 0:
		add("trace", "%s is kept with %d spans and should not be", id, len(got))
		return
	}
	lost, surplus := minus(want, got), minus(got, want)
	for i := range min(max(len(lost), len(surplus)), 5) {
		w, g := "(nothing)", "(nothing)"
		if i < len(lost) {
			w = lost[i].String()
		}
		if i < len(surplus) {
			g = surplus[i].String()
		}
		add("span", "of trace %s\nwant %s\ngot  %s", id, w, g)
	}
}

// minus is the multiset difference of sorted slices.
func minus(a, b []record) []record {
	var rest []record
	for _, r := range a {
		for len(b) > 0 && b[0] < r {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == r {
			b = b[1:]
			continue
		}
		rest = append(rest, r)
	}
	return rest
}

func unionKeys[K comparable, V any](a, b map[K]V) []K {
	all := maps.Clone(a)
	if all == nil {
		all = map[K]V{}
	}
	maps.Copy(all, b)
	keys := slices.Collect(maps.Keys(all))
	slices.SortFunc(keys, func(x, y K) int { return strings.Compare(fmt.Sprint(x), fmt.Sprint(y)) })
	return keys
}
