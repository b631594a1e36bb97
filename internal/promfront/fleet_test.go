package promfront_test

import (
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// samplesPerInstance: 24 histogram points of 17 samples, 60 counters, 30 gauges, target_info.
const samplesPerInstance = 24*17 + 60 + 30 + 1

// fleet is one export of so many instances of a service.
func fleet(instances int) pmetric.Metrics {
	md := pmetric.NewMetrics()
	for i := range instances {
		e := newExport(0, "service.name", "shop", "service.instance.id", "shop-"+strconv.Itoa(i), "service.version", "1.2.3",
			"deployment.environment.name", "production", "cloud.region", "eu-central-1", "cloud.provider", "any",
			"host.name", "node-"+strconv.Itoa(i), "os.type", "linux", "process.runtime.name", "go",
			"telemetry.sdk.name", "opentelemetry", "telemetry.sdk.language", "go", "k8s.pod.name", "shop-"+strconv.Itoa(i))
		fillInstance(e)
		e.md.ResourceMetrics().MoveAndAppendTo(md.ResourceMetrics())
	}
	return md
}

func fillInstance(e *export) {
	h := e.metric("http.server.request.duration").SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	bounds := []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	for i := range 24 {
		p := h.DataPoints().AppendEmpty()
		p.SetStartTimestamp(at(0))
		p.ExplicitBounds().FromRaw(bounds)
		p.BucketCounts().FromRaw(make([]uint64, len(bounds)+1))
		p.SetSum(1)
		put(p.Attributes(), "http.request.method", "GET", "http.route", "/api/v1/route/"+strconv.Itoa(i),
			"network.protocol.name", "http", "network.protocol.version", "1.1", "server.address", "shop.example", "url.scheme", "https")
		p.Attributes().PutInt("http.response.status_code", 200)
	}
	counters := e.sum("requests", pmetric.AggregationTemporalityCumulative).DataPoints()
	for i := range 60 {
		e.number(counters, 1, "route", "/api/v1/route/"+strconv.Itoa(i), "method", "GET", "outcome", "success").SetStartTimestamp(at(0))
	}
	gauges := e.metric("depth").SetEmptyGauge().DataPoints()
	for i := range 30 {
		e.number(gauges, 1, "queue", "queue-"+strconv.Itoa(i), "partition", "7")
	}
}

// stampAll sets the time of every point, and changes the values as a busy service would.
func stampAll(md pmetric.Metrics, t pcommon.Timestamp) {
	for _, rm := range md.ResourceMetrics().All() {
		metrics := rm.ScopeMetrics().At(0).Metrics()
		for _, p := range metrics.At(0).Histogram().DataPoints().All() {
			p.SetTimestamp(t)
			p.BucketCounts().SetAt(3, p.BucketCounts().At(3)+2)
			p.SetCount(p.Count() + 2)
			p.SetSum(p.Sum() + 0.1)
		}
		for _, p := range metrics.At(1).Sum().DataPoints().All() {
			p.SetTimestamp(t)
			p.SetDoubleValue(p.DoubleValue() + 3)
		}
		for _, p := range metrics.At(2).Gauge().DataPoints().All() {
			p.SetTimestamp(t)
		}
	}
}
