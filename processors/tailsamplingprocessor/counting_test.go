package tailsamplingprocessor

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// noMistakes makes the memory of dropped traces far too large: one of the right size takes 2 new traces in 10,000 for dropped
// ones, others in every run.
const noMistakes = "decision_cache: {non_sampled_cache_size: 500000000}"

// withRules is a configuration that keeps errors and does then with the rest.
func withRules(then string) string {
	return fmt.Sprintf(`
decision_wait: 1s
%s
record_decision: true
rules:
  - {name: errors, when: [{type: status_code, status_code: {status_codes: [ERROR]}}], then: keep}
  - {name: rest, then: %s}
`, noMistakes, then)
}

var actions = map[string]string{
	"probability": "{probability: {percentage: 12.5}}",
	"dynamic":     "{dynamic: {fields: [root.service.name], goal_sample_rate: 10, unit: traces}}",
	"throughput":  "{throughput: {fields: [root.service.name], goal_throughput_per_sec: 40}}",
	"budget":      "{budget: {fields: [root.service.name], budget_per_sec: 60, unit: traces}}",
	"rare":        "{rare: {keep: 3, period: 1m, rest_sample_rate: 8}}",
}

// Whatever decides, the adjusted counts of what it kept add up to what there was, within three standard deviations, for
// every service: also for one that sampled before, and for one with randomness of its own.
func TestAdjustedCountsEstimateTheTruth(t *testing.T) {
	for name, then := range actions {
		t.Run(name, func(t *testing.T) {
			o := play(t, withRules(then), 1, time.Minute, shop...)
			lucky := playLuckily(t, withRules(then), 1, time.Minute, shop...)
			require.Len(t, lucky.kept, len(o.made))
			for _, s := range shop {
				sigma := lucky.sigma(s)
				assert.InDelta(t, o.truth[s.name], o.estimate(s.name), 3*sigma, "%s, sigma %.0f", s.name, sigma)
				assert.Positive(t, sigma, "nothing of %s was ever sampled", s.name)
			}
			requireConsistent(t, o, lucky)
		})
	}
}

// requireConsistent demands that every trace that passed its threshold was kept and no other, that the threshold did not depend
// on the trace's own randomness, and that an earlier sampler's was not loosened.
func requireConsistent(t *testing.T, o, lucky *outcome) {
	t.Helper()
	thresholds := map[pcommon.TraceID]probability.Threshold{}
	for _, k := range lucky.kept {
		thresholds[k.id] = k.threshold
	}
	for _, k := range o.kept {
		require.True(t, k.hasTh, "a kept trace without th")
		require.Equal(t, thresholds[k.id], k.threshold, "luck changed the threshold")
		require.True(t, k.threshold.Keeps(k.randomness), "th says that this trace was dropped")
		if k.service == "mobile" {
			require.GreaterOrEqual(t, k.threshold, probability.FromProbability(0.25), "th was loosened")
		}
		delete(thresholds, k.id)
	}
	for id, th := range thresholds {
		if o.made[id].service != "legacy" { // its randomness is not in the id
			require.False(t, th.Keeps(probability.Randomness(id)), "th says that this trace was kept")
		}
	}
}

// Each action does what it promises, once it has learned.
func TestActionsMeetTheirGoals(t *testing.T) {
	const from, to = time.Minute, 2 * time.Minute
	plain := []source{
		{name: "web", perSecond: 200, children: 3}, {name: "search", perSecond: 50, children: 1}, {name: "refunds", perSecond: 4, children: 2},
	}
	run := func(t *testing.T, then string) *outcome {
		t.Helper()
		return play(t, withRules(then), 2, to, plain...)
	}
	t.Run("probability keeps its share of each", func(t *testing.T) {
		o := run(t, actions["probability"])
		assert.InEpsilon(t, 200.0/8, o.perSecond("web", 0, to, false), 0.05)
		assert.InEpsilon(t, 50.0/8, o.perSecond("search", 0, to, false), 0.1)
		for _, k := range o.kept {
			require.Equal(t, probability.FromProbability(0.125), k.threshold)
		}
	})
	t.Run("dynamic keeps one in ten, and the small service whole", func(t *testing.T) {
		o := run(t, actions["dynamic"])
		assert.InEpsilon(t, 25.4, o.perSecond("", from, to, false), 0.1)
		assert.InDelta(t, o.sentPerSecond("refunds", from, to), o.perSecond("refunds", from, to, false), 1e-9)
	})
	t.Run("throughput keeps so many spans a second", func(t *testing.T) {
		o := run(t, actions["throughput"])
		assert.InEpsilon(t, 40, o.perSecond("", from, to, true), 0.1)
	})
	t.Run("budget is shared fairly", func(t *testing.T) {
		o := run(t, actions["budget"])
		assert.InDelta(t, o.sentPerSecond("refunds", from, to), o.perSecond("refunds", from, to, false), 1e-9, "less than its part, so whole")
		assert.InEpsilon(t, 28, o.perSecond("web", from, to, false), 0.1, "half of what is left")
		assert.InEpsilon(t, 28, o.perSecond("search", from, to, false), 0.1, "the other half")
	})
}

