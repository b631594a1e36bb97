package check_test

import (
	"strconv"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// known are values of attributes whose bound is a configuration, as the shipped one has them.
var known = map[string][]string{"policy": {"errors", "slow", "rest"}}

// synthetic makes series out of the contract alone: each metric with every combination of a few values of each of its
// attributes, growing or staying as its kind does. What a dashboard asks for and this does not hold, no program promises.
func synthetic(metrics []telemetry.Metric) []written {
	var out []written
	for _, m := range metrics {
		job := telemetry.ServiceCollector
		if m.Source == telemetry.ServiceGateway || len(m.Name) > 3 && m.Name[:3] == "go." {
			job = telemetry.ServiceGateway
		}
		base := []string{"job", job, "instance", job + "-1"}
		for _, combination := range combinations(m.Attributes) {
			out = append(out, seriesOf(m, append(append([]string{}, base...), combination...))...)
		}
	}
	return out
}

// combinations returns name and value pairs for every combination of the sample values.
func combinations(attributes []telemetry.Attribute) [][]string {
	out := [][]string{{}}
	for _, a := range attributes {
		var next [][]string
		for _, value := range sampleValues(a) {
			for _, c := range out {
				next = append(next, append(append([]string{}, c...), telemetry.DefaultNaming.Label(a.Key), value))
			}
		}
		out = next
	}
	return out
}

// sampleValues are the values that series are made of: short lists whole, since dashboards ask for single values of
// them; two of long lists; of status codes one of each class that dashboards ask for; one of wide ranges.
func sampleValues(a telemetry.Attribute) []string {
	switch {
	case known[a.Key] != nil:
		return known[a.Key]
	case len(a.Values) > 6:
		return []string{a.Values[0], a.Values[len(a.Values)-1]}
	case len(a.Values) > 0:
		return a.Values
	case a.Max == 599:
		return []string{"200", "404", "503"}
	case a.Max != 0:
		return []string{strconv.Itoa(a.Max)}
	}
	return []string{a.Key + "-1", a.Key + "-2"}
}

// seriesOf returns the series that one set of labels is stored as.
func seriesOf(m telemetry.Metric, pairs []string) []written {
	name := telemetry.DefaultNaming.Metric(m)
	series := func(name string, extra ...string) labels.Labels {
		return labels.FromStrings(append(append([]string{model.MetricNameLabel, name}, pairs...), extra...)...)
	}
	growing := func(n int) float64 { return float64(10 * n) }
	switch m.Kind {
	case telemetry.Counter:
		return []written{{labels: series(name), value: growing}}
	case telemetry.NativeHistogram:
		return []written{{labels: series(name), histogram: nativeHistogram}}
	case telemetry.Histogram:
		out := []written{{labels: series(name + "_count"), value: growing}, {labels: series(name + "_sum"), value: growing}}
		for i, le := range []string{"1", "10", "+Inf"} {
			out = append(out, written{labels: series(name+"_bucket", "le", le), value: func(n int) float64 { return growing(n) * float64(i+1) / 3 }})
		}
		return out
	}
	return []written{{labels: series(name), value: func(int) float64 { return 1 }}}
}

// nativeHistogram grows by ten observations in each of four buckets.
func nativeHistogram(n int) *histogram.FloatHistogram {
	f := float64(10 * n)
	return &histogram.FloatHistogram{Schema: 0, Count: 4 * f, Sum: 4 * f, ZeroThreshold: 1e-128,
		PositiveSpans: []histogram.Span{{Offset: -2, Length: 4}}, PositiveBuckets: []float64{f, f, f, f}}
}
