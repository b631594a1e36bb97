package dynsample

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"
)

func decode(t *testing.T, text string, into any) {
	t.Helper()
	var m map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &m))
	require.NoError(t, confmap.NewFromStringMap(m).Unmarshal(into))
}

func TestConfigIsWhatItSays(t *testing.T) {
	const common = `
unit: traces
adjustment_interval: 20s
weight: 0.4
age_out_value: 0.3
burst_multiple: -1
burst_detection_delay: 4
max_keys: 70
fields: [service.name, http.route]
`
	fields := []string{"service.name", "http.route"}
	want := tuning{Traces, 20 * time.Second, 0.4, 0.3, -1, 4, 70}

	var ema EMAConfig
	decode(t, common+"goal_sample_rate: 12.5", &ema)
	assert.Equal(t, 12.5, ema.GoalSampleRate)
	assert.Equal(t, fields, ema.Fields)
	assert.Equal(t, want, NewEMA(ema).tuning)
	require.NoError(t, ema.Check())

	var throughput ThroughputConfig
	decode(t, common+"goal_throughput_per_sec: 12.5", &throughput)
	assert.Equal(t, 12.5, throughput.GoalThroughputPerSec)
	assert.Equal(t, fields, throughput.Fields)
	assert.Equal(t, want, NewThroughput(throughput).tuning)
	require.NoError(t, throughput.Check())

	var budget BudgetConfig
	decode(t, common+"budget_per_sec: 12.5", &budget)
	assert.Equal(t, 12.5, budget.BudgetPerSec)
	assert.Equal(t, fields, budget.Fields)
	assert.Equal(t, want, NewBudget(budget).tuning)
	require.NoError(t, budget.Check())

	var rare RareConfig
	decode(t, "{fields: [service.name, http.route], keep: 3, period: 1h, rest_sample_rate: 50, max_keys: 7}", &rare)
	assert.Equal(t, RareConfig{Fields: fields, Keep: 3, Period: time.Hour, RestSampleRate: 50, MaxKeys: 7}, rare)
	require.NoError(t, rare.Check())
}

func TestDefaults(t *testing.T) {
	want := tuning{Spans, 15 * time.Second, 0.5, 0.5, 2, 3, 500}
	assert.Equal(t, want, NewEMA(EMAConfig{}).tuning)
	assert.Equal(t, want, NewThroughput(ThroughputConfig{}).tuning)
	want.interval = 5 * time.Second
	assert.Equal(t, want, NewBudget(BudgetConfig{}).tuning)
	assert.Equal(t, 0.25, NewEMA(EMAConfig{Weight: 0.25}).ageOut)

	fields := []string{"a"}
	assert.NoError(t, (&EMAConfig{Fields: fields}).Check())
	assert.NoError(t, (&ThroughputConfig{Fields: fields}).Check())
	assert.NoError(t, (&BudgetConfig{Fields: fields}).Check())
	assert.NoError(t, (&RareConfig{}).Check())
}

func TestValidateReportsEverything(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		config interface{ Check() error }
		keys   string
	}{
		{&EMAConfig{}, "fields"},
		{&EMAConfig{Fields: []string{"a", "", "a"}, GoalSampleRate: 0.5}, "fields[1] fields[2] goal_sample_rate"},
		{&EMAConfig{Fields: []string{"a"}, GoalSampleRate: nan, Unit: "bytes", AdjustmentInterval: 1, Weight: 1, AgeOutValue: -1,
			BurstMultiple: 0.5, MaxKeys: -1},
			"goal_sample_rate unit adjustment_interval weight burst_multiple age_out_value max_keys"},
		{&EMAConfig{Fields: []string{"a"}, Weight: nan, BurstMultiple: nan, AgeOutValue: inf, GoalSampleRate: inf},
			"goal_sample_rate weight burst_multiple age_out_value"},
		{&ThroughputConfig{GoalThroughputPerSec: -1, AdjustmentInterval: -time.Second}, "fields goal_throughput_per_sec adjustment_interval"},
		{&BudgetConfig{BudgetPerSec: nan, MaxKeys: 1e6}, "fields budget_per_sec max_keys"},
		{&RareConfig{Fields: []string{""}, Keep: 0.5, Period: time.Millisecond, RestSampleRate: -1, MaxKeys: -1},
			"period fields[0] keep rest_sample_rate max_keys"},
	} {
		err := c.config.Check()
		require.Error(t, err, "%+v", c.config)
		var keys []string
		for line := range strings.Lines(err.Error()) {
			key, _, _ := strings.Cut(line, ":")
			keys = append(keys, key)
		}
		assert.Equal(t, c.keys, strings.Join(keys, " "))
	}
}