// Of 500 kinds of traces each is kept some times, however many come; what is frequent goes to the next rule.
func TestRareKindsAreKept(t *testing.T) {
	const config = noMistakes + `
decision_wait: 1s
record_decision: true
rules:
  - {name: rare, then: {rare: {keep: 2, period: 10m, pass_on: true}}}
  - {name: rest, then: {probability: {percentage: 6.25}}}
`
	o := play(t, config, 3, time.Minute, source{name: "web", perSecond: 200, children: 1},
		source{name: "unusual", perSecond: 10, unlike: 250})
	rules := map[string]int{}
	kinds := map[string]int{}
	for _, k := range o.kept {
		rule := k.root[attrRule].(string)
		rules[k.service+" "+rule]++
		if rule == "rare" {
			require.Equal(t, probability.Always, k.threshold)
		}
		kinds[k.service]++
	}
	assert.Equal(t, 2, rules["web rare"])
	assert.InEpsilon(t, 12_000.0/16, rules["web rest"], 0.15)
	assert.Equal(t, 500, rules["unusual rare"], "250 kinds, each of which comes twice or more")
	for _, service := range []string{"web", "unusual"} {
		assert.InEpsilon(t, o.truth[service], o.estimate(service), 0.15, service)
	}
}

// Two samplers that do not talk keep the same traces where their rates are equal, and a stricter one a part of them.
func TestSamplersOfEqualRatesAgree(t *testing.T) {
	keptBy := func(then string, sources ...source) []uint64 {
		var list []uint64
		for _, k := range play(t, withRules(then), 4, 20*time.Second, sources...).kept {
			list = append(list, k.randomness)
		}
		slices.Sort(list)
		return list
	}
	// The same randomness in traces of other services, sizes and ids.
	here := source{name: "here", perSecond: 100, children: 2, rv: true}
	there := source{name: "there", perSecond: 100, rv: true}
	quarter := keptBy("{probability: {percentage: 25}}", here)
	assert.Greater(t, len(quarter), 400)
	assert.Equal(t, quarter, keptBy("{probability: {percentage: 25}}", there))

	tenth := keptBy("{probability: {percentage: 10}}", there)
	assert.Greater(t, len(tenth), 150)
	for _, r := range tenth {
		_, found := slices.BinarySearch(quarter, r)
		assert.True(t, found, "kept at 1 in 10 and not at 1 in 4")
	}
}

// What is tried out counts, and changes nothing.
func TestDryRunChangesNothing(t *testing.T) {
	const config = noMistakes + `
decision_wait: 1s
record_decision: true
rules:
  %s
  - {name: errors, when: [{type: status_code, status_code: {status_codes: [ERROR]}}], then: keep}
  - {name: rest, then: {throughput: {fields: [root.service.name], goal_throughput_per_sec: 40}}}
policies:
  %s
  - {name: never, type: probabilistic}
`
	plain := play(t, fmt.Sprintf(config, "", ""), 5, 30*time.Second, shop...)
	tried := play(t, fmt.Sprintf(config,
		"- {name: small, when: [{type: span_count, span_count: {max_spans: 2}}], then: keep, dry_run: true}\n"+
			"  - {name: none, then: drop, dry_run: true}",
		"- {name: all, type: always_sample, dry_run: true}"), 5, 30*time.Second, shop...)
	assert.Equal(t, summary(plain), summary(tried))
	assert.Greater(t, tried.votes["small"], uint64(1000))
	assert.Equal(t, plain.votes["rest"], tried.votes["rest"])
	assert.Zero(t, tried.votes["all"], "no trace comes so far: rest decides about all")
}

func summary(o *outcome) map[string]string {
	list := map[string]string{}
	for _, k := range o.kept {
		list[k.id.String()] = fmt.Sprint(k.threshold, k.root, k.spans)
	}
	return list
}

// Roots say who kept their trace and with which probability; other spans are left alone.
func TestRecordDecision(t *testing.T) {
	const config = `
decision_wait: 1s
record_decision: %v
rules:
  - {name: errors, when: [{type: status_code, status_code: {status_codes: [ERROR]}}], then: keep}
  - {name: half, when: [{type: string_attribute, string_attribute: {key: service.name, values: [search]}}], then: {probability: {percentage: 50}}}
policies:
  - {name: lone, type: span_count, span_count: {max_spans: 3}}
`
	o := play(t, fmt.Sprintf(config, true), 6, 20*time.Second, shop...)
	seen := map[string]int{}
	for _, k := range o.kept {
		assert.Zero(t, k.others)
		seen[fmt.Sprintf("%s by %v/%v at %v", k.service, k.root[attrRule], k.root[attrPolicy], k.root[attrProbability])]++
	}
	assert.ElementsMatch(t, []string{
		"web by errors/<nil> at 1",
		"search by errors/<nil> at 1",
		"search by half/<nil> at 0.5",
		"refunds by <nil>/lone at <nil>",
		"mobile by <nil>/lone at <nil>",
		"legacy by <nil>/lone at <nil>",
	}, slices.Collect(maps.Keys(seen)))

	for _, k := range play(t, fmt.Sprintf(config, false), 6, 5*time.Second, shop...).kept {
		assert.Empty(t, k.root)
	}
}
