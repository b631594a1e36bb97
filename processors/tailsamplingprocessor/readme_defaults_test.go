package tailsamplingprocessor

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/dynsample"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
)

// Zero stands for a default in the adaptive actions, so the README's defaults cannot be compared with values. They are
// compared by what they do: with a default written out, the same traffic gets the same thresholds as without it, and
// with half or twice the value it does not.
func TestReadmeDefaultsOfAdaptiveActions(t *testing.T) {
	configs := map[string]any{
		"dynamic": new(dynsample.EMAConfig), "throughput": new(dynsample.ThroughputConfig), "budget": new(dynsample.BudgetConfig),
		"rare": new(dynsample.RareConfig),
	}
	rows := readme.Table(t, "README.md", "### Adaptive actions")
	for _, row := range readme.Table(t, "README.md", "### Rare") {
		row["rare"] = row["default"]
		rows = append(rows, row)
	}
	for action, cfg := range configs {
		t.Run(action, func(t *testing.T) {
			var documented []string
			plain := thresholds(t, action, map[string]any{})
			for _, row := range rows {
				cell, ok := row[action]
				if !ok || cell == "–" {
					continue
				}
				key, _ := readme.Code(row["key"])
				documented = append(documented, key)
				checkDefault(t, plain, action, key, cell)
			}
			assert.ElementsMatch(t, readme.Keys(cfg), documented)
		})
	}
}

func checkDefault(t *testing.T, plain uint64, action, key, cell string) {
	t.Helper()
	text, ok := readme.Code(cell)
	if !ok || text == "weight" {
		return
	}
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(text), &value))
	assert.Equal(t, plain, thresholds(t, action, map[string]any{key: value}), "%s is the default of %s", text, key)
	for _, other := range others(t, value) {
		assert.NotEqual(t, plain, thresholds(t, action, map[string]any{key: other}), "%s: %v changes nothing: this test sees too little", key, other)
	}
}

// others are values that are not the default.
func others(t *testing.T, value any) []any {
	t.Helper()
	switch v := value.(type) {
	case bool:
		return []any{!v}
	case int:
		return []any{v * 2}
	case float64:
		return []any{v / 2}
	case string:
		if d, err := time.ParseDuration(v); err == nil {
			return []any{(d / 2).String(), (d * 2).String()}
		}
		require.Equal(t, "spans", v)
		return []any{"traces"}
	}
	t.Fatalf("no other value than %v known", value)
	return nil
}

// thresholds asks a rule with the action about traffic that makes every setting matter and returns a hash of all
// thresholds: keys that are frequent, that come at times and that come once, more of them than max_keys, bursts before and
// after bursts are looked for, a lull, and traces of different sizes.
func thresholds(t *testing.T, action string, set map[string]any) uint64 {
	t.Helper()
	p := compileAction(t, action, set)
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1_700_000_000, 0)
	out := fnv.New64a()
	for second := range 300 {
		perSecond := 100
		switch {
		case second == 20 || second == 70 || second == 71 || second == 150:
			perSecond = 1500
		case second >= 200:
			perSecond = 10
		}
		for i := range perSecond {
			v := p.Decide(now.Add(time.Duration(i)*time.Second/time.Duration(perSecond)), someTrace(rng))
			fmt.Fprintln(out, v.Threshold)
		}
		now = now.Add(time.Second)
	}
	return out.Sum64()
}

// someTrace is one that any threshold but never keeps, so that the verdict tells the threshold.
func someTrace(rng *rand.Rand) *policy.Trace {
	kind := fmt.Sprint("frequent ", rng.IntN(3))
	switch draw := rng.IntN(10); {
	case draw < 5:
		kind = fmt.Sprint("once ", rng.IntN(1_000_000))
	case draw < 7:
		kind = fmt.Sprint("at times ", rng.IntN(700))
	}
	return &policy.Trace{
		Facts: &policy.Facts{Spans: uint32(len(kind)), Flags: policy.FlagRandomness, Randomness: 1<<56 - 1},
		Fields: func(yield func(isRoot, resource bool, key string, v policy.Value)) {
			yield(true, false, "kind", policy.Value{Kind: policy.KindStr, Str: kind})
		},
	}
}

func compileAction(t *testing.T, action string, set map[string]any) *policy.Program {
	t.Helper()
	set["fields"] = []any{"kind"}
	var cfg struct {
		Rules []policy.RuleConfig `mapstructure:"rules"`
	}
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"rules": []any{map[string]any{"name": "r", "then": map[string]any{action: set}}},
	}).Unmarshal(&cfg))
	p, err := policy.Compile(policy.Settings{Rules: cfg.Rules})
	require.NoError(t, err)
	return p
}
