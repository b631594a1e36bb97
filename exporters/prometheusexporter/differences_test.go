package prometheusexporter_test

import (
	"strings"
	"testing"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter"
	"github.com/tailgate-otel/tailgate/internal/exposition/pagetest"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
)

// known are the differences that are meant to be, with what shows each: the exports, and what of the page differs.
var known = []struct {
	what    string // as the README's table has it
	config  map[string]any
	accept  string
	exports []func(to pmetric.Metrics)
	diff    []string // lines of pagetest.Diff, contrib first
}{
	{
		what: "Two types under one name",
		exports: []func(pmetric.Metrics){
			func(md pmetric.Metrics) { gaugePoint(md, "pod-a", "jobs", "", 1) },
			func(md pmetric.Metrics) {
				counterPoint(md, "pod-b", "jobs", 2, 10)
				gaugePoint(md, "pod-b", "other", "", 3)
			},
		},
		config: map[string]any{"translation_strategy": "UnderscoreEscapingWithoutSuffixes"},
		diff:   []string{`series {__name__="jobs", instance="pod-b", job="shop"}: none, got 2`},
	},
	{
		what: "Attributes whose names fall together",
		exports: []func(pmetric.Metrics){func(md pmetric.Metrics) {
			p := gaugePoint(md, "pod-a", "g", "", 1)
			p.Attributes().PutStr("a.b", "x")
			p.Attributes().PutStr("a_b", "y")
		}},
		diff: []string{`series {__name__="g", a_b="x;y", instance="pod-a", job="shop"}: none, got 1`, `type g: none, got gauge`},
	},
	{
		what:   "An attribute named as a constant label",
		config: map[string]any{"const_labels": map[string]any{"zone": "west"}},
		exports: []func(pmetric.Metrics){func(md pmetric.Metrics) {
			gaugePoint(md, "pod-a", "g", "", 1).Attributes().PutStr("zone", "east")
		}},
		diff: []string{`series {__name__="g", instance="pod-a", job="shop", zone="east"}: none, got 1`, `type g: none, got gauge`},
	},
	{
		what: "A delta sum whose interval does not begin where the last one ended",
		exports: []func(pmetric.Metrics){
			func(md pmetric.Metrics) { delta(md, counterPoint(md, "pod-a", "c", 5, 10), 0) },
			func(md pmetric.Metrics) { delta(md, counterPoint(md, "pod-a", "c", 3, 21), 11) },
		},
		diff: []string{`series {__name__="c_total", instance="pod-a", job="shop"}: 3, got 8`},
	},
	{
		what: "A resource with either service.name or service.instance.id",
		exports: []func(pmetric.Metrics){func(md pmetric.Metrics) {
			attrs := md.ResourceMetrics().AppendEmpty().Resource().Attributes()
			attrs.PutStr("service.name", "shop")
			attrs.PutStr("host.name", "node")
			addGauge(md.ResourceMetrics().At(0), "g", "", 1)
		}},
		diff: []string{
			`help target_info: none, got Target metadata`,
			`series {__name__="target_info", host_name="node", job="shop"}: none, got 1`,
			`type target_info: none, got gauge`,
		},
	},
	{
		what:   "Further attributes of exemplars",
		accept: acceptOpenMetrics,
		exports: []func(pmetric.Metrics){func(md pmetric.Metrics) {
			e := counterPoint(md, "pod-a", "c", 5, 10).Exemplars().AppendEmpty()
			e.SetDoubleValue(1)
			e.SetTimestamp(10e9)
			e.SetTraceID(pcommon.TraceID{1})
			e.FilteredAttributes().PutStr("user", "u1")
		}},
		diff: []string{`exemplars {__name__="c_total", instance="pod-a", job="shop"}: ` +
			`{trace_id="01000000000000000000000000000000"} 1 at 10000, got {trace_id="01000000000000000000000000000000", user="u1"} 1 at 10000`},
	},
	{
		what:   "Exemplars of exports between two scrapes",
		accept: acceptOpenMetrics,
		exports: []func(pmetric.Metrics){
			func(md pmetric.Metrics) {
				e := counterPoint(md, "pod-a", "c", 5, 10).Exemplars().AppendEmpty()
				e.SetDoubleValue(1)
				e.SetTimestamp(10e9)
				e.SetTraceID(pcommon.TraceID{1})
			},
			func(md pmetric.Metrics) { counterPoint(md, "pod-a", "c", 6, 20) },
		},
		diff: []string{`exemplars {__name__="c_total", instance="pod-a", job="shop"}: none, got {trace_id="01000000000000000000000000000000"} 1 at 10000`},
	},
	{
		what:   "A scope without a name",
		config: map[string]any{"without_scope_info": false},
		exports: []func(pmetric.Metrics){func(md pmetric.Metrics) {
			gaugePoint(md, "pod-a", "g", "", 1)
			md.ResourceMetrics().At(0).ScopeMetrics().At(0).Scope().SetVersion("2")
		}},
		diff: []string{
			`series {__name__="g", instance="pod-a", job="shop", otel_scope_version="2"}: 1, missing`,
			`series {__name__="g", instance="pod-a", job="shop"}: none, got 1`,
		},
	},
	{
		what:   "The zero threshold of exponential histograms",
		accept: acceptProtobuf,
		exports: []func(pmetric.Metrics){func(md pmetric.Metrics) {
			m := newMetric(resource(md, "pod-a"), "e", "")
			m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			p := m.ExponentialHistogram().DataPoints().AppendEmpty()
			p.SetTimestamp(10e9)
			p.SetCount(3)
			p.SetZeroCount(3)
			p.SetZeroThreshold(0.25)
			p.SetStartTimestamp(5e9)
		}},
		diff: []string{`series {__name__="e", instance="pod-a", job="shop"}: ` +
			`schema 0 count 3 sum 0 zero 3 ±0.25 (-0.25,0.25]=3 since 5000, got schema 0 count 3 sum 0 zero 3 ±1e-128 (-1e-128,1e-128]=3 since 5000`},
	},
	{
		what:   "An exponential histogram without a start time",
		accept: acceptProtobuf,
		exports: []func(pmetric.Metrics){func(md pmetric.Metrics) {
			m := newMetric(resource(md, "pod-a"), "e", "")
			m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			m.ExponentialHistogram().DataPoints().AppendEmpty().SetTimestamp(10e9)
		}},
		diff: []string{`series {__name__="e", instance="pod-a", job="shop"}: ` +
			`schema 0 count 0 sum 0 zero 0 ±1e-128 since -62135596800000, got schema 0 count 0 sum 0 zero 0 ±1e-128`},
	},
	{
		what: "The last series of a resource ends",
		exports: []func(pmetric.Metrics){
			func(md pmetric.Metrics) { gaugePoint(md, "pod-a", "g", "", 1) },
			func(md pmetric.Metrics) {
				p := gaugePoint(md, "pod-a", "g", "", 1)
				p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
				gaugePoint(md, "pod-b", "g", "", 1)
			},
		},
		diff: []string{`series {__name__="target_info", instance="pod-a", job="shop"}: none, got 1`},
	},
	{
		what:   "The unit in OpenMetrics",
		accept: acceptOpenMetrics,
		exports: []func(pmetric.Metrics){func(md pmetric.Metrics) {
			gaugePoint(md, "pod-a", "g", "s", 1)
		}},
		diff: []string{`unit g_seconds: none, got seconds`},
	},
}

