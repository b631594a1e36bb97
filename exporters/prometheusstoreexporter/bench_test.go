package prometheusstoreexporter_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// BenchmarkPush writes one export after another, ten seconds apart, into a store with a write-ahead log: the cost of
// translating and storing a sample.
func BenchmarkPush(b *testing.B) {
	for _, instances := range []int{10, 100} {
		b.Run(fmt.Sprintf("series=%d", instances*samplesPerInstance), func(b *testing.B) {
			extension, _ := startStore(b, settings{"retention": map[string]any{"time": "10y"}})
			telemetry := componenttest.NewTelemetry()
			b.Cleanup(func() { require.NoError(b, telemetry.Shutdown(context.Background())) })
			exp := startExporter(b, host{storeID: extension}, telemetry, nil)
			at := time.Now().Add(-365 * 24 * time.Hour)
			md := pmetric.NewMetrics()
			for i := range instances {
				fillInstance(md, i)
			}
			push := func() {
				at = at.Add(10 * time.Second)
				stampAll(md, at)
				require.NoError(b, exp.ConsumeMetrics(b.Context(), md))
			}
			push() // creates the series
			samples := 0
			for b.Loop() {
				push()
				samples += instances * samplesPerInstance
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(samples), "ns/sample")
		})
	}
}

// samplesPerInstance: 24 histogram points of 17 samples, 60 counters, 30 gauges, target_info.
const samplesPerInstance = 24*17 + 60 + 30 + 1

func fillInstance(md pmetric.Metrics, n int) {
	one := newBatch(time.Unix(0, 0))
	rm := one.metrics.ResourceMetrics().At(0)
	rm.Resource().Attributes().PutStr("service.instance.id", "shop-"+strconv.Itoa(n))
	h := one.metric("http.server.request.duration", "s", "").SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	bounds := []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	for i := range 24 {
		p := h.DataPoints().AppendEmpty()
		p.ExplicitBounds().FromRaw(bounds)
		p.BucketCounts().FromRaw(make([]uint64, len(bounds)+1))
		p.SetSum(1)
		put(p.Attributes(), "http.route", "/route/"+strconv.Itoa(i), "http.request.method", "GET", "url.scheme", "http")
	}
	counters := one.sum("requests", "1", true).DataPoints()
	for i := range 60 {
		one.number(counters, 1, "n", strconv.Itoa(i))
	}
	gauges := one.metric("depth", "", "").SetEmptyGauge().DataPoints()
	for i := range 30 {
		one.number(gauges, 1, "n", strconv.Itoa(i))
	}
	rm.MoveTo(md.ResourceMetrics().AppendEmpty())
}

func stampAll(md pmetric.Metrics, at time.Time) {
	t := pcommon.NewTimestampFromTime(at)
	for _, rm := range md.ResourceMetrics().All() {
		metrics := rm.ScopeMetrics().At(0).Metrics()
		for _, p := range metrics.At(0).Histogram().DataPoints().All() {
			p.SetTimestamp(t)
		}
		for _, p := range metrics.At(1).Sum().DataPoints().All() {
			p.SetTimestamp(t)
		}
		for _, p := range metrics.At(2).Gauge().DataPoints().All() {
			p.SetTimestamp(t)
		}
	}
}
