package differential

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// A generator that went astray compares nothing with nothing and passes. So its cases, and what contrib makes of them,
// must between them show each of these.
var wanted = []string{
	"policy always_sample", "policy latency", "policy numeric_attribute", "policy probabilistic", "policy status_code",
	"policy string_attribute", "policy rate_limiting", "policy bytes_limiting", "policy span_count", "policy trace_state",
	"policy boolean_attribute", "policy ottl_condition", "policy trace_flags", "policy and", "policy not", "policy drop",
	"policy composite",
	"input duplicate span", "input duplicate key", "input zero trace id", "input zero span id", "input 5000 spans",
	"input many resources", "input second request of a second", "input late span", "input shutdown with undecided traces",
	"output refused", "output all kept", "output none kept", "output some kept", "output all late spans kept",
	"output threshold written", "output policy recorded", "output composite policy recorded", "output cached decision recorded",
	"metric count_traces_sampled", "metric count_spans_sampled", "metric count_bytes_sampled",
	"metric count_spans_with_unparseable_tracestate", "metric global_count_traces_sampled", "metric new_trace_id_received",
	"metric sampling_policy_evaluation_error", "metric traces_dropped_too_large", "metric early_releases_from_cache_decision",
	"decision sampled", "decision not_sampled", "decision dropped",
	"limit leaves some of its traces out",
}

// signs are what in the protobuf of a kept trace shows that the processor wrote something: names of policies, which are
// p1-latency and the like and stand before their key, and thresholds that no input has.
var signs = map[string]*regexp.Regexp{
	"policy recorded":           regexp.MustCompile(`(?s)p\d+-[a-z_]+\n.tailsampling\.policy`),
	"composite policy recorded": regexp.MustCompile(`(?s)p\d+-[a-z_]+\n.tailsampling\.composite_policy`),
	"cached decision recorded":  regexp.MustCompile(`tailsampling\.cached_decision`),
	"threshold written":         regexp.MustCompile(`ot=th:[^048czf]|ot=th:8[0-9a-f]`),
}

func TestCasesReachEverything(t *testing.T) {
	reached := map[string]int{}
	const seeds = 1000
	for i := range seeds {
		c := seeded(t, uint64(i))
		if err := c.sound(); err != nil {
			t.Fatalf("%v\n%s", err, c)
		}
		for what := range reach(c, play(t, contrib.NewFactory(), c)) {
			reached[what]++
		}
	}
	for _, what := range wanted {
		if reached[what] == 0 {
			t.Errorf("none of %d cases shows: %s", seeds, what)
		}
		t.Logf("%5d  %s", reached[what], what)
	}
	if n := reached["output refused"]; n > seeds/20 {
		t.Errorf("%d of %d cases are refused and compare nothing", n, seeds)
	}
}

// A shown set names what one case shows.
type shown map[string]bool

func (s shown) note(what string, holds bool) {
	if holds {
		s[what] = true
	}
}

func reach(c *testCase, o *outcome) shown {
	shows := shown{}
	holds(c.config["policies"], func(kind string) bool { shows["policy "+kind] = true; return false })
	reachInput(shows, c)
	if o.refused != nil {
		shows["output refused"] = true
		return shows
	}
	reachOutput(shows, c, o)
	for p := range o.metrics {
		name, attrs, _ := strings.Cut(strings.TrimPrefix(p, "processor_tail_sampling_"), "{")
		shows["metric "+name] = true
		for _, d := range []string{"sampled", "not_sampled", "dropped"} {
			shows.note("decision "+d, strings.Contains(attrs, "decision="+d+","))
		}
		no := strings.NewReplacer("sampled=true", "sampled=false", "=sampled", "=not_sampled").Replace(p)
		shows.note("limit leaves some of its traces out", strings.Contains(attrs, "_limiting") && p != no && o.metrics[no] > 0)
	}
	return shows
}

func reachInput(shows shown, c *testCase) {
	waits := map[pcommon.TraceID]*wait{}
	seen := map[string]bool{}
	last := -1
	for _, r := range c.requests {
		shows.note("input second request of a second", r.at == last)
		last = r.at
		td := r.traces()
		shows.note("input many resources", td.ResourceSpans().Len() > 3)
		shows.note("input 5000 spans", td.SpanCount() > 1000)
		spans(td, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) {
			id := fmt.Sprintf("%s %s %d", s.TraceID(), s.SpanID(), s.StartTimestamp())
			shows.note("input duplicate span", seen[id])
			seen[id] = true
			shows.note("input zero trace id", s.TraceID().IsEmpty())
			shows.note("input zero span id", s.SpanID().IsEmpty())
			shows.note("input duplicate key", duplicateKey(s.Attributes()))
		})
		c.eachTrace(td, func(id pcommon.TraceID, root bool) {
			if waits[id] == nil {
				waits[id] = c.newWait()
			}
			shows.note("input late span", waits[id].late(r.at))
			waits[id].arrive(r.at, root)
		})
	}
	for _, w := range waits {
		shows.note("input shutdown with undecided traces", c.shutdown < w.due)
	}
}

func reachOutput(shows shown, c *testCase, o *outcome) {
	sent, late := map[pcommon.TraceID]int{}, map[pcommon.TraceID]bool{}
	waits := map[pcommon.TraceID]*wait{}
	for _, r := range c.requests {
		td := r.traces()
		spans(td, func(_ ptrace.ResourceSpans, _ ptrace.ScopeSpans, s ptrace.Span) { sent[s.TraceID()]++ })
		c.eachTrace(td, func(id pcommon.TraceID, root bool) {
			if waits[id] == nil {
				waits[id] = c.newWait()
			}
			late[id] = late[id] || waits[id].late(r.at)
			waits[id].arrive(r.at, root)
		})
	}
	switch len(o.kept) {
	case 0:
		shows["output none kept"] = true
	case len(sent):
		shows["output all kept"] = true
	default:
		shows["output some kept"] = true
	}
	for id, records := range o.kept {
		shows.note("output all late spans kept", late[id] && len(records) == sent[id])
		all := strings.Join(asStrings(records), "")
		for what, sign := range signs {
			shows.note("output "+what, sign.MatchString(all))
		}
	}
}

func asStrings(records []record) []string {
	all := make([]string, len(records))
	for i, r := range records {
		all[i] = string(r)
	}
	return all
}

func duplicateKey(m pcommon.Map) bool {
	var seen []string
	for k := range m.All() {
		if slices.Contains(seen, k) {
			return true
		}
		seen = append(seen, k)
	}
	return false
}