func TestKnownDifferences(t *testing.T) {
	documented := map[string]bool{}
	for _, row := range readme.Table(t, "README.md", "## Differences from contrib") {
		documented[row["case"]] = true
	}
	for _, k := range known {
		t.Run(k.what, func(t *testing.T) {
			assert.True(t, documented[k.what], "is in the README")
			config := map[string]any{"enable_open_metrics": true, "without_scope_info": true}
			for key, value := range k.config {
				config[key] = value
			}
			theirs, ours := start(t, contrib.NewFactory(), config), start(t, prometheusexporter.NewFactory(), config)
			for _, export := range k.exports {
				md := pmetric.NewMetrics()
				export(md)
				theirs.push(t, md)
				ours.push(t, md)
				theirs.get(t, acceptText) // contrib looks for conflicts when it is scraped
			}
			accept := k.accept
			if accept == "" {
				accept = acceptText
			}
			assert.Equal(t, k.diff, pagetest.Diff(theirs.page(t, accept), ours.page(t, accept)))
		})
	}
}

// The first help text is shown and no sample is lost, by either exporter.
func TestHelpConflictIsContribs(t *testing.T) {
	theirs, ours := start(t, contrib.NewFactory(), nil), start(t, prometheusexporter.NewFactory(), nil)
	for i, help := range []string{"first", "second"} {
		md := pmetric.NewMetrics()
		gaugePoint(md, []string{"pod-a", "pod-b"}[i], "g", "", 1)
		md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).SetDescription(help)
		theirs.push(t, md)
		ours.push(t, md)
		require.Equal(t, "first", theirs.page(t, acceptText).Help["g"]) // contrib looks when it is scraped
		require.Equal(t, "first", ours.page(t, acceptText).Help["g"])
	}
	assert.Empty(t, pagetest.Diff(theirs.page(t, acceptText), ours.page(t, acceptText)))
}

// No recorded value ends a series at once, and what comes late changes nothing.
func TestEndsAndLatenessAreContribs(t *testing.T) {
	theirs, ours := start(t, contrib.NewFactory(), nil), start(t, prometheusexporter.NewFactory(), nil)
	both := func(export func(pmetric.Metrics)) pagetest.Page {
		md := pmetric.NewMetrics()
		export(md)
		theirs.push(t, md)
		ours.push(t, md)
		page := ours.page(t, acceptText)
		require.Empty(t, pagetest.Diff(theirs.page(t, acceptText), page))
		return page
	}
	series := func(p pagetest.Page) (names []string) {
		for key := range p.Series {
			if !strings.Contains(key, "target_info") {
				names = append(names, key)
			}
		}
		return names
	}
	assert.Len(t, series(both(func(md pmetric.Metrics) {
		counterPoint(md, "pod-a", "c", 5, 10)
		gaugePoint(md, "pod-a", "stays", "", 5)
	})), 2)
	late := both(func(md pmetric.Metrics) { counterPoint(md, "pod-a", "c", 3, 5) })
	assert.Equal(t, "5", late.Series[`{__name__="c_total", instance="pod-a", job="shop"}`])
	assert.Len(t, series(both(func(md pmetric.Metrics) {
		p := counterPoint(md, "pod-a", "c", 0, 20)
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(true))
	})), 1)
	assert.Len(t, series(both(func(md pmetric.Metrics) { counterPoint(md, "pod-a", "c", 6, 30) })), 2)
}

// Points of all types without a time are shown, and what they are given does not reach the sender's data.
func TestPointsWithoutTimeAreShown(t *testing.T) {
	theirs, ours := start(t, contrib.NewFactory(), nil), start(t, prometheusexporter.NewFactory(), nil)
	traffic := newTraffic(3)
	for range 2 {
		md := traffic.export()
		for _, rm := range md.ResourceMetrics().All() {
			for _, sm := range rm.ScopeMetrics().All() {
				sm.Metrics().RemoveIf(func(m pmetric.Metric) bool { return strings.Contains(m.Name(), "delta") })
				for _, m := range sm.Metrics().All() {
					forgetTimes(m)
				}
			}
		}
		sent := pmetric.NewMetrics()
		md.CopyTo(sent)
		theirs.push(t, md)
		require.NoError(t, ours.ConsumeMetrics(t.Context(), md))
		assert.Equal(t, sent, md)
		page := ours.page(t, acceptText)
		assert.Greater(t, len(page.Series), 80)
		assert.Empty(t, pagetest.Diff(theirs.page(t, acceptText), page))
	}
}

func forgetTimes(m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().At(0).SetTimestamp(0)
	case pmetric.MetricTypeSum:
		m.Sum().DataPoints().At(0).SetTimestamp(0)
	case pmetric.MetricTypeHistogram:
		m.Histogram().DataPoints().At(0).SetTimestamp(0)
	case pmetric.MetricTypeExponentialHistogram:
		m.ExponentialHistogram().DataPoints().At(0).SetTimestamp(0)
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().At(0).SetTimestamp(0)
	}
}

func resource(md pmetric.Metrics, instance string) pmetric.ResourceMetrics {
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "shop")
	rm.Resource().Attributes().PutStr("service.instance.id", instance)
	return rm
}

func newMetric(rm pmetric.ResourceMetrics, name, unit string) pmetric.Metric {
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	return m
}

func gaugePoint(md pmetric.Metrics, instance, name, unit string, v float64) pmetric.NumberDataPoint {
	return addGauge(resource(md, instance), name, unit, v)
}

func addGauge(rm pmetric.ResourceMetrics, name, unit string, v float64) pmetric.NumberDataPoint {
	p := newMetric(rm, name, unit).SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(10e9)
	p.SetDoubleValue(v)
	return p
}

func counterPoint(md pmetric.Metrics, instance, name string, v float64, seconds int) pmetric.NumberDataPoint {
	sum := newMetric(resource(md, instance), name, "").SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := sum.DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Unix(int64(seconds), 0)))
	p.SetDoubleValue(v)
	return p
}

func delta(md pmetric.Metrics, p pmetric.NumberDataPoint, since int) {
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Unix(int64(since), 0)))
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
}
